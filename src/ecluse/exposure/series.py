"""What the pictures of exposure show, as data: the days to come of one processor, and what its exposure is made of. Pure; ``draw.py`` draws it.

Each carries the command that answers with its numbers. Days are UTC, as budgets count them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from ecluse.exposure.model import Binding, Count, Reach, Span

_DAY: Final = timedelta(days=1)
_SHUT: Final = frozenset({Binding.GATE, Binding.HOLD, Binding.NOBODY})


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One day to come, the first from now on. ``alone``: persons in reach on it; ``so_far``: from now to its end, each person once.

    ``shut``: why nobody is let in on all of it (gate, hold, no key in use); None on a day on which somebody could be.
    """

    on: date
    alone: Count
    so_far: Count
    shut: Binding | None


class OverTime(msgspec.Struct, frozen=True, kw_only=True):
    """The coming days of one processor. ``ceiling``: persons a day, by the contract in force."""

    processor: str
    name: str
    at: datetime
    ceiling: int
    days: tuple[Day, ...]
    command: str


class Composition(msgspec.Struct, frozen=True, kw_only=True):
    """What is in reach in ``window`` (``standing``: of what is open right now), by attribute of one processor, or by processor, the largest first.

    ``together``: distinct persons of all of them; ``names``: of processors.
    """

    at: datetime
    window: Span
    standing: bool
    reaches: tuple[Reach, ...]
    names: Mapping[str, str]
    together: Count
    command: str


def days_ahead(at: datetime, count: int) -> Iterator[Span]:
    """Yield ``count`` UTC days, the first one from ``at`` on."""
    first = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for number in range(count):
        begins = first + number * _DAY
        yield Span(begins=max(begins, at), ends=begins + _DAY)


def over_time(found: Iterable[tuple[Reach, Reach]], *, name: str, at: datetime, ceiling: int, processor: str) -> OverTime:
    """Put days together. ``found``: what is in reach on each day, and from now to its end."""
    days = tuple(
        Day(
            on=alone.window.begins.astimezone(UTC).date(),
            alone=alone.persons,
            so_far=so_far.persons,
            shut=alone.binding if alone.binding in _SHUT else None,
        )
        for alone, so_far in found
    )
    asked = command("draw", "--what", "time", "--processor", processor, "--days", str(len(days)))
    return OverTime(processor=processor, name=name, at=at, ceiling=ceiling, days=days, command=asked)


def composition(
    reaches: Iterable[Reach],
    *,
    names: Mapping[str, str],
    together: Count,
    at: datetime,
    window: Span,
    standing: bool,
    one: bool,
) -> Composition:
    """Put what is in reach in order. ``one``: one processor was asked about, not all there are."""
    ordered = tuple(sorted(reaches, key=lambda reach: (-reach.values, -reach.persons.most, reach.holder)))
    processor = ("--processor", ordered[0].holder.processor) if one else ()
    return Composition(
        at=at, window=window, standing=standing, reaches=ordered, names=names, together=together,
        command=command(*processor, *asked_of(window, at, standing=standing)),
    )  # fmt: skip


def asked_of(window: Span, at: datetime, *, standing: bool) -> Sequence[str]:
    """Return the options of the command line that ask about a window."""
    if standing:
        return ()
    begins = () if window.begins == at else ("--from", _instant(window.begins))
    return (*begins, "--to", _instant(window.ends))


def command(*words: str) -> str:
    """Write a command that answers with the numbers."""
    return shlex.join(["ecluse", "exposure", *words, "--json"])


def _instant(at: datetime) -> str:
    """Write an instant for the command line, as short as it is exact."""
    return at.astimezone(UTC).isoformat(timespec="auto" if at.second or at.microsecond else "minutes").replace("+00:00", "Z")
