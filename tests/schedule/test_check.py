"""Rules between a schedule, the contracts and what is kept already."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from plans import NOW, OTHER_AGENT, accepted, context, contract, found, kept, row, written

from ecluse.schedule.check import check_places
from ecluse.schedule.model import CheckedSchedule

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("changes", "column", "why"),
    [
        ({"processor": "nobody"}, "starts_at", "the site is not in the contract, so its time zone is not known"),
        ({"purpose": "marketing"}, "purpose", "the contract does not have this purpose"),
        ({"agents": OTHER_AGENT}, "agents", "one of the agents is not of this processor"),
        ({"agents": "agt_ccccccccccccccccccccccccca"}, "agents", "one of the agents is not of this processor"),
        ({"subject_ref": "other:1"}, "subject_ref", "this is not a subject_ref of a register"),
        ({"ends_at": "2026-01-05T09:00"}, "ends_at", "the session does not end after it starts"),
        ({"ends_at": "2026-01-06T09:01"}, "ends_at", "the session is longer than 24 hours"),
        (
            {"starts_at": "2027-02-07T09:00", "ends_at": "2027-02-07T10:00"},
            "starts_at",
            "the session is more than 400 days ahead",
        ),
        ({"starts_at": "2026-01-01T09:00", "ends_at": "2026-01-01T17:00"}, "ends_at", "the session is over"),
        ({"starts_at": "2026-01-02T06:00", "ends_at": "2026-01-02T07:00"}, "ends_at", "the session is over"),
        ({"starts_at": "2026-03-29T02:30"}, "starts_at", "the clocks of the site skip this time"),
    ],
)
def test_a_new_session_against_its_contract_is_refused(changes: dict[str, str], column: str, why: str) -> None:
    """What the contract does not have, or can't be, is refused at its row and column."""
    assert (2, column, why) in found([row(**changes)])


@pytest.mark.parametrize(
    ("changes", "column", "why"),
    [
        ({"processor": "nobody"}, "processor", "no contract is known for this processor"),
        ({"site": "nice-1"}, "site", "the contract does not have this site"),
    ],
)
def test_an_unknown_processor_or_site_is_refused_with_offsets_too(changes: dict[str, str], column: str, why: str) -> None:
    """Where the times can be read without a site, the site is still refused."""
    times = {"starts_at": "2026-01-05T08:00:00Z", "ends_at": "2026-01-05T16:00:00Z"}
    assert found([row(**times, **changes)]) == {(2, column, why)}


@pytest.mark.parametrize(("day", "fine"), [(4, False), (5, True), (6, False)])
def test_contract_days_are_both_included(day: int, *, fine: bool) -> None:
    """A contract of one day covers the sessions of that day in the controller's zone, to midnight, and no other."""
    one_day = context(contracts={"lyon-formation": contract(starts_on=date(2026, 1, 5), ends_on=date(2026, 1, 5))})
    rows = [row(starts_at=f"2026-01-0{day}T20:00", ends_at=f"2026-01-0{day + 1}T00:00")]
    if fine:
        assert accepted(rows, one_day).counts.sessions_new == 1
    else:
        assert found(rows, one_day) == {(2, "starts_at", "the contract does not cover this time")}


@pytest.mark.parametrize(
    ("column", "cell"),
    [("room", "B"), ("ends_at", "2026-01-05T18:00"), ("agents", ""), ("purpose", "language-course"), ("site", "lyon-8")],
)
def test_rows_of_one_session_that_differ_are_refused(column: str, cell: str) -> None:
    """The facts of a session are the same in all its rows."""
    assert found([row(), row(place_ref="P2", subject_ref="ofii:2", **{column: cell})]) == {
        (3, column, "rows of one session differ here")
    }


def test_the_same_instant_written_in_two_ways_does_not_differ() -> None:
    """Times are compared as instants."""
    assert accepted([row(), row(place_ref="P2", subject_ref="ofii:2", starts_at="2026-01-05T08:00:00Z")]).counts.sessions_new == 1


def test_a_place_named_twice_is_refused() -> None:
    """A place has one row, whatever its status."""
    assert found([row(), row(status="cancelled")]) == {(3, "place_ref", "the place is in the file twice")}


@pytest.mark.parametrize(
    ("changes", "column", "why"),
    [
        ({"purpose": "language-course"}, "purpose", "a session can't change its purpose"),
        ({"subject_ref": "ofii:2"}, "subject_ref", "a place can't change its subject"),
        ({"course_ref": "c2"}, "course_ref", "a place can't change its course"),
        ({"subject_ref": "ofii:2", "status": "cancelled"}, "subject_ref", "a place can't change its subject"),
    ],
)
def test_what_is_fixed_about_a_kept_place_is_refused(changes: dict[str, str], column: str, why: str) -> None:
    """Purpose of a session, subject and course of a place never change."""
    assert found([row(**changes)], context(kept())) == {(2, column, why)}


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "cancelled"},
        {"place_ref": "P9", "subject_ref": "ofii:9"},
        {"starts_at": "2026-02-05T09:00", "ends_at": "2026-02-05T17:00"},
        {"room": "B"},
    ],
)
def test_a_session_that_is_over_can_not_change(changes: dict[str, str]) -> None:
    """Once its windows have closed a session is history; sent again as it was, it is accepted."""
    past = {"starts_at": "2026-01-01T09:00", "ends_at": "2026-01-01T17:00"}
    against = context(kept(day=1))
    assert found([row(**(past | changes))], against) == {(2, "session_ref", "the session is over")}
    assert accepted([row(**past)], against).changes_nothing


def test_a_session_whose_windows_are_still_open_can_change() -> None:
    """Until end plus closes_after a place may be added or cancelled."""
    rows = [row(starts_at="2026-01-02T06:00", ends_at="2026-01-02T07:01")]
    assert accepted(rows).counts.places_new == 1


def test_a_first_file_is_all_new() -> None:
    """Nothing kept: sessions and places are new, and the course is the purpose where none is named."""
    checked = accepted([row(), row(place_ref="P2", subject_ref="ofii:2", course_ref="c1")])
    assert (checked.counts.sessions_new, checked.counts.places_new) == (1, 2)
    assert [place.course_ref for place in checked.places_new] == ["civic-training", "c1"]
    assert (checked.source, len(checked.sha256)) == ("plan", 64)


def test_the_same_file_again_changes_nothing() -> None:
    """A file that was applied is unchanged when sent again."""
    checked = accepted([row()], context(kept()))
    assert checked.changes_nothing
    assert (checked.counts.sessions_unchanged, checked.counts.places_unchanged) == (1, 1)


@pytest.mark.parametrize(
    "changes",
    [{"room": "B"}, {"site": "lyon-8"}, {"agents": ""}, {"starts_at": "2026-01-05T10:00"}, {"ends_at": "2026-01-05T18:00"}],
)
def test_another_time_room_site_or_agent_moves_the_session(changes: dict[str, str]) -> None:
    """A moved session keeps its places."""
    checked = accepted([row(**changes)], context(kept()))
    assert (checked.counts.sessions_moved, checked.counts.places_unchanged, checked.counts.places_new) == (1, 1, 0)


def test_places_are_cancelled_reinstated_and_left_alone() -> None:
    """A status that differs is a change; a cancellation of a place never known is nothing."""
    rows = [
        row(status="cancelled"),
        row(place_ref="P2", subject_ref="ofii:2"),
        row(place_ref="P3", subject_ref="ofii:3"),
        row(place_ref="P4", subject_ref="ofii:4", status="cancelled"),
    ]
    counts = accepted(rows, context(kept(subjects=(1, 2, 3), cancelled=(2,)))).counts
    assert (counts.places_cancelled, counts.places_reinstated, counts.places_unchanged, counts.places_absent) == (1, 1, 1, 1)


def test_a_session_of_unknown_cancellations_is_never_made() -> None:
    """Cancelling what was never planned plans nothing."""
    checked = accepted([row(status="cancelled")])
    assert checked.changes_nothing
    assert checked.counts.places_absent == 1


def test_a_cancellation_needs_no_contract_in_force() -> None:
    """Taking access away works after the contract ended, lost the purpose or is gone."""
    rows = [row(status="cancelled", starts_at="2026-01-05T08:00:00Z", ends_at="2026-01-05T16:00:00Z")]
    for contracts in ({}, {"lyon-formation": contract(purposes={}, sites={}, ends_on=date(2026, 1, 1))}):
        assert accepted(rows, context(kept(), contracts=contracts)).counts.places_cancelled == 1


def test_the_horizon_moves_with_the_clock() -> None:
    """400 days ahead are accepted to the second."""
    at = NOW + timedelta(days=400)
    rows = [row(starts_at=f"{at:%Y-%m-%dT%H:%M:%SZ}", ends_at=f"{at + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}")]
    assert accepted(rows).counts.sessions_new == 1
    assert isinstance(check_places(written(*rows), context(now=NOW - timedelta(seconds=1))), CheckedSchedule) is False
