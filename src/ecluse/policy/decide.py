"""The rules of a disclosure, numbered; each block repeats its number and an entry's ``reasons`` name it.

 1  parties    nobody who asks is suspended (processor, client, agent), the client's key is in use, the contract is not frozen by a hold
 2  agent      the agent is this processor's
 3  gate       the contract is in force, its clauses are there, nothing stands against its processor (``contracts.gate``)
 4  witnesses  entries do not wait too long for the cosignatures of the log's witnesses
 5  handle     the appointment is this processor's; an unknown and a foreign one arrive here as the same nothing
 6  purpose    the contract names the appointment's purpose
 7  attributes every attribute asked is named for that purpose
 8  assurance  the agent is as surely known as the contract demands
 9  place      the appointment is not cancelled
10  window     now lies in [start - opens_before, end + closes_after)
11  person     no hold lies on the person: the caller learns no more than of an unknown handle

All rules are asked, so that the entry holds every reason; the caller is told the first. The grant's interval is the intersection of the window, the gate's
interval, the time that is left to the witnesses and the gaps between holds: time alone closes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ecluse.clock import wire_text
from ecluse.contracts import Assurance
from ecluse.policy.model import Ask, Budget, Decision, Effect, Granted, Hold, Parties, Place, Reason, Refused, Terms

_RULES: Final = (
    "parties", "agent", "gate", "witnesses", "handle", "purpose", "attributes", "assurance", "place", "window", "person",
)  # fmt: skip
_RULES_OF_GRANT: Final = {
    roster: tuple(sorted((*_RULES, word)))
    for roster, word in ((None, "roster:none"), (True, "roster:listed"), (False, "roster:unlisted"))
}


def decide(
    ask: Ask, place: Place | None, terms: Terms | None, parties: Parties, at: datetime, frozen_at: datetime | None
) -> Decision:
    """Decide one disclosure at instant ``at`` (the database's clock, read when the facts were gathered).

    ``frozen_at``: when entries will have waited too long for their witnesses; None: none waits.
    """
    found = _before_the_handle(terms, parties, at, frozen_at)
    # 5 handle
    if place is None:
        found.append((Reason.NOT_DISCLOSABLE, "handle:unknown", {}))
    if place is None or terms is None:
        return _refused(found)
    # 6 purpose
    purpose = terms.contract.purposes.get(place.purpose)
    if purpose is None:
        found.append((Reason.PURPOSE_NOT_CONTRACTED, "purpose:absent", {}))
        return _refused(found)
    # 7 attributes
    foreign = [name for name in ask.attributes if name not in purpose.attributes]
    if foreign:
        found.append((Reason.ATTRIBUTE_NOT_CONTRACTED, "attributes:" + ",".join(foreign), {"attributes": foreign}))
    # 8 assurance
    if terms.contract.limits.agent_assurance is Assurance.AUTHENTICATED and ask.assurance is not Assurance.AUTHENTICATED:
        found.append((Reason.STEP_UP_REQUIRED, "assurance:asserted", {}))
    opens_at, closes_at = place.starts_at - purpose.opens_before, place.ends_at + purpose.closes_after
    # 9 place
    if place.cancelled:
        found.append((Reason.OUTSIDE_WINDOW, "place:cancelled", {**_times(opens_at, closes_at), "cancelled": True}))
    # 10 window
    if not opens_at <= at < closes_at:
        found.append((Reason.OUTSIDE_WINDOW, "window:early" if at < opens_at else "window:late", _times(opens_at, closes_at)))
    # 11 person
    found.extend((Reason.NOT_DISCLOSABLE, f"person:{hold.id}", {}) for hold in place.holds if bites(hold, at))
    if found:
        return _refused(found)
    edges = gap((*parties.holds, *place.holds), at)
    return Granted(
        valid_from=max(opens_at, terms.gate.valid_from, edges[0] or opens_at),
        valid_until=min(closes_at, terms.gate.valid_until, edges[1] or closes_at, frozen_at or closes_at),
        closes_at=closes_at,
        rules=_RULES_OF_GRANT[place.roster],
    )


def _before_the_handle(
    terms: Terms | None, parties: Parties, at: datetime, frozen_at: datetime | None
) -> list[tuple[Reason, str, dict[str, object]]]:
    """Ask rules 1 to 4, which say nothing of the person or the appointment."""
    found: list[tuple[Reason, str, dict[str, object]]] = []
    # 1 parties
    for hold in parties.holds:
        if bites(hold, at):
            reason = Reason.SUSPENDED if hold.effect is Effect.SUSPEND else Reason.GATE_FROZEN
            found.append((reason, f"parties:{hold.scope}:{hold.id}", {"scope": hold.scope}))
    if not parties.key_in_use:
        found.append((Reason.SUSPENDED, "parties:key", {"scope": "key"}))
    # 2 agent
    if not parties.agent_known:
        found.append((Reason.UNKNOWN_AGENT, "agent:unknown", {}))
    # 3 gate
    if terms is None:
        found.append((Reason.GATE_FROZEN, "gate:no-contract", {"state": "closed"}))
    elif not terms.gate.state.permits:
        told: dict[str, object] = {"state": terms.gate.state.value, "reasons": list(terms.gate.reasons)}
        found.extend((Reason.GATE_FROZEN, f"gate:{why}", told) for why in terms.gate.reasons or ("unknown",))
    # 4 witnesses
    if frozen_at is not None and at >= frozen_at:
        found.append((Reason.GATE_FROZEN, "witnesses:uncosigned", {"state": "frozen"}))
    return found


def budgets_of(ask: Ask, place: Place, terms: Terms) -> tuple[Budget, ...]:
    """Return the ceilings in distinct persons that a grant spends; reads per appointment are counted on the appointment itself."""
    limits, purpose = terms.contract.limits, terms.contract.purposes[place.purpose]
    return (
        Budget(unit="h", scope=f"agent:{ask.agent}:{purpose.id}", limit=purpose.persons_per_agent_per_hour),
        Budget(unit="h", scope=f"client:{ask.client}", limit=limits.persons_per_client_per_hour),
        Budget(unit="d", scope=f"processor:{ask.processor}", limit=limits.persons_per_day),
        Budget(unit="m", scope=f"processor:{ask.processor}", limit=limits.persons_per_month),
    )


def _times(opens_at: datetime, closes_at: datetime) -> dict[str, object]:
    """Tell a processor the window of its own appointment."""
    return {"opens_at": wire_text(opens_at), "closes_at": wire_text(closes_at)}


def bites(hold: Hold, at: datetime) -> bool:
    """Tell whether a hold forbids disclosure at an instant of ``[from_at, until_at)``."""
    return hold.effect is not Effect.KEEP and hold.from_at <= at and (hold.until_at is None or at < hold.until_at)


def gap(holds: Sequence[Hold], at: datetime) -> tuple[datetime | None, datetime | None]:
    """Return the end of the last hold before ``at`` and the beginning of the next; None where there is none. No hold bites at ``at``."""
    biting = [hold for hold in holds if hold.effect is not Effect.KEEP]
    ended = [hold.until_at for hold in biting if hold.until_at is not None and hold.until_at <= at]
    coming = [hold.from_at for hold in biting if hold.from_at > at]
    return max(ended, default=None), min(coming, default=None)


def _refused(found: Sequence[tuple[Reason, str, dict[str, object]]]) -> Refused:
    """Refuse for all that was found, telling the caller the first."""
    reason, _, told = found[0]
    return Refused(reason=reason, reasons=tuple(why for _, why, _ in found), told=told)
