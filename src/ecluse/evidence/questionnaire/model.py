"""A questionnaire, the answers to it, and what they are worth: frozen values, read from the library format of CISO Assistant (`library`).

A questionnaire is a line of nodes (headings, and requirements with their questions). A question may depend on an earlier answer; who is not asked it owes
nothing. Every text is there in one or more languages, the questionnaire's own first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from ecluse.contracts.standing import Severity

Words: TypeAlias = dict[str, str]
"""One text by language, the questionnaire's own language first; empty: none."""

MOST_NOTE: Final = 1_000
"""Characters of a text or comment typed by a processor."""
MOST_PICKED: Final = 64
"""Choices picked in one answer."""


class Kind(StrEnum):
    """What kind of answer a question takes; the words are those of the format."""

    ONE = "unique_choice"
    MANY = "multiple_choice"
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"


class Result(StrEnum):
    """What a choice says of its requirement. Words of the format: no page and no paper of ours shows them."""

    MET = "compliant"
    PARTLY = "partially_compliant"
    UNMET = "non_compliant"
    APART = "not_applicable"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to pick. ``points``: None where it is not scored; ``severity``: of the finding that it proposes, None for none."""

    urn: str
    words: Words
    points: int | None = None
    result: Result | None = None
    severity: Severity | None = None


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A question is asked only if another one was answered so: by any of ``choices``, or (``every``) by all of them."""

    question: str
    choices: tuple[str, ...]
    every: bool = False


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question. ``weight``: how much it counts beside others."""

    urn: str
    words: Words
    kind: Kind
    choices: tuple[Choice, ...] = ()
    weight: int = 1
    condition: Condition | None = None

    def choice(self, urn: str) -> Choice | None:
        """Return one of its choices."""
        return next((each for each in self.choices if each.urn == urn), None)


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A heading, or a requirement with its questions. ``evidence_for``: articles and items of guidance; ``finding``: what a bad answer is called."""

    urn: str
    parent: str | None
    depth: int
    ref_id: str
    name: Words
    description: Words
    annotation: Words
    typical_evidence: Words
    evidence_for: Words
    finding: Words
    assessable: bool
    questions: tuple[Question, ...]


class Questionnaire(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a questionnaire. ``locale``: its own language."""

    urn: str
    ref_id: str
    version: str
    locale: str
    name: Words
    description: Words
    provider: str
    copyright: str
    published_on: str
    nodes: tuple[Node, ...]

    def asked(self) -> Iterator[tuple[Node, Question]]:
        """Yield all questions with their nodes, in order."""
        for node in self.nodes:
            for question in node.questions:
                yield node, question

    @property
    def languages(self) -> tuple[str, ...]:
        """Return the languages in which every question is there, its own first."""
        found = [set(question.words) for _, question in self.asked()]
        everywhere = set.intersection(*found) if found else set()
        return (self.locale, *sorted(everywhere - {self.locale}))


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was answered to one question: choices picked, or a text (also a number, a day); and a comment."""

    picked: tuple[str, ...] = ()
    text: str = ""
    note: str = ""

    @property
    def given(self) -> bool:
        """Tell whether there is an answer; a comment alone is none."""
        return bool(self.picked or self.text)


Answers: TypeAlias = Mapping[str, Answer]
"""Answers by question."""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Who answered for the processor: staff data, kept as `migrations/0010_pre_questionnaire.sql` says."""

    name: str = ""
    function: str = ""
    email: str = ""

    def __repr__(self) -> str:
        """Show nobody."""
        return "Contact(…)"


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """One processor's answers to one questionnaire. ``way``: ``link`` or ``workbook``; ``handed_in_at`` None: a draft; ``evidence``: what came of it."""

    id: str
    processor: str
    questionnaire: str
    way: str
    language: str
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    saved_at: datetime | None
    handed_in_at: datetime | None
    evidence: str | None
    answers: dict[str, Answer]
    contact: Contact

    def state(self, now: datetime) -> str:
        """Say how it stands: ``accepted``, ``handed in``, ``revoked``, ``expired``, ``begun`` or ``sent``."""
        if self.evidence is not None:
            return "accepted"
        if self.handed_in_at is not None:
            return "handed in"
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at <= now:
            return "expired"
        return "begun" if self.answers else "sent"


def say(words: Words, language: str) -> str:
    """Return a text in a language, else in the questionnaire's own, else nothing."""
    return words.get(language) or next(iter(words.values()), "")
