"""Attacks on the door itself: guessed handles, races and replays, the scheduler's stolen key, a session that was called off."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from ecluse import ids
from ecluse.demo.line import Line
from ecluse.demo.model import Party, PlannedSession
from ecluse.demo.replay.attack import Attack, Strike
from ecluse.demo.replay.model import START, Kind
from ecluse.demo.replay.plan import around, sessions_on
from ecluse.demo.replay.stage import Stage
from ecluse.demo.replay.terms import CALLED_OFF, COURSE, GUESSER, MISLED, PERSONS_A_DAY, RACER, SESSIONS_A_DAY, VICTIM
from ecluse.demo.replay.thief import GRANTED, Thief
from ecluse.demo.scheduler import Scheduler, ScheduleWaits
from ecluse.demo.thief import send_again
from ecluse.demo.timetable import to_csv
from ecluse.exposure import Holder, Scope

_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
_MOST_GUESSES, _MOST_FOREIGN, _ROUNDS = 1_500, 500, 3
RACED: Final = 60
"""Persons due at the processor that races: half as many again as one agent may ask for in an hour."""

_AGAIN, _BEFORE = 10, 5
_MOST_READ: Final = """
select coalesce(max(g.reads), 0) from (
  select count(*) as reads from ecluse.opening o where o.processor_id = $1 and o.event = 'disclosure:person:granted' group by o.subject_ref) g
"""
_ANY: Final = "select id from ecluse.appointment where processor_id = $1 order by id limit 5"
FLOODED: Final = "too-many-refusals"


class Enumeration(Attack):
    """Handles are guessed."""

    kind = Kind.ENUMERATION
    through = (GUESSER,)

    async def play(self) -> AsyncGenerator[datetime, None]:
        """Guess over some minutes: the count of refusals begins anew with each."""
        at = self.stage.clock.at
        guesser, victim = (
            Thief(self.stage.base_url, self.stage.party(GUESSER)),
            Thief(self.stage.base_url, self.stage.party(VICTIM)),
        )
        try:
            await self.ask_first(Holder(scope=Scope.PROCESSOR, processor=GUESSER.id), until=self.stage.options.ends)
            await victim.look(at)  # nobody at this processor knows these: it is given them, to make its case the best
            guesses = min(_MOST_GUESSES, self.stage.options.people)
            handles = [ids.new_id("apt") for _ in range(guesses)] + list(victim.places)[:_MOST_FOREIGN]
            for number in range(_ROUNDS):
                if number:
                    yield at + number * _MINUTE
                await guesser.ask_all(handles[number::_ROUNDS], guesser.agents[0])
            self.keep(guesser.loot)
            refused = guesser.loot.refused
            self.more = {"handles": len(handles), "refused": refused.total() - refused[FLOODED], "answered_429": refused[FLOODED]}
            if not refused[FLOODED]:
                self.wrong.append("nobody was stopped for guessing")
        finally:
            await guesser.close()
            await victim.close()


class ReplayAndRace(Strike):
    """The last persons and reads of budgets, all at once; and the same requests again."""

    kind = Kind.RACE
    through = (RACER,)

    async def strike(self) -> None:
        """Ask twice for half as many again as an agent may have in the hour; then for more reads than are left; then the same requests again."""
        party, at = self.stage.party(RACER), self.stage.clock.at
        agent, thieves = party.agents[0], [Thief(self.stage.base_url, party) for _ in range(2)]
        try:
            holder = Holder(scope=Scope.AGENT, processor=RACER.id, id=agent)
            await self.ask_first(holder, until=at + timedelta(hours=1))
            for thief in thieves:
                await thief.look(at)
            await asyncio.gather(*(thief.ask_all(thief.places, agent) for thief in thieves))
            mine = thieves[0]
            mine.loot.given |= thieves[1].loot.given
            got = [place.id for place in mine.places.values() if place.enrolment in mine.loot.given]
            replays = await self._send_again(party, got.pop())
            await asyncio.gather(*(thief.ask_all(got[:_AGAIN] * COURSE.reads, agent) for thief in thieves))
            most: int = await self.stage.reader.fetchval(_MOST_READ, RACER.id)
            self.keep(mine.loot)
            self.more = {
                "asked_for": RACED,
                "most_reads_of_one": most,
                "replays": replays.total(),
                "replays_granted": replays[GRANTED],
            }
            if most > COURSE.reads or replays[GRANTED]:
                self.wrong.append("more was granted than there was")
        finally:
            for thief in thieves:
                await thief.close()

    async def _send_again(self, party: Party, handle: str) -> Counter[str]:
        """Send one request that the gate answered again, byte for byte and many at once."""
        line = Line()
        owner = Thief(self.stage.base_url, party, transport=line)
        try:
            if await owner.ask(handle, party.agents[0]) != GRANTED or line.overheard is None:
                raise AssertionError("impossible: a read that was left is refused")
            heard = line.overheard
            return Counter(await asyncio.gather(*(send_again(self.stage.base_url, heard) for _ in range(2 * _AGAIN))))
        finally:
            await owner.close()


class StolenScheduler(Attack):
    """The controller's own scheduling key, together with all of a processor."""

    kind = Kind.SCHEDULER
    through = (MISLED,)

    def __init__(self, stage: Stage) -> None:
        """Begin with the second day: budgets count UTC days, and this attack is one of them."""
        super().__init__(stage, START + _DAY)

    async def play(self) -> AsyncGenerator[datetime, None]:
        """Schedule as many as go through without a second person, and take them; the day after, as many as the day lets out."""
        at = self.stage.clock.at
        until, party = at + _DAY, self.stage.party(MISLED)
        thief, scheduler = Thief(self.stage.base_url, party), self.stage.scheduler
        try:
            await self.ask_first(Holder(scope=Scope.SCHEDULER, processor=MISLED.id), until=until)
            alone = await self._alone()
            if alone:
                self.wrong.append("the scheduler's key alone was given somebody")
            self.more = {"hours": 24, "alone": alone, "above_the_volume": await self._too_many(scheduler, party, at)}
            await scheduler.send(to_csv(self._day(party, at, 0, PERSONS_A_DAY)))
            await scheduler.send(to_csv(self._day(party, at + _DAY, PERSONS_A_DAY, PERSONS_A_DAY)))
            await thief.look(at)
            async for due in thief.drip(at, until):
                yield due
            self.keep(thief.loot)
            self.more |= {"scheduled": len(thief.places)}
        finally:
            await thief.close()

    def _day(self, party: Party, at: datetime, begin: int, count: int) -> Iterator[PlannedSession]:
        """Yield sessions of one day at both sites, for whomever one likes."""
        subjects = around(self.stage.subjects, begin, count)
        rooms = SESSIONS_A_DAY * COURSE.capacity
        for site in range(len(MISLED.sites)):
            yield from sessions_on(MISLED, party.agents, at.date(), subjects[site * rooms : (site + 1) * rooms], site=site)

    async def _alone(self) -> int:
        """Try the scheduler's key alone: it is given nobody."""
        name, key_file = self.stage.scheduler_id, self.stage.scheduler_key
        party = Party(
            firm=self.stage.party(MISLED).firm, client_id=name, key_file=key_file, agents=self.stage.party(MISLED).agents
        )
        alone = Thief(self.stage.base_url, party)
        try:
            await alone.ask_all([ids.new_id("apt"), *(await self._any_handle())], party.agents[0])
            return alone.loot.grants
        finally:
            await alone.close()

    async def _any_handle(self) -> list[str]:
        """Return handles that are open now."""
        rows = await self.stage.reader.fetch(_ANY, VICTIM.id)
        return [row["id"] for row in rows]

    async def _too_many(self, scheduler: Scheduler, party: Party, at: datetime) -> str:
        """Send one person more than the contract foresees: the file waits for a second person, and has no effect."""
        if len(self.stage.subjects) <= PERSONS_A_DAY:
            return "not tried: there are fewer people"
        try:
            await scheduler.send(to_csv(self._day(party, at, 0, PERSONS_A_DAY + 1)))
        except ScheduleWaits:
            return "waits for a second person"
        self.wrong.append("a file above the contract's volume took effect")
        return "applied"


class CalledOff(Attack):
    """A session that was called off."""

    kind = Kind.CANCELLED
    through = (CALLED_OFF,)

    def __init__(self, stage: Stage) -> None:
        """Begin while the window is open."""
        super().__init__(stage, START + timedelta(hours=12))

    async def play(self) -> AsyncGenerator[datetime, None]:
        """Take a few while they are due; then all is called off, and everybody is tried at once, as it begins and as it ends."""
        planned, party = self.stage.planned[CALLED_OFF.id], self.stage.party(CALLED_OFF)
        owner, thief = (Thief(self.stage.base_url, party) for _ in range(2))
        try:
            await owner.look(self.stage.clock.at)
            await owner.ask_all(islice(owner.places, _BEFORE), party.agents[0])
            called_off = {session.ref: frozenset(range(len(session.subjects))) for session in planned}
            imported = await self.stage.scheduler.send(to_csv(planned, called_off))
            await self.ask_first(Holder(scope=Scope.PROCESSOR, processor=CALLED_OFF.id), until=planned[-1].ends_at + _DAY)
            for instant in (self.stage.clock.at, planned[0].starts_at, planned[-1].ends_at):
                yield instant
                await thief.ask_all(owner.places, party.agents[0])
            after = await self.stage.sealed(self.through, imported.index)
            self.more = {"taken_before": owner.loot.grants, "granted_after": after.grants, "tries": thief.loot.refused.total()}
            self.keep(thief.loot)
        finally:
            await owner.close()
            await thief.close()
