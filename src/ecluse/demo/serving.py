"""The gate of the demo, a process of its own: ``python -m ecluse.demo.serving FOLDER``.

It is the real gateway on the demo's installation, attached to the database that the demo started. It stops when the demo does, however that ends:
its standard input is a pipe of the demo's, and a pipe ends with whoever holds it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

import httpx

from ecluse import settings
from ecluse.demo.premises import GATE_LOG
from ecluse.errors import EcluseError
from ecluse.install import databases
from ecluse.web.serve import serve, set_up_logs

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
                [sys.executable, "-m", "ecluse.demo.serving", str(folder)],
                stdin=subprocess.PIPE, stdout=descriptor, stderr=descriptor,
            )  # fmt: skip
        finally:
            os.close(descriptor)
        self.pid = self._process.pid

    async def ready(self, base_url: str) -> None:
        """Wait until the gate answers. Raises `GateFailed`."""
        async with asyncio.timeout(_READY_SECONDS), httpx.AsyncClient() as http:
            while True:
                if self._process.poll() is not None:
                    raise GateFailed(f"The gate did not start. See {self._log}")
                try:
                    if (await http.get(f"{base_url}/healthz")).status_code == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)

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


def _stop_with_parent() -> None:
    """End this process, in order, when the demo lets go of the pipe."""
    while os.read(sys.stdin.fileno(), 1):  # raw: a buffered reader would hold its lock while the interpreter ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main(folder: Path) -> None:
    """Serve until told to stop."""
    installation = settings.load(folder, {}, {})
    set_up_logs()
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    with databases(installation) as reached:
        serve(installation, reached)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
