"""Errors of ``usage``.

UsageError
├── LooksSpent        a portal asked for more records in this minute than it may
├── VisitOver         a link or a visit of a person's own page that is used, over, or never was
├── DeferralRefused   a rule that may not be: without a person, for everything, without a reason or an end, or for too long
├── DeferralUnknown   no such rule is in force
├── LookupRefused     a look-up of a person, its approval or a look that may not be: where, why, the mend; nothing was shown
└── LookupUnknown     no such look-up waits, or is there
"""

from __future__ import annotations

from ecluse.errors import EcluseError


class UsageError(EcluseError):
    """A person's record can't be had, or a rule about it can't be."""

    code = "usage"


class LooksSpent(UsageError):
    """The portal has looked as often in this minute as it may."""

    code = "too-many-requests"


class VisitOver(UsageError):
    """This link was used, or this visit is over: ask the portal for another link."""

    code = "visit-over"


class DeferralRefused(UsageError):
    """A rule that holds lines back names one person, a processor or a purpose, a reason, a legal basis and an end."""

    code = "deferral-refused"

    def __init__(self, where: str, why: str, mend: str) -> None:
        """Say ``where``, ``why`` it is refused and the ``mend``; never who."""
        super().__init__(f"{where}: {why}. {mend}")
        self.where, self.why, self.mend = where, why, mend


class DeferralUnknown(UsageError):
    """No such rule is in force."""

    code = "deferral-unknown"


class LookupRefused(UsageError):
    """A look-up is of one person, for a purpose in words, asked by one officer and approved by another, within an hour."""

    code = "lookup-refused"

    def __init__(self, where: str, why: str, mend: str) -> None:
        """Say ``where``, ``why`` it is refused and the ``mend``; never of whom."""
        super().__init__(f"{where}: {why}. {mend}")
        self.where, self.why, self.mend = where, why, mend


class LookupUnknown(UsageError):
    """No such look-up waits, or is there."""

    code = "lookup-unknown"
