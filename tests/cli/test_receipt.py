"""``ecluse ledger check-receipt``: a file, a policy, no installation; what a judge sees, and what programs get."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from ecluse.cli.app import app

pytestmark = pytest.mark.unit

VECTORS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).resolve().parents[1] / "vectors" / "integrators" / "receipt-files.json").read_text(encoding="utf-8")
)
GOOD: Final = {row["name"]: row for row in VECTORS["accepted"]}
BAD: Final = {row["name"]: row for row in VECTORS["refused"]}


def check(folder: Path, row: dict[str, Any], *words: str, policy: str = "") -> Result:
    """Run the command on a row of the vectors."""
    (folder / "policy").write_text(VECTORS["policies"][policy or row["policy"]], encoding="utf-8", newline="")
    (folder / "file").write_text(row["file"], encoding="utf-8", newline="")
    return CliRunner().invoke(app, ["ledger", "check-receipt", str(folder / "file"), "--policy", str(folder / "policy"), *words])


@pytest.mark.parametrize(
    "name", ["a value is another than the one sealed", "shown to nobody: neither person nor appointment", "extra twice"]
)
def test_check_when_spoilt_then_one_and_why(tmp_path: Path, name: str) -> None:
    """What does not hold is said in words and in JSON, and the exit code is 1."""
    shown, told = check(tmp_path, BAD[name]), check(tmp_path, BAD[name], "--json")
    assert (shown.exit_code, told.exit_code) == (1, 1)
    assert shown.stdout.startswith("The receipt does NOT hold: it proves nothing.\n")
    answer = json.loads(told.stdout)
    assert (answer["holds"], answer["quorum_missing"]) == (False, False)
    assert answer["why"] in shown.stdout


def test_check_when_too_few_witnesses_then_it_is_told_from_a_change(tmp_path: Path) -> None:
    """A judge is told that the log signed, and that witnesses are missing."""
    shown = check(tmp_path, BAD["one of two witnesses is missing"])
    assert shown.exit_code == 1
    assert "1 of the policy's 2 witnesses have signed" in shown.stdout
    assert "The log has signed it, and too few of the witnesses that you trust." in shown.stdout
    assert json.loads(check(tmp_path, BAD["one of two witnesses is missing"], "--json").stdout)["quorum_missing"] is True


@pytest.mark.parametrize("missing", ["file", "policy"])
def test_check_when_a_file_is_not_there_then_two(tmp_path: Path, missing: str) -> None:
    """A file that can't be read is wrong usage, not a receipt that does not hold."""
    check(tmp_path, GOOD["a person's"])
    (tmp_path / missing).unlink()
    result = CliRunner().invoke(app, ["ledger", "check-receipt", str(tmp_path / "file"), "--policy", str(tmp_path / "policy")])
    assert (result.exit_code, result.stderr.startswith(f"{tmp_path / missing}: it can't be read")) == (2, True)


def test_check_when_the_policy_is_none_then_two_with_the_line(tmp_path: Path) -> None:
    """A faulty policy is said with its file, its line, why and the mend; without one there is no answer."""
    check(tmp_path, GOOD["a person's"])
    (tmp_path / "policy").write_text("quorum none\nlog nonsense\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["ledger", "check-receipt", str(tmp_path / "file"), "--policy", str(tmp_path / "policy")])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{tmp_path / 'policy'}, line 2: a verifier key is name+id+key. Take the policy file")
    assert CliRunner().invoke(app, ["ledger", "check-receipt", str(tmp_path / "file")]).exit_code == 2


def test_check_when_a_processors_then_one_screen_for_a_judge(tmp_path: Path) -> None:
    """Who, what, about whom, when, by which log, seen by whom and when, the values, and what is not proven: in at most 40 lines."""
    lines = check(tmp_path, GOOD["a processor's, with values"]).stdout.splitlines()
    assert lines[:2] == ["The receipt holds.", "On 2026-01-05 lyon-formation was given 4 attributes of one person; 1 withheld."]
    text = "\n".join(lines)
    for fact in (
        "processor lyon-formation", "asserted: its own machine named the person", "the person of appointment apt_mfzw6ylqmfzxgzlcmfxgk3tqmi",
        "2026-01-05 09:30:00 UTC", "Article 6(1)(e) GDPR", "2026-CIR-017, version 3", "entry number 6", "head of 11 entries",
        "saw this head on 2026-01-05 09:30:01 UTC", "1990", "(withheld: nothing was given)", "(the register had none)", "Not proven by it",
        "The witnesses prove that the entry was there by 2026-01-05 09:30:01 UTC.", "Who the person is", "Who sat at the screen",
    ):  # fmt: skip
        assert fact in text, fact
    assert len(lines) <= 40


def test_check_when_a_persons_then_about_that_person_and_no_agent(tmp_path: Path) -> None:
    """A person's receipt names the person, and neither the agent nor a value."""
    told = json.loads(check(tmp_path, GOOD["a person's"], "--json").stdout)
    assert (told["holds"], told["kind"], told["subject"], told["agent"]) == (True, "given", "register:1042", None)
    assert told["values"] is None
    assert told["witnesses"][0] == {"name": "witness.example/one", "seen_at": "2026-01-05 09:30:01 UTC"}
    assert not any("Who the person is" in each for each in told["not_proven"])
    assert "Which values: the file shows none." in told["not_proven"]


def test_check_when_refused_then_what_was_asked_and_why_not(tmp_path: Path) -> None:
    """A receipt of a refusal says that nothing was given."""
    text = check(tmp_path, GOOD["a refused one's"]).stdout
    assert "lyon-formation asked for 2 attributes of one person and was refused." in text
    assert "outside-window" in text
    assert "was given" not in text


def test_check_when_the_policy_asks_for_no_witness_then_it_says_what_that_means(tmp_path: Path) -> None:
    """With the log's key alone the screen says that this key alone stands for the history."""
    text = check(tmp_path, GOOD["a processor's"], policy="the log alone").stdout
    assert "none is asked for by this policy" in text
    assert "the log's key alone stands for it" in text


def test_check_when_a_look_at_the_record_then_who_was_looked_at(tmp_path: Path) -> None:
    """That a record was looked at is proven like a disclosure, and gives no processor anything."""
    text = check(tmp_path, GOOD["a look at a person's own record"]).stdout
    assert "On 2026-01-05 one person's record of who was given their data was looked at." in text
    assert "register:1042" in text
    assert "Who looked: the person, or somebody at the controller's portal." in text
    assert "processor" not in text
