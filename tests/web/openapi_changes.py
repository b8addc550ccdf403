"""What a new OpenAPI document takes away from an old one: a client written from the old one must go on working."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
BOUNDS: Final = (
    "const", "format", "pattern", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minimum", "maximum", "contentMediaType",
)  # fmt: skip

Document = Mapping[str, Any]


def resolve(document: Document, part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references within the document."""
    while "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def operations(document: Document) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return the operations by method and path."""
    return {(m.upper(), path): item[m] for path, item in document["paths"].items() for m in METHODS if m in item}


def narrowed(old: Document, new: Document) -> list[str]:
    """Say, one sentence each, what of the old document the new one removes or narrows."""
    before, after = operations(old), operations(new)
    gone = [f"{method} {path} is gone." for method, path in before if (method, path) not in after]
    return gone + [
        said for key in before if key in after for said in _Comparison(old, new, " ".join(key)).operation(before[key], after[key])
    ]


class _Comparison:
    """Compares one operation of two documents; ``where`` begins each sentence."""

    def __init__(self, old: Document, new: Document, where: str) -> None:
        self.old, self.new, self.where = old, new, where

    def operation(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
        for member in ("operationId", "security"):
            if old.get(member) != new.get(member):
                yield f"{self.where}: {member} was {old.get(member)} and is {new.get(member)}."
        yield from self._parameters(old, new)
        if "requestBody" in new:
            taken = old.get("requestBody", {})
            if new["requestBody"].get("required") and not taken.get("required"):
                yield f"{self.where}: a body is newly required."
            yield from self._content(taken, new["requestBody"], "request", asked=True)
        elif "requestBody" in old:
            yield f"{self.where}: the request's body is gone."
        for status, was in old["responses"].items():
            if status not in new["responses"]:
                yield f"{self.where}: the answer {status} is gone."
                continue
            before, after = resolve(self.old, was), resolve(self.new, new["responses"][status])
            for name in before.get("headers", {}):
                if name not in after.get("headers", {}):
                    yield f"{self.where}: the header field {name} of the answer {status} is gone."
            yield from self._content(before, after, status, asked=False)

    def _parameters(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
        before, after = (
            {(p["in"], p["name"]): p for p in (resolve(document, each) for each in operation.get("parameters", []))}
            for document, operation in ((self.old, old), (self.new, new))
        )
        for key, parameter in after.items():
            if parameter.get("required") and not before.get(key, {}).get("required"):
                yield f"{self.where}: the {key[0]} parameter {key[1]} is newly required."
        for key, parameter in before.items():
            if key not in after:
                yield f"{self.where}: the {key[0]} parameter {key[1]} is gone."
            else:
                yield from self.schema(parameter["schema"], after[key]["schema"], key[1], asked=True)

    def _content(self, old: Mapping[str, Any], new: Mapping[str, Any], what: str, *, asked: bool) -> Iterator[str]:
        for media, was in old.get("content", {}).items():
            if media not in new.get("content", {}):
                yield f"{self.where}: {media} of {what} is gone."
            else:
                yield from self.schema(was["schema"], new["content"][media]["schema"], what, asked=asked)

    def schema(self, old: Mapping[str, Any], new: Mapping[str, Any], at: str, *, asked: bool) -> Iterator[str]:
        """Compare two schemas; ``asked``: of a request, where more may not be demanded, else of an answer, where no less may be promised."""
        old, new = resolve(self.old, old), resolve(self.new, new)
        if old.get("type") != new.get("type"):
            yield f"{self.where}: {at} was {old.get('type')} and is {new.get('type')}."
            return
        for bound in BOUNDS:
            if old.get(bound) != new.get(bound):
                yield f"{self.where}: {bound} of {at} was {old.get(bound)} and is {new.get(bound)}."
        if "enum" in new and "enum" not in old:
            yield f"{self.where}: {at} is newly one of a list of words."
        for word in old.get("enum", []) if "enum" in new else ():
            if word not in new["enum"]:
                yield f"{self.where}: the word {word} of {at} is gone."
        yield from self._members(old, new, at, asked=asked)
        yield from self._alternatives(old, new, at, asked=asked)
        for part, name in (("items", "[]"), ("additionalProperties", ".*")):
            if isinstance(old.get(part), Mapping) and isinstance(new.get(part), Mapping):
                yield from self.schema(old[part], new[part], at + name, asked=asked)
        if asked and new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
            yield f"{self.where}: {at} newly refuses unknown members."

    def _members(self, old: Mapping[str, Any], new: Mapping[str, Any], at: str, *, asked: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, was in before.items():
            if name not in after:
                yield f"{self.where}: the member {at}.{name} is gone."
            else:
                yield from self.schema(was, after[name], f"{at}.{name}", asked=asked)
        demanded, promised = set(old.get("required", [])), set(new.get("required", []))
        for name in sorted(promised - demanded if asked else (demanded - promised) & set(after)):
            yield f"{self.where}: the member {at}.{name} is {'newly' if asked else 'no longer'} required."

    def _alternatives(self, old: Mapping[str, Any], new: Mapping[str, Any], at: str, *, asked: bool) -> Iterator[str]:
        """Compare what stands under ``oneOf``, an alternative being known by its reference, or else by its type."""
        before, after = ({_name(each): each for each in schema.get("oneOf", [])} for schema in (old, new))
        if after and not before and asked:
            yield f"{self.where}: {at} is newly one of several."
        for name, was in before.items():
            if name in after:
                yield from self.schema(was, after[name], f"{at}/{name}", asked=asked)
            else:
                yield f"{self.where}: the alternative {name} of {at} is gone."


def _name(alternative: Mapping[str, Any]) -> str:
    """Name an alternative of ``oneOf``."""
    return str(alternative.get("$ref", alternative.get("type"))).rpartition("/")[2]
