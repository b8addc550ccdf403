"""Nothing is half-done: killed at any statement, the log is whole to fsck, nobody is named half, and the next run ends what was begun."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from ecluse.ledger import erase
from ecluse.ledger.erase import Eraser, erase_due, standing
from ecluse.ledger.errors import LedgerStale
from ecluse.ledger.fields import Event
from ecluse.ledger.fsck import check_log
from tests.erasure.worlds import DAY, MONTHS, Place, Scene, World

pytestmark = pytest.mark.db

OLD, ASKED, OTHERS = (20, 21, 22), (10, 11), (12, 13)


@pytest.fixture
async def world(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Return a world with a session past its time, and a younger one of which two ask to be forgotten; three rows make a slice."""
    monkeypatch.setattr(erase, "SLICE_ROWS", 3)
    async with scene.world() as made:
        await _session(made, "S-old", 1, OLD)
        await _session(made, "S-young", 330, (*ASKED, *OTHERS))
        await made.move(made.start + 380 * DAY)
        await made.jobs.execute("select ecluse.purge()")
        await made.ask(*ASKED)
        yield made


async def _session(world: World, session: str, day: int, people: tuple[int, ...]) -> None:
    at = world.start + day * DAY + timedelta(hours=9)
    await world.move(at - DAY)
    await world.schedule([Place(session=session, place=f"P{n}", person=n, party=world.parties[0], starts_at=at) for n in people])
    handles = await world.handles(session)
    for person in people:
        await world.disclose(at, world.parties[0], [(handles[person], person)])


async def fsck(world: World) -> list[str]:
    """Return what fsck finds."""
    report = await check_log(world.reader, 1, await world.reader.fetchval("select vkey from ecluse.ledger_log where id = 1"))
    return [problem.kind.value for problem in report.problems]


class Mortal:
    """A connection that dies with its n-th statement: before it is sent, or once it was answered."""

    def __init__(self, connection: asyncpg.Connection, left: int, *, answered: bool) -> None:
        """Live for ``left`` statements."""
        self._connection, self._left, self._answered = connection, left, answered

    def __getattr__(self, name: str) -> Any:
        """Pass everything on, and count what is sent."""
        found = getattr(self._connection, name)
        if name not in {"fetch", "fetchrow", "fetchval"}:
            return found

        async def sent(*values: object) -> object:
            self._left -= 1
            if self._left == 0 and not self._answered:
                self._connection.terminate()
            answer = await found(*values)
            if self._left == 0:
                self._connection.terminate()
            return answer

        return sent


@pytest.mark.parametrize("answered", [False, True])
async def test_run_when_killed_at_each_statement_then_whole_to_fsck_and_ended_by_the_next(
    scene: Scene, world: World, answered: bool
) -> None:
    """Each run dies one statement later than the one before, until one lives: after every death the log is whole and nothing is lost."""
    keys = scene.agency.installation
    dsn = scene.agency.postgres.dsn("ecluse_jobs", keys.secret("db-jobs.password"), world.name)
    assert await fsck(world) == []
    deaths = 0
    for left in range(1, 60):
        jobs = await asyncpg.connect(dsn)
        try:
            await erase_due(Mortal(jobs, left, answered=answered), 1, MONTHS)  # type: ignore[arg-type]
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            deaths += 1
        else:
            break
        finally:
            jobs.terminate()
        assert await fsck(world) == []
        sealed = await world.reader.fetchval("select count(*) from ecluse.erasure_batch")
        assert sealed == await world.reader.fetchval("select count(*) from ecluse.opening where event = 'control:erasure:done'")
        await _let_go(world)
    assert deaths > 4
    assert await fsck(world) == []
    assert await world.naming(*OLD, *ASKED) == {}
    assert set(await world.naming(*OTHERS)) == {
        "appointment.subject_ref",
        "enrolment.subject_ref",
        "opening.fields",
        "opening.subject_ref",
    }
    assert await world.reader.fetchval("select count(*) from ecluse.erasure_batch") == 1
    assert (await standing(world.jobs, MONTHS)).requests == ()


async def _let_go(world: World) -> None:
    """Wait until the dead one's session has ended: it may hold a lock for a moment."""
    for _ in range(200):
        if not await world.reader.fetchval(
            "select count(*) from pg_stat_activity where datname = $1 and usename = 'ecluse_jobs' and state <> 'idle'", world.name
        ):
            return
        await asyncio.sleep(0.02)


async def test_batch_when_half_deleted_then_disclosures_go_on_and_nothing_more_is_planned(world: World) -> None:
    """Slices take no lock of the head: a grant is sealed between two of them; a second plan has to wait for the end of the first."""
    plan = erase._plan_and_seal
    async with world.jobs.transaction():
        assert await plan(world.jobs, 1, 1, MONTHS, days=31, most_ranges=None, name="main")
    assert (await world.jobs.fetchrow(erase.SLICE, 1))["done"] is False
    await _session(world, "S-new", 382, (30,))
    with pytest.raises(asyncpg.LockNotAvailableError):
        await world.jobs.fetch(erase.PLAN, 1, 1, MONTHS, 31, bytes(32))
    assert (await standing(world.jobs, MONTHS)).batches[0].done_at is None
    assert await fsck(world) == []
    await erase_due(world.jobs, 1, MONTHS)
    assert await world.naming(*OLD, *ASKED) == {}
    assert await fsck(world) == []


async def test_plan_when_somebody_asks_about_a_person_meanwhile_then_planned_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal that names the person, sealed between plan and seal, is not left behind: the plan is stale, and the next one has it."""
    handles = await world.handles("S-young")
    plans = 0
    seal_plan = erase.read_head

    async def meddle(connection: asyncpg.Connection, log_id: int) -> Any:
        nonlocal plans
        plans += 1
        if plans == 1:
            await world.disclose(
                world.start + 380 * DAY, replace(world.parties[0]), [(handles[10], 10)], event=Event.PERSON_REFUSED
            )
        return await seal_plan(connection, log_id)

    monkeypatch.setattr(erase, "read_head", meddle)
    await world.erase()
    assert plans == 2
    await world.move(world.start + 380 * DAY + timedelta(hours=2))
    await world.erase()
    assert await world.naming(*ASKED) == {}
    assert await fsck(world) == []


async def test_run_when_others_keep_changing_things_then_it_gives_up_and_nothing_is_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan is good for one control_seq: after sixteen that went stale it is left for the next minute."""

    async def meddle(connection: asyncpg.Connection, log_id: int) -> Any:
        head = await read(connection, log_id)
        await world.owner.execute("update ecluse.ledger_head set control_seq = control_seq + 1")
        return head

    read = erase.read_head
    monkeypatch.setattr(erase, "read_head", meddle)
    before = await world.openings()
    with pytest.raises(LedgerStale):
        await world.erase()
    assert await world.openings() == before


async def test_runs_when_two_at_once_then_one_batch(scene: Scene, world: World) -> None:
    """Two hosts at two in the morning: one plans, the other is told to come again; slices are shared in peace."""
    keys = scene.agency.installation
    dsn = scene.agency.postgres.dsn("ecluse_jobs", keys.secret("db-jobs.password"), world.name)
    others = [await asyncpg.connect(dsn) for _ in range(3)]
    await asyncio.gather(*(erase_due(jobs, 1, MONTHS) for jobs in others), return_exceptions=True)
    await erase_due(world.jobs, 1, MONTHS)
    for jobs in others:
        await jobs.close()
    assert await world.reader.fetchval("select count(*) from ecluse.erasure_batch") == 1
    assert await world.naming(*OLD, *ASKED) == {}
    assert await fsck(world) == []


async def test_worker_when_it_is_night_then_once_and_not_before(scene: Scene, world: World) -> None:
    """Before its hour nothing is done, after it once a day."""
    keys = scene.agency.installation
    dsn = scene.agency.postgres.dsn("ecluse_jobs", keys.secret("db-jobs.password"), world.name)
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        worker = Eraser(pool, log_id=1, months=MONTHS, hour=2, zone=keys.settings.zone)
        day = world.start + 380 * DAY
        await worker.look(day.replace(hour=1, minute=59))
        assert await world.reader.fetchval("select count(*) from ecluse.erasure_batch") == 0
        await worker.look(day.replace(hour=2))
        await world.move(day + 400 * DAY)
        await worker.look(day.replace(hour=3))
        assert await world.reader.fetchval("select count(*) from ecluse.erasure_batch") == 1
        await worker.look((day + DAY).replace(hour=2))
    assert await world.reader.fetchval("select count(*) from ecluse.erasure_batch where done_at is not null") == 2
    assert await world.naming(*OTHERS) == {}
