"""Spoken codes: what an agent says on the telephone when somebody stands before her who is on no list, so that the agency finds the session.

A code opens nothing: who is placed is decided by the agency's case worker, who asks the caller more than that. It is eight random digits that live an hour; an
agent has one at a time for a session, so with n agents at work at most n times their sessions of 100,000,000 codes are good, and a code that was made up
finds nothing. Trusted store; may be lost at any time: the agent asks for another.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from ecluse.db import Connection
from ecluse.ids import random_bytes

LIFE: Final = timedelta(hours=1)
DIGITS: Final = 8
_TRIES: Final = 5

_FORGET: Final = "delete from ecluse.walk_in where expires_at <= (select ecluse.clock())"
_KNOWN: Final = (
    "select code, expires_at from ecluse.walk_in where session_id = $1 and agent_id = $2 and expires_at > ecluse.clock()"
)
_MAKE: Final = """
insert into ecluse.walk_in (code, session_id, agent_id, made_at, expires_at)
values ($1, $2, $3, ecluse.clock(), ecluse.clock() + $4::interval)
on conflict do nothing returning code, expires_at
"""
_FIND: Final = """
select w.code, w.made_at, w.expires_at, w.agent_id, g.label, s.id, s.source, s.session_ref, s.processor_id, p.name,
       s.purpose, s.site_id, s.room, s.starts_at, s.ends_at
from ecluse.walk_in w
join ecluse.session s on s.id = w.session_id
join ecluse.processor p on p.id = s.processor_id
join ecluse.agent g on g.id = w.agent_id
where w.code = $1 and w.expires_at > ecluse.clock()
"""


class SpokenCode(msgspec.Struct, frozen=True, kw_only=True):
    """A code and when it ends."""

    code: str
    expires_at: datetime


class WalkIn(msgspec.Struct, frozen=True, kw_only=True):
    """What a code stands for: who calls, from which session. ``source``, ``session_ref``: the session as the agency's own schedule names it."""

    code: str
    made_at: datetime
    expires_at: datetime
    agent: str
    agent_label: str
    session: str
    source: str
    session_ref: str
    processor: str
    processor_name: str
    purpose: str
    site: str
    room: str
    starts_at: datetime
    ends_at: datetime


async def make_walk_in(connection: Connection, session: str, agent: str) -> SpokenCode:
    """Return the agent's code for a session of her processor: the one that lives, or a fresh one."""
    for _ in range(_TRIES):
        async with connection.transaction():
            await connection.execute(_FORGET)
            row = await connection.fetchrow(_KNOWN, session, agent)
            if row is None:
                row = await connection.fetchrow(_MAKE, _draw(), session, agent, LIFE)
        if row is not None:
            return SpokenCode(code=row["code"], expires_at=row["expires_at"])
    raise AssertionError("impossible: five random codes were taken")


async def find_walk_in(connection: Connection, code: str) -> WalkIn | None:
    """Return what a code stands for that was said to a case worker, however it was grouped; None where it is unknown or over: one answer."""
    digits = "".join(sign for sign in code if sign.isascii() and sign.isdigit())
    if len(digits) != DIGITS or len(code) > 4 * DIGITS:
        return None
    row: asyncpg.Record | None = await connection.fetchrow(_FIND, digits)
    if row is None:
        return None
    return WalkIn(**dict(zip(WalkIn.__struct_fields__, row, strict=True)))


def _draw() -> str:
    """Draw eight digits. Of 128 random bits the remainder is even to one part in 10**30."""
    return f"{int.from_bytes(random_bytes(16)) % 10**DIGITS:0{DIGITS}d}"
