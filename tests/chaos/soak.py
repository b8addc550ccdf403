"""A soak: one gate at four fifths of the most that it does here, for as long as wanted, watched for memory, answering time and waits for locks.

What a shared machine does at most drifts by a factor of two within a minute, and a rate that was four fifths of it is then more than all of it. So the
most is measured anew every ten seconds, for a second whose answers count as answers and not as answering times.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos.callers import RETRYABLE, Caller, Lane
from tests.chaos.rig import Rig, check_log
from tests.e2e.desk import UNKNOWN

LANES: Final = 24
MACHINES: Final = 4
PERSONS: Final = range(10, 190)
SHARE: Final = 0.8
MOST_SECONDS: Final = 1.0
PERIOD_SECONDS: Final = 10.0
MINUTE: Final = 60.0
_TOKEN_SECONDS: Final = 150
_WINDOWS: Final = 10
_WAITING: Final = """
select extract(epoch from clock_timestamp() - l.waitstart)::double precision as seconds, coalesce(b.wait_event_type || ':' || b.wait_event, 'running') as holder
from pg_locks l join pg_stat_activity a on a.pid = l.pid
left join lateral unnest(pg_blocking_pids(l.pid)) p (pid) on true left join pg_stat_activity b on b.pid = p.pid
where not l.granted and l.waitstart is not null and a.datname = current_database() order by 1 desc limit 1
"""
LONG_WAIT: Final = 0.1
STOLEN: Final = 0.25


@dataclass(kw_only=True)
class Soak:
    """What became of it.

    ``most``: answers a second of each period's measure. ``windows``: of each tenth of the run, median and p99 of answers in seconds, since they were due and
    since they were sent, the gate's resident MiB at its end, and the mean of what was measured as the most. ``holders``: what those were doing for whom others
    waited longer than `LONG_WAIT`, in PostgreSQL's words: ``IO:WalSync`` is the disk's time, not ours.
    """

    most: list[float] = field(default_factory=list)
    minutes: float = 0.0
    answers: int = 0
    errors: int = 0
    entries: int = 0
    longest_wait: float = 0.0
    long_waits: int = 0
    stolen_waits: int = 0
    holders: Counter[str] = field(default_factory=Counter)
    stolen: float = 0.0
    mib_per_hour: float = 0.0
    windows: list[tuple[float, float, float, float, float, float]] = field(default_factory=list)

    def __str__(self) -> str:
        """Write the figures."""
        rows = "; ".join(
            f"{due * 1000:.1f}/{due_late * 1000:.1f} ms since due, {sent * 1000:.1f}/{sent_late * 1000:.1f} ms since sent, {mib:.1f} MiB (most {most:.0f}/s)"
            for due, due_late, sent, sent_late, mib, most in self.windows
        )
        return (
            f"most {min(self.most):.0f} to {max(self.most):.0f}/s, soaked at {SHARE:.0%} of it for {self.minutes:.1f} min: {self.answers} answers, "
            f"{self.errors} to be asked again, "
            f"{self.entries} entries; longest wait for a lock {self.longest_wait * 1000:.0f} ms ({self.long_waits} over 100 ms, for holders that were "
            f"{dict(self.holders)}, {self.stolen_waits} of them "
            f"in a second in which the host gave a quarter of the machine or more to others; in all it gave {self.stolen:.0%}); "
            f"memory {self.mib_per_hour:+.1f} MiB/h over the second half; median/p99 and memory of each tenth: {rows}"
        )


@dataclass(kw_only=True)
class _Run:
    """The load. ``took``: how long each answer took since it was due and since it was sent; ``answers``: those of the measuring seconds too."""

    rig: Rig
    callers: list[Caller]
    handles: list[str]
    took: deque[tuple[float, float]] = field(default_factory=deque)
    answers: int = 0
    errors: int = 0
    stopping: bool = False


async def run(rig: Rig, *, minutes: float) -> Soak:
    """For ``minutes``: measure the most, send four fifths of it at random instants until the period is over, and again."""
    told = Soak(minutes=minutes)
    await rig.start_gates(1)
    party = await rig.agency.bind(machines=MACHINES, reads=100_000_000)
    handles = list((await rig.agency.schedule(await rig.agency.meeting(party, PERSONS))).values())
    callers = [Caller(rig.agency, machine, party.agent) for machine in party.machines]
    load = _Run(rig=rig, callers=callers, handles=handles)
    for caller in callers:
        await caller.refresh(rig.port())
    watching = asyncio.create_task(_watch(load, told))
    try:
        await _soak(load, told)
    finally:
        load.stopping = True
        await watching
        for caller in callers:
            await caller.close()
    told.errors = load.errors
    told.entries = await check_log(rig.agency)
    rig.check_complaints()
    return told


async def _one(load: _Run, lane: Lane, turn: int) -> None:
    """Ask once: nine times of ten for a person, else for nobody."""
    caller = load.callers[turn % len(load.callers)]
    handle = UNKNOWN if turn % 10 == 9 else load.handles[turn % len(load.handles)]
    said = await lane.ask(caller.write(handle, secrets.token_hex(8)))
    load.answers += 1
    if said is None or said.code in RETRYABLE:
        load.errors += 1
    else:
        assert said.code in {"ok", "not-disclosable"}, said.body


async def _soak(load: _Run, told: Soak) -> None:
    """Go from period to period; the lanes and their turns stay the same."""
    chance = random.Random(20260105)  # noqa: S311 - arrivals, repeatable
    lanes = [Lane(load.rig.port) for _ in range(LANES)]
    turns = list(range(LANES))
    ends = time.monotonic() + told.minutes * MINUTE
    while (began := time.monotonic()) < ends:
        told.most.append(await _most(load, lanes, turns))
        await _period(load, lanes, turns, told.most[-1] * SHARE, min(ends, began + PERIOD_SECONDS), chance)
    for lane in lanes:
        await lane.close()


async def _most(load: _Run, lanes: list[Lane], turns: list[int]) -> float:
    """Let each lane ask as fast as it is answered; return answers a second."""
    began, before = time.monotonic(), load.answers

    async def closed(at: int) -> None:
        while time.monotonic() < began + MOST_SECONDS:
            turns[at] += LANES
            await _one(load, lanes[at], turns[at])

    await asyncio.gather(*map(closed, range(LANES)))
    return (load.answers - before) / (time.monotonic() - began)


async def _period(load: _Run, lanes: list[Lane], turns: list[int], rate: float, ends: float, chance: random.Random) -> None:
    """Send ``rate`` a second until ``ends``; a request that finds no free lane waits, and its time counts from when it was due."""
    due: asyncio.Queue[float] = asyncio.Queue()

    async def serve(at: int) -> None:
        while (since := await due.get()) > 0:
            turns[at] += LANES
            sent = time.monotonic()
            await _one(load, lanes[at], turns[at])
            load.took.append((time.monotonic() - since, time.monotonic() - sent))

    tasks = [asyncio.create_task(serve(at)) for at in range(LANES)]
    at = time.monotonic()
    while at < ends:
        at += chance.expovariate(rate)
        if at > time.monotonic():
            await asyncio.sleep(at - time.monotonic())
        due.put_nowait(at)
    for _ in tasks:
        due.put_nowait(0)
    await asyncio.gather(*tasks)


async def _watch(load: _Run, told: Soak) -> None:
    """Look at memory and locks while it soaks, renew the tokens, and sum up each tenth."""
    gate = load.rig.agency.gates[0].process.pid
    lately = deque([(time.monotonic(), _stolen_seconds())], maxlen=20)
    first = lately[0]
    began = token_at = time.monotonic()
    tenth, memory = told.minutes * MINUTE / _WINDOWS, list[tuple[float, float]]()
    async with load.rig.agency.administered("ledger") as admin:
        while not load.stopping:
            waiting = await admin.fetchrow(_WAITING)
            wait = waiting["seconds"] if waiting else 0.0
            told.longest_wait = max(told.longest_wait, wait)
            now = time.monotonic()
            lately.append((now, _stolen_seconds()))
            if wait > LONG_WAIT:
                told.long_waits += 1
                told.holders[waiting["holder"]] += 1
            told.stolen_waits += wait > LONG_WAIT and _share(lately[0], lately[-1]) >= STOLEN
            if now > token_at + _TOKEN_SECONDS:
                token_at = now
                for caller in load.callers:
                    await caller.refresh(load.rig.port())
            memory.append((now, _resident(gate)))
            if now > began + tenth * (len(told.windows) + 1):
                _sum_up(load, told, memory[-1][1])
            await asyncio.sleep(0.05)
    if load.took and len(told.windows) < _WINDOWS:
        _sum_up(load, told, memory[-1][1])
    told.stolen = _share(first, lately[-1])
    told.answers = load.answers
    told.mib_per_hour = _slope([each for each in memory if each[0] > began + told.minutes * 30]) * 3600


def _sum_up(load: _Run, told: Soak, mib: float) -> None:
    """Close one tenth of the run."""
    since_due, since_sent = (sorted(each) for each in zip(*load.took, strict=True)) if load.took else ([], [])
    load.took.clear()
    if since_due:
        lately = told.most[-max(1, round(told.minutes * MINUTE / PERIOD_SECONDS / _WINDOWS)) :]
        half, late = len(since_due) // 2, int(len(since_due) * 0.99)
        told.windows.append(
            (since_due[half], since_due[late], since_sent[half], since_sent[late], mib, sum(lately) / len(lately))
        )
        load.rig.say(f"{len(told.windows)} of {_WINDOWS}: {told.windows[-1]}")


def _resident(pid: int) -> float:
    """Return a process's resident memory in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


def _stolen_seconds() -> float:
    """Return the processor seconds so far that the host gave to other machines while this one wanted them (Linux: steal)."""
    ticks = Path("/proc/stat").read_text(encoding="ascii").split(maxsplit=9)[8]
    return int(ticks) / os.sysconf("SC_CLK_TCK")


def _share(before: tuple[float, float], after: tuple[float, float]) -> float:
    """Return which share of the machine's processors was stolen between two looks."""
    return (after[1] - before[1]) / max((after[0] - before[0]) * (os.cpu_count() or 1), 0.001)


def _slope(points: list[tuple[float, float]]) -> float:
    """Return the slope of the straight line nearest to the points."""
    if len(points) < 2:
        return 0.0
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / sum((x - middle_x) ** 2 for x, _ in points)
