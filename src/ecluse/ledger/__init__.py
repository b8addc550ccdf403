"""The append-only Merkle log: what an entry commits to, how it is sealed, hashed, signed, proven and checked.

What it is not: it knows no contract, person or policy, and imports no sibling. ``fields`` is what is written into entries for ever. What stands
here is pure; the live database has doors of its own, so that rules load no driver: ``ledger.store`` (seal), ``ledger.service`` (control entries),
``ledger.serve`` (proofs and tiles), ``ledger.integrate``, ``ledger.fsck``.
"""

from ecluse.ledger.errors import ClockUntrusted, LedgerError, LedgerStale, ProofError
from ecluse.ledger.fields import (
    FIELDS,
    SHOWN_TO_PROCESSOR,
    SHOWN_TO_REFUSED,
    Committed,
    Event,
    canonical,
    commit,
    fields_of,
    leaf_from_opening,
    opening_shown,
)
from ecluse.ledger.tree import leaf_hash

__all__ = [
    "FIELDS",
    "SHOWN_TO_PROCESSOR",
    "SHOWN_TO_REFUSED",
    "ClockUntrusted",
    "Committed",
    "Event",
    "LedgerError",
    "LedgerStale",
    "ProofError",
    "canonical",
    "commit",
    "fields_of",
    "leaf_from_opening",
    "leaf_hash",
    "opening_shown",
]
