"""The processes of a run: started, waited for, their processor time read, ended by their own id."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import msgspec

from bench.calls import write_requests
from bench.load import Report
from ecluse.install import Databases
from ecluse.settings import Installation, with_user

ROOT: Final = Path(__file__).parent.parent
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_START_SECONDS: Final = 30.0


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """Processor time in seconds at one instant: of the server, of PostgreSQL, of the load processes that have ended, of the whole machine."""

    server: float
    postgres: float
    load: float
    machine: float
    at: float


def read_cpu(server: int, postmaster: int) -> Cpu:
    """Read all of them. PostgreSQL: the postmaster and its children."""
    pids = [postmaster, *_children(postmaster)]
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cpu(
        server=_seconds(server), postgres=sum(_seconds(pid) for pid in pids), load=ended.ru_utime + ended.ru_stime, machine=_busy(),
        at=time.monotonic(),
    )  # fmt: skip


def others(before: Cpu, after: Cpu) -> float:
    """Return the share of the machine that went to anything else in between: it takes from both services, but not at the same moment."""
    ours = (after.server - before.server) + (after.postgres - before.postgres) + (after.load - before.load)
    spent = after.machine - before.machine - ours
    return max(0.0, spent) / ((after.at - before.at) * (os.cpu_count() or 1))


def wait_until_quiet(share: float, most_seconds: float) -> None:
    """Wait until the machine is less busy than ``share`` for two seconds together, or the time is up."""
    deadline = time.monotonic() + most_seconds
    while time.monotonic() < deadline:
        before = _busy()
        time.sleep(2)
        if (_busy() - before) / (2 * (os.cpu_count() or 1)) < share:
            return


def _busy() -> float:
    """Return the processor time that was not idle, of all processors together."""
    words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    idle, waiting = int(words[3]), int(words[4])
    return (sum(map(int, words[:8])) - idle - waiting) / _TICKS


def _children(pid: int) -> list[int]:
    """Return the ids of a process's children."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


def _seconds(pid: int) -> float:
    """Return a process's processor time; 0 for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def started(command: list[str], port: int, path: str, log: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """Run a server until the block ends; its process id. It is ready when ``path`` answers."""
    if _answers(f"http://127.0.0.1:{port}{path}"):
        raise SystemExit(f"port {port} is taken: name another with --port")
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env={**os.environ, **environment})
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(f"http://127.0.0.1:{port}{path}"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"a server did not start: see {log}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    """Tell whether a server answers at all."""
    try:
        httpx.get(url, timeout=1)
    except httpx.HTTPError:
        return False
    return True


@contextmanager
def gate(installation: Installation) -> Iterator[int]:
    """Serve the gate."""
    port = installation.settings.port
    command = [sys.executable, "-m", "bench.gate", str(installation.folder), str(port)]
    with started(command, port, "/.well-known/oauth-authorization-server", installation.folder / "gate.log", {}) as pid:
        yield pid


@contextmanager
def rival(installation: Installation, reached: Databases, port: int, *, fast: bool = False) -> Iterator[int]:
    """Serve the bare service."""
    url = with_user(reached.register_url, "register_reader", installation.secret("db-register.password"))
    command = [sys.executable, "-m", "uvicorn", "bench.rival:app", "--port", str(port), "--workers", "1"]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    environment = {"BENCH_REGISTER_URL": url, **({"BENCH_RIVAL_FAST": "1"} if fast else {})}
    with started(command, port, "/people/0", installation.folder / "rival.log", environment) as pid:
        yield pid


@contextmanager
def bare_page(installation: Installation, reached: Databases, port: int) -> Iterator[int]:
    """Serve the bare page."""
    url = with_user(reached.register_url, "register_reader", installation.secret("db-register.password"))
    command = [sys.executable, "-m", "uvicorn", "bench.rival_page:app", "--port", str(port), "--workers", "1"]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    log = installation.folder / "rival-page.log"
    with started(command, port, "/people/0", log, {"BENCH_REGISTER_URL": url}) as pid:
        yield pid


def load(folder: Path, requests: list[bytes], port: int, connections: int, *, seconds: float, warm: float, rate: float) -> Report:
    """Send requests from a process of its own and return its report."""
    file = folder / "requests.bin"
    write_requests(file, requests)
    command = [sys.executable, "-m", "bench.load", str(file), str(port), str(connections)]
    command += ["--seconds", str(seconds), "--warm", str(warm), "--rate", str(rate)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    file.unlink()
    return msgspec.json.decode(done.stdout, type=Report)
