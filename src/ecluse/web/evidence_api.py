"""``/v1/evidence``: a processor hands in documents about itself, and sees where they stand, what its gate is, why, and what comes. It accepts none.

The caller is authenticated, its proof spent and its rate counted before a byte of the body is read; a process takes in three bodies at once, one of a client.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import msgspec
from litestar import Response, get, post

from ecluse import clock
from ecluse.contracts import Gate
from ecluse.contracts.history import GateHistory
from ecluse.contracts.store import load_history
from ecluse.contracts.words import words_of
from ecluse.db import LOST, DatabaseUnavailable
from ecluse.disclosure import LedgerUnavailable, Proven
from ecluse.evidence import Evidence, EvidenceRefused, Fault, Submission, TooManyWaiting
from ecluse.evidence.model import MOST_BYTES
from ecluse.evidence.rows import COLUMNS, check_rows
from ecluse.evidence.service import Submitted, submit
from ecluse.evidence.store import clock_now, list_evidence
from ecluse.identity.compact import Malformed, parse_object
from ecluse.identity.service import refuse_stopped
from ecluse.web.auth import PROCESSOR, client_of, prove, read_headers, spend
from ecluse.web.evidence_wire import (
    BODY,
    DocumentItem,
    EvidenceAnswer,
    EvidenceRequest,
    FaultItem,
    GateChangeItem,
    ReasonItem,
    RequiredItem,
    StandingAnswer,
)
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.problems import HttpProblem
from ecluse.web.published import CALLER, published

PATH: Final = "/v1/evidence"
MOST_BODY_BYTES: Final = MOST_BYTES * 4 // 3 + 1024 * 1024
"""A document in base64, and a mebibyte for what is said of it."""
MOST_AN_HOUR: Final = 20
AHEAD: Final = timedelta(days=90)
"""How far ahead the changes of the gate are told."""
_HOUR: Final = timedelta(hours=1)
_BODY_SECONDS: Final = 120
_AT_ONCE: Final = 3


class Doorkeeper:
    """Says, before a byte is read, whether a client may send a document to this process; owned by the event loop's one thread.

    A client sends one at a time and 20 within an hour; three are taken in at once, so that memory is bounded and nobody who dawdles keeps all others out.
    """

    def __init__(self, now: Callable[[], datetime] = clock.now) -> None:
        """Begin with nobody."""
        self._sent: dict[str, deque[datetime]] = {}
        self._sending: set[str] = set()
        self._now = now
        self._places = asyncio.Semaphore(_AT_ONCE)

    @asynccontextmanager
    async def let_in(self, client: str) -> AsyncIterator[None]:
        """Count one and give it a place. Raises ``too-many-requests``, and ``busy`` for a second one at the same time."""
        if client in self._sending:
            raise HttpProblem("busy", "This client is sending a document already.")
        self._count(client)
        self._sending.add(client)
        try:
            async with self._places:
                yield
        finally:
            self._sending.remove(client)

    def _count(self, client: str) -> None:
        now = self._now()
        for name in [name for name, times in self._sent.items() if now - times[-1] >= _HOUR]:
            del self._sent[name]
        times = self._sent.setdefault(client, deque(maxlen=MOST_AN_HOUR))
        if len(times) == MOST_AN_HOUR and now - times[0] < _HOUR:
            raise HttpProblem("too-many-requests", f"A client may send {MOST_AN_HOUR} documents an hour.")
        times.append(now)


_doorkeeper: Final = Doorkeeper()


@post(
    PATH,
    status_code=200,
    request_max_body_size=MOST_BODY_BYTES,
    operation_id="submit_evidence",
    tags=["processor"],
    summary="Hand in a document",
    operation_class=published(
        answer="What was kept.",
        problems=[*CALLER, "suspended", "too-large", "too-many-requests", "evidence-refused", "busy"],
        scope=PROCESSOR,
        sends=["CacheControl"],
        body=BODY,
    ),
)
async def submit_evidence(request: HttpRequest, gateway: Served) -> Response[EvidenceAnswer]:
    """Hand in a document that your contract asks for. It is kept encrypted, and counts for nothing until a named person at the agency has accepted it.

    What it is is read from its bytes. One that could run, fetch or send anything when it is opened is refused with the reason. Nothing is ever accepted by
    itself: look at `GET /v1/evidence` for what became of it.
    """
    proven = prove(gateway, read_headers(request.scope["headers"]), "POST", PATH, PROCESSOR)
    client = await client_of(gateway, proven)
    if client.processor is None:
        raise HttpProblem("wrong-role")
    await spend(gateway, proven)
    await _refuse_early(gateway, proven)
    async with _doorkeeper.let_in(proven.client):
        async with asyncio.timeout(_BODY_SECONDS):
            body = await request.body()
        # NOTE(why): a large document is taken apart in a thread, or every decision of this process would wait for it.
        asked, content = await asyncio.to_thread(_read, body, client.processor)
        submitted = await _keep(gateway, asked, content, proven.client)
    found = submitted.evidence
    answer = EvidenceAnswer(
        id=found.id, state=found.state.value, media_type=found.media_type.value, size_bytes=found.size_bytes, sha256=found.sha256,
        submitted_at=found.submitted_at, warnings=[FaultItem(**msgspec.structs.asdict(each)) for each in submitted.warnings],
    )  # fmt: skip
    return Response(content=answer, headers={"cache-control": "no-store"})


def _read(body: bytes, processor: str) -> tuple[Submission, bytes]:
    """Parse what is handed in. Raises ``invalid-request`` and ``evidence-refused``; no value of it is repeated."""
    try:
        wanted = msgspec.convert(parse_object(body), EvidenceRequest)
    except (Malformed, msgspec.ValidationError):
        raise HttpProblem(
            "invalid-request",
            "The body is one JSON object as the schema says: kind, title, issuer, reviewed_on and document (base64), perhaps scope, sites, period, ends_on, "
            "bridges, sub_processors.",
        ) from None
    try:
        rows = check_rows(
            (f"sub_processors {number}", [getattr(row, name) for name in COLUMNS])
            for number, row in enumerate(wanted.sub_processors, 1)
        )
    except EvidenceRefused as refused:
        raise _problem(refused.faults) from None
    period = None if wanted.period is None else (wanted.period.first, wanted.period.last)
    asked = Submission(
        processor=processor, kind=wanted.kind, title=wanted.title, issuer=wanted.issuer, scope=wanted.scope, sites=tuple(wanted.sites), period=period,
        reviewed_on=wanted.reviewed_on, ends_on=wanted.ends_on, bridges=wanted.bridges, sub_processors=rows,
    )  # fmt: skip
    return asked, wanted.document


def _problem(faults: tuple[Fault, ...]) -> HttpProblem:
    """Answer a refused document."""
    return HttpProblem("evidence-refused", None, problems=[msgspec.structs.asdict(fault) for fault in faults])


async def _refuse_early(gateway: Gateway, proven: Proven) -> None:
    """Turn a stopped client away before its document is read. A held processor may send: what is missing may be what holds it."""
    try:
        async with gateway.pool.acquire() as connection:
            await refuse_stopped(connection, client=proven.client, thumbprint=proven.thumbprint, role="processor")
    except LOST as lost:
        raise LedgerUnavailable from lost


async def _keep(gateway: Gateway, asked: Submission, content: bytes, client: str) -> Submitted:
    """Keep a document."""
    try:
        async with gateway.pool.acquire() as connection:
            return await submit(
                connection,
                gateway.vault,
                asked,
                content,
                actor=f"client:{client}",
                attributes=gateway.attributes,
                timezone=gateway.settings.zone,
            )
    except EvidenceRefused as refused:
        raise _problem(refused.faults) from None
    except TooManyWaiting:
        mend = "Wait until the agency has accepted or rejected some, or call it"
        raise _problem((Fault(where="document", why="too many of yours wait for somebody already", mend=mend),)) from None
    except (*LOST, DatabaseUnavailable) as lost:
        raise LedgerUnavailable from lost


@get(
    PATH,
    operation_id="evidence",
    tags=["processor"],
    summary="See where you stand",
    operation_class=published(answer="Your gate, and your documents.", problems=CALLER, scope=PROCESSOR, sends=["CacheControl"]),
)
async def evidence(request: HttpRequest, gateway: Served) -> Response[StandingAnswer]:
    """Tell your gate with its reasons, their mends and what comes within 90 days, what your contract asks for, and what became of your documents."""
    proven = prove(gateway, read_headers(request.scope["headers"]), "GET", PATH, PROCESSOR)
    client = await client_of(gateway, proven)
    if client.processor is None:
        raise HttpProblem("wrong-role")
    try:
        async with gateway.pool.acquire() as connection:
            at = await clock_now(connection)
            history = await load_history(connection, client.processor, gateway.attributes, gateway.settings.zone)
            documents = await list_evidence(connection, client.processor)
    except LOST as lost:
        raise LedgerUnavailable from lost
    terms = (await gateway.door.snapshot()).terms(client.processor, at)
    required = {each.kind: each.max_age for each in terms.contract.evidence_required} if terms is not None else {}
    answer = _standing(at, history, required, documents)
    return Response(content=answer, headers={"cache-control": "no-store"})


def _standing(at: datetime, history: GateHistory, required: Mapping[str, str], documents: list[Evidence]) -> StandingAnswer:
    """Put the answer together."""
    stands: Gate = history.at(at)
    return StandingAnswer(
        at=at,
        gate=stands.state.value,
        reasons=[_reason(code) for code in stands.reasons],
        changes=[
            GateChangeItem(at=when, gate=state.value, reasons=list(reasons))
            for when, state, reasons in list(history.changes(at, at + AHEAD))[1:]
        ],
        required=[RequiredItem(kind=kind, max_age=max_age) for kind, max_age in required.items()],
        documents=[_document(each) for each in documents],
    )


def _reason(code: str) -> ReasonItem:
    words = words_of(code)
    return ReasonItem(code=code, what=words.what, mend=words.mend, move=words.move.value)


def _document(one: Evidence) -> DocumentItem:
    return DocumentItem(
        id=one.id, kind=one.kind, title=one.title, state=one.state.value, reviewed_on=one.reviewed_on, ends_on=one.ends_on, sites=list(one.sites),
        sha256=one.sha256, submitted_at=one.submitted_at, accepted_at=one.accepted_at, withdrawn_at=one.withdrawn_at, rejected_why=one.rejected_why,
    )  # fmt: skip


HANDLERS: Final = [submit_evidence, evidence]
