"""Tiles: paths, what an append changes, nodes found in them, and the growing edge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.ledger.errors import NotPublished, RangeRefused
from ecluse.ledger.model import Bundle, Tile
from ecluse.ledger.tiles import TileEdge, changed_tiles, parse_tile_path, read_nodes, right_edge, tile_path, tiles_with
from ecluse.ledger.tree import EMPTY_ROOT, fold, leaf_hash, nodes_of, plan_consistency, plan_inclusion, plan_root, root_of

pytestmark = pytest.mark.unit

PATHS = json.loads((Path(__file__).parents[1] / "vectors" / "c2sp" / "tile-paths.json").read_text(encoding="utf-8"))
SIZE = 70_000
LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(SIZE)]


@pytest.fixture(scope="module")
def stored():
    """Tiles of the tree of 70,000 leaves, by id."""
    edge = TileEdge()
    edge.extend(LEAVES)
    return dict(edge.take_full() + edge.partial())


@pytest.mark.parametrize("path", PATHS["bad"])
def test_parse_tile_path_when_spelled_otherwise_then_refused(path):
    """Every path but the one spelling of a tile is refused."""
    with pytest.raises(RangeRefused):
        parse_tile_path(path)


@pytest.mark.parametrize(("path", "level", "index", "width"), PATHS["good"])
def test_parse_tile_path_when_canonical_then_read_and_written_alike(path, level, index, width):
    """Good paths read to their tile, which is written as the same path."""
    tile = Bundle(index=index, width=width) if level < 0 else Tile(level=level, index=index, width=width)
    assert parse_tile_path(path) == tile
    assert tile_path(tile) == path


@pytest.mark.parametrize(
    "tile",
    [
        Tile(level=-1, index=0), Tile(level=64, index=0), Tile(level=0, index=-1), Tile(level=0, index=2**63),
        Tile(level=0, index=0, width=0), Tile(level=0, index=0, width=257), Bundle(index=-1), Bundle(index=0, width=0),
    ],
)  # fmt: skip
def test_tile_path_when_there_is_no_such_tile_then_refused(tile):
    """A tile that can't be has no path."""
    with pytest.raises(RangeRefused):
        tile_path(tile)


@given(st.integers(0, 63), st.integers(0, 2**63 - 1), st.integers(1, 256))
def test_tile_path_when_any_tile_then_reads_back(level, index, width):
    """Paths of all tiles read back."""
    tile = Tile(level=level, index=index, width=width)
    assert parse_tile_path(tile_path(tile)) == tile


@given(st.text(alphabet="tileenrs/x0123456789.p_", max_size=30))
def test_parse_tile_path_when_given_anything_then_refused_or_canonical(text):
    """Whatever parses is written back as it was."""
    try:
        tile = parse_tile_path(text)
    except RangeRefused:
        return
    assert tile_path(tile) == text


def test_right_edge_when_70000_then_as_the_standard_says():
    """The example of tlog-tiles: widths 112, 17 and 1."""
    assert right_edge(SIZE) == [
        Tile(level=0, index=273, width=112), Tile(level=1, index=1, width=17), Tile(level=2, index=0, width=1),
    ]  # fmt: skip
    assert right_edge(256) == [Tile(level=1, index=0, width=1)]
    assert right_edge(0) == []


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (0, 0, []),
        (5, 5, []),
        (0, 1, [Tile(level=0, index=0, width=1)]),
        (255, 256, [Tile(level=0, index=0), Tile(level=1, index=0, width=1)]),
        (256, 257, [Tile(level=0, index=1, width=1)]),
        (
            250, 520,
            [Tile(level=0, index=0), Tile(level=0, index=1), Tile(level=0, index=2, width=8), Tile(level=1, index=0, width=2)],
        ),
        (65535, 65536, [Tile(level=0, index=255), Tile(level=1, index=0), Tile(level=2, index=0, width=1)]),
    ],
)  # fmt: skip
def test_changed_tiles_when_appended_then_these(old, new, changed):
    """An append changes the tiles it reaches, on every level where a hash was added."""
    assert changed_tiles(old, new) == changed


@pytest.mark.parametrize(("old", "new"), [(5, 4), (-1, 4), (0, 2**63)])
def test_changed_tiles_when_the_log_shrinks_then_refused(old, new):
    """A log only grows."""
    with pytest.raises(RangeRefused):
        changed_tiles(old, new)


def test_tile_edge_when_70000_then_every_tile_as_defined(stored):
    """The tiles of 70,000 leaves are those the standard lists, each hash the root of its leaves."""
    assert len(stored) == 273 + 1 + 1 + 1 + 1
    assert {tile: len(raw) // 32 for tile, raw in stored.items() if len(raw) < 8192} == {(0, 273): 112, (1, 1): 17, (2, 0): 1}
    assert stored[0, 7] == b"".join(LEAVES[7 * 256 : 8 * 256])
    assert stored[1, 1][-32:] == root_of(LEAVES[272 * 256 : 273 * 256])
    assert stored[2, 0] == root_of(LEAVES[:65536])


@pytest.mark.parametrize("first", [0, 1, 255, 256, 257, 65_535, 65_536, 65_537, 69_999])
def test_tile_edge_when_loaded_in_the_middle_then_the_same_tree(stored, first):
    """An edge that goes on from stored tiles, wider by now or not, writes what one from the beginning writes."""
    edge = TileEdge.load(first, stored)
    assert edge.root() == root_of(LEAVES[:first])
    edge.extend(LEAVES[first:])
    written = edge.take_full() + edge.partial()
    assert all(stored[tile] == raw for tile, raw in written)
    assert {tile for tile, _ in written} >= {(tile.level, tile.index) for tile in changed_tiles(first, SIZE)}
    assert edge.root() == root_of(LEAVES)


def test_tile_edge_when_a_tile_is_missing_then_refused(stored):
    """Without its right edge a tree can't grow."""
    for missing in right_edge(SIZE):
        rest = {tile: raw for tile, raw in stored.items() if tile != (missing.level, missing.index)}
        with pytest.raises(NotPublished):
            TileEdge.load(SIZE, rest)


@given(st.lists(st.integers(0, 700), max_size=6))
def test_tile_edge_when_fed_in_parts_then_the_root_of_all(parts):
    """Leaves may come in any portions."""
    edge, size = TileEdge(), 0
    assert edge.root() == EMPTY_ROOT
    for part in parts:
        edge.extend(LEAVES[size : size + part])
        size += part
        assert edge.size == size
        assert edge.root() == root_of(LEAVES[:size])


def test_read_nodes_when_planned_then_proofs_fold_from_few_tiles(stored):
    """Roots of any size, also earlier ones, fold from tiles alone; a proof needs at most two tiles a level."""
    for size in (1, 2, 255, 256, 257, 65_535, 65_536, 65_537, 69_999, SIZE):
        plan = plan_root(size)
        assert fold(plan, read_nodes(nodes_of(plan), stored)) == [root_of(LEAVES[:size])]
    for plan in (plan_inclusion(12_345, SIZE), plan_consistency(12_345, SIZE)):
        assert len(tiles_with(nodes_of(plan))) <= 6


def test_read_nodes_when_the_tile_is_too_narrow_then_refused(stored):
    """A node that a tile has not reached is not published."""
    with pytest.raises(NotPublished):
        read_nodes([(0, SIZE)], stored)
    with pytest.raises(NotPublished):
        read_nodes([(0, 0)], {})
