"""What a PDF says, read with pikepdf alone: the text of each page by its fonts' own tables, and the facts that archives and readers' aids ask for."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pikepdf
from pikepdf import Name, Pdf

_PAIR = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_RANGE = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")


def open_pdf(content: bytes) -> Pdf:
    """Open a PDF."""
    return Pdf.open(io.BytesIO(content))


def text_of(content: bytes) -> str:
    """Return the text of all pages, blanks between words squeezed, without the marks where a long word may be broken."""
    with open_pdf(content) as pdf:
        text = "\n".join(_page_text(page) for page in pdf.pages)
    return re.sub(r"\s+", " ", text.replace("\u200b", "").replace("\u00ad", ""))


def _page_text(page: pikepdf.Page) -> str:
    """Return one page's text in the order in which it is drawn."""
    tables = {name: _unicode_of(font) for name, font in page.resources.get(Name.Font, {}).items()}
    drawn: list[str] = []
    table: dict[int, str] = {}
    for operands, operator in pikepdf.parse_content_stream(page):
        word = str(operator)
        if word == "Tf":
            table = tables[str(operands[0])]
        elif word in {"Tj", "TJ"}:
            for part in operands[0] if word == "TJ" else operands:
                if isinstance(part, pikepdf.String):
                    raw = bytes(part)
                    drawn += [table.get(int.from_bytes(raw[at : at + 2], "big"), "?") for at in range(0, len(raw), 2)]
        elif word in {"ET", "Td", "Tm"}:
            drawn.append("" if word == "Td" else " ")
    return "".join(drawn)


def _unicode_of(font: pikepdf.Object) -> dict[int, str]:
    """Read a font's table from codes to text."""
    raw = font.ToUnicode.read_bytes()
    table: dict[int, str] = {}
    for section in re.findall(rb"beginbfchar(.*?)endbfchar", raw, re.DOTALL):
        table |= {int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for code, text in _PAIR.findall(section)}
    for section in re.findall(rb"beginbfrange(.*?)endbfrange", raw, re.DOTALL):
        for first, last, text in _RANGE.findall(section):
            begin = int(text, 16)
            table |= {code: chr(begin + code - int(first, 16)) for code in range(int(first, 16), int(last, 16) + 1)}
    return table


def fonts_of(pdf: Pdf) -> Iterator[tuple[str, bool]]:
    """Yield each font's name and whether the file holds it."""
    for page in pdf.pages:
        for font in page.resources.get(Name.Font, {}).values():
            inner = font.DescendantFonts[0] if Name.DescendantFonts in font else font
            held = {Name.FontFile, Name.FontFile2, Name.FontFile3} & set(map(Name, inner.FontDescriptor.keys()))
            yield str(font.BaseFont), bool(held)


def roles_of(pdf: Pdf) -> set[str]:
    """Return the roles of the structure tree: what a screen reader is told."""
    found: set[str] = set()
    seen: set[tuple[int, int]] = set()
    waiting = [pdf.Root.StructTreeRoot]
    while waiting:
        node = waiting.pop()
        if isinstance(node, pikepdf.Array):
            waiting += list(node)
        elif isinstance(node, pikepdf.Dictionary) and (not node.is_indirect or node.objgen not in seen):
            seen.add(node.objgen)
            if Name.S in node:
                found.add(str(node.S))
            if Name.K in node:
                waiting.append(node.K)
    return found


def keys_of(pdf: Pdf) -> set[str]:
    """Return every key of every dictionary in the file."""
    return {str(key) for each in pdf.objects if isinstance(each, pikepdf.Dictionary | pikepdf.Stream) for key in each.keys()}  # noqa: SIM118
