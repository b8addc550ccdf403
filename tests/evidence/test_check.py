"""The rules of what may be handed in, found and lifted, each fault at its place: without a clock or a database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from ecluse.contracts import AuditFinding, Document, GateState, Override, Severity, Standing, gate_of, parse_contract
from ecluse.evidence import EvidenceRefused, NamedSubProcessor, foresee
from ecluse.evidence.check import check_override, check_submission, freezing
from ecluse.evidence.model import KeptOverride
from ecluse.register import parse_register
from tests.evidence.papers import contract_with, said
from tests.invented import register_toml

pytestmark = pytest.mark.unit

TODAY: Final = date(2026, 6, 1)
PARIS: Final = ZoneInfo("Europe/Paris")
NOON: Final = datetime(2026, 6, 1, 10, tzinfo=UTC)
ATTRIBUTES: Final = {name: attribute.type for name, attribute in parse_register(register_toml()).attributes.items()}
CONTRACT: Final = parse_contract(contract_with("firm", "pentest", "audit", max_age="P12M"), ATTRIBUTES)
ROW: Final = NamedSubProcessor(name="A", address="x", contact="y", country="FR", role="z")


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"kind": "certificate"}, "kind"),
        ({"title": ""}, "title"),
        ({"title": " x"}, "title"),
        ({"title": "a\nb"}, "title"),
        ({"title": "a\u202eb"}, "title"),
        ({"issuer": "x" * 201}, "issuer"),
        ({"scope": "x" * 2001}, "scope"),
        ({"reviewed_on": TODAY + timedelta(days=1)}, "reviewed_on"),
        ({"reviewed_on": date(1999, 12, 31)}, "reviewed_on"),
        ({"ends_on": date(2026, 1, 4)}, "ends_on"),
        ({"period": (date(2026, 1, 2), date(2026, 1, 1))}, "period"),
        ({"sites": ("elsewhere",)}, "sites"),
        ({"sites": ("large", "large")}, "sites"),
        ({"bridges": "evd_x"}, "bridges"),
        ({"kind": "sub-processor-list"}, "sub_processors"),
        ({"sub_processors": (ROW,)}, "sub_processors"),
    ],
)
def test_submission_when_wrong_then_the_fault_at_its_place(changes: dict[str, Any], where: str) -> None:
    """Each wrong thing is one fault that says where, why and the mend."""
    with pytest.raises(EvidenceRefused) as refused:
        check_submission(said("firm", **changes), today=TODAY, contract=CONTRACT, bridged=None)
    (fault,) = refused.value.faults
    assert fault.where == where
    assert fault.why
    assert fault.mend


def test_site_when_no_contract_is_in_force_then_refused() -> None:
    """Sites are the contract's: without one none can be named."""
    with pytest.raises(EvidenceRefused, match="no contract in force"):
        check_submission(said("firm", sites=("large",)), today=TODAY, contract=None, bridged=None)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({}, []),
        ({"reviewed_on": TODAY}, []),
        ({"kind": "sub-processor-list", "sub_processors": (ROW,)}, []),
        ({"kind": "insurance"}, ["kind"]),
        ({"reviewed_on": date(2025, 5, 31)}, ["reviewed_on"]),
        ({"reviewed_on": date(2025, 6, 1)}, []),
        ({"ends_on": date(2026, 5, 31)}, ["ends_on"]),
        ({"kind": "deletion-attestation"}, ["kind"]),
    ],
)
def test_submission_when_sound_then_what_to_look_at(changes: dict[str, Any], where: list[str]) -> None:
    """What will not count is taken, and said."""
    assert [
        each.where for each in check_submission(said("firm", **changes), today=TODAY, contract=CONTRACT, bridged=None)
    ] == where


def standing(**facts: Any) -> Standing:
    """Return a standing in which the audit is there and the pentest is not."""
    audit = Document(
        id="evd_a", kind="audit", reviewed_on=date(2026, 5, 1), ends_on=None, sites=(), bridges=None, sub_processors=(),
        accepted_at=NOON - timedelta(days=9), withdrawn_at=None,
    )  # fmt: skip
    return Standing(documents=(audit,), **facts)


def test_freezing_when_asked_then_what_two_persons_may_lift_and_no_more() -> None:
    """Reasons of evidence and overdue findings are told; clauses, warnings and what is lifted already are not."""
    overdue = AuditFinding(
        id="fnd_o", severity=Severity.HIGH, due_on=date(2026, 5, 1), opened_at=NOON - timedelta(days=60), closed_at=None
    )
    soon = AuditFinding(
        id="fnd_s", severity=Severity.HIGH, due_on=date(2026, 6, 9), opened_at=NOON - timedelta(days=60), closed_at=None
    )
    lifted = Override(
        id="ovr_x", reasons=("finding:overdue:fnd_o",), from_at=NOON - timedelta(hours=1), until_at=NOON + timedelta(hours=1), revoked_at=None
    )  # fmt: skip
    both = ("evidence:missing:pentest", "finding:overdue:fnd_o")
    bare = parse_contract(contract_with("firm", "pentest", max_age="P12M", clauses=("28.3.a",)), ATTRIBUTES)
    for contract, facts, expected in (
        (CONTRACT, {}, both[:1]),
        (CONTRACT, {"findings": (overdue, soon)}, both),
        (CONTRACT, {"findings": (overdue, soon), "overrides": (lifted,)}, both[:1]),
        (bare, {"findings": (overdue, soon)}, both),
    ):
        assert freezing(contract, standing(**facts), at=NOON, timezone=PARIS) == expected
    ended = parse_contract(contract_with("firm", "pentest", ends_on="2026-05-31"), ATTRIBUTES)
    assert freezing(ended, standing(), at=NOON, timezone=PARIS) == ()


def test_override_when_its_words_or_hours_are_none_then_every_fault() -> None:
    """All faults come together, each at its place; what the contract lacks is said to need a new version."""
    with pytest.raises(EvidenceRefused) as refused:
        check_override(
            reasons=("contract:dates:ended", "evidence:missing:audit"), why="", hours=73, now_freezing=("finding:overdue:fnd_o",)
        )
    assert [(fault.where, fault.mend) for fault in refused.value.faults][2:] == [
        ("reason contract:dates:ended", "Put a version of the contract in force that has it"),
        ("reason evidence:missing:audit", "Name one of: finding:overdue:fnd_o"),
    ]
    assert [fault.where for fault in refused.value.faults][:2] == ["hours", "why"]


def test_acts_when_foreseen_then_the_gate_that_they_make() -> None:
    """Withdrawing, opening, closing, approving and revoking are each computed before they are done."""
    kept = KeptOverride(
        id="ovr_x", processor="firm", reasons=("evidence:missing:pentest",), why="w", hours=2, asked_by="a", asked_at=NOON, approved_by=None,
        approved_at=None, revoked_by=None, revoked_at=None, until_at=None, state="asked",
    )  # fmt: skip

    def state(then: Standing, at: datetime = NOON) -> GateState:
        return gate_of(CONTRACT, then, at=at, timezone=PARIS).state

    approved = foresee.if_approved(standing(), kept, NOON)
    assert (state(standing()), state(approved)) == (GateState.FROZEN, GateState.WARN)
    assert state(foresee.if_revoked(approved, "ovr_x", NOON)) is GateState.FROZEN
    assert state(approved, NOON + timedelta(hours=2)) is GateState.FROZEN
    assert state(foresee.if_withdrawn(approved, "evd_a", NOON)) is GateState.FROZEN
    opened = foresee.if_opened(approved, Severity.CRITICAL, date(2026, 5, 31), NOON)
    assert state(opened) is GateState.FROZEN
    assert state(foresee.if_closed(opened, foresee.UNNAMED, NOON)) is GateState.WARN
