"""Check a schedule against contracts and the present state: all of it may be applied, or nothing is.

Three steps, each only if the one before found nothing, so that no problem is reported that another one caused:
1 each row can be read, and the rows of a session agree (``resolve``, here);
2 each session and place is allowed by its contract and by what is kept already (here);
3 the state after the change is within the bounds of rooms and sites (``bound``); what is above the contract's volume of
  persons is told apart, for a second person to approve, and what overlaps is told as a warning (``overlap``).

What only takes access away (cancelling places of a session that is otherwise unchanged) needs no contract in force: it must
work as long as the session is not over.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ecluse.schedule.absent import absent_places, places_ahead
from ecluse.schedule.bound import check_bounds
from ecluse.schedule.findings import Fault, ProblemCollector, ScheduleFindings
from ecluse.schedule.model import (
    CheckedSchedule,
    ExistingSession,
    Mode,
    Place,
    PlaceStatus,
    ScheduleContext,
    ScheduleCounts,
    ScheduleFile,
    SessionChange,
    SessionFacts,
    SessionPlan,
)
from ecluse.schedule.overlap import warn_overlaps
from ecluse.schedule.resolve import resolve_places

if TYPE_CHECKING:
    from collections.abc import Iterable

LENGTH_MAX: Final = timedelta(hours=24)
AHEAD_MAX: Final = timedelta(days=400)
HANDED_MAX: Final = 10_000
"""Places that one file may hand over: they are written under the head's lock, which stops every decision meanwhile."""
_SESSION_COLUMNS: Final = ("processor", "purpose", "site", "room", "starts_at", "ends_at", "agents")

_DIFFERS: Final = Fault("rows of one session differ here", "Give all rows of a session the same value.")
_DUPLICATE: Final = Fault("the place is in the file twice", "Keep one row for each place_ref of a session.")
_LEFT_BEHIND: Final = Fault(
    "the session goes to another processor, but not all of its planned places are named",
    "Name every planned place of the session, as planned or as cancelled.",
)
_HANDS_TOO_MANY: Final = Fault(
    "with this session the file hands more than 10,000 places to another processor", "Hand them over in several files."
)
_HANDS_NOTHING: Final = Fault(
    "the session goes to another processor without any place", "Name the session's own processor where you only cancel."
)
_OTHER_PURPOSE: Final = Fault(
    "a session can't change its purpose", "Cancel its places and plan a session with a new session_ref."
)
_OTHER_SUBJECT: Final = Fault("a place can't change its subject", "Cancel the place and add one with a new place_ref.")
_OTHER_COURSE: Final = Fault("a place can't change its course", "Cancel the place and add one with a new place_ref.")
_OVER: Final = Fault("the session is over", "Plan a session with a new session_ref at a later time; leave this one as it is.")
_NOT_AFTER: Final = Fault(
    "the session does not end after it starts", "Correct the times; a session past midnight ends on the next day."
)
_TOO_LONG: Final = Fault("the session is longer than 24 hours", "Plan one session for each day.")
_TOO_FAR: Final = Fault("the session is more than 400 days ahead", "Send it later.")
_NO_CONTRACT: Final = Fault("no contract is known for this processor", "Name a processor that has a contract.")
_NO_PURPOSE: Final = Fault("the contract does not have this purpose", "Name a purpose of the contract, or amend the contract.")
_NO_SITE: Final = Fault("the contract does not have this site", "Name a site of the contract, or amend the contract.")
_OUTSIDE: Final = Fault("the contract does not cover this time", "Plan the session within the days of the contract.")
_AGENT: Final = Fault("one of the agents is not of this processor", "Name agents of the session's processor.")
_SUBJECT: Final = Fault("this is not a subject_ref of a register", "Write register-id:key, with the register's own key.")


def check_places(file: ScheduleFile, context: ScheduleContext) -> CheckedSchedule | ScheduleFindings:
    """Say what applying the file would change, or every reason why it may not be applied."""
    problems, excess = ProblemCollector(), ProblemCollector()
    places = resolve_places(file, context, problems)
    if file.mode is Mode.SNAPSHOT:
        places += absent_places(file.source, places, context)
    sessions = _by_session(places, problems)
    if problems.found_any():
        return problems.findings()
    plans = [plan for rows in sessions.values() if (plan := _plan_session(rows, context, problems)) is not None]
    _check_handed(plans, problems)
    if not problems.found_any():
        check_bounds(plans, context, problems, excess)
    if problems.found_any():
        return problems.findings()
    return _checked(file, plans, warn_overlaps(plans, context), excess.findings(), places_ahead(file.source, context))


def _by_session(places: Iterable[Place], problems: ProblemCollector) -> dict[str, list[Place]]:
    """Group the rows of one source by session; note rows that differ from the first of their session, and places named twice."""
    sessions: dict[str, list[Place]] = {}
    seen: set[tuple[str, str]] = set()
    for place in places:
        identity = (place.session_ref, place.place_ref)
        if identity in seen:
            problems.add(place.row, "place_ref", _DUPLICATE)
        seen.add(identity)
        rows = sessions.setdefault(place.session_ref, [])
        if rows:
            for column in _SESSION_COLUMNS:
                if getattr(place, column) != getattr(rows[0], column):
                    problems.add(place.row, column, _DIFFERS)
        rows.append(place)
    return sessions


def _plan_session(places: list[Place], context: ScheduleContext, problems: ProblemCollector) -> SessionPlan | None:
    """Say what the rows of one session change, or note why they may not; None also where there is nothing to say."""
    first = places[0]
    existing = context.sessions.get((first.source, first.session_ref))
    if existing is not None and existing.facts.purpose != first.purpose:
        problems.add(first.row, "purpose", _OTHER_PURPOSE)
        return None
    plan = _sort_places(places, existing, problems)
    _check_session(plan, existing, context, problems)
    return plan


def _sort_places(places: list[Place], existing: ExistingSession | None, problems: ProblemCollector) -> SessionPlan:
    """Sort the rows of a session into new, cancelled, reinstated, unchanged and never known."""
    new: list[Place] = []
    cancelled: list[Place] = []
    reinstated: list[Place] = []
    carried: list[Place] = []
    absent_count = 0
    first = places[0]
    handed = existing is not None and existing.facts.processor != first.processor
    for place in places:
        known = None if existing is None else existing.places.get(place.place_ref)
        planned = place.status is PlaceStatus.PLANNED
        if known is None:
            absent_count += not planned
            if planned:
                new.append(place)
        elif known.subject_ref != place.subject_ref:
            problems.add(place.row, "subject_ref", _OTHER_SUBJECT)
        elif known.course_ref != place.course_ref:
            problems.add(place.row, "course_ref", _OTHER_COURSE)
        elif known.status is not place.status:
            ((new if handed else reinstated) if planned else cancelled).append(place)
        elif handed and planned:
            carried.append(place)
    if existing is not None and handed:
        _check_handover(places, existing, problems)
    facts = SessionFacts(**{column: getattr(first, column) for column in _SESSION_COLUMNS})
    return SessionPlan(
        source=first.source,
        session_ref=first.session_ref,
        row=first.row,
        facts=facts,
        change=_change(facts, existing, anything_new=bool(new)),
        new=tuple(new),
        cancelled=tuple(cancelled),
        reinstated=tuple(reinstated),
        carried=tuple(carried),
        unchanged_count=len(places) - len(new) - len(cancelled) - len(reinstated) - len(carried) - absent_count,
        absent_count=absent_count,
    )


def _check_handover(places: list[Place], existing: ExistingSession, problems: ProblemCollector) -> None:
    """Refuse a session that goes to another processor with a person whom the file does not name, or with nobody."""
    named = {place.place_ref for place in places}
    if any(place.status is PlaceStatus.PLANNED and ref not in named for ref, place in existing.places.items()):
        problems.add(places[0].row, "processor", _LEFT_BEHIND)
    elif all(place.status is PlaceStatus.CANCELLED for place in places):
        problems.add(places[0].row, "processor", _HANDS_NOTHING)


def _check_handed(plans: Iterable[SessionPlan], problems: ProblemCollector) -> None:
    """Refuse to hand over more than is soon written."""
    count = 0
    for plan in plans:
        if plan.change is SessionChange.HANDED_OVER:
            count += len(plan.coming)
            if count > HANDED_MAX:
                problems.add(plan.row, "processor", _HANDS_TOO_MANY)
                return


def _change(facts: SessionFacts, existing: ExistingSession | None, *, anything_new: bool) -> SessionChange:
    if existing is None:
        # NOTE(why): a session that is only ever named in cancellations of unknown places is never made.
        return SessionChange.NEW if anything_new else SessionChange.UNCHANGED
    if existing.facts.processor != facts.processor:
        return SessionChange.HANDED_OVER
    return SessionChange.UNCHANGED if existing.facts == facts else SessionChange.MOVED


def _check_session(
    plan: SessionPlan,
    existing: ExistingSession | None,
    context: ScheduleContext,
    problems: ProblemCollector,
) -> None:
    """Check one session; the first of these that fails is noted: is it over, its own times, its contract with its subjects."""
    adds = plan.change is not SessionChange.UNCHANGED or bool(plan.new or plan.reinstated)
    if existing is not None and (adds or plan.cancelled) and _is_over(existing.facts, context):
        problems.add(plan.row, "session_ref", _OVER)
        return
    if not adds:
        return
    fault = _judge_times(plan.facts, context)
    if fault is not None:
        problems.add(plan.row, *fault)
        return
    for column, reason in _judge_contract(plan.facts, context):
        problems.add(plan.row, column, reason)
    for place in plan.new:
        if not context.is_subject_ref(place.subject_ref):
            problems.add(place.row, "subject_ref", _SUBJECT)


def _is_over(facts: SessionFacts, context: ScheduleContext) -> bool:
    """Tell whether the window of the session's places has closed."""
    contract = context.contracts.get(facts.processor)
    purpose = None if contract is None else contract.purposes.get(facts.purpose)
    return facts.ends_at + (timedelta(0) if purpose is None else purpose.closes_after) <= context.now


def _judge_times(facts: SessionFacts, context: ScheduleContext) -> tuple[str, Fault] | None:
    if facts.ends_at <= facts.starts_at:
        return "ends_at", _NOT_AFTER
    if facts.ends_at - facts.starts_at > LENGTH_MAX:
        return "ends_at", _TOO_LONG
    if facts.starts_at > context.now + AHEAD_MAX:
        return "starts_at", _TOO_FAR
    if _is_over(facts, context):
        return "ends_at", _OVER
    return None


def _judge_contract(facts: SessionFacts, context: ScheduleContext) -> Iterable[tuple[str, Fault]]:
    contract = context.contracts.get(facts.processor)
    if contract is None:
        yield "processor", _NO_CONTRACT
        return
    if facts.purpose not in contract.purposes:
        yield "purpose", _NO_PURPOSE
    if facts.site not in contract.sites:
        yield "site", _NO_SITE
    starts_on = facts.starts_at.astimezone(context.controller_zone).date()
    # NOTE(why): the end is not part of the session: one that ends at midnight ends with the day before.
    ends_on = (facts.ends_at - timedelta.resolution).astimezone(context.controller_zone).date()
    if starts_on < contract.starts_on or ends_on > contract.ends_on:
        yield "starts_at", _OUTSIDE
    if any(context.agents.get(agent) != facts.processor for agent in facts.agents):
        yield "agents", _AGENT


def _checked(
    file: ScheduleFile, plans: list[SessionPlan], warnings: ScheduleFindings, excess: ScheduleFindings, ahead: int
) -> CheckedSchedule:
    """Bring the plans into the outcome and its figures."""
    sessions = {change: tuple(plan for plan in plans if plan.change is change) for change in SessionChange}
    new = tuple(place for plan in plans for place in plan.new)
    cancelled = tuple(place for plan in plans for place in plan.cancelled)
    reinstated = tuple(place for plan in plans for place in plan.reinstated)
    return CheckedSchedule(
        sha256=file.sha256,
        source=file.source,
        mode=file.mode,
        sessions_new=sessions[SessionChange.NEW],
        sessions_moved=sessions[SessionChange.MOVED],
        sessions_unchanged=sessions[SessionChange.UNCHANGED],
        sessions_handed_over=sessions[SessionChange.HANDED_OVER],
        places_new=new,
        places_cancelled=cancelled,
        places_reinstated=reinstated,
        counts=ScheduleCounts(
            sessions_new=len(sessions[SessionChange.NEW]),
            sessions_moved=len(sessions[SessionChange.MOVED]),
            sessions_unchanged=len(sessions[SessionChange.UNCHANGED]),
            sessions_handed_over=len(sessions[SessionChange.HANDED_OVER]),
            places_new=len(new),
            places_cancelled=len(cancelled),
            places_reinstated=len(reinstated),
            places_handed_over=sum(len(plan.carried) for plan in plans),
            places_unchanged=sum(plan.unchanged_count for plan in plans),
            places_absent=sum(plan.absent_count for plan in plans),
        ),
        warnings=warnings,
        excess=excess,
        places_ahead=ahead,
        is_empty=not file.rows,
    )
