"""What a page owes everybody, measured in the page: axe-core's rules, nothing cut off at any width, and little to download."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from playwright.async_api import Page

from tests.browser.somebody import Somebody

AXE: Final = (Path(__file__).resolve().parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
NARROW: Final = {"width": 320, "height": 640}
"""A phone of the smallest kind, or 1,280 pixels at a zoom of 400 % (WCAG 1.4.10)."""
ZOOMED: Final = {"width": 640, "height": 450}
"""1,280 by 900 at a zoom of 200 % (WCAG 1.4.4)."""
WIDE: Final = {"width": 1280, "height": 900}
MOST_BYTES: Final = 150_000
"""What a page may make somebody download who has nothing of ours yet."""
_RUN: Final = """() => axe.run({exclude: [['.watermark'], ['.desk-watermark']]}, {resultTypes: ['violations']})
.then(found => found.violations.flatMap(v => v.nodes.map(n =>
`${v.id} (${v.impact}) at ${n.target.join(' ')}: ${(n.any.concat(n.all, n.none)[0] || {message: v.help}).message}`)))"""
_CUT: Final = """() => {
const found = [], root = document.documentElement, seen = new Set();
const say = (e, why) => { const text = `${e.tagName.toLowerCase()}${e.className && e.className.baseVal === undefined ? '.' + e.className : ''}`
  + ` "${(e.textContent || '').trim().replace(/\\s+/g, ' ').slice(0, 40)}" ${why}`; if (!seen.has(text)) { seen.add(text); found.push(text); } };
const ways = e => getComputedStyle(e).overflowX;
const scrolls = e => { for (; e && e !== document.body && e !== root; e = e.parentElement) if (/auto|scroll/.test(ways(e))) return true; return false; };
if (document.scrollingElement.scrollWidth > root.clientWidth) {
  for (const e of document.body.querySelectorAll('*'))
    if (e.getBoundingClientRect().right > root.clientWidth + 1 && e.checkVisibility() && !scrolls(e.parentElement)) say(e, 'makes the page scroll sideways');
  if (!found.length) found.push('the page scrolls sideways'); }
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = texts.nextNode(); node; node = texts.nextNode()) {
  const e = node.parentElement;
  if (!node.data.trim() || !e.checkVisibility({visibilityProperty: true})) continue;
  if (e.closest('.visually-hidden, .skip, .watermark, .desk-watermark, script, style, option, svg title')) continue;
  const range = document.createRange(); range.selectNodeContents(node);
  for (const box of range.getClientRects()) {
    if (box.width < 1) continue;
    if ((box.right > root.clientWidth + 1 || box.left < -1) && !scrolls(e)) say(e, 'runs out of the page');
    for (let a = e; a && a !== document.body; a = a.parentElement) {
      if (/auto|scroll/.test(ways(a))) break;
      const frame = a.getBoundingClientRect();
      if (/hidden|clip/.test(ways(a)) && frame.width > 2 && (box.right > frame.right + 1 || box.left < frame.left - 1)) { say(e, 'is cut off'); break; } } } }
return found; }"""


async def axe(page: Page) -> list[str]:
    """Return what axe-core finds against a page, by all of its rules. A watermark is pale by intent, and no screen reader says it."""
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(AXE + ";0")
    found: list[str] = await page.evaluate(_RUN)
    return found


async def cut(page: Page) -> list[str]:
    """Return what is cut off or makes the page scroll sideways at its present width."""
    found: list[str] = await page.evaluate(_CUT)
    return found


async def looked_at(person: Somebody) -> list[str]:
    """Look at the page as it stands, in light and dark, wide, zoomed and narrow; return all that is wrong with it."""
    page, found = person.page, []
    for theme in ("dark", "light"):
        await page.emulate_media(color_scheme=theme)
        found += [f"{theme}: {fault}" for fault in await axe(page)]
    for name, size in (("200 %", ZOOMED), ("320 px", NARROW)):
        await page.set_viewport_size(size)
        found += [f"{name}: {fault}" for fault in await cut(page)]
    await page.set_viewport_size(WIDE)
    found += [f"wide: {fault}" for fault in await cut(page)]
    return [f"{person.path}: {fault}" for fault in found]


class Weight:
    """Sums what a page makes a browser download that has nothing in its cache: from its own request on."""

    def __init__(self, person: Somebody) -> None:
        """Watch somebody's page."""
        self._person, self.bytes = person, 0
        person.cdp.on("Network.requestWillBeSent", self._asked)
        person.cdp.on("Network.loadingFinished", self._finished)

    def _asked(self, event: dict[str, Any]) -> None:
        if event.get("type") == "Document":
            self.bytes = 0

    def _finished(self, event: dict[str, Any]) -> None:
        self.bytes += int(event["encodedDataLength"])

    async def start(self) -> None:
        """Switch the cache off, and begin to count."""
        await self._person.cdp.send("Network.enable")
        await self._person.cdp.send("Network.setCacheDisabled", {"cacheDisabled": True})


async def in_english(person: Somebody) -> list[str]:
    """Look at the same page in English, where its address alone leads to it; the next page is French again."""
    path = person.path.partition("#")[0]
    await person.open(f"{path}{'&' if '?' in path else '?'}lang=en")
    found = await looked_at(person)
    if await person.page.evaluate("document.documentElement.lang") != "en":
        found.append("the page does not say that it is English")
    await person.context.add_cookies([{"name": "ecluse-lang", "value": "fr", "url": person.origin}])
    return [f"in English: {fault}" for fault in found]
