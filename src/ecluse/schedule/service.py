"""Importing a schedule: read, check, load what is new without effect, and let all of it take effect in one sealed instant.

1 read the file                     no database
2 read the present state            one snapshot, with its ``control_seq``
3 check                             pure; findings end it, a dry run ends here
4 load new rows, pending            small transactions, without the head's lock; a crash leaves rows without effect
5 ``schedule:apply``                one control entry under the head's lock; stale if anything changed since 2

When stale, 2 and 3 are done again, and 4 only if the outcome differs. Checks that depend on the clock hold as of 2: a session
that ends in between opens no window.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import tzinfo
from itertools import islice
from typing import Final, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from ecluse.clock import wire_text
from ecluse.contracts import Contract, ContractInvalid, parse_contract
from ecluse.db import Connection
from ecluse.ids import new_id
from ecluse.ledger import Event, LedgerStale
from ecluse.ledger.service import Control, seal_control
from ecluse.register import RegisterMap, SubjectRefInvalid, parse_subject_ref
from ecluse.schedule.check import check_places
from ecluse.schedule.errors import ImportDisplaced, ScheduleContended, ScheduleKindUnknown, ScheduleModeNotOffered
from ecluse.schedule.findings import ScheduleFindings
from ecluse.schedule.model import (
    CheckedSchedule,
    ContractFacts,
    Kind,
    Mode,
    Place,
    PurposeFacts,
    ScheduleContext,
    ScheduleCounts,
    ScheduleFile,
    SiteFacts,
)
from ecluse.schedule.parse import parse_schedule
from ecluse.schedule.store import (
    AGENT_COLUMNS,
    APPOINTMENT_COLUMNS,
    SESSION_COLUMNS,
    EnrolmentKey,
    Present,
    begin_import,
    enrol,
    handles,
    load,
    read_present,
    session_ids,
    translated,
)

TRIES: Final = 5
CHUNK_ROWS: Final = 10_000

_T = TypeVar("_T")


class ImportRefused(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was applied: the file has problems."""

    sha256: str
    findings: ScheduleFindings


class ImportChecked(msgspec.Struct, frozen=True, kw_only=True):
    """A dry run: what applying the file would change; nothing was applied."""

    sha256: str
    source: str
    counts: ScheduleCounts


class ImportApplied(msgspec.Struct, frozen=True, kw_only=True):
    """All of it was applied and sealed; ``index``: its control entry in the log."""

    import_id: str
    sha256: str
    source: str
    counts: ScheduleCounts
    index: int
    control_seq: int


ImportReport: TypeAlias = ImportRefused | ImportChecked | ImportApplied


async def import_schedule(
    pool: asyncpg.Pool,
    *,
    file_bytes: bytes,
    kind: str,
    actor: str,
    dry_run: bool,
    register: RegisterMap,
    zone: tzinfo,
    mode: str = Mode.DELTA,
    log_id: int = 1,
    authorise: Callable[[Connection], Awaitable[None]] | None = None,
) -> ImportReport:
    """Import one file: all of it or nothing.

    ``authorise``: raises unless the sender may import now; asked under the very state that the import is sealed under.
    ``pool``: role ``ecluse_app``; ``actor``: who sends the file, as the entry shall say; ``zone``: the controller's. Raises
    `ScheduleKindUnknown`, `ScheduleModeNotOffered`, `ScheduleContended`, `ecluse.db.DatabaseUnavailable` (nothing is known to be
    applied: send it again, what was applied is then unchanged) and `ecluse.ledger.ClockUntrusted`.
    """
    if kind not in set(Kind):
        raise ScheduleKindUnknown
    if mode != Mode.DELTA:
        raise ScheduleModeNotOffered
    # NOTE(why): a large file is read in a thread, or every decision of this process would wait for it.
    file = await asyncio.to_thread(parse_schedule, file_bytes, Kind(kind))
    if isinstance(file, ScheduleFindings):
        return ImportRefused(sha256=hashlib.sha256(file_bytes).hexdigest(), findings=file)
    loaded: _Loaded | None = None
    for _ in range(TRIES):
        try:
            with translated():
                async with pool.acquire() as connection:
                    present = await read_present(connection, log_id, file)
                    if authorise is not None:  # after the read: who is stopped later makes the import stale, and is asked again
                        await authorise(connection)
                    checked = await asyncio.to_thread(_check, file, present, register, zone)
                    if isinstance(checked, ScheduleFindings):
                        return ImportRefused(sha256=file.sha256, findings=checked)
                    if dry_run:
                        return ImportChecked(sha256=file.sha256, source=file.source, counts=checked.counts)
                    if loaded is None or loaded.checked != checked:
                        loaded = await _load(connection, file, checked, actor)
                    return _applied(loaded, await _apply(connection, log_id, present.control_seq, loaded, actor))
        except LedgerStale:
            continue
        except ImportDisplaced:
            loaded = None
    raise ScheduleContended(TRIES)


class _Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A pending import whose new rows are loaded, and what is left to do under the head's lock."""

    import_id: str
    row_count: int
    checked: CheckedSchedule
    moves: list[dict[str, object]]
    cancels: list[tuple[str, str]]
    reinstates: list[tuple[str, str]]


def _check(file: ScheduleFile, present: Present, register: RegisterMap, zone: tzinfo) -> CheckedSchedule | ScheduleFindings:
    attributes = {name: attribute.type for name, attribute in register.attributes.items()}
    contracts: dict[str, ContractFacts] = {}
    for processor, text in present.contracts.items():
        try:
            contracts[processor] = contract_facts(parse_contract(text, attributes))
        except ContractInvalid:
            # NOTE(why): applied by another version, or the register's map changed: nothing may be planned on what can't be read.
            continue
    context = ScheduleContext(
        now=present.at,
        controller_zone=zone,
        contracts=contracts,
        agents=present.agents,
        is_subject_ref=_subject_ref_rule(register),
        sessions=present.sessions,
    )
    return check_places(file, context)


def contract_facts(contract: Contract) -> ContractFacts:
    """Take from a contract what bounds a schedule."""
    return ContractFacts(
        purposes={
            purpose.id: PurposeFacts(
                max_capacity=purpose.max_capacity, opens_before=purpose.opens_before, closes_after=purpose.closes_after
            )
            for purpose in contract.purposes.values()
        },
        sites={
            site.id: SiteFacts(timezone=ZoneInfo(site.timezone), rooms=site.rooms, max_sessions_per_day=site.max_sessions_per_day)
            for site in contract.sites.values()
        },
        persons_per_day=contract.limits.persons_per_day,
        persons_per_month=contract.limits.persons_per_month,
        starts_on=contract.starts_on,
        ends_on=contract.ends_on,
    )


def _subject_ref_rule(register: RegisterMap) -> Callable[[str], bool]:
    def is_subject_ref(text: str) -> bool:
        try:
            parse_subject_ref(text, register)
        except SubjectRefInvalid:
            return False
        return True

    return is_subject_ref


async def _load(connection: Connection, file: ScheduleFile, checked: CheckedSchedule, actor: str) -> _Loaded:
    """Load what is new as pending rows, and find the ids of what changes."""
    import_id = new_id("imp")
    await begin_import(connection, import_id, file, actor)
    ids = await _load_sessions(connection, checked, import_id)
    await _load_places(connection, checked.places_new, ids, import_id)
    cancelled, reinstated = checked.places_cancelled, checked.places_reinstated
    changing = [(ids[place.session_ref], place.place_ref) for place in (*cancelled, *reinstated)]
    found = await handles(connection, changing)
    return _Loaded(
        import_id=import_id,
        row_count=len(file.rows),
        checked=checked,
        moves=[
            {
                "session": ids[plan.session_ref],
                "site": plan.facts.site,
                "room": plan.facts.room,
                "starts_at": wire_text(plan.facts.starts_at),
                "ends_at": wire_text(plan.facts.ends_at),
                "agents": plan.facts.agents,
            }
            for plan in checked.sessions_moved
        ],
        cancels=found[: len(cancelled)],
        reinstates=found[len(cancelled) :],
    )


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
    for plans in _chunks((*checked.sessions_new, *checked.sessions_moved, *checked.sessions_unchanged)):
        ids |= await session_ids(connection, checked.source, [plan.session_ref for plan in plans])
    return ids


async def _load_places(connection: Connection, places: Sequence[Place], ids: dict[str, str], import_id: str) -> None:
    """Enrol the subjects of new places and load their appointments, each with a new handle."""
    keyed = sorted(
        (EnrolmentKey(place.processor, place.purpose, place.course_ref, place.subject_ref), place.row) for place in places
    )
    by_row = {place.row: place for place in places}
    for chunk in _chunks(keyed):
        keys = list(dict.fromkeys(key for key, _ in chunk))
        enrolments = dict(zip(keys, await enrol(connection, keys, [new_id("enr") for _ in keys]), strict=True))
        rows: list[tuple[object, ...]] = []
        for key, row in chunk:
            place = by_row[row]
            session = ids[place.session_ref]
            rows.append((key.processor, new_id("apt"), session, place.place_ref, enrolments[key], key.subject_ref, import_id))
        await load(connection, "appointment", APPOINTMENT_COLUMNS, rows)


async def _apply(connection: Connection, log_id: int, control_seq: int, loaded: _Loaded, actor: str) -> Control:
    """Seal the import and its effect; raises `LedgerStale` if anything changed since it was checked."""
    checked = loaded.checked
    return await seal_control(
        connection,
        log_id=log_id,
        event=Event.SCHEDULE_APPLIED,
        act="schedule:apply",
        actor=actor,
        target=loaded.import_id,
        detail={
            "counts": msgspec.to_builtins(checked.counts),
            "rows": loaded.row_count,
            "sha256": checked.sha256,
            "source": checked.source,
        },
        body={"import": loaded.import_id, "moves": loaded.moves, "cancels": loaded.cancels, "reinstates": loaded.reinstates},
        expected_seq=control_seq,
    )


def _applied(loaded: _Loaded, sealed: Control) -> ImportApplied:
    return ImportApplied(
        import_id=loaded.import_id,
        sha256=loaded.checked.sha256,
        source=loaded.checked.source,
        counts=loaded.checked.counts,
        index=sealed.index,
        control_seq=sealed.control_seq,
    )


def _chunks(items: Sequence[_T]) -> Iterator[list[_T]]:
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK_ROWS)):
        yield chunk
