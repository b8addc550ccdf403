"""Today at a glance: what waits for somebody, what the gates let through, what was decided, and whether the ledger is well.

Bounded at any size: persons come from the budgets' own counters, decisions from the tally, what waits from small indexes, gates from what is kept until the
next control entry. The live part is those figures alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
from litestar import Response, get
from litestar.response import Stream

from ecluse import clock
from ecluse.contracts import GateState
from ecluse.identity.people import Signed
from ecluse.identity.sign_in import resolve
from ecluse.ledger.policies import Overdue, overdue, read_standing
from ecluse.web.console.governed import WORST, Everybody, Governed, Instant, row_of, rows_of, statement, there
from ecluse.web.console.state import acting, console_of, reading
from ecluse.web.console.tally import Decided
from ecluse.web.console.words import Reason, kind_name, reasons_of, refusal_name
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import Room, Tongue, page, partial, tongue_of
from ecluse.web.pages.guard import COOKIE, SignInNeeded, officer
from ecluse.web.pages.live import stream

if TYPE_CHECKING:
    import asyncpg

    from ecluse.db import Connection
    from ecluse.ledger.policies import Standing

MOST_GATES: Final = 8
MOST_WAITING: Final = 50
_SHOWN: Final = 5
_LATE: Final = timedelta(minutes=1)
_APART: Final = timedelta(seconds=1)
_BACK: Final = timedelta(days=7)
_AHEAD: Final = timedelta(days=7)


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Refusals of one public reason. ``href``: the page that explains it."""

    code: str
    what: str
    times: int
    href: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The counters. ``since``: the beginning of the UTC day; ``behind``: entries not counted yet; ``persons``: distinct ones, each once a processor."""

    at: datetime
    since: datetime
    granted: int
    refused: int
    reasons: tuple[Refused, ...]
    persons: int
    processors: int
    behind: int
    size: int


class GateLine(msgspec.Struct, frozen=True, kw_only=True):
    """A processor whose gate needs somebody. ``ours``: a reason is the controller's to mend; ``held``: a hold stops it, whatever the gate says."""

    id: str
    name: str
    state: str
    reasons: tuple[Reason, ...]
    ours: bool
    held: bool


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that waits. ``what``: in words; ``processor``: whose name, empty where there is none; ``at``: since when, or (``due``) until when."""

    href: str
    what: str
    processor: str
    at: datetime | None
    due: date | None


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Things of one kind that wait for a person. ``count``: of them, `MOST_WAITING` at most (``more``: there are more); ``items``: the first of them."""

    key: str
    count: int
    more: bool
    items: tuple[Item, ...]
    href: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the ledger is. ``unsigned``: entries that no checkpoint covers; ``late``: for too long. ``cosigning``: ``ok``, ``warn``, ``frozen``, ``none``."""

    size: int
    signed_size: int
    signed_at: datetime | None
    unsigned: int
    late: bool
    cosigning: str
    uncosigned_since: datetime | None
    clocks_apart: float
    clock_ok: bool

    @property
    def ok(self) -> bool:
        """Tell whether nobody has to look."""
        return not self.late and self.cosigning == "ok" and self.clock_ok


class TodayPage(msgspec.Struct, frozen=True, kw_only=True):
    """The first page: the ``figures`` of today, what is ``waiting`` for somebody, and how the ledger is (``health``).

    ``needs``, ``needs_more``: all that waits, and whether it is more; ``gates``: how many stand open, warn, frozen, closed; ``first``,
    ``first_more``: those that
    need somebody, the worst first, and how many others; ``held``, ``persons_held``: suspensions in force, and of them persons.
    """

    figures: Figures
    waiting: tuple[Waiting, ...]
    needs: int
    needs_more: bool
    gates: dict[str, int]
    first: tuple[GateLine, ...]
    first_more: int
    held: int
    persons_held: int
    health: Health


class CountersPart(msgspec.Struct, frozen=True, kw_only=True):
    """The live part of the first page: its ``figures``."""

    figures: Figures


def make_figures(instant: Instant, decided: Decided, persons: Sequence[int], tongue: Tongue) -> Figures:
    """Put the counters together. ``persons``: of each processor that disclosed something today."""
    reasons = tuple(
        Refused(code=code, what=refusal_name(code, tongue), times=times, href=f"/problems/{code}")
        for code, times in decided.reasons
    )
    return Figures(
        at=instant.at, since=decided.since, granted=decided.granted, refused=decided.refused, reasons=reasons, persons=sum(persons),
        processors=len(persons), behind=max(0, instant.size - decided.counted), size=instant.size,
    )  # fmt: skip


def make_gates(everybody: Everybody, at: datetime, tongue: Tongue) -> tuple[dict[str, int], list[GateLine]]:
    """Count gates by state, and return those that need somebody: the worst first, ours before theirs."""
    counts = {state.value: 0 for state in GateState}
    lines = []
    for one in everybody.processors.values():
        gate, held = one.gate(at), everybody.held(one.id, at)
        counts[gate.state.value] += 1
        if gate.state is GateState.OPEN and not held:
            continue
        reasons = reasons_of(gate.reasons, one.id, tongue)
        lines.append((WORST[gate.state], _line(one, gate.state.value, reasons, held=held)))
    lines.sort(key=lambda each: (each[0], not each[1].ours, each[1].name))
    return counts, [line for _, line in lines]


def _line(one: Governed, state: str, reasons: tuple[Reason, ...], *, held: bool) -> GateLine:
    return GateLine(
        id=one.id, name=one.name, state=state, reasons=reasons, ours=any(each.move == "controller" for each in reasons), held=held
    )


def _items(found: dict[str, list[asyncpg.Record]], everybody: Everybody, tongue: Tongue) -> dict[str, list[Item]]:
    """Say each thing that waits, by its kind, in words."""

    def name(processor: str) -> str:
        known = everybody.processors.get(processor)
        return known.name if known is not None else processor

    return {
        "override": [
            Item(
                href=f"/console/overrides/{row['id']}", processor=name(row["processor_id"]), at=row["asked_at"], due=None,
                what=tongue.count("For %(num)s hour, asked by %(who)s", "For %(num)s hours, asked by %(who)s", row["hours"], who=row["asked_by"]),
            )
            for row in found["override"]
        ],
        "evidence": [
            Item(
                href=f"/console/evidence/{row['id']}", what=f"{kind_name(row['kind'], tongue)} – {row['title']}", processor=name(row["processor_id"]),
                at=row["submitted_at"], due=None,
            )
            for row in found["evidence"]
        ],
        "questionnaire": [
            Item(
                href=f"/console/questionnaires/{row['id']}", what=tongue.say("Answers to be judged"), processor=name(row["processor_id"]),
                at=row["handed_in_at"], due=None,
            )
            for row in found["questionnaire"]
        ],
        "emergency": [
            Item(href="/console/emergency", what=row["attribute"], processor="", at=row["opened_at"], due=None) for row in found["emergency"]
        ],
        "lookup": [
            Item(
                href=f"/console/look-up/{row['id']}", what=tongue.say("Asked by %(who)s", who=row["asked_by"]), processor="", at=row["asked_at"], due=None
            )
            for row in found["lookup"]
        ],
        "finding": [
            Item(
                href=f"/console/findings/{row['id']}", what=row["title"], processor=name(row["processor_id"]), at=None, due=row["due_on"],
            )
            for row in found["finding"]
        ],
    }  # fmt: skip


def make_waiting(
    found: dict[str, list[asyncpg.Record]], everybody: Everybody, undetermined: asyncpg.Record | None, tongue: Tongue
) -> tuple[Waiting, ...]:
    """Say what waits for somebody, what weighs most first; kinds of which nothing waits are left out."""
    hrefs = {
        "override": "/console/overrides", "evidence": "/console/evidence", "questionnaire": "/console/questionnaires",
        "emergency": "/console/emergency", "lookup": "/console/look-up", "finding": "/console/findings",
    }  # fmt: skip
    waiting = [
        Waiting(
            key=key,
            count=min(len(items), MOST_WAITING),
            more=len(items) > MOST_WAITING,
            items=tuple(items[:_SHOWN]),
            href=hrefs[key],
        )
        for key, items in _items(found, everybody, tongue).items()
        if items
    ]
    if undetermined is not None and undetermined["found"]:
        waiting.append(
            Waiting(
                key="undetermined", count=undetermined["found"], more=undetermined["found"] >= 1000, href="/console/decisions?undetermined=true",
                items=(Item(href="/console/decisions?undetermined=true", what="", processor="", at=undetermined["last_at"], due=None),),
            )
        )  # fmt: skip
    return tuple(waiting)


def make_health(
    row: asyncpg.Record, standing: Standing, *, warn_after: timedelta, freeze_after: timedelta, here: datetime
) -> Health:
    """Say how the ledger is. ``here``: this machine's clock."""
    state = overdue(standing.uncosigned_since, standing.at, warn_after=warn_after, freeze_after=freeze_after)
    cosigning = "none" if standing.quorum_since is None else "ok" if state is Overdue.NO else state.value
    unsigned = row["size"] - (row["signed_size"] or 0)
    apart = (row["at"] - here).total_seconds()
    return Health(
        size=row["size"], signed_size=row["signed_size"] or 0, signed_at=row["signed_at"], unsigned=unsigned,
        late=unsigned > 0 and row["at"] - row["last_at"] > _LATE, cosigning=cosigning, uncosigned_since=standing.uncosigned_since,
        clocks_apart=round(apart, 1), clock_ok=abs(apart) <= _APART.total_seconds(),
    )  # fmt: skip


def make_today(
    figures: Figures, waiting: tuple[Waiting, ...], gates: tuple[dict[str, int], Sequence[GateLine]], everybody: Everybody, *, persons_held: int, health: Health
) -> TodayPage:  # fmt: skip
    """Put the first page together."""
    return TodayPage(
        figures=figures, waiting=waiting, needs=sum(each.count for each in waiting), needs_more=any(each.more for each in waiting), gates=gates[0],
        first=tuple(gates[1][:MOST_GATES]), first_more=max(0, len(gates[1]) - MOST_GATES), held=sum(hold.stops(figures.at) for hold in everybody.holds),
        persons_held=persons_held, health=health,
    )  # fmt: skip


async def _figures(connection: Connection, request: HttpRequest, gateway: Gateway) -> tuple[Instant, Everybody, Figures]:
    console, tongue = console_of(request, gateway), tongue_of(request)
    instant, everybody = await console.register.read(connection, gateway.log_id)
    decided = await console.tally.read(connection, gateway.log_id, instant)
    persons = [row["persons"] for row in await rows_of(connection, "persons_today", instant.at)]
    return instant, everybody, make_figures(instant, decided, persons, tongue)


@get("/console", include_in_schema=False)
async def today(request: HttpRequest, gateway: Served) -> Response[str]:
    """Show today."""
    signed = await officer(request, gateway)
    tongue, limits = tongue_of(request), gateway.settings.ledger
    async with reading(gateway) as connection:
        instant, everybody, figures = await _figures(connection, request, gateway)
        due = instant.at.astimezone(gateway.settings.zone).date() + _AHEAD
        found = {
            "override": await rows_of(connection, "waiting_overrides"),
            "evidence": await rows_of(connection, "waiting_documents"),
            "questionnaire": await rows_of(connection, "waiting_responses"),
            "emergency": await rows_of(connection, "waiting_emergencies"),
            "lookup": await rows_of(connection, "waiting_lookups"),
            "finding": await rows_of(connection, "waiting_findings", due),
        }
        undetermined = await row_of(connection, "undetermined", instant.at - _BACK)
        persons_held = await connection.fetchval(statement("persons_held"))
        head = await there(connection, "head_of_log", gateway.log_id)
    standing = await standing_of_log(gateway)
    health = make_health(
        head, standing, warn_after=limits.max_uncosigned, freeze_after=limits.max_uncosigned_frozen, here=clock.now()
    )  # fmt: skip
    gates = make_gates(everybody, instant.at, tongue)
    waiting = make_waiting(found, everybody, undetermined, tongue)
    context = make_today(figures, waiting, gates, everybody, persons_held=persons_held, health=health)
    return page(request, gateway, "console/today.html", context, signed=signed, room=Room.CONSOLE, here="today")


@get("/console/counters", include_in_schema=False)
async def counters(request: HttpRequest, gateway: Served) -> Response[str]:
    """Show the counters alone, as they stand now. A page asks for it by itself, so it does not count as somebody being there."""
    signed = await _there(request, gateway)
    async with reading(gateway) as connection:
        _, _, figures = await _figures(connection, request, gateway)
    return partial(request, gateway, "console/counters.html", CountersPart(figures=figures), signed=signed, room=Room.CONSOLE)


@get("/console/live", include_in_schema=False)
async def live(request: HttpRequest, gateway: Served) -> Stream:
    """Tell an open page when the ledger's head moves, for as long as its sign-in stands."""
    signed = await _there(request, gateway)

    async def still() -> bool:
        try:
            await _there(request, gateway)
        except SignInNeeded:
            return False
        return True

    return stream(request.app.state["live"], signed.sign_in, still)


async def standing_of_log(gateway: Gateway) -> Standing:
    """Say how the log stands with its witnesses: asked as the gate asks it."""
    async with acting(gateway) as connection:
        return await read_standing(connection, gateway.log_id)


async def _there(request: HttpRequest, gateway: Gateway) -> Signed:
    """Return the officer who is signed in, without taking this for their being there: an open page alone keeps nobody signed in. Raises `SignInNeeded`."""
    async with acting(gateway) as connection:
        signed = await resolve(connection, request.cookies.get(COOKIE, ""), seen=False)
    if signed is None or signed.kind != "officer":
        raise SignInNeeded
    return signed


HANDLERS: Final = [today, counters, live]
