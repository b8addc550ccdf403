"""What the ledger capability raises.

LedgerError
├── LedgerStale         something that changes what may be disclosed was sealed in between: plan again
├── ClockUntrusted      the database's clock went back
├── CommitUncertain     the commit warned: the standby did not confirm; not sealed
├── ControlRefused      a change breaks a rule of the schema; carries the constraint's name
├── RangeRefused        a caller's bad index, size or path (RFC 9162 knows no such proof)
├── NotPublished        the entry, size or tile is not under a published checkpoint (yet)
├── ProofError          a proof that does not check
├── KeyInvalid          a verifier key that is not in its one canonical spelling, or two that can't be told apart
├── NoteInvalid         a signed note or checkpoint that does not parse, or bears no good signature of a known key
├── PolicyInvalid       a trust policy that does not parse
├── AnchorRefused       a time stamp does not check, or was not had
├── ExportRefused       the folder is not one that this log may be exported to
├── LedgerSucceeded     another log took this one's place
├── LedgerBroken        the stored log contradicts itself: an entry, tile or checkpoint is missing or differs
└── SignerError         the signer refuses; each says the mend
    ├── LedgerBehind    the log is shorter than, or differs from, what was signed last
    ├── StateMissing    the file of the last signed checkpoint is not there
    ├── StateInvalid    that file can't be believed: another log's, another key's, damaged
    ├── StateExists     a new log was asked for where one was signed already
    └── SignerHeld      another process on this host is signing

No message holds more of an entry than its index.
"""

from __future__ import annotations

from ecluse.errors import EcluseError


class LedgerError(EcluseError):
    """Something about the ledger was refused or could not be done."""

    code = "ledger"


class LedgerStale(LedgerError):
    """What may be disclosed changed while this was planned; it has to be planned again."""

    code = "ledger-stale"


class ClockUntrusted(LedgerError):
    """The database's clock went back; nothing is decided until it has caught up."""

    code = "clock-untrusted"


class CommitUncertain(LedgerError):
    """The commit came with a warning, so the entry may be lost with this host: it counts as not sealed."""

    code = "ledger-unavailable"


class ControlRefused(LedgerError):
    """The change breaks a rule of the schema."""

    code = "control-refused"

    def __init__(self, constraint: str) -> None:
        """Carry the ``constraint``'s name; the driver's own text, which quotes values, goes no further."""
        super().__init__(f"the database refuses it: {constraint}")
        self.constraint = constraint


class RangeRefused(LedgerError):
    """The index, size or path asked for can't exist in this log."""

    code = "ledger-range"


class NotPublished(LedgerError):
    """What was asked for is not under a published checkpoint."""

    code = "not-published"


class ProofError(LedgerError):
    """The proof does not check."""

    code = "proof-invalid"


class KeyInvalid(LedgerError):
    """The verifier key is not well formed, or can't be told from another."""

    code = "vkey-invalid"


class NoteInvalid(LedgerError):
    """The signed note does not parse, or no known key signed it."""

    code = "note-invalid"


class PolicyInvalid(LedgerError):
    """The trust policy is not one."""

    code = "policy-invalid"

    def __init__(self, line: int, why: str, mend: str = "") -> None:
        """Say in which ``line`` (from 1; 0: the file as a whole), ``why`` and, where the reason does not say it, the ``mend``."""
        super().__init__((f"line {line}: {why}" if line else why) + (f". {mend}" if mend else ""))
        self.line, self.why, self.mend = line, why, mend


class AnchorRefused(LedgerError):
    """The time stamp does not check, or the authority gave none."""

    code = "anchor-refused"


class ExportRefused(LedgerError):
    """The log can't be exported to that folder."""

    code = "export-refused"

    def __init__(self, why: str, mend: str) -> None:
        """Say ``why``, and the ``mend``."""
        super().__init__(f"{why}. {mend}")
        self.why, self.mend = why, mend


class LedgerSucceeded(LedgerError):
    """Another log took this one's place; nothing is sealed or signed here any more."""

    code = "ledger-succeeded"

    def __init__(self) -> None:
        """Say the mend."""
        super().__init__("another log took this one's place: this gate has to be started anew")


class LedgerBroken(LedgerError):
    """The stored log contradicts itself."""

    code = "ledger-broken"

    def __init__(self, why: str, *, log_id: int, index: int) -> None:
        """Say ``why`` and at which entry ``index`` the contradiction begins."""
        super().__init__(f"log {log_id} from entry {index}: {why}. Run: ecluse ledger fsck")
        self.why, self.log_id, self.index = why, log_id, index


class SignerError(LedgerError):
    """The signer refuses to sign."""

    code = "signer"


class LedgerBehind(SignerError):
    """The log is shorter than, or differs from, what was signed before."""

    code = "ledger-behind"

    def __init__(self, why: str, *, signed_size: int, size: int) -> None:
        """Say ``why``; ``signed_size`` was signed last, ``size`` was to be signed."""
        super().__init__(
            f"{why}: signed up to {signed_size}, asked to sign {size}. Nothing is signed. "
            "Bring the lost entries back from a standby or backup; if there is none, stop, keep everything, tell security, then: ecluse ledger succeed"
        )
        self.why, self.signed_size, self.size = why, signed_size, size


class StateMissing(SignerError):
    """The signer's memory, the file of the last signed checkpoint, is missing."""

    code = "ledger-state-missing"

    def __init__(self, name: str) -> None:
        """Carry the file's ``name``."""
        super().__init__(
            f"{name} is missing: the signer does not know what it signed last and signs nothing. "
            "Put the file back, or take over the newest checkpoint that anybody kept with: ecluse ledger adopt FILE"
        )
        self.name = name


class StateInvalid(SignerError):
    """The signer's memory can't be believed."""

    code = "ledger-state-invalid"

    def __init__(self, name: str, why: str) -> None:
        """Carry the file's ``name`` and ``why`` it is refused."""
        super().__init__(
            f"{name}: {why}. Put the right file back, or take over the newest checkpoint that anybody kept with: ecluse ledger adopt FILE"
        )
        self.name, self.why = name, why


class StateExists(SignerError):
    """A checkpoint was signed here before; a new log does not begin over it."""

    code = "ledger-state-exists"

    def __init__(self, name: str) -> None:
        """Carry the file's ``name``."""
        super().__init__(f"{name} exists: a log was signed here before. Choose another folder for the new log")
        self.name = name


class SignerHeld(SignerError):
    """Another process on this host is signing."""

    code = "signer-held"
