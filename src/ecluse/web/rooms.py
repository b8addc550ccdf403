"""The rooms of people's pages, each with its handlers and what the frame shows of it: one line a room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ecluse.web import console, desk, my_data, pages, sign_in
from ecluse.web.pages.model import About, Room

HANDLERS: Final[list[Any]] = [
    *pages.HANDLERS,
    *sign_in.HANDLERS,
    *console.HANDLERS,
    *desk.HANDLERS,
    *my_data.HANDLERS,
]
ABOUT: Final[Mapping[Room, About]] = {
    Room.SIGN_IN: sign_in.ABOUT,
    Room.CONSOLE: console.ABOUT,
    Room.DESK: desk.ABOUT,
    Room.MY_DATA: my_data.ABOUT,
}
