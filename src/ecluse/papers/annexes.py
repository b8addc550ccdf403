"""Annexes I to IV of the standard clauses (Implementing Decision (EU) 2021/915), from the contract in force, with what changed since it was signed. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ecluse.papers.blocks import Block, Cell, Desk, Fact, Paper, Signatures, Style
from ecluse.papers.model import Body, Facts, Language, PaperKind, ProcessorFacts
from ecluse.papers.parts import attributes, categories, country, joint, measures, persons, sub_processors

_EFFECTS = {"wider": Style.BAD, "narrower": Style.GOOD, "other": Style.PLAIN}


def write_annexes(facts: Facts, processor: ProcessorFacts, language: Language) -> Paper:
    """Write the annexes of one processor's contract."""
    desk = Desk(PaperKind.ANNEXES, facts, processor, language)
    return desk.paper(
        [
            *_contract(desk, processor),
            *_one(desk, processor),
            *_two(desk, processor),
            *_three(desk, processor),
            *_four(desk, processor),
            *_changes(desk, processor),
        ]
    )


def _contract(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write the header items of Art. 28(3)."""
    words, contract, version = desk.words, processor.contract, processor.version
    yield desk.para("annexes.lead")
    yield desk.heading("annexes.header")
    yield desk.facts_of(
        desk.asks("annexes.subject-matter", processor.subject_matter),
        desk.asks(
            "annexes.duration",
            words("annexes.duration.value", begins=words.day(contract.starts_on), ends=words.day(contract.ends_on)),
        ),
        desk.asks("annexes.clauses", ", ".join(map(words.clause, contract.clauses))),
        desk.fact("annexes.obligations", words("annexes.obligations.value")),
        desk.fact("annexes.in_force", words("annexes.in_force.value", version=version.version, at=words.at(version.applied_at))),
        desk.fact("annexes.hash", version.hash, style=Style.MONO),
    )


def _party(desk: Desk, body: Body, side: str) -> list[Fact]:
    """Write one party; ``side``: controller or processor."""
    said = {"name": body.name, "address": body.address, "contact": body.contact, "reach": body.reach, "dpo": body.dpo}
    return [row for key, value in said.items() if (row := desk.asks(f"annexes.{side}.{key}", value)) is not None]


def _one(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write annex I."""
    yield desk.heading("annexes.one")
    for side, body in (("controller", desk.facts.controller), ("processor", processor.body)):
        yield desk.heading(f"annexes.{side}", 2)
        more = joint(desk, "annexes.joint") if side == "controller" else None
        yield desk.facts_of(*_party(desk, body, side), desk.fact("col.country", country(desk, body)), more)
    yield Signatures(
        names=(desk.text(desk.facts.controller.name).text, desk.text(processor.body.name).text), label=desk.words("annexes.sign")
    )


def _two(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write annex II."""
    words, contract = desk.words, processor.contract
    special = words("annexes.sensitive.value", names=words.attributes(processor.special)) if processor.special else ""
    yield desk.heading("annexes.two")
    yield desk.facts_of(
        persons(desk, "annexes.persons"),
        categories(desk, [processor], "annexes.data"),
        desk.asks("annexes.sensitive", special),
        desk.asks("annexes.nature", processor.nature),
        desk.asks(
            "annexes.purposes",
            *(
                words("annexes.purpose.value", label=each.label, basis=words.basis(each.legal_basis))
                for each in contract.purposes.values()
            ),
        ),
    )
    yield desk.heading("annexes.attributes", 2)
    for purpose in contract.purposes.values():
        yield desk.heading("record.purpose", 3, label=desk.text(purpose.label).text)
        yield attributes(desk, purpose)


def _three(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write annex III."""
    yield desk.heading("annexes.three")
    yield desk.para("annexes.three.lead")
    yield measures(desk, processor, "annexes.measures")
    if processor.contract.evidence_required:
        yield desk.heading("annexes.three.evidence", 2)
        yield required(desk, processor)
    yield desk.para("annexes.three.subs")


def required(desk: Desk, processor: ProcessorFacts) -> Block:
    """Write the documents that the contract asks for, and whether one of each kind was good."""
    words = desk.words

    def rows() -> Iterator[tuple[Cell, ...]]:
        for each in processor.contract.evidence_required:
            good = [one for one in processor.evidence if one.kind == each.kind and one.counts]
            until = max((one.good_through for one in good if one.good_through is not None), default=None)
            through = (
                words("unlimited")
                if good and any(one.good_through is None for one in good)
                else words.short_day(until)
                if until
                else "–"
            )
            verdict = desk.said(words("good.yes" if good else "good.no"), Style.GOOD if good else Style.BAD)
            yield (
                desk.said(words.kind(each.kind), Style.STRONG),
                desk.said(words.length(each.max_age)),
                verdict,
                desk.said(through),
            )

    return desk.table(("col.kind", "col.max_age", "col.good", "col.through"), (4, 2, 2, 2), rows())


def _four(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write annex IV."""
    yield desk.heading("annexes.four")
    if not processor.sub_processors:
        yield desk.facts_of(desk.asks("annexes.subs"))
        yield desk.para("annexes.four.none")
        return
    yield sub_processors(desk, processor, ("annexes.subs", "annexes.subs.address", "annexes.subs.contact", "annexes.subs.role"))


def _changes(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write what changed since the signature."""
    words, signature = desk.words, processor.signature
    yield desk.heading("annexes.changes")
    if signature is None:
        yield desk.para("annexes.changes.unsigned")
        return
    told = "unreadable" if not signature.readable else "some" if signature.changes else "none"
    day = words.day(signature.signed_on)
    yield desk.para(f"annexes.changes.{told}", day=day, evidence=signature.evidence, version=signature.version)
    if signature.changes:
        yield desk.table(
            ("col.what", "col.signed", "col.now", "col.access"), (5, 3, 3, 2),
            (
                (
                    desk.said(words.where(each, processor.contract), Style.STRONG), desk.said(words.side(each.before)), desk.said(words.side(each.after)),
                    desk.said(words(f"effect.{each.effect}"), _EFFECTS[each.effect]),
                )
                for each in signature.changes
            ),
        )  # fmt: skip
