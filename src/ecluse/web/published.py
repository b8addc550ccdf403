"""What the OpenAPI 3.1 document says beside the types: who may call, header fields, every problem an endpoint can answer with, and examples.

A handler declares it in its decorator, ``operation_class=published(...)``; the framework draws parameters, bodies and answers from the types. Nothing here is
asked when a request is served. ``examples.json`` holds the answers of one invented agency on one day: its receipts open, and its proof leads to its checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from litestar.openapi.spec import (
    Components,
    Discriminator,
    Example,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    Schema,
    SecurityScheme,
    Tag,
)
from msgspec import Struct

from ecluse.policy import Reason
from ecluse.web.problems import PROBLEMS, headers_of
from ecluse.web.wire import ID_PATTERN

PROBLEM_JSON: Final = "application/problem+json"
CALLER: Final = ("invalid-request", "invalid-token", "invalid-proof", "wrong-role", "ledger-unavailable")
"""What every call with a token may be answered with."""
DOOR: Final = (
    *CALLER, *(reason.value for reason in Reason), "too-large", "too-many-refusals", "register-unavailable", "clock-untrusted", "busy",
)  # fmt: skip
"""What a call that discloses may be answered with."""
ABOUT: Final = """\
Écluse hands out one person, when that person is due, in the fields and forms that the contract names.

**Get a token.** `POST /oauth/token` with an assertion signed by the client's own key (RFC 7523) and a DPoP proof (RFC 9449). It lives for 300 seconds.

**Call.** Each call with a token carries `Authorization: DPoP <token>` and a fresh `DPoP` proof of its method, address (the agency's public one, without query)
and token. A proof may be used within 60 seconds of its `iat`; where data or state moves it may be used once.

**Retry.** Send an `Idempotency-Key` with each disclosure. Where an answer has `Retry-After`, the same call may succeed later without anybody's doing: make it
again with a fresh proof and the same key.

**Problems** are RFC 9457 documents. `type` is `/problems/<code>`, a page that says whose move it is; branch on `type`, not on the sentences. Codes and members
are added, never taken away: take an unknown one by its status. An address that is not listed here answers 404 `not-found`, a method that is not 405
`method-not-allowed`.

**Formats.** JSON in UTF-8. Instants are RFC 3339 in UTC with `Z`. Ids are a prefix, `_` and 26 characters. Unknown members of a request are refused;
members of an answer may be added. What decides is documented in `docs/decisions/0001-formats.md`.
"""
TAGS: Final = [
    Tag(name="authorization", description="Tokens bound to the client's own key."),
    Tag(name="processor", description="What a contractor's machine asks."),
    Tag(name="controller", description="What the agency's own scheduler sends and fetches."),
    Tag(name="person", description="What the agency's portal asks for a person: who was given what of their data."),
    Tag(
        name="ledger", description="The log's surface (C2SP tlog-tiles), without personal data: public, its entries for auditors."
    ),
    Tag(name="operation", description="For those who run the gate."),
]


def _text(description: str | None = None, **more: Any) -> Schema:  # noqa: ANN401 - members of a JSON schema
    return Schema(type=OpenAPIType.STRING, description=description, **more)


def _object(members: Mapping[str, Schema | Reference], required: Iterable[str], **more: Any) -> Schema:  # noqa: ANN401 - the same
    return Schema(type=OpenAPIType.OBJECT, properties=dict(members), required=sorted(required), **more)


def _header(name: str) -> Reference:
    return Reference(ref=f"#/components/headers/{name}")


_TIME: Final = {"format": "date-time"}
_SCOPE: Final = {"scope": _text("What is stopped.", enum=["processor", "client", "agent", "contract", "key"])}
_MEMBERS: Final[Mapping[str, Mapping[str, Schema]]] = {
    "outside-window": {
        "opens_at": _text("The first instant of the window.", **_TIME),
        "closes_at": _text("The instant at which the window is over.", **_TIME),
        "cancelled": Schema(type=OpenAPIType.BOOLEAN, description="Present and true where the place is cancelled."),
    },
    "outside-outcome-window": {
        "opens_at": _text("The session's start.", **_TIME),
        "closes_at": _text("The instant from which nothing more may be said.", **_TIME),
        "cancelled": Schema(type=OpenAPIType.BOOLEAN, description="Present and true where the place is cancelled."),
    },
    "budget-spent": {
        "budget": _text(
            "The ceiling that is reached.",
            enum=[
                "agent-per-hour",
                "client-per-hour",
                "processor-per-day",
                "processor-per-month",
                "reads-per-appointment",
                "redelivery",
            ],
        )
    },
    "gate-frozen": {
        **_SCOPE,
        "state": _text("The gate's state, unless a hold closes it.", enum=["frozen", "closed"]),
        "reasons": Schema(
            type=OpenAPIType.ARRAY,
            items=_text(),
            description="What stands against your contract's gate, as `gate_reasons` of `whoami`; of a contract in force only.",
        ),
    },
    "suspended": _SCOPE,
    "attribute-not-contracted": {
        "attributes": Schema(
            type=OpenAPIType.ARRAY,
            items=_text(),
            description="Those that the contract does not name; `(unmapped)` for names that mean nothing here.",
        )
    },
    "too-many-refusals": {
        "retry_in_seconds": Schema(
            type=OpenAPIType.INTEGER, minimum=1, description="When the minute is over; also `Retry-After`."
        )
    },
    "evidence-refused": {
        "problems": Schema(
            type=OpenAPIType.ARRAY,
            items=_object(
                {"where": _text("The member, and the row where it has rows."), "why": _text(), "mend": _text()},
                ("where", "why", "mend"),
            ),
        )
    },
    "schedule-refused": {
        "sha256": _text("The file's SHA-256.", pattern="^[0-9a-f]{64}$"),
        "problems": Schema(
            type=OpenAPIType.ARRAY,
            max_items=1000,
            items=_object(
                {
                    "row": Schema(
                        type=OpenAPIType.INTEGER, minimum=1, description="The line of a CSV file, the place in `rows`."
                    ),
                    "column": Schema(type=[OpenAPIType.STRING, OpenAPIType.NULL]),
                    "why": _text(),
                    "mend": _text(),
                },
                ("row", "column", "why", "mend"),
            ),
        ),
        "total": Schema(type=OpenAPIType.INTEGER, minimum=1, description="How many problems there are; 1000 are listed at most."),
    },
}
"""The members that a problem has beside those of RFC 9457, by code."""
_AT_TIMES: Final = {"cancelled", "reasons", "scope", "state"}
_EARLY_TOO: Final = {"suspended", "purpose-not-contracted", "attribute-not-contracted", "unknown-agent", "key-reused"}
"""Refusals that are also given without a decision, before one or of an outcome: then there is no receipt."""


@cache
def examples() -> dict[str, Any]:
    """Return what ``examples.json`` holds: requests by operation and media type, answers by operation, extra members of problems by code."""
    read: dict[str, Any] = json.loads((files("ecluse.web") / "examples.json").read_text(encoding="utf-8"))
    return read


def schema_name(code: str) -> str:
    """Return the name of a problem's schema: ``ProblemOutsideWindow``."""
    return "Problem" + "".join(word.title() for word in code.split("-"))


def complete(schemas: dict[str, Any], types: Iterable[type[Struct]]) -> None:
    """Complete the schemas that were drawn from ``types``: what each is, whether it takes unknown members; and add one a problem of the catalogue."""
    for each in types:
        if each.__name__ in schemas:
            schemas[each.__name__]["description"] = (each.__doc__ or "").replace("``", "`")
            if each.__struct_config__.forbid_unknown_fields:
                schemas[each.__name__]["additionalProperties"] = False
    schemas.update({schema_name(code): _problem_schema(code).to_schema() for code in PROBLEMS})


def _problem_schema(code: str) -> Schema:
    row, extra = PROBLEMS[code], dict[str, Schema | Reference](_MEMBERS.get(code, {}))
    required = {"type", "title", "status", "detail", *(extra.keys() - _AT_TIMES)}
    if code in set(Reason):
        extra["disclosure"] = _text("The decision, as the ledger names it.", pattern=ID_PATTERN % "dsc")
        extra["receipt"] = Reference(ref="#/components/schemas/Receipt")
        required |= {"disclosure", "receipt"}
    if code in _EARLY_TOO:
        required -= extra.keys()
    members: dict[str, Schema | Reference] = {
        "type": _text("Which problem it is.", const=f"/problems/{code}"),
        "title": _text("Its name.", examples=[row.title]),
        "status": Schema(type=OpenAPIType.INTEGER, const=row.status),
        "detail": _text("A sentence for people.", examples=[row.detail]),
    }
    early = " Extra members are there where the refusal was sealed." if code in _EARLY_TOO else ""
    return _object(members | extra, required, title=schema_name(code), description=row.detail + early)


def _header_parameters() -> dict[str, Parameter | Reference]:
    proof = (
        "A proof of the key, fresh for each request (RFC 9449 §4.2): a JWT of type `dpop+jwt` signed by ES256, Ed25519 or EdDSA."
    )
    jwt = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"
    key = "Names this request, so that a retry of a grant within ten minutes is answered again and spends nothing. Fresh for each request."
    return {
        "DPoP": Parameter(name="DPoP", param_in="header", required=True, description=proof, schema=_text(pattern=jwt)),
        "IdempotencyKey": Parameter(
            name="Idempotency-Key",
            param_in="header",
            description=key,
            schema=_text(pattern="^[A-Za-z0-9_-]{1,64}$", examples=["arrival-0042"]),
        ),
        "IfNoneMatch": Parameter(
            name="If-None-Match",
            param_in="header",
            description="The `ETag` of an earlier answer: 304 if it still holds.",
            schema=_text(),
        ),
    }


def components() -> Components:
    """Return the shared parts that no type draws: security scheme, header parameters and header fields of answers."""
    return Components(
        security_schemes={
            "dpop": SecurityScheme(
                type="http",
                scheme="DPoP",
                description="`Authorization: DPoP <token>` with a token of `POST /oauth/token` (RFC 9449 §7.1), never `Bearer`. "
                "The `DPoP` header goes with it, by the key that the token is bound to, with `ath`. The word in the requirement is the token's scope.",
            )
        },
        parameters=_header_parameters(),
        headers={
            "CacheControl": OpenAPIHeader(description="How long the answer may be kept, and by whom.", schema=_text()),
            "ETag": OpenAPIHeader(
                description="The answer's tag, for `If-None-Match`.", required=True, schema=_text(pattern='^"[0-9a-f]{32}"$')
            ),
            "RetryAfter": OpenAPIHeader(
                description="Seconds after which the same call may succeed; absent where it will not.",
                schema=Schema(type=OpenAPIType.INTEGER, minimum=1),
            ),
            "ContentTypeOptions": OpenAPIHeader(
                description="`nosniff`: it is what its media type says.", schema=_text(pattern="^nosniff$")
            ),
            "WWWAuthenticate": OpenAPIHeader(
                description="The scheme, the error and the algorithms taken (RFC 9449 §7.1).", required=True, schema=_text()
            ),
        },
    )


_COMPONENT_OF: Final = {
    "cache-control": "CacheControl",
    "retry-after": "RetryAfter",
    "www-authenticate": "WWWAuthenticate",
    "etag": "ETag",
}
_FIELD: Final = {
    "CacheControl": "Cache-Control",
    "RetryAfter": "Retry-After",
    "WWWAuthenticate": "WWW-Authenticate",
    "ETag": "ETag",
    "ContentTypeOptions": "X-Content-Type-Options",
}


def published(
    *,
    answer: str,
    problems: Sequence[str] = (),
    scope: str | None = None,
    takes: Sequence[str] = (),
    sends: Sequence[str] = (),
    body: RequestBody | None = None,
) -> type[Operation]:
    """Return what completes a handler's operation in the document.

    ``answer``: what a 200 means; ``problems``: the codes it may be refused with (``internal`` goes without saying); ``scope``: of the token it wants, None for
    none; ``takes``, ``sends``: header parameters and header fields of a 200, by their names under components; ``body``: of a request that no type describes.
    """

    @dataclass
    class Published(Operation):
        """One operation of the document."""

        def __post_init__(self) -> None:
            """Add to what the framework drew from the handler."""
            proof = ("DPoP",) if scope is not None else ()
            named = [Reference(ref=f"#/components/parameters/{name}") for name in (*proof, *takes)]
            self.parameters = [*(self.parameters or []), *named] or None
            self.security = [{"dpop": [scope]}] if scope is not None else []
            self.request_body = body or self.request_body
            self.responses = _responses(self, answer, problems, sends)
            given = examples()["requests"].get(self.operation_id)
            if given is not None and isinstance(self.request_body, RequestBody):
                _illustrate(self.request_body.content, given)

    return Published


def _responses(
    operation: Operation, answer: str, problems: Sequence[str], sends: Sequence[str]
) -> dict[str, OpenAPIResponse | Reference]:
    """Return the answers of an operation, by status: what the framework drew, completed, and the problems."""
    found: dict[str, OpenAPIResponse | Reference] = {}
    for status, drawn in (operation.responses or {}).items():
        # the framework adds a 400 of its own where it checks something: ours comes below
        if isinstance(drawn, OpenAPIResponse) and (
            status == "200" or isinstance(next(iter((drawn.content or {}).values())).schema, Reference)
        ):
            drawn.headers = _fields(["CacheControl"])
            found[status] = drawn
    granted = found["200"]
    if not isinstance(granted, OpenAPIResponse) or granted.content is None:
        raise AssertionError("impossible: an operation without an answer")
    granted.description, granted.headers = answer, _fields(sends)
    given = examples()["answers"].get(operation.operation_id)
    if given is not None:
        _illustrate(granted.content, dict.fromkeys(granted.content, given))
    if "ETag" in sends:
        found["304"] = OpenAPIResponse(description="As you know it: no body.", headers=_fields(sends))
    statuses = sorted({PROBLEMS[code].status for code in (*problems, "internal")})
    for each in statuses:
        found[str(each)] = _refusals(
            [code for code in PROBLEMS if code in {*problems, "internal"} and PROBLEMS[code].status == each]
        )
    return dict(sorted(found.items()))


def _fields(names: Iterable[str]) -> dict[str, OpenAPIHeader | Reference] | None:
    return {_FIELD[name]: _header(name) for name in names} or None


def _refusals(codes: Sequence[str]) -> OpenAPIResponse:
    """Return the answer of one status: one problem, or one of several told apart by ``type``."""
    references = {f"/problems/{code}": Reference(ref=f"#/components/schemas/{schema_name(code)}") for code in codes}
    schema: Schema | Reference = next(iter(references.values()))
    if len(codes) > 1:
        told_apart = Discriminator(property_name="type", mapping={kind: each.ref for kind, each in references.items()})
        schema = Schema(one_of=list(references.values()), discriminator=told_apart)
    own = {name.decode() for code in codes for name, _ in headers_of(code)} - {"content-type", "connection"}
    sent = {_COMPONENT_OF[name] for name in own}
    if "too-many-refusals" in codes:  # its wait is told with each answer, not by the catalogue
        sent.add("RetryAfter")
    shown = {
        code: Example(summary=PROBLEMS[code].title, value=_example(code))
        for code in codes
        if _can_show(code, sealed="not-disclosable" in codes)
    }
    return OpenAPIResponse(
        description="; ".join(f"`{code}`: {PROBLEMS[code].title}" for code in codes) + ".",
        headers=_fields(sorted(sent)),
        content={PROBLEM_JSON: OpenAPIMediaType(schema=schema, examples=dict(shown) or None)},
    )


def _can_show(code: str, *, sealed: bool) -> bool:
    """Tell whether there is an example of a problem: without extra members one writes itself, a receipt must be a true one."""
    plain = code not in _MEMBERS and code not in set(Reason)
    return code in examples()["problems"] or plain or (code in _EARLY_TOO and not sealed)


def _example(code: str) -> dict[str, object]:
    row = PROBLEMS[code]
    told = examples()["problems"].get(code, {})
    return {"type": f"/problems/{code}", "title": row.title, "status": row.status, "detail": row.detail, **told}


def _illustrate(content: Mapping[str, OpenAPIMediaType], given: Mapping[str, object]) -> None:
    """Add to each media type of a body its example."""
    for name, media in content.items():
        media.examples = {"example": Example(value=given[name])}
