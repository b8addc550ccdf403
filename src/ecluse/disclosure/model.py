"""What goes through the door and what comes back."""

from __future__ import annotations

from datetime import datetime

import msgspec

from ecluse.ledger.fields import Committed
from ecluse.policy import Ask, Budget, Granted, Place, Reason


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """A caller whose token and key were checked; ``slot`` and ``digest`` name the single-use proof that ``seal()`` spends."""

    client: str
    thumbprint: str
    slot: int
    digest: bytes


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One call: what is asked, by whom, and what makes a retry recognisable. ``asks``: one, or a session's (a sheet)."""

    proven: Proven
    asks: tuple[Ask, ...]
    endpoint: str
    session: str | None  # null: one person, not a sheet
    key: str | None  # null: the caller sent no Idempotency-Key
    body_hash: bytes


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One person's part of an answer, released only after the commit. ``subject``: attribute to value, personal data."""

    appointment: str
    processor: str
    disclosure: str
    subject: dict[str, object]
    forms: dict[str, str]
    closes_at: datetime
    index: int
    leaf_hash: str
    opening: dict[str, object]
    value_salts: dict[str, str]

    def __repr__(self) -> str:
        """Show no personal value."""
        return f"Delivery(disclosure={self.disclosure!r})"


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """It was sealed; here it is. ``missing``: appointments of a sheet whose person was refused or could not be read."""

    deliveries: tuple[Delivery, ...]
    missing: tuple[str, ...] = ()
    again: bool = False


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """It was refused, and the refusal is sealed. ``told``: typed facts for the caller, none about a person."""

    reason: Reason
    told: dict[str, object]
    disclosure: str
    index: int
    leaf_hash: str
    opening: dict[str, object]


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """The proof was used before: authentication failed, nothing was decided."""


class Flooded(msgspec.Struct, frozen=True, kw_only=True):
    """It was refused, and its client is refused so often that refusals are only counted. ``seconds``: until they are sealed one by one again."""

    seconds: int


Answer = Delivered | Denied | Flooded | Replayed


class Plan(msgspec.Struct, kw_only=True):
    """One entry about to be sealed: what it commits to and what it would release. Owned by the batch that made it."""

    ask: Ask
    kind: str  # grant | refuse | redeliver
    event: str
    disclosure: str
    committed: Committed
    fields: list[tuple[str, object]]
    place: Place | None
    granted: Granted | None = None
    budgets: tuple[Budget, ...] = ()
    max_reads: int = 0
    subject: dict[str, object] = {}
    forms: dict[str, str] = {}
    value_salts: dict[str, str] = {}
    reason: Reason | None = None
    told: dict[str, object] = {}
    index: int = -1
