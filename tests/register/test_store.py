"""Reading the register on a real PostgreSQL: who is refused, who is absent, who is read, and by what plan."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
import pytest

from ecluse.register import AttributeUnmapped, Cause, RegisterMap, RegisterUnavailable, Table, Unreadable
from ecluse.register.store import Register, count_subjects

if TYPE_CHECKING:
    from conftest import Source

pytestmark = pytest.mark.db


def only_names(register_map: RegisterMap, table: str, key: tuple[str, ...]) -> RegisterMap:
    """Cut a map down to the family names of one table with this key."""
    return msgspec.structs.replace(
        register_map,
        tables={"person": Table(alias="person", name=table, key=key)},
        attributes={"family_name": register_map.attributes["family_name"]},
    )


ALL = frozenset({"family_name", "birth_date", "entry_date", "email"})


async def test_read_when_attribute_is_not_mapped_then_refused(peopled: Source, register_map: RegisterMap) -> None:
    """An attribute that left the map is named, and nothing is read."""
    async with peopled.pool() as pool:
        with pytest.raises(AttributeUnmapped) as refused:
            await Register(pool, register_map).read(["ofii:1"], frozenset({"family_name", "secret"}))
    assert refused.value.attributes == ("secret",)


async def test_read_when_person_or_reference_is_unknown_then_absent(peopled: Source, register_map: RegisterMap) -> None:
    """Unknown people, other spellings of a key and keys that can't be one are absent, and spoil nothing for the others."""
    others = ["ofii:9", "ofii:01", "ofii:+1", "ofii: 1", "ofii:1.0", "ofii:abc", "ofii:", "other:1", "ofii:99999999999999999999"]
    async with peopled.pool() as pool:
        register = Register(pool, register_map)
        assert await register.read([*others, "ofii:1", "ofii:1"], frozenset({"email"})) == {
            "ofii:1": {"email": "new@example.org"}
        }
        assert await register.read(others, ALL) == {}
        assert await register.read(["ofii:abc"], frozenset()) == {}
        assert await register.read([], ALL) == {}


async def test_read_when_rows_are_garbled_then_those_alone_are_unreadable(peopled: Source, register_map: RegisterMap) -> None:
    """An endless name, an infinite date, a date before our era and a date that is none: each marks its own row and attribute."""
    refs = [f"ofii:{number}" for number in range(1, 5)]
    async with peopled.pool() as pool:
        rows = await Register(pool, register_map).read(refs, ALL)
    assert rows == {
        "ofii:1": {
            "family_name": "Abara",
            "birth_date": date(1990, 2, 3),
            "entry_date": date(2020, 1, 2),
            "email": "new@example.org",
        },
        "ofii:2": {"family_name": "Bélanger", "birth_date": None, "entry_date": None, "email": None},
        "ofii:3": Unreadable(attributes=("birth_date", "entry_date", "family_name", "email")),
        "ofii:4": Unreadable(attributes=("birth_date",)),
    }


async def test_read_when_a_key_has_two_rows_then_unreadable(peopled: Source, register_map: RegisterMap) -> None:
    """A register that lost its uniqueness does not disclose one of two rows by chance."""
    await peopled.admin.execute("drop index registre.coordonnees_actuelle_uq; update registre.coordonnees set actuelle = true")
    async with peopled.pool() as pool:
        rows = await Register(pool, register_map).read(["ofii:1", "ofii:2"], frozenset({"email"}))
    assert rows == {"ofii:1": Unreadable(attributes=("email",)), "ofii:2": {"email": "gone@example.org"}}


async def test_read_when_a_row_raises_in_the_register_then_it_alone_is_unreadable(
    peopled: Source, change_map: Callable[[str, str], RegisterMap]
) -> None:
    """A view that fails for one person is isolated from the rest of the batch."""
    await peopled.admin.execute(
        "create view registre.vue as select numero, (10 / (numero - 2))::text as nom from registre.personne;"
        "grant select on registre.vue to register_reader_test"
    )
    register_map = change_map('"registre.personne"\nkey', '"registre.vue"\nkey')
    async with peopled.pool() as pool:
        rows = await Register(pool, register_map).read([f"ofii:{n}" for n in range(6)], frozenset({"family_name"}))
    assert rows == {
        "ofii:1": {"family_name": "-10"},
        "ofii:2": Unreadable(attributes=("family_name",)),
        "ofii:3": {"family_name": "10"},
        "ofii:4": {"family_name": "5"},
    }


async def test_read_when_key_is_of_another_type_then_read_the_same(peopled: Source, register_map: RegisterMap) -> None:
    """The key's text is cast to whatever type the column has, and only its own spelling counts."""
    async with peopled.pool() as pool:
        for kind in ("integer", "smallint", "numeric", "text", "varchar(10)", "char(10)"):
            await peopled.admin.execute(f"alter table registre.personne alter numero type {kind}")
            register = Register(pool, register_map)
            rows = await register.read(["ofii:1", "ofii:01", "ofii:1 ", "ofii:7"], frozenset({"family_name"}))
            assert rows == {"ofii:1": {"family_name": "Abara"}}


async def test_read_when_key_is_composite_then_both_parts_count(source: Source, register_map: RegisterMap) -> None:
    """A composite key of text and date finds its person, and no half of it does."""
    await source.admin.execute(
        "create table registre.double (numero text, jour date, nom text, primary key (numero, jour));"
        "insert into registre.double values ('a', '2020-01-02', 'Abara'), ('a', '2020-01-03', 'Bello');"
        "grant select on registre.double to register_reader_test"
    )
    register_map = only_names(register_map, "registre.double", ("numero", "jour"))
    refs = ['ofii:["a","2020-01-02"]', 'ofii:["a","02/01/2020"]', 'ofii:["b","2020-01-03"]', 'ofii:["a","2020-13-01"]']
    async with source.pool(server_settings={"datestyle": "sql, dmy"}) as pool:
        rows = await Register(pool, register_map).read(refs, frozenset({"family_name"}))
    assert rows == {'ofii:["a","2020-01-02"]': {"family_name": "Abara"}}


async def test_read_when_right_is_missing_then_unavailable(peopled: Source, register_map: RegisterMap) -> None:
    """A revoked right is told as such."""
    await peopled.admin.execute("revoke select (nom) on registre.personne from register_reader_test")
    async with peopled.pool() as pool:
        register = Register(pool, register_map)
        with pytest.raises(RegisterUnavailable) as refused:
            await register.read(["ofii:1"], ALL)
        assert (refused.value.cause, refused.value.sqlstate) == (Cause.PRIVILEGE, "42501")
        assert await register.read(["ofii:1"], frozenset({"email"})) == {"ofii:1": {"email": "new@example.org"}}


async def test_read_when_column_goes_and_returns_then_mismatch_until_it_does(peopled: Source, register_map: RegisterMap) -> None:
    """A register changed under us is unavailable, and read again, with its new type, as soon as it fits."""
    async with peopled.pool() as pool:
        register = Register(pool, register_map)
        await register.read(["ofii:1"], frozenset({"entry_date"}))
        await peopled.admin.execute("alter table registre.personne rename entree to arrivee")
        for _ in range(2):
            with pytest.raises(RegisterUnavailable) as refused:
                await register.read(["ofii:1"], frozenset({"entry_date"}))
            assert refused.value.cause is Cause.MISMATCH
        await peopled.admin.execute(
            "alter table registre.personne add entree date default '2021-05-06'; "
            "grant select (entree) on registre.personne to register_reader_test"
        )
        assert await register.read(["ofii:1"], frozenset({"entry_date"})) == {"ofii:1": {"entry_date": date(2021, 5, 6)}}


async def test_read_when_statement_takes_too_long_then_timeout(peopled: Source, register_map: RegisterMap) -> None:
    """A locked register times out, by the server's clock or ours."""
    for options in ({"server_settings": {"statement_timeout": "100"}}, {"command_timeout": 0.1}):
        async with peopled.pool(**options) as pool:
            register = Register(pool, register_map)
            await register.read(["ofii:1"], ALL)
            async with peopled.admin.transaction():
                await peopled.admin.execute("lock table registre.personne")
                with pytest.raises(RegisterUnavailable) as refused:
                    await register.read(["ofii:1"], ALL)
            assert refused.value.cause is Cause.TIMEOUT


async def test_read_when_pool_is_exhausted_then_timeout(peopled: Source, register_map: RegisterMap) -> None:
    """Waiting for a connection ends."""
    async with peopled.pool(max_size=1) as pool, pool.acquire():
        with pytest.raises(RegisterUnavailable) as refused:
            await Register(pool, register_map, acquire_seconds=0.05).read(["ofii:1"], ALL)
    assert refused.value.cause is Cause.TIMEOUT


async def test_read_when_connection_is_lost_then_unavailable_and_read_again(peopled: Source, register_map: RegisterMap) -> None:
    """A killed backend is an unavailable register; the next read has a new connection."""
    async with peopled.pool(max_size=1) as pool:
        register = Register(pool, register_map)
        await register.read(["ofii:1"], ALL)
        pid = await pool.fetchval("select pg_backend_pid()")
        async with peopled.admin.transaction():
            await peopled.admin.execute("lock table registre.personne")
            reading = asyncio.create_task(register.read(["ofii:1"], ALL))
            await until_waiting(peopled.admin, pid)
            await peopled.admin.execute("select pg_terminate_backend($1)", pid)
            with pytest.raises(RegisterUnavailable) as refused:
                await reading
        assert refused.value.cause is Cause.CONNECTION
        assert refused.value.__context__ is None
        assert len(await register.read(["ofii:1"], ALL)) == 1
    with pytest.raises(RegisterUnavailable):
        await register.read(["ofii:1"], ALL)


async def test_read_when_bytes_are_not_utf8_then_that_row_is_unreadable(peopled: Source, register_map: RegisterMap) -> None:
    """An old database without an encoding may hold bytes that are no text: one row, not the batch."""
    name = f"{await peopled.admin.fetchval('select current_database()')}_ascii"
    await peopled.admin.execute(f"create database {name} template template0 encoding 'SQL_ASCII' locale_provider libc locale 'C'")
    old = await asyncpg.connect(peopled.dsn, database=name)
    try:
        await old.execute("create schema registre; create table registre.personne (numero bigint primary key, nom text)")
        await old.execute("insert into registre.personne values (1, 'Abara'), (3, 'Bello'), (2, e'B\\351langer')")
        async with asyncpg.create_pool(peopled.dsn, database=name, min_size=1, max_size=1) as pool:
            rows = await Register(pool, only_names(register_map, "registre.personne", ("numero",))).read(
                ["ofii:1", "ofii:2", "ofii:3"], frozenset({"family_name"})
            )
    finally:
        await old.close()
        await peopled.admin.execute(f"drop database {name}")
    assert rows == {
        "ofii:1": {"family_name": "Abara"},
        "ofii:2": Unreadable(attributes=("family_name",)),
        "ofii:3": {"family_name": "Bello"},
    }


async def test_read_when_pool_is_read_only_then_it_can_not_write(peopled: Source) -> None:
    """The settings of the pool refuse a write before any right is asked."""
    async with peopled.pool() as pool:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await pool.execute("create temp table x (y int); insert into registre.personne values (5)")


async def until_waiting(admin: asyncpg.Connection, pid: int) -> None:
    """Return when a backend waits for a lock."""
    for _ in range(500):
        if await admin.fetchval("select exists (select from pg_locks where pid = $1 and not granted)", pid):
            return
        await asyncio.sleep(0.01)
    pytest.fail("the read never met the lock")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """List all nodes of a plan."""
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


async def plan_of(pool: asyncpg.Pool, register: Register, refs: list[str]) -> dict[str, Any]:
    """Explain and run the statement that reads all attributes of ``refs``, as the pool's connections plan it."""
    statement = await register._statement(ALL)
    async with pool.acquire() as connection:
        await connection.execute(f"prepare look_up (text[]) as {statement.text}")
        keys = "{" + ",".join(ref.removeprefix("ofii:") for ref in refs) + "}"
        text = await connection.fetchval(f"explain (analyze, format json) execute look_up ('{keys}')")
        await connection.execute("deallocate look_up")
    plan: dict[str, Any] = json.loads(text)[0]["Plan"]
    return plan


FILL = """
insert into registre.personne select n, 'Nom' || n, '1990-01-01', '2020-01-01' from generate_series(1, 1000000) as n;
insert into registre.coordonnees (numero, courriel, actuelle)
  select n, 'p' || n || '@example.org', true from generate_series(1, 1000000) as n;
"""


async def test_plan_when_register_is_empty_small_or_large_then_index_look_ups(source: Source, register_map: RegisterMap) -> None:
    """Right after creation, analysed empty, filled unseen by the planner, analysed full: one index look-up a key."""
    refs = [f"ofii:{number * 15_000}" for number in range(1, 65)]
    await source.admin.execute("alter table registre.personne set unlogged; alter table registre.coordonnees set unlogged")
    await source.admin.execute("alter table registre.personne set (autovacuum_enabled = off)")
    async with source.pool() as pool:
        register = Register(pool, register_map)
        for change in ("select 1", "vacuum analyze", FILL, "analyze"):
            await source.admin.execute(change, timeout=120)
            found = list(nodes(await plan_of(pool, register, refs)))
            scans = [node for node in found if node.get("Relation Name") in ("personne", "coordonnees")]
            assert len(scans) == 2
            assert {node["Node Type"] for node in scans} <= {"Index Scan", "Index Only Scan"}
            assert all(node["Plan Rows"] <= 2 and node["Actual Rows"] <= 1 for node in scans)
            assert all(node.get("Rows Removed by Filter", 0) <= 1 for node in scans)
        assert len(await register.read(refs, ALL)) == 64


async def test_count_when_a_right_or_the_table_is_missing_then_unavailable(
    peopled: Source, change_map: Callable[[str, str], RegisterMap]
) -> None:
    """A table that is not there and one that may not be read are told as such."""
    await peopled.admin.execute("revoke select (numero, nom, naissance, entree) on registre.personne from register_reader_test")
    async with peopled.pool() as pool, pool.acquire() as reader:
        for name, cause in (("registre.personne", Cause.PRIVILEGE), ("registre.nobody", Cause.MISMATCH)):
            with pytest.raises(RegisterUnavailable) as refused:
                await count_subjects(reader, change_map("registre.personne", name))
            assert refused.value.cause is cause


async def test_count_when_subjects_have_current_rows_then_only_those(
    peopled: Source, register_map: RegisterMap, change_map: Callable[[str, str], RegisterMap]
) -> None:
    """Each subject counts, read or not; where old rows are kept, who has a current one."""
    by_contact = change_map('subject_table = "person"', 'subject_table = "contact"')
    async with peopled.pool() as pool, pool.acquire() as reader:
        assert await count_subjects(reader, register_map) == 4
        assert await count_subjects(reader, by_contact) == 2
