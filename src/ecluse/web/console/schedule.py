"""The schedule: what is planned, day by day, and files of places that wait for a second officer. No person is in it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter

from ecluse import clock
from ecluse.clock import wire_text
from ecluse.identity.people import Act, Signed
from ecluse.ids import is_name
from ecluse.schedule.service import waiting
from ecluse.web.console.names import names_of, say_who
from ecluse.web.console.schedule_words import MODES
from ecluse.web.console.state import PAGE, console_of, reading
from ecluse.web.console.work import query
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import Room, page, tongue_of
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg

    from ecluse.schedule.reports import Request
    from ecluse.web.pages.frame import Tongue

HERE: Final = "schedule"
MOST_BYTES: Final = 16 * 1024 * 1024
"""The largest file that a page takes; the API takes more."""
DAYS: Final = 7
COUNTED: Final = 1_000
"""Sessions of a day that are counted; beyond, the page says that there are more."""


class DayCount(msgspec.Struct, frozen=True, kw_only=True):
    """A day of the week that is shown. ``sessions``: counted up to a thousand; ``more``: there are more than that."""

    day: date
    sessions: int
    more: bool


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A session, without anybody. ``processor``: its name; ``processor_id``: its id."""

    id: str
    processor: str
    processor_id: str
    purpose: str
    site: str
    room: str
    starts_at: datetime
    ends_at: datetime
    planned: int
    cancelled: int


class WaitingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A file that waits for a second officer. ``own``: the one who looks sent it, and can't approve it."""

    id: str
    source: str
    rows: int
    excess: int
    mode: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    own: bool


class SchedulePage(msgspec.Struct, frozen=True, kw_only=True):
    """What is planned on a day.

    ``day``; ``days``: this one and the next six; ``processor``, ``processors``: what is chosen, of what; ``rows``; ``older``: the address of the next page,
    None at the end; ``waiting``: files that wait for a second officer; ``may``: may import and approve; ``draft``: an upload of theirs waits; ``most``: how
    many bytes a file may have; ``faults``: of the upload's form.
    """

    day: date
    days: tuple[DayCount, ...]
    processor: str
    processors: tuple[tuple[str, str], ...]
    rows: tuple[SessionRow, ...]
    older: str | None
    waiting: tuple[WaitingRow, ...]
    may: bool
    draft: bool
    most: int
    faults: dict[str, str]


# ── what is planned ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@get("/console/schedule", include_in_schema=False)
async def schedule(
    request: HttpRequest,
    gateway: Served,
    day: Annotated[date | None, QueryParameter(description="Which day.")] = None,
    processor: Annotated[str, QueryParameter(description="Of which processor; empty: all.")] = "",
    after: Annotated[str, QueryParameter(description="The session before the first.")] = "",
) -> Response[str]:
    """Show what is planned on a day."""
    signed = await officer(request, gateway)
    return await show_schedule(request, gateway, signed, day=day, processor=processor, after=after)


async def show_schedule(
    request: HttpRequest, gateway: Gateway, signed: Signed, *, day: date | None = None, processor: str = "", after: str = "",
    faults: Mapping[str, str] | None = None,
) -> Response[str]:  # fmt: skip
    """Show what is planned, with the upload's form and its faults."""
    zone, tongue = gateway.settings.zone, tongue_of(request)
    shown = max(date(2000, 1, 1), min(date(2200, 1, 1), day or clock.now().astimezone(zone).date()))
    chosen = processor if is_name(processor) else ""
    spans = [_span(shown + timedelta(days=n), zone) for n in range(DAYS)]
    cursor = read_cursor(after) or (spans[0][0], "")
    async with reading(gateway) as connection:
        _, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        counted = await connection.fetch(query("days"), COUNTED + 1, [one[0] for one in spans], [one[1] for one in spans])
        if chosen:
            rows = await connection.fetch(query("sessions_of"), chosen, *spans[0], *cursor, PAGE + 1)
        else:
            rows = await connection.fetch(query("sessions_all"), *spans[0], *cursor, PAGE + 1)
        requests = await waiting(connection)
        draft = await connection.fetchrow(query("draft_of"), signed.person) if signed.may(Act.SCHEDULE) else None
        who = await names_of(connection, [one.requested_by for one in requests])
    names = {one.id: one.name for one in everybody.processors.values()}
    query_string = f"?day={shown.isoformat()}" + (f"&processor={chosen}" if chosen else "")
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    context = SchedulePage(
        day=shown,
        days=tuple(
            DayCount(day=shown + timedelta(days=n), sessions=min(row["sessions"], COUNTED), more=row["sessions"] > COUNTED)
            for n, row in enumerate(counted)
        ),
        processor=chosen,
        processors=tuple((one.id, one.name) for one in everybody.processors.values()),
        rows=tuple(session_row(row, names) for row in rows[:PAGE]),
        older=None if last is None else f"/console/schedule{query_string}&after={wire_text(last['starts_at'])}.{last['id']}",
        waiting=tuple(waiting_row(one, who, signed, tongue) for one in requests),
        may=signed.may(Act.SCHEDULE),
        draft=draft is not None,
        most=MOST_BYTES,
        faults=dict(faults or {}),
    )
    status = 422 if faults else 200
    return page(
        request, gateway, "console/work_schedule.html", context, signed=signed, room=Room.CONSOLE, here=HERE, status=status
    )


def session_row(row: asyncpg.Record | Mapping[str, object], names: Mapping[str, str]) -> SessionRow:
    """Show a session."""
    facts = dict(row)
    of, site = str(facts.pop("processor_id")), facts.pop("site_id")
    return msgspec.convert({**facts, "processor": names.get(of, of), "processor_id": of, "site": site}, SessionRow)


def waiting_row(one: Request, who: Mapping[str, str], signed: Signed, tongue: Tongue) -> WaitingRow:
    """Show a file that waits."""
    return WaitingRow(
        id=one.id, source=one.source, rows=one.rows, excess=one.excess, mode=tongue.find(MODES.get(one.mode, one.mode)),
        requested_by=say_who(one.requested_by, who), requested_at=one.requested_at, expires_at=one.expires_at, own=one.requested_by == signed.person,
    )  # fmt: skip


def _span(day: date, zone: object) -> tuple[datetime, datetime]:
    """Return a local day as a span of instants."""
    begins = [datetime.combine(each, time(), zone).astimezone(UTC) for each in (day, day + timedelta(days=1))]  # type: ignore[arg-type] # a tzinfo
    return begins[0], begins[1]


def read_cursor(text: str) -> tuple[datetime, str] | None:
    """Read where a page begins; None for what is none of ours."""
    at, _, name = text.partition(".")
    try:
        instant = datetime.fromisoformat(at)
    except ValueError:
        return None
    return (instant, name) if instant.tzinfo is not None and len(name) <= 40 and name.isascii() else None


HANDLERS: Final[tuple[Any, ...]] = (schedule,)
