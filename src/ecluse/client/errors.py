"""Errors of ``client``.

ClientError
├── Refused                 the gate said no, with its code, title, detail and more; one leaf for each code we know
│   ├── NotDisclosable · OutsideWindow · BudgetSpent · GateFrozen · Suspended · Undetermined · StepUpRequired
│   └── PurposeNotContracted · AttributeNotContracted · ValueChanged · KeyReused · TooManyRefusals
├── NotAuthorised           no token: the client, its key or its clock is not accepted
├── Unavailable             nothing was answered after every try; the same call may be made again
├── AnswerInvalid           the answer is not what the interface promises
├── Unproven                a receipt waited too long for its proof: keep it, and ask the controller why
└── ReceiptBroken           a receipt or proof does not hold: keep it, and tell the controller's data-protection officer
    ├── QuorumMissing       too few of the witnesses that the policy asks for have signed
    └── LogForked           the log showed two histories: keep both checkpoints, and tell everybody

No message holds a value out of an answer but its public code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ecluse.errors import EcluseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class ClientError(EcluseError):
    """A call to the gate did not succeed."""

    code = "client"


class Refused(ClientError):
    """The gate refused, and says why."""

    code = "refused"

    def __init__(self, code: str, title: str, detail: str = "", extra: Mapping[str, object] | None = None) -> None:
        """Keep the problem as it was answered (RFC 9457); ``extra``: its further members."""
        super().__init__(code)
        self.code = code
        self.title, self.detail = title, detail
        self.extra: Mapping[str, object] = extra or {}


class NotDisclosable(Refused):
    """No such appointment of this processor."""

    code = "not-disclosable"


class OutsideWindow(Refused):
    """The appointment's window is not open now."""

    code = "outside-window"


class BudgetSpent(Refused):
    """A ceiling of the contract is reached."""

    code = "budget-spent"


class GateFrozen(Refused):
    """The contract's gate is frozen or closed."""

    code = "gate-frozen"


class Suspended(Refused):
    """The processor, client or agent is suspended."""

    code = "suspended"


class PurposeNotContracted(Refused):
    """The contract in force does not name this purpose."""

    code = "purpose-not-contracted"


class AttributeNotContracted(Refused):
    """The contract in force does not name an attribute asked for."""

    code = "attribute-not-contracted"


class Undetermined(Refused):
    """The gate could not tell, and the controller has been asked."""

    code = "undetermined"


class StepUpRequired(Refused):
    """The agent must be signed in at the desk."""

    code = "step-up-required"


class ValueChanged(Refused):
    """The value changed since the grant that is asked for again."""

    code = "value-changed"


class KeyReused(Refused):
    """The Idempotency-Key was used with another body."""

    code = "key-reused"


class TooManyRefusals(Refused):
    """Too many refusals: wait before asking again."""

    code = "too-many-refusals"


class NotAuthorised(ClientError):
    """The gate gave no token: the client, its key or its clock is not accepted."""

    code = "not-authorised"

    def __init__(self, oauth_error: str) -> None:
        """Keep the OAuth error code (RFC 6749 §5.2)."""
        super().__init__(oauth_error)
        self.oauth_error = oauth_error


class Unavailable(ClientError):
    """The gate did not answer, or asked to try later, at every try."""

    code = "unavailable"

    def __init__(self, last: str) -> None:
        """Keep the ``last`` trouble: a problem code, ``connection-lost`` or ``http-<status>``."""
        super().__init__(last)
        self.last = last


class AnswerInvalid(ClientError):
    """The answer is not what the interface promises."""

    code = "answer-invalid"


class ReceiptBroken(ClientError):
    """A receipt or its proof does not hold: keep it and tell the controller."""

    code = "receipt-broken"


class QuorumMissing(ReceiptBroken):
    """Fewer witnesses have signed than the policy asks for."""


class LogForked(ReceiptBroken):
    """The log showed two histories: keep both checkpoints and tell the controller and the authority."""

    code = "log-forked"

    def __init__(self, why: str, seen: str, shown: str, kept_in: tuple[Path, ...] = ()) -> None:
        """Keep the signed notes, the one ``seen`` before and the one ``shown`` now; ``kept_in``: the files that hold them."""
        super().__init__(why + (f". Both are kept: {', '.join(map(str, kept_in))}" if kept_in else ""))
        self.seen, self.shown, self.kept_in = seen, shown, kept_in


class Unproven(ClientError):
    """A receipt waited too long for its proof: keep it and ask the controller why."""

    code = "receipt-unproven"

    def __init__(self, last: str) -> None:
        """Keep the ``last`` trouble, as ``Unavailable`` does; ``closed`` where the client was closed before."""
        super().__init__(last)
        self.last = last


REFUSALS: Final[Mapping[str, type[Refused]]] = {leaf.code: leaf for leaf in Refused.__subclasses__()}
