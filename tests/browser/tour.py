"""A tour of every page, with somebody before it who may be there: nobody yet, an officer with every role, a trainer at the desk, a person the data is about.

It goes where links lead from each room's front page, once to each route. What only an act leads to is made before (`prepare`) or at its stop; a stop whose
route bears a ``#`` is a page in a state that no address leads to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from joserfc.jwk import ECKey
from playwright.async_api import Browser, expect

from ecluse.contracts.service import place_hold
from ecluse.evidence.questionnaire import service as questionnaires
from ecluse.identity import parse_public_jwk
from ecluse.identity.people import Role
from ecluse.identity.service import add_client
from ecluse.register import parse_register
from ecluse.usage.lookup import ask_lookup
from tests.browser.furnished import Furnished
from tests.browser.people import agent, officer, officer_link
from tests.browser.somebody import Somebody, somebody
from tests.browser.walk import walk
from tests.e2e.outsider import Outsider
from tests.governed import LOG, as_app, ask

SENTENCES: Final[dict[str, str]] = {
    "/sign-in": "Sign in with a passkey: no name, no password.",
    "/sign-in/again": "The passkey once more, just before what weighs.",
    "/enrol": "A one-time link: make the first passkey.",
    "/problems": "Every reason for which the gate refuses.",
    "/problems/{code}": "One reason: what it means, whose move it is.",
    "/my-data": "The way in for the person the data is about.",
    "/my-data#record": "Who saw my data, what, when and why, each line with its proof.",
    "/my-data/help": "The words of that page, in plain language.",
    "/console": "An officer's day: what waits, which gates need somebody, what was decided.",
    "/console/help": "Words and keys of the console.",
    "/console/processors": "Every processor, its gate and why it stands so.",
    "/console/processors/{id}": "One processor: gate, contract, evidence, findings, people, machines.",
    "/console/processors/{id}/contracts/{version}": "One version of a contract, word for word.",
    "/console/processors/{id}/evidence": "What a processor has handed in, and where the next document is.",
    "/console/processors/{id}/exposure": "What a thief of all its credentials could reach.",
    "/console/processors/{id}/findings/new": "Open a finding.",
    "/console/processors/{id}/overrides/new": "Ask that a reason be lifted for a while.",
    "/console/processors/{id}/papers": "The papers that its contract and the ledger give.",
    "/console/processors/{id}/questionnaires/new": "Send a questionnaire by a link.",
    "/console/evidence": "Documents that wait for somebody's judgement.",
    "/console/evidence/{id}": "One document: what it says, what accepting it changes.",
    "/console/questionnaires": "Questionnaires sent, answered, read.",
    "/console/questionnaires/{id}": "One questionnaire and its answers.",
    "/console/findings": "Findings by their due day.",
    "/console/findings/{id}": "One finding, and what closing it changes.",
    "/console/holds": "What is suspended now, and what was.",
    "/console/holds/{id}": "One suspension, and the button that ends it.",
    "/console/holds/new/{kind}/{target}": "Suspend a processor, a machine or an agent.",
    "/console/overrides": "Overrides asked for, in force and over.",
    "/console/overrides/{id}": "One override: two people, a reason, an end.",
    "/console/exposure": "What could leak, processor by processor.",
    "/console/exposure/figures": "The same figures on a page of their own.",
    "/console/ledger": "State of the log, its witnesses and its newest control entries.",
    "/console/schedule": "Who is expected where and when, without a name; a plan is sent here.",
    "/console/schedule/draft": "What a plan would do, before it does it.",
    "/console/schedule/draft#refused": "A plan with rows that have to be mended.",
    "/console/schedule/imports": "Plans that were sent, and those that wait for a second officer.",
    "/console/schedule/imports/{request_id}": "One plan above a contract's volume.",
    "/console/schedule/walk-in": "Somebody stands at a desk and is on no list.",
    "/console/decisions": "Decisions, by entry, appointment or processor.",
    "/console/decisions/{log}/{index}": "One decision explained: rule by rule, with its place in the log.",
    "/console/emergency": "Overrides of the emergency key, and their review.",
    "/console/flows": "Where data goes: declared against seen.",
    "/console/flows/{processor}": "One processor's flows, and what could be given less.",
    "/console/what-if": "Try a contract before it is applied.",
    "/console/what-if#tried": "What that contract would change.",
    "/console/look-up": "Look one person up, with a second officer's yes.",
    "/console/look-up/{lookup}": "One look-up that was asked for.",
    "/console/look-up/{lookup}#approved": "The same, approved.",
    "/console/accounts": "Who may sign in, and who is signed in now.",
    "/console/accounts/{holder}": "One account: roles, passkeys, recovery.",
    "/console/accounts/processors/{processor}": "A processor's agents and their links.",
    "/desk": "A trainer's day.",
    "/desk/help": "Words and keys of the desk.",
    "/desk/sessions/{session}": "One session: places and marks, no names.",
    "/desk/sessions/{session}#person": "One person, shown under a watermark until the time is over.",
    "/desk/sessions/{session}#refused": "A refusal that says why, and what to do.",
    "/desk/sessions/{session}/attendance": "Who was there, without a name.",
    "/desk/sessions/{session}/sheet": "A roll-call, where the contract grants one.",
    "/desk/sessions/{session}/sheet#shown": "The roll-call when it was asked for.",
    "/desk/sessions/{session}/walk-in": "Somebody who is on no list: the code to read out.",
    "/desk/proof/{disclosure}": "The proof that a look was sealed.",
}
"""What each page is for, by its route."""
PLAN: Final = "source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status"
PLANNED: Final = (
    "select a.subject_ref, (select min(agent_id) from ecluse.session_agent g where g.session_id = a.session_id) as agent "
    "from ecluse.appointment a where a.processor_id = $1 order by a.id limit 1"
)
LEAVES: Final = r"^/(sign-out|sign-in|problems)"
TRAINERS: Final = "lyon-formation"
FROZEN: Final = "nantes-passerelle"


async def prepare(agency: Furnished) -> list[str]:
    """Let happen what a day of the demo has not: a machine suspended, an override asked for, a questionnaire sent. Return the pages that they are on."""
    installation = agency.installation
    register = parse_register((agency.folder / "register.toml").read_text(encoding="utf-8"))
    machine = agency.processor(TRAINERS)["client_id"]
    async with as_app(installation) as app:
        hold, _ = await place_hold(
            app, log_id=LOG, scope="client", target=machine, effect="suspend", reason="ordinateur volé à Vénissieux", actor="cli:demo", register=register
        )  # fmt: skip
        finding = await app.fetchval("select id from ecluse.finding where processor_id = $1 and closed_at is null", FROZEN)
        asked = questionnaires.own_questionnaire()
        sent = await questionnaires.send(app, FROZEN, asked, language=asked.locale, actor="cli:demo")
        person = await app.fetchval("select min(subject_ref) from ecluse.appointment where processor_id = $1", TRAINERS)
        lookup, _ = await ask_lookup(
            app, log_id=LOG, register=register, subject=person, purpose="réclamation reçue par courrier", actor=await colleague(agency)
        )  # fmt: skip
    override = await ask(installation, FROZEN, f"finding:overdue:{finding}")
    return [
        f"/console/holds/{hold}",
        f"/console/overrides/{override}",
        f"/console/questionnaires/{sent.response}",
        f"/console/look-up/{lookup}",
    ]


async def colleague(agency: Furnished) -> str:
    """Open the account of a second officer, who never signs in here; return its id."""
    holder, _ = await officer_link(agency.installation, "Bruno Vasseur", Role.DPO, Role.CASE_WORKER)
    return holder


async def tour(browser: Browser, agency: Furnished, **options: Any) -> AsyncIterator[tuple[Somebody, str]]:
    """Go everywhere. Each stop is a page that stands, and its route."""
    extra, shown = await prepare(agency), list[str]()
    for part in (
        outside(browser, agency, **options),
        console(browser, agency, extra, **options),
        desk(browser, agency, shown, **options),
    ):
        async for stop in part:
            yield stop
    async for stop in mine(browser, agency, shown[0], **options):
        yield stop


async def outside(browser: Browser, agency: Furnished, **options: Any) -> AsyncIterator[tuple[Somebody, str]]:
    """Stop where nobody is signed in yet."""
    async with somebody(browser, agency.origin, **options) as person:
        async for route in walk(person, ["/sign-in", "/problems", "/my-data", "/my-data/help"], never=r"^/(console|desk)"):
            yield person, route
        _, link = await officer_link(agency.installation, "Inès Carpentier", Role.READER)
        await person.open(link)
        await expect(person.page.locator("[data-before]")).to_be_visible()
        yield person, "/enrol"


async def console(browser: Browser, agency: Furnished, extra: list[str], **options: Any) -> AsyncIterator[tuple[Somebody, str]]:
    """Stop at the console's pages."""
    starts = [
        "/console",
        *extra,
        f"/console/decisions?processor={TRAINERS}",
        f"/console/processors/{FROZEN}/overrides/new",
        f"/console/processors/{TRAINERS}",
        f"/console/processors/{TRAINERS}/exposure",
        "/console/exposure/figures",
    ]
    async with officer(browser, agency.installation, *Role, name="Claire Moulin", **options) as person:
        async for route in walk(person, starts, never=LEAVES):
            await settled(person)
            yield person, route
        async for route in acts(person, agency):
            yield person, route
        await person.open("/sign-in/again?next=/console")
        yield person, "/sign-in/again"


async def acts(person: Somebody, agency: Furnished) -> AsyncIterator[str]:
    """Stop where forms of the console lead: a plan that is read, a contract that is tried, a record that is looked at."""
    installation = agency.installation
    async with as_app(installation) as app:
        subject, agents = await app.fetchrow(PLANNED, TRAINERS)
    starts_at = (datetime.now(UTC) + timedelta(days=3)).replace(hour=9, minute=0, second=0, microsecond=0)
    when = f"{starts_at:%Y-%m-%dT%H:%M:%SZ},{starts_at + timedelta(hours=3):%Y-%m-%dT%H:%M:%SZ},{agents},planned"
    rows = [
        f"portail,V{n},P{n},{subject},civic-training,{TRAINERS},{site},salle {n},{when}"
        for n, site in ((8, "lyon-3"), (9, "nulle-part"))
    ]
    for name, some in (("#refused", rows), ("", rows[:1])):
        await person.open("/console/schedule")
        person.may_be_refused.add(422)
        content = "\n".join([PLAN, *some]).encode()
        await person.page.locator("main [type=file]").set_input_files(
            {"name": "plan.csv", "mimeType": "text/csv", "buffer": content}
        )
        await person.page.locator("form[enctype] button").click()
        await expect(person.page.locator("main table, main .facts").first).to_be_visible()
        yield f"/console/schedule/draft{name}"
    await person.open(f"/console/what-if?processor={TRAINERS}")
    text = person.page.locator("textarea[name=text]")
    await text.fill((await text.input_value()).replace('birth_date = "year"', 'birth_date = "full"', 1))
    await person.page.locator("form[enctype] button").click()
    await expect(person.page.locator("#changes")).to_be_visible()
    yield "/console/what-if#tried"
    await person.open("/console/look-up")
    await person.page.locator("main th a").first.click()
    await person.page.locator("button[value=approve]").click()
    await expect(person.page.locator(".notice").first).to_be_visible()
    yield "/console/look-up/{lookup}#approved"


async def mine(browser: Browser, agency: Furnished, handle: str, **options: Any) -> AsyncIterator[tuple[Somebody, str]]:
    """Stop at a person's own list, by a portal's link."""
    installation, key = agency.installation, ECKey.generate_key("P-256")
    async with as_app(installation) as app:
        subject: str = await app.fetchval("select subject_ref from ecluse.appointment where id = $1", handle)
        public = parse_public_jwk(key.as_dict(private=False))
        portal, _ = await add_client(app, log_id=LOG, processor=None, label="portal", key=public, actor="cli:demo", role="portal")
    register, _, number = subject.partition(":")
    async with Outsider(agency.told["base_url"], portal, key) as machine, somebody(browser, agency.origin, **options) as person:
        answer = await machine.call("POST", "/v1/usage/links", body={"subject": {"register": register, "key": [number]}})
        await person.open(answer.json()["url"])
        await expect(person.page.locator(".my-line").first).to_be_visible()
        yield person, "/my-data#record"


async def desk(browser: Browser, agency: Furnished, shown: list[str], **options: Any) -> AsyncIterator[tuple[Somebody, str]]:
    """Stop at the desk's pages; a session under way is begun with. ``shown``: takes the place of the person who was shown."""
    async with agent(browser, agency.installation, agency.processor(TRAINERS)["agents"][1], **options) as person:
        running = person.page.locator(
            '.desk-session[data-state="running"] a, .desk-session[data-state="open"] a, .desk-session[data-state="ended"] a'
        )
        yield person, "/desk"
        await person.open("/desk")
        way = await running.first.get_attribute("href")
        assert way is not None
        async for route in walk(person, [way, "/desk/help"], never=LEAVES):
            if route != "/desk":
                yield person, route
        await person.open(way)
        button = person.page.locator("[data-show]:enabled").nth(3)
        await button.click()
        await expect(person.page.locator("[data-person]")).to_be_visible()
        shown.append(await button.get_attribute("data-show") or "")
        yield person, "/desk/sessions/{session}#person"
        proof = await person.page.locator(".desk-seal a").get_attribute("href")
        assert proof is not None
        await person.open(proof)
        yield person, "/desk/proof/{disclosure}"
        await person.open(f"{way}/sheet")
        await person.page.locator("[data-sheet]").click()
        await expect(person.page.locator("[data-person]")).to_be_visible()
        yield person, "/desk/sessions/{session}/sheet#shown"
        person.may_be_refused.add(403)
        await person.open("/desk")
        await person.page.locator(".desk-others summary").click()
        await person.page.locator(".desk-others a", has_text="linguistique").first.click()
        await person.page.locator(".desk-place", has_text="épuisé").first.locator("[data-show]").click()
        await expect(person.page.locator("[data-refused]")).to_be_visible()
        yield person, "/desk/sessions/{session}#refused"


async def settled(person: Somebody) -> None:
    """Wait for the parts that a page fetches when it has loaded."""
    for place in await person.page.locator('[hx-trigger="load"]').all():
        await expect(place.locator(".htmx-indicator")).to_have_count(0)
