"""What a paper is made of: headings, paragraphs, labelled facts, tables. The one template typesets them; here they are plain values. Pure.

All texts in blocks are final: plain text in the paper's language. A fact carries the id of the obligation that it fulfils, so that a test can tell that a
paper holds every field that the law asks of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from ecluse.papers.missing import Asked, Missing, Obligation, asked_of, is_empty, missing_of
from ecluse.papers.model import Facts, Language, PaperKind, ProcessorFacts, facts_hash
from ecluse.papers.words import Words, plain

_PLACES: Final = (
    ("contract file", "fichier du contrat"),
    ("or the list of sub-processors", "ou la liste des sous-traitants ultérieurs"),
    (", kind ", ", pièce "),
)


class Style(StrEnum):
    """How a text is set."""

    PLAIN = "plain"
    STRONG = "strong"
    MONO = "mono"
    NUMBER = "number"
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    MISSING = "missing"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A text with its style."""

    text: str
    style: Style = Style.PLAIN


class Heading(msgspec.Struct, frozen=True, kw_only=True, tag="heading"):
    """A heading; the paper's bookmarks are made of them."""

    text: str
    level: int = 1


class Para(msgspec.Struct, frozen=True, kw_only=True, tag="para"):
    """A paragraph; ``note``: smaller, for what explains."""

    text: str
    note: bool = False


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A labelled value of one or more lines. ``article``: the law that asks for it; ``id``: of its obligation."""

    label: str
    lines: tuple[Cell, ...]
    article: str = ""
    id: str = ""


class Listing(msgspec.Struct, frozen=True, kw_only=True, tag="facts"):
    """Labelled values, one below the other."""

    rows: tuple[Fact, ...]


class Table(msgspec.Struct, frozen=True, kw_only=True, tag="table"):
    """A table with a head that is repeated on each page. ``widths``: shares of the page's width."""

    heads: tuple[str, ...]
    widths: tuple[float, ...]
    rows: tuple[tuple[Cell, ...], ...]
    ids: tuple[str, ...] = ()  # of obligations that the table fulfils


class Code(msgspec.Struct, frozen=True, kw_only=True, tag="code"):
    """Lines to be copied exactly."""

    lines: tuple[str, ...]


class Signatures(msgspec.Struct, frozen=True, kw_only=True, tag="signatures"):
    """Room for two signatures."""

    names: tuple[str, ...]
    label: str


Block: TypeAlias = Heading | Para | Listing | Table | Code | Signatures


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """A paper ready to be typeset. ``missing``: what the law asks for and nobody said."""

    kind: PaperKind
    language: Language
    title: str
    subtitle: str
    at: int  # seconds since 1970
    running: str  # at the head of each page
    owner: str
    head: tuple[Fact, ...]
    blocks: tuple[Block, ...]
    missing: tuple[Missing, ...]
    missing_title: str
    missing_lead: str
    missing_rows: tuple[Fact, ...]
    origin_note: str
    foot_facts: str
    foot_ledger: str
    foot_page: str  # with {page} and {pages}
    facts_hash: str


class Desk:
    """Where a paper is written: its words, the day, what is asked of it and what of that is missing. ``of``: the processor that it is of."""

    def __init__(self, kind: PaperKind, facts: Facts, of: ProcessorFacts | None, language: Language) -> None:
        """Begin a paper."""
        self.kind, self.facts, self.of, self.language = kind, facts, of, language
        self.zone = ZoneInfo(facts.timezone)
        self.words = Words(language, self.zone)
        self.on: date = facts.at.astimezone(self.zone).date()
        self.asked: dict[str, Obligation] = {each.id: each for each in asked_of(kind, self.on)}
        self.missing = missing_of(kind, facts, of, self.on)

    def facts_of(self, *rows: Fact | None) -> Listing:
        """Gather labelled values; a law that is not in force leaves a gap, which is closed."""
        return Listing(rows=tuple(row for row in rows if row is not None))

    def asks(self, id: str, *values: object, styles: Style = Style.PLAIN) -> Fact | None:
        """Write a field that the law asks for: its value, an empty marked box, or that none is stated. None where no law of the day asks."""
        obligation = self.asked.get(id)
        if obligation is None:
            return None
        lines = tuple(self.text(value, styles) for value in values if not is_empty(value))
        if not lines:
            applicable = obligation.asked is Asked.WHERE_APPLICABLE or id not in {each.id for each in self.missing}
            lines = (self.said(self.words("none.stated")) if applicable else self.box(obligation.say),)
        return Fact(label=obligation.label(self.language), lines=lines, article=self.article(obligation), id=id)

    def fact(self, label: str, *values: object, style: Style = Style.PLAIN) -> Fact | None:
        """Write a value that no law names; nothing where it is empty."""
        lines = tuple(self.text(value, style) for value in values if not is_empty(value))
        return Fact(label=self.words(label), lines=lines) if lines else None

    def asked_table(
        self, ids: Iterable[str], heads: Sequence[str], widths: Sequence[float], rows: Iterable[Iterable[Cell]]
    ) -> Table:  # fmt: skip
        """Write a table that fulfils some obligations; those that no law of the day asks are not told."""
        table = self.table(heads, widths, rows)
        return msgspec.structs.replace(table, ids=tuple(id for id in ids if id in self.asked))

    def table(self, heads: Sequence[str], widths: Sequence[float], rows: Iterable[Iterable[Cell]]) -> Table:
        """Write a table; ``heads`` are keys of words."""
        return Table(heads=tuple(map(self.words, heads)), widths=tuple(widths), rows=tuple(tuple(row) for row in rows))

    def heading(self, key: str, level: int = 1, **figures: object) -> Heading:
        """Write a heading."""
        return Heading(text=self.words(key, **figures), level=level)

    def para(self, key: str, *, note: bool = False, **figures: object) -> Para:
        """Write a paragraph."""
        return Para(text=self.words(key, **figures), note=note)

    def text(self, value: object, style: Style = Style.PLAIN) -> Cell:
        """Write any value as plain text."""
        return Cell(text=str(value) if style is Style.MONO else plain(value), style=style)

    def said(self, text: str, style: Style = Style.PLAIN) -> Cell:
        """Write words of ours."""
        return Cell(text=text, style=style)

    def or_box(self, value: str, id: str) -> Cell:
        """Write a cell that the law wants filled."""
        if not is_empty(value) or id not in self.asked:
            return self.text(value)
        return self.box("")

    def box(self, say: str) -> Cell:
        """Write an empty, marked box."""
        return self.said(self.words("missing.box", say=self.place(say)) if say else self.words("missing.box.bare"), Style.MISSING)

    def place(self, say: str) -> str:
        """Name the place where something is said; names of files, keys and commands stay as they are."""
        if self.language is Language.EN:
            return say
        for english, french in _PLACES:
            say = say.replace(english, french)
        return say

    def article(self, obligation: Obligation) -> str:
        """Name the law as the language does."""
        return french_article(obligation.article) if self.language is Language.FR else obligation.article

    def paper(self, blocks: Iterable[Block]) -> Paper:
        """Finish the paper."""
        words, facts, of = self.words, self.facts, self.of
        # a paper of one processor speaks of that one alone, and so does the hash that it bears
        bare = msgspec.structs.replace(facts, processors=(of,)) if of is not None else facts
        digest, ledger = facts_hash(bare), facts.ledger
        title = words(f"paper.{self.kind}")
        rows = [
            Fact(
                label=words("missing.of", label=self._label(each), processor=each.processor) if of is None and each.processor else self._label(each),
                lines=(self.said(self.place(each.say) or "-", Style.MONO),), article=self.article(self.asked[each.id]), id=each.id,
            )
            for each in self.missing
        ]  # fmt: skip
        return Paper(
            kind=self.kind, language=self.language, title=title, subtitle=words(f"paper.{self.kind}.sub"), at=int(facts.at.timestamp()),
            running=title if of is None else f"{title} · {plain(of.body.name)}", owner=plain(facts.controller.name), head=self._head(digest),
            blocks=tuple(blocks), missing=self.missing, missing_title=words("missing.title", count=len(self.missing)),
            missing_lead=words("missing.lead"), missing_rows=tuple(rows), origin_note=words("note.origin"),
            foot_facts=words("foot.facts", hash=digest[:16]), foot_ledger=words("foot.ledger", size=ledger.size, root=ledger.root[:16] or "-"),
            foot_page=words("foot.page", page="{page}", pages="{pages}"), facts_hash=digest,
        )  # fmt: skip

    def _head(self, digest: str) -> tuple[Fact, ...]:
        """Write what stands below the title."""
        words, facts, of = self.words, self.facts, self.of
        ledger = facts.ledger
        head = words(
            "head.ledger.value" if ledger.size else "head.ledger.none",
            origin=plain(ledger.origin),
            size=words.number(ledger.size),
        )
        rows = [self.fact("head.at", words.at(facts.at)), self.fact("head.written_by", facts.controller.name)]
        if of is not None:
            contract = words("head.contract.value", reference=plain(of.version.reference), version=of.version.version)
            rows += [self.fact("head.about", f"{of.body.name} ({of.id})"), self.fact("head.contract", contract)]
        rows += [self.fact("head.facts", digest, style=Style.MONO), self.fact("head.ledger", head)]
        rows += [self.fact("head.root", ledger.root, style=Style.MONO)]
        return tuple(row for row in rows if row is not None)

    def _label(self, missing: Missing) -> str:
        """Return how a missing field is called."""
        return missing.fr if self.language is Language.FR else missing.en


def french_article(article: str) -> str:
    """Write ``GDPR Art. 30(1)(a)`` as French lawyers do; a decision stays as it is."""
    if not article.startswith("GDPR Art. "):
        return article.replace("annex", "annexe")
    first, _, rest = article.removeprefix("GDPR Art. ").partition("(")
    parts = rest.rstrip(")").split(")(") if rest else []
    ways = [f"par. {part}" if part.isdigit() else part.replace(") to (", " à ") for part in parts]
    return ", ".join([f"RGPD, art. {first}", *ways])
