"""The one statement that reads a batch of subjects, and what its rows mean. Pure: text in, text out; values in, values out.

Its text is written from the checked map and from type names of the register's catalogue; both are held to a strict spelling
here once more. Values (the keys) are always bound. For a person by ``numero`` and a contact with a ``current`` column it reads:

    select k.n, s0.c0, s1.c0
    from unnest($1::text[]) with ordinality as k(k1, n)
    cross join lateral (
      select left(t."nom"::text, 1001) as c0 from "registre"."personne" as t
      where t."numero" = k.k1::bigint and t."numero"::text collate "C" = k.k1 limit 2) as s0
    left join lateral (
      select left(t."courriel"::text, 1001) as c0 from "registre"."coordonnees" as t
      where t."numero" = k.k1::bigint and t."numero"::text collate "C" = k.k1 and t."actuelle" limit 2) as s1 on true

NOTE(why): the key is compared twice. The first comparison is the index's; the second lets only the column's own spelling through,
so that ``ofii:01042`` is not a second name of person 1042, whom budgets would count apart and holds would miss.
NOTE(why): ``limit`` keeps the planner from flattening the sub-query, so the plan is one index look-up a key on a table of any
size. It is 2, not 1, because a key with two rows must be seen: picking either could disclose somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import Enum
from typing import Any, Final, TypeAlias

import msgspec

from ecluse.register.errors import Cause, RegisterUnavailable
from ecluse.register.model import (
    IDENTIFIER,
    MAX_VALUE_CHARACTERS,
    Attribute,
    AttributeType,
    RegisterMap,
    Row,
    Table,
    Unreadable,
    Value,
)

ColumnTypes: TypeAlias = Mapping[tuple[str, str], str]
"""(``schema.table``, column) -> type name as ``format_type`` writes it; a column that does not exist is absent."""

CALENDAR_TYPES: Final = frozenset({"date", "timestamp without time zone"})
"""Types that are read as a date by the database; any other column of a ``date`` attribute must hold ``YYYY-MM-DD`` as text."""

_TYPE_NAME: Final = re.compile(r"(?:[a-z_][a-z0-9_]*\.)?[a-z_][a-z0-9_]*(?: [a-z]+)*")
_ISO_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST_DATE: Final = date(1, 1, 1)  # stands for -infinity and everything before: Python has no such dates
_LAST_DATE: Final = date(9999, 12, 31)  # stands for infinity and everything after


class Reading(Enum):
    """How a value of the answer becomes a ``Value``."""

    TEXT = 1
    EMAIL = 2
    CALENDAR = 3
    ISO_DATE = 4


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement and its columns: after the key's number come ``attributes``, each read as ``readings`` says."""

    text: str
    attributes: tuple[str, ...]
    readings: tuple[Reading, ...]


def mapped_columns(register: RegisterMap) -> tuple[tuple[str, str], ...]:
    """List every column that the map names, once, as (``schema.table``, column)."""
    columns: dict[tuple[str, str], None] = {}
    for table in register.tables.values():
        for column in (*table.key, *([table.current] if table.current else [])):
            columns[table.name, column] = None
    for attribute in register.attributes.values():
        columns[register.tables[attribute.table].name, attribute.column] = None
    return tuple(columns)


def is_key_type(type_name: str) -> bool:
    """Tell whether a key text can be cast to this type: any type with a plain name."""
    return _TYPE_NAME.fullmatch(type_name) is not None


def write_statement(register: RegisterMap, asked: Iterable[str], types: ColumnTypes) -> Statement:
    """Write the statement for these mapped attributes; raises ``RegisterUnavailable`` if a needed column is not there."""
    attributes = [register.attributes[name] for name in sorted(asked)]
    aliases = [register.subject_table, *sorted({a.table for a in attributes} - {register.subject_table})]
    joins: list[str] = []
    selected: list[Attribute] = []
    columns = ["k.n"]
    for number, alias in enumerate(aliases):
        table = register.tables[alias]
        own = [a for a in attributes if a.table == alias]
        columns += [f"s{number}.c{index}" for index in range(len(own))]
        selected += own
        lateral = f"lateral (\n{_lateral(table, own, types)}\n) as s{number}"
        joins.append(f"cross join {lateral}" if number == 0 else f"left join {lateral} on true")
    parts = range(1, len(register.subject.key) + 1)
    keys, arrays = ", ".join(f"k{part}" for part in parts), ", ".join(f"${part}::text[]" for part in parts)
    source = f"unnest({arrays}) with ordinality as k({keys}, n)"
    return Statement(
        text="\n".join([f"select {', '.join(columns)}", f"from {source}", *joins]),
        attributes=tuple(a.name for a in selected),
        readings=tuple(_reading(a, _type_of(register.tables[a.table], a.column, types)) for a in selected),
    )


def write_count(register: RegisterMap) -> str:
    """Write the statement that counts the subjects: the (current) rows of the subject table."""
    table = register.subject
    schema, name = table.name.split(".")
    current = f" where t.{_quoted(table.current)}" if table.current is not None else ""
    return f"select count(*) from {_quoted(schema)}.{_quoted(name)} as t{current}"  # noqa: S608 - names checked, no value


def take_rows(statement: Statement, refs: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, Row]:
    """Read the answer: ``refs`` are the references in the order of the bound keys; who has no row is absent."""
    found: dict[str, Row] = {}
    for number, *values in rows:
        ref = refs[number - 1]
        # A second row means that the key has several (current) rows somewhere: nobody can say which is the person's.
        found[ref] = _take_row(statement, values) if ref not in found else Unreadable(attributes=statement.attributes)
    return found


def _lateral(table: Table, attributes: Sequence[Attribute], types: ColumnTypes) -> str:
    """Write the look-up of one table by the key ``k``."""
    schema, name = table.name.split(".")
    columns = [f"{_column(table, attribute, types)} as c{index}" for index, attribute in enumerate(attributes)]
    conditions = [
        condition for part, column in enumerate(table.key, start=1) for condition in _key(table, column, f"k.k{part}", types)
    ]
    if table.current is not None:
        conditions.append(f"t.{_quoted(table.current)}")
    return (
        f"  select {', '.join(columns) or 'true as present'}\n"  # noqa: S608 - names checked, values bound
        f"  from {_quoted(schema)}.{_quoted(name)} as t\n"
        f"  where {' and '.join(conditions)}\n"
        "  limit 2"
    )


def _key(table: Table, column: str, key: str, types: ColumnTypes) -> tuple[str, str]:
    """Compare a key column with its bound text: by the index, then by spelling."""
    type_name = _type_of(table, column, types)
    if not is_key_type(type_name):
        raise RegisterUnavailable(Cause.MISMATCH)
    name = f"t.{_quoted(column)}"
    spelling = f"to_char({name}, 'YYYY-MM-DD')" if type_name == "date" else f"{name}::text"
    return f"{name} = {key}::{type_name}", f'{spelling} collate "C" = {key}'


def _column(table: Table, attribute: Attribute, types: ColumnTypes) -> str:
    """Select one column in the shape its reading expects; a null stays null."""
    name = f"t.{_quoted(attribute.column)}"
    if _reading(attribute, _type_of(table, attribute.column, types)) is not Reading.CALENDAR:
        return f"left({name}::text, {MAX_VALUE_CHARACTERS + 1})"
    return (
        f"case when {name} < '0001-01-02' then date '{_FIRST_DATE.isoformat()}'"
        f" when {name} >= '9999-12-31' then date '{_LAST_DATE.isoformat()}' else {name}::date end"
    )


def _reading(attribute: Attribute, type_name: str) -> Reading:
    """Choose how to read a column of this type."""
    if attribute.type is AttributeType.DATE:
        return Reading.CALENDAR if type_name in CALENDAR_TYPES else Reading.ISO_DATE
    return Reading.EMAIL if attribute.type is AttributeType.EMAIL else Reading.TEXT


def _type_of(table: Table, column: str, types: ColumnTypes) -> str:
    """Return the type of a column that has to be there."""
    type_name = types.get((table.name, column))
    if type_name is None:
        raise RegisterUnavailable(Cause.MISMATCH)
    return type_name


def _quoted(name: str) -> str:
    """Quote an identifier; the map is checked, and this is the last door before a statement."""
    if not IDENTIFIER.fullmatch(name):
        raise AssertionError("impossible: a name in the map that is no identifier")
    return f'"{name}"'


def _take_row(statement: Statement, raw: Sequence[str | date | None]) -> Row:
    """Turn the values of one row into a ``Row``."""
    values: dict[str, Value] = {}
    unreadable: list[str] = []
    for name, reading, value in zip(statement.attributes, statement.readings, raw, strict=True):
        if value is None:
            values[name] = None
            continue
        try:
            values[name] = _take_value(reading, value)
        except ValueError:
            unreadable.append(name)
    return Unreadable(attributes=tuple(unreadable)) if unreadable else values


def _take_value(reading: Reading, value: str | date) -> Value:
    """Read one value; a blank text is a missing one. Raises ``ValueError`` for what can't be of the attribute's type."""
    if not isinstance(value, str):
        if value in (_FIRST_DATE, _LAST_DATE):
            raise ValueError
        return value
    if len(value) > MAX_VALUE_CHARACTERS:
        raise ValueError
    if not value or value.isspace():
        return None
    if reading is Reading.ISO_DATE:
        if not _ISO_DATE.fullmatch(value):
            raise ValueError
        return date.fromisoformat(value)
    if reading is Reading.EMAIL and not 0 < value.find("@") < len(value) - 1:
        raise ValueError
    return value
