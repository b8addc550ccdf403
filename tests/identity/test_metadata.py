"""What the authorization server says about itself."""

from __future__ import annotations

import msgspec
import pytest

from ecluse.identity import PrivateKey, key_set, server_metadata
from ecluse.identity.metadata import well_known_path

pytestmark = pytest.mark.unit


def test_server_metadata_when_written_then_as_the_rfc_names_it() -> None:
    """Every member is there, and the issuer has no final slash."""
    assert msgspec.to_builtins(server_metadata("https://Gate.example:443/")) == {
        "issuer": "https://gate.example",
        "token_endpoint": "https://gate.example/oauth/token",
        "jwks_uri": "https://gate.example/oauth/jwks",
        "response_types_supported": (),
        "grant_types_supported": ("client_credentials",),
        "token_endpoint_auth_methods_supported": ("private_key_jwt",),
        "token_endpoint_auth_signing_alg_values_supported": ("ES256", "Ed25519", "EdDSA"),
        "dpop_signing_alg_values_supported": ("ES256", "Ed25519", "EdDSA"),
    }


def test_well_known_path_when_issuer_has_a_path_then_it_comes_after() -> None:
    """RFC 8414 puts the well-known part between host and path."""
    assert well_known_path("https://gate.example/") == "/.well-known/oauth-authorization-server"
    assert well_known_path("https://gate.example/lock/a/") == "/.well-known/oauth-authorization-server/lock/a"


def test_key_set_when_published_then_public_and_named(key: PrivateKey, other_key: PrivateKey) -> None:
    """Each key has its name, use and algorithm, and no secret."""
    published = key_set([key.public, other_key.public]).keys
    assert [each["kid"] for each in published] == [key.thumbprint, other_key.thumbprint]
    assert set(published[0]) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (published[0]["use"], published[0]["alg"]) == ("sig", "ES256")
