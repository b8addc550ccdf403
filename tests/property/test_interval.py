"""The interval of a grant against a slow recomputation, in three time zones on the days when their clocks change.

A situation is written as its owners write it: contract days and session times as local texts, the window as durations, holds as instants. The code under
test reads the texts and decides once; the recomputation looks a local time up in a list of all minutes, and asks at every instant where anything can begin
or end, and a microsecond before, whether the design's rules hold there. ``ECLUSE_BIG=1`` draws many more.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ecluse.contracts import NOTHING, Assurance, Contract, gate_of, parse_contract
from ecluse.policy import Ask, Effect, Granted, Hold, Parties, Place, Reason, Refused, Terms, decide
from ecluse.register import AttributeType
from ecluse.schedule.resolve import read_instant
from tests.invented import contract_text

pytestmark = pytest.mark.unit

EXAMPLES: Final = 20_000 if os.environ.get("ECLUSE_BIG") else 300
TICK, MINUTE, DAY = timedelta(microseconds=1), timedelta(minutes=1), timedelta(days=1)
CHANGES: Final = {
    "Europe/Paris": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/Santiago": (date(2026, 4, 4), date(2026, 9, 6)),  # at midnight: a day of 25 hours, and one that begins at 01:00
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),  # by half an hour
}
"""Days that are not of 24 hours (IANA time zone database), the one that repeats or skips being first and second as the hemisphere has it."""
OPENS: Final = {"PT30M": timedelta(minutes=30), "PT24H": DAY, "P2DT1M": 2 * DAY + MINUTE}
CLOSES: Final = {"PT1M": MINUTE, "PT2H": timedelta(hours=2), "P1D": DAY}
ASK: Final = Ask(
    processor="lyon",
    client="cli_x",
    agent="agt_x",
    assurance=Assurance.ASSERTED,
    appointment="apt_x",
    attributes=("family_name",),
)


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What is written down. ``begins``, ``ends``: the session in local time; ``instants``: the same, looked up; ``holds``: on anyone."""

    zone: str
    first: date
    last: date
    opens: str
    closes: str
    begins: str
    ends: str
    instants: tuple[datetime, datetime]
    holds: tuple[Hold, ...]
    person_holds: tuple[Hold, ...]

    @property
    def window(self) -> tuple[datetime, datetime]:
        """The window: elapsed time around the session."""
        return self.instants[0] - OPENS[self.opens], self.instants[1] + CLOSES[self.closes]


# ── the slow recomputation ───────────────────────────────────────────────────────────────────────────────────────────────────
@cache
def minutes_around(zone: str, day: date) -> dict[str, list[datetime]]:
    """List all minutes of nine days by what the wall clock of the zone shows at them."""
    shown: dict[str, list[datetime]] = {}
    there, noon = ZoneInfo(zone), datetime.combine(day, time(12), UTC)
    for n in range(-4 * 1440 - 720, 4 * 1440 + 720):
        at = noon + n * MINUTE
        shown.setdefault(f"{at.astimezone(there):%Y-%m-%dT%H:%M}", []).append(at)
    return shown


@cache
def readable(zone: str, near: date) -> list[str]:
    """List the local minutes of three days that the clock shows once."""
    days = tuple(str(near + n * DAY) for n in (-1, 0, 1))
    return sorted(text for text, all_at in minutes_around(zone, near).items() if len(all_at) == 1 and text.startswith(days))


@cache
def first_minute(zone: str, near: date, day: date) -> datetime:
    """Return the first minute of a local day."""
    shown = minutes_around(zone, near)
    return min(at for text, all_at in shown.items() if text.startswith(day.isoformat()) for at in all_at)


def lawful(case: Situation, at: datetime) -> bool:
    """Say by the design's own words whether a disclosure is due at an instant."""
    opens_at, closes_at = case.window
    today = at.astimezone(ZoneInfo(case.zone)).date()
    stopped = any(
        hold.effect in {Effect.SUSPEND, Effect.FREEZE} and at >= hold.from_at and not (hold.until_at and at >= hold.until_at)
        for hold in case.holds + case.person_holds
    )
    return case.first <= today <= case.last and opens_at <= at < closes_at and not stopped


def edges_of(case: Situation, near: date) -> list[datetime]:
    """List every instant at which a rule can begin or cease to hold."""
    days = [first_minute(case.zone, near, case.first), first_minute(case.zone, near, case.last + DAY)]
    holds = [at for hold in case.holds + case.person_holds for at in (hold.from_at, hold.until_at) if at is not None]
    return sorted({*case.window, *days, *holds})


def span_around(case: Situation, near: date, at: datetime) -> tuple[datetime, datetime]:
    """Return the largest half-open span around a lawful instant that is lawful throughout."""
    edges = edges_of(case, near)
    begin = max(edge for edge in edges if edge <= at and not lawful(case, edge - TICK))
    end = min(edge for edge in edges if edge > at and not lawful(case, edge))
    return begin, end


# ── the code under test ──────────────────────────────────────────────────────────────────────────────────────────────────────
@cache
def contract_of(first: date, last: date, opens: str, closes: str) -> Contract:
    """Parse the contract."""
    text = contract_text(
        "lyon",
        starts_on=str(first),
        ends_on=str(last),
        opens_before=opens,
        closes_after=closes,
        attributes={"family_name": "full"},
    )
    return parse_contract(text, {"family_name": AttributeType.TEXT})


def judge(case: Situation, at: datetime) -> Granted | Refused:
    """Decide as the door does: texts read, gate and policy asked at an instant."""
    zone = ZoneInfo(case.zone)
    contract = contract_of(case.first, case.last, case.opens, case.closes)
    starts_at, ends_at = read_instant(case.begins, zone), read_instant(case.ends, zone)
    assert isinstance(starts_at, datetime)
    assert isinstance(ends_at, datetime)
    place = Place(
        purpose="civic-training", session="ses_x", starts_at=starts_at, ends_at=ends_at, subject_ref="ofii:1", cancelled=False, roster=None,
        holds=case.person_holds,
    )  # fmt: skip
    terms = Terms(contract=contract, version=1, hash="00", gate=gate_of(contract, NOTHING, at=at, timezone=zone))
    decision = decide(ASK, place, terms, Parties(agent_known=True, key_in_use=True, holds=case.holds), at, None)
    assert isinstance(decision, Granted | Refused)
    return decision


# ── what is drawn ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@st.composite
def some_holds(draw: st.DrawFn, noon: datetime) -> tuple[Hold, ...]:
    """Draw up to two holds of any effect near a noon, to the microsecond, some open-ended."""
    found = []
    for n in range(draw(st.integers(0, 2))):
        begin = noon + draw(st.integers(-3000, 3000)) * MINUTE + draw(st.integers(-2, 2)) * TICK
        length = draw(st.none() | st.integers(1, 600))
        until = None if length is None else begin + (TICK if length == 1 else length * MINUTE)
        found.append(Hold(id=f"hld_{n}", scope="client", effect=draw(st.sampled_from(Effect)), from_at=begin, until_at=until))
    return tuple(found)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Situation, date, datetime]:
    """Draw a situation around a change of the clocks, that change's day, and an instant to ask at: mostly at or beside an edge."""
    zone = draw(st.sampled_from(sorted(CHANGES)))
    near = draw(st.sampled_from(CHANGES[zone]))
    shown = minutes_around(zone, near)
    begins = draw(st.sampled_from(readable(zone, near)))
    starts_at = shown[begins][0]
    ends_at = starts_at + draw(st.integers(1, 24 * 60)) * MINUTE
    ends = f"{ends_at.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}"
    assume(len(shown[ends]) == 1)
    first = near + DAY * draw(st.integers(-2, 1))
    noon = datetime.combine(near, time(12), UTC)
    case = Situation(
        zone=zone,
        first=first,
        last=first + DAY * draw(st.integers(0, 2)),
        opens=draw(st.sampled_from(sorted(OPENS))),
        closes=draw(st.sampled_from(sorted(CLOSES))),
        begins=begins,
        ends=ends,
        instants=(starts_at, ends_at),
        holds=draw(some_holds(noon)),
        person_holds=draw(some_holds(noon)),
    )
    edge = draw(st.sampled_from(edges_of(case, near)))
    at = edge + draw(st.sampled_from([-TICK, 0 * TICK, TICK, 90 * MINUTE, -90 * MINUTE]))
    return case, near, at


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(situations())
def test_interval_when_clocks_change_then_exactly_the_span_that_is_lawful(drawn: tuple[Situation, date, datetime]) -> None:
    """Granted if and only if the rules hold at the instant, and then for the whole span around it in which they hold, to the microsecond."""
    case, near, at = drawn
    decision = judge(case, at)
    assert isinstance(decision, Granted) == lawful(case, at)
    if isinstance(decision, Granted):
        assert (decision.valid_from, decision.valid_until) == span_around(case, near, at)
        assert decision.closes_at == case.window[1]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(situations())
def test_decide_when_any_edge_is_asked_then_as_the_rules_say_there(drawn: tuple[Situation, date, datetime]) -> None:
    """At each instant where anything begins or ends, and a microsecond to both sides, the decision is what the rules say there."""
    case, near, _ = drawn
    for edge in edges_of(case, near):
        for at in (edge - TICK, edge, edge + TICK):
            assert isinstance(judge(case, at), Granted) == lawful(case, at)


# ── what the property rests on ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("zone", "hours"), [("Europe/Paris", (23, 25)), ("America/Santiago", (25, 23)), ("Australia/Lord_Howe", (24.5, 23.5))]
)
def test_day_when_the_clocks_change_then_it_is_not_of_24_hours(zone: str, hours: tuple[float, float]) -> None:
    """The days drawn are those of a change, as written down here."""
    lengths = [first_minute(zone, day, day + DAY) - first_minute(zone, day, day) for day in CHANGES[zone]]
    assert [length / timedelta(hours=1) for length in lengths] == list(hours)


@pytest.mark.parametrize("zone", sorted(CHANGES))
def test_time_when_skipped_or_shown_twice_then_not_read(zone: str) -> None:
    """Every local minute of the nine days is read as the list of all minutes says; one that is not there, or twice, is refused."""
    for near in CHANGES[zone]:
        shown = minutes_around(zone, near)
        for n in range(1440 * 3):
            text = (datetime.combine(near - DAY, time()) + n * MINUTE).isoformat(timespec="minutes")
            read = read_instant(text, ZoneInfo(zone))
            assert ([read] if isinstance(read, datetime) else []) == (
                shown.get(text, []) if len(shown.get(text, [])) == 1 else []
            )


@pytest.mark.parametrize(
    ("zone", "day", "opens", "closes"),
    [
        ("Europe/Paris", date(2026, 3, 29), "2026-03-28T23:00:00+00:00", "2026-03-29T22:00:00+00:00"),
        ("America/Santiago", date(2026, 9, 6), "2026-09-06T04:00:00+00:00", "2026-09-07T03:00:00+00:00"),
        ("Australia/Lord_Howe", date(2026, 4, 5), "2026-04-04T13:00:00+00:00", "2026-04-05T13:30:00+00:00"),
    ],
)
def test_contract_when_of_one_changed_day_then_open_for_that_day(zone: str, day: date, opens: str, closes: str) -> None:
    """A contract of one day on which the clocks change is in force from its first to its last microsecond, as written here by hand."""
    noon = datetime.combine(day, time(12), UTC)
    case = Situation(
        zone=zone, first=day, last=day, opens="P2DT1M", closes="P1D", begins=f"{day}T12:00", ends=f"{day}T13:00",
        instants=(noon, noon), holds=(), person_holds=(),
    )  # fmt: skip
    begin, end = datetime.fromisoformat(opens), datetime.fromisoformat(closes)
    granted = judge(case, begin)
    assert isinstance(granted, Granted)
    assert (granted.valid_from, granted.valid_until) == (begin, end)
    assert judge(case, end - TICK) == granted
    for outside, word in ((begin - TICK, "not-started"), (end, "ended")):
        refused = judge(case, outside)
        assert isinstance(refused, Refused)
        assert (refused.reason, refused.reasons[0]) == (Reason.GATE_FROZEN, f"gate:contract:dates:{word}")


def test_hold_when_it_only_keeps_then_no_edge() -> None:
    """A legal hold splits no interval."""
    noon = datetime(2026, 3, 29, 12, tzinfo=UTC)
    hold = Hold(id="hld_0", scope="person", effect=Effect.KEEP, from_at=noon, until_at=noon + TICK)
    day = date(2026, 3, 29)
    bare = Situation(
        zone="Europe/Paris", first=day, last=day, opens="PT24H", closes="P1D", begins=f"{day}T12:00", ends=f"{day}T13:00",
        instants=(noon, noon), holds=(), person_holds=(),
    )  # fmt: skip
    held = replace(bare, person_holds=(hold,))
    assert isinstance(judge(bare, noon), Granted)
    assert judge(held, noon) == judge(bare, noon)
