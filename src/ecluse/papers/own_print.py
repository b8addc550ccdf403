"""Our own papers for the typesetter: the same text as in Markdown, laid out like the other papers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, assert_never

from ecluse.papers.blocks import Block, Cell, Fact, Heading, Listing, Paper, Para, Style, Table
from ecluse.papers.model import Language, PaperKind
from ecluse.papers.text import Block as TextBlock
from ecluse.papers.text import Grid, Items, Line, Paragraph, Slot, Text, plain, to_markdown
from ecluse.papers.words import Words

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from ecluse.papers.own import OwnFacts

_LEVELS = 3
_SAID = {
    Language.FR: (
        "au sujet d’Écluse lui-même",
        "Texte livré avec le logiciel, rempli d’après cette installation. À compléter, apprécier et signer par le responsable.",
    ),
    Language.EN: (
        "about Écluse itself",
        "A text that comes with the software, filled for this installation. For the controller to complete, weigh and sign.",
    ),
}


def lay_out(text: Text, language: Language, facts: OwnFacts, zone: ZoneInfo) -> Paper:
    """Lay a filled paper of ours out as a printed one."""
    words, (subtitle, note) = Words(language, zone), _SAID[language]
    digest = sha256(to_markdown(text).encode()).hexdigest()
    head = (
        Fact(label=words("head.at"), lines=(Cell(text=words.at(facts.at)),)),
        Fact(label=words("head.written_by"), lines=(Cell(text=facts.controller.name),)),
    )
    first, *rest = text.sections
    blocks = [
        *_blocks(first.blocks),
        *(block for section in rest for block in (_heading(section.title, section.level), *_blocks(section.blocks))),
    ]
    return Paper(
        kind=PaperKind.RECORD, language=language, title=text.title, subtitle=subtitle, at=int(facts.at.timestamp()), running=text.title,
        owner=facts.controller.name, head=head, blocks=tuple(blocks), missing=(), missing_title="", missing_lead="", missing_rows=(), origin_note=note,
        foot_facts=words("foot.facts", hash=digest[:16]), foot_ledger="", foot_page=words("foot.page", page="{page}", pages="{pages}"), facts_hash=digest,
    )  # fmt: skip


def _heading(title: str, level: int) -> Heading:
    """Write a heading; the title's level is the page's own."""
    return Heading(text=title, level=min(_LEVELS, max(1, level - 1)))


def _blocks(blocks: Iterable[TextBlock]) -> Iterator[Block]:
    """Write a section's blocks."""
    for block in blocks:
        match block:
            case Paragraph():
                yield Para(text=plain(block.line))
            case Items() if all(_leads(line) for line in block.lines):
                yield Listing(rows=tuple(_fact(line) for line in block.lines))
            case Items():
                marks = [f"{n}. " if block.numbered else "• " for n, _ in enumerate(block.lines, 1)]
                yield from (Para(text=mark + plain(line)) for mark, line in zip(marks, block.lines, strict=True))
            case Grid():
                yield Table(
                    heads=block.head, widths=tuple(5.0 + n for n, _ in enumerate(block.head)),
                    rows=tuple(tuple(Cell(text=cell, style=Style.PLAIN) for cell in row) for row in block.rows),
                )  # fmt: skip
            case Slot():
                raise AssertionError("impossible: a paper that was not filled")
            case _:
                assert_never(block)


def _leads(line: Line) -> bool:
    """Tell whether a line begins with a name in strong letters, and says something of it."""
    return len(line) > 1 and line[0].style == "strong"


def _fact(line: Line) -> Fact:
    """Write such a line as a labelled value."""
    said = plain(line[1:]).lstrip(" \u00a0:.,")
    return Fact(
        label=line[0].text.rstrip(" \u00a0:."),
        lines=(Cell(text=said if "@" in said.split(" ", 1)[0] else said[:1].upper() + said[1:]),),
    )
