"""The parsers of the controller's files and of requests: TOML, key files, schedules, bodies, forms."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from ecluse import settings
from ecluse.contracts import ContractInvalid, parse_contract
from ecluse.disclosure import FingerprintKey
from ecluse.errors import ConfigurationError
from ecluse.register import (
    RegisterMapInvalid,
    parse_register,
)
from ecluse.schedule.findings import ScheduleFindings
from ecluse.schedule.model import COLUMNS, Kind, ScheduleFile
from ecluse.schedule.parse import parse_schedule
from ecluse.web.disclose import _read as read_disclosure
from ecluse.web.keyfiles import read_fingerprint_keys
from ecluse.web.oauth import _form as read_form
from ecluse.web.problems import HttpProblem
from ecluse.web.processor_api import _cursor as read_cursor
from tests.fuzz.parser import NotRead, Parser, text
from tests.invented import contract_text, register_toml

ATTRIBUTES: Final = {name: each.type for name, each in parse_register(register_toml()).attributes.items()}


# ── files of the controller ──────────────────────────────────────────────────────────────────────────────────────────────────
_SETTINGS: Final = """\
public_url = "https://gate.example"
host = "127.0.0.1"
port = 8080
[controller]
name = "Agency"
timezone = "Europe/Paris"
[database]
url = "postgresql://db.example:5432/ecluse"
pool = 5
[door]
batch = 64
"""


def in_folder(name: str, read: Callable[[Path], Any], data: bytes) -> Any:
    """Read a file of an installation's folder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o600)
        return read(Path(folder))


def _settings(folder: Path) -> settings.Installation:
    return settings.load(folder, {"port": 8081, "controller.name": None}, {"ECLUSE_DATABASE_URL": "postgresql://other.example/x"})


def _keys(folder: Path) -> dict[int, FingerprintKey]:
    return read_fingerprint_keys(settings.Installation(folder=folder, settings=settings.Settings()))


def _write_keys(keys: dict[int, FingerprintKey]) -> bytes:
    return "\n".join(f"{version}:{key.secret.hex()}" for version, key in keys.items()).encode()


def _blank_ends(data: bytes) -> bytes:
    """Leave out the blanks around a file, which mean nothing."""
    return text(data).strip().encode()


_TOML_WORDS: Final = (
    b"[[",
    b"]]",
    b'"""',
    b"'''",
    b" = ",
    b"#",
    b"2026-02-30",
    b"inf",
    b"0x1F",
    b"07:30:00",
    b'"Europe"',
    b'"http://["',
    b"[a.b]",
    b"={}",
    b"\r",
)


def files() -> dict[str, Parser]:
    """Name the parsers of what the controller writes."""
    return {
        "contract.toml": Parser(
            read=lambda data: parse_contract(text(data), ATTRIBUTES), errors=(ContractInvalid, NotRead), words=_TOML_WORDS,
            seeds=(contract_text("lyon", sheet={"family_name": "initial"}).encode(),),
        ),
        "register.toml": Parser(
            read=lambda data: parse_register(text(data)), errors=(RegisterMapInvalid, NotRead), seeds=(register_toml().encode(),), words=_TOML_WORDS
        ),
        "ecluse.toml": Parser(
            read=partial(in_folder, "ecluse.toml", _settings), errors=(ConfigurationError,), seeds=(_SETTINGS.encode(),), words=_TOML_WORDS
        ),
        "fingerprint.key": Parser(
            read=partial(in_folder, "keys/fingerprint.key", _keys), errors=(ConfigurationError,), write=_write_keys, one_spelling_of=_blank_ends,
            seeds=(b"1:" + b"0a" * 32 + b"\n", b"1:" + b"0a" * 32 + b"\n2:" + b"ff" * 32 + b"\n"), words=(b"1:", b"2:", b"0a", b"0A"),
        ),
    }  # fmt: skip


ROWS: Final = [
    ["plan", "S1", "P1", "ofii:1", "civic-training", "lyon", "lyon-3", "A", "2026-01-05T09:00", "2026-01-05T17:00", "", "planned", ""],
    ["plan", "S1", "P2", "ofii:2", "civic-training", "lyon", "lyon-3", "A", "2026-01-05T09:00", "2026-01-05T17:00",
     "agt_" + "a" * 26 + " agt_" + "b" * 25 + "a", "cancelled", 'course, "one"'],
]  # fmt: skip


def write_csv(rows: Sequence[Sequence[str]]) -> bytes:
    """Write a schedule, every cell quoted."""
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    return "\n".join([",".join(COLUMNS), *quoted]).encode()


def write_json(rows: Sequence[Sequence[str]]) -> bytes:
    """Write a schedule as JSON."""
    members = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    return json.dumps(
        {"rows": [{**row, "agents": row["agents"].split(" ") if row["agents"] else []} for row in members]}
    ).encode()


def read_schedule(kind: Kind, data: bytes) -> ScheduleFile:
    """Read a schedule, or refuse."""
    read = parse_schedule(data, kind)
    if isinstance(read, ScheduleFindings):
        assert read.problems
        raise NotRead
    return read


def cells_of(file: ScheduleFile) -> list[list[str]]:
    """Return the rows of a schedule as they would be written."""
    return [
        [
            " ".join(value) if isinstance(value, tuple) else str(getattr(value, "value", value))
            for value in (getattr(row, name) for name in COLUMNS)
        ]
        for row in file.rows
    ]


def schedules() -> dict[str, Parser]:
    """Name the parsers of a schedule, which answer with a report."""
    words = (
        *(name.encode() for name in COLUMNS),
        b'"rows"',
        b'""',
        b"=1+1",
        b"planned",
        b"2026-02-30T09:00",
        b"agt_",
        b"\x1f\x8b",
        b"PK\x03\x04",
    )
    return {
        "schedule csv": Parser(
            read=partial(read_schedule, Kind.CSV), errors=(NotRead,), seeds=(write_csv(ROWS), write_csv(ROWS[:1])), words=words
        ),
        "schedule json": Parser(
            read=partial(read_schedule, Kind.JSON), errors=(NotRead,), seeds=(write_json(ROWS), write_json(ROWS[:1])), words=words
        ),
    }


# ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
BODY: Final = {"appointment": "apt_" + "a" * 26, "agent": "agt_" + "a" * 26, "attributes": ["family_name", "email"]}


def requests() -> dict[str, Parser]:
    """Name the parsers of what a processor sends."""
    return {
        "disclosure body": Parser(
            read=read_disclosure, errors=(HttpProblem,), seeds=(json.dumps(BODY).encode(),), words=(b'"agent":', b'"attributes":[', b"]", b",")
        ),
        "token form": Parser(
            read=read_form, errors=(HttpProblem,), seeds=(b"grant_type=client_credentials&client_assertion=a.b.c&client_assertion_type=urn%3Aietf",),
            words=(b"&", b"%", b"%ff", b"%00", b"grant_type=client_credentials", b"="),
        ),
        "cursor": Parser(
            read=lambda data: (data == b"0", read_cursor(text(data))), errors=(HttpProblem, NotRead), seeds=(b"0", b"12-3"),
            write=lambda read: b"0" if read[0] else b"%d-%d" % read[1], words=(b"-", b"00"),
        ),
    }  # fmt: skip
