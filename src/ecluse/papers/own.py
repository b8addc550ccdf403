"""Écluse's own papers, filled for one installation: impact assessment (Art. 35), notice to staff (Art. 13, 14), its entry in the record (Art. 30). Pure.

The texts are ``own/<paper>.<language>.md``. How long what is kept is never written in them: it is read from the schema's comments (``Kept``), and said in the
words of ``own/retention.toml``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import msgspec
from babel.dates import format_date

from ecluse.papers.model import Body, Language
from ecluse.papers.text import Block, Grid, Items, Paragraph, Run, Text, fill, parse_text
from ecluse.papers.words import typographic
from ecluse.toml_lines import load_toml

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_COMMENT: Final = re.compile(r"(person|staff): (.+?); retention:? (.+)")
_MONTHS: Final = re.compile(r"\b12 (months|mois)\b")
_WHOM: Final = {
    Language.EN: {"person": "persons of the register", "staff": "agents, staff, contacts"},
    Language.FR: {"person": "personnes du registre", "staff": "agents, personnel, interlocuteurs"},
}
_HEADS: Final = {Language.EN: ("Of whom", "Where", "What", "How long"), Language.FR: ("De qui", "Où", "Quoi", "Combien de temps")}
_BLANK: Final = {Language.EN: "[to complete: {}]", Language.FR: "[à compléter : {}]"}


class OwnPaper(StrEnum):
    """The papers about Écluse itself."""

    DPIA = "dpia"
    NOTICE = "notice"
    RECORD = "record"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A column that holds a person's reference or names one of the staff. ``whom``: ``person`` or ``staff``; ``what`` and ``long``: the schema's own words."""

    table: str
    column: str
    whom: str
    what: str
    long: str


class OwnFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the texts name of an installation."""

    at: datetime
    controller: Body
    openings_months: int
    backups_days: int
    kept: tuple[Kept, ...]


class _Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``own/retention.toml``."""

    table: dict[str, dict[str, str]]
    what: dict[str, str]
    long: dict[str, str]


def parse_kept(name: str, comment: str) -> Kept:
    """Read one comment of the schema. ``name``: ``table.column``."""
    found = _COMMENT.fullmatch(comment)
    if found is None:
        raise AssertionError("impossible: a comment on a person that does not say how long")
    table, _, column = name.partition(".")
    return Kept(table=table, column=column, whom=found[1], what=found[2], long=found[3])


@cache
def retention_words() -> _Words:
    """Read how retention is said."""
    return msgspec.convert(load_toml(files("ecluse.papers").joinpath("own/retention.toml").read_text(encoding="utf-8")), _Words)


@cache
def source_of(paper: OwnPaper, language: Language) -> Text:
    """Read a paper as it stands in the source, before it is filled."""
    return parse_text(
        typographic(files("ecluse.papers").joinpath(f"own/{paper}.{language}.md").read_text(encoding="utf-8"), language)
    )


def own_paper(paper: OwnPaper, language: Language, facts: OwnFacts, zone: ZoneInfo) -> Text:
    """Return a paper filled for an installation; what nobody has said is a mark that says where to say it."""
    body = facts.controller
    said = {
        "controller": body.name,
        "address": body.address or _BLANK[language].format("ecluse.toml, controller.address"),
        "reach": body.reach or _BLANK[language].format("ecluse.toml, controller.reach"),
        "dpo": body.dpo or _BLANK[language].format("ecluse.toml, controller.dpo"),
        "day": format_date(facts.at.astimezone(zone), format="long", locale=str(language)),
        "openings_months": str(facts.openings_months),
        "backups_days": str(facts.backups_days),
    }
    staff = [each for each in facts.kept if each.whom == "staff"]
    slots: Mapping[str, tuple[Block, ...]] = {
        "retention": (retention_table(facts.kept, facts.openings_months, language),),
        "retention-staff": (retention_table(staff, facts.openings_months, language),),
        "measures": _measures(language),
    }
    return fill(source_of(paper, language), said, slots)


def retention_table(kept: Iterable[Kept], months: int, language: Language) -> Grid:
    """Say how long what is kept: persons first, one row for each place and time. A comment without words of ours is said as the schema has it."""
    words, rows = retention_words(), dict[tuple[str, str, str], list[str]]()
    for each in sorted(kept, key=lambda one: (one.whom, one.table, one.column)):
        rows.setdefault((each.whom, each.table, each.long), []).append(each.what)
    english = language is Language.EN

    def line(whom: str, table: str, long: str, whats: list[str]) -> tuple[str, ...]:
        what = "; ".join(dict.fromkeys(each if english else words.what.get(each, each) for each in whats))
        said = long if english else words.long.get(long, long)
        return (
            _WHOM[language][whom],
            words.table.get(table, {}).get(str(language), table),
            what,
            _MONTHS.sub(rf"{months} \1", said),
        )

    return Grid(_HEADS[language], tuple(line(*key, whats) for key, whats in rows.items()))


def measures_of_dpia(language: Language) -> tuple[tuple[str, tuple[Block, ...]], ...]:
    """Return the measures that the impact assessment names: title and text."""
    return tuple((each.title, each.blocks) for each in source_of(OwnPaper.DPIA, language).under("measures"))


def _measures(language: Language) -> tuple[Block, ...]:
    """Say the measures of the impact assessment as a list."""
    colon = " : " if language is Language.FR else ": "
    return (
        Items(
            tuple(
                (
                    Run(title, "strong"),
                    Run(colon),
                    *(run for block in blocks if isinstance(block, Paragraph) for run in block.line),
                )
                for title, blocks in measures_of_dpia(language)
            )
        ),
    )
