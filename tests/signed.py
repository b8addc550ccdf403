"""Browsers that are signed in, through the real pages: a passkey in software, the cookies they were given, and at the desk a key of their own.

``await sign_in_officer(agency, roles={Role.DPO})`` and ``await sign_in_agent(agency, party)`` invite, enrol and sign in somebody new, over HTTP, as a
person would. A `Browser` says what browsers say (``Sec-Fetch-Site``, ``Origin``) and keeps cookies; it opens a connection for each request, so there is nothing
to close and it outlives the event loop of a test. Give it a ``transport`` to reach an application in this process.
"""

from __future__ import annotations

import re
import secrets
import ssl
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from http.cookies import SimpleCookie
from typing import Any, Final

import httpx
import msgspec
from joserfc import jws
from joserfc.jwk import ECKey

from ecluse.db import open_pool
from ecluse.identity.accounts import Invitation, InvitationKind, add_officer, invite
from ecluse.identity.passkeys import Registration, site_of
from ecluse.identity.people import Role
from ecluse.identity.sign_in import begin_enrolment, finish_enrolment
from ecluse.settings import with_user
from tests.agency import Agency, Party
from tests.passkeys import Authenticator, pack

COOKIE: Final = "__Host-ecluse"
_META: Final = re.compile(r'<meta name="ecluse-sign-in" content="(sgn_[a-z2-7]{26})"')
_NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # one for all, never used: making one costs more than a request
EVERY_ROLE: Final = frozenset(Role)


@dataclass(kw_only=True)
class Browser:
    """One person's browser. ``person``: ``off_…`` or ``agt_…``; ``sign_in``: the public id of the sign-in; ``desk_key``: of this browser, if it is a desk's."""

    origin: str
    person: str = ""
    language: str = "en"
    transport: httpx.AsyncBaseTransport | None = None
    device: Authenticator = field(default_factory=Authenticator)
    cookies: dict[str, str] = field(default_factory=dict)
    desk_key: ECKey | None = None
    sign_in: str = ""

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
    async def get(self, path: str, **more: Any) -> httpx.Response:
        """Open a page; redirects are not followed."""
        return await self.send("GET", path, **more)

    async def open(self, path: str, **more: Any) -> httpx.Response:
        """Open a page and go where it sends."""
        answer = await self.get(path, **more)
        for _ in range(6):
            if answer.status_code != 303:
                break
            answer = await self.get(answer.headers["location"])
        return answer

    async def post(self, path: str, form: Mapping[str, Any] | None = None, **more: Any) -> httpx.Response:
        """Send a form (``form``; files with ``files=``) or JSON (``json=``), as a page of ours does."""
        if form or "files" in more:
            more["data"] = form or {}
        elif "json" not in more and "content" not in more:  # a form of nothing but its button still says what it is
            more["headers"] = {"content-type": "application/x-www-form-urlencoded", **(more.get("headers") or {})}
        return await self.send("POST", path, **more)

    async def part(self, path: str, **more: Any) -> httpx.Response:
        """Ask for a part of a page, as htmx does."""
        fields = {"HX-Request": "true", "HX-Request-Type": "partial", **more.pop("headers", {})}
        return await self.send(more.pop("method", "GET"), path, headers=fields, **more)

    async def send(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
        """Send a request with what a browser adds, and keep the cookies of the answer. ``headers``: more fields; an empty one takes away what we add."""
        given = {"accept-language": self.language, "sec-fetch-site": "same-origin"}
        if method != "GET":
            given["origin"] = self.origin
        if self.cookies:
            given["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given |= {name.lower(): value for name, value in (headers or {}).items()}
        fields = {name: value for name, value in given.items() if value}
        async with httpx.AsyncClient(transport=self.transport, timeout=60, verify=_NO_TLS, trust_env=False) as client:
            answer = await client.request(method, self.origin + path, headers=fields, **more)
        for line in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0" or not morsel.value:
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return answer

    # ── what its person does ─────────────────────────────────────────────────────────────────────────────────────────────────
    async def enrol(self, secret: str, **wrong: Any) -> httpx.Response:
        """Use a one-time link; return the last answer. ``wrong``: as `Authenticator.create` takes them."""
        assert (await self.get("/enrol")).status_code == 200
        begun = await self.post("/sign-in/enrol/begin", json={"secret": secret})
        if begun.status_code != 200:
            return begun
        made = self.device.create(begun.json()["options"], origin=wrong.pop("origin", self.origin), **wrong)
        return await self.post(
            "/sign-in/enrol/finish", json={"secret": secret, "credential": _sent(made), "label": "in software"}
        )

    async def come_in(self, *, next_: str = "", desk: bool = True, **wrong: Any) -> httpx.Response:
        """Sign in with the passkey; return the last answer. ``desk``: with a key of this browser."""
        begun = await self.post("/sign-in/begin", json={"next": next_})
        answer = self.device.get(begun.json()["options"], origin=wrong.pop("origin", self.origin), **wrong)
        key = ECKey.generate_key("P-256") if desk else None
        fields = {} if key is None else {"dpop": self._sign(key, "POST", "/sign-in/finish", "")}
        jwk = None if key is None else {name: key.as_dict(private=False)[name] for name in ("crv", "kty", "x", "y")}
        done = await self.post(
            "/sign-in/finish", json={"credential": _sent(answer), "next": next_, "desk_key": jwk}, headers=fields
        )
        if done.status_code == 200:
            self.desk_key = key if done.json()["desk"] else None
            found = _META.search((await self.get("/sign-in/again")).text)
            assert found is not None
            self.sign_in = found[1]
        return done

    async def step_up(self, **wrong: Any) -> httpx.Response:
        """Use the passkey once more; return the last answer."""
        begun = await self.post("/sign-in/again/begin", json={})
        if begun.status_code != 200:
            return begun
        answer = self.device.get(begun.json()["options"], origin=self.origin, **wrong)
        return await self.post("/sign-in/again/finish", json={"credential": _sent(answer)})

    async def leave(self) -> httpx.Response:
        """Sign out."""
        return await self.post("/sign-out")

    def proof(self, method: str, path: str, **claims: Any) -> str:
        """Prove the desk's key for one request: the value of the header field ``DPoP``. ``claims``: to be wrong on purpose."""
        assert self.desk_key is not None
        return self._sign(self.desk_key, method, path, self.sign_in, **claims)

    def _sign(self, key: ECKey, method: str, path: str, sign_in: str, **claims: Any) -> str:
        said = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": self.origin + path.partition("?")[0],
            "iat": int(time.time()),
        }
        said |= {"ath": pack(sha256(sign_in.encode()).digest())} if sign_in else {}
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": {n: key.as_dict(private=False)[n] for n in ("crv", "kty", "x", "y")}}
        return jws.serialize_compact(header, msgspec.json.encode(said | claims), key, algorithms=["ES256"])


def _sent(credential: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a credential what the pages' script sends."""
    return {"id": credential["id"], "response": credential["response"]}


async def link_for(
    agency: Agency, holder: str, *, kind: InvitationKind = InvitationKind.ENROL, actor: str = "cli:test"
) -> Invitation:
    """Make a one-time link for somebody."""
    async with agency.connected("ecluse_app") as app:
        return await invite(app, log_id=1, holder=holder, actor=actor, kind=kind)


async def enrolled(agency: Agency, holder: str) -> Authenticator:
    """Give somebody a passkey without a gate: link, device and registration."""
    installation, device = agency.installation, Authenticator()
    url = with_user(installation.settings.database.url, "ecluse_app", installation.secret("db-app.password"))
    secret, site = (await link_for(agency, holder)).secret, site_of(installation.settings.pages, "Agency")
    pool = await open_pool(url, size=1, name="test")
    try:
        made = device.create((await begin_enrolment(pool, site, secret=secret)).options, origin=site.origin)
        await finish_enrolment(pool, site, log_id=1, secret=secret, answer=msgspec.convert(_sent(made), Registration))
    finally:
        await pool.close()
    return device


async def sign_in_officer(
    agency: Agency,
    roles: Collection[Role] = EVERY_ROLE,
    *,
    name: str = "Some Officer",
    language: str = "en",
    transport: httpx.AsyncBaseTransport | None = None,
) -> Browser:
    """Add an officer with these roles and sign them in."""
    async with agency.connected("ecluse_app") as app:
        officer, _ = await add_officer(app, log_id=1, name=name, roles=roles, actor="cli:test")
    return await _signed_in(agency, officer, language, transport)


async def sign_in_agent(
    agency: Agency,
    party: Party,
    agent: str = "",
    *,
    language: str = "en",
    transport: httpx.AsyncBaseTransport | None = None,
) -> Browser:
    """Sign an agent of a processor in, the first one if none is named."""
    return await _signed_in(agency, agent or party.agent, language, transport)


async def _signed_in(agency: Agency, holder: str, language: str, transport: httpx.AsyncBaseTransport | None) -> Browser:
    browser = Browser(origin=agency.installation.settings.pages, person=holder, language=language, transport=transport)
    link = await link_for(agency, holder)
    enrolled = await browser.enrol(link.secret)
    assert enrolled.status_code == 200, enrolled.text
    entered = await browser.come_in()
    assert entered.status_code == 200, entered.text
    return browser
