"""A processor that knows the public interface alone: it gets what its contract names, proves it, and meets every documented refusal.

The client is ``outsider.py``; the agency's side (contracts, holds, clock, outages) is moved by ``tests.agency``.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.agency import Agency
from tests.e2e.desk import UNKNOWN, at_work, code_of, refused, refused_with_receipt
from tests.e2e.outsider import (
    WELL_KNOWN,
    Outsider,
    check_receipt,
    is_included,
    misfits,
    promised_by,
    read_checkpoint,
    recomputed_leaf_hash,
    shown_fields,
    tree_root,
)
from tests.invented import GIVEN, NOTHING_KNOWN, ONE_LETTER

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.e2e


async def document_of(machine: Outsider) -> Mapping[str, Any]:
    """Fetch the OpenAPI document."""
    document: Mapping[str, Any] = (await machine.http.get("/schema/openapi.json")).json()
    return document


# ── the way it is meant to go ────────────────────────────────────────────────────────────────────────────────────────────────
async def test_metadata_when_read_then_they_name_what_is_needed(agency: Agency) -> None:
    """The metadata name the token endpoint and its keys, and nothing that is not there."""
    async with at_work(agency) as desk:
        metadata = (await desk.machine.http.get(WELL_KNOWN)).json()
        keys = (await desk.machine.http.get(metadata["jwks_uri"])).json()["keys"]
    assert metadata["issuer"] == agency.public_url
    assert metadata["grant_types_supported"] == ["client_credentials"]
    assert metadata["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert [(key["kty"], "d" in key) for key in keys] == [("EC", False)]


async def test_person_when_due_then_disclosed_in_the_contracts_forms(agency: Agency) -> None:
    """A scheduled person's attributes come in the forms of the contract, with a receipt that commits to each of them."""
    async with at_work(agency, [42]) as desk:
        listed = (await desk.machine.call("GET", "/v1/sessions")).json()["sessions"]
        handle = listed[0]["appointments"][0]["id"]
        answer = await desk.machine.disclose(handle, desk.party.agent, list(GIVEN))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    person = answer.json()
    assert person["subject"] == {
        "family_name": "zq089xnom0042", "given_name": "z.", "birth_date": 1980, "entry_date": "2024-03-01", "preferred_language": "fr",
        "file_number": "***042", "email": "z***@example.org", "phone": "***42",
    }  # fmt: skip
    assert person["forms"] == GIVEN
    shown = check_receipt(person)
    assert (shown["processor"], shown["client"], shown["agent"]) == (desk.party.name, desk.machine.client, desk.party.agent)
    assert (shown["appointment"], shown["assurance"], shown["purpose"]) == (handle, "asserted", "civic-training")
    assert {"subject", "fingerprints", "rules", "interval"} & set(shown) == set()


async def test_person_when_nothing_is_known_then_null_and_one_letter_then_withheld(agency: Agency) -> None:
    """A value that the register lacks is null; a name of one letter has no initial that would say less."""
    async with at_work(agency, [ONE_LETTER, NOTHING_KNOWN]) as desk:
        one = (await desk.disclose(ONE_LETTER, ["family_name", "given_name"])).json()
        nothing = (await desk.disclose(NOTHING_KNOWN, list(GIVEN))).json()
    assert one["subject"] == {"family_name": "Ł"}
    assert one["forms"] == {"family_name": "full", "given_name": "withheld"}
    assert nothing["subject"] == dict.fromkeys(GIVEN)
    check_receipt(one)
    check_receipt(nothing)


async def test_answers_when_compared_with_the_openapi_document_then_they_fit(agency: Agency) -> None:
    """Every answer of the processor's interface has the members that the OpenAPI document promises, and no others."""
    async with at_work(agency, [11, 12], sheet={"family_name": "full"}) as desk:
        document = await document_of(desk.machine)
        person = await desk.disclose(11)
        proof = await published(desk.machine, person.json()["disclosure"])
        sheet = f"/v1/sessions/{(await desk.machine.call('GET', '/v1/sessions')).json()['sessions'][0]['id']}"
        answers = {
            ("post", "/v1/disclosures"): person,
            ("get", "/v1/disclosures/{disclosure}/proof"): proof,
            ("post", "/v1/sessions/{session}/sheet"): await desk.machine.call("POST", f"{sheet}/sheet", body={"agent": desk.party.agent}),
            ("get", "/v1/sessions/{session}"): await desk.machine.call("GET", sheet),
            **{("get", path): await desk.machine.call("GET", path) for path in ("/v1/sessions", "/v1/whoami", "/v1/changes", "/v1/budget")},
        }  # fmt: skip
    assert document["openapi"].startswith("3.1")
    for (method, path), answer in answers.items():
        assert answer.status_code == 200, answer.text
        assert misfits(document, promised_by(document, method, path), answer.json()) == []


async def test_sessions_when_asked_again_with_the_tag_then_nothing_is_sent(agency: Agency) -> None:
    """A list that has not changed answers 304 to its tag; it never holds personal data."""
    async with at_work(agency, [13, 14]) as desk:
        first = await desk.machine.call("GET", "/v1/sessions")
        again = await desk.machine.call("GET", "/v1/sessions", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "ofii" not in first.text
    assert "zq089x" not in first.text


async def published(machine: Outsider, disclosure: str) -> httpx.Response:
    """Wait for the inclusion proof, as `Retry-After` says."""
    for _ in range(50):
        answer = await machine.call("GET", f"/v1/disclosures/{disclosure}/proof")
        if code_of(answer) != "not-published":
            return answer
        await asyncio.sleep(0.2)
    raise AssertionError("no checkpoint in ten seconds")


async def test_receipt_when_published_then_in_the_signed_log(agency: Agency) -> None:
    """The entry of a receipt is under a checkpoint that verifies with the log's key, and under no other root, index or leaf."""
    vkey = (await agency.fetch("select vkey from ecluse.ledger_log"))[0]["vkey"]  # the agency hands it out on paper
    async with at_work(agency, [15]) as desk:
        receipt = (await desk.disclose(15)).json()
        proof = (await published(desk.machine, receipt["disclosure"])).json()
        public = (await desk.machine.http.get("/ledger/main/checkpoint")).text
        tile = (await desk.machine.http.get("/ledger/main/tile/0/000.p/1")).content
    assert proof["leaf_hash"] == receipt["receipt"]["leaf_hash"] == recomputed_leaf_hash(receipt["receipt"]["opening"])
    origin, size, root = read_checkpoint(proof["checkpoint"], vkey)
    assert origin == receipt["receipt"]["log"] == proof["log"]
    path = [bytes.fromhex(each) for each in proof["inclusion"]]
    leaf_hash, index = bytes.fromhex(proof["leaf_hash"]), proof["index"]
    assert is_included(index, size, leaf_hash, path, root)
    assert not is_included(index, size, bytes(32), path, root)
    assert not is_included(index - 1, size, leaf_hash, path, root)
    assert not is_included(index, size, leaf_hash, path[:-1], root)
    assert read_checkpoint(public, vkey)[1] >= size
    assert len(tile) == 32


async def test_log_when_all_its_leaves_are_hashed_then_the_checkpoints_root(agency: Agency) -> None:
    """The tiles of the first level, hashed by a stranger, give the root that is signed."""
    vkey = (await agency.fetch("select vkey from ecluse.ledger_log"))[0]["vkey"]
    async with httpx.AsyncClient(base_url=agency.public_url) as anyone:
        _, size, root = read_checkpoint((await anyone.get("/ledger/main/checkpoint")).text, vkey)
        tiles = []
        for first in range(0, size, 256):
            width = min(256, size - first)
            name = f"/ledger/main/tile/0/{first // 256:03d}" + ("" if width == 256 else f".p/{width}")
            tiles.append((await anyone.get(name)).content)
    hashes = [tile[at : at + 32] for tile in tiles for at in range(0, len(tile), 32)]
    assert len(hashes) == size
    assert tree_root(hashes) == root


# ── retries ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_retry_when_same_key_then_same_receipt_and_nothing_spent(agency: Agency) -> None:
    """Five retries of a grant bring the first receipt and spend nothing; the sixth is refused."""
    async with at_work(agency, [16]) as desk:
        first = await desk.disclose(16, ["family_name", "birth_date"], key="a-key")
        size, spent = await agency.size(), (await desk.machine.call("GET", "/v1/budget")).json()
        for _ in range(5):
            again = await desk.disclose(16, ["birth_date", "family_name"], key="a-key")
            assert again.json() == first.json()
        assert (await desk.machine.call("GET", "/v1/budget")).json() == spent
        assert await agency.size() == size
        reads = await agency.fetch("select reads from ecluse.appointment where id = $1", desk.handles[16])
        sixth = await desk.disclose(16, ["family_name", "birth_date"], key="a-key")
    assert [row["reads"] for row in reads] == [1]
    assert refused_with_receipt(sixth, "budget-spent")["budget"] == "redelivery"


async def test_retry_when_another_body_then_key_reused(agency: Agency) -> None:
    """A key that stands for one request can't stand for another."""
    async with at_work(agency, [17, 18]) as desk:
        assert code_of(await desk.disclose(17, key="a-key")) == "ok"
        refused_with_receipt(await desk.disclose(18, key="a-key"), "key-reused")
        refused_with_receipt(await desk.disclose(17, ["birth_date"], key="a-key"), "key-reused")


async def test_retry_when_the_value_changed_then_said_and_no_value(agency: Agency) -> None:
    """A retry never brings a value that was not the one sealed; a new key does."""
    async with at_work(agency, [19]) as desk:
        assert code_of(await desk.disclose(19, key="a-key")) == "ok"
        await agency.change_register("update registre.personne set nom = 'zq089xnouveau' where numero = 19")
        refused_with_receipt(await desk.disclose(19, key="a-key"), "value-changed")
        fresh = await desk.disclose(19, key="b-key")
    assert fresh.json()["subject"] == {"family_name": "zq089xnouveau"}


# ── authentication ───────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_token_when_missing_wrong_or_expired_then_invalid_token(agency: Agency) -> None:
    """No token, another scheme, a changed token and an expired one are refused before anything is looked up."""
    async with at_work(agency, [20]) as desk:
        token = desk.machine.access_token
        server_key = ECKey.import_key((agency.folder / "keys" / "token.key").read_bytes())
        old = jwt.decode(token, server_key, algorithms=["ES256"])
        past = {**old.claims, "iat": int(time.time()) - 400, "exp": int(time.time()) - 100}
        expired = jwt.encode(old.header, past, server_key, algorithms=["ES256"])
        head, claims, signature = token.split(".")
        unsigned = f"{head}.{claims}.{signature[:10]}{'A' if signature[10] != 'A' else 'B'}{signature[11:]}"
        for wrong in ("", "DPoP", f"Bearer {token}", "DPoP x.y.z", f"DPoP {unsigned}", f"DPoP {expired}"):
            answer = await desk.disclose(20, headers={"authorization": wrong})
            refused(answer, "invalid-token")
            assert answer.headers["www-authenticate"].startswith("DPoP ")
        assert code_of(await desk.disclose(20)) == "ok"


async def test_proof_when_wrong_in_any_claim_then_invalid_proof(agency: Agency) -> None:
    """A proof for another method, address, token or time, or without one of its claims, proves nothing."""
    now = int(time.time())
    async with at_work(agency, [21]) as desk:
        other = await desk.machine.get_token()
        wrongs: list[dict[str, Any]] = [
            {"htm": "GET"}, {"htm": None}, {"htu": f"{agency.public_url}/v1/budget"}, {"htu": "http://elsewhere.example/v1/disclosures"}, {"htu": None},
            {"ath": None}, {"ath": other}, {"iat": now - 62}, {"iat": now + 3600}, {"iat": None}, {"jti": None}, {"jti": ""},
        ]  # fmt: skip
        for wrong in wrongs:
            refused(await desk.disclose(21, **wrong), "invalid-proof")
        for header in ("", "x", "a.b.c"):
            refused(await desk.disclose(21, headers={"dpop": header}), "invalid-proof")
        twice = [
            ("authorization", f"DPoP {desk.machine.access_token}"),
            *[("dpop", desk.machine.proof("POST", "/v1/disclosures", token=desk.machine.access_token)) for _ in range(2)],
        ]
        refused(await desk.machine.http.post("/v1/disclosures", content=b"{}", headers=twice), "invalid-proof")


async def test_token_when_stolen_without_its_key_then_worthless(agency: Agency) -> None:
    """A thief who has the token and a key of his own gets nothing, and no entry is written for him."""
    async with at_work(agency, [22]) as desk:
        size = await agency.size()
        refused(await desk.disclose(22, headers={"dpop": await stolen_proof(desk.machine)}), "invalid-proof")
        assert await agency.size() == size
        assert code_of(await desk.disclose(22)) == "ok"


async def stolen_proof(machine: Outsider) -> str:
    """Sign a proof that is right in everything but the key."""
    return machine.proof("POST", "/v1/disclosures", token=machine.access_token, key=ECKey.generate_key("P-256"))


async def test_proof_when_replayed_then_refused(agency: Agency) -> None:
    """A proof is good for one disclosure, also for the same person, also when the first one was refused."""
    async with at_work(agency, [23]) as desk:
        for handle in (desk.handles[23], UNKNOWN):
            proof = desk.machine.proof("POST", "/v1/disclosures", token=desk.machine.access_token)
            await desk.machine.disclose(handle, desk.party.agent, headers={"dpop": proof})
            size = await agency.size()
            refused(await desk.machine.disclose(handle, desk.party.agent, headers={"dpop": proof}), "invalid-proof")
            refused(await desk.disclose(23, headers={"dpop": proof}), "invalid-proof")
            assert await agency.size() == size


async def test_token_request_when_not_by_a_registered_key_then_an_oauth_error(agency: Agency) -> None:
    """The token endpoint refuses a stranger's assertion or proof, another audience, an old assertion, and either used twice."""
    async with at_work(agency) as desk:
        machine, stranger = desk.machine, ECKey.generate_key("P-256")
        audience = agency.public_url + "/oauth/token"
        used_assertion, used_proof = machine.assertion(audience), machine.proof("POST", "/oauth/token")
        assert (await machine.ask_token(assertion=used_assertion, proof=used_proof)).status_code == 200
        answers = [
            await machine.ask_token(assertion=machine.assertion(audience, key=stranger)),
            await machine.ask_token(assertion=machine.assertion("https://elsewhere.example")),
            await machine.ask_token(assertion=machine.assertion(audience, iat=int(time.time()) - 90)),
            await machine.ask_token(assertion=machine.assertion(audience, sub="cli_" + "a" * 26, iss="cli_" + "a" * 26)),
            await machine.ask_token(assertion=used_assertion),
            await machine.ask_token(proof=machine.proof("POST", "/oauth/token", key=stranger)),
            await machine.ask_token(proof=used_proof),
            await machine.ask_token(proof=machine.proof("POST", "/oauth/token", iat=int(time.time()) - 90)),
            await machine.ask_token(assertion="nonsense"),
        ]
    assert [answer.json()["error"] for answer in answers] == [
        *["invalid_client"] * 6,
        *["invalid_dpop_proof"] * 2,
        "invalid_client",
    ]
    assert [answer.status_code for answer in answers] == [*[401] * 6, 400, 400, 401]


async def test_call_when_of_another_role_or_address_then_refused(agency: Agency) -> None:
    """The controller's scheduler may not read persons; an address that is not there, or takes another method, says so."""
    scheduler = await agency.machine(None)
    async with at_work(agency, [24]) as desk, Outsider(agency.public_url, scheduler.id, scheduler.key) as controller:
        refused(await controller.disclose(desk.handles[24], desk.party.agent), "wrong-role")
        refused(await controller.call("GET", "/v1/sessions"), "wrong-role")
        refused(await desk.machine.call("POST", "/v1/schedule", body={"rows": []}), "wrong-role")
        refused(await desk.machine.call("GET", "/v1/sessions/ses_" + "a" * 26), "not-found")
        refused(await desk.machine.call("GET", "/v1/disclosures/dsc_" + "a" * 26 + "/proof"), "not-found")
        refused(await desk.machine.call("GET", "/v1/nothing"), "not-found")
        refused(await desk.machine.call("GET", "/v1/disclosures"), "method-not-allowed")
        refused(await desk.machine.call("DELETE", "/v1/budget"), "method-not-allowed")


async def test_request_when_malformed_then_invalid_request(agency: Agency) -> None:
    """Unknown or doubled members, other types, no attributes, strange keys and huge bodies are refused before a decision is made."""
    async with at_work(agency, [25]) as desk:
        good = {"appointment": desk.handles[25], "agent": desk.party.agent, "attributes": ["family_name"]}
        text = json.dumps(good)
        size = await agency.size()
        wrongs: list[dict[str, object]] = [
            {"subject": "x"}, {"attributes": []}, {"attributes": "family_name"}, {"attributes": ["a" * 64]}, {"attributes": ["family_name"] * 2},
            {"agent": None}, {"appointment": "1"},
        ]  # fmt: skip
        for body in (*[{**good, **wrong} for wrong in wrongs], []):
            refused(await desk.machine.call("POST", "/v1/disclosures", body=body), "invalid-request")
        for raw in (b"", b"{", text.replace("}", ', "agent": "x"}').encode(), b"\xff" + text.encode(), text.encode("utf-16")):
            fields = {"authorization": f"DPoP {desk.machine.access_token}"}
            fields["dpop"] = desk.machine.proof("POST", "/v1/disclosures", token=desk.machine.access_token)
            refused(await desk.machine.http.post("/v1/disclosures", content=raw, headers=fields), "invalid-request")
        for key in ("a b", "é".encode(), "x" * 65, "a/b"):
            answer = await desk.disclose(25, headers={"idempotency-key": key})
            refused(answer, "invalid-request")
        refused(await desk.machine.call("POST", "/v1/disclosures", body={**good, "attributes": ["x" * 70_000]}), "too-large")
        assert await agency.size() == size


# ── outages ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("database", "code"), [("register", "register-unavailable"), ("ledger", "ledger-unavailable")])
async def test_database_when_away_then_503_and_back_then_served(agency: Agency, database: str, code: str) -> None:
    """Without the register, or without the ledger, nothing is disclosed; the same key is served when it is back."""
    async with at_work(agency, [43]) as desk:
        async with agency.without(database):
            refused(await desk.disclose(43, key="a-key"), code)
        for _ in range(20):
            answer = await desk.disclose(43, key="a-key")
            if code_of(answer) == "ok":
                break
            refused(answer, code)
            await asyncio.sleep(0.2)
        assert check_receipt(answer.json())["appointment"] == desk.handles[43]


async def test_clock_when_set_back_then_untrusted(agency: Agency) -> None:
    """A database whose clock went back tells no window: nothing is granted, and no refusal is sealed either."""
    async with at_work(agency, [44]) as desk:
        try:
            await agency.set_clock_offset(agency.offset - timedelta(minutes=1))
            size = await agency.size()
            refused(await desk.disclose(44), "clock-untrusted")
            refused(await desk.machine.disclose(UNKNOWN, desk.party.agent), "clock-untrusted")
            assert await agency.size() == size
        finally:
            await agency.reset_clock()
        assert code_of(await desk.disclose(44)) == "ok"


async def test_gate_when_too_many_wait_then_busy(agency: Agency) -> None:
    """A replica whose queue is full says so at once; who was told so has spent nothing."""
    narrow = agency.start_gate(door__queue=1, door__batch=1, door__flights=1)
    try:
        async with (
            at_work(agency, [45], reads=100) as desk,
            Outsider(agency.public_url, desk.machine.client, desk.machine.key, via=narrow.url) as machine,
        ):
            await machine.disclose(desk.handles[45], desk.party.agent)
            answers = await asyncio.gather(*(machine.disclose(desk.handles[45], desk.party.agent) for _ in range(30)))
            codes = [code_of(answer) for answer in answers]
            reads = await agency.fetch("select reads from ecluse.appointment where id = $1", desk.handles[45])
    finally:
        agency.stop_gate(narrow)
    refused(next(answer for answer in answers if answer.status_code != 200), "busy")
    assert set(codes) == {"ok", "busy"}
    assert reads[0]["reads"] == codes.count("ok") + 1


async def test_proof_of_inclusion_when_no_checkpoint_covers_it_then_not_published(agency: Agency) -> None:
    """Between seal and signature a proof has to be waited for."""
    async with at_work(agency, [46]) as desk, agency.connected() as held:
        async with held.transaction():
            await held.execute("select pg_advisory_xact_lock(1701016940, 1)")  # whoever holds it has the turn to integrate
            disclosure = (await desk.disclose(46)).json()["disclosure"]
            refused(await desk.machine.call("GET", f"/v1/disclosures/{disclosure}/proof"), "not-published")
        assert code_of(await published(desk.machine, disclosure)) == "ok"


async def test_problems_when_looked_up_then_each_has_a_page(agency: Agency) -> None:
    """The address in a problem's type is a page that says whose move it is."""
    async with httpx.AsyncClient(base_url=agency.public_url) as anyone:
        page = await anyone.get("/problems/outside-window")
        nothing = await anyone.get("/problems/no-such-code")
    assert "Whose move is it?" in page.text
    assert nothing.status_code == 404


def test_receipt_of_a_refusal_when_read_then_it_shows_no_more_than_was_said() -> None:
    """The reader of openings shows what stands in a list of three and nothing of what is hidden."""
    opening = {"v": 1, "k": "decision", "h": "2026-01-05T09Z", "fields": [["at", "00" * 32, "x"], "11" * 32]}
    assert shown_fields(opening) == {"at": "x"}
