"""Sealing a control entry: composing it from what is done, and composing it anew when another came between."""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg
import msgspec

from ecluse.clock import sealed_text
from ecluse.db import LOST, Connection, DatabaseUnavailable
from ecluse.ids import random_bytes
from ecluse.ledger.errors import ControlRefused, LedgerError, LedgerStale
from ecluse.ledger.fields import SALT_BYTES, Event, commit
from ecluse.ledger.store import control, read_head

_TRIES = 16


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed control entry: its index and the ``control_seq`` that it raised."""

    index: int
    control_seq: int


async def seal_control(
    connection: Connection, *, log_id: int, event: Event, act: str, actor: str, target: str, detail: Mapping[str, object], body: Mapping[str, object],
    processor: str | None = None, subject: str | None = None, expected_seq: int | None = None,
) -> Control:  # fmt: skip
    """Seal one change of what may be disclosed, with its effect, in one transaction.

    ``actor``: who does it; ``target``: on what (sealed as ``object``); ``detail``: what the entry says of it; ``body``: what ``ecluse.control`` needs to do
    it. ``expected_seq``: the ``control_seq`` that the caller checked against; if another change came since, `LedgerStale` is raised at once.
    Raises `ControlRefused` for a broken rule, `DatabaseUnavailable` for a lost connection.
    """
    for _ in range(_TRIES):
        head = await read_head(connection, log_id)
        if expected_seq is not None and head.control_seq != expected_seq:
            raise LedgerStale
        fields: list[tuple[str, object]] = [("at", sealed_text(head.at)), ("event", event.value)]
        fields += [("processor", processor)] if processor is not None else []
        fields += [("subject", subject)] if subject is not None else []
        fields += [("actor", actor), ("object", target), ("detail", dict(detail))]
        committed = commit(fields, random_bytes(SALT_BYTES * len(fields)))
        refused: LedgerError | DatabaseUnavailable
        try:
            index, seq = await control(
                connection,
                log_id,
                head,
                committed,
                event=event.value,
                processor=processor,
                act=act,
                body=msgspec.json.encode(body).decode(),
            )
        except LedgerStale:
            if expected_seq is not None:
                raise
            continue
        except (asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError):  # rolled back for certain: compose it again
            if expected_seq is None:
                continue
            refused = LedgerStale()
        except LOST:
            refused = DatabaseUnavailable("the database does not answer; whether it was sealed is not known")
        except (asyncpg.IntegrityConstraintViolationError, asyncpg.NoDataFoundError) as broken:
            refused = ControlRefused(broken.constraint_name or "")
        else:
            return Control(index=index, control_seq=seq)
        raise refused  # outside the handler: the driver's text, which quotes values, is not its context
    raise LedgerStale
