"""What every page is made with: `page` renders one, `see` sends on after a change, `form` reads what was sent.

A handler parses, calls one use case, and hands a documented, frozen context to `page`; the template sees it as ``page`` and beside it only what the frame gives
every page: ``signed``, ``language``, ``zone``, ``now``, ``_``, ``ngettext``, ``asset`` and the filters of `show`. Autoescape is on everywhere. A request that
htmx makes for a part of a page (``HX-Request``) gets the block ``main`` alone.

A notice after a change is a key in a short-lived cookie; its text stands in the room's `About`. Nothing that is shown ever comes from an address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import cache
from importlib.resources import as_file, files
from itertools import groupby
from typing import Any, Final
from urllib.parse import quote, urlencode

import jinja2
import msgspec
from litestar import MediaType, Response
from litestar.datastructures import Cookie
from markupsafe import Markup

from ecluse import clock
from ecluse.identity.people import Signed
from ecluse.web.gateway import Gateway, HttpRequest
from ecluse.web.pages.assets import asset
from ecluse.web.pages.errors import FormUnreadable
from ecluse.web.pages.forms import Filled, Upload, form
from ecluse.web.pages.language import COOKIE, LANGUAGES, N_, Language, Tongue, known, tongue_of
from ecluse.web.pages.model import LABELS, NAMES, About, Entry, Notice, Room
from ecluse.web.pages.show import filters

__all__ = [
    "N_",
    "About",
    "Entry",
    "Filled",
    "FormUnreadable",
    "Notice",
    "Room",
    "Signed",
    "Tongue",
    "Upload",
    "form",
    "is_partial",
    "own_path",
    "page",
    "partial",
    "render",
    "see",
    "tongue_of",
]  # fmt: skip

NOTICE: Final = "ecluse-notice"
_NOTICE_SECONDS: Final = 30
_LANGUAGE_SECONDS: Final = 365 * 24 * 3600
_MOST_PATH: Final = 500
_ENTRY: Final = re.compile(r"[0-9]{1,18}")
_SHOWN: Final = {"vary": "HX-Request, HX-Request-Type, Cookie, Accept-Language"}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page stands: all that the frame shows around it. ``path``: with its query, and without ``lang``."""

    room: Room
    about: About
    here: str
    path: str
    signed: Signed | None
    tongue: Tongue
    zone: tzinfo
    now: datetime
    controller: str
    notice: Notice | None = None
    entry: str = ""


class Group(msgspec.Struct, frozen=True):
    """Entries of the navigation that stand together under a heading, or under none."""

    label: str
    entries: Sequence[Entry]


@cache
def environment(language: Language, zone: tzinfo = UTC) -> jinja2.Environment:
    """Return the templates, speaking one language, in one zone; what they import knows of both. Made once of each."""
    with as_file(files("ecluse.web") / "templates") as folder:
        made = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=False,  # a line's end between two texts is the space between them
            lstrip_blocks=True,
            auto_reload=False,
        )
    tongue = Tongue(language)
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_callables(tongue.find, tongue.find_number, newstyle=True)  # type: ignore[attr-defined] # the extension's
    made.globals["gettext"] = _plainly(tongue, made.globals["gettext"])  # type: ignore[arg-type] # what the line above put there
    made.filters.update(filters())
    made.globals.update(asset=asset, language=language, direction="ltr", zone=zone)
    return made


def _plainly(tongue: Tongue, with_values: Callable[..., str]) -> Callable[..., str]:
    """Say a text that has no values without the work of putting them in: most are so, and a page has a hundred."""

    @jinja2.pass_context
    def gettext(context: jinja2.runtime.Context, text: str, /, **values: object) -> str:
        if not values:
            found = tongue.find(text)
            if "%" not in found:
                return Markup(found)  # noqa: S704 - of a catalogue or a template, as with values
        return with_values(context, text, **values)

    return gettext


def render(template: str, context: msgspec.Struct, place: Place, *, block: str | None = None) -> str:
    """Write a page, or one block of it."""
    found = environment(place.tongue.language, place.zone).get_template(template)
    values = {"page": context, **around(place)}
    if block is None:
        return found.render(values)
    within = found.new_context(values)
    next(found.root_render_func(within), None)  # up to the first text: what the template imports above its blocks is there then
    return "".join(found.blocks[block](within))


def around(place: Place) -> dict[str, Any]:
    """Return what a template sees beside its page."""
    separator = "&" if "?" in place.path else "?"
    return {
        "signed": place.signed,
        "roles": [LABELS[role] for role in LABELS if place.signed is not None and role in place.signed.roles],
        "now": place.now,
        "room": place.room.value,
        "room_name": NAMES[place.room],
        "home": place.about.home,
        "help": place.about.help,
        "here": place.here,
        "path": place.path,
        "controller": place.controller,
        "navigation": list(_groups(place)),
        "notice": place.notice,
        "notice_entry": place.entry,
        "languages": [
            (each, name, f"{place.path}{separator}lang={each}")
            for each, name in LANGUAGES.items()
            if each != place.tongue.language
        ],
    }


def _groups(place: Place) -> Iterable[Group]:
    """Group the entries that whoever is signed in may go to."""
    roles = place.signed.roles if place.signed is not None else frozenset()
    seen = (
        [entry for entry in place.about.navigation if not entry.roles or entry.roles & roles] if place.signed is not None else []
    )
    for label, entries in groupby(seen, key=lambda entry: entry.group):
        yield Group(label, list(entries))


def page(
    request: HttpRequest,
    gateway: Gateway,
    template: str,
    context: msgspec.Struct,
    *,
    signed: Signed | None,
    room: Room,
    here: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    """Answer with a page; with its main block alone where htmx asks for a part."""
    block = "main" if is_partial(request) else None
    return _answer(
        request, gateway, template, context, signed=signed, room=room, here=here, status=status, headers=headers, block=block
    )


def partial(
    request: HttpRequest,
    gateway: Gateway,
    template: str,
    context: msgspec.Struct,
    *,
    signed: Signed | None,
    room: Room,
    block: str = "main",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    """Answer with one block of a template, whoever asks: for what is refreshed in a page."""
    return _answer(
        request, gateway, template, context, signed=signed, room=room, here="", status=status, headers=headers, block=block
    )


def _answer(
    request: HttpRequest,
    gateway: Gateway,
    template: str,
    context: msgspec.Struct,
    *,
    signed: Signed | None,
    room: Room,
    here: str,
    status: int,
    headers: Mapping[str, str] | None,
    block: str | None,
) -> Response[str]:
    about = about_of(request, room)
    tongue = tongue_of(request)
    key, _, number = request.cookies.get(NOTICE, "").partition(".")
    notice = about.notices.get(key) if block is None else None
    place = Place(
        room=room, about=about, here=here, path=path_of(request), signed=signed, tongue=tongue, zone=gateway.settings.zone,
        now=clock.now(), controller=gateway.settings.controller.name, notice=notice, entry=number if _ENTRY.fullmatch(number) else "",
    )  # fmt: skip
    cookies = []
    if known(request.query_params.get("lang")) is not None:
        cookies.append(_cookie(COOKIE, tongue.language, _LANGUAGE_SECONDS))
    if block is None and NOTICE in request.cookies:
        cookies.append(_cookie(NOTICE, "", 0))
    return Response(
        content=render(template, context, place, block=block),
        status_code=status,
        media_type=MediaType.HTML,
        headers={**_SHOWN, "content-language": tongue.language, **(headers or {})},
        cookies=cookies,
    )


def about_of(request: HttpRequest, room: Room) -> About:
    """Return what a room said of itself when the application was built."""
    rooms: Mapping[Room, About] = request.app.state["rooms"]
    return rooms[room]


def is_partial(request: HttpRequest) -> bool:
    """Tell whether htmx asks for a part of a page."""
    fields = request.headers
    return fields.get("hx-request") == "true" and fields.get("hx-request-type") != "full" and "hx-boosted" not in fields


def see(path: str, notice: str = "") -> Response[str]:
    """Send the browser on after a change, so that loading the page again changes nothing.

    ``path``: of ours; ``notice``: a key of the room's notices, with the number of a sealed entry after a dot where its text has ``%(entry)s``.
    """
    if own_path(path) != path:
        raise AssertionError("impossible: sent on to what is no page of ours")
    cookies = [_cookie(NOTICE, notice, _NOTICE_SECONDS)] if notice else []
    return Response(content="", status_code=303, headers={"location": path}, cookies=cookies)


def own_path(text: str | None, default: str = "/") -> str:
    """Return an address of this server, as a path with its query; ``default`` for everything else: another host, a scheme, what browsers mend into one."""
    if (
        text is None
        or len(text) > _MOST_PATH
        or not text.startswith("/")
        or text.startswith("//")
        or "\\" in text
        or not text.isascii()
        or not text.isprintable()
        or " " in text
    ):
        return default
    return text


def path_of(request: HttpRequest) -> str:
    """Return the address of a request inside this server, without ``lang``."""
    query = urlencode([(name, value) for name, value in request.query_params.multi_items() if name != "lang"])
    return own_path(quote(request.scope["path"]) + (f"?{query}" if query else ""))


def _cookie(name: str, value: str, seconds: int) -> Cookie:
    """Write a cookie that no script reads. It holds a key of ours and nothing about anybody, so it may go over plain http on this machine too."""
    return Cookie(key=name, value=value, max_age=seconds, path="/", httponly=True, samesite="lax")
