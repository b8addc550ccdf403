"""Making an installation, and reaching its databases.

An installation is a folder: ``ecluse.toml``, ``register.toml``, ``contracts/``, ``keys/`` (0700, files 0600), ``state/`` and, without a ``database.url``, the
embedded database in ``db/``. Creating is its own act (`create`, `open_log`); loading never creates.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ecluse import db, ids
from ecluse.db import DatabaseUnavailable
from ecluse.embedded import EmbeddedPostgres
from ecluse.errors import ConfigurationError
from ecluse.evidence.store import documents_kept
from ecluse.evidence.vault import KEY_FILE as EVIDENCE_KEY
from ecluse.evidence.vault import Vault
from ecluse.identity import generate_private
from ecluse.ledger.authority import Authority, load_roots
from ecluse.ledger.errors import AnchorRefused
from ecluse.ledger.fields import Event
from ecluse.ledger.service import Control, seal_control
from ecluse.ledger.sign import Signer, create_state, load_log_key
from ecluse.settings import Installation, with_user

LOG_ID: Final = 1
REGISTER_ROLE: Final = "register_reader"
_TOML: Final = """\
# Écluse installation. Every setting: docs/operator-guide.md
public_url = {public_url}
host = {host}
port = {port}

[controller]
name = {name}
timezone = {timezone}
# address, contact, reach, dpo: what papers say of the controller (docs/papers.md)

[database]
url = {database_url}      # empty: the embedded PostgreSQL (evaluation only)

[register]
url = {register_url}
"""


_LOG: Final = "insert into ecluse.ledger_log (id, name, origin, vkey, created_at) values ($1, $2, $3, $4, ecluse.clock())"
_HEAD: Final = "insert into ecluse.ledger_head (log_id, size, control_seq, last_at) values ($1, 0, $2, ecluse.clock())"


class Databases(msgspec.Struct, frozen=True, kw_only=True):
    """Where the databases of a running installation are. Addresses without user or password; ``embedded`` None: they are elsewhere."""

    database_url: str
    register_url: str
    embedded: EmbeddedPostgres | None


def create(folder: Path, settings: Mapping[str, str | int], register_toml: str) -> None:
    """Write a new installation's files and keys. Refuses a folder that holds one. ``settings``: the places of the template."""
    if (folder / "ecluse.toml").exists():
        raise ConfigurationError(str(folder), "there is an installation already", "Choose another folder with --dir")
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder.chmod(0o755)
    for name in ("keys", "state", "contracts", "policies"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    write_secret(folder / "keys" / "log.key", new_log_key())
    write_secret(folder / "keys" / "token.key", generate_private("ES256").decode())
    write_secret(folder / "keys" / "webhook.key", generate_private("ES256").decode())
    for name in ("fingerprint.key", EVIDENCE_KEY):
        write_secret(folder / "keys" / name, f"1:{ids.random_bytes(32).hex()}\n")
    for role in (*db.LOGIN_ROLES, REGISTER_ROLE):
        write_secret(folder / "keys" / f"db-{_short(role)}.password", ids.random_bytes(24).hex() + "\n")
    quoted = {name: msgspec.json.encode(value).decode() for name, value in settings.items()}
    for name, text in (("register.toml", register_toml), ("ecluse.toml", _TOML.format(**quoted))):
        path = folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)  # whatever the umask: `serve` refuses settings that others may change


def new_log_key() -> str:
    """Make a key for a log and return its PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _short(role: str) -> str:
    """Return how a role is called in ``keys/``."""
    return "register" if role == REGISTER_ROLE else role.removeprefix("ecluse_")


def write_secret(path: Path, text: str) -> None:
    """Write a new file that only its owner may read; refuse to overwrite one."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


@contextmanager
def databases(installation: Installation) -> Iterator[Databases]:
    """Reach the databases; where they are embedded, start them for as long as this lasts, or attach to the running ones."""
    settings = installation.settings
    if settings.database.url:
        yield Databases(database_url=settings.database.url, register_url=settings.register.url, embedded=None)
        return
    embedded = EmbeddedPostgres(installation.embedded, installation.keys)
    with embedded:
        socket = embedded.socket_folder
        yield Databases(
            database_url=f"postgresql:///ecluse?host={socket}",
            register_url=settings.register.url or f"postgresql:///register?host={socket}",
            embedded=embedded,
        )


def create_embedded(installation: Installation) -> None:
    """Create the embedded database's files (not its contents)."""
    EmbeddedPostgres(installation.embedded, installation.keys).create()


async def create_databases(installation: Installation, reached: Databases) -> None:
    """Create the two databases of an embedded installation, their roles and the schema."""
    if reached.embedded is None:
        raise AssertionError("impossible: only an embedded database is created here")
    admin = await reached.embedded.create_database("ecluse")
    await reached.embedded.create_database("register")
    await db.install(admin, {role: installation.secret(f"db-{_short(role)}.password") for role in db.LOGIN_ROLES})
    await reached.embedded.ensure_role(REGISTER_ROLE, installation.secret("db-register.password"))


def log_file(log_id: int, ending: str) -> str:
    """Name a file of one log in ``keys/`` or ``state/``: ``log.key``, ``log.next.key``, ``log.checkpoint``; ``log-2.key`` of the second."""
    return f"log.{ending}" if log_id == LOG_ID else f"log-{log_id}.{ending}"


def authority_of(installation: Installation) -> Authority | None:
    """Return who stamps checkpoints, None where none is configured. Raises `ConfigurationError` for the file of roots."""
    ledger = installation.settings.ledger
    if not ledger.anchor_url:
        return None
    try:
        roots = load_roots((installation.folder / ledger.anchor_roots).read_bytes())
    except (OSError, AnchorRefused) as bad:
        why = f"it can't be read ({bad.strerror if isinstance(bad, OSError) else bad})"
        raise ConfigurationError("ledger.anchor_roots", why, "Name a PEM file with the authority's root certificates") from bad
    return Authority(url=ledger.anchor_url, roots=roots, policy=ledger.anchor_policy)


def signer_of(installation: Installation, log_id: int, origin: str) -> Signer:
    """Return a log's signer, with its key and, while it changes keys, the next. Raises `ConfigurationError`, `KeyInvalid`."""

    def find() -> Iterator[Ed25519PrivateKey]:
        yield load_log_key(installation.secret(log_file(log_id, "key")))
        if (installation.keys / log_file(log_id, "next.key")).exists():
            yield load_log_key(installation.secret(log_file(log_id, "next.key")))

    return Signer(installation.state / log_file(log_id, "checkpoint"), origin, *find(), find=find)


async def create_log(
    installation: Installation, reached: Databases, *, log_id: int, name: str, origin: str, control_seq: int
) -> Signer:
    """Make a log's row, its head and its signer's memory; nothing is sealed in it yet. The only creator of a log: `open_log`, and what succeeds one."""
    signer = signer_of(installation, log_id, origin)
    owner = await connect(installation, reached, "ecluse_owner")
    try:
        async with owner.transaction():
            await owner.execute(_LOG, log_id, name, origin, signer.vkey)
            await owner.execute(_HEAD, log_id, control_seq)
            create_state(installation.state / log_file(log_id, "checkpoint"), signer.empty_note())
    finally:
        await owner.close()
    return signer


async def open_log(installation: Installation, reached: Databases, *, name: str, origin: str, actor: str) -> Control:
    """Begin the log of an installation: its row, its head, its signer's memory, and its first entry.

    ``origin``: the log's name for ever (C2SP tlog-checkpoint): no blanks, no ``+``.
    """
    signer = await create_log(installation, reached, log_id=LOG_ID, name=name, origin=origin, control_seq=0)
    app = await connect(installation, reached, "ecluse_app")
    try:
        return await seal_control(
            app,
            log_id=LOG_ID,
            event=Event.LOG_OPENED,
            act="log:open",
            actor=actor,
            target=origin,
            detail={"name": name, "vkey": signer.vkey},
            body={},
        )
    finally:
        await app.close()


async def open_vault(installation: Installation, connection: db.Connection) -> Vault:
    """Return what seals and opens documents. An installation of before there were any gets its key here, at first use.

    Raises `ConfigurationError` where the key is gone and documents are sealed under it: a new one would open none of them.
    """
    path = installation.keys / EVIDENCE_KEY
    if not path.exists():
        if await documents_kept(connection):
            why = "it is not there, and documents are sealed under it"
            raise ConfigurationError(
                f"keys/{EVIDENCE_KEY}", why, "Restore it from your safe, or copy it from the host that has it"
            )
        write_secret(path, f"1:{ids.random_bytes(32).hex()}\n")
    return Vault(installation.versioned(EVIDENCE_KEY))


async def connect(
    installation: Installation, reached: Databases, role: str, *, session: Mapping[str, str] | None = None
) -> asyncpg.Connection[asyncpg.Record]:
    """Open one connection as one of our roles (``register_reader`` to the register, the others to the ledger's database).

    ``session``: further settings of the session. Raises `DatabaseUnavailable`, or `ConfigurationError` where the server turns the role away.
    """
    url, name = (reached.register_url, "register.url") if role == REGISTER_ROLE else (reached.database_url, "database.url")
    if not url:
        raise ConfigurationError(name, "it is empty", "Write postgresql://host:port/name into ecluse.toml")
    key = f"db-{_short(role)}.password"
    try:
        connection = await db.trying(installation.passwords(_short(role)))(
            with_user(url, role), server_settings={"application_name": "ecluse-cli", "timezone": "UTC", **(session or {})}
        )
    except asyncpg.ProtocolViolationError as strange:
        raise db.pooled(name) from strange
    except db.LOST as lost:
        raise DatabaseUnavailable(f"nothing answers at {name}") from lost
    except asyncpg.InvalidAuthorizationSpecificationError as turned_away:
        why = f"the server does not let {role} in with keys/{key}"
        raise ConfigurationError(
            name, why, "Create the role, or set its password to that file's (alter role … password)"
        ) from turned_away
    except asyncpg.InvalidCatalogNameError as absent:
        raise ConfigurationError(
            name, "there is no such database", "Correct the address, or have the database created"
        ) from absent
    try:
        await db.refuse_pooler(connection, name)
    except BaseException:  # Ctrl-C too: the connection would be nobody's
        await connection.close()
        raise
    return connection


async def migrate(installation: Installation, reached: Databases, admin_url: str | None) -> None:
    """Bring the ledger's database to this release. Idempotent.

    As the administrator of ``admin_url``, or of the embedded database, roles and their passwords too; without one as ``ecluse_owner``,
    whom an administrator made with ``keys/install.sql``.
    """
    passwords = {role: installation.secret(f"db-{_short(role)}.password") for role in db.LOGIN_ROLES}
    if reached.embedded is not None:
        admin_url = reached.embedded.superuser_dsn("ecluse")
    if admin_url is not None:
        await db.install(admin_url, passwords)
    else:
        owner = await connect(installation, reached, "ecluse_owner")
        try:
            await db.migrate_as_owner(owner)
        finally:
            await owner.close()
    if not (installation.keys / EVIDENCE_KEY).exists():
        app = await connect(installation, reached, "ecluse_app")
        try:
            await open_vault(installation, app)
        finally:
            await app.close()
