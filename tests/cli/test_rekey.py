"""``ecluse ledger rotate-key`` beside a gate that goes on serving: who pinned the old key follows until it is ended, and a crash at any step is made good."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ecluse.embedded import EmbeddedPostgres
from ecluse.install import new_log_key, write_secret
from ecluse.ledger.errors import NoteInvalid
from ecluse.ledger.notes import open_checkpoint, parse_vkey
from tests.agency import ORIGIN, Agency, founded
from tests.cli.offices import Office

pytestmark = pytest.mark.db


@pytest.fixture
def agency(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Agency]:
    """An agency whose key is changed, with one gate."""
    with founded(postgres, tmp_path / "ecluse-data") as built:
        yield built


def grow(agency: Agency) -> int:
    """Seal one more entry and wait until the gate publishes a checkpoint over it; return its size."""
    asyncio.run(agency.bind())
    size = asyncio.run(agency.size())
    return wait_for(agency, "select min(size) from ecluse.ledger_checkpoint where size >= $1 having count(*) > 0", size)


def wait_for(agency: Agency, statement: str, *values: object) -> int:
    """Wait until a statement has a row, and return its first value."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        rows = asyncio.run(agency.fetch(statement, *values))
        if rows:
            return int(rows[0][0])
        time.sleep(0.1)
    raise AssertionError(statement)


def note_of(agency: Agency) -> str:
    """Fetch the checkpoint as anybody does."""
    return httpx.get(f"{agency.public_url}/ledger/main/checkpoint").text


def opened(note: str, vkey: str) -> bool:
    """Tell whether who pinned a key, and nothing else, believes the note."""
    try:
        open_checkpoint(note, [parse_vkey(vkey)], ORIGIN)
    except NoteInvalid:
        return False
    return True


def test_rotate_when_it_is_done_step_by_step_then_nobody_is_left_behind(agency: Agency) -> None:
    """Refused too early; made (and killed), sealed, signed by both, ended (and killed), renamed: one gate serves through all of it."""
    office, keys = Office(agency.folder), agency.folder / "keys"
    # 0 nothing is ended before both keys have signed, and nothing is made by asking
    refused = office.run("ledger", "rotate-key", "--finish", "--yes")
    assert (refused.exit_code, refused.stderr) == (1, "keys: one key signs. Nothing is ended before both keys have signed.\n")
    assert office.json("ledger", "rotate-key", "--status")["state"] == "single"
    assert not (keys / "log.next.key").exists()
    alone = grow(agency)
    old = office.json("ledger", "rotate-key", "--status")["keys"][0]["vkey"]
    # 1 a crash after the file: the same key is taken up again
    write_secret(keys / "log.next.key", new_log_key())
    assert office.json("ledger", "rotate-key", "--status")["state"] == "made"
    made = (keys / "log.next.key").read_bytes()
    begun = office.json("ledger", "rotate-key")
    assert (keys / "log.next.key").read_bytes() == made
    assert begun["state"] in {"waiting", "both"}
    # 2 both sign: a verifier of either key goes on, and the old key's last head has the new one's signature
    (new,) = [key["vkey"] for key in begun["keys"] if key["vkey"] != old]
    assert begun["policy"] == [f"log {vkey} {agency.public_url}/ledger/main/" for vkey in (old, new)]
    assert office.run("ledger", "rotate-key").exit_code == 1
    grow(agency)
    assert [opened(note_of(agency), vkey) for vkey in (old, new)] == [True, True]
    (last_alone,) = asyncio.run(agency.fetch("select note from ecluse.ledger_checkpoint where size = $1", alone))
    assert [opened(last_alone["note"], vkey) for vkey in (old, new)] == [True, True]
    # 3 the old one is ended: asked about first; a crash before the file is renamed leaves a gate that signs
    assert office.run("ledger", "rotate-key", "--finish", stdin="n\n").exit_code == 1
    old_file = (keys / "log.key").read_bytes()
    assert office.json("ledger", "rotate-key", "--finish", "--yes")["state"] == "single"
    (keys / "log.next.key").write_bytes(made)
    (keys / "log.next.key").chmod(0o600)
    (keys / "log.key").write_bytes(old_file)
    assert office.json("ledger", "rotate-key", "--status")["state"] == "ended"
    grow(agency)
    assert [opened(note_of(agency), vkey) for vkey in (old, new)] == [False, True]
    # 4 the file
    assert office.json("ledger", "rotate-key", "--finish")["state"] == "single"
    assert ((keys / "log.key").read_bytes(), (keys / "log.next.key").exists()) == (made, False)
    agency.stop_gate(agency.gates[0])
    agency.start_gate()
    grow(agency)
    assert opened(note_of(agency), new)
    lines = Path(agency.folder / f"gate-{agency.gates[0].port}.log").read_text(encoding="utf-8")
    assert "ledger:integrate:refused" not in lines
    # 5 each step is in the log: whoever reads it learns which key followed which
    assert office.json("ledger", "fsck")["sound"] is True
    steps = [entry["detail"] for entry in asyncio.run(agency.openings()) if entry["event"] == "control:log:rekeyed"]
    assert [step["step"] for step in steps] == ["begin", "finish"]
    assert len({(step["old"], step["new"]) for step in steps}) == 1
    rows = asyncio.run(agency.fetch("select vkey, until_size from ecluse.ledger_key order by from_size"))
    assert [row["vkey"] for row in rows] == [old, new] == [steps[0]["old"], steps[0]["new"]]
    assert rows[1]["until_size"] is None
