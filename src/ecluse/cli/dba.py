"""``ecluse doctor --dba``: what a database administrator asks before letting Écluse in, and after. Changes nothing; names tables and counts, no row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import aiosql
import asyncpg
import msgspec
from aiosql.queries import Queries

from ecluse import clock, install
from ecluse.cli.examine import Part, failed, ok, warn
from ecluse.cli.plans import SMALL_ROWS, Explained, explain
from ecluse.cli.reach import register_map, translated
from ecluse.cli.stated import Stated
from ecluse.cli.statements import LOCKS, all_statements
from ecluse.db import HERE, Connection
from ecluse.errors import EcluseError
from ecluse.install import LOG_ID, REGISTER_ROLE, Databases
from ecluse.register.doctor import Line
from ecluse.register.statement import mapped_columns, write_statement
from ecluse.register.store import SESSION_SETTINGS, catalogue_query, column_arrays
from ecluse.settings import Installation
from ecluse.web.gateway import JOBS_POOL, READER_POOL

_LEAST_UPDATES: Final = 1_000
_LEAST_IN_PLACE: Final = 0.8
_CLOCKS_APART: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_TIMEOUTS: Final = {
    "ecluse_app": {"lock_timeout": "4s", "statement_timeout": "8s", "idle_in_transaction_session_timeout": "10s"},
    "ecluse_jobs": {"lock_timeout": "4s", "idle_in_transaction_session_timeout": "60s"},
    "ecluse_reader": {"default_transaction_read_only": "on"},
    "ecluse_usage": {"lock_timeout": "4s", "statement_timeout": "8s", "idle_in_transaction_session_timeout": "10s"},
}
"""What sql/roles.sql sets, role by role."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that was looked at. ``locks``: order, what, how, who; ``tables``: name, parts, bytes, rows, dead, in place, read through."""

    parts: tuple[Part, ...]
    statements: tuple[Explained, ...]
    locks: tuple[tuple[str, str, str, str], ...]
    connections: tuple[dict[str, object], ...]
    tables: tuple[dict[str, object], ...]


@cache
def _queries() -> Queries:
    """Load ``dba.sql`` at first use."""
    queries: Queries = aiosql.from_path(Path(__file__).with_name("dba.sql"), "asyncpg")
    return queries


async def _rows(connection: Connection, name: str, *values: object) -> list[asyncpg.Record]:
    """Run a named statement."""
    return await connection.fetch(str(getattr(_queries(), name).sql), *values)


async def look(installation: Installation, reached: Databases) -> Facts:
    """Look at everything. Raises what reaching the database as ``ecluse_reader`` raises; other roles that can't be reached are said in a line."""
    with translated():
        reader = await install.connect(installation, reached, "ecluse_reader")
        try:
            began = clock.now()
            (server,) = await _rows(reader, "server")
            apart = server["now"] - (began + (clock.now() - began) / 2)
            tables = await _rows(reader, "tables")
            growth = await _growth_lines(reader, tables)
            sessions = {row["role"]: row["connections"] for row in await _rows(reader, "sessions")}
            timeouts = _timeout_lines(await _rows(reader, "role_settings", list(_TIMEOUTS)))
        finally:
            await reader.close()
        statements = [each async for each in _explain_all(installation, reached)]
        parts = (
            Part(title="Server", lines=tuple(_server_lines(server, apart))),
            Part(title="Rights", lines=tuple(await _rights_lines(installation, reached))),
            Part(title="Timeouts", lines=tuple(timeouts)),
            Part(title="Tables", lines=tuple(_table_lines(tables))),
            Part(title="Growth", lines=growth),
        )
    return Facts(
        parts=(*parts, Part(title="Connections", lines=(_room_line(installation, server, sessions),))),
        statements=tuple(statements), locks=LOCKS,
        connections=tuple(_connections(installation, sessions)), tables=tuple(_table(row) for row in tables),
    )  # fmt: skip


# ── server and connections ───────────────────────────────────────────────────────────────────────────────────────────────────
def _server_lines(server: asyncpg.Record, apart: timedelta) -> Iterator[Line]:
    """Say what the server is, and how far its clock is from this machine's."""
    yield ok(
        "server",
        f"PostgreSQL {server['version']}, shared_buffers {server['shared_buffers']}, {_bytes(server['bytes'])} in this database",
    )
    found = f"this machine's is {abs(apart) / timedelta(milliseconds=1):,.0f} ms {'behind' if apart > timedelta(0) else 'ahead of'} the database's"
    mend = "Synchronise both: tokens go by this machine's clock, windows by the database's"
    yield ok("clock", found) if abs(apart) <= _CLOCKS_APART else warn("clock", found, mend)
    if server["autovacuum"] == "on":
        yield ok("autovacuum", "on")
    else:
        yield warn("autovacuum", "off: what is updated and purged is never cleared", "Set autovacuum = on")


def _connections(installation: Installation, sessions: Mapping[str, int]) -> Iterator[dict[str, object]]:
    """Say what a gate process holds open, role by role, and what is open now."""
    settings = installation.settings
    wanted = (
        ("ecluse_app", settings.database.pool, "every gate"),
        ("ecluse_jobs", JOBS_POOL, "the gate that signs"),
        ("ecluse_reader", READER_POOL, "every gate, for its pages; a command"),
        ("ecluse_usage", settings.usage.pool, "every gate, for portals and people's own records"),
        ("register_reader", settings.register.pool, "every gate, to the register's server"),
        ("ecluse_owner", 0, "migrate, while it runs"),
    )
    for role, pool, who in wanted:
        yield {"role": role, "each": pool, "who": who, "now": sessions.get(role, 0)}
    yield {"role": "others", "each": 0, "who": "not ours", "now": sessions.get("others", 0)}


def _room_line(installation: Installation, server: asyncpg.Record, sessions: Mapping[str, int]) -> Line:
    """Say for how many gates there is room."""
    others = sum(count for role, count in sessions.items() if role == "others")
    pool = installation.settings.database.pool + READER_POOL + installation.settings.usage.pool
    gates = (server["room"] - others - JOBS_POOL - 3) // pool
    found = f"{server['room']} may connect, {others} of them others' now: room for {gates} gates of {pool}, the signer's {JOBS_POOL} and three commands"
    return ok("connections", found) if gates >= 1 else warn("connections", found, "Raise max_connections, or lower database.pool")


# ── rights and timeouts ──────────────────────────────────────────────────────────────────────────────────────────────────────
async def _rights_lines(installation: Installation, reached: Databases) -> list[Line]:
    """Compare every right with sql/grants.sql: run it in a transaction that is rolled back, and say what it would change."""
    if not (installation.keys / "db-owner.password").exists():
        return [
            warn(
                "grants",
                "not compared: the owner's password is not kept on this machine",
                "Run this where it is; `ecluse migrate` grants anew",
            )
        ]
    try:
        owner = await install.connect(installation, reached, "ecluse_owner")
    except EcluseError as bad:
        return [failed("ecluse_owner", bad)]
    try:
        before = await _rights(owner)
        change = owner.transaction()
        await change.start()
        try:
            await owner.execute("set local lock_timeout = '2s'")
            await owner.execute((HERE / "sql" / "grants.sql").read_text(encoding="utf-8"))
            after = await _rights(owner)
        finally:
            await change.rollback()
    finally:
        await owner.close()
    other = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    mend = "Run `ecluse migrate`: it takes every right away and grants those of sql/grants.sql"
    lines = [warn(name, "its owner or rights are not those of sql/grants.sql", mend) for name in other]
    return lines or [ok("grants", f"the rights to {len(after)} objects are those of sql/grants.sql, and no others")]


async def _rights(connection: Connection) -> dict[str, tuple[str, frozenset[str]]]:
    """Return owner and rights of each object, whatever the order in which they were given."""
    return {
        f"{row['kind']} {row['name']}": (row["owner"], frozenset(row["rights"].strip("{}").split(",")) - {""})
        for row in await _rows(connection, "rights")
    }


def _timeout_lines(rows: Iterable[asyncpg.Record]) -> list[Line]:
    """Compare each role's timeouts with sql/roles.sql."""
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row["role"], {})[row["name"]] = row["value"]
    lines = []
    for role, wanted in _TIMEOUTS.items():
        for name, value in wanted.items():
            has = found.get(role, {}).get(name)
            mend = f"Run `alter role {role} set {name} = '{value}'`"
            lines.append(
                ok(role, f"{name} {value}") if has == value else warn(role, f"{name} is {has or 'not set'}, not {value}", mend)
            )
    return lines


# ── tables and growth ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _table(row: asyncpg.Record) -> dict[str, object]:
    """Return what is shown of a table."""
    in_place = row["updated_in_place"] / row["updated"] if row["updated"] else None
    return {
        "name": row["name"].removeprefix("ecluse."), "parts": row["parts"], "bytes": row["bytes"], "rows": row["live"], "dead": row["dead"],
        "updated": row["updated"], "in_place": in_place, "fillfactor": row["fillfactor"] or 100, "vacuumed_at": row["vacuumed_at"],
    }  # fmt: skip


def _table_lines(rows: Iterable[asyncpg.Record]) -> list[Line]:
    """Advise where the statistics say so: updates that leave the page, and dead rows that nobody cleared."""
    lines = []
    for row in rows:
        name, fill = row["name"], row["fillfactor"] or 100
        if row["updated"] >= _LEAST_UPDATES and row["updated_in_place"] < _LEAST_IN_PLACE * row["updated"]:
            found = f"{row['updated_in_place'] / row['updated']:.0%} of {row['updated']:,} updates stayed in their page (fillfactor {fill})"
            lines.append(
                warn(
                    name,
                    found,
                    f"alter table {name} set (fillfactor = {max(10, fill - 20)}), then vacuum full it in a quiet hour",
                )
            )
        if row["dead"] > 10_000 and row["dead"] > row["live"]:
            found = f"{row['dead']:,} dead rows beside {row['live']:,}"
            lines.append(
                warn(name, found, f"alter table {name} set (autovacuum_vacuum_scale_factor = 0.05); look for long transactions")
            )
    return lines or [ok("statistics", "updates stay in their pages, and dead rows are cleared")]


async def _growth_lines(connection: Connection, tables: Iterable[asyncpg.Record]) -> tuple[Line, ...]:
    """Measure a day's entries and what one entry takes, and say what a year takes."""
    head = await connection.fetchrow(
        "select size, ecluse.clock() as now from ecluse.ledger_head where log_id = ecluse.current_log($1::smallint)", LOG_ID
    )
    if head is None or not head["size"]:
        return (ok("ledger", "no entry yet: nothing to measure"),)
    day = head["size"] - await _first_since(connection, head["size"], head["now"] - _DAY)
    entries = ok("entries", f"{head['size']:,}; {day:,} in the last 24 hours")
    if head["size"] < SMALL_ROWS:
        return (
            entries,
            ok("each entry", f"measured from {SMALL_ROWS:,} entries on: before, the tables' first pages are most of them"),
        )
    names = {"ecluse.ledger_entry", "ecluse.opening", "ecluse.ledger_tile"}
    each = sum(row["bytes"] for row in tables if row["name"] in names) / head["size"]
    return (
        entries,
        ok("each entry", f"{each:,.0f} bytes with its opening and tiles"),
        ok(
            "at this pace",
            f"{_bytes(int(day * each))} a day, {_bytes(int(365 * day * each))} a year; openings go after their retention",
        ),
    )


async def _first_since(connection: Connection, size: int, since: datetime) -> int:
    """Return the first index sealed at or after an instant, by halving: some 25 probes for any log."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        rows = await _rows(connection, "entry_sealed_at", LOG_ID, middle)
        if rows and rows[0][0] < since:
            low = middle + 1
        else:
            high = middle
    return low


def _bytes(count: int) -> str:
    """Write a size."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1024:
            return f"{size:,.0f} {unit}"
        size /= 1024
    return f"{size:,.1f} TB"


# ── plans ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def _explain_all(installation: Installation, reached: Databases) -> Any:  # noqa: ANN401 - an asynchronous generator of Explained
    """Explain every statement as the role that runs it, planned once for any value, as a gate's connections plan."""
    by_role: dict[str, Connection] = {}
    try:
        for group, statements in all_statements().items():
            for stated in statements:
                if stated.role not in by_role:
                    by_role[stated.role] = await install.connect(installation, reached, stated.role)
                yield await explain(by_role[stated.role], group, stated)
        register = await install.connect(installation, reached, REGISTER_ROLE, session=dict(SESSION_SETTINGS))
        by_role[REGISTER_ROLE] = register
        yield await explain(register, "The register", await _register_statement(installation, register))
    finally:
        for connection in by_role.values():
            await connection.close()


async def _register_statement(installation: Installation, connection: Connection) -> Stated:
    """Write the statement that reads all mapped attributes of a batch of persons."""
    mapped = register_map(installation.folder / "register.toml")
    columns = mapped_columns(mapped)
    rows = await connection.fetch(catalogue_query("columns_of"), *column_arrays(columns))
    types = {columns[row["n"] - 1]: row["type_name"] for row in rows}
    text = write_statement(mapped, frozenset(mapped.attributes), types).text
    return Stated(
        name="persons",
        when="each batch",
        role=REGISTER_ROLE,
        purpose="the attributes asked for of a batch's persons; here all that are mapped",
        text=text,
    )
