"""Sheets as an OpenDocument spreadsheet (ODF 1.3), the format in which the CNIL publishes its model of the record.

Every value is text: a cell can't be a formula, whatever it says. The same sheets give the same bytes: the packed file bears no clock.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from odfdo import Cell as OdfCell
from odfdo import Column, Document, Element, Paragraph, Row, Style, Table

from ecluse.papers.blocks import Block, Cell, Heading, Listing, Para
from ecluse.papers.blocks import Style as Look
from ecluse.papers.blocks import Table as Grid
from ecluse.papers.cells import legible
from ecluse.papers.model import Language
from ecluse.papers.sheets import Sheet

_WIDTHS: Final = ("6.2cm", "9.5cm", "5.5cm", "5cm", "5cm", "4cm")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_BORDER: Final = "0.5pt solid #c9d1db"
_BREAK: Final = "\u200b"  # where print may break a long word; a cell needs none
_LOOKS: Final[dict[str, tuple[dict[str, str], dict[str, str]]]] = {
    "title": ({}, {"fo:font-size": "16pt", "fo:font-weight": "bold", "fo:color": "#1f3a5f"}),
    "section": (
        {"fo:border-bottom": "1pt solid #1f3a5f"},
        {"fo:font-size": "12pt", "fo:font-weight": "bold", "fo:color": "#1f3a5f"},
    ),
    "para": ({}, {"fo:color": "#333333"}),
    "note": ({}, {"fo:font-size": "8pt", "fo:color": "#5a6675"}),
    "label": ({"fo:border": _BORDER, "fo:background-color": "#eef2f7"}, {"fo:font-weight": "bold"}),
    "article": ({"fo:border": _BORDER}, {"fo:font-size": "8pt", "fo:color": "#5a6675"}),
    "head": ({"fo:border": _BORDER, "fo:background-color": "#1f3a5f"}, {"fo:font-weight": "bold", "fo:color": "#ffffff"}),
    "value": ({"fo:border": _BORDER}, {}),
    "strong": ({"fo:border": _BORDER}, {"fo:font-weight": "bold"}),
    "number": ({"fo:border": _BORDER}, {}),
    "missing": (
        {"fo:border": "1.5pt dashed #b45309", "fo:background-color": "#fef3c7"},
        {"fo:font-style": "italic", "fo:color": "#92400e"},
    ),
}
"""What each kind of cell looks like: properties of the cell, and of its letters."""

_UNWRAPPED: Final = frozenset({"title", "section", "para", "note"})  # they run on to the right
_LOOK_OF: Final = {Look.STRONG: "strong", Look.NUMBER: "number", Look.MISSING: "missing"}


def write_ods(sheets: Iterable[Sheet], *, title: str, language: Language, at: datetime) -> bytes:
    """Write sheets as one spreadsheet, as of an instant."""
    document = Document("spreadsheet")
    document.body.clear()
    _dress(document)
    for sheet in sheets:
        document.body.append(_table(sheet))
    meta = document.meta
    moment = at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    meta.title, meta.language, meta.generator = (
        legible(title),
        f"{language}-{'FR' if language is Language.FR else 'GB'}",
        "Écluse",
    )
    meta.creation_date, meta.date, meta.editing_cycles = moment, moment, 1
    out = io.BytesIO()
    document.save(out)
    return _packed(out.getvalue())


def _dress(document: Document) -> None:
    """Add the looks, and pages across that hold the whole width."""
    for name, (cell, letters) in _LOOKS.items():
        style = Style("table-cell", name=name)
        wrapped = {} if name in _UNWRAPPED else {"fo:wrap-option": "wrap"}
        style.set_properties({"style:vertical-align": "top", "fo:padding": "1mm", **wrapped, **cell}, area="table-cell")
        style.set_properties({"fo:font-family": "Liberation Sans", "fo:font-size": "9.5pt", **letters}, area="text")
        if name == "number":
            style.set_properties({"fo:text-align": "end"}, area="paragraph")
        document.insert_style(style)
    for number, width in enumerate(_WIDTHS):
        column = Style("table-column", name=f"col{number}")
        column.set_properties({"style:column-width": width}, area="table-column")
        document.insert_style(column, automatic=True)
    row = Style("table-row", name="fitting")
    row.set_properties({"style:use-optimal-row-height": "true"}, area="table-row")
    document.insert_style(row, automatic=True)
    table = Style("table", name="across", master_page="Default")
    table.set_properties({"table:display": "true"}, area="table")
    document.insert_style(table, automatic=True)
    for layout in document.styles.get_elements("//style:page-layout-properties"):
        page = {
            "fo:page-width": "29.7cm",
            "fo:page-height": "21cm",
            "style:print-orientation": "landscape",
            "style:scale-to-X": "1",
            "style:scale-to-Y": "0",
        }
        for name, value in page.items():
            layout.set_attribute(name, value)


def _table(sheet: Sheet) -> Table:
    """Write one sheet."""
    table = Table(legible(sheet.name), style="across")
    for number in range(len(_WIDTHS)):
        table.append(Column(style=f"col{number}"))
    for block in sheet.blocks:
        for row in _rows(block):
            table.append(row)
    return table


def _rows(block: Block) -> Iterable[Row]:
    """Write one block as rows; blocks that only print has (signatures, code) have none."""
    if isinstance(block, Heading):
        if block.level > 1:
            yield _row([("", "para")])
        yield _row([(block.text, "title" if block.level == 1 else "section")])
    elif isinstance(block, Para):
        yield _row([(block.text, "note" if block.note else "para")])
    elif isinstance(block, Listing):
        for fact in block.rows:
            look = _LOOK_OF.get(fact.lines[0].style, "value") if fact.lines else "value"
            yield _row([(fact.label, "label"), ("\n".join(cell.text for cell in fact.lines), look), (fact.article, "article")])
    elif isinstance(block, Grid):
        yield _row([(head, "head") for head in block.heads])
        yield from (_row([_look(cell) for cell in row]) for row in block.rows)


def _look(cell: Cell) -> tuple[str, str]:
    """Return a cell's text and look."""
    return cell.text, _LOOK_OF.get(cell.style, "value")


def _row(cells: Sequence[tuple[str, str]]) -> Row:
    """Write one row; a line end begins a paragraph."""
    row = Row(style="fitting")
    for text, look in cells:
        cell = OdfCell(style=look)
        said = legible(text).replace(_BREAK, "")
        if said:
            cell.set_attribute("office:value-type", "string")
        for line in said.split("\n") if said else ():
            cell.append(_paragraph(line))
        row.append_cell(cell)
    return row


def _paragraph(line: str) -> Element:
    """Write one line; several blanks stay several."""
    return Paragraph(line, formatted=True)


def _packed(content: bytes) -> bytes:
    """Pack the parts anew: the media type first and bare (ODF 1.3 part 2, 3.3), then by name, without a clock and the empty template's thumbnail."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as made, zipfile.ZipFile(out, "w") as packed:
        names = sorted(
            name
            for name in made.namelist()
            if name != "mimetype" and not name.endswith("/") and not name.startswith("Thumbnails")
        )
        for name in ["mimetype", *names]:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            packed.writestr(info, made.read(name))
    return out.getvalue()
