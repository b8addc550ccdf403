"""``POST /v1/schedule``: the controller's scheduler sends its file. All of it takes effect or nothing, and the import is sealed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from litestar import Response, post
from litestar.params import FromQuery

from ecluse.db import Connection, DatabaseUnavailable
from ecluse.disclosure import LedgerUnavailable
from ecluse.identity.service import refuse_stopped
from ecluse.schedule.errors import ScheduleContended, ScheduleError
from ecluse.schedule.service import ImportApplied, ImportChecked, ImportRefused, import_schedule
from ecluse.web.auth import SCHEDULER, prove, read_headers, spend
from ecluse.web.gateway import LOG_ID, Gateway, HttpRequest, Served, raw
from ecluse.web.problems import HttpProblem, document, headers_of

MOST_FILE_BYTES: Final = 64 * 1024 * 1024
_KINDS: Final = {"text/csv": "csv", "application/json": "json"}


class ScheduleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did, or would do (``applied`` false: a dry run). ``counts``: rows by what becomes of them; ``index``: its control entry."""

    applied: bool
    source: str
    sha256: str
    counts: dict[str, int]
    import_id: str | None = None
    index: int | None = None


async def _refuse_early(gateway: Gateway, authorise: Callable[[Connection], Awaitable[None]]) -> None:
    """Turn a stopped client away before its file is parsed."""
    async with gateway.pool.acquire() as connection:
        await authorise(connection)


@post("/v1/schedule", status_code=200, request_max_body_size=MOST_FILE_BYTES, operation_id="schedule", tags=["controller"])
async def schedule(
    request: HttpRequest,
    gateway: Served,
    mode: FromQuery[str] = "delta",
    dry_run: FromQuery[bool] = False,  # noqa: FBT002 - a query parameter
) -> Response[ScheduleAnswer]:
    """Import a schedule (CSV or JSON, by `Content-Type`): all of the file takes effect in one sealed instant, or nothing does.

    Columns: source, session_ref, place_ref, subject_ref, purpose, processor, site, room, starts_at, ends_at, agents, status, and optionally course_ref.
    """
    headers = read_headers(request.scope["headers"])
    proven = prove(gateway, headers, "POST", request.scope["path"], SCHEDULER)
    kind = _KINDS.get((headers.content_type or "").partition(";")[0].strip().lower())
    if kind is None:
        raise HttpProblem("invalid-request", "Content-Type is text/csv or application/json.")
    body = await request.body()
    await spend(gateway, proven)

    async def authorise(connection: Connection) -> None:
        await refuse_stopped(connection, client=proven.client, thumbprint=proven.thumbprint, role="scheduler")

    try:
        await _refuse_early(gateway, authorise)
        report = await import_schedule(
            gateway.pool, file_bytes=body, kind=kind, actor=f"client:{proven.client}", dry_run=dry_run, register=gateway.register_map,
            zone=gateway.settings.zone, mode=mode, log_id=LOG_ID, authorise=authorise,
        )  # fmt: skip
    except ScheduleContended as contended:
        raise HttpProblem("busy") from contended
    except ScheduleError as bad:
        raise HttpProblem("invalid-request", str(bad)) from bad
    except DatabaseUnavailable as lost:
        raise LedgerUnavailable from lost
    if isinstance(report, ImportRefused):
        status, content = document("schedule-refused", None, {"sha256": report.sha256, **msgspec.to_builtins(report.findings)})
        return raw(status, headers_of("schedule-refused"), content)
    counts = msgspec.to_builtins(report.counts)
    if isinstance(report, ImportChecked):
        return Response(content=ScheduleAnswer(applied=False, source=report.source, sha256=report.sha256, counts=counts))
    if not isinstance(report, ImportApplied):
        raise AssertionError("impossible: a fourth kind of report")  # noqa: TRY004 - a bug, not a caller's type
    return Response(
        content=ScheduleAnswer(
            applied=True,
            source=report.source,
            sha256=report.sha256,
            counts=counts,
            import_id=report.import_id,
            index=report.index,
        )
    )


HANDLERS: Final = [schedule]
