"""What the engine says of one processor, case by case, on a real schedule with real contracts, holds and budgets."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ecluse.contracts import Form, parse_contract
from ecluse.exposure import Binding, Count, Holder, Reach, Scope, Span, store
from ecluse.exposure.errors import NoProcessor, NoSuchHolder
from ecluse.exposure.service import Engine, Exposure
from ecluse.exposure.store import WhatIf
from ecluse.ids import new_id
from ecluse.register import parse_register
from tests.agency import Party
from tests.exposure.worlds import DAY, FOR_EVER, HOUR, KINDS, ZONE, Move, Place, Purpose, World, ask, settle
from tests.invented import register_toml
from tests.property.world import Stage

pytestmark = pytest.mark.db

ENGINE = Engine(parse_register(register_toml()), ZoneInfo(ZONE))


def purpose(**terms: Any) -> Purpose:
    """Describe a purpose."""
    given: dict[str, Any] = {
        "name": "civic-training",
        "before": DAY,
        "after": 2 * HOUR,
        "reads": 2,
        "agent_hour": 100,
        "attributes": ("family_name", "email"),
    }
    return Purpose(**(given | terms))


async def start(stage: Stage) -> datetime:
    """Move the clock to a noon that nobody has seen yet."""
    at: datetime = await stage.admin.fetchval(
        "select greatest(last_at, ecluse.clock()) + interval '3 days' from ecluse.ledger_head"
    )
    at = at.replace(hour=12, minute=0, second=0, microsecond=0)
    if at.day > 20:  # away from the end of a month, which tests of it choose themselves
        at = (at.replace(day=1) + 32 * DAY).replace(day=3)
    await stage.set_clock(at)
    return at


def world(
    at: datetime, sessions: dict[timedelta, range], *purposes: Purpose, scope: Scope = Scope.PROCESSOR, **terms: Any
) -> World:
    """Describe a world: sessions of two hours, by when they begin, and their persons; the purposes in turns."""
    known = purposes or (purpose(),)
    name, places = f"p-{secrets.token_hex(4)}", []
    for number, (begins_in, persons) in enumerate(sessions.items()):
        one = known[number % len(known)]
        begins = at + begins_in
        span = Span(begins=begins - one.before, ends=begins + 2 * HOUR + one.after)
        when = {"session": f"S{number}", "purpose": one.name, "starts_at": begins, "ends_at": begins + 2 * HOUR, "span": span}
        places += [Place(person=person, **when) for person in persons]
    given: dict[str, Any] = {"day": 100, "month": 500, "client_hour": 100, "ends": FOR_EVER}
    return World(
        name=name,
        purposes={one.name: one for one in known},
        places=places,
        holder=Holder(scope=scope, processor=name),
        window=Span(begins=at, ends=at + 30 * DAY),
        **(given | terms),
    )


async def told(stage: Stage, *worlds: World, window: Span | None = None, **more: Any) -> Exposure:
    """Ask the engine about the attackers of some worlds."""
    async with stage.agency.connected("ecluse_reader") as reader:
        return await ENGINE.reach(reader, holders=[one.holder for one in worlds], window=window, **more)


async def _one(
    stage: Stage, sessions: dict[timedelta, range], *purposes: Purpose, window: timedelta | None = None, **terms: Any
) -> tuple[World, Reach]:
    """Settle one world and ask about it."""
    at = await start(stage)
    made = world(at, sessions, *purposes, **terms)
    await settle(stage, [made])
    found = await told(stage, made, window=None if window is None else Span(begins=at, ends=at + window))
    return made, found.reaches[0]


def test_right_now_then_those_whose_window_is_open_and_until_it_closes(stage: Stage) -> None:
    """Who is open now counts, who opens later does not; the last of their windows says until when."""

    async def go() -> None:
        made, reach = await _one(stage, {HOUR: range(10, 15), 3 * HOUR: range(13, 18), 26 * HOUR: range(20, 25)})
        assert reach.persons == Count(most=8, exact=True)
        assert (reach.scheduled, reach.binding) == (8, Binding.SCHEDULE)
        assert reach.until == made.window.begins + 7 * HOUR
        assert [(one.name, one.forms, one.persons.most) for one in reach.attributes] == [
            ("family_name", (Form.FULL,), 8),
            ("email", (Form.FULL,), 8),
        ]
        assert reach.values == 16

    stage.run(go())


def test_a_span_then_everybody_who_opens_in_it(stage: Stage) -> None:
    """A week sees the sessions of the week, each person once."""

    async def go() -> None:
        _, reach = await _one(stage, {HOUR: range(10, 15), 50 * HOUR: range(10, 20), 40 * DAY: range(20, 25)}, window=7 * DAY)
        assert reach.persons == Count(most=10, exact=True)

    stage.run(go())


@pytest.mark.parametrize(
    ("terms", "more", "most", "binding"),
    [
        ({"client_hour": 2}, {}, 2 * 5, Binding.HOUR),  # open for five clock hours: from now until the fourth hour is over
        ({}, {"agent_hour": 2}, 2 * 5, Binding.AGENT_HOUR),
        ({"day": 7}, {}, 7, Binding.DAY),
        ({"day": 10, "month": 14}, {}, 14, Binding.MONTH),  # ten today, and four of tomorrow's ten
        ({"client_hour": 2, "keys": 2, "staff": 2}, {"agent_hour": 100}, 20, Binding.HOUR),
    ],
)
def test_ceilings_then_the_first_that_holds_the_number_down_is_named(
    stage: Stage, terms: dict[str, Any], more: dict[str, Any], most: int, binding: Binding
) -> None:
    """Hour, agent, day and month each bind in their turn."""

    async def go() -> None:
        sessions = {20 * HOUR: range(10, 60)} if binding is Binding.MONTH else {HOUR: range(10, 35)}
        _, reach = await _one(stage, sessions, purpose(**more), **terms)
        assert (reach.persons, reach.binding) == (Count(most=most, exact=True), binding)
        assert reach.scheduled == sum(map(len, sessions.values()))

    stage.run(go())


def test_one_machine_or_one_agent_then_its_own_ceiling(stage: Stage) -> None:
    """Half of the machines reach half of the hour's persons; an agent as many as the purpose allows it."""

    async def go() -> None:
        at = await start(stage)
        made = world(
            at, {-1 * HOUR: range(10, 40)}, purpose(after=HOUR, agent_hour=3), client_hour=4, keys=2, staff=3
        )  # two hours are left
        await settle(stage, [made])
        for scope, who, most in (
            (Scope.PROCESSOR, "", 2 * 8), (Scope.CLIENT, made.machines[1].id, 2 * 4), (Scope.AGENT, made.agents[2], 2 * 3),
        ):  # fmt: skip
            made.holder = Holder(scope=scope, processor=made.name, id=who)
            assert (await told(stage, made)).reaches[0].persons == Count(most=most, exact=True), scope

    stage.run(go())


def test_what_is_spent_then_only_the_rest(stage: Stage) -> None:
    """A read person costs the budgets, and a place that was read as often as it may be is closed."""

    async def go() -> None:
        at = await start(stage)
        made = world(at, {HOUR: range(10, 20)}, purpose(reads=1), day=4)
        await settle(stage, [made])
        for person in (10, 11, 12):
            handle = made.handles["S0", person]
            assert await ask(
                stage,
                made,
                Move(at=at, world=made.name, handle=handle, person=person, client=0, agent=made.agents[0], attribute="email"),
            )
        reach = (await told(stage, made)).reaches[0]
        assert (reach.persons, reach.scheduled, reach.binding) == (Count(most=1, exact=True), 7, Binding.DAY)
        async with stage.agency.connected("ecluse_reader") as reader:
            held = await ENGINE.held(reader, made.holder)
            assert await ENGINE.held(reader, Holder(scope=Scope.AGENT, processor=made.name, id=made.agents[0])) is None
            by_client = await ENGINE.held(reader, Holder(scope=Scope.CLIENT, processor=made.name, id=made.machines[0].id))
        assert held is not None
        assert by_client is not None
        for one in (held, by_client):
            assert one.persons == 3
            assert [(field.name, field.forms, field.persons.most) for field in one.attributes] == [("email", (Form.FULL,), 3)]
        assert (held.beyond, by_client.beyond) == (0, None)

    stage.run(go())


@pytest.mark.parametrize(
    ("scope", "binding"), [("processor", Binding.HOLD), ("client", Binding.NOBODY), ("agent", Binding.NOBODY)]
)
def test_who_is_suspended_then_nobody_is_in_reach(stage: Stage, scope: str, binding: Binding) -> None:
    """A hold on the processor, on its only machine or on its only agent closes everything."""

    async def go() -> None:
        at = await start(stage)
        made = world(at, {HOUR: range(10, 20)}, trouble=[(scope, Span(begins=at - HOUR, ends=FOR_EVER))])
        await settle(stage, [made])
        reach = (await told(stage, made)).reaches[0]
        assert (reach.persons, reach.binding, reach.until, reach.attributes) == (Count(most=0, exact=True), binding, None, ())

    stage.run(go())


def test_a_hold_to_come_then_until_it_begins(stage: Stage) -> None:
    """What will be suspended in an hour is in reach until then."""

    async def go() -> None:
        at = await start(stage)
        made = world(at, {HOUR: range(10, 20)}, trouble=[("processor", Span(begins=at + HOUR, ends=FOR_EVER))])
        await settle(stage, [made])
        reach = (await told(stage, made)).reaches[0]
        assert (reach.persons, reach.until) == (Count(most=10, exact=True), at + HOUR)

    stage.run(go())


def test_a_contract_that_is_over_then_the_gate(stage: Stage) -> None:
    """A gate that is closed at every instant is what holds the number down."""

    async def go() -> None:
        at = await start(stage)
        made = world(at, {HOUR: range(10, 20)})
        await settle(stage, [made])
        over = made.contract().replace(
            f"ends_on = {made.contract().split('ends_on = ')[1][:10]}", f"ends_on = {(at - 2 * DAY).date()}"
        )
        await stage.agency.apply(over)
        reach = (await told(stage, made)).reaches[0]
        assert (reach.persons.most, reach.binding) == (0, Binding.GATE)

    stage.run(go())


def test_two_purposes_then_each_attribute_counts_its_own_persons(stage: Stage) -> None:
    """An attribute is in reach of those whose purpose names it."""

    async def go() -> None:
        _, reach = await _one(
            stage, {HOUR: range(10, 20), 2 * HOUR: range(15, 30)}, purpose(), purpose(name="language-course", attributes=("family_name", "phone"))
        )  # fmt: skip
        found = {one.name: one.persons for one in reach.attributes}
        assert found == {
            "family_name": Count(most=20, exact=True),
            "email": Count(most=10, exact=True),
            "phone": Count(most=15, exact=True),
        }
        assert reach.values == 45

    stage.run(go())


def test_a_person_under_a_hold_then_not_in_reach(stage: Stage) -> None:
    """Whoever is suspended is nobody's; whose hold begins meanwhile makes the number a bound."""

    async def go() -> None:
        at = await start(stage)
        made = world(at, {HOUR: range(40, 50)}, trouble=[("person", Span(begins=at - HOUR, ends=at + DAY))])
        await settle(stage, [made])
        assert (await told(stage, made)).reaches[0].persons == Count(most=9, exact=True)
        later = world(at, {HOUR: range(50, 60)}, trouble=[("person", Span(begins=at + HOUR, ends=at + DAY))])
        await settle(stage, [later])
        assert (await told(stage, later)).reaches[0].persons == Count(most=10, exact=False)

    stage.run(go())


def test_two_processors_then_together_each_person_once(stage: Stage) -> None:
    """Persons of both are counted once among all."""

    async def go() -> None:
        at = await start(stage)
        made = [world(at, {HOUR: range(10, 20)}), world(at, {HOUR: range(15, 30)}), world(at, {HOUR: range(15, 18)}, day=2)]
        for one in made:
            await settle(stage, [one])
        assert (await told(stage, *made[:2])).together == Count(most=20, exact=True)
        found = await told(stage, *made)
        assert [reach.persons.most for reach in found.reaches] == [10, 15, 2]
        assert found.together == Count(most=20, exact=False)

    stage.run(go())


def test_what_if_then_the_same_under_another_contract(stage: Stage) -> None:
    """A shorter window, or a suspension, and what is left of the number; nothing is written."""

    async def go() -> None:
        at = await start(stage)
        made = world(at, {HOUR: range(10, 20), 20 * HOUR: range(20, 50)})
        await settle(stage, [made])
        assert (await told(stage, made)).reaches[0].persons.most == 40
        made.purposes = {"civic-training": purpose(before=2 * HOUR)}
        tighter = WhatIf(processor=made.name, contract=parse_contract(made.contract(), KINDS), at=at)
        reach = (await told(stage, made, what_if=tighter)).reaches[0]
        assert (reach.persons, reach.until) == (Count(most=10, exact=True), at + 5 * HOUR)
        stopped = WhatIf(processor=made.name, contract=None, at=at + HOUR)
        assert (await told(stage, made, what_if=stopped)).reaches[0].until == at + HOUR
        assert (await told(stage, made)).reaches[0].persons.most == 40

    stage.run(go())


def test_the_schedulers_key_as_well_then_what_premises_and_budgets_hold(stage: Stage) -> None:
    """Whoever may schedule chooses the persons, and not how many."""

    async def go() -> None:
        at = await start(stage)
        made = world(at, {HOUR: range(10, 20)}, scope=Scope.SCHEDULER, day=50, month=120)
        await settle(stage, [made])
        day = Span(begins=at, ends=at.replace(hour=0) + DAY)
        reach = (await told(stage, made, window=day)).reaches[0]
        assert (reach.persons, reach.binding) == (Count(most=50, exact=False), Binding.DAY)
        month = (await told(stage, made, window=Span(begins=at, ends=at + 10 * DAY))).reaches[0]
        assert (month.persons.most, month.binding) == (120, Binding.MONTH)

    stage.run(go())


def test_only_agents_at_the_desk_then_a_machines_key_is_worth_nothing(stage: Stage) -> None:
    """A contract that serves only who is signed in leaves a stolen machine's key nobody."""

    async def go() -> None:
        at = await start(stage)
        made = world(at, {HOUR: range(10, 20)}, scope=Scope.CLIENT)
        await settle(stage, [made])
        await stage.agency.apply(made.contract().replace('"asserted"', '"authenticated"'))
        reach = (await told(stage, made)).reaches[0]
        assert (reach.persons.most, reach.binding) == (0, Binding.NOBODY)
        made.holder = Holder(scope=Scope.PROCESSOR, processor=made.name)
        assert (await told(stage, made)).reaches[0].binding is Binding.NOBODY

    stage.run(go())


async def _desk(stage: Stage, made: World) -> Holder:
    """Give a processor its desk, as the first invitation of one of its agents does."""
    await stage.admin.execute(
        "insert into ecluse.client (id, role, processor_id, label, added_at) values ($1, 'desk', $2, 'desk', ecluse.clock())",
        desk := new_id("cli"),
        made.name,
    )
    return Holder(scope=Scope.CLIENT, processor=made.name, id=desk)


def test_only_agents_at_the_desk_then_the_desk_is_what_reaches(stage: Stage) -> None:
    """Where only who is signed in is served, a desk is in reach by itself, with all of its processor, and as a bound."""

    async def go() -> None:
        at = await start(stage)
        made = world(at, {HOUR: range(10, 20)})
        await settle(stage, [made])
        desk = await _desk(stage, made)
        await stage.agency.apply(made.contract().replace('"asserted"', '"authenticated"'))
        assert (await told(stage, made)).reaches[0].persons == Count(most=10, exact=False)
        made.holder = desk
        assert (await told(stage, made)).reaches[0].persons == Count(most=10, exact=False)

    stage.run(go())


def test_a_desk_beside_a_machine_then_each_adds_its_hour(stage: Stage) -> None:
    """A desk is one more client of its processor: an hour lets out what both may see, and the machine alone no more than before."""

    async def go() -> None:
        at = await start(stage)
        made = world(at, {HOUR: range(10, 30)}, client_hour=4)
        await settle(stage, [made])
        window = Span(begins=at, ends=at + HOUR)
        assert (await told(stage, made, window=window)).reaches[0].persons == Count(most=4, exact=True)
        await _desk(stage, made)
        assert (await told(stage, made, window=window)).reaches[0].persons == Count(most=8, exact=False)

    stage.run(go())


def test_the_past_then_a_bound(stage: Stage) -> None:
    """Of what has been, the schedule is known as it stands now: the number is one that nobody passed."""

    async def go() -> None:
        at = await start(stage)
        made = world(at, {HOUR: range(10, 20)})
        await settle(stage, [made])
        await stage.set_clock(at + 10 * DAY)
        reach = (await told(stage, made, window=Span(begins=at, ends=at + DAY))).reaches[0]
        assert reach.persons == Count(most=10, exact=False)
        assert (await told(stage, made)).reaches[0].persons == Count(most=0, exact=True)

    stage.run(go())


def test_unknown_names_then_refused(stage: Stage) -> None:
    """A processor or a client that is not there is named."""

    async def go() -> None:
        at = await start(stage)
        made = world(at, {HOUR: range(10, 12)})
        await settle(stage, [made])
        made.holder = Holder(scope=Scope.CLIENT, processor=made.name, id="cli_nobody")
        with pytest.raises(NoSuchHolder):
            await told(stage, made)
        made.holder = Holder(scope=Scope.PROCESSOR, processor="nobody")
        with pytest.raises(NoProcessor):
            await told(stage, made)

    stage.run(go())


def test_persons_of_an_earlier_day_then_the_month_holds_them_no_more(stage: Stage) -> None:
    """Whoever was seen on another day of a month that is spent can be seen again: no attack passes the number."""

    async def go() -> None:
        at = await start(stage)
        made = world(at, {HOUR: range(10, 15), 26 * HOUR: range(10, 20)}, purpose(before=4 * HOUR), day=5, month=5)
        await settle(stage, [made])

        async def take(session: str, person: int, when: datetime) -> bool:
            handle = made.handles[session, person]
            move = Move(at=when, world=made.name, handle=handle, person=person, client=0, agent=made.agents[0], attribute="email")
            return await ask(stage, made, move)

        assert all([await take("S0", person, at) for person in range(10, 15)])
        await stage.set_clock(tomorrow := at + 25 * HOUR)
        reach = (await told(stage, made)).reaches[0]
        got = sum([await take("S1", person, tomorrow) for person in range(10, 20)])
        assert got == 5
        assert got <= reach.persons.most

    stage.run(go())


def test_the_schedulers_key_when_places_are_called_off_and_filled_again_then_still_bound(stage: Stage) -> None:
    """A small room is emptied and filled again and again: what holds then are the budgets, and the number says so."""

    async def go() -> None:
        at = await start(stage)
        made = world(at, {50 * HOUR: range(10, 12)}, scope=Scope.SCHEDULER, day=9, month=50)
        await settle(stage, [made])
        small = (
            made.contract()
            .replace("max_capacity = 250", "max_capacity = 2")
            .replace("max_sessions_per_day = 5000", "max_sessions_per_day = 1")
        )
        await stage.agency.apply(small)
        reach = (await told(stage, made, window=Span(begins=at, ends=at + HOUR))).reaches[0]
        assert reach.persons == Count(most=9, exact=False)
        party = Party(name=made.name, agents=tuple(made.agents), machines=tuple(made.machines))
        got, placed = 0, list[int]()
        for first in range(20, 32, 2):
            meeting = await stage.agency.meeting(party, [*placed, first, first + 1], ref="again")
            handles = await stage.agency.schedule(meeting, cancelled=placed)
            placed = [*placed, first, first + 1]
            for person in (first, first + 1):
                got += await ask(
                    stage,
                    made,
                    Move(
                        at=at,
                        world=made.name,
                        handle=handles[person],
                        person=person,
                        client=0,
                        agent=made.agents[0],
                        attribute="email",
                    ),
                )
        assert got == 9

    stage.run(go())


def test_questions_of_many_and_of_one_then_never_by_the_plan_of_the_other(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection keeps a plan for each prepared statement: one made for a thousand processors would be a hundred times too slow for one of them."""

    async def go() -> None:
        made = world(await start(stage), {HOUR: range(10, 12)})
        await settle(stage, [made])
        engine = Engine(parse_register(register_toml()), ZoneInfo(ZONE))
        async with stage.agency.connected("ecluse_reader") as reader:
            for many in (True, False):
                monkeypatch.setattr(store, "_MANY_PROCESSORS", 0 if many else 1 << 30)
                monkeypatch.setattr(store, "_MANY_SESSIONS", 0)
                for _ in range(8):
                    assert (await engine.reach(reader, holders=[made.holder])).together.most == 2
            kept = await reader.fetch(
                "select statement like '%of many' as many, custom_plans + generic_plans as asked from pg_prepared_statements "
                "where statement like '%slot as materialized%' and statement not like '%pg_prepared%' order by many"
            )
        assert [tuple(row) for row in kept] == [(False, 8), (True, 8)]

    stage.run(go())
