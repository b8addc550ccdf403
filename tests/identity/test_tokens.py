"""Access tokens: what is refused, what a good one says, and that remembering one decides nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.identity import KeyInvalid, PrivateKey, Token, TokenChecker, TokenInvalid, TokenIssuer, generate_private, load_private
from ecluse.identity.compact import pack
from ecluse.identity.errors import TokenExpired, TokenMalformed
from ecluse.ids import ClientId

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
EPOCH = 1767605400
ISSUER, AUDIENCE = "https://gate.example", "https://gate.example/v1"
CLIENT = ClientId("cli_aaaaaaaaaaaaaaaaaaaaaaaaaa")
JKT = "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"
CLAIMS: dict[str, object] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": CLIENT,
    "client_id": CLIENT,
    "scope": "lyon-formation",
    "cnf": {"jkt": JKT},
    "iat": EPOCH,
    "exp": EPOCH + 300,
    "jti": "t1",
}


@pytest.fixture
def checker(key: PrivateKey) -> TokenChecker:
    """Return a checker of the first key's tokens."""
    return TokenChecker([key.public], ISSUER, AUDIENCE)


def issue(key: PrivateKey) -> str:
    """Issue a good token."""
    issuer = TokenIssuer(key, ISSUER, AUDIENCE)
    return issuer.issue(client_id=CLIENT, scope="lyon-formation", thumbprint=JKT, now=NOW, jti="t1")


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://other.example"},
        {"aud": ISSUER},
        {"aud": [AUDIENCE]},
        {"sub": "cli_baaaaaaaaaaaaaaaaaaaaaaaaa"},
        {"cnf": {}},
        {"cnf": {"jkt": "short"}},
        {"cnf": {"jkt": JKT + "="}},
        {"iat": EPOCH + 6, "exp": EPOCH + 100},
        {"exp": EPOCH + 301},
        {"exp": EPOCH},
        {"exp": float(EPOCH + 300)},
        {"exp": True},
        {"exp": 10**30, "iat": 10**30 - 1},
        {"scope": None},
        {"jti": None},
    ],
)
def test_check_when_claims_are_not_ours_then_refused(
    checker: TokenChecker, key: PrivateKey, sign: Callable[..., str], change: dict[str, object]
) -> None:
    """Even with our signature, a claim of another server, type or length of life is refused."""
    claims = {name: value for name, value in (CLAIMS | change).items() if value is not None}
    with pytest.raises(TokenMalformed):
        checker.check(sign(key, {"typ": "at+jwt", "kid": key.thumbprint}, claims), NOW)


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"typ": "dpop+jwt"}, {}, {"typ": "at+jwt", "kid": "x"}, {"typ": "AT+JWT"}])
def test_check_when_header_is_another_then_refused(
    checker: TokenChecker, key: PrivateKey, sign: Callable[..., str], header: dict[str, object]
) -> None:
    """Type and key id are exactly those of our tokens."""
    with pytest.raises(TokenMalformed):
        checker.check(sign(key, {"kid": key.thumbprint, **header}, CLAIMS), NOW)


def test_check_when_signed_by_another_key_or_changed_then_refused(
    checker: TokenChecker, key: PrivateKey, other_key: PrivateKey, sign: Callable[..., str]
) -> None:
    """A stranger's signature under our key id, an exchanged part or no algorithm is refused, and so is a duplicate name."""
    good = issue(key).split(".")
    none = pack(json.dumps({"alg": "none", "typ": "at+jwt", "kid": key.thumbprint}).encode())
    twice = json.dumps(CLAIMS).encode()[:-1] + b',"scope":"all"}'
    bad = [
        sign(other_key, {"typ": "at+jwt", "kid": key.thumbprint}, CLAIMS),
        f"{good[0]}.{pack(json.dumps(CLAIMS | {'scope': 'all'}).encode())}.{good[2]}",
        f"{none}.{good[1]}.{good[2]}",
        f"{none}.{good[1]}.",
        sign(key, {"typ": "at+jwt", "kid": key.thumbprint}, twice),
    ]
    for token in bad:
        with pytest.raises(TokenMalformed):
            checker.check(token, NOW)


def test_check_when_good_then_says_who_and_until_when(checker: TokenChecker, key: PrivateKey) -> None:
    """A token names its client, key and scope, and ends after five minutes."""
    assert checker.check(issue(key), NOW) == Token(
        client_id=CLIENT, thumbprint=JKT, scope="lyon-formation", expires_at=datetime(2026, 1, 5, 9, 35, tzinfo=UTC)
    )


def test_check_when_remembered_then_still_expires(checker: TokenChecker, key: PrivateKey) -> None:
    """A token that was accepted a moment ago is refused from its expiry on, each time."""
    token = issue(key)
    assert checker.check(token, NOW + timedelta(seconds=299)) == checker.check(token, NOW)
    for seconds in (300, 300, 900):
        with pytest.raises(TokenExpired):
            checker.check(token, NOW + timedelta(seconds=seconds))


def test_check_when_two_keys_overlap_then_both_count(key: PrivateKey, other_key: PrivateKey) -> None:
    """While a token key is replaced, tokens of the old and the new one are accepted; afterwards only the new one's."""
    both = TokenChecker([key.public, other_key.public], ISSUER, AUDIENCE)
    assert both.check(issue(key), NOW).client_id == both.check(issue(other_key), NOW).client_id
    with pytest.raises(TokenMalformed):
        TokenChecker([other_key.public], ISSUER, AUDIENCE).check(issue(key), NOW)


def test_check_when_memory_is_full_then_bounded(key: PrivateKey) -> None:
    """Memory holds at most what it was given."""
    checker = TokenChecker([key.public], ISSUER, AUDIENCE, cache_size=2)
    for _ in range(4):
        checker.check(issue(key), NOW)
        assert 0 < len(checker._known) <= 2


@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]{1,30}(\.[A-Za-z0-9_-]{1,30}){2}", fullmatch=True))
def test_check_when_any_text_then_our_own_error(text: str) -> None:
    """No text makes the checker raise another error than a token's."""
    with pytest.raises(TokenInvalid):
        TokenChecker([], ISSUER, AUDIENCE).check(text, NOW)


def test_issuer_when_key_is_not_es256_then_refused() -> None:
    """Tokens are signed and checked by ES256 keys only."""
    key = load_private(generate_private("EdDSA"))
    with pytest.raises(KeyInvalid):
        TokenIssuer(key, ISSUER, AUDIENCE)
    with pytest.raises(KeyInvalid):
        TokenChecker([key.public], ISSUER, AUDIENCE)
