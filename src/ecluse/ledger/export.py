"""Exporting a log as static files that any web server can host (C2SP tlog-tiles 0.1): checkpoint, tiles and, for auditors, the entries.

::

    checkpoint                     the served checkpoint, with its cosignatures; replaced last, whole
    tile/<L>/<N>[.p/<W>]           full tiles and the partial ones of the checkpoints exported so far
    tile/entries/<N>[.p/<W>]       entry bundles, where they were asked for
    anchors/<size>-<time>.tsr      time stamps (RFC 3161) with the note that each is of beside it
    export.json                    which log this is, and how far the bundles reach

What is numbered here is numbered in the code; a crash after each leaves:
 1. The folder is empty, or this log's by ``export.json``. Crash: a folder that is claimed.
 2. Its checkpoint is older than the served one, and the served one extends it: a folder that is ahead, or another history, is refused
    and left as it is. Only one process at a time.
 3. Tiles are built anew from the hashes of the lowest level and written, each whole. Crash: tiles beyond the old checkpoint, which
    nobody asks for; the next run writes them again where they differ.
 4. The root of what was written is the checkpoint's, else the run ends here, as after a crash.
 5. Bundles, each entry compared with the hash in its tile.
 6. The checkpoint. Crash before: the folder is the export of before; after: it is the new one.
 7. Partial tiles that are full now go, and the bundles' mark moves.

Store: public, untrusted. Readers check everything; a damaged file can only fail them.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from ecluse.ledger.anchor import anchors_of
from ecluse.ledger.errors import ExportRefused, LedgerBroken, NoteInvalid, NotPublished, ProofError
from ecluse.ledger.model import TILE_WIDTH, Bundle, Checkpoint, StoredCheckpoint, Tile
from ecluse.ledger.notes import open_checkpoint, parse_vkey
from ecluse.ledger.serve import Connection, bundle_of, consistency, keys_of, log_of, query, read_tiles, served_checkpoint
from ecluse.ledger.tiles import TileEdge, TileId, right_edge, split_hashes, tile_path
from ecluse.ledger.tree import check_consistency, leaf_hash

Progress: TypeAlias = Callable[[int, int], None]
"""Called with entries exported and entries in all."""

Files: TypeAlias = list[tuple[str, bytes]]
"""Paths under the folder, and what stands there."""

_MARK: Final = "export.json"
_CHECKPOINT: Final = "checkpoint"
_TILES: Final = 64  # of the lowest level at a time: 16,384 entries
_MOST_BYTES: Final = 1_000_000


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did. ``size``: of the checkpoint; ``before``: of the one that was there, 0 if none; ``written``: files written anew."""

    origin: str
    size: int
    before: int
    written: int
    entries: bool


class _Mark(msgspec.Struct, frozen=True, kw_only=True):
    """``export.json``. ``entries``: entries in the bundles."""

    origin: str
    entries: int = 0


async def export_log(
    conn: Connection, log_id: int, folder: Path, *, entries: bool = False, progress: Progress = lambda _d, _o: None
) -> Exported:
    """Bring ``folder`` up to the served checkpoint. Role ``ecluse_reader``.

    ``entries``: with entry bundles, which tell at what hour how much was decided: not for the public. Raises `ExportRefused` for the folder,
    `NotPublished` before the first checkpoint, `LedgerBroken` where the stored log contradicts its checkpoint, `OSError`.
    """
    log, known = await log_of(conn, log_id), [parse_vkey(key.vkey) for key in await keys_of(conn, log_id)]
    head = await served_checkpoint(conn, log_id)
    if head is None:
        raise NotPublished("the log has no checkpoint yet: nothing to export")
    if open_checkpoint(head.note, known, log.origin) != Checkpoint(origin=log.origin, size=head.size, root=head.root):
        raise LedgerBroken("the served note is not of the checkpoint that stands beside it", log_id=log_id, index=0)
    with _held(folder) as there:
        mark = await asyncio.to_thread(there.claim, log.origin)  # 1
        try:
            old = await asyncio.to_thread(there.checkpoint)
            before = open_checkpoint(old, known, log.origin) if old is not None else None
        except NoteInvalid as bad:
            raise ExportRefused(f"its checkpoint is not one of this log: {bad}", "Choose another folder") from bad
        await _refuse_fork(conn, log_id, before, head)  # 2
        begin = before.size if before is not None else 0
        run = _Export(conn, log_id, there, progress)
        await run.tiles(begin, head)  # 3, 4
        if entries:
            await run.bundles(mark.entries, head.size)  # 5
        await asyncio.to_thread(there.put, [(_CHECKPOINT, head.note.encode())])  # 6
        await asyncio.to_thread(there.put, await _anchors(conn, log_id, head.size))
        reached = head.size if entries else mark.entries
        await asyncio.to_thread(there.tidy, begin, head.size, mark.entries, reached)  # 7
        await asyncio.to_thread(there.put, [(_MARK, msgspec.json.encode(_Mark(origin=log.origin, entries=reached)))])
    return Exported(origin=log.origin, size=head.size, before=begin, written=there.written, entries=entries)


async def _refuse_fork(conn: Connection, log_id: int, before: Checkpoint | None, head: StoredCheckpoint) -> None:
    """Refuse a folder that the served checkpoint does not extend."""
    if before is None or before.size == 0:
        return
    if before.size > head.size:
        why = (
            f"it holds {before.size} entries and the log serves {head.size}: the folder is ahead, so the database was rolled back"
        )
        raise ExportRefused(why, "Change nothing there: it is a witness. Run: ecluse doctor")
    proof = await consistency(conn, log_id, before.size, head.size) if before.size < head.size else []
    try:
        check_consistency(before.size, head.size, before.root, head.root, proof)
    except ProofError as bad:
        why = "the log is another history than the one exported there"
        raise ExportRefused(why, "Change nothing there: it is a witness. Run: ecluse ledger fsck") from bad


async def _anchors(conn: Connection, log_id: int, size: int) -> Files:
    """Return the time stamps on checkpoints up to ``size``, each with the note that it is of."""
    files: Files = []
    for one in await anchors_of(conn, log_id):
        name = f"anchors/{one.size}-{one.stamped_at:%Y%m%dT%H%M%SZ}"
        files += [(f"{name}.note", one.note.encode()), (f"{name}.tsr", one.answer)] if one.size <= size else []
    return files


class _Export:
    """One run. Touched by one task only."""

    def __init__(self, conn: Connection, log_id: int, folder: _Folder, progress: Progress) -> None:
        self.conn, self.log_id, self.folder, self.progress = conn, log_id, folder, progress

    async def tiles(self, begin: int, head: StoredCheckpoint) -> None:
        """Build the tiles from ``begin`` to the checkpoint anew and write them (steps 3 and 4)."""
        edge = TileEdge.load(begin, await read_tiles(self.conn, self.log_id, [(t.level, t.index) for t in right_edge(begin)]))
        while edge.size < head.size:
            edge.extend(await self._hashes(edge.size, min(head.size, (edge.size // TILE_WIDTH + _TILES) * TILE_WIDTH)))
            await self._put(edge.take_full())
            self.progress(edge.size, head.size)
        if edge.root() != head.root:
            raise LedgerBroken("the tiles do not lead to the checkpoint's root", log_id=self.log_id, index=begin)
        await self._put(edge.partial())

    async def _hashes(self, begin: int, end: int) -> list[bytes]:
        """Read the leaf hashes [begin, end)."""
        first = begin // TILE_WIDTH
        ids: list[TileId] = [(0, index) for index in range(first, -(-end // TILE_WIDTH))]
        stored = await read_tiles(self.conn, self.log_id, ids)
        hashes = [one for tile in ids for one in split_hashes(stored.get(tile, b""))]
        wanted = hashes[begin - first * TILE_WIDTH : end - first * TILE_WIDTH]
        if len(wanted) != end - begin:
            raise LedgerBroken("a tile is missing", log_id=self.log_id, index=begin)
        return wanted

    async def _put(self, tiles: Iterable[tuple[TileId, bytes]]) -> None:
        files = [(tile_path(Tile(level=level, index=index, width=len(raw) // 32)), raw) for (level, index), raw in tiles]
        await asyncio.to_thread(self.folder.put, files)

    async def bundles(self, begin: int, size: int) -> None:
        """Write the entries from the bundle of ``begin`` on, each compared with the hash in its tile (step 5)."""
        step = _TILES * TILE_WIDTH
        for first in range(begin // TILE_WIDTH * TILE_WIDTH, size, step):
            last = min(size, first + step)
            rows = await self.conn.fetch(query("entries_of"), self.log_id, first, last)
            hashes = await self._hashes(first, last)
            if [row["index"] for row in rows] != list(range(first, last)):
                raise LedgerBroken("an entry is missing", log_id=self.log_id, index=first)
            wrong = next((row["index"] for row, one in zip(rows, hashes, strict=True) if leaf_hash(row["leaf"]) != one), None)
            if wrong is not None:
                raise LedgerBroken("an entry is not the one in its tile", log_id=self.log_id, index=wrong)
            files: Files = []
            for at in range(first, last, TILE_WIDTH):
                leaves = [row["leaf"] for row in rows[at - first : at - first + TILE_WIDTH]]
                files.append((tile_path(Bundle(index=at // TILE_WIDTH, width=len(leaves))), bundle_of(leaves)))
            await asyncio.to_thread(self.folder.put, files)
            self.progress(last, size)


# ── the folder ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _held(folder: Path) -> Iterator[_Folder]:
    """Make the folder if need be, and keep other exports out of it."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise ExportRefused("another export is writing there", "Run this again when it is done") from held
        yield _Folder(folder)
    finally:
        os.close(handle)


class _Folder:
    """The files of an export. ``written``: how many this run wrote anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0

    def claim(self, origin: str) -> _Mark:
        """Return the mark of this log's folder, making it in an empty one (step 1)."""
        path = self.path / _MARK
        if not path.exists():
            if any(one.name != f"{_MARK}.new" for one in self.path.iterdir()):
                raise ExportRefused(
                    "it is not empty and no export of a log", "Choose an empty folder, or one that does not exist yet"
                )
            self.put([(_MARK, msgspec.json.encode(_Mark(origin=origin)))])
        try:
            mark = msgspec.json.decode(path.read_bytes()[:_MOST_BYTES], type=_Mark)
        except msgspec.DecodeError as bad:
            raise ExportRefused(f"{_MARK} can't be read", "Export to a new folder") from bad
        if mark.origin != origin:
            raise ExportRefused(f"it is the export of another log, {mark.origin}", "Choose another folder: each log has its own")
        return mark

    def checkpoint(self) -> bytes | None:
        """Return the checkpoint that is there."""
        path = self.path / _CHECKPOINT
        if not path.exists():
            return None
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)

    def put(self, files: Files) -> None:
        """Write files, each whole and durably; one that is there with the same bytes is left alone."""
        folders = set()
        for name, raw in files:
            path = self.path / name
            if path.exists() and path.read_bytes() == raw:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(path.name + ".new")
            with new.open("wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
            folders.add(path.parent)
            self.written += 1
        for folder in folders:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def tidy(self, before: int, size: int, bundled_before: int, bundled: int) -> None:
        """Take away the partial tiles that are full by now (step 7): who asks for one is served the full one."""
        now = {(tile.level, tile.index) for tile in right_edge(size)}
        gone = [tile_path(Tile(level=t.level, index=t.index)) for t in right_edge(before) if (t.level, t.index) not in now]
        if bundled_before // TILE_WIDTH < bundled // TILE_WIDTH:
            gone.append(tile_path(Bundle(index=bundled_before // TILE_WIDTH)))
        for path in gone:
            shutil.rmtree(self.path / f"{path}.p", ignore_errors=True)
