"""The pages: sign in, use a one-time link, use the passkey once more; and the way out. What the browser signs goes through `ceremony`.

The secret of a one-time link is the fragment of its address: no browser sends it, so no page, log or proxy has it; the page's script takes it out of the
address at once and posts it.
"""

from __future__ import annotations

from typing import Final

import msgspec
from litestar import Response, get, post

from ecluse.db import LOST, DatabaseUnavailable
from ecluse.identity.sign_in import sign_out
from ecluse.web.gateway import HttpRequest, Served
from ecluse.web.pages.errors import SignInNeeded
from ecluse.web.pages.frame import own_path, page, see
from ecluse.web.pages.guard import COOKIE, whoever
from ecluse.web.pages.model import Room
from ecluse.web.sign_in.ways import cookie_of, way_of


class SignInPage(msgspec.Struct, frozen=True, kw_only=True):
    """The page to sign in. ``next``: the page to go on to, of ours; empty: the person's first page."""

    next: str


class EnrolPage(msgspec.Struct, frozen=True, kw_only=True):
    """The page that a one-time link opens. Whom it is for is asked by its script. ``most_label``: characters of a passkey's own name."""

    most_label: int


class AgainPage(msgspec.Struct, frozen=True, kw_only=True):
    """The page that asks for the passkey once more. ``name``: of whom; ``next``: where to go back to."""

    name: str
    next: str


@get("/sign-in", include_in_schema=False)
async def sign_in_page(request: HttpRequest, gateway: Served) -> Response[str]:
    """Show the page to sign in; whoever is signed in goes on."""
    wanted = own_path(request.query_params.get("next"), "")
    signed = await whoever(request, gateway)
    if signed is not None:
        return see(way_of(signed, wanted))
    return page(request, gateway, "sign_in/sign_in.html", SignInPage(next=wanted), signed=None, room=Room.SIGN_IN)


@get("/enrol", include_in_schema=False)
async def enrol_page(request: HttpRequest, gateway: Served) -> Response[str]:
    """Show the page that a one-time link opens."""
    return page(request, gateway, "sign_in/enrol.html", EnrolPage(most_label=80), signed=None, room=Room.SIGN_IN)


@get("/sign-in/again", include_in_schema=False)
async def again_page(request: HttpRequest, gateway: Served) -> Response[str]:
    """Show the page that asks for the passkey once more."""
    signed = await whoever(request, gateway)
    if signed is None:
        raise SignInNeeded
    shown = AgainPage(name=signed.name, next=way_of(signed, request.query_params.get("next")))
    return page(request, gateway, "sign_in/again.html", shown, signed=signed, room=Room.SIGN_IN)


@post("/sign-out", status_code=303, include_in_schema=False)
async def way_out(request: HttpRequest, gateway: Served) -> Response[str]:
    """End the sign-in, revoke its desk key, and let the browser forget what it kept."""
    try:
        await sign_out(gateway.pool, log_id=gateway.log_id, cookie=request.cookies.get(COOKIE, ""))
    except LOST as lost:
        raise DatabaseUnavailable("the sign-in could not be ended") from lost
    answer = see("/sign-in", "signed-out")
    answer.set_cookie(cookie_of(""))
    answer.headers["clear-site-data"] = '"storage"'
    return answer


HANDLERS: Final = [sign_in_page, enrol_page, again_page, way_out]
