"""What is found for each rule that ``ecluse doctor --regulator`` asks after, by the rule's id in ``regulator.toml``. Pure.

Everything is computed from settings, contracts in force, documents, findings, gates, witnesses and the log's last head, as papers state them. What holds by
construction says by what; what is not built is missing, whatever the settings say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import msgspec

from ecluse.cli.screen import counted, local_time
from ecluse.contracts import Assurance, Contract, EvidenceKind, Form, GateState
from ecluse.contracts.model import REQUIRED_CLAUSES
from ecluse.papers.model import Control, Facts, ProcessorFacts
from ecluse.settings import Settings

_MONTHS: Final = 12
"""The longest that logs are kept without a reason in writing: CNIL, recommendation 2021-122."""

_NOTICE_HOURS: Final = 24
"""What passes for "at once" between a processor and the controller, who has 72 hours itself."""

_DAYS: Final = 31
_DAY: Final = timedelta(days=1)
_CERTIFICATES: Final = frozenset({EvidenceKind.ISO27001, EvidenceKind.SOC2_TYPE2, EvidenceKind.SECNUMCLOUD})
_AUDITS: Final = frozenset({EvidenceKind.AUDIT, EvidenceKind.PENTEST})


class Stand(StrEnum):
    """How a rule stands: there is evidence; something is missing or weaker than the rule; no software's to do but the controller's organisation's."""

    OK = "ok"
    WARN = "warn"
    NOTE = "note"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What rules are held against. ``unsigned_since``: since when entries wait for a signature; ``witnesses``: how many are asked to cosign.

    ``machines``, ``portals``: of processors and of persons' portals, with a key in use. ``mail_problem``: what its server said, empty: nothing.
    """

    facts: Facts
    settings: Settings
    unsigned_since: datetime | None
    witnesses: int
    quorum_since: datetime | None
    uncosigned_since: datetime | None
    machines: int
    portals: int
    mail_problem: str

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """Return the contracts in force."""
        return tuple(each.contract for each in self.facts.processors)


Found: TypeAlias = tuple[Stand, str]


def _each(seen: Seen, faults: Callable[[ProcessorFacts], Iterable[str]], good: str) -> Found:
    """Warn of each fault with the processors that have it; ``good`` is said where none has one."""
    if not seen.facts.processors:
        return Stand.WARN, "no contract is in force: nothing is disclosed, and there is nothing to show"
    bad: dict[str, list[str]] = {}
    for each in seen.facts.processors:
        for fault in faults(each):
            bad.setdefault(fault, []).append(each.id)
    return (Stand.WARN, "; ".join(f"{fault}: {', '.join(ids)}" for fault, ids in bad.items())) if bad else (Stand.OK, good)


def _hours(length: timedelta) -> str:
    return f"{length / timedelta(hours=1):g} hours"


def _firms(seen: Seen) -> str:
    return counted(len(seen.facts.processors), "contract")


def _two_factors(seen: Seen) -> Found:
    def faults(each: ProcessorFacts) -> Iterable[str]:
        signed_in = each.contract.limits.agent_assurance is Assurance.AUTHENTICATED
        yield ("agents have to sign in, which none can yet" if signed_in else "the machine names the agent, no factor is seen")

    return _each(seen, faults, "")


def _possession(seen: Seen) -> Found:
    if not seen.machines:
        return Stand.WARN, "no machine of a processor has a key in use"
    keys = "each call proves a private key, tokens are bound to it; whether hardware holds the key is not seen"
    return Stand.OK, f"{counted(seen.machines, 'machine')} of processors: {keys}"


def _kept_months(seen: Seen) -> Found:
    kept = seen.settings.retention
    found = f"openings are erased after {kept.openings_months} months, backups after {kept.backups_days} days more"
    return Stand.OK if kept.openings_months <= _MONTHS else Stand.WARN, found


def _apart(seen: Seen) -> Found:
    ledger, register = seen.settings.database.url, seen.settings.register.url
    if not ledger:
        return Stand.WARN, "the embedded PostgreSQL, for evaluation only"
    if register and urlsplit(ledger).netloc == urlsplit(register).netloc:
        return Stand.WARN, f"ledger and register are on the same server, {urlsplit(ledger).netloc}"
    return Stand.OK, f"the ledger is on {urlsplit(ledger).netloc}, the register elsewhere; its role may not change an entry"


def _watched(seen: Seen) -> Found:
    metrics = f"metrics are served at {seen.settings.metrics}" if seen.settings.metrics else "metrics are served nowhere"
    return Stand.WARN, f"ceilings stop at their figure, but nothing raises an alarm before; {metrics}"


def _told(seen: Seen) -> Found:
    mail = seen.settings.mail
    if not mail.host:
        return Stand.WARN, "no mail server is configured: nobody is told"
    if seen.mail_problem:
        return Stand.WARN, f"no mail can be handed over to {mail.host}: {seen.mail_problem}"
    lacks = [name for name, said in (("mail.controller", mail.controller), ("mail.dpo", mail.dpo)) if not said]
    if lacks:
        return Stand.WARN, f"mail goes by {mail.host}, but {' and '.join(lacks)} {'are' if lacks[1:] else 'is'} empty"
    return Stand.OK, f"mail goes by {mail.host} to {counted(len(mail.of_controller), 'address', 'addresses')} of the controller"


def _agent_ceilings(seen: Seen) -> Found:
    def faults(each: ProcessorFacts) -> Iterable[str]:
        least = min(each.contract.limits.persons_per_client_per_hour, each.contract.limits.persons_per_day)
        for purpose in each.contract.purposes.values():
            most = purpose.persons_per_agent_per_hour
            if most < 1:
                yield f"no ceiling of an agent for {purpose.id}"
            elif most > least:
                yield f"{most:,} an hour and agent for {purpose.id} is above the {least:,} of a whole machine or day"

    most = max((each.persons_per_agent_per_hour for one in seen.contracts for each in one.purposes.values()), default=0)
    return _each(seen, faults, f"{counted(most, 'person')} an hour and agent at most, in {_firms(seen)}")


def _reach(contract: Contract) -> int:
    """Return more persons than the sites' sessions could ever open in a UTC day: every day that it touches, the windows and a day-long session added."""
    widest = max((each.opens_before + each.closes_after for each in contract.purposes.values()), default=timedelta())
    largest = max((each.max_capacity for each in contract.purposes.values()), default=0)
    return largest * sum(each.max_sessions_per_day for each in contract.sites.values()) * (-(-widest // _DAY) + 3)


def _processor_ceilings(seen: Seen) -> Found:
    def faults(each: ProcessorFacts) -> Iterable[str]:
        limits, reach = each.contract.limits, _reach(each.contract)
        day, month, hour = limits.persons_per_day, limits.persons_per_month, limits.persons_per_client_per_hour
        yield from (f"no ceiling of the {name}" for name, said in (("day", day), ("month", month), ("machine", hour)) if said < 1)
        if day > reach:
            yield f"{day:,} a day never counts, sessions and windows end at {reach:,}"
        if day >= 1 and month > _DAYS * day:
            yield f"{month:,} a month never counts, the day ends at {day:,}"
        if hour > day >= 1:
            yield f"{hour:,} an hour and machine never counts, the day ends at {day:,}"

    names = ("persons_per_client_per_hour", "persons_per_day", "persons_per_month")
    hour, day, month = (max((getattr(each.limits, name) for each in seen.contracts), default=0) for name in names)
    return _each(seen, faults, f"at most {hour:,} persons an hour and machine, {day:,} a day, {month:,} a month of one processor")


def _whole_ceiling(seen: Seen) -> Found:
    together = sum(each.limits.persons_per_day for each in seen.contracts)
    return Stand.WARN, f"{_firms(seen)} together allow {together:,} persons a day; no ceiling bounds them all"


def _bulk(seen: Seen) -> Found:
    def faults(each: ProcessorFacts) -> Iterable[str]:
        for purpose in each.contract.purposes.values():
            if purpose.sheet and purpose.max_capacity > each.contract.limits.persons_per_day:
                yield f"a roll-call of {purpose.max_capacity:,} for {purpose.id} is above its day"

    rolls = [each.max_capacity for one in seen.contracts for each in one.purposes.values() if each.sheet]
    called = f"a roll-call, of {max(rolls):,} at most" if rolls else "no contract grants a roll-call"
    return _each(seen, faults, f"no call gives a list: one person an answer; {called}")


def _allowed_flows(seen: Seen) -> Found:
    wide = [each.opens_before + each.closes_after for one in seen.contracts for each in one.purposes.values()]
    refused = sum(number for each in seen.facts.processors for number in each.observed.refusals.values())
    kept = f"every answer sealed, {counted(refused, 'refusal')} kept of {seen.facts.openings_months} months"
    good = f"only by appointment, {_hours(max(wide, default=timedelta()))} around a session at most; {kept}"
    return _each(seen, lambda _: (), good)


def _clauses(seen: Seen) -> Found:
    def faults(each: ProcessorFacts) -> Iterable[str]:
        return (f"lacks {clause}" for clause in REQUIRED_CLAUSES if clause not in each.contract.clauses)

    return _each(seen, faults, f"all {len(REQUIRED_CLAUSES)} points in {_firms(seen)}; a gate without one is shut")


def _breach_hours(seen: Seen) -> Found:
    def faults(each: ProcessorFacts) -> Iterable[str]:
        if each.contract.breach_notice_hours > _NOTICE_HOURS:
            yield f"{each.contract.breach_notice_hours} hours"

    most = max((each.breach_notice_hours for each in seen.contracts), default=0)
    return _each(seen, faults, f"within {most} hours at most, by contract")


def _good(each: ProcessorFacts, kinds: Iterable[str], called: str) -> Iterable[str]:
    """Say what is missing of documents of which one kind has to be asked for and good now."""
    wanted = {one.kind for one in each.contract.evidence_required} & set(kinds)
    if not wanted:
        yield f"no {called} is asked for"
    elif not wanted & {one.kind for one in each.evidence if one.counts}:
        yield f"no {called} is good now"


def _proofs(seen: Seen) -> Found:
    def faults(each: ProcessorFacts) -> Iterable[str]:
        yield from _good(each, [EvidenceKind.SECURITY_POLICY], "security policy")
        yield from _good(each, _CERTIFICATES, "certificate")

    return _each(seen, faults, f"a security policy and a certificate, good now, in {_firms(seen)}")


def _annexed(seen: Seen) -> Found:
    def faults(each: ProcessorFacts) -> Iterable[str]:
        if each.signature is None:
            yield "no signed act is handed in"
        elif each.signature.changes or not each.signature.readable:
            yield f"the contract changed since it was signed on {each.signature.signed_on}"

    return _each(seen, faults, f"the signed act is of what is in force, in {_firms(seen)}")


def _gates(seen: Seen) -> Found:
    def faults(each: ProcessorFacts) -> Iterable[str]:
        return () if each.contract.evidence_required else ("no evidence is asked for, so none can lapse",)

    passing = sum(each.gate.state in {GateState.OPEN, GateState.WARN} for each in seen.facts.processors)
    shut = len(seen.facts.processors) - passing
    return _each(seen, faults, f"each request asks the gate, which follows documents and dates: {passing} open, {shut} shut now")


def _audits(seen: Seen) -> Found:
    def faults(each: ProcessorFacts) -> Iterable[str]:
        return _good(each, _AUDITS, "audit or penetration test")

    return _each(seen, faults, f"one is asked for and good now, in {_firms(seen)}")


def _signed_log(seen: Seen) -> Found:
    ledger, zone = seen.facts.ledger, seen.settings.zone
    if ledger.signed_at is None:
        return Stand.WARN, "no checkpoint is signed yet"
    if seen.unsigned_since is not None:
        return Stand.WARN, f"entries wait for a signature, the newest since {local_time(seen.unsigned_since, zone)}"
    stamped = (
        "time stamps are asked of an authority" if seen.settings.ledger.anchor_url else "without time stamps of an authority"
    )
    return Stand.OK, f"append-only, signed up to entry {ledger.size:,} on {local_time(ledger.signed_at, zone)}, {stamped}"


def _witnessed(seen: Seen) -> Found:
    limits, zone, some = seen.settings.ledger, seen.settings.zone, counted(seen.witnesses, "witness", "witnesses")
    if not seen.witnesses or seen.quorum_since is None:
        return Stand.WARN, f"{some}, no quorum: only who kept a checkpoint would notice"
    if seen.uncosigned_since is not None and seen.facts.at - seen.uncosigned_since > limits.max_uncosigned:
        return Stand.WARN, f"entries wait for the witnesses' quorum since {local_time(seen.uncosigned_since, zone)}"
    stops = f"{_hours(limits.max_uncosigned_frozen)} without it, and nothing is disclosed"
    return Stand.OK, f"{some}, a quorum asked for since {local_time(seen.quorum_since, zone)}; {stops}"


def _least_log(seen: Seen) -> Found:
    found = f"entries of {seen.facts.ledger.origin} hold hashes, no personal data in clear"
    return Stand.OK, f"{found}; each appointment has a random identifier"


def _needed(seen: Seen) -> Found:
    forms = [form for each in seen.contracts for purpose in each.purposes.values() for form in purpose.attributes.values()]
    weaker = sum(form not in {Form.FULL, Form.WITHHELD} for form in forms)
    special = ", ".join(sorted({name for each in seen.facts.processors for name in each.special})) or "none"
    found = f"{counted(len(forms), 'attribute')} named by contracts, {weaker} in a weaker form; of Art. 9 or 10: {special}"
    return _each(seen, lambda _: (), f"{found}; nothing else leaves")


def _informed(seen: Seen) -> Found:
    if not seen.portals:
        return Stand.WARN, "every answer can be shown to its person, but no portal has a key in use"
    return Stand.OK, f"{counted(seen.portals, 'portal')}: who was given what, when and why, each line with its proof"


def _reviewed(seen: Seen) -> Found:
    ends = max((each.ends_on for each in seen.contracts), default=None)
    return Stand.NOTE, f"contracts end by themselves, the last on {ends}" if ends else "no contract is in force"


def _parties(seen: Seen) -> Found:
    def faults(each: ProcessorFacts) -> Iterable[str]:
        for whose, said in (("", each.body), *((f" of {sub.name}", sub) for sub in each.sub_processors)):
            yield from (f"no {key}{whose}" for key in ("address", "contact", "country") if not getattr(said, key))
        yield from (f"{sub.name} is listed, but the contract does not name it" for sub in each.sub_processors if not sub.declared)

    subs = [sub.country for each in seen.facts.processors for sub in each.sub_processors]
    where = ", ".join(sorted({each.body.country for each in seen.facts.processors} | set(subs)))
    both = f"{counted(len(seen.facts.processors), 'processor')} and {counted(len(subs), 'sub-processor')}"
    return _each(seen, faults, f"address, contact and country of {both} ({where})")


def _abroad(seen: Seen) -> Found:
    out = ", ".join(seen.facts.third_countries)
    if not out:
        return Stand.OK, "no processor or sub-processor is outside it, by the contracts"
    if not seen.facts.activity.safeguards.strip():
        return Stand.WARN, f"to {out}, and no safeguards are said"
    return Stand.OK, f"to {out}; papers.toml says the safeguards"


def _transit(seen: Seen) -> Found:
    url = seen.settings.public_url
    return Stand.OK if url.startswith("https://") else Stand.WARN, f"the gate is called at {url}"


def _collected(seen: Seen) -> Found:
    return Stand.NOTE, f"one JSON line an event, without personal data; metrics: {seen.settings.metrics or 'nowhere'}"


def _caseload(seen: Seen) -> Found:
    opened = seen.settings.emergency.per_day
    glass = f"break-glass {opened} times a day at most, each reviewed by another person" if opened else "no break-glass"
    return _each(seen, lambda _: (), f"a person is seen by the processor of their appointment only, in its window; {glass}")


def _assessed(seen: Seen) -> Found:
    said = seen.facts.activity.impact_assessment.strip()
    every = {measure.control for each in seen.facts.processors for measure in each.measures}
    lacks = ", ".join(each.value for each in Control if each not in every)
    running = f"{len(every)} of Écluse's {len(Control)} measures in force" + (f", not: {lacks}" if lacks else "")
    return (Stand.OK, f"papers.toml names it; {running}") if said else (Stand.WARN, f"none is named; {running}")


def _ends(seen: Seen) -> Found:
    limits = seen.facts.erasure_limits
    lacks = [each.category.value for each in limits if not each.limit.strip()]
    if lacks:
        return Stand.WARN, f"nobody said how long: {', '.join(lacks)}"
    return Stand.OK, f"said for {counted(len(limits), 'category', 'categories')} of data that contracts give"


def _copies(seen: Seen) -> Found:
    today = seen.facts.at.astimezone(seen.settings.zone).date()

    def faults(each: ProcessorFacts) -> Iterable[str]:
        if "no-copy" not in each.contract.clauses:
            yield "lacks the clause no-copy"
        attested = any(one.kind == EvidenceKind.DELETION_ATTESTATION and one.counts for one in each.evidence)
        if each.contract.ends_on < today and not attested:
            yield f"ended on {each.contract.ends_on}, no deletion-attestation"

    ended = sum(each.ends_on < today for each in seen.contracts)
    over = f"{ended} ended, each with its attestation" if ended else "none ended"
    return _each(seen, faults, f"the clause no-copy in {_firms(seen)}; {over}")


def _decoys(seen: Seen) -> Found:
    words = ", ".join(sorted({each.containment.on_decoy.value for each in seen.contracts})) or "no contract"
    return Stand.WARN, f"no decoy is planted, whatever contracts say of one ({words})"


def _flaws(seen: Seen) -> Found:
    def faults(each: ProcessorFacts) -> Iterable[str]:
        return (f"{one.severity}, due {one.due_on} ({one.id})" for one in each.findings if one.overdue)

    open_ = sum(one.closed_at is None for each in seen.facts.processors for one in each.findings)
    return _each(seen, faults, f"{counted(open_, 'finding')} open, none past its day; a grave one past it shuts the gate")


def _says(level: Stand, found: str) -> Callable[[Seen], Found]:
    """Return what no figure of this installation moves."""
    return lambda _: (level, found)


CHECKS: Final[Mapping[str, Callable[[Seen], Found]]] = {
    "A1": _two_factors, "A2": _possession, "A3.time": _kept_months, "A3.apart": _apart, "A4.watch": _watched, "A4.told": _told,
    "A5.agent": _agent_ceilings, "A5.app": _processor_ceilings, "A5.all": _whole_ceiling, "A5.bulk": _bulk, "A6": _allowed_flows,
    "A7": _says(Stand.NOTE, "a notice to staff is written for this installation; trainings and accounts are not Écluse's"),
    "A8.clauses": _clauses, "A8.notice": _breach_hours, "A9.proofs": _proofs, "A9.annexed": _annexed, "A10": _gates, "A11": _audits,
    "B.store": _signed_log, "B.alert": _witnessed, "B.least": _least_log,
    "B.users": _says(Stand.NOTE, "notice and record's sheet are written for this installation; handing them out is not Écluse's"),
    "D": _says(Stand.NOTE, "Écluse keeps no password of a person: machines prove keys, operators act as their own account"),
    "E.needed": _needed, "E.inform": _informed, "F5": _reviewed, "G.known": _parties, "G.abroad": _abroad,
    "H": _says(Stand.WARN, "no breach notice or letter is written; receipts and dossiers show what was disclosed"),
    "I.transit": _transit, "I.collect": _collected, "J.caseload": _caseload, "J.dpia": _assessed, "J.kept": _ends, "J.copies": _copies,
    "J.decoys": _decoys, "J.flaws": _flaws,
}  # fmt: skip
"""The check of each rule, by its id."""
