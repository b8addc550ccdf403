"""What a paper can be refused for.

PaperError
├── NoContract      no contract was in force then
├── PaperTooEarly   an instant that has not come
├── Untypeset       the typesetter refused the paper
└── WorkbookInvalid a workbook can't be read, or a text does not fit into a cell
"""

from __future__ import annotations

from ecluse.errors import EcluseError


class PaperError(EcluseError):
    """A paper can't be written."""

    code = "paper"


class NoContract(PaperError):
    """The processor had no contract in force at that instant."""

    code = "paper-no-contract"

    def __init__(self, processor: str, day: str) -> None:
        """Carry the ``processor``'s id and the ``day`` that was asked for."""
        super().__init__(f"{processor} had no contract in force on {day}. `ecluse contract list` shows those in force")
        self.processor = processor


class PaperTooEarly(PaperError):
    """A paper says what was so; that day has not come."""

    code = "paper-too-early"

    def __init__(self, day: str) -> None:
        """Carry the ``day``."""
        super().__init__(f"{day} has not come. Name a day up to today with --at, or leave it out for now")


class Untypeset(PaperError):
    """The typesetter refused the paper, so nothing was written."""

    code = "paper-untypeset"


class WorkbookInvalid(PaperError):
    """The workbook is refused: the cell, why, and the mend. Nothing of a cell's text is repeated."""

    code = "paper-workbook-invalid"

    def __init__(self, where: str, why: str, mend: str) -> None:
        """Say ``where`` (sheet, row, column), ``why`` and the ``mend``."""
        super().__init__(f"{where}: {why}. {mend}")
        self.where, self.why, self.mend = where, why, mend
