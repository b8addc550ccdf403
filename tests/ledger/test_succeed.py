"""A log that was rolled back, and the one that takes its place: real gates, a real backup of the database, a real witness and a stranger's client."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ecluse.embedded import EmbeddedPostgres
from ecluse.ledger.errors import NoteInvalid
from ecluse.ledger.fields import Event
from ecluse.ledger.notes import open_checkpoint, parse_vkey
from ecluse.ledger.service import seal_control
from ecluse.witness.errors import WitnessError
from ecluse.witness.service import Witness, create
from tests.agency import ORIGIN, Agency, founded
from tests.cli.offices import Office
from tests.e2e.desk import Desk, at_work, code_of
from tests.e2e.outsider import check_receipt, is_included, read_checkpoint

pytestmark = pytest.mark.db

NEW_ORIGIN = f"{ORIGIN}-2"


@pytest.fixture
def agency(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Agency]:
    """An agency that loses a part of its ledger, with one gate."""
    with founded(postgres, tmp_path / "ecluse-data") as built:
        yield built


async def signed(agency: Agency, log_id: int = 1) -> str:
    """Wait until all that is sealed is signed, and return the checkpoint as the database has it."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        rows = await agency.fetch(
            "select c.note from ecluse.ledger_head h join ecluse.ledger_checkpoint c on c.log_id = h.log_id and c.size = h.size where h.log_id = $1",
            log_id,
        )
        if rows:
            note: str = rows[0]["note"]
            return note
        await asyncio.sleep(0.1)
    raise AssertionError("not signed in twenty seconds")


async def copy_database(agency: Agency, source: str, target: str) -> None:
    """Copy a database file by file, as a backup or a restore does, whoever is connected."""
    async with agency.without("ledger"), agency.administered("postgres") as keeper:
        await keeper.execute(f"drop database if exists {target} with (force)")
        await keeper.execute(f"create database {target} template {source}")
        await keeper.execute(f"alter database {target} allow_connections true")


async def proven(machine: Any, disclosure: str) -> httpx.Response:
    """Ask for a disclosure's proof until it is published, or there is none."""
    for _ in range(100):
        answer: httpx.Response = await machine.call("GET", f"/v1/disclosures/{disclosure}/proof")
        if code_of(answer) not in {"not-published", "ledger-unavailable", "busy"}:
            return answer
        await asyncio.sleep(0.2)
    raise AssertionError(answer.text)


def holds(proof: dict[str, Any], vkey: str, answer: dict[str, Any]) -> bool:
    """Tell whether a proof shows that a receipt's entry is in the log of that key."""
    receipt = answer["receipt"]
    check_receipt(answer)
    origin, size, root = read_checkpoint(proof["checkpoint"], vkey)
    path = [bytes.fromhex(step) for step in proof["inclusion"]]
    return proof["log"] == origin == receipt["log"] and is_included(
        receipt["index"], size, bytes.fromhex(receipt["leaf_hash"]), path, root
    )


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_succeed_when_the_log_is_well_then_refused(agency: Agency, tmp_path: Path) -> None:
    """Nobody leaves a log that goes on, gives no reason, or begins one because a memory is missing; nothing is made by trying."""
    office, memory = Office(agency.folder), agency.folder / "state" / "log.checkpoint"
    note = asyncio.run(signed(agency))
    refused = office.run("ledger", "succeed", "--reason", "I would like to")
    assert (refused.exit_code, "is well: it extends what was signed last" in refused.stderr) == (1, True)
    assert office.run("ledger", "succeed", "--reason", " ").exit_code == 2
    assert office.run("ledger", "succeed").exit_code == 2
    (tmp_path / "other").write_text(note.replace(ORIGIN, "other.example/log"), encoding="utf-8")
    assert "it is no checkpoint of" in office.run("ledger", "succeed", "--reason", "x", "--checkpoint", tmp_path / "other").stderr
    kept = memory.read_bytes()
    memory.unlink()
    assert "ecluse ledger adopt" in office.run("ledger", "succeed", "--reason", "x").stderr
    memory.write_bytes(kept)
    memory.chmod(0o600)
    assert [row["id"] for row in asyncio.run(agency.fetch("select id from ecluse.ledger_log"))] == [1]
    assert not (agency.folder / "keys" / "log-2.key").exists()


# ── the whole way ────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_log_when_it_was_rolled_back_then_another_takes_its_place_and_everybody_sees_it(
    agency: Agency, tmp_path: Path
) -> None:
    """Backup, disclosures, restore; the signer and a witness refuse; `succeed`; disclosures go on, old receipts hold, clients see another log."""
    office = Office(agency.folder)
    vkey = (await agency.fetch("select vkey from ecluse.ledger_log"))[0]["vkey"]
    create(tmp_path / "witness", "dpo.example/witness")
    witness = Witness(tmp_path / "witness")
    witness.trust([parse_vkey(vkey)])
    async with at_work(agency, [51, 52, 53]) as desk:
        hold, _ = await agency.hold("agent", desk.party.agent, "keep")
        survives = (await desk.disclose(51)).json()
        proof_before = (await proven(desk.machine, survives["disclosure"])).json()
        assert holds(proof_before, vkey, survives)
        await signed(agency)
        lost, note = await _lose(agency, desk, witness)
        last = open_checkpoint(note, [parse_vkey(vkey)], ORIGIN)
        assert await agency.size() < last.size
        # nothing more is signed; the doctor says why and what is to be done
        await _refused_in(agency, "ledger-behind")
        doctor = await asyncio.to_thread(office.json, "doctor", code=1)
        assert any("ecluse ledger succeed" in line.get("mend", "") for part in doctor["parts"] for line in part["lines"])
        # nor does a signer help whose memory was rolled back with it: the witness knows better
        fork = await _forked(agency)
        with pytest.raises(WitnessError):
            witness.add_checkpoint(f"old {last.size}\n\n{fork}".encode())
        # the successor
        seq = (await agency.fetch("select control_seq from ecluse.ledger_head"))[0]["control_seq"]
        agency.stop_gate(agency.gates[0])
        (tmp_path / "kept").write_text(note, encoding="utf-8")
        words = ("ledger", "succeed", "--reason", "restored from the backup of Monday", "--checkpoint", tmp_path / "kept")
        assert (await asyncio.to_thread(office.run, *words, stdin="n\n")).exit_code == 1
        made = await asyncio.to_thread(office.json, *words, "--yes")
        assert (made["origin"], made["predecessor"], made["signed_size"]) == (NEW_ORIGIN, ORIGIN, last.size)
        assert made["policy"] == [f"log {made['vkey']} {agency.public_url}/ledger/main-2/"]
        await asyncio.to_thread(agency.start_gate)
        # disclosures go on, under the same contract, schedule and holds
        desk.machine.access_token = await desk.machine.get_token()
        after = (await desk.disclose(53)).json()
        assert after["receipt"]["log"] == NEW_ORIGIN
        assert holds((await proven(desk.machine, after["disclosure"])).json(), made["vkey"], after)
        assert [row["id"] for row in await agency.fetch("select id from ecluse.hold where released_at is null")] == [hold]
        # what survived is proven as before, what was lost is not there
        assert holds((await proven(desk.machine, survives["disclosure"])).json(), vkey, survives)
        assert code_of(await proven(desk.machine, lost["disclosure"])) == "not-found"
        check_receipt(lost)
    await _both_logs(agency, vkey, made, last.size, seq)
    await _shown(office, tmp_path)


async def _shown(office: Office, tmp_path: Path) -> None:
    """See what the commands say of both logs."""
    assert (await asyncio.to_thread(office.run, "ledger", "succeed", "--reason", "again")).exit_code == 1
    shown = await asyncio.to_thread(office.json, "ledger", "status")
    assert (shown["origin"], shown["predecessor"]["origin"]) == (NEW_ORIGIN, ORIGIN)
    assert (await asyncio.to_thread(office.json, "doctor"))["fail"] == 0
    assert (await asyncio.to_thread(office.json, "ledger", "fsck"))["sound"] is True
    old = await asyncio.to_thread(
        office.json, "ledger", "fsck", "--log", "main", code=1
    )  # what was signed there is not there any more
    assert (old["problems"], [why != "" for why in old["against"].values()]) == ([], [True])
    out = await asyncio.to_thread(office.json, "ledger", "export", tmp_path / "main-2")
    assert out["origin"] == NEW_ORIGIN
    assert (await asyncio.to_thread(office.json, "ledger", "export", tmp_path / "main", "--log", "main"))["origin"] == ORIGIN
    assert (await asyncio.to_thread(office.run, "ledger", "export", tmp_path / "main-2", "--log", "main")).exit_code == 1


async def test_key_when_it_is_lost_for_good_then_another_log_takes_its_place(agency: Agency) -> None:
    """Nothing is lost but the key: refused while it is there, then another log with a key of its own; the run that was killed is taken up."""
    office, key = Office(agency.folder), agency.folder / "keys" / "log.key"
    note = await signed(agency)
    agency.stop_gate(agency.gates[0])
    key.unlink()
    # killed after the next log's rows, before its first entry
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecluse.ledger.service.seal_control", _killed)
        assert (await asyncio.to_thread(office.run, "ledger", "succeed", "--reason", "the key is lost", "--yes")).exit_code != 0
    assert [row["id"] for row in await agency.fetch("select id from ecluse.ledger_log order by id")] == [1, 2]
    await agency.bind()  # the old log goes on until its successor's first entry
    sealing = await asyncio.to_thread(agency.start_gate, ledger__sign=False)
    made = await asyncio.to_thread(office.json, "ledger", "succeed", "--reason", "the key is lost", "--yes")
    assert (made["origin"], made["lost"]) == (NEW_ORIGIN, [made["signed_size"]] * 2)
    async with at_work(
        agency, [71]
    ) as desk:  # a gate that was left running seals nothing in the closed log, and says why it is not well
        assert code_of(await desk.disclose(71)) == "busy"
        assert "another log" in (await desk.machine.http.get("/healthz")).json()["detail"].lower()
    agency.stop_gate(sealing)
    await asyncio.to_thread(agency.start_gate)
    await agency.bind()
    assert open_checkpoint(await signed(agency, 2), [parse_vkey(made["vkey"])], NEW_ORIGIN).size > 1
    assert (await asyncio.to_thread(office.json, "doctor"))["fail"] == 0
    async with httpx.AsyncClient(base_url=agency.public_url) as http:
        assert (await http.get("/ledger/main/checkpoint")).text == note


async def _killed(*_: object, **__: object) -> None:
    """End as a process does that is killed."""
    raise RuntimeError


async def _lose(agency: Agency, desk: Desk, witness: Witness) -> tuple[dict[str, Any], str]:
    """Make a backup, disclose one more person, have that cosigned, and lose it; return the answer and the checkpoint over it."""
    await copy_database(agency, agency.ledger_name, "backup_of_the_ledger")
    await _again(desk)
    lost: dict[str, Any] = (await desk.disclose(52)).json()
    assert lost["receipt"]["log"] == ORIGIN
    note = await signed(agency)
    witness.add_checkpoint(f"old 0\n\n{note}".encode())
    await copy_database(agency, "backup_of_the_ledger", agency.ledger_name)
    return lost, note


async def _again(desk: Desk) -> None:
    """Wait until the gate has its connections back: a disclosure that was refused for the lack of one spent nothing."""
    for _ in range(100):
        answer = await desk.machine.call("GET", "/v1/budget")
        if answer.status_code == 200:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(answer.text)


async def _refused_in(agency: Agency, code: str) -> None:
    """Wait for a line of the gate's log that names why it does not sign."""
    for _ in range(100):
        if f'"{code}"' in await asyncio.to_thread(agency.gates[0].log.read_text):
            return
        await asyncio.sleep(0.2)
    raise AssertionError(agency.gates[0].log.read_text(encoding="utf-8"))


async def _forked(agency: Agency) -> str:
    """Let the gate sign a second history, with a memory as old as the backup, and return its checkpoint; then put the true memory back."""
    memory = agency.folder / "state" / "log.checkpoint"
    true, old = (
        memory.read_bytes(),
        (await agency.fetch("select note from ecluse.ledger_checkpoint order by size desc limit 1"))[0]["note"],
    )
    memory.write_text(old, encoding="utf-8")
    await agency.bind()
    note = await signed(agency)
    memory.write_bytes(true)
    return note


async def _both_logs(agency: Agency, vkey: str, made: dict[str, Any], signed_size: int, seq: int) -> None:
    """Look at both logs as a stranger does, and at the entry that ties them."""
    async with httpx.AsyncClient(base_url=agency.public_url) as http:
        old = (await http.get("/ledger/main/checkpoint")).text
        new = (await http.get("/ledger/main-2/checkpoint")).text
        assert (await http.get("/ledger/main-3/checkpoint")).status_code == 404
        assert (await http.get("/ledger/main/tile/0/000.p/1")).status_code == 200
    assert open_checkpoint(old, [parse_vkey(vkey)], ORIGIN).size > 0
    for key, origin in ((vkey, ORIGIN), (made["vkey"], ORIGIN), (vkey, NEW_ORIGIN)):
        with pytest.raises(NoteInvalid):
            open_checkpoint(new, [parse_vkey(key)], origin)
    (first,) = await agency.fetch("select fields from ecluse.opening where log_id = 2 and index = 0")
    assert '"event","control:log:succeeded"' in first["fields"].replace(" ", "")
    for said in (f'"signed_size":{signed_size}', '"reason":"restored from the backup of Monday"', f'"origin":"{ORIGIN}"'):
        assert said in first["fields"]
    # nothing is written in the old log any more: who names it means the new one
    size = (await agency.fetch("select size from ecluse.ledger_head where log_id = 1"))[0]["size"]
    async with agency.connected("ecluse_app") as app:
        done = await seal_control(
            app, log_id=1, event=Event.HOLD_PLACED, act="hold:place", actor="cli:test", target="hold_x", detail={},
            body={"id": "hold_x", "scope": "agent", "scope_id": "agt_x", "effect": "keep", "reason": "x", "actor": "cli:test"},
        )  # fmt: skip
    assert done.control_seq > seq + 1000
    assert (await agency.fetch("select size from ecluse.ledger_head where log_id = 1"))[0]["size"] == size
    with pytest.raises(Exception, match="append-only"):
        await agency.execute("update ecluse.ledger_head set size = size + 1 where log_id = 1")
    assert {row["log_id"] for row in await agency.fetch("select log_id from ecluse.processor")} == {2}
    assert hashlib.sha256(new.encode()).digest() != hashlib.sha256(old.encode()).digest()
