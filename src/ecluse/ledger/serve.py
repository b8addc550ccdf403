"""What readers of the log are served: proofs, checkpoints, tiles and entries, each from one batched read.

Store: tiles are derived from the entries and may be lost and rebuilt; whoever reads a proof checks it, so a wrong tile can only
fail a check. Nothing is served of an entry that no published checkpoint covers.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TypeAlias

import aiosql
import asyncpg
from aiosql.queries import Queries

from ecluse.ledger.errors import NotPublished, RangeRefused
from ecluse.ledger.model import HASH_BYTES, TILE_WIDTH, Bundle, Log, LogKey, StoredCheckpoint, Tile
from ecluse.ledger.tiles import TileId, read_nodes, tile_path, tiles_with
from ecluse.ledger.tree import Plan, fold, nodes_of, plan_consistency, plan_inclusion

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
"""A connection of one's own, or one lent by a pool."""


@cache
def _queries() -> Queries:
    """Load ``queries.sql`` at first use: importing a module does nothing."""
    queries: Queries = aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")
    return queries


def query(name: str) -> str:
    """Return the text of a named statement of ``queries.sql``; its values are bound in the order of their first use."""
    return str(getattr(_queries(), name).sql)


async def log_of(conn: Connection, log_id: int) -> Log:
    """Read a log and its size. Raises `RangeRefused` where there is none."""
    row = await conn.fetchrow(query("log_of"), log_id)
    if row is None:
        raise RangeRefused("no such log")
    return Log(id=row["id"], name=row["name"], origin=row["origin"], vkey=row["vkey"], size=row["size"])


async def keys_of(conn: Connection, log_id: int) -> list[LogKey]:
    """Read the keys that ever signed a log's checkpoints, older first."""
    rows = await conn.fetch(query("keys_of"), log_id)
    return [LogKey(vkey=row["vkey"], from_size=row["from_size"], until_size=row["until_size"]) for row in rows]


async def current_log(conn: Connection, log_id: int) -> int:
    """Return the log that is written now: ``log_id``, or the one at the end of its line of successors."""
    current: int = await conn.fetchval(query("current_log"), log_id)
    return current


def _stored(row: asyncpg.Record | None) -> StoredCheckpoint | None:
    if row is None:
        return None
    return StoredCheckpoint(size=row["size"], root=row["root"], note=row["note"], signed_at=row["signed_at"])


async def checkpoint(conn: Connection, log_id: int) -> StoredCheckpoint | None:
    """Return the checkpoint signed last, cosigned or not; None before the first. Readers are given `served_checkpoint`."""
    return _stored(await conn.fetchrow(query("latest_checkpoint"), log_id))


async def served_checkpoint(conn: Connection, log_id: int) -> StoredCheckpoint | None:
    """Return the checkpoint that readers are given; None before the first.

    It is the newest with its quorum, after its own signatures those of its witnesses. A newer one that waited 5 s for its quorum comes before it, with what
    it has: a missing witness must not hide the log, and a reader with a policy refuses it by himself.
    """
    return _stored(await conn.fetchrow(query("served_checkpoint"), log_id))


async def checkpoint_covering(conn: Connection, log_id: int, index: int) -> StoredCheckpoint | None:
    """Return the served checkpoint if the entry ``index`` is under it; None where it has to be waited for (a second, five without a quorum)."""
    head = await served_checkpoint(conn, log_id)
    return head if head is not None and index < head.size else None


async def read_tiles(conn: Connection, log_id: int, tiles: Iterable[TileId]) -> dict[TileId, bytes]:
    """Read the tiles named, in one statement; those that there are."""
    ids = list(tiles)
    if not ids:
        return {}
    rows = await conn.fetch(query("tiles_of"), [level for level, _ in ids], [index for _, index in ids], log_id)
    return {(row["level"], row["tile"]): row["hashes"] for row in rows}


async def fold_plan(conn: Connection, log_id: int, plan: Plan) -> list[bytes]:
    """Read what a plan wants, once, and fold it. Raises `NotPublished` where the tiles do not reach that far."""
    nodes = nodes_of(plan)
    return fold(plan, read_nodes(nodes, await read_tiles(conn, log_id, tiles_with(nodes))))


async def inclusion(conn: Connection, log_id: int, index: int, size: int) -> list[bytes]:
    """Return the proof that entry ``index`` is in the tree of ``size`` leaves, leaf side first.

    ``size`` is that of a checkpoint. Raises `RangeRefused` for an index outside of it, `NotPublished` beyond the tiles.
    """
    return await fold_plan(conn, log_id, plan_inclusion(index, size))


async def consistency(conn: Connection, log_id: int, old_size: int, new_size: int) -> list[bytes]:
    """Return the proof that the tree of ``new_size`` extends that of ``old_size``. Raises as `inclusion` does."""
    return await fold_plan(conn, log_id, plan_consistency(old_size, new_size))


async def _published_size(conn: Connection, log_id: int) -> int:
    latest = await checkpoint(conn, log_id)
    return 0 if latest is None else latest.size


async def tile_bytes(conn: Connection, log_id: int, tile: Tile) -> bytes:
    """Return a tile's hashes, 32 bytes each. Raises `NotPublished` for one that the log has not reached."""
    tile_path(tile)  # refuses one that can't be
    published = await _published_size(conn, log_id)
    if (published >> 8 * tile.level) - tile.index * TILE_WIDTH < tile.width:
        raise NotPublished("no checkpoint has that tile")
    raw = (await read_tiles(conn, log_id, [(tile.level, tile.index)])).get((tile.level, tile.index), b"")
    if len(raw) < tile.width * HASH_BYTES:
        raise NotPublished("that tile has to be rebuilt first")
    return raw[: tile.width * HASH_BYTES]


async def bundle_bytes(conn: Connection, log_id: int, bundle: Bundle) -> bytes:
    """Return the entries under a tile, each after its length as a big-endian uint16. Raises as `tile_bytes` does."""
    tile_path(bundle)
    first = bundle.index * TILE_WIDTH
    last = first + bundle.width
    if await _published_size(conn, log_id) < last:
        raise NotPublished("no checkpoint has those entries")
    leaves = [row["leaf"] for row in await conn.fetch(query("bundle_of"), log_id, first, bundle.width)]
    if len(leaves) != bundle.width or any(len(leaf) > 0xFFFF for leaf in leaves):
        raise NotPublished("entries of that bundle are missing or damaged")
    return bundle_of(leaves)


def bundle_of(leaves: Iterable[bytes]) -> bytes:
    """Write entries as a bundle (C2SP tlog-tiles): each after its length as a big-endian uint16."""
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)
