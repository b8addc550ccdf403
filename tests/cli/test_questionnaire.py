"""``ecluse questionnaire``: by link and by workbook, from being asked to a finding that a person confirms; refusals first."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner

from ecluse.cli.app import app
from tests.cli.offices import Office
from tests.evidence.questionnaire.small import SMALL, table

pytestmark = pytest.mark.db


@pytest.fixture
def firm(office: Office) -> str:
    """Return a processor with a contract that asks for a questionnaire."""
    processor = office.firm()
    path = office.contract(processor)
    asked = '[[evidence_required]]\nkind = "questionnaire"\nmax_age = "P12M"\n\n[containment]'
    path.write_text(path.read_text(encoding="utf-8").replace("[containment]", asked), encoding="utf-8")
    office.json("contract", "apply", path, "--yes")
    return processor


def filled(office: Office, firm: str, folder: Path) -> Path:
    """Export a workbook of the small library and fill it in as a person does."""
    library, path = folder / "small.yaml", folder / "asked.xlsx"
    library.write_text(SMALL, encoding="utf-8")
    office.json("questionnaire", "export", firm, "--library", library, "--out", path)
    book = openpyxl.load_workbook(path)
    for cell, value in {"D4": "No", "E4": "=a comment"[1:], "D9": 3, "D10": "2026-01-31", "D11": "Yes"}.items():
        book["Questions"][cell] = value
    for cell, value in {"B1": "Ana Lemoine", "B2": "DPO", "B3": "ana@lyon-formation.example"}.items():
        book["Who answers"][cell] = value
    book.save(path)
    return path


def test_import_when_the_workbook_is_wrong_then_a_report_and_nothing_taken(office: Office, firm: str, tmp_path: Path) -> None:
    """Every faulty cell has its line on standard error; another processor's workbook and one of nobody's are refused too."""
    path = filled(office, firm, tmp_path)
    assert "made for another processor" in office.run("questionnaire", "import", office.firm(), path).output
    book = openpyxl.load_workbook(path)
    book["Questions"]["D4"], book["Questions"]["D10"] = "=1+1", "tomorrow"
    book.save(path)
    result = office.run("questionnaire", "import", firm, path)
    assert (result.exit_code, result.stderr.splitlines()) == (1, [
        "sheet Questions, cell D4: it holds a formula. Type the answer itself.",
        "sheet Questions, cell D10: it is not a day of the calendar. Write it as 2026-01-31.",
    ])  # fmt: skip
    path.write_bytes(table([["a"]]))
    assert "was not made by" in office.run("questionnaire", "import", firm, path).stderr
    assert office.json("questionnaire", "list", firm)["responses"] == []


def test_library_when_it_is_wrong_then_refused_with_where(office: Office, firm: str, tmp_path: Path) -> None:
    """A library that can't be read is told line by line, and nothing is sent."""
    path = tmp_path / "bad.yaml"
    path.write_text(SMALL.replace("type: number", "type: riddle"), encoding="utf-8")
    result = office.run("questionnaire", "send", firm, "--library", path)
    assert result.exit_code == 1
    assert "type: it is not a kind of question. Write one of unique_choice" in result.stderr


def test_response_when_unknown_or_not_handed_in_then_refused(office: Office, firm: str) -> None:
    """What is not there or not handed in is judged by nobody."""
    sent = office.json("questionnaire", "send", firm)
    for command in (
        ("accept", sent["response"], "--yes"),
        ("confirm", sent["response"], "ACC-2", "--yes"),
        ("show", "qst_" + "a" * 26),
    ):
        assert office.run("questionnaire", *command).exit_code == 1
    office.json("questionnaire", "revoke", sent["response"])
    assert office.run("questionnaire", "revoke", sent["response"]).exit_code == 1
    assert [row["state"] for row in office.json("questionnaire", "list", firm)["responses"]] == ["revoked"]


def test_send_when_asked_then_the_link_is_shown_once(office: Office, firm: str) -> None:
    """The link stands in the answer to `send`, and in nothing that is listed or shown later."""
    sent = office.json("questionnaire", "send", firm, "--language", "en", "--days", "3")
    secret = sent["link"].rpartition("/")[2]
    assert sent["link"].endswith(f"/questionnaire/{secret}")
    later = office.run("questionnaire", "list", firm).output + office.run("questionnaire", "show", sent["response"]).output
    assert (secret in later, sent["response"] in later) == (False, True)


def test_workbook_when_filled_then_taken_judged_accepted_and_its_finding_confirmed(
    office: Office, firm: str, tmp_path: Path
) -> None:
    """The whole way by commands: each act says what it changes for the gate, and is done in somebody's name."""
    taken = office.json("questionnaire", "import", firm, filled(office, firm, tmp_path))
    shown = office.json("questionnaire", "show", taken["response"])
    assert (taken["answers"], shown["percent"], shown["contact"]["name"]) == (4, 0, "Ana Lemoine")
    assert [(one["ref"], one["severity"], one["title"], one["finding"]) for one in shown["proposals"]] == [
        ("A.1", "critical", "Doors left open", None)
    ]
    accepted = office.json("questionnaire", "accept", taken["response"], "--yes")
    assert "evidence:missing:questionnaire" in accepted["gate"]["before"]["reasons"]
    assert "evidence:missing:questionnaire" not in accepted["gate"]["after"]["reasons"]
    confirmed = office.json("questionnaire", "confirm", taken["response"], "A.1", "--severity", "medium", "--yes")
    assert confirmed["severity"] == "medium"
    again = office.json("questionnaire", "show", taken["response"])
    assert ([one["finding"] for one in again["proposals"]], again["state"]) == ([confirmed["finding"]], "accepted")
    assert office.run("questionnaire", "confirm", taken["response"], "A.1", "--yes").exit_code == 1


def test_export_when_begun_from_a_response_then_its_answers_stand_there(office: Office, firm: str, tmp_path: Path) -> None:
    """Last year's answers need not be typed again; no file is written over."""
    taken = office.json("questionnaire", "import", firm, filled(office, firm, tmp_path))
    path = tmp_path / "again.xlsx"
    office.json("questionnaire", "export", firm, "--from", taken["response"], "--out", path)
    assert openpyxl.load_workbook(path)["Questions"]["D4"].value == "No"
    assert "there is a file already" in office.run("questionnaire", "export", firm, "--out", path).stderr


def test_caiq_when_imported_then_scored_like_the_rest(office: Office, firm: str, tmp_path: Path) -> None:
    """A filled CAIQ says what was asked itself; who answered is said beside it."""
    path = tmp_path / "caiq.xlsx"
    path.write_bytes(
        table([["Question ID", "Question", "CSP CAIQ Answer"], ["A-01.1", "A plan?", "Yes"], ["A-01.2", "Tried?", "No"]])
    )
    assert office.run("questionnaire", "import", firm, path, "--caiq").exit_code == 2
    who = ("--name", "Ana Lemoine", "--function", "DPO", "--email", "ana@lyon-formation.example")
    taken = office.json("questionnaire", "import", firm, path, "--caiq", *who)
    assert office.json("questionnaire", "show", taken["response"])["percent"] == 50


def test_library_when_written_then_read_again_the_same(tmp_path: Path) -> None:
    """Our own questionnaire goes out in the public format and comes back."""
    path = tmp_path / "ours.yaml"
    assert CliRunner().invoke(app, ["questionnaire", "library", "--out", str(path)]).exit_code == 0
    one, two = (CliRunner().invoke(app, ["questionnaire", "library", *words, "--json"]).stdout for words in ([], [str(path)]))
    assert (one == two, '"processor-security"' in one) == (True, True)
