"""Look somebody up: ask, have another officer decide, look, and from there hold or release the person (docs/look-up.md).

A person's key travels in the body of a request and is never in an address; afterwards the look-up is known by its own id. The page that shows a record answers
a POST and is not kept: loading it again is another look, sealed like the first.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter, QueryParameter

from ecluse.clock import wire_text
from ecluse.contracts.errors import HoldUnknown
from ecluse.contracts.service import place_hold, release_hold
from ecluse.identity.people import Act, Signed
from ecluse.ids import is_id
from ecluse.usage.errors import LookupRefused, LookupUnknown
from ecluse.usage.lookup import MOST_LOOKS, Lookup, ask_lookup, decide_lookup, look_up, lookup_of, lookups
from ecluse.web.console.act import done
from ecluse.web.console.explain import OUTCOMES, Given, Said, assurance_of, given_of, reasons_of, text
from ecluse.web.console.names import names_of, say_who
from ecluse.web.console.state import PAGE, acting, console_of, reading
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import N_, Room, form, page, tongue_of
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecluse.usage.lookup import Looked, PersonHold, Place, Seen
    from ecluse.web.pages.frame import Filled, Tongue

_HERE: Final = "look-up"
_WHERE: Final = {
    "purpose": N_("Say in a sentence of 10 to 300 characters what it is for: the other officer decides by it, and it is sealed."),
    "person": N_("This is not the key of one person of the register. Write it as the register spells it."),
    "officer": N_("Only an open account that may look up does this."),
    "look-up": N_("There is no such look-up of yours. Ask for one of your own."),
    "approval": N_("Another officer decides it, signed in as themselves: without a yes of theirs nobody looks."),
    "hour": N_("Its hour is over. Ask again."),
    "looks": N_("It was looked at as often as one may be. Ask again."),
    "ledger": N_("The ledger’s entries have waited so long for their witnesses that nothing is shown."),
}
"""What `LookupRefused` says, by where."""
EFFECTS: Final = {"suspend": N_("suspended"), "freeze": N_("frozen by hand"), "keep": N_("records kept")}
"""What a hold does."""
LookupId = Annotated[str, PathParameter(description="The look-up's id.")]


class LookupRow(msgspec.Struct, frozen=True, kw_only=True):
    """A look-up in the list, never of whom. ``state``: ``waiting``, ``approved``, ``refused`` or ``over``; ``mine``: the one who looks at the list asked."""

    id: str
    purpose: str
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    decided_by: str
    state: str
    looks: int
    mine: bool


class LookUpPage(msgspec.Struct, frozen=True, kw_only=True):
    """The form that asks for a look-up, and the list of them.

    ``register``: how a key begins; ``entered``: what was typed, without the person; ``faults``; ``rows``; ``older``: the address of the next page.
    """

    register: str
    entered: dict[str, str]
    faults: dict[str, str]
    rows: tuple[LookupRow, ...]
    older: str | None


class OnePage(msgspec.Struct, frozen=True, kw_only=True):
    """One look-up.

    ``row``; ``index``: the entry that asked; ``decided_at``; ``person``: who it is about, shown to the one who asked and to those who decide, empty else;
    ``decide``: the one who looks may decide it; ``look``: may look now; ``left``: looks that are left; ``faults``.
    """

    row: LookupRow
    index: int
    decided_at: datetime | None
    person: str
    decide: bool
    look: bool
    left: int
    faults: dict[str, str]


class RecordRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a record: what was done, to whom it was given, by whom, which attributes in which forms, why, under which contract."""

    index: int
    at: datetime
    state: str
    outcome: str
    processor: str
    agent: str
    assurance: str
    purpose: str
    contract: str
    given: tuple[Given, ...]
    reasons: tuple[Said, ...]


class PlaceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One place in the schedule."""

    id: str
    processor: str
    purpose: str
    site: str
    room: str
    starts_at: datetime
    ends_at: datetime
    cancelled: bool
    reads: int


class HoldRow(msgspec.Struct, frozen=True, kw_only=True):
    """One hold on the person. ``effect``: in words; ``until_at`` None: until it is released."""

    id: str
    effect: str
    reason: str
    placed_by: str
    from_at: datetime
    until_at: datetime | None
    released_at: datetime | None
    in_force: bool


class RecordPage(msgspec.Struct, frozen=True, kw_only=True):
    """A person's record, as this look shows it.

    ``lookup``: the look-up's id; ``person``; ``purpose``; ``index``: the entry of this look; ``left``: looks that are left; ``rows``; ``after``: where the
    next page begins, empty at the end; ``places``; ``holds``; ``may_hold``: may place and release holds.
    """

    lookup: str
    person: str
    purpose: str
    index: int
    left: int
    rows: tuple[RecordRow, ...]
    after: str
    places: tuple[PlaceRow, ...]
    holds: tuple[HoldRow, ...]
    may_hold: bool


# ── ask ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
class AskForm(msgspec.Struct, frozen=True):
    """Who, and what for. ``person``: the register's key, with or without its name before."""

    person: Annotated[str, msgspec.Meta(max_length=400)]
    purpose: Annotated[str, msgspec.Meta(max_length=300)]


class DecideForm(msgspec.Struct, frozen=True):
    """A yes or a no."""

    verdict: Verdict


class Verdict(StrEnum):
    """What another officer says."""

    APPROVE = "approve"
    REFUSE = "refuse"


class LookForm(msgspec.Struct, frozen=True):
    """A look. ``after``: the last line of the page before."""

    after: Annotated[str, msgspec.Meta(max_length=80)] = ""


class HoldForm(msgspec.Struct, frozen=True):
    """Why nothing of this person is to be disclosed."""

    reason: Annotated[str, msgspec.Meta(min_length=10, max_length=300)]


class ReleaseForm(msgspec.Struct, frozen=True):
    """Which hold ends."""

    hold: Annotated[str, msgspec.Meta(max_length=40)]


@get("/console/look-up", include_in_schema=False)
async def look_ups(
    request: HttpRequest, gateway: Served, before: Annotated[str, QueryParameter(description="The look-up after the first.")] = ""
) -> Response[str]:
    """Show the form, and who asked for what."""
    signed = await officer(request, gateway, Act.LOOK_UP)
    return await _show(request, gateway, signed, None, before)


async def _show(
    request: HttpRequest, gateway: Gateway, signed: Signed, filled: Filled[Any] | None, before: str = ""
) -> Response[str]:
    async with reading(gateway) as connection:
        found = await lookups(connection, most=PAGE + 1, after=_cursor(before))
        who = await names_of(connection, [actor for one in found for actor in (one.asked_by, one.decided_by)])
    last = found[PAGE - 1] if len(found) > PAGE else None
    faults = {} if filled is None else dict(filled.faults)
    context = LookUpPage(
        register=f"{gateway.register_map.id}:", entered={} if filled is None else {"purpose": str(filled.entered.get("purpose", ""))}, faults=faults,
        rows=tuple(lookup_row(one, who, signed) for one in found[:PAGE]),
        older=None if last is None else f"/console/look-up?before={wire_text(last.asked_at)}.{last.id}",
    )  # fmt: skip
    status = 422 if faults else 200
    return page(
        request, gateway, "console/work_look_up.html", context, signed=signed, room=Room.CONSOLE, here=_HERE, status=status
    )


def _cursor(said: str) -> tuple[datetime, str] | None:
    at, _, name = said.rpartition(".")
    try:
        instant = datetime.fromisoformat(at)
    except ValueError:
        return None
    return (instant, name) if instant.tzinfo is not None and is_id(name, "lkp") else None


def lookup_row(one: Lookup, who: Mapping[str, str], signed: Signed) -> LookupRow:
    """Show a look-up in the list."""
    state = "refused" if one.approved is False else "over" if one.over else "approved" if one.approved else "waiting"
    return LookupRow(
        id=one.id, purpose=one.purpose, asked_by=say_who(one.asked_by, who), asked_at=one.asked_at, expires_at=one.expires_at,
        decided_by=say_who(one.decided_by, who), state=state, looks=one.looks, mine=one.asked_by == signed.person,
    )  # fmt: skip


@post("/console/look-up", include_in_schema=False)
async def ask(request: HttpRequest, gateway: Served) -> Response[str]:
    """Ask to look one person up. Sealed."""
    signed = await officer(request, gateway, Act.LOOK_UP, stepped_up=True, back="/console/look-up")
    filled = await form(request, AskForm)
    if filled.value is None:
        return await _show(request, gateway, signed, filled)
    try:
        async with acting(gateway) as connection:
            name, sealed = await ask_lookup(
                connection, log_id=gateway.log_id, register=gateway.register_map, subject=reference_of(filled.value.person, gateway.register_map.id),
                purpose=filled.value.purpose, actor=signed.person,
            )  # fmt: skip
    except LookupRefused as refused:
        field = "person" if refused.where == "person" else "purpose"
        filled.fault(field, _WHERE[refused.where])
        return await _show(request, gateway, signed, filled)
    return done(f"/console/look-up/{name}", "lookup-asked", sealed.index)


def reference_of(typed: str, register: str) -> str:
    """Return a person's reference from what was typed: a key alone is one of the register's."""
    return typed if typed.startswith(f"{register}:") else f"{register}:{typed}"


# ── decide ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@get("/console/look-up/{lookup:str}", include_in_schema=False)
async def one(request: HttpRequest, gateway: Served, lookup: LookupId) -> Response[str]:
    """Show one look-up: who asked, what for, and what may be done now."""
    signed = await officer(request, gateway, Act.LOOK_UP)
    return await _show_one(request, gateway, signed, lookup, {})


async def _lookup(gateway: Gateway, lookup: str) -> Lookup:
    try:
        async with reading(gateway) as connection:
            return await lookup_of(connection, lookup)
    except LookupUnknown as gone:
        raise NotFoundException from gone


async def _show_one(request: HttpRequest, gateway: Gateway, signed: Signed, lookup: str, faults: dict[str, str]) -> Response[str]:
    found = await _lookup(gateway, lookup)
    async with reading(gateway) as connection:
        who = await names_of(connection, [found.asked_by, found.decided_by])
    row = lookup_row(found, who, signed)
    decides = row.state == "waiting" and not row.mine
    context = OnePage(
        row=row, index=found.index, decided_at=found.decided_at, person=(found.subject or "") if row.mine or decides else "", decide=decides,
        look=row.mine and row.state == "approved" and found.looks < MOST_LOOKS, left=MOST_LOOKS - found.looks, faults=faults,
    )  # fmt: skip
    status = 422 if faults else 200
    return page(
        request, gateway, "console/work_look_up_one.html", context, signed=signed, room=Room.CONSOLE, here=_HERE, status=status
    )


@post("/console/look-up/{lookup:str}/decide", include_in_schema=False)
async def decide(request: HttpRequest, gateway: Served, lookup: LookupId) -> Response[str]:
    """Approve or refuse, as another officer. Sealed, and final."""
    signed = await officer(
        request, gateway, Act.LOOK_UP, stepped_up=True, back=f"/console/look-up/{lookup}" if is_id(lookup, "lkp") else ""
    )
    filled = await form(request, DecideForm)
    if filled.value is None:
        return await _show_one(request, gateway, signed, lookup, filled.faults)
    approve = filled.value.verdict is Verdict.APPROVE
    try:
        async with acting(gateway) as connection:
            sealed = await decide_lookup(connection, log_id=gateway.log_id, lookup=lookup, approve=approve, actor=signed.person)
    except LookupUnknown as gone:
        raise NotFoundException from gone
    except LookupRefused as refused:
        filled.fault("verdict", _WHERE[refused.where])
        return await _show_one(request, gateway, signed, lookup, filled.faults)
    return done(f"/console/look-up/{lookup}", "lookup-approved" if approve else "lookup-refused", sealed.index)


# ── look ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@post("/console/look-up/{lookup:str}/record", include_in_schema=False)
async def record(request: HttpRequest, gateway: Served, lookup: LookupId) -> Response[str]:
    """Show the person's record: sealed before it is read."""
    signed = await officer(
        request, gateway, Act.LOOK_UP, stepped_up=True, back=f"/console/look-up/{lookup}" if is_id(lookup, "lkp") else ""
    )
    filled = await form(request, LookForm)
    try:
        async with acting(gateway) as app, reading(gateway) as reader:
            looked = await look_up(
                app, reader, log_id=gateway.log_id, lookup=lookup, actor=signed.person, patience=gateway.settings.ledger.max_uncosigned_frozen,
                after=_after(filled.value.after if filled.value is not None else ""),
            )  # fmt: skip
            _, everybody = await console_of(request, gateway).register.read(reader, gateway.log_id)
            who = await names_of(reader, [*(one.placed_by for one in looked.holds), *(who_of(line) for line in looked.lines)])
    except LookupUnknown as gone:
        raise NotFoundException from gone
    except LookupRefused as refused:
        filled.fault("look", _WHERE[refused.where])
        return await _show_one(request, gateway, signed, lookup, filled.faults)
    names = {one.id: one.name for one in everybody.processors.values()}
    context = record_page(looked, names, who, signed, tongue_of(request))
    return page(request, gateway, "console/work_record.html", context, signed=signed, room=Room.CONSOLE, here=_HERE)


def _after(said: str) -> tuple[datetime, int, int] | None:
    """Read the last line of the page before; None for what is none of ours."""
    parts = said.rsplit("/", 2)
    try:
        return (datetime.fromisoformat(parts[0]), int(parts[1]), int(parts[2])) if len(parts) == 3 else None
    except ValueError:
        return None


def record_page(looked: Looked, names: Mapping[str, str], who: Mapping[str, str], signed: Signed, tongue: Tongue) -> RecordPage:
    """Show what a look shows."""
    after = looked.after
    return RecordPage(
        lookup=looked.lookup.id, person=looked.lookup.subject or "", purpose=looked.lookup.purpose, index=looked.index,
        left=MOST_LOOKS - looked.lookup.looks - 1,
        rows=tuple(record_row(line, names, who, tongue) for line in looked.lines),
        after="" if after is None else f"{wire_text(after[0])}/{after[1]}/{after[2]}",
        places=tuple(place_row(place) for place in looked.places), holds=tuple(hold_row(hold, who, tongue) for hold in looked.holds),
        may_hold=signed.may(Act.HOLD),
    )  # fmt: skip


def who_of(line: Seen) -> str:
    """Return who was given a line's data, or did what it tells of, as its entry has it."""
    return text(line.fields, "agent") or text(line.fields, "actor")


def record_row(line: Seen, names: Mapping[str, str], who: Mapping[str, str], tongue: Tongue) -> RecordRow:
    """Show one line of a record. ``names``: of processors; ``who``: of agents and officers."""
    state, word = OUTCOMES.get(line.event, ("neutral", line.event))
    contract = line.fields.get("contract")
    return RecordRow(
        index=line.index, at=line.sealed_at, state=state, outcome=tongue.find(word),
        processor=names.get(text(line.fields, "processor"), text(line.fields, "processor")),
        agent=say_who(who_of(line), who), assurance=assurance_of(line.fields, tongue), purpose=text(line.fields, "purpose"),
        contract=f"{contract.get('reference')}, {contract.get('version')}" if isinstance(contract, dict) else "", given=given_of(line.fields, tongue),
        reasons=reasons_of(line.fields.get("reasons"), tongue),
    )  # fmt: skip


def place_row(place: Place) -> PlaceRow:
    """Show one place."""
    return PlaceRow(
        id=place.id, processor=place.name, purpose=place.purpose, site=place.site_id, room=place.room, starts_at=place.starts_at, ends_at=place.ends_at,
        cancelled=place.cancelled_at is not None, reads=place.reads,
    )  # fmt: skip


def hold_row(hold: PersonHold, who: Mapping[str, str], tongue: Tongue) -> HoldRow:
    """Show one hold."""
    return HoldRow(
        id=hold.id, effect=tongue.find(EFFECTS.get(hold.effect, hold.effect)), reason=hold.reason, placed_by=say_who(hold.placed_by, who), from_at=hold.from_at,
        until_at=hold.until_at, released_at=hold.released_at, in_force=hold.in_force,
    )  # fmt: skip


# ── hold and release ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def _mine(gateway: Gateway, signed: Signed, lookup: str) -> Lookup:
    """Return an officer's own look-up, approved and in its hour. Raises `NotFoundException`: who may not look learns nothing of it."""
    found = await _lookup(gateway, lookup)
    if found.asked_by != signed.person or not found.approved or found.over:
        raise NotFoundException
    return found


@post("/console/look-up/{lookup:str}/hold", include_in_schema=False)
async def hold(request: HttpRequest, gateway: Served, lookup: LookupId) -> Response[str]:
    """Suspend the person: nothing of theirs is disclosed until it is released."""
    signed = await officer(
        request, gateway, Act.HOLD, stepped_up=True, back=f"/console/look-up/{lookup}" if is_id(lookup, "lkp") else ""
    )
    filled = await form(request, HoldForm)
    found = await _mine(gateway, signed, lookup)
    if filled.value is None:
        return await _show_one(request, gateway, signed, lookup, filled.faults)
    async with acting(gateway) as connection:
        _, sealed = await place_hold(
            connection, log_id=gateway.log_id, scope="person", target=found.subject or "", effect="suspend", reason=" ".join(filled.value.reason.split()),
            actor=signed.person, register=gateway.register_map,
        )  # fmt: skip
    return done(f"/console/look-up/{lookup}", "person-held", sealed.index)


_OF_PERSON: Final = (
    "select true from ecluse.hold h where h.id = $1 and h.scope = 'person' and h.scope_id = $2 and h.released_at is null"
)


@post("/console/look-up/{lookup:str}/release", include_in_schema=False)
async def release(request: HttpRequest, gateway: Served, lookup: LookupId) -> Response[str]:
    """End a hold on this very person."""
    signed = await officer(
        request, gateway, Act.HOLD, stepped_up=True, back=f"/console/look-up/{lookup}" if is_id(lookup, "lkp") else ""
    )
    filled = await form(request, ReleaseForm)
    found = await _mine(gateway, signed, lookup)
    name = filled.value.hold if filled.value is not None else ""
    async with reading(gateway) as connection:
        if not await connection.fetchval(_OF_PERSON, name, found.subject):
            raise NotFoundException
    try:
        async with acting(gateway) as connection:
            sealed = await release_hold(connection, log_id=gateway.log_id, hold=name, actor=signed.person)
    except HoldUnknown as gone:
        raise NotFoundException from gone
    return done(f"/console/look-up/{lookup}", "person-released", sealed.index)


HANDLERS: Final[tuple[Any, ...]] = (look_ups, ask, one, decide, record, hold, release)
