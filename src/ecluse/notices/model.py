"""What there is to tell, to whom, and what became of it. All frozen; instants are aware, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from ecluse.contracts import Contract, Standing


class Topic(StrEnum):
    """What a notice is about. Append-only: they stand in rows that outlive a release."""

    GATE_SOON = "gate:soon"
    GATE_FROZEN = "gate:frozen"
    GATE_CLOSED = "gate:closed"
    GATE_OPENED = "gate:opened"
    FINDING_OPENED = "finding:opened"
    OVERRIDE_ASKED = "override:asked"
    OVERRIDE_APPROVED = "override:approved"
    OVERRIDE_ENDED = "override:ended"
    EVIDENCE_SUBMITTED = "evidence:submitted"
    EVIDENCE_ACCEPTED = "evidence:accepted"
    EVIDENCE_REJECTED = "evidence:rejected"
    EMERGENCY_OPENED = "emergency:opened"
    EMERGENCY_LATE = "emergency:late"


class Audience(StrEnum):
    """Which party is told: the controller (those who may act, and the data-protection officer), or the processor (its security contact)."""

    CONTROLLER = "controller"
    PROCESSOR = "processor"


_BOTH: Final = (Audience.CONTROLLER, Audience.PROCESSOR)
AUDIENCES: Final[Mapping[Topic, tuple[Audience, ...]]] = {
    Topic.GATE_SOON: _BOTH,
    Topic.GATE_FROZEN: _BOTH,
    Topic.GATE_CLOSED: _BOTH,
    Topic.GATE_OPENED: _BOTH,
    Topic.FINDING_OPENED: _BOTH,
    Topic.OVERRIDE_ASKED: (Audience.CONTROLLER,),
    Topic.OVERRIDE_APPROVED: _BOTH,
    Topic.OVERRIDE_ENDED: _BOTH,
    Topic.EVIDENCE_SUBMITTED: (Audience.CONTROLLER,),
    Topic.EVIDENCE_ACCEPTED: (Audience.PROCESSOR,),
    Topic.EVIDENCE_REJECTED: (Audience.PROCESSOR,),
    Topic.EMERGENCY_OPENED: (Audience.CONTROLLER,),
    Topic.EMERGENCY_LATE: (Audience.CONTROLLER,),
}
"""Who is told of what."""

THRESHOLDS: Final = (30, 14, 7, 1)
"""How many days before a gate freezes or closes it is said."""

GIVE_UP: Final = timedelta(days=3)
"""How long a notice is tried; and how old a matter may be that is told at all, where it is no state that lasts."""


class Force(msgspec.Struct, frozen=True, kw_only=True):
    """One processor as its gate sees it: the contract in force, since when, what stands beside it, and what it was told of its gate last, if anything."""

    contract: Contract
    applied_at: datetime
    standing: Standing
    told: Topic | None


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, beside the gate. ``reason``: the id of what it is about; ``facts``: what the text needs, typed, no words of people."""

    processor: str | None
    topic: Topic
    reason: str
    at: datetime
    facts: Mapping[str, object]


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One party that is to be told of one matter, once. ``days``: the threshold of `Topic.GATE_SOON`, else 0. All but ``facts`` is its key."""

    processor: str | None
    topic: Topic
    reason: str
    at: datetime
    days: int
    audience: Audience
    facts: Mapping[str, object]


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A notice to be sent now. ``id``: it makes its Message-ID, the same in each attempt; ``sent_to``: who has it already."""

    id: str
    due: Due
    noted_at: datetime
    attempts: int
    sent_to: tuple[str, ...]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Who was told, or is to be. ``state``: ``waiting``, ``sent`` or ``dead``; ``problem``: a word of ours on the last attempt."""

    id: str
    due: Due
    noted_at: datetime
    state: str
    attempts: int
    problem: str | None
    sent_at: datetime | None
    sent_to: tuple[str, ...]
