"""A log on real PostgreSQL: `journal` grows it with true entries, signs with a real key, and tampers as its owner could."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse.clock import sealed_text
from ecluse.db import LOGIN_ROLES, open_pool
from ecluse.embedded import EmbeddedPostgres
from ecluse.ids import new_id, random_bytes
from ecluse.ledger.fields import Event, commit
from ecluse.ledger.integrate import Integrator
from ecluse.ledger.sign import Signer, create_state
from ecluse.ledger.tree import leaf_hash
from tests.databases import create_installed, drop

ORIGIN = "register.example/ecluse/main"
APPEND_ONLY = {"ledger_entry": "ledger_entry_append_only", "opening": "opening_append_only"}


class Journal:
    """A log with everything around it. ``owner`` may do anything to its tables; ``leaves``: the leaf hashes sealed so far."""

    def __init__(self, folder: Path, owner: asyncpg.Connection, jobs: asyncpg.Pool, reader: asyncpg.Connection) -> None:
        """Sign in ``folder``."""
        self.owner, self.jobs, self.reader = owner, jobs, reader
        self.key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.state = folder / "state" / "log.checkpoint"
        self.signer = Signer(self.state, ORIGIN, self.key)
        self.leaves: list[bytes] = []
        self.dsns: dict[str, str] = {}

    def integrator(self) -> Integrator:
        """Return one more integrator on the same log, state and pool."""
        return Integrator(self.jobs, self.signer, log_id=1)

    async def grow(self, count: int) -> None:
        """Seal ``count`` entries in one transaction: refusals and, every tenth, a control entry."""
        async with self.owner.transaction():
            size = await self.owner.fetchval("select size from ecluse.ledger_head where log_id = 1 for update")
            at = await self.owner.fetchval("select ecluse.clock()")
            entries, openings = [], []
            for index in range(size, size + count):
                control = index % 10 == 9
                event = Event.HOLD_PLACED if control else Event.PERSON_REFUSED
                names = {"disclosure": None if control else new_id("dsc"), "processor": "lyon-formation"}
                names |= {"agent": None if control else new_id("agt"), "subject": None if control else f"ofii:{index}"}
                said = [(name, value) for name, value in names.items() if not control or value is not None]
                fields = [("at", sealed_text(at - timedelta(milliseconds=3))), ("event", event.value), *said]
                committed = commit(fields, random_bytes(32 * len(fields)))
                entries.append((1, index, committed.leaf, at))
                openings.append((1, index, at, event.value, *names.values(), committed.fields, committed.salts))
                self.leaves.append(leaf_hash(committed.leaf))
            await self.owner.copy_records_to_table("ledger_entry", schema_name="ecluse", records=entries)
            await self.owner.copy_records_to_table("opening", schema_name="ecluse", records=openings)
            await self.owner.execute("update ecluse.ledger_head set size = size + $1, last_at = $2 where log_id = 1", count, at)

    async def tamper(self, statement: str, *values: object) -> None:
        """Change history as a database's owner can: with the triggers off."""
        async with self.owner.transaction():
            for table, trigger in APPEND_ONLY.items():
                await self.owner.execute(f"alter table ecluse.{table} disable trigger {trigger}")
            await self.owner.execute(statement, *values)
            for table, trigger in APPEND_ONLY.items():
                await self.owner.execute(f"alter table ecluse.{table} enable trigger {trigger}")


@pytest.fixture
async def journal(postgres: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Journal]:
    """Install a schema in a fresh database and open a new, empty log with a signer's memory."""
    name = f"ledger_{secrets.token_hex(4)}"
    passwords = {role: secrets.token_hex(16) for role in LOGIN_ROLES}
    await create_installed(postgres, name, passwords)
    dsns = {role: postgres.dsn(role, passwords[role], name) for role in LOGIN_ROLES}
    owner, reader = await asyncpg.connect(dsns["ecluse_owner"]), await asyncpg.connect(dsns["ecluse_reader"])
    jobs = await open_pool(dsns["ecluse_jobs"], size=3, name="jobs")
    log = Journal(tmp_path, owner, jobs, reader)
    log.dsns = dsns
    await owner.execute(
        "insert into ecluse.ledger_log (id, name, origin, vkey, created_at) values (1, 'main', $1, $2, now())",
        ORIGIN,
        log.signer.vkey,
    )
    await owner.execute("insert into ecluse.ledger_head (log_id, size, control_seq, last_at) values (1, 0, 0, now())")
    create_state(log.state, log.signer.empty_note())
    yield log
    await jobs.close()
    await reader.close()
    await owner.close()
    await drop(postgres, name)
