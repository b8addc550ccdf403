"""What a processor sees of the schedule: its own sessions and what changed in them. No personal data leaves here.

Reads only rows whose import has been applied. Windows come from the contract in force at the moment of the question.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from ecluse.db import Connection

MOST_CHANGES: Final = 500

_SESSIONS: Final = """
select s.id, s.purpose, s.site_id, s.room, s.starts_at, s.ends_at,
       array(select g.agent_id from ecluse.session_agent g where g.session_id = s.id order by 1) as agents
from ecluse.session s join ecluse.schedule_import f on f.id = s.import_id and f.applied_at is not null
where s.processor_id = $1 and (s.id = $2 or ($2 is null and s.starts_at >= $3 and s.starts_at < $4))
order by s.starts_at, s.id
"""
_PLACES: Final = """
select a.session_id, a.id, a.enrolment_id from ecluse.appointment a
join ecluse.schedule_import f on f.id = a.import_id and f.applied_at is not null
where a.session_id = any($1::text[]) and a.cancelled_at is null order by a.session_id, a.id
"""
_CHANGES: Final = """
select seq, ordinal, kind, session_id, appointment_id, changed_at from ecluse.schedule_change
where processor_id = $1 and (seq, ordinal) > ($2, $3) order by seq, ordinal limit $4
"""


class AgendaPlace(msgspec.Struct, frozen=True, kw_only=True):
    """One planned place: its handle and its enrolment."""

    id: str
    enrolment: str


class AgendaSession(msgspec.Struct, frozen=True, kw_only=True):
    """One session with its planned places."""

    id: str
    purpose: str
    site: str
    room: str
    starts_at: datetime
    ends_at: datetime
    agents: tuple[str, ...]
    places: tuple[AgendaPlace, ...]


class AgendaChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change, known by ``(seq, ordinal)``."""

    seq: int
    ordinal: int
    kind: str
    session: str
    appointment: str | None
    changed_at: datetime


async def sessions_between(connection: Connection, processor: str, begin: datetime, end: datetime) -> list[AgendaSession]:
    """Return a processor's sessions that start in ``[begin, end)``."""
    return await _sessions(connection, processor, None, begin, end)


async def session_of(connection: Connection, processor: str, session: str) -> AgendaSession | None:
    """Return one session of this processor; None if there is none of that id *or it is another's*."""
    found = await _sessions(connection, processor, session, None, None)
    return found[0] if found else None


async def changes_after(connection: Connection, processor: str, seq: int, ordinal: int) -> list[AgendaChange]:
    """Return up to `MOST_CHANGES` + 1 changes after a cursor, oldest first."""
    rows = await connection.fetch(_CHANGES, processor, seq, ordinal, MOST_CHANGES + 1)
    return [
        AgendaChange(
            seq=r["seq"],
            ordinal=r["ordinal"],
            kind=r["kind"],
            session=r["session_id"],
            appointment=r["appointment_id"],
            changed_at=r["changed_at"],
        )
        for r in rows
    ]


async def _sessions(
    connection: Connection, processor: str, session: str | None, begin: datetime | None, end: datetime | None
) -> list[AgendaSession]:
    rows = await connection.fetch(_SESSIONS, processor, session, begin, end)
    places: dict[str, list[AgendaPlace]] = {row["id"]: [] for row in rows}
    for row in await connection.fetch(_PLACES, list(places)):
        places[row["session_id"]].append(AgendaPlace(id=row["id"], enrolment=row["enrolment_id"]))
    return [
        AgendaSession(
            id=r["id"], purpose=r["purpose"], site=r["site_id"], room=r["room"], starts_at=r["starts_at"], ends_at=r["ends_at"],
            agents=tuple(r["agents"]), places=tuple(places[r["id"]]),
        )
        for r in rows
    ]  # fmt: skip
