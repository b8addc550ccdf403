"""A passkey in software, as strict as a real one: ES256, discoverable, attestation ``none``, the person verified.

Options in, answers out, in the browser's JSON.

`Authenticator` keeps its credentials by RP id and counts signatures. Whatever a test wants to be wrong it says by name (``origin=``, ``verified=False``, …).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import encode_cbor

PRESENT, VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40
_NO_MAKE: Final = bytes(16)


def pack(data: bytes) -> str:
    """Encode as browsers do: base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unpack(text: str) -> bytes:
    """Decode what `pack` encoded."""
    return urlsafe_b64decode(text + "===")


@dataclass(kw_only=True)
class Credential:
    """One passkey on the device."""

    id: bytes
    rp_id: str
    user: bytes
    key: ec.EllipticCurvePrivateKey
    signatures: int = 0


@dataclass(kw_only=True)
class Authenticator:
    """A device that holds passkeys. ``counts``: it has a signature counter (those that are kept in a cloud have none)."""

    counts: bool = True
    credentials: list[Credential] = field(default_factory=list)

    def create(self, options: Mapping[str, Any], *, origin: str, **wrong: Any) -> dict[str, Any]:
        """Make a passkey for ``navigator.credentials.create`` and answer. ``wrong``: as `_signed_data` takes them, ``rp_id``."""
        choice = options["authenticatorSelection"]
        assert (choice["residentKey"], choice["requireResidentKey"], choice["userVerification"]) == ("required", True, "required")
        assert {"type": "public-key", "alg": -7} in options["pubKeyCredParams"]
        assert not {each["id"] for each in options.get("excludeCredentials", ())} & {pack(each.id) for each in self.credentials}
        rp_id = wrong.get("rp_id", options["rp"]["id"])
        made = Credential(
            id=secrets.token_bytes(32),
            rp_id=rp_id,
            user=unpack(options["user"]["id"]),
            key=ec.generate_private_key(ec.SECP256R1()),
        )
        self.credentials.append(made)
        attested = _NO_MAKE + len(made.id).to_bytes(2, "big") + made.id + _cose(made.key)
        data = self._signed_data(made, flags=ATTESTED, **wrong) + attested
        statement = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        client = _client_data("webauthn.create", options["challenge"], origin, wrong)
        return _answer(made, {"clientDataJSON": pack(client), "attestationObject": pack(statement)})

    def get(self, options: Mapping[str, Any], *, origin: str, **wrong: Any) -> dict[str, Any]:
        """Sign for ``navigator.credentials.get`` with the newest passkey that will do, and answer."""
        assert options["userVerification"] == "required"
        rp_id = wrong.get("rp_id", options["rpId"])
        allowed: Sequence[str] = [each["id"] for each in options.get("allowCredentials", ())]
        (*_, used) = (each for each in self.credentials if not allowed or pack(each.id) in allowed)
        used.signatures += 1
        data = self._signed_data(used, flags=0, **{**wrong, "rp_id": rp_id})
        client = _client_data("webauthn.get", options["challenge"], origin, wrong)
        signature = used.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return _answer(
            used,
            {
                "clientDataJSON": pack(client),
                "authenticatorData": pack(data),
                "signature": pack(signature),
                "userHandle": pack(used.user),
            },
        )

    def _signed_data(
        self, used: Credential, *, flags: int, rp_id: str | None = None, verified: bool = True, count: int | None = None, **_: Any
    ) -> bytes:
        """Return authenticator data up to the counter."""
        flags |= PRESENT | (VERIFIED if verified else 0) | (0 if self.counts else BACKUP_ELIGIBLE | BACKED_UP)
        number = count if count is not None else used.signatures if self.counts else 0
        return hashlib.sha256((rp_id or used.rp_id).encode()).digest() + bytes([flags]) + number.to_bytes(4, "big")


def _client_data(kind: str, challenge: str, origin: str, wrong: Mapping[str, Any]) -> bytes:
    data = {
        "type": kind,
        "challenge": wrong.get("challenge", challenge),
        "origin": origin,
        "crossOrigin": wrong.get("framed", False),
    }
    return json.dumps(data).encode()


def _answer(used: Credential, response: Mapping[str, Any]) -> dict[str, Any]:
    name = pack(used.id)
    return {
        "id": name,
        "rawId": name,
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {},
        "response": dict(response),
    }


def _cose(key: ec.EllipticCurvePrivateKey) -> bytes:
    point = key.public_key().public_numbers()
    return encode_cbor({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})
