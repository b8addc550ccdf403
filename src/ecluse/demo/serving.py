"""The demo's hold on its gate, a process of its own: ``gateway.py`` is what runs in it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import httpx

from ecluse.demo.premises import GATE_LOG
from ecluse.errors import EcluseError

_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0


class GateFailed(EcluseError):
    """The gate did not start, or ended on its own."""

    code = "demo-gate"


class Gate:
    """The child process. ``pid``: its process id."""

    def __init__(self, folder: Path) -> None:
        """Start it; `ready` waits until it answers."""
        self._log = folder / GATE_LOG
        descriptor = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ecluse.demo.gateway", str(folder)],
                stdin=subprocess.PIPE, stdout=descriptor, stderr=descriptor,
            )  # fmt: skip
        finally:
            os.close(descriptor)
        self.pid = self._process.pid

    async def ready(self, base_url: str) -> None:
        """Wait until the gate answers. Raises `GateFailed`."""
        try:
            async with asyncio.timeout(_READY_SECONDS), httpx.AsyncClient() as http:
                while self._process.poll() is None:
                    try:
                        if (await http.get(f"{base_url}/healthz")).status_code == httpx.codes.OK:
                            return
                    except httpx.TransportError:
                        pass  # not yet
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pass
        raise GateFailed(f"The gate did not start. See {self._log}")

    async def ended(self) -> None:
        """Wait until the gate ends, whoever ended it."""
        await asyncio.to_thread(self._process.wait)

    def memory(self) -> tuple[int, int]:
        """Return the bytes that the gate holds in memory now, and at most so far (both 0 where the system does not say)."""
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        except OSError:
            return 0, 0
        kilobytes = {
            name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if name in {"VmRSS", "VmHWM"}
        }
        return kilobytes.get("VmRSS", 0) * 1024, kilobytes.get("VmHWM", 0) * 1024

    def stop(self) -> None:
        """Let what is under way finish, then end it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
