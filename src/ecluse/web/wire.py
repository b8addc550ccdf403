"""The bodies of the public API, as the OpenAPI schema shows them. Additive only: members are added, never renamed or taken away."""

from __future__ import annotations

from datetime import datetime

import msgspec


class DisclosureRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for one appointment's person. ``attributes``: those you need now, and no others (Art. 25(2) GDPR)."""

    appointment: str
    agent: str
    attributes: list[str]


class SheetRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a session's roll-call, in the attributes and forms that the contract names for it."""

    agent: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What proves, later and offline, what was answered. ``opening``: your own fields of the entry; ``value_salts``: hex, one a value."""

    log: str
    index: int
    leaf_hash: str
    opening: dict[str, object]
    value_salts: dict[str, str]


class DisclosureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One person. ``subject``: values, null where the agency has none; ``forms``: the form of each attribute asked, ``withheld`` ones included."""

    disclosure: str
    subject: dict[str, str | int | None]
    forms: dict[str, str]
    window_closes_at: datetime
    receipt: Receipt


class SheetRow(msgspec.Struct, frozen=True, kw_only=True):
    """One person of a roll-call."""

    appointment: str
    disclosure: str
    subject: dict[str, str | int | None]
    forms: dict[str, str]
    window_closes_at: datetime
    receipt: Receipt


class SheetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A session's roll-call. ``missing``: places whose person can't be shown."""

    session: str
    disclosures: list[SheetRow]
    missing: list[str]


class AppointmentItem(msgspec.Struct, frozen=True, kw_only=True):
    """One place of a session. ``id``: the handle; ``enrolment``: the same learner's name across the dates of one course."""

    id: str
    enrolment: str
    opens_at: datetime
    closes_at: datetime


class SessionItem(msgspec.Struct, frozen=True, kw_only=True):
    """One session of yours: no personal data."""

    id: str
    purpose: str
    site: str
    room: str
    starts_at: datetime
    ends_at: datetime
    agents: list[str]
    appointments: list[AppointmentItem]


class SessionsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Your sessions that begin within what was asked."""

    sessions: list[SessionItem]


class ChangeItem(msgspec.Struct, frozen=True, kw_only=True):
    """One change of your schedule. ``kind``: ``moved``, ``cancelled`` or ``reinstated``; ``appointment`` null: the whole session."""

    cursor: str
    kind: str
    session: str
    appointment: str | None
    changed_at: datetime


class ChangesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Changes after a cursor, oldest first. ``next``: the cursor to go on from; ``more``: there are more now."""

    changes: list[ChangeItem]
    next: str
    more: bool


class PurposeItem(msgspec.Struct, frozen=True, kw_only=True):
    """What a purpose of your contract gives."""

    id: str
    label: str
    attributes: dict[str, str]
    sheet: dict[str, str]
    opens_before_seconds: int
    closes_after_seconds: int
    reads_per_appointment: int


class WhoAmI(msgspec.Struct, frozen=True, kw_only=True):
    """Who you are here. ``server_time``: to compare your clock with; ``gate``: ``open``, ``warn``, ``frozen`` or ``closed``, and why."""

    processor: str
    client: str
    contract_reference: str | None
    contract_version: int | None
    gate: str
    gate_reasons: list[str]
    agents: list[str]
    purposes: list[PurposeItem]
    server_time: datetime
    log: str


class BudgetItem(msgspec.Struct, frozen=True, kw_only=True):
    """One ceiling, in distinct persons. ``unit``: clock ``hour``, ``day`` or ``month`` in UTC; ``scope``: what it counts for."""

    unit: str
    scope: str
    limit: int
    spent: int


class BudgetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is spent now of your contract's ceilings."""

    budgets: list[BudgetItem]


class ProofAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The inclusion proof of one of your entries under a signed checkpoint. ``inclusion``: hex hashes, leaf side first (RFC 9162 §2.1.3)."""

    log: str
    index: int
    leaf_hash: str
    checkpoint: str
    inclusion: list[str]


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An access token (RFC 6749 §5.1), bound to the key of the request's proof (RFC 9449 §5)."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
