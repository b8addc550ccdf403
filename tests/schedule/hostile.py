"""Hostile schedule files, made by code: each is lawful but for one thing, and each must be refused at the place that is said here.

The world they meet: source ``plan`` with session S1 (persons 1 and 2) ahead and session OLD (person 1) that is over, both of
``lyon-formation``; a contract with three places a session, two rooms and four sessions a day at ``lyon-3``.
"""

# ruff: noqa: E501 - tables: each file, and its place in the report, in one line
from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from plans import csv_file

MARK: Final = "Zebulon"
"""Stands in a cell of every file; no report may hold it."""
OLD_DAY: Final = (datetime.now(UTC) - timedelta(days=3)).date()
DAY: Final = (datetime.now(UTC) + timedelta(days=40)).replace(day=12).date()
Row = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """One file, and a problem that its report must name."""

    name: str
    data: bytes
    row: int
    column: str | None
    kind: str = "csv"


@dataclass(frozen=True, kw_only=True)
class Forge:
    """Makes the files for one world; ``agent`` is of ``lyon-formation``, ``foreign`` of ``nice-langues``."""

    agent: str
    foreign: str

    def row(self, **changes: object) -> Row:
        """Return a lawful row for a new session, some cells changed."""
        return {
            "source": "plan", "session_ref": "N1", "place_ref": MARK, "subject_ref": "ofii:50", "purpose": "civic-training",
            "processor": "lyon-formation", "site": "lyon-3", "room": "N", "starts_at": f"{DAY}T09:00", "ends_at": f"{DAY}T17:00",
            "agents": self.agent, "status": "planned", **changes,
        }  # fmt: skip

    def kept(self, n: int = 1, **changes: object) -> Row:
        """Return a row as it stands in session S1."""
        return self.row(**{"session_ref": "S1", "place_ref": f"P{n}", "subject_ref": f"ofii:{n}", "room": "A"} | changes)

    def good(self) -> Row:
        """Return a lawful row that stands before the bad one."""
        return self.row(
            session_ref=f"G-{MARK}",
            subject_ref="ofii:51",
            room="G",
            agents="",
            starts_at=f"{DAY + timedelta(1)}T09:00",
            ends_at=f"{DAY + timedelta(1)}T10:00",
        )

    def csv(self, *rows: Mapping[str, object]) -> bytes:
        """Write rows below a lawful one: the first of them is row 3."""
        return csv_file([self.good(), *rows])  # type: ignore[list-item]

    def json(self, *rows: Mapping[str, object]) -> bytes:
        """Write rows behind a lawful one: the first of them is row 2."""
        spread = [
            {**one, "agents": one["agents"].split() if isinstance(one["agents"], str) else one["agents"]}
            for one in (self.good(), *rows)
        ]
        return json.dumps({"rows": spread}).encode()

    def files(self) -> Iterator[Hostile]:
        """Make all of them."""
        for part in (_cells, _encodings, _headers, _lines, _times, _identities, _bounds, _documents, _values, _packed):
            yield from part(self)


def _bad_cell(forge: Forge, column: str, cell: str, name: str) -> Hostile:
    return Hostile(name=f"{name} in {column}", data=forge.csv(forge.row(**{column: cell})), row=3, column=column)


def _cells(forge: Forge) -> Iterator[Hostile]:
    """Formulas, invisible characters, homoglyphs and wrong words."""
    for column in ("session_ref", "place_ref", "subject_ref", "room"):
        for sign in "=+-@\uff1d\uff0b\uff0d\uff20":
            yield _bad_cell(forge, column, f"{sign}HYPERLINK(1)", f"formula {sign!a}")
    for code in (
        0x00,
        0x01,
        0x07,
        0x08,
        0x0B,
        0x0C,
        0x1B,
        0x7F,
        0x85,
        0xA0,
        0xAD,
        0x200B,
        0x2028,
        0x2029,
        0x202E,
        0x2066,
        0xFEFF,
        0xE000,
        0xFFFF,
        0xE0041,
    ):
        yield _bad_cell(forge, "place_ref", f"P{chr(code)}1", f"U+{code:04X}")
    for column, cell in (
        ("processor", "lyon-form\u0430tion"), ("processor", "LYON-FORMATION"), ("processor", "lyon\u2010formation"), ("processor", "../lyon-formation"),
        ("purpose", "civic-training'; drop table ecluse.session"), ("purpose", "c\u0456vic-training"), ("site", "lyon-\uff13"), ("site", "lyon-3,lyon-8"),
        ("status", "Planned"), ("status", "pl\u0430nned"), ("status", "true"), ("agents", "agt_" + "a" * 25 + "b"), ("agents", "agt_" + "\uff41" * 26),
        ("agents", f"{forge.agent} {forge.agent}"), ("agents", forge.agent.upper()), ("agents", forge.agent.replace("_", "\uff3f")),
        ("agents", " ".join("agt_" + c + "a" * 25 for c in "abcdefghijklmnopqrstu")),
        ("subject_ref", "autre:1"), ("subject_ref", "50"), ("subject_ref", "ofii\uff1a50"), ("subject_ref", "ofii:"), ("room", ""), ("room", "A "),
        ("room", "\u00e9" * 201), ("source", "plan\u0000"),
    ):  # fmt: skip
        yield _bad_cell(forge, column, cell, ascii(cell)[:40])
    yield _bad_cell(forge, "agents", forge.foreign, "another processor's agent")
    yield Hostile(
        name="a processor without contract",
        data=forge.csv(forge.row(processor="nobody-at-all", agents="", starts_at=f"{DAY}T09:00:00Z", ends_at=f"{DAY}T10:00:00Z")),
        row=3,
        column="processor",
    )
    yield _bad_cell(forge, "purpose", "language-course", "a purpose that is not contracted")
    yield Hostile(
        name="a site that is not contracted",
        data=forge.csv(forge.row(site="nice-1", starts_at=f"{DAY}T09:00:00Z", ends_at=f"{DAY}T10:00:00Z")),
        row=3,
        column="site",
    )


def _encodings(forge: Forge) -> Iterator[Hostile]:
    """Texts that are not UTF-8, or not only once."""
    text = forge.csv(forge.row()).decode()
    for name in ("utf-16", "utf-16-be", "utf-32", "cp500"):
        row, column = (1, "column 1") if name == "utf-16-be" else (1, None)
        yield Hostile(name=name, data=text.encode(name), row=row, column=column)
    whole = text.encode()
    for name, raw in {
        "latin-1": b"P\xe9", "cp1252": b"P\x92", "overlong slash": b"P\xc0\xaf", "overlong nul": b"P\xc0\x80", "overlong of three": b"P\xe0\x80\xaf",
        "a surrogate": b"P\xed\xa0\x80", "beyond Unicode": b"P\xf5\x80\x80\x80", "a lone continuation": b"P\x80", "a cut character": b"P\xe2\x82",
    }.items():  # fmt: skip
        yield Hostile(name=name, data=forge.csv(forge.row(place_ref="RAW")).replace(b"RAW", raw), row=3, column=None)
    yield Hostile(name="a file cut within a character", data=whole.rstrip() + b"\xe2\x82", row=3, column=None)
    yield Hostile(name="two marks", data=b"\xef\xbb\xbf" * 2 + whole, row=1, column="column 1")
    yield Hostile(name="nothing but nuls", data=b"\x00" * 1_000_000, row=1, column=None)


def _headers(forge: Forge) -> Iterator[Hostile]:
    """First lines that are no header of ours."""
    whole = forge.csv(forge.row())
    head, _, rest = whole.partition(b"\r\n")
    for name, first, column in (
        ("a column twice", head.replace(b"room", b"site"), "site"), ("the optional column twice", head.replace(b"status", b"course_ref"), "status"),
        ("a column in capitals", head.replace(b"room", b"ROOM"), "column 8"), ("a column with a space", head.replace(b"room", b" room"), "column 8"),
        ("a homoglyph of a column", head.replace(b"room", "r\u043eom".encode()), "column 8"), ("a column too many", head + b",secret", "column 14"),
        ("no header", whole.split(b"\r\n")[1], "column 1"), ("forty thousand columns", b"source," * 40_000, "source"), ("tabs", head.replace(b",", b"\t"), None),
        ("both delimiters", head.replace(b",", b";", 1), None), ("an open quote", b'"' + head, None), ("nothing", b"", None),
        ("a column less", head.replace(b"agents,", b""), "agents"),
    ):  # fmt: skip
        yield Hostile(name=f"header: {name}", data=first + b"\r\n" + rest, row=1, column=column)


def _lines(forge: Forge) -> Iterator[Hostile]:
    """Lines that are no rows."""
    whole = forge.csv(forge.row())
    for name, tail in (
        ("fewer cells", b"plan,N1"), ("more cells", b"," * 30), ("a line of separators", b"," * 30_000), ("a line without end", b"," * 40_000),
        ("an open quote", b'"plan,N1'), ("letters behind a quote", b'"plan"x,N1'), ("a giant cell", b"plan," + b"x" * 3_000_000),
        ("a giant quoted cell", b'plan,"' + b"x\n" * 1_000_000 + b'"'), ("another kind of line end within", b"plan,N1\rP1,ofii:1"),
        ("a JSON document", b'{"rows":[]}'), ("a page", b"<html><script>alert(1)</script>"),
    ):  # fmt: skip
        yield Hostile(name=f"line: {name}", data=whole + tail, row=4, column=None)
    for name, cell in (
        ("a line end", "P\n1"),
        ("a carriage return", "P\r1"),
        ("a quoted tab", "P\t1"),
        ("a quote and a formula", '"=1+1'),
    ):
        column = "place_ref" if not cell.startswith('"') else None
        data = (
            forge.csv(forge.row(place_ref=cell))
            if column
            else forge.csv(forge.row(place_ref="QUOTED")).replace(b"QUOTED", b'"=1+1"')
        )
        yield Hostile(name=f"cell with {name}", data=data, row=3, column="place_ref")
    yield Hostile(name="two million empty lines", data=whole + b"\n" * 2_000_001, row=2_000_002, column=None)
    yield Hostile(name="no rows", data=whole.partition(b"\r\n")[0], row=1, column=None)


def _sunday(month: int) -> date:
    """Return the next last Sunday of a month, when the clocks of the European Union change."""
    today = datetime.now(UTC).date()
    for year in (today.year, today.year + 1):
        last = date(year, month, 31)
        found = last - timedelta(days=(last.weekday() + 1) % 7)
        if found > today:
            break
    return found


def _times(forge: Forge) -> Iterator[Hostile]:
    """Times that are none, or not one, or not allowed."""
    far, past = DAY + timedelta(days=420), OLD_DAY - timedelta(days=1)
    for text in (
        f"{DAY.year}-13-01T09:00", f"{DAY.year}-02-30T09:00", f"{DAY.year}-00-10T09:00", f"{DAY}T24:00", f"{DAY}T25:00", f"{DAY}T09:60", f"{DAY}T09:00:60",
        "0000-01-01T09:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T09:00:00Z", "10000-01-01T09:00", f"{DAY} 09:00", str(DAY), "1767600000",
        f"{DAY.year}-W02-1T09:00", f"{DAY}T09:00:00+25:00", f"{DAY}T09:00+01", f"{DAY}t09:00", f"{DAY}T09:00:00z", f"{DAY}T09:00:00.1234567Z", f"{DAY}T９:00", "٢٠٢٦-01-05T09:00",
        f"{DAY}T09:00:00 Z", "P1D", "now", f"-{DAY}T09:00", f"{_sunday(3)}T02:30", f"{_sunday(10)}T02:30",
    ):  # fmt: skip
        column = "starts_at"
        yield Hostile(name=f"time {text!a}", data=forge.csv(forge.row(starts_at=text)), row=3, column=column)
    for name, changes, column in (
        ("backwards", {"ends_at": f"{DAY}T08:00"}, "ends_at"), ("no time at all", {"ends_at": f"{DAY}T09:00"}, "ends_at"),
        ("two days long", {"ends_at": f"{DAY + timedelta(2)}T08:00"}, "ends_at"), ("years ahead", {"starts_at": f"{far}T09:00", "ends_at": f"{far}T10:00"}, "starts_at"),
        ("long over", {"starts_at": f"{past}T09:00", "ends_at": f"{past}T10:00"}, "ends_at"), ("in the year 1", {"starts_at": "0001-01-02T09:00:00Z", "ends_at": "0001-01-02T10:00:00Z"}, "ends_at"),
    ):  # fmt: skip
        yield Hostile(name=f"session {name}", data=forge.csv(forge.row(**changes)), row=3, column=column)


def _identities(forge: Forge) -> Iterator[Hostile]:
    """Places and sessions that are not the ones that they say."""
    twin = forge.row(place_ref="second", subject_ref="ofii:52")
    old = forge.row(
        session_ref="OLD",
        place_ref="P1",
        subject_ref="ofii:1",
        room="O",
        starts_at=f"{OLD_DAY}T09:00",
        ends_at=f"{OLD_DAY}T10:00",
    )
    for name, rows, row, column in (
        ("a place twice", [forge.row(), forge.row()], 4, "place_ref"), ("a place planned and cancelled", [forge.row(), forge.row(status="cancelled")], 4, "place_ref"),
        ("a person twice", [forge.row(), forge.row(place_ref="second")], 4, "subject_ref"), ("a person there already", [forge.kept(3, subject_ref="ofii:1")], 3, "subject_ref"),
        ("another person in a place", [forge.kept(1, subject_ref="ofii:60")], 3, "subject_ref"), ("another person in a cancellation", [forge.kept(1, subject_ref="ofii:60", status="cancelled")], 3, "subject_ref"),
        ("another course", [forge.kept(1, course_ref="c9")], 3, "course_ref"), ("another source", [forge.row(source="other")], 3, "source"),
        ("two rooms", [forge.row(), {**twin, "room": "M"}], 4, "room"), ("two processors", [forge.row(), {**twin, "processor": "nice-langues"}], 4, "processor"),
        ("two times", [forge.row(), {**twin, "ends_at": f"{DAY}T16:00"}], 4, "ends_at"), ("two rosters", [forge.row(), {**twin, "agents": ""}], 4, "agents"),
        ("two sites", [forge.row(), {**twin, "site": "lyon-8", "starts_at": f"{DAY}T09:00:00Z", "ends_at": f"{DAY}T17:00:00Z"}], 4, "site"),
        ("one of two handed over", [forge.kept(1, processor="nice-langues", agents=forge.foreign)], 3, "processor"),
        ("nobody handed over", [forge.kept(n, processor="nice-langues", agents="", status="cancelled") for n in (1, 2)], 3, "processor"),
        ("handed over with the old trainer", [forge.kept(n, processor="nice-langues") for n in (1, 2)], 3, "agents"),
        ("the past moved ahead", [{**old, "starts_at": f"{DAY}T09:00", "ends_at": f"{DAY}T10:00"}], 3, "session_ref"), ("one more in the past", [{**old, "place_ref": "P9", "subject_ref": "ofii:61"}], 3, "session_ref"),
        ("the past cancelled", [{**old, "status": "cancelled"}], 3, "session_ref"), ("the past handed over", [{**old, "processor": "nice-langues", "agents": ""}], 3, "session_ref"),
        ("the past with another trainer", [{**old, "agents": ""}], 3, "session_ref"),
    ):  # fmt: skip
        yield Hostile(name=name, data=forge.csv(*rows), row=row, column=column)


def _bounds(forge: Forge) -> Iterator[Hostile]:
    """Rows that each fit, and together do not."""

    def sessions(count: int, **changes: object) -> list[Row]:
        return [
            forge.row(session_ref=f"N{n}", place_ref=f"p{n}", subject_ref=f"ofii:{70 + n}", room=f"N{n}", agents="", **changes)
            for n in range(count)
        ]

    def hourly(count: int) -> list[Row]:
        return [
            {**one, "starts_at": f"{DAY + timedelta(3)}T{8 + n:02}:00", "ends_at": f"{DAY + timedelta(3)}T{9 + n:02}:00"}
            for n, one in enumerate(sessions(count))
        ]

    swap = [forge.kept(1, status="cancelled"), forge.kept(3), forge.kept(4), forge.kept(5)]
    for name, rows, row, column in (
        ("two that each fit", [forge.kept(3), forge.kept(4)], 4, "place_ref"), ("one out and three in", swap, 6, "place_ref"),
        ("four at once", [forge.row(place_ref=f"p{n}", subject_ref=f"ofii:{70 + n}") for n in range(4)], 6, "place_ref"),
        ("a third room", sessions(2), 3, "site"), ("a room under two names", [{**one, "room": "a"} for one in sessions(2)], 3, "site"), ("a fifth session of a day", hourly(5), 7, "starts_at"),
        ("a midnight that is the next day elsewhere", [*hourly(4), forge.row(starts_at=f"{DAY + timedelta(3)}T21:30:00Z", ends_at=f"{DAY + timedelta(3)}T21:40:00Z")], 7, "starts_at"),
    ):  # fmt: skip
        yield Hostile(name=name, data=forge.csv(*rows), row=row, column=column)


def _documents(forge: Forge) -> Iterator[Hostile]:
    """JSON that is none, or not ours."""
    whole = forge.json(forge.row()).decode()
    one = whole.partition("[")[2].rpartition("]")[0]
    for name, text, row in (
        ("a list", f"[{one}]", 1), ("rows in rows", '{"rows":{"rows":[' + one + "]}}", 1), ("a member beside", whole[:-1] + ',"mode":"snapshot"}', 2),
        ("a member before", '{"mode":"snapshot",' + whole[1:], 1), ("rows twice", whole[:-1] + "," + whole[1:], 2), ("rows with an escape", whole.replace('"rows"', '"\\u0072ows"', 1), 1),
        ("two documents", whole + whole, 2), ("lines of documents", "\n".join(one.split("}, {")), 1), ("a comment", "// plan\n" + whole, 1), ("a trailing comma", whole[:-2] + ",]}", 1),
        ("an open list", whole[:-2], 1), ("single quotes", whole.replace('"', "'"), 1), ("NaN", whole[:-2] + ",NaN]}", 1), ("minus infinity", whole[:-2] + ",-Infinity]}", 1),
        ("deep nesting", '{"rows":' + "[" * 1_000_000, 1), ("deep nesting in a row", whole[:-2] + ',{"room":' + '{"a":' * 200_000, 1), ("a giant number", whole[:-2] + "," + "9" * 20_000 + "]}", 1),
        ("a giant row", whole[:-2] + ',{"room":"' + "x" * 100_000 + '"}]}', 1), ("a line end in a text", whole.replace(MARK, MARK + "\n", 1), 1), ("a bad escape", whole.replace(MARK, MARK + "\\x41", 1), 1),
        ("a literal", "true", 1), ("nothing", "", 1), ("blanks", " " * 1_000_000, 1), ("no rows", '{"rows":[]}', 1), ("a mark within", '{"rows":[\ufeff' + one + "]}", 1),
    ):  # fmt: skip
        yield Hostile(name=f"JSON: {name}", data=text.encode(), row=row, column=None, kind="json")
    for name, value in (
        ("a list as row", "[]"), ("a text as row", '"x"'), ("a number as row", "1e400"), ("null as row", "null"), ("a member twice", '{"room":"A","room":"B"}'),
        ("the same member by escape", '{"room":"A","\\u0072oom":"B"}'), ("a list within", "[[[]]]"),
    ):  # fmt: skip
        yield Hostile(name=f"JSON: {name}", data=f"{whole[:-2]},{value}]}}".encode(), row=3, column=None, kind="json")
    yield Hostile(
        name="JSON: a hundred thousand lists",
        data=('{"rows":[' + "[]," * 100_000 + "[]]}").encode(),
        row=1,
        column=None,
        kind="json",
    )
    yield Hostile(name="JSON in UTF-16", data=whole.encode("utf-16"), row=1, column=None, kind="json")


def _values(forge: Forge) -> Iterator[Hostile]:
    """JSON rows with values that are no texts, or no lawful ones."""
    for column, value in (
        ("room", 4), ("room", None), ("room", True), ("room", ["A"]), ("room", {"a": 1}), ("room", float("1e308")), ("starts_at", 1767600000), ("agents", [[forge.agent]]),
        ("agents", [None]), ("agents", {"0": forge.agent}), ("agents", [""]), ("place_ref", "\ud800"), ("place_ref", "\udc00x"), ("place_ref", "P\u0000"), ("place_ref", ""), ("status", "PLANNED"),
        ("subject_ref", "=1"), ("agents", ["agt_x"]), ("agents", [forge.agent, forge.agent]), ("course_ref", None),
    ):  # fmt: skip
        yield Hostile(
            name=f"JSON: {value!a} as {column}", data=forge.json(forge.row(**{column: value})), row=2, column=column, kind="json"
        )
    for name in ("__proto__", "Room", "applied_at", "id", ""):
        yield Hostile(name=f"JSON: a member {name!r}", data=forge.json(forge.row(**{name: "x"})), row=2, column=None, kind="json")
    text = forge.json(forge.row()).replace(f'["{forge.agent}"]'.encode(), f'"{forge.agent}"'.encode())
    yield Hostile(name="JSON: agents as one text", data=text, row=2, column="agents", kind="json")
    less = forge.row()
    del less["processor"]
    yield Hostile(name="JSON: a member less", data=forge.json(less), row=2, column="processor", kind="json")


def _packed(forge: Forge) -> Iterator[Hostile]:
    """Archives and bombs: nothing is ever unpacked."""
    whole = forge.csv(forge.row())
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", whole)
    for name, data in (
        ("gzip", gzip.compress(whole)), ("a gzip bomb", gzip.compress(b"0" * 50_000_000)), ("a workbook", book.getvalue()), ("bzip2", bz2.compress(whole)), ("xz", lzma.compress(whole)),
        ("zstd", b"\x28\xb5\x2f\xfd" + b"\x00" * 20), ("an empty archive", b"PK\x05\x06" + b"\x00" * 18),
    ):  # fmt: skip
        for kind in ("csv", "json"):
            yield Hostile(name=f"{name} as {kind}", data=data, row=1, column=None, kind=kind)


def rows_without_end(count: int) -> Iterator[bytes]:
    """Yield a header and ``count`` lawful rows in pieces of ten thousand lines."""
    out = io.StringIO(newline="")
    csv.writer(out).writerow(
        (
            "source",
            "session_ref",
            "place_ref",
            "subject_ref",
            "purpose",
            "processor",
            "site",
            "room",
            "starts_at",
            "ends_at",
            "agents",
            "status",
        )
    )
    yield out.getvalue().encode()
    for first in range(0, count, 10_000):
        yield "".join(
            f"plan,S{n // 20},P{n},ofii:{n},civic-training,lyon-formation,lyon-3,A,{DAY}T09:00,{DAY}T17:00,,planned\n"
            for n in range(first, first + 10_000)
        ).encode()
