"""A processor's office on the day: its machine's client, its sessions, and what it asks for. Each ask is taken down in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from ecluse import clock
from ecluse.client import AsyncClient, ClientError, Disclosed, Place, Policy, Refused, Session
from ecluse.demo.expected import GRANTED, Journal, outcome_of
from ecluse.demo.line import Line
from ecluse.demo.model import Party, PlannedSession

AT_ONCE: Final = 6
"""Asks that one machine has under way at the same time."""

_AROUND: Final = timedelta(days=2)


class Office:
    """One processor at work. ``sessions``: its own of the day, as the gate lists them; ``disclosed``: one answer to prove later."""

    def __init__(
        self, party: Party, planned: Iterable[PlannedSession], *, base_url: str, policy: Policy, journal: Journal
    ) -> None:
        """Load the client's key; nothing is sent yet. ``planned``: what the controller planned for it (who trains which group)."""
        self.party, self.id, self.journal = party, party.firm.id, journal
        self.line = Line()
        self.client = AsyncClient(base_url, party.client_id, party.key_file, policy=policy, transport=self.line)
        self.sessions: tuple[Session, ...] = ()
        self.disclosed: Disclosed | None = None
        self.refused: Refused | None = None
        self._planned: Mapping[tuple[str, datetime], PlannedSession] = {(p.course.purpose, p.starts_at): p for p in planned}
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def open(self) -> None:
        """Ask who we are and list the sessions."""
        me = await self.client.whoami()
        right = me["processor"] == self.id and set(self.party.agents) == set(_texts(me["agents"]))
        self.journal.note("whoami", self.id, "answered" if right else "another")
        now = clock.now()
        found = await self.client.sessions(now - _AROUND, now + _AROUND)
        self.sessions = tuple(sorted(found, key=lambda one: (one.starts_at, one.purpose)))
        right = {(one.purpose, one.starts_at) for one in found} == set(self._planned)
        self.journal.note("sessions", self.id, "answered" if right else f"{len(found)} listed, {len(self._planned)} planned")

    def plan_of(self, session: Session) -> PlannedSession:
        """Return the controller's own plan of a session."""
        return self._planned[session.purpose, session.starts_at]

    async def ask(
        self, step: str, session: Session, place: str, *, agent: str | None = None, fields: Iterable[str] | None = None
    ) -> Disclosed | None:
        """Ask for one person as a step of the day; ``agent`` and ``fields`` are the session's own where they are not named."""
        plan = self.plan_of(session)
        found, disclosed = await self.outcome(place, agent or plan.agent, fields or plan.course.asked)
        self.journal.note(step, self.id, found)
        return disclosed

    async def outcome(self, place: str, agent: str, fields: Iterable[str]) -> tuple[str, Disclosed | None]:
        """Ask for one person; return what came of it, and the person if there is one. The client has checked the receipt."""
        async with self._turn:
            try:
                disclosed = await self.client.disclose(place, agent, tuple(fields))
            except Refused as refused:
                self.refused = refused
                return outcome_of(refused, clock.now()), None
            except ClientError as error:
                return f"error:{error.code}", None
        self.keep(disclosed)
        return GRANTED, disclosed

    def keep(self, disclosed: Disclosed) -> None:
        """Take note of an answer whose receipt the client has checked."""
        self.journal.note("receipt", self.id, "verified")
        self.disclosed = self.disclosed or disclosed

    async def receive(self, session: Session, places: Iterable[Place]) -> None:
        """Receive learners: each is looked at once, every fifth a second time."""
        group = tuple(places)
        await asyncio.gather(*(self.ask("arrival", session, place.id) for place in group))
        await asyncio.gather(*(self.ask("second-look", session, place.id) for place in group[::5]))

    async def prove(self) -> None:
        """Have one of the answers proved by the log, and check the proof by the policy: the log's key and both witnesses'."""
        if self.disclosed is None:
            return
        try:
            proven = await self.client.proof(self.disclosed)
        except ClientError as error:
            self.journal.note("proof", self.id, f"error:{error.code}")
            return
        right = proven.index == self.disclosed.receipt.index
        self.journal.note("proof", self.id, "verified" if right else "another entry")

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()


def _texts(value: object) -> list[str]:
    """Return the texts of a list, nothing of anything else."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
