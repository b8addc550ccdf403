"""What a witness is told, what it remembers, and what it shows. All are frozen; hashes are 32 raw bytes, instants are whole seconds since 1970."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from ecluse.ledger.model import Checkpoint
from ecluse.ledger.tree import EMPTY_ROOT


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A request to cosign, parsed and not yet believed.

    ``proof``: consistency from ``old_size`` to the checkpoint, at most 63 hashes; ``note``: the signed note as sent; ``text``: what it signs.
    """

    old_size: int
    proof: tuple[bytes, ...]
    note: str
    text: str
    checkpoint: Checkpoint


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a log that was cosigned last. ``note``: with the log's signatures and ours (empty before the first); ``at``: when we cosigned it."""

    size: int
    root: bytes
    note: str
    at: int


NOTHING_SEEN: Final = Seen(size=0, root=EMPTY_ROOT, note="", at=0)
"""What is remembered of a log before its first head."""


class Fault(StrEnum):
    """Why a head that its log had signed was not cosigned. Append-only."""

    OTHER_ROOT = "other-root"
    """Another root at the very size that was cosigned: the log signed two histories, and both notes prove it."""
    PROOF = "proof"
    """Not shown to extend what was cosigned: a fork, or a wrong proof sent by anybody."""


class RefusedHead(msgspec.Struct, frozen=True, kw_only=True):
    """A head that its log had signed and that was refused. ``note``: it; ``ours``: what had been cosigned then; ``at``: when it came."""

    fault: Fault
    size: int
    root: bytes
    note: str
    ours: str
    at: int


class WitnessedLog(msgspec.Struct, frozen=True, kw_only=True):
    """A log as this witness knows it. ``vkeys``: those trusted now; ``seen``: None before the first head; ``refused``: the newest ones kept."""

    origin: str
    vkeys: tuple[str, ...]
    seen: Seen | None
    refused: tuple[RefusedHead, ...]
