"""A processor at work: bound to the agency for one test, with a session that is open now and a machine that has its token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from tests.agency import Agency, Meeting, Party
from tests.e2e.outsider import Outsider, check_receipt

UNKNOWN = "apt_" + "a" * 26
"""A handle that is nobody's."""

RETRYABLE = {"ledger-unavailable", "register-unavailable", "busy", "not-published"}
"""Problems that may go away without anybody's doing: their answers say when to come again."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What such a test holds. ``handles``: of each person by its number in the register."""

    party: Party
    meeting: Meeting
    handles: dict[int, str]
    machine: Outsider

    async def disclose(self, person: int, attributes: Sequence[str] = ("family_name",), **how: Any) -> httpx.Response:
        """Ask for a person of the session by the first agent."""
        return await self.machine.disclose(self.handles[person], self.party.agent, attributes, **how)


@asynccontextmanager
async def at_work(
    agency: Agency, persons: Sequence[int] = (10,), *, begins_in: timedelta = timedelta(hours=1), **terms: Any
) -> AsyncIterator[Desk]:
    """Bind a processor (``terms`` as `Agency.bind` takes them), schedule these persons, and get a token."""
    party = await agency.bind(**terms)
    meeting = await agency.meeting(party, persons, begins_in=begins_in, purpose=terms.get("purpose", "civic-training"))
    handles = await agency.schedule(meeting)
    async with Outsider(agency.public_url, party.machines[0].id, party.machines[0].key) as machine:
        yield Desk(party=party, meeting=meeting, handles=handles, machine=machine)


def code_of(answer: httpx.Response) -> str:
    """Return ``ok``, or the code of a problem whose form (RFC 9457) is checked on the way."""
    if answer.status_code == httpx.codes.OK:
        return "ok"
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"]
    kind: str = problem["type"]
    assert kind.startswith("/problems/")
    return kind.removeprefix("/problems/")


def refused(answer: httpx.Response, code: str) -> dict[str, Any]:
    """Check a problem's code, that it holds no person and may be retried only where that helps; return its members."""
    assert code_of(answer) == code, answer.text
    assert ("retry-after" in answer.headers) == (code in RETRYABLE)
    problem: dict[str, Any] = answer.json()
    assert "subject" not in problem
    return problem


def refused_with_receipt(answer: httpx.Response, code: str) -> dict[str, Any]:
    """Check a decision that was refused and sealed: its receipt opens, and shows what the caller said and the public reason only."""
    problem = refused(answer, code)
    shown = check_receipt(problem)
    assert set(shown) == {"at", "event", "disclosure", "processor", "client", "appointment", "attributes", "reason"}
    assert (shown["reason"], shown["disclosure"]) == (code, problem["disclosure"])
    return problem
