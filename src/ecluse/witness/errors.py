"""What a witness raises.

WitnessError
├── RequestInvalid     400: the request does not parse, or its old size is above the new one
├── NotSigned          403: no trusted key of the log signed the checkpoint, or one signed it badly
├── LogUnknown         404: this witness is not asked to watch that log, or has seen nothing of it
├── SizeConflict       409: the old size is not the one that was cosigned last; carries it
├── NotConsistent      422: not shown to extend what was cosigned; carries which fault
├── ClockBack          503: this machine's clock is behind the last cosignature
├── StoreFailed        503: the store could not be read or written in time
└── TrustRefused       a change of the trusted keys was not confirmed, or makes no sense

No person stands behind any of these: a witness is told public heads only.
"""

from __future__ import annotations

from ecluse.errors import EcluseError
from ecluse.witness.model import Fault


class WitnessError(EcluseError):
    """A witness refused something, or could not do it."""

    code = "witness"


class RequestInvalid(WitnessError):
    """The request is not as C2SP tlog-witness has it."""

    code = "request-invalid"


class NotSigned(WitnessError):
    """No trusted key of the log signed the checkpoint, or the signature of one is bad."""

    code = "not-signed"


class LogUnknown(WitnessError):
    """This witness knows no such log, or has cosigned nothing of it."""

    code = "log-unknown"


class SizeConflict(WitnessError):
    """The old size is not the size of the checkpoint that was cosigned last."""

    code = "size-conflict"

    def __init__(self, size: int) -> None:
        """Carry the ``size`` that was cosigned last."""
        super().__init__(f"The checkpoint cosigned last has size {size}.")
        self.size = size


class NotConsistent(WitnessError):
    """The checkpoint was not shown to extend what was cosigned before."""

    code = "not-consistent"

    def __init__(self, fault: Fault, why: str) -> None:
        """Say ``why``; ``fault``: which of the two kinds it is."""
        super().__init__(why)
        self.fault = fault


class ClockBack(WitnessError):
    """This machine's clock is behind the time of the last cosignature: a later head would bear an earlier time."""

    code = "clock-untrusted"


class StoreFailed(WitnessError):
    """The witness's store could not be read or written; nothing was cosigned."""

    code = "store-failed"


class TrustRefused(WitnessError):
    """The change of the trusted keys was refused."""

    code = "trust-refused"
