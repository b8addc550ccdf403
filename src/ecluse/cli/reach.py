"""From a command to its installation and database: load the folder, start or attach to the databases, one connection, one event loop."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import asyncpg

from ecluse import install, settings
from ecluse.cli.store import log_there
from ecluse.contracts import ContractInvalid
from ecluse.db import LOST, Connection, DatabaseUnavailable
from ecluse.errors import ConfigurationError
from ecluse.install import LOG_ID, Databases
from ecluse.ledger.serve import current_log, query
from ecluse.register import AttributeType, RegisterMap, parse_register
from ecluse.settings import Installation

T = TypeVar("T")
APP: Final = "ecluse_app"
MOST_FILE_BYTES: Final = 256 * 1024 * 1024

_NO_SCHEMA: Final = (
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedColumnError,
)


def load(folder: Path | None, **options: object) -> Installation:
    """Load the installation that ``--dir`` names; ``options`` win over all else (``__`` stands for the dot of a setting's name)."""
    named = {name.replace("__", "."): value for name, value in options.items()}
    return settings.load(settings.folder_of(folder), named, os.environ)


def actor() -> str:
    """Name who does it, as the ledger's entries shall say: the account of the operating system, not what the environment says of it."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # an account without a name, as in some containers
        return f"cli:{os.getuid()}"


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the driver raises as our own errors, without its text, which may quote a value; what is not known passes."""
    try:
        yield
    except LOST:
        failure: Exception = DatabaseUnavailable("the database does not answer, or took too long")
    except _NO_SCHEMA:
        failure = ConfigurationError("database", "the schema is missing, or is not of this release", "Run `ecluse migrate`")
    except asyncpg.InvalidAuthorizationSpecificationError:
        failure = ConfigurationError("database", "a role is not let in", "Run `ecluse doctor`, which says which and the mend")
    except asyncpg.InsufficientPrivilegeError:
        failure = ConfigurationError(
            "database", "a role lacks a right", "Run `ecluse migrate`, which grants them anew; then `ecluse doctor`"
        )
    else:
        return
    raise failure


def on_database(installation: Installation, role: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Do some work on one connection as one of our roles."""
    with install.databases(installation) as reached:
        return run(with_connection(installation, reached, role, work))


def on_log(installation: Installation, work: Callable[[Connection], Awaitable[T]], role: str = APP) -> T:
    """Do some work that needs an open log."""

    async def checked(connection: Connection) -> T:
        await require_log(connection)
        return await work(connection)

    return on_database(installation, role, checked)


async def require_log(connection: Connection) -> None:
    """Refuse to go on where the log was never opened."""
    if await log_there(connection, LOG_ID) is None:
        raise ConfigurationError("ledger", "the log was never opened", "Run `ecluse ledger init`")


async def log_chosen(connection: Connection, name: str | None) -> int:
    """Return the number of the log of that short name; None: of the one that is written now."""
    number: int | None = (
        await connection.fetchval(query("log_named"), name) if name is not None else await current_log(connection, LOG_ID)
    )
    if number is None:
        raise ConfigurationError(
            "--log", "there is no log of that name", "Name main, or one that took its place: main-2, main-3 …"
        )
    return number


async def with_connection(
    installation: Installation, reached: Databases, role: str, work: Callable[[Connection], Awaitable[T]]
) -> T:
    """Open a connection, work, close it."""
    connection = await install.connect(installation, reached, role)
    try:
        return await work(connection)
    finally:
        await connection.close()


def run(work: Awaitable[T]) -> T:
    """Run one piece of database work in its own event loop."""

    async def begin() -> T:
        return await work

    with translated():
        return asyncio.run(begin())


def read_bytes(path: Path) -> bytes:
    """Read a file that was named on the command line."""
    try:
        with path.open("rb") as stream:
            # a pipe has no size: neither is read further than this
            content = None if path.stat().st_size > MOST_FILE_BYTES else stream.read(MOST_FILE_BYTES + 1)
        if content is None or len(content) > MOST_FILE_BYTES:
            raise ConfigurationError(str(path), "it is larger than 256 MiB", "Cut it into several files")
        return content
    except OSError as bad:
        raise ConfigurationError(
            str(path), f"it can't be read ({bad.strerror})", "Name a file that is there and readable"
        ) from bad


def read_text(path: Path) -> str:
    """Read a text file that was named on the command line."""
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as bad:
        line = bytes(bad.object[: bad.start]).count(b"\n") + 1
        raise ConfigurationError(f"{path}, line {line}", "it is not UTF-8 text", "Save it in UTF-8") from None


def register_map(path: Path) -> RegisterMap:
    """Read a register's map."""
    if not path.exists():
        raise ConfigurationError(str(path), "the register is not mapped", "Write register.toml; `ecluse doctor` checks it")
    return parse_register(read_text(path))


def attributes_of(register: RegisterMap) -> dict[str, AttributeType]:
    """Return what the register maps, by name."""
    return {name: attribute.type for name, attribute in register.attributes.items()}


def unreadable(invalid: ContractInvalid) -> str:
    """Say in a few words why a contract in force can't be read."""
    first = invalid.findings[0]
    return f"line {first.line}: {first.where} {first.why}"
