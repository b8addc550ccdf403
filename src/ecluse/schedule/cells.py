"""The cells of a schedule file, whatever its kind: what each may hold, and one row of them made into a ``WrittenPlace`` or problems."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ecluse.ids import is_id, is_name
from ecluse.schedule.findings import Fault, ProblemCollector
from ecluse.schedule.model import COLUMNS, PlaceStatus, WrittenPlace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CELL_CHARACTERS_MAX: Final = 200
AGENTS_MAX: Final = 20

_MAY_BE_EMPTY: Final = frozenset({"agents", "course_ref"})
_MOSTLY_UNIQUE: Final = frozenset({"place_ref", "subject_ref"})
_FORMULA: Final = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d))?)?",
    re.ASCII,
)

_EMPTY: Final = Fault("the cell is empty", "Fill it in.")
_TOO_LONG: Final = Fault("the cell is longer than 200 characters", "Shorten it.")
_CHARACTERS: Final = Fault(
    "the cell holds a control, invisible or invalid character", "Remove tabs, line ends, special spaces and invisible marks."
)
_SPACES: Final = Fault("the cell begins or ends with a space", "Remove the space.")
_FORMULA_CELL: Final = Fault("the cell begins like a formula", "Begin with another character than = + - @.")
_NAME: Final = Fault("this is not a name", "Use the name in the contract: a lower-case letter, then a-z, 0-9, _ or -.")
_STATUS: Final = Fault("the status is not known", "Write planned or cancelled.")
_TIME_SHAPE: Final = Fault(
    "this is not a time", "Write 2026-01-05T09:00 in the site's time, or with Z or an offset: 2026-01-05T08:00:00Z."
)
_AGENTS: Final = Fault("this is not a list of agents", "Write up to 20 agent ids (agt_...), each once, with one space between.")
_SOURCE: Final = Fault("the file carries another source as well", "Send one file for each source.")
_SOURCE_NAMED: Final = Fault("the row is not of the source that was named with the file", "Name the source that the rows carry.")


class RowReader:
    """Turns the cells of one row, in the order of ``COLUMNS``, into a ``WrittenPlace`` or problems; owned by one reading.

    ``source``: the one that was named with the file; None: that of the first row.
    """

    def __init__(self, source: str | None = None) -> None:
        """Begin with no rows."""
        self.rows: list[WrittenPlace] = []
        self.problems = ProblemCollector()
        # NOTE(why): most columns repeat; remembering the good cells judges each text once and keeps one copy of it.
        self._good: dict[str, dict[str, str]] = {column: {} for column in COLUMNS}
        self._agents: dict[str, tuple[str, ...]] = {"": ()}
        self._source, self._other_source = source, _SOURCE if source is None else _SOURCE_NAMED

    def read(self, row: int, cells: Sequence[str]) -> None:
        """Judge one row and keep it, or note its problems."""
        kept: list[str] = []
        for column, cell in zip(COLUMNS, cells, strict=True):
            good = self._good[column].get(cell)
            if good is None:
                fault = judge_cell(column, cell)
                if fault is not None:
                    self.problems.add(row, column, fault)
                    continue
                good = cell
                if column not in _MOSTLY_UNIQUE:
                    self._good[column][cell] = cell
            kept.append(good)
        if len(kept) == len(COLUMNS):
            self._keep(row, kept)

    def _keep(self, row: int, kept: list[str]) -> None:
        source, session, place, subject, purpose, processor, site, room, starts, ends, agents, status, course = kept
        if self._source is None:
            self._source = source
        elif source != self._source:
            self.problems.add(row, "source", self._other_source)
        if self.problems.found_any():
            self.rows.clear()  # the file is refused: what is only counted from here on takes no memory
            return
        if agents not in self._agents:
            self._agents[agents] = tuple(sorted(agents.split(" ")))
        self.rows.append(
            WrittenPlace(
                row=row,
                source=source,
                session_ref=session,
                place_ref=place,
                subject_ref=subject,
                purpose=purpose,
                processor=processor,
                site=site,
                room=room,
                starts_at=starts,
                ends_at=ends,
                agents=self._agents[agents],
                status=PlaceStatus.PLANNED if status == "planned" else PlaceStatus.CANCELLED,
                course_ref=course,
            ),
        )


def judge_cell(column: str, cell: str) -> Fault | None:
    """Say what is wrong with the text of one cell, or nothing."""
    if not cell:
        return None if column in _MAY_BE_EMPTY else _EMPTY
    if column != "agents" and len(cell) > CELL_CHARACTERS_MAX:
        return _TOO_LONG
    if not cell.isprintable():
        return _CHARACTERS
    if cell[0] == " " or cell[-1] == " ":
        return _SPACES
    fault, is_fine = _RULES[column]
    return None if is_fine(cell) else fault


def _is_agents(cell: str) -> bool:
    agents = cell.split(" ", AGENTS_MAX)
    return len(agents) <= AGENTS_MAX and len(set(agents)) == len(agents) and all(is_id(agent, "agt") for agent in agents)


def _is_time(cell: str) -> bool:
    return _TIME.fullmatch(cell) is not None


def _is_no_formula(cell: str) -> bool:
    return cell[0] not in _FORMULA


_RULES: Final[dict[str, tuple[Fault, Callable[[str], bool]]]] = {
    **dict.fromkeys(("source", "session_ref", "place_ref", "subject_ref", "room", "course_ref"), (_FORMULA_CELL, _is_no_formula)),
    **dict.fromkeys(("purpose", "processor", "site"), (_NAME, is_name)),
    **dict.fromkeys(("starts_at", "ends_at"), (_TIME_SHAPE, _is_time)),
    "agents": (_AGENTS, _is_agents),
    "status": (_STATUS, {status.value for status in PlaceStatus}.__contains__),
}
