"""Forgetting: one batch a night for all reasons together, sealed before anything goes (docs/erasure.md; migrations/0006_pre_erasure.sql does the work).

A batch is planned and sealed in one transaction: the control entry ``control:erasure:done`` commits to the salted set of erased indexes. Then openings
and what tells of their people are deleted in slices, without the head's lock. A crash leaves a sealed batch that the next call finishes, or nothing.
Entries never change.

Everything here runs as role ``ecluse_jobs``, which may call the functions that forget and read nothing else of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta, tzinfo
from typing import Final, TypeAlias

import asyncpg
import msgspec
import structlog

from ecluse import clock
from ecluse.db import BOUND_COMMIT, LOST, Connection, Pool
from ecluse.events import describe
from ecluse.ids import new_id, random_bytes
from ecluse.ledger.account import erased_set
from ecluse.ledger.errors import ClockUntrusted, LedgerError, LedgerStale
from ecluse.ledger.fields import SALT_BYTES, Event, commit
from ecluse.ledger.store import demand_durable, read_head

Tell: TypeAlias = Callable[[int], None]
"""Called with how many openings are gone so far."""

PLAN: Final = "select id, control_seq, firsts, pasts from ecluse.plan_erasure($1::smallint, $2::smallint, $3::integer, $4::integer, $5::bytea)"
SEAL_ERASURE: Final = "select ecluse.seal_erasure($1::bigint, $2::timestamptz, $3::bytea, $4::text, $5::bytea)"
SLICE: Final = "select openings, done from ecluse.erase_slice($1::integer)"
_LOGS: Final = "select id, name from ecluse.ledger_log order by id = $1::smallint, id"
_ASK: Final = "select ecluse.ask_erasure($1, $2, $3, $4)"
_WITHDRAW: Final = "select ecluse.withdraw_erasure($1)"
_REQUESTS: Final = "select id, requested_by, requested_at, reason, batch, why, until from ecluse.erasure_requests()"
_BATCHES: Final = "select id, log_id, index, of_log, count, sealed_at, done_at from ecluse.erasure_batches($1)"
_KEPT: Final = "select hold, scope, openings from ecluse.erasure_kept($1)"

SLICE_ROWS: Final = 2_000
"""Rows of a kind that one statement deletes at most: some 50 ms, in which nobody waits for it."""
MOST_RANGES: Final = 5_000
"""Ranges that a batch of more than a day holds at most: they are written under the head's lock."""

_SPANS: Final = (31, 7, 1)  # days of openings that a batch takes, the fewer the more they lie apart
_TRIES: Final = 16
_MOST_BATCHES: Final = 2_000  # five years, day by day
_MOST_SLICES: Final = 10_000_000
_BREATH: Final = 0.02  # seconds between slices: others have their turn at the disk
_LOOK_EVERY: Final = 60.0

_log: Final = structlog.get_logger("ecluse.erasure")


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed batch. ``index``: its entry in log ``log_id``; ``of_log``: whose openings; ``done_at``: None while it is under way."""

    id: int
    log_id: int
    index: int
    of_log: int
    count: int
    sealed_at: datetime
    done_at: datetime | None

    def complete_at(self, backups: timedelta) -> datetime | None:
        """Return when the last backup that still holds what was erased is gone; None while it is under way."""
        return None if self.done_at is None else self.done_at + backups


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A person's erasure that was asked for and is not done.

    ``why``: what it waits for, None where it goes with the next batch; ``until``: until when, None where only somebody can end that.
    """

    id: str
    requested_by: str
    requested_at: datetime
    reason: str
    batch: int | None
    why: str | None
    until: datetime | None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A legal hold in force, and how many openings it keeps past their time."""

    hold: str
    scope: str
    openings: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for, what was done last (newest first), what is kept."""

    requests: tuple[Request, ...]
    batches: tuple[Batch, ...]
    kept: tuple[Kept, ...]


class _TooWide(Exception):
    """The plan has more ranges than are written under the lock; never leaves this module."""


async def erase_due(connection: Connection, log_id: int, months: int, tell: Tell | None = None) -> list[int]:
    """Finish what is under way, then erase all that is due, openings older than ``months`` and who asked; return the indexes of the entries sealed.

    ``log_id``: the log that is written now. Raises `LedgerStale` where others kept changing things, `ClockUntrusted`, and the driver's errors: whatever was
    sealed is finished by the next call.
    """
    sealed: list[int] = []
    gone = await finish(connection, tell)
    for of_log, name in await connection.fetch(_LOGS, log_id):
        for _ in range(_MOST_BATCHES):
            if not await _seal_next(connection, log_id, of_log, months, name):
                break
            gone = await finish(connection, tell, gone)
            sealed += [row["index"] for row in await connection.fetch(_BATCHES, 1)]
    return sealed


async def finish(connection: Connection, tell: Tell | None = None, gone: int = 0) -> int:
    """Delete what a sealed batch names, a slice at a time; return how many openings are gone by now."""
    for _ in range(_MOST_SLICES):
        row = await connection.fetchrow(SLICE, SLICE_ROWS)
        if row is None:
            raise AssertionError("impossible: erase_slice() answers one row")
        gone += row["openings"]
        if tell is not None:
            tell(gone)
        if row["done"]:
            break
        await asyncio.sleep(_BREATH)
    return gone


async def _seal_next(connection: Connection, log_id: int, of_log: int, months: int, name: str) -> bool:
    """Plan and seal one batch; False where nothing is due."""
    spans = list(_SPANS)
    for _ in range(_TRIES):
        most = MOST_RANGES if len(spans) > 1 else None
        try:
            # a standby that does not confirm says so at the commit, which is inside
            with demand_durable(connection):
                async with connection.transaction():
                    return await _plan_and_seal(connection, log_id, of_log, months, days=spans[0], most_ranges=most, name=name)
        except _TooWide:
            spans.pop(0)
        except LedgerStale:
            continue
    raise LedgerStale


async def _plan_and_seal(
    connection: Connection, log_id: int, of_log: int, months: int, *, days: int, most_ranges: int | None, name: str
) -> bool:
    """Do it inside the caller's transaction; what raises takes the plan back."""
    salt = random_bytes(SALT_BYTES)
    plan = await connection.fetchrow(PLAN, log_id, of_log, months, days, salt)
    if plan is None:
        return False
    ranges = list(zip(plan["firsts"], plan["pasts"], strict=True))
    if most_ranges is not None and len(ranges) > most_ranges:
        raise _TooWide
    head = await read_head(connection, log_id)
    detail: dict[str, object] = {"count": sum(past - first for first, past in ranges), "set": erased_set(salt, ranges)}
    if of_log != log_id:
        detail["log"] = name
    fields: list[tuple[str, object]] = [
        ("at", clock.sealed_text(head.at)),
        ("event", Event.ERASURE_DONE.value),
        ("detail", detail),
    ]
    entry = commit(fields, random_bytes(SALT_BYTES * len(fields)))
    await connection.execute(BOUND_COMMIT)
    outcome = await connection.fetchval(SEAL_ERASURE, plan["id"], head.at, entry.leaf, entry.fields, entry.salts)
    if outcome == "clock-untrusted":
        raise ClockUntrusted
    if outcome != "sealed":
        raise LedgerStale
    return True


async def ask_erasure(connection: Connection, *, subject: str, reason: str, actor: str) -> str | None:
    """Ask for a person's erasure; return the request's id, None if it was asked before. ``subject``: in its one spelling."""
    request = new_id("ers")
    return request if await connection.fetchval(_ASK, request, subject, reason, actor) == "asked" else None


async def withdraw_erasure(connection: Connection, request: str) -> bool:
    """Take a request back; False if there is none of this id, or it is sealed already."""
    return bool(await connection.fetchval(_WITHDRAW, request))


async def standing(connection: Connection, months: int, most: int = 10) -> Standing:
    """Return what is asked for, the last ``most`` batches, and what legal holds keep past ``months``."""
    return Standing(
        requests=tuple(Request(**dict(row)) for row in await connection.fetch(_REQUESTS)),
        batches=tuple(Batch(**dict(row)) for row in await connection.fetch(_BATCHES, most)),
        kept=tuple(Kept(**dict(row)) for row in await connection.fetch(_KEPT, months)),
    )


class Eraser:
    """The nightly worker: once a day, from an hour of the controller's night on. Any number may run; one at a time has the turn."""

    def __init__(self, pool: Pool, *, log_id: int, months: int, hour: int, zone: tzinfo) -> None:
        """``pool``: role ``ecluse_jobs``; ``hour``: of the local day, from which on it is night enough."""
        self._pool, self._log_id, self._months, self._hour, self._zone = pool, log_id, months, hour, zone
        self._last: date | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop``; a failure is logged and tried again in a minute."""
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_EVERY)
            if not stop.is_set():
                await self.look(clock.now().astimezone(self._zone))

    async def look(self, local: datetime) -> None:
        """Do tonight's work if it is time and it is not done."""
        if local.hour < self._hour or self._last == local.date():
            return
        try:
            async with self._pool.acquire() as connection:
                sealed = await erase_due(connection, self._log_id, self._months)
            self._last = local.date()
            if sealed:
                _log.info("erasure:batches:done", batches=len(sealed), log_id=self._log_id)
        except (LedgerError, *LOST, asyncpg.PostgresError) as failed:
            _log.warning("erasure:batch:failed", code=type(failed).__name__, log_id=self._log_id)
        except Exception as bug:  # noqa: BLE001 - the edge of a worker: it must not die silently
            _log.error("erasure:bug", log_id=self._log_id, **describe(bug))
