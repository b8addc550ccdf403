"""A questionnaire behind its link, through the HTTP door of a real gate: refusals first, then a whole filling, and what a hostile answer becomes."""

from __future__ import annotations

import html
import re
import secrets
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any, Final

import httpx
import jinja2
import pytest

from ecluse.contracts.service import add_processor
from ecluse.evidence.questionnaire import service
from ecluse.evidence.questionnaire.model import Questionnaire
from ecluse.evidence.questionnaire.service import Sent
from ecluse.web.questionnaire import MOST_A_MINUTE, MOST_MISSES, Pace, _Busy
from tests.agency import Agency

pytestmark = pytest.mark.web

HOSTILE: Final = "\"><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}=cmd|'/c calc'!A1"
CONTACT: Final = {"name": "Ana Lemoine", "function": "Responsable sécurité", "email": "ana@lyon-formation.example"}
VOID: Final = {"meta", "link", "input", "br", "path", "rect"}


@dataclass(kw_only=True)
class Reader:
    """A person with a link and a browser that runs no script: keeps cookies, follows what the page says."""

    client: httpx.Client
    sent: Sent

    @property
    def link(self) -> str:
        """Where the link leads."""
        return f"/questionnaire/{self.sent.secret}"

    def post(self, path: str, fields: Any, **headers: str) -> httpx.Response:
        """Send a form as a browser does from a page of the same site."""
        return self.client.post(path, data=fields, headers={"sec-fetch-site": "same-origin", **headers})

    def fill(self, number: int, *, pick: int = 0, text: str = "Rien à signaler", note: str = "") -> httpx.Response:
        """Fill in all that a part shows, each choice by its place, and go on."""
        page = self.client.get(f"/questionnaire/part/{number}").text
        fields: dict[str, list[str]] = {"shown": re.findall(r'name="shown" value="(\d+)"', page), "go": ["next"]}
        for place in fields["shown"]:
            fields[f"a{place}"] = [text] if f'<textarea name="a{place}"' in page else [str(pick)]
            if note and f'name="n{place}"' in page:
                fields[f"n{place}"] = [note]
        return self.post(f"/questionnaire/part/{number}", fields)

    def fill_all(self, **how: Any) -> None:
        """Fill in every part, the questions that answers open too."""
        for number in range(1, 7):
            answer = self.fill(number, **how)
            while f"/part/{number}?new=" in answer.headers["location"]:
                answer = self.fill(number, **how)


_BROWSERS: Final[list[httpx.Client]] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Close the browsers that a test opened."""
    yield
    while _BROWSERS:
        _BROWSERS.pop().close()


def browser(agency: Agency, language: str = "fr") -> httpx.Client:
    """Open a browser that runs no script."""
    _BROWSERS.append(httpx.Client(base_url=agency.gates[0].url, headers={"accept-language": language}))
    return _BROWSERS[-1]


async def send(agency: Agency, questionnaire: Questionnaire | None = None, **how: Any) -> Sent:
    """Register a processor and make a link for it."""
    processor = f"proc-{secrets.token_hex(4)}"
    async with agency.connected("ecluse_app") as app:
        await add_processor(app, log_id=1, processor=processor, name="Lyon <b>Formation</b>", actor="cli:test")
        asked = questionnaire or service.own_questionnaire()
        return await service.send(app, processor, asked, language=asked.locale, actor="cli:test", **how)


async def reader(agency: Agency, **how: Any) -> Reader:
    """Send a link and open it."""
    sent = await send(agency, **how)
    opened = Reader(client=browser(agency), sent=sent)
    assert opened.client.get(opened.link).status_code == 200
    return opened


class Outline(HTMLParser):
    """Reads a page: what stands open at the end, elements and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that closes itself."""
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must be this one."""
        assert self.open.pop() == tag


def sound(answer: httpx.Response) -> Outline:
    """Check what holds for every page: whole, of this house only, no script or style in it, nothing kept or sent on."""
    page = Outline(answer.text)
    assert page.open == []
    assert page.tags & {"script", "style", "iframe", "object", "img", "base"} == set()
    assert [each for each in page.attributes if each[1] == "style" or each[1].startswith("on")] == []
    addresses = [value for _, name, value in page.attributes if name in {"href", "src", "action"}]
    assert [each for each in addresses if not each.startswith(("/questionnaire", "?lang=", "#"))] == []
    labels = {value for _, name, value in page.attributes if name == "id"}
    assert [
        v
        for _, name, v in page.attributes
        if name in {"aria-labelledby", "aria-describedby", "for"} and not set(v.split()) <= labels
    ] == []
    policy = answer.headers["content-security-policy"]
    assert policy == "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    assert (answer.headers["referrer-policy"], answer.headers["cache-control"]) == ("no-referrer", "no-store")
    return page


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_link_when_unknown_expired_revoked_or_used_then_one_and_the_same_answer(agency: Agency) -> None:
    """Nobody learns from an answer whether a link ever was: status, header fields and body are the same."""
    revoked, expired, used = await send(agency), await send(agency, days=1), await reader(agency)
    used.fill_all()
    assert used.post("/questionnaire/review", CONTACT).status_code == 200
    async with agency.connected("ecluse_app") as app:
        await service.revoke(app, revoked.response, actor="cli:test")
    await agency.execute("update ecluse.questionnaire_response set expires_at = ecluse.clock() where id = $1", expired.response)
    answers = [
        browser(agency).get(f"/questionnaire/{secret}")
        for secret in ("qsl_" + "a" * 26, "x", "%00", revoked.secret, expired.secret, used.sent.secret)
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert len({tuple((n, v) for n, v in answer.headers.items() if n != "date") for answer in answers}) == 1
    assert "set-cookie" not in answers[0].headers
    sound(answers[0])


async def test_form_when_sent_from_elsewhere_then_refused_and_nothing_saved(agency: Agency) -> None:
    """Another site's page, a sister site, an opaque or foreign origin, and nothing at all: none is taken for our page."""
    person = await reader(agency)
    fields = {"shown": ["0"], "a0": ["0"], "go": ["next"]}
    for headers in (
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"}, {"origin": "https://evil.example"},
        {"origin": "null"}, {},
    ):  # fmt: skip
        answer = person.client.post("/questionnaire/part/1", data=fields, headers=headers)
        assert answer.status_code == 403
        sound(answer)
    assert person.client.post("/questionnaire/review", data=CONTACT, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    rows = await agency.fetch(
        "select answers, handed_in_at from ecluse.questionnaire_response where id = $1", person.sent.response
    )
    assert [tuple(row) for row in rows] == [("{}", None)]
    assert person.client.post("/questionnaire/part/1", data=fields, headers={"origin": agency.public_url}).status_code == 303


async def test_form_when_without_the_cookie_then_as_an_unknown_link(agency: Agency) -> None:
    """The parts are reached by the cookie alone, whatever stands in the address."""
    person = await reader(agency)
    person.client.cookies.clear()
    for path in ("/questionnaire/part/1", "/questionnaire/review"):
        assert person.client.get(path).status_code == 404
        assert person.post(path, {"shown": "0", "a0": "0"}).status_code == 404


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"a0": 0}', "application/json", 400),
        (b"shown=0&a0=99", "application/x-www-form-urlencoded", 400),
        (b"shown=0&a0=-1", "application/x-www-form-urlencoded", 400),
        (b"shown=0&a0=%FF", "application/x-www-form-urlencoded", 400),
        (b"shown=0&n0=a&n0=b", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"x=1"] * 1001), "application/x-www-form-urlencoded", 400),
        (b"shown=0&a0=0&a0=1", "application/x-www-form-urlencoded", 422),
        (b"shown=0&a0=0&n0=" + b"x" * 1001, "application/x-www-form-urlencoded", 422),
        (b"shown=0&a0=0&n0=%07", "application/x-www-form-urlencoded", 422),
        (b"shown=0&n0=" + b"x" * 300_000, "application/x-www-form-urlencoded", 413),
    ],
)  # fmt: skip
async def test_form_when_it_is_not_what_the_page_offers_then_refused_whole(
    agency: Agency, body: bytes, kind: str, status: int
) -> None:
    """What is no form of ours, picks what is not offered, is too long or holds control characters is refused, and nothing of the part is saved."""
    person = await reader(agency)
    answer = person.client.post(
        "/questionnaire/part/1", content=body, headers={"content-type": kind, "sec-fetch-site": "same-origin"}
    )
    assert answer.status_code == status
    rows = await agency.fetch("select answers from ecluse.questionnaire_response where id = $1", person.sent.response)
    assert rows[0]["answers"] == "{}"


async def test_hand_in_when_unanswered_or_nobody_named_then_refused_with_where(agency: Agency) -> None:
    """Every question that is asked has an answer and somebody answers for it, or nothing is handed in; what was typed stays on the page."""
    person = await reader(agency)
    answer = person.post("/questionnaire/review", CONTACT)
    assert (answer.status_code, "Répondez à toutes les questions" in html.unescape(answer.text)) == (422, True)
    person.fill_all()
    for part, wrong in (("name", ""), ("function", "a" * 200), ("email", "ana"), ("name", "\u202eAna")):
        answer = person.post("/questionnaire/review", CONTACT | {part: wrong})
        page = sound(answer)
        assert (answer.status_code, ("input", "aria-describedby", f"{part}-fault") in page.attributes) == (422, True)
        assert ("value", CONTACT["function"]) in {(n, v) for _, n, v in page.attributes} or part == "function"


def test_pace_when_asked_too_often_then_held_up_and_links_in_use_go_on() -> None:
    """A link has its own limit; a flood of links that are not open is held up without holding up those that were seen open."""
    pace = Pace()
    pace.ask("mine")
    pace.answered("mine", found=True)
    for _ in range(MOST_MISSES):
        pace.ask("wrong")
        pace.answered("wrong", found=False)
    with pytest.raises(_Busy):
        pace.ask("another")
    for _ in range(MOST_A_MINUTE - 1):
        pace.ask("mine")
    with pytest.raises(_Busy):
        pace.ask("mine")


# ── filling in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_link_when_opened_then_the_secret_goes_into_a_strict_cookie_and_no_page(agency: Agency) -> None:
    """The secret stands in no page and no address that follows; the cookie is kept from scripts and from other sites."""
    sent = await send(agency)
    client = browser(agency)
    answer = client.get(f"/questionnaire/{sent.secret}")
    assert answer.headers["set-cookie"] == f"ecluse-questionnaire={sent.secret}; Path=/; HttpOnly; SameSite=Strict"
    assert sent.secret not in answer.text
    assert "Lyon &lt;b&gt;Formation&lt;/b&gt;" in answer.text
    sound(answer)
    for path in ("/questionnaire/part/1", "/questionnaire/review"):
        page = client.get(path)
        assert sent.secret not in page.text
        sound(page)
    rows = await agency.fetch(
        "select to_jsonb(r)::text as text from ecluse.questionnaire_response r where id = $1", sent.response
    )
    assert sent.secret not in rows[0]["text"]
    assert sent.secret not in agency.gates[0].log.read_text(encoding="utf-8")


async def test_part_when_an_answer_opens_a_question_then_it_is_shown_before_the_next_part(agency: Agency) -> None:
    """Without a script: the part comes back with the new question marked, then the next part; the other answer closes it again."""
    person = await reader(agency)
    answer = person.fill(1)
    assert answer.headers["location"] == "/questionnaire/part/1?new=3&lang=fr#q3"
    page = person.client.get("/questionnaire/part/1?new=3&lang=fr")
    assert ('id="q3"' in page.text, "Vos réponses ouvrent une autre question" in page.text) == (True, True)
    sound(page)
    assert person.fill(1).headers["location"] == "/questionnaire/part/2?lang=fr"
    assert person.fill(1, pick=1).headers["location"] == "/questionnaire/part/2?lang=fr"
    assert 'id="q3"' not in person.client.get("/questionnaire/part/1").text


async def test_draft_when_the_link_is_opened_again_elsewhere_then_it_goes_on_there(agency: Agency) -> None:
    """A colleague with the same link sees what is saved, in the language of their choice."""
    person = await reader(agency)
    person.fill(2, note="À revoir")
    colleague = Reader(client=browser(agency, "en"), sent=person.sent)
    assert "Go on where you stopped" in colleague.client.get(colleague.link + "?lang=en").text
    page = colleague.client.get("/questionnaire/part/2?lang=en").text
    assert ("checked" in page, "À revoir" in page, "Does each person have an account of their own" in page) == (True, True, True)


async def test_hand_in_when_whole_then_once_and_the_copy_shows_every_answer(agency: Agency) -> None:
    """The last page repeats what was handed in, takes the cookie away, and nothing can be changed after it."""
    person = await reader(agency)
    person.fill_all(note="Voir le rapport")
    done = person.post("/questionnaire/review", CONTACT)
    sound(done)
    assert (done.status_code, "Max-Age=0" in done.headers["set-cookie"], person.sent.response in done.text) == (200, True, True)
    assert done.text.count("Voir le rapport") >= 20
    person.client.cookies.set("ecluse-questionnaire", person.sent.secret)
    assert person.post("/questionnaire/review", CONTACT).status_code == 404
    assert person.post("/questionnaire/part/1", {"shown": "0", "a0": "1"}).status_code == 404
    rows = await agency.fetch(
        "select contact_name, handed_in_at is not null as done from ecluse.questionnaire_response where id = $1",
        person.sent.response,
    )
    assert [tuple(row) for row in rows] == [("Ana Lemoine", True)]


async def test_answers_when_hostile_then_text_on_every_page(agency: Agency) -> None:
    """Markup, template signs and formulas that somebody types are shown as they were typed, and are nothing else."""
    person = await reader(agency)
    person.fill_all(text=HOSTILE, note=HOSTILE)
    pages = [person.client.get(path) for path in ("/questionnaire/part/5", "/questionnaire/review")]
    wrong = person.post("/questionnaire/review", CONTACT | {"name": HOSTILE, "email": HOSTILE})
    done = person.post("/questionnaire/review", CONTACT | {"name": HOSTILE})
    for answer in (*pages, wrong, done):
        sound(answer)
        assert HOSTILE in html.unescape(answer.text)
        assert "<script" not in answer.text
        assert HOSTILE not in answer.text


async def test_no_clock_of_a_worker_when_a_link_runs_out_then_closed_in_the_middle(agency: Agency) -> None:
    """A draft that is being filled when its time is over is not taken any more: the database's clock is asked at each request."""
    person = await reader(agency, days=1)
    person.fill(1)
    await agency.set_clock_offset(agency.offset + timedelta(days=1, minutes=1))
    try:
        assert person.fill(2).status_code == 404
        assert person.post("/questionnaire/review", CONTACT).status_code == 404
    finally:
        await agency.reset_clock()


# ── words, style, templates ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_words_when_compared_then_the_same_in_both_languages() -> None:
    """No key and no place-holder is in one language only."""
    read = tomllib.loads((files("ecluse.web") / "questionnaire_words.toml").read_text(encoding="utf-8"))
    assert read["en"].keys() == read["fr"].keys()
    holes = re.compile(r"\{(\w+)\}")
    assert [
        key for key in read["en"] if set(holes.findall(str(read["en"][key]))) != set(holes.findall(str(read["fr"][key])))
    ] == []


def test_templates_when_compiled_then_all_of_them() -> None:
    """Every template compiles, and none switches escaping off."""
    folder = files("ecluse.web") / "templates" / "questionnaire"
    environment = jinja2.Environment(autoescape=True)
    names = [path.name for path in folder.iterdir() if path.name.endswith(".html")]
    assert len(names) == 8
    for name in names:
        text = (folder / name).read_text(encoding="utf-8")
        environment.parse(text)
        assert re.search(r"\|\s*safe|autoescape|<script|style=", text) is None


async def test_style_sheet_when_fetched_then_kept_and_of_this_house_only(agency: Agency) -> None:
    """The one style sheet names nothing of elsewhere, and has the colours of the dark and rules for print."""
    answer = browser(agency).get("/questionnaire.css")
    assert answer.headers["content-type"].startswith("text/css")
    assert ("url(" in answer.text, "@import" in answer.text) == (False, False)
    assert ("prefers-color-scheme:dark" in answer.text, "@media print" in answer.text) == (True, True)
