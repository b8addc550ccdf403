"""The statements of notices, as typed calls; their texts are in ``queries.sql``. Role ``ecluse_jobs``, but for `told` (``ecluse_reader``).

Trusted store for what was sent; it may be lost without any gate being another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

import aiosql
import asyncpg
import msgspec
from aiosql.queries import Queries

from ecluse.contracts import Contract, ContractInvalid, parse_contract
from ecluse.contracts.store import load_facts, standing_of
from ecluse.db import Connection
from ecluse.notices.model import GIVE_UP, Audience, Due, Force, Letter, Matter, Told, Topic
from ecluse.register import AttributeType

LEASE: Final = timedelta(minutes=10)
"""How long whoever took notices has to send them: longer than a round's mails can last."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to plan from, of one instant. ``forces``: of processors whose contract can be read."""

    now: datetime
    forces: tuple[Force, ...]
    matters: tuple[Matter, ...]


@cache
def query(name: str) -> str:
    """Return a statement of ``queries.sql``, loaded at first use: importing a module does nothing."""
    return str(getattr(_queries(), name).sql)


@cache
def _queries() -> Queries:
    queries: Queries = aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")
    return queries


async def load_snapshot(
    connection: Connection, attributes: Mapping[str, AttributeType], parsed: dict[str, Contract | None]
) -> Snapshot:
    """Read everything in one transaction. ``parsed``: contracts by hash, kept by the caller between calls; None: it can't be read."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        now: datetime = await connection.fetchval("select ecluse.clock()")
        rows = await connection.fetch(query("notice_contracts"))
        texts = await connection.fetch(query("notice_texts"), [row["hash"] for row in rows if row["hash"] not in parsed])
        facts = await load_facts(connection, [row["processor_id"] for row in rows])
        matters = await connection.fetch(query("notice_matters"), GIVE_UP)
    parsed |= {row["hash"]: _read(row["text"], attributes) for row in texts}
    forces = [
        Force(
            contract=contract, applied_at=row["applied_at"], standing=standing_of(facts.get(row["processor_id"])),
            told=None if row["told"] is None else Topic(row["told"]),
        )
        for row in rows
        if (contract := parsed[row["hash"]]) is not None
    ]  # fmt: skip
    return Snapshot(now=now, forces=tuple(forces), matters=tuple(_matter(row) for row in matters))


def _read(text: str, attributes: Mapping[str, AttributeType]) -> Contract | None:
    try:
        return parse_contract(text, attributes)
    except ContractInvalid:
        return None  # the doctor says so; its gate is undetermined, and there is no address


def _matter(row: asyncpg.Record) -> Matter:
    return Matter(
        processor=row["processor_id"], topic=Topic(row["topic"]), reason=row["reason"], at=row["at"], facts=_facts(row["facts"])
    )  # fmt: skip


def _facts(text: str) -> dict[str, object]:
    return msgspec.json.decode(text, type=dict[str, object])


async def note(connection: Connection, dues: Sequence[Due]) -> int:
    """Note who is to be told of what; return how many of it was new."""
    if not dues:
        return 0
    rows = await connection.fetch(
        query("note_notices"),
        GIVE_UP,
        [due.processor for due in dues],
        [due.topic.value for due in dues],
        [due.reason for due in dues],
        [due.at for due in dues],
        [due.days for due in dues],
        [due.audience.value for due in dues],
        [msgspec.json.encode(due.facts).decode() for due in dues],
    )
    return len(rows)


async def take(connection: Connection, most: int) -> list[Letter]:
    """Take up to ``most`` notices that are due, each for as long as `LEASE`."""
    return [
        Letter(
            id=str(row["id"]), due=_due(row), noted_at=row["noted_at"], attempts=row["attempts"], sent_to=tuple(row["sent_to"])
        )
        for row in await connection.fetch(query("take_notices"), LEASE, most)
    ]  # fmt: skip


async def settle(connection: Connection, letter: str, problem: str | None, sent_to: Sequence[str], pause: timedelta) -> None:
    """Write down what became of one attempt. ``problem`` None: everybody has it."""
    await connection.execute(query("settle_notice"), problem, list(sent_to), pause, letter)


async def hurry(connection: Connection, *, again: bool) -> None:
    """Let what waits be due now; ``again``: also what was given up."""
    await connection.execute(query("hurry_notices"), again)


async def counts(connection: Connection) -> tuple[int, int]:
    """Return how many wait, and how many were given up."""
    row = await connection.fetchrow(query("notice_counts"))
    if row is None:
        raise AssertionError("impossible: counts answer one row")
    return row["waiting"], row["dead"]


async def purge(connection: Connection) -> None:
    """Forget what has served its time."""
    await connection.execute(query("purge_notices"))


async def told(connection: Connection, *, processor: str | None = None, reason: str | None = None, most: int = 200) -> list[Told]:
    """Answer who was told: of a processor (None: of all), of a reason or id (None: of all), newest first (role ``ecluse_reader``)."""
    return [
        Told(
            id=str(row["id"]), due=_due(row), noted_at=row["noted_at"], state=row["state"], attempts=row["attempts"], problem=row["problem"],
            sent_at=row["sent_at"], sent_to=tuple(row["sent_to"]),
        )
        for row in await connection.fetch(query("told"), processor, reason, most)
    ]  # fmt: skip


def _due(row: asyncpg.Record) -> Due:
    return Due(
        processor=row["processor_id"], topic=Topic(row["topic"]), reason=row["reason"], at=row["at"], days=row["days"],
        audience=Audience(row["audience"]), facts=_facts(row["facts"]),
    )  # fmt: skip
