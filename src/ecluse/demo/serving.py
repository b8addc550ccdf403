"""The demo's hold on its gate, a process of its own: ``gateway.py`` is what runs in it."""

from __future__ import annotations

from pathlib import Path

import httpx

from ecluse.demo.child import Child
from ecluse.demo.premises import GATE_LOG


class Gate(Child):
    """The gate's process."""

    def __init__(self, folder: Path) -> None:
        """Start it; `ready` waits until it answers."""
        super().__init__("The gate", ["ecluse.demo.gateway", str(folder)], folder / GATE_LOG)

    async def ready(self, base_url: str) -> None:
        """Wait until the gate answers. Raises `ChildFailed`."""
        await self.answers(f"{base_url}/healthz", lambda answer: answer.status_code == httpx.codes.OK)

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
