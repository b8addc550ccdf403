"""Filled CAIQ-like workbooks: found by their headings, read row by row, and refused cell by cell."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.evidence.questionnaire.caiq import Caiq, read_caiq
from ecluse.evidence.questionnaire.errors import AnswersInvalid
from ecluse.evidence.questionnaire.filled import open_workbook
from ecluse.evidence.questionnaire.library import read_library
from ecluse.evidence.questionnaire.publish import write_library
from ecluse.evidence.questionnaire.score import score
from tests.evidence.questionnaire.small import table

pytestmark = pytest.mark.unit

HEADS = ["Question ID", "Question", "CSP CAIQ Answer", "SSRM Control Ownership", "CSP Implementation Description (Optional/Recommended)", "CCM Control ID",
         "CCM Control Title", "CCM Domain Title"]  # fmt: skip
ROWS: list[list[Any]] = [
    ["A form of ours", None],
    [],
    HEADS,
    ["A-01.1", "Is there a plan?", "Yes", "CSP-owned", "=see below"[1:], "A-01", "Plans", "Audit"],
    ["A-01.2", "Is it tried?", "No", None, None, None, None, None],
    [None, "a note between the rows"],
    ["A-02.1", "Is there a cellar?", "NA", None, None, "A-02", "Cellars", None],
    ["A-02.2", "Is it dry?", None, None, None, None, None, None],
]


def read(rows: list[list[Any]]) -> Caiq:
    """Read a workbook of these rows."""
    return read_caiq(open_workbook(table(rows)), sha256="c" * 64)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((3, 2, "Maybe"), "sheet CAIQ, cell C4: it is neither Yes, No nor NA"),
        ((3, 2, "=A1"), "sheet CAIQ, cell C4: it holds a formula"),
        ((4, 0, "A-01.1"), "sheet CAIQ, cell A5: it is no question id, or stands twice, or is one too many"),
        ((4, 0, "<b>"), "sheet CAIQ, cell A5: it is no question id, or stands twice, or is one too many"),
        ((2, 0, "Number"), "workbook: no sheet has a row with the headings “Question ID” and “… Answer”"),
    ],
)
def test_caiq_when_a_cell_is_wrong_then_told_and_nothing_taken(change: tuple[int, int, str], said: str) -> None:
    """Each fault names sheet and cell."""
    rows = [list(row) for row in ROWS]
    rows[change[0]][change[1]] = change[2]
    with pytest.raises(AnswersInvalid) as bad:
        read(rows)
    assert [f"{fault.where}: {fault.why}" for fault in bad.value.faults] == [said]


def test_caiq_when_read_then_questions_answers_and_controls() -> None:
    """Ids, answers, comments and the controls that merged cells hold for the rows below."""
    found = read(ROWS)
    asked = [(node.ref_id, node.name["en"], node.evidence_for["en"]) for node, _ in found.questionnaire.asked()]
    assert asked == [
        ("A-01.1", "Audit · A-01 · Plans", "CCM A-01"), ("A-01.2", "Audit · A-01 · Plans", "CCM A-01"),
        ("A-02.1", "Audit · A-02 · Cellars", "CCM A-02"), ("A-02.2", "Audit · A-02 · Cellars", "CCM A-02"),
    ]  # fmt: skip
    scored = score(found.questionnaire, found.answers)
    assert [line.standing for line in scored.lines] == ["full", "none", "not-applicable", "unanswered"]
    assert (scored.percent, next(iter(found.answers.values())).note) == (33, "see below")


def test_caiq_when_kept_as_a_library_then_the_same_questionnaire() -> None:
    """What was asked is kept in the one format that everything is kept in."""
    found = read(ROWS).questionnaire
    assert read_library(write_library(found).encode()).questionnaire == found
