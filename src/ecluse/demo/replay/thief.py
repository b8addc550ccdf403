"""Somebody with a processor's credentials at the gate's door: knows the schedule that the gate shows, asks fast, and never tires.

It remembers whom it got by the gate's own names for them (enrolments), and in which forms; values are counted and forgotten.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import httpx

from ecluse.client import AsyncClient, ClientError, Place, Refused
from ecluse.demo.model import Party
from ecluse.demo.replay.terms import COURSE

AT_ONCE: Final = 16
GRANTED: Final = "granted"
OF_AGENT: Final = "budget-spent:agent-per-hour"
"""The one ceiling that another agent's name passes."""

_HOUR: Final = timedelta(hours=1)
_SPAN: Final = timedelta(days=61)  # the gate lists 62 days at once


class Loot:
    """What a thief has. ``given``: whom, and which attributes of them; ``forms``: attribute to form; ``refused``: how often, by the gate's word."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.given: dict[str, set[str]] = {}
        self.forms: dict[str, str] = {}
        self.grants = 0
        self.refused: Counter[str] = Counter()

    def take(self, whom: str, forms: Mapping[str, str]) -> None:
        """Note one answer."""
        got = {name: form for name, form in forms.items() if form != "withheld"}
        self.grants += 1
        self.given.setdefault(whom, set()).update(got)
        self.forms |= got

    @property
    def values(self) -> int:
        """Return persons x attributes."""
        return sum(map(len, self.given.values()))


class Thief:
    """One client's key at the door. ``agents``: whom it may name; ``places``: handle to place, as the gate listed them."""

    def __init__(
        self,
        base_url: str,
        party: Party,
        *,
        agents: Iterable[str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Load the key; nothing is sent yet."""
        self.client = AsyncClient(base_url, party.client_id, party.key_file, transport=transport)
        self.agents = party.agents if agents is None else tuple(agents)
        self.loot = Loot()
        self.places: dict[str, Place] = {}

    async def look(self, start: datetime) -> None:
        """List the sessions, and with them the handles."""
        listed = await self.client.sessions(start - timedelta(days=1), start - timedelta(days=1) + _SPAN)
        self.places = {place.id: place for session in listed for place in session.appointments}

    async def ask(self, handle: str, agent: str) -> str:
        """Ask for one person; return `GRANTED`, or the gate's word with the budget or scope that it tells."""
        try:
            disclosed = await self.client.disclose(handle, agent, tuple(COURSE.attributes))
        except Refused as refused:
            fact = refused.extra.get("budget")
            word = f"{refused.code}:{fact}" if fact else refused.code
        except ClientError as error:
            word = f"error:{error.code}"
        else:
            place = self.places.get(handle)
            self.loot.take(handle if place is None else place.enrolment, disclosed.forms)
            return GRANTED
        self.loot.refused[word] += 1
        return word

    async def ask_all(self, handles: Iterable[str], agent: str, *, at_once: int = AT_ONCE) -> Counter[str]:
        """Ask for many, so many at once; return how often each word was answered."""
        turn = asyncio.Semaphore(at_once)

        async def one(handle: str) -> str:
            async with turn:
                return await self.ask(handle, agent)

        return Counter(await asyncio.gather(*(one(handle) for handle in handles)))

    async def sweep(self, at: datetime) -> None:
        """Take everybody who is open at an instant and not taken yet, those first who close first, until a ceiling stops it."""
        wanted = deque(
            place.id
            for place in sorted(self.places.values(), key=lambda one: (one.closes_at, one.id))
            if place.opens_at <= at < place.closes_at and place.enrolment not in self.loot.given
        )
        agents = deque(self.agents)
        while wanted and agents:
            some = [wanted.popleft() for _ in range(min(AT_ONCE, len(wanted)))]
            words = await asyncio.gather(*(self.ask(handle, agents[0]) for handle in some))
            if OF_AGENT in words:
                wanted.extendleft(handle for handle, word in zip(some, words, strict=True) if word == OF_AGENT)
                agents.popleft()
            if any(word not in {GRANTED, OF_AGENT} for word in words):
                return

    def next_turn(self, at: datetime, until: datetime) -> datetime | None:
        """Return when to sweep again: at the next hour if somebody is left who is open, else when the next place opens; None: not before ``until``."""
        left = [place for place in self.places.values() if place.enrolment not in self.loot.given and place.closes_at > at]
        instants = [place.opens_at for place in left if place.opens_at > at]
        if any(place.opens_at <= at for place in left):
            instants.append(at.replace(minute=0, second=0, microsecond=0) + _HOUR)
        first = min(instants, default=until)
        return first if first < until else None

    async def drip(self, at: datetime, until: datetime) -> AsyncGenerator[datetime, None]:
        """Sweep from ``at`` until ``until``, in the processor's own rhythm."""
        due: datetime | None = at
        while due is not None:
            await self.sweep(due)
            due = self.next_turn(due, until)
            if due is not None:
                yield due

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()
