"""The records of Art. 30 GDPR: the controller's, purpose by purpose, and a processor's. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ecluse.contracts import Purpose
from ecluse.papers.blocks import Block, Desk, Fact, Paper, Style
from ecluse.papers.model import Facts, Language, Measure, PaperKind, ProcessorFacts
from ecluse.papers.parts import (
    attributes,
    categories,
    coverage,
    joint,
    measures,
    named,
    observed,
    period,
    persons,
    sub_processors,
    transfers,
)


def write_record(facts: Facts, language: Language) -> Paper:
    """Write the controller's record (Art. 30(1))."""
    desk = Desk(PaperKind.RECORD, facts, None, language)
    return desk.paper([*_parties(desk), *_activity(desk), *_purposes(desk), *_measures(desk), *_seen(desk)])


def _parties(desk: Desk) -> Iterator[Block]:
    """Write point (a)."""
    controller = desk.facts.controller
    yield desk.heading("record.parties")
    yield desk.facts_of(
        desk.asks("record.controller.name", named(desk, controller)),
        desk.asks("record.controller.address", controller.address),
        desk.asks("record.controller.reach", controller.reach),
        desk.fact("col.contact", controller.contact),
        joint(desk, "record.joint"),
        desk.asks("record.representative", controller.representative),
        desk.asks("record.dpo", controller.dpo),
    )


def _activity(desk: Desk) -> Iterator[Block]:
    """Write points (b) to (f), and what the authority's model adds."""
    words, facts, said = desk.words, desk.facts, desk.facts.activity
    labels = dict.fromkeys(purpose.label for each in facts.processors for purpose in each.contract.purposes.values())
    yield desk.heading("record.sheet")
    yield desk.para("record.register", name=desk.text(facts.register_name).text)
    yield desk.facts_of(
        desk.fact("record.reference", said.reference),
        desk.fact("record.service", said.service),
        desk.fact("record.created", words.day(said.created_on) if said.created_on else ""),
        desk.fact("record.updated", words.day(said.updated_on) if said.updated_on else ""),
        desk.asks("record.purposes", *labels),
        persons(desk, "record.persons"),
        categories(desk, facts.processors, "record.data"),
        desk.fact("record.source", said.source),
        desk.fact("record.internal", *said.internal_recipients),
        desk.asks("record.recipients", *(f"{each.body.name} ({words.country(each.body.country)})" for each in facts.processors)),
        *transfers(desk, facts.third_countries, "record.transfers", "record.safeguards"),
        _erasure(desk),
        desk.fact("record.rights", said.rights),
        desk.fact("record.impact", said.impact_assessment),
        desk.fact("record.automated", said.automated_decisions),
    )


def _erasure(desk: Desk) -> Fact | None:
    """Write point (f): a line a category, an empty box where nobody said it."""
    row = desk.asks("record.erasure", "")
    if row is None or not desk.facts.erasure_limits:
        return row
    words, say = desk.words, desk.place(desk.asked["record.erasure"].say)
    lines = tuple(
        desk.text(f"{words.of('category', each.category)}{words('colon')}{each.limit}")
        if each.limit.strip()
        else desk.said(f"{words.of('category', each.category)}{words('colon')}{words('missing.box', say=say)}", Style.MISSING)
        for each in desk.facts.erasure_limits
    )
    return Fact(label=row.label, lines=lines, article=row.article, id=row.id)


def _purposes(desk: Desk) -> Iterator[Block]:
    """Write each purpose with the processors that receive data for it."""
    if not desk.facts.processors:
        yield desk.para("record.none")
    together: dict[str, list[tuple[ProcessorFacts, Purpose]]] = {}
    for each in desk.facts.processors:
        for purpose in each.contract.purposes.values():
            together.setdefault(purpose.id, []).append((each, purpose))
    words = desk.words
    for found in together.values():
        yield desk.heading("record.purpose", label=desk.text(found[0][1].label).text)
        bases = dict.fromkeys(words.basis(purpose.legal_basis) for _, purpose in found)
        yield desk.facts_of(desk.fact("record.basis", *bases))
        yield desk.heading("record.processors", 2)
        yield desk.table(
            ("col.processor", "col.country", "col.contract", "col.ends", "col.attribute"), (3, 2, 2, 2, 5),
            (
                (
                    desk.text(each.body.name, Style.STRONG), desk.said(words.country(each.body.country)), desk.text(each.contract.reference),
                    desk.said(words.short_day(each.contract.ends_on)),
                    desk.said(words.listed(f"{words.attribute(name)} ({words.of('form', form)})" for name, form in purpose.attributes.items())),
                )
                for each, purpose in found
            ),
        )  # fmt: skip
    subs = [(each, sub) for each in desk.facts.processors for sub in each.sub_processors]
    if subs:
        yield desk.heading("record.subs")
        yield desk.table(
            ("col.processor", "col.name", "col.role", "col.country"), (3, 3, 2, 2),
            (
                (
                    desk.text(each.body.name, Style.STRONG), desk.text(sub.name), desk.said(words.of("role", sub.role)),
                    desk.said(words.country(sub.country)),
                )
                for each, sub in subs
            ),
        )  # fmt: skip


def _measures(desk: Desk) -> Iterator[Block]:
    """Write point (g): the measures of every contract, each sentence once."""
    words = desk.words
    told = {
        words.measure(measure, each.contract): measure.control for each in desk.facts.processors for measure in _general(each)
    }
    yield desk.heading("record.measures")
    yield desk.asked_table(
        ("record.measures",), ("col.family", "col.measure"), (1.6, 6),
        ((desk.said(words(f"family.{control}"), Style.STRONG), desk.said(sentence)) for sentence, control in told.items()),
    )  # fmt: skip


def _general(processor: ProcessorFacts) -> Iterator[Measure]:
    """Yield the measures that are alike for all; figures of one contract stand in its annex III."""
    yield from (
        each for each in processor.measures if not {"purposes", "capacity", "day", "weaker", "evidence"} & each.figures.keys()
    )


def _seen(desk: Desk) -> Iterator[Block]:
    """Write what the ledger saw, processor by processor."""
    yield desk.heading("record.observed")
    for each in desk.facts.processors[:1]:
        yield period(desk, each)
    for each in desk.facts.processors:
        yield desk.heading("head.name", 2, name=desk.text(each.body.name).text)
        yield from observed(desk, each)
    yield from coverage(desk)


def write_processor_record(facts: Facts, processor: ProcessorFacts, language: Language) -> Paper:
    """Write a processor's own record (Art. 30(2)), as it may be handed to it: nobody of the controller's staff is named."""
    desk = Desk(PaperKind.PROCESSOR_RECORD, facts, processor, language)
    return desk.paper([*_processor(desk, processor), *_processing(desk, processor)])


def _processor(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write point (a)."""
    body, controller = processor.body, desk.facts.controller
    yield desk.heading("annexes.processor")
    yield desk.facts_of(
        desk.asks("processor-record.name", named(desk, body)),
        desk.asks("processor-record.address", body.address),
        desk.asks("processor-record.reach", body.reach),
        desk.asks("processor-record.representative", body.representative),
        desk.asks("processor-record.dpo", body.dpo),
    )
    yield desk.heading("processor-record.controller")
    yield desk.facts_of(
        desk.asks("processor-record.controller.name", named(desk, controller)),
        desk.asks("processor-record.controller.address", controller.address),
        desk.asks("processor-record.controller.reach", controller.reach),
        desk.asks("processor-record.controller.representative", controller.representative),
        desk.asks("processor-record.controller.dpo", controller.dpo),
    )


def _processing(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write points (b) to (d), and what the ledger saw."""
    words, contract = desk.words, processor.contract
    yield desk.heading("processor-record.processing")
    yield desk.facts_of(
        desk.asks("processor-record.processing", *(each.label for each in contract.purposes.values())),
        desk.fact("processor-record.operations", processor.nature or words("processor-record.operations.value")),
        *transfers(desk, processor.third_countries, "processor-record.transfers", "processor-record.safeguards"),
    )
    for purpose in contract.purposes.values():
        yield desk.heading("record.purpose", 2, label=desk.text(purpose.label).text)
        yield attributes(desk, purpose)
    if processor.sub_processors:
        yield desk.heading("record.subs")
        yield sub_processors(desk, processor)
    yield desk.heading("record.measures")
    yield measures(desk, processor, "processor-record.measures")
    yield desk.heading("record.observed")
    yield period(desk, processor)
    yield from observed(desk, processor)
    yield from coverage(desk)
