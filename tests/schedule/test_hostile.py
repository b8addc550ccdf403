"""Hostile files against a real database: each is refused with where, why and the mend, no value comes back, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hostile import DAY, MARK, OLD_DAY, Forge, Hostile
from plans import csv_file

from ecluse.schedule.reports import ImportApplied, ImportRefused
from ecluse.schedule.service import import_schedule

pytestmark = pytest.mark.db

NARROW = {
    "rooms = 20": "rooms = 2",
    "max_sessions_per_day = 200": "max_sessions_per_day = 4",
    "max_capacity = 30": "max_capacity = 3",
}
TABLES = """
select c.oid::regclass::text as name from pg_class c
where c.relnamespace = 'ecluse'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition order by 1
"""


async def state(world: Any) -> dict[str, str]:
    """Return a digest of the rows of every table."""
    found = {}
    for table in await world.owner.fetch(TABLES):
        statement = f"select coalesce(string_agg(t::text, E'\\n' order by t::text), '') from {table['name']} t"  # noqa: S608 - names of our own tables
        found[table["name"]] = sha256((await world.owner.fetchval(statement)).encode()).hexdigest()
    return found


async def send(world: Any, data: bytes, kind: str = "csv") -> Any:
    """Import bytes."""
    return await import_schedule(
        world.pool, file_bytes=data, kind=kind, actor="client:cli_x", dry_run=False, register=world.register, zone=UTC
    )


async def prepare(world: Any) -> Forge:
    """Make the world that the files are written for, and return who writes them."""
    for processor in world.agents:
        text = await world.owner.fetchval("select text from ecluse.contract where processor_id = $1", processor)
        for old, new in NARROW.items():
            assert old in text
            text = text.replace(old, new)
        await world.owner.execute(
            "insert into ecluse.contract select processor_id, 2, reference, $2, hash, applied_seq, applied_at, applied_by "
            "from ecluse.contract where processor_id = $1",
            processor,
            text,
        )
    forge = Forge(agent=world.agents["lyon-formation"], foreign=world.agents["nice-langues"])
    clock = "create or replace function ecluse.clock() returns timestamptz language sql volatile as 'select clock_timestamp() {}'"
    await world.owner.execute(clock.format("- interval ''4 days''"))
    await world.owner.execute("update ecluse.ledger_head set last_at = ecluse.clock() - interval '1 day'")
    old = forge.row(session_ref="OLD", place_ref="P1", subject_ref="ofii:1", room="O")
    old |= {"starts_at": f"{OLD_DAY}T09:00", "ends_at": f"{OLD_DAY}T10:00"}
    assert isinstance(await send(world, csv_file([old])), ImportApplied)
    await world.owner.execute(clock.format(""))
    assert isinstance(await send(world, csv_file([forge.kept(1), forge.kept(2)])), ImportApplied)
    return forge


def fault_of(file: Hostile, report: Any) -> str | None:
    """Say what is wrong with the report of a hostile file, or nothing."""
    if not isinstance(report, ImportRefused):
        return f"{file.name}: not refused"
    problems = report.findings.problems
    if (file.row, file.column) not in {(one.row, one.column) for one in problems}:
        return f"{file.name}: {[(one.row, one.column, one.why) for one in problems[:3]]}, not {(file.row, file.column)}"
    if not all(one.why and one.mend for one in problems):
        return f"{file.name}: without why or mend"
    if MARK in msgspec.json.encode(report).decode():
        return f"{file.name}: a value came back"
    return None


async def test_hostile_files_when_sent_then_each_is_refused_and_nothing_is_left(world: Any) -> None:
    """Every table is the same before and after all of them, and the lawful row beside each bad one is applied when it comes alone."""
    forge = await prepare(world)
    before = await state(world)
    files = list(forge.files())
    assert len({file.name for file in files}) == len(files) >= 200
    faults = [fault for file in files if (fault := fault_of(file, await send(world, file.data, file.kind)))]
    assert faults == [], faults
    assert await state(world) == before
    lawful: list[Callable[[], bytes]] = [forge.csv, forge.json]
    for write in lawful:
        assert isinstance(await send(world, write(), "csv" if write == forge.csv else "json"), ImportApplied)


async def test_hostile_snapshots_when_sent_then_nothing_is_cancelled(world: Any) -> None:
    """A file cut short, of another source, or of the past, does not empty the schedule without the number that it would cancel."""
    forge = await prepare(world)
    before = await state(world)
    later = forge.row(starts_at=f"{DAY + timedelta(2)}T09:00", ends_at=f"{DAY + timedelta(2)}T10:00")
    for data, options in (
        (csv_file([]), {}),
        (csv_file([]), {"source": "plan"}),
        (csv_file([]), {"source": "plan", "confirm": 3}),
        (csv_file([forge.kept(1)]), {}),
        (csv_file([forge.kept(1)]), {"confirm": 0}),
        (csv_file([forge.kept(1)]), {"source": "other"}),
        (csv_file([later]), {"confirm": 1}),
        (csv_file([forge.kept(1), forge.kept(2, status="cancelled")]), {}),
        (csv_file([]), {"source": "=plan", "confirm": 0}),
        (b"", {"source": "plan", "confirm": 2}),
    ):
        report = await import_schedule(
            world.pool, file_bytes=data, kind="csv", actor="client:cli_x", dry_run=False, register=world.register, zone=UTC,
            mode="snapshot", **options,
        )  # fmt: skip
        assert isinstance(report, ImportRefused), options
    assert await state(world) == before
