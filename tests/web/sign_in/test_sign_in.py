"""Signing in over HTTP, through the pages, on a gate of its own: what is refused, what a browser is told, and what no log ever says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from ecluse.embedded import EmbeddedPostgres
from ecluse.identity.people import Role
from tests.agency import Agency, founded
from tests.passkeys import Authenticator
from tests.signed import COOKIE, Browser, link_for, sign_in_agent, sign_in_officer

pytestmark = pytest.mark.web

MARK = "Marked-Name-7b1c"


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency with one gate."""
    with founded(postgres, tmp_path_factory.mktemp("sign-in") / "ecluse-data") as built:
        yield built


def stranger(agency: Agency) -> Browser:
    """A browser that nobody signed in with."""
    return Browser(origin=agency.installation.settings.pages)


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_page_when_nobody_is_signed_in_then_sent_to_sign_in(agency: Agency) -> None:
    """The page to use the passkey once more is nobody's without a sign-in; nor are its questions."""
    browser = stranger(agency)
    again = await browser.get("/sign-in/again?next=/console")
    begun = await browser.post("/sign-in/again/begin", json={})
    browser.cookies[COOKIE] = "A" * 43
    forged = await browser.get("/sign-in/again")
    assert (again.status_code, again.headers["location"].partition("?")[0]) == (303, "/sign-in")
    assert (begun.status_code, begun.json()["code"], forged.status_code) == (401, "page:sign-in-needed", 303)


@pytest.mark.parametrize(
    "fields",
    [
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"},
        {"sec-fetch-site": "", "origin": ""}, {"sec-fetch-site": "", "origin": "https://evil.example"}, {"sec-fetch-site": "", "origin": "null"},
    ],
    ids=str,
)  # fmt: skip
async def test_change_when_it_comes_from_elsewhere_then_refused(agency: Agency, fields: dict[str, str]) -> None:
    """No other site signs anybody in, out, or once more."""
    browser = await sign_in_officer(agency)
    for path in ("/sign-in/begin", "/sign-in/finish", "/sign-in/enrol/begin", "/sign-in/again/begin", "/sign-out"):
        assert (await browser.post(path, json={}, headers=fields)).status_code == 403, path
    assert (await browser.get("/sign-in/again")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b"\xff", b'{"secret":1}', b'{"secret":"' + b"A" * 65 + b'"}', b"[" * 30_000],
    ids=lambda body: str(body[:14]),
)
async def test_body_when_it_is_none_of_ours_then_told(agency: Agency, body: bytes) -> None:
    """What is no JSON of the form is refused with words; what is too large too."""
    browser = stranger(agency)
    answer = await browser.post("/sign-in/enrol/begin", content=body, headers={"content-type": "application/json"})
    form = await browser.post("/sign-in/enrol/begin", {"secret": "x"})
    large = await browser.post("/sign-in/finish", content=b" " * 40_000, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"], form.status_code, large.status_code) == (400, "unreadable", 400, 413)


async def test_link_when_used_or_unknown_then_told_and_nobody_named(agency: Agency) -> None:
    """A link that is over says so in the reader's words, and not whose it was."""
    browser = await sign_in_officer(agency, name=MARK)
    other = stranger(agency)
    other.language = "fr"
    link = await link_for(agency, (await agency.bind()).agent)
    assert (await other.enrol(link.secret)).status_code == 200
    used = await other.enrol(link.secret)
    unknown = await browser.enrol("A" * 43)
    assert (used.status_code, unknown.status_code) == (410, 410)
    assert (used.json()["title"], unknown.json()["title"]) == ("Ce lien ne peut pas servir", "This link cannot be used")


@pytest.mark.parametrize(
    "wrong", [{"verified": False}, {"rp_id": "evil.example"}, {"origin": "https://evil.example"}, {"framed": True}], ids=str
)
async def test_passkey_when_it_answers_wrongly_then_told(agency: Agency, wrong: dict[str, Any]) -> None:
    """A page of another site gets nowhere with what a passkey signed for it, nor does a key that verified nobody."""
    browser = await sign_in_officer(agency)
    first = browser.cookies[COOKIE]
    answer = await browser.come_in(**wrong)
    assert (answer.status_code, answer.json()["code"], browser.cookies[COOKIE]) == (403, "passkey-refused", first)
    stepped = await browser.step_up(
        **{name: value for name, value in wrong.items() if name != "origin"},
        **({"challenge": "A" * 43} if "origin" in wrong else {}),
    )
    assert stepped.status_code == 403
    other = stranger(agency)
    link = await link_for(agency, (await agency.bind()).agent)
    assert (await other.enrol(link.secret, **wrong)).status_code == 403
    assert (await other.enrol(link.secret)).status_code == 200


async def test_agent_when_the_desk_key_is_not_proved_then_told(agency: Agency) -> None:
    """An agent without a key of the browser, with a key of another, or with a proof for another address, does not come in."""
    party = await agency.bind()
    browser = await sign_in_agent(agency, party)
    assert (await browser.come_in(desk=False)).json()["code"] == "desk-key-missing"
    begun = await browser.post("/sign-in/begin", json={})
    credential = browser.device.get(begun.json()["options"], origin=browser.origin)
    mine, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    body = {"credential": {"id": credential["id"], "response": credential["response"]},
            "desk_key": {n: mine.as_dict(private=False)[n] for n in ("crv", "kty", "x", "y")}}  # fmt: skip
    for proof in (
        "", "x", browser._sign(other, "POST", "/sign-in/finish", ""), browser._sign(mine, "POST", "/desk", ""),
        browser._sign(mine, "GET", "/sign-in/finish", ""),
    ):  # fmt: skip
        answer = await browser.post("/sign-in/finish", json=body, headers={"dpop": proof})
        assert (answer.status_code, answer.json()["code"]) == (403, "desk-key-missing")
    late = browser._sign(mine, "POST", "/sign-in/finish", "", iat=1)
    assert (await browser.post("/sign-in/finish", json=body, headers={"dpop": late})).json()["code"] == "clock"
    secret = {**body, "desk_key": mine.as_dict(private=True)}
    proof = browser._sign(mine, "POST", "/sign-in/finish", "")
    assert (await browser.post("/sign-in/finish", json=secret, headers={"dpop": proof})).status_code == 403
    right = await browser.post("/sign-in/finish", json=body, headers={"dpop": browser._sign(mine, "POST", "/sign-in/finish", "")})
    assert (right.status_code, right.json()) == (200, {"go": "/desk", "desk": True})  # a refused proof spends no challenge


async def test_desk_when_it_asks_for_a_token_then_as_if_it_were_not_there(agency: Agency) -> None:
    """A desk is no machine: its browsers' keys get no token, and no page's cookie is one."""
    party = await agency.bind()
    browser = await sign_in_agent(agency, party)
    (row,) = await agency.fetch("select id from ecluse.client where processor_id = $1 and role = 'desk'", party.name)
    key, now = browser.desk_key, (await agency.now()).timestamp()
    assert key is not None
    claims = {
        "iss": row["id"],
        "sub": row["id"],
        "aud": agency.public_url,
        "iat": int(now),
        "exp": int(now) + 60,
        "jti": "one",
    }
    assertion = _jwt(key, claims)
    form = {"grant_type": "client_credentials", "client_assertion": assertion,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}  # fmt: skip
    answer = await browser.post("/oauth/token", form, headers={"dpop": browser._sign(key, "POST", "/oauth/token", "")})
    machine = {**form, "client_assertion": _jwt(key, {**claims, "iss": "cli_" + "a" * 26, "sub": "cli_" + "a" * 26})}
    unknown = await browser.post("/oauth/token", machine, headers={"dpop": browser._sign(key, "POST", "/oauth/token", "")})
    whoami = await browser.get(
        "/v1/whoami", headers={"dpop": browser.proof("GET", "/v1/whoami"), "authorization": f"DPoP {browser.sign_in}"}
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.json() == unknown.json()
    assert (whoami.status_code, whoami.json()["type"]) == (401, "/problems/invalid-token")


def _jwt(key: ECKey, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "ES256", "kid": key.thumbprint()}, claims, key)


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example", "/\\evil.example", "https://evil.example/", "https:evil.example", "javascript:alert(1)", "/\tevil",
        "\\\\evil.example", "evil.example",
        "/%0d%0aset-cookie:x", "/sign-in?next=/sign-in", "/sign-out", "/enrol", "/\u2028", "///evil.example", "data:text/html,x", "/desk", "/ /evil.example",
    ],
)  # fmt: skip
async def test_next_when_it_is_no_page_for_this_person_then_their_own(agency: Agency, wanted: str) -> None:
    """Wherever a link says to go on to: to a page of ours that may be theirs, or to their own first page."""
    browser = await sign_in_officer(agency, {Role.READER})
    entered = await browser.come_in(next_=wanted)
    here = await browser.post("/sign-in/here", json={"next": wanted})
    page = await browser.send("GET", "/sign-in", params={"next": wanted})
    ways = {entered.json()["go"], here.json()["go"], page.headers["location"]}
    assert ways == ({wanted} if wanted.startswith("/%0d") else {"/console"})


# ── what happens ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_sign_in_when_right_then_a_fresh_strict_cookie_and_on_to_the_page(agency: Agency) -> None:
    """The cookie is this host's alone, no script reads it, no other site sends it; and a planted one is never taken over."""
    browser = await sign_in_officer(agency, {Role.DPO})
    first = browser.cookies[COOKIE]
    browser.cookies[COOKIE] = "B" * 43
    entered = await browser.come_in(next_="/console/gates?open=1")
    second = browser.cookies[COOKIE]
    browser.cookies[COOKIE] = first
    assert (await browser.get("/sign-in/again")).status_code == 200  # another browser's stays
    third = await browser.come_in()
    browser.cookies[COOKIE] = first
    gone = await browser.get("/sign-in/again")
    (line,) = entered.headers.get_list("set-cookie")
    parts = {part.strip().lower() for part in line.split(";")[1:]}
    assert parts == {"httponly", "path=/", "samesite=strict", "secure"}
    assert (entered.json(), third.json()) == ({"go": "/console/gates?open=1", "desk": False}, {"go": "/console", "desk": False})
    assert (len({first, second, "B" * 43}), gone.status_code) == (3, 303)


async def test_sign_out_when_done_then_nothing_is_left(agency: Agency) -> None:
    """Signing out ends the sign-in, takes the cookie and what the browser kept, revokes the desk key, and says so."""
    party = await agency.bind()
    browser = await sign_in_agent(agency, party)
    kept, key = browser.cookies[COOKIE], browser.desk_key
    assert key is not None
    out = await browser.leave()
    shown = await browser.get(out.headers["location"])
    browser.cookies[COOKIE] = kept
    after = await browser.get("/sign-in/again")
    (row,) = await agency.fetch("select revoked_at from ecluse.client_key where thumbprint = $1", key.thumbprint())
    assert (await browser.get("/sign-out")).status_code == 405
    assert (out.status_code, out.headers["clear-site-data"], after.status_code) == (303, '"storage"', 303)
    assert "You are signed out." in shown.text
    assert row["revoked_at"] is not None


async def test_step_up_when_used_then_fresh_again(agency: Agency) -> None:
    """Using the passkey once more makes the sign-in fresh, without another cookie."""
    browser = await sign_in_officer(agency)
    cookie = browser.cookies[COOKIE]
    before = await agency.fetch("select stepped_up_at from ecluse.sign_in where id = $1", browser.sign_in)
    answer = await browser.step_up()
    after = await agency.fetch("select stepped_up_at from ecluse.sign_in where id = $1", browser.sign_in)
    assert (answer.status_code, answer.json()["go"], browser.cookies[COOKIE]) == (200, "/console", cookie)
    assert after[0]["stepped_up_at"] > before[0]["stepped_up_at"]


async def test_sign_in_when_its_agent_is_suspended_then_the_next_request_is_nobodys(agency: Agency) -> None:
    """Zero seconds pass between a suspension's entry and its effect on pages."""
    party = await agency.bind()
    browser = await sign_in_agent(agency, party)
    await agency.hold("agent", party.agent)
    gone = await browser.get("/sign-in/again")
    refused = await browser.come_in()
    assert (gone.status_code, refused.status_code, refused.json()["code"]) == (303, 403, "passkey-unknown")


async def test_link_when_two_browsers_redeem_it_at_once_then_one_comes_in(agency: Agency) -> None:
    """Over HTTP too, a link is good once."""
    party = await agency.bind()
    link = await link_for(agency, party.agent)
    one = stranger(agency)
    two = stranger(agency)
    answers = await asyncio.gather(one.enrol(link.secret), two.enrol(link.secret))
    assert sorted(answer.status_code for answer in answers) == [200, 410]


async def test_pages_when_read_then_no_secret_is_in_them_and_nothing_is_kept(agency: Agency) -> None:
    """The pages hold no secret, load only from here, and are kept by nobody; the link's end is never asked for in an address."""
    browser = stranger(agency)
    for path in ("/sign-in", "/enrol", "/sign-in?next=%2F%2Fevil.example"):
        page = await browser.get(path, headers={"sec-fetch-site": "none"})
        assert (page.status_code, page.headers["cache-control"], page.headers["referrer-policy"]) == (
            200,
            "no-store",
            "no-referrer",
        )
        assert "evil.example" not in re.sub(r"[?&;]next=[^\"&]*", "", page.text)
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son[a-z]+=|style=", page.text)
        assert len(page.content) < 60_000
    english = await browser.get("/sign-in?lang=en")
    french = await browser.get("/sign-in?lang=fr")
    assert "Sign in with my passkey" in english.text
    assert "Me connecter avec ma clé d’accès" in french.text


async def test_logs_when_people_come_and_go_then_nobody_is_named(agency: Agency) -> None:
    """No log of the gate says a name, a cookie, a secret, a credential, a label or who is signed in."""
    browser = await sign_in_officer(agency, name=MARK)
    desk = await sign_in_agent(agency, await agency.bind())
    link = await link_for(agency, (await agency.bind()).agent)
    other = stranger(agency)
    await other.enrol(link.secret)
    await other.enrol(link.secret)
    await other.come_in(verified=False)
    await browser.post("/sign-in/finish", json={"credential": {"id": MARK * 2, "response": {}}})
    words = [MARK, link.secret, browser.person, desk.person, browser.sign_in, desk.sign_in, "in software"]
    words += [
        browser.cookies[COOKIE],
        desk.cookies[COOKIE],
        *(each.device.credentials[0].id.hex() for each in (browser, desk)),
    ]
    words += [browser.device.get({"rpId": "x", "userVerification": "required", "challenge": "A"}, origin="x")["id"]]
    await browser.leave()
    await desk.leave()
    for gate in agency.gates:
        text = gate.log.read_text(encoding="utf-8")
        assert [word for word in words if word in text] == []
    sealed = str(await agency.openings())
    assert MARK not in sealed


async def test_idle_when_a_quarter_of_an_hour_then_signed_out(agency: Agency) -> None:
    """The database's clock decides; a browser that kept its cookie is nobody."""
    browser = await sign_in_officer(agency)
    await agency.set_clock_offset(agency.offset + timedelta(minutes=16))
    gone = await browser.get("/sign-in/again")
    await agency.reset_clock()
    assert gone.status_code == 303


async def test_passkey_when_there_are_two_accounts_on_a_device_then_the_one_chosen_comes_in(agency: Agency) -> None:
    """A device may hold passkeys of several people of this site; who signs in is who unlocked theirs."""
    one = await sign_in_officer(agency, {Role.READER})
    two = await sign_in_officer(agency, {Role.DPO})
    shared = Authenticator(credentials=[*two.device.credentials, *one.device.credentials])
    two.device = shared
    await two.come_in()
    (row,) = await agency.fetch("select officer_id from ecluse.sign_in where id = $1", two.sign_in)
    assert row["officer_id"] == one.person
