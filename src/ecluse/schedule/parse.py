"""Read a schedule file, CSV or JSON: bytes in, well-formed rows or findings out. No value of the file is ever echoed.

CSV (RFC 4180, strict): UTF-8, byte order mark allowed; a header line, columns in any order, all known; the delimiter is the
one of ``,`` and ``;`` that the header line uses. ``agents`` are separated by one space. Empty lines are skipped.
    source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status
    plan,S1,P1,ofii:1042,civic-training,lyon-formation,lyon-3,A,2026-01-05T09:00,2026-01-05T17:00,,planned
JSON (RFC 8259): ``{"rows": [{the same members, agents as a list of texts}]}``; unknown members and duplicate keys are refused.

A file carries one source, so that all of it or nothing is applied.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ecluse.ids import is_id, is_name
from ecluse.schedule.findings import Fault, ProblemCollector, ScheduleFindings, refuse_file
from ecluse.schedule.model import COLUMNS, Kind, PlaceStatus, ScheduleFile, WrittenPlace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FILE_BYTES_MAX: Final = 512 * 1024 * 1024
ROWS_MAX: Final = 2_000_000
CELL_CHARACTERS_MAX: Final = 200
AGENTS_MAX: Final = 20

_REQUIRED: Final = frozenset(COLUMNS[:-1])
_MAY_BE_EMPTY: Final = frozenset({"agents", "course_ref"})
_MOSTLY_UNIQUE: Final = frozenset({"place_ref", "subject_ref"})
_FORMULA: Final = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d))?)?",
    re.ASCII,
)

_ENCODING: Final = Fault("the bytes from here on are not UTF-8", "Save the file as UTF-8.")
_TOO_LARGE: Final = Fault("the file is larger than 512 MiB", "Send it in parts.")
_TOO_MANY_ROWS: Final = Fault("the file has more than 2,000,000 rows", "Send it in parts.")
_NO_ROWS: Final = Fault("the file has no rows", "Send the header line and at least one row.")
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
    "the text is not valid JSON from this line on", "Send one JSON object as documented, without numbers such as NaN."
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
_EMPTY: Final = Fault("the cell is empty", "Fill it in.")
_TOO_LONG: Final = Fault("the cell is longer than 200 characters", "Shorten it.")
_CHARACTERS: Final = Fault(
    "the cell holds a control, invisible or invalid character", "Remove tabs, line ends, special spaces and invisible marks."
)
_SPACES: Final = Fault("the cell begins or ends with a space", "Remove the space.")
_FORMULA_CELL: Final = Fault("the cell begins like a formula", "Begin with another character than = + - @.")
_NAME: Final = Fault("this is not a name", "Use the name in the contract: a lower-case letter, then a-z, 0-9, _ or -.")
_STATUS: Final = Fault("the status is not known", "Write planned or cancelled.")
_TIME_SHAPE: Final = Fault(
    "this is not a time", "Write 2026-01-05T09:00 in the site's time, or with Z or an offset: 2026-01-05T08:00:00Z."
)
_AGENTS: Final = Fault("this is not a list of agents", "Write up to 20 agent ids (agt_...), each once, with one space between.")
_SOURCE: Final = Fault("the file carries another source as well", "Send one file for each source.")


def parse_schedule(data: bytes, kind: Kind) -> ScheduleFile | ScheduleFindings:
    """Read the bytes of a schedule file: all rows well-formed, or the report of what is not."""
    if len(data) > FILE_BYTES_MAX:
        return refuse_file(1, None, _TOO_LARGE)
    body = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        return refuse_file(body.count(b"\n", 0, error.start) + 1, None, _ENCODING)
    reader = _RowReader()
    stopped = _read_csv(text, reader) if kind is Kind.CSV else _read_json(text, reader)
    if stopped is not None and not reader.problems.found_any():
        return stopped
    if reader.problems.found_any():
        return reader.problems.findings()
    if not reader.rows:
        return refuse_file(1, None, _NO_ROWS)
    return ScheduleFile(sha256=hashlib.sha256(data).hexdigest(), source=reader.rows[0].source, rows=tuple(reader.rows))


class _RowReader:
    """Turns the cells of one row, in the order of ``COLUMNS``, into a ``WrittenPlace`` or problems; owned by one reading."""

    def __init__(self) -> None:
        self.rows: list[WrittenPlace] = []
        self.problems = ProblemCollector()
        self.seen = 0
        # NOTE(why): most columns repeat; remembering the good cells judges each text once and keeps one copy of it.
        self._good: dict[str, dict[str, str]] = {column: {} for column in COLUMNS}
        self._agents: dict[str, tuple[str, ...]] = {"": ()}
        self._source: str | None = None

    def read(self, row: int, cells: Sequence[str]) -> None:
        self.seen += 1
        kept: list[str] = []
        for column, cell in zip(COLUMNS, cells, strict=True):
            good = self._good[column].get(cell)
            if good is None:
                fault = judge_cell(column, cell)
                if fault is not None:
                    self.problems.add(row, column, fault)
                    continue
                good = cell
                if column not in _MOSTLY_UNIQUE:
                    self._good[column][cell] = cell
            kept.append(good)
        if len(kept) == len(COLUMNS):
            self._keep(row, kept)

    def _keep(self, row: int, kept: list[str]) -> None:
        source, session, place, subject, purpose, processor, site, room, starts, ends, agents, status, course = kept
        if self._source is None:
            self._source = source
        elif source != self._source:
            self.problems.add(row, "source", _SOURCE)
        if self.problems.found_any():
            return
        if agents not in self._agents:
            self._agents[agents] = tuple(sorted(agents.split(" ")))
        self.rows.append(
            WrittenPlace(
                row=row,
                source=source,
                session_ref=session,
                place_ref=place,
                subject_ref=subject,
                purpose=purpose,
                processor=processor,
                site=site,
                room=room,
                starts_at=starts,
                ends_at=ends,
                agents=self._agents[agents],
                status=PlaceStatus.PLANNED if status == "planned" else PlaceStatus.CANCELLED,
                course_ref=course,
            ),
        )


def judge_cell(column: str, cell: str) -> Fault | None:
    """Say what is wrong with the text of one cell, or nothing."""
    if not cell:
        return None if column in _MAY_BE_EMPTY else _EMPTY
    if column != "agents" and len(cell) > CELL_CHARACTERS_MAX:
        return _TOO_LONG
    if not cell.isprintable():
        return _CHARACTERS
    if cell[0] == " " or cell[-1] == " ":
        return _SPACES
    fault, is_fine = _RULES[column]
    return None if is_fine(cell) else fault


def _is_agents(cell: str) -> bool:
    agents = cell.split(" ", AGENTS_MAX)
    return len(agents) <= AGENTS_MAX and len(set(agents)) == len(agents) and all(is_id(agent, "agt") for agent in agents)


def _is_time(cell: str) -> bool:
    return _TIME.fullmatch(cell) is not None


def _is_no_formula(cell: str) -> bool:
    return cell[0] not in _FORMULA


_RULES: Final[dict[str, tuple[Fault, Callable[[str], bool]]]] = {
    **dict.fromkeys(("source", "session_ref", "place_ref", "subject_ref", "room", "course_ref"), (_FORMULA_CELL, _is_no_formula)),
    **dict.fromkeys(("purpose", "processor", "site"), (_NAME, is_name)),
    **dict.fromkeys(("starts_at", "ends_at"), (_TIME_SHAPE, _is_time)),
    "agents": (_AGENTS, _is_agents),
    "status": (_STATUS, {status.value for status in PlaceStatus}.__contains__),
}


def _read_csv(text: str, reader: _RowReader) -> ScheduleFindings | None:
    """Feed all lines to the reader; return findings where reading had to stop."""
    first = text[: min((at for at in (text.find("\n"), text.find("\r")) if at >= 0), default=len(text))]
    if ("," in first) == (";" in first):
        return refuse_file(1, None, _HEADER)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",", strict=True)
    row = 1
    try:
        header = next(lines)
        _check_header(header, reader.problems)
        if reader.problems.found_any():
            return None
        order = [header.index(column) if column in header else len(header) for column in COLUMNS]
        row = lines.line_num + 1
        for cells in lines:
            if len(cells) == len(header):
                cells.append("")
                reader.read(row, [cells[at] for at in order])
            elif cells:
                reader.problems.add(row, None, _CELL_COUNT)
            if reader.seen > ROWS_MAX:
                reader.problems.add(row, None, _TOO_MANY_ROWS)
                return None
            row = lines.line_num + 1
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


def _read_json(text: str, reader: _RowReader) -> ScheduleFindings | None:
    """Feed all rows to the reader; return findings where reading had to stop."""
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return refuse_file(error.lineno, None, _JSON)
    except (ValueError, RecursionError):
        return refuse_file(1, None, _JSON)
    if not isinstance(document, dict) or document.keys() != {"rows"} or not isinstance(document["rows"], list):
        return refuse_file(1, None, _JSON_SHAPE)
    if len(document["rows"]) > ROWS_MAX:
        return refuse_file(ROWS_MAX + 1, None, _TOO_MANY_ROWS)
    for row, members in enumerate(document["rows"], 1):
        if isinstance(members, dict):
            _read_members(row, members, reader)
        else:
            reader.problems.add(row, None, _ROW_SHAPE)
    return None


def _read_members(row: int, members: dict[str, Any], reader: _RowReader) -> None:
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
