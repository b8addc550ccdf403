"""Signing a delivery: HTTP Message Signatures (RFC 9421) by ES256 over method, address, content type and Content-Digest (RFC 9530). Pure but for the key.

The signature base of a delivery to ``https://agency.example/hooks/outcomes`` reads, without a final line feed::

    "@method": POST
    "@target-uri": https://agency.example/hooks/outcomes
    "content-type": application/json
    "content-digest": sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:
    "@signature-params": ("@method" "@target-uri" "content-type" "content-digest");created=1767603600;keyid="…";alg="ecdsa-p256-sha256";tag="ecluse-outcome"

``keyid`` is the key's RFC 7638 thumbprint, as it stands at ``/outcomes/jwks``; the signature is the 64 bytes ``r || s`` (§3.3.4). There is no shared secret.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from hashlib import sha256
from typing import Final

from ecluse.errors import ConfigurationError
from ecluse.identity import Algorithm, KeyInvalid, PrivateKey, load_private

CONTENT_TYPE: Final = "application/json"
TAG: Final = "ecluse-outcome"
LABEL: Final = "ecluse"
_COVERED: Final = ("@method", "@target-uri", "content-type", "content-digest")


def load_webhook_key(pem: str) -> PrivateKey:
    """Load ``keys/webhook.key``. Raises `ConfigurationError` where it is not an ES256 key."""
    try:
        key = load_private(pem.encode())
    except KeyInvalid as bad:
        raise ConfigurationError("keys/webhook.key", bad.why, "Restore it from your safe") from None
    if key.alg is not Algorithm.ES256:
        raise ConfigurationError("keys/webhook.key", "it is not of P-256", "Restore it from your safe")
    return key


def sign_delivery(key: PrivateKey, url: str, body: bytes, at: datetime) -> dict[str, str]:
    """Return the header fields of a signed POST of ``body`` to ``url``; ``at``: when it is signed."""
    digest = f"sha-256=:{b64encode(sha256(body).digest()).decode('ascii')}:"
    covered = " ".join(f'"{name}"' for name in _COVERED)
    params = f'({covered});created={int(at.timestamp())};keyid="{key.thumbprint}";alg="ecdsa-p256-sha256";tag="{TAG}"'
    values = ("POST", url, CONTENT_TYPE, digest)
    lines = [f'"{name}": {value}' for name, value in zip(_COVERED, values, strict=True)]
    base = "\n".join([*lines, f'"@signature-params": {params}'])
    signature = b64encode(key.sign_es256(base.encode("ascii"))).decode("ascii")
    return {
        "content-type": CONTENT_TYPE,
        "content-digest": digest,
        "signature-input": f"{LABEL}={params}",
        "signature": f"{LABEL}=:{signature}:",
    }
