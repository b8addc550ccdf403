"""Walk-ins: somebody stands at a desk and is on no list. The agent says a spoken code; the case worker finds the session by it, and gives the person a place.

The code opens nothing. It and the person's key travel in the body of a request, never in an address.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, get, post

from ecluse.disclosure import Busy
from ecluse.identity.people import Act, Signed
from ecluse.schedule.errors import ScheduleContended, SessionUnknown
from ecluse.schedule.reports import ImportApplied, ImportRefused
from ecluse.schedule.service import walk_in
from ecluse.schedule.spoken import DIGITS, WalkIn, find_walk_in
from ecluse.web.console.act import done
from ecluse.web.console.look_up import reference_of
from ecluse.web.console.schedule_files import Found, book_of, found_rows, sender_of
from ecluse.web.console.state import acting
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import N_, Room, form, page, tongue_of
from ecluse.web.pages.guard import officer

_HERE: Final = "schedule"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """The session that a code stands for, and who calls."""

    code: str
    processor: str
    agent: str
    purpose: str
    site: str
    room: str
    source: str
    session_ref: str
    starts_at: datetime
    ends_at: datetime
    expires_at: datetime


class WalkInPage(msgspec.Struct, frozen=True, kw_only=True):
    """The form for a spoken code, and the session that it stands for.

    ``digits``: how many a code has; ``session``: None before a code was found; ``register``: how a key begins; ``found``: why the place was refused, None where
    nobody tried; ``faults``.
    """

    digits: int
    session: Session | None
    register: str
    found: Found | None
    faults: dict[str, str]


class CodeForm(msgspec.Struct, frozen=True):
    """A code, as it was spoken."""

    code: Annotated[str, msgspec.Meta(max_length=32)]


class PlaceForm(msgspec.Struct, frozen=True):
    """Who gets the place. ``place``: the controller's own name of it, new in this session."""

    code: Annotated[str, msgspec.Meta(max_length=32)]
    person: Annotated[str, msgspec.Meta(max_length=400)]
    place: Annotated[str, msgspec.Meta(max_length=200)]


@get("/console/schedule/walk-in", include_in_schema=False)
async def walk_ins(request: HttpRequest, gateway: Served) -> Response[str]:
    """Show the form for a spoken code."""
    signed = await officer(request, gateway, Act.SCHEDULE)
    return _show(request, gateway, signed, None, {})


def _show(
    request: HttpRequest,
    gateway: Gateway,
    signed: Signed,
    session: Session | None,
    faults: dict[str, str],
    found: Found | None = None,
) -> Response[str]:
    context = WalkInPage(digits=DIGITS, session=session, register=f"{gateway.register_map.id}:", found=found, faults=faults)
    status = 422 if faults or found is not None else 200
    return page(
        request, gateway, "console/work_walk_in.html", context, signed=signed, room=Room.CONSOLE, here=_HERE, status=status
    )


def session_of(found: WalkIn) -> Session:
    """Show what a code stands for."""
    return Session(
        code=found.code, processor=found.processor_name, agent=f"{found.agent_label} ({found.agent})", purpose=found.purpose, site=found.site, room=found.room,
        source=found.source, session_ref=found.session_ref, starts_at=found.starts_at, ends_at=found.ends_at, expires_at=found.expires_at,
    )  # fmt: skip


async def _find(gateway: Gateway, code: str) -> WalkIn | None:
    async with acting(gateway) as connection:
        return await find_walk_in(connection, code)


_UNKNOWN: Final = N_("No session is known under this code, or its hour is over. Ask for it once more.")


@post("/console/schedule/walk-in", include_in_schema=False)
async def find(request: HttpRequest, gateway: Served) -> Response[str]:
    """Find the session that a code stands for."""
    signed = await officer(request, gateway, Act.SCHEDULE)
    filled = await form(request, CodeForm)
    found = await _find(gateway, filled.value.code) if filled.value is not None else None
    if found is None:
        filled.fault("code", _UNKNOWN)
        return _show(request, gateway, signed, None, filled.faults)
    return _show(request, gateway, signed, session_of(found), {})


@post("/console/schedule/walk-in/place", include_in_schema=False)
async def place(request: HttpRequest, gateway: Served) -> Response[str]:
    """Give somebody a place in the session, as a schedule of one row does."""
    signed = await officer(request, gateway, Act.SCHEDULE, stepped_up=True, back="/console/schedule/walk-in")
    filled = await form(request, PlaceForm)
    found = await _find(gateway, str(filled.entered.get("code", "")))
    if found is None:
        filled.faults.clear()
        filled.fault("code", _UNKNOWN)
        return _show(request, gateway, signed, None, filled.faults)
    if filled.value is None:
        return _show(request, gateway, signed, session_of(found), filled.faults)
    try:
        report = await walk_in(
            book_of(gateway), sender_of(signed), source=found.source, session_ref=found.session_ref, place_ref=filled.value.place,
            subject_ref=reference_of(filled.value.person, gateway.register_map.id),
        )  # fmt: skip
    except ScheduleContended as contended:
        raise Busy from contended
    except SessionUnknown:
        filled.fault("code", _UNKNOWN)
        return _show(request, gateway, signed, None, filled.faults)
    if isinstance(report, ImportRefused):
        return _show(request, gateway, signed, session_of(found), {}, found_rows(report.findings, tongue_of(request)))
    if not isinstance(report, ImportApplied):
        filled.fault("person", N_("The contract foresees no more persons: send a file, which another officer approves."))
        return _show(request, gateway, signed, session_of(found), filled.faults)
    return done("/console/schedule/walk-in", "walk-in-added", report.index)


HANDLERS: Final[tuple[Any, ...]] = (walk_ins, find, place)
