"""Check the map against the live register: every table and column, the keys' uniqueness, and that the role can only read.

Run it with the register reader's own connection: what is looked at is what *this* role may do. Reads the catalogue only, no row.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from ecluse.register.model import AttributeType, RegisterMap, Table
from ecluse.register.statement import CALENDAR_TYPES, is_key_type, mapped_columns
from ecluse.register.store import SESSION_SETTINGS, catalogue_query, column_arrays

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import asyncpg

_Found: TypeAlias = "Mapping[str, Any]"

_MIN_MAJOR: Final = 15
_TEXTS: Final = frozenset({"text", "character varying", "bpchar", "character", "citext", "public.citext"})
_NUMBERS: Final = frozenset({"smallint", "integer", "bigint", "numeric"})
_VIEWS: Final = frozenset({"v", "f"})  # views and foreign tables have no index of their own


class Level(StrEnum):
    """How bad a finding is: ``fail`` must be mended before the register is read."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One finding: ``where`` (a path of ``register.toml``, or ``session``), what was ``found``, the ``mend`` if it is not ok."""

    level: Level
    where: str
    found: str
    mend: str = ""


async def diagnose(conn: asyncpg.Connection, register: RegisterMap) -> tuple[Line, ...]:
    """Compare the map with the database behind ``conn``: lines on the session, tables, attributes, then surplus rights."""
    (session,) = await _ask(conn, "session_of")
    pairs, tables = mapped_columns(register), list(register.tables.values())
    columns = {pairs[row["n"] - 1]: row for row in await _ask(conn, "columns_of", *column_arrays(pairs))}
    schemas, names, _ = column_arrays([(table.name, "") for table in tables])
    found = {tables[row["n"] - 1].alias: row for row in await _ask(conn, "tables_of", schemas, names)}
    oids = [row["oid"] for row in found.values()]
    indexes = await _ask(conn, "indexes_of", oids)
    (surplus,) = await _ask(conn, "surplus_of", oids, [f"{table}.{column}" for table, column in pairs])
    lines = _session_lines(session)
    for table in tables:
        lines += _table_lines(table, found.get(table.alias), columns, indexes)
    lines += _attribute_lines(register, columns)
    return (*lines, _surplus_line(surplus))


async def _ask(conn: asyncpg.Connection, name: str, *values: Sequence[Any]) -> list[_Found]:
    """Run a named query of the catalogue."""
    return [dict(row) for row in await conn.fetch(catalogue_query(name), *values)]


def is_healthy(lines: Iterable[Line]) -> bool:
    """Tell whether nothing failed."""
    return all(line.level is not Level.FAIL for line in lines)


def _line(level: Level, where: str, found: str, mend: str = "") -> Line:
    """Make a line."""
    return Line(level=level, where=where, found=found, mend=mend)


def _judged(good: bool, otherwise: Level, where: str, texts: tuple[str, str, str]) -> Line:  # noqa: FBT001 - read as a condition
    """Make an ok line from the first text, or one of level ``otherwise`` from the second and the mend."""
    return _line(Level.OK, where, texts[0]) if good else _line(otherwise, where, texts[1], texts[2])


def _session_lines(session: _Found) -> list[Line]:
    """Judge the server, the role and its settings."""
    return [
        _judged(good, otherwise, "session", texts) for good, otherwise, texts in (*_server_of(session), *_settings_of(session))
    ]


def _server_of(session: _Found) -> list[tuple[bool, Level, tuple[str, str, str]]]:
    """Check the server's version and encoding, and the role's powers."""
    major, encoding = session["version"] // 10000, session["encoding"]
    powers = "a superuser, or a role that creates roles or databases, replicates or bypasses row security"
    mend = "Move the register to UTF8: other encodings lack letters, and SQL_ASCII may hold what is no text"
    return [
        (
            major >= _MIN_MAJOR,
            Level.FAIL,
            (f"PostgreSQL {major}", f"PostgreSQL {major}", f"Use PostgreSQL {_MIN_MAJOR} or later"),
        ),
        (not session["powerful"], Level.FAIL, ("a plain role", powers, "Connect as a role with no attribute but login")),
        (
            encoding == "UTF8",
            Level.FAIL if encoding == "SQL_ASCII" else Level.WARN,
            (f"encoding {encoding}", f"encoding {encoding}", mend),
        ),
    ]


def _settings_of(session: _Found) -> list[tuple[bool, Level, tuple[str, str, str]]]:
    """Check the settings that keep reads read-only, short and on indexes."""
    timeout = session["statement_timeout"]
    no_timeout = "no statement_timeout: a slow register would hold every request"
    read_only = "alter role … set default_transaction_read_only = on, and open the pool with SESSION_SETTINGS"
    scans = "plans may scan whole tables once they are small or unanalysed"
    return [
        (
            session["read_only"] == "on",
            Level.FAIL,
            ("transactions are read-only by default", "transactions may write by default", read_only),
        ),
        (timeout != "0", Level.WARN, (f"statement_timeout is {timeout}", no_timeout, "Set it for the role or the pool")),
        (
            session["enable_seqscan"] == SESSION_SETTINGS["enable_seqscan"],
            Level.WARN,
            ("plans prefer indexes", scans, "Open the pool with SESSION_SETTINGS"),
        ),
    ]


def _table_lines(
    table: Table,
    found: _Found | None,
    columns: Mapping[tuple[str, str], _Found],
    indexes: Sequence[_Found],
) -> list[Line]:
    """Judge one table: there, readable and not writable, its key usable and unique."""
    where = f"table.{table.alias}"
    if found is None:
        return [_line(Level.FAIL, where, f"no table or view {table.name}", "Correct name, or create the view")]
    lines = [
        _judged(
            found["reachable"],
            Level.FAIL,
            where,
            (
                f"{table.name} is there",
                "no right to use the schema",
                "grant usage on schema … to the register reader",
            ),
        ),
        _judged(
            not found["writes"] and not found["owned"],
            Level.FAIL,
            where,
            (
                "can't be written by this role",
                "owned by this role" if found["owned"] else f"this role may {', '.join(found['writes'])}",
                "revoke these rights (or change the owner): the gate only ever reads the register",
            ),
        ),
    ]
    if found["row_security"]:
        mend = "Make sure that a policy shows this role every subject who may have an appointment"
        lines.append(_line(Level.WARN, where, "row security hides rows from this role", mend))
    lines += [_key_line(f"{where}.key", columns.get((table.name, column)), column) for column in table.key]
    if table.current is not None:
        lines.append(_current_line(f"{where}.current", columns.get((table.name, table.current)), table.current))
    return [*lines, _unique_line(table, found, indexes)]


def _hidden_line(where: str, found: _Found | None, column: str) -> Line:
    """Fail for a column that is not there or not readable."""
    if found is None:
        return _line(Level.FAIL, where, f"no column {column}", "Correct the column's name")
    return _line(Level.FAIL, where, f"no right to read {column}", f"grant select ({column}) on … to the register reader")


def _key_line(where: str, found: _Found | None, column: str) -> Line:
    """Judge one key column."""
    if found is None or not found["readable"]:
        return _hidden_line(where, found, column)
    return _judged(
        is_key_type(found["type_name"]),
        Level.FAIL,
        where,
        (
            f"{column} is {found['type_name']}",
            f"{column} is {found['type_name']}, which a key text can't be cast to",
            "Use a key of a number, text, uuid or date type",
        ),
    )


def _current_line(where: str, found: _Found | None, column: str) -> Line:
    """Judge the column that marks the current row."""
    if found is None or not found["readable"]:
        return _hidden_line(where, found, column)
    return _judged(
        found["type_name"] == "boolean",
        Level.FAIL,
        where,
        (
            f"{column} is boolean",
            f"{column} is {found['type_name']}, not boolean",
            "Name a boolean column, or map a view that has one",
        ),
    )


def _unique_line(table: Table, found: _Found, indexes: Sequence[_Found]) -> Line:
    """Judge whether a key finds at most one (current) row, by an index."""
    where, key = f"table.{table.alias}.key", ", ".join(table.key)
    whole = f"({key})" if table.current is None else f"({key}) where {table.current}"
    own = [index for index in indexes if index["oid"] == found["oid"]]
    if any(_makes_unique(table, index) for index in own):
        return _line(Level.OK, where, f"unique by an index on {whole}")
    if found["kind"] in _VIEWS:
        mend = "Make sure the view's key is indexed and unique below; a key with two rows is refused as unreadable"
        return _line(Level.WARN, where, "a view or foreign table: uniqueness can't be seen", mend)
    indexed = any(index["predicate"] is None and index["columns"][: len(table.key)] == list(table.key) for index in own)
    why = "indexed but not unique" if indexed else "not indexed: every read would scan the table"
    return _line(Level.FAIL, where, f"({key}) is {why}", f"create unique index on {table.name} {whole}")


def _makes_unique(table: Table, index: _Found) -> bool:
    """Tell whether this unique index leaves at most one row for a key (and ``current``)."""
    fixed = set(table.key) | ({table.current} if table.current else set())
    columns = index["columns"]
    if not index["is_unique"] or not set(columns) <= fixed or columns[0] not in table.key:
        return False
    if index["predicate"] is None:
        return True
    return table.current is not None and index["predicate"].strip("()") in (table.current, f"{table.current} = true")


def _attribute_lines(register: RegisterMap, columns: Mapping[tuple[str, str], _Found]) -> list[Line]:
    """Judge every attribute's column."""
    lines = []
    for attribute in register.attributes.values():
        where = f"attribute.{attribute.name}"
        found = columns.get((register.tables[attribute.table].name, attribute.column))
        if found is None or not found["readable"]:
            lines.append(_hidden_line(where, found, attribute.column))
        else:
            lines.append(_fit_line(where, attribute.type, found))
    return lines


def _fit_line(where: str, kind: AttributeType, found: _Found) -> Line:
    """Judge whether a column of this type holds an attribute of this kind."""
    name = found["type_name"]
    as_date, calendar = kind is AttributeType.DATE, name in CALENDAR_TYPES
    if (as_date and calendar) or (not as_date and name in _TEXTS):
        return _line(Level.OK, where, f"{name} for {kind}")
    if as_date and name in _TEXTS:
        mend = "Only YYYY-MM-DD is read, anything else leaves its person undetermined; give the register a view with a date"
        return _line(Level.WARN, where, f"{name} for {kind}", mend)
    coded = name in _NUMBERS or name in ("uuid", "boolean") or found["type_kind"] == "e"
    if kind in (AttributeType.IDENTIFIER, AttributeType.CODE) and coded:
        return _line(Level.OK, where, f"{name} for {kind}")
    if kind is AttributeType.PHONE and name in _NUMBERS:
        return _line(Level.WARN, where, f"{name} for {kind}", "A number loses leading zeros; keep phones as text")
    mend = "Map it with type date" if calendar else "Change the attribute's type, or map a view that has the right one"
    return _line(Level.FAIL, where, f"{name} for {kind}", mend)


def _surplus_line(surplus: _Found) -> Line:
    """Warn of rights to read what is not mapped: a stolen password of this role reaches that far."""
    found = f"this role may also read {surplus['columns']} unmapped columns and {surplus['tables']} other tables or views"
    return _judged(
        not surplus["columns"] and not surplus["tables"],
        Level.WARN,
        "session",
        ("this role reads mapped columns only", found, "Grant select on the mapped columns only"),
    )
