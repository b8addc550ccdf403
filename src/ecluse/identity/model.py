"""What ``identity`` knows once something has been checked: keys, proofs, tokens, and what was spent.

All are frozen. A ``thumbprint`` is the RFC 7638 SHA-256 thumbprint in base64url without padding (43 characters): the name of a
key everywhere.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from ecluse.ids import ClientId


class Algorithm(StrEnum):
    """Kind of key, by its first JOSE name; ``EdDSA`` is Ed25519 only (also written ``Ed25519``, RFC 9864). Grows at its end."""

    ES256 = "ES256"
    EDDSA = "EdDSA"


class PublicKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key that passed ``parse_public_jwk``: ``jwk`` holds the members RFC 7638 requires and no other."""

    alg: Algorithm
    jwk: dict[str, str]
    thumbprint: str


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What must be recorded so that a proof or assertion is good once (0001, "Single-use proofs"); ``digest``: 32 bytes."""

    thumbprint: str
    slot: int
    digest: bytes


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A DPoP proof that passed every check except being single-use, which the store decides by ``slot`` and ``digest``."""

    thumbprint: str
    slot: int
    digest: bytes
    issued_at: datetime


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An access token of ours: who, by which key, for what, until when (exclusive)."""

    client_id: ClientId
    thumbprint: str
    scope: str
    expires_at: datetime
