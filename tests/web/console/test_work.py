"""The second half of the console, over HTTP: schedule, decisions, flows, what-if, look-ups, walk-ins, emergencies, accounts. Refusals first."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import unescape
from typing import Any, Final

import httpx
import pytest

from ecluse.contracts import check_contract, diff_contracts, parse_contract
from ecluse.disclosure.emergency import Asked, Bounds, open_emergency
from ecluse.embedded import EmbeddedPostgres
from ecluse.flows.service import fold_all
from ecluse.identity.people import MAY, Act, Role
from ecluse.ids import new_id
from ecluse.register import parse_register
from ecluse.register.store import Register
from ecluse.schedule.spoken import make_walk_in
from ecluse.web.gateway import open_register_pool
from ecluse.web.keyfiles import read_fingerprint_keys
from tests.agency import Agency, Party, founded
from tests.e2e.desk import at_work
from tests.invented import ABSENT, contract_text, register_toml
from tests.signed import Browser, sign_in_officer
from tests.usage.portal import portal_of, record_of

pytestmark = pytest.mark.web

EVIL: Final = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
WHY: Final = "the person called and wants to know who saw their file"
MAPPED: Final = {name: each.type for name, each in parse_register(register_toml()).attributes.items()}
HEADER: Final = "source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status"


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """A founded agency with one gate, whose pages are asked."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data") as built:
        yield built


def shown(answer: httpx.Response) -> str:
    """Return a page that was opened."""
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.text


async def press(browser: Browser, path: str, **fields: str) -> httpx.Response:
    """Press a button: a form that may hold nothing at all."""
    return await browser.post(path, fields, headers={"content-type": "application/x-www-form-urlencoded"})


async def rows_of(agency: Agency, party: Party, *, source: str, persons: range, begins: datetime, **over: str) -> list[str]:
    """Write rows of a schedule; ``over``: other values of a column, by its name."""
    ends = begins + timedelta(hours=2)
    found = []
    for n in persons:
        cells = {
            "source": source, "session_ref": "S1", "place_ref": f"P{n}", "subject_ref": f"ofii:{n}", "purpose": "civic-training", "processor": party.name,
            "site": "large", "room": "r1", "starts_at": f"{begins:%Y-%m-%dT%H:%M:%SZ}", "ends_at": f"{ends:%Y-%m-%dT%H:%M:%SZ}", "agents": party.agent,
            "status": "planned",
        } | over  # fmt: skip
        found.append(",".join('"' + cells[name].replace('"', '""') + '"' for name in HEADER.split(",")))
    return found


def file_of(rows: list[str], name: str = "plan.csv") -> dict[str, Any]:
    """Write an upload."""
    return {"file": (name, "\n".join([HEADER, *rows]).encode(), "text/csv")}


# ── who may ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
IMP, LKP, EME, OFF = new_id("imp"), new_id("lkp"), new_id("eme"), new_id("off")
ACTS: Final = [
    (Act.SCHEDULE, "/console/schedule/check"),
    (Act.SCHEDULE, "/console/schedule/apply"),
    (Act.SCHEDULE, "/console/schedule/drop"),
    (Act.SCHEDULE, f"/console/schedule/requests/{IMP}/approve"),
    (Act.SCHEDULE, f"/console/schedule/requests/{IMP}/withdraw"),
    (Act.SCHEDULE, "/console/schedule/walk-in"),
    (Act.SCHEDULE, "/console/schedule/walk-in/place"),
    (Act.CONTRACT, "/console/what-if/apply"),
    (Act.LOOK_UP, "/console/look-up"),
    (Act.LOOK_UP, f"/console/look-up/{LKP}/decide"),
    (Act.LOOK_UP, f"/console/look-up/{LKP}/record"),
    (Act.HOLD, f"/console/look-up/{LKP}/hold"),
    (Act.HOLD, f"/console/look-up/{LKP}/release"),
    (Act.EMERGENCY, f"/console/emergency/{EME}/review"),
    (Act.ACCOUNTS, "/console/accounts"),
    (Act.ACCOUNTS, "/console/accounts/processors/nobody"),
    *((Act.ACCOUNTS, f"/console/accounts/{OFF}/{act}") for act in ("invite", "approve", "close", "revoke")),
    (Act.ACCOUNTS, "/console/accounts/sign-ins/end"),
]
PAGES: Final = [
    (Act.LOOK, "/console/schedule"),
    (Act.LOOK, "/console/schedule/imports"),
    (Act.SCHEDULE, "/console/schedule/walk-in"),
    (Act.LOOK, "/console/decisions"),
    (Act.LOOK, "/console/decisions?undetermined=true"),
    (Act.LOOK, "/console/flows"),
    (Act.LOOK, "/console/what-if"),
    (Act.LOOK_UP, "/console/look-up"),
    (Act.LOOK, "/console/emergency"),
    (Act.ACCOUNTS, "/console/accounts"),
]


async def test_acts_when_the_role_lacks_the_right_then_refused_and_nothing_sealed(agency: Agency) -> None:
    """Each POST by each role that may not: 403, a page that says who may, and the ledger as it was; nobody signed in at all: 401."""
    browsers = {role: await sign_in_officer(agency, roles={role}) for role in Role}
    before = await agency.size()
    wrong = []
    for act, path in ACTS:
        for role, browser in browsers.items():
            if role in MAY[act]:
                continue
            answer = await press(browser, path)
            if answer.status_code != httpx.codes.FORBIDDEN:
                wrong.append((role.value, path, answer.status_code))
        stranger = await press(Browser(origin=agency.public_url), path)
        if stranger.status_code != httpx.codes.UNAUTHORIZED:
            wrong.append(("nobody", path, stranger.status_code))
    assert wrong == []
    assert await agency.size() == before


async def test_pages_when_opened_then_by_those_who_may_in_both_languages(agency: Agency) -> None:
    """Each page opens for a role that may and for no other, in English and in French, within its size."""
    browsers = {role: await sign_in_officer(agency, roles={role}) for role in Role}
    for act, path in PAGES:
        for role, browser in browsers.items():
            answer = await browser.get(path)
            assert answer.status_code == (200 if role in MAY[act] else 403), (role, path, answer.text[:400])
            if role in MAY[act]:
                assert len(answer.content) < 150_000
                assert 'lang="fr"' in (await browser.get(path, headers={"accept-language": "fr"})).text


async def test_acts_when_the_passkey_was_not_used_just_now_then_asked_for(agency: Agency) -> None:
    """What weighs asks for the passkey of the last five minutes; nothing is sealed without."""
    browser = await sign_in_officer(agency, roles=set(Role))
    await agency.execute(
        "update ecluse.sign_in set stepped_up_at = stepped_up_at - interval '6 minutes' where officer_id = $1", browser.person
    )
    before = await agency.size()
    light = {
        "/console/schedule/check",
        "/console/schedule/drop",
        f"/console/schedule/requests/{IMP}/withdraw",
        "/console/schedule/walk-in",
    }
    for _, path in ACTS:
        answer = await press(browser, path)
        assert (answer.status_code == httpx.codes.UNAUTHORIZED) is (path not in light), (path, answer.status_code)
    assert await agency.size() == before


# ── the schedule ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_schedule_when_three_rows_are_bad_then_those_three_with_mends_and_nothing_applied(agency: Agency) -> None:
    """The report names the three rows, why and the mend, in French; no value of the file stands in it, and nothing was kept."""
    party, browser = await agency.bind(), await sign_in_officer(agency, roles={Role.CASE_WORKER})
    begins = await agency.now() + timedelta(hours=3)
    source = f"plan-{party.name}"
    rows = await rows_of(agency, party, source=source, persons=range(100, 104), begins=begins)
    rows += await rows_of(agency, party, source=source, persons=range(104, 105), begins=begins, purpose=EVIL)
    rows += await rows_of(agency, party, source=source, persons=range(105, 106), begins=begins, room="=1+1")
    rows += await rows_of(agency, party, source=source, persons=range(106, 107), begins=begins, status="maybe")
    before = await agency.size()
    answer = await browser.post(
        "/console/schedule/check", {"mode": "delta"}, files=file_of(rows), headers={"accept-language": "fr"}
    )
    assert answer.status_code == 422
    assert re.findall(r'<th scope="row">(\d+)</th>', answer.text) == ["6", "7", "8"]
    for said in ("Utilisez le nom qui figure au contrat", "Commencez par un autre caractère", "Écrivez planned ou cancelled"):
        assert said in answer.text
    assert "alert(1)" not in answer.text
    assert "ofii:10" not in answer.text
    assert (await agency.size(), await agency.fetch("select from ecluse.schedule_draft where officer = $1", browser.person)) == (
        before,
        [],
    )


async def test_schedule_when_looked_at_then_applied_by_its_hash_and_only_once(agency: Agency) -> None:
    """A dry run changes nothing; the file is applied by its hash, in the officer's name; another hash, and a second time, are refused."""
    party, browser = await agency.bind(), await sign_in_officer(agency, roles={Role.CASE_WORKER}, name="Ana Lemoine")
    begins = (await agency.now() + timedelta(hours=3)).replace(microsecond=0)
    rows = await rows_of(agency, party, source=f"plan-{party.name}", persons=range(110, 113), begins=begins)
    before = await agency.size()
    assert (await browser.post("/console/schedule/check", {"mode": "delta"}, files=file_of(rows, EVIL))).headers[
        "location"
    ] == "/console/schedule/draft"
    page = shown(await browser.get("/console/schedule/draft"))
    assert await agency.size() == before
    assert "<script>alert" not in page
    assert "onerror=alert" not in page.replace("onerror=alert(1)&gt;", "")
    digest = re.search(r'name="sha256" value="([0-9a-f]{64})"', page)
    assert digest is not None
    assert (await browser.post("/console/schedule/apply", {"sha256": "0" * 64})).status_code == 422
    assert await agency.size() == before
    applied = await browser.post("/console/schedule/apply", {"sha256": digest[1]})
    report = shown(await browser.open(applied.headers["location"]))
    assert "Sealed as entry" in report
    assert "Ana Lemoine" in report
    (entry,) = [one for one in await agency.openings(since=before) if one["event"] == "control:schedule:applied"]
    assert entry["actor"] == browser.person
    assert (await browser.post("/console/schedule/apply", {"sha256": digest[1]})).status_code == 404
    listed = shown(await browser.get(f"/console/schedule?day={begins.date()}&processor={party.name}"))
    assert "large, r1" in listed
    assert "ofii:" not in listed


async def test_schedule_when_above_the_volume_then_another_officer_approves(agency: Agency) -> None:
    """A file above the contract's volume waits; who sent it can't approve it, another officer can, and then it has its effect."""
    party = await agency.bind(per_day=2, per_month=3)
    one, two = [await sign_in_officer(agency, roles={Role.CASE_WORKER}) for _ in range(2)]
    begins = await agency.now() + timedelta(hours=3)
    rows = await rows_of(agency, party, source=f"plan-{party.name}", persons=range(120, 124), begins=begins)
    await one.post("/console/schedule/check", {"mode": "delta"}, files=file_of(rows))
    page = shown(await one.get("/console/schedule/draft"))
    digest = re.search(r'name="sha256" value="([0-9a-f]{64})"', page)
    assert digest is not None
    assert "waits for another officer" in page
    waiting = shown(await one.open((await one.post("/console/schedule/apply", {"sha256": digest[1]})).headers["location"]))
    (request,) = set(re.findall(r"requests/(imp_\w+)/withdraw", waiting))
    assert f"requests/{request}/approve" not in waiting
    assert (await press(one, f"/console/schedule/requests/{request}/approve")).status_code == 422
    approved = await press(two, f"/console/schedule/requests/{request}/approve")
    assert "Sealed as entry" in shown(await two.open(approved.headers["location"]))
    assert (await press(two, f"/console/schedule/requests/{request}/approve")).status_code == 404


async def test_schedule_when_another_officers_upload_then_it_is_not_theirs(agency: Agency) -> None:
    """A draft is its officer's own: another one sees none and applies none."""
    party = await agency.bind()
    one, two = [await sign_in_officer(agency, roles={Role.ADMINISTRATOR}) for _ in range(2)]
    rows = await rows_of(
        agency, party, source=f"plan-{party.name}", persons=range(130, 131), begins=await agency.now() + timedelta(hours=3)
    )
    await one.post("/console/schedule/check", {"mode": "delta"}, files=file_of(rows))
    digest = re.search(r'name="sha256" value="([0-9a-f]{64})"', shown(await one.get("/console/schedule/draft")))
    assert digest is not None
    assert (await two.get("/console/schedule/draft")).status_code == 404
    assert (await two.post("/console/schedule/apply", {"sha256": digest[1]})).status_code == 404


async def test_walk_in_when_a_code_was_spoken_then_its_session_and_a_place(agency: Agency) -> None:
    """An unknown code finds nothing; a known one finds the session, and the person gets a place in it; nothing stands in an address."""
    browser = await sign_in_officer(agency, roles={Role.CASE_WORKER})
    assert (await browser.post("/console/schedule/walk-in", {"code": "00000000"})).status_code == 422
    async with at_work(agency, [140]) as desk:
        session = (await agency.fetch("select id from ecluse.session where processor_id = $1", desk.party.name))[0]["id"]
        async with agency.connected("ecluse_app") as app:
            code = (await make_walk_in(app, session, desk.party.agent)).code
        page = shown(await browser.post("/console/schedule/walk-in", {"code": f"{code[:4]} {code[4:]}"}))
        assert desk.party.name in page
        answer = await browser.post("/console/schedule/walk-in/place", {"code": code, "person": "141", "place": "W1"})
        assert answer.headers["location"] == "/console/schedule/walk-in"
    (place,) = await agency.fetch(
        "select subject_ref from ecluse.appointment where processor_id = $1 and place_ref = 'W1'", desk.party.name
    )
    assert place["subject_ref"] == "ofii:141"


# ── decisions ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_decision_when_explained_then_the_fields_of_its_entry_and_no_person(agency: Agency) -> None:
    """Found by number, by name, by appointment and of its processor; what stands on the page is the entry, hashed as it was; never the person."""
    browser = await sign_in_officer(agency, roles={Role.READER})
    async with at_work(agency, [150]) as desk:
        await desk.disclose(150)
        size = await agency.size()
    (entry,) = [one for one in await agency.openings(since=size - 3) if one["event"] == "disclosure:person:granted"]
    where = f"/console/decisions/main/{entry['index']}"
    for typed in (str(entry["index"]), entry["disclosure"], entry["appointment"]):
        assert (await browser.get("/console/decisions", params={"q": typed})).headers["location"] == where
    assert where in shown(await browser.get(f"/console/decisions?processor={desk.party.name}"))
    page = shown(await browser.get(where))
    values = dict(
        re.findall(r'data-field="(\w+)"[^>]*data-salt="[0-9a-f]{64}">.*?<code data-value>(.*?)</code>', page, re.DOTALL)
    )
    assert {name: json.loads(unescape(value)) for name, value in values.items()} == {
        name: value for name, value in entry.items() if name not in {"index", "subject"}
    }
    assert "ofii:150" not in page
    assert re.search(r'data-field="subject" data-digest="[0-9a-f]{64}" data-hidden', page)
    for missing in ("/console/decisions/main/99999999", "/console/decisions/other/1"):
        assert (await browser.get(missing)).status_code == 404
    assert "look-up" in shown(await browser.get("/console/decisions", params={"q": "ofii:150"}))


async def test_decision_when_it_could_not_be_made_then_listed_with_what_to_mend(agency: Agency) -> None:
    """A place whose person the register does not have is undetermined: it is in the list, with the mend."""
    browser = await sign_in_officer(agency, roles={Role.DPO})
    async with at_work(agency, [ABSENT]) as desk:
        answer = await desk.disclose(ABSENT)
        assert answer.status_code == 403
    page = shown(await browser.get("/console/decisions?undetermined=true"))
    assert desk.party.name in page
    assert "Correct the place by a file" in page


# ── flows and what-if ────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_flows_when_counted_then_map_and_one_processor(agency: Agency) -> None:
    """The map with its table, and one processor's flows as declared, soon after they are counted: no older count stays; an unknown one is not found."""
    browser = await sign_in_officer(agency, roles={Role.DPO})
    shown(await browser.get("/console/flows"))  # what is counted now knows nothing of what follows
    async with at_work(agency, [160]) as desk:
        await desk.disclose(160)
    async with agency.connected("ecluse_jobs") as jobs:
        await fold_all(jobs)
    for _ in range(400):
        page = shown(await browser.get("/console/flows"))
        if f"/console/flows/{desk.party.name}" in page and "The map as a table" in page:
            break
        await asyncio.sleep(0.05)
    assert f"/console/flows/{desk.party.name}" in page
    assert "<svg" in page
    assert "The map as a table" in page
    one = shown(await browser.get(f"/console/flows/{desk.party.name}"))
    assert "as declared" in one
    assert (await browser.get("/console/flows/nobody-here")).status_code == 404


async def test_what_if_when_tried_then_nothing_is_written(agency: Agency) -> None:
    """A contract that gives more says so, before and after; the ledger, the contracts and control_seq stay; errors are told by line."""
    party, browser = await agency.bind(), await sign_in_officer(agency, roles={Role.READER})
    facts = "select (select size from ecluse.ledger_head), (select control_seq from ecluse.ledger_head), (select count(*) from ecluse.contract)"
    before = (await agency.fetch(facts))[0]
    wider = contract_text(party.name).replace("reads_per_appointment = 4", "reads_per_appointment = 9")
    page = shown(await browser.post("/console/what-if", {"text": wider}))
    assert "more access" in page
    assert "Put it in force" not in page
    broken = await browser.post(
        "/console/what-if", files={"file": ("x.toml", b"[processor]\nid = 7\n" + EVIL.encode(), "text/plain")}
    )
    assert broken.status_code == 422
    assert "<script>alert" not in broken.text
    named = contract_text(party.name).replace(f'name = "{party.name}"', f"name = {json.dumps(EVIL)}")
    assert "<script>alert" not in shown(await browser.post("/console/what-if", {"text": named}))
    assert (await agency.fetch(facts))[0] == before


async def test_what_if_when_read_in_french_then_every_sentence_is(agency: Agency) -> None:
    """Errors, warnings and changes are said in French, and nothing of them in English; so is what a version changed once it is in force."""
    party, browser = await agency.bind(), await sign_in_officer(agency, roles={Role.DPO})
    whole, french = contract_text(party.name), {"accept-language": "fr"}
    broken = (
        whole.replace("rooms = 500", "rooms = 0\nroms = 1")
        .replace('"FR"', '"fr"')
        .replace('birth_date = "year"', "birth_date = 7")
    )
    report = check_contract(broken, MAPPED)
    page = unescape((await browser.post("/console/what-if", {"text": broken}, headers=french)).text)
    assert len(report.errors) == 4
    assert {text for one in report.errors for text in (one.why, one.mend) if text in page} == set()
    assert "écrivez un nombre entier de 1 à 100000000" in page
    assert "écrivez `rooms`" in page
    assert 'écrivez `birth_date = "…"`' in page
    tables = '[[site]]\nid = "bron"\ntimezone = "UTC"\nrooms = 2\nmax_sessions_per_day = 3\n[limits]'
    other = (
        whole.replace("[limits]", tables)
        .replace(', "28.3.h"', "")
        .replace("reads_per_appointment = 4", "reads_per_appointment = 9")
    )
    warnings = check_contract(other, MAPPED).warnings
    changes = diff_contracts(parse_contract(whole, MAPPED), parse_contract(other, MAPPED))
    page = unescape(shown(await browser.post("/console/what-if", {"text": other}, headers=french)))
    assert {text for one in warnings for text in (one.why, one.mend) if text in page} == set()
    assert {one.sentence for one in changes if one.sentence in page} == set()
    assert "ne contient pas 28.3.h\u00a0: la porte reste gelée tant que la clause manque" in page
    assert "purpose.civic-training.reads_per_appointment passe de 4 à 9." in page
    assert "La clause 28.3.h est retirée. La porte est alors gelée." in page
    size = "salles\u00a0: 2, séances par jour\u00a0: 3"
    assert f"Site en plus\u00a0: bron ({size})." in page
    await agency.apply(other)
    version = f"/console/processors/{party.name}/contracts/2"
    assert f">{size}<" in shown(await browser.get(version, headers=french))
    assert ">2 rooms, 3 sessions a day<" in shown(await browser.get(version))


async def test_contract_when_applied_then_exactly_what_was_looked_at(agency: Agency) -> None:
    """Another text than the hash says is refused; the one that was looked at is in force, in the officer's name."""
    party, browser = await agency.bind(), await sign_in_officer(agency, roles={Role.ADMINISTRATOR})
    text = contract_text(party.name).replace("reads_per_appointment = 4", "reads_per_appointment = 3")
    page = shown(await browser.post("/console/what-if", {"text": text}))
    digest = re.search(r'name="hash" value="([0-9a-f]{64})"', page)
    assert digest is not None
    assert (await browser.post("/console/what-if/apply", {"text": text + "# more", "hash": digest[1]})).status_code == 422
    assert (await browser.post("/console/what-if/apply", {"text": text, "hash": digest[1]})).status_code == 303
    (kept,) = await agency.fetch(
        "select applied_by, hash from ecluse.contract where processor_id = $1 and version = 2", party.name
    )
    assert kept["applied_by"] == browser.person


# ── look-ups ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_look_up_when_asked_approved_and_made_then_sealed_and_never_in_an_address(agency: Agency) -> None:
    """Not by oneself, not before the yes; then the record, with who was given what; the person finds it; no address, log or list names them."""
    one = await sign_in_officer(agency, roles={Role.DPO})
    two = await sign_in_officer(agency, roles={Role.CASE_WORKER})
    async with at_work(agency, [170]) as desk, portal_of(agency) as portal:
        await desk.disclose(170)
        asked = await one.post("/console/look-up", {"person": "170", "purpose": WHY})
        where = asked.headers["location"]
        assert "170" not in where
        assert (await one.post(f"{where}/decide", {"verdict": "approve"})).status_code == 422
        assert (await press(one, f"{where}/record")).status_code == 422
        assert (await one.post(f"{where}/hold", {"reason": "a reason that is long enough"})).status_code == 404
        assert "ofii:170" in shown(await two.get(where))
        assert (await two.post(f"{where}/decide", {"verdict": "approve"})).status_code == 303
        before = await agency.size()
        assert (await press(two, f"{where}/record")).status_code == 422
        assert await agency.size() == before
        page = shown(await press(one, f"{where}/record"))
        assert desk.party.name in page
        assert (await agency.openings(since=before))[0]["event"] == "usage:person:consulted"
        held = await one.post(f"{where}/hold", {"reason": "somebody threatens this person"})
        assert held.status_code == 303
        assert (await desk.disclose(170)).status_code == 403
        hold = (await agency.fetch("select id from ecluse.hold where scope = 'person' and scope_id = 'ofii:170'"))[0]["id"]
        assert (await one.post(f"{where}/release", {"hold": hold})).status_code == 303
        kinds = [line["kind"] for line in (await record_of(portal, 170))["usages"]]
    assert "record-consulted" in kinds
    assert "ofii:170" not in shown(await two.get("/console/look-up"))
    assert "ofii:170" not in shown(await two.get(where))  # decided: only the one who asked sees of whom
    logged = agency.gates[0].log.read_text(encoding="utf-8")
    assert "ofii:170" not in logged


async def test_look_up_when_refused_or_badly_asked_then_nobody_looks(agency: Agency) -> None:
    """No purpose, no person of the register: told beside the field, without repeating either. A no is final. Holds of others can't be released from here."""
    one = await sign_in_officer(agency, roles={Role.DPO})
    two = await sign_in_officer(agency, roles={Role.DPO})
    bad = await one.post("/console/look-up", {"person": "180", "purpose": "short"})
    assert bad.status_code == 422
    assert "ofii:180" not in bad.text
    where = (await one.post("/console/look-up", {"person": "ofii:180", "purpose": EVIL + WHY})).headers["location"]
    assert "<script>alert" not in shown(await two.get(where))
    assert (await two.post(f"{where}/decide", {"verdict": "refuse"})).status_code == 303
    assert (await press(one, f"{where}/record")).status_code == 422
    other, _ = await agency.hold("person", "ofii:181")
    assert (await one.post(f"{where}/release", {"hold": other})).status_code == 404
    assert (await one.get(f"/console/look-up/{new_id('lkp')}")).status_code == 404


# ── emergencies and accounts ─────────────────────────────────────────────────────────────────────────────────────────────────
async def test_emergency_when_reviewed_then_by_another_officer_and_once(agency: Agency) -> None:
    """Who opened it can't review it; another officer can, once; the reason is text."""
    one, two = [await sign_in_officer(agency, roles={Role.SECURITY}) for _ in range(2)]
    pool = await open_register_pool(agency.installation, agency.installation.settings.register.url)
    async with agency.connected("ecluse_app") as app:
        opened = await open_emergency(
            app, Register(pool, parse_register(register_toml())), read_fingerprint_keys(agency.installation),
            Asked(subject="ofii:190", attribute="phone", reason=EVIL, actor=one.person), log_id=1, bounds=Bounds(per_day=50, patience=timedelta(days=9)),
        )  # fmt: skip
    await pool.close()
    page = shown(await one.get("/console/emergency"))
    assert "<script>alert" not in page
    assert f"{opened.id}/review" not in page
    assert (await one.post(f"/console/emergency/{opened.id}/review", {"verdict": "justified"})).status_code == 422
    assert (await two.post(f"/console/emergency/{opened.id}/review", {"verdict": "perhaps"})).status_code == 422
    assert (await two.post(f"/console/emergency/{opened.id}/review", {"verdict": "justified"})).status_code == 303
    assert (await two.post(f"/console/emergency/{opened.id}/review", {"verdict": "justified"})).status_code == 404


async def test_accounts_when_kept_then_links_once_recovery_by_two_and_sign_ins_ended(agency: Agency) -> None:
    """An officer and an agent are invited, a recovery takes two administrators, a closed account is signed out, a sign-in is ended."""
    one, two = [await sign_in_officer(agency, roles={Role.ADMINISTRATOR}) for _ in range(2)]
    assert (await one.post("/console/accounts", {"name": "Nobody"})).status_code == 422
    page = shown(await one.post("/console/accounts", {"name": EVIL, "roles": ["reader", "dpo"]}))
    assert "/enrol#" in page
    assert "<script>alert" not in page
    assert "/enrol#" not in shown(await one.get("/console/accounts"))
    party = await agency.bind()
    assert "/enrol#" in shown(await one.post(f"/console/accounts/processors/{party.name}", {"label": EVIL}))
    assert "<script>alert" not in shown(await one.get(f"/console/accounts/processors/{party.name}"))
    assert (await one.post("/console/accounts/processors/nobody-here", {"label": "x"})).status_code == 404
    third = await sign_in_officer(agency, roles={Role.READER})
    where = f"/console/accounts/{third.person}"
    assert "/enrol#" in shown(await press(one, f"{where}/invite"))
    assert (await press(one, f"{where}/approve")).status_code == 422
    assert (await press(two, f"{where}/approve")).status_code == 303
    assert (await third.get("/console/schedule")).status_code == 200
    assert (await one.post("/console/accounts/sign-ins/end", {"sign_in": third.sign_in})).status_code == 303
    assert (await third.get("/console/schedule")).status_code == 303
    fourth = await sign_in_officer(agency, roles={Role.READER})
    keys = re.findall(r'name="passkey" value="([0-9a-f]{64})"', shown(await one.get(f"/console/accounts/{fourth.person}")))
    assert (await one.post(f"/console/accounts/{fourth.person}/revoke", {"passkey": keys[0]})).status_code == 303
    assert (await fourth.get("/console/schedule")).status_code == 303
    assert (await press(one, f"/console/accounts/{third.person}/close")).status_code == 303
    assert (await one.get(f"/console/accounts/{new_id('off')}")).status_code == 404
