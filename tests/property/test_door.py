"""The interval and redelivery through the real door on PostgreSQL, on a clock that the test sets.

Each edge is asked at twice: once with everything done at that instant, and once planned while it was lawful and sealed at that instant, the head's lock being
held meanwhile. Random histories are in ``test_histories.py``.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from ecluse.disclosure import Delivered
from tests.property.world import DAY, HOUR, MINUTE, REDELIVERY_LIFE, TICK, ZONES, Held, Stage, World, make_world, word

pytestmark = pytest.mark.db

SECOND: Final = timedelta(seconds=1)


# ── each edge, to the microsecond ────────────────────────────────────────────────────────────────────────────────────────────
async def asked_at(world: World, at: datetime) -> str:
    """Ask with everything done at one instant."""
    await world.stage.set_clock(at)
    return word(await world.ask())


async def sealed_at(world: World, planned: datetime, sealed: datetime) -> str:
    """Ask at one instant, and let the seal have the head's lock at a later one."""
    stage = world.stage
    await stage.set_clock(planned)
    async with stage.agency.administered("ledger") as keeper:
        held = keeper.transaction()
        await held.start()
        await keeper.execute("select 1 from ecluse.ledger_head for update")
        asking = asyncio.ensure_future(world.ask())
        await stage.wait_for_locks(1)
        await stage.set_clock(sealed)
        await held.rollback()
        return word(await asking)


async def closing(world: World, edge: datetime, refusal: str) -> None:
    """Check that the door shuts at an instant, whoever planned before it."""
    assert await asked_at(world, edge - SECOND) == "granted"
    assert await sealed_at(world, edge - SECOND, edge - TICK) == "granted"
    assert await sealed_at(world, edge - TICK, edge) == refusal
    assert await asked_at(world, edge) == refusal
    assert await asked_at(world, edge + DAY) != "granted"
    assert await world.unlawful() == []


async def opening(world: World, edge: datetime, refusal: str) -> None:
    """Check that the door opens at an instant, and not a microsecond before."""
    assert await asked_at(world, edge - TICK) == refusal
    assert await asked_at(world, edge) == "granted"
    assert await world.unlawful() == []


def test_window_when_it_closes_then_refused_from_its_end_on(stage: Stage) -> None:
    """A microsecond before the window's end is sealed, its end is not, however early it was planned."""

    async def play() -> None:
        world = await make_world(stage)
        await closing(world, world.facts.window[1], "outside-window")

    stage.run(play())


def test_window_when_it_opens_then_granted_from_its_begin_on(stage: Stage) -> None:
    """A microsecond before the window's begin is refused, its begin is sealed."""

    async def play() -> None:
        world = await make_world(stage)
        await opening(world, world.facts.window[0], "outside-window")

    stage.run(play())


@pytest.mark.parametrize("zone", ZONES)
def test_contract_when_a_local_day_ends_then_refused_from_midnight_on(stage: Stage, zone: str) -> None:
    """A contract's last day ends, and its first begins, at the midnight of the controller's own time zone."""

    async def play() -> None:
        for begins in (False, True):
            world = await make_world(stage, zone=zone)
            day, span = world.facts.starts_at.date(), 3 * DAY
            first, last = (day, day + 9 * DAY) if begins else (day - 9 * DAY, day)
            await world.contract(first, last, span, span)
            edges = [at for at in world.facts.edges() if at not in world.facts.window]
            if begins:
                await opening(world, edges[0], "gate-frozen")
            else:
                await closing(world, edges[1], "gate-frozen")

    stage.run(play())


@pytest.mark.parametrize(
    ("scope", "effect", "refusal"),
    [
        ("processor", "suspend", "suspended"), ("client", "suspend", "suspended"), ("agent", "suspend", "suspended"),
        ("contract", "freeze", "gate-frozen"), ("person", "suspend", "not-disclosable"), ("person", "freeze", "not-disclosable"),
    ],
)  # fmt: skip
def test_hold_when_it_begins_and_ends_then_to_the_microsecond(stage: Stage, scope: str, effect: str, refusal: str) -> None:
    """A hold placed for later bites from its first microsecond on and not from its end on, whatever it lies on."""

    async def play() -> None:
        world = await make_world(stage)
        opens_at = world.facts.window[0]
        begin, end = opens_at + 2 * HOUR + TICK, opens_at + 2 * HOUR + 3 * TICK
        await world.hold(Held(scope=scope, effect=effect, from_at=begin, until_at=end))
        assert await sealed_at(world, begin - SECOND, begin - TICK) == "granted"
        assert await sealed_at(world, begin - TICK, begin) == refusal
        assert await asked_at(world, end - TICK) == refusal
        assert await asked_at(world, end) == "granted"
        assert await world.unlawful() == []
        await world.leave()

    stage.run(play())


def test_legal_hold_when_it_lies_on_the_person_then_nothing_is_refused(stage: Stage) -> None:
    """A hold that only keeps stops no disclosure."""

    async def play() -> None:
        world = await make_world(stage)
        opens_at = world.facts.window[0]
        await world.hold(Held(scope="person", effect="keep", from_at=opens_at, until_at=opens_at + HOUR))
        assert [await asked_at(world, at) for at in (opens_at + TICK, opens_at + HOUR)] == ["granted", "granted"]
        await world.leave()

    stage.run(play())


def test_plan_when_a_change_comes_before_its_seal_then_by_the_change(stage: Stage) -> None:
    """A request that was planned before a move, a cancellation, a hold or a revoked key took effect is decided by what is true at its seal."""

    async def play() -> None:
        for change, refusal in (
            ("move", "outside-window"),
            ("cancel", "outside-window"),
            ("hold", "suspended"),
            ("revoke", "suspended"),
        ):
            world = await make_world(stage)
            await stage.set_clock(world.facts.starts_at)
            changing = {
                "move": world.plan(by=5 * DAY), "cancel": world.plan(cancel=True), "revoke": world.revoke(),
                "hold": world.hold(Held(scope="client", effect="suspend", from_at=world.facts.starts_at, until_at=None)),
            }  # fmt: skip
            chosen = changing.pop(change)
            for unused in changing.values():
                unused.close()
            assert await overtaken(world, chosen) == refusal
            assert await world.unlawful() == []
            await world.leave()

    stage.run(play())


async def overtaken(world: World, change: Any) -> str:
    """Hold the head, let a change queue for it, then a request that was planned before the change: the change goes first."""
    async with world.stage.agency.administered("ledger") as keeper:
        held = keeper.transaction()
        await held.start()
        await keeper.execute("select 1 from ecluse.ledger_head for update")
        changing = asyncio.ensure_future(change)
        await world.stage.wait_for_locks(1)
        asking = asyncio.ensure_future(world.ask())
        await world.stage.wait_for_locks(2)
        await held.rollback()
        await changing
        return word(await asking)


# ── redelivery ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_redelivery_when_asked_again_then_five_times_within_ten_minutes(stage: Stage) -> None:
    """One grant is answered again five times, to the last microsecond of ten minutes; a sixth, another body and a changed value are refused."""

    async def play() -> None:
        world = await make_world(stage)
        begin = world.facts.starts_at
        await stage.set_clock(begin)
        first = await world.ask("k")
        assert word(first) == "granted"
        assert word(await world.ask("k", ("birth_date",))) == "key-reused"
        await stage.set_clock(begin + REDELIVERY_LIFE - TICK)
        again = [await world.ask("k") for _ in range(6)]
        assert [word(answer) for answer in again] == ["again"] * 5 + ["budget-spent"]
        assert isinstance(first, Delivered)
        assert isinstance(again[0], Delivered)
        assert again[0].deliveries == first.deliveries
        await stage.set_clock(begin + REDELIVERY_LIFE)
        fresh = await world.ask("k")
        assert word(fresh) == "granted"
        assert isinstance(fresh, Delivered)
        assert fresh.deliveries[0].index > first.deliveries[0].index

    stage.run(play())


def test_redelivery_when_the_value_changed_then_409_until_it_is_back(stage: Stage) -> None:
    """A value that is not the one sealed is not given again; the same value is."""

    async def play() -> None:
        world = await make_world(stage)
        await stage.set_clock(world.facts.starts_at)
        assert word(await world.ask("k")) == "granted"
        name = (await fetch_name(world))["nom"]
        await world.rename(name + "x")
        assert word(await world.ask("k")) == "value-changed"
        await world.rename(name)
        assert word(await world.ask("k")) == "again"

    stage.run(play())


@pytest.mark.parametrize("how", ["window", "hold", "cancel"])
def test_redelivery_when_the_door_has_closed_then_refused(stage: Stage, how: str) -> None:
    """Nothing is given again after the window, under a hold or after a cancellation, though its ten minutes are not over."""

    async def play() -> None:
        world = await make_world(stage)
        end = world.facts.window[1]
        await stage.set_clock(end - MINUTE)
        assert word(await world.ask("k")) == "granted"
        await stage.set_clock(end - TICK)
        assert word(await world.ask("k")) == "again"
        if how == "window":
            await stage.set_clock(end)
        elif how == "hold":
            await world.hold(Held(scope="agent", effect="suspend", from_at=end - TICK, until_at=None))
        else:
            await world.plan(cancel=True)
        assert word(await world.ask("k")) == ("suspended" if how == "hold" else "outside-window")
        await world.leave()

    stage.run(play())


async def fetch_name(world: World) -> Any:
    """Read the person's name in the register."""
    async with world.stage.agency.administered("register") as register:
        return await register.fetchrow("select nom from registre.personne where numero = $1", world.person)
