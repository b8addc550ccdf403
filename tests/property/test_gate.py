"""The gate of any history at any instant, against a slow recomputation that is written from its rules and shares nothing with it but the length of an age.

The recomputation knows local dates only: it never makes an instant of a day, it asks which day it is there. What follows of it over time is found by
asking it at every instant at which anything can change, and a microsecond to both sides. ``ECLUSE_BIG=1`` draws many more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecluse.contracts import (
    Age,
    AuditFinding,
    Contract,
    Document,
    EvidenceRequired,
    Gatekeeper,
    Override,
    Severity,
    Standing,
    SubProcessor,
    gate_of,
    parse_contract,
)
from ecluse.register import AttributeType
from tests.invented import contract_text

pytestmark = pytest.mark.unit

EXAMPLES: Final = 20_000 if os.environ.get("ECLUSE_BIG") else 250
TICK, DAY, MONTH = timedelta(microseconds=1), timedelta(days=1), timedelta(days=30)
ZONES: Final = ("Europe/Paris", "America/Santiago", "Australia/Lord_Howe")
SITES: Final = ("large", "small")
KINDS: Final = ("pentest", "soc2-type2", "sub-processor-list")
AGES: Final = (Age(months=12, days=0), Age(months=1, days=0), Age(months=0, days=45))
NAMES: Final = ("Hébergeur Rhône", "HÉBERGEUR  rhône", "Autre Maison")
BEGIN, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2034, 1, 1, tzinfo=UTC)
"""Everything drawn lies between, with what follows from it."""


@dataclass(frozen=True, kw_only=True)
class History:
    """A contract, what stands beside it, and the controller's time zone."""

    contract: Contract
    standing: Standing
    zone: ZoneInfo

    def day(self, at: datetime) -> date:
        """Return the local day of an instant."""
        return at.astimezone(self.zone).date()


# ── the slow recomputation ───────────────────────────────────────────────────────────────────────────────────────────────────
def there(since: datetime, until: datetime | None, at: datetime) -> bool:
    """Say whether what began and ended at these instants is there."""
    return at >= since and (until is None or at < until)


def last_day(document: Document, age: Age) -> date:
    """Return the last day of a document by its own days."""
    return min(age.after(document.reviewed_on), document.ends_on or date.max)


def reach(history: History, document: Document, age: Age, at: datetime) -> tuple[date, frozenset[str]] | None:
    """Return the last day of a document that is there, and the sites it is for, as known at an instant; None if it is not there."""
    if not there(document.accepted_at, document.withdrawn_at, at):
        return None
    everywhere = frozenset(history.contract.sites)
    last, sites = last_day(document, age), frozenset(document.sites) & everywhere if document.sites else everywhere
    if document.bridges is None:
        return last, sites
    prolonged = [each for each in history.standing.documents if (each.id, each.kind) == (document.bridges, document.kind)]
    if not prolonged or prolonged[0].bridges is not None:
        return None
    base = reach(history, prolonged[0], age, at)
    if base is None or (document.sites and prolonged[0].sites and not set(document.sites) & set(prolonged[0].sites)):
        return None
    return min(last, Age(months=3, days=0).after(last_day(prolonged[0], age))), sites & base[1]


def evidence(history: History, required: EvidenceRequired, at: datetime) -> Iterator[tuple[str, str]]:
    """Go through rules 6 to 9."""
    ours = [each for each in history.standing.documents if each.kind == required.kind]
    reaches = [found for each in ours if (found := reach(history, each, required.age, at)) is not None]
    good = [(last, sites) for last, sites in reaches if history.day(at) <= last]
    if not good:
        seen = any(each.accepted_at <= at for each in ours)
        yield "frozen", f"evidence:{'lapsed' if seen else 'missing'}:{required.kind}"
        return
    bare = set(history.contract.sites).difference(*(sites for _, sites in good))
    yield from (("frozen", f"evidence:site:{required.kind}:{site}") for site in bare)
    lasting = [sites for last, sites in good if history.day(at + MONTH) <= last or last >= history.contract.ends_on]
    if not bare and set(history.contract.sites).difference(*lasting):
        yield "warn", f"evidence:lapses-soon:{required.kind}"


def findings(history: History, at: datetime) -> Iterator[tuple[str, str]]:
    """Go through rules 10 to 12."""
    for each in history.standing.findings:
        if not there(each.opened_at, each.closed_at, at):
            continue
        grave = each.severity in {"critical", "high"}
        if history.day(at) > each.due_on:
            yield ("frozen", f"finding:overdue:{each.id}") if grave else ("warn", f"finding:late:{each.id}")
        elif grave and history.day(at + MONTH) > each.due_on:
            yield "warn", f"finding:due-soon:{each.id}"


def others(history: History, at: datetime) -> Iterator[tuple[str, str]]:
    """Go through rules 1 to 5 and 13."""
    contract, today = history.contract, history.day(at)
    documents = history.standing.documents
    if today < contract.starts_on:
        yield "closed", "contract:dates:not-started"
    if today > contract.ends_on:
        yield "closed", "contract:dates:ended"
        attested = [each for each in documents if each.kind == "deletion-attestation"]
        if not any(
            there(each.accepted_at, each.withdrawn_at, at) and history.day(each.accepted_at) > contract.ends_on
            for each in attested
        ):
            yield "closed", "evidence:missing:deletion-attestation"
    if contract.starts_on <= today <= contract.ends_on < history.day(at + MONTH):
        yield "warn", "contract:dates:ends-soon"
    for clause in ["28.3." + letter for letter in "abcdefgh"]:
        if clause not in contract.clauses:
            yield "frozen", f"contract:clause:missing:{clause}"
    yield from (("warn", f"contract:clause:missing:{each}") for each in ("audit", "no-copy") if each not in contract.clauses)
    lists = [each for each in documents if each.kind == "sub-processor-list" and there(each.accepted_at, each.withdrawn_at, at)]
    if lists:
        newest = max(lists, key=lambda each: (each.accepted_at, each.id))
        if "Autre Maison" in newest.sub_processors or (newest.sub_processors and not contract.sub_processors):
            yield "frozen", f"sub-processor:undeclared:{newest.id}"


def slow(history: History, at: datetime) -> tuple[str, dict[str, str]]:
    """Return the state at an instant, and how bad each reason is."""
    why = {reason: bad for bad, reason in others(history, at)}
    for required in history.contract.evidence_required:
        why |= {reason: bad for bad, reason in evidence(history, required, at)}
    why |= {reason: bad for bad, reason in findings(history, at)}
    for each in history.standing.overrides:
        ends = each.until_at if each.revoked_at is None else min(each.until_at, each.revoked_at)
        for reason in each.reasons:
            if there(each.from_at, ends, at) and why.get(reason) == "frozen" and not reason.startswith("contract:"):
                why |= {reason: "warn", f"override:{each.id}": "warn"}
    return next((bad for bad in ("closed", "frozen", "warn") if bad in why.values()), "open"), why


# ── the instants at which anything can change ────────────────────────────────────────────────────────────────────────────────
@cache
def first_of(zone: str, day: date) -> datetime:
    """Return the first instant of a local day: of all quarters of an hour around, the first that is of that day or later."""
    at = datetime.combine(day, time(), UTC) - 2 * DAY
    while at.astimezone(ZoneInfo(zone)).date() < day:
        at += timedelta(minutes=15)
    return at


def turns(history: History) -> list[datetime]:
    """List every instant at which the recomputation could say something else, and more of them."""
    documents, contract = history.standing.documents, history.contract
    days = {contract.starts_on - DAY, contract.ends_on, *(each.due_on for each in history.standing.findings)}
    for each in documents:
        lasts = [last_day(each, age) for age in AGES]
        days |= {*lasts, *(Age(months=3, days=0).after(last) for last in lasts)}
    ends = [first_of(str(history.zone), day + DAY) for day in days]
    instants = [at for each in documents for at in (each.accepted_at, each.withdrawn_at)]
    instants += [at for each in history.standing.findings for at in (each.opened_at, each.closed_at)]
    instants += [at for each in history.standing.overrides for at in (each.from_at, each.until_at, each.revoked_at)]
    return sorted({BEGIN, *ends, *(end - MONTH for end in ends), *(at for at in instants if at is not None)})


# ── what is drawn ────────────────────────────────────────────────────────────────────────────────────────────────────────────
DAYS: Final = st.integers(-500, 400).map(lambda n: date(2026, 6, 15) + n * DAY)


@st.composite
def moments(draw: st.DrawFn, zone: str) -> datetime:
    """Draw an instant: mostly the beginning of a local day, or a microsecond beside."""
    at = first_of(zone, draw(DAYS))
    return at + draw(st.sampled_from([-TICK, 0 * TICK, TICK, timedelta(hours=9), timedelta(minutes=1)]))


@st.composite
def spans(draw: st.DrawFn, zone: str, *, most: timedelta = 300 * DAY) -> tuple[datetime, datetime | None]:
    """Draw since when and until when something counts; None: for ever."""
    since = draw(moments(zone))
    length = draw(st.none() | st.sampled_from([TICK, timedelta(hours=72), 29 * DAY, most]))
    return since, None if length is None else since + length


@st.composite
def documents(draw: st.DrawFn, zone: str, name: str) -> Document:
    """Draw a document that was accepted."""
    since, until = draw(spans(zone))
    kind = draw(st.sampled_from((*KINDS, *KINDS, "deletion-attestation")))
    return Document(
        id=name, kind=kind, reviewed_on=draw(DAYS), ends_on=draw(st.none() | DAYS), accepted_at=since, withdrawn_at=until,
        sites=tuple(draw(st.sets(st.sampled_from((*SITES, "elsewhere")), max_size=2))),
        bridges=draw(st.none() | st.none() | st.sampled_from(["evd_0", "evd_1", "evd_2", "evd_9"])),
        sub_processors=tuple(draw(st.sets(st.sampled_from(NAMES), max_size=2))) if kind == "sub-processor-list" else (),
    )  # fmt: skip


@st.composite
def overrides(draw: st.DrawFn, zone: str, name: str) -> Override:
    """Draw an override of some reasons there could be, and of some that nobody may lift."""
    since = draw(moments(zone))
    hours = draw(st.sampled_from([1, 24, 72]))
    revoked = draw(st.none() | st.none() | st.sampled_from([TICK, timedelta(minutes=30), timedelta(hours=72)]))
    kinds = [f"evidence:{word}:{kind}" for word in ("missing", "lapsed", "lapses-soon") for kind in KINDS]
    sites = [f"evidence:site:{kind}:{site}" for kind in KINDS for site in SITES]
    rest = [
        "finding:overdue:fnd_0",
        "finding:late:fnd_0",
        "sub-processor:undeclared:evd_0",
        "contract:clause:missing:28.3.h",
        "contract:dates:ended",
    ]
    return Override(
        id=name, reasons=tuple(draw(st.lists(st.sampled_from([*kinds, *sites, *rest]), min_size=1, max_size=6, unique=True))), from_at=since,
        until_at=since + timedelta(hours=hours), revoked_at=None if revoked is None else since + revoked,
    )  # fmt: skip


@st.composite
def audited(draw: st.DrawFn, zone: str, name: str) -> AuditFinding:
    """Draw a finding."""
    since, until = draw(spans(zone))
    return AuditFinding(id=name, severity=draw(st.sampled_from(Severity)), due_on=draw(DAYS), opened_at=since, closed_at=until)


@cache
def bound() -> Contract:
    """Parse a contract of two sites."""
    site = '[[site]]\nid = "small"\ntimezone = "Europe/Paris"\nrooms = 1\nmax_sessions_per_day = 2\n'
    text = contract_text("lyon", attributes={"family_name": "full"}).replace("[limits]", f"{site}[limits]")
    return parse_contract(text, {"family_name": AttributeType.TEXT})


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Draw a history."""
    zone = draw(st.sampled_from(ZONES))
    starts_on = draw(DAYS)
    wanted = draw(st.lists(st.sampled_from(KINDS), unique=True, max_size=3))
    lacking = draw(st.sampled_from([None, None, None, "28.3.h", "audit"]))
    contract = msgspec.structs.replace(
        bound(), starts_on=starts_on, ends_on=starts_on + DAY * draw(st.sampled_from([0, 10, 40, 500])),
        clauses=tuple(clause for clause in bound().clauses if clause != lacking),
        sub_processors=(SubProcessor(name="Hébergeur Rhône", country="FR", role="hosting"),) if draw(st.booleans()) else (),
        evidence_required=tuple(EvidenceRequired(kind=kind, max_age="", age=draw(st.sampled_from(AGES))) for kind in wanted),
    )  # fmt: skip
    standing = Standing(
        documents=tuple(draw(documents(zone, f"evd_{n}")) for n in range(draw(st.integers(0, 5)))),
        findings=tuple(draw(audited(zone, f"fnd_{n}")) for n in range(draw(st.integers(0, 2)))),
        overrides=tuple(draw(overrides(zone, f"ovr_{n}")) for n in range(draw(st.integers(0, 2)))),
    )
    return History(contract=contract, standing=standing, zone=ZoneInfo(zone))


@st.composite
def situations(draw: st.DrawFn) -> tuple[History, datetime]:
    """Draw a history and an instant to ask at, at or beside one at which something changes."""
    history = draw(histories())
    at = draw(st.sampled_from(turns(history)))
    return history, at + draw(st.sampled_from([-TICK, 0 * TICK, TICK, timedelta(hours=1), 40 * DAY]))


BIG: Final = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


# ── the properties ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@BIG
@given(situations())
def test_gate_when_history_is_any_then_as_recomputed_slowly(drawn: tuple[History, datetime]) -> None:
    """State and reasons at any instant of any history are those of the rules, the worse before the milder."""
    history, at = drawn
    state, why = slow(history, at)
    gate = gate_of(history.contract, history.standing, at=at, timezone=history.zone)
    assert (gate.state, sorted(gate.reasons)) == (state, sorted(why))
    order = [("closed", "frozen", "warn").index(why[reason]) for reason in gate.reasons]
    assert order == sorted(order)


@BIG
@given(situations())
def test_interval_when_history_is_any_then_the_largest_of_the_same_permission(drawn: tuple[History, datetime]) -> None:
    """Inside the interval permission never changes, just outside it is another; while ``told`` lasts the very reasons are the same."""
    history, at = drawn
    gate = gate_of(history.contract, history.standing, at=at, timezone=history.zone)
    assert gate.valid_from <= gate.told_from <= at < gate.told_until <= gate.valid_until

    def permits(instant: datetime) -> bool:
        return slow(history, instant)[0] in {"open", "warn"}

    beside = {edge + step for edge in turns(history) for step in (-TICK, 0 * TICK, TICK)}
    for instant in beside | {max(gate.valid_from, BEGIN), min(gate.valid_until, END) - TICK}:
        if gate.valid_from <= instant < gate.valid_until:
            assert permits(instant) is gate.state.permits
        if gate.told_from <= instant < gate.told_until:
            assert slow(history, instant)[1].keys() == set(gate.reasons)
    for outside in (gate.valid_from - TICK, gate.valid_until):
        if BEGIN < outside < END:
            assert permits(outside) is not gate.state.permits


@BIG
@given(histories())
def test_changes_when_history_is_any_then_each_and_no_other(history: History) -> None:
    """The changes of all years are those found by asking at every instant at which anything can change."""
    expected, before = [], None
    for at in turns(history):
        state, why = slow(history, at)
        if (state, set(why)) != before:
            expected.append((at, state, set(why)))
        before = state, set(why)
    found = Gatekeeper(history.contract, history.standing, history.zone).changes(BEGIN, END)
    told = [(at, str(state), set(reasons)) for at, state, reasons in found]
    assert told == expected


@BIG
@given(situations(), st.sampled_from(["one person", "expired", "revoked"]))
def test_override_when_it_is_not_in_force_then_it_lifts_nothing(drawn: tuple[History, datetime], fault: str) -> None:
    """What one person asked for has no instant from which it counts, so it is not there; one that is over or revoked is as if it were not."""
    history, at = drawn
    without = msgspec.structs.replace(history.standing, overrides=())
    gone = {
        "one person": (),
        "expired": tuple(msgspec.structs.replace(each, until_at=min(each.until_at, at)) for each in history.standing.overrides),
        "revoked": tuple(msgspec.structs.replace(each, revoked_at=min(each.from_at, at)) for each in history.standing.overrides),
    }[fault]
    faulty = msgspec.structs.replace(history.standing, overrides=gone)
    told = [gate_of(history.contract, standing, at=at, timezone=history.zone) for standing in (without, faulty)]
    assert (told[0].state, told[0].reasons) == (told[1].state, told[1].reasons)


@given(situations())
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_gate_when_facts_come_in_another_order_then_the_same(drawn: tuple[History, datetime]) -> None:
    """The order in which rows are read decides nothing but the order of reasons."""
    history, at = drawn
    turned = Standing(
        documents=history.standing.documents[::-1], findings=history.standing.findings[::-1], overrides=history.standing.overrides
    )
    one, other = (gate_of(history.contract, standing, at=at, timezone=history.zone) for standing in (history.standing, turned))
    assert (one.state, set(one.reasons), one.valid_from, one.valid_until) == (
        other.state, set(other.reasons), other.valid_from, other.valid_until,
    )  # fmt: skip


@pytest.mark.parametrize("zone", ZONES)
def test_day_when_its_first_instant_is_searched_then_the_day_before_ends_there(zone: str) -> None:
    """What the recomputation rests on: the first instant of a day is the first, on days when the clocks change, too."""
    for day in (date(2026, 3, 29), date(2026, 4, 5), date(2026, 9, 6), date(2026, 10, 4), date(2026, 10, 25)):
        at = first_of(zone, day)
        assert at.astimezone(ZoneInfo(zone)).date() == day
        assert (at - TICK).astimezone(ZoneInfo(zone)).date() == day - DAY
