"""The bodies of ``/v1/evidence``, as the OpenAPI schema shows them. Additive only, as all of `ecluse.web.wire`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final

import msgspec
from litestar.openapi.spec import OpenAPIFormat, OpenAPIMediaType, OpenAPIType, RequestBody, Schema
from litestar.params import BodyKwarg

from ecluse.contracts import EvidenceKind
from ecluse.evidence import MediaType, NamedSubProcessor
from ecluse.evidence.rows import COLUMNS, MOST_ROWS
from ecluse.web.wire import ID_PATTERN, Count, GateWord, Hex, Name

EvidenceId = Annotated[str, BodyKwarg(description="A document of yours.", schema_extra={"pattern": ID_PATTERN % "evd"})]
KindWord = Annotated[str, BodyKwarg(description="What it is.", schema_extra={"enum": [kind.value for kind in EvidenceKind]})]
StateWord = Annotated[str, BodyKwarg(schema_extra={"enum": ["submitted", "accepted", "rejected", "withdrawn"]})]
MoveWord = Annotated[
    str, BodyKwarg(description="Whose move it is.", schema_extra={"enum": ["processor", "controller", "nobody"]})
]
MediaWord = Annotated[
    str,
    BodyKwarg(
        description="What its bytes are: nothing that was said of it is believed.",
        schema_extra={"enum": [m.value for m in MediaType]},
    ),
]


class PeriodItem(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"first": "from", "last": "until"}
):
    """The time that a document is about: its first and its last day."""

    first: date
    last: date


class EvidenceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document, and what is said of it: as `BODY` describes it."""

    kind: str
    title: str
    issuer: str
    reviewed_on: date
    document: bytes
    scope: str = ""
    sites: list[str] = []
    period: PeriodItem | None = None
    ends_on: date | None = None
    bridges: str | None = None
    sub_processors: list[NamedSubProcessor] = []


class FaultItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something to look at: the member, why, and the mend."""

    where: str
    why: str
    mend: str


class EvidenceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was kept. ``warnings``: what will not count as it stands. It moves no gate until a person at the agency has accepted it."""

    id: EvidenceId
    state: StateWord
    media_type: MediaWord
    size_bytes: Count
    sha256: Hex
    submitted_at: datetime
    warnings: list[FaultItem]


class ReasonItem(msgspec.Struct, frozen=True, kw_only=True):
    """Why the gate is as it is: the code, in words, the mend, and whose move it is."""

    code: str
    what: str
    mend: str
    move: MoveWord


class GateChangeItem(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate will be from an instant on if nobody does anything. ``reasons``: codes."""

    at: datetime
    gate: GateWord
    reasons: list[str]


class RequiredItem(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of evidence that your contract asks for. ``max_age``: ISO 8601."""

    kind: str
    max_age: str


class DocumentItem(msgspec.Struct, frozen=True, kw_only=True):
    """A document of yours. ``rejected_why``: what whoever rejected it wrote for you."""

    id: EvidenceId
    kind: KindWord
    title: str
    state: StateWord
    reviewed_on: date
    ends_on: date | None
    sites: list[Name]
    sha256: Hex
    submitted_at: datetime
    accepted_at: datetime | None
    withdrawn_at: datetime | None
    rejected_why: str | None


class StandingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where you stand. ``gate``, ``reasons``: at ``at``; ``changes``: the 90 days after it; holds come on top, `whoami` tells of them where they refuse."""

    at: datetime
    gate: GateWord
    reasons: list[ReasonItem]
    changes: list[GateChangeItem]
    required: list[RequiredItem]
    documents: list[DocumentItem]


def _text(most: int, description: str | None = None, **more: object) -> Schema:
    return Schema(type=OpenAPIType.STRING, min_length=1, max_length=most, description=description, **more)  # type: ignore[arg-type] # members of a JSON schema


_DAY: Final = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.DATE)
_ROW: Final = Schema(
    type=OpenAPIType.OBJECT,
    required=list(COLUMNS),
    properties={**{name: _text(200) for name in COLUMNS}, "country": Schema(type=OpenAPIType.STRING, pattern="^[A-Z]{2}$")},
    additional_properties=False,
)
BODY: Final = RequestBody(
    required=True,
    description="A document in base64, at most 20 MiB of it, and what is said of it.",
    content={
        "application/json": OpenAPIMediaType(
            schema=Schema(
                type=OpenAPIType.OBJECT,
                required=["kind", "title", "issuer", "reviewed_on", "document"],
                properties={
                    "kind": Schema(type=OpenAPIType.STRING, enum=[kind.value for kind in EvidenceKind]),
                    "title": _text(200),
                    "issuer": _text(200, "Who made it."),
                    "reviewed_on": Schema(
                        type=OpenAPIType.STRING, format=OpenAPIFormat.DATE, description="The day from which its age counts."
                    ),
                    "document": Schema(
                        type=OpenAPIType.STRING,
                        content_encoding="base64",
                        min_length=4,
                        description="PDF, PNG, JPEG, text, CSV, XLSX or ODS, with nothing in it that acts by itself.",
                    ),
                    "scope": Schema(type=OpenAPIType.STRING, max_length=2000, description="What it is about, in words."),
                    "sites": Schema(
                        type=OpenAPIType.ARRAY,
                        items=_text(63),
                        unique_items=True,
                        description="Those of your contract's sites that it covers; none named: all.",
                    ),
                    "period": Schema(
                        type=OpenAPIType.OBJECT,
                        required=["from", "until"],
                        properties={"from": _DAY, "until": _DAY},
                        additional_properties=False,
                        description="The first and the last day that it is about.",
                    ),
                    "ends_on": Schema(
                        type=OpenAPIType.STRING, format=OpenAPIFormat.DATE, description="Its own last day, where it has one."
                    ),
                    "bridges": Schema(
                        type=OpenAPIType.STRING,
                        pattern=ID_PATTERN % "evd",
                        description="Of a bridge letter: the document that it prolongs.",
                    ),
                    "sub_processors": Schema(
                        type=OpenAPIType.ARRAY,
                        max_items=MOST_ROWS,
                        items=_ROW,
                        description="Of a `sub-processor-list`, and of it alone: its rows.",
                    ),
                },
                additional_properties=False,
            )
        )
    },
)
