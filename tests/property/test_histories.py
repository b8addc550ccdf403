"""Random histories through the real door on PostgreSQL, on a clock that the test sets: each answer is what is due, and nothing is disclosed after close.

The controller moves, cancels, holds, releases, revokes and replaces contracts, the register changes, time runs, and a processor asks. Each answer is compared
with the reference in ``world.py``, and at the end every grant in the ledger. ``ECLUSE_BIG=1`` plays many more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from datetime import date, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ecluse.disclosure.errors import Busy, ClockUntrustedNow
from tests.property.world import (
    DAY,
    HOUR,
    MINUTE,
    READS,
    REDELIVERY_LIFE,
    TICK,
    ZONES,
    Facts,
    Held,
    Stage,
    World,
    make_world,
    word,
)

pytestmark = pytest.mark.db

HISTORIES: Final = 600 if os.environ.get("ECLUSE_BIG") else 12
NOW: Final = timedelta(0)

AROUND = st.sampled_from([-TICK, NOW, TICK])
SPANS = st.sampled_from([30 * MINUTE, 2 * HOUR, DAY, 3 * DAY])
HOLDS: Final = (
    ("processor", "suspend"), ("client", "suspend"), ("agent", "suspend"), ("agent", "keep"), ("contract", "freeze"), ("person", "suspend"), ("person", "keep"),
)  # fmt: skip
STEPS = st.one_of(
    st.tuples(st.just("edge"), st.integers(0, 2), AROUND),
    st.tuples(st.just("edge"), st.integers(0, 1), AROUND),
    st.tuples(st.just("pass"), st.sampled_from([TICK, MINUTE, REDELIVERY_LIFE - TICK, REDELIVERY_LIFE, 7 * HOUR])),
    st.tuples(
        st.just("hold"), st.sampled_from([*HOLDS]),
        st.sampled_from([NOW, TICK, HOUR, -HOUR]), st.sampled_from([None, TICK, HOUR, 9 * HOUR]),
    ),
    st.tuples(st.just("release"), st.integers(0, 3)),
    st.tuples(st.just("move"), st.sampled_from([-2 * DAY, -HOUR, HOUR, 26 * HOUR])),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("reinstate")),
    st.tuples(st.just("contract"), st.integers(-3, 0), st.integers(1, 5), SPANS, SPANS),
    st.tuples(st.just("value")),
    st.tuples(st.just("keys")),
)  # fmt: skip
"""What the controller, the register and time can do; ``keys``: the processor has forgotten its idempotency keys and takes new ones."""
ASKS = st.tuples(st.sampled_from([None, "k", "k", "l"]), st.sampled_from([("family_name",)] * 3 + [("birth_date",)]))
HISTORY = st.lists(st.tuples(STEPS, ASKS), min_size=4, max_size=14)


class Reference:
    """What a processor is due, beside the facts: reads, and of its keys the bodies, instants, redeliveries and values. ``age``: of its keys."""

    def __init__(self) -> None:
        """Begin with nothing spent."""
        self.reads = 0
        self.age = 0
        self.keys: dict[str, tuple[tuple[str, ...], datetime, int, int]] = {}
        self.value = 0

    def due(self, facts: Facts, at: datetime, key: str | None, body: tuple[str, ...]) -> str:
        """Say what one request is answered, and count it."""
        known = self.keys.get(key) if key is not None else None
        if known is not None and at >= known[1] + REDELIVERY_LIFE:
            known = None
        if known is not None and known[0] != body:
            return "key-reused"
        against = facts.against(at)
        if against:
            return against[0]
        if known is not None:
            return self._again(str(key), *known)
        if self.reads >= READS:
            return "budget-spent"
        self.reads += 1
        if key is not None:
            self.keys[key] = (body, at, 0, self.value)
        return "granted"

    def _again(self, key: str, body: tuple[str, ...], at: datetime, times: int, value: int) -> str:
        if body == ("family_name",) and value != self.value:
            return "value-changed"
        if times >= 5:
            return "budget-spent"
        self.keys[key] = (body, at, times + 1, value)
        return "again"


async def step(world: World, reference: Reference, what: tuple[Any, ...]) -> None:
    """Do one thing."""
    kind, *rest = what
    now = await world.stage.clock()
    if kind == "edge":
        coming = [at for at in world.facts.edges() if at + rest[1] > now]
        if coming:
            await world.stage.set_clock(coming[min(rest[0], len(coming) - 1)] + rest[1])
    elif kind == "pass":
        await world.stage.set_clock(now + rest[0])
    elif kind == "hold":
        (scope, effect), begin = rest[0], now + rest[1]
        await world.hold(Held(scope=scope, effect=effect, from_at=begin, until_at=None if rest[2] is None else begin + rest[2]))
    elif kind == "release":
        await world.release(rest[0])
    elif kind == "revoke":
        await world.revoke()
    elif kind in {"move", "cancel", "reinstate"}:
        await world.plan(by=rest[0] if rest else NOW, cancel=kind == "cancel")
    elif kind == "contract":
        first: date = world.facts.starts_at.date() + rest[0] * DAY
        await world.contract(first, first + rest[1] * DAY, rest[2], rest[3])
    elif kind == "value":
        reference.value += 1
        await world.rename(f"{world.party.name} {reference.value}")
    elif kind == "keys":
        reference.age += 1


@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(ZONES), HISTORY, st.booleans())
@example(
    "Europe/Paris", [(("edge", 0, NOW), ("k", ("family_name",)))] + [(("edge", 0, TICK), ("k", ("family_name",)))] * 7, False
)
def test_history_when_anything_happens_then_each_answer_is_what_is_due(
    stage: Stage, zone: str, history: list[tuple[tuple[Any, ...], tuple[str | None, tuple[str, ...]]]], revoked: bool
) -> None:
    """Whatever the controller does and whenever a processor asks, it is answered what is due then, and nothing is in the ledger that was not."""

    async def play() -> None:
        world, reference = await make_world(stage, zone=zone), Reference()
        await stage.set_clock(world.facts.window[0])
        for n, (what, (key, body)) in enumerate(history):
            await step(world, reference, ("revoke",) if revoked and n == 10 else what)
            named = key and f"{key}{reference.age}"
            at = await stage.clock()
            due = reference.due(world.facts, at, named, body)
            assert word(await world.ask(named, body)) == due, (n, what, at, world.facts)
        assert await world.unlawful() == []
        await world.leave()

    stage.run(play())


@settings(max_examples=HISTORIES // 4, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, min_size=6, max_size=14))
def test_history_when_asked_all_the_while_then_nothing_after_close(stage: Stage, steps: list[tuple[Any, ...]]) -> None:
    """While four requests are always under way, the controller changes the facts and time runs: no grant is sealed where they forbid it."""

    async def keep_asking(world: World, over: asyncio.Event) -> int:
        granted = 0
        while not over.is_set():
            with contextlib.suppress(Busy, ClockUntrustedNow):
                granted += word(await world.ask()) == "granted"
        return granted

    async def play() -> None:
        world, reference, over = await make_world(stage), Reference(), asyncio.Event()
        await world.contract(world.facts.first, world.facts.last, DAY, 2 * HOUR)
        await stage.set_clock(world.facts.window[0] - TICK)
        asking = [asyncio.ensure_future(keep_asking(world, over)) for _ in range(4)]
        for what in steps:
            await step(world, reference, what)
            await asyncio.sleep(0.01)
        over.set()
        delivered = sum(await asyncio.gather(*asking))
        sealed = await stage.admin.fetchval(
            "select count(*) from ecluse.opening where processor_id = $1 and event like '%:granted'", world.party.name
        )
        assert await world.unlawful() == []
        assert delivered == sealed <= READS
        await world.leave()

    stage.run(play())
