"""``ecluse replay``: make an agency whose clock stands at the day of the compromise, open its gate, attack it and its alternatives, and compare."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Final

import uvloop
from rich.console import Console

from ecluse import demo, install
from ecluse.contracts.service import add_agent, add_processor, apply_contract
from ecluse.demo.founding import LOG, ORIGIN, SUBJECTS, ended_by_signals, fill_register, new_key, role, superuser
from ecluse.demo.model import Firm, Part, Party, PlannedSession
from ecluse.demo.progress import Progress
from ecluse.demo.replay import alternatives, credentials, history, misuse, premises
from ecluse.demo.replay.attack import Attack
from ecluse.demo.replay.model import START, Account, Attacked, Found, Kind, ReplayOptions, Told
from ecluse.demo.replay.plan import around, persons_a_day, sessions_on, working_days
from ecluse.demo.replay.stage import Connection, Stage
from ecluse.demo.replay.telling import day_of
from ecluse.demo.replay.terms import (
    AGENT,
    CALLED_OFF,
    CONTRACTORS,
    COURSE,
    KEY,
    PAIR,
    RACER,
    TOKEN,
    TRAINERS,
    VICTIM,
    Contractor,
    write_contract,
)
from ecluse.demo.replay.timeline import Clock, carry_out
from ecluse.demo.scheduler import Scheduler
from ecluse.demo.serving import Gate
from ecluse.demo.timetable import to_csv
from ecluse.exposure import Holder, Scope
from ecluse.exposure.service import Engine
from ecluse.identity import PublicKey, load_private
from ecluse.identity.service import add_client
from ecluse.install import LOG_ID, Databases
from ecluse.ledger.fsck import check_log
from ecluse.register import parse_register
from ecluse.settings import Installation

ATTACKS: Final[tuple[type[Attack], ...]] = (
    credentials.MachineKey, credentials.StolenToken, credentials.MaliciousAgent, credentials.CompromisedProcessor, misuse.Enumeration,
    misuse.ReplayAndRace, credentials.Collusion, misuse.StolenScheduler, misuse.CalledOff, history.EditedHistory,
    alternatives.FullCopy, alternatives.ReadAccount, alternatives.RowsBySchedule, alternatives.TokenApi, alternatives.RowsWithScheduler,
)  # fmt: skip
"""In the order in which they are told: those on Écluse, then those on its alternatives."""

ACTOR: Final = credentials.CONTROLLER
_MOST_SUBJECTS: Final = 20_000
_STEPS: Final = 5
_CALLED_OFF: Final = 20
_SPAN_OF: Final = """
select min(o.sealed_at) as first, max(o.sealed_at) as last from ecluse.opening o
where o.processor_id = $1 and o.event in ('disclosure:person:granted', 'disclosure:sheet:granted')
"""


def run_replay(options: ReplayOptions) -> Account | None:
    """Run the replay; None: it was interrupted before its end.

    Raises `ConfigurationError` for options or a folder that can't be used, before anything is changed.
    """
    console = options.console or Console(stderr=True)
    register_toml = Path(demo.__file__).with_name("register.toml").read_text(encoding="utf-8")
    progress = Progress(console, steps=_STEPS)
    try:
        with ExitStack() as stack:
            installation = premises.make_installation(options, register_toml)
            with progress.step("The folder, its keys and a PostgreSQL of its own"):
                install.create_embedded(installation)
                reached = stack.enter_context(install.databases(installation))
            return uvloop.run(_Run(options, installation, reached, console, progress).run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Stopped before the end.")
        return None


class _Run:
    """One run: what its stages share."""

    def __init__(
        self, options: ReplayOptions, installation: Installation, reached: Databases, console: Console, progress: Progress
    ) -> None:
        self.options, self.installation, self.reached = options, installation, reached
        self.console, self.progress = console, progress
        self.register = parse_register((installation.folder / "register.toml").read_text(encoding="utf-8"))
        self.days = working_days(START, options.days)
        self.a_day = persons_a_day(options.people, len(self.days))

    async def run(self) -> Account:
        """Go through the stages; whatever happens, nothing is left running."""
        with ended_by_signals():
            async with AsyncExitStack() as stack:
                stage = await self._set(stack)
                found = await self._attack(stage)
                await stage.clock.move(self.options.ends)
                told = await self._tell(stage) if Kind.PROCESSOR in self.options.kinds else None
                account = Account(
                    people=self.options.people, from_at=START, to_at=self.options.ends, a_day=self.a_day, attacks=found, told=told,
                    seconds=round(self.progress.seconds, 1), folder=str(self.installation.folder), wrong=list(_wrong(found, told)),
                )  # fmt: skip
                premises.finish(self.installation, account)
                return account

    async def _set(self, stack: AsyncExitStack) -> Stage:
        """Set the stage: register, clock, log, processors, gate, schedule."""
        with self.progress.step(f"The register: {self.options.people:,} invented people, and three other ways into it") as line:
            await install.create_databases(self.installation, self.reached)
            await fill_register(self.installation, self.reached, self.register, self.options.people, line)
            admin = await stack.enter_async_context(superuser(self.reached, "ecluse"))
            owner = await stack.enter_async_context(superuser(self.reached, "register"))
            clock = Clock(admin, owner, START)
            await clock.begin()
            await alternatives.prepare(owner)
        with self.progress.step(f"The log, {len(CONTRACTORS)} processors, one contract each; it is {day_of(START)}"):
            await install.open_log(self.installation, self.reached, name=LOG, origin=ORIGIN, actor=ACTOR)
            async with role(self.installation, self.reached, "ecluse_app") as app:
                parties = {one.id: await self._bind(app, one, number) for number, one in enumerate(CONTRACTORS, start=17)}
                scheduler_key = new_key(self.installation.folder, "scheduler")
                scheduler_id = await _add_client(app, None, "planning software", _public(scheduler_key))
        with self.progress.step(f"The gate, on {self.installation.settings.public_url}"):
            gate = Gate(self.installation.folder)
            stack.callback(gate.stop)
            await gate.ready(self.installation.settings.public_url)
        scheduler = Scheduler(self.installation.settings.public_url, scheduler_id, scheduler_key)
        stack.push_async_callback(scheduler.close)
        rows = await owner.fetch(SUBJECTS, min(self.options.people, _MOST_SUBJECTS))
        subjects = [f"{self.register.id}:{row['numero']}" for row in rows]
        planned = self._plan(parties, subjects)
        await self._import(scheduler, owner, planned)
        reader = await stack.enter_async_context(role(self.installation, self.reached, "ecluse_reader"))
        return Stage(
            options=self.options, installation=self.installation, reached=self.reached, clock=clock,
            engine=Engine(self.register, self.installation.settings.zone), parties=parties, planned=planned, subjects=subjects,
            scheduler=scheduler, scheduler_id=scheduler_id, scheduler_key=scheduler_key,
            vkey=await admin.fetchval("select vkey from ecluse.ledger_log where id = $1::smallint", LOG_ID), reader=reader, admin=admin,
            register_admin=owner,
        )  # fmt: skip

    async def _import(self, scheduler: Scheduler, owner: Connection, planned: dict[str, list[PlannedSession]]) -> None:
        """Import everybody's schedule through the gate, and write the compromised processor's where row-level security reads it."""
        with self.progress.step(f"The schedule of {len(self.days)} working days, by the agency's planning software") as line:
            imported = await scheduler.send(to_csv(session for some in planned.values() for session in some))
            await alternatives.plan(owner, planned[VICTIM.id])
            line.detail = f"{imported.counts['places_new']:,} places,"

    async def _bind(self, app: Connection, contractor: Contractor, number: int) -> Party:
        """Add one processor with its contract, its people and its machine."""
        text, folder = write_contract(contractor, number), self.installation.folder
        (folder / "contracts" / f"{contractor.id}.toml").write_text(text, encoding="utf-8")
        attributes = {name: attribute.type for name, attribute in self.register.attributes.items()}
        await add_processor(app, log_id=LOG_ID, processor=contractor.id, name=contractor.name, actor=ACTOR)
        await apply_contract(app, log_id=LOG_ID, text=text, attributes=attributes, actor=ACTOR)
        agents = [
            (await add_agent(app, log_id=LOG_ID, processor=contractor.id, label=label, actor=ACTOR))[0] for label in TRAINERS
        ]
        key_file = new_key(folder, contractor.id)
        client = await _add_client(app, contractor.id, "training software", _public(key_file))
        firm = Firm(
            id=contractor.id,
            name=contractor.name,
            site=contractor.sites[0],
            part=Part.ROUTINE,
            courses=(COURSE,),
            trainers=TRAINERS,
        )
        return Party(firm=firm, client_id=client, key_file=key_file, agents=tuple(agents))

    def _plan(self, parties: dict[str, Party], subjects: Sequence[str]) -> dict[str, list[PlannedSession]]:
        """Say who is due where: at the compromised processor on all days, elsewhere on the first two."""
        a_day, first_two = self.a_day, self.days[:2]

        def days(contractor: Contractor, begin: int, size: int, some: Sequence[int]) -> list[PlannedSession]:
            agents = parties[contractor.id].agents
            due = around(subjects, begin, size * len(some))
            return [
                session
                for number, day in enumerate(some)
                for session in sessions_on(contractor, agents, self.days[day], due[number * size : (number + 1) * size])
            ]

        two = range(len(first_two))
        plans = {VICTIM: days(VICTIM, 0, a_day, range(len(self.days)))}
        begin = a_day * len(self.days)
        plans |= {one: days(one, begin + at * a_day, a_day, two) for at, one in enumerate((KEY, AGENT, *PAIR))}
        plans |= {TOKEN: days(TOKEN, 0, COURSE.capacity, [0]), RACER: days(RACER, 0, misuse.RACED, [0])}
        plans |= {CALLED_OFF: days(CALLED_OFF, 0, _CALLED_OFF, [1])}
        return {contractor.id: sessions for contractor, sessions in plans.items()}

    async def _attack(self, stage: Stage) -> list[Found]:
        """Carry out every attack that was asked for; what each found is told as it ends."""
        attacks = [attack(stage) for attack in ATTACKS if attack.kind in self.options.kinds]
        found: dict[int, Found] = {}

        async def ended(number: int) -> None:
            one = found[number] = await attacks[number].found()
            bound = "" if one.bound is None else f" of {'' if one.exact else 'at most '}{one.bound:,}"
            self.console.print(
                f"    {one.attack} on {one.alternative}: {one.persons:,}{bound} persons [dim]{one.seconds:.1f} s[/dim]",
                highlight=False,
            )

        await carry_out(stage.clock, attacks, ended)
        return [found[number] for number in range(len(attacks))]

    async def _tell(self, stage: Stage) -> Told:
        """Ask the ledger what the agency could say of the compromised processor."""
        held = await stage.engine.held(stage.reader, Holder(scope=Scope.PROCESSOR, processor=VICTIM.id))
        if held is None:
            raise AssertionError("impossible: of a processor it is told")
        span = await stage.reader.fetchrow(_SPAN_OF, VICTIM.id)
        report = await check_log(stage.reader, LOG_ID, stage.vkey)
        return Told(
            processor=VICTIM.id, name=VICTIM.name, persons=held.persons,
            forms={one.name: [form.value for form in one.forms] for one in held.attributes},
            never=sorted(self.register.attributes.keys() - {one.name for one in held.attributes}),
            first=None if span is None else span["first"], last=None if span is None else span["last"], entries=report.size, sound=report.sound,
        )  # fmt: skip


def _wrong(found: Sequence[Found], told: Told | None) -> Iterator[str]:
    """Yield what must not be: of each attack, and where the agency could not have told what the thief has."""
    yield from (f"{one.attack} on {one.alternative}: {one.wrong}" for one in found if one.wrong)
    if told is None:
        return
    if not told.sound:
        yield "the ledger was not found whole at the end"
    taken = next(one.persons for one in found if (one.attack, one.alternative) == (Kind.PROCESSOR, Attacked.ECLUSE))
    if told.persons != taken:
        yield f"the agency would have said {told.persons:,} persons, the thief has {taken:,}"


def _public(key_file: Path) -> PublicKey:
    """Return the public half of a machine's key."""
    return load_private(key_file.read_bytes()).public


async def _add_client(app: Connection, processor: str | None, label: str, key: PublicKey) -> str:
    """Register a machine; return its id."""
    client, _ = await add_client(app, log_id=LOG_ID, processor=processor, label=label, key=key, actor=ACTOR)
    return client
