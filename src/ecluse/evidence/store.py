"""Documents, findings and overrides as they are kept (PostgreSQL, role ``ecluse_app``).

Trusted store; may lose nothing that was accepted. Documents that wait may be lost with no harm but the sender's time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import aiosql
import msgspec

from ecluse.contracts import Severity
from ecluse.db import LOST, Connection, DatabaseUnavailable
from ecluse.evidence.model import Evidence, KeptFinding, KeptOverride, MediaType, NamedSubProcessor, Source, Submission


@cache
def _queries() -> Any:  # noqa: ANN401 - aiosql builds its methods at run time
    """Load ``queries.sql`` at first use: importing a module does nothing."""
    return aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")


@contextmanager
def translated() -> Iterator[None]:
    """Raise a lost connection as our own error, without the driver's text."""
    try:
        yield
    except LOST:
        lost = DatabaseUnavailable("the database does not answer; whether it was written is not known")
    else:
        return
    raise lost


async def insert(
    connection: Connection, evidence: str, asked: Submission, *, media_type: MediaType, size_bytes: int, sha256: str, sealed: bytes, actor: str
) -> None:  # fmt: skip
    """Keep a document and what is said of it."""
    period = asked.period or (None, None)
    await _queries().submit_evidence(
        connection, id=evidence, processor=asked.processor, kind=asked.kind, title=asked.title, issuer=asked.issuer, scope=asked.scope,
        sites=list(asked.sites), period_from=period[0], period_until=period[1], reviewed_on=asked.reviewed_on, ends_on=asked.ends_on,
        bridges=asked.bridges, sub_processors=msgspec.json.encode(asked.sub_processors).decode(), media_type=media_type.value,
        size_bytes=size_bytes, sha256=sha256, actor=actor,
    )  # fmt: skip
    await _queries().keep_document(connection, id=evidence, sealed=sealed)


async def find_evidence(connection: Connection, evidence: str) -> Evidence | None:
    """Return one document's row."""
    row = await _queries().evidence_by_id(connection, id=evidence)
    return None if row is None else _evidence(row)


async def list_evidence(connection: Connection, processor: str | None, kind: str | None = None) -> list[Evidence]:
    """Return documents, the newest first."""
    return [_evidence(row) async for row in _queries().evidence_listed(connection, processor=processor, kind=kind)]


async def sealed_document(connection: Connection, evidence: str) -> bytes | None:
    """Return a document's bytes as they are kept."""
    sealed: bytes | None = await _queries().sealed_document(connection, id=evidence)
    return sealed


async def documents_waiting(connection: Connection, processor: str) -> int:
    """Count the documents that wait for a person."""
    waiting: int = await _queries().documents_waiting(connection, processor=processor)
    return waiting


async def documents_kept(connection: Connection) -> bool:
    """Tell whether any document was ever sealed."""
    kept: bool = await _queries().documents_kept(connection)
    return kept


async def reject(connection: Connection, evidence: str, *, actor: str, why: str) -> bool:
    """Say no to a document that waits; False: there is none."""
    return await _queries().reject_evidence(connection, id=evidence, actor=actor, why=why) is not None


async def find_finding(connection: Connection, finding: str) -> KeptFinding | None:
    """Return one finding."""
    row = await _queries().finding_by_id(connection, id=finding)
    return None if row is None else _finding(row)


async def list_findings(connection: Connection, processor: str | None, *, closed: bool) -> list[KeptFinding]:
    """Return findings, the one due first at the top."""
    return [_finding(row) async for row in _queries().findings_listed(connection, processor=processor, closed=closed)]


async def insert_override(
    connection: Connection, override: str, processor: str, *, reasons: tuple[str, ...], why: str, hours: int, actor: str
) -> None:
    """Keep an override that is asked for."""
    await _queries().ask_override(
        connection, id=override, processor=processor, reasons=list(reasons), why=why, hours=hours, actor=actor
    )


async def find_override(connection: Connection, override: str) -> KeptOverride | None:
    """Return one override, its state by the database's clock."""
    row = await _queries().override_by_id(connection, id=override)
    return None if row is None else _override(row)


async def list_overrides(connection: Connection, processor: str | None, *, over: bool) -> list[KeptOverride]:
    """Return overrides, the newest first."""
    return [_override(row) async for row in _queries().overrides_listed(connection, processor=processor, over=over)]


async def clock_now(connection: Connection) -> datetime:
    """Read the database's clock."""
    at: datetime = await _queries().clock_now(connection)
    return at


async def processor_there(connection: Connection, processor: str) -> bool:
    """Tell whether a processor is registered."""
    there: bool = await _queries().processor_there(connection, processor=processor)
    return there


def _evidence(row: Mapping[str, Any]) -> Evidence:
    same = (
        "id", "kind", "title", "issuer", "scope", "reviewed_on", "ends_on", "bridges", "sha256", "submitted_by", "submitted_at", "accepted_by",
        "accepted_at", "rejected_by", "rejected_at", "rejected_why", "withdrawn_by", "withdrawn_at",
    )  # fmt: skip
    return Evidence(
        processor=row["processor_id"],
        sites=tuple(row["sites"]),
        period=None if row["period_from"] is None else (row["period_from"], row["period_until"]),
        sub_processors=msgspec.json.decode(row["sub_processors"], type=tuple[NamedSubProcessor, ...]),
        media_type=MediaType(row["media_type"]),
        size_bytes=row["bytes"],
        **{name: row[name] for name in same},
    )


def _finding(row: Mapping[str, Any]) -> KeptFinding:
    same = ("id", "title", "due_on", "opened_by", "opened_at", "closed_by", "closed_at", "closing")
    return KeptFinding(
        processor=row["processor_id"],
        source=Source(row["source"]),
        severity=Severity(row["severity"]),
        **{name: row[name] for name in same},
    )


def _override(row: Mapping[str, Any]) -> KeptOverride:
    same = (
        "id", "why", "hours", "asked_by", "asked_at", "approved_by", "approved_at", "revoked_by", "revoked_at", "until_at", "state",
    )  # fmt: skip
    return KeptOverride(processor=row["processor_id"], reasons=tuple(row["reasons"]), **{name: row[name] for name in same})
