"""Statements of the disclosure capability that stand beside the seal."""

from __future__ import annotations

from typing import Final

import asyncpg
import structlog

from ecluse.clock import sealed_text
from ecluse.db import HEAD_SECONDS, LOST, Pool
from ecluse.ids import random_bytes
from ecluse.ledger import Event, commit
from ecluse.ledger.fields import SALT_BYTES

log: Final = structlog.get_logger("ecluse.disclosure")

DUE: Final = "select client_id, processor_id, minute, counted, at from ecluse.refusals_due($1::smallint)"
NOTE: Final = "select ecluse.note_refusals($1::smallint, $2::text, $3::integer, $4::integer, $5::timestamptz, $6::bytea, $7::text, $8::bytea)"


async def note_floods(pool: Pool, log_id: int) -> int:
    """Seal one entry for each client and minute that is over and in which refusals were only counted; return how many.

    Role ``ecluse_jobs``. Any number of processes may do it: the second finds it noted. A failure is logged and left for the next time.
    """
    noted = 0
    try:
        for client, processor, minute, count, at in await pool.fetch(DUE, log_id):
            fields: list[tuple[str, object]] = [
                ("at", sealed_text(at)),
                ("event", Event.REFUSALS_COUNTED.value),
                *([("processor", processor)] if processor is not None else []),
                ("client", client),
                ("detail", {"minute": minute}),
                ("count", count),
            ]
            entry = commit(fields, random_bytes(SALT_BYTES * len(fields)))
            noted += await pool.fetchval(
                NOTE, log_id, client, minute, count, at, entry.leaf, entry.fields, entry.salts, timeout=HEAD_SECONDS
            )
    except (*LOST, asyncpg.PostgresError) as failed:
        log.warning("disclosure:floods:failed", code=type(failed).__name__, log_id=log_id)
    return noted
