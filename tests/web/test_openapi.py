"""The OpenAPI document is valid, whole and true, and only grows. ``python -m tests.web.test_openapi`` writes it anew into ``openapi.json``."""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import httpx
import jsonschema
import pytest

from ecluse.web.app import build_framework, openapi_document
from ecluse.web.gateway import Gateway
from ecluse.web.pages.shield import ROOTS
from ecluse.web.problems import PROBLEMS
from tests.agency import Agency
from tests.e2e.outsider import check_receipt, is_included
from tests.web.openapi_changes import narrowed, operations, resolve

pytestmark = pytest.mark.web

SNAPSHOT: Final = Path(__file__).with_name("openapi.json")
META_SCHEMA: Final = Path(__file__).parents[1] / "vectors" / "openapi" / "schema-3.1-2022-10-07.json"
COMMAND: Final = "python -m tests.web.test_openapi"
OF_THE_DOCUMENT: Final = {"/schema", "/schema/openapi.json", "/schema/{path}"}
"""Where the document itself is served."""

OF_PEOPLE: Final = ("/questionnaire", *ROOTS)
"""Where pages for people in their browsers begin: no program is written against them."""


async def _never() -> Gateway:
    raise AssertionError("impossible: nothing is served here")


def published() -> dict[str, Any]:
    """Draw the document as a gate serves it."""
    document: dict[str, Any] = json.loads(json.dumps(openapi_document(build_framework(_never, {}))))
    return document


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document of this source."""
    return published()


def bodies(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Walk through the media types of all requests and answers, each with where it stands."""
    for (method, path), operation in operations(document).items():
        parts = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for what, part in parts.items():
            for name, media in resolve(document, part).get("content", {}).items():
                yield f"{method} {path} {what} {name}", media


def misfit(document: Mapping[str, Any], schema: Mapping[str, Any], value: object) -> list[str]:
    """Say where a value is not as a schema of the document says."""
    validator = jsonschema.Draft202012Validator({**schema, "components": document["components"]})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


# ── valid ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_document_when_checked_by_the_meta_schema_then_valid(document: dict[str, Any]) -> None:
    """The document fits the official schema of OpenAPI 3.1, its own schemas JSON Schema 2020-12, and each operation has a name of its own."""
    meta = json.loads(META_SCHEMA.read_text(encoding="utf-8"))
    assert [error.message for error in jsonschema.Draft202012Validator(meta).iter_errors(document)] == []
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    named = [operation["operationId"] for operation in operations(document).values()]
    assert len(set(named)) == len(named)


def test_references_when_followed_then_each_leads_somewhere_and_each_part_is_used(document: dict[str, Any]) -> None:
    """No reference dangles; the one part that no operation names is the problem of a method that an address does not take."""
    text = json.dumps(document)
    parts = {
        f"#/components/{kind}/{name}" for kind in ("schemas", "parameters", "headers") for name in document["components"][kind]
    }
    named = {word for word in text.split('"') if word.startswith("#/components/")}
    assert named - parts == set()
    assert parts - named == {"#/components/schemas/ProblemMethodNotAllowed"}


def test_operations_when_read_then_in_words(document: dict[str, Any]) -> None:
    """Each operation has a summary, a description, a known tag, and says whether it takes a token; with one goes a proof."""
    tags = {tag["name"] for tag in document["tags"]}
    for operation in operations(document).values():
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) <= tags
        fields = {p["name"] for p in (resolve(document, each) for each in operation.get("parameters", [])) if p["in"] == "header"}
        assert not operation["security"] or "DPoP" in fields


def test_examples_when_checked_by_their_schemas_then_they_fit(document: dict[str, Any]) -> None:
    """Each JSON answer has an example; every example is as its schema says."""
    without = [where for where, media in bodies(document) if "json" in where and "examples" not in media]
    wrong = [
        f"{where}: {said}"
        for where, media in bodies(document)
        for example in media.get("examples", {}).values()
        for said in misfit(document, media["schema"], example["value"])
    ]
    assert (without, wrong) == ([], [])


def test_examples_when_proved_then_true(document: dict[str, Any]) -> None:
    """The receipts of the examples open to their leaves, and the example of a proof leads from the first one to its checkpoint."""
    person, sheet, proof = (
        operations(document)[key]["responses"]["200"]["content"]["application/json"]["examples"]["example"]["value"]
        for key in (
            ("POST", "/v1/disclosures"),
            ("POST", "/v1/sessions/{session}/sheet"),
            ("GET", "/v1/disclosures/{disclosure}/proof"),
        )
    )
    for answer in (person, *sheet["disclosures"]):
        check_receipt(answer)
    assert proof["leaf_hash"] == person["receipt"]["leaf_hash"]
    _, size, root = proof["checkpoint"].split("\n")[:3]
    path = [bytes.fromhex(each) for each in proof["inclusion"]]
    assert is_included(proof["index"], int(size), bytes.fromhex(proof["leaf_hash"]), path, b64decode(root))


# ── whole ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_routes_when_served_then_in_the_document_and_nothing_else(document: dict[str, Any]) -> None:
    """What the application routes and what the document names are the same, but for the document's own addresses and pages for people."""
    routed = {
        (method, route.path_format)
        for route in build_framework(_never, {}).routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS" and route.path_format not in OF_THE_DOCUMENT and not route.path_format.startswith(OF_PEOPLE)
    }
    assert routed == set(operations(document))


async def test_document_when_served_then_it_is_the_published_one(agency: Agency, document: dict[str, Any]) -> None:
    """A gate serves the same document at both addresses."""
    async with httpx.AsyncClient(base_url=agency.public_url) as anyone:
        answers = [await anyone.get(path) for path in ("/schema", "/schema/openapi.json")]
    assert [answer.json() == document for answer in answers] == [True, True]


# ── only growing ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_document_when_compared_with_the_published_one_then_it_only_grew(document: dict[str, Any]) -> None:
    """Nothing of the published document is removed or narrowed; what was added is written into it."""
    before = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert narrowed(before, document) == [], "A client written from the published document would break."
    assert before == document, f"The document changed: regenerate with `{COMMAND}`"


def _part(document: dict[str, Any], operation: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in operations(document).values() if each["operationId"] == operation)  # type: ignore[assignment]
    return found


def _schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


NARROWINGS: Final[dict[str, Callable[[dict[str, Any]], object]]] = {
    "GET /v1/budget is gone.": lambda d: d["paths"].pop("/v1/budget"),
    "GET /v1/sessions: the query parameter to is gone.": lambda d: _part(d, "sessions")["parameters"].pop(1),
    "GET /v1/sessions: the query parameter from is newly required.": lambda d: _part(d, "sessions")["parameters"][0].update(
        required=True
    ),
    "GET /v1/sessions: the answer 304 is gone.": lambda d: _part(d, "sessions")["responses"].pop("304"),
    "GET /v1/whoami: the member 200.gate is gone.": lambda d: _schema(d, "WhoAmI")["properties"].pop("gate"),
    "GET /v1/whoami: the member 200.log is no longer required.": lambda d: _schema(d, "WhoAmI")["required"].remove("log"),
    "GET /v1/whoami: the word warn of 200.gate is gone.": lambda d: _schema(d, "WhoAmI")["properties"]["gate"]["enum"].remove(
        "warn"
    ),
    "POST /v1/disclosures: the alternative ProblemBusy of 503 is gone.": lambda d: _part(d, "disclose")["responses"]["503"][
        "content"
    ]["application/problem+json"]["schema"]["oneOf"].pop(),
    "POST /v1/disclosures: the member request.why is newly required.": lambda d: _schema(d, "DisclosureRequest")[
        "required"
    ].append("why"),
    "POST /v1/disclosures: maxItems of request.attributes was 64 and is 8.": lambda d: _schema(d, "DisclosureRequest")[
        "properties"
    ]["attributes"].update(maxItems=8),
    "POST /v1/schedule: text/csv of request is gone.": lambda d: _part(d, "schedule")["requestBody"]["content"].pop("text/csv"),
    "GET /v1/changes: operationId was changes and is list.": lambda d: _part(d, "changes").update(operationId="list"),
    "POST /oauth/token: the header field Cache-Control of the answer 200 is gone.": lambda d: _part(d, "token")["responses"][
        "200"
    ]["headers"].pop("Cache-Control"),
}


@pytest.mark.parametrize("sentence", list(NARROWINGS))
def test_document_when_narrowed_then_said(document: dict[str, Any], sentence: str) -> None:
    """Each way of taking something away is told in one clear sentence."""
    changed = deepcopy(document)
    NARROWINGS[sentence](changed)
    assert sentence in narrowed(document, changed)


def test_document_when_it_grows_then_nothing_is_narrowed(document: dict[str, Any]) -> None:
    """A new operation, optional parameter, member, word or alternative takes nothing away."""
    grown = deepcopy(document)
    grown["paths"]["/v1/more"] = deepcopy(grown["paths"]["/v1/budget"])
    _part(grown, "budget")["parameters"].append({"name": "more", "in": "query", "schema": {"type": "string"}})
    _schema(grown, "WhoAmI")["properties"]["more"] = {"type": "string"}
    _schema(grown, "WhoAmI")["required"].append("more")
    _schema(grown, "WhoAmI")["properties"]["gate"]["enum"].append("ajar")
    _schema(grown, "SheetRequest")["properties"]["more"] = {"type": "string"}
    assert narrowed(document, grown) == []


def test_problems_when_listed_then_each_is_some_operations(document: dict[str, Any]) -> None:
    """Every code of the catalogue but that of a wrong method is declared at some operation."""
    told = {code for code in PROBLEMS if f'"/problems/{code}"' in json.dumps(document["paths"])}
    alone = {code for code in PROBLEMS if f"Problem{code.title().replace('-', '')}" in json.dumps(document["paths"])}
    assert told | alone == set(PROBLEMS) - {"method-not-allowed"}


if __name__ == "__main__":
    drawn = published()
    lost = narrowed(json.loads(SNAPSHOT.read_text(encoding="utf-8")), drawn) if SNAPSHOT.exists() else []
    if lost:
        sys.exit("\n".join([*lost, f"A client would break. Where that is meant, remove {SNAPSHOT.name} first."]))
    SNAPSHOT.write_text(json.dumps(drawn, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
