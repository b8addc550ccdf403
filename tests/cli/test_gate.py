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


def test_receipt_when_changed_then_it_does_not_hold(gate: Gate, tmp_path: Path) -> None:
    """Another value, another key, another log or half a file: nothing of it passes."""
    disclosed = answer(gate.person(gate.places[1], "--json", attributes="family_name"))
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps({**disclosed, "subject": {"family_name": "Quelqu'une"}}), encoding="utf-8")
    changed = check(path, gate.vkey, gate.url)
    assert (changed.exit_code, changed.stderr.startswith("receipt-broken: a value is not the one the entry commits to.")) == (
        1,
        True,
    )
    path.write_text(json.dumps(disclosed), encoding="utf-8")
    forged = gate.vkey[:-1] + ("A" if gate.vkey[-1] != "A" else "B")
    assert check(path, forged, gate.url).exit_code == 2
    path.write_text(json.dumps({"receipt": disclosed["receipt"]}), encoding="utf-8")
    assert check(path, gate.vkey, gate.url).stderr.startswith(f"{path}: it is not the answer to a disclosure")
    path.write_text(json.dumps(disclosed), encoding="utf-8")
    assert check(path, gate.vkey, "http://127.0.0.1:1").stderr.startswith("unavailable: ")


def check(path: Path, vkey: str, url: str) -> Result:
    """Run ``ecluse ledger check-proof``, which takes no installation."""
    return CliRunner().invoke(app, ["ledger", "check-proof", str(path), "--vkey", vkey, "--url", url])


def test_disclosure_when_granted_then_shown_proven_and_checked_from_outside(gate: Gate, tmp_path: Path) -> None:
    """The value, its form, the receipt and the proof; and anyone with the key can check it against the public log."""
    result = gate.person(gate.places[0], "--log-vkey", gate.vkey, "--json")
    disclosed = answer(result)
    assert disclosed["forms"] == {"family_name": "full", "birth_date": "year", "email": "withheld"}
    assert set(disclosed["subject"]) == {"family_name", "birth_date"}
    assert disclosed["checkpoint"].startswith("evaluation.invalid/ecluse/main\n")
    path = tmp_path / "receipt.json"
    path.write_text(result.stdout, encoding="utf-8")
    checked = check(path, gate.vkey, gate.url)
    assert checked.exit_code == 0, checked.output
    assert f"number {disclosed['receipt']['index']} of evaluation.invalid/ecluse/main" in checked.stdout
    shown = gate.person(gate.places[0]).stdout
    assert str(disclosed["subject"]["family_name"]) in shown
    assert "(withheld)" in shown
    assert gate.office.json("ledger", "verify")["sound"] is True


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
        "ledger verify",
        f"processor agent list {gate.processor}",
    )
    said = [gate.office.run(*words.split(), *more).output for words in listings for more in ((), ("--json",))]
    said.append(gate.log.read_text(encoding="utf-8"))
    text = "\n".join(said)
    marked = asyncio.run(values())
    assert len(marked) > 1_000
    assert [value for value in marked if value in text] == []
