"""DPoP proofs: each check of RFC 9449 §4.3 by its number, refusals first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.identity import PrivateKey, Proof, ProofChecker, ProofInvalid
from ecluse.identity import errors as e
from ecluse.identity.compact import pack
from ecluse.identity.proofs import normal_url, token_hash

pytestmark = pytest.mark.unit

Hand = Callable[..., Any]

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
EPOCH = 1767605400
URL = "https://gate.example"
TOKEN = "header.claims.signature"


def run(checker: ProofChecker, proof: str, **changes: object) -> Proof:
    """Check a proof of ``POST /v1/disclosures`` without a token, changed."""
    request: dict[str, object] = {"method": "POST", "path": "/v1/disclosures", "token": None, "thumbprint": None, "now": NOW}
    return checker.check(proof, **(request | changes))  # type: ignore[arg-type]


@pytest.fixture
def checker() -> ProofChecker:
    """Return a checker that remembers nothing yet."""
    return ProofChecker(URL)


def test_check_1_2_when_not_one_proof_then_malformed(checker: ProofChecker, key: PrivateKey, make_proof: Hand) -> None:
    """Two fields joined, a missing or extra part, blanks, padding and excess size are all malformed."""
    proof = make_proof(key)
    head, claims, signature = proof.split(".")
    bad = [
        f"{proof}, {proof}",
        f"{proof},{proof}",
        "",
        "..",
        f"{head}.{claims}",
        f"{proof}.",
        f"{proof}.AA",
        f" {proof}",
        f"{proof}\n",
    ]
    bad += [
        f"{head}.{claims}.{signature}==",
        f"{head}.{claims}=.{signature}",
        proof.replace("e", "é"),
        make_proof(key, pad="x" * 4000),
    ]
    for each in bad:
        with pytest.raises(e.ProofMalformed):
            run(checker, each)


@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat"])
def test_check_3_when_a_claim_is_missing_or_of_another_type_then_malformed(
    checker: ProofChecker, key: PrivateKey, name: str, make_proof: Hand
) -> None:
    """Each required claim must be there with its own type; a boolean or a float is no integer."""
    for value in (None, [], True, 1.5, {}):
        with pytest.raises(e.ProofMalformed):
            run(checker, make_proof(key, **{name: value}))


@pytest.mark.parametrize("jti", ["", "a" * 129, "é", "a\nb", "\x7f", "a\x00"])
def test_check_3_when_jti_is_not_printable_ascii_then_malformed(
    checker: ProofChecker, key: PrivateKey, jti: str, make_proof: Hand
) -> None:
    """A ``jti`` is 1 to 128 printable ASCII characters."""
    with pytest.raises(e.ProofMalformed):
        run(checker, make_proof(key, jti=jti))


@pytest.mark.parametrize(
    "tail",
    ['"jti":"once-2"', '"iat":1767605400', '"\\u006ati":"x"', '"x":1,"x":2', '"x":{"y":"1","y":"2"}', '"x":"\xff"', '"x":NaN'],
)
def test_check_2_when_a_name_comes_twice_then_malformed(checker: ProofChecker, key: PrivateKey, tail: str, sign: Hand) -> None:
    """A duplicate name, known or not, escaped or nested, is refused, and so is what is no JSON in UTF-8."""
    text = f'{{"jti":"once-1","htm":"POST","htu":"{URL}/v1/disclosures","iat":{EPOCH},{tail}}}'
    with pytest.raises(e.ProofMalformed):
        run(checker, sign(key, {"typ": "dpop+jwt", "jwk": key.public.jwk}, text.encode("latin-1")))


@pytest.mark.parametrize("typ", [None, "JWT", "at+jwt", "DPoP+JWT", "application/dpop+jwt", ["dpop+jwt"]])
def test_check_4_when_typ_is_another_then_refused(checker: ProofChecker, key: PrivateKey, typ: object) -> None:
    """The type is exactly ``dpop+jwt``."""
    header = {"typ": typ, "jwk": key.public.jwk, "alg": "ES256"}
    with pytest.raises(e.ProofKeyRefused):
        run(checker, _unsigned({name: value for name, value in header.items() if value is not None}))


@pytest.mark.parametrize("alg", [None, "none", "RS256", "HS256", "ES384", "ES256K", "EdDSA", "es256", ["ES256"]])
def test_check_5_when_alg_is_another_or_does_not_fit_then_refused(checker: ProofChecker, key: PrivateKey, alg: object) -> None:
    """Only the algorithm of the key it carries is accepted."""
    with pytest.raises(e.ProofKeyRefused):
        run(checker, _unsigned({"typ": "dpop+jwt", "jwk": key.public.jwk, "alg": alg}))


@pytest.mark.parametrize("extra", [{"crit": ["x"], "x": 1}, {"b64": False}])
def test_check_2_when_header_is_critical_then_malformed(checker: ProofChecker, key: PrivateKey, extra: dict[str, object]) -> None:
    """Critical header extensions are refused."""
    with pytest.raises(e.ProofMalformed):
        run(checker, _unsigned({"typ": "dpop+jwt", "jwk": key.public.jwk, "alg": "ES256", **extra}))


def test_check_6_when_signed_by_another_key_or_changed_then_refused(
    checker: ProofChecker, key: PrivateKey, other_key: PrivateKey, make_proof: Hand, sign: Hand, proof_claims: Hand
) -> None:
    """A proof that names a key it was not signed by, or one with any part exchanged, does not verify."""
    forged = sign(other_key, {"typ": "dpop+jwt", "jwk": key.public.jwk}, proof_claims())
    mine, later = make_proof(key).split("."), make_proof(key, jti="once-2").split(".")
    for proof in (forged, f"{mine[0]}.{later[1]}.{mine[2]}", f"{mine[0]}.{mine[1]}.{pack(bytes(64))}", f"{mine[0]}.{mine[1]}.AA"):
        with pytest.raises(e.ProofSignatureWrong):
            run(checker, proof)


def test_check_7_when_jwk_is_missing_or_private_then_refused(checker: ProofChecker, key: PrivateKey) -> None:
    """The header carries a public key and no secret."""
    for jwk in (None, {}, {**key.public.jwk, "d": key.public.jwk["x"]}, "key"):
        with pytest.raises(e.ProofKeyRefused):
            run(checker, _unsigned({"typ": "dpop+jwt", "jwk": jwk, "alg": "ES256"}))


@pytest.mark.parametrize("htm", ["GET", "post", "POST ", ""])
def test_check_8_when_another_method_then_refused(checker: ProofChecker, key: PrivateKey, htm: str, make_proof: Hand) -> None:
    """The method is compared exactly."""
    with pytest.raises(e.ProofTargetWrong):
        run(checker, make_proof(key, htm=htm))


@pytest.mark.parametrize(
    "htu",
    [
        "https://gate.example/v1/disclosures/",
        "https://gate.example/v1/Disclosures",
        "https://gate.example/v1/disclosure%73",
        "https://gate.example/v1/../v1/disclosures",
        "https://gate.example/v1/disclosures?x=1",
        "https://gate.example/v1/disclosures#x",
        "http://gate.example/v1/disclosures",
        "https://gate.example:8443/v1/disclosures",
        "https://gate.example.org/v1/disclosures",
        "https://gate.example@evil.example/v1/disclosures",
        "https://evil.example\\@gate.example/v1/disclosures",
        "https://gate.example/v1/\tdisclosures",
        " https://gate.example/v1/disclosures",
        "https://gate.example:99999/v1/disclosures",
        "https://[gate.example/v1/disclosures",
        "/v1/disclosures",
        "",
    ],
)
def test_check_9_when_another_address_then_refused(checker: ProofChecker, key: PrivateKey, htu: str, make_proof: Hand) -> None:
    """The address is that of the request, without query, and only scheme, host and default port are normalised."""
    with pytest.raises(e.ProofTargetWrong):
        run(checker, make_proof(key, htu=htu))


@pytest.mark.parametrize("htu", ["HTTPS://gate.example/v1/disclosures", "https://Gate.EXAMPLE:443/v1/disclosures"])
def test_check_9_when_written_otherwise_then_accepted(checker: ProofChecker, key: PrivateKey, htu: str, make_proof: Hand) -> None:
    """Case of scheme and host, and the default port, make no difference."""
    assert run(checker, make_proof(key, htu=htu)).thumbprint == key.thumbprint


@pytest.mark.parametrize("offset", [-3600, -61, -60, 6, 3600, -(10**30), 10**30])
def test_check_11_when_too_old_or_in_the_future_then_refused(
    checker: ProofChecker, key: PrivateKey, offset: int, make_proof: Hand
) -> None:
    """A proof lives 60 seconds from its ``iat``, and may be 5 seconds ahead; the error says how far the clock is off."""
    with pytest.raises(e.ProofOutOfTime) as caught:
        run(checker, make_proof(key, iat=EPOCH + offset))
    assert caught.value.offset == (timedelta(seconds=offset) if abs(offset) < 10**9 else None)


@pytest.mark.parametrize("offset", [-59, 0, 5])
def test_check_11_when_within_its_life_then_accepted(
    checker: ProofChecker, key: PrivateKey, offset: int, make_proof: Hand
) -> None:
    """The edges of the half-open interval are where they are said to be."""
    assert run(checker, make_proof(key, iat=EPOCH + offset)).issued_at == NOW + timedelta(seconds=offset)


def test_check_12a_when_made_for_another_token_then_refused(checker: ProofChecker, key: PrivateKey, make_proof: Hand) -> None:
    """Without ``ath``, or with that of another token, a proof is refused where a token is presented."""
    for proof in (make_proof(key), make_proof(key, "another.token.here"), make_proof(key, ath=token_hash(TOKEN) + "=")):
        with pytest.raises(e.ProofTokenMismatch):
            run(checker, proof, token=TOKEN, thumbprint=key.thumbprint)


def test_check_12b_when_by_another_key_than_the_tokens_then_refused(
    checker: ProofChecker, key: PrivateKey, other_key: PrivateKey, make_proof: Hand
) -> None:
    """A stolen token with the thief's own good proof is refused, before and after the rightful key was seen."""
    for _ in range(2):
        with pytest.raises(e.ProofTokenMismatch):
            run(checker, make_proof(other_key, TOKEN), token=TOKEN, thumbprint=key.thumbprint)
        run(checker, make_proof(key, TOKEN), token=TOKEN, thumbprint=key.thumbprint)


def test_check_when_good_then_says_what_to_spend(checker: ProofChecker, any_key: PrivateKey, make_proof: Hand) -> None:
    """A good proof of either kind of key gives its key, its minute and the digest of key and ``jti``."""
    proof = run(checker, make_proof(any_key, TOKEN), token=TOKEN, thumbprint=any_key.thumbprint)
    digest = hashlib.sha256(any_key.thumbprint.encode() + b"\x00once-1").digest()
    assert proof == Proof(
        thumbprint=any_key.thumbprint, slot=29460090, digest=digest, issued_at=datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    )


def test_check_when_unknown_claims_or_header_members_then_ignored(
    checker: ProofChecker, key: PrivateKey, sign: Hand, proof_claims: Hand
) -> None:
    """What the RFC does not name may be there once."""
    header = {"typ": "dpop+jwt", "jwk": {**key.public.jwk, "kid": "mine"}, "kid": "mine", "cty": "json"}
    assert run(checker, sign(key, header, proof_claims(nonce="n", x=["é", '"']))).thumbprint == key.thumbprint


def test_check_when_a_key_is_remembered_then_every_check_still_holds(
    checker: ProofChecker, key: PrivateKey, make_proof: Hand
) -> None:
    """Remembering a header skips its decoding, not one check."""
    run(checker, make_proof(key, TOKEN), token=TOKEN, thumbprint=key.thumbprint)
    good = make_proof(key, TOKEN, jti="once-2").split(".")
    with pytest.raises(e.ProofSignatureWrong):
        run(checker, f"{good[0]}.{good[1]}.{pack(bytes(64))}", token=TOKEN, thumbprint=key.thumbprint)
    with pytest.raises(e.ProofOutOfTime):
        run(checker, ".".join(good), token=TOKEN, thumbprint=key.thumbprint, now=NOW + timedelta(minutes=1))
    with pytest.raises(e.ProofTokenMismatch):
        run(checker, ".".join(good), token=TOKEN + "x", thumbprint=key.thumbprint)


def test_check_when_memory_is_full_then_the_oldest_key_is_forgotten(
    key: PrivateKey, other_key: PrivateKey, make_proof: Hand
) -> None:
    """Memory is bounded, and holds no key that no token is bound to."""
    checker = ProofChecker(URL, cache_size=1)
    run(checker, make_proof(key))
    assert not checker._known
    for each in (key, other_key, key):
        run(checker, make_proof(each, TOKEN), token=TOKEN, thumbprint=each.thumbprint)
        assert list(checker._known) == [each.thumbprint]


@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]{1,30}(\.[A-Za-z0-9_-]{1,30}){2}", fullmatch=True))
def test_check_when_any_text_then_our_own_error(text: str) -> None:
    """No text makes the checker raise another error than a proof's."""
    with pytest.raises(ProofInvalid):
        run(ProofChecker(URL), text)


def test_checker_when_behind_a_prefix_then_address_has_it(key: PrivateKey, make_proof: Hand) -> None:
    """A public address with a path is a prefix of every ``htu``."""
    proof = make_proof(key, htu="https://gate.example/lock/v1/disclosures")
    assert run(ProofChecker("https://GATE.example/lock/"), proof).thumbprint == key.thumbprint


@pytest.mark.parametrize(
    "url", ["gate.example", "ftp://gate.example", "https://gate.example/?a", "https://u@gate.example", "https://"]
)
def test_checker_when_public_url_is_no_address_then_refused(url: str) -> None:
    """A checker is not built for what is no address."""
    with pytest.raises(ValueError, match="address"):
        ProofChecker(url)


def test_normal_url_when_numeric_host_then_brackets_stay() -> None:
    """An IPv6 host keeps its brackets and another port stays."""
    assert normal_url("HTTP://[::1]:8080") == "http://[::1]:8080/"


def _unsigned(header: dict[str, object]) -> str:
    parts = (
        json.dumps(header).encode(),
        b'{"jti":"a","htm":"POST","htu":"https://gate.example/v1/disclosures","iat":1767605400}',
        bytes(64),
    )
    return ".".join(pack(part) for part in parts)
