"""The main path in a real browser, one story each: from a one-time link to a person shown, attendance written, a contractor stopped, a gate opened."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Route, expect

from ecluse.identity.people import Role
from tests.agency import Agency, Meeting, Party
from tests.browser.look import looked_at
from tests.browser.people import agent, link_for, officer, officer_link, sign_in
from tests.browser.somebody import Somebody, somebody
from tests.e2e.desk import at_work, code_of
from tests.invented import MARK

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="module")]

ENGLISH: Final = "en"
RUNNING: Final = timedelta(minutes=-50)
"""Begun so long ago that it runs by the database's clock and by the machine's."""


@dataclass(kw_only=True)
class Desk:
    """A contractor with a session under way. ``handles``: of its places, by the person's number; ``session``: its id."""

    party: Party
    meeting: Meeting
    handles: dict[int, str]
    session: str

    @property
    def path(self) -> str:
        """The session's page."""
        return f"/desk/sessions/{self.session}"


async def furnish(agency: Agency, persons: Sequence[int], *, begins_in: timedelta = RUNNING, **terms: Any) -> Desk:
    """Bind a contractor with one session."""
    party = await agency.bind(
        **{"assurance": "authenticated", "sheet": {"family_name": "full", "given_name": "initial"}, **terms}
    )
    meeting = await agency.meeting(party, persons, begins_in=begins_in)
    return await planned(agency, meeting)


async def planned(agency: Agency, meeting: Meeting, *, cancelled: Sequence[int] = ()) -> Desk:
    """Put a session as it is described on the plan."""
    handles = await agency.schedule(meeting, cancelled=cancelled)
    rows = await agency.fetch(
        "select id from ecluse.session where processor_id = $1 and session_ref = $2", meeting.party.name, meeting.ref
    )
    return Desk(party=meeting.party, meeting=meeting, handles=handles, session=rows[0]["id"])


# ── coming in and going out ──────────────────────────────────────────────────────────────────────────────────────────────────
async def test_link_when_used_then_a_passkey_and_never_again(agency: Agency, browser: Browser) -> None:
    """An officer enrols by a one-time link, which leaves the address at once and opens nothing a second time; then signs in by the passkey alone."""
    _, link = await officer_link(agency.installation, "Ana Lemoine", Role.READER)
    origin, secret = agency.installation.settings.pages, link.partition("#")[2]
    async with somebody(browser, origin, language=ENGLISH) as ana:
        await ana.open(link)
        await expect(ana.page.locator("main")).to_contain_text("Ana Lemoine")
        assert secret not in ana.page.url
        await ana.page.locator("[data-do]").click()
        await expect(ana.page.locator("[data-done]")).to_be_visible()
        await sign_in(ana, "/console", arrives="/console")
        cookie = next(each for each in await ana.context.cookies() if each["name"] == "__Host-ecluse")
        assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"], cookie["path"]) == (True, True, "Strict", "/")
        assert not any(secret in request.url for request in ana.asked)
    async with somebody(browser, origin, language=ENGLISH) as other:
        other.may_be_refused.add(410)
        await other.open(link)
        await expect(other.page.locator("main")).to_contain_text("This link cannot be used")


async def test_sign_out_when_back_is_pressed_then_nothing_shows(agency: Agency, browser: Browser) -> None:
    """After signing out, Back and the address itself lead to the sign-in, and the page shows nobody and nothing of the desk."""
    desk = await furnish(agency, [20])
    async with agent(browser, agency.installation, desk.party.agent, language=ENGLISH) as trainer:
        trainer.may_be_refused.add(401)
        await trainer.open(desk.path)
        await show(trainer, desk, 20)
        await trainer.page.keyboard.press("Escape")
        await trainer.page.locator(".desk-worker button").click()
        await trainer.page.wait_for_url("**/sign-in*")
        await expect(trainer.page.locator("main")).to_contain_text("signed out")
        await trainer.page.go_back()
        await trainer.page.wait_for_url("**/sign-in*")
        assert MARK not in await trainer.html()
        assert [each for each in await trainer.context.cookies() if each["name"] == "__Host-ecluse"] == []
        await trainer.open(desk.path)
        assert trainer.path.startswith("/sign-in")


# ── the desk ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def show(trainer: Somebody, desk: Desk, person: int) -> None:
    """Press Show at a person's place, and wait until the person is on the screen."""
    await trainer.page.locator(f'[data-show="{desk.handles[person]}"]').click()
    await expect(trainer.page.locator("[data-person]")).to_be_visible()


async def test_session_when_served_then_one_person_with_a_watermark_and_a_count_down(agency: Agency, browser: Browser) -> None:
    """The trainer's day, her session, one person: under a watermark, with the time left, gone with Esc; loading the page again spends no second look."""
    desk = await furnish(agency, [21, 22])
    async with agent(browser, agency.installation, desk.party.agent, language=ENGLISH) as trainer:
        await trainer.page.get_by_role("link", name="Formation").first.click()
        await expect(trainer.page.locator("[data-show]")).to_have_count(2)
        assert MARK + "nom" not in await trainer.html()
        await show(trainer, desk, 21)
        dialog = trainer.page.locator("#desk-person")
        await expect(dialog).to_contain_text(f"{MARK}nom0021")
        assert f"{MARK}nom0022" not in await trainer.html()
        await expect(dialog.locator(".desk-watermark")).to_contain_text(f"{MARK}agent0")
        await expect(dialog.locator("[data-left]")).to_contain_text("Closes in")
        await trainer.page.keyboard.press("Escape")
        await expect(trainer.page.locator("[data-person]")).to_have_count(0)
        assert f"{MARK}nom" not in await trainer.html()
        await trainer.page.reload()
        await show(trainer, desk, 21)
        await expect(dialog).to_contain_text("Shown again, no look spent")
        assert desk.handles[21] not in "".join(request.url for request in trainer.asked)


async def reach(person: Somebody, wanted: str, *, keys: int = 60) -> None:
    """Go on with Tab until what begins with a text, or has it as its name, has the focus; each stop is in sight, with its focus drawn."""
    met = []
    for _ in range(keys):
        await person.page.keyboard.press("Tab")
        stop = await person.focused()
        assert not stop["tag"] or (stop["seen"] and stop["drawn"]), stop
        if wanted in {stop["name"], stop.get("text", "")[: len(wanted)]}:
            return
        met.append(stop.get("text") or stop["tag"])
    raise AssertionError(f"{wanted} is out of the keyboard's reach: {met}")


async def test_main_path_when_walked_with_the_keyboard_then_all_can_be_done(agency: Agency, browser: Browser) -> None:
    """Link, passkey, sign-in, session, one person and attendance without a mouse: every stop in sight with its focus drawn."""
    desk = await furnish(agency, [23, 24])
    async with somebody(browser, agency.installation.settings.pages, language=ENGLISH) as trainer:
        keys = trainer.page.keyboard
        await trainer.open(await link_for(agency.installation, desk.party.agent))
        await expect(trainer.page.locator("[data-do]")).to_be_visible()
        await reach(trainer, "Make my passkey")
        await keys.press("Enter")
        await expect(trainer.page.locator("[data-done]")).to_be_focused()
        await reach(trainer, "Sign in")
        await keys.press("Enter")
        await expect(trainer.page.locator("[data-do]")).to_be_visible()
        await reach(trainer, "Sign in with my passkey")
        await keys.press("Enter")
        await trainer.page.wait_for_url("**/desk")
        await keys.press("Tab")
        assert (await trainer.focused())["href"] == "#main"
        await keys.press("Enter")
        await reach(trainer, "Formation")
        await keys.press("Enter")
        await expect(trainer.page.locator("[data-show]")).to_have_count(2)
        await reach(trainer, "Show place 1")
        await keys.press("ArrowDown")
        assert (await trainer.focused())["text"] == "Show place 2"
        await keys.press("Enter")
        handle = await trainer.page.locator("[data-show]").nth(1).get_attribute("data-show")
        number = next(number for number, known in desk.handles.items() if known == handle)  # places stand in no order of persons
        await expect(trainer.page.locator("[data-person]")).to_contain_text(f"{MARK}nom{number:04d}")
        for _ in range(8):  # the focus stays inside
            await keys.press("Tab")
            assert await trainer.page.evaluate(
                "!document.activeElement || document.activeElement === document.body || !!document.activeElement.closest('dialog')"
            )
        await keys.press("Escape")
        await expect(trainer.page.locator("[data-person]")).to_have_count(0)
        assert (await trainer.focused())["text"] == "Show place 2"
        await trainer.open(desk.path)
        await reach(trainer, "Attendance")
        await keys.press("Enter")
        await trainer.page.wait_for_url("**/attendance")
        await reach(trainer, "a-1")
        await keys.press("Space")
        await keys.press("ArrowRight")
        await reach(trainer, "All others present")
        await keys.press("Enter")
        await reach(trainer, "Save")
        await keys.press("Enter")
        await expect(trainer.page.locator("#desk-part")).to_contain_text("2 places saved")
    said = await agency.fetch(
        "select attendance from ecluse.outcome where appointment_id = any($1::text[])", list(desk.handles.values())
    )
    assert sorted(row["attendance"] for row in said) == ["late", "present"]


async def test_suspension_when_made_with_the_keyboard_then_in_force(agency: Agency, browser: Browser) -> None:
    """From a processor's page to its suspension without a mouse."""
    desk = await furnish(agency, [38])
    async with officer(browser, agency.installation, Role.SECURITY, language=ENGLISH) as guard:
        await guard.open(f"/console/processors/{desk.party.name}")
        await reach(guard, "Suspend …")
        await guard.page.keyboard.press("Enter")
        await expect(guard.page.get_by_label("Why")).to_be_focused()
        await guard.page.keyboard.type("a stolen laptop")
        await reach(guard, "Suspend it now")
        await guard.page.keyboard.press("Enter")
        await expect(guard.page.locator("main h1")).to_have_text("Suspensions")
    assert len(await agency.fetch("select 1 from ecluse.hold where scope_id = $1", desk.party.name)) == 1


async def test_attendance_when_saved_then_written_back(agency: Agency, browser: Browser) -> None:
    """Attendance is written without a name on the screen, and stands in the agency's books."""
    desk = await furnish(agency, [25, 26])
    async with agent(browser, agency.installation, desk.party.agent, language=ENGLISH) as trainer:
        await trainer.open(f"{desk.path}/attendance")
        first = trainer.page.locator(f'[data-handle="{desk.handles[25]}"]')
        await first.get_by_role("radio", name="Absent").check()
        await trainer.page.get_by_role("button", name="All others present").click()
        second = trainer.page.locator(f'[data-handle="{desk.handles[26]}"]')
        await second.get_by_role("radio", name="Late").check()
        await expect(second.locator("input:checked")).to_have_count(1)  # one word for a place: the last one said
        await second.get_by_role("radio", name="Present").check()
        await trainer.page.get_by_role("button", name="Save").click()
        await expect(trainer.page.locator("#desk-part")).to_contain_text("2 places saved")
        assert MARK + "nom" not in await trainer.html()
        await trainer.page.reload()
        await expect(first.locator("input:checked")).to_have_value("absent")
    rows = await agency.fetch(
        "select appointment_id, attendance from ecluse.outcome where appointment_id = any($1::text[])",
        list(desk.handles.values()),
    )
    assert {row["appointment_id"]: row["attendance"] for row in rows} == {desk.handles[25]: "absent", desk.handles[26]: "present"}


async def test_place_when_it_may_not_be_shown_then_the_words_say_why(agency: Agency, browser: Browser) -> None:
    """Not open yet, called off meanwhile, moved away meanwhile: nobody is shown, and the page says which, and what to do."""
    desk = await furnish(agency, [27, 28])
    later = await planned(agency, await agency.meeting(desk.party, [29], begins_in=timedelta(days=3), ref="S2"))
    async with agent(browser, agency.installation, desk.party.agent, language=ENGLISH) as trainer:
        trainer.may_be_refused.add(403)
        await trainer.open(later.path)
        await expect(trainer.page.locator("main")).to_contain_text("Before that, nobody can")
        await expect(trainer.page.locator("[data-show]")).to_be_disabled()
        await trainer.open(desk.path)
        await planned(agency, desk.meeting, cancelled=[27])
        await trainer.page.locator(f'[data-show="{desk.handles[27]}"]').click()
        await expect(trainer.page.locator('[data-refused="outside-window"]')).to_contain_text("This place was called off")
        await trainer.page.keyboard.press("Escape")
        assert f"{MARK}nom" not in await trainer.html()


# ── the console ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_processor_when_suspended_then_the_open_desk_closes_within_two_seconds(agency: Agency, browser: Browser) -> None:
    """An officer suspends a contractor: the person on a trainer's screen is gone within two seconds, and the trainer is told what happened."""
    desk = await furnish(agency, [30])
    async with (
        agent(browser, agency.installation, desk.party.agent, language=ENGLISH) as trainer,
        officer(browser, agency.installation, Role.SECURITY, language=ENGLISH) as guard,
    ):
        trainer.may_be_refused.add(401)
        await trainer.open(desk.path)
        await show(trainer, desk, 30)
        await trainer.page.evaluate(GONE)
        await guard.open(f"/console/holds/new/processor/{desk.party.name}")
        await guard.page.get_by_label("Why").fill("a stolen laptop")
        began = await guard.page.evaluate("performance.timeOrigin + performance.now()")
        await guard.page.get_by_role("button", name="Suspend it now").click()
        await expect(trainer.page.locator("[data-person]")).to_have_count(0)
        assert await trainer.page.evaluate("window.gone") - began < 2_000
        await expect(trainer.page.locator("#desk-ended")).to_contain_text("Your sign-in has ended")
        assert f"{MARK}nom" not in await trainer.html()
        await expect(guard.page.locator(".notice")).to_be_visible()
        await trainer.page.get_by_role("link", name="Sign in again").click()
        assert trainer.path.startswith("/sign-in")


async def test_person_when_only_her_place_is_called_off_then_she_goes_from_the_screen(agency: Agency, browser: Browser) -> None:
    """Another place called off leaves the screen as it is; her own takes her from it, with words; no handle is in an address."""
    desk = await furnish(agency, [36, 37])
    async with agent(browser, agency.installation, desk.party.agent, language=ENGLISH) as trainer:
        trainer.may_be_refused.add(403)
        await trainer.open(desk.path)
        await show(trainer, desk, 36)
        async with trainer.page.expect_response("**/standing?*"):
            await agency.schedule(desk.meeting, cancelled=[37])
        await expect(trainer.page.locator("[data-person]")).to_be_visible()
        await agency.schedule(desk.meeting, cancelled=[36, 37])
        await expect(trainer.page.locator("[data-person]")).to_have_count(0)
        await expect(trainer.page.locator("[data-refused]")).to_be_visible()
        assert f"{MARK}nom" not in await trainer.html()
        assert not [request.url for request in trainer.asked if desk.handles[36] in request.url]


GONE: Final = """() => { const look = () => {
if (!document.querySelector('[data-person]')) { window.gone = performance.timeOrigin + performance.now(); watch.disconnect(); } };
const watch = new MutationObserver(look); watch.observe(document.body, {childList: true, subtree: true}); }"""


LONG_AGO: Final = "update ecluse.sign_in set stepped_up_at = stepped_up_at - interval '1 hour' where officer_id is not null"


async def test_act_when_it_weighs_then_the_passkey_once_more(agency: Agency, browser: Browser) -> None:
    """Long after the passkey a suspension asks for it where the form stands: refused, nothing is sent and nothing that was typed is lost; given, it is sent."""
    desk = await furnish(agency, [31])
    async with officer(browser, agency.installation, Role.DPO, language=ENGLISH) as dpo:
        await agency.execute(LONG_AGO)
        await dpo.open(f"/console/holds/new/processor/{desk.party.name}")
        why, send = dpo.page.get_by_label("Why"), dpo.page.get_by_role("button", name="Suspend it now")
        await why.fill("a stolen laptop")
        await dpo.uses_passkey(willing=False)
        await send.click()
        await expect(dpo.page.get_by_role("alert")).to_contain_text("Nothing was sent")
        await expect(why).to_have_value("a stolen laptop")
        assert await looked_at(dpo) == []
        assert await agency.fetch("select 1 from ecluse.hold where scope_id = $1", desk.party.name) == []
        await dpo.uses_passkey(willing=True)
        await send.click()
        await expect(dpo.page.locator("main h1")).to_have_text("Suspensions")
        await expect(dpo.page.locator(".notice:visible")).to_be_visible()
    (hold,) = await agency.fetch("select reason from ecluse.hold where scope_id = $1", desk.party.name)
    assert hold["reason"] == "a stolen laptop"


async def test_act_when_the_page_thought_the_passkey_fresh_then_the_server_asks(agency: Agency, browser: Browser) -> None:
    """What the page's script does not know of, the server does: nothing is done, the passkey is asked for, and the way leads back to the form."""
    desk = await furnish(agency, [35])
    async with officer(browser, agency.installation, Role.DPO, language=ENGLISH) as dpo:
        dpo.may_be_refused.add(401)
        await dpo.open(f"/console/holds/new/processor/{desk.party.name}")
        await agency.execute(LONG_AGO)
        await dpo.page.get_by_label("Why").fill("a stolen laptop")
        await dpo.page.get_by_role("button", name="Suspend it now").click()
        await expect(dpo.page.locator("h1")).to_contain_text("Your passkey, once more")
        assert await agency.fetch("select 1 from ecluse.hold where scope_id = $1", desk.party.name) == []
        await dpo.page.locator("main a.button").first.click()
        await dpo.page.locator("[data-do]").click()
        await dpo.page.wait_for_url("**/console/holds/new/processor/*")
        await dpo.page.get_by_label("Why").fill("a stolen laptop")
        await dpo.page.get_by_role("button", name="Suspend it now").click()
        await expect(dpo.page.locator(".notice:visible")).to_be_visible()
    assert len(await agency.fetch("select 1 from ecluse.hold where scope_id = $1", desk.party.name)) == 1


async def test_report_when_accepted_then_the_gate_opens(agency: Agency, browser: Browser, tmp_path: Path) -> None:
    """A contractor without a fresh pentest is frozen; its report is handed in and accepted on the console, which says what that changes: the gate opens."""
    desk = await furnish(agency, [32], evidence={"pentest": "P12M"})
    report = tmp_path / "rapport.pdf"
    report.write_bytes(PDF)
    async with officer(browser, agency.installation, Role.SECURITY, language=ENGLISH) as guard:
        await guard.open(f"/console/processors/{desk.party.name}")
        await expect(guard.page.locator(".page-head .chip")).to_have_attribute("data-state", "frozen")
        await guard.open(f"/console/processors/{desk.party.name}/evidence")
        await hand_in(guard, report, await agency.now())
        await guard.page.get_by_role("button", name="Accept it in my name").click()
        await expect(guard.page.locator(".notice").first).to_be_visible()
        await guard.open(f"/console/processors/{desk.party.name}")
        await expect(guard.page.locator(".page-head .chip")).to_have_attribute("data-state", "open")


async def hand_in(guard: Somebody, report: Path, now: datetime) -> None:
    """Fill in the form that hands a pentest report in; ends on the document's own page."""
    form = guard.page.locator("form[enctype]")
    await form.locator("[name=kind]").select_option("pentest")
    await form.locator("[name=title]").fill("Pentest of the booking software")
    await form.locator("[name=issuer]").fill("Maison d'audit")
    await form.locator("[name=reviewed_on]").fill(f"{now - timedelta(days=30):%Y-%m-%d}")
    await form.locator("[type=file]").set_input_files(report)
    await form.get_by_role("button", name="Hand it in").click()
    await guard.page.wait_for_url("**/console/evidence/evd_*")


PDF: Final = b"%PDF-1.4\\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\\ntrailer<</Root 1 0 R>>\\n%%EOF\\n"
"""An invented report: only its bytes matter."""


async def test_schedule_when_three_rows_are_bad_then_those_three_are_shown(
    agency: Agency, browser: Browser, tmp_path: Path
) -> None:
    """A plan with three bad rows comes back with those three, why and what to do; mended, it says what it would do, and is applied."""
    party = await agency.bind()
    begins = (await agency.now() + timedelta(days=2)).replace(minute=0, second=0, microsecond=0)
    row = (
        f"plan-{party.name},{{session}},P{{n}},ofii:{{n}},{{purpose}},{party.name},{{site}},room-1,{begins:%Y-%m-%dT%H:%M:%SZ},{{ends:%Y-%m-%dT%H:%M:%SZ}},"
        f"{party.agent},planned"
    )
    good = {"session": "S9", "purpose": "civic-training", "site": "large", "ends": begins + timedelta(hours=2)}
    bad = [
        {"session": "S1", "site": "nowhere"},
        {"session": "S2", "purpose": "gardening"},
        {"session": "S3", "ends": begins - timedelta(hours=2)},
    ]
    plan = tmp_path / "plan.csv"
    async with officer(browser, agency.installation, Role.CASE_WORKER, language=ENGLISH) as planner:
        planner.may_be_refused.add(422)
        plan.write_text(
            "\n".join([PLAN, *(row.format(n=60 + n, **{**good, **over}) for n, over in enumerate([*bad, {}, {}]))]),
            encoding="utf-8",
        )
        await send(planner, plan)
        rows = planner.page.locator("main tbody tr")
        await expect(rows).to_have_count(3)
        assert [int(await each.locator("th").inner_text()) for each in await rows.all()] == [2, 3, 4]
        assert await looked_at(planner) == []
        plan.write_text("\n".join([PLAN, *(row.format(n=60 + n, **good) for n in range(5))]), encoding="utf-8")
        await send(planner, plan)
        await expect(planner.page.locator("h1")).to_contain_text("What this file would do")
        assert await looked_at(planner) == []
        await planner.page.get_by_role("button", name="Apply it").click()
        await expect(planner.page.locator(".notice").first).to_be_visible()
    assert len(await agency.fetch("select 1 from ecluse.appointment where processor_id = $1", party.name)) == 5


PLAN: Final = "source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status"


async def send(planner: Somebody, plan: Path) -> None:
    """Send a plan to be looked at."""
    await planner.open("/console/schedule")
    await planner.page.locator("main [type=file]").set_input_files(plan)
    await planner.page.locator("form[enctype] button").click()
    await expect(planner.page.locator("h1")).not_to_have_text("Schedule")


async def test_contract_when_tried_then_what_it_would_change(agency: Agency, browser: Browser) -> None:
    """What-if: the contract in force is taken, given one attribute more, and the page says that the processor would have more; nothing is in force of it."""
    party = await agency.bind(attributes={"family_name": "full", "given_name": "initial"})
    async with officer(browser, agency.installation, Role.READER, language=ENGLISH) as reader:
        await reader.open("/console/what-if")
        await reader.page.get_by_label("Begin with the contract of").select_option(party.name)
        await reader.page.get_by_role("button", name="Show it").click()
        text = reader.page.locator("textarea[name=text]")
        await expect(text).to_have_value(re.compile("family_name"))
        await text.fill((await text.input_value()).replace('given_name = "initial"', 'given_name = "full"'))
        await reader.page.get_by_role("button", name="See what it would change").click()
        await expect(reader.page.locator("h1")).to_contain_text("What this contract would change")
        await expect(reader.page.locator("main")).to_contain_text("given_name")
        assert await looked_at(reader) == []
        assert await reader.page.get_by_role("button", name="Put it in force").count() == 0
    assert len(await agency.fetch("select 1 from ecluse.contract where processor_id = $1", party.name)) == 1


async def test_person_when_looked_up_then_by_two_officers(agency: Agency, browser: Browser) -> None:
    """One officer asks, only another one can agree; then the record of looks is shown, with no value of the register and nothing in an address."""
    desk = await furnish(agency, [33])
    async with agent(browser, agency.installation, desk.party.agent, language=ENGLISH) as trainer:
        await trainer.open(desk.path)
        await show(trainer, desk, 33)
    async with (
        officer(browser, agency.installation, Role.CASE_WORKER, name="Ana Lemoine", language=ENGLISH) as ana,
        officer(browser, agency.installation, Role.DPO, name="Bruno Vasseur", language=ENGLISH) as bruno,
    ):
        await ana.open("/console/look-up")
        await ana.page.get_by_label("Person").fill("ofii:33")
        await ana.page.get_by_label("Reason for looking").fill("a complaint about a trainer")
        await ana.page.get_by_role("button", name="Ask another officer").click()
        await ana.page.wait_for_url("**/console/look-up/*")
        assert await ana.page.get_by_role("button", name="Approve").count() == 0
        await bruno.open(ana.path)
        await bruno.page.get_by_role("button", name="Approve").click()
        await expect(bruno.page.locator(".notice").first).to_be_visible()
        await ana.page.reload()
        await ana.page.get_by_role("button", name="Show the record").click()
        await expect(ana.page.locator("main")).to_contain_text(desk.party.name)
        assert await looked_at(ana) == []
        assert f"{MARK}nom" not in await ana.html()
        assert not any("ofii" in request.url for each in (ana, bruno) for request in each.asked)


# ── verify here ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_decision_when_verified_here_then_each_lie_is_found(agency: Agency, browser: Browser) -> None:
    """The browser folds the entry from what anybody may download; it says which of the three steps fails where the page, the tree or the checkpoint lies."""
    async with at_work(agency, [34]) as desk:
        assert code_of(await desk.disclose(34)) == "ok"
    await asyncio.sleep(2)  # a checkpoint covers the entry
    async with officer(browser, agency.installation, Role.DPO, language=ENGLISH) as dpo:
        await dpo.open(f"/console/decisions?processor={desk.party.name}")
        await dpo.page.locator('main a[href^="/console/decisions/"]').first.click()
        page = dpo.page

        async def verified() -> list[str | None]:
            async with page.expect_response("**/checkpoint"):
                await page.get_by_role("button", name="Verify now").click()
            await expect(page.locator('[data-step="signed"]')).not_to_have_attribute("data-state", "wait")
            return [
                await page.locator(f'[data-step="{step}"]').get_attribute("data-state") for step in ("leaf", "tree", "signed")
            ]

        assert await verified() == ["ok", "ok", "ok"]
        assert await looked_at(dpo) == []
        value = page.locator('[data-field="processor"] [data-value]')
        await value.evaluate("field => { field.textContent = JSON.stringify('somebody-else'); }")
        assert await verified() == ["bad", "ok", "ok"]
        await page.reload()
        await page.locator("[data-verify]").evaluate(
            "place => { place.dataset.leaf = place.dataset.leaf.replace(/[0-9a-f]{4}/, '0000'); }"
        )
        assert await verified() == ["bad", "bad", "ok"]
        await page.reload()

        async def forge(route: Route) -> None:
            answer = await route.fetch()
            note, _, signatures = (await answer.text()).partition("\n\n")
            await route.fulfill(response=answer, body=f"{note}\nanother line\n\n{signatures}")

        await page.route("**/checkpoint", forge)
        assert await verified() == ["ok", "ok", "bad"]
