"""Statements of flows. Counts are derived from the ledger's openings and can be folded anew; ``flow_import`` is what people brought. SQL is in ``queries.sql``.

Reading is done as ``ecluse_reader``, folding as ``ecluse_jobs``, importing as ``ecluse_app``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import aiosql
import asyncpg
import msgspec

from ecluse.contracts import Contract, ContractInvalid, parse_contract
from ecluse.db import Connection
from ecluse.flows.model import Attempt, FieldSeen, Folded, Imported, Observation, Observed, Recipient, Version
from ecluse.register import AttributeType

if TYPE_CHECKING:
    from aiosql.queries import Queries

Parsed: TypeAlias = dict[tuple[str, int], Contract | None]
"""Contracts by processor and version: a version never changes, and a set of attributes has a memory of its own."""
LastSeen: TypeAlias = Mapping[tuple[str, str, str, bool], datetime]
"""When it was asked for last, by processor, purpose, attribute, roll-call or not."""


@cache
def _queries() -> Queries:
    """Load ``queries.sql`` at first use: importing a module does nothing."""
    queries: Queries = aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")
    return queries


def query(name: str) -> str:
    """Return the text of a named statement; its values are bound in the order of their first use."""
    return str(getattr(_queries(), name).sql)


async def fold_next(connection: Connection, log_id: int, most: int) -> tuple[int, int, int] | None:
    """Count the next entries: how many were, up to where, of how many. None: another process is at it."""
    row = await connection.fetchrow(query("fold"), log_id, most)
    return None if row is None else (row["folded"], row["next_index"], row["size"])


async def logs(connection: Connection) -> list[int]:
    """Return the numbers of all logs."""
    return [row["id"] for row in await connection.fetch(query("logs"))]


async def folded(connection: Connection) -> tuple[Folded, ...]:
    """Return how far each log is counted."""
    return tuple(Folded(**dict(row)) for row in await connection.fetch(query("folded")))


async def now(connection: Connection) -> datetime:
    """Read the database's clock."""
    at: datetime = await connection.fetchval(query("clock"))
    return at


async def _fetch(connection: Connection, name: str, *values: object, processor: str | None) -> list[asyncpg.Record]:
    """Run a statement on everybody, or its form for one processor, which is read by index."""
    if processor is None:
        return await connection.fetch(query(name), *values)
    return await connection.fetch(query(f"{name}_of"), processor, *values)


async def observations(connection: Connection, since: date, until: date, processor: str | None = None) -> tuple[Observation, ...]:
    """Return the disclosures of a period by what was given, where, under which version."""
    return tuple(
        Observation(
            processor=row["processor_id"], purpose=row["purpose"], attribute=row["attribute"], form=row["form"], roll_call=row["roll_call"],
            site=row["site_id"], version=row["contract_version"], other_version=row["contract_other"], disclosures=row["disclosures"],
            first_seen_at=row["first_seen_at"], last_seen_at=row["last_seen_at"],
        )
        for row in await _fetch(connection, "seen", since, until, processor=processor)
    )  # fmt: skip


async def last_seen(connection: Connection, processor: str | None = None, known: LastSeen | None = None) -> LastSeen:
    """Return when each attribute was asked for last: by processor, purpose, attribute, roll-call or not.

    ``known``: an earlier answer about everybody. Entries are counted in their order, so days that it has are not read again.
    """
    if processor is None:
        since = max(known.values()).astimezone(UTC).date() - timedelta(days=1) if known else date.min
        rows = await connection.fetch(query("last_seen"), since)
    else:
        rows = await connection.fetch(query("last_seen_of"), processor)
    new = {(row["processor_id"], row["purpose"], row["attribute"], row["roll_call"]): row["last_seen_at"] for row in rows}
    return {**known, **new} if known else new


async def attempts(connection: Connection, since: date, until: date, processor: str | None = None) -> tuple[Attempt, ...]:
    """Return what was asked for outside the contract."""
    return tuple(
        Attempt(
            processor=row["processor_id"], purpose=row["purpose"], attribute=row["attribute"], version=row["contract_version"],
            attempts=row["attempts"], first_seen_at=row["first_seen_at"], last_seen_at=row["last_seen_at"],
        )
        for row in await _fetch(connection, "attempts", since, until, processor=processor)
    )  # fmt: skip


async def observed(connection: Connection, since: date, until: date, processor: str | None = None) -> Observed:
    """Count a period, all of it at one instant, of everybody or of one processor."""
    return (await seen(connection, since, until, processor))[1]


async def seen(
    connection: Connection, since: date, until: date, processor: str | None = None
) -> tuple[tuple[Observation, ...], Observed]:
    """Count a period, all of it at one instant, of everybody or of one processor; with the observations that it is counted from."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        if processor is None:
            await connection.execute(query("room"))
            await connection.execute("set local work_mem = '128MB'")
            await connection.execute("set local jit = off")
        rows = await observations(connection, since, until, processor)
        persons = await _by_what(connection, "persons", since, until, processor)
        gone = await _by_what(connection, "gone", since, until, processor)
        across = await _fetch(connection, "persons_across", since, until, processor=processor)
        counted = await folded(connection)
    grouped: dict[tuple[str, str, str], list[Observation]] = defaultdict(list)
    for row in rows:
        if row.form != "withheld":
            grouped[row.processor, row.purpose, row.attribute].append(row)
    return rows, Observed(
        since=since, until=until, logs=counted,
        fields=tuple(_field(key, some, persons, gone) for key, some in sorted(grouped.items()) if key[2]),
        recipients=tuple(
            Recipient(
                processor=key[0], purpose=key[1], disclosures=sum(row.disclosures for row in some), persons=persons.get(key, 0),
                erased=gone.get(key, 0), first_seen_at=min(row.first_seen_at for row in some), last_seen_at=max(row.last_seen_at for row in some),
            )
            for key, some in sorted(grouped.items()) if not key[2]
        ),
        by_processor={row["processor_id"]: row["persons"] for row in across if row["processor_id"] is not None},
        by_purpose={row["purpose"]: row["persons"] for row in across if row["purpose"] is not None},
        persons=next((row["persons"] for row in across if row["processor_id"] is None and row["purpose"] is None), 0),
    )  # fmt: skip


async def _by_what(
    connection: Connection, name: str, since: date, until: date, processor: str | None
) -> dict[tuple[str, str, str], int]:
    """Return persons by processor, purpose and what: an attribute, an attribute with its form, or (empty) anything."""
    rows = await _fetch(connection, name, since, until, processor=processor)
    return {(row["processor_id"], row["purpose"], row["what"]): row["persons"] for row in rows}


def _field(
    key: tuple[str, str, str],
    rows: Sequence[Observation],
    persons: Mapping[tuple[str, str, str], int],
    gone: Mapping[tuple[str, str, str], int],
) -> FieldSeen:
    """Add up one attribute of one processor for one purpose."""
    processor, purpose, attribute = key
    forms = sorted({row.form for row in rows})
    return FieldSeen(
        processor=processor, purpose=purpose, attribute=attribute, disclosures=sum(row.disclosures for row in rows),
        forms={form: persons.get((processor, purpose, f"{attribute}:{form}"), 0) for form in forms},
        persons=persons.get(key, 0), erased=gone.get(key, 0),
        first_seen_at=min(row.first_seen_at for row in rows), last_seen_at=max(row.last_seen_at for row in rows),
    )  # fmt: skip


async def versions(
    connection: Connection, attributes: Mapping[str, AttributeType], processor: str | None = None, parsed: Parsed | None = None
) -> dict[str, tuple[Version, ...]]:
    """Return every version of every processor's contract (or of one's), oldest first. ``parsed``: remembered for one set of attributes, and added to."""
    known: Parsed = {} if parsed is None else parsed
    rows = await _fetch(connection, "versions", processor=processor)
    new = [(row["processor_id"], row["version"]) for row in rows if (row["processor_id"], row["version"]) not in known]
    for row in await connection.fetch(query("texts_of"), [name for name, _ in new], [version for _, version in new]):
        try:
            contract = parse_contract(row["text"], attributes)
        except ContractInvalid:
            contract = None
        known[row["processor_id"], row["version"]] = contract
    found: dict[str, list[Version]] = defaultdict(list)
    for row in rows:
        key = row["processor_id"], row["version"]
        found[key[0]].append(Version(version=key[1], contract=known[key], applied_at=row["applied_at"]))
    return {name: tuple(some) for name, some in found.items()}


async def text_in_force(connection: Connection, processor: str) -> str | None:
    """Return the text of the contract in force, None where there is none."""
    text: str | None = await connection.fetchval(query("text_in_force"), processor)
    return text


async def sub_processors(connection: Connection) -> dict[str, tuple[str, dict[str, str]]]:
    """Return what each processor's own newest list says: the document's id, and the country of each name."""
    return {
        row["processor_id"]: (row["id"], {each["name"]: each.get("country", "") for each in msgspec.json.decode(row["sub_processors"])})
        for row in await connection.fetch(query("sub_processors"))
    }  # fmt: skip


async def imports(connection: Connection) -> tuple[Imported, ...]:
    """Return what was seen elsewhere."""
    return tuple(Imported(**dict(row)) for row in await connection.fetch(query("imports")))


async def replace_imports(connection: Connection, rows: Iterable[Imported], *, forget: Iterable[str], actor: str) -> None:
    """Put rows in the place of all that the sources ``forget`` told before."""
    async with connection.transaction():
        for source in forget:
            await connection.execute(query("drop_source"), source)
        await connection.executemany(
            query("put_import"), [(row.source, row.recipient, row.attribute, row.from_on, row.until_on, actor) for row in rows]
        )


async def decisions(
    connection: Connection, processor: str, span: tuple[datetime, datetime], after: tuple[int, int], most: int
) -> list[asyncpg.Record]:
    """Return the next decisions of a processor in ``span``, after the entry ``(log_id, index)``."""
    return await connection.fetch(query("decisions"), processor, *span, *after, most)


async def left_out(connection: Connection, processor: str, span: tuple[datetime, datetime]) -> tuple[int, int]:
    """Return how many entries of a span were erased (anybody's), and how many refusals of this processor were only counted."""
    erased = 0
    for log in await folded(connection):
        low, high = [await _first_sealed(connection, log, at) for at in span]
        erased += await connection.fetchval(query("erased_between"), high, low, log.log_id)
    counted: int = await connection.fetchval(query("counted_refusals"), processor, *span)
    return erased, counted


async def _first_sealed(connection: Connection, log: Folded, at: datetime) -> int:
    """Return the first entry of a log that was sealed at or after an instant, by halving."""
    low, high = 0, log.size
    while low < high:
        middle = (low + high) // 2
        sealed_at = await connection.fetchval(query("sealed_at"), log.log_id, middle)
        if sealed_at is not None and sealed_at < at:
            low = middle + 1
        else:
            high = middle
    return low


async def changes(connection: Connection, processor: str, since: datetime) -> dict[tuple[str, str | None], datetime]:
    """Return when sessions (place None) and places of a processor were last moved or reinstated, since an instant."""
    rows = await connection.fetch(query("changes"), processor, since)
    return {(row["session_id"], row["appointment_id"]): row["changed_at"] for row in rows}


async def person_holds(connection: Connection) -> list[asyncpg.Record]:
    """Return every hold that there was on a person."""
    return await connection.fetch(query("person_holds"))


async def planned(connection: Connection, processor: str, span: tuple[datetime, datetime]) -> list[asyncpg.Record]:
    """Return the sessions of a processor that begin in ``span``."""
    return await connection.fetch(query("planned"), processor, *span)


async def is_processor(connection: Connection, processor: str) -> bool:
    """Tell whether a processor of this id is registered."""
    return bool(await connection.fetchval(query("is_processor"), processor))
