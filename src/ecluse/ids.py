"""Identifiers: a three-letter prefix and 128 random bits, in one canonical spelling (docs/decisions/0001-formats.md, "Ids").

The one place that draws random bits. Nothing is derived from a register key, nothing is ordered by time.
"""

from __future__ import annotations

import os
import re
from typing import Final, NewType

AppointmentId = NewType("AppointmentId", str)
EnrolmentId = NewType("EnrolmentId", str)
SessionId = NewType("SessionId", str)
DisclosureId = NewType("DisclosureId", str)
AgentId = NewType("AgentId", str)
ClientId = NewType("ClientId", str)
HoldId = NewType("HoldId", str)
ImportId = NewType("ImportId", str)
SubjectRef = NewType("SubjectRef", str)
ProcessorId = NewType("ProcessorId", str)

PREFIXES: Final = frozenset(
    {
        "apt",
        "enr",
        "ses",
        "dsc",
        "agt",
        "cli",
        "hld",
        "imp",
        "dfr",
        "ers",
        "evd",
        "fnd",
        "ovr",
        "eme",
        "qst",
        "qsl",
        "off",
        "sgn",
        "lkp",
    }
)

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"  # RFC 4648 §6, in lower case
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_ID: Final = re.compile(r"([a-z]{3})_[a-z2-7]{25}[aeimquy4]")
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{1,62}")


def random_bytes(count: int) -> bytes:
    """Return ``count`` bytes from the system's random source."""
    return os.urandom(count)


def new_id(prefix: str) -> str:
    """Draw a fresh identifier: ``prefix``, ``_`` and 26 characters of lower-case base32."""
    if prefix not in PREFIXES:
        raise AssertionError("impossible: unknown id prefix")
    bits = int.from_bytes(os.urandom(16), "big") << 2  # 26 characters of 5 bits
    return prefix + "_" + "".join([_PAIRS[bits >> shift & 0x3FF] for shift in range(120, -1, -10)])


def is_id(text: str, prefix: str) -> bool:
    """Tell whether ``text`` is the canonical spelling of an identifier with this prefix."""
    match = _ID.fullmatch(text)
    return match is not None and match.group(1) == prefix


def is_name(text: str) -> bool:
    """Tell whether ``text`` may name a processor, site, purpose or attribute."""
    return _NAME.fullmatch(text) is not None
