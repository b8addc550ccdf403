"""What the desk refuses, through the real gate: a cookie without its key, another's key, other processors' ids, closed windows, suspended people."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.agency import Agency
from tests.invented import ALL_CLAUSES, MARK, PHONE_MARK, contract_text
from tests.signed import Browser, sign_in_agent
from tests.web.desk.working import NO_SESSION, UNKNOWN, at_work, plain, refused_of

pytestmark = pytest.mark.web

A_PERSON = re.compile(f"{MARK}(?:nom|prenom|mail)|{MARK.upper()}\\d|{PHONE_MARK}|1980-\\d\\d-\\d\\d")
"""A value of the register, as it stands there."""


def stolen(browser: Browser) -> Browser:
    """Return the thief's browser: the cookie, and no key."""
    return Browser(origin=browser.origin, person=browser.person, cookies=dict(browser.cookies), sign_in=browser.sign_in)


# ── the key ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_cookie_when_stolen_without_its_key_then_shows_nobody(agency: Agency) -> None:
    """A cookie alone opens pages without names, and no act of any kind; nothing is sealed or spent."""
    async with at_work(agency, [10, 11], sheet={"family_name": "full"}, begins_in=timedelta(minutes=-30)) as work:
        size = await agency.size()
        thief = stolen(work.browser)
        pages = [await thief.get(path) for path in ("/desk", work.root, f"{work.root}/attendance", f"{work.root}/sheet")]
        acts = [
            await work.act(act, form, browser=thief, proof=proof)
            for act, form in (
                ("show", {"place": work.handles[10]}), ("sheet", {}), ("walk-in", {}), ("outcomes", {"said": f"{work.handles[10]} present"}),
            )
            for proof in ("", "nonsense", "a.b.c")
        ]  # fmt: skip
        assert {page.status_code for page in pages} == {200}
        assert {(act.status_code, refused_of(act)) for act in acts} == {(401, "invalid-proof")}
        assert not any(A_PERSON.search(answer.text) for answer in (*pages, *acts))
        assert (await agency.size(), await work.reads(10)) == (size, 0)


async def test_proof_when_by_another_key_or_for_something_else_then_refused(agency: Agency) -> None:
    """A colleague's key, a proof for another act, place in time, address or sign-in, and one that was used: none shows anybody."""
    async with at_work(agency, [12], agents=2) as work:
        colleague = await sign_in_agent(agency, work.party, work.party.agents[1])
        path = f"{work.root}/show"
        used = work.browser.proof("POST", path)
        assert (await work.show(12, proof=used)).status_code == 200
        proofs = [
            used, colleague.proof("POST", path), work.browser.proof("POST", f"{work.root}/sheet"), work.browser.proof("GET", path),
            work.browser.proof("POST", path, iat=1), work.browser.proof("POST", path, htu=f"https://elsewhere.example{path}"),
            work.browser.proof("POST", path, ath="x" * 43),
        ]  # fmt: skip
        answers = [await work.show(12, proof=proof) for proof in proofs]
        # another's key is good for its own sign-in only
        mixed = Browser(
            origin=colleague.origin, cookies=dict(work.browser.cookies), desk_key=colleague.desk_key, sign_in=work.browser.sign_in
        )
        answers.append(await work.show(12, browser=mixed))
    assert {(answer.status_code, refused_of(answer)) for answer in answers} == {(401, "invalid-proof")}
    assert not any(A_PERSON.search(answer.text) for answer in answers)


async def test_act_when_from_elsewhere_or_signed_out_then_refused(agency: Agency) -> None:
    """Another site can't press Show in the agent's name, and after the sign-out nothing opens."""
    async with at_work(agency, [13]) as work:
        path = f"{work.root}/show"
        fields = {"dpop": work.browser.proof("POST", path), "sec-fetch-site": "cross-site", "origin": "https://evil.example"}
        foreign = await work.browser.post(path, {"place": work.handles[13]}, headers=fields)
        before = stolen(work.browser)
        before.desk_key = work.browser.desk_key
        await work.browser.leave()
        after = await work.show(13, browser=before)
        page = await before.get(work.root)
    assert (foreign.status_code, after.status_code, page.status_code) == (403, 401, 303)
    assert page.headers["location"].startswith("/sign-in")
    assert not A_PERSON.search(foreign.text + after.text)


async def test_desk_client_when_it_asks_for_a_token_then_none(agency: Agency) -> None:
    """The desk's key is no machine's: the token endpoint and the API don't know it."""
    async with at_work(agency, [14]) as work:
        desk = await agency.fetch("select id from ecluse.client where processor_id = $1 and role = 'desk'", work.party.name)
        path = "/v1/disclosures"
        answer = await work.browser.post(
            path, json={"appointment": work.handles[14], "agent": work.party.agent, "attributes": ["family_name"]},
            headers={"authorization": f"DPoP {work.browser.sign_in}", "dpop": work.browser.proof("POST", path)},
        )  # fmt: skip
    assert len(desk) == 1
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/invalid-token")


# ── other people's ids ───────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_handle_when_foreign_unknown_or_held_then_the_same_bytes(agency: Agency) -> None:
    """An unknown place, another's, and one's own whose person is held are one answer: nothing can be learned of anybody."""
    async with at_work(agency, [15]) as work, at_work(agency, [16]) as other:
        hold, _ = await agency.hold("person", "ofii:15")
        answers = [await work.show(handle) for handle in (UNKNOWN, other.handles[16], work.handles[15])]
        await agency.release(hold)
    assert {(answer.status_code, refused_of(answer)) for answer in answers} == {(403, "not-disclosable")}
    assert len({plain(answer) for answer in answers}) == 1
    assert not any(A_PERSON.search(answer.text) for answer in answers)


async def test_ids_when_of_another_processor_then_as_unknown(agency: Agency) -> None:
    """Each address of the desk answers for another processor's session or entry just as for one that never was."""
    async with (
        at_work(agency, [17], sheet={"family_name": "full"}) as work,
        at_work(agency, [18], sheet={"family_name": "full"}) as other,
    ):
        entry = re.search(r"/desk/proof/(dsc_[a-z2-7]{26})", (await other.show(18)).text)
        assert entry is not None
        pairs = [(await work.browser.get(f"/desk/proof/{entry[1]}"), await work.browser.get(f"/desk/proof/dsc_{'a' * 26}"))]
        both = (other.session, NO_SESSION)
        for page in ("", "/attendance", "/sheet", "/walk-in", "/standing"):
            ours, theirs = [await work.browser.get(f"/desk/sessions/{each}{page}") for each in both]
            pairs.append((ours, theirs))
        for act, form in (
            ("show", {"place": other.handles[18]}), ("sheet", {}), ("walk-in", {}), ("outcomes", {"said": f"{other.handles[18]} present"}),
        ):  # fmt: skip
            ours, theirs = [await work.act(act, form, session=each) for each in both]
            pairs.append((ours, theirs))
        mine = await work.browser.get(f"/desk/proof/{entry[1]}", headers={"cookie": _cookie(other.browser)})
    for ours, theirs in pairs:
        assert (ours.status_code, plain(ours)) == (theirs.status_code, plain(theirs))
        assert ours.status_code == 404
        assert not A_PERSON.search(ours.text)
    assert mine.status_code == 200


def _cookie(browser: Browser) -> str:
    """Write a browser's cookies as it sends them."""
    return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


@pytest.mark.parametrize("place", ["", "apt_nonsense", f"{MARK}nom0010", "ofii:10", "apt_" + "A" * 26])
async def test_form_when_no_handle_then_unreadable_and_unsealed(agency: Agency, place: str) -> None:
    """What can't be a handle never comes to the door, so no free text can be carried into the ledger."""
    async with at_work(agency, [19]) as work:
        size = await agency.size()
        answer = await work.act("show", {"place": place})
        assert (answer.status_code, await agency.size()) == (400, size)


# ── time, ceilings, the gate ─────────────────────────────────────────────────────────────────────────────────────────────────
async def test_window_when_early_then_the_times_and_nobody(agency: Agency) -> None:
    """Before the window the answer says when it opens, and the page's buttons don't work."""
    async with at_work(agency, [20], begins_in=timedelta(days=4)) as work:
        answer, page = await work.show(20), await work.browser.get(work.root)
    assert (answer.status_code, refused_of(answer), "Not open yet" in answer.text) == (403, "outside-window", True)
    assert not A_PERSON.search(answer.text)
    assert re.search(r"data-show=[^>]*disabled", page.text)


async def test_window_when_over_then_the_times_and_nobody(agency: Agency) -> None:
    """After the window nobody is shown, neither anew nor again: the database's clock decides, whatever the page says."""
    async with at_work(agency, [20], later=timedelta(hours=6)) as work:
        answer = await work.show(20)
    assert (answer.status_code, refused_of(answer), "Closed since" in answer.text) == (403, "outside-window", True)
    assert not A_PERSON.search(answer.text)


async def test_reads_when_spent_then_said_and_a_reload_is_no_way_around(agency: Agency) -> None:
    """With one look in the contract the same press may be repeated, and a fresh one is refused with what to do."""
    async with at_work(agency, [21], reads=1) as work:
        first, again = await work.show(21), await work.show(21)
        fresh = await work.show(21, fresh="0" * 32)
        page = await work.browser.get(work.root)
        assert await work.reads(21) == 1
    assert (first.status_code, again.status_code, fresh.status_code) == (200, 200, 403)
    assert "No look is left" in fresh.text
    assert "no look left" in page.text


async def test_press_when_repeated_six_times_then_a_fresh_look_is_offered(agency: Agency) -> None:
    """Ten nervous minutes cost one look and five repetitions; then a fresh one, if she wants it."""
    async with at_work(agency, [22]) as work:
        answers = [await work.show(22) for _ in range(7)]
        assert await work.reads(22) == 1
        assert [answer.status_code for answer in answers] == [200] * 6 + [403]
        assert "data-fresh" in answers[-1].text
        assert (await work.show(22, fresh="1" * 32)).status_code == 200
        assert await work.reads(22) == 2


async def test_value_when_changed_since_then_asked_anew(agency: Agency) -> None:
    """A repetition never shows another value than was sealed: the desk says so, and offers a new look."""
    async with at_work(agency, [23]) as work:
        assert (await work.show(23)).status_code == 200
        await agency.change_register("update registre.personne set nom = 'autre' where numero = 23")
        changed, fresh = await work.show(23), await work.show(23, fresh="2" * 32)
    assert (changed.status_code, refused_of(changed), "data-fresh" in changed.text) == (409, "value-changed", True)
    assert "autre" in fresh.text


async def test_gate_when_frozen_then_why_and_whose_move(agency: Agency) -> None:
    """A contract that lacks a clause shows nobody; the day's page and the answer say why in words, and that nobody gave a telephone number."""
    async with at_work(agency, [24]) as work:
        await agency.apply(contract_text(work.party.name, clauses=ALL_CLAUSES[1:]))
        answer, day, standing = (
            await work.show(24), await work.browser.get("/desk"), await work.browser.get(f"{work.root}/standing"),
        )  # fmt: skip
    assert (answer.status_code, refused_of(answer)) == (403, "gate-frozen")
    assert (standing.status_code, refused_of(standing)) == (403, "gate-frozen")
    for page in (answer, day):
        assert "clause 28.3.a is missing" in page.text
        assert "no telephone number" in page.text
    assert not A_PERSON.search(answer.text)


@pytest.mark.parametrize("scope", ["agent", "processor", "client"])
async def test_agent_when_suspended_then_nothing_more(agency: Agency, scope: str) -> None:
    """After the suspension's entry the sign-in is over: pages, acts and the stream; no look is sealed after it."""
    async with at_work(agency, [25, 26]) as work:
        assert (await work.show(25)).status_code == 200
        desk = await agency.fetch("select id from ecluse.client where processor_id = $1 and role = 'desk'", work.party.name)
        target = {"agent": work.party.agent, "processor": work.party.name, "client": desk[0]["id"]}[scope]
        _, entry = await agency.hold(scope, target)
        answers = [await work.show(26), await work.show(25), await work.browser.part(f"{work.root}/standing")]
        page, stream = await work.browser.get(work.root), await work.browser.get("/desk/live")
        later = [each for each in await agency.openings(since=entry + 1) if each.get("agent") == work.party.agent]
    assert [answer.status_code for answer in (*answers, page, stream)] == [401, 401, 401, 303, 303]
    assert not any(A_PERSON.search(answer.text) for answer in answers)
    assert later == []


async def test_step_up_when_the_contract_wants_it_then_the_desk_serves_and_a_machine_does_not(agency: Agency) -> None:
    """A contract for agents who signed in is served at the desk, and its entry says so; a machine that names the same agent is refused."""
    from tests.e2e.desk import code_of  # noqa: PLC0415 - the other door's words
    from tests.e2e.outsider import Outsider  # noqa: PLC0415 - the other door

    async with at_work(agency, [27], assurance="authenticated") as work:
        machine = work.party.machines[0]
        async with Outsider(agency.public_url, machine.id, machine.key) as outsider:
            refused = await outsider.disclose(work.handles[27], work.party.agent, ["family_name"])
        size = await agency.size()
        shown = await work.show(27)
        entry = next(each for each in await agency.openings(since=size) if each.get("agent") == work.party.agent)
    assert code_of(refused) == "step-up-required"
    assert (shown.status_code, f"{MARK}nom0027" in shown.text) == (200, True)
    assert (entry["assurance"], entry["event"]) == ("authenticated", "disclosure:person:granted")


async def test_log_when_the_desk_worked_then_nothing_of_anybody(agency: Agency) -> None:
    """After all of it the gate's log holds no value of the register, no cookie and no handle."""
    async with at_work(agency, [28, 29], sheet={"family_name": "full"}) as work:
        shown, sheet = await work.show(28), await work.act("sheet")
        cookies = list(work.browser.cookies.values())
        handles = list(work.handles.values())
    assert A_PERSON.search(shown.text)
    assert A_PERSON.search(sheet.text)
    text = "".join(gate.log.read_text(encoding="utf-8") for gate in agency.gates)
    assert not A_PERSON.search(text)
    assert not [each for each in (*cookies, *handles) if each in text]
