"""One path for unknown and foreign handles: the same functions, index probes, rows fetched and rows written, by PostgreSQL's own counters.

Nothing is timed. A backend tells its counters at its end at the latest, so each measurement has a gate of its own that is stopped before they are read; the
clock stands still, as a new minute would have a row of its own that counts its refusals.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

import pytest

from ecluse.embedded import EmbeddedPostgres
from ecluse.ids import new_id
from tests.agency import Agency, Party, founded
from tests.e2e.outsider import Outsider

pytestmark = pytest.mark.web

PERSONS: Final = range(10, 70)
_READ: Final = """
select relname::text as name, seq_scan, seq_tup_read, coalesce(idx_scan, 0) as idx_scan, coalesce(idx_tup_fetch, 0) as fetched, n_tup_ins, n_tup_upd, n_tup_del
from pg_stat_user_tables where schemaname = 'ecluse'
"""
_CALLS: Final = "select funcname::text as name, calls from pg_stat_user_functions where schemaname = 'ecluse'"
Work = dict[str, tuple[int, ...]]
"""What was counted, by table or function."""


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """A founded agency in which nothing runs but what the test starts."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as built:
        yield built


async def work_of(agency: Agency, party: Party, handles: list[str]) -> Work:
    """Ask for handles, one after the other, at a gate of its own; return what PostgreSQL has counted since its beginning."""
    gate = agency.start_gate(ledger__sign=False)
    async with Outsider(agency.public_url, party.machines[0].id, party.machines[0].key, via=gate.url) as machine:
        for handle in handles:
            assert (await machine.disclose(handle, party.agent)).status_code == 403
    agency.stop_gate(gate)
    return {row["name"]: tuple(row)[1:] for statement in (_READ, _CALLS) for row in await agency.fetch(statement)}


def grown(before: Work, now: Work) -> Work:
    """Return by how much the counters have grown."""
    return {
        name: tuple(b - a for a, b in zip(before.get(name, (0,) * len(work)), work, strict=True)) for name, work in now.items()
    }


async def test_work_when_a_handle_is_unknown_or_foreign_then_the_same_statements_and_rows(agency: Agency) -> None:
    """Both kinds call the same functions as often, probe the same indexes, fetch and write as many rows, in every table; and so do two of one kind."""
    async with agency.administered("ledger") as admin:
        await admin.execute(f"alter database {agency.ledger_name} set track_functions = 'all'")
    party, other = await agency.bind(), await agency.bind()
    foreign = list((await agency.schedule(await agency.meeting(other, PERSONS))).values())
    unknown = [new_id("apt") for _ in foreign]
    await agency.stop_clock(await agency.now())
    counts = [await work_of(agency, party, handles) for handles in (unknown[:1], unknown, foreign, unknown)]
    _, second, third = itertools.starmap(grown, itertools.pairwise(counts))
    assert second == third
    assert second["seal"] == second["gather"] == (len(PERSONS),)
    assert second["appointment"][:2] == (0, 0)
