"""One head extends another, shown by tiles: every pair of small sizes against the server's trees, and everything spoilt is refused."""

from __future__ import annotations

from hashlib import sha256

import pytest

from ecluse.client.errors import ReceiptBroken
from ecluse.client.model import Checkpoint
from ecluse.client.tree import check_extends, path_between, tile_width, tiles_between
from ecluse.ledger import tiles, tree

pytestmark = pytest.mark.unit

LEAVES = [sha256(b"\0%d" % number).digest() for number in range(600)]


def head(size: int, leaves: list[bytes] = LEAVES) -> Checkpoint:
    """Return the head of the first leaves."""
    return Checkpoint(origin="o", size=size, root=tree.root_of(leaves[:size]))


def served(size: int, leaves: list[bytes] = LEAVES) -> dict[tuple[int, int], bytes]:
    """Return all tiles of a log, as the server cuts them."""
    edge = tiles.TileEdge()
    edge.extend(leaves[:size])
    return dict([*edge.take_full(), *edge.partial()])


def test_extends_when_every_small_pair_then_shown_and_as_the_server_would() -> None:
    """All pairs up to 40: the tiles give the server's own proof, it holds, and one bit flipped anywhere in it or in a root fails."""
    for newer in range(2, 41):
        held = served(newer)
        for older in range(1, newer):
            path = path_between(older, newer, {tile: held[tile] for tile in tiles_between(older, newer)})
            whole = tree.consistency_path(
                older, newer, lambda wanted: {(h, n): tree.root_of(LEAVES[n << h : (n + 1) << h]) for h, n in wanted}
            )
            assert path == whole
            check_extends(head(older), head(newer), path)
            flips = [[*path[:n], bytes([each[0] ^ 1]) + each[1:], *path[n + 1 :]] for n, each in enumerate(path)]
            for wrong in (*flips, path[:-1], [*path, LEAVES[0]], []):
                with pytest.raises(ReceiptBroken):
                    check_extends(head(older), head(newer), wrong)
            for one, other in ((head(older, LEAVES[1:]), head(newer)), (head(older), head(newer, LEAVES[1:]))):
                with pytest.raises(ReceiptBroken):
                    check_extends(one, other, path)


@pytest.mark.parametrize(
    ("older", "newer"), [(1, 600), (255, 256), (256, 257), (255, 600), (256, 512), (300, 600), (511, 513), (512, 600), (599, 600)]
)
def test_extends_when_over_several_tiles_then_shown(older: int, newer: int) -> None:
    """Full and partial tiles of two levels, at their widths in the newer log."""
    held = served(newer)
    wanted = tiles_between(older, newer)
    assert all(tile_width(tile, newer) * 32 == len(held[tile]) for tile in wanted)
    check_extends(head(older), head(newer), path_between(older, newer, {tile: held[tile] for tile in wanted}))


def test_extends_when_history_changed_then_refused() -> None:
    """An entry of the past is another one: the new log's own tiles can't lead to the head that was seen."""
    for changed in (0, 254, 255, 256, 299):
        forked = [*LEAVES[:changed], sha256(b"another").digest(), *LEAVES[changed + 1 :]]
        held = served(600, forked)
        path = path_between(300, 600, {tile: held[tile] for tile in tiles_between(300, 600)})
        with pytest.raises(ReceiptBroken):
            check_extends(head(300), head(600, forked), path)


def test_path_when_a_tile_is_short_then_refused() -> None:
    """A tile that lacks a hash is no proof."""
    held = served(600)
    with pytest.raises(ReceiptBroken):
        path_between(300, 600, {tile: held[tile][:-32] for tile in tiles_between(300, 600)})


def test_tiles_when_the_log_is_huge_then_few() -> None:
    """Between two heads of ten thousand million entries lie a handful of tiles."""
    assert len(tiles_between(9_999_999_999, 10_000_000_000)) <= 5
    assert len(tiles_between(1, 2**62)) <= 16
