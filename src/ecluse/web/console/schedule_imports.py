"""Files of places that were applied: what each did, in whose name, by which entry."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter, QueryParameter

from ecluse.clock import wire_text
from ecluse.ids import is_id
from ecluse.ledger.fields import fields_of
from ecluse.web.console.names import names_of, say_who
from ecluse.web.console.schedule import HERE, read_cursor
from ecluse.web.console.schedule_words import MODES, say_counts
from ecluse.web.console.state import PAGE, reading
from ecluse.web.console.work import query
from ecluse.web.gateway import HttpRequest, Served
from ecluse.web.pages.frame import Room, page, tongue_of
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg

    from ecluse.web.pages.frame import Tongue

RequestId = Annotated[str, PathParameter(description="A file that was applied.")]


class ImportRow(msgspec.Struct, frozen=True, kw_only=True):
    """A file in the list. ``applied_at`` None: it was never applied, and has no effect."""

    id: str
    source: str
    rows: int
    mode: str
    actor: str
    started_at: datetime
    applied_at: datetime | None


class ImportsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Files of places, the newest first. ``rows``; ``older``: the address of the next page, None at the end."""

    rows: tuple[ImportRow, ...]
    older: str | None


class ImportPage(msgspec.Struct, frozen=True, kw_only=True):
    """One file.

    ``row``; ``index``: its entry, None where it was erased or is not applied; ``counts``: what it did; ``approved_by``: the second person, empty where none was
    needed; ``digest``: salted, of the file.
    """

    row: ImportRow
    index: int | None
    counts: tuple[tuple[str, int], ...]
    approved_by: str
    digest: str


@get("/console/schedule/imports", include_in_schema=False)
async def imports(
    request: HttpRequest,
    gateway: Served,
    before: Annotated[str, QueryParameter(description="The file after the first.")] = "",
) -> Response[str]:
    """List files of places, the newest first."""
    signed = await officer(request, gateway)
    async with reading(gateway) as connection:
        rows = await connection.fetch(query("imports"), *(read_cursor(before) or (None, None)), PAGE + 1)
        who = await names_of(connection, [row["actor"] for row in rows])
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    tongue = tongue_of(request)
    context = ImportsPage(
        rows=tuple(import_row(row, who, tongue) for row in rows[:PAGE]),
        older=None if last is None else f"/console/schedule/imports?before={wire_text(last['started_at'])}.{last['id']}",
    )
    return page(request, gateway, "console/work_imports.html", context, signed=signed, room=Room.CONSOLE, here=HERE)


def import_row(row: asyncpg.Record, who: Mapping[str, str], tongue: Tongue) -> ImportRow:
    """Show a file in the list."""
    return ImportRow(
        id=row["id"], source=row["source"], rows=row["row_count"], mode=tongue.find(MODES.get(row["mode"], row["mode"])), actor=say_who(row["actor"], who),
        started_at=row["started_at"], applied_at=row["applied_at"],
    )  # fmt: skip


@get("/console/schedule/imports/{request_id:str}", include_in_schema=False)
async def import_one(request: HttpRequest, gateway: Served, request_id: RequestId) -> Response[str]:
    """Show one file: what it did, in whose name, by which entry."""
    signed = await officer(request, gateway)
    if not is_id(request_id, "imp"):
        raise NotFoundException
    async with reading(gateway) as connection:
        row = await connection.fetchrow(query("import_of"), request_id)
        if row is None:
            raise NotFoundException
        entry = await connection.fetchrow(query("applied_entry"), row["applied_at"], request_id)
        said = {} if entry is None else dict(fields_of(entry["fields"]))
        approval = _table(_table(said.get("detail")).get("approval"))
        who = await names_of(connection, [row["actor"], str(approval.get("approver", ""))])
    tongue, detail = tongue_of(request), _table(said.get("detail"))
    context = ImportPage(
        row=import_row(row, who, tongue), index=None if entry is None else entry["index"], counts=say_counts(_table(detail.get("counts")), tongue),
        approved_by=say_who(str(approval.get("approver", "")), who), digest=str(detail.get("file", "")),
    )  # fmt: skip
    return page(request, gateway, "console/work_import.html", context, signed=signed, room=Room.CONSOLE, here=HERE)


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


HANDLERS: Final[tuple[Any, ...]] = (imports, import_one)
