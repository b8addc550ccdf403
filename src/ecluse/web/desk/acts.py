"""The acts of the desk, each a call by a script with a proof of key, answered with a part of a page: show a person, show a roll-call, say outcomes, get a code.

The first two go through the one door, as an agent who is authenticated; nothing here decides. A person's part is answered once, is kept by nobody
(``no-store``) and stands in no address: handles travel in bodies.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Final

import msgspec
from litestar import Response, post
from litestar.params import PathParameter

from ecluse.contracts import Assurance, Form
from ecluse.db import LOST
from ecluse.disclosure import (
    Answer,
    Delivered,
    Delivery,
    Denied,
    DoorError,
    Flooded,
    LedgerUnavailable,
    Proven,
    Replayed,
    Request,
)
from ecluse.errors import EcluseError
from ecluse.ids import is_id
from ecluse.outcomes import Unrecorded
from ecluse.outcomes.check import check_outcome
from ecluse.outcomes.service import record_outcome
from ecluse.outcomes.store import Asking
from ecluse.policy import Ask
from ecluse.schedule.spoken import make_walk_in
from ecluse.schedule.staff import StaffPlace, StaffSession
from ecluse.web.auth import spend
from ecluse.web.desk.asking import AtDesk, at_desk, key_for, prove, session_at
from ecluse.web.desk.model import CodePart, Refusal, Said, Sheet, State, Unsaid
from ecluse.web.desk.person import Labels, mark_of, place_lines, sheet_rows, show_person, show_refusal
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import FormUnreadable, Room, form, partial, tongue_of
from ecluse.web.problems import PROBLEMS, HttpProblem

SHOW: Final = "/desk/show"
"""How the door knows the desk's single look, whichever session it is opened from: a key stands for one of them."""
MOST_OUTCOMES: Final = 1000
Session = Annotated[str, PathParameter(description="A session's id.")]
Fresh = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{0,32}$")]


class ShowForm(msgspec.Struct, frozen=True, kw_only=True):
    """One press. ``fresh``: empty, or a random text that makes it a new look at the price of a read."""

    place: Annotated[str, msgspec.Meta(max_length=64)]
    fresh: Fresh = ""


class SheetForm(msgspec.Struct, frozen=True, kw_only=True):
    """As `ShowForm`, of a whole session."""

    fresh: Fresh = ""


class OutcomesForm(msgspec.Struct, frozen=True, kw_only=True):
    """Outcomes, each ``handle attendance`` or ``handle attendance level``."""

    said: list[str] = []


@post("/desk/sessions/{session:str}/show", status_code=200, include_in_schema=False)
async def show(request: HttpRequest, gateway: Served, session: Session) -> Response[str]:
    """Show one person, or say why not."""
    desk = await at_desk(request, gateway)
    try:
        proven = prove(request, gateway, desk.signed)
        asked = (await form(request, ShowForm)).value
        if asked is None or not is_id(asked.place, "apt"):
            raise FormUnreadable
        found, _ = await session_at(gateway, desk, session)
        purpose = desk.purpose_of(found)
        attributes = (
            tuple(sorted(name for name, given in purpose.attributes.items() if given is not Form.WITHHELD)) if purpose else ()
        )
        ask = _ask(desk, asked.place, attributes)
        answer = await gateway.door.ask(
            Request(
                proven=proven, asks=(ask,), endpoint=SHOW, session=None, key=key_for(desk.signed, asked.place, attributes, asked.fresh),
                body_hash=_hash(ask.appointment, ask.agent, *attributes),
            )
        )  # fmt: skip
    except (DoorError, HttpProblem) as failed:
        return _failed(request, gateway, desk, failed)
    if not isinstance(answer, Delivered) or purpose is None:
        return _refused(request, gateway, desk, answer, found)
    delivery = _same(answer.deliveries[0], ask)
    labels = Labels(gateway.attributes, tongue_of(request).language)
    person = show_person(
        delivery, tuple(purpose.attributes), labels, desk.clockwork, found.site, agent=desk.signed.name,
        seconds=gateway.settings.desk.display_seconds, again=answer.again,
    )  # fmt: skip
    return _part(request, gateway, desk, "desk/_person.html", person)


@post("/desk/sessions/{session:str}/sheet", status_code=200, include_in_schema=False)
async def sheet(request: HttpRequest, gateway: Served, session: Session) -> Response[str]:
    """Show a session's roll-call, or say why not."""
    desk = await at_desk(request, gateway)
    try:
        proven = prove(request, gateway, desk.signed)
        asked = (await form(request, SheetForm)).value
        if asked is None:
            raise FormUnreadable
        found, places = await session_at(gateway, desk, session)
        purpose = desk.purpose_of(found)
        if purpose is not None and not purpose.sheet:
            raise HttpProblem("attribute-not-contracted")
        if not places:
            raise HttpProblem("not-found")
        attributes = tuple(sorted(purpose.sheet)) if purpose else ()
        asks = tuple(_ask(desk, place.id, attributes) for place in places)
        answer = await gateway.door.ask(
            Request(
                proven=proven, asks=asks, endpoint=request.scope["path"], session=found.id, key=key_for(desk.signed, found.id, attributes, asked.fresh),
                body_hash=_hash(found.id, desk.signed.person, *attributes),
            )
        )  # fmt: skip
    except (DoorError, HttpProblem) as failed:
        return _failed(request, gateway, desk, failed)
    if not isinstance(answer, Delivered) or purpose is None:
        return _refused(request, gateway, desk, answer, found)
    return _part(request, gateway, desk, "desk/_sheet.html", _sheet(request, gateway, desk, found, places, asks, answer))


def _sheet(
    request: HttpRequest, gateway: Gateway, desk: AtDesk, session: StaffSession, places: list[StaffPlace], asks: tuple[Ask, ...], answer: Delivered
) -> Sheet:  # fmt: skip
    """Show what the door delivered, each after a last check."""
    purpose = desk.purpose_of(session)
    if purpose is None:
        raise AssertionError("impossible: a roll-call without a purpose")
    asked = {ask.appointment: ask for ask in asks}
    deliveries = [_same(delivery, asked[delivery.appointment]) for delivery in answer.deliveries]
    labels = Labels(gateway.attributes, tongue_of(request).language)
    lines = place_lines(places, purpose.reads_per_appointment)
    closes_at = min(delivery.closes_at for delivery in deliveries)
    indexes = [delivery.index for delivery in deliveries]
    order = [name for name, given in purpose.sheet.items() if given is not Form.WITHHELD]
    return Sheet(
        session=desk.clockwork.line(session), columns=labels.forms(purpose.sheet), rows=sheet_rows(lines, deliveries, order, labels),
        missing=tuple(line.mark for line in lines if line.handle in answer.missing), agent=desk.signed.name,
        at=desk.clockwork.hour(desk.clockwork.now, session.site), expires=desk.clockwork.hour(closes_at, session.site), closes_at=closes_at,
        now=desk.clockwork.now, seconds=gateway.settings.desk.display_seconds, first=min(indexes), last=max(indexes),
    )  # fmt: skip


@post("/desk/sessions/{session:str}/outcomes", status_code=200, include_in_schema=False)
async def outcomes(request: HttpRequest, gateway: Served, session: Session) -> Response[str]:
    """Record what was said of places of a session, each by itself, and say which could not be."""
    desk = await at_desk(request, gateway)
    try:
        proven = prove(request, gateway, desk.signed)
        filled = (await form(request, OutcomesForm)).value
        if filled is None or not 1 <= len(filled.said) <= MOST_OUTCOMES:
            raise FormUnreadable
        said = [_split(each) for each in filled.said]
        found, places = await session_at(gateway, desk, session)
        await spend(gateway, proven)
    except (DoorError, HttpProblem) as failed:
        return _failed(request, gateway, desk, failed)
    marks = {place.id: mark_of(place.enrolment) for place in places}
    recorded: list[str] = []
    failures: list[Unsaid] = []
    for handle, attendance, level in said:
        unsaid = await _record(gateway, desk, proven, handle, attendance, level, known=handle in marks)
        if unsaid is None:
            recorded.append(handle)
            continue
        times = {name: desk.clockwork.hour(at, found.site) for name, at in _times(unsaid).items()}
        failures.append(Unsaid(mark=marks.get(handle, ""), handle=handle, code=unsaid.code, **times))
    result = Said(
        recorded=tuple(recorded),
        failed=tuple(failures),
        at=desk.clockwork.hour(desk.clockwork.now, found.site),
        contacts=desk.contacts,
    )
    return _part(request, gateway, desk, "desk/_said.html", result)


async def _record(
    gateway: Gateway, desk: AtDesk, proven: Proven, handle: str, attendance: str, level: str | None, *, known: bool
) -> Unrecorded | None:  # fmt: skip
    """Record one outcome; return why not."""
    if not known:
        return Unrecorded(code="not-found")
    checked = check_outcome(attendance, level, desk.signed.person)
    if isinstance(checked, Unrecorded):
        return checked
    asking = Asking(
        processor=desk.processor, client=desk.client, thumbprint=proven.thumbprint, handle=handle, key=None,
        body_hash=_hash(handle, attendance, level or ""),
    )  # fmt: skip
    try:
        done = await record_outcome(gateway.pool, gateway.door, asking, checked, log_id=gateway.log_id)
    except DoorError as failed:
        return Unrecorded(code=failed.code)
    return done if isinstance(done, Unrecorded) else None


@post("/desk/sessions/{session:str}/walk-in", status_code=200, include_in_schema=False)
async def walk_in(request: HttpRequest, gateway: Served, session: Session) -> Response[str]:
    """Give a code to say on the telephone."""
    desk = await at_desk(request, gateway)
    try:
        proven = prove(request, gateway, desk.signed)
        found, _ = await session_at(gateway, desk, session)
        line = desk.clockwork.line(found)
        if line.state not in {State.OPEN, State.RUNNING, State.ENDED}:
            raise HttpProblem("outside-window", opens_at=line.opens, closes_at=line.closes)
        await spend(gateway, proven)
        async with gateway.pool.acquire() as connection:
            spoken = await make_walk_in(connection, found.id, desk.signed.person)
    except LOST:
        return _failed(request, gateway, desk, LedgerUnavailable())
    except (DoorError, HttpProblem) as failed:
        return _failed(request, gateway, desk, failed)
    half = len(spoken.code) // 2
    part = CodePart(
        groups=(spoken.code[:half], spoken.code[half:]),
        until=desk.clockwork.hour(spoken.expires_at, found.site),
    )
    return _part(request, gateway, desk, "desk/_code.html", part)


def _ask(desk: AtDesk, handle: str, attributes: tuple[str, ...]) -> Ask:
    """Ask for one place, as an agent who is signed in."""
    return Ask(
        processor=desk.processor, client=desk.client, agent=desk.signed.person, assurance=Assurance.AUTHENTICATED, appointment=handle,
        attributes=attributes,
    )  # fmt: skip


def _same(delivery: Delivery, ask: Ask) -> Delivery:
    """Check once more that this is whom was asked for, and no more of them."""
    if (delivery.appointment, delivery.processor) != (ask.appointment, ask.processor) or not delivery.forms.keys() <= set(
        ask.attributes
    ):
        raise AssertionError("impossible: another person's answer")
    return delivery


def _split(text: str) -> tuple[str, str, str | None]:
    """Read one outcome. Raises `FormUnreadable`."""
    parts = text.split(" ")
    if not 2 <= len(parts) <= 3 or not is_id(parts[0], "apt"):
        raise FormUnreadable
    return parts[0], parts[1], parts[2] if len(parts) == 3 else None


def _times(unsaid: Unrecorded) -> dict[str, datetime]:
    """Return from when and until when an outcome may be said, where that is why it was not."""
    names = {"opens_at": "opens", "closes_at": "closes"}
    return {names[key]: datetime.fromisoformat(str(text)) for key, text in unsaid.told.items() if key in names}


def _hash(*parts: str) -> bytes:
    return sha256("\0".join(parts).encode()).digest()


def _refused(request: HttpRequest, gateway: Gateway, desk: AtDesk, answer: Answer, session: StaffSession) -> Response[str]:
    """Say what the door refused."""
    if isinstance(answer, Replayed):
        return _failed(request, gateway, desk, HttpProblem("invalid-proof"))
    if isinstance(answer, Flooded):
        part = Refusal(code="too-many-refusals", contacts=desk.contacts, wait=answer.seconds)
    elif isinstance(answer, Denied):
        part = show_refusal(answer, desk.contacts, desk.clockwork, session.site)
    else:
        raise AssertionError("impossible: a delivery rendered as a refusal")  # noqa: TRY004 - a bug, not a caller's type
    return _part(request, gateway, desk, "desk/_refused.html", part, PROBLEMS[part.code].status)


def _failed(request: HttpRequest, gateway: Gateway, desk: AtDesk, failed: EcluseError) -> Response[str]:
    """Say what could not be decided, or was not asked rightly."""
    problem = PROBLEMS[failed.code]
    extra = failed.extra if isinstance(failed, HttpProblem) else {}
    part = Refusal(
        code=problem.code, contacts=desk.contacts, wait=problem.wait_seconds, opens=str(extra.get("opens_at", "")), closes=str(extra.get("closes_at", ""))
    )  # fmt: skip
    return _part(request, gateway, desk, "desk/_refused.html", part, problem.status)


def _part(
    request: HttpRequest, gateway: Gateway, desk: AtDesk, template: str, context: msgspec.Struct, status: int = 200
) -> Response[str]:  # fmt: skip
    """Answer with a part of a page."""
    return partial(
        request,
        gateway,
        template,
        context,
        signed=desk.signed,
        room=Room.DESK,
        status=status,
        headers={"cache-control": "no-store"},
    )


HANDLERS: Final = [show, sheet, outcomes, walk_in]
