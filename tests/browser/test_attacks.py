"""Attacks that need a browser: pages of others that send or frame ours, names that are markup, a cookie or a key that is carried off."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.async_api import Browser, expect

from ecluse.identity.people import Role
from tests.agency import Agency
from tests.browser.people import agent, officer
from tests.browser.somebody import somebody
from tests.browser.test_main_path import ENGLISH, furnish, show
from tests.invented import MARK

MARKUP: Final = "<img src=x onerror=alert(1)><script>alert(2)</script>"

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="module")]


@contextmanager
def elsewhere(page: str) -> Iterator[str]:
    """Serve one page on another port of localhost: another origin of the same site, where ``SameSite`` keeps no cookie back."""
    content = page.encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


async def test_page_when_framed_elsewhere_then_empty(agency: Agency, browser: Browser) -> None:
    """A page of another origin that frames the desk of somebody who is signed in frames nothing."""
    desk = await furnish(agency, [40])
    async with agent(browser, agency.installation, desk.party.agent, language=ENGLISH) as trainer:
        with elsewhere(f'<!doctype html><title>x</title><iframe src="{trainer.origin}{desk.path}"></iframe>') as bait:
            await trainer.open(bait)
            frame = trainer.page.frames[1]
            await frame.wait_for_load_state()
            assert await frame.locator("main").count() == 0
            assert frame.url.startswith("chrome-error:")
        assert all("frame" in fault for fault in trainer.faults)
        trainer.faults.clear()


async def test_change_when_sent_from_another_port_then_refused(agency: Agency, browser: Browser) -> None:
    """Another port of localhost is the same site, so the cookie comes along: a form and a script of it change nothing all the same."""
    desk = await furnish(agency, [41])
    async with agent(browser, agency.installation, desk.party.agent, language=ENGLISH) as trainer:
        trainer.may_be_refused.add(403)
        form = f'<form method="post" action="{trainer.origin}/sign-out"><button>Win a prize</button></form>'
        before, size = len(trainer.asked), await agency.size()
        call = f"fetch('{trainer.origin}{desk.path}/show', {{method: 'POST', mode: 'no-cors', credentials: 'include', body: 'place={desk.handles[41]}'}})"
        with elsewhere(
            f"<!doctype html><title>x</title>{form}<script>window.done = {call}.then(() => 1, () => 1)</script>"
        ) as bait:
            await trainer.open(bait)
            await trainer.page.wait_for_function("window.done")
            await trainer.page.get_by_role("button", name="Win a prize").click()
            await trainer.page.wait_for_url(f"{trainer.origin}/**")
            await expect(trainer.page.locator("h1")).to_be_visible()
        sent = [request for request in trainer.asked[before:] if request.method == "POST"]
        answers = [await request.response() for request in sent]
        assert len(sent) == 2
        assert {answer.status for answer in answers if answer is not None} == {
            403
        }  # the script's own: kept from it by the browser
        trainer.faults[:] = [fault for fault in trainer.faults if "ERR_BLOCKED_BY_RESPONSE" not in fault]
        await trainer.open(desk.path)
        await expect(trainer.page.locator("[data-show]")).to_be_enabled()
    sealed = await agency.openings(since=size)
    assert [each["event"] for each in sealed if each.get("appointment")] == []


async def test_name_when_it_is_markup_then_a_text(agency: Agency, browser: Browser) -> None:
    """A person, a room, a purpose and an officer whose names are markup are shown letter by letter: no element, no dialog, no report of the policy."""
    await agency.change_register("update registre.personne set nom = $1, prenom = $1, langue = $1 where numero = 42", MARKUP)
    desk = await furnish(agency, [42, 43], attributes={"family_name": "full", "given_name": "full", "preferred_language": "full"})
    async with agent(browser, agency.installation, desk.party.agent, language=ENGLISH) as trainer:
        await trainer.open(desk.path)
        await show(trainer, desk, 42)
        await expect(trainer.page.locator("[data-person]")).to_contain_text(MARKUP)
        assert await trainer.page.locator("[data-person] :is(img, script)").count() == 0
        await trainer.page.keyboard.press("Escape")
        await trainer.open(f"{desk.path}/sheet")
        await trainer.page.locator("[data-sheet]").click()
        await expect(trainer.page.locator("[data-person]")).to_contain_text(MARKUP)
        assert await trainer.page.locator("[data-person] :is(img, script)").count() == 0
    async with officer(browser, agency.installation, Role.READER, name=MARKUP, language=ENGLISH) as reader:
        await expect(reader.page.locator(".top-end .who")).to_contain_text(MARKUP)


async def test_key_when_a_script_wants_it_then_it_stays(agency: Agency, browser: Browser) -> None:
    """What runs in the page, even a stranger's script, can use the desk's key while it runs and cannot carry it off; the cookie it does not even see."""
    desk = await furnish(agency, [44])
    async with agent(browser, agency.installation, desk.party.agent, language=ENGLISH) as trainer:
        await trainer.open(desk.path)
        found = await trainer.page.evaluate(KEY)
        assert found == ["ES256 private, extractable: false", "InvalidAccessError", "InvalidAccessError", ""]


async def test_cookie_when_stolen_then_shows_nobody(agency: Agency, browser: Browser) -> None:
    """The cookie in another browser opens pages without names; asked to show somebody, that browser has no key, and a key of its own is refused."""
    desk = await furnish(agency, [45])
    async with agent(browser, agency.installation, desk.party.agent, language=ENGLISH) as trainer:
        stolen = [each for each in await trainer.context.cookies() if each["name"] == "__Host-ecluse"]
        async with somebody(browser, trainer.origin, language=ENGLISH) as thief:
            await thief.context.add_cookies(stolen)  # type: ignore[arg-type] # as Playwright gave them
            await thief.open(desk.path)
            await thief.page.locator(f'[data-show="{desk.handles[45]}"]').click()
            await expect(thief.page.locator("#desk-part")).to_contain_text("does not have the key")
            thief.may_be_refused |= {401, 403}
            status = await thief.page.evaluate(FORGE, f"{desk.path}/show")
            assert status in {401, 403}
            assert f"{MARK}nom" not in await thief.html()
        await trainer.open(desk.path)
        await show(trainer, desk, 45)


KEY: Final = """async () => {
const database = await new Promise((yes, no) => { const asked = indexedDB.open('ecluse'); asked.onsuccess = () => yes(asked.result); asked.onerror = no; });
const name = [...database.objectStoreNames][0];
const all = await new Promise((yes) => { const asked = database.transaction(name).objectStore(name).getAll(); asked.onsuccess = () => yes(asked.result); });
const key = all[0].pair.privateKey;
const tried = (form) => crypto.subtle.exportKey(form, key).then(() => 'exported', (error) => error.name);
return [`ES256 ${key.type}, extractable: ${key.extractable}`, await tried('jwk'), await tried('pkcs8'), document.cookie]; }"""
FORGE: Final = """async (path) => {
const { make, sign } = await import(performance.getEntriesByType('resource').find((each) => each.name.includes('desk-key')).name);
const key = await make(Math.floor(Date.now() / 1000));
const signIn = document.querySelector('meta[name="ecluse-sign-in"]').content;
const proof = await sign(key, 'POST', path, signIn);
const answer = await fetch(path, { method: 'POST', headers: { dpop: proof, 'content-type': 'application/x-www-form-urlencoded' }, body: 'place=x' });
return answer.status; }"""
