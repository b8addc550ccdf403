"""What a thief would have under the usual alternatives, beside what Écluse lets out: one processor, one time, in numbers. Pure.

Each alternative is taken as it is meant, and nothing is added against it: a copy and a read account hold every attribute that the register maps, in full; a
token API answers for anybody whose number is asked, with the attributes of the contract; row-level security shows who is on the schedule, in the columns that
the contract names, in full. None of them counts persons, so none stops at a number.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

import msgspec

from ecluse.exposure.model import Count, Reach, Span
from ecluse.exposure.series import asked_of, command


class Way(StrEnum):
    """How a processor can be given personal data. New words go last."""

    COPY = "copy"
    ACCOUNT = "read-account"
    TOKEN = "token-api"  # noqa: S105 - a word, no secret
    ROWS = "row-level-security"
    ECLUSE = "ecluse"


class Ends(StrEnum):
    """When a thief stops having what he has in reach: never, once somebody notices and closes it, or by itself with the last window."""

    NEVER = "never"
    CLOSED = "when it is closed"
    WINDOW = "with the last window"


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a thief has: persons, attributes of each, persons x attributes; for how long. ``until``: where it ends by itself and somebody is in reach."""

    way: Way
    persons: Count
    attributes: int
    values: int
    ends: Ends
    until: datetime | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The ways side by side, for one processor in ``window`` (``standing``: of what is open right now).

    ``persons_times``, ``values_times``: how many times what Écluse lets out a copy holds, rounded down; None where Écluse lets nobody out.
    """

    processor: str
    name: str
    at: datetime
    window: Span
    standing: bool
    ways: tuple[Taken, ...]
    persons_times: int | None
    values_times: int | None
    command: str


def compare(
    reach: Reach, *, name: str, at: datetime, standing: bool, subjects: int, mapped: int, contracted: Collection[str]
) -> Comparison:
    """Set the ways side by side. ``subjects``: persons in the register; ``mapped``: its attributes; ``contracted``: those that the contract names."""
    everybody, few = Count(most=subjects, exact=True), len(contracted)
    # of a time that began before now the schedule of then is known only as it stands
    scheduled = Count(most=reach.scheduled, exact=reach.window.begins >= at)
    ways = (
        _taken(Way.COPY, everybody, mapped, Ends.NEVER),
        _taken(Way.ACCOUNT, everybody, mapped, Ends.CLOSED),
        _taken(Way.TOKEN, everybody, few, Ends.CLOSED),
        _taken(Way.ROWS, scheduled, few, Ends.WINDOW, reach.until),
        Taken(
            way=Way.ECLUSE,
            persons=reach.persons,
            attributes=len(reach.attributes),
            values=reach.values,
            ends=Ends.WINDOW,
            until=reach.until,
        ),
    )
    processor = reach.holder.processor
    return Comparison(
        processor=processor, name=name, at=at, window=reach.window, standing=standing, ways=ways,
        persons_times=subjects // reach.persons.most if reach.persons.most else None,
        values_times=subjects * mapped // reach.values if reach.values else None,
        command=command("alternatives", "--processor", processor, *asked_of(reach.window, at, standing=standing)),
    )  # fmt: skip


def _taken(way: Way, persons: Count, attributes: int, ends: Ends, until: datetime | None = None) -> Taken:
    """Return what a thief has where every attribute is had of everybody in reach."""
    return Taken(
        way=way,
        persons=persons,
        attributes=attributes if persons.most else 0,
        values=persons.most * attributes,
        ends=ends,
        until=until,
    )
