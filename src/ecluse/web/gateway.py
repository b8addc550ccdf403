"""What a serving process holds, built once at start: pools, register, door, keys and checkers. Everything a handler needs, passed explicitly.

`build` refuses to start on loose key files, a strong database role or a log that was never opened. `Gateway.close` lets what is under way finish.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import asyncpg
import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from ecluse import ids
from ecluse.db import (
    LOST,
    Connection,
    DatabaseUnavailable,
    Pool,
    keep_session,
    open_pool,
    pooled,
    refuse_loose_commits,
    refuse_other_schema,
    refuse_pooler,
    refuse_strong_role,
    refuse_writer,
    trying,
)
from ecluse.disclosure import Door
from ecluse.disclosure.store import note_floods
from ecluse.errors import ConfigurationError
from ecluse.evidence.vault import KEY_FILE as EVIDENCE_KEY
from ecluse.evidence.vault import Vault
from ecluse.flows.service import keep_folding
from ecluse.identity import PrivateKey, ProofChecker, PublicKey, server_metadata
from ecluse.identity.accounts import keep_people
from ecluse.identity.passkeys import Site, site_of
from ecluse.install import LOG_ID, authority_of, signer_of
from ecluse.ledger.anchor import Anchoring
from ecluse.ledger.erase import Eraser
from ecluse.ledger.integrate import Integrator
from ecluse.ledger.witnesses import Witnesses
from ecluse.notices.send import Office as TellingOffice
from ecluse.notices.send import Postman, mailbox_of
from ecluse.outcomes.deliver import Courier
from ecluse.outcomes.signature import load_webhook_key
from ecluse.register import AttributeType, RegisterMap, parse_register
from ecluse.register.store import SESSION_SETTINGS, Register
from ecluse.settings import Installation, Settings, with_user
from ecluse.usage.model import Office
from ecluse.usage.service import Reading, keep_house
from ecluse.web.keyfiles import LiveFingerprintKeys, LiveTokenKeys

JOBS_POOL: Final = 4
READER_POOL: Final = 4
_FLOODS_EVERY_SECONDS: Final = 15
_LOGS: Final = "select g.id, g.name, g.origin, ecluse.current_log(g.id) as current from ecluse.ledger_log g order by g.id"
HttpRequest: TypeAlias = Request[Any, Any, Any]
"""A request of the framework; we use none of its user, auth or state."""


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """One serving process. ``attributes``: the register's attributes and their types.

    ``reader``: a pool that reads everything and changes nothing, for the console's pages. ``folder``: of the installation, for what papers say beside it.
    ``desk_proofs``, ``site``: the pages' own address, for proofs of desk keys and for passkeys.

    ``leaving``: the process was told to end, and lets finish what is under way; ``stop``: its workers end, too.

    ``log_id``, ``origin``: the log that it writes, found at its start. ``logs``, ``origins``: the number by name, and the origin by number, of every log that
    it serves, those that were succeeded too.
    """

    settings: Settings
    folder: Path
    pool: Pool
    reader: Pool
    register_pool: Pool
    jobs_pool: Pool | None
    reading: Reading
    witnesses: Witnesses | None
    register_map: RegisterMap
    attributes: Mapping[str, AttributeType]
    door: Door
    vault: Vault
    proofs: ProofChecker
    desk_proofs: ProofChecker
    site: Site
    tokens: LiveTokenKeys
    webhook_key: PublicKey
    origin: str
    log_id: int
    logs: Mapping[str, int]
    origins: Mapping[int, str]
    stop: asyncio.Event
    leaving: asyncio.Event
    workers: tuple[asyncio.Task[None], ...]

    async def close(self) -> None:
        """Finish what is under way, then let go of the databases."""
        await self.door.close()
        self.stop.set()
        await asyncio.gather(*self.workers, return_exceptions=True)
        for pool in (self.pool, self.reader, self.register_pool, self.reading.usage, self.jobs_pool):
            if pool is not None:
                with contextlib.suppress(*LOST):
                    await asyncio.wait_for(pool.close(), timeout=5)


Served = NamedDependency[SkipValidation[Gateway]]
"""The gateway as a handler's parameter: the framework hands it over and looks no further."""


async def build(installation: Installation, database_url: str, register_url: str) -> Gateway:
    """Open everything. ``database_url`` and ``register_url``: without user or password. Raises `ConfigurationError`, `DatabaseUnavailable`."""
    async with contextlib.AsyncExitStack() as undo:
        gateway = await _build(installation, database_url, register_url, undo)
        undo.pop_all()
    return gateway


@contextlib.asynccontextmanager
async def _checking(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection of a new pool for its checks; what they refuse is let go of."""
    try:
        async with pool.acquire() as connection:
            yield connection
    except BaseException:  # a cancelled start too: the pool would be nobody's
        pool.terminate()
        raise


async def _build(installation: Installation, database_url: str, register_url: str, undo: contextlib.AsyncExitStack) -> Gateway:
    """Open everything; ``undo`` lets go of what was opened before a refusal."""
    settings = installation.settings
    installation.refuse_loose_files()
    tokens, fingerprints = (
        LiveTokenKeys(installation, server_metadata(settings.public_url).issuer),
        LiveFingerprintKeys(installation),
    )
    vault = Vault(installation.versioned(EVIDENCE_KEY))
    webhook_key = load_webhook_key(installation.secret("webhook.key"))
    register_map = read_register_map(installation)
    attributes = {name: attribute.type for name, attribute in register_map.attributes.items()}
    pool, logs = await _open_ledger(installation, database_url)
    log = logs[logs[LOG_ID]["current"]]
    undo.callback(pool.terminate)
    register_pool = await open_register_pool(installation, register_url)
    undo.callback(register_pool.terminate)
    reading = await _open_records(installation, database_url, pool, register_map, log["id"])
    undo.callback(reading.usage.terminate)
    reader = await _open_reader(installation, database_url)
    undo.callback(reader.terminate)
    door = Door(
        pool, Register(register_pool, register_map), attributes, fingerprints, settings.zone, log_id=log["id"],
        limits=settings.door, uncosigned_for=settings.ledger.max_uncosigned_frozen, random_bytes=ids.random_bytes, new_id=ids.new_id,
    )  # fmt: skip
    stop = asyncio.Event()
    jobs_pool, witnesses, workers = await _start_workers(installation, database_url, log, webhook_key, attributes, stop)
    return Gateway(
        settings=settings,
        folder=installation.folder,
        pool=pool,
        reader=reader,
        register_pool=register_pool,
        jobs_pool=jobs_pool,
        reading=reading,
        witnesses=witnesses,
        register_map=register_map,
        attributes=attributes,
        door=door,
        vault=vault,
        proofs=ProofChecker(settings.public_url),
        desk_proofs=ProofChecker(settings.pages),
        site=site_of(settings.pages, settings.controller.name),
        tokens=tokens,
        webhook_key=webhook_key.public,
        origin=log["origin"],
        log_id=log["id"],
        logs={row["name"]: number for number, row in logs.items()},
        origins={number: row["origin"] for number, row in logs.items()},
        stop=stop,
        leaving=asyncio.Event(),
        workers=workers,
    )


async def _open_ledger(installation: Installation, database_url: str) -> tuple[Pool, dict[int, asyncpg.Record]]:
    """Open the gate's own pool, and find the logs."""
    size = installation.settings.database.pool
    pool = await open_pool(with_user(database_url, "ecluse_app"), installation.passwords("app"), size=size, name="gate")
    async with _checking(pool) as connection:
        await refuse_pooler(connection, "database.url")
        await refuse_strong_role(connection)
        await refuse_other_schema(connection)
        await refuse_loose_commits(connection)
        logs = {row["id"]: row for row in await connection.fetch(_LOGS)}
        if LOG_ID not in logs:
            raise ConfigurationError("ledger", "the log was never opened", "Run `ecluse ledger init`")
    return pool, logs


def read_register_map(installation: Installation) -> RegisterMap:
    """Read ``register.toml``."""
    path = installation.folder / "register.toml"
    try:
        return parse_register(path.read_text(encoding="utf-8"))
    except OSError as missing:
        raise ConfigurationError(
            str(path), "the register is not mapped", "Write register.toml; `ecluse doctor` checks it"
        ) from missing


async def open_register_pool(installation: Installation, register_url: str) -> Pool:
    """Open the read-only pool on the controller's register."""
    source = installation.settings.register
    timeout = source.timeout_seconds
    try:
        pool = await asyncpg.create_pool(
            with_user(register_url, "register_reader"),
            connect=trying(installation.passwords("register")),
            min_size=source.pool,
            max_size=source.pool,
            max_inactive_connection_lifetime=0,
            command_timeout=timeout + 0.5,
            reset=keep_session,
            server_settings={
                **SESSION_SETTINGS,
                "application_name": "ecluse-register",
                "statement_timeout": str(int(timeout * 1000)),
            },
        )
    except asyncpg.ProtocolViolationError as strange:
        raise pooled("register.url") from strange
    except LOST as lost:
        raise DatabaseUnavailable("the register does not answer") from lost
    async with _checking(pool) as connection:
        await refuse_pooler(connection, "register.url")
        await refuse_strong_role(connection)
        await refuse_writer(connection)
    return pool


async def _open_records(
    installation: Installation, database_url: str, app: Pool, register_map: RegisterMap, log_id: int
) -> Reading:
    """Open what reads a person's record: a small pool of a role that may do nothing else."""
    settings = installation.settings
    address = with_user(database_url, "ecluse_usage")
    pool = await open_pool(address, installation.passwords("usage"), size=settings.usage.pool, name="usage")
    async with _checking(pool) as connection:
        await refuse_strong_role(connection)
    office = Office(controller=settings.controller.name, register=register_map.name)
    return Reading(usage=pool, app=app, office=office, log_id=log_id, limit=settings.usage.looks_per_minute)


async def _open_reader(installation: Installation, database_url: str) -> Pool:
    """Open what the console's pages read with: a small pool of a role that may look at everything and change nothing."""
    address = with_user(database_url, "ecluse_reader")
    pool = await open_pool(address, installation.passwords("reader"), size=READER_POOL, name="reader", read_only=True)
    async with _checking(pool) as connection:
        await refuse_strong_role(connection)
    return pool


async def _start_workers(
    installation: Installation,
    database_url: str,
    log: asyncpg.Record,
    webhook_key: PrivateKey,
    attributes: Mapping[str, AttributeType],
    stop: asyncio.Event,
) -> tuple[Pool | None, Witnesses | None, tuple[asyncio.Task[None], ...]]:
    """Start the integrator, and what else one process of the installation does, where this process may hold the log's key."""
    if not installation.settings.ledger.sign:
        return None, None, ()
    authority, box = authority_of(installation), mailbox_of(installation)
    pool = await open_pool(with_user(database_url, "ecluse_jobs"), installation.passwords("jobs"), size=JOBS_POOL, name="jobs")
    async with _checking(pool) as connection:
        await refuse_strong_role(connection)
    signer = signer_of(installation, log["id"], log["origin"])
    courier = Courier(pool, webhook_key, installation.settings.outcomes.webhook, log_id=log["id"])
    kept, zone = installation.settings.retention, installation.settings.zone
    eraser = Eraser(pool, log_id=log["id"], months=kept.openings_months, hour=kept.hour, zone=zone)
    limits = installation.settings.ledger
    witnesses = Witnesses(pool, log_id=log["id"], warn_after=limits.max_uncosigned, freeze_after=limits.max_uncosigned_frozen)
    telling = TellingOffice(controller=installation.settings.controller.name, zone=zone, attributes=attributes)
    workers = (
        asyncio.create_task(Integrator(pool, signer, log_id=log["id"], published=witnesses.wake).run(stop)),
        asyncio.create_task(witnesses.run(stop)),
        *([asyncio.create_task(Anchoring(pool, authority, log_id=log["id"]).run(stop))] if authority is not None else []),
        asyncio.create_task(courier.run(stop)),
        *([asyncio.create_task(Postman(pool, box, telling).run(stop))] if box is not None else []),
        asyncio.create_task(eraser.run(stop)),
        asyncio.create_task(_note_floods(pool, log["id"], stop)),
        asyncio.create_task(keep_house(pool, log["id"], stop)),
        asyncio.create_task(keep_folding(pool, stop)),
        asyncio.create_task(keep_people(pool, stop)),
    )
    return pool, witnesses, workers


async def _note_floods(pool: Pool, log_id: int, stop: asyncio.Event) -> None:
    """Seal how many refusals were only counted, until ``stop``."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _FLOODS_EVERY_SECONDS)
        await note_floods(pool, log_id)


def raw(status: int, fields: Iterable[tuple[bytes, bytes]], body: bytes | None) -> Response[Any]:
    """Answer with bytes that are rendered already."""
    return Response(content=body, status_code=status, headers={name.decode(): value.decode() for name, value in fields})
