"""How many distinct persons an attacker who knows the schedule can obtain under ceilings by hour, day and month. Pure.

A person is taken once, in some clock hour in which a place of theirs is open. An hour holds as many as its clients may ask for, a day and a month as many as
the processor may. With places that are one interval each, taking those who close first, each in the earliest hour that has room, is the most that any order
gives: whoever it leaves out meets a full hour, day or month, and swapping two persons between hours keeps each of these as full as it was (the argument needs
hours, days and months to lie inside each other, which they do). So the greedy count is exact there. Elsewhere two counts are made, one never too low and one
that is a way to do it, and the number is exact where they meet:

- a person of several places: upper, as if open from the first opening to the last closing; lower, the earliest place alone;
- ceilings of agents, which hold for each purpose apart: upper, as if they were one ceiling; lower, each kept;
- who was disclosed already in this day or month, and costs it nothing again: upper, free of it; lower, as costly as all others;
- who or what is stopped for a part of the time: upper, as if never; lower, as if always.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Final

import msgspec

from ecluse.exposure.model import HOUR_SECONDS, Count, Group

_DAY_HOURS: Final = 24
_UNBOUND: Final = 1 << 62


class Ceilings(msgspec.Struct, frozen=True, kw_only=True):
    """How many persons fit. ``hour``: all clients of an hour; ``agents``: all agents of an hour, by purpose; ``day``, ``month``: the processor.

    ``spent_*``: what is gone of the present ones, ``now`` being the present hour; None: none is present.
    """

    hour: int
    agents: Mapping[str, int]
    day: int
    month: int
    now: int | None = None
    spent_hour: int = 0
    spent_agents: Mapping[str, int] = {}
    spent_day: int = 0
    spent_month: int = 0


class _Room:
    """What is left of each hour, day and month."""

    def __init__(self, ceilings: Ceilings) -> None:
        self._ceilings = ceilings
        self._hours: defaultdict[int, int] = defaultdict(lambda: ceilings.hour)
        self._days: defaultdict[int, int] = defaultdict(lambda: ceilings.day)
        self._months: defaultdict[int, int] = defaultdict(lambda: ceilings.month)
        self._agents: dict[tuple[str, int], int] = {}
        self._next: dict[int, int] = {}
        if ceilings.now is not None:
            day = ceilings.now // _DAY_HOURS
            self._hours[ceilings.now] -= ceilings.spent_hour
            self._days[day] -= ceilings.spent_day
            self._months[_month(day)[0]] -= ceilings.spent_month

    def fill(self, purpose: str, first: int, last: int, persons: int) -> int:
        """Take as many of ``persons`` as fit into the hours ``first`` to ``last``, the earliest first; return how many."""
        left, hour = persons, self._open_from(first)
        while left and hour <= last:
            day = hour // _DAY_HOURS
            month, past = _month(day)
            if self._months[month] <= 0:
                hour = self._open_from(past * _DAY_HOURS)
                continue
            if self._days[day] <= 0:
                hour = self._open_from((day + 1) * _DAY_HOURS)
                continue
            taken = min(left, self._hours[hour], self._days[day], self._months[month], self._of_agents(purpose, hour))
            if taken > 0:
                left -= taken
                self._hours[hour] -= taken
                self._days[day] -= taken
                self._months[month] -= taken
                self._agents[purpose, hour] -= taken
            if self._hours[hour] <= 0:
                self._next[hour] = hour + 1
            if left:
                hour = self._open_from(hour + 1) if self._days[day] > 0 and self._months[month] > 0 else hour
        return persons - left

    def _of_agents(self, purpose: str, hour: int) -> int:
        left = self._agents.get((purpose, hour))
        if left is None:
            left = self._ceilings.agents.get(purpose, _UNBOUND)
            if hour == self._ceilings.now:
                left -= self._ceilings.spent_agents.get(purpose, 0)
            self._agents[purpose, hour] = left
        return left

    def _open_from(self, hour: int) -> int:
        """Return the first hour from this one on whose clients are not spent; what is passed is passed once."""
        found = hour
        while found in self._next:
            found = self._next[found]
        while hour in self._next and self._next[hour] != found:
            self._next[hour], hour = found, self._next[hour]
        return found


@cache
def _month(day: int) -> tuple[int, int]:
    """Return the month of a day (both numbered since 1970), and the first day of the next."""
    at = datetime.fromtimestamp(day * _DAY_HOURS * HOUR_SECONDS, UTC)
    year, month = divmod(at.month, 12)
    following = datetime(at.year + year, month + 1, 1, tzinfo=UTC)
    return (at.year - 1970) * 12 + at.month - 1, int(following.timestamp()) // HOUR_SECONDS // _DAY_HOURS


def most_persons(groups: Sequence[Group], high: Ceilings, low: Ceilings) -> Count:
    """Count the persons of ``groups`` whom an attacker can obtain. ``high`` and ``low``: ceilings that are surely not too low, and surely there."""
    upper = most_at_all(groups, high)
    return Count(most=upper, exact=upper == least_of_all(groups, low))


def most_at_all(groups: Iterable[Group], ceilings: Ceilings) -> int:
    """Return a number that no attacker passes."""
    together = msgspec.structs.replace(
        ceilings,
        hour=min(ceilings.hour, sum(ceilings.agents.values())),
        agents={},
        spent_hour=_least_spent(ceilings),
        spent_agents={},
    )
    # each kind in rooms of its own: together they may be too many, never too few
    room, again = _Room(together), _Room(msgspec.structs.replace(together, month=_UNBOUND, spent_month=0))
    found = 0
    for group in sorted(groups, key=lambda one: (one.latest, one.first)):
        if group.counted:
            found += group.persons
        else:
            found += (again if group.counted_month else room).fill("", group.first, group.latest, group.persons)
    return found


def _least_spent(ceilings: Ceilings) -> int:
    """Return what is gone of the hour for certain, where the lower of two ceilings is taken: as much as leaves the more of the two."""
    agents = sum(ceilings.agents.values())
    left = min(ceilings.hour - ceilings.spent_hour, agents - sum(ceilings.spent_agents.values()))
    return min(ceilings.hour, agents) - left


def least_of_all(groups: Iterable[Group], ceilings: Ceilings) -> int:
    """Return a number that an attacker reaches: this is the way."""
    room = _Room(ceilings)
    certain = sorted((group for group in groups if not group.doubtful), key=lambda one: (one.last, one.first, one.purpose))
    return sum(room.fill(group.purpose, group.first, group.last, group.persons) for group in certain)
