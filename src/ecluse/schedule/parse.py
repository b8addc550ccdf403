"""Read a schedule file, CSV or JSON: bytes in, well-formed rows or findings out. No value of the file is ever echoed.

CSV (RFC 4180, strict): UTF-8, byte order mark allowed; a header line, columns in any order, all known; the delimiter is the
one of ``,`` and ``;`` that the header line uses. ``agents`` are separated by one space. Empty lines are skipped.
    source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status
    plan,S1,P1,ofii:1042,civic-training,lyon-formation,lyon-3,A,2026-01-05T09:00,2026-01-05T17:00,,planned
JSON (RFC 8259): ``{"rows": [{the same members, agents as a list of texts}]}``; unknown members and duplicate keys are refused.

A file carries one source, so that all of it or nothing is applied. Lines and rows are read one at a time, none longer than is
lawful, and reading stops at the first row too many: beside the rows that are kept, memory does not grow with the file.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ecluse.schedule.cells import RowReader, judge_cell
from ecluse.schedule.findings import Fault, ProblemCollector, ScheduleFindings, refuse_file
from ecluse.schedule.model import COLUMNS, Kind, ScheduleFile

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_BYTES_MAX: Final = 512 * 1024 * 1024
ROWS_MAX: Final = 2_000_000
LINE_CHARACTERS_MAX: Final = 32_768
"""A lawful row has at most 12 cells of 200 characters and 20 agents, each character doubled (CSV) or escaped (JSON)."""

_REQUIRED: Final = frozenset(COLUMNS[:-1])

_ENCODING: Final = Fault("the bytes from here on are not UTF-8", "Save the file as UTF-8.")
_OTHER_ENCODING: Final = Fault("the file is UTF-16 or UTF-32, not UTF-8", "Save the file as UTF-8.")
_COMPRESSED: Final = Fault("the file is compressed, or is a workbook", "Send the plain CSV or JSON text; nothing is unpacked.")
_TOO_LARGE: Final = Fault("the file is larger than 512 MiB", "Send it in parts.")
_TOO_MANY_ROWS: Final = Fault("the file has more than 2,000,000 rows", "Send it in parts.")
_NO_ROWS: Final = Fault(
    "the file has no rows", "Send at least one row; a snapshot that shall be empty names its source and is confirmed."
)
_HEADER: Final = Fault(
    "the first line is not a header with one delimiter", "Begin with the column names, separated by `,` or by `;`."
)
_COLUMN_UNKNOWN: Final = Fault("the column is not known", "Use the documented column names, in lower case; remove the others.")
_COLUMN_TWICE: Final = Fault("the column is there twice", "Keep one of them.")
_COLUMN_MISSING: Final = Fault("the column is missing", "Add the column to every row.")
_CSV: Final = Fault(
    "the line is not valid CSV, or a cell is far too long", "Close each quote, double the quotes inside a cell, keep cells short."
)
_CELL_COUNT: Final = Fault(
    "the row has more or fewer cells than the header", "Give each column one cell; quote a cell that holds the delimiter."
)
_JSON: Final = Fault(
    "the text is not valid JSON from this line on, or a row is far too long",
    "Send one JSON object as documented, without numbers such as NaN.",
)
_JSON_SHAPE: Final = Fault(
    'the file is not an object with the one member "rows", a list', 'Send {"rows": [...]} and nothing beside it.'
)
_ROW_SHAPE: Final = Fault("the row is not an object with each member once", "Send each row as one object; name each member once.")
_MEMBER_UNKNOWN: Final = Fault(
    "the row has a member that is not known", "Use the documented names, in lower case; remove the others."
)
_NOT_TEXT: Final = Fault(
    "the value is not a text", "Send texts; agents is a list of texts; leave out course_ref where there is none."
)
_SIGNATURES: Final = (
    (b"\x1f\x8b", _COMPRESSED),  # gzip
    (b"PK\x03\x04", _COMPRESSED),  # zip, and every workbook
    (b"\x28\xb5\x2f\xfd", _COMPRESSED),  # zstd
    (b"BZh", _COMPRESSED),
    (b"\xfd7zXZ", _COMPRESSED),
    (codecs.BOM_UTF16_LE, _OTHER_ENCODING),  # UTF-32 in this order begins alike
    (codecs.BOM_UTF16_BE, _OTHER_ENCODING),
    (codecs.BOM_UTF32_BE, _OTHER_ENCODING),
)


def parse_schedule(data: bytes, kind: Kind, source: str | None = None) -> ScheduleFile | ScheduleFindings:
    """Read the bytes of a schedule file: all rows well-formed, or the report of what is not.

    ``source``: which one the file must carry; with it a file without rows may be read, as nothing else says whose it is.
    """
    if len(data) > FILE_BYTES_MAX:
        return refuse_file(1, None, _TOO_LARGE)
    for signature, packed in _SIGNATURES:
        if data.startswith(signature):
            return refuse_file(1, None, packed)
    fault = None if source is None else judge_cell("source", source)
    if fault is not None:
        return refuse_file(1, "source", fault)
    reader = RowReader(source)
    try:
        stopped = _read_csv(data, reader) if kind is Kind.CSV else _read_json(data.decode("utf-8-sig"), reader)
    except UnicodeDecodeError:
        return refuse_file(_undecodable_line(data), None, _ENCODING)
    if reader.problems.found_any():
        return reader.problems.findings()
    if stopped is not None:
        return stopped
    if not reader.rows and source is None:
        return refuse_file(1, None, _NO_ROWS)
    return ScheduleFile(sha256=hashlib.sha256(data).hexdigest(), source=source or reader.rows[0].source, rows=tuple(reader.rows))


def _undecodable_line(data: bytes) -> int:
    """Find the line of the first byte that is not UTF-8."""
    line = 1
    for line, text in enumerate(io.BytesIO(data), 1):
        try:
            text.decode()  # no character of UTF-8 holds the byte of a line's end
        except UnicodeDecodeError:
            return line
    return line


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines of a file, their ends kept; raises `csv.Error` at one that is longer than any lawful line."""
    while line := text.readline(LINE_CHARACTERS_MAX + 1):
        if len(line) > LINE_CHARACTERS_MAX:
            raise csv.Error
        yield line


def _read_csv(data: bytes, reader: RowReader) -> ScheduleFindings | None:
    """Feed all lines to the reader; return findings where reading had to stop."""
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
    first = text.readline(LINE_CHARACTERS_MAX)
    if ("," in first) == (";" in first):
        return refuse_file(1, None, _HEADER)
    delimiter = ";" if ";" in first else ","
    row = 1
    try:
        header = next(csv.reader([first], delimiter=delimiter, strict=True))
        _check_header(header, reader.problems)
        if reader.problems.found_any():
            return None
        lines = csv.reader(_lines(text), delimiter=delimiter, strict=True)
        order = [header.index(column) if column in header else len(header) for column in COLUMNS]
        row = 2
        for cells in lines:
            if row > ROWS_MAX + 1:
                reader.problems.add(row, None, _TOO_MANY_ROWS)
                return None
            if len(cells) == len(header):
                cells.append("")
                reader.read(row, [cells[at] for at in order])
            elif cells:
                reader.problems.add(row, None, _CELL_COUNT)
            row = lines.line_num + 2
    except csv.Error:
        reader.problems.add(row, None, _CSV)
    return None


def _check_header(header: list[str], problems: ProblemCollector) -> None:
    """Refuse unknown, repeated and missing columns; an unknown one is named by position: it may be data without a header."""
    for position, name in enumerate(header, 1):
        if name not in COLUMNS:
            problems.add(1, f"column {position}", _COLUMN_UNKNOWN)
        elif header.index(name) != position - 1:
            problems.add(1, name, _COLUMN_TWICE)
    for column in COLUMNS[:-1]:
        if column not in header:
            problems.add(1, column, _COLUMN_MISSING)


class _RepeatedMember:
    """Stands where a JSON object named a member twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _RepeatedMember:
    members = dict(pairs)
    return members if len(members) == len(pairs) else _RepeatedMember()


def _no_constant(_: str) -> NoReturn:
    raise ValueError


_BEGIN: Final = re.compile(r'[ \t\r\n]*\{[ \t\r\n]*"rows"[ \t\r\n]*:[ \t\r\n]*\[[ \t\r\n]*')
_BETWEEN: Final = re.compile(r"[ \t\r\n]*(?:(,)[ \t\r\n]*|\])")
_END: Final = re.compile(r"[ \t\r\n]*\}[ \t\r\n]*\Z")
_decode: Final = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant).raw_decode


def _read_json(text: str, reader: RowReader) -> ScheduleFindings | None:
    """Feed all rows to the reader, one at a time; return findings where reading had to stop."""
    begin = _BEGIN.match(text)
    if begin is None:
        return refuse_file(1, None, _JSON_SHAPE)
    at, row = begin.end(), 0
    more = not text.startswith("]", at)
    at += 0 if more else 1
    while more:
        row += 1
        if row > ROWS_MAX:
            reader.problems.add(row, None, _TOO_MANY_ROWS)
            return None
        found = _decode_row(text, at)
        between = None if found is None else _BETWEEN.match(text, at + found[1])
        if found is None or between is None:
            return refuse_file(text.count("\n", 0, at) + 1, None, _JSON)
        if isinstance(found[0], dict):
            _read_members(row, found[0], reader)
        else:
            reader.problems.add(row, None, _ROW_SHAPE)
        at, more = between.end(), between.group(1) is not None
    if _END.match(text, at) is None:
        reader.problems.add(max(row, 1), None, _JSON_SHAPE)
    return None


def _decode_row(text: str, at: int) -> tuple[Any, int] | None:
    """Decode one value of lawful length; return it and its length, or None. Nothing beyond that length is looked at."""
    for length in (1_024, LINE_CHARACTERS_MAX):  # NOTE(why): a slice is a copy, and most rows are short
        piece = text[at : at + length]
        try:
            value, end = _decode(piece)
        except (ValueError, RecursionError):
            continue
        if end < len(piece):  # a number at the end of the slice may go on
            return value, end
    return None


def _read_members(row: int, members: dict[str, Any], reader: RowReader) -> None:
    """Bring one JSON object into the cells of a row."""
    before = reader.problems.total
    if not members.keys() <= set(COLUMNS):
        reader.problems.add(row, None, _MEMBER_UNKNOWN)
    cells: list[str] = []
    for column in COLUMNS:
        value = members.get(column)
        if column not in members:
            if column in _REQUIRED:
                reader.problems.add(row, column, _COLUMN_MISSING)
            value = ""
        elif column == "agents":
            value = _join_agents(value)
        if isinstance(value, str):
            cells.append(value)
        else:
            reader.problems.add(row, column, _NOT_TEXT)
    if reader.problems.total == before:
        reader.read(row, cells)


def _join_agents(value: Any) -> str | None:  # noqa: ANN401 - JSON
    """Return a list of texts as CSV writes it, or None; a text with a space in it must not become two agents."""
    if not isinstance(value, list) or any(not isinstance(agent, str) or not agent or " " in agent for agent in value):
        return None
    return " ".join(value)
