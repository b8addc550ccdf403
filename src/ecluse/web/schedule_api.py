"""The controller's side of the schedule: files, files that wait for a second person, walk-ins and substitutes.

Whatever is sent takes effect whole or not at all, and each change is one sealed entry.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Final, TypeVar

import msgspec
from litestar import Response, get, post
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, RequestBody, Schema
from litestar.params import BodyKwarg, JSONBody, PathParameter, QueryParameter

from ecluse.db import LOST, Connection, DatabaseUnavailable
from ecluse.disclosure import LedgerUnavailable, Proven
from ecluse.identity.compact import Malformed, parse_object
from ecluse.identity.service import refuse_stopped
from ecluse.schedule.errors import ApprovalOwn, RequestUnknown, ScheduleContended, ScheduleError, SessionUnknown
from ecluse.schedule.findings import ScheduleFindings
from ecluse.schedule.model import COLUMNS, FILE_MODES, PlaceStatus
from ecluse.schedule.reports import Book, ImportApplied, ImportChecked, ImportHeld, ImportRefused, ImportReport, Sender
from ecluse.schedule.service import approve, import_schedule, substitute, waiting, walk_in
from ecluse.web.auth import SCHEDULER, prove, read_headers, spend
from ecluse.web.disclose import MOST_BODY_BYTES
from ecluse.web.gateway import Gateway, HttpRequest, Served, raw
from ecluse.web.problems import HttpProblem, document, headers_of
from ecluse.web.published import CALLER, published
from ecluse.web.wire import ID_PATTERN, Agent, Count, Hex, ImportId, Index

MOST_FILE_BYTES: Final = 64 * 1024 * 1024
_Body = TypeVar("_Body")
_KINDS: Final = {"text/csv": "csv", "application/json": "json"}


Text = Annotated[
    str,
    BodyKwarg(description="A text of yours, as the schedule's file holds it.", schema_extra={"min_length": 1, "max_length": 200}),
]


class RowItem(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a report. ``row``: the line of a CSV file, or the place in ``rows``."""

    row: Count
    column: str | None
    why: str
    mend: str


class ScheduleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did, or would do (``applied`` false: a dry run, or it waits). ``counts``: rows by what becomes of them; ``index``: its control entry.

    ``warnings``: what overlaps. ``excess``: rows above the contract's volume of persons. ``confirm``: the number that a snapshot wants to be confirmed with.
    ``request``: set where the file waits for a second person, until ``expires_at``.
    """

    applied: bool
    source: str
    sha256: Hex
    counts: dict[str, Count]
    import_id: ImportId | None = None
    index: Index | None = None
    warnings: list[RowItem] = []
    excess: list[RowItem] = []
    confirm: Count | None = None
    request: ImportId | None = None
    expires_at: datetime | None = None


class RequestItem(msgspec.Struct, frozen=True, kw_only=True):
    """A file that waits for a second person. ``excess``: how many of its rows are above the contract's volume."""

    id: ImportId
    source: str
    sha256: Hex
    mode: str
    rows: Count
    excess: Count
    requested_by: str
    requested_at: datetime
    expires_at: datetime


class RequestsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The files that wait for a second person, oldest first."""

    requests: list[RequestItem]


class WalkIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One person who is here now. ``place_ref``: your own name of the place; ``course_ref``: the purpose where it is left out."""

    source: Text
    session_ref: Text
    place_ref: Text
    subject_ref: Text
    course_ref: Text | None = None


class Substitution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agents of a session from now on; none: it has no roster."""

    source: Text
    session_ref: Text
    agents: Annotated[list[Agent], BodyKwarg(schema_extra={"max_items": 20, "unique_items": True})]


async def _refuse_early(gateway: Gateway, authorise: Callable[[Connection], Awaitable[None]]) -> None:
    """Turn a stopped client away before its file is parsed."""
    try:
        async with gateway.pool.acquire() as connection:
            await authorise(connection)
    except LOST as lost:
        raise LedgerUnavailable from lost


async def _sender(gateway: Gateway, proven: Proven) -> Sender:
    """Spend the proof, and return who calls; a stopped client goes no further, now or while its change is made."""
    await spend(gateway, proven)

    async def authorise(connection: Connection) -> None:
        await refuse_stopped(connection, client=proven.client, thumbprint=proven.thumbprint, role="scheduler")

    await _refuse_early(gateway, authorise)
    return Sender(name=f"client:{proven.client}", authorise=authorise)


def _book(gateway: Gateway) -> Book:
    """Return where the schedule is kept."""
    return Book(pool=gateway.pool, register=gateway.register_map, zone=gateway.settings.zone, log_id=gateway.log_id)


@contextmanager
def _as_problems() -> Iterator[None]:
    """Answer the errors of a change of the schedule."""
    try:
        yield
    except ScheduleContended as contended:
        raise HttpProblem("busy") from contended
    except (RequestUnknown, SessionUnknown) as absent:
        raise HttpProblem("not-found", str(absent)) from absent
    except ApprovalOwn as own:
        raise HttpProblem("wrong-role", str(own)) from own
    except ScheduleError as bad:
        raise HttpProblem("invalid-request", str(bad)) from bad
    except DatabaseUnavailable as lost:
        raise LedgerUnavailable from lost


def _rows(findings: ScheduleFindings) -> list[RowItem]:
    return [RowItem(row=one.row, column=one.column, why=one.why, mend=one.mend) for one in findings.problems]


def _answer(report: ImportReport) -> Response[ScheduleAnswer]:
    """Render what became of a change."""
    if isinstance(report, ImportRefused):
        status, content = document("schedule-refused", None, {"sha256": report.sha256, **msgspec.to_builtins(report.findings)})
        return raw(status, headers_of("schedule-refused"), content)
    answer = ScheduleAnswer(
        applied=isinstance(report, ImportApplied),
        source=report.source,
        sha256=report.sha256,
        counts=msgspec.to_builtins(report.counts),
        warnings=_rows(report.warnings),
    )
    if isinstance(report, ImportChecked):
        answer = msgspec.structs.replace(answer, excess=_rows(report.excess), confirm=report.confirm)
    elif isinstance(report, ImportHeld):
        answer = msgspec.structs.replace(
            answer, excess=_rows(report.excess), request=report.request, expires_at=report.expires_at
        )
    else:
        answer = msgspec.structs.replace(answer, import_id=report.import_id, index=report.index)
    return Response(content=answer)


def _row_schema() -> Schema:
    """Describe one row of a JSON schedule: what `ecluse.schedule.parse` takes."""
    text: dict[str, Schema] = {name: Schema(type=OpenAPIType.STRING, min_length=1, max_length=200) for name in COLUMNS}
    text["agents"] = Schema(
        type=OpenAPIType.ARRAY,
        max_items=20,
        unique_items=True,
        items=Schema(type=OpenAPIType.STRING, pattern=ID_PATTERN % "agt"),
    )
    text["status"] = Schema(type=OpenAPIType.STRING, enum=[word.value for word in PlaceStatus])
    return Schema(type=OpenAPIType.OBJECT, required=list(COLUMNS[:-1]), properties=dict(text), additional_properties=False)


_FILE: Final = RequestBody(
    required=True,
    description="A schedule of one source, at most 64 MiB.",
    content={
        "text/csv": OpenAPIMediaType(
            schema=Schema(
                type=OpenAPIType.STRING,
                description="RFC 4180 in UTF-8: a header line, columns in any order, `,` or `;`; the agents of a row with one space between.",
            )
        ),
        "application/json": OpenAPIMediaType(
            schema=Schema(
                type=OpenAPIType.OBJECT,
                required=["rows"],
                properties={"rows": Schema(type=OpenAPIType.ARRAY, min_items=1, items=_row_schema())},
                additional_properties=False,
            )
        ),
    },
)
_MODE: Final = QueryParameter(
    description="How the file is read. `delta`: what it does not name is left alone. `snapshot`: it is all that the source has ahead; "
    "places in sessions yet to begin that it does not name are cancelled.",
    schema_extra={"enum": [word.value for word in FILE_MODES]},
)
_CONFIRM: Final = QueryParameter(
    description="Of a snapshot without rows, or that cancels more than a tenth of its source's places ahead: the number of cancellations that a dry run told.",
    schema_extra={"minimum": 0, "maximum": 2**31 - 1},
)
_SOURCE: Final = QueryParameter(description="Whose snapshot it is; one without rows has to say.")
_REQUEST_ID: Final = PathParameter(description="A file that waits.", schema_extra={"pattern": ID_PATTERN % "imp"})
_DRY_RUN: Final = QueryParameter(description="Check and count, and apply nothing.")


@post(
    "/v1/schedule",
    status_code=200,
    request_max_body_size=MOST_FILE_BYTES,
    operation_id="schedule",
    tags=["controller"],
    summary="Send a schedule",
    operation_class=published(
        answer="What was applied, or would be.",
        problems=[*CALLER, "suspended", "too-large", "schedule-refused", "busy", "clock-untrusted"],
        scope=SCHEDULER,
        body=_FILE,
    ),
)
async def schedule(
    request: HttpRequest,
    gateway: Served,
    mode: Annotated[str, _MODE] = "delta",
    dry_run: Annotated[bool, _DRY_RUN] = False,  # noqa: FBT002 - a query parameter
    confirm: Annotated[int | None, _CONFIRM] = None,
    source: Annotated[str | None, _SOURCE] = None,
) -> Response[ScheduleAnswer]:
    """Import a schedule (CSV or JSON, by `Content-Type`): all of the file takes effect in one sealed instant, or nothing does.

    Columns: source, session_ref, place_ref, subject_ref, purpose, processor, site, room, starts_at, ends_at, agents, status, and optionally course_ref.
    A file above the contract's volume of persons is not applied: it waits for a second person (`request`).
    """
    headers = read_headers(request.scope["headers"])
    proven = prove(gateway, headers, "POST", request.scope["path"], SCHEDULER)
    kind = _KINDS.get((headers.content_type or "").partition(";")[0].strip().lower())
    if kind is None:
        raise HttpProblem("invalid-request", "Content-Type is text/csv or application/json.")
    sender = await _sender(gateway, proven)
    body = await request.body()
    with _as_problems():
        report = await import_schedule(
            gateway.pool, file_bytes=body, kind=kind, actor=sender.name, dry_run=dry_run, register=gateway.register_map,
            zone=gateway.settings.zone, mode=mode, confirm=confirm, source=source, log_id=gateway.log_id, authorise=sender.authorise,
        )  # fmt: skip
    return _answer(report)


@get(
    "/v1/schedule/requests",
    operation_id="schedule_requests",
    tags=["controller"],
    summary="List files that wait for a second person",
    operation_class=published(answer="The files, without their rows.", problems=[*CALLER, "suspended"], scope=SCHEDULER),
)
async def schedule_requests(request: HttpRequest, gateway: Served) -> RequestsAnswer:
    """List the files above a contract's volume that wait for a second person. They have no effect, and are gone after 72 hours."""
    proven = prove(gateway, read_headers(request.scope["headers"]), "GET", request.scope["path"], SCHEDULER)
    await _sender(gateway, proven)
    try:
        async with gateway.pool.acquire() as connection:
            found = await waiting(connection)
    except LOST as lost:
        raise LedgerUnavailable from lost
    return RequestsAnswer(requests=[RequestItem(**msgspec.structs.asdict(one)) for one in found])


_BY_HAND: Final = (*CALLER, "suspended", "not-found", "schedule-refused", "busy", "clock-untrusted")


@post(
    "/v1/schedule/requests/{request_id:str}/approval",
    status_code=200,
    operation_id="schedule_approval",
    tags=["controller"],
    summary="Approve a file as its second person",
    operation_class=published(answer="What was applied.", problems=_BY_HAND, scope=SCHEDULER),
)
async def schedule_approval(
    request: HttpRequest, gateway: Served, request_id: Annotated[str, _REQUEST_ID]
) -> Response[ScheduleAnswer]:
    """Let a file above the contract's volume take effect. Another client than its sender's has to; it is checked again, and must do what it would have done.

    Its sender is answered `wrong-role`; a file that would do something else by now, `schedule-refused`.
    """
    proven = prove(gateway, read_headers(request.scope["headers"]), "POST", request.scope["path"], SCHEDULER)
    sender = await _sender(gateway, proven)
    with _as_problems():
        return _answer(await approve(_book(gateway), sender, request_id))


@post(
    "/v1/schedule/walk-ins",
    status_code=200,
    operation_id="walk_in",
    tags=["controller"],
    summary="Add a person who is here now",
    operation_class=published(answer="What was applied.", problems=[*_BY_HAND, "too-large"], scope=SCHEDULER),
)
async def walk_in_now(request: HttpRequest, data: JSONBody[WalkIn], gateway: Served) -> Response[ScheduleAnswer]:  # noqa: ARG001 - for the schema
    """Add one place to a session whose window is open, within the room's capacity. The same place again changes nothing."""
    proven = prove(gateway, read_headers(request.scope["headers"]), "POST", request.scope["path"], SCHEDULER)
    asked = _read(await request.body(), WalkIn)
    sender = await _sender(gateway, proven)
    with _as_problems():
        report = await walk_in(
            _book(gateway), sender, source=asked.source, session_ref=asked.session_ref, place_ref=asked.place_ref,
            subject_ref=asked.subject_ref, course_ref=asked.course_ref or "",
        )  # fmt: skip
    return _answer(report)


@post(
    "/v1/schedule/substitutions",
    status_code=200,
    operation_id="substitution",
    tags=["controller"],
    summary="Replace the agents of a session",
    operation_class=published(answer="What was applied.", problems=[*_BY_HAND, "too-large"], scope=SCHEDULER),
)
async def substitution_now(request: HttpRequest, data: JSONBody[Substitution], gateway: Served) -> Response[ScheduleAnswer]:  # noqa: ARG001 - for the schema
    """Replace the agents of a session at once; all else stays as it is."""
    proven = prove(gateway, read_headers(request.scope["headers"]), "POST", request.scope["path"], SCHEDULER)
    asked = _read(await request.body(), Substitution)
    sender = await _sender(gateway, proven)
    with _as_problems():
        report = await substitute(_book(gateway), sender, source=asked.source, session_ref=asked.session_ref, agents=asked.agents)
    return _answer(report)


def _read(body: bytes, kind: type[_Body]) -> _Body:
    """Parse a small body. Raises ``invalid-request`` and ``too-large``."""
    if len(body) > MOST_BODY_BYTES:
        raise HttpProblem("too-large")
    try:
        return msgspec.convert(parse_object(body), kind)
    except (Malformed, msgspec.ValidationError):
        raise HttpProblem("invalid-request", "The body is one JSON object as the schema says, each member once.") from None


HANDLERS: Final = [schedule, schedule_requests, schedule_approval, walk_in_now, substitution_now]
