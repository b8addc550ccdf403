"""Cycles of ``kill -9`` under load: gates, PostgreSQL's postmaster, one of its backends, both; and after each, what clients received against what is sealed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import httpx

from ecluse.db import LOST, DatabaseUnavailable
from ecluse.ledger import leaf_hash
from tests.chaos.callers import RETRYABLE, Caller, Lane
from tests.chaos.rig import Rig, check_bodies, check_deliveries, check_log, granted_by, until, until_signed

GATES: Final = 2
CALLERS: Final = 12
PERSONS: Final = range(10, 60)
_TOKEN_SECONDS: Final = 200


@dataclass(kw_only=True)
class Crashes:
    """What became of it. ``lost``: connections that broke with a request under way; ``again``: bodies of an entry beyond its first."""

    cycles: Counter[str] = field(default_factory=Counter)
    bodies: int = 0
    again: int = 0
    lost: int = 0
    entries: int = 0
    checkpoints: int = 0
    recoveries: list[float] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """Write the figures."""
        times = sorted(self.recoveries)
        half, most = times[len(times) // 2], times[-1]
        return (
            f"{dict(self.cycles)}; {self.bodies} bodies ({self.again} again), {self.lost} connections lost, {self.entries} entries, "
            f"{self.checkpoints} checkpoints seen; from a kill to the next body {half:.2f} s (median), {most:.2f} s (most); {dict(self.problems)}"
        )


@dataclass(kw_only=True)
class _Work:
    """The load while it runs. ``fresh``: bodies not checked yet."""

    rig: Rig
    caller: Caller
    handles: dict[int, str]
    told: Crashes
    fresh: list[dict[str, Any]] = field(default_factory=list)
    delivered: Counter[int] = field(default_factory=Counter)
    notes: dict[str, None] = field(default_factory=dict)
    signed_at: float = 0.0


async def run(rig: Rig, *, cycles: int) -> Crashes:
    """Break something ``cycles`` times; check after each, and the whole log at the end."""
    told = Crashes()
    await rig.start_gates(GATES)
    party = await rig.agency.bind(reads=100_000_000)
    handles = await rig.agency.schedule(await rig.agency.meeting(party, PERSONS))
    work = _Work(rig=rig, caller=Caller(rig.agency, party.machines[0], party.agent), handles=handles, told=told)
    await _keep_token(work)
    tasks = [asyncio.create_task(_call(work, n)) for n in range(CALLERS)] + [asyncio.create_task(_watch(work))]
    kept: list[dict[str, Any]] = []
    try:
        for cycle in range(cycles):
            kept += await _cycle(work, list(_FAULTS)[cycle % len(_FAULTS)])
            if cycle % 25 == 24:
                rig.say(f"{cycle + 1} cycles, {len(kept)} bodies")
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await work.caller.close()
    for error in ended:
        if isinstance(error, Exception):
            raise error
    await until_signed(rig.agency)
    kept += work.fresh
    await check_deliveries(rig.agency, work.fresh, all_arrived=False, delivered=work.delivered)
    await check_bodies(rig.agency, kept)
    grants = {entry["index"] for entry in await granted_by(rig.agency, party.name)}
    assert {body["receipt"]["index"] for body in kept} <= grants
    told.bodies, told.again = len(kept), len(kept) - len({body["receipt"]["index"] for body in kept})
    told.entries, told.checkpoints = await check_log(rig.agency), await _check_notes(work)
    rig.check_complaints()
    return told


# ── the load ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def _call(work: _Work, number: int) -> None:
    """Ask for one person after the other; what is not known is asked again with the same key, until it is."""
    chance = random.Random(number)  # noqa: S311 - choices of a scenario, repeatable
    lane = Lane(work.rig.port)
    turn = 0
    try:
        while True:
            turn += 1
            key, person = f"c{number}-{turn}", chance.choice(list(work.handles))
            for _ in range(1_000_000):
                await _keep_token(work)
                said = await lane.ask(work.caller.write(work.handles[person], key))
                if said is None:
                    work.told.lost += 1
                elif said.status == 200:
                    work.fresh.append(said.told)
                    break
                elif said.code not in RETRYABLE:
                    # a seal of unknown outcome was retried too often, or too late: decided all the same
                    assert said.code == "budget-spent", said.body
                    work.told.problems[said.code] += 1
                    break
                else:
                    work.told.problems[said.code] += 1
                await asyncio.sleep(chance.uniform(0.01, 0.1))
    finally:
        await lane.close()


async def _keep_token(work: _Work) -> None:
    """Renew the token before it ends; by whichever gate answers."""
    if time.monotonic() < work.signed_at + _TOKEN_SECONDS:
        return
    work.signed_at = time.monotonic()
    try:
        await work.caller.refresh(work.rig.port())
    except (httpx.HTTPError, AssertionError):
        work.signed_at = 0.0


async def _watch(work: _Work) -> None:
    """Keep each checkpoint that is published, as a witness would."""
    async with httpx.AsyncClient(timeout=5) as http:
        while True:
            with suppress(httpx.HTTPError):
                answer = await http.get(f"http://127.0.0.1:{work.rig.port()}/ledger/main/checkpoint")
                if answer.status_code == 200:
                    work.notes.setdefault(answer.text)
            await asyncio.sleep(0.15)


# ── the faults ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def _gate(rig: Rig) -> None:
    """Kill a gate and start another."""
    rig.kill_gate(rig.chance.choice(rig.agency.gates))
    await rig.start_gates(1)


async def _postmaster(rig: Rig) -> None:
    """Kill the postmaster and start PostgreSQL again."""
    await rig.kill_postgres()
    await asyncio.to_thread(rig.postgres.start)


async def _backend(rig: Rig) -> None:
    """Kill a backend of ours, in the middle of its statement if one is: PostgreSQL ends all others and recovers."""
    async with rig.agency.administered("ledger") as admin:
        rows = await admin.fetch(
            "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() order by state <> 'active', random() limit 1"
        )
        for row in rows:
            os.kill(row["pid"], signal.SIGKILL)
        with suppress(asyncpg.PostgresError, OSError, asyncpg.InterfaceError):
            await admin.fetch("select pg_sleep(5)")  # ended with the others


async def _everything(rig: Rig) -> None:
    """Kill PostgreSQL and every gate; start all again."""
    for gate in list(rig.agency.gates):
        gate.process.kill()
    await rig.kill_postgres()
    for gate in list(rig.agency.gates):
        rig.kill_gate(gate)
    await asyncio.to_thread(rig.postgres.start)
    await rig.start_gates(GATES)


_FAULTS: Final[dict[str, Callable[[Rig], Awaitable[None]]]] = {
    "gate": _gate,
    "postmaster": _postmaster,
    "backend": _backend,
    "everything": _everything,
}


async def _cycle(work: _Work, fault: str) -> list[dict[str, Any]]:
    """Let it work, break it, wait until it serves again, and check what was received meanwhile; return those bodies."""
    await _until_served(work)
    await asyncio.sleep(work.rig.chance.uniform(0.05, 0.4))
    broken = time.monotonic()
    await _FAULTS[fault](work.rig)
    await until(lambda: _answers(work.rig))
    received, work.fresh = work.fresh, []
    await _until_served(work)
    work.told.recoveries.append(time.monotonic() - broken)
    work.told.cycles[fault] += 1
    await _check_sealed(work.rig, received)
    await check_deliveries(work.rig.agency, received, all_arrived=False, delivered=work.delivered)
    return received


async def _answers(rig: Rig) -> bool:
    """Tell whether PostgreSQL lets us in: after a crash it recovers first."""
    try:
        await rig.agency.size()
    except (DatabaseUnavailable, *LOST):
        return False
    return True


async def _until_served(work: _Work) -> None:
    """Wait for a body that was not there before."""
    seen = len(work.fresh)

    async def served() -> bool:
        return len(work.fresh) > seen

    await until(served, every=0.01)


async def _check_sealed(rig: Rig, received: list[dict[str, Any]]) -> None:
    """Check that nothing was disclosed unsealed and nothing sealed was lost: leaves of receipts, and entries 0 to size - 1 with their openings."""
    async with rig.agency.connected() as owner, owner.transaction(isolation="repeatable_read", readonly=True):
        size = await owner.fetchval("select size from ecluse.ledger_head where log_id = 1")
        for table in ("ledger_entry", "opening"):
            row = await owner.fetchrow(f"select count(*), min(index), max(index) from ecluse.{table} where log_id = 1")  # noqa: S608 - a word of the line above
            assert row is not None
            assert tuple(row) == (size, 0, size - 1)
        rows = await owner.fetch(
            "select index, leaf from ecluse.ledger_entry where log_id = 1 and index = any($1::bigint[])",
            [body["receipt"]["index"] for body in received],
        )
    leaves = {row["index"]: leaf_hash(row["leaf"]).hex() for row in rows}
    assert all(leaves.get(body["receipt"]["index"]) == body["receipt"]["leaf_hash"] for body in received)


async def _check_notes(work: _Work) -> int:
    """Check that each checkpoint ever seen is still there: the check of the log has found each stored one to be of these entries."""
    stored = {row["note"] for row in await work.rig.agency.fetch("select note from ecluse.ledger_checkpoint")}
    assert work.notes.keys() <= stored
    return len(work.notes)
