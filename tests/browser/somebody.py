"""Somebody at a browser of their own: a context with one page, a passkey's authenticator, and a watch that keeps all that went wrong on the way.

``async with somebody(browser, origin) as person`` ends with `Somebody.faults` compared with nothing: a dialog, an error in the console, a violation of the
page's own content policy, a script's exception, a failed answer (5xx) or a refusal (4xx) that the test did not name in `Somebody.may_be_refused`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    CDPSession,
    ConsoleMessage,
    Dialog,
    Page,
    Request,
    Response,
    async_playwright,
    expect,
)

from tests.web.chromium import FOUND, IN_CI

FLAGS: Final = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-proxy-server", "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip
PATIENCE_MS: Final = 15_000
"""How long a page may take on a loaded machine before a test gives up: no test says that anything is quick by this."""

_WATCH: Final = """addEventListener('securitypolicyviolation', event =>
console.error('CSP: ' + event.effectiveDirective + ' ' + event.blockedURI + ' ' + event.sourceFile + ':' + event.lineNumber))"""
_AUTHENTICATOR: Final = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True,
    "automaticPresenceSimulation": True,
}  # fmt: skip


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start the machine's Chromium, without a window; skip by name where there is none, fail where there has to be one."""
    if FOUND is None and not IN_CI:
        pytest.skip("there is no chromium on this machine: the pages are not tried in a browser")
    assert FOUND is not None, "ECLUSE_CI is set, and there is no chromium: .ci/run installs one"
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as driver:
        sandbox = os.geteuid() != 0  # root's browser has none
        started = await driver.chromium.launch(
            executable_path=FOUND,
            args=list(FLAGS),
            chromium_sandbox=sandbox,
            timeout=120_000,
        )
        try:
            yield started
        finally:
            await started.close()


@dataclass(kw_only=True)
class Somebody:
    """One person's browser. ``origin``: where the pages are; ``may_be_refused``: the 4xx that this test asks for, all others are faults."""

    origin: str
    context: BrowserContext
    page: Page
    cdp: CDPSession
    authenticator: str
    faults: list[str] = field(default_factory=list)
    may_be_refused: set[int] = field(default_factory=set)
    asked: list[Request] = field(default_factory=list)

    async def open(self, path: str) -> Response:
        """Go to a page by its path, or its whole address."""
        answer = await self.page.goto(path if "://" in path else self.origin + path)
        assert answer is not None
        return answer

    async def uses_passkey(self, *, willing: bool) -> None:
        """Say whether this person touches the reader when the browser asks."""
        said = {"authenticatorId": self.authenticator, "isUserVerified": willing}
        await self.cdp.send("WebAuthn.setUserVerified", said)

    async def text(self) -> str:
        """Return what the page shows, blanks made one."""
        return " ".join((await self.page.locator("body").inner_text()).split())

    async def html(self) -> str:
        """Return the whole document as it is now."""
        return await self.page.content()

    @property
    def path(self) -> str:
        """The path of the page, with its query."""
        return self.page.url.removeprefix(self.origin)

    async def focused(self) -> dict[str, Any]:
        """Say what has the focus: tag, type, name, text, whether it is in sight and its focus drawn."""
        found: dict[str, Any] = await self.page.evaluate(_FOCUSED)
        return found

    def watch(self, page: Page) -> None:
        """Keep what goes wrong on a page."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("dialog", self._dialog)
        page.on("response", self._response)
        page.on("request", lambda request: self.asked.append(request))  # noqa: PLW0108 - the driver marks what it calls
        page.on("crash", lambda _: self.faults.append("the page crashed"))

    def _console(self, message: ConsoleMessage) -> None:
        """Errors are faults; that a resource was refused is told by its answer."""
        if message.type == "error" and not message.text.startswith("Failed to load resource: the server responded"):
            self.faults.append(f"console: {message.text}")

    async def _dialog(self, dialog: Dialog) -> None:
        """No page of ours opens one; leaving an unsaved form is the browser's own."""
        if dialog.type != "beforeunload":
            self.faults.append(f"dialog: {dialog.message}")
        await dialog.accept()

    def _response(self, answer: Response) -> None:
        """A refusal that nobody asked for is a fault."""
        if answer.status >= 500 or (answer.status >= 400 and answer.status not in self.may_be_refused):
            self.faults.append(f"{answer.status}: {answer.request.method} {answer.url}")


@asynccontextmanager
async def somebody(browser: Browser, origin: str, *, language: str = "fr", **options: Any) -> AsyncIterator[Somebody]:
    """Open a fresh context. ``options``: Playwright's, for its screen, theme and zone."""
    given = {
        "locale": language,
        "timezone_id": "Europe/Paris",
        "viewport": {"width": 1280, "height": 900},
        "reduced_motion": "reduce",
    }
    given |= options
    context = await browser.new_context(**given)
    try:
        context.set_default_timeout(PATIENCE_MS)
        await context.add_init_script(_WATCH)
        page = await context.new_page()
        cdp = await context.new_cdp_session(page)
        await cdp.send("WebAuthn.enable")
        made = await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": _AUTHENTICATOR})
        person = Somebody(origin=origin, context=context, page=page, cdp=cdp, authenticator=made["authenticatorId"])
        person.watch(page)
        yield person
        assert person.faults == [], "\n".join(person.faults)
    finally:
        await context.close()


_FOCUSED: Final = """() => { const e = document.activeElement; if (!e || e === document.body) return {tag: ''};
const box = e.getBoundingClientRect(), style = getComputedStyle(e);
// a card or a label may bear the outline of the link or the radio button inside or beside it
const edge = [e, e.nextElementSibling, e.parentElement, e.closest('li, article, section')].filter(Boolean).map(x => getComputedStyle(x))
  .some(s => parseFloat(s.outlineWidth) > 0 && s.outlineStyle !== 'none');
return {tag: e.tagName.toLowerCase(), type: e.type || '', id: e.id, name: e.name || '', href: e.getAttribute('href') || '',
text: (e.innerText || e.getAttribute('aria-label') || e.value || '').trim().replace(/\\s+/g, ' '),
seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
drawn: edge || style.boxShadow !== 'none'} }"""
