"""Flows of everybody, counted beside the requests that show them: a page never waits for a count that takes seconds.

One count at a time and process, begun when somebody looks; where it takes long, what was counted last is shown meanwhile, with its instant. A count that
took long is made the more seldom: at most a twentieth of the time is spent on it. Nothing here decides anything, and nobody is in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import structlog

from ecluse.db import LOST, Pool
from ecluse.events import describe
from ecluse.flows.compare import Facts, compare
from ecluse.flows.model import FlowMap
from ecluse.flows.picture import Picture
from ecluse.flows.service import drawing_of, read_facts
from ecluse.flows.store import LastSeen, Parsed
from ecluse.register import RegisterMap

log: Final = structlog.get_logger("ecluse.flows")

SHARE: Final = 20
"""A count that took a second is not made again for so many: a small agency's, that takes 10 ms, is made anew for nearly every look."""
FIRST: Final = 2.0
"""Seconds that a page waits for the first count, there being nothing to show."""
AGAIN: Final = 0.025
"""Seconds that it waits for a newer one."""
DRAWN: Final = 12
"""Processors that a map shows at most."""


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted. ``names``: of processors, as their contracts in force write them; ``picture``: of those with the most persons."""

    map: FlowMap
    picture: Picture
    names: Mapping[str, str]


class Counting:
    """Counts everybody's flows when asked to, and keeps the last count. Touched by one event loop only."""

    def __init__(self, register: RegisterMap, zone: ZoneInfo, now: Callable[[], datetime]) -> None:
        """Count for one register. ``now``: the clock by which a count is old."""
        self._register, self._zone, self._now = register, zone, now
        self._kinds = {name: attribute.type for name, attribute in register.attributes.items()}
        self._parsed: Parsed = {}
        self._last_seen: LastSeen = {}
        self._board: Board | None = None
        self._due: datetime | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def parsed(self) -> Parsed:
        """Return the contracts that are remembered for this register."""
        return self._parsed

    async def read(self, pool: Pool) -> Board | None:
        """Return the newest count that is there within `FIRST` or `AGAIN` seconds, and see that one is under way where it is old. None: none is done yet."""
        if self._task is None and (self._due is None or self._now() >= self._due):
            self._task = asyncio.create_task(self._count(pool))
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=FIRST if self._board is None else AGAIN)
        return self._board

    async def _count(self, pool: Pool) -> None:
        """Count once. A failure is logged, and the last count stays."""
        began = self._now()
        try:
            async with pool.acquire() as connection:
                facts = await read_facts(connection, self._kinds, self._zone, parsed=self._parsed, last_seen=self._last_seen)
            self._last_seen = facts.last_seen
            self._board = await asyncio.to_thread(self._draw, facts)
        except (*LOST, asyncpg.PostgresError) as failed:
            log.warning("flows:count:failed", code=type(failed).__name__)
        except Exception as bug:  # noqa: BLE001 - the edge of a task: it must not die silently
            log.error("flows:count:bug", **describe(bug))  # noqa: TRY400 - a trace would print the driver's text
        finally:
            ended = self._now()
            self._due, self._task = ended + (ended - began) * SHARE, None

    def _draw(self, facts: Facts) -> Board:
        """Compare and draw: arithmetic that others would wait for at a thousand processors, so in a thread."""
        names = {name: some[-1].contract.processor.name for name, some in facts.versions.items() if some[-1].contract is not None}
        return Board(map=compare(facts), picture=drawing_of(facts.observed, facts.versions, self._register, DRAWN), names=names)
