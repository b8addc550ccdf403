"""Bounds that span sessions: capacity, rooms, sessions a day, persons a day and a month."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import PARIS, accepted, context, contract, csv_file, exceeding, found, kept, row, written

from ecluse.schedule.check import check_places
from ecluse.schedule.findings import ScheduleFindings
from ecluse.schedule.model import CheckedSchedule, Kind, ScheduleFile, SiteFacts
from ecluse.schedule.parse import parse_schedule

pytestmark = pytest.mark.unit

CAPACITY = "the session has more places than the contract allows"
TWICE = "the subject has another place in this session"
SITE_DAY = "the site has more sessions on this day than the contract allows"
ROOMS = "the site has more sessions at the same time than rooms"
DAY = "the processor has more persons on this day (UTC) than the contract foresees"
MONTH = "the processor has more persons in this month (UTC) than the contract foresees"


def places(count: int, first: int = 1, **changes: str) -> list[dict[str, str]]:
    """Return rows for ``count`` subjects."""
    return [row(place_ref=f"P{n}", subject_ref=f"ofii:{n}", **changes) for n in range(first, first + count)]


def session(ref: str, subject: int, start: int, end: int, room: str = "A", day: int = 5, **changes: str) -> dict[str, str]:
    """Return a row of a session from hour to hour on a day of January."""
    times = {"starts_at": f"2026-01-{day:02}T{start:02}:00", "ends_at": f"2026-01-{day:02}T{end:02}:00"}
    return row(session_ref=ref, subject_ref=f"ofii:{subject}", room=room, **times, **changes)


def test_places_beyond_the_capacity_are_refused() -> None:
    """The rows named are the ones too many, kept places counted first, cancelled ones not at all."""
    assert found(places(4)) == {(5, "place_ref", CAPACITY)}
    assert found(places(2, first=8), context(kept(subjects=(1, 2)))) == {(3, "place_ref", CAPACITY)}
    assert found(places(1, first=2), context(kept(subjects=(1, 2, 3, 4), cancelled=(2,)))) == {(2, "place_ref", CAPACITY)}
    assert accepted(places(3)).counts.places_new == 3
    swap = [row(status="cancelled"), *places(1, first=9)]
    assert accepted(swap, context(kept(subjects=(1, 2, 3)))).counts.places_new == 1


def test_a_subject_twice_in_a_session_is_refused() -> None:
    """One person has one place in a session, in the file or kept; a cancelled place does not count."""
    assert found([row(), row(place_ref="P2")]) == {(3, "subject_ref", TWICE)}
    assert found([row(place_ref="P2")], context(kept())) == {(2, "subject_ref", TWICE)}
    assert accepted([row(place_ref="P2")], context(kept(cancelled=(1,)))).counts.places_new == 1
    assert accepted([row(status="cancelled"), row(place_ref="P2")], context(kept())).counts.places_new == 1


def test_sessions_beyond_the_site_day_are_refused() -> None:
    """The fourth session of a local day is one too many; a session without planned places is none."""
    rows = [session(f"N{hour}", 1, hour, hour + 1) for hour in (8, 9, 10, 11)]
    assert found(rows) == {(5, "starts_at", SITE_DAY)}
    assert found(rows[:3], context(kept())) >= {(4, "starts_at", SITE_DAY)}
    late = context(kept(starts_at=datetime(2026, 1, 5, 21, tzinfo=UTC), ends_at=datetime(2026, 1, 5, 22, tzinfo=UTC)))
    assert found(rows[:3], late) == {(4, "starts_at", SITE_DAY)}
    assert accepted(rows[:3], context(kept(cancelled=(1,)))).counts.sessions_new == 3


def test_the_site_day_is_the_day_of_the_site() -> None:
    """23:30 UTC in January is the next day in Paris."""
    rows = [
        row(session_ref=f"N{n}", starts_at=f"2026-01-05T{hour}:00Z", ends_at=f"2026-01-05T{hour}:30Z", subject_ref="ofii:1")
        for n, hour in enumerate(("20:00", "21:00", "22:00", "23:00"))
    ]
    for cells in rows:
        cells["ends_at"] = cells["starts_at"].replace(":00Z", ":59Z")
    assert accepted(rows).counts.sessions_new == 4


def test_more_sessions_at_once_than_rooms_are_refused() -> None:
    """Two rooms hold two sessions at a time; one that begins as another ends needs no third."""
    rows = [session("N1", 1, 9, 11, "A"), session("N2", 2, 9, 10, "B"), session("N3", 3, 9, 11, "C")]
    assert {problem[:2] for problem in found(rows)} == {(2, "site"), (3, "site"), (4, "site")}
    assert found(rows[1:], context(kept())) == {(2, "site", ROOMS), (3, "site", ROOMS)}
    rows[2] = session("N3", 3, 10, 11, "C")
    assert accepted(rows).counts.sessions_new == 3


def test_a_crowd_behind_a_crowd_is_still_seen() -> None:
    """A site that is over its rooms without the file does not hide what the file adds."""
    crowd = (
        kept("K1", (1,), starts_at=datetime(2026, 1, 5, 8, tzinfo=UTC), ends_at=datetime(2026, 1, 5, 9, tzinfo=UTC), room="K1")
        | kept("K2", (2,), room="K2")
        | kept("K3", (3,), room="K3")
    )
    against = context(
        crowd,
        contracts={"lyon-formation": contract(sites={"lyon-3": SiteFacts(timezone=PARIS, rooms=2, max_sessions_per_day=9)})},
    )
    assert found([session("N1", 4, 12, 13, "D")], against) == {(2, "site", ROOMS)}
    assert accepted([session("N1", 4, 18, 19, "D")], against).counts.sessions_new == 1


def test_a_reinstated_place_brings_its_session_back_to_the_site() -> None:
    """A session that was wholly cancelled takes its room again when a place is reinstated."""
    against = context(kept(cancelled=(1,)) | kept("K2", (2,), room="K2") | kept("K3", (3,), room="K3"))
    assert found([row()], against) == {(2, "site", ROOMS)}


def test_persons_beyond_the_day_are_excess() -> None:
    """The sixth distinct person of a UTC day is one too many; the same person twice that day is one."""
    against = context(kept("K1", (11, 12, 13)) | kept("K2", (14, 15), room="B"))
    assert exceeding([session("N1", 16, 18, 19)], against) == {(2, "starts_at", DAY)}
    assert accepted([session("N1", 11, 18, 19)], against).counts.places_new == 1
    other_processor = session("N1", 16, 18, 19, processor="nice-langues", agents="")
    assert accepted([other_processor], against).counts.places_new == 1
    assert accepted([session("N1", 16, 18, 19, day=6)], against).counts.places_new == 1


def test_persons_beyond_the_month_are_excess() -> None:
    """The ninth distinct person of a UTC month is one too many; the next month counts anew."""
    against = context(kept("K1", (11, 12, 13), day=6) | kept("K2", (14, 15, 16), day=7) | kept("K3", (17, 18), day=8))
    assert exceeding([row()], against) == {(2, "starts_at", MONTH)}
    assert accepted([row(starts_at="2026-02-05T09:00", ends_at="2026-02-05T17:00")], against).counts.places_new == 1
    assert accepted([row(subject_ref="ofii:18")], against).counts.places_new == 1


def test_a_moved_session_brings_all_its_persons() -> None:
    """Places that the file does not name move with their session and count on the new day."""
    against = context(kept("S1", (1, 2, 3)) | kept("K1", (11, 12, 13), day=6))
    moved = row(starts_at="2026-01-06T18:00", ends_at="2026-01-06T19:00")
    assert exceeding([moved], against) == {(2, "starts_at", DAY)}
    gone = [{**moved, "status": "cancelled"}]
    assert accepted(gone, against).counts.sessions_moved == 1


def test_a_bound_exceeded_without_the_file_does_not_stop_it() -> None:
    """After a contract was tightened, unchanged rows, cancellations and persons already there are accepted, without excess."""
    tight = contract(
        persons_per_day=1, persons_per_month=1, sites={"lyon-3": SiteFacts(timezone=PARIS, rooms=1, max_sessions_per_day=1)}
    )
    against = context(kept("S1", (1, 2, 3)) | kept("K2", (4,)), contracts={"lyon-formation": tight})
    assert accepted(places(3), against).changes_nothing
    assert exceeding(places(3), against) == set()
    assert accepted([row(status="cancelled")], against).counts.places_cancelled == 1


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(8, 14), st.integers(1, 4), st.sampled_from("ABC"), st.booleans()), min_size=1, max_size=7))
def test_rooms_are_judged_as_by_counting_each_hour(drawn: list[tuple[int, int, str, bool]]) -> None:
    """A file is accepted exactly if no hour has more sessions than rooms with one of the file's among them."""
    roomy = contract(sites={"lyon-3": SiteFacts(timezone=PARIS, rooms=2, max_sessions_per_day=99)}, persons_per_day=99)
    rows, existing = [], {}
    for n, (start, length, room, is_kept) in enumerate(drawn):
        if is_kept:
            at = datetime(2026, 1, 5, start, tzinfo=PARIS).astimezone(UTC)
            existing |= kept(f"K{n}", (1,), starts_at=at, ends_at=at + timedelta(hours=length), room=room)
        else:
            rows.append(session(f"N{n}", 1, start, start + length, room))
    if not rows:
        return
    bad = False
    for hour in range(8, 20):
        now = [one for one in drawn if one[0] <= hour < one[0] + one[1]]
        ours = [one for one in now if not one[3]]
        bad |= bool(ours) and len(now) > 2
    outcome = check_places(written(*rows), context(existing, contracts={"lyon-formation": roomy}))
    assert isinstance(outcome, ScheduleFindings) is bad


def test_a_hundred_thousand_rows_are_read_and_checked_in_seconds() -> None:
    """Parsing and checking stay far from quadratic."""
    rows = [
        row(
            session_ref=f"S{n // 20}",
            place_ref=f"P{n}",
            subject_ref=f"ofii:{n}",
            room=f"R{n // 20}",
            starts_at=f"2026-{1 + n // 20 % 6:02}-{5 + n // 120 % 20:02}T09:00",
            ends_at=f"2026-{1 + n // 20 % 6:02}-{5 + n // 120 % 20:02}T17:00",
            site="lyon-3",
        )
        for n in range(100_000)
    ]
    data = csv_file(rows)
    began = time.perf_counter()
    read = parse_schedule(data, Kind.CSV)
    assert isinstance(read, ScheduleFile)
    wide = contract(
        purposes={
            "civic-training": contract()
            .purposes["civic-training"]
            .__class__(max_capacity=30, opens_before=timedelta(0), closes_after=timedelta(0))
        },
        sites={"lyon-3": SiteFacts(timezone=PARIS, rooms=100_000, max_sessions_per_day=100_000)},
        persons_per_day=200_000,
        persons_per_month=200_000,
    )
    outcome = check_places(read, context(contracts={"lyon-formation": wide}))
    took = time.perf_counter() - began
    assert isinstance(outcome, CheckedSchedule)
    assert took < 20
