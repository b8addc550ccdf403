"""What the contracts capability raises.

ContractError
├── ContractInvalid    the file can't be a contract: all findings, in the order of their lines
├── ProcessorUnknown   no processor is registered under that id
├── NameTaken          the id is in use
├── AgentUnknown       no such agent
└── HoldUnknown        no such hold is in force, or nothing to hold under that id
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecluse.errors import EcluseError

if TYPE_CHECKING:
    from ecluse.contracts.model import Finding


class ContractError(EcluseError):
    """Something about a contract was refused."""

    code = "contract"


class ContractInvalid(ContractError):
    """The contract file has errors and was not accepted."""

    code = "contract-invalid"

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        """Carry the ``findings``, at least one; the message repeats their lines and places, never a value of the file."""
        super().__init__("\n".join(f"line {found.line}: {found.where}: {found.why}. {found.mend}." for found in findings))
        self.findings = findings


class ProcessorUnknown(ContractError):
    """No processor is registered under this id; add it first with `ecluse processor add`."""

    code = "processor-unknown"

    def __init__(self, processor: str) -> None:
        """Carry the ``processor``'s id as it was given."""
        super().__init__(f"no processor {processor!r} is registered. Add it with: ecluse processor add")
        self.processor = processor


class NameTaken(ContractError):
    """The id is in use."""

    code = "name-taken"

    def __init__(self, name: str) -> None:
        """Carry the ``name``."""
        super().__init__(f"the id {name!r} is in use. Choose another")
        self.name = name


class AgentUnknown(ContractError):
    """No such agent is registered."""

    code = "agent-unknown"


class HoldUnknown(ContractError):
    """No such hold is in force, or there is nothing to hold under that id."""

    code = "hold-unknown"
