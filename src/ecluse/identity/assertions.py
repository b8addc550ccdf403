"""Checking a client assertion: ``private_key_jwt`` (RFC 7523 §3, OpenID Connect Core §9), the only way a machine authenticates.

The checks: 1 form, no critical extensions, ``typ`` absent, ``JWT`` or ``client-authentication+jwt`` (never a proof or a token); 2
claims; 3 ``iss`` and ``sub`` are the client; 4 ``aud`` is this server, alone; 5 ``iat`` within a minute and ``exp`` at most five
minutes ahead; 6 a registered key signed it. It is good once: the store spends what is returned. The proof sent with it must be by
a registered key too (``check_bound``), so a stolen assertion can't bind a token to a stranger's key.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from ecluse.identity import keys
from ecluse.identity.compact import Compact, Malformed, parse_header, parse_object, split
from ecluse.identity.errors import AssertionMalformed, AssertionOutOfTime, AssertionRefused, KeyNotRegistered
from ecluse.identity.proofs import PROOF_AHEAD, PROOF_LIFE, is_jti, spent
from ecluse.ids import ClientId, is_id

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from ecluse.identity.model import PublicKey, Spent

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_BYTES: Final = 4096
ASSERTION_LIFE: Final = timedelta(seconds=300)
_TYPES: Final = frozenset({"jwt", "client-authentication+jwt"})


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    sub: str
    aud: str | list[str]
    iat: int
    exp: int
    jti: str
    nbf: int | None = None


def peek_client_id(assertion: str) -> ClientId:
    """Read who an assertion *says* it is from, to look its keys up: nothing is verified. Raises ``AssertionMalformed``."""
    _, _, claims = _parse(assertion)
    return ClientId(claims.sub)


def check_assertion(
    assertion: str, *, client_id: ClientId, client_keys: Sequence[PublicKey], audiences: Collection[str], now: datetime
) -> Spent:
    """Check an assertion by ``client_id`` and return what must be spent, ``thumbprint`` being the key that signed it.

    ``client_keys``: the keys registered for the client and in force now. ``audiences``: this server's token endpoint and issuer.
    Raises a ``ClientAuthInvalid``.
    """
    parts, header, claims = _parse(assertion)  # 1, 2
    if claims.iss != client_id or claims.sub != client_id:  # 3
        raise AssertionRefused("iss and sub are not the client")
    named = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    if len(named) != 1 or named[0] not in audiences:  # 4
        raise AssertionRefused("aud is not this server alone")
    _check_time(claims, now)  # 5
    for key in client_keys:  # 6
        if not keys.accepts(key.alg, header.get("alg")) or header.get("kid", key.thumbprint) != key.thumbprint:
            continue
        if keys.verifier(key)(parts.signature, parts.message):
            return spent(key.thumbprint, claims.jti, claims.iat)
    raise AssertionRefused("no registered key of the client signed it")


def check_bound(thumbprint: str, client_keys: Sequence[PublicKey]) -> None:
    """Raise ``KeyNotRegistered`` unless the key of a proof is one of the client's: a token is bound to no other."""
    if all(thumbprint != key.thumbprint for key in client_keys):
        raise KeyNotRegistered("the proof's key is not registered for the client")


def _parse(assertion: str) -> tuple[Compact, dict[str, object], _Claims]:
    try:
        parts = split(assertion, ASSERTION_BYTES)
        header = parse_header(parts.header)
        parse_object(parts.claims)
        claims = msgspec.json.decode(parts.claims, type=_Claims)
    except Malformed as bad:
        raise AssertionMalformed(bad.why) from None
    except msgspec.MsgspecError:
        raise AssertionMalformed("claims are missing or of the wrong type") from None
    kind = header.get("typ", "jwt")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise AssertionMalformed("typ is not that of a client assertion")
    if not is_id(claims.sub, "cli"):
        raise AssertionMalformed("sub is not a client's id")
    if not is_jti(claims.jti):
        raise AssertionMalformed("jti is not 1 to 128 printable ASCII characters")
    return parts, header, claims


def _check_time(claims: _Claims, now: datetime) -> None:
    if now.tzinfo is None:
        raise AssertionError("impossible: an instant without a zone")
    at = now.timestamp()
    if not at - PROOF_LIFE.total_seconds() < claims.iat <= at + PROOF_AHEAD.total_seconds():
        raise AssertionOutOfTime("iat is not within the last minute")
    if not at < claims.exp <= at + ASSERTION_LIFE.total_seconds() + PROOF_AHEAD.total_seconds():
        raise AssertionOutOfTime("exp has passed or is more than five minutes ahead")
    if claims.nbf is not None and claims.nbf > at + PROOF_AHEAD.total_seconds():
        raise AssertionOutOfTime("nbf is in the future")
