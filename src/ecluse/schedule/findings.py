"""What is wrong with a schedule file, row by row.

A file may hold personal data anywhere, a header line included, so a finding names a row, a column of our own vocabulary,
why it is refused and the mend; never a value of the file.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

REPORTED_MAX: Final = 1_000
"""Problems listed in one report; the rest is only counted."""


class Fault(NamedTuple):
    """Why something is refused, and the mend: constant sentences."""

    why: str
    mend: str


class RowProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One problem: ``row`` is the line of a CSV file, or the place in ``rows`` of a JSON file, both counted from 1."""

    row: int
    column: str | None
    why: str
    mend: str


class ScheduleFindings(msgspec.Struct, frozen=True, kw_only=True):
    """The report of a refused file: the listed problems by row, and how many there are in all."""

    problems: tuple[RowProblem, ...]
    total: int

    @property
    def truncated(self) -> bool:
        """Tell whether there are more problems than are listed."""
        return self.total > len(self.problems)


class ProblemCollector:
    """Collects problems while a file is read; keeps the first ones found and counts all."""

    __slots__ = ("_kept", "total")

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: list[RowProblem] = []
        self.total = 0

    def add(self, row: int, column: str | None, fault: Fault) -> None:
        """Note one problem."""
        self.total += 1
        if len(self._kept) < REPORTED_MAX:
            self._kept.append(RowProblem(row=row, column=column, why=fault.why, mend=fault.mend))

    def found_any(self) -> bool:
        """Tell whether there is a problem."""
        return self.total > 0

    def findings(self) -> ScheduleFindings:
        """Return the report, ordered by row."""
        return ScheduleFindings(problems=tuple(sorted(self._kept, key=lambda problem: problem.row)), total=self.total)


def refuse_file(row: int, column: str | None, fault: Fault) -> ScheduleFindings:
    """Return the report of a file with one problem that stops the reading."""
    collector = ProblemCollector()
    collector.add(row, column, fault)
    return collector.findings()
