"""The console's pages of processors, tried over HTTP by officers of every role: what they show, what they refuse, and that an act moves the gate.

One agency for all; each test binds a processor of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from ecluse.contracts.service import add_processor
from ecluse.embedded import EmbeddedPostgres
from ecluse.evidence.questionnaire import service as questionnaires
from ecluse.evidence.questionnaire.model import Answer, Contact, Kind
from ecluse.identity.people import MAY, Act, Role
from ecluse.identity.service import revoke_key
from tests import governed
from tests.agency import Agency, Party, founded
from tests.e2e.desk import UNKNOWN, at_work, code_of
from tests.e2e.outsider import Outsider
from tests.signed import Browser, sign_in_agent, sign_in_officer

pytestmark = [pytest.mark.db, pytest.mark.web]

MARKUP = "<script>alert('zq')</script>"
TODAY = datetime.now(UTC).date()
PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """Found one agency for all of these tests."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "installation") as found:
        yield found


async def officer(agency: Agency, *roles: Role) -> Browser:
    """Sign an officer in."""
    return await sign_in_officer(agency, roles or {Role.DPO})


async def ask(agency: Agency, party: Party, handle: str) -> str:
    """Ask for a person as the processor does; return ``ok`` or the code of the refusal."""
    async with Outsider(agency.public_url, party.machines[0].id, party.machines[0].key) as machine:
        return code_of(await machine.disclose(handle, party.agent, ("family_name",)))


def acts_on(party: Party, ids: dict[str, str]) -> list[tuple[Act, str, dict[str, str]]]:
    """List every act of these pages: what it takes, where it is sent, and a form that would do it."""
    base = f"/console/processors/{party.name}"
    day = (TODAY + timedelta(days=5)).isoformat()
    return [
        (Act.EVIDENCE, f"{base}/evidence", {"kind": "pentest", "title": "T", "issuer": "I", "reviewed_on": TODAY.isoformat()}),
        (Act.EVIDENCE, f"/console/evidence/{ids['evd']}/accept", {}),
        (Act.EVIDENCE, f"/console/evidence/{ids['evd']}/reject", {"why": "no"}),
        (Act.EVIDENCE, f"/console/evidence/{ids['evd']}/withdraw", {}),
        (Act.QUESTIONNAIRE, f"{base}/questionnaires", {"language": "fr", "days": "3"}),
        (Act.EVIDENCE, f"/console/questionnaires/{ids['qst']}/accept", {}),
        (Act.FINDINGS, f"/console/questionnaires/{ids['qst']}/findings", {"ref": "1", "severity": "low", "due_on": day}),
        (Act.QUESTIONNAIRE, f"/console/questionnaires/{ids['qst']}/revoke", {}),
        (Act.FINDINGS, f"{base}/findings", {"source": "audit", "severity": "low", "title": "T", "due_on": day}),
        (Act.FINDINGS, f"/console/findings/{ids['fnd']}/close", {"closing": "done"}),
        (Act.HOLD, f"/console/holds/new/processor/{party.name}", {"reason": "R"}),
        (Act.HOLD, f"/console/holds/new/agent/{party.agent}", {"reason": "R"}),
        (Act.HOLD, f"/console/holds/{ids['hld']}/release", {}),
        (Act.OVERRIDE_ASK, f"{base}/overrides", {"reasons": "evidence:missing:pentest", "hours": "2", "why": "W"}),
        (Act.OVERRIDE_APPROVE, f"/console/overrides/{ids['ovr']}/approve", {}),
        (Act.OVERRIDE_ASK, f"/console/overrides/{ids['ovr']}/revoke", {}),
        (Act.PAPERS, f"{base}/papers", {"kind": "record", "language": "fr"}),
    ]


async def furnished(agency: Agency) -> tuple[Party, dict[str, str]]:
    """Bind a processor of which everything there is waits for somebody."""
    party = await agency.bind(evidence={"pentest": "P12M"})
    installation = agency.installation
    ids = {
        "evd": await governed.hand_in(installation, party.name, reviewed_on=TODAY),
        "fnd": await governed.find(installation, party.name, TODAY + timedelta(days=3)),
        "ovr": await governed.ask(installation, party.name, "evidence:missing:pentest"),
        "hld": (await agency.hold("client", party.machines[0].id))[0],
    }
    async with agency.connected("ecluse_app") as app:
        own = questionnaires.own_questionnaire()
        ids["qst"] = (await questionnaires.send(app, party.name, own, language="fr", actor="cli:test")).response
    return party, ids


def other_of(name: str) -> str:
    """Return an id that differs in its last sign."""
    return name[:-1] + ("a" if name.endswith("q") else "q")


def seen_paths(party: Party, ids: dict[str, str]) -> list[str]:
    """List every page of this half of the console."""
    base = f"/console/processors/{party.name}"
    return [
        "/console", "/console/counters", "/console/processors", base, f"{base}/evidence", f"{base}/contracts/1", f"{base}/papers", f"{base}/exposure",
        f"{base}/questionnaires/new", f"{base}/findings/new", f"{base}/overrides/new", "/console/evidence", f"/console/evidence/{ids['evd']}",
        "/console/questionnaires", f"/console/questionnaires/{ids['qst']}", "/console/findings", f"/console/findings/{ids['fnd']}", "/console/holds",
        f"/console/holds/{ids['hld']}", f"/console/holds/new/processor/{party.name}", f"/console/holds/new/contract/{party.name}",
        f"/console/holds/new/agent/{party.agent}", f"/console/holds/new/client/{party.machines[0].id}", "/console/overrides",
        f"/console/overrides/{ids['ovr']}", "/console/exposure", "/console/exposure/figures", "/console/ledger",
    ]  # fmt: skip


# ── who may ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_acts_when_the_role_does_not_do_them_then_refused_and_nothing_changes(agency: Agency) -> None:
    """Every act is a 403 page for every role without it, and the ledger and the tables stay as they were."""
    party, ids = await furnished(agency)
    counted = """select (select size from ecluse.ledger_head where log_id = 1) as size, (select count(*) from ecluse.evidence) as evidence,
      (select count(*) from ecluse.questionnaire_response) as responses, (select count(*) from ecluse.gate_override) as overrides,
      (select count(*) from ecluse.evidence where rejected_at is not null) as rejected,
      (select count(*) from ecluse.questionnaire_response where revoked_at is not null) as revoked"""
    browsers = {role: await officer(agency, role) for role in Role}
    before = (await agency.fetch(counted))[0]
    for role, browser in browsers.items():
        for act, path, form in acts_on(party, ids):
            if role not in MAY[act]:
                answer = await browser.post(path, form)
                assert (answer.status_code, role, path) == (403, role, path)
    assert (await agency.fetch(counted))[0] == before


async def test_acts_when_nobody_is_signed_in_or_the_page_is_another_site_then_refused(agency: Agency) -> None:
    """Without a sign-in an act is 401; from another site it is 403, whoever is signed in."""
    party, ids = await furnished(agency)
    nobody = Browser(origin=agency.installation.settings.pages)
    dpo = await officer(agency)
    for _, path, form in acts_on(party, ids):
        assert (await nobody.post(path, form)).status_code == 401
        assert (await dpo.post(path, form, headers={"sec-fetch-site": "cross-site"})).status_code == 403


async def test_weighty_acts_when_the_passkey_was_used_long_ago_then_asked_for_again(agency: Agency) -> None:
    """Accepting, withdrawing, suspending, releasing, approving and revoking want a passkey used just now."""
    party, ids = await furnished(agency)
    dpo = await officer(agency)
    await agency.execute(
        "update ecluse.sign_in set stepped_up_at = stepped_up_at - interval '30 minutes' where officer_id = $1", dpo.person
    )
    weighty = ("/accept", "/withdraw", "/release", "/approve", "/revoke", "/holds/new/")
    for _, path, form in acts_on(party, ids):
        if any(word in path for word in weighty) and not path.endswith(f"{ids['qst']}/revoke"):
            answer = await dpo.post(path, form)
            assert (answer.status_code, path) == (401, path)
            assert "insufficient_user_authentication" in answer.headers["www-authenticate"]


async def test_pages_when_an_id_is_unknown_or_of_another_kind_then_not_found(agency: Agency) -> None:
    """What is not there, or is something else, is one 404 page, for looking and for acting."""
    party, ids = await furnished(agency)
    dpo = await officer(agency)
    person = (await agency.hold("person", "ofii:7"))[0]
    wrong = [
        "/console/processors/nobody", "/console/processors/sandbox", f"/console/processors/{ids['evd']}", f"/console/processors/{party.name}/contracts/9",
        f"/console/evidence/{ids['fnd']}", f"/console/evidence/{other_of(ids['evd'])}", f"/console/evidence/{ids['fnd']}/file",
        f"/console/findings/{ids['evd']}", f"/console/overrides/{ids['hld']}", f"/console/questionnaires/{ids['ovr']}", f"/console/holds/{ids['ovr']}",
        f"/console/holds/{person}", "/console/holds/new/person/ofii:7", "/console/holds/new/processor/nobody",
        f"/console/holds/new/client/{party.agent}", f"/console/holds/new/agent/{party.machines[0].id}", "/console/processors/nobody/exposure",
    ]  # fmt: skip
    for path in wrong:
        assert ((await dpo.get(path)).status_code, path) == (404, path)
    size = await agency.size()
    for path, form in (
        (f"/console/evidence/{ids['fnd']}/accept", {}), (f"/console/evidence/{ids['fnd']}/reject", {"why": "no"}),
        (f"/console/findings/{ids['evd']}/close", {"closing": "done"}), (f"/console/overrides/{ids['fnd']}/approve", {}),
        (f"/console/holds/{person}/release", {}), ("/console/holds/new/person/ofii:7", {"reason": "R"}),
        (f"/console/holds/new/client/{party.agent}", {"reason": "R"}), ("/console/processors/nobody/papers", {"kind": "record", "language": "fr"}),
    ):  # fmt: skip
        assert ((await dpo.post(path, form)).status_code, path) == (404, path)
    assert await agency.size() == size


# ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_pages_when_names_are_markup_then_escaped_everywhere_and_nobody_is_in_them(agency: Agency) -> None:
    """Names, labels, titles, issuers, reasons and answers that are markup are text on every page; no person of the register is on any."""
    party, ids = await furnished(agency)
    for statement_ in (
        "update ecluse.processor set name = $1 where id = $2", "update ecluse.agent set label = $1 where processor_id = $2",
        "update ecluse.client set label = $1 where processor_id = $2", "update ecluse.evidence set title = $1, issuer = $1, scope = $1 where processor_id = $2",
        "update ecluse.finding set title = $1 where processor_id = $2", "update ecluse.gate_override set why = $1 where processor_id = $2",
    ):  # fmt: skip
        await _as_owner(agency, statement_, MARKUP, party.name)
    await _as_owner(agency, "update ecluse.hold set reason = $1 where id = $2", MARKUP, ids["hld"])
    dpo = await sign_in_officer(agency, {Role.DPO}, name=MARKUP)
    shown = 0
    for path in seen_paths(party, ids):
        answer = await dpo.get(path)
        assert (answer.status_code, path) == (200, path)
        assert MARKUP not in answer.text, path
        assert "ofii:" not in answer.text, path
        assert len(answer.content) < 150_000, path
        shown += "&lt;script&gt;" in answer.text
    assert shown > 15


async def _as_owner(agency: Agency, statement_: str, *values: object) -> None:
    """Write what no role may, with the triggers of append-only tables off."""
    async with agency.administered("ledger") as admin, admin.transaction():
        await admin.execute("set local session_replication_role = replica")
        await admin.execute(statement_, *values)


# ── acts, all the way ────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_evidence_when_accepted_by_a_page_then_the_frozen_gate_opens(agency: Agency) -> None:
    """A document that is handed in and accepted on the pages opens a gate that was frozen for it: the door grants at the next request."""
    party = await agency.bind(evidence={"pentest": "P12M"})
    handles = await agency.schedule(await agency.meeting(party, [11]))
    assert await ask(agency, party, handles[11]) == "gate-frozen"
    dpo = await officer(agency)
    form = {"kind": "pentest", "title": "Rapport", "issuer": "Maison d'audit", "reviewed_on": TODAY.isoformat()}
    sent = await dpo.post(
        f"/console/processors/{party.name}/evidence", form, files={"document": ("r.pdf", PDF, "application/pdf")}
    )
    assert sent.status_code == 303, sent.text
    where = sent.headers["location"]
    page = await dpo.get(where)
    assert "counts for nothing until somebody accepts it" in page.text
    assert 'data-state="frozen"' in page.text
    saved = await dpo.get(f"{where}/file")
    assert saved.content == PDF
    assert saved.headers["content-disposition"].startswith('attachment; filename="')
    assert "sandbox" in saved.headers["content-security-policy"]
    assert await ask(agency, party, handles[11]) == "gate-frozen"
    done = await dpo.post(f"{where}/accept")
    assert done.status_code == 303
    shown = await dpo.get(where)
    entry = re.search(r"Sealed as entry (\d+)", shown.text)
    assert entry is not None
    (sealed,) = await agency.openings(since=int(entry[1]))
    assert (sealed["event"], sealed["actor"]) == ("control:evidence:accepted", dpo.person)
    assert await ask(agency, party, handles[11]) == "ok"
    assert (await dpo.post(f"{where}/accept")).status_code == 409


async def test_evidence_when_it_is_not_as_it_must_be_then_said_at_the_field(agency: Agency) -> None:
    """What could run is refused with the reason at its field, in the reader's language; nothing is kept."""
    party = await agency.bind(evidence={"pentest": "P12M"})
    dpo = await sign_in_officer(agency, {Role.DPO}, language="fr")
    path = f"/console/processors/{party.name}/evidence"
    form = {"kind": "pentest", "title": "T", "issuer": "I", "reviewed_on": TODAY.isoformat()}
    evil = PDF.replace(b"/Catalog", b"/Catalog /OpenAction << /S /JavaScript >>")
    for more, file, said in (
        ({}, evil, "contient un script"),
        ({"reviewed_on": (TODAY + timedelta(days=2)).isoformat()}, PDF, "pas encore venu"),
        ({"title": ""}, PDF, "f-title-fault"),
        ({"bridges": "evd_nothing"}, PDF, "f-bridges-fault"),
        ({"kind": "nonsense"}, PDF, "f-kind-fault"),
    ):
        answer = await dpo.post(path, {**form, **more}, files={"document": ("r.pdf", file, "text/html")})
        assert (answer.status_code, said in answer.text) == (422, True), said
    assert await agency.fetch("select from ecluse.evidence where processor_id = $1", party.name) == []


async def test_evidence_when_rejected_then_its_reason_is_kept_and_no_gate_moves(agency: Agency) -> None:
    """A rejection wants a reason, seals nothing, and is told to the processor."""
    party, ids = await furnished(agency)
    dpo, size = await officer(agency), await agency.size()
    path = f"/console/evidence/{ids['evd']}/reject"
    assert (await dpo.post(path, {"why": " "})).status_code == 422
    assert (await dpo.post(path, {"why": "Périmètre trop étroit"})).status_code == 303
    assert "Périmètre trop étroit" in (await dpo.get(f"/console/evidence/{ids['evd']}")).text
    assert (await dpo.post(path, {"why": "again"})).status_code == 409
    assert await agency.size() == size
    assert party.name


@pytest.mark.parametrize("scope", ["processor", "contract", "client", "agent"])
async def test_suspension_when_pressed_then_the_door_refuses_until_it_is_released(agency: Agency, scope: str) -> None:
    """The next request after the press is refused, and the one after the release is granted."""
    async with at_work(agency, [21]) as desk:
        party = desk.party
        assert code_of(await desk.disclose(21)) == "ok"
        security = await officer(agency, Role.SECURITY)
        target = {"client": party.machines[0].id, "agent": party.agent}.get(scope, party.name)
        path = f"/console/holds/new/{scope}/{target}"
        assert (await security.post(path, {"reason": ""})).status_code == 422
        assert code_of(await desk.disclose(21)) == "ok"
        done = await security.post(path, {"reason": "Une clé a été perdue", "hours": "24"})
        assert (done.status_code, done.headers["location"]) == (303, "/console/holds")
        assert code_of(await desk.disclose(21)) == "suspended"
        assert "Sealed as entry" in (await security.get("/console/holds")).text
        (row,) = await agency.fetch("select id, placed_by from ecluse.hold where scope_id = $1 and scope = $2", target, scope)
        assert row["placed_by"] == security.person
        assert (await security.post(f"/console/holds/{row['id']}/release")).status_code == 303
        assert code_of(await desk.disclose(21)) == "ok"
        assert (await security.post(f"/console/holds/{row['id']}/release")).status_code == 404


async def test_override_when_approved_by_whoever_asked_then_refused_kindly_and_by_the_database(agency: Agency) -> None:
    """One asks, another approves: the asker is told why not, whatever the page sent; then the gate lets through until it is ended."""
    party = await agency.bind(evidence={"pentest": "P12M"})
    handles = await agency.schedule(await agency.meeting(party, [31]))
    asker, approver = await officer(agency), await officer(agency)
    path = f"/console/processors/{party.name}/overrides"
    assert (await asker.post(path, {"reasons": "evidence:missing:pentest", "hours": "99", "why": "W"})).status_code == 422
    assert (await asker.post(path, {"reasons": "contract:dates:ended", "hours": "2", "why": "W"})).status_code == 422
    sent = await asker.post(path, {"reasons": "evidence:missing:pentest", "hours": "2", "why": "Trente personnes attendent"})
    where = sent.headers["location"]
    own = await asker.post(f"{where}/approve")
    assert (own.status_code, "another person has to approve it" in own.text) == (403, True)
    assert await ask(agency, party, handles[31]) == "gate-frozen"
    assert (await approver.post(f"{where}/approve")).status_code == 303
    assert await ask(agency, party, handles[31]) == "ok"
    assert (await approver.post(f"{where}/approve")).status_code == 409
    assert (await asker.post(f"{where}/revoke")).status_code == 303
    assert await ask(agency, party, handles[31]) == "gate-frozen"


async def test_finding_when_opened_and_closed_then_sealed_in_the_officers_name(agency: Agency) -> None:
    """A critical finding that is overdue freezes; closed in words, it freezes no more."""
    party = await agency.bind()
    handles = await agency.schedule(await agency.meeting(party, [41]))
    dpo = await officer(agency)
    path = f"/console/processors/{party.name}/findings"
    late = {
        "source": "audit",
        "severity": "critical",
        "title": "Clé partagée",
        "due_on": (TODAY + timedelta(days=200)).isoformat(),
    }
    assert "f-due_on-fault" in (await dpo.post(path, late)).text
    sent = await dpo.post(path, late | {"due_on": (TODAY - timedelta(days=2)).isoformat()})
    where = sent.headers["location"]
    assert await ask(agency, party, handles[41]) == "gate-frozen"
    assert 'data-state="bad"' in (await dpo.get(where)).text
    assert (await dpo.post(f"{where}/close", {"closing": ""})).status_code == 422
    assert (await dpo.post(f"{where}/close", {"closing": "Chacun a sa clé"})).status_code == 303
    assert "Chacun a sa clé" in (await dpo.get(where)).text
    assert await ask(agency, party, handles[41]) == "ok"


async def test_questionnaire_when_sent_then_its_link_is_shown_once_and_its_answers_become_evidence(agency: Agency) -> None:
    """The link stands on one page and nowhere else; answers that were handed in are read, accepted, and open the gate."""
    party = await agency.bind(evidence={"questionnaire": "P12M"})
    handles = await agency.schedule(await agency.meeting(party, [51]))
    dpo = await officer(agency)
    sent = await dpo.post(f"/console/processors/{party.name}/questionnaires", {"language": "fr", "days": "5"})
    link = re.search(r"/questionnaire/(qsl_\w+)", sent.text)
    assert (sent.status_code, link is not None) == (200, True)
    secret = link[1] if link else ""
    (row,) = await agency.fetch("select id from ecluse.questionnaire_response where processor_id = $1", party.name)
    page = f"/console/questionnaires/{row['id']}"
    assert secret not in (await dpo.get(page)).text + (await dpo.get("/console/questionnaires")).text
    assert (await dpo.post(f"{page}/accept")).status_code == 409
    await _answer(agency, secret)
    shown = (await dpo.get(page)).text
    assert "Madame Réponse" in shown
    assert MARKUP not in shown
    done = await dpo.post(f"{page}/accept")
    assert done.status_code == 303, done.text
    assert await ask(agency, party, handles[51]) == "ok"
    assert (await dpo.post(f"{page}/revoke")).status_code == 409


async def _answer(agency: Agency, secret: str) -> None:
    """Answer a questionnaire behind its link and hand it in."""
    async with agency.connected("ecluse_app") as app:
        opened = await questionnaires.open_link(app, secret)
        answers: dict[str, Answer] = {}
        for _, question in opened.questionnaire.asked():
            text = {Kind.BOOLEAN: "yes", Kind.NUMBER: "3", Kind.DATE: TODAY.isoformat()}.get(question.kind, MARKUP)
            picked = (question.choices[0].urn,) if question.choices else ()
            answers[question.urn] = Answer(picked=picked, text="" if picked else text, note=MARKUP)
        await questionnaires.save(app, secret, opened, answers)
        await questionnaires.hand_in(app, secret, Contact(name="Madame Réponse", function="RSSI", email="rssi@example.org"))


async def test_papers_when_asked_for_then_a_pdf_to_be_saved(agency: Agency) -> None:
    """A dossier is made on the page's press and handed out as a file."""
    party = await agency.bind()
    dpo = await officer(agency)
    made = await dpo.post(f"/console/processors/{party.name}/papers", {"kind": "dossier", "language": "fr"})
    assert (made.status_code, made.content[:5]) == (200, b"%PDF-"), made.text[:300]
    assert f'filename="dossier-{party.name}-' in made.headers["content-disposition"]
    assert (await dpo.post(f"/console/processors/{party.name}/papers", {"kind": "other", "language": "fr"})).status_code == 422


async def test_today_when_things_happen_then_it_counts_them(agency: Agency) -> None:
    """Disclosures, persons and refusals of the day are counted by reason, and what waits stands first."""
    party = await agency.bind()
    handles = await agency.schedule(await agency.meeting(party, [61, 62]))
    dpo = await officer(agency)
    before = await _figures(dpo)
    for number in (61, 62):
        assert await ask(agency, party, handles[number]) == "ok"
    assert await ask(agency, party, UNKNOWN) == "not-disclosable"
    after = await _figures(dpo)
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 2, 1]
    await governed.hand_in(agency.installation, party.name, reviewed_on=TODAY)
    page = (await dpo.get("/console")).text
    assert "to judge" in page
    assert f"/console/processors/{party.name}" not in re.findall(r'gate-line.*?href="([^"]+)"', page, re.DOTALL)


async def _figures(browser: Browser) -> list[int]:
    """Read the three counters: disclosures, persons, refusals."""
    text = (await browser.part("/console/counters")).text
    return [int(found.replace(",", "")) for found in re.findall(r'card-figure">([\d,]+)<', text)]


async def test_processor_when_without_a_contract_then_closed_and_said_why(agency: Agency) -> None:
    """A processor that was only registered has its page: closed, with the mend."""
    async with agency.connected("ecluse_app") as app:
        await add_processor(app, log_id=1, processor="only-registered", name="Seulement inscrit", actor="cli:test")
    dpo = await officer(agency)
    for path in ("", "/evidence", "/exposure", "/papers", "/overrides/new"):
        assert (await dpo.get(f"/console/processors/only-registered{path}")).status_code == 200
    page = await dpo.get("/console/processors/only-registered")
    assert "no contract is in force" in page.text
    assert (
        await dpo.post("/console/processors/only-registered/papers", {"kind": "dossier", "language": "en"})
    ).status_code == 409


async def test_processor_when_agents_came_and_went_then_the_keys_they_left_do_not_hide_its_machines(agency: Agency) -> None:
    """A machine's revoked key stays on the page, a desk's goes: each sign-in there leaves one behind."""
    party = await agency.bind()
    agent = await sign_in_agent(agency, party)
    dpo = await officer(agency)
    keys = dict(await agency.fetch("select k.client_id, substr(k.thumbprint, 1, 12) from ecluse.client_key k join ecluse.client c on c.id = k.client_id "
                                   "where c.processor_id = $1", party.name))  # fmt: skip
    before = (await dpo.get(f"/console/processors/{party.name}")).text
    assert len(keys) == 2
    assert all(f"{key}…" in before for key in keys.values())
    assert (await agent.leave()).status_code in {200, 303}
    async with agency.connected("ecluse_app") as app:
        (thumbprint,) = await agency.fetch("select thumbprint from ecluse.client_key where client_id = $1", party.machines[0].id)
        await revoke_key(app, log_id=1, client=party.machines[0].id, thumbprint=thumbprint[0], actor="cli:test")
    after = (await dpo.get(f"/console/processors/{party.name}")).text
    assert [name for name, key in keys.items() if f"{key}…" in after] == [party.machines[0].id]


async def test_live_when_listened_to_then_the_heads_moves_are_told_and_no_sign_in_is_kept_alive(agency: Agency) -> None:
    """The stream tells sizes alone; counters and stream do not count as somebody being there."""
    dpo = await officer(agency)
    await agency.execute("update ecluse.sign_in set seen_at = seen_at - interval '5 minutes' where officer_id = $1", dpo.person)
    (before,) = await agency.fetch("select seen_at from ecluse.sign_in where officer_id = $1", dpo.person)
    assert (await dpo.part("/console/counters")).status_code == 200
    first = await _first_event(dpo)
    assert re.fullmatch(r'event: head\ndata: \{"size":\d+,"control_seq":\d+\}', first)
    (after,) = await agency.fetch("select seen_at from ecluse.sign_in where officer_id = $1", dpo.person)
    assert after["seen_at"] == before["seen_at"]


async def _first_event(browser: Browser) -> str:
    """Listen until something is told."""
    fields: dict[str, Any] = {"cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
    heard = ""
    async with (
        httpx.AsyncClient(timeout=20) as client,
        client.stream("GET", f"{browser.origin}/console/live", headers=fields) as answer,
    ):
        async for text in answer.aiter_text():
            heard += text
            found = re.search(r"event: head\n[^\n]+", heard)
            if found:
                return found[0]
    raise AssertionError(heard)
