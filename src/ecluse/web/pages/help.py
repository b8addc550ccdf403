"""``/<room>/help``: what the words mean, how the pages are used with the keyboard, and whom to ask."""

from __future__ import annotations

from typing import Final

import msgspec
from litestar import MediaType, Response, get

from ecluse.web.gateway import HttpRequest, Served
from ecluse.web.pages import frame, guard
from ecluse.web.pages.glossary import Word, words_of
from ecluse.web.pages.language import N_
from ecluse.web.pages.model import Room

SHORTCUTS: Final = (
    ("?", N_("This help")),
    ("/", N_("To the search field of the page")),
    ("g 1 … g 9", N_("To the first, second … ninth page of the menu")),
)
AT_DESK: Final = (
    ("↑ ↓", N_("From place to place in a session, without turning anything on")),
    ("Enter", N_("Show the person of the place")),
    ("Esc", N_("Close the person, or the roll-call")),
)


class HelpPage(msgspec.Struct, frozen=True, kw_only=True):
    """The help of a room. ``words``: its glossary; ``shortcuts``: keys and what they do, none where a room has none; ``contact``: whom to ask, may be empty."""

    words: list[Word]
    shortcuts: list[tuple[str, str]]
    contact: str


def help_page(room: Room, contact: str) -> HelpPage:
    """Make the help of a room."""
    return HelpPage(words=words_of(room), shortcuts=shortcuts_of(room), contact=contact)


def shortcuts_of(room: Room) -> list[tuple[str, str]]:
    """Return the keys of a room and what they do."""
    if room is Room.MY_DATA:
        return []
    return [*(AT_DESK if room is Room.DESK else ()), *SHORTCUTS]


@get("/console/help", include_in_schema=False, media_type=MediaType.HTML)
async def console_help(request: HttpRequest, gateway: Served) -> Response[str]:
    """Explain the console."""
    signed = await guard.officer(request, gateway)
    context = help_page(Room.CONSOLE, gateway.settings.controller.reach)
    return frame.page(request, gateway, "pages/help.html", context, signed=signed, room=Room.CONSOLE, here="help")


@get("/desk/help", include_in_schema=False, media_type=MediaType.HTML)
async def desk_help(request: HttpRequest, gateway: Served) -> Response[str]:
    """Explain the desk."""
    signed = await guard.agent(request, gateway)
    context = help_page(Room.DESK, gateway.settings.controller.reach)
    return frame.page(request, gateway, "pages/help.html", context, signed=signed, room=Room.DESK, here="help")


@get("/my-data/help", include_in_schema=False, media_type=MediaType.HTML)
async def my_data_help(request: HttpRequest, gateway: Served) -> Response[str]:
    """Explain the words to the persons the data are about; it holds nothing about anybody, so nobody has to say who they are."""
    context = help_page(Room.MY_DATA, gateway.settings.controller.dpo or gateway.settings.controller.reach)
    return frame.page(request, gateway, "pages/help.html", context, signed=None, room=Room.MY_DATA, here="help")


HANDLERS: Final = [console_help, desk_help, my_data_help]
