"""The gate by clauses and dates alone: its states, and an interval that is exact to the microsecond in every time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecluse.contracts import FAR_FUTURE, FAR_PAST, NOTHING, GateState, gate_of

pytestmark = pytest.mark.unit

TICK = timedelta(microseconds=1)
PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def contract(contract):
    """Return the contract without what it asks for besides: ``test_gate_evidence.py`` is about that."""
    return msgspec.structs.replace(contract, evidence_required=())


def _of_days(contract, first, last, clauses=None):
    """Return the contract with other dates, and other clauses if they are given."""
    kept = contract.clauses if clauses is None else clauses
    return msgspec.structs.replace(contract, starts_on=first, ends_on=last, clauses=kept)


def test_gate_when_the_instant_has_no_zone_then_it_is_a_bug(contract):
    """A naive instant, or one out of time, is refused loudly."""
    for at in (datetime(2026, 6, 1), datetime(1800, 1, 1, tzinfo=UTC), FAR_FUTURE):  # noqa: DTZ001
        with pytest.raises(AssertionError, match="impossible"):
            gate_of(contract, NOTHING, at=at, timezone=PARIS)


@pytest.mark.parametrize("clause", ["28.3.a", "28.3.b", "28.3.c", "28.3.d", "28.3.e", "28.3.f", "28.3.g", "28.3.h"])
def test_gate_when_a_required_clause_is_missing_then_frozen_for_ever(contract, clause):
    """No date makes up for a clause of Art. 28(3)."""
    lacking = _of_days(contract, contract.starts_on, contract.ends_on, tuple(c for c in contract.clauses if c != clause))
    gate = gate_of(lacking, NOTHING, at=NOON, timezone=PARIS)
    assert (gate.state, gate.reasons) == (GateState.FROZEN, (f"contract:clause:missing:{clause}",))
    assert (gate.valid_from, gate.valid_until) == (FAR_PAST, FAR_FUTURE)


def test_gate_when_everything_is_wrong_then_the_worst_state_and_all_reasons(contract):
    """Closed goes before frozen before warn, and nothing is hidden by it."""
    bare = _of_days(
        contract, date(2026, 1, 1), date(2026, 1, 31), ("28.3.a", "28.3.b", "28.3.c", "28.3.d", "28.3.e", "28.3.f", "28.3.g")
    )
    gate = gate_of(bare, NOTHING, at=NOON, timezone=PARIS)
    assert gate.state is GateState.CLOSED
    assert gate.reasons == (
        "contract:dates:ended",
        "evidence:missing:deletion-attestation",
        "contract:clause:missing:28.3.h",
        "contract:clause:missing:audit",
        "contract:clause:missing:no-copy",
    )
    assert (gate.valid_from, gate.valid_until) == (FAR_PAST, FAR_FUTURE)


@pytest.mark.parametrize("clause", ["audit", "no-copy"])
def test_gate_when_a_house_clause_is_missing_then_it_warns_and_permits(contract, clause):
    """What we ask for on top of the law does not stop the work."""
    lacking = _of_days(contract, contract.starts_on, contract.ends_on, tuple(c for c in contract.clauses if c != clause))
    gate = gate_of(lacking, NOTHING, at=NOON, timezone=PARIS)
    assert (gate.state, gate.state.permits, gate.reasons) == (GateState.WARN, True, (f"contract:clause:missing:{clause}",))
    assert gate.valid_until == datetime(2027, 12, 31, 23, tzinfo=UTC)


def test_gate_when_in_its_days_then_open(contract):
    """Winter midnights of Paris are 23:00 UTC of the day before."""
    gate = gate_of(contract, NOTHING, at=NOON, timezone=PARIS)
    assert (gate.state, gate.reasons) == (GateState.OPEN, ())
    assert gate.valid_from == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert gate.valid_until == datetime(2027, 12, 31, 23, tzinfo=UTC)


def test_gate_when_thirty_days_are_left_then_it_warns_in_the_same_interval(contract):
    """The warning begins 30 times 24 hours before the end and does not cut the interval of permission."""
    end = datetime(2027, 12, 31, 23, tzinfo=UTC)
    last_open = gate_of(contract, NOTHING, at=end - timedelta(days=30) - TICK, timezone=PARIS)
    first_warn = gate_of(contract, NOTHING, at=end - timedelta(days=30), timezone=PARIS)
    assert last_open.state is GateState.OPEN
    assert (first_warn.state, first_warn.reasons) == (GateState.WARN, ("contract:dates:ends-soon",))
    assert (last_open.valid_from, last_open.valid_until) == (first_warn.valid_from, first_warn.valid_until)


@pytest.mark.parametrize(
    ("state", "permits"),
    [(GateState.OPEN, True), (GateState.WARN, True), (GateState.FROZEN, False), (GateState.CLOSED, False)],
)
def test_state_when_asked_then_only_open_and_warn_permit(state, permits):
    """A warning is for people; it stops nothing."""
    assert state.permits is permits


# zone, first day, last day, first instant, instant after the last
EDGES = [
    ("UTC", date(2026, 1, 1), date(2026, 1, 1), "2026-01-01T00:00", "2026-01-02T00:00"),
    # both changes of the year: the day has 23, then 25 hours
    ("Europe/Paris", date(2026, 3, 29), date(2026, 3, 29), "2026-03-28T23:00", "2026-03-29T22:00"),
    ("Europe/Paris", date(2026, 10, 25), date(2026, 10, 25), "2026-10-24T22:00", "2026-10-25T23:00"),
    ("America/New_York", date(2026, 3, 8), date(2026, 11, 1), "2026-03-08T05:00", "2026-11-02T05:00"),
    # midnight is skipped: the day begins at 01:00
    ("America/Sao_Paulo", date(2018, 11, 4), date(2018, 11, 4), "2018-11-04T03:00", "2018-11-05T02:00"),
    ("America/Sao_Paulo", date(2018, 11, 3), date(2018, 11, 3), "2018-11-03T03:00", "2018-11-04T03:00"),
    # midnight comes twice: the day begins at the earlier one
    ("America/Havana", date(2026, 11, 1), date(2026, 11, 1), "2026-11-01T04:00", "2026-11-02T05:00"),
    # a whole day is skipped: it is empty, and the next begins where it would have
    ("Pacific/Apia", date(2011, 12, 30), date(2011, 12, 31), "2011-12-30T10:00", "2011-12-31T10:00"),
    # the jump begins before midnight: 23:30 is followed by 00:30
    ("America/Toronto", date(1919, 3, 31), date(1919, 3, 31), "1919-03-31T04:30", "1919-04-01T04:00"),
    # offsets that are no whole hours, and the ends of the earth
    ("Asia/Kathmandu", date(2026, 1, 1), date(2026, 12, 31), "2025-12-31T18:15", "2026-12-31T18:15"),
    ("Pacific/Kiritimati", date(2026, 1, 1), date(2026, 1, 1), "2025-12-31T10:00", "2026-01-01T10:00"),
]


@pytest.mark.parametrize(("zone", "first", "last", "opens", "ends"), EDGES)
def test_gate_when_at_either_end_then_exact_to_the_microsecond(contract, zone, first, last, opens, ends):
    """The first instant of the first day is in, the last of the last is in, and their neighbours are out."""
    timezone = ZoneInfo(zone)
    start, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (opens, ends))
    dated = _of_days(contract, first, last)
    before, inside, still, after = (
        gate_of(dated, NOTHING, at=at, timezone=timezone) for at in (start - TICK, start, end - TICK, end)
    )
    assert (before.state, before.valid_from, before.valid_until) == (GateState.CLOSED, FAR_PAST, start)
    assert before.reasons == ("contract:dates:not-started",)
    assert inside.state.permits
    assert still.state.permits
    assert (inside.valid_from, inside.valid_until) == (still.valid_from, still.valid_until) == (start, end)
    assert (after.state, after.valid_from, after.valid_until) == (GateState.CLOSED, end, FAR_FUTURE)
    assert after.reasons == ("contract:dates:ended", "evidence:missing:deletion-attestation")


def test_gate_when_the_instant_is_written_in_another_zone_then_the_same(contract):
    """An instant is one however it is written, and bounds are UTC."""
    at = datetime(2026, 6, 1, 21, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert gate_of(contract, NOTHING, at=at, timezone=PARIS) == gate_of(contract, NOTHING, at=NOON, timezone=PARIS)
    assert gate_of(contract, NOTHING, at=at, timezone=PARIS).told_from == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert gate_of(contract, NOTHING, at=at, timezone=PARIS).valid_from.tzinfo is UTC


DAYS = st.dates(date(2000, 1, 1), date(2199, 12, 31))
ZONES = st.sampled_from(
    ["Europe/Paris", "America/Sao_Paulo", "Pacific/Apia", "Africa/Cairo", "Asia/Beirut", "Australia/Lord_Howe"]
)


@given(a=DAYS, b=DAYS, zone=ZONES, at=st.datetimes(datetime(1999, 1, 1), datetime(2201, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
@example(a=date(2026, 4, 24), b=date(2026, 4, 24), zone="Africa/Cairo", at=datetime(2026, 4, 23, 22, tzinfo=UTC))
def test_gate_when_dates_are_any_then_the_local_date_decides_and_the_interval_is_maximal(contract, a, b, zone, at):
    """Permission is: the local date is one of the days. It is constant in the interval and different just outside it."""
    timezone = ZoneInfo(zone)
    dated = _of_days(contract, min(a, b), max(a, b))
    gate = gate_of(dated, NOTHING, at=at, timezone=timezone)
    assert gate.valid_from <= at < gate.valid_until
    assert gate.state.permits is (dated.starts_on <= at.astimezone(timezone).date() <= dated.ends_on)
    for inside in (gate.valid_from, gate.valid_until - TICK):
        assert gate_of(dated, NOTHING, at=inside, timezone=timezone).state.permits is gate.state.permits
    for outside in (gate.valid_from - TICK, gate.valid_until):
        if FAR_PAST <= outside < FAR_FUTURE:
            assert gate_of(dated, NOTHING, at=outside, timezone=timezone).state.permits is not gate.state.permits
