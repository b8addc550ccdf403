"""The authority that stamps checkpoints (RFC 3161), as configured. What is asked of it, and how its answers are checked: ``anchor``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from cryptography import x509

from ecluse.ledger.errors import AnchorRefused


class Authority(msgspec.Struct, frozen=True, kw_only=True):
    """Who stamps. ``roots``: certificates that its chain ends in, and intermediate ones; ``policy``: the OID that its stamps have to bear, if any."""

    url: str
    roots: Sequence[x509.Certificate]
    policy: str = ""


def load_roots(pem: bytes) -> list[x509.Certificate]:
    """Read the certificates of a PEM file. Raises `AnchorRefused` where there is none."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as bad:
        raise AnchorRefused("the file of roots holds no PEM certificate") from bad
