"""Use cases of evidence, findings and overrides. What moves a gate is one sealed control entry each; what is only handed in or asked for moves nothing.

A document is handed in by anybody who may, and counts from the instant a named person accepts it, never by itself. A title, a scope, a reason and what was
done are words of people: they are kept in the tables and never sealed; an entry holds what `docs/decisions/0006-governance.md` lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from ecluse.contracts import Contract, ContractInvalid, Gate, Gatekeeper, Severity, Standing
from ecluse.contracts.errors import ProcessorUnknown
from ecluse.contracts.service import current_contract
from ecluse.contracts.store import load_standing
from ecluse.db import Connection
from ecluse.evidence import store
from ecluse.evidence.check import check_finding, check_override, check_submission, check_words, freezing
from ecluse.evidence.errors import (
    EvidenceBroken,
    EvidenceRefused,
    EvidenceUnknown,
    FindingUnknown,
    OverrideOwn,
    OverrideUnknown,
    TooManyWaiting,
)
from ecluse.evidence.model import (
    MOST_WAITING,
    Evidence,
    EvidenceState,
    Fault,
    KeptFinding,
    KeptOverride,
    Source,
    Submission,
)
from ecluse.evidence.sniff import sniff
from ecluse.evidence.vault import NONCE_BYTES, Vault
from ecluse.ids import is_id, is_name, new_id, random_bytes
from ecluse.ledger import Event
from ecluse.ledger.errors import ControlRefused
from ecluse.ledger.fields import canonical
from ecluse.ledger.service import Control, seal_control
from ecluse.register import AttributeType

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

Attributes: TypeAlias = Mapping[str, AttributeType]
Change: TypeAlias = Callable[[Standing, datetime], Standing]
"""What an act would make of what stands, at an instant (`ecluse.evidence.foresee`)."""


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was handed in, and what to look at."""

    evidence: Evidence
    warnings: tuple[Fault, ...]


class Foreseen(msgspec.Struct, frozen=True, kw_only=True):
    """The gate at an instant, and what it would be."""

    at: datetime
    before: Gate
    after: Gate


# ── the gate, before and after ───────────────────────────────────────────────────────────────────────────────────────────────
async def foresee(
    connection: Connection, processor: str, change: Change, *, attributes: Attributes, timezone: ZoneInfo
) -> Foreseen | None:
    """Say what an act would make of a processor's gate; None where no contract is in force that can be read."""
    with store.translated():
        at = await store.clock_now(connection)
        contract = await _contract(connection, processor, attributes)
        if contract is None:
            return None
        standing = await load_standing(connection, processor)
    after = Gatekeeper(contract, change(standing, at), timezone).at(at)
    return Foreseen(at=at, before=Gatekeeper(contract, standing, timezone).at(at), after=after)


async def _contract(connection: Connection, processor: str, attributes: Attributes) -> Contract | None:
    """Return the contract in force; None where there is none, or none that this register map can read."""
    try:
        return (await current_contract(connection, processor, attributes))[1]
    except ContractInvalid:
        return None


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def submit(
    connection: Connection, vault: Vault, asked: Submission, content: bytes, *, actor: str, attributes: Attributes, timezone: ZoneInfo
) -> Submitted:  # fmt: skip
    """Keep a document, encrypted; it counts for nothing until a person accepts it.

    ``content``: the plain bytes. Raises `EvidenceRefused` (every fault of what is said of it, or why its bytes are not taken), `ProcessorUnknown`,
    `TooManyWaiting`.
    """
    await _require_processor(connection, asked.processor)
    with store.translated():
        if await store.documents_waiting(connection, asked.processor) >= MOST_WAITING:
            raise TooManyWaiting
        today = (await store.clock_now(connection)).astimezone(timezone).date()
        contract = await _contract(connection, asked.processor, attributes)
        bridged = None
        if asked.bridges is not None and is_id(asked.bridges, "evd"):
            bridged = await store.find_evidence(connection, asked.bridges)
    warnings = check_submission(asked, today=today, contract=contract, bridged=bridged)
    media_type = sniff(content)
    evidence = new_id("evd")
    sealed, digest = vault.seal(evidence, content, nonce=random_bytes(NONCE_BYTES))
    with store.translated():
        async with connection.transaction():
            await store.insert(
                connection,
                evidence,
                asked,
                media_type=media_type,
                size_bytes=len(content),
                sha256=digest,
                sealed=sealed,
                actor=actor,
            )
    return Submitted(evidence=await evidence_of(connection, evidence), warnings=warnings)


async def accept(connection: Connection, vault: Vault, evidence: str, *, log_id: int, actor: str) -> Control:
    """Let a document count from now on, in the name of a person. It is opened first: what can't be read is never accepted.

    Raises `EvidenceUnknown`, `EvidenceBroken`, `EvidenceRefused` where it bridges a document that does not count.
    """
    found = await waiting_evidence(connection, evidence)
    await fetch(connection, vault, evidence)
    if found.bridges is not None:
        bridged = await evidence_of(connection, found.bridges)
        if bridged.state is not EvidenceState.ACCEPTED:
            why = f"the document that it bridges is {bridged.state}, so it would prolong nothing"
            raise EvidenceRefused((Fault(where="bridges", why=why, mend="Accept that one first, or reject this one"),))
    return await _seal_evidence(connection, found, Event.EVIDENCE_ACCEPTED, "evidence:accept", log_id=log_id, actor=actor)


async def reject(connection: Connection, evidence: str, *, actor: str, why: str) -> Evidence:
    """Say no to a document that waits, with the reason that its sender is shown. Raises `EvidenceUnknown`, `EvidenceRefused`."""
    check_words("why", why)
    found = await evidence_of(connection, evidence)
    with store.translated():
        if not await store.reject(connection, evidence, actor=actor, why=why):
            raise EvidenceUnknown(f"{evidence} was {found.state} already: what was accepted is withdrawn, not rejected")
    return await evidence_of(connection, evidence)


async def withdraw(connection: Connection, evidence: str, *, log_id: int, actor: str) -> Control:
    """Let an accepted document count no more, from now on. Raises `EvidenceUnknown`."""
    found = await counting_evidence(connection, evidence)
    return await _seal_evidence(connection, found, Event.EVIDENCE_WITHDRAWN, "evidence:withdraw", log_id=log_id, actor=actor)


async def _seal_evidence(connection: Connection, found: Evidence, event: Event, act: str, *, log_id: int, actor: str) -> Control:
    """Seal what becomes of a document."""
    try:
        return await seal_control(
            connection, log_id=log_id, event=event, act=act, actor=actor, target=found.id, processor=found.processor,
            detail=evidence_detail(found), body={"id": found.id, "sha256": found.sha256, "actor": actor},
        )  # fmt: skip
    except ControlRefused:
        raise EvidenceUnknown(f"{found.id} was changed by somebody else meanwhile") from None


def evidence_detail(found: Evidence) -> dict[str, object]:
    """Return what an entry says of a document (docs/decisions/0006-governance.md)."""
    return {
        "bridges": found.bridges,
        "ends_on": None if found.ends_on is None else found.ends_on.isoformat(),
        "id": found.id,
        "kind": found.kind,
        "period": None if found.period is None else [day.isoformat() for day in found.period],
        "reviewed_on": found.reviewed_on.isoformat(),
        "sha256": found.sha256,
        "sites": list(found.sites),
        "sub_processors": sha256(canonical([sub.name for sub in found.sub_processors])).hexdigest()
        if found.sub_processors
        else None,
    }


async def fetch(connection: Connection, vault: Vault, evidence: str) -> tuple[Evidence, bytes]:
    """Return a document and its plain bytes, checked against its hash, its length and its kind. Raises `EvidenceUnknown`, `EvidenceBroken`."""
    found = await evidence_of(connection, evidence)
    with store.translated():
        sealed = await store.sealed_document(connection, evidence)
    if sealed is None:
        raise EvidenceBroken
    content = vault.open(evidence, sealed, found.sha256)
    if len(content) != found.size_bytes or sniff(content) is not found.media_type:
        raise EvidenceBroken
    return found, content


async def evidence_of(connection: Connection, evidence: str) -> Evidence:
    """Return a document's row. Raises `EvidenceUnknown`."""
    if not is_id(evidence, "evd"):
        raise EvidenceUnknown
    with store.translated():
        found = await store.find_evidence(connection, evidence)
    if found is None:
        raise EvidenceUnknown(evidence)
    return found


async def waiting_evidence(connection: Connection, evidence: str) -> Evidence:
    """Return a document that waits for a person. Raises `EvidenceUnknown`."""
    found = await evidence_of(connection, evidence)
    if found.state is not EvidenceState.SUBMITTED:
        raise EvidenceUnknown(f"{evidence} was {found.state} already")
    return found


async def counting_evidence(connection: Connection, evidence: str) -> Evidence:
    """Return a document that was accepted and not withdrawn. Raises `EvidenceUnknown`."""
    found = await evidence_of(connection, evidence)
    if found.state is not EvidenceState.ACCEPTED:
        raise EvidenceUnknown(f"{evidence} is {found.state}: only what was accepted can be withdrawn")
    return found


async def _require_processor(connection: Connection, processor: str) -> None:
    """Refuse a processor that is not registered."""
    with store.translated():
        if not is_name(processor) or not await store.processor_there(connection, processor):
            raise ProcessorUnknown(processor)


# ── findings ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def open_finding(
    connection: Connection, *, log_id: int, processor: str, source: Source, severity: Severity, title: str, due_on: date, actor: str, timezone: ZoneInfo
) -> tuple[str, Control]:  # fmt: skip
    """Write down something to be mended by the end of a day. Raises `EvidenceRefused`, `ProcessorUnknown`."""
    await check_opening(connection, processor=processor, severity=severity, title=title, due_on=due_on, timezone=timezone)
    finding = new_id("fnd")
    facts = {"id": finding, "source": source.value, "severity": severity.value, "due_on": due_on.isoformat()}
    sealed = await seal_control(
        connection, log_id=log_id, event=Event.FINDING_OPENED, act="finding:open", actor=actor, target=finding, processor=processor,
        detail=dict(sorted(facts.items())), body={**facts, "title": title, "actor": actor},
    )  # fmt: skip
    return finding, sealed


async def check_opening(
    connection: Connection, *, processor: str, severity: Severity, title: str, due_on: date, timezone: ZoneInfo
) -> None:
    """Refuse a finding that could not be opened, as `open_finding` does."""
    await _require_processor(connection, processor)
    with store.translated():
        today = (await store.clock_now(connection)).astimezone(timezone).date()
    check_finding(severity=severity, title=title, due_on=due_on, today=today)


async def close_finding(connection: Connection, finding: str, *, log_id: int, closing: str, actor: str) -> Control:
    """Close a finding, in words that say what was done. Raises `FindingUnknown`, `EvidenceRefused`."""
    found = await check_closing(connection, finding, closing=closing)
    try:
        return await seal_control(
            connection, log_id=log_id, event=Event.FINDING_CLOSED, act="finding:close", actor=actor, target=finding, processor=found.processor,
            detail={"id": finding}, body={"id": finding, "closing": closing, "actor": actor},
        )  # fmt: skip
    except ControlRefused:
        raise FindingUnknown(f"{finding} was closed by somebody else meanwhile") from None


async def check_closing(connection: Connection, finding: str, *, closing: str) -> KeptFinding:
    """Return a finding that can be closed in these words. Raises as `close_finding` does."""
    check_words("done", closing)
    found = await finding_of(connection, finding)
    if found.closed_at is not None:
        raise FindingUnknown(f"{finding} was closed already")
    return found


async def finding_of(connection: Connection, finding: str) -> KeptFinding:
    """Return a finding. Raises `FindingUnknown`."""
    with store.translated():
        found = await store.find_finding(connection, finding) if is_id(finding, "fnd") else None
    if found is None:
        raise FindingUnknown(finding if is_id(finding, "fnd") else "")
    return found


# ── overrides ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def freezing_now(connection: Connection, processor: str, *, attributes: Attributes, timezone: ZoneInfo) -> tuple[str, ...]:
    """Return the reasons that freeze a processor's gate now and that two persons may lift. Raises `ProcessorUnknown`."""
    await _require_processor(connection, processor)
    with store.translated():
        at = await store.clock_now(connection)
        contract = await _contract(connection, processor, attributes)
        standing = await load_standing(connection, processor)
    return () if contract is None else freezing(contract, standing, at=at, timezone=timezone)


async def ask_override(
    connection: Connection, *, processor: str, reasons: tuple[str, ...], why: str, hours: int, actor: str, attributes: Attributes, timezone: ZoneInfo
) -> KeptOverride:  # fmt: skip
    """Ask that reasons which freeze now be lifted for a while. It lifts nothing until another person approves it, within a day.

    Raises `EvidenceRefused`, `ProcessorUnknown`.
    """
    now_freezing = await freezing_now(connection, processor, attributes=attributes, timezone=timezone)
    check_override(reasons=reasons, why=why, hours=hours, now_freezing=now_freezing)
    override = new_id("ovr")
    with store.translated():
        await store.insert_override(connection, override, processor, reasons=reasons, why=why, hours=hours, actor=actor)
    return await override_of(connection, override)


async def approve_override(connection: Connection, override: str, *, log_id: int, actor: str) -> Control:
    """Lift the reasons from now on, as a second person. Raises `OverrideUnknown`, `OverrideOwn`."""
    found = await check_approval(connection, override, actor=actor)
    return await _seal_override(connection, found, Event.OVERRIDE_APPROVED, "override:approve", log_id=log_id, actor=actor)


async def revoke_override(connection: Connection, override: str, *, log_id: int, actor: str) -> Control:
    """End an override that is in force; one person is enough. Raises `OverrideUnknown`."""
    found = await override_in_force(connection, override)
    return await _seal_override(connection, found, Event.OVERRIDE_REVOKED, "override:revoke", log_id=log_id, actor=actor)


async def check_approval(connection: Connection, override: str, *, actor: str) -> KeptOverride:
    """Return an override that this person may approve now. Raises `OverrideUnknown`, `OverrideOwn`."""
    found = await override_of(connection, override)
    if found.state != "asked":
        raise OverrideUnknown(f"{override}: it is {found.state}")
    if found.asked_by == actor:
        raise OverrideOwn
    return found


async def override_in_force(connection: Connection, override: str) -> KeptOverride:
    """Return an override that is in force now. Raises `OverrideUnknown`."""
    found = await override_of(connection, override)
    if found.state != "in force":
        raise OverrideUnknown(f"{override}: it is {found.state}")
    return found


async def _seal_override(
    connection: Connection, found: KeptOverride, event: Event, act: str, *, log_id: int, actor: str
) -> Control:
    """Seal what becomes of an override."""
    facts = {"asked_by": found.asked_by, "hours": found.hours, "id": found.id, "reasons": list(found.reasons)}
    try:
        return await seal_control(
            connection, log_id=log_id, event=event, act=act, actor=actor, target=found.id, processor=found.processor, detail=facts,
            body={**facts, "actor": actor},
        )  # fmt: skip
    except ControlRefused:
        raise OverrideUnknown(f"{found.id}: it was changed by somebody else meanwhile, or its day is over") from None


async def override_of(connection: Connection, override: str) -> KeptOverride:
    """Return an override, its state by the database's clock. Raises `OverrideUnknown`."""
    with store.translated():
        found = await store.find_override(connection, override) if is_id(override, "ovr") else None
    if found is None:
        raise OverrideUnknown(override if is_id(override, "ovr") else "")
    return found
