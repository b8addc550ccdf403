"""Use cases: a look at a person's record, rules that hold lines back, the counts of a day.

A look in order, each step by its own statement (0007_pre_usage.sql says why three):

1  plan: how many lines, at which ``control_seq``
2  the portal still stands; asked after 1, so that whatever stops it later makes 3 stale
3  seal: who looks at whose record, and how many lines, in the ledger before a line leaves the database
4  read the lines, the contracts' words and the proofs
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
import structlog

from ecluse.clock import sealed_text
from ecluse.db import LOST, Connection, Pool
from ecluse.disclosure import Busy, ClockUntrustedNow, LedgerUnavailable
from ecluse.events import describe
from ecluse.identity.errors import ProofInvalid
from ecluse.identity.service import refuse_stopped
from ecluse.ids import is_id, new_id, random_bytes
from ecluse.ledger.errors import CommitUncertain, ControlRefused
from ecluse.ledger.fields import SALT_BYTES, Event, commit
from ecluse.ledger.service import Control, seal_control
from ecluse.ledger.store import read_head
from ecluse.register import RegisterMap
from ecluse.usage import store
from ecluse.usage.compose import SALTS, compose_look, end_of
from ecluse.usage.errors import DeferralRefused, DeferralUnknown, LooksSpent, VisitOver
from ecluse.usage.merge import counts_of
from ecluse.usage.model import Asked, Entry, Language, Line, Office, Paper, Record, Rule, Span
from ecluse.usage.parse import UNREADABLE
from ecluse.usage.refuse import check_rule
from ecluse.usage.say import say_line

log: Final = structlog.get_logger("ecluse.usage")

TRIES: Final = 8
"""How often one look is planned before the caller is told `Busy`."""
_EVERY_SECONDS: Final = 60
_SLICE_ROWS: Final = 20_000  # what one call of `ecluse.purge_usage` deletes at most of a kind
_SLICES: Final = 20


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Where records are read. ``usage``: a pool of role ``ecluse_usage``; ``app``: of ``ecluse_app``; ``limit``: looks of one portal in a minute."""

    usage: Pool
    app: Pool
    office: Office
    log_id: int
    limit: int


async def look(reading: Reading, asked: Asked, language: Language, *, prove: bool = True) -> Record:
    """Show one page of a person's record, sealed before. Raises `LooksSpent`, `VisitOver`, `ProofInvalid`, `ClientStopped`, leaves of `DoorError`."""
    try:
        planned = await _announce(reading, asked)
        async with reading.usage.acquire() as connection:  # 4
            entries = await store.read_lines(connection, asked.digest)
        lines = await in_words(reading, entries, language, prove=prove)
    except (*LOST, CommitUncertain) as lost:
        raise LedgerUnavailable from lost
    return record_of(lines, entries, asked.span, total=planned.total, to_at=end_of(asked, planned.at))


def record_of(lines: tuple[Line, ...], entries: list[Entry], span: Span, *, total: int, to_at: datetime) -> Record:
    """Put a page together."""
    places = tuple((entry.log_id, entry.index) for entry in entries)
    return Record(lines=lines, places=places, total=total, before=places[-1] if len(places) == span.most else None, to_at=to_at)


async def _announce(reading: Reading, asked: Asked) -> store.Planned:
    """Plan and seal a look (steps 1 to 3)."""
    for _ in range(TRIES):
        async with reading.usage.acquire() as connection:
            planned = await store.plan_look(connection, reading.log_id, asked)  # 1
        async with reading.app.acquire() as connection:  # 2
            await refuse_stopped(connection, client=asked.client, thumbprint=asked.thumbprint, role="portal")
        entry = compose_look(asked, at=planned.at, lines=planned.lines, salts=random_bytes(SALTS))
        async with reading.usage.acquire() as connection:  # 3
            word = await store.seal_look(connection, reading.log_id, planned, asked, entry, limit=reading.limit)
        if word == "sealed":
            return planned
        if word == "limited":
            raise LooksSpent
        if word == "over":
            raise VisitOver
        if word == "replay":
            raise ProofInvalid("it was used before")
        if word == "clock-untrusted":
            raise ClockUntrustedNow
    raise Busy


async def in_words(reading: Reading, entries: list[Entry], language: Language, *, prove: bool = True) -> tuple[Line, ...]:
    """Write lines in words, each with its proof. ``prove``: else with an empty one, where there is one."""
    if not entries:
        return ()
    keys = {(entry.log_id, entry.index): _contract_of(entry) for entry in entries}
    async with reading.app.acquire() as connection:
        papers = await store.read_papers(connection, [key for key in keys.values() if key is not None])
        proofs = await (store.prove_lines if prove else store.provable_lines)(connection, entries)

    def paper_of(place: tuple[int, int]) -> Paper:
        key = keys[place]
        return UNREADABLE if key is None else papers.get(key, UNREADABLE)

    places = [(entry.log_id, entry.index) for entry in entries]
    return tuple(
        say_line(entry, paper_of(place), reading.office, language, proofs.get(place))
        for entry, place in zip(entries, places, strict=True)
    )


def _contract_of(entry: Entry) -> tuple[str, int] | None:
    """Return processor and version of the contract that an entry names."""
    fields = dict(entry.fields)
    processor, contract = fields.get("processor"), fields.get("contract")
    version = contract.get("version") if isinstance(contract, dict) else None
    return (processor, version) if isinstance(processor, str) and isinstance(version, int) else None


# ── lines held back ──────────────────────────────────────────────────────────────────────────────────────────────────────────
async def defer(connection: Connection, *, log_id: int, rule: Rule, register: RegisterMap, actor: str) -> tuple[str, Control]:
    """Hold lines of one person's record back until an end. Raises `DeferralRefused`."""
    check_rule(rule, register, (await read_head(connection, log_id)).at)
    name = new_id("dfr")
    said: dict[str, object] = {
        "legal_basis": rule.legal_basis, "processor": rule.processor, "purpose": rule.purpose, "reason": rule.reason,
        "until": sealed_text(rule.until_at),
    }  # fmt: skip
    try:
        sealed = await seal_control(
            connection, log_id=log_id, event=Event.USAGE_DEFERRED, act="usage:defer", actor=actor, target=name, subject=rule.subject,
            processor=rule.processor, detail=said, body={"id": name, "subject": rule.subject, "actor": actor, **said},
        )  # fmt: skip
    except ControlRefused as broken:
        raise DeferralRefused(*_BROKEN.get(broken.constraint, _BROKEN[""])) from broken
    return name, sealed


_BROKEN: Final = {
    "usage_deferral_processor_id_fkey": (
        "processor",
        "no processor is registered under that id",
        "`ecluse processor list` shows what there is",
    ),
    "usage_deferral_end_ck": (
        "end",
        "by the database's clock it is past, or more than 184 days ahead",
        "Write an end within six months",
    ),
    "": ("rule", "the database refuses it", "Compare it with docs/usage.md"),
}
"""Where, why and mend, by the constraint that refused."""


async def release(connection: Connection, *, log_id: int, rule: str, actor: str) -> Control:
    """End a rule now: its lines appear, and say that they were held back. Raises `DeferralUnknown`."""
    if not is_id(rule, "dfr"):
        raise DeferralUnknown("no such rule is in force")
    try:
        return await seal_control(
            connection,
            log_id=log_id,
            event=Event.USAGE_RELEASED,
            act="usage:release",
            actor=actor,
            target=rule,
            detail={},
            body={"id": rule},
        )
    except ControlRefused as absent:
        raise DeferralUnknown("no such rule is in force") from absent


# ── each night ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def publish_counts(pool: Pool, log_id: int) -> int:
    """Seal the counts of each UTC day that is due, the last seven at most; return how many. Any number of processes may: the second finds it done."""
    published = 0
    for _ in range(7):
        async with pool.acquire() as connection:
            due = await store.counts_due(connection, log_id)
            if due is None:
                return published
            day, at, decisions = due
            fields: list[tuple[str, object]] = [
                ("at", sealed_text(at)),
                ("event", Event.COUNTS_PUBLISHED.value),
                ("detail", counts_of(day.isoformat(), decisions)),
            ]
            entry = commit(fields, random_bytes(SALT_BYTES * len(fields)))
            published += await store.note_counts(connection, log_id, at, entry)
    return published


async def keep_house(pool: Pool, log_id: int, stop: asyncio.Event) -> None:
    """Publish what is due and forget what has served its time, each minute, until ``stop`` (role ``ecluse_jobs``). A failure is logged and tried again."""
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _EVERY_SECONDS)
            return
        try:
            await publish_counts(pool, log_id)
            for _ in range(_SLICES):
                if await pool.fetchval(store.PURGE) < _SLICE_ROWS:
                    break
        except (*LOST, asyncpg.PostgresError) as failed:
            log.warning("usage:house:failed", code=type(failed).__name__, log_id=log_id)
        except Exception as bug:  # noqa: BLE001 - the edge of a worker: it must not die silently
            log.error("usage:house:bug", log_id=log_id, **describe(bug))  # noqa: TRY400 - a trace would print the driver's text
