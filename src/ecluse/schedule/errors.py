"""Errors of schedules.

ScheduleError
├── ScheduleModeNotOffered   a way to import that is not offered yet
├── ScheduleKindUnknown      a file that is neither CSV nor JSON
├── ScheduleContended        other changes kept coming in between; nothing was applied
└── ImportDisplaced          another import of the source took the place of this one: tried again, never shown
"""

from __future__ import annotations

from ecluse.errors import EcluseError


class ScheduleError(EcluseError):
    """The schedule could not be imported."""

    code = "schedule"


class ScheduleModeNotOffered(ScheduleError):
    """This way of importing a schedule is not offered yet; use `delta`."""

    code = "schedule-mode-not-offered"

    def __init__(self) -> None:
        """Name the one mode there is."""
        super().__init__("Only the mode `delta` is offered: name each cancelled place with the status `cancelled`.")


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
