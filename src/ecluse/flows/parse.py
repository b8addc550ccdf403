"""Reading observations from elsewhere (docs/flows.md, "What was seen elsewhere"). Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date
from typing import Final

from ecluse.flows.errors import ImportRefused
from ecluse.flows.model import Imported
from ecluse.ids import is_name
from ecluse.register import AttributeType

COLUMNS: Final = ("source", "recipient", "attribute", "from", "until")
MOST_IMPORTED: Final = 10_000


def parse_imports(text: str, kinds: Mapping[str, AttributeType]) -> tuple[Imported, ...]:
    """Read observations from elsewhere: CSV with the columns source, recipient, attribute, from, until (days, both included). Raises `ImportRefused`.

    Names are ids, never words of a sentence: no person's name or address can stand in them.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    found: dict[tuple[str, str, str, date], Imported] = {}
    try:
        for row in reader:
            if reader.line_num == 1:
                if tuple(row) != COLUMNS:
                    raise ImportRefused(1, "the columns are others", f"Write {','.join(COLUMNS)}")
            elif row:
                one = _imported(reader.line_num, row, kinds)
                if found.setdefault((one.source, one.recipient, one.attribute, one.from_on), one) is not one:
                    raise ImportRefused(
                        reader.line_num, "the same source, recipient, attribute and first day stand above", "Keep one of them"
                    )
                if len(found) > MOST_IMPORTED:
                    raise ImportRefused(reader.line_num, f"there are more than {MOST_IMPORTED:,} rows", "Bring fewer, added up")
    except csv.Error:
        raise ImportRefused(reader.line_num, "it is not CSV", "Write one row a line, cells with commas in quotes") from None
    if not found:
        raise ImportRefused(1, "there is no row", "Bring at least one; `ecluse flows import --forget SOURCE` takes a source away")
    return tuple(found.values())


def _imported(line: int, row: list[str], kinds: Mapping[str, AttributeType]) -> Imported:
    """Read one row."""
    if len(row) != len(COLUMNS):
        raise ImportRefused(line, f"it has {len(row)} cells", f"Write {len(COLUMNS)}")
    for name, cell in zip(COLUMNS[:2], row[:2], strict=True):
        if not is_name(cell):
            raise ImportRefused(line, f"{name} is no id", "Write small letters, digits, - and _, beginning with a letter")
    if row[2] not in kinds:
        raise ImportRefused(line, "the register maps no attribute of that name", "Write it as register.toml does")
    try:
        first, last = date.fromisoformat(row[3]), date.fromisoformat(row[4])
    except ValueError:
        raise ImportRefused(line, "a day is not one", "Write it as 2026-01-31") from None
    if first > last:
        raise ImportRefused(line, "it ends before it begins", "Change the two days")
    return Imported(source=row[0], recipient=row[1], attribute=row[2], from_on=first, until_on=last)
