"""A filled CAIQ-like workbook (Consensus Assessment Initiative Questionnaire of the Cloud Security Alliance, version 4 and its likes): read into our model.

The sheet that counts is the first with a row, among its first 20, in which a column is headed "question id" and another holds the answers ("… answer"). Each
row below it with an id is one question, with the three answers of that form. Cells of a control that were merged stand in their first row only and hold for the
rows below. Nothing of the form itself is kept here: its texts come from the workbook that a processor hands in. Bounds as in `filled`.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from ecluse.evidence.model import Fault
from ecluse.evidence.questionnaire.check import why_not
from ecluse.evidence.questionnaire.errors import AnswersInvalid
from ecluse.evidence.questionnaire.filled import MOST_FAULTS, Cell, rows_of
from ecluse.evidence.questionnaire.model import MOST_NOTE, Answer, Choice, Kind, Node, Question, Questionnaire, Result
from ecluse.evidence.questionnaire.record import one_line

_HEADS: Final = {
    "id": re.compile(r"^question id$"),
    "question": re.compile(r"^(question|consensus assessment question)s?$"),
    "answer": re.compile(r"^((csp )?caiq )?answers?$|^csp caiq answer$"),
    "note": re.compile(r"^csp implementation description\b|^(comments?|notes?)$"),
    "control": re.compile(r"^(ccm )?control id$"),
    "title": re.compile(r"^(ccm )?control title$"),
    "domain": re.compile(r"^(ccm )?(control )?domain( title)?$"),
}
_CHOICES: Final = (("yes", "Yes", Result.MET), ("no", "No", Result.UNMET), ("na", "N/A", Result.APART))
_TOLD: Final = {"yes": "yes", "y": "yes", "no": "no", "n": "no", "na": "na", "n/a": "na", "not applicable": "na"}
_HEAD_ROWS: Final = 20
_WIDTH: Final = 26
_MOST_QUESTIONS: Final = 2_000
_ID: Final = re.compile(r"[A-Za-z0-9&][A-Za-z0-9&._/ -]{0,39}")
_BASE: Final = "urn:ecluse:risk:req_node:caiq"


class Caiq(msgspec.Struct, frozen=True, kw_only=True):
    """What a filled workbook asked and what it answered."""

    questionnaire: Questionnaire
    answers: dict[str, Answer]


def read_caiq(book: Any, *, sha256: str) -> Caiq:  # noqa: ANN401 - openpyxl has no types
    """Read a filled workbook; ``sha256``: of the file, which tells its version. Raises `AnswersInvalid` with every fault, cell by cell."""
    for name in book.sheetnames:
        if hasattr(book[name], "iter_rows"):
            found = _Sheet(name).read(book[name], sha256)
            if found is not None:
                return found
    why = "no sheet has a row with the headings “Question ID” and “… Answer”"
    raise AnswersInvalid(
        [Fault(where="workbook", why=why, mend="Hand in the filled CAIQ as the Cloud Security Alliance lays it out")]
    )


class _Sheet:
    """One sheet being read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.columns: dict[str, int] = {}
        self.nodes: list[Node] = []
        self.answers: dict[str, Answer] = {}
        self.faults: list[Fault] = []
        self.above = {"control": "", "title": "", "domain": ""}

    def read(self, sheet: Any, sha256: str) -> Caiq | None:  # noqa: ANN401 - openpyxl has no types
        """Read the sheet; None: it is not the one."""
        for number, cells in rows_of(sheet, _WIDTH):
            if self.columns:
                self.row(number, cells)
            elif number > _HEAD_ROWS:
                return None
            else:
                self.columns = _heads(cells)
        if not self.columns:
            return None
        if not any(node.questions for node in self.nodes):
            self.fault("A1", "no row has a question id", "Hand in the filled workbook")
        if self.faults:
            raise AnswersInvalid(self.faults)
        questionnaire = Questionnaire(
            urn="urn:ecluse:risk:framework:caiq", ref_id="caiq", version=sha256[:12], locale="en", name={"en": f"CAIQ: {self.name}"}, description={},
            provider="Cloud Security Alliance", copyright="", published_on="", nodes=tuple(self.nodes),
        )  # fmt: skip
        return Caiq(questionnaire=questionnaire, answers=self.answers)

    def fault(self, cell: str, why: str, mend: str) -> None:
        """Note a fault of a cell; past the two hundredth reading ends."""
        self.faults.append(Fault(where=f"sheet {self.name}, cell {cell}", why=why, mend=mend))
        if len(self.faults) >= MOST_FAULTS:
            raise AnswersInvalid(self.faults)

    def at(self, kind: str, number: int) -> str:
        """Name the cell of a column in a row."""
        return f"{chr(ord('A') + self.columns[kind])}{number}"

    def row(self, number: int, cells: list[Cell]) -> None:
        """Read one row."""
        texts = {kind: cells[column] for kind, column in self.columns.items()}
        for kind in self.above:
            if kind in texts and texts[kind].text:
                self.above[kind] = one_line(texts[kind].text)[:200]
        ident = one_line(texts["id"].text)
        if not ident and texts["id"].fault is None:
            return
        faulty = [kind for kind in ("id", "question", "answer", "note") if kind in texts and texts[kind].fault is not None]
        for kind in faulty:
            self.fault(self.at(kind, number), *(texts[kind].fault or ("", "")))
        if faulty:
            return
        urn = f"{_BASE}:{re.sub(r'[^a-z0-9._-]', '-', ident.lower())}"
        if not _ID.fullmatch(ident) or any(node.urn == urn for node in self.nodes) or len(self.nodes) >= _MOST_QUESTIONS:
            self.fault(
                self.at("id", number),
                "it is no question id, or stands twice, or is one too many",
                "Hand in the workbook as it was published",
            )
            return
        question = self.question(urn, ident, texts)
        self.nodes.append(question)
        self.answer(number, question.questions[0], texts)

    def question(self, urn: str, ident: str, texts: dict[str, Cell]) -> Node:
        """Make the node of a row."""
        asked = f"{urn}:question:1"
        text = one_line(texts["question"].text)[:4_000] if "question" in texts else ""
        choices = tuple(Choice(urn=f"{asked}:choice:{key}", words={"en": word}, result=result) for key, word, result in _CHOICES)
        title = " · ".join(part for part in (self.above["domain"], self.above["control"], self.above["title"]) if part)
        return Node(
            urn=urn, parent=None, depth=1, ref_id=ident, name={"en": title} if title else {}, description={}, annotation={}, typical_evidence={},
            evidence_for={"en": f"CCM {self.above['control']}"} if self.above["control"] else {}, finding={}, assessable=True,
            questions=(Question(urn=asked, words={"en": text or ident}, kind=Kind.ONE, choices=choices),),
        )  # fmt: skip

    def answer(self, number: int, question: Question, texts: dict[str, Cell]) -> None:
        """Take the answer of a row."""
        told = one_line(texts["answer"].text).casefold()
        note = texts["note"].text if "note" in texts else ""
        if told and told not in _TOLD:
            self.fault(self.at("answer", number), "it is neither Yes, No nor NA", "Pick one of the three")
            return
        picked = (f"{question.urn}:choice:{_TOLD[told]}",) if told else ()
        answer = Answer(picked=picked, note=note[:MOST_NOTE])
        wrong = why_not(question, answer)
        if wrong is not None:
            self.fault(self.at("note", number), *wrong)
        elif answer.given or answer.note:
            self.answers[question.urn] = answer


def _heads(cells: list[Cell]) -> dict[str, int]:
    """Return which column is what, if this row holds the headings."""
    found: dict[str, int] = {}
    for column, cell in enumerate(cells):
        text = one_line(cell.text).casefold()
        for kind, pattern in _HEADS.items():
            if kind not in found and pattern.search(text):
                found[kind] = column
                break
    return found if {"id", "answer"} <= found.keys() else {}
