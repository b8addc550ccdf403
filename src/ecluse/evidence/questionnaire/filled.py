"""A filled workbook, read back. Pure.

Nothing is evaluated. `ecluse.evidence.sniff` refuses macros, links, controls and archives that unpack to too much; a formula in a cell is refused; rows and
cells are bounded. A faulty workbook gives a report cell by cell and nothing else.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from itertools import islice
from typing import Any, Final

import msgspec
import openpyxl

from ecluse.evidence.errors import EvidenceRefused
from ecluse.evidence.model import Fault, MediaType
from ecluse.evidence.questionnaire.check import YES_NO, check_contact, why_not
from ecluse.evidence.questionnaire.errors import AnswersInvalid
from ecluse.evidence.questionnaire.model import Answer, Contact, Kind, Question, Questionnaire
from ecluse.evidence.questionnaire.record import one_line
from ecluse.evidence.questionnaire.score import NOTHING
from ecluse.evidence.questionnaire.workbook import COLUMNS, FIRST, FORM, META, WORDS, Filled
from ecluse.evidence.sniff import sniff

MOST_BYTES: Final = 4 * 1024 * 1024
MOST_UNPACKED: Final = 24 * 1024 * 1024
MOST_ROWS: Final = 25_000
MOST_FAULTS: Final = 200


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell as text; ``fault``: why it can't be taken, and the mend."""

    text: str = ""
    fault: tuple[str, str] | None = None


def open_workbook(content: bytes) -> Any:  # noqa: ANN401 - openpyxl has no types
    """Open a stranger's workbook for reading, nothing evaluated. Raises `AnswersInvalid`."""
    if len(content) > MOST_BYTES:
        raise _refused(
            "workbook", f"it is larger than {MOST_BYTES // 1024 // 1024} MiB", "Hand in the workbook that was sent, filled in"
        )
    try:
        kind = sniff(content)
    except EvidenceRefused as bad:
        raise AnswersInvalid([msgspec.structs.replace(fault, where="workbook") for fault in bad.faults]) from None
    if kind is not MediaType.XLSX:
        raise _refused("workbook", "it is not an .xlsx workbook", "Save it as .xlsx")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(part.file_size for part in archive.infolist()) > MOST_UNPACKED:
            raise _refused("workbook", "it unpacks to more than 24 MiB", "Hand in the workbook that was sent, filled in")
    try:
        return openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
    except Exception:  # noqa: BLE001 - a parser that raises whatever comes; nothing of its text is shown
        raise _refused("workbook", "it can't be read", "Save it again as .xlsx") from None


def rows_of(sheet: Any, columns: int) -> Iterator[tuple[int, list[Cell]]]:  # noqa: ANN401 - the same
    """Yield number and cells of each row, bounded. Raises `AnswersInvalid` where the sheet can't be read."""
    try:
        sheet.reset_dimensions()  # what a file says of its own size is not believed
        for number, row in enumerate(islice(sheet.iter_rows(max_col=columns), MOST_ROWS), start=1):
            cells = [_cell(cell) for cell in row]
            yield number, cells + [Cell()] * (columns - len(cells))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, SyntaxError, zipfile.BadZipFile, OSError):
        raise _refused(f"sheet {sheet.title}", "it can't be read", "Save it again as .xlsx") from None


def _cell(cell: Any) -> Cell:  # noqa: ANN401 - the same
    """Take a cell as text; a formula, an error and a number that is none are faults."""
    value = cell.value
    if value is None:
        return Cell()
    if cell.data_type == "f":
        return Cell(fault=("it holds a formula", "Type the answer itself"))
    if cell.data_type == "e":
        return Cell(fault=("it holds an error of the spreadsheet", "Empty the cell and type the answer"))
    if isinstance(value, bool):
        return Cell(text="yes" if value else "no")
    if isinstance(value, datetime):
        return Cell(text=value.date().isoformat())
    if isinstance(value, date):
        return Cell(text=value.isoformat())
    if isinstance(value, int | float):
        return Cell(text=f"{value:.6f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else str(value))
    if not isinstance(value, str):
        return Cell(fault=("it holds something else than text", "Type the answer as text"))
    return Cell(text=value.replace("\r\n", "\n").replace("_x000D_", "").strip())


def _refused(where: str, why: str, mend: str) -> AnswersInvalid:
    return AnswersInvalid([Fault(where=where, why=why, mend=mend)])


def read_meta(book: Any) -> Filled:  # noqa: ANN401 - openpyxl has no types
    """Return for whom a workbook was made, and of which text. Raises `AnswersInvalid` for one that is not of ours."""
    if META not in book.sheetnames:
        raise _refused(
            "workbook",
            "it was not made by `ecluse questionnaire export`",
            "Fill in the workbook that was sent; for a CAIQ say --caiq",
        )
    texts = [cells[0].text for _, cells in islice(rows_of(book[META], 1), 4)]
    if len(texts) < 4 or texts[0] != FORM:
        raise _refused(f"sheet {META}", "it is not as it was sent", "Fill in the workbook that was sent")
    return Filled(processor=texts[1], questionnaire=texts[2], language=texts[3])


def read_answers(book: Any, questionnaire: Questionnaire, language: str) -> tuple[dict[str, Answer], Contact]:  # noqa: ANN401 - the same
    """Read a filled workbook. Raises `AnswersInvalid` with every fault, cell by cell."""
    return _Reader(questionnaire, language).read(book)


class _Reader:
    """One workbook being read; faults are collected, and nothing is taken if there is one."""

    def __init__(self, questionnaire: Questionnaire, language: str) -> None:
        self.words = WORDS.get(language, WORDS["en"])
        self.questions = {question.urn: question for _, question in questionnaire.asked()}
        self.faults: list[Fault] = []
        self.answers: dict[str, Answer] = {}
        self.seen: set[str] = set()

    def fault(self, sheet: str, cell: str, why: str, mend: str) -> None:
        """Note a fault of a cell; past the two hundredth reading ends."""
        self.faults.append(Fault(where=f"sheet {sheet}, cell {cell}", why=why, mend=mend))
        if len(self.faults) >= MOST_FAULTS:
            raise AnswersInvalid(self.faults)

    def read(self, book: Any) -> tuple[dict[str, Answer], Contact]:  # noqa: ANN401 - openpyxl has no types
        """Read both sheets."""
        name, about = self.words["questions"], self.words["about"]
        for needed in (name, about):
            if needed not in book.sheetnames:
                raise _refused("workbook", f"the sheet “{needed}” is missing", "Fill in the workbook that was sent")
        for number, cells in rows_of(book[name], len(COLUMNS)):
            if number >= FIRST and cells[6].text:
                self.row(name, number, cells)
        for urn in self.questions.keys() - self.seen:
            self.faults.append(
                Fault(
                    where=f"sheet {name}",
                    why=f"the row of question {urn[-60:]} is missing",
                    mend="Fill in the workbook that was sent",
                )
            )
        contact = self.contact(book[about], about)
        if self.faults:
            raise AnswersInvalid(self.faults[:MOST_FAULTS])
        return self.answers, contact

    def row(self, sheet: str, number: int, cells: list[Cell]) -> None:
        """Read the row of a question, or of one choice of many."""
        urn, _, choice = cells[6].text.partition("\n")
        question = self.questions.get(urn)
        if question is None or (choice and question.choice(choice) is None) or cells[6].text in self.seen:
            self.fault(
                sheet, f"G{number}", "it is no question that was sent, or stands twice", "Fill in the workbook that was sent"
            )
            return
        self.seen.add(cells[6].text)
        for place in (3, 4):
            if (wrong := cells[place].fault) is not None:
                self.fault(sheet, f"{COLUMNS[place]}{number}", *wrong)
                return
        if choice:
            if cells[3].text:
                self.ticked(sheet, number, question, choice, cells[3].text)
            return
        answer = Answer(note=cells[4].text) if question.kind is Kind.MANY else self.answer(question, cells[3].text, cells[4].text)
        wrong = ("that is none of its answers", "Pick from the list") if answer is None else why_not(question, answer)
        if wrong is not None or answer is None:
            self.fault(sheet, f"D{number}", *(wrong or ("", "")))
        elif answer.given or answer.note:
            before = self.answers.get(urn, NOTHING)
            self.answers[urn] = msgspec.structs.replace(answer, picked=answer.picked or before.picked)

    def ticked(self, sheet: str, number: int, question: Question, choice: str, text: str) -> None:
        """Take a mark beside a choice."""
        if text.casefold() != "x":
            self.fault(sheet, f"D{number}", "it takes an X or nothing", "Type X, or empty the cell")
            return
        before = self.answers.get(question.urn, NOTHING)
        self.answers[question.urn] = msgspec.structs.replace(before, picked=(*before.picked, choice))

    def answer(self, question: Question, text: str, note: str) -> Answer | None:
        """Read an answer cell; None: it is none of the list."""
        if not text or question.kind not in {Kind.ONE, Kind.BOOLEAN}:
            return Answer(text=text, note=note)
        told = one_line(text).casefold()
        if question.kind is Kind.BOOLEAN:
            known = {said[word].casefold(): word for said in WORDS.values() for word in YES_NO} | {word: word for word in YES_NO}
            return Answer(text=known[told], note=note) if told in known else None
        for choice in question.choices:
            if told in {one_line(said).casefold() for said in choice.words.values()}:
                return Answer(picked=(choice.urn,), note=note)
        return None

    def contact(self, sheet: Any, name: str) -> Contact:  # noqa: ANN401 - openpyxl has no types
        """Read who answers."""
        cells = [cells[1] for _, cells in islice(rows_of(sheet, 2), 3)]
        cells += [Cell()] * (3 - len(cells))
        for row, cell in enumerate(cells, start=1):
            if cell.fault is not None:
                self.fault(name, f"B{row}", *cell.fault)
        contact = Contact(name=cells[0].text, function=cells[1].text, email=cells[2].text)
        wrong = check_contact(contact)
        if wrong is not None:
            row = ("name", "function", "email").index(wrong) + 1
            self.fault(name, f"B{row}", "it is missing or not as it must be", "Fill it in")
        return contact
