"""What changes while a page is open: one watcher a process reads the ledger's head, and tells every page that listens (server-sent events, HTML §9.2).

The head is read twice a second, and only while somebody listens: its ``size`` rises with every entry, its ``control_seq`` with every change of what may be
disclosed. A listener that is slow hears of the latest state, never of a queue. A stream says nothing about anybody; a page asks again for what it shows, and
is decided anew. It ends when the process stops, when the browser goes, when the sign-in behind it has ended, and after `LASTS` (the browser comes back).

Events: ``head`` (a state, at once and at each change), ``control`` (the same, when ``control_seq`` rose), ``end`` (the sign-in is over: load the page again).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Final

import msgspec
import structlog
from litestar.response import Stream

from ecluse.db import LOST, Pool
from ecluse.events import describe
from ecluse.web.problems import HttpProblem

EVERY_SECONDS: Final = 0.5
QUIET_SECONDS: Final = 15.0
"""After so long without a change a comment is sent, or what stands between would close the line."""
LOOK_SECONDS: Final = 60.0
"""So often a stream asks whether its sign-in still stands, besides at every rise of ``control_seq``."""
LASTS: Final = timedelta(minutes=10)
MOST_LISTENERS: Final = 500
MOST_EACH: Final = 6
_HEAD: Final = "select size, control_seq from ecluse.ledger_head where log_id = $1::smallint"
_FIELDS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}

log: Final = structlog.get_logger("ecluse.web")


class Head(msgspec.Struct, frozen=True):
    """The ledger's head as it was read last."""

    size: int
    control_seq: int


class _Listener:
    """One open page: woken when the head moved."""

    def __init__(self) -> None:
        self.moved = asyncio.Event()


class Live:
    """The one watcher of a process; owned by its event loop. ``most``: pages at once, ``most_each``: of one sign-in."""

    def __init__(
        self,
        pool: Pool,
        log_id: int,
        stop: asyncio.Event,
        *,
        every: float = EVERY_SECONDS,
        most: int = MOST_LISTENERS,
        most_each: int = MOST_EACH,
    ) -> None:
        """Watch nothing until somebody listens."""
        self._pool, self._log_id, self._stop, self._every = pool, log_id, stop, every
        self._most, self._most_each = most, most_each
        self._listeners: dict[_Listener, str] = {}
        self._watching: asyncio.Task[None] | None = None
        self.head: Head | None = None

    def refuse_more(self, whose: str) -> None:
        """Refuse a page too many: ``busy``."""
        if len(self._listeners) >= self._most or list(self._listeners.values()).count(whose) >= self._most_each:
            raise HttpProblem("busy")

    @contextlib.contextmanager
    def _listening(self, whose: str) -> Iterator[_Listener]:
        listener = _Listener()
        self._listeners[listener] = whose
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield listener
        finally:
            del self._listeners[listener]

    async def _watch(self) -> None:
        """Read the head while anybody listens; a database that does not answer is asked again."""
        while self._listeners and not self._stop.is_set():
            try:
                async with self._pool.acquire() as connection:
                    row = await connection.fetchrow(_HEAD, self._log_id)
            except LOST as lost:
                log.warning("web:live:unread", **describe(lost))
                row = None
            if row is not None:
                head = Head(row["size"], row["control_seq"])
                if head != self.head:
                    self.head = head
                    self._wake()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._every)
        self._wake()

    def _wake(self) -> None:
        for listener in self._listeners:
            listener.moved.set()

    async def told(self, whose: str, still: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        """Yield what one page is told, until it is over. ``still``: whether the sign-in behind it stands; it must not itself keep it alive."""
        loop = asyncio.get_running_loop()
        ends, look = loop.time() + LASTS.total_seconds(), loop.time() + LOOK_SECONDS
        with self._listening(whose) as listener:
            if self.head is not None:
                listener.moved.set()
            yield b"retry: 2000\n\n"
            said: Head | None = None
            while not self._stop.is_set() and loop.time() < ends:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(listener.moved.wait(), QUIET_SECONDS)
                listener.moved.clear()
                head = self.head
                rose = head is not None and said is not None and head.control_seq != said.control_seq
                if rose or loop.time() >= look:
                    look = loop.time() + LOOK_SECONDS
                    if not await still():
                        yield b"event: end\ndata: {}\n\n"
                        return
                if head is None or head == said:
                    yield b": quiet\n\n"
                    continue
                data = msgspec.json.encode(head)
                yield b"event: head\ndata: " + data + b"\n\n"
                if rose:
                    yield b"event: control\ndata: " + data + b"\n\n"
                said = head


def stream(live: Live, whose: str, still: Callable[[], Awaitable[bool]]) -> Stream:
    """Answer with a stream for one page. ``whose``: the sign-in's public id. Raises ``busy`` where too many listen already."""
    live.refuse_more(whose)
    return Stream(live.told(whose, still), media_type="text/event-stream", headers=_FIELDS)
