"""The contract file that binds a processor: its meaning, its checks, its differences, and its gate, which evidence, findings and overrides move.

Holds, windows and budgets come on top elsewhere. Everything exported here is pure.
"""

from __future__ import annotations

from ecluse.contracts.check import CheckReport, GateReport, check_contract
from ecluse.contracts.diff import Change, diff_contracts, duration_text
from ecluse.contracts.errors import ContractError, ContractInvalid
from ecluse.contracts.gate import FAR_FUTURE, FAR_PAST, Gate, Gatekeeper, GateState, gate_of
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
from ecluse.contracts.standing import NOTHING, AuditFinding, Document, EvidenceKind, Override, Severity, Standing

__all__ = [
    "FAR_FUTURE",
    "FAR_PAST",
    "FORMS_OF",
    "NOTHING",
    "Age",
    "Assurance",
    "AuditFinding",
    "Change",
    "CheckReport",
    "Containment",
    "ContainmentAction",
    "Contract",
    "ContractError",
    "ContractInvalid",
    "Document",
    "EvidenceKind",
    "EvidenceRequired",
    "Finding",
    "Form",
    "Gate",
    "GateReport",
    "GateState",
    "Gatekeeper",
    "Limits",
    "Override",
    "Processor",
    "Purpose",
    "Severity",
    "Site",
    "Standing",
    "SubProcessor",
    "check_contract",
    "contract_hash",
    "diff_contracts",
    "duration_text",
    "gate_of",
    "is_weaker_or_equal",
    "parse_contract",
]
