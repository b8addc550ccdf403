"""A tour of every page, with somebody before it who may be there: nobody yet, an officer with every role, a trainer at the desk, a person the data is about.

It goes where links lead from each room's front page, once to each route. What only an act leads to is made before (`prepare`) or at its stop; a stop whose
route bears a ``#`` is a page in a state that no address leads to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from playwright.async_api import Browser, expect

from ecluse.contracts.service import place_hold
from ecluse.evidence.questionnaire import service as questionnaires
from ecluse.identity.people import Role
from ecluse.register import parse_register
from tests.browser.furnished import Furnished
from tests.browser.people import agent, officer, officer_link
from tests.browser.somebody import Somebody, somebody
from tests.browser.walk import walk
from tests.governed import LOG, as_app, ask

SENTENCES: Final[dict[str, str]] = {}
"""What each page is for, by its route."""
LEAVES: Final = r"^/(sign-out|sign-in|problems)"
TRAINERS: Final = "lyon-formation"
FROZEN: Final = "nantes-passerelle"


async def prepare(agency: Furnished) -> list[str]:
    """Let happen what a day of the demo has not: a machine suspended, an override asked for, a questionnaire sent. Return the pages that they are on."""
    installation = agency.installation
    register = parse_register((agency.folder / "register.toml").read_text(encoding="utf-8"))
    machine = agency.processor(TRAINERS)["client_id"]
    async with as_app(installation) as app:
        hold, _ = await place_hold(
            app, log_id=LOG, scope="client", target=machine, effect="suspend", reason="ordinateur volé à Vénissieux", actor="cli:demo", register=register
        )  # fmt: skip
        finding = await app.fetchval("select id from ecluse.finding where processor_id = $1 and closed_at is null", FROZEN)
        asked = questionnaires.own_questionnaire()
        sent = await questionnaires.send(app, FROZEN, asked, language=asked.locale, actor="cli:demo")
    override = await ask(installation, FROZEN, f"finding:overdue:{finding}")
    return [f"/console/holds/{hold}", f"/console/overrides/{override}", f"/console/questionnaires/{sent.response}"]


async def tour(browser: Browser, agency: Furnished, **options: Any) -> AsyncIterator[tuple[Somebody, str]]:
    """Go everywhere. Each stop is a page that stands, and its route."""
    extra = await prepare(agency)
    for part in (
        outside(browser, agency, **options),
        console(browser, agency, extra, **options),
        desk(browser, agency, **options),
    ):
        async for stop in part:
            yield stop


async def outside(browser: Browser, agency: Furnished, **options: Any) -> AsyncIterator[tuple[Somebody, str]]:
    """Stop where nobody is signed in yet."""
    async with somebody(browser, agency.origin, **options) as person:
        async for route in walk(person, ["/sign-in", "/problems", "/my-data", "/my-data/help"], never=r"^/(console|desk)"):
            yield person, route
        _, link = await officer_link(agency.installation, "Inès Carpentier", Role.READER)
        await person.open(link)
        await expect(person.page.locator("[data-before]")).to_be_visible()
        yield person, "/enrol"


async def console(browser: Browser, agency: Furnished, extra: list[str], **options: Any) -> AsyncIterator[tuple[Somebody, str]]:
    """Stop at the console's pages."""
    starts = [
        "/console",
        *extra,
        f"/console/processors/{TRAINERS}",
        f"/console/processors/{TRAINERS}/exposure",
        "/console/exposure/figures",
    ]
    async with officer(browser, agency.installation, *Role, name="Claire Moulin", **options) as person:
        async for route in walk(person, starts, never=LEAVES):
            await settled(person)
            yield person, route
        await person.open("/sign-in/again?next=/console")
        yield person, "/sign-in/again"


async def desk(browser: Browser, agency: Furnished, **options: Any) -> AsyncIterator[tuple[Somebody, str]]:
    """Stop at the desk's pages; a session under way is begun with."""
    async with agent(browser, agency.installation, agency.processor(TRAINERS)["agents"][2], **options) as person:
        running = person.page.locator(
            '.desk-session[data-state="running"] a, .desk-session[data-state="open"] a, .desk-session[data-state="ended"] a'
        )
        yield person, "/desk"
        await person.open("/desk")
        way = await running.first.get_attribute("href")
        assert way is not None
        async for route in walk(person, [way, "/desk/help"], never=LEAVES):
            if route != "/desk":
                yield person, route
        person.may_be_refused.add(403)
        await person.open(way)
        for button in await person.page.locator("[data-show]:enabled").all():
            await button.click()
            await expect(person.page.locator("[data-person], [data-refused]")).to_be_visible()
            if await person.page.locator("[data-person]").count():
                break
            yield person, "/desk/sessions/{session}#refused"
            await person.page.keyboard.press("Escape")
        yield person, "/desk/sessions/{session}#person"
        proof = await person.page.locator(".desk-seal a").get_attribute("href")
        assert proof is not None
        await person.open(proof)
        yield person, "/desk/proof/{disclosure}"
        await person.open(f"{way}/sheet")
        if await person.page.locator("[data-sheet]:enabled").count():
            await person.page.locator("[data-sheet]").click()
            await expect(person.page.locator("[data-person]")).to_be_visible()
            yield person, "/desk/sessions/{session}/sheet#shown"


async def settled(person: Somebody) -> None:
    """Wait for the parts that a page fetches when it has loaded."""
    for place in await person.page.locator('[hx-trigger="load"]').all():
        await expect(place.locator(".htmx-indicator")).to_have_count(0)
