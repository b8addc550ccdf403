"""What the pages of a questionnaire show: their parts, one context a page, rendered by the templates beside.

Autoescape is on for every template, and none has script or style in it: what a processor typed can only ever be text. The questionnaire's own texts come from a
library file, which may be a stranger's, and are escaped like the rest.
"""

from __future__ import annotations

import tomllib
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final, Literal, TypeAlias

import jinja2
import msgspec
from babel.dates import format_date, format_time

from ecluse.evidence.questionnaire.model import (
    MOST_NOTE,
    Answer,
    Answers,
    Contact,
    Kind,
    Node,
    Question,
    Questionnaire,
    Words,
    say,
)
from ecluse.evidence.questionnaire.record import answer_text
from ecluse.evidence.questionnaire.score import NOTHING, visible

STYLE: Final = "/questionnaire.css"
MOST_A_PART: Final = 8
"""Questions on one page."""
_MINUTES_EACH: Final = 0.6
Tongue: TypeAlias = Literal["en", "fr"]
"""A language that the pages themselves speak."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Questions that stand on one page; ``asked``: with their places in the whole, by which the form names them."""

    title: Words
    description: Words
    asked: tuple[tuple[int, Node, Question], ...]


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """In which languages a page is written: ``language`` of the questionnaire, ``tongue`` of what is around it; ``others``: to change to."""

    language: str
    tongue: Tongue
    others: tuple[str, ...]


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to pick."""

    place: int
    text: str
    picked: bool


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One question as its page shows it. ``fault``: the key of what is wrong with the answer, or empty; ``new``: an answer has just opened it."""

    place: int
    ref: str
    text: str
    help: str
    evidence: str
    have_ready: str
    kind: Kind
    options: tuple[Option, ...]
    value: str
    note: str
    fault: str
    new: bool


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One part in the list of parts. ``state``: ``now``, ``done``, ``begun`` or ``to-do``."""

    number: int
    title: str
    state: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One answer read back."""

    ref: str
    text: str
    answer: str
    note: str


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """One part read back."""

    number: int
    title: str
    told: tuple[Told, ...]


class BeginPage(msgspec.Struct, frozen=True, kw_only=True):
    """The page behind the link itself."""

    controller: str
    processor: str
    title: str
    description: str
    count: int
    minutes: int
    until: str
    begun: bool


class PartPage(msgspec.Struct, frozen=True, kw_only=True):
    """One part to fill in."""

    title: str
    number: int
    count: int
    name: str
    description: str
    fields: tuple[Field, ...]
    steps: tuple[Step, ...]
    most: int


class ReviewPage(msgspec.Struct, frozen=True, kw_only=True):
    """Everything once more, and who answers. ``fault``: the key of what is wrong, or empty; ``open``: questions without an answer."""

    controller: str
    title: str
    chapters: tuple[Chapter, ...]
    steps: tuple[Step, ...]
    open: int
    contact: Contact
    fault: str


class DonePage(msgspec.Struct, frozen=True, kw_only=True):
    """Handed in."""

    controller: str
    title: str
    reference: str
    handed_in: str
    chapters: tuple[Chapter, ...]


class NoticePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page that only says something: ``key`` of its words."""

    key: str


Page: TypeAlias = BeginPage | PartPage | ReviewPage | DonePage | NoticePage
_TEMPLATE: Final = {BeginPage: "begin", PartPage: "part", ReviewPage: "review", DonePage: "done", NoticePage: "notice"}


@cache
def words() -> dict[str, dict[str, Any]]:
    """Return what the pages say, by language and key."""
    return tomllib.loads((files("ecluse.web") / "questionnaire_words.toml").read_text(encoding="utf-8"))


@cache
def style() -> tuple[str, str]:
    """Return the style sheet and its address, which changes with it."""
    css = (files("ecluse.web") / "questionnaire.css").read_text(encoding="utf-8")
    return css, f"{STYLE}?v={sha256(css.encode()).hexdigest()[:16]}"


@cache
def _templates() -> jinja2.Environment:
    loader = jinja2.PackageLoader("ecluse.web", "templates/questionnaire")
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def render(page: Page, spoken: Spoken) -> str:
    """Write a page."""
    template = _templates().get_template(f"{_TEMPLATE[type(page)]}.html")
    return template.render(page=page, spoken=spoken, say=words()[spoken.tongue], style=style()[1])


def spoken_in(questionnaire: Questionnaire | None, asked: str | None, otherwise: str) -> Spoken:
    """Return the languages of a page: the one asked for if the questionnaire has it, else the response's own."""
    known = questionnaire.languages if questionnaire is not None else ("en", "fr")
    language = asked if asked is not None and asked in known else otherwise
    return Spoken(
        language=language, tongue="fr" if language == "fr" else "en", others=tuple(each for each in known if each != language)
    )


def parts_of(questionnaire: Questionnaire) -> tuple[Part, ...]:
    """Cut a questionnaire into pages: by its highest headings, eight questions on each at most."""
    headings = [node.depth for node in questionnaire.nodes if not node.questions]
    highest = min(headings, default=0)
    found: list[Part] = []
    title, description, asked, place = Words(), Words(), list[tuple[int, Node, Question]](), 0

    def close() -> None:
        found.extend(
            Part(title=title, description=description, asked=tuple(asked[start : start + MOST_A_PART]))
            for start in range(0, len(asked), MOST_A_PART)
        )
        asked.clear()

    for node in questionnaire.nodes:
        if not node.questions and node.depth == highest:
            close()
            title, description = node.name, node.description
        for question in node.questions:
            asked.append((place, node, question))
            place += 1
    close()
    return tuple(found)


def shown(questionnaire: Questionnaire, part: Part, answers: Answers) -> list[tuple[int, Node, Question]]:
    """Return the questions of a part that are asked, given all answers."""
    asked = {question.urn for _, question in visible(questionnaire, answers)}
    return [each for each in part.asked if each[2].urn in asked]


def begin_page(
    questionnaire: Questionnaire, spoken: Spoken, *, controller: str, processor: str, until: datetime, begun: bool
) -> BeginPage:
    """Make the first page."""
    count = sum(1 for _ in questionnaire.asked())
    return BeginPage(
        controller=controller, processor=processor, title=say(questionnaire.name, spoken.language), description=say(questionnaire.description, spoken.language),
        count=count, minutes=max(5, round(count * _MINUTES_EACH / 5) * 5), until=local(until, spoken), begun=begun,
    )  # fmt: skip


def part_page(
    questionnaire: Questionnaire, spoken: Spoken, number: int, answers: Answers, *, faults: dict[int, str] | None = None, new: frozenset[int] = frozenset()
) -> PartPage:  # fmt: skip
    """Make the page of a part (counted from 1). ``faults``: by question; ``new``: questions that have just been opened."""
    parts = parts_of(questionnaire)
    part = parts[number - 1]
    fields = tuple(
        _field(
            place,
            node,
            question,
            answers.get(question.urn, NOTHING),
            spoken,
            fault=(faults or {}).get(place, ""),
            new=place in new,
        )
        for place, node, question in shown(questionnaire, part, answers)
    )
    return PartPage(
        title=say(questionnaire.name, spoken.language), number=number, count=len(parts), name=say(part.title, spoken.language),
        description=say(part.description, spoken.language), fields=fields, steps=steps(questionnaire, spoken, answers, number), most=MOST_NOTE,
    )  # fmt: skip


def _field(place: int, node: Node, question: Question, answer: Answer, spoken: Spoken, *, fault: str, new: bool) -> Field:
    """Make one question."""
    language, several = spoken.language, len(node.questions) > 1
    options = tuple(
        Option(place=number, text=say(choice.words, language), picked=choice.urn in answer.picked)
        for number, choice in enumerate(question.choices)
    )
    return Field(
        place=place, ref=node.ref_id, text=say(question.words, language), help="" if several else say(node.annotation, language),
        evidence=say(node.evidence_for, language), have_ready=say(node.typical_evidence, language), kind=question.kind, options=options,
        value=answer.text, note=answer.note, fault=fault, new=new,
    )  # fmt: skip


def steps(questionnaire: Questionnaire, spoken: Spoken, answers: Answers, now: int) -> tuple[Step, ...]:
    """List the parts and how far each has come; ``now``: the one that is shown, 0 for none."""
    found = []
    for number, part in enumerate(parts_of(questionnaire), start=1):
        given = [answers.get(question.urn, NOTHING).given for _, _, question in shown(questionnaire, part, answers)]
        state = "now" if number == now else "done" if all(given) else "begun" if any(given) else "to-do"
        found.append(Step(number=number, title=say(part.title, spoken.language), state=state))
    return tuple(found)


def chapters(questionnaire: Questionnaire, spoken: Spoken, answers: Answers) -> tuple[Chapter, ...]:
    """Read all answers back, part by part."""
    found = []
    for number, part in enumerate(parts_of(questionnaire), start=1):
        told = tuple(
            Told(
                ref=node.ref_id, text=say(question.words, spoken.language), answer=answer_text(question, answers.get(question.urn, NOTHING), spoken.language),
                note=answers.get(question.urn, NOTHING).note,
            )
            for _, node, question in shown(questionnaire, part, answers)
        )  # fmt: skip
        found.append(Chapter(number=number, title=say(part.title, spoken.language), told=told))
    return tuple(found)


def local(at: datetime, spoken: Spoken) -> str:
    """Write an instant for people, in its own time zone."""
    day, hour = format_date(at, "long", locale=spoken.tongue), format_time(at, "short", tzinfo=at.tzinfo, locale=spoken.tongue)
    return f"{day}, {hour} ({at.tzinfo})"
