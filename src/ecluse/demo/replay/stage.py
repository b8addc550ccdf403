"""What the attacks share: the gate's address, the processors and their people, the engine that is asked first, the ledger that is asked last.

Nothing here helps an attacker: connections to the databases are the replay's own, to ask, to check, and to be the administrator or the controller where an
attack is about them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

import asyncpg
import msgspec

from ecluse import ids, install
from ecluse.demo.model import Party, PlannedSession
from ecluse.demo.replay.model import Bound, ReplayOptions
from ecluse.demo.replay.terms import Contractor
from ecluse.demo.replay.timeline import Clock
from ecluse.demo.scheduler import Scheduler
from ecluse.embedded import EmbeddedPostgres
from ecluse.exposure import Holder, Span
from ecluse.exposure.service import Engine
from ecluse.install import Databases
from ecluse.settings import Installation

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
_SEALED: Final = """
select count(distinct o.subject_ref)::bigint as persons, count(*)::bigint as grants
from ecluse.opening o
where o.processor_id = any($1::text[]) and o.index >= $2 and o.event in ('disclosure:person:granted', 'disclosure:sheet:granted')
"""
_SIZE: Final = "select size from ecluse.ledger_head where log_id = 1"


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger's openings say: distinct persons, and disclosures."""

    persons: int
    grants: int


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """The stage.

    ``parties``: by processor; ``planned``: its sessions of all days; ``subjects``: everybody who may be scheduled; ``scheduler``: the controller's planning
    software, ``scheduler_id`` its client; ``reader``: role ``ecluse_reader``; ``admin``: the ledger's superuser, ``register_admin``: the register's.
    """

    options: ReplayOptions
    installation: Installation
    reached: Databases
    clock: Clock
    engine: Engine
    parties: dict[str, Party]
    planned: dict[str, list[PlannedSession]]
    subjects: list[str]
    scheduler: Scheduler
    scheduler_id: str
    scheduler_key: Path
    vkey: str
    reader: Connection
    admin: Connection
    register_admin: Connection

    @property
    def base_url(self) -> str:
        """The gate's address."""
        return self.installation.settings.public_url

    @property
    def embedded(self) -> EmbeddedPostgres:
        """The installation's own database."""
        if self.reached.embedded is None:
            raise AssertionError("impossible: a replay without its own database")
        return self.reached.embedded

    def party(self, contractor: Contractor) -> Party:
        """Return a processor as it is registered."""
        return self.parties[contractor.id]

    async def bound(self, holders: Sequence[Holder], until: datetime) -> Bound:
        """Ask the engine what these credentials could obtain from now on."""
        window = Span(begins=self.clock.at, ends=until)
        exposure = await self.engine.reach(self.reader, holders=holders, window=window)
        found = exposure.together
        return Bound(
            persons=found.most,
            attributes=len({one.name for reach in exposure.reaches for one in reach.attributes}),
            exact=found.exact,
            by=", ".join(sorted({reach.binding.value for reach in exposure.reaches})),
        )

    async def size(self) -> int:
        """Return how many entries are sealed."""
        size: int = await self.reader.fetchval(_SIZE)
        return size

    async def sealed(self, contractors: Iterable[Contractor], since: int) -> Sealed:
        """Count what was disclosed to these processors from an entry on, by the ledger's openings."""
        row = await self.reader.fetchrow(_SEALED, [one.id for one in contractors], since)
        if row is None:
            raise AssertionError("impossible: an aggregate answers one row")
        return Sealed(persons=row["persons"], grants=row["grants"])

    @asynccontextmanager
    async def role(self, role: str) -> AsyncIterator[Connection]:
        """Connect as one of our roles."""
        connection = await install.connect(self.installation, self.reached, role)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def outsider(self, role: str) -> AsyncIterator[Connection]:
        """Connect to the register as a third party's account, with a password that is drawn for this moment."""
        password = ids.random_bytes(24).hex()
        await self.embedded.ensure_role(role, password)
        connection = await asyncpg.connect(self.embedded.dsn(role, password, "register"))
        try:
            yield connection
        finally:
            await connection.close()
