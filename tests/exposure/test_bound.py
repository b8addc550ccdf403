"""The count of persons who fit, against the largest flow through every single ceiling: agents, clients, the processor's day and month."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecluse.exposure.bound import Ceilings, least_of_all, most_at_all, most_persons
from ecluse.exposure.model import Group
from tests.exposure.flow import Network

pytestmark = pytest.mark.unit

MONTH_END = int(datetime(2026, 1, 31, 20, tzinfo=UTC).timestamp()) // 3600
"""Hours counted from here cross the end of a day and of a month after four."""


def group(first: int, last: int, persons: int, purpose: str = "p", latest: int | None = None, **more: Any) -> Group:
    """Describe persons who are open alike, in hours after `MONTH_END`."""
    return Group(
        purpose=purpose, purposes=frozenset({purpose}), first=MONTH_END + first, last=MONTH_END + last, latest=MONTH_END + (last if latest is None else latest),
        counted=more.get("counted", False),
        counted_month=more.get("counted_month", False), doubtful=more.get("doubtful", False), persons=persons, closes_at=datetime(2026, 2, 3, tzinfo=UTC),
    )  # fmt: skip


def largest_flow(groups: list[Group], clients: list[int], agents: dict[str, list[int]], day: int, month: int) -> int:
    """Send one unit a person through an hour of one agent and one client, its day and its month; return how many arrive."""
    network = Network()
    for number, one in enumerate(groups):
        network.edge("from", number, one.persons)
        for hour in range(one.first, one.last + 1):
            for agent, limit in enumerate(agents[one.purpose]):
                asked = one.purpose, agent, hour
                network.edge(number, ("asked", *asked), one.persons)
                network.edge(("asked", *asked), ("agent", *asked), limit)
                for client in range(len(clients)):
                    network.edge(("agent", *asked), ("asked by", client, hour), limit)
    for hour in {hour for one in groups for hour in range(one.first, one.last + 1)}:
        at = datetime.fromtimestamp(hour * 3600, UTC)
        for client, most in enumerate(clients):
            network.edge(("asked by", client, hour), ("day", hour // 24), most)
        network.edge(("day", hour // 24), ("month", at.year, at.month), day)
        network.edge(("month", at.year, at.month), "to", month)
    return network.fill()


def ceilings(clients: list[int], agents: dict[str, list[int]], day: int, month: int) -> Ceilings:
    """Add up what the flow keeps apart."""
    return Ceilings(hour=sum(clients), agents={purpose: sum(some) for purpose, some in agents.items()}, day=day, month=month)


_small = st.integers(1, 4)
_limits = st.tuples(
    st.lists(_small, min_size=1, max_size=2), st.lists(_small, min_size=1, max_size=2), st.integers(1, 9), st.integers(1, 12)
)


@st.composite
def crowds(draw: st.DrawFn, purposes: tuple[str, ...] = ("p",)) -> list[Group]:
    """Draw a few groups over thirty hours around the end of a month."""
    return [
        group(first := draw(st.integers(0, 24)), first + draw(st.integers(0, 8)), draw(_small), draw(st.sampled_from(purposes)))
        for _ in range(draw(st.integers(1, 5)))
    ]


@settings(max_examples=300, deadline=None)
@given(crowds(), _limits)
def test_single_places_of_one_purpose_then_the_count_is_the_largest_flow(some: list[Group], limits: Any) -> None:
    """Where nothing is in doubt the number is exact, and says so."""
    clients, agents, day, month = limits
    caps = ceilings(clients, {"p": agents}, day, month)
    count = most_persons(some, caps, caps)
    assert count.most == largest_flow(some, clients, {"p": agents}, day, month)
    assert count.exact


@settings(max_examples=300, deadline=None)
@given(crowds(("p", "q")), _limits, st.lists(_small, min_size=1, max_size=2))
def test_two_purposes_then_the_flow_lies_between(some: list[Group], limits: Any, others: list[int]) -> None:
    """With ceilings of agents for each purpose apart, upper and lower count enclose the largest flow, and an exact one is it."""
    clients, agents, day, month = limits
    by_purpose = {"p": agents, "q": (others * 2)[: len(agents)]}
    caps = ceilings(clients, by_purpose, day, month)
    flow = largest_flow(some, clients, by_purpose, day, month)
    count = most_persons(some, caps, caps)
    assert least_of_all(some, caps) <= flow <= count.most
    assert not count.exact or count.most == flow


@settings(max_examples=200, deadline=None)
@given(crowds(), crowds(), _limits)
def test_persons_of_two_places_then_the_flow_lies_between(some: list[Group], later: list[Group], limits: Any) -> None:
    """Whoever is open twice, with a pause, is counted as if open throughout (upper) and once (lower)."""
    clients, agents, day, month = limits
    caps = ceilings(clients, {"p": agents}, day, month)
    twice = [
        group(one.first - MONTH_END, one.last - MONTH_END, one.persons, latest=max(one.last, other.last) - MONTH_END)
        for one, other in zip(some, later, strict=False)
    ]
    earliest = [group(one.first - MONTH_END, one.last - MONTH_END, one.persons) for one in twice]
    throughout = [group(one.first - MONTH_END, one.latest - MONTH_END, one.persons) for one in twice]
    count = most_persons(twice, caps, caps)
    assert count.most == largest_flow(throughout, clients, {"p": agents}, day, month)
    assert least_of_all(twice, caps) == largest_flow(earliest, clients, {"p": agents}, day, month)


@pytest.mark.parametrize(
    ("spent", "most"),
    [
        ({}, 10),
        ({"spent_hour": 3}, 7),
        ({"spent_agents": {"p": 4}}, 6),
        ({"spent_day": 8}, 2),
        ({"spent_month": 9}, 1),
        ({"spent_hour": 3, "spent_agents": {"p": 5}}, 5),
        ({"spent_month": 12}, 0),
    ],
)
def test_present_hour_when_budgets_are_spent_then_that_much_less(spent: dict[str, Any], most: int) -> None:
    """What is gone of the present hour, day or month is gone."""
    caps = Ceilings(hour=10, agents={"p": 10}, day=10, month=10, now=MONTH_END, **spent)
    assert most_persons([group(0, 0, 20)], caps, caps).most == most


def test_hours_after_the_present_then_their_budget_is_whole() -> None:
    """A spent hour is followed by a fresh one; a spent day lasts until midnight."""
    hour = Ceilings(hour=10, agents={"p": 10}, day=100, month=100, now=MONTH_END, spent_hour=10)
    assert most_at_all([group(0, 1, 20)], hour) == 10
    day = Ceilings(hour=10, agents={"p": 10}, day=10, month=10, now=MONTH_END, spent_day=10, spent_month=10)
    assert most_at_all([group(0, 3, 20)], day) == 0
    assert most_at_all([group(0, 4, 20)], day) == 10


def test_counted_today_then_free_above_and_costly_below() -> None:
    """Nobody can say whether the hour has room for those who cost the day nothing, so the number is a bound."""
    caps = Ceilings(hour=10, agents={"p": 10}, day=5, month=5, now=MONTH_END, spent_day=5, spent_month=5)
    some = [group(0, 0, 5, counted=True), group(0, 0, 5)]
    count = most_persons(some, caps, caps)
    assert (count.most, count.exact) == (5, False)


def test_doubtful_places_then_not_exact() -> None:
    """A place that a hold cuts into counts above and not below."""
    caps = Ceilings(hour=10, agents={"p": 10}, day=10, month=10)
    count = most_persons([group(0, 0, 5, doubtful=True)], caps, caps)
    assert (count.most, count.exact) == (5, False)


def test_counted_this_month_then_free_of_the_month_and_not_of_the_day() -> None:
    """Who came on an earlier day of the month costs the month nothing again, the day and the hour as everybody."""
    caps = Ceilings(hour=10, agents={"p": 10}, day=4, month=9, now=MONTH_END, spent_month=9)
    count = most_persons([group(0, 0, 6, counted_month=True), group(0, 0, 3)], caps, caps)
    assert (count.most, count.exact) == (4, False)
