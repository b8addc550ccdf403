"""What a processor's machine may ask besides a disclosure: who am I, my sessions, what changed, what is spent, prove it. No personal data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Final, TypeVar

import asyncpg
import msgspec
from litestar import Response, get, post
from litestar.openapi.spec import Example
from litestar.params import JSONBody, PathParameter, QueryParameter

from ecluse import clock
from ecluse.contracts import GateState, Purpose
from ecluse.db import LOST, Connection
from ecluse.disclosure import Client, LedgerUnavailable, Proven, Snapshot
from ecluse.ids import is_id
from ecluse.ledger import leaf_hash
from ecluse.ledger.errors import NotPublished
from ecluse.ledger.policies import Overdue
from ecluse.ledger.serve import checkpoint_covering, inclusion
from ecluse.schedule import agenda
from ecluse.web import disclose as door
from ecluse.web.auth import PROCESSOR, client_of, prove, read_headers
from ecluse.web.gateway import Gateway, HttpRequest, Served, raw
from ecluse.web.ledger_api import waiting
from ecluse.web.problems import HttpProblem
from ecluse.web.published import CALLER, DOOR, published
from ecluse.web.wire import (
    CURSOR_PATTERN,
    ID_PATTERN,
    AppointmentItem,
    BudgetAnswer,
    BudgetItem,
    ChangeItem,
    ChangesAnswer,
    DisclosureAnswer,
    DisclosureRequest,
    ProofAnswer,
    PurposeItem,
    SessionItem,
    SessionsAnswer,
    SheetAnswer,
    SheetRequest,
    WhoAmI,
)

MOST_DAYS: Final = 62
T = TypeVar("T")
_UNITS: Final = {"h": "hour", "d": "day", "m": "month"}
_SPENT: Final = """
select b.unit, b.scope, b.persons
from (select ecluse.clock() as at) n
cross join lateral (
  values ('h', date_trunc('hour', n.at, 'UTC')), ('d', date_trunc('day', n.at, 'UTC')), ('m', date_trunc('month', n.at, 'UTC'))
) u (unit, bucket)
join ecluse.budget_count b on b.unit = u.unit and b.bucket = u.bucket
where b.scope = any($1::text[])
"""


async def _caller(request: HttpRequest, gateway: Gateway) -> tuple[Proven, Client, str, Snapshot]:
    """Authenticate a processor's machine for a call that moves nothing."""
    proven = prove(gateway, read_headers(request.scope["headers"]), request.method, request.scope["path"], PROCESSOR)
    client = await client_of(gateway, proven)
    if client.processor is None:
        raise HttpProblem("wrong-role")
    return proven, client, client.processor, await gateway.door.snapshot()


_SESSION_ID: Final = PathParameter(description="A session's id.", schema_extra={"pattern": ID_PATTERN % "ses"})
_DISCLOSURE_ID: Final = PathParameter(description="The `disclosure` of an answer.", schema_extra={"pattern": ID_PATTERN % "dsc"})


@post(
    door.PATH,
    status_code=200,
    operation_id="disclose",
    tags=["processor"],
    summary="Ask for one scheduled person",
    operation_class=published(
        answer="The person's attributes, and the receipt.",
        problems=DOOR,
        scope=PROCESSOR,
        takes=["IdempotencyKey"],
        sends=["CacheControl"],
    ),
)
async def disclose(request: HttpRequest, data: JSONBody[DisclosureRequest], gateway: Served) -> Response[DisclosureAnswer]:  # noqa: ARG001 - for the schema
    """Ask for one scheduled person's contracted attributes.

    Sealed in the ledger before a byte leaves. Send an `Idempotency-Key`: a retry of a grant within ten minutes is answered again with the same receipt and
    spends nothing. `withheld` attributes are absent from `subject`; values the agency lacks are null.
    """
    status, fields, body = await door.disclose(gateway, read_headers(request.scope["headers"]), await request.body())
    return raw(status, fields, body)


@get(
    "/v1/whoami",
    operation_id="whoami",
    tags=["processor"],
    summary="Ask who you are here",
    operation_class=published(answer="You, as the agency knows you.", problems=CALLER, scope=PROCESSOR),
)
async def whoami(request: HttpRequest, gateway: Served) -> WhoAmI:
    """Tell who you are here: client, contract, purposes, attributes and forms, agents, and the server's clock."""
    _, client, processor, snapshot = await _caller(request, gateway)
    late, at = await _late(gateway)
    terms = snapshot.terms(processor, at)
    state, reasons = (terms.gate.state, list(terms.gate.reasons)) if terms else (GateState.CLOSED, ["contract:absent"])
    if late is not Overdue.NO:  # it closes every gate, and opens none
        harder = GateState.FROZEN if late is Overdue.FROZEN else GateState.WARN
        state = harder if state is GateState.OPEN or (state, harder) == (GateState.WARN, GateState.FROZEN) else state
        reasons.append("witnesses:uncosigned")
    return WhoAmI(
        processor=processor,
        client=client.id,
        contract_reference=terms.contract.reference if terms else None,
        contract_version=terms.version if terms else None,
        gate=state.value,
        gate_reasons=reasons,
        agents=sorted(agent for agent, owner in snapshot.agents.items() if owner == processor),
        purposes=[_purpose(purpose) for purpose in terms.contract.purposes.values()] if terms else [],
        server_time=clock.now(),
        log=gateway.origin,
    )


async def _late(gateway: Gateway) -> tuple[Overdue, datetime]:
    """Return whether entries have waited too long for the log's witnesses, and the database's clock."""
    try:
        async with gateway.pool.acquire() as connection:
            late, _, at = await waiting(connection, gateway)
            return late, at
    except LOST as lost:
        raise LedgerUnavailable from lost


def _purpose(purpose: Purpose) -> PurposeItem:
    return PurposeItem(
        id=purpose.id,
        label=purpose.label,
        attributes={name: form.value for name, form in purpose.attributes.items()},
        sheet={name: form.value for name, form in purpose.sheet.items()},
        opens_before_seconds=int(purpose.opens_before.total_seconds()),
        closes_after_seconds=int(purpose.closes_after.total_seconds()),
        reads_per_appointment=purpose.reads_per_appointment,
    )


_FROM: Final = QueryParameter(
    name="from",
    description="First instant, RFC 3339. Default: now less a day.",
    examples=[Example(value="2026-01-05T00:00:00Z")],
)
_TO: Final = QueryParameter(
    name="to", description="Instant after the last, at most 62 days later. Default: eight days after `from`."
)


@get(
    "/v1/sessions",
    operation_id="sessions",
    tags=["processor"],
    summary="List your sessions",
    operation_class=published(
        answer="Your sessions, by their start.",
        problems=CALLER,
        scope=PROCESSOR,
        takes=["IfNoneMatch"],
        sends=["ETag", "CacheControl"],
    ),
)
async def sessions(
    request: HttpRequest,
    gateway: Served,
    begin: Annotated[datetime | None, _FROM] = None,
    end: Annotated[datetime | None, _TO] = None,
) -> Response[SessionsAnswer]:
    """List your sessions that start in `[from, to)`, with the handles of their places. Answers 304 to a matching `If-None-Match`."""
    _, _, processor, snapshot = await _caller(request, gateway)
    first, last = _span(begin, end)
    try:
        async with gateway.pool.acquire() as connection:
            found = await agenda.sessions_between(connection, processor, first, last)
    except LOST as lost:
        raise LedgerUnavailable from lost
    answer = SessionsAnswer(sessions=[item for session in found if (item := _item(session, snapshot, processor)) is not None])
    return tagged(request, answer)


@get(
    "/v1/sessions/{session:str}",
    operation_id="session",
    tags=["processor"],
    summary="Look at one of your sessions",
    operation_class=published(
        answer="The session.",
        problems=[*CALLER, "not-found", "purpose-not-contracted"],
        scope=PROCESSOR,
        takes=["IfNoneMatch"],
        sends=["ETag", "CacheControl"],
    ),
)
async def session(request: HttpRequest, gateway: Served, session: Annotated[str, _SESSION_ID]) -> Response[SessionItem]:
    """Return one of your sessions."""
    _, _, processor, snapshot = await _caller(request, gateway)
    found = await _session(gateway, processor, session)
    item = _item(found, snapshot, processor)
    if item is None:
        raise HttpProblem("purpose-not-contracted")
    return tagged(request, item)


def _span(begin: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """Return what was asked as instants in UTC. Raises ``invalid-request``."""
    if any(given is not None and given.tzinfo is None for given in (begin, end)):
        raise HttpProblem("invalid-request", "`from` and `to` are instants with an offset (RFC 3339).")
    try:
        first = (begin or clock.now() - timedelta(days=1)).astimezone(UTC)
        last = (end or first + timedelta(days=8)).astimezone(UTC)
        fits = first < last <= first + timedelta(days=MOST_DAYS)
    except OverflowError:
        fits = False
    if not fits:
        raise HttpProblem("invalid-request", "`to` must be after `from`, by at most 62 days.")
    return first, last


async def _session(gateway: Gateway, processor: str, name: str) -> agenda.AgendaSession:
    """Read one session of this processor; another's is not found, like one that never was."""
    if not is_id(name, "ses"):
        raise HttpProblem("not-found")
    try:
        async with gateway.pool.acquire() as connection:
            found = await agenda.session_of(connection, processor, name)
    except LOST as lost:
        raise LedgerUnavailable from lost
    if found is None:
        raise HttpProblem("not-found")
    return found


def _item(session: agenda.AgendaSession, snapshot: Snapshot, processor: str) -> SessionItem | None:
    """Show a session with its windows as the contract in force sets them; None where the contract lacks its purpose."""
    terms = snapshot.terms(processor, clock.now())
    purpose = terms.contract.purposes.get(session.purpose) if terms else None
    if purpose is None:
        return None
    opens_at, closes_at = session.starts_at - purpose.opens_before, session.ends_at + purpose.closes_after
    return SessionItem(
        id=session.id,
        purpose=session.purpose,
        site=session.site,
        room=session.room,
        starts_at=session.starts_at,
        ends_at=session.ends_at,
        agents=list(session.agents),
        appointments=[
            AppointmentItem(id=place.id, enrolment=place.enrolment, opens_at=opens_at, closes_at=closes_at)
            for place in session.places
        ],
    )


def tagged(request: HttpRequest, answer: T) -> Response[T]:
    """Answer with an ``ETag``, or 304 without a body."""
    tag = '"' + sha256(msgspec.json.encode(answer)).hexdigest()[:32] + '"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    if read_headers(request.scope["headers"]).if_none_match == tag:
        return raw(304, [(name.encode(), value.encode()) for name, value in headers.items()], None)
    return Response(content=answer, headers=headers)


@post(
    "/v1/sessions/{session:str}/sheet",
    status_code=200,
    operation_id="sheet",
    tags=["processor"],
    summary="Ask for a session's roll-call",
    operation_class=published(
        answer="One disclosure a place; the places whose person can't be shown.",
        problems=[*DOOR, "not-found"],
        scope=PROCESSOR,
        takes=["IdempotencyKey"],
        sends=["CacheControl"],
    ),
)
async def sheet(
    request: HttpRequest,
    gateway: Served,
    session: Annotated[str, _SESSION_ID],
    data: JSONBody[SheetRequest],  # noqa: ARG001 - for the schema
) -> Response[SheetAnswer]:
    """Ask for a session's roll-call, where the contract grants one: one disclosure a place, all of them or none."""
    headers = read_headers(request.scope["headers"])
    proven = prove(gateway, headers, "POST", request.scope["path"], PROCESSOR)
    processor = await door.processor_of(gateway, proven)
    found = await _session(gateway, processor, session)
    terms = (await gateway.door.snapshot()).terms(processor, clock.now())
    purpose = terms.contract.purposes.get(found.purpose) if terms else None
    if purpose is not None and not purpose.sheet:
        raise HttpProblem("attribute-not-contracted", "The contract grants no roll-call for this purpose.")
    # without a contract or purpose the door refuses, and seals the refusal
    attributes = tuple(purpose.sheet) if purpose is not None else ()
    status, fields, body = await door.sheet(gateway, headers, proven, await request.body(), processor, found, attributes)
    return raw(status, fields, body)


_AFTER: Final = QueryParameter(description="`0`, or the `next` of an earlier answer.", schema_extra={"pattern": CURSOR_PATTERN})


@get(
    "/v1/changes",
    operation_id="changes",
    tags=["processor"],
    summary="List what changed in your schedule",
    operation_class=published(answer="The changes after the cursor.", problems=CALLER, scope=PROCESSOR),
)
async def changes(request: HttpRequest, gateway: Served, after: Annotated[str, _AFTER] = "0") -> ChangesAnswer:
    """List moved sessions, cancelled and reinstated places, and sessions that places came into, after a cursor, oldest first.

    Begin with `0`; go on with `next`.
    """
    _, _, processor, _ = await _caller(request, gateway)
    seq, ordinal = _cursor(after)
    try:
        async with gateway.pool.acquire() as connection:
            found = await agenda.changes_after(connection, processor, seq, ordinal)
    except LOST as lost:
        raise LedgerUnavailable from lost
    shown = found[: agenda.MOST_CHANGES]
    return ChangesAnswer(
        changes=[
            ChangeItem(
                cursor=f"{c.seq}-{c.ordinal}", kind=c.kind, session=c.session, appointment=c.appointment, changed_at=c.changed_at
            )
            for c in shown
        ],
        next=f"{shown[-1].seq}-{shown[-1].ordinal}" if shown else after,
        more=len(found) > len(shown),
    )


def _cursor(text: str) -> tuple[int, int]:
    """Read a cursor: ``0`` or ``<seq>-<ordinal>``, canonical decimals below 2**63."""
    parts = ("0", "0") if text == "0" else tuple(text.split("-"))
    if len(parts) != 2 or any(len(p) > 18 or not (p.isascii() and p.isdecimal() and str(int(p)) == p) for p in parts):
        raise HttpProblem("invalid-request", "`after` is 0 or the `next` of an earlier answer.")
    if int(parts[1]) >= 2**31:
        raise HttpProblem("invalid-request", "`after` is 0 or the `next` of an earlier answer.")
    return int(parts[0]), int(parts[1])


@get(
    "/v1/budget",
    operation_id="budget",
    tags=["processor"],
    summary="Ask what is spent of your ceilings",
    operation_class=published(answer="Each ceiling, and what is spent of it now.", problems=CALLER, scope=PROCESSOR),
)
async def budget(request: HttpRequest, gateway: Served) -> BudgetAnswer:
    """Tell what is spent now of your contract's ceilings, in distinct persons per clock hour, day and month in UTC.

    The ceilings by agent are left out: their running count would time a named person's work. A refusal names them.
    """
    _, client, processor, snapshot = await _caller(request, gateway)
    terms = snapshot.terms(processor, clock.now())
    if terms is None:
        return BudgetAnswer(budgets=[])
    limits = terms.contract.limits
    ceilings = [
        ("h", f"client:{client.id}", limits.persons_per_client_per_hour),
        ("d", f"processor:{processor}", limits.persons_per_day),
        ("m", f"processor:{processor}", limits.persons_per_month),
    ]
    try:
        async with gateway.pool.acquire() as connection:
            rows = await connection.fetch(_SPENT, [scope for _, scope, _ in ceilings])
    except LOST as lost:
        raise LedgerUnavailable from lost
    spent = {(row["unit"], row["scope"]): row["persons"] for row in rows}
    return BudgetAnswer(
        budgets=[
            BudgetItem(unit=_UNITS[unit], scope=scope, limit=limit, spent=spent.get((unit, scope), 0))
            for unit, scope, limit in ceilings
        ]
    )


@get(
    "/v1/disclosures/{disclosure:str}/proof",
    operation_id="proof",
    tags=["processor"],
    summary="Prove that an entry is in the log",
    operation_class=published(
        answer="The inclusion proof, and the checkpoint that it leads to.",
        problems=[*CALLER, "not-found", "not-published"],
        scope=PROCESSOR,
    ),
)
async def proof(request: HttpRequest, gateway: Served, disclosure: Annotated[str, _DISCLOSURE_ID]) -> ProofAnswer:
    """Prove that one of your entries is in the log: its inclusion under the newest signed checkpoint. Answers 404 `not-published` in the first second."""
    _, _, processor, _ = await _caller(request, gateway)
    if not is_id(disclosure, "dsc"):
        raise HttpProblem("not-found")
    try:
        async with gateway.pool.acquire() as connection:
            log_id, row = await _entry_of(connection, gateway, processor, disclosure)
            head = await checkpoint_covering(connection, log_id, row["index"])
            if head is None:
                raise HttpProblem("not-published")
            path = await inclusion(connection, log_id, row["index"], head.size)
    except NotPublished as early:
        raise HttpProblem("not-published") from early
    except LOST as lost:
        raise LedgerUnavailable from lost
    return ProofAnswer(
        log=gateway.origins[log_id],
        index=row["index"],
        leaf_hash=leaf_hash(row["leaf"]).hex(),
        checkpoint=head.note,
        inclusion=[each.hex() for each in path],
    )


async def _entry_of(connection: Connection, gateway: Gateway, processor: str, disclosure: str) -> tuple[int, asyncpg.Record]:
    """Find a processor's own entry: the log that holds it, the one written now or one that was succeeded, and its row."""
    for log_id in sorted(gateway.logs.values(), reverse=True):
        row = await connection.fetchrow(
            "select index, leaf from ecluse.entry_of($1::smallint, $2, $3)", log_id, processor, disclosure
        )
        if row is not None:
            return log_id, row
    raise HttpProblem("not-found")


HANDLERS: Final = [disclose, whoami, sessions, session, sheet, changes, budget, proof]
