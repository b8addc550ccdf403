"""Keys, and hands that write tokens and proofs well or badly."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ecluse.identity import PrivateKey, generate_private, load_private
from ecluse.identity.proofs import token_hash


@pytest.fixture(scope="session", params=["ES256", "EdDSA"])
def any_key(request: pytest.FixtureRequest) -> PrivateKey:
    """Return a key of each kind in turn."""
    return load_private(generate_private(request.param))


@pytest.fixture(scope="session")
def key() -> PrivateKey:
    """Return an ES256 key."""
    return load_private(generate_private("ES256"))


@pytest.fixture(scope="session")
def other_key() -> PrivateKey:
    """Return another ES256 key."""
    return load_private(generate_private("ES256"))


@pytest.fixture(scope="session")
def sign() -> Callable[..., str]:
    """Return a hand that signs claims, or bytes that only look like claims."""

    def hand(key: PrivateKey, header: dict[str, object], claims: dict[str, object] | bytes) -> str:
        return key.sign_compact(header, claims if isinstance(claims, bytes) else json.dumps(claims).encode())

    return hand


@pytest.fixture(scope="session")
def proof_claims() -> Callable[..., dict[str, object]]:
    """Return a hand that writes the claims of a good proof for ``POST /v1/disclosures``, changed; None removes one."""

    def hand(token: str | None = None, **changes: object) -> dict[str, object]:
        claims: dict[str, object] = {
            "jti": "once-1",
            "htm": "POST",
            "htu": "https://gate.example/v1/disclosures",
            "iat": 1767605400,
        }
        if token is not None:
            claims["ath"] = token_hash(token)
        return {name: value for name, value in (claims | changes).items() if value is not None}

    return hand


@pytest.fixture(scope="session")
def make_proof(sign: Callable[..., str], proof_claims: Callable[..., dict[str, object]]) -> Callable[..., str]:
    """Return a hand that signs a proof whose claims are good but for the changes."""

    def hand(key: PrivateKey, token: str | None = None, **changes: object) -> str:
        return sign(key, {"typ": "dpop+jwt", "jwk": key.public.jwk}, proof_claims(token, **changes))

    return hand
