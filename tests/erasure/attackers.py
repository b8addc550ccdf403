"""Attackers with the whole database, the ledger, the register and the remaining schedule, who also know more than they could.

Each is told of one course which erased entries were of its people who asked, and who these people were; only not whose is whose. Of each entry they name one.
"""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import permutations
from math import sqrt
from typing import Final, TypeAlias

import asyncpg

from ecluse.schedule.pending import file_digest
from tests.erasure.lives import ROLES, Course
from tests.erasure.worlds import World, columns, file_of

Guess: TypeAlias = dict[int, int]
_SITTING: Final = 1_800  # seconds in which a trainer goes once through the room


@dataclass(frozen=True, kw_only=True)
class Case:
    """One course as an attacker sees it. ``entries``: the erased ones of the people who asked; ``rng``: its own chance where it knows nothing."""

    world: World
    course: Course
    entries: tuple[int, ...]
    rng: random.Random

    @property
    def reader(self) -> asyncpg.Connection:
        """All of the database."""
        return self.world.owner

    def at_random(self) -> Guess:
        """Name anybody."""
        return {index: self.rng.choice(self.course.asked) for index in self.entries}

    async def by_seats(self, seats: Mapping[int, int]) -> Guess:
        """Name whoever sits where the trainer had come to. ``seats``: of persons who asked, as far as known.

        Between two neighbours that are left, with their places, only some seats lie; within a session people are read in the order of their places.
        """
        rows = await self.reader.fetch(
            "select e.index, e.sealed_at, a.place_ref from ecluse.ledger_entry e left join ecluse.opening o on o.index = e.index and o.event like '%granted' "
            "left join ecluse.appointment a on a.processor_id = o.processor_id and a.id = ecluse.handle_of(o.fields)"
        )
        at = {row["index"]: row["sealed_at"] for row in rows}
        left = {row["index"]: int(row["place_ref"].removeprefix("P")) for row in rows if row["place_ref"] is not None}
        guess = {}
        for index in self.entries:
            near = [
                n
                for n in range(index - ROLES, index + ROLES + 1)
                if n in left and abs((at[n] - at[index]).total_seconds()) < _SITTING
            ]
            low = max((left[n] for n in near if n < index and at[n] != at[index]), default=-1)
            high = min((left[n] for n in near if n > index and at[n] != at[index]), default=ROLES)
            fit = [person for person, seat in seats.items() if low < seat < high] or list(self.course.asked)
            guess[index] = self.rng.choice(fit)
        return guess


async def by_rows(case: Case) -> Guess:
    """Look for any row of any table that still names one of them, and for the time that stands in it."""
    tables: dict[str, list[str]] = {}
    for table, column in await columns(case.reader):
        tables.setdefault(table, []).append(column)
    hits: dict[int, list[float]] = {person: [] for person in case.course.asked}
    named = f"ofii:({'|'.join(map(str, case.course.asked))})([^0-9]|$)"
    for table, names in tables.items():
        stamps = ", ".join(f'x."{name}"' for name in names if name.endswith("_at")) or "null"
        for row in await case.reader.fetch(f'select x::text as said, {stamps} from ecluse."{table}" x where x::text ~ $1', named):  # noqa: S608 - names of the catalogue
            found = [value.timestamp() for value in row.values() if isinstance(value, datetime)]
            hits[int(re.search(named, row["said"]).group(1))] += found  # type: ignore[union-attr]
    rows = await case.reader.fetch(
        "select a.subject_ref, o.recorded_at from ecluse.outcome o "
        "join ecluse.appointment a on a.processor_id = o.processor_id and a.id = o.appointment_id where a.subject_ref = any($1::text[])",
        [f"ofii:{person}" for person in case.course.asked],
    )
    for row in rows:  # outcomes were written two hours later, in the order of places
        hits[int(row["subject_ref"].removeprefix("ofii:"))].append(row["recorded_at"].timestamp() - 7200)
    entries = await case.reader.fetch(
        "select index, sealed_at from ecluse.ledger_entry where index = any($1::bigint[])", list(case.entries)
    )
    times = {row["index"]: row["sealed_at"].timestamp() for row in entries}
    guess = {}
    for index in case.entries:
        near = sorted((abs(at - times[index]), person) for person, all_at in hits.items() for at in all_at)
        guess[index] = near[0][1] if near else case.rng.choice(case.course.asked)
    return guess


async def by_roll(case: Case) -> Guess:
    """Read the places of those who asked from the schedule, and follow the trainer through the room."""
    rows = await case.reader.fetch(
        "select distinct subject_ref, place_ref from ecluse.appointment where subject_ref = any($1::text[])", [f"ofii:{person}" for person in case.course.asked]
    )  # fmt: skip
    return await case.by_seats(
        {int(row["subject_ref"].removeprefix("ofii:")): int(row["place_ref"].removeprefix("P")) for row in rows}
    )


async def by_numbers(case: Case) -> Guess:
    """Guess that places, rows and entries follow the numbers of the register: what lies between two neighbours is between their numbers."""
    taken = await case.reader.fetch(
        "select distinct a.place_ref from ecluse.appointment a join ecluse.session s on s.id = a.session_id where s.source = $1",
        f"plan-{case.course.name}",
    )
    gaps = sorted(set(range(ROLES)) - {int(row["place_ref"].removeprefix("P")) for row in taken})
    order = sorted(case.course.asked)
    return await case.by_seats(dict(zip(order, gaps, strict=False)) or dict(zip(order, range(ROLES), strict=False)))


async def by_heap(case: Case) -> Guess:
    """Guess from where the rows of the others lie on the disk: gaps in the order of insertion, filled in the order of the register."""
    rows = await case.reader.fetch("select a.ctid::text as at, a.subject_ref from ecluse.appointment a order by a.ctid")
    neighbours = [int(row["subject_ref"].removeprefix("ofii:")) for row in rows]
    close = {
        person: min(range(len(neighbours)), key=lambda n: abs(neighbours[n] - person), default=0) for person in case.course.asked
    }
    ranked = sorted(case.course.asked, key=lambda person: close[person])
    groups = sorted(case.entries)
    return {index: ranked[min(len(ranked) - 1, place * len(ranked) // max(1, len(groups)))] for place, index in enumerate(groups)}


async def by_absence(case: Case) -> Guess:
    """Name whoever was planned in the session, was read, and shows no opening."""
    rows = await case.reader.fetch(
        "select a.subject_ref, a.reads, s.starts_at from ecluse.appointment a join ecluse.session s on s.id = a.session_id "
        "where a.subject_ref = any($1::text[])",
        [f"ofii:{person}" for person in case.course.asked],
    )  # fmt: skip
    guess = {}
    for index in case.entries:
        at = await case.reader.fetchval("select sealed_at from ecluse.ledger_entry where index = $1", index)
        read = [
            int(row["subject_ref"].removeprefix("ofii:"))
            for row in rows
            if row["reads"] and abs((row["starts_at"] - at).total_seconds()) < 40_000
        ]
        guess[index] = case.rng.choice(read or case.course.asked)
    return guess


async def by_file(case: Case) -> Guess:
    """Write the controller's file anew with each of them in each missing place, and compare it with the digest that was kept."""
    kept = await case.reader.fetch(
        "select sha256, salt from ecluse.schedule_import where source = $1 order by started_at limit 1",
        f"plan-{case.course.name}",
    )
    for order in permutations(case.course.asked):
        who = (*order, *case.course.who[len(order) :])
        plain = sha256(file_of(case.course.places(case.world, who), f"plan-{case.course.name}")).hexdigest()
        tried = {plain, file_digest(bytes(32), plain)} | {
            file_digest(row["salt"], plain) for row in kept if row["salt"] is not None
        }
        if kept[0]["sha256"] in tried:
            seats = {person: case.course.seats.index(role) for role, person in enumerate(order)}
            return await case.by_seats(seats)
    return case.at_random()


ATTACKERS: Final[tuple[Callable[[Case], Awaitable[Guess]], ...]] = (by_rows, by_roll, by_numbers, by_heap, by_absence, by_file)


def excess(results: Sequence[tuple[Guess, Mapping[int, int], Sequence[int]]]) -> float:
    """Return by how many standard deviations guesses beat chance.

    Each result is ``(guess, truth, persons)`` of a course. Chance: the same guesses against every exchange of who was who, which is exact however the guesses
    of one course depend on each other.
    """
    above = spread = 0.0
    for guess, truth, persons in results:
        scores = []
        for other in permutations(persons):
            named = dict(zip(persons, other, strict=True))
            scores.append(sum(guess[index] == named[person] for index, person in truth.items()))
        mean = sum(scores) / len(scores)
        above += sum(guess[index] == person for index, person in truth.items()) - mean
        spread += sum((score - mean) ** 2 for score in scores) / len(scores)
    return above / sqrt(spread) if spread else 0.0
