"""The records of Art. 30 as sheets, in the order of the CNIL's model: a list, then one sheet for each purpose, then Écluse's own. Pure.

Made of the same facts, words and obligations as the printed papers (``blocks.py``): what the law asks for and nobody said is a marked cell in the sheet, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from ecluse.contracts import Form, Purpose
from ecluse.papers.blocks import Block, Cell, Desk, Fact, Heading, Listing, Para, Style, Table
from ecluse.papers.model import Body, Control, Datum, Facts, Language, PaperKind, ProcessorFacts, facts_hash
from ecluse.papers.text import Grid, Items, Paragraph, Text, plain
from ecluse.papers.words import typographic
from ecluse.register import Sensitivity
from ecluse.toml_lines import load_toml

FAMILIES: Final[Mapping[Control, str]] = {
    Control.WINDOW: "access", Control.KEY_BOUND: "access", Control.ASSURANCE: "access", Control.BUDGETS: "access", Control.BULK: "access",
    Control.STOP: "access", Control.SEALED: "trace", Control.WITNESSED: "trace", Control.STAMPED: "trace",
    Control.FORMS: "minimise", Control.PSEUDONYMS: "minimise",
    Control.ENCRYPTED: "encrypt", Control.TRANSIT: "encrypt", Control.GATE: "processors", Control.RETENTION: "keep",
    Control.NOTICE: "incident", Control.RIGHTS: "incident",
}  # fmt: skip
"""The family of the CNIL's model under which each measure is listed."""


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """One sheet. ``name``: on its tab, 31 characters at most, only letters and figures."""

    name: str
    blocks: tuple[Block, ...]


@cache
def _words(language: Language) -> Mapping[str, str]:
    """Read the words of sheets."""
    words: dict[str, str] = load_toml(files("ecluse.papers").joinpath("sheets.toml").read_text(encoding="utf-8"))[language.value]
    return {key: typographic(text, language) for key, text in words.items()}


class _Sheets(Desk):
    """A desk where sheets are written."""

    def own(self, key: str, **figures: object) -> str:
        """Return words of the sheets."""
        return _words(self.language)[key].format(**figures) if figures else _words(self.language)[key]

    def grid(self, ids: Iterable[str], heads: Iterable[str], rows: Iterable[Iterable[Cell]]) -> Table:
        """Write a table under final heads."""
        found = tuple(tuple(row) for row in rows)
        titles = tuple(heads)
        return Table(
            heads=titles, widths=tuple(1.0 for _ in titles), rows=found, ids=tuple(each for each in ids if each in self.asked)
        )

    def head(self, key: str, **figures: object) -> Heading:
        """Write a heading of the sheets."""
        return Heading(text=self.own(key, **figures), level=2)

    def closing(self) -> Para:
        """Say by which facts and ledger a sheet can be told from another."""
        ledger = self.facts.ledger
        return Para(text=self.own("facts", hash=facts_hash(self.facts), size=ledger.size, root=ledger.root or "-"), note=True)

    def body(self, body: Body, prefix: str) -> Listing:
        """Write a party, each field under the law that asks for it."""
        values = {
            "name": body.name,
            "address": body.address,
            "reach": body.reach,
            "representative": body.representative,
            "dpo": body.dpo,
        }
        return self.facts_of(*(self.asks(f"{prefix}{name}", value) for name, value in values.items()))


def record_sheets(facts: Facts, language: Language, own: Text) -> tuple[Sheet, ...]:
    """Write the controller's record (Art. 30(1)); ``own``: our own entry, filled."""
    desk = _Sheets(PaperKind.RECORD, facts, None, language)
    purposes = _purposes(facts)
    sheets = [
        Sheet(name=f"{number:02}", blocks=tuple(_activity(desk, number, name, users)))
        for number, (name, users) in enumerate(purposes.items(), 1)
    ]
    mine = Sheet(name=desk.own("sheet.own"), blocks=tuple(_own(desk, own)))
    return (Sheet(name=desk.own("sheet.list"), blocks=tuple(_list(desk, purposes, own))), *sheets, mine)


def processor_sheets(facts: Facts, processor: ProcessorFacts, language: Language) -> tuple[Sheet, ...]:
    """Write the record of one processor (Art. 30(2))."""
    desk = _Sheets(PaperKind.PROCESSOR_RECORD, facts, processor, language)
    words = desk.words
    blocks: list[Block] = [
        Heading(text=words("paper.processor-record"), level=1),
        Para(text=desk.own("list.lead.processor", name=processor.body.name, at=words.at(facts.at))),
        desk.body(processor.body, "processor-record."),
        desk.heading("processor-record.controller", 2),
        desk.body(facts.controller, "processor-record.controller."),
        desk.heading("processor-record.processing", 2),
        desk.grid(
            ("processor-record.processing",), (words("col.purpose"), desk.own("col.basis"), words("col.attribute"), words("col.contract")),
            (_processing(desk, each, processor.version.reference) for each in processor.contract.purposes.values()),
        ),
        desk.facts_of(
            desk.asks("processor-record.transfers", *map(words.country, processor.third_countries)),
            desk.asks("processor-record.safeguards", facts.activity.safeguards),
        ),
        *_safety(desk, (processor,), "processor-record.measures"),
        desk.closing(),
    ]  # fmt: skip
    return (Sheet(name=desk.own("sheet.processing"), blocks=tuple(blocks)),)


def _processing(desk: _Sheets, purpose: Purpose, reference: str) -> tuple[Cell, ...]:
    """Write what is done for one purpose: its basis, the attributes given, the contract."""
    given = [name for name, form in purpose.attributes.items() if form is not Form.WITHHELD]
    basis, attributes = desk.words.basis(purpose.legal_basis), desk.words.attributes(given)
    return (desk.text(purpose.label), desk.said(basis), desk.said(attributes), desk.text(reference))


def _purposes(facts: Facts) -> dict[str, list[tuple[ProcessorFacts, Purpose]]]:
    """Gather who works for which purpose, in the order of their names."""
    found: dict[str, list[tuple[ProcessorFacts, Purpose]]] = {}
    for processor in facts.processors:
        for name, purpose in processor.contract.purposes.items():
            found.setdefault(name, []).append((processor, purpose))
    return dict(sorted(found.items()))


def _list(desk: _Sheets, purposes: Mapping[str, list[tuple[ProcessorFacts, Purpose]]], own: Text) -> Iterator[Block]:
    """Write the list of activities under who answers for them, ours the last."""
    facts, words = desk.facts, desk.words
    yield Heading(text=desk.own("list.title"), level=1)
    yield Para(text=desk.own("list.lead", at=words.at(facts.at)))
    yield desk.head("list.parties")
    yield _controller(desk)
    yield desk.head("list.activities")
    rows: list[tuple[Cell, ...]] = [
        (
            desk.text(f"{number:02}", Style.STRONG), desk.text(users[0][1].label), desk.text(words.basis(users[0][1].legal_basis)),
            desk.text(", ".join(processor.body.name for processor, _ in users)), desk.text("; ".join(facts.activity.persons)),
            desk.text(words("yes" if _special(facts, users) else "no")),
        )
        for number, users in enumerate(purposes.values(), 1)
    ]  # fmt: skip
    ours = own.section("record.persons")
    persons = "; ".join(line for block in ours.blocks for line in _lines(block)) if ours is not None else ""
    mine = (own.title, words.basis("6.1.c"), "-", persons, words("no"))
    rows.append((desk.said(desk.own("sheet.own"), Style.STRONG), *map(desk.said, mine)))
    more = map(desk.own, ("col.basis", "col.processors", "col.persons", "col.sensitive"))
    heads = (desk.own("col.number"), words("col.purpose"), *more)
    yield desk.grid(("record.purposes", "record.recipients"), heads, rows)
    if not purposes:
        yield desk.para("record.none", note=True)
    yield desk.closing()


def _controller(desk: _Sheets) -> Listing:
    """Write the controller, those who share its answer, its representative and officer."""
    facts = desk.facts
    return desk.facts_of(
        desk.asks("record.controller.name", facts.controller.name),
        desk.asks("record.controller.address", facts.controller.address),
        desk.asks("record.controller.reach", facts.controller.reach),
        desk.asks("record.joint", *(f"{each.name}, {each.address}" for each in facts.joint)),
        desk.asks("record.representative", facts.controller.representative),
        desk.asks("record.dpo", facts.controller.dpo),
    )


def _activity(desk: _Sheets, number: int, name: str, users: list[tuple[ProcessorFacts, Purpose]]) -> Iterator[Block]:
    """Write the sheet of one purpose."""
    facts, words, activity = desk.facts, desk.words, desk.facts.activity
    labels = list(dict.fromkeys(purpose.label for _, purpose in users))
    yield Heading(text=desk.own("activity", number=f"{number:02}", label=desk.text(labels[0]).text), level=1)
    yield desk.facts_of(
        desk.fact("record.reference", f"{activity.reference} / {name}" if activity.reference else name),
        desk.fact("record.created", words.day(activity.created_on) if activity.created_on else ""),
        desk.fact("record.updated", words.day(activity.updated_on) if activity.updated_on else ""),
        desk.fact("record.service", activity.service),
        _plain_fact(desk, desk.own("main"), labels[0]),
        _plain_fact(desk, desk.own("others"), *labels[1:]),
        desk.fact("record.basis", *dict.fromkeys(words.basis(purpose.legal_basis) for _, purpose in users)),
    )
    yield _controller(desk)
    yield desk.facts_of(
        desk.asks("record.persons", *activity.persons),
        _plain_fact(desk, desk.own("col.sensitive"), words("yes" if _special(facts, users) else "no")),
        desk.fact("record.source", activity.source),
        desk.fact("record.automated", activity.automated_decisions),
        desk.fact("record.impact", activity.impact_assessment),
        desk.fact("record.rights", activity.rights),
    )
    yield desk.head("data")
    yield desk.grid(
        ("record.data", "record.erasure"),
        map(words, ("col.attribute", "col.category", "col.form", "col.limit")),
        _data(desk, users),
    )
    yield desk.head("who")
    yield from _recipients(desk, users)
    yield from _safety(desk, tuple(processor for processor, _ in users), "record.measures")
    yield desk.head("seen")
    yield from _seen(desk, name, users)
    yield desk.closing()


def _plain_fact(desk: _Sheets, label: str, *values: str) -> Fact | None:
    """Write a value under final words."""
    return Fact(label=label, lines=tuple(map(desk.text, values))) if any(values) else None


def _special(facts: Facts, users: Iterable[tuple[ProcessorFacts, Purpose]]) -> bool:
    """Tell whether a purpose takes data of Art. 9 or 10."""
    special = {datum.name for datum in facts.data if datum.sensitivity is Sensitivity.SPECIAL}
    return any(special & set(purpose.attributes) for _, purpose in users)


def _data(desk: _Sheets, users: list[tuple[ProcessorFacts, Purpose]]) -> Iterator[tuple[Cell, ...]]:
    """Yield each attribute that somebody is given: its forms, and how long the register keeps it."""
    limits = {each.category: each.limit for each in desk.facts.erasure_limits}
    for datum in desk.facts.data:
        given = [purpose.attributes.get(datum.name, Form.WITHHELD) for _, purpose in users]
        forms = [desk.words.of("form", form) for form in given if form is not Form.WITHHELD]
        if forms:
            yield (
                desk.said(desk.words.attribute(datum.name)), desk.said(desk.words.of("category", datum.category)), desk.said(", ".join(dict.fromkeys(forms))),
                _limit(desk, datum, limits.get(datum.category, "")),
            )  # fmt: skip


def _limit(desk: _Sheets, datum: Datum, limit: str) -> Cell:
    """Write how long a category is kept, or the box that says where to say it."""
    return (
        desk.text(limit)
        if limit.strip() or "record.erasure" not in desk.asked
        else desk.box(f"papers.toml, record.erasure.{datum.category}")
    )


def _recipients(desk: _Sheets, users: list[tuple[ProcessorFacts, Purpose]]) -> Iterator[Block]:
    """Write who receives: inside, processors, those below them; and what leaves the European Economic Area, under which safeguards."""
    facts, words = desk.facts, desk.words
    yield desk.facts_of(desk.fact("record.internal", *facts.activity.internal_recipients))
    heads = (words("col.processor"), words("col.role"), words("col.country"), words("col.contract"), words("col.ends"))
    rows = []
    for processor, purpose in users:
        contract = processor.contract
        rows.append(
            (
                processor.body.name,
                purpose.label,
                words.country(processor.body.country),
                contract.reference,
                words.short_day(contract.ends_on),
            )
        )
        rows += [(f"→ {sub.name}", sub.role, words.country(sub.country), "", "") for sub in processor.sub_processors]
    yield desk.grid(("record.recipients",), heads, (tuple(map(desk.text, row)) for row in rows))
    countries = sorted({country for processor, _ in users for country in processor.third_countries})
    yield desk.facts_of(
        desk.asks("record.transfers", *map(words.country, countries)),
        desk.asks("record.safeguards", facts.activity.safeguards if countries else ""),
    )


def _safety(desk: _Sheets, processors: tuple[ProcessorFacts, ...], id: str) -> Iterator[Block]:
    """Write the measures by family, with whom they are in force for where figures differ."""
    words, said = desk.words, dict[tuple[str, str], list[str]]()
    for processor in processors:
        for measure in processor.measures:
            said.setdefault((FAMILIES[measure.control], words.measure(measure, processor.contract)), []).append(
                processor.body.name
            )
    order = list(dict.fromkeys(FAMILIES.values()))
    yield desk.head("safety")
    yield desk.grid(
        (id,), (desk.own("col.family"), words("col.measure"), words("col.processor")),
        (
            (desk.said(desk.own(f"family.{family}")), desk.said(text), desk.text(", ".join(whose) if len(whose) < len(processors) else words("all")))
            for (family, text), whose in sorted(said.items(), key=lambda one: order.index(one[0][0]))
        ),
    )  # fmt: skip


def _seen(desk: _Sheets, name: str, users: list[tuple[ProcessorFacts, Purpose]]) -> Iterator[Block]:
    """Write what the ledger saw given for a purpose."""
    words = desk.words
    rows = [
        (
            desk.text(processor.body.name), desk.said(words.attribute(use.attribute)), desk.text(use.disclosures, Style.NUMBER),
            desk.text(use.persons, Style.NUMBER), desk.text(use.erased, Style.NUMBER), desk.text(words.day_of(use.last_at)),
        )
        for processor, _ in users for use in processor.observed.uses if use.purpose == name
    ]  # fmt: skip
    heads = map(words, ("col.processor", "col.attribute", "col.disclosures", "col.persons", "col.erased", "col.last"))
    yield desk.grid((), heads, rows) if rows else desk.para("record.observed.none", note=True)
    yield desk.para("record.blind", note=True)


def _own(desk: _Sheets, own: Text) -> Iterator[Block]:
    """Write our own entry: each section under the law that asks for it."""
    yield Heading(text=own.title, level=1)
    yield Para(text=desk.own("own"), note=True)
    for section in own.sections[1:]:
        obligation = desk.asked.get(section.id)
        article = desk.article(obligation) if obligation is not None else ""
        lines = tuple(desk.said(line) for block in section.blocks for line in _lines(block))
        grids = [block for block in section.blocks if isinstance(block, Grid)]
        if lines:
            yield Listing(rows=(Fact(label=section.title, lines=lines, article=article, id=section.id),))
        for grid in grids:
            yield Heading(text=section.title, level=2)
            yield desk.grid((section.id,), grid.head, (tuple(map(desk.said, row)) for row in grid.rows))


def _lines(block: object) -> Iterator[str]:
    """Yield the lines of a paragraph or a list."""
    if isinstance(block, Paragraph):
        yield plain(block.line)
    elif isinstance(block, Items):
        yield from map(plain, block.lines)
