"""Every route of the application, asked for by nobody, and every change sent from elsewhere. The routes are read from the application itself.

A new route fails here until it is classified: by its place (what is under /console and /desk wants a sign-in, what is under /v1 a token), or by a line of
`OPEN` with the reason why nobody has to say who they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

import httpx
import pytest
from litestar.routes import HTTPRoute

from ecluse.web.app import build_framework
from ecluse.web.pages.shield import HEADERS, SAFE, is_page
from tests.agency import Agency, founded
from tests.signed import sign_in_officer
from tests.web.pages.contexts import in_process

pytestmark = pytest.mark.web

OPEN: Final = {
    "GET /.well-known/": "metadata: what a client has to know before it can say who it is",
    "GET /assets/": "style and script, the same for everyone",
    "GET /enrol": "the page behind a one-time link, whose secret never leaves the fragment",
    "GET /favicon.ico": "the mark",
    "GET /healthz": "whether it answers",
    "GET /ledger/": "the public ledger; its entries want an auditor's token",
    "GET /my-data": "the persons the data are about say who they are on it, or at a portal",
    "POST /my-data": "a one-time code is its credential",
    "GET /oauth/jwks": "public keys",
    "GET /outcomes/jwks": "public keys",
    "POST /oauth/token": "a client says who it is with its key",
    "GET /problems": "the same for everyone",
    "GET /questionnaire": "a link's secret is its credential",
    "POST /questionnaire": "a link's secret is its credential",
    "GET /schema": "the published interface",
    "GET /sign-in": "where one signs in",
    "POST /sign-in": "a passkey is its credential",
    "POST /sign-out": "leaving what is not there changes nothing",
}
"""Routes that nobody has to sign in for, by how they begin, each with its reason."""
PAGES_WITH_SIGN_IN: Final = ("/console", "/desk")


def routes() -> list[tuple[str, str]]:
    """Return method and path of every route."""

    async def never() -> Any:
        raise AssertionError("impossible: nobody serves")

    app = build_framework(never, {})
    found = {(method, route.path) for route in app.routes if isinstance(route, HTTPRoute) for method in route.methods}
    return sorted((method, path) for method, path in found if method != "OPTIONS")


ROUTES: Final = routes()
UNSAFE: Final = [(method, path) for method, path in ROUTES if method not in SAFE and is_page(path)]


def address(path: str) -> str:
    """Fill in a route's parameters with what names nothing."""
    return re.sub(r"\{\w+:(\w+)\}", lambda found: {"int": "1", "path": "x/y"}.get(found[1], "x"), path)


def pattern(path: str) -> re.Pattern[str]:
    """Return what addresses of a route look like."""
    return re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path))


def wants(method: str, path: str) -> str:
    """Say what a route wants: a ``token``, a ``sign-in``, or nothing (``open``); ``unclassified`` otherwise."""
    if path.startswith("/v1/") or (path.startswith("/ledger/") and "entries" in path):
        return "token"
    if path.startswith(tuple(f"{root}/" for root in PAGES_WITH_SIGN_IN)) or path in PAGES_WITH_SIGN_IN:
        return "sign-in"
    return "open" if any(f"{method} {path}".startswith(each) for each in OPEN) else "unclassified"


@pytest.fixture(scope="module")
def agency(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency for the module."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data") as built:
        yield built


def test_routes_when_listed_then_each_is_classified() -> None:
    """A route is for signed-in people, for clients with a token, or stands in the list of what is open."""
    assert [(method, path) for method, path in ROUTES if wants(method, path) == "unclassified"] == []
    assert [path for _, path in ROUTES if path.startswith("/v1/")] != []


def test_routes_when_open_then_each_line_is_needed() -> None:
    """No reason outlives its route."""
    assert {each for each in OPEN if not any(f"{method} {path}".startswith(each) for method, path in ROUTES)} == set()


async def test_routes_when_nobody_is_signed_in_then_nothing_is_reached(agency: Agency) -> None:
    """Every page sends to sign in, and back to it afterwards; a change is answered 401; every call wants a token; nothing of the body is read."""
    wrong: list[tuple[str, str, int]] = []
    async with in_process(agency) as (_, browser):
        for method, path in ROUTES:
            kind = wants(method, path)
            if kind == "open" or "{path" in path:
                continue
            headers = {"sec-fetch-site": "same-origin"} if kind == "sign-in" else {}
            answer = await browser.request(method, address(path), headers=headers)
            if kind == "token":
                # a body that is none may be refused before the token is looked at: neither tells anything
                good = answer.status_code in {400, 401} and answer.json()["type"] in {
                    "/problems/invalid-token",
                    "/problems/invalid-request",
                }
            elif method == "GET":
                there = answer.headers.get("location", "")
                good = answer.status_code == 303 and there.startswith("/sign-in?next=%2F") and "//" not in there
            else:
                good = answer.status_code == 401 and answer.headers["content-type"].startswith("text/html")
            if not good:
                wrong.append((method, path, answer.status_code))
    assert wrong == []


async def test_forms_when_their_act_weighs_then_marked_and_no_others(agency: Agency) -> None:
    """What asks for a passkey used just now, by what it answers, is what the page's script asks one for first: nothing that was typed is lost."""
    async with in_process(agency) as (_, client):
        officer = await sign_in_officer(agency, transport=client._transport)
        await agency.execute("update ecluse.sign_in set stepped_up_at = stepped_up_at - interval '1 hour'")
        acts = [path for _, path in UNSAFE if path.startswith("/console")]
        weighty = {path for path in acts if (await officer.post(address(path))).status_code == 401}
    forms = [
        (template.name, re.sub(r"\{\{.*?\}\}", "x", said[1]), "data-weighs" in said[0])
        for template in (files("ecluse.web") / "templates" / "console").iterdir()
        for said in re.finditer(
            r'<form [^>]*?method="post"[^>]*?action="((?:[^"{]|\{\{[^}]*\}\})+)"', template.read_text(encoding="utf-8")
        )
    ]
    found = {(name, path, marked): next(act for act in acts if pattern(act).fullmatch(path)) for name, path, marked in forms}
    assert [each for each, act in found.items() if each[2] != (act in weighty)] == []
    assert weighty - set(found.values()) == set()
    assert len(weighty) > 15


async def test_pages_when_a_cookie_is_invented_then_nothing_is_reached(agency: Agency) -> None:
    """A cookie that we never gave is none, however long or odd it is."""
    async with in_process(agency) as (_, browser):
        for secret in ("x", "A" * 43, "A" * 5000, "%00", "';--"):
            answer = await browser.get("/console", headers={"cookie": f"__Host-ecluse={secret}"})
            assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fconsole")


@pytest.mark.parametrize(
    "fields",
    [
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"}, {}, {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": "PAGES"},
    ],
    ids=["cross", "same-site", "typed", "nothing", "other-origin", "null-origin", "contradiction"],
)  # fmt: skip
async def test_change_when_sent_from_elsewhere_then_refused_before_anything(agency: Agency, fields: dict[str, str]) -> None:
    """Each route of a page that changes anything refuses what no page of ours sent: 403, a page, its body unread."""
    async with in_process(agency) as (gateway, browser):
        headers = {name: gateway.settings.pages if value == "PAGES" else value for name, value in fields.items()}
        for method, path in UNSAFE:
            answer = await browser.request(method, address(path), headers=headers, content=b"a" * 100_000)
            assert (answer.status_code, answer.headers["connection"]) == (403, "close"), (method, path)
            assert answer.headers["content-type"].startswith("text/html"), (method, path)
            assert "Cette demande ne vient pas de nos pages" in answer.text, (method, path)


async def test_change_when_an_old_browser_names_our_origin_then_it_gets_on(agency: Agency) -> None:
    """Without Fetch metadata the pages' own origin will do; what comes then is the sign-in."""
    async with in_process(agency) as (gateway, browser):
        for method, path in UNSAFE:
            if wants(method, path) == "sign-in":
                answer = await browser.request(method, address(path), headers={"origin": gateway.settings.pages})
                assert answer.status_code == 401, (method, path)


async def test_pages_when_answered_then_nothing_is_kept_framed_or_loaded_from_elsewhere(agency: Agency) -> None:
    """Every answer of every page bears the same fields, refusals and errors of the framework too; of assets alone something is kept."""
    async with in_process(agency) as (_, browser):
        asked = [(method, address(path)) for method, path in ROUTES if is_page(path)]
        asked += [
            ("GET", "/console/nothing/here"),
            ("DELETE", "/console"),
            ("POST", "/my-data/nothing"),
            ("GET", "/assets/nothing.css"),
            ("TRACE", "/desk"),
        ]
        for method, path in asked:
            answer = await browser.request(method, path, headers={"sec-fetch-site": "same-origin"})
            wrong = {name for name, value in HEADERS.items() if answer.headers.get(name) != value}
            if path == "/favicon.ico":
                wrong -= {"cache-control", "content-security-policy"}
            assert wrong == set(), (method, path)
            assert len(answer.content) < 150_000, (method, path)
            assert "access-control-allow-origin" not in answer.headers, (method, path)
        style = re.findall(r'href="(/assets/ecluse\.[0-9a-f]{16}\.css)"', (await browser.get("/console/nothing")).text)[0]
        kept = await browser.get(style)
        assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert kept.headers["content-type"] == "text/css; charset=utf-8"
        assert kept.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in kept.headers["content-security-policy"]


async def test_errors_when_not_of_a_page_then_problems_in_json(agency: Agency) -> None:
    """The API keeps its problems; only people's pages are answered with pages."""
    async with in_process(agency) as (_, browser):
        for path in ("/v1/nothing", "/nothing", "/consoles", "/problems/nothing", "/ledger/main/nothing"):
            assert (await browser.get(path)).headers["content-type"] == "application/problem+json"
        page = await browser.get("/console/nothing", headers={"accept-language": "en"})
        assert (page.status_code, page.headers["content-language"]) == (404, "en")
        assert "There is no such page" in page.text
        assert (await browser.request("PUT", "/console", headers={"sec-fetch-site": "same-origin"})).status_code == 405


async def test_language_when_asked_for_then_kept_in_a_cookie(agency: Agency) -> None:
    """``?lang=`` speaks at once and is remembered; a language that pages don't speak is not."""
    async with in_process(agency) as (_, browser):
        french = await browser.get("/my-data/help")
        assert '<html lang="fr"' in french.text
        assert "set-cookie" not in french.headers
        english = await browser.get("/my-data/help?lang=en")
        assert '<html lang="en"' in english.text
        assert re.findall(r"ecluse-lang=en; .*", english.headers["set-cookie"]) != []
        assert '<html lang="en"' in (await browser.get("/my-data/help")).text
        odd = await browser.get("/my-data/help?lang=%3Cscript%3E")
        assert "set-cookie" not in odd.headers
        assert "<script>" not in odd.text.replace("<script src", "")


async def test_partial_when_htmx_asks_then_the_main_block_alone(agency: Agency) -> None:
    """A part has no frame; where nobody is signed in the whole page is sent on, back to what is open in it."""
    async with in_process(agency) as (gateway, browser):
        part = await browser.get("/my-data/help", headers={"hx-request": "true", "hx-request-type": "partial"})
        assert part.text.lstrip().startswith('<div class="page-head">')
        away = await browser.get(
            "/console", headers={"hx-request": "true", "hx-current-url": f"{gateway.settings.public_url}/console/holds?day=1"}
        )
        assert (away.status_code, away.headers["hx-redirect"]) == (401, "/sign-in?next=%2Fconsole%2Fholds%3Fday%3D1")
        odd = await browser.get(
            "/console", headers={"hx-request": "true", "hx-current-url": "https://elsewhere.example//evil.example/x"}
        )
        assert odd.headers["hx-redirect"] == "/sign-in?next=%2F"


async def test_notice_when_a_key_is_invented_then_nothing_is_said(agency: Agency) -> None:
    """A notice's text is ours: what a cookie brings is a key, and goes once it was seen."""
    async with in_process(agency) as (_, browser):
        answer = await browser.get("/my-data/help", headers={"cookie": 'ecluse-notice="<b>you won</b>"'})
        assert "you won" not in answer.text
        assert 'class="notice"' not in answer.text
        assert re.findall(r"ecluse-notice=\S*; .*Max-Age=0", answer.headers["set-cookie"]) != []


async def test_reader_when_the_console_s_pool_is_used_then_nothing_can_be_changed(agency: Agency) -> None:
    """The pool that pages read with refuses to write, whatever a statement says."""
    async with in_process(agency) as (gateway, _), gateway.reader.acquire() as connection:
        assert await connection.fetchval("select current_user") == "ecluse_reader"
        assert await connection.fetchval("select count(*) >= 0 from ecluse.processor") is True
        for statement in ("delete from ecluse.processor", "update ecluse.ledger_head set size = 0"):
            with pytest.raises(Exception, match=r"read-only|permission denied"):
                await connection.execute(statement)
        await connection.execute("set default_transaction_read_only = off")
        with pytest.raises(Exception, match="permission denied"):
            await connection.execute("delete from ecluse.processor")
        await connection.execute("reset default_transaction_read_only")


def test_shield_when_a_route_is_a_page_then_it_stands_before_it() -> None:
    """Everything under a room's address that changes anything is behind the shield; of all else only calls with a credential of their own change anything."""
    outside = {path for method, path in ROUTES if method not in SAFE and not is_page(path)}
    assert {path for path in outside if not path.startswith(("/v1/", "/oauth/", "/questionnaire/"))} == set()


async def test_browser_when_signed_out_then_the_client_is_real(agency: Agency) -> None:
    """The gate in its own process answers as the application in this one does."""
    async with httpx.AsyncClient(base_url=agency.gates[0].url) as outside:
        answer = await outside.post("/console", headers={"sec-fetch-site": "cross-site"}, content=b"a" * 1_000_000)
        assert (answer.status_code, answer.headers["connection"]) == (403, "close")
        assert (await outside.get("/console")).headers["location"] == "/sign-in?next=%2Fconsole"
