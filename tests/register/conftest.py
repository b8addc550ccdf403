"""A register as a controller might have it: invented people in PostgreSQL, mapped by a ``register.toml``."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from ecluse.embedded import EmbeddedPostgres
from ecluse.register import RegisterMap, parse_register
from ecluse.register.store import SESSION_SETTINGS

MAP = """\
[register]
id = "ofii"
name = "Registre"
subject_table = "person"

[table.person]
name = "registre.personne"
key = ["numero"]
[table.contact]
name = "registre.coordonnees"
key = ["numero"]
current = "actuelle"

[attribute.family_name]
table = "person"
column = "nom"
type = "text"
category = "identity"
sensitivity = "ordinary"
[attribute.birth_date]
table = "person"
column = "naissance"
type = "date"
category = "civil_status"
sensitivity = "ordinary"
[attribute.entry_date]
table = "person"
column = "entree"
type = "date"
category = "residence"
sensitivity = "elevated"
[attribute.email]
table = "contact"
column = "courriel"
type = "email"
category = "contact"
sensitivity = "ordinary"
"""

TABLES = """
create schema registre;
create table registre.personne (
  numero bigint primary key,
  nom varchar(2000),
  naissance date,
  entree text,
  secret text
);
create table registre.coordonnees (
  id bigint generated always as identity primary key,
  numero bigint not null,
  courriel text,
  actuelle boolean not null
);
create unique index coordonnees_actuelle_uq on registre.coordonnees (numero) where actuelle;
"""

PEOPLE = """
insert into registre.personne values
  (1, 'Abara', '1990-02-03', '2020-01-02', 's'),
  (2, 'Bélanger', null, null, 's'),
  (3, repeat('x', 1001), 'infinity', '2020-02-31', 's'),
  (4, '  ', '0044-03-15 BC', '', 's');
insert into registre.coordonnees (numero, courriel, actuelle) values
  (1, 'old@example.org', false),
  (1, 'new@example.org', true),
  (2, 'gone@example.org', false),
  (3, 'no address', true);
"""

ROLE, PASSWORD = "register_reader_test", "an-invented-password"

GRANTS = """
do $$ begin
  if not exists (select from pg_roles where rolname = 'register_reader_test') then
    create role register_reader_test login password 'an-invented-password';
  end if;
end $$;
alter role register_reader_test set statement_timeout = '5s';
revoke all on schema public from public;
grant usage on schema registre to register_reader_test;
grant select (numero, nom, naissance, entree) on registre.personne to register_reader_test;
grant select (numero, courriel, actuelle) on registre.coordonnees to register_reader_test;
"""


class Source:
    """One database that plays the register: ``admin`` changes it, ``pool`` reads it as the register's reader."""

    def __init__(self, dsn: str, admin: asyncpg.Connection) -> None:
        """Keep the superuser's address and connection."""
        self.dsn, self.admin = dsn, admin

    @asynccontextmanager
    async def pool(self, **options: Any) -> AsyncIterator[asyncpg.Pool]:
        """Open a pool as the gate does: the reader's role, ``SESSION_SETTINGS``."""
        settings = {**SESSION_SETTINGS, **options.pop("server_settings", {})}
        options = {"min_size": 1, "max_size": 2, **options}
        async with asyncpg.create_pool(self.dsn, user=ROLE, password=PASSWORD, server_settings=settings, **options) as pool:
            yield pool


@pytest.fixture
def register_map() -> RegisterMap:
    """The map of the invented register."""
    return parse_register(MAP)


@pytest.fixture
def change_map() -> Callable[[str, str], RegisterMap]:
    """Return a way to read the map with one text replaced."""

    def change(old: str, new: str) -> RegisterMap:
        assert old in MAP
        return parse_register(MAP.replace(old, new))

    return change


@pytest.fixture
async def source(postgres: EmbeddedPostgres) -> AsyncIterator[Source]:
    """A database of its own with the register's tables, its reader's grants and no rows; dropped at the end."""
    name = f"register_{secrets.token_hex(6)}"
    dsn = await postgres.create_database(name)
    admin = await asyncpg.connect(dsn)
    try:
        await admin.execute(TABLES + GRANTS)
        yield Source(dsn, admin)
    finally:
        await admin.close()
    keeper = await asyncpg.connect(postgres.superuser_dsn())
    await keeper.execute(f"drop database {name} with (force)")
    await keeper.close()


@pytest.fixture(scope="module")
def register_dsn(postgres: EmbeddedPostgres) -> str:
    """One database with the register's tables for tests that roll back what they change."""

    async def create() -> str:
        dsn = await postgres.create_database(f"register_{secrets.token_hex(6)}")
        admin = await asyncpg.connect(dsn)
        await admin.execute(TABLES + GRANTS)
        await admin.close()
        return dsn

    return asyncio.run(create())


@pytest.fixture
async def admin(register_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection inside a transaction that is rolled back."""
    connection = await asyncpg.connect(register_dsn)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


@pytest.fixture
async def peopled(source: Source) -> Source:
    """The register with four people, two of them with something wrong."""
    await source.admin.execute(PEOPLE)
    return source
