"""What papers read of the database, all of it as ``ecluse_reader``, in one snapshot. SQL is in ``queries.sql``; nothing here writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import aiosql
import msgspec

from ecluse.contracts.store import Rows as StandingRows
from ecluse.contracts.store import load_facts
from ecluse.flows.model import Observed as Seen
from ecluse.flows.service import observed
from ecluse.papers.model import Counted, Observed, PurposeUse, Use

if TYPE_CHECKING:
    import asyncpg
    from aiosql.queries import Queries

    from ecluse.db import Connection

Rows: TypeAlias = "dict[str, list[asyncpg.Record]]"


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by processor, of one instant."""

    versions: Rows
    evidence: Rows
    standing: Mapping[str, StandingRows]
    findings: Rows
    overrides: Rows
    holds: Rows
    applied: Rows
    observed: dict[str, Observed]
    counted: tuple[Counted, ...]


@cache
def _queries() -> Queries:
    """Load ``queries.sql`` at first use: importing a module does nothing."""
    queries: Queries = aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")
    return queries


async def rows_of(connection: Connection, name: str, *values: object) -> list[asyncpg.Record]:
    """Run a named statement; ``values`` are bound in the order in which they are first named there."""
    return await connection.fetch(str(getattr(_queries(), name).sql), *values)


async def read_snapshot(connection: Connection, at: datetime, since: datetime, only: str | None = None) -> Snapshot:
    """Read everything of an instant; disclosures are counted from the day of ``since`` to that of ``at`` (UTC), both included.

    ``only``: what was disclosed and refused is counted of this processor alone, by index.
    """
    first, past = since.astimezone(UTC).date(), at.astimezone(UTC).date() + timedelta(days=1)
    seen = await observed(connection, first, past, only)
    refused = await (
        rows_of(connection, "paper_refusals", since, at)
        if only is None
        else rows_of(connection, "paper_refusals_of", since, at, only)
    )
    refusals = _grouped(refused)
    versions = _grouped(await rows_of(connection, "paper_processors", at), "id")
    return Snapshot(
        versions=versions,
        evidence=_grouped(await rows_of(connection, "paper_evidence", at)),
        standing=await load_facts(connection, list(versions)),
        findings=_grouped(await rows_of(connection, "paper_findings", at)),
        overrides=_grouped(await rows_of(connection, "paper_overrides", at)),
        holds=_grouped(await rows_of(connection, "paper_holds", at)),
        applied=_grouped(await rows_of(connection, "paper_applied", at)),
        observed=defaultdict(lambda: Observed(since=first, until=past, persons=0, purposes=(), uses=(), refusals={}), _by_processor(seen, refusals)),
        counted=tuple(
            Counted(log_id=each.log_id, upto=each.next_index, size=each.size, lost=each.erased + each.unreadable) for each in seen.logs
        ),
    )  # fmt: skip


def _grouped(rows: Iterable[asyncpg.Record], key: str = "processor_id") -> Rows:
    """Sort rows by processor."""
    grouped: Rows = defaultdict(list)
    for row in rows:
        grouped[row[key]].append(row)
    return grouped


def _by_processor(seen: Seen, refusals: Rows) -> dict[str, Observed]:
    """Sort what was seen by processor."""
    names = {each.processor for each in seen.recipients} | set(refusals)
    return {
        name: Observed(
            since=seen.since, until=seen.until, persons=seen.by_processor.get(name, 0),
            purposes=tuple(
                PurposeUse(
                    purpose=each.purpose, disclosures=each.disclosures, persons=each.persons, erased=each.erased, first_at=each.first_seen_at,
                    last_at=each.last_seen_at,
                )
                for each in seen.recipients if each.processor == name
            ),
            uses=tuple(
                Use(
                    purpose=each.purpose, attribute=each.attribute, forms=each.forms, disclosures=each.disclosures, persons=each.persons,
                    erased=each.erased, first_at=each.first_seen_at, last_at=each.last_seen_at,
                )
                for each in seen.fields if each.processor == name
            ),
            refusals={row["reason"]: row["refusals"] for row in refusals[name]},
        )
        for name in names
    }  # fmt: skip
