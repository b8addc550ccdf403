"""The comparison: gate, bare service, gate, bare service …, each alone with the same PostgreSQL, medians of the rounds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from math import nan
from pathlib import Path
from statistics import median
from typing import Final

import asyncpg
import msgspec

from bench import processes
from bench.agency import Agency, Place, load_installation, read_in, read_places
from bench.calls import bare_requests, fetch_tokens, gate_requests
from bench.load import Report
from bench.processes import others, read_cpu, wait_until_quiet
from ecluse import install
from ecluse.embedded import EmbeddedPostgres
from ecluse.install import Databases
from ecluse.settings import Installation

GATE, BARE, FAST = "gate", "bare", "bare, tuned"
_SHARED_BUFFERS: Final = "1GB"
_QUIET: Final = 0.15
_FIRST_GUESS: Final = 4000
_SPARE: Final = 1.5
_FORGET: Final = 0.8


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run: its report, the processor time a request took in microseconds, and the share of the machine that others had."""

    who: str
    connections: int
    rate: float
    report: Report
    server_us: float
    postgres_us: float
    others: float


class Bench:
    """One agency under measurement: its places in turn, so that no request meets a person that a run before has asked for, until all were."""

    def __init__(
        self,
        installation: Installation,
        reached: Databases,
        agency: Agency,
        *,
        seconds: float,
        warm: float,
        patience: float = 0.0,
    ) -> None:
        """Measure ``agency``; each run takes ``warm`` + ``seconds``, and waits up to ``patience`` seconds for a quiet machine."""
        self.installation, self.reached, self.agency = installation, reached, agency
        self.seconds, self.warm, self.patience = seconds, warm, patience
        self.port = installation.settings.port
        self.base_url = installation.settings.public_url
        self._places: Iterator[Place] = cycle(asyncio.run(read_places(installation, reached)))
        self._guess: dict[str, float] = {}
        self._tokens: dict[str, str] = {}

    @property
    def postgres(self) -> int:
        """Return the database's process id."""
        embedded: EmbeddedPostgres | None = self.reached.embedded
        if embedded is None or embedded.pid is None:
            raise AssertionError("impossible: the agency's database runs")
        return embedded.pid

    @contextmanager
    def serving(self, who: str) -> Iterator[int]:
        """Start one of the servers, alone."""
        if who == GATE:
            with processes.gate(self.installation) as pid:
                self._tokens = fetch_tokens(self.agency, self.installation.folder, self.base_url)
                yield pid
        else:
            with processes.rival(self.installation, self.reached, self.port, fast=who == FAST) as pid:
                yield pid

    def measure(self, who: str, pid: int, connections: int, *, rate: float = 0.0) -> Result:
        """Run the load once against a server that is up."""
        speed = rate or self._guess.get(who, _FIRST_GUESS)
        count = int(speed * (self.warm + self.seconds) * _SPARE) + connections
        wait_until_quiet(_QUIET, self.patience)
        places = list(islice(self._places, count))
        if who == GATE:
            requests = gate_requests(self.agency, self.installation.folder, self.base_url, self._tokens, places)
        else:
            requests = bare_requests(self.base_url, places)
        before = read_cpu(pid, self.postgres)
        report = processes.load(
            self.installation.folder, requests, self.port, connections, seconds=self.seconds, warm=self.warm, rate=rate
        )
        after = read_cpu(pid, self.postgres)
        sent = max(1.0, report.per_second * (self.seconds + self.warm))
        if not rate:
            self._guess[who] = max(report.per_second, self._guess.get(who, 0.0) * _FORGET)
        return Result(
            who=who, connections=connections, rate=rate, report=report,
            server_us=(after.server - before.server) / sent * 1e6, postgres_us=(after.postgres - before.postgres) / sent * 1e6,
            others=others(before, after),
        )  # fmt: skip


@contextmanager
def opened(
    folder: Path, agency: Agency, port: int, *, seconds: float, warm: float, patience: float = 0.0, slow_fsync_ms: float = 0.0
) -> Iterator[Bench]:
    """Start an agency's database, with memory for its register as an operator would give it, and read in what the load will ask for.

    ``slow_fsync_ms``: what each commit waits before it is flushed, as on a slower disk.
    """
    installation = load_installation(folder, port)
    with (
        EmbeddedPostgres(installation.embedded, installation.keys, shared_buffers=_SHARED_BUFFERS),
        install.databases(installation) as reached,
    ):
        asyncio.run(read_in(reached))
        asyncio.run(_slow_down(reached, slow_fsync_ms))
        yield Bench(installation, reached, agency, seconds=seconds, warm=warm, patience=patience)


async def _slow_down(reached: Databases, milliseconds: float) -> None:
    """Let each commit of the gate wait before it is flushed (PostgreSQL's ``commit_delay``, whoever else commits), or undo it."""
    if reached.embedded is None:
        raise AssertionError("impossible: an agency has its own database")
    admin = await asyncpg.connect(reached.embedded.superuser_dsn())
    try:
        await admin.execute(f"alter role ecluse_app set commit_delay = {round(milliseconds * 1000)}")
        await admin.execute("alter role ecluse_app set commit_siblings = 0")
    finally:
        await admin.close()


def rounds(bench: Bench, who: Sequence[str], connections: Sequence[int], count: int) -> list[Result]:
    """Measure every server at every number of connections, ``count`` times; one line a run.

    Those that are compared run one right after the other, each round in the other order: a machine whose speed drifts is the same for both.
    """
    results = []
    for turn in range(count):
        for lines in connections:
            for name in who if turn % 2 == 0 else reversed(who):
                with bench.serving(name) as pid:
                    results.append(bench.measure(name, pid, lines))
                show(results[-1])
    return results


def half_load(bench: Bench, who: Sequence[str], connections: int, rate: float, count: int) -> list[Result]:
    """Measure every server with requests due at random instants, ``rate`` a second."""
    results = []
    for turn in range(count):
        for name in who if turn % 2 == 0 else reversed(who):
            with bench.serving(name) as pid:
                results.append(bench.measure(name, pid, connections, rate=rate))
                show(results[-1])
    return results


def show(result: Result) -> None:
    """Print one run."""
    report = result.report
    print(
        f"  {result.who:12} {result.connections:3} conn. {report.per_second:7.0f}/s  p50 {report.p50 * 1e3:6.2f}  p99 {report.p99 * 1e3:6.2f} ms"
        f"  server {result.server_us:4.0f}  postgres {result.postgres_us:4.0f} µs  load {report.cpu:4.0%}  others {result.others:4.0%}  errors {report.errors}"
        f"{'  (ran out)' if report.ran_out else ''}",
        flush=True,
    )


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Medians of the runs of one server at one number of connections. ``ratio``: median of each round's ratio to the bare service."""

    who: str
    connections: int
    per_second: float
    ratio: float
    p50: float
    p99: float
    server_us: float
    postgres_us: float
    load: float
    others: float
    errors: int


def medians(results: Sequence[Result], against: str = BARE) -> list[Line]:
    """Return one line for each server and number of connections."""
    groups: dict[tuple[int, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.connections, result.who), []).append(result)
    lines = []
    for (connections, who), group in sorted(groups.items()):
        base = groups.get((connections, against), [])
        lines.append(
            Line(
                who=who,
                connections=connections,
                per_second=median(one.report.per_second for one in group),
                ratio=median(
                    [one.report.per_second / other.report.per_second for one, other in zip(group, base, strict=False)] or [nan]
                ),
                p50=median(one.report.p50 for one in group),
                p99=median(one.report.p99 for one in group),
                server_us=median(one.server_us for one in group),
                postgres_us=median(one.postgres_us for one in group),
                load=median(one.report.cpu for one in group),
                others=median(one.others for one in group),
                errors=sum(one.report.errors for one in group),
            )
        )
    return lines


def table(lines: Sequence[Line]) -> str:
    """Write medians as a Markdown table."""
    rows = [
        "| connections | service | requests/s | ratio | p50 ms | p99 ms | service µs | PostgreSQL µs | load of a core | others | errors |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    rows += [
        f"| {line.connections} | {line.who} | {line.per_second:,.0f} | {line.ratio:.2f} | {line.p50 * 1e3:.1f} | {line.p99 * 1e3:.1f} "
        f"| {line.server_us:.0f} | {line.postgres_us:.0f} | {line.load:.0%} | {line.others:.0%} | {line.errors} |"
        for line in lines
    ]
    return "\n".join(rows)
