"""The demo's schedule: at any hour of any day it passes the checks that every schedule has to pass."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecluse.contracts import parse_contract
from ecluse.demo import people
from ecluse.demo.contract_file import term_of, write_contract
from ecluse.demo.firms import firms_for
from ecluse.demo.model import Party
from ecluse.demo.timetable import closing_session, moved, plan_day, to_csv
from ecluse.ids import new_id
from ecluse.register import parse_register
from ecluse.schedule.check import check_places
from ecluse.schedule.findings import ScheduleFindings
from ecluse.schedule.model import CheckedSchedule, ContractFacts, Kind, ScheduleContext
from ecluse.schedule.parse import parse_schedule
from ecluse.schedule.terms import contract_facts

pytestmark = pytest.mark.unit

REGISTER = parse_register(Path(people.__file__).with_name("register.toml").read_text(encoding="utf-8"))
ATTRIBUTES = {name: attribute.type for name, attribute in REGISTER.attributes.items()}
SUBJECTS = [f"ofii:{number}" for number in range(1, 101)]
PARTIES = [
    Party(firm=firm, client_id=new_id("cli"), key_file=Path("none"), agents=tuple(new_id("agt") for _ in firm.trainers))
    for firm in firms_for(2_100_000)
]
INSTANTS = st.datetimes(datetime(2025, 1, 1), datetime(2031, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - the bounds are naive, the zone comes after


@cache
def contracts_of(year: int) -> dict[str, ContractFacts]:
    """Read everybody's contract of a year."""
    term = term_of(date(year, 6, 1))
    texts = {party.firm.id: write_contract(party.firm, 1, term) for party in PARTIES}
    return {name: contract_facts(parse_contract(text, ATTRIBUTES)) for name, text in texts.items()}


def check(file: bytes, now: datetime) -> CheckedSchedule | ScheduleFindings:
    """Put a schedule through the parser and the checks of an import."""
    parsed = parse_schedule(file, Kind.CSV)
    if isinstance(parsed, ScheduleFindings):
        return parsed
    context = ScheduleContext(
        now=now,
        controller_zone=UTC,
        contracts=contracts_of(now.year),
        agents={agent: party.firm.id for party in PARTIES for agent in party.agents},
        is_subject_ref=lambda text: text in SUBJECTS,
        sessions={},
    )
    return check_places(parsed, context)


def test_closing_session_when_its_window_is_shut_then_the_file_is_refused():
    """A file that comes after the window of its last session has shut is refused whole."""
    now = datetime(2026, 1, 5, 9, 7, 31, tzinfo=UTC)
    late = closing_session(PARTIES[0], PARTIES[0].firm.courses[0], SUBJECTS, now - timedelta(seconds=1))
    assert isinstance(check(to_csv((*plan_day(PARTIES, SUBJECTS, now), late)), now), ScheduleFindings)


@settings(max_examples=30, deadline=None)
@given(now=INSTANTS)
def test_day_when_planned_at_any_hour_then_every_place_is_taken(now):
    """The smallest register fills the day of forty processors, with the group whose window is about to shut."""
    plan = plan_day(PARTIES, SUBJECTS, now)
    late = closing_session(PARTIES[0], PARTIES[0].firm.courses[0], SUBJECTS, now + timedelta(seconds=6))
    checked = check(to_csv((*plan, late)), now)
    assert isinstance(checked, CheckedSchedule), checked
    assert checked.counts.places_new == sum(len(session.subjects) for session in plan) + 10


@settings(max_examples=30, deadline=None)
@given(now=INSTANTS)
def test_session_when_moved_then_it_is_a_week_later_and_its_window_is_not_open(now):
    """Nothing but the times of a moved session changes, and no window of the demo opens a week before."""
    for session in plan_day(PARTIES, SUBJECTS, now):
        later = moved(session)
        assert (later.ref, later.room, later.subjects) == (session.ref, session.room, session.subjects)
        assert later.starts_at - timedelta(hours=session.course.opens_before) > now + timedelta(days=5)
