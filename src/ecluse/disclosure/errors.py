"""What the door raises when it can't decide at all. A refusal is not an error: it is a `Denied`.

DoorError            nothing was disclosed; the same call may be made again
├── LedgerUnavailable   the ledger's database does not answer, or a commit's outcome is unknown
├── RegisterGone        the register does not answer
├── ClockUntrustedNow   the database's clock went back
└── Busy                too many requests wait, or the plan was overtaken again and again

EmergencyRefused     an emergency, or its review, that may not be: where, why, the mend; nothing was sealed
EmergencyUnknown     no such emergency waits for its review
"""

from __future__ import annotations

from ecluse.errors import EcluseError


class DoorError(EcluseError):
    """Nothing was disclosed; try again."""

    code = "unavailable"


class LedgerUnavailable(DoorError):
    """The ledger can't be written, so nothing is disclosed."""

    code = "ledger-unavailable"


class RegisterGone(DoorError):
    """The register can't be read, so nothing is disclosed."""

    code = "register-unavailable"


class ClockUntrustedNow(DoorError):
    """The clock went back, so no window can be trusted."""

    code = "clock-untrusted"


class Busy(DoorError):
    """Too many requests are waiting."""

    code = "busy"


class EmergencyRefused(EcluseError):
    """An emergency shows one attribute of one person, for a reason, a few times a day; another person reviews it."""

    code = "emergency-refused"

    def __init__(self, where: str, why: str, mend: str) -> None:
        """Say ``where``, ``why`` it is refused and the ``mend``; never who."""
        super().__init__(f"{where}: {why}. {mend}")
        self.where, self.why, self.mend = where, why, mend


class EmergencyUnknown(EcluseError):
    """No such emergency waits for its review."""

    code = "emergency-unknown"
