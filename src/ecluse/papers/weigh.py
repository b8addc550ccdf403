"""What a document is worth at an instant, asked of the gate itself: the paper's "good on that day" is the gate's, by construction. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from ecluse.contracts import FAR_FUTURE, Contract, Document, GateState
from ecluse.contracts.gate import day_after, good_between
from ecluse.papers.model import GateChange

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

YEAR: Final = timedelta(days=365)
_MICROSECOND: Final = timedelta(microseconds=1)


def good_until(
    document: Document, documents: tuple[Document, ...], contract: Contract, *, at: datetime, zone: ZoneInfo
) -> datetime | None:
    """Return the instant from which a document counts no more, None where it does not count at ``at``; `FAR_FUTURE` where nothing ends it.

    Of a kind that the contract asks for, that is the gate's own rule; of another kind, it counts through its last day.
    """
    required = next((each for each in contract.evidence_required if each.kind == document.kind), None)
    if required is not None:
        span = good_between(document, documents, required, zone)
    else:
        last = FAR_FUTURE if document.ends_on is None else day_after(document.ends_on, zone)
        span = document.accepted_at, min(last, document.withdrawn_at or FAR_FUTURE)
    return span[1] if span is not None and span[0] <= at < span[1] else None


def last_day(until: datetime | None, zone: ZoneInfo) -> date | None:
    """Return the last day, of the controller's zone, of an interval that ends at ``until``; None for one without end."""
    return None if until is None or until == FAR_FUTURE else (until - _MICROSECOND).astimezone(zone).date()


def changes(found: Iterable[tuple[datetime, GateState, tuple[str, ...]]]) -> tuple[GateChange, ...]:
    """Write how a gate changes."""
    return tuple(GateChange(at=at.astimezone(UTC), state=state, reasons=reasons) for at, state, reasons in found)
