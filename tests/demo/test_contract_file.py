"""The demo's contracts: what they must not name, that they parse, and how their gates stand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ecluse.contracts import NOTHING, Document, GateState, Standing, gate_of, parse_contract
from ecluse.demo import people
from ecluse.demo.contract_file import REQUIRED, term_of, write_contract
from ecluse.demo.firms import firms_for
from ecluse.demo.model import Part
from ecluse.register import parse_register

pytestmark = pytest.mark.unit

REGISTER = parse_register(Path(people.__file__).with_name("register.toml").read_text(encoding="utf-8"))
ATTRIBUTES = {name: attribute.type for name, attribute in REGISTER.attributes.items()}
TODAY = date(2026, 1, 1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
FIRMS = firms_for(2_100_000)


def fresh(kind: str) -> Document:
    """Return a document that was made a month ago and accepted yesterday."""
    return Document(
        id=f"evd_{kind}", kind=kind, reviewed_on=TODAY - timedelta(days=30), ends_on=None, sites=(), bridges=None, sub_processors=(),
        accepted_at=NOON - timedelta(days=1), withdrawn_at=None,
    )  # fmt: skip


@pytest.mark.parametrize("firm", FIRMS, ids=lambda firm: firm.id)
def test_contract_when_written_then_it_names_nothing_that_no_trainer_needs(firm):
    """No contract of the demo holds nationality, reason of stay, date of entry, or a birth date in full."""
    contract = parse_contract(write_contract(firm, 1, term_of(TODAY)), ATTRIBUTES)
    named = {(name, form.value) for purpose in contract.purposes.values() for name, form in purpose.attributes.items()}
    assert {name for name, _ in named} & {"nationality", "stay_reason", "entry_date"} == set()
    assert ("birth_date", "full") not in named


@pytest.mark.parametrize("firm", FIRMS, ids=lambda firm: firm.id)
def test_contract_when_nothing_was_handed_in_then_its_gate_is_frozen(firm):
    """Every contract of the demo asks for evidence: none opens on a promise."""
    contract = parse_contract(write_contract(firm, 1, term_of(TODAY)), ATTRIBUTES)
    gate = gate_of(contract, NOTHING, at=NOON, timezone=PARIS)
    assert gate.state is GateState.FROZEN
    assert set(gate.reasons) >= {f"evidence:missing:{kind}" for kind, _ in REQUIRED}


@pytest.mark.parametrize("firm", FIRMS, ids=lambda firm: firm.id)
def test_contract_when_a_clause_is_missing_then_its_gate_is_frozen(firm):
    """With fresh evidence the one processor that has not agreed to clause (h) of Art. 28(3) is frozen, all others are open."""
    contract = parse_contract(write_contract(firm, 1, term_of(TODAY)), ATTRIBUTES)
    gate = gate_of(contract, Standing(documents=tuple(fresh(kind) for kind, _ in REQUIRED)), at=NOON, timezone=PARIS)
    expected = (GateState.FROZEN, ("contract:clause:missing:28.3.h",)) if firm.part is Part.FROZEN else (GateState.OPEN, ())
    assert (gate.state, gate.reasons) == expected


@pytest.mark.parametrize("firm", FIRMS, ids=lambda firm: firm.id)
def test_contract_when_written_then_it_says_what_papers_ask_for(firm):
    """No paper of the demo has an empty box for want of an address, a contact, a subject-matter or a nature."""
    contract = parse_contract(write_contract(firm, 1, term_of(TODAY)), ATTRIBUTES)
    said = [contract.processor.address, contract.processor.contact, contract.subject_matter, contract.nature]
    said += [text for sub in contract.sub_processors for text in (sub.address, sub.contact)]
    assert all(said)
    assert [sub.name for sub in contract.sub_processors] == ([firm.host] if firm.host else [])


def test_firms_when_counted_then_eight_or_forty_each_with_three_to_six_trainers():
    """A small agency has eight processors, one of full size forty; their names are distinct."""
    assert [len(firms_for(count)) for count in (100, 999_999, 1_000_000)] == [8, 8, 40]
    assert len({firm.id for firm in FIRMS}) == 40
    assert {len(firm.trainers) for firm in FIRMS} == {3, 4, 5, 6}
