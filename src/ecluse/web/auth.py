"""Who calls: a token, its key's proof, and the client's own record. Authentication only; what may be disclosed is decided elsewhere.

1  the ``Authorization`` field is ``DPoP`` and one token, the ``DPoP`` field stands once (RFC 9449 §7.1)
2  the token is ours, in time (remembered until it expires)
3  the proof is of this method, address and token, by the key the token is bound to, in time
4  whether the client is still there, and its key in use, is a matter of the present configuration: the door asks it under each decision
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ecluse import clock
from ecluse.db import LOST
from ecluse.disclosure import Client, LedgerUnavailable, Proven
from ecluse.identity import ProofInvalid, TokenInvalid
from ecluse.web.gateway import Gateway
from ecluse.web.problems import HttpProblem

PROCESSOR, SCHEDULER, PORTAL, AUDITOR = "disclose", "schedule", "usage", "audit"
"""The scopes of tokens: a processor's machine, the controller's scheduler, its portal for persons, an auditor's."""


class Headers(msgspec.Struct, frozen=True):
    """The header fields that matter, as received: None where absent. A field that may stand once and stands twice is refused."""

    authorization: str | None = None
    dpop: str | None = None
    idempotency_key: str | None = None
    content_type: str | None = None
    content_length: str | None = None
    if_none_match: str | None = None


_FIELDS = {name.replace("_", "-").encode(): name for name in Headers.__struct_fields__}


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Pick the header fields that matter. Raises `HttpProblem` where one stands twice or is not ASCII."""
    found: dict[str, str] = {}
    for name, value in raw:
        field = _FIELDS.get(name)
        if field is None:
            continue
        if field in found:
            raise HttpProblem(
                "invalid-proof" if field == "dpop" else "invalid-request",
                f"The header field {name.decode('ascii')} stands twice.",
            )
        try:
            found[field] = value.decode("ascii")
        except UnicodeDecodeError:
            raise HttpProblem("invalid-request", f"The header field {name.decode('ascii')} is not ASCII.") from None
    return Headers(**found)


def prove(gateway: Gateway, headers: Headers, method: str, path: str, scope: str) -> Proven:
    """Check token and proof. Raises `HttpProblem`: ``invalid-token``, ``invalid-proof`` or ``wrong-role``."""
    scheme, _, token = (headers.authorization or "").partition(" ")
    if scheme.lower() != "dpop" or not token or " " in token:
        raise HttpProblem("invalid-token", "Send `Authorization: DPoP <token>`.")
    if headers.dpop is None:
        raise HttpProblem("invalid-proof", "Send a DPoP proof.")
    now = clock.now()
    try:
        known = gateway.tokens.check(token, now)
        proof = gateway.proofs.check(headers.dpop, method=method, path=path, token=token, thumbprint=known.thumbprint, now=now)
    except TokenInvalid as bad:
        raise HttpProblem("invalid-token") from bad
    except ProofInvalid as bad:
        raise HttpProblem("invalid-proof", f"The DPoP proof is refused: {bad}.") from bad
    if known.scope != scope:
        raise HttpProblem("wrong-role")
    return Proven(client=known.client_id, thumbprint=known.thumbprint, slot=proof.slot, digest=proof.digest)


async def client_of(gateway: Gateway, proven: Proven) -> Client:
    """Return the client's present record. Raises ``invalid-token`` where it, or its key, is gone."""
    client = (await gateway.door.snapshot()).clients.get(proven.client)
    if client is None or all(key.thumbprint != proven.thumbprint for key in client.keys):
        raise HttpProblem("invalid-token", "The client or its key is not registered any more.")
    return client


async def spend(gateway: Gateway, proven: Proven) -> None:
    """Spend a proof outside the seal (where state moves without a disclosure). Raises ``invalid-proof`` if it was used before."""
    try:
        async with gateway.pool.acquire() as connection:
            fresh = await connection.fetchval("select ecluse.spend($1, $2)", proven.slot, proven.digest)
    except LOST as lost:
        raise LedgerUnavailable from lost
    if not fresh:
        raise HttpProblem("invalid-proof", "The DPoP proof was used before.")
