"""What ``ecluse contract check`` says: errors that refuse the file, warnings that do not, and how the gate will stand.

Warnings are few and each asks for an act: a missing clause, a field given in full where a weaker form could do, a form that
answers nothing yet, ceilings that get in each other's way, data that leaves the EEA, proof that nobody asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

import msgspec

from ecluse.contracts.errors import ContractInvalid
from ecluse.contracts.gate import GateState, missing_clauses, worst_state
from ecluse.contracts.model import (
    FORMS_OF,
    HOUSE_CLAUSES,
    REQUIRED_CLAUSES,
    Contract,
    Finding,
    Form,
    Purpose,
)
from ecluse.contracts.parse import parse_contract
from ecluse.register.model import AttributeType
from ecluse.toml_lines import Path, TomlLines

NOTICE_HOURS: Final = 72
"""What the controller itself has for its notice to the authority, Art. 33(1) GDPR."""

EEA: Final = frozenset(
    [
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE"),
        *("IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"),
    ],
)
"""The European Economic Area: elsewhere Chapter V GDPR asks for a ground of transfer."""

_MARKED: Final = frozenset({AttributeType.DATE, AttributeType.EMAIL, AttributeType.PHONE, AttributeType.IDENTIFIER})
"""Types whose full value does harm on its own; a name in full is what a roll-call is for."""


class GateReport(msgspec.Struct, frozen=True, kw_only=True):
    """How the gate will stand from ``starts_on`` to ``ends_on`` once the contract is applied, evidence and holds aside."""

    state: GateState
    reasons: tuple[str, ...]
    starts_on: date
    ends_on: date
    evidence: tuple[str, ...]  # kinds that must be there and fresh besides


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong and what is unwise, by line; ``gate`` is null if there are errors."""

    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    gate: GateReport | None


def check_contract(text: str, attributes: Mapping[str, AttributeType]) -> CheckReport:
    """Explain a contract file without applying it; never raises for what the file says."""
    try:
        contract = parse_contract(text, attributes)
    except ContractInvalid as invalid:
        return CheckReport(errors=invalid.findings, warnings=(), gate=None)
    lines = TomlLines(text)
    warnings = [
        Finding(line=lines.line(path), where=where, why=why, mend=mend)
        for path, where, why, mend in _warnings(contract, attributes)
    ]
    frozen, warned = missing_clauses(contract)
    gate = GateReport(
        state=worst_state(frozen=frozen, warned=warned),
        reasons=frozen + warned,
        starts_on=contract.starts_on,
        ends_on=contract.ends_on,
        evidence=tuple(required.kind for required in contract.evidence_required),
    )
    return CheckReport(errors=(), warnings=tuple(sorted(warnings, key=lambda found: found.line)), gate=gate)


_Warning = tuple[Path, str, str, str]


def _warnings(contract: Contract, attributes: Mapping[str, AttributeType]) -> Iterator[_Warning]:
    """Go through the warnings: path, where, why, mend."""
    yield from _of_clauses(contract)
    yield from _of_parties(contract)
    yield from _of_limits(contract)
    for index, purpose in enumerate(contract.purposes.values()):
        yield from _of_forms(("purpose", index), purpose, attributes)
        yield from _of_capacity(("purpose", index), purpose, contract)


def _of_clauses(contract: Contract) -> Iterator[_Warning]:
    """Warn of each clause that is missing."""
    path = ("contract", "clauses")
    for clause in REQUIRED_CLAUSES:
        if clause not in contract.clauses:
            why = f"lacks {clause}: the gate is frozen until the clause is there"
            yield path, "contract.clauses", why, f"agree on the clause of Art. {clause[:2]}(3)({clause[-1]}) and add `{clause}`"
    for clause in HOUSE_CLAUSES:
        if clause not in contract.clauses:
            yield path, "contract.clauses", f"lacks {clause}: the gate warns", f"agree on the clause and add `{clause}`"


def _of_parties(contract: Contract) -> Iterator[_Warning]:
    """Warn of a late notice, of a transfer out of the EEA, and of a contract that asks for no proof."""
    if contract.breach_notice_hours > NOTICE_HOURS:
        why = f"is above the {NOTICE_HOURS} hours that the controller has itself (Art. 33(1))"
        yield ("contract", "breach_notice_hours"), "contract.breach_notice_hours", why, "agree on 24 or less"
    why, mend = "is outside the EEA", "note the ground of transfer (Chapter V), or keep the data in the EEA"
    if contract.processor.country not in EEA:
        yield ("processor", "country"), "processor.country", why, mend
    for index, sub in enumerate(contract.sub_processors):
        if sub.country not in EEA:
            yield ("sub_processor", index, "country"), f"sub_processor[{index}].country", why, mend
    if not contract.evidence_required:
        mend = "add [[evidence_required]] with a kind and a max_age"
        yield ("contract",), "evidence_required", "asks for no evidence, so none can lapse", mend


def _of_limits(contract: Contract) -> Iterator[_Warning]:
    """Warn of an hourly ceiling that never counts."""
    limits = contract.limits
    if limits.persons_per_client_per_hour > limits.persons_per_day:
        where = "limits.persons_per_client_per_hour"
        why = "is above persons_per_day, so it never counts"
        yield ("limits", "persons_per_client_per_hour"), where, why, "lower it to the persons that one hour needs"


def _of_forms(path: Path, purpose: Purpose, attributes: Mapping[str, AttributeType]) -> Iterator[_Warning]:
    """Warn of what is given in full without need, and of what answers nothing yet."""
    for table, forms in (("attributes", purpose.attributes), ("sheet", purpose.sheet)):
        for name, form in forms.items():
            where = f"purpose.{purpose.id}.{table}.{name}"
            if form is Form.RELAY:
                why = "is given as relay, which answers withheld as long as there are no relays"
                yield (*path, table, name), where, why, "keep it, and expect no value for now"
            elif form is Form.FULL and attributes[name] in _MARKED:
                weaker = ", ".join(other for other in FORMS_OF[attributes[name]] if other is not Form.FULL)
                yield (*path, table, name), where, "is given in full though weaker forms exist", f"consider {weaker}"


def _of_capacity(path: Path, purpose: Purpose, contract: Contract) -> Iterator[_Warning]:
    """Warn of a full session that the hourly and daily ceilings would cut short."""
    ceilings = {
        "persons_per_agent_per_hour": purpose.persons_per_agent_per_hour,
        "limits.persons_per_client_per_hour": contract.limits.persons_per_client_per_hour,
        "limits.persons_per_day": contract.limits.persons_per_day,
    }
    for name, ceiling in ceilings.items():
        if purpose.max_capacity > ceiling:
            why = f"is above {name} ({ceiling}): a full session would spend that budget before its end"
            yield (*path, "max_capacity"), f"purpose.{purpose.id}.max_capacity", why, f"lower it, or raise {name}"
