"""What a batch takes and what it leaves: requests that wait, retention by whole sessions, legal holds, and every row that goes along."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import asyncpg
import pytest

from ecluse.ledger.account import erased_set
from ecluse.ledger.erase import erase_due, standing
from ecluse.ledger.fields import Event, fields_of
from tests.erasure.worlds import MONTHS, Place, Scene, World

pytestmark = pytest.mark.db

DAY = timedelta(days=1)
YEAR = timedelta(days=367)
PEOPLE = (10, 11, 12, 13)


@pytest.fixture
async def world(scene: Scene) -> AsyncIterator[World]:
    """Return a world of this test's own."""
    async with scene.world() as made:
        yield made


def places(world: World, session: str, starts_at: datetime, people: tuple[int, ...] = PEOPLE, *, party: int = 0) -> list[Place]:
    """Plan a session of the course of the first processor (``party`` 0) or the second."""
    return [
        Place(session=session, place=f"P{person}", person=person, party=world.parties[party], starts_at=starts_at, course="c1")
        for person in people
    ]


async def held_session(
    world: World, session: str = "S1", *, after: timedelta = DAY, people: tuple[int, ...] = PEOPLE, party: int = 0
) -> list[int]:
    """Plan a session ``after`` the world's first midnight and 9 hours, and read everybody in it; return the indexes."""
    starts_at = world.start + after + timedelta(hours=9)
    await world.move(starts_at - 2 * DAY)
    await world.schedule(places(world, session, starts_at, people, party=party), source=f"plan-{party}")
    handles = await world.handles(session)
    return await world.disclose(starts_at, world.parties[party], [(handles[person], person) for person in people])


async def waits(world: World) -> list[str | None]:
    """Return what the requests wait for."""
    return [one.why for one in (await standing(world.jobs, MONTHS)).requests]


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("role", ["app", "reader", "owner"])
async def test_roles_when_they_forget_by_themselves_then_refused(world: World, role: str) -> None:
    """The gate's password and a reader's erase nothing, ask for nobody, and can't write a tombstone; not even the owner takes one back."""
    if role == "owner":
        await held_session(world)
        await world.move(world.start + YEAR + 30 * DAY)
        await world.erase()
        for statement in (
            "delete from ecluse.tombstone",
            "update ecluse.tombstone set past = past + 1",
            "truncate ecluse.tombstone",
            "delete from ecluse.erasure_batch",
            "update ecluse.erasure_batch set salt = decode(repeat('00', 32), 'hex')",
            "update ecluse.erasure_batch set done_at = null",
        ):
            with pytest.raises(asyncpg.PostgresError, match=r"append-only"):
                await world.owner.execute(statement)
        return
    async with world.app.acquire() as app:
        connection = app if role == "app" else world.reader
        for statement in (
            "select ecluse.ask_erasure('ers_x', 'ofii:10', 'why', 'me')",
            "select * from ecluse.plan_erasure(1::smallint, 1::smallint, 12, 31, decode(repeat('00', 32), 'hex'))",
            "select ecluse.seal_erasure(1, now(), ''::bytea, '[]', ''::bytea)",
            "select * from ecluse.erase_slice(10)",
            "insert into ecluse.tombstone (log_id, batch, first, past) values (1, 1, 0, 1)",
            "delete from ecluse.opening",
        ):
            with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)):
                await connection.execute(statement)


@pytest.mark.parametrize("months", [0, 5, 37, None])
async def test_retention_when_too_short_or_too_long_then_refused_by_the_database(world: World, months: int | None) -> None:
    """Whoever holds the password of the jobs can't make the ledger forget last week."""
    with pytest.raises(asyncpg.DataError):
        await world.jobs.fetch("select * from ecluse.plan_erasure(1::smallint, 1::smallint, $1, 31, $2)", months, bytes(32))


async def test_plan_when_not_sealed_in_its_own_transaction_then_nothing(world: World) -> None:
    """A plan that was not sealed leaves no row, and its number opens nothing."""
    await held_session(world)
    await world.move(world.start + YEAR)
    plan = await world.jobs.fetchrow("select * from ecluse.plan_erasure(1::smallint, 1::smallint, 12, 31, $1)", bytes(32))
    assert plan is not None
    await world.owner.execute("update ecluse.ledger_head set control_seq = control_seq + 1")
    at = await world.owner.fetchval("select ecluse.clock()")
    fields = '[["at","x"],["event","control:erasure:done"]]'
    assert await world.jobs.fetchval("select ecluse.seal_erasure($1, $2, '', $3, '')", plan["id"], at, fields) == "stale"
    assert await world.jobs.fetchval("select ecluse.seal_erasure($1, $2, '', $3, '')", plan["id"] + 9, at, fields) == "stale"


async def test_request_when_something_is_under_way_then_it_waits_and_says_for_what(world: World) -> None:
    """A place ahead, an open window, a live budget, a hold, a legal hold on the processor: none is cut short."""
    await held_session(world)
    await world.ask(10)
    assert await waits(world) == ["appointment"]
    await world.move(world.start + 14 * DAY)
    assert await waits(world) == ["appointment"]
    await world.move(world.start + 16 * DAY)
    assert await waits(world) == ["budget"]
    hold = await world.hold("agent", world.parties[0].agents[1])
    await world.move(world.start + 40 * DAY)
    assert await waits(world) == ["hold"]
    await world.erase()
    assert await world.naming(10)
    await world.release(hold)
    suspended = await world.hold("person", "ofii:10", "suspend")
    assert await waits(world) == ["hold"]
    await world.release(suspended)
    assert await waits(world) == [None]
    assert await world.ask(10) == [None]


# ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_request_when_nothing_stands_in_its_way_then_no_row_names_the_person(world: World) -> None:
    """Openings, places, enrolment, outcome, holds with their own entries, counters, the request: all of it; and nobody else's."""
    entries = await held_session(world)
    early = await world.disclose(
        world.start + 3 * DAY, world.parties[0], [((await world.handles("S1"))[10], 10)], event=Event.PERSON_REFUSED
    )
    await world.outcome(world.parties[0], (await world.handles("S1"))[10], world.start + 3 * DAY)
    await world.release(await world.hold("person", "ofii:10", "suspend"))
    await world.move(world.start + 31 * DAY)
    await world.jobs.execute("select ecluse.purge()")
    before, bystanders = await world.openings(), await world.naming(11, 12, 13)
    assert {name.partition(".")[0] for name in await world.naming(10)} == {
        "opening",
        "appointment",
        "enrolment",
        "hold",
        "budget_person",
    }
    await world.ask(10)
    (sealed,) = await world.erase()
    assert await world.naming(10) == {}
    assert await world.naming(11, 12, 13) == bystanders
    gone = before - await world.openings()
    assert set(await world.erased()) == gone
    assert {entries[0], *early} < gone
    assert len(gone) == 3, "both decisions, and the entry of the hold that named them"
    assert await world.owner.fetchval("select count(*) from ecluse.outcome") == 0
    assert await world.owner.fetchval("select count(*) from ecluse.erasure_request") == 0
    fields = dict(fields_of(await world.reader.fetchval("select fields from ecluse.opening where index = $1", sealed)))
    batch = await world.reader.fetchrow("select * from ecluse.erasure_batch")
    assert batch is not None
    ranges = [
        (row["first"], row["past"]) for row in await world.reader.fetch("select first, past from ecluse.tombstone order by first")
    ]
    assert list(fields) == ["at", "event", "detail"]
    assert fields["detail"] == {"count": 3, "set": erased_set(batch["salt"], ranges)}
    assert batch["done_at"] is not None
    assert await world.erase() == []


async def test_request_when_the_file_is_known_but_for_one_row_then_its_digest_confirms_nobody(world: World) -> None:
    """The salt that ties an import to its file goes with the first person of it: with a bare digest each person could be tried."""
    await held_session(world)
    assert await world.owner.fetchval("select count(*) from ecluse.schedule_import where salt is not null") == 1
    await world.move(world.start + 31 * DAY)
    await world.ask(10)
    await world.erase()
    assert await world.owner.fetchval("select count(*) from ecluse.schedule_import where salt is not null") == 0


async def test_requests_when_several_are_due_then_one_entry_for_all_reasons(world: World) -> None:
    """Two persons and what is past its time go in one batch: no entry singles one out."""
    old = await held_session(world, people=(20, 21))
    young = await held_session(world, "S2", after=YEAR - 40 * DAY)
    await world.move(world.start + YEAR)
    await world.ask(10, 11)
    assert len(await world.erase()) == 1
    assert set(await world.erased()) >= {*old, young[0], young[1]}
    assert not {young[2], young[3]} & set(await world.erased())
    assert await world.naming(20, 21, 10, 11) == {}


async def test_request_when_the_person_is_unknown_then_done_all_the_same(world: World) -> None:
    """Somebody of whom nothing is known is forgotten at once, with an entry that says nothing else."""
    await world.ask(150)
    assert len(await world.erase()) == 1
    assert (await world.erased(), await world.naming(150)) == ([], {})


# ── retention ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_retention_when_a_session_is_past_its_time_then_whole_and_the_later_ones_stay(world: World) -> None:
    """Twelve months after it all of a session goes, a course's enrolments stay with the sessions that stay, and configuration is kept."""
    old, young = await held_session(world), await held_session(world, "S2", after=60 * DAY)
    kept = {
        row["index"]
        for row in await world.reader.fetch(
            "select index from ecluse.opening where event like 'control:%' and event !~ 'schedule'"
        )
    }
    await world.move(world.start + YEAR)
    await world.erase()
    there = await world.openings()
    assert not there & set(old)
    assert kept | set(young) <= there
    rows = await world.reader.fetch("select session_ref from ecluse.session")
    assert [row["session_ref"] for row in rows] == ["S2"]
    assert await world.reader.fetchval("select count(*) from ecluse.enrolment") == len(PEOPLE)
    assert await world.reader.fetchval("select count(*) from ecluse.session_agent") == 1
    await world.move(world.start + YEAR + 70 * DAY)
    await world.erase()
    assert await world.naming(*PEOPLE) == {}
    assert await world.reader.fetchval("select count(*) from ecluse.session_agent") == 0
    assert {row["actor"] for row in await world.reader.fetch("select actor from ecluse.schedule_import")} == {""}


async def test_retention_when_a_window_lies_across_its_end_then_the_session_goes_whole(world: World) -> None:
    """Somebody was read the evening before, all others after midnight: what is left of such a session would name the first."""
    starts_at = world.start + 10 * DAY + timedelta(hours=9)
    await world.schedule(places(world, "S1", starts_at), source="plan-0")
    handles = await world.handles("S1")
    evening = await world.disclose(starts_at - timedelta(hours=12), world.parties[0], [(handles[10], 10)])
    morning = await world.disclose(starts_at, world.parties[0], [(handles[person], person) for person in PEOPLE[1:]])
    much_later = await world.disclose(starts_at + 90 * DAY, world.parties[0], [(handles[11], 11)], event=Event.PERSON_REFUSED)
    await world.move(starts_at.replace(year=starts_at.year + 1, hour=3))  # the cutoff is the midnight between
    await world.erase()
    assert set(evening + morning + much_later) <= set(await world.erased())
    assert await world.naming(*PEOPLE) == {}


async def test_retention_when_a_session_was_moved_then_it_goes_with_its_first_disclosure(world: World) -> None:
    """A place that was read once and shows no opening would say whose the missing one is."""
    starts_at = world.start + 10 * DAY + timedelta(hours=9)
    await world.schedule(places(world, "S1", starts_at), source="plan-0")
    handles = await world.handles("S1")
    early = await world.disclose(starts_at - DAY, world.parties[0], [(handles[10], 10)])
    await world.schedule(places(world, "S1", starts_at + 50 * DAY), source="plan-0")
    late = await world.disclose(starts_at + 50 * DAY, world.parties[0], [(handles[11], 11)])
    await world.move(starts_at + YEAR)
    await world.erase()
    assert set(early + late) <= set(await world.erased())
    assert await world.naming(*PEOPLE) == {}


async def test_retention_when_after_a_long_rest_then_month_by_month_and_all_of_it(world: World) -> None:
    """Years that were never erased go in batches of a month, each with its entry."""
    for month in range(4):
        await held_session(world, f"S{month}", after=(1 + 40 * month) * DAY)
    await world.move(world.start + 3 * YEAR)
    assert len(await world.erase()) == 4
    assert await world.naming(*PEOPLE) == {}


# ── holds ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("scope", ["processor", "contract", "agent", "client"])
async def test_legal_hold_when_on_a_processor_or_its_own_then_its_rows_stay_and_status_says_so(world: World, scope: str) -> None:
    """Its openings and its schedule are kept whole; the other processor's go; afterwards they go too."""
    party = world.parties[0]
    own, other = await held_session(world), await held_session(world, "S9", people=(30, 31), party=1)
    target = {"agent": party.agents[0], "client": party.machines[0].id}.get(scope, party.name)
    hold = await world.hold(scope, target)
    await world.move(world.start + YEAR)
    await world.erase()
    erased = set(await world.erased())
    assert set(other) <= erased
    assert not set(own) & erased
    assert await world.reader.fetchval("select count(*) from ecluse.appointment") == len(PEOPLE)
    assert [(one.hold, one.scope, one.openings >= len(own)) for one in (await standing(world.jobs, MONTHS)).kept] == [
        (hold, scope, True)
    ]
    await world.release(hold)
    await world.erase()
    assert set(own) <= set(await world.erased())
    assert await world.naming(*PEOPLE) == {}
    assert (await standing(world.jobs, MONTHS)).kept == ()


async def test_legal_hold_when_on_a_person_then_theirs_alone_stays(world: World) -> None:
    """Of the session one place is left, with every opening that it counts."""
    own = await held_session(world)
    await world.hold("person", "ofii:11")
    await world.move(world.start + YEAR)
    await world.erase()
    assert set(own) - set(await world.erased()) == {own[1]}
    rows = await world.reader.fetch("select subject_ref, reads from ecluse.appointment")
    assert [tuple(row) for row in rows] == [("ofii:11", 1)]
    assert await world.naming(10, 12, 13) == {}


async def test_hold_when_it_lasts_longer_than_openings_then_its_own_entry_is_kept(world: World) -> None:
    """Who is suspended can see, after years, that it was sealed."""
    hold = await world.hold("processor", world.parties[0].name, "suspend")
    placed = await world.reader.fetchval("select index from ecluse.opening where event = 'control:hold:placed'")
    await held_session(world, people=(20,), party=1)
    await world.move(world.start + YEAR)
    await world.erase()
    assert placed in await world.openings()
    await world.release(hold)
    await world.move(world.start + 2 * YEAR)
    await world.erase()
    assert placed not in await world.openings()
    assert await world.reader.fetchval("select count(*) from ecluse.hold") == 0


# ── a log that was succeeded ─────────────────────────────────────────────────────────────────────────────────────────────────
async def test_successor_when_the_old_log_holds_persons_then_its_openings_go_and_the_new_log_says_so(world: World) -> None:
    """A closed log takes no entry: what is erased of it stands in the log that is written now, which names it; the request ends with the newest log."""
    old = await held_session(world)
    await world.move(world.start + 31 * DAY)
    await world.owner.execute("update ecluse.ledger_head set closed_at = ecluse.clock() where log_id = 1")
    await world.owner.execute(
        "insert into ecluse.ledger_log (id, name, origin, vkey, created_at) values (2, 'main-2', 'o-2', 'v-2', ecluse.clock())"
    )
    await world.owner.execute(
        "insert into ecluse.ledger_head (log_id, size, control_seq, last_at) select 2, 0, control_seq + 1, last_at from ecluse.ledger_head"
    )
    await world.ask(10)
    assert await erase_due(world.jobs, 2, MONTHS) == [0, 1]
    assert await world.naming(10) == {}
    assert await world.erased() == [old[0]]
    said = [
        dict(fields_of(row["fields"]))["detail"]
        for row in await world.reader.fetch("select fields from ecluse.opening where log_id = 2 order by index")
    ]
    assert [(one["count"], one.get("log")) for one in said] == [(1, "main"), (0, None)]
    rows = await world.reader.fetch("select log_id, of_log, done_at is not null from ecluse.erasure_batch order by id")
    assert [tuple(row) for row in rows] == [(2, 1, True), (2, 2, True)]
    assert (await standing(world.jobs, MONTHS)).requests == ()
