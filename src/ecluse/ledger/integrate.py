"""Integrating: committed entries into tiles, a root, a signed checkpoint, within a second of the seal, by one elected process.

A round is one transaction (READ COMMITTED); its steps, and what a crash after each leaves:
 1. elect: an advisory lock until the transaction ends, so it works through PgBouncer's transaction mode. Crash: the lock goes
    with the connection.
 2. read: the head, the signer's memory, the entries from the tiles' size to the head's, at most 50,000. Nothing uncommitted is
    ever seen.
 3. tiles: the full ones and the partial right edge are written. Crash: rolled back; tiles are derived anyway.
 4. sign: the signer checks that the new tree extends what it signed last, and remembers the new note outside the database. Where
    a second key signs from this size on, the last head of the first alone gets its signature before, in a round of its own.
    Crash: the note is remembered and unpublished; the next round hashes the same entries again and signs the same head, or a
    larger one that extends it.
 5. publish: the checkpoint's row, then commit. A commit whose outcome is unknown is the crash of 4 or a finished round. Witnesses are
    asked after it, by others (`witnesses`): what they hold was always committed here.
Recovery is therefore the next round and nothing else. Tiles lost at the right edge are hashed again from the entries, without a
signature until the last signed size is reached.

The process also keeps house: `ecluse.purge` each minute, `ecluse.ensure_partitions` each hour. A refusal of the signer stops
neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import asyncpg
import structlog

from ecluse.db import LOST
from ecluse.events import describe
from ecluse.ledger.errors import (
    KeyInvalid,
    LedgerBehind,
    LedgerBroken,
    LedgerError,
    LedgerSucceeded,
    NotPublished,
    ProofError,
    SignerHeld,
)
from ecluse.ledger.model import Checkpoint, Log, LogKey, Round, StoredCheckpoint
from ecluse.ledger.serve import Connection, checkpoint, current_log, fold_plan, keys_of, log_of, query, read_tiles
from ecluse.ledger.tiles import TileEdge, right_edge
from ecluse.ledger.tree import check_consistency, leaf_hash, plan_consistency

if TYPE_CHECKING:
    from ecluse.ledger.sign import Signer

CHUNK: Final = 50_000
"""Entries that one round takes at most."""

_SLICE: Final = 2_000  # leaves hashed before other tasks get their turn: about 5 ms
_PAUSE: Final = timedelta(milliseconds=400)  # between rounds when there was nothing more to do
_PAUSE_REFUSED: Final = timedelta(seconds=2)
_PAUSE_HOUSE: Final = timedelta(seconds=15)
_SLICE_ROWS: Final = 20_000  # what one call of `ecluse.purge` deletes at most of a kind
_SLICES: Final = 20  # calls in a row: the rest waits for the next turn
_PURGE_EVERY: Final = timedelta(minutes=1)
_PARTITIONS_EVERY: Final = timedelta(hours=1)

_FAILED: Final = (*LOST, asyncpg.PostgresError)

_log: Final = structlog.get_logger("ecluse.ledger")


class Integrator:
    """Keeps one log's tiles and checkpoints up with its entries. Any number may run; one at a time has the turn.

    ``refusal`` and ``last`` are written by `run` only: why it is not signing (None: it is), and what its last round did.
    """

    def __init__(
        self, pool: asyncpg.Pool[asyncpg.Record], signer: Signer, *, log_id: int, published: Callable[[], None] = lambda: None
    ) -> None:
        """Work through ``pool`` (role ``ecluse_jobs``) for the log that ``signer`` signs; ``published`` is called after each checkpoint's commit."""
        self.refusal: LedgerError | None = None
        self.last: Round | None = None
        self._pool = pool
        self._signer = signer
        self._log_id = log_id
        self._published = published
        self._due = {"purge": 0.0, "ensure_partitions": 0.0}

    async def run(self, stop: asyncio.Event) -> None:
        """Integrate and keep house until ``stop`` is set. A refusal is logged and shown in ``refusal``; all is tried again."""
        while not stop.is_set():
            pause = _PAUSE
            try:
                self.last = await self.round()
                if self.last.published:
                    self._published()
                pause = timedelta(0) if self.last.behind and self.last.elected else _PAUSE
                self._settle(None)
            except SignerHeld:
                pass  # the other process has the turn
            except LedgerError as refusal:
                self._settle(refusal)
                pause = _PAUSE_REFUSED
            except _FAILED as failed:
                _log.warning("ledger:integrate:failed", code=type(failed).__name__, log_id=self._log_id)
                pause = _PAUSE_REFUSED
            except Exception as bug:  # noqa: BLE001 - the edge of a worker: it must not die silently, nor housekeeping with it
                _log.error("ledger:integrate:bug", log_id=self._log_id, **describe(bug))
                pause = _PAUSE_REFUSED
            await self._keep_house()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause.total_seconds())

    def _settle(self, refusal: LedgerError | None) -> None:
        """Note why nothing is signed; log it when it changes, not at each round."""
        if (refusal and refusal.code) != (self.refusal and self.refusal.code):
            if refusal is not None:
                _log.error("ledger:integrate:refused", code=refusal.code, log_id=self._log_id)
            else:
                _log.info("ledger:integrate:resumed", log_id=self._log_id)
        self.refusal = refusal

    async def _keep_house(self) -> None:
        """Do what is due. A failure is logged and tried again in a while; it does not keep the log from being signed."""
        now = asyncio.get_running_loop().time()
        for task, every in (("ensure_partitions", _PARTITIONS_EVERY), ("purge", _PURGE_EVERY)):
            if now >= self._due[task]:
                try:
                    for _ in range(_SLICES):
                        done = await self._pool.fetchval(query(task))
                        if not isinstance(done, int) or done < _SLICE_ROWS:
                            break
                    self._due[task] = now + every.total_seconds()
                except _FAILED as failed:
                    _log.warning("ledger:house:failed", code=type(failed).__name__, task=task, log_id=self._log_id)
                    self._due[task] = now + _PAUSE_HOUSE.total_seconds()

    async def round(self) -> Round:
        """Do one round, steps 1 to 5. Raises `LedgerError` where log or signer refuse, and the driver's errors."""
        async with self._pool.acquire() as conn, conn.transaction():
            if not await conn.fetchval(query("elect"), self._log_id):
                return Round(elected=False)
            with self._signer.hold():
                return await self._take_turn(conn)

    async def _take_turn(self, conn: Connection) -> Round:
        log, keys = await self._own_log(conn)
        signed, _ = await asyncio.to_thread(self._signer.last)
        if log.size < signed.size:
            raise LedgerBehind("the log is shorter than what was signed", signed_size=signed.size, size=log.size)
        begin = await conn.fetchval(query("integrated"), self._log_id) or 0
        if begin > log.size:
            raise LedgerBroken("tiles reach beyond the head", log_id=log.id, index=log.size)
        end = min(log.size, begin + CHUNK)
        edge = await self._integrate(conn, begin, end)
        done = Round(elected=True, entries=end - begin, size=end, behind=log.size - end)
        published = await checkpoint(conn, log.id)
        floor = max(signed.size, published.size if published else 0)
        if end < floor:  # tiles were lost: no signature before they are back
            if not done.behind:
                raise LedgerBroken("a published checkpoint reaches beyond the head", log_id=log.id, index=end)
            return done
        root = edge.root()
        if signed.size == end and signed.root != root:
            raise LedgerBehind("the log has another root than what was signed", signed_size=signed.size, size=end)
        if published is not None and published.size == end:
            if published.root != root:
                raise LedgerBroken("the published root is not that of the entries", log_id=log.id, index=0)
            return done
        if signed.size and any(key.signs(end) and key.from_size > signed.size for key in keys):
            note = await asyncio.to_thread(self._signer.sign, signed.size, signed.root, [])
            if published is None or note != published.note:
                return await self._countersign(conn, signed, note, done)
        await self._publish(conn, end, root, signed, published)
        return Round(elected=True, entries=done.entries, size=end, behind=done.behind, published=True)

    async def _countersign(self, conn: Connection, signed: Checkpoint, note: str, done: Round) -> Round:
        """Publish the last head of one key alone with the next key's signature, too."""
        published = await checkpoint(conn, self._log_id)
        if published is None or published.size < signed.size:  # signed before a crash
            await conn.execute(query("publish"), self._log_id, signed.size, signed.root, note)
        else:
            await conn.execute(query("countersign"), note, self._log_id, signed.size)
        return Round(
            elected=True, entries=done.entries, size=done.size, behind=done.size - signed.size + done.behind, published=True
        )

    async def _own_log(self, conn: Connection) -> tuple[Log, list[LogKey]]:
        """Return the log and its keys, once the signer has those that sign the head."""
        if await current_log(conn, self._log_id) != self._log_id:
            raise LedgerSucceeded
        log, keys = await log_of(conn, self._log_id), await keys_of(conn, self._log_id)
        if log.origin != self._signer.origin:
            raise KeyInvalid("the signer's key and origin are not those of the log")
        await asyncio.to_thread(self._signer.use, [key.vkey for key in keys if key.signs(log.size)])
        return log, keys

    async def _integrate(self, conn: Connection, begin: int, end: int) -> TileEdge:
        """Hash the entries [begin, end) into tiles (steps 2 and 3)."""
        ids = [(tile.level, tile.index) for tile in right_edge(begin)]
        try:
            edge = TileEdge.load(begin, await read_tiles(conn, self._log_id, ids))
        except NotPublished as missing:
            raise LedgerBroken(str(missing), log_id=self._log_id, index=begin) from missing
        if begin == end:
            return edge
        rows = await conn.fetch(query("entries_of"), self._log_id, begin, end)
        for expected, row in enumerate(rows, begin):
            if row["index"] != expected:
                raise LedgerBroken("an entry is missing", log_id=self._log_id, index=expected)
        if len(rows) != end - begin:
            raise LedgerBroken("an entry is missing", log_id=self._log_id, index=begin + len(rows))
        for at in range(0, len(rows), _SLICE):
            edge.extend([leaf_hash(row["leaf"]) for row in rows[at : at + _SLICE]])
            await asyncio.sleep(0)
        tiles = edge.take_full() + edge.partial()
        levels, indexes = [tile[0] for tile, _ in tiles], [tile[1] for tile, _ in tiles]
        await conn.execute(query("put_tiles"), self._log_id, levels, indexes, [raw for _, raw in tiles])
        return edge

    async def _publish(
        self, conn: Connection, size: int, root: bytes, signed: Checkpoint, published: StoredCheckpoint | None
    ) -> None:
        """Sign the head (step 4), then publish it (step 5)."""
        proof = await self._proof(conn, signed.size, size)
        if published is not None and published.size not in (0, signed.size):
            try:
                check_consistency(published.size, size, published.root, root, await self._proof(conn, published.size, size))
            except ProofError as bad:
                raise LedgerBehind("the log does not extend what was published", signed_size=published.size, size=size) from bad
        note = await asyncio.to_thread(self._signer.sign, size, root, proof)
        await conn.execute(query("publish"), self._log_id, size, root, note)

    async def _proof(self, conn: Connection, old_size: int, new_size: int) -> list[bytes]:
        """Return the consistency proof that the signer wants: none from the empty log."""
        if old_size == 0:
            return []
        try:
            return await fold_plan(conn, self._log_id, plan_consistency(old_size, new_size))
        except NotPublished as missing:
            raise LedgerBroken("a tile is missing", log_id=self._log_id, index=0) from missing
