"""Statements of exposure, read as ``ecluse_reader``. SQL is in ``queries.sql``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import aiosql
import asyncpg
import msgspec

from ecluse.contracts import Contract, ContractInvalid, Form, Gatekeeper, parse_contract
from ecluse.contracts.store import load_facts, standing_of
from ecluse.db import Connection
from ecluse.exposure.advise import Planned
from ecluse.exposure.model import Group, Holder, Member, Party, Scope, Span
from ecluse.exposure.resolve import Piece
from ecluse.register import AttributeType

if TYPE_CHECKING:
    from aiosql.queries import Queries

Parsed = MutableMapping[str, Contract | None]
"""Contracts by the hash of their text, kept by the caller between calls: a text never changes. None: it can't be read."""

MOST_PURPOSES: Final = 62
"""Of one processor: their numbers share a word with two hours."""


_MANY_PROCESSORS: Final = 8
_MANY_SESSIONS: Final = 5_000
_OF_MANY: Final = "\n-- of many"
"""Makes another prepared statement of it: a connection keeps a plan for each, and one made for many is a hundred times too slow for one."""
_MOMENT: Final = timedelta(microseconds=1)


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """What is imagined of one processor: its contract replaced from ``at`` on, or (None) the processor suspended from then on."""

    processor: str
    contract: Contract | None
    at: datetime


@cache
def _queries() -> Queries:
    """Load ``queries.sql`` at first use: importing a module does nothing."""
    queries: Queries = aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")
    return queries


def query(name: str) -> str:
    """Return the text of a named statement; its values are bound in the order of their first use."""
    return str(getattr(_queries(), name).sql)


async def now(connection: Connection) -> datetime:
    """Read the database's clock."""
    at: datetime = await connection.fetchval(query("clock"))
    return at


async def parties(
    connection: Connection,
    window: Span,
    *,
    processor: str | None,
    kinds: Mapping[str, AttributeType],
    zone: ZoneInfo,
    at: datetime,
    parsed: Parsed,
    what_if: WhatIf | None = None,
) -> list[Party]:
    """Return one processor, or all, with what bounds it in ``window``; spent budgets are those of ``at``."""
    named = await connection.fetch(query("processors"), processor)
    versions = await _versions(connection, processor, window, kinds, parsed)
    facts = await load_facts(connection, [row["id"] for row in named])
    members = await _members(connection, processor, window, at)
    found = []
    for row in named:
        name = row["id"]
        spans = versions[name]
        if what_if is not None and what_if.processor == name:
            spans = _imagined(spans, what_if, window)
        standing = standing_of(facts.get(name))
        opened = [
            (piece, contract)
            for span, contract in spans
            if contract is not None
            for piece in _open(Gatekeeper(contract, standing, zone), span)
        ]
        found.append(
            Party(
                id=name, name=row["name"], closed=not opened,
                open=tuple((cut, contract) for piece, contract in opened for cut in _without(piece, members.stops["processor", name])),
                agents=tuple(members.agents[name]), clients=tuple(members.clients[name]),
                spent_day=members.spent.get(("d", f"processor:{name}"), 0), spent_month=members.spent.get(("m", f"processor:{name}"), 0),
            )
        )  # fmt: skip
    return found


async def _versions(
    connection: Connection, processor: str | None, window: Span, kinds: Mapping[str, AttributeType], parsed: Parsed
) -> defaultdict[str, list[tuple[Span, Contract | None]]]:
    """Return the contracts of a window, each with the part of it in which it is in force."""
    rows = await connection.fetch(query("versions"), processor, window.begins, window.ends)
    for text in await connection.fetch(query("texts"), sorted({row["hash"] for row in rows} - parsed.keys())):
        try:
            parsed[text["hash"]] = parse_contract(text["text"], kinds)
        except ContractInvalid:
            parsed[text["hash"]] = None
    found: defaultdict[str, list[tuple[Span, Contract | None]]] = defaultdict(list)
    for row in rows:
        span = Span(begins=max(row["applied_at"], window.begins), ends=min(row["replaced_at"], window.ends))
        found[row["processor_id"]].append((span, parsed[row["hash"]]))
    return found


async def contract_at(
    connection: Connection, processor: str, at: datetime, kinds: Mapping[str, AttributeType], parsed: Parsed
) -> Contract | None:
    """Return a processor's contract at an instant."""
    spans = (await _versions(connection, processor, Span(begins=at, ends=at + _MOMENT), kinds, parsed))[processor]
    return spans[0][1] if spans else None


def _imagined(spans: Sequence[tuple[Span, Contract | None]], what_if: WhatIf, window: Span) -> list[tuple[Span, Contract | None]]:
    """Put another contract, or none, in the place of what is in force from an instant on."""
    kept = [(Span(begins=span.begins, ends=min(span.ends, what_if.at)), one) for span, one in spans if span.begins < what_if.at]
    after = Span(begins=max(window.begins, what_if.at), ends=window.ends)
    return kept if what_if.contract is None or after.begins >= after.ends else [*kept, (after, what_if.contract)]


def _open(keeper: Gatekeeper, span: Span) -> list[Span]:
    """Return the parts of a span in which the gate lets disclosures through."""
    found: list[Span] = []
    at = span.begins
    while at < span.ends:
        gate = keeper.at(at)
        past = min(gate.valid_until, span.ends)
        if gate.state.permits:
            found.append(Span(begins=at, ends=past))
        at = past
    return found


def _without(span: Span, stops: Sequence[Span]) -> list[Span]:
    """Return what is left of a span once some stops are cut out of it."""
    left, at = [], span.begins
    for stop in sorted(stops):
        if stop.begins > at:
            left.append(Span(begins=at, ends=min(stop.begins, span.ends)))
        at = max(at, stop.ends)
        if at >= span.ends:
            return [one for one in left if one.begins < one.ends]
    return [one for one in [*left, Span(begins=at, ends=span.ends)] if one.begins < one.ends]


class _Members(msgspec.Struct, frozen=True, kw_only=True):
    """Who may ask, by processor; what stops whom, by scope and id; what is spent, by unit and scope."""

    agents: defaultdict[str, list[Member]]
    clients: defaultdict[str, list[Member]]
    stops: defaultdict[tuple[str, str], list[Span]]
    spent: dict[tuple[str, str], int]


async def _members(connection: Connection, processor: str | None, window: Span, at: datetime) -> _Members:
    """Read agents, clients, holds and budgets."""
    stops: defaultdict[tuple[str, str], list[Span]] = defaultdict(list)
    for row in await connection.fetch(query("holds"), window.begins, window.ends):
        scope = "processor" if row["scope"] == "contract" else row["scope"]
        stops[scope, row["scope_id"]].append(Span(begins=row["from_at"], ends=row["until_at"]))
    spent = {(row["unit"], row["scope"]): row["persons"] for row in await connection.fetch(query("spent"), at)}
    by_purpose: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (unit, scope), persons in spent.items():
        kind, _, rest = scope.partition(":")
        if unit == "h" and kind == "agent":
            agent, _, purpose = rest.partition(":")
            by_purpose[agent][purpose] = persons
    agents: defaultdict[str, list[Member]] = defaultdict(list)
    clients: defaultdict[str, list[Member]] = defaultdict(list)
    for row in await connection.fetch(query("agents"), processor):
        stopped = tuple(stops["agent", row["id"]])
        agents[row["processor_id"]].append(Member(id=row["id"], stopped=stopped, spent=by_purpose.get(row["id"], {})))
    for row in await connection.fetch(query("clients"), processor):
        stopped, used = tuple(stops["client", row["id"]]), spent.get(("h", f"client:{row['id']}"), 0)
        clients[row["processor_id"]].append(Member(id=row["id"], stopped=stopped, spent={"": used}, desk=row["desk"]))
    return _Members(agents=agents, clients=clients, stops=stops, spent=spent)


async def groups(
    connection: Connection, pieces: Sequence[Piece], *, at: datetime, standing: bool, checked_reads: bool
) -> tuple[dict[str, list[Group]], int]:
    """Return the persons of each processor whom its schedule leaves open in ``pieces``, those alike together, and how many distinct ones they are.

    ``standing``: only places whose window is open at ``at``. ``checked_reads``: leave out places that are read as often as they may be.
    """
    if not pieces:
        return {}, 0
    names, purposes = sorted({piece.processor for piece in pieces}), _numbered(pieces)
    sought = [min(piece.ends, at + _MOMENT) if standing else piece.ends for piece in pieces]
    many = await _plan_for(connection, pieces, sought)
    found: dict[str, list[Group]] = {}
    together = None
    for row in await connection.fetch(
        query("groups") + (_OF_MANY if many else ""),
        [names.index(piece.processor) + 1 for piece in pieces],
        [piece.purpose for piece in pieces],
        [purposes[piece.processor].index(piece.purpose) for piece in pieces],
        [piece.begins for piece in pieces],
        [piece.ends for piece in pieces],
        sought,
        [piece.opens_before for piece in pieces],
        [piece.closes_after for piece in pieces],
        [piece.reads if checked_reads else None for piece in pieces],
        names,
        at,
        standing,
    ):
        if row["who"] is None:
            together = row["persons"]
            continue
        name = names[row["who"] - 1]
        found.setdefault(name, []).append(_group(row, purposes[name]))
    return found, sum(group.persons for some in found.values() for group in some) if together is None else together


def _group(row: asyncpg.Record, purposes: Sequence[str]) -> Group:
    """Unpack one row. ``purposes``: the processor's, by their numbers."""
    own = row["own"]
    return Group(
        purpose=purposes[own & 63], purposes=frozenset(name for number, name in enumerate(purposes) if row["purposes"] >> number & 1), first=own >> 32,
        last=(own >> 6) & 0x3FFFFFF, latest=row["latest"], counted=row["counted"], counted_month=row["counted_month"], doubtful=row["doubtful"],
        persons=row["persons"], closes_at=row["closes_at"],
    )  # fmt: skip


async def _plan_for(connection: Connection, pieces: Sequence[Piece], sought: Sequence[datetime]) -> bool:
    """Tell the planner whether few sessions are wanted (index probes) or many (one pass over the tables, hashed): it can't know what the arrays hold.

    Returns whether they are many.
    """
    begins = min(piece.begins - piece.closes_after for piece in pieces) - timedelta(days=1)
    ends = max(past + piece.opens_before for past, piece in zip(sought, pieces, strict=True))
    whole = len({piece.processor for piece in pieces}) >= _MANY_PROCESSORS
    many = whole and await connection.fetchval(query("sessions"), begins, ends) >= _MANY_SESSIONS
    for setting in ("enable_nestloop", "enable_sort", "enable_mergejoin"):
        await connection.execute(f"set local {setting} = {'off' if many else 'on'}")
    return many


async def held(connection: Connection, holder: Holder) -> dict[str, tuple[tuple[Form, ...], int]]:
    """Count whom a processor or a machine was given, by attribute, with the forms; empty: at all."""
    rows = (
        await connection.fetch(query("held_by"), holder.processor, holder.id)
        if holder.scope is Scope.CLIENT
        else await connection.fetch(query("held_of"), holder.processor)
    )
    return {row["attribute"]: (tuple(form for form in Form if form.value in row["forms"]), row["persons"]) for row in rows}


async def beyond(connection: Connection, processor: str) -> int:
    """Count, day by day, the persons whose disclosures are erased."""
    number: int = await connection.fetchval(query("beyond"), processor)
    return number


async def ahead(connection: Connection, processor: str, at: datetime) -> tuple[list[datetime], Planned]:
    """Return when the fullest sessions of the next two weeks begin, and how many persons a day and a month held or hold at most, two months around."""
    instants = [row["starts_at"] for row in await connection.fetch(query("ahead"), processor, at, at + timedelta(days=14))]
    row = await connection.fetchrow(query("planned"), processor, at - timedelta(days=62), at + timedelta(days=62))
    if row is None:
        raise AssertionError("impossible: an aggregate answers one row")
    return instants, Planned(day=row["day"], month=row["month"])


def _numbered(pieces: Sequence[Piece]) -> dict[str, list[str]]:
    """Number the purposes of each processor by their place in a list."""
    names: dict[str, list[str]] = {}
    for piece in pieces:
        known = names.setdefault(piece.processor, [])
        if piece.purpose not in known:
            known.append(piece.purpose)
    if any(len(known) > MOST_PURPOSES for known in names.values()):
        raise AssertionError(f"impossible: a processor with more than {MOST_PURPOSES} purposes")
    return names
