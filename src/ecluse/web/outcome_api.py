"""Outcomes: a processor says how an appointment ended, the controller fetches what was said, and anyone may have the key that signs deliveries."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Final

import msgspec
from litestar import Response, get, post
from litestar.params import JSONBody, PathParameter, QueryParameter

from ecluse.db import LOST
from ecluse.disclosure import LedgerUnavailable
from ecluse.identity import key_set
from ecluse.identity.compact import Malformed, parse_object
from ecluse.identity.metadata import KeySet
from ecluse.identity.service import refuse_stopped
from ecluse.ids import is_id
from ecluse.outcomes import Outcome, Unrecorded
from ecluse.outcomes.check import check_outcome
from ecluse.outcomes.service import record_outcome
from ecluse.outcomes.store import Asking, outcomes_after
from ecluse.web.auth import PROCESSOR, SCHEDULER, prove, read_headers, spend
from ecluse.web.disclose import MOST_BODY_BYTES, idempotency_key, processor_of
from ecluse.web.gateway import HttpRequest, Served
from ecluse.web.problems import HttpProblem
from ecluse.web.processor_api import tagged
from ecluse.web.published import CALLER, published
from ecluse.web.wire import ID_PATTERN, OutcomeAnswer, OutcomeItem, OutcomeRequest, OutcomesAnswer

MOST_OUTCOMES: Final = 500
_APPOINTMENT: Final = PathParameter(description="The handle of an appointment.", schema_extra={"pattern": ID_PATTERN % "apt"})
_AFTER: Final = QueryParameter(
    description="`0`, or the `next` of an earlier answer.", schema_extra={"pattern": "^(0|[1-9][0-9]{0,17})$"}
)


@post(
    "/v1/appointments/{appointment:str}/outcome",
    status_code=200,
    operation_id="outcome",
    tags=["processor"],
    summary="Say how an appointment ended",
    operation_class=published(
        answer="What stands now.",
        problems=[
            *CALLER, "not-found", "outside-outcome-window", "suspended", "purpose-not-contracted", "unknown-agent", "key-reused", "too-large",
            "clock-untrusted", "busy",
        ],
        scope=PROCESSOR,
        takes=["IdempotencyKey"],
        sends=["CacheControl"],
    ),
)  # fmt: skip
async def outcome(
    request: HttpRequest,
    data: JSONBody[OutcomeRequest],  # noqa: ARG001 - for the schema
    gateway: Served,
    appointment: Annotated[str, _APPOINTMENT],
) -> Response[OutcomeAnswer]:
    """Record or correct the outcome of an appointment of yours, from its session's start until two days after its window closed.

    It opens no disclosure. A correction replaces what stood; the same again changes nothing. Send an `Idempotency-Key`: then a retry that comes late, after a
    correction, is answered as it was and undoes nothing. It is kept for 30 days.
    """
    headers = read_headers(request.scope["headers"])
    proven = prove(gateway, headers, "POST", request.scope["path"], PROCESSOR)
    asked = _read(await request.body())
    key = idempotency_key(headers)
    processor = await processor_of(gateway, proven)
    await spend(gateway, proven)
    if not is_id(appointment, "apt"):
        raise HttpProblem("not-found")
    asking = Asking(
        processor=processor,
        client=proven.client,
        thumbprint=proven.thumbprint,
        handle=appointment,
        key=key,
        body_hash=sha256(msgspec.json.encode(asked)).digest(),
    )
    done = await record_outcome(gateway.pool, gateway.door, asking, asked, log_id=gateway.log_id)
    if isinstance(done, Unrecorded):
        raise HttpProblem(done.code, done.detail, **done.told)
    said = msgspec.to_builtins(asked)
    answer = OutcomeAnswer(appointment=appointment, **said, revision=done.revision, recorded_at=done.recorded_at)
    return Response(content=answer, headers={"cache-control": "no-store"})


def _read(body: bytes) -> Outcome:
    """Parse and check what was said. Raises ``invalid-request`` and ``too-large``."""
    if len(body) > MOST_BODY_BYTES:
        raise HttpProblem("too-large")
    try:
        wanted = msgspec.convert(parse_object(body), OutcomeRequest)
    except Malformed:
        raise HttpProblem("invalid-request", "The body is one JSON object, each member once.") from None
    except msgspec.ValidationError:
        raise HttpProblem(
            "invalid-request", "The body is not as the schema says: attendance, and perhaps level and agent."
        ) from None
    if wanted.agent is not None and not is_id(wanted.agent, "agt"):
        raise HttpProblem("invalid-request", "agent is not an agent's id (agt_ and 26 characters).")
    checked = check_outcome(wanted.attendance, wanted.level, wanted.agent)
    if isinstance(checked, Unrecorded):
        raise HttpProblem(checked.code, checked.detail)
    return checked


@get(
    "/v1/outcomes",
    operation_id="outcomes",
    tags=["controller"],
    summary="Fetch outcomes",
    operation_class=published(
        answer="The outcomes after the cursor.",
        problems=[*CALLER, "suspended"],
        scope=SCHEDULER,
        takes=["IfNoneMatch"],
        sends=["ETag", "CacheControl"],
    ),
)
async def outcomes(request: HttpRequest, gateway: Served, after: Annotated[str, _AFTER] = "0") -> Response[OutcomesAnswer]:
    """List outcomes after a cursor, at most 500, in the order in which they were recorded. Begin with `0`; go on with `next`.

    An outcome that is corrected moves to the end of the list with its next revision, so whoever goes on from a cursor misses nothing within 30 days.
    """
    proven = prove(gateway, read_headers(request.scope["headers"]), "GET", request.scope["path"], SCHEDULER)
    seq = _cursor(after)
    await spend(gateway, proven)
    try:
        async with gateway.pool.acquire() as connection:
            await refuse_stopped(connection, client=proven.client, thumbprint=proven.thumbprint, role="scheduler")
            found = await outcomes_after(connection, seq, MOST_OUTCOMES + 1)
    except LOST as lost:
        raise LedgerUnavailable from lost
    shown = found[:MOST_OUTCOMES]
    answer = OutcomesAnswer(
        outcomes=[OutcomeItem(**msgspec.structs.asdict(item)) for item in shown],
        next=shown[-1].cursor if shown else after,
        more=len(found) > len(shown),
    )
    return tagged(request, answer)


def _cursor(text: str) -> int:
    """Read a cursor: canonical decimals below 10**18."""
    if len(text) > 18 or not (text.isascii() and text.isdecimal() and str(int(text)) == text):
        raise HttpProblem("invalid-request", "`after` is 0 or the `next` of an earlier answer.")
    return int(text)


@get(
    "/outcomes/jwks",
    operation_id="outcome_keys",
    tags=["controller"],
    summary="Get the key that signs deliveries of outcomes",
    operation_class=published(answer="A JWK set (RFC 7517)."),
)
async def jwks(gateway: Served) -> KeySet:
    """Publish the key that signs deliveries of outcomes to the webhook (RFC 9421); `kid` is the `keyid` of a signature."""
    return key_set([gateway.webhook_key])


HANDLERS: Final = [outcome, outcomes, jwks]
