"""What a page costs: every page of every room, asked for by somebody who signed in with a passkey, one after the other on one connection.

The gate serves an agency with a schedule and a working day's disclosures behind it. Pages are found as a reader finds them, by the links of the pages before;
of each route the first address is measured. Rounds are interleaved: one of each page, then one of each again, and beside them the bare page of
``rival_page.py``, which reads one row and asks nobody who they are. Times are the client's: what the server takes, and the way there and back.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import msgspec
from joserfc.jwk import ECKey
from litestar.routes import HTTPRoute

from bench import processes
from bench.agency import ACTOR, CAPACITY, LOG_ID, Agency, ensure_agency, schedule_file
from bench.calls import gate_requests
from bench.run import GATE, Bench, opened
from ecluse import clock, install
from ecluse.contracts.service import place_hold
from ecluse.db import Connection
from ecluse.evidence.model import Severity, Source, Submission
from ecluse.evidence.service import open_finding, submit
from ecluse.evidence.vault import KEY_FILE as EVIDENCE_KEY
from ecluse.evidence.vault import Vault
from ecluse.identity import parse_public_jwk
from ecluse.identity.accounts import add_officer, invite
from ecluse.identity.errors import AccountRefused
from ecluse.identity.people import Role
from ecluse.identity.service import add_client
from ecluse.web.app import build_framework
from ecluse.web.gateway import Gateway, read_register_map
from ecluse.web.pages.shield import is_page
from tests.e2e.outsider import Outsider
from tests.signed import Browser

ROUNDS: Final = 200
LINES: Final = 500
"""How many lines the person has whose own page is measured."""
_SEALED: Final = 100  # sealed looks a portal: it may make 120 links a minute
_WORK_SECONDS: Final = 3.0
_STARTS: Final = ("/console", "/desk", "/my-data", "/sign-in", "/enrol")
_ALSO: Final = (
    "/console/help",
    "/desk/help",
    "/my-data/help",
    "/sign-in/again",
    "/console/exposure/figures",
    "/console/counters",
    "/favicon.ico",
)
_SKIPPED: Final = ("/live", "/assets/")
_GOOD: Final = {200, 204}
_LINK: Final = re.compile(r'(?:href|hx-get)="(/[^"#]*)')
_OWN: Final = re.compile(r"/(console|desk|my-data|sign-in|enrol)\b")


class PageLine(msgspec.Struct, frozen=True, kw_only=True):
    """One page, as measured, in milliseconds. ``route``: as the application names it; ``size``: of the body, in bytes; ``times``: how often."""

    route: str
    median: float
    p95: float
    p99: float
    size: int
    times: int


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for."""

    route: str
    path: str
    cookie: str
    port: int


def pages(folder: Path, port: int, people: int, appointments: int, rounds: int) -> list[PageLine]:
    """Measure every page; the bare page is the last line."""
    home = (folder / f"pages-{people}").absolute()
    agency = ensure_agency(home, people, port, appointments)
    with ExitStack() as stack:
        bench = stack.enter_context(opened(home, agency, port, seconds=_WORK_SECONDS, warm=0.5))
        pid = stack.enter_context(bench.serving(GATE))
        bare = stack.enter_context(processes.bare_page(bench.installation, bench.reached, port + 1))
        bench.measure(GATE, pid, 16)
        targets, sealed, person = asyncio.run(_prepare(bench, agency))
        unmet = sorted(_routes() - {target.route for target in targets})
        print(f"{len(targets)} pages, gate {pid}, bare {bare}; not met: {', '.join(unmet) or 'none'}", flush=True)
        targets.append(Target(route="bare page of one row", path=f"/people/{person}", cookie="", port=port + 1))
        lines = _measure(targets, rounds)
        lines.insert(-1, _line("/my-data, sealed anew", _each(sealed, port)))
        return lines


def _routes() -> set[str]:
    """Return the routes of pages that can be opened."""

    async def never() -> Gateway:
        raise AssertionError("impossible: nobody serves")

    routes = {
        route.path for route in build_framework(never, {}).routes if isinstance(route, HTTPRoute) and "GET" in route.methods
    }
    return {route for route in routes if is_page(route) and not any(word in route for word in _SKIPPED)}


def _route_of(path: str, routes: set[str]) -> str | None:
    """Return which route an address is of: the one with fewest parameters that fits."""
    bare = path.partition("?")[0]
    found = [route for route in routes if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", route), bare)]
    return min(found, key=lambda route: route.count("{"), default=None)


# ── who asks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def _prepare(bench: Bench, agency: Agency) -> tuple[list[Target], list[str], int]:
    """Sign everybody in; return what is asked for, cookies of visits that nobody has used yet, and whose they are."""
    connection = await install.connect(bench.installation, bench.reached, "ecluse_app")
    try:
        officer, _ = await add_officer(connection, log_id=LOG_ID, name="Bench Officer", roles=frozenset(Role), actor=ACTOR)
        own = (await invite(connection, log_id=LOG_ID, holder=officer, actor=ACTOR)).secret
        desk = await _unknown_agent(connection, agency)
        await _furnish(bench, connection, agency)
        portals = []
        for _ in range(2):
            key = ECKey.generate_key("P-256")
            public = parse_public_jwk(key.as_dict(private=False))
            client, _ = await add_client(
                connection, log_id=LOG_ID, processor=None, label="bench", key=public, actor=ACTOR, role="portal"
            )
            portals.append((client, key))
    finally:
        await connection.close()
    person = await _seen_often(bench, agency)
    browsers = [await _signed(bench.installation.settings.pages, secret) for secret in (own, desk)]
    await _ask_for(browsers[0], agency, person)
    also = await _serve(browsers[1])
    visits = [cookie for client, key in portals for cookie in await _visits(bench, client, key, person)]
    browsers.append(
        Browser(origin=bench.installation.settings.pages, language="fr", cookies={"__Host-ecluse-my-data": visits.pop()})
    )
    await asyncio.sleep(2)  # until a checkpoint covers what was sealed
    found: dict[str, Target] = {}
    for browser in browsers:
        await _walk(browser, found, bench.installation.settings.port, [*also, *_also(list(agency.agents))])
    return sorted(found.values(), key=lambda target: target.route), visits, person


async def _unknown_agent(connection: Connection, agency: Agency) -> str:
    """Invite the first agent who has no passkey of an earlier run; return the link's secret."""
    for agent in (agent for agents in agency.agents.values() for agent in agents):
        try:
            return (await invite(connection, log_id=LOG_ID, holder=agent, actor=ACTOR)).secret
        except AccountRefused:
            continue
    raise SystemExit("every agent has a passkey: remove the folder")


async def _furnish(bench: Bench, connection: Connection, agency: Agency) -> None:
    """Give the console something of each kind to show: a suspension, a finding, a document."""
    processor, agents = next(iter(agency.agents.items()))
    register = read_register_map(bench.installation)
    attributes = {name: attribute.type for name, attribute in register.attributes.items()}
    zone, today = bench.installation.settings.zone, clock.now().date()
    await place_hold(
        connection,
        log_id=LOG_ID,
        scope="agent",
        target=agents[-1],
        effect="suspend",
        reason="bench",
        actor=ACTOR,
        register=register,
    )
    await open_finding(
        connection, log_id=LOG_ID, processor=processor, source=Source.AUDIT, severity=Severity.LOW, title="A finding of the bench",
        due_on=today + timedelta(days=30), actor=ACTOR, timezone=zone,
    )  # fmt: skip
    await open_finding(  # overdue: a gate that is frozen, for whoever asks for an override
        connection, log_id=LOG_ID, processor=list(agency.agents)[-1], source=Source.AUDIT, severity=Severity.CRITICAL, title="Overdue",
        due_on=today - timedelta(days=1), actor=ACTOR, timezone=zone,
    )  # fmt: skip
    said = Submission(
        processor=processor, kind="pentest", title="A report", issuer="Bench", reviewed_on=today - timedelta(days=5)
    )
    vault = Vault(bench.installation.versioned(EVIDENCE_KEY))
    await submit(connection, vault, said, b"A report of the bench.\n", actor=ACTOR, attributes=attributes, timezone=zone)


async def _ask_for(officer: Browser, agency: Agency, person: int) -> None:
    """Ask for what waits: a look-up, an override, a questionnaire's answers, a session's file that is looked at before it is applied."""
    base = f"/console/processors/{list(agency.agents)[-1]}"
    await officer.post("/console/look-up", {"person": str(person), "purpose": "A complaint that the bench invented."})
    reasons = re.findall(r'name="reasons" value="([^"]+)"', (await officer.get(f"{base}/overrides/new")).text)
    await officer.post(
        f"{base}/overrides", {"reasons": reasons[0] if reasons else "", "hours": "2", "why": "A reason of the bench."}
    )
    await officer.post(f"{base}/questionnaires", {"language": "fr", "days": "5"})
    file = schedule_file(range(1, CAPACITY + 1), agency.agents, CAPACITY, clock.now() + timedelta(days=20)).replace(
        b"bench,", b"draft,"
    )
    await officer.post("/console/schedule/check", {"mode": "delta"}, files={"file": ("draft.csv", file, "text/csv")})


async def _serve(desk: Browser) -> list[str]:
    """Show one person at a desk; return what the desk has to ask for then."""
    session = re.search(r"/desk/sessions/ses_[a-z2-7]+", (await desk.get("/desk")).text)
    if session is None:
        raise SystemExit("the agent has no session")
    root = session[0]
    place = re.search(r'data-show="(apt_[a-z2-7]+)"', (await desk.get(root)).text)
    if place is None:
        raise SystemExit("the session has no place to show")
    fields = {"dpop": desk.proof("POST", f"{root}/show")}
    shown = await desk.post(f"{root}/show", {"place": place[1], "fresh": ""}, headers=fields)
    proof = re.search(r"/desk/proof/dsc_[a-z2-7]+", shown.text)
    if proof is None:
        raise SystemExit(f"nobody was shown: {shown.status_code} {shown.text[:300]}")
    return [proof[0], f"{root}/sheet", f"{root}/standing"]


async def _seen_often(bench: Bench, agency: Agency) -> int:
    """Have one person disclosed many times; return who it is."""
    place = next(bench._places)  # noqa: SLF001 - of this package
    raw = gate_requests(agency, bench.installation.folder, bench.base_url, bench._tokens, [place] * LINES)  # noqa: SLF001 - likewise
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
    for request in raw:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(re.search(rb"(?i)content-length: (\d+)", head)[1]))  # type: ignore[index] # the gate says it
    writer.close()
    return place.person


async def _signed(base_url: str, secret: str) -> Browser:
    """Enrol somebody and sign them in, in French."""
    browser = Browser(origin=base_url, language="fr")
    for answer in (await browser.enrol(secret), await browser.come_in()):
        if answer.status_code != 200:
            raise SystemExit(f"nobody could sign in: {answer.status_code} {answer.text[:300]}")
    return browser


async def _visits(bench: Bench, client: str, key: ECKey, person: int) -> list[str]:
    """Open many visits of one person's page; return their cookies."""
    cookies = []
    async with Outsider(bench.base_url, client, key) as portal:
        for _ in range(_SEALED + 1):
            link = await portal.call("POST", "/v1/usage/links", body={"subject": {"register": "ofii", "key": [str(person)]}})
            browser = Browser(origin=bench.installation.settings.pages)
            await browser.post("/my-data/enter", {"secret": link.json()["url"].partition("#")[2]})
            cookies.append(browser.cookies["__Host-ecluse-my-data"])
    return cookies


def _also(processors: list[str]) -> list[str]:
    """List what no link leads to: decisions are shown to who searches for them; an override is asked for where a gate is frozen; parts of pages."""
    return [f"/console/decisions?processor={processors[0]}", f"/console/processors/{processors[-1]}/overrides/new", *_ALSO]


async def _walk(browser: Browser, found: dict[str, Target], port: int, also: list[str]) -> None:
    """Follow the links of pages, and keep the first address of each route that opens. ``also``: addresses besides."""
    routes, seen = _routes(), set[str]()
    left = [*also, *_STARTS]
    while left:
        path = left.pop(0).replace("&amp;", "&")
        route = _route_of(path, routes)
        if route is None or route in seen or any(word in path for word in _SKIPPED):
            continue
        answer = await browser.get(path)
        if answer.status_code not in _GOOD or (route in found and route != "/my-data"):
            continue
        if route == "/my-data" and "__Host-ecluse-my-data" not in browser.cookies:
            continue
        seen.add(route)
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        found[route] = Target(route=route, path=path, cookie=cookie, port=port)
        left += [each for each in _LINK.findall(answer.text) if _OWN.match(each) and "lang=" not in each]


# ── how long it takes ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _measure(targets: list[Target], rounds: int) -> list[PageLine]:
    """Ask for each page in turn, ``rounds`` times."""
    taken: dict[str, list[tuple[float, int]]] = {target.route: [] for target in targets}
    connections = {port: http.client.HTTPConnection("127.0.0.1", port, timeout=30) for port in {each.port for each in targets}}
    for each in range(rounds + 1):
        for target in targets:
            one = _ask(connections[target.port], target)
            if each:  # the first round fills caches: it is not counted
                taken[target.route].append(one)
    return [_line(route, found) for route, found in taken.items()]


def _each(cookies: list[str], port: int) -> Iterator[tuple[float, int]]:
    """Open a person's own page once in each visit: a look that is sealed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for cookie in cookies:
        target = Target(route="", path="/my-data", cookie=f"__Host-ecluse-my-data={cookie}", port=port)
        yield _ask(connection, target)


def _ask(connection: http.client.HTTPConnection, target: Target) -> tuple[float, int]:
    """Ask once; return milliseconds and bytes. A connection that the server gave up meanwhile is opened anew, and that is not counted."""
    fields = {"accept-language": "fr", "sec-fetch-site": "same-origin", **({"cookie": target.cookie} if target.cookie else {})}
    try:
        began = time.perf_counter()
        connection.request("GET", target.path, headers=fields)
        answer = connection.getresponse()
    except http.client.RemoteDisconnected:
        connection.connect()
        began = time.perf_counter()
        connection.request("GET", target.path, headers=fields)
        answer = connection.getresponse()
    body = answer.read()
    taken = (time.perf_counter() - began) * 1000
    if answer.status not in _GOOD:
        raise SystemExit(f"{target.path}: {answer.status}")
    return taken, len(body)


def _line(route: str, found: Iterable[tuple[float, int]]) -> PageLine:
    """Sum up one page."""
    known = list(found)
    times = [each[0] for each in known]
    cuts = quantiles(times, n=100, method="inclusive")
    return PageLine(route=route, median=median(times), p95=cuts[94], p99=cuts[98], size=known[-1][1], times=len(times))


def pages_table(lines: list[PageLine]) -> str:
    """Write the table, the slowest first, against the bare page."""
    bare = lines[-1]
    rows = sorted(lines[:-1], key=lambda line: -line.p95)
    head = ["| page | median | p95 | p99 | kB | median against the bare page |", "|---|---|---|---|---|---|"]
    body = [
        f"| `{line.route}` | {line.median:.1f} ms | {line.p95:.1f} ms | {line.p99:.1f} ms | {line.size / 1000:.0f} | {line.median / bare.median:.1f} × |"
        for line in rows
    ]
    last = f"| {bare.route} | {bare.median:.1f} ms | {bare.p95:.1f} ms | {bare.p99:.1f} ms | {bare.size / 1000:.0f} | 1 |"
    return "\n".join([*head, *body, last])
