"""A furnished agency for looking at pages: the demo, with a day's work behind it, serving on."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ecluse.settings import Installation, load

WAIT_SECONDS: Final = 240


@dataclass(frozen=True, kw_only=True)
class Furnished:
    """The demo's folder; ``told``: its demo.json; ``origin``: where its pages are."""

    folder: Path
    told: dict[str, Any]
    origin: str

    @property
    def installation(self) -> Installation:
        """The installation as loaded."""
        return load(self.folder, {}, {})

    def processor(self, name: str) -> dict[str, Any]:
        """Return a processor's lines of demo.json."""
        return next(one for one in self.told["processors"] if one["id"] == name)

    def ecluse(self, *command: str) -> str:
        """Run a command on the installation; return what it prints."""
        line = [sys.executable, "-m", "ecluse", *command, "--dir", str(self.folder)]
        return subprocess.run(line, check=True, capture_output=True, text=True, timeout=WAIT_SECONDS).stdout


@contextmanager
def furnished(folder: Path, *, people: int = 1_000) -> Iterator[Furnished]:
    """Make a demo in ``folder`` and wait until its day is over; it is stopped at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder.with_suffix(".log")
    with log.open("wb") as stream:
        line = [sys.executable, "-m", "ecluse", "demo", "--people", str(people), "--dir", str(folder), "--port", str(port)]
        process = subprocess.Popen(line, stdout=stream, stderr=stream, start_new_session=True)
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while not (folder / "demo.json").exists():
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.1)
        told = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
        yield Furnished(folder=folder, told=told, origin=f"http://localhost:{port}")
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            process.kill()
            process.wait()
