"""What the door reads of its tables does not grow with them: index probes only, also by connections that planned on empty tables.

A million rows by default; ``ECLUSE_BIG=1`` takes ten million. Nothing is timed: PostgreSQL's own counters say what was read.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from typing import Final

import httpx
import pytest

from ecluse.embedded import EmbeddedPostgres
from ecluse.ledger.notes import format_vkey, parse_vkey
from ecluse.ledger.policies import apply_policy
from tests.agency import Agency, founded
from tests.e2e.desk import Desk, at_work, code_of
from tests.ledger.strict_witness import Witness, policy_text

pytestmark = pytest.mark.db

MILLION: Final = 1_000_000
ROWS: Final = 10 * MILLION if os.environ.get("ECLUSE_BIG") else MILLION
ASKS: Final = 60
MOST_ROWS_AN_ASK: Final = 30
"""Rows that one ask may fetch by index from all these tables together: appointment, session, import, roster, hold, key, proof, counters."""

GROW: Final = {
    "appointment": (
        "select 'bulk', 'apt_' || n + 10000000, 'ses_' || n / 20 + 1000000, 'P' || n + 10000000, 'enr_' || n, 'ofii:' || n, 'imp_bulk', null, 0 "
        "from generate_series(1, {rows}) n"
    ),
    "ledger_entry": "select 2, n, '\\x00'::bytea, now() from generate_series(1, {rows}) n",
    "ledger_quorum": "select 2, n, 1, now() from generate_series(1, {rows} / 10) n",
    "session": "select 'ses_' || n + 1000000, 'bulk', 'S' || n, 'bulk', 'p', 's', 'r', now(), 'infinity', 'imp_bulk', 0 from generate_series(1, {rows} / 20) n",
    "session_agent": "select 'ses_' || n + 1000000, 'agt_bulk' from generate_series(1, {rows} / 20) n",
    "opening": "select 2, n, now(), 'e', 'dsc_' || n, 'bulk', 'agt_bulk', 'ofii:' || n, '[]', ''::bytea from generate_series(1, {rows} / 10) n",
    "hold": "select 'hld_' || n, 'person', 'ofii:' || n + 1000, 'suspend', 'bulk', 'bulk', now(), 'infinity', null from generate_series(1, {rows} / 50) n",
    "idempotency": "select 'cli_' || n, '/v1/disclosures', 'k', ''::bytea, 2, n, 1, now(), 0 from generate_series(1, {rows} / 10) n",
    "proof_spent": "select extract(epoch from now())::integer / 60, decode(md5(n::text), 'hex') from generate_series(1, {rows} / 10) n",
    "budget_person": "select 'h', date_trunc('hour', now(), 'UTC'), 'client:' || n % 9, 'ofii:' || n from generate_series(1, {rows} / 10) n",
    "budget_count": "select 'h', date_trunc('hour', now(), 'UTC'), 'bulk:' || n, 1 from generate_series(1, {rows} / 50) n",
}  # fmt: skip
"""Rows that others made, in each table that the door reads or writes."""

_READ: Final = """
select coalesce(i.inhparent::regclass, t.relid::regclass)::text as name, sum(t.seq_scan)::bigint as scans, sum(t.idx_tup_fetch)::bigint as fetched
from pg_stat_user_tables t left join pg_inherits i on i.inhrelid = t.relid where t.schemaname = 'ecluse' group by 1
"""


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency without a gate: the test starts one that neither signs nor purges, so that all that is counted is the door's."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as built:
        asyncio.run(ask_for_witnesses(built))
        yield built


async def ask_for_witnesses(agency: Agency) -> None:
    """Put a policy in force whose witness nobody asks, so that the door looks for the oldest entry that waits."""
    log = parse_vkey((await agency.fetch("select vkey from ecluse.ledger_log"))[0]["vkey"])
    raw = policy_text(format_vkey(log), {"dpo": Witness(name="dpo.example/w", log=log, url="http://127.0.0.1:9/w")}, "quorum dpo")
    async with agency.connected("ecluse_app") as app:
        await apply_policy(app, log_id=1, raw=raw.encode(), actor="cli:test")


async def grow(agency: Agency) -> None:
    """Fill the tables, past their keys to others and their triggers."""
    async with agency.administered("ledger") as admin:
        await admin.execute("set session_replication_role = replica")
        for table, rows in GROW.items():
            await admin.execute(f"insert into ecluse.{table} {rows.format(rows=ROWS)}")
        await admin.execute("analyze")


async def ask_all_ways(desk: Desk, foreign: str) -> Counter[str]:
    """Ask for known, unknown and foreign handles, with keys and without, and again with the same keys."""

    async def ask(n: int) -> httpx.Response:
        handle = [desk.handles[10 + n % 10], "apt_" + "a" * 26, foreign][n % 6 // 4 * (1 + n % 2)]
        return await desk.machine.disclose(handle, desk.party.agent, key=f"k{n // 2}" if n % 4 < 2 else None)

    return Counter(map(code_of, await asyncio.gather(*(ask(n) for n in range(ASKS)))))


async def read_so_far(agency: Agency) -> dict[str, tuple[int, int]]:
    """Return for each table how often it was read through, and how many of its rows were fetched by index."""
    return {row["name"].removeprefix("ecluse."): (row["scans"], row["fetched"] or 0) for row in await agency.fetch(_READ)}


async def counted(agency: Agency, *, grown: bool) -> tuple[set[str], int, Counter[str]]:
    """Ask twice through a gate of its own; ``grown``: the tables grow between, when the plans are made.

    Return the tables that were read through, the rows fetched by index, and the answers. A backend tells its counters at its end at the latest, so the
    gate is stopped before they are read, and what prepares the test goes through another gate, which is stopped before it begins.
    """
    preparing = agency.start_gate(ledger__sign=False)
    async with at_work(agency, range(10, 20), reads=1000) as desk, at_work(agency, [30]) as other:
        agency.stop_gate(preparing)
        async with agency.administered("ledger") as admin:
            await admin.execute("vacuum analyze")  # tells the planner how small they are: it would read them through
        first = await read_so_far(agency)
        gate = agency.start_gate(ledger__sign=False)
        answers = await ask_all_ways(desk, other.handles[30])
        if grown:
            await grow(agency)
        answers += await ask_all_ways(desk, other.handles[30])
        agency.stop_gate(gate)
        last = await read_so_far(agency)
    scanned = {name for name in GROW if last[name][0] > first[name][0]}
    return scanned, sum(last[name][1] - first[name][1] for name in GROW), answers


@pytest.mark.timeout(1200)  # seconds: ten million rows take their time
async def test_door_when_its_tables_are_empty_and_then_huge_then_index_probes_only(agency: Agency) -> None:
    """By plans made on small tables as by plans made on huge ones, no table is read through, and the rows fetched are as few."""
    for grown in (True, False):
        scanned, fetched, answers = await counted(agency, grown=grown)
        # the holds on parties are read by a plain plan when the configuration has changed: through an empty table, never through a huge one
        assert scanned <= ({"hold"} if grown else set())
        assert fetched <= MOST_ROWS_AN_ASK * 2 * ASKS
        assert answers["ok"] > 0
        assert answers["not-disclosable"] > 0
