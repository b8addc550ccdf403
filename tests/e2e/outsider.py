"""A processor's client and verifier written from the public interface alone: RFC 8414, 7523, 9449, the OpenAPI document, decision 0001.

Nothing of Écluse is imported here, neither server nor SDK: what this module can't do, a processor with another language can't do either.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import httpx
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jwt
from joserfc.jwk import ECKey

WELL_KNOWN: Final = "/.well-known/oauth-authorization-server"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TIMEOUT: Final = 30.0
_TRUST: Final = ssl.create_default_context()  # one for all: reading the authorities takes longer than a request


class Outsider:
    """One machine of a processor. ``via``: a replica's own address, where requests are not sent to the public one."""

    def __init__(self, public_url: str, client: str, key: ECKey, *, via: str | None = None) -> None:
        """Know the agency's address, one's own id and key, and nothing else."""
        self.public_url, self.client, self.key = public_url, client, key
        self.http = httpx.AsyncClient(
            base_url=via or public_url, verify=_TRUST, timeout=TIMEOUT, limits=httpx.Limits(max_connections=64)
        )
        self.access_token = ""
        self._jwk = key.as_dict(private=False)

    async def __aenter__(self) -> Self:
        """Get a token at once."""
        self.access_token = await self.get_token()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.http.aclose()

    # ── RFC 9449 and RFC 7523 ────────────────────────────────────────────────────────────────────────────────────────────────
    def proof(self, method: str, path: str, *, token: str | None = None, key: ECKey | None = None, **changes: Any) -> str:
        """Sign a DPoP proof; ``changes`` replace claims (None leaves one out)."""
        signer = key or self.key
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": self.public_url + path,
            "iat": int(time.time()),
        }
        if token is not None:
            claims["ath"] = unpadded(hashlib.sha256(token.encode()).digest())
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        public = self._jwk if key is None else signer.as_dict(private=False)
        return jwt.encode({"typ": "dpop+jwt", "alg": "ES256", "jwk": public}, claims, signer, algorithms=["ES256"])

    def assertion(self, audience: str, *, key: ECKey | None = None, **changes: Any) -> str:
        """Sign a client assertion (RFC 7523 §3)."""
        now = int(time.time())
        claims = {
            "iss": self.client,
            "sub": self.client,
            "aud": audience,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode({"alg": "ES256"}, claims | changes, key or self.key, algorithms=["ES256"])

    async def ask_token(self, *, assertion: str | None = None, proof: str | None = None) -> httpx.Response:
        """Ask the token endpoint that the metadata name."""
        metadata = (await self.http.get(WELL_KNOWN)).json()
        path = metadata["token_endpoint"].removeprefix(self.public_url)
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion or self.assertion(metadata["token_endpoint"]),
        }
        return await self.http.post(path, data=form, headers={"dpop": proof or self.proof("POST", path)})

    async def get_token(self) -> str:
        """Get a token."""
        answer = await self.ask_token()
        assert answer.status_code == 200, answer.text
        assert answer.json()["token_type"] == "DPoP"
        token: str = answer.json()["access_token"]
        return token

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    async def call(
        self, method: str, path: str, *, body: object = None, headers: Mapping[str, str] | None = None, **changes: Any
    ) -> httpx.Response:
        """Send one call with a fresh proof; ``changes`` go into the proof."""
        bare = path.partition("?")[0]
        fields = {
            "authorization": f"DPoP {self.access_token}",
            "dpop": self.proof(method, bare, token=self.access_token, **changes),
        }
        content = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"content-type": "application/json"}
        return await self.http.request(method, path, content=content, headers={**fields, **kind, **(headers or {})})

    async def disclose(
        self, handle: str, agent: str, attributes: Sequence[str] = ("family_name",), *, key: str | None = None,
        headers: Mapping[str, str] | None = None, **changes: Any,
    ) -> httpx.Response:  # fmt: skip
        """Ask for one person; ``key``: the ``Idempotency-Key``."""
        body = {"appointment": handle, "agent": agent, "attributes": list(attributes)}
        fields = {**({"idempotency-key": key} if key else {}), **(headers or {})}
        return await self.call("POST", "/v1/disclosures", body=body, headers=fields, **changes)


def unpadded(raw: bytes) -> str:
    """Write base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


# ── what a receipt proves (decision 0001) ────────────────────────────────────────────────────────────────────────────────────
def field_digest(name: str, salt: bytes, value: object) -> bytes:
    """Hash one shown field."""
    written = rfc8785.dumps(value)  # type: ignore[arg-type] # any JSON value
    return hashlib.sha256(b"ecluse/1/" + name.encode() + b"\0" + salt + written).digest()


def tree_root(hashes: Sequence[bytes]) -> bytes:
    """Split at the largest power of two below the count (RFC 6962 §2.1), the digests being the leaves."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + tree_root(hashes[:split]) + tree_root(hashes[split:])).digest()


def shown_fields(opening: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that an opening shows."""
    return {field[0]: field[2] for field in opening["fields"] if isinstance(field, list)}


def recomputed_leaf_hash(opening: Mapping[str, Any]) -> str:
    """Recompute the leaf of an opening and return its hash in hex."""
    digests = [
        bytes.fromhex(field) if isinstance(field, str) else field_digest(field[0], bytes.fromhex(field[1]), field[2])
        for field in opening["fields"]
    ]
    leaf = rfc8785.dumps({"c": tree_root(digests).hex(), "h": opening["h"], "k": opening["k"], "v": opening["v"]})
    return hashlib.sha256(b"\0" + leaf).hexdigest()


def value_digest(attribute: str, salt: str, value: object) -> str:
    """Hash one delivered value."""
    written = rfc8785.dumps(value)  # type: ignore[arg-type] # any JSON value
    return hashlib.sha256(b"ecluse/1/value/" + attribute.encode() + b"\0" + bytes.fromhex(salt) + written).hexdigest()


def check_receipt(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Check that an answer's receipt opens to its leaf hash and commits to each value delivered; return what it shows."""
    receipt = answer["receipt"]
    assert recomputed_leaf_hash(receipt["opening"]) == receipt["leaf_hash"]
    shown = shown_fields(receipt["opening"])
    delivered = answer.get("subject", {})
    assert set(receipt["value_salts"]) == set(delivered)
    assert shown.get("values", {}) == {
        name: value_digest(name, receipt["value_salts"][name], value) for name, value in delivered.items()
    }
    return shown


def root_of_inclusion(index: int, size: int, leaf_hash: bytes, path: Sequence[bytes]) -> bytes:
    """Fold an inclusion proof (RFC 9162 §2.1.3.2); raise ValueError where it can't be one."""
    if not 0 <= index < size:
        raise ValueError("outside of the tree")
    node, last, folded = index, size - 1, leaf_hash
    for sibling in path:
        if last == 0:
            raise ValueError("too long")
        if node & 1 or node == last:
            folded = hashlib.sha256(b"\x01" + sibling + folded).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            folded = hashlib.sha256(b"\x01" + folded + sibling).digest()
        node, last = node >> 1, last >> 1
    if last:
        raise ValueError("too short")
    return folded


def is_included(index: int, size: int, leaf_hash: bytes, path: Sequence[bytes], root: bytes) -> bool:
    """Tell whether a proof shows that a leaf is at an index of the tree of that size and root."""
    try:
        return root_of_inclusion(index, size, leaf_hash, path) == root
    except ValueError:
        return False


def read_checkpoint(note: str, vkey: str) -> tuple[str, int, bytes]:
    """Verify a signed note by one key (C2SP signed-note, Ed25519) and read it as a checkpoint: origin, size, root."""
    name, key_id, encoded = vkey.split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    assert raw[0] == 1
    assert hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() == key_id
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    lines = [line.rsplit(" ", 1) for line in signatures.rstrip("\n").split("\n")]
    by_name = [base64.b64decode(line[1], validate=True) for line in lines if line[0] == f"\u2014 {name}"]
    (signed,) = [each for each in by_name if each[:4].hex() == key_id]  # others: witnesses, the log's next key
    Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signed[4:], text.encode())
    origin, size, root = text.split("\n")[:3]
    return origin, int(size), base64.b64decode(root, validate=True)


# ── what the OpenAPI document promises ───────────────────────────────────────────────────────────────────────────────────────
def promised_by(document: Mapping[str, Any], method: str, path: str, status: int = 200) -> Mapping[str, Any]:
    """Return the schema of an operation's answer."""
    content = document["paths"][path][method.lower()]["responses"][str(status)]["content"]
    schema: Mapping[str, Any] = next(iter(content.values()))["schema"]
    return schema


def misfits(document: Mapping[str, Any], schema: Mapping[str, Any], value: object, where: str = "$") -> list[str]:
    """Say where a value is not as a schema says: references, types, required and undeclared members, lists and alternatives."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    alternatives = schema.get("oneOf") or schema.get("anyOf")
    if alternatives:
        return [] if any(not misfits(document, one, value) for one in alternatives) else [f"{where}: none of the alternatives"]
    kinds: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "boolean": bool,
        "null": type(None),
        "number": (int, float),
    }
    named = schema.get("type")
    wanted = [named] if isinstance(named, str) else named or []
    if wanted and not any(isinstance(value, kinds[kind]) for kind in wanted):
        return [f"{where}: not {wanted}"]
    found: list[str] = []
    if isinstance(value, dict):
        members = schema.get("properties", {})
        found += [f"{where}.{name}: missing" for name in schema.get("required", []) if name not in value]
        for name, each in value.items():
            if name in members:
                found += misfits(document, members[name], each, f"{where}.{name}")
            elif schema.get("additionalProperties", False) is False:
                found.append(f"{where}.{name}: undeclared")
    if isinstance(value, list):
        for n, each in enumerate(value):
            found += misfits(document, schema.get("items", {}), each, f"{where}[{n}]")
    return found
