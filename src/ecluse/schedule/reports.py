"""What goes into a change of the schedule and what comes out: who sends it, where it is kept, what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, tzinfo
from typing import TypeAlias

import msgspec

from ecluse.db import Connection, Pool
from ecluse.register import RegisterMap
from ecluse.schedule.findings import ScheduleFindings
from ecluse.schedule.model import ScheduleCounts


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes the schedule. ``name``: as the entry shall say.

    ``authorise``: raises unless the sender may do so now; asked under the very state that the change is sealed under.
    """

    name: str
    authorise: Callable[[Connection], Awaitable[None]] | None = None


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """Where the schedule is kept. ``pool``: role ``ecluse_app``; ``zone``: the controller's."""

    pool: Pool
    register: RegisterMap
    zone: tzinfo
    log_id: int = 1


class ImportRefused(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was applied: the file has problems."""

    sha256: str
    findings: ScheduleFindings


class ImportChecked(msgspec.Struct, frozen=True, kw_only=True):
    """A dry run: what applying the file would change; nothing was applied.

    ``confirm``: the number to confirm a snapshot with, if it wants one; ``excess``: rows that a second person would have to approve.
    """

    sha256: str
    source: str
    counts: ScheduleCounts
    warnings: ScheduleFindings
    excess: ScheduleFindings
    confirm: int | None


class ImportHeld(msgspec.Struct, frozen=True, kw_only=True):
    """The file is above the contract's volume and waits for a second person until ``expires_at``; nothing was applied."""

    request: str
    sha256: str
    source: str
    counts: ScheduleCounts
    warnings: ScheduleFindings
    excess: ScheduleFindings
    expires_at: datetime


class ImportApplied(msgspec.Struct, frozen=True, kw_only=True):
    """All of it was applied and sealed; ``index``: its control entry in the log."""

    import_id: str
    sha256: str
    source: str
    counts: ScheduleCounts
    warnings: ScheduleFindings
    index: int
    control_seq: int


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A file that waits for a second person; ``excess``: how many of its rows are above the contract's volume."""

    id: str
    source: str
    sha256: str
    mode: str
    rows: int
    excess: int
    requested_by: str
    requested_at: datetime
    expires_at: datetime


ImportReport: TypeAlias = ImportRefused | ImportChecked | ImportHeld | ImportApplied
