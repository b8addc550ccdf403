"""The contract file that binds a processor: its meaning, its checks, its differences, and the gate as far as it alone decides.

It is not the gate of a disclosure: evidence, holds, windows and budgets come on top elsewhere. Everything here is pure.
"""

from __future__ import annotations

from ecluse.contracts.check import CheckReport, GateReport, check_contract
from ecluse.contracts.diff import Change, diff_contracts, duration_text
from ecluse.contracts.errors import ContractError, ContractInvalid
from ecluse.contracts.gate import FAR_FUTURE, FAR_PAST, Gate, GateState, gate_of
from ecluse.contracts.model import (
    FORMS_OF,
    Age,
    Assurance,
    Containment,
    ContainmentAction,
    Contract,
    EvidenceRequired,
    Finding,
    Form,
    Limits,
    Processor,
    Purpose,
    Site,
    SubProcessor,
    is_weaker_or_equal,
)
from ecluse.contracts.parse import contract_hash, parse_contract

__all__ = [
    "FAR_FUTURE",
    "FAR_PAST",
    "FORMS_OF",
    "Age",
    "Assurance",
    "Change",
    "CheckReport",
    "Containment",
    "ContainmentAction",
    "Contract",
    "ContractError",
    "ContractInvalid",
    "EvidenceRequired",
    "Finding",
    "Form",
    "Gate",
    "GateReport",
    "GateState",
    "Limits",
    "Processor",
    "Purpose",
    "Site",
    "SubProcessor",
    "check_contract",
    "contract_hash",
    "diff_contracts",
    "duration_text",
    "gate_of",
    "is_weaker_or_equal",
    "parse_contract",
]
