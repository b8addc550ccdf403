"""What the evidence capability raises.

EvidenceError
├── EvidenceRefused    what is handed in can't be taken: every fault, each with where, why and mend
├── EvidenceUnknown    no document under that id, or not one that this may be done to
├── EvidenceBroken     what is kept is not what was handed in: row or ciphertext was changed, or the key is another
├── TooManyWaiting     too many documents of one processor wait for a person
├── FindingUnknown     no open finding under that id
├── OverrideUnknown    no override under that id that this may be done to
└── OverrideOwn        who asked for an override wants to approve it

No message holds a title, a scope, a contact or any other word that was handed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecluse.errors import EcluseError

if TYPE_CHECKING:
    from ecluse.evidence.model import Fault


class EvidenceError(EcluseError):
    """Something about evidence, a finding or an override was refused."""

    code = "evidence"


class EvidenceRefused(EvidenceError):
    """What was handed in can't be taken."""

    code = "evidence-refused"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        """Carry the ``faults``, at least one."""
        super().__init__("\n".join(f"{fault.where}: {fault.why}. {fault.mend}." for fault in faults))
        self.faults = faults


class EvidenceUnknown(EvidenceError):
    """There is no document under this id, or not one that this can be done to."""

    code = "evidence-unknown"


class EvidenceBroken(EvidenceError):
    """What is kept is not what was handed in: the row or the ciphertext was changed, or keys/evidence.key is another. Nothing was read."""

    code = "evidence-broken"


class TooManyWaiting(EvidenceError):
    """Too many documents of this processor wait for somebody to accept or reject them."""

    code = "evidence-waiting"


class FindingUnknown(EvidenceError):
    """There is no open finding under this id."""

    code = "finding-unknown"


class OverrideUnknown(EvidenceError):
    """There is no override under this id that this can be done to: it was approved, revoked or is over, or was asked for more than 24 hours ago."""

    code = "override-unknown"


class OverrideOwn(EvidenceError):
    """Who asked for an override can't approve it: another person has to."""

    code = "override-own"
