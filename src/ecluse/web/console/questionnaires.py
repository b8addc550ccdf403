"""Questionnaires: send the short one by a link that is shown once, see how far it is, read and accept the answers, open the findings they propose.

The link's secret stands on one page, once, and nowhere else: not in an address of ours, not in a cookie, not in the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter

from ecluse.contracts import Severity
from ecluse.evidence import EvidenceError, EvidenceRefused, TooManyWaiting
from ecluse.evidence.questionnaire import service
from ecluse.evidence.questionnaire.errors import QuestionnaireRefused, ResponseUnknown
from ecluse.evidence.questionnaire.model import Contact, say
from ecluse.evidence.questionnaire.record import answer_text, ref_of
from ecluse.evidence.questionnaire.score import DUE_DAYS
from ecluse.identity.people import Act
from ecluse.web.console.act import done, known_processor
from ecluse.web.console.faults import Form, filled_again, put_faults, say_why
from ecluse.web.console.governed import rows_of
from ecluse.web.console.names import names_of, say_who
from ecluse.web.console.state import PAGE, acting, console_of, reading
from ecluse.web.console.words import SEVERITIES
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import N_, Filled, Room, Signed, form, page
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    import asyncpg

    from ecluse.db import Connection
    from ecluse.evidence.questionnaire.service import Judged
    from ecluse.web.console.governed import Governed

LANGUAGES: Final[Mapping[str, str]] = {"fr": N_("French"), "en": N_("English")}
ResponseId = Annotated[str, PathParameter(description="The response's id.")]
ProcessorId = Annotated[str, PathParameter(description="The processor's id.")]


class ResponseLine(msgspec.Struct, frozen=True, kw_only=True):
    """A questionnaire that was sent. ``answered``: how many questions have something."""

    id: str
    processor: str
    ref_id: str
    version: str
    way: str
    state: str
    answered: int
    made_at: datetime
    expires_at: datetime
    handed_in_at: datetime | None


class ResponsesPage(msgspec.Struct, frozen=True, kw_only=True):
    """Questionnaires of all processors, the newest first: ``lines``, and whether there are ``more``."""

    lines: tuple[ResponseLine, ...]
    more: bool


class SendPage(msgspec.Struct, frozen=True, kw_only=True):
    """The ``form`` that sends one to a ``processor`` (its id; ``name``).

    ``title``: of the questionnaire; ``questions``: how many it asks at most; ``most_days``: how long a link may live; ``languages``: to choose from.
    """

    processor: str
    name: str
    title: str
    questions: int
    most_days: int
    languages: tuple[tuple[str, str], ...]
    form: Form


class SentPage(msgspec.Struct, frozen=True, kw_only=True):
    """The ``link``, this once: of a ``response``, for a ``processor`` (its id; ``name``), until ``expires_at``."""

    response: str
    processor: str
    name: str
    link: str
    expires_at: datetime


class AnswerLine(msgspec.Struct, frozen=True, kw_only=True):
    """A question that was asked, what was answered, and how it stands (a word of `score.Standing`)."""

    ref: str
    text: str
    answer: str
    note: str
    standing: str
    earned: float
    of: int


class ProposalLine(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that an answer proposes. ``finding``: that became of it, empty: nobody confirmed it; ``due_on``: what is usual for its severity."""

    ref: str
    title: str
    severity: str
    finding: str
    due_on: date


class ResponsePage(msgspec.Struct, frozen=True, kw_only=True):
    """A response.

    ``id``, ``way``, ``state``, ``made_by``, ``made_at``, ``expires_at``, ``handed_in_at``: what it is and how it stands; ``processor``, ``name``: whose;
    ``title``, ``ref_id``, ``version``: of the questionnaire; ``contact``: who answered; ``asked``, ``unanswered``, ``lines``: questions and answers;
    ``percent``:
    what it is worth, None where nothing in it is scored; ``proposals``, ``severities``: findings that answers propose, and how bad they may be called;
    ``evidence``: the document that came of it, empty: none; ``may``, ``may_find``: the reader's role accepts, opens findings; ``form``: as it came.
    """

    id: str
    processor: str
    name: str
    title: str
    ref_id: str
    version: str
    way: str
    state: str
    made_by: str
    made_at: datetime
    expires_at: datetime
    handed_in_at: datetime | None
    evidence: str
    contact: Contact
    percent: int | None
    asked: int
    unanswered: int
    lines: tuple[AnswerLine, ...]
    proposals: tuple[ProposalLine, ...]
    severities: tuple[tuple[str, str], ...]
    may: bool
    may_find: bool
    form: Form


def response_line(row: asyncpg.Record, name: str, at: datetime) -> ResponseLine:
    """Show a response in a list."""
    return ResponseLine(
        id=row["id"], processor=name, ref_id=row["ref_id"], version=row["version"], way=row["way"], state=state_of(row, at), answered=row["answered"],
        made_at=row["made_at"], expires_at=row["expires_at"], handed_in_at=row["handed_in_at"],
    )  # fmt: skip


def state_of(row: Mapping[str, Any] | asyncpg.Record, at: datetime) -> str:
    """Say how a response stands, as `Response.state` does of a whole one."""
    if row["evidence_id"] is not None:
        return "accepted"
    if row["handed_in_at"] is not None:
        return "handed in"
    if row["revoked_at"] is not None:
        return "revoked"
    if row["expires_at"] <= at:
        return "expired"
    return "begun" if row["answered"] else "sent"


def make_response(
    judged: Judged, name: str, who: Mapping[str, str], signed: Signed, at: datetime, today: date, shown: Form
) -> ResponsePage:
    """Show a response with what it is worth."""
    one, scored, language = judged.response, judged.score, judged.response.language
    lines = tuple(
        AnswerLine(
            ref=ref_of(line.node), text=say(line.question.words, language), answer=answer_text(line.question, line.answer, language),
            note=line.answer.note, standing=line.standing.value, earned=float(line.earned), of=line.of,
        )
        for line in scored.lines
    )  # fmt: skip
    proposals = tuple(
        ProposalLine(
            ref=each.ref, title=say(each.node.finding or each.node.name, language), severity=each.severity.value,
            finding=judged.confirmed.get(each.choice, ""), due_on=today + timedelta(days=min(DUE_DAYS[each.severity], 365)),
        )
        for each in scored.proposals
    )  # fmt: skip
    return ResponsePage(
        id=one.id, processor=one.processor, name=name, title=say(judged.questionnaire.name, language), ref_id=judged.questionnaire.ref_id,
        version=judged.questionnaire.version, way=one.way, state=one.state(at), made_by=say_who(one.made_by, who), made_at=one.made_at,
        expires_at=one.expires_at, handed_in_at=one.handed_in_at, evidence=one.evidence or "", contact=one.contact, percent=scored.percent,
        asked=len(scored.lines), unanswered=len(scored.unanswered), lines=lines, proposals=proposals, severities=tuple(SEVERITIES.items()),
        may=signed.may(Act.QUESTIONNAIRE), may_find=signed.may(Act.FINDINGS), form=shown,
    )  # fmt: skip


@get("/console/questionnaires", include_in_schema=False)
async def questionnaires(request: HttpRequest, gateway: Served) -> Response[str]:
    """List questionnaires."""
    signed = await officer(request, gateway)
    async with reading(gateway) as connection:
        instant, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        rows = await rows_of(connection, "responses_of", None)
    names = {one.id: one.name for one in everybody.processors.values()}
    lines = tuple(response_line(row, names.get(row["processor_id"], row["processor_id"]), instant.at) for row in rows[:PAGE])
    context = ResponsesPage(lines=lines, more=len(rows) > PAGE)
    return page(request, gateway, "console/questionnaires.html", context, signed=signed, room=Room.CONSOLE, here="questionnaires")


# ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
class SendForm(msgspec.Struct, frozen=True, kw_only=True):
    """In which language, and for how many days."""

    language: str
    days: Annotated[int, msgspec.Meta(ge=1, le=service.MOST_DAYS)]


@get("/console/processors/{id:str}/questionnaires/new", include_in_schema=False)
async def new_questionnaire(request: HttpRequest, gateway: Served, id: ProcessorId) -> Response[str]:
    """Show the form that sends one."""
    signed = await officer(request, gateway, Act.QUESTIONNAIRE)
    return _new(request, gateway, signed, await known_processor(request, gateway, id))


def _new(
    request: HttpRequest, gateway: Gateway, signed: Signed, one: Governed, *, filled: Filled[Any] | None = None, status: int = 200
) -> Response[str]:  # fmt: skip
    own = service.own_questionnaire()
    context = SendPage(
        processor=one.id, name=one.name, title=f"{own.ref_id} v{own.version}", questions=sum(1 for _ in own.asked()), most_days=service.MOST_DAYS,
        languages=tuple((code, LANGUAGES[code]) for code in LANGUAGES if code in own.languages), form=filled_again(filled),
    )  # fmt: skip
    return page(
        request,
        gateway,
        "console/questionnaire_new.html",
        context,
        signed=signed,
        room=Room.CONSOLE,
        here="questionnaires",
        status=status,
    )


@post("/console/processors/{id:str}/questionnaires", include_in_schema=False, status_code=200)
async def send(request: HttpRequest, gateway: Served, id: ProcessorId) -> Response[str]:
    """Make a link and show it, this once: the answer itself is the page, for there is no other place where the secret could stand."""
    signed = await officer(request, gateway, Act.QUESTIONNAIRE)
    one = await known_processor(request, gateway, id)
    filled = await form(request, SendForm)
    if filled.value is None:
        return _new(request, gateway, signed, one, filled=filled, status=422)
    try:
        async with acting(gateway) as connection:
            sent = await service.send(
                connection, id, service.own_questionnaire(), language=filled.value.language, actor=signed.person, days=filled.value.days
            )  # fmt: skip
    except QuestionnaireRefused as refused:
        filled.faults["days" if refused.where == "days" else "language"] = say_why(refused.why, filled.tongue) or refused.why
        return _new(request, gateway, signed, one, filled=filled, status=422)
    context = SentPage(
        response=sent.response, processor=id, name=one.name, link=f"{gateway.settings.public_url}/questionnaire/{sent.secret}", expires_at=sent.expires_at,
    )  # fmt: skip
    return page(
        request, gateway, "console/questionnaire_sent.html", context, signed=signed, room=Room.CONSOLE, here="questionnaires"
    )


# ── one response ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@get("/console/questionnaires/{id:str}", include_in_schema=False)
async def response(request: HttpRequest, gateway: Served, id: ResponseId) -> Response[str]:
    """Show a response."""
    signed = await officer(request, gateway)
    return await _response(request, gateway, signed, id)


async def _response(
    request: HttpRequest, gateway: Gateway, signed: Signed, id: str, *, filled: Filled[Any] | None = None, status: int = 200
) -> Response[str]:  # fmt: skip
    async with reading(gateway) as connection:
        instant, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        judged = await _judged(connection, id)
        who = await names_of(connection, [judged.response.made_by])
    one = everybody.processors.get(judged.response.processor)
    name = one.name if one else judged.response.processor
    today = instant.at.astimezone(gateway.settings.zone).date()
    context = make_response(judged, name, who, signed, instant.at, today, filled_again(filled))
    return page(
        request, gateway, "console/response.html", context, signed=signed, room=Room.CONSOLE, here="questionnaires", status=status
    )


async def _judged(connection: Connection, id: str) -> Judged:
    """Return a response with its worth. Raises `NotFoundException`."""
    try:
        return await service.judge(connection, id)
    except ResponseUnknown:
        raise NotFoundException from None


class NoForm(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing but the button."""


@post("/console/questionnaires/{id:str}/accept", include_in_schema=False, status_code=200)
async def accept(request: HttpRequest, gateway: Served, id: ResponseId) -> Response[str]:
    """Accept the answers as evidence, in an officer's name."""
    signed = await officer(request, gateway, Act.EVIDENCE, stepped_up=True)
    filled = await form(request, NoForm)
    try:
        async with acting(gateway) as connection:
            await _judged(connection, id)
            document, sealed = await service.accept(
                connection, gateway.vault, id, log_id=gateway.log_id, actor=signed.person, attributes=gateway.attributes,
                timezone=gateway.settings.zone,
            )  # fmt: skip
    except QuestionnaireRefused:
        filled.fault("accept", N_("It cannot be accepted: it was not handed in, or somebody has decided on it already."))
        return await _response(request, gateway, signed, id, filled=filled, status=409)
    except TooManyWaiting:
        filled.fault("accept", N_("Too many documents of this processor wait already. Accept or reject some first."))
        return await _response(request, gateway, signed, id, filled=filled, status=409)
    except EvidenceError:
        filled.fault("accept", N_("Somebody else decided on this document meanwhile: look at it again."))
        return await _response(request, gateway, signed, id, filled=filled, status=409)
    return done(f"/console/evidence/{document}", "response-accepted", sealed.index)


class ConfirmForm(msgspec.Struct, frozen=True, kw_only=True):
    """Which proposal, how bad, and when it is due."""

    ref: str
    severity: Severity
    due_on: date


@post("/console/questionnaires/{id:str}/findings", include_in_schema=False, status_code=200)
async def confirm(request: HttpRequest, gateway: Served, id: ResponseId) -> Response[str]:
    """Open the finding that an answer proposes."""
    signed = await officer(request, gateway, Act.FINDINGS)
    filled = await form(request, ConfirmForm)
    wanted = filled.value
    if wanted is None:
        return await _response(request, gateway, signed, id, filled=filled, status=422)
    try:
        async with acting(gateway) as connection:
            judged = await _judged(connection, id)
            finding = await service.confirm(
                connection, judged, service.proposed(judged, wanted.ref), severity=wanted.severity, due_on=wanted.due_on, log_id=gateway.log_id,
                actor=signed.person, timezone=gateway.settings.zone,
            )  # fmt: skip
    except QuestionnaireRefused:
        filled.fault("ref", N_("This finding was opened already, or no answer proposes it."))
        return await _response(request, gateway, signed, id, filled=filled, status=409)
    except EvidenceRefused as refused:
        put_faults(filled, refused.faults, ("due_on", "severity"))
        return await _response(request, gateway, signed, id, filled=filled, status=422)
    return done(f"/console/findings/{finding}", "finding-confirmed")


@post("/console/questionnaires/{id:str}/revoke", include_in_schema=False, status_code=200)
async def revoke(request: HttpRequest, gateway: Served, id: ResponseId) -> Response[str]:
    """End a link at once."""
    signed = await officer(request, gateway, Act.QUESTIONNAIRE)
    filled = await form(request, NoForm)
    try:
        async with acting(gateway) as connection:
            await _judged(connection, id)
            await service.revoke(connection, id, actor=signed.person)
    except QuestionnaireRefused:
        filled.fault("revoke", N_("There is no open link to end: it was handed in, revoked or is over."))
        return await _response(request, gateway, signed, id, filled=filled, status=409)
    return done(f"/console/questionnaires/{id}", "questionnaire-revoked")


HANDLERS: Final = [questionnaires, new_questionnaire, send, response, accept, confirm, revoke]
