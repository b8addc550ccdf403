"""What moves gates, done to an installation as its people do it: documents accepted and withdrawn, findings, overrides. By the real use cases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from ecluse import install
from ecluse.contracts import Severity
from ecluse.db import Connection
from ecluse.evidence import NamedSubProcessor, Source, Submission, service
from ecluse.evidence.vault import KEY_FILE, Vault
from ecluse.register import AttributeType, parse_register
from ecluse.settings import Installation

LOG: Final = 1
REPORT: Final = b"A report that was invented for a test.\n"
ASKER, APPROVER = "cli:duty-officer", "cli:dpo"


@asynccontextmanager
async def as_app(installation: Installation) -> AsyncIterator[Connection]:
    """Connect as the gate's own role."""
    with install.databases(installation) as reached:
        connection = await install.connect(installation, reached, "ecluse_app")
    try:
        yield connection
    finally:
        await connection.close()


def mapped(installation: Installation) -> dict[str, AttributeType]:
    """Return what the installation's register maps."""
    register = parse_register((installation.folder / "register.toml").read_text(encoding="utf-8"))
    return {name: attribute.type for name, attribute in register.attributes.items()}


async def hand_in(installation: Installation, processor: str, *, reviewed_on: date, kind: str = "pentest", **said: Any) -> str:
    """Hand a document in; return its id. It counts for nothing yet."""
    asked = Submission(processor=processor, kind=kind, title="Invented", issuer="Maison d'audit", reviewed_on=reviewed_on, **said)
    async with as_app(installation) as app:
        done = await service.submit(
            app, Vault(installation.versioned(KEY_FILE)), asked, REPORT, actor=ASKER, attributes=mapped(installation),
            timezone=installation.settings.zone,
        )  # fmt: skip
    return done.evidence.id


async def accept(installation: Installation, processor: str, **said: Any) -> str:
    """Hand a document in and accept it; return its id."""
    evidence = await hand_in(installation, processor, **said)
    async with as_app(installation) as app:
        await service.accept(app, Vault(installation.versioned(KEY_FILE)), evidence, log_id=LOG, actor=APPROVER)
    return evidence


async def withdraw(installation: Installation, evidence: str) -> None:
    """Let a document count no more."""
    async with as_app(installation) as app:
        await service.withdraw(app, evidence, log_id=LOG, actor=APPROVER)


async def find(installation: Installation, processor: str, due_on: date, severity: Severity = Severity.CRITICAL) -> str:
    """Open a finding; return its id."""
    async with as_app(installation) as app:
        finding, _ = await service.open_finding(
            app, log_id=LOG, processor=processor, source=Source.AUDIT, severity=severity, title="Invented", due_on=due_on, actor=ASKER,
            timezone=ZoneInfo("Europe/Paris"),
        )  # fmt: skip
    return finding


async def close(installation: Installation, finding: str) -> None:
    """Close a finding."""
    async with as_app(installation) as app:
        await service.close_finding(app, finding, log_id=LOG, closing="mended", actor=APPROVER)


async def ask(installation: Installation, processor: str, *reasons: str, hours: int = 24) -> str:
    """Ask that reasons be lifted; return the override's id. It lifts nothing yet."""
    async with as_app(installation) as app:
        asked = await service.ask_override(
            app, processor=processor, reasons=reasons, why="invented", hours=hours, actor=ASKER, attributes=mapped(installation),
            timezone=installation.settings.zone,
        )  # fmt: skip
    return asked.id


async def approve(installation: Installation, override: str) -> None:
    """Approve an override as the second person."""
    async with as_app(installation) as app:
        await service.approve_override(app, override, log_id=LOG, actor=APPROVER)


async def revoke(installation: Installation, override: str) -> None:
    """End an override."""
    async with as_app(installation) as app:
        await service.revoke_override(app, override, log_id=LOG, actor=APPROVER)


HOSTING: Final = NamedSubProcessor(
    name="Nuage Lointain", address="1 rue Inventée", contact="contact@nuage.example", country="FR", role="hosting"
)
"""A sub-processor that no contract of the tests names."""
