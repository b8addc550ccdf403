"""Who gets where, once signed in: roles, the passkey once more, ends of sign-ins, open streams; by the real gate, with browsers that enrolled as people do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest

from ecluse.identity.accounts import close_officer
from ecluse.identity.people import Role
from ecluse.web.pages.live import MOST_EACH
from tests.agency import Agency
from tests.signed import Browser, sign_in_agent, sign_in_officer
from tests.web.pages.contexts import in_process, statements

pytestmark = pytest.mark.web

PLACE = "/console/holds/new/processor/nobody"


async def age(agency: Agency, browser: Browser, column: str, minutes: int) -> None:
    """Make something about a sign-in have happened some minutes ago."""
    text = {
        "seen_at": "update ecluse.sign_in set seen_at = ecluse.clock() - make_interval(mins => $2) where id = $1",
        "stepped_up_at": "update ecluse.sign_in set started_at = ecluse.clock() - make_interval(mins => $2), ends_at = ends_at - make_interval(mins => $2), "
        "stepped_up_at = ecluse.clock() - make_interval(mins => $2) where id = $1",
    }[column]
    async with agency.administered("ledger") as connection:
        await connection.execute("set session_replication_role = replica")  # what happened stays as it happened: a trigger
        await connection.execute(text, browser.sign_in, minutes)


@asynccontextmanager
async def listening(browser: Browser) -> AsyncIterator[httpx.Response]:
    """Open a page's stream."""
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream(
            "GET", f"{browser.origin}/console/live", headers={"cookie": cookie, "sec-fetch-site": "same-origin"}
        ) as answer,
    ):
        yield answer


async def test_act_when_the_role_may_not_then_a_page_names_who_may(agency: Agency) -> None:
    """A reader looks at everything and changes nothing: refused before a byte of the form is read, with the roles that may."""
    reader = await sign_in_officer(agency, {Role.READER})
    assert (await reader.get("/console/help")).status_code == 200
    refused = await reader.post(PLACE, content=b"a" * 900_000, headers={"content-type": "application/x-www-form-urlencoded"})
    assert (refused.status_code, refused.headers["connection"]) == (403, "close")
    assert [role in refused.text for role in ("Administrator", "Data protection officer", "Security", "Case worker")] == [
        True,
        True,
        True,
        False,
    ]


async def test_act_when_the_passkey_was_used_long_ago_then_asked_again_and_back(agency: Agency) -> None:
    """A weighty act wants a passkey used within five minutes: refused as RFC 9470 says, with the way to it and back; then it goes on."""
    officer = await sign_in_officer(agency, {Role.DPO})
    await age(agency, officer, "stepped_up_at", 6)
    refused = await officer.post(PLACE, {"effect": "suspend"})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Passkey error="insufficient_user_authentication", max_age=300'
    assert "/sign-in/again?next=%2Fconsole%2Fholds%2Fnew%2Fprocessor%2Fnobody" in refused.text
    part = await officer.part(PLACE, method="POST", headers={"hx-current-url": f"{officer.origin}/console/holds"})
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/sign-in/again?next=%2Fconsole%2Fholds")
    assert (await officer.step_up()).status_code == 200
    assert (await officer.post(PLACE, {"effect": "suspend"})).status_code not in {401, 403}


async def test_rooms_when_entered_by_the_other_kind_then_closed(agency: Agency) -> None:
    """An officer's cookie opens no desk, and an agent's no console."""
    officer, agent = await sign_in_officer(agency), await sign_in_agent(agency, await agency.bind())
    assert (await officer.get("/desk/help")).headers["location"] == "/sign-in?next=%2Fdesk%2Fhelp"
    assert (await agent.get("/console/help")).headers["location"] == "/sign-in?next=%2Fconsole%2Fhelp"
    assert (await agent.get("/desk/help")).status_code == 200


async def test_pages_when_signed_out_then_the_old_cookie_opens_nothing_and_nothing_was_kept(agency: Agency) -> None:
    """After signing out neither the browser nor who copied its cookie gets anywhere, and no page may be shown from a cache."""
    officer = await sign_in_officer(agency)
    before = dict(officer.cookies)
    page = await officer.get("/console/help")
    assert page.headers["cache-control"] == "no-store"
    assert "storage" in (await officer.leave()).headers["clear-site-data"]
    officer.cookies = before
    assert (await officer.get("/console/help")).status_code == 303


async def test_sign_in_when_the_officer_is_closed_then_the_next_request_and_the_open_stream_end(agency: Agency) -> None:
    """Closing an officer ends pages at the next request, and a stream that is open within seconds, by its own event."""
    officer = await sign_in_officer(agency, {Role.READER})
    async with listening(officer) as answer:
        lines = answer.aiter_lines()
        async with asyncio.timeout(20):
            while not (await anext(lines)).startswith("event: head"):
                pass
            async with agency.connected("ecluse_app") as app:
                await close_officer(app, log_id=1, officer=officer.person, actor="cli:test")
            while (await anext(lines)) != "event: end":
                pass
    assert (await officer.get("/console/help")).status_code == 303
    assert (await officer.get("/console/live")).status_code == 303


async def test_streams_when_too_many_then_busy_and_free_again_once_a_browser_went(agency: Agency) -> None:
    """One sign-in opens so many pages that listen and no more; a browser that goes frees its place."""
    officer = await sign_in_officer(agency)
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(listening(officer)) for _ in range(MOST_EACH)]
        assert {answer.status_code for answer in opened} == {200}
        texts = [answer.aiter_text() for answer in opened]  # kept: one that is forgotten closes its answer
        assert [(await anext(text))[:6] for text in texts] == ["retry:"] * MOST_EACH
        async with listening(officer) as refused:
            assert (refused.status_code, refused.headers.get("retry-after")) == (503, "5")
    async with asyncio.timeout(20):
        while True:
            async with listening(officer) as answer:
                if answer.status_code == 200:
                    break
            await asyncio.sleep(0.1)  # the server hears of the end when the system tells it


async def test_sign_of_life_when_an_open_page_asks_by_itself_then_none(agency: Agency) -> None:
    """A part that htmx fetches, and a stream, keep nobody signed in; a page that a person opens does."""
    officer = await sign_in_officer(agency)
    await age(agency, officer, "seen_at", 10)

    async def idle() -> int:
        rows = await agency.fetch(
            "select extract(epoch from ecluse.clock() - seen_at)::integer as idle from ecluse.sign_in where id = $1",
            officer.sign_in,
        )
        return int(rows[0]["idle"])

    assert (await officer.part("/console/help")).status_code == 200
    assert await idle() >= 600
    assert (await officer.get("/console/help")).status_code == 200
    assert await idle() < 60


async def test_form_when_too_large_or_none_then_a_page_says_so(agency: Agency) -> None:
    """A body beyond what a page takes is not read to its end; what is no form is refused, and says that nothing was changed."""
    officer = await sign_in_officer(agency)
    large = await officer.post(PLACE, {"reason": "a" * 2_000_000})
    assert (large.status_code, "too large" in large.text) == (413, True)
    none = await officer.post(PLACE, json={"effect": "suspend"})
    assert none.status_code == 400
    assert "Nothing was changed" in none.text
    odd = await officer.post(PLACE, {"nobody": "asked"})
    assert odd.status_code == 400


async def test_guard_when_a_page_is_opened_then_one_query(agency: Agency) -> None:
    """Who is signed in, of which roles, and whether anything behind it was closed, is one statement."""
    officer = await sign_in_officer(agency)
    async with in_process(agency) as (_, browser):
        cookie = "; ".join(f"{name}={value}" for name, value in officer.cookies.items())
        with statements() as seen:
            answer = await browser.get("/console/help", headers={"cookie": cookie, "accept-language": "en"})
        assert (answer.status_code, len(seen)) == (200, 1)
        assert re.findall(r'<meta name="ecluse-sign-in" content="(\w+)"', answer.text) == [officer.sign_in]
        assert "Some Officer" in answer.text
