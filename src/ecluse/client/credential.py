"""A client's key at work: client assertions (RFC 7523) and DPoP proofs (RFC 9449), each with a fresh ``jti``.

The key is read once from a PEM file (PKCS#8, P-256 or Ed25519) and never leaves this object. Time and random bits come in as
arguments.
"""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey

from ecluse.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE: Final = timedelta(seconds=60)
JTI_BYTES: Final = 16


class Credential:
    """Who we are: a client's id and its private key."""

    __slots__ = ("_algorithm", "_key", "_public", "client_id")

    def __init__(self, client_id: str, pem: bytes) -> None:
        """Take the key from PEM; raise ``ConfigurationError`` if it is not a key the gate can accept."""
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise _unusable() from None
        self._key: ECKey | OKPKey
        if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
            self._key, self._algorithm = ECKey.import_key(key), "ES256"
        elif isinstance(key, Ed25519PrivateKey):
            self._key, self._algorithm = OKPKey.import_key(key), "Ed25519"
        else:
            raise _unusable()
        self._public = self._key.as_dict(private=False)
        self.client_id = client_id

    @classmethod
    def from_file(cls, client_id: str, path: Path) -> Credential:
        """Load the key from a file; raise ``ConfigurationError`` if it can't be read."""
        try:
            pem = path.read_bytes()
        except OSError as bad:
            why = f"it can't be read ({type(bad).__name__})"
            raise ConfigurationError("private key file", why, "Name the PEM file you registered with.") from None
        return cls(client_id, pem)

    def __repr__(self) -> str:
        """Show who, never the key."""
        return f"Credential({self.client_id}, {self._algorithm})"

    def assertion(self, *, audience: str, now: datetime, nonce: bytes) -> str:
        """Sign a client assertion for one authorization server; ``nonce``: 16 fresh random bytes."""
        issued = int(now.timestamp())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": audience,
            "iat": issued,
            "exp": issued + int(ASSERTION_LIFE.total_seconds()),
            "jti": _base64url(nonce),
        }
        return self._sign({"typ": "client-authentication+jwt"}, claims)

    def proof(self, *, method: str, url: str, token: str | None, now: datetime, nonce: bytes) -> str:
        """Sign a DPoP proof for one request; ``url`` without query, ``token`` if one is presented, ``nonce``: 16 fresh bytes."""
        claims: dict[str, object] = {"jti": _base64url(nonce), "htm": method, "htu": url, "iat": int(now.timestamp())}
        if token is not None:
            claims["ath"] = _base64url(sha256(token.encode("ascii")).digest())
        return self._sign({"typ": "dpop+jwt", "jwk": self._public}, claims)

    def _sign(self, header: dict[str, object], claims: dict[str, object]) -> str:
        payload = json.dumps(claims, separators=(",", ":"))
        return jws.serialize_compact({**header, "alg": self._algorithm}, payload, self._key, algorithms=[self._algorithm])


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _unusable() -> ConfigurationError:
    why = "it is not an unencrypted P-256 or Ed25519 private key in PKCS#8 PEM"
    return ConfigurationError("private key", why, "Use the file you registered with.")
