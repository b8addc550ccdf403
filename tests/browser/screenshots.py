"""Pictures of every page, of a furnished agency of invented people: ``python -m tests.browser.screenshots [FOLDER]`` (docs/screenshots).

Each page wide, light and in French, and on a phone, dark; some in English and as they are printed. ``README.md`` in the folder says what each one shows.
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.async_api import Page

from tests.browser.furnished import Furnished, furnished
from tests.browser.somebody import Somebody, chromium
from tests.browser.tour import SENTENCES, tour

FOLDER: Final = Path(__file__).resolve().parent.parent.parent / "docs" / "screenshots"
WIDE: Final = {"width": 1280, "height": 800}
PHONE: Final = {"width": 390, "height": 844}
TALLEST: Final = 1_300
"""Pixels of a page that a picture shows at most: the rest is more of the same."""
LOWEST: Final = 800
AS_WIDE: Final = {
    "/problems", "/problems/{code}", "/console/help", "/desk/help", "/my-data/help", "/console/exposure/figures", "/desk/sessions/{session}/sheet",
    "/console/processors/{id}/contracts/{version}", "/console/schedule/imports/{request_id}", "/console/look-up/{lookup}#approved",
}  # fmt: skip
"""Pages that a phone shows as anybody would guess: no second picture."""
DIALOGS: Final = {"/desk/sessions/{session}#person", "/desk/sessions/{session}#refused"}
"""What stands before a page is as tall as the screen."""
COLOURS: Final = 32


@dataclass(kw_only=True)
class Album:
    """A folder of pictures. ``shown``: route to the names of its pictures, by kind."""

    folder: Path
    shown: dict[str, dict[str, str]] = field(default_factory=dict)

    async def take(self, page: Page, route: str, kind: str) -> None:
        """Take a picture of a page as it stands."""
        if route not in DIALOGS:  # as tall as the page: what sticks to an edge is where it belongs
            width = await page.evaluate("document.documentElement.clientWidth")
            await page.set_viewport_size({"width": width, "height": LOWEST})
            tall = await page.evaluate("document.documentElement.scrollHeight")
            await page.set_viewport_size({"width": width, "height": min(max(tall, LOWEST), TALLEST)})
        taken = await page.screenshot(type="png", animations="disabled", caret="hide")
        name = f"{name_of(route)}-{kind}.png"
        with Image.open(io.BytesIO(taken)) as picture:
            few = picture.convert("RGB").quantize(COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE)
            few.save(self.folder / name, optimize=True)
        self.shown.setdefault(route, {})[kind] = name

    async def both(self, person: Somebody, route: str) -> None:
        """Take a page wide and light, and on a phone, dark."""
        page = person.page
        await page.set_viewport_size(WIDE)
        await page.emulate_media(color_scheme="light")
        await self.take(page, route, "wide")
        if route in AS_WIDE:
            return
        await page.set_viewport_size(PHONE)
        await page.emulate_media(color_scheme="dark")
        await self.take(page, route, "phone")
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size(WIDE)

    async def more(self, person: Somebody, route: str) -> None:
        """Take a page as it is printed, or in English, where that is of interest."""
        if route in PRINTED:
            await person.page.emulate_media(media="print")
            await self.take(person.page, route, "print")
            await person.page.emulate_media(media="screen")
        if route in ENGLISH:
            await person.page.get_by_role("link", name="English").first.click()
            await person.page.set_viewport_size(WIDE)
            await self.take(person.page, route, "english")
            await person.context.add_cookies([{"name": "ecluse-lang", "value": "fr", "url": person.origin}])

    def index(self) -> str:
        """Write the folder's page."""
        rows = []
        for route, kinds in sorted(self.shown.items()):
            pictures = " · ".join(f"[{WORDS[kind]}]({name})" for kind, name in kinds.items())
            rows.append(f"| `{route}` | {SENTENCES[route]} | {pictures} |")
        return INDEX.format(rows="\n".join(rows))


PRINTED: Final = {"/console/processors/{id}", "/console/ledger", "/desk/sessions/{session}/sheet#shown", "/my-data#record"}
ENGLISH: Final = {"/console", "/console/decisions/{log}/{index}", "/desk", "/sign-in", "/my-data"}
WORDS: Final = {"wide": "wide", "phone": "phone, dark", "english": "English", "print": "printed"}
INDEX: Final = """# What the pages look like

Taken of the demo (`make demo`), a synthetic agency: nobody in these pictures exists. Wide ones are light and in French, those of a phone dark; `python -m
tests.browser.screenshots` takes them again.

| page | what it is for | pictures |
|---|---|---|
{rows}
"""


def name_of(route: str) -> str:
    """Name a route's pictures: ``/console/processors/{{processor}}`` is ``console-processors-processor``."""
    return re.sub(r"[^a-z0-9]+", "-", route.lower()).strip("-") or "front"


def cleared(folder: Path) -> Album:
    """Make the folder, without the pictures of the last time."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    return Album(folder=folder)


async def take_all(album: Album, agency: Furnished) -> None:
    """Tour the agency, and take pictures of it."""
    async with chromium() as browser:
        async for person, route in tour(browser, agency):
            await album.both(person, route)
            await album.more(person, route)


def main(folder: Path) -> None:
    """Make an agency, and the folder anew."""
    album = cleared(folder)
    with tempfile.TemporaryDirectory(prefix="ecluse-pictures-") as place:
        Path(place).chmod(0o711)  # the embedded database's account has to pass
        with furnished(Path(place) / "demo", people=2_000) as agency:
            asyncio.run(take_all(album, agency))
    (folder / "README.md").write_text(album.index(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
