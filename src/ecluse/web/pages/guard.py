"""Who may open a page: one query that resolves the cookie, then the person's roles. A handler's first line.

1  the cookie's sign-in is there, of this kind, not ended, and nothing behind it was closed, suspended or revoked (asked of the database at every request)
2  an act needs a role that may do it (``MAY``)
3  a weighty act needs a passkey used within `FRESH`

What fails is a page that says what to do: `refusals`. Nothing of a body is read before.
"""

from __future__ import annotations

from typing import Final

from ecluse.db import LOST, DatabaseUnavailable
from ecluse.identity.people import MAY, Act, Signed
from ecluse.identity.sign_in import FRESH, resolve
from ecluse.web.gateway import Gateway, HttpRequest
from ecluse.web.pages.errors import NotAllowed, SignInNeeded, StepUpNeeded
from ecluse.web.pages.frame import is_partial

__all__ = ["COOKIE", "FRESH", "NotAllowed", "SignInNeeded", "StepUpNeeded", "agent", "officer", "still", "whoever"]

COOKIE: Final = "__Host-ecluse"
_MOST_COOKIE: Final = 200


async def officer(
    request: HttpRequest, gateway: Gateway, act: Act = Act.LOOK, *, stepped_up: bool = False, back: str = ""
) -> Signed:
    """Return the officer who is signed in and may do this. One query. ``back``: the page to come back to after the passkey, else the one asked for."""
    signed = await whoever(request, gateway)
    if signed is None or signed.kind != "officer":
        raise SignInNeeded
    if not signed.roles & MAY[act]:
        raise NotAllowed(act)
    if stepped_up and not signed.fresh:
        raise StepUpNeeded(back)
    return signed


async def agent(request: HttpRequest, gateway: Gateway) -> Signed:
    """Return the agent who is signed in at the desk. One query."""
    signed = await whoever(request, gateway)
    if signed is None or signed.kind != "agent":
        raise SignInNeeded
    return signed


async def still(request: HttpRequest, gateway: Gateway) -> bool:
    """Tell whether the sign-in that a stream was opened under still stands."""
    return await whoever(request, gateway, seen=False) is not None


async def whoever(request: HttpRequest, gateway: Gateway, *, seen: bool | None = None) -> Signed | None:
    """Return who is signed in, if anybody. One query; none without a cookie.

    ``seen``: whether it counts as a sign of life; None: yes, but for what an open page asks by itself (a part, by GET): that keeps nobody signed in.
    """
    if seen is None:
        seen = request.method != "GET" or not is_partial(request)
    secret = request.cookies.get(COOKIE, "")
    if not secret or len(secret) > _MOST_COOKIE:
        return None
    try:
        async with gateway.pool.acquire() as connection:
            return await resolve(connection, secret, seen=seen)
    except LOST as lost:
        raise DatabaseUnavailable("who is signed in could not be asked") from lost
