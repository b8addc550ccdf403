"""What a serving process holds, built once at start: pools, register, door, keys and checkers. Everything a handler needs, passed explicitly.

`build` refuses to start on loose key files, a strong database role or a log that was never opened. `Gateway.close` lets what is under way finish.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
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
from ecluse.identity import PrivateKey, ProofChecker, PublicKey, server_metadata
from ecluse.ledger.integrate import Integrator
from ecluse.ledger.sign import Signer, load_log_key
from ecluse.outcomes.deliver import Courier
from ecluse.outcomes.signature import load_webhook_key
from ecluse.register import AttributeType, RegisterMap, parse_register
from ecluse.register.store import SESSION_SETTINGS, Register
from ecluse.settings import Installation, Settings, with_user
from ecluse.web.keyfiles import LiveFingerprintKeys, LiveTokenKeys

LOG_ID: Final = 1
JOBS_POOL: Final = 4
_FLOODS_EVERY_SECONDS: Final = 15
HttpRequest: TypeAlias = Request[Any, Any, Any]
"""A request of the framework; we use none of its user, auth or state."""


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """One serving process. ``attributes``: the register's attributes and their types; ``origin``: the log's name."""

    settings: Settings
    pool: Pool
    register_pool: Pool
    jobs_pool: Pool | None
    register_map: RegisterMap
    attributes: Mapping[str, AttributeType]
    door: Door
    proofs: ProofChecker
    tokens: LiveTokenKeys
    webhook_key: PublicKey
    origin: str
    stop: asyncio.Event
    workers: tuple[asyncio.Task[None], ...]

    async def close(self) -> None:
        """Finish what is under way, then let go of the databases."""
        await self.door.close()
        self.stop.set()
        await asyncio.gather(*self.workers, return_exceptions=True)
        for pool in (self.pool, self.register_pool, self.jobs_pool):
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
    webhook_key = load_webhook_key(installation.secret("webhook.key"))
    register_map = read_register_map(installation)
    attributes = {name: attribute.type for name, attribute in register_map.attributes.items()}
    pool = await open_pool(
        with_user(database_url, "ecluse_app"), installation.passwords("app"), size=settings.database.pool, name="gate"
    )
    async with _checking(pool) as connection:
        await refuse_pooler(connection, "database.url")
        await refuse_strong_role(connection)
        await refuse_other_schema(connection)
        await refuse_loose_commits(connection)
        origin = await connection.fetchval("select origin from ecluse.ledger_log where id = $1::smallint", LOG_ID)
        if origin is None:
            raise ConfigurationError("ledger", "the log was never opened", "Run `ecluse ledger init`")
    undo.callback(pool.terminate)
    register_pool = await open_register_pool(installation, register_url)
    undo.callback(register_pool.terminate)
    door = Door(
        pool, Register(register_pool, register_map), attributes, fingerprints, settings.zone, log_id=LOG_ID,
        limits=settings.door, random_bytes=ids.random_bytes, new_id=ids.new_id,
    )  # fmt: skip
    stop = asyncio.Event()
    jobs_pool, workers = await _start_workers(installation, database_url, origin, webhook_key, stop)
    return Gateway(
        settings=settings,
        pool=pool,
        register_pool=register_pool,
        jobs_pool=jobs_pool,
        register_map=register_map,
        attributes=attributes,
        door=door,
        proofs=ProofChecker(settings.public_url),
        tokens=tokens,
        webhook_key=webhook_key.public,
        origin=origin,
        stop=stop,
        workers=workers,
    )


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


async def _start_workers(
    installation: Installation, database_url: str, origin: str, webhook_key: PrivateKey, stop: asyncio.Event
) -> tuple[Pool | None, tuple[asyncio.Task[None], ...]]:
    """Start the integrator, and what else one process of the installation does, where this process may hold the log's key."""
    if not installation.settings.ledger.sign:
        return None, ()
    pool = await open_pool(with_user(database_url, "ecluse_jobs"), installation.passwords("jobs"), size=JOBS_POOL, name="jobs")
    async with _checking(pool) as connection:
        await refuse_strong_role(connection)
    signer = Signer(installation.state / "log.checkpoint", origin, load_log_key(installation.secret("log.key")))
    courier = Courier(pool, webhook_key, installation.settings.outcomes.webhook, log_id=LOG_ID)
    return pool, (
        asyncio.create_task(Integrator(pool, signer, log_id=LOG_ID).run(stop)),
        asyncio.create_task(courier.run(stop)),
        asyncio.create_task(_note_floods(pool, stop)),
    )


async def _note_floods(pool: Pool, stop: asyncio.Event) -> None:
    """Seal how many refusals were only counted, until ``stop``."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _FLOODS_EVERY_SECONDS)
        await note_floods(pool, LOG_ID)


def raw(status: int, fields: Iterable[tuple[bytes, bytes]], body: bytes | None) -> Response[Any]:
    """Answer with bytes that are rendered already."""
    return Response(content=body, status_code=status, headers={name.decode(): value.decode() for name, value in fields})
