"""Files of places, until they are applied: looked at, applied by their hash, approved by a second officer.

A file is checked as it is uploaded: what is wrong is told row by row, with why and the mend, and nothing is kept. One that may be applied waits for half
an hour as the officer's draft; the page that shows it checks it anew each time, and it is applied by its hash. No value of a file is ever shown.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter

from ecluse.disclosure import Busy
from ecluse.identity.people import MAY, Act, Signed
from ecluse.schedule.errors import ApprovalOwn, RequestUnknown, ScheduleContended
from ecluse.schedule.reports import Book, ImportApplied, ImportChecked, ImportHeld, ImportRefused, Sender
from ecluse.schedule.service import approve, import_schedule, withdraw
from ecluse.web.console.act import done
from ecluse.web.console.schedule import HERE, MOST_BYTES, show_schedule
from ecluse.web.console.schedule_words import MODES, say_counts
from ecluse.web.console.state import acting, reading
from ecluse.web.console.work import query
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import N_, Room, Upload, form, page, see, tongue_of
from ecluse.web.pages.guard import NotAllowed, officer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg

    from ecluse.db import Connection
    from ecluse.schedule.findings import ScheduleFindings
    from ecluse.schedule.reports import ImportReport
    from ecluse.web.pages.frame import Tongue

SHOWN: Final = 200
"""Rows of a report that a page shows; it says how many there are in all."""
RequestId = Annotated[str, PathParameter(description="A file that waits.")]


class FileMode(StrEnum):
    """How an uploaded file is read; the same words as `ecluse.schedule.model.FILE_MODES`."""

    DELTA = "delta"
    SNAPSHOT = "snapshot"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One row that is refused, or told about: where, why, the mend."""

    row: int
    column: str
    why: str
    mend: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that are told about, the first of them, and how many there are in all."""

    rows: tuple[Finding, ...]
    total: int


class RefusedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A file that may not be applied. ``sha256``: its hash; ``found``: what is wrong, row by row; ``nothing``: always true, and said: nothing was applied."""

    sha256: str
    found: Found
    nothing: bool


class DraftPage(msgspec.Struct, frozen=True, kw_only=True):
    """A file that may be applied.

    ``name``: as the browser said; ``sha256``; ``source``; ``mode``; ``counts``: what it would do; ``warnings``; ``excess``: rows that a second officer has to
    approve; ``confirm``: how many places a snapshot would cancel, None where that asks for nothing; ``expires_at``; ``faults``: of its form.
    """

    name: str
    sha256: str
    source: str
    mode: str
    counts: tuple[tuple[str, int], ...]
    warnings: Found
    excess: Found
    confirm: int | None
    expires_at: datetime
    faults: dict[str, str]


# ── a file ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
class UploadForm(msgspec.Struct, frozen=True):
    """A file to be looked at."""

    file: Upload
    mode: FileMode = FileMode.DELTA
    source: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class ApplyForm(msgspec.Struct, frozen=True):
    """The file that was looked at, by its hash; ``confirm``: how many places it may cancel."""

    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    confirm: int | None = None


class NoForm(msgspec.Struct, frozen=True):
    """A button, and nothing typed."""


_DRAFT: Final = """
insert into ecluse.schedule_draft (officer, sha256, kind, mode, source, name, content) values ($1, $2, $3, $4, $5, $6, $7)
"""
_DROP: Final = "delete from ecluse.schedule_draft where officer = $1"
_STILL: Final = "select exists (select from ecluse.officer o where o.id = $1 and o.closed_at is null and o.roles && $2::text[])"


def sender_of(signed: Signed) -> Sender:
    """Return who changes the schedule: their account has to be open under the very state that the change is sealed under."""
    roles = [role.value for role in MAY[Act.SCHEDULE]]

    async def authorise(connection: Connection) -> None:
        if not await connection.fetchval(_STILL, signed.person, roles):
            raise NotAllowed(Act.SCHEDULE)

    return Sender(name=signed.person, authorise=authorise)


def book_of(gateway: Gateway) -> Book:
    """Return where the schedule is kept."""
    return Book(pool=gateway.pool, register=gateway.register_map, zone=gateway.settings.zone, log_id=gateway.log_id)


async def _import(
    gateway: Gateway, signed: Signed, content: bytes, kind: str, mode: str, *, dry_run: bool, source: str | None, confirm: int | None = None
) -> ImportReport:  # fmt: skip
    """Check, or apply, a file in an officer's name."""
    sender = sender_of(signed)
    try:
        return await import_schedule(
            gateway.pool, file_bytes=content, kind=kind, actor=sender.name, dry_run=dry_run, register=gateway.register_map, zone=gateway.settings.zone,
            mode=mode, confirm=confirm, source=source if mode == FileMode.SNAPSHOT else None, log_id=gateway.log_id, authorise=sender.authorise,
        )  # fmt: skip
    except ScheduleContended as contended:
        raise Busy from contended


@post("/console/schedule/check", include_in_schema=False, request_max_body_size=MOST_BYTES + 64 * 1024)
async def check(request: HttpRequest, gateway: Served) -> Response[str]:
    """Look at an uploaded file: what is wrong with it, or what it would do. Nothing is applied."""
    signed = await officer(request, gateway, Act.SCHEDULE)
    filled = await form(request, UploadForm, seconds=60)
    if filled.value is None:
        return await show_schedule(request, gateway, signed, faults=filled.faults)
    sent = filled.value
    kind = "json" if sent.file.name.lower().endswith(".json") else "csv"
    report = await _import(gateway, signed, sent.file.content, kind, sent.mode.value, dry_run=True, source=sent.source)
    if isinstance(report, ImportRefused):
        return _refused(request, gateway, signed, report)
    async with acting(gateway) as connection, connection.transaction():
        await connection.execute(_DROP, signed.person)
        await connection.execute(
            _DRAFT,
            signed.person,
            report.sha256,
            kind,
            sent.mode.value,
            sent.source or "",
            _plain(sent.file.name),
            sent.file.content,
        )
    return see("/console/schedule/draft")


def _plain(name: str) -> str:
    """Return a file's name as it may be shown: without signs that nobody sees, and short."""
    return "".join(sign for sign in name if sign.isprintable())[:120] or "?"


def _refused(request: HttpRequest, gateway: Gateway, signed: Signed, report: ImportRefused) -> Response[str]:
    context = RefusedPage(sha256=report.sha256, found=found_rows(report.findings, tongue_of(request)), nothing=True)
    return page(request, gateway, "console/work_refused.html", context, signed=signed, room=Room.CONSOLE, here=HERE, status=422)


def found_rows(findings: ScheduleFindings, tongue: Tongue) -> Found:
    """Say rows of a report in the reader's language."""
    return Found(
        rows=tuple(
            Finding(row=one.row, column=one.column or "", why=_sentence(tongue.find(one.why)), mend=_sentence(tongue.find(one.mend)))
            for one in findings.problems[:SHOWN]
        ),
        total=findings.total,
    )  # fmt: skip


def _sentence(text: str) -> str:
    """Begin with a capital and end with a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


@get("/console/schedule/draft", include_in_schema=False)
async def draft(request: HttpRequest, gateway: Served) -> Response[str]:
    """Show what the officer's upload would do now."""
    signed = await officer(request, gateway, Act.SCHEDULE)
    return await show_draft(request, gateway, signed)


async def show_draft(
    request: HttpRequest, gateway: Gateway, signed: Signed, faults: Mapping[str, str] | None = None
) -> Response[str]:
    """Check the officer's upload again, and show it."""
    kept = await _draft_of(gateway, signed)
    report = await _import(
        gateway, signed, kept["content"], kept["kind"], kept["mode"], dry_run=True, source=kept["source"] or None
    )
    if isinstance(report, ImportRefused):
        return _refused(request, gateway, signed, report)
    if not isinstance(report, ImportChecked):
        raise AssertionError("impossible: a dry run was applied")  # noqa: TRY004 - a bug
    tongue = tongue_of(request)
    context = DraftPage(
        name=kept["name"], sha256=report.sha256, source=report.source, mode=tongue.find(MODES[kept["mode"]]),
        counts=say_counts(msgspec.to_builtins(report.counts), tongue), warnings=found_rows(report.warnings, tongue),
        excess=found_rows(report.excess, tongue), confirm=report.confirm, expires_at=kept["expires_at"],
        faults=dict(faults or {}),
    )  # fmt: skip
    status = 422 if faults else 200
    return page(request, gateway, "console/work_draft.html", context, signed=signed, room=Room.CONSOLE, here=HERE, status=status)


async def _draft_of(gateway: Gateway, signed: Signed) -> asyncpg.Record:
    async with reading(gateway) as connection:
        kept = await connection.fetchrow(query("draft_of"), signed.person)
    if kept is None:
        raise NotFoundException
    return kept


@post("/console/schedule/apply", include_in_schema=False)
async def apply(request: HttpRequest, gateway: Served) -> Response[str]:
    """Apply the upload that was looked at, by its hash."""
    signed = await officer(request, gateway, Act.SCHEDULE, stepped_up=True, back="/console/schedule/draft")
    filled = await form(request, ApplyForm)
    kept = await _draft_of(gateway, signed)
    if filled.value is None or filled.value.sha256 != kept["sha256"] or sha256(kept["content"]).hexdigest() != kept["sha256"]:
        filled.fault("sha256", N_("Another file was uploaded meanwhile: look at this one first."))
        return await show_draft(request, gateway, signed, filled.faults)
    report = await _import(
        gateway,
        signed,
        kept["content"],
        kept["kind"],
        kept["mode"],
        dry_run=False,
        source=kept["source"] or None,
        confirm=filled.value.confirm,
    )
    return await _applied(request, gateway, signed, report)


async def _applied(request: HttpRequest, gateway: Gateway, signed: Signed, report: ImportReport) -> Response[str]:
    """Say what became of a file; an upload that took effect, or waits, is thrown away."""
    if isinstance(report, ImportRefused):
        return _refused(request, gateway, signed, report)
    async with acting(gateway) as connection:
        await connection.execute(_DROP, signed.person)
    if isinstance(report, ImportHeld):
        return see("/console/schedule", "schedule-waits")
    if not isinstance(report, ImportApplied):
        raise AssertionError("impossible: neither applied nor held")  # noqa: TRY004 - a bug
    return done(f"/console/schedule/imports/{report.import_id}", "schedule-applied", report.index)


@post("/console/schedule/drop", include_in_schema=False)
async def drop(request: HttpRequest, gateway: Served) -> Response[str]:
    """Throw the officer's upload away."""
    signed = await officer(request, gateway, Act.SCHEDULE)
    await form(request, NoForm)
    async with acting(gateway) as connection:
        await connection.execute(_DROP, signed.person)
    return see("/console/schedule", "schedule-dropped")


# ── files that wait ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@post("/console/schedule/requests/{request_id:str}/approve", include_in_schema=False)
async def approve_request(request: HttpRequest, gateway: Served, request_id: RequestId) -> Response[str]:
    """Approve a file as its second person: it is checked again, and must do what it would have done when it was sent."""
    signed = await officer(request, gateway, Act.SCHEDULE, stepped_up=True, back="/console/schedule")
    filled = await form(request, NoForm)
    try:
        report = await approve(book_of(gateway), sender_of(signed), request_id)
    except RequestUnknown as gone:
        raise NotFoundException from gone
    except ScheduleContended as contended:
        raise Busy from contended
    except ApprovalOwn:
        filled.fault("request", N_("You sent this file yourself: another officer approves it."))
        return await show_schedule(request, gateway, signed, faults=filled.faults)
    if isinstance(report, ImportRefused):
        return _refused(request, gateway, signed, report)
    if not isinstance(report, ImportApplied):
        raise AssertionError("impossible: an approved file waits again")  # noqa: TRY004 - a bug
    return done(f"/console/schedule/imports/{report.import_id}", "schedule-applied", report.index)


@post("/console/schedule/requests/{request_id:str}/withdraw", include_in_schema=False)
async def withdraw_request(request: HttpRequest, gateway: Served, request_id: RequestId) -> Response[str]:
    """Take back, or refuse, a file that waits."""
    await officer(request, gateway, Act.SCHEDULE)
    await form(request, NoForm)
    try:
        async with acting(gateway) as connection:
            await withdraw(connection, request_id)
    except RequestUnknown as gone:
        raise NotFoundException from gone
    return see("/console/schedule", "schedule-withdrawn")


HANDLERS: Final[tuple[Any, ...]] = (check, draft, apply, drop, approve_request, withdraw_request)
