"""Evidence: hand a document in, look at it, accept, reject or withdraw it. What moves a gate is a sealed entry in an officer's name.

The same use cases, and the same look into every byte, as behind ``/v1/evidence``. A document is only ever handed out as a file to be saved, under a policy
that lets it do nothing where a browser should open it all the same.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter, QueryParameter

from ecluse.contracts import EvidenceKind
from ecluse.evidence import (
    Evidence,
    EvidenceBroken,
    EvidenceRefused,
    EvidenceUnknown,
    MediaType,
    NamedSubProcessor,
    Submission,
    TooManyWaiting,
    foresee,
    service,
)
from ecluse.evidence.model import MOST_BYTES
from ecluse.evidence.parse import read_table
from ecluse.identity.people import Act
from ecluse.web.console.act import done, known_processor
from ecluse.web.console.faults import Form, filled_again, put_faults
from ecluse.web.console.foreseen import Foreseen, look_ahead
from ecluse.web.console.governed import rows_of
from ecluse.web.console.names import names_of, say_who
from ecluse.web.console.state import PAGE, acting, console_of, reading
from ecluse.web.console.words import kind_name
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import N_, Filled, Room, Signed, Tongue, Upload, form, page, tongue_of
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    import asyncpg

    from ecluse.db import Connection
    from ecluse.web.console.governed import Governed

MOST_BODY: Final = MOST_BYTES + 1024 * 1024
_BODY_SECONDS: Final = 120
_AT_ONCE: Final = asyncio.Semaphore(2)
"""Documents that a process takes in at the same moment, so that memory is bounded."""
_EXTENSIONS: Final[Mapping[MediaType, str]] = {
    MediaType.PDF: "pdf", MediaType.PNG: "png", MediaType.JPEG: "jpg", MediaType.TEXT: "txt", MediaType.CSV: "csv", MediaType.XLSX: "xlsx",
    MediaType.ODS: "ods",
}  # fmt: skip
_SAFE: Final = {
    "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
}

EvidenceId = Annotated[str, PathParameter(description="The document's id.")]
ProcessorId = Annotated[str, PathParameter(description="The processor's id.")]
Number = Annotated[int, QueryParameter(description="Which page.", name="page", ge=1, le=2_000)]
KindAsked = Annotated[str, QueryParameter(description="A kind of evidence.", max_length=40)]


class DocumentLine(msgspec.Struct, frozen=True, kw_only=True):
    """A document in a list. ``processor``: whose, empty where all are of one."""

    id: str
    processor: str
    kind: str
    title: str
    issuer: str
    state: str
    reviewed_on: date | None
    ends_on: date | None
    submitted_at: datetime


class WaitingPage(msgspec.Struct, frozen=True, kw_only=True):
    """Documents of all processors that wait for a person, the oldest first: ``lines``, and whether there are ``more`` behind them."""

    lines: tuple[DocumentLine, ...]
    more: bool


class EvidencePage(msgspec.Struct, frozen=True, kw_only=True):
    """The documents of a ``processor`` (its id; ``name``), a page of them, and the ``form`` that hands one in.

    ``lines``, ``number``, ``more``: documents, of which page, whether there are others; ``kinds``: what may be handed in, key and name;
    ``required``: those that
    the contract asks for; ``sites``: of the contract.
    """

    processor: str
    name: str
    lines: tuple[DocumentLine, ...]
    number: int
    more: bool
    kinds: tuple[tuple[str, str], ...]
    required: tuple[str, ...]
    sites: tuple[str, ...]
    form: Form


class SubProcessorLine(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a list of sub-processors, without its contact."""

    name: str
    country: str
    role: str


class DocumentPage(msgspec.Struct, frozen=True, kw_only=True):
    """A document: what is said of it, and what became of it.

    ``id``, ``kind``, ``title``, ``issuer``, ``scope``, ``sites``, ``period``, ``reviewed_on``, ``ends_on``, ``bridges``, ``sub_processors``: as it
    was handed in;
    ``processor``, ``name``: whose; ``media_type``, ``size_bytes``, ``sha256``: of the file; ``state``; ``submitted_by``, ``submitted_at``, ``accepted_by``,
    ``accepted_at``, ``rejected_by``, ``rejected_at``, ``rejected_why``, ``withdrawn_by``, ``withdrawn_at``: who did what, when; ``own``: the reader
    handed it in;
    ``may``: their role judges; ``foreseen``: what accepting or withdrawing it would do to the gate; ``form``: as it came.
    """

    id: str
    processor: str
    name: str
    kind: str
    title: str
    issuer: str
    scope: str
    state: str
    sites: tuple[str, ...]
    period: tuple[date, date] | None
    reviewed_on: date
    ends_on: date | None
    bridges: str | None
    sub_processors: tuple[SubProcessorLine, ...]
    media_type: str
    size_bytes: int
    sha256: str
    submitted_by: str
    submitted_at: datetime
    accepted_by: str
    accepted_at: datetime | None
    rejected_by: str
    rejected_at: datetime | None
    rejected_why: str
    withdrawn_by: str
    withdrawn_at: datetime | None
    own: bool
    may: bool
    foreseen: Foreseen | None
    form: Form


def document_line(row: asyncpg.Record, tongue: Tongue, name: str = "") -> DocumentLine:
    """Show a document in a list."""
    state = (
        "rejected"
        if row.get("rejected_at")
        else "withdrawn"
        if row.get("withdrawn_at")
        else "accepted"
        if row.get("accepted_at")
        else "submitted"
    )
    return DocumentLine(
        id=row["id"], processor=name, kind=kind_name(row["kind"], tongue), title=row["title"], issuer=row.get("issuer") or "", state=state,
        reviewed_on=row.get("reviewed_on"), ends_on=row.get("ends_on"), submitted_at=row["submitted_at"],
    )  # fmt: skip


def make_document(
    found: Evidence, name: str, who: Mapping[str, str], signed: Signed, foreseen: Foreseen | None, tongue: Tongue, shown: Form
) -> DocumentPage:  # fmt: skip
    """Show a document."""
    same = (
        "id", "processor", "title", "issuer", "scope", "sites", "period", "reviewed_on", "ends_on", "bridges", "size_bytes", "sha256", "submitted_at",
        "accepted_at", "rejected_at", "withdrawn_at",
    )  # fmt: skip
    return DocumentPage(
        name=name, kind=kind_name(found.kind, tongue), state=found.state.value, media_type=found.media_type.value,
        sub_processors=tuple(SubProcessorLine(name=each.name, country=each.country, role=each.role) for each in found.sub_processors),
        submitted_by=say_who(found.submitted_by, who), accepted_by=say_who(found.accepted_by, who), rejected_by=say_who(found.rejected_by, who),
        rejected_why=found.rejected_why or "", withdrawn_by=say_who(found.withdrawn_by, who), own=found.submitted_by == signed.person,
        may=signed.may(Act.EVIDENCE), foreseen=foreseen, form=shown, **{each: getattr(found, each) for each in same},
    )  # fmt: skip


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@get("/console/evidence", include_in_schema=False)
async def waiting(request: HttpRequest, gateway: Served) -> Response[str]:
    """List the documents that wait for somebody."""
    signed = await officer(request, gateway)
    tongue = tongue_of(request)
    async with reading(gateway) as connection:
        _, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        rows = await rows_of(connection, "waiting_documents")
    names = {one.id: one.name for one in everybody.processors.values()}
    lines = tuple(document_line(row, tongue, names.get(row["processor_id"], row["processor_id"])) for row in rows[:PAGE])
    context = WaitingPage(lines=lines, more=len(rows) > PAGE)
    return page(request, gateway, "console/evidence.html", context, signed=signed, room=Room.CONSOLE, here="evidence")


@get("/console/processors/{id:str}/evidence", include_in_schema=False)
async def documents(
    request: HttpRequest, gateway: Served, id: ProcessorId, number: Number = 1, kind: KindAsked = ""
) -> Response[str]:
    """List a processor's documents, with the form that hands one in."""
    signed = await officer(request, gateway)
    one = await known_processor(request, gateway, id)
    shown = Form(entered={"kind": kind}) if kind in {each.value for each in EvidenceKind} else None
    return await _documents(request, gateway, signed, one, shown=shown, number=number)


async def _documents(
    request: HttpRequest, gateway: Gateway, signed: Signed, one: Governed, *, shown: Form | None = None, number: int = 1, status: int = 200
) -> Response[str]:  # fmt: skip
    tongue = tongue_of(request)
    async with reading(gateway) as connection:
        rows = await rows_of(connection, "documents_of", one.id, (number - 1) * PAGE)
    contract = one.contract
    context = EvidencePage(
        processor=one.id, name=one.name, lines=tuple(document_line(row, tongue) for row in rows[:PAGE]), number=number, more=len(rows) > PAGE,
        kinds=tuple((each.value, kind_name(each.value, tongue)) for each in EvidenceKind),
        required=tuple(kind_name(each.kind, tongue) for each in contract.evidence_required) if contract else (),
        sites=tuple(contract.sites) if contract else (), form=shown or Form(),
    )  # fmt: skip
    return page(
        request, gateway, "console/documents.html", context, signed=signed, room=Room.CONSOLE, here="processors", status=status
    )


# ── handing in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
class UploadForm(msgspec.Struct, frozen=True, kw_only=True):
    """A document that is handed in, and what is said of it."""

    kind: EvidenceKind
    title: str
    issuer: str
    reviewed_on: date
    document: Upload
    ends_on: date | None = None
    scope: str = ""
    sites: list[str] = []
    period_from: date | None = None
    period_until: date | None = None
    bridges: str | None = None


@post("/console/processors/{id:str}/evidence", include_in_schema=False, status_code=200, request_max_body_size=MOST_BODY)
async def upload(request: HttpRequest, gateway: Served, id: ProcessorId) -> Response[str]:
    """Hand a document in for a processor. It counts for nothing until somebody accepts it."""
    signed = await officer(request, gateway, Act.EVIDENCE)
    one = await known_processor(request, gateway, id)
    async with _AT_ONCE:
        filled = await form(request, UploadForm, seconds=_BODY_SECONDS)
        kept = await _keep(gateway, signed, one, filled)
    if kept is None:
        return await _documents(request, gateway, signed, one, shown=filled_again(filled), status=422)
    return done(f"/console/evidence/{kept.id}", "evidence-kept")


async def _keep(gateway: Gateway, signed: Signed, one: Governed, filled: Filled[UploadForm]) -> Evidence | None:
    """Keep a document; None: its faults are noted beside the fields."""
    wanted = filled.value
    if wanted is not None and (wanted.period_from is None) != (wanted.period_until is None):
        filled.fault("period_until", N_("A time has a first and a last day: write both, or none."))
        wanted = None
    if wanted is None:
        filled.faults.setdefault("document", filled.tongue.say(N_("Choose the file once more: a browser does not keep it.")))
        return None
    period = (
        (wanted.period_from, wanted.period_until) if wanted.period_from is not None and wanted.period_until is not None else None
    )
    try:
        rows: tuple[NamedSubProcessor, ...] = ()
        if wanted.kind is EvidenceKind.SUB_PROCESSOR_LIST:
            # NOTE(why): a large file is taken apart in a thread, or every decision of this process would wait for it.
            rows = await asyncio.to_thread(read_table, wanted.document.content)
        asked = Submission(
            processor=one.id, kind=wanted.kind.value, title=wanted.title, issuer=wanted.issuer, scope=wanted.scope, sites=tuple(wanted.sites),
            period=period, reviewed_on=wanted.reviewed_on, ends_on=wanted.ends_on, bridges=wanted.bridges, sub_processors=rows,
        )  # fmt: skip
        async with acting(gateway) as connection:
            kept = await service.submit(
                connection, gateway.vault, asked, wanted.document.content, actor=signed.person, attributes=gateway.attributes,
                timezone=gateway.settings.zone,
            )  # fmt: skip
    except EvidenceRefused as refused:
        put_faults(filled, refused.faults, ("document", *UploadForm.__struct_fields__))
        return None
    except TooManyWaiting:
        filled.fault("document", N_("Too many documents of this processor wait already. Accept or reject some first."))
        return None
    return kept.evidence


# ── one document ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@get("/console/evidence/{id:str}", include_in_schema=False)
async def document(request: HttpRequest, gateway: Served, id: EvidenceId) -> Response[str]:
    """Show a document."""
    signed = await officer(request, gateway)
    return await _document(request, gateway, signed, id)


async def _document(
    request: HttpRequest, gateway: Gateway, signed: Signed, id: str, *, filled: Filled[Any] | None = None, status: int = 200
) -> Response[str]:  # fmt: skip
    tongue = tongue_of(request)
    async with reading(gateway) as connection:
        _, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        found = await _found(connection, id)
        who = await names_of(connection, [found.submitted_by, found.accepted_by, found.rejected_by, found.withdrawn_by])
        foreseen = None
        if found.state.value == "submitted":
            foreseen = await look_ahead(
                connection, gateway, found.processor, lambda standing, at: foresee.if_accepted(standing, found, at), tongue
            )
        elif found.state.value == "accepted":
            foreseen = await look_ahead(
                connection, gateway, found.processor, lambda standing, at: foresee.if_withdrawn(standing, id, at), tongue
            )
    one = everybody.processors.get(found.processor)
    context = make_document(found, one.name if one else found.processor, who, signed, foreseen, tongue, filled_again(filled))
    return page(
        request, gateway, "console/document.html", context, signed=signed, room=Room.CONSOLE, here="evidence", status=status
    )


async def _found(connection: Connection, id: str) -> Evidence:
    """Return a document. Raises `NotFoundException`."""
    try:
        return await service.evidence_of(connection, id)
    except EvidenceUnknown:
        raise NotFoundException from None


@get("/console/evidence/{id:str}/file", include_in_schema=False)
async def document_file(request: HttpRequest, gateway: Served, id: EvidenceId) -> Response[bytes]:
    """Hand a document's bytes out, to be saved: checked against their hash first."""
    await officer(request, gateway)
    async with reading(gateway) as connection:
        found = await _found(connection, id)
        found, content = await service.fetch(connection, gateway.vault, found.id)
    name = f"{found.processor}-{found.kind}-{found.reviewed_on.isoformat()}-{found.id[4:10]}.{_EXTENSIONS[found.media_type]}"
    return attachment(content, found.media_type.value, name)


def attachment(content: bytes, media_type: str, name: str) -> Response[bytes]:
    """Answer with a file to be saved. ``name``: of ours; what is no letter, digit, dot or dash is not in it."""
    plain = re.sub(r"[^a-zA-Z0-9._-]", "-", name)[:150]
    return Response(
        content=content, media_type=media_type, headers=_SAFE | {"content-disposition": f'attachment; filename="{plain}"'}
    )


class WhyForm(msgspec.Struct, frozen=True, kw_only=True):
    """Why."""

    why: str


class NoForm(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing but the button."""


@post("/console/evidence/{id:str}/accept", include_in_schema=False, status_code=200)
async def accept(request: HttpRequest, gateway: Served, id: EvidenceId) -> Response[str]:
    """Let a document count from now on, in an officer's name."""
    signed = await officer(request, gateway, Act.EVIDENCE, stepped_up=True)
    filled = await form(request, NoForm)
    try:
        async with acting(gateway) as connection:
            await _found(connection, id)
            sealed = await service.accept(connection, gateway.vault, id, log_id=gateway.log_id, actor=signed.person)
    except EvidenceRefused as refused:
        put_faults(filled, refused.faults, ("accept",))
        return await _document(request, gateway, signed, id, filled=filled, status=422)
    except EvidenceBroken:
        filled.fault(
            "accept", N_("What is kept is not what was handed in, so it is not accepted. Call whoever runs this gateway.")
        )
        return await _document(request, gateway, signed, id, filled=filled, status=422)
    except EvidenceUnknown:
        filled.fault("accept", N_("Somebody else decided on this document meanwhile: look at it again."))
        return await _document(request, gateway, signed, id, filled=filled, status=409)
    return done(f"/console/evidence/{id}", "evidence-accepted", sealed.index)


@post("/console/evidence/{id:str}/reject", include_in_schema=False, status_code=200)
async def reject(request: HttpRequest, gateway: Served, id: EvidenceId) -> Response[str]:
    """Say no to a document, with the reason that its sender is shown."""
    signed = await officer(request, gateway, Act.EVIDENCE)
    filled = await form(request, WhyForm)
    if filled.value is None:
        return await _document(request, gateway, signed, id, filled=filled, status=422)
    try:
        async with acting(gateway) as connection:
            await _found(connection, id)
            await service.reject(connection, id, actor=signed.person, why=filled.value.why)
    except EvidenceRefused as refused:
        put_faults(filled, refused.faults, ("why",))
        return await _document(request, gateway, signed, id, filled=filled, status=422)
    except EvidenceUnknown:
        filled.fault("why", N_("Somebody else decided on this document meanwhile: look at it again."))
        return await _document(request, gateway, signed, id, filled=filled, status=409)
    return done(f"/console/evidence/{id}", "evidence-rejected")


@post("/console/evidence/{id:str}/withdraw", include_in_schema=False, status_code=200)
async def withdraw(request: HttpRequest, gateway: Served, id: EvidenceId) -> Response[str]:
    """Let an accepted document count no more."""
    signed = await officer(request, gateway, Act.EVIDENCE, stepped_up=True)
    filled = await form(request, NoForm)
    try:
        async with acting(gateway) as connection:
            await _found(connection, id)
            sealed = await service.withdraw(connection, id, log_id=gateway.log_id, actor=signed.person)
    except EvidenceUnknown:
        filled.fault("withdraw", N_("Somebody else decided on this document meanwhile: look at it again."))
        return await _document(request, gateway, signed, id, filled=filled, status=409)
    return done(f"/console/evidence/{id}", "evidence-withdrawn", sealed.index)


HANDLERS: Final = [waiting, documents, upload, document, document_file, accept, reject, withdraw]
