"""Letting people in, as the agency does: an account, a one-time link, a passkey in their browser. From there on they sign in by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from playwright.async_api import Browser, expect

from ecluse.identity.accounts import add_officer, invite, link_of
from ecluse.identity.people import Role
from ecluse.settings import Installation
from tests.browser.somebody import Somebody, somebody
from tests.governed import LOG, as_app

ACTOR: Final = "cli:test"


async def link_for(installation: Installation, holder: str) -> str:
    """Make the one-time link of an officer or an agent."""
    async with as_app(installation) as app:
        made = await invite(app, log_id=LOG, holder=holder, actor=ACTOR)
    return link_of(installation.settings.pages, made.secret)


async def officer_link(installation: Installation, name: str, *roles: Role) -> tuple[str, str]:
    """Open an officer's account; return its id and the one-time link."""
    async with as_app(installation) as app:
        officer, _ = await add_officer(app, log_id=LOG, name=name, roles=roles, actor=ACTOR)
    return officer, await link_for(installation, officer)


async def enrol(person: Somebody, link: str) -> None:
    """Open a one-time link and make the passkey; ends on the page that says so."""
    await person.open(link)
    await person.page.locator("[data-do]").click()
    await expect(person.page.locator("[data-done]")).to_be_visible()


async def sign_in(person: Somebody, start: str, *, arrives: str) -> None:
    """Open a page that needs a sign-in, use the passkey, and arrive."""
    await person.open(start)
    await person.page.locator("[data-do]").click()
    await person.page.wait_for_url(lambda url: url.removeprefix(person.origin).startswith(arrives))
    await expect(person.page.locator("main h1")).to_be_visible()


@asynccontextmanager
async def officer(
    browser: Browser, installation: Installation, *roles: Role, name: str = "Ana Lemoine", **options: Any
) -> AsyncIterator[Somebody]:
    """An officer of these roles who is signed in."""
    _, link = await officer_link(installation, name, *roles)
    async with somebody(browser, installation.settings.pages, **options) as person:
        await enrol(person, link)
        await sign_in(person, "/console", arrives="/console")
        yield person


@asynccontextmanager
async def agent(browser: Browser, installation: Installation, holder: str, **options: Any) -> AsyncIterator[Somebody]:
    """An agent of a processor who is signed in at the desk."""
    link = await link_for(installation, holder)
    async with somebody(browser, installation.settings.pages, **options) as person:
        await enrol(person, link)
        await sign_in(person, "/desk", arrives="/desk")
        yield person
