"""The day's steps, each with the one outcome that is right: the demo checks itself against this table.

An outcome is a word of the client's view: ``granted``, the public code of a refusal with its fact (``budget-spent:reads-per-appointment``,
``gate-frozen:evidence:lapsed:pentest``), or what a check of the processor's said. Whatever is not expected is a surprise, and the demo
then ends with an exit code of 1.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from ecluse.client import Refused
from ecluse.demo.model import Part

GRANTED: Final = "granted"


class Told(StrEnum):
    """Under which heading of the account a step is told; ``quiet``: its figure stands elsewhere."""

    THROUGH = "through"
    REFUSED = "refused"
    TURNED_AWAY = "turned-away"
    QUIET = "quiet"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of step. ``says``: what happens, for the account."""

    expected: str
    says: str
    told: Told


STEPS: Final[dict[str, Step]] = {
    "whoami": Step(expected="answered", says="A processor's machine asks who it is here", told=Told.QUIET),
    "sessions": Step(expected="answered", says="It lists its sessions: handles, no names", told=Told.QUIET),
    "receipt": Step(expected="verified", says="A processor recomputes a receipt, value by value", told=Told.QUIET),
    "arrival": Step(expected=GRANTED, says="A learner is due: the trainer sees the contract's fields", told=Told.THROUGH),
    "second-look": Step(expected=GRANTED, says="The trainer looks a second time", told=Told.THROUGH),
    "roll-call": Step(expected=GRANTED, says="A session's roll-call: a name and an initial each", told=Told.THROUGH),
    "lost-answer": Step(expected="redelivered", says="The answer is lost on the line; the machine asks again", told=Told.THROUGH),
    "other-room": Step(expected=GRANTED, says="A colleague takes over: served, and noted in the entry", told=Told.THROUGH),
    "released": Step(expected=GRANTED, says="The agency lifts a suspension: work goes on", told=Told.THROUGH),
    "too-late": Step(expected="outside-window:late", says="A trainer asks after the window has shut", told=Told.REFUSED),
    "moved": Step(expected="outside-window:early", says="The session was moved to next week meanwhile", told=Told.REFUSED),
    "cancelled": Step(expected="outside-window:cancelled", says="The learner's place was cancelled", told=Told.REFUSED),
    "changes": Step(expected="told", says="The processor is told what moved and what was cancelled", told=Told.QUIET),
    "too-much": Step(expected="attribute-not-contracted", says="A field that the contract does not name", told=Told.REFUSED),
    "read-again": Step(
        expected="budget-spent:reads-per-appointment", says="The same learner, again and again", told=Told.REFUSED
    ),
    "burst": Step(expected="budget-spent:client-per-hour", says="A machine asks for everybody at once", told=Told.REFUSED),
    "made-up": Step(expected="not-disclosable", says="A made-up handle", told=Told.REFUSED),
    "foreign": Step(expected="not-disclosable", says="Another processor's handle: the very same answer", told=Told.REFUSED),
    "one-answer": Step(expected="same", says="Made-up and foreign handles are answered alike", told=Told.QUIET),
    "held": Step(expected="suspended:client", says="The agency suspends a machine in the middle of its work", told=Told.REFUSED),
    "machine": Step(expected="step-up-required", says="A contract that wants its trainers signed in", told=Told.REFUSED),
    "frozen": Step(
        expected="gate-frozen:contract:clause:missing:28.3.h",
        says="A contract that lacks a clause of Art. 28(3)",
        told=Told.REFUSED,
    ),
    "lapsed": Step(expected="gate-frozen:evidence:lapsed:pentest", says="A penetration test that is too old", told=Told.REFUSED),
    "overdue": Step(expected="gate-frozen:finding:overdue", says="A critical finding, its due day over", told=Told.REFUSED),
    "undeclared": Step(
        expected="gate-frozen:sub-processor:undeclared", says="A sub-processor that the contract does not name", told=Told.REFUSED
    ),
    "stolen": Step(expected="invalid-proof", says="A stolen token, used with another key", told=Told.TURNED_AWAY),
    "replayed": Step(expected="invalid-proof", says="A whole request, overheard and sent again", told=Told.TURNED_AWAY),
    "proof": Step(expected="verified", says="The log proves that a receipt's entry is in it", told=Told.QUIET),
}


SHUT: Final[dict[str, Part]] = {"frozen": Part.FROZEN, "lapsed": Part.LAPSED, "overdue": Part.HELD, "undeclared": Part.ROBBED}
"""The steps at the gates that let nothing through at the end of the day, and whose they are. Each has the one reason that its outcome names."""

_ID: Final = re.compile(r":[a-z]{3}_[a-z2-7]+")


class Surprise(msgspec.Struct, frozen=True, kw_only=True):
    """Something that should not have happened. ``step``: a key of `STEPS`, or what was checked."""

    step: str
    who: str
    expected: str
    found: str


class Journal:
    """What the processors saw. Touched by the event loop's one thread."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.seen: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.surprises: list[Surprise] = []

    def note(self, step: str, who: str, found: str, count: int = 1) -> None:
        """Take down the outcome of a step, ``count`` times, and compare it with the table."""
        expected = STEPS[step].expected
        self.seen[step] += count
        self.outcomes[found] += count
        if found != expected:
            self.surprise(step, who, expected=expected, found=found)

    def surprise(self, step: str, who: str, *, expected: str, found: str) -> None:
        """Take down something that should not be."""
        self.surprises.append(Surprise(step=step, who=who, expected=expected, found=found))


def bare(reason: str) -> str:
    """Return a gate's reason without the id of the document or finding that it is about."""
    return _ID.sub("", reason)


def outcome_of(refused: Refused, now: datetime) -> str:
    """Return a refusal's outcome: its code, and the fact that it tells."""
    extra = refused.extra
    reasons = extra.get("reasons")
    shut_by = bare(str(reasons[0])) if isinstance(reasons, list) and reasons else None
    fact = extra.get("budget") or shut_by or extra.get("state") or extra.get("scope")
    if refused.code == "outside-window":
        early = now < datetime.fromisoformat(str(extra.get("opens_at")))
        fact = "cancelled" if extra.get("cancelled") else "early" if early else "late"
    return f"{refused.code}:{fact}" if fact else refused.code
