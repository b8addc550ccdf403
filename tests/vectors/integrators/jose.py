"""Proofs of key (RFC 9449) and client assertions (RFC 7523) for integrators: keys of their own, what must be accepted, and more that must be refused.

Keys are derived from their names and ES256 signatures are those of RFC 6979: every byte follows from this source. ``generate.py`` writes the files.
"""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

SERVER: Final = "https://gate.example"
TOKEN_PATH: Final = "/oauth/token"
CLIENT: Final = "cli_mzuxg5dpojuwg2ltoqqho2lumi"
AT: Final = "2026-01-05T09:30:00Z"
EPOCH: Final = 1767605400
DISCLOSE: Final = {"method": "POST", "path": "/v1/disclosures"}
Row = dict[str, Any]


def b64url(raw: bytes) -> str:
    """Write base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def dense(value: object) -> bytes:
    """Write JSON without white space."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Key:
    """A key made for these vectors, of nothing but its name: never use it for anything else."""

    def __init__(self, name: str, kind: str = "ES256") -> None:
        """Derive the key from its name."""
        self.name, self.kind = name, kind
        seed = sha256(b"ecluse test vector, not a secret: " + name.encode()).digest()
        self.secret: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
        if kind == "ES256":
            self.secret = ec.derive_private_key(int.from_bytes(seed, "big"), ec.SECP256R1())
            numbers = self.secret.private_numbers()
            x, y = (number.to_bytes(32, "big") for number in (numbers.public_numbers.x, numbers.public_numbers.y))
            self.jwk = {"crv": "P-256", "kty": "EC", "x": b64url(x), "y": b64url(y)}
            self.private_jwk = {**self.jwk, "d": b64url(seed)}
        else:
            self.secret = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
            self.jwk = {"crv": "Ed25519", "kty": "OKP", "x": b64url(self.secret.public_key().public_bytes_raw())}
            self.private_jwk = {**self.jwk, "d": b64url(seed)}
        self.thumbprint = b64url(sha256(dense(self.jwk)).digest())  # RFC 7638: the members stand in order

    def sign(self, message: bytes) -> bytes:
        """Sign as JOSE wants it: 64 bytes."""
        if isinstance(self.secret, ed25519.Ed25519PrivateKey):
            return self.secret.sign(message)
        r, s = decode_dss_signature(self.sign_der(message))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def sign_der(self, message: bytes) -> bytes:
        """Sign as OpenSSL and Java do unless told otherwise: an ASN.1 structure, which JOSE refuses."""
        if isinstance(self.secret, ed25519.Ed25519PrivateKey):
            raise TypeError("Ed25519 signatures are never wrapped")
        return self.secret.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    def described(self) -> Row:
        """Show the key in every form."""
        private = self.secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        public = self.secret.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        return {
            "alg": self.kind, "public_jwk": self.jwk, "private_jwk": self.private_jwk, "private_pem": private, "public_pem": public,
            "thumbprint_input": dense(self.jwk).decode(), "thumbprint": self.thumbprint,
        }  # fmt: skip


CLIENT_KEY: Final = Key("client")
NEXT_KEY: Final = Key("client, next", "Ed25519")
STRANGER: Final = Key("stranger")
TOKEN_KEY: Final = Key("token")


def compact(key: Key, header: Row, claims: Row | bytes) -> str:
    """Sign a compact JWS."""
    body = claims if isinstance(claims, bytes) else dense(claims)
    message = f"{b64url(dense(header))}.{b64url(body)}"
    return f"{message}.{b64url(key.sign(message.encode()))}"


def without(row: Row, name: str) -> Row:
    """Leave a member out."""
    return {each: value for each, value in row.items() if each != name}


def token_of(key: Key, jti: str = "token-1") -> str:
    """Sign an access token bound to a key, as the gate does."""
    claims = {
        "iss": SERVER, "aud": SERVER, "sub": CLIENT, "client_id": CLIENT, "scope": "disclose", "cnf": {"jkt": key.thumbprint},
        "iat": EPOCH - 60, "exp": EPOCH + 240, "jti": jti,
    }  # fmt: skip
    return compact(TOKEN_KEY, {"typ": "at+jwt", "kid": TOKEN_KEY.thumbprint, "alg": "ES256"}, claims)


TOKEN: Final = token_of(CLIENT_KEY)
ATH: Final = b64url(sha256(TOKEN.encode()).digest())


def proof_claims(**changes: Any) -> Row:
    """Return the claims of a good proof of a disclosure, changed."""
    return {"jti": "proof-1", "htm": "POST", "htu": f"{SERVER}/v1/disclosures", "iat": EPOCH, "ath": ATH} | changes


def proof_header(key: Key = CLIENT_KEY, **changes: Any) -> Row:
    """Return the header of a good proof, changed."""
    return {"typ": "dpop+jwt", "alg": key.kind, "jwk": key.jwk} | changes


def shown(name: str, request: Row, proof: str, key: Key, token: str | None) -> Row:
    """Describe a proof step by step."""
    head, body, signature = proof.split(".")
    return {
        "name": name,
        **request,
        "key": key.name,
        "token": token,
        "signing_input": f"{head}.{body}",
        "signature": signature,
        "proof": proof,
    }


def accepted_proofs() -> list[Row]:
    """Make the proofs that must be accepted."""
    next_token = token_of(NEXT_KEY, "token-2")
    next_ath = b64url(sha256(next_token.encode()).digest())
    at_token = {"jti": "proof-0", "htm": "POST", "htu": SERVER + TOKEN_PATH, "iat": EPOCH}
    listing = {"method": "GET", "path": "/v1/sessions"}
    rows: list[tuple[str, Row, Row, Row, Key, str | None]] = [
        ("a request for a token: no ath", {"method": "POST", "path": TOKEN_PATH}, proof_header(), at_token, CLIENT_KEY, None),
        ("a disclosure", DISCLOSE, proof_header(), proof_claims(), CLIENT_KEY, TOKEN),
        ("a list of sessions: htu is without the query", listing, proof_header(), proof_claims(htm="GET", htu=f"{SERVER}/v1/sessions"), CLIENT_KEY, TOKEN),
        ("Ed25519, by its name of RFC 9864", DISCLOSE, proof_header(NEXT_KEY), proof_claims(ath=next_ath), NEXT_KEY, next_token),
        ("Ed25519, by its older name", DISCLOSE, proof_header(NEXT_KEY, alg="EdDSA"), proof_claims(ath=next_ath), NEXT_KEY, next_token),
        ("an address written otherwise: capitals, default port", DISCLOSE, proof_header(), proof_claims(htu="HTTPS://Gate.Example:443/v1/disclosures"),
         CLIENT_KEY, TOKEN),
        ("the oldest that is taken: 59 seconds", DISCLOSE, proof_header(), proof_claims(iat=EPOCH - 59), CLIENT_KEY, TOKEN),
        ("the newest that is taken: 5 seconds ahead", DISCLOSE, proof_header(), proof_claims(iat=EPOCH + 5), CLIENT_KEY, TOKEN),
        ("the longest jti: 128 characters", DISCLOSE, proof_header(), proof_claims(jti="j" * 128), CLIENT_KEY, TOKEN),
        ("claims that we don't know are passed over", DISCLOSE, proof_header(), proof_claims(exp=EPOCH + 60, nonce="n"), CLIENT_KEY, TOKEN),
    ]  # fmt: skip
    return [
        {**shown(name, request, compact(key, header, claims), key, token), "header": header, "claims": claims}
        for name, request, header, claims, key, token in rows
    ]


def refused_proofs() -> list[Row]:
    """Make the proofs that must be refused, each with the number of the check of RFC 9449 §4.3 that it fails."""
    good = compact(CLIENT_KEY, proof_header(), proof_claims())
    head, body, signature = good.split(".")
    message = f"{head}.{body}".encode()
    flipped = b64url(bytes([CLIENT_KEY.sign(message)[0] ^ 1]) + CLIENT_KEY.sign(message)[1:])
    off_curve = {**CLIENT_KEY.jwk, "y": b64url(bytes(31) + b"\x01")}
    twice = dense(proof_claims())[:-1] + b',"jti":"proof-2"}'
    padded = b64encode(dense(proof_claims())).decode()
    headers: list[tuple[int, str, Row]] = [
        (2, "a critical extension", proof_header(crit=["exp"], exp=1)), (4, "typ is missing", without(proof_header(), "typ")),
        (4, "typ is JWT", proof_header(typ="JWT")), (5, "alg is none", proof_header(alg="none")),
        (5, "alg is HS256", proof_header(alg="HS256")), (5, "alg does not fit the key", proof_header(alg="Ed25519")),
        (7, "jwk is missing", without(proof_header(), "jwk")), (7, "jwk is the private key", proof_header(jwk=CLIENT_KEY.private_jwk)),
        (7, "jwk is a point off the curve", proof_header(jwk=off_curve)),
        (7, "jwk is of another curve", proof_header(jwk={**CLIENT_KEY.jwk, "crv": "secp256k1"})),
    ]  # fmt: skip
    claims: list[tuple[int, str, Row | bytes]] = [
        *((3, f"{name} is missing", without(proof_claims(), name)) for name in ("jti", "htm", "htu", "iat")),
        (3, "iat is a text", proof_claims(iat=str(EPOCH))), (3, "jti is empty", proof_claims(jti="")),
        (3, "jti is longer than 128 characters", proof_claims(jti="j" * 129)), (2, "jti stands twice", twice),
        (8, "htm is in small letters", proof_claims(htm="post")), (8, "htm is another method", proof_claims(htm="GET")),
        (9, "htu is a path only", proof_claims(htu="/v1/disclosures")), (9, "htu has a query", proof_claims(htu=f"{SERVER}/v1/disclosures?x=1")),
        (9, "htu ends in a slash", proof_claims(htu=f"{SERVER}/v1/disclosures/")), (9, "htu is another call", proof_claims(htu=f"{SERVER}/v1/whoami")),
        (9, "htu is the inner address behind the proxy", proof_claims(htu="http://127.0.0.1:8080/v1/disclosures")),
        (11, "iat is 60 seconds old", proof_claims(iat=EPOCH - 60)), (11, "iat is 6 seconds ahead", proof_claims(iat=EPOCH + 6)),
        (11, "iat is in milliseconds", proof_claims(iat=EPOCH * 1000)), (12, "ath is missing", without(proof_claims(), "ath")),
        (12, "ath is in hex", proof_claims(ath=sha256(TOKEN.encode()).hexdigest())), (12, "ath is padded", proof_claims(ath=ATH + "=")),
        (12, "ath is of another token", proof_claims(ath=b64url(sha256(b"another").digest()))),
    ]  # fmt: skip
    texts = [
        (1, "two proofs in one field", f"{good}, {good}"), (2, "the signature is missing", f"{head}.{body}."),
        (2, "plain base64 with padding", f"{head}.{padded}.{signature}"),
        (6, "the signature is in ASN.1, not 64 bytes", f"{head}.{body}.{b64url(CLIENT_KEY.sign_der(message))}"),
        (6, "a bit of the signature is changed", f"{head}.{body}.{flipped}"),
        (6, "signed by another key than jwk", compact(STRANGER, proof_header(), proof_claims())),
        (12, "a good proof by a key that the token is not bound to", compact(STRANGER, proof_header(STRANGER), proof_claims())),
    ]  # fmt: skip
    texts += [(check, name, compact(CLIENT_KEY, header, proof_claims())) for check, name, header in headers]
    texts += [(check, name, compact(CLIENT_KEY, proof_header(), each)) for check, name, each in claims]
    return [
        {"name": name, **DISCLOSE, "token": TOKEN, "check": check, "problem": "invalid-proof", "proof": proof}
        for check, name, proof in sorted(texts)
    ]


def assertions() -> Row:
    """Make client assertions."""
    base = {"iss": CLIENT, "sub": CLIENT, "aud": SERVER, "iat": EPOCH, "exp": EPOCH + 60, "jti": "assertion-1"}
    typed = {"typ": "client-authentication+jwt", "alg": "ES256"}
    endpoint = SERVER + TOKEN_PATH
    accepted: list[tuple[str, Key, Row, Row]] = [
        ("for the issuer", CLIENT_KEY, typed, base), ("for the token endpoint", CLIENT_KEY, typed, base | {"aud": endpoint}),
        ("aud is a list of one", CLIENT_KEY, typed, base | {"aud": [SERVER]}), ("without typ", CLIENT_KEY, {"alg": "ES256"}, base),
        ("with kid", CLIENT_KEY, typed | {"kid": CLIENT_KEY.thumbprint}, base),
        ("by the second key, Ed25519", NEXT_KEY, typed | {"alg": "Ed25519"}, base),
        ("the longest that is taken: exp in 305 seconds", CLIENT_KEY, typed, base | {"exp": EPOCH + 305}),
    ]  # fmt: skip
    changed: list[tuple[str, Row]] = [
        ("aud is another server", {"aud": "https://other.example"}), ("aud names two servers", {"aud": [SERVER, "https://other.example"]}),
        ("aud ends in a slash", {"aud": f"{SERVER}/"}), ("iss is not sub", {"iss": "lyon-formation"}), ("exp has passed", {"exp": EPOCH}),
        ("exp is an hour ahead", {"exp": EPOCH + 3600}), ("iat is 60 seconds old", {"iat": EPOCH - 60}), ("iat is 6 seconds ahead", {"iat": EPOCH + 6}),
        ("times are in milliseconds", {"iat": EPOCH * 1000, "exp": EPOCH * 1000 + 60_000}), ("jti is empty", {"jti": ""}),
        ("sub is not a client's id", {"iss": "lyon-formation", "sub": "lyon-formation"}),
    ]  # fmt: skip
    refused = [(name, compact(CLIENT_KEY, typed, base | change)) for name, change in changed]
    refused += [(f"{name} is missing", compact(CLIENT_KEY, typed, without(base, name))) for name in base]
    refused += [
        ("signed by a key that is not registered", compact(STRANGER, typed, base)),
        ("kid is another key's", compact(CLIENT_KEY, typed | {"kid": STRANGER.thumbprint}, base)),
        ("typ is that of a proof", compact(CLIENT_KEY, typed | {"typ": "dpop+jwt"}, base)),
        ("typ is that of a token", compact(CLIENT_KEY, typed | {"typ": "at+jwt"}, base)),
        ("alg is none", compact(CLIENT_KEY, typed | {"alg": "none"}, base)),
    ]
    return {
        "accepted": [
            {"name": name, "key": key.name, "header": header, "claims": claims, "assertion": compact(key, header, claims)}
            for name, key, header, claims in accepted
        ],
        "refused": [{"name": name, "error": "invalid_client", "assertion": text} for name, text in refused],
    }
