"""The gate as far as the contract alone decides it: a pure function of clauses, dates and time.

Evidence and holds come on top elsewhere.

Rules, each with its reason code (append-only):
 1 before ``starts_on`` 00:00                closed   ``contract:dates:not-started``
 2 from the day after ``ends_on`` 00:00      closed   ``contract:dates:ended``
 3 a clause of Art. 28(3) is missing         frozen   ``contract:clause:missing:<clause>``
 4 a house clause is missing                 warn     ``contract:clause:missing:<clause>``
 5 at most 30 days before the end            warn     ``contract:dates:ends-soon``
The state is the worst; all reasons are told, worst first. Days are days of the controller's time zone, both ends included.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from ecluse.contracts.model import HOUSE_CLAUSES, REQUIRED_CLAUSES, Contract

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

FAR_PAST: Final = datetime(1900, 1, 1, tzinfo=UTC)
"""Stands for "since ever": before anything that Écluse decides."""

FAR_FUTURE: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""Stands for "for ever": after anything that Écluse decides, and far enough from ``datetime.max`` for any time zone."""

ENDS_SOON: Final = timedelta(days=30)
_MICROSECOND: Final = timedelta(microseconds=1)


class GateState(StrEnum):
    """Whether a contract lets anything through; new states go last."""

    OPEN = "open"
    WARN = "warn"
    FROZEN = "frozen"
    CLOSED = "closed"

    @property
    def permits(self) -> bool:
        """Tell whether disclosure is allowed in this state."""
        return self in (GateState.OPEN, GateState.WARN)


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The state at an instant, why, and the largest half-open interval around it in which *disclosure is as allowed as now*."""

    state: GateState
    reasons: tuple[str, ...]
    valid_from: datetime  # UTC, included; FAR_PAST where there is no bound
    valid_until: datetime  # UTC, excluded; FAR_FUTURE where there is no bound


def gate_of(contract: Contract, *, at: datetime, timezone: ZoneInfo) -> Gate:
    """Decide the gate of a contract at the instant ``at`` (aware), its days read in the controller's ``timezone``."""
    if at.utcoffset() is None or not FAR_PAST <= at < FAR_FUTURE:
        raise AssertionError("impossible: a decision without a zone, or out of time")
    opens, ends = days_between(contract.starts_on, contract.ends_on, timezone)
    frozen, warned = missing_clauses(contract)
    closed: tuple[str, ...] = ()
    span = (opens, ends)
    if at < opens:
        closed, span = ("contract:dates:not-started",), (FAR_PAST, opens)
    elif at >= ends:
        closed, span = ("contract:dates:ended",), (ends, FAR_FUTURE)
    elif ends - at <= ENDS_SOON:
        warned += ("contract:dates:ends-soon",)
    if frozen:
        span = (FAR_PAST, FAR_FUTURE)  # no date makes up for a clause
    return Gate(
        state=worst_state(closed=closed, frozen=frozen, warned=warned),
        reasons=closed + frozen + warned,
        valid_from=span[0],
        valid_until=span[1],
    )


def missing_clauses(contract: Contract) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the reasons of rule 3 (they freeze) and of rule 4 (they warn)."""
    frozen = tuple(f"contract:clause:missing:{clause}" for clause in REQUIRED_CLAUSES if clause not in contract.clauses)
    warned = tuple(f"contract:clause:missing:{clause}" for clause in HOUSE_CLAUSES if clause not in contract.clauses)
    return frozen, warned


def worst_state(*, closed: tuple[str, ...] = (), frozen: tuple[str, ...], warned: tuple[str, ...]) -> GateState:
    """Return the worst state for which there is a reason, ``open`` if there is none."""
    if closed:
        return GateState.CLOSED
    if frozen:
        return GateState.FROZEN
    return GateState.WARN if warned else GateState.OPEN


def days_between(first: date, last: date, timezone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the half-open interval, in UTC, of the days ``first`` to ``last`` of a time zone, both included."""
    return _day_start(first, timezone), _day_start(last + timedelta(days=1), timezone)


def _day_start(day: date, timezone: ZoneInfo) -> datetime:
    """Return the first instant of a local day in UTC: 00:00, the earlier one if it comes twice, else the jump that skips it."""
    midnight = datetime.combine(day, time(), tzinfo=timezone)
    late = midnight.astimezone(UTC)  # fold 0: the earlier 00:00; in a gap, 00:00 by the offset before it
    if late.astimezone(timezone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return late
    early = midnight.replace(fold=1).astimezone(UTC)  # in a gap, 00:00 by the offset after it: not later than the jump
    while late - early > _MICROSECOND:
        middle = early + (late - early) // 2
        if middle.astimezone(timezone).date() >= day:
            late = middle
        else:
            early = middle
    return late
