"""Processes stopped (SIGSTOP) at the worst instant: a gate while its seal has the head's lock, PostgreSQL's own process with that lock, the gate that signs.

A gate's seal is one statement that commits by itself, so a stopped gate keeps no lock; PostgreSQL's process, stopped, keeps it, and ``lock_timeout`` of the
gate's role bounds how long anybody waits for it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from tests.agency import Gate
from tests.chaos.callers import Caller, Lane
from tests.chaos.rig import Rig, check_bodies, check_log, until_signed

CALLERS: Final = 6
PERSONS: Final = range(10, 40)
LOCK_SECONDS: Final = 4.0
"""``lock_timeout`` of ``ecluse_app``."""
_GATE_SECONDS: Final = 1.0
_BACKEND_SECONDS: Final = LOCK_SECONDS + 1.0
_HOLDS_HEAD: Final = """
select l.pid from pg_locks l
where l.relation = 'ecluse.ledger_head'::regclass and l.mode = 'RowShareLock' and l.granted and l.pid = any($1::integer[])
"""
_BLOCKER: Final = """
select b.pid from pg_stat_activity a cross join lateral unnest(pg_blocking_pids(a.pid)) b (pid)
where a.usename = 'ecluse_app' and cardinality(pg_blocking_pids(b.pid)) = 0 limit 1
"""
_ELECTED: Final = "select pid from pg_locks where locktype = 'advisory' and granted and pid = any($1::integer[])"


@dataclass(kw_only=True)
class Stopped:
    """What became of it, in seconds. ``held``: how long a stopped gate's lock on the head was still seen.

    ``other``: answers of the other gate meanwhile; ``told``: of both while PostgreSQL's process was stopped with the lock.
    """

    gates: int = 0
    backends: int = 0
    held: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    unsigned: float = 0.0

    def __str__(self) -> str:
        """Write the figures."""
        return (
            f"{self.gates} gates stopped with the head's lock: it was free after {max(self.held):.3f} s at most, "
            f"the other gate's {len(self.other)} answers took {max(self.other):.3f} s at most; "
            f"{self.backends} processes of PostgreSQL stopped with it: answers took {max(self.told):.2f} s at most ({dict(self.codes)}); "
            f"signed again {self.unsigned:.2f} s after the stopped signer was ended"
        )


@dataclass(kw_only=True)
class _Load:
    """The callers of both gates. ``answers``: gate's port, when it was sent, how long it took, the answer's code."""

    answers: list[tuple[int, float, float, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def since(self, began: float) -> list[tuple[int, float, float, str]]:
        """Return what was answered since an instant."""
        return [each for each in self.answers if each[1] + each[2] >= began]


async def run(rig: Rig, *, trials: int) -> Stopped:
    """Stop a gate ``trials`` times, PostgreSQL's process a tenth as often (once at least), and the signing gate once."""
    told, load = Stopped(), _Load()
    await rig.start_gates(1, ledger__sign=False)
    stopping, mine = rig.agency.gates[0], await _backends(rig)
    await rig.start_gates(1)
    party = await rig.agency.bind(reads=1_000_000)
    handles = await rig.agency.schedule(await rig.agency.meeting(party, PERSONS))
    caller = Caller(rig.agency, party.machines[0], party.agent)
    await caller.refresh(rig.port())
    tasks = [asyncio.create_task(_ask(rig, caller, gate, handles, load, n)) for gate in rig.agency.gates for n in range(CALLERS)]
    try:
        async with rig.agency.administered("ledger") as admin:
            for _ in range(trials):
                await _stop_gate(admin, stopping, mine, load, told)
            for _ in range(max(1, trials // 10)):
                await _stop_backend(admin, load, told)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await caller.close()
    for error in ended:
        if isinstance(error, Exception):
            raise error
    await check_bodies(rig.agency, load.bodies)
    assert told.codes.keys() <= {"ok", "ledger-unavailable"}
    await _stop_signer(rig, told)
    await check_log(rig.agency)
    rig.check_complaints()
    return told


async def _backends(rig: Rig) -> list[int]:
    """Return PostgreSQL's processes that serve gates now."""
    async with rig.agency.administered("ledger") as admin:
        rows = await admin.fetch(
            "select pid from pg_stat_activity where usename in ('ecluse_app', 'ecluse_jobs') and datname = current_database()"
        )
    return [row["pid"] for row in rows]


async def _ask(rig: Rig, caller: Caller, gate: Gate, handles: dict[int, str], load: _Load, turn: int) -> None:
    """Ask one gate for one person after the other."""
    lane, n = Lane(lambda: gate.port), turn
    token_at = time.monotonic()
    try:
        while True:
            n += 1
            if turn == 0 and gate is rig.agency.gates[-1] and time.monotonic() > token_at + 200:
                await caller.refresh(gate.port)
                token_at = time.monotonic()
            sent = time.monotonic()
            said = await lane.ask(caller.write(handles[PERSONS[n % len(PERSONS)]], None))
            # a proof that a stopped gate reads too late has outlived its 60 s: not here
            assert said is not None
            load.answers.append((gate.port, sent, time.monotonic() - sent, said.code))
            if said.status == 200:
                load.bodies.append(said.told)
    finally:
        await lane.close()


async def _caught(admin: asyncpg.Connection[asyncpg.Record], statement: str, *values: object) -> int:
    """Ask PostgreSQL again and again until it names a process."""
    async with asyncio.timeout(60):
        while True:
            pid = await admin.fetchval(statement, *values)
            if pid is not None:
                return int(pid)
            await asyncio.sleep(0)


async def _stop_gate(admin: asyncpg.Connection[asyncpg.Record], gate: Gate, mine: list[int], load: _Load, told: Stopped) -> None:
    """Stop a gate that has the head's lock; see how long the lock is held, and what the other gate's callers wait."""
    await _caught(admin, _HOLDS_HEAD, mine)
    os.kill(gate.process.pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        while await admin.fetchval(_HOLDS_HEAD, mine) is not None:
            assert time.monotonic() < began + 30
        told.held.append(time.monotonic() - began)
        await asyncio.sleep(_GATE_SECONDS)
    finally:
        os.kill(gate.process.pid, signal.SIGCONT)
    others = [took for port, _, took, _ in load.since(began) if port != gate.port]
    assert others
    assert max(others) < LOCK_SECONDS
    told.other += others
    told.gates += 1
    await asyncio.sleep(0.2)


async def _stop_backend(admin: asyncpg.Connection[asyncpg.Record], load: _Load, told: Stopped) -> None:
    """Stop PostgreSQL's process that has the head's lock for longer than anybody waits for it."""
    pid = await _caught(admin, _BLOCKER)
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        await asyncio.sleep(_BACKEND_SECONDS)
    finally:
        os.kill(pid, signal.SIGCONT)
    await asyncio.sleep(1.0)
    answers = load.since(began)
    told.told += [took for _, _, took, _ in answers]
    told.codes.update(code for *_, code in answers)
    told.backends += 1


async def _stop_signer(rig: Rig, told: Stopped) -> None:
    """Stop the gate that signs while it has the turn: sealing goes on, signing waits for it; ended, another signs at once."""
    keeper = rig.agency.gates[-1]
    mine = await _backends(rig)
    async with rig.agency.administered("ledger") as admin:
        for _ in range(200):
            await _caught(admin, _ELECTED, mine)
            os.kill(keeper.process.pid, signal.SIGSTOP)
            await asyncio.sleep(0.1)
            if await admin.fetchval(_ELECTED, mine) is not None:
                break
            os.kill(keeper.process.pid, signal.SIGCONT)
    await rig.agency.hold("agent", (await rig.agency.bind()).agent)
    await rig.start_gates(1)
    rig.kill_gate(keeper)
    ended = time.monotonic()
    await until_signed(rig.agency)
    told.unsigned = time.monotonic() - ended
