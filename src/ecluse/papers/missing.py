"""What the law wants a paper to hold, as data (``obligations.toml``), and which of it is empty in given facts. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from ecluse.papers.model import Facts, Language, PaperKind, ProcessorFacts
from ecluse.toml_lines import load_toml

_FILE: Final = Path(__file__).with_name("obligations.toml")


class Asked(StrEnum):
    """When a field has to be filled."""

    ALWAYS = "always"
    WHERE_APPLICABLE = "where-applicable"
    THIRD_COUNTRIES = "third-countries"


class Obligation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field that a paper has to hold from a day on. ``path`` leads to its value, ``say`` to where a person says it."""

    id: str
    paper: PaperKind
    article: str
    path: str
    asked: Asked
    say: str
    valid_from: date
    valid_until: date | None = None
    en: str
    fr: str

    def label(self, language: Language) -> str:
        """Return how the field is called."""
        return self.fr if language is Language.FR else self.en


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A field that is empty: which, by what law, for which processor (None: for none in particular), and where to say it."""

    id: str
    article: str
    processor: str | None
    say: str
    en: str
    fr: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    field: tuple[Obligation, ...]


@cache
def obligations() -> tuple[Obligation, ...]:
    """Return all of them, of every day, in the order of the file."""
    return msgspec.convert(load_toml(_FILE.read_text(encoding="utf-8")), _File).field


def asked_of(paper: PaperKind, on: date) -> tuple[Obligation, ...]:
    """Return what a paper of a day has to hold."""
    return tuple(
        each
        for each in obligations()
        if each.paper is paper and each.valid_from <= on and (each.valid_until is None or on <= each.valid_until)
    )


def missing_of(paper: PaperKind, facts: Facts, processor: ProcessorFacts | None, on: date) -> tuple[Missing, ...]:
    """Return the fields of a paper that have to be filled and are empty. ``processor``: that the paper is of, None: of all."""
    abroad = processor.third_countries if processor is not None else facts.third_countries
    return tuple(
        Missing(id=each.id, article=each.article, processor=whose, say=each.say, en=each.en, fr=each.fr)
        for each in asked_of(paper, on)
        if each.asked is Asked.ALWAYS or (each.asked is Asked.THIRD_COUNTRIES and abroad)
        for whose in _empty(each, facts, processor)
    )


def _empty(obligation: Obligation, facts: Facts, processor: ProcessorFacts | None) -> Iterator[str | None]:
    """Yield the processor (or None) for which the value is empty, each once."""
    head, *steps = obligation.path.split(".")
    if head == "processor":
        if processor is None:
            raise AssertionError("impossible: a paper of no processor asks for one's field")
        if any(is_empty(value) for value in _values(processor, steps)):
            yield processor.id
    elif head == "processors" and steps:
        yield from (each.id for each in facts.processors if any(is_empty(value) for value in _values(each, steps[1:])))
    elif any(is_empty(value) for value in _values(facts, [head, *steps])):
        yield None


def _values(value: object, steps: list[str]) -> Iterator[object]:
    """Follow a path; ``*`` goes to each of a list, which may have none."""
    if not steps:
        yield value
        return
    step, *rest = steps
    if step == "*":
        if not isinstance(value, tuple):
            raise AssertionError("impossible: a path through each of what is no list")
        for each in value:
            yield from _values(each, rest)
    else:
        yield from _values(getattr(value, step), rest)


def is_empty(value: object) -> bool:
    """Tell whether nothing was said. White space says nothing."""
    return value is None or (isinstance(value, str) and not value.strip()) or (isinstance(value, tuple | dict) and not value)
