"""Holds placed at random instants into the work of a slow register: nothing is granted after a hold's own entry, and how soon the first refusal is heard."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any, Final

from tests.chaos.callers import RETRYABLE, Caller, Lane
from tests.chaos.proxy import wired
from tests.chaos.rig import GRANTED, Rig, check_log

GATES: Final = 2
DESKS: Final = 10
CALLERS: Final = 2
PERSONS: Final = range(10, 40)
_SCOPES: Final = ("processor", "client", "agent", "contract", "person")


@dataclass(kw_only=True)
class Holds:
    """What became of it. Times in seconds, from the hold's answer to the first refusal that its processor heard."""

    trials: int = 0
    granted_before: int = 0
    granted_after: int = 0
    refused: int = 0
    entries: int = 0
    first_refusals: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        """Write the figures."""
        times = sorted(self.first_refusals)
        return (
            f"{self.trials} holds, {self.granted_after} grants after a hold's entry, {self.granted_before} before, {self.refused} refusals; first refusal "
            f"after {times[len(times) // 2]:.2f} s (median), {times[int(len(times) * 0.99)]:.2f} s (p99); {self.entries} entries"
        )


@dataclass(kw_only=True)
class _Desk:
    """A processor under load. ``person``: its own, whom a hold may be on.

    ``held``: when its hold was answered, None while there is none; ``holds``: id, scope, target and index of each.
    """

    name: str
    caller: Caller
    handles: dict[int, str]
    person: int
    held: float | None = None
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    served: asyncio.Event = field(default_factory=asyncio.Event)
    holds: list[tuple[str, str, str, int]] = field(default_factory=list)


async def run(rig: Rig, *, trials: int, register_seconds: float) -> Holds:
    """Place ``trials`` holds and prove for each that no grant of its scope was sealed between its entry and its release's."""
    told = Holds()
    with wired(rig.postgres.socket_folder) as register:
        # room for the wait: what is tried is the hold, not the register's own limit
        options = {
            "register__url": register.url(rig.agency.register_name),
            "register__timeout_seconds": register_seconds + 4,
            "register__pool": 6,
        }
        await rig.start_gates(GATES, **options)
        desks = [await _open(rig, PERSONS[n]) for n in range(DESKS)]
        register.delay = register_seconds
        tasks = [asyncio.create_task(_work(rig, desk, told)) for desk in desks for _ in range(CALLERS)]
        try:
            while told.trials < trials:
                await _round(rig, desks, told, register_seconds)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            for desk in desks:
                await desk.caller.close()
    for error in ended:
        if isinstance(error, Exception):
            raise error
    await _check(rig, desks, told)
    told.entries = await check_log(rig.agency)
    assert told.granted_after == 0
    assert told.granted_before >= told.trials
    rig.check_complaints()
    return told


async def _open(rig: Rig, person: int) -> _Desk:
    """Bind a processor, schedule its persons, get its token."""
    party = await rig.agency.bind(reads=1_000_000)
    handles = await rig.agency.schedule(await rig.agency.meeting(party, PERSONS))
    caller = Caller(rig.agency, party.machines[0], party.agent)
    await caller.refresh(rig.port())
    return _Desk(name=party.name, caller=caller, handles=handles, person=person)


async def _work(rig: Rig, desk: _Desk, told: Holds) -> None:
    """Ask without end, half of the time for the person whom a hold may be on."""
    chance = random.Random(desk.name)  # noqa: S311 - choices of a scenario
    lane, token_at = Lane(rig.port), time.monotonic()
    try:
        while True:
            if time.monotonic() > token_at + 200:
                await desk.caller.refresh(rig.port())
                token_at = time.monotonic()
            person = desk.person if chance.random() < 0.5 else chance.choice(PERSONS[DESKS:])
            said = await lane.ask(desk.caller.write(desk.handles[person], None))
            if said is not None and said.status == 200:
                desk.served.set()
            elif said is not None and said.code in {"suspended", "gate-frozen", "not-disclosable"}:
                told.refused += 1
                if desk.held is not None and not desk.heard.is_set():
                    told.first_refusals.append(time.monotonic() - desk.held)
                    desk.heard.set()
                await asyncio.sleep(0.05)
            else:
                assert said is not None
                assert said.code in RETRYABLE, said.body
    finally:
        await lane.close()


async def _round(rig: Rig, desks: list[_Desk], told: Holds, register_seconds: float) -> None:
    """Let each desk be served, then hold each at an instant of its own; release all when each has heard of it."""
    async with asyncio.timeout(60 + 20 * register_seconds):
        await asyncio.gather(*(desk.served.wait() for desk in desks))
        placed = await asyncio.gather(*(_hold(rig, desk, told, register_seconds) for desk in desks))
        await asyncio.gather(*(desk.heard.wait() for desk in desks))
    for desk, (hold, scope, target, index) in zip(desks, placed, strict=True):
        desk.held = None
        await rig.agency.release(hold)
        desk.holds.append((hold, scope, target, index))
        desk.heard.clear()
        desk.served.clear()


async def _hold(rig: Rig, desk: _Desk, told: Holds, register_seconds: float) -> tuple[str, str, str, int]:
    """Hold a desk by a scope in turn while its requests wait for the register."""
    await asyncio.sleep(rig.chance.uniform(0, register_seconds))
    scope = _SCOPES[told.trials % len(_SCOPES)]
    told.trials += 1
    target = {
        "client": desk.caller.machine.id, "agent": desk.caller.agent, "person": f"ofii:{desk.person}",
    }.get(scope, desk.name)  # fmt: skip
    hold, index = await rig.agency.hold(scope, target)
    desk.held = time.monotonic()
    return hold, scope, target, index


async def _check(rig: Rig, desks: list[_Desk], told: Holds) -> None:
    """Look for a grant of a hold's scope between its entry and its release's; count those before, which show that there was work to stop."""
    sealed = await rig.agency.openings()
    grants: list[dict[str, Any]] = [entry for entry in sealed if entry["event"] == GRANTED]
    released = {entry["object"]: entry["index"] for entry in sealed if entry["event"] == "control:hold:released"}
    told.granted_before = len(grants)
    for desk in desks:
        for hold, scope, target, begin in desk.holds:
            name = {"client": "client", "agent": "agent", "person": "subject"}.get(scope, "processor")
            told.granted_after += sum(begin < entry["index"] < released[hold] and entry[name] == target for entry in grants)
