"""Which public keys are accepted, and how they are named."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from ecluse.identity import Algorithm, KeyInvalid, PrivateKey, generate_private, load_private, parse_public_jwk
from ecluse.identity.keys import is_thumbprint, verifier

pytestmark = pytest.mark.unit

# RFC 7515 A.3 (public half) and RFC 8037 A.2, whose thumbprint is in A.3.
P256 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
ED25519 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


@pytest.mark.parametrize(
    "change",
    [
        {"d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"},
        {"k": "AAAA"},
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"crv": ["P-256"]},
        {"kty": "RSA"},
        {"kty": "oct"},
        {"alg": "RS256"},
        {"alg": "EdDSA"},
        {"alg": None},
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU="},
        {"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV"},
        {"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVE"},
        {"x": "é83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"},
        {"x": P256["y"]},
        {"x": 5},
        {"y": None},
    ],
)
def test_parse_when_not_a_good_public_p256_key_then_refused(change: dict[str, object]) -> None:
    """A secret, another kind, a wrong use or a bad coordinate is refused."""
    with pytest.raises(KeyInvalid):
        parse_public_jwk({**P256, **change})


@pytest.mark.parametrize("thing", [None, [], "key", 3, {}, {1: 2}, {**ED25519, "y": P256["y"]}, {**ED25519, "alg": "ES256"}])
def test_parse_when_not_a_key_then_refused(thing: object) -> None:
    """Anything that is not one key object is refused."""
    with pytest.raises(KeyInvalid):
        parse_public_jwk(thing)


def test_parse_when_p256_then_named_by_its_thumbprint() -> None:
    """The required members alone make the name, whatever else came along."""
    key = parse_public_jwk({**P256, "kid": "mine", "use": "sig", "alg": "ES256", "key_ops": ["verify"]})
    assert (key.alg, key.jwk, key.thumbprint) == (Algorithm.ES256, P256, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U")


@pytest.mark.parametrize("name", ["EdDSA", "Ed25519"])
def test_parse_when_ed25519_then_thumbprint_of_rfc_8037(name: str) -> None:
    """The example of RFC 8037 has the thumbprint printed there, under both names of the algorithm."""
    key = parse_public_jwk({**ED25519, "alg": name})
    assert (key.alg, key.thumbprint) == (Algorithm.EDDSA, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_parse_when_anything_then_refused_in_our_own_words(thing: object) -> None:
    """No input makes the parser raise another error than its own."""
    with pytest.raises(KeyInvalid):
        parse_public_jwk(thing)


def test_load_when_not_a_key_of_ours_then_refused() -> None:
    """Another curve, RSA, a passworded or broken file is refused, and the file is not quoted."""
    pem, pkcs8, no_password = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret = serialization.BestAvailableEncryption(b"word")
    curve = ec.generate_private_key(ec.SECP384R1()).private_bytes(pem, pkcs8, no_password)
    big = rsa.generate_private_key(65537, 2048).private_bytes(pem, pkcs8, no_password)
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, pkcs8, secret)
    for each in (curve, big, locked, b"", b"-----BEGIN PRIVATE KEY-----\nsecretsecret\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(KeyInvalid) as caught:
            load_private(each)
        assert "secretsecret" not in str(caught.value)


def test_generate_when_unknown_kind_then_refused() -> None:
    """Only the two kinds can be drawn."""
    with pytest.raises(ValueError, match="RS256"):
        generate_private("RS256")


def test_private_key_when_shown_then_masked(any_key: PrivateKey) -> None:
    """A private key shows its kind and public name only, and its public half has no secret."""
    assert repr(any_key) == f"PrivateKey({any_key.alg}, {any_key.thumbprint})"
    assert "d" not in any_key.public.jwk
    assert is_thumbprint(any_key.thumbprint)


def test_verifier_when_signature_is_wrong_then_false(any_key: PrivateKey) -> None:
    """Empty, short, long and zero signatures are false, not errors."""
    verify = verifier(any_key.public)
    assert not any(verify(bytes(length), b"message") for length in (0, 1, 63, 64, 65, 72))
