"""The rules of outcomes: what may be said, by whom and when, and how long a failed delivery waits. Pure.

Who may not be disclosed to may not record either, with two exceptions: the window is another one, and the contract's gate is not asked. Nothing leaves by
an outcome, and that of a contract's last day has to arrive after its end; a contract that names the purpose must be in force all the same.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from ecluse.clock import wire_text
from ecluse.outcomes.model import LATE, Allowed, Attendance, Level, Outcome, Unrecorded
from ecluse.policy import Parties, Place, Terms, bites, gap

MOST_ATTEMPTS: Final = 20
"""Attempts of the webhook before an outcome is given up: about two days."""
_FIRST_WAIT: Final = timedelta(seconds=5)
_LONGEST_WAIT: Final = timedelta(hours=6)
_WITH_LEVEL: Final = frozenset({Attendance.PRESENT, Attendance.LATE})


def check_outcome(attendance: str, level: str | None, agent: str | None) -> Outcome | Unrecorded:
    """Read what was said; whether the level may be given is a matter of the place, and decided where it is recorded."""
    if attendance not in set(Attendance):
        return _wrong("attendance is one of present, absent, late, excused.")
    if level is not None and level not in set(Level):
        return _wrong("level is one of A1, A2, B1, B2, C1, C2.")
    if level is not None and attendance not in _WITH_LEVEL:
        return _wrong("A level goes with present or late: leave it out.")
    return Outcome(attendance=Attendance(attendance), level=Level(level) if level is not None else None, agent=agent)


def decide_outcome(
    asked: Outcome, place: Place | None, terms: Terms | None, parties: Parties, at: datetime
) -> Allowed | Unrecorded:
    """Decide at ``at``, the database's clock; an unknown handle, a foreign one and a held person's are one answer."""
    for hold in parties.holds:
        if bites(hold, at):
            return Unrecorded(code="suspended", told={"scope": hold.scope})
    if not parties.key_in_use:
        return Unrecorded(code="suspended", told={"scope": "key"})
    if asked.agent is not None and not parties.agent_known:
        return Unrecorded(code="unknown-agent")
    if place is None or any(bites(hold, at) for hold in place.holds):
        return Unrecorded(code="not-found")
    purpose = terms.contract.purposes.get(place.purpose) if terms is not None else None
    if purpose is None:
        return Unrecorded(code="purpose-not-contracted")
    opens_at, closes_at = place.starts_at, place.ends_at + purpose.closes_after + LATE
    if place.cancelled or not opens_at <= at < closes_at:
        told: dict[str, object] = {"opens_at": wire_text(opens_at), "closes_at": wire_text(closes_at)}
        return Unrecorded(code="outside-outcome-window", told=told | ({"cancelled": True} if place.cancelled else {}))
    after, before = gap((*parties.holds, *place.holds), at)
    return Allowed(valid_from=max(opens_at, after or opens_at), valid_until=min(closes_at, before or closes_at))


def wait_after(attempts: int, chance: float) -> timedelta:
    """Return how long to wait after the given number of failed attempts: doubling to six hours, half of it by ``chance`` in [0, 1]."""
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * (1 << min(attempts - 1, 20)))
    return longest / 2 + longest / 2 * chance


def _wrong(detail: str) -> Unrecorded:
    """Refuse a body."""
    return Unrecorded(code="invalid-request", detail=detail)
