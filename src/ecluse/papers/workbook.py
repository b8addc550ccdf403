"""Workbooks (XLSX) written and read as tables of texts, whatever hands they passed through.

Read: at most 20 MiB, 64 MiB unpacked, 10,000 rows a sheet; no document type, no formula; every fault names sheet and cell. Written: texts only, guarded
against formulas (``cells.py``), the same tables at the same instant as the same bytes. Controls become the sign for what can't be
shown; ``x005F_``, Office's own escape, is lost where a text spells it (openpyxl drops it).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

import openpyxl
import xlsxwriter

from ecluse.papers.cells import bare, guard, legible
from ecluse.papers.errors import WorkbookInvalid

if TYPE_CHECKING:
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

Row: TypeAlias = dict[str, str]

MOST_BYTES: Final = 20 * 1024 * 1024
MOST_UNPACKED_BYTES: Final = 64 * 1024 * 1024
MOST_ROWS: Final = 10_000
MOST_COLUMNS: Final = 64
MOST_CELL_CHARACTERS: Final = 32_767
"""What a cell can hold, in UTF-16 units: a longer text is refused, never cut."""

_MOST_WIDTH: Final = 60


class Table:
    """One sheet: its name, its columns in order, its rows by column; a column that a row lacks is empty."""

    def __init__(self, name: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Take what the sheet says."""
        self.name, self.columns, self.rows = name, tuple(columns), tuple(rows)


def write_workbook(tables: Iterable[Table], at: datetime) -> bytes:
    """Write tables as a workbook, as of an instant. Raises `WorkbookInvalid` where a text is longer than a cell can be."""
    out = io.BytesIO()
    plain = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, plain) as book:
        book.set_properties({"created": at.astimezone(UTC).replace(tzinfo=None, microsecond=0), "comments": ""})
        head = book.add_format({"bold": True, "bg_color": "#1F3A5F", "font_color": "#FFFFFF", "valign": "vcenter", "border": 1})
        text = book.add_format({"text_wrap": True, "valign": "top", "num_format": "@"})
        for table in tables:
            sheet = book.add_worksheet(table.name)
            sheet.freeze_panes(1, 0)
            for column, name in enumerate(table.columns):
                widest = max((len(row.get(name, "")) for row in table.rows), default=0)
                sheet.set_column(column, column, min(_MOST_WIDTH, max(len(name), widest) + 2))
                sheet.write_string(0, column, name, head)
                for number, row in enumerate(table.rows, 1):
                    sheet.write_string(number, column, _fitting(row.get(name, ""), table.name, number, name), text)
    return out.getvalue()


def _fitting(text: str, sheet: str, number: int, column: str) -> str:
    """Return a guarded text that a cell can hold."""
    written = guard(legible(text))
    if len(written.encode("utf-16-le", "surrogatepass")) // 2 > MOST_CELL_CHARACTERS:
        where = f'sheet "{sheet}", row {number + 1}, column {column}'
        raise WorkbookInvalid(
            where, "the text is longer than a cell can hold", f"Shorten it to {MOST_CELL_CHARACTERS:,} characters"
        )
    return written


def read_workbook(content: bytes, required: Mapping[str, Sequence[str]]) -> dict[str, list[Row]]:
    """Read the sheets that ``required`` names, each with the columns that it must have. Raises `WorkbookInvalid`.

    Other sheets and columns are left alone; rows without any text are passed over.
    """
    _refuse_strange(content)
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=False)
        missing = [name for name in required if name not in book.sheetnames]
        if missing:
            raise WorkbookInvalid(f'sheet "{missing[0]}"', "it is not in the workbook", "Export it with all its sheets")
        return {name: list(_rows(book[name], columns)) for name, columns in required.items()}
    except WorkbookInvalid:
        raise
    except Exception as broken:  # the library raises whatever its parsers do; nothing of it is repeated: it may quote cells
        raise WorkbookInvalid("the workbook", "it can't be read", "Save it anew as .xlsx") from broken


def _refuse_strange(content: bytes) -> None:
    """Refuse what is too large, no zip file, or carries a document type, before any parser of sheets sees it."""
    if len(content) > MOST_BYTES:
        raise WorkbookInvalid("the workbook", "it is larger than 20 MiB", "Leave out what is not asked for")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(each.file_size for each in packed.infolist()) > MOST_UNPACKED_BYTES:
                raise WorkbookInvalid("the workbook", "it unpacks to more than 64 MiB", "Leave out what is not asked for")
            parts = [packed.read(each) for each in packed.infolist() if each.filename.endswith((".xml", ".rels"))]
    except WorkbookInvalid:
        raise
    except Exception as broken:  # as above
        raise WorkbookInvalid("the workbook", "it is not an .xlsx file", "Save it anew as .xlsx") from broken
    if any(b"<!DOCTYPE" in part or b"<!ENTITY" in part or part[:2] in {b"\xff\xfe", b"\xfe\xff"} for part in parts):
        raise WorkbookInvalid("the workbook", "a part of it declares a document type", "Save it anew as .xlsx")


def _rows(sheet: ReadOnlyWorksheet, required: Sequence[str]) -> Iterable[Row]:
    """Yield the rows of a sheet by the names in its first row."""
    sheet.reset_dimensions()  # what a file says of its size is nobody's promise
    names: list[str] = []
    for number, cells in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS), 1):
        if number > MOST_ROWS:
            raise WorkbookInvalid(f'sheet "{sheet.title}"', f"it has more than {MOST_ROWS:,} rows", "Split it")
        texts = [
            _text(cell.value, cell.data_type, f'sheet "{sheet.title}", row {number}, column {n}')
            for n, cell in enumerate(cells, 1)
        ]
        if number == 1:
            names = [each.strip() for each in texts]
            absent = [name for name in required if name not in names]
            if absent:
                raise WorkbookInvalid(f'sheet "{sheet.title}"', f"the column {absent[0]} is missing", "Name it in the first row")
        elif any(texts):
            yield {name: text for name, text in zip(names, texts, strict=False) if name}


def _text(value: object, kind: str, where: str) -> str:
    """Read a cell as a text."""
    if value is None:
        return ""
    if kind in {"f", "e"}:
        raise WorkbookInvalid(where, "it holds a formula or a fault", "Write the value itself")
    if isinstance(value, str):
        return bare(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat() if value.time() != datetime.min.time() else value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
