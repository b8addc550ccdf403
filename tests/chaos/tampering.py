"""Single changes to history, as whoever holds the superuser's password can make them. Each is random, of one kind, and made past every trigger.

`CHANGES` names the kinds in the words of docs/tampering.md. A change returns False where the rows at hand do not allow it, or nothing would differ.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse.ledger.fields import commit, fields_of
from ecluse.ledger.model import Checkpoint
from ecluse.ledger.notes import sign_checkpoint
from ecluse.ledger.tiles import TileEdge
from ecluse.ledger.tree import EMPTY_ROOT, leaf_hash, root_of
from tests.agency import ORIGIN

LOG: Final = 1
TABLES: Final = {
    "entry": ("ledger_entry", ("log_id", "index", "leaf", "sealed_at")),
    "opening": ("opening", ("log_id", "index", "sealed_at", "event", "disclosure_id", "processor_id", "agent_id", "subject_ref", "fields", "salts")),
    "tile": ("ledger_tile", ("log_id", "level", "tile", "hashes")),
    "checkpoint": ("ledger_checkpoint", ("log_id", "size", "root", "note")),
    "cosignature": ("ledger_cosignature", ("log_id", "size", "vkey", "line")),
    "tombstone": ("tombstone", ("log_id", "batch", "first", "past")),
    "erasure batch": ("erasure_batch", ("log_id", "index", "of_log", "salt", "count")),
    "evidence": ("evidence", ("id", "processor_id", "kind", "sha256", "reviewed_on", "ends_on", "accepted_by", "accepted_at")),
    "finding": ("finding", ("processor_id", "due_on", "opened_by", "opened_at")),
    "override": ("gate_override", ("processor_id", "hours", "approved_by", "approved_at")),
}  # fmt: skip
"""What is flipped, deleted and swapped: table and the columns that something commits to."""

OPENED: Final = "exists (select from ecluse.opening o where o.log_id = ledger_entry.log_id and o.index = ledger_entry.index)"
COSIGNED: Final = "exists (select from ecluse.ledger_cosignature k where k.log_id = ledger_checkpoint.log_id and k.size = ledger_checkpoint.size)"
REST: Final = "event, disclosure_id, processor_id, agent_id, subject_ref, fields, salts"


Row = dict[str, Any]


@dataclass(kw_only=True)
class Hand:
    """Who tampers: a superuser's connection, chance, and what was stolen. ``memory``: the signer's, as it is after this change; None: untouched."""

    conn: asyncpg.Connection
    chance: random.Random
    key: Ed25519PrivateKey
    openings: list[asyncpg.Record] = field(default_factory=list)
    memory: str | None = None

    async def row(self, table: str, where: str = "true") -> Row | None:
        """Choose a row; ``at`` and ``part`` find it again."""
        rows = await self.conn.fetch(f"select tableoid as part, ctid as at, * from ecluse.{table} where {where}")  # noqa: S608 - our own words
        return dict(self.chance.choice(rows)) if rows else None

    async def put(self, table: str, row: Row, column: str, value: object) -> None:
        """Change one column of a row."""
        statement = f"update ecluse.{table} set {column} = $3 where tableoid = $1 and ctid = $2"  # noqa: S608 - our own words
        await self.conn.execute(statement, row["part"], row["at"], value)

    def flipped(self, value: Any) -> Any:
        """Return a value with one bit changed; None where it has none to change."""
        if isinstance(value, int):
            return value ^ 1 << self.chance.randrange(20)
        if isinstance(value, bytes):
            at = self.chance.randrange(len(value))
            return value[:at] + bytes([value[at] ^ 1 << self.chance.randrange(8)]) + value[at + 1 :]
        if isinstance(value, str):
            for _ in range(64):
                changed = self.flipped(value.encode())
                try:
                    if b"\0" not in changed:
                        return changed.decode()
                except UnicodeDecodeError:
                    continue
        if isinstance(value, date) and not isinstance(value, datetime):
            return value + timedelta(days=1 << self.chance.randrange(10))
        return value + timedelta(microseconds=1 << self.chance.randrange(40)) if hasattr(value, "tzinfo") else None


Change = Callable[[Hand], Awaitable[bool]]


# ── one row ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def flip(table: str, column: str) -> Change:
    """One bit of one column of one row."""
    # what stands in the place of an erased opening commits to the hour alone; a checkpoint before the first policy is nobody's but the signer's
    where = OPENED if (table, column) == ("ledger_entry", "sealed_at") else COSIGNED if table == "ledger_checkpoint" else "true"

    async def change(hand: Hand) -> bool:
        row = await hand.row(table, where)
        value = None if row is None or row[column] is None else hand.flipped(row[column])
        if row is None or value is None or value == row[column]:
            return False
        await hand.put(table, row, column, value)
        return True

    return change


def delete(table: str) -> Change:
    """One row goes."""

    async def change(hand: Hand) -> bool:
        row = await hand.row(table, COSIGNED if table == "ledger_checkpoint" else "true")
        if row is None:
            return False
        statement = f"delete from ecluse.{table} where tableoid = $1 and ctid = $2"  # noqa: S608 - our own words
        done: str = await hand.conn.execute(statement, row["part"], row["at"])
        return done == "DELETE 1"

    return change


def swap(table: str, columns: Sequence[str]) -> Change:
    """Two rows exchange what they hold."""

    async def change(hand: Hand) -> bool:
        one, other = await hand.row(table), await hand.row(table)
        if one is None or other is None or all(one[column] == other[column] for column in columns):
            return False
        for column in columns:  # the row moves with each change: it is found by its new place
            await hand.put(table, one, column, other[column])
            await hand.put(table, other, column, one[column])
            one, other = await _again(hand, table, one), await _again(hand, table, other)
        return True

    return change


async def _again(hand: Hand, table: str, row: Row) -> Row:
    """Find a row that was just changed, by its key."""
    keys = {"ledger_entry": ("log_id", "index"), "opening": ("log_id", "index"), "ledger_tile": ("log_id", "level", "tile"),
            "ledger_checkpoint": ("log_id", "size"), "ledger_cosignature": ("log_id", "size", "vkey")}[table]  # fmt: skip
    where = " and ".join(f"{key} = ${n}" for n, key in enumerate(keys, 1))
    statement = f"select tableoid as part, ctid as at from ecluse.{table} where {where}"  # noqa: S608 - our own words
    found = await hand.conn.fetchrow(statement, *(row[key] for key in keys))
    if found is None:
        raise AssertionError(f"a row of {table} is gone")
    return {**row, **found}


def rewritten(table: str, where: str, values: str) -> Change:
    """One row says something else, as whoever wants a gate open would write it. ``values``: what is set; of a copy with another id if it begins with ``id``."""

    async def change(hand: Hand) -> bool:
        row = await hand.row(table, where)
        if row is None:
            return False
        if values.startswith("id"):
            copied = f"insert into ecluse.{table} select (jsonb_populate_record(x, jsonb_build_object('id', x.id || 'x'))).* from ecluse.{table} x"  # noqa: S608 - our own words
            done: str = await hand.conn.execute(f"{copied} where tableoid = $1 and ctid = $2", row["part"], row["at"])
            return done == "INSERT 0 1"
        changed = f"update ecluse.{table} set {values} where tableoid = $1 and ctid = $2"  # noqa: S608 - our own words
        done = await hand.conn.execute(changed, row["part"], row["at"])
        return done == "UPDATE 1"

    return change


# ── entries that come and go ─────────────────────────────────────────────────────────────────────────────────────────────────
async def delete_both(hand: Hand) -> bool:
    """An entry goes with its opening."""
    row = await hand.row("opening")
    if row is None:
        return False
    for table in ("ledger_entry", "opening"):
        await hand.conn.execute(f"delete from ecluse.{table} where log_id = $1 and index = $2", row["log_id"], row["index"])  # noqa: S608 - our own words
    return True


async def move_to_end(hand: Hand) -> bool:
    """An entry is taken out and put back at the end; those after it move up."""
    size: int = await hand.conn.fetchval("select size from ecluse.ledger_head where log_id = $1", LOG)
    row = await hand.row("ledger_entry", f"index < {size - 1}")
    if row is None:
        return False
    for table, columns in (("ledger_entry", "leaf, sealed_at"), ("opening", f"sealed_at, {REST}")):
        statement = f"delete from ecluse.{table} where log_id = $1 and index >= $2 returning index, {columns}"  # noqa: S608 - our own words
        rows = await hand.conn.fetch(statement, LOG, row["index"])
        places = ", ".join(f"${n + 3}" for n in range(len(columns.split(", "))))
        await hand.conn.executemany(
            f"insert into ecluse.{table} (log_id, index, {columns}) values ($1, $2, {places})",  # noqa: S608 - our own words
            [(LOG, size - 1 if one["index"] == row["index"] else one["index"] - 1, *tuple(one)[1:]) for one in rows],
        )
    return True


async def insert_twice(hand: Hand) -> bool:
    """An opening stands twice."""
    row = await hand.row("opening")
    if row is None:
        return False
    await hand.conn.execute(
        f"insert into ecluse.opening (log_id, index, sealed_at, {REST}) select log_id, index, sealed_at + interval '1 s', {REST} "  # noqa: S608 - our own words
        "from ecluse.opening where tableoid = $1 and ctid = $2",
        row["part"], row["at"],
    )  # fmt: skip
    return True


async def bring_back(hand: Hand) -> bool:
    """An opening that was erased comes back from a backup."""
    if not hand.openings:
        return False
    row = hand.chance.choice(hand.openings)
    await hand.conn.execute(
        f"insert into ecluse.opening (log_id, index, sealed_at, {REST}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",  # noqa: S608 - our own words
        *(row[name] for name in ("log_id", "index", "sealed_at", *REST.split(", "))),
    )
    return True


async def erase(hand: Hand) -> bool:
    """An opening goes, and a tombstone of a true batch says that it may."""
    row, batch = await hand.row("opening"), await hand.row("erasure_batch")
    if row is None or batch is None:
        return False
    await hand.conn.execute("delete from ecluse.opening where tableoid = $1 and ctid = $2", row["part"], row["at"])
    await hand.conn.execute(
        "insert into ecluse.tombstone values ($1, $2, $3, $4)", LOG, batch["id"], row["index"], row["index"] + 1
    )
    return True


async def append_copy(hand: Hand) -> bool:
    """A grant is sealed a second time past the door, with a true opening of its own, and the head counts it."""
    row = await hand.row("opening", "event = 'disclosure:person:granted'")
    if row is None:
        return False
    head = await hand.conn.fetchrow("select size, last_at from ecluse.ledger_head where log_id = $1", LOG)
    fields = fields_of(row["fields"])
    fields[0] = ("at", f"{head['last_at']:%Y-%m-%dT%H:%M:%S.%fZ}")
    committed = commit(fields, hand.chance.randbytes(32 * len(fields)))
    await hand.conn.execute(
        "insert into ecluse.ledger_entry values ($1, $2, $3, $4)", LOG, head["size"], committed.leaf, head["last_at"]
    )
    await hand.conn.execute(
        f"insert into ecluse.opening (log_id, index, sealed_at, {REST}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",  # noqa: S608 - our own words
        LOG, head["size"], head["last_at"], row["event"], row["disclosure_id"], row["processor_id"], row["agent_id"], row["subject_ref"],
        committed.fields, committed.salts,
    )  # fmt: skip
    await hand.conn.execute("update ecluse.ledger_head set size = size + 1 where log_id = $1", LOG)
    return True


async def truncate(hand: Hand) -> bool:
    """The last entries go, with everything that said they were there: openings, tiles, checkpoints, cosignatures, and what the head counts."""
    size: int = await hand.conn.fetchval("select size from ecluse.ledger_head where log_id = $1", LOG)
    left = hand.chance.randrange(size // 2, size)
    for table in ("ledger_entry", "opening"):
        await hand.conn.execute(f"delete from ecluse.{table} where log_id = $1 and index >= $2", LOG, left)  # noqa: S608 - our own words
    for table in ("ledger_checkpoint", "ledger_cosignature", "ledger_quorum"):
        await hand.conn.execute(f"delete from ecluse.{table} where log_id = $1 and size > $2", LOG, left)  # noqa: S608 - our own words
    await hand.conn.execute("update ecluse.ledger_head set size = $2 where log_id = $1", LOG, left)
    await retile(hand.conn)
    return True


# ── the log's key is stolen ──────────────────────────────────────────────────────────────────────────────────────────────────
def rewrite(*, cosignatures: bool, memory: bool) -> Change:
    """An entry is rewritten with its opening, its columns, all tiles; every checkpoint over it is signed anew with the log's own key.

    ``cosignatures``: of the forged heads are removed, too; ``memory``: the signer's is replaced.
    """

    async def change(hand: Hand) -> bool:
        row = await hand.row("opening", "event like 'disclosure:person:%' and fields like '%\"assurance\",\"asserted\"%'")
        if row is None:
            return False
        fields = [(name, "authenticated" if name == "assurance" else value) for name, value in fields_of(row["fields"])]
        committed = commit(fields, hand.chance.randbytes(32 * len(fields)))
        await hand.conn.execute(
            "update ecluse.ledger_entry set leaf = $2 where log_id = 1 and index = $1", row["index"], committed.leaf
        )
        await hand.conn.execute(
            "update ecluse.opening set fields = $2, salts = $3 where log_id = 1 and index = $1",
            row["index"],
            committed.fields,
            committed.salts,
        )
        newest = await resign(hand, await retile(hand.conn), row["index"])
        if cosignatures:
            for table in ("ledger_cosignature", "ledger_quorum"):
                await hand.conn.execute(f"delete from ecluse.{table} where log_id = 1 and size > $1", row["index"])  # noqa: S608 - our own words
        hand.memory = newest if memory else None
        return True

    return change


async def retile(conn: asyncpg.Connection) -> list[bytes]:
    """Write all tiles anew from the entries, as nobody could tell from true ones; return the leaf hashes."""
    leaves = [
        leaf_hash(row["leaf"]) for row in await conn.fetch("select leaf from ecluse.ledger_entry where log_id = 1 order by index")
    ]
    edge = TileEdge()
    edge.extend(leaves)
    await conn.execute("delete from ecluse.ledger_tile where log_id = 1")
    await conn.executemany(
        "insert into ecluse.ledger_tile (log_id, level, tile, hashes) values (1, $1, $2, $3)",
        [(level, index, raw) for (level, index), raw in [*edge.take_full(), *edge.partial()]],
    )
    return leaves


async def resign(hand: Hand, leaves: Sequence[bytes], index: int) -> str:
    """Sign every checkpoint over an entry anew; return the newest."""
    note = ""
    for row in await hand.conn.fetch(
        "select size from ecluse.ledger_checkpoint where log_id = 1 and size > $1 order by size", index
    ):
        root = root_of(leaves[: row["size"]]) if row["size"] else EMPTY_ROOT
        note = sign_checkpoint(Checkpoint(origin=ORIGIN, size=row["size"], root=root), hand.key)
        await hand.conn.execute(
            "update ecluse.ledger_checkpoint set root = $2, note = $3 where log_id = 1 and size = $1", row["size"], root, note
        )
    return note


CHANGES: Final[dict[str, Change]] = {
    **{f"{what}: a bit of {column}": flip(table, column) for what, (table, columns) in TABLES.items() for column in columns},
    **{f"{what}: deleted": delete(table) for what, (table, _) in TABLES.items()},
    "entries: swapped": swap("ledger_entry", ("leaf",)),
    "openings: swapped": swap("opening", ("fields", "salts")),
    "tiles: swapped": swap("ledger_tile", ("hashes",)),
    "checkpoints: swapped": swap("ledger_checkpoint", ("root", "note")),
    "cosignatures: swapped": swap("ledger_cosignature", ("line",)),
    "entry and opening: deleted": delete_both,
    "entry and opening: moved to the end": move_to_end,
    "opening: inserted twice": insert_twice,
    "opening: brought back after its erasure": bring_back,
    "opening: erased past the door, with a tombstone": erase,
    "grant: sealed past the door": append_copy,
    "evidence: accepted past the door": rewritten("evidence", "accepted_at is not null", "id"),
    "evidence: withdrawal undone": rewritten("evidence", "withdrawn_at is not null", "withdrawn_at = null, withdrawn_by = null"),
    "evidence: a list of sub-processors emptied": rewritten("evidence", "sub_processors <> '[]'", "sub_processors = '[]'"),
    "finding: made milder": rewritten("finding", "severity <> 'low'", "severity = 'low'"),
    "finding: closed past the door": rewritten(
        "finding", "closed_at is null", "closed_at = opened_at, closed_by = opened_by, closing = 'mended'"
    ),
    "override: approved past the door": rewritten("gate_override", "approved_at is not null", "id"),
    "override: a reason added": rewritten("gate_override", "true", "reasons = array_append(reasons, 'evidence:lapsed:audit')"),
    "override: its revocation undone": rewritten(
        "gate_override", "revoked_at is not null", "revoked_at = null, revoked_by = null"
    ),
    "log: truncated, tiles and heads with it": truncate,
    "log's key stolen: an entry rewritten, heads signed anew": rewrite(cosignatures=False, memory=False),
    "log's key stolen: the same, cosignatures removed": rewrite(cosignatures=True, memory=False),
    "log's key and signer's memory stolen: the same": rewrite(cosignatures=True, memory=True),
}
"""Kinds of change that are made inside a transaction. `tests.chaos.tamper` adds the roll-back to a backup."""
