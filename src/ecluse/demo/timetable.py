"""The controller's schedule of the day, as its planning software would export it. Pure: the present instant comes in.

The day is laid around the present, so that the demo works at any hour: one group sits in the room now, the next comes in three hours.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from ecluse.clock import wire_text
from ecluse.demo.model import Course, Part, Party, PlannedSession

SOURCE: Final = "planning-demo"
CLOSING_IN: Final = (timedelta(seconds=6), timedelta(seconds=30), timedelta(seconds=90))
"""How long after the plan is made the window of `closing_session` shuts: time to import it, and no more; longer where a machine is slow."""

LATE_PLACES: Final = 10
WEEK: Final = timedelta(days=7)
_COLUMNS: Final = (
    "source", "session_ref", "place_ref", "subject_ref", "purpose", "processor", "site", "room", "starts_at", "ends_at", "agents", "status",
)  # fmt: skip
_SIZES: Final = (14, 12, 16, 10, 15, 20, 13)
_SLOTS: Final = ((timedelta(minutes=-45), timedelta(hours=3)), (timedelta(hours=3), timedelta(hours=3)))
_QUARTER: Final = 15
_FULL_ROOMS: Final = frozenset({Part.SMALL_BUDGET, Part.QUESTIONS})
"""Both groups of the first together outlast two hours' budget; of the second enough is seen to say what nobody asks for."""


def plan_day(parties: Sequence[Party], subjects: Sequence[str], now: datetime) -> tuple[PlannedSession, ...]:
    """Return everybody's sessions of the day, two a course; people come round again where there are fewer than places."""
    begin = now.replace(minute=now.minute - now.minute % _QUARTER, second=0, microsecond=0)
    sessions: list[PlannedSession] = []
    taken = 0
    for party in parties:
        for course in party.firm.courses:
            for after, length in _SLOTS:
                size = min(course.capacity, _SIZES[len(sessions) % len(_SIZES)])
                if party.firm.part in _FULL_ROOMS:
                    size = course.capacity
                starts_at = begin + after
                sessions.append(
                    _session(party, course, len(sessions), starts_at, starts_at + length, _round(subjects, taken, size))
                )
                taken += size
    return tuple(sessions)


def closing_session(party: Party, course: Course, subjects: Sequence[str], shuts_at: datetime) -> PlannedSession:
    """Return a session that ended a while ago and whose window shuts at ``shuts_at``."""
    ends_at = shuts_at.replace(microsecond=0) - timedelta(hours=course.closes_after)
    return _session(party, course, 9, ends_at - timedelta(hours=3), ends_at, tuple(subjects[-LATE_PLACES:]), ref="late")


def moved(session: PlannedSession) -> PlannedSession:
    """Return the session a week later, everything else as it was."""
    return msgspec.structs.replace(session, starts_at=session.starts_at + WEEK, ends_at=session.ends_at + WEEK)


def to_csv(sessions: Iterable[PlannedSession], cancelled: Mapping[str, frozenset[int]] | None = None) -> bytes:
    """Write sessions as a schedule file; ``cancelled``: session to the places (from 0) that are called off."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for session in sessions:
        writer.writerows(_rows(session, (cancelled or {}).get(session.ref, frozenset())))
    return text.getvalue().encode()


def _rows(session: PlannedSession, cancelled: frozenset[int]) -> Iterator[tuple[str, ...]]:
    """Yield one row a place."""
    for place, subject in enumerate(session.subjects):
        yield (
            SOURCE, session.ref, f"P{place:02}", subject, session.course.purpose, session.processor, session.site, session.room,
            wire_text(session.starts_at), wire_text(session.ends_at), session.agent, "cancelled" if place in cancelled else "planned",
        )  # fmt: skip


def _session(
    party: Party,
    course: Course,
    number: int,
    starts_at: datetime,
    ends_at: datetime,
    subjects: tuple[str, ...],
    *,
    ref: str = "",
) -> PlannedSession:
    """Return one session in a room and with a trainer of its own."""
    return PlannedSession(
        ref=f"{party.firm.id}-{ref or number}",
        processor=party.firm.id,
        course=course,
        site=party.firm.site,
        room=f"salle {number}",
        starts_at=starts_at,
        ends_at=ends_at,
        agent=party.agents[number % len(party.agents)],
        subjects=subjects,
    )


def _round(subjects: Sequence[str], begin: int, count: int) -> tuple[str, ...]:
    """Take ``count`` subjects from ``begin`` on, from the front again at the end."""
    return tuple(subjects[(begin + step) % len(subjects)] for step in range(count))
