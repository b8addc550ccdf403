"""A person's record through the portal: who may ask, what a line says, what it never says, and that each look is sealed before a line leaves."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any, Final

import asyncpg
import httpx
import pytest

from ecluse.client import Kind, ReceiptBroken, check_file, policy_of_vkey
from tests.agency import Agency
from tests.e2e.desk import at_work, code_of
from tests.e2e.outsider import Outsider
from tests.invented import MARK, PHONE_MARK
from tests.usage.portal import PATH, body_of, check_proof, disclosures_of, portal_of, proven, record_of

pytestmark = pytest.mark.web

SHOWN: Final = "usage:person:shown"
NOT_OURS: Final = {
    "agent",
    "agent_id",
    "session",
    "session_id",
    "place",
    "site",
    "room",
    "appointment",
    "handle",
    "client",
    "subject",
}
"""Names of what a line must not have."""


async def looks(agency: Agency, since: int = 0) -> list[dict[str, Any]]:
    """Return the sealed look-ups."""
    return [entry for entry in await agency.openings(since=since) if entry["event"] == SHOWN]


# ── who may ask ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_portal_when_anybody_else_asks_then_refused_and_nothing_is_sealed(agency: Agency) -> None:
    """No token, no proof, a processor's, a scheduler's and an auditor's machine are refused; the ledger does not grow by a look."""
    before = await agency.size()
    scheduler, auditor = await agency.machine(None), await agency.machine(None, "auditor")
    async with at_work(agency, [10]) as desk, httpx.AsyncClient(base_url=agency.public_url) as stranger:
        codes = [code_of(await stranger.post(PATH, json=body_of(10)))]
        bare = {"authorization": f"DPoP {desk.machine.access_token}"}
        codes.append(code_of(await stranger.post(PATH, json=body_of(10), headers=bare)))
        codes.append(code_of(await desk.machine.call("POST", PATH, body=body_of(10))))
    for machine in (scheduler, auditor):
        async with Outsider(agency.public_url, machine.id, machine.key) as other:
            codes.append(code_of(await other.call("POST", PATH, body=body_of(10))))
    assert codes == ["invalid-token", "invalid-proof", "wrong-role", "wrong-role", "wrong-role"]
    assert await looks(agency, before) == []


async def test_portal_when_held_or_its_key_revoked_then_refused_at_once(agency: Agency) -> None:
    """A hold on the portal's machine, and the revocation of its key, end its looks with the token still good."""
    machine = await agency.machine(None, "portal")
    async with portal_of(agency, machine) as portal:
        assert (await record_of(portal, 11))["usages"] == []
        hold, _ = await agency.hold("client", machine.id)
        held = code_of(await portal.call("POST", PATH, body=body_of(11)))
        await agency.release(hold)
        await agency.revoke(machine)
        before = await agency.size()
        revoked = code_of(await portal.call("POST", PATH, body=body_of(11)))
    assert (held, revoked) == ("suspended", "suspended")
    assert await agency.size() == before


async def test_portal_when_it_asks_another_endpoint_then_refused(agency: Agency) -> None:
    """A portal's token opens its one call and no other: no disclosure, no schedule, no entries."""
    async with portal_of(agency) as portal:
        codes = {
            code_of(await portal.call(method, path, body=body))
            for method, path, body in (
                ("GET", "/v1/whoami", None),
                (
                    "POST",
                    "/v1/disclosures",
                    {"appointment": "apt_" + "a" * 26, "agent": "agt_" + "a" * 26, "attributes": ["family_name"]},
                ),
                ("GET", "/v1/outcomes", None),
                ("GET", "/ledger/main/tile/entries/000", None),
            )
        }
    assert codes == {"wrong-role"}


async def test_proof_of_key_when_used_twice_then_one_look(agency: Agency) -> None:
    """The same proof brings one record, however often it is sent at once."""
    async with portal_of(agency) as portal:
        before = await agency.size()
        fields = {"authorization": f"DPoP {portal.access_token}", "dpop": portal.proof("POST", PATH, token=portal.access_token)}
        answers = await asyncio.gather(*(portal.http.post(PATH, json=body_of(12), headers=fields) for _ in range(5)))
    assert sorted(map(code_of, answers)) == ["invalid-proof"] * 4 + ["ok"]
    assert len(await looks(agency, before)) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"subject": {"register": "ofii", "key": ["10"]}},
        body_of(10, language="de"),
        body_of(10, language="FR"),
        body_of(10, more=1),
        body_of(10) | {"subject": {"register": "ofii"}},
        body_of(10) | {"subject": {"register": "ofii", "key": []}},
        body_of(10) | {"subject": {"register": "ofii", "key": ["10", "11"]}},
        body_of(10) | {"subject": {"register": "ofii", "key": [""]}},
        body_of(10) | {"subject": {"register": "ofii", "key": ["1\n0"]}},
        body_of(10) | {"subject": {"register": "ofii", "key": ["x" * 200]}},
        body_of(10) | {"subject": {"register": "other", "key": ["10"]}},
        body_of(10) | {"subject": {"register": "ecluse.sandbox", "key": ["10"]}},
        body_of(10, limit=0),
        body_of(10, limit=101),
        body_of(10, limit="5"),
        body_of(10, **{"from": "2026-01-05"}),
        body_of(10, **{"from": "2026-01-05T00:00:00"}),
        body_of(10, to="0001-01-01T00:00:00+14:00"),
        body_of(10, **{"from": "2026-01-05T00:00:00Z", "to": "2026-01-05T00:00:00Z"}),
        body_of(10, cursor=""),
        body_of(10, cursor="1-01"),
        body_of(10, cursor="01-1"),
        body_of(10, cursor="1-" + "9" * 19),
        body_of(10, cursor="1-٣"),
        body_of(10, cursor="99999-1"),
    ],
    ids=str,
)
async def test_body_when_not_as_the_schema_says_then_refused_and_nothing_is_sealed(agency: Agency, body: object) -> None:
    """Unknown members, other types, persons that can't be, wrong spans and cursors are refused before anything is read or sealed."""
    async with portal_of(agency) as portal:
        before = await agency.size()
        answer = await portal.call("POST", PATH, body=body)
    assert code_of(answer) == "invalid-request"
    assert await agency.size() == before


async def test_body_when_a_member_stands_twice_or_is_huge_then_refused(agency: Agency) -> None:
    """One spelling, and no more than 64 KiB."""
    twice = json.dumps(body_of(10))[:-1] + ', "language": "fr"}'
    async with portal_of(agency) as portal:
        codes = []
        for content in (twice, json.dumps(body_of("1" * 70_000)), "[", ""):
            fields = {
                "authorization": f"DPoP {portal.access_token}",
                "dpop": portal.proof("POST", PATH, token=portal.access_token),
            }
            codes.append(
                code_of(await portal.http.post(PATH, content=content, headers=fields | {"content-type": "application/json"}))
            )
    assert codes == ["invalid-request", "too-large", "invalid-request", "invalid-request"]


async def test_person_when_another_or_nobody_then_no_line_of_this_one(agency: Agency) -> None:
    """Neighbours in the register, a prefix of the key, a pattern and an unknown key bring nothing of the person who was disclosed."""
    async with at_work(agency, [130]) as desk, portal_of(agency) as portal:
        assert code_of(await desk.disclose(130)) == "ok"
        found = {key: await disclosures_of(portal, key) for key in (13, 129, 131, "%", "13%", "130 ", "0130", 99_999)}
        own = await disclosures_of(portal, 130)
    assert [key for key, lines in found.items() if lines] == []
    assert [line["receiverSystem"] for line in own] == [desk.party.name]


# ── what a line says ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_line_when_shown_then_what_was_given_to_whom_why_and_how_sure(agency: Agency) -> None:
    """A grant's line names processor, purpose with its label, attributes with forms, legal basis, contract and assurance, in both languages."""
    async with (
        at_work(agency, [14], attributes={"family_name": "full", "birth_date": "year"}) as desk,
        portal_of(agency) as portal,
    ):
        granted = (await desk.disclose(14, ["family_name", "birth_date"])).json()
        (line,) = await proven(portal, 14, 1)
        (french,) = await disclosures_of(portal, 14, language="fr")
    sealed = (await agency.fetch("select sealed_at from ecluse.opening where index = $1", granted["receipt"]["index"]))[0][0]
    assert {name: value for name, value in line.items() if name not in {"proof", "logtime"}} == {
        "action": "Data about you was given, for: Formation",
        "receiverCode": desk.party.name,
        "receiverName": desk.party.name.title(),
        "receiverSystem": desk.party.name,
        "logSourceSystem": "Registre inventé",
        "kind": "disclosure",
        "purpose": "civic-training",
        "purposeText": "Formation",
        "attributes": [
            {"attribute": "birth_date", "form": "year", "formText": "the year only"},
            {"attribute": "family_name", "form": "full", "formText": "in full"},
        ],
        "legalBasis": "6.1.e",
        "legalBasisText": "GDPR Art. 6(1)(e): a task in the public interest",
        "contractReference": "2026-T-001",
        "delivery": "Sent, or may have been sent: it is entered before it is sent, and arrival is not certain.",
        "assurance": "asserted",
        "assuranceText": "The organisation named its agent itself; the agency did not identify the person.",
        "hiddenUntil": None,
        "hiddenReason": None,
    }
    assert line["logtime"] == f"{sealed:%Y-%m-%dT%H:%M:%SZ}"
    assert french["action"] == "Communication de données vous concernant, pour : Formation"
    assert french["attributes"][0]["formText"] == "l'année seulement"
    assert french["legalBasisText"].startswith("RGPD, art. 6")


async def test_proof_when_kept_then_verifies_with_the_log_key_alone_and_shows_the_person_only(agency: Agency) -> None:
    """Each line's proof opens to its leaf, under a checkpoint of the log's key, and shows the ten fields of a person and no other."""
    async with at_work(agency, [15]) as desk, portal_of(agency) as portal:
        granted = (await desk.disclose(15)).json()
        (line,) = await proven(portal, 15, 1)
    (log,) = await agency.fetch("select vkey from ecluse.ledger_log where id = 1")
    index, shown = check_proof(line["proof"], log["vkey"])
    assert index == granted["receipt"]["index"]
    assert set(shown) == {"at", "event", "processor", "assurance", "subject", "purpose", "legal_basis", "contract", "forms"}
    assert (shown["subject"], shown["processor"], shown["forms"]) == ("ofii:15", desk.party.name, {"family_name": "full"})


async def test_proofs_when_given_to_the_processors_own_checker_then_they_hold(agency: Agency) -> None:
    """The file of a disclosure and that of a look are receipts to the client's verifier, which shares no code with the gate; one bit more is none."""
    async with at_work(agency, [33]) as desk, portal_of(agency) as portal:
        await desk.disclose(33)
        (line,) = await proven(portal, 33, 1)
        for _ in range(60):
            looks_shown = [each for each in (await record_of(portal, 33))["usages"] if each["kind"] == "record-shown"]
            if looks_shown and looks_shown[-1]["proof"]:
                break
            await asyncio.sleep(0.25)
    policy = policy_of_vkey((await agency.fetch("select vkey from ecluse.ledger_log where id = 1"))[0]["vkey"])
    given, looked = (check_file(each["proof"].encode(), policy) for each in (line, looks_shown[-1]))
    assert (given.kind, given.processor, given.subject, dict(given.forms)) == (
        Kind.GIVEN,
        desk.party.name,
        "ofii:33",
        {"family_name": "full"},
    )
    assert (looked.kind, looked.subject, looked.client) == (Kind.LOOKED, "ofii:33", None)
    moved = line["proof"].replace(f"index {given.index}", f"index {given.index + 1}")
    with pytest.raises(ReceiptBroken):
        check_file(moved.encode(), policy)


async def test_roll_call_when_shown_then_each_person_has_a_line_and_nobody_elses(agency: Agency) -> None:
    """A sheet of three is one line in each one's record; none tells how many there were, or which session it was."""
    async with at_work(agency, [16, 17, 18], sheet={"family_name": "full"}) as desk, portal_of(agency) as portal:
        session = (await desk.machine.call("GET", "/v1/sessions")).json()["sessions"][0]["id"]
        sheet = await desk.machine.call("POST", f"/v1/sessions/{session}/sheet", body={"agent": desk.party.agent})
        assert code_of(sheet) == "ok"
        found = {person: await proven(portal, person, 1) for person in (16, 17, 18)}
    assert {line["kind"] for lines in found.values() for line in lines} == {"roll-call"}
    texts = {person: json.dumps(lines) for person, lines in found.items()}
    for person, text in texts.items():
        assert session not in text
        assert [other for other in (16, 17, 18) if other != person and f"ofii:{other}" in text] == []


async def test_refusal_when_made_then_no_line(agency: Agency) -> None:
    """What was refused disclosed nothing: the record stays as it was."""
    async with at_work(agency, [19], reads=1) as desk, portal_of(agency) as portal:
        assert code_of(await desk.disclose(19)) == "ok"
        assert code_of(await desk.disclose(19)) == "budget-spent"
        sealed = [e for e in await agency.openings() if e.get("subject") == "ofii:19" and e["event"].endswith("refused")]
        lines = await disclosures_of(portal, 19)
    assert (len(sealed), len(lines)) == (1, 1)


async def test_answer_when_searched_for_what_it_must_not_hold_then_nothing(agency: Agency) -> None:
    """No value of the register, no agent's id or label, no session, place, room, handle, machine or inner rule stands in any answer or log."""
    everything = ["family_name", "given_name", "birth_date", "entry_date", "preferred_language", "file_number", "email", "phone"]
    async with at_work(agency, [20, 21]) as desk, portal_of(agency) as portal:
        assert code_of(await desk.disclose(20, everything)) == "ok"
        await desk.disclose(21, everything)
        lines = await proven(portal, 20, 1)
        record = await record_of(portal, 20)
        (session,) = await agency.fetch("select id, room, site_id from ecluse.session where processor_id = $1", desk.party.name)
    proof = lines[0]["proof"]
    _, shown = check_proof(proof, (await agency.fetch("select vkey from ecluse.ledger_log where id = 1"))[0]["vkey"])
    text = json.dumps([record, lines, shown], ensure_ascii=False)
    forbidden = [
        MARK,
        MARK.upper(),
        PHONE_MARK,
        desk.party.agent,
        session["id"],
        session["room"],
        desk.handles[20],
        desk.handles[21],
    ]
    forbidden += [
        desk.machine.client,
        portal.client,
        "roster:",
        "ofii:21",
        "fingerprints",
        "cli_",
        "agt_",
        "ses_",
        "apt_",
        "dsc_",
        "enr_",
    ]
    assert [word for word in forbidden if word in text] == []
    assert {name for line in record["usages"] for name in line} & NOT_OURS == set()
    assert MARK not in agency.gates[0].log.read_text(encoding="utf-8")
    assert "ofii:20" not in agency.gates[0].log.read_text(encoding="utf-8")


async def test_look_when_made_then_sealed_with_who_whom_and_how_many_and_a_line_of_its_own(agency: Agency) -> None:
    """The entry names the portal, the person, the part and the number of lines; the next look shows it as a line without either's name."""
    async with at_work(agency, [22]) as desk, portal_of(agency) as portal:
        await desk.disclose(22)
        await desk.disclose(22)
        before = await agency.size()
        first = await record_of(portal, 22)
        (entry,) = await looks(agency, before)
        second = await record_of(portal, 22)
    assert (len(first["usages"]), first["totalUsages"]) == (2, 2)
    assert (entry["client"], entry["subject"], entry["count"]) == (portal.client, "ofii:22", 2)
    assert entry["detail"] == {"before": None, "from": None, "most": 50, "to": entry["at"]}
    assert [line["kind"] for line in second["usages"]] == ["record-shown", "disclosure", "disclosure"]
    assert second["usages"][0]["action"] == "This record was looked at, by you or by your agency's portal"
    assert (second["usages"][0]["receiverName"], second["usages"][0]["receiverSystem"]) == ("Agency", "portal")
    (row,) = await agency.fetch(
        "select event, subject_ref, processor_id, agent_id from ecluse.opening where index = $1", entry["index"]
    )
    assert tuple(row) == (SHOWN, "ofii:22", None, None)


async def test_look_when_nothing_was_given_then_empty_and_sealed_all_the_same(agency: Agency) -> None:
    """That nobody saw anything is an answer, too, and asking for it leaves its line."""
    async with portal_of(agency) as portal:
        before = await agency.size()
        record = await record_of(portal, 23)
    assert (record["usages"], record["totalUsages"], record["next"]) == ([], 0, None)
    assert len(record["notes"]) == 4
    assert [entry["count"] for entry in await looks(agency, before)] == [0]


async def test_look_when_made_then_the_control_sequence_stays(agency: Agency) -> None:
    """Looking changes nothing of what may be disclosed: no plan of a gate goes stale by it."""
    async with portal_of(agency) as portal:
        (before,) = await agency.fetch("select control_seq from ecluse.ledger_head")
        await record_of(portal, 24)
        (after,) = await agency.fetch("select control_seq from ecluse.ledger_head")
    assert before["control_seq"] == after["control_seq"]


async def test_pages_when_followed_then_each_line_once_newest_first(agency: Agency) -> None:
    """Five disclosures in pages of two, while looks and another disclosure come in between: each of the five once, in order."""
    async with at_work(agency, [25], reads=9) as desk, portal_of(agency) as portal:
        indexes = [(await desk.disclose(25)).json()["receipt"]["index"] for _ in range(5)]
        await proven(portal, 25, 5)
        first = await record_of(portal, 25, limit=2)
        await desk.disclose(25)
        found, page, totals = [], first, []
        start = first["periodEnd"]
        page = await record_of(portal, 25, limit=2, to=start)
        for _ in range(60):
            found += [line for line in page["usages"] if line["kind"] == "disclosure"]
            totals.append(page["totalUsages"])
            if page["next"] is None:
                break
            page = await record_of(portal, 25, limit=2, to=start, cursor=page["next"])
    got = [int(line["proof"].split("\n")[2].removeprefix("index ")) for line in found]
    assert got == list(reversed(indexes))
    assert len(set(totals)) == 1


async def test_span_when_given_then_half_open(agency: Agency) -> None:
    """A line at `from` is in, a line at `to` is not."""
    async with at_work(agency, [26]) as desk, portal_of(agency) as portal:
        index = (await desk.disclose(26)).json()["receipt"]["index"]
        at = (await agency.fetch("select sealed_at from ecluse.opening where index = $1", index))[0]["sealed_at"]
        text, later = at.isoformat(), (at + timedelta(microseconds=1)).isoformat()
        counts = [
            len(await disclosures_of(portal, 26, **span))
            for span in ({"from": text, "to": later}, {"to": text}, {"from": later}, {"from": text})
        ]
    assert counts == [1, 0, 0, 1]


# ── sealed first ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_look_when_it_cannot_be_sealed_then_no_line_leaves(agency: Agency) -> None:
    """Without the right to write the entry, or the opening, nothing is shown; mended, it is."""
    async with at_work(agency, [27]) as desk, portal_of(agency) as portal:
        await desk.disclose(27)
        for broken, mended in (
            (
                "revoke execute on function ecluse.usage_seal from ecluse_usage",
                "grant execute on function ecluse.usage_seal to ecluse_usage",
            ),
            (
                "alter table ecluse.usage_look add constraint broken_ck check (index < 0) not valid",
                "alter table ecluse.usage_look drop constraint broken_ck",
            ),
        ):
            await agency.execute(broken)
            try:
                answer = await portal.call("POST", PATH, body=body_of(27))
            finally:
                await agency.execute(mended)
            assert answer.status_code >= 500
            assert "disclosure" not in answer.text.replace("disclosed", "")
        assert len(await disclosures_of(portal, 27)) == 1


async def test_look_when_others_seal_at_the_same_time_then_the_count_is_exact(agency: Agency) -> None:
    """While the person is being disclosed and looked up at once, each sealed look counts the lines that its own bounds hold."""
    async with at_work(agency, [28], reads=1000) as desk, portal_of(agency) as portal:
        before = await agency.size()
        answers = await asyncio.gather(
            *(desk.disclose(28) for _ in range(30)), *(record_of(portal, 28, limit=100) for _ in range(10))
        )
        assert {code_of(answer) for answer in answers[:30]} == {"ok"}  # type: ignore[arg-type] # the first thirty are responses
        sealed = await looks(agency, before)
        rows = await agency.fetch(
            "select event, sealed_at from ecluse.opening where subject_ref = 'ofii:28' and event in ('disclosure:person:granted', 'usage:person:shown')"
        )
    assert len(sealed) == 10
    counted = [sum(f"{row['sealed_at']:%Y-%m-%dT%H:%M:%S.%fZ}" < entry["detail"]["to"] for row in rows) for entry in sealed]
    assert [entry["count"] for entry in sealed] == counted


async def test_portal_when_it_looks_too_often_then_429_and_others_are_served(agency: Agency) -> None:
    """Above the rate a portal waits for the next minute, at every gate; another portal does not."""
    narrow = agency.start_gate(usage__looks_per_minute=3, ledger__sign=False)
    try:
        await agency.stop_clock((await agency.now()).replace(second=10, microsecond=0) + timedelta(minutes=1))
        machine, other = await agency.machine(None, "portal"), await agency.machine(None, "portal")
        async with (
            Outsider(agency.public_url, machine.id, machine.key, via=narrow.url) as portal,
            Outsider(agency.public_url, other.id, other.key, via=narrow.url) as second,
        ):
            answers = [await portal.call("POST", PATH, body=body_of(29)) for _ in range(4)]
            free = await second.call("POST", PATH, body=body_of(29))
    finally:
        await agency.reset_clock()
        agency.stop_gate(narrow)
    assert [code_of(answer) for answer in answers] == ["ok"] * 3 + ["too-many-requests"]
    assert (answers[-1].status_code, answers[-1].headers["retry-after"]) == (429, "60")
    assert code_of(free) == "ok"


# ── the role ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "statement",
    [
        "select from ecluse.opening",
        "select from ecluse.opening_default",
        "select from ecluse.ledger_entry",
        "select from ecluse.appointment",
        "select from ecluse.usage_look",
        "select from ecluse.usage_deferral",
        "select from ecluse.client",
        "select ecluse.spend(1, ''::bytea)",
        "select * from ecluse.usage_lines('ofii:10', null, 'infinity', null, null, now(), 100)",
        "select * from ecluse.seal(1::smallint, 0, now(), false, null, null, null, null, null)",
        "select * from ecluse.counts_due(1::smallint)",
        "insert into ecluse.usage_look values ('\\x00', 'cli_x', 1, 0, now())",
        "update ecluse.usage_deferral set released_at = now()",
        "set role ecluse_sealer",
        # no proof of key was spent for it
        "select * from ecluse.usage_plan(1::smallint, 1, '\\x00', 'ofii:10', null, null, null, null, 100)",
    ],
)
async def test_role_when_it_reads_past_the_look_ups_then_refused(agency: Agency, statement: str) -> None:
    """Whoever has the password of ecluse_usage reads no table, seals nothing, and looks nobody up without a proof of key that the gate spent."""
    async with agency.connected("ecluse_usage") as role:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await role.execute(statement)


async def test_role_when_it_would_take_the_entry_back_then_no_line(agency: Agency) -> None:
    """In one transaction with its sealing, a look shows nothing: what could still be rolled back is not in the ledger."""
    digest = bytes(31) + b"\x07"
    async with at_work(agency, [31]) as desk, agency.connected("ecluse_app") as app, agency.connected("ecluse_usage") as role:
        await desk.disclose(31)
        assert await app.fetchval("select ecluse.spend(1, $1)", digest)
        portal = await agency.machine(None, "portal")
        plan = await role.fetchrow(
            "select * from ecluse.usage_plan(1::smallint, 1, $1, 'ofii:31', null, null, null, null, 100)", digest
        )
        assert plan is not None
        fields = json.dumps(
            [
                ["at", f"{plan['at']:%Y-%m-%dT%H:%M:%S.%fZ}"], ["event", SHOWN], ["client", portal.id], ["subject", "ofii:31"],
                ["detail", {"before": None, "from": None, "most": 100, "to": plan["at"].isoformat()}], ["count", plan["lines"]],
            ]
        )  # fmt: skip
        size = await agency.size()
        taken = role.transaction()
        await taken.start()
        word = await role.fetchval(
            "select ecluse.usage_seal(1::smallint, $1, $2, 1, $3, 100, '\\x00', $4, '\\x00')",
            plan["control_seq"],
            plan["at"],
            digest,
            fields,
        )
        with pytest.raises(asyncpg.InvalidTransactionStateError, match="committed first"):
            await role.fetch("select * from ecluse.usage_shown($1)", digest)
        await taken.rollback()
        assert await role.fetch("select * from ecluse.usage_shown($1)", digest) == []
    assert (word, plan["lines"]) == ("sealed", 1)
    assert await agency.size() == size


async def test_erased_when_asked_for_then_no_lines(agency: Agency) -> None:
    """Where the openings of a person are gone, the record is empty."""
    async with at_work(agency, [32]) as desk, portal_of(agency) as portal:
        await desk.disclose(32)
        assert len(await disclosures_of(portal, 32)) == 1
        await agency.execute("delete from ecluse.opening where subject_ref = 'ofii:32'")
        record = await record_of(portal, 32)
    assert (record["usages"], record["totalUsages"]) == ([], 0)
