"""Changing the installation's own keys: files replaced whole, one change at a time, each step fit to be repeated after a crash."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from ecluse import clock, db, ids, install
from ecluse.cli.edge import Refusal
from ecluse.embedded_home import write_whole
from ecluse.errors import ConfigurationError
from ecluse.identity import KeyInvalid, generate_private, parse_token_keys, with_successor, write_token_keys
from ecluse.install import REGISTER_ROLE, Databases
from ecluse.settings import Installation, with_user
from ecluse.web.keyfiles import TOKEN_KEY

ROLES: Final = {
    "app": "ecluse_app",
    "jobs": "ecluse_jobs",
    "reader": "ecluse_reader",
    "usage": "ecluse_usage",
    "owner": "ecluse_owner",
    "register": REGISTER_ROLE,
}
"""Whose password is in which ``keys/db-….password``."""
_ITERATIONS: Final = 4096  # PostgreSQL's own; the passwords have 192 random bits


@contextmanager
def one_at_a_time(installation: Installation) -> Iterator[None]:
    """Let one process at a time change key files."""
    handle = os.open(installation.keys, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Refusal("keys", "another command is changing them", "Run this again when it is done") from None
    finally:
        os.close(handle)


def rotate_token(installation: Installation, *, wait: timedelta, at_once: bool) -> tuple[str, datetime]:
    """Add a key for tokens that signs after ``wait``, or (``at_once``) let a new one stand alone now; return its name and from when it signs."""
    path, now = installation.keys / TOKEN_KEY, clock.now()
    with one_at_a_time(installation):
        if at_once:
            pem = generate_private("ES256").decode()
            write_whole(path, pem)
            return parse_token_keys(pem)[0].private.thumbprint, now
        try:
            keys = parse_token_keys(installation.secret(TOKEN_KEY))
            more = with_successor(
                keys, generate_private("ES256"), from_at=(now + wait).replace(microsecond=0) + timedelta(seconds=1), now=now
            )
        except KeyInvalid as bad:
            raise ConfigurationError(f"keys/{TOKEN_KEY}", bad.why, "See docs/keys.md; --at-once begins anew") from bad
        write_whole(path, write_token_keys(more))
    return more[-1].private.thumbprint, more[-1].from_at


def rotate_versioned(installation: Installation, name: str, *, after: int | None = None) -> int:
    """Add a version to ``fingerprint.key`` or ``evidence.key`` and return its number. No line is ever taken away: what it served for is kept.

    ``after``: the file is lost, and the last version that it had: begin it anew above that, so that no two keys ever had one number.
    """
    path = installation.keys / name
    with one_at_a_time(installation):
        if after is not None and path.exists():
            raise Refusal(f"keys/{name}", "it is there, so nothing was lost", "Leave --lost-after out")
        version = (max(installation.versioned(name)) if after is None else after) + 1
        kept = f"{installation.secret(name)}\n" if after is None else ""
        write_whole(path, f"{kept}{version}:{ids.random_bytes(32).hex()}\n")
    return version


def prepare_password(installation: Installation, role: str) -> bool:
    """Write a role's next password beside the present one, so that every gate tries both; False where one is there already."""
    path = installation.keys / f"db-{role}.next.password"
    with one_at_a_time(installation):
        if path.exists():
            return False
        install.write_secret(path, ids.random_bytes(24).hex() + "\n")
    return True


async def change_password(installation: Installation, reached: Databases, role: str) -> None:
    """Give a role its next password in the database, then let the file take the present one's place. May be repeated after a crash at any point."""
    name = f"db-{role}.next.password"
    password = installation.secret(name)
    if not await _lets_in(reached, ROLES[role], password):
        connection = await install.connect(installation, reached, ROLES[role])
        try:
            await connection.execute("set session characteristics as transaction read write")
            verifier = scram_verifier(password, ids.random_bytes(16))
            await connection.execute(
                await connection.fetchval(
                    "select pg_catalog.format('alter role %I password %L', $1::text, $2::text)", ROLES[role], verifier
                )
            )
        except (asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError):
            mend = f"Let its administrator set the password of keys/{name}, then run this again"
            raise Refusal(f"role {ROLES[role]}", "it can't change its own password there", mend) from None
        finally:
            await connection.close()
    (installation.keys / name).replace(installation.keys / f"db-{role}.password")


async def _lets_in(reached: Databases, role: str, password: str) -> bool:
    """Tell whether the server takes this password already."""
    url = reached.register_url if role == REGISTER_ROLE else reached.database_url
    try:
        connection = await asyncpg.connect(with_user(url, role, password))
    except asyncpg.InvalidPasswordError:
        return False
    except db.LOST as lost:
        raise db.DatabaseUnavailable("the database does not answer") from lost
    await connection.close()
    return True


def scram_verifier(password: str, salt: bytes) -> str:
    """Write what PostgreSQL keeps of a password (RFC 7677 §3, RFC 5802 §3): so the password itself never reaches a server's log.

    ``password``: ASCII letters and digits, which no preparation of strings changes.
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    client, server = (hmac.digest(salted, word, "sha256") for word in (b"Client Key", b"Server Key"))
    stored = hashlib.sha256(client).digest()
    parts = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{parts[0]}${parts[1]}:{parts[2]}"
