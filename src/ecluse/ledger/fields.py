"""What an entry commits to: its event, its salted fields, its leaf (docs/decisions/0001-formats.md, "Leaf, version 1").

An entry's facts are *fields*. Each is hashed with its own 32-byte salt (as RFC 9901 does for single claims), the digests are the leaves of a small
Merkle tree, and the tree's root ``c`` is all that the log itself holds::

    digest = SHA-256("ecluse/1/" || name || 0x00 || salt || JCS(value))
    c      = Merkle root of the digests, nodes SHA-256(0x01 || left || right), left-balanced
    leaf   = {"c":"<64 hex>","h":"2026-01-05T09Z","k":"decision","v":1}

Pure: salts and instants come in as arguments. Values are text, integers within 2**53, booleans, null, lists and maps of these by ASCII names; for that
domain msgspec's sorted JSON is byte for byte RFC 8785 (a property test holds it to the ``rfc8785`` package).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from typing import Final

import msgspec

SALT_BYTES: Final = 32

FIELDS: Final = (
    "at",
    "event",
    "disclosure",
    "processor",
    "client",
    "agent",
    "assurance",
    "appointment",
    "subject",
    "purpose",
    "legal_basis",
    "contract",
    "attributes",
    "forms",
    "values",
    "fingerprints",
    "rules",
    "interval",
    "reason",
    "reasons",
    "actor",
    "object",
    "detail",
    "count",
)
"""Every field there is, in the order in which an entry's fields stand. Grows at its end only."""

SHOWN_TO_PROCESSOR: Final = frozenset(
    {
        "at", "event", "disclosure", "processor", "client", "agent", "assurance", "appointment", "purpose", "legal_basis",
        "contract", "attributes", "forms", "values", "reason",
    }
)  # fmt: skip
"""What an opening shows its processor. Of a refusal, `SHOWN_TO_REFUSED`."""

SHOWN_TO_REFUSED: Final = frozenset({"at", "event", "disclosure", "processor", "client", "appointment", "attributes", "reason"})
"""What a refused caller is shown: what it said itself, and the public reason."""


SHOWN_TO_SUBJECT: Final = frozenset(
    {"at", "event", "processor", "assurance", "subject", "purpose", "legal_basis", "contract", "attributes", "forms"}
)
"""What an opening shows the person that it is about (docs/decisions/0005-witnessed-ledger.md)."""


class Event(StrEnum):
    """What an entry records: ``capability:subject:action``. Append-only; a word, once sealed, keeps its meaning for ever."""

    PERSON_GRANTED = "disclosure:person:granted"
    PERSON_REFUSED = "disclosure:person:refused"
    PERSON_UNDETERMINED = "disclosure:person:undetermined"
    SHEET_GRANTED = "disclosure:sheet:granted"
    SHEET_REFUSED = "disclosure:sheet:refused"
    REFUSALS_COUNTED = "disclosure:refusals:counted"
    LOG_OPENED = "control:log:opened"
    PROCESSOR_ADDED = "control:processor:added"
    AGENT_ADDED = "control:agent:added"
    CLIENT_ADDED = "control:client:added"
    KEY_ADDED = "control:key:added"
    KEY_REVOKED = "control:key:revoked"
    CONTRACT_APPLIED = "control:contract:applied"
    HOLD_PLACED = "control:hold:placed"
    HOLD_RELEASED = "control:hold:released"
    SCHEDULE_APPLIED = "control:schedule:applied"
    WITNESSES_APPLIED = "control:witnesses:applied"
    LOG_REKEYED = "control:log:rekeyed"
    LOG_SUCCEEDED = "control:log:succeeded"
    ERASURE_DONE = "control:erasure:done"
    COUNTS_PUBLISHED = "control:counts:published"
    USAGE_SHOWN = "usage:person:shown"
    USAGE_DEFERRED = "control:usage:deferred"
    USAGE_RELEASED = "control:usage:released"
    EVIDENCE_ACCEPTED = "control:evidence:accepted"
    EVIDENCE_WITHDRAWN = "control:evidence:withdrawn"
    FINDING_OPENED = "control:finding:opened"
    FINDING_CLOSED = "control:finding:closed"
    OVERRIDE_APPROVED = "control:override:approved"
    OVERRIDE_REVOKED = "control:override:revoked"
    EMERGENCY_GRANTED = "disclosure:emergency:granted"
    EMERGENCY_REVIEWED = "control:emergency:reviewed"
    OFFICER_ADDED = "control:officer:added"
    OFFICER_CLOSED = "control:officer:closed"
    PASSKEY_ADDED = "control:passkey:added"
    PASSKEY_REVOKED = "control:passkey:revoked"
    LOOKUP_ASKED = "control:lookup:asked"
    LOOKUP_APPROVED = "control:lookup:approved"
    LOOKUP_REFUSED = "control:lookup:refused"
    CONSULTED = "usage:person:consulted"


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """An entry ready to be sealed: its leaf and what opens it.

    ``fields``: JSON text, a list of ``[name, value]`` in field order. ``salts``: 32 bytes a field, in the same order. ``hour``: the leaf's ``h``.
    """

    leaf: bytes
    fields: str
    salts: bytes
    hour: str
    digests: tuple[bytes, ...]


_jcs: Final = msgspec.json.Encoder(order="sorted").encode
_pairs: Final = msgspec.json.Decoder(list[tuple[str, object]])
_PREFIX: Final = {name: b"ecluse/1/" + name.encode("ascii") + b"\0" for name in FIELDS}
_RANK: Final = {name: rank for rank, name in enumerate(FIELDS)}


def canonical(value: object) -> bytes:
    """Return the RFC 8785 bytes of a field's value."""
    return _jcs(value)


def field_digest(name: str, salt: bytes, value: object) -> bytes:
    """Return the 32-byte digest of one field. ``salt``: 32 bytes."""
    return sha256(_PREFIX[name] + salt + _jcs(value)).digest()


def fold_digests(digests: Sequence[bytes]) -> bytes:
    """Return the root over field digests, left-balanced (RFC 6962 §2.1 with the digests in the place of leaf hashes)."""
    if not digests:
        raise AssertionError("impossible: an entry without fields")
    level = list(digests)
    while len(level) > 1:
        # pairing neighbours and promoting a last odd one builds the same tree as the largest-power-of-two split
        odd = level[-1:] if len(level) % 2 else []
        level = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)] + odd
    return level[0]


def leaf_bytes(kind: str, hour: str, root: bytes) -> bytes:
    """Write leaf v1. ``kind``: ``decision`` or ``control``; ``hour``: ``YYYY-MM-DDTHHZ``."""
    return f'{{"c":"{root.hex()}","h":"{hour}","k":"{kind}","v":1}}'.encode("ascii")


def kind_of(event: str) -> str:
    """Return the leaf's ``k`` for an event's word."""
    return "control" if event.startswith("control:") else "decision"


def hour_of(at: str) -> str:
    """Return the leaf's ``h`` for a sealed instant's text."""
    return at[:13] + "Z"


def commit(fields: Sequence[tuple[str, object]], salts: bytes) -> Committed:
    """Commit to an entry's fields.

    ``fields`` begin with ``at`` and ``event`` and stand in the order of `FIELDS`; ``salts`` holds 32 fresh random bytes for each.
    """
    if len(salts) != SALT_BYTES * len(fields):
        raise AssertionError("impossible: one salt of 32 bytes a field")
    if fields[0][0] != "at" or fields[1][0] != "event":
        raise AssertionError("impossible: an entry begins with at and event")
    digests = tuple(
        [
            sha256(_PREFIX[name] + salts[rank * 32 : rank * 32 + 32] + _jcs(value)).digest()
            for rank, (name, value) in enumerate(fields)
        ]
    )
    hour = hour_of(str(fields[0][1]))
    leaf = leaf_bytes(kind_of(str(fields[1][1])), hour, fold_digests(digests))
    return Committed(leaf=leaf, fields=_jcs(fields).decode(), salts=salts, hour=hour, digests=digests)


def leaf_from_opening(fields: str, salts: bytes) -> bytes:
    """Recompute a leaf from what an opening row holds (``fields``: JSON text; ``salts``: 32 bytes each).

    Raises `ValueError` where the row can't be an opening: not JSON pairs, an unknown or misplaced field, salts of another length.
    """
    try:
        pairs = _pairs.decode(fields)
    except (msgspec.DecodeError, RecursionError) as bad:
        raise ValueError("not a list of named fields") from bad
    ranks = [_RANK.get(name, -1) for name, _ in pairs]
    if len(pairs) < 2 or ranks[:2] != [0, 1] or -1 in ranks or ranks != sorted(set(ranks)):
        raise ValueError("fields unknown or out of order")
    if len(salts) != SALT_BYTES * len(pairs):
        raise ValueError("salts of another length")
    return commit(pairs, salts).leaf


def opening_shown(
    fields: Sequence[tuple[str, object]], salts: bytes, shown: frozenset[str], digests: Sequence[bytes] | None = None
) -> list[object]:
    """Return an opening's ``fields``: ``[name, salt hex, value]`` for those in ``shown``, the digest's hex for the others. ``digests``: if known already."""
    salt = salts.hex()
    return [
        [name, salt[rank * 64 : rank * 64 + 64], value]
        if name in shown
        else (digests[rank] if digests else field_digest(name, salts[rank * 32 : rank * 32 + 32], value)).hex()
        for rank, (name, value) in enumerate(fields)
    ]


def fields_of(text: str) -> list[tuple[str, object]]:
    """Read an opening row's ``fields`` text back into pairs."""
    return _pairs.decode(text)
