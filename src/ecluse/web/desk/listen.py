"""How an open desk hears that it is over: a stream, and the question whether whoever is shown may still be.

Neither counts as the agent's own doing: a screen that nobody touches signs nobody in for longer.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Final

from litestar import Response, get
from litestar.params import PathParameter, QueryParameter
from litestar.response import Stream

from ecluse.db import LOST, DatabaseUnavailable
from ecluse.disclosure import LedgerUnavailable
from ecluse.identity.people import Signed
from ecluse.identity.sign_in import resolve
from ecluse.schedule.staff import StaffPlace, person_held
from ecluse.web.desk.asking import AtDesk, desk_of, session_at
from ecluse.web.desk.model import Refusal, State
from ecluse.web.desk.today import gate_line
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages import live
from ecluse.web.pages.errors import SignInNeeded
from ecluse.web.pages.frame import Room, partial
from ecluse.web.pages.guard import COOKIE
from ecluse.web.pages.language import tongue_of

_TAG: Final = 16
Session = Annotated[str, PathParameter(description="A session's id.")]


@get("/desk/live", include_in_schema=False)
async def stream(request: HttpRequest, gateway: Served) -> Stream:
    """Tell an open desk that something changed, and when its sign-in is over."""
    signed = await _still(request, gateway)

    async def still() -> bool:
        try:
            await _still(request, gateway)
        except SignInNeeded:
            return False
        except DatabaseUnavailable:
            return True  # nothing can be opened meanwhile; it is asked again
        return True

    return live.stream(request.app.state["live"], signed.sign_in, still)


@get("/desk/sessions/{session:str}/standing", include_in_schema=False)
async def standing(
    request: HttpRequest,
    gateway: Served,
    session: Session,
    place: Annotated[str, QueryParameter(description="Whose: SHA-256 of the handle, 16 digits; empty: the whole session.")] = "",
) -> Response[str] | Response[None]:
    """Say whether people of a session may still be on the screen: nothing, or why not. A handle stands in no address."""
    desk = await desk_of(request, gateway, await _still(request, gateway))
    found, places = await session_at(gateway, desk, session)
    refusal = _refusal(desk, request, desk.clockwork.line(found).state)
    if refusal is None and place and not await _stands(gateway, places, place):
        refusal = Refusal(code="not-disclosable", contacts=desk.contacts)
    if refusal is None:
        return Response(content=None, status_code=204, headers={"cache-control": "no-store"})
    return partial(request, gateway, "desk/_refused.html", refusal, signed=desk.signed, room=Room.DESK, status=403)


def _refusal(desk: AtDesk, request: HttpRequest, state: State) -> Refusal | None:
    """Say why nobody of a session may be on the screen now; None where they may."""
    gate = gate_line(desk.snapshot, desk.processor, desk.terms, tongue_of(request).language, held=desk.held)
    if gate is not None:
        return Refusal(code="gate-frozen", contacts=desk.contacts, reasons=gate.reasons)
    return None if state in {State.OPEN, State.RUNNING, State.ENDED} else Refusal(code="not-disclosable", contacts=desk.contacts)


async def _stands(gateway: Gateway, places: list[StaffPlace], tag: str) -> bool:
    """Tell whether a place is still planned, and nobody holds its person."""
    handle = next((each.id for each in places if sha256(each.id.encode()).hexdigest()[:_TAG] == tag), None)
    if handle is None:
        return False
    try:
        async with gateway.pool.acquire() as connection:
            return not await person_held(connection, handle)
    except LOST as lost:
        raise LedgerUnavailable from lost


async def _still(request: HttpRequest, gateway: Gateway) -> Signed:
    """Return the agent whose sign-in stands, without keeping it alive. Raises `SignInNeeded`, `DatabaseUnavailable`."""
    try:
        async with gateway.pool.acquire() as connection:
            signed = await resolve(connection, request.cookies.get(COOKIE, ""), seen=False)
    except LOST as lost:
        raise DatabaseUnavailable("who is signed in could not be asked") from lost
    if signed is None or signed.kind != "agent":
        raise SignInNeeded
    return signed


HANDLERS: Final = [stream, standing]
