"""What was decided today, counted entry by entry as the log grows: each entry is read once a process, a page reads what came since.

A log is append-only, so a count of past entries never changes and may be kept. The first page after a start on a busy day would have much to read: a call
reads `BATCH` entries at most, says how far it has come, and the rest is counted behind it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from ecluse.db import LOST
from ecluse.events import describe
from ecluse.ledger import Event
from ecluse.web.console.governed import Instant, day_begins, rows_of, statement

if TYPE_CHECKING:
    from ecluse.db import Connection, Pool

BATCH: Final = 4_000
GRANTS: Final = frozenset({Event.PERSON_GRANTED, Event.SHEET_GRANTED, Event.EMERGENCY_GRANTED})
FLOOD: Final = "too-many-refusals"
"""The public reason of refusals that were only counted."""

log: Final = structlog.get_logger("ecluse.web.console")


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions since ``since``, of the entries before ``counted``. ``reasons``: refusals by public reason, the most frequent first."""

    since: datetime
    counted: int
    granted: int
    reasons: tuple[tuple[str, int], ...]

    @property
    def refused(self) -> int:
        """Return all refusals."""
        return sum(times for _, times in self.reasons)


class Tally:
    """Counts one log's present UTC day. Owned by the event loop's one thread; one reader at a time counts on."""

    def __init__(self, pool: Pool) -> None:
        """Count behind a page through ``pool`` (role ``ecluse_reader``)."""
        self._pool = pool
        self._log_id = -1
        self._since: datetime | None = None
        self._next = 0
        self._granted = 0
        self._refused: Counter[str] = Counter()
        self._turn = asyncio.Lock()
        self._behind: asyncio.Task[None] | None = None

    async def read(self, connection: Connection, log_id: int, instant: Instant) -> Decided:
        """Count on to the present head, or a batch towards it, and return what is counted."""
        async with self._turn:
            await self._advance(connection, log_id, instant)
            if self._next < instant.size and (self._behind is None or self._behind.done()):
                self._behind = asyncio.create_task(self._catch_up(log_id, instant))
            return Decided(
                since=self._since or instant.at, counted=self._next, granted=self._granted, reasons=tuple(self._refused.most_common())
            )  # fmt: skip

    async def _advance(self, connection: Connection, log_id: int, instant: Instant) -> None:
        since = day_begins(instant.at)
        if self._since is None or since > self._since or self._log_id != log_id:
            first = await connection.fetchval(statement("first_since"), log_id, since)
            self._log_id, self._since, self._next, self._granted = log_id, since, first or 0, 0
            self._refused.clear()
        past = min(self._next + BATCH, instant.size)
        if past <= self._next:
            return
        for row in await rows_of(connection, "tally", log_id, self._next, past, self._since):
            if row["event"] in GRANTS:
                self._granted += row["times"]
            else:
                self._refused[FLOOD if row["event"] == Event.REFUSALS_COUNTED else row["reason"] or "undetermined"] += row[
                    "times"
                ]
        self._next = past

    async def _catch_up(self, log_id: int, instant: Instant) -> None:
        """Count the rest of a busy day, a batch a turn."""
        try:
            while self._next < instant.size and self._log_id == log_id:
                async with self._pool.acquire() as connection, self._turn:
                    await self._advance(connection, log_id, instant)
        except LOST as lost:
            log.warning("console:tally:failed", code=type(lost).__name__)
        except Exception as bug:  # noqa: BLE001 - the edge of a task: the next page counts on
            log.error("console:tally:bug", **describe(bug))  # noqa: TRY400 - a trace would print the driver's text
