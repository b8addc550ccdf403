"""A questionnaire as an XLSX workbook, written for a processor; `filled` reads it back. Pure.

Instructions, the questions with an answer cell each (a list to pick from, where there is one), who answers; everything else is locked. The identifiers
stand in a hidden column. Whatever was typed is written as text, never as a formula, and is marked so that a spreadsheet keeps it.
"""

from __future__ import annotations

import io
from typing import Any, Final

import msgspec
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from ecluse.evidence.questionnaire.check import YES_NO
from ecluse.evidence.questionnaire.model import Answer, Answers, Contact, Kind, Node, Question, Questionnaire, say
from ecluse.evidence.questionnaire.record import one_line, ref_of
from ecluse.evidence.questionnaire.score import NOTHING

FORM: Final = "1"
META: Final = "ecluse"
_LISTS: Final = "lists"
FIRST: Final = 3  # the row of the first question, counted from 1
COLUMNS: Final = ("A", "B", "C", "D", "E", "F", "G")  # ref, question, asked if, answer, comment, evidence for, identifier

WORDS: Final[dict[str, dict[str, Any]]] = {
    "en": {
        "instructions": "Instructions", "questions": "Questions", "about": "Who answers",
        "heads": ("Ref.", "Question", "Asked only if", "Your answer", "Comment (optional)", "Evidence for"),
        "fields": (("name", "Your name"), ("function", "Your function"), ("email", "Your e-mail address at work")),
        "yes": "Yes", "no": "No", "x": "X", "or": " or ", "and": " and ",
        "tick": "Mark with X each that applies",
        "list_error": "Pick one of the answers of the list, or empty the cell.",
        "how": (
            "Fill in the yellow cells of the sheets “Questions” and “Who answers”. Everything else is locked.",
            "A cell with a list takes one of its answers. A question “asked only if” may be left empty if that is not so.",
            "Write no names of other people, no passwords, and nothing about the persons whose data you see.",
            "Use no formulas, macros or links: such a workbook is refused. Delete no rows.",
            "Save it as .xlsx and send it back the way it came. Your name, function and address are kept while the contract runs and for 12 months after.",
        ),
        "for": "Prepared for",
    },
    "fr": {
        "instructions": "Mode d’emploi", "questions": "Questions", "about": "Qui répond",
        "heads": ("Réf.", "Question", "Posée seulement si", "Votre réponse", "Commentaire (facultatif)", "Élément de preuve pour"),
        "fields": (("name", "Votre nom"), ("function", "Votre fonction"), ("email", "Votre adresse électronique professionnelle")),
        "yes": "Oui", "no": "Non", "x": "X", "or": " ou ", "and": " et ",
        "tick": "Marquez d’un X chaque réponse qui convient",
        "list_error": "Choisissez une réponse de la liste, ou videz la cellule.",
        "how": (
            "Remplissez les cellules jaunes des feuilles «\u00a0Questions\u00a0» et «\u00a0Qui répond\u00a0». Tout le reste est verrouillé.",
            "Une cellule à liste prend une de ses réponses. Une question «\u00a0posée seulement si\u00a0» peut rester vide si ce n’est pas le cas.",
            "N’écrivez ni nom d’autres personnes, ni mot de passe, ni rien sur les personnes dont vous voyez les données.",
            "Ni formule, ni macro, ni lien\u00a0: un tel classeur est refusé. Ne supprimez aucune ligne.",
            "Enregistrez-le en .xlsx et renvoyez-le comme il est venu. Vos nom, fonction et adresse sont gardés pendant le contrat, puis douze mois.",
        ),
        "for": "Préparé pour",
    },
}  # fmt: skip


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """What stands on a workbook's hidden sheet: for whom it was made, of which text, in which language."""

    processor: str
    questionnaire: str
    language: str


def write_workbook(
    questionnaire: Questionnaire, *, processor: str, digest: str, language: str, answers: Answers | None = None, contact: Contact | None = None
) -> bytes:  # fmt: skip
    """Write a workbook for a processor; ``digest``: of the questionnaire's text; ``answers``, ``contact``: to begin from."""
    return _Writer(questionnaire, language).write(
        Filled(processor=processor, questionnaire=digest, language=language), answers or {}, contact or Contact()
    )


class _Writer:
    """One workbook being written."""

    def __init__(self, questionnaire: Questionnaire, language: str) -> None:
        self.out = io.BytesIO()
        options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        self.book = xlsxwriter.Workbook(self.out, options)
        self.questionnaire, self.language = questionnaire, language
        self.words = WORDS.get(language, WORDS["en"])
        edge = {"border": 1, "border_color": "#B8C4C8", "text_wrap": True, "valign": "top"}
        self.head = self.book.add_format({**edge, "bold": True, "bg_color": "#0D3B46", "font_color": "#FFFFFF"})
        self.plain = self.book.add_format(edge)
        self.small = self.book.add_format({**edge, "font_size": 9, "font_color": "#4A5D63"})
        self.area = self.book.add_format({**edge, "bold": True, "bg_color": "#E4EEF0"})
        # the prefix tells a spreadsheet that what stands there is text, also after somebody has edited it
        self.fill = self.book.add_format(
            {**edge, "bg_color": "#FFF7D6", "locked": False, "num_format": "@", "quote_prefix": True}
        )
        self.title = self.book.add_format({"bold": True, "font_size": 16, "font_color": "#0D3B46", "text_wrap": True})
        self.wrap = self.book.add_format({"text_wrap": True, "valign": "top"})

    def write(self, filled: Filled, answers: Answers, contact: Contact) -> bytes:
        """Write all sheets."""
        self.instructions(filled)
        self.questions(answers)
        self.about(contact)
        meta = self.book.add_worksheet(META)
        for row, text in enumerate((FORM, filled.processor, filled.questionnaire, filled.language)):
            meta.write_string(row, 0, text)
        meta.protect()
        meta.very_hidden()
        self.book.close()
        return self.out.getvalue()

    def sheet(self, name: str, widths: tuple[int, ...]) -> Worksheet:
        """Add a sheet that is locked but for its answer cells, laid out for print."""
        sheet: Worksheet = self.book.add_worksheet(name)
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        sheet.protect("", {"format_rows": True, "format_columns": True})
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.hide_gridlines(2)
        return sheet

    def instructions(self, filled: Filled) -> None:
        """Say how it is filled in."""
        sheet = self.sheet(self.words["instructions"], (4, 110))
        sheet.write_string(0, 1, say(self.questionnaire.name, self.language), self.title)
        sheet.write_string(1, 1, say(self.questionnaire.description, self.language), self.wrap)
        sheet.write_string(
            2, 1, f"{self.words['for']} {filled.processor} · {self.questionnaire.ref_id} v{self.questionnaire.version}", self.wrap
        )
        for row, text in enumerate(self.words["how"], start=4):
            sheet.write_string(row, 0, f"{row - 3}.", self.wrap)
            sheet.write_string(row, 1, text, self.wrap)

    def questions(self, answers: Answers) -> None:
        """Write the questions."""
        sheet = self.sheet(self.words["questions"], (9, 62, 34, 44, 34, 40))
        sheet.set_column(6, 6, None, None, {"hidden": True})
        sheet.write_string(0, 1, say(self.questionnaire.name, self.language), self.title)
        for column, text in enumerate(self.words["heads"]):
            sheet.write_string(1, column, text, self.head)
        sheet.freeze_panes(2, 2)
        sheet.repeat_rows(1)
        lists = self.book.add_worksheet(_LISTS)
        lists.protect()
        lists.hide()
        row, column = FIRST - 1, 0
        for node in self.questionnaire.nodes:
            if not node.questions and node.name:
                sheet.merge_range(row, 0, row, 5, say(node.name, self.language), self.area)
                row += 1
            for question in node.questions:
                row, column = self.question(sheet, lists, (row, column), node, question, answers.get(question.urn, NOTHING))

    def question(
        self, sheet: Worksheet, lists: Worksheet, at: tuple[int, int], node: Node, question: Question, answer: Answer
    ) -> tuple[int, int]:
        """Write one question on as many rows as it takes; return where the next row and the next list stand."""
        row, column = at
        texts = (ref_of(node), say(question.words, self.language), self.condition(question))
        for place, text in enumerate(texts):
            sheet.write_string(row, place, text, self.small if place == 2 else self.plain)
        sheet.write_string(row, 5, say(node.evidence_for, self.language), self.small)
        sheet.write_string(row, 6, question.urn)
        sheet.write_string(row, 4, answer.note, self.fill)
        if question.kind is Kind.MANY:
            sheet.write_string(row, 3, self.words["tick"], self.small)
            for choice in question.choices:
                row += 1
                sheet.write_string(row, 1, f"– {say(choice.words, self.language)}", self.plain)
                sheet.write_string(row, 3, self.words["x"] if choice.urn in answer.picked else "", self.fill)
                sheet.write_string(row, 6, f"{question.urn}\n{choice.urn}")
                self.list_of(sheet, row, [self.words["x"]])
            return row + 1, column
        sheet.write_string(row, 3, self.shown(question, answer), self.fill)
        if question.kind is Kind.BOOLEAN:
            self.list_of(sheet, row, [self.words["yes"], self.words["no"]])
        elif question.kind is Kind.ONE:
            for place, choice in enumerate(question.choices):
                lists.write_string(place, column, one_line(say(choice.words, self.language)))
            name = xlsxwriter.utility.xl_col_to_name(column, col_abs=True)
            self.list_of(sheet, row, f"={_LISTS}!{name}$1:{name}${len(question.choices)}")
            column += 1
        return row + 1, column

    def list_of(self, sheet: Worksheet, row: int, source: list[str] | str) -> None:
        """Let a cell take an answer of a list only."""
        sheet.data_validation(row, 3, row, 3, {"validate": "list", "source": source, "error_message": self.words["list_error"]})

    def shown(self, question: Question, answer: Answer) -> str:
        """Write an answer as its cell holds it."""
        if question.kind is Kind.BOOLEAN:
            return str(self.words[answer.text]) if answer.text in YES_NO else ""
        if question.kind is Kind.ONE:
            return next((one_line(say(each.words, self.language)) for each in question.choices if each.urn in answer.picked), "")
        return answer.text

    def condition(self, question: Question) -> str:
        """Say when a question is asked."""
        on = question.condition
        if on is None:
            return ""
        for node, asked in self.questionnaire.asked():
            if asked.urn == on.question:
                joined = self.words["and" if on.every else "or"].join(
                    f"“{say(choice.words, self.language)}”" for choice in asked.choices if choice.urn in on.choices
                )
                return f"{ref_of(node)}: {joined}"
        return ""

    def about(self, contact: Contact) -> None:
        """Ask who answers."""
        sheet = self.sheet(self.words["about"], (44, 60))
        for row, (part, text) in enumerate(self.words["fields"]):
            sheet.write_string(row, 0, text, self.plain)
            sheet.write_string(row, 1, getattr(contact, part), self.fill)
