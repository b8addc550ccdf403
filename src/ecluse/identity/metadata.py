"""What the authorization server says about itself: RFC 8414 metadata and its keys as a JWK set (RFC 7517 §5).

It lists what is accepted and nothing that is not built; ``response_types_supported`` is required and empty, as there is no
authorization endpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ecluse.identity.proofs import normal_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ecluse.identity.model import PublicKey

WELL_KNOWN_PATH: Final = "/.well-known/oauth-authorization-server"
TOKEN_PATH: Final = "/oauth/token"  # noqa: S105  (a path)
JWKS_PATH: Final = "/oauth/jwks"
SIGNING_ALGORITHMS: Final = ("ES256", "Ed25519", "EdDSA")


class ServerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata document; members as RFC 8414 §2 and RFC 9449 §5.1 name them."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    response_types_supported: tuple[str, ...] = ()
    grant_types_supported: tuple[str, ...] = ("client_credentials",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("private_key_jwt",)
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = SIGNING_ALGORITHMS
    dpop_signing_alg_values_supported: tuple[str, ...] = SIGNING_ALGORITHMS


class KeySet(msgspec.Struct, frozen=True, kw_only=True):
    """A JWK set of public keys."""

    keys: tuple[dict[str, str], ...]


def server_metadata(public_url: str) -> ServerMetadata:
    """Describe the server at ``public_url``, which is its issuer too (without a final slash)."""
    issuer = issuer_of(public_url)
    return ServerMetadata(issuer=issuer, token_endpoint=issuer + TOKEN_PATH, jwks_uri=issuer + JWKS_PATH)


def issuer_of(public_url: str) -> str:
    """Return the issuer's one spelling: the normal address without a final slash; ValueError if it is not http(s)."""
    return normal_url(public_url).removesuffix("/")


def well_known_path(public_url: str) -> str:
    """Return the path of the metadata: the issuer's own path, if any, comes after the well-known part (RFC 8414 §3.1)."""
    origin_and_path = issuer_of(public_url).split("/", 3)
    return WELL_KNOWN_PATH + (f"/{origin_and_path[3]}" if len(origin_and_path) > 3 else "")


def key_set(public_keys: Iterable[PublicKey]) -> KeySet:
    """Publish the token keys, each named by its thumbprint."""
    return KeySet(keys=tuple({**key.jwk, "kid": key.thumbprint, "use": "sig", "alg": key.alg.value} for key in public_keys))
