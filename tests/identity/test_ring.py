"""The keys that sign tokens: which files are refused, which key signs and which are accepted at an instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.identity import (
    KeyInvalid,
    PrivateKey,
    TokenRing,
    generate_private,
    load_private,
    parse_token_keys,
    with_successor,
    write_token_keys,
)
from ecluse.identity.errors import TokenExpired, TokenMalformed
from ecluse.identity.ring import OVERLAP, TokenKey, in_use
from ecluse.ids import ClientId

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
TURN = NOW + timedelta(seconds=60)
"""When the second key begins."""
ISSUER = "https://gate.example"
CLIENT = ClientId("cli_aaaaaaaaaaaaaaaaaaaaaaaaaa")
JKT = "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"
A_MICROSECOND = timedelta(microseconds=1)
PEMS = [generate_private("ES256").decode() for _ in range(3)]
NAMES = FIRST, SECOND, THIRD = tuple(load_private(pem.encode()).thumbprint for pem in PEMS)
FILE = f"{PEMS[0]}valid from 2026-01-05T09:31:00Z\n{PEMS[1]}"


def issue(ring: TokenRing, at: datetime) -> str:
    """Issue a token."""
    return ring.issue(client_id=CLIENT, scope="disclose", thumbprint=JKT, now=at, jti="t1")


def ring(text: str = FILE) -> TokenRing:
    """Build a ring."""
    return TokenRing(parse_token_keys(text), ISSUER)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no key"),
        ("\n", "not PKCS#8"),
        ("nonsense", "not PKCS#8"),
        (PEMS[0] + PEMS[1], "every key but the first"),
        ("valid from 2026-01-05T09:31:00Z\n" + PEMS[0], "every key but the first"),
        (FILE + "valid from 2026-01-05T09:31:00Z\n" + PEMS[2], "before the one above"),
        (FILE + "valid from 2026-01-05T09:30:59Z\n" + PEMS[2], "before the one above"),
        (PEMS[0] + "valid from 2026-02-30T09:31:00Z\n" + PEMS[1], "no such instant"),
        (PEMS[0] + "valid from 2026-01-05T09:31:00+01:00\n" + PEMS[1], "not PKCS#8"),
        (PEMS[0] + "valid from ２026-01-05T09:31:00Z\n" + PEMS[1], "not PKCS#8"),
        (PEMS[0] + "valid from 2026-01-05T09:31:00Z\n" + PEMS[0], "stands twice"),
        (PEMS[0] + "and more", "not PKCS#8"),
        (PEMS[0].replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "not PKCS#8"),
        (PEMS[0].replace("M", "%", 1), "not PKCS#8"),
        (generate_private("EdDSA").decode(), "tokens are signed by ES256 keys only"),
    ],
    ids=range(15),
)
def test_file_when_it_is_not_ours_then_refused_without_its_text(text: str, says: str) -> None:
    """A file of keys has one spelling, and a refusal never quotes it."""
    with pytest.raises(KeyInvalid) as caught:
        ring(text)
    assert says in caught.value.why
    assert "BEGIN" not in str(caught.value)


@given(st.text(max_size=200))
def test_file_when_it_is_anything_then_refused_or_written_the_same(text: str) -> None:
    """No text makes the parser fail otherwise than by its own error."""
    with pytest.raises(KeyInvalid):
        parse_token_keys(text)


def test_file_when_there_are_too_many_keys_then_refused() -> None:
    """Nine keys are a mistake."""
    text = PEMS[0] + "".join(f"valid from 2026-01-05T09:31:{n:02d}Z\n{generate_private('ES256').decode()}" for n in range(8))
    with pytest.raises(KeyInvalid, match="more than 8 keys"):
        parse_token_keys(text)


def test_successor_when_another_is_to_come_then_refused() -> None:
    """Two changes at once would leave nobody sure which key signs."""
    with pytest.raises(KeyInvalid, match="a successor is on its way already"):
        with_successor(parse_token_keys(FILE), PEMS[2].encode(), from_at=TURN + timedelta(minutes=5), now=TURN - A_MICROSECOND)


def test_token_when_its_key_was_replaced_long_ago_then_refused() -> None:
    """Whoever stole the old key signs nothing that is believed once its last token is over."""
    thief = TokenRing(parse_token_keys(PEMS[0]), ISSUER)
    last = TURN + OVERLAP
    assert ring().check(issue(thief, last - timedelta(seconds=2)), last - A_MICROSECOND).client_id == CLIENT
    with pytest.raises(TokenMalformed):
        ring().check(issue(thief, last - timedelta(seconds=2)), last)


def test_token_when_remembered_and_its_key_goes_then_refused() -> None:
    """What was verified before a key went is verified again after."""
    keys = ring()
    token = issue(TokenRing(parse_token_keys(PEMS[0]), ISSUER), TURN + OVERLAP - timedelta(seconds=2))
    assert keys.check(token, TURN + OVERLAP - A_MICROSECOND).client_id == CLIENT
    with pytest.raises(TokenMalformed):
        keys.check(token, TURN + OVERLAP)


def test_token_when_the_key_was_dropped_at_once_then_refused() -> None:
    """A file with a new key alone ends every token of the old one."""
    with pytest.raises(TokenMalformed):
        ring(PEMS[1]).check(issue(ring(PEMS[0]), NOW), NOW)


def test_token_when_issued_just_before_the_turn_then_good_to_its_own_end() -> None:
    """Nobody's token ends early by a change of keys."""
    keys = ring()
    token = issue(keys, TURN - A_MICROSECOND)
    end = datetime.fromtimestamp(int((TURN - A_MICROSECOND).timestamp()) + 300, UTC)
    assert keys.check(token, end - A_MICROSECOND).expires_at == end
    with pytest.raises(TokenExpired):
        keys.check(token, end)


@pytest.mark.parametrize(
    ("at", "signs", "published"),
    [
        (NOW, 0, [0, 1]),
        (TURN - A_MICROSECOND, 0, [0, 1]),
        (TURN, 1, [0, 1]),
        (TURN + OVERLAP - A_MICROSECOND, 1, [0, 1]),
        (TURN + OVERLAP, 1, [1]),
    ],
)
def test_ring_when_asked_at_an_instant_then_these_keys(at: datetime, signs: int, published: list[int]) -> None:
    """A key to come is accepted already, one that went is until its tokens are over; a clock that goes back finds the keys of then."""
    keys = ring()
    assert keys.public(TURN + OVERLAP + timedelta(days=1))
    assert [key.thumbprint for key in keys.public(at)] == [NAMES[each] for each in published]
    replica = TokenRing([key for key in parse_token_keys(FILE) if key.private.thumbprint == NAMES[signs]], ISSUER)
    assert replica.check(issue(keys, at), at).client_id == CLIENT


def test_file_when_written_then_read_back_with_those_in_use() -> None:
    """Adding a key takes those away whose tokens are over, and nothing else."""
    later = TURN + OVERLAP
    both = with_successor(
        parse_token_keys(FILE), PEMS[2].encode(), from_at=later + timedelta(seconds=30), now=later - A_MICROSECOND
    )
    one = with_successor(parse_token_keys(FILE), PEMS[2].encode(), from_at=later + timedelta(seconds=30), now=later)
    assert [key.private.thumbprint for key in parse_token_keys(write_token_keys(both))] == [FIRST, SECOND, THIRD]
    assert [key.private.thumbprint for key in parse_token_keys(write_token_keys(one))] == [SECOND, THIRD]
    assert write_token_keys(parse_token_keys(FILE)) == FILE
    assert [key.private.thumbprint for key in in_use(parse_token_keys(write_token_keys(one)), later)] == [SECOND, THIRD]


def test_key_when_shown_then_by_its_public_name_only() -> None:
    """A representation, in a traceback or a log, holds no secret."""
    key = TokenKey(from_at=NOW, private=PrivateKey(load_private(PEMS[0].encode())._key.private_key), pem=PEMS[0])
    assert repr(key) == f"TokenKey({FIRST}, from 2026-01-05T09:30:00Z)"
