"""The catalogue's pages: every code in both languages, no script, nothing from elsewhere, and every ``type`` that is answered leads to one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest

from ecluse.web.problem_pages import AGAIN, LANGUAGES, Again, Language, choose_language, entries, index, page, title_of
from ecluse.web.problems import PROBLEMS, Move
from tests.agency import Agency
from tests.e2e.desk import UNKNOWN, at_work

pytestmark = pytest.mark.web

VOID = {"meta", "link", "path", "rect"}
LABELLED = re.compile(r'aria-labelledby="([^"]+)"')


class Outline(HTMLParser):
    """Reads a page: what stands open at the end, elements, attributes, identifiers."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element of the drawing, which closes itself."""
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must be this one."""
        assert self.open.pop() == tag


def pages() -> Iterator[tuple[str, Language, str]]:
    """Write every page."""
    for language in LANGUAGES:
        yield "", language, index(language)
        for code in PROBLEMS:
            yield code, language, page(code, language)


def test_words_when_compared_with_the_catalogue_then_each_code_once_in_both_languages() -> None:
    """No code lacks its words, no words outlive their code; each language says what it means and at least one thing to do."""
    assert set(entries()) == set(PROBLEMS)
    for code, entry in entries().items():
        assert entry.fr.title, code
        assert entry.en.title is None, code
        for words in (entry.en, entry.fr):
            assert len(words.means) > 40, code
            assert words.now, code
            assert all(step.endswith((".", ".)")) for step in words.now), code


def test_words_when_a_retry_helps_then_they_say_so() -> None:
    """What the catalogue lets a machine retry is what the page tells a person to repeat with the same key, and the reverse."""
    assert {code for code, entry in entries().items() if entry.again is Again.WAIT} == {
        p.code for p in PROBLEMS.values() if p.retry
    }
    assert {move for code in PROBLEMS if entries()[code].again is Again.MEND for move in [PROBLEMS[code].move]} == {Move.YOURS}
    assert all(set(AGAIN[language]) == set(Again) for language in LANGUAGES)


def test_pages_when_parsed_then_whole_and_of_this_house_only() -> None:
    """Each element is closed; no script, no form, no address of elsewhere, no inline style; every link stays here."""
    for code, language, html in pages():
        outline = Outline(html)
        assert outline.open == [], code
        assert not {"script", "style", "form", "img", "iframe", "object", "base", "input"} & set(outline.tags), code
        sheets = [value for tag, name, value in outline.attributes if tag == "link" and name == "href"]
        assert [sheet.partition("?v=")[0] for sheet in sheets] == ["/problems.css"], code
        assert not [each for each in outline.attributes if each[1].startswith("on") or each[1] in {"src", "style", "srcset"}], (
            code
        )
        assert "http://" not in html.replace("HTTP", ""), code
        assert "https://" not in html, code
        links = {value for tag, name, value in outline.attributes if name == "href" and tag == "a"}
        assert all(link == "#main" or link.startswith("/problems/") for link in links), code
        assert ("html", "lang", language) in outline.attributes
        assert outline.tags.count("h1") == 1
        ids = [value for _, name, value in outline.attributes if name == "id"]
        assert len(ids) == len(set(ids))
        assert set(LABELLED.findall(html)) <= set(ids)


def test_pages_when_read_then_one_mover_is_lit() -> None:
    """Exactly one of the three has the move, and it is the catalogue's."""
    for code, _, html in pages():
        lit = re.findall(r'aria-current="true" data-move="([a-z]+)"', html)
        assert lit == ([PROBLEMS[code].move.value] if code else [])


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        (None, "", "en"), (None, "fr", "fr"), (None, "fr-CA,en;q=0.8", "fr"), (None, "de, fr;q=0.5, en;q=0.7", "en"), (None, "en;q=0,fr;q=0.1", "fr"),
        (None, "fr;q=x, en", "en"), ("fr", "en", "fr"), ("en", "fr", "en"), ("de", "fr", "fr"), (None, "*", "en"), (None, "fr;q=nan", "en"),
        (None, "x," * 40 + "fr", "en"),
    ],
)  # fmt: skip
def test_language_when_asked_then_as_asked_else_as_accepted(asked: str | None, accepted: str, language: str) -> None:
    """``?lang=`` goes before ``Accept-Language``; a language that we lack, and a field that can't be read, fall back to English."""
    assert choose_language(asked, accepted) == language


async def test_pages_when_served_then_the_browser_may_take_nothing_else(agency: Agency) -> None:
    """Every page is served in both languages, with a policy that allows its own style sheet and nothing more."""
    async with httpx.AsyncClient(base_url=agency.public_url) as anyone:
        assert (await anyone.get("/problems/no-such-code")).status_code == 404
        for path in ["/problems/", "/problems", *(f"/problems/{code}" for code in PROBLEMS)]:
            for language in LANGUAGES:
                answer = await anyone.get(path, headers={"accept-language": language})
                assert answer.status_code == 200, path
                policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
                assert answer.headers["content-security-policy"] == policy
                assert answer.headers["content-type"] == "text/html; charset=utf-8"
                assert (answer.headers["content-language"], answer.headers["vary"]) == (language, "Accept-Language")
                assert "set-cookie" not in answer.headers
        sheet = await anyone.get(re.findall(r'href="(/problems\.css[^"]*)"', answer.text)[0])
        assert (sheet.status_code, sheet.headers["content-type"]) == (200, "text/css; charset=utf-8")
        assert ":root{" in sheet.text
        asked = await anyone.get("/problems/busy?lang=fr", headers={"accept-language": "en"})
        assert "Affluence" in asked.text


async def test_types_when_answered_then_they_resolve(agency: Agency) -> None:
    """The ``type`` of refusals of every kind (no token, no proof, of the request, of the decision, of an address) leads to its page."""
    async with at_work(agency) as desk, httpx.AsyncClient(base_url=agency.public_url) as anyone:
        answers = [
            await anyone.post("/v1/disclosures"),
            await anyone.get("/v1/nothing"),
            await anyone.put("/v1/whoami"),
            await desk.machine.call("POST", "/v1/disclosures", body={"appointment": "x"}),
            await desk.machine.call("GET", "/v1/budget", jti=None),
            await desk.machine.call("POST", "/v1/schedule", body={"rows": []}),
            await desk.machine.disclose(UNKNOWN, desk.party.agent),
            await desk.disclose(10, ["shoe_size"]),
            await desk.machine.disclose(desk.handles[10], "agt_" + "a" * 26),
        ]
        found = {answer.json()["type"] for answer in answers}
        assert len(found) == len(answers)
        for kind in found:
            shown = await anyone.get(kind)
            assert shown.status_code == 200
            assert title_of(kind.removeprefix("/problems/"), "en") in shown.text.replace("&#x27;", "'")
