"""PostgreSQL: installing the schema, opening pools, and refusing a role that could do too much.

`install` is for a database administrator, once and at each release; the gate itself connects as ``ecluse_app`` and owns nothing.
Migrations are forward-only SQL files applied by pogo-core; grants are one file, applied after them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

import asyncpg
from pogo_core.error import BadMigrationError
from pogo_core.util import migrate

from ecluse.errors import ConfigurationError, EcluseError

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
"""What a statement runs on: a connection of its own, or one lent by a pool."""

HERE: Final = Path(__file__).parent
LOGIN_ROLES: Final = ("ecluse_owner", "ecluse_app", "ecluse_jobs", "ecluse_reader")
OLDEST: Final = 15
"""The oldest major version of PostgreSQL that is served."""

_quiet: Final = logging.getLogger("ecluse.migrations")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class DatabaseError(EcluseError):
    """The database can't do what was asked of it."""

    code = "database"


class DatabaseUnavailable(DatabaseError):
    """The database does not answer."""

    code = "database-unavailable"


class MigrationFailed(DatabaseError):
    """A migration could not be applied; it left nothing behind."""

    code = "database-migration"

    def __init__(self, what: str, cause: BaseException | None) -> None:
        """Say ``what`` failed and the kind of its ``cause``, not its text."""
        state = f" {cause.sqlstate}" if isinstance(cause, asyncpg.PostgresError) else ""
        super().__init__(f"{what}: {type(cause).__name__}{state}; it left nothing behind")


LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""What a driver raises when a statement may be tried again, or its commit's outcome is unknown: never taken for sealed."""


async def install(admin_dsn: str, passwords: Mapping[str, str]) -> None:
    """Create roles, set their passwords, migrate as the owner and apply the grants. Idempotent.

    ``admin_dsn``: a role that may create roles, in the database meant for Écluse. ``passwords``: one for each of `LOGIN_ROLES`.
    """
    admin = await asyncpg.connect(admin_dsn)
    try:
        if admin.get_server_version().major < OLDEST:
            raise ConfigurationError("database", "PostgreSQL is older than 15", "Use PostgreSQL 15 or later")
        await admin.execute((HERE / "sql" / "roles.sql").read_text(encoding="utf-8"))
        await admin.execute("grant create on schema public to ecluse_owner")
        for role in LOGIN_ROLES:
            statement = await admin.fetchval(
                "select format('alter role %I password %L', $1::text, $2::text)", role, passwords[role]
            )
            await admin.execute(statement)
        await admin.execute("set role ecluse_owner")
        await migrate_as_owner(admin)
        await admin.execute("reset role")
        await admin.execute("revoke create on schema public from ecluse_owner")
    finally:
        await admin.close()


async def migrate_as_owner(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Apply the migrations that are missing, then the grants. ``connection``: acts as ``ecluse_owner``. Idempotent. Raises `MigrationFailed`."""
    try:
        await migrate.apply(connection, HERE / "migrations", schema_name="ecluse", logger=_quiet)
    except BadMigrationError as bad:
        raise MigrationFailed(str(bad), bad.__cause__) from bad
    await connection.execute((HERE / "sql" / "grants.sql").read_text(encoding="utf-8"))


async def keep_session(connection: Connection) -> None:
    """Reset nothing when a pool takes a connection back: no code of ours leaves a session's state behind, and the driver's reset costs a round trip."""


async def open_pool(dsn: str, *, size: int, name: str) -> Pool:
    """Open ``size`` connections at once. Raises `DatabaseUnavailable`."""
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=size,
            max_size=size,
            max_inactive_connection_lifetime=0,
            command_timeout=30,
            reset=keep_session,
            server_settings={
                "application_name": f"ecluse-{name}",
                "timezone": "UTC",
                "default_transaction_isolation": "read committed",
                "synchronous_commit": "on",
            },
        )
    except LOST as lost:
        raise DatabaseUnavailable("the database does not answer") from lost


async def refuse_loose_commits(connection: Connection) -> None:
    """Refuse a database that may lose what it said it had committed."""
    for name in ("fsync", "full_page_writes"):
        if await connection.fetchval("select current_setting($1)", name) != "on":
            raise ConfigurationError(
                "database", f"{name} is off, so a sealed entry could be lost", f"Set {name} = on in postgresql.conf"
            )
    if await connection.fetchval("select current_setting('synchronous_commit')") not in {"on", "remote_apply"}:
        raise ConfigurationError("database", "synchronous_commit is not on", "Remove what sets it for this role or database")


async def refuse_strong_role(connection: Connection) -> None:
    """Refuse to serve as a superuser, as a role that could bypass the door, or as the owner of anything."""
    row = await connection.fetchrow(
        """
        select r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolreplication as strong,
               exists (select from pg_auth_members m where m.member = r.oid) as member,
               exists (select from pg_class c where c.relowner = r.oid) or exists (select from pg_proc p where p.proowner = r.oid) as owner
        from pg_roles r where r.rolname = current_user
        """
    )
    if row is None or row["strong"] or row["owner"] or row["member"]:
        raise ConfigurationError(
            "database role", "the role is a superuser, owns objects or is a member of another role", "Connect as ecluse_app"
        )
