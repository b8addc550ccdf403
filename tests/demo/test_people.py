"""The synthetic register: refused where one is, drawn again from its seed, and as untidy as it says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.demo import names, people
from ecluse.demo.people import PeopleReport, load_people, marked_values
from ecluse.embedded import EmbeddedPostgres
from ecluse.errors import ConfigurationError
from ecluse.register import parse_register

PEOPLE = 20_000
PHONE = re.compile(
    r"(?:0|\+33 ?|0033)"
    r"(?:6[ .]?39[ .]?98|1[ .]?99[ .]?00|2[ .]?61[ .]?91|3[ .]?53[ .]?01|4[ .]?65[ .]?71|5[ .]?36[ .]?49)"
    r"[ .]?\d\d[ .]?\d\d"
)
MAIL = re.compile(r"[A-Za-z._]+\d+@(?:example\.(?:org|com|net)|[a-z]+\.example)")


@pytest.fixture(scope="module")
def loaded(postgres: EmbeddedPostgres) -> tuple[str, PeopleReport]:
    """Load one register for the tests that only read it."""

    async def load() -> tuple[str, PeopleReport]:
        dsn = await postgres.create_database("demo_people")
        conn = await asyncpg.connect(dsn)
        try:
            return dsn, await load_people(conn, PEOPLE)
        finally:
            await conn.close()

    return asyncio.run(load())


@pytest.fixture
async def register(loaded: tuple[str, PeopleReport]) -> AsyncIterator[asyncpg.Connection]:
    """Connect to the loaded register."""
    conn = await asyncpg.connect(loaded[0])
    yield conn
    await conn.close()


async def fresh(postgres: EmbeddedPostgres, name: str) -> asyncpg.Connection:
    """Connect to a new, empty database."""
    return await asyncpg.connect(await postgres.create_database(name))


async def share(conn: asyncpg.Connection, condition: str, among: str = "true") -> float:
    """Return which share of the people ``among`` meets a condition, current contact row included."""
    statement = f"""select avg(({condition})::integer)::float8
        from registre.personne as p join registre.coordonnees as k on k.numero = p.numero and k.actuelle where {among}"""  # noqa: S608
    return float(await conn.fetchval(statement))


# --- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.db
@pytest.mark.parametrize(("count", "seed"), [(0, 1), (-5, 1), (99_999_989, 1), (10, -1), (10, 2**48)])
async def test_load_when_size_or_seed_is_out_of_range_then_refused(register: asyncpg.Connection, count: int, seed: int) -> None:
    """A register that can't be drawn is refused before anything is touched."""
    with pytest.raises(ConfigurationError):
        await load_people(register, count, seed=seed)


@pytest.mark.db
async def test_load_when_a_register_is_there_then_refused_and_kept(register: asyncpg.Connection) -> None:
    """A second load neither adds to a register nor replaces it."""
    with pytest.raises(ConfigurationError):
        await load_people(register, 10)
    assert await register.fetchval("select count(*) from registre.personne") == PEOPLE


@pytest.mark.db
async def test_load_when_it_fails_half_way_then_nothing_is_left(postgres: EmbeddedPostgres) -> None:
    """The schema and the rows come together or not at all."""
    conn = await fresh(postgres, "demo_people_broken")

    def break_off(stage: str, _done: int, _of: int) -> None:
        if stage == "keys":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await load_people(conn, 100, progress=break_off)
    assert await conn.fetchval("select to_regnamespace('registre') is null")
    await conn.close()


@pytest.mark.db
async def test_register_when_a_person_has_two_current_rows_then_refused(register: asyncpg.Connection) -> None:
    """The database holds that one contact row of a person is current, whoever writes."""
    with pytest.raises(asyncpg.UniqueViolationError) as refused:
        await register.execute("""
            insert into registre.coordonnees (numero, valable_du, actuelle)
            select numero, date '2030-01-01', true from registre.personne limit 1""")
    assert refused.value.constraint_name == "coordonnees_actuelle_uq"


# --- loaded -----------------------------------------------------------------------------------------------------------


@pytest.mark.db
async def test_load_when_done_then_the_report_counts_what_is_there(
    register: asyncpg.Connection, loaded: tuple[str, PeopleReport]
) -> None:
    """The report's counts are those of the tables, and every person has exactly one current contact row."""
    report = loaded[1]
    assert report.people == PEOPLE == await register.fetchval("select count(*) from registre.personne")
    assert report.contacts == await register.fetchval("select count(*) from registre.coordonnees")
    assert await register.fetchval("select count(*) from registre.coordonnees where actuelle") == PEOPLE
    assert report.seconds > 0


@pytest.mark.db
async def test_load_when_done_then_nothing_else_is_left(register: asyncpg.Connection) -> None:
    """The database holds the register's two tables and nothing that helped to draw them."""
    made = await register.fetch("""
        select c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema' order by 1""")
    assert [row["relname"] for row in made] == [
        "coordonnees",
        "coordonnees_actuelle_uq",
        "coordonnees_pk",
        "personne",
        "personne_pk",
    ]


@pytest.mark.db
async def test_load_when_seed_is_the_same_then_rows_are_the_same(postgres: EmbeddedPostgres) -> None:
    """Equal seeds give equal registers, another seed another one, and a load leaves its session clean for the next."""
    digests = []
    for name, seed in (("demo_people_a", 7), ("demo_people_b", 7), ("demo_people_c", 8)):
        conn = await fresh(postgres, name)
        await load_people(conn, 501, seed=seed)
        digests.append(
            await conn.fetchrow("""
                select (select md5(string_agg(p::text, '|' order by p.numero)) from registre.personne as p),
                    (select md5(string_agg(k::text, '|' order by k.numero, k.valable_du)) from registre.coordonnees as k)""")
        )
        assert await conn.fetchval("select count(*) from pg_class where relname like 'tirage%'") == 0
        await conn.close()
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


@pytest.mark.db
async def test_load_when_one_person_is_asked_for_then_there_is_one(postgres: EmbeddedPostgres) -> None:
    """The smallest register works, and progress ends at its end."""
    conn = await fresh(postgres, "demo_people_one")
    heard: list[tuple[str, int, int]] = []
    report = await load_people(conn, 1, progress=lambda stage, done, of: heard.append((stage, done, of)))
    assert report.people == 1
    assert heard == [("people", 0, 1), ("people", 1, 1), ("keys", 0, 2), ("keys", 1, 2), ("keys", 2, 2)]
    assert len(await marked_values(conn, 50)) >= 1
    await conn.close()


@pytest.mark.db
async def test_register_when_mapped_then_every_column_is_there(register: asyncpg.Connection) -> None:
    """``register.toml`` is a valid map, and of this register."""
    text = Path(people.__file__).with_name("register.toml").read_text(encoding="utf-8")
    mapped = parse_register(text)
    columns = "select table_name, column_name from information_schema.columns where table_schema = 'registre'"
    there = {(f"registre.{row['table_name']}", row["column_name"]) for row in await register.fetch(columns)}
    assert {(mapped.tables[a.table].name, a.column) for a in mapped.attributes.values()} <= there
    assert len(mapped.attributes) == 13


# --- as untidy as it says ---------------------------------------------------------------------------------------------


@pytest.mark.db
@pytest.mark.parametrize(
    ("condition", "among", "low", "high"),
    [
        ("k.telephone is null", "true", 0.16, 0.20),
        ("k.courriel is null", "true", 0.08, 0.10),
        ("extract(doy from p.naissance) = 1", "true", 0.13, 0.155),
        ("extract(doy from p.naissance) = 1", "p.nationalite = 'AF'", 0.35, 0.45),
        ("p.nom ~ ' $'", "true", 0.025, 0.035),
        ("p.nom_latin is null", "p.nationalite in ('UA', 'AF', 'CN', 'MA')", 0.47, 0.53),
        ("p.nom = upper(p.nom)", "p.nom_latin is null and p.nationalite in ('SN', 'GN', 'HT')", 0.18, 0.27),
        ("p.prenom is null or p.prenom in ('', 'SP')", "p.nationalite = 'AF'", 0.06, 0.12),
        ("length(trim(p.nom)) = 1", "p.nationalite = 'CN'", 0.35, 0.55),
        ("p.langue is null", "true", 0.03, 0.05),
        ("p.nom like '%''%' or p.nom like '%-%'", "true", 0.008, 0.05),
        ("exists (select from registre.coordonnees as o where o.numero = p.numero and not o.actuelle)", "true", 0.11, 0.135),
    ],
)
async def test_register_when_drawn_then_its_mess_has_the_stated_share(
    register: asyncpg.Connection, condition: str, among: str, low: float, high: float
) -> None:
    """Each kind of mess stands in the share that the module states."""
    assert low < await share(register, condition, among) < high


@pytest.mark.db
async def test_register_when_an_email_is_shared_then_by_a_couple_at_one_address(register: asyncpg.Connection) -> None:
    """Six in a hundred share an e-mail; those who do are two, of one nationality and one address."""
    couples = await register.fetch("""
        select count(*) as members, count(distinct (k.adresse, k.commune)) as homes, count(distinct p.nationalite) as countries
        from registre.coordonnees as k join registre.personne as p on p.numero = k.numero
        where k.actuelle and k.courriel is not null group by k.courriel having count(*) > 1""")
    assert {tuple(row) for row in couples} == {(2, 1, 1)}
    assert 0.05 < 2 * len(couples) / PEOPLE < 0.07


@pytest.mark.db
async def test_register_when_contacts_are_read_then_none_could_reach_anyone(register: asyncpg.Connection) -> None:
    """Every phone is in a range kept for fiction, every e-mail at a reserved domain, every file number longer than a real one."""
    rows = await register.fetch("select numero, courriel, telephone from registre.coordonnees")
    assert [row["telephone"] for row in rows if row["telephone"] and not PHONE.fullmatch(row["telephone"])] == []
    assert [row["courriel"] for row in rows if row["courriel"] and not MAIL.fullmatch(row["courriel"])] == []
    assert {len(str(row["numero"])) for row in rows} == {11}
    assert len({re.sub(r"\d", "9", row["telephone"]) for row in rows if row["telephone"]}) == 6


@pytest.mark.db
async def test_register_when_dates_are_read_then_a_life_is_in_order(register: asyncpg.Connection) -> None:
    """People are born, then enter as adults or nearly, then sign, and their newest contact row is the current one."""
    assert await register.fetchval("select min(extract(year from age(entree, naissance))) from registre.personne") >= 16
    late = "select count(*) from registre.personne where cir_signe_le < entree or entree > date '2026-01-04'"
    assert await register.fetchval(late) == 0
    wrong = """select count(*) from registre.coordonnees as a join registre.coordonnees as o using (numero)
        where a.actuelle and not o.actuelle and o.valable_du >= a.valable_du"""
    assert await register.fetchval(wrong) == 0


@pytest.mark.db
async def test_register_when_names_bend_then_women_and_men_bear_their_own(register: asyncpg.Connection) -> None:
    """No Russian woman bears a man's ending, no man a woman's, double names included."""
    wrong = """select count(*) from registre.personne where nationalite = 'RU' and nom ~ '[а-я]'
        and (sexe = 'F' and nom ~ '(ов|ев|ин)( |-|$)' or sexe = 'M' and nom ~ '(ова|ева|ина)( |-|$)')"""
    assert await register.fetchval(wrong) == 0


@pytest.mark.db
async def test_register_when_protection_is_temporary_then_not_before_the_directive_was_used(register: asyncpg.Connection) -> None:
    """Temporary protection begins with the Council's decision of 4 March 2022."""
    first = "select min(entree)::text from registre.personne where motif = 'temporary-protection'"
    assert await register.fetchval(first) >= "2022-03-04"


# --- marked values ----------------------------------------------------------------------------------------------------


@pytest.mark.db
async def test_marked_values_when_asked_for_then_distinct_distinctive_and_the_same_again(register: asyncpg.Connection) -> None:
    """What a leak test searches for is long enough to be no accident, free of edge spaces, and stable."""
    values = await marked_values(register, 200)
    assert len(set(values)) == len(values) == 200
    assert all(len(value) >= 6 and value == value.strip() for value in values)
    assert any("@" in value for value in values)
    assert values == await marked_values(register, 200)
    assert await marked_values(register, 0) == []


# --- tables of names --------------------------------------------------------------------------------------------------


@pytest.mark.unit
def test_origins_when_read_then_each_people_has_names_enough() -> None:
    """At least 25 family and 25 given names a nationality, women's forms in step, shares that are shares."""
    table = names.origins()
    assert len({origin.country for origin in table}) == len(table) >= 27
    for origin in table:
        assert len(set(origin.family_men)) >= 25, origin.country
        assert len(set(origin.given_men) | set(origin.given_women)) >= 25, origin.country
        assert len(origin.family_men) == len(origin.family_women)
        assert sum(share for _, share in origin.languages) == 100
        assert sum(share for _, share in origin.reasons) == 100


@pytest.mark.unit
def test_origins_when_script_is_another_then_each_name_is_in_it_and_in_latin() -> None:
    """A Latin form holds Latin letters, a plain one ASCII, and a home script is a home script."""
    for origin in names.origins():
        for name in (*origin.family_men, *origin.family_women, *origin.given_men, *origin.given_women):
            assert name.plain.isascii(), name
            assert name.plain.strip() == name.plain != "", name
            assert (name.script[0] > "\u024f") == origin.scripted or not origin.scripted, name


@pytest.mark.unit
@pytest.mark.parametrize(
    ("man", "woman"),
    [("Павловський=Pavlovskyi", "Павловська=Pavlovska"), ("Иванов=Ivanov", "Иванова=Ivanova"), ("Цой=Tsoi", "Цой=Tsoi")],
)
def test_feminine_when_a_family_name_bends_then_both_spellings_do(man: str, woman: str) -> None:
    """Women bear the feminine form in both scripts; names that do not bend stay."""
    assert names.feminine(names.names(man), names.SLAVIC) == names.names(woman)


@pytest.mark.unit
@given(st.text(max_size=40))
def test_plain_when_given_any_text_then_ascii(text: str) -> None:
    """Whatever comes in, the plain form is ASCII and already plain."""
    once = names.plain(text)
    assert once.isascii()
    assert names.plain(once) == once
