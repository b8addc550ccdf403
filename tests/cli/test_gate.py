"""The whole way by commands alone: serve, list, disclose, refuse, suspend, prove, check from outside; and nothing personal but where it is asked for."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from ecluse.cli.app import app
from ecluse.demo.people import marked_values
from ecluse.embedded import EmbeddedPostgres
from tests.cli.offices import Office, agenda

pytestmark = pytest.mark.e2e


class Gate:
    """A serving office, a processor's machine and an appointment of today's."""

    def __init__(self, office: Office, url: str, log: Path) -> None:
        """Bind a processor with a machine, an agent and two places, by commands."""
        self.office, self.url, self.log = office, url, log
        self.processor = office.firm()
        self.key = office.folder / "client.pem"
        made = office.json("processor", "client", "add", self.processor, "--label", "server", "--generate", self.key)
        self.client, self.vkey = made["client"], made["log_vkey"]
        self.agent = office.json("processor", "agent", "add", self.processor, "--label", "T-1")["agent"]
        office.json("schedule", "import", agenda(office.folder / "agenda.csv", self.processor))
        sessions = self.ask("--json").stdout
        self.places = [place["id"] for place in json.loads(sessions)["sessions"][0]["appointments"]]

    def ask(self, *words: str) -> Result:
        """Run ``ecluse disclose`` as the machine."""
        return self.office.run("disclose", "--url", self.url, "--client", self.client, "--key", self.key, *words)

    def person(self, place: str, *words: str, attributes: str = "family_name,birth_date,email") -> Result:
        """Ask for one person."""
        return self.ask("--appointment", place, "--agent", self.agent, "--attributes", attributes, *words)


@pytest.fixture(scope="module")
def gate(found: Callable[..., Office]) -> Iterator[Gate]:
    """Serve an office in a process of its own, as an operator does, until the tests are over."""
    office = found("gate")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = office.folder / "serve.log"
    words = [sys.executable, "-m", "ecluse", "serve", "--evaluation", "--port", str(port), "--dir", str(office.folder), "--json"]
    with log.open("wb") as err:
        serving = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=err, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        assert serving.stdout is not None
        said = b"".join(iter(serving.stdout.readline, b"}\n")) + b"}"
        assert json.loads(said) == {"ready": True, "public_url": f"http://127.0.0.1:{port}", "host": "127.0.0.1", "port": port}
        yield Gate(office, f"http://127.0.0.1:{port}", log)
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(20) == 0
    finally:
        if serving.poll() is None:
            serving.kill()
            serving.wait(10)
        if serving.stdout is not None:
            serving.stdout.close()


def answer(result: Result, code: int = 0) -> Any:
    """Return the object that a command answered."""
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_disclose_when_asked_for_half_then_wrong_usage(gate: Gate) -> None:
    """An appointment without agent or attributes is no question."""
    assert gate.ask("--appointment", gate.places[0]).exit_code == 2


def test_disclose_when_the_key_is_not_there_then_wrong_usage(gate: Gate, tmp_path: Path) -> None:
    """A key file that can't be read is said in a line."""
    result = gate.office.run("disclose", "--url", gate.url, "--client", gate.client, "--key", tmp_path / "none.pem")
    assert (result.exit_code, result.stderr.startswith("private key file: it can't be read")) == (2, True)


def test_disclose_when_the_client_is_unknown_then_not_authorised(gate: Gate) -> None:
    """The gate gives no token to a machine that it does not know."""
    result = gate.office.run("disclose", "--url", gate.url, "--client", "cli_" + "a" * 26, "--key", gate.key)
    assert result.exit_code == 1
    assert result.stderr.startswith("not-authorised: ")


def test_disclose_when_refused_then_the_code_and_one(gate: Gate) -> None:
    """A refusal is shown as the gate tells it."""
    told = answer(gate.person(gate.places[0], "--json", attributes="nationality"), 1)
    assert (told["granted"], told["problem"]["code"]) == (False, "attribute-not-contracted")
    shown = gate.person("apt_" + "a" * 26)
    assert shown.exit_code == 1
    assert shown.stdout.startswith("Refused: not-disclosable. ")


def test_disclose_when_suspended_then_refused_at_once(gate: Gate) -> None:
    """A hold placed by one command refuses the very next request of another process."""
    hold = gate.office.json("processor", "hold", "client", gate.client, "--reason", "incident 12")["hold"]
    try:
        assert answer(gate.person(gate.places[0], "--json"), 1)["problem"]["code"] == "suspended"
    finally:
        gate.office.json("processor", "release", hold)


def policy_of(gate: Gate, folder: Path, *, vkey: str = "") -> Path:
    """Write the policy that the office hands over: its log, and no witness yet."""
    path = folder / "office.policy"
    path.write_text(f"# of the office\nlog {vkey or gate.vkey}\nquorum none\n", encoding="utf-8")
    return path


def check(path: Path, policy: Path, *words: str) -> Result:
    """Run ``ecluse ledger check-receipt``, which takes no installation."""
    return CliRunner().invoke(app, ["ledger", "check-receipt", str(path), "--policy", str(policy), *words])


def test_disclose_when_its_receipt_makes_no_sense_then_wrong_usage(gate: Gate, tmp_path: Path) -> None:
    """Before anybody is disclosed: a receipt wants a policy, values a receipt, and a file that is there is not overwritten."""
    policy, there = policy_of(gate, tmp_path), tmp_path / "there"
    there.write_text("mine", encoding="utf-8")
    faulty = tmp_path / "faulty"
    faulty.write_text("quorum maybe\n", encoding="utf-8")
    for words in (
        ["--receipt", tmp_path / "new"],
        ["--policy", policy, "--with-values"],
        ["--policy", policy, "--receipt", there],
        ["--policy", policy, "--receipt", tmp_path / "nowhere" / "new"],
        ["--policy", faulty],
    ):
        assert gate.person(gate.places[1], *words).exit_code == 2
    assert there.read_text(encoding="utf-8") == "mine"


def test_receipt_when_changed_or_of_another_log_then_it_does_not_hold(gate: Gate, tmp_path: Path) -> None:
    """Another byte, another log's key: nothing of it passes; a mistyped key is said before."""
    policy, path = policy_of(gate, tmp_path), tmp_path / "visit.tlog-proof"
    answer(gate.person(gate.places[1], "--policy", policy, "--receipt", path, "--json", attributes="family_name"))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"\nindex ", b"\nindex 1"))
    changed = check(path, policy)
    assert (changed.exit_code, changed.stdout.startswith("The receipt does NOT hold")) == (1, True)
    path.write_bytes(whole)
    other = "agency.example/ecluse/main+6eb4db52+AWhZFw/JcUQ5QimAnCDluUpAAdIZBqYLnfHLxbN/L9qE"
    assert check(path, policy_of(gate, tmp_path, vkey=other)).exit_code == 1
    assert check(path, policy_of(gate, tmp_path, vkey=other[:-1] + "F")).exit_code == 2
    assert check(path, policy_of(gate, tmp_path)).exit_code == 0


def test_receipt_when_the_witnesses_never_sign_then_the_person_and_no_file(gate: Gate, tmp_path: Path) -> None:
    """A policy whose quorum is not there: the disclosure stands and is shown, nothing is written, and the exit code says so."""
    policy, path = policy_of(gate, tmp_path), tmp_path / "visit.tlog-proof"
    witness = "witness.example/one+876bd2fb+BG56HN0psLeP0Tr0xVmP7/TvKpcWbjym8uT7/M2AUFvx"
    policy.write_text(
        policy.read_text(encoding="utf-8").replace("quorum none", f"witness one {witness}\nquorum one"), encoding="utf-8"
    )
    late = gate.person(gate.places[1], "--policy", policy, "--receipt", path, attributes="family_name")
    assert (late.exit_code, path.exists()) == (1, False)
    assert "not-yet-cosigned" in late.stderr
    assert "family_name" in late.stdout


def test_disclosure_when_granted_then_shown_proven_and_checked_from_outside(gate: Gate, tmp_path: Path) -> None:
    """The value, its form, the receipt and the proof; and anyone with the file and a policy can check it, without the gate."""
    policy, path, shy = policy_of(gate, tmp_path), tmp_path / "visit.tlog-proof", tmp_path / "shy.tlog-proof"
    disclosed = answer(gate.person(gate.places[0], "--policy", policy, "--receipt", path, "--with-values", "--json"))
    assert disclosed["forms"] == {"family_name": "full", "birth_date": "year", "email": "withheld"}
    assert set(disclosed["subject"]) == {"family_name", "birth_date"}
    assert disclosed["checkpoint"].startswith("evaluation.invalid/ecluse/main\n")
    assert (disclosed["receipt_file"], path.stat().st_mode & 0o777) == (str(path), 0o600)
    checked = answer(check(path, policy, "--json"))
    assert checked["values"] == disclosed["subject"]
    assert (checked["disclosure"], checked["processor"], checked["subject"]) == (disclosed["disclosure"], gate.processor, None)
    assert f"entry number {disclosed['receipt']['index']} (counted from 0)" in check(path, policy).stdout
    shown = gate.person(gate.places[0], "--policy", policy, "--receipt", shy).stdout
    assert str(disclosed["subject"]["family_name"]) in shown
    assert f"written to     {shy}" in shown
    assert answer(check(shy, policy, "--json"))["values"] is None
    assert str(disclosed["subject"]["family_name"]) not in check(shy, policy).stdout
    assert "(withheld)" in shown
    assert gate.office.json("ledger", "fsck")["sound"] is True


def test_output_when_all_commands_ran_then_no_personal_value_but_of_disclose(gate: Gate) -> None:
    """Every listing, and the log of the gate after real disclosures, holds no value of the register."""
    gate.person(gate.places[0])
    embedded = EmbeddedPostgres(gate.office.installation.embedded, gate.office.installation.keys)

    async def values() -> list[str]:
        connection = await asyncpg.connect(embedded.superuser_dsn("register"))
        try:
            return await marked_values(connection, 2_000)
        finally:
            await connection.close()

    listings = (
        "doctor",
        "contract list",
        "processor list",
        "processor client list",
        "processor holds --all",
        "ledger status",
        "ledger fsck",
        f"processor agent list {gate.processor}",
    )
    said = [gate.office.run(*words.split(), *more).output for words in listings for more in ((), ("--json",))]
    said.append(gate.log.read_text(encoding="utf-8"))
    text = "\n".join(said)
    marked = asyncio.run(values())
    assert len(marked) > 1_000
    assert [value for value in marked if value in text] == []
