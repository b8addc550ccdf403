"""``ecluse sandbox`` and ``ecluse outcomes``: made, renewed, shown, removed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.cli.offices import Office

pytestmark = pytest.mark.db


def test_sandbox_when_its_key_file_is_no_key_then_refused(office: Office, tmp_path: Path) -> None:
    """A file that is something else is neither used nor overwritten."""
    path = tmp_path / "notes.txt"
    path.write_text("mine", encoding="utf-8")
    refused = office.run("sandbox", "create", "--key", path)
    assert (refused.exit_code, refused.stderr.startswith(f"{path}: not an unencrypted PKCS#8 private key")) == (2, True)
    assert path.read_text(encoding="utf-8") == "mine"


def test_sandbox_when_made_again_and_removed_then_as_said(office: Office) -> None:
    """One client with a key that only its owner reads, the same one the second time; removal asks first."""
    made = office.json("sandbox", "create", "--days", "2")
    path = Path(made["private_key_file"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {trial["expect"] for trial in made["trials"]} == {
        "granted", "outside-window", "not-disclosable", "budget-spent", "undetermined", "suspended",
    }  # fmt: skip
    again = office.run("sandbox", "create", "--days", "2")
    assert (again.exit_code, made["client"] in again.stdout) == (0, True)
    kept = office.run("sandbox", "remove", stdin="n\n")
    assert (kept.exit_code, "Nothing was changed." in kept.stdout) == (1, True)
    gone = office.json("sandbox", "remove", "--yes")
    assert gone["people_forgotten"] == 12
    assert gone["keys_revoked"] >= 1
    path.unlink()


def test_outcomes_when_there_are_none_then_said(office: Office) -> None:
    """Nothing waits, nothing was given up, and it is said where outcomes go."""
    shown = office.run("outcomes")
    assert (shown.exit_code, "no webhook" in shown.stdout, "None was given up." in shown.stdout) == (0, True, True)
    answered = office.json("outcomes", "--retry")
    assert answered == {"webhook": "", "waiting": 0, "dead": 0, "retried": 0, "dead_letters": []}
