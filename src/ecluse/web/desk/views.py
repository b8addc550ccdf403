"""The desk's pages to read: the day, a session, its attendance, its roll-call, a walk-in, an entry. No person stands on any of them.

Each page asks a fixed number of statements, however many places a session has.
"""

from __future__ import annotations

from typing import Annotated, Final

import asyncpg
from litestar import Response, get
from litestar.params import PathParameter

from ecluse.db import LOST, Connection
from ecluse.disclosure import LedgerUnavailable
from ecluse.ids import is_id
from ecluse.ledger import leaf_hash
from ecluse.ledger.errors import NotPublished
from ecluse.ledger.serve import checkpoint_covering, inclusion
from ecluse.outcomes.model import LATE
from ecluse.schedule.staff import sessions_ahead, sessions_of_day
from ecluse.web.desk.asking import AtDesk, at_desk, session_at
from ecluse.web.desk.model import ProofPage, SessionPage, State
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
    gate = gate_line(desk.snapshot, desk.processor, desk.terms, tongue_of(request).language)
    shown = day_of(desk.clockwork, around, ahead, gate, desk.contacts)
    return page(request, gateway, "desk/today.html", shown, signed=desk.signed, room=Room.DESK, here="today")


@get("/desk/sessions/{session:str}", include_in_schema=False)
async def places(request: HttpRequest, gateway: Served, session: Session) -> Response[str]:
    """Show a session's places."""
    return await _of_session(request, gateway, session, "desk/session.html")


@get("/desk/sessions/{session:str}/attendance", include_in_schema=False)
async def attendance(request: HttpRequest, gateway: Served, session: Session) -> Response[str]:
    """Show what may be said of a session's places."""
    return await _of_session(request, gateway, session, "desk/attendance.html")


@get("/desk/sessions/{session:str}/sheet", include_in_schema=False)
async def roll_call(request: HttpRequest, gateway: Served, session: Session) -> Response[str]:
    """Show what a roll-call is, before it is asked for."""
    return await _of_session(request, gateway, session, "desk/sheet.html")


@get("/desk/sessions/{session:str}/walk-in", include_in_schema=False)
async def not_listed(request: HttpRequest, gateway: Served, session: Session) -> Response[str]:
    """Show what to do with somebody who is on no list."""
    return await _of_session(request, gateway, session, "desk/walk_in.html")


async def _of_session(request: HttpRequest, gateway: Gateway, session: str, template: str) -> Response[str]:
    """Show one page of a session."""
    desk = await at_desk(request, gateway)
    found, listed = await session_at(gateway, desk, session)
    purpose, labels, clockwork = desk.purpose_of(found), Labels(gateway.attributes, tongue_of(request).language), desk.clockwork
    line = clockwork.line(found)
    reads = purpose.reads_per_appointment if purpose else 0
    until = line.closes_at + LATE
    shown = SessionPage(
        session=line, now=clockwork.now, places=place_lines(listed, reads), reads=reads,
        forms=labels.forms(purpose.attributes) if purpose else (), sheet=labels.forms(purpose.sheet) if purpose else (),
        outcomes=line.state is not State.OUTSIDE and found.starts_at <= clockwork.now < until, outcomes_until=clockwork.hour(until, found.site),
        display_seconds=gateway.settings.desk.display_seconds, sign_in=desk.signed.sign_in, bound=desk.signed.thumbprint is not None,
        contacts=desk.contacts,
    )  # fmt: skip
    return page(request, gateway, template, shown, signed=desk.signed, room=Room.DESK, here="today")


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
        row = await connection.fetchrow("select index, leaf from ecluse.entry_of($1::smallint, $2, $3)", log_id, processor, disclosure)
        if row is not None:
            return log_id, row
    raise HttpProblem("not-found")


HANDLERS: Final = [today, places, attendance, roll_call, not_listed, proof]
