"""Requests that once were answered 500, sent to a real gate: each is refused by a problem of the catalogue now."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Final

import httpx
import pytest

from ecluse.embedded import EmbeddedPostgres
from tests.agency import Agency, founded
from tests.e2e.desk import Desk, at_work, code_of
from tests.e2e.outsider import Outsider
from tests.fuzz.files import BODY

pytestmark = pytest.mark.web

_ZERO: Final = "a\0b"
_NOT_UTF8: Final = json.dumps({**BODY, "x": 1}).encode().replace(b'"x"', b'"\x83"')
_BY_HAND: Final = {"source": "plan", "session_ref": "S1"}
_PLACE: Final = {**_BY_HAND, "place_ref": "P1", "subject_ref": "ofii:1"}
_AGENTS: Final = {**_BY_HAND, "agents": ["agt_" + "a" * 26]}
SENT: Final[dict[str, tuple[str, bytes, str]]] = {
    "a member's name that is not UTF-8": ("/v1/disclosures", _NOT_UTF8, "invalid-request"),
    "a member's name that is not UTF-8, of a sheet": ("/v1/sessions/{session}/sheet", b'{"\xff": "x"}', "invalid-request"),
    "a zero byte in the source of a substitution": ("/v1/schedule/substitutions", json.dumps({**_AGENTS, "source": _ZERO}).encode(), "not-found"),
    "a zero byte in the session of a substitution": ("/v1/schedule/substitutions", json.dumps({**_AGENTS, "session_ref": _ZERO}).encode(), "not-found"),
    "a zero byte in the source of a walk-in": ("/v1/schedule/walk-ins", json.dumps({**_PLACE, "source": _ZERO}).encode(), "not-found"),
    "a zero byte in the session of a walk-in": ("/v1/schedule/walk-ins", json.dumps({**_PLACE, "session_ref": _ZERO}).encode(), "not-found"),
    "a zero byte in the source of an empty snapshot": ("/v1/schedule?mode=snapshot&source=a%00b&confirm=0", b'{"rows":[]}', "schedule-refused"),
}  # fmt: skip
"""What it is; where it is sent; the body; the problem."""


@dataclass(frozen=True, kw_only=True)
class Callers:
    """A processor at work, and the controller's scheduler."""

    desk: Desk
    scheduler: Outsider


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """A founded agency with one gate."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data") as built:
        yield built


@pytest.fixture
async def callers(agency: Agency) -> AsyncIterator[Callers]:
    """Both, with tokens."""
    machine = await agency.machine(None)
    async with (
        at_work(agency, [10], sheet={"family_name": "full"}) as desk,
        Outsider(agency.public_url, machine.id, machine.key) as scheduler,
    ):
        yield Callers(desk=desk, scheduler=scheduler)


async def sent(caller: Outsider, path: str, body: bytes) -> httpx.Response:
    """Send bytes with a fresh proof."""
    token, bare = caller.access_token, path.partition("?")[0]
    fields = {
        "authorization": f"DPoP {token}",
        "dpop": caller.proof("POST", bare, token=token),
        "content-type": "application/json",
    }
    return await caller.http.post(path, content=body, headers=fields)


@pytest.mark.parametrize(("path", "body", "code"), SENT.values(), ids=SENT)
async def test_request_when_it_once_was_a_500_then_a_problem(callers: Callers, path: str, body: bytes, code: str) -> None:
    """No text reaches a decoder or the database that these would not take."""
    session = (await callers.desk.machine.call("GET", "/v1/sessions")).json()["sessions"][0]["id"]
    caller = callers.scheduler if path.startswith("/v1/schedule") else callers.desk.machine
    answer = await sent(caller, path.replace("{session}", session), body)
    assert code_of(answer) == code, answer.text
