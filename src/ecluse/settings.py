"""The settings of one installation: one frozen object, built once by ``main`` from options, environment and ``ecluse.toml``.

Precedence: command-line option, then ``ECLUSE_<NAME>``, then ``ecluse.toml``, then the default here. Unknown keys refuse to start; secrets are
read from files, never from the environment. Importing this module does nothing.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from ecluse.errors import ConfigurationError


class Controller(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who runs the register. ``timezone``: IANA name in which contract days are counted."""

    name: str = "Controller"
    timezone: str = "Europe/Paris"


class Database(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the ledger's PostgreSQL is. ``url``: ``postgresql://host:port/name`` without user or password; empty: the embedded one.

    The three passwords are read from ``keys/db-app.password``, ``keys/db-jobs.password`` and ``keys/db-reader.password``.
    """

    url: str = ""
    pool: int = 5


class RegisterSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the controller's register is. ``url`` as in `Database`; user ``register_reader``, password in ``keys/db-register.password``."""

    url: str = ""
    pool: int = 3
    timeout_seconds: float = 2.0


class Ledger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The log. ``sign``: this process may hold the log's key and sign (one host only)."""

    name: str = "main"
    sign: bool = True


class Door(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The main job. ``batch``: most requests one seal takes; ``queue``: most that wait in all before ``busy``; ``flights``: batches under way at once."""

    batch: int = 64
    queue: int = 2000
    flights: int = 3


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One installation. ``public_url``: what clients call (token audience and DPoP ``htu``)."""

    public_url: str = "http://127.0.0.1:8080"
    host: str = "127.0.0.1"
    port: int = 8080
    controller: Controller = Controller()
    database: Database = Database()
    register: RegisterSource = RegisterSource()
    ledger: Ledger = Ledger()
    door: Door = Door()

    @property
    def zone(self) -> ZoneInfo:
        """Return the controller's time zone."""
        return ZoneInfo(self.controller.timezone)


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """The folder of an installation and what it says."""

    folder: Path
    settings: Settings

    @property
    def keys(self) -> Path:
        """Return the folder of secrets (0700, files 0600)."""
        return self.folder / "keys"

    @property
    def state(self) -> Path:
        """Return the folder of what the signer keeps outside the database."""
        return self.folder / "state"

    @property
    def embedded(self) -> Path:
        """Return the embedded database's folder."""
        return self.folder / "db"

    def secret(self, name: str) -> str:
        """Read one secret file of ``keys/``; refuse it when others than its owner may read it."""
        path = self.keys / name
        try:
            mode = path.stat().st_mode & 0o077
            text = path.read_text(encoding="utf-8")
        except OSError as missing:
            raise ConfigurationError(
                f"keys/{name}", "it can't be read", "Run `ecluse init`, or restore it from your safe"
            ) from missing
        if mode:
            raise ConfigurationError(f"keys/{name}", "others than its owner may read it", f"Run `chmod 600 keys/{name}`")
        return text.strip()


_ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "ECLUSE_PUBLIC_URL": ("public_url",),
    "ECLUSE_HOST": ("host",),
    "ECLUSE_PORT": ("port",),
    "ECLUSE_DATABASE_URL": ("database", "url"),
    "ECLUSE_REGISTER_URL": ("register", "url"),
}


def load(folder: Path, options: Mapping[str, object], environment: Mapping[str, str]) -> Installation:
    """Read an installation. ``options``: dotted setting names to values that win over all else; None means not given."""
    path = folder / "ecluse.toml"
    try:
        tree: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as missing:
        raise ConfigurationError(
            str(path), "there is no installation here", "Run `ecluse init`, or name it with --dir"
        ) from missing
    except tomllib.TOMLDecodeError as bad:
        raise ConfigurationError(str(path), f"not TOML: {bad}", "Mend that line") from bad
    given: dict[tuple[str, ...], object] = {way: environment[name] for name, way in _ENVIRONMENT.items() if name in environment}
    given |= {tuple(name.split(".")): value for name, value in options.items() if value is not None}
    for way, value in given.items():
        branch = tree
        for step in way[:-1]:
            branch = branch.setdefault(step, {})  # type: ignore[assignment] # a table by TOML's own rules; convert() refuses all else
        branch[way[-1]] = value
    try:
        settings = msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as bad:
        raise ConfigurationError(str(path), str(bad), "See docs/operator-guide.md for every setting") from bad
    try:
        _ = settings.zone
    except (ZoneInfoNotFoundError, ValueError) as bad:
        raise ConfigurationError("controller.timezone", "no such time zone", "Use an IANA name such as Europe/Paris") from bad
    if urlsplit(settings.public_url).scheme not in {"http", "https"} or settings.public_url.endswith("/"):
        raise ConfigurationError("public_url", "it must begin with http:// or https:// and end without a slash", "Mend it")
    return Installation(folder=folder, settings=settings)


def folder_of(option: Path | None) -> Path:
    """Return the installation's folder: the option, else ``ECLUSE_DIR``, else ``./ecluse-data``."""
    return (option or Path(os.environ.get("ECLUSE_DIR", "ecluse-data"))).absolute()


def with_user(url: str, user: str, password: str) -> str:
    """Put a role and its password into a ``postgresql://`` address that has none."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"} or "@" in parts.netloc:
        raise ConfigurationError(
            "database url", "it must be postgresql://host:port/name without user or password", "Put passwords in keys/"
        )
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{parts.netloc}").geturl()
