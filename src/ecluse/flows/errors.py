"""Errors of flows.

FlowError
├── ImportRefused        a row of an import is not as docs/flows.md says
├── NoContract           the processor has no contract in force that can be read
└── NotRewritable        the contract's text is written so that its forms can't be changed line by line
"""

from __future__ import annotations

from ecluse.errors import EcluseError


class FlowError(EcluseError):
    """Flows can't do what was asked."""

    code = "flows"


class ImportRefused(FlowError):
    """The import is not as docs/flows.md says; nothing of it was kept."""

    code = "flow-import-refused"

    def __init__(self, line: int, why: str, mend: str) -> None:
        """Say on which ``line`` of the file (from 1), ``why``, and the ``mend``."""
        super().__init__(f"line {line}: {why}. {mend}")
        self.line = line


class NoContract(FlowError):
    """The processor has no contract in force that can be read."""

    code = "no-contract"


class NotRewritable(FlowError):
    """The contract's text is written so that its forms can't be changed line by line."""

    code = "contract-not-rewritable"

    def __init__(self, where: str) -> None:
        """Say which key is written otherwise."""
        super().__init__(f'{where} is not written as one line `name = "form"`')
