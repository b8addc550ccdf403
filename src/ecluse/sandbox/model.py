"""The names of the sandbox, and what trying it takes."""

from __future__ import annotations

from typing import Final

import msgspec

PROCESSOR: Final = "sandbox"
NEIGHBOUR: Final = "sandbox-neighbour"
"""Owns one appointment, so that there is a foreign handle to ask for."""
PROCESSORS: Final = frozenset({PROCESSOR, NEIGHBOUR})
"""The same words as in the checks of ``migrations/0004_pre_outcomes.sql``."""
SYSTEM: Final = "ecluse.sandbox"
"""The system of its people's references: no register can have this name, which has a full stop."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Something to try. ``expect``: ``granted`` or a problem's code; ``handle``: an appointment; ``agent``: who asks."""

    what: str
    expect: str
    handle: str
    agent: str


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox that is ready. ``sessions``: those of today; ``agents``: the first may ask, the second is suspended."""

    client: str
    agents: tuple[str, ...]
    sessions: int
    trials: tuple[Trial, ...]


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What removing it did."""

    keys: int
    people: int
