"""What each processor does on the day: one scene a part, each of a bounded number of steps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec

from ecluse import clock, ids
from ecluse.client import ClientError, Session
from ecluse.client.model import Json
from ecluse.demo import thief
from ecluse.demo.expected import GRANTED
from ecluse.demo.model import Firm, Part
from ecluse.demo.office import Office

_MOST_PAGES: Final = 100
NOT_CONTRACTED: Final = "nationality"
"""In the register, and in no contract of the demo."""


class Agency(Protocol):
    """What the controller does while the processors work."""

    async def change_plan(self, session: str, other: str) -> None:
        """Import a second schedule: a session is a week later, one place of another session is called off."""

    async def suspend(self, client: str) -> str:
        """Place a hold on a client; return the hold."""

    async def release(self, hold: str) -> None:
        """Release a hold."""

    async def find(self, processor: str) -> None:
        """Open a critical finding of an audit whose due day is over."""

    async def accept_list(self, firm: Firm) -> None:
        """Accept a processor's own list of sub-processors, which names one more than its contract."""


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What a scene can reach. ``listed``: set once the processor of `Part.MOVED` has listed its sessions."""

    base_url: str
    agency: Agency
    offices: dict[Part, Office]
    listed: asyncio.Event


async def routine(office: Office, _stage: Stage) -> None:
    """Receive everybody who is due."""
    await asyncio.gather(*(office.receive(session, session.appointments) for session in office.sessions))


async def questions(office: Office, stage: Stage) -> None:
    """Work as the contract says, and ask for what it does not say."""
    late, current = office.sessions[0], office.sessions[1:]
    first = next(session for session in current if office.plan_of(session).course.sheet)
    await _call_the_roll(office, first)
    await asyncio.gather(*(office.receive(session, session.appointments) for session in current))
    places = first.appointments
    await asyncio.gather(*(office.ask("second-look", first, place.id) for place in places))
    await office.ask("other-room", first, places[1].id, agent=_colleague(office, first))
    await office.ask("too-much", first, places[2].id, fields=[*office.plan_of(first).course.asked, NOT_CONTRACTED])
    await _probe(office, first, stage)
    await _lose_an_answer(office, first, places[3].id)
    shuts_at = late.appointments[0].closes_at
    await asyncio.sleep(max(0.0, (shuts_at - clock.now()).total_seconds()) + 0.05)
    for place in late.appointments[:3]:
        await office.ask("too-late", late, place.id)


async def changed_plan(office: Office, stage: Stage) -> None:
    """Work while the agency moves one session and cancels a place of the other."""
    first, second = office.sessions
    stage.listed.set()
    half = len(first.appointments) // 2
    await asyncio.gather(office.receive(first, first.appointments[:half]), office.receive(second, second.appointments))
    await stage.agency.change_plan(office.plan_of(first).ref, office.plan_of(second).ref)
    await asyncio.gather(*(office.ask("moved", first, place.id) for place in first.appointments[half:]))
    gone = await _hear_changes(office, first)
    if gone is not None:
        await office.ask("cancelled", second, gone)
    await _read_until_spent(office, second, next(place.id for place in second.appointments if place.id != gone))


async def small_budget(office: Office, _stage: Stage) -> None:
    """Ask for everybody at once: twice the hour's budget at most is granted, should the clock's hour turn meanwhile."""
    limit = office.party.firm.persons_per_hour
    granted = refused = 0
    for session in office.sessions:
        plan = office.plan_of(session)
        asks = (office.outcome(place.id, plan.agent, plan.course.asked) for place in session.appointments)
        for found, _ in await asyncio.gather(*asks):
            granted, refused = granted + (found == GRANTED), refused + (found != GRANTED)
            office.journal.note("arrival" if found == GRANTED else "burst", office.id, found)
    if not (limit <= granted <= 2 * limit and refused):
        office.journal.surprise("burst", office.id, expected=f"{limit} persons an hour", found=f"{granted} persons")


async def held(office: Office, stage: Stage) -> None:
    """Be suspended in the middle of the work, and released; then an audit's finding shuts the gate."""
    before, after = office.sessions[:2], office.sessions[2:]
    await asyncio.gather(*(office.receive(session, session.appointments) for session in before))
    hold = await stage.agency.suspend(office.party.client_id)
    await asyncio.gather(*(office.ask("held", session, place.id) for session in after for place in session.appointments[:3]))
    await stage.agency.release(hold)
    await office.ask("released", after[0], after[0].appointments[0].id)
    await asyncio.gather(*(office.receive(session, session.appointments[1:]) for session in after))
    await stage.agency.find(office.id)
    await _turned_away(office, "overdue")


async def robbed(office: Office, stage: Stage) -> None:
    """Work, while somebody overhears the line and steals the token; then its own list names a sub-processor that nobody agreed to."""
    await asyncio.gather(*(office.receive(session, session.appointments) for session in office.sessions))
    if office.line.overheard is None:
        raise AssertionError("impossible: an office that asked for nobody")
    office.journal.note("stolen", office.id, await thief.use_token(stage.base_url, office.line.overheard))
    office.journal.note("replayed", office.id, await thief.send_again(stage.base_url, office.line.overheard))
    await stage.agency.accept_list(office.party.firm)
    await _turned_away(office, "undeclared")


def refused_as(step: str) -> Callable[[Office, Stage], Awaitable[None]]:
    """Return a scene in which each ask is refused in one way."""

    async def scene(office: Office, _stage: Stage) -> None:
        await _turned_away(office, step)

    return scene


SCENES: Final[dict[Part, Callable[[Office, Stage], Awaitable[None]]]] = {
    Part.ROUTINE: routine,
    Part.QUESTIONS: questions,
    Part.MOVED: changed_plan,
    Part.SMALL_BUDGET: small_budget,
    Part.HELD: held,
    Part.ROBBED: robbed,
    Part.DESK_ONLY: refused_as("machine"),
    Part.FROZEN: refused_as("frozen"),
    Part.LAPSED: refused_as("lapsed"),
}


async def _turned_away(office: Office, step: str) -> None:
    """Ask for two learners of each session in vain."""
    for session in office.sessions:
        for place in session.appointments[:2]:
            await office.ask(step, session, place.id)


async def _call_the_roll(office: Office, session: Session) -> None:
    """Ask for a session's sheet: one disclosure a place."""
    plan = office.plan_of(session)
    try:
        rows = await office.client.sheet(session.id, plan.agent)
    except ClientError as error:
        office.journal.note("roll-call", office.id, f"error:{error.code}")
        return
    for row in rows:
        office.keep(row)
        right = set(row.forms) == set(plan.course.sheet) and all(
            form in {plan.course.sheet[name], "withheld"} for name, form in row.forms.items()
        )
        office.journal.note("roll-call", office.id, GRANTED if right else "other forms")


async def _probe(office: Office, session: Session, stage: Stage) -> None:
    """Try a made-up handle and another processor's, and compare the two answers."""
    await office.ask("made-up", session, ids.new_id("apt"))
    made_up = office.refused
    await stage.listed.wait()
    await office.ask("foreign", session, stage.offices[Part.MOVED].sessions[0].appointments[0].id)
    foreign = office.refused
    if made_up is None or foreign is None or made_up is foreign:
        office.journal.note("one-answer", office.id, "not refused")
        return
    first, second = ((one.code, one.title, one.detail, sorted(one.extra)) for one in (made_up, foreign))
    office.journal.note("one-answer", office.id, "same" if first == second else "different")


async def _lose_an_answer(office: Office, session: Session, place: str) -> None:
    """Lose the answer on the line: the client asks again with the same key, and gets the same entry."""
    office.line.lose_next = True
    plan = office.plan_of(session)
    found, disclosed = await office.outcome(place, plan.agent, plan.course.asked)
    if disclosed is not None:
        found = "redelivered" if office.line.lost == disclosed.receipt.index else "sealed twice"
    office.journal.note("lost-answer", office.id, found)


async def _read_until_spent(office: Office, session: Session, place: str) -> None:
    """Look at one learner again and again: the contract's reads are granted, the next one is not."""
    plan = office.plan_of(session)
    for _ in range(plan.course.reads + 1):
        found, _ = await office.outcome(place, plan.agent, plan.course.asked)
        office.journal.note("second-look" if found == GRANTED else "read-again", office.id, found)
        if found != GRANTED:
            return
    office.journal.surprise("read-again", office.id, expected="spent", found="never spent")


async def _hear_changes(office: Office, session: Session) -> str | None:
    """Ask what changed since the day was planned: the moved session and a cancelled place, and nothing else. Return the place's handle."""
    told: list[dict[str, Json]] = []
    mark = "0"
    for _ in range(_MOST_PAGES):
        try:
            answer = await office.client.changes(mark)
        except ClientError as error:
            office.journal.note("changes", office.id, f"error:{error.code}")
            return None
        page = answer["changes"]
        told += [one for one in page if isinstance(one, dict) and one["kind"] != "added"] if isinstance(page, list) else []
        if not answer["more"]:
            break
        mark = str(answer["next"])
    moved = [one["session"] for one in told if one["kind"] == "moved"]
    cancelled = [one["appointment"] for one in told if one["kind"] == "cancelled"]
    right = moved == [session.id] and len(cancelled) == 1 and len(told) == 2
    office.journal.note("changes", office.id, "told" if right else "not told")
    return str(cancelled[0]) if cancelled else None


def _colleague(office: Office, session: Session) -> str:
    """Return an agent of the same processor who is not on the session's list."""
    listed = office.plan_of(session).agent
    return next(agent for agent in office.party.agents if agent != listed)
