"""What a processor may say of an appointment that is over or under way, and what is answered."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

LATE: Final = timedelta(days=2)
"""How long after its window closed the outcome of an appointment may still be said or corrected."""


class Attendance(StrEnum):
    """Whether the person was there. Append-only."""

    PRESENT = "present"
    ABSENT = "absent"
    LATE = "late"
    EXCUSED = "excused"


class Level(StrEnum):
    """A level of the Common European Framework of Reference for Languages."""

    A1 = "A1"
    A2 = "A2"
    B1 = "B1"
    B2 = "B2"
    C1 = "C1"
    C2 = "C2"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a processor says of one appointment. ``level``: of courses only, None where none is given; ``agent``: who says it, None where nobody is named."""

    attendance: Attendance
    level: Level | None
    agent: str | None


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """It may be recorded at any instant of ``[valid_from, valid_until)``."""

    valid_from: datetime
    valid_until: datetime


class Unrecorded(msgspec.Struct, frozen=True, kw_only=True):
    """It was not recorded. ``code``: a problem's; ``detail`` replaces its sentence; ``told``: typed facts for the caller, none about a person."""

    code: str
    detail: str | None = None
    told: dict[str, object] = {}


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """It stands. ``revision``: 1, and one more with each correction; ``recorded_at``: by the database's clock."""

    revision: int
    recorded_at: datetime


class FeedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome as the controller receives it, by pull and by webhook alike.

    ``source``, ``session_ref`` and ``place_ref``: the place as the controller's own schedule names it; ``appointment``: its handle at the processor.
    """

    cursor: str
    processor: str
    appointment: str
    source: str
    session_ref: str
    place_ref: str
    attendance: str
    level: str | None
    agent: str | None
    revision: int
    recorded_at: datetime
