"""A questionnaire in a real browser whose scripts are switched off: filled in with the keyboard alone, as a screen reader hears it, and without a Referer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from tests.agency import Agency
from tests.web.chromium import Browser, chromium, needed
from tests.web.test_questionnaire import send

pytestmark = [pytest.mark.web, needed, pytest.mark.timeout(900)]

PICTURES: Final = os.environ.get("ECLUSE_PICTURES")
"""A folder for pictures of the pages, to be looked at."""
_FOCUS: Final = """(() => { const e = document.activeElement; if (!e || e === document.body) return ['', '', false];
const group = e.name ? [...document.getElementsByName(e.name)] : [];
return [e.tagName + (e.type ? ':' + e.type : ''), e.textContent.trim() || e.name,
/radio|checkbox/.test(e.type) ? group.some(x => x.checked) : !!e.value] })()"""
_SEEN: Final = "(() => { const r = document.activeElement.getBoundingClientRect(); return r.bottom > 0 && r.top < innerHeight && r.width > 0 })()"


def picture(browser: Browser, name: str) -> None:
    """Take pictures of a page: light, dark, and on a phone."""
    if PICTURES is None:
        return
    for shape, how in (("light", {}), ("dark", {"scheme": "dark"}), ("phone", {"width": 390, "height": 844, "phone": True})):
        browser.show_as(**how)  # type: ignore[arg-type] # plain options
        browser.picture(Path(PICTURES) / f"{name}-{shape}.png")
    browser.show_as()


def work_through(browser: Browser) -> str:
    """Fill in a page with the keyboard alone: the first answer of each question, a text where one is asked, then its main button; return where it led."""
    before = browser.look("location.pathname + location.search")
    for _ in range(150):
        browser.press("Tab")
        kind, text, done = browser.look(_FOCUS)
        assert browser.look(_SEEN), f"the focus is out of sight on {before}: {kind} {text}"
        if kind in {"INPUT:radio", "INPUT:checkbox"} and not done:
            browser.press("Space")
        elif kind in {"INPUT:text", "INPUT:email"} and not done:
            browser.write({"email": "ana@lyon-formation.example"}.get(text, "Ana Lemoine"))
        elif kind == "TEXTAREA:textarea" and text.startswith("a") and not done:
            browser.write("Un poste volé, chiffré ; accès retirés le jour même.")
        elif kind == "BUTTON:submit":
            browser.press("Enter", loads=True)
            after: str = browser.look("location.pathname + location.search")
            return after
    raise AssertionError(f"no button was reached on {before}")


async def test_questionnaire_when_filled_with_the_keyboard_and_no_script_then_handed_in(agency: Agency) -> None:
    """From the link to the copy to keep: Tab, Space and Enter suffice, the focus is always in sight, and no page needs a script."""
    sent = await send(agency)
    with chromium() as browser:
        browser.show_as()
        browser.open(f"{agency.gates[0].url}/questionnaire/{sent.secret}")
        picture(browser, "begin")
        while browser.look(_FOCUS)[1] != "Commencer":
            browser.press("Tab")
        browser.press("Enter", loads=True)
        assert set(browser.sent("Referer")) <= {""}
        ways = []
        for _ in range(20):
            if browser.look("!!document.querySelector('.facts-list')"):
                break
            where = browser.look("location.pathname")
            if where not in ways:
                picture(browser, where.rpartition("/")[2])
            assert [role for role, name in browser.named() if not name and role not in {"group", "form"}] == []
            asked = browser.look("[...document.querySelectorAll('fieldset')].length")
            groups = [name for role, name in browser.named() if role == "group" and name]
            assert len(groups) >= asked
            ways.append(where)
            work_through(browser)
        picture(browser, "done")
        assert browser.look("document.title.replace(/\\s+/g, ' ').trim()") == "C’est remis. Merci. · Écluse"
        assert browser.look("document.querySelector('code').textContent") == sent.response
        browser.open(f"{agency.gates[0].url}/questionnaire/{sent.secret}")
        picture(browser, "gone")
        assert browser.look("document.querySelector('h1').textContent") == "Ce lien n’est pas valable, ou ne l’est plus"
    parts = [f"/questionnaire/part/{number}" for number in (1, 1, 2, 2, 3, 4, 5, 5, 6)]
    assert ways == [*parts, "/questionnaire/review"]
    rows = await agency.fetch(
        "select contact_email, handed_in_at is not null as done from ecluse.questionnaire_response where id = $1", sent.response
    )
    assert [tuple(row) for row in rows] == [("ana@lyon-formation.example", True)]


async def test_page_when_something_is_wrong_then_said_above_and_beside(agency: Agency) -> None:
    """Handing in too early says what is missing, at the top and where it is to be mended, and keeps what was typed."""
    sent = await send(agency)
    with chromium() as browser:
        browser.show_as()
        browser.open(f"{agency.gates[0].url}/questionnaire/{sent.secret}")
        browser.open(f"{agency.gates[0].url}/questionnaire/review")
        work_through(browser)
        picture(browser, "faults")
        said = browser.look("document.querySelector('[role=alert]').textContent")
        assert "Répondez à toutes les questions avant de remettre" in said
        assert browser.look("document.title").strip().startswith("Erreur")
        assert browser.look("document.getElementById('name').value") == "Ana Lemoine"
