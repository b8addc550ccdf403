"""Decisions: found by entry, by disclosure, by appointment, or of one processor in a span; explained, with what proves them. The person is shown by none of it.

Whose data it was is behind a look-up (`look_up`). What a page shows of an entry is what was hashed into the ledger: its script folds the very texts that
stand on the page into the leaf, the leaf into the tree, and the tree into the signed checkpoint, from what anybody may download (``static/verify_entry.js``).
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import MediaType, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter, QueryParameter

from ecluse import clock
from ecluse.clock import wire_text
from ecluse.contracts import ContractInvalid, parse_contract
from ecluse.ids import is_id, is_name
from ecluse.ledger.errors import NotPublished
from ecluse.ledger.fields import SALT_BYTES, canonical, commit, fields_of, hour_of, kind_of, opening_shown
from ecluse.ledger.serve import checkpoint_covering, inclusion, log_of
from ecluse.web.console.explain import (
    HIDDEN,
    OUTCOMES,
    Field,
    Given,
    Said,
    assurance_of,
    given_of,
    hashed_fields,
    interval_of,
    reasons_of,
    rules_of,
    say_reason,
    text,
)
from ecluse.web.console.names import names_of, say_who
from ecluse.web.console.state import PAGE, console_of, reading
from ecluse.web.console.work import query
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import N_, Room, page, tongue_of
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import asyncpg

    from ecluse.contracts import Contract
    from ecluse.db import Connection
    from ecluse.web.pages.frame import Tongue

_HERE: Final = "decisions"
_FOR_EVER: Final = (datetime(9999, 1, 1, tzinfo=UTC), 2**62)
_DAYS: Final = 30
Log = Annotated[str, PathParameter(description="The log's short name.")]
Index = Annotated[int, PathParameter(description="The entry's number.", ge=0, le=2**62)]


class DecisionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One decision in a list. ``state``, ``outcome``: its chip and word; ``why``: of a refusal, its first reason in words; ``mend``: what would mend it."""

    log: str
    index: int
    at: datetime
    state: str
    outcome: str
    processor: str
    purpose: str
    appointment: str
    why: str
    mend: str


class DecisionsPage(msgspec.Struct, frozen=True, kw_only=True):
    """A search for decisions, and what it found.

    ``q``: what was typed; ``processor``, ``processors``: chosen, of what; ``since``, ``until``: days of the span, as typed; ``rows``; ``searched``:
    something was asked for; ``fault``: why it can't be searched for, empty where it can; ``older``: the address of the next page; ``undetermined``: the
    list of those that could not be decided is shown.
    """

    q: str
    processor: str
    processors: tuple[tuple[str, str], ...]
    since: str
    until: str
    rows: tuple[DecisionRow, ...]
    searched: bool
    fault: str
    older: str | None
    undetermined: bool


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A ceiling that a grant counted against, by the contract version that it names. ``what``: in words; ``limit``: persons, or reads."""

    what: str
    limit: int


class ContractLink(msgspec.Struct, frozen=True, kw_only=True):
    """The contract version that an entry names. ``same``: the text that is kept has the hash that the entry committed to."""

    processor: str
    reference: str
    version: int
    hash: str
    same: bool


class DecisionPage(msgspec.Struct, frozen=True, kw_only=True):
    """One entry, explained.

    ``log``, ``origin``, ``vkey``, ``index``, ``at``, ``event``, ``state``, ``outcome``: which entry of which log it is; ``leaf``: its leaf, as text;
    ``erased``: its opening is gone, so that nothing is known but the leaf; ``person``: it is about somebody; ``processor``, ``processor_id``, ``client``,
    ``agent``, ``assurance``, ``actor``: who asked; ``appointment``, ``disclosure``, ``purpose``, ``legal_basis``: under what; ``contract``; ``given``;
    ``interval``: from when until when it held; ``rules``; ``reasons``; ``budgets``; ``fields``: as they were hashed; ``published``: a signed checkpoint
    covers it.
    """

    log: str
    origin: str
    vkey: str
    index: int
    at: datetime
    event: str
    state: str
    outcome: str
    leaf: str
    erased: bool
    person: bool
    processor: str
    processor_id: str
    client: str
    agent: str
    assurance: str
    actor: str
    appointment: str
    disclosure: str
    purpose: str
    legal_basis: str
    contract: ContractLink | None
    given: tuple[Given, ...]
    interval: tuple[datetime, datetime] | None
    rules: tuple[Said, ...]
    reasons: tuple[Said, ...]
    budgets: tuple[Budget, ...]
    fields: tuple[Field, ...]
    published: bool


# ── find ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched for. ``fault``: why it can't be, a source text."""

    index: int | None = None
    disclosure: str = ""
    handle: str = ""
    fault: str = ""


def wanted_of(typed: str) -> Wanted:
    """Read what was typed: the number of an entry, a disclosure (dsc_…) or an appointment (apt_…)."""
    said = typed.strip().replace("\u202f", "").replace("\u00a0", "").replace(" ", "")
    if said.isascii() and said.isdecimal() and len(said) <= 18:
        return Wanted(index=int(said))
    if is_id(said, "dsc"):
        return Wanted(disclosure=said)
    if is_id(said, "apt"):
        return Wanted(handle=said)
    return Wanted(
        fault=N_(
            "Write the number of an entry, a disclosure (dsc_…) or an appointment (apt_…). A person is found by a look-up only."
        )
    )


@get("/console/decisions", include_in_schema=False)
async def decisions(
    request: HttpRequest,
    gateway: Served,
    q: Annotated[str, QueryParameter(description="An entry, a disclosure or an appointment.")] = "",
    processor: Annotated[str, QueryParameter(description="Of which processor.")] = "",
    since: Annotated[str, QueryParameter(description="First day.")] = "",
    until: Annotated[str, QueryParameter(description="Last day.")] = "",
    before: Annotated[str, QueryParameter(description="The entry before which the page begins.")] = "",
    undetermined: Annotated[bool, QueryParameter(description="Those that could not be decided.")] = False,  # noqa: FBT002 - a query parameter
) -> Response[str]:
    """Search for decisions."""
    signed = await officer(request, gateway)
    tongue, chosen = tongue_of(request), processor if is_name(processor) else ""
    wanted = wanted_of(q) if q.strip() else Wanted()
    days = _days(since, until, gateway)
    async with reading(gateway) as connection:
        _, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        rows = await _found(connection, gateway, wanted, chosen, days, _before(before), undetermined=undetermined)
    names = {one.id: one.name for one in everybody.processors.values()}
    paged = not q.strip() and len(rows) > PAGE
    shown = rows[:PAGE] if paged else rows
    if len(shown) == 1 and q.strip() and not wanted.fault:
        where = f"/console/decisions/{_log_name(gateway, shown[0]['log_id'])}/{shown[0]['index']}"
        return Response(content="", status_code=303, headers={"location": where})
    ask = (
        "undetermined=true"
        if undetermined
        else f"processor={chosen}&since={days[0].date()}&until={(days[1] - timedelta(days=1)).date()}"
    )
    context = DecisionsPage(
        q=q.strip()[:60], processor=chosen, processors=tuple(names.items()), since=str(days[0].date()), until=str((days[1] - timedelta(days=1)).date()),
        rows=tuple(decision_row(row, _log_name(gateway, row["log_id"]), names, tongue) for row in shown), searched=bool(q.strip() or chosen or undetermined),
        fault=tongue.find(wanted.fault) if wanted.fault else "",
        older=f"/console/decisions?{ask}&before={wire_text(shown[-1]['sealed_at'])}.{shown[-1]['index']}" if paged else None, undetermined=undetermined,
    )  # fmt: skip
    return page(request, gateway, "console/work_decisions.html", context, signed=signed, room=Room.CONSOLE, here=_HERE)


async def _found(
    connection: Connection, gateway: Gateway, wanted: Wanted, processor: str, days: tuple[datetime, datetime], before: tuple[datetime, int],
    *, undetermined: bool,
) -> list[asyncpg.Record]:  # fmt: skip
    """Run the one statement that finds what is wanted."""
    if wanted.fault:
        return []
    if wanted.index is not None:
        rows = [
            await connection.fetchrow(query("decision_by_index"), log, wanted.index)
            for log in sorted(gateway.logs.values(), reverse=True)
        ]
        return [row for row in rows if row is not None and row["index"] is not None][:1]
    if wanted.disclosure:
        return await connection.fetch(query("decision_by_name"), wanted.disclosure)
    if wanted.handle:
        return await connection.fetch(query("decisions_by_handle"), wanted.handle)
    if undetermined:
        return await connection.fetch(query("undetermined"), *before, PAGE + 1)
    return await connection.fetch(query("decisions_of"), processor, *days, *before, PAGE + 1) if processor else []


def decision_row(row: asyncpg.Record | Mapping[str, Any], log: str, names: Mapping[str, str], tongue: Tongue) -> DecisionRow:
    """Show a decision in a list."""
    fields = {} if row["fields"] is None else dict(fields_of(row["fields"]))
    state, word = OUTCOMES.get(row["event"], ("neutral", row["event"]))
    reasons = fields.get("reasons")
    first = say_reason(str(reasons[0]), tongue) if isinstance(reasons, list) and reasons else None
    return DecisionRow(
        log=log, index=row["index"], at=row["sealed_at"], state=state, outcome=tongue.find(word),
        processor=names.get(row["processor_id"] or "", row["processor_id"] or ""), purpose=text(fields, "purpose"), appointment=text(fields, "appointment"),
        why=first.what if first else "", mend=first.mend if first else "",
    )  # fmt: skip


def _days(since: str, until: str, gateway: Gateway) -> tuple[datetime, datetime]:
    """Read the span, by default the last thirty days; at most a year, half-open, in the controller's zone."""
    zone = gateway.settings.zone
    today = clock.now().astimezone(zone).date()

    def day(text: str, default: Any) -> Any:  # noqa: ANN401 - a date
        try:
            return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day, of the controller's zone
        except ValueError:
            return default

    last = day(until, today)
    first = max(min(day(since, last - timedelta(days=_DAYS)), last), last - timedelta(days=366))
    begins, ends = (datetime(each.year, each.month, each.day, tzinfo=zone) for each in (first, last + timedelta(days=1)))
    return begins, ends


def _before(said: str) -> tuple[datetime, int]:
    """Read where a page begins; for what is none of ours, at the newest."""
    at, _, number = said.partition(".")
    if "." in number:  # the fraction of a second
        fraction, _, number = number.partition(".")
        at = f"{at}.{fraction}"
    try:
        instant, index = datetime.fromisoformat(at), int(number)
    except ValueError:
        return _FOR_EVER
    return (instant, index) if instant.tzinfo is not None and 0 <= index < 2**62 else _FOR_EVER


def _log_name(gateway: Gateway, log_id: int) -> str:
    return next((name for name, number in gateway.logs.items() if number == log_id), "main")


# ── explain ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@get("/console/decisions/{log:str}/{index:int}", include_in_schema=False)
async def decision(request: HttpRequest, gateway: Served, log: Log, index: Index) -> Response[str]:
    """Explain one entry."""
    signed = await officer(request, gateway)
    log_id = gateway.logs.get(log)
    if log_id is None:
        raise NotFoundException
    tongue = tongue_of(request)
    async with reading(gateway) as connection:
        row = await connection.fetchrow(query("decision_by_index"), log_id, index)
        entry = row if row is not None and row["index"] is not None else None
        if row is None:
            raise NotFoundException
        leaf = row["leaf"]
        fields = dict(fields_of(entry["fields"])) if entry is not None else {}
        said, kept = fields.get("contract"), None
        if isinstance(said, dict) and isinstance(said.get("version"), int):
            kept = await connection.fetchrow(query("contract_text"), text(fields, "processor"), said["version"])
        labels = {
            one["id"]: one["label"]
            for one in await connection.fetch(query("labels_of"), [text(fields, "agent")], [text(fields, "client")])
        }
        who = await names_of(connection, [text(fields, "actor")])
        head = await checkpoint_covering(connection, log_id, index)
        known = await log_of(connection, log_id)
        _, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
    state, word = OUTCOMES.get(entry["event"], ("neutral", entry["event"])) if entry is not None else ("neutral", N_("erased"))
    name = text(fields, "processor")
    governed = everybody.processors.get(name)
    context = DecisionPage(
        log=log, origin=known.origin, vkey=known.vkey, index=index, at=_at(entry, fields, leaf), event=entry["event"] if entry is not None else "", state=state,
        outcome=tongue.find(word), leaf=leaf.decode(), erased=entry is None, person=fields.get("subject") is not None,
        processor=governed.name if governed else name, processor_id=name if governed else "", client=_called(text(fields, "client"), labels),
        agent=_called(text(fields, "agent"), labels), assurance=assurance_of(fields, tongue), actor=say_who(text(fields, "actor"), who),
        appointment=text(fields, "appointment"), disclosure=text(fields, "disclosure"), purpose=text(fields, "purpose"),
        legal_basis=text(fields, "legal_basis"),
        contract=_contract(said, kept, name), given=given_of(fields, tongue), interval=interval_of(fields), rules=rules_of(fields.get("rules"), tongue),
        reasons=reasons_of(fields.get("reasons"), tongue), budgets=_budgets(fields, kept, gateway, tongue),
        fields=hashed_fields(fields_of(entry["fields"]), entry["salts"]) if entry is not None else (), published=head is not None,
    )  # fmt: skip
    return page(request, gateway, "console/work_decision.html", context, signed=signed, room=Room.CONSOLE, here=_HERE)


def _at(entry: asyncpg.Record | None, fields: Mapping[str, object], leaf: bytes) -> datetime:
    """Return when it was sealed; of an erased entry the hour that its leaf names."""
    if entry is not None:
        at: datetime = entry["sealed_at"]
        return at
    del fields
    hour = str(msgspec.json.decode(leaf)["h"])
    return datetime.fromisoformat(hour.removesuffix("Z") + ":00:00+00:00")


def _called(name: str, labels: Mapping[str, str]) -> str:
    """Write an agent or a machine as its processor calls it, with its id."""
    return f"{labels[name]} ({name})" if name in labels else name


def _contract(said: object, kept: asyncpg.Record | None, processor: str) -> ContractLink | None:
    """Show the contract version that an entry names."""
    if not isinstance(said, dict):
        return None
    return ContractLink(
        processor=processor, reference=str(said.get("reference", "")), version=int(said.get("version", 0)), hash=str(said.get("hash", "")),
        same=kept is not None and kept["hash"] == said.get("hash"),
    )  # fmt: skip


def _budgets(fields: Mapping[str, object], kept: asyncpg.Record | None, gateway: Gateway, tongue: Tongue) -> tuple[Budget, ...]:
    """List the ceilings that a grant counted against."""
    if kept is None or "forms" not in fields:
        return ()
    try:
        contract: Contract = parse_contract(kept["text"], gateway.attributes)
    except ContractInvalid:
        return ()
    purpose = contract.purposes.get(text(fields, "purpose"))
    if purpose is None:
        return ()
    return (
        Budget(what=tongue.find(N_("reads of this appointment")), limit=purpose.reads_per_appointment),
        Budget(
            what=tongue.find(N_("persons of this agent in a clock hour, for this purpose")),
            limit=purpose.persons_per_agent_per_hour,
        ),
        Budget(
            what=tongue.find(N_("persons of this machine in a clock hour")), limit=contract.limits.persons_per_client_per_hour
        ),
        Budget(what=tongue.find(N_("persons of the processor in a day")), limit=contract.limits.persons_per_day),
        Budget(what=tongue.find(N_("persons of the processor in a month")), limit=contract.limits.persons_per_month),
    )


# ── prove ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@get("/console/decisions/{log:str}/{index:int}/proof", include_in_schema=False)
async def proof(request: HttpRequest, gateway: Served, log: Log, index: Index) -> Response[str]:
    """Hand the proof of one entry out as a file (C2SP tlog-proof), without the person."""
    await officer(request, gateway)
    log_id = gateway.logs.get(log)
    if log_id is None:
        raise NotFoundException
    async with reading(gateway) as connection:
        row = await connection.fetchrow(query("decision_by_index"), log_id, index)
        head = await checkpoint_covering(connection, log_id, index)
        if row is None or row["index"] is None or head is None:
            raise NotFoundException
        try:
            path = await inclusion(connection, log_id, index, head.size)
        except NotPublished as early:
            raise NotFoundException from early
    name = f"ecluse-{log}-{index}.tlog-proof"
    return Response(
        content=proof_file(fields_of(row["fields"]), row["salts"], index, path, head.note),
        media_type=MediaType.TEXT,
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def proof_file(pairs: list[tuple[str, object]], salts: bytes, index: int, path: Iterable[bytes], note: str) -> str:
    """Write the proof: the opening of all fields but the person's, the way to the root, the checkpoint."""
    committed = commit(pairs, salts[: SALT_BYTES * len(pairs)])
    shown = frozenset(name for name, _ in pairs) - HIDDEN
    opening = {
        "fields": opening_shown(pairs, salts, shown, committed.digests), "h": hour_of(str(pairs[0][1])), "k": kind_of(str(pairs[1][1])), "v": 1,
    }  # fmt: skip
    extra = b64encode(canonical({"opening": opening, "v": 1})).decode()
    hashes = "".join(f"{b64encode(each).decode()}\n" for each in path)
    return f"c2sp.org/tlog-proof@v1\nextra {extra}\nindex {index}\n{hashes}\n{note}"


HANDLERS: Final[tuple[Any, ...]] = (decisions, decision, proof)
