"""What a document is, read from its bytes: one of seven kinds, whole, and with nothing in it that acts by itself. Pure.

A name or a declared type is never believed. What could run, fetch or ask when somebody opens the file is refused with its reason:

- PDF: scripts, actions that start programs or send forms, embedded files; encrypted ones, which can't be looked into. Names are read with their ``#xx``
  escapes undone, in the file and in its object streams (ISO 32000-2 §7.5.7), which are unpacked within a bound.
- XLSX and ODS: macros, controls, embedded objects, data connections, links to other files; encrypted ones; archives that unpack to more than 100 MiB.
- text and CSV: UTF-8 without control characters; markup and cells that a spreadsheet would take for a formula.

NOTE(why): this is no virus scanner. It keeps out what a certificate never needs; who opens a document still does so on a machine that is kept up to date.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final

from ecluse.evidence.errors import EvidenceRefused
from ecluse.evidence.model import MOST_BYTES, Fault, MediaType

_MOST_UNPACKED: Final = 100 * 1024 * 1024
_MOST_PARTS: Final = 2_000
_MOST_STREAMS: Final = 50_000
_MOST_LAYERS: Final = 4
_WINDOW: Final = 65_536  # how far before the word `stream` its dictionary may begin
_SIGNED_OFF: Final = 2_048  # how far from the end a PDF says that it ends

_KINDS: Final = "PDF, PNG, JPEG, plain text, CSV, XLSX or ODS"
_NAME: Final = re.compile(rb"/([^\x00\t\n\f\r ()<>\[\]{}/%]{1,127})")
_ESCAPE: Final = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM: Final = re.compile(rb"(?<!end)stream[ \t]*(?:\r\n?|\n)")
_ACTIVE: Final = {
    b"JavaScript": "it holds a script",
    b"Launch": "it can start a program",
    b"SubmitForm": "it can send a form",
    b"ImportData": "it can fetch data",
    b"EmbeddedFile": "it holds another file",
    b"RichMedia": "it holds media that play by themselves",
    b"XFA": "it holds a form that runs scripts",
}
_OTHER_FILTERS: Final = frozenset({b"LZWDecode", b"ASCII85Decode", b"ASCIIHexDecode", b"RunLengthDecode", b"Crypt", b"Predictor"})
_PRINT: Final = "Print it to a new PDF and hand that in"
_SAVE: Final = "Save it again without that, or export it to PDF"
_XLSX_PARTS: Final = (
    (re.compile(r"vbaproject|(^|/)macrosheets/|\.xlm$"), "it holds macros"),
    (re.compile(r"externallinks/|(^|/)connections\.xml$|querytables/"), "it is linked to other files or data"),
    (re.compile(r"activex|ctrlprops/|customui"), "it holds controls"),
    (re.compile(r"embeddings/|\.(exe|dll|js|vbs|ole)$"), "it holds other files"),
)
_ODS_PARTS: Final = (
    (re.compile(r"^(basic|scripts|dialogs)/"), "it holds macros"),
    (re.compile(r"^(object|objectreplacements)[^/]*/|\.(exe|dll|js|vbs|ole)$"), "it holds other files"),
)
_ODS_WORDS: Final = (
    (re.compile(rb"<script:event-listener|<office:script[ >]"), "it holds macros"),
    (
        re.compile(rb"<table:cell-range-source|<table:table-source|<office:dde-source|<form:|<!DOCTYPE|<!ENTITY"),
        "it is linked to other files or data",
    ),
    (re.compile(rb"<draw:(object|object-ole|plugin|applet|floating-frame)[ >]"), "it holds other files"),
)
_EXTERNAL: Final = re.compile(rb"<Relationship\b[^>]*\bTargetMode\s*=\s*[\"']External[\"'][^>]*>", re.IGNORECASE)
_LINKED: Final = re.compile(rb"<ddeLink|<oleLink|<!DOCTYPE|<!ENTITY", re.IGNORECASE)
_NUMBERLIKE: Final = re.compile(r"[+-][0-9 .,()/%-]*")


def sniff(content: bytes) -> MediaType:
    """Return what a document is. Raises `EvidenceRefused` for one that is none of the kinds, is cut, too large, or holds what acts by itself."""
    if not content:
        raise _refused("it is empty", "Name a file that holds something")
    if len(content) > MOST_BYTES:
        raise _refused("it is larger than 20 MiB", "Hand in a smaller copy, such as one with less detailed pictures")
    if content.startswith(b"%PDF-"):
        _look_into_pdf(content)
        return MediaType.PDF
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        if not content.endswith(b"\x00\x00\x00\x00IEND\xaeB\x60\x82"):
            raise _cut("PNG")
        return MediaType.PNG
    if content.startswith(b"\xff\xd8\xff"):
        if not content.endswith(b"\xff\xd9"):
            raise _cut("JPEG")
        return MediaType.JPEG
    if content.startswith(b"PK\x03\x04"):
        return _look_into_archive(content)
    return _look_into_text(content)


def _refused(why: str, mend: str) -> EvidenceRefused:
    """Make the one error of this module."""
    return EvidenceRefused((Fault(where="document", why=why, mend=mend),))


def _cut(kind: str) -> EvidenceRefused:
    return _refused(f"it begins as a {kind} and does not end as one", "Hand in the whole file and nothing behind it")


# ── PDF ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _look_into_pdf(content: bytes) -> None:
    """Refuse a PDF that is cut, encrypted, or that acts by itself."""
    if b"%%EOF" not in content[-_SIGNED_OFF:]:
        raise _cut("PDF")
    names = _names(content)
    if b"Encrypt" in names:
        raise _refused("the PDF is encrypted, so it can't be looked into", "Hand it in without a password")
    for unpacked in _object_streams(content):
        names |= _names(unpacked)
    for name, why in _ACTIVE.items():
        if name in names:
            raise _refused(f"{why} (/{name.decode()})", _PRINT)


def _names(text: bytes) -> set[bytes]:
    """Return the names that stand in some bytes, their escapes undone."""
    found = {match[1] for match in _NAME.finditer(text)}
    return {_ESCAPE.sub(lambda hexes: bytes([int(hexes[1], 16)]), name) if b"#" in name else name for name in found}


def _object_streams(content: bytes) -> Iterator[bytes]:
    """Unpack the streams whose dictionaries have what a reader needs to take objects out of them: ``/N`` and ``/First``."""
    begins, left = 0, _MOST_UNPACKED
    for count, match in enumerate(_STREAM.finditer(content)):
        if count >= _MOST_STREAMS:
            raise _refused("the PDF has more parts than are looked into", _PRINT)
        names = _names(content[max(begins, match.start() - _WINDOW) : match.start()])
        begins = match.end()
        if not {b"N", b"First"} <= names and b"ObjStm" not in names:
            continue
        if names & _OTHER_FILTERS:
            raise _refused("a part of the PDF is packed in a way that is not looked into", _PRINT)
        for unpacked in _unpacked(content[begins:], left):
            left -= len(unpacked)
            if left <= 0:
                raise _refused("the PDF unpacks to more than 100 MiB", _PRINT)
            yield unpacked


def _unpacked(packed: bytes, most: int) -> Iterator[bytes]:
    """Unpack a stream, and what comes out of it if that is packed too; nothing if it was not packed: it was read as it stands then."""
    for _ in range(_MOST_LAYERS):
        try:
            packed = zlib.decompressobj().decompress(packed, most)
        except zlib.error:
            return
        yield packed
    raise _refused("a part of the PDF is packed in a way that is not looked into", _PRINT)


# ── spreadsheets ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _look_into_archive(content: bytes) -> MediaType:
    """Tell an XLSX from an ODS, and refuse what acts by itself."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _MOST_UNPACKED:
                raise _refused("the file unpacks to more than 2,000 parts or 100 MiB", "Hand in a smaller one, or a PDF")
            names = {part.filename for part in parts}
            if len(names) != len(parts) or any(part.flag_bits & 1 for part in parts):
                raise _refused("the archive is encrypted, or names a part twice", "Save it again without a password")
            if "[Content_Types].xml" in names and "xl/workbook.xml" in names:
                _look_into_xlsx(archive, names)
                return MediaType.XLSX
            if "mimetype" in names and _read(archive, "mimetype").strip() == MediaType.ODS.encode():
                _look_into_ods(archive, names)
                return MediaType.ODS
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, OSError, ValueError, RuntimeError):
        raise _refused("the archive can't be read", "Save it again, or export it to PDF") from None
    raise _refused(f"it is not {_KINDS}", "Export it to PDF")


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    """Unpack a part, whose length is bounded by what the archive's own list says (the module checks it)."""
    with archive.open(name) as part:
        return part.read(_MOST_UNPACKED)


def _refuse_parts(names: set[str], rules: tuple[tuple[re.Pattern[str], str], ...]) -> None:
    """Refuse an archive for the names of its parts."""
    for name in sorted(names):
        for pattern, why in rules:
            if pattern.search(name.lower()):
                raise _refused(why, _SAVE)


def _look_into_xlsx(archive: zipfile.ZipFile, names: set[str]) -> None:
    """Refuse a workbook with macros, controls, links or other files in it."""
    _refuse_parts(names, _XLSX_PARTS)
    if b"macroenabled" in _read(archive, "[Content_Types].xml").lower():
        raise _refused("it holds macros", _SAVE)
    for name in sorted(names):
        if name.endswith(".rels"):
            for match in _EXTERNAL.finditer(_read(archive, name)):
                if b"/hyperlink" not in match[0]:
                    raise _refused("it is linked to other files or data", _SAVE)
        elif name.endswith(".xml") and _LINKED.search(_read(archive, name)):
            raise _refused("it is linked to other files or data", _SAVE)


def _look_into_ods(archive: zipfile.ZipFile, names: set[str]) -> None:
    """Refuse a spreadsheet with macros, links or other files in it."""
    _refuse_parts(names, _ODS_PARTS)
    for name in sorted(names):
        if not name.endswith(".xml"):
            continue
        text = _read(archive, name)
        if name == "META-INF/manifest.xml" and b"encryption-data" in text:
            raise _refused("the archive is encrypted, or names a part twice", "Save it again without a password")
        for pattern, why in _ODS_WORDS:
            if pattern.search(text):
                raise _refused(why, _SAVE)


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _look_into_text(content: bytes) -> MediaType:
    """Tell plain text from CSV, and refuse what is neither."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused(f"it is not {_KINDS}", "Export it to PDF; text has to be in UTF-8") from None
    if any(ord(sign) < 32 and sign not in "\t\n\f\r" for sign in set(text)) or not text.strip():
        raise _refused(f"it is not {_KINDS}", "Export it to PDF")
    if text.lstrip().startswith(("<", "{\\rtf", "#!")):
        raise _refused("it is markup or a program, not plain text", "Export it to PDF")
    rows = _rows(text)
    if rows is None:
        return MediaType.TEXT
    for number, row in enumerate(rows, 1):
        if any(is_formula(cell) for cell in row):
            raise _refused(f"a cell of row {number} begins like a formula", "Begin it with another character than = + - @")
    return MediaType.CSV


def is_formula(cell: str) -> bool:
    """Tell whether a spreadsheet might take a cell for a formula; a signed number or a telephone number is none."""
    return cell.lstrip().startswith(("=", "@", "+", "-", "\uff1d", "\uff20")) and not _NUMBERLIKE.fullmatch(cell.strip())


def _rows(text: str) -> list[list[str]] | None:
    """Read text as rows if it is a table: two rows at least, two cells at least, the same number in each."""
    for sign in (",", ";", "\t"):
        if sign not in text.partition("\n")[0]:
            continue
        try:
            rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True) if row]
        except csv.Error:
            continue
        if len(rows) > 1 and len(rows[0]) > 1 and len({len(row) for row in rows}) == 1:
            return rows
    return None
