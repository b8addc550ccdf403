"""The statements of outcomes, as typed calls; their rules are in ``migrations/0004_pre_outcomes.sql``.

Trusted store: an outcome that was answered as recorded is durable. What the webhook's columns say may be lost with a crash: it is then sent again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from ecluse.db import Connection
from ecluse.ledger.store import demand_durable
from ecluse.outcomes.model import Allowed, FeedItem, Outcome

_RECORD: Final = (
    "select outcome, revision, recorded_at from ecluse.record_outcome("
    "$1::smallint, $2::bigint, $3::timestamptz, $4::timestamptz, $5, $6, $7, $8, $9, $10, $11, $12::bytea)"
)
_COLUMNS: Final = (
    "seq, processor_id, appointment_id, source, session_ref, place_ref, attendance, level, agent_id, revision, recorded_at"
)
_AFTER: Final = f"select {_COLUMNS} from ecluse.outcome_feed where seq > $1 order by seq limit $2"  # noqa: S608 - our own column list
_DUE: Final = f"select {_COLUMNS}, attempts from ecluse.outcomes_due($1)"  # noqa: S608 - the same
_SETTLE: Final = "select ecluse.settle_outcome($1, $2, $3::integer, $4, $5, $6::interval)"
_DEAD: Final = "select seq, processor_id, appointment_id, attempts, problem, recorded_at from ecluse.outcome_feed where state = 'dead' order by seq limit $1"
ELECT: Final = "select pg_try_advisory_xact_lock(1701016941, $1::integer)"
"""The turn to deliver, until the transaction ends: the integrator's first figure and one."""


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """Who says an outcome of which appointment, and what makes a retry recognisable. ``key`` None: no Idempotency-Key was sent."""

    processor: str
    client: str
    thumbprint: str
    handle: str
    key: str | None
    body_hash: bytes


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What `record` answers: the function's word, and of an outcome that stands its revision and instant."""

    word: str
    revision: int | None
    recorded_at: datetime | None


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome to deliver now; ``attempts``: those that failed before."""

    item: FeedItem
    attempts: int


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome that the webhook gave up; ``problem``: a word of ours."""

    cursor: str
    processor: str
    appointment: str
    attempts: int
    problem: str
    recorded_at: datetime


async def record(connection: Connection, log_id: int, control_seq: int, allowed: Allowed, asking: Asking, asked: Outcome) -> Done:
    """Record an outcome in one autocommitted statement. Raises the driver's errors and `ecluse.ledger.errors.CommitUncertain`."""
    with demand_durable(connection):
        row = await connection.fetchrow(
            _RECORD, log_id, control_seq, allowed.valid_from, allowed.valid_until, asking.processor, asking.handle, asking.client, asked.agent,
            asked.attendance.value, asked.level.value if asked.level else None, asking.key, asking.body_hash,
        )  # fmt: skip
    if row is None:
        raise AssertionError("impossible: record_outcome() answers one row")
    return Done(word=row["outcome"], revision=row["revision"], recorded_at=row["recorded_at"])


async def outcomes_after(connection: Connection, seq: int, most: int) -> list[FeedItem]:
    """Return up to ``most`` outcomes after a cursor, in the order in which they were recorded."""
    return [_item(row) for row in await connection.fetch(_AFTER, seq, most)]


async def outcomes_due(connection: Connection, most: int) -> list[Due]:
    """Return up to ``most`` outcomes that the webhook shall send now, the longest due first (role ``ecluse_jobs``)."""
    return [Due(item=_item(row), attempts=row["attempts"]) for row in await connection.fetch(_DUE, most)]


async def settle(connection: Connection, item: FeedItem, state: str, problem: str | None, wait: timedelta) -> bool:
    """Note what became of one attempt; False where a correction came meanwhile, which waits on its own."""
    done: bool = await connection.fetchval(_SETTLE, item.processor, item.appointment, item.revision, state, problem, wait)
    return done


async def counts(connection: Connection) -> tuple[int, int]:
    """Return how many outcomes wait for the webhook, and how many it gave up."""
    row = await connection.fetchrow("select waiting, dead from ecluse.outcome_counts()")
    if row is None:
        raise AssertionError("impossible: outcome_counts() answers one row")
    return row["waiting"], row["dead"]


async def dead_letters(connection: Connection, most: int) -> list[DeadLetter]:
    """Return the outcomes that the webhook gave up, oldest first."""
    return [
        DeadLetter(
            cursor=str(row["seq"]), processor=row["processor_id"], appointment=row["appointment_id"], attempts=row["attempts"],
            problem=row["problem"] or "", recorded_at=row["recorded_at"],
        )
        for row in await connection.fetch(_DEAD, most)
    ]  # fmt: skip


async def retry_dead(connection: Connection) -> int:
    """Let the dead letters wait again; return how many there were."""
    count: int = await connection.fetchval("select ecluse.retry_outcomes()")
    return count


async def purge(connection: Connection) -> int:
    """Forget what has served its time (role ``ecluse_jobs``); return how many rows of the larger kind went."""
    gone: int = await connection.fetchval("select ecluse.purge_outcomes()")
    return gone


def _item(row: asyncpg.Record) -> FeedItem:
    """Turn a row of the feed into an item."""
    return FeedItem(
        cursor=str(row["seq"]), processor=row["processor_id"], appointment=row["appointment_id"], source=row["source"],
        session_ref=row["session_ref"], place_ref=row["place_ref"], attendance=row["attendance"], level=row["level"], agent=row["agent_id"],
        revision=row["revision"], recorded_at=row["recorded_at"],
    )  # fmt: skip
