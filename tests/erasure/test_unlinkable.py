"""After an erasure nothing tells whose an erased entry was: worlds that differ only in that end alike, and attackers do no better than chance.

The comparison of twins is the stronger test: what is equal byte by byte can't be told apart by any attacker, on the worlds that were drawn. The attackers show
that the comparison looks at what matters: left with a schedule, as after deleting the openings alone, the same attackers name people far better than chance.
"""

from __future__ import annotations

import os
import random
import re
from typing import Any

import pytest

from tests.erasure.attackers import ATTACKERS, Case, excess
from tests.erasure.lives import ASKED, ROLES, SESSIONS, Course, live
from tests.erasure.worlds import DAY, Place, Scene, World, columns

pytestmark = pytest.mark.db

BIG = bool(os.environ.get("ECLUSE_BIG"))
TWINS = 40 if BIG else 3
WORLDS = 12 if BIG else 1
COURSES = 20
LIMIT = 3.7
"""Standard deviations above chance that no attacker may reach: one in 10,000 would by luck. Who names the people of a share q of the courses is 2 q sqrt(n)
above on average, n being the courses: the 20 of the short form find an attacker that breaks two of three in 19 of 20 runs, the 240 of the long form one that
breaks one in five."""


async def dump(world: World) -> dict[str, list[str]]:
    """Return all that the database holds, row by row, with the place of each row on the disk.

    Left out is only what a commitment hides: the root in a leaf, once the salts of its opening are gone, and the digest of a file, once its salt is gone.
    """
    tables: dict[str, list[str]] = {}
    for table, column in await columns(world.owner):
        tables.setdefault(table, []).append(column)
    return {table: sorted([_row(table, dict(row)) for row in await _rows(world, table)]) for table in tables}


async def _rows(world: World, table: str) -> list[Any]:
    statement = f'select x.tableoid::regclass::text || x.ctid::text as place, x.* from ecluse."{table}" x'  # noqa: S608 - a name of the catalogue
    return list(await world.owner.fetch(statement))


def _row(table: str, row: dict[str, Any]) -> str:
    if table == "ledger_entry":
        row["leaf"] = re.sub(rb'"c":"[0-9a-f]{64}"', b"", row["leaf"])
    if table == "schedule_import" and row["salt"] is None:
        row["sha256"] = ""
    if table == "opening" and row["event"] == "control:schedule:applied":
        row["fields"] = re.sub(r'"file":"[0-9a-f]{64}"', "", row["fields"])
    if table == "opening" and row["event"] == "control:erasure:done":
        row["fields"] = row["fields"].partition("detail")[
            0
        ]  # the set is over equal ranges and salt, which are compared themselves
    return repr(sorted(row.items()))


def drawn(seed: int | str) -> random.Random:
    """Return chance that is the same each time."""
    return random.Random(seed)  # noqa: S311 - lots, not secrets


def cast(rng: random.Random, names: list[int]) -> list[int]:
    """Draw persons for the roles of a course."""
    return rng.sample(names, ROLES)


@pytest.mark.parametrize("seed", range(TWINS))
async def test_requests_when_others_had_been_in_their_place_then_nothing_differs(scene: Scene, seed: int) -> None:
    """Whoever the forgotten were, each other or anybody else of the register: what is left is the same, byte by byte."""
    draw = drawn(seed)
    who = cast(draw, list(range(10, 190)))
    others = [person for person in range(10, 190) if person not in who]
    twin = [*draw.sample([*who[:ASKED], *others], ASKED), *who[ASKED:]]
    left, different = [], []
    for persons in (who, twin):
        async with scene.world(seed) as world:
            course = await live(world, drawn(seed), "c1", persons, world.start)
            await world.jobs.execute("select ecluse.purge()")
            different.append(await dump(world))
            await world.move(world.start + 50 * DAY)
            await world.ask(*course.asked)
            assert len(await world.erase()) == 1
            assert await world.naming(*course.asked) == {}
            left.append(await dump(world))
    assert different[0] != different[1]
    assert left[0] == left[1]


@pytest.mark.parametrize("seed", range(TWINS))
async def test_retention_when_a_course_goes_on_then_nothing_tells_who_was_who_in_it(scene: Scene, seed: int) -> None:
    """Of a course whose later sessions stay, the earlier ones could have been lived by its people in any other order."""
    draw = drawn(1_000 + seed)
    who = cast(draw, list(range(10, 190)))
    twin = draw.sample(who, len(who))
    left = []
    for persons in (who, twin):
        async with scene.world(seed) as world:
            later = [
                Place(
                    session="c1-later",
                    place=f"L{seat}",
                    person=person,
                    party=world.parties[0],
                    starts_at=world.start + 60 * DAY,
                    course="c1",
                )
                for seat, person in enumerate(sorted(who))
            ]
            await world.schedule(later)
            await live(world, drawn(seed), "c1", persons, world.start)
            handles = await world.handles("c1-later")
            await world.disclose(world.start + 60 * DAY, world.parties[0], [(handles[person], person) for person in sorted(who)])
            await world.move(world.start + 400 * DAY)
            assert len(await world.erase()) == 1
            left.append(await dump(world))
    assert left[0] == left[1]


async def _tried(scene: Scene, seed: int, *, properly: bool) -> list[Case]:
    """Live through courses one after the other, forget all who asked, properly or by deleting their openings alone; let everybody attack."""
    rng = drawn(seed)
    names = list(range(10, 10 + COURSES * ROLES))
    rng.shuffle(names)
    async with scene.world(seed) as world:
        courses: list[Course] = []
        for number in range(COURSES):
            who = names[number * ROLES : (number + 1) * ROLES]
            courses.append(await live(world, rng, f"c{number}", who, world.start + 2 * SESSIONS * number * DAY))
        asked = [person for course in courses for person in course.asked]
        await world.move(world.start + 150 * DAY)
        if properly:
            await world.ask(*asked)
            assert await world.erase()
        else:
            await world.owner.execute(
                "delete from ecluse.opening where subject_ref = any($1::text[])", [f"ofii:{person}" for person in asked]
            )
        openings = await world.openings()
        assert not openings & {index for index, person in world.truth.items() if person in asked}
        return [await _attack(world, course, seed) for course in courses]


async def _attack(world: World, course: Course, seed: int) -> Any:
    truth = {index: person for index, person in world.truth.items() if person in course.asked}
    found = {}
    for attacker in ATTACKERS:
        case = Case(
            world=world, course=course, entries=tuple(sorted(truth)), rng=drawn(f"{seed}{course.name}{attacker.__name__}")
        )
        found[attacker.__name__] = (await attacker(case), truth, course.asked)
    return found


async def test_attackers_when_all_was_forgotten_then_no_better_than_chance_and_far_better_when_not(scene: Scene) -> None:
    """Rows, places, order, disk, absence, digests: nobody is named better than by lot; with the schedule left they name many."""
    after, naive = {}, {}
    for properly, score in ((True, after), (False, naive)):
        cases = [case for seed in range(WORLDS) for case in await _tried(scene, seed, properly=properly)]
        for name in cases[0]:
            score[name] = round(excess([case[name] for case in cases]), 2)
    assert {name: z for name, z in after.items() if z > LIMIT} == {}, after
    strong = {name for name, z in naive.items() if z > 3}
    assert strong >= {"by_rows", "by_roll", "by_file"}, naive
