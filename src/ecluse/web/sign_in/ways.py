"""Where a sign-in leads, and the one cookie that it is."""

from __future__ import annotations

from typing import Final

from litestar.datastructures import Cookie

from ecluse.identity.people import Signed
from ecluse.web.pages.frame import own_path
from ecluse.web.pages.guard import COOKIE

HOMES: Final = {"officer": "/console", "agent": "/desk"}
_OTHERS: Final = {"officer": "/desk", "agent": "/console"}
_ENTRANCES: Final = ("/sign-in", "/sign-out", "/enrol")


def way_of(signed: Signed, wanted: str | None) -> str:
    """Return where somebody goes who has signed in: the page they wanted, if it is ours and may be theirs, else their own first page."""
    path = own_path(wanted, "")
    if not path or path == "/" or any(_within(path, each) for each in (*_ENTRANCES, _OTHERS[signed.kind])):
        return HOMES[signed.kind]
    return path


def _within(path: str, root: str) -> bool:
    bare = path.partition("?")[0].partition("#")[0]
    return bare == root or bare.startswith(root + "/")


def cookie_of(secret: str) -> Cookie:
    """Write the cookie of a sign-in: this host's alone, no script reads it, no other site sends it, gone with the browser. Empty: take it away."""
    return Cookie(
        key=COOKIE, value=secret, path="/", secure=True, httponly=True, samesite="strict", max_age=None if secret else 0
    )
