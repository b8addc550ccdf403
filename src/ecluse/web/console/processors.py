"""Processors: who they are, how each gate stands and why, and all that governs one of them on a page.

The list is made of what is kept until the next control entry; a processor's page adds a constant number of bounded reads. Nobody whom the data is about is on
these pages: agents stand by the labels that their processor gave them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter, QueryParameter

from ecluse.contracts import Change, Contract, GateState, diff_contracts
from ecluse.contracts.model import HOUSE_CLAUSES, REQUIRED_CLAUSES
from ecluse.ids import is_name
from ecluse.web.console.contract_words import say_change
from ecluse.web.console.evidence import DocumentLine, document_line
from ecluse.web.console.findings import FindingLine, finding_line
from ecluse.web.console.governed import WORST, Everybody, Governed, rows_of
from ecluse.web.console.holds import HoldLine, hold_line
from ecluse.web.console.names import names_of, say_who
from ecluse.web.console.overrides import OverrideLine, override_line
from ecluse.web.console.questionnaires import ResponseLine, response_line
from ecluse.web.console.state import PAGE, console_of, reading
from ecluse.web.console.words import FORMS, Reason, kind_name, reasons_of
from ecluse.web.gateway import HttpRequest, Served
from ecluse.web.pages.frame import Room, Tongue, page, tongue_of
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    import asyncpg

AHEAD: Final = timedelta(days=90)
MOST_AGENTS: Final = 200
MOST_QUERY: Final = 80

Id = Annotated[str, PathParameter(description="The processor's id.")]


# ── the list ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
class ProcessorLine(msgspec.Struct, frozen=True, kw_only=True):
    """A processor in the list. ``next_at``: when its gate changes by itself within 90 days, to ``next_state``."""

    id: str
    name: str
    state: str
    held: bool
    reason: Reason | None
    more: int
    until: date | None
    persons: int
    next_at: datetime | None
    next_state: str


class ProcessorsPage(msgspec.Struct, frozen=True, kw_only=True):
    """The list: ``lines`` of one page, of all that were ``found``.

    ``counts``: by state, of all; ``query``, ``state``: what was looked for; ``number``, ``pages``: which page, of how many.
    """

    lines: tuple[ProcessorLine, ...]
    found: int
    counts: dict[str, int]
    query: str
    state: str
    number: int
    pages: int


def make_processors(
    everybody: Everybody, persons: Mapping[str, int], at: datetime, tongue: Tongue, *, query: str = "", state: str = "", number: int = 1
) -> ProcessorsPage:  # fmt: skip
    """Make the list: those that need somebody first. ``persons``: of today, by processor."""
    counts = {each.value: 0 for each in GateState}
    sought, found = query.strip().casefold(), []
    for one in everybody.processors.values():
        gate = one.gate(at)
        counts[gate.state.value] += 1
        if (state and gate.state.value != state) or (sought and sought not in one.name.casefold() and sought not in one.id):
            continue
        found.append((WORST[gate.state], one.name.casefold(), one, gate))
    found.sort(key=lambda each: each[:2])
    pages = max(1, -(-len(found) // PAGE))
    number = min(max(1, number), pages)
    shown = found[(number - 1) * PAGE : number * PAGE]
    lines = []
    for _, _, one, gate in shown:
        reasons = reasons_of(gate.reasons[:1], one.id, tongue)
        coming = next_change(one, at)
        lines.append(
            ProcessorLine(
                id=one.id, name=one.name, state=gate.state.value, held=everybody.held(one.id, at), reason=reasons[0] if reasons else None,
                more=max(0, len(gate.reasons) - 1), until=one.until, persons=persons.get(one.id, 0), next_at=coming[0] if coming else None,
                next_state=coming[1] if coming else "",
            )
        )  # fmt: skip
    return ProcessorsPage(
        lines=tuple(lines), found=len(found), counts=counts, query=query, state=state, number=number, pages=pages
    )


def next_change(one: Governed, at: datetime) -> tuple[datetime, str] | None:
    """Return when a gate changes by itself within 90 days, and to what."""
    if one.keeper is None:
        return None
    state = one.keeper.at(at).state
    for when, then, _ in one.keeper.changes(at, at + AHEAD):
        if then is not state:
            return when, then.value
    return None


@get("/console/processors", include_in_schema=False)
async def processors(
    request: HttpRequest,
    gateway: Served,
    q: Annotated[str, QueryParameter(description="Part of a name or id.", max_length=MOST_QUERY)] = "",
    standing: Annotated[str, QueryParameter(description="A gate's state.", name="state", max_length=10)] = "",
    number: Annotated[int, QueryParameter(description="Which page.", name="page", ge=1, le=10_000)] = 1,
) -> Response[str]:
    """List processors."""
    signed = await officer(request, gateway)
    async with reading(gateway) as connection:
        instant, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        persons = {row["processor_id"]: row["persons"] for row in await rows_of(connection, "persons_today", instant.at)}
    known = standing if standing in {each.value for each in GateState} else ""
    context = make_processors(everybody, persons, instant.at, tongue_of(request), query=q, state=known, number=number)
    return page(request, gateway, "console/processors.html", context, signed=signed, room=Room.CONSOLE, here="processors")


# ── one of them ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One attribute of the contract, with its form for each purpose in order; empty: not given for that one."""

    attribute: str
    forms: tuple[str, ...]


class PurposeLine(msgspec.Struct, frozen=True, kw_only=True):
    """A purpose, and the times and ceilings that hold for it. Durations as ISO 8601 has them; ``sheet``: attributes of the roll-call."""

    id: str
    label: str
    legal_basis: str
    opens_before: timedelta
    closes_after: timedelta
    capacity: int
    reads: int
    per_agent_hour: int
    sheet: tuple[str, ...]


class Required(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of evidence that the contract asks for. ``state``: ``ok``, ``soon``, ``lapsed``, ``missing``; ``href``: where to hand the next one in."""

    kind: str
    name: str
    max_age: str
    state: str


class ContractPart(msgspec.Struct, frozen=True, kw_only=True):
    """The contract in force."""

    reference: str
    version: int
    hash: str
    applied_at: datetime
    applied_by: str
    starts_on: date
    ends_on: date
    per_day: int
    per_month: int
    per_client_hour: int
    assurance: str
    breach_hours: int
    purposes: tuple[PurposeLine, ...]
    given: tuple[Given, ...]
    missing_clauses: tuple[str, ...]
    sub_processors: tuple[str, ...]
    sites: tuple[str, ...]
    required: tuple[Required, ...]


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a machine: the beginning of its thumbprint."""

    thumbprint: str
    alg: str
    added_at: datetime
    revoked_at: datetime | None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """An agent or a machine. ``hold``: that stops it now, empty: none; ``keys``: of a machine."""

    id: str
    label: str
    role: str
    added_at: datetime
    hold: str
    keys: tuple[Key, ...] = ()


class Coming(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the gate that comes by itself: what is new then, what is no more."""

    at: datetime
    state: str
    came: tuple[str, ...]
    gone: tuple[str, ...]


class VersionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the contract."""

    version: int
    reference: str
    hash: str
    applied_at: datetime
    applied_by: str


class ProcessorPage(msgspec.Struct, frozen=True, kw_only=True):
    """A processor and all that governs it, as of ``at``.

    ``id``, ``name``, ``added_at``: who it is; ``state``, ``reasons``, ``coming``: its gate, why, and what changes by itself; ``same_until``: until
    when disclosures
    stay as possible as now, None: without an end; ``held``: a suspension stops all of it; ``contract``: in force, None without one that can be read;
    ``persons_day``, ``persons_month``: reached so far (UTC); ``documents``, ``documents_more``: the newest, and whether there are others; ``findings``: open;
    ``responses``: questionnaires; ``overrides``: asked for or in force; ``holds``: not over; ``agents``, ``agents_more``, ``clients``: people and machines;
    ``versions``: of the contract.
    """

    id: str
    name: str
    added_at: datetime
    at: datetime
    state: str
    reasons: tuple[Reason, ...]
    same_until: datetime | None
    held: bool
    contract: ContractPart | None
    persons_day: int
    persons_month: int
    coming: tuple[Coming, ...]
    documents: tuple[DocumentLine, ...]
    documents_more: bool
    findings: tuple[FindingLine, ...]
    responses: tuple[ResponseLine, ...]
    overrides: tuple[OverrideLine, ...]
    holds: tuple[HoldLine, ...]
    agents: tuple[Member, ...]
    agents_more: bool
    clients: tuple[Member, ...]
    versions: tuple[VersionLine, ...]


def make_contract(one: Governed, gate_reasons: Sequence[str], who: Mapping[str, str], tongue: Tongue) -> ContractPart | None:
    """Show the contract in force; None where there is none that can be read."""
    contract = one.contract
    if contract is None or one.applied_at is None:
        return None
    purposes = list(contract.purposes.values())
    attributes = dict.fromkeys(name for each in purposes for name in each.attributes)
    return ContractPart(
        reference=contract.reference, version=one.version, hash=one.hash, applied_at=one.applied_at, applied_by=say_who(one.applied_by, who),
        starts_on=contract.starts_on, ends_on=contract.ends_on, per_day=contract.limits.persons_per_day, per_month=contract.limits.persons_per_month,
        per_client_hour=contract.limits.persons_per_client_per_hour, assurance=contract.limits.agent_assurance.value,
        breach_hours=contract.breach_notice_hours,
        purposes=tuple(
            PurposeLine(
                id=each.id, label=each.label, legal_basis=each.legal_basis, opens_before=each.opens_before, closes_after=each.closes_after,
                capacity=each.max_capacity, reads=each.reads_per_appointment, per_agent_hour=each.persons_per_agent_per_hour, sheet=tuple(each.sheet),
            )
            for each in purposes
        ),
        given=tuple(
            Given(attribute=name, forms=tuple(FORMS[each.attributes[name]] if name in each.attributes else "" for each in purposes))
            for name in attributes
        ),
        missing_clauses=tuple(each for each in (*REQUIRED_CLAUSES, *HOUSE_CLAUSES) if each not in contract.clauses),
        sub_processors=tuple(f"{each.name} ({each.country})" for each in contract.sub_processors), sites=tuple(contract.sites),
        required=required_of(contract, gate_reasons, tongue),
    )  # fmt: skip


def required_of(contract: Contract, gate_reasons: Iterable[str], tongue: Tongue) -> tuple[Required, ...]:
    """Say of each kind of evidence that is asked for how it stands, as the gate itself has it."""
    told = {tuple(code.split(":")[1:3]) for code in gate_reasons if code.startswith("evidence:")}
    found = []
    for each in contract.evidence_required:
        state = next((word for word in ("missing", "lapsed", "site", "lapses-soon") if (word, each.kind) in told), "ok")
        found.append(Required(kind=each.kind, name=kind_name(each.kind, tongue), max_age=each.max_age, state=state))
    return tuple(found)


def make_coming(one: Governed, at: datetime, tongue: Tongue) -> tuple[Coming, ...]:
    """Say what changes by itself within 90 days, if nobody does anything."""
    if one.keeper is None:
        return ()
    found, before = [], one.keeper.at(at).reasons
    for when, state, reasons in list(one.keeper.changes(at, at + AHEAD))[1:13]:
        came = tuple(each.what for each in reasons_of([code for code in reasons if code not in before], one.id, tongue))
        gone = tuple(each.what for each in reasons_of([code for code in before if code not in reasons], one.id, tongue))
        found.append(Coming(at=when, state=state.value, came=came, gone=gone))
        before = reasons
    return tuple(found)


def make_members(rows: Iterable[asyncpg.Record], stopped: Mapping[str, str]) -> tuple[Member, ...]:
    """Show agents. ``stopped``: the hold on each that is stopped, by id."""
    return tuple(
        Member(id=row["id"], label=row["label"], role="", added_at=row["added_at"], hold=stopped.get(row["id"], ""))
        for row in rows
    )


def make_clients(rows: Iterable[asyncpg.Record], stopped: Mapping[str, str]) -> tuple[Member, ...]:
    """Show machines with their keys: a row is a key, or a machine without one."""
    keys: dict[str, list[Key]] = {}
    heads: dict[str, asyncpg.Record] = {}
    for row in rows:
        heads.setdefault(row["id"], row)
        if row["thumbprint"] is not None:
            keys.setdefault(row["id"], []).append(
                Key(thumbprint=row["thumbprint"][:12], alg=row["alg"], added_at=row["key_added_at"], revoked_at=row["revoked_at"])
            )
    return tuple(
        Member(
            id=name, label=row["label"], role=row["role"], added_at=row["added_at"], hold=stopped.get(name, ""), keys=tuple(keys.get(name, ()))
        )
        for name, row in heads.items()
    )  # fmt: skip


@get("/console/processors/{id:str}", include_in_schema=False)
async def processor(request: HttpRequest, gateway: Served, id: Id) -> Response[str]:
    """Show a processor and all that governs it."""
    signed = await officer(request, gateway)
    tongue = tongue_of(request)
    async with reading(gateway) as connection:
        instant, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        one = everybody.processors.get(id)
        if one is None:
            raise NotFoundException
        spent = {row["unit"]: row["persons"] for row in await rows_of(connection, "persons_of", instant.at, id)}
        documents = await rows_of(connection, "documents_of", id, 0)
        findings = await rows_of(connection, "findings_of", id)
        responses = await rows_of(connection, "responses_of", id)
        overrides = await rows_of(connection, "overrides_of", id)
        agents = await rows_of(connection, "agents_of", id)
        keys = await rows_of(connection, "keys_of", id)
        versions = await rows_of(connection, "versions_of", id)
        who = await names_of(
            connection, [one.applied_by, *(row["applied_by"] for row in versions), *(hold.placed_by for hold in everybody.holds)]
        )
    at, gate = instant.at, one.gate(instant.at)
    mine = [hold for hold in everybody.holds if hold.processor == id]
    stopped = {hold.target: hold.id for hold in mine if hold.scope in {"agent", "client"} and hold.stops(at)}
    context = ProcessorPage(
        id=id, name=one.name, added_at=one.added_at, at=at, state=gate.state.value, reasons=reasons_of(gate.reasons, id, tongue),
        same_until=gate.valid_until if gate.valid_until.year < 9000 else None, held=everybody.held(id, at),
        contract=make_contract(one, gate.reasons, who, tongue), persons_day=spent.get("d", 0), persons_month=spent.get("m", 0),
        coming=make_coming(one, at, tongue), documents=tuple(document_line(row, tongue) for row in documents[:10]), documents_more=len(documents) > 10,
        findings=tuple(finding_line(row, "", instant.at, gateway.settings.zone) for row in findings if row["closed_at"] is None),
        responses=tuple(response_line(row, "", at) for row in responses[:5]),
        overrides=tuple(override_line(row, "", tongue, {}) for row in overrides if row["state"] in {"asked", "in force"}),
        holds=tuple(hold_line(each, at, who) for each in mine), agents=make_members(agents[:MOST_AGENTS], stopped),
        agents_more=len(agents) > MOST_AGENTS, clients=make_clients(keys, stopped),
        versions=tuple(
            VersionLine(
                version=row["version"], reference=row["reference"], hash=row["hash"], applied_at=row["applied_at"],
                applied_by=say_who(row["applied_by"], who),
            )
            for row in versions
        ),
    )  # fmt: skip
    return page(request, gateway, "console/processor.html", context, signed=signed, room=Room.CONSOLE, here="processors")


# ── what a version changed ───────────────────────────────────────────────────────────────────────────────────────────────────
class ChangesPage(msgspec.Struct, frozen=True, kw_only=True):
    """What a ``version`` of a contract changed against the one ``before`` (0: none).

    ``processor``, ``name``: whose; ``reference``, ``hash``, ``text``: of the file; ``applied_at``, ``applied_by``: when and by whom; ``readable``:
    the register's
    map can read both; ``changes``: all of them, so many ``wider`` and ``narrower``.
    """

    processor: str
    name: str
    version: int
    before: int
    reference: str
    hash: str
    applied_at: datetime
    applied_by: str
    readable: bool
    changes: tuple[Change, ...]
    wider: int
    narrower: int
    text: str


@get("/console/processors/{id:str}/contracts/{version:int}", include_in_schema=False)
async def contract_changes(
    request: HttpRequest, gateway: Served, id: Id, version: Annotated[int, PathParameter(description="The version.", ge=1, le=1_000_000)]
) -> Response[str]:  # fmt: skip
    """Show what a version of a contract changed, and its file."""
    signed = await officer(request, gateway)
    register = console_of(request, gateway).register
    async with reading(gateway) as connection:
        _, everybody = await register.read(connection, gateway.log_id)
        one = everybody.processors.get(id)
        rows = {row["version"]: row for row in await rows_of(connection, "texts_of", id, version)} if is_name(id) else {}
        if one is None or version not in rows:
            raise NotFoundException
        row, before = rows[version], rows.get(version - 1)
        who = await names_of(connection, [row["applied_by"]])
    context = make_changes(
        one, row, before, new=register.parse(row["hash"], row["text"]), old=None if before is None else register.parse(before["hash"], before["text"]), who=who,
        tongue=tongue_of(request),
    )  # fmt: skip
    return page(request, gateway, "console/contract.html", context, signed=signed, room=Room.CONSOLE, here="processors")


def make_changes(
    one: Governed, row: asyncpg.Record, before: asyncpg.Record | None, *, new: Contract | None, old: Contract | None, who: Mapping[str, str],
    tongue: Tongue,
) -> ChangesPage:  # fmt: skip
    """Compare a version with the one before it, in the reader's language."""
    readable = new is not None and (before is None or old is not None)
    found = diff_contracts(old, new) if old is not None and new is not None else ()
    changes = tuple(say_change(each, tongue) for each in found)
    return ChangesPage(
        processor=one.id, name=one.name, version=row["version"], before=0 if before is None else before["version"], reference=row["reference"],
        hash=row["hash"], applied_at=row["applied_at"], applied_by=say_who(row["applied_by"], who), readable=readable, changes=changes,
        wider=sum(each.effect == "wider" for each in changes), narrower=sum(each.effect == "narrower" for each in changes), text=row["text"],
    )  # fmt: skip


HANDLERS: Final = [processors, processor, contract_changes]
