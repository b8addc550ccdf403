"""The demo's contracts: what they must not name, that they parse, and how their gates stand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ecluse.contracts import NOTHING, GateState, gate_of, parse_contract
from ecluse.demo import people
from ecluse.demo.contract_file import ended_before, term_of, write_contract
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


@pytest.mark.parametrize("firm", FIRMS, ids=lambda firm: firm.id)
def test_contract_when_written_then_it_names_nothing_that_no_trainer_needs(firm):
    """No contract of the demo holds nationality, reason of stay, date of entry, or a birth date in full."""
    contract = parse_contract(write_contract(firm, 1, term_of(TODAY)), ATTRIBUTES)
    named = {(name, form.value) for purpose in contract.purposes.values() for name, form in purpose.attributes.items()}
    assert {name for name, _ in named} & {"nationality", "stay_reason", "entry_date"} == set()
    assert ("birth_date", "full") not in named


@pytest.mark.parametrize("firm", FIRMS, ids=lambda firm: firm.id)
def test_contract_when_a_clause_is_missing_then_its_gate_is_frozen(firm):
    """The one processor that has not agreed to a clause of Art. 28(3) is frozen, all others are open."""
    contract = parse_contract(write_contract(firm, 1, term_of(TODAY)), ATTRIBUTES)
    expected = GateState.FROZEN if firm.part is Part.FROZEN else GateState.OPEN
    assert gate_of(contract, NOTHING, at=NOON, timezone=PARIS).state is expected


def test_contract_when_it_ended_yesterday_then_its_gate_is_closed():
    """On a first of January, too, the contract that ended the day before is closed."""
    firm = next(firm for firm in FIRMS if firm.part is Part.ENDED)
    contract = parse_contract(write_contract(firm, 1, ended_before(TODAY)), ATTRIBUTES)
    assert gate_of(contract, NOTHING, at=NOON, timezone=PARIS).state is GateState.CLOSED


def test_firms_when_counted_then_eight_or_forty_each_with_three_to_six_trainers():
    """A small agency has eight processors, one of full size forty; their names are distinct."""
    assert [len(firms_for(count)) for count in (100, 999_999, 1_000_000)] == [8, 8, 40]
    assert len({firm.id for firm in FIRMS}) == 40
    assert {len(firm.trainers) for firm in FIRMS} == {3, 4, 5, 6}
