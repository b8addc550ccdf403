"""What stands before every page, whatever answers behind it: who may send a change, and what a browser may do with the answer.

1  A change (any method but GET, HEAD and OPTIONS) is taken only from a page of ours: ``Sec-Fetch-Site: same-origin``, or, where a browser sends none, an
   ``Origin`` that is the pages' own (as https://words.filippo.io/csrf/ reasons). A field that stands twice is none. Nothing of the body is read before.
2  Every answer under a page's path bears the same fields, the framework's own refusals too: what may be loaded, that nothing is kept, that nobody frames it.
3  An answer that left a body unread says that the connection ends; so that it gets to whoever still sends, some of the body is let run out first.

It wraps the application, so no handler can forget it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

Scope: TypeAlias = dict[str, Any]  # ASGI's own shape
Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Fields: TypeAlias = list[tuple[bytes, bytes]]

ROOTS: Final = ("/console", "/desk", "/my-data", "/sign-in", "/sign-out", "/enrol", "/assets", "/favicon.ico")
"""Under these, people's pages: errors are pages, and the rules above hold."""
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types ecluse"
)
HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "content-security-policy": POLICY,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": (
            "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=(), "
            "publickey-credentials-create=(self), publickey-credentials-get=(self)"
        ),
        "x-robots-tag": "noindex, nofollow",
    }
)
"""On every page. An answer that says something else under one of these names (an asset, which may be kept) keeps its own."""
MOST_RUN_OUT: Final = 1024 * 1024
RUN_OUT_SECONDS: Final = 2
HSTS: Final = "max-age=31536000"


def is_page(path: str) -> bool:
    """Tell whether an address is one of people's pages."""
    return any(path == root or path.startswith(root + "/") for root in ROOTS)


def is_ours(fields: Fields, pages_url: str) -> bool:
    """Tell whether a change was sent from a page of ours."""
    sites = [value for name, value in fields if name == b"sec-fetch-site"]
    if sites:
        return sites == [b"same-origin"]
    return [value for name, value in fields if name == b"origin"] == [pages_url.encode()]


def shield(inner: App, pages_url: Callable[[], str], foreign: Callable[[Scope], tuple[int, Mapping[str, str], bytes]]) -> App:
    """Wrap an application. ``foreign`` writes the page for a change that came from elsewhere: status, header fields, body."""

    async def shielded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_page(scope["path"]):
            await inner(scope, receive, send)
            return
        address = pages_url()
        unread = scope["method"] not in SAFE

        async def receiving() -> Message:
            nonlocal unread
            message = await receive()
            if message["type"] != "http.request" or not message.get("more_body", False):
                unread = False
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                if unread:
                    await _run_out(receive)
                message = {**message, "headers": _complete(message.get("headers", []), address, unread=unread)}
            await send(message)

        if unread and not is_ours(list(scope["headers"]), address):
            status, fields, body = foreign(scope)
            await sending(
                {
                    "type": "http.response.start",
                    "status": status,
                    "headers": [
                        *((name.encode(), value.encode()) for name, value in fields.items()),
                        (b"content-length", str(len(body)).encode()),
                    ],
                }
            )
            await sending({"type": "http.response.body", "body": body})
            return
        await inner(scope, receiving, sending)

    return shielded


async def _run_out(receive: Receive) -> None:
    """Let a body that nobody wants run out, in bounds: a sender who is cut off while sending never sees the answer."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RUN_OUT_SECONDS):
            while size < MOST_RUN_OUT:
                message = await receive()
                size += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return


def _complete(fields: Fields, address: str, *, unread: bool) -> Fields:
    """Add what the answer does not say itself."""
    present = {name.lower() for name, _ in fields}
    more = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in present]
    if address.startswith("https:"):
        more.append((b"strict-transport-security", HSTS.encode()))
    if unread and b"connection" not in present:
        more.append((b"connection", b"close"))
    return [*fields, *more]
