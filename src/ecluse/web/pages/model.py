"""What the rooms tell the frame about themselves: which they are, their navigation, and the notices they show after a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, Literal, TypeAlias

import msgspec

from ecluse.identity.people import Role
from ecluse.web.pages.language import N_

Kind: TypeAlias = Literal["ok", "info", "warn", "bad"]


class Room(StrEnum):
    """The four kinds of pages: signing in, the controller's staff, a processor's agents, the persons the data are about."""

    SIGN_IN = "sign-in"
    CONSOLE = "console"
    DESK = "desk"
    MY_DATA = "my-data"


NAMES: Final[Mapping[Room, str]] = {
    Room.SIGN_IN: N_("Sign in"),
    Room.CONSOLE: N_("Console"),
    Room.DESK: N_("Desk"),
    Room.MY_DATA: N_("My data"),
}
"""What each room is called, at its head."""

LABELS: Final[Mapping[Role, str]] = {
    Role.ADMINISTRATOR: N_("Administrator"),
    Role.DPO: N_("Data protection officer"),
    Role.SECURITY: N_("Security"),
    Role.CASE_WORKER: N_("Case worker"),
    Role.READER: N_("Reader"),
}
"""What each role of an officer is called."""


class Entry(msgspec.Struct, frozen=True):
    """One entry of a room's navigation. ``label``, ``group``: source texts; ``roles``: who sees it, empty: everybody; ``key``: what `here` names it by."""

    key: str
    href: str
    label: str
    group: str = ""
    roles: frozenset[Role] = frozenset()


class Notice(msgspec.Struct, frozen=True):
    """What is said at the head of the next page after a change. ``text``: a source text without values."""

    kind: Kind
    text: str


class About(msgspec.Struct, frozen=True, kw_only=True):
    """A room, as the frame needs to know it. ``notices``: by the key that `see` sends."""

    home: str = "/"
    help: str = ""
    navigation: Sequence[Entry] = ()
    notices: Mapping[str, Notice] = {}
