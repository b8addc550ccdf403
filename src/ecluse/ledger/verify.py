"""Checking the whole log from its entries (fsck): trust nothing that is derived, recompute it.

In one snapshot, in chunks, in constant memory (numbered as in the code):
 1. The head counts the entries; they run from 0 without a gap; their times never go back.
 2. Each entry has exactly one opening, sealed at the same instant, and the opening's fields and salts hash to the entry's leaf.
 3. The columns by which openings are searched say what the committed fields say; the field ``at`` is at most 5 s older than the
    seal.
 4. Each stored tile is what the leaves give, and none is missing below the last checkpoint.
 5. Each checkpoint is signed by the log's key, for this log, with the root that its entries give; their times never go back.
 6. There is nothing beyond: no entry, opening, tile or checkpoint that the head does not count.
What it can't see: a history that was rewritten whole and signed again by the log's own key. That takes an older checkpoint, kept
elsewhere.

The caller gives a connection (role ``ecluse_reader``) and, to use a second core, an executor of processes for steps 2 and 3.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import asyncpg
import msgspec

from ecluse.ledger.errors import KeyInvalid, NoteInvalid
from ecluse.ledger.fields import leaf_from_opening
from ecluse.ledger.model import HASH_BYTES, TILE_WIDTH, Problem, ProblemKind, Report, StoredCheckpoint, Verifier
from ecluse.ledger.notes import open_checkpoint, parse_vkey
from ecluse.ledger.serve import Connection, query, read_tiles
from ecluse.ledger.tiles import TileEdge, TileId
from ecluse.ledger.tree import leaf_hash

Progress: TypeAlias = Callable[[int, int], None]
"""Called with entries checked and entries in all."""

Found: TypeAlias = tuple[ProblemKind, int]
"""What and at which entry."""

OpeningRow: TypeAlias = tuple[int, bytes, datetime, datetime, str, str | None, str | None, str | None, str | None, str, bytes]
"""index, leaf, entry's and opening's sealed_at, event, disclosure, processor, agent, subject, fields, salts."""

CHUNK: Final = 16 * TILE_WIDTH
OLDEST_PLAN: Final = timedelta(seconds=5)
"""The most that a seal is later than the plan it seals (``ecluse.seal``, step 3)."""

_IN_FLIGHT: Final = 4
_COLUMNS: Final = ("event", "disclosure", "processor", "agent", "subject")
_SEARCHED: Final = frozenset({"at", *_COLUMNS})
_pairs: Final = msgspec.json.Decoder(list[tuple[str, msgspec.Raw]])
_text: Final = msgspec.json.Decoder(str | None)

_DETAIL: Final = {
    ProblemKind.HEAD_MISSING: "the log or its head is not there",
    ProblemKind.HEAD_TIME: "the head says an earlier last seal than the entries",
    ProblemKind.KEY_OTHER: "the database names another key for the log than the one given",
    ProblemKind.ENTRY_MISSING: "an entry that the head counts is missing; tiles and checkpoints after it can't be checked",
    ProblemKind.ENTRY_BEYOND: "there are entries that the head does not count",
    ProblemKind.ENTRY_TIME: "an entry was sealed before its predecessor",
    ProblemKind.OPENING_MISSING: "an entry has no opening",
    ProblemKind.OPENING_BEYOND: "there are openings of no entry",
    ProblemKind.OPENING_TWICE: "an entry has more than one opening",
    ProblemKind.OPENING_TIME: "an opening's time is not that of its entry, or its field 'at' is not within 5 s before",
    ProblemKind.OPENING_OTHER: "an opening does not hash to its entry",
    ProblemKind.OPENING_COLUMN: "a column of an opening does not say what its committed field says",
    ProblemKind.TILE_MISSING: "a tile is missing",
    ProblemKind.TILE_OTHER: "a tile is not what the entries give",
    ProblemKind.TILE_BEYOND: "there are tiles of no entry",
    ProblemKind.CHECKPOINT_ROOT: "a checkpoint's root is not what the entries give",
    ProblemKind.CHECKPOINT_NOTE: "a checkpoint's note does not open with the log's key, or says another size or root",
    ProblemKind.CHECKPOINT_TIME: "a checkpoint was signed before its predecessor",
    ProblemKind.CHECKPOINT_BEYOND: "a checkpoint covers more entries than there are",
}


def check_openings(rows: Iterable[OpeningRow]) -> list[Found]:
    """Check openings against their entries (steps 2 and 3). Pure, so that other processes can do it."""
    found: list[Found] = []
    for index, leaf, entry_at, opening_at, *columns, fields, salts in rows:
        try:
            if leaf_from_opening(fields, salts) != leaf:
                found.append((ProblemKind.OPENING_OTHER, index))
                continue
            said = {name: _text.decode(value) for name, value in _pairs.decode(fields) if name in _SEARCHED}
            at = datetime.fromisoformat(said["at"] or "")
            if opening_at != entry_at or not entry_at - OLDEST_PLAN <= at <= entry_at:
                found.append((ProblemKind.OPENING_TIME, index))
        except (ValueError, TypeError, AssertionError, RecursionError, OverflowError, msgspec.MsgspecError):
            found.append((ProblemKind.OPENING_OTHER, index))  # no opening at all, or one that nobody could have sealed
            continue
        names = _COLUMNS if columns[1] is not None else _COLUMNS[:3]  # a control entry has no agent or subject in its columns
        if any(said[name] != column for name, column in zip(names, columns, strict=False) if name in said):
            found.append((ProblemKind.OPENING_COLUMN, index))
    return found


def _hash_at(tile: bytes, at: int) -> bytes:
    return tile[at * HASH_BYTES : (at + 1) * HASH_BYTES]


async def verify_ledger(
    conn: Connection, log_id: int, vkey: str, progress: Progress | None = None, *, executor: Executor | None = None
) -> Report:
    """Check a whole log and report. ``vkey``: the log's verifier key, from elsewhere than the database.

    ``executor``: processes that check openings; without one it is done here. Raises `KeyInvalid` for the key and the driver's
    errors, nothing for what it finds. About 60 µs an entry with some 16 fields on one core, nearly all of it in the openings.
    """
    verifier = parse_vkey(vkey)
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        row = await conn.fetchrow(query("log_of"), log_id)
        if row is None:
            nothing = Problem(kind=ProblemKind.HEAD_MISSING, index=0, count=1, detail=_DETAIL[ProblemKind.HEAD_MISSING])
            return Report(
                log_id=log_id, size=0, root=b"", entries=0, openings=0, tiles=0, checkpoints=0, published=0, problems=(nothing,)
            )
        return await _Check(conn, log_id, row, verifier, executor).run(progress)


class _Check:
    """One run over one log: what has been read so far and what was found. Touched by one task only."""

    def __init__(self, conn: Connection, log_id: int, log: asyncpg.Record, verifier: Verifier, executor: Executor | None) -> None:
        self.conn, self.log_id, self.log, self.verifier, self.executor = conn, log_id, log, verifier, executor
        self.size: int = log["size"]
        self.integrated = 0
        self.edge = TileEdge()
        self.whole = True  # no entry missing so far: the tree can be built
        self.last_at: datetime | None = None
        self.entries = self.openings = self.tiles = self.checkpoints = self.published = 0
        self.signed_at: datetime | None = None
        self.next: StoredCheckpoint | None = None
        self.found: dict[ProblemKind, tuple[int, int]] = {}
        self.flying: deque[asyncio.Future[list[Found]]] = deque()

    def note(self, kind: ProblemKind, index: int, count: int = 1) -> None:
        first, seen = self.found.get(kind, (index, 0))
        self.found[kind] = (min(first, index), seen + count)

    async def run(self, progress: Progress | None) -> Report:
        try:
            if parse_vkey(self.log["vkey"]) != self.verifier:
                self.note(ProblemKind.KEY_OTHER, 0)
        except KeyInvalid:
            self.note(ProblemKind.KEY_OTHER, 0)
        self.integrated = await self.conn.fetchval(query("integrated"), self.log_id) or 0
        heads = self._checkpoints()
        self.next = await anext(heads, None)
        await self._reach_checkpoints(heads)
        for begin in range(0, self.size, CHUNK):
            await self._chunk(begin, min(self.size, begin + CHUNK), heads)
            if progress is not None:
                progress(min(self.size, begin + CHUNK), self.size)
        while self.flying:
            await self._land()
        await self._end(heads)
        return self._report()

    async def _checkpoints(self) -> AsyncIterator[StoredCheckpoint]:
        """Stream the checkpoints, smallest first, each checked for its note and time."""
        async for row in self.conn.cursor(query("checkpoints_of"), self.log_id, prefetch=500):
            one = StoredCheckpoint(size=row["size"], root=row["root"], note=row["note"], signed_at=row["signed_at"])
            try:
                said = open_checkpoint(one.note, [self.verifier], self.log["origin"])
                if (said.size, said.root) != (one.size, one.root):
                    self.note(ProblemKind.CHECKPOINT_NOTE, one.size)
            except NoteInvalid:
                self.note(ProblemKind.CHECKPOINT_NOTE, one.size)
            if self.signed_at is not None and one.signed_at < self.signed_at:
                self.note(ProblemKind.CHECKPOINT_TIME, one.size)
            self.signed_at, self.published = one.signed_at, one.size
            self.checkpoints += 1
            yield one

    async def _reach_checkpoints(self, heads: AsyncIterator[StoredCheckpoint]) -> None:
        """Compare the checkpoints of the size that the tree has now (step 5)."""
        while self.next is not None and self.next.size <= self.edge.size:
            if self.whole and self.next.root != self.edge.root():
                self.note(ProblemKind.CHECKPOINT_ROOT, self.next.size)
            self.next = await anext(heads, None)

    async def _chunk(self, begin: int, end: int, heads: AsyncIterator[StoredCheckpoint]) -> None:
        entries = await self.conn.fetch(query("entries_of"), self.log_id, begin, end)
        self._gaps(entries, begin, end)
        leaves = [leaf_hash(row["leaf"]) for row in entries]
        if self.whole:
            done = 0
            while self.next is not None and self.next.size <= end:
                stop = self.next.size - begin
                self.edge.extend(leaves[done:stop])
                done = stop
                await self._reach_checkpoints(heads)
            self.edge.extend(leaves[done:])
            await self._compare(self.edge.take_full())
        openings = await self.conn.fetch(query("openings_of"), self.log_id, begin, end)
        await self._openings(entries, openings)

    def _gaps(self, entries: list[asyncpg.Record], begin: int, end: int) -> None:
        """Look for entries missing or out of time (step 1)."""
        self.entries += len(entries)
        if len(entries) != end - begin:
            there = {row["index"] for row in entries}
            first = next(index for index in range(begin, end) if index not in there)
            self.note(ProblemKind.ENTRY_MISSING, first, end - begin - len(entries))
            self.whole = False
        for row in entries:
            if self.last_at is not None and row["sealed_at"] < self.last_at:
                self.note(ProblemKind.ENTRY_TIME, row["index"])
            self.last_at = row["sealed_at"]

    async def _openings(self, entries: list[asyncpg.Record], openings: list[asyncpg.Record]) -> None:
        """Pair openings with entries and have them checked (step 2)."""
        self.openings += len(openings)
        by_index: dict[int, asyncpg.Record] = {}
        for row in openings:
            if by_index.setdefault(row["index"], row) is not row:
                self.note(ProblemKind.OPENING_TWICE, row["index"])
        rows: list[OpeningRow] = []
        for entry in entries:
            opening = by_index.pop(entry["index"], None)
            if opening is None:
                self.note(ProblemKind.OPENING_MISSING, entry["index"])
            else:
                rows.append((entry["index"], entry["leaf"], entry["sealed_at"], *tuple(opening)[1:]))
        for index in by_index:
            self.note(ProblemKind.OPENING_BEYOND, index)
        if self.executor is None:
            self._take(check_openings(rows))
            await asyncio.sleep(0)
            return
        self.flying.append(asyncio.get_running_loop().run_in_executor(self.executor, check_openings, rows))
        if len(self.flying) > _IN_FLIGHT:
            await self._land()

    async def _land(self) -> None:
        self._take(await self.flying.popleft())

    def _take(self, found: list[Found]) -> None:
        for kind, index in found:
            self.note(kind, index)

    async def _compare(self, tiles: list[tuple[TileId, bytes]]) -> None:
        """Compare stored tiles with those computed, as far as the log was integrated (step 4)."""
        stored = await read_tiles(self.conn, self.log_id, [tile for tile, _ in tiles])
        for (level, index), raw in tiles:
            first = (index * TILE_WIDTH) << 8 * level
            width = min(TILE_WIDTH, (self.integrated >> 8 * level) - index * TILE_WIDTH)
            there = stored.get((level, index))
            self.tiles += there is not None and width > 0
            if width <= 0:
                continue  # not integrated yet; one that is stored all the same is counted in step 6
            if there is None:
                self.note(ProblemKind.TILE_MISSING, first)
            elif there != (good := raw[: width * HASH_BYTES]):
                wrong = next((at for at in range(width) if _hash_at(there, at) != _hash_at(good, at)), width)
                self.note(ProblemKind.TILE_OTHER, first + (wrong << 8 * level))

    async def _end(self, heads: AsyncIterator[StoredCheckpoint]) -> None:
        """Look at the right edge and beyond the end (steps 4 to 6)."""
        if self.whole:
            await self._compare(self.edge.partial())
            stored = await self.conn.fetchval(query("tile_count"), self.log_id)
            if stored > self.tiles:
                self.note(ProblemKind.TILE_BEYOND, self.size, stored - self.tiles)
        while self.next is not None:
            if self.next.size > self.size:
                self.note(ProblemKind.CHECKPOINT_BEYOND, self.size)
            self.next = await anext(heads, None)
        if self.integrated < min(self.published, self.size):
            self.note(ProblemKind.TILE_MISSING, self.integrated)
        for kind, name in ((ProblemKind.ENTRY_BEYOND, "entries_beyond"), (ProblemKind.OPENING_BEYOND, "openings_beyond")):
            row = await self.conn.fetchrow(query(name), self.log_id, self.size)
            if row is not None and row["count"]:
                self.note(kind, row["first"], row["count"])
        if self.last_at is not None and self.last_at > self.log["last_at"]:
            self.note(ProblemKind.HEAD_TIME, self.size)

    def _report(self) -> Report:
        problems = [
            Problem(kind=kind, index=index, count=count, detail=_DETAIL[kind]) for kind, (index, count) in self.found.items()
        ]
        return Report(
            log_id=self.log_id,
            size=self.size,
            root=self.edge.root(),
            entries=self.entries,
            openings=self.openings,
            tiles=self.tiles,
            checkpoints=self.checkpoints,
            published=self.published,
            problems=tuple(sorted(problems, key=lambda problem: (problem.index, problem.kind))),
        )
