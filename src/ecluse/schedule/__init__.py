"""Schedules: which subject is due when, where and with whom; files of places in, sessions and appointments out.

Only the controller schedules. A file is read (``parse_schedule``), checked whole against contracts and the present state
(``check_places``) and applied whole or not at all. Nothing here discloses anything: a place only opens a window. What stands
here is pure; the database has a door of its own, so that rules load no driver: ``schedule.service`` (``import_schedule``,
``walk_in``, ``substitute``, ``approve``).
"""

from __future__ import annotations

from ecluse.schedule.check import check_places
from ecluse.schedule.errors import (
    ApprovalOwn,
    RequestsFull,
    RequestUnknown,
    ScheduleContended,
    ScheduleError,
    ScheduleKindUnknown,
    ScheduleModeUnknown,
    SessionUnknown,
)
from ecluse.schedule.findings import RowProblem, ScheduleFindings
from ecluse.schedule.model import CheckedSchedule, Kind, Mode, Place, ScheduleContext, ScheduleCounts, ScheduleFile
from ecluse.schedule.parse import parse_schedule

__all__ = [
    "ApprovalOwn",
    "CheckedSchedule",
    "Kind",
    "Mode",
    "Place",
    "RequestUnknown",
    "RequestsFull",
    "RowProblem",
    "ScheduleContended",
    "ScheduleContext",
    "ScheduleCounts",
    "ScheduleError",
    "ScheduleFile",
    "ScheduleFindings",
    "ScheduleKindUnknown",
    "ScheduleModeUnknown",
    "SessionUnknown",
    "check_places",
    "parse_schedule",
]
