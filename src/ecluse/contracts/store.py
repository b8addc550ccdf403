"""Reading what stands for and against processors beside their contracts: accepted documents, findings, approved overrides. SQL is in ``queries.sql``.

Whoever shows or applies a gate reads its facts here, so that no two can differ. Trusted as the ledger's database is: ``ecluse ledger fsck`` compares each of
these rows with the entry that sealed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import aiosql
import asyncpg
from aiosql.queries import Queries

from ecluse.contracts.errors import ContractInvalid
from ecluse.contracts.gate import Gatekeeper
from ecluse.contracts.history import GateHistory
from ecluse.contracts.parse import parse_contract
from ecluse.contracts.standing import AuditFinding, Document, Override, Severity, Standing
from ecluse.db import Connection
from ecluse.register.model import AttributeType

REMEMBERED: Final = timedelta(days=30)
"""How far back a decision looks: a grant's interval begins with its window, which is 15 days at most (14, and a session of one)."""

Rows = tuple[list[asyncpg.Record], list[asyncpg.Record], list[asyncpg.Record]]
"""Documents, findings and overrides of one processor."""


@cache
def query(name: str) -> str:
    """Return a statement of ``queries.sql``, loaded at first use: importing a module does nothing."""
    return str(getattr(_queries(), name).sql)


@cache
def _queries() -> Queries:
    queries: Queries = aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")
    return queries


async def load_facts(connection: Connection, processors: Sequence[str], past: timedelta | None = None) -> Mapping[str, Rows]:
    """Read the facts of some processors, inside the caller's transaction if they have to agree with anything else; `standing_of` reads them.

    ``past``: without what was over longer ago than this, which decides nothing from then on; None: all of it.
    """
    facts: dict[str, Rows] = {}
    for place, name in enumerate(("documents_of", "findings_of", "overrides_of")):
        for row in await connection.fetch(query(name), list(processors), past):
            facts.setdefault(row["processor_id"], ([], [], []))[place].append(row)
    return facts


async def load_standing(connection: Connection, processor: str) -> Standing:
    """Read all of one processor, as far back as it is kept: what its gate was, is and will be follows from it."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return standing_of((await load_facts(connection, [processor])).get(processor))


def standing_of(rows: Rows | None) -> Standing:
    """Make one processor's standing of its rows."""
    documents, findings, overrides = rows or ([], [], [])
    return Standing(
        documents=tuple(_document(row) for row in documents),
        findings=tuple(
            AuditFinding(
                id=row["id"],
                severity=Severity(row["severity"]),
                due_on=row["due_on"],
                opened_at=row["opened_at"],
                closed_at=row["closed_at"],
            )
            for row in findings
        ),
        overrides=tuple(
            Override(
                id=row["id"],
                reasons=tuple(row["reasons"]),
                from_at=row["approved_at"],
                until_at=row["until_at"],
                revoked_at=row["revoked_at"],
            )
            for row in overrides
        ),
    )


def _document(row: asyncpg.Record) -> Document:
    return Document(
        id=row["id"],
        kind=row["kind"],
        reviewed_on=row["reviewed_on"],
        ends_on=row["ends_on"],
        sites=tuple(row["sites"]),
        bridges=row["bridges"],
        sub_processors=tuple(row["names"]),
        accepted_at=row["accepted_at"],
        withdrawn_at=row["withdrawn_at"],
    )


async def load_history(
    connection: Connection, processor: str, attributes: Mapping[str, AttributeType], timezone: ZoneInfo
) -> GateHistory:
    """Read every version of a processor's contract and all of its standing: what its gate was, is and will be."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        versions = await connection.fetch(query("versions_of"), processor)
        standing = standing_of((await load_facts(connection, [processor])).get(processor))
    return GateHistory([(row["applied_at"], _keeper(row["text"], standing, attributes, timezone)) for row in versions])


def _keeper(text: str, standing: Standing, attributes: Mapping[str, AttributeType], timezone: ZoneInfo) -> Gatekeeper | None:
    try:
        return Gatekeeper(parse_contract(text, attributes), standing, timezone)
    except ContractInvalid:
        return None
