"""The audit dossier of one processor: contract, gate, documents, findings, overrides, numbers, and proofs that somebody else can check. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import msgspec

from ecluse.papers.annexes import required
from ecluse.papers.blocks import Block, Cell, Code, Desk, Paper, Style
from ecluse.papers.model import (
    EvidenceFacts,
    Facts,
    FindingFacts,
    GateChange,
    Hold,
    Language,
    OverrideFacts,
    PaperKind,
    ProcessorFacts,
)
from ecluse.papers.parts import coverage, observed, period, state, sub_processors

_COLUMNS = 104
_SEVERITIES = {"critical": Style.BAD, "high": Style.BAD, "medium": Style.WARN, "low": Style.PLAIN}


def write_dossier(facts: Facts, processor: ProcessorFacts, language: Language) -> Paper:
    """Write the dossier of one processor."""
    desk = Desk(PaperKind.DOSSIER, facts, processor, language)
    parts = (_summary, _contract, _gate, _evidence, _findings, _overrides, _subs, _numbers, _proof)
    return desk.paper([block for part in parts for block in part(desk, processor)])


def _summary(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write what a reader wants first."""
    words, signature, seen = desk.words, processor.signature, processor.observed
    signed = "" if signature is None else words(
        "dossier.signature.value", evidence=signature.evidence, day=words.day(signature.signed_on), version=signature.version,
        changes=words.number(len(signature.changes)) if signature.readable else "?",
    )  # fmt: skip
    version = processor.version
    yield desk.heading("dossier.summary")
    yield desk.facts_of(
        desk.asks("dossier.processor.name", processor.body.name),
        desk.asks("dossier.processor.address", processor.body.address),
        desk.asks("dossier.processor.contact", processor.body.contact),
        desk.asks("dossier.contract", words("head.contract.value", reference=version.reference, version=version.version)),
        desk.asks("dossier.signature", signed),
        desk.fact("dossier.state", words(f"state.{processor.gate.state}"), style=state(desk, processor.gate.state).style),
        desk.fact("dossier.reasons", *map(words.reason, processor.gate.reasons)),
        desk.fact(
            "dossier.disclosures",
            words("dossier.disclosures.value", disclosures=words.number(seen.disclosures), persons=words.number(seen.persons)),
        ),
    )


def _contract(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write the contract and its versions."""
    words, contract = desk.words, processor.contract
    yield desk.heading("dossier.contract")
    yield desk.facts_of(
        desk.fact(
            "annexes.in_force",
            words("annexes.in_force.value", version=processor.version.version, at=words.at(processor.version.applied_at)),
        ),
        desk.fact("annexes.hash", processor.version.hash, style=Style.MONO),
        desk.fact(
            "head.contract",
            words("annexes.duration.value", begins=words.day(contract.starts_on), ends=words.day(contract.ends_on)),
        ),
        desk.fact(
            "record.purpose.plain",
            *(
                words("annexes.purpose.value", label=each.label, basis=words.basis(each.legal_basis))
                for each in contract.purposes.values()
            ),
        ),
    )
    yield desk.heading("dossier.versions", 2)
    yield desk.table(
        ("col.version", "col.since", "col.by", "col.entry", "col.hash"), (1.2, 3, 2, 1.4, 5),
        (
            (
                desk.said(str(each.version), Style.STRONG), desk.said(words.at(each.applied_at)), desk.text(each.applied_by),
                desk.said("–" if each.index is None else words.number(each.index), Style.NUMBER), desk.said(f"{each.hash[:32]}\n{each.hash[32:]}", Style.MONO),
            )
            for each in processor.versions
        ),
    )  # fmt: skip


def _gate(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write how the gate stood, how it came to it, and what time alone will change."""
    yield desk.heading("dossier.gate")
    yield desk.para("dossier.gate.lead")
    yield desk.heading("dossier.history", 2)
    yield _changes(desk, processor.gate_history)
    for each in processor.versions:
        if not each.readable:
            yield desk.para("dossier.unreadable", note=True, version=each.version)
    yield desk.heading("dossier.ahead", 2)
    yield _changes(desk, processor.gate_ahead) if processor.gate_ahead else desk.para("dossier.ahead.none")


def _changes(desk: Desk, changes: tuple[GateChange, ...]) -> Block:
    """Write states of the gate, one after the other."""
    return desk.table(
        ("col.since", "col.state", "col.why"), (2.4, 2, 6),
        ((desk.said(desk.words.at(each.at)), state(desk, each.state), desk.said(desk.words.reasons(each.reasons) or "–")) for each in changes),
    )  # fmt: skip


def _evidence(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write the documents asked for, and those accepted."""
    yield desk.heading("dossier.evidence")
    yield desk.heading("dossier.required", 2)
    yield required(desk, processor) if processor.contract.evidence_required else desk.para("dossier.required.none")
    yield desk.heading("dossier.documents", 2)
    if not processor.evidence:
        yield desk.para("dossier.documents.none")
        return
    yield desk.table(
        ("col.kind", "col.title", "col.reviewed", "col.accepted", "col.good"), (2.4, 5, 2, 2.2, 2.2),
        (_document(desk, each) for each in processor.evidence),
    )  # fmt: skip


def _document(desk: Desk, each: EvidenceFacts) -> tuple[Cell, ...]:
    """Write one document."""
    words = desk.words
    begins, ends = each.period or (None, None)
    told = [
        desk.text(each.title).text,
        desk.text(" · ".join(filter(None, (each.issuer, each.scope)))).text,
        words("sites", sites=desk.text(", ".join(each.sites)).text) if each.sites else "",
        words("period", begins=words.short_day(begins), ends=words.short_day(ends)) if begins and ends else "",
        words("ends", day=words.short_day(each.ends_on)) if each.ends_on else "",
        words("bridges", id=desk.text(each.bridges).text) if each.bridges else "",
        words("withdrawn", day=words.day_of(each.withdrawn_at)) if each.withdrawn_at else "",
        desk.text(each.id).text,
        f"SHA-256 {each.sha256[:16]}…{each.sha256[-8:]}",
    ]
    until = words.short_day(each.good_through) if each.good_through else words("unlimited")
    good = desk.said(f"{words('good.yes')}\n{until}", Style.GOOD) if each.counts else desk.said(words("good.no"), Style.BAD)
    accepted = desk.said(f"{words.day_of(each.accepted_at)}\n{desk.text(each.accepted_by).text}")
    return (
        desk.said(words.kind(each.kind), Style.STRONG),
        desk.said("\n".join(filter(None, told))),
        desk.said(words.short_day(each.reviewed_on)),
        accepted,
        good,
    )


def _findings(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write the findings."""
    yield desk.heading("dossier.findings")
    if not processor.findings:
        yield desk.para("dossier.findings.none")
        return
    yield desk.table(
        ("col.severity", "col.finding", "col.due", "col.closed"), (1.6, 6, 2, 4), (_finding(desk, each) for each in processor.findings)
    )  # fmt: skip


def _finding(desk: Desk, each: FindingFacts) -> tuple[Cell, ...]:
    """Write one finding."""
    words = desk.words
    if each.closed_at is not None:
        closed = desk.said(words("closed.on", day=words.day_of(each.closed_at), closing=desk.text(each.closing or "").text))
    else:
        closed = desk.said(words("overdue" if each.overdue else "open"), Style.BAD if each.overdue else Style.WARN)
    title = f"{desk.text(each.title).text}\n{each.source} · {each.id}"
    return (
        desk.said(words.of("severity", each.severity), _SEVERITIES.get(each.severity, Style.PLAIN)),
        desk.said(title),
        desk.said(words.short_day(each.due_on)),
        closed,
    )


def _overrides(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write what was lifted, and what was suspended."""
    yield desk.heading("dossier.overrides")
    if processor.overrides:
        heads = ("col.since", "col.hours", "col.reasons", "col.reason", "col.two")
        yield desk.table(heads, (2.4, 1.2, 4, 4, 3), (_override(desk, each) for each in processor.overrides))
    else:
        yield desk.para("dossier.overrides.none")
    if processor.holds:
        yield desk.table(
            ("col.since", "col.effect", "col.reason", "col.by", "col.until"),
            (2.4, 2, 4, 2, 3),
            (_hold(desk, each) for each in processor.holds),
        )
    else:
        yield desk.para("dossier.holds.none")


def _override(desk: Desk, each: OverrideFacts) -> tuple[Cell, ...]:
    """Write one override."""
    words = desk.words
    length = words("hours", hours=each.hours) + (
        f"\n{words('revoked', day=words.day_of(each.revoked_at))}" if each.revoked_at else ""
    )
    two = f"{desk.text(each.asked_by).text}\n{desk.text(each.approved_by).text}"
    return (
        desk.said(words.at(each.approved_at)),
        desk.said(length),
        desk.said(words.reasons(each.reasons)),
        desk.text(each.why),
        desk.said(two),
    )


def _hold(desk: Desk, each: Hold) -> tuple[Cell, ...]:
    """Write one suspension."""
    words = desk.words
    planned = words.at(each.until_at) if each.until_at else words("until.released")
    until = words("released", day=words.at(each.released_at)) if each.released_at else planned
    return (
        desk.said(words.at(each.from_at)),
        desk.said(words.of("hold", each.effect)),
        desk.text(each.reason),
        desk.text(each.placed_by),
        desk.said(until),
    )


def _subs(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write the sub-processors."""
    yield desk.heading("dossier.subs")
    yield sub_processors(desk, processor) if processor.sub_processors else desk.para("dossier.subs.none")


def _numbers(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write what the ledger saw, and what was refused."""
    words, seen = desk.words, processor.observed
    yield desk.heading("dossier.numbers")
    yield period(desk, processor)
    yield from observed(desk, processor)
    yield desk.heading("dossier.refusals", 2)
    if seen.refusals:
        rows = ((desk.text(reason), desk.said(words.number(count), Style.NUMBER)) for reason, count in seen.refusals.items())
        yield desk.table(("col.reason", "col.count"), (4, 1), rows)
    else:
        yield desk.para("dossier.refusals.none")
    yield from coverage(desk)


def _proof(desk: Desk, processor: ProcessorFacts) -> Iterator[Block]:
    """Write what proves that the contract's entry is in the signed tree, and how to check it."""
    words, proof, ledger = desk.words, processor.proof, desk.facts.ledger
    yield desk.heading("dossier.proof")
    if proof is None:
        yield desk.para("dossier.proof.none")
        return
    yield desk.para("dossier.proof.lead")
    entry = words("dossier.proof.entry.value", index=proof.index, size=proof.size, origin=desk.text(proof.origin).text)
    yield desk.facts_of(
        desk.fact("dossier.proof.entry", entry),
        desk.fact("dossier.proof.leaf_hash", proof.leaf_hash, style=Style.MONO),
        desk.fact("dossier.proof.root", proof.root, style=Style.MONO),
    )
    shown = {
        "leaf": [proof.leaf],
        "path": list(proof.path),
        "opening": _opening(proof.opening),
        "note": ledger.note.splitlines(),
        "keys": list(ledger.vkeys),
    }
    for name, lines in shown.items():
        if lines:
            yield desk.heading(f"dossier.proof.{name}", 2)
            yield Code(lines=tuple(_wrapped(lines)))
    yield desk.heading("dossier.proof.how", 2)
    for step in range(1, 5):
        yield desk.para(f"dossier.proof.how.{step}")


def _opening(text: str) -> list[str]:
    """Return the fields of an opening, a line each."""
    fields: list[object] = msgspec.json.decode(text)["fields"]
    return [msgspec.json.encode(field, order="sorted").decode() for field in fields]


def _wrapped(lines: list[str]) -> Iterator[str]:
    """Yield lines cut to the page's width; what goes on is indented."""
    for line in lines:
        first, *rest = textwrap.wrap(line, _COLUMNS, subsequent_indent="  ", break_on_hyphens=False, drop_whitespace=False) or [
            ""
        ]
        yield from (first, *rest)
