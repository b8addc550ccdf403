"""What a page answers when it does not do what was asked: what it means, what to do, whom to call; and that nothing was changed.

Under the pages' addresses every error becomes one of these, the framework's own too; elsewhere errors stay problems in JSON. Who is not signed in is sent to
sign in and comes back where they wanted to go, if that is an address of ours and asking for it changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
from litestar import MediaType, Response
from litestar.exceptions import HTTPException

from ecluse import clock
from ecluse.identity.people import MAY
from ecluse.identity.sign_in import FRESH
from ecluse.web.gateway import Gateway, HttpRequest
from ecluse.web.pages.errors import FormUnreadable, NotAllowed, SignInNeeded, StepUpNeeded
from ecluse.web.pages.frame import Place, about_of, is_partial, own_path, path_of, render
from ecluse.web.pages.language import N_, Tongue, choose, tongue_of
from ecluse.web.pages.model import LABELS, About, Room

SIGN_IN: Final = "/sign-in"
AGAIN: Final = "/sign-in/again"
_BY_CODE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "invalid-request": "unreadable", "not-found": "not-found", "method-not-allowed": "method", "too-large": "too-large",
        "too-many-requests": "too-many", "too-many-refusals": "too-many", "busy": "down", "ledger-unavailable": "down",
        "register-unavailable": "down", "clock-untrusted": "down", "wrong-role": "not-allowed",
    }
)  # fmt: skip


OURS: Final = (SignInNeeded, NotAllowed, StepUpNeeded, FormUnreadable)
"""Errors that are pages, and no problems of the catalogue."""


class Words(msgspec.Struct, frozen=True):
    """One refusal: its status, what it is called, what it means, and what to do, in steps."""

    status: int
    title: str
    means: str
    now: tuple[str, ...]


REFUSALS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "sign-in": Words(
            401, N_("Please sign in"), N_("Nobody is signed in on this browser, or the time of this sign-in is over."),
            (N_("Sign in, and you come back here."), N_("What was typed and not yet sent has to be typed again.")),
        ),
        "again": Words(
            401, N_("Your passkey, once more"),
            N_("This act weighs enough that we ask for your passkey just before it: the last time is over five minutes ago."),
            (N_("Use your passkey, and you come back to the page you were on."), N_("Then send the form again: nothing was changed yet.")),
        ),
        "not-allowed": Words(
            403, N_("Not for your role"), N_("You are signed in, and this is not among what your role does. Nothing was changed."),
            (N_("Ask one of those named here to do it."), N_("If your work has changed, an administrator can change your role.")),
        ),
        "foreign": Words(
            403, N_("This did not come from our pages"),
            N_("A change is taken only from a page of this site, so that no other site can act in your name. Nothing was changed."),
            (N_("Open the page here and send its form from there."),
             N_("If you did that, something between your browser and us takes away what tells where a request comes from: tell your support.")),
        ),
        "unreadable": Words(
            400, N_("This form could not be read"), N_("What was sent is not the form that this page shows now. Nothing was changed."),
            (N_("Go back, load the page again and fill in the form once more."),),
        ),
        "not-found": Words(
            404, N_("There is no such page"), N_("Nothing of ours is at this address, or it is no longer there."),
            (N_("Check the address, or begin at the first page."),),
        ),
        "method": Words(
            405, N_("Not in this way"), N_("This address exists, and does not take what was sent to it. Nothing was changed."),
            (N_("Go back to the page and use its buttons."),),
        ),
        "too-large": Words(
            413, N_("This is too large"), N_("What was sent is larger than this page takes. Nothing was kept of it."),
            (N_("Send a smaller file: the page says how large it may be."),),
        ),
        "too-many": Words(
            429, N_("Too many requests"), N_("This was asked more often in a short time than anybody needs to."),
            (N_("Wait a minute, then load the page again."),),
        ),
        "slow": Words(
            408, N_("It did not arrive in time"), N_("The form was too long under way. Nothing was changed."),
            (N_("Check your connection, then send it again."),),
        ),
        "failed": Words(
            500, N_("An error of ours"),
            N_("Something failed on our side. What you sent may or may not have been done: look before you send it again."),
            (N_("Load the page again. If it fails once more, call whoever runs this gateway: the time of the error is all they need."),),
        ),
        "down": Words(
            503, N_("Not available just now"), N_("Something that this page needs does not answer. Until it does nothing is disclosed and nothing is changed."),
            (N_("Wait a moment, then load the page again."), N_("If it lasts, call whoever runs this gateway.")),
        ),
    }
)  # fmt: skip
"""Every refusal of a page, by its key."""


class RefusalPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of a refusal shows.

    ``words``: what it means, and what to do; ``status``: of the answer; ``who``: the roles that may do it; ``way``, ``way_label``: its one link.
    """

    words: Words
    who: list[str]
    way: str
    way_label: str
    status: int


def answer(request: HttpRequest, gateway: Gateway, error: Exception, code: str) -> Response[str]:
    """Turn an error into its page. ``code``: of the problem that it is elsewhere."""
    key = key_of(error, code)
    next_ = own_path(error.back, "") if isinstance(error, StepUpNeeded) and error.back else _next(request)
    if key == "sign-in" and request.method == "GET" and not is_partial(request):
        where = SIGN_IN if next_ == "/" else f"{SIGN_IN}?{urlencode({'next': next_})}"
        return Response(content="", status_code=303, headers={"location": where})
    headers = _fields(key, next_, partial=is_partial(request))
    who = [LABELS[role] for role in LABELS if role in MAY[error.act]] if isinstance(error, NotAllowed) else []
    return Response(
        content=_write(request, gateway, key, who=who, next_=next_),
        status_code=REFUSALS[key].status,
        media_type=MediaType.HTML,
        headers=headers | {"content-language": tongue_of(request).language},
    )


def key_of(error: Exception, code: str) -> str:
    """Return which refusal an error is."""
    for kind, key in (
        (SignInNeeded, "sign-in"), (StepUpNeeded, "again"), (NotAllowed, "not-allowed"), (FormUnreadable, "unreadable"), (TimeoutError, "slow"),
    ):  # fmt: skip
        if isinstance(error, kind):
            return key
    if isinstance(error, HTTPException) and error.status_code == 429:
        return "too-many"
    return _BY_CODE.get(code, "failed")


def _fields(key: str, next_: str, *, partial: bool) -> dict[str, str]:
    """Return the header fields of a refusal. Where htmx asked for a part, it is sent on with the whole page."""
    fields: dict[str, str] = {}
    if key == "again":  # RFC 9470 §3
        fields["www-authenticate"] = f'Passkey error="insufficient_user_authentication", max_age={int(FRESH.total_seconds())}'
    elif key == "sign-in":
        fields["www-authenticate"] = "Passkey"
    elif key in {"down", "too-many"}:
        fields["retry-after"] = "60" if key == "too-many" else "5"
    if partial and key in {"sign-in", "again"}:
        fields["hx-redirect"] = f"{SIGN_IN if key == 'sign-in' else AGAIN}?{urlencode({'next': next_})}"
    return fields


def _next(request: HttpRequest) -> str:
    """Return where to come back to: the page that was asked for, or the page whose form was sent or whose part was asked for."""
    shown = request.headers.get("hx-current-url")
    if shown is None:
        return path_of(request)
    try:
        parts = urlsplit(shown)
    except ValueError:
        return "/"
    return own_path(parts.path + (f"?{parts.query}" if parts.query else "")) if parts.path else "/"


def _write(request: HttpRequest, gateway: Gateway, key: str, *, who: list[str], next_: str) -> str:
    path = str(request.scope["path"])
    room = room_of(path)
    place = Place(
        room=room, about=about_of(request, room), here="", path=path_of(request), signed=None, tongue=tongue_of(request),
        zone=gateway.settings.zone, now=clock.now(), controller=gateway.settings.controller.name,
    )  # fmt: skip
    return render(
        "pages/refusal.html",
        refusal_page(key, place.about, who=who, next_=next_),
        place,
        block="main" if is_partial(request) else None,
    )


def refusal_page(key: str, about: About, *, who: list[str], next_: str) -> RefusalPage:
    """Make the page of a refusal."""
    query = f"?{urlencode({'next': next_})}" if next_ != "/" else ""
    way, label = about.home, N_("To the first page")
    if key == "sign-in":
        way, label = SIGN_IN + query, N_("Sign in")
    elif key == "again":
        way, label = AGAIN + query, N_("Use your passkey")
    words = REFUSALS[key]
    return RefusalPage(words=words, who=who, way=way, way_label=label, status=words.status)


def room_of(path: str) -> Room:
    """Return the room that an address belongs to."""
    return next((room for room in Room if path == f"/{room.value}" or path.startswith(f"/{room.value}/")), Room.SIGN_IN)


def foreign(
    holder: Mapping[str, Gateway], about: Mapping[Room, About], scope: dict[str, Any]
) -> tuple[int, Mapping[str, str], bytes]:
    """Write the page for a change that came from elsewhere; of the request only its path is read, and its language."""
    settings = holder["gateway"].settings
    accepted = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
    room = room_of(scope["path"])
    mine = about.get(room, About())
    tongue = Tongue(choose(None, None, accepted.decode("latin-1")))
    place = Place(
        room=room, about=mine, here="", path=mine.home, signed=None, tongue=tongue, zone=settings.zone, now=clock.now(),
        controller=settings.controller.name,
    )  # fmt: skip
    body = render("pages/refusal.html", refusal_page("foreign", mine, who=[], next_="/"), place)
    return 403, {"content-type": "text/html; charset=utf-8", "content-language": tongue.language}, body.encode()
