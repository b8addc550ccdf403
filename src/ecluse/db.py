"""PostgreSQL: installing the schema, opening pools, and refusing a role that could do too much.

`install` is for a database administrator, once and at each release; the gate itself connects as ``ecluse_app`` and owns nothing.
Migrations are forward-only SQL files applied by pogo-core; grants are one file, applied after them.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import asyncpg
from pogo_core.error import BadMigrationError
from pogo_core.util import migrate

from ecluse.errors import ConfigurationError, EcluseError

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
"""What a statement runs on: a connection of its own, or one lent by a pool."""

HERE: Final = Path(__file__).parent
LOGIN_ROLES: Final = ("ecluse_owner", "ecluse_app", "ecluse_jobs", "ecluse_reader", "ecluse_usage")
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


HEAD_SECONDS: Final = 8.0
"""The longest that a statement of housekeeping may last which holds the log's head: it holds it while its commit waits for a standby, and nobody seals."""
BOUND_COMMIT: Final = "set local statement_timeout = '8s'"
"""The same for what is left of a transaction, its commit included."""

LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that ended in the middle of an answer
    asyncpg.CannotConnectNowError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # the database allows no connections
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


def trying(passwords: Callable[[], list[str]]) -> Callable[..., Coroutine[Any, Any, asyncpg.Connection[asyncpg.Record]]]:
    """Return what connects by the first password that the server takes; they are read anew for each connection, so that one can change meanwhile."""

    async def connect(*args: Any, **options: Any) -> asyncpg.Connection[asyncpg.Record]:  # noqa: ANN401 - the driver's own arguments
        candidates = passwords()
        for password in candidates[:-1]:
            with contextlib.suppress(asyncpg.InvalidPasswordError):
                return await asyncpg.connect(*args, password=password, **options)
        return await asyncpg.connect(*args, password=candidates[-1], **options)

    return connect


async def open_pool(
    dsn: str, passwords: Callable[[], list[str]] | None = None, *, size: int, name: str, read_only: bool = False
) -> Pool:
    """Open ``size`` connections at once; ``passwords``: as `trying` takes them, where the address has none. Raises `DatabaseUnavailable`.

    ``read_only``: transactions of them change nothing.
    """
    try:
        return await asyncpg.create_pool(
            dsn,
            connect=trying(passwords) if passwords is not None else None,
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
                **({"default_transaction_read_only": "on"} if read_only else {}),
            },
        )
    except asyncpg.ProtocolViolationError as strange:  # PgBouncer's answer to settings that it does not pass on
        raise pooled("database.url") from strange
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


_STRONG: Final = """
select r.rolname as name, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication,
       exists (select from pg_catalog.pg_auth_members m where m.member = r.oid) as member,
       exists (select from pg_catalog.pg_shdepend d where d.refclassid = 'pg_catalog.pg_authid'::regclass and d.refobjid = r.oid and d.deptype = 'o') as owner
from pg_catalog.pg_roles r where r.rolname = current_user
"""
_POWERS: Final = {
    "rolsuper": ("it is a superuser", "nosuperuser"),
    "rolbypassrls": ("it passes by row security", "nobypassrls"),
    "rolcreaterole": ("it may create roles", "nocreaterole"),
    "rolcreatedb": ("it may create databases", "nocreatedb"),
    "rolreplication": ("it may copy the whole server by replication", "noreplication"),
}
"""What would let a role past the door: the column of pg_roles, what it means, and the word that takes it away."""


async def refuse_strong_role(connection: Connection) -> None:
    """Refuse to serve as a superuser, as a role that could pass by the door, as the owner of anything, or as a member of another role."""
    row = await connection.fetchrow(_STRONG)
    if row is None:
        raise AssertionError("impossible: nobody signed in")
    where, name = f"database role {row['name']}", row["name"]
    for column, (why, word) in _POWERS.items():
        if row[column]:
            raise ConfigurationError(where, why, f"Run `alter role {name} {word}`")
    if row["owner"]:
        raise ConfigurationError(
            where, "it owns objects", f"Run `reassign owned by {name} to …` in each database, then `ecluse migrate`"
        )
    if row["member"]:
        raise ConfigurationError(
            where, "it is a member of another role, and may act as it", f"Run `revoke … from {name}`: psql's \\du shows of which"
        )


async def refuse_writer(connection: Connection) -> None:
    """Refuse a role that may write to any table of this database: the register is only ever read."""
    table = await connection.fetchval(
        """
        select c.oid::regclass::text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'f') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'
          and (pg_catalog.has_table_privilege(c.oid, 'insert, update, delete, truncate') or pg_catalog.has_any_column_privilege(c.oid, 'insert, update'))
        order by 1 limit 1
        """
    )
    if table is not None:
        name = await connection.fetchval("select current_user")
        why = f"{name} may write to {table}, and a gate only ever reads the register"
        raise ConfigurationError(
            "register role", why, f"Run `revoke insert, update, delete, truncate on {table} from {name}` (or from public)"
        )


async def refuse_other_schema(connection: Connection) -> int:
    """Refuse a schema that is older or newer than this program; return how many migrations it has."""
    ours = {path.stem for path in (HERE / "migrations").glob("*.sql")}
    try:
        rows = await connection.fetch("select migration_id from public._pogo_migration where schema_name = 'ecluse'")
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        rows = []  # none, or of a release that did not show its list to the gate
    applied = {row["migration_id"] for row in rows}
    if ours - applied:
        why = f"the schema is older than this program: {len(ours - applied)} of {len(ours)} migrations are missing"
        raise ConfigurationError("database schema", why, "Run `ecluse migrate`")
    if applied - ours:
        why = f"the schema is newer than this program: it has {max(applied - ours)}"
        raise ConfigurationError("database schema", why, "Install that release of Écluse: a schema does not go back")
    return len(ours)


async def refuse_pooler(connection: Connection, where: str) -> None:
    """Refuse a connection that somebody else shares out: `docs/operator-guide.md`, section Connections, says why.

    The process number that was told at the beginning is the server's own, unless a pooler stands between and made one up.
    """
    if await connection.fetchval("select pg_catalog.pg_backend_pid()") != connection.get_server_pid():
        raise pooled(where)


def pooled(where: str) -> ConfigurationError:
    """Say that a pooler answers."""
    why = "a connection pooler (PgBouncer or the like) answers there: prepared statements of two gates would mix"
    return ConfigurationError(where, why, "Name PostgreSQL's own address: a gate opens few connections and keeps them")
