"""Observations from elsewhere: what is no row of them is refused by line, and no text of a person gets in."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecluse.flows.errors import ImportRefused
from ecluse.flows.model import Imported
from ecluse.flows.parse import parse_imports
from tests.flows.facts import KINDS

pytestmark = pytest.mark.unit

HEAD = "source,recipient,attribute,from,until\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no row"),
        (HEAD, "there is no row"),
        ("source,recipient\n", "line 1: the columns are others"),
        (HEAD + "mail,firm,email,2026-01-01\n", "line 2: it has 4 cells"),
        (HEAD + "mail,Marie Curie,email,2026-01-01,2026-01-02\n", "line 2: recipient is no id"),
        (HEAD + "m@il,firm,email,2026-01-01,2026-01-02\n", "line 2: source is no id"),
        (HEAD + "mail,firm,shoe_size,2026-01-01,2026-01-02\n", "line 2: the register maps no attribute"),
        (HEAD + "mail,firm,email,01/02/2026,2026-01-02\n", "line 2: a day is not one"),
        (HEAD + "mail,firm,email,2026-01-03,2026-01-02\n", "line 2: it ends before it begins"),
        (HEAD + "mail,firm,email,2026-01-01,2026-01-02\n" * 2, "line 3: the same source"),
        (HEAD + '"mail,firm', "it is not CSV"),
        (HEAD + "mail,firm,email,2026-01-01,2026-01-02\x00\n", "line"),
    ],
)
def test_import_when_not_as_it_should_be_then_refused_by_line(text: str, said: str) -> None:
    """Each fault names its line, why, and the mend; never the cell."""
    with pytest.raises(ImportRefused) as refused:
        parse_imports(text, KINDS)
    assert said in str(refused.value)
    assert "Curie" not in str(refused.value)


def test_import_when_well_written_then_read() -> None:
    """A row is a source, a recipient, an attribute and two days."""
    (row,) = parse_imports("\ufeff" + HEAD + "\nmail,firm,email,2026-01-01,2026-01-31\n", KINDS)
    assert row == Imported(
        source="mail", recipient="firm", attribute="email", from_on=date(2026, 1, 1), until_on=date(2026, 1, 31)
    )


@settings(deadline=None)
@given(st.text())
def test_import_when_anything_then_read_or_refused(text: str) -> None:
    """No text makes the reader fail in another way."""
    for each in (text, HEAD + text):
        try:
            parse_imports(each, KINDS)
        except ImportRefused:
            continue
