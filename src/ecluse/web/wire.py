"""The bodies of the public API, as the OpenAPI schema shows them. Additive only: members are added, never renamed or taken away.

What an `Annotated` type says here is for the schema and checks nothing: the door's own checks come in their own order, with their own sentences.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import BodyKwarg

ID_PATTERN = "^%s_[a-z2-7]{25}[aeimquy4]$"
"""An id: its prefix, ``_`` and 26 characters of lower-case base32; the last one carries three bits (decision 0001)."""
CURSOR_PATTERN = "^(0|[0-9]{1,18}-[0-9]{1,10})$"
_NAME = {"pattern": "^[a-z][a-z0-9_-]{1,62}$"}
_HEX = {"pattern": "^[0-9a-f]{64}$"}
_FIELD_VALUES = [
    Schema(type=OpenAPIType.STRING),
    Schema(type=OpenAPIType.INTEGER),
    Schema(type=OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.STRING)),
    Schema(type=OpenAPIType.OBJECT, additional_properties=Schema()),
    Schema(type=OpenAPIType.NULL),
]

Handle = Annotated[str, BodyKwarg(description="The handle of an appointment.", schema_extra={"pattern": ID_PATTERN % "apt"})]
Enrolment = Annotated[
    str, BodyKwarg(description="One learner's place in one course.", schema_extra={"pattern": ID_PATTERN % "enr"})
]
SessionId = Annotated[str, BodyKwarg(description="A session of yours.", schema_extra={"pattern": ID_PATTERN % "ses"})]
Disclosure = Annotated[str, BodyKwarg(description="A decision answered to you.", schema_extra={"pattern": ID_PATTERN % "dsc"})]
Agent = Annotated[str, BodyKwarg(description="An agent of yours.", schema_extra={"pattern": ID_PATTERN % "agt"})]
ClientId = Annotated[str, BodyKwarg(description="A machine of yours.", schema_extra={"pattern": ID_PATTERN % "cli"})]
ImportId = Annotated[str, BodyKwarg(description="A schedule import.", schema_extra={"pattern": ID_PATTERN % "imp"})]
Name = Annotated[str, BodyKwarg(schema_extra=_NAME)]
Attribute = Annotated[str, BodyKwarg(description="The name of an attribute.", schema_extra=_NAME)]
Attributes = Annotated[list[Attribute], BodyKwarg(schema_extra={"min_items": 1, "max_items": 64, "unique_items": True})]
Form = Annotated[str, BodyKwarg(schema_extra={"enum": ["full", "initial", "year", "age_band", "masked", "relay", "withheld"]})]
Hex = Annotated[str, BodyKwarg(description="32 bytes in hex.", schema_extra=_HEX)]
Index = Annotated[int, BodyKwarg(description="The number of an entry of the log, from 0.", schema_extra={"minimum": 0})]
Count = Annotated[int, BodyKwarg(schema_extra={"minimum": 0})]
Cursor = Annotated[str, BodyKwarg(description="A place in the list of changes.", schema_extra={"pattern": CURSOR_PATTERN})]
Opening = Annotated[
    dict[str, object],
    BodyKwarg(
        description="Your view of the entry: each field shown as name, salt and value, or hidden as its digest (decision 0001).",
        schema_extra={
            "required": ["v", "k", "h", "fields"],
            "properties": {
                "v": Schema(type=OpenAPIType.INTEGER, const=1),
                "k": Schema(type=OpenAPIType.STRING, const="decision"),
                "h": Schema(type=OpenAPIType.STRING, description="The UTC hour.", examples=["2026-01-05T09Z"]),
                "fields": Schema(
                    type=OpenAPIType.ARRAY,
                    items=Schema(
                        one_of=[
                            Schema(type=OpenAPIType.STRING, **_HEX),
                            Schema(type=OpenAPIType.ARRAY, items=Schema(one_of=_FIELD_VALUES), min_items=3, max_items=3),
                        ]
                    ),
                ),
            },
        },
    ),
]
GateWord = Annotated[str, BodyKwarg(schema_extra={"enum": ["open", "warn", "frozen", "closed"]})]
ChangeWord = Annotated[str, BodyKwarg(schema_extra={"enum": ["moved", "cancelled", "reinstated", "added"]})]
UnitWord = Annotated[str, BodyKwarg(schema_extra={"enum": ["hour", "day", "month"]})]
AttendanceWord = Annotated[str, BodyKwarg(schema_extra={"enum": ["present", "absent", "late", "excused"]})]
LevelWord = Annotated[
    str,
    BodyKwarg(description="A level of the CEFR; of courses only.", schema_extra={"enum": ["A1", "A2", "B1", "B2", "C1", "C2"]}),
]
OutcomeCursor = Annotated[
    str, BodyKwarg(description="A place in the list of outcomes.", schema_extra={"pattern": "^(0|[1-9][0-9]{0,17})$"})
]
ScopeWord = Annotated[str, BodyKwarg(schema_extra={"enum": ["disclose", "schedule", "usage", "audit"]})]


class DisclosureRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for one appointment's person. ``attributes``: those you need now, and no others (Art. 25(2) GDPR)."""

    appointment: Handle
    agent: Agent
    attributes: Attributes


class SheetRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a session's roll-call, in the attributes and forms that the contract names for it."""

    agent: Agent


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What proves, later and offline, what was answered. ``opening``: your own fields of the entry; ``value_salts``: hex, one a value."""

    log: str
    index: Index
    leaf_hash: Hex
    opening: Opening
    value_salts: dict[str, Hex]


class DisclosureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One person. ``subject``: values, null where the agency has none; ``forms``: the form of each attribute asked, ``withheld`` ones included."""

    disclosure: Disclosure
    subject: dict[str, str | int | None]
    forms: dict[str, Form]
    window_closes_at: datetime
    receipt: Receipt


class SheetRow(msgspec.Struct, frozen=True, kw_only=True):
    """One person of a roll-call."""

    appointment: Handle
    disclosure: Disclosure
    subject: dict[str, str | int | None]
    forms: dict[str, Form]
    window_closes_at: datetime
    receipt: Receipt


class SheetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A session's roll-call. ``missing``: places whose person can't be shown."""

    session: SessionId
    disclosures: list[SheetRow]
    missing: list[Handle]


class AppointmentItem(msgspec.Struct, frozen=True, kw_only=True):
    """One place of a session. ``id``: the handle; ``enrolment``: the same learner's name across the dates of one course."""

    id: Handle
    enrolment: Enrolment
    opens_at: datetime
    closes_at: datetime


class SessionItem(msgspec.Struct, frozen=True, kw_only=True):
    """One session of yours: no personal data."""

    id: SessionId
    purpose: Name
    site: Name
    room: str
    starts_at: datetime
    ends_at: datetime
    agents: list[Agent]
    appointments: list[AppointmentItem]


class SessionsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Your sessions that begin within what was asked."""

    sessions: list[SessionItem]


class ChangeItem(msgspec.Struct, frozen=True, kw_only=True):
    """One change of your schedule.

    ``kind``: ``moved``, ``cancelled``, ``reinstated``, or ``added`` (places came into the session, or it is new); ``appointment`` null: the whole session.
    """

    cursor: Cursor
    kind: ChangeWord
    session: SessionId
    appointment: Handle | None
    changed_at: datetime


class ChangesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Changes after a cursor, oldest first. ``next``: the cursor to go on from; ``more``: there are more now."""

    changes: list[ChangeItem]
    next: Cursor
    more: bool


class PurposeItem(msgspec.Struct, frozen=True, kw_only=True):
    """What a purpose of your contract gives."""

    id: Name
    label: str
    attributes: dict[str, Form]
    sheet: dict[str, Form]
    opens_before_seconds: Count
    closes_after_seconds: Count
    reads_per_appointment: Count


class WhoAmI(msgspec.Struct, frozen=True, kw_only=True):
    """Who you are here. ``server_time``: to compare your clock with; ``gate``: ``open``, ``warn``, ``frozen`` or ``closed``, and why."""

    processor: Name
    client: ClientId
    contract_reference: str | None
    contract_version: int | None
    gate: GateWord
    gate_reasons: list[str]
    agents: list[Agent]
    purposes: list[PurposeItem]
    server_time: datetime
    log: str


class BudgetItem(msgspec.Struct, frozen=True, kw_only=True):
    """One ceiling, in distinct persons. ``unit``: clock ``hour``, ``day`` or ``month`` in UTC; ``scope``: what it counts for."""

    unit: UnitWord
    scope: str
    limit: Count
    spent: Count


class BudgetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is spent now of your contract's ceilings."""

    budgets: list[BudgetItem]


class ProofAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The inclusion proof of one of your entries under a signed checkpoint. ``inclusion``: hex hashes, leaf side first (RFC 9162 §2.1.3)."""

    log: str
    index: Index
    leaf_hash: Hex
    checkpoint: str
    inclusion: list[Hex]


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An access token (RFC 6749 §5.1), bound to the key of the request's proof (RFC 9449 §5)."""

    access_token: str
    token_type: Annotated[str, BodyKwarg(schema_extra={"const": "DPoP"})]
    expires_in: Count
    scope: ScopeWord


class OutcomeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an appointment ended. ``level``: of a course, with ``present`` or ``late``; ``agent``: who says it."""

    attendance: AttendanceWord
    level: LevelWord | None = None
    agent: Agent | None = None


class OutcomeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What stands now. ``revision``: 1, and one more with each correction; ``recorded_at``: when this revision was recorded."""

    appointment: Handle
    attendance: AttendanceWord
    level: LevelWord | None
    agent: Agent | None
    revision: Count
    recorded_at: datetime


class OutcomeItem(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome. ``source``, ``session_ref``, ``place_ref``: the place in your schedule's words; of an ``appointment`` the highest ``revision`` holds."""

    cursor: OutcomeCursor
    processor: Name
    appointment: Handle
    source: str
    session_ref: str
    place_ref: str
    attendance: AttendanceWord
    level: LevelWord | None
    agent: Agent | None
    revision: Count
    recorded_at: datetime


class OutcomesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Outcomes after a cursor, in the order in which they were recorded. ``next``: the cursor to go on from; ``more``: there are more now."""

    outcomes: list[OutcomeItem]
    next: OutcomeCursor
    more: bool
