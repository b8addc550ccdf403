"""Forms, as they come: url-encoded or multipart, bounded, turned into a struct, with a fault beside each field that is not as it must be.

1  the type is one of the two that browsers send, the body no larger than the handler takes, and there within a time
2  a field that the struct does not have, or a single one that stands twice, is not of a form of ours: the page says to load it again
3  each value is text without control characters; blanks around it go, and line ends become one sign
4  a value becomes what the struct says (text, number, yes or no, day, instant, one of a list, several of a list, a file); else a fault in the reader's words

What was typed goes back into the form with its faults, and nowhere else: no value stands in an error or a log. The caller has signed in before any of this.
"""

from __future__ import annotations

import asyncio
import re
import types
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Final, Generic, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from litestar.datastructures import UploadFile
from litestar.exceptions import ClientException, SerializationException

from ecluse.web.gateway import HttpRequest
from ecluse.web.pages.errors import FormUnreadable
from ecluse.web.pages.language import N_, Tongue, tongue_of

T = TypeVar("T", bound=msgspec.Struct)
BODY_SECONDS: Final = 10
MOST_FIELDS: Final = 1000
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_KINDS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_FAULTS: Final[Mapping[type, str]] = {
    int: N_("Write a whole number."),
    float: N_("Write a number."),
    date: N_("Write a day, such as 2026-11-23."),
    datetime: N_("Write a day and a time."),
}
_EMPTY: Final = N_("This is needed.")
_UNREADABLE: Final = N_("Remove the signs that cannot be read.")
_CHOICE: Final = N_("Choose one of the list.")
_OTHER: Final = N_("This is not as it must be.")
_SHORT: Final = N_("Write at least %(count)s characters.")
_LONG: Final = N_("Write at most %(count)s characters.")
_LOW: Final = N_("The least is %(count)s.")
_HIGH: Final = N_("The most is %(count)s.")
_LIMITS: Final = re.compile(r"Expected `\w+` (of length )?(>=|<=) (-?\d+)")


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was chosen. ``name``, ``said_type``: what the browser says of it, to be believed by nobody."""

    name: str
    said_type: str
    content: bytes


class Filled(msgspec.Struct, Generic[T]):
    """A form as it came. ``value``: the struct, None while there are faults; ``entered``: what was typed, for showing it again; ``faults``: by field."""

    tongue: Tongue
    value: T | None
    entered: Mapping[str, str | list[str]]
    faults: dict[str, str]

    def fault(self, field: str, text: str, **values: object) -> None:
        """Say what is wrong with a field: a source text, with its values."""
        self.faults[field] = self.tongue.say(text, **values)


async def form(request: HttpRequest, struct: type[T], *, seconds: float = BODY_SECONDS) -> Filled[T]:
    """Read a form into a struct. Raises `FormUnreadable`, `TimeoutError`, and what the framework raises for a body that is too large."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _KINDS:
        raise FormUnreadable
    try:
        async with asyncio.timeout(seconds):
            sent = await request.form()
    except (UnicodeDecodeError, SerializationException, ValueError) as bad:
        raise FormUnreadable from bad
    except ClientException as bad:
        if bad.status_code == 400:
            raise FormUnreadable from bad
        raise
    many: dict[str, list[object]] = {}
    for name, value in sent.multi_items():
        many.setdefault(name, []).append(
            Upload(name=value.filename, said_type=value.content_type, content=await value.read())
            if isinstance(value, UploadFile)
            else value
        )
    return read(many, struct, tongue_of(request))


def read(sent: Mapping[str, list[object]], struct: type[T], tongue: Tongue) -> Filled[T]:
    """Turn fields into a struct. Raises `FormUnreadable` for what no form of ours sends."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    if set(sent) - set(fields) or sum(map(len, sent.values())) > MOST_FIELDS:
        raise FormUnreadable
    entered: dict[str, str | list[str]] = {}
    faults: dict[str, str] = {}
    values: dict[str, object] = {}
    for name, field in fields.items():
        kind = _kind(field.type)
        try:
            given = [_clean(value) for value in sent.get(name, [])]
        except _Unreadable:
            faults[name] = tongue.say(_UNREADABLE)
            continue
        typed = [value for value in given if isinstance(value, str)]
        entered[name] = typed if kind in {list, tuple, frozenset} else "".join(typed[:1])
        if kind not in {list, tuple, frozenset} and len(given) > 1:
            raise FormUnreadable
        found = _value(given, kind)
        if found is None and not field.required:
            continue
        if found is None and not _may_be_none(field.type):
            faults[name] = tongue.say(_EMPTY)
            continue
        try:
            values[name] = found if isinstance(found, Upload) else msgspec.convert(found, field.type, strict=False)
        except msgspec.ValidationError as bad:
            faults[name] = _say(kind, str(bad), tongue)
    return Filled(tongue, None if faults else struct(**_by_name(struct, values)), entered, faults)


class _OneOf:
    """Stands for a ``Literal``: one of a few texts."""


class _Unreadable(Exception):
    """A value with signs that nobody types."""


def _clean(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n").strip()
    if _CONTROL.search(text):
        raise _Unreadable
    return text


def _value(given: list[object], kind: type) -> object:
    """Return what stands for a field: None where nothing was given."""
    if kind in {list, tuple, frozenset}:
        return [value for value in given if value != ""]
    if kind is bool:
        return bool(given) and given[0] not in {"", "no", "false", "0"}
    first = given[0] if given else ""
    if isinstance(first, Upload):
        return first if first.content or first.name else None
    return first if first != "" else None


def _kind(annotation: Any) -> type:  # noqa: ANN401 - annotations are of any type
    """Return the plain type behind an annotation: of ``Annotated[int, …] | None``, int."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return _kind(next(each for each in get_args(annotation) if each is not type(None)))
    if origin is Literal:
        return _OneOf
    found = origin or annotation
    return found if isinstance(found, type) else object


def _may_be_none(annotation: Any) -> bool:  # noqa: ANN401 - annotations are of any type
    return get_origin(annotation) in {Union, types.UnionType} and type(None) in get_args(annotation)


def _by_name(struct: type[msgspec.Struct], values: Mapping[str, object]) -> dict[str, object]:
    names = {field.encode_name: field.name for field in msgspec.structs.fields(struct)}
    return {names[each]: value for each, value in values.items()}


def _say(kind: type, why: str, tongue: Tongue) -> str:
    """Say in the reader's words what a value is not. ``why``: the parser's message, of which only the limit is taken."""
    limit = _LIMITS.match(why)
    if limit is not None:
        length, sign, count = limit.groups()
        least, most = (_SHORT, _LONG) if length else (_LOW, _HIGH)
        bound = least if sign == ">=" else most
        return tongue.say(bound, count=count)
    if kind in _FAULTS:
        return tongue.say(_FAULTS[kind])
    return tongue.say(_CHOICE if issubclass(kind, Enum) or kind in {list, tuple, frozenset, _OneOf} else _OTHER)
