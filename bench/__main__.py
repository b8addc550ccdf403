"""``python -m bench``: make the agency if it is not there, measure, print the tables."""

from __future__ import annotations

import argparse
import platform
from pathlib import Path
from typing import Final

from bench.agency import ensure_agency
from bench.before import compare, earlier
from bench.exposure import exposed
from bench.fsck import checked
from bench.growth import growth, growth_table
from bench.ledger import GROWN, appended, grown, integrated, ledger_table, proven
from bench.run import BARE, FAST, GATE, half_load, medians, opened, rounds, table

_DESCRIPTION: Final = "A governed disclosure against a bare read of the same row, as ratios of one run."


def main() -> None:
    """Read the options and run the parts that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=_DESCRIPTION)
    parser.add_argument("--dir", type=Path, default=Path("ecluse-bench"), help="where the agencies are made and kept")
    parser.add_argument("--people", type=int, default=2_100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of one run")
    parser.add_argument("--warm", type=float, default=1.0, help="seconds before each run that are not counted")
    parser.add_argument("--connections", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--port", type=int, default=8391)
    parser.add_argument("--patience", type=float, default=0.0, help="seconds that a run may wait for a quiet machine")
    parser.add_argument(
        "--slow-fsync-ms", type=float, default=0.0, help="what each commit waits before it is flushed, as on a slower disk"
    )
    parser.add_argument("--tuned", action="store_true", help="also measure a bare service that was tuned by hand")
    parser.add_argument(
        "--growth", action="store_true", help="measure what the size of register and ledger costs, and nothing else"
    )
    parser.add_argument("--ledger", action="store_true", help="measure the ledger alone: append, integrate, proofs, growth")
    parser.add_argument(
        "--before",
        type=Path,
        metavar="CHECKOUT",
        help="measure the gate of an earlier checkout in the same rounds, and nothing else",
    )
    parser.add_argument("--fsck", action="store_true", help="measure the check of a whole log, and nothing else")
    parser.add_argument("--exposure", action="store_true", help="measure what computing exposures costs, and nothing else")
    parser.add_argument("--pages", action="store_true", help="measure every page of every room, and nothing else")
    parser.add_argument("--appointments", type=int, default=2_100_000, help="with --exposure and --pages: of the schedule")
    parser.add_argument("--entries", type=int, default=1_000_000, help="with --ledger and --fsck: of the log in the database")
    given = parser.parse_args()
    if given.ledger:
        _ledger(given)
        return
    if given.fsck:
        print(f"\n{ledger_table(checked(given.dir, given.port, given.entries))}")
        return
    if given.exposure:
        print(f"\n{ledger_table(exposed(given.dir, given.port, given.appointments))}")
        return
    if given.pages:
        from bench.pages import ROUNDS, pages, pages_table  # noqa: PLC0415 - wants what the tests want: a passkey in software

        lines = pages(given.dir, given.port, given.people, given.appointments, max(given.rounds, ROUNDS))
        print(f"\n{given.people:,} people, {platform.machine()}, Python {platform.python_version()}\n\n{pages_table(lines)}")
        return
    if given.growth:
        pairs = growth(
            given.dir, given.port, people=given.people, connections=max(given.connections), rounds=given.rounds, seconds=given.seconds,
            patience=given.patience,
        )  # fmt: skip
        print(f"\n{growth_table(pairs)}")
        return
    folder = (given.dir / f"people-{given.people}").absolute()
    agency = ensure_agency(folder, given.people, given.port)
    who = [GATE, BARE, *([FAST] if given.tuned else [])]
    with opened(
        folder,
        agency,
        given.port,
        seconds=given.seconds,
        warm=given.warm,
        patience=given.patience,
        slow_fsync_ms=given.slow_fsync_ms,
    ) as bench:
        print(f"{given.people:,} people, {platform.machine()}, Python {platform.python_version()}", flush=True)
        if given.before is not None:
            then = (given.dir / f"before-{given.people}").absolute()
            with earlier(given.before, then, given.people, given.port + 1, seconds=given.seconds, warm=given.warm) as worker:
                print(f"\n{compare(bench, worker, given.connections, given.rounds)}")
            return
        lines = medians(rounds(bench, who, given.connections, given.rounds))
        most = max(line.per_second for line in lines if line.who == GATE)
        print(f"half load: {most / 2:.0f} requests a second, due at random instants", flush=True)
        half = medians(half_load(bench, who, max(given.connections), most / 2, max(1, given.rounds - 2)))
    print(f"\nAs many as they can\n\n{table(lines)}\n\nHalf load\n\n{table(half)}")


def _ledger(given: argparse.Namespace) -> None:
    """Measure the ledger: pure first, then in a database of its own."""
    lines = appended()
    print(ledger_table(lines), flush=True)
    more, tiles, leaves = grown()
    lines += [*more, *proven(GROWN, tiles, leaves)]
    del tiles, leaves
    print(ledger_table(lines), flush=True)
    lines += integrated(given.dir.absolute(), given.entries)
    print(f"\n{platform.machine()}, Python {platform.python_version()}\n\n{ledger_table(lines)}")


if __name__ == "__main__":
    main()
