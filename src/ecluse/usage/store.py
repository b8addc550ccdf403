"""Statements of the usage capability. All that is read of a person is read as ``ecluse_usage``, in the three steps that 0007_pre_usage.sql explains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final

import asyncpg
import msgspec

from ecluse.db import HEAD_SECONDS, Connection
from ecluse.ledger.errors import NotPublished, RangeRefused
from ecluse.ledger.fields import Committed, fields_of
from ecluse.ledger.serve import read_tiles, served_checkpoint
from ecluse.ledger.store import demand_durable
from ecluse.ledger.tiles import read_nodes, tiles_with
from ecluse.ledger.tree import fold, nodes_of, plan_inclusion
from ecluse.usage.merge import Cell
from ecluse.usage.model import Asked, Entry, Paper, Span, Visit
from ecluse.usage.parse import UNREADABLE, read_paper
from ecluse.usage.prove import prove_line

PLAN: Final = (
    "select control_seq, at, lines, total from ecluse.usage_plan("
    "$1::smallint, $2::integer, $3::bytea, $4::text, $5::timestamptz, $6::timestamptz, $7::smallint, $8::bigint, $9::integer)"
)
SEAL: Final = (
    "select ecluse.usage_seal("
    "$1::smallint, $2::bigint, $3::timestamptz, $4::integer, $5::bytea, $6::integer, $7::bytea, $8::text, $9::bytea, $10::bytea)"
)
SHOWN: Final = (
    "select log_id, index, sealed_at, event, fields, salts, held_until, held_reason, held_basis from ecluse.usage_shown($1::bytea) "
    "order by sealed_at desc, log_id desc, index desc"
)
LINK: Final = "select outcome, expires_at from ecluse.usage_link($1::smallint, $2::integer, $3::bytea, $4::text, $5::text, $6::text, $7::bytea, $8::integer)"
ENTER: Final = "select ends_at from ecluse.usage_enter($1::bytea, $2::bytea)"
VISITED: Final = "select subject_ref, client_id, thumbprint, until_at, ends_at from ecluse.usage_visited($1::bytea, $2::boolean)"
LEAVE: Final = "select ecluse.usage_leave($1::bytea)"
AGAIN: Final = (
    "select digest, lines, total from ecluse.usage_again($1::bytea, $2::timestamptz, $3::smallint, $4::bigint, $5::integer)"
)
KEYS: Final = "select k.vkey from ecluse.ledger_key k where k.log_id = any ($1::smallint[]) order by k.log_id, k.from_size"
SPEND: Final = "select ecluse.spend($1::integer, $2::bytea)"
PAPERS: Final = """
select w.processor, w.version, c.text, p.name
from unnest($1::text[], $2::integer[]) as w (processor, version)
join ecluse.processor p on p.id = w.processor
left join ecluse.contract c on c.processor_id = w.processor and c.version = w.version
"""
COUNTS_DUE: Final = "select day, at, processor_id, purpose, decisions from ecluse.counts_due($1::smallint)"
NOTE_COUNTS: Final = "select ecluse.note_counts($1::smallint, $2::timestamptz, $3::bytea, $4::text, $5::bytea)"
PURGE: Final = "select ecluse.purge_usage()"
_PUBLISHED: Final = "select log_id, day, index, counts from ecluse.counts_day order by day desc, log_id desc limit $1"
_RULES: Final = """
select d.id, d.processor_id, d.purpose, d.reason, d.legal_basis, d.placed_by, d.from_at, d.until_at, d.released_at,
       d.released_at is null and ecluse.clock() < d.until_at as in_force
from ecluse.usage_deferral d
where $1::boolean or (d.released_at is null and ecluse.clock() < d.until_at)
order by d.from_at desc, d.id
"""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What a look-up would show. ``at``: the database's clock then; ``lines``: of the page, ``total``: of the span, 10,000 at most."""

    control_seq: int
    at: datetime
    lines: int
    total: int


async def plan_look(connection: Connection, log_id: int, asked: Asked) -> Planned:
    """Count the lines of a look-up (role ``ecluse_usage``)."""
    span = asked.span
    before = span.before or (None, None)
    row = await connection.fetchrow(
        PLAN, log_id, asked.slot, asked.digest, asked.subject, span.from_at, span.to_at, *before, span.most
    )
    if row is None:
        raise AssertionError("impossible: a log without a head")
    return Planned(control_seq=row["control_seq"], at=row["at"], lines=row["lines"], total=row["total"])


async def seal_look(connection: Connection, log_id: int, planned: Planned, asked: Asked, entry: Committed, *, limit: int) -> str:
    """Seal a look-up and return what became of it, as ``ecluse.usage_seal`` says (role ``ecluse_usage``). Raises `CommitUncertain`."""
    with demand_durable(connection):
        word: str = await connection.fetchval(
            SEAL,
            log_id,
            planned.control_seq,
            planned.at,
            asked.slot,
            asked.digest,
            limit,
            entry.leaf,
            entry.fields,
            entry.salts,
            asked.visit,
        )
    return word


async def read_lines(connection: Connection, digest: bytes) -> list[Entry]:
    """Return the lines of a look-up that was sealed, newest first (role ``ecluse_usage``)."""
    return [
        Entry(
            log_id=row["log_id"], index=row["index"], sealed_at=row["sealed_at"], event=row["event"], fields=tuple(fields_of(row["fields"])),
            salts=row["salts"], held_until=row["held_until"], held_reason=row["held_reason"], held_basis=row["held_basis"],
        )
        for row in await connection.fetch(SHOWN, digest)
    ]  # fmt: skip


async def make_link(
    connection: Connection, log_id: int, asked: Asked, digest: bytes, *, limit: int
) -> tuple[str, datetime | None]:
    """Keep a link; return what became of it, as ``ecluse.usage_link`` says, and its end (role ``ecluse_usage``)."""
    row = await connection.fetchrow(
        LINK, log_id, asked.slot, asked.digest, asked.client, asked.thumbprint, asked.subject, digest, limit
    )
    if row is None:
        raise AssertionError("impossible: a link without an outcome")
    return row["outcome"], row["expires_at"]


async def enter(connection: Connection, link: bytes, visit: bytes) -> bool:
    """Make a link a visit; False where it is used, over, or never was (role ``ecluse_usage``)."""
    return await connection.fetchrow(ENTER, link, visit) is not None


async def visited(connection: Connection, digest: bytes, *, renew: bool) -> Visit | None:
    """Return a visit that lasts; None for any other digest (role ``ecluse_usage``)."""
    row = await connection.fetchrow(VISITED, digest, renew)
    if row is None:
        return None
    return Visit(
        digest=digest, subject=row["subject_ref"], client=row["client_id"], thumbprint=row["thumbprint"], until_at=row["until_at"],
        ends_at=row["ends_at"],
    )  # fmt: skip


async def leave(connection: Connection, digest: bytes) -> None:
    """Forget a visit (role ``ecluse_usage``)."""
    await connection.execute(LEAVE, digest)


async def spend(connection: Connection, slot: int, digest: bytes) -> None:
    """Spend random bits in the place of a proof of key (role ``ecluse_app``)."""
    await connection.execute(SPEND, slot, digest)


async def log_keys(connection: Connection, logs: Iterable[int]) -> list[str]:
    """Return the keys that ever signed these logs (role ``ecluse_app``)."""
    return [row["vkey"] for row in await connection.fetch(KEYS, sorted(logs))]


async def read_again(connection: Connection, visit: bytes, span: Span) -> tuple[list[Entry], int] | None:
    """Return the lines, and the total, of a page that this visit sealed a moment ago, if they are still those that were sealed (role ``ecluse_usage``)."""
    row = await connection.fetchrow(AGAIN, visit, span.to_at, *(span.before or (None, None)), span.most)
    if row is None:
        return None
    entries = await read_lines(connection, row["digest"])
    return (entries, row["total"]) if len(entries) == row["lines"] else None


async def read_papers(connection: Connection, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Paper]:
    """Return what versions of contracts say in words; a processor's registered name where its contract names none."""
    keys = sorted(set(wanted))
    papers = {}
    for row in await connection.fetch(PAPERS, [key[0] for key in keys], [key[1] for key in keys]):
        paper = UNREADABLE if row["text"] is None else read_paper(row["text"])
        papers[row["processor"], row["version"]] = msgspec.structs.replace(paper, name=paper.name or row["name"])
    return papers


async def prove_lines(connection: Connection, entries: Sequence[Entry]) -> dict[tuple[int, int], str]:
    """Return the proofs of lines, by log and index; without those that no served checkpoint covers yet. One read a log."""
    proofs: dict[tuple[int, int], str] = {}
    for log_id in sorted({entry.log_id for entry in entries}):
        head = await served_checkpoint(connection, log_id)
        if head is None:
            continue
        covered = [entry for entry in entries if entry.log_id == log_id and entry.index < head.size]
        try:
            plans = [plan_inclusion(entry.index, head.size) for entry in covered]
            nodes = nodes_of(tuple(group for plan in plans for group in plan))  # neighbours share most: each once
            found = read_nodes(nodes, await read_tiles(connection, log_id, tiles_with(nodes)))
        except (NotPublished, RangeRefused):
            continue  # tiles that have to be rebuilt first: the lines come without, and with it next time
        for entry, plan in zip(covered, plans, strict=True):
            proofs[log_id, entry.index] = prove_line(entry, fold(plan, found), head.note)
    return proofs


async def provable_lines(connection: Connection, entries: Sequence[Entry]) -> dict[tuple[int, int], str]:
    """Return an empty proof for each line that a served checkpoint covers: for who asks only whether there is one. One read a log."""
    heads = {log_id: await served_checkpoint(connection, log_id) for log_id in sorted({entry.log_id for entry in entries})}
    covered = [entry for entry in entries if (head := heads[entry.log_id]) is not None and entry.index < head.size]
    return {(entry.log_id, entry.index): "" for entry in covered}


async def counts_due(connection: Connection, log_id: int) -> tuple[date, datetime, dict[Cell, int]] | None:
    """Return the oldest day whose counts are to be published, the database's clock, and its decisions (role ``ecluse_jobs``)."""
    rows = await connection.fetch(COUNTS_DUE, log_id)
    if not rows:
        return None
    decisions = {(row["processor_id"], row["purpose"]): row["decisions"] for row in rows if row["processor_id"] is not None}
    return rows[0]["day"], rows[0]["at"], decisions


async def note_counts(connection: Connection, log_id: int, at: datetime, entry: Committed) -> bool:
    """Seal a day's counts; False where another process did, or the plan is too old (role ``ecluse_jobs``)."""
    return bool(await connection.fetchval(NOTE_COUNTS, log_id, at, entry.leaf, entry.fields, entry.salts, timeout=HEAD_SECONDS))


async def published_counts(connection: Connection, most: int) -> list[asyncpg.Record]:
    """Return what was published, newest first (role ``ecluse_reader``)."""
    return await connection.fetch(_PUBLISHED, most)


async def rules(connection: Connection, *, every: bool) -> list[asyncpg.Record]:
    """Return the rules in force, newest first; ``every``: those that ended, too. Never of whom (role ``ecluse_reader``)."""
    return await connection.fetch(_RULES, every)
