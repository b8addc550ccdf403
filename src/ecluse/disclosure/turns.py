"""Requests that wait at the door: one line for each processor, served in turns, so that a crowd of one keeps nobody else waiting.

Owned by the event loop's one thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from ecluse.disclosure.errors import Busy
from ecluse.disclosure.model import Answer, Request
from ecluse.policy import Reason


class Waiting:
    """One request on its way. Owned by its line, then by one batch at a time.

    ``forced``: the seal refused it for this reason. ``alone``: its batch was spoilt, so it goes without neighbours.
    """

    __slots__ = ("alone", "answer", "forced", "plans", "request")

    def __init__(self, request: Request, answer: asyncio.Future[Answer]) -> None:
        """Wait for ``answer``."""
        self.request = request
        self.answer = answer
        self.plans = 0
        self.alone = request.session is not None
        self.forced: tuple[Reason, str, dict[str, object]] | None = None


class Turns:
    """The lines. Whoever was served stands behind the others; within a line, first come, first served."""

    def __init__(self, most: int, most_each: int) -> None:
        """Hold at most ``most`` requests, and ``most_each`` of one processor."""
        self._most, self._most_each = most, most_each
        self._lines: dict[str, deque[Waiting]] = {}
        self._count = 0

    def __len__(self) -> int:
        """Return how many wait."""
        return self._count

    def put(self, waiting: Waiting) -> None:
        """Let a request wait at the end of its line. Raises `Busy` where there is no room."""
        line = self._lines.get(_processor(waiting))
        if self._count >= self._most or (line is not None and len(line) >= self._most_each):
            raise Busy
        if line is None:
            line = self._lines[_processor(waiting)] = deque()
        line.append(waiting)
        self._count += 1

    def put_back(self, batch: Sequence[Waiting]) -> None:
        """Let requests wait again, at the head of their lines and before the other lines: they have waited longest."""
        for waiting in reversed(batch):
            line = self._lines.pop(_processor(waiting), None) or deque()
            line.appendleft(waiting)
            self._lines = {_processor(waiting): line} | self._lines
            self._count += 1

    def take(self, most: int) -> list[Waiting]:
        """Take the next batch: at most ``most`` requests, one line after the other; no proof and no idempotency key twice.

        One that must go alone (a roll-call, one of a spoilt batch) goes alone. A line whose next request can't come along keeps its turn.
        """
        taken: list[Waiting] = []
        proofs: set[bytes] = set()
        keys: set[tuple[str, str, str]] = set()
        held: dict[str, deque[Waiting]] = {}
        while self._lines and len(taken) < most:
            processor = next(iter(self._lines))
            line = self._lines.pop(processor)
            waiting = line[0]
            request = waiting.request
            key = None if request.key is None else (request.proven.client, request.endpoint, request.key)
            if (taken and waiting.alone) or request.proven.digest in proofs or key in keys:
                held[processor] = line
                continue
            taken.append(line.popleft())
            proofs.add(request.proven.digest)
            if key is not None:
                keys.add(key)
            if line:
                self._lines[processor] = line
            if waiting.alone:
                break
        if held:
            self._lines = held | self._lines
        self._count -= len(taken)
        return taken


def _processor(waiting: Waiting) -> str:
    """Return whose line a request stands in: that of its client's processor."""
    return waiting.request.asks[0].processor
