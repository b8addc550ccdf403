"""Documents at rest: AES-256-GCM under ``keys/evidence.key``, which is not in the database (docs/decisions/0006-governance.md, "Documents").

What is kept: 12 bytes of nonce, then ciphertext and tag. Additional data: ``ecluse/1/evidence/`` || id || 0x00 || SHA-256 of the plain bytes, so a row can't be
given another row's document, nor its hash another document. The file holds lines of ``version:64 hex digits``: the highest seals, any may open.

The nonce is random: under one key 2**32 documents would be the limit, and an installation has thousands.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ecluse.evidence.errors import EvidenceBroken

KEY_FILE: Final = "evidence.key"
NONCE_BYTES: Final = 12
_PREFIX: Final = b"ecluse/1/evidence/"


class Vault:
    """Seals and opens documents."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        """Take the keys (32 bytes) by version, at least one."""
        self._ciphers = [AESGCM(keys[version]) for version in sorted(keys, reverse=True)]

    def seal(self, evidence: str, content: bytes, *, nonce: bytes) -> tuple[bytes, str]:
        """Return what is kept of a document, and the hex SHA-256 of its plain bytes. ``nonce``: 12 random bytes, used once."""
        digest = sha256(content)
        return nonce + self._ciphers[0].encrypt(nonce, content, _bound(evidence, digest.digest())), digest.hexdigest()

    def open(self, evidence: str, sealed: bytes, digest_hex: str) -> bytes:
        """Return the plain bytes. Raises `EvidenceBroken` if row or ciphertext is not what was sealed: never other bytes."""
        digest = bytes.fromhex(digest_hex)
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        for cipher in self._ciphers:
            try:
                content = cipher.decrypt(nonce, rest, _bound(evidence, digest))
            except (InvalidTag, ValueError):  # ValueError: shorter than a nonce and a tag
                continue
            if sha256(content).digest() != digest:
                raise EvidenceBroken
            return content
        raise EvidenceBroken


def _bound(evidence: str, digest: bytes) -> bytes:
    """Return the additional data."""
    return _PREFIX + evidence.encode("ascii") + b"\0" + digest
