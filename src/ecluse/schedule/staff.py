"""What an agent sees of the schedule: the sessions of a day, those ahead, the places of one. No personal data leaves here.

Every statement is bounded, and reads by an index: how many places or sessions there ever were costs nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from ecluse.db import Connection

MOST_OF_A_DAY: Final = 200
MOST_AHEAD: Final = 60
MOST_PLACES: Final = 1000

_DAY: Final = """
select s.id, s.purpose, s.site_id, s.room, s.starts_at, s.ends_at, r.listed
from ecluse.session s
join ecluse.schedule_import f on f.id = s.import_id and f.applied_at is not null
-- null: the session has no roster
left join lateral (select bool_or(g.agent_id = $2) as listed from ecluse.session_agent g where g.session_id = s.id) r on true
where s.processor_id = $1 and s.starts_at >= $3 and s.starts_at < $4
order by (r.listed is false), s.starts_at, s.id limit $5
"""
_COUNTED: Final = """
select a.session_id, count(*) as places
from ecluse.appointment a
join ecluse.schedule_import f on f.id = a.import_id and f.applied_at is not null
where a.session_id = any($1::text[]) and a.cancelled_at is null
group by a.session_id
"""
_AHEAD: Final = """
(select s.id, s.purpose, s.site_id, s.room, s.starts_at, s.ends_at, true as listed
 from ecluse.session_agent g
 join ecluse.session s on s.id = g.session_id
 join ecluse.schedule_import f on f.id = s.import_id and f.applied_at is not null
 where g.agent_id = $2 and s.processor_id = $1 and s.starts_at >= $3 and s.starts_at < $4
 order by s.starts_at, s.id limit $5)
union all
(select s.id, s.purpose, s.site_id, s.room, s.starts_at, s.ends_at, null
 from ecluse.session s
 join ecluse.schedule_import f on f.id = s.import_id and f.applied_at is not null
 where s.processor_id = $1 and s.starts_at >= $3 and s.starts_at < $4
   and not exists (select from ecluse.session_agent g where g.session_id = s.id)
 order by s.starts_at, s.id limit $5)
order by starts_at, id limit $5
"""
_SESSION: Final = """
select s.id, s.purpose, s.site_id, s.room, s.starts_at, s.ends_at, r.listed
from ecluse.session s
join ecluse.schedule_import f on f.id = s.import_id and f.applied_at is not null
left join lateral (select bool_or(g.agent_id = $2) as listed from ecluse.session_agent g where g.session_id = s.id) r on true
where s.processor_id = $1 and s.id = $3
"""
_PLACES: Final = """
select a.id, a.enrolment_id, a.reads, e.course_ref <> '' as course, o.attendance, o.level
from ecluse.appointment a
join ecluse.schedule_import f on f.id = a.import_id and f.applied_at is not null
join ecluse.enrolment e on e.id = a.enrolment_id
left join ecluse.outcome_feed o on o.processor_id = a.processor_id and o.appointment_id = a.id
where a.session_id = $1 and a.cancelled_at is null
order by f.applied_at, a.id limit $2
"""
_HELD: Final = """
select exists (
  select from ecluse.appointment a
  join ecluse.hold h on h.scope = 'person' and h.scope_id = a.subject_ref
  where a.id = $1 and h.effect <> 'keep' and h.released_at is null and h.from_at <= ecluse.clock() and (h.until_at is null or ecluse.clock() < h.until_at))
"""


class StaffSession(msgspec.Struct, frozen=True, kw_only=True):
    """One session. ``listed``: whether the agent is on its list; None: it has none. ``places``: planned ones; None where nobody counted them."""

    id: str
    purpose: str
    site: str
    room: str
    starts_at: datetime
    ends_at: datetime
    listed: bool | None
    places: int | None


class StaffPlace(msgspec.Struct, frozen=True, kw_only=True):
    """One planned place. ``reads``: disclosures sealed under it; ``course``: whether a level may be said of it; the rest: what was said of it last."""

    id: str
    enrolment: str
    reads: int
    course: bool
    attendance: str | None
    level: str | None


async def sessions_of_day(
    connection: Connection, processor: str, agent: str, begin: datetime, end: datetime
) -> list[StaffSession]:
    """Return a processor's sessions that start in ``[begin, end)``: those of the agent and those without a list first, at most `MOST_OF_A_DAY`."""
    rows = await connection.fetch(_DAY, processor, agent, begin, end, MOST_OF_A_DAY)
    counted = {row["session_id"]: row["places"] for row in await connection.fetch(_COUNTED, [row["id"] for row in rows])}
    return [msgspec.structs.replace(_session(row), places=counted.get(row["id"], 0)) for row in rows]


async def sessions_ahead(
    connection: Connection, processor: str, agent: str, begin: datetime, end: datetime
) -> list[StaffSession]:
    """Return the agent's sessions that start in ``[begin, end)``, and those without a list, at most `MOST_AHEAD`. Nobody counts their places."""
    rows = await connection.fetch(_AHEAD, processor, agent, begin, end, MOST_AHEAD)
    return [_session(row) for row in rows]


async def session_for(connection: Connection, processor: str, agent: str, session: str) -> StaffSession | None:
    """Return one session of this processor; None if there is none of that id *or it is another's*."""
    row = await connection.fetchrow(_SESSION, processor, agent, session)
    return None if row is None else _session(row)


async def places_of(connection: Connection, session: str) -> list[StaffPlace]:
    """Return the planned places of a session: those of an earlier import first, so that a place that comes late goes last."""
    rows = await connection.fetch(_PLACES, session, MOST_PLACES)
    return [
        StaffPlace(id=handle, enrolment=enrolment, reads=reads, course=course, attendance=attendance, level=level)
        for handle, enrolment, reads, course, attendance, level in rows
    ]


async def person_held(connection: Connection, handle: str) -> bool:
    """Tell whether a hold on the person of a place forbids showing them now."""
    return bool(await connection.fetchval(_HELD, handle))


def _session(row: asyncpg.Record) -> StaffSession:
    """Make one session of a row, its places not counted."""
    return StaffSession(
        id=row["id"], purpose=row["purpose"], site=row["site_id"], room=row["room"], starts_at=row["starts_at"], ends_at=row["ends_at"],
        listed=row["listed"], places=None,
    )  # fmt: skip
