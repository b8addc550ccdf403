"""Who is told what about a gate, when: pure plans against written instants, and a property: whoever looks as often as told to misses nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecluse.contracts import AuditFinding, Contract, Document, Override, Severity, Standing, parse_contract
from ecluse.notices.model import AUDIENCES, Audience, Due, Force, Matter, Topic
from ecluse.notices.plan import LOOK_AGAIN, blocking, plan_gate, plan_matters
from ecluse.register import parse_register
from tests.invented import ALL_CLAUSES, contract_text, register_toml

pytestmark = pytest.mark.unit

PARIS: Final = ZoneInfo("Europe/Paris")
UTC_ZONE: Final = ZoneInfo("UTC")
BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)
MAPPED: Final = {name: attribute.type for name, attribute in parse_register(register_toml()).attributes.items()}
PENTEST: Final = '[[evidence_required]]\nkind = "pentest"\nmax_age = "P12M"\n'


def contract(*, needs: str = "", **terms: Any) -> Contract:
    """Parse a contract that asks for evidence."""
    text = contract_text("firm", **{"starts_on": "2026-01-01", **terms})
    return parse_contract(text + needs, MAPPED)


def document(reviewed_on: date, accepted_at: datetime = BEGAN, **changes: Any) -> Document:
    """Describe an accepted penetration test."""
    facts: dict[str, Any] = {
        "id": "evd_a",
        "kind": "pentest",
        "ends_on": None,
        "sites": (),
        "bridges": None,
        "sub_processors": (),
    }
    return Document(reviewed_on=reviewed_on, accepted_at=accepted_at, **{**facts, "withdrawn_at": None, **changes})


def force(bound: Contract, *, told: Topic | None = None, applied_at: datetime = BEGAN, **standing: Any) -> Force:
    """Describe a processor."""
    return Force(contract=bound, applied_at=applied_at, standing=Standing(**standing), told=told)


def told(one: Force, now: datetime) -> list[tuple[str, str, datetime, int]]:
    """Plan in UTC, and return what the controller is told."""
    dues, _ = plan_gate(one, now, UTC_ZONE)
    assert [due for due in dues if {each.audience for each in dues if _key(each) == _key(due)} != set(AUDIENCES[due.topic])] == []
    return [(due.topic.value, due.reason, due.at, due.days) for due in dues if due.audience is Audience.CONTROLLER]


def _key(due: Due) -> tuple[object, ...]:
    return due.topic, due.reason, due.at, due.days


def day(text: str) -> datetime:
    """Read a day's beginning in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


LAPSES: Final = day("2026-09-11")  # a test reviewed on 10 September 2025 is good through that day of the next year


@pytest.mark.parametrize(
    ("now", "days"),
    [
        (LAPSES - timedelta(days=30, seconds=1), None),
        (LAPSES - timedelta(days=30), 30),
        (LAPSES - timedelta(days=14, seconds=1), 30),
        (LAPSES - timedelta(days=14), 14),
        (LAPSES - timedelta(days=7), 7),
        (LAPSES - timedelta(days=1, seconds=1), 7),
        (LAPSES - timedelta(days=1), 1),
        (LAPSES - timedelta(microseconds=1), 1),
    ],
)
def test_lapse_when_so_far_ahead_then_the_threshold_that_fits(now: datetime, days: int | None) -> None:
    """Each threshold is told from its own instant on; whoever looks late tells the one that fits then, not those that were missed."""
    one = force(contract(needs=PENTEST), documents=(document(date(2025, 9, 10)),))
    expected = [] if days is None else [("gate:soon", "evidence:lapsed:pentest", LAPSES, days)]
    assert told(one, now) == expected


def test_lapse_when_it_is_over_then_frozen_since_that_instant() -> None:
    """From the very instant on it is told as frozen, since then, however much later one looks."""
    one = force(contract(needs=PENTEST), documents=(document(date(2025, 9, 10)),))
    for now in (LAPSES, LAPSES + timedelta(days=100)):
        assert told(one, now) == [("gate:frozen", "evidence:lapsed:pentest", LAPSES, 0)]


def test_missing_when_never_there_then_since_the_contract_was_applied() -> None:
    """What the contract lacks or asks for in vain freezes since that version came into force; the next version is told anew."""
    bound = contract(needs=PENTEST, clauses=[clause for clause in ALL_CLAUSES if clause != "28.3.h"])
    for applied in (BEGAN + timedelta(days=3), BEGAN + timedelta(days=40)):
        assert told(force(bound, applied_at=applied), BEGAN + timedelta(days=50)) == [
            ("gate:frozen", "contract:clause:missing:28.3.h", applied, 0),
            ("gate:frozen", "evidence:missing:pentest", applied, 0),
        ]


def test_warnings_when_they_are_all_then_nobody_is_told() -> None:
    """A house clause that is missing, a finding that is late or due, a contract that has not begun: none of it freezes, and none is a notice."""
    bound = contract(clauses=ALL_CLAUSES[:8], starts_on="2027-01-01")
    finding = AuditFinding(id="fnd_a", severity=Severity.LOW, due_on=date(2026, 1, 2), opened_at=BEGAN, closed_at=None)
    assert told(force(bound, findings=(finding,)), BEGAN + timedelta(days=9)) == []


def test_finding_when_critical_then_before_and_after_its_due_day_in_the_controllers_zone() -> None:
    """Its last day is a day of the controller's: it freezes at 22:00 UTC in summer."""
    finding = AuditFinding(id="fnd_a", severity=Severity.CRITICAL, due_on=date(2026, 7, 10), opened_at=BEGAN, closed_at=None)
    one, due_at = force(contract(), findings=(finding,)), datetime(2026, 7, 10, 22, tzinfo=UTC)
    before, _ = plan_gate(one, due_at - timedelta(hours=1), PARIS)
    after, _ = plan_gate(one, due_at, PARIS)
    assert [(due.topic, due.at, due.days) for due in before] == [(Topic.GATE_SOON, due_at, 1)] * 2
    assert [(due.topic, due.at, due.reason) for due in after] == [(Topic.GATE_FROZEN, due_at, "finding:overdue:fnd_a")] * 2


def test_end_when_near_and_over_then_closed_and_a_deletion_attestation_is_due() -> None:
    """The end is told ahead once a threshold; afterwards that it is closed, and what is still owed; evidence that lapses then is nobody's concern."""
    bound = contract(needs=PENTEST, ends_on="2026-06-30")
    one = force(bound, documents=(document(date(2025, 7, 10)),))
    end = day("2026-07-01")
    assert told(one, end - timedelta(days=3)) == [("gate:soon", "contract:dates:ended", end, 7)]
    assert told(one, end + timedelta(days=60)) == [
        ("gate:closed", "contract:dates:ended", end, 0),
        ("gate:closed", "evidence:missing:deletion-attestation", end, 0),
    ]


def test_override_when_in_force_then_what_it_lifts_is_told_again_for_its_end() -> None:
    """While two persons lift a reason it is no freeze; that it comes back at the end is told, and then that it freezes since that end."""
    begins = day("2026-03-01")
    lifted = Override(
        id="ovr_a", reasons=("evidence:missing:pentest",), from_at=begins, until_at=begins + timedelta(hours=30), revoked_at=None
    )
    one = force(contract(needs=PENTEST), overrides=(lifted,), told=Topic.GATE_FROZEN)
    until = begins + timedelta(hours=30)
    assert told(one, begins + timedelta(hours=7)) == [
        ("gate:soon", "evidence:missing:pentest", until, 1),
        ("gate:opened", "", begins, 0),
    ]
    assert told(one, until) == [("gate:frozen", "evidence:missing:pentest", until, 0)]


@pytest.mark.parametrize(
    ("before", "said"), [(None, False), (Topic.GATE_OPENED, False), (Topic.GATE_FROZEN, True), (Topic.GATE_CLOSED, True)]
)
def test_open_when_told_before_that_it_was_not_then_told_again(before: Topic | None, said: bool) -> None:
    """Nobody hears that a gate is open who never heard that it was shut, nor twice."""
    accepted = BEGAN + timedelta(days=5)
    one = force(contract(needs=PENTEST), documents=(document(date(2026, 1, 1), accepted),), told=before)
    assert told(one, accepted + timedelta(days=1)) == ([("gate:opened", "", accepted, 0)] if said else [])


def test_blocking_when_reasons_are_mixed_then_those_that_keep_it_shut() -> None:
    """What stands behind an override is lifted, what warns does not block, and an ended contract needs no evidence any more."""
    reasons = (
        "finding:overdue:fnd_a",
        "contract:dates:ends-soon",
        "contract:clause:missing:audit",
        "override:ovr_a",
        "evidence:lapsed:pentest",
    )
    assert blocking(reasons) == ("finding:overdue:fnd_a",)
    assert blocking(("contract:dates:ended", "evidence:lapsed:pentest")) == ("contract:dates:ended",)
    assert blocking(("contract:clause:missing:28.3.h",)) == ("contract:clause:missing:28.3.h",)


def test_matters_when_planned_then_their_own_parties() -> None:
    """A document that was handed in is the controller's matter, its judgement the processor's."""
    matters = [
        Matter(processor="firm", topic=topic, reason="x", at=BEGAN, facts={}) for topic in Topic if not topic.startswith("gate:")
    ]
    assert [(due.topic, due.audience) for due in plan_matters(matters)] == [
        (matter.topic, audience) for matter in matters for audience in AUDIENCES[matter.topic]
    ]


moments = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)).map(lambda at: at.replace(tzinfo=UTC, microsecond=0))  # noqa: DTZ001 - hypothesis wants them without a zone
days = st.dates(date(2025, 1, 1), date(2027, 6, 1))


@settings(deadline=None, max_examples=40)
@given(
    reviewed=st.lists(days, max_size=3), due_on=st.lists(days, max_size=2), closed=st.none() | moments, override=st.none() | moments,
    begins=moments,
)  # fmt: skip
def test_plan_when_asked_only_when_it_says_then_nothing_is_missed(
    reviewed: list[date], due_on: list[date], closed: datetime | None, override: datetime | None, begins: datetime
) -> None:
    """Looking again at the instants that a plan names finds all that looking every twenty minutes finds, for any history of documents and findings."""
    documents = tuple(document(each, BEGAN + timedelta(days=n), id=f"evd_{n}") for n, each in enumerate(reviewed))
    findings = tuple(
        AuditFinding(id=f"fnd_{n}", severity=Severity.CRITICAL, due_on=each, opened_at=BEGAN, closed_at=closed)
        for n, each in enumerate(due_on)
    )
    lifting = () if override is None else (
        Override(id="ovr_a", reasons=("evidence:lapsed:pentest",), from_at=override, until_at=override + timedelta(hours=5), revoked_at=None),
    )  # fmt: skip
    one = force(contract(needs=PENTEST), documents=documents, findings=findings, overrides=lifting)
    seen, often, now, ends = set[Any](), set[Any](), begins, begins + timedelta(days=2)
    while now < ends:
        dues, again = plan_gate(one, now, PARIS)
        assert now < again <= now + LOOK_AGAIN
        seen |= {_key(due) for due in dues}
        now = again
    for third in range(3 * 48):
        often |= {_key(due) for due in plan_gate(one, begins + timedelta(minutes=20 * third), PARIS)[0]}
    assert often <= seen
