"""``ecluse schedule import``: rows are refused by number and column without a value, a dry run changes nothing, an import is one entry."""

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
