"""What a schedule import reads, and the pending rows that it loads (PostgreSQL, role ``ecluse_app``).

Trusted store; may lose nothing that was applied. Pending rows may be lost at any time: they have no effect until
``ecluse.control`` sets their import's ``applied_at``, and the next import of the source clears them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiosql
import asyncpg
import msgspec

from ecluse.db import LOST, Connection, DatabaseUnavailable
from ecluse.ledger.errors import ControlRefused
from ecluse.ledger.store import read_head
from ecluse.schedule.errors import ImportDisplaced
from ecluse.schedule.model import ExistingPlace, ExistingSession, Mode, PlaceStatus, ScheduleFile, SessionFacts, SessionKey
from ecluse.schedule.resolve import touched_spans

SESSION_COLUMNS: Final = (
    "id",
    "source",
    "session_ref",
    "processor_id",
    "purpose",
    "site_id",
    "room",
    "starts_at",
    "ends_at",
    "import_id",
)
AGENT_COLUMNS: Final = ("session_id", "agent_id")
APPOINTMENT_COLUMNS: Final = ("processor_id", "id", "session_id", "place_ref", "enrolment_id", "subject_ref", "import_id")

_DISPLACED: Final = frozenset(
    {
        "schedule_import_pending",
        "schedule_import_pending_uq",
        "schedule_request_source_uq",
        "session_identity_uq",
        "session_import_id_fkey",
        "session_agent_session_id_fkey",
        "appointment_identity_uq",
        "appointment_import_id_fkey",
        "appointment_enrolment_id_fkey",
        "appointment_session_id_fkey",
    }
)
"""The constraints that break when another import of the source cleared our pending rows, or loaded the same ones first, or an erasure an enrolment."""

_NOT_PENDING: Final = "23000"
"""What the trigger on pending rows raises, without a constraint, when their import is gone or applied."""


class EnrolmentKey(NamedTuple):
    """What makes an enrolment one."""

    processor: str
    purpose: str
    course_ref: str
    subject_ref: str


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """What is in effect at one ``control_seq``. ``contracts``: text by processor; ``sessions``: see `ScheduleContext`."""

    control_seq: int
    at: datetime
    contracts: Mapping[str, str]
    agents: Mapping[str, str]
    sessions: Mapping[SessionKey, ExistingSession]


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the driver raises as our own errors, by the name of the constraint; what is not known passes."""
    try:
        yield
    except (
        asyncpg.DeadlockDetectedError,
        asyncpg.LockNotAvailableError,
    ):  # rolled back: another import of the source was in the way
        failure: Exception = ImportDisplaced()
    except LOST:
        failure = DatabaseUnavailable("the database does not answer")
    except (asyncpg.IntegrityConstraintViolationError, asyncpg.NoDataFoundError) as error:
        if error.constraint_name not in _DISPLACED and error.sqlstate != _NOT_PENDING:
            raise
        failure = ImportDisplaced()
    except ControlRefused as refused:
        if refused.constraint not in _DISPLACED:
            raise
        failure = ImportDisplaced()
    else:
        return
    raise failure  # outside the handler: the driver's text, which quotes values, is not its context


async def read_present(connection: Connection, log_id: int, file: ScheduleFile) -> Present:
    """Read all that the file is checked against, as of one instant: the head first, then the months that it touches."""
    processors = sorted({row.processor for row in file.rows})
    spans = touched_spans(file)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await _queries().patience(connection)
        head = await read_head(connection, log_id)
        contracts = await _rows("contracts_in_force", connection, processors=processors)
        agents = await _rows("agents_known", connection, agents=sorted({agent for row in file.rows for agent in row.agents}))
        sessions = await _rows(
            "sessions_kept",
            connection,
            source=file.source,
            session_refs=sorted({row.session_ref for row in file.rows}),
            from_at=[from_at for from_at, _ in spans],
            until_at=[until_at for _, until_at in spans],
            processors=processors,
            ahead=file.mode is Mode.SNAPSHOT,
        )
        places = await _rows("places_kept", connection, session_ids=[row["id"] for row in sessions])
    return Present(
        control_seq=head.control_seq,
        at=head.at,
        contracts={row["processor_id"]: row["text"] for row in contracts},
        agents={row["id"]: row["processor_id"] for row in agents},
        sessions=_sessions(sessions, places),
    )


def _sessions(sessions: Sequence[asyncpg.Record], places: Sequence[asyncpg.Record]) -> dict[SessionKey, ExistingSession]:
    """Bring the rows together."""
    by_session: dict[str, dict[str, ExistingPlace]] = defaultdict(dict)
    for row in places:
        by_session[row["session_id"]][row["place_ref"]] = ExistingPlace(
            subject_ref=row["subject_ref"],
            course_ref=row["course_ref"],
            status=PlaceStatus.CANCELLED if row["cancelled"] else PlaceStatus.PLANNED,
            walk_in=row["walk_in"],
        )
    return {
        (row["source"], row["session_ref"]): ExistingSession(
            facts=SessionFacts(
                processor=row["processor_id"],
                purpose=row["purpose"],
                site=row["site_id"],
                room=row["room"],
                starts_at=row["starts_at"],
                ends_at=row["ends_at"],
                agents=tuple(sorted(row["agents"])),
            ),
            places=by_session.get(row["id"], {}),
        )
        for row in sessions
    }


async def begin_import(
    connection: Connection, import_id: str, file: ScheduleFile, actor: str, *, digest: str, salt: bytes
) -> None:
    """Clear the source's pending rows and open a new pending import. ``digest``: `file_digest` with this ``salt``."""
    async with connection.transaction():
        await _queries().patience(connection)
        await _queries().drop_pending(connection, source=file.source)
        await _queries().begin_import(
            connection,
            id=import_id,
            source=file.source,
            sha256=digest,
            row_count=len(file.rows),
            actor=actor,
            mode=file.mode.value,
            salt=salt,
        )


async def load(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    """Load pending rows into ``session``, ``session_agent`` or ``appointment``; a crash here leaves rows without effect."""
    if not rows:
        return
    async with connection.transaction():
        await _queries().patience(connection)
        await connection.copy_records_to_table(table, schema_name="ecluse", columns=list(columns), records=rows)


async def enrol(connection: Connection, keys: Sequence[EnrolmentKey], ids: Sequence[str]) -> list[str]:
    """Return the enrolments of these keys, in order; ``ids`` are for those that are new."""
    columns = {
        "processors": [key.processor for key in keys],
        "purposes": [key.purpose for key in keys],
        "course_refs": [key.course_ref for key in keys],
        "subject_refs": [key.subject_ref for key in keys],
    }
    async with connection.transaction():
        await _queries().patience(connection)
        await _queries().enrol(connection, ids=list(ids), **columns)
        rows = await _rows("enrolment_ids", connection, **columns)
    if len(rows) != len(keys):
        raise AssertionError("impossible: an enrolment that was just made is not there")
    return [row["id"] for row in rows]


async def session_ids(connection: Connection, source: str, session_refs: Sequence[str]) -> dict[str, str]:
    """Return the ids of these sessions by their ``session_ref``. Raises `ImportDisplaced` if one is gone: another import cleared what was just loaded."""
    rows = await _rows("session_ids", connection, source=source, session_refs=list(session_refs))
    if len(rows) != len(session_refs):
        raise ImportDisplaced
    return {row["session_ref"]: row["id"] for row in rows}


async def session_in_effect(connection: Connection, log_id: int, source: str, session_ref: str) -> asyncpg.Record | None:
    """Return one session of a source with one of its places and the ``control_seq`` of that instant, or None."""
    found: asyncpg.Record | None = await _queries().session_in_effect(
        connection, log_id=log_id, source=source, session_ref=session_ref
    )
    return found


async def handles(connection: Connection, places: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the ``(processor, handle)`` of these ``(session_id, place_ref)``, in their order."""
    rows = await _rows(
        "handles", connection, session_ids=[session for session, _ in places], place_refs=[place for _, place in places]
    )
    if len(rows) != len(places):
        raise ImportDisplaced
    return [(row["processor_id"], row["id"]) for row in rows]


async def hold_request(connection: Connection, source: str, life: timedelta, most: int, **facts: object) -> datetime | None:
    """Keep a file for approval in the place of an earlier one of its source; return when it expires, or None if ``most`` wait."""
    async with connection.transaction():
        await _queries().patience(connection)
        await _queries().drop_requests(connection, source=source)
        if await _queries().count_requests(connection) >= most:
            return None
        row = await _queries().hold_request(connection, source=source, life=life, **facts)
    expires_at: datetime = row["expires_at"]
    return expires_at


async def requests(connection: Connection) -> list[asyncpg.Record]:
    """Return the files that wait for a second person, without their content."""
    return await _rows("requests", connection)


async def request_of(connection: Connection, request: str) -> asyncpg.Record | None:
    """Return one file that waits, with its content, or None."""
    async with connection.transaction():
        await _queries().patience(connection)
        found: asyncpg.Record | None = await _queries().request_of(connection, id=request)
    return found


async def withdraw_request(connection: Connection, request: str) -> bool:
    """Take back a file that waits; False if there is none."""
    return await _queries().withdraw_request(connection, id=request) is not None


async def _rows(name: str, connection: Connection, **values: object) -> list[asyncpg.Record]:
    """Run a named statement and return its rows."""
    return [row async for row in getattr(_queries(), name)(connection, **values)]


@cache
def _queries() -> Any:  # noqa: ANN401 - aiosql builds its methods at run time
    """Load ``queries.sql`` at first use: importing a module does nothing."""
    return aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")
