"""The two statements that write the ledger, as typed calls. All else about them is in ``migrations/0002_pre_door.sql``.

Trusted store: it may lose nothing. A call that raises has *not sealed*, also when the commit's outcome is unknown: nothing may be released.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from msgspec.structs import astuple

from ecluse.db import Connection
from ecluse.ledger.errors import ClockUntrusted, CommitUncertain, LedgerStale
from ecluse.ledger.fields import Committed

SEAL: Final = (
    "select n, outcome, index, scope, refusals from ecluse.seal("
    "$1::smallint, $2::bigint, $3::timestamptz, $4::boolean, $5::ecluse.seal_row[], $6::bytea[], $7::text[], $8::bytea[], $9::ecluse.seal_spend[])"
)
CONTROL: Final = (
    "select outcome, index, control_seq from ecluse.control("
    "ecluse.current_log($1::smallint), $2::bigint, $3::timestamptz, $4::bytea, $5::text, $6::text, $7::text, $8::bytea, $9::text, $10::jsonb)"
)
# who names a log that was succeeded means the one that is written in its place
HEAD: Final = (
    "select size, control_seq, ecluse.clock() as at from ecluse.ledger_head where log_id = ecluse.current_log($1::smallint)"
)


class SealRow(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a batch, as `seal` takes it: up to ``event`` the members of ``ecluse.seal_row``, in their order.

    ``committed``: None for a refusal that is only counted. ``spends``: ``(unit, scope, limit)`` of each budget.
    """

    kind: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    slot: int | None
    proof: bytes | None
    client: str
    endpoint: str
    key: str | None = None
    body_hash: bytes
    entries: int = 0
    index: int | None = None
    processor: str
    handle: str
    max_reads: int = 0
    subject: str | None = None
    agent: str
    disclosure: str | None = None
    event: str | None = None
    committed: Committed | None = None
    spends: tuple[tuple[str, str, int], ...] = ()


_PLAIN: Final = SealRow.__struct_fields__.index("event") + 1


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one row: `seal`'s outcome word, the entry's index if it was sealed, the budget that refused it.

    ``refusals``: of its client in this minute, this one included; 0 where it is no refusal.
    """

    outcome: str
    index: int
    scope: str
    refusals: int


@contextmanager
def demand_durable(connection: Connection) -> Iterator[None]:
    """Refuse a commit that warns: a synchronous standby that did not confirm says so by a WARNING, and the entry may be lost with this host.

    Raises `CommitUncertain` after the statement. A pool wants its connections back without listeners, so this one is taken off again.
    """
    warnings: list[str] = []

    def note(_connection: object, message: asyncpg.PostgresLogMessage) -> None:
        if message.severity_en == "WARNING":
            warnings.append(message.sqlstate or "")

    connection.add_log_listener(note)
    try:
        yield
    finally:
        connection.remove_log_listener(note)
    if warnings:
        raise CommitUncertain


async def seal(
    connection: Connection, log_id: int, control_seq: int, at: datetime, rows: Sequence[SealRow], *, atomic: bool = False
) -> list[Sealed]:
    """Seal a batch in one autocommitted statement and return one outcome a row, in order.

    ``at``: the database's clock when the batch was gathered; ``control_seq``: the head's at the same instant. Raises the driver's errors.
    """
    spends = [(place, *spend, row.subject) for place, row in enumerate(rows, 1) for spend in row.spends]
    entries = [row.committed for row in rows]
    leaves, texts, salts = [e and e.leaf for e in entries], [e and e.fields for e in entries], [e and e.salts for e in entries]
    with demand_durable(connection):
        records = await connection.fetch(
            SEAL, log_id, control_seq, at, atomic, [astuple(row)[:_PLAIN] for row in rows], leaves, texts, salts, spends
        )
    if len(records) != len(rows):
        raise AssertionError("impossible: seal() answers every row")
    return [Sealed(outcome=r[1], index=-1 if r[2] is None else r[2], scope=r[3] or "", refusals=r[4]) for r in records]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A log's head and the database's clock at that instant."""

    size: int
    control_seq: int
    at: datetime


async def read_head(connection: Connection, log_id: int) -> Head:
    """Read a log's head without locking it. Raises `AssertionError` where the log was never opened."""
    row = await connection.fetchrow(HEAD, log_id)
    if row is None:
        raise AssertionError("impossible: a log without a head")
    return Head(size=row["size"], control_seq=row["control_seq"], at=row["at"])


async def control(
    connection: Connection,
    log_id: int,
    head: Head,
    committed: Committed,
    *,
    event: str,
    processor: str | None,
    act: str,
    body: str,
) -> tuple[int, int]:
    """Seal one control entry with its effect; return its index and the new control_seq.

    ``head``: as read when the entry was composed. ``body``: JSON text, as the act's branch in ``ecluse.control`` lists. Raises `LedgerStale` when another
    control entry came between (compose again), `ClockUntrusted`, and the driver's errors for a broken rule.
    """
    with demand_durable(connection):
        row = await connection.fetchrow(
            CONTROL,
            log_id,
            head.control_seq,
            head.at,
            committed.leaf,
            event,
            processor,
            committed.fields,
            committed.salts,
            act,
            body,
        )
    if row is None:
        raise AssertionError("impossible: control() answers one row")
    if row["outcome"] == "stale":
        raise LedgerStale
    if row["outcome"] == "clock-untrusted":
        raise ClockUntrusted
    return row["index"], row["control_seq"]
