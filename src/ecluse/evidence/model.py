"""What is handed in for or against a processor, as frozen values: documents, findings, overrides, and what a check says of them."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Final

import msgspec

from ecluse.contracts import Severity

MOST_BYTES: Final = 20 * 1024 * 1024
"""The largest document: 20 MiB, as the table's constraint has it."""

MOST_WAITING: Final = 50
"""Documents of one processor that may wait for a person's yes or no at once."""


class MediaType(StrEnum):
    """What a document may be, read from its bytes, never from its name; new ones go last."""

    PDF = "application/pdf"
    PNG = "image/png"
    JPEG = "image/jpeg"
    TEXT = "text/plain"
    CSV = "text/csv"
    XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    ODS = "application/vnd.oasis.opendocument.spreadsheet"


class EvidenceState(StrEnum):
    """Where a document stands; what is rejected or withdrawn stays so."""

    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Source(StrEnum):
    """Where a finding comes from; the same words as the table's constraint."""

    AUDIT = "audit"
    PENTEST = "pentest"
    QUESTIONNAIRE = "questionnaire"
    INCIDENT = "incident"
    OTHER = "other"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why something is refused, or (a warning) what to look at: ``where`` in the words of who hands it in, ``why``, and the ``mend``. No value."""

    where: str
    why: str
    mend: str


class NamedSubProcessor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of a processor's own list of those who work for it (EDPB Opinion 22/2024: name, address, contact)."""

    name: str
    address: str
    contact: str  # may name a person of its staff: never in a message
    country: str  # ISO 3166-1 alpha-2
    role: str

    def __repr__(self) -> str:
        """Show no contact."""
        return f"NamedSubProcessor({self.name!r}, {self.country!r})"


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a document when it is handed in.

    ``sites``: ids of the contract's sites that it covers, none named: all; ``period``: first and last day that it is about; ``reviewed_on``: the day from
    which its age counts; ``ends_on``: its own last day; ``bridges``: the document of the same kind whose time it prolongs.
    """

    processor: str
    kind: str
    title: str
    issuer: str
    scope: str = ""
    sites: tuple[str, ...] = ()
    period: tuple[date, date] | None = None
    reviewed_on: date
    ends_on: date | None = None
    bridges: str | None = None
    sub_processors: tuple[NamedSubProcessor, ...] = ()


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A document as it is kept, without its bytes. ``sha256``: hex, of the plain bytes."""

    id: str
    processor: str
    kind: str
    title: str
    issuer: str
    scope: str
    sites: tuple[str, ...]
    period: tuple[date, date] | None
    reviewed_on: date
    ends_on: date | None
    bridges: str | None
    sub_processors: tuple[NamedSubProcessor, ...]
    media_type: MediaType
    size_bytes: int
    sha256: str
    submitted_by: str
    submitted_at: datetime
    accepted_by: str | None
    accepted_at: datetime | None
    rejected_by: str | None
    rejected_at: datetime | None
    rejected_why: str | None
    withdrawn_by: str | None
    withdrawn_at: datetime | None

    @property
    def state(self) -> EvidenceState:
        """Tell where it stands."""
        if self.rejected_at is not None:
            return EvidenceState.REJECTED
        if self.withdrawn_at is not None:
            return EvidenceState.WITHDRAWN
        return EvidenceState.SUBMITTED if self.accepted_at is None else EvidenceState.ACCEPTED


class KeptFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding as it is kept: open until ``closed_at``; ``closing``: what was done about it."""

    id: str
    processor: str
    source: Source
    severity: Severity
    title: str
    due_on: date
    opened_by: str
    opened_at: datetime
    closed_by: str | None
    closed_at: datetime | None
    closing: str | None


class KeptOverride(msgspec.Struct, frozen=True, kw_only=True):
    """An override as it is kept: asked for, and in force for ``hours`` from ``approved_at`` on, until revoked."""

    id: str
    processor: str
    reasons: tuple[str, ...]
    why: str
    hours: int
    asked_by: str
    asked_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    revoked_by: str | None
    revoked_at: datetime | None
    until_at: datetime | None  # null: not approved
    state: str  # asked, lapsed, in force, over, revoked: by the database's clock when it was read
