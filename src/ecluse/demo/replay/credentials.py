"""Attacks with stolen or misused credentials: a machine's key, a token without its key, one agent, a whole processor, two of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import httpx

from ecluse.demo.line import DISCLOSURES, Line
from ecluse.demo.replay.attack import Attack, Strike
from ecluse.demo.replay.model import Kind
from ecluse.demo.replay.stage import Sealed
from ecluse.demo.replay.terms import AGENT, KEY, PAIR, TOKEN, VICTIM
from ecluse.demo.replay.thief import GRANTED, Thief
from ecluse.demo.thief import send_again, use_token
from ecluse.exposure import Holder, Scope
from ecluse.identity import load_private
from ecluse.identity.service import revoke_key
from ecluse.install import LOG_ID

CONTROLLER: Final = "replay:controller"
_DAY: Final = timedelta(days=1)
_TRIED: Final = 40
_SOME: Final = 5


class MachineKey(Attack):
    """A machine's key, copied, for 24 hours."""

    kind = Kind.MACHINE_KEY
    through = (KEY,)

    async def play(self) -> AsyncGenerator[datetime, None]:
        """Take whom the key gets until it is revoked, then try again with the token that is still held."""
        party, at = self.stage.party(KEY), self.stage.clock.at
        until = at + _DAY
        thief = Thief(self.stage.base_url, party)
        try:
            await self.ask_first(Holder(scope=Scope.CLIENT, processor=KEY.id, id=party.client_id), until=until)
            await thief.look(at)
            async for due in thief.drip(at, until):
                yield due
            yield until
            thumbprint = load_private(party.key_file.read_bytes()).public.thumbprint
            async with self.stage.role("ecluse_app") as app:
                revoked = await revoke_key(app, log_id=LOG_ID, client=party.client_id, thumbprint=thumbprint, actor=CONTROLLER)
            await thief.ask_all(islice(thief.places, _TRIED), party.agents[0])
            after: Sealed = await self.stage.sealed(self.through, revoked.index)
            self.more = {"hours": 24, "granted_after_revocation": after.grants}
            if after.grants:
                self.wrong.append("a revoked key was served")
            self.keep(thief.loot)
        finally:
            await thief.close()


class StolenToken(Strike):
    """A token, overheard with a whole request, and no key."""

    kind = Kind.TOKEN
    through = (TOKEN,)

    async def strike(self) -> None:
        """Let the processor work, overhear it, and use what was heard in every way there is."""
        party, line = self.stage.party(TOKEN), Line()
        owner = Thief(self.stage.base_url, party, transport=line)
        try:
            await owner.look(self.stage.clock.at)
            await owner.ask_all(islice(owner.places, _SOME), party.agents[0])
            if line.overheard is None or not owner.loot.grants:
                raise AssertionError("impossible: a processor that was given nobody")
            await self.promise_nothing("key-bound tokens (promise 6)")
            words = [await use_token(self.stage.base_url, line.overheard) for _ in range(_SOME)]
            words += [await send_again(self.stage.base_url, line.overheard) for _ in range(_SOME)]
            words += [await self._as_bearer(line, scheme) for scheme in ("Bearer", "DPoP")]
            self.persons = words.count(GRANTED)
            self.more = {"tries": len(words), **{f"answered {word}": words.count(word) for word in sorted(set(words))}}
        finally:
            await owner.close()

    async def _as_bearer(self, line: Line, scheme: str) -> str:
        """Use the token without any proof."""
        if line.overheard is None:
            raise AssertionError("impossible: nothing was overheard")
        headers = {name: value for name, value in line.overheard.headers.items() if name != "dpop"}
        headers["authorization"] = f"{scheme} {headers['authorization'].partition(' ')[2]}"
        async with httpx.AsyncClient() as http:
            answer = await http.post(self.stage.base_url + DISCLOSURES, headers=headers, content=line.overheard.body)
        return GRANTED if answer.status_code == httpx.codes.OK else str(answer.json()["type"]).rpartition("/")[2]


class MaliciousAgent(Attack):
    """One trainer, for a day, at the processor's own machine."""

    kind = Kind.AGENT
    through = (AGENT,)

    async def play(self) -> AsyncGenerator[datetime, None]:
        """Ask for everybody under one name."""
        party, at = self.stage.party(AGENT), self.stage.clock.at
        agent, until = party.agents[0], at + _DAY
        thief = Thief(self.stage.base_url, party, agents=(agent,))
        try:
            await self.ask_first(Holder(scope=Scope.AGENT, processor=AGENT.id, id=agent), until=until)
            await thief.look(at)
            async for due in thief.drip(at, until):
                yield due
            self.keep(thief.loot)
            self.more = {"hours": 24}
        finally:
            await thief.close()


class CompromisedProcessor(Attack):
    """All of a processor, from the first day to the last."""

    kind = Kind.PROCESSOR
    through = (VICTIM,)

    async def play(self) -> AsyncGenerator[datetime, None]:
        """Follow the schedule; take everybody as soon as their place opens."""
        at, until = self.stage.clock.at, self.stage.options.ends
        thief = Thief(self.stage.base_url, self.stage.party(VICTIM))
        try:
            await self.ask_first(Holder(scope=Scope.PROCESSOR, processor=VICTIM.id), until=until)
            await thief.look(at)
            async for due in thief.drip(at, until):
                yield due
            self.keep(thief.loot)
            self.more = {"days": self.stage.options.days, "places": len(thief.places)}
        finally:
            await thief.close()


class Collusion(Attack):
    """Two processors that put together what they get."""

    kind = Kind.COLLUSION
    through = PAIR

    async def play(self) -> AsyncGenerator[datetime, None]:
        """Let both drip for two days; then each tries the other's handles."""
        at, url = self.stage.clock.at, self.stage.base_url
        until = at + 2 * _DAY
        thieves = [Thief(url, self.stage.party(one)) for one in PAIR]
        try:
            await self.ask_first(*(Holder(scope=Scope.PROCESSOR, processor=one.id) for one in PAIR), until=until)
            for thief in thieves:
                await thief.look(at)
            due: datetime | None = at
            while due is not None:
                for thief in thieves:
                    await thief.sweep(due)
                turns = [turn for thief in thieves if (turn := thief.next_turn(due, until)) is not None]
                due = min(turns, default=None)
                if due is not None:
                    yield due
            await self._swap(thieves)
        finally:
            for thief in thieves:
                await thief.close()

    async def _swap(self, thieves: list[Thief]) -> None:
        """Try each other's handles, then count: handles are pairwise, so only the ledger knows who is in both halves."""
        begun = await self.stage.size()
        for mine, other in (thieves, reversed(thieves)):
            await mine.ask_all(islice(other.places, _TRIED), mine.agents[0])
        swapped = await self.stage.sealed(self.through, begun)
        if swapped.grants:
            self.wrong.append("a handle was good at another processor")
        self.keep(*(thief.loot for thief in thieves))
        both = (await self.stage.sealed(self.through, self._since)).persons
        self.more = {"days": 2, "in_both_halves": self.persons - both, "granted_for_the_others_handles": swapped.grants}
        self.values -= (self.persons - both) * len(self.forms)
        self.persons = both
