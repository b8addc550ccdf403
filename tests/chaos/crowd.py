"""A crowd at the door: thousands of requests at the same instant, to several gates, for the same few budgets."""

from __future__ import annotations

import asyncio
import random
import resource
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.agency import Agency
from tests.chaos.callers import Caller, Lane, Said, ask_until_decided
from tests.chaos.rig import Rig, check_bodies, check_deliveries, check_log, granted_by
from tests.invented import contract_text

PERSONS = range(10, 130)
READS = 4
_SPARE_FILES = 300


@dataclass(frozen=True, kw_only=True, eq=False)
class Budget:
    """One processor's ceiling and what exactly it lets through: ``persons`` at most and, where all are wanted often enough, exactly."""

    name: str
    terms: dict[str, Any]
    persons: int
    wanted: int
    machines: int = 1


BUDGETS = (
    Budget(name="reads", terms={}, persons=40, wanted=40),
    Budget(name="client-per-hour", terms={"per_client_hour": 37}, persons=37, wanted=110),
    Budget(name="agent-per-hour", terms={"per_agent_hour": 23}, persons=23, wanted=110, machines=2),
    Budget(name="processor-per-day", terms={"per_day": 61}, persons=61, wanted=110, machines=2),
)


@dataclass(kw_only=True)
class Crowd:
    """What became of it. ``codes``: of each budget, how often each answer was given."""

    requests: int
    lanes: int
    seconds: float = 0.0
    entries: int = 0
    codes: dict[str, Counter[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Want:
    """One request: who asks for whom, by which key. A key that stands twice is a retry."""

    budget: Budget
    caller: Caller
    handle: str
    key: str

    def write(self) -> bytes:
        """Write the request with a fresh proof."""
        return self.caller.write(self.handle, self.key)


def _lane(port: int) -> Lane:
    """Return a connection to one gate."""
    return Lane(lambda: port)


async def run(rig: Rig, *, requests: int, gates: int = 3) -> Crowd:
    """Send ``requests`` at once and check every promise about budgets and entries."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        await rig.start_gates(gates)
        crowd = Crowd(requests=requests, lanes=min(requests, hard - _SPARE_FILES))
        wants, parties = await _wants(rig, requests)
        answers = await _rush(rig, wants, crowd)
        for caller in {want.caller for want in wants}:
            await caller.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    bodies = [said.told for said in answers if said.status == 200]
    await check_bodies(rig.agency, bodies)
    await check_deliveries(rig.agency, bodies, all_arrived=True)
    for budget, party in parties.items():
        crowd.codes[budget.name] = Counter(said.code for want, said in zip(wants, answers, strict=True) if want.budget is budget)
        assert crowd.codes[budget.name].keys() <= {"ok", "budget-spent"}
        mine = {
            said.told["receipt"]["index"]
            for want, said in zip(wants, answers, strict=True)
            if want.budget is budget and said.status == 200
        }
        await _check_budget(rig.agency, budget, party, mine)
    crowd.entries = await check_log(rig.agency)
    rig.check_complaints()
    return crowd


async def _wants(rig: Rig, requests: int) -> tuple[list[_Want], dict[Budget, str]]:
    """Bind one processor a budget, schedule its persons, and say who asks for whom: each person in turn, every seventh request a retry."""
    wants: list[_Want] = []
    parties: dict[Budget, str] = {}
    for budget in BUDGETS:
        party = await rig.agency.bind(machines=budget.machines, reads=READS)
        handles = list((await rig.agency.schedule(await rig.agency.meeting(party, PERSONS[: budget.wanted]))).values())
        # a schedule may not exceed its contract, so the ceiling comes after it
        await rig.agency.apply(contract_text(party.name, reads=READS, **budget.terms))
        callers = [Caller(rig.agency, machine, party.agent) for machine in party.machines]
        for caller in callers:
            await caller.refresh(rig.port())
        parties[budget] = party.name
        mine: list[_Want] = []
        for n in range(requests // len(BUDGETS)):
            fresh = _Want(budget=budget, caller=callers[n % len(callers)], handle=handles[n % len(handles)], key=f"k{n}")
            mine.append(mine[-1] if n % 7 == 6 else fresh)
        wants += mine
    rig.chance.shuffle(wants)
    return wants, parties


async def _rush(rig: Rig, wants: list[_Want], crowd: Crowd) -> list[Said]:
    """Open the connections, then send all at once; whoever is told to come again comes again."""
    ports = [gate.port for gate in rig.agency.gates]
    lanes = [_lane(ports[n % len(ports)]) for n in range(crowd.lanes)]
    doors = asyncio.Semaphore(200)

    async def connect(lane: Lane) -> None:
        async with doors:
            await lane.open()

    await asyncio.gather(*map(connect, lanes))
    answers: list[Said | None] = [None] * len(wants)

    async def serve(turn: int) -> None:
        for n in range(turn, len(wants), len(lanes)):
            want = wants[n]
            chance = random.Random(n)  # noqa: S311 - pauses, repeatable
            answers[n] = await ask_until_decided(lanes[turn], want.write, chance)
        await lanes[turn].close()

    began = time.monotonic()
    await asyncio.gather(*map(serve, range(len(lanes))))
    crowd.seconds = time.monotonic() - began
    return [said for said in answers if said is not None]


async def _check_budget(agency: Agency, budget: Budget, processor: str, delivered: set[int]) -> None:
    """Check that exactly the budget was disclosed: the persons, the reads, the counters, and a body for each entry."""
    grants: list[dict[str, Any]] = await granted_by(agency, processor)
    assert {entry["index"] for entry in grants} == delivered
    assert len({entry["subject"] for entry in grants}) == budget.persons
    reads = Counter(entry["appointment"] for entry in grants)
    assert max(reads.values()) <= READS
    if budget.name == "reads":
        assert set(reads.values()) == {READS}
    rows = await agency.fetch("select id, reads from ecluse.appointment where processor_id = $1 and reads > 0", processor)
    assert {row["id"]: row["reads"] for row in rows} == reads
    counted = await agency.fetch("select persons from ecluse.budget_count where scope = $1", f"processor:{processor}")
    assert {row["persons"] for row in counted} == {budget.persons}
