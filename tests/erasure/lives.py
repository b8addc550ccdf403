"""What happens in a world, drawn by chance over *roles*: who plays a role is said apart, so that two worlds can differ in nothing else.

A course of eight roles: a file of its sessions in the order of places, a later file of one row that cancels somebody, trainers who read people in the order of
places or by the sheet (in the order of handles, as the gate does), absentees, second looks, questions too early, outcomes, a hold that ends.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ecluse.ledger.fields import Event
from tests.erasure.worlds import Place, World

ROLES = 8
ASKED = 3
"""The first roles of a course are those who will ask to be forgotten."""
SESSIONS = 2
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Course:
    """A course as it was planned. ``seats``: the roles in the order of their places; ``who``: the person of each role; ``days``: when its sessions start."""

    name: str
    seats: tuple[int, ...]
    who: tuple[int, ...]
    days: tuple[datetime, ...]

    @property
    def asked(self) -> tuple[int, ...]:
        """The persons who will ask to be forgotten."""
        return self.who[:ASKED]

    def session(self, number: int) -> str:
        """Name a session as the controller's system does."""
        return f"{self.name}-{number}"

    def places(self, world: World, who: Sequence[int] | None = None) -> list[Place]:
        """Return the rows of its file; ``who``: other persons in the roles, as somebody who guesses writes it."""
        return [
            Place(
                session=self.session(number), place=f"P{seat}", person=(who or self.who)[role], party=world.parties[0], starts_at=at, course=self.name
            )
            for number, at in enumerate(self.days)
            for seat, role in enumerate(self.seats)
        ]  # fmt: skip


async def live(world: World, rng: random.Random, name: str, who: Sequence[int], begins_at: datetime) -> Course:
    """Plan a course and live through it; ``begins_at``: the day before its first session."""
    seats = list(range(ROLES))
    rng.shuffle(seats)
    days = tuple(begins_at + (1 + 2 * number) * _DAY + timedelta(hours=9) for number in range(SESSIONS))
    course = Course(name=name, seats=tuple(seats), who=tuple(who), days=days)
    await world.move(begins_at)
    await world.schedule(course.places(world), source=f"plan-{name}")
    if rng.random() < 0.5:
        await world.release(await world.hold("person", f"ofii:{who[rng.randrange(ROLES)]}", "suspend"))
    for number, at in enumerate(days):
        cancelled = rng.randrange(ROLES) if rng.random() < 0.3 else None
        if cancelled is not None:
            rows = course.places(world)[number * ROLES : (number + 1) * ROLES]
            await world.schedule([replace(rows[course.seats.index(cancelled)], status="cancelled")], source=f"plan-{name}")
        await _day(
            world, rng, course, course.session(number), at, [role for role in seats if role != cancelled and rng.random() < 0.85]
        )
    return course


async def _day(world: World, rng: random.Random, course: Course, session: str, at: datetime, present: Sequence[int]) -> None:
    """Live through one session. ``present``: the roles that came, in the order of their places."""
    handles, party = await world.handles(session), world.parties[0]
    early = rng.randrange(ROLES)
    await world.disclose(at - _DAY, party, [(handles[course.who[early]], course.who[early])], event=Event.PERSON_REFUSED)
    asks = [(handles[course.who[role]], course.who[role]) for role in present]
    if rng.random() < 0.3:
        await world.disclose(at, party, sorted(asks), event=Event.SHEET_GRANTED)
    else:
        for number, ask in enumerate(asks):
            await world.disclose(at + timedelta(minutes=number), party, [ask] * (1 if rng.random() < 0.8 else 2))
    for number, (handle, _) in enumerate(asks):
        await world.outcome(party, handle, at + timedelta(hours=2, seconds=number))
