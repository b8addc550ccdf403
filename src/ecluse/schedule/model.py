"""The words of a schedule: places as written and as read, what contracts and the present state say, the outcome of a check.

A *place* is one subject's seat in a *session*: known by ``(source, session_ref, place_ref)``, a session by
``(source, session_ref)``. These texts are the controller's own and may be personal; they are never shown to a processor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from ecluse.schedule.findings import ScheduleFindings

SessionKey: TypeAlias = tuple[str, str]
"""``(source, session_ref)``."""

COLUMNS: Final = (
    "source",
    "session_ref",
    "place_ref",
    "subject_ref",
    "purpose",
    "processor",
    "site",
    "room",
    "starts_at",
    "ends_at",
    "agents",
    "status",
    "course_ref",
)
"""All columns of a schedule file; the last one is optional."""


class Kind(StrEnum):
    """The kinds of schedule file; append-only."""

    CSV = "csv"
    JSON = "json"


class Mode(StrEnum):
    """How rows are read; append-only.

    ``delta`` changes what it names and leaves the rest alone. ``snapshot`` is all of a source's future: what it does not name
    is cancelled. ``walk-in`` and ``substitution`` are no files: one place added to a session, its agents replaced, by hand.
    """

    DELTA = "delta"
    SNAPSHOT = "snapshot"
    WALK_IN = "walk-in"
    SUBSTITUTION = "substitution"


FILE_MODES: Final = (Mode.DELTA, Mode.SNAPSHOT)
"""The modes of a file."""


class PlaceStatus(StrEnum):
    """The state of a place; append-only: planned -> cancelled -> planned."""

    PLANNED = "planned"
    CANCELLED = "cancelled"


class SessionChange(StrEnum):
    """What a file does to a session; append-only."""

    NEW = "new"
    MOVED = "moved"
    UNCHANGED = "unchanged"
    HANDED_OVER = "handed-over"


class WrittenPlace(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row as written: well-formed texts, times not yet read. ``agents`` are sorted."""

    row: int
    source: str
    session_ref: str
    place_ref: str
    subject_ref: str
    purpose: str
    processor: str
    site: str
    room: str
    starts_at: str
    ends_at: str
    agents: tuple[str, ...]
    status: PlaceStatus
    course_ref: str


class ScheduleFile(msgspec.Struct, frozen=True, kw_only=True):
    """A well-formed file of one source; ``sha256`` is the hex digest of its bytes."""

    sha256: str
    source: str
    rows: tuple[WrittenPlace, ...]
    mode: Mode = Mode.DELTA


class Place(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row, read: instants are aware and UTC; ``course_ref`` is the purpose where the file names none."""

    row: int
    source: str
    session_ref: str
    place_ref: str
    subject_ref: str
    purpose: str
    processor: str
    site: str
    room: str
    starts_at: datetime
    ends_at: datetime
    agents: tuple[str, ...]
    status: PlaceStatus
    course_ref: str


class SessionFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is true of a session as a whole; it runs in ``[starts_at, ends_at)``."""

    processor: str
    purpose: str
    site: str
    room: str
    starts_at: datetime
    ends_at: datetime
    agents: tuple[str, ...]


class ExistingPlace(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A place that is already kept. ``walk_in``: added by hand, so no file of the source is expected to name it."""

    subject_ref: str
    course_ref: str
    status: PlaceStatus
    walk_in: bool = False


class ExistingSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is already kept, with all its places by ``place_ref``."""

    facts: SessionFacts
    places: Mapping[str, ExistingPlace]


class PurposeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a contract says of one purpose."""

    max_capacity: int
    opens_before: timedelta
    closes_after: timedelta


class SiteFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a contract says of one site."""

    timezone: tzinfo
    rooms: int
    max_sessions_per_day: int


class ContractFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds the schedule of one processor; both days are included and are days of the controller's zone."""

    purposes: Mapping[str, PurposeFacts]
    sites: Mapping[str, SiteFacts]
    persons_per_day: int
    persons_per_month: int
    starts_on: date
    ends_on: date


class ScheduleContext(msgspec.Struct, frozen=True, kw_only=True):
    """All that a check is made against; ``contracts`` by processor, ``agents`` to their processor.

    ``sessions`` must hold every session the file names, and every session of the processors it names that starts in one of
    the UTC months touched by the file, or within two days of one; for a snapshot also every session of its source that is yet to begin.
    """

    now: datetime
    controller_zone: tzinfo
    contracts: Mapping[str, ContractFacts]
    agents: Mapping[str, str]
    is_subject_ref: Callable[[str], bool]
    sessions: Mapping[SessionKey, ExistingSession]


class SessionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the file does to one session and its places; ``row`` is the first row that names it.

    ``carried``: the planned places that go with a session to another processor; they get new handles there.
    """

    source: str
    session_ref: str
    row: int
    facts: SessionFacts
    change: SessionChange
    new: tuple[Place, ...]
    cancelled: tuple[Place, ...]
    reinstated: tuple[Place, ...]
    carried: tuple[Place, ...] = ()
    unchanged_count: int
    absent_count: int

    @property
    def key(self) -> SessionKey:
        """Return ``(source, session_ref)``."""
        return (self.source, self.session_ref)

    @property
    def coming(self) -> tuple[Place, ...]:
        """Return the places that this brings to the session's processor."""
        return (*self.new, *self.reinstated, *self.carried)


class ScheduleCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a report; ``places_absent`` are cancelled ones that were never known: nothing to do."""

    sessions_new: int
    sessions_moved: int
    sessions_unchanged: int
    sessions_handed_over: int
    places_new: int
    places_cancelled: int
    places_reinstated: int
    places_handed_over: int
    places_unchanged: int
    places_absent: int


class CheckedSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """A file that may be applied to the state it was checked against.

    ``warnings``: what is allowed and looks wrong. ``excess``: rows above the contract's volume of persons; a second person
    approves them. ``places_ahead``: planned places of the source in sessions yet to begin, before the file.
    """

    sha256: str
    source: str
    mode: Mode
    sessions_new: tuple[SessionPlan, ...]
    sessions_moved: tuple[SessionPlan, ...]
    sessions_unchanged: tuple[SessionPlan, ...]
    sessions_handed_over: tuple[SessionPlan, ...]
    places_new: tuple[Place, ...]
    places_cancelled: tuple[Place, ...]
    places_reinstated: tuple[Place, ...]
    counts: ScheduleCounts
    warnings: ScheduleFindings
    excess: ScheduleFindings
    places_ahead: int
    is_empty: bool

    @property
    def wants_confirmation(self) -> bool:
        """Tell whether a snapshot has no rows, or cancels more than a tenth of the source's future places."""
        return self.mode is Mode.SNAPSHOT and (self.is_empty or self.counts.places_cancelled * 10 > self.places_ahead)

    @property
    def changes_nothing(self) -> bool:
        """Tell whether all of it is already so."""
        changed = self.sessions_new or self.sessions_moved or self.sessions_handed_over
        return not (changed or self.places_new or self.places_cancelled or self.places_reinstated)
