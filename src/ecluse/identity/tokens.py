"""Access tokens: ``at+jwt`` (RFC 9068), ES256, bound to the client's key by ``cnf.jkt`` (RFC 9449 §6.1), good for five minutes.

A token says who calls, never what is allowed: that is decided anew in every disclosure. A signature once verified is remembered
until the token expires; its expiry is checked on every use. Removing a key means building a new checker, which remembers nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from ecluse.identity import keys
from ecluse.identity.compact import Malformed, parse_header, parse_object, split
from ecluse.identity.errors import KeyInvalid, TokenExpired, TokenMalformed
from ecluse.identity.model import Algorithm, PublicKey, Token
from ecluse.ids import ClientId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TOKEN_BYTES: Final = 4096
TOKEN_LIFE: Final = timedelta(seconds=300)
CLOCK_AHEAD_SECONDS: Final = 5
_TYPE: Final = "at+jwt"


class _Confirmation(msgspec.Struct, frozen=True):
    jkt: str


class _Claims(msgspec.Struct, frozen=True, kw_only=True):
    iss: str
    aud: str
    sub: str
    client_id: str
    scope: str
    cnf: _Confirmation
    iat: int
    exp: int
    jti: str


class TokenIssuer:
    """Writes tokens, signed by this installation's token key."""

    def __init__(self, private_key: keys.PrivateKey, issuer: str, audience: str, *, life: timedelta = TOKEN_LIFE) -> None:
        """Issue as ``issuer`` for ``audience``; raise ``KeyInvalid`` if the key is not ES256."""
        _check_es256(private_key.public)
        self._key, self._issuer, self._audience = private_key, issuer, audience
        self._header = {"typ": _TYPE, "kid": private_key.thumbprint}
        self.life_seconds: int = int(life.total_seconds())

    def issue(self, *, client_id: ClientId, scope: str, thumbprint: str, now: datetime, jti: str) -> str:
        """Return a token for ``client_id``, bound to the key ``thumbprint``, good for ``life_seconds`` from ``now``."""
        if now.tzinfo is None:
            raise AssertionError("impossible: an instant without a zone")
        issued = int(now.timestamp())
        claims = _Claims(
            iss=self._issuer,
            aud=self._audience,
            sub=client_id,
            client_id=client_id,
            scope=scope,
            cnf=_Confirmation(jkt=thumbprint),
            iat=issued,
            exp=issued + self.life_seconds,
            jti=jti,
        )
        return self._key.sign_compact(self._header, msgspec.json.encode(claims))


class TokenChecker:
    """Checks tokens of one issuer for one audience."""

    def __init__(
        self,
        public_keys: Iterable[PublicKey],
        issuer: str,
        audience: str,
        *,
        life: timedelta = TOKEN_LIFE,
        cache_size: int = 4096,
    ) -> None:
        """Accept tokens by these keys (two overlap while one is replaced); raise ``KeyInvalid`` if one is not ES256."""
        self._verify: dict[str, Callable[[bytes, bytes], bool]] = {}
        for key in public_keys:
            _check_es256(key)
            self._verify[key.thumbprint] = keys.verifier(key)
        self._issuer, self._audience = issuer, audience
        self._life_seconds = int(life.total_seconds())
        self._cache_size = cache_size
        self._known: dict[str, Token] = {}

    def check(self, token: str, now: datetime) -> Token:
        """Return what a token says, or raise a ``TokenInvalid``.

        1 form and signature by a key of ours, 2 type, issuer, audience and claims (these two once), 3 not expired (each time).
        """
        known = self._known.get(token)
        if known is None:
            try:
                claims = self._verified(token)  # 1
            except Malformed as bad:
                raise TokenMalformed(bad.why) from None
            known = self._accepted(claims, now)  # 2
            if now < known.expires_at:
                self._remember(token, known, now)
        if now >= known.expires_at:  # 3
            self._known.pop(token, None)
            raise TokenExpired("exp has passed")
        return known

    def _verified(self, token: str) -> _Claims:
        parts = split(token, TOKEN_BYTES)
        header = parse_header(parts.header)
        kid = header.get("kid")
        verify = self._verify.get(kid) if isinstance(kid, str) else None
        if header.get("typ") != _TYPE or header.get("alg") != "ES256" or verify is None:
            raise Malformed("the header is not that of a token of this server")
        if not verify(parts.signature, parts.message):
            raise Malformed("the signature does not verify")
        parse_object(parts.claims)
        try:
            return msgspec.json.decode(parts.claims, type=_Claims)
        except msgspec.MsgspecError:
            raise Malformed("claims are missing or of the wrong type") from None

    def _accepted(self, claims: _Claims, now: datetime) -> Token:
        if claims.iss != self._issuer or claims.aud != self._audience:
            raise TokenMalformed("issued by or for another server")
        if claims.sub != claims.client_id or not keys.is_thumbprint(claims.cnf.jkt):
            raise TokenMalformed("it names no client or no key")
        if not 0 < claims.exp - claims.iat <= self._life_seconds:
            raise TokenMalformed("exp is not within the life of a token")
        if claims.iat > now.timestamp() + CLOCK_AHEAD_SECONDS:
            raise TokenMalformed("iat is in the future")
        if claims.exp <= 0:
            raise TokenExpired("exp has passed")
        return Token(
            client_id=ClientId(claims.client_id),
            thumbprint=claims.cnf.jkt,
            scope=claims.scope,
            expires_at=datetime.fromtimestamp(claims.exp, UTC),
        )

    def _remember(self, token: str, known: Token, now: datetime) -> None:
        if len(self._known) >= self._cache_size:
            self._known = {text: each for text, each in self._known.items() if now < each.expires_at}
        while self._known and len(self._known) >= self._cache_size:
            self._known.pop(next(iter(self._known), ""), None)
        self._known[token] = known


def _check_es256(key: PublicKey) -> None:
    if key.alg is not Algorithm.ES256:
        raise KeyInvalid("tokens are signed by ES256 keys only")
