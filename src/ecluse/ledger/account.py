"""What a Merkle log alone can't tell: whether the other tables say what its entries say. Nothing here may be missing unnoticed, or be there unsealed.

1. Erased ranges do not overlap, and each batch of them is the set that its ``control:erasure:done`` entry committed to (decision 0005).
2. The keys of the log were announced by entries, from that size on; witness policies and contracts are those that entries committed to, and so is what moves
gates: evidence, findings and overrides, who accepted, closed or revoked them, and the very instants.
3. A place was read as often as grants were sealed for it. Grants are counted in 16,384 buckets by a keyed hash of their place, and so are the places' own
counts: constant memory, and no change of a single count can hide. Erased openings, and grants in other logs, allow places more reads, never fewer.
4. Retries point at grants of their own client; refusals that were counted point at the entry that says so.
5. The budgets of this hour, day and month hold the persons that grants brought there, and no others.
6. Emergencies, who opened them and who reviewed them are those of entries; so are look-ups of persons, who asked, who decided, and each look.
7. Officers and passkeys are those of entries: their roles, names and keys, since when and until when.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from typing import Any, Final, TypeAlias

import msgspec
from asyncpg import Record

from ecluse.db import Connection
from ecluse.ledger.fields import Event, canonical
from ecluse.ledger.model import ProblemKind
from ecluse.ledger.openings import BUCKETS, GRANTS, Statement, bucket_of
from ecluse.ledger.stretch import query

Fault: TypeAlias = tuple[ProblemKind, int, int]
"""What, from which entry on, how often."""


_SET: Final = b"ecluse/1/erased/"

_GATES: Final = (
    (ProblemKind.EVIDENCE_OTHER, "evidence_of", Event.EVIDENCE_ACCEPTED, Event.EVIDENCE_WITHDRAWN),
    (ProblemKind.FINDING_OTHER, "findings_of", Event.FINDING_OPENED, Event.FINDING_CLOSED),
    (ProblemKind.OVERRIDE_OTHER, "overrides_of", Event.OVERRIDE_APPROVED, Event.OVERRIDE_REVOKED),
    (ProblemKind.PEOPLE_OTHER, "officers_of", Event.OFFICER_ADDED, Event.OFFICER_CLOSED),
    (ProblemKind.PEOPLE_OTHER, "passkeys_of", Event.PASSKEY_ADDED, Event.PASSKEY_REVOKED),
)
"""What moves gates, and who may sign in: how a fault is called, the statement that reads the rows, and the events from which and until which one counts."""


class Sealed(msgspec.Struct, kw_only=True):
    """What the entries of a log say, as other tables have to: all of it hashed to its leaf before. ``reads``: grants by bucket of their place."""

    log_id: int
    size: int
    erased: int
    bucket_key: bytes
    statements: list[Statement]
    reads: array[int]

    def said(self, event: Event) -> dict[int, dict[str, Any]]:
        """Return the ``detail`` of the entries of one event, by index, with their ``processor`` and ``actor`` beside it."""
        return {
            index: {**_table(fields.get("detail")), "processor": fields.get("processor"), "actor": fields.get("actor")}
            for index, word, fields in self.statements
            if word == event.value
        }


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def erased_set(salt: bytes, ranges: Sequence[tuple[int, int]]) -> str:
    """Return what an erasure's entry commits to, in hex: over 32 bytes of salt and the half-open ranges, ascending and not touching."""
    return sha256(_SET + salt + canonical([list(one) for one in ranges])).hexdigest()


async def account(conn: Connection, sealed: Sealed) -> AsyncIterator[Fault]:
    """Yield what does not agree, inside the caller's transaction."""
    for part in (_erasures, _keys, _policies, _contracts, _gates, _reads, _present):
        async for fault in part(conn, sealed):
            yield fault


async def _erasures(conn: Connection, sealed: Sealed) -> AsyncIterator[Fault]:
    """Compare tombstones with what entries committed to (step 1)."""
    row = await conn.fetchrow(query("tombstones_wrong"), sealed.log_id, sealed.size)
    if row is not None and row["count"]:
        yield ProblemKind.TOMBSTONE_RANGE, row["first"], row["count"]
    if astray := await conn.fetchval(query("ranges_astray")):
        yield ProblemKind.TOMBSTONE_RANGE, sealed.size, astray
    said = sealed.said(Event.ERASURE_DONE)
    for batch in await conn.fetch(query("batches_of"), sealed.log_id):
        ranges = [(first, past) for first, past in await conn.fetch(query("ranges_of"), batch["of_log"], batch["id"])]
        count = sum(past - first for first, past in ranges)
        detail = said.pop(batch["index"], None)
        if detail is None:
            yield ProblemKind.ERASURE_UNSEALED, batch["index"], 1
        elif (detail.get("count"), detail.get("set"), batch["count"]) != (count, erased_set(batch["salt"], ranges), count):
            yield ProblemKind.ERASURE_OTHER, batch["index"], 1
    for index in said:
        yield ProblemKind.ERASURE_MISSING, index, 1


async def _keys(conn: Connection, sealed: Sealed) -> AsyncIterator[Fault]:
    """Look for keys that no entry announced or ended (step 2)."""
    steps = {(one.get("step"), one.get("new"), index + 1) for index, one in sealed.said(Event.LOG_REKEYED).items()}
    ends = {(one.get("old"), index + 1) for index, one in sealed.said(Event.LOG_REKEYED).items() if one.get("step") == "finish"}
    there = await conn.fetch(query("keys_of"), sealed.log_id)
    begun = {("begin", vkey, first) for vkey, first, _ in there if first}
    ended = {(vkey, past) for vkey, _, past in there if past is not None}
    announced = {one for one in steps if one[0] == "begin"}
    for size in [first for _, _, first in begun ^ announced] + [past for _, past in ended ^ ends]:
        yield ProblemKind.KEY_UNSEALED, size - 1, 1


async def _policies(conn: Connection, sealed: Sealed) -> AsyncIterator[Fault]:
    """Compare witness policies with what entries committed to (step 2)."""
    said = {(one.get("version"), one.get("hash")): index for index, one in sealed.said(Event.WITNESSES_APPLIED).items()}
    for version, text, noted in await conn.fetch(query("policies_of"), sealed.log_id):
        if noted != sha256(text.encode()).hexdigest() or said.pop((version, noted), None) is None:
            yield ProblemKind.POLICY_OTHER, sealed.size, 1
    for index in said.values():
        yield ProblemKind.POLICY_OTHER, index, 1


async def _contracts(conn: Connection, sealed: Sealed) -> AsyncIterator[Fault]:
    """Compare contracts with what entries committed to (step 2)."""
    alone = not await conn.fetchval(query("elsewhere"), sealed.log_id)
    said = {
        (one["processor"], one.get("version"), one.get("hash")): index
        for index, one in sealed.said(Event.CONTRACT_APPLIED).items()
    }
    for processor, version, digest, noted in await conn.fetch(query("contracts_of")):
        known = said.pop((processor, version, digest), None)
        if noted != digest or (known is None and alone):
            yield ProblemKind.CONTRACT_OTHER, sealed.size, 1
    for index in said.values():
        yield ProblemKind.CONTRACT_OTHER, index, 1


async def _gates(conn: Connection, sealed: Sealed) -> AsyncIterator[Fault]:
    """Compare evidence, findings, overrides, officers and passkeys with what entries committed to (steps 2 and 7)."""
    alone = not await conn.fetchval(query("elsewhere"), sealed.log_id)
    for kind, name, began, ended in _GATES:
        rows = {row["id"]: row for row in await conn.fetch(query(name))}
        for event, word in ((began, "began"), (ended, "ended")):
            said = sealed.said(event)
            sealed_at = {
                at["index"]: at["sealed_at"] for at in await conn.fetch(query("sealed_at_of"), sealed.log_id, list(said))
            }
            counted = {key for key, row in rows.items() if row[f"{word}_at"] is not None}
            known: set[str] = set()
            for index, one in said.items():
                row = rows.get(str(one.get("id")))
                if row is None or row["id"] in known or not _agree(row, one, word, sealed_at.get(index)):
                    yield kind, index, 1
                known.add(str(one.get("id")))
            if alone and counted - known:
                yield kind, sealed.size, len(counted - known)


def _agree(row: Record, said: dict[str, Any], word: str, at: object) -> bool:
    """Tell whether a row says who, of whom, when and (where it began) what its entry says."""
    facts = msgspec.json.decode(row["facts"]) if word == "began" else {}
    by = row.get(f"{word}_by", said["actor"])  # of officers and passkeys their entries alone say by whom
    return (row["processor_id"], by, row[f"{word}_at"]) == (said["processor"], said["actor"], at) and all(
        said.get(name) == fact for name, fact in facts.items()
    )


async def _reads(conn: Connection, sealed: Sealed) -> AsyncIterator[Fault]:
    """Compare how often places were read with the grants sealed for them (step 3)."""
    left = array("q", bytes(8 * BUCKETS))
    async for processor, handle, reads in conn.cursor(query("places_read"), prefetch=5_000):
        left[bucket_of(f'"{processor}""{handle}"'.encode(), sealed.bucket_key)] += reads
    slack = sealed.erased + await conn.fetchval(query("elsewhere"), sealed.log_id)
    over = [reads - grants for reads, grants in zip(left, sealed.reads, strict=True)]
    fewer = sum(1 for one in over if one < 0)
    more = [one for one in over if one > 0]
    if fewer or sum(more) > slack:
        yield ProblemKind.READS_OTHER, sealed.size, fewer + (len(more) if sum(more) > slack else 0)


async def _present(conn: Connection, sealed: Sealed) -> AsyncIterator[Fault]:
    """Look at what is kept for minutes, hours, days: retries, counted refusals, budgets, emergencies, look-ups (steps 4 to 6)."""
    grants = sorted(GRANTS)
    for kind, name, values in (
        (ProblemKind.RETRY_OTHER, "retries_wrong", (grants, sealed.log_id)),
        (ProblemKind.REFUSALS_OTHER, "refusals_wrong", (sealed.log_id,)),
        (ProblemKind.BUDGET_OTHER, "budgets_wrong", (grants,)),
        (ProblemKind.EMERGENCY_OTHER, "emergencies_wrong", (sealed.log_id,)),
        (ProblemKind.LOOKUP_OTHER, "lookups_wrong", (sealed.log_id,)),
    ):
        row = await conn.fetchrow(query(name), *values)
        if row is not None and row["count"]:
            yield kind, sealed.size if row["first"] is None else row["first"], row["count"]
