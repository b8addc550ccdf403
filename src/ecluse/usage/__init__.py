"""Who saw my data: a person's own record of what left the register about them, and the counts that everybody may read.

What it is: one look-up in three steps, sealed before a line leaves the database; rules that hold lines back by law, with an end; the nightly counts. What it
is not: it decides nothing about disclosures, and knows of an agent only how sure one is who it was.
"""

from ecluse.usage.errors import DeferralRefused, DeferralUnknown, LooksSpent, UsageError, VisitOver
from ecluse.usage.model import Asked, Language, Line, Record, Rule, Span, Visit
from ecluse.usage.refuse import MOST_HELD_BACK

__all__ = [
    "MOST_HELD_BACK",
    "Asked",
    "DeferralRefused",
    "DeferralUnknown",
    "Language",
    "Line",
    "LooksSpent",
    "Record",
    "Rule",
    "Span",
    "UsageError",
    "Visit",
    "VisitOver",
]
