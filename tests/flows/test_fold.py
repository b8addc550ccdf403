"""The fold: it counts what the openings hold, once, whatever interrupts it, and forgets with them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from ecluse.flows import store
from ecluse.flows.service import fold_all
from ecluse.ledger.fields import Event
from tests.erasure.lives import ROLES, live
from tests.erasure.test_unlinkable import cast, drawn, dump
from tests.erasure.worlds import DAY, Place, Scene, World

pytestmark = pytest.mark.db

EVER = (date(2000, 1, 1), date(2100, 1, 1))
TABLES = ("flow_mark", "flow_seen", "flow_person", "flow_gone", "flow_attempt")


async def counted(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that was counted, without when."""
    return {
        table: sorted(
            [tuple(value for name, value in row.items() if name != "folded_at") for row in await world.owner.fetch(f"select * from ecluse.{table}")]  # noqa: S608 - our own names
        )
        for table in TABLES
    }  # fmt: skip


async def recounted(world: World) -> Counter[tuple[str, str, str]]:
    """Count disclosures by processor, attribute and form straight from the openings' text."""
    found: Counter[tuple[str, str, str]] = Counter()
    for row in await world.owner.fetch("select fields from ecluse.opening where event like 'disclosure:%:granted'"):
        fields = dict(json.loads(row["fields"]))
        found.update((fields["processor"], name, form) for name, form in fields["forms"].items())
    return found


async def numbers(world: World) -> Counter[tuple[str, str, str]]:
    """Return the same as the fold counted it."""
    rows = await store.observations(world.reader, *EVER)
    found: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        if row.attribute:
            found[row.processor, row.attribute, row.form] += row.disclosures
    return found


async def a_day(world: World, persons: Sequence[int], *, after: int = 1, session: str = "s1") -> dict[int, str]:
    """Schedule persons to a session of the first processor, disclose each, and the first twice."""
    party, begins = world.parties[0], world.start + after * DAY
    await world.schedule(
        [Place(session=session, place=f"P{n}", person=person, party=party, starts_at=begins) for n, person in enumerate(persons)], session
    )  # fmt: skip
    handles = await world.handles(session)
    await world.disclose(begins, party, [(handles[person], person) for person in persons])
    await world.disclose(begins + timedelta(minutes=5), party, [(handles[persons[0]], persons[0])], event=Event.SHEET_GRANTED)
    return handles


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_fold_when_another_process_is_at_it_then_it_keeps_away(scene: Scene) -> None:
    """Two processes never count the same entries: the second says so and counts nothing."""
    async with scene.world() as world:
        await a_day(world, [10, 11])
        async with world.owner.transaction():
            await world.owner.execute("select pg_advisory_xact_lock(1701016942, 0)")
            assert await fold_all(world.jobs) is None
        assert await store.folded(world.reader) == tuple(
            row for row in await store.folded(world.reader) if row.next_index == 0 and row.folded_at is None
        )


@pytest.mark.parametrize("role", ["ecluse_app", "ecluse_usage", "ecluse_reader"])
async def test_fold_when_asked_by_another_role_then_refused(scene: Scene, role: str) -> None:
    """Only the role of the jobs may fold."""
    async with scene.world() as world:
        await world.owner.execute("reset role")
        assert not await world.owner.fetchval(
            "select has_function_privilege($1, 'ecluse.fold_flows(smallint, integer)', 'execute')", role
        )


@pytest.mark.parametrize(
    "fields",
    [
        "no json",
        "[]",
        "{}",
        "7",
        '[["at","x"],["event","y"],["forms",7]]',
        '[["forms",{"email":"full"}],["purpose","\\u0000"]]',
        '[["forms",["email"]],["purpose","p"]]',
        "[" * 5000,
    ],
)
async def test_fold_when_an_opening_was_forged_then_it_is_told_apart_and_the_next_are_counted(scene: Scene, fields: str) -> None:
    """A row that somebody slipped in does not stop the count of what comes after it."""
    async with scene.world() as world:
        size = await world.owner.fetchval("select size from ecluse.ledger_head")
        await slip_in(world, fields)
        await a_day(world, [10, 11])
        await fold_all(world.jobs)
        (mark,) = await store.folded(world.reader)
        assert (mark.unreadable, mark.next_index > size + 1) == (1, True)
        assert await numbers(world) == Counter({(world.parties[0].name, "family_name", "full"): 3})


async def slip_in(world: World, fields: str, subject: str = "ofii:99") -> None:
    """Write an entry past the door, as a database administrator could."""
    await world.owner.execute(
        "with h as (update ecluse.ledger_head set size = size + 1 returning size - 1 as index, last_at), "
        "e as (insert into ecluse.ledger_entry (log_id, index, leaf, sealed_at) select 1, h.index, 'forged', h.last_at from h) "
        "insert into ecluse.opening (log_id, index, sealed_at, event, disclosure_id, processor_id, subject_ref, fields, salts) "
        "select 1, h.index, h.last_at, 'disclosure:person:granted', 'dsc_forged', $1, $2, $3, '' from h",
        world.parties[0].name, subject, fields,
    )  # fmt: skip


async def test_words_when_forged_then_none_of_them_is_kept(scene: Scene) -> None:
    """What is no word of a contract is counted as a question mark: no text of a stranger gets into the counts, however long."""
    async with scene.world() as world:
        long = "x" * 5000
        await slip_in(world, json.dumps([["purpose", long], ["forms", {"Marie Curie": "full", long: long, "email": "full"}]]))
        await fold_all(world.jobs)
        rows = await store.observations(world.reader, *EVER)
        assert {(row.purpose, row.attribute, row.form) for row in rows} == {
            ("?", "", ""),
            ("?", "?", "full"),
            ("?", "?", "?"),
            ("?", "email", "full"),
        }


# ── counting ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_fold_when_nothing_was_disclosed_then_nothing_is_counted(scene: Scene) -> None:
    """An agency without a disclosure has a mark at its end, and no counts."""
    async with scene.world() as world:
        await fold_all(world.jobs)
        (mark,) = await store.folded(world.reader)
        found = await store.observed(world.reader, *EVER)
        assert (mark.next_index, mark.erased, mark.unreadable) == (mark.size, 0, 0)
        assert (found.fields, found.recipients, found.persons) == ((), (), 0)


@pytest.mark.parametrize("most", [1, 2, 7, 2000])
async def test_fold_when_done_in_batches_of_any_size_then_the_numbers_are_those_of_the_openings(scene: Scene, most: int) -> None:
    """Batches of one entry or of all count the same as reading each opening does, once and not twice."""
    async with scene.world() as world:
        await a_day(world, [10, 11, 12])
        await a_day(world, [11, 13], after=2, session="s2")
        for _ in range(200):
            step = await store.fold_next(world.jobs, 1, most)
            assert step is not None
            if not step[0]:
                break
        once = await counted(world)
        assert await fold_all(world.jobs) == 0
        assert await counted(world) == once
        assert await numbers(world) == await recounted(world)
        found = await store.observed(world.reader, *EVER)
        assert [(one.disclosures, one.persons, one.erased) for one in found.recipients] == [(7, 4, 0)]
        assert [(one.attribute, one.forms, one.persons) for one in found.fields] == [("family_name", {"full": 4}, 4)]
        second = (world.start + 2 * DAY).date()
        day = await store.observed(world.reader, second, second + DAY)
        assert [(one.disclosures, one.persons) for one in day.recipients] == [(3, 2)]


async def test_fold_when_killed_before_its_commit_then_all_of_it_is_done_again(scene: Scene) -> None:
    """Mark and counts are one transaction: a backend that dies leaves neither, and the next fold counts each entry once."""
    async with scene.world() as world:
        await a_day(world, [10, 11, 12])
        begun = world.jobs.transaction()
        await begun.start()
        assert await store.fold_next(world.jobs, 1, 2000) is not None
        assert (await store.folded(world.reader))[0].next_index == 0
        keeper = await asyncpg.connect(scene.agency.postgres.superuser_dsn())
        await keeper.execute("select pg_terminate_backend($1)", world.jobs.get_server_pid())
        await keeper.close()
        installation = scene.agency.installation
        again = await asyncpg.connect(
            scene.agency.postgres.dsn("ecluse_jobs", installation.secret("db-jobs.password"), world.name)
        )
        await fold_all(again)
        await again.close()
        assert await numbers(world) == await recounted(world)


# ── forgetting ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_erasure_when_a_person_was_counted_then_the_number_stays_and_the_person_goes(scene: Scene) -> None:
    """Who is forgotten is in no row any more; their disclosures stay counted, they themselves as one that was erased."""
    async with scene.world() as world:
        await a_day(world, [10, 11, 12])
        await fold_all(world.jobs)
        before = await numbers(world)
        await world.move(world.start + 40 * DAY)
        await world.ask(10)
        assert len(await world.erase()) == 1
        assert await world.naming(10) == {}
        await fold_all(world.jobs)
        assert await world.naming(10) == {}
        found = await store.observed(world.reader, *EVER)
        assert await numbers(world) == before
        assert [(one.disclosures, one.persons, one.erased) for one in found.recipients] == [(4, 2, 1)]
        assert [(one.persons, one.erased) for one in found.fields] == [(2, 1)]


async def test_erasure_when_nobody_had_counted_yet_then_the_gap_is_told(scene: Scene) -> None:
    """What was erased before it was counted can't be counted: the mark says how many entries that are."""
    async with scene.world() as world:
        await a_day(world, [10, 11])
        await world.move(world.start + 40 * DAY)
        await world.ask(10)
        assert len(await world.erase()) == 1
        await fold_all(world.jobs)
        (mark,) = await store.folded(world.reader)
        assert (mark.erased, await world.naming(10)) == (2, {})
        assert [(one.disclosures, one.persons) for one in (await store.observed(world.reader, *EVER)).recipients] == [(1, 1)]


async def test_erasure_when_sealed_and_not_done_then_what_goes_is_not_counted_again(scene: Scene) -> None:
    """Between a batch's entry and the deletion of its openings a fold counts nothing that is under its tombstones."""
    async with scene.world() as world:
        await a_day(world, [10, 11])
        await world.move(world.start + 40 * DAY)
        await world.ask(10)
        await world.owner.execute("alter function ecluse.erase_slice(integer) rename to erase_slice_later")
        # a process that is killed right after the commit of a batch leaves what this one leaves
        await world.owner.execute(
            "create function ecluse.erase_slice(integer) returns table (openings integer, done boolean) language sql as 'select 0, true'"
        )
        await world.owner.execute("grant execute on function ecluse.erase_slice(integer) to ecluse_jobs")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await world.erase()
        assert await world.erased()
        await fold_all(world.jobs)
        assert [name for name in await world.naming(10) if name.startswith("flow_")] == []
        await world.owner.execute("drop function ecluse.erase_slice(integer)")
        await world.owner.execute("alter function ecluse.erase_slice_later(integer) rename to erase_slice")
        await world.erase()
        await fold_all(world.jobs)
        assert await world.naming(10) == {}


async def test_retention_when_openings_have_served_their_time_then_who_was_counted_goes_with_them(scene: Scene) -> None:
    """After a year the counts of a day are numbers without anybody."""
    async with scene.world() as world:
        await a_day(world, [10, 11])
        await fold_all(world.jobs)
        await world.move(world.start + 400 * DAY)
        await world.erase()
        assert (await counted(world))["flow_person"] == []
        assert [(one.disclosures, one.persons, one.erased) for one in (await store.observed(world.reader, *EVER)).recipients] == [
            (3, 0, 2)
        ]


# ── what is remembered ───────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_last_seen_when_an_earlier_answer_is_known_then_the_same_as_read_anew(scene: Scene) -> None:
    """Days that an earlier answer has are not read again, and nothing is missed for it."""
    async with scene.world() as world:
        await a_day(world, [10, 11])
        await fold_all(world.jobs)
        known = await store.last_seen(world.reader)
        await a_day(world, [12], after=4, session="s2")
        await fold_all(world.jobs)
        anew = await store.last_seen(world.reader)
        assert known.keys() == anew.keys()
        assert max(known.values()) + 2 * DAY < max(anew.values())
        assert (
            await store.last_seen(world.reader, known=known) == anew == await store.last_seen(world.reader, world.parties[0].name)
        )


@pytest.mark.parametrize("seed", range(2))
async def test_requests_when_counted_and_others_had_been_in_their_place_then_nothing_differs(scene: Scene, seed: int) -> None:
    """What the counts keep of the forgotten, and where on the disk, is the same whoever they were."""
    draw = drawn(seed)
    who = cast(draw, list(range(10, 190)))
    others = [person for person in range(10, 190) if person not in who]
    asked = 3
    twin = [*draw.sample([*who[:asked], *others], asked), *who[asked:]]
    assert len(who) == ROLES
    left = []
    for persons in (who, twin):
        async with scene.world(seed) as world:
            course = await live(world, drawn(seed), "c1", persons, world.start)
            await world.jobs.execute("select ecluse.purge()")
            await fold_all(world.jobs)
            await world.move(world.start + 50 * DAY)
            await world.ask(*course.asked)
            assert len(await world.erase()) == 1
            assert await world.naming(*course.asked) == {}
            left.append(await dump(world))
    assert left[0] == left[1]
