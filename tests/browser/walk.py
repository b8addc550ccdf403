"""Every page there is, by the application's own list of routes: which one an address belongs to, and which are left to see."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncIterator, Iterable
from functools import cache
from typing import Any, Final, cast
from urllib.parse import urlsplit

from ecluse.web.app import build_framework
from tests.browser.somebody import Somebody

NO_PAGES: Final = {
    r"/schema(/.*)?": "the published document, for machines",
    r"/questionnaire.*": "the processor's, without scripts: tests/web/test_questionnaire_browser.py goes through it",
    r"/assets/.*|/favicon\.ico": "what pages are made of: styles, scripts, pictures",
    r"/(console|desk)/live": "a stream of events",
    r"/console/counters|/desk/sessions/\{session\}/standing": "a part of a page that stands already",
    r"/my-data/proof/.*|/console/decisions/.*/proof": "a proof, saved and never shown",
    r"/my-data/record\.(csv|json)": "a person's own record, saved and never shown",
    r"/console/evidence/\{id\}/file": "a processor's own file, saved and never shown",
}
"""GET routes outside the published document, and the published ones that are no pages are told by it; each pattern with its reason."""
PUBLISHED_PAGES: Final = {"/problems", "/problems/{code}"}
"""Pages that stand in the published document."""


@cache
def pages() -> frozenset[str]:
    """Return the pattern of every page."""
    framework = build_framework(cast("Any", None), {})
    found = {
        (route.path_format, handler.resolve_include_in_schema())
        for route in framework.routes
        for handler in getattr(route, "route_handlers", ())
        if "GET" in handler.http_methods
    }
    return frozenset(
        path
        for path, published in found
        if path in PUBLISHED_PAGES or (not published and not any(re.fullmatch(each, path) for each in NO_PAGES))
    )


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Return each page's pattern as an expression, those of constant words first: ``/a/new`` before ``/a/{id}``."""
    parts = sorted(pages(), key=lambda path: (path.count("{"), path))
    return [(re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path))), path) for path in parts]


def route_of(path: str) -> str | None:
    """Return the pattern of the page that an address leads to; None where it is no page."""
    path = urlsplit(path).path.rstrip("/") or "/"
    return next((name for pattern, name in _patterns() if pattern.fullmatch(path)), None)


async def walk(person: Somebody, starts: Iterable[str], *, never: str = r"(?!)") -> AsyncIterator[str]:
    """Go to one page of every route that links lead to, and yield its route once it stands. ``never``: addresses that are not followed."""
    waiting, met = deque(starts), set[str]()
    while waiting:
        path = waiting.popleft()
        route = route_of(path)
        if route is None or route in met or re.search(never, path):
            continue
        await person.open(path)
        arrived = route_of(person.path)  # some addresses lead on to another page
        met.add(route)
        if arrived is None or (arrived != route and arrived in met):
            continue
        met.add(arrived)
        yield arrived
        links = await person.page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")
        waiting.extend(link.removeprefix(person.origin) for link in links if link.startswith(person.origin + "/"))
