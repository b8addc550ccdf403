"""Tiles of the tree (C2SP tlog-tiles 0.1): their paths, which an append changes, and finding a node's hash in them. Pure.

The tile ``(level, index)`` holds the nodes of height ``8 * level`` numbered ``[256 * index, 256 * (index + 1))``, 32 bytes each,
as far as they are complete. One of fewer than 256 is *partial*; it only ever grows at its end, so any prefix of it is the
partial tile of an earlier size::

    tile/<level>/<index>[.p/<width>]      tile/entries/<index>[.p/<width>]

Level: 0 to 63. Index: groups of three digits, all but the last with an ``x`` before (1234067 is ``x001/x234/067``). Width: 1 to
255. No spelling but the shortest. Example: 70,000 entries are tiles 0 to 272 of level 0 and 273 of width 112; tile 0 of level 1
     and 1 of width 17; tile 0 of level 2 of width 1.

Vectors: ``tests/vectors/c2sp/tile-paths.json``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from ecluse.ledger.errors import NotPublished, RangeRefused
from ecluse.ledger.model import HASH_BYTES, MAX_SIZE, TILE_WIDTH, Bundle, Tile
from ecluse.ledger.tree import EMPTY_ROOT, Frontier, Node, join_right, node_hash, root_of

TileId: TypeAlias = tuple[int, int]
"""Level and index."""

TILE_HEIGHT: Final = 8
MAX_LEVEL: Final = 63

_PATH: Final = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


# ── paths ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def tile_path(tile: Tile | Bundle) -> str:
    """Write the path of a tile or bundle. Raises `RangeRefused` for one that can't be."""
    level = tile.level if isinstance(tile, Tile) else 0
    if not (0 <= level <= MAX_LEVEL and 0 <= tile.index <= MAX_SIZE and 1 <= tile.width <= TILE_WIDTH):
        raise RangeRefused("a tile has a level up to 63, an index below 2^63 and a width of 1 to 256")
    digits = str(tile.index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    index = "".join(f"x{group}/" for group in groups[:-1]) + groups[-1]
    kind = str(level) if isinstance(tile, Tile) else "entries"
    return f"tile/{kind}/{index}" + ("" if tile.width == TILE_WIDTH else f".p/{tile.width}")


def parse_tile_path(path: str) -> Tile | Bundle:
    """Read a path as served. Raises `RangeRefused` for anything but its one spelling."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise RangeRefused("not the path of a tile")
    kind, index, width = match.groups()
    number, wide = int(index.replace("x", "").replace("/", "")), int(width) if width else TILE_WIDTH
    tile = Bundle(index=number, width=wide) if kind == "entries" else Tile(level=int(kind), index=number, width=wide)
    if tile_path(tile) != path:  # a leading x000, a width of 256, an index or level too large
        raise RangeRefused("not the path of a tile")
    return tile


# ── which tiles ──────────────────────────────────────────────────────────────────────────────────────────────────────


def right_edge(size: int) -> list[Tile]:
    """List the partial tiles of the tree of ``size`` leaves, lowest level first; a level that ends in a full tile has none."""
    edge = []
    level = 0
    while size:
        index, width = divmod(size, TILE_WIDTH)
        if width:
            edge.append(Tile(level=level, index=index, width=width))
        level, size = level + 1, index
    return edge


def changed_tiles(old_size: int, new_size: int) -> list[Tile]:
    """List the tiles that an append from ``old_size`` to ``new_size`` changes, as wide as they are then, level by level."""
    if not 0 <= old_size <= new_size <= MAX_SIZE:
        raise RangeRefused("a log only grows")
    changed = []
    level = 0
    while old_size < new_size:
        last, width = divmod(new_size, TILE_WIDTH)
        changed += [Tile(level=level, index=index) for index in range(old_size // TILE_WIDTH, last)]
        if width:
            changed.append(Tile(level=level, index=last, width=width))
        level, old_size, new_size = level + 1, old_size // TILE_WIDTH, last
    return changed


def _place(node: Node) -> tuple[TileId, int, int]:
    """Return the tile that holds a node, and the range of its hashes that the node is over."""
    level, rest = divmod(node[0], TILE_HEIGHT)
    begin = node[1] << rest
    return (level, begin // TILE_WIDTH), begin % TILE_WIDTH, begin % TILE_WIDTH + (1 << rest)


def tiles_with(nodes: Iterable[Node]) -> list[TileId]:
    """List the tiles that hold these nodes, sorted, each once."""
    return sorted({_place(node)[0] for node in nodes})


def read_nodes(nodes: Iterable[Node], tiles: Mapping[TileId, bytes]) -> dict[Node, bytes]:
    """Take nodes out of tiles. Raises `NotPublished` where a tile is absent or not wide enough yet."""
    found: dict[Node, bytes] = {}
    for node in sorted(nodes):  # what is below comes first, and is not hashed again
        tile, begin, end = _place(node)
        raw = tiles.get(tile, b"")
        if len(raw) < end * HASH_BYTES:
            raise NotPublished("the tiles do not reach that far")
        height, number = node
        left, right = found.get((height - 1, 2 * number)), found.get((height - 1, 2 * number + 1))
        if height % TILE_HEIGHT and left is not None and right is not None:
            found[node] = node_hash(left, right)
        else:
            found[node] = root_of(split_hashes(raw[begin * HASH_BYTES : end * HASH_BYTES]))
    return found


def split_hashes(raw: bytes) -> list[bytes]:
    """Cut a tile's bytes into its hashes."""
    return [raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)]


# ── appending ────────────────────────────────────────────────────────────────────────────────────────────────────────


class TileEdge:
    """The right edge of a tiled tree: takes leaf hashes, gives full tiles as they fill, the partial ones, and the root.

    Each level keeps its partial tile and the frontier inside it; a tile that fills has carried into one hash, which is the next
    hash of the level above. One hash a leaf on the average.
    """

    __slots__ = ("_frontiers", "_full", "_partial", "size")

    def __init__(self) -> None:
        """Begin with the empty tree."""
        self.size = 0
        self._partial: list[list[bytes]] = []
        self._frontiers: list[Frontier] = []
        self._full: list[tuple[TileId, bytes]] = []

    @classmethod
    def load(cls, size: int, tiles: Mapping[TileId, bytes]) -> TileEdge:
        """Go on from ``size`` with the tiles of `right_edge`, wider by now or not. Raises `NotPublished` if one is missing."""
        edge = cls()
        edge.size = size
        for tile in right_edge(size):
            raw = tiles.get((tile.level, tile.index), b"")[: tile.width * HASH_BYTES]
            if len(raw) != tile.width * HASH_BYTES:
                raise NotPublished("a tile of the right edge is missing")
            edge._reach(tile.level)
            edge._partial[tile.level] = split_hashes(raw)
            edge._frontiers[tile.level].extend(edge._partial[tile.level])
        return edge

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self.extend((leaf,))

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes in order. Full tiles pile up until they are taken."""
        at = 0
        while at < len(leaves):
            self._reach(0)
            room = TILE_WIDTH - len(self._partial[0])
            part = leaves[at : at + room]
            self._partial[0] += part
            self._frontiers[0].extend(part)
            self.size += len(part)
            at += room
            if len(self._partial[0]) == TILE_WIDTH:
                self._carry(0)

    def _reach(self, level: int) -> None:
        while len(self._partial) <= level:
            self._partial.append([])
            self._frontiers.append(Frontier())

    def _carry(self, level: int) -> None:
        """Close full tiles from ``level`` up."""
        shift = TILE_HEIGHT * (level + 1)
        self._full.append(((level, (self.size >> shift) - 1), b"".join(self._partial[level])))
        (carried,) = self._frontiers[level].hashes
        self._partial[level], self._frontiers[level] = [], Frontier()
        self._reach(level + 1)
        self._partial[level + 1].append(carried)
        self._frontiers[level + 1].append(carried)
        if len(self._partial[level + 1]) == TILE_WIDTH:
            self._carry(level + 1)

    def take_full(self) -> list[tuple[TileId, bytes]]:
        """Hand over the tiles filled since the last call, in the order in which they filled."""
        full, self._full = self._full, []
        return full

    def partial(self) -> list[tuple[TileId, bytes]]:
        """Return the partial tiles, lowest level first: those of `right_edge`."""
        return [((tile.level, tile.index), b"".join(self._partial[tile.level])) for tile in right_edge(self.size)]

    def root(self) -> bytes:
        """Return the root of the whole tree. O(log n)."""
        nodes = [one for frontier in reversed(self._frontiers) for one in frontier.hashes]
        return join_right(nodes) if nodes else EMPTY_ROOT
