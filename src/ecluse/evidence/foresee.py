"""What an act would make of the gate, before it is done: each takes what stands for and against a processor, and returns what would stand. Pure."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from msgspec.structs import replace

from ecluse.contracts import AuditFinding, Document, Override, Severity, Standing
from ecluse.evidence.model import Evidence, KeptOverride

UNNAMED = "new"
"""The id of a finding that is not open yet."""


def document_of(evidence: Evidence, accepted_at: datetime) -> Document:
    """Return a document as the gate sees it, accepted at an instant."""
    return Document(
        id=evidence.id, kind=evidence.kind, reviewed_on=evidence.reviewed_on, ends_on=evidence.ends_on, sites=evidence.sites, bridges=evidence.bridges,
        sub_processors=tuple(each.name for each in evidence.sub_processors), accepted_at=accepted_at, withdrawn_at=evidence.withdrawn_at,
    )  # fmt: skip


def if_accepted(standing: Standing, evidence: Evidence, at: datetime) -> Standing:
    """Return what would stand once a document is accepted."""
    return replace(standing, documents=(*standing.documents, document_of(evidence, at)))


def if_withdrawn(standing: Standing, evidence: str, at: datetime) -> Standing:
    """Return what would stand once a document is withdrawn."""
    return replace(
        standing, documents=tuple(replace(each, withdrawn_at=at) if each.id == evidence else each for each in standing.documents)
    )


def if_opened(standing: Standing, severity: Severity, due_on: date, at: datetime) -> Standing:
    """Return what would stand once a finding is opened."""
    finding = AuditFinding(id=UNNAMED, severity=severity, due_on=due_on, opened_at=at, closed_at=None)
    return replace(standing, findings=(*standing.findings, finding))


def if_closed(standing: Standing, finding: str, at: datetime) -> Standing:
    """Return what would stand once a finding is closed."""
    return replace(
        standing, findings=tuple(replace(each, closed_at=at) if each.id == finding else each for each in standing.findings)
    )


def if_approved(standing: Standing, override: KeptOverride, at: datetime) -> Standing:
    """Return what would stand once an override is approved."""
    lifting = Override(
        id=override.id, reasons=override.reasons, from_at=at, until_at=at + timedelta(hours=override.hours), revoked_at=None
    )
    return replace(standing, overrides=(*standing.overrides, lifting))


def if_revoked(standing: Standing, override: str, at: datetime) -> Standing:
    """Return what would stand once an override is revoked."""
    return replace(
        standing, overrides=tuple(replace(each, revoked_at=at) if each.id == override else each for each in standing.overrides)
    )
