"""The person's own page, through the real gate: who gets in, whose record it is, what each look leaves, and what nobody learns from it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import httpx
import pytest

from ecluse.client import Kind, check_file, policy_of_vkey
from ecluse.embedded import EmbeddedPostgres
from ecluse.register import parse_register
from ecluse.usage import Rule
from ecluse.usage.service import defer, release
from ecluse.usage.visit import FILE_LINES, LOOKS_PER_MINUTE, PAGE_LINES
from tests.agency import Agency, founded
from tests.e2e.desk import Desk, at_work, code_of
from tests.e2e.outsider import Outsider
from tests.invented import MARK, PHONE_MARK, register_toml
from tests.signed import Browser
from tests.usage.portal import portal_of, record_of
from tests.web.pages.contexts import in_process, statements

pytestmark = pytest.mark.web

LINKS: Final = "/v1/usage/links"
COOKIE: Final = "__Host-ecluse-my-data"
SHOWN: Final = "usage:person:shown"
SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
PROOF: Final = re.compile(r'href="(/my-data/proof/[0-9]+-[0-9]+)"')


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """One agency with one gate."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data") as built:
        yield built


def subject(person: int) -> dict[str, Any]:
    """Write the body that asks for a link."""
    return {"subject": {"register": "ofii", "key": [str(person)]}}


async def link_of(portal: Outsider, person: int) -> str:
    """Return the secret of a new link."""
    answer = await portal.call("POST", LINKS, body=subject(person))
    assert answer.status_code == 200, answer.text
    url: str = answer.json()["url"]
    return url.partition("#")[2]


async def come_in(agency: Agency, secret: str, **more: Any) -> Browser:
    """Follow a link in a browser of its own."""
    browser = Browser(origin=agency.installation.settings.pages, **more)
    answer = await browser.post("/my-data/enter", {"secret": secret})
    assert (answer.status_code, answer.headers["location"]) == (303, "/my-data"), answer.text
    return browser


async def visitor_of(agency: Agency, portal: Outsider, person: int, **more: Any) -> Browser:
    """Return a browser that looks at a person's own page."""
    return await come_in(agency, await link_of(portal, person), **more)


async def looks(agency: Agency, person: int, since: int = 0) -> list[dict[str, Any]]:
    """Return the sealed looks at a person's record."""
    return [e for e in await agency.openings(since=since) if e["event"] == SHOWN and e["subject"] == f"ofii:{person}"]


@asynccontextmanager
async def disclosed(agency: Agency, *persons: int, **terms: Any) -> AsyncIterator[tuple[Desk, Outsider]]:
    """Let a contractor see these persons, and return it with a portal."""
    async with at_work(agency, persons, **terms) as desk, portal_of(agency) as portal:
        for person in persons:
            assert code_of(await desk.disclose(person)) == "ok"
        yield desk, portal


async def proven(browser: Browser) -> list[str]:
    """Return where the proofs of the first page are, once a checkpoint covers every line."""
    for _ in range(60):
        text = (await browser.open("/my-data")).text
        if "The proof comes in a few seconds" not in text:
            return PROOF.findall(text)
        await asyncio.sleep(0.25)
    raise AssertionError("no checkpoint covered the lines")


# ── who gets in ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_link_when_asked_for_by_anybody_but_a_portal_then_refused(agency: Agency) -> None:
    """A processor's, a scheduler's and an auditor's machine, and a stranger, get no link; nothing is kept."""
    scheduler, auditor = await agency.machine(None), await agency.machine(None, "auditor")
    async with at_work(agency, [10]) as desk, httpx.AsyncClient(base_url=agency.public_url) as stranger:
        codes = [code_of(await stranger.post(LINKS, json=subject(10)))]
        codes.append(code_of(await desk.machine.call("POST", LINKS, body=subject(10))))
    for machine in (scheduler, auditor):
        async with Outsider(agency.public_url, machine.id, machine.key) as other:
            codes.append(code_of(await other.call("POST", LINKS, body=subject(10))))
    assert codes == ["invalid-token", "wrong-role", "wrong-role", "wrong-role"]
    assert await agency.fetch("select 1 from ecluse.usage_visit where subject_ref = 'ofii:10'") == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"subject": {"register": "other", "key": ["10"]}},
        {"subject": {"register": "ofii", "key": []}},
        {"subject": {"register": "ofii", "key": [""]}},
        subject(10) | {"language": "fr"},
    ],
    ids=str,
)
async def test_link_when_the_body_is_not_as_the_schema_says_then_refused(agency: Agency, body: object) -> None:
    """Another register, no key, an unknown member: no link."""
    async with portal_of(agency) as portal:
        assert code_of(await portal.call("POST", LINKS, body=body)) == "invalid-request"


async def test_link_when_made_then_its_secret_is_in_the_fragment_and_only_its_digest_kept(agency: Agency) -> None:
    """The address bears nothing of the person; the database holds neither the secret nor an entry yet."""
    async with portal_of(agency) as portal:
        size = await agency.size()
        answer = await portal.call("POST", LINKS, body=subject(11))
    link = answer.json()
    page, _, secret = link["url"].partition("#")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert page == f"{agency.installation.settings.pages}/my-data"
    assert SECRET.fullmatch(secret)
    left = datetime.fromisoformat(link["expires_at"]) - await agency.now()
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    rows = await agency.fetch("select digest::text from ecluse.usage_visit where subject_ref = 'ofii:11'")
    assert secret not in str(rows)
    assert await agency.size() == size


async def test_link_when_used_twice_expired_or_invented_then_one_answer(agency: Agency) -> None:
    """What was used, is too old, or never was opens nothing, and says the same."""
    async with portal_of(agency) as portal:
        used, old = await link_of(portal, 12), await link_of(portal, 12)
    await come_in(agency, used)
    await agency.execute(
        "update ecluse.usage_visit set made_at = made_at - interval '11 minutes', ends_at = ends_at - interval '11 minutes' "
        "where until_at is null and subject_ref = 'ofii:12'"
    )
    texts = set()
    for secret in (used, old, "A" * 43, "x", "A" * 500, "é" * 43):
        browser = Browser(origin=agency.installation.settings.pages)
        answer = await browser.post("/my-data/enter", {"secret": secret})
        assert (answer.status_code, COOKIE in browser.cookies) == (410, False), secret
        texts.add(answer.text)
    assert len(texts) == 1


async def test_link_when_two_follow_it_at_once_then_one_gets_in(agency: Agency) -> None:
    """Of ten who come with one link, one has a visit."""
    async with portal_of(agency) as portal:
        secret = await link_of(portal, 13)
    browsers = [Browser(origin=agency.installation.settings.pages) for _ in range(10)]
    answers = await asyncio.gather(*(each.post("/my-data/enter", {"secret": secret}) for each in browsers))
    assert sorted(answer.status_code for answer in answers) == [303] + [410] * 9
    assert sum(COOKIE in each.cookies for each in browsers) == 1


async def test_link_when_sent_by_another_site_then_refused_and_still_good(agency: Agency) -> None:
    """A form of somebody else's page does not log its victim in to another person's record."""
    async with portal_of(agency) as portal:
        secret = await link_of(portal, 14)
    browser = Browser(origin=agency.installation.settings.pages)
    refused = await browser.post("/my-data/enter", {"secret": secret}, headers={"sec-fetch-site": "cross-site"})
    assert (refused.status_code, COOKIE in browser.cookies) == (403, False)
    await come_in(agency, secret)


async def test_link_when_pasted_whole_then_opens(agency: Agency) -> None:
    """Without script the whole link is pasted; what stands before the # is left alone."""
    async with portal_of(agency) as portal:
        secret = await link_of(portal, 14)
    await come_in(agency, f"{agency.installation.settings.pages}/my-data#{secret}")


async def test_links_when_more_than_the_portals_looks_of_a_minute_then_refused(agency: Agency) -> None:
    """Links and looks of one portal share one ceiling; what visits look at has its own."""
    gate = agency.start_gate(usage__looks_per_minute=3)
    try:
        machine = await agency.machine(None, "portal")
        await agency.stop_clock((await agency.now()).replace(second=1, microsecond=0) + timedelta(minutes=1))
        async with Outsider(agency.public_url, machine.id, machine.key, via=f"http://127.0.0.1:{gate.port}") as portal:
            first = (await portal.call("POST", LINKS, body=subject(15))).json()["url"]
            codes = [code_of(await portal.call("POST", "/v1/usage", body=subject(15) | {"language": "en"}))]
            await link_of(portal, 15)
            codes.append(code_of(await portal.call("POST", LINKS, body=subject(15))))
            codes.append(code_of(await portal.call("POST", "/v1/usage", body=subject(15) | {"language": "en"})))
        browser = await come_in(agency, first.partition("#")[2])
        pages = [(await browser.get(f"/my-data?before=1-{n}")).status_code for n in range(1, 7)]
    finally:
        await agency.reset_clock()
        agency.stop_gate(gate)
    assert codes == ["ok", "too-many-requests", "too-many-requests"]
    assert pages == [200] * 6


async def test_portal_when_suspended_or_its_key_revoked_then_its_links_and_visits_are_over_for_good(agency: Agency) -> None:
    """A hold ends links and visits at once, and its release revives none; a revoked key does the same."""
    for stop in ("hold", "revoke"):
        machine = await agency.machine(None, "portal")
        async with portal_of(agency, machine) as portal:
            visit, secret = await visitor_of(agency, portal, 16), await link_of(portal, 16)
            assert "up to" in (await visit.get("/my-data")).text
            if stop == "hold":
                hold, _ = await agency.hold("client", machine.id)
                await agency.release(hold)
            else:
                await agency.revoke(machine)
            size = await agency.size()
        after = await visit.get("/my-data")
        late = await Browser(origin=agency.installation.settings.pages).post("/my-data/enter", {"secret": secret})
        assert "Your visit is over" in after.text
        assert (COOKIE in visit.cookies and bool(visit.cookies[COOKIE]), late.status_code) == (False, 410)
        assert await agency.size() == size


# ── the visit ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_cookie_when_given_then_of_this_host_alone_and_new(agency: Agency) -> None:
    """The cookie is bound to the host, unread by scripts, sent by no other site, gone with the browser, and is not the link's secret."""
    async with portal_of(agency) as portal:
        secret = await link_of(portal, 17)
    async with httpx.AsyncClient(base_url=agency.public_url, headers={"sec-fetch-site": "same-origin"}) as plain:
        answer = await plain.post("/my-data/enter", data={"secret": secret})
    (field,) = [each for each in answer.headers.get_list("set-cookie") if each.startswith(COOKIE)]
    value = field.partition(";")[0].partition("=")[2]
    attributes = {part.strip().partition("=")[0].lower() for part in field.split(";")[1:]}
    assert {"secure", "httponly", "samesite", "path"} <= attributes
    assert {"domain", "expires", "max-age"} & attributes == set()
    assert "samesite=strict" in field.lower()
    assert value != secret
    assert SECRET.fullmatch(value)


async def test_visit_when_idle_or_too_long_then_over(agency: Agency) -> None:
    """After a quarter of an hour without a sign of life, and after an hour in any case, nothing is shown and nothing sealed."""
    async with portal_of(agency) as portal:
        idle, long = await visitor_of(agency, portal, 18), await visitor_of(agency, portal, 18)
    rows = await agency.fetch("select digest from ecluse.usage_visit where subject_ref = 'ofii:18' order by made_at")
    await agency.execute("update ecluse.usage_visit set seen_at = seen_at - interval '15 minutes' where digest = $1", rows[0][0])
    await agency.execute("update ecluse.usage_visit set ends_at = ecluse.clock() where digest = $1", rows[1][0])
    size = await agency.size()
    for browser in (idle, long):
        answers = [await browser.get(path) for path in ("/my-data", "/my-data/record.json", "/my-data/proof/1-0")]
        assert "Your visit is over" in answers[0].text
        assert not browser.cookies.get(COOKIE)
    assert await agency.size() == size


async def test_visit_when_closed_then_the_cookie_opens_nothing(agency: Agency) -> None:
    """Closing forgets the visit; a copy of its cookie is as good as none, and the browser is told to forget."""
    async with portal_of(agency) as portal:
        browser = await visitor_of(agency, portal, 19)
    copy = dict(browser.cookies)
    closed = await browser.post("/my-data/close")
    assert (closed.status_code, closed.headers["clear-site-data"]) == (303, '"cache"')
    assert "The page is closed" in (await browser.open(closed.headers["location"])).text
    thief = Browser(origin=agency.installation.settings.pages, cookies=copy)
    assert "Your visit is over" in (await thief.get("/my-data")).text
    assert await agency.fetch("select 1 from ecluse.usage_visit where subject_ref = 'ofii:19'") == []


async def test_browser_when_another_person_comes_then_the_first_visit_is_closed(agency: Agency) -> None:
    """On a shared computer the next link ends what was open."""
    async with disclosed(agency, 20, 21) as (desk, portal):
        browser = await visitor_of(agency, portal, 20)
        before = dict(browser.cookies)
        await browser.post("/my-data/enter", {"secret": await link_of(portal, 21)})
        assert desk.party.name.title() in (await browser.get("/my-data")).text
    assert "Your visit is over" in (await Browser(origin=agency.installation.settings.pages, cookies=before).get("/my-data")).text


async def test_officers_cookie_when_brought_then_no_visit(agency: Agency) -> None:
    """The cookie of another room, or of a link, opens no record."""
    async with portal_of(agency) as portal:
        secret = await link_of(portal, 22)
    for name, value in (("__Host-ecluse", secret), (COOKIE, secret), (COOKIE, "A" * 43)):
        answer = await Browser(origin=agency.installation.settings.pages, cookies={name: value}).get("/my-data")
        assert "/my-data/renew" not in answer.text


# ── whose record ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_visit_when_ids_of_another_person_are_asked_for_then_as_if_unknown(agency: Agency) -> None:
    """A proof of somebody else's line and of no line are one answer; a page that begins at theirs shows one's own."""
    async with disclosed(agency, 23, 24) as (_, portal):
        own, other = await visitor_of(agency, portal, 23), await visitor_of(agency, portal, 24)
        (mine,), (theirs,) = await proven(own), await proven(other)
        stolen, nothing = await own.get(theirs), await own.get("/my-data/proof/1-999999")
        odd = [(await own.get(f"/my-data/proof/{text}")).status_code for text in ("x", "01-1", "1-01", "1--1", "0-1", "99999-1")]
        place = theirs.rpartition("/")[2]
        page = (await own.get(f"/my-data?before=1-{int(place[2:]) + 1}")).text
        taken = await own.get(mine)
    assert (stolen.status_code, nothing.status_code, odd) == (404, 404, [404] * 6)
    varies = re.compile(r"[0-9]{2}:[0-9]{2}|/proof/[0-9-]+")
    assert varies.sub("", stolen.text) == varies.sub("", nothing.text)
    assert theirs not in page
    assert taken.status_code == 200


async def test_database_when_a_look_is_not_of_the_visit_then_nothing_is_sealed(agency: Agency) -> None:
    """The database seals a visit's look for its own person and portal only, and reads none for a visit that is closed."""
    async with portal_of(agency) as portal:
        browser = await visitor_of(agency, portal, 25)
        await browser.get("/my-data")
    (row,) = await agency.fetch("select digest, client_id from ecluse.usage_visit where subject_ref = 'ofii:25'")
    digest = b"\x07" * 32
    async with agency.connected("ecluse_app") as app:
        await app.execute("select ecluse.spend(1, $1)", digest)
    size, words = await agency.size(), []
    async with agency.connected("ecluse_usage") as role:
        for person, client in (("ofii:26", row["client_id"]), ("ofii:25", "cli_" + "a" * 26)):
            plan = await role.fetchrow(
                "select * from ecluse.usage_plan(1::smallint, 1, $1, $2, null, null, null, null, 9)", digest, person
            )
            assert plan is not None
            fields = json.dumps(
                [
                    ["event", SHOWN],
                    ["client", client],
                    ["subject", person],
                    ["detail", {"most": 9, "to": plan["at"].isoformat(), "way": "page"}],
                    ["count", plan["lines"]],
                ]
            )
            words.append(
                await role.fetchval(
                    "select ecluse.usage_seal(1::smallint, $1, $2, 1, $3, 9, '\\x00', $4, '\\x00', $5)",
                    plan["control_seq"],
                    plan["at"],
                    digest,
                    fields,
                    row["digest"],
                )
            )
        (look,) = await agency.fetch("select digest from ecluse.usage_look where visit = $1", row["digest"])
        await browser.post("/my-data/close")
        left = await role.fetch("select * from ecluse.usage_shown($1)", look["digest"])
    assert (words, left, await agency.size()) == (["over", "over"], [], size)


@pytest.mark.parametrize(("way", "most"), [("page", FILE_LINES + 1), (None, 101)])
async def test_look_when_larger_than_a_page_or_a_file_then_refused_by_the_database(
    agency: Agency, way: str | None, most: int
) -> None:
    """A person takes 3,000 lines at once at most, a portal a hundred: whatever the gate would let through."""
    digest = bytes([most % 256]) * 32
    async with agency.connected("ecluse_app") as app:
        await app.execute("select ecluse.spend(1, $1)", digest)
    async with agency.connected("ecluse_usage") as role:
        plan = await role.fetchrow(
            "select * from ecluse.usage_plan(1::smallint, 1, $1, 'ofii:25', null, null, null, null, $2)", digest, most
        )
        assert plan is not None
        detail = {"most": most, "to": plan["at"].isoformat()} | ({"way": way} if way else {})
        fields = json.dumps(
            [["event", SHOWN], ["client", "cli_x"], ["subject", "ofii:25"], ["detail", detail], ["count", plan["lines"]]]
        )
        with pytest.raises(asyncpg.InvalidParameterValueError, match="not that of a look-up"):
            await role.fetchval(
                "select ecluse.usage_seal(1::smallint, $1, $2, 1, $3, 9, '\\x00', $4, '\\x00', $5)",
                plan["control_seq"], plan["at"], digest, fields, digest if way else None,
            )  # fmt: skip


# ── each look ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_page_when_opened_then_sealed_first_once_and_in_the_persons_own_record(agency: Agency) -> None:
    """Opening the page seals one look that says it was on the person's page; loading it again, in any language, seals none; the portal's answer shows it."""
    async with disclosed(agency, 27) as (desk, portal):
        since = await agency.size()
        browser = await visitor_of(agency, portal, 27)
        pages = [(await browser.get(path)).text for path in ("/my-data", "/my-data", "/my-data?lang=fr")]
        sealed = await looks(agency, 27, since)
        lines = (await record_of(portal, 27))["usages"]
    assert len(sealed) == 1
    assert (sealed[0]["count"], sealed[0]["detail"]["way"], sealed[0]["detail"]["most"]) == (1, "page", PAGE_LINES)
    assert desk.party.name.title() in pages[0]
    assert "Data about you was shown to this organisation." in pages[1]
    assert "Des données sur vous ont été montrées à cet organisme." in pages[2]
    assert [(line["kind"], line["receiverSystem"]) for line in lines[:2]] == [
        ("record-shown", "page"),
        ("disclosure", desk.party.name),
    ]


async def test_page_when_the_look_can_not_be_sealed_then_nothing_is_shown(agency: Agency) -> None:
    """Without the right to seal there is no line on the page, and it says that nothing works now."""
    async with disclosed(agency, 28) as (desk, portal):
        browser = await visitor_of(agency, portal, 28)
        await agency.execute("revoke execute on function ecluse.usage_seal from ecluse_usage")
        try:
            answer = await browser.get("/my-data")
        finally:
            await agency.execute("grant execute on function ecluse.usage_seal to ecluse_usage")
        assert answer.status_code >= 500
        assert desk.party.name.title() not in answer.text
        assert desk.party.name.title() in (await browser.get("/my-data")).text


async def test_page_when_brought_up_to_date_then_what_came_meanwhile_is_there(agency: Agency) -> None:
    """A visit's pages stand still until the reader asks: then the disclosure of meanwhile, and the own look, are lines."""
    async with disclosed(agency, 29) as (desk, portal):
        browser = await visitor_of(agency, portal, 29)
        assert (await browser.get("/my-data")).text.count('class="my-line"') == 1
        assert code_of(await desk.disclose(29)) == "ok"
        assert (await browser.get("/my-data")).text.count('class="my-line"') == 1
        renewed = await browser.open((await browser.post("/my-data/renew")).headers["location"])
    assert renewed.text.count('class="my-line"') == 3
    assert "The list is up to date." in renewed.text
    assert "You looked at this list, on this page." in renewed.text


async def test_lines_when_held_back_then_absent_until_the_rule_ends_and_then_they_say_so(agency: Agency) -> None:
    """A rule hides a line from the page, the files and the proofs, and nothing tells; once it ends the line comes with its reason."""
    async with disclosed(agency, 30) as (desk, portal):
        browser = await visitor_of(agency, portal, 30)
        (proof,) = await proven(browser)
        rule = Rule(
            subject="ofii:30", processor=desk.party.name, purpose=None, reason="Enquête <b>en cours</b>", legal_basis="CPP art. 11",
            until_at=(await agency.now()) + timedelta(days=3),
        )  # fmt: skip
        async with agency.connected("ecluse_app") as app:
            name, _ = await defer(app, log_id=1, rule=rule, register=parse_register(register_toml()), actor="cli:test")
        hidden = [await browser.get(path) for path in ("/my-data", "/my-data/record.json", "/my-data/record.csv", proof)]
        async with agency.connected("ecluse_app") as app:
            await release(app, log_id=1, rule=name, actor="cli:test")
        shown = (await browser.get("/my-data")).text
    assert [answer.status_code for answer in hidden] == [200, 200, 200, 404]
    assert [desk.party.name in answer.text.lower() for answer in hidden] == [False] * 4
    assert "Enquête &lt;b&gt;en cours&lt;/b&gt;" in shown
    assert "Shown to you late" in shown


async def test_pages_when_turned_briskly_then_shown_and_only_a_machine_is_stopped(agency: Agency) -> None:
    """Sixty different pages in a minute are shown; the sixty-first is refused until the minute is over, and reloading is never counted."""
    async with portal_of(agency) as portal:
        await agency.stop_clock((await agency.now()).replace(second=1, microsecond=0) + timedelta(minutes=1))
        try:
            browser = await visitor_of(agency, portal, 31)
            found = [(await browser.get(f"/my-data?before=1-{n}")).status_code for n in range(1, LOOKS_PER_MINUTE + 2)]
            again = (await browser.get("/my-data?before=1-1")).status_code
        finally:
            await agency.reset_clock()
    assert found == [200] * LOOKS_PER_MINUTE + [429]
    assert again == 200


async def test_page_when_it_has_few_or_many_lines_then_as_many_statements(agency: Agency) -> None:
    """One line or three hundred: the same statements; pages are parted, and together hold every line once."""
    async with disclosed(agency, 32, 33, reads=400) as (desk, portal):
        await asyncio.gather(*(desk.disclose(33) for _ in range(300)))
        warm, one, many = [await link_of(portal, person) for person in (32, 32, 33)]
    async with in_process(agency) as (_, inside):
        transport = inside._transport
        counts = []
        for secret in (warm, one, many):
            browser = await come_in(agency, secret, transport=transport)
            with statements() as seen:
                page = await browser.get("/my-data")
            first = len(seen)
            with statements() as reloaded:
                await browser.get("/my-data")
            counts.append((first, len(reloaded)))
            assert len(page.content) < 150_000
        places: list[str] = []
        path: str | None = "/my-data"
        while path is not None:
            text = (await browser.get(path)).text
            places += re.findall(r'id="l(1-[0-9]+)"', text)
            further = re.search(r'rel="next" href="([^"]+)"', text)
            path = further[1] if further else None
        since = await agency.size()
        taken = (await browser.get("/my-data/record.json")).json()
        (sealed,) = await looks(agency, 33, since)
    assert counts[1:] == [(10, 6)] * 2
    assert (len(places), len(set(places)), len(taken["usages"]), sealed["count"]) == (301, 301, 301, 301)


# ── what is taken away ───────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_proof_when_kept_then_the_processors_own_checker_takes_it(agency: Agency) -> None:
    """The file is a C2SP tlog-proof that the client's verifier, which shares no code with the gate, opens: this person, this organisation, these forms."""
    async with disclosed(agency, 34) as (desk, portal):
        browser = await visitor_of(agency, portal, 34)
        (where,) = await proven(browser)
        answer = await browser.get(where)
    (log,) = await agency.fetch("select vkey from ecluse.ledger_log where id = 1")
    held = check_file(answer.content, policy_of_vkey(log["vkey"]))
    assert (held.kind, held.subject, held.processor, dict(held.forms)) == (
        Kind.GIVEN,
        "ofii:34",
        desk.party.name,
        {"family_name": "full"},
    )
    assert answer.headers["content-disposition"].endswith('.tlog-proof"')
    assert log["vkey"] in (await browser.get("/my-data")).text.replace("&#43;", "+")


async def test_files_when_taken_then_every_line_and_no_formula(agency: Agency) -> None:
    """JSON holds lines with proofs and notes, CSV a table that a spreadsheet runs nothing of; both are files, and kept nowhere."""
    async with disclosed(agency, 35) as (desk, portal):
        browser = await visitor_of(agency, portal, 35)
        await proven(browser)
        held, table = await browser.get("/my-data/record.json"), await browser.get("/my-data/record.csv")
    (line,) = held.json()["usages"]
    assert (line["receiverSystem"], held.json()["next"], bool(line["proof"]), len(held.json()["notes"])) == (
        desk.party.name,
        None,
        True,
        4,
    )
    heads, row = csv.reader(io.StringIO(table.content.decode("utf-8-sig")))
    assert (heads[1], row[1], row[5]) == ("Organisation", desk.party.name.title(), "Family name")
    for answer in (held, table):
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["cache-control"] == "no-store"


async def test_page_when_names_are_markup_then_they_are_text(agency: Agency) -> None:
    """An organisation, a purpose and a contract that are called markup are shown as what they are called."""
    async with disclosed(agency, 36) as (desk, portal):
        (row,) = await agency.fetch(
            "select text from ecluse.contract where processor_id = $1 order by version desc", desk.party.name
        )
        text = (
            row["text"].replace(desk.party.name.title(), "<script>alert(1)</script>", 1).replace("Formation", "=<img src=x>", 1)
        )
        await agency.apply(text)
        assert code_of(await desk.disclose(36)) == "ok"
        browser = await visitor_of(agency, portal, 36)
        page, table = (await browser.get("/my-data")).text, (await browser.get("/my-data/record.csv")).content.decode("utf-8-sig")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
    assert "'=<img src=x>" in table


# ── what nobody learns ───────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_answers_and_logs_when_searched_then_no_key_of_a_person_and_nobody_else(agency: Agency) -> None:
    """No key of the person stands in an address, a header or a log; no value, agent, session, handle or machine stands on the page; nothing is kept."""
    async with (
        at_work(agency, [37, 38], attributes={"family_name": "full", "phone": "full"}) as desk,
        portal_of(agency) as portal,
    ):
        assert code_of(await desk.disclose(37, ["family_name", "phone"])) == "ok"
        await desk.disclose(38)
        secret = await link_of(portal, 37)
        browser = await come_in(agency, secret)
        answers = [await browser.get("/my-data"), await browser.get("/my-data/record.csv"), await browser.get("/my-data?lang=fr")]
        (session,) = await agency.fetch("select id from ecluse.session where processor_id = $1", desk.party.name)
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        text = answer.text + str(answer.headers) + str(answer.url)
        for forbidden in (
            MARK, PHONE_MARK, "ofii:37", "ofii:38", desk.party.agent, session["id"], desk.handles[37], desk.handles[38],
            desk.party.machines[0].id, portal.client, secret,
        ):  # fmt: skip
            assert forbidden not in text
    log = agency.gates[0].log.read_text(encoding="utf-8")
    assert [each for each in ("ofii:37", secret, browser.cookies[COOKIE], MARK) if each in log] == []


async def test_person_when_erased_then_no_visit_names_them(agency: Agency) -> None:
    """What is over is purged with the other things that live for minutes; the eraser may forget visits too."""
    async with portal_of(agency) as portal:
        await visitor_of(agency, portal, 39)
        await link_of(portal, 39)
    await agency.execute(
        "update ecluse.usage_visit set made_at = made_at - interval '2 hours', seen_at = seen_at - interval '2 hours', ends_at = ends_at - interval '2 hours' "
        "where subject_ref = 'ofii:39'"
    )
    async with agency.connected("ecluse_jobs") as jobs:
        await jobs.execute("select ecluse.purge_usage()")
    assert await agency.fetch("select 1 from ecluse.usage_visit where subject_ref = 'ofii:39'") == []
