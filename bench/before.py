"""The gate against itself as it was: the gate of an earlier checkout in the same rounds as this one and the bare service.

The ratio to the bare service moves with the machine: the gate touches more memory, and loses more when neighbours take the caches. Whether a change made
the gate slower is seen only side by side. The earlier checkout has an agency, a database and a process of its own: this file, run by its path, measures
whatever checkout stands first on ``PYTHONPATH``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from bench.agency import ensure_agency
from bench.run import BARE, GATE, Bench, Result, medians, opened, show, table

BEFORE: Final = "gate before"
_READY: Final = "ready"


class Earlier:
    """The worker of an earlier checkout."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Talk to a worker that was started with pipes."""
        self._process = process

    def wait(self) -> None:
        """Wait until its agency is there and its database runs."""
        while self._read() != _READY:
            pass

    def measure(self, connections: int) -> Result:
        """Let it start its gate, run the load once, and stop it."""
        if self._process.stdin is None:
            raise AssertionError("impossible: it was started with pipes")
        self._process.stdin.write(f"{connections}\n")
        self._process.stdin.flush()
        return msgspec.structs.replace(msgspec.json.decode(self._read(), type=Result), who=BEFORE)

    def _read(self) -> str:
        if self._process.stdout is None:
            raise AssertionError("impossible: it was started with pipes")
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the earlier checkout can't be measured: its worker ended; its message is above")
        return line.rstrip("\n")


@contextmanager
def earlier(checkout: Path, folder: Path, people: int, port: int, *, seconds: float, warm: float) -> Iterator[Earlier]:
    """Start the worker of ``checkout``; its agency is made in ``folder`` at the first time."""
    words = [sys.executable, __file__, folder, people, port, seconds, warm]
    path = os.pathsep.join(str(checkout.absolute() / part) for part in ("", "src"))
    with subprocess.Popen(
        list(map(str, words)), cwd=checkout, env=os.environ | {"PYTHONPATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        worker = Earlier(process)
        worker.wait()
        yield worker


def compare(bench: Bench, worker: Earlier, connections: list[int], count: int) -> str:
    """Measure earlier gate, bare service and gate in turns, ``count`` times; return the medians as a table, and the ratio of the gates of each turn."""
    results: list[Result] = []
    for turn in range(count):
        for lines in connections:
            order = [BEFORE, BARE, GATE] if turn % 2 == 0 else [GATE, BARE, BEFORE]
            for who in order:
                results.append(worker.measure(lines) if who == BEFORE else _measure(bench, who, lines))
                show(results[-1])
    words = [table(medians(results)), ""]
    for lines in connections:
        now, then = (
            [one.report.per_second for one in results if one.who == who and one.connections == lines] for who in (GATE, BEFORE)
        )
        ratios = sorted(one / other for one, other in zip(now, then, strict=True))
        words.append(
            f"{lines} connections: {median(ratios):.2f} of the earlier gate ({', '.join(f'{one:.2f}' for one in ratios)})"
        )
    return "\n".join(words)


def _measure(bench: Bench, who: str, connections: int) -> Result:
    """Start a server, run the load once, stop it."""
    with bench.serving(who) as pid:
        return bench.measure(who, pid, connections)


def _work(folder: Path, people: int, port: int, seconds: float, warm: float) -> None:
    """Be the worker: a number of connections in, a result out."""
    agency = ensure_agency(folder, people, port)
    with opened(folder, agency, port, seconds=seconds, warm=warm) as bench:
        print(_READY, flush=True)
        for line in sys.stdin:
            print(msgspec.json.encode(_measure(bench, GATE, int(line))).decode(), flush=True)


if __name__ == "__main__":
    _work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]))
