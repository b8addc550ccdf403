"""The authorization server: metadata (RFC 8414), token keys, and the token endpoint (RFC 6749 §4.4, RFC 7523, RFC 9449).

A token request is checked in this order; each refusal is an OAuth error (RFC 6749 §5.2), never a problem document:

1  form: one of each parameter, ``client_credentials``, one assertion of the right type
2  the assertion's client is registered and one of its keys in use signed it, for this server, in time
3  the DPoP proof is by one of that client's keys: a stolen assertion binds to no other
4  assertion and proof are spent, each once, in all replicas
"""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import parse_qsl

import msgspec
from litestar import Response, get, post
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIMediaType, OpenAPIType, RequestBody, Schema
from litestar.params import BodyKwarg

from ecluse import clock, ids
from ecluse.db import LOST
from ecluse.disclosure import Client, LedgerUnavailable
from ecluse.identity import (
    ASSERTION_TYPE,
    ClientAuthInvalid,
    ProofInvalid,
    Spent,
    check_assertion,
    check_bound,
    key_set,
    peek_client_id,
    server_metadata,
)
from ecluse.identity.metadata import JWKS_PATH, TOKEN_PATH, WELL_KNOWN_PATH, KeySet, ServerMetadata
from ecluse.identity.tokens import TOKEN_LIFE
from ecluse.web.auth import AUDITOR, PORTAL, PROCESSOR, SCHEDULER, read_headers
from ecluse.web.gateway import Gateway, HttpRequest, Served, raw
from ecluse.web.problems import HttpProblem
from ecluse.web.published import published
from ecluse.web.wire import TokenAnswer

MOST_BODY_BYTES: Final = 16_384
_SCOPES: Final = {"processor": PROCESSOR, "scheduler": SCHEDULER, "portal": PORTAL, "auditor": AUDITOR}


class OAuthError(msgspec.Struct, frozen=True, kw_only=True):
    """An error of the token endpoint (RFC 6749 §5.2)."""

    error: Annotated[str, BodyKwarg(schema_extra={"enum": ["invalid_request", "invalid_client", "invalid_dpop_proof"]})]
    error_description: str


@get(
    WELL_KNOWN_PATH,
    operation_id="server_metadata",
    tags=["authorization"],
    summary="Find the token endpoint",
    operation_class=published(answer="The server's metadata."),
)
async def metadata(gateway: Served) -> ServerMetadata:
    """Describe the authorization server (RFC 8414)."""
    return server_metadata(gateway.settings.public_url)


@get(
    JWKS_PATH,
    operation_id="token_keys",
    tags=["authorization"],
    summary="Get the keys that sign tokens",
    operation_class=published(answer="A JWK set (RFC 7517)."),
)
async def jwks(gateway: Served) -> KeySet:
    """Publish the keys that sign access tokens."""
    return key_set(gateway.tokens.public(clock.now()))


_FORM: Final = RequestBody(
    required=True,
    content={
        "application/x-www-form-urlencoded": OpenAPIMediaType(
            schema=Schema(
                type=OpenAPIType.OBJECT,
                required=["grant_type", "client_assertion_type", "client_assertion"],
                properties={
                    "grant_type": Schema(type=OpenAPIType.STRING, const="client_credentials"),
                    "client_assertion_type": Schema(type=OpenAPIType.STRING, const=ASSERTION_TYPE),
                    "client_assertion": Schema(
                        type=OpenAPIType.STRING,
                        description="A JWT signed by the client's key: `iss` and `sub` its id, `aud` the issuer or token endpoint, `iat`, `exp`, `jti`. "
                        "Good for one use.",
                    ),
                },
            )
        )
    },
)


@post(
    TOKEN_PATH,
    status_code=200,
    request_max_body_size=MOST_BODY_BYTES,
    operation_id="token",
    tags=["authorization"],
    summary="Get a token bound to your key",
    responses={
        400: ResponseSpec(
            OAuthError,
            generate_examples=False,
            description="The form or the DPoP proof is refused (RFC 6749 §5.2, RFC 9449 §5).",
            examples=[Example(value={"error": "invalid_dpop_proof", "error_description": "the proof was used before"})],
        ),
        401: ResponseSpec(
            OAuthError,
            generate_examples=False,
            description="The client, its key or its assertion is refused.",
            examples=[Example(value={"error": "invalid_client", "error_description": "the assertion was used before"})],
        ),
    },
    operation_class=published(
        answer="The token.",
        problems=["too-large", "ledger-unavailable"],
        takes=["DPoP"],
        sends=["CacheControl"],
        body=_FORM,
    ),
)
async def token(request: HttpRequest, gateway: Served) -> Response[TokenAnswer]:
    """Issue an access token of at most 300 seconds to a client that signs with its own key.

    Form parameters: `grant_type=client_credentials`, `client_assertion_type`, `client_assertion` (RFC 7523); header `DPoP` (RFC 9449).
    """
    try:
        client, thumbprint, spends = await _authenticate(request, gateway)
    except HttpProblem as bad:
        return _refuse("invalid_dpop_proof" if bad.code == "invalid-proof" else "invalid_request", bad.detail or bad.code)
    except ProofInvalid as bad:
        return _refuse("invalid_dpop_proof", str(bad))
    except ClientAuthInvalid as bad:
        return _refuse("invalid_client", str(bad), 401)
    try:
        async with gateway.pool.acquire() as connection:
            for what, once in spends:
                if not await connection.fetchval("select ecluse.spend($1, $2)", once.slot, once.digest):
                    return _refuse(
                        "invalid_dpop_proof" if what == "proof" else "invalid_client",
                        f"the {what} was used before",
                        400 if what == "proof" else 401,
                    )
    except LOST as lost:
        raise LedgerUnavailable from lost
    scope = _SCOPES[client.role]
    text = gateway.tokens.issue(
        client_id=ids.ClientId(client.id), scope=scope, thumbprint=thumbprint, now=clock.now(), jti=ids.random_bytes(16).hex()
    )
    answer = TokenAnswer(access_token=text, token_type="DPoP", expires_in=int(TOKEN_LIFE.total_seconds()), scope=scope)  # noqa: S106 - a type's name
    return Response(content=answer, headers={"cache-control": "no-store"})


async def _authenticate(request: HttpRequest, gateway: Gateway) -> tuple[Client, str, list[tuple[str, Spent]]]:
    """Check steps 1 to 3; return the client, the key's thumbprint, and what is to be spent."""
    headers = read_headers(request.scope["headers"])
    form = _form(await request.body())
    if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
        raise HttpProblem("invalid-request", "client_assertion_type and client_assertion are needed (RFC 7523).")
    assertion, now = form["client_assertion"], clock.now()
    client = (await gateway.door.snapshot()).clients.get(peek_client_id(assertion))
    described = server_metadata(gateway.settings.public_url)
    if client is not None and client.role not in _SCOPES:
        client = None  # a desk: its keys are browsers', and its people sign in; it is answered as if it were not there
    # an unknown client is checked against no key at all: one answer, whatever was missing
    keys = client.keys if client is not None else ()
    signed = check_assertion(
        assertion,
        client_id=peek_client_id(assertion),
        client_keys=keys,
        audiences={described.issuer, described.token_endpoint},
        now=now,
    )
    if client is None:
        raise AssertionError("impossible: an assertion checked by no key")
    if headers.dpop is None:
        raise HttpProblem("invalid-proof", "a DPoP proof is needed (RFC 9449)")
    proof = gateway.proofs.check(headers.dpop, method="POST", path=TOKEN_PATH, token=None, thumbprint=None, now=now)
    check_bound(proof.thumbprint, keys)
    return (
        client,
        proof.thumbprint,
        [("assertion", signed), ("proof", Spent(thumbprint=proof.thumbprint, slot=proof.slot, digest=proof.digest))],
    )


def _form(body: bytes) -> dict[str, str]:
    """Read the form strictly: one of each parameter, no strange ones left out."""
    if len(body) > MOST_BODY_BYTES:
        raise HttpProblem("invalid-request", "The form is too large.")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=16, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise HttpProblem("invalid-request", "The body is not a form.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise HttpProblem("invalid-request", "A parameter stands twice.")
    if form.get("grant_type") != "client_credentials":
        raise HttpProblem("invalid-request", "grant_type must be client_credentials.")
    return form


def _refuse(error: str, why: str, status: int = 400) -> Response[TokenAnswer]:
    """Write an OAuth error."""
    body = msgspec.json.encode(OAuthError(error=error, error_description=why))
    return raw(status, [(b"content-type", b"application/json"), (b"cache-control", b"no-store")], body)


HANDLERS: Final = [metadata, jwks, token]
