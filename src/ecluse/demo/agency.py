"""``ecluse demo``: make the agency, open its gate, let it live a day, check everything, tell, and keep serving.

Each stage uses what an operator would use: the installation's own use cases for what the controller does on its machine, and the HTTP door for
everything that comes from outside.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AbstractAsyncContextManager
from datetime import date
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
import uvloop
from rich.console import Console

from ecluse import clock, install
from ecluse.client import parse_policy
from ecluse.contracts.service import add_agent, add_processor, apply_contract
from ecluse.demo import premises, tour
from ecluse.demo.account import Account, AgencyFacts, RunFacts, account_of
from ecluse.demo.child import ChildFailed
from ecluse.demo.contract_file import term_of, write_contract
from ecluse.demo.day import ACTOR, Day, Desk, live
from ecluse.demo.documents import Officer
from ecluse.demo.firms import firms_for
from ecluse.demo.founding import LOG, ORIGIN, SUBJECTS, ended_by_signals, fill_register, new_key, role, superuser
from ecluse.demo.governance import Auditor, Governed
from ecluse.demo.mailroom import Mailroom
from ecluse.demo.model import Firm, Part, Party, PlannedSession
from ecluse.demo.options import DemoOptions
from ecluse.demo.progress import Progress
from ecluse.demo.scheduler import Scheduler, ScheduleRefused
from ecluse.demo.serving import Gate
from ecluse.demo.tally import LedgerCheck, Tally, check_ledger, read_tally, unmapped_columns
from ecluse.demo.telling import tell
from ecluse.demo.timetable import CLOSING_IN, closing_session, plan_day, to_csv
from ecluse.demo.witnesses import Watch
from ecluse.identity import load_private
from ecluse.identity.service import add_client
from ecluse.install import LOG_ID, Databases
from ecluse.ledger.policies import apply_policy
from ecluse.register import RegisterMap, parse_register
from ecluse.settings import Installation, with_user

__all__ = ["DemoOptions", "run_demo"]

_MOST_PLACES: Final = 4_000
_SURPRISED: Final = 1
_INTERRUPTED: Final = 130


def run_demo(options: DemoOptions) -> int:
    """Run the demo; return the exit code: 0, 1 if anything was not as expected, 130 if it was interrupted before its end.

    Raises `ConfigurationError` for options or a folder that can't be used, before anything is changed.
    """
    console = options.console or Console()
    register_toml = Path(__file__).with_name("register.toml").read_text(encoding="utf-8")
    progress = Progress(console)
    try:
        with contextlib.ExitStack() as stack:
            mailroom = stack.enter_context(contextlib.closing(Mailroom()))
            installation = premises.make_installation(options, register_toml, mail_port=mailroom.port)
            with progress.step("The folder, its keys and a PostgreSQL of its own"):
                install.create_embedded(installation)
                reached = stack.enter_context(install.databases(installation))
            agency = _Agency(options, installation, reached, parse_register(register_toml), mailroom, console, progress)
            return uvloop.run(agency.run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Stopped before the end.")
        return _INTERRUPTED


class _Agency:
    """One run: what the stages share. ``parties`` and ``plan`` are filled by the stages that make them."""

    def __init__(
        self, options: DemoOptions, installation: Installation, reached: Databases, register: RegisterMap, mailroom: Mailroom, console: Console,
        progress: Progress,
    ) -> None:  # fmt: skip
        self.options, self.installation, self.reached, self.register = options, installation, reached, register
        self.mailroom, self.console, self.progress = mailroom, console, progress
        self.firms = firms_for(options.people)
        self.parties: list[Party] = []
        self.plan: tuple[PlannedSession, ...] = ()
        self.vkey = ""
        self.policy = b""
        self.scheduler_id = ""

    @property
    def base_url(self) -> str:
        """The gate's address."""
        return self.installation.settings.public_url

    @property
    def log_url(self) -> str:
        """Where the log's public files are."""
        return f"{self.base_url}/ledger/{LOG}"

    async def run(self) -> int:
        """Go through the stages; whatever happens, nothing is left running."""
        with ended_by_signals():
            watch, gate = Watch(self.installation.folder, next(firm for firm in self.firms if firm.part is Part.QUESTIONS)), None
            try:
                await self.mailroom.open(self.installation.folder)
                await self._load_register()
                await self._bind_processors(watch)
                with self.progress.step(f"The gate, on {self.base_url}"):
                    gate = Gate(self.installation.folder)
                    await gate.ready(self.base_url)
                account = await self._live_and_check(gate, watch)
                tell(self.console, account)
                code = _SURPRISED if account.surprises else 0
                if not self.options.then_exit:
                    await self._serve(gate, account.example.agent)
                return code
            finally:
                if gate is not None:
                    gate.stop()
                self.mailroom.close()
                watch.stop()

    async def _load_register(self) -> None:
        """Create both databases and fill the register; its reader may read the mapped columns and nothing else."""
        people = self.options.people
        with self.progress.step(f"The register: {people:,} invented people") as line:
            await install.create_databases(self.installation, self.reached)
            report = await fill_register(self.installation, self.reached, self.register, people, line)
            line.detail = f"{report.contacts:,} contact rows,"

    async def _bind_processors(self, watch: Watch) -> None:
        """Open the log; put its witnesses in force; add processors, contracts, evidence, agents and machines, each a sealed entry."""
        with self.progress.step(
            f"The log, its two witnesses, {len(self.firms)} processors, their contracts and evidence"
        ) as line:
            opened = await install.open_log(self.installation, self.reached, name=LOG, origin=ORIGIN, actor=ACTOR)
            index = opened.index
            async with self._role("ecluse_app") as app:
                self.vkey = await app.fetchval("select vkey from ecluse.ledger_log where id = $1::smallint", LOG_ID)
                self.policy = await watch.agree(self.vkey, self.log_url)
                await apply_policy(app, log_id=LOG_ID, raw=self.policy, actor=ACTOR)
                officer = await self._officer(app)
                for number, firm in enumerate(self.firms, start=1):
                    self.parties.append(await self._bind(app, officer, firm, number))
                key_file = new_key(self.installation.folder, "scheduler")
                key = load_private(key_file.read_bytes()).public
                self.scheduler_id, last = await add_client(
                    app, log_id=LOG_ID, processor=None, label="planning software", key=key, actor=ACTOR
                )
                index = last.index
            line.detail = f"{index + 1} sealed entries,"

    async def _officer(self, app: asyncpg.Connection[asyncpg.Record]) -> Officer:
        """Return who judges what processors hand in, on a connection."""
        attributes = {name: attribute.type for name, attribute in self.register.attributes.items()}
        vault, zone = await install.open_vault(self.installation, app), self.installation.settings.zone
        return Officer(app, vault, attributes=attributes, zone=zone, today=self._today())

    async def _bind(self, app: asyncpg.Connection[asyncpg.Record], officer: Officer, firm: Firm, number: int) -> Party:
        """Add one processor with its contract, its evidence, its people and its machine."""
        await add_processor(app, log_id=LOG_ID, processor=firm.id, name=firm.name, actor=ACTOR)
        term = term_of(self._today())
        await self._apply(app, write_contract(firm, number, term), firm)
        await officer.file(firm, term)
        agents = [
            (await add_agent(app, log_id=LOG_ID, processor=firm.id, label=label, actor=ACTOR))[0] for label in firm.trainers
        ]
        key_file = new_key(self.installation.folder, firm.id)
        key = load_private(key_file.read_bytes()).public
        client, _ = await add_client(app, log_id=LOG_ID, processor=firm.id, label="training software", key=key, actor=ACTOR)
        return Party(firm=firm, client_id=client, key_file=key_file, agents=tuple(agents))

    async def _apply(self, app: asyncpg.Connection[asyncpg.Record], text: str, firm: Firm) -> None:
        """Keep a contract's file in the folder and put it in force."""
        (self.installation.folder / "contracts" / f"{firm.id}.toml").write_text(text, encoding="utf-8")
        attributes = {name: attribute.type for name, attribute in self.register.attributes.items()}
        await apply_contract(app, log_id=LOG_ID, text=text, attributes=attributes, actor=ACTOR)

    def _today(self) -> date:
        """Return the controller's day."""
        return clock.now().astimezone(self.installation.settings.zone).date()

    async def _live_and_check(self, gate: Gate, watch: Watch) -> Account:
        """Import the schedule, let the day pass, check the ledger, and write everything down."""
        scheduler = Scheduler(self.base_url, self.scheduler_id, self.installation.folder / "clients" / "scheduler.pem")
        try:
            async with self._role("ecluse_app") as app:
                with self.progress.step("Today's schedule, imported by the agency's planning software") as line:
                    places = await self._import_schedule(scheduler)
                    line.detail = f"{len(self.plan)} sessions, {places} places,"
                with self.progress.step("A working day, through the HTTP door") as line:
                    desk = Desk(scheduler, app, await self._officer(app), self.plan)
                    day = await live(self.parties, self.plan, desk, base_url=self.base_url, policy=parse_policy(self.policy))
                    line.detail = f"{sum(day.journal.seen.values()):,} steps,"
        finally:
            await scheduler.close()
        with self.progress.step("The whole ledger, recomputed entry by entry"):
            tally, ledger, unmapped = await self._read_back(day)
        with self.progress.step("Flows counted, papers printed, everybody told") as line:
            governed = await self._govern(tally)
            line.detail = f"{governed.mails} mails, {len(governed.papers)} papers,"
        account = self._account(day, places, gate, watch, (tally, ledger, unmapped), governed)
        premises.finish(self.installation.folder, self._demo_file(watch))
        text = msgspec.json.format(msgspec.json.encode(account), indent=2).decode()
        install.write_secret(self.installation.folder / premises.ACCOUNT_JSON, text + "\n")
        return account

    async def _import_schedule(self, scheduler: Scheduler) -> int:
        """Plan the day and import it. Returns the places."""
        async with self._register_owner() as owner:
            rows = await owner.fetch(SUBJECTS, min(self.options.people, _MOST_PLACES))
        subjects = [f"{self.register.id}:{row['numero']}" for row in rows]
        asks = next(party for party in self.parties if party.firm.part is Part.QUESTIONS)
        now = clock.now()
        day = plan_day(self.parties, subjects, now)
        for closing_in in CLOSING_IN:
            self.plan = (*day, closing_session(asks, asks.firm.courses[0], subjects, clock.now() + closing_in))
            try:
                imported = await scheduler.send(to_csv(self.plan))
                break
            except ScheduleRefused:  # all of it or nothing: a window that shut before the file was read refuses the file
                if closing_in == CLOSING_IN[-1]:
                    raise
        return imported.counts["places_new"]

    async def _read_back(self, day: Day) -> tuple[Tally, LedgerCheck, tuple[str, ...]]:
        """Read the ledger back and check it; return with both what of the register no contract can name."""
        async with self._role("ecluse_reader") as reader:
            tally = await read_tally(reader, day.held_client)
            ledger = await check_ledger(reader, self.vkey)
        async with self._register_owner() as owner:
            return tally, ledger, await unmapped_columns(owner, self.register)

    async def _govern(self, tally: Tally) -> Governed:
        """See what came of it for those who govern; the papers are of the processor whose gate an audit shut."""
        about = next(firm.id for firm in self.firms if firm.part is Part.HELD)
        async with self._role("ecluse_reader") as reader, self._role("ecluse_jobs") as jobs:
            auditor = Auditor(reader, self.firms, self.installation, self.register, self.mailroom)
            return await auditor.govern(jobs, tally.gates, about)

    def _account(
        self,
        day: Day,
        places: int,
        gate: Gate,
        watch: Watch,
        read: tuple[Tally, LedgerCheck, tuple[str, ...]],
        governed: Governed,
    ) -> Account:
        """Compare what was read back with what the processors saw."""
        (tally, ledger, unmapped), (now, most) = read, gate.memory()
        return account_of(
            day, tally, ledger, governed,
            agency=AgencyFacts(
                people=self.options.people, processors=len(self.parties), sessions=len(self.plan), places=places,
                attributes=tuple(self.register.attributes), unmapped=unmapped,
            ),
            run=RunFacts(
                seconds=self.progress.seconds, day_seconds=day.seconds, memory_bytes=now, memory_most_bytes=most,
                folder=str(self.installation.folder), base_url=self.base_url,
            ),
            witnesses=watch.says, parts={firm.part: firm.id for firm in self.firms},
        )  # fmt: skip

    def _demo_file(self, watch: Watch) -> premises.DemoFile:
        """Describe the installation for scripts."""
        owner = self.installation.secret("db-owner.password")
        reader = self.installation.secret("db-register.password")
        sessions = {party.firm.id: sum(one.processor == party.firm.id for one in self.plan) for party in self.parties}
        return premises.DemoFile(
            base_url=self.base_url,
            log_url=self.log_url,
            origin=ORIGIN,
            log_vkey=self.vkey,
            policy_file=str(self.installation.folder / premises.POLICY),
            witnesses=watch.describe(),
            mail_folder=str(self.installation.folder / premises.MAIL),
            papers_folder=str(self.installation.folder / premises.PAPERS),
            database_url=with_user(self.reached.database_url, "ecluse_owner", owner),
            register_url=with_user(self.reached.register_url, install.REGISTER_ROLE, reader),
            processors=[premises.describe(party, self.base_url, sessions[party.firm.id]) for party in self.parties],
            tour=tour.stops(self.installation.settings.pages),
        )

    async def _serve(self, gate: Gate, agent: str) -> None:
        """Lead through the pages, and serve until Ctrl-C. Raises `ChildFailed` if the gate ends before. ``agent``: who may be tried at the desk."""
        pages_url = self.installation.settings.pages
        async with self._role("ecluse_app") as app:
            links = await tour.invite_visitors(app, pages_url, agent)
            links["my-data"] = await tour.invite_person(
                app, self.base_url, new_key(self.installation.folder, "portal"), self.register.id
            )
        tour.show(self.console, tour.stops(pages_url), links)
        self.console.print("\nServing. [bold]Ctrl-C[/bold] stops the gate and its database; the folder stays.")
        try:
            await gate.ended()
        except asyncio.CancelledError:
            self.console.print("\nStopped.")
            return
        raise ChildFailed(f"The gate ended on its own. See {self.installation.folder / premises.GATE_LOG}")

    def _role(self, name: str) -> AbstractAsyncContextManager[asyncpg.Connection[asyncpg.Record]]:
        """Connect as one of our roles."""
        return role(self.installation, self.reached, name)

    def _register_owner(self) -> AbstractAsyncContextManager[asyncpg.Connection[asyncpg.Record]]:
        """Connect to the register as who made it."""
        return superuser(self.reached, "register")
