"""Movements of attributes to recipients: declared by contracts, observed in the ledger, brought from elsewhere. Frozen values.

Days are UTC; a period ``[since, until)`` is half-open. Persons are counted, never named. Vocabularies are append-only.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

import msgspec

from ecluse.contracts import Contract, Form


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """How far a log was counted: entries below ``next_index`` of ``size``.

    ``erased``: entries whose opening was gone before they were counted; ``unreadable``: whose opening holds nothing that could be.
    """

    log_id: int
    next_index: int
    size: int
    erased: int
    unreadable: int
    folded_at: datetime | None


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """Disclosures of a period that are alike. ``attribute`` and ``form`` empty: the disclosures themselves, whatever was in them.

    ``site``: of the session, empty where the place was erased before it was counted; ``version``: of the contract in force at the instant, 0 for none;
    ``other_version``: the entry names another than that; ``roll_call``: a session's sheet, not one person.
    """

    processor: str
    purpose: str
    attribute: str
    form: str
    roll_call: bool
    site: str
    version: int
    other_version: bool
    disclosures: int
    first_seen_at: datetime
    last_seen_at: datetime


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """Refusals that asked for what the contract does not name; ``attribute`` empty: it was the purpose. Nothing was disclosed."""

    processor: str
    purpose: str
    attribute: str
    version: int
    attempts: int
    first_seen_at: datetime
    last_seen_at: datetime


class FieldSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One attribute that a processor was given for a purpose: in which forms, how often, of how many distinct persons.

    ``forms``: persons by form. ``erased``: persons by day that were erased since, added up; so the number of all is between ``persons`` and the two together.
    Neither counts ``withheld``, which gives nothing.
    """

    processor: str
    purpose: str
    attribute: str
    forms: dict[str, int]
    disclosures: int
    persons: int
    erased: int
    first_seen_at: datetime
    last_seen_at: datetime


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """What a processor was given for a purpose, altogether."""

    processor: str
    purpose: str
    disclosures: int
    persons: int
    erased: int
    first_seen_at: datetime
    last_seen_at: datetime


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What Écluse saw in ``[since, until)`` and how far it has counted.

    ``by_processor``, ``by_purpose``: distinct persons across the other; ``persons``: of all.
    """

    since: date
    until: date
    fields: tuple[FieldSeen, ...]
    recipients: tuple[Recipient, ...]
    by_processor: dict[str, int]
    by_purpose: dict[str, int]
    persons: int
    logs: tuple[Folded, ...]


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A contract as it was applied. ``contract`` None: this version of Écluse, or the register's present map, can't read it."""

    version: int
    contract: Contract | None
    applied_at: datetime


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A flow that a contract in force names. ``countries``: of its sites. Days: of the controller's time zone, both included."""

    processor: str
    purpose: str
    attribute: str
    form: Form
    roll_call: bool
    legal_basis: str
    sub_processors: tuple[str, ...]
    countries: tuple[str, ...]
    version: int
    starts_on: date
    ends_on: date


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """A flow seen outside Écluse, as ``source`` tells it: of lower confidence. Days included."""

    source: str
    recipient: str
    attribute: str
    from_on: date
    until_on: date
    imported_at: datetime | None = None


class Outcome(StrEnum):
    """What the comparison says of a flow. New words go last."""

    MATCHED = "matched"
    UNDECLARED = "undeclared"
    EXCESSIVE = "excessive"
    DORMANT = "dormant"
    UNNEEDED = "unneeded"
    PLACE = "place-mismatch"
    SUB_PROCESSOR = "sub-processor-mismatch"
    NEW = "too-early"


FLAGGED = frozenset({Outcome.UNDECLARED, Outcome.EXCESSIVE, Outcome.PLACE, Outcome.SUB_PROCESSOR})
"""What a person has to look at: what was done or stands otherwise than the contract says."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One flow with its outcome. ``declared``: the form in the contract now, None where it names none; ``seen``: the forms that were given.

    ``why``: a sentence where the outcome needs one. Counts are those of the period; ``last_seen_at`` is since ever.
    """

    outcome: Outcome
    processor: str
    purpose: str
    attribute: str
    roll_call: bool
    declared: str | None
    seen: tuple[str, ...]
    site: str
    disclosures: int
    persons: int
    last_seen_at: datetime | None
    why: str


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """What the comparison rests on: declared flows, how many of them Écluse saw, entries counted of those there are, and what it could not count."""

    declared: int
    seen: int
    disclosures: int
    counted: int
    entries: int
    erased: int
    unreadable: int
    imported: int
    unreadable_contracts: tuple[str, ...]


class FlowMap(msgspec.Struct, frozen=True, kw_only=True):
    """Declared against observed at ``at``, over ``[since, until)``."""

    at: datetime
    since: date
    until: date
    dormant_days: int
    flows: tuple[Compared, ...]
    attempts: tuple[Attempt, ...]
    imported: tuple[Imported, ...]
    coverage: Coverage

    @property
    def flagged(self) -> tuple[Compared, ...]:
        """Return what a person has to look at."""
        return tuple(flow for flow in self.flows if flow.outcome in FLAGGED)
