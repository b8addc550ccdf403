"""Use cases of exposure: what could be reached, what was, what if.

One question is answered from one snapshot of the database (role ``ecluse_reader``), so that two of its numbers never contradict each other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from ecluse.contracts import Contract
from ecluse.db import Connection
from ecluse.exposure import store
from ecluse.exposure.advise import Advice, proposals
from ecluse.exposure.alternatives import Comparison, compare
from ecluse.exposure.errors import NoProcessor, NoSuchHolder
from ecluse.exposure.model import Attribute, Count, Group, Held, Holder, Party, Reach, Scope, Span
from ecluse.exposure.resolve import at_will, attributes_of, pieces_of, resolve
from ecluse.exposure.series import OverTime, days_ahead, over_time
from ecluse.exposure.store import Parsed, WhatIf
from ecluse.register import RegisterMap

LONGEST_OPEN: Final = timedelta(days=16)
"""Longer than any place is open: 14 days of window and a session of one."""

_LOCAL: Final = (
    "set local jit = off",
    "set local work_mem = '256MB'",
    "set local max_parallel_workers_per_gather = 2",
    "set local statement_timeout = '120s'",
)


When: TypeAlias = Span | datetime | None


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a question.

    ``standing``: only what is open at the very instant ``window.begins`` was asked for. ``together``: distinct persons of all ``reaches``.
    """

    at: datetime
    window: Span
    standing: bool
    reaches: tuple[Reach, ...]
    names: dict[str, str]
    together: Count


class Engine:
    """Computes exposures for one installation. Keeps the contracts that it has parsed, and nothing else, between questions."""

    def __init__(self, register: RegisterMap, zone: ZoneInfo) -> None:
        """Read the attributes of ``register``; days of contracts are of the controller's ``zone``."""
        self._kinds = {name: attribute.type for name, attribute in register.attributes.items()}
        self._sensitivity = {name: attribute.sensitivity for name, attribute in register.attributes.items()}
        self._zone = zone
        self._parsed: Parsed = {}

    async def reach(
        self,
        connection: Connection,
        *,
        holders: Sequence[Holder] = (),
        window: When = None,
        instant: datetime | None = None,
        what_if: WhatIf | None = None,
    ) -> Exposure:
        """Say what each holder could obtain (none named: each processor, wholly) in ``window``.

        A window that is one instant begins now and ends then. Without one: of what is open at one ``instant`` (None: now), until it closes.

        Raises `NoProcessor`, `NoSuchHolder`.
        """
        async with _snapshot(connection):
            at = await store.now(connection)
            span = _from(instant or at) if window is None else _span(window, at)
            return await self._reach(connection, tuple(holders), span, what_if, at=at, standing=window is None)

    async def compare(
        self, connection: Connection, contract: Contract, *, holders: Sequence[Holder], window: When = None
    ) -> tuple[Exposure, Exposure, Contract | None]:
        """Answer the same question as things are and as if ``contract`` were in force from the window's beginning; return both, and the contract there is."""
        async with _snapshot(connection):
            at = await store.now(connection)
            span = _from(at) if window is None else _span(window, at)
            imagined = WhatIf(processor=contract.processor.id, contract=contract, at=span.begins)
            before, after = [
                await self._reach(connection, tuple(holders), span, what_if, at=at, standing=window is None)
                for what_if in (None, imagined)
            ]
            there = await store.contract_at(connection, contract.processor.id, span.begins, self._kinds, self._parsed)
        return before, after, there

    async def _reach(
        self,
        connection: Connection,
        holders: tuple[Holder, ...],
        window: Span,
        what_if: WhatIf | None,
        *,
        at: datetime,
        standing: bool,
    ) -> Exposure:
        only = {holder.processor for holder in holders}
        found = await store.parties(
            connection, window, processor=only.pop() if len(only) == 1 else None, kinds=self._kinds, zone=self._zone, at=at, parsed=self._parsed,
            what_if=what_if,
        )  # fmt: skip
        parties = {party.id: party for party in found}
        holders = holders or tuple(Holder(scope=Scope.PROCESSOR, processor=name) for name in parties)
        for holder in holders:
            _check(holder, parties)
        pieces = [piece for name in sorted({holder.processor for holder in holders}) for piece in pieces_of(parties[name])]
        future = window.begins >= at
        groups, scheduled = await store.groups(connection, pieces, at=window.begins, standing=standing, checked_reads=future)
        reaches = tuple(
            self._one(parties[holder.processor], holder, window, groups.get(holder.processor, []), at) for holder in holders
        )
        return Exposure(
            at=at,
            window=window,
            standing=standing,
            reaches=reaches,
            names={name: party.name for name, party in parties.items()},
            together=_together(reaches, scheduled),
        )

    def _one(self, party: Party, holder: Holder, window: Span, groups: Sequence[Group], at: datetime) -> Reach:
        """Resolve one holder."""
        if holder.scope is not Scope.SCHEDULER:
            return resolve(party, holder, window, groups, self._sensitivity, at)
        return at_will(party, holder, window, sum(group.persons for group in groups), self._sensitivity, at)

    async def advise(self, connection: Connection, processor: str) -> list[Advice]:
        """Try single changes of a processor's contract, and return those that lower what is in reach, the best first. Raises `NoProcessor`.

        Each is measured at the busiest instant of the next two weeks under the contract in force, and with the scheduler's key over the next 30 days.
        """
        async with _snapshot(connection):
            at = await store.now(connection)
            contract = await store.contract_at(connection, processor, at, self._kinds, self._parsed)
            if contract is None:
                raise NoProcessor(processor)
            instants, planned = await store.ahead(connection, processor, at)
            busiest = [await self._tried(connection, processor, at, instant, None) for instant in (at, *instants)]
            instant, before = max(zip((at, *instants), busiest, strict=True), key=lambda one: one[1])
            found = []
            for proposed in proposals(contract, planned):
                after = await self._tried(connection, processor, at, instant, proposed.contract)
                found.append(
                    Advice(
                        processor=processor, where=proposed.where, before=proposed.before, after=proposed.after, values=before[0], values_after=after[0],
                        scheduler=before[1], scheduler_after=after[1],
                    )
                )  # fmt: skip
        return sorted((one for one in found if one.gain > 0), key=lambda one: (-one.gain, one.where, one.after))

    async def _tried(
        self, connection: Connection, processor: str, at: datetime, instant: datetime, contract: Contract | None
    ) -> tuple[int, int]:
        """Return the values in reach at an instant, and the persons with the scheduler's key, under a contract (None: the one in force)."""
        what_if = None if contract is None else WhatIf(processor=processor, contract=contract, at=at)
        whole, scheduler = (Holder(scope=scope, processor=processor) for scope in (Scope.PROCESSOR, Scope.SCHEDULER))
        month = Span(begins=at, ends=at + timedelta(days=30))
        now = await self._reach(connection, (whole,), _from(instant), what_if, at=at, standing=True)
        far = await self._reach(connection, (scheduler,), month, what_if, at=at, standing=False)
        return now.reaches[0].values, far.reaches[0].persons.most

    async def held(self, connection: Connection, holder: Holder) -> Held | None:
        """Say what a holder was given: exactly, of all that is still within retention, and of a processor a number of what is beyond.

        None for an agent: what a person of a contractor's staff did is not summed up (Écluse's own impact assessment); an incident reads the entries.
        """
        if holder.scope is Scope.AGENT:
            return None
        async with _snapshot(connection):
            given = await store.held(connection, holder)
            beyond = None
            if holder.scope in {Scope.PROCESSOR, Scope.SCHEDULER}:
                beyond = await store.beyond(connection, holder.processor)
        return Held(
            holder=holder, persons=given.get("", ((), 0))[1], beyond=beyond,
            attributes=tuple(
                Attribute(
                    name=name, forms=forms, sensitivity=self._sensitivity.get(name, "ordinary"), persons=Count(most=persons, exact=True)
                )
                for name, (forms, persons) in sorted(given.items()) if name
            ),
        )  # fmt: skip

    async def over_time(self, connection: Connection, processor: str, days: int) -> OverTime:
        """Say whom a processor could see on each of the coming ``days`` (UTC, the first from now on), and from now to its end. Raises `NoProcessor`."""
        whole = (Holder(scope=Scope.PROCESSOR, processor=processor),)
        async with _snapshot(connection):
            at = await store.now(connection)
            contract = await self._in_force(connection, processor, at)
            found, name = [], processor
            for day in days_ahead(at, days):
                so_far = await self._reach(connection, whole, Span(begins=at, ends=day.ends), None, at=at, standing=False)
                alone = so_far if day.begins == at else await self._reach(connection, whole, day, None, at=at, standing=False)
                found.append((alone.reaches[0], so_far.reaches[0]))
                name = so_far.names[processor]
        return over_time(found, processor=processor, name=name, at=at, ceiling=contract.limits.persons_per_day)

    async def beside(self, connection: Connection, processor: str, *, window: When = None, subjects: int) -> Comparison:
        """Set what a processor could see beside the usual alternatives, in a ``window`` as for `reach`. ``subjects``: persons in the register.

        Raises `NoProcessor`.
        """
        whole = (Holder(scope=Scope.PROCESSOR, processor=processor),)
        async with _snapshot(connection):
            at = await store.now(connection)
            contract = await self._in_force(connection, processor, at)
            span = _from(at) if window is None else _span(window, at)
            found = await self._reach(connection, whole, span, None, at=at, standing=window is None)
        return compare(
            found.reaches[0], name=found.names[processor], at=at, standing=found.standing, subjects=subjects, mapped=len(self._kinds),
            contracted=attributes_of([contract]),
        )  # fmt: skip

    async def _in_force(self, connection: Connection, processor: str, at: datetime) -> Contract:
        """Return the contract in force."""
        contract = await store.contract_at(connection, processor, at, self._kinds, self._parsed)
        if contract is None:
            raise NoProcessor(processor)
        return contract


def _together(reaches: Sequence[Reach], scheduled: int) -> Count:
    """Count the persons of all holders together: no more than each of them, and (``scheduled``) no more than there are on the schedule."""
    if len(reaches) == 1:
        return reaches[0].persons
    total = sum(reach.persons.most for reach in reaches)
    if any(reach.holder.scope is Scope.SCHEDULER for reach in reaches):
        return Count(most=total, exact=False)
    apart = len({reach.holder.processor for reach in reaches}) == len(reaches)
    everybody = all(reach.persons.exact and reach.persons.most == reach.scheduled for reach in reaches)
    return Count(most=min(total, scheduled), exact=apart and everybody)


def _from(at: datetime) -> Span:
    """Return a span in which everything closes that is open at an instant."""
    return Span(begins=at, ends=at + LONGEST_OPEN)


def _span(window: Span | datetime, at: datetime) -> Span:
    """Return a window, or the time from now until an instant."""
    return window if isinstance(window, Span) else Span(begins=at, ends=window)


def _check(holder: Holder, parties: Mapping[str, Party]) -> None:
    """Refuse a holder that is not there."""
    party = parties.get(holder.processor)
    if party is None:
        raise NoProcessor(holder.processor)
    members = {Scope.AGENT: party.agents, Scope.CLIENT: party.clients}.get(holder.scope)
    if members is not None and all(member.id != holder.id for member in members):
        raise NoSuchHolder(holder.scope.value, holder.id, holder.processor)


@asynccontextmanager
async def _snapshot(connection: Connection) -> AsyncIterator[None]:
    """Answer all statements from one state of the database, planned for few big reads."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for setting in _LOCAL:
            await connection.execute(setting)
        yield
