"""Look-ups of a person by officers: what they refuse, that each look is sealed first and found by the person, that fsck compares, and what is forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import asyncpg
import msgspec
import pytest

from ecluse.client import Kind, check_file, policy_of_vkey
from ecluse.embedded import EmbeddedPostgres
from ecluse.ids import new_id, random_bytes
from ecluse.ledger.erase import ask_erasure, erase_due
from ecluse.ledger.fsck import check_log
from ecluse.ledger.stretch import query
from ecluse.register import parse_register
from ecluse.usage import lookup as lookups
from ecluse.usage.errors import LookupRefused, LookupUnknown
from ecluse.usage.lookup import Looked, ask_lookup, compose_lookup, decide_lookup, look_up, lookup_of
from tests.agency import Agency, founded
from tests.e2e.desk import at_work
from tests.invented import register_toml
from tests.usage.portal import portal_of, proven

pytestmark = pytest.mark.web

WHY: Final = "the person called and wants to know who saw their file"
PATIENCE: Final = timedelta(days=30)
EVENT: Final = "usage:person:consulted"


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """A founded agency with one gate. Its clock only goes on: tests run in any order."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data") as built:
        yield built


async def officer(agency: Agency, *roles: str) -> str:
    """Add an officer, as the owner of the tables."""
    name = new_id("off")
    await agency.execute(
        "insert into ecluse.officer (id, name, name_salt, roles, added_at) values ($1, 'An Officer', $2, $3::text[], ecluse.clock())",
        name, random_bytes(32), list(roles or ("dpo",)),
    )  # fmt: skip
    return name


async def asked(agency: Agency, person: int, actor: str, purpose: str = WHY) -> str:
    """Ask for a look-up as the gate's role does."""
    async with agency.connected("ecluse_app") as app:
        name, _ = await ask_lookup(
            app, log_id=1, register=parse_register(register_toml()), subject=f"ofii:{person}", purpose=purpose, actor=actor
        )
    return name


async def decided(agency: Agency, lookup: str, actor: str, *, approve: bool = True) -> int:
    """Decide a look-up; return the index of the entry."""
    async with agency.connected("ecluse_app") as app:
        return (await decide_lookup(app, log_id=1, lookup=lookup, approve=approve, actor=actor)).index


async def looked(agency: Agency, lookup: str, actor: str) -> Looked:
    """Look, over the roles that the console has."""
    async with agency.connected("ecluse_app") as app, agency.connected("ecluse_reader") as reader:
        return await look_up(app, reader, log_id=1, lookup=lookup, actor=actor, patience=PATIENCE)


async def allowed(agency: Agency, person: int) -> tuple[str, str]:
    """Have one officer ask and another approve; return the look-up and who asked."""
    one, two = await officer(agency, "case-worker"), await officer(agency)
    lookup = await asked(agency, person, one)
    await decided(agency, lookup, two)
    return lookup, one


async def found(agency: Agency) -> set[str]:
    """Run fsck and return the kinds of faults."""
    vkey = (await agency.fetch("select vkey from ecluse.ledger_log"))[0]["vkey"]
    async with agency.connected("ecluse_reader") as reader:
        return {one.kind.value for one in (await check_log(reader, 1, vkey)).problems}


async def test_look_when_nobody_else_approved_then_refused_and_nothing_sealed(agency: Agency) -> None:
    """Without another officer's yes there is no look: not before, not by the asker's own, not after a no."""
    one, two = await officer(agency), await officer(agency, "case-worker")
    lookup = await asked(agency, 10, one)
    with pytest.raises(LookupRefused, match="no other officer"):
        await looked(agency, lookup, one)
    with pytest.raises(LookupRefused, match="you asked for it yourself"):
        await decided(agency, lookup, one)
    await decided(agency, lookup, two, approve=False)
    with pytest.raises(LookupRefused, match="another officer refused it"):
        await looked(agency, lookup, one)
    with pytest.raises(LookupUnknown):  # a no is final
        await decided(agency, lookup, await officer(agency))
    assert await agency.fetch("select from ecluse.opening where event = $1 and strpos(fields, $2) > 0", EVENT, lookup) == []


async def test_look_when_by_another_or_unknown_then_refused(agency: Agency) -> None:
    """A look-up is for who asked: the one who approved it, and a stranger, see nothing; a name that never was is unknown."""
    lookup, _ = await allowed(agency, 11)
    for somebody in ((await lookup_one(agency, lookup)).decided_by or "", await officer(agency)):
        with pytest.raises(LookupRefused, match="none of yours"):
            await looked(agency, lookup, somebody)
    for name in (new_id("lkp"), "lkp_x", "'; --"):
        with pytest.raises(LookupUnknown):
            await looked(agency, name, "off_x")


async def lookup_one(agency: Agency, lookup: str) -> lookups.Lookup:
    """Read one look-up as the console does."""
    async with agency.connected("ecluse_reader") as reader:
        return await lookup_of(reader, lookup)


@pytest.mark.parametrize("roles", [("security",), ("administrator",), ("reader",)])
async def test_lookup_when_role_lacks_the_right_then_the_database_refuses(agency: Agency, roles: tuple[str, ...]) -> None:
    """Whatever a page would let through: without the role nobody asks, decides or looks."""
    other = await officer(agency, *roles)
    with pytest.raises(LookupRefused, match="open account"):
        await asked(agency, 12, other)
    lookup = await asked(agency, 12, await officer(agency))
    with pytest.raises(LookupRefused, match="open account"):
        await decided(agency, lookup, other)


async def test_lookup_when_account_closed_then_no_look(agency: Agency) -> None:
    """Whoever is closed in between looks at nothing, though it was approved."""
    lookup, one = await allowed(agency, 13)
    await agency.execute("update ecluse.officer set closed_at = ecluse.clock() where id = $1", one)
    with pytest.raises(LookupRefused, match="none of yours"):
        await looked(agency, lookup, one)


async def test_lookup_when_the_hour_is_over_then_neither_decided_nor_used(agency: Agency) -> None:
    """An hour after the asking it ends, whether it was approved or waits."""
    one, two = await officer(agency), await officer(agency)
    waits = await asked(agency, 14, one)
    lookup, asker = await allowed(agency, 14)
    agency.offset += timedelta(hours=1, minutes=1)
    await agency.set_clock_offset(agency.offset)
    with pytest.raises(LookupUnknown):
        await decided(agency, waits, two)
    for name, actor in ((lookup, asker), (waits, one)):
        with pytest.raises(LookupRefused, match="it ended an hour"):
            await looked(agency, name, actor)


@pytest.mark.parametrize(
    ("person", "purpose", "where"),
    [
        ("ofii:1", "short", "purpose"),
        ("ofii:1", "x" * 301, "purpose"),
        ("ofii:1", "a bell \x07 rings here", "purpose"),
        ("other:1", WHY, "person"),
        ("ofii", WHY, "person"),
    ],
)
async def test_lookup_when_asked_badly_then_refused_without_naming_anybody(
    agency: Agency, person: str, purpose: str, where: str
) -> None:
    """A purpose is a sentence, a person is one of this register; the error repeats neither."""
    async with agency.connected("ecluse_app") as app:
        with pytest.raises(LookupRefused) as refused:
            await ask_lookup(app, log_id=1, register=parse_register(register_toml()), subject=person, purpose=purpose, actor="x")
    assert refused.value.where == where
    assert "ofii:1" not in str(refused.value)


async def test_look_when_approved_then_sealed_first_shown_and_in_the_persons_own_record(agency: Agency) -> None:
    """Who was given what, places, holds; the entry commits to both officers and the purpose; the person finds the look, with a proof, and no name."""
    async with at_work(agency, [15]) as desk, portal_of(agency) as portal:
        await desk.disclose(15)
        hold, _ = await agency.hold("person", "ofii:15")
        lookup, one = await allowed(agency, 15)
        seen = await looked(agency, lookup, one)
        (line,) = [each for each in (await proven(portal, 15, 2)) if each["kind"] == "record-consulted"]
    assert [each.event for each in seen.lines] == [EVENT, "disclosure:person:granted"]
    assert seen.lines[1].fields["agent"] == desk.party.agent
    assert [(place.processor_id, place.reads) for place in seen.places] == [(desk.party.name, 1)]
    assert [(each.id, each.in_force, each.until_at) for each in seen.holds] == [(hold, True, None)]
    (entry,) = [each for each in await agency.openings() if each["index"] == seen.index]
    two = (await lookup_one(agency, lookup)).decided_by
    assert (entry["subject"], entry["actor"], entry["object"]) == ("ofii:15", one, lookup)
    assert entry["detail"] == {"approved_by": two, "purpose": WHY}
    vkey = (await agency.fetch("select vkey from ecluse.ledger_log"))[0]["vkey"]
    statement = check_file(line["proof"].encode(), policy_of_vkey(vkey))
    assert (statement.kind, statement.subject, statement.processor) == (Kind.CONSULTED, "ofii:15", None)
    assert line["receiverSystem"] == "officer"
    assert one not in json.dumps(line)
    assert "lookup-other" not in await found(agency)


async def test_look_when_repeated_then_each_is_sealed_and_twenty_are_the_most(agency: Agency) -> None:
    """No look goes unsealed, and one approval is not for ever."""
    lookup, one = await allowed(agency, 16)
    indexes = {(await looked(agency, lookup, one)).index for _ in range(lookups.MOST_LOOKS)}
    assert len(indexes) == lookups.MOST_LOOKS
    with pytest.raises(LookupRefused, match="20 times"):
        await looked(agency, lookup, one)


async def test_look_when_the_entry_says_something_else_then_the_database_refuses(agency: Agency) -> None:
    """Not even the gate's own role seals a look of another person, by another, or with another purpose than was approved."""
    lookup, one = await allowed(agency, 17)
    truth = await lookup_one(agency, lookup)
    for change in ({"subject": "ofii:18"}, {"purpose": "another purpose altogether"}, {"decided_by": one}):
        told = msgspec.structs.replace(truth, **change)
        async with agency.connected("ecluse_app") as app:
            at = await agency.now()
            entry = compose_lookup(told, at=at, actor=one, salts=random_bytes(32 * 6))
            row = await app.fetchrow(lookups._SEAL, 1, at, PATIENCE, entry.leaf, entry.fields, entry.salts)
        assert row["outcome"] == "unknown"
    async with agency.connected("ecluse_app") as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("update ecluse.lookup set approved = true")


TAMPERED: Final = (
    "update ecluse.lookup set purpose = 'something harmless instead'",
    "update ecluse.lookup set asked_by = 'off_x'",
    "update ecluse.lookup set subject_ref = 'ofii:99'",
    "update ecluse.lookup set decided_by = 'off_x' where approved",
    "update ecluse.lookup set approved = not approved, looks = 0 where approved",
    "update ecluse.lookup set decided_at = decided_at + interval '1 microsecond' where approved",
    "update ecluse.lookup set decided_by = null, decided_at = null, approved = null, looks = 0 where approved",
    "update ecluse.lookup set looks = looks - 1 where looks > 0",
    "update ecluse.lookup set looks = looks + 1 where approved and looks < 20",
    "update ecluse.lookup set expires_at = expires_at - interval '3599.99 s', asked_at = asked_at - interval '3599.99 s' where looks > 0",
    "delete from ecluse.lookup",
    "insert into ecluse.lookup select 'lkp_x', log_id, index + 1000000, subject_ref, purpose, asked_by, asked_at, expires_at from ecluse.lookup limit 1",
)  # fmt: skip


async def test_fsck_when_a_lookup_was_changed_then_found(agency: Agency) -> None:
    """Person, purpose, officers, instants, verdict and number of looks are those of entries, or fsck says so."""
    lookup, one = await allowed(agency, 19)
    await looked(agency, lookup, one)
    missed = []
    async with agency.administered("ledger") as admin:
        await admin.execute("set session_replication_role = replica")
        before = await admin.fetchval(query("lookups_wrong"), 1)
        for statement in TAMPERED:
            transaction = admin.transaction()
            await transaction.start()
            assert not (await admin.execute(statement)).endswith(" 0"), statement
            if not await admin.fetchval(query("lookups_wrong"), 1):
                missed.append(statement)
            await transaction.rollback()
    assert (before, missed) == (0, [])


async def test_person_when_erased_then_no_lookup_names_them(agency: Agency) -> None:
    """With the person go the row, the asking and each look; the log stays sound, and somebody else's look-up stays."""
    async with agency.connected("ecluse_jobs") as jobs:
        lookup, one = await allowed(agency, 21)
        await looked(agency, lookup, one)
        other, _ = await allowed(agency, 22)
        await ask_erasure(jobs, subject="ofii:21", reason="a court said so", actor="cli:test")
        agency.offset += timedelta(hours=2)
        await agency.set_clock_offset(agency.offset)
        await erase_due(jobs, 1, 12)
    async with agency.administered("ledger") as admin:
        assert await admin.fetchval("select count(*) from ecluse.lookup where subject_ref = 'ofii:21'") == 0
        assert await admin.fetchval("select count(*) from ecluse.opening where strpos(fields, '\"ofii:21\"') > 0") == 0
    assert (await lookup_one(agency, other)).subject == "ofii:22"
    assert "lookup-other" not in await found(agency)
