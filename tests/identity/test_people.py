"""People who sign in, on a real database: links, passkeys, sign-ins and their ends. Refusals first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from ecluse import settings
from ecluse.db import Pool, open_pool
from ecluse.embedded import EmbeddedPostgres
from ecluse.identity import PublicKey, generate_private, load_private
from ecluse.identity.accounts import (
    Invitation,
    InvitationKind,
    add_officer,
    agents,
    approve_recovery,
    close_officer,
    invite,
    link_of,
    officers,
    passkeys,
    revoke_passkey,
)
from ecluse.identity.errors import AccountRefused, ChallengeSpent, DeskKeyMissing, LinkClosed, PasskeyRefused, PasskeyUnknown
from ecluse.identity.passkeys import Assertion, Registration, site_of
from ecluse.identity.people import Role, Signed
from ecluse.identity.service import revoke_key
from ecluse.identity.sign_in import (
    Entered,
    begin_enrolment,
    begin_sign_in,
    begin_step_up,
    finish_enrolment,
    finish_sign_in,
    finish_step_up,
    resolve,
    sign_out,
)
from tests.agency import Agency, founded
from tests.cli.offices import Office
from tests.passkeys import Authenticator

pytestmark = pytest.mark.db

SITE = site_of("https://pages.agency.example", "Agency")
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency without a gate."""
    with founded(postgres, tmp_path_factory.mktemp("people") / "ecluse-data", gate=False) as built:
        yield built


class Reception:
    """What the tests do at an agency, over one pool of the gate's role."""

    def __init__(self, agency: Agency, pool: Pool) -> None:
        """Work at ``agency``."""
        self.agency, self.pool = agency, pool

    async def officer(self, *roles: Role, actor: str = "cli:test") -> str:
        """Add an officer."""
        async with self.pool.acquire() as connection:
            return (await add_officer(connection, log_id=1, name="Some One", roles=roles or Role, actor=actor))[0]

    async def invite(self, holder: str, *, kind: InvitationKind = InvitationKind.ENROL, actor: str = "cli:test") -> Invitation:
        """Make a link."""
        async with self.pool.acquire() as connection:
            return await invite(connection, log_id=1, holder=holder, actor=actor, kind=kind)

    async def approve(self, holder: str, actor: str) -> None:
        """Say the second word."""
        async with self.pool.acquire() as connection:
            await approve_recovery(connection, holder=holder, actor=actor)

    async def close(self, officer: str, actor: str = "cli:test") -> None:
        """Close an account."""
        async with self.pool.acquire() as connection:
            await close_officer(connection, log_id=1, officer=officer, actor=actor)

    async def enrol(self, secret: str, device: Authenticator, **wrong: Any) -> str:
        """Use a link on a device."""
        welcome = await begin_enrolment(self.pool, SITE, secret=secret)
        answer = msgspec.convert(device.create(welcome.options, origin=SITE.origin, **wrong), Registration)
        return await finish_enrolment(self.pool, SITE, log_id=1, secret=secret, answer=answer, label="a key")

    async def enrolled(self, holder: str) -> Authenticator:
        """Invite and enrol; return the device."""
        device = Authenticator()
        await self.enrol((await self.invite(holder)).secret, device)
        return device

    async def enter(
        self, device: Authenticator, *, desk_key: PublicKey | None = None, cookie: str | None = None, **wrong: Any
    ) -> Entered:
        """Sign in with a device."""
        answer = msgspec.convert(device.get(await begin_sign_in(self.pool, SITE), origin=SITE.origin, **wrong), Assertion)
        return await finish_sign_in(self.pool, SITE, log_id=1, answer=answer, desk_key=desk_key, cookie=cookie)

    async def who(self, entered: Entered) -> Signed | None:
        """Resolve a cookie."""
        return await resolve(self.pool, entered.cookie)


@asynccontextmanager
async def working(agency: Agency) -> AsyncIterator[Reception]:
    """Open a pool of the gate's role."""
    installation = agency.installation
    url = settings.with_user(installation.settings.database.url, "ecluse_app", installation.secret("db-app.password"))
    pool = await open_pool(url, size=3, name="test")
    try:
        yield Reception(agency, pool)
    finally:
        await pool.close()


def desk_key() -> PublicKey:
    """Make a browser's key and return its public half."""
    return load_private(generate_private("ES256")).public


# ── links ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("secret", ["", "x", "A" * 43, "é" * 43, "A" * 44])
async def test_link_when_unknown_then_closed(agency: Agency, secret: str) -> None:
    """What is no secret of ours opens nothing, and says no more than a used one."""
    async with working(agency) as office:
        with pytest.raises(LinkClosed):
            await begin_enrolment(office.pool, SITE, secret=secret)


async def test_link_when_used_twice_or_expired_or_replaced_then_closed(agency: Agency) -> None:
    """A link is good once, for a day, and until another is made for the same person."""
    async with working(agency) as office:
        person = await office.officer()
        first, second = await office.invite(person), await office.invite(person)
        with pytest.raises(LinkClosed):
            await office.enrol(first.secret, Authenticator())
        await agency.set_clock_offset(agency.offset + timedelta(hours=24))
        with pytest.raises(LinkClosed):
            await office.enrol(second.secret, Authenticator())
        await agency.reset_clock()
        assert await office.enrol(second.secret, Authenticator()) == person
        with pytest.raises(LinkClosed):
            await office.enrol(second.secret, Authenticator())
    assert "Invitation(off_" in repr(first)
    assert first.secret not in repr(first)


async def test_link_when_two_redeem_it_at_once_then_one_passkey(agency: Agency) -> None:
    """Of two who use one link at the same instant, one has a passkey and the other a closed link."""
    async with working(agency) as office:
        person = await office.officer()
        link = await office.invite(person)
        done = await asyncio.gather(*(office.enrol(link.secret, Authenticator()) for _ in range(3)), return_exceptions=True)
        async with office.pool.acquire() as connection:
            assert len(await passkeys(connection, person)) == 1
    assert sorted(type(each).__name__ for each in done) == ["LinkClosed", "LinkClosed", "str"]


async def test_link_when_made_by_nobody_who_may_then_refused(agency: Agency) -> None:
    """Only an open administrator, or the terminal, makes links; only for somebody who is there, and has no passkey yet."""
    async with working(agency) as office:
        admin, reader, person = (
            await office.officer(Role.ADMINISTRATOR),
            await office.officer(Role.READER),
            await office.officer(),
        )
        for actor in (reader, "off_" + "a" * 26, "agt_x", "", "cli:"):
            with pytest.raises(AccountRefused):
                await office.invite(person, actor=actor)
            with pytest.raises(AccountRefused):
                await office.officer(actor=actor)
        with pytest.raises(AccountRefused):
            await office.invite("agt_" + "a" * 26)
        await office.close(admin)
        with pytest.raises(AccountRefused):
            await office.invite(person, actor=admin)
        with pytest.raises(AccountRefused):
            await office.invite(admin)
        await office.enrolled(person)
        with pytest.raises(AccountRefused):
            await office.invite(person)


@pytest.mark.parametrize("name", ["", "  ", "x" * 121, "a\x00b", "a\u202eb"])
async def test_officer_when_the_name_is_none_then_refused(agency: Agency, name: str) -> None:
    """A name is one line of printed text; somebody without a role is nobody."""
    async with working(agency) as office, office.pool.acquire() as connection:
        with pytest.raises(AccountRefused):
            await add_officer(connection, log_id=1, name=name, roles=[Role.DPO], actor="cli:test")
        with pytest.raises(AccountRefused):
            await add_officer(connection, log_id=1, name="Some One", roles=[], actor="cli:test")


# ── recovery ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_recovery_when_one_administrator_says_both_words_then_refused(agency: Agency) -> None:
    """One administrator alone, or the one to be recovered, recovers nobody; two different ones do, and what was lost is revoked."""
    async with working(agency) as office:
        one, two, person = await office.officer(), await office.officer(), await office.officer()
        with pytest.raises(AccountRefused):
            await office.invite(person, kind=InvitationKind.RECOVER, actor=one)  # nothing is lost yet
        lost = await office.enrolled(person)
        inside = await office.enter(lost)
        link = await office.invite(person, kind=InvitationKind.RECOVER, actor=one)
        device = Authenticator()
        with pytest.raises(LinkClosed):
            await office.enrol(link.secret, device)
        for actor in (one, person):
            with pytest.raises(AccountRefused):
                await office.approve(person, actor)
        await office.approve(person, two)
        assert await office.who(inside) is not None  # a recovery that nobody uses takes nothing away
        assert await office.enrol(link.secret, device) == person
        assert await office.who(inside) is None
        with pytest.raises(PasskeyUnknown):
            await office.enter(lost)
        assert (await office.enter(device)).signed.person == person
    sealed = [each for each in await agency.openings() if each.get("object") == person]
    assert [each["event"] for each in sealed] == [
        "control:officer:added", "control:passkey:added", "control:passkey:revoked", "control:passkey:added",
    ]  # fmt: skip
    assert (sealed[3]["detail"]["made_by"], sealed[3]["detail"]["approved_by"]) == (one, two)
    assert "Some One" not in str(sealed)


# ── signing in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_challenge_when_answered_twice_or_late_or_elsewhere_then_spent(agency: Agency) -> None:
    """A challenge is good once, for five minutes, for what it was made for and for whom."""
    async with working(agency) as office:
        device, other = await office.enrolled(await office.officer()), await office.enrolled(await office.officer())
        options = await begin_sign_in(office.pool, SITE)
        answer = msgspec.convert(device.get(options, origin=SITE.origin), Assertion)
        entered = await finish_sign_in(office.pool, SITE, log_id=1, answer=answer, desk_key=None, cookie=None)
        with pytest.raises(ChallengeSpent):
            await finish_sign_in(office.pool, SITE, log_id=1, answer=answer, desk_key=None, cookie=None)
        theirs = await office.enter(other)
        step_up = await begin_step_up(office.pool, SITE, entered.signed)
        again = msgspec.convert(device.get(step_up, origin=SITE.origin), Assertion)
        with pytest.raises(ChallengeSpent):  # a step-up is no sign-in
            await finish_sign_in(office.pool, SITE, log_id=1, answer=again, desk_key=None, cookie=None)
        sign_in = await begin_sign_in(office.pool, SITE)
        with pytest.raises(ChallengeSpent):  # a sign-in is no step-up
            await finish_step_up(
                office.pool, SITE, entered.signed, msgspec.convert(device.get(sign_in, origin=SITE.origin), Assertion)
            )
        step_up = await begin_step_up(office.pool, SITE, entered.signed)
        with pytest.raises(ChallengeSpent):  # of another's sign-in
            await finish_step_up(
                office.pool, SITE, theirs.signed, msgspec.convert(device.get(step_up, origin=SITE.origin), Assertion)
            )
        late = msgspec.convert(device.get(await begin_sign_in(office.pool, SITE), origin=SITE.origin), Assertion)
        await agency.set_clock_offset(agency.offset + timedelta(minutes=5))
        with pytest.raises(ChallengeSpent):
            await finish_sign_in(office.pool, SITE, log_id=1, answer=late, desk_key=None, cookie=None)
        await agency.reset_clock()


async def test_challenges_when_asked_for_without_end_then_they_take_no_more_room(agency: Agency) -> None:
    """There are as many places as slots: an old challenge gives its place up, and one that is good is not driven out by a second one."""
    async with working(agency) as office:
        for _ in range(40):
            await begin_sign_in(office.pool, SITE)
        await agency.execute("update ecluse.sign_in_challenge set expires_at = ecluse.clock() - interval '1 second'")
        (before,) = await agency.fetch("select count(*) from ecluse.sign_in_challenge")
        device = await office.enrolled(await office.officer())
        async with agency.connected("ecluse_jobs") as jobs:
            await jobs.fetchval("select ecluse.purge_people()")
        (after,) = await agency.fetch("select count(*) from ecluse.sign_in_challenge")
        with pytest.raises(asyncpg.CheckViolationError):
            await agency.execute("insert into ecluse.sign_in_challenge values (65536, '', 'enrol', '', now())")
        assert (await office.enter(device)).signed.kind == "officer"
    assert (before[0] >= 40, after[0]) == (True, 0)


async def test_sign_in_when_the_passkey_is_wrong_then_refused(agency: Agency) -> None:
    """Nobody verified, another site, an unknown passkey, a copied one: nobody comes in."""
    async with working(agency) as office:
        device = await office.enrolled(await office.officer())
        for wrong in ({"verified": False}, {"rp_id": "evil.example"}, {"challenge": "A" * 43}):
            with pytest.raises((PasskeyRefused, ChallengeSpent)):
                await office.enter(device, **wrong)
        stranger = Authenticator()
        stranger.create((await begin_enrolment(office.pool, SITE, secret=(await office.invite(await office.officer())).secret)).options,
                        origin=SITE.origin)  # fmt: skip
        with pytest.raises(PasskeyUnknown):
            await office.enter(stranger)
        entered = await office.enter(device, count=50)
        with pytest.raises(PasskeyRefused):
            await office.enter(device, count=50)
        assert await office.who(entered) == entered.signed


async def test_sign_in_when_the_account_or_the_passkey_ends_then_ended_at_once(agency: Agency) -> None:
    """Closed, or without its passkey: the next request is nobody's, and nobody comes in again."""
    async with working(agency) as office:
        closed, revoked = await office.officer(), await office.officer()
        devices = [await office.enrolled(closed), await office.enrolled(revoked)]
        inside = [await office.enter(device) for device in devices]
        assert [each.signed.person for each in inside] == [closed, revoked]
        await office.close(closed)
        async with office.pool.acquire() as connection:
            (only,) = await passkeys(connection, revoked)
            with pytest.raises(AccountRefused):
                await revoke_passkey(connection, log_id=1, holder=closed, passkey=only.name, actor="cli:test")
            await revoke_passkey(connection, log_id=1, holder=revoked, passkey=only.name, actor=revoked)
            with pytest.raises(AccountRefused):
                await revoke_passkey(connection, log_id=1, holder=revoked, passkey=only.name, actor=revoked)
        assert [await office.who(each) for each in inside] == [None, None]
        for device in devices:
            with pytest.raises(PasskeyUnknown):
                await office.enter(device)


async def test_sign_in_when_idle_or_long_then_over(agency: Agency) -> None:
    """Fifteen minutes without a request, or ten hours of work, end it; each request counts, and costs a write once a minute."""
    async with working(agency) as office:
        entered = await office.enter(await office.enrolled(await office.officer()))
        for minutes in range(14, 601, 14):
            await agency.set_clock_offset(agency.offset + minutes * MINUTE)
            there = await office.who(entered)
            assert (there is not None) == (minutes < 600), minutes
        await agency.reset_clock()
        idle = await office.enter(await office.enrolled(await office.officer()))
        await agency.set_clock_offset(agency.offset + 14.9 * MINUTE)
        assert await resolve(office.pool, idle.cookie, seen=False) == msgspec.structs.replace(idle.signed, fresh_seconds=0)
        (before,) = await agency.fetch("select seen_at from ecluse.sign_in where id = $1", idle.signed.sign_in)
        assert await office.who(idle) is not None
        (seen,) = await agency.fetch("select seen_at from ecluse.sign_in where id = $1", idle.signed.sign_in)
        await office.who(idle)
        (again,) = await agency.fetch("select seen_at from ecluse.sign_in where id = $1", idle.signed.sign_in)
        await agency.set_clock_offset(agency.offset + 30 * MINUTE)
        assert await office.who(idle) is None
        await agency.reset_clock()
    assert seen["seen_at"] == again["seen_at"] > before["seen_at"] == idle.signed.started_at


async def test_cookie_when_the_browser_brought_one_then_another_and_the_old_one_ends(agency: Agency) -> None:
    """A cookie that was planted before the sign-in is worth nothing after it, and an earlier sign-in of the same browser ends."""
    async with working(agency) as office:
        device = await office.enrolled(await office.officer())
        planted = "A" * 43
        first = await office.enter(device, cookie=planted)
        second = await office.enter(device, cookie=first.cookie)
        assert len({planted, first.cookie, second.cookie}) == 3
        assert (await resolve(office.pool, planted), await office.who(first)) == (None, None)
        assert await office.who(second) == second.signed
        assert (second.cookie in repr(second), await resolve(office.pool, second.cookie + "A")) == (False, None)
        await sign_out(office.pool, log_id=1, cookie=second.cookie)
        assert await office.who(second) is None
        await sign_out(office.pool, log_id=1, cookie=second.cookie)


async def test_step_up_when_by_another_person_then_refused(agency: Agency) -> None:
    """Only a passkey of who is signed in makes the sign-in fresh again."""
    async with working(agency) as office:
        device, other = await office.enrolled(await office.officer()), await office.enrolled(await office.officer())
        entered = await office.enter(device)
        options = dict(await begin_step_up(office.pool, SITE, entered.signed))
        forced = {**options, "allowCredentials": []}
        with pytest.raises(PasskeyUnknown):
            await finish_step_up(
                office.pool, SITE, entered.signed, msgspec.convert(other.get(forced, origin=SITE.origin), Assertion)
            )
        options = await begin_step_up(office.pool, SITE, entered.signed)
        await agency.set_clock_offset(agency.offset + 2 * MINUTE)
        await finish_step_up(
            office.pool, SITE, entered.signed, msgspec.convert(device.get(options, origin=SITE.origin), Assertion)
        )
        fresh = await office.who(entered)
        await agency.reset_clock()
    assert fresh is not None
    assert fresh.stepped_up_at - entered.signed.stepped_up_at >= 2 * MINUTE


# ── agents ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_agent_when_without_a_desk_key_or_with_a_used_one_then_refused(agency: Agency) -> None:
    """An agent signs in with a key of the browser, and each sign-in with a fresh one."""
    party = await agency.bind()
    async with working(agency) as office:
        device = await office.enrolled(party.agent)
        with pytest.raises(DeskKeyMissing):
            await office.enter(device)
        key = desk_key()
        await office.enter(device, desk_key=key)
        with pytest.raises(DeskKeyMissing):
            await office.enter(device, desk_key=key)


async def test_agent_when_signed_in_then_with_a_sealed_desk_key_that_goes_with_them(agency: Agency) -> None:
    """The desk's key is sealed at the sign-in and revoked at its end; the next sign-in takes away what ended by itself."""
    party = await agency.bind(agents=2)
    async with working(agency) as office:
        devices = [await office.enrolled(agent) for agent in party.agents]
        keys = [desk_key() for _ in range(4)]
        inside = [await office.enter(device, desk_key=key) for device, key in zip(devices, keys, strict=False)]
        assert inside[0].signed.client == inside[1].signed.client
        assert [await office.who(each) for each in inside] == [each.signed for each in inside]
        assert (inside[0].signed.kind, inside[0].signed.roles, inside[0].signed.processor) == ("agent", frozenset(), party.name)
        assert inside[0].signed.thumbprint == keys[0].thumbprint
        await sign_out(office.pool, log_id=1, cookie=inside[0].cookie)
        await agency.set_clock_offset(agency.offset + 20 * MINUTE)
        third = await office.enter(devices[1], desk_key=keys[2])  # the second fell asleep
        await agency.reset_clock()
        rows = await agency.fetch(
            "select thumbprint, revoked_at is null as used from ecluse.client_key where client_id = $1", third.signed.client
        )
        async with office.pool.acquire() as connection:
            listed = await agents(connection, party.name)
    assert {row["thumbprint"]: row["used"] for row in rows} == {
        keys[0].thumbprint: False,
        keys[1].thumbprint: False,
        keys[2].thumbprint: True,
    }
    assert [(each.passkeys, each.seen_at is not None, each.pending) for each in listed] == [(1, True, None)] * 2
    events = [each["event"] for each in await agency.openings() if each.get("object") == third.signed.client]
    assert events == [
        "control:client:added",
        *["control:key:added"] * 2,
        "control:key:revoked",
        "control:key:added",
        "control:key:revoked",
    ]


@pytest.mark.parametrize("scope", ["agent", "processor", "contract", "client"])
async def test_agent_when_suspended_then_ended_at_once_and_back_when_released(agency: Agency, scope: str) -> None:
    """A hold on the agent, its processor, the contract or the desk ends the next request; a freeze does not: the desk says why."""
    party = await agency.bind()
    async with working(agency) as office:
        device = await office.enrolled(party.agent)
        entered = await office.enter(device, desk_key=desk_key())
        targets = {"agent": party.agent, "processor": party.name, "contract": party.name, "client": str(entered.signed.client)}
        frozen, _ = await agency.hold(scope, targets[scope], "freeze")
        assert await office.who(entered) == entered.signed
        await agency.release(frozen)
        hold, _ = await agency.hold(scope, targets[scope])
        assert await office.who(entered) is None
        with pytest.raises(PasskeyUnknown):
            await office.enter(device, desk_key=desk_key())
        await agency.release(hold)
        assert await office.who(entered) == entered.signed


async def test_agent_when_the_desk_key_is_revoked_then_ended_at_once(agency: Agency) -> None:
    """Whoever revokes a desk key by hand ends that sign-in, and no other."""
    party = await agency.bind()
    async with working(agency) as office:
        device = await office.enrolled(party.agent)
        one, two = [await office.enter(device, desk_key=desk_key()) for _ in range(2)]
        async with office.pool.acquire() as connection:
            await revoke_key(
                connection, log_id=1, client=str(one.signed.client), thumbprint=str(one.signed.thumbprint), actor="cli:test"
            )
        assert (await office.who(one), await office.who(two)) == (None, two.signed)


# ── accounts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_accounts_when_listed_then_with_what_waits(agency: Agency) -> None:
    """The list says who is there, what they may, whether they have a passkey, and which link waits."""
    async with working(agency) as office:
        person = await office.officer(Role.DPO, Role.READER)
        link = await office.invite(person)
        async with office.pool.acquire() as connection:
            (found,) = [each for each in await officers(connection) if each.id == person]
    assert (found.name, set(found.roles), found.passkeys, found.seen_at) == ("Some One", {Role.DPO, Role.READER}, 0, None)
    assert found.pending is not None
    assert (found.pending.kind, found.pending.made_by, found.pending.expires_at) == ("enrol", "cli:test", link.expires_at)
    assert link_of("https://pages.agency.example/", link.secret) == f"https://pages.agency.example/enrol#{link.secret}"


async def test_accounts_when_their_time_is_over_then_names_go_and_accounts_stay(agency: Agency) -> None:
    """A year after it was closed an account has no name, after six months nobody's sign-in is known, and fsck misses nothing."""
    async with working(agency) as office:
        person = await office.officer(Role.READER)
        entered = await office.enter(await office.enrolled(person))
        await office.close(person)
        await agency.set_clock_offset(agency.offset + timedelta(days=370))
        async with agency.connected("ecluse_jobs") as jobs:
            await jobs.fetchval("select ecluse.purge_people()")
        await agency.reset_clock()
    (row,) = await agency.fetch(
        "select name, name_salt, closed_at is not null as closed from ecluse.officer where id = $1", person
    )
    assert tuple(row) == ("", b"", True)
    assert await agency.fetch("select id from ecluse.sign_in where id = $1", entered.signed.sign_in) == []
    assert await agency.fetch("select label from ecluse.passkey where officer_id = $1", person) == await agency.fetch(
        "select ''::text as label"
    )


async def test_last_administrator_when_closed_then_refused(agency: Agency) -> None:
    """Somebody must be left who can add another."""
    async with working(agency) as office:
        await office.officer(Role.ADMINISTRATOR)
        async with office.pool.acquire() as connection:
            *others, last = [each for each in await officers(connection) if Role.ADMINISTRATOR in each.roles]
        for other in others:
            await office.close(other.id)
        with pytest.raises(AccountRefused, match="last administrator"):
            await office.close(last.id)
        await office.officer(Role.ADMINISTRATOR)
        await office.close(last.id)


# ── the terminal ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_command_when_it_adds_somebody_then_a_link_that_works_once(agency: Agency) -> None:
    """``ecluse people`` adds, lists, invites, recovers, revokes and closes; what it refuses it says without a name."""
    office = Office(agency.folder)

    async def enrol(link: str) -> str:
        async with working(agency) as there:
            return await there.enrol(link.partition("#")[2], Authenticator())

    added = office.json("people", "add", "First Person", "--role", "dpo", "--role", "administrator")
    person = added["person"]
    assert (added["link"].partition("#")[0], added["waits"]) == (f"{agency.installation.settings.pages}/enrol", False)
    again = office.json("people", "invite", person)
    with pytest.raises(LinkClosed):
        asyncio.run(enrol(added["link"]))
    assert asyncio.run(enrol(again["link"])) == person
    (row,) = [each for each in office.json("people", "list")["people"] if each["id"] == person]
    assert (row["name"], row["roles"], len(row["passkeys"]), row["pending"]) == (
        "First Person",
        ["administrator", "dpo"],
        1,
        None,
    )
    refused = office.run("people", "invite", person)
    assert (refused.exit_code, "account-refused" in refused.stderr, "First Person" in refused.stderr) == (1, True, False)
    asked = office.json("people", "recover", person)
    assert (asked["waits"], office.run("people", "recover", person, "--approve").exit_code) == (True, 1)  # by the same account
    with pytest.raises(LinkClosed):
        asyncio.run(enrol(asked["link"]))
    name = row["passkeys"][0]["name"]
    assert office.json("people", "revoke", person, name[:10])["passkey"] == name
    assert (office.run("people", "revoke", person, name[:10]).exit_code, office.run("people", "close", person).exit_code) == (
        1,
        1,
    )
    office.json("people", "add", "Second Person", "--role", "administrator")
    assert office.json("people", "close", person, "--yes")["officer"] == person
    assert person not in str(office.json("people", "list"))
    assert person in office.run("people", "list", "--closed").stdout.replace("\n", "")
    party = asyncio.run(agency.bind())
    link = office.json("people", "invite", party.agent)
    assert asyncio.run(enrol(link["link"])) == party.agent
    assert [each["id"] for each in office.json("people", "list", party.name)["people"]] == [party.agent]
