"""An agent's day at the desk, through the real gate: her sessions, one person at a time, a roll-call, attendance, a walk-in, and how an open page ends."""

from __future__ import annotations

import asyncio
import html
import re
from datetime import timedelta
from hashlib import sha256

import httpx
import pytest

from ecluse.schedule.spoken import find_walk_in, make_walk_in
from tests.agency import Agency
from tests.invented import MARK, NOTHING_KNOWN
from tests.signed import sign_in_agent
from tests.web.desk.working import at_work, refused_of, session_id
from tests.web.pages.contexts import in_process, statements

pytestmark = pytest.mark.web

RUNNING = timedelta(minutes=-30)


# ── one person ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_person_when_shown_then_the_contracted_attributes_in_their_forms(agency: Agency) -> None:
    """One person, in the contract's attributes and forms, sealed first, with the entry and its proof; never kept by a browser."""
    given = {"family_name": "full", "given_name": "initial", "birth_date": "year", "preferred_language": "full", "phone": "relay"}
    async with at_work(agency, [10, 11], attributes=given) as work:
        size = await agency.size()
        answer = await work.show(10)
        entry = next(each for each in await agency.openings(since=size) if each.get("appointment") == work.handles[10])
        found = re.search(r'href="(/desk/proof/dsc_[a-z2-7]{26})"', answer.text)
        assert found is not None
        proof = await work.browser.get(found[1])
        for _ in range(20):
            if "Covered by a signed state" in proof.text:
                break
            await asyncio.sleep(0.25)
            proof = await work.browser.get(found[1])
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    for words in (f"{MARK}nom0010", "Given name the initial only z.", "the year only 1980", "French (fr)"):
        assert words in text
    assert f"{MARK}nom0011" not in text
    assert "Not given:" in text
    assert "1980-01" not in text
    assert (entry["assurance"], entry["agent"], entry["index"]) == ("authenticated", work.party.agent, entry["index"])
    assert f"/desk/proof/{entry['disclosure']}" in answer.text
    assert "Covered by a signed state" in proof.text


async def test_person_when_the_page_is_loaded_again_then_no_look_is_spent(agency: Agency) -> None:
    """A nervous reload within ten minutes is answered with the same entry; what is pressed afresh is a new one."""
    async with at_work(agency, [12]) as work:
        first, again, fresh = await work.show(12), await work.show(12), await work.show(12, fresh="a" * 32)
        assert await work.reads(12) == 2
    entries = [re.search(r"/desk/proof/(\w+)", answer.text)[1] for answer in (first, again, fresh)]  # type: ignore[index]
    assert (entries[0] == entries[1], entries[0] == entries[2]) == (True, False)
    assert "no look spent" in again.text


async def test_person_when_the_register_knows_nothing_then_said(agency: Agency) -> None:
    """A value that the register lacks is said to be lacking: never a blank."""
    async with at_work(agency, [NOTHING_KNOWN]) as work:
        answer = await work.show(NOTHING_KNOWN)
    assert answer.text.count("not in the register") == 8


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"onload="alert(1)', "{{ 7*7 }}", "\u202egnp.exe", "Ōe & <b>"])
async def test_name_when_it_is_markup_then_only_text(agency: Agency, name: str) -> None:
    """A person whose name is markup is shown as it stands, on the page and on the roll-call."""
    async with at_work(agency, [13], sheet={"family_name": "full"}) as work:
        await agency.change_register("update registre.personne set nom = $1 where numero = 13", name)
        answers = [
            await work.show(13, fresh=name.encode().hex()[:32]),
            await work.act("sheet", {"fresh": name.encode().hex()[:32]}),
        ]
    for answer in answers:
        assert answer.status_code == 200
        assert str(html.escape(name, quote=True)).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in answer.text
        assert "<script>" not in answer.text.lower()
        assert "<b>" not in answer.text


# ── the day ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_day_when_sessions_are_hers_and_others_then_each_in_its_place(agency: Agency) -> None:
    """Her sessions come first; a colleague's are folded, with whom to call; those of other days and processors in short or not at all."""
    async with at_work(agency, [20], agents=2) as work, at_work(agency, [21]) as other:
        await agency.schedule(
            await agency.meeting(work.party, [22], begins_in=timedelta(days=2), ref="S2"),
            await agency.meeting(work.party, [23], begins_in=timedelta(days=20), ref="S3"),
        )
        colleague = await sign_in_agent(agency, work.party, work.party.agents[1])
        mine, theirs = await work.browser.get("/desk"), await colleague.get("/desk")
        page = await colleague.get(work.root)
        shown = await work.show(20, browser=colleague)
        soon, far = await session_id(agency, work.party, "S2"), await session_id(agency, work.party, "S3")
    folded = '<details class="panel desk-others"'
    assert work.session in mine.text.partition(folded)[0]
    assert work.session in theirs.text.partition(folded)[2]
    assert work.session not in theirs.text.partition(folded)[0]
    assert soon in mine.text
    assert not [each for each in (far, other.session) if each in mine.text + theirs.text]
    assert not [each for each in (*work.handles.values(), f"{MARK}nom") if each in mine.text]
    assert "not on this session" in html.unescape(page.text)
    assert shown.status_code == 200


async def test_pages_when_there_are_many_places_then_as_many_statements(agency: Agency) -> None:
    """Each page asks the database the same number of questions with one place and with thirty, and stays small."""
    async with in_process(agency) as (_, inside):
        transport = inside._transport
        async with at_work(agency, [30], transport=transport) as one, at_work(agency, range(30, 60), transport=transport) as many:
            for page in ("/desk", "", "/attendance", "/sheet", "/walk-in"):
                counts = []
                for work in (one, many):
                    await work.browser.get("/desk")  # reads the configuration, which the other sign-in changed
                    with statements() as seen:
                        answer = await work.browser.get(page if page == "/desk" else work.root + page)
                    assert answer.status_code == 200
                    assert len(answer.content) < 150_000
                    counts.append(len(seen))
                assert counts[0] == counts[1] <= 5, page


# ── roll-call, attendance, walk-in ───────────────────────────────────────────────────────────────────────────────────────────
async def test_sheet_when_granted_then_all_once_with_its_end(agency: Agency) -> None:
    """The roll-call shows what the contract's sheet names, one disclosure a place, bears agent and end, and a repetition spends nothing."""
    async with at_work(agency, [40, 41, 42], sheet={"family_name": "full", "given_name": "initial"}) as work:
        size = await agency.size()
        first, again = await work.act("sheet"), await work.act("sheet")
        entries = [each for each in await agency.openings(since=size) if each.get("event") == "disclosure:sheet:granted"]
        reads = [await work.reads(n) for n in (40, 41, 42)]
    assert (len(entries), reads) == (3, [1, 1, 1])
    assert first.status_code == again.status_code == 200
    for number in (40, 41, 42):
        assert first.text.count(f"{MARK}nom00{number}") == 1
    assert "Destroy this sheet" in first.text
    assert f"{MARK}agent0" in first.text
    assert "z." in first.text


async def test_sheet_when_the_contract_has_none_then_none(agency: Agency) -> None:
    """Without a roll-call in the contract the page says so, and the act is refused."""
    async with at_work(agency, [43]) as work:
        page, act = await work.browser.get(f"{work.root}/sheet"), await work.act("sheet")
    assert "No roll-call" in page.text
    assert (act.status_code, refused_of(act)) == (403, "attribute-not-contracted")


async def test_outcomes_when_some_fail_then_each_is_said(agency: Agency) -> None:
    """Attendance is recorded place by place under the agent's own name; what could not be is named, and the rest stands."""
    async with at_work(agency, [44, 45], begins_in=RUNNING) as work, at_work(agency, [46], begins_in=RUNNING) as other:
        said = [f"{work.handles[44]} present", f"{work.handles[45]} absent A1", f"{other.handles[46]} present"]
        answer = await work.act("outcomes", {"said": said})
        rows = await agency.fetch(
            "select appointment_id, attendance, agent_id from ecluse.outcome where processor_id = any($1)", [work.party.name, other.party.name]
        )  # fmt: skip
        page = await work.browser.get(f"{work.root}/attendance")
    assert [tuple(row) for row in rows] == [(work.handles[44], "present", work.party.agent)]
    assert (answer.status_code, answer.text.count("data-failed=")) == (200, 2)
    assert f'data-recorded="{work.handles[44]}"' in answer.text
    assert page.text.count("data-was />") == 1
    assert MARK + "nom" not in page.text + answer.text


async def test_outcomes_when_too_early_then_from_when(agency: Agency) -> None:
    """Before the session begins nothing is recorded, and the page says from when."""
    async with at_work(agency, [47]) as work:
        page, answer = (
            await work.browser.get(f"{work.root}/attendance"),
            await work.act("outcomes", {"said": f"{work.handles[47]} present"}),
        )
    assert "from the start of the session" in page.text
    assert "can be written from" in answer.text
    assert 'data-recorded=""' in answer.text


async def test_walk_in_when_asked_then_a_code_that_ends(agency: Agency) -> None:
    """The code leads the agency to session and agent for an hour, is the same when asked again, and then to nothing."""
    async with at_work(agency, [48]) as work:
        answers = [await work.act("walk-in") for _ in range(3)]
        codes = {re.search(r"(\d{4}) (\d{4})", answer.text)[0] for answer in answers}  # type: ignore[index]
        (code,) = codes
        async with agency.connected("ecluse_app") as app:
            found = await find_walk_in(app, code)
            assert found is not None
            assert (found.session, found.agent, found.processor) == (work.session, work.party.agent, work.party.name)
            assert await find_walk_in(app, code.replace(" ", "-")) is not None
            assert [await find_walk_in(app, guess) for guess in ("", "1234", "x" * 8, code + "0", "9" * 40)] == [None] * 5
        await agency.set_clock_offset(agency.offset + timedelta(minutes=61))
        try:
            async with agency.connected("ecluse_app") as app:
                assert await find_walk_in(app, code) is None
                fresh = await make_walk_in(app, work.session, work.party.agent)
                assert fresh.code != code.replace(" ", "")
        finally:
            await agency.reset_clock()


async def test_walk_in_when_asked_without_end_then_one_code_lives(agency: Agency) -> None:
    """However often an agent asks there is one code of hers: of 100,000,000 a guess finds as many as there are agents at work."""
    async with at_work(agency, [49]) as work:
        async with agency.connected("ecluse_app") as app:
            codes = [(await make_walk_in(app, work.session, work.party.agent)).code for _ in range(50)]
        rows = await agency.fetch("select code from ecluse.walk_in where agent_id = $1", work.party.agent)
    assert (len(set(codes)), len(rows)) == (1, 1)
    assert re.fullmatch(r"\d{8}", codes[0])


# ── an open page ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_stream_when_the_agent_is_suspended_then_ends_within_a_second(agency: Agency) -> None:
    """An open desk hears that its sign-in is over before anybody could press again."""
    async with at_work(agency, [50]) as work:
        fields = {"cookie": "; ".join(f"{name}={value}" for name, value in work.browser.cookies.items())}
        async with (
            httpx.AsyncClient(base_url=work.browser.origin, timeout=20, trust_env=False) as client,
            client.stream("GET", "/desk/live", headers=fields) as stream,
        ):
            lines = stream.aiter_lines()
            async for line in lines:
                if line == "event: head":
                    break
            await agency.hold("agent", work.party.agent)
            began = asyncio.get_running_loop().time()
            async with asyncio.timeout(10):
                async for line in lines:
                    if line == "event: end":
                        break
            took = asyncio.get_running_loop().time() - began
        assert (await work.show(50)).status_code == 401
    assert took < 5  # a second where nothing else runs


async def test_standing_when_the_place_or_its_person_is_stopped_then_only_that_one_goes(agency: Agency) -> None:
    """A place called off and a person held are told to the screen that shows them, and to no other; who is no place of the session is told alike."""
    async with at_work(agency, [52, 53, 54]) as work:

        async def stands() -> list[int]:
            tags = [sha256(handle.encode()).hexdigest()[:16] for handle in (work.handles[n] for n in (52, 53, 54))]
            answers = [await work.browser.get(f"{work.root}/standing?place={tag}") for tag in tags]
            return [answer.status_code for answer in answers]

        before = await stands()
        await agency.schedule(work.meeting, cancelled=[52])
        after = await stands()
        hold, _ = await agency.hold("person", "ofii:53")
        held = await stands()
        await agency.release(hold)
        released = await stands()
        unknown = await work.browser.get(f"{work.root}/standing?place=0123456789abcdef")
    assert (before, after, held, released) == ([204] * 3, [403, 204, 204], [403, 403, 204], [403, 204, 204])
    assert (unknown.status_code, refused_of(unknown)) == (403, "not-disclosable")


async def test_standing_when_nothing_changed_then_nothing(agency: Agency) -> None:
    """Whoever is shown stays while the gate would show them."""
    async with at_work(agency, [51]) as work:
        answer = await work.browser.get(f"{work.root}/standing")
    assert (answer.status_code, answer.content) == (204, b"")
