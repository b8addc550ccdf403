"""Bound against attack: in drawn worlds a perfect attacker at the real door never passes the number, and reaches it wherever it is said to be exact.

``ECLUSE_BIG=1`` attacks a thousand worlds.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from ecluse.exposure import Reach, Scope
from ecluse.exposure.service import Engine
from ecluse.register import parse_register
from tests.exposure.worlds import EARLIER, HOUR, ZONE, World, attack, draw, grab, live_a_little, plan, settle
from tests.invented import register_toml
from tests.property.world import Stage

pytestmark = pytest.mark.db

BATCHES: Final = 20 if os.environ.get("ECLUSE_BIG") else 1
WORLDS: Final = 50


async def _ask(stage: Stage, worlds: list[World]) -> dict[str, Reach]:
    """Ask the engine about each world's attacker, at the present instant."""
    engine = Engine(parse_register(register_toml()), ZoneInfo(ZONE))
    found = {}
    async with stage.agency.connected("ecluse_reader") as reader:
        for world in worlds:
            window = None if world.standing else world.window
            told = await engine.reach(reader, holders=[world.holder], window=window)
            assert told.at == world.window.begins
            found[world.name] = told.reaches[0]
    return found


async def _play(stage: Stage, seed: int) -> tuple[list[World], dict[str, Reach], set[str]]:
    """Draw worlds, ask, attack; return them, what the engine said, and which were attacked with a plan."""
    rng = random.Random(seed)  # noqa: S311 - lots, not secrets
    start: datetime = await stage.admin.fetchval(
        "select greatest(last_at, ecluse.clock()) + interval '20 days' from ecluse.ledger_head"
    )
    # around the end of a month now and then, where two of each ceiling come into play
    if seed % 3 == 0:
        start = (start.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(hours=rng.randint(1, 30))
    start = start.replace(minute=rng.randrange(1, 50), second=rng.randrange(60), microsecond=0)
    worlds = [draw(rng, f"w{seed}-{number}-{rng.getrandbits(32):08x}", start) for number in range(WORLDS)]
    await stage.set_clock(start - max(EARLIER) - HOUR)
    await settle(stage, worlds)
    await live_a_little(stage, worlds, rng)
    told = await _ask(stage, worlds)
    planned = {world.name for world in worlds if rng.random() < 0.8}
    await attack(
        stage, worlds, [move for world in worlds for move in (plan(world) if world.name in planned else grab(world, rng))]
    )
    return worlds, told, planned


@pytest.mark.timeout(300 * BATCHES)
def test_drawn_worlds_when_attacked_then_never_beyond_and_exact_where_it_says_so(stage: Stage) -> None:
    """The number is an upper bound for every attack, and the best attack's own number wherever it is exact."""
    seen: Counter[str] = Counter()
    for seed in range(BATCHES):
        worlds, told, planned = stage.run(_play(stage, seed))
        for world in worlds:
            reach, got = told[world.name], len(world.got)
            told_as = f"{world.name}: {got} of {reach.persons}, {world.holder.scope}"
            assert got <= reach.persons.most, told_as
            if world.name in planned and reach.persons.exact:
                assert got == reach.persons.most, told_as
            seen[reach.holder.scope.value] += 1
            seen["exact" if reach.persons.exact else "bound"] += 1
            if (
                not world.past and world.holder.scope is not Scope.SCHEDULER
            ):  # the worlds that the share of exact numbers was first promised of
                seen["plain, exact" if reach.persons.exact else "plain, bound"] += 1
            seen["bound by " + reach.binding.value] += 1
            seen["somebody"] += got > 0
            seen["somebody of an earlier day again"] += any(place.person in world.got for place in world.past)
            seen["strangers, with the scheduler's key"] += not world.strangers.isdisjoint(world.got)
    # the worlds are such that this could have failed
    assert seen["plain, exact"] > seen["plain, bound"] > 0, seen
    assert seen["exact"] > seen["plain, exact"], seen
    assert seen["somebody"] * 2 > sum(seen[scope.value] for scope in Scope), seen
    assert seen["bound by schedule"] > 0
    assert seen["somebody of an earlier day again"] > 0
    assert seen["strangers, with the scheduler's key"] > 0
    print(dict(seen))  # noqa: T201 - what was drawn
