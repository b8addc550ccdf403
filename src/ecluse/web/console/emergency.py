"""Emergencies: which attribute was seen by whom, why, and another officer's verdict.

Nobody's name is in the list: of whom it was stands in the ledger's opening.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter

from ecluse.disclosure.emergency import emergencies, review_emergency
from ecluse.disclosure.errors import EmergencyRefused, EmergencyUnknown
from ecluse.identity.people import Act, Signed
from ecluse.web.console.act import done
from ecluse.web.console.names import names_of, say_who
from ecluse.web.console.state import acting, reading
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import N_, Room, form, page
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecluse.disclosure.emergency import Listed

_HERE: Final = "emergency"
_SHOWN: Final = 100


class EmergencyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One emergency.

    ``state``: ``waiting``, ``late``, ``justified`` or ``not-justified``; ``reason`` empty: its opening was erased; ``own``: the one who looks opened it.
    """

    id: str
    attribute: str
    opened_by: str
    opened_at: datetime
    reason: str
    index: int
    reviewed_by: str
    reviewed_at: datetime | None
    state: str
    own: bool


class EmergencyPage(msgspec.Struct, frozen=True, kw_only=True):
    """Emergencies.

    ``waiting``: those to be reviewed, the oldest first; ``rows``: the others, the newest first; ``per_day``: how many a day may have; ``may``; ``faults``.
    """

    waiting: tuple[EmergencyRow, ...]
    rows: tuple[EmergencyRow, ...]
    per_day: int
    may: bool
    faults: dict[str, str]


class Verdict(StrEnum):
    """What another officer found."""

    JUSTIFIED = "justified"
    NOT_JUSTIFIED = "not-justified"


class ReviewForm(msgspec.Struct, frozen=True):
    """A verdict."""

    verdict: Verdict


@get("/console/emergency", include_in_schema=False)
async def emergency(request: HttpRequest, gateway: Served) -> Response[str]:
    """List the emergencies."""
    signed = await officer(request, gateway)
    return await _show(request, gateway, signed, {})


async def _show(request: HttpRequest, gateway: Gateway, signed: Signed, faults: dict[str, str]) -> Response[str]:
    async with reading(gateway) as connection:
        found = await emergencies(connection, every=True)
        who = await names_of(connection, [actor for one in found for actor in (one.opened_by, one.reviewed_by)])
    rows = [emergency_row(one, who, signed) for one in found]
    context = EmergencyPage(
        waiting=tuple(row for row in reversed(rows) if row.reviewed_at is None)[:_SHOWN],
        rows=tuple(row for row in rows if row.reviewed_at is not None)[:_SHOWN],
        per_day=gateway.settings.emergency.per_day,
        may=signed.may(Act.EMERGENCY),
        faults=faults,
    )
    status = 422 if faults else 200
    return page(
        request, gateway, "console/work_emergency.html", context, signed=signed, room=Room.CONSOLE, here=_HERE, status=status
    )


def emergency_row(one: Listed, who: Mapping[str, str], signed: Signed) -> EmergencyRow:
    """Show one emergency."""
    verdict = Verdict.JUSTIFIED if one.justified else Verdict.NOT_JUSTIFIED
    return EmergencyRow(
        id=one.id, attribute=one.attribute, opened_by=say_who(one.opened_by, who), opened_at=one.opened_at, reason=one.reason or "", index=one.index,
        reviewed_by=say_who(one.reviewed_by, who), reviewed_at=one.reviewed_at, own=one.opened_by == signed.person,
        state=verdict.value if one.reviewed_at is not None else "late" if one.late else "waiting",
    )  # fmt: skip


@post("/console/emergency/{emergency:str}/review", include_in_schema=False)
async def review(
    request: HttpRequest, gateway: Served, emergency: Annotated[str, PathParameter(description="The emergency's id.")]
) -> Response[str]:
    """Say whether it was right, as another officer than the one who opened it. Final."""
    signed = await officer(request, gateway, Act.EMERGENCY, stepped_up=True, back="/console/emergency")
    filled = await form(request, ReviewForm)
    if filled.value is None:
        return await _show(request, gateway, signed, filled.faults)
    try:
        async with acting(gateway) as connection:
            sealed = await review_emergency(
                connection, log_id=gateway.log_id, emergency=emergency, justified=filled.value.verdict is Verdict.JUSTIFIED, actor=signed.person
            )  # fmt: skip
    except EmergencyUnknown as gone:
        raise NotFoundException from gone
    except EmergencyRefused:
        filled.fault("verdict", N_("You opened it yourself: another officer reviews it."))
        return await _show(request, gateway, signed, filled.faults)
    return done("/console/emergency", "emergency-reviewed", sealed.index)


HANDLERS: Final[tuple[Any, ...]] = (emergency, review)
