"""From contracts as applied and the state as read to what a file is checked against."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from ecluse.contracts import Contract, ContractInvalid, parse_contract
from ecluse.register import RegisterMap, SubjectRefInvalid, parse_subject_ref
from ecluse.sandbox import PROCESSORS as SANDBOX
from ecluse.sandbox import SYSTEM as SANDBOX_SYSTEM
from ecluse.schedule.check import check_places
from ecluse.schedule.findings import Fault, ScheduleFindings, refuse_file
from ecluse.schedule.model import CheckedSchedule, ContractFacts, Mode, PurposeFacts, ScheduleContext, ScheduleFile, SiteFacts
from ecluse.schedule.store import Present

_TOO_EARLY: Final = Fault(
    "the window of this session is not open yet: a walk-in is for now",
    "Plan the place with a file, or add it when the window opens.",
)


def check_file(file: ScheduleFile, present: Present, register: RegisterMap, zone: tzinfo) -> CheckedSchedule | ScheduleFindings:
    """Check a file against the present state and the contracts in force; ``zone``: the controller's."""
    attributes = {name: attribute.type for name, attribute in register.attributes.items()}
    contracts: dict[str, ContractFacts] = {}
    for processor, text in present.contracts.items():
        if (processor in SANDBOX) != (register.id == SANDBOX_SYSTEM):
            continue  # invented people and real ones are never due at the same processor
        try:
            contracts[processor] = contract_facts(parse_contract(text, attributes))
        except ContractInvalid:
            # NOTE(why): applied by another version, or the register's map changed: nothing may be planned on what can't be read.
            continue
    context = ScheduleContext(
        now=present.at,
        controller_zone=zone,
        contracts=contracts,
        agents=present.agents,
        is_subject_ref=_subject_ref_rule(register),
        sessions=present.sessions,
    )
    checked = check_places(file, context)
    return _too_early(checked, context) or checked if file.mode is Mode.WALK_IN else checked


def _too_early(checked: CheckedSchedule | ScheduleFindings, context: ScheduleContext) -> ScheduleFindings | None:
    """Refuse a walk-in before the window of its session is open: what is ahead is planned by a file."""
    if isinstance(checked, ScheduleFindings):
        return None
    for plan in checked.sessions_unchanged:
        opens_before = context.contracts[plan.facts.processor].purposes[plan.facts.purpose].opens_before if plan.new else None
        if opens_before is not None and context.now < plan.facts.starts_at - opens_before:
            return refuse_file(1, None, _TOO_EARLY)
    return None


def contract_facts(contract: Contract) -> ContractFacts:
    """Take from a contract what bounds a schedule."""
    return ContractFacts(
        purposes={
            purpose.id: PurposeFacts(
                max_capacity=purpose.max_capacity, opens_before=purpose.opens_before, closes_after=purpose.closes_after
            )
            for purpose in contract.purposes.values()
        },
        sites={
            site.id: SiteFacts(timezone=ZoneInfo(site.timezone), rooms=site.rooms, max_sessions_per_day=site.max_sessions_per_day)
            for site in contract.sites.values()
        },
        persons_per_day=contract.limits.persons_per_day,
        persons_per_month=contract.limits.persons_per_month,
        starts_on=contract.starts_on,
        ends_on=contract.ends_on,
    )


def _subject_ref_rule(register: RegisterMap) -> Callable[[str], bool]:
    def is_subject_ref(text: str) -> bool:
        try:
            parse_subject_ref(text, register)
        except SubjectRefInvalid:
            return False
        return True

    return is_subject_ref
