"""The load: a process of its own that sends prepared requests over keep-alive connections and times the answers.

Two ways: *closed* (each connection sends its next request when it has its answer: the most that so many connections can get) and *open* (requests
are due at random instants of a given mean rate; one that finds no free connection waits, and its time counts from when it was due).
Answers are kept as they come and read after the clock has stopped: each must be 200 and hold a subject. One thread, uvloop, no parsing beyond the length.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import sys
import time
from collections import deque
from pathlib import Path
from typing import Final, cast

import msgspec
import uvloop

from bench.calls import read_requests

_LENGTH: Final = b"content-length: "


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Times in seconds. ``began``, ``ended``: of the measured part, on the monotonic clock; ``unsent``: due, but not sent in time."""

    count: int
    errors: int
    seconds: float
    per_second: float
    p50: float
    p99: float
    p999: float
    cpu: float
    answer_bytes: int
    ran_out: bool
    began: float
    ended: float


class Line(asyncio.Protocol):
    """One connection. Owned by `Load`; ``sent_at`` 0: idle."""

    def __init__(self, load: Load) -> None:
        """Belong to ``load``."""
        self.load = load
        self.transport: asyncio.Transport | None = None
        self.sent_at = 0.0
        self.body = b""
        self.length = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are not registered as one

    def data_received(self, data: bytes) -> None:
        """Take bytes until the answer is whole."""
        self.body = self.body + data if self.body else data
        if self.length < 0:
            end = self.body.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.body[:end].lower() + b"\r\n"
            at = head.find(_LENGTH)
            self.length = end + 4 + int(head[at + len(_LENGTH) : head.index(b"\r\n", at)]) if at >= 0 else end + 4
        if len(self.body) >= self.length:
            answer, self.body, self.length = self.body, b"", -1
            self.load.answered(self, answer)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's own signature
        """Count a connection that the other side closed."""
        self.load.lost(self)

    def send(self, request: bytes, at: float) -> None:
        """Send one request; ``at``: the instant its time counts from."""
        self.sent_at = at
        if self.transport is not None:
            self.transport.write(request)


class Load:
    """One run."""

    def __init__(self, requests: list[bytes], *, seconds: float, warm: float, rate: float) -> None:
        """Send ``requests`` for ``warm`` + ``seconds``; ``rate`` 0: closed."""
        self.requests = requests
        self.next = 0
        self.seconds, self.warm, self.rate = seconds, warm, rate
        self.times: list[tuple[float, float]] = []
        self.answers: list[bytes] = []
        self.broken = 0
        self.stopping = False
        self.done = asyncio.get_running_loop().create_future()
        self.idle: deque[Line] = deque()
        self.due: deque[float] = deque()
        self.busy = 0
        self.ran_out = False

    def answered(self, line: Line, answer: bytes) -> None:
        """Note an answer and give the connection its next request."""
        now = time.perf_counter()
        self.times.append((line.sent_at, now))
        self.answers.append(answer)
        line.sent_at = 0.0
        self.busy -= 1
        if self.rate:
            if self.due:
                self.start(line, self.due.popleft())
            else:
                self.idle.append(line)
        elif not self.stopping:
            self.start(line, now)
        if self.stopping and not self.busy:
            self.finish()

    def start(self, line: Line, at: float) -> None:
        """Send the next request, if there is one."""
        if self.next >= len(self.requests):
            self.ran_out = self.stopping = True
            if not self.busy:
                self.finish()
            return
        request = self.requests[self.next]
        self.next += 1
        self.busy += 1
        line.send(request, at)

    def lost(self, line: Line) -> None:
        """Note a connection lost while an answer was due."""
        if line.sent_at:
            self.broken += 1
            self.busy -= 1
            self.stopping = True
            if not self.busy:
                self.finish()

    def finish(self) -> None:
        """End the run."""
        if not self.done.done():
            self.done.set_result(None)

    def tick(self, begin: float, chance: random.Random, next_at: float) -> None:
        """Send what is due by now (open), and come again."""
        now = time.perf_counter()
        while next_at <= now:
            if self.idle:
                self.start(self.idle.popleft(), next_at)
            else:
                self.due.append(next_at)
            next_at += chance.expovariate(self.rate)
        if not self.stopping:
            asyncio.get_running_loop().call_later(0.001, self.tick, begin, chance, next_at)

    def stop(self) -> None:
        """Send nothing more."""
        self.stopping = True
        self.due.clear()
        if not self.busy:
            self.finish()


async def run(requests: list[bytes], port: int, connections: int, *, seconds: float, warm: float, rate: float) -> Report:
    """Run the load and report its measured part: requests sent after the first ``warm`` seconds and answered within the next ``seconds``."""
    loop = asyncio.get_running_loop()
    load = Load(requests, seconds=seconds, warm=warm, rate=rate)
    lines = [(await loop.create_connection(lambda: Line(load), "127.0.0.1", port))[1] for _ in range(connections)]
    gc.collect()
    gc.freeze()
    gc.disable()
    cpu, begin = time.process_time(), time.perf_counter()
    loop.call_later(warm + seconds, load.stop)
    if rate:
        load.idle.extend(lines)
        load.tick(begin, random.Random(20260105), begin)  # noqa: S311 - arrivals, the same in each run
    else:
        for line in lines:
            load.start(line, begin)
    await load.done
    cpu = (time.process_time() - cpu) / max(time.perf_counter() - begin, 1e-9)
    last = max(end for _, end in load.times)
    from_at, until_at = begin + warm, min(begin + warm + seconds, last)
    taken = sorted(end - sent for sent, end in load.times if sent >= from_at and end <= until_at)
    count = sum(from_at <= end <= until_at for _, end in load.times)
    errors = load.broken + sum(not is_good(answer) for answer in load.answers)
    measured = until_at - from_at
    return Report(
        count=count, errors=errors, seconds=measured, per_second=count / measured, p50=_rank(taken, 0.5), p99=_rank(taken, 0.99),
        p999=_rank(taken, 0.999), cpu=cpu, answer_bytes=sum(map(len, load.answers)) // max(1, len(load.answers)),
        ran_out=load.ran_out, began=from_at, ended=until_at,
    )  # fmt: skip


def is_good(answer: bytes) -> bool:
    """Tell whether an answer is 200 and holds a person with a name: the gate's ``subject``, or the bare service's object itself."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        return False
    said = msgspec.json.decode(body)
    person = said.get("subject", said)
    return isinstance(person.get("family_name"), str) and "birth_date" in person and ("receipt" in said) == ("subject" in said)


def _rank(taken: list[float], share: float) -> float:
    """Return the value below which ``share`` of the sorted values lie."""
    return taken[min(len(taken) - 1, int(len(taken) * share))] if taken else float("nan")


def main() -> None:
    """Read the options, run, write the report to standard output."""
    parser = argparse.ArgumentParser(description="Send prepared requests.")
    parser.add_argument("file", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--warm", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=0.0)
    given = parser.parse_args()
    requests = read_requests(given.file)
    report = uvloop.run(run(requests, given.port, given.connections, seconds=given.seconds, warm=given.warm, rate=given.rate))
    sys.stdout.buffer.write(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
