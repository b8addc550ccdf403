"""The statement is written from checked names only, and its rows mean what the map says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest

from ecluse.register import Cause, RegisterMap, RegisterUnavailable, Row, Unreadable, Value
from ecluse.register.statement import Reading, Statement, mapped_columns, take_rows, write_statement

pytestmark = pytest.mark.unit

PERSON, CONTACT = "registre.personne", "registre.coordonnees"
TYPES = {
    (PERSON, "numero"): "bigint",
    (PERSON, "nom"): "character varying",
    (PERSON, "naissance"): "date",
    (PERSON, "entree"): "text",
    (CONTACT, "numero"): "bigint",
    (CONTACT, "actuelle"): "boolean",
    (CONTACT, "courriel"): "text",
}

WHOLE = """\
select k.n, s0.c0, s1.c0
from unnest($1::text[]) with ordinality as k(k1, n)
cross join lateral (
  select left(t."nom"::text, 1001) as c0
  from "registre"."personne" as t
  where t."numero" = k.k1::bigint and t."numero"::text collate "C" = k.k1
  limit 2
) as s0
left join lateral (
  select left(t."courriel"::text, 1001) as c0
  from "registre"."coordonnees" as t
  where t."numero" = k.k1::bigint and t."numero"::text collate "C" = k.k1 and t."actuelle"
  limit 2
) as s1 on true"""


@pytest.mark.parametrize("column", [(PERSON, "numero"), (PERSON, "nom")])
def test_statement_when_a_column_is_not_there_then_unavailable(register_map: RegisterMap, column: tuple[str, str]) -> None:
    """Nothing is read from a register that is not as the map says."""
    types = {known: name for known, name in TYPES.items() if known != column}
    with pytest.raises(RegisterUnavailable) as refused:
        write_statement(register_map, ["family_name"], types)
    assert refused.value.cause is Cause.MISMATCH


@pytest.mark.parametrize("type_name", ['"odd type"', "bigint); drop table x; --", "", "integer[]"])
def test_statement_when_key_type_is_odd_then_unavailable(register_map: RegisterMap, type_name: str) -> None:
    """A type name that is not plain does not get into a statement."""
    with pytest.raises(RegisterUnavailable):
        write_statement(register_map, [], {**TYPES, (PERSON, "numero"): type_name})


@pytest.mark.parametrize("name", ['x"; drop table y; --', "Nom", ""])
def test_statement_when_a_name_is_no_identifier_then_impossible(register_map: RegisterMap, name: str) -> None:
    """A map that was not checked is a bug, and no statement."""
    attribute = msgspec.structs.replace(register_map.attributes["family_name"], column=name)
    unchecked = msgspec.structs.replace(register_map, attributes={"family_name": attribute})
    with pytest.raises(AssertionError, match="impossible"):
        write_statement(unchecked, ["family_name"], {**TYPES, (PERSON, name): "text"})


def test_statement_when_two_tables_then_one_look_up_each(register_map: RegisterMap) -> None:
    """The statement reads as its module says, asked in any order."""
    statement = write_statement(register_map, ["family_name", "email"], TYPES)
    assert statement.text == WHOLE
    assert statement.attributes == ("family_name", "email")
    assert statement.readings == (Reading.TEXT, Reading.EMAIL)


def test_statement_when_nothing_is_asked_then_only_existence(register_map: RegisterMap) -> None:
    """Asking for no attribute selects no column of personal data."""
    statement = write_statement(register_map, [], TYPES)
    assert "true as present" in statement.text
    assert "nom" not in statement.text
    assert "courriel" not in statement.text


def test_statement_when_key_is_composite_then_every_part_is_bound(change_map: Callable[[str, str], RegisterMap]) -> None:
    """Each column of the key has its own array; a date is spelled ISO whatever the session's style."""
    register = change_map('key = ["numero"]', 'key = ["numero", "jour"]')
    types = {**TYPES, (PERSON, "jour"): "date", (CONTACT, "jour"): "date"}
    text = write_statement(register, ["family_name"], types).text
    assert "unnest($1::text[], $2::text[]) with ordinality as k(k1, k2, n)" in text
    assert 't."jour" = k.k2::date and to_char(t."jour", \'YYYY-MM-DD\') collate "C" = k.k2' in text


def test_columns_when_listed_then_each_once(register_map: RegisterMap) -> None:
    """Keys, markers and attributes are all looked up in the catalogue, once."""
    assert sorted(mapped_columns(register_map)) == sorted(TYPES)


def reading(*readings: Reading) -> Statement:
    """Make a statement whose columns are read like this."""
    return Statement(text="", attributes=tuple(f"a{n}" for n in range(len(readings))), readings=readings)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (Reading.TEXT, "x" * 1001),
        (Reading.EMAIL, "none"),
        (Reading.EMAIL, "@example.org"),
        (Reading.EMAIL, "x@"),
        (Reading.CALENDAR, date.min),
        (Reading.CALENDAR, date.max),
        (Reading.ISO_DATE, "20200102"),
        (Reading.ISO_DATE, "02/01/2020"),
        (Reading.ISO_DATE, "2020-02-30"),
        (Reading.ISO_DATE, "2020-01-02 "),
        (Reading.ISO_DATE, "٢٠٢٠-01-02"),
    ],
)
def test_row_when_a_value_is_garbage_then_unreadable_by_name(kind: Reading, raw: str | date) -> None:
    """A value that can't be of its type makes its row unreadable and names the attribute, not the value."""
    rows = take_rows(reading(Reading.TEXT, kind), ["r:1", "r:2"], [(1, "x", raw), (2, "y", None)])
    assert rows == {"r:1": Unreadable(attributes=("a1",)), "r:2": {"a0": "y", "a1": None}}


def test_row_when_a_key_has_two_then_unreadable() -> None:
    """Where two rows answer to a key, neither is taken."""
    expected: dict[str, Row] = {"r:1": Unreadable(attributes=("a0",))}
    assert take_rows(reading(Reading.TEXT), ["r:1"], [(1, "x"), (1, "y")]) == expected


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (Reading.TEXT, "x" * 1000, "x" * 1000),
        (Reading.TEXT, " x ", " x "),
        (Reading.TEXT, "", None),
        (Reading.TEXT, "  ", None),
        (Reading.EMAIL, "a@example.org", "a@example.org"),
        (Reading.EMAIL, " ", None),
        (Reading.CALENDAR, date(1990, 2, 3), date(1990, 2, 3)),
        (Reading.ISO_DATE, "2020-02-29", date(2020, 2, 29)),
        (Reading.ISO_DATE, "", None),
        (Reading.ISO_DATE, None, None),
    ],
)
def test_row_when_a_value_is_good_then_it_is_kept(kind: Reading, raw: Any, value: Value) -> None:
    """A good value is kept as it is; a blank one is missing."""
    assert take_rows(reading(kind), ["r:1"], [(1, raw)]) == {"r:1": {"a0": value}}
