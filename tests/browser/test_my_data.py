"""A person's own page in a real browser: the link's secret leaves the address, the device checks a proof by itself, and finds one that was tampered with."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, Route, expect

from tests.agency import Agency
from tests.browser.look import looked_at
from tests.browser.somebody import somebody
from tests.e2e.desk import at_work, code_of
from tests.usage.portal import portal_of
from tests.web.my_data.test_my_data import link_of

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="module")]

COOKIE: Final = "__Host-ecluse-my-data"
PICTURES: Final = os.environ.get("ECLUSE_PICTURES", "")
"""A folder that pictures of the page are left in; empty: none."""


async def test_own_page_when_followed_checked_and_closed_then_as_it_says(agency: Agency, browser: Browser) -> None:
    """From the portal's link to a closed page: no secret stays in the address, a good proof holds, a changed one does not, and Back shows nothing."""
    origin = agency.installation.settings.pages
    everything = {"family_name": "full", "given_name": "initial", "birth_date": "year", "phone": "masked", "email": "withheld"}
    async with at_work(agency, [40], attributes=everything) as desk, portal_of(agency) as portal:
        assert code_of(await desk.disclose(40, list(everything))) == "ok"
        await asyncio.sleep(2)  # a checkpoint covers the line
        link = f"{origin}/my-data#{await link_of(portal, 40)}"
        async with somebody(browser, origin) as person:
            await person.page.goto(link)
            await expect(person.page.get_by_role("heading", level=1)).to_have_text("Qui a vu mes données\u00a0?")
            await person.page.wait_for_url(f"{origin}/my-data")
            assert "#" not in person.page.url
            (cookie,) = [each for each in await person.context.cookies() if each["name"] == COOKIE]
            assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
            assert "Année de naissance seulement" in await person.text()
            assert await looked_at(person) == []
            if PICTURES:
                await person.page.screenshot(path=Path(PICTURES) / "my-data.png", full_page=True)
            check = person.page.get_by_role("button", name="Vérifier ici")
            await check.click()
            told = person.page.locator(".my-check")
            await expect(told).to_contain_text("La preuve est bonne.")
            await expect(told).to_contain_text("La signature du journal est vraie.")

            async def change(route: Route) -> None:
                answer = await route.fetch()
                first, _, rest = (await answer.text()).partition("\nindex ")
                number, _, rest = rest.partition("\n")
                await route.fulfill(response=answer, body=f"{first}\nindex {int(number) ^ 1}\n{rest}")

            await person.page.route("**/my-data/proof/*", change)
            await check.click()
            await expect(told).to_contain_text("La preuve n’est pas bonne.")
            await person.page.get_by_role("button", name="Fermer cette page").click()
            await expect(person.page.get_by_role("heading", level=1)).to_have_text("La page est fermée")
            await person.page.go_back()
            assert desk.party.name.title() not in await person.text()
            person.may_be_refused.add(410)
            await person.page.goto("about:blank")
            await person.page.goto(link)
            await expect(person.page.get_by_role("heading", level=1)).to_have_text("Ce lien ne marche plus")
            assert await looked_at(person) == []
