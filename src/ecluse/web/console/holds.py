"""Holds: stop a processor, one of its machines or agents, or its contract, with one press and a reason; let go again; the list in force.

The very next decision refuses, at every gate: the hold's entry comes before it in the log. A hold on a person is placed where a person is looked up, and this
list counts those without saying of whom.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter

from ecluse.contracts.errors import AgentUnknown, HoldUnknown
from ecluse.contracts.service import place_hold, release_hold
from ecluse.evidence.check import MOST_WHY
from ecluse.evidence.rows import is_plain
from ecluse.identity.people import Act
from ecluse.ids import is_id, is_name
from ecluse.web.console.act import done
from ecluse.web.console.faults import Form, filled_again
from ecluse.web.console.governed import Everybody, Hold, row_of, rows_of, statement
from ecluse.web.console.names import names_of, say_who
from ecluse.web.console.state import acting, console_of, reading
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import N_, Filled, Room, Signed, form, page
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    import asyncpg

_IDS: Final[Mapping[str, str]] = {"client": "cli", "agent": "agt"}
LENGTHS: Final[Mapping[str, str]] = {
    "": N_("until it is released"),
    "1": N_("for an hour"),
    "24": N_("for a day"),
    "168": N_("for a week"),
}
"""How long a hold may be placed for, in hours; empty: until somebody releases it."""

Scope = Annotated[str, PathParameter(description="processor, contract, client or agent.")]
Target = Annotated[str, PathParameter(description="Its id.")]


class HoldLine(msgspec.Struct, frozen=True, kw_only=True):
    """A hold. ``state``: ``in force``, ``coming``, ``ended``; ``href``: the processor's page, empty where there is none."""

    id: str
    scope: str
    target: str
    label: str
    href: str
    effect: str
    reason: str
    placed_by: str
    from_at: datetime
    until_at: datetime | None
    state: str


class HoldsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Holds in force and to come (``lines``), and those that ``ended`` last.

    ``persons``: how many persons are held, a thousand at most; ``may``: the reader's role releases.
    """

    lines: tuple[HoldLine, ...]
    persons: int
    ended: tuple[HoldLine, ...]
    may: bool


class SuspendPage(msgspec.Struct, frozen=True, kw_only=True):
    """The ``form`` that suspends something: its ``scope``, its id (``target``) and what it is called (``label``).

    ``processor``: whose, by id; ``within``: of a machine or agent, its processor's name; ``held``: a hold on it already stops it; ``lengths``: to choose from.
    """

    scope: str
    target: str
    label: str
    processor: str
    within: str
    held: bool
    lengths: tuple[tuple[str, str], ...]
    form: Form


class ReleasePage(msgspec.Struct, frozen=True, kw_only=True):
    """A ``hold``, and the ``form`` of the button that ends it."""

    hold: HoldLine
    form: Form


def hold_line(hold: Hold, at: datetime, who: Mapping[str, str]) -> HoldLine:
    """Show a hold."""
    return HoldLine(
        id=hold.id, scope=hold.scope, target=hold.target, label=hold.label, href=f"/console/processors/{hold.processor}" if hold.processor else "",
        effect=hold.effect, reason=hold.reason, placed_by=say_who(hold.placed_by, who), from_at=hold.from_at, until_at=hold.until_at,
        state="in force" if hold.in_force(at) else "coming" if hold.from_at > at else "ended",
    )  # fmt: skip


def ended_line(row: asyncpg.Record, everybody: Everybody, who: Mapping[str, str]) -> HoldLine:
    """Show a hold that ended; a person's without the person."""
    target = row["scope_id"] or ""
    known = everybody.processors.get(target)
    return HoldLine(
        id=row["id"], scope=row["scope"], target=target, label=known.name if known else target, href=f"/console/processors/{target}" if known else "",
        effect=row["effect"], reason=row["reason"] if row["scope"] != "person" else "", placed_by=say_who(row["placed_by"], who), from_at=row["from_at"],
        until_at=row["released_at"] or row["until_at"], state="ended",
    )  # fmt: skip


@get("/console/holds", include_in_schema=False)
async def holds(request: HttpRequest, gateway: Served) -> Response[str]:
    """List holds."""
    signed = await officer(request, gateway)
    async with reading(gateway) as connection:
        instant, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        ended = await rows_of(connection, "holds_ended")
        persons = await connection.fetchval(statement("persons_held"))
        who = await names_of(connection, _placed_by(everybody, ended))
    lines = tuple(hold_line(each, instant.at, who) for each in everybody.holds)
    context = HoldsPage(
        lines=lines, persons=persons, ended=tuple(ended_line(row, everybody, who) for row in ended), may=signed.may(Act.HOLD)
    )
    return page(request, gateway, "console/holds.html", context, signed=signed, room=Room.CONSOLE, here="holds")


def _placed_by(everybody: Everybody, ended: Iterable[asyncpg.Record]) -> list[str]:
    return [each.placed_by for each in everybody.holds] + [row["placed_by"] for row in ended]


class SuspendForm(msgspec.Struct, frozen=True, kw_only=True):
    """Why, and for how many hours (empty: until it is released)."""

    reason: str
    hours: Literal["1", "24", "168"] | None = None


@get("/console/holds/new/{kind:str}/{target:str}", include_in_schema=False)
async def new_hold(request: HttpRequest, gateway: Served, kind: Scope, target: Target) -> Response[str]:
    """Show the form that suspends something."""
    signed = await officer(request, gateway, Act.HOLD)
    return await _new(request, gateway, signed, kind, target)


async def _new(
    request: HttpRequest, gateway: Gateway, signed: Signed, scope: str, target: str, *, filled: Filled[Any] | None = None, status: int = 200
) -> Response[str]:  # fmt: skip
    async with reading(gateway) as connection:
        instant, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        row = await row_of(connection, "hold_target", scope, target) if _spelled(scope, target) else None
    if row is None:
        raise NotFoundException
    one = everybody.processors.get(row["processor_id"])
    held = any(each.scope == scope and each.target == target and each.stops(instant.at) for each in everybody.holds)
    context = SuspendPage(
        scope=scope, target=target, label=row["label"], processor=row["processor_id"] or "",
        within=one.name if one is not None and scope in _IDS else "", held=held, lengths=tuple(LENGTHS.items()), form=filled_again(filled),
    )  # fmt: skip
    return page(request, gateway, "console/hold_new.html", context, signed=signed, room=Room.CONSOLE, here="holds", status=status)


def _spelled(scope: str, target: str) -> bool:
    """Tell whether a scope and an id are such as can be: persons are held elsewhere."""
    if scope in _IDS:
        return is_id(target, _IDS[scope])
    return scope in {"processor", "contract"} and is_name(target)


@post("/console/holds/new/{kind:str}/{target:str}", include_in_schema=False, status_code=200)
async def suspend(request: HttpRequest, gateway: Served, kind: Scope, target: Target) -> Response[str]:
    """Suspend a processor, contract, machine or agent: the next decision already refuses."""
    signed = await officer(request, gateway, Act.HOLD, stepped_up=True)
    if not _spelled(kind, target):
        raise NotFoundException
    filled = await form(request, SuspendForm)
    wanted = filled.value
    if wanted is not None and not is_plain(wanted.reason, MOST_WHY):
        filled.fault("reason", N_("It is empty or cannot be read. Write visible characters on one line."))
        wanted = None
    if wanted is None:
        return await _new(request, gateway, signed, kind, target, filled=filled, status=422)
    try:
        async with acting(gateway) as connection:
            until = None
            if wanted.hours is not None:
                until = await connection.fetchval("select ecluse.clock()") + timedelta(hours=int(wanted.hours))
            _, sealed = await place_hold(
                connection, log_id=gateway.log_id, scope=kind, target=target, effect="suspend", reason=wanted.reason, actor=signed.person,
                until_at=until,
            )  # fmt: skip
    except (HoldUnknown, AgentUnknown):
        raise NotFoundException from None
    return done("/console/holds", "hold-placed", sealed.index)


@get("/console/holds/{id:str}", include_in_schema=False)
async def hold(request: HttpRequest, gateway: Served, id: Target) -> Response[str]:
    """Show a hold that is not over, with the button that ends it."""
    signed = await officer(request, gateway, Act.HOLD)
    return await _hold(request, gateway, signed, id)


async def _hold(
    request: HttpRequest, gateway: Gateway, signed: Signed, id: str, *, filled: Filled[Any] | None = None, status: int = 200
) -> Response[str]:  # fmt: skip
    async with reading(gateway) as connection:
        instant, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        found = next((each for each in everybody.holds if each.id == id), None)
        who = await names_of(connection, [found.placed_by] if found is not None else [])
    if found is None:
        raise NotFoundException
    context = ReleasePage(hold=hold_line(found, instant.at, who), form=filled_again(filled))
    return page(request, gateway, "console/hold.html", context, signed=signed, room=Room.CONSOLE, here="holds", status=status)


@post("/console/holds/{id:str}/release", include_in_schema=False, status_code=200)
async def release(request: HttpRequest, gateway: Served, id: Target) -> Response[str]:
    """End a hold on a processor, contract, machine or agent; a person's is released where the person is looked up."""
    signed = await officer(request, gateway, Act.HOLD, stepped_up=True)
    async with reading(gateway) as connection:
        _, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
    if all(each.id != id for each in everybody.holds):
        raise NotFoundException
    try:
        async with acting(gateway) as connection:
            sealed = await release_hold(connection, log_id=gateway.log_id, hold=id, actor=signed.person)
    except HoldUnknown:
        raise NotFoundException from None
    return done("/console/holds", "hold-released", sealed.index)


HANDLERS: Final = [holds, new_hold, suspend, hold, release]
