"""Client assertions (RFC 7523): refusals by their number, then the grant."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.identity import ClientAuthInvalid, PrivateKey, Spent, check_assertion, check_bound, peek_client_id
from ecluse.identity import errors as e
from ecluse.ids import ClientId

pytestmark = pytest.mark.unit

Hand = Callable[..., str]
NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
EPOCH = 1767605400
CLIENT = ClientId("cli_aaaaaaaaaaaaaaaaaaaaaaaaaa")
AUDIENCES = ("https://gate.example/oauth/token", "https://gate.example")
CLAIMS: dict[str, object] = {
    "iss": CLIENT,
    "sub": CLIENT,
    "aud": AUDIENCES[0],
    "iat": EPOCH,
    "exp": EPOCH + 60,
    "jti": "a1",
}


def run(assertion: str, *keys: PrivateKey, now: datetime = NOW) -> Spent:
    """Check an assertion by the client, with these keys registered."""
    return check_assertion(assertion, client_id=CLIENT, client_keys=[key.public for key in keys], audiences=AUDIENCES, now=now)


@pytest.mark.parametrize("header", [{"typ": "dpop+jwt"}, {"typ": "at+jwt"}, {"typ": "x"}, {"typ": ""}])
def test_check_1_when_of_another_type_then_malformed(key: PrivateKey, sign: Hand, header: dict[str, object]) -> None:
    """A proof or a token signed by the right key is no assertion."""
    with pytest.raises(e.AssertionMalformed):
        run(sign(key, header, CLAIMS), key)


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "iat", "exp", "jti"])
def test_check_2_when_a_claim_is_missing_or_of_another_type_then_refused(key: PrivateKey, sign: Hand, name: str) -> None:
    """Each claim is required, with its own type."""
    for value in (None, True, 1.5, {}, [], ""):
        claims = {each: content for each, content in (CLAIMS | {name: value}).items() if content is not None}
        with pytest.raises(ClientAuthInvalid):
            run(sign(key, {}, claims), key)


def test_check_2_when_a_name_comes_twice_then_malformed(key: PrivateKey, sign: Hand) -> None:
    """A second ``sub`` could name a second client."""
    text = f'{{"sub":"cli_baaaaaaaaaaaaaaaaaaaaaaaaa","iss":"{CLIENT}","sub":"{CLIENT}","aud":"x","iat":1,"exp":2,"jti":"a"}}'
    with pytest.raises(e.AssertionMalformed):
        peek_client_id(sign(key, {}, text.encode()))


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "cli_baaaaaaaaaaaaaaaaaaaaaaaaa"},
        {"iss": "cli_baaaaaaaaaaaaaaaaaaaaaaaaa", "sub": "cli_baaaaaaaaaaaaaaaaaaaaaaaaa"},
        {"aud": "https://other.example"},
        {"aud": [*AUDIENCES]},
        {"aud": [AUDIENCES[0], "https://other.example"]},
        {"aud": "https://gate.example/"},
    ],
)
def test_check_3_4_when_for_another_client_or_server_then_refused(key: PrivateKey, sign: Hand, change: dict[str, object]) -> None:
    """The assertion is by the client, about itself, for this server alone."""
    with pytest.raises(e.AssertionRefused):
        run(sign(key, {}, CLAIMS | change), key)


@pytest.mark.parametrize(
    "change",
    [
        {"iat": EPOCH - 60},
        {"iat": EPOCH + 6},
        {"exp": EPOCH},
        {"exp": EPOCH - 1},
        {"exp": EPOCH + 306},
        {"exp": 10**30},
        {"nbf": EPOCH + 6},
    ],
)
def test_check_5_when_out_of_time_then_refused(key: PrivateKey, sign: Hand, change: dict[str, object]) -> None:
    """Made within the last minute, not expired, and good for five minutes at most."""
    with pytest.raises(e.AssertionOutOfTime):
        run(sign(key, {}, CLAIMS | change), key)


def test_check_6_when_no_registered_key_signed_then_refused(key: PrivateKey, other_key: PrivateKey, sign: Hand) -> None:
    """A stranger's key, no key at all, and a key id of another key are refused."""
    for assertion, keys in (
        (sign(other_key, {}, CLAIMS), [key]),
        (sign(key, {}, CLAIMS), []),
        (sign(key, {"kid": other_key.thumbprint}, CLAIMS), [key, other_key]),
        (sign(key, {}, CLAIMS)[:-4] + "AAAA", [key]),
    ):
        with pytest.raises(e.AssertionRefused):
            run(assertion, *keys)


@pytest.mark.parametrize("typ", [{}, {"typ": "JWT"}, {"typ": "client-authentication+jwt"}])
def test_check_when_good_then_says_what_to_spend(
    any_key: PrivateKey, other_key: PrivateKey, sign: Hand, typ: dict[str, object]
) -> None:
    """Either kind of key, either audience, with or without key id: the key that signed, the minute and the digest come back."""
    digest = hashlib.sha256(any_key.thumbprint.encode() + b"\x00a1").digest()
    expected = Spent(thumbprint=any_key.thumbprint, slot=29460090, digest=digest)
    for claims in (CLAIMS, CLAIMS | {"aud": [AUDIENCES[1]]}, CLAIMS | {"exp": EPOCH + 300, "nbf": EPOCH}):
        assertion = sign(any_key, typ, claims)
        assert peek_client_id(assertion) == CLIENT
        assert run(assertion, other_key, any_key) == expected
    assert run(sign(any_key, {"kid": any_key.thumbprint}, CLAIMS), any_key, now=NOW + timedelta(seconds=59)) == expected


def test_check_bound_when_key_is_not_registered_then_refused(key: PrivateKey, other_key: PrivateKey) -> None:
    """A proof by another key than the client's binds nothing."""
    for keys in ([], [key.public]):
        with pytest.raises(e.KeyNotRegistered):
            check_bound(other_key.thumbprint, keys)
    check_bound(key.thumbprint, [other_key.public, key.public])


@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]{1,30}(\.[A-Za-z0-9_-]{1,30}){2}", fullmatch=True))
def test_peek_when_any_text_then_our_own_error(text: str) -> None:
    """No text makes the parser raise another error than its own."""
    with pytest.raises(e.AssertionMalformed):
        peek_client_id(text)
