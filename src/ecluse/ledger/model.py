"""The ledger's data: signed heads, tiles, and what a check of the whole log found.

All are frozen. Hashes are 32 raw bytes. Sizes and indexes are below 2**63 (a PostgreSQL ``bigint``, and what other readers of
notes take).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

MAX_SIZE: Final = 2**63 - 1
"""The largest size of a log."""

TILE_WIDTH: Final = 256
"""Hashes in a full tile."""

HASH_BYTES: Final = 32


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a log at one size (C2SP tlog-checkpoint 1.0), unsigned. ``extensions``: opaque lines, none of ours."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


class StoredCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A published checkpoint. ``note``: the whole signed note; ``signed_at``: aware instant of the database's clock."""

    size: int
    root: bytes
    note: str
    signed_at: datetime


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """One log. ``vkey``: the verifier key of its signatures; ``size``: entries sealed."""

    id: int
    name: str
    origin: str
    vkey: str
    size: int


class LogKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a log: it signs the checkpoints of sizes [from_size, until_size). ``until_size`` None: it is in use."""

    vkey: str
    from_size: int
    until_size: int | None

    def signs(self, size: int) -> bool:
        """Tell whether it signs the checkpoint of ``size`` entries."""
        return self.from_size <= size and (self.until_size is None or size < self.until_size)


class Verifier(msgspec.Struct, frozen=True, kw_only=True):
    """A known Ed25519 key. ``key_id``: 4 bytes; ``public_key``: 32 bytes; ``algorithm``: 0x01 signs notes, 0x04 cosigns checkpoints."""

    name: str
    key_id: bytes
    public_key: bytes
    algorithm: bytes = b"\x01"


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """One signature line of a note. ``signature``: the bytes after the key id."""

    name: str
    key_id: bytes
    signature: bytes


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """An opened note.

    ``signed_by``: known keys that signed, at least one; ``cosigned_at``: of those that cosigned, when they say so, in seconds since 1970 (the latest of
    several); ``ignored``: signatures of unknown keys.
    """

    text: str
    signed_by: tuple[Verifier, ...]
    cosigned_at: dict[Verifier, int]
    ignored: tuple[Signature, ...]


class Cosigned(msgspec.Struct, frozen=True, kw_only=True):
    """An opened checkpoint with what witnesses say of it. ``signed_by``: the log's keys that signed, at least one."""

    checkpoint: Checkpoint
    signed_by: tuple[Verifier, ...]
    cosigned_at: dict[Verifier, int]


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """A tile of hashes (C2SP tlog-tiles). ``level``: 0 to 63; ``index``: from 0; ``width``: 1 to 256, full at 256."""

    level: int
    index: int
    width: int = TILE_WIDTH


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """The entries under one level-0 tile. ``index``: from 0; ``width``: 1 to 256."""

    index: int
    width: int = TILE_WIDTH


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one round of integration did.

    ``elected``: false where another process had the turn. ``entries``: hashed now. ``size``: entries in the tiles. ``behind``:
    entries sealed and not yet hashed. ``published``: a checkpoint was published now.
    """

    elected: bool
    entries: int = 0
    size: int = 0
    behind: int = 0
    published: bool = False


class ProblemKind(StrEnum):
    """What a check of the whole log can find: ``<thing>-<fault>``. Append-only."""

    HEAD_MISSING = "head-missing"
    HEAD_TIME = "head-time"
    KEY_OTHER = "key-other"
    ENTRY_MISSING = "entry-missing"
    ENTRY_BEYOND = "entry-beyond"
    ENTRY_TIME = "entry-time"
    OPENING_MISSING = "opening-missing"
    OPENING_BEYOND = "opening-beyond"
    OPENING_TWICE = "opening-twice"
    OPENING_TIME = "opening-time"
    OPENING_OTHER = "opening-other"
    OPENING_COLUMN = "opening-column"
    TILE_MISSING = "tile-missing"
    TILE_OTHER = "tile-other"
    TILE_BEYOND = "tile-beyond"
    CHECKPOINT_ROOT = "checkpoint-root"
    CHECKPOINT_NOTE = "checkpoint-note"
    CHECKPOINT_TIME = "checkpoint-time"
    CHECKPOINT_BEYOND = "checkpoint-beyond"
    KEY_UNSEALED = "key-unsealed"
    ENTRY_HOUR = "entry-hour"
    OPENING_ERASED = "opening-erased"
    TOMBSTONE_RANGE = "tombstone-range"
    ERASURE_OTHER = "erasure-other"
    ERASURE_MISSING = "erasure-missing"
    ERASURE_UNSEALED = "erasure-unsealed"
    COSIGNATURE_OTHER = "cosignature-other"
    QUORUM_OTHER = "quorum-other"
    POLICY_OTHER = "policy-other"
    CONTRACT_OTHER = "contract-other"
    READS_OTHER = "reads-other"
    BUDGET_OTHER = "budget-other"
    RETRY_OTHER = "retry-other"
    REFUSALS_OTHER = "refusals-other"
    EMERGENCY_OTHER = "emergency-other"
    EVIDENCE_OTHER = "evidence-other"
    FINDING_OTHER = "finding-other"
    OVERRIDE_OTHER = "override-other"
    LOOKUP_OTHER = "lookup-other"
    PEOPLE_OTHER = "people-other"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of fault and since when.

    ``index``: the first entry concerned, the log's size where it is about the present and no entry; ``count``: how many; ``detail``: constant words;
    ``sealed_at``: when that entry was sealed, or the last one before it. ``signed_size``, ``cosigned_size``: of the last checkpoint before it, and of the
    last that had its quorum, with their times; None where there is none.
    """

    kind: ProblemKind
    index: int
    count: int
    detail: str
    sealed_at: datetime | None = None
    signed_size: int | None = None
    signed_at: datetime | None = None
    cosigned_size: int | None = None
    cosigned_at: datetime | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of the whole log found.

    ``root``: of all entries there are, as far as none is missing; ``erased``: entries with a tombstone in their opening's place; ``published``: size of the
    last checkpoint; ``cosigned``: of the last with a quorum, None where there is none.
    """

    log_id: int
    size: int
    root: bytes
    entries: int
    openings: int
    erased: int
    tiles: int
    checkpoints: int
    cosignatures: int
    published: int
    cosigned: int | None
    problems: tuple[Problem, ...]

    @property
    def sound(self) -> bool:
        """Tell whether nothing was found."""
        return not self.problems
