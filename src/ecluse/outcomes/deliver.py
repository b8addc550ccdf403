"""The webhook: each outcome, signed, to the one address that the operator configured; and the forgetting of outcomes that have served their time.

A round, by one elected process (an advisory lock until a transaction ends, as the integrator's):
 1. purge    once a minute.
 2. due      outcomes whose turn it is, the longest due first. An outcome is one row, and its own outbox: recorded and due in one transaction.
 3. send     a few at a time, each appointment at most once: so a receiver meets the revisions of an appointment in their order.
 4. settle   delivered for any 2xx; given up for 410 and after the last attempt; else it waits longer. A crash before it: sent again (at least once).
The connection that holds the election does nothing else, so no row is locked while a receiver is slow. If that connection is lost, two processes may send
the same outcome at once; a receiver keeps the highest revision of each appointment.

What is believed of a receiver is its status: redirects are not followed, the body is not read, nothing of the answer is kept or logged.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

import asyncpg
import httpx
import msgspec
import structlog
from prometheus_client import Counter, Gauge

from ecluse import clock
from ecluse.db import LOST, Pool
from ecluse.events import describe
from ecluse.identity import PrivateKey
from ecluse.ids import random_bytes
from ecluse.outcomes.check import MOST_ATTEMPTS, wait_after
from ecluse.outcomes.signature import sign_delivery
from ecluse.outcomes.store import ELECT, Due, counts, outcomes_due, purge, settle

DELIVERIES: Final = Counter("ecluse_outcome_deliveries", "Attempts to deliver an outcome, by what became of it", ["result"])
WAITING: Final = Gauge("ecluse_outcomes_waiting", "Outcomes that wait for the webhook")
DEAD: Final = Gauge("ecluse_outcomes_dead", "Outcomes that the webhook gave up")

_TOGETHER: Final = 4  # sent at once
_MOST: Final = 40  # of a round
_ROUND_SECONDS: Final = 5.0  # no further sending is begun in a round: a gate that is stopped waits for the one under way
_PAUSE: Final = timedelta(seconds=1)
_PAUSE_UNWELL: Final = timedelta(seconds=5)
_HOUSE_EVERY: Final = timedelta(minutes=1)
_SLICE_ROWS: Final = 20_000  # what one purge deletes at most of a kind
_SLICES: Final = 20
_FAILED: Final = (*LOST, asyncpg.PostgresError)

_log: Final = structlog.get_logger("ecluse.outcomes")


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one round did; ``more``: it took as many as it may, and all went well."""

    elected: bool
    delivered: int = 0
    failed: int = 0
    more: bool = False


class Courier:
    """Delivers outcomes and forgets old ones. Any number may run; one at a time has the turn. Without a ``url`` it only forgets."""

    def __init__(self, pool: Pool, key: PrivateKey, url: str, *, log_id: int, timeout_seconds: float = 10.0) -> None:
        """Work through ``pool`` (role ``ecluse_jobs``; two connections), sign with ``key``, and give a receiver ``timeout_seconds`` in all."""
        self._pool, self._key, self._url, self._log_id = pool, key, url, log_id
        self._timeout = timeout_seconds
        self._house_due = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Go round until ``stop`` is set. What fails is logged in constant words and tried again."""
        trust = ssl.create_default_context()  # the host's own authorities, so that an agency's private one is believed
        async with httpx.AsyncClient(verify=trust, trust_env=False, follow_redirects=False, timeout=self._timeout) as http:
            while not stop.is_set():
                pause = _PAUSE_UNWELL
                try:
                    done = await self.round(http)
                    pause = timedelta(0) if done.more else _PAUSE
                except _FAILED as failed:
                    _log.warning("outcomes:round:failed", code=type(failed).__name__)
                except Exception as bug:  # noqa: BLE001 - the edge of a worker: it must not die silently
                    _log.error("outcomes:round:bug", **describe(bug))
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause.total_seconds())

    async def round(self, http: httpx.AsyncClient) -> Round:
        """Do one round, steps 1 to 4. Raises the driver's errors."""
        async with self._pool.acquire() as election, election.transaction():
            if not await election.fetchval(ELECT, self._log_id):
                return Round(elected=False)
            await self._keep_house()
            return await self._deliver(http) if self._url else Round(elected=True)

    async def _keep_house(self) -> None:
        """Forget what is due to be forgotten, and count what waits."""
        now = asyncio.get_running_loop().time()
        if now < self._house_due:
            return
        async with self._pool.acquire() as connection:
            for _ in range(_SLICES):
                if await purge(connection) < _SLICE_ROWS:
                    break
        self._house_due = now + _HOUSE_EVERY.total_seconds()

    async def _deliver(self, http: httpx.AsyncClient) -> Round:
        """Send what is due, a few at a time; a few failures together end the round: the receiver is not well."""
        begun = asyncio.get_running_loop().time()
        async with self._pool.acquire() as connection:
            due = await outcomes_due(connection, _MOST)
        delivered = failed = 0
        for at in range(0, len(due), _TOGETHER):
            some = due[at : at + _TOGETHER]
            problems = await asyncio.gather(*(self._send(http, one) for one in some))
            await self._settle(some, problems)
            failed += sum(problem is not None for problem in problems)
            delivered += problems.count(None)
            if all(problems) or asyncio.get_running_loop().time() - begun > _ROUND_SECONDS:
                break
        async with self._pool.acquire() as connection:
            waiting, dead = await counts(connection)
        WAITING.set(waiting)
        DEAD.set(dead)
        return Round(elected=True, delivered=delivered, failed=failed, more=delivered == _MOST)

    async def _send(self, http: httpx.AsyncClient, due: Due) -> str | None:
        """Send one outcome; None if the receiver took it, else what happened, in a word of ours."""
        body = msgspec.json.encode(due.item)
        headers = sign_delivery(self._key, self._url, body, clock.now())
        try:
            async with asyncio.timeout(self._timeout), http.stream("POST", self._url, content=body, headers=headers) as answer:
                status = answer.status_code
        except (TimeoutError, httpx.TimeoutException):
            return "timeout"
        except (httpx.HTTPError, httpx.StreamError, OSError):
            return "connection"
        return None if 200 <= status < 300 else f"http-{status}"

    async def _settle(self, some: Sequence[Due], problems: Sequence[str | None]) -> None:
        """Note what became of each attempt."""
        async with self._pool.acquire() as connection:
            for due, problem in zip(some, problems, strict=True):
                tried = due.attempts + 1
                state = (
                    "delivered" if problem is None else "dead" if problem == "http-410" or tried >= MOST_ATTEMPTS else "waiting"
                )
                wait = wait_after(tried, random_bytes(1)[0] / 255) if state == "waiting" else timedelta(0)
                await settle(connection, due.item, state, problem, wait)
                DELIVERIES.labels(state if state != "waiting" else "failed").inc()
                if state == "dead":
                    _log.warning("outcomes:deliver:dead", code=problem, attempts=tried)
