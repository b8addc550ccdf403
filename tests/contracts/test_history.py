"""The gate over all versions of a contract: each counts from its own instant, and what can't be read is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from ecluse.contracts import FAR_FUTURE, FAR_PAST, NOTHING, Gatekeeper
from ecluse.contracts.history import GateHistory

pytestmark = pytest.mark.unit

PARIS = ZoneInfo("Europe/Paris")
FIRST, SECOND, THIRD = (datetime(2026, month, 1, 12, tzinfo=UTC) for month in (3, 6, 9))
TICK = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def history(contract):
    """A version without a clause, then a whole one, then one that can't be read."""
    bare = msgspec.structs.replace(contract, evidence_required=())
    lacking = msgspec.structs.replace(bare, clauses=bare.clauses[1:])
    return GateHistory([(FIRST, Gatekeeper(lacking, NOTHING, PARIS)), (SECOND, Gatekeeper(bare, NOTHING, PARIS)), (THIRD, None)])


@pytest.mark.parametrize(
    ("at", "state", "reasons", "valid"),
    [
        (FIRST - TICK, "closed", ("contract:absent",), (FAR_PAST, FIRST)),
        (FIRST, "frozen", ("contract:clause:missing:28.3.a",), (FIRST, SECOND)),
        (SECOND, "open", (), (SECOND, THIRD)),
        (THIRD - TICK, "open", (), (SECOND, THIRD)),
        (THIRD, "closed", ("contract:unreadable",), (THIRD, FAR_FUTURE)),
    ],
)
def test_gate_when_asked_for_a_past_instant_then_by_the_version_of_then(history, at, state, reasons, valid):
    """A new version changes nothing of what was."""
    gate = history.at(at)
    assert (gate.state, gate.reasons, (gate.valid_from, gate.valid_until)) == (state, reasons, valid)


def test_changes_when_versions_follow_then_each_from_its_instant(history):
    """The gate's whole life in four lines; a range that begins in between begins there."""
    told = [(at, state.value) for at, state, _ in history.changes(FIRST - TICK, THIRD + TICK)]
    assert told == [(FIRST - TICK, "closed"), (FIRST, "frozen"), (SECOND, "open"), (THIRD, "closed")]
    assert [at for at, _, _ in history.changes(SECOND + TICK, THIRD)] == [SECOND + TICK]


def test_history_when_there_is_no_contract_then_closed_for_ever():
    """Nothing was ever applied."""
    nothing = GateHistory([])
    assert nothing.at(FIRST).reasons == ("contract:absent",)
    assert [at for at, _, _ in nothing.changes(FIRST, SECOND)] == [FIRST]
