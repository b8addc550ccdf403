"""Both fronts against a gate that checks for real: tokens, proofs, retries, receipts, refusals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from ecluse.client import AsyncClient, Client, NotAuthorised, ReceiptBroken, Refused, Unavailable
from ecluse.client import errors as e
from ecluse.errors import ConfigurationError

pytestmark = pytest.mark.unit

URL = "https://gate.example"
CLIENT = "cli_aaaaaaaaaaaaaaaaaaaaaaaaaa"
APPOINTMENT, AGENT = "apt_aaaaaaaaaaaaaaaaaaaaaaaaaa", "agt_aaaaaaaaaaaaaaaaaaaaaaaaaa"
NAMES = ["family_name", "birth_date", "phone", "address"]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collect the waits instead of waiting."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


@pytest.fixture
def client(gate, key_file: Path, pauses: list[float]) -> Client:
    """Return a blocking client of the gate."""
    return Client(URL, CLIENT, key_file, policy=gate.policy, transport=httpx.MockTransport(gate))


def problem(status: int, code: str, headers: dict[str, str] | None = None, **extra: object) -> httpx.Response:
    """Write a problem as the gate does."""
    return httpx.Response(status, json={"type": f"/problems/{code}", "title": "No.", "detail": "Why.", **extra}, headers=headers)


@pytest.mark.parametrize("code", sorted(e.REFUSALS))
def test_disclose_when_refused_then_typed_and_never_tried_again(client: Client, gate, pauses: list[float], code: str) -> None:
    """A refusal is raised as the type of its code, with what the gate said, after one request."""
    gate.troubles = [problem(403, code, opens_at="2026-01-05T09:00:00Z")]
    with pytest.raises(e.REFUSALS[code]) as caught:
        client.disclose(APPOINTMENT, AGENT, NAMES)
    refused = caught.value
    assert (refused.code, refused.title, refused.detail) == (code, "No.", "Why.")
    assert refused.extra == {"opens_at": "2026-01-05T09:00:00Z"}
    assert (len(gate.calls("/v1/disclosures")), pauses) == (1, [])


def test_disclose_when_refused_by_an_unknown_code_then_still_refused(client: Client, gate) -> None:
    """A code of a later version is a refusal with that code."""
    gate.troubles = [problem(418, "new-reason")]
    with pytest.raises(Refused) as caught:
        client.disclose(APPOINTMENT, AGENT, NAMES)
    assert (type(caught.value), caught.value.code) == (Refused, "new-reason")


@pytest.mark.parametrize("code", ["clock-untrusted", "other"])
def test_disclose_when_503_is_not_for_retrying_then_final(client: Client, gate, code: str) -> None:
    """Only the three codes that say to come again are tried again."""
    gate.troubles = [problem(503, code)]
    with pytest.raises(Unavailable) as caught:
        client.disclose(APPOINTMENT, AGENT, NAMES)
    assert (caught.value.last, len(gate.calls("/v1/disclosures"))) == (code, 1)


def test_disclose_when_trouble_passes_then_answered_with_one_key_and_new_proofs(
    client: Client, gate, pauses: list[float]
) -> None:
    """Lost and busy requests are sent again: same Idempotency-Key and body, another proof each time."""
    gate.troubles = [httpx.ConnectError("lost"), problem(503, "busy")]
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    sent = gate.calls("/v1/disclosures")
    assert len(sent) == 3
    assert len({(request.headers["Idempotency-Key"], request.content) for request in sent}) == 1
    assert len({request.headers["DPoP"] for request in sent}) == 3
    assert (0.05 <= pauses[0] <= 0.1, 0.1 <= pauses[1] <= 0.2, len(pauses)) == (True, True, 2)
    assert disclosed.subject["family_name"] == "Ouédraogo"


@pytest.mark.parametrize(("trouble", "last"), [(httpx.ReadTimeout("late"), "connection-lost"), ("ledger-unavailable",) * 2])
def test_disclose_when_trouble_stays_then_unavailable_after_four_tries(
    client: Client, gate, pauses: list[float], trouble: Exception | str, last: str
) -> None:
    """Tries are bounded, and what was the matter is said."""
    gate.troubles = [problem(503, trouble) if isinstance(trouble, str) else trouble for _ in range(9)]
    with pytest.raises(Unavailable) as caught:
        client.disclose(APPOINTMENT, AGENT, NAMES)
    assert (caught.value.last, len(gate.calls("/v1/disclosures")), len(pauses)) == (last, 4, 3)


@pytest.mark.parametrize("after", [None, "7", "31", "-1", "Mon, 05 Jan 2026 09:00:00 GMT", "9" * 5000])
def test_disclose_when_refused_too_often_then_refused_at_once(client: Client, gate, after: str | None) -> None:
    """A 429 is final, whatever ``Retry-After`` says: one more refusal would not help."""
    gate.troubles = [problem(429, "too-many-refusals", None if after is None else {"Retry-After": after})]
    with pytest.raises(e.TooManyRefusals):
        client.disclose(APPOINTMENT, AGENT, NAMES)
    assert len(gate.calls("/v1/disclosures")) == 1


def test_call_when_token_is_no_longer_taken_then_once_more_with_a_new_one(client: Client, gate) -> None:
    """A gate with a new token key is met with a new token, once and not for ever."""
    gone = {"WWW-Authenticate": 'DPoP error="invalid_token"'}
    gate.troubles = [httpx.Response(401, headers=gone)]
    assert client.whoami()["path"] == "/v1/whoami"
    assert len(gate.calls("/oauth/token")) == 2
    gate.troubles = [httpx.Response(401, headers=gone) for _ in range(9)]
    with pytest.raises(NotAuthorised):
        client.whoami()
    assert len(gate.troubles) == 7


def test_call_when_many_then_one_token_and_one_discovery(client: Client, gate) -> None:
    """A token is kept until shortly before it expires."""
    for _ in range(3):
        client.budget()
    assert [len(gate.calls(path)) for path in ("/.well-known/oauth-authorization-server", "/oauth/token", "/v1/budget")] == [
        1,
        1,
        3,
    ]


def test_authorise_when_token_is_near_its_end_then_a_new_one(client: Client, gate) -> None:
    """Thirty seconds before its end a token is replaced."""
    gate.issuer.life_seconds = 30
    client.budget()
    client.budget()
    assert len(gate.calls("/oauth/token")) == 2


def test_authorise_when_the_gate_refuses_the_client_then_not_authorised(key_file: Path) -> None:
    """The OAuth error is kept."""

    def refuse(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(401, json={"error": "invalid_client"})
        return httpx.Response(200, json={"issuer": URL, "token_endpoint": URL + "/oauth/token"})

    with pytest.raises(NotAuthorised) as caught:
        Client(URL, CLIENT, key_file, transport=httpx.MockTransport(refuse)).whoami()
    assert caught.value.oauth_error == "invalid_client"


@pytest.mark.parametrize(
    "member", [{"issuer": "https://other.example"}, {"token_endpoint": "https://other.example/oauth/token"}, {}]
)
def test_authorise_when_metadata_is_of_another_server_then_refused(key_file: Path, member: dict[str, str]) -> None:
    """Assertions are sent to no other server than the one named."""
    described = {"issuer": URL, "token_endpoint": URL + "/t"} | member if member else {}
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=described))
    with pytest.raises(e.AnswerInvalid):
        Client(URL, CLIENT, key_file, transport=transport).whoami()


def _other_value(answer: dict) -> None:
    answer["subject"]["birth_date"] = 1991


def _other_form(answer: dict) -> None:
    answer["forms"]["address"] = "full"


def _other_disclosure(answer: dict) -> None:
    answer["disclosure"] = "dsc_aaaaaaaaaaaaaaaaaaaaaaaaaa"


def _fewer(answer: dict) -> None:
    del answer["subject"]["phone"]


def _hidden_event(answer: dict) -> None:
    answer["receipt"]["opening"]["fields"][1] = "0" * 64


@pytest.mark.parametrize("tampering", [_other_value, _other_form, _other_disclosure, _fewer, _hidden_event])
def test_disclose_when_receipt_does_not_hold_then_broken(client: Client, gate, tampering: Callable[[dict], None]) -> None:
    """An answer that differs from what its own receipt commits to is reported."""
    gate.tampering = tampering
    with pytest.raises(ReceiptBroken):
        client.disclose(APPOINTMENT, AGENT, NAMES)


def test_disclose_when_granted_then_values_forms_and_nothing_in_the_repr(client: Client) -> None:
    """What was granted is read by name, and printing it shows no value."""
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    assert dict(disclosed.subject) == {"family_name": "Ouédraogo", "birth_date": 1990, "phone": None}
    assert disclosed.forms["address"] == "withheld"
    assert disclosed.window_closes_at == datetime(2026, 1, 5, 18, tzinfo=UTC)
    assert not any(secret in f"{disclosed} {disclosed!r}" for secret in ("Ouédraogo", "1990", "salts"))


def test_proof_when_the_next_checkpoint_comes_then_proven(client: Client, gate, pauses: list[float]) -> None:
    """A checkpoint older than the entry is waited for, then the entry is proven."""
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    gate.signed_size = 6
    proven = client.proof(disclosed)
    assert (proven.index, proven.head.checkpoint.size, len(pauses)) == (6, 7, 1)


def _other_root(answer: dict) -> None:
    answer["inclusion"][0] = "0" * 64


def _other_leaf(answer: dict) -> None:
    answer["leaf_hash"] = "0" * 64


def _other_size(answer: dict) -> None:
    answer["checkpoint"] = answer["checkpoint"].replace("\n7\n", "\n8\n")


@pytest.mark.parametrize("tampering", [_other_root, _other_leaf, _other_size])
def test_proof_when_it_does_not_hold_then_broken(client: Client, gate, tampering: Callable[[dict], None]) -> None:
    """A changed path, leaf or checkpoint is reported."""
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    gate.tampering = tampering
    with pytest.raises(ReceiptBroken):
        client.proof(disclosed)


def test_proof_when_no_policy_is_there_then_says_so(gate, key_file: Path) -> None:
    """Without a policy there is nothing to check with."""
    client = Client(URL, CLIENT, key_file, transport=httpx.MockTransport(gate))
    with pytest.raises(ConfigurationError):
        client.proof(client.disclose(APPOINTMENT, AGENT, NAMES))


def test_sheet_when_granted_then_a_disclosure_a_place(client: Client) -> None:
    """Each row has its own appointment and checked receipt."""
    rows = client.sheet("ses_aaaaaaaaaaaaaaaaaaaaaaaaaa", AGENT)
    assert [(row.appointment[4], row.subject["family_name"]) for row in rows] == [("a", "Ouédraogo"), ("b", "Ouédraogo")]


@pytest.mark.parametrize("url", ["http://gate.example", "ftp://gate.example", "gate.example", "https://gate.example?x"])
def test_client_when_the_address_is_not_safe_then_refused(key_file: Path, url: str) -> None:
    """Personal data does not travel in clear, except inside one machine."""
    with pytest.raises(ConfigurationError):
        Client(url, CLIENT, key_file)
    Client("http://127.0.0.1:8091", CLIENT, key_file).close()
    Client("http://gate.example", CLIENT, key_file, unsafe_plain_http=True).close()


def test_client_when_the_key_is_wrong_then_refused(tmp_path: Path) -> None:
    """A missing or foreign key file is a configuration error that quotes nothing."""
    (tmp_path / "bad.pem").write_text("secretsecret")
    for path in (tmp_path / "none.pem", tmp_path / "bad.pem"):
        with pytest.raises(ConfigurationError) as caught:
            Client(URL, CLIENT, path)
        assert "secretsecret" not in str(caught.value)


async def test_async_client_when_used_then_the_same(gate, key_file: Path) -> None:
    """The asynchronous front carries out the same exchanges, and tasks share one token."""
    async with AsyncClient(URL, CLIENT, key_file, policy=gate.policy, transport=httpx.MockTransport(gate)) as client:
        gate.troubles = [problem(503, "busy")]
        await asyncio.gather(*(client.budget() for _ in range(5)))
        disclosed = await client.disclose(APPOINTMENT, AGENT, NAMES)
        assert (await client.proof(disclosed)).index == disclosed.receipt.index
        assert (await client.changes("m1"))["query"] == {"after": "m1"}
    assert (len(gate.calls("/oauth/token")), len(gate.calls("/v1/budget"))) == (1, 6)


def test_sessions_when_answered_then_typed(client: Client, gate) -> None:
    """Sessions and their places are read with their instants."""
    place = {"id": APPOINTMENT, "enrolment": "enr_a", "opens_at": "2026-01-04T08:00:00Z", "closes_at": "2026-01-05T18:00:00Z"}
    session = {
        "id": "ses_a",
        "purpose": "civic-training",
        "site": "lyon-3",
        "starts_at": "2026-01-05T08:00:00Z",
        "ends_at": "2026-01-05T16:00:00.5Z",
        "appointments": [place],
        "later_member": 1,
    }
    gate.tampering = lambda answer: answer.update(sessions=[session])
    found = client.sessions(datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC))
    assert gate.calls("/v1/sessions")[0].url.query == b"from=2026-01-05T00%3A00%3A00Z&to=2026-01-06T00%3A00%3A00Z"
    assert (found[0].ends_at, found[0].appointments[0].id) == (datetime(2026, 1, 5, 16, 0, 0, 500000, tzinfo=UTC), APPOINTMENT)
    assert client.session("ses_a") == found[0]
    session["starts_at"] = "2026-01-05T08:00:00"
    with pytest.raises(e.AnswerInvalid):
        client.session("ses_a")
