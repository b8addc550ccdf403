"""Exposure for the console's pages: asked when a page wants it, once at a time, and kept for a minute with the instant that it is of.

What is in reach is a matter of time, so a picture is never shown without its instant. Everybody's takes up to a second of the database, so no page waits for
it: a page asks for it once it stands.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from ecluse import clock
from ecluse.exposure import Holder, Scope
from ecluse.exposure.errors import NoProcessor

if TYPE_CHECKING:
    from ecluse.db import Pool
    from ecluse.exposure import Held
    from ecluse.exposure.series import OverTime
    from ecluse.exposure.service import Engine, Exposure

FRESH: Final = timedelta(seconds=60)
MONTH: Final = timedelta(days=30)
DAYS: Final = 14
"""How many days to come are drawn of one processor."""
_MOST_KEPT: Final = 200


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody's exposure, at an instant and over the next 30 days from it."""

    now: Exposure
    month: Exposure


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """One processor's exposure: now, over 30 days, with the scheduling key stolen too, and what it was given. ``ahead``: None without a contract."""

    now: Exposure
    month: Exposure
    scheduler: Exposure
    held: Held | None
    ahead: OverTime | None


class Pictures:
    """Computes and keeps them. Owned by the event loop's one thread; one question at a time, so that no page can fill the pool."""

    def __init__(self, engine: Engine, pool: Pool) -> None:
        """Ask ``engine`` through ``pool`` (role ``ecluse_reader``)."""
        self._engine, self._pool = engine, pool
        self._turn = asyncio.Lock()
        self._whole: tuple[datetime, Whole] | None = None
        self._own: dict[str, tuple[datetime, Own]] = {}

    async def whole(self) -> Whole:
        """Return everybody's."""
        async with self._turn:
            if self._whole is not None and clock.now() - self._whole[0] < FRESH:
                return self._whole[1]
            async with self._pool.acquire() as connection:
                now = await self._engine.reach(connection)
                month = await self._engine.reach(connection, window=now.at + MONTH)
            found = Whole(now=now, month=month)
            self._whole = clock.now(), found
            return found

    async def own(self, processor: str) -> Own:
        """Return one processor's. Raises `NoProcessor`."""
        async with self._turn:
            kept = self._own.get(processor)
            if kept is not None and clock.now() - kept[0] < FRESH:
                return kept[1]
            found = await self._ask(processor)
            if len(self._own) >= _MOST_KEPT:
                self._own.clear()
            self._own[processor] = clock.now(), found
            return found

    async def _ask(self, processor: str) -> Own:
        holder = Holder(scope=Scope.PROCESSOR, processor=processor)
        scheduler = Holder(scope=Scope.SCHEDULER, processor=processor)
        async with self._pool.acquire() as connection:
            now = await self._engine.reach(connection, holders=[holder])
            month = await self._engine.reach(connection, holders=[holder], window=now.at + MONTH)
            with_key = await self._engine.reach(connection, holders=[scheduler], window=now.at + MONTH)
            held = await self._engine.held(connection, holder)
            try:
                ahead = await self._engine.over_time(connection, processor, DAYS)
            except NoProcessor:
                ahead = None
        return Own(now=now, month=month, scheduler=with_key, held=held, ahead=ahead)
