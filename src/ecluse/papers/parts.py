"""Parts that several papers share: parties, attributes by purpose, measures, sub-processors, what the ledger saw. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from ecluse.contracts import Form, Purpose
from ecluse.papers.blocks import Block, Cell, Desk, Fact, Style, Table
from ecluse.papers.model import Body, ProcessorFacts

_STATES = {"open": Style.GOOD, "warn": Style.WARN, "frozen": Style.BAD, "closed": Style.BAD}


def state(desk: Desk, state: str) -> Cell:
    """Write a state of the gate."""
    return desk.said(desk.words(f"state.{state}"), _STATES[state])


def joint(desk: Desk, id: str) -> Fact | None:
    """Write the joint controllers."""
    return desk.asks(
        id, *(", ".join(filter(None, (each.name, each.address, country(desk, each), each.reach))) for each in desk.facts.joint)
    )


def named(desk: Desk, body: Body) -> str:
    """Name a body with its country and number."""
    return ", ".join(filter(None, (body.name, body.registration, country(desk, body)))) if body.name.strip() else ""


def country(desk: Desk, body: Body) -> str:
    """Name the country of a body."""
    return desk.words.country(body.country)


def persons(desk: Desk, id: str) -> Fact | None:
    """Write the categories of persons."""
    return desk.asks(id, *desk.facts.activity.persons)


def categories(desk: Desk, processors: Iterable[ProcessorFacts], id: str) -> Fact | None:
    """Write the categories of data that contracts give, each with its attributes."""
    given = {
        name
        for each in processors
        for purpose in each.contract.purposes.values()
        for name, form in purpose.attributes.items()
        if form is not Form.WITHHELD
    }
    by_category: dict[str, list[str]] = {}
    for datum in desk.facts.data:
        if datum.name in given:
            by_category.setdefault(datum.category, []).append(datum.name)
    words = desk.words
    return desk.asks(
        id, *(f"{words.of('category', name)}{words('colon')}{words.attributes(listed)}" for name, listed in by_category.items())
    )


def attributes(desk: Desk, purpose: Purpose) -> Table:
    """Write the attributes of a purpose with their forms."""
    kinds = {each.name: each.category for each in desk.facts.data}
    return desk.table(
        ("col.attribute", "col.category", "col.form", "col.sheet"), (3, 2, 2, 2),
        (
            (
                desk.said(desk.words.attribute(name)), desk.said(desk.words.of("category", kinds.get(name, "other"))),
                desk.said(desk.words.of("form", form)), desk.said(desk.words.of("form", purpose.sheet[name]) if name in purpose.sheet else "–"),
            )
            for name, form in purpose.attributes.items()
        ),
    )  # fmt: skip


def measures(desk: Desk, processor: ProcessorFacts, id: str) -> Table:
    """Write the measures in force, a row each, with what they are for."""
    words = desk.words
    rows = (
        (desk.said(words(f"family.{each.control}"), Style.STRONG), desk.said(words.measure(each, processor.contract)))
        for each in processor.measures
    )
    return desk.asked_table((id,), ("col.family", "col.measure"), (1.6, 6), rows)


def sub_processors(desk: Desk, processor: ProcessorFacts, ids: tuple[str, ...] = ()) -> Table:
    """Write the sub-processors; ``ids``: of the obligations that address, contact and role fulfil."""
    said = {(True, True): "declared.both", (True, False): "declared.contract", (False, True): "declared.list"}
    must = {each.rpartition(".")[2]: each for each in ids}
    return desk.asked_table(
        ids, ("col.name", "col.role", "col.address", "col.contact", "col.country", "col.said"), (3, 2, 3, 3, 2, 2),
        (
            (
                desk.text(each.name, Style.STRONG), desk.said(desk.words.of("role", each.role)) if each.role else desk.or_box("", must.get("role", "")),
                *(desk.or_box(getattr(each, key), must.get(key, "")) for key in ("address", "contact")),
                desk.said(desk.words.country(each.country)),
                desk.said(desk.words(said[each.declared, each.listed]), Style.PLAIN if each.declared else Style.BAD),
            )
            for each in processor.sub_processors
        ),
    )  # fmt: skip


def transfers(desk: Desk, countries: tuple[str, ...], transfer_id: str, safeguard_id: str) -> Iterator[Fact | None]:
    """Write where data go outside the EEA, and the safeguards; neither where they do not."""
    yield desk.asks(transfer_id, *map(desk.words.country, countries))
    yield desk.asks(safeguard_id, desk.facts.activity.safeguards if countries else "")


def observed(desk: Desk, processor: ProcessorFacts, purpose: str | None = None) -> Iterator[Block]:
    """Write what the ledger saw given to a processor, for one purpose or all."""
    words = desk.words
    uses = [each for each in processor.observed.uses if purpose in {None, each.purpose}]
    if not uses:
        yield desk.para("record.observed.none")
        return
    labels = {name: each.label for name, each in processor.contract.purposes.items()}
    erased = any(each.erased for each in uses)
    heads = (
        "col.purpose",
        "col.attribute",
        "col.forms",
        "col.disclosures",
        "col.persons",
        *(("col.erased",) if erased else ()),
        "col.last",
    )
    yield desk.table(
        heads, (4, 3, 4, 2, 2, *((2,) if erased else ()), 2),
        (
            (
                desk.text(labels.get(each.purpose, each.purpose)), desk.said(words.attribute(each.attribute)),
                desk.said(words.listed(f"{words.of('form', form)} ({words.number(count)})" for form, count in sorted(each.forms.items()))),
                desk.said(words.number(each.disclosures), Style.NUMBER), desk.said(words.number(each.persons), Style.NUMBER),
                *((desk.said(words.number(each.erased), Style.NUMBER),) if erased else ()), desk.said(words.day_of(each.last_at)),
            )
            for each in uses
        ),
    )  # fmt: skip
    if erased:
        yield desk.para("record.observed.erased", note=True)


def period(desk: Desk, processor: ProcessorFacts) -> Block:
    """Say of which days the numbers are, first and last."""
    seen, words = processor.observed, desk.words
    return desk.para(
        "record.observed.lead", since=words.short_day(seen.since), until=words.short_day(seen.until - timedelta(days=1))
    )


def coverage(desk: Desk) -> Iterator[Block]:
    """Say how far the ledger was counted, and what it can't see."""
    for each in desk.facts.counted:
        yield desk.para("record.counted", note=True, upto=desk.words.number(each.upto), size=desk.words.number(each.size))
    yield desk.para("record.blind", note=True)
