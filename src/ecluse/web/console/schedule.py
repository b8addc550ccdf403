"""The schedule: what is planned, files of places with a dry run first, files that wait for a second officer.

A file is checked as it is uploaded: what is wrong is told row by row, with why and the mend, and nothing is kept. One that may be applied waits for half
an hour as the officer's draft; the page that shows it checks it anew each time, and it is applied by its hash. No value of a file is ever shown.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter, QueryParameter

from ecluse import clock
from ecluse.clock import wire_text
from ecluse.disclosure import Busy
from ecluse.identity.people import MAY, Act, Signed
from ecluse.ids import is_id, is_name
from ecluse.ledger.fields import fields_of
from ecluse.schedule.errors import ApprovalOwn, RequestUnknown, ScheduleContended
from ecluse.schedule.reports import Book, ImportApplied, ImportChecked, ImportHeld, ImportRefused, Sender
from ecluse.schedule.service import approve, import_schedule, waiting, withdraw
from ecluse.web.console.act import done
from ecluse.web.console.names import names_of, say_who
from ecluse.web.console.schedule_words import COUNTS, MODES
from ecluse.web.console.state import PAGE, acting, console_of, reading
from ecluse.web.console.work import query
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import N_, Room, Upload, form, page, see, tongue_of
from ecluse.web.pages.guard import NotAllowed, officer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg

    from ecluse.db import Connection
    from ecluse.schedule.findings import ScheduleFindings
    from ecluse.schedule.reports import ImportReport, Request
    from ecluse.web.pages.frame import Tongue

MOST_BYTES: Final = 16 * 1024 * 1024
"""The largest file that a page takes; the API takes more."""
DAYS: Final = 7
COUNTED: Final = 1_000
"""Sessions of a day that are counted; beyond, the page says that there are more."""
SHOWN: Final = 200
"""Rows of a report that a page shows; it says how many there are in all."""
_HERE: Final = "schedule"
RequestId = Annotated[str, PathParameter(description="A file that waits, or that was applied.")]


class FileMode(StrEnum):
    """How an uploaded file is read; the same words as `ecluse.schedule.model.FILE_MODES`."""

    DELTA = "delta"
    SNAPSHOT = "snapshot"


class DayCount(msgspec.Struct, frozen=True, kw_only=True):
    """A day of the week that is shown. ``sessions``: counted up to a thousand; ``more``: there are more than that."""

    day: date
    sessions: int
    more: bool


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A session, without anybody. ``processor``: its name; ``processor_id``: its id."""

    id: str
    processor: str
    processor_id: str
    purpose: str
    site: str
    room: str
    starts_at: datetime
    ends_at: datetime
    planned: int
    cancelled: int


class WaitingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A file that waits for a second officer. ``own``: the one who looks sent it, and can't approve it."""

    id: str
    source: str
    rows: int
    excess: int
    mode: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    own: bool


class SchedulePage(msgspec.Struct, frozen=True, kw_only=True):
    """What is planned on a day.

    ``day``; ``days``: this one and the next six; ``processor``, ``processors``: what is chosen, of what; ``rows``; ``older``: the address of the next page,
    None at the end; ``waiting``: files that wait for a second officer; ``may``: may import and approve; ``draft``: an upload of theirs waits; ``most``: how
    many bytes a file may have; ``faults``: of the upload's form.
    """

    day: date
    days: tuple[DayCount, ...]
    processor: str
    processors: tuple[tuple[str, str], ...]
    rows: tuple[SessionRow, ...]
    older: str | None
    waiting: tuple[WaitingRow, ...]
    may: bool
    draft: bool
    most: int
    faults: dict[str, str]


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


class ImportRow(msgspec.Struct, frozen=True, kw_only=True):
    """A file in the list. ``applied_at`` None: it was never applied, and has no effect."""

    id: str
    source: str
    rows: int
    mode: str
    actor: str
    started_at: datetime
    applied_at: datetime | None


class ImportsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Files of places, the newest first. ``rows``; ``older``: the address of the next page, None at the end."""

    rows: tuple[ImportRow, ...]
    older: str | None


class ImportPage(msgspec.Struct, frozen=True, kw_only=True):
    """One file.

    ``row``; ``index``: its entry, None where it was erased or is not applied; ``counts``: what it did; ``approved_by``: the second person, empty where none was
    needed; ``digest``: salted, of the file.
    """

    row: ImportRow
    index: int | None
    counts: tuple[tuple[str, int], ...]
    approved_by: str
    digest: str


# ── what is planned ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@get("/console/schedule", include_in_schema=False)
async def schedule(
    request: HttpRequest,
    gateway: Served,
    day: Annotated[date | None, QueryParameter(description="Which day.")] = None,
    processor: Annotated[str, QueryParameter(description="Of which processor; empty: all.")] = "",
    after: Annotated[str, QueryParameter(description="The session before the first.")] = "",
) -> Response[str]:
    """Show what is planned on a day."""
    signed = await officer(request, gateway)
    return await show_schedule(request, gateway, signed, day=day, processor=processor, after=after)


async def show_schedule(
    request: HttpRequest, gateway: Gateway, signed: Signed, *, day: date | None = None, processor: str = "", after: str = "",
    faults: Mapping[str, str] | None = None,
) -> Response[str]:  # fmt: skip
    """Show what is planned, with the upload's form and its faults."""
    zone, tongue = gateway.settings.zone, tongue_of(request)
    shown = max(date(2000, 1, 1), min(date(2200, 1, 1), day or clock.now().astimezone(zone).date()))
    chosen = processor if is_name(processor) else ""
    spans = [_span(shown + timedelta(days=n), zone) for n in range(DAYS)]
    cursor = _cursor(after) or (spans[0][0], "")
    async with reading(gateway) as connection:
        _, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        counted = await connection.fetch(query("days"), COUNTED + 1, [one[0] for one in spans], [one[1] for one in spans])
        if chosen:
            rows = await connection.fetch(query("sessions_of"), chosen, *spans[0], *cursor, PAGE + 1)
        else:
            rows = await connection.fetch(query("sessions_all"), *spans[0], *cursor, PAGE + 1)
        requests = await waiting(connection)
        draft = await connection.fetchrow(query("draft_of"), signed.person) if signed.may(Act.SCHEDULE) else None
        who = await names_of(connection, [one.requested_by for one in requests])
    names = {one.id: one.name for one in everybody.processors.values()}
    query_string = f"?day={shown.isoformat()}" + (f"&processor={chosen}" if chosen else "")
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    context = SchedulePage(
        day=shown,
        days=tuple(
            DayCount(day=shown + timedelta(days=n), sessions=min(row["sessions"], COUNTED), more=row["sessions"] > COUNTED)
            for n, row in enumerate(counted)
        ),
        processor=chosen,
        processors=tuple((one.id, one.name) for one in everybody.processors.values()),
        rows=tuple(session_row(row, names) for row in rows[:PAGE]),
        older=None if last is None else f"/console/schedule{query_string}&after={wire_text(last['starts_at'])}.{last['id']}",
        waiting=tuple(waiting_row(one, who, signed, tongue) for one in requests),
        may=signed.may(Act.SCHEDULE),
        draft=draft is not None,
        most=MOST_BYTES,
        faults=dict(faults or {}),
    )
    status = 422 if faults else 200
    return page(
        request, gateway, "console/work_schedule.html", context, signed=signed, room=Room.CONSOLE, here=_HERE, status=status
    )


def session_row(row: asyncpg.Record | Mapping[str, object], names: Mapping[str, str]) -> SessionRow:
    """Show a session."""
    facts = dict(row)
    of, site = str(facts.pop("processor_id")), facts.pop("site_id")
    return msgspec.convert({**facts, "processor": names.get(of, of), "processor_id": of, "site": site}, SessionRow)


def waiting_row(one: Request, who: Mapping[str, str], signed: Signed, tongue: Tongue) -> WaitingRow:
    """Show a file that waits."""
    return WaitingRow(
        id=one.id, source=one.source, rows=one.rows, excess=one.excess, mode=tongue.find(MODES.get(one.mode, one.mode)),
        requested_by=say_who(one.requested_by, who), requested_at=one.requested_at, expires_at=one.expires_at, own=one.requested_by == signed.person,
    )  # fmt: skip


def _span(day: date, zone: object) -> tuple[datetime, datetime]:
    """Return a local day as a span of instants."""
    begins = [datetime.combine(each, time(), zone).astimezone(UTC) for each in (day, day + timedelta(days=1))]  # type: ignore[arg-type] # a tzinfo
    return begins[0], begins[1]


def _cursor(text: str) -> tuple[datetime, str] | None:
    """Read where a page begins; None for what is none of ours."""
    at, _, name = text.partition(".")
    try:
        instant = datetime.fromisoformat(at)
    except ValueError:
        return None
    return (instant, name) if instant.tzinfo is not None and len(name) <= 40 and name.isascii() else None


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
    return page(request, gateway, "console/work_refused.html", context, signed=signed, room=Room.CONSOLE, here=_HERE, status=422)


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
        counts=said_counts(msgspec.to_builtins(report.counts), tongue), warnings=found_rows(report.warnings, tongue),
        excess=found_rows(report.excess, tongue), confirm=report.confirm, expires_at=kept["expires_at"],
        faults=dict(faults or {}),
    )  # fmt: skip
    status = 422 if faults else 200
    return page(request, gateway, "console/work_draft.html", context, signed=signed, room=Room.CONSOLE, here=_HERE, status=status)


def said_counts(counts: Mapping[str, object], tongue: Tongue) -> tuple[tuple[str, int], ...]:
    """Name the figures of a report; those that are nought are left out."""
    return tuple(
        (tongue.find(text), value) for name, text in COUNTS.items() if isinstance(value := counts.get(name), int) and value
    )


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


# ── files that were applied ──────────────────────────────────────────────────────────────────────────────────────────────────
@get("/console/schedule/imports", include_in_schema=False)
async def imports(
    request: HttpRequest,
    gateway: Served,
    before: Annotated[str, QueryParameter(description="The file after the first.")] = "",
) -> Response[str]:
    """List files of places, the newest first."""
    signed = await officer(request, gateway)
    async with reading(gateway) as connection:
        rows = await connection.fetch(query("imports"), *(_cursor(before) or (None, None)), PAGE + 1)
        who = await names_of(connection, [row["actor"] for row in rows])
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    tongue = tongue_of(request)
    context = ImportsPage(
        rows=tuple(import_row(row, who, tongue) for row in rows[:PAGE]),
        older=None if last is None else f"/console/schedule/imports?before={wire_text(last['started_at'])}.{last['id']}",
    )
    return page(request, gateway, "console/work_imports.html", context, signed=signed, room=Room.CONSOLE, here=_HERE)


def import_row(row: asyncpg.Record, who: Mapping[str, str], tongue: Tongue) -> ImportRow:
    """Show a file in the list."""
    return ImportRow(
        id=row["id"], source=row["source"], rows=row["row_count"], mode=tongue.find(MODES.get(row["mode"], row["mode"])), actor=say_who(row["actor"], who),
        started_at=row["started_at"], applied_at=row["applied_at"],
    )  # fmt: skip


@get("/console/schedule/imports/{request_id:str}", include_in_schema=False)
async def import_one(request: HttpRequest, gateway: Served, request_id: RequestId) -> Response[str]:
    """Show one file: what it did, in whose name, by which entry."""
    signed = await officer(request, gateway)
    if not is_id(request_id, "imp"):
        raise NotFoundException
    async with reading(gateway) as connection:
        row = await connection.fetchrow(query("import_of"), request_id)
        if row is None:
            raise NotFoundException
        entry = await connection.fetchrow(query("applied_entry"), row["applied_at"], request_id)
        said = {} if entry is None else dict(fields_of(entry["fields"]))
        approval = _table(_table(said.get("detail")).get("approval"))
        who = await names_of(connection, [row["actor"], str(approval.get("approver", ""))])
    tongue, detail = tongue_of(request), _table(said.get("detail"))
    context = ImportPage(
        row=import_row(row, who, tongue), index=None if entry is None else entry["index"], counts=said_counts(_table(detail.get("counts")), tongue),
        approved_by=say_who(str(approval.get("approver", "")), who), digest=str(detail.get("file", "")),
    )  # fmt: skip
    return page(request, gateway, "console/work_import.html", context, signed=signed, room=Room.CONSOLE, here=_HERE)


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


HANDLERS: Final[tuple[Any, ...]] = (
    schedule, check, draft, apply, drop, approve_request, withdraw_request, imports, import_one,
)  # fmt: skip
