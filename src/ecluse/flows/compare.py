"""Declared against observed: one outcome for each flow, with its reason in words. Pure.

What was given is judged twice. By the version in force *at that instant*: beyond it (no contract, outside its days, purpose or attribute not named, a stronger
form, an entry that names another version) it is ``excessive``. By the version in force now: what was allowed then and is not any more is ``undeclared``.
What a contract names now is ``matched`` where it was seen in the period, ``dormant`` where it was seen before, ``unneeded`` where it never was, and
``too-early`` while the contract has named it for less than the period. A session at a site that the contract did not name, or of another country than the
processor's, is a ``place-mismatch``; a sub-processor that contract and the processor's own list do not name alike, a ``sub-processor-mismatch``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from ecluse.contracts import Contract, Form, is_weaker_or_equal
from ecluse.flows.declare import country_of, declared_now, forms_of
from ecluse.flows.model import Attempt, Compared, Coverage, Declared, FlowMap, Imported, Observation, Observed, Outcome, Version
from ecluse.register import AttributeType

_Key: TypeAlias = tuple[str, str, str, bool]
"""Processor, purpose, attribute, roll-call or not."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared. ``last_seen``: since ever; ``lists``: of each processor the id of its own list of sub-processors, and the country of each name."""

    at: datetime
    days: int
    zone: ZoneInfo
    kinds: Mapping[str, AttributeType]
    versions: Mapping[str, tuple[Version, ...]]
    observations: Sequence[Observation]
    observed: Observed
    last_seen: Mapping[_Key, datetime]
    attempts: tuple[Attempt, ...]
    imported: tuple[Imported, ...]
    lists: Mapping[str, tuple[str, Mapping[str, str]]]


def compare(facts: Facts) -> FlowMap:
    """Compare what is declared with what was observed."""
    declared = declared_now(facts.versions)
    now = {(flow.processor, flow.purpose, flow.attribute, flow.roll_call): flow for flow in declared}
    kept: dict[_Key, list[Observation]] = defaultdict(list)
    odd: dict[tuple[_Key, Outcome, str], list[Observation]] = defaultdict(list)
    for row in facts.observations:
        if row.attribute:
            key = (row.processor, row.purpose, row.attribute, row.roll_call)
            outcome, why = _judge(row, facts, now.get(key))
            if outcome is Outcome.MATCHED:
                kept[key].append(row)
            elif row.form != Form.WITHHELD:
                odd[key, outcome, why].append(row)
    people = _People(facts.observed)
    flows = [
        *(_odd(key, outcome, why, rows, people, now.get(key)) for (key, outcome, why), rows in odd.items()),
        *_places(facts, people),
        *_sub_processors(facts),
        *(_declared(key, flow, kept.get(key, []), people, facts) for key, flow in now.items()),
    ]
    order = list(Outcome)
    flows.sort(
        key=lambda flow: (order.index(flow.outcome), flow.processor, flow.purpose, flow.roll_call, flow.attribute, flow.why)
    )
    return FlowMap(
        at=facts.at, since=facts.observed.since, until=facts.observed.until, dormant_days=facts.days, flows=tuple(flows), attempts=facts.attempts,
        imported=facts.imported, coverage=_coverage(facts, declared, flows),
    )  # fmt: skip


class _People:
    """Distinct persons of the period, by what they were disclosed in."""

    def __init__(self, observed: Observed) -> None:
        """Index what was counted."""
        self._fields = {(one.processor, one.purpose, one.attribute): one for one in observed.fields}
        self._recipients = {(one.processor, one.purpose): one.persons for one in observed.recipients}

    def of(self, key: _Key, form: str | None = None) -> int:
        """Return the persons of an attribute, in one form or in any."""
        field = self._fields.get(key[:3])
        return 0 if field is None else field.persons if form is None else field.forms.get(form, 0)

    def at(self, processor: str, purpose: str) -> int:
        """Return the persons of a purpose."""
        return self._recipients.get((processor, purpose), 0)


def _judge(row: Observation, facts: Facts, now: Declared | None) -> tuple[Outcome, str]:
    """Judge what was given by the contract of that instant, then by the one of today."""
    version = next((one for one in facts.versions.get(row.processor, ()) if one.version == row.version), None)
    if version is None:
        return Outcome.EXCESSIVE, "no contract was in force"
    if row.other_version:
        return (
            Outcome.EXCESSIVE,
            f"the entry does not name version {row.version}, which was in force: it did not come through the gate",
        )
    if version.contract is None:
        return Outcome.UNDECLARED, f"version {row.version} can't be read with the register's present map"
    beyond = _beyond(row, version.contract, facts)
    if beyond is not None:
        return Outcome.EXCESSIVE, f"version {row.version}, in force then, {beyond}"
    if now is None:
        return Outcome.UNDECLARED, f"given under version {row.version}; the contract in force names it no more"
    if not _within(facts.kinds.get(row.attribute), row.form, now.form):
        return (
            Outcome.UNDECLARED,
            f"given as {row.form} under version {row.version}; the contract in force names it as {now.form}",
        )
    return Outcome.MATCHED, ""


def _beyond(row: Observation, contract: Contract, facts: Facts) -> str | None:
    """Say how a disclosure went beyond the contract of its instant; None where it did not."""
    days = (row.first_seen_at.astimezone(facts.zone).date(), row.last_seen_at.astimezone(facts.zone).date())
    if days[0] < contract.starts_on or days[1] > contract.ends_on:
        return f"ran from {contract.starts_on} to {contract.ends_on}"
    purpose = contract.purposes.get(row.purpose)
    if purpose is None:
        return "does not name the purpose"
    ceiling = forms_of(purpose, roll_call=row.roll_call).get(row.attribute)
    if ceiling is None:
        return "does not name the attribute" + (" for the roll-call" if row.roll_call else "")
    if not _within(facts.kinds.get(row.attribute), row.form, ceiling):
        return f"names it as {ceiling}, and it was given as {row.form}"
    return None


def _within(kind: AttributeType | None, form: str, ceiling: Form) -> bool:
    """Tell whether a form gives no more than the contract's; what is no form of the attribute gives more."""
    return kind is not None and form in set(Form) and is_weaker_or_equal(kind, Form(form), ceiling)


def _odd(key: _Key, outcome: Outcome, why: str, rows: Sequence[Observation], people: _People, now: Declared | None) -> Compared:
    """Write what was given otherwise than declared."""
    forms = tuple(sorted({row.form for row in rows}))
    return Compared(
        outcome=outcome, processor=key[0], purpose=key[1], attribute=key[2], roll_call=key[3], declared=None if now is None else now.form.value, seen=forms,
        site="", disclosures=sum(row.disclosures for row in rows), persons=people.of(key, forms[0] if len(forms) == 1 else None),
        last_seen_at=max(row.last_seen_at for row in rows), why=why,
    )  # fmt: skip


def _declared(key: _Key, flow: Declared, rows: Sequence[Observation], people: _People, facts: Facts) -> Compared:
    """Write what the contract names now."""
    seen_at = facts.last_seen.get(key)
    why = ""
    if rows:
        outcome = Outcome.MATCHED
    elif seen_at is not None:
        outcome, why = Outcome.DORMANT, f"not asked for in the last {facts.days} days"
    elif (since := _named_since(key, facts)) > facts.at - timedelta(days=facts.days):
        outcome, why = Outcome.NEW, f"the contract names it since {since.astimezone(facts.zone):%Y-%m-%d}, and nobody asked yet"
    else:
        outcome, why = Outcome.UNNEEDED, "never asked for"
    given = [row for row in rows if row.form != Form.WITHHELD]
    return Compared(
        outcome=outcome, processor=key[0], purpose=key[1], attribute=key[2], roll_call=key[3], declared=flow.form.value,
        seen=tuple(sorted({row.form for row in rows})), site="", disclosures=sum(row.disclosures for row in given), persons=people.of(key) if given else 0,
        last_seen_at=seen_at, why=why,
    )  # fmt: skip


def _named_since(key: _Key, facts: Facts) -> datetime:
    """Return since when the contract has named a flow without a break, not before its first day."""
    since = facts.at
    for version in reversed(facts.versions[key[0]]):
        purpose = version.contract.purposes.get(key[1]) if version.contract is not None else None
        form = forms_of(purpose, roll_call=key[3]).get(key[2]) if purpose is not None else None
        if form in {None, Form.WITHHELD}:
            break
        since = version.applied_at
    contract = facts.versions[key[0]][-1].contract
    if contract is None:
        return since
    return max(since, _midnight(contract.starts_on, facts.zone))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the beginning of a local day, as near as judging a month needs it."""
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _places(facts: Facts, people: _People) -> Iterator[Compared]:
    """Find disclosures at sites that the contract of their instant did not name, or that lie in another country than its processor."""
    found: dict[tuple[str, str, str, str], list[Observation]] = defaultdict(list)
    for row in facts.observations:
        if row.attribute or not row.site:
            continue
        contract = next((one.contract for one in facts.versions.get(row.processor, ()) if one.version == row.version), None)
        why = None if contract is None else _misplaced(contract, row.site, row.version)
        if why is not None:
            found[row.processor, row.purpose, row.site, why].append(row)
    for (processor, purpose, site, why), rows in found.items():
        yield Compared(
            outcome=Outcome.PLACE, processor=processor, purpose=purpose, attribute="", roll_call=False, declared=None, seen=(), site=site,
            disclosures=sum(row.disclosures for row in rows), persons=people.at(processor, purpose),
            last_seen_at=max(row.last_seen_at for row in rows), why=why,
        )  # fmt: skip


def _misplaced(contract: Contract, site: str, version: int) -> str | None:
    """Say what is wrong with a place, None where nothing is."""
    named = contract.sites.get(site)
    if named is None:
        return f"version {version}, in force then, does not name this site"
    country = country_of(named.timezone)
    if country is not None and country != contract.processor.country:
        return f"the site lies in {country} by its time zone, the processor in {contract.processor.country}"
    return None


def _sub_processors(facts: Facts) -> Iterator[Compared]:
    """Compare the contract's sub-processors with those of the processor's own newest list."""
    for processor, (document, listed) in sorted(facts.lists.items()):
        contract = next((one.contract for one in reversed(facts.versions.get(processor, ()))), None)
        if contract is None:
            continue
        ours = {_folded(sub.name): sub for sub in contract.sub_processors}
        theirs = {_folded(name): (name, country) for name, country in listed.items()}
        for name in sorted(ours.keys() | theirs.keys()):
            if name not in ours:
                why = f"{theirs[name][0]} is on the processor's own list ({document}), and not in the contract"
            elif name not in theirs:
                why = f"{ours[name].name} is in the contract, and not on the processor's own list ({document})"
            elif theirs[name][1] and theirs[name][1] != ours[name].country:
                why = f"{ours[name].name} is in {ours[name].country} by the contract, in {theirs[name][1]} by the processor's own list ({document})"
            else:
                continue
            yield Compared(
                outcome=Outcome.SUB_PROCESSOR, processor=processor, purpose="", attribute="", roll_call=False, declared=None, seen=(), site="",
                disclosures=0, persons=0, last_seen_at=None, why=why,
            )  # fmt: skip


def _folded(name: str) -> str:
    """Write a name so that its case and blanks do not matter."""
    return " ".join(name.casefold().split())


def _coverage(facts: Facts, declared: Sequence[Declared], flows: Sequence[Compared]) -> Coverage:
    """Say what all this rests on."""
    logs = facts.observed.logs
    return Coverage(
        declared=len(declared),
        seen=sum(flow.outcome is Outcome.MATCHED for flow in flows),
        disclosures=sum(one.disclosures for one in facts.observed.recipients),
        counted=sum(one.next_index for one in logs),
        entries=sum(one.size for one in logs),
        erased=sum(one.erased for one in logs),
        unreadable=sum(one.unreadable for one in logs),
        imported=len(facts.imported),
        unreadable_contracts=tuple(sorted(name for name, some in facts.versions.items() if some and some[-1].contract is None)),
    )
