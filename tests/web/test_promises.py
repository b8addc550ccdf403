"""Promises 2, 4, 6 and 9 attacked through the door: one person at most, a refusal that tells nothing, a key that can't be lent, and no value anywhere."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from ecluse.disclosure.door import GATHER
from ecluse.web.problems import PROBLEMS
from tests.agency import Agency
from tests.e2e.desk import UNKNOWN, at_work, code_of
from tests.e2e.outsider import Outsider, shown_fields
from tests.invented import ABSENT, GIVEN, MARK, PHONE_MARK, UNREADABLE, contract_text

pytestmark = pytest.mark.web

A_PERSON = re.compile(f"{MARK}(?:nom|prenom|mail)|{MARK.upper()}\\d|{PHONE_MARK}|1980-\\d\\d-\\d\\d")
"""A value of the register, as it stands there."""

RANDOM = re.compile(r"\b(?:dsc|apt)_[a-z2-7]{26}\b|\b[0-9a-f]{64}\b|\d{4}-\d\d-\d\dT[0-9:.]+Z|\"index\":\d+")
"""What differs between two answers that are the same: ids, salts and hashes, instants, the entry's number."""


MET = {
    "not-disclosable", "outside-window", "budget-spent", "gate-frozen", "suspended", "purpose-not-contracted", "attribute-not-contracted",
    "undetermined", "step-up-required", "unknown-agent", "value-changed", "key-reused", "invalid-request", "invalid-token", "invalid-proof",
    "wrong-role", "not-found", "method-not-allowed", "too-large", "not-published", "ledger-unavailable", "register-unavailable",
    "clock-untrusted", "busy", "too-many-requests",
}  # fmt: skip
"""The problems that the tests of the public client, and of a portal, meet."""


def persons_in(text: str) -> set[str]:
    """Return the persons whose name stands in a text."""
    return set(re.findall(f"{MARK}nom\\d{{4}}", text))


# ── 2 minimal ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_operations_when_each_is_called_then_no_person_but_by_disclosure_and_sheet(agency: Agency) -> None:
    """Of all operations in the OpenAPI document only the disclosure returns a person, one, and the sheet those of its session."""
    async with at_work(agency, [10, 11, 12], sheet={"family_name": "full"}) as desk:
        other = await agency.schedule(await agency.meeting(desk.party, [13, 14], ref="S2"))
        document = (await desk.machine.http.get("/schema/openapi.json")).json()
        sessions = (await desk.machine.call("GET", "/v1/sessions")).json()["sessions"]
        session = next(each["id"] for each in sessions if each["appointments"][0]["id"] in desk.handles.values())
        disclosed = (await desk.disclose(10)).json()["disclosure"]
        bodies = {"/v1/disclosures": {"appointment": desk.handles[11], "agent": desk.party.agent, "attributes": ["family_name"]}}
        found = {}
        for path, methods in document["paths"].items():
            real = path.replace("{session}", session).replace("{disclosure}", disclosed).replace("{path}", "0/000.p/1")
            for method in methods:
                body = None if method == "get" else bodies.get(path, {"agent": desk.party.agent})
                answer = await desk.machine.call(method.upper(), real, body=body)
                found[method, path] = (answer.status_code, persons_in(answer.text))
    assert len(other) == 2
    assert found.pop(("post", "/v1/disclosures")) == (200, {f"{MARK}nom0011"})
    assert found.pop(("post", "/v1/sessions/{session}/sheet")) == (200, {f"{MARK}nom{n:04d}" for n in (10, 11, 12)})
    assert {operation for operation, (_, persons) in found.items() if persons} == set()
    assert len(found) >= 10


async def test_sheet_when_granted_then_in_its_own_attributes_and_forms_only(agency: Agency) -> None:
    """A roll-call has the attributes that the contract's sheet names, in the sheet's forms, for planned places of this session only."""
    async with at_work(agency, [15, 16, 17], sheet={"given_name": "initial"}) as desk:
        await agency.schedule(desk.meeting, cancelled=[17])
        session = (await desk.machine.call("GET", "/v1/sessions")).json()["sessions"][0]["id"]
        sheet = (await desk.machine.call("POST", f"/v1/sessions/{session}/sheet", body={"agent": desk.party.agent})).json()
    assert [(row["subject"], row["forms"]) for row in sheet["disclosures"]] == [
        ({"given_name": "z."}, {"given_name": "initial"})
    ] * 2
    assert {row["appointment"] for row in sheet["disclosures"]} == {desk.handles[15], desk.handles[16]}
    assert sheet["missing"] == []


async def test_sheet_when_one_budget_falls_short_then_nobody(agency: Agency) -> None:
    """A roll-call is all places or none: where it would overrun a ceiling nobody is shown and nothing is spent."""
    async with at_work(agency, [18, 19, 20], sheet={"family_name": "full"}) as desk:
        session = (await desk.machine.call("GET", "/v1/sessions")).json()["sessions"][0]["id"]
        await agency.apply(contract_text(desk.party.name, sheet={"family_name": "full"}, per_day=2))
        answer = await desk.machine.call("POST", f"/v1/sessions/{session}/sheet", body={"agent": desk.party.agent})
        spent = (await desk.machine.call("GET", "/v1/budget")).json()["budgets"]
    assert (code_of(answer), answer.json()["budget"]) == ("budget-spent", "processor-per-day")
    assert persons_in(answer.text) == set()
    assert [budget["spent"] for budget in spent] == [0, 0, 0]
    assert not any(desk.party.agent in budget["scope"] for budget in spent)


async def test_sheet_when_not_contracted_or_foreign_then_refused(agency: Agency) -> None:
    """Without a sheet in the contract there is no roll-call; another's session and one that never was are one answer."""
    async with at_work(agency, [21]) as desk, at_work(agency, [22], sheet={"family_name": "full"}) as other:
        mine = (await desk.machine.call("GET", "/v1/sessions")).json()["sessions"][0]["id"]
        answers = [
            await machine.call("POST", f"/v1/sessions/{session}/sheet", body={"agent": desk.party.agent})
            for machine, session in ((desk.machine, mine), (other.machine, mine), (other.machine, "ses_" + "a" * 26))
        ]
    assert [code_of(answer) for answer in answers] == ["attribute-not-contracted", "not-found", "not-found"]
    assert answers[1].content == answers[2].content


@pytest.mark.parametrize("attribute", sorted(GIVEN))
async def test_attribute_when_the_contract_lacks_it_then_never_given(agency: Agency, attribute: str) -> None:
    """Each attribute of the register is refused under a contract that does not name it, alone and beside one that it names."""
    others = {name: form for name, form in GIVEN.items() if name != attribute}
    async with at_work(agency, [23], attributes=others) as desk:
        for attributes in ([attribute], [attribute, next(iter(others))]):
            answer = await desk.disclose(23, attributes)
            assert code_of(answer) == "attribute-not-contracted"
            assert A_PERSON.search(answer.text) is None


# ── 4 silent ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_handle_when_foreign_held_or_unknown_then_the_same_bytes(agency: Agency) -> None:
    """Answers to an unknown handle, another's, another's cancelled one, and one's own under a person hold differ in random parts only."""
    async with at_work(agency, [24]) as desk, at_work(agency, [25, 26]) as other:
        await agency.schedule(other.meeting, cancelled=[26])
        hold, _ = await agency.hold("person", "ofii:24")
        handles = [UNKNOWN, other.handles[25], other.handles[26], desk.handles[24]]
        answers = [await desk.machine.disclose(handle, desk.party.agent) for handle in handles]
        await agency.release(hold)
    assert {code_of(answer) for answer in answers} == {"not-disclosable"}
    assert len({RANDOM.sub("·", answer.text) for answer in answers}) == 1
    assert len({len(answer.content) for answer in answers}) == 1
    fields = [[name for name in answer.headers if name != "date"] for answer in answers]
    assert all(each == fields[0] for each in fields)


async def test_handle_when_foreign_or_unknown_then_the_register_is_not_asked(agency: Agency) -> None:
    """A refused handle is answered without the register: there is no time to measure there."""
    async with at_work(agency, [27]) as desk, at_work(agency, [28]) as other:
        async with agency.without("register"):
            codes = [code_of(await desk.machine.disclose(handle, desk.party.agent)) for handle in (UNKNOWN, other.handles[28])]
            own = code_of(await desk.disclose(27))
        sealed = [
            e
            for e in await agency.openings()
            if e.get("processor") == desk.party.name and e.get("appointment") == other.handles[28]
        ]
    assert codes == ["not-disclosable"] * 2
    assert own == "register-unavailable"
    assert [(entry["subject"], entry["purpose"]) for entry in sealed] == [(None, None)]


async def test_handle_when_foreign_or_unknown_then_the_same_look_ups(agency: Agency) -> None:
    """The database does the same for a foreign handle as for an unknown one: as many probes of the same indexes, as many rows."""
    counted = "select relname, seq_scan, seq_tup_read, idx_scan, idx_tup_fetch, n_tup_ins, n_tup_upd from pg_stat_xact_user_tables where schemaname = 'ecluse'"
    async with at_work(agency, [29]) as desk, at_work(agency, [30]) as other:
        found = []
        for handle in (UNKNOWN, other.handles[30], "apt_" + "b" * 25 + "a"):
            async with agency.connected("ecluse_app") as app, app.transaction():
                asked = (desk.party.name, handle, desk.party.agent, desk.machine.client, "/v1/disclosures", None)
                rows = [dict(row) for row in await app.fetch(GATHER, 1, [asked])]
                counts = {tuple(row) for row in await app.fetch(counted)}
                found.append(([{name: row[name] for name in row if name != "at"} for row in rows], counts))
    assert found[0] == found[1] == found[2]
    assert found[0][0][0]["subject_ref"] is None


async def test_reading_when_another_processor_asks_then_nothing_of_ours(agency: Agency) -> None:
    """Sessions, changes, budgets and proofs of one processor are not there for another."""
    async with at_work(agency, [31]) as desk, at_work(agency, [32]) as other:
        mine = (await desk.machine.call("GET", "/v1/sessions")).json()["sessions"][0]["id"]
        disclosure = (await desk.disclose(31)).json()["disclosure"]
        pairs = [
            (await other.machine.call("GET", path.format(mine)), await other.machine.call("GET", path.format(prefix + "a" * 26)))
            for path, prefix in (("/v1/sessions/{}", "ses_"),)
        ]
        foreign = await other.machine.call("GET", f"/v1/disclosures/{disclosure}/proof")
        unknown = await other.machine.call("GET", f"/v1/disclosures/dsc_{'a' * 26}/proof")
        texts = [
            (await other.machine.call("GET", path)).text for path in ("/v1/sessions", "/v1/changes", "/v1/budget", "/v1/whoami")
        ]
    assert foreign.content == unknown.content
    assert all(one.content == two.content for one, two in pairs)
    for text in texts:
        assert desk.party.name not in text
        assert desk.handles[31] not in text


# ── 6 key-bound ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_token_when_used_with_a_colleagues_key_then_refused(agency: Agency) -> None:
    """A token works with the key it was given for and with no other, not even another machine's of the same processor."""
    async with at_work(agency, [33], machines=2) as desk:
        second = desk.party.machines[1]
        async with Outsider(agency.public_url, second.id, second.key) as other:
            other.access_token = desk.machine.access_token
            answer = await other.disclose(desk.handles[33], desk.party.agent)
    assert code_of(answer) == "invalid-proof"


async def test_agent_when_named_by_a_machine_then_recorded_as_asserted(agency: Agency) -> None:
    """An agent that a machine names is recorded as asserted, whatever the session's roster says; one not on it is served and marked."""
    async with at_work(agency, [34], agents=2) as desk:
        for agent in desk.party.agents:
            shown = shown_fields((await desk.machine.disclose(desk.handles[34], agent)).json()["receipt"]["opening"])
            assert (shown["agent"], shown["assurance"]) == (agent, "asserted")
    rules = [
        entry["rules"] for entry in await agency.openings() if entry.get("processor") == desk.party.name and "rules" in entry
    ]
    assert ["roster:listed" in rules[0], "roster:unlisted" in rules[1]] == [True, True]


async def test_secret_when_sent_instead_of_a_key_then_refused(agency: Agency) -> None:
    """There is no password way in: other grants and client secrets are refused."""
    async with httpx.AsyncClient(base_url=agency.public_url) as anyone:
        forms = [
            {"grant_type": "client_credentials", "client_id": "cli_" + "a" * 26, "client_secret": "x"},
            {"grant_type": "password", "username": "x", "password": "x"},
            {"grant_type": "refresh_token", "refresh_token": "x"},
        ]
        errors = [(await anyone.post("/oauth/token", data=form)).json()["error"] for form in forms]
    assert errors == ["invalid_request"] * 3


# ── 9 forgetful ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def a_day(agency: Agency) -> dict[str, httpx.Response]:
    """Live through grants, retries and refusals of every kind; return the answers that may not hold a person, by the code expected."""
    name, everything = f"{MARK}nom0041", list(GIVEN)
    async with at_work(agency, [40, 41, UNREADABLE, ABSENT], sheet={"family_name": "full"}, reads=2) as desk:
        granted = [await desk.disclose(40, everything, key="k"), await desk.disclose(40, everything, key="k")]
        assert {code_of(answer) for answer in granted} == {"ok"}
        assert A_PERSON.search(granted[0].text) is not None
        await agency.change_register("update registre.personne set nom = nom || 'x' where numero = 40")
        refusals = {
            "value-changed": await desk.disclose(40, everything, key="k"),
            "key-reused": await desk.disclose(41, key="k"),
            "undetermined": await desk.disclose(UNREADABLE, everything),
            "undetermined (absent)": await desk.disclose(ABSENT),
            "not-disclosable": await desk.machine.disclose(UNKNOWN, desk.party.agent),
            "attribute-not-contracted": await desk.disclose(41, ["never_heard"]),
            "invalid-proof": await desk.disclose(41, headers={"dpop": name}),
            "invalid-request": await desk.disclose(41, headers={"idempotency-key": f"{name}/"}),
            "invalid-request (body)": await desk.machine.call("POST", "/v1/disclosures", body={"agent": name}),
            "not-found": await desk.machine.call("GET", f"/v1/{name}"),
        }
        async with agency.without("register"):
            refusals["register-unavailable"] = await desk.disclose(41)
        async with agency.without("ledger"):
            refusals["ledger-unavailable"] = await desk.disclose(41)
        await agency.change_register("alter table registre.personne rename column nom to nom_ancien")
        refusals["register-unavailable (changed)"] = await desk.disclose(41, key="other")
        await agency.change_register("alter table registre.personne rename column nom_ancien to nom")
    return refusals


async def test_values_when_a_day_has_passed_then_in_no_log_metric_error_or_table(agency: Agency) -> None:
    """After grants, retries, refusals and outages no value of the register stands in a log line, a metric, a refusal, or any table of the ledger."""
    refusals = await a_day(agency)
    assert {name: code_of(answer) for name, answer in refusals.items()} == {name: name.partition(" ")[0] for name in refusals}
    places = {f"refusal {name}": answer.text for name, answer in refusals.items()}
    async with httpx.AsyncClient(base_url=agency.public_url) as anyone:
        places["metrics"] = (await anyone.get(agency.gates[0].metrics)).text
        assert "ecluse_disclosure_answers" in places["metrics"]
    places["gate log"] = "".join(gate.log.read_text(encoding="utf-8") for gate in agency.gates)
    places["database log"] = agency.postgres.log.read_text(encoding="utf-8", errors="replace")
    places |= {f"table {name}": text for name, text in (await every_table(agency)).items()}
    assert {name for name, text in places.items() if A_PERSON.search(text)} == set()
    assert len(places) > 30


async def every_table(agency: Agency) -> dict[str, str]:
    """Return all rows of all tables of the ledger's database as text."""
    async with agency.connected() as owner:
        names = await owner.fetch(
            "select relname from pg_class where relnamespace = 'ecluse'::regnamespace and relkind in ('r', 'p') and not relispartition"
        )
        found = {}
        for name in [row["relname"] for row in names]:
            rows = await owner.fetch(f'select t::text from ecluse."{name}" t')  # noqa: S608 - a name of the catalogue
            found[name] = "\n".join(row[0] for row in rows)
    return found


async def test_openings_when_erased_then_unlinkable_and_the_tree_still_verifies(agency: Agency) -> None:
    """Without its opening an entry is a leaf that nobody can link; the log is as before, and the receipt in hand still proves it."""
    async with at_work(agency, [45]) as desk:
        receipt = (await desk.disclose(45)).json()["receipt"]
        leaves = await agency.fetch("select index, leaf from ecluse.ledger_entry order by index")
        async with agency.administered("ledger") as admin, admin.transaction():
            await admin.execute("set local role ecluse_eraser")
            assert await admin.execute("delete from ecluse.opening where subject_ref = 'ofii:45'") == "DELETE 1"
        again = await agency.fetch("select index, leaf from ecluse.ledger_entry order by index limit $1", len(leaves))
        entry = next(row["leaf"] for row in again if row["index"] == receipt["index"])
    assert [tuple(row) for row in again] == [tuple(row) for row in leaves]
    assert set(json.loads(entry)) == {"c", "h", "k", "v"}
    assert [e for e in await agency.openings() if e["index"] == receipt["index"]] == []


# ── the catalogue ────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_problems_when_listed_then_each_has_its_page_and_its_refusal_is_tested(agency: Agency) -> None:
    """Every code of the catalogue has a page; those that a processor can meet are the ones that the tests of the public client meet."""
    async with httpx.AsyncClient(base_url=agency.public_url) as anyone:
        pages = {code: (await anyone.get(f"/problems/{code}")).status_code for code in PROBLEMS}
    assert set(pages.values()) == {200}
    assert set(PROBLEMS) == MET | {
        "schedule-refused",
        "evidence-refused",
        "too-many-refusals",
        "outside-outcome-window",
        "internal",
    }
