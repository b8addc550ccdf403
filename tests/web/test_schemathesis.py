"""Every operation of the published schema against a real gate: requests drawn from the document and against it, by a caller with a valid token and proof.

No answer is a 5xx, and each has a status, a content type, header fields and a body that the document promises for that operation. Half of the requests are
lawful by the schema, half break it in one place. ``ECLUSE_BIG=1`` draws many more.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.pytest.plugin import make_constants_value_source
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.agency import Agency
from tests.e2e.outsider import Outsider

pytestmark = [pytest.mark.web, pytest.mark.timeout(1800)]  # seconds: of the long form

EXAMPLES: Final = 1_000 if os.environ.get("ECLUSE_BIG") else 20
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
TRANSPORT: Final = {"content-type", "content-length", "date", "server", "connection", "transfer-encoding", "allow"}
"""Header fields that HTTP itself puts there."""
OF_PAGES: Final = {"vary", "content-language", "content-security-policy", "referrer-policy", "x-content-type-options"}
"""What a page for people has beside: its language, and what keeps a browser from doing more than showing it."""


@dataclass(kw_only=True)
class Callers:
    """The machines that call: a processor's, and by scope the controller's scheduler and portal, and an auditor's.

    ``real``: values of path parameters that name something of the processor's.
    """

    agency: Agency
    runner: asyncio.Runner
    processor: Outsider
    others: dict[str, Outsider]
    real: dict[str, str]
    document: dict[str, Any]

    def renew(self) -> None:
        """Get tokens: one operation's requests take less than their life."""
        for machine in (self.processor, *self.others.values()):
            machine.access_token = self.runner.run(machine.get_token())

    def fields(self, method: str, url: str, tags: list[str], scopes: list[str]) -> dict[str, str]:
        """Return token and proof for one call, by the machine whose call it is; at the token endpoint a proof alone."""
        path = unquote(urlsplit(url).path)
        machine = next((self.others[scope] for scope in scopes if scope in self.others), self.processor)
        if "authorization" in tags:
            return {"DPoP": machine.proof(method, path)}
        return {"Authorization": f"DPoP {machine.access_token}", "DPoP": machine.proof(method, path, token=machine.access_token)}


@pytest.fixture(scope="module")
def callers(agency: Agency) -> Iterator[Callers]:
    """A processor with a session and a disclosure, and the controller's scheduler."""
    with asyncio.Runner() as runner:
        party = runner.run(agency.bind(sheet={"family_name": "full"}))
        handles = runner.run(agency.schedule(runner.run(agency.meeting(party, [10, 11, 12]))))
        roles = {"schedule": "scheduler", "usage": "portal", "audit": "auditor"}
        known = [party.machines[0], *(runner.run(agency.machine(None, role)) for role in roles.values())]
        machines = [Outsider(agency.public_url, each.id, each.key) for each in known]
        document = httpx.get(f"{agency.gates[0].url}/schema/openapi.json").json()
        made = Callers(
            agency=agency,
            runner=runner,
            processor=machines[0],
            others=dict(zip(roles, machines[1:], strict=True)),
            real={"appointment": handles[11]},
            document=document,
        )
        made.renew()
        disclosed = runner.run(made.processor.disclose(handles[10], party.agent)).json()
        sessions = runner.run(made.processor.call("GET", "/v1/sessions")).json()["sessions"]
        made.real |= {"disclosure": disclosed["disclosure"], "session": sessions[0]["id"], "code": "busy"}
        yield made
        for machine in machines:
            runner.run(machine.http.aclose())


KEPT: Final = Path(__file__).with_name("openapi.json")
"""The document as it is kept beside these tests; that it is the published one is tested below."""
OPERATIONS: Final = {
    (method, path) for path, methods in json.loads(KEPT.read_text(encoding="utf-8"))["paths"].items() for method in methods
}


@pytest.fixture(scope="module")
def schema() -> Any:
    """The document as schemathesis reads it."""
    return schemathesis.openapi.from_path(KEPT)


def undeclared(document: dict[str, Any], case: Any, response: Any) -> set[str]:
    """Return the header fields of an answer that its operation does not declare; a method that it lacks is answered 405 (the document's own words)."""
    operation = document["paths"][case.path].get(case.method.lower())
    if operation is None:
        # RFC 9110 §9.3.7: the methods that there are, in `Allow`, and nothing else
        assert response.status_code == (httpx.codes.NO_CONTENT if case.method == "OPTIONS" else httpx.codes.METHOD_NOT_ALLOWED)
        return set()
    answers = operation["responses"]
    declared = answers.get(str(response.status_code), {}).get("headers", {})
    pages = OF_PAGES if response.headers["content-type"][0].startswith("text/html") else set()
    return {name.lower() for name in response.headers} - {name.lower() for name in declared} - TRANSPORT - pages


@pytest.mark.parametrize("operation", sorted(OPERATIONS), ids=lambda operation: f"{operation[0].upper()} {operation[1]}")
def test_operation_when_any_request_comes_then_only_documented_answers(
    operation: tuple[str, str], schema: Any, callers: Callers
) -> None:
    """Whatever is sent by whoever may call, the answer is one that the document promises, and none is a server's error.

    What ``schema.parametrize()`` makes of an operation is made here when its turn comes: it draws hundreds of requests, and each worker collects all tests.
    """
    method, path = operation
    feedback = FeedbackSources(constants_value_source=make_constants_value_source(schema))
    any_request = build_operation_test(
        config=schema.config, operation=schema[path][method], test_func=only_documented, given_kwargs={}, feedback=feedback
    )
    any_request(callers=callers)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def only_documented(case: Any, callers: Callers) -> None:
    """Send one request, and once more about what there is."""
    raw, base = case.operation.definition.raw, callers.agency.gates[0].url
    tags, scopes = list(raw.get("tags", [])), [scope for each in raw.get("security", []) for scope in each.get("dpop", [])]
    for real in (False, True):
        if real:
            if not set(case.path_parameters or {}) & set(callers.real):
                break
            case.path_parameters = {name: callers.real.get(name, value) for name, value in case.path_parameters.items()}
        url = case.as_transport_kwargs(base_url=base)["url"]
        response = case.call(base_url=base, headers=callers.fields(case.method, url, tags, scopes))
        case.validate_response(response, checks=CHECKS)
        assert undeclared(callers.document, case, response) == set()


def test_document_when_kept_then_the_published_one_and_whole(callers: Callers) -> None:
    """The operations tried are those of the gate, all of them: an empty document would pass everything."""
    assert {(method, path) for path, methods in callers.document["paths"].items() for method in methods} == OPERATIONS
    assert len(OPERATIONS) >= 17
