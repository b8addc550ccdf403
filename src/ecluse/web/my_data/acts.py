"""What is done: come in by a link, bring the list up to date, close the page. Each is a form that the shield has let through."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from litestar import MediaType, Response, post

from ecluse.usage import VisitOver
from ecluse.usage.visit import enter, leave
from ecluse.web.gateway import HttpRequest, Served
from ecluse.web.my_data.views import HOME, way_in
from ecluse.web.my_data.visitor import cookie_brought, cookie_of, visitor
from ecluse.web.pages import frame

MOST_FORM_BYTES: Final = 4096


class LinkForm(msgspec.Struct, frozen=True):
    """What stands behind the ``#`` of a link; the whole link where somebody pasted it."""

    secret: Annotated[str, msgspec.Meta(max_length=600)]


@post("/my-data/enter", include_in_schema=False, media_type=MediaType.HTML, request_max_body_size=MOST_FORM_BYTES)
async def come_in(request: HttpRequest, gateway: Served) -> Response[str]:
    """Follow a link. A visit that this browser had is closed: the next person may use the same computer."""
    filled = await frame.form(request, LinkForm)
    await leave(gateway.reading, cookie_brought(request))
    try:
        cookie = await enter(gateway.reading, _secret_of("" if filled.value is None else filled.value.secret))
    except VisitOver:
        return way_in(request, gateway, "used", status=410)
    answer = frame.see(HOME)
    answer.set_cookie(cookie_of(cookie))
    return answer


def _secret_of(typed: str) -> str:
    """Return the secret of what was typed."""
    return typed.rpartition("#")[2].strip()


@post("/my-data/renew", include_in_schema=False, media_type=MediaType.HTML, request_max_body_size=MOST_FORM_BYTES)
async def renew(request: HttpRequest, gateway: Served) -> Response[str]:
    """Let the list go up to now."""
    try:
        await visitor(request, gateway, renew=True)
    except VisitOver:
        return way_in(request, gateway, "over", status=401)
    return frame.see(HOME, notice="renewed")


@post("/my-data/stay", include_in_schema=False, request_max_body_size=MOST_FORM_BYTES)
async def stay(request: HttpRequest, gateway: Served) -> Response[str]:
    """Stay a while longer: a sign of life, nothing more."""
    try:
        await visitor(request, gateway)
    except VisitOver:
        return Response(content="", status_code=401)
    return Response(content="", status_code=204)


@post("/my-data/close", include_in_schema=False, media_type=MediaType.HTML, request_max_body_size=MOST_FORM_BYTES)
async def close(request: HttpRequest, gateway: Served) -> Response[str]:
    """Close the visit, and let the browser forget what it kept of it."""
    await leave(gateway.reading, cookie_brought(request))
    answer = frame.see(f"{HOME}?state=closed")
    answer.set_cookie(cookie_of(""))
    answer.headers["clear-site-data"] = '"cache"'
    return answer


HANDLERS: Final = [come_in, renew, stay, close]
