"""The application: Litestar for everything, and one short lane for the main job.

`fast_lane` answers ``POST /v1/disclosures`` before the framework routes it; it parses and renders with the same functions as any other handler. The framework
keeps the endpoint's place in the schema. Every error, wherever it is raised, becomes a problem of the catalogue in one function (`problem_of`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import msgspec
import structlog
from litestar import Litestar, MediaType, Request, Response
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import License, Server
from prometheus_client import Counter, Histogram

from ecluse import __version__
from ecluse.errors import EcluseError
from ecluse.events import describe
from ecluse.web import (
    audit_api,
    disclose,
    evidence_api,
    evidence_wire,
    ledger_api,
    oauth,
    outcome_api,
    problem_pages,
    processor_api,
    questionnaire,
    rooms,
    schedule_api,
    usage_api,
    wire,
)
from ecluse.web.auth import read_headers
from ecluse.web.gateway import Gateway
from ecluse.web.pages import refusals, shield
from ecluse.web.pages.live import Live
from ecluse.web.problems import PROBLEMS, HttpProblem, document, headers_of
from ecluse.web.published import ABOUT, TAGS, complete, components

Scope = dict[str, Any]  # ASGI's own shape
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log: Final = structlog.get_logger("ecluse.web")

ANSWERS: Final = Counter("ecluse_disclosure_answers", "Answers to POST /v1/disclosures, by outcome", ["outcome"])
SECONDS: Final = Histogram(
    "ecluse_disclosure_seconds",
    "Time to answer POST /v1/disclosures",
    buckets=(0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2, 5),
)
BODY_SECONDS: Final = 10
_BY_STATUS: Final = {400: "invalid-request", 404: "not-found", 405: "method-not-allowed", 413: "too-large"}


def problem_of(error: Exception) -> tuple[str, str | None, dict[str, object]]:
    """Return the code, detail and extra members that an error is answered with. What is not ours, and no HTTP error, is ``internal`` and logged."""
    if isinstance(error, HttpProblem):
        return error.code, error.detail, error.extra
    if isinstance(error, EcluseError) and error.code in PROBLEMS:
        return error.code, None, {}
    if isinstance(error, TimeoutError):
        return "invalid-request", "The body did not arrive in time.", {}
    if isinstance(error, HTTPException):
        return _BY_STATUS.get(error.status_code, "invalid-request"), None, {}
    if isinstance(error, UnicodeDecodeError):  # the framework's decoder, of a member's name
        return "invalid-request", "The body is not UTF-8.", {}
    # the text of a stranger's exception may quote a value: its type and where it was raised are enough
    log.error("web:internal", **describe(error))
    return "internal", None, {}


def _handle(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Render an error for the framework: under the addresses of people's pages a page, elsewhere a problem."""
    known = shield.is_page(request.scope["path"]) and isinstance(error, refusals.OURS)
    code, detail, extra = ("", None, {}) if known else problem_of(error)
    if shield.is_page(request.scope["path"]):
        return refusals.answer(request, request.app.state["holder"]["gateway"], error, code)
    status, body = document(code, detail, extra)
    headers = {name.decode(): value.decode() for name, value in headers_of(code)}
    return Response(content=body, status_code=status, headers=headers, media_type=MediaType.JSON)


def build_app(make: Callable[[], Awaitable[Gateway]]) -> App:
    """Return the ASGI application. ``make`` builds the gateway inside the serving loop, at start."""
    holder: dict[str, Gateway] = {}
    framework = build_framework(make, holder)
    # Litestar's typed dicts for the scope are wider than ASGI's
    pages = shield.shield(framework, lambda: holder["gateway"].settings.pages, partial(refusals.foreign, holder, rooms.ABOUT))  # type: ignore[arg-type]
    return _fast_lane(pages, holder)


def build_framework(make: Callable[[], Awaitable[Gateway]], holder: dict[str, Gateway]) -> Litestar:
    """Return the framework's application, with its OpenAPI document; ``holder`` is where the lifespan puts the gateway."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        gateway = holder["gateway"] = await make()
        app.state["live"] = Live(gateway.reader, gateway.log_id, gateway.leaving)
        try:
            yield
        finally:
            await gateway.close()

    def gateway() -> Gateway:
        return holder["gateway"]

    return Litestar(
        route_handlers=[
            *processor_api.HANDLERS,
            *oauth.HANDLERS,
            *schedule_api.HANDLERS,
            *outcome_api.HANDLERS,
            *usage_api.HANDLERS,
            *evidence_api.HANDLERS,
            *ledger_api.HANDLERS,
            *audit_api.HANDLERS,
            *problem_pages.HANDLERS,
            *questionnaire.HANDLERS,
            *rooms.HANDLERS,
        ],
        state=State({"rooms": rooms.ABOUT, "holder": holder}),
        dependencies={"gateway": Provide(gateway, sync_to_thread=False)},
        exception_handlers={Exception: _handle},
        lifespan=[lifespan],
        openapi_config=OpenAPIConfig(
            title="Écluse",
            version=__version__,
            description=ABOUT,
            path="/schema",
            use_handler_docstrings=True,
            render_plugins=[_Published(path=["/", "/openapi.json"])],
            components=components(),
            tags=TAGS,
            servers=[Server(url="/", description="The agency's public address: the issuer that the server metadata name.")],
            license=License(name="EUPL-1.2", identifier="EUPL-1.2"),
        ),
        logging_config=None,
        request_max_body_size=disclose.MOST_BODY_BYTES,  # the schedule's and the evidence's handlers take more, after they have authenticated
    )


def openapi_document(framework: Litestar) -> dict[str, Any]:
    """Return the document as it is published: what the framework draws from the types, and what no type says."""
    drawn = framework.openapi_schema.to_schema()
    said = [each for module in (wire, oauth, schedule_api, usage_api, evidence_wire) for each in vars(module).values()]
    complete(
        drawn["components"]["schemas"], [each for each in said if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    )
    return drawn


class _Published(JsonRenderPlugin):
    """Renders the document, once, when it is first asked for."""

    _body: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 - the framework's signature
        """Return the document's bytes."""
        if self._body is None:
            self._body = msgspec.json.encode(openapi_document(request.app))
        return self._body


def _fast_lane(framework: App, holder: dict[str, Gateway]) -> App:
    """Answer the hot endpoint directly, pass everything else on."""

    async def lane(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != disclose.PATH or scope["method"] != "POST":
            await framework(scope, receive, send)
            return
        began = time.perf_counter()
        try:
            headers = read_headers(scope["headers"])
            async with asyncio.timeout(BODY_SECONDS):
                raw = await _body(receive)
            status, fields, body = await disclose.disclose(holder["gateway"], headers, raw)
            outcome = "granted" if status == 200 else "refused"
        except Exception as error:  # noqa: BLE001 - the edge of the process: every error becomes an answer
            code, detail, extra = problem_of(error)
            status, body = document(code, detail, extra)
            fields, outcome = headers_of(code), code
        SECONDS.observe(time.perf_counter() - began)
        ANSWERS.labels(outcome).inc()
        await send(
            {"type": "http.response.start", "status": status, "headers": [*fields, (b"content-length", str(len(body)).encode())]}
        )
        await send({"type": "http.response.body", "body": body})

    return lane


async def _body(receive: Receive) -> bytes:
    """Read the body, at most as much as the endpoint takes and one byte."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise HttpProblem("invalid-request", "The connection ended before the body.")
        chunk = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if size > disclose.MOST_BODY_BYTES:
            raise HttpProblem("too-large")
        if not message.get("more_body", False):
            return b"".join(chunks)
