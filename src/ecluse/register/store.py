"""Reading the register: one statement a batch, only the columns asked for, by a read-only role.

Trusted for what it says about a person and never written to. It may be down or changed under us at any time: whatever it
answers becomes a row, ``Unreadable`` for that one person, or ``RegisterUnavailable``; no driver error leaves here, because those
quote values.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import aiosql
import asyncpg
from aiosql.queries import Queries

from ecluse.register.errors import AttributeUnmapped, Cause, RegisterUnavailable, SubjectRefInvalid
from ecluse.register.model import RegisterMap, Row, Unreadable
from ecluse.register.refs import parse_subject_ref
from ecluse.register.statement import ColumnTypes, Statement, mapped_columns, take_rows, write_count, write_statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecluse.db import Connection

SESSION_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "default_transaction_read_only": "on",
        "enable_seqscan": "off",  # a plan made on an empty or tiny table stays right when it has grown
        "plan_cache_mode": "force_generic_plan",  # plan once a connection, not five times and again for small batches
        "jit": "off",
    },
)
"""What every connection of the register's pool starts with (``server_settings`` of asyncpg), beside its timeouts."""

_MAX_STATEMENTS: Final = 256  # clients choose the attributes they ask for; the cache must not grow with their fancy
_ACQUIRE_SECONDS: Final = 2.0
_COUNT_TIMEOUT: Final = "set local statement_timeout = '120s'"  # a count reads a whole index; the gate's own reads stay short


class Register:
    """The mapped register behind a pool; safe to share by all tasks of one event loop."""

    def __init__(self, pool: asyncpg.Pool, register_map: RegisterMap, *, acquire_seconds: float = _ACQUIRE_SECONDS) -> None:
        """Read through ``pool``, whose maker set ``SESSION_SETTINGS``, ``statement_timeout`` and ``command_timeout``."""
        self.map = register_map
        self._pool = pool
        self._acquire_seconds = acquire_seconds
        self._types: ColumnTypes | None = None
        self._statements: dict[frozenset[str], Statement] = {}

    async def read(self, refs: Sequence[str], attributes: frozenset[str]) -> dict[str, Row]:
        """Read ``attributes`` of these subjects; no attributes tells only who exists.

        A subject that the register lacks, or a reference that is none of this register's, is absent from the result. A missing
        value is ``None``. A row with a value of the wrong type is ``Unreadable`` and leaves the others alone.
        Raises ``RegisterUnavailable``, or ``AttributeUnmapped`` if the map lacks one of the attributes.
        """
        known: list[str] = []
        keys: list[tuple[str, ...]] = []
        for ref in dict.fromkeys(refs):
            try:
                keys.append(parse_subject_ref(ref, self.map))
            except SubjectRefInvalid:
                continue
            known.append(ref)
        return await self._read_some(await self._statement(attributes), known, keys) if known else {}

    async def _read_some(self, statement: Statement, refs: list[str], keys: list[tuple[str, ...]]) -> dict[str, Row]:
        """Read a batch; if one key or row spoils it, read its halves: at most 2 log2(n) statements more for each such row."""
        arrays = [list(part) for part in zip(*keys, strict=True)]
        try:
            rows = await self._fetch(statement.text, *arrays)
        except (asyncpg.DataError, asyncpg.RaiseError, ValueError, OverflowError):  # a row's own: a view may refuse one person
            rows = None
        if rows is not None:
            return take_rows(statement, refs, rows)
        if len(refs) == 1:
            return await self._read_spoilt(statement, refs, keys)
        half = len(refs) // 2
        first = await self._read_some(statement, refs[:half], keys[:half])
        return first | await self._read_some(statement, refs[half:], keys[half:])

    async def _read_spoilt(self, statement: Statement, refs: list[str], keys: list[tuple[str, ...]]) -> dict[str, Row]:
        """Tell a key that can't be one (``abc`` for a number: nobody) from a row that can't be read (somebody)."""
        if not statement.attributes:
            return {}
        there = await self._read_some(await self._statement(frozenset()), refs, keys)
        return {ref: Unreadable(attributes=statement.attributes) for ref in there}

    async def _statement(self, attributes: frozenset[str]) -> Statement:
        """Return the statement for these attributes, written once."""
        statement = self._statements.get(attributes)
        if statement is not None:
            return statement
        unmapped = attributes - self.map.attributes.keys()
        if unmapped:
            raise AttributeUnmapped(tuple(sorted(unmapped)))
        if self._types is None:
            self._types = await self._column_types()
        try:
            statement = write_statement(self.map, attributes, self._types)
        except RegisterUnavailable:
            self._types = None  # a mapped column is not there: look again at the next read
            raise
        if len(self._statements) >= _MAX_STATEMENTS:
            self._statements.clear()
        self._statements[attributes] = statement
        return statement

    async def _column_types(self) -> ColumnTypes:
        """Learn the types of all mapped columns."""
        columns = mapped_columns(self.map)
        rows = await self._fetch(catalogue_query("columns_of"), *column_arrays(columns))
        return {columns[row["n"] - 1]: row["type_name"] for row in rows}

    async def _fetch(self, text: str, *arrays: list[str]) -> list[Any]:
        """Run one statement; garbled data passes for the caller to isolate, every other driver error becomes ours."""
        try:
            async with self._pool.acquire(timeout=self._acquire_seconds) as connection:
                rows: list[Any] = await connection.fetch(text, *arrays)
        except (asyncpg.DataError, asyncpg.RaiseError):
            raise
        except asyncpg.PostgresError as error:
            failure = RegisterUnavailable(_cause_of(error.sqlstate), error.sqlstate)
        except (asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError, OSError) as error:
            failure = RegisterUnavailable(Cause.TIMEOUT if isinstance(error, TimeoutError) else Cause.CONNECTION)
        else:
            return rows
        if failure.cause is Cause.MISMATCH:  # the register was changed under us: learn its columns anew at the next read
            self._types = None
            self._statements.clear()
        raise failure  # outside the handler: the driver's error, which quotes values, is not its context


async def count_subjects(connection: Connection, register: RegisterMap) -> int:
    """Count the subjects of the register, all of them: the one number that is asked of it. Nobody is read. Raises ``RegisterUnavailable``."""
    try:
        async with connection.transaction(readonly=True):
            await connection.execute(_COUNT_TIMEOUT)
            number: int = await connection.fetchval(write_count(register))
    except asyncpg.PostgresError as error:
        failure = RegisterUnavailable(_cause_of(error.sqlstate), error.sqlstate)
    except (asyncpg.InterfaceError, TimeoutError, OSError):
        failure = RegisterUnavailable(Cause.CONNECTION)
    else:
        return number
    raise failure  # outside the handler: the driver's error, which may quote a value, is not its context


def _cause_of(sqlstate: str | None) -> Cause:
    """Name the cause by PostgreSQL's error code (appendix A of its manual)."""
    code = sqlstate or ""
    if code in ("57014", "55P03", "25P03", "25P04"):
        return Cause.TIMEOUT
    if code == "42501":
        return Cause.PRIVILEGE
    for prefix, cause in (("08", Cause.CONNECTION), ("57P", Cause.CONNECTION), ("28", Cause.CONNECTION), ("53", Cause.RESOURCES)):
        if code.startswith(prefix):
            return cause
    return Cause.MISMATCH if code.startswith(("42", "3F", "0A")) else Cause.OTHER


def column_arrays(columns: Sequence[tuple[str, str]]) -> tuple[list[str], list[str], list[str]]:
    """Split (``schema.table``, column) pairs into the three arrays that ``columns_of`` binds."""
    names = [table.split(".") for table, _ in columns]
    return [schema for schema, _ in names], [table for _, table in names], [column for _, column in columns]


@cache
def _queries() -> Queries:
    """Load ``queries.sql`` at first use: importing a module does nothing."""
    queries: Queries = aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")
    return queries


def catalogue_query(name: str) -> str:
    """Return the text of a named query of ``queries.sql``; its values are bound in the order they are named there."""
    return str(getattr(_queries(), name).sql)
