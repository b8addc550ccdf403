"""A tour of every page, with somebody before it who may be there: nobody yet, an officer with every role, a trainer at the desk, a person the data is about.

It goes where links lead from each room's front page, once to each route; pages that only an act leads to are made by the stop that needs them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from playwright.async_api import Browser, expect

from ecluse.identity.people import Role
from tests.browser.furnished import Furnished
from tests.browser.people import agent, officer, officer_link
from tests.browser.somebody import Somebody, somebody
from tests.browser.walk import walk

SENTENCES: Final[dict[str, str]] = {}
"""What each page is for, by its route."""
LEAVES: Final = r"^/sign-out"
TRAINERS: Final = "lyon-formation"


async def tour(browser: Browser, agency: Furnished, **options: str) -> AsyncIterator[tuple[Somebody, str]]:
    """Go everywhere. Each stop is a page that stands, and its route."""
    async for stop in outside(browser, agency, **options):
        yield stop
    async with officer(browser, agency.installation, *Role, **options) as person:
        async for route in walk(person, ["/console"], never=LEAVES):
            yield person, route
    async with agent(browser, agency.installation, agency.processor(TRAINERS)["agents"][0], **options) as person:
        async for route in walk(person, ["/desk"], never=LEAVES):
            yield person, route


async def outside(browser: Browser, agency: Furnished, **options: str) -> AsyncIterator[tuple[Somebody, str]]:
    """Stop where nobody is signed in yet."""
    async with somebody(browser, agency.origin, **options) as person:
        async for route in walk(person, ["/sign-in", "/my-data", "/problems"], never=r"^/(console|desk)"):
            yield person, route
        _, link = await officer_link(agency.installation, "Inès Carpentier", Role.READER)
        await person.open(link)
        await expect(person.page.locator("[data-before]")).to_be_visible()
        yield person, "/enrol"
