"""What pictures of exposure show, as data: days, order, the alternatives, and the command that answers with the numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from ecluse.exposure import Binding, Span
from ecluse.exposure.alternatives import Ends, Way
from ecluse.exposure.series import days_ahead
from tests.exposure.shown import AT, DAY, at_most, beside, exactly, made_of, reach, to_come

pytestmark = pytest.mark.unit


def test_days_when_there_are_none_then_none() -> None:
    """No day is asked for, none comes."""
    assert list(days_ahead(AT, 0)) == []


def test_days_when_they_begin_in_the_evening_then_the_rest_of_the_day_and_whole_days_of_utc() -> None:
    """The first day is what is left of it; each following one is a day of UTC, wherever the clock's zone."""
    midnight = datetime(2026, 11, 30, tzinfo=UTC)
    expected = [
        Span(begins=AT, ends=midnight),
        Span(begins=midnight, ends=midnight + DAY),
        Span(begins=midnight + DAY, ends=midnight + 2 * DAY),
    ]
    assert list(days_ahead(AT, 3)) == expected
    assert [(one.begins, one.ends) for one in days_ahead(AT.astimezone(), 3)] == [(one.begins, one.ends) for one in expected]


def test_days_when_nobody_can_be_let_in_then_why() -> None:
    """A day behind a closed gate, a hold or without keys says so; a day that is only full or empty does not."""
    shown = to_come(*((exactly(0), exactly(0), binding) for binding in Binding))
    assert {day.shut for day in shown.days} == {None, Binding.GATE, Binding.HOLD, Binding.NOBODY}
    assert [day.on for day in shown.days[:3]] == [date(2026, 11, 29), date(2026, 11, 30), date(2026, 12, 1)]
    assert shown.command == f"ecluse exposure draw --what time --processor firm --days {len(Binding)} --json"


def test_composition_when_many_then_the_largest_first_and_of_all() -> None:
    """Processors come by persons x attributes; the command asks about all of them."""
    shown = made_of(
        reach(exactly(3), processor="small"), reach(exactly(9), processor="large"), reach(exactly(0), processor="empty")
    )
    assert [one.holder.processor for one in shown.reaches] == ["large", "small", "empty"]
    assert shown.command == "ecluse exposure --json"


@pytest.mark.parametrize(
    ("window", "options"),
    [
        (Span(begins=AT, ends=AT + DAY), "--to 2026-11-30T19:30Z"),
        (Span(begins=AT.replace(minute=0), ends=AT + DAY), "--from 2026-11-29T19:00Z --to 2026-11-30T19:30Z"),
        (
            Span(begins=AT + timedelta(microseconds=1), ends=AT + DAY + timedelta(seconds=1)),
            "--from 2026-11-29T19:30:00.000001Z --to 2026-11-30T19:30:01Z",
        ),
    ],
)
def test_command_when_a_window_is_asked_about_then_it_is_named_to_the_microsecond(window: Span, options: str) -> None:
    """A window is asked about again exactly; from now on needs no beginning."""
    found = reach(exactly(3), window=window)
    assert beside(found, standing=False).command == f"ecluse exposure alternatives --processor firm {options} --json"


def test_alternatives_when_set_side_by_side_then_each_as_it_is_meant() -> None:
    """Copy and account hold the register, the token API the contract's attributes of everybody, rights by row whom the schedule holds."""
    shown = beside(reach(at_most(40), scheduled=250, binding=Binding.DAY))
    told = [(way.way, way.persons, way.attributes, way.values, way.ends, way.until) for way in shown.ways]
    close = AT + timedelta(hours=5)
    assert told == [
        (Way.COPY, exactly(2_100_000), 13, 27_300_000, Ends.NEVER, None),
        (Way.ACCOUNT, exactly(2_100_000), 13, 27_300_000, Ends.CLOSED, None),
        (Way.TOKEN, exactly(2_100_000), 2, 4_200_000, Ends.CLOSED, None),
        (Way.ROWS, exactly(250), 2, 500, Ends.WINDOW, close),
        (Way.ECLUSE, at_most(40), 2, 80, Ends.WINDOW, close),
    ]
    assert (shown.persons_times, shown.values_times) == (52_500, 341_250)


def test_alternatives_when_nobody_is_in_reach_then_no_ratio_and_no_division_by_nobody() -> None:
    """Against nobody there are no times."""
    shown = beside(reach(exactly(0)))
    assert (shown.persons_times, shown.values_times) == (None, None)
    assert [(way.persons.most, way.attributes, way.values) for way in shown.ways[3:]] == [(0, 0, 0), (0, 0, 0)]
    empty = beside(reach(exactly(3)), subjects=0)
    assert (empty.persons_times, empty.values_times) == (0, 0)


def test_alternatives_when_the_window_is_past_then_the_schedule_is_a_bound() -> None:
    """Of then the schedule is known as it stands now."""
    past = Span(begins=AT - DAY, ends=AT)
    shown = beside(reach(at_most(40), window=past), standing=False)
    assert shown.ways[3].persons == at_most(40)


def test_data_when_written_for_programs_then_names_and_numbers_only() -> None:
    """What a program reads is what is drawn: counts, days and names of processors and attributes."""
    told = msgspec.json.decode(msgspec.json.encode(to_come((exactly(4), at_most(9), Binding.DAY))))
    assert told == {
        "processor": "firm", "name": "Firm", "at": "2026-11-29T19:30:00Z", "ceiling": 400,
        "days": [{"on": "2026-11-29", "alone": {"most": 4, "exact": True}, "so_far": {"most": 9, "exact": False}, "shut": None}],
        "command": "ecluse exposure draw --what time --processor firm --days 1 --json",
    }  # fmt: skip
