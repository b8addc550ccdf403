"""The keys that sign tokens, old and new, each from an instant on: what ``keys/token.key`` says, and what it means at a given time.

The file is PKCS#8 PEM blocks, oldest first; before each but the first stands the line that says from when it signs::

  -----BEGIN PRIVATE KEY----- …
  valid from 2026-11-22T06:00:00Z
  -----BEGIN PRIVATE KEY----- …

1  the last key whose instant has come signs; a key to come is accepted and published already, so no replica is surprised by it
2  a key is accepted until the tokens that it signed are over: its successor's instant, a token's life and the tolerance of clocks
3  a file without a line is one key for ever: what ``ecluse init`` writes
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from ecluse.identity.errors import KeyInvalid
from ecluse.identity.keys import PrivateKey, load_private
from ecluse.identity.model import PublicKey, Token
from ecluse.identity.tokens import CLOCK_AHEAD_SECONDS, TOKEN_LIFE, TokenChecker, TokenIssuer
from ecluse.ids import ClientId

MOST_KEYS: Final = 8
OVERLAP: Final = TOKEN_LIFE + timedelta(seconds=CLOCK_AHEAD_SECONDS)
"""How long a key is accepted after it stopped signing (rule 2)."""
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END: Final = datetime(9999, 1, 1, tzinfo=UTC)
_BLOCK: Final = re.compile(
    r"(?:valid from ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)\n)?"
    r"(-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{1,8192}-----END PRIVATE KEY-----)\n*"
)


class TokenKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key and the instant from which it signs. ``pem`` is secret: the representation leaves it out."""

    from_at: datetime
    private: PrivateKey
    pem: str

    def __repr__(self) -> str:
        """Name the key by its public half."""
        return f"TokenKey({self.private.thumbprint}, from {self.from_at:%Y-%m-%dT%H:%M:%SZ})"


def parse_token_keys(text: str) -> tuple[TokenKey, ...]:
    """Read the file. Raises `KeyInvalid` for anything but keys of ours, each later than the one before."""
    found: list[TokenKey] = []
    place = 0
    while place < len(text):
        block = _BLOCK.match(text, place)
        if block is None or len(found) == MOST_KEYS:
            raise KeyInvalid(
                "not PKCS#8 private keys in PEM, each after its line `valid from …`"
                if block is None
                else f"more than {MOST_KEYS} keys"
            )
        if (block[1] is None) != (not found):
            raise KeyInvalid("every key but the first stands after a line `valid from …`")
        key = TokenKey(from_at=_instant(block[1]), private=load_private(block[2].encode()), pem=block[2])
        if found and key.from_at <= found[-1].from_at:
            raise KeyInvalid("a key begins before the one above it")
        found.append(key)
        place = block.end()
    if not found:
        raise KeyInvalid("no key")
    if len({key.private.thumbprint for key in found}) != len(found):
        raise KeyInvalid("one key stands twice")
    return tuple(found)


def _instant(text: str | None) -> datetime:
    """Read an instant of the file; none is for ever."""
    if text is None:
        return _EVER
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise KeyInvalid("no such instant in a line `valid from …`") from None


def write_token_keys(keys: Sequence[TokenKey]) -> str:
    """Write the file; the first key needs no line, as nothing is before it."""
    lines = [
        f"valid from {key.from_at:%Y-%m-%dT%H:%M:%SZ}\n{key.pem}\n" if rank else f"{key.pem}\n" for rank, key in enumerate(keys)
    ]
    return "".join(lines)


def in_use(keys: Sequence[TokenKey], now: datetime) -> tuple[TokenKey, ...]:
    """Return the keys that are accepted at ``now`` (rule 2)."""
    ends = [key.from_at + OVERLAP for key in keys[1:]]
    return (*(key for key, end in zip(keys, ends, strict=False) if now < end), keys[-1])


def with_successor(keys: Sequence[TokenKey], pem: bytes, *, from_at: datetime, now: datetime) -> tuple[TokenKey, ...]:
    """Add a key that signs from ``from_at`` (whole seconds) on; those whose tokens are over go. Raises `KeyInvalid` where another is still to come."""
    if keys[-1].from_at >= from_at or keys[-1].from_at > now:
        raise KeyInvalid("a successor is on its way already: wait until it signs")
    new = TokenKey(from_at=from_at, private=load_private(pem), pem=pem.decode().strip())
    return (*in_use(keys, now), new)


class TokenRing:
    """Issues and checks tokens by the keys of one file. Touched by the event loop's one thread; remembers the present state until it changes."""

    def __init__(self, keys: Sequence[TokenKey], issuer: str) -> None:
        """Issue and accept as ``issuer``, which is the audience, too. Raises `KeyInvalid` where a key can't sign tokens."""
        self._keys, self._issuer = tuple(keys), issuer
        for key in self._keys:
            TokenIssuer(key.private, issuer, issuer)
        self._begin = self._until = _EVER
        self._signs = TokenIssuer(self._keys[0].private, issuer, issuer)
        self._checks = TokenChecker([], issuer, issuer)
        self._public: tuple[PublicKey, ...] = ()

    def issue(self, *, client_id: ClientId, scope: str, thumbprint: str, now: datetime, jti: str) -> str:
        """Return a token, as `TokenIssuer.issue` does, by the key that signs now."""
        self._turn(now)
        return self._signs.issue(client_id=client_id, scope=scope, thumbprint=thumbprint, now=now, jti=jti)

    def check(self, token: str, now: datetime) -> Token:
        """Return what a token says, as `TokenChecker.check` does, by the keys that are accepted now."""
        self._turn(now)
        return self._checks.check(token, now)

    def public(self, now: datetime) -> tuple[PublicKey, ...]:
        """Return the public halves to publish: all that are accepted, and one to come."""
        self._turn(now)
        return self._public

    def _turn(self, now: datetime) -> None:
        """Find anew which key signs and which are accepted, where an instant of the file lies between the last time and ``now``."""
        if self._begin <= now < self._until:
            return
        instants = sorted({_EVER, _END, *(each for key in self._keys[1:] for each in (key.from_at, key.from_at + OVERLAP))})
        self._begin = max(each for each in instants if each <= now)
        self._until = min(each for each in instants if each > now)
        signing = [key for key in self._keys if key.from_at <= now][-1]
        self._signs = TokenIssuer(signing.private, self._issuer, self._issuer)
        self._public = tuple(key.private.public for key in in_use(self._keys, now))
        self._checks = TokenChecker(self._public, self._issuer, self._issuer)
