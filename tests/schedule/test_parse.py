"""Reading schedule files: what is refused and where, what is read, and that no value comes back."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import AGENT, OTHER_AGENT, ROW, csv_file, row

from ecluse.schedule.findings import REPORTED_MAX, ScheduleFindings
from ecluse.schedule.model import Kind, PlaceStatus, ScheduleFile
from ecluse.schedule.parse import parse_schedule

pytestmark = pytest.mark.unit

JSON = "the text is not valid JSON from this line on, or a row is far too long"
SHAPE = 'the file is not an object with the one member "rows", a list'


def problems(data: bytes, kind: Kind = Kind.CSV) -> list[tuple[int, str | None, str]]:
    """Read a file that must be refused and return ``(row, column, why)``."""
    read = parse_schedule(data, kind)
    assert isinstance(read, ScheduleFindings), read
    return [(problem.row, problem.column, problem.why) for problem in read.problems]


def json_file(*rows: object) -> bytes:
    """Write rows as a JSON file."""
    return json.dumps({"rows": rows}).encode()


def members(**changes: object) -> dict[str, object]:
    """Return the lawful row as JSON members, some changed."""
    return {**ROW, "agents": [AGENT], **changes}


@pytest.mark.parametrize(
    ("column", "cell", "why"),
    [
        ("session_ref", "", "the cell is empty"),
        ("starts_at", "", "the cell is empty"),
        ("place_ref", "x" * 201, "the cell is longer than 200 characters"),
        ("subject_ref", "ofii:1\x00", "the cell holds a control, invisible or invalid character"),
        ("subject_ref", "ofii:1\n2", "the cell holds a control, invisible or invalid character"),
        ("place_ref", "P\u202e1", "the cell holds a control, invisible or invalid character"),
        ("place_ref", "P\u200b1", "the cell holds a control, invisible or invalid character"),
        ("room", " A", "the cell begins or ends with a space"),
        ("room", "A ", "the cell begins or ends with a space"),
        ("subject_ref", "=1+1", "the cell begins like a formula"),
        ("session_ref", "+S1", "the cell begins like a formula"),
        ("place_ref", "-P1", "the cell begins like a formula"),
        ("course_ref", "@c", "the cell begins like a formula"),
        ("source", "\uff1d1", "the cell begins like a formula"),
        ("processor", "Lyon", "this is not a name"),
        ("purpose", "x y", "this is not a name"),
        ("site", "1st", "this is not a name"),
        ("status", "Planned", "the status is not known"),
        ("starts_at", "2026-01-05 09:00", "this is not a time"),
        ("starts_at", "2026-01-05", "this is not a time"),
        ("starts_at", "2026-01-05T24:00", "this is not a time"),
        ("starts_at", "2026-01-05T09:00Z", "this is not a time"),
        ("ends_at", "2026-01-05T09:00:00+0100", "this is not a time"),
        ("ends_at", "٢٠٢٦-01-05T09:00", "this is not a time"),
        ("agents", "agt_short", "this is not a list of agents"),
        ("agents", f"{AGENT}  {OTHER_AGENT}", "this is not a list of agents"),
        ("agents", f"{AGENT} {AGENT}", "this is not a list of agents"),
    ],
)
def test_a_bad_cell_is_refused_with_its_row_and_column(column: str, cell: str, why: str) -> None:
    """Each kind of bad cell is named by row and column, in CSV and in JSON alike."""
    assert problems(
        csv_file([row(), row(place_ref="P2", **{column: cell}) if column != "place_ref" else row(place_ref=cell)])
    ) == [(3, column, why)]
    value = cell.split(" ") if column == "agents" else cell
    expected = "the value is not a text" if column == "agents" and "  " in cell else why
    assert problems(json_file(members(), members(**{column: value})), Kind.JSON) == [(2, column, expected)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", (1, None, "the first line is not a header with one delimiter")),
        (b"source\n", (1, None, "the first line is not a header with one delimiter")),
        (b"a,b;c\n", (1, None, "the first line is not a header with one delimiter")),
        (csv_file([]), (1, None, "the file has no rows")),
        (csv_file([row()])[:-1] + b'"', (3, None, "the line is not valid CSV, or a cell is far too long")),
        (
            csv_file([row(), row(place_ref="P2")]).replace(b"P2", b'"P2'),
            (3, None, "the line is not valid CSV, or a cell is far too long"),
        ),
        (csv_file([row(room="x" * 10_000_000)]), (2, None, "the line is not valid CSV, or a cell is far too long")),
        (csv_file([row()]) + b"a,b\n", (3, None, "the row has more or fewer cells than the header")),
        (csv_file([row()]) + b"\xe9,\n", (3, None, "the bytes from here on are not UTF-8")),
        (b"\xef\xbb\xbf" + csv_file([row()]) + b"\xe9,\n", (3, None, "the bytes from here on are not UTF-8")),
        (csv_file([row()]).decode().encode("utf-16"), (1, None, "the file is UTF-16 or UTF-32, not UTF-8")),
        (csv_file([row(), row(source="b", place_ref="P2")]), (3, "source", "the file carries another source as well")),
        (csv_file([row()]).replace(b"room", b"Room"), (1, "column 8", "the column is not known")),
        (csv_file([row()]).replace(b"room", b"site"), (1, "site", "the column is there twice")),
        (csv_file([row()]).replace(b"room", b"course_ref"), (1, "room", "the column is missing")),
    ],
)
def test_a_malformed_csv_is_refused_with_its_line(data: bytes, expected: tuple[int, str | None, str]) -> None:
    """A file that can't be read as the documented CSV says in which line."""
    assert expected in problems(data)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (1, None, SHAPE)),
        ('{"rows":\n[}', (2, None, JSON)),
        ('{"rows":[NaN]}', (1, None, JSON)),
        ("[" * 200_000, (1, None, SHAPE)),
        ('{"rows":[' + "[" * 200_000, (1, None, JSON)),
        ('{"rows":[' + "[]," * 20_000 + "[]]}", (1, None, "the row is not an object with each member once")),
        ('{"rows":[[' + "[]," * 20_000 + "[]]]}", (1, None, JSON)),
        ('{"rows":[1', (1, None, JSON)),
        ('{"rows":[\n{"site":"aa"},\n]}', (1, "room", "the column is missing")),
        ('{"rows":[' + "9" * 5000 + "]}", (1, None, JSON)),
        ("[]", (1, None, 'the file is not an object with the one member "rows", a list')),
        ('{"rows":[],"mode":"delta"}', (1, None, 'the file is not an object with the one member "rows", a list')),
        ('{"rows":[],"rows":[]}', (1, None, 'the file is not an object with the one member "rows", a list')),
        ('{"rows":[]}', (1, None, "the file has no rows")),
        ('{"rows":[1]}', (1, None, "the row is not an object with each member once")),
        ('{"rows":[{"site":"a","site":"a"}]}', (1, None, "the row is not an object with each member once")),
        ('{"rows":[{"site":"aa"}]}', (1, "room", "the column is missing")),
    ],
)
def test_a_malformed_json_is_refused(text: str, expected: tuple[int, str | None, str]) -> None:
    """A file that can't be read as the documented JSON says where."""
    assert expected in problems(text.encode(), Kind.JSON)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"extra": "x"}, (1, None, "the row has a member that is not known")),
        ({"room": 4}, (1, "room", "the value is not a text")),
        ({"room": None}, (1, "room", "the value is not a text")),
        ({"agents": AGENT}, (1, "agents", "the value is not a text")),
        ({"agents": [f"{AGENT} {OTHER_AGENT}"]}, (1, "agents", "the value is not a text")),
        ({"agents": [""]}, (1, "agents", "the value is not a text")),
        ({"place_ref": "\ud800"}, (1, "place_ref", "the cell holds a control, invisible or invalid character")),
    ],
)
def test_a_wrong_json_member_is_refused(changes: dict[str, object], expected: tuple[int, str | None, str]) -> None:
    """Members are the documented texts, and agents a list of texts."""
    assert problems(json_file(members(**changes)), Kind.JSON) == [expected]


def test_a_long_report_is_cut_and_says_so() -> None:
    """More problems than are listed are counted."""
    read = parse_schedule(csv_file([row(status="x")] * (REPORTED_MAX + 5)), Kind.CSV)
    assert isinstance(read, ScheduleFindings)
    assert (len(read.problems), read.total, read.truncated) == (REPORTED_MAX, REPORTED_MAX + 5, True)


def test_no_value_of_a_file_without_header_comes_back() -> None:
    """The first line of a file without header may be a person's data: its columns are named by position."""
    lines = csv_file([row(subject_ref="ofii:secret-key")]).split(b"\r\n")
    read = parse_schedule(lines[1] + b"\r\n", Kind.CSV)
    assert isinstance(read, ScheduleFindings)
    assert "secret" not in repr(read)


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_csv_is_read_with_either_delimiter_and_a_mark(delimiter: str) -> None:
    """Both delimiters, a byte order mark, quotes and either line end are read."""
    data = b"\xef\xbb\xbf" + csv_file([row(room='1, "b"; 2', agents=f"{OTHER_AGENT} {AGENT}")], delimiter) + b"\n\n"
    for text in (data, data.replace(b"\r\n", b"\n")):
        read = parse_schedule(text, Kind.CSV)
        assert isinstance(read, ScheduleFile)
        assert (read.source, read.rows[0].row, read.rows[0].room) == ("plan", 2, '1, "b"; 2')
        assert read.rows[0].agents == (AGENT, OTHER_AGENT)
        assert (read.rows[0].status, read.rows[0].course_ref) == (PlaceStatus.PLANNED, "")


def test_columns_in_another_order_and_without_course_are_read() -> None:
    """The header decides the order; course_ref may be left out, agents may be empty."""
    cells = {**ROW, "agents": ""}
    names = sorted(cells, reverse=True)
    read = parse_schedule((",".join(names) + "\n" + ",".join(cells[name] for name in names)).encode(), Kind.CSV)
    assert isinstance(read, ScheduleFile)
    assert (read.rows[0].place_ref, read.rows[0].agents, read.rows[0].starts_at) == ("P1", (), "2026-01-05T09:00")


def test_json_and_csv_of_the_same_rows_read_the_same() -> None:
    """The kind of file changes nothing but the counting of rows."""
    by_json = parse_schedule(json_file(members(course_ref="c1")), Kind.JSON)
    by_csv = parse_schedule(csv_file([row(course_ref="c1")]), Kind.CSV)
    assert isinstance(by_json, ScheduleFile)
    assert isinstance(by_csv, ScheduleFile)
    assert {name: getattr(by_json.rows[0], name) for name in ROW} == {name: getattr(by_csv.rows[0], name) for name in ROW}


def test_the_digest_is_of_the_bytes() -> None:
    """The digest in the outcome is SHA-256 of the file as sent."""
    read = parse_schedule(b'{"rows":[' + json.dumps(members()).encode() + b"]}", Kind.JSON)
    assert isinstance(read, ScheduleFile)
    assert len(read.sha256) == 64
    assert read.sha256 != getattr(parse_schedule(json_file(members(room="B")), Kind.JSON), "sha256", None)


@given(st.binary(max_size=400), st.sampled_from(Kind))
def test_any_bytes_are_read_or_reported(data: bytes, kind: Kind) -> None:
    """No bytes raise."""
    assert isinstance(parse_schedule(data, kind), ScheduleFile | ScheduleFindings)


@given(st.dictionaries(st.sampled_from(sorted(ROW)), st.text(max_size=20), min_size=1))
def test_any_cell_text_is_kept_as_it_is_or_reported(changes: dict[str, str]) -> None:
    """A text is read exactly as written or refused in its own column; it is never repaired."""
    read = parse_schedule(
        json_file(members(**{name: text.split(" ") if name == "agents" else text for name, text in changes.items()})), Kind.JSON
    )
    if isinstance(read, ScheduleFindings):
        assert {problem.column for problem in read.problems} <= set(changes)
    else:
        assert all(getattr(read.rows[0], name) == text for name, text in changes.items() if name != "agents")


@pytest.mark.parametrize("hostile", [b"source," * 400_000, b"\n" * 3_000_000, b'{"rows":[' + b"{}," * 100_000 + b"{}]}"])
def test_hostile_files_are_answered_without_delay(hostile: bytes) -> None:
    """Absurd files cost time in proportion to their size."""
    began = time.perf_counter()
    for kind in Kind:
        assert isinstance(parse_schedule(hostile, kind), ScheduleFindings)
    assert time.perf_counter() - began < 20
