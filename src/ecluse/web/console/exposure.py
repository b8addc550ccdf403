"""Exposure: what a thief of credentials could reach now and over the next 30 days, of everybody and of one processor, drawn and as tables.

The page stands at once and asks for its figures then; what it gets says of which instant it is. Without script it is a link.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from litestar import Response, get
from litestar.params import PathParameter
from markupsafe import Markup

from ecluse.exposure.draw import draw
from ecluse.exposure.errors import NoProcessor
from ecluse.exposure.series import composition
from ecluse.exposure.words import Words
from ecluse.web.console.act import known_processor
from ecluse.web.console.pictures import FRESH, Own, Whole
from ecluse.web.console.state import console_of
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import Room, Signed, Tongue, is_partial, page, partial, tongue_of
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from ecluse.exposure import Count, Reach

MOST_LINES: Final = 100
ProcessorId = Annotated[str, PathParameter(description="The processor's id.")]


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A number with its side: ``exact`` where the best attack reaches it, else nobody can have more."""

    most: int
    exact: bool


class ReachLine(msgspec.Struct, frozen=True, kw_only=True):
    """What could be reached with a processor's credentials, now and over 30 days. ``values``: persons x attributes; ``bound``: what holds it down."""

    id: str
    name: str
    now: Counted
    values: int
    until: datetime | None
    month: Counted
    bound: str


class ExposurePage(msgspec.Struct, frozen=True, kw_only=True):
    """The page around the figures of everybody. ``seconds``: how old figures may be."""

    seconds: int


class WholePart(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody's figures ``at`` an instant.

    ``together``, ``together_month``: distinct persons of all processors, now and within 30 days; ``picture``: SVG of ours; ``lines``: the largest
    first, and how
    many ``more`` there are; ``command``: that answers with the same numbers.
    """

    at: datetime
    together: Counted
    together_month: Counted
    picture: Markup
    lines: tuple[ReachLine, ...]
    more: int
    command: str


class DayLine(msgspec.Struct, frozen=True, kw_only=True):
    """A day to come: persons in reach on it alone, and from now to its end."""

    on: date
    alone: Counted
    so_far: Counted
    shut: str


class AttributeLine(msgspec.Struct, frozen=True, kw_only=True):
    """An attribute in reach now: in which forms, of how many persons."""

    name: str
    forms: str
    persons: Counted


class OwnPart(msgspec.Struct, frozen=True, kw_only=True):
    """One processor's figures (``id``, ``name``) ``at`` an instant.

    ``now``, ``values``, ``until``, ``bound``: persons in reach, persons x attributes, until when, and what holds it down; ``month``: within 30 days;
    ``scheduler``:
    with the scheduling key stolen too; ``held``: persons it was given within retention; ``attributes``: in reach now;
    ``picture``, ``days``, ``command``: the days
    to come, drawn and as a table, and the command that answers with them.
    """

    id: str
    name: str
    at: datetime
    now: Counted
    values: int
    until: datetime | None
    bound: str
    month: Counted
    scheduler: Counted
    held: int | None
    attributes: tuple[AttributeLine, ...]
    picture: Markup
    days: tuple[DayLine, ...]
    command: str


def counted(count: Count) -> Counted:
    """Show a number with its side."""
    return Counted(most=count.most, exact=count.exact)


def make_whole(whole: Whole, zone: ZoneInfo, tongue: Tongue) -> WholePart:
    """Draw everybody's exposure, the largest first."""
    words, now = Words(tongue.language, zone), whole.now
    months = {reach.holder.processor: reach for reach in whole.month.reaches}
    ordered = sorted(now.reaches, key=lambda reach: (-reach.values, -months[reach.holder.processor].values, reach.holder))
    shown = composition(
        now.reaches, names=now.names, together=now.together, at=now.at, window=now.window, standing=True, one=False
    )
    return WholePart(
        at=now.at, together=counted(now.together), together_month=counted(whole.month.together),
        picture=_drawn(draw(shown, zone=zone, language=tongue.language)),
        lines=tuple(_line(reach, months[reach.holder.processor], now.names, words) for reach in ordered[:MOST_LINES]),
        more=max(0, len(ordered) - MOST_LINES), command=shown.command,
    )  # fmt: skip


def _drawn(svg: str) -> Markup:
    """Hand a drawing of ours to a template as it is: `ecluse.svg` has escaped every word in it, and nothing else is handed on so."""
    return Markup(svg)  # noqa: S704 - made by ecluse.exposure.draw, every text through ecluse.svg.plain


def _line(now: Reach, month: Reach, names: dict[str, str], words: Words) -> ReachLine:
    name = now.holder.processor
    return ReachLine(
        id=name, name=names.get(name, name), now=counted(now.persons), values=now.values, until=now.until,
        month=counted(month.persons), bound=words.binding(now.binding.value),
    )  # fmt: skip


def make_own(own: Own, processor: str, zone: ZoneInfo, tongue: Tongue) -> OwnPart:
    """Draw one processor's exposure over the days to come."""
    words, now = Words(tongue.language, zone), own.now.reaches[0]
    return OwnPart(
        id=processor, name=own.now.names.get(processor, processor), at=own.now.at, now=counted(now.persons), values=now.values, until=now.until,
        bound=words.binding(now.binding.value), month=counted(own.month.reaches[0].persons), scheduler=counted(own.scheduler.reaches[0].persons),
        held=None if own.held is None else own.held.persons,
        attributes=tuple(
            AttributeLine(name=each.name, forms=words.forms(each.forms), persons=counted(each.persons)) for each in now.attributes
        ),
        picture=Markup() if own.ahead is None else _drawn(draw(own.ahead, zone=zone, language=tongue.language)),
        days=() if own.ahead is None else tuple(
            DayLine(on=day.on, alone=counted(day.alone), so_far=counted(day.so_far), shut="" if day.shut is None else words(day.shut.value))
            for day in own.ahead.days
        ),
        command="" if own.ahead is None else own.ahead.command,
    )  # fmt: skip


class NoPart(msgspec.Struct, frozen=True, kw_only=True):
    """A processor (``id``, ``name``) without a contract that can be read: nobody is in reach."""

    id: str
    name: str


@get("/console/exposure", include_in_schema=False)
async def exposure(request: HttpRequest, gateway: Served) -> Response[str]:
    """Show the page of everybody's exposure, without its figures."""
    signed = await officer(request, gateway)
    context = ExposurePage(seconds=int(FRESH.total_seconds()))
    return page(request, gateway, "console/exposure.html", context, signed=signed, room=Room.CONSOLE, here="exposure")


@get("/console/exposure/figures", include_in_schema=False)
async def exposure_figures(request: HttpRequest, gateway: Served) -> Response[str]:
    """Compute everybody's exposure and show it."""
    signed = await officer(request, gateway)
    whole = await console_of(request, gateway).pictures.whole()
    part = make_whole(whole, gateway.settings.zone, tongue_of(request))
    return _part(request, gateway, "console/exposure_figures.html", part, signed, "exposure")


@get("/console/processors/{id:str}/exposure", include_in_schema=False)
async def own_exposure(request: HttpRequest, gateway: Served, id: ProcessorId) -> Response[str]:
    """Compute one processor's exposure and show it."""
    signed = await officer(request, gateway)
    one = await known_processor(request, gateway, id)
    try:
        own = await console_of(request, gateway).pictures.own(id)
    except NoProcessor:
        return _part(request, gateway, "console/exposure_none.html", NoPart(id=id, name=one.name), signed, "processors")
    part = make_own(own, id, gateway.settings.zone, tongue_of(request))
    return _part(request, gateway, "console/exposure_own.html", part, signed, "processors")


def _part(
    request: HttpRequest, gateway: Gateway, template: str, context: msgspec.Struct, signed: Signed, here: str
) -> Response[str]:
    """Answer with the figures alone where a page asks for them, else with a page of their own."""
    if is_partial(request):
        return partial(request, gateway, template, context, signed=signed, room=Room.CONSOLE, block="figures")
    return page(request, gateway, template, context, signed=signed, room=Room.CONSOLE, here=here)


HANDLERS: Final = [exposure, exposure_figures, own_exposure]
