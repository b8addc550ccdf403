"""Times of requests over HTTP, and the test that says whether two kinds of them can be told apart by time.

The requests of a *block* are sent one after the other in an order drawn anew, so whatever else the machine does meets every kind alike. If two kinds take
equally long, the difference of their times within a block is as likely to be positive as negative, whatever its distribution: Wilcoxon's signed-rank test
(the two-sample rank test for blocks) is then valid without any assumption about noise, and for hundreds of blocks its statistic is normal.
"""

from __future__ import annotations

import json
import math
import random
import socket
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

Times = dict[str, list[float]]
"""Seconds by kind, one a block."""
_END: Final = b"\r\n\r\n"


class Line:
    """One kept-alive HTTP/1.1 connection that does nothing but send bytes and take an answer."""

    def __init__(self, port: int) -> None:
        """Connect to a gate."""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def send(self, request: bytes) -> None:
        """Send a request and wait for nothing."""
        self._socket.sendall(request)

    def take(self) -> bytes:
        """Take one answer, head and body."""
        data = b""
        while _END not in data:
            data += self._receive()
        head, _, body = data.partition(_END)
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        missing = int(fields[b"content-length"]) - len(body)
        while missing > 0:
            piece = self._receive()
            data, missing = data + piece, missing - len(piece)
        return data

    def _receive(self) -> bytes:
        piece = self._socket.recv(65_536)
        if not piece:
            raise ConnectionError("the gate hung up")
        return piece

    def timed(self, request: bytes, *, delay: float = 0.0) -> float:
        """Send one request, take its answer, and return how long that took; ``delay``: seconds to lose on the way."""
        began = time.perf_counter()
        if delay:
            until = began + delay
            while time.perf_counter() < until:
                pass
        self.send(request)
        self.take()
        return time.perf_counter() - began


def request_of(path: str, body: Mapping[str, object], fields: Mapping[str, str]) -> bytes:
    """Write a POST."""
    content = json.dumps(body).encode()
    head = {"host": "127.0.0.1", "content-type": "application/json", "content-length": str(len(content)), **fields}
    return (
        f"POST {path} HTTP/1.1\r\n".encode()
        + "".join(f"{name}: {value}\r\n" for name, value in head.items()).encode()
        + b"\r\n"
        + content
    )


@dataclass(kw_only=True)
class Measured:
    """Blocks measured so far. ``seed``: of the order within them."""

    seed: int
    times: Times = field(default_factory=dict)

    def add(self, blocks: int, kinds: Mapping[str, Callable[[int], float]]) -> None:
        """Measure more blocks: each kind once a block, in an order drawn anew."""
        dice, names = random.Random(f"{self.seed}:{self.count}"), list(kinds)  # noqa: S311 - an order, not a secret
        for n in range(blocks):
            dice.shuffle(names)
            for name in names:
                self.times.setdefault(name, []).append(kinds[name](n))

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return len(next(iter(self.times.values()), []))

    def median(self, kind: str) -> float:
        """Return the median time of a kind."""
        return statistics.median(self.times[kind])

    def chance(self, one: str, other: str) -> float:
        """Return how likely differences as unequal as these are between two kinds that take equally long (two-sided)."""
        return signed_rank([a - b for a, b in zip(self.times[one], self.times[other], strict=True)])


def signed_rank(differences: Sequence[float]) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test by its normal limit, ties ranked by their mean; needs dozens of differences."""
    ordered = sorted((abs(each), each > 0) for each in differences if each)
    n = len(ordered)
    if n == 0:
        return 1.0
    ranks: list[float] = []
    while len(ranks) < n:
        begin = len(ranks)
        end = begin
        while end < n and ordered[end][0] == ordered[begin][0]:
            end += 1
        ranks += [(begin + 1 + end) / 2] * (end - begin)
    plus = sum(rank for rank, (_, positive) in zip(ranks, ordered, strict=True) if positive)
    deviation = math.sqrt(sum(rank * rank for rank in ranks)) / 2
    return math.erfc(abs(plus - sum(ranks) / 2) / deviation / math.sqrt(2))
