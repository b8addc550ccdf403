"""What a serving process holds, built once at start: pools, register, door, keys and checkers. Everything a handler needs, passed explicitly.

`build` refuses to start on loose key files, a strong database role or a log that was never opened. `Gateway.close` lets what is under way finish.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import asyncpg
import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from ecluse import ids
from ecluse.db import LOST, DatabaseUnavailable, Pool, keep_session, open_pool, refuse_loose_commits, refuse_strong_role
from ecluse.disclosure import Door, FingerprintKey
from ecluse.errors import ConfigurationError
from ecluse.identity import ProofChecker, PublicKey, TokenChecker, TokenIssuer, load_private, server_metadata
from ecluse.ledger.integrate import Integrator
from ecluse.ledger.sign import Signer, load_log_key
from ecluse.register import AttributeType, RegisterMap, parse_register
from ecluse.register.store import SESSION_SETTINGS, Register
from ecluse.settings import Installation, Settings, with_user

LOG_ID: Final = 1
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
    tokens: TokenChecker
    issuer: TokenIssuer
    token_key: PublicKey
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
    settings = installation.settings
    register_map = read_register_map(installation)
    attributes = {name: attribute.type for name, attribute in register_map.attributes.items()}
    pool = await open_pool(
        with_user(database_url, "ecluse_app", installation.secret("db-app.password")), size=settings.database.pool, name="gate"
    )
    async with pool.acquire() as connection:
        await refuse_strong_role(connection)
        await refuse_loose_commits(connection)
        origin = await connection.fetchval("select origin from ecluse.ledger_log where id = $1::smallint", LOG_ID)
    if origin is None:
        raise ConfigurationError("ledger", "the log was never opened", "Run `ecluse ledger init`")
    register_pool = await open_register_pool(installation, register_url)
    door = Door(
        pool, Register(register_pool, register_map), attributes, fingerprint_keys(installation), settings.zone, log_id=LOG_ID,
        batch=settings.door.batch, queue=settings.door.queue, flights=settings.door.flights, random_bytes=ids.random_bytes, new_id=ids.new_id,
    )  # fmt: skip
    token_key = load_private(installation.secret("token.key").encode())
    issuer = server_metadata(settings.public_url).issuer
    stop = asyncio.Event()
    jobs_pool, workers = await _start_workers(installation, database_url, origin, stop)
    return Gateway(
        settings=settings,
        pool=pool,
        register_pool=register_pool,
        jobs_pool=jobs_pool,
        register_map=register_map,
        attributes=attributes,
        door=door,
        proofs=ProofChecker(settings.public_url),
        tokens=TokenChecker([token_key.public], issuer, issuer),
        issuer=TokenIssuer(token_key, issuer, issuer),
        token_key=token_key.public,
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


def fingerprint_keys(installation: Installation) -> dict[int, FingerprintKey]:
    """Read ``keys/fingerprint.key``: lines of ``version:64 hex``, the highest version being in use."""
    keys: dict[int, FingerprintKey] = {}
    try:
        for line in installation.secret("fingerprint.key").split("\n"):
            version, _, secret = line.partition(":")
            keys[int(version)] = FingerprintKey(version=int(version), secret=bytes.fromhex(secret))
    except ValueError as bad:
        raise ConfigurationError("keys/fingerprint.key", "a line is not version:hex", "Restore it from your safe") from bad
    if any(len(key.secret) != 32 for key in keys.values()):
        raise ConfigurationError("keys/fingerprint.key", "a secret is not of 32 bytes", "Restore it from your safe")
    return keys


async def open_register_pool(installation: Installation, register_url: str) -> Pool:
    """Open the read-only pool on the controller's register."""
    source = installation.settings.register
    timeout = source.timeout_seconds
    try:
        pool = await asyncpg.create_pool(
            with_user(register_url, "register_reader", installation.secret("db-register.password")),
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
    except LOST as lost:
        raise DatabaseUnavailable("the register does not answer") from lost
    async with pool.acquire() as connection:
        await refuse_strong_role(connection)
    return pool


async def _start_workers(
    installation: Installation, database_url: str, origin: str, stop: asyncio.Event
) -> tuple[Pool | None, tuple[asyncio.Task[None], ...]]:
    """Start the integrator where this process may hold the log's key."""
    if not installation.settings.ledger.sign:
        return None, ()
    pool = await open_pool(with_user(database_url, "ecluse_jobs", installation.secret("db-jobs.password")), size=2, name="jobs")
    signer = Signer(installation.state / "log.checkpoint", origin, load_log_key(installation.secret("log.key")))
    return pool, (asyncio.create_task(Integrator(pool, signer, log_id=LOG_ID).run(stop)),)


def raw(status: int, fields: Iterable[tuple[bytes, bytes]], body: bytes | None) -> Response[Any]:
    """Answer with bytes that are rendered already."""
    return Response(content=body, status_code=status, headers={name.decode(): value.decode() for name, value in fields})
