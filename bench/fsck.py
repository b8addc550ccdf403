"""What the check of a whole log costs, as an operator runs it: once with nothing remembered, once more with what it remembered.

The log holds disclosures in the format of the gate's, hashed and signed by its own integrator. A block of 65,536 is composed and then repeated, index after
index: the check hashes each of them, and can't know. The database's clock then goes on by 40 days, so that the budgets of those hours are over, as they are
for almost every entry of a log of that size.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import asyncpg

from bench.agency import ensure_agency, read_agency
from bench.ledger import Line, integrate_all
from bench.run import Bench, opened
from ecluse import clock
from ecluse.clock import sealed_text
from ecluse.ledger.fields import SALT_BYTES, Event, commit

ORIGIN: Final = "bench.example/ecluse/main"
_PEOPLE: Final = 20_000
_APPOINTMENTS: Final = 3_000
_BLOCK: Final = 65_536
_ATTRIBUTES: Final = ("birth_date", "family_name", "given_name", "phone", "preferred_language")
_STAGED: Final = """
create unlogged table if not exists public.staged (
  n int primary key, leaf bytea not null, at timestamptz not null, disclosure text not null, processor text not null, agent text not null,
  subject text not null, fields text not null, salts bytea not null
)
"""
_COLUMNS: Final = ("n", "leaf", "at", "disclosure", "processor", "agent", "subject", "fields", "salts")
_ENTRIES: Final = "insert into ecluse.ledger_entry (log_id, index, leaf, sealed_at) select 1, $1::bigint + n, leaf, at from public.staged order by n"
_OPENINGS: Final = """
insert into ecluse.opening (log_id, index, sealed_at, event, disclosure_id, processor_id, agent_id, subject_ref, fields, salts)
select 1, $1::bigint + n, at, 'disclosure:person:granted', disclosure, processor, agent, subject, fields, salts from public.staged order by n
"""
_READS: Final = """
update ecluse.appointment a set reads = a.reads + s.times
from (select processor, substring(fields from '"appointment","([^"]*)"') as handle, count(*) as times from public.staged group by 1, 2) s
where a.processor_id = s.processor and a.id = s.handle
"""
_LATER: Final = "create or replace function ecluse.clock() returns timestamptz language sql volatile as 'select clock_timestamp() + interval ''40 days'''"

Record = tuple[int, bytes, object, str, str, str, str, str, bytes]


def checked(folder: Path, port: int, entries: int) -> list[Line]:
    """Fill a ledger of about ``entries``, and check it: first without a memory, then with."""
    place = (folder / "fsck").absolute()
    if read_agency(place) is not None:  # any other folder is left alone, and refused if it is not empty
        shutil.rmtree(place)
    agency = ensure_agency(place, _PEOPLE, port, _APPOINTMENTS)
    with opened(place, agency, port, seconds=1.0, warm=0.0) as bench:
        size = asyncio.run(_fill(bench, max(1, round(entries / _BLOCK))))
        print(f"{size:,} entries: hashed and signed", flush=True)
        lines = []
        for said in ("nothing remembered", "unchanged since the last check"):
            lines += _fsck(place, size, said)
            print(*lines[-3:], sep="\n", flush=True)
    return lines


async def _fill(bench: Bench, blocks: int) -> int:
    """Write the blocks past the door, and integrate them. Returns how many entries there are."""
    if bench.reached.embedded is None:
        raise AssertionError("impossible: an agency has its own database")
    admin = await asyncpg.connect(bench.reached.embedded.superuser_dsn("ecluse"))
    try:
        await admin.execute(_STAGED)
        staged = await _compose(admin)
        await admin.copy_records_to_table("staged", schema_name="public", columns=_COLUMNS, records=staged)
        for block in range(blocks):
            async with admin.transaction():
                size: int = await admin.fetchval("select size from ecluse.ledger_head where log_id = 1")
                for statement in (_ENTRIES, _OPENINGS):
                    await admin.execute(statement, size)
                await admin.execute(_READS)
                await admin.execute(
                    "update ecluse.ledger_head set size = $1, last_at = $2 where log_id = 1", size + _BLOCK, staged[0][2]
                )
            if block % 16 == 15:
                print(f"  {size + _BLOCK:,} entries", flush=True)
        await admin.execute("drop table public.staged")
        await admin.execute("vacuum analyze")
        await integrate_all(bench.installation, bench.reached, ORIGIN, blocks * _BLOCK)
        await admin.execute(_LATER)
        total: int = await admin.fetchval("select size from ecluse.ledger_head where log_id = 1")
    finally:
        await admin.close()
    return total


async def _compose(admin: asyncpg.Connection[asyncpg.Record]) -> list[Record]:
    """Compose a block of disclosures: the fields that the door seals, of the lengths that it seals."""
    places = await admin.fetch(
        "select a.processor_id, a.id, a.subject_ref, g.agent_id, c.id as client, k.hash, k.reference, k.version from ecluse.appointment a "
        "join ecluse.session_agent g on g.session_id = a.session_id join ecluse.contract k on k.processor_id = a.processor_id "
        "join lateral (select id from ecluse.client c where c.processor_id = a.processor_id order by id limit 1) c on true order by a.id"
    )
    at = clock.now()
    text, until = sealed_text(at), sealed_text(at.replace(year=at.year + 1, month=1, day=1))
    staged: list[Record] = []
    for number in range(_BLOCK):
        one, disclosure = places[number % len(places)], "dsc_" + secrets.token_hex(13)
        given = secrets.token_bytes(32 * 2 * len(_ATTRIBUTES)).hex()
        hashes = [given[first : first + 64] for first in range(0, len(given), 64)]
        fields: list[tuple[str, object]] = [
            ("at", text),
            ("event", Event.PERSON_GRANTED.value),
            ("disclosure", disclosure),
            ("processor", one["processor_id"]),
            ("client", one["client"]),
            ("agent", one["agent_id"]),
            ("assurance", "asserted"),
            ("appointment", one["id"]),
            ("subject", one["subject_ref"]),
            ("purpose", "civic-training"),
            ("legal_basis", "6.1.e"),
            ("contract", {"hash": one["hash"], "reference": one["reference"], "version": one["version"]}),
            ("forms", dict.fromkeys(_ATTRIBUTES, "full")),
            ("values", dict(zip(_ATTRIBUTES, hashes, strict=False))),
            ("fingerprints", {"attributes": dict(zip(_ATTRIBUTES, hashes[5:], strict=True)), "key": 1, "normal": 1}),
            ("rules", ["appointment", "contract", "gate:open"]),
            ("interval", [text, until]),
        ]
        done = commit(fields, secrets.token_bytes(SALT_BYTES * len(fields)))
        who = (disclosure, one["processor_id"], one["agent_id"], one["subject_ref"])
        staged.append((number, done.leaf, at, *who, done.fields, done.salts))
    return staged


def _fsck(folder: Path, size: int, said: str) -> list[Line]:
    """Run the command, and take its time by the clock, and the memory of the largest of its processes."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "ecluse", "ledger", "fsck", "--json", "--dir", str(folder)], stdout=subprocess.PIPE
    )
    if process.stdout is None:
        raise AssertionError("impossible: a pipe was asked for")
    answer = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    report = json.loads(answer)
    if status or not report["sound"] or report["openings"] != size:
        raise SystemExit(f"the log that was made is not whole: {report}")
    spent = used.ru_utime + used.ru_stime
    return [
        Line(what=f"fsck of {size:,} entries", figure=seconds, unit="s", said=f"{said}; {size / seconds:,.0f} entries/s on {os.cpu_count()} cores"),
        Line(what="processor time of it, without PostgreSQL's", figure=spent / size * 1e6, unit="µs/entry", said=said),
        Line(what="its largest process", figure=used.ru_maxrss / 1024, unit="MiB", said=said),
    ]  # fmt: skip
