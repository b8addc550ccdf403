"""Workbooks: a round trip that changes nothing, answers that look like formulas, and a report cell by cell for what is wrong."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecluse.evidence.questionnaire.errors import AnswersInvalid
from ecluse.evidence.questionnaire.filled import open_workbook, read_answers, read_meta
from ecluse.evidence.questionnaire.model import Answer, Contact
from ecluse.evidence.questionnaire.service import own_questionnaire
from ecluse.evidence.questionnaire.workbook import write_workbook
from tests.evidence.questionnaire.small import CONTACT, FULL, edited, small, table, urn, with_part

pytestmark = pytest.mark.unit


def written(**how: Any) -> bytes:
    """Write a workbook of the small questionnaire."""
    return write_workbook(small(), processor="lyon-formation", digest="d" * 64, language="en", **how)


def read(content: bytes) -> tuple[dict[str, Answer], Contact]:
    """Read a filled workbook."""
    return read_answers(open_workbook(content), small(), "en")


def refused(content: bytes) -> list[str]:
    """Read a workbook that is refused; return its report."""
    with pytest.raises(AnswersInvalid) as bad:
        read(content)
    assert all(fault.mend for fault in bad.value.faults)
    return [f"{fault.where}: {fault.why}" for fault in bad.value.faults]


BROKEN = (
    b"<worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><dimension ref='A1'/><sheetData><row r='x'>"
)
FILLED = written(answers=FULL, contact=CONTACT)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "workbook: it is empty"),
        (b"PK\x03\x04 nothing", "workbook: the archive can't be read"),
        (b"%PDF-1.7", "workbook: it begins as a PDF and does not end as one"),
        (b"a,b\n1,2\n", "workbook: it is not an .xlsx workbook"),
        (b"x" * (4 * 1024 * 1024 + 1), "workbook: it is larger than 4 MiB"),
        (with_part(FILLED, "xl/vbaProject.bin", b"x"), "workbook: it holds macros"),
        (with_part(FILLED, "xl/externalLinks/externalLink1.xml", b"<a/>"), "workbook: it is linked to other files or data"),
        (with_part(FILLED, "xl/embeddings/a.bin", b"x"), "workbook: it holds other files"),
        (with_part(FILLED, "xl/workbook.xml", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"), "workbook: it is linked to other files or data"),
        (with_part(FILLED, "xl/media/big.bin", b"\0" * (25 * 1024 * 1024)), "workbook: it unpacks to more than 24 MiB"),
        (with_part(FILLED, "xl/workbook.xml", b"<x>"), "workbook: it can't be read"),
        (with_part(FILLED, "xl/worksheets/sheet2.xml", BROKEN), "sheet Questions: it can't be read"),
    ],
)  # fmt: skip
def test_workbook_when_it_is_none_or_acts_by_itself_then_refused_whole(content: bytes, said: str) -> None:
    """Macros, links, other files, bombs and what is no workbook: the reason, and nothing is taken."""
    assert refused(content) == [said]


def test_workbook_when_cells_are_wrong_then_each_is_told_and_nothing_taken() -> None:
    """The report names sheet and cell of every fault; a formula is never evaluated."""
    bad = edited(FILLED, {
        "Questions": {"D4": "Perhaps", "E4": "fine", "D5": "x", "D6": "yes", "D8": "=1+1", "D9": "twelve", "D10": "31/01/2026", "D11": "perhaps", "G9": "else"},
        "Who answers": {"B1": None},
    })  # fmt: skip
    assert refused(bad) == [
        "sheet Questions, cell D4: that is none of its answers",
        "sheet Questions, cell D6: it takes an X or nothing",
        "sheet Questions, cell D8: it holds a formula",
        "sheet Questions, cell G9: it is no question that was sent, or stands twice",
        "sheet Questions, cell D10: it is not a day of the calendar",
        "sheet Questions, cell D11: that is none of its answers",
        f"sheet Questions: the row of question {urn('b1:q1')} is missing",
        "sheet Who answers, cell B1: it is missing or not as it must be",
    ]


def test_workbook_when_it_has_thousands_of_faults_then_two_hundred_are_told() -> None:
    """A report has an end, and so has the sheet."""
    rows = {f"G{number}": "nothing of ours" for number in range(20, 2_000)}
    assert len(refused(edited(FILLED, {"Questions": rows}))) == 200


def test_workbook_when_a_row_lies_far_below_then_bounded() -> None:
    """A row in the millionth place costs no more than the bound."""
    assert read(edited(FILLED, {"Questions": {"G1048576": "x"}}))[0] == FULL


def test_workbook_when_it_is_another_then_refused() -> None:
    """A workbook that was not made here says so before any answer is read."""
    with pytest.raises(AnswersInvalid, match="was not made by"):
        read_meta(open_workbook(table([["a"]])))


def test_workbook_when_written_and_read_then_the_same() -> None:
    """Every kind of answer, comments and contact come back as they went, and for whom it was made."""
    assert read(FILLED) == (FULL, CONTACT)
    meta = read_meta(open_workbook(FILLED))
    assert (meta.processor, meta.questionnaire, meta.language) == ("lyon-formation", "d" * 64, "en")


def test_workbook_when_a_spreadsheet_typed_the_cells_then_read_as_meant() -> None:
    """Numbers, days and truth values of a spreadsheet are taken for the texts that they show."""
    answers, _ = read(edited(FILLED, {"Questions": {"D9": 12, "D10": datetime(2026, 1, 31), "D11": False, "D8": 42}}))  # noqa: DTZ001 - a cell has no zone
    assert [answers[urn(each)].text for each in ("b1:q1", "b1:q2", "b1:q3", "a1:q3")] == ["12", "2026-01-31", "no", "42"]


def test_workbook_when_answers_look_like_formulas_then_text_cells() -> None:
    """What was typed with = + - @ or a tab before it is a text in its cell, marked as text, and there is no formula or link in the whole book."""
    hostile = ["=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\t=1", "http://evil.example", '=HYPERLINK("http://evil.example")']
    for text in hostile:
        answers = {urn("a1:q3"): Answer(text=text), urn("a1:q1"): Answer(picked=(urn("a1:q1:yes"),), note=text)}
        content = written(answers=answers, contact=Contact(name=text, function=text, email=text))
        book = openpyxl.load_workbook(io.BytesIO(content))
        cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
        assert {cell.data_type for cell in cells} == {"s"}
        assert [cell.quotePrefix for cell in cells if cell.value == text] == [True] * 5
        assert [sheet.title for sheet in book if any(row.hyperlink for row in next(sheet.iter_rows()))] == []


def test_workbook_when_opened_then_locked_but_for_the_answers_and_lists_to_pick_from() -> None:
    """Every sheet is protected; only answer cells are not; a choice can only be picked from its list."""
    book = openpyxl.load_workbook(io.BytesIO(written()))
    assert [sheet.protection.sheet for sheet in book] == [True] * len(book.sheetnames)
    sheet = book["Questions"]
    free = {cell.coordinate for row in sheet.iter_rows() for cell in row if not cell.protection.locked}
    assert free == {"E4", "D4", "E5", "D6", "D7", "D8", "E8", "D9", "E9", "D10", "E10", "D11", "E11"}
    lists = {str(each.sqref): each.formula1 for each in sheet.data_validations.dataValidation}
    assert lists == {"D4": "=lists!$A$1:$A$4", "D6": '"X"', "D7": '"X"', "D11": '"Yes,No"'} or lists["D4"] == "lists!$A$1:$A$4"
    assert (book["lists"].sheet_state, book["ecluse"].sheet_state) == ("hidden", "veryHidden")


def test_own_workbook_when_written_in_french_and_filled_then_read() -> None:
    """The workbook of our own questionnaire speaks French, and what is picked in it comes back."""
    asked = own_questionnaire()
    content = write_workbook(asked, processor="lyon-formation", digest="d" * 64, language="fr")
    filled = edited(
        content,
        {
            "Questions": {"D4": "Oui, relue depuis moins de douze mois"},
            "Qui répond": {"B1": "Ana", "B2": "DPO", "B3": "a@b.example"},
        },
    )
    answers, contact = read_answers(open_workbook(filled), asked, "fr")
    assert [(each.rpartition(":")[0].rpartition(":")[0][-5:], answer.picked[0][-1]) for each, answer in answers.items()] == [
        ("gov-1", "1")
    ]
    assert contact.email == "a@b.example"


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_workbook_when_anything_is_typed_then_it_comes_back_as_typed(text: str) -> None:
    """Whatever text somebody types, a round trip keeps it, white space at its ends apart."""
    kept = text.strip()
    answers, _ = read(written(answers={urn("a1:q3"): Answer(text=kept)}, contact=CONTACT)) if _plain(kept) else ({}, None)
    assert answers.get(urn("a1:q3"), Answer()).text == (kept if _plain(kept) else "")


def _plain(text: str) -> bool:
    """Tell whether a text may be an answer at all, and no spreadsheet has an escape of its own for a part of it."""
    from ecluse.evidence.questionnaire.check import tidy  # noqa: PLC0415 - used by one strategy

    return tidy(text) and "_x" not in text and "\ufffe" not in text and "\uffff" not in text
