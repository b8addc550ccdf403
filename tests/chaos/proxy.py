"""A stretch of wire between a gate and PostgreSQL that a test may slow down, cut, or cut in the instant between a commit and its answer.

It listens on 127.0.0.1 and passes everything on to PostgreSQL's Unix socket. It reads just enough of PostgreSQL's protocol (version 3.0, section "Message
Formats" of its manual) to know which statement is a seal and when its answer begins with ReadyForQuery: by then the commit is on the disk.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_CHUNK: Final = 65_536
_READY: Final = ord("Z")
_PARSE: Final = ord("P")
_BIND: Final = ord("B")


@dataclass(kw_only=True)
class Wire:
    """How the stretch behaves now.

    ``delay``: seconds that the answer to each prepared statement takes longer; ``hanging``: nothing passes; ``down``: nobody is let in.
    ``cut_answers_of``: text of a statement whose next answers, ``cuts`` of them, are lost with their connections after they were ready.
    """

    socket: Path
    loop: asyncio.AbstractEventLoop
    port: int = 0
    delay: float = 0.0
    hanging: bool = False
    down: bool = False
    cut_answers_of: bytes = b""
    cuts: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    def url(self, database: str) -> str:
        """Return the address of a database through this stretch."""
        return f"postgresql://127.0.0.1:{self.port}/{database}"

    def cut(self) -> None:
        """Cut every connection there is."""

        def abort() -> None:
            for writer in list(self.open):
                writer.transport.abort()

        self.loop.call_soon_threadsafe(abort)


@dataclass(kw_only=True)
class _Link:
    """One connection through the stretch. ``prepared``: texts by name; ``running``: one of them is under way; ``armed``: its answer is to be lost."""

    wire: Wire
    prepared: dict[bytes, bytes] = field(default_factory=dict)
    running: bool = False
    armed: bool = False

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry what the gate says, message by message once the session has begun."""
        await _startup(reader, writer)
        while True:
            head = await reader.readexactly(5)
            body = await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
            self._listen(head[0], body)
            writer.write(head + body)
            await writer.drain()

    def _listen(self, kind: int, body: bytes) -> None:
        """Note which statements are prepared, and whether one that is watched begins."""
        if kind == _PARSE:
            name, _, rest = body.partition(b"\0")
            self.prepared[name] = rest
        elif kind == _BIND:
            self.running = True
            text, watched = self.prepared.get(body.split(b"\0", 2)[1], b""), self.wire.cut_answers_of
            self.armed = self.wire.cuts > 0 and watched != b"" and watched in text
            self.wire.cuts -= self.armed

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry what PostgreSQL says; return where its answer is to be lost."""
        first = await reader.readexactly(1)  # its answer to the question for encryption, or the first message
        if first == b"N":
            writer.write(first)
            first = await reader.readexactly(1)
        while True:
            size = await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(size, "big") - 4)
            if self.armed:
                if first[0] == _READY:
                    return
            else:
                if first[0] == _READY and self.running:
                    self.running = False
                    await asyncio.sleep(self.wire.delay)
                while self.wire.hanging:  # noqa: ASYNC110 - a switch that the test turns
                    await asyncio.sleep(0.02)
                writer.write(first + size + body)
                await writer.drain()
            first = await reader.readexactly(1)


async def _startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry the messages that have no kind: the question for encryption, and the start."""
    for _ in range(2):
        size = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(size, "big") - 4)
        writer.write(size + body)
        await writer.drain()
        if body[:4] == (196608).to_bytes(4, "big"):
            return


@contextmanager
def wired(socket_folder: Path) -> Iterator[Wire]:
    """Lay a stretch to the PostgreSQL of a socket folder, in a thread of its own; at the end every connection is cut."""
    wire = Wire(socket=socket_folder / ".s.PGSQL.5432", loop=asyncio.new_event_loop())
    thread = threading.Thread(target=wire.loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_listen(wire), wire.loop).result()
    try:
        yield wire
    finally:
        asyncio.run_coroutine_threadsafe(_end(wire, server), wire.loop).result()
        wire.loop.call_soon_threadsafe(wire.loop.stop)
        thread.join()
        wire.loop.close()


async def _listen(wire: Wire) -> asyncio.Server:
    """Let gates in."""

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire.open.add(writer)
        try:
            if not wire.down:
                await _carry(wire, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            wire.open.discard(writer)
            writer.transport.abort()

    server = await asyncio.start_server(join, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    return server


async def _end(wire: Wire, server: asyncio.Server) -> None:
    """Let nobody in, and end what there is."""
    server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _carry(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Join one connection to PostgreSQL until either side, or the stretch, ends it."""
    inner_reader, inner_writer = await asyncio.open_unix_connection(str(wire.socket))
    link = _Link(wire=wire)
    ways = [asyncio.create_task(link.pass_on(reader, inner_writer)), asyncio.create_task(link.answer(inner_reader, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        inner_writer.close()
        with suppress(OSError):
            await inner_writer.wait_closed()
