"""Small worlds to attack: processors with drawn contracts, schedules, holds and spent budgets, behind the real door on a clock that the test sets.

An attacker who knows all of it plans by the largest flow through the ceilings (``flow.py``), which repeats no step of the engine under test, and then asks at
the real door. Many worlds share one clock and are attacked at once: what one does costs another nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from joserfc.jwk import ECKey

from ecluse import settings
from ecluse.contracts import Assurance
from ecluse.contracts.service import add_agent, add_processor, apply_contract, place_hold
from ecluse.db import open_pool
from ecluse.disclosure import Delivered, Proven, Request
from ecluse.exposure import Holder, Scope, Span
from ecluse.identity import parse_public_jwk
from ecluse.identity.service import add_client
from ecluse.policy import Ask
from ecluse.register import parse_register
from ecluse.schedule.reports import ImportApplied
from ecluse.schedule.service import import_schedule
from tests.agency import Machine
from tests.exposure.flow import Network
from tests.invented import contract_text, register_toml
from tests.property.world import Stage

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EARLIER: Final = (4 * HOUR, 28 * HOUR, 76 * HOUR)
"""How long before a window honest people worked: on the same day if it began late, and on others of its month or of the one before."""
FOR_EVER: Final = datetime(2150, 1, 1, tzinfo=UTC)
ZONE: Final = "Europe/Paris"
RAIDS: Final = (0 * HOUR, HOUR / 4, 3 * HOUR, 26 * HOUR)
"""How long after its beginning whoever has the scheduler's key places others."""
_HEADER: Final = "source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status"
_PURPOSE: Final = """
[[purpose]]
id = "{name}"
label = "Formation"
legal_basis = "6.1.e"
opens_before = "PT{before}M"
closes_after = "PT{after}M"
max_capacity = 250
reads_per_appointment = {reads}
persons_per_agent_per_hour = {agent_hour}
[purpose.attributes]
{attributes}
"""
KINDS: Final = {name: attribute.type for name, attribute in parse_register(register_toml()).attributes.items()}


@dataclass(frozen=True, kw_only=True)
class Purpose:
    """Terms of one purpose."""

    name: str
    before: timedelta
    after: timedelta
    reads: int
    agent_hour: int
    attributes: tuple[str, ...]

    def text(self) -> str:
        """Write it as a contract does."""
        minutes = {"before": self.before // timedelta(minutes=1), "after": self.after // timedelta(minutes=1)}
        given = "\n".join(f'{name} = "full"' for name in self.attributes)
        return _PURPOSE.format(name=self.name, reads=self.reads, agent_hour=self.agent_hour, attributes=given, **minutes)


@dataclass(frozen=True, kw_only=True)
class Place:
    """One person's place. ``span``: from opening to closing by the contract and the gate."""

    session: str
    person: int
    purpose: str
    starts_at: datetime
    ends_at: datetime
    span: Span


@dataclass(kw_only=True)
class World:
    """One processor.

    ``past``: places of the days before, which honest people worked through; ``staff``, ``keys``: how many agents and machines; ``trouble``: holds to place,
    each on a scope (of several the first); ``stops``: when holds bite, by scope and id; ``spent``: persons by budget, of those that the window begins in;
    ``reads``: by place; ``got``: whom the attack got; ``strangers``: whom the scheduler's key placed.
    """

    name: str
    purposes: dict[str, Purpose]
    day: int
    month: int
    client_hour: int
    ends: datetime
    places: list[Place]
    holder: Holder
    window: Span
    past: list[Place] = field(default_factory=list)
    standing: bool = False
    staff: int = 1
    keys: int = 1
    trouble: list[tuple[str, Span]] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    machines: list[Machine] = field(default_factory=list)
    handles: dict[tuple[str, int], str] = field(default_factory=dict)
    stops: dict[tuple[str, str], list[Span]] = field(default_factory=lambda: defaultdict(list))
    reads: Counter[tuple[str, int]] = field(default_factory=Counter)
    spent: dict[tuple[str, Any], set[int]] = field(default_factory=lambda: defaultdict(set))
    got: set[int] = field(default_factory=set)
    strangers: set[int] = field(default_factory=set)

    def contract(self) -> str:
        """Write the contract that is attacked."""
        return self._text(self.day, self.month, self.client_hour, self.ends)

    def wide(self) -> str:
        """Write one that lets any schedule in."""
        return self._text(1000, 10000, 1000, FOR_EVER)

    def _text(self, day: int, month: int, client_hour: int, ends: datetime) -> str:
        last = (ends - timedelta(hours=12)).astimezone(ZoneInfo(ZONE)).date()
        text = contract_text(self.name, per_day=day, per_month=month, per_client_hour=client_hour, ends_on=str(last))
        return text[: text.index("[[purpose]]")] + "".join(purpose.text() for purpose in self.purposes.values())

    def open_at(self, place: Place, at: datetime) -> bool:
        """Say whether a place may be read at an instant, budgets aside."""
        stops = (*self.stops["processor", self.name], *self.stops["person", f"ofii:{place.person}"])
        return (
            place.span.begins <= at < place.span.ends
            and self.window.begins <= at < self.window.ends
            and not any(stop.begins <= at < stop.ends for stop in stops)
            and self.reads[place.session, place.person] < self.purposes[place.purpose].reads
            and (not self.standing or place.span.begins <= self.window.begins)
        )

    def instants(self, place: Place) -> Iterator[datetime]:
        """Yield the first instant of each clock hour in which a place may be read."""
        at = max(place.span.begins, self.window.begins)
        edges = {stop.ends for stops in self.stops.values() for stop in stops}
        while at < min(place.span.ends, self.window.ends):
            past = at.replace(minute=0, second=0, microsecond=0) + HOUR
            tried = sorted({at, *(edge for edge in edges if at < edge < past)})
            found = next((one for one in tried if self.open_at(place, one)), None)
            if found is not None:
                yield found
            at = past

    def free(self, scope: str, name: str, hour: datetime) -> bool:
        """Say whether nothing stops an agent or a client in an hour; their holds begin and end with hours."""
        return not any(stop.begins <= hour < stop.ends for stop in self.stops[scope, name])


@dataclass(frozen=True, kw_only=True, order=True)
class Move:
    """One request of an attack."""

    at: datetime
    world: str
    handle: str
    person: int
    client: int
    agent: str
    attribute: str


def draw(rng: random.Random, name: str, start: datetime) -> World:
    """Draw a world whose window begins at ``start``; who is the attacker is drawn, too."""
    purposes = {
        word: Purpose(
            name=word, before=rng.choice([HOUR, 5 * HOUR, 26 * HOUR]) + rng.randrange(60) * HOUR / 60, after=rng.choice([HOUR, 2 * HOUR]),
            reads=rng.randint(1, 2), agent_hour=rng.randint(1, 4), attributes=rng.choice([("family_name",), ("family_name", "email"), ("file_number",)]),
        )
        for word in ("civic-training", "language-course")[: rng.choice([1, 1, 2])]
    }  # fmt: skip
    ends = FOR_EVER
    if rng.random() < 0.2:  # the contract ends meanwhile, at a midnight of Paris
        midnight = (start + rng.randint(1, 2) * DAY).astimezone(ZoneInfo(ZONE)).replace(hour=0, minute=0, second=0, microsecond=0)
        ends = midnight.astimezone(UTC)
    places = []
    for number in range(rng.randint(1, 4)):
        purpose = rng.choice(list(purposes.values()))
        starts_at = start.replace(second=0, microsecond=0) + timedelta(
            minutes=rng.choice([-30, 5, 90, 8 * 60, 26 * 60, 30 * 60]) + rng.randrange(30)
        )
        ends_at = starts_at + rng.choice([HOUR, 3 * HOUR])
        span = Span(begins=starts_at - purpose.before, ends=min(ends_at + purpose.after, ends))
        places += [
            Place(session=f"S{number}", person=person, purpose=purpose.name, starts_at=starts_at, ends_at=ends_at, span=span)
            for person in rng.sample(range(10, 22), rng.randint(1, 5))
        ]  # fmt: skip
    standing = rng.random() < 0.25
    past = list(_draw_past(rng, purposes, start)) if rng.random() < 0.5 else []
    return World(
        name=name, purposes=purposes, day=(day := rng.randint(1, 9)), month=day + rng.randint(0, 6), client_hour=rng.randint(1, 5), ends=ends, places=places,
        past=past,
        holder=Holder(scope=rng.choice([Scope.PROCESSOR, Scope.PROCESSOR, Scope.CLIENT, Scope.AGENT, Scope.SCHEDULER]), processor=name), standing=standing,
        window=Span(begins=start, ends=start + (16 * DAY if standing else rng.choice([1, 3, 12, 30, 50]) * HOUR)),
        staff=rng.randint(1, 2), keys=rng.randint(1, 2), trouble=list(_draw_trouble(rng, start)),
    )  # fmt: skip


def _draw_past(rng: random.Random, purposes: dict[str, Purpose], start: datetime) -> Iterator[Place]:
    """Draw a session of each of some days before, which is over when the window begins: persons of it may come again."""
    for number, days in enumerate(rng.sample(EARLIER, rng.randint(1, len(EARLIER)))):
        purpose = rng.choice(list(purposes.values()))
        starts_at, ends_at = start - days + HOUR / 2, start - days + HOUR
        for person in rng.sample(range(10, 22), rng.randint(1, 4)):
            span = Span(begins=starts_at - purpose.before, ends=ends_at + purpose.after)
            yield Place(
                session=f"E{number}", person=person, purpose=purpose.name, starts_at=starts_at, ends_at=ends_at, span=span
            )


def _draw_trouble(rng: random.Random, start: datetime) -> Iterator[tuple[str, Span]]:
    """Draw holds: on agents and machines for whole hours (their ceilings are by the hour), others from any instant to any."""
    for scope in rng.sample(["agent", "client", "processor", "person"], rng.choice([0, 0, 0, 1, 1, 2])):
        begins = start + timedelta(minutes=rng.randint(1, 60 * 20))
        ends = begins + timedelta(minutes=rng.choice([20, 90, 600]))
        if scope in {"agent", "client"}:
            begins, ends = (at.replace(minute=0, second=0, microsecond=0) + HOUR for at in (begins, ends + HOUR))
        yield scope, Span(begins=begins, ends=ends)


async def settle(stage: Stage, worlds: Sequence[World]) -> None:
    """Make the worlds real: processors, agents, machines, the schedule under a wide contract, then the contract that is attacked, then holds."""
    installation = stage.agency.installation
    url = settings.with_user(installation.settings.database.url, "ecluse_app", installation.secret("db-app.password"))
    pool = await open_pool(url, size=1, name="test")
    try:
        async with pool.acquire() as app:
            for world in worlds:
                await _bind(app, world)
        rows = [
            f"plan-{worlds[0].name},{world.name}-{place.session},P{place.person},ofii:{place.person},{place.purpose},{world.name},large,"
            f"{world.name}-{place.session},{place.starts_at:%Y-%m-%dT%H:%M:%SZ},{place.ends_at:%Y-%m-%dT%H:%M:%SZ},,planned"
            for world in worlds
            for place in (*world.past, *world.places)
        ]
        report = await import_schedule(
            pool, file_bytes="\n".join([_HEADER, *rows]).encode(), kind="csv", actor="cli:test", dry_run=False, register=parse_register(register_toml()),
            zone=ZoneInfo(ZONE),
        )  # fmt: skip
        assert isinstance(report, ImportApplied), report
        async with pool.acquire() as app:
            for world in worlds:
                await apply_contract(app, log_id=1, text=world.contract(), attributes=KINDS, actor="cli:test")
                await _place_holds(app, world)
    finally:
        await pool.close()
    # a hold on a person is on that person everywhere
    everywhere = [
        (who, span) for world in worlds for (scope, who), spans in world.stops.items() for span in spans if scope == "person"
    ]
    for world in worlds:
        for who, span in everywhere:
            if span not in world.stops["person", who]:
                world.stops["person", who].append(span)
    by_name = {world.name: world for world in worlds}
    found = await stage.admin.fetch(
        "select a.processor_id, s.session_ref, a.subject_ref, a.id from ecluse.appointment a join ecluse.session s on s.id = a.session_id "
        "where a.processor_id = any($1::text[])",
        list(by_name),
    )
    for row in found:
        session, person = row["session_ref"].rpartition("-")[2], int(row["subject_ref"].removeprefix("ofii:"))
        by_name[row["processor_id"]].handles[session, person] = row["id"]


async def _bind(app: Any, world: World) -> None:
    """Add a processor with agents and machines; the attacker is the first of them."""
    await add_processor(app, log_id=1, processor=world.name, name=world.name, actor="cli:test")
    for number in range(world.staff):
        agent, _ = await add_agent(app, log_id=1, processor=world.name, label=f"agent {number}", actor="cli:test")
        world.agents.append(agent)
    for _ in range(world.keys):
        key = ECKey.generate_key("P-256")
        client, _ = await add_client(
            app,
            log_id=1,
            processor=world.name,
            label="machine",
            key=parse_public_jwk(key.as_dict(private=False)),
            actor="cli:test",
        )
        world.machines.append(Machine(id=client, key=key))
    first = {Scope.AGENT: world.agents[0], Scope.CLIENT: world.machines[0].id}.get(world.holder.scope, "")
    world.holder = Holder(scope=world.holder.scope, processor=world.name, id=first)
    await apply_contract(app, log_id=1, text=world.wide(), attributes=KINDS, actor="cli:test")


async def _place_holds(app: Any, world: World) -> None:
    """Place the holds of a world."""
    first = {"agent": world.agents[0], "client": world.machines[0].id, "person": f"ofii:{world.places[0].person}"}
    for scope, span in world.trouble:
        target = first.get(scope, world.name)
        await place_hold(
            app, log_id=1, scope=scope, target=target, effect="suspend", reason="a test", actor="cli:test", register=parse_register(register_toml()),
            from_at=span.begins, until_at=span.ends,
        )  # fmt: skip
        world.stops[scope, target].append(span)


async def ask(stage: Stage, world: World, move: Move) -> bool:
    """Put one request through the door; return whether it was granted."""
    machine = world.machines[move.client]
    proven = Proven(client=machine.id, thumbprint=machine.key.thumbprint(), slot=1, digest=secrets.token_bytes(32))
    asked = Ask(
        processor=world.name, client=machine.id, agent=move.agent, assurance=Assurance.ASSERTED, appointment=move.handle, attributes=(move.attribute,)
    )  # fmt: skip
    request = Request(proven=proven, asks=(asked,), endpoint="/v1/disclosures", session=None, key=None, body_hash=b"")
    return isinstance(await stage.zones[ZONE].door.ask(request), Delivered)


async def live_a_little(stage: Stage, worlds: Sequence[World], rng: random.Random) -> None:
    """Let honest people work on days before and at the instant at which the windows begin, so that some budgets and reads are spent."""
    begins = worlds[0].window.begins
    for at in sorted({begins, *(begins - before for before in EARLIER)}):
        await stage.set_clock(at)
        for world in worlds:
            some = [place for place in world.past if place.span.begins <= at < place.span.ends]
            if at == begins:
                some = rng.sample(world.places, min(len(world.places), rng.choice([0, 0, 1, 2])))
            for place in some:
                client, agent = rng.randrange(len(world.machines)), rng.choice(world.agents)
                await _work(stage, world, _move(world, place, at, client, agent))


async def _work(stage: Stage, world: World, move: Move) -> None:
    """Ask for somebody, and keep in mind which budgets of the window's beginning that spends."""
    if not await ask(stage, world, move):
        return
    at, begins = (when.replace(minute=0, second=0, microsecond=0) for when in (move.at, world.window.begins))
    place = next(place for place in (*world.past, *world.places) if world.handles[place.session, place.person] == move.handle)
    world.reads[place.session, place.person] += 1
    if at == begins:
        world.spent["client", world.machines[move.client].id].add(move.person)
        world.spent["agent", (move.agent, place.purpose)].add(move.person)
    if at.date() == begins.date():
        world.spent["day", ""].add(move.person)
    if (at.year, at.month) == (begins.year, begins.month):
        world.spent["month", ""].add(move.person)


def _move(world: World, place: Place, at: datetime, client: int, agent: str) -> Move:
    """Ask for a place's person."""
    return Move(
        at=at, world=world.name, handle=world.handles[place.session, place.person], person=place.person, client=client, agent=agent,
        attribute=world.purposes[place.purpose].attributes[0],
    )  # fmt: skip


def plan(world: World) -> list[Move]:
    """Plan the best attack: whom to ask for, when, by which machine, in whose name."""
    network, when = Network(), dict[tuple[Any, ...], tuple[datetime, Place]]()
    now = world.window.begins.replace(minute=0, second=0, microsecond=0)
    agents = [world.holder.id] if world.holder.scope is Scope.AGENT else world.agents
    machines = [
        at for at, one in enumerate(world.machines) if world.holder.scope is not Scope.CLIENT or one.id == world.holder.id
    ]
    for place in world.places:
        network.edge("from", ("person", place.person), 1)
        for at in world.instants(place):
            hour = at.replace(minute=0, second=0, microsecond=0)
            for agent in agents:
                asked = place.purpose, agent, hour
                if not world.free("agent", agent, hour):
                    continue
                when[place.person, asked] = at, place
                network.edge(("person", place.person), ("asked", *asked), 1)
                spent = len(world.spent["agent", (agent, place.purpose)]) if hour == now else 0
                network.edge(("asked", *asked), ("named", *asked), max(0, world.purposes[place.purpose].agent_hour - spent))
                for machine in machines:
                    if world.free("client", world.machines[machine].id, hour):
                        used = len(world.spent["client", world.machines[machine].id]) if hour == now else 0
                        network.edge(("named", *asked), ("by", machine, hour), 1000)
                        network.edge(("by", machine, hour), ("day", hour.date()), max(0, world.client_hour - used))
            used = len(world.spent["day", ""]) if hour.date() == now.date() else 0
            network.edge(("day", hour.date()), ("month", hour.year, hour.month), max(0, world.day - used))
            used = len(world.spent["month", ""]) if (hour.year, hour.month) == (now.year, now.month) else 0
            network.edge(("month", hour.year, hour.month), "to", max(0, world.month - used))
    network.fill()
    return list(_moves(world, network, when))


def _moves(world: World, network: Network, when: dict[tuple[Any, ...], tuple[datetime, Place]]) -> Iterator[Move]:
    """Read the plan off the filled network."""
    persons: dict[Any, list[int]] = defaultdict(list)
    machines: dict[Any, list[int]] = defaultdict(list)
    for left, right in network.flows():
        if left[0] == "person":
            persons[right[1:]].append(left[1])
        elif left[0] == "named":
            machines[left[1:]] += [right[1]] * (network.given[left, right] - network.room[left, right])
    for asked, some in persons.items():
        for person, machine in zip(some, machines[asked], strict=True):
            at, place = when[person, asked]
            yield _move(world, place, at, machine, asked[1])


def grab(world: World, rng: random.Random) -> list[Move]:
    """Attack without a plan: all places, by all machines in all names, again and again."""
    agents = [world.holder.id] if world.holder.scope is Scope.AGENT else world.agents
    machines = [
        at for at, one in enumerate(world.machines) if world.holder.scope is not Scope.CLIENT or one.id == world.holder.id
    ]
    ends = min(world.window.ends, world.window.begins + 60 * HOUR)
    times = sorted({world.window.begins, *(world.window.begins + rng.random() * (ends - world.window.begins) for _ in range(6))})
    moves = [
        _move(world, place, at, machine, agent)
        for at in times
        for place in world.places
        if not world.standing or place.span.begins <= world.window.begins
        for machine in machines
        for agent in agents
    ]
    rng.shuffle(moves)
    return sorted(moves, key=lambda move: move.at)


async def attack(stage: Stage, worlds: Sequence[World], moves: Iterable[Move]) -> None:
    """Carry the attacks out, all worlds on one clock; each world's requests of an instant one after the other."""
    by_time: dict[datetime, dict[str, list[Move]]] = defaultdict(lambda: defaultdict(list))
    for move in moves:
        by_time[move.at][move.world].append(move)
    named = {world.name: world for world in worlds}

    async def one(some: list[Move]) -> None:
        for move in some:
            if await ask(stage, named[move.world], move):
                named[move.world].got.add(move.person)

    raids = {
        (world.window.begins + after, number): world
        for number, world in enumerate(worlds)
        for after in RAIDS
        if world.holder.scope is Scope.SCHEDULER and world.window.begins + after < world.window.ends
    }
    for at in sorted({*by_time, *(when for when, _ in raids)}):
        await stage.set_clock(at)
        await asyncio.gather(*(one(some) for some in by_time.get(at, {}).values()))
        for world in (raids[key] for key in sorted(raids) if key[0] == at):
            await _raid(stage, world, at)


async def _raid(stage: Stage, world: World, at: datetime) -> None:
    """With the scheduler's key: call off whom the last raid placed, place others, all that the volume lets in at once, and ask for them."""
    installation = stage.agency.installation
    url = settings.with_user(installation.settings.database.url, "ecluse_app", installation.secret("db-app.password"))
    starts_at = (at + HOUR / 2).replace(second=0, microsecond=0)
    old = [(person, "cancelled") for person in sorted(world.strangers)[-world.day :]]
    first = max(world.strangers, default=29) + 1
    planned = sum(place.starts_at.date() == starts_at.date() for place in (*world.past, *world.places))
    new = list(range(first, min(first + max(1, world.day - planned), 200)))
    purpose = next(iter(world.purposes))
    rows = [
        f"raid-{world.name},{world.name}-raid,P{person},ofii:{person},{purpose},{world.name},large,{world.name}-raid,"
        f"{starts_at:%Y-%m-%dT%H:%M:%SZ},{starts_at + HOUR:%Y-%m-%dT%H:%M:%SZ},,{status}"
        for person, status in (*old, *((person, "planned") for person in new))
    ]
    pool = await open_pool(url, size=1, name="test")
    try:
        report = await import_schedule(
            pool, file_bytes="\n".join([_HEADER, *rows]).encode(), kind="csv", actor="cli:test", dry_run=False, register=parse_register(register_toml()),
            zone=ZoneInfo(ZONE),
        )  # fmt: skip
    finally:
        await pool.close()
    if not isinstance(report, ImportApplied):  # above the volume: it waits for a second person; or the contract is over
        return
    world.strangers |= set(new)
    found = await stage.admin.fetch(
        "select a.subject_ref, a.id from ecluse.appointment a join ecluse.session s on s.id = a.session_id "
        "where a.processor_id = $1 and s.session_ref = $2 and a.cancelled_at is null", world.name, f"{world.name}-raid"
    )  # fmt: skip
    for row in found:
        person = int(row["subject_ref"].removeprefix("ofii:"))
        for client, agent in itertools.product(range(len(world.machines)), world.agents):
            attribute = world.purposes[purpose].attributes[0]
            move = Move(at=at, world=world.name, handle=row["id"], person=person, client=client, agent=agent, attribute=attribute)
            if await ask(stage, world, move):
                world.got.add(person)
                break
