"""The desk's pages to read: the day, a session, its attendance, its roll-call, a walk-in, an entry. No person stands on any of them.

Each page asks a fixed number of statements, however many places a session has.
"""

from __future__ import annotations

from typing import Annotated, Final

import asyncpg
import msgspec
from litestar import Response, get
from litestar.params import PathParameter

from ecluse.contracts import Purpose
from ecluse.db import LOST, Connection
from ecluse.disclosure import LedgerUnavailable
from ecluse.ids import is_id
from ecluse.ledger import leaf_hash
from ecluse.ledger.errors import NotPublished
from ecluse.ledger.serve import checkpoint_covering, inclusion
from ecluse.outcomes.model import LATE
from ecluse.schedule.staff import StaffSession, sessions_ahead, sessions_of_day
from ecluse.web.desk.asking import AtDesk, at_desk, session_at
from ecluse.web.desk.model import AttendancePage, PlaceLine, PlacesPage, ProofPage, SessionLine, SheetPage, WalkInPage
from ecluse.web.desk.person import Labels, place_lines
from ecluse.web.desk.today import AFTER, BEFORE, day_of, gate_line
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import Room, page, tongue_of
from ecluse.web.problems import HttpProblem

Session = Annotated[str, PathParameter(description="A session's id.")]
Disclosure = Annotated[str, PathParameter(description="A decision's id.")]


@get("/desk", include_in_schema=False)
async def today(request: HttpRequest, gateway: Served) -> Response[str]:
    """Show the agent's day."""
    desk = await at_desk(request, gateway)
    now, agent = desk.clockwork.now, desk.signed.person
    try:
        async with gateway.pool.acquire() as connection:
            around = await sessions_of_day(connection, desk.processor, agent, now - BEFORE, now + BEFORE)
            ahead = await sessions_ahead(connection, desk.processor, agent, now, now + AFTER)
    except LOST as lost:
        raise LedgerUnavailable from lost
    gate = gate_line(desk.snapshot, desk.processor, desk.terms, tongue_of(request).language, held=desk.held)
    shown = day_of(desk.clockwork, around, ahead, gate, desk.contacts)
    return page(request, gateway, "desk/today.html", shown, signed=desk.signed, room=Room.DESK, here="today")


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One session as its pages need it."""

    desk: AtDesk
    session: StaffSession
    line: SessionLine
    places: tuple[PlaceLine, ...]
    purpose: Purpose | None
    labels: Labels
    bound: bool


async def _session(request: HttpRequest, gateway: Gateway, session: str) -> _Shown:
    """Read a session for the agent who is signed in. Raises ``not-found``."""
    desk = await at_desk(request, gateway)
    found, listed = await session_at(gateway, desk, session)
    purpose = desk.purpose_of(found)
    return _Shown(
        desk=desk, session=found, line=desk.clockwork.line(found), places=place_lines(listed, purpose.reads_per_appointment if purpose else 0),
        purpose=purpose, labels=Labels(gateway.attributes, tongue_of(request).language), bound=desk.signed.thumbprint is not None,
    )  # fmt: skip


def _show(request: HttpRequest, gateway: Gateway, shown: _Shown, template: str, context: msgspec.Struct) -> Response[str]:
    """Answer with one page of a session."""
    return page(request, gateway, template, context, signed=shown.desk.signed, room=Room.DESK, here="today")


@get("/desk/sessions/{session:str}", include_in_schema=False)
async def places(request: HttpRequest, gateway: Served, session: Session) -> Response[str]:
    """Show a session's places."""
    of = await _session(request, gateway, session)
    context = PlacesPage(
        session=of.line, now=of.desk.clockwork.now, places=of.places, reads=of.purpose.reads_per_appointment if of.purpose else 0,
        forms=of.labels.forms(of.purpose.attributes) if of.purpose else (), sheet=_has_sheet(of), bound=of.bound, contacts=of.desk.contacts,
    )  # fmt: skip
    return _show(request, gateway, of, "desk/session.html", context)


@get("/desk/sessions/{session:str}/attendance", include_in_schema=False)
async def attendance(request: HttpRequest, gateway: Served, session: Session) -> Response[str]:
    """Show what may be said of a session's places."""
    of = await _session(request, gateway, session)
    until, now = of.line.closes_at + LATE, of.desk.clockwork.now
    context = AttendancePage(
        session=of.line, now=now, places=of.places, open=of.purpose is not None and of.line.starts_at <= now < until,
        until=of.desk.clockwork.hour(until, of.line.site), sheet=_has_sheet(of), bound=of.bound, contacts=of.desk.contacts,
    )  # fmt: skip
    return _show(request, gateway, of, "desk/attendance.html", context)


@get("/desk/sessions/{session:str}/sheet", include_in_schema=False)
async def roll_call(request: HttpRequest, gateway: Served, session: Session) -> Response[str]:
    """Show what a roll-call is, before it is asked for."""
    of = await _session(request, gateway, session)
    context = SheetPage(
        session=of.line, now=of.desk.clockwork.now, places=len(of.places), sheet=of.labels.forms(of.purpose.sheet) if of.purpose else (),
        bound=of.bound, contacts=of.desk.contacts,
    )  # fmt: skip
    return _show(request, gateway, of, "desk/sheet.html", context)


@get("/desk/sessions/{session:str}/walk-in", include_in_schema=False)
async def not_listed(request: HttpRequest, gateway: Served, session: Session) -> Response[str]:
    """Show what to do with somebody who is on no list."""
    of = await _session(request, gateway, session)
    context = WalkInPage(
        session=of.line, now=of.desk.clockwork.now, sheet=_has_sheet(of), bound=of.bound, contacts=of.desk.contacts
    )  # fmt: skip
    return _show(request, gateway, of, "desk/walk_in.html", context)


def _has_sheet(of: _Shown) -> bool:
    """Tell whether the contract grants a roll-call."""
    return of.purpose is not None and bool(of.purpose.sheet)


@get("/desk/proof/{disclosure:str}", include_in_schema=False)
async def proof(request: HttpRequest, gateway: Served, disclosure: Disclosure) -> Response[str]:
    """Show where an entry of the agent's organisation stands in the log, and what proves it; another's is not found."""
    desk = await at_desk(request, gateway)
    if not is_id(disclosure, "dsc"):
        raise HttpProblem("not-found")
    try:
        async with gateway.pool.acquire() as connection:
            shown = await _proof(connection, gateway, desk, disclosure)
    except LOST as lost:
        raise LedgerUnavailable from lost
    return page(request, gateway, "desk/proof.html", shown, signed=desk.signed, room=Room.DESK)


async def _proof(connection: Connection, gateway: Gateway, desk: AtDesk, disclosure: str) -> ProofPage:
    """Read the entry, the newest signed head, and the way from one to the other."""
    log_id, row = await _entry(connection, gateway, desk.processor, disclosure)
    hashes: tuple[str, ...] = ()
    note = ""
    try:
        head = await checkpoint_covering(connection, log_id, row["index"])
        if head is not None:
            hashes = tuple(each.hex() for each in await inclusion(connection, log_id, row["index"], head.size))
            note = head.note
    except NotPublished:
        hashes, note = (), ""
    return ProofPage(
        disclosure=disclosure, log=gateway.origins[log_id], entry=row["index"], leaf=leaf_hash(row["leaf"]).hex(), checkpoint=note, hashes=hashes
    )  # fmt: skip


async def _entry(connection: Connection, gateway: Gateway, processor: str, disclosure: str) -> tuple[int, asyncpg.Record]:
    """Find a processor's own entry in the log that holds it. Raises ``not-found``."""
    for log_id in sorted(gateway.logs.values(), reverse=True):
        row = await connection.fetchrow(
            "select index, leaf from ecluse.entry_of($1::smallint, $2, $3)", log_id, processor, disclosure
        )
        if row is not None:
            return log_id, row
    raise HttpProblem("not-found")


HANDLERS: Final = [today, places, attendance, roll_call, not_listed, proof]
