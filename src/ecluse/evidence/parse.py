"""A processor's own list of sub-processors, read from a small CSV, XLSX or TOML file. Pure.

Columns, in any order, headed in the first row: ``name``, ``address``, ``contact``, ``country`` (ISO 3166-1, two capital letters), ``role``. TOML: one
``[[sub_processor]]`` table each, with these keys. A fault names row and column, never a value: a contact may be a person.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from typing import Final

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from ecluse.evidence.errors import EvidenceRefused
from ecluse.evidence.model import Fault, MediaType, NamedSubProcessor
from ecluse.evidence.rows import COLUMNS, MOST_ROWS, check_rows
from ecluse.evidence.sniff import sniff
from ecluse.toml_lines import TomlSyntaxError, load_toml

_HEADS: Final = f"Head the columns {', '.join(COLUMNS)}"


def read_list(content: bytes, *, toml: bool = False) -> tuple[NamedSubProcessor, ...]:
    """Read a list of sub-processors. ``toml``: the file is TOML, else it is known by its bytes. Raises `EvidenceRefused`: every fault of the file."""
    rows = _toml_rows(content) if toml else _table_rows(content)
    return check_rows(rows)


def read_table(content: bytes) -> tuple[NamedSubProcessor, ...]:
    """Read the rows of a list that is a table itself; none of a document of another kind. Raises `EvidenceRefused`."""
    return read_list(content) if sniff(content) in {MediaType.CSV, MediaType.XLSX} else ()


def _refused(where: str, why: str, mend: str) -> EvidenceRefused:
    return EvidenceRefused((Fault(where=where, why=why, mend=mend),))


def _toml_rows(content: bytes) -> Iterable[tuple[str, Sequence[object]]]:
    """Read ``[[sub_processor]]`` tables."""
    try:
        tree = load_toml(content.decode("utf-8"))
    except (UnicodeDecodeError, TomlSyntaxError):
        raise _refused("list", "it is not TOML in UTF-8", "Mend it, or hand in a CSV file") from None
    tables = tree.get("sub_processor")
    if set(tree) != {"sub_processor"} or not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise _refused(
            "list", "it is not a list of [[sub_processor]]", "Write one [[sub_processor]] table each, and nothing else"
        )
    for number, table in enumerate(tables, 1):
        if not set(table) <= set(COLUMNS):
            raise _refused(f"sub_processor {number}", "it has keys that are not known", f"Write {', '.join(COLUMNS)}")
    return [(f"sub_processor {number}", [table.get(name) for name in COLUMNS]) for number, table in enumerate(tables, 1)]


def _table_rows(content: bytes) -> list[tuple[str, Sequence[object]]]:
    """Read a CSV file or the first sheet of a workbook."""
    kind = sniff(content)
    if kind is MediaType.XLSX:
        rows = _sheet(content)
    elif kind is MediaType.CSV:
        text = content.decode("utf-8-sig")
        head = text.partition("\n")[0]
        sign = max(",;\t", key=head.count)
        rows = [list(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=sign)]
    else:
        raise _refused("list", "it is not a CSV file, a workbook (XLSX) or TOML", "Hand the list in as one of these")
    if not rows:
        raise _refused("list", "it is empty", _HEADS)
    heads = [str(cell or "").strip().lower() for cell in rows[0]]
    while heads and not heads[-1]:
        heads.pop()
    if sorted(heads) != sorted(COLUMNS):
        raise _refused("row 1", "its columns are not those of a list of sub-processors", _HEADS)
    order = [heads.index(name) for name in COLUMNS]
    return [
        (f"row {number}", [row[place] if place < len(row) else "" for place in order])
        for number, row in enumerate(rows[1:], 2)
        if any(cell not in {None, ""} for cell in row)
    ]


def _sheet(content: bytes) -> list[Sequence[object]]:
    """Read the first sheet of a workbook: values as written; a formula is its text, and refused as one."""
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        try:
            sheet = book.worksheets[0]
            return [list(row) for row in sheet.iter_rows(max_row=MOST_ROWS + 2, max_col=len(COLUMNS) + 1, values_only=True)]
        finally:
            book.close()
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, IndexError, TypeError, AttributeError, SyntaxError):
        raise _refused("list", "the workbook can't be read", "Save it again, or hand in a CSV file") from None
