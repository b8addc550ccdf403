"""Whose page it is: the visit that the cookie opens, asked of the database at every request. A handler's first line.

The cookie is this host's alone, no script reads it, no other site sends it, and it is gone with the browser; it is no sign-in, and opens no other room.
"""

from __future__ import annotations

from typing import Final

from litestar.datastructures import Cookie

from ecluse.usage import Visit, VisitOver
from ecluse.usage.visit import visit_of
from ecluse.web.gateway import Gateway, HttpRequest

COOKIE: Final = "__Host-ecluse-my-data"


def cookie_brought(request: HttpRequest) -> str:
    """Return the cookie's secret; empty where there is none."""
    return request.cookies.get(COOKIE, "")


async def visitor(request: HttpRequest, gateway: Gateway, *, renew: bool = False) -> Visit:
    """Return the visit. Raises `VisitOver`, without asking the database where there is no cookie."""
    cookie = cookie_brought(request)
    if not cookie:
        raise VisitOver
    return await visit_of(gateway.reading, cookie, renew=renew)


def cookie_of(secret: str) -> Cookie:
    """Write the cookie of a visit; empty: take it away."""
    return Cookie(
        key=COOKIE, value=secret, path="/", secure=True, httponly=True, samesite="strict", max_age=None if secret else 0
    )
