"""What every page stands on: templates that can't be made to run anything, forms, languages, texts, assets. Refusals first."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from html.parser import HTMLParser
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
import pytest

import ecluse
from ecluse.errors import EcluseError
from ecluse.identity.people import Act
from ecluse.web.pages.assets import KINDS, asset, assets
from ecluse.web.pages.errors import FormUnreadable, NotAllowed, SignInNeeded, StepUpNeeded
from ecluse.web.pages.forms import MOST_FIELDS, Upload, read
from ecluse.web.pages.frame import Place, environment, own_path, render, see
from ecluse.web.pages.glossary import WORDS, words_of
from ecluse.web.pages.help import help_page
from ecluse.web.pages.language import LANGUAGES, Language, Tongue, choose
from ecluse.web.pages.model import About, Room
from ecluse.web.pages.refusals import REFUSALS, key_of, refusal_page, room_of
from ecluse.web.pages.shield import HEADERS, POLICY, is_ours, is_page
from ecluse.web.pages.show import show_day, show_hour, show_instant, show_number, show_share, show_since, show_size, show_span
from tests.web.pages.contexts import assert_page
from tests.web.pages.specimen import SIGNED, specimen
from tests.web.pages.texts import ROOMS, faults

pytestmark = pytest.mark.unit

PACKAGE = Path(ecluse.__file__).parent
STATIC = PACKAGE / "web" / "static"
TEMPLATES = sorted(path for room in ROOMS for path in (PACKAGE / "web" / "templates" / room).rglob("*.html"))
PARIS = ZoneInfo("Europe/Paris")
AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FR, EN = Tongue("fr"), Tongue("en")


# ── nothing in a page runs ───────────────────────────────────────────────────────────────────────────────────────────────────
class Tags(HTMLParser):
    """Collects the elements of a page with their attributes, and what stands in script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self._within = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.found.append((tag, dict(attrs)))
        self._within = tag

    def handle_data(self, data: str) -> None:
        """Note what a script or style holds."""
        if self._within in {"script", "style"}:
            self.inline += data.strip()

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._within = ""


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_template_when_read_then_it_holds_nothing_that_runs(path: Path) -> None:
    """No template has inline script or style, an event handler, what htmx would run, or a value that is not escaped."""
    text = path.read_text(encoding="utf-8")
    markup = re.sub(r"\{%.*?%\}|\{#.*?#\}|\{\{.*?\}\}", "", text, flags=re.DOTALL)
    runs = r"<script(?![^>]*\ssrc=)|<style|\sstyle\s*=|[\s\"']on[a-z]+\s*=|javascript:|\ssrcdoc\s*=|<base\b"
    assert re.findall(runs, markup, re.IGNORECASE) == []
    assert re.findall(r"hx-on|hx-vals\s*=\s*[\"']js:|hx-boost|hx-ext|hx-trigger=\"[^\"]*\[", text) == []
    assert re.findall(r"\|\s*safe\b|autoescape\s+false|Markup\(|\|\s*striptags", text) == []
    assert re.findall(r"(?:src|href|action)\s*=\s*[\"']?(?:https?:)?//", text) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_template_when_compiled_then_it_escapes_and_has_a_title(path: Path, language: Language) -> None:
    """Every template compiles with autoescape on; a page, which a file without an underscore is, fills in title and main."""
    made = environment(language)
    name = path.relative_to(PACKAGE / "web" / "templates").as_posix()
    assert made.autoescape is True
    found = made.get_template(name)
    if "pages/frame.html" in path.read_text(encoding="utf-8").partition("%}")[0]:
        assert {"title", "main"} <= set(found.blocks)


@pytest.mark.parametrize(("language", "direction"), [("fr", "ltr"), ("en", "ltr"), ("fr", "rtl")])
def test_specimen_when_written_then_markup_in_a_value_is_text_and_the_page_is_small(language: Language, direction: str) -> None:
    """All pieces on one page: no inline anything, one h1, labels tied to fields, hostile values as text, far below 150 kB."""
    text = specimen(language, direction)
    tags = Tags(text)
    assert tags.inline == ""
    assert [name for _, attributes in tags.found for name in attributes if name.startswith("on") or name == "style"] == []
    assert [tag for tag, _ in tags.found].count("h1") == 1
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    ids = [attributes["id"] for _, attributes in tags.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {attributes["for"] for tag, attributes in tags.found if tag == "label"}
    fields = {attributes["id"] for tag, attributes in tags.found if tag in {"input", "select", "textarea"}}
    assert fields <= labelled
    told = {each for _, attributes in tags.found for each in (attributes.get("aria-describedby") or "").split()}
    assert told <= set(ids)
    assert len(text.encode()) < 60_000


def test_style_when_read_then_it_loads_nothing_and_runs_either_way() -> None:
    """The style sheet names no address, and no side of the page by left or right, so that it serves pages in Arabic too."""
    css = re.sub(r"/\*.*?\*/", "", (STATIC / "ecluse.css").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert re.findall(r"url\(|@import|expression\(", css) == []
    assert (
        re.findall(
            r"(?:margin|padding|border)-(?:left|right)|(?<![\w-])(?:left|right)\s*:|float\s*:|text-align\s*:\s*(?:left|right)",
            css,
        )
        == []
    )
    for wanted in (
        "prefers-color-scheme: dark",
        "forced-colors: active",
        "prefers-reduced-motion",
        "@media print",
        ":focus-visible",
    ):
        assert wanted in css


def _luminance(colour: str) -> float:
    channels = (
        [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        if len(colour) == 7
        else [int(each * 2, 16) / 255 for each in colour[1:]]
    )
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_when_compared_then_texts_stand_out(theme: int) -> None:
    """Each pair of ink and ground has a contrast of 4.5 to 1 at least, in both themes; edges of fields 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11)."""
    css = (STATIC / "ecluse.css").read_text(encoding="utf-8")
    themes = [
        dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{3,6})\b", block))
        for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    ]
    colours = themes[0] | themes[theme]

    def contrast(ink: str, ground: str) -> float:
        one, other = sorted((_luminance(colours[ink]), _luminance(colours[ground])), reverse=True)
        return (one + 0.05) / (other + 0.05)

    texts = [(ink, ground) for ink in ("ink", "soft", "link", "water", "bad") for ground in ("paper", "card", "sunk", "tint")]
    texts += [("on-water", "water"), ("on-water", "water-more"), ("on-bad", "bad")]
    texts += [(name, f"{name}-bg") for name in ("ok", "warn", "bad", "ice", "calm")] + [
        ("ink", f"{name}-bg") for name in ("ok", "warn", "bad", "ice", "calm")
    ]
    assert [(pair, round(contrast(*pair), 2)) for pair in texts if contrast(*pair) < 4.5] == []
    assert [ground for ground in ("paper", "card") if contrast("edge", ground) < 3] == []


# ── where changes come from, and where pages lead ────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "fields",
    [
        [], [(b"sec-fetch-site", b"cross-site")], [(b"sec-fetch-site", b"same-site")], [(b"sec-fetch-site", b"none")], [(b"sec-fetch-site", b"")],
        [(b"origin", b"https://elsewhere.example")], [(b"origin", b"null")], [(b"origin", b"https://pages.example:444")], [(b"origin",
        b"http://pages.example")],
        [(b"origin", b"https://pages.example.elsewhere.example")], [(b"origin", b"https://pages.example/")],
        [(b"sec-fetch-site", b"cross-site"), (b"origin", b"https://pages.example")],
        [(b"sec-fetch-site", b"same-origin"), (b"sec-fetch-site", b"cross-site")], [(b"origin", b"https://pages.example"), (b"origin",
        b"https://pages.example")],
        [(b"referer", b"https://pages.example/console")],
    ],
)  # fmt: skip
def test_change_when_not_sent_by_a_page_of_ours_then_it_is_foreign(fields: list[tuple[bytes, bytes]]) -> None:
    """Another site, a sister site, nobody knows who, a field twice: none of them is ours."""
    assert is_ours(fields, "https://pages.example") is False


@pytest.mark.parametrize("fields", [[(b"sec-fetch-site", b"same-origin")], [(b"origin", b"https://pages.example")]])
def test_change_when_sent_by_a_page_of_ours_then_it_is_taken(fields: list[tuple[bytes, bytes]]) -> None:
    """The browser says so itself, or an old one names our origin."""
    assert is_ours(fields, "https://pages.example") is True


@pytest.mark.parametrize(
    "text",
    [
        None, "", "console", "//elsewhere.example", "///elsewhere.example", "/\\elsewhere.example", "\\\\elsewhere.example",
        "https://elsewhere.example", "javascript:alert(1)",
        "/console\r\nset-cookie: a=b", "/con sole", "/\t/elsewhere.example", "/é", "/" + "a" * 500, "data:text/html,x", " /console", "@elsewhere.example",
    ],
)  # fmt: skip
def test_next_when_not_an_address_of_ours_then_the_first_page(text: str | None) -> None:
    """Signing in leads to no other site, whatever an address says."""
    assert own_path(text, "/console") == "/console"


@pytest.mark.parametrize(
    "text", ["/", "/console", "/desk/sessions/ses_1?day=2026-11-23&x=%2F%2Felsewhere", "/console?next=//elsewhere.example"]
)
def test_next_when_an_address_of_ours_then_it_stays(text: str) -> None:
    """A path of this server with its query is where the person wanted to go."""
    assert own_path(text) == text


def test_see_when_led_elsewhere_then_a_fault_of_ours() -> None:
    """No handler can send a browser away; a notice is a key in a cookie."""
    with pytest.raises(AssertionError, match="impossible"):
        see("//elsewhere.example")
    answer = see("/console/holds", "held")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/holds")
    assert [(cookie.key, cookie.value, cookie.httponly, cookie.samesite) for cookie in answer.cookies] == [
        ("ecluse-notice", "held", True, "lax")
    ]


def test_paths_when_sorted_then_pages_are_known_by_their_whole_first_part() -> None:
    """The shield stands before the rooms and nothing else."""
    assert [
        path
        for path in ("/console", "/console/x", "/desk", "/my-data/a", "/sign-in", "/enrol", "/assets/a.css")
        if not is_page(path)
    ] == []
    assert [
        path
        for path in ("/consoles", "/v1/whoami", "/problems/busy", "/ledger/main/checkpoint", "/questionnaire/x", "/")
        if is_page(path)
    ] == []


def test_policy_when_read_then_nothing_comes_from_elsewhere_and_nobody_frames() -> None:
    """The policy begins with nothing, opens this origin alone, and one policy of trusted types."""
    rules = dict(each.split(" ", 1) for each in POLICY.split("; "))
    assert rules.pop("default-src") == "'none'"
    assert rules.pop("base-uri") == "'none'"
    assert rules.pop("frame-ancestors") == "'none'"
    assert rules.pop("require-trusted-types-for") == "'script'"
    assert rules.pop("trusted-types") == "ecluse"
    assert set(rules.values()) == {"'self'"}
    assert HEADERS["cache-control"] == "no-store"


# ── forms ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
class Scope(StrEnum):
    """Two to choose from."""

    AGENT = "agent"
    PROCESSOR = "processor"


class HoldForm(msgspec.Struct, frozen=True):
    """One field of each kind."""

    scope: Scope
    reason: Annotated[str, msgspec.Meta(min_length=5, max_length=20)]
    hours: Annotated[int, msgspec.Meta(ge=1, le=72)]
    until: date | None = None
    at: datetime | None = None
    roles: list[Scope] = []
    sure: bool = False
    way: Literal["one", "two"] = "one"
    note: str = ""
    file: Upload | None = None


GOOD = {"scope": ["agent"], "reason": ["  vol d’ordi  "], "hours": ["12"]}


def test_form_when_good_then_a_struct() -> None:
    """Blanks around go, what is left empty takes its default, and several stay several."""
    filled = read(
        {**GOOD, "until": ["2026-11-30"], "roles": ["agent", "processor"], "sure": ["yes"], "note": ["a\r\nb"]}, HoldForm, FR
    )
    assert filled.faults == {}
    assert filled.value == HoldForm(
        scope=Scope.AGENT,
        reason="vol d’ordi",
        hours=12,
        until=date(2026, 11, 30),
        roles=[Scope.AGENT, Scope.PROCESSOR],
        sure=True,
        note="a\nb",
    )


@pytest.mark.parametrize(
    ("field", "typed", "fault"),
    [
        ("scope", "", "This is needed."), ("scope", "everyone", "Choose one of the list."), ("reason", "ah", "Write at least 5 characters."),
        ("reason", "a" * 21, "Write at most 20 characters."), ("reason", "vol\x00vol", "Remove the signs that cannot be read."),
        ("hours", "twelve", "Write a whole number."),
        ("hours", "0", "The least is 1."), ("hours", "73", "The most is 72."), ("hours", "1.5", "Write a whole number."),
        ("until", "30/11/2026", "Write a day, such as 2026-11-23."),
        ("at", "soon", "Write a day and a time."), ("roles", "king", "Choose one of the list."), ("way", "three", "Choose one of the list."),
    ],
)  # fmt: skip
def test_form_when_a_field_is_wrong_then_a_fault_beside_it_and_what_was_typed(field: str, typed: str, fault: str) -> None:
    """Each field says what is wrong with it, in the reader's words, and nothing is lost of the others."""
    filled = read({**GOOD, field: [typed]}, HoldForm, EN)
    assert (filled.value, filled.faults) == (None, {field: fault})
    assert filled.entered["hours"] == (typed if field == "hours" else "12")


def test_form_when_a_use_case_refuses_then_the_fault_is_said_in_the_reader_s_language() -> None:
    """A handler adds a fault that the rules found."""
    filled = read(GOOD, HoldForm, FR)
    filled.fault("reason", "Write at most %(count)s characters.", count=3)
    assert filled.faults == {"reason": "Écrivez au plus 3 caractères."}


@pytest.mark.parametrize(
    "sent", [{**GOOD, "more": ["1"]}, {**GOOD, "scope": ["agent", "processor"]}, {**GOOD, "roles": ["agent"] * (MOST_FIELDS + 1)}]
)
def test_form_when_not_one_of_ours_then_unreadable(sent: dict[str, list[object]]) -> None:
    """A field that the page does not have, one that stands twice, a thousand of them: the page is to be loaded again."""
    with pytest.raises(FormUnreadable):
        read(sent, HoldForm, FR)


def test_form_when_a_file_is_chosen_then_its_bytes_and_none_without() -> None:
    """A file comes with what the browser says of it; an empty choice is none."""
    file = Upload(name="a.pdf", said_type="application/pdf", content=b"%PDF")
    assert read({**GOOD, "file": [file]}, HoldForm, FR).value.file == file  # type: ignore[union-attr] # there is one
    assert read({**GOOD, "file": [Upload(name="", said_type="", content=b"")]}, HoldForm, FR).value.file is None  # type: ignore[union-attr] # there is one


# ── languages and texts ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "language"),
    [
        (None, None, "", "fr"), ("en", "fr", "fr", "en"), ("xx", "en", "fr", "en"), (None, "xx", "en", "en"), (None, None, "de, en;q=0.5", "en"),
        (None, None, "de", "fr"), (None, None, "en;q=0.4, fr;q=0.9", "fr"), (None, None, "en-GB", "en"), (None, None, "en;q=nothing", "fr"),
        (None, None, "," * 5000 + "en", "fr"),
    ],
)  # fmt: skip
def test_language_when_chosen_then_asked_kept_accepted_or_french(
    asked: str | None, kept: str | None, accepted: str, language: str
) -> None:
    """The address wins, then the cookie, then the browser's list, read in bounds."""
    assert choose(asked, kept, accepted) == language


@pytest.mark.parametrize("room", ROOMS)
def test_texts_when_compared_then_each_is_there_and_none_is_stale(room: str) -> None:
    """Every text of every room is in its French catalogue with the same values, and no catalogue holds one that nothing says."""
    assert [fault for fault in faults("fr") if fault.startswith(f"{room}.po ")] == []


def test_tongue_when_counting_then_as_the_language_does() -> None:
    """None is one in French and many in English."""
    one, many = (
        "One field has to be mended. Nothing was changed yet.",
        "%(num)s fields have to be mended. Nothing was changed yet.",
    )
    assert FR.count(one, many, 0) == "Un champ est à corriger. Rien n’a encore été modifié."
    assert FR.count(one, many, 2) == "2 champs sont à corriger. Rien n’a encore été modifié."
    assert EN.count(one, many, 0) == "0 fields have to be mended. Nothing was changed yet."


def test_values_when_written_then_as_the_language_writes_them() -> None:
    """Days, hours, numbers, shares, spans and sizes, in the controller's zone."""
    assert show_instant(AT, "en", PARIS) == "23 November 2026, 10:00"
    assert show_instant(AT, "fr", PARIS) == "23 novembre 2026 à 10\u00a0h\u00a000"
    assert show_hour(datetime(2026, 7, 14, 7, 5, tzinfo=UTC), "fr", PARIS) == "9\u00a0h\u00a005"
    assert show_day(date(2026, 2, 3), "fr", short=True) == "3 févr. 2026"
    assert [show_number(2100000, language) for language in ("en", "fr")] == ["2,100,000", "2\u202f100\u202f000"]
    assert show_share(0.25, "fr") == "25\u00a0%"
    assert show_span(timedelta(hours=3), "fr") == "3\u00a0heures"
    assert show_since(AT - timedelta(minutes=3), "en", AT) == "3 minutes ago"
    assert [show_size(1_400_000, language) for language in ("en", "fr")] == ["1.4\u00a0MB", "1,4\u00a0Mo"]


def test_glossary_when_read_then_each_word_once_and_each_room_has_some() -> None:
    """A word stands once, under a name that pages can link to; persons see the few that concern them."""
    assert len({word.key for word in WORDS}) == len({word.word for word in WORDS}) == len(WORDS)
    assert [len(words_of(room)) for room in (Room.CONSOLE, Room.DESK, Room.MY_DATA)] == [len(WORDS), 20, 11]


# ── pages of the frame ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _place(language: Language = "fr", **more: object) -> Place:
    given = {
        "room": Room.CONSOLE, "about": About(home="/console", help="/console/help"), "here": "", "path": "/console/x?day=1", "signed": None,
        "tongue": Tongue(language), "zone": PARIS,
        "now": AT, "controller": "Agence <b>", "notice": None,
    }  # fmt: skip
    return Place(**(given | more))  # type: ignore[arg-type] # as given


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", REFUSALS)
def test_refusal_when_shown_then_it_says_what_to_do(key: str, language: Language) -> None:
    """Each refusal says what it means and what to do, in both languages, with one way on."""
    context = refusal_page(key, About(home="/console"), who=["Administrator"], next_="/console/holds?x=1")
    assert_page("pages/refusal.html", context)
    text = render("pages/refusal.html", context, _place(language))
    assert text.count("button primary") == 1
    for sentence in (context.words.title, context.words.means, *context.words.now):
        assert Tongue(language).find(sentence) in text.replace("&#39;", "'")
    assert "Agence &lt;b&gt;" in text


@pytest.mark.parametrize(
    ("error", "code", "key"),
    [
        (SignInNeeded(), "", "sign-in"), (StepUpNeeded(), "", "again"), (NotAllowed(Act.CONTRACT), "", "not-allowed"), (FormUnreadable(), "", "unreadable"),
        (TimeoutError(), "invalid-request", "slow"), (EcluseError(), "busy", "down"), (EcluseError(), "not-found", "not-found"),
        (ValueError(), "internal", "failed"),
    ],
)  # fmt: skip
def test_refusal_when_an_error_comes_then_its_page(error: Exception, code: str, key: str) -> None:
    """Errors of ours have their own page, those of the catalogue the one that fits, all others are our fault."""
    assert key_of(error, code) == key


def test_room_when_an_address_is_asked_then_the_one_it_belongs_to() -> None:
    """A refusal stands in the room that was asked for; elsewhere where one signs in."""
    assert [room_of(path) for path in ("/console/x", "/desk", "/my-data", "/enrol", "/consoles")] == [
        Room.CONSOLE, Room.DESK, Room.MY_DATA, Room.SIGN_IN, Room.SIGN_IN,
    ]  # fmt: skip


@pytest.mark.parametrize("room", [Room.CONSOLE, Room.DESK, Room.MY_DATA])
def test_help_when_shown_then_its_context_is_all_of_it(room: Room) -> None:
    """The help of each room shows its words, and the shortcuts where there are any."""
    context = help_page(room, "dpo@agency.example")
    assert_page("pages/help.html", context)
    text = render("pages/help.html", context, _place(signed=SIGNED))
    assert ("<kbd>" in text) is (room is not Room.MY_DATA)
    assert "dpo@agency.example" in text


def test_frame_when_signed_in_then_it_says_who_and_offers_the_way_out() -> None:
    """The frame names the person and their roles, the sign-in by its public id, a form to leave, and the other language at the same address."""
    text = render("pages/help.html", help_page(Room.CONSOLE, ""), _place(signed=SIGNED))
    tags = Tags(text)
    assert ("meta", {"name": "ecluse-sign-in", "content": "sgn_specimen"}) in tags.found
    assert "Ana Lemoine" in text
    assert "Délégué à la protection des données, Sécurité" in text
    assert {attributes["action"] for tag, attributes in tags.found if tag == "form"} == {"/sign-out"}
    assert "/console/x?day=1&amp;lang=en" in text
    assert [attributes["href"] for tag, attributes in tags.found if attributes.get("class") == "skip"] == ["#main"]
    part = render("pages/help.html", help_page(Room.CONSOLE, ""), _place(signed=SIGNED), block="main")
    assert "<html" not in part
    assert "<h1>" in part


# ── assets ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _vendored() -> Iterator[tuple[str, str]]:
    text = (STATIC / "vendor" / "README.md").read_text(encoding="utf-8")
    yield from re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", text, re.MULTILINE)


def test_vendored_when_hashed_then_as_recorded_and_nothing_besides() -> None:
    """What others wrote is, byte for byte, what its record says, with a licence beside; no file is without a record."""
    recorded = dict(_vendored())
    present = {path.name for path in (STATIC / "vendor").iterdir() if path.suffix != ".md"}
    assert present == set(recorded)
    assert {
        name for name, digest in recorded.items() if hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() != digest
    } == set()
    assert any(name.endswith("LICENSE") for name in recorded)


def test_assets_when_listed_then_by_what_they_hold() -> None:
    """Each asset's address carries the hash of its bytes, names are not served twice, and a name that is none is a fault."""
    assert {each.rpartition(".")[2] for each in assets()} <= set(KINDS)
    assert len({each.address for each in assets().values()}) == len(assets())
    css = assets()["ecluse.css"]
    assert css.address == f"/assets/ecluse.{hashlib.sha256(css.content).hexdigest()[:16]}.css"
    with pytest.raises(KeyError):
        asset("nothing.js")


def test_scripts_when_read_then_no_text_is_made_to_run() -> None:
    """Our scripts make no code, no HTML and no handler from text; htmx is held by the one policy."""
    for path in STATIC.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert (
            re.findall(
                r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|setTimeout\(\s*[\"'`]|\.cookie\b",
                text,
            )
            == []
        ), path.name
    pages = (STATIC / "pages.js").read_text(encoding="utf-8")
    assert re.findall(r"createPolicy\(\"(\w+)\"", pages) == ["ecluse"]
    assert "createScriptURL" not in pages
