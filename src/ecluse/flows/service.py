"""Use cases of flows: fold the ledger, compare it with the contracts, propose less, try a contract, draw the map.

For papers there is one function: ``await observed(connection, since, until)`` (role ``ecluse_reader``; days in UTC, half-open) returns `Observed`: for each
processor, purpose and attribute how many disclosures and distinct persons there were and in which forms, what was erased since, and how far the ledger is
counted. Its numbers are those of the openings themselves (tests/flows/test_fold.py counts them twice). Call ``fold_all`` before it, as ``ecluse_jobs``, where
they have to be of this minute.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import structlog

from ecluse.contracts import Contract
from ecluse.contracts.store import load_standing
from ecluse.db import LOST, Connection, Pool
from ecluse.events import describe
from ecluse.flows import store
from ecluse.flows.compare import Facts, compare
from ecluse.flows.declare import declared_now
from ecluse.flows.entries import Past, read_entry
from ecluse.flows.errors import NoContract
from ecluse.flows.model import FlowMap, Imported, Observed, Version
from ecluse.flows.picture import Named, Picture, picture
from ecluse.flows.propose import Proposal, Use, propose
from ecluse.flows.shadow import Entry, PlannedSession, Replay, Shadow, report, warm_from
from ecluse.policy import Effect, Hold
from ecluse.register import AttributeType, RegisterMap

log: Final = structlog.get_logger("ecluse.flows")

BATCH: Final = 2_000
"""Entries that one transaction counts at most: a second or so on a small machine, in which an erasure waits and nobody else."""
DORMANT_DAYS: Final = 30
_EVERY_SECONDS: Final = 60
_MOST_BATCHES: Final = 10_000_000
_BREATH: Final = 0.02  # seconds between batches: others have their turn at the disk


# ── fold ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def fold_all(
    connection: Connection, tell: Callable[[int, int], None] | None = None, stop: asyncio.Event | None = None
) -> int | None:
    """Count all entries of all logs that are not counted yet; return how many, None where another process is at it (role ``ecluse_jobs``).

    ``tell``: called with how many are done, of how many. Safe to be killed anywhere, and to be run by any number of processes.
    """
    done = 0
    for log_id in await store.logs(connection):
        for _ in range(_MOST_BATCHES):
            if stop is not None and stop.is_set():
                return done
            step = await store.fold_next(connection, log_id, BATCH)
            if step is None:
                return None
            folded, next_index, size = step
            done += folded
            if tell is not None:
                tell(next_index, size)
            if next_index >= size:
                break
            await asyncio.sleep(_BREATH)
    return done


async def keep_folding(pool: Pool, stop: asyncio.Event) -> None:
    """Count what is new each minute, until ``stop`` (role ``ecluse_jobs``). A failure is logged and tried again."""
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _EVERY_SECONDS)
            return
        try:
            async with pool.acquire() as connection:
                await fold_all(connection, stop=stop)
        except (*LOST, asyncpg.PostgresError) as failed:
            log.warning("flows:fold:failed", code=type(failed).__name__)
        except Exception as bug:  # noqa: BLE001 - the edge of a worker: it must not die silently
            log.error("flows:fold:bug", **describe(bug))  # noqa: TRY400 - a trace would print the driver's text


# ── read ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def observed(connection: Connection, since: date, until: date, processor: str | None = None) -> Observed:
    """Return what was seen in the days ``[since, until)`` (UTC): disclosures and distinct persons by processor, purpose, attribute and form.

    ``processor``: of this one alone, which is read by index.
    """
    return await store.observed(connection, since, until, processor)


async def flow_map(
    connection: Connection,
    *,
    kinds: Mapping[str, AttributeType],
    zone: ZoneInfo,
    days: int = DORMANT_DAYS,
    processor: str | None = None,
) -> FlowMap:
    """Compare what contracts declare with what was seen in the last ``days`` (role ``ecluse_reader``). ``processor``: of this one alone.

    Raises `NoContract` for a processor that never had one.
    """
    facts = await read_facts(connection, kinds, zone, days=days, processor=processor)
    if processor is not None and processor not in facts.versions:
        raise NoContract(processor)
    return compare(facts)


async def read_facts(
    connection: Connection, kinds: Mapping[str, AttributeType], zone: ZoneInfo, *, days: int = DORMANT_DAYS, processor: str | None = None,
    parsed: store.Parsed | None = None, last_seen: store.LastSeen | None = None,
) -> Facts:  # fmt: skip
    """Read all that is compared, of everybody or of one processor, which is read by index.

    ``parsed``: contracts remembered for these ``kinds``; ``last_seen``: of earlier facts of everybody.
    """
    at = await store.now(connection)
    since, until = period(at, days)
    observations, seen = await store.seen(connection, since, until, processor)
    imported = await store.imports(connection)
    lists = await store.sub_processors(connection)
    return Facts(
        at=at,
        days=days,
        zone=zone,
        kinds=kinds,
        versions=await store.versions(connection, kinds, processor, parsed),
        observations=observations,
        observed=seen,
        last_seen=await store.last_seen(connection, processor, last_seen),
        attempts=await store.attempts(connection, since, until, processor),
        imported=imported if processor is None else tuple(one for one in imported if one.recipient == processor),
        lists=lists if processor is None else {name: found for name, found in lists.items() if name == processor},
    )


def period(at: datetime, days: int) -> tuple[date, date]:
    """Return the last ``days`` whole days (UTC) and today, half-open."""
    today = at.astimezone(UTC).date()
    return today - timedelta(days=days), today + timedelta(days=1)


async def propose_less(
    connection: Connection, processor: str, *, kinds: Mapping[str, AttributeType], days: int = DORMANT_DAYS
) -> Proposal:
    """Propose what a processor could be given less of, from the last ``days`` (role ``ecluse_reader``); nothing is applied.

    Raises `NoContract`, `NotRewritable`.
    """
    versions = (await store.versions(connection, kinds, processor)).get(processor, ())
    text = await store.text_in_force(connection, processor)
    if not versions or versions[-1].contract is None or text is None:
        raise NoContract(processor)
    since, until = period(await store.now(connection), days)
    since = max(since, versions[-1].applied_at.astimezone(UTC).date())
    rows, seen = await store.seen(connection, since, until, processor)
    use = Use(observations=[row for row in rows if row.version == versions[-1].version], observed=seen)
    return propose(versions[-1].contract, text, versions[-1].version, use, kinds)


async def draw_map(connection: Connection, register: RegisterMap, *, days: int = DORMANT_DAYS) -> Picture:
    """Return the map of the last ``days`` as data (role ``ecluse_reader``); ``ecluse.flows.draw.draw`` makes an SVG of it."""
    since, until = period(await store.now(connection), days)
    kinds = {name: attribute.type for name, attribute in register.attributes.items()}
    versions = await store.versions(connection, kinds)
    return drawing_of(await store.observed(connection, since, until), versions, register)


def drawing_of(
    seen: Observed, versions: Mapping[str, tuple[Version, ...]], register: RegisterMap, most: int | None = None
) -> Picture:
    """Make the map of what was seen and of contracts. ``most``: of so many processors at most, those with the most persons; numbers stay those of all."""
    if most is not None:
        shown = set(
            sorted(versions.keys() | seen.by_processor.keys(), key=lambda name: (-seen.by_processor.get(name, 0), name))[:most]
        )
        versions = {name: some for name, some in versions.items() if name in shown}
        seen = msgspec.structs.replace(
            seen,
            fields=tuple(one for one in seen.fields if one.processor in shown),
            recipients=tuple(one for one in seen.recipients if one.processor in shown),
        )
    contracts = [some[-1].contract for some in versions.values() if some[-1].contract is not None]
    named = Named(
        register=register.name,
        purposes={purpose.id: purpose.label for contract in contracts for purpose in contract.purposes.values()},
        processors={contract.processor.id: contract.processor.name for contract in contracts},
        sub_processors={
            contract.processor.id: tuple((sub.name, f"{sub.role}, {sub.country}") for sub in contract.sub_processors)
            for contract in contracts
        },
    )
    sensitivity = {name: attribute.sensitivity for name, attribute in register.attributes.items()}
    return picture(seen, declared_now(versions), sensitivity, named)


# ── what was seen elsewhere ──────────────────────────────────────────────────────────────────────────────────────────────────
async def import_flows(connection: Connection, rows: tuple[Imported, ...], *, actor: str) -> None:
    """Keep what was seen elsewhere, in the place of all that the same sources told before (role ``ecluse_app``)."""
    await store.replace_imports(connection, rows, forget=sorted({row.source for row in rows}), actor=actor)


async def forget_source(connection: Connection, source: str) -> None:
    """Forget what a source told (role ``ecluse_app``)."""
    await store.replace_imports(connection, (), forget=[source], actor="")


# ── a contract tried on the past ─────────────────────────────────────────────────────────────────────────────────────────────
async def shadow(
    connection: Connection,
    contract: Contract,
    span: tuple[datetime, datetime],
    zone: ZoneInfo,
    tell: Callable[[int], None] | None = None,
) -> Shadow:
    """Make every decision of ``[span)`` again under another contract of the same processor, and try the schedule on it (role ``ecluse_reader``).

    ``tell``: called with how many entries are read. Nothing is written, and no person leaves this function. Raises `NoContract` for a processor that is not
    there.
    """
    processor = contract.processor.id
    if not await store.is_processor(connection, processor):
        raise NoContract(processor)
    holds: dict[str, list[Hold]] = defaultdict(list)
    for row in await store.person_holds(connection):
        holds[row["scope_id"]].append(
            Hold(id=row["id"], scope="person", effect=Effect(row["effect"]), from_at=row["from_at"], until_at=row["until_at"])
        )
    warm = warm_from(span[0]), span[1]
    past = Past(holds=holds, changed=await store.changes(connection, processor, warm[0]))
    replay = Replay(contract, await load_standing(connection, processor), zone, span[0])
    await _replay(connection, replay, processor, warm, past, tell)
    sessions = [
        PlannedSession(
            id=row["id"], purpose=row["purpose"], site=row["site_id"], starts_at=row["starts_at"], places=row["places"]
        )
        for row in await store.planned(connection, processor, span)
    ]
    return report(replay, contract, span, sessions, await store.left_out(connection, processor, span))


async def _replay(
    connection: Connection,
    replay: Replay,
    processor: str,
    span: tuple[datetime, datetime],
    past: Past,
    tell: Callable[[int], None] | None,
) -> None:
    """Read the decisions, a page at a time; a roll-call that a page cuts in two waits for its other half."""
    after, read = (-1, -1), 0
    waiting: list[Entry] = []
    for _ in range(_MOST_BATCHES):
        rows = await store.decisions(connection, processor, span, after, BATCH)
        entries = [*waiting, *(entry for row in rows if (entry := read_entry(row, past)) is not None)]
        replay.unreadable += len(waiting) + len(rows) - len(entries)
        read += len(rows)
        if tell is not None:
            tell(read)
        if len(rows) < BATCH:
            replay.take(entries)
            return
        after = rows[-1]["log_id"], rows[-1]["index"]
        waiting = [entry for entry in entries if entry.at == entries[-1].at]
        replay.take(entries[: len(entries) - len(waiting)])
