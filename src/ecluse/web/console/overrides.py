"""Overrides: reasons that freeze a gate, lifted by two persons for at most 72 hours. One asks, another approves; one is enough to end it.

The database refuses an approval by whoever asked, whatever a page says; the page says it kindly before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter

from ecluse.evidence import EvidenceRefused, KeptOverride, OverrideOwn, OverrideUnknown, foresee, service
from ecluse.evidence.check import MOST_HOURS
from ecluse.identity.people import Act
from ecluse.web.console.act import done, known_processor
from ecluse.web.console.faults import Form, filled_again, put_faults
from ecluse.web.console.foreseen import Foreseen, look_ahead
from ecluse.web.console.governed import rows_of
from ecluse.web.console.names import names_of, say_who
from ecluse.web.console.state import PAGE, acting, console_of, reading
from ecluse.web.console.words import Reason, reasons_of
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import N_, Filled, Room, Signed, Tongue, form, page, tongue_of
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    import asyncpg

    from ecluse.db import Connection
    from ecluse.web.console.governed import Governed

OverrideId = Annotated[str, PathParameter(description="The override's id.")]
ProcessorId = Annotated[str, PathParameter(description="The processor's id.")]


class OverrideLine(msgspec.Struct, frozen=True, kw_only=True):
    """An override in a list."""

    id: str
    processor: str
    reasons: tuple[Reason, ...]
    hours: int
    why: str
    asked_by: str
    asked_at: datetime
    until_at: datetime | None
    state: str


class OverridesPage(msgspec.Struct, frozen=True, kw_only=True):
    """Overrides of all processors, the newest first: ``lines``, and whether there are ``more``."""

    lines: tuple[OverrideLine, ...]
    more: bool


class AskPage(msgspec.Struct, frozen=True, kw_only=True):
    """The ``form`` that asks for one, of a ``processor`` (its id; ``name``) whose gate is in a ``state``.

    ``freezing``: the reasons that freeze now and can be lifted, none: there is nothing to ask for; ``others``: those that stay; ``most_hours``: the longest.
    """

    processor: str
    name: str
    state: str
    freezing: tuple[Reason, ...]
    others: tuple[Reason, ...]
    most_hours: int
    form: Form


class OverridePage(msgspec.Struct, frozen=True, kw_only=True):
    """An override.

    ``id``, ``reasons``, ``why``, ``hours``, ``state``: what is lifted, why, for how long, and how it stands; ``processor``, ``name``: whose; ``asked_by``,
    ``asked_at``, ``approved_by``, ``approved_at``, ``revoked_by``, ``revoked_at``, ``until_at``: who did what, when; ``own``: the reader asked for it;
    ``may_approve``, ``may_revoke``: what their role and its state allow; ``foreseen``: what the act that comes next would do to the gate; ``form``: as it came.
    """

    id: str
    processor: str
    name: str
    reasons: tuple[Reason, ...]
    why: str
    hours: int
    state: str
    asked_by: str
    asked_at: datetime
    approved_by: str
    approved_at: datetime | None
    revoked_by: str
    revoked_at: datetime | None
    until_at: datetime | None
    own: bool
    may_approve: bool
    may_revoke: bool
    foreseen: Foreseen | None
    form: Form


def override_line(row: asyncpg.Record, name: str, tongue: Tongue, who: Mapping[str, str]) -> OverrideLine:
    """Show an override in a list."""
    return OverrideLine(
        id=row["id"], processor=name, reasons=reasons_of(row["reasons"], row["processor_id"], tongue), hours=row["hours"], why=row["why"],
        asked_by=say_who(row["asked_by"], who), asked_at=row["asked_at"], until_at=row["until_at"], state=row["state"],
    )  # fmt: skip


def make_override(
    found: KeptOverride, name: str, who: Mapping[str, str], signed: Signed, foreseen: Foreseen | None, tongue: Tongue, shown: Form
) -> OverridePage:  # fmt: skip
    """Show an override."""
    own = found.asked_by == signed.person
    return OverridePage(
        id=found.id, processor=found.processor, name=name, reasons=reasons_of(found.reasons, found.processor, tongue), why=found.why, hours=found.hours,
        state=found.state, asked_by=say_who(found.asked_by, who), asked_at=found.asked_at, approved_by=say_who(found.approved_by, who),
        approved_at=found.approved_at, revoked_by=say_who(found.revoked_by, who), revoked_at=found.revoked_at, until_at=found.until_at, own=own,
        may_approve=found.state == "asked" and not own and signed.may(Act.OVERRIDE_APPROVE),
        may_revoke=found.state == "in force" and signed.may(Act.OVERRIDE_ASK), foreseen=foreseen, form=shown,
    )  # fmt: skip


@get("/console/overrides", include_in_schema=False)
async def overrides(request: HttpRequest, gateway: Served) -> Response[str]:
    """List overrides."""
    signed = await officer(request, gateway)
    async with reading(gateway) as connection:
        _, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        rows = await rows_of(connection, "overrides_of", None)
        who = await names_of(connection, [row["asked_by"] for row in rows])
    names, tongue = {one.id: one.name for one in everybody.processors.values()}, tongue_of(request)
    lines = tuple(override_line(row, names.get(row["processor_id"], row["processor_id"]), tongue, who) for row in rows[:PAGE])
    context = OverridesPage(lines=lines, more=len(rows) > PAGE)
    return page(request, gateway, "console/overrides.html", context, signed=signed, room=Room.CONSOLE, here="overrides")


class AskForm(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be lifted, for how many hours, and why people can't wait."""

    reasons: list[str]
    hours: Annotated[int, msgspec.Meta(ge=1, le=MOST_HOURS)]
    why: str


@get("/console/processors/{id:str}/overrides/new", include_in_schema=False)
async def new_override(request: HttpRequest, gateway: Served, id: ProcessorId) -> Response[str]:
    """Show the form that asks for an override."""
    signed = await officer(request, gateway, Act.OVERRIDE_ASK)
    return await _new(request, gateway, signed, await known_processor(request, gateway, id))


async def _new(
    request: HttpRequest, gateway: Gateway, signed: Signed, one: Governed, *, filled: Filled[Any] | None = None, status: int = 200
) -> Response[str]:  # fmt: skip
    tongue = tongue_of(request)
    async with reading(gateway) as connection:
        instant, _ = await console_of(request, gateway).register.read(connection, gateway.log_id)
        freezing = await service.freezing_now(connection, one.id, attributes=gateway.attributes, timezone=gateway.settings.zone)
    gate = one.gate(instant.at)
    context = AskPage(
        processor=one.id, name=one.name, state=gate.state.value, freezing=reasons_of(freezing, one.id, tongue),
        others=reasons_of([code for code in gate.reasons if code not in freezing], one.id, tongue), most_hours=MOST_HOURS, form=filled_again(filled),
    )  # fmt: skip
    return page(
        request, gateway, "console/override_new.html", context, signed=signed, room=Room.CONSOLE, here="overrides", status=status
    )


@post("/console/processors/{id:str}/overrides", include_in_schema=False, status_code=200)
async def ask(request: HttpRequest, gateway: Served, id: ProcessorId) -> Response[str]:
    """Ask that reasons be lifted. It lifts nothing until another officer approves it."""
    signed = await officer(request, gateway, Act.OVERRIDE_ASK)
    one = await known_processor(request, gateway, id)
    filled = await form(request, AskForm)
    wanted = filled.value
    if wanted is None:
        return await _new(request, gateway, signed, one, filled=filled, status=422)
    try:
        async with acting(gateway) as connection:
            found = await service.ask_override(
                connection, processor=id, reasons=tuple(wanted.reasons), why=wanted.why, hours=wanted.hours, actor=signed.person,
                attributes=gateway.attributes, timezone=gateway.settings.zone,
            )  # fmt: skip
    except EvidenceRefused as refused:
        put_faults(filled, refused.faults, ("reasons", "hours", "why"))
        return await _new(request, gateway, signed, one, filled=filled, status=422)
    return done(f"/console/overrides/{found.id}", "override-asked")


@get("/console/overrides/{id:str}", include_in_schema=False)
async def override(request: HttpRequest, gateway: Served, id: OverrideId) -> Response[str]:
    """Show an override."""
    signed = await officer(request, gateway)
    return await _override(request, gateway, signed, id)


async def _override(
    request: HttpRequest, gateway: Gateway, signed: Signed, id: str, *, filled: Filled[Any] | None = None, status: int = 200
) -> Response[str]:  # fmt: skip
    tongue = tongue_of(request)
    async with reading(gateway) as connection:
        _, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        try:
            found = await service.override_of(connection, id)
        except OverrideUnknown:
            raise NotFoundException from None
        who = await names_of(connection, [found.asked_by, found.approved_by, found.revoked_by])
        foreseen = None
        if found.state == "asked":
            foreseen = await look_ahead(
                connection, gateway, found.processor, lambda standing, at: foresee.if_approved(standing, found, at), tongue
            )
        elif found.state == "in force":
            foreseen = await look_ahead(
                connection, gateway, found.processor, lambda standing, at: foresee.if_revoked(standing, id, at), tongue
            )
    one = everybody.processors.get(found.processor)
    context = make_override(found, one.name if one else found.processor, who, signed, foreseen, tongue, filled_again(filled))
    return page(
        request, gateway, "console/override.html", context, signed=signed, room=Room.CONSOLE, here="overrides", status=status
    )


class NoForm(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing but the button."""


@post("/console/overrides/{id:str}/approve", include_in_schema=False, status_code=200)
async def approve(request: HttpRequest, gateway: Served, id: OverrideId) -> Response[str]:
    """Lift the reasons from now on, as a second person."""
    signed = await officer(request, gateway, Act.OVERRIDE_APPROVE, stepped_up=True)
    filled = await form(request, NoForm)
    try:
        async with acting(gateway) as connection:
            await _there(connection, id)
            sealed = await service.approve_override(connection, id, log_id=gateway.log_id, actor=signed.person)
    except OverrideOwn:
        filled.fault("approve", N_("You asked for it yourself, so another person has to approve it. Call a colleague."))
        return await _override(request, gateway, signed, id, filled=filled, status=403)
    except OverrideUnknown:
        filled.fault("approve", N_("It can no longer be approved: it was decided on meanwhile, or its day is over."))
        return await _override(request, gateway, signed, id, filled=filled, status=409)
    return done(f"/console/overrides/{id}", "override-approved", sealed.index)


@post("/console/overrides/{id:str}/revoke", include_in_schema=False, status_code=200)
async def revoke(request: HttpRequest, gateway: Served, id: OverrideId) -> Response[str]:
    """End an override that is in force."""
    signed = await officer(request, gateway, Act.OVERRIDE_ASK, stepped_up=True)
    filled = await form(request, NoForm)
    try:
        async with acting(gateway) as connection:
            await _there(connection, id)
            sealed = await service.revoke_override(connection, id, log_id=gateway.log_id, actor=signed.person)
    except OverrideUnknown:
        filled.fault("revoke", N_("It is not in force any more."))
        return await _override(request, gateway, signed, id, filled=filled, status=409)
    return done(f"/console/overrides/{id}", "override-revoked", sealed.index)


async def _there(connection: Connection, id: str) -> None:
    """Refuse an override that is not there. Raises `NotFoundException`."""
    try:
        await service.override_of(connection, id)
    except OverrideUnknown:
        raise NotFoundException from None


HANDLERS: Final = [overrides, new_override, ask, override, approve, revoke]
