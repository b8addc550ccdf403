"""One processor's world as the controller made it, and what the design says about a disclosure in it: the slow reference of the tests beside this file.

`Facts` is what may be disclosed, as of one control entry; ``Facts.lawful`` repeats no step of the code under test. `Stage` is the real door on a real
database whose clock the test sets, and the real use cases that change the facts.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import asyncpg

from ecluse import install, settings
from ecluse.contracts import Assurance
from ecluse.disclosure import Answer, Delivered, Denied, Proven, Request
from ecluse.policy import Ask
from ecluse.web.gateway import Gateway, build
from tests.agency import Agency, Meeting, Party
from tests.invented import contract_text

TICK, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("microseconds", "minutes", "hours", "days"))
PATH: Final = "/v1/disclosures"
ZONES: Final = ("Europe/Paris", "America/Santiago", "Australia/Lord_Howe")
REDELIVERY_LIFE: Final = 10 * MINUTE
READS: Final = 3
_CLOCK: Final = """
create table public.set_clock (at timestamptz not null);
insert into public.set_clock values (ecluse.clock());
grant select on public.set_clock to public;
create or replace function ecluse.clock() returns timestamptz language sql volatile as 'select at from public.set_clock';
"""


@dataclass(frozen=True, kw_only=True)
class Held:
    """One hold. ``until_at`` None: until released."""

    scope: str
    effect: str
    from_at: datetime
    until_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What decides whether the one appointment may be read, but for the clock. ``zone``: the controller's."""

    zone: str
    starts_at: datetime
    ends_at: datetime
    first: date
    last: date
    before: timedelta = DAY
    after: timedelta = 2 * HOUR
    cancelled: bool = False
    revoked: bool = False
    holds: tuple[tuple[str, Held], ...] = ()

    @property
    def window(self) -> tuple[datetime, datetime]:
        """The window of the appointment."""
        return self.starts_at - self.before, self.ends_at + self.after

    def lawful(self, at: datetime) -> bool:
        """Say by the design's own words whether a disclosure is due at an instant."""
        return not self.against(at)

    def against(self, at: datetime) -> list[str]:
        """Return the public reasons that stand against it at an instant, the first being the one to be told."""
        biting = [held for _, held in self.holds if held.from_at <= at and not (held.until_at and held.until_at <= at)]
        today = at.astimezone(ZoneInfo(self.zone)).date()
        opens_at, closes_at = self.window
        found = []
        for scopes in (("processor",), ("client",), ("agent",), ("contract",)):
            found += [
                "suspended" if held.effect == "suspend" else "gate-frozen"
                for held in biting
                if held.scope in scopes and held.effect != "keep"
            ]
        found += ["suspended"] * self.revoked
        found += ["gate-frozen"] * (not self.first <= today <= self.last)
        found += ["outside-window"] * (self.cancelled or not opens_at <= at < closes_at)
        found += ["not-disclosable"] * any(held.scope == "person" and held.effect != "keep" for held in biting)
        return found

    def edges(self) -> list[datetime]:
        """List instants at which something begins or ends; days by a scan of the minutes, as the clock there shows them."""
        zone = ZoneInfo(self.zone)
        days = []
        for day in (self.first, self.last + DAY):
            noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
            days.append(min(at for n in range(-1440, 1440) if (at := noon + n * MINUTE).astimezone(zone).date() == day))
        spans = [at for _, held in self.holds for at in (held.from_at, held.until_at) if at is not None]
        return sorted({*self.window, *days, *spans})


@dataclass
class Stage:
    """An agency without serving processes, one door a time zone, and the clock of their database. ``zones``: the doors' gateways."""

    agency: Agency
    runner: asyncio.Runner
    admin: asyncpg.Pool
    zones: dict[str, Gateway]
    person: int = 9

    def run(self, work: Any) -> Any:
        """Run one coroutine in the stage's loop."""
        return self.runner.run(work)

    async def set_clock(self, at: datetime) -> None:
        """Let the database's clock stand at an instant."""
        await self.admin.execute("update public.set_clock set at = $1", at)

    async def clock(self) -> datetime:
        """Read the database's clock."""
        at: datetime = await self.admin.fetchval("select ecluse.clock()")
        return at

    async def last_control(self) -> int:
        """Return the index of the newest control entry."""
        index: int = await self.admin.fetchval("select max(index) from ecluse.opening where event like 'control:%'")
        return index

    async def wait_for_locks(self, count: int) -> None:
        """Wait until so many statements wait for the head's lock."""
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        for _ in range(2000):
            if await self.admin.fetchval(waiting) >= count:
                return
            await asyncio.sleep(0.002)
        raise AssertionError("nobody waits for the head")


@dataclass
class World:
    """One processor with one appointment, moved by the controller's real use cases. ``timeline``: the facts from each control entry on."""

    stage: Stage
    party: Party
    meeting: Meeting
    handle: str
    facts: Facts
    timeline: list[tuple[int, Facts]] = field(default_factory=list)

    @property
    def person(self) -> int:
        """The appointment's person, by its number in the register."""
        return self.meeting.persons[0]

    async def note(self, **changes: Any) -> None:
        """Keep the facts as they are after a control entry."""
        self.facts = replace(self.facts, **changes)
        self.timeline.append((await self.stage.last_control(), self.facts))

    async def ask(self, key: str | None = None, attributes: Sequence[str] = ("family_name",)) -> Answer:
        """Put one request through the door of the facts' time zone, with a fresh proof."""
        machine = self.party.machines[0]
        proven = Proven(client=machine.id, thumbprint=machine.key.thumbprint(), slot=1, digest=secrets.token_bytes(32))
        asked = Ask(
            processor=self.party.name, client=machine.id, agent=self.party.agent, assurance=Assurance.ASSERTED, appointment=self.handle,
            attributes=tuple(sorted(attributes)),
        )  # fmt: skip
        body_hash = ",".join(asked.attributes).encode()
        request = Request(proven=proven, asks=(asked,), endpoint=PATH, session=None, key=key, body_hash=body_hash)
        return await self.stage.zones[self.facts.zone].door.ask(request)

    async def hold(self, held: Held) -> None:
        """Place a hold."""
        machine = self.party.machines[0]
        target = {"client": machine.id, "agent": self.party.agent, "person": f"ofii:{self.person}"}.get(
            held.scope, self.party.name
        )
        until = {} if held.until_at is None else {"until_at": held.until_at}
        name, _ = await self.stage.agency.hold(held.scope, target, held.effect, from_at=held.from_at, **until)
        await self.note(holds=(*self.facts.holds, (name, held)))

    async def release(self, which: int) -> None:
        """End a hold, if there is one."""
        if self.facts.holds:
            name, _ = self.facts.holds[which % len(self.facts.holds)]
            await self.stage.agency.release(name)
            await self.note(holds=tuple(held for held in self.facts.holds if held[0] != name))

    async def plan(self, *, by: timedelta = timedelta(0), cancel: bool = False) -> None:
        """Import the session again: moved, its place cancelled or reinstated. One that is over, or would leave the contract's days, stays as it is."""
        now, closes_at = await self.stage.clock(), self.facts.window[1]
        meeting = replace(self.meeting, starts_at=self.meeting.starts_at + by, ends_at=self.meeting.ends_at + by)
        days = [
            at.astimezone(self.stage.agency.installation.settings.zone).date()
            for at in (meeting.starts_at, meeting.ends_at - TICK)
        ]
        if now >= min(closes_at, closes_at + by) or not self.facts.first <= days[0] <= days[1] <= self.facts.last:
            return
        await self.stage.agency.schedule(meeting, cancelled=[self.person] if cancel else [])
        self.meeting = meeting
        await self.note(starts_at=meeting.starts_at, ends_at=meeting.ends_at, cancelled=cancel)

    async def contract(self, first: date, last: date, before: timedelta, after: timedelta) -> None:
        """Put another contract in force."""
        await self.stage.agency.apply(text_of(self.party.name, first, last, before, after))
        await self.note(first=first, last=last, before=before, after=after)

    async def revoke(self) -> None:
        """Revoke the machine's key."""
        if not self.facts.revoked:
            await self.stage.agency.revoke(self.party.machines[0])
            await self.note(revoked=True)

    async def unlawful(self) -> list[str]:
        """Compare every grant in the ledger with the facts as of its place there, and return what is wrong."""
        rows = await self.stage.admin.fetch(
            "select index, sealed_at from ecluse.opening where processor_id = $1 and event like '%:granted'", self.party.name
        )
        wrong = []
        for index, sealed_at in rows:
            facts = [facts for since, facts in self.timeline if since < index][-1]
            wrong += [f"entry {index} at {sealed_at}: {why}" for why in facts.against(sealed_at)]
        return wrong

    async def rename(self, name: str) -> None:
        """Write the person's name in the register."""
        await self.stage.agency.change_register("update registre.personne set nom = $1 where numero = $2", name, self.person)

    async def leave(self) -> None:
        """End what would reach other worlds: holds on the person."""
        while self.facts.holds:
            await self.release(0)


def text_of(processor: str, first: date, last: date, before: timedelta, after: timedelta) -> str:
    """Write the contract of a world."""
    opens, closes = (f"PT{span // MINUTE}M" for span in (before, after))
    return contract_text(processor, starts_on=str(first), ends_on=str(last), reads=READS, opens_before=opens, closes_after=closes)


async def make_world(stage: Stage, *, zone: str = "Europe/Paris", begins_in: timedelta = 3 * DAY, days: int = 9) -> World:
    """Bind a processor whose session begins some time from now; the contract runs some days to both sides of it."""
    await stage.set_clock(await stage.admin.fetchval("select greatest(last_at, ecluse.clock()) from ecluse.ledger_head"))
    party = await stage.agency.bind(reads=READS)
    stage.person = 10 + (stage.person - 9) % 150
    meeting = await stage.agency.meeting(party, [stage.person], begins_in=begins_in)
    handles = await stage.agency.schedule(meeting)
    day = meeting.starts_at.date()
    first, last = day - days * DAY, day + days * DAY
    world = World(
        stage=stage, party=party, meeting=meeting, handle=handles[stage.person],
        facts=Facts(zone=zone, starts_at=meeting.starts_at, ends_at=meeting.ends_at, first=first, last=last),
    )  # fmt: skip
    await world.contract(first, last, DAY, 2 * HOUR)
    return world


def word(answer: Answer) -> str:
    """Say an answer in one word: granted, again, or the reason of a refusal."""
    if isinstance(answer, Delivered):
        return "again" if answer.again else "granted"
    assert isinstance(answer, Denied)
    return answer.reason.value


@contextmanager
def staged(agency: Agency, zones: Sequence[str]) -> Iterator[Stage]:
    """Take an agency without gates, set its clock, and open one door a time zone in this process."""
    with asyncio.Runner() as runner:
        admin = runner.run(_administer(agency))
        runner.run(admin.execute(_CLOCK))
        opened = {zone: runner.run(_open(agency, zone)) for zone in zones}
        try:
            yield Stage(agency, runner, admin, opened)
        finally:
            for gateway in opened.values():
                runner.run(gateway.close())
            runner.run(admin.close())


async def _administer(agency: Agency) -> asyncpg.Pool:
    """Connect to the ledger's database as its administrator, several times over: tests look while they wait."""
    return await asyncpg.create_pool(agency.postgres.superuser_dsn(agency.ledger_name), min_size=3, max_size=3)


async def _open(agency: Agency, zone: str) -> Gateway:
    """Build what a serving process holds, its controller in a time zone."""
    options = {"controller.timezone": zone, "ledger.sign": False, "door.refusals_per_minute": 10**6}
    installation = settings.load(agency.folder, options, {})
    with install.databases(installation) as reached:
        return await build(installation, reached.database_url, reached.register_url)
