"""The schedule of the replay: who is due where on each working day. Pure: what it is made of comes in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ecluse.demo.model import PlannedSession
from ecluse.demo.replay.terms import COURSE, SESSIONS_A_DAY, Contractor

ZONE: Final = ZoneInfo("Europe/Paris")
LENGTH: Final = timedelta(hours=3)
MOST_A_DAY: Final = SESSIONS_A_DAY * COURSE.capacity
"""What one site holds in a day: 240 persons."""

_SHARE: Final = 12
"""At most one person in twelve of a small register is due at the compromised processor: in one of 2.1 million its rooms are the limit."""
_FEWEST_A_DAY: Final = 5
_HALVES: Final = (time(9), time(14))
_ROOMS: Final = SESSIONS_A_DAY // len(_HALVES)
_HOLIDAYS: Final = frozenset({(12, 25), (1, 1)})
_SATURDAY: Final = 5


def working_days(start: datetime, days: int) -> list[date]:
    """Return the days from ``start`` on, without weekends and the two holidays of the season."""
    every = (start.date() + timedelta(days=number) for number in range(days))
    return [day for day in every if day.weekday() < _SATURDAY and (day.month, day.day) not in _HOLIDAYS]


def persons_a_day(people: int, days: int) -> int:
    """Return how many persons are due at the compromised processor on one working day."""
    return min(MOST_A_DAY, max(_FEWEST_A_DAY, people // (_SHARE * days)))


def sessions_on(
    contractor: Contractor, agents: Sequence[str], day: date, subjects: Sequence[str], *, site: int = 0
) -> Iterator[PlannedSession]:
    """Yield one day's sessions at one site, full ones first; at most as many as its rooms hold."""
    groups = [subjects[at : at + COURSE.capacity] for at in range(0, len(subjects), COURSE.capacity)]
    if len(groups) > SESSIONS_A_DAY:
        raise AssertionError("impossible: more sessions than rooms")
    place = contractor.sites[site]
    for number, group in enumerate(groups):
        half, room = divmod(number, _ROOMS)
        starts_at = datetime.combine(day, _HALVES[half], ZONE).astimezone(UTC)
        yield PlannedSession(
            ref=f"{place}-{day.isoformat()}-{number}",
            processor=contractor.id,
            course=COURSE,
            site=place,
            room=f"salle {room + 1}",
            starts_at=starts_at,
            ends_at=starts_at + LENGTH,
            agent=agents[number % len(agents)],
            subjects=tuple(group),
        )


def around(subjects: Sequence[str], begin: int, count: int) -> list[str]:
    """Take ``count`` distinct subjects from ``begin`` on, from the front again at the end; fewer where there are fewer."""
    return [subjects[(begin + step) % len(subjects)] for step in range(min(count, len(subjects)))]
