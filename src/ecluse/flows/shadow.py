"""A contract tried on the past: each decision that was sealed is made again under another contract, in its order, at its own instant. Pure.

The rules are those of the gate: `ecluse.policy.decide`, with the gate that the new contract would have had then (its clauses, the evidence and findings of that
instant), and its budgets, which fill up again from nothing. The contract's own first and last day are not applied: it is tried as if it had been in force.

What no contract decides is taken from the entry: who asked was suspended, nobody's handle, a person under a hold, a register that was gone. What is left out is
told: places that were moved or reinstated since (their window of then is not known any more), places and entries that were erased, refusals only counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from ecluse.contracts import Assurance, Contract, Form, Gatekeeper, Standing
from ecluse.flows.declare import forms_of
from ecluse.policy import Ask, Granted, Hold, Parties, Place, Reason, Refused, Terms, Undetermined, budgets_of, decide

OF_NO_CONTRACT: Final = (
    "parties:",
    "agent:",
    "witnesses:",
    "handle:",
    "person:",
    "place:",
    "register:",
    "idempotency:",
    "redelivery:",
)
"""Beginnings of the reasons that stay, whatever the contract says."""
_NOBODY_STOPS: Final = Parties(agent_known=True, key_in_use=True, holds=())


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One decision as it was sealed. ``forms``: what a grant gave, None for a refusal; ``place``: None where it was erased or never was this processor's.

    ``site``: of the session; ``moved``: the place is not any more what it was then.
    """

    log_id: int
    index: int
    at: datetime
    disclosure: str
    roll_call: bool
    client: str
    agent: str
    assurance: Assurance
    appointment: str
    purpose: str
    asked: tuple[str, ...]
    forms: Mapping[str, str] | None
    reasons: tuple[str, ...]
    place: Place | None
    site: str
    moved: bool


class PlannedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session of the schedule with its planned places."""

    id: str
    purpose: str
    site: str
    starts_at: datetime
    places: int


class Turned(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions of a day that would have gone the other way: granted then and refused for ``reason``, or (``reason`` empty) the other way round."""

    day: date
    purpose: str
    reason: str
    count: int
    disclosures: tuple[str, ...]


class Weaker(msgspec.Struct, frozen=True, kw_only=True):
    """Grants that would give an attribute in another form, or no more (``after`` None: the roll-call would not show it)."""

    purpose: str
    attribute: str
    before: str
    after: str | None
    count: int


class NotScheduled(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions of the schedule that the contract would not have let in, and their planned places."""

    reason: str
    purpose: str
    sessions: int
    places: int


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """What would have been otherwise. ``not_replayed``: by why; ``erased`` entries of the log are anybody's; ``counted`` refusals have no entry each."""

    processor: str
    from_at: datetime
    to_at: datetime
    decisions: int
    granted: int
    still_granted: int
    still_refused: int
    refused: tuple[Turned, ...]
    allowed: tuple[Turned, ...]
    weaker: tuple[Weaker, ...]
    not_scheduled: tuple[NotScheduled, ...]
    not_replayed: dict[str, int]
    erased: int
    counted: int


_CODES: Final = {
    "gate": Reason.GATE_FROZEN,
    "purpose": Reason.PURPOSE_NOT_CONTRACTED,
    "attributes": Reason.ATTRIBUTE_NOT_CONTRACTED,
    "sheet": Reason.ATTRIBUTE_NOT_CONTRACTED,
    "assurance": Reason.STEP_UP_REQUIRED,
    "window": Reason.OUTSIDE_WINDOW,
    "budget": Reason.BUDGET_SPENT,
}

_Verdict: TypeAlias = tuple[str, str | None]
"""``granted``, or ``refused`` with its first reason, or ``unknown`` with why it can't be told."""


class Replay:
    """Makes decisions again, in their order. Spends the new contract's budgets as it goes; tells the entries from ``from_at`` on."""

    def __init__(self, contract: Contract, standing: Standing, zone: ZoneInfo, from_at: datetime) -> None:
        """Try ``contract``; what stands for and against the processor is that of all times. Entries before ``from_at`` only fill budgets."""
        # its own days are set aside: they would refuse all of the past
        self._contract = msgspec.structs.replace(contract, starts_on=date(1970, 1, 1), ends_on=date(9000, 12, 31))
        self._gatekeeper, self._from_at = Gatekeeper(self._contract, standing, zone), from_at
        self._spent: dict[tuple[str, datetime, str], set[str]] = defaultdict(set)
        self._reads: Counter[str] = Counter()
        self.decisions = self.granted = self.still_granted = self.still_refused = 0
        self.turned: dict[tuple[date, str, str], list[str]] = defaultdict(list)
        self.allowed: dict[tuple[date, str, str], list[str]] = defaultdict(list)
        self.weaker: Counter[tuple[str, str, str, str | None]] = Counter()
        self.unknown: Counter[str] = Counter()
        self.unreadable = 0  # entries that are no decisions one could make again, as their reader counts them

    def take(self, entries: Iterable[Entry]) -> None:
        """Make some more decisions again. A roll-call's entries, which are sealed together, have to come together."""
        for _, group in groupby(entries, key=_group):
            some = list(group)
            for entry, verdict in zip(some, self._decide_all(some), strict=True):
                if entry.at >= self._from_at:
                    self._tell(entry, verdict)

    def _decide_all(self, group: Sequence[Entry]) -> list[_Verdict]:
        """Decide one request: one entry, or all places of a roll-call, which a spent budget refuses together."""
        verdicts = [self._decide(entry) for entry in group]
        granted = [entry for entry, verdict in zip(group, verdicts, strict=True) if verdict[0] == "granted"]
        full = self._spend(granted)
        if full is None:
            return verdicts
        return [("refused", full) if verdict[0] == "granted" else verdict for verdict in verdicts]

    def _decide(self, entry: Entry) -> _Verdict:
        """Decide one entry by everything but budgets."""
        if any(reason.startswith(OF_NO_CONTRACT) for reason in entry.reasons):
            return "refused", "as before"
        if entry.place is None:
            return "unknown", "its place in the schedule was erased"
        if entry.moved:
            return "unknown", "its place was moved or reinstated since"
        ask = self._ask(entry)
        if ask is None:
            return "refused", "sheet:absent"
        decision = decide(ask, entry.place, self._terms(entry.at), _NOBODY_STOPS, entry.at, None)
        if isinstance(decision, Refused | Undetermined):
            return "refused", decision.reasons[0]
        if not isinstance(decision, Granted):
            raise AssertionError("impossible: a decision of another kind")  # noqa: TRY004 - a bug, not a caller's type
        return ("granted", None) if entry.site in self._contract.sites else ("refused", f"site:absent:{entry.site}")

    def _ask(self, entry: Entry) -> Ask | None:
        """Return what is asked: what was, or what the new contract's roll-call shows; None where it has none."""
        asked = entry.asked
        purpose = self._contract.purposes.get(entry.purpose)
        if entry.roll_call and purpose is not None:
            if not purpose.sheet:
                return None
            asked = tuple(sorted(purpose.sheet))
        return Ask(
            processor=self._contract.processor.id, client=entry.client, agent=entry.agent, assurance=entry.assurance, appointment=entry.appointment,
            attributes=asked,
        )  # fmt: skip

    def _terms(self, at: datetime) -> Terms:
        """Return the contract with its gate at an instant."""
        return Terms(contract=self._contract, version=0, hash="", gate=self._gatekeeper.at(at))

    def _spend(self, granted: Sequence[Entry]) -> str | None:
        """Spend the budgets of a request, all or nothing; return the full one."""
        new: dict[tuple[str, datetime, str], set[str]] = defaultdict(set)
        reads: Counter[str] = Counter()
        for entry in granted:
            ask, terms = self._ask(entry), self._terms(entry.at)
            if ask is None or entry.place is None:
                raise AssertionError("impossible: granted without a place or an ask")
            reads[entry.appointment] += 1
            if (
                self._reads[entry.appointment] + reads[entry.appointment]
                > self._contract.purposes[entry.purpose].reads_per_appointment
            ):
                return "budget:reads"
            for budget in budgets_of(ask, entry.place, terms):
                key = budget.unit, _bucket(budget.unit, entry.at), budget.scope
                if entry.place.subject_ref not in self._spent[key]:
                    new[key].add(entry.place.subject_ref)
                    if len(self._spent[key]) + len(new[key]) > budget.limit:
                        return f"budget:{budget.unit}:{budget.scope.partition(':')[0]}"
        for key, persons in new.items():
            self._spent[key] |= persons
        self._reads += reads
        return None

    def _tell(self, entry: Entry, verdict: _Verdict) -> None:
        """Count one decision against what it was."""
        word, why = verdict
        day, was = entry.at.astimezone(UTC).date(), entry.forms is not None
        self.decisions += 1
        self.granted += was
        if word == "unknown":
            self.unknown[why or ""] += 1
        elif word == "granted" and was:
            self.still_granted += 1
            self._compare_forms(entry)
        elif word == "granted":
            self.allowed[day, entry.purpose, ""].append(entry.disclosure)
        elif was:
            self.turned[day, entry.purpose, why or ""].append(entry.disclosure)
        else:
            self.still_refused += 1

    def _compare_forms(self, entry: Entry) -> None:
        """Count what would have been given in another form. What was withheld for its value's sake stays so in any form."""
        forms = forms_of(self._contract.purposes[entry.purpose], roll_call=entry.roll_call)
        for attribute, before in (entry.forms or {}).items():
            after = forms.get(attribute)
            if before not in {after, Form.WITHHELD}:
                self.weaker[entry.purpose, attribute, before, None if after is None else after.value] += 1


def _group(entry: Entry) -> tuple[object, ...]:
    """Tell which entries are of one request."""
    session = entry.place.session if entry.roll_call and entry.place is not None else None
    return (entry.log_id, entry.at, entry.client, entry.agent, session) if session is not None else (entry.log_id, entry.index)


def _bucket(unit: str, at: datetime) -> datetime:
    """Return the beginning of the clock hour, day or month (UTC) of an instant."""
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return hour if unit == "h" else hour.replace(hour=0) if unit == "d" else hour.replace(day=1, hour=0)


def warm_from(from_at: datetime) -> datetime:
    """Return from when on entries are read, so that the budgets of ``from_at`` are filled: its month, and the longest window before."""
    return min(_bucket("m", from_at), from_at - timedelta(days=16))


def person_holds(holds: Sequence[Hold], at: datetime) -> tuple[Hold, ...]:
    """Return those of a person's holds that lay on them at an instant, or lay ahead."""
    return tuple(hold for hold in holds if hold.until_at is None or hold.until_at > at)


def try_schedule(contract: Contract, sessions: Sequence[PlannedSession]) -> Iterator[NotScheduled]:
    """Find sessions that the contract would not have let into the schedule: purpose, site, places, sessions of a site in a day."""
    found: dict[tuple[str, str], list[PlannedSession]] = defaultdict(list)
    days: Counter[tuple[str, date]] = Counter()
    for session in sessions:
        purpose, site = contract.purposes.get(session.purpose), contract.sites.get(session.site)
        if purpose is None:
            found["the contract does not name the purpose", session.purpose].append(session)
        elif site is None:
            found[f"the contract does not name the site {session.site}", session.purpose].append(session)
        elif session.places > purpose.max_capacity:
            found[f"more places than the contract's {purpose.max_capacity}", session.purpose].append(session)
        elif session.places:
            day = session.starts_at.astimezone(ZoneInfo(site.timezone)).date()
            days[site.id, day] += 1
            if days[site.id, day] > site.max_sessions_per_day:
                found[f"more than {site.max_sessions_per_day} sessions a day at {site.id}", session.purpose].append(session)
    for (reason, name), some in sorted(found.items()):
        yield NotScheduled(reason=reason, purpose=name, sessions=len(some), places=sum(one.places for one in some))


def report(
    replay: Replay,
    contract: Contract,
    span: tuple[datetime, datetime],
    sessions: Sequence[PlannedSession],
    left_out: tuple[int, int],
) -> Shadow:
    """Write down what a replay found. ``left_out``: entries erased, refusals only counted."""

    def told(found: Mapping[tuple[date, str, str], list[str]]) -> tuple[Turned, ...]:
        return tuple(
            Turned(day=day, purpose=purpose, reason=reason, count=len(names), disclosures=tuple(names))
            for (day, purpose, reason), names in sorted(found.items())
        )

    return Shadow(
        processor=contract.processor.id, from_at=span[0], to_at=span[1], decisions=replay.decisions, granted=replay.granted,
        still_granted=replay.still_granted, still_refused=replay.still_refused, refused=told(replay.turned), allowed=told(replay.allowed),
        weaker=tuple(
            Weaker(purpose=purpose, attribute=attribute, before=before, after=after, count=count)
            for (purpose, attribute, before, after), count in sorted(replay.weaker.items(), key=lambda one: one[0][:3])
        ),
        not_scheduled=tuple(try_schedule(contract, sessions)),
        not_replayed=dict(replay.unknown + Counter({"its entry can't be read": replay.unreadable})), erased=left_out[0], counted=left_out[1],
    )  # fmt: skip


def public_reason(rule: str) -> str:
    """Return the public code that a caller would be told, for a rule's own."""
    head = rule.partition(":")[0]
    return _CODES.get(head, Reason.NOT_DISCLOSABLE).value
