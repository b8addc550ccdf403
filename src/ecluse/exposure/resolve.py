"""What a holder could obtain, from a processor's terms and the groups of persons whom its schedule leaves open. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from ecluse.contracts import Assurance, Contract, Form
from ecluse.exposure.bound import Ceilings, most_at_all, most_persons
from ecluse.exposure.model import HOUR_SECONDS, Attribute, Binding, Count, Group, Holder, Member, Party, Reach, Scope, Span

_UNBOUND: Final = 1 << 40
_MICROSECOND: Final = timedelta(microseconds=1)
_NONE: Final = Count(most=0, exact=True)


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which one purpose of a processor is open under one version of its contract; what the look into the schedule is cut with."""

    processor: str
    purpose: str
    begins: datetime
    ends: datetime
    opens_before: timedelta
    closes_after: timedelta
    reads: int


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The ceilings of a holder, as `Ceilings`: ``high`` counts who is stopped for a part of the window, ``low`` does not."""

    high: Ceilings
    low: Ceilings


def pieces_of(party: Party) -> list[Piece]:
    """Return the times in which each purpose of a processor is open."""
    return [
        Piece(
            processor=party.id, purpose=purpose.id, begins=span.begins, ends=span.ends, opens_before=purpose.opens_before,
            closes_after=purpose.closes_after, reads=purpose.reads_per_appointment,
        )
        for span, contract in party.open
        for purpose in contract.purposes.values()
    ]  # fmt: skip


def resolve(
    party: Party, holder: Holder, window: Span, groups: Sequence[Group], sensitivity: Mapping[str, str], now: datetime
) -> Reach:
    """Say what ``holder`` could obtain of ``party`` in ``window``. ``sensitivity``: of each attribute of the register; ``now``: the database's clock.

    Of a window that began before ``now`` nothing is exact: the schedule of then is known as it stands now.
    """
    limits, scheduled = limits_of(party, holder, window, now), sum(group.persons for group in groups)
    if limits is None or not groups:
        nobody = Binding.NOBODY if limits is None and party.open else Binding.SCHEDULE if party.open else _shut(party)
        return Reach(
            holder=holder, window=window, persons=_NONE, scheduled=scheduled, attributes=(), values=0, binding=nobody, until=None
        )
    counts: dict[frozenset[int], Count] = {}

    def count(some: frozenset[int]) -> Count:
        if some not in counts:
            found = most_persons([groups[at] for at in sorted(some)], limits.high, limits.low)
            counts[some] = Count(most=found.most, exact=found.exact and window.begins >= now)
        return counts[some]

    everyone = frozenset(range(len(groups)))
    attributes = tuple(
        Attribute(
            name=name, forms=_ordered(forms), sensitivity=sensitivity.get(name, "ordinary"),
            persons=count(frozenset(at for at, group in enumerate(groups) if not group.purposes.isdisjoint(forms))),
        )
        for name, forms in attributes_of(contract for _, contract in party.open).items()
    )  # fmt: skip
    persons = count(everyone)
    return Reach(
        holder=holder, window=window, persons=persons, scheduled=scheduled,
        attributes=tuple(one for one in attributes if one.persons.most),
        values=sum(one.persons.most for one in attributes),
        binding=Binding.SCHEDULE if persons.most == scheduled else _binding(groups, limits.high, persons.most),
        until=max(group.closes_at for group in groups),
    )  # fmt: skip


def at_will(party: Party, holder: Holder, window: Span, scheduled: int, sensitivity: Mapping[str, str], now: datetime) -> Reach:
    """Say what the controller's own scheduling key could obtain together with all of a processor: whom it schedules is its choice, how many is not.

    At most what the budgets let out, spent or not: whoever was disclosed already may be placed again. Sites and capacity bound how many are placed at one time,
    not how many one after the other, for a place that is called off makes room for the next. ``scheduled``: persons who are placed now.
    """
    limits = limits_of(party, holder, window, now)
    if limits is None:
        return resolve(party, holder, window, (), sensitivity, now)
    ceilings = msgspec.structs.replace(limits.high, now=None, spent_hour=0, spent_agents={}, spent_day=0, spent_month=0)
    crowd = [
        Group(
            purpose="", purposes=frozenset(), first=_hour(span.begins), last=(last := _hour(span.ends - _MICROSECOND)), latest=last, counted=False,
            counted_month=False, doubtful=False, persons=_UNBOUND, closes_at=span.ends,
        )
        for span, _ in party.open
    ]  # fmt: skip
    persons = Count(most=most_at_all(crowd, ceilings), exact=False)
    attributes = tuple(
        Attribute(name=name, forms=_ordered(forms), sensitivity=sensitivity.get(name, "ordinary"), persons=persons)
        for name, forms in attributes_of(contract for _, contract in party.open).items()
    )
    return Reach(
        holder=holder, window=window, persons=persons, scheduled=scheduled, attributes=attributes, values=persons.most * len(attributes),
        binding=_binding(crowd, ceilings, persons.most), until=max(span.ends for span, _ in party.open),
    )  # fmt: skip


def _hour(at: datetime) -> int:
    """Return the number of an instant's clock hour since 1970."""
    return int(at.timestamp()) // HOUR_SECONDS


def _ordered(forms: Mapping[str, Form]) -> tuple[Form, ...]:
    """Return the forms by purpose as a set, the strongest first."""
    return tuple(sorted(set(forms.values()), key=list(Form).index))


def _shut(party: Party) -> Binding:
    """Say what shuts out a processor that is open at no instant of the window."""
    return Binding.GATE if party.closed else Binding.HOLD


def _binding(groups: Sequence[Group], ceilings: Ceilings, most: int) -> Binding:
    """Name the first ceiling whose absence would let the number rise; where several have to go together, the first of them."""
    freed = (
        (Binding.HOUR, {"hour": _UNBOUND, "spent_hour": 0}),
        (Binding.AGENT_HOUR, {"agents": dict.fromkeys(ceilings.agents, _UNBOUND), "spent_agents": {}}),
        (Binding.DAY, {"day": _UNBOUND, "spent_day": 0}),
        (Binding.MONTH, {"month": _UNBOUND, "spent_month": 0}),
    )
    for binding, without in freed:
        if most_at_all(groups, msgspec.structs.replace(ceilings, **without)) > most:
            return binding
    for binding, without in freed:
        ceilings = msgspec.structs.replace(ceilings, **without)
        if most_at_all(groups, ceilings) > most:
            return binding
    return Binding.SCHEDULE


def attributes_of(contracts: Iterable[Contract]) -> dict[str, dict[str, Form]]:
    """Return each attribute that is given, and by which purpose in which form. What is on a roll-call is on the purpose too, in a form at least as strong."""
    found: dict[str, dict[str, Form]] = {}
    for contract in contracts:
        for purpose in contract.purposes.values():
            for name, form in purpose.attributes.items():
                if form is not Form.WITHHELD:
                    found.setdefault(name, {})[purpose.id] = form
    return found


def limits_of(party: Party, holder: Holder, window: Span, now: datetime) -> Limits | None:
    """Return the ceilings that a holder meets; None where its credentials let nobody in for all of the window.

    Contracts of a window differ only if one was replaced in it: then the highest ceilings count, and the lowest.
    """
    clients = [one for one in party.clients if holder.scope is not Scope.CLIENT or one.id == holder.id]
    agents = [one for one in party.agents if holder.scope is not Scope.AGENT or one.id == holder.id]
    contracts = [contract for _, contract in party.open]
    # only who is signed in at a desk is served: a machine's key alone is worth nothing
    desk_only = [one.limits.agent_assurance is Assurance.AUTHENTICATED for one in contracts]
    if all(desk_only):
        clients = [one for one in clients if one.desk]
    some_clients, some_agents = ([one for one in members if not _wholly(one, window)] for members in (clients, agents))
    if not some_clients or not some_agents or not contracts:
        return None
    # what a desk serves depends on more than keys that the database knows (a passkey, a browser): it raises the bound, and makes nothing certain
    sure_clients, sure_agents = ([one for one in members if not one.stopped and not one.desk] for members in (clients, agents))
    if holder.scope is Scope.AGENT:  # how much of the hour one person has used is nobody's to read: the number is then a bound
        some_agents = [msgspec.structs.replace(one, spent={}) for one in some_agents]
    high = [_ceilings(contract, some_clients, some_agents, party, window, now) for contract in contracts]
    low = [_ceilings(contract, [] if any(desk_only) else sure_clients, sure_agents, party, window, now) for contract in contracts]
    return Limits(high=_merged(high, max, min), low=_merged(low, min, max))


def _wholly(member: Member, window: Span) -> bool:
    """Tell whether holds leave nothing of a window."""
    at = window.begins
    for span in sorted(member.stopped):
        if span.begins > at:
            return False
        at = max(at, span.ends)
    return at >= window.ends


def _ceilings(
    contract: Contract, clients: Sequence[Member], agents: Sequence[Member], party: Party, window: Span, now: datetime
) -> Ceilings:
    """Add up the ceilings of these clients and agents under one contract. What is spent was spent before a window that begins now or later, no other."""
    limit, purposes = contract.limits.persons_per_client_per_hour, contract.purposes.values()
    ceilings = Ceilings(
        hour=limit * len(clients),
        agents={purpose.id: purpose.persons_per_agent_per_hour * len(agents) for purpose in purposes},
        day=contract.limits.persons_per_day,
        month=contract.limits.persons_per_month,
    )
    if window.begins < now:
        return ceilings
    return msgspec.structs.replace(
        ceilings, now=_hour(now), spent_day=min(party.spent_day, ceilings.day), spent_month=min(party.spent_month, ceilings.month),
        spent_hour=sum(min(limit, one.spent.get("", 0)) for one in clients),
        spent_agents={
            purpose.id: sum(min(purpose.persons_per_agent_per_hour, one.spent.get(purpose.id, 0)) for one in agents) for purpose in purposes
        },
    )  # fmt: skip


def _merged(some: Sequence[Ceilings], choose: Callable[[Iterable[int]], int], spent: Callable[[Iterable[int]], int]) -> Ceilings:
    """Take each ceiling of several contracts, as ``choose`` says, and of what is spent as ``spent`` says."""
    names = sorted({name for one in some for name in one.agents})
    return Ceilings(
        hour=choose(one.hour for one in some), agents={name: choose(one.agents.get(name, 0) for one in some) for name in names},
        day=choose(one.day for one in some), month=choose(one.month for one in some), now=some[0].now,
        spent_hour=spent(one.spent_hour for one in some), spent_agents={name: spent(one.spent_agents.get(name, 0) for one in some) for name in names},
        spent_day=spent(one.spent_day for one in some), spent_month=spent(one.spent_month for one in some),
    )  # fmt: skip
