"""What is to be told about one processor's gate, and when to look again. Pure: the gatekeeper knows every instant, so no history of rounds is needed.

- A reason that will freeze or close: at the smallest of 30, 14, 7 and 1 days that is not over yet; whoever looks late tells the one that fits, not all.
- A reason that freezes or closes now: since the instant at which it began, under the contract in force. Another version of the contract is told anew.
- Open again: only to those who were told that it was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from ecluse.contracts import Gatekeeper
from ecluse.contracts.model import HOUSE_CLAUSES
from ecluse.notices.model import AUDIENCES, THRESHOLDS, Due, Force, Matter, Topic

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

LOOK_AGAIN: Final = timedelta(hours=1)
"""The longest until a gate is looked at again, whatever it says of itself."""

ENDED: Final = "contract:dates:ended"
ATTESTATION: Final = "evidence:missing:deletion-attestation"
_WARNINGS: Final = (
    "contract:dates:not-started",  # it closes, and is no news to those who signed it
    "contract:dates:ends-soon",
    "evidence:lapses-soon:",
    "finding:late:",
    "finding:due-soon:",
    *(f"contract:clause:missing:{clause}" for clause in HOUSE_CLAUSES),
)
_MICROSECOND: Final = timedelta(microseconds=1)
_SHUT: Final = frozenset({Topic.GATE_FROZEN, Topic.GATE_CLOSED})


def blocking(reasons: Sequence[str]) -> tuple[str, ...]:
    """Return those of a gate's reasons that keep it shut and are news. What stands behind an override is lifted; an ended contract needs no evidence."""
    if ENDED in reasons:
        return tuple(reason for reason in reasons if reason in {ENDED, ATTESTATION})
    lifted = next((place for place, reason in enumerate(reasons) if reason.startswith("override:")), len(reasons))
    return tuple(reason for reason in reasons[:lifted] if not reason.startswith(_WARNINGS))


def plan_gate(force: Force, now: datetime, zone: ZoneInfo) -> tuple[list[Due], datetime]:
    """Return who is to be told of a gate at ``now`` (told before or not: the key tells them apart), and when there may be more to tell."""
    keeper = Gatekeeper(force.contract, force.standing, zone)
    gate = keeper.at(now)
    again = min(gate.told_until, now + LOOK_AGAIN)
    found = [(_topic_of(reason), reason, since, 0) for reason, since in _present(keeper, force.applied_at, now)]
    for reason, at in _coming(keeper, now):
        days = min(day for day in THRESHOLDS if at - now <= timedelta(days=day))
        found.append((Topic.GATE_SOON, reason, at, days))
        again = min(again, *(at - timedelta(days=day) for day in THRESHOLDS if at - timedelta(days=day) > now), at)
    if gate.state.permits and force.told in _SHUT:
        found.append((Topic.GATE_OPENED, "", max(gate.valid_from, force.applied_at), 0))
    processor = force.contract.processor.id
    return [
        Due(processor=processor, topic=topic, reason=reason, at=at, days=days, audience=audience, facts={})
        for topic, reason, at, days in found
        for audience in AUDIENCES[topic]
    ], again


def plan_matters(matters: Iterable[Matter]) -> list[Due]:
    """Return who is to be told of what happened beside the gates."""
    return [
        Due(
            processor=matter.processor, topic=matter.topic, reason=matter.reason, at=matter.at, days=0, audience=audience, facts=matter.facts
        )
        for matter in matters
        for audience in AUDIENCES[matter.topic]
    ]  # fmt: skip


def _topic_of(reason: str) -> Topic:
    return Topic.GATE_CLOSED if reason in {ENDED, ATTESTATION} else Topic.GATE_FROZEN


def _present(keeper: Gatekeeper, begins: datetime, now: datetime) -> list[tuple[str, datetime]]:
    """Return the reasons that block now, each with the instant since which it does so without a break, ``begins`` at the earliest."""
    since: dict[str, datetime] = {}
    for at, _, reasons in keeper.changes(min(begins, now), now + _MICROSECOND):
        blocks = blocking(reasons)
        since = {reason: since.get(reason, at) for reason in blocks}
    return list(since.items())


def _coming(keeper: Gatekeeper, now: datetime) -> Iterator[tuple[str, datetime]]:
    """Yield the reasons that do not block now and will within the longest threshold, each with the first instant."""
    seen: set[str] = {ATTESTATION}  # said together with the end
    for at, _, reasons in keeper.changes(now, now + timedelta(days=THRESHOLDS[0]) + _MICROSECOND):
        for reason in blocking(reasons):
            if reason not in seen and at > now:
                yield reason, at
            seen.add(reason)
