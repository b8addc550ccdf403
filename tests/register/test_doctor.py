"""The doctor on a real PostgreSQL: everything that is wrong is found, and a good register passes."""

from __future__ import annotations

from collections.abc import Callable

import asyncpg
import pytest

from ecluse.register import RegisterMap
from ecluse.register.doctor import Level, Line, diagnose, is_healthy
from ecluse.register.store import SESSION_SETTINGS

pytestmark = pytest.mark.db

READER = "register_reader_test"


async def findings(admin: asyncpg.Connection, register_map: RegisterMap) -> list[Line]:
    """Return what the doctor says is not ok, seen by the register's reader; the transaction is rolled back afterwards."""
    for name, value in {**SESSION_SETTINGS, "statement_timeout": "5s", "role": READER}.items():
        await admin.execute("select set_config($1, $2, true)", name, value)
    lines = await diagnose(admin, register_map)
    assert all(line.mend for line in lines if line.level is not Level.OK)
    return [line for line in lines if line.level is not Level.OK]


@pytest.mark.parametrize(
    ("change", "level", "where", "found"),
    [
        ("drop table registre.coordonnees", Level.FAIL, "table.contact", "no table or view registre.coordonnees"),
        ("revoke usage on schema registre from {r}", Level.FAIL, "table.person", "no right to use the schema"),
        ("grant delete on registre.personne to {r}", Level.FAIL, "table.person", "this role may delete"),
        ("grant update (nom) on registre.personne to {r}", Level.FAIL, "table.person", "this role may update"),
        ("grant insert on registre.coordonnees to public", Level.FAIL, "table.contact", "this role may insert"),
        ("alter table registre.personne owner to {r}", Level.FAIL, "table.person", "owned by this role"),
        ("alter table registre.personne drop column numero", Level.FAIL, "table.person.key", "no column numero"),
        (
            "alter table registre.personne drop constraint personne_pkey",
            Level.FAIL,
            "table.person.key",
            "(numero) is not indexed: every read would scan the table",
        ),
        (
            "drop index registre.coordonnees_actuelle_uq; create index on registre.coordonnees (numero, courriel)",
            Level.FAIL,
            "table.contact.key",
            "(numero) is indexed but not unique",
        ),
        (
            "drop index registre.coordonnees_actuelle_uq;create unique index on registre.coordonnees (numero) where not actuelle",
            Level.FAIL,
            "table.contact.key",
            "(numero) is not indexed: every read would scan the table",
        ),
        (
            "drop index registre.coordonnees_actuelle_uq; alter table registre.coordonnees alter actuelle type text",
            Level.FAIL,
            "table.contact.current",
            "actuelle is text, not boolean",
        ),
        (
            "alter table registre.personne enable row level security",
            Level.WARN,
            "table.person",
            "row security hides rows from this role",
        ),
        ("alter table registre.personne rename nom to name", Level.FAIL, "attribute.family_name", "no column nom"),
        ("revoke select (nom) on registre.personne from {r}", Level.FAIL, "attribute.family_name", "no right to read nom"),
        ("alter table registre.personne alter nom type bytea using null", Level.FAIL, "attribute.family_name", "bytea for text"),
        ("alter table registre.personne alter nom type date using null", Level.FAIL, "attribute.family_name", "date for text"),
        (
            "alter table registre.personne alter naissance type int using null",
            Level.FAIL,
            "attribute.birth_date",
            "integer for date",
        ),
        (
            "alter table registre.personne alter naissance type timestamptz",
            Level.FAIL,
            "attribute.birth_date",
            "timestamp with time zone for date",
        ),
        (
            "create table registre.autre (x int); grant select on registre.personne, registre.autre to {r}",
            Level.WARN,
            "session",
            "this role may also read 1 unmapped columns and 1 other tables or views",
        ),
    ],
)
async def test_doctor_when_something_is_wrong_then_found(
    admin: asyncpg.Connection, register_map: RegisterMap, change: str, level: Level, where: str, found: str
) -> None:
    """Each fault has its line, with what was found and the mend."""
    await admin.execute(change.format(r=READER))
    lines = await findings(admin, register_map)
    assert (level, where, found) in [(line.level, line.where, line.found) for line in lines]
    assert is_healthy(lines) == (level is Level.WARN)


async def test_doctor_when_session_is_loose_then_found(admin: asyncpg.Connection, register_map: RegisterMap) -> None:
    """A superuser with no settings is told everything that is wrong with that."""
    lines = await diagnose(admin, register_map)
    found = {line.found for line in lines if line.level is Level.FAIL}
    assert "transactions may write by default" in found
    assert "a superuser, or a role that creates roles or databases, replicates or bypasses row security" in found
    warned = {line.found for line in lines if line.level is Level.WARN}
    assert "no statement_timeout: a slow register would hold every request" in warned
    assert "plans may scan whole tables once they are small or unanalysed" in warned


async def test_doctor_when_register_is_a_view_then_warned(
    admin: asyncpg.Connection, change_map: Callable[[str, str], RegisterMap]
) -> None:
    """A view's uniqueness can't be seen, and that is said."""
    await admin.execute(
        "create view registre.vue as select * from registre.personne; grant select on registre.vue to register_reader_test"
    )
    lines = await findings(admin, change_map('"registre.personne"\nkey', '"registre.vue"\nkey'))
    assert (Level.WARN, "table.person.key") in [(line.level, line.where) for line in lines]
    assert is_healthy(lines)


async def test_doctor_when_all_is_well_then_only_the_text_date_is_warned_of(
    admin: asyncpg.Connection, register_map: RegisterMap
) -> None:
    """A register as it should be passes; dates kept as text are pointed out."""
    lines = await findings(admin, register_map)
    assert [(line.level, line.where, line.found) for line in lines] == [(Level.WARN, "attribute.entry_date", "text for date")]


@pytest.mark.parametrize(
    "index",
    [
        "create unique index on registre.coordonnees (numero) where actuelle = true",
        "create unique index on registre.coordonnees (numero, actuelle)",
        "create unique index on registre.coordonnees (numero)",
    ],
)
async def test_doctor_when_another_index_makes_it_unique_then_healthy(
    admin: asyncpg.Connection, register_map: RegisterMap, index: str
) -> None:
    """Any index that leaves one current row for a key will do."""
    await admin.execute(f"drop index registre.coordonnees_actuelle_uq; {index}")
    assert is_healthy(await findings(admin, register_map))
