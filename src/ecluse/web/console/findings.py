"""Findings: something to be mended by a day. Open one, close one in words that say what was done; both are sealed in an officer's name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter, QueryParameter

from ecluse.contracts import Severity
from ecluse.contracts.standing import FREEZING
from ecluse.evidence import EvidenceRefused, FindingUnknown, KeptFinding, Source, foresee, service
from ecluse.identity.people import Act
from ecluse.web.console.act import done, known_processor
from ecluse.web.console.faults import Form, filled_again, put_faults
from ecluse.web.console.foreseen import Foreseen, look_ahead
from ecluse.web.console.governed import rows_of
from ecluse.web.console.names import names_of, say_who
from ecluse.web.console.state import PAGE, acting, console_of, reading
from ecluse.web.console.words import SEVERITIES, SOURCES
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import N_, Filled, Room, Signed, form, page, tongue_of
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    import asyncpg

    from ecluse.web.console.governed import Governed

_SAME: Final = ("id", "title", "due_on", "opened_at", "closed_at")
FindingId = Annotated[str, PathParameter(description="The finding's id.")]
ProcessorId = Annotated[str, PathParameter(description="The processor's id.")]


class FindingLine(msgspec.Struct, frozen=True, kw_only=True):
    """A finding in a list. ``due``: ``over``, ``soon`` (a week at most), ``later``, ``closed``; ``freezes``: it freezes the gate now."""

    id: str
    processor: str
    source: str
    severity: str
    title: str
    due_on: date
    due: str
    freezes: bool
    closed_at: datetime | None


class FindingsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Open findings of all processors, the one due first at the top: ``lines`` of page ``number``, and whether there are ``more``."""

    lines: tuple[FindingLine, ...]
    number: int
    more: bool


class OpenPage(msgspec.Struct, frozen=True, kw_only=True):
    """The ``form`` that opens a finding of a ``processor`` (its id; ``name``); ``severities``, ``sources``: to choose from."""

    processor: str
    name: str
    severities: tuple[tuple[str, str], ...]
    sources: tuple[tuple[str, str], ...]
    form: Form


class FindingPage(msgspec.Struct, frozen=True, kw_only=True):
    """A finding.

    ``id``, ``title``, ``source``, ``severity``: what was found, by what, how bad; ``processor``, ``name``: whose; ``due_on``, ``due``: its last day,
    and how near;
    ``opened_by``, ``opened_at``, ``closed_by``, ``closed_at``, ``closing``: who opened and closed it, when, in which words; ``may``: the reader's role closes;
    ``foreseen``: what closing it would do to the gate, None of one that is closed; ``form``: as it came.
    """

    id: str
    processor: str
    name: str
    source: str
    severity: str
    title: str
    due_on: date
    due: str
    opened_by: str
    opened_at: datetime
    closed_by: str
    closed_at: datetime | None
    closing: str
    may: bool
    foreseen: Foreseen | None
    form: Form


def due_of(due_on: date, today: date, *, closed: bool) -> str:
    """Say how near a day is."""
    days = (due_on - today).days
    return "closed" if closed else "over" if days < 0 else "soon" if days <= 7 else "later"


def finding_line(row: asyncpg.Record | Mapping[str, Any], name: str, at: datetime, zone: ZoneInfo) -> FindingLine:
    """Show a finding in a list."""
    due = due_of(row["due_on"], at.astimezone(zone).date(), closed=row["closed_at"] is not None)
    return FindingLine(
        id=row["id"], processor=name, source=row["source"], severity=row["severity"], title=row["title"], due_on=row["due_on"], due=due,
        freezes=due == "over" and Severity(row["severity"]) in FREEZING, closed_at=row["closed_at"],
    )  # fmt: skip


def make_finding(
    found: KeptFinding, name: str, who: Mapping[str, str], signed: Signed, foreseen: Foreseen | None, today: date, shown: Form
) -> FindingPage:  # fmt: skip
    """Show a finding."""
    return FindingPage(
        processor=found.processor, name=name, source=found.source.value, severity=found.severity.value,
        due=due_of(found.due_on, today, closed=found.closed_at is not None), opened_by=say_who(found.opened_by, who), closed_by=say_who(found.closed_by, who),
        closing=found.closing or "", may=signed.may(Act.FINDINGS), foreseen=foreseen, form=shown, **{name: getattr(found, name) for name in _SAME},
    )  # fmt: skip


@get("/console/findings", include_in_schema=False)
async def findings(
    request: HttpRequest, gateway: Served, number: Annotated[int, QueryParameter(description="Which page.", name="page", ge=1, le=2_000)] = 1
) -> Response[str]:  # fmt: skip
    """List what is open."""
    signed = await officer(request, gateway)
    async with reading(gateway) as connection:
        instant, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        rows = await rows_of(connection, "findings_open", (number - 1) * PAGE)
    names = {one.id: one.name for one in everybody.processors.values()}
    lines = tuple(
        finding_line(row, names.get(row["processor_id"], row["processor_id"]), instant.at, gateway.settings.zone) for row in rows[:PAGE]
    )  # fmt: skip
    context = FindingsPage(lines=lines, number=number, more=len(rows) > PAGE)
    return page(request, gateway, "console/findings.html", context, signed=signed, room=Room.CONSOLE, here="findings")


class OpenForm(msgspec.Struct, frozen=True, kw_only=True):
    """A finding to be opened."""

    source: Source
    severity: Severity
    title: str
    due_on: date


@get("/console/processors/{id:str}/findings/new", include_in_schema=False)
async def new_finding(request: HttpRequest, gateway: Served, id: ProcessorId) -> Response[str]:
    """Show the form that opens a finding."""
    signed = await officer(request, gateway, Act.FINDINGS)
    return _new(request, gateway, signed, await known_processor(request, gateway, id))


def _new(
    request: HttpRequest, gateway: Gateway, signed: Signed, one: Governed, *, filled: Filled[Any] | None = None, status: int = 200
) -> Response[str]:  # fmt: skip
    context = OpenPage(
        processor=one.id, name=one.name, severities=tuple(SEVERITIES.items()), sources=tuple(SOURCES.items()),  form=filled_again(filled),
    )  # fmt: skip
    return page(
        request, gateway, "console/finding_new.html", context, signed=signed, room=Room.CONSOLE, here="findings", status=status
    )


@post("/console/processors/{id:str}/findings", include_in_schema=False, status_code=200)
async def open_finding(request: HttpRequest, gateway: Served, id: ProcessorId) -> Response[str]:
    """Open a finding."""
    signed = await officer(request, gateway, Act.FINDINGS)
    one = await known_processor(request, gateway, id)
    filled = await form(request, OpenForm)
    wanted = filled.value
    if wanted is None:
        return _new(request, gateway, signed, one, filled=filled, status=422)
    try:
        async with acting(gateway) as connection:
            finding, sealed = await service.open_finding(
                connection, log_id=gateway.log_id, processor=id, source=wanted.source, severity=wanted.severity, title=wanted.title,
                due_on=wanted.due_on, actor=signed.person, timezone=gateway.settings.zone,
            )  # fmt: skip
    except EvidenceRefused as refused:
        put_faults(filled, refused.faults, ("title", "due_on", "severity", "source"))
        return _new(request, gateway, signed, one, filled=filled, status=422)
    return done(f"/console/findings/{finding}", "finding-opened", sealed.index)


@get("/console/findings/{id:str}", include_in_schema=False)
async def finding(request: HttpRequest, gateway: Served, id: FindingId) -> Response[str]:
    """Show a finding."""
    signed = await officer(request, gateway)
    return await _finding(request, gateway, signed, id)


async def _finding(
    request: HttpRequest, gateway: Gateway, signed: Signed, id: str, *, filled: Filled[Any] | None = None, status: int = 200
) -> Response[str]:  # fmt: skip
    tongue = tongue_of(request)
    async with reading(gateway) as connection:
        instant, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        try:
            found = await service.finding_of(connection, id)
        except FindingUnknown:
            raise NotFoundException from None
        who = await names_of(connection, [found.opened_by, found.closed_by])
        foreseen = None
        if found.closed_at is None:
            foreseen = await look_ahead(
                connection, gateway, found.processor, lambda standing, at: foresee.if_closed(standing, id, at), tongue
            )
    one = everybody.processors.get(found.processor)
    today = instant.at.astimezone(gateway.settings.zone).date()
    context = make_finding(found, one.name if one else found.processor, who, signed, foreseen, today, filled_again(filled))
    return page(
        request, gateway, "console/finding.html", context, signed=signed, room=Room.CONSOLE, here="findings", status=status
    )


class CloseForm(msgspec.Struct, frozen=True, kw_only=True):
    """What was done about it."""

    closing: str


@post("/console/findings/{id:str}/close", include_in_schema=False, status_code=200)
async def close_finding(request: HttpRequest, gateway: Served, id: FindingId) -> Response[str]:
    """Close a finding."""
    signed = await officer(request, gateway, Act.FINDINGS)
    filled = await form(request, CloseForm)
    if filled.value is None:
        return await _finding(request, gateway, signed, id, filled=filled, status=422)
    try:
        async with acting(gateway) as connection:
            sealed = await service.close_finding(
                connection, id, log_id=gateway.log_id, closing=filled.value.closing, actor=signed.person
            )
    except EvidenceRefused as refused:
        put_faults(filled, refused.faults, ("closing",))
        return await _finding(request, gateway, signed, id, filled=filled, status=422)
    except FindingUnknown:
        filled.fault("closing", N_("Somebody else closed it meanwhile."))
        return await _finding(request, gateway, signed, id, filled=filled, status=409)
    return done(f"/console/findings/{id}", "finding-closed", sealed.index)


HANDLERS: Final = [findings, new_finding, open_finding, finding, close_finding]
