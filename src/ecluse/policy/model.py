"""What a decision is made from, and what it says."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from ecluse.contracts import Assurance, Contract, Gate


class Reason(StrEnum):
    """The public code of a refusal: also the last part of its problem's ``type``. Append-only."""

    NOT_DISCLOSABLE = "not-disclosable"
    OUTSIDE_WINDOW = "outside-window"
    BUDGET_SPENT = "budget-spent"
    GATE_FROZEN = "gate-frozen"
    SUSPENDED = "suspended"
    PURPOSE_NOT_CONTRACTED = "purpose-not-contracted"
    ATTRIBUTE_NOT_CONTRACTED = "attribute-not-contracted"
    UNDETERMINED = "undetermined"
    STEP_UP_REQUIRED = "step-up-required"
    UNKNOWN_AGENT = "unknown-agent"
    VALUE_CHANGED = "value-changed"
    KEY_REUSED = "key-reused"


class Effect(StrEnum):
    """What a hold does to disclosure: ``keep`` (legal hold) does nothing to it."""

    SUSPEND = "suspend"
    FREEZE = "freeze"
    KEEP = "keep"


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One hold in force or to come. ``until_at`` None: until released. Half-open."""

    id: str
    scope: str
    effect: Effect
    from_at: datetime
    until_at: datetime | None


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: one appointment's attributes (sorted, unique), by an agent of a client of a processor."""

    processor: str
    client: str
    agent: str
    assurance: Assurance
    appointment: str
    attributes: tuple[str, ...]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An appointment of this processor. ``roster``: whether the agent is on its session's list; None: the session has none."""

    purpose: str
    session: str
    starts_at: datetime
    ends_at: datetime
    subject_ref: str
    cancelled: bool
    roster: bool | None
    holds: tuple[Hold, ...]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The contract in force, with its version and hash, and its gate around the instant of the decision."""

    contract: Contract
    version: int
    hash: str
    gate: Gate


class Parties(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of those who ask: is the agent this processor's, is the client's key in use, which holds lie on them and the contract."""

    agent_known: bool
    key_in_use: bool
    holds: tuple[Hold, ...]


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """One ceiling that a grant spends: distinct persons per ``unit`` (``h``, ``d``, ``m``: clock hour, day, month in UTC)."""

    unit: str
    scope: str
    limit: int


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """It may be disclosed at any instant of ``[valid_from, valid_until)``; ``closes_at`` is the window's end as the processor knows it."""

    valid_from: datetime
    valid_until: datetime
    closes_at: datetime
    rules: tuple[str, ...]


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """It may not. ``reason``: what the caller is told; ``reasons``: all that stood against it; ``told``: typed facts for the caller."""

    reason: Reason
    reasons: tuple[str, ...]
    told: dict[str, object] = {}


class Undetermined(msgspec.Struct, frozen=True, kw_only=True):
    """We can't tell: refused, and a to-do for the controller."""

    reasons: tuple[str, ...]


Decision = Granted | Refused | Undetermined
