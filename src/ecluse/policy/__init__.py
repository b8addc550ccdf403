"""The decision: may this one person be disclosed to this agent now, and until when? Pure.

What it is: one function over facts gathered elsewhere, returning `Granted`, `Refused` or `Undetermined` with reasons and rules.
What it is not: it reads nothing, remembers nothing, and spends no budget; `seal()` compares its interval with the clock under the lock.
"""

from ecluse.policy.decide import bites, budgets_of, decide, gap
from ecluse.policy.model import (
    Ask,
    Budget,
    Decision,
    Effect,
    Granted,
    Hold,
    Parties,
    Place,
    Reason,
    Refused,
    Terms,
    Undetermined,
)

__all__ = [
    "Ask",
    "Budget",
    "Decision",
    "Effect",
    "Granted",
    "Hold",
    "Parties",
    "Place",
    "Reason",
    "Refused",
    "Terms",
    "Undetermined",
    "bites",
    "budgets_of",
    "decide",
    "gap",
]
