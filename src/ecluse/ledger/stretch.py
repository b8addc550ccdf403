"""One stretch of 65,536 entries, checked on one connection: its tree, its openings, its signed heads. Another process may do it; only what it found comes back.

Memory is that of 4,096 entries with their openings, and 32 bytes for each tile and head of the stretch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import aiosql
import asyncpg
import msgspec
from aiosql.queries import Queries

from ecluse.db import Connection
from ecluse.ledger.errors import KeyInvalid, NoteInvalid, PolicyInvalid
from ecluse.ledger.model import HASH_BYTES, TILE_WIDTH, LogKey, ProblemKind, Verifier
from ecluse.ledger.notes import COSIGNATURE, open_checkpoint, open_cosigned, parse_vkey
from ecluse.ledger.openings import OpeningChecker, Row, Statement, hour_fits
from ecluse.ledger.quorum import Policy, parse_policy
from ecluse.ledger.serve import read_tiles
from ecluse.ledger.tiles import TileId
from ecluse.ledger.tree import Frontier, join_right, leaf_hash, root_of

STRETCH: Final = TILE_WIDTH * TILE_WIDTH
"""Entries of a stretch: those of one full tile of level 1."""

CHUNK: Final = 16 * TILE_WIDTH


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What all stretches of a log share. ``policies``: text by version; ``bucket_key``: of this run."""

    log_id: int
    origin: str
    size: int
    integrated: int
    keys: tuple[LogKey, ...]
    policies: dict[int, str]
    bucket_key: bytes


class Stretch(msgspec.Struct, kw_only=True):
    """What one stretch holds and what is wrong with it.

    ``found``: first entry and how many, by kind; ``root``: over its entries, empty where one is missing; ``heads``: of each signed head its size, the hash
    over this stretch's part of its tree (empty where an entry is missing) and the root that it says; ``first_at`` … ``last_head_at``: as PostgreSQL sends
    instants; ``reads``: grants by bucket of their place, 8 bytes each.
    """

    begin: int
    end: int
    entries: int = 0
    openings: int = 0
    erased: int = 0
    tiles: int = 0
    checkpoints: int = 0
    cosignatures: int = 0
    published: int = 0
    cosigned: int = 0
    root: bytes = b""
    heads: list[tuple[int, bytes, bytes]] = msgspec.field(default_factory=list)
    first_at: bytes = b""
    last_at: bytes = b""
    first_head_at: bytes = b""
    last_head_at: bytes = b""
    found: dict[ProblemKind, tuple[int, int]] = msgspec.field(default_factory=dict)
    statements: list[Statement] = msgspec.field(default_factory=list)
    reads: bytes = b""

    def note(self, kind: ProblemKind, index: int, count: int = 1) -> None:
        """Add a fault."""
        first, seen = self.found.get(kind, (index, 0))
        self.found[kind] = (min(first, index), seen + count)


@cache
def _queries() -> Queries:
    """Load ``fsck.sql`` at first use."""
    queries: Queries = aiosql.from_path(Path(__file__).with_name("fsck.sql"), "asyncpg")
    return queries


def query(name: str) -> str:
    """Return the text of a named statement of ``fsck.sql``; its values are bound in the order of their first use."""
    return str(getattr(_queries(), name).sql)


async def check_stretch(conn: Connection, task: Task, begin: int) -> Stretch:
    """Check the stretch that begins at ``begin``, inside the caller's transaction."""
    walk = _Walk(conn, task, begin)
    await walk.read_heads()
    for first in range(begin, walk.said.end, CHUNK):
        await walk.chunk(first, min(walk.said.end, first + CHUNK))
    return await walk.close()


class _Walk:
    """One walk over one stretch."""

    def __init__(self, conn: Connection, task: Task, begin: int) -> None:
        self.conn, self.task = conn, task
        self.said = Stretch(begin=begin, end=min(task.size, begin + STRETCH))
        self.checker = OpeningChecker(task.bucket_key)
        self.leaving = OpeningChecker(task.bucket_key)  # openings on their way out: they have to be true, and count no more
        self.tiles = Frontier()  # over the roots of this stretch's tiles
        self.roots: list[bytes] = []
        self.whole = True
        self.heads: list[tuple[int, bytes]] = []
        self.next_head = 0

    # ── signed heads ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    async def read_heads(self) -> None:
        """Check the notes, cosignatures and quorums of the heads that end in this stretch; the first stretch has the empty log's, too."""
        said, task = self.said, self.task
        above = said.begin or -1
        keys = [(one, parse_vkey(one.vkey)) for one in task.keys]
        cosigned: dict[int, set[Verifier]] = {}
        lines = _grouped(await self.conn.fetch(query("cosignatures_of"), task.log_id, above, said.end))
        async for size, root, note, at in self.conn.cursor(query("heads_of"), task.log_id, above, said.end, prefetch=500):
            in_force = [verifier for key, verifier in keys if key.signs(size)]
            self._head(size, root, note, in_force)
            cosigned[size] = self._cosignatures(size, note, lines.pop(size, ()), in_force)
            if at < said.last_head_at:
                said.note(ProblemKind.CHECKPOINT_TIME, size)
            said.first_head_at, said.last_head_at, said.published = said.first_head_at or at, at, size
            self.heads.append((size, root))
        said.checkpoints = len(self.heads)
        for size, orphans in lines.items():  # of a head that is not there
            said.note(ProblemKind.COSIGNATURE_OTHER, size, len(orphans))
        await self._quorums(above, cosigned)

    def _head(self, size: int, root: bytes, note: str, keys: Sequence[Verifier]) -> None:
        try:
            head = open_checkpoint(note, keys, self.task.origin)
        except NoteInvalid:
            self.said.note(ProblemKind.CHECKPOINT_NOTE, size)
        else:
            if (head.size, head.root) != (size, root):
                self.said.note(ProblemKind.CHECKPOINT_NOTE, size)

    def _cosignatures(self, size: int, note: str, lines: Sequence[tuple[str, str]], keys: Sequence[Verifier]) -> set[Verifier]:
        """Return the witnesses that cosigned a head, each by a line of its own."""
        there: set[Verifier] = set()
        for vkey, line in lines:
            self.said.cosignatures += 1
            try:
                witness = parse_vkey(vkey, COSIGNATURE)
                if (
                    line.count("\n") != 1
                    or witness not in open_cosigned(note + line, keys, self.task.origin, [witness]).cosigned_at
                ):
                    raise NoteInvalid("not that witness's")
            except (KeyInvalid, NoteInvalid):
                self.said.note(ProblemKind.COSIGNATURE_OTHER, size)
            else:
                there.add(witness)
        return there

    async def _quorums(self, above: int, cosigned: Mapping[int, set[Verifier]]) -> None:
        for size, version in await self.conn.fetch(query("quorums_of"), self.task.log_id, above, self.said.end):
            policy = _policy(self.task.policies.get(version, ""))
            if policy is None or size not in cosigned or not policy.reached(cosigned[size]):
                self.said.note(ProblemKind.QUORUM_OTHER, size)
            else:
                self.said.cosigned = size

    # ── entries and openings ─────────────────────────────────────────────────────────────────────────────────────────────────
    async def chunk(self, first: int, past: int) -> None:
        """Check the entries [first, past): order, tree, openings."""
        said, log_id = self.said, self.task.log_id
        entries = await self.conn.fetch(query("leaves_of"), log_id, first, past)
        said.entries += len(entries)
        times = [at for _, _, at in entries]
        if times:
            if times[0] < said.last_at or sorted(times) != times:
                for (index, _, at), before in zip(entries, [said.last_at, *times], strict=False):
                    if at < before:
                        said.note(ProblemKind.ENTRY_TIME, index)
            said.first_at, said.last_at = said.first_at or times[0], times[-1]
        hashes: list[bytes | None] = [leaf_hash(leaf) for _, leaf, _ in entries]
        if len(entries) != past - first:
            by_index = {entry[0]: one for entry, one in zip(entries, hashes, strict=True)}
            hashes = [by_index.get(index) for index in range(first, past)]
            said.note(ProblemKind.ENTRY_MISSING, first + hashes.index(None), past - first - len(entries))
        await self._grow(first, hashes)
        await self._openings(first, past, entries)

    async def _openings(self, first: int, past: int, entries: Sequence[asyncpg.Record]) -> None:
        said, log_id = self.said, self.task.log_id
        openings = await self.conn.fetch(query("openings_of"), log_id, first, past)
        erased = await self.conn.fetch(query("tombstones_of"), log_id, first, past)
        said.openings += len(openings)
        if not erased and [one[0] for one in openings] == [one[0] for one in entries]:
            self.checker.check([(*entry, *tuple(one)[1:]) for entry, one in zip(entries, openings, strict=True)])
        else:
            self.checker.check(list(self._paired(first, past, entries, openings, erased)))

    def _paired(
        self, first: int, past: int, entries: Sequence[asyncpg.Record], openings: Sequence[asyncpg.Record],
        erased: Sequence[asyncpg.Record],
    ) -> Iterator[Row]:  # fmt: skip
        """Pair entries with their openings or tombstones, and note what has none, or too much."""
        said = self.said
        gone = {index: done for lo, hi, done in erased for index in range(max(lo, first), min(hi, past))}
        by_index: dict[int, asyncpg.Record] = {}
        for one in openings:
            if by_index.setdefault(one[0], one) is not one:
                said.note(ProblemKind.OPENING_TWICE, one[0])
        for index, leaf, at in entries:
            opening = by_index.pop(index, None)
            if opening is not None:
                row = (index, leaf, at, *tuple(opening)[1:])
                if index not in gone:
                    yield row
                    continue
                if gone[index]:
                    said.note(ProblemKind.OPENING_ERASED, index)
                self.leaving.check([row])
                said.openings, said.erased = said.openings - 1, said.erased + 1
            elif index not in gone:
                said.note(ProblemKind.OPENING_MISSING, index)
            else:
                said.erased += 1
                if not hour_fits(leaf, at):
                    said.note(ProblemKind.ENTRY_HOUR, index)
        for index in by_index:
            said.note(ProblemKind.OPENING_BEYOND, index)

    # ── the tree ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
    async def _grow(self, first: int, hashes: Sequence[bytes | None]) -> None:
        """Build the tiles over leaf hashes, compare them, and fold the heads that end in them. A tile that lacks an entry can't be told."""
        computed: list[tuple[TileId, bytes]] = []
        for at in range(0, len(hashes), TILE_WIDTH):
            there = hashes[at : at + TILE_WIDTH]
            part = [one for one in there if one is not None]
            if len(part) != len(there):
                self.whole = False
                self._skip_heads(first + at + len(there))
                continue
            self._fold_heads(first + at, part)
            computed.append(((0, (first + at) // TILE_WIDTH), b"".join(part)))
            root = root_of(part)
            self.tiles.append(root)
            self.roots.append(root)
        await compare_tiles(self.conn, self.task, self.said, computed)

    def _fold_heads(self, first: int, leaves: Sequence[bytes]) -> None:
        """Fold the part of this stretch under each head that ends in the tile of these leaves."""
        tile, done = Frontier(), 0
        while self.next_head < len(self.heads) and self.heads[self.next_head][0] <= first + len(leaves):
            size, root = self.heads[self.next_head]
            self.next_head += 1
            tile.extend(leaves[done : size - first])
            done = max(done, size - first)
            nodes = [*self.tiles.hashes, *tile.hashes]
            self.said.heads.append((size, join_right(nodes) if self.whole and nodes else b"", root))

    def _skip_heads(self, upto: int) -> None:
        while self.next_head < len(self.heads) and self.heads[self.next_head][0] <= upto:
            self.said.heads.append((self.heads[self.next_head][0], b"", self.heads[self.next_head][1]))
            self.next_head += 1

    async def close(self) -> Stretch:
        """Compare the tile of level 1, and hand over what was found."""
        said = self.said
        if self.whole and self.tiles.hashes:
            full = [root for root in self.roots if root][: (said.end - said.begin) // TILE_WIDTH]
            if full:
                await compare_tiles(self.conn, self.task, said, [((1, said.begin // STRETCH), b"".join(full))])
            said.root = join_right(self.tiles.hashes)
        for kind, index in (*self.checker.found, *self.leaving.found):
            said.note(kind, index)
        said.statements, said.reads = self.checker.statements, self.checker.reads.tobytes()
        return said


def _grouped(rows: Sequence[asyncpg.Record]) -> dict[int, list[tuple[str, str]]]:
    lines: dict[int, list[tuple[str, str]]] = {}
    for size, vkey, line in rows:
        lines.setdefault(size, []).append((vkey, line))
    return lines


@cache
def _policy(text: str) -> Policy | None:
    """Read a policy; None for one that can't be read, whose quorum nobody reaches."""
    try:
        return parse_policy(text.encode())
    except PolicyInvalid:
        return None


async def compare_tiles(conn: Connection, task: Task, said: Stretch, computed: Sequence[tuple[TileId, bytes]]) -> None:
    """Compare stored tiles with those computed, as far as the log was integrated."""
    stored = await read_tiles(conn, task.log_id, [tile for tile, _ in computed])
    for (level, index), raw in computed:
        first = (index * TILE_WIDTH) << 8 * level
        width = min(TILE_WIDTH, (task.integrated >> 8 * level) - index * TILE_WIDTH)
        there = stored.get((level, index))
        if width <= 0:
            continue  # not integrated yet; one that is stored all the same stands beyond the log
        said.tiles += there is not None
        if there is None:
            said.note(ProblemKind.TILE_MISSING, first)
        elif there != (good := raw[: width * HASH_BYTES]):
            places = range(0, len(good), HASH_BYTES)
            wrong = next((at for at in places if there[at : at + HASH_BYTES] != good[at : at + HASH_BYTES]), len(good))
            said.note(ProblemKind.TILE_OTHER, first + (wrong // HASH_BYTES << 8 * level))
