"""An agent at work: a processor with a session that is open now, and a browser that is signed in at its desk."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from tests.agency import Agency, Meeting, Party
from tests.signed import Browser, sign_in_agent

UNKNOWN = "apt_" + "a" * 26
NO_SESSION = "ses_" + "a" * 26
RANDOM = re.compile(
    r"\b(?:dsc|apt|ses|sgn|enr)_[a-z2-7]{26}\b|\b[0-9a-f]{32,64}\b|\d{4}-\d\d-\d\dT[0-9:.+]+|>[0-9,\u202f]+</a>|\d\d:\d\d"
)
"""What differs between two answers that are the same: ids, hashes, instants, the entry's number."""


@dataclass(kw_only=True)
class Work:
    """What such a test holds. ``handles``: of each person by its number in the register; ``session``: its id."""

    agency: Agency
    party: Party
    meeting: Meeting
    handles: dict[int, str]
    session: str
    browser: Browser

    @property
    def root(self) -> str:
        """The session's address."""
        return f"/desk/sessions/{self.session}"

    async def act(
        self, act: str, form: dict[str, Any] | None = None, *, browser: Browser | None = None, **wrong: Any
    ) -> httpx.Response:
        """Send an act of the session with a proof. ``proof``: another one, empty: none; ``session``: another one; the rest: claims that are wrong."""
        by, root = browser or self.browser, f"/desk/sessions/{wrong.pop('session', self.session)}"
        proof = wrong.pop("proof", None)
        if proof is None:
            proof = by.proof("POST", f"{root}/{act}", **wrong)
        return await by.post(f"{root}/{act}", form or {"fresh": ""}, headers={"dpop": proof})

    async def show(self, person: int | str, *, fresh: str = "", **how: Any) -> httpx.Response:
        """Press Show on a person, by number or handle."""
        handle = self.handles[person] if isinstance(person, int) else person
        return await self.act("show", {"place": handle, "fresh": fresh}, **how)

    async def reads(self, person: int) -> int:
        """Return how many looks are spent on a place."""
        rows = await self.agency.fetch("select reads from ecluse.appointment where id = $1", self.handles[person])
        return int(rows[0]["reads"])


@asynccontextmanager
async def at_work(
    agency: Agency,
    persons: Sequence[int] = (10,),
    *,
    begins_in: timedelta = timedelta(hours=1),
    later: timedelta = timedelta(),
    transport: httpx.AsyncBaseTransport | None = None,
    **terms: Any,
) -> AsyncIterator[Work]:
    """Bind a processor (``terms`` as `Agency.bind` takes them), schedule these persons, and sign its first agent in, some time ``later``."""
    party = await agency.bind(**terms)
    meeting = await agency.meeting(party, persons, begins_in=begins_in, purpose=terms.get("purpose", "civic-training"))
    handles = await agency.schedule(meeting)
    session = await session_id(agency, party, meeting.ref)
    if later:
        await agency.set_clock_offset(agency.offset + later)
    try:
        browser = await sign_in_agent(agency, party, transport=transport)
        yield Work(agency=agency, party=party, meeting=meeting, handles=handles, session=session, browser=browser)
    finally:
        if later:
            await agency.reset_clock()


async def session_id(agency: Agency, party: Party, ref: str) -> str:
    """Return the id of a processor's session."""
    rows = await agency.fetch("select id from ecluse.session where processor_id = $1 and session_ref = $2", party.name, ref)
    return str(rows[0]["id"])


def refused_of(answer: httpx.Response) -> str:
    """Return why a part says that nobody is shown; empty where it does not."""
    found = re.search(r'data-refused="([a-z-]+)"', answer.text)
    return found[1] if found else ""


def plain(answer: httpx.Response) -> str:
    """Return an answer without what is random in it."""
    return RANDOM.sub("*", answer.text)
