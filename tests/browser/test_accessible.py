"""What pages owe everybody: axe-core's rules in light and dark, nothing lost at 320 pixels or 200 %, in two languages, and little to download."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser

from tests.browser.furnished import Furnished, furnished
from tests.browser.look import MOST_BYTES, NARROW, Weight, axe, cut, in_english, looked_at
from tests.browser.somebody import somebody
from tests.browser.tour import SENTENCES, tour
from tests.browser.walk import pages

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

BAD: Final = """<!doctype html><html lang="fr"><head><title>x</title><style>.w { width: 900px } .c { inline-size: 4em; overflow: hidden; white-space: nowrap }
.b { overflow-x: auto }</style></head><body><main><h1>Un</h1><p class="c">Une phrase bien trop longue</p><img src="data:,"><p style="color: #bbb">pâle</p>
<div class="b"><p class="w">large, dans sa boîte</p></div>%s</main></body></html>"""


@pytest.fixture(scope="module")
def demo() -> Iterator[Furnished]:
    """The demo, with a day's work behind it."""
    with tempfile.TemporaryDirectory(prefix="ecluse-tour-") as name:
        Path(name).chmod(0o711)  # the embedded database's account has to pass
        with furnished(Path(name) / "demo") as built:
            yield built


async def test_pages_when_looked_at_then_nothing_is_lost_on_anybody(demo: Furnished, browser: Browser) -> None:
    """Axe-core finds nothing on any page, nothing is cut off, in French and in English, and no page weighs 150 kB. What the tour does not reach fails."""
    found, met, weights = [], set[str](), dict[int, Weight]()
    async for person, route in tour(browser, demo):
        met.add(route)
        if id(person) in weights:
            taken = weights[id(person)].bytes
            found += [f"{route}: {taken:,} bytes"] if taken > MOST_BYTES else []
        else:
            weights[id(person)] = Weight(person)
            await weights[id(person)].start()
        found += await looked_at(person)
        found += await in_english(person) if "#" not in route else []
    assert not found, "\n".join(found)
    assert pages() - met == set()
    assert met <= set(SENTENCES)  # and each has its line in docs/screenshots


async def test_look_when_a_page_is_bad_then_found(browser: Browser) -> None:
    """The test's own eyes: a picture without words, pale text, text cut off and a page that scrolls sideways are all found, a box that scrolls is not."""
    async with somebody(browser, "http://localhost") as person:
        await person.page.set_content(BAD % "")
        assert {fault.split()[0] for fault in await axe(person.page)} >= {"image-alt", "color-contrast"}
        await person.page.set_viewport_size(NARROW)
        assert [fault.rpartition('"')[2] for fault in await cut(person.page)] == [" is cut off"]
        await person.page.set_content(BAD % '<p class="w">large</p>')
        assert "p.w" in "".join(await cut(person.page))


async def test_watch_when_a_page_misbehaves_then_kept(browser: Browser) -> None:
    """A dialog, a script's exception and an error in the console are kept, and end a test."""
    async with somebody(browser, "http://localhost") as person:
        await person.page.set_content(
            "<script>alert(1); console.error('x'); setTimeout(() => { document.title = 'z'; throw new Error('y') })</script>"
        )
        await person.page.wait_for_function("document.title === 'z'")
        found, person.faults = list(person.faults), []
    assert sorted(fault.partition(":")[0] for fault in found) == ["console", "dialog", "script"]
