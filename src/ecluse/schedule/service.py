"""Importing a schedule: read, check, load what is new without effect, and let all of it take effect in one sealed instant.

1 read the file                     no database
2 read the present state            one snapshot, with its ``control_seq``
3 check                             pure; findings end it, a dry run ends here
4 above the contract's volume       the file waits for a second person (``ImportHeld``); it has no effect
5 load new rows, pending            small transactions, without the head's lock; a crash leaves rows without effect
6 ``schedule:apply``                one control entry under the head's lock; stale if anything changed since 2

When stale, 2 and 3 are done again, and 5 only if the outcome differs. Checks that depend on the clock hold as of 2: a session
that ends in between opens no window. An approved file goes the same way again; it must do what it would have done when it was
sent. A walk-in and a substitution are files of one row, written here from the session as it is (`by_hand`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta, tzinfo
from typing import Final

import msgspec

from ecluse.clock import wire_text
from ecluse.db import Connection, Pool
from ecluse.ids import is_id, new_id
from ecluse.ledger import LedgerStale
from ecluse.register import RegisterMap
from ecluse.schedule.by_hand import substitution_file, walk_in_file
from ecluse.schedule.cells import judge_cell
from ecluse.schedule.errors import (
    ApprovalOwn,
    ImportDisplaced,
    RequestsFull,
    RequestUnknown,
    ScheduleContended,
    ScheduleKindUnknown,
    ScheduleModeUnknown,
    SessionUnknown,
)
from ecluse.schedule.findings import Fault, ScheduleFindings, refuse_file
from ecluse.schedule.model import FILE_MODES, CheckedSchedule, Kind, Mode, ScheduleFile, SessionKey
from ecluse.schedule.parse import parse_schedule
from ecluse.schedule.pending import Approval, Loaded, apply_loaded, load_rows
from ecluse.schedule.reports import (
    Book,
    ImportApplied,
    ImportChecked,
    ImportHeld,
    ImportRefused,
    ImportReport,
    Request,
    Sender,
)
from ecluse.schedule.store import (
    hold_request,
    read_present,
    request_of,
    requests,
    session_in_effect,
    translated,
    withdraw_request,
)
from ecluse.schedule.terms import check_file

TRIES: Final = 5
REQUEST_LIFE: Final = timedelta(hours=72)
"""How long a file waits for a second person: a weekend."""
REQUESTS_MAX: Final = 20

_UNCONFIRMED: Final = Fault(
    "the snapshot has no rows, or cancels more than a tenth of the source's future places, and that number is not confirmed",
    "Look at what a dry run tells; if it is meant, confirm with the number of cancellations that it told.",
)
_OTHER_COUNT: Final = Fault(
    "the snapshot does not cancel as many places as were confirmed", "Make a dry run of this very file and look at it again."
)
_OTHER_PLAN: Final = Fault(
    "the schedule, a contract or an agent changed since the file was sent: it would not do the same now",
    "Send the file again, and have it approved anew.",
)


class _Job(msgspec.Struct, frozen=True, kw_only=True):
    """One file on its way.

    ``confirm``: the number of cancellations that was confirmed; ``plan``: what an approved file must do; ``written_at_seq``: a row by
    hand is only good for this ``control_seq``.
    """

    file: ScheduleFile
    content: bytes
    kind: Kind
    sender: Sender
    import_id: str
    confirm: int | None = None
    dry_run: bool = False
    approval: Approval | None = None
    plan: str | None = None
    written_at_seq: int | None = None


async def import_schedule(
    pool: Pool,
    *,
    file_bytes: bytes,
    kind: str,
    actor: str,
    dry_run: bool,
    register: RegisterMap,
    zone: tzinfo,
    mode: str = Mode.DELTA,
    confirm: int | None = None,
    source: str | None = None,
    log_id: int = 1,
    authorise: Callable[[Connection], Awaitable[None]] | None = None,
) -> ImportReport:
    """Import one file: all of it or nothing.

    ``pool``, ``register``, ``zone``, ``log_id``: as of `Book`; ``actor``, ``authorise``: as of `Sender`; ``confirm``: how many places a
    snapshot is known to cancel; ``source``: whose snapshot it is, which one without rows has to say.
    Raises `ScheduleKindUnknown`, `ScheduleModeUnknown`, `ScheduleContended`, `RequestsFull`, `ecluse.db.DatabaseUnavailable`
    (nothing is known to be applied: send it again, what was applied is then unchanged) and `ecluse.ledger.ClockUntrusted`.
    """
    if kind not in set(Kind):
        raise ScheduleKindUnknown
    if mode not in FILE_MODES or (mode != Mode.SNAPSHOT and (confirm, source) != (None, None)) or not _is_count(confirm):
        raise ScheduleModeUnknown
    # NOTE(why): a large file is read in a thread, or every decision of this process would wait for it.
    file = await asyncio.to_thread(parse_schedule, file_bytes, Kind(kind), source)
    if isinstance(file, ScheduleFindings):
        return ImportRefused(sha256=hashlib.sha256(file_bytes).hexdigest(), findings=file)
    job = _Job(
        file=msgspec.structs.replace(file, mode=Mode(mode)),
        content=file_bytes,
        kind=Kind(kind),
        sender=Sender(name=actor, authorise=authorise),
        import_id=new_id("imp"),
        confirm=confirm,
        dry_run=dry_run,
    )
    return await _import(Book(pool=pool, register=register, zone=zone, log_id=log_id), job)


def _is_count(confirm: int | None) -> bool:
    return confirm is None or 0 <= confirm < 2**31


async def walk_in(
    book: Book, sender: Sender, *, source: str, session_ref: str, place_ref: str, subject_ref: str, course_ref: str = ""
) -> ImportReport:
    """Add one place to a session whose window is open; the same place again changes nothing.

    Raises `SessionUnknown` and as `import_schedule`.
    """

    def written(row: Mapping[str, object]) -> bytes:
        return walk_in_file(row, source, session_ref, place_ref, subject_ref, course_ref)

    return await _by_hand(book, sender, Mode.WALK_IN, (source, session_ref), written)


async def substitute(book: Book, sender: Sender, *, source: str, session_ref: str, agents: Sequence[str]) -> ImportReport:
    """Replace the agents of a session now. Raises `SessionUnknown` and as `import_schedule`."""

    def written(row: Mapping[str, object]) -> bytes:
        return substitution_file(row, source, session_ref, agents)

    return await _by_hand(book, sender, Mode.SUBSTITUTION, (source, session_ref), written)


async def _by_hand(
    book: Book, sender: Sender, mode: Mode, session: SessionKey, written: Callable[[Mapping[str, object]], bytes]
) -> ImportReport:
    """Write a file of one row from the session as it is, and import it; after any other change it is written anew."""
    if judge_cell("source", session[0]) or judge_cell(
        "session_ref", session[1]
    ):  # no file can have named it so; PostgreSQL takes no zero byte
        raise SessionUnknown
    for _ in range(TRIES):
        with translated():
            async with book.pool.acquire() as connection:
                row = await session_in_effect(connection, book.log_id, *session)
        if row is None or row["place_ref"] is None:
            raise SessionUnknown
        content = written(dict(row))
        file = parse_schedule(content, Kind.JSON)
        if isinstance(file, ScheduleFindings):
            return ImportRefused(sha256=hashlib.sha256(content).hexdigest(), findings=file)
        job = _Job(
            file=msgspec.structs.replace(file, mode=mode),
            content=content,
            kind=Kind.JSON,
            sender=sender,
            import_id=new_id("imp"),
            written_at_seq=row["control_seq"],
        )
        try:
            return await _import(book, job)
        except _WrittenBefore:
            continue
    raise ScheduleContended(TRIES)


class _WrittenBefore(Exception):
    """Something changed since a row by hand was written: it might undo that. Never leaves this module."""


async def _import(book: Book, job: _Job) -> ImportReport:
    """Steps 2 to 6, again while other changes come between."""
    loaded: Loaded | None = None
    for _ in range(TRIES):
        try:
            with translated():
                async with book.pool.acquire() as connection:
                    present = await read_present(connection, book.log_id, job.file)
                    if job.sender.authorise is not None:
                        # after the read: who is stopped later makes the import stale, and is asked again
                        await job.sender.authorise(connection)
                    if job.written_at_seq not in {None, present.control_seq}:
                        raise _WrittenBefore
                    checked = await asyncio.to_thread(check_file, job.file, present, book.register, book.zone)
                    ended = _ended(job, checked)
                    if ended is not None:
                        return ended
                    if isinstance(checked, ScheduleFindings):
                        raise AssertionError("impossible: findings go on")  # noqa: TRY004 - a bug
                    if checked.excess.total and job.approval is None:
                        return await _hold(connection, job, checked)
                    if loaded is None or loaded.checked != checked:
                        actor = job.sender.name if job.approval is None else job.approval.requested_by
                        loaded = await load_rows(connection, job.file, checked, actor, job.import_id)
                    sealed = await apply_loaded(
                        connection, log_id=book.log_id, control_seq=present.control_seq, loaded=loaded, actor=job.sender.name,
                        approval=job.approval,
                    )  # fmt: skip
                    return ImportApplied(
                        import_id=job.import_id, sha256=checked.sha256, source=checked.source, counts=checked.counts,
                        warnings=checked.warnings, index=sealed.index, control_seq=sealed.control_seq,
                    )  # fmt: skip
        except LedgerStale:
            continue
        except ImportDisplaced:
            loaded = None
    raise ScheduleContended(TRIES)


def _ended(job: _Job, checked: CheckedSchedule | ScheduleFindings) -> ImportRefused | ImportChecked | None:
    """Return the report of a file that goes no further, or None."""
    findings = checked if isinstance(checked, ScheduleFindings) else None
    if isinstance(checked, CheckedSchedule):
        if job.plan is not None and plan_digest(checked) != job.plan:
            findings = refuse_file(1, None, _OTHER_PLAN)
        elif job.confirm is not None and job.confirm != checked.counts.places_cancelled:
            findings = refuse_file(1, None, _OTHER_COUNT)
        elif job.dry_run:
            return ImportChecked(
                sha256=checked.sha256, source=checked.source, counts=checked.counts, warnings=checked.warnings, excess=checked.excess,
                confirm=checked.counts.places_cancelled if checked.wants_confirmation else None,
            )  # fmt: skip
        elif job.confirm is None and checked.wants_confirmation:
            findings = refuse_file(1, None, _UNCONFIRMED)
    return None if findings is None else ImportRefused(sha256=job.file.sha256, findings=findings)


async def _hold(connection: Connection, job: _Job, checked: CheckedSchedule) -> ImportHeld:
    """Keep the file for a second person."""
    expires_at = await hold_request(
        connection, checked.source, REQUEST_LIFE, REQUESTS_MAX, id=job.import_id, sha256=checked.sha256, kind=job.kind.value,
        mode=checked.mode.value, confirm=job.confirm, content=job.content, row_count=len(job.file.rows),
        excess_count=checked.excess.total, plan=plan_digest(checked), actor=job.sender.name,
    )  # fmt: skip
    if expires_at is None:
        raise RequestsFull(REQUESTS_MAX)
    return ImportHeld(
        request=job.import_id, sha256=checked.sha256, source=checked.source, counts=checked.counts, warnings=checked.warnings,
        excess=checked.excess, expires_at=expires_at,
    )  # fmt: skip


def plan_digest(checked: CheckedSchedule) -> str:
    """Return the hex SHA-256 of what a file would do: an approval is for exactly this."""
    return hashlib.sha256(msgspec.json.encode(checked)).hexdigest()


async def waiting(connection: Connection) -> list[Request]:
    """Return the files that wait for a second person, oldest first."""
    with translated():
        rows = await requests(connection)
    return [
        Request(
            id=row["id"], source=row["source"], sha256=row["sha256"], mode=row["mode"], rows=row["row_count"],
            excess=row["excess_count"], requested_by=row["requested_by"], requested_at=row["requested_at"], expires_at=row["expires_at"],
        )
        for row in rows
    ]  # fmt: skip


async def approve(book: Book, sender: Sender, request: str) -> ImportReport:
    """Let a file that waits take effect, as its second person: it is checked again, and must do what it would have done when sent.

    Raises `RequestUnknown`, `ApprovalOwn` and as `import_schedule`.
    """
    with translated():
        async with book.pool.acquire() as connection:
            row = await request_of(connection, request) if is_id(request, "imp") else None
    if row is None or row["held"]:
        raise RequestUnknown
    if row["requested_by"] == sender.name:
        raise ApprovalOwn
    file = await asyncio.to_thread(parse_schedule, row["content"], Kind(row["kind"]), None)
    if isinstance(file, ScheduleFindings):
        raise AssertionError("impossible: what was read once can't be read")  # noqa: TRY004 - a bug
    job = _Job(
        file=msgspec.structs.replace(file, mode=Mode(row["mode"])),
        content=row["content"],
        kind=Kind(row["kind"]),
        sender=sender,
        import_id=row["id"],
        confirm=row["confirm"],
        plan=row["plan"],
        approval=Approval(
            request=row["id"],
            requested_by=row["requested_by"],
            requested_at=wire_text(row["requested_at"]),
            approver=sender.name,
        ),
    )
    return await _import(book, job)


async def withdraw(connection: Connection, request: str) -> None:
    """Take back a file that waits. Raises `RequestUnknown`."""
    with translated():
        if not await withdraw_request(connection, request):
            raise RequestUnknown
