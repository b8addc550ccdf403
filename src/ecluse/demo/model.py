"""What the demo is made of: its processors and their sessions of one day."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

import msgspec


class Part(StrEnum):
    """What a processor shows on the day."""

    ROUTINE = "routine"
    QUESTIONS = "questions"
    MOVED = "moved"
    SMALL_BUDGET = "small-budget"
    HELD = "held"
    ROBBED = "robbed"
    DESK_ONLY = "desk-only"
    FROZEN = "frozen"
    LAPSED = "lapsed"


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """A purpose of a contract of the demo. ``attributes`` and ``sheet``: attribute to form; ``opens_before``, ``closes_after``: hours.

    ``unasked``: attributes of the contract that no trainer ever asks for.
    """

    purpose: str
    label: str
    attributes: dict[str, str]
    sheet: dict[str, str] = {}
    opens_before: int
    closes_after: int
    capacity: int
    reads: int
    unasked: frozenset[str] = frozenset()

    @property
    def asked(self) -> tuple[str, ...]:
        """Return the attributes that trainers ask for."""
        return tuple(name for name in self.attributes if name not in self.unasked)


class Firm(msgspec.Struct, frozen=True, kw_only=True):
    """A processor of the demo. ``trainers``: how it calls its people; ``persons_per_hour``: the ceiling of its one client.

    ``host``: the sub-processor that its contract names, empty: none.
    """

    id: str
    name: str
    site: str
    part: Part
    courses: tuple[Course, ...]
    trainers: tuple[str, ...]
    persons_per_hour: int = 200
    host: str = ""


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """The days of a contract, both included."""

    starts_on: date
    ends_on: date


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A processor once it is registered: ``agents`` in the order of the firm's trainers, ``key_file`` with its private key."""

    firm: Firm
    client_id: str
    key_file: Path
    agents: tuple[str, ...]


class PlannedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session of the controller's schedule. ``subjects``: one ``subject_ref`` a place, all distinct; ``agent``: its trainer."""

    ref: str
    processor: str
    course: Course
    site: str
    room: str
    starts_at: datetime
    ends_at: datetime
    agent: str
    subjects: tuple[str, ...]
