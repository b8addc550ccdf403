"""From a checked file to its effect: new rows are loaded without any, then one control entry gives all of it effect.

Loading is many small transactions without the head's lock; a crash there leaves rows that nobody sees, and the next import of the
source clears them. A session that goes to another processor is written under the lock: its old row has to go first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from operator import itemgetter
from typing import Final, TypeVar

import msgspec

from ecluse.clock import wire_text
from ecluse.db import Connection
from ecluse.ids import new_id, random_bytes
from ecluse.ledger import Event
from ecluse.ledger.errors import ControlRefused
from ecluse.ledger.service import Control, seal_control
from ecluse.schedule.errors import RequestUnknown
from ecluse.schedule.model import CheckedSchedule, Place, ScheduleFile, SessionFacts
from ecluse.schedule.store import (
    AGENT_COLUMNS,
    APPOINTMENT_COLUMNS,
    SESSION_COLUMNS,
    EnrolmentKey,
    begin_import,
    enrol,
    handles,
    load,
    session_ids,
)

CHUNK_ROWS: Final = 10_000
SALT_BYTES: Final = 32

_T = TypeVar("_T")


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A second person's yes. ``request``: the id of the file that waits; ``requested_at``: wire text."""

    request: str
    requested_by: str
    requested_at: str
    approver: str


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A pending import whose new rows are loaded; ``digest``: as sealed; ``body``: what is left to do under the head's lock."""

    import_id: str
    digest: str
    row_count: int
    checked: CheckedSchedule
    body: dict[str, object]


def file_digest(salt: bytes, sha256_hex: str) -> str:
    """Return what is kept of a file: hex SHA-256 over a salt of 32 bytes and the file's own SHA-256.

    A bare digest would be an oracle: with all rows of a file but one, each person could be tried for that one. Once a person of
    the file is erased the salt is forgotten (docs/erasure.md).
    """
    return sha256(b"ecluse/1/file\0" + salt + bytes.fromhex(sha256_hex)).hexdigest()


async def load_rows(connection: Connection, file: ScheduleFile, checked: CheckedSchedule, actor: str, import_id: str) -> Loaded:
    """Load what is new as pending rows, and find the ids of what changes."""
    salt = random_bytes(SALT_BYTES)
    digest = file_digest(salt, file.sha256)
    await begin_import(connection, import_id, file, actor, digest=digest, salt=salt)
    ids = await _load_sessions(connection, checked, import_id)
    handed = {plan.session_ref for plan in checked.sessions_handed_over}
    await _load_places(connection, [place for place in checked.places_new if place.session_ref not in handed], ids, import_id)
    cancelled = [place for place in checked.places_cancelled if place.session_ref not in handed]
    found = await handles(
        connection, [(ids[place.session_ref], place.place_ref) for place in (*cancelled, *checked.places_reinstated)]
    )
    handovers = await _handovers(connection, checked, ids)
    came = {ids[place.session_ref]: place.processor for place in checked.places_new if place.session_ref not in handed}
    came |= {str(handover["new"]): str(handover["processor"]) for handover in handovers}
    return Loaded(
        import_id=import_id,
        digest=digest,
        row_count=len(file.rows),
        checked=checked,
        body={
            "import": import_id,
            "moves": [{"session": ids[plan.session_ref], **_facts(plan.facts)} for plan in checked.sessions_moved],
            "handovers": handovers,
            "cancels": found[: len(cancelled)],
            "reinstates": found[len(cancelled) :],
            "added": [(processor, session) for session, processor in came.items()],
        },
    )


def _facts(facts: SessionFacts) -> dict[str, object]:
    """Write what may change of a session as ``apply_schedule`` reads it."""
    return {
        "site": facts.site,
        "room": facts.room,
        "starts_at": wire_text(facts.starts_at),
        "ends_at": wire_text(facts.ends_at),
        "agents": facts.agents,
    }


async def _handovers(connection: Connection, checked: CheckedSchedule, ids: dict[str, str]) -> list[dict[str, object]]:
    """Give each session that changes hands a new id, and each of its planned places a new handle and an enrolment there."""
    plans = checked.sessions_handed_over
    places = [place for plan in plans for place in (*plan.new, *plan.carried)]
    enrolments = await _enrol(connection, dict.fromkeys(_enrolment_key(place) for place in places))
    return [
        {
            "session": ids[plan.session_ref],
            "new": new_id("ses"),
            "processor": plan.facts.processor,
            **_facts(plan.facts),
            "places": [
                (place.place_ref, new_id("apt"), enrolments[_enrolment_key(place)]) for place in (*plan.new, *plan.carried)
            ],
        }
        for plan in plans
    ]


def _enrolment_key(place: Place) -> EnrolmentKey:
    return EnrolmentKey(place.processor, place.purpose, place.course_ref, place.subject_ref)


async def _enrol(connection: Connection, keys: Iterable[EnrolmentKey]) -> dict[EnrolmentKey, str]:
    """Return the enrolments of these keys, made where they are missing, in the order of their ids: in chance's.

    NOTE(why): rows that were written in the order of people's references would tell, by the gap that one leaves, between which
    neighbours it stood. Two imports of the very same new people may so lock each other out; one of them begins again.
    """
    enrolments: dict[EnrolmentKey, str] = {}
    for chunk in _chunks(sorted((new_id("enr"), key) for key in keys)):
        found = await enrol(connection, [key for _, key in chunk], [fresh for fresh, _ in chunk])
        enrolments |= zip([key for _, key in chunk], found, strict=True)
    return enrolments


async def _load_sessions(connection: Connection, checked: CheckedSchedule, import_id: str) -> dict[str, str]:
    """Load new sessions with their agents; return the ids of all sessions of the file that there are now."""
    for plans in _chunks(checked.sessions_new):
        fresh = [(new_id("ses"), plan.facts, plan.session_ref) for plan in plans]
        rows: list[tuple[object, ...]] = [
            (ses, checked.source, ref, f.processor, f.purpose, f.site, f.room, f.starts_at, f.ends_at, import_id)
            for ses, f, ref in fresh
        ]
        await load(connection, "session", SESSION_COLUMNS, rows)
        await load(connection, "session_agent", AGENT_COLUMNS, [(ses, agent) for ses, f, _ in fresh for agent in f.agents])
    ids: dict[str, str] = {}
    kept = (*checked.sessions_moved, *checked.sessions_unchanged, *checked.sessions_handed_over)
    for plans in _chunks((*checked.sessions_new, *kept)):
        ids |= await session_ids(connection, checked.source, [plan.session_ref for plan in plans])
    return ids


async def _load_places(connection: Connection, places: Sequence[Place], ids: dict[str, str], import_id: str) -> None:
    """Enrol the subjects of new places and load their appointments, each with a new handle and in the order of these."""
    for chunk in _chunks(sorted(((new_id("apt"), place) for place in places), key=itemgetter(0))):
        enrolments = await _enrol(connection, dict.fromkeys(_enrolment_key(place) for _, place in chunk))
        rows: list[tuple[object, ...]] = [
            (
                place.processor,
                handle,
                ids[place.session_ref],
                place.place_ref,
                enrolments[_enrolment_key(place)],
                place.subject_ref,
                import_id,
            )
            for handle, place in chunk
        ]
        await load(connection, "appointment", APPOINTMENT_COLUMNS, rows)


async def apply_loaded(
    connection: Connection, *, log_id: int, control_seq: int, loaded: Loaded, actor: str, approval: Approval | None
) -> Control:
    """Seal the import and its effect; raises `LedgerStale` if anything changed since it was checked.

    ``approval``: the second person, where the file needs one: spent in the same instant. Raises `RequestUnknown` if it is gone.
    """
    checked = loaded.checked
    detail: dict[str, object] = {
        "counts": msgspec.to_builtins(checked.counts),
        "file": loaded.digest,
        "mode": checked.mode.value,
        "rows": loaded.row_count,
        "source": checked.source,
    }
    body = loaded.body
    if approval is not None:
        detail["approval"] = msgspec.to_builtins(approval) | {"excess": checked.excess.total}
        body = {**body, "approval": {"request": approval.request, "approver": approval.approver}}
    try:
        return await seal_control(
            connection, log_id=log_id, event=Event.SCHEDULE_APPLIED, act="schedule:apply", actor=actor, target=loaded.import_id,
            detail=detail, body=body, expected_seq=control_seq,
        )  # fmt: skip
    except ControlRefused as refused:
        if refused.constraint != "schedule_request_open":
            raise
    raise RequestUnknown


def _chunks(items: Sequence[_T]) -> Iterator[list[_T]]:
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK_ROWS)):
        yield chunk
