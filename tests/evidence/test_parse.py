"""Lists of sub-processors: three ways to write one list, and every fault by row and column, without a value."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.evidence import EvidenceRefused, NamedSubProcessor
from ecluse.evidence.parse import read_list, read_table
from ecluse.evidence.rows import COLUMNS, MOST_ROWS, is_plain
from tests.evidence.papers import LIST, pdf, workbook

pytestmark = pytest.mark.unit

HOST = NamedSubProcessor(
    name="Hébergeur Rhône", address="1 quai du Port, Lyon", contact="rssi@hebergeur.example", country="FR", role="hosting"
)
TOML = """[[sub_processor]]
name = "Hébergeur Rhône"
address = "1 quai du Port, Lyon"
contact = "rssi@hebergeur.example"
country = "FR"
role = "hosting"
"""


def faults(content: bytes, *, toml: bool = False) -> list[tuple[str, str]]:
    """Return where each fault stands, and why."""
    with pytest.raises(EvidenceRefused) as refused:
        read_list(content, toml=toml)
    return [(fault.where, fault.why) for fault in refused.value.faults]


def test_list_when_cells_are_wrong_then_each_by_row_and_column_without_its_value() -> None:
    """An empty cell, a formula, a long text, a hidden sign and no country are found in one pass; nothing typed is repeated."""
    secret = "zq089x"
    text = f"name;address;contact;country;role\n;x;{secret};fr;y\nB;{'x' * 201};a\u200bb;FR;hosting\nB;x;y;DE;z\n"
    assert faults(text.encode()) == [
        ("row 2, name", "it is empty, or not a plain text"),
        ("row 2, country", "it is not a country code"),
        ("row 3, address", "it is empty, or not a plain text"),
        ("row 3, contact", "it is empty, or not a plain text"),
        ("row 4, name", "it stands twice"),
    ]
    with pytest.raises(EvidenceRefused) as refused:
        read_list(text.encode())
    assert secret not in str(refused.value)


def test_workbook_when_a_cell_is_a_formula_then_refused() -> None:
    """A formula is never evaluated: it is its text, and no plain one."""
    assert faults(workbook(COLUMNS, ("A", "x", "y", "FR", '=CMD("x")'))) == [("row 2, role", "it begins like a formula")]


@pytest.mark.parametrize(
    ("content", "toml", "where"),
    [
        (b"name;address\nA;B\n", False, "row 1"),
        (workbook(), False, "list"),
        (pdf(), False, "list"),
        (b"[[sub_processor]\n", True, "list"),
        (b"\xff", True, "list"),
        (b'sub_processor = "x"', True, "list"),
        (b"[[other]]\nx = 1", True, "list"),
        (b'[[sub_processor]]\nname = "A"\nphone = "1"', True, "sub_processor 1"),
        ((TOML * (MOST_ROWS + 1)).encode(), True, "sub_processor 2, name"),
    ],
)
def test_list_when_it_is_none_then_said_where(content: bytes, toml: bool, where: str) -> None:
    """A file that is no list is refused as a whole, in its first fault."""
    assert faults(content, toml=toml)[0][0] == where


def test_list_when_there_are_too_many_rows_then_refused() -> None:
    """Five hundred rows are taken, one more is not."""
    head, rows = "name,address,contact,country,role", [f"N{n},a,c,FR,r" for n in range(MOST_ROWS + 1)]
    assert len(read_list("\n".join([head, *rows[:-1]]).encode())) == MOST_ROWS
    assert faults("\n".join([head, *rows]).encode())[0][1] == "there are more than 500 rows"


def test_list_when_written_in_three_ways_then_the_same() -> None:
    """CSV with any column order, a workbook and TOML say the same."""
    shuffled = 'role,Country,name,contact,address\nhosting,FR,Hébergeur Rhône,rssi@hebergeur.example,"1 quai du Port, Lyon"\n'
    book = workbook(COLUMNS, ("Hébergeur Rhône", "1 quai du Port, Lyon", "rssi@hebergeur.example", "FR", "hosting"), (None,) * 5)
    assert read_list(LIST.encode())[0] == HOST
    assert read_list(shuffled.encode()) == read_list(book) == read_list(TOML.encode(), toml=True) == (HOST,)
    assert (read_table(book), read_table(pdf())) == ((HOST,), ())


def test_row_when_shown_then_without_its_contact() -> None:
    """A contact may be a person: it is in no text that is made of a row by itself."""
    assert "rssi" not in repr(HOST)
    assert "rssi" not in str([HOST])


@given(st.binary(max_size=300), st.booleans())
def test_list_when_it_is_anything_then_rows_or_our_own_error(content: bytes, toml: bool) -> None:
    """No bytes raise anything else."""
    with suppress(EvidenceRefused):
        assert all(isinstance(row, NamedSubProcessor) for row in read_list(content, toml=toml))


@given(st.text(max_size=300))
def test_text_when_plain_then_one_visible_line(text: str) -> None:
    """What passes has no line end, no control character and no blank at its ends."""
    if is_plain(text):
        assert 1 <= len(text) <= 200
        assert text == text.strip()
        assert len(text.splitlines()) == 1
        assert "\x00" not in text
