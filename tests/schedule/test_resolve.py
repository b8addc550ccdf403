"""Reading times in the zone of a site, and the months that a file touches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import PARIS, context, contract, row, written

from ecluse.schedule.findings import Fault, ProblemCollector
from ecluse.schedule.model import SiteFacts
from ecluse.schedule.resolve import read_instant, resolve_places, touched_spans

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-02-29T09:00", "there is no such date or time"),
        ("2026-13-01T09:00:00Z", "there is no such date or time"),
        ("0000-01-01T09:00", "there is no such date or time"),
        ("0001-01-01T00:00:00+14:00", "there is no such date or time"),
        ("0001-01-01T00:00", "there is no such date or time"),
        ("9999-12-31T23:59:00-14:00", "there is no such date or time"),
        ("2026-01-05T09:00:00+25:00", "there is no such date or time"),
        ("2026-03-29T02:30", "the clocks of the site skip this time"),
        ("2026-03-29T02:00", "the clocks of the site skip this time"),
        ("2026-10-25T02:30", "the clocks of the site show this time twice"),
        ("2026-10-25T02:00", "the clocks of the site show this time twice"),
    ],
)
def test_a_time_that_is_not_one_instant_is_refused(text: str, why: str) -> None:
    """Dates that do not exist, and local times that the clocks skip or repeat, are refused."""
    read = read_instant(text, PARIS)
    assert isinstance(read, Fault)
    assert read.why == why


def test_a_local_time_without_a_zone_is_refused() -> None:
    """Where the site is not known a local time means nothing, an instant still does."""
    assert isinstance(read_instant("2026-01-05T09:00", None), Fault)
    assert read_instant("2026-01-05T09:00:00Z", None) == datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05T09:00", datetime(2026, 1, 5, 8, tzinfo=UTC)),
        ("2026-07-05T09:00:30", datetime(2026, 7, 5, 7, 0, 30, tzinfo=UTC)),
        ("2026-01-05T09:00:00Z", datetime(2026, 1, 5, 9, tzinfo=UTC)),
        ("2026-01-05T09:00:00.25-03:30", datetime(2026, 1, 5, 12, 30, 0, 250_000, tzinfo=UTC)),
        ("2026-03-29T01:59:59", datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)),
        ("2026-03-29T03:00", datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        ("2026-10-25T01:59:59", datetime(2026, 10, 24, 23, 59, 59, tzinfo=UTC)),
        ("2026-10-25T03:00", datetime(2026, 10, 25, 2, 0, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_its_instant(text: str, expected: datetime) -> None:
    """Offsets and local times around both changes of the clock give the instant written here."""
    read = read_instant(text, PARIS)
    assert read == expected
    assert isinstance(read, datetime)
    assert read.tzinfo is UTC


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(microsecond=0)))  # noqa: DTZ001 - local
def test_an_accepted_local_time_comes_back(local: datetime) -> None:
    """What is accepted is shown by the site's clock exactly once, as written; what is refused is within an hour of a change."""
    read = read_instant(local.isoformat(), PARIS)
    if isinstance(read, datetime):
        assert read.astimezone(PARIS).replace(tzinfo=None) == local
    else:
        around = [(local + timedelta(hours=by)).replace(tzinfo=PARIS).utcoffset() for by in (-1, 1)]
        assert around[0] != around[1]


def test_dates_outside_the_calendar_touch_nothing() -> None:
    """Dates that can't be read or have no neighbours are left to the check."""
    dates = ("2026-02-30", "0000-01-01", "0001-01-01", "9999-12-31")
    assert touched_spans(written(*(row(place_ref=f"P{day}", starts_at=f"{day}T09:00") for day in dates))) == []


def test_a_date_touches_its_month_and_two_days_around() -> None:
    """Months that meet are one span, a date at the turn touches both months, months far apart are two spans."""
    dates = ("2026-01-15", "2026-02-28", "2026-06-10")
    assert touched_spans(written(*(row(place_ref=day, starts_at=f"{day}T09:00") for day in dates))) == [
        (datetime(2025, 12, 30, tzinfo=UTC), datetime(2026, 4, 3, tzinfo=UTC)),
        (datetime(2026, 5, 30, tzinfo=UTC), datetime(2026, 7, 3, tzinfo=UTC)),
    ]


@given(
    st.dates(datetime(2020, 1, 1, tzinfo=UTC).date(), datetime(2035, 1, 1, tzinfo=UTC).date()),
    st.sampled_from(["", ":00Z", ":00+14:00", ":00-12:00"]),
)
def test_the_instant_lies_in_a_span_with_its_whole_month(day: object, offset: str) -> None:
    """Whatever the zone, the UTC month of the instant is read whole."""
    text = f"{day}T00:30{offset}"
    at = read_instant(text, PARIS)
    assert isinstance(at, datetime)
    first = at.replace(day=1, hour=0, minute=0)
    assert any(lo <= first and at < hi for lo, hi in touched_spans(written(row(starts_at=text))))


@pytest.mark.parametrize(
    ("zone", "local", "expected"),
    [
        ("Europe/Paris", "2026-03-29T01:59", "2026-03-29T00:59Z"),
        ("Europe/Paris", "2026-03-29T02:30", "skip"),
        ("Europe/Paris", "2026-03-29T03:00", "2026-03-29T01:00Z"),
        ("Europe/Paris", "2026-10-25T02:30", "twice"),
        ("America/Miquelon", "2026-03-08T02:30", "skip"),
        ("America/Miquelon", "2026-03-08T03:00", "2026-03-08T05:00Z"),
        ("America/Miquelon", "2026-03-29T02:30", "2026-03-29T04:30Z"),
        ("America/Miquelon", "2026-11-01T01:30", "twice"),
        ("America/Miquelon", "2026-11-01T02:00", "2026-11-01T05:00Z"),
        ("America/Cayenne", "2026-03-29T02:30", "2026-03-29T05:30Z"),
        ("America/Cayenne", "2026-10-25T02:30", "2026-10-25T05:30Z"),
        ("Indian/Reunion", "2026-10-25T02:30", "2026-10-24T22:30Z"),
        ("Pacific/Noumea", "2026-03-29T02:30", "2026-03-28T15:30Z"),
        ("Pacific/Noumea", "2026-12-31T09:00", "2026-12-30T22:00Z"),
        ("Australia/Lord_Howe", "2026-10-04T02:15", "skip"),
        ("Australia/Lord_Howe", "2026-10-04T02:30", "2026-10-03T15:30Z"),
        ("Australia/Lord_Howe", "2026-04-05T01:45", "twice"),
    ],
)
def test_a_local_time_is_read_in_the_zone_of_its_site(zone: str, local: str, expected: str) -> None:
    """Each zone has its own changes of the clock, or none; a time that one of them makes doubtful is refused there only, with the mend."""
    read = read_instant(local, ZoneInfo(zone))
    if isinstance(read, Fault):
        assert read.why == f"the clocks of the site {'skip this time' if expected == 'skip' else 'show this time twice'}"
        assert "offset" in read.mend
    else:
        assert f"{read:%Y-%m-%dT%H:%MZ}" == expected


def test_the_same_local_time_at_three_sites_is_three_instants() -> None:
    """Each row of a file is read in the zone of its own site, and one with an offset wherever it stands."""
    zones = {"lyon-3": "Europe/Paris", "cayenne-1": "America/Cayenne", "noumea-1": "Pacific/Noumea"}
    terms = contract(
        sites={site: SiteFacts(timezone=ZoneInfo(zone), rooms=9, max_sessions_per_day=9) for site, zone in zones.items()}
    )
    rows = [row(session_ref=site, site=site) for site in zones]
    fixed = {"starts_at": "2026-01-05T09:00:00+01:00", "ends_at": "2026-01-05T17:00:00+01:00"}
    rows.append(row(session_ref="fixed", site="noumea-1", **fixed))
    places = resolve_places(written(*rows), context(contracts={"lyon-formation": terms}), ProblemCollector())
    assert [f"{place.starts_at:%d %H:%M}" for place in places] == ["05 08:00", "05 12:00", "04 22:00", "05 08:00"]
