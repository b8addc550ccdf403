"""The one door: gather, decide, seal, release, in batches.

A call waits in the queue until a batch takes it. A batch reads what it needs (one statement to the ledger's database, one to the register), plans every
request by the pure rules, and seals all of them in one commit; only then is anything released. While one batch seals the next one gathers.

What may come back from the seal, and what follows (``_settle``):

- sealed, redelivered: release.
- counted: refused, as often before in this minute; the caller is told so, and one entry will say how many there were.
- replay: authentication failed; nothing is decided.
- budget, redelivery-spent: the request is planned again as a refusal, which is sealed like a grant.
- outside, key-used, again, stale: the world moved between plan and seal; planned again from new facts, a bounded number of times.
- clock-untrusted, a lost database, a commit of unknown outcome: an error that may be retried; nothing is released.

A caller that goes away cancels nothing: the batch belongs to the door. Owned by the event loop's one thread; no state is shared with another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from ecluse.contracts import Contract
from ecluse.db import LOST, Connection, Pool
from ecluse.disclosure.compose import FingerprintKey, opening_of, release
from ecluse.disclosure.errors import Busy, ClockUntrustedNow, DoorError, LedgerUnavailable, RegisterGone
from ecluse.disclosure.floods import Floods
from ecluse.disclosure.model import Answer, Delivered, Denied, Flooded, Plan, Replayed, Request
from ecluse.disclosure.plan import Facts, Planner, facts_of
from ecluse.disclosure.rows import counted_row, rows_of
from ecluse.disclosure.terms import Snapshot, load_snapshot
from ecluse.disclosure.turns import Turns, Waiting
from ecluse.events import describe
from ecluse.ledger import leaf_hash
from ecluse.ledger.errors import CommitUncertain
from ecluse.ledger.store import Sealed, SealRow, seal
from ecluse.policy import Reason
from ecluse.register import AttributeType
from ecluse.register.store import Register
from ecluse.settings import Door as Limits

log: Final = structlog.get_logger("ecluse.disclosure")

GATHER: Final = (
    "select n, control_seq, at, purpose, session_id, starts_at, ends_at, subject_ref, cancelled, roster, holds, "
    "idem_hash, idem_index, idem_entries, idem_sealed_at, uncosigned_since "
    "from ecluse.gather($1::smallint, $2::ecluse.gather_ask[]) order by n"
)
FILL: Final = 16
"""Requests that make a further batch worth its fixed cost (three round trips, a commit) while another is under way."""
LINGER: Final = 0.02
"""Seconds that fewer of them wait, at most, for the batch under way to end."""
PLANS: Final = 8
"""How often one request is planned before the caller is told `Busy`."""


class Door:
    """The engine. One a process; `open` starts it, `close` lets what is under way finish."""

    def __init__(
        self, ledger: Pool, register: Register, attributes: Mapping[str, AttributeType], keys: Mapping[int, FingerprintKey], zone: ZoneInfo, *,
        log_id: int = 1, limits: Limits, uncosigned_for: timedelta, random_bytes: Callable[[int], bytes], new_id: Callable[[str], str],
    ) -> None:  # fmt: skip
        """Build a door over a ledger pool (role ``ecluse_app``) and a register.

        ``uncosigned_for``: how long entries may wait for their witnesses before nothing is disclosed. ``random_bytes`` and ``new_id`` come from `ecluse.ids`.
        """
        self._ledger, self._attributes, self._zone = ledger, attributes, zone
        self._planner = Planner(
            register, attributes, keys, log_id=log_id, uncosigned_for=uncosigned_for, random_bytes=random_bytes, new_id=new_id
        )
        self._log_id, self._batch = log_id, limits.batch
        self._queue = Turns(limits.queue, limits.queue_each)
        self._floods = Floods(limits.refusals_per_minute)
        self._flights = limits.flights
        self._flying = 0
        self._lingering: asyncio.TimerHandle | None = None
        self._snapshot: Snapshot | None = None
        self._parsed: dict[str, Contract | None] = {}
        self._loading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    # ── for callers ──────────────────────────────────────────────────────────────────────────────────────────────────────────
    async def ask(self, request: Request) -> Answer:
        """Put a request through the door. Raises `DoorError` leaves; whatever is returned is sealed (a `Flooded` is counted, a `Replayed` decided nothing)."""
        waiting = Waiting(request, asyncio.get_running_loop().create_future())
        self._queue.put(waiting)
        waiting.answer.add_done_callback(_retrieved)
        self._launch()
        # a caller that is cancelled takes this future with it, and leaves its request to the batch
        return await waiting.answer

    async def snapshot(self) -> Snapshot:
        """Return the configuration of the present ``control_seq`` (for what is shown, and to find a client's keys)."""
        try:
            async with self._ledger.acquire() as connection:
                seq = await connection.fetchval(
                    "select control_seq from ecluse.ledger_head where log_id = $1::smallint", self._log_id
                )
                return await self._load(connection, seq)
        except LOST as lost:
            raise LedgerUnavailable from lost

    def processor_of(self, client: str) -> str | None:
        """Return the processor of a client as last known. It only routes: a client never changes its processor, and the decision looks it up anew."""
        known = self._snapshot.clients.get(client) if self._snapshot is not None else None
        return known.processor if known is not None else None

    async def close(self) -> None:
        """Wait for what is under way."""
        while self._tasks:
            await asyncio.gather(*tuple(self._tasks), return_exceptions=True)

    # ── batches ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _launch(self) -> None:
        """Start a flight if there is room and enough work; too little waits for the flight under way, but not long."""
        if not self._queue or self._flying >= self._flights:
            return
        if self._flying and len(self._queue) < FILL:
            if self._lingering is None:
                self._lingering = asyncio.get_running_loop().call_later(LINGER, self._depart)
            return
        self._depart()

    def _depart(self) -> None:
        """Start a flight with whatever waits, if there is room."""
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if self._queue and self._flying < self._flights:
            self._flying += 1
            self._run(self._fly())

    def _run(self, work: Coroutine[object, object, None]) -> None:
        """Keep a task alive until it is done."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fly(self) -> None:
        """Carry one batch from queue to answers."""
        # one turn of the loop lets requests that arrived in the same instant share the commit
        await asyncio.sleep(0)
        batch = self._queue.take(self._batch)
        try:
            await self._carry(batch)
        except DoorError as failed:
            _fail(batch, failed)
        except (*LOST, CommitUncertain):
            _fail(batch, LedgerUnavailable())
        except Exception as bug:  # noqa: BLE001 - the edge of the batch: callers must not wait for ever, and a driver's text must not be printed
            log.error("door:batch:failed", size=len(batch), **describe(bug))  # noqa: TRY400 - a trace would print the driver's text
            self._isolate(batch)
        finally:
            self._flying -= 1
            self._launch()

    def _isolate(self, batch: Sequence[Waiting]) -> None:
        """Send the members of a spoilt batch round again, each alone: whoever spoilt it pays for it, and nobody else."""
        if len(batch) == 1:
            _fail(batch, LedgerUnavailable())
            return
        for waiting in batch:
            waiting.alone = True
        self._queue.put_back(batch)

    async def _carry(self, batch: Sequence[Waiting]) -> None:
        """Gather, plan, seal, settle."""
        if not batch:
            return
        async with self._ledger.acquire() as connection:
            facts, snapshot = await self._gather(connection, batch)
            at = facts[0].at
            planned = await self._planner.plan(connection, batch, facts, snapshot)
            # where the register is gone, what needs none of it is still decided and sealed
            _fail([waiting for waiting, group in zip(batch, planned, strict=True) if group is None], RegisterGone())
            kept = [(waiting, group) for waiting, group in zip(batch, planned, strict=True) if group is not None]
            groups = [self._rows(waiting.request, group, at) for waiting, group in kept]
            rows = [row for group in groups for row in group]
            sheet = batch[0].request.session is not None
            sealed = await seal(connection, self._log_id, snapshot.control_seq, at, rows, atomic=sheet) if rows else []
        done = iter(sealed)
        for (waiting, group), sent in zip(kept, groups, strict=True):
            outcomes = [next(done) for _ in sent]
            try:
                self._settle(waiting, group, outcomes, at)
            except Exception as bug:  # noqa: BLE001 - it is sealed: whoever is not answered asks again with the same key, and nobody is sent round
                log.error("door:release:failed", **describe(bug))  # noqa: TRY400 - a trace would print the driver's text
                _fail([waiting], LedgerUnavailable())

    def _rows(self, request: Request, plans: Sequence[Plan], at: datetime) -> list[SealRow]:
        """Write a request as the seal takes it: its entries, or a mere count where its client is refused too often."""
        if all(plan.kind == "refuse" for plan in plans) and self._floods.over(request.proven.client, at):
            return [counted_row(request)]
        return rows_of(request, plans)

    # 1 ── gather ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
    async def _gather(self, connection: Connection, batch: Sequence[Waiting]) -> tuple[list[Facts], Snapshot]:
        """Read appointments, holds on persons and earlier grants of the same keys, with the ``control_seq`` that makes them valid."""
        asks = [(waiting.request, ask) for waiting in batch for ask in waiting.request.asks]
        rows = [(a.processor, a.appointment, a.agent, r.proven.client, r.endpoint, r.key) for r, a in asks]
        for _ in range(PLANS):
            records = await connection.fetch(GATHER, self._log_id, rows)
            if not records:
                raise AssertionError("impossible: the log was never opened")
            seq = records[0][1]
            snapshot = self._snapshot
            if snapshot is None or snapshot.control_seq != seq:
                snapshot = await self._load(connection, seq)
            if snapshot.control_seq == seq:
                return [facts_of(record) for record in records], snapshot
        raise Busy

    async def _load(self, connection: Connection, seq: int) -> Snapshot:
        """Return a snapshot at least as new as ``seq``, read by one task at a time."""
        async with self._loading:
            if self._snapshot is None or self._snapshot.control_seq < seq:
                self._snapshot = await load_snapshot(connection, self._log_id, self._zone, self._attributes, self._parsed)
            return self._snapshot

    # 4 ── release ────────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _settle(self, waiting: Waiting, plans: Sequence[Plan], sealed: Sequence[Sealed], at: datetime) -> None:
        """Answer one request by what its rows became, or send it round again. ``at``: when it was planned."""
        words = {row.outcome for row in sealed}
        self._floods.learn(waiting.request.proven.client, sealed[0].refusals, at)
        if words == {"counted"}:
            _answer(waiting, Flooded(seconds=60 - at.second))
        elif words <= {"sealed", "redelivered"}:
            for plan, row in zip(plans, sealed, strict=True):
                plan.index = row.index if row.outcome == "sealed" else plan.index
            _answer(waiting, _answer_of(waiting.request, plans, again="redelivered" in words))
        elif "clock-untrusted" in words:
            _fail([waiting], ClockUntrustedNow())
        elif "replay" in words:
            _answer(waiting, Replayed())
        else:
            spent = next((row for row in sealed if row.outcome in {"budget", "redelivery-spent"}), None)
            if spent is not None:
                budget = "redelivery" if spent.outcome == "redelivery-spent" else _budget_word(spent.scope)
                waiting.forced = (Reason.BUDGET_SPENT, f"budget:{spent.scope or 'redelivery'}", {"budget": budget})
            if waiting.plans >= PLANS:
                _fail([waiting], Busy())
                return
            self._queue.put_back([waiting])
            self._launch()


_BUDGET_WORDS: Final = {
    "h:agent": "agent-per-hour",
    "h:client": "client-per-hour",
    "d:processor": "processor-per-day",
    "m:processor": "processor-per-month",
}


def _budget_word(scope: str) -> str:
    """Name a spent budget for the caller: ``reads`` or a ceiling of its own contract."""
    unit, _, rest = scope.partition(":")
    return "reads-per-appointment" if scope == "reads" else _BUDGET_WORDS[f"{unit}:{rest.partition(':')[0]}"]


def _answer_of(request: Request, plans: Sequence[Plan], *, again: bool) -> Answer:
    """Build the answer of a sealed request, after a last check that it is this request's."""
    for ask, plan in zip(request.asks, plans, strict=True):
        if plan.ask is not ask or ask.client != request.proven.client:
            raise AssertionError("impossible: an answer of another request")
    first = plans[0]
    if request.session is None and first.kind == "refuse":
        return _denied(first)
    released = tuple(release(plan) for plan in plans if plan.kind != "refuse")
    if not released:
        return _denied(first)
    return Delivered(
        deliveries=released, missing=tuple(plan.ask.appointment for plan in plans if plan.kind == "refuse"), again=again
    )


def _denied(plan: Plan) -> Denied:
    """Build a refusal's answer."""
    if plan.reason is None:
        raise AssertionError("impossible: refused without a reason")
    return Denied(
        reason=plan.reason,
        told=plan.told,
        disclosure=plan.disclosure,
        index=plan.index,
        leaf_hash=leaf_hash(plan.committed.leaf).hex(),
        opening=opening_of(plan),
    )


def _retrieved(answer: asyncio.Future[Answer]) -> None:
    """Take note of an error whose caller has gone away."""
    if not answer.cancelled():
        answer.exception()


def _answer(waiting: Waiting, answer: Answer) -> None:
    """Give an answer to whoever still waits."""
    if not waiting.answer.done():
        waiting.answer.set_result(answer)


def _fail(batch: Sequence[Waiting], error: DoorError) -> None:
    """Tell every caller of a batch that nothing was disclosed."""
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(type(error)())
