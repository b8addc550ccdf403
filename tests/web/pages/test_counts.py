"""Every page there is, by the application's own list: it asks the database as often for much as for little.

The world is furnished twice, with one of everything and with twelve; each route is asked for in both, with what it shows being one or twelve. A route that no
address of the test leads to fails it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from ecluse.disclosure.emergency import Asked, Bounds, open_emergency
from ecluse.flows import board
from ecluse.flows.service import fold_all
from ecluse.identity.people import Role
from ecluse.register import parse_register
from ecluse.register.store import Register
from ecluse.web.console import pictures
from ecluse.web.gateway import open_register_pool
from ecluse.web.keyfiles import read_fingerprint_keys
from ecluse.web.pages.shield import is_page
from tests import governed
from tests.agency import Agency, founded
from tests.e2e.desk import at_work as machine_at_work
from tests.e2e.desk import code_of
from tests.invented import register_toml
from tests.signed import Browser, sign_in_officer
from tests.stated import unlisted
from tests.usage.portal import portal_of
from tests.web.console.test_contractors import furnished, seen_paths
from tests.web.console.test_work import WHY, file_of, rows_of
from tests.web.desk.working import at_work as desk_at_work
from tests.web.my_data.test_my_data import proven, visitor_of
from tests.web.pages.contexts import in_process, statements
from tests.web.pages.test_routes import ROUTES

pytestmark = [pytest.mark.db, pytest.mark.web]

UNCOUNTED: Final = {
    "/assets/{name:str}": "a file",
    "/favicon.ico": "a file",
    "/console/live": "a stream",
    "/desk/live": "a stream",
}
"""Routes that no statement belongs to, each with its reason."""
MOST: Final = 22
"""Statements of one page at most."""
KEPT: Final = {"/console/exposure/figures", "/console/processors/{id:str}/exposure"}
"""Pages of figures that are computed once a minute, whoever looks (`ecluse.web.console.pictures`): a computation asks more, and no more for much."""


@pytest.fixture(scope="module")
def agency(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency for the module."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data") as built:
        yield built


def route_of(path: str) -> str:
    """Return the route that an address leads to, the one of most constant words."""
    bare = path.partition("?")[0]
    fitting = [
        route
        for method, route in ROUTES
        if method == "GET" and is_page(route) and re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", route), bare)
    ]
    return min(fitting, key=lambda route: route.count("{"))


async def of_processors(agency: Agency, size: int) -> list[str]:
    """Furnish processors; return where they are shown: the last one has so many of everything."""
    for _ in range(size):
        party, ids = await furnished(agency)
    for _ in range(size - 1):
        await governed.hand_in(agency.installation, party.name, reviewed_on=datetime.now(UTC).date())
        await governed.find(agency.installation, party.name, datetime.now(UTC).date() + timedelta(days=3))
    paths = seen_paths(party, ids)
    return [
        *paths, f"/console/evidence/{ids['evd']}/file", "/console/flows", f"/console/flows/{party.name}", "/console/help", "/console/what-if",
        f"/console/accounts/{party.agent}", f"/console/accounts/processors/{party.name}", "/console/accounts", "/console/decisions?undetermined=true",
        "/console/schedule", "/console/schedule/imports", "/console/schedule/walk-in", "/console/look-up", "/console/emergency",
    ]  # fmt: skip


async def of_desks(
    agency: Agency, persons: range, transport: httpx.AsyncBaseTransport, stack: AsyncExitStack
) -> tuple[Browser, list[str], list[str]]:
    """Furnish a desk with a session of so many places; return its browser, where it leads, and where officers see what it did."""
    work = await stack.enter_async_context(desk_at_work(agency, persons, transport=transport, sheet={"family_name": "full"}))
    since = await agency.size()
    for person in persons:
        assert "data-person" in (await work.show(person)).text
    entry = next(each for each in await agency.openings(since=since) if each["event"] == "disclosure:person:granted")
    sent = await agency.fetch(
        "select id from ecluse.schedule_import where applied_at is not null order by applied_at desc limit 1"
    )
    pages = [
        "/desk", "/desk/help", f"/desk/proof/{entry['disclosure']}", work.root, f"{work.root}/attendance", f"{work.root}/sheet",
        f"{work.root}/standing", f"{work.root}/walk-in",
    ]  # fmt: skip
    decision = f"/console/decisions/main/{entry['index']}"
    return work.browser, pages, [decision, f"{decision}/proof", f"/console/schedule/imports/{sent[0]['id']}"]


async def of_visitors(agency: Agency, person: int, size: int, transport: httpx.AsyncBaseTransport) -> tuple[Browser, list[str]]:
    """Have a person seen so many times; return their browser and where it leads."""
    async with machine_at_work(agency, [person], reads=100) as desk, portal_of(agency) as portal:
        for _ in range(size):
            assert code_of(await desk.disclose(person)) == "ok"
        browser = await visitor_of(agency, portal, person, transport=transport)
    (proof, *_) = await proven(browser)
    return browser, ["/my-data", "/my-data/help", "/my-data/record.json", "/my-data/record.csv", proof]


async def of_officers(agency: Agency, officer: Browser, persons: range) -> list[str]:
    """Let an officer look up, upload and open an emergency for so many; return where that is shown."""
    for person in persons:
        asked = await officer.post("/console/look-up", {"person": str(person), "purpose": WHY})
    party = await agency.bind()
    rows = await rows_of(
        agency, party, source=f"plan-{party.name}", persons=persons, begins=await agency.now() + timedelta(hours=3)
    )
    sent = await officer.post("/console/schedule/check", {"mode": "delta"}, files=file_of(rows))
    assert sent.headers["location"] == "/console/schedule/draft"
    pool = await open_register_pool(agency.installation, agency.installation.settings.register.url)
    async with agency.connected("ecluse_app") as app:
        for person in persons:
            await open_emergency(
                app, Register(pool, parse_register(register_toml())), read_fingerprint_keys(agency.installation),
                Asked(subject=f"ofii:{person}", attribute="phone", reason=WHY, actor=officer.person), log_id=1,
                bounds=Bounds(per_day=50, patience=timedelta(days=9)),
            )  # fmt: skip
    await pool.close()
    return [asked.headers["location"], "/console/schedule/draft", "/sign-in/again"]


async def test_pages_when_there_is_much_then_as_many_statements_as_for_little(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of everything, then twelve: no route asks once more; and there is no route besides."""
    monkeypatch.setattr(pictures, "FRESH", timedelta())  # what is kept for a while is asked for each time
    monkeypatch.setattr(board, "SHARE", 0)
    monkeypatch.setattr(board, "AGAIN", 60.0)
    counts: list[dict[str, int]] = []
    async with in_process(agency) as (_, client), AsyncExitStack() as stack:
        sent = stack.enter_context(statements())  # of the acts before, too
        transport = client._transport
        officer = await sign_in_officer(agency, set(Role), transport=transport)
        nobody = Browser(origin=agency.installation.settings.pages, transport=transport)
        for size, first in ((1, 20), (12, 100)):
            desk, at_desk, of_desk = await of_desks(agency, range(first, first + size), transport, stack)
            visitor, at_home = await of_visitors(agency, first + 50, size, transport)
            async with agency.connected("ecluse_jobs") as jobs:
                await fold_all(jobs)
            seen_by_officer = [
                *await of_processors(agency, size),
                *of_desk,
                *await of_officers(agency, officer, range(first, first + size)),
            ]
            asked = [
                *((officer, path) for path in seen_by_officer),
                *((desk, path) for path in at_desk),
                *((visitor, path) for path in at_home),
                *((nobody, path) for path in ("/sign-in", "/enrol")),
            ]
            found: dict[str, int] = {}
            for browser, path in asked:
                await browser.get(path)  # what is read once a control entry is read now
                with statements() as seen:
                    answer = await browser.get(path)
                assert answer.status_code in {200, 204}, (path, answer.status_code)
                found[route_of(path)] = max(len(seen), found.get(route_of(path), 0))
            counts.append(found)
    few, many = counts
    assert {route: (few[route], many[route]) for route in few if few[route] != many[route]} == {}
    assert {route for route, asked in many.items() if asked > MOST} == KEPT
    assert {route for method, route in ROUTES if method == "GET" and is_page(route)} - set(many) == set(UNCOUNTED)
    assert (many["/sign-in"], many["/enrol"], many["/sign-in/again"]) == (0, 0, 1)
    assert unlisted(sent) == []  # a database's administrator sees each of them with its plan
