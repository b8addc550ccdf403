"""Errors of schedules.

ScheduleError
├── ScheduleModeUnknown      a way to read a file that there is not, or what belongs to another one
├── SessionUnknown           no session of this name is in effect
├── RequestUnknown           no file waits for approval under this id
├── ApprovalOwn              who sent a file wants to approve it
├── RequestsFull             too many files wait for approval
├── ScheduleKindUnknown      a file that is neither CSV nor JSON
├── ScheduleContended        other changes kept coming in between; nothing was applied
└── ImportDisplaced          another import of the source took the place of this one: tried again, never shown
"""

from __future__ import annotations

from ecluse.errors import EcluseError


class ScheduleError(EcluseError):
    """The schedule could not be imported."""

    code = "schedule"


class ScheduleModeUnknown(ScheduleError):
    """A file is read as `delta` or as `snapshot`; only a snapshot names a number of cancellations."""

    code = "schedule-mode-unknown"

    def __init__(self) -> None:
        """Name the modes."""
        super().__init__(
            "The mode is `delta` or `snapshot`; `confirm` and `source` go with `snapshot` only, and `confirm` is a count."
        )


class SessionUnknown(ScheduleError):
    """No session of this source and reference is in effect."""

    code = "schedule-session-unknown"

    def __init__(self) -> None:
        """Say what to look at."""
        super().__init__("No session of this source and reference is in effect. Name both as the schedule's file does.")


class RequestUnknown(ScheduleError):
    """No file waits for approval under this id: it was approved, withdrawn or replaced, it expired, or its sender was suspended."""

    code = "schedule-request-unknown"

    def __init__(self) -> None:
        """Say what may have become of it."""
        super().__init__(
            "No file waits for approval under this id: it was approved, withdrawn or replaced, it expired, or its sender was suspended."
        )


class ApprovalOwn(ScheduleError):
    """Who sent a file can't approve it."""

    code = "schedule-approval-own"

    def __init__(self) -> None:
        """Say who may."""
        super().__init__("Who sent a file can't approve it. Another person or scheduler has to.")


class RequestsFull(ScheduleError):
    """Too many files wait for approval."""

    code = "schedule-requests-full"

    def __init__(self, most: int) -> None:
        """Say how many may wait."""
        super().__init__(f"{most} files wait for approval already. Approve or withdraw some of them.")


class ScheduleKindUnknown(ScheduleError):
    """A schedule is a CSV or a JSON file."""

    code = "schedule-kind-unknown"

    def __init__(self) -> None:
        """Name the two kinds."""
        super().__init__("A schedule is of the kind `csv` or `json`.")


class ScheduleContended(ScheduleError):
    """Other changes kept coming in between; nothing was applied, try again."""

    code = "schedule-contended"

    def __init__(self, tries: int) -> None:
        """Say how often it was tried."""
        super().__init__(f"Nothing was applied: the present state changed during each of {tries} tries. Try again.")
        self.tries = tries


class ImportDisplaced(ScheduleError):
    """Another import of the same source took the place of this one; nothing was applied, try again."""

    code = "schedule-import-displaced"
