"""Proofs of the log's tree: that it holds an entry, and that one head of it extends another, read from its public tiles.

Standards: RFC 9162 §2.1.3.2 and §2.1.4 (the tree of RFC 6962), C2SP tlog-tiles 0.1. Vectors: ``tests/vectors/rfc6962/``. Pure, and
written apart from the server.

A node ``(height, index)`` is a complete subtree over the entries ``[index << height, (index + 1) << height)``. The tile
``(level, number)`` holds the nodes of height ``8 * level`` numbered ``[256 * number, 256 * (number + 1))``, as far as there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final, TypeAlias

from ecluse.client.errors import ReceiptBroken
from ecluse.client.model import Checkpoint

HASH_BYTES: Final = 32
TILE_WIDTH: Final = 256
MOST_STEPS: Final = 63
Tile: TypeAlias = tuple[int, int]
"""Level and number."""
_Reader: TypeAlias = Callable[[int, int], bytes]


def check_inclusion(index: int, leaf_hash: bytes, path: Sequence[bytes], checkpoint: Checkpoint) -> None:
    """Check that ``leaf_hash`` is entry ``index``; ``path``: 32-byte hashes, leaf side first. Raises ``ReceiptBroken``."""
    if not 0 <= index < checkpoint.size:
        raise ReceiptBroken("the checkpoint is older than the entry")
    if any(len(step) != HASH_BYTES for step in (leaf_hash, *path)):
        raise ReceiptBroken("a hash is not 32 bytes")
    at, last, hashed = index, checkpoint.size - 1, leaf_hash
    for step in path:
        if last == 0:
            raise ReceiptBroken("the inclusion proof is too long")
        if at & 1 or at == last:
            hashed = _node(step, hashed)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            hashed = _node(hashed, step)
        at, last = at >> 1, last >> 1
    if last or hashed != checkpoint.root:
        raise ReceiptBroken("the inclusion proof does not lead to the root")


def check_extends(older: Checkpoint, newer: Checkpoint, path: Sequence[bytes]) -> None:
    """Check that the tree of ``newer`` begins with that of ``older``, which is smaller and not empty. Raises ``ReceiptBroken``."""
    if not 0 < older.size < newer.size:
        raise AssertionError("impossible: a consistency proof between other sizes")
    if not path or any(len(step) != HASH_BYTES for step in path):
        raise ReceiptBroken("the consistency proof is empty or malformed")
    steps = list(path)
    if older.size & (older.size - 1) == 0:  # a complete subtree: the older root itself is the first step
        steps.insert(0, older.root)
    at, last = older.size - 1, newer.size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ReceiptBroken("the consistency proof is too long")
        if at & 1 or at == last:
            before, after = _node(step, before), _node(step, after)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            after = _node(after, step)
        at, last = at >> 1, last >> 1
    if last or before != older.root or after != newer.root:
        raise ReceiptBroken("the consistency proof does not lead to both roots")


def tiles_between(older: int, newer: int) -> list[Tile]:
    """List the tiles that show that a tree of ``newer`` entries begins with one of ``older``, ``0 < older < newer``."""
    wanted: set[Tile] = set()

    def note(height: int, index: int) -> bytes:
        wanted.add(_place(height, index)[0])
        return b""

    _path(older, 0, newer, note, known=True)
    return sorted(wanted)


def path_between(older: int, newer: int, tiles: Mapping[Tile, bytes]) -> list[bytes]:
    """Return the consistency proof that the tiles hold (RFC 9162 §2.1.4.1). Raises ``ReceiptBroken`` where they are too short."""

    def read(height: int, index: int) -> bytes:
        tile, first, count = _place(height, index)
        raw = tiles[tile][first * HASH_BYTES : (first + count) * HASH_BYTES]
        if len(raw) != count * HASH_BYTES:
            raise ReceiptBroken("a tile of the log is too short")
        level = [raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)]
        while len(level) > 1:
            level = [_node(left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
        return level[0]

    return _path(older, 0, newer, read, known=True)


def tile_width(tile: Tile, size: int) -> int:
    """Return how many hashes a tile has in a log of ``size`` entries, at least 1."""
    level, number = tile
    return min(TILE_WIDTH, (size >> 8 * level) - number * TILE_WIDTH)


def tile_path(tile: Tile, width: int) -> str:
    """Write a tile's path below the log's address: 1234067 of level 0 is ``tile/0/x001/x234/067``."""
    level, number = tile
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    named = "".join(f"x{group}/" for group in groups[:-1]) + groups[-1]
    return f"tile/{level}/{named}" + ("" if width == TILE_WIDTH else f".p/{width}")


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _place(height: int, index: int) -> tuple[Tile, int, int]:
    """Return a node's tile, the number of its first hash there, and how many hashes it spans."""
    level, rest = divmod(height, 8)
    first = index << rest
    return (level, first // TILE_WIDTH), first % TILE_WIDTH, 1 << rest


def _split(width: int) -> int:
    return 1 << (width - 1).bit_length() - 1


def _span(begin: int, end: int, read: _Reader) -> bytes:
    """Hash the entries ``[begin, end)``, where ``begin`` is a multiple of the smallest power of two that is not below their number."""
    width = end - begin
    if width & (width - 1) == 0:
        height = width.bit_length() - 1
        return read(height, begin >> height)
    middle = begin + _split(width)
    return _node(_span(begin, middle, read), _span(middle, end, read))


def _path(older: int, begin: int, end: int, read: _Reader, *, known: bool) -> list[bytes]:
    """Prove the first ``older`` of the entries ``[begin, end)``; ``known``: the checker has their root (RFC 9162 §2.1.4.1)."""
    if older == end - begin:
        return [] if known else [_span(begin, end, read)]
    middle = begin + _split(end - begin)
    if older <= middle - begin:
        return [*_path(older, begin, middle, read, known=known), _span(middle, end, read)]
    return [*_path(older - (middle - begin), middle, end, read, known=False), _span(begin, middle, read)]
