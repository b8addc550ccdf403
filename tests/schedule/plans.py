"""Rows, files, contracts and contexts that the tests of schedules share: one lawful world, changed by each test in one thing."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ecluse.schedule.check import check_places
from ecluse.schedule.findings import ScheduleFindings
from ecluse.schedule.model import (
    COLUMNS,
    CheckedSchedule,
    ContractFacts,
    ExistingPlace,
    ExistingSession,
    Kind,
    PlaceStatus,
    PurposeFacts,
    ScheduleContext,
    ScheduleFile,
    SessionFacts,
    SiteFacts,
)
from ecluse.schedule.parse import parse_schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 1, 2, 8, 0, tzinfo=UTC)
AGENT = "agt_aaaaaaaaaaaaaaaaaaaaaaaaaa"
OTHER_AGENT = "agt_bbbbbbbbbbbbbbbbbbbbbbbbba"

ROW: dict[str, str] = {
    "source": "plan",
    "session_ref": "S1",
    "place_ref": "P1",
    "subject_ref": "ofii:1",
    "purpose": "civic-training",
    "processor": "lyon-formation",
    "site": "lyon-3",
    "room": "A",
    "starts_at": "2026-01-05T09:00",
    "ends_at": "2026-01-05T17:00",
    "agents": AGENT,
    "status": "planned",
}


def row(**changes: str) -> dict[str, str]:
    """Return the lawful row with some cells changed."""
    return {**ROW, **changes}


def csv_file(rows: Iterable[Mapping[str, str]], delimiter: str = ",") -> bytes:
    """Write rows as a CSV file with all columns."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, delimiter=delimiter, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def written(*rows: Mapping[str, str]) -> ScheduleFile:
    """Return the rows as a file that was read."""
    read = parse_schedule(csv_file(rows), Kind.CSV)
    assert isinstance(read, ScheduleFile), read
    return read


def contract(**changes: Any) -> ContractFacts:
    """Return the lawful contract with some facts changed."""
    facts: dict[str, Any] = {
        "purposes": {
            purpose: PurposeFacts(max_capacity=3, opens_before=timedelta(hours=24), closes_after=timedelta(hours=2))
            for purpose in ("civic-training", "language-course")
        },
        "sites": {
            "lyon-3": SiteFacts(timezone=PARIS, rooms=2, max_sessions_per_day=3),
            "lyon-8": SiteFacts(timezone=PARIS, rooms=1, max_sessions_per_day=8),
        },
        "persons_per_day": 5,
        "persons_per_month": 8,
        "starts_on": date(2026, 1, 1),
        "ends_on": date(2027, 12, 31),
    }
    return ContractFacts(**(facts | changes))


def context(sessions: Mapping[tuple[str, str], ExistingSession] | None = None, **changes: Any) -> ScheduleContext:
    """Return the lawful context, with what is kept already, and some of it changed."""
    facts: dict[str, Any] = {
        "now": NOW,
        "controller_zone": PARIS,
        "contracts": {"lyon-formation": contract(), "nice-langues": contract()},
        "agents": {AGENT: "lyon-formation", OTHER_AGENT: "nice-langues"},
        "is_subject_ref": lambda text: text.startswith("ofii:"),
        "sessions": sessions or {},
    }
    return ScheduleContext(**(facts | changes))


def kept(
    session_ref: str = "S1",
    subjects: Iterable[int] = (1,),
    *,
    day: int = 5,
    month: int = 1,
    cancelled: Iterable[int] = (),
    **facts: Any,
) -> dict[tuple[str, str], ExistingSession]:
    """Return a session kept already, 9 to 17 o'clock in Paris, with place ``P<n>`` for each subject ``ofii:<n>``."""
    gone = set(cancelled)
    common: dict[str, Any] = {
        "processor": "lyon-formation",
        "purpose": "civic-training",
        "site": "lyon-3",
        "room": "A",
        "starts_at": datetime(2026, month, day, 9, tzinfo=PARIS).astimezone(UTC),
        "ends_at": datetime(2026, month, day, 17, tzinfo=PARIS).astimezone(UTC),
        "agents": (AGENT,),
    }
    places = {
        f"P{n}": ExistingPlace(
            subject_ref=f"ofii:{n}",
            course_ref="civic-training",
            status=PlaceStatus.CANCELLED if n in gone else PlaceStatus.PLANNED,
        )
        for n in subjects
    }
    return {("plan", session_ref): ExistingSession(facts=SessionFacts(**(common | facts)), places=places)}


def found(rows: Iterable[Mapping[str, str]], against: ScheduleContext | None = None) -> set[tuple[int, str | None, str]]:
    """Check rows and return what was found as ``(row, column, why)``; row 2 is the first row below the header."""
    outcome = check_places(written(*rows), against or context())
    assert isinstance(outcome, ScheduleFindings), outcome
    return {(problem.row, problem.column, problem.why) for problem in outcome.problems}


def accepted(rows: Iterable[Mapping[str, str]], against: ScheduleContext | None = None) -> CheckedSchedule:
    """Check rows that must be accepted."""
    outcome = check_places(written(*rows), against or context())
    assert isinstance(outcome, CheckedSchedule), outcome
    return outcome


def listed(findings: ScheduleFindings) -> set[tuple[int, str | None, str]]:
    """Return a report as ``(row, column, why)``."""
    return {(problem.row, problem.column, problem.why) for problem in findings.problems}


def exceeding(rows: Iterable[Mapping[str, str]], against: ScheduleContext | None = None) -> set[tuple[int, str | None, str]]:
    """Check rows that a second person would have to approve, and return those above the volume."""
    return listed(accepted(rows, against).excess)


def warned(rows: Iterable[Mapping[str, str]], against: ScheduleContext | None = None) -> set[tuple[int, str | None, str]]:
    """Check rows that must be accepted, and return what they are warned of."""
    return listed(accepted(rows, against).warnings)
