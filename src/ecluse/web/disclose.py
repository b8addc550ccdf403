"""``POST /v1/disclosures`` and the session sheet: parse, one use case, render.

The hot endpoint is also served by a short ASGI lane (`app.fast_lane`), which calls `disclose` just as the documented handler does.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

import msgspec

from ecluse.contracts import Assurance
from ecluse.disclosure import Answer, Delivered, Delivery, Denied, Flooded, Proven, Replayed, Request
from ecluse.ids import is_id, is_name
from ecluse.policy import Ask
from ecluse.schedule.agenda import AgendaSession
from ecluse.web.auth import PROCESSOR, Headers, prove
from ecluse.web.gateway import Gateway
from ecluse.web.problems import HttpProblem, document, headers_of
from ecluse.web.wire import DisclosureRequest, SheetRequest

PATH: Final = "/v1/disclosures"
MOST_BODY_BYTES: Final = 65_536
MOST_ATTRIBUTES: Final = 64
UNMAPPED: Final = "(unmapped)"
"""How an attribute that the register does not map is sealed and told back; no attribute can have this name."""
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_decode: Final = msgspec.json.Decoder(DisclosureRequest).decode
_decode_sheet: Final = msgspec.json.Decoder(SheetRequest).decode
_encode: Final = msgspec.json.Encoder().encode
_MEMBERS: Final = frozenset({"appointment", "agent", "attributes"})

Reply = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, header fields, body."""

_JSON: Final = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


async def disclose(gateway: Gateway, headers: Headers, body: bytes) -> Reply:
    """Disclose one person, or refuse. Raises `HttpProblem` and `DoorError`."""
    proven = prove(gateway, headers, "POST", PATH, PROCESSOR)
    wanted = _read(body)
    processor = await processor_of(gateway, proven)
    ask = Ask(
        processor=processor,
        client=proven.client,
        agent=wanted.agent,
        assurance=Assurance.ASSERTED,
        appointment=wanted.appointment,
        # what the register does not map is no word of ours: sealed as it came it could carry anything, a name for one, into the ledger
        attributes=tuple(sorted({name if name in gateway.attributes else UNMAPPED for name in wanted.attributes})),
    )
    body_hash = sha256(_encode((ask.appointment, ask.agent, ask.attributes))).digest()
    answer = await gateway.door.ask(
        Request(proven=proven, asks=(ask,), endpoint=PATH, session=None, key=idempotency_key(headers), body_hash=body_hash)
    )
    if isinstance(answer, Delivered):
        return 200, _JSON, _encode(_person(gateway.origin, ask, answer.deliveries[0]))
    return refusal(gateway.origin, answer)


async def sheet(
    gateway: Gateway,
    headers: Headers,
    proven: Proven,
    body: bytes,
    processor: str,
    session: AgendaSession,
    attributes: tuple[str, ...],
) -> Reply:
    """Disclose a session's roll-call: one seal, all places or none. ``attributes``: those of the contract's sheet."""
    if len(body) > MOST_BODY_BYTES:
        raise HttpProblem("too-large")
    try:
        wanted = _decode_sheet(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as bad:  # the latter: a member's name that is not UTF-8
        raise HttpProblem("invalid-request", f"The body is not as the schema says: {_constant(bad)}.") from None
    if body.count(b'"') != 4:
        raise HttpProblem("invalid-request", "A member stands twice, or a text holds a quote.")
    _check_agent(wanted.agent)
    asks = tuple(
        Ask(
            processor=processor,
            client=proven.client,
            agent=wanted.agent,
            assurance=Assurance.ASSERTED,
            appointment=place.id,
            attributes=tuple(sorted(attributes)),
        )
        for place in session.places
    )
    if not asks:
        raise HttpProblem("not-found", "This session has no planned place.")
    endpoint = f"/v1/sessions/{session.id}/sheet"
    # the hash is of what the caller said, not of the places: a place cancelled meanwhile must not look like another request
    body_hash = sha256(_encode((session.id, wanted.agent))).digest()
    answer = await gateway.door.ask(
        Request(
            proven=proven, asks=asks, endpoint=endpoint, session=session.id, key=idempotency_key(headers), body_hash=body_hash
        )
    )
    if isinstance(answer, Delivered):
        asked = {ask.appointment: ask for ask in asks}
        rows = [
            {"appointment": delivery.appointment, **_person(gateway.origin, asked[delivery.appointment], delivery)}
            for delivery in answer.deliveries
        ]
        return 200, _JSON, _encode({"session": session.id, "disclosures": rows, "missing": answer.missing})
    return refusal(gateway.origin, answer)


def refusal(origin: str, answer: Answer) -> Reply:
    """Render a refusal: the public reason, its facts, and the refused caller's own receipt."""
    if isinstance(answer, Replayed):
        status, body = document("invalid-proof", "The DPoP proof was used before.")
        return status, headers_of("invalid-proof"), body
    if isinstance(answer, Flooded):
        status, body = document("too-many-refusals", None, {"retry_in_seconds": answer.seconds})
        return status, headers_of("too-many-refusals", answer.seconds), body
    if not isinstance(answer, Denied):
        raise AssertionError("impossible: a delivery rendered as a refusal")  # noqa: TRY004 - a bug, not a caller's type
    receipt = {"log": origin, "index": answer.index, "leaf_hash": answer.leaf_hash, "opening": answer.opening, "value_salts": {}}
    status, body = document(answer.reason.value, None, {**answer.told, "disclosure": answer.disclosure, "receipt": receipt})
    return status, headers_of(answer.reason.value), body


async def processor_of(gateway: Gateway, proven: Proven) -> str:
    """Return the processor of a client. Raises ``invalid-token`` for a client that is not there."""
    processor = gateway.door.processor_of(proven.client)
    if processor is None:
        client = (await gateway.door.snapshot()).clients.get(proven.client)
        processor = client.processor if client is not None else None
    if processor is None:
        raise HttpProblem("invalid-token", "The client is not registered any more.")
    return processor


def idempotency_key(headers: Headers) -> str | None:
    """Return the ``Idempotency-Key``, if any. Raises ``invalid-request`` for another spelling."""
    key = headers.idempotency_key
    if key is not None and _KEY.fullmatch(key) is None:
        raise HttpProblem("invalid-request", "Idempotency-Key is 1 to 64 characters of A-Z a-z 0-9 _ -.")
    return key


def _read(body: bytes) -> DisclosureRequest:
    """Parse and check a request's body."""
    if len(body) > MOST_BODY_BYTES:
        raise HttpProblem("too-large")
    try:
        wanted = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as bad:  # the latter: a member's name that is not UTF-8
        raise HttpProblem("invalid-request", f"The body is not as the schema says: {_constant(bad)}.") from None
    names = wanted.attributes
    # each name and each text has two quotes: more of them means a member that stands twice (every text here is free of quotes)
    if body.count(b'"') != 2 * (len(_MEMBERS) + 2 + len(names)):
        raise HttpProblem("invalid-request", "A member stands twice, or a text holds a quote.")
    if not is_id(wanted.appointment, "apt"):
        raise HttpProblem("invalid-request", "appointment is not a handle (apt_ and 26 characters).")
    _check_agent(wanted.agent)
    if not 1 <= len(names) <= MOST_ATTRIBUTES or len(set(names)) != len(names) or not all(map(is_name, names)):
        raise HttpProblem("invalid-request", "attributes is a list of 1 to 64 distinct attribute names.")
    return wanted


def _check_agent(agent: str) -> None:
    """Refuse what can't be an agent's id."""
    if not is_id(agent, "agt"):
        raise HttpProblem("invalid-request", "agent is not an agent's id (agt_ and 26 characters).")


def _constant(bad: Exception) -> str:
    """Return the part of a decoder's message that can't hold a value: what was expected and where."""
    text = str(bad)
    return (
        text
        if text.startswith(("Expected", "Object missing", "Object contains unknown field")) and "unknown field" not in text
        else "unexpected content"
    )


def _person(origin: str, ask: Ask, delivery: Delivery) -> dict[str, object]:
    """Render one person, after a last check that it is the one that was asked for, and shows no more than was asked."""
    if (delivery.appointment, delivery.processor) != (ask.appointment, ask.processor) or not delivery.forms.keys() <= set(
        ask.attributes
    ):
        raise AssertionError("impossible: another person's answer")
    return {
        "disclosure": delivery.disclosure,
        "subject": delivery.subject,
        "forms": delivery.forms,
        "window_closes_at": delivery.closes_at,
        "receipt": {
            "log": origin,
            "index": delivery.index,
            "leaf_hash": delivery.leaf_hash,
            "opening": delivery.opening,
            "value_salts": delivery.value_salts,
        },
    }
