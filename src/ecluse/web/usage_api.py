"""The controller's portal asks, for one person, who was given what of their data, or for a link to that person's own page.

``POST /v1/usage`` and ``POST /v1/usage/links``. The person's key travels in the body only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from litestar import Response, post
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg, JSONBody

from ecluse.disclosure import Proven
from ecluse.identity.compact import Malformed, parse_object
from ecluse.identity.errors import ProofInvalid
from ecluse.register import SubjectRefInvalid, make_subject_ref
from ecluse.usage import Asked, Language, Line, Record, Span
from ecluse.usage.say import NOTES
from ecluse.usage.service import look
from ecluse.usage.visit import make_link
from ecluse.web.auth import PORTAL, prove, read_headers, spend
from ecluse.web.disclose import MOST_BODY_BYTES
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.problems import HttpProblem
from ecluse.web.published import CALLER, published

PATH: Final = "/v1/usage"
LINKS: Final = "/v1/usage/links"
OWN_PAGE: Final = "/my-data"
MOST_LINES: Final = 100
_YEARS: Final = range(2000, 2200)

Cursor = Annotated[
    str, BodyKwarg(description="A place in the record.", schema_extra={"pattern": "^[1-9][0-9]{0,4}-(0|[1-9][0-9]{0,17})$"})
]
Key = Annotated[
    list[str],
    BodyKwarg(
        description="The person's key in the register: a text for each key column.",
        schema_extra={"min_items": 1, "max_items": 8, "examples": [Example(value=["1042"])]},
    ),
]
LanguageWord = Annotated[str, BodyKwarg(schema_extra={"enum": ["fr", "en"]})]
Limit = Annotated[int, BodyKwarg(description="Lines of a page.", schema_extra={"minimum": 1, "maximum": MOST_LINES})]


class UsageSubject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose record. ``register``: the register's id; ``key``: the person's key there."""

    register: str
    key: Key

    def __repr__(self) -> str:
        """Show no person."""
        return "UsageSubject()"


class UsageRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_at": "from", "to_at": "to"}
):
    """Ask for a person's record. ``from``, ``to``: a half-open span, by default all that is kept; ``cursor``: the ``next`` of the page before."""

    subject: UsageSubject
    language: LanguageWord
    from_at: datetime | None = None
    to_at: datetime | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class UsageAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of a person's record, newest first. ``totalUsages``: lines of the whole span, counted to 10,000; ``next``: null on the last page.

    ``periodEnd``: send it as ``to`` with the next page, so that the look-ups themselves move nothing. ``notes``: what to show under every record.
    """

    total_usages: int
    usages: list[Line]
    next: Cursor | None
    period_end: datetime
    log: str
    notes: list[str]


class UsageLinkRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a link to a person's own page."""

    subject: UsageSubject


class UsageLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link to a person's own page. ``url``: hand it to nobody but the person who is signed in with you, and keep it nowhere; ``expires_at``: ten minutes on.

    Its secret stands behind the `#`: browsers send that to no server, so it is in no log on the way.
    """

    url: str
    expires_at: datetime


@post(
    PATH,
    status_code=200,
    operation_id="usage",
    tags=["person"],
    summary="Ask who was given what of a person's data",
    operation_class=published(
        answer="The lines of one page, in words, each with its proof.",
        problems=[*CALLER, "suspended", "too-large", "too-many-requests", "clock-untrusted", "busy"],
        scope=PORTAL,
        sends=["CacheControl"],
    ),
)
async def usage(request: HttpRequest, data: JSONBody[UsageRequest], gateway: Served) -> Response[UsageAnswer]:  # noqa: ARG001 - for the schema
    """List what was given of one person's data: to whom, why, in which form, by which law. For the controller's own portal, which has made sure who asks.

    The look-up is sealed before a line leaves, and is a line of the record itself from then on. Refused requests disclosed nothing and are no lines. The
    members `logtime`, `action`, `receiverCode`, `receiverName`, `receiverSystem`, `logSourceSystem`, `hiddenUntil`, `hiddenReason` and `totalUsages` are those
    of the Estonian Data Tracker's `findUsage`. `proof` is a C2SP tlog-proof that holds the person's opening: offer it as a file; null for the second or so
    until a checkpoint covers the line.
    """
    proven = prove(gateway, read_headers(request.scope["headers"]), "POST", PATH, PORTAL)
    wanted = _read(await request.body())
    asked = _asked(proven, _subject(gateway, wanted.subject), _span(wanted))
    await spend(gateway, proven)
    try:
        record = await look(gateway.reading, asked, Language(wanted.language))
    except ProofInvalid as used:
        raise HttpProblem("invalid-proof", "The DPoP proof was used before.") from used
    return Response(content=_answer(record, gateway.origin, Language(wanted.language)), headers={"cache-control": "no-store"})


@post(
    LINKS,
    status_code=200,
    operation_id="usage_link",
    tags=["person"],
    summary="Make a one-time link to a person's own page",
    operation_class=published(
        answer="A link that is good once, for ten minutes.",
        problems=[*CALLER, "suspended", "too-large", "too-many-requests"],
        scope=PORTAL,
        sends=["CacheControl"],
    ),
)
async def usage_link(request: HttpRequest, data: JSONBody[UsageLinkRequest], gateway: Served) -> Response[UsageLink]:  # noqa: ARG001 - for the schema
    """Make a link to the page where a person sees who was given what of their data. For the controller's own portal, which has made sure who asks.

    Whoever follows it first is let in, for an hour at most, to that one record. Nothing is shown yet, so nothing is sealed yet: each page that the person opens
    is. A link counts as one of the portal's looks of the minute. Where the portal is suspended, its links and what they opened are over.
    """
    proven = prove(gateway, read_headers(request.scope["headers"]), "POST", LINKS, PORTAL)
    wanted = _read_link(await request.body())
    asked = _asked(proven, _subject(gateway, wanted.subject), Span(most=1))
    await spend(gateway, proven)
    link = await make_link(gateway.reading, asked)
    answer = UsageLink(url=f"{gateway.settings.pages}{OWN_PAGE}#{link.secret}", expires_at=link.expires_at)
    return Response(content=answer, headers={"cache-control": "no-store"})


def _subject(gateway: Gateway, wanted: UsageSubject) -> str:
    """Return the person who is asked for. Raises ``invalid-request``."""
    try:
        subject = make_subject_ref(gateway.register_map, wanted.key)
    except SubjectRefInvalid:
        raise HttpProblem("invalid-request", "The key is not that of a person of this register.") from None
    if wanted.register != gateway.register_map.id:
        raise HttpProblem("invalid-request", "The register is not this agency's.")
    return subject


def _asked(proven: Proven, subject: str, span: Span) -> Asked:
    return Asked(
        client=proven.client, thumbprint=proven.thumbprint, slot=proven.slot, digest=proven.digest, subject=subject, span=span
    )


def _read_link(body: bytes) -> UsageLinkRequest:
    """Parse what a link is asked for. Raises ``invalid-request`` and ``too-large``; nothing of the body is repeated."""
    if len(body) > MOST_BODY_BYTES:
        raise HttpProblem("too-large")
    try:
        return msgspec.convert(parse_object(body), UsageLinkRequest)
    except Malformed:
        raise HttpProblem("invalid-request", "The body is one JSON object, each member once.") from None
    except msgspec.ValidationError:
        raise HttpProblem("invalid-request", "The body is not as the schema says: subject (register, key).") from None


def _read(body: bytes) -> UsageRequest:
    """Parse what is asked. Raises ``invalid-request`` and ``too-large``; nothing of the body is repeated."""
    if len(body) > MOST_BODY_BYTES:
        raise HttpProblem("too-large")
    try:
        wanted = msgspec.convert(parse_object(body), UsageRequest)
    except Malformed:
        raise HttpProblem("invalid-request", "The body is one JSON object, each member once.") from None
    except msgspec.ValidationError:
        raise HttpProblem(
            "invalid-request",
            "The body is not as the schema says: subject (register, key) and language, perhaps from, to, limit, cursor.",
        ) from None
    if wanted.language not in set(Language):
        raise HttpProblem("invalid-request", "language is fr or en.")
    if not 1 <= wanted.limit <= MOST_LINES:
        raise HttpProblem("invalid-request", f"limit is 1 to {MOST_LINES}.")
    return wanted


def _span(wanted: UsageRequest) -> Span:
    """Read the part of the record that is asked for. Raises ``invalid-request``."""
    from_at, to_at = _instant("from", wanted.from_at), _instant("to", wanted.to_at)
    if from_at is not None and to_at is not None and to_at <= from_at:
        raise HttpProblem("invalid-request", "`to` is not after `from`.")
    return Span(from_at=from_at, to_at=to_at, before=_cursor(wanted.cursor), most=wanted.limit)


def _instant(name: str, at: datetime | None) -> datetime | None:
    """Read an instant: with its offset, and of our times."""
    if at is None:
        return None
    if at.tzinfo is None or at.year not in _YEARS:
        raise HttpProblem("invalid-request", f"`{name}` is an instant with its offset, such as 2026-01-05T00:00:00Z.")
    return at.astimezone(UTC)


def _cursor(text: str | None) -> tuple[int, int] | None:
    """Read a cursor in its one spelling."""
    if text is None:
        return None
    log_id, _, index = text.partition("-")
    numbers = [int(part) for part in (log_id, index) if part.isascii() and part.isdecimal() and len(part) <= 18]
    if len(numbers) != 2 or f"{numbers[0]}-{numbers[1]}" != text or not 0 < numbers[0] < 2**15:
        raise HttpProblem("invalid-request", "`cursor` is the `next` of an earlier answer.")
    return numbers[0], numbers[1]


def _answer(record: Record, origin: str, language: Language) -> UsageAnswer:
    """Render a page."""
    return UsageAnswer(
        total_usages=record.total,
        usages=list(record.lines),
        next=None if record.before is None else f"{record.before[0]}-{record.before[1]}",
        period_end=record.to_at,
        log=origin,
        notes=list(NOTES[language]),
    )


HANDLERS: Final = [usage, usage_link]
