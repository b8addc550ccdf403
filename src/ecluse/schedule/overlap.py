"""What overlaps after the change: one room, one agent or one person at two sessions at once.

None of it is forbidden (a room may be divided, two trainers may share a group, a person may be late), and each is more often a
slip than meant: it is told as a warning, by the rows that bring it about, and refuses nothing. Seen are the sessions of the
processors that the file names.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from ecluse.schedule.bound import is_planned, staying
from ecluse.schedule.findings import Fault, ProblemCollector, ScheduleFindings
from ecluse.schedule.model import PlaceStatus, ScheduleContext, SessionChange, SessionFacts, SessionPlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ROOM: Final = Fault("another session is in this room at the same time", "Check the room and the times.")
_AGENT: Final = Fault("one of the agents has another session at the same time", "Check the agents and the times.")
_PERSON: Final = Fault(
    "the subject has a place in another session at the same time", "Check the times, or cancel one of the places."
)


class _Stay(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One use of a room, agent or person in ``[starts_at, ends_at)``; ``row`` is None where the file does not bring it about."""

    row: int | None
    starts_at: datetime
    ends_at: datetime


def warn_overlaps(plans: Sequence[SessionPlan], context: ScheduleContext) -> ScheduleFindings:
    """Return a warning for each row that brings two sessions together in one room, for one agent or for one person."""
    warnings = ProblemCollector()
    rooms: dict[object, list[_Stay]] = defaultdict(list)
    agents: dict[object, list[_Stay]] = defaultdict(list)
    persons: dict[object, list[_Stay]] = defaultdict(list)
    for plan in plans:
        stays = staying(plan, context)
        if not (plan.coming or stays):
            continue
        existing = context.sessions.get(plan.key)
        moved = plan.change is not SessionChange.UNCHANGED or existing is None or not is_planned(existing)
        stay = _stay(plan.facts, plan.row if moved else None)
        rooms[_room(plan.facts)].append(stay)
        for agent in plan.facts.agents:
            agents[agent].append(stay)
        for place in plan.coming:
            persons[place.subject_ref].append(_stay(plan.facts, place.row))
        for _, subject in stays:
            persons[subject].append(stay)
    named = {plan.key for plan in plans}
    for key, session in context.sessions.items():
        if key in named or not is_planned(session):
            continue
        stay = _stay(session.facts, None)
        _join(rooms, (_room(session.facts),), stay)
        _join(agents, session.facts.agents, stay)
        _join(persons, (place.subject_ref for place in session.places.values() if place.status is PlaceStatus.PLANNED), stay)
    _warn("room", _ROOM, rooms.values(), warnings)
    _warn("agents", _AGENT, agents.values(), warnings)
    _warn("subject_ref", _PERSON, persons.values(), warnings)
    return warnings.findings()


def _room(facts: SessionFacts) -> tuple[str, str, str]:
    return facts.processor, facts.site, facts.room.casefold()


def _stay(facts: SessionFacts, row: int | None) -> _Stay:
    return _Stay(row=row, starts_at=facts.starts_at, ends_at=facts.ends_at)


def _join(uses: dict[object, list[_Stay]], keys: Iterable[object], stay: _Stay) -> None:
    """Add a stay that the file does not touch, where the file comes as well."""
    for key in keys:
        if key in uses:
            uses[key].append(stay)


def _warn(column: str, fault: Fault, uses: Iterable[list[_Stay]], warnings: ProblemCollector) -> None:
    """Note the rows of stays that overlap; cost O(n log n)."""
    rows: set[int] = set()
    for stays in uses:
        holder: _Stay | None = None
        for stay in sorted(stays, key=lambda one: one.starts_at) if len(stays) > 1 else ():
            # INVARIANT: holder ends last of those begun: whoever overlaps any of them overlaps it.
            if holder is not None and stay.starts_at < holder.ends_at:
                rows |= {one.row for one in (holder, stay) if one.row is not None}
            if holder is None or stay.ends_at > holder.ends_at:
                holder = stay
    for row in sorted(rows):
        warnings.add(row, column, fault)
