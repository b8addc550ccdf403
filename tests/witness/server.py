"""A witness served by the command line, a process of its own on this machine, with one log to watch."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from ecluse.ledger.model import Verifier
from ecluse.witness.service import Witness, create
from tests.witness.logs import VERIFIER, PublicLog


class Server:
    """The process, and the witness behind it."""

    def __init__(self, folder: Path, name: str, log: Verifier = VERIFIER) -> None:
        """Begin the witness ``name`` in a new folder, let it watch ``log``, and serve it."""
        create(folder, name)
        self.folder, self.witness, self.log = folder, Witness(folder), folder.with_name("events")
        self.witness.trust([log])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        self.start()

    def start(self) -> None:
        """Start the process and wait until it answers."""
        command = [
            sys.executable,
            "-m",
            "ecluse",
            "ledger",
            "witness",
            "serve",
            "--dir",
            str(self.folder),
            "--port",
            str(self.port),
        ]
        with self.log.open("ab") as events:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=events)
        deadline = time.monotonic() + 60
        while True:
            try:
                assert self.http.get("/").status_code == 404
                return
            except httpx.TransportError:
                assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the process by a signal; return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def ask(self, body: bytes) -> httpx.Response:
        """Ask for a cosignature."""
        return self.http.post("/add-checkpoint", content=body)

    def advance(self, log: PublicLog, size: int) -> str:
        """Bring the witness to a size; return the cosigned note."""
        old = self.size
        answer = self.ask(log.body(old, size))
        assert answer.status_code == 200, answer.text
        return log.note(size) + answer.text

    @property
    def size(self) -> int:
        """The size cosigned last."""
        seen = self.witness.logs()[0].seen
        return seen.size if seen else 0
