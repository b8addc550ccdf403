"""What the demo's processes have in common: each ends with the demo, however that ends.

A child's standard input is a pipe of the demo's, and a pipe ends with whoever holds it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import httpx

from ecluse.errors import EcluseError

_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0


def stop_with_parent() -> None:
    """In a child: end in order when the demo lets go of the pipe."""
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    while os.read(sys.stdin.fileno(), 1):  # raw: a buffered reader would hold its lock while the interpreter ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


class ChildFailed(EcluseError):
    """The gate or a witness did not start, or ended on its own."""

    code = "demo-child"


class Child:
    """A child process. ``pid``: its process id; ``log``: where its events go (0600)."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        """Run a module of the demo, ``command`` being its name and arguments; ``name`` is for people."""
        self.name, self.log = name, log
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command], stdin=subprocess.PIPE, stdout=descriptor, stderr=descriptor
            )
        finally:
            os.close(descriptor)
        self.pid = self._process.pid

    async def answers(self, url: str, good: Callable[[httpx.Response], bool]) -> None:
        """Wait until an address answers well. Raises `ChildFailed`."""
        try:
            async with asyncio.timeout(_READY_SECONDS), httpx.AsyncClient() as http:
                while self._process.poll() is None:
                    try:
                        if good(await http.get(url)):
                            return
                    except httpx.TransportError:
                        pass  # not yet
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pass
        raise ChildFailed(f"{self.name} did not start. See {self.log}")

    async def ended(self) -> None:
        """Wait until it ends, whoever ended it."""
        await asyncio.to_thread(self._process.wait)

    def let_go(self) -> None:
        """Tell it to end, once what is under way is finished."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def stop(self) -> None:
        """Let what is under way finish, then end it."""
        self.let_go()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
