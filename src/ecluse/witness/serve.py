"""A witness's door: C2SP tlog-witness 1.0 over HTTP, both prefixes at the root. TLS is a proxy's, as for the gate.

Where the text was made clearer after 1.0.0 we follow it: another root at the same size is 422 (1.0.0 said 409), and monitors have an address.

| answer | to |
|---|---|
| ``POST /add-checkpoint`` | our signature line, 200; else the status of `STATUS`; 409 bears the size cosigned last, as ``text/x.tlog.size`` |
| ``GET /<SHA-256 of the origin>/checkpoint`` | the note cosigned last, 200; or 404 |

``sign-subtree`` is optional and not served: an Ed25519 cosignature can't speak of a subtree. Nobody is authenticated but by the log's signature.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import structlog
import uvloop
from litestar import Litestar, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.params import SkipValidation

from ecluse.events import describe
from ecluse.listen import listen
from ecluse.witness.errors import (
    ClockBack,
    LogUnknown,
    NotConsistent,
    NotSigned,
    RequestInvalid,
    SizeConflict,
    StoreFailed,
    WitnessError,
)
from ecluse.witness.parse import MAX_REQUEST_BYTES
from ecluse.witness.service import Witness

BODY_SECONDS: Final = 10
STATUS: Final[Mapping[type[WitnessError], int]] = {
    RequestInvalid: 400, NotSigned: 403, LogUnknown: 404, SizeConflict: 409, NotConsistent: 422, ClockBack: 503, StoreFailed: 503,
}  # fmt: skip
"""How each error is answered."""

_TEXT: Final = "text/plain; charset=utf-8"
_SIZE: Final = "text/x.tlog.size"
_TOO_LARGE: Final = 413

HttpRequest: TypeAlias = Request[Any, Any, Any]
Served = NamedDependency[SkipValidation[Witness]]
log: Final = structlog.get_logger("ecluse.witness")


def _answer(text: str, status: int = 200, *, kind: str = _TEXT, **headers: str) -> Response[bytes]:
    """Answer with a text. Nothing of this is kept by a cache: the newest head is the point."""
    fields = {"content-type": kind, "cache-control": "no-cache", **headers}
    return Response(content=text.encode(), status_code=status, headers=fields, media_type="text/plain")


@post("/add-checkpoint", status_code=200)
async def add_checkpoint(request: HttpRequest, witness: Served) -> Response[bytes]:
    """Cosign a checkpoint that extends the last one."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.body()
    except TimeoutError as late:
        raise RequestInvalid("The body did not arrive in time.") from late
    return _answer(await asyncio.to_thread(witness.add_checkpoint, body))


@get("/{origin_hash:str}/checkpoint")
async def checkpoint(origin_hash: str, witness: Served) -> Response[bytes]:
    """Return the checkpoint cosigned last, for monitors."""
    return _answer(await asyncio.to_thread(witness.latest, origin_hash))


def _handle(_request: HttpRequest, error: Exception) -> Response[bytes]:
    """Answer an error; what is not ours, and no error of HTTP, is logged without its text."""
    if isinstance(error, SizeConflict):
        return _answer(f"{error.size}\n", STATUS[SizeConflict], kind=_SIZE)
    if isinstance(error, WitnessError) and type(error) in STATUS:
        log.info("witness:refused", code=error.code, status=STATUS[type(error)])
        return _answer(f"{error}\n", STATUS[type(error)])
    if isinstance(error, HTTPException):
        if error.status_code == _TOO_LARGE:  # the rest of the body is not read: the connection can't go on
            return _answer(f"A request has at most {MAX_REQUEST_BYTES} bytes.\n", _TOO_LARGE, connection="close")
        return _answer(
            "There is nothing here. A witness answers POST /add-checkpoint and GET /<origin hash>/checkpoint.\n",
            error.status_code,
        )
    log.error("witness:internal", **describe(error))
    return _answer("Something went wrong here; nothing was cosigned.\n", 500)


def build_app(witness: Witness) -> Litestar:
    """Return the ASGI application of a witness."""
    return Litestar(
        route_handlers=[add_checkpoint, checkpoint],
        dependencies={"witness": Provide(lambda: witness, sync_to_thread=False)},
        exception_handlers={Exception: _handle},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=MAX_REQUEST_BYTES,
    )


def serve(witness: Witness, *, host: str, port: int, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until SIGINT or SIGTERM. ``ready`` is called when the port is about to open."""
    uvloop.run(listen(build_app(witness), host=host, port=port, ready=ready))
