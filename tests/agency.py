"""A small agency behind the real door: a register of invented people, a ledger, processors with contracts and keys, and gates that are processes of their own.

``with founded(postgres, folder) as agency`` builds it and starts one gate. Its methods open their own connections, so an agency outlives the event loop of
a test and serves a whole module; each test binds its own processor (`Agency.bind`) and spends nobody else's budget. The passwords of the database roles
are set anew by every installation on one PostgreSQL: build one agency a module, and none inside a test of another's.

The register's people and the contracts' texts are in ``invented.py``.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

import asyncpg
from joserfc.jwk import ECKey

from ecluse import install, settings
from ecluse.contracts.service import add_agent, add_processor, apply_contract, place_hold, release_hold
from ecluse.db import LOGIN_ROLES, open_pool
from ecluse.embedded import EmbeddedPostgres
from ecluse.identity import parse_public_jwk
from ecluse.identity.service import add_client, revoke_key
from ecluse.ledger.fields import fields_of
from ecluse.register import parse_register
from ecluse.schedule.reports import ImportApplied
from ecluse.schedule.service import import_schedule
from tests import gate as gate_process
from tests.databases import create_installed, drop
from tests.invented import MARK, TABLES, contract_text, register_toml

ORIGIN: Final = "agency.example/ecluse/main"
_HEADER: Final = "source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status"
_PASSWORDS: Final = {role: secrets.token_hex(16) for role in (*LOGIN_ROLES, install.REGISTER_ROLE)}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A client of a processor and its private key."""

    id: str
    key: ECKey


@dataclass(frozen=True, kw_only=True)
class Party:
    """A processor with its agents and machines."""

    name: str
    agents: tuple[str, ...]
    machines: tuple[Machine, ...]

    @property
    def agent(self) -> str:
        """Its first agent."""
        return self.agents[0]


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """A session of a processor with the persons scheduled to it, by their numbers in the register."""

    party: Party
    ref: str
    persons: tuple[int, ...]
    starts_at: datetime
    ends_at: datetime
    purpose: str = "civic-training"


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A serving process. ``port``: where it listens; every gate of an agency has the same public address; ``metrics``: of this one."""

    process: BaseProcess
    port: int
    log: Path
    metrics: str

    @property
    def url(self) -> str:
        """Where this one process is reached."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(kw_only=True)
class Agency:
    """The controller's side, as a test moves it. ``public_url``: what processors call; ``gates``: those running, the first one there."""

    postgres: EmbeddedPostgres
    folder: Path
    ledger_name: str
    register_name: str
    public_url: str
    gates: list[Gate] = field(default_factory=list)
    offset: timedelta = timedelta(0)

    @property
    def installation(self) -> settings.Installation:
        """The installation folder as loaded."""
        return settings.load(self.folder, {}, {})

    # ── its databases ────────────────────────────────────────────────────────────────────────────────────────────────────────
    @asynccontextmanager
    async def connected(self, role: str = "ecluse_owner") -> AsyncIterator[asyncpg.Connection]:
        """Connect as one of our roles."""
        installation = self.installation
        with install.databases(installation) as reached:
            connection = await install.connect(installation, reached, role)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def administered(self, database: str) -> AsyncIterator[asyncpg.Connection]:
        """Connect as the database administrator to ``ledger``, ``register`` or any other database."""
        name = {"ledger": self.ledger_name, "register": self.register_name}.get(database, database)
        connection = await asyncpg.connect(self.postgres.superuser_dsn(name))
        try:
            yield connection
        finally:
            await connection.close()

    async def fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Read as the owner."""
        async with self.connected() as connection:
            return list(await connection.fetch(statement, *values))

    async def execute(self, statement: str, *values: object) -> None:
        """Write as the owner."""
        async with self.connected() as connection:
            await connection.execute(statement, *values)

    async def change_register(self, statement: str, *values: object) -> None:
        """Write to the register as the controller does."""
        async with self.administered("register") as connection:
            await connection.execute(statement, *values)

    @asynccontextmanager
    async def without(self, database: str) -> AsyncIterator[None]:
        """Take ``ledger`` or ``register`` away: no new connection, and the present ones ended."""
        name = {"ledger": self.ledger_name, "register": self.register_name}[database]
        async with self.administered("postgres") as keeper:
            await keeper.execute(f"alter database {name} allow_connections false")
            await keeper.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
            try:
                yield
            finally:
                await keeper.execute(f"alter database {name} allow_connections true")

    # ── its clock ────────────────────────────────────────────────────────────────────────────────────────────────────────────
    async def set_clock_offset(self, offset: timedelta) -> None:
        """Let the database's clock run ahead of (or behind) the system's; the head's memory of it is left alone."""
        await self._set_clock(f"clock_timestamp() + interval ''{offset // timedelta(microseconds=1)} microseconds''")

    async def stop_clock(self, at: datetime) -> None:
        """Let the database's clock stand still at an instant."""
        await self._set_clock(f"timestamptz ''{at.astimezone(UTC).isoformat()}''")

    async def reset_clock(self) -> None:
        """Go back to the clock of the beginning, and make the head forget what it saw meanwhile."""
        await self.set_clock_offset(self.offset)
        await self.execute("update ecluse.ledger_head set last_at = ecluse.clock() where last_at > ecluse.clock()")

    async def _set_clock(self, expression: str) -> None:
        await self.execute(
            f"create or replace function ecluse.clock() returns timestamptz language sql volatile as 'select {expression}'"
        )

    async def now(self) -> datetime:
        """Read the database's clock."""
        at: datetime = (await self.fetch("select ecluse.clock() as at"))[0]["at"]
        return at

    # ── its processors ───────────────────────────────────────────────────────────────────────────────────────────────────────
    async def bind(self, *, agents: int = 1, machines: int = 1, **terms: Any) -> Party:
        """Add a processor of a fresh name with its contract (`contract_text` takes ``terms``), agents and machines."""
        name = f"proc-{secrets.token_hex(4)}"
        async with self.connected("ecluse_app") as app:
            await add_processor(app, log_id=1, processor=name, name=name, actor="cli:test")
            people = [
                (await add_agent(app, log_id=1, processor=name, label=f"{MARK}agent{n}", actor="cli:test"))[0]
                for n in range(agents)
            ]
        clients = [await self.machine(name) for _ in range(machines)]
        await self.apply(contract_text(name, **terms))
        return Party(name=name, agents=tuple(people), machines=tuple(clients))

    async def machine(self, processor: str | None, role: str = "scheduler") -> Machine:
        """Register a machine with a key of its own: a processor's, or (None) one in another ``role``."""
        key = ECKey.generate_key("P-256")
        public = parse_public_jwk(key.as_dict(private=False))
        async with self.connected("ecluse_app") as app:
            client, _ = await add_client(
                app, log_id=1, processor=processor, label="machine", key=public, actor="cli:test", role=role
            )
        return Machine(id=client, key=key)

    async def hold(self, scope: str, target: str, effect: str = "suspend", **span: datetime) -> tuple[str, int]:
        """Place a hold; return its id and the index of its entry."""
        async with self.connected("ecluse_app") as app:
            hold, sealed = await place_hold(
                app,
                log_id=1,
                scope=scope,
                target=target,
                effect=effect,
                reason="a test",
                actor="cli:test",
                register=parse_register(register_toml()),
                **span,
            )
        return hold, sealed.index

    async def revoke(self, machine: Machine) -> None:
        """Revoke a machine's key."""
        async with self.connected("ecluse_app") as app:
            await revoke_key(app, log_id=1, client=machine.id, thumbprint=machine.key.thumbprint(), actor="cli:test")

    async def release(self, hold: str) -> None:
        """End a hold."""
        async with self.connected("ecluse_app") as app:
            await release_hold(app, log_id=1, hold=hold, actor="cli:test")

    async def apply(self, text: str) -> None:
        """Put a contract in force."""
        mapped = {name: attribute.type for name, attribute in parse_register(register_toml()).attributes.items()}
        async with self.connected("ecluse_app") as app:
            await apply_contract(app, log_id=1, text=text, attributes=mapped, actor="cli:test")

    async def meeting(
        self,
        party: Party,
        persons: Sequence[int],
        *,
        begins_in: timedelta = timedelta(hours=1),
        ref: str = "S1",
        purpose: str = "civic-training",
    ) -> Meeting:
        """Describe a session of two hours that begins ``begins_in`` from now, in whole seconds."""
        starts_at = (await self.now() + begins_in).replace(microsecond=0)
        return Meeting(
            party=party,
            ref=ref,
            persons=tuple(persons),
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=2),
            purpose=purpose,
        )

    async def schedule(self, *meetings: Meeting, cancelled: Sequence[int] = ()) -> dict[int, str]:
        """Import the sessions of one processor as they are described; return the handle of each person (of the last session, if in several)."""
        party = meetings[0].party
        rows = [
            f"plan-{party.name},{m.ref},P{n},ofii:{n},{m.purpose},{party.name},large,room-{m.ref},{m.starts_at:%Y-%m-%dT%H:%M:%SZ},{m.ends_at:%Y-%m-%dT%H:%M:%SZ},"
            f"{party.agent},{'cancelled' if n in cancelled else 'planned'}"
            for m in meetings
            for n in m.persons
        ]
        installation = self.installation
        url = settings.with_user(installation.settings.database.url, "ecluse_app", installation.secret("db-app.password"))
        pool = await open_pool(url, size=1, name="test")
        try:
            report = await import_schedule(
                pool, file_bytes="\n".join([_HEADER, *rows]).encode(), kind="csv", actor="cli:test", dry_run=False, register=parse_register(register_toml()),
                zone=installation.settings.zone,
            )  # fmt: skip
        finally:
            await pool.close()
        assert isinstance(report, ImportApplied), report
        found = await self.fetch(
            "select a.subject_ref, a.id from ecluse.appointment a join ecluse.session s on s.id = a.session_id "
            "where a.processor_id = $1 and s.session_ref = any($2::text[]) order by s.starts_at",
            party.name,
            [m.ref for m in meetings],
        )
        return {int(row["subject_ref"].removeprefix("ofii:")): row["id"] for row in found}

    # ── its ledger ───────────────────────────────────────────────────────────────────────────────────────────────────────────
    async def openings(self, *, since: int = 0) -> list[dict[str, Any]]:
        """Return what was sealed from an index on, as the controller may read it: ``index`` and the fields of each entry."""
        rows = await self.fetch("select index, fields from ecluse.opening where log_id = 1 and index >= $1 order by index", since)
        return [{"index": row["index"], **dict(fields_of(row["fields"]))} for row in rows]

    async def size(self) -> int:
        """Return how many entries the head counts."""
        size: int = (await self.fetch("select size from ecluse.ledger_head where log_id = 1"))[0]["size"]
        return size

    # ── its gates ────────────────────────────────────────────────────────────────────────────────────────────────────────────
    def start_gate(self, **options: object) -> Gate:
        """Start one more gate on the same installation and wait until it answers. ``options``: settings, ``__`` for the dot of their names."""
        port = _port_of(self.public_url) if not self.gates else _free_port()
        log = self.folder / f"gate-{port}.log"
        metrics = f"127.0.0.1:{_free_port()}"
        # hundreds of refusals a minute are what tests are for: each is sealed, unless a test wants the limit
        given = {"port": port, "metrics": metrics, "door.refusals_per_minute": 1_000_000}
        given |= {name.replace("__", "."): value for name, value in options.items()}
        process = gate_process.start(self.folder, given, log)
        gate = Gate(process=process, port=port, log=log, metrics=f"http://{metrics}/metrics")
        self.gates.append(gate)
        deadline = time.monotonic() + 150  # a loaded machine takes its time to import
        while process.is_alive() and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return gate
            time.sleep(0.02)
        raise AssertionError(log.read_text(encoding="utf-8"))

    def stop_gate(self, gate: Gate) -> None:
        """Stop a gate as an operator does."""
        self.gates.remove(gate)
        gate.process.terminate()
        gate.process.join(20)
        stuck = gate.process.is_alive()
        gate.process.kill()
        gate.process.join()
        assert not stuck, gate.log.read_text(encoding="utf-8")


@contextmanager
def founded(postgres: EmbeddedPostgres, folder: Path, *, gate: bool = True) -> Iterator[Agency]:
    """Found an agency in ``folder`` with its own two databases; all of it is gone at the end."""
    word = secrets.token_hex(4)
    names = f"ledger_{word}", f"register_{word}"
    agency = asyncio.run(_found(postgres, folder, *names))
    try:
        if gate:
            agency.start_gate()
        yield agency
    finally:
        for running in list(agency.gates):
            agency.stop_gate(running)
        asyncio.run(drop(postgres, *names))


async def _found(postgres: EmbeddedPostgres, folder: Path, ledger: str, register: str) -> Agency:
    """Write the installation, create its databases, and open its log."""
    port, socket_folder = _free_port(), postgres.socket_folder
    public_url = f"http://127.0.0.1:{port}"
    words: dict[str, str | int] = {
        "public_url": public_url, "host": "127.0.0.1", "port": port, "name": "Agency", "timezone": "Europe/Paris",
        "database_url": f"postgresql:///{ledger}?host={socket_folder}", "register_url": f"postgresql:///{register}?host={socket_folder}",
    }  # fmt: skip
    install.create(folder, words, register_toml())
    for role, password in _PASSWORDS.items():
        path = folder / "keys" / f"db-{'register' if role == install.REGISTER_ROLE else role.removeprefix('ecluse_')}.password"
        path.write_text(password + "\n", encoding="utf-8")
    await create_installed(postgres, ledger, {role: _PASSWORDS[role] for role in LOGIN_ROLES})
    await postgres.ensure_role(install.REGISTER_ROLE, _PASSWORDS[install.REGISTER_ROLE])
    admin = await asyncpg.connect(await postgres.create_database(register))
    await admin.execute(TABLES)
    await admin.close()
    agency = Agency(postgres=postgres, folder=folder, ledger_name=ledger, register_name=register, public_url=public_url)
    # NOTE(why): budgets are counted by the clock hour; no test may begin in one hour and end in the next.
    if datetime.now(UTC).minute >= 50:
        agency.offset = timedelta(minutes=15)
        await agency.set_clock_offset(agency.offset)
    installation = agency.installation
    with install.databases(installation) as reached:
        await install.open_log(installation, reached, name="main", origin=ORIGIN, actor="cli:test")
    return agency


def _free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _port_of(url: str) -> int:
    """Return the port of an address that has one."""
    return int(url.rpartition(":")[2])
