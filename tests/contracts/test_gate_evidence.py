"""The gate by evidence, findings and overrides: what freezes it first, then what opens it, to the microsecond. Against slow rules: tests/property."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from ecluse.contracts import (
    FAR_FUTURE,
    NOTHING,
    Age,
    AuditFinding,
    Document,
    EvidenceRequired,
    Gatekeeper,
    GateState,
    Override,
    Severity,
    Site,
    Standing,
    gate_of,
)

pytestmark = pytest.mark.unit

TICK = timedelta(microseconds=1)
PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
JANUARY = datetime(2026, 1, 15, 9, tzinfo=UTC)
REPORT = Document(
    id="evd_1", kind="pentest", reviewed_on=date(2026, 1, 10), ends_on=None, sites=(), bridges=None, sub_processors=(), accepted_at=JANUARY,
    withdrawn_at=None,
)  # fmt: skip
LAPSES = datetime(2027, 1, 10, 23, tzinfo=UTC)
"""The end of 10 January 2027 in Paris: the day on which the report is twelve months old is its last."""


def other(document=REPORT, **changes):
    """Return a document with some of it changed."""
    return msgspec.structs.replace(document, **changes)


def told(contract, *documents, at=NOON, findings=(), overrides=()):
    """Return state and reasons at an instant."""
    gate = gate_of(contract, Standing(documents=documents, findings=findings, overrides=overrides), at=at, timezone=PARIS)
    return gate.state.value, gate.reasons


# ── evidence ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_gate_when_evidence_was_never_accepted_then_frozen(contract):
    """A contract that asks for proof and got none lets nothing through."""
    assert told(contract) == ("frozen", ("evidence:missing:pentest",))
    assert told(contract, REPORT, at=JANUARY - TICK) == ("frozen", ("evidence:missing:pentest",))
    assert told(contract, other(kind="audit")) == ("frozen", ("evidence:missing:pentest",))


def test_gate_when_evidence_lapses_then_frozen_from_the_microsecond(contract):
    """The last instant of its last day is open, with a warning; the next is frozen. The interval says so from afar."""
    standing = Standing(documents=(REPORT,))
    keeper = Gatekeeper(contract, standing, PARIS)
    gate = keeper.at(NOON)
    assert (gate.state, gate.reasons, gate.valid_from, gate.valid_until) == (GateState.OPEN, (), JANUARY, LAPSES)
    assert gate.told_until == LAPSES - timedelta(days=30)
    last, first = keeper.at(LAPSES - TICK), keeper.at(LAPSES)
    assert (last.state, last.reasons) == (GateState.WARN, ("evidence:lapses-soon:pentest",))
    assert (first.state, first.reasons) == (GateState.FROZEN, ("evidence:lapsed:pentest",))
    assert (first.valid_from, first.valid_until) == (LAPSES, FAR_FUTURE)


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        ({"ends_on": date(2026, 8, 31)}, "2026-08-31T22:00"),
        ({"ends_on": date(2029, 8, 31)}, "2027-01-10T23:00"),
        ({"reviewed_on": date(2026, 10, 25), "accepted_at": JANUARY}, "2027-10-25T22:00"),
        ({"withdrawn_at": datetime(2026, 7, 1, 8, 0, 0, 1, tzinfo=UTC)}, "2026-07-01T08:00:00.000001"),
        ({"ends_on": date(9999, 12, 31)}, "2027-01-10T23:00"),
    ],
)
def test_gate_when_its_end_age_or_withdrawal_comes_first_then_that_counts(contract, changes, until):
    """Whichever is earliest; "never" may be written as the calendar's last day."""
    gate = gate_of(contract, Standing(documents=(other(**changes),)), at=NOON, timezone=PARIS)
    assert gate.valid_until == datetime.fromisoformat(until).replace(tzinfo=UTC)


@pytest.mark.parametrize("reviewed_on", [date(1, 1, 1), date(1900, 1, 1), date(9999, 12, 31), date(9998, 12, 31)])
def test_gate_when_a_day_is_at_the_end_of_the_calendar_then_no_error(contract, reviewed_on):
    """A senseless day in one row must not stop the others: it is old, or far."""
    state, _ = told(contract, other(reviewed_on=reviewed_on, ends_on=reviewed_on))
    assert state == ("open" if reviewed_on.year > 9000 else "frozen")


def test_gate_when_it_was_too_old_on_acceptance_then_lapsed_and_not_missing(contract):
    """Somebody did hand something in; the mend is a newer one."""
    assert told(contract, other(reviewed_on=date(2024, 1, 1))) == ("frozen", ("evidence:lapsed:pentest",))


def test_gate_when_a_site_is_not_covered_then_frozen_for_that_site(contract):
    """Documents that name sites have to cover all of them together; one that names none covers all."""
    small = Site(id="lyon-7", timezone="Europe/Paris", rooms=1, max_sessions_per_day=2)
    two = msgspec.structs.replace(contract, sites={**contract.sites, "lyon-7": small})
    one, seven = other(sites=("lyon-3",)), other(id="evd_2", sites=("lyon-7",))
    assert told(two, one) == ("frozen", ("evidence:site:pentest:lyon-7",))
    assert told(two, other(sites=("paris",))) == ("frozen", ("evidence:site:pentest:lyon-3", "evidence:site:pentest:lyon-7"))
    assert told(two, one, seven) == ("open", ())
    assert told(two, one, other(id="evd_2")) == ("open", ())
    assert told(two, one, other(seven, ends_on=date(2026, 6, 15))) == ("warn", ("evidence:lapses-soon:pentest",))


def test_gate_when_it_lapses_days_before_the_contract_ends_then_it_warns_to_the_last(contract):
    """The contract's own end within the month hides no lapse before it; one after it is nobody's trouble."""
    ending = msgspec.structs.replace(contract, ends_on=date(2026, 6, 20))
    soon, later = other(ends_on=date(2026, 6, 10)), other(ends_on=date(2026, 6, 20))
    assert told(ending, soon) == ("warn", ("contract:dates:ends-soon", "evidence:lapses-soon:pentest"))
    assert told(ending, later) == ("warn", ("contract:dates:ends-soon",))


def test_gate_when_a_past_instant_is_asked_then_by_what_was_known_then(contract):
    """The warning of the year before does not vanish because a newer report came, nor begin because one was withdrawn later."""
    at = datetime(2026, 12, 20, tzinfo=UTC)
    newer = other(id="evd_2", reviewed_on=date(2026, 12, 21), accepted_at=at + timedelta(days=2))
    assert told(contract, REPORT, newer, at=at) == ("warn", ("evidence:lapses-soon:pentest",))
    assert told(contract, other(withdrawn_at=NOON + timedelta(days=9))) == ("open", ())


# ── bridge letters ───────────────────────────────────────────────────────────────────────────────────────────────────────────
BRIDGE = other(id="evd_2", reviewed_on=date(2026, 12, 1), bridges="evd_1", accepted_at=NOON)


@pytest.mark.parametrize(
    ("base", "bridge"),
    [
        (None, {}),
        ({"kind": "audit"}, {}),
        ({"bridges": "evd_0"}, {}),  # a bridge that prolongs a bridge: three months, then three more
        ({}, {"bridges": "evd_2"}),
        ({"withdrawn_at": LAPSES}, {}),
        ({"accepted_at": LAPSES + timedelta(days=2)}, {}),
        ({"sites": ("lyon-3",)}, {"sites": ("paris",)}),
    ],
)
def test_bridge_when_it_leads_from_nowhere_then_it_holds_nothing(contract, base, bridge):
    """It prolongs a document of its kind that stands and is no bridge itself, for its sites."""
    documents = (() if base is None else (other(**base),)) + (other(BRIDGE, **bridge),)
    state, reasons = told(contract, *documents, at=LAPSES + timedelta(days=1))
    assert (state, reasons[0].rpartition(":")[0]) == ("frozen", "evidence:lapsed")


def test_bridge_when_its_document_is_over_then_three_months_more_and_not_a_day(contract):
    """Three calendar months after the last day of what it prolongs, however young the letter is."""
    standing = Standing(documents=(REPORT, BRIDGE))
    gate = gate_of(contract, standing, at=LAPSES, timezone=PARIS)
    assert (gate.state, gate.valid_from, gate.valid_until) == (GateState.OPEN, JANUARY, datetime(2027, 4, 10, 22, tzinfo=UTC))
    short = gate_of(contract, Standing(documents=(REPORT, other(BRIDGE, ends_on=date(2027, 2, 1)))), at=LAPSES, timezone=PARIS)
    assert short.valid_until == datetime(2027, 2, 1, 23, tzinfo=UTC)


# ── the end, sub-processors ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_gate_when_the_contract_has_ended_then_closed_and_the_attestation_awaited(contract):
    """It says so until one is accepted after the end; it opens nothing."""
    bare = msgspec.structs.replace(contract, evidence_required=())
    end = datetime(2027, 12, 31, 23, tzinfo=UTC)
    early, late = (other(kind="deletion-attestation", accepted_at=at) for at in (end - TICK, end))
    waiting = ("closed", ("contract:dates:ended", "evidence:missing:deletion-attestation"))
    assert told(bare, at=end) == waiting
    assert told(bare, early, at=end) == waiting
    assert told(bare, late, at=end) == ("closed", ("contract:dates:ended",))
    assert told(bare, other(late, withdrawn_at=end + TICK), at=end + TICK) == waiting


def test_gate_when_a_sub_processor_is_undeclared_then_frozen_by_the_newest_list(contract):
    """The newest list that counts decides; case and spaces make no other company."""
    plain = msgspec.structs.replace(contract, evidence_required=())
    foreign = other(id="evd_8", kind="sub-processor-list", sub_processors=("Hébergeur Rhône", "Nuage Lointain"))
    known = other(foreign, id="evd_9", sub_processors=("HÉBERGEUR  Rhône",), accepted_at=NOON)
    assert told(plain, foreign) == ("frozen", ("sub-processor:undeclared:evd_8",))
    assert told(plain, foreign, known, at=NOON - TICK) == ("frozen", ("sub-processor:undeclared:evd_8",))
    assert told(plain, known, foreign) == ("open", ())
    assert told(plain, foreign, other(known, withdrawn_at=NOON + TICK), at=NOON + TICK) == (
        "frozen", ("sub-processor:undeclared:evd_8",),
    )  # fmt: skip


# ── findings ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
FOUND = AuditFinding(id="fnd_1", severity=Severity.CRITICAL, due_on=date(2026, 6, 30), opened_at=JANUARY, closed_at=None)
DUE = datetime(2026, 6, 30, 22, tzinfo=UTC)
FINDINGS = [
    ("critical", DUE, "frozen", ("finding:overdue:fnd_1",)),
    ("high", DUE, "frozen", ("finding:overdue:fnd_1",)),
    ("medium", DUE, "warn", ("finding:late:fnd_1",)),
    ("low", DUE, "warn", ("finding:late:fnd_1",)),
    ("critical", DUE - TICK, "warn", ("finding:due-soon:fnd_1",)),
    ("critical", DUE - timedelta(days=30), "warn", ("finding:due-soon:fnd_1",)),
    ("critical", DUE - timedelta(days=30) - TICK, "open", ()),
    ("medium", DUE - TICK, "open", ()),
    ("critical", JANUARY - TICK, "frozen", ("evidence:missing:pentest",)),
]


@pytest.mark.parametrize(("severity", "at", "state", "reasons"), FINDINGS)
def test_gate_when_a_finding_is_open_then_by_severity_and_day(contract, severity, at, state, reasons):
    """Critical and high ones freeze once their due day is over, others warn; nothing before they were opened."""
    found = msgspec.structs.replace(FOUND, severity=Severity(severity))
    assert told(contract, REPORT, at=at, findings=(found,)) == (state, reasons)


def test_gate_when_a_finding_is_closed_then_open_from_that_instant(contract):
    """Closing it lifts it, to the microsecond."""
    closed = msgspec.structs.replace(FOUND, closed_at=DUE + timedelta(days=3))
    standing = Standing(documents=(REPORT,), findings=(closed,))
    gate = gate_of(contract, standing, at=DUE, timezone=PARIS)
    assert (gate.state, gate.valid_from, gate.valid_until) == (GateState.FROZEN, DUE, DUE + timedelta(days=3))
    assert gate_of(contract, standing, at=DUE + timedelta(days=3), timezone=PARIS).state is GateState.OPEN


# ── overrides ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
LIFT = Override(
    id="ovr_1", reasons=("evidence:missing:pentest",), from_at=NOON, until_at=NOON + timedelta(hours=2), revoked_at=None
)
POWERLESS = [
    {"until_at": NOON},
    {"from_at": NOON + TICK},
    {"revoked_at": NOON},
    {"reasons": ("evidence:lapsed:pentest",)},
    {"reasons": ("evidence:missing",)},
    {"reasons": ()},
]


@pytest.mark.parametrize("changes", POWERLESS)
def test_override_when_it_is_not_in_force_or_names_another_reason_then_nothing_is_lifted(contract, changes):
    """Over, not begun, revoked, of another reason or of a mere beginning of one: the gate stays frozen."""
    faulty = msgspec.structs.replace(LIFT, **changes)
    assert told(contract, overrides=(faulty,)) == ("frozen", ("evidence:missing:pentest",))


@pytest.mark.parametrize("reason", ["contract:clause:missing:28.3.h", "contract:dates:ended", "contract:dates:not-started"])
def test_override_when_the_contract_itself_lacks_it_then_nothing_is_lifted(contract, reason):
    """The way is a new version."""
    lacking = msgspec.structs.replace(
        contract, evidence_required=(), clauses=contract.clauses[:7],
        starts_on=date(2026, 6, 2) if "not-started" in reason else date(2026, 1, 1),
        ends_on=date(2026, 5, 31) if "ended" in reason else date(2027, 1, 1),
    )  # fmt: skip
    lift = msgspec.structs.replace(LIFT, reasons=(reason, "contract:clause:missing:28.3.h"))
    assert told(lacking, overrides=(lift,)) == told(lacking)
    assert told(lacking)[0] in {"frozen", "closed"}


def test_override_when_in_force_then_it_lifts_what_it_names_and_says_so(contract):
    """A warning beside the reason lifted, for exactly its hours; a reason that it does not name freezes all the same."""
    keeper = Gatekeeper(contract, Standing(overrides=(LIFT,)), PARIS)
    gate = keeper.at(NOON)
    assert (gate.state, gate.reasons) == (GateState.WARN, ("override:ovr_1", "evidence:missing:pentest"))
    assert (gate.valid_from, gate.valid_until) == (NOON, NOON + timedelta(hours=2))
    overdue = msgspec.structs.replace(FOUND, due_on=date(2026, 5, 1))
    assert told(contract, overrides=(LIFT,), findings=(overdue,)) == (
        "frozen", ("finding:overdue:fnd_1", "override:ovr_1", "evidence:missing:pentest"),
    )  # fmt: skip


def test_override_when_missing_becomes_lapsed_meanwhile_then_frozen_again(contract):
    """A document that is accepted too old changes the reason, and the override named the other one."""
    at = NOON + timedelta(hours=1)
    keeper = Gatekeeper(
        contract, Standing(documents=(other(reviewed_on=date(2020, 1, 1), accepted_at=at),), overrides=(LIFT,)), PARIS
    )
    assert keeper.at(NOON).valid_until == at
    assert (keeper.at(at).state, keeper.at(at).reasons) == (GateState.FROZEN, ("evidence:lapsed:pentest",))


# ── what comes ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_changes_when_nobody_does_anything_then_what_comes_and_when(contract):
    """A year of a contract with one report, as the operator is told it."""
    keeper = Gatekeeper(contract, Standing(documents=(REPORT,)), PARIS)
    assert list(keeper.changes(NOON, datetime(2028, 2, 1, tzinfo=UTC))) == [
        (NOON, "open", ()),
        (LAPSES - timedelta(days=30), "warn", ("evidence:lapses-soon:pentest",)),
        (LAPSES, "frozen", ("evidence:lapsed:pentest",)),
        (datetime(2027, 12, 1, 23, tzinfo=UTC), "frozen", ("evidence:lapsed:pentest", "contract:dates:ends-soon")),
        (
            datetime(2027, 12, 31, 23, tzinfo=UTC),
            "closed",
            ("contract:dates:ended", "evidence:missing:deletion-attestation", "evidence:lapsed:pentest"),
        ),
    ]
    assert list(keeper.changes(NOON, NOON + TICK)) == [(NOON, "open", ())]


def test_nothing_when_asked_then_it_is_the_empty_standing():
    """What stands beside no contract."""
    assert Standing() == NOTHING


@pytest.mark.parametrize(
    ("age", "day", "reached"),
    [
        (Age(months=12, days=0), date(2024, 2, 29), date(2025, 2, 28)),
        (Age(months=1, days=1), date(2026, 1, 31), date(2026, 3, 1)),
        (Age(months=12, days=0), date(9999, 1, 1), date(9999, 12, 31)),
        (Age(months=0, days=9999), date(9999, 1, 1), date(9999, 12, 31)),
    ],
)
def test_age_when_added_then_the_calendar_is_never_left(age, day, reached):
    """Months end with their last day, and time with the calendar's."""
    assert age.after(day) == reached


def test_requirement_when_there_are_two_then_each_is_told(contract):
    """One reason for each, in the contract's order."""
    two = (*contract.evidence_required, EvidenceRequired(kind="iso27001", max_age="P3Y", age=Age(months=36, days=0)))
    assert told(msgspec.structs.replace(contract, evidence_required=two)) == (
        "frozen", ("evidence:missing:pentest", "evidence:missing:iso27001"),
    )  # fmt: skip
