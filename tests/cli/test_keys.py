"""``ecluse keys`` and what docs/keys.md tells to do when a key is lost or stolen: each procedure is run, with its commands."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from ecluse.cli.app import app
from tests.cli.offices import Office
from tests.cli.test_guide import commands_of
from tests.cli.test_ledger import sign

pytestmark = pytest.mark.db

TEXT = (Path(__file__).parents[2] / "docs" / "keys.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def own(found: Callable[..., Office]) -> Office:
    """Return an office of this module's own: its keys are lost and stolen."""
    return found("keys", people=200)


def listed(office: Office) -> list[tuple[str, str, str]]:
    """Return key, name and state of each row that ``keys list`` shows."""
    return [(row["key"], row["name"], row["state"]) for row in office.json("keys", "list")["keys"]]


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_token_when_a_change_is_under_way_then_refused(own: Office) -> None:
    """One successor at a time."""
    own.json("keys", "rotate", "token", "--in", "600")
    again = own.run("keys", "rotate", "token")
    assert (again.exit_code, again.stderr.startswith("keys/token.key: a successor is on its way already")) == (2, True)
    states = [state for key, _, state in listed(own) if key == "token"]
    assert states == ["in use", "to come"]
    own.json("keys", "rotate", "token", "--at-once", "--yes")
    assert [state for key, _, state in listed(own) if key == "token"] == ["in use"]


@pytest.mark.parametrize(
    ("words", "code"), [(("token", "--in", "3"), 2), (("database", "super"), 2), (("fingerprint", "--lost-after", "1"), 1)]
)
def test_rotate_when_asked_wrongly_then_refused(own: Office, words: tuple[str, ...], code: int) -> None:
    """Too short a notice, an unknown role, a loss that is none."""
    before = listed(own)
    assert own.run("keys", "rotate", *words).exit_code == code
    assert listed(own) == before


def test_token_when_at_once_is_not_confirmed_then_nothing(own: Office) -> None:
    """Ending every token is asked about first."""
    before = listed(own)
    assert own.run("keys", "rotate", "token", "--at-once", stdin="n\n").exit_code == 1
    assert own.run("keys", "rotate", "token", "--at-once", "--json").exit_code == 2
    assert listed(own) == before


def test_adopt_when_the_memory_is_there_then_refused(own: Office, tmp_path: Path) -> None:
    """A signer that remembers is told nothing."""
    kept = tmp_path / "kept.checkpoint"
    kept.write_text(sign(own), encoding="utf-8")
    result = own.run("ledger", "adopt", kept, "--yes")
    assert (result.exit_code, result.stderr.startswith("ledger-state-exists: ")) == (1, True)


def test_adopt_when_the_checkpoint_is_no_checkpoint_or_another_logs_then_refused(own: Office, tmp_path: Path) -> None:
    """What is taken over is signed by this log's key, and the entries lead to it."""
    note, forged = sign(own), tmp_path / "forged.checkpoint"
    for text in ("nonsense", note.replace("\n", "\nx", 1), note[:-8] + "AAAA" + note[-4:]):
        forged.write_text(text, encoding="utf-8")
        result = own.run("ledger", "adopt", forged, "--yes")
        assert (result.exit_code, result.stderr.startswith(f"{forged}: it is no checkpoint of this log: ")) == (1, True)


# ── procedures ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_client_key_when_stolen_then_held_replaced_and_revoked(own: Office, tmp_path: Path) -> None:
    """Hold the machine, add a key that its owner made anew, revoke the stolen one, release."""
    own.json("processor", "add", "firm-theft", "--name", "Une maison SARL")
    made = own.json("processor", "client", "add", "firm-theft", "--label", "server", "--generate", tmp_path / "old.pem")
    held = own.json("processor", "hold", "client", made["client"], "--reason", "stolen key")
    added = own.json("processor", "key", "add", made["client"], "--generate", tmp_path / "new.pem")
    own.json("processor", "key", "revoke", made["client"], made["thumbprint"], "--yes")
    own.json("processor", "release", held["hold"])
    (client,) = own.json("processor", "client", "list", "firm-theft")["clients"]
    assert {key["thumbprint"]: key["revoked_at"] is None for key in client["keys"]} == {
        made["thumbprint"]: False,
        added["thumbprint"]: True,
    }


def test_token_key_when_lost_then_made_anew(own: Office) -> None:
    """Without the file no gate starts; a new one stands alone."""
    path = own.folder / "keys" / "token.key"
    path.unlink()
    assert own.run("keys", "list").stderr.startswith("keys/token.key: it can't be read.")
    made = own.json("keys", "rotate", "token", "--at-once", "--yes")
    assert [name for key, name, _ in listed(own) if key == "token"] == [made["thumbprint"]]
    assert path.stat().st_mode & 0o777 == 0o600


def test_fingerprint_key_when_lost_then_begun_above_the_last_version(own: Office) -> None:
    """The versions that were are never given to another key."""
    path = own.folder / "keys" / "fingerprint.key"
    own.json("keys", "rotate", "fingerprint")
    path.unlink()
    assert own.run("keys", "rotate", "fingerprint").exit_code == 2
    assert own.json("keys", "rotate", "fingerprint", "--lost-after", "2") == {"version": 3}
    assert [name for key, name, _ in listed(own) if key == "fingerprint"] == ["version 3"]


def test_fingerprint_key_when_stolen_then_a_version_is_added(own: Office) -> None:
    """The old versions stay, since they trace what was sealed."""
    before = (own.folder / "keys" / "fingerprint.key").read_text(encoding="utf-8")
    version = own.json("keys", "rotate", "fingerprint")["version"]
    assert (own.folder / "keys" / "fingerprint.key").read_text(encoding="utf-8").startswith(f"{before.strip()}\n{version}:")


@pytest.mark.parametrize("role", ["app", "jobs", "reader", "owner", "register"])
def test_password_when_stolen_then_changed_in_two_steps(own: Office, role: str) -> None:
    """Prepared, then changed: the old one opens nothing any more, the doctor finds all well, and the server keeps no password in clear."""
    path = own.folder / "keys" / f"db-{role}.password"
    before = path.read_text(encoding="utf-8")
    assert own.json("keys", "rotate", "database", role, "--prepare")["changed"] is False
    assert any(state == "to come" for key, _, state in listed(own) if key == f"database {role}")
    assert own.json("keys", "rotate", "database", role)["changed"] is True
    assert path.read_text(encoding="utf-8") != before
    assert [part["title"] for part in own.json("doctor")["parts"] for line in part["lines"] if line["level"] == "fail"] == []
    after = path.read_text(encoding="utf-8")
    path.write_text(before, encoding="utf-8")
    try:
        told = json.dumps(own.json("doctor", code=0 if role == "owner" else 1))
    finally:
        path.write_text(after, encoding="utf-8")
    assert (f"keys/db-{role}.password" in told) == (role != "owner")


def test_password_when_lost_then_written_anew_and_set_by_the_administrator(own: Office) -> None:
    """A new secret in the file, and `migrate` as the administrator gives it to the role."""
    path = own.folder / "keys" / "db-app.password"
    path.write_text(secrets.token_hex(24) + "\n", encoding="utf-8")
    assert own.run("processor", "list").stderr.startswith("database.url: the server does not let ecluse_app in")
    own.json("migrate")
    assert own.run("processor", "list").exit_code == 0


def test_memory_when_lost_then_adopted_from_the_newest_checkpoint(own: Office, tmp_path: Path) -> None:
    """Nothing is signed without the memory; with an older checkpoint that somebody kept the newest published one is taken."""
    kept, path = tmp_path / "kept.checkpoint", own.folder / "state" / "log.checkpoint"
    kept.write_text(sign(own), encoding="utf-8")
    own.json("processor", "add", f"firm-{secrets.token_hex(4)}", "--name", "x")
    newest = sign(own)
    path.unlink()
    (line,) = [
        line for part in own.json("doctor", code=1)["parts"] for line in part["lines"] if line["where"] == "state/log.checkpoint"
    ]
    assert "ecluse ledger adopt FILE" in line["found"]
    assert own.run("ledger", "adopt", kept, stdin="n\n").exit_code == 1
    assert not path.exists()
    assert own.json("ledger", "adopt", kept, "--yes")["size"] == int(newest.split("\n")[1])
    assert path.read_text(encoding="utf-8") == newest
    own.json("processor", "add", f"firm-{secrets.token_hex(4)}", "--name", "x")
    assert sign(own) != newest
    assert own.json("ledger", "fsck", "--against", kept)["sound"] is True


def test_log_key_when_lost_then_the_log_is_verified_without_it(own: Office) -> None:
    """What was signed can be verified by the verifier key that was handed over."""
    vkey, path = own.json("ledger", "status")["vkey"], own.folder / "keys" / "log.key"
    sign(own)
    kept = path.read_text(encoding="utf-8")
    path.unlink()
    try:
        assert own.json("ledger", "fsck", "--vkey", vkey)["sound"] is True
        assert own.run("ledger", "fsck").exit_code == 2
    finally:
        path.write_text(kept, encoding="utf-8")
        path.chmod(0o600)
    assert own.json("ledger", "fsck")["sound"] is True


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_page_when_it_names_a_command_then_the_command_is_there() -> None:
    """Every command of docs/keys.md exists, with the options that it names."""
    commands = dict(commands_of(typer.main.get_command(app)))
    named = re.findall(r"`(ecluse [^`]+)`", TEXT)
    assert len(named) > 10
    for text in named:
        words = next((each for each in sorted(commands, key=len, reverse=True) if re.match(rf"{each}\b", text)), None)
        assert words is not None, text
        known = {option for parameter in commands[words].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", text)) <= known, text


def test_page_when_it_names_a_test_then_the_test_is_there() -> None:
    """Every test of docs/keys.md exists."""
    named = re.findall(r"`(tests/[a-z_/]+\.py)::(test_\w+)`", TEXT)
    assert len(named) > 8
    root = Path(__file__).parents[2]
    assert [name for file, name in named if f"def {name}(" not in (root / file).read_text(encoding="utf-8")] == []
