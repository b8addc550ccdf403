"""What the ledger itself costs: appending with the root, proofs made and checked, integrating in the database, and all of it as the log grows to ten million.

Pure figures are of one core, by the processor time of this process, so that a busy machine does not spoil them. The integrated ones are of the gate's own
integrator, that hashes, signs and publishes entries written past the door, by the clock.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

import ecluse.demo
from bench.growth import fill
from ecluse import install, settings
from ecluse.db import open_pool
from ecluse.ledger.integrate import CHUNK, Integrator
from ecluse.ledger.tiles import TileEdge, TileId, read_nodes, right_edge
from ecluse.ledger.tree import (
    Frontier,
    check_consistency,
    check_inclusion,
    fold,
    leaf_hash,
    nodes_of,
    plan_consistency,
    plan_inclusion,
)

LOG_ID: Final = 1
GROWN: Final = 10_000_000
_BATCH: Final = 64
"""Entries of one seal: after each the root is taken."""
_PROOFS: Final = 2_000

Grid = dict[TileId, bytes]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One figure: of what, in which unit, with what else is worth saying."""

    what: str
    figure: float
    unit: str
    said: str = ""


def _leaf(number: int) -> bytes:
    """Write the bytes of an entry as the seal does."""
    return b'{"c":"%s","h":"2026-01-05T09Z","k":"decision","v":1}' % sha256(number.to_bytes(8, "big")).hexdigest().encode()


def _spent(work: Callable[[], object], passes: int = 1) -> float:
    """Return the processor seconds that some work takes at best: what else runs only adds to it."""
    taken = []
    for _ in range(passes):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def appended(entries: int = 300_000) -> list[Line]:
    """Append leaves with the root after each batch: the bare tree, and the tiled one that is published."""
    leaves = [_leaf(number) for number in range(entries)]
    batches = [leaves[at : at + _BATCH] for at in range(0, entries, _BATCH)]

    def bare() -> None:
        tree = Frontier()
        for batch in batches:
            tree.extend(map(leaf_hash, batch))
            tree.root()

    def tiled() -> None:
        edge = TileEdge()
        for batch in batches:
            edge.extend([leaf_hash(one) for one in batch])
            edge.root()
            edge.take_full()

    every = f"hashed from the entry's bytes, the root after every {_BATCH}"
    runs = [(_spent(bare), _spent(tiled)) for _ in range(3)]
    return [
        Line(what="appended, bare tree", figure=entries / median(run[0] for run in runs), unit="entries/s/core", said=every),
        Line(what="appended, with tiles", figure=entries / median(run[1] for run in runs), unit="entries/s/core", said=every),
    ]


def grown(entries: int = GROWN) -> tuple[list[Line], Grid, list[bytes]]:
    """Grow a tiled log, and say how fast it was in its first and in its last tenth. Returns its tiles, and a few leaf hashes by even steps."""
    edge, tiles, speeds, leaves = TileEdge(), Grid(), [], []
    step, chunk = max(1, entries // _PROOFS), entries // 10
    for tenth in range(10):
        spent = 0.0
        for first in range(tenth * chunk, (tenth + 1) * chunk, 2_000):
            hashes = [
                sha256(number.to_bytes(8, "big")).digest() for number in range(first, min(first + 2_000, (tenth + 1) * chunk))
            ]
            leaves += [one for number, one in enumerate(hashes, first) if number % step == 0]
            begun = time.process_time()
            edge.extend(hashes)
            edge.root()
            spent += time.process_time() - begun
        tiles |= dict(edge.take_full())
        speeds.append(chunk / spent)
    tiles |= dict(edge.partial())
    said = f"tenth by tenth: {', '.join(f'{speed / 1000:,.0f} k' for speed in speeds)}"
    loss = 1 - median(speeds[-3:]) / median(speeds[:3])
    return [
        Line(what=f"appended, tree of {entries:,} leaf hashes", figure=speeds[-1], unit="entries/s/core", said=said),
        Line(what="lost between its first and its last three tenths", figure=loss * 100, unit="%"),
    ], tiles, leaves  # fmt: skip


def proven(size: int, tiles: Grid, leaves: Sequence[bytes]) -> list[Line]:
    """Make and check proofs in a tree: of inclusion at even steps, of consistency from sizes drawn."""
    step = max(1, size // _PROOFS)
    root = _root(size, tiles)
    at = [index * step for index in range(len(leaves))]
    paths: list[list[bytes]] = []
    made = _spent(lambda: paths.extend(_read(plan_inclusion(index, size), tiles) for index in at))
    checked = _spent(
        lambda: [check_inclusion(index, size, leaf, path, root) for index, leaf, path in zip(at, leaves, paths, strict=True)]
    )
    dice = random.Random(1)  # noqa: S311 - a draw of sizes, no secret
    olds = [dice.randrange(1, size) for _ in range(_PROOFS // 4)]
    roots = [_root(old, tiles) for old in olds]
    proofs: list[list[bytes]] = []
    drawn = _spent(lambda: proofs.extend(_read(plan_consistency(old, size), tiles) for old in olds))
    compared = _spent(
        lambda: [
            check_consistency(old, size, before, root, proof) for old, before, proof in zip(olds, roots, proofs, strict=True)
        ]
    )
    hashes = f"{len(paths[0])} hashes"
    return [
        Line(what="inclusion proof made from tiles in memory", figure=made / len(at) * 1e6, unit="µs", said=hashes),
        Line(what="inclusion proof checked", figure=checked / len(at) * 1e6, unit="µs", said=hashes),
        Line(what="consistency proof made from tiles in memory", figure=drawn / len(olds) * 1e6, unit="µs"),
        Line(what="consistency proof checked", figure=compared / len(olds) * 1e6, unit="µs"),
    ]


def _read(plan: tuple[tuple[tuple[int, int], ...], ...], tiles: Grid) -> list[bytes]:
    return fold(plan, read_nodes(nodes_of(plan), tiles))


def _root(size: int, tiles: Grid) -> bytes:
    """Return the root of an earlier size from the tiles of a later one."""
    edge = {(tile.level, tile.index): tiles[tile.level, tile.index] for tile in right_edge(size)}
    return TileEdge.load(size, edge).root()


def integrated(folder: Path, entries: int) -> list[Line]:
    """Write ``entries`` into a fresh ledger past the door, then let the integrator hash, tile, sign and publish all of it in its own rounds."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ledger-", dir=folder) as place:
        Path(place).chmod(0o711)  # the embedded database's account has to pass
        home = Path(place) / "ecluse-data"
        facts: dict[str, str | int] = {
            "public_url": "http://127.0.0.1:1",
            "host": "127.0.0.1",
            "port": 1,
            "name": "Bench",
            "timezone": "Europe/Paris",
        }
        register = (Path(ecluse.demo.__file__).parent / "register.toml").read_text(encoding="utf-8")
        install.create(home, facts | {"database_url": "", "register_url": ""}, register)
        installation = settings.load(home, {}, {})
        install.create_embedded(installation)
        with install.databases(installation) as reached:
            return asyncio.run(_integrate(installation, reached, entries))


async def _integrate(installation: settings.Installation, reached: install.Databases, entries: int) -> list[Line]:
    """Time each round that took a whole chunk of entries."""
    origin = "bench.example/ecluse/main"
    await install.create_databases(installation, reached)
    await install.open_log(installation, reached, name="main", origin=origin, actor="cli:bench")
    await fill(reached, entries, openings=False)
    spent = await integrate_all(installation, reached, origin, entries)
    whole = [one for one in spent if one[0] == CHUNK]
    third = max(1, len(whole) // 3)
    first, last = (CHUNK / median(seconds for _, seconds, _ in part) for part in (whole[:third], whole[-third:]))
    said = f"{len(whole)} rounds of {CHUNK:,}, median; first third {first:,.0f}, last third {last:,.0f}"
    return [
        Line(what=f"integrated in the database, to {entries:,} entries", figure=CHUNK / median(one[1] for one in whole), unit="entries/s", said=said),
        Line(what="processor time of the integrator for an entry", figure=median(one[2] for one in whole) / CHUNK * 1e6, unit="µs"),
    ]  # fmt: skip


async def integrate_all(
    installation: settings.Installation, reached: install.Databases, origin: str, most: int
) -> list[tuple[int, float, float]]:
    """Let the gate's integrator hash, tile, sign and publish all there is, in at most ``most`` rounds; of each, entries and seconds by clock and processor."""
    url = settings.with_user(reached.database_url, "ecluse_jobs", installation.secret("db-jobs.password"))
    pool = await open_pool(url, size=2, name="bench")
    integrator, spent = Integrator(pool, install.signer_of(installation, LOG_ID, origin), log_id=LOG_ID), []
    try:
        for _ in range(most):
            begun, worked = time.perf_counter(), time.process_time()
            done = await integrator.round()
            spent.append((done.entries, time.perf_counter() - begun, time.process_time() - worked))
            if not done.behind:
                break
    finally:
        await pool.close()
    return spent


def ledger_table(lines: Sequence[Line]) -> str:
    """Write figures as a Markdown table."""
    rows = ["| what | figure | | said |", "|---|---|---|---|"]
    return "\n".join(
        rows
        + [f"| {line.what} | {line.figure:,.{1 if line.figure < 1000 else 0}f} | {line.unit} | {line.said} |" for line in lines]
    )
