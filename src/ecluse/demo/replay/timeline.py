"""The simulated days: one clock for both databases, moved on by the replay alone and never back, and attacks that take turns on it.

An attack is a generator that yields the instant at which it wants to go on. One at a time is at work, the earliest first, so that the seconds of each are its
own and two attacks never meet in one instant by chance. Tokens and proofs live by the host's clock, everything that is decided by this one.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import datetime
from heapq import heappop, heappush
from typing import Final, Protocol, TypeAlias

import asyncpg

_TABLE: Final = (
    "create table public.replay_clock (at timestamptz not null)",
    "insert into public.replay_clock (at) values ($1)",
    "grant select on public.replay_clock to public",
)
_READ: Final = """
create or replace function ecluse.clock() returns timestamptz language sql volatile as 'select at from public.replay_clock'
"""
_MOVE: Final = "update public.replay_clock set at = $1 where at <= $1"
_Admin: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Clock:
    """The databases' clock. ``at``: what it shows."""

    def __init__(self, ledger: _Admin, register: _Admin, at: datetime) -> None:
        """Take the connections of both databases' superuser; `begin` puts the clock in place."""
        self._ledger, self._register, self.at = ledger, register, at

    async def begin(self) -> None:
        """Let the clock stand still. Call it before the log is opened: nothing sealed may be later than the first instant."""
        for admin in (self._ledger, self._register):
            create, fill, grant = _TABLE
            await admin.execute(create)
            await admin.execute(fill, self.at)
            await admin.execute(grant)
        await self._ledger.execute(_READ)

    async def move(self, at: datetime) -> None:
        """Move on to an instant."""
        if at < self.at:
            raise AssertionError("impossible: the clock goes back")
        for admin in (self._ledger, self._register):
            if await admin.execute(_MOVE, at) != "UPDATE 1":
                raise AssertionError("impossible: somebody else moved the clock")
        self.at = at


class Play(Protocol):
    """What takes its turns on the clock. ``begins``: its first; ``seconds``: what its turns took."""

    begins: datetime
    seconds: float

    def play(self) -> AsyncGenerator[datetime, None]:
        """Attack; yield the instant at which to go on."""


async def carry_out(clock: Clock, plays: Sequence[Play], ended: Callable[[int], Awaitable[None]]) -> None:
    """Let every play have its turns until all are over; ``ended`` hears the number of each that is."""
    due: list[tuple[datetime, int]] = []
    async with AsyncExitStack() as stack:
        turns = [await stack.enter_async_context(aclosing(play.play())) for play in plays]
        for number, play in enumerate(plays):
            heappush(due, (play.begins, number))
        while due:
            at, number = heappop(due)
            await clock.move(at)
            began = time.perf_counter()
            wanted = await anext(turns[number], None)
            plays[number].seconds += time.perf_counter() - began
            if wanted is None:
                await ended(number)
            else:
                heappush(due, (wanted, number))
