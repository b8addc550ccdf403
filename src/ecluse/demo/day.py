"""The working day: every processor at once through the HTTP door, and the agency that plans, changes its plan, suspends and releases."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import httpx
import msgspec

from ecluse.client import Policy
from ecluse.client.errors import QuorumMissing
from ecluse.client.trust import believe
from ecluse.contracts.service import place_hold, release_hold
from ecluse.db import Connection
from ecluse.demo.documents import Officer
from ecluse.demo.expected import Journal
from ecluse.demo.firms import CIVIC
from ecluse.demo.model import Firm, Part, Party, PlannedSession
from ecluse.demo.office import Office
from ecluse.demo.scenes import SCENES, Stage
from ecluse.demo.scheduler import Scheduler
from ecluse.demo.timetable import moved, to_csv
from ecluse.errors import EcluseError
from ecluse.install import LOG_ID
from ecluse.ledger.store import read_head

ACTOR = "demo:agency"
_LONGEST_WAIT_SECONDS = 15.0


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A place that may still be read, for whoever wants to try: its processor's client, a trainer, the fields; and another's handle."""

    processor: str
    client_id: str
    key_file: str
    agent: str
    appointment: str
    attributes: tuple[str, ...]
    foreign: str


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """How the day went: what the processors saw, whom the hold was on, the signed head at its end and who cosigned it, a place to try."""

    journal: Journal
    seconds: float
    held_client: str
    checkpoint: str
    cosigned_by: tuple[str, ...]
    proven: int
    example: Example


class Desk:
    """The controller's desk: its planning software's client, and a connection for what it decides (as the command line has one), one act at a time."""

    def __init__(self, scheduler: Scheduler, connection: Connection, officer: Officer, plan: Sequence[PlannedSession]) -> None:
        """Keep the plan of the day. ``officer``: on the same connection."""
        self._scheduler, self._connection, self._officer = scheduler, connection, officer
        self._turn = asyncio.Lock()
        self._plan = {session.ref: session for session in plan}

    async def change_plan(self, session: str, other: str) -> None:
        """Import a second schedule: ``session`` is a week later, the first place of ``other`` is called off."""
        file = to_csv((moved(self._plan[session]), self._plan[other]), {other: frozenset({0})})
        await self._scheduler.send(file)

    async def suspend(self, client: str) -> str:
        """Suspend a client."""
        async with self._turn:
            hold, _ = await place_hold(
                self._connection, log_id=LOG_ID, scope="client", target=client, effect="suspend",
                reason="the processor reported a lost laptop", actor=ACTOR,
            )  # fmt: skip
        return hold

    async def release(self, hold: str) -> None:
        """Release a hold."""
        async with self._turn:
            await release_hold(self._connection, log_id=LOG_ID, hold=hold, actor=ACTOR)

    async def find(self, processor: str) -> None:
        """Open a critical finding of an audit whose due day is over."""
        async with self._turn:
            await self._officer.find(processor)

    async def accept_list(self, firm: Firm) -> None:
        """Accept a processor's own list of sub-processors."""
        async with self._turn:
            await self._officer.accept_list(firm)

    async def size(self) -> int:
        """Return how many entries are sealed."""
        return (await read_head(self._connection, LOG_ID)).size


async def live(parties: Sequence[Party], plan: Sequence[PlannedSession], desk: Desk, *, base_url: str, policy: Policy) -> Day:
    """Let the day pass. What surprises is in the journal; only a bug raises."""
    journal, began = Journal(), time.perf_counter()
    offices = [
        Office(party, (p for p in plan if p.processor == party.firm.id), base_url=base_url, policy=policy, journal=journal)
        for party in parties
    ]
    parts = {office.party.firm.part: office for office in offices}
    stage = Stage(base_url=base_url, agency=desk, offices=parts, listed=asyncio.Event())
    try:
        await asyncio.gather(*(_work(office, stage) for office in offices))
        checkpoint, cosigned_by = await _published(await desk.size(), base_url, policy, journal)
        await asyncio.gather(*(office.prove() for office in offices))
    finally:
        await asyncio.gather(*(office.close() for office in offices))
    return Day(
        journal=journal,
        seconds=time.perf_counter() - began,
        held_client=parts[Part.HELD].party.client_id,
        checkpoint=checkpoint,
        cosigned_by=cosigned_by,
        proven=journal.seen["proof"],
        example=_example(parts[Part.QUESTIONS], parts[Part.HELD]),
    )


def _example(office: Office, other: Office) -> Example:
    """Pick the last place of the group that comes next: it was read once, and its window is open."""
    session = max((one for one in office.sessions if one.purpose == CIVIC), key=lambda one: one.starts_at)
    plan = office.plan_of(session)
    return Example(
        processor=office.id,
        client_id=office.party.client_id,
        key_file=str(office.party.key_file),
        agent=plan.agent,
        appointment=session.appointments[-1].id,
        attributes=plan.course.asked,
        foreign=other.sessions[0].appointments[0].id,
    )


async def _work(office: Office, stage: Stage) -> None:
    """Play one processor's part."""
    try:
        await office.open()
        await SCENES[office.party.firm.part](office, stage)
    except Exception as error:  # noqa: BLE001 - a scene that breaks is a surprise of the day, and the other scenes go on
        code = error.code if isinstance(error, EcluseError) else type(error).__name__
        office.journal.surprise("day", office.id, expected="every step made", found=f"error:{code}")
    finally:
        if office.party.firm.part is Part.MOVED:
            stage.listed.set()  # nobody waits for a scene that is over


async def _published(size: int, base_url: str, policy: Policy, journal: Journal) -> tuple[str, tuple[str, ...]]:
    """Wait until a checkpoint that the policy believes covers ``size`` entries; return its note, and which witnesses cosigned it."""
    names, deadline = {one.key: one.name.decode() for one in policy.witnesses}, time.monotonic() + _LONGEST_WAIT_SECONDS
    async with httpx.AsyncClient() as http:
        while True:
            answer = await http.get(f"{base_url}/ledger/main/checkpoint")
            if answer.status_code == httpx.codes.OK:
                with suppress(QuorumMissing):  # its witnesses are being asked
                    head = believe(answer.text, policy)
                    if head.checkpoint.size >= size:
                        return answer.text, tuple(sorted(names[key] for key in head.cosigned_at))
            if time.monotonic() > deadline:
                journal.surprise("checkpoint", "gate", expected="within a second", found="not published, or not cosigned")
                return "", ()
            await asyncio.sleep(0.1)
