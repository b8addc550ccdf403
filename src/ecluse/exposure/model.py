"""What a compromise could reach, and did: frozen values.

Instants are UTC, intervals half-open. Hours are numbers of clock hours (UTC) since 1970, as budgets count them. Persons are counted, never named.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from ecluse.contracts import Contract, Form

HOUR_SECONDS: Final = 3600


class Scope(StrEnum):
    """Whose credentials an attacker holds."""

    PROCESSOR = "processor"
    CLIENT = "client"
    AGENT = "agent"
    SCHEDULER = "scheduler"


class Holder(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Credentials in the wrong hands. ``id``: of the client or agent, empty for a whole processor.

    ``processor`` (all its clients and agents), ``client`` (one machine's key, which may name every agent of its processor), ``agent`` (one person, through any
    machine of the processor), ``scheduler`` (the controller's own scheduling key *and* all of this processor: alone it is given nobody's data).
    """

    scope: Scope
    processor: str
    id: str = ""


class Span(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """``[begins, ends)``."""

    begins: datetime
    ends: datetime


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """An agent or a client: when holds suspend it, and what it has spent in the present hour (an agent: by purpose; a client: under an empty name).

    ``desk``: it is no machine but its processor's desk, and serves the agents who are signed in there.
    """

    id: str
    stopped: tuple[Span, ...]
    spent: dict[str, int]
    desk: bool = False


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A processor as the engine knows it. ``open``: when its gate is open, under which version, holds on it taken out; in the order of time.

    ``clients``: machines with a key in use, and its desk. ``spent_day``, ``spent_month``: distinct persons so far in the present UTC day and month.
    """

    id: str
    name: str
    open: tuple[tuple[Span, Contract], ...]
    closed: bool
    agents: tuple[Member, ...]
    clients: tuple[Member, ...]
    spent_day: int
    spent_month: int


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Persons who are open alike. ``first``, ``last``: hours of the earliest place alone; ``latest``: the last hour of any place, ``latest >= last``.

    ``purpose``: of the earliest place; ``purposes``: of all. ``counted``: disclosed to this processor in the present day already, so they cost its budgets of
    day and month nothing; ``counted_month``: in the present month, so they cost that nothing; ``doubtful``: a hold or a cancellation cuts into a place, so
    nobody can say that all of it could be used. ``closes_at``: the end of the last place.
    """

    purpose: str
    purposes: frozenset[str]
    first: int
    last: int
    latest: int
    counted: bool
    counted_month: bool
    doubtful: bool
    persons: int
    closes_at: datetime


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many persons an attacker could obtain: at most ``most``; ``exact``: and that many indeed, if nobody else spends the budgets."""

    most: int
    exact: bool


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """One attribute in reach: in which forms, of how many persons."""

    name: str
    forms: tuple[Form, ...]
    sensitivity: str
    persons: Count


class Binding(StrEnum):
    """What holds the number down: the first that, taken away, would let it rise. New words go last."""

    SCHEDULE = "schedule"
    GATE = "gate"
    HOLD = "hold"
    HOUR = "persons_per_client_per_hour"
    AGENT_HOUR = "persons_per_agent_per_hour"
    DAY = "persons_per_day"
    MONTH = "persons_per_month"
    NOBODY = "no credentials that work"


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What one holder could obtain in a window.

    ``scheduled``: distinct persons whom the schedule and the gate leave open in it, before budgets. ``values``: persons x attributes, at most. ``until``: when
    the last of these places closes; None where there is none.
    """

    holder: Holder
    window: Span
    persons: Count
    scheduled: int
    attributes: tuple[Attribute, ...]
    values: int
    binding: Binding
    until: datetime | None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a holder was given in the past and may have kept: of all disclosures whose openings are still there.

    ``beyond``: persons by day whose openings are erased, added up, so that some may be the same person; None where nobody can tell (of one machine).
    """

    holder: Holder
    persons: int
    beyond: int | None
    attributes: tuple[Attribute, ...]
