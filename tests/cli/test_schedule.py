"""``ecluse schedule``: problems are rows and columns without a value, each change is one entry, and a second person is another account."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.offices import Office, agenda

pytestmark = pytest.mark.db


def test_file_when_its_kind_is_unknown_then_wrong_usage(office: Office, tmp_path: Path) -> None:
    """The ending says the kind, or --kind does."""
    path = agenda(tmp_path / "agenda.txt", office.firm())
    result = office.run("schedule", "import", path)
    assert result.exit_code == 2
    assert result.stderr == "schedule-kind-unknown: A schedule is of the kind `csv` or `json`. Say which with --kind.\n"
    assert office.run("schedule", "import", path, "--kind", "csv", "--dry-run").exit_code == 0


def test_row_when_wrong_then_number_column_reason_and_mend_but_no_value(office: Office, tmp_path: Path) -> None:
    """Nothing of a file with problems is applied, and none of its values is shown."""
    path = agenda(tmp_path / "agenda.csv", office.firm(), subject_ref="Jeanne Quelqu'une")
    answer = office.json("schedule", "import", path, code=1)
    assert answer["applied"] is False
    assert [(problem["row"], problem["column"]) for problem in answer["findings"]["problems"]] == [(3, "subject_ref")]
    shown = office.run("schedule", "import", path)
    assert shown.exit_code == 1
    assert "1 problem, so nothing was applied" in shown.stdout
    assert "Jeanne" not in shown.output


def test_dry_run_when_done_then_nothing_is_applied_or_sealed(office: Office, tmp_path: Path) -> None:
    """A dry run says what would change, again and again."""
    path = agenda(tmp_path / "agenda.csv", office.firm())
    size = office.json("ledger", "status")["size"]
    for _ in range(2):
        answer = office.json("schedule", "import", path, "--dry-run")
        assert (answer["applied"], answer["counts"]["places_new"]) == (False, 2)
    assert office.json("ledger", "status")["size"] == size


def test_import_when_in_order_then_all_of_it_in_one_entry(office: Office, tmp_path: Path) -> None:
    """The import is one control entry; the same file again finds nothing to do."""
    path = agenda(tmp_path / "agenda.csv", office.firm())
    size = office.json("ledger", "status")["size"]
    answer = office.json("schedule", "import", path)
    assert (answer["applied"], answer["index"], answer["counts"]["sessions_new"], answer["counts"]["places_new"]) == (
        True,
        size,
        1,
        2,
    )
    shown = office.run("schedule", "import", path)
    assert shown.exit_code == 0
    assert "places as they were" in shown.stdout


def seated(office: Office, tmp_path: Path, **changes: str) -> tuple[str, Path]:
    """Import a session that begins within a day, and return its source and the file."""
    path = agenda(tmp_path / "agenda.csv", processor := office.firm(), **changes)
    assert office.run("schedule", "import", path).exit_code == 0
    return f"agenda-{processor}", path


def test_snapshot_when_it_cancels_much_then_only_with_the_number_of_its_dry_run(office: Office, tmp_path: Path) -> None:
    """Half of the source's places is more than a tenth: the dry run tells the number, and no other will do."""
    source, path = seated(office, tmp_path)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:2]), encoding="utf-8")
    assert office.run("schedule", "import", path, "--mode", "snapshot").exit_code == 1
    assert "--confirm 1" in office.run("schedule", "import", path, "--mode", "snapshot", "--dry-run").stdout
    assert office.json("schedule", "import", path, "--mode", "snapshot", "--confirm", "2", code=1)["applied"] is False
    done = office.json("schedule", "import", path, "--mode", "snapshot", "--confirm", "1")
    assert (done["applied"], done["counts"]["places_cancelled"]) == (True, 1)
    path.write_text(lines[0], encoding="utf-8")
    assert office.json("schedule", "import", path, "--mode", "snapshot", "--confirm", "1", code=1)["applied"] is False
    assert office.json("schedule", "import", path, "--mode", "snapshot", "--confirm", "1", "--source", source)["applied"] is True
    wrong = office.run("schedule", "import", path, "--confirm", "1")
    assert (wrong.exit_code, wrong.stderr.partition(":")[0]) == (2, "schedule-mode-unknown")


def test_walk_in_when_the_person_is_read_from_standard_input_then_added_and_not_shown(office: Office, tmp_path: Path) -> None:
    """One place more, once; a person who sits there already is refused without a name."""
    source, _ = seated(office, tmp_path)
    again = office.run("schedule", "walk-in", source, "S1", "W1", "-", stdin="ofii:20000000066\n")
    assert again.exit_code == 1
    assert "20000000066" not in again.output
    done = office.json("schedule", "walk-in", source, "S1", "W1", "-", stdin="ofii:20000000088\n")
    assert (done["applied"], done["counts"]["places_new"]) == (True, 1)
    nobody = office.run("schedule", "walk-in", source, "S9", "W1", "-", stdin="ofii:20000000088\n")
    assert (nobody.exit_code, nobody.stderr.partition(":")[0]) == (1, "schedule-session-unknown")


def test_agents_when_substituted_then_theirs_and_none_leaves_no_roster(office: Office, tmp_path: Path) -> None:
    """The session's agents are replaced at once; a stranger's is refused."""
    source, _ = seated(office, tmp_path)
    agent = office.json("processor", "agent", "add", source.removeprefix("agenda-"), "--label", "x")["agent"]
    assert office.json("schedule", "substitute", source, "S1", agent)["counts"]["sessions_moved"] == 1
    assert office.run("schedule", "substitute", source, "S1", "agt_" + "a" * 26).exit_code == 1
    assert office.json("schedule", "substitute", source, "S1", "none")["counts"]["sessions_moved"] == 1


def test_file_when_above_the_volume_then_another_account_approves_it(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits, is listed, can be taken back, and is applied by another account than its sender's only."""
    processor = office.firm()
    office.json("contract", "apply", office.contract(processor, **{"persons_per_day = 400": "persons_per_day = 1"}), "--yes")
    path = agenda(tmp_path / "agenda.csv", processor)
    held = office.json("schedule", "import", path, code=1)
    assert (held["applied"], held["excess"]["total"]) == (False, 1)
    office.json("schedule", "withdraw", held["request"])
    assert office.run("schedule", "withdraw", held["request"]).exit_code == 1
    shown = office.run("schedule", "import", path)
    assert shown.exit_code == 1
    assert "ecluse schedule approve imp_" in shown.stdout
    (waiting,) = [one for one in office.json("schedule", "requests")["requests"] if one["source"] == f"agenda-{processor}"]
    own = office.run("schedule", "approve", waiting["id"])
    assert (own.exit_code, own.stderr.partition(":")[0]) == (1, "schedule-approval-own")
    monkeypatch.setattr("ecluse.cli.reach.actor", lambda: "cli:bruno")
    assert office.json("schedule", "approve", waiting["id"])["applied"] is True
