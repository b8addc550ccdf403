"""What a gate remembers of refusals: a client's own, of this minute, as the seal last told it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

import pytest

from ecluse.disclosure.floods import Floods

pytestmark = pytest.mark.unit

AT: Final = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
"""The beginning of a minute."""
LAST: Final = timedelta(seconds=59, microseconds=999_999)


def test_over_when_refused_as_often_as_allowed_then_for_the_rest_of_the_minute() -> None:
    """From the fifth refusal of five on, to the minute's last microsecond."""
    floods = Floods(5)
    floods.learn("c", 5, AT)
    assert floods.over("c", AT)
    assert floods.over("c", AT + LAST)


@pytest.mark.parametrize("refusals", [6, 1_000])
def test_over_when_refused_more_often_in_other_gates_then_at_once(refusals: int) -> None:
    """One gate's first refusal may be the client's thousandth."""
    floods = Floods(5)
    floods.learn("c", refusals, AT)
    assert floods.over("c", AT)


def test_over_when_refused_less_often_then_not() -> None:
    """Four of five, or none at all, are no flood."""
    floods = Floods(5)
    assert not floods.over("c", AT)
    floods.learn("c", 4, AT)
    assert not floods.over("c", AT)


def test_over_when_another_client_floods_then_not() -> None:
    """A flood is its client's own."""
    floods = Floods(5)
    floods.learn("c", 9, AT)
    floods.learn("d", 1, AT)
    assert not floods.over("d", AT)
    assert not floods.over("e", AT)
    assert floods.over("c", AT)


def test_over_when_the_minute_is_another_then_not() -> None:
    """A new minute begins at nothing, for a client that is not heard of in it and for one that is."""
    floods = Floods(5)
    floods.learn("c", 9, AT)
    assert not floods.over("c", AT + timedelta(minutes=1))
    assert not floods.over("c", AT - timedelta(microseconds=1))
    floods.learn("d", 1, AT + timedelta(minutes=1))
    floods.learn("c", 1, AT + timedelta(minutes=1))
    assert not floods.over("c", AT + timedelta(minutes=1))
    assert not floods.over("c", AT)


def test_learn_when_older_news_come_late_then_the_most_counts() -> None:
    """Two batches of one minute may be told in the wrong order: a count never falls."""
    floods = Floods(5)
    floods.learn("c", 5, AT + LAST)
    floods.learn("c", 3, AT)
    assert floods.over("c", AT)


def test_learn_when_nothing_is_told_then_nothing_is_forgotten() -> None:
    """A grant tells no count, and its minute, too, is no news."""
    floods = Floods(5)
    floods.learn("c", 5, AT)
    floods.learn("c", 0, AT + timedelta(minutes=1))
    floods.learn("d", 0, AT)
    assert floods.over("c", AT)
    assert not floods.over("d", AT)


def test_over_when_the_instant_is_written_in_another_zone_then_the_same_minute() -> None:
    """Minutes are those of UTC since 1970, as the database counts them; a zone of half a minute changes nothing."""
    floods = Floods(5)
    floods.learn("c", 5, AT)
    odd = timezone(timedelta(hours=5, minutes=45, seconds=30))
    assert floods.over("c", (AT + LAST).astimezone(odd))
    assert not floods.over("c", (AT - timedelta(seconds=1)).astimezone(odd))
