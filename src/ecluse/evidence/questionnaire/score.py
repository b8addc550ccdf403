"""What answers are worth, and why: a pure function of a questionnaire and the answers. A judgement is a person's; this is what it leans on.

A question counts if it is asked, weighs something and one of its choices says what it is worth (``points``, else the result: met 100, partly 50, unmet 0).
Its worth is the share of the best that could be picked, between 0 and 1, times its weight; no answer is worth nothing; an answer "does not apply" takes the
question out. A choice with a severity *proposes* a finding: a person confirms it or lets it be.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from fractions import Fraction
from typing import Final

import msgspec

from ecluse.contracts.standing import Severity
from ecluse.evidence.questionnaire.model import Answer, Answers, Choice, Kind, Node, Question, Questionnaire, Result

DUE_DAYS: Final = {Severity.CRITICAL: 15, Severity.HIGH: 60, Severity.MEDIUM: 120, Severity.LOW: 180}
"""The days that a confirmed finding is given, unless whoever confirms it says otherwise."""

NOTHING: Final = Answer()
_WORTH: Final = {Result.MET: 100, Result.PARTLY: 50, Result.UNMET: 0}
_WORST: Final = tuple(Severity)


class Standing(StrEnum):
    """How a question stands."""

    FULL = "full"
    PART = "part"
    NONE = "none"
    OPEN = "unanswered"
    APART = "not-applicable"
    TOLD = "not-scored"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One question that was asked: what it earned ``of`` its weight."""

    node: Node
    question: Question
    answer: Answer
    standing: Standing
    earned: Fraction
    of: int


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that an answer proposes. ``ref``: the requirement's, by which a person names it."""

    ref: str
    question: str
    choice: str
    severity: Severity
    node: Node


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The whole. ``share``: of all that counts, None where nothing does; ``proposals``: worst first."""

    lines: tuple[Line, ...]
    earned: Fraction
    of: int
    proposals: tuple[Proposal, ...]

    @property
    def share(self) -> Fraction | None:
        """Return what was earned of all that counts, between 0 and 1."""
        return self.earned / self.of if self.of else None

    @property
    def unanswered(self) -> tuple[Line, ...]:
        """Return the questions that were asked and have no answer."""
        return tuple(line for line in self.lines if not line.answer.given)

    @property
    def percent(self) -> int | None:
        """Return the share in whole per cents, rounded down: 99.9 % is not all."""
        return None if self.share is None else int(self.share * 100)


def visible(questionnaire: Questionnaire, answers: Answers) -> Iterator[tuple[Node, Question]]:
    """Yield the questions that are asked, given these answers. What hangs on a question that is not asked is not asked either."""
    shown: set[str] = set()
    for node, question in questionnaire.asked():
        on = question.condition
        if on is not None:
            picked = set(answers.get(on.question, NOTHING).picked) if on.question in shown else set()
            if not (set(on.choices) <= picked if on.every else picked & set(on.choices)):
                continue
        shown.add(question.urn)
        yield node, question


def score(questionnaire: Questionnaire, answers: Answers) -> Score:
    """Weigh answers. Answers to what is not asked count for nothing."""
    lines, proposals = [], []
    for node, question in visible(questionnaire, answers):
        answer = answers.get(question.urn, NOTHING)
        picked = [choice for choice in question.choices if choice.urn in answer.picked]
        lines.append(_line(node, question, answer, picked))
        proposals += [
            Proposal(ref=node.ref_id or node.urn, question=question.urn, choice=choice.urn, severity=choice.severity, node=node)
            for choice in picked
            if choice.severity is not None
        ]
    proposals.sort(key=lambda one: _WORST.index(one.severity))
    return Score(
        lines=tuple(lines),
        earned=sum((line.earned for line in lines), Fraction(0)),
        of=sum(line.of for line in lines),
        proposals=tuple(proposals),
    )


def _line(node: Node, question: Question, answer: Answer, picked: list[Choice]) -> Line:
    """Weigh one answer."""

    def line(standing: Standing, share: Fraction = Fraction(0), of: int = question.weight) -> Line:
        return Line(node=node, question=question, answer=answer, standing=standing, earned=share * of, of=of)

    worths = [worth for choice in question.choices if (worth := worth_of(choice)) is not None]
    best = sum(worth for worth in worths if worth > 0) if question.kind is Kind.MANY else max(worths, default=0)
    if any(choice.result is Result.APART for choice in picked):
        return line(Standing.APART, of=0)
    if best <= 0 or question.weight <= 0:
        return line(Standing.TOLD if answer.given else Standing.OPEN, of=0)
    if not picked:
        return line(Standing.OPEN)
    got = sum(worth_of(choice) or 0 for choice in picked)
    share = min(Fraction(1), max(Fraction(0), Fraction(got, best)))
    standing = Standing.FULL if share == 1 else Standing.PART if share > 0 else Standing.NONE
    return line(standing, share)


def worth_of(choice: Choice) -> int | None:
    """Return what a choice is worth, None where it says nothing of that."""
    return choice.points if choice.points is not None else _WORTH.get(choice.result) if choice.result is not None else None
