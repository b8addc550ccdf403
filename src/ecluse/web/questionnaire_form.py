"""From a form's body to answers: bounded, strict about what it is, tolerant of nothing that the page did not offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl

from ecluse.evidence.questionnaire.check import tidy, why_not
from ecluse.evidence.questionnaire.model import MOST_NOTE, Answer, Contact, Kind, Node, Question

MOST_BODY_BYTES: Final = 256 * 1024
_MOST_FIELDS: Final = 1_000
_FAULT: Final = {Kind.NUMBER: "number", Kind.DATE: "date"}

Fields = Mapping[str, Sequence[str]]
"""What a form holds: the values of each name, in order."""


class NoForm(Exception):
    """The body is no form of ours."""


def read_form(content_type: str, body: bytes) -> dict[str, list[str]]:
    """Read a body as HTML forms send it. Raises `NoForm`."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise NoForm
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:  # also what is not ASCII, and not UTF-8 once its escapes are undone
        raise NoForm from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value.replace("\r\n", "\n").strip())
    return found


def read_part(asked: Sequence[tuple[int, Node, Question]], fields: Fields) -> tuple[dict[str, Answer], dict[int, str]]:
    """Read the answers to the questions of a page, and what is wrong, by place: ``choice``, ``text``, ``number`` or ``date``. Raises `NoForm`."""
    answers: dict[str, Answer] = {}
    faults: dict[int, str] = {}
    for place, _, question in asked:
        if str(place) not in fields.get("shown", ()):
            continue
        answer = _answer(question, fields.get(f"a{place}", ()), _one(fields, f"n{place}"))
        answers[question.urn] = answer
        if (
            not tidy(answer.note)
            or len(answer.note) > MOST_NOTE
            or (answer.text and (not tidy(answer.text) or len(answer.text) > MOST_NOTE))
        ):
            faults[place] = "text"
        elif why_not(question, answer) is not None:
            faults[place] = _FAULT.get(question.kind, "choice")
    return answers, faults


def _answer(question: Question, values: Sequence[str], note: str) -> Answer:
    """Take what was sent for one question."""
    if question.kind not in {Kind.ONE, Kind.MANY}:
        if len(values) > 1:
            raise NoForm
        return Answer(text=values[0] if values else "", note=note)
    places = [int(value) for value in values if value.isascii() and value.isdecimal() and len(value) < 5]
    if len(places) < len(values) or any(place >= len(question.choices) for place in places):
        raise NoForm
    return Answer(picked=tuple(dict.fromkeys(question.choices[place].urn for place in places)), note=note)


def read_contact(fields: Fields) -> Contact:
    """Take who answers. Raises `NoForm`."""
    return Contact(name=_one(fields, "name"), function=_one(fields, "function"), email=_one(fields, "email"))


def _one(fields: Fields, name: str) -> str:
    """Return the one value of a name, empty if there is none."""
    values = fields.get(name, ())
    if len(values) > 1:
        raise NoForm
    return values[0] if values else ""
