"""Bounds that span sessions: capacity, rooms, sessions a day, distinct persons a day and a month.

What the premises hold (capacity, rooms, sessions a day) is refused beyond doubt. What the contract foresees as its volume
(persons a day and a month) is *excess*: it is told apart, and a second person may approve it.

Each is judged on the state after the change. A bound that is already exceeded without the file (a contract was tightened) is not
the file's problem: only rows that add to it are refused. Days and months of persons are UTC, those of a site are the site's own.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

import msgspec

from ecluse.schedule.findings import Fault, ProblemCollector
from ecluse.schedule.model import (
    ExistingSession,
    PlaceStatus,
    ScheduleContext,
    SessionChange,
    SessionFacts,
    SessionKey,
    SessionPlan,
    SiteFacts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_CAPACITY: Final = Fault(
    "the session has more places than the contract allows", "Use another session, or cancel a place of this one."
)
_SAME_SUBJECT: Final = Fault("the subject has another place in this session", "Keep one place for each subject of a session.")
_SITE_DAY: Final = Fault(
    "the site has more sessions on this day than the contract allows", "Use another day or site, or amend the contract."
)
_ROOMS: Final = Fault(
    "the site has more sessions at the same time than rooms", "Use another time or site, or amend the contract."
)
_PERSONS_DAY: Final = Fault(
    "the processor has more persons on this day (UTC) than the contract foresees",
    "Use another day, amend the contract, or have a second person approve it.",
)
_PERSONS_MONTH: Final = Fault(
    "the processor has more persons in this month (UTC) than the contract foresees",
    "Use another month, amend the contract, or have a second person approve it.",
)


class _Occupant(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A session with at least one planned place after the change; ``row`` is None where the file adds nothing to its site."""

    row: int | None
    facts: SessionFacts


def check_bounds(
    plans: Sequence[SessionPlan], context: ScheduleContext, problems: ProblemCollector, excess: ProblemCollector
) -> None:
    """Note every row that would exceed a bound; the contract of each plan that adds or moves is known to be complete."""
    for plan in plans:
        _check_session_places(plan, context, problems)
    for (processor, site), occupants in _by_site(plans, context).items():
        facts = context.contracts[processor].sites[site]
        _check_site_days(occupants, facts, problems)
        _check_rooms(occupants, facts, problems)
    _check_persons(
        plans, context, excess, _Span(_utc_day, lambda processor: context.contracts[processor].persons_per_day, _PERSONS_DAY)
    )
    _check_persons(
        plans,
        context,
        excess,
        _Span(_utc_month, lambda processor: context.contracts[processor].persons_per_month, _PERSONS_MONTH),
    )


def staying(plan: SessionPlan, context: ScheduleContext) -> list[tuple[str, str]]:
    """Return ``(place_ref, subject_ref)`` of the places that are planned now and that the file does not cancel."""
    existing = context.sessions.get(plan.key)
    if existing is None or plan.change is SessionChange.HANDED_OVER:
        return []
    gone = {place.place_ref for place in plan.cancelled}
    return [
        (ref, place.subject_ref)
        for ref, place in existing.places.items()
        if place.status is PlaceStatus.PLANNED and ref not in gone
    ]


def is_planned(session: ExistingSession) -> bool:
    """Tell whether a session has a planned place."""
    return any(place.status is PlaceStatus.PLANNED for place in session.places.values())


def _check_session_places(plan: SessionPlan, context: ScheduleContext, problems: ProblemCollector) -> None:
    added = sorted(plan.coming, key=lambda place: place.row)
    if not added:
        return
    subjects = [subject for _, subject in staying(plan, context)]
    seen, count = set(subjects), len(subjects)
    capacity = context.contracts[plan.facts.processor].purposes[plan.facts.purpose].max_capacity
    for place in added:
        if place.subject_ref in seen:
            problems.add(place.row, "subject_ref", _SAME_SUBJECT)
        seen.add(place.subject_ref)
        count += 1
        if count > capacity:
            problems.add(place.row, "place_ref", _CAPACITY)


def _by_site(plans: Sequence[SessionPlan], context: ScheduleContext) -> dict[tuple[str, str], list[_Occupant]]:
    """Return, for each site that the file adds to, all sessions that take place there after the change."""
    sites: dict[tuple[str, str], list[_Occupant]] = defaultdict(list)
    named = {plan.key for plan in plans}
    added: set[tuple[str, str]] = set()
    for plan in plans:
        existing = context.sessions.get(plan.key)
        if not (plan.coming or staying(plan, context)):
            continue
        adds = plan.change is not SessionChange.UNCHANGED or existing is None or not is_planned(existing)
        where = (plan.facts.processor, plan.facts.site)
        sites[where].append(_Occupant(row=plan.row if adds else None, facts=plan.facts))
        if adds:
            added.add(where)
    for key, session in context.sessions.items():
        where = (session.facts.processor, session.facts.site)
        if where in added and key not in named and is_planned(session):
            sites[where].append(_Occupant(row=None, facts=session.facts))
    return {where: sites[where] for where in sites if where in added}


def _check_site_days(occupants: Iterable[_Occupant], site: SiteFacts, problems: ProblemCollector) -> None:
    counts: dict[date, int] = defaultdict(int)
    # NOTE(why): what stands is counted first, then the file's sessions in its order: the rows named are those too many.
    for occupant in sorted(occupants, key=lambda one: one.row or 0):
        day = occupant.facts.starts_at.astimezone(site.timezone).date()
        counts[day] += 1
        if occupant.row is not None and counts[day] > site.max_sessions_per_day:
            problems.add(occupant.row, "starts_at", _SITE_DAY)


def _check_rooms(occupants: Sequence[_Occupant], site: SiteFacts, problems: ProblemCollector) -> None:
    """Sweep the sessions of a site by their start; cost O(n log n)."""
    crowded: set[int] = set()
    running: list[datetime] = []
    ours: list[tuple[datetime, int]] = []
    for occupant in sorted(occupants, key=lambda one: one.facts.starts_at):
        starts_at, ends_at = occupant.facts.starts_at, occupant.facts.ends_at
        while running and running[0] <= starts_at:
            heappop(running)
        heappush(running, ends_at)
        if occupant.row is not None:
            ours.append((ends_at, occupant.row))
        if len(running) > site.rooms:
            # NOTE(why): whoever is noted or over leaves ``ours``, so that each session is looked at here once.
            crowded |= {row for until, row in ours if until > starts_at}
            ours.clear()
    for row in sorted(crowded):
        problems.add(row, "site", _ROOMS)


def _utc_day(at: datetime) -> tuple[int, ...]:
    return at.astimezone(UTC).timetuple()[:3]


def _utc_month(at: datetime) -> tuple[int, ...]:
    return at.astimezone(UTC).timetuple()[:2]


class _Span:
    """A stretch of time in which distinct persons are counted: how to find it, its limit for a processor, what to say."""

    __slots__ = ("fault", "limit_of", "name_of")

    def __init__(self, name_of: Callable[[datetime], tuple[int, ...]], limit_of: Callable[[str], int], fault: Fault) -> None:
        self.name_of, self.limit_of, self.fault = name_of, limit_of, fault


def _check_persons(plans: Sequence[SessionPlan], context: ScheduleContext, problems: ProblemCollector, span: _Span) -> None:
    """Count those who stay first, then those who come, in the order of the rows: each new person past the limit is named."""
    stay: dict[tuple[str, tuple[int, ...]], set[str]] = defaultdict(set)
    coming: dict[tuple[str, tuple[int, ...]], list[tuple[int, str]]] = defaultdict(list)
    for plan in plans:
        bucket = (plan.facts.processor, span.name_of(plan.facts.starts_at))
        coming[bucket] += [(place.row, place.subject_ref) for place in plan.coming]
        existing = context.sessions.get(plan.key)
        subjects = [subject for _, subject in staying(plan, context)]
        if existing is not None and span.name_of(existing.facts.starts_at) != bucket[1]:
            coming[bucket] += [(plan.row, subject) for subject in subjects]
        else:
            stay[bucket].update(subjects)
    _add_others(stay, {plan.key for plan in plans}, context, span, {bucket for bucket, comers in coming.items() if comers})
    for (processor, name), comers in coming.items():
        limit = span.limit_of(processor) if comers else 0
        present = stay[(processor, name)]
        for row, subject in sorted(comers):
            if subject in present:
                continue
            if len(present) >= limit:
                problems.add(row, "starts_at", span.fault)
            else:
                present.add(subject)


def _add_others(
    staying: dict[tuple[str, tuple[int, ...]], set[str]],
    named: set[SessionKey],
    context: ScheduleContext,
    span: _Span,
    wanted: set[tuple[str, tuple[int, ...]]],
) -> None:
    """Add the planned persons of sessions that the file does not name, where someone comes."""
    others: Mapping[SessionKey, ExistingSession] = context.sessions
    for key, session in others.items():
        bucket = (session.facts.processor, span.name_of(session.facts.starts_at))
        if bucket in wanted and key not in named:
            staying[bucket].update(place.subject_ref for place in session.places.values() if place.status is PlaceStatus.PLANNED)
