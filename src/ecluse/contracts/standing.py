"""What stands for or against a processor beside its contract: accepted documents, findings, overrides. Frozen values, as they were sealed.

Every fact carries the instants between which it counts, so the gate at *any* instant, past or to come, is computed from them and never looked up: no worker
that was down can have left it open.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Final

import msgspec


class EvidenceKind(StrEnum):
    """Kinds of evidence that a contract may require. Append-only: they stand in contract files."""

    PENTEST = "pentest"
    ISO27001 = "iso27001"
    SOC2_TYPE2 = "soc2-type2"
    SECNUMCLOUD = "secnumcloud"
    QUESTIONNAIRE = "questionnaire"
    AUDIT = "audit"
    SECURITY_POLICY = "security-policy"
    PERSONNEL_LIST = "personnel-list"
    SUB_PROCESSOR_LIST = "sub-processor-list"
    BREACH_DRILL = "breach-drill"
    INSURANCE = "insurance"
    SIGNED_CONTRACT = "signed-contract"
    DELETION_ATTESTATION = "deletion-attestation"


class Severity(StrEnum):
    """How bad a finding is, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


FREEZING: Final = frozenset({Severity.CRITICAL, Severity.HIGH})
"""Findings of these severities freeze the gate once their due day is over; others warn."""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One document that a named person accepted.

    ``reviewed_on``: the day from which its age counts; ``ends_on``: its own last day, None where it has none; ``sites``: those that it covers, none named:
    all; ``bridges``: the document of the same kind whose time it prolongs; ``sub_processors``: the names that a list of them declares.
    """

    id: str
    kind: str
    reviewed_on: date
    ends_on: date | None
    sites: tuple[str, ...]
    bridges: str | None
    sub_processors: tuple[str, ...]
    accepted_at: datetime
    withdrawn_at: datetime | None


class AuditFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an audit, a test or a questionnaire found, to be mended by the end of ``due_on`` (a day of the controller's time zone)."""

    id: str
    severity: Severity
    due_on: date
    opened_at: datetime
    closed_at: datetime | None


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """What two persons lifted for a while: the reasons named, no other. In force in ``[from_at, until_at)``, or until revoked."""

    id: str
    reasons: tuple[str, ...]
    from_at: datetime
    until_at: datetime
    revoked_at: datetime | None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """All of it for one processor."""

    documents: tuple[Document, ...] = ()
    findings: tuple[AuditFinding, ...] = ()
    overrides: tuple[Override, ...] = ()


NOTHING: Final = Standing()
"""No document, no finding, no override."""
