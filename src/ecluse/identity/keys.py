"""Keys: ES256 (P-256) and Ed25519, and nothing else.

A public key is read from a JWK (RFC 7517, 7518 §6.2, 8037 §2), reduced to the members that RFC 7638 hashes and named by that
hash. A private key is PKCS#8 PEM without a password (the file's mode protects it) and never shows itself. Vectors: RFC 7638 has
none for these kinds; RFC 8037 A.3 has one.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, thumbprint

from ecluse.identity.compact import Malformed, unpack
from ecluse.identity.errors import KeyInvalid
from ecluse.identity.model import Algorithm, PublicKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_KINDS: Final = {("EC", "P-256"): Algorithm.ES256, ("OKP", "Ed25519"): Algorithm.EDDSA}
_NAMES: Final = {Algorithm.ES256: frozenset({"ES256"}), Algorithm.EDDSA: frozenset({"EdDSA", "Ed25519"})}
_SECRET_MEMBERS: Final = frozenset({"d", "k", "p", "q", "dp", "dq", "qi", "oth", "priv"})
_COORDINATE_BYTES: Final = 32
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
_ES256: Final = ec.ECDSA(hashes.SHA256())


class PrivateKey:
    """A key of our own: signs, tells its public half, and never shows its secret."""

    __slots__ = ("_key", "alg", "public")

    def __init__(self, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> None:
        """Wrap a key of the ``cryptography`` library; raise ``KeyInvalid`` for another curve than P-256."""
        self._key: ECKey | OKPKey
        if isinstance(key, ec.EllipticCurvePrivateKey):
            if not isinstance(key.curve, ec.SECP256R1):
                raise KeyInvalid("only the curves P-256 and Ed25519 are accepted")
            self._key = ECKey.import_key(key)
        else:
            self._key = OKPKey.import_key(key)
        self.public: PublicKey = parse_public_jwk(self._key.as_dict(private=False))
        self.alg: Algorithm = self.public.alg

    def __repr__(self) -> str:
        """Show the kind and the public name only."""
        return f"PrivateKey({self.alg.value}, {self.public.thumbprint})"

    @property
    def thumbprint(self) -> str:
        """Name the key by its public half (RFC 7638)."""
        return self.public.thumbprint

    def sign_compact(self, header: Mapping[str, object], claims: bytes) -> str:
        """Return a compact JWS over ``claims``; ``alg`` is set by the key (``Ed25519`` rather than ``EdDSA``, RFC 9864)."""
        name = "ES256" if self.alg is Algorithm.ES256 else "Ed25519"
        return jws.serialize_compact({**header, "alg": name}, claims, self._key, algorithms=[name])

    def sign_es256(self, message: bytes) -> bytes:
        """Return ``r || s``, 64 bytes (RFC 7518 §3.4, RFC 9421 §3.3.4); raise ``KeyInvalid`` for a key of another kind."""
        key = self._key.private_key
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise KeyInvalid("only an ES256 key signs so")
        r, s = decode_dss_signature(key.sign(message, _ES256))
        return r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")


def parse_public_jwk(obj: object) -> PublicKey:
    """Read a public key from a parsed JWK; members that say nothing about the key itself are dropped.

    Raises ``KeyInvalid`` for a private or symmetric key, another kind or curve, an ``alg``, ``use`` or ``key_ops`` that
    does not fit signing, coordinates that are not canonical, and an EC point that is not on the curve.
    """
    if not isinstance(obj, dict) or not all(isinstance(name, str) for name in obj):
        raise KeyInvalid("not a JSON object")
    if not _SECRET_MEMBERS.isdisjoint(obj):
        raise KeyInvalid("it holds a secret: only public keys are accepted")
    kty, crv = obj.get("kty"), obj.get("crv")
    alg = _KINDS.get((kty, crv)) if isinstance(kty, str) and isinstance(crv, str) else None
    if alg is None:
        raise KeyInvalid("only the curves P-256 and Ed25519 are accepted")
    _check_use(obj, alg)
    names = ("crv", "kty", "x", "y") if alg is Algorithm.ES256 else ("crv", "kty", "x")
    if alg is Algorithm.EDDSA and "y" in obj:
        raise KeyInvalid("an Ed25519 key has no y coordinate")
    for name in names[2:]:
        _coordinate(obj.get(name))
    jwk = {name: str(obj[name]) for name in names}
    key = PublicKey(alg=alg, jwk=jwk, thumbprint=thumbprint(dict(jwk)))
    verifier(key)
    return key


def verifier(key: PublicKey) -> Callable[[bytes, bytes], bool]:
    """Return ``verify(signature, message)`` for raw JWS signatures (RFC 7518 §3.4, 8037 §3.1); a point off the curve raises."""
    x = _coordinate(key.jwk["x"])
    if key.alg is Algorithm.EDDSA:
        return partial(_verify_ed25519, ed25519.Ed25519PublicKey.from_public_bytes(x))
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + _coordinate(key.jwk["y"]))
    except ValueError:
        raise KeyInvalid("the point is not on the curve") from None
    return partial(_verify_es256, point)


def accepts(alg: Algorithm, name: object) -> bool:
    """Tell whether a JOSE header's ``alg`` names this kind of key; ``Ed25519`` and ``EdDSA`` are one (RFC 9864)."""
    return isinstance(name, str) and name in _NAMES[alg]


def is_thumbprint(text: str) -> bool:
    """Tell whether ``text`` is the canonical spelling of a SHA-256 thumbprint."""
    return _THUMBPRINT.fullmatch(text) is not None


def generate_private(alg: Algorithm | str) -> bytes:
    """Draw a new private key and return it as PKCS#8 PEM; ``alg`` is ``ES256`` or ``EdDSA``."""
    p256 = Algorithm(alg) is Algorithm.ES256
    key = ec.generate_private_key(ec.SECP256R1()) if p256 else ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def load_private(pem: bytes) -> PrivateKey:
    """Load a private key from PKCS#8 PEM; raise ``KeyInvalid`` if it is not one of ours (the message never quotes the file)."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyInvalid("not an unencrypted PKCS#8 private key in PEM") from None
    if not isinstance(key, (ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)):
        raise KeyInvalid("only the curves P-256 and Ed25519 are accepted")
    return PrivateKey(key)


def _check_use(jwk: dict[str, object], alg: Algorithm) -> None:
    if "alg" in jwk and not accepts(alg, jwk["alg"]):
        raise KeyInvalid("alg does not fit the key")
    if jwk.get("use", "sig") != "sig":
        raise KeyInvalid("use is not sig")
    if jwk.get("key_ops", ["verify"]) != ["verify"]:
        raise KeyInvalid("key_ops is not verify")


def _coordinate(value: object) -> bytes:
    if not isinstance(value, str):
        raise KeyInvalid("a coordinate is missing")
    try:
        data = unpack(value.encode("ascii"))
    except (Malformed, UnicodeEncodeError):
        raise KeyInvalid("a coordinate is not canonical base64url") from None
    if len(data) != _COORDINATE_BYTES:
        raise KeyInvalid("a coordinate is not 32 bytes")
    return data


def _verify_es256(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    if len(signature) != 2 * _COORDINATE_BYTES:
        return False
    r, s = int.from_bytes(signature[:_COORDINATE_BYTES], "big"), int.from_bytes(signature[_COORDINATE_BYTES:], "big")
    try:
        key.verify(encode_dss_signature(r, s), message, _ES256)
    except InvalidSignature:
        return False
    return True


def _verify_ed25519(key: ed25519.Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True
