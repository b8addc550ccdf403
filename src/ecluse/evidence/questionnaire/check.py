"""Whether answers can be taken: each to a question that there is, of its kind, within its bounds. Pure; every fault is told, nothing is guessed."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from ecluse.evidence.model import Fault
from ecluse.evidence.questionnaire.model import MOST_NOTE, MOST_PICKED, Answer, Answers, Contact, Kind, Question, Questionnaire

MOST_NAME: Final = 120
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}([.,][0-9]{1,6})?")
_EMAIL: Final = re.compile(r"[^@\s<>,;:\"]{1,64}@[^@\s<>,;:\"]{1,180}\.[^@\s<>,;:\".]{2,63}")
_UNTIDY: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
YES_NO: Final = ("yes", "no")


def check_answers(questionnaire: Questionnaire, answers: Answers) -> tuple[Fault, ...]:
    """Return all that is wrong with answers; what is missing is not wrong here."""
    questions = {question.urn: question for _, question in questionnaire.asked()}
    faults: list[Fault] = []
    for urn, answer in answers.items():
        question = questions.get(urn)
        if question is None:
            faults.append(Fault(where=urn[:80], why="there is no such question", mend="Answer the questions as they were sent"))
            continue
        why = why_not(question, answer)
        if why is not None:
            faults.append(Fault(where=urn[-80:], why=why[0], mend=why[1]))
    return tuple(faults)


def why_not(question: Question, answer: Answer) -> tuple[str, str] | None:
    """Say why an answer can't be taken, and the mend; None if it can."""
    if not tidy(answer.text) or not tidy(answer.note) or max(len(answer.text), len(answer.note)) > MOST_NOTE:
        return (
            f"a text is longer than {MOST_NOTE} characters or holds control characters",
            "Shorten it, and type it as plain text",
        )
    if question.kind in {Kind.ONE, Kind.MANY}:
        if answer.text or len(answer.picked) > (1 if question.kind is Kind.ONE else MOST_PICKED):
            return (
                "it takes one of its answers" if question.kind is Kind.ONE else "it takes some of its answers",
                "Pick from the list",
            )
        if len(set(answer.picked)) != len(answer.picked) or any(question.choice(each) is None for each in answer.picked):
            return "that is none of its answers", "Pick from the list"
        return None
    if answer.picked:
        return "it takes a text, no choice", "Type the answer"
    if not answer.text:
        return None
    if question.kind is Kind.NUMBER and not _NUMBER.fullmatch(answer.text):
        return "it is not a number", "Write digits, such as 12 or 0.5"
    if question.kind is Kind.DATE and not is_day(answer.text):
        return "it is not a day of the calendar", "Write it as 2026-01-31"
    if question.kind is Kind.BOOLEAN and answer.text not in YES_NO:
        return "it takes yes or no", "Pick one of the two"
    return None


def check_contact(contact: Contact) -> str | None:
    """Return which part of a contact is missing or wrong (``name``, ``function``, ``email``), None if it is whole."""
    for part in ("name", "function"):
        text = getattr(contact, part)
        if not text or len(text) > MOST_NAME or not tidy(text) or "\n" in text:
            return part
    return None if _EMAIL.fullmatch(contact.email) and tidy(contact.email) else "email"


def tidy(text: str) -> bool:
    """Tell whether a text holds no control character but line ends, and no sign that turns the direction of what surrounds it."""
    return _UNTIDY.search(text) is None


def is_day(text: str) -> bool:
    """Tell whether a text is a day as ISO 8601 writes it, with hyphens."""
    try:
        return len(text) == 10 and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
