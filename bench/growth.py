"""What size costs: the same gate on a small register and on a large one, on a short ledger and on a long one, in turns.

Each pair is two agencies that differ in one thing, both databases up, one gate at a time. The long ledger is made by its superuser: ten million entries and
openings written past the door, which the gate's own integrator then hashes and signs before anything is measured. Such an agency is for this alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Final

import asyncpg
import msgspec

from bench import processes
from bench.agency import ensure_agency
from bench.run import GATE, Bench, Result, opened, show
from ecluse.install import Databases

SMALL: Final = 20_000
LONG: Final = 10_000_000
_CHUNK: Final = 500_000
_SIGN_SECONDS: Final = 1800.0

_ENTRIES: Final = """
insert into ecluse.ledger_entry (log_id, index, leaf, sealed_at)
select 1, i, convert_to('{"c":"' || encode(sha256(int8send(i)), 'hex') || '","h":"2026-01-05T09Z","k":"decision","v":1}', 'UTF8'), now()
from generate_series($1::bigint, $2::bigint - 1) i
"""
_OPENINGS: Final = """
insert into ecluse.opening (log_id, index, sealed_at, event, disclosure_id, processor_id, agent_id, subject_ref, fields, salts)
select 1, i, now(), 'disclosure:person:granted', 'dsc_' || translate(left(md5(i::text), 26), '0189', 'wxyz'), 'processor-0', 'agt_bench', 'ofii:' || i, '[]', ''
from generate_series($1::bigint, $2::bigint - 1) i
"""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two series of runs that differ in one thing. Requests a second, medians; ``loss``: of the large one, median of each turn's."""

    what: str
    small: float
    large: float
    loss: float


def compare(what: str, benches: Sequence[Bench], connections: int, rounds: int) -> Pair:
    """Measure two agencies in turns."""
    results: tuple[list[Result], list[Result]] = ([], [])
    for turn in range(rounds):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            with benches[side].serving(GATE) as pid:
                results[side].append(benches[side].measure(GATE, pid, connections))
            show(results[side][-1])
    small, large = ([one.report.per_second for one in side] for side in results)
    loss = median(1 - many / few for few, many in zip(small, large, strict=True))
    return Pair(what=what, small=median(small), large=median(large), loss=loss)


def lengthen(bench: Bench, entries: int) -> None:
    """Fill a ledger up to ``entries``, and let the gate hash and sign it all."""
    asyncio.run(fill(bench.reached, entries))
    with processes.gate(bench.installation):
        asyncio.run(_await_signed(bench.reached))


async def fill(reached: Databases, entries: int, *, openings: bool = True) -> None:
    """Write entries, and their openings, as the superuser, as many as are missing."""
    admin = await _administer(reached)
    try:
        size: int = await admin.fetchval("select size from ecluse.ledger_head where log_id = 1")
        for begin in range(size, entries, _CHUNK):
            end = min(begin + _CHUNK, entries)
            async with admin.transaction():
                await admin.execute(_ENTRIES, begin, end)
                if openings:
                    await admin.execute(_OPENINGS, begin, end)
                await admin.execute("update ecluse.ledger_head set size = $1, last_at = clock_timestamp() where log_id = 1", end)
            print(f"  {end:,} entries", flush=True)
        await admin.execute("analyze ecluse.ledger_entry")
        await admin.execute("analyze ecluse.opening")
    finally:
        await admin.close()


async def _await_signed(reached: Databases) -> None:
    """Wait until the whole ledger is under a signed checkpoint."""
    admin = await _administer(reached)
    deadline = time.monotonic() + _SIGN_SECONDS
    try:
        while await admin.fetchval(
            "select (select size from ecluse.ledger_head) > coalesce((select max(size) from ecluse.ledger_checkpoint), 0)"
        ):
            if time.monotonic() > deadline:
                raise SystemExit("the ledger was not signed in time")
            await asyncio.sleep(1)
    finally:
        await admin.close()


async def _administer(reached: Databases) -> asyncpg.Connection[asyncpg.Record]:
    """Connect as the superuser of an agency's own database."""
    if reached.embedded is None:
        raise AssertionError("impossible: an agency has its own database")
    return await asyncpg.connect(reached.embedded.superuser_dsn("ecluse"))


def growth(folder: Path, port: int, *, people: int, connections: int, rounds: int, seconds: float, patience: float) -> list[Pair]:
    """Compare registers, then ledgers. ``folder``: where the agencies are made and kept."""
    sides: list[tuple[str, str, int, Callable[[Bench], None] | None]] = [
        (f"register of {people:,} people instead of {SMALL:,}", f"people-{people}", people, None),
        (f"ledger of {LONG:,} entries instead of few", "ledger-long", SMALL, lambda bench: lengthen(bench, LONG)),
    ]
    pairs = []
    for what, name, size, prepare in sides:
        with ExitStack() as stack:
            benches = []
            for where, count in ((f"people-{SMALL}", SMALL), (name, size)):
                place = (folder / where).absolute()
                agency = ensure_agency(place, count, port)
                benches.append(stack.enter_context(opened(place, agency, port, seconds=seconds, warm=1.0, patience=patience)))
            if prepare is not None:
                prepare(benches[1])
            print(what, flush=True)
            pairs.append(compare(what, benches, connections, rounds))
    return pairs


def growth_table(pairs: Sequence[Pair]) -> str:
    """Write pairs as a Markdown table."""
    rows = ["| | small, requests/s | large, requests/s | loss |", "|---|---|---|---|"]
    return "\n".join(rows + [f"| {pair.what} | {pair.small:,.0f} | {pair.large:,.0f} | {pair.loss:.0%} |" for pair in pairs])
