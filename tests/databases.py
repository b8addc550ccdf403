"""Databases with our schema for tests: the schema is installed once for each PostgreSQL, and each test's database is a copy of it.

A copy lacks what the server keeps of a database elsewhere than in it: the administrator's file (``roles.sql``) grants that again. The roles are the whole
server's, and their passwords are those of the last installation.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import asyncpg

from ecluse import db
from ecluse.embedded import DatabaseExists, EmbeddedPostgres

_TEMPLATE: Final = "empty_ledger"


async def create_installed(postgres: EmbeddedPostgres, name: str, passwords: Mapping[str, str]) -> str:
    """Create a database with our schema; return the superuser's address of it. ``passwords``: one for each of `db.LOGIN_ROLES`, from now on."""
    with suppress(DatabaseExists):
        await db.install(await postgres.create_database(_TEMPLATE), passwords)
    keeper = await asyncpg.connect(postgres.superuser_dsn())
    try:
        await keeper.execute(f"create database {name} template {_TEMPLATE}")
    finally:
        await keeper.close()
    dsn = postgres.superuser_dsn(name)
    admin = await asyncpg.connect(dsn)
    try:
        await admin.execute((db.HERE / "sql" / "roles.sql").read_text(encoding="utf-8"))
        for role in db.LOGIN_ROLES:
            await admin.execute(
                await admin.fetchval("select format('alter role %I password %L', $1::text, $2::text)", role, passwords[role])
            )
    finally:
        await admin.close()
    return dsn


async def drop(postgres: EmbeddedPostgres, *names: str) -> None:
    """Drop databases, whoever is connected."""
    keeper = await asyncpg.connect(postgres.superuser_dsn())
    for name in names:
        await keeper.execute(f"drop database {name} with (force)")
    await keeper.close()
