"""What a contract says, as frozen values, and the partial order of the forms that it may name.

A contract is made by ``parse_contract`` alone and is trusted from there on: every name is canonical, every form exists for its
attribute, every number is positive. Vocabularies here are append-only: they stand in contract files that are kept for years.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import MAXYEAR, date, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from ecluse.register.model import AttributeType


class Form(StrEnum):
    """How an attribute is disclosed (docs/decisions/0001-formats.md, "Forms"); new words go last."""

    FULL = "full"
    INITIAL = "initial"
    YEAR = "year"
    AGE_BAND = "age_band"
    MASKED = "masked"
    REGION = "region"
    PREDICATE = "predicate"
    RELAY = "relay"
    WITHHELD = "withheld"


RESERVED_FORMS: Final = frozenset({Form.REGION, Form.PREDICATE})
"""Words that are kept for later and that no contract may use yet."""

FORMS_OF: Final[Mapping[AttributeType, tuple[Form, ...]]] = MappingProxyType(
    {
        AttributeType.TEXT: (Form.FULL, Form.INITIAL, Form.WITHHELD),
        AttributeType.DATE: (Form.FULL, Form.YEAR, Form.AGE_BAND, Form.WITHHELD),
        AttributeType.EMAIL: (Form.FULL, Form.MASKED, Form.RELAY, Form.WITHHELD),
        AttributeType.PHONE: (Form.FULL, Form.MASKED, Form.RELAY, Form.WITHHELD),
        AttributeType.IDENTIFIER: (Form.FULL, Form.MASKED, Form.WITHHELD),
        AttributeType.CODE: (Form.FULL, Form.WITHHELD),
    },
)
"""The forms offered for each type. In each tuple a form never stands before a stronger one."""

INCOMPARABLE: Final = frozenset({frozenset({Form.MASKED, Form.RELAY})})
"""The pairs, of one type, of which neither is weaker: each tells something that the other hides."""


def is_weaker_or_equal(kind: AttributeType, form: Form, ceiling: Form) -> bool:
    """Tell whether ``form`` gives away no more than ``ceiling`` for this type: a partial order over ``FORMS_OF[kind]``.

    A form that the type lacks is comparable with nothing, not even with itself.
    """
    offered = FORMS_OF[kind]
    if form not in offered or ceiling not in offered:
        return False
    return offered.index(ceiling) <= offered.index(form) and frozenset({form, ceiling}) not in INCOMPARABLE


class Assurance(StrEnum):
    """How sure we are who the agent is: named by a machine client, or signed in at the desk."""

    ASSERTED = "asserted"
    AUTHENTICATED = "authenticated"


class ContainmentAction(StrEnum):
    """What happens by itself when the watch raises an alarm, mildest first; new words go last."""

    ALERT = "alert"
    STEP_UP = "step-up"
    SUSPEND_AGENT = "suspend-agent"
    SUSPEND_CLIENT = "suspend-client"
    SUSPEND_PROCESSOR = "suspend-processor"


LEGAL_BASES: Final = ("6.1.a", "6.1.b", "6.1.c", "6.1.d", "6.1.e", "6.1.f")
"""The points of Art. 6(1) GDPR."""

REQUIRED_CLAUSES: Final = ("28.3.a", "28.3.b", "28.3.c", "28.3.d", "28.3.e", "28.3.f", "28.3.g", "28.3.h")
"""The points of Art. 28(3) GDPR: while one is missing the gate is frozen."""

HOUSE_CLAUSES: Final = ("audit", "no-copy")
"""What we ask for on top (on-site audit, no local copy): while one is missing the gate warns."""

MAX_WINDOW: Final = timedelta(days=14)
"""The most that ``opens_before`` and ``closes_after`` may add up to."""


class Processor(msgspec.Struct, frozen=True, kw_only=True):
    """The third party that the contract binds. What is null at the end is for papers, which say that it is missing; no decision reads it."""

    id: str
    name: str
    country: str  # ISO 3166-1 alpha-2
    siren: str | None  # null: not in the French business register
    security_contact: str  # an e-mail address; may be a person's: never in a message
    address: str | None = None
    contact: str | None = None  # name and function of a person: never in a message
    representative: str | None = None  # Art. 27 GDPR
    dpo: str | None = None  # its data-protection officer: never in a message


class SubProcessor(msgspec.Struct, frozen=True, kw_only=True):
    """Another processor that works for this one (Art. 28(2) and (4))."""

    name: str
    country: str
    role: str
    address: str | None = None
    contact: str | None = None  # never in a message


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A place of the processor; with its rooms and sessions a day it bounds what a schedule can ask for."""

    id: str
    timezone: str  # IANA name
    rooms: int
    max_sessions_per_day: int


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Ceilings of the whole processor, in distinct persons per UTC day, month and clock hour."""

    persons_per_day: int
    persons_per_month: int
    persons_per_client_per_hour: int
    agent_assurance: Assurance


class Purpose(msgspec.Struct, frozen=True, kw_only=True):
    """Why data is needed, when, how often, and which attributes in which form."""

    id: str
    label: str
    legal_basis: str
    opens_before: timedelta
    closes_after: timedelta
    max_capacity: int
    reads_per_appointment: int
    persons_per_agent_per_hour: int
    attributes: dict[str, Form]  # by name, in the file's order
    sheet: dict[str, Form]  # empty: the purpose has no roll-call


class Age(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar length of time: whole months, then whole days."""

    months: int
    days: int

    def after(self, day: date) -> date:
        """Return the day this long after ``day``; a month that is too short gives its last day, and the calendar's last day ends all ages."""
        years, month = divmod(day.month - 1 + self.months, 12)
        year, month = day.year + years, month + 1
        if year > MAXYEAR:
            return date.max
        reached = date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
        return reached + timedelta(days=min(self.days, (date.max - reached).days))


class EvidenceRequired(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of evidence that must be there and fresh."""

    kind: str
    max_age: str  # as written, ISO 8601
    age: Age


class Containment(msgspec.Struct, frozen=True, kw_only=True):
    """What the contract lets happen by itself on an alarm."""

    on_decoy: ContainmentAction = ContainmentAction.ALERT
    on_departure: ContainmentAction = ContainmentAction.ALERT


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the file that binds a processor. The contract is the policy."""

    processor: Processor
    reference: str
    starts_on: date  # in the controller's time zone, included
    ends_on: date  # in the controller's time zone, included
    breach_notice_hours: int
    clauses: tuple[str, ...]  # in the file's order
    sub_processors: tuple[SubProcessor, ...]
    sites: dict[str, Site]  # by id, in the file's order
    limits: Limits
    purposes: dict[str, Purpose]  # by id, in the file's order
    evidence_required: tuple[EvidenceRequired, ...]
    containment: Containment
    subject_matter: str | None = None  # Art. 28(3) GDPR; for papers
    nature: str | None = None  # of the processing; for papers


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One remark on a contract file: the line (from 1), where in dotted words, why, and how to mend it."""

    line: int
    where: str
    why: str
    mend: str
