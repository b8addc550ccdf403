"""Evidence for or against a processor: documents, findings and overrides, how they are handed in, judged, kept and read back.

It is not the gate: what a gate is computed from, and how, is `ecluse.contracts`, whose rules every disclosure reads. Nothing here decides or discloses.
Exported: the values and the errors; use cases are in ``service.py``, encryption at rest in ``vault.py``.
"""

from __future__ import annotations

from ecluse.evidence.errors import (
    EvidenceBroken,
    EvidenceError,
    EvidenceRefused,
    EvidenceUnknown,
    FindingUnknown,
    OverrideOwn,
    OverrideUnknown,
    TooManyWaiting,
)
from ecluse.evidence.model import (
    MOST_BYTES,
    Evidence,
    EvidenceState,
    Fault,
    KeptFinding,
    KeptOverride,
    MediaType,
    NamedSubProcessor,
    Source,
    Submission,
)

__all__ = [
    "MOST_BYTES",
    "Evidence",
    "EvidenceBroken",
    "EvidenceError",
    "EvidenceRefused",
    "EvidenceState",
    "EvidenceUnknown",
    "Fault",
    "FindingUnknown",
    "KeptFinding",
    "KeptOverride",
    "MediaType",
    "NamedSubProcessor",
    "OverrideOwn",
    "OverrideUnknown",
    "Source",
    "Submission",
    "TooManyWaiting",
]
