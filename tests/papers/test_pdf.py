"""Papers as PDF: nothing said becomes code, nothing asked by law is left out unseen, and the files are what archives and readers' aids ask for."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from ecluse.contracts import Form, GateState, Severity
from ecluse.contracts.model import LEGAL_BASES, RESERVED_FORMS
from ecluse.demo import names
from ecluse.papers.annexes import write_annexes
from ecluse.papers.blocks import Listing, Paper, Style, Table, french_article
from ecluse.papers.dossier import write_dossier
from ecluse.papers.missing import Asked, Obligation, asked_of, missing_of, obligations
from ecluse.papers.model import Control, Facts, Language, PaperKind
from ecluse.papers.record import write_processor_record, write_record
from ecluse.papers.typeset import draw_pages, typeset
from ecluse.papers.words import plain, word_list
from ecluse.register.model import Category
from tests.papers.pdf_text import fonts_of, keys_of, open_pdf, roles_of, text_of
from tests.papers.samples import AT, facts, processor

pytestmark = pytest.mark.unit

WRITERS: dict[PaperKind, Callable[[Facts, Language], Paper]] = {
    PaperKind.ANNEXES: lambda all_, language: write_annexes(all_, all_.processors[0], language),
    PaperKind.RECORD: write_record,
    PaperKind.PROCESSOR_RECORD: lambda all_, language: write_processor_record(all_, all_.processors[0], language),
    PaperKind.DOSSIER: lambda all_, language: write_dossier(all_, all_.processors[0], language),
}
HOSTILE = [
    '#read("/etc/passwd")',
    "$ sum_(k=1)^n k $",
    "\\u{202e} \\ \\n %s {0} {name}",
    "*bold* _it_ = heading <label> @ref `raw` // comment /* */ ~ -- #panic()",
    '"); #sys.exit() ("',
    "]" * 40 + "[" * 40,
    "W" * 300,
]


def sample(kind: PaperKind, language: Language = Language.FR, **changes: Any) -> Paper:
    """Write a paper of one processor with everything said, some of its facts changed."""
    return WRITERS[kind](facts(processor(**changes)), language)


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_people_when_hostile_then_printed_as_they_are(text: str) -> None:
    """No text becomes markup, code or a path: it stands on the page letter by letter."""
    all_ = facts()
    hostile = msgspec.structs.replace(all_.controller, name=text, contact=text)
    said = text_of(typeset(write_record(msgspec.structs.replace(all_, controller=hostile), Language.EN)))
    squeezed = re.sub(r"\s+", "", text)
    assert squeezed in re.sub(r"\s+", "", said)
    assert "root:" not in said


def test_control_characters_when_in_a_text_then_they_turn_nothing_around() -> None:
    """Overrides of direction, nulls and line ends are taken out before anything is printed."""
    assert plain("a\u202eb\x00c\nd\u2066e\u200bf") == "a\ufffdb\ufffdc d\ufffdef"
    assert plain(plain("x" * 60)) == plain("x" * 60)


def full_of(path: str) -> Any:
    """Return what empties the value at the end of a path."""
    return () if path.endswith(("joint", "persons", "categories", "measures", "clauses", "processors")) else ""


ALWAYS = [each for each in obligations() if each.asked is Asked.ALWAYS]
SAID = [
    each for each in ALWAYS if each.path.split(".")[0] in {"controller", "activity"} or each.path.startswith("processor.body.")
]


def without(all_: Facts, obligation: Obligation) -> Facts:
    """Return facts in which what an obligation asks for was not said."""
    head, *steps = obligation.path.split(".")
    one = all_.processors[0]
    replace = msgspec.structs.replace
    if head == "processor":
        return replace(all_, processors=(replace(one, body=replace(one.body, **{steps[1]: ""})),))
    return replace(all_, **{head: replace(getattr(all_, head), **{steps[0]: full_of(obligation.path)})})


@pytest.mark.parametrize("obligation", SAID, ids=lambda each: each.id)
def test_field_of_the_law_when_nobody_said_it_then_missing_and_marked(obligation: Obligation) -> None:
    """Each field that a person has to say is reported when it is empty, with the place to say it, and the paper shows a marked box."""
    all_ = without(facts(), obligation)
    paper = WRITERS[obligation.paper](all_, Language.FR)
    assert obligation.id in {each.id for each in paper.missing}
    assert obligation.say
    marked = [row for block in paper.blocks if isinstance(block, Listing) for row in block.rows if row.id == obligation.id]
    assert [[cell.style for cell in row.lines] for row in marked] == [[Style.MISSING]]


def test_other_fields_of_the_law_when_nobody_said_them_then_missing() -> None:
    """A signed act, sub-processors' addresses, erasure limits, nature and subject-matter are missed as well."""
    one = processor()
    bare = msgspec.structs.replace(one.sub_processors[0], address="", contact=" ")
    poor = processor(signature=None, nature="", subject_matter="", sub_processors=(bare,))
    all_ = facts(poor, activity=msgspec.structs.replace(facts().activity, erasure=()))
    found = {each.id for kind in PaperKind for each in WRITERS[kind](all_, Language.EN).missing}
    assert found == {
        "annexes.subject-matter",
        "annexes.nature",
        "annexes.subs.address",
        "annexes.subs.contact",
        "record.erasure",
        "dossier.signature",
    }


def test_safeguards_when_data_leave_the_eea_then_asked_for() -> None:
    """Safeguards of transfers are asked for as soon as there is a third country, and not before."""
    abroad = facts(processor(third_countries=("TN",)))
    assert [each.id for each in WRITERS[PaperKind.RECORD](abroad, Language.EN).missing] == ["record.safeguards"]
    assert [each.id for each in WRITERS[PaperKind.PROCESSOR_RECORD](abroad, Language.EN).missing] == [
        "processor-record.safeguards"
    ]


def test_law_when_not_yet_in_force_then_not_asked() -> None:
    """An obligation counts from its first day and through its last."""
    assert asked_of(PaperKind.ANNEXES, date(2018, 5, 24)) == ()
    assert {each.id for each in asked_of(PaperKind.ANNEXES, date(2021, 6, 26))} == {
        "annexes.subject-matter",
        "annexes.duration",
        "annexes.clauses",
    }


# ── what every paper holds ───────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("kind", PaperKind)
def test_paper_when_written_then_it_holds_every_field_of_the_law_once(kind: PaperKind) -> None:
    """The fields printed are those that the law asks for on that day, no one left out, none missing in facts where all was said."""
    paper = sample(kind)
    printed = [row.id for block in paper.blocks if isinstance(block, Listing) for row in block.rows if row.id]
    printed += [id for block in paper.blocks if isinstance(block, Table) for id in block.ids]
    assert sorted(printed) == sorted(each.id for each in asked_of(kind, AT.date()))
    assert paper.missing == ()
    assert missing_of(kind, facts(), processor(), AT.date()) == ()


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", PaperKind)
def test_paper_when_typeset_then_its_structure_is_archivable_and_accessible(kind: PaperKind, language: Language) -> None:
    """PDF/A-2b and PDF/UA-1 are declared and what they ask for is there: colours, fonts, tags, language, title, bookmarks; nothing runs or hides in it."""
    with open_pdf(typeset(sample(kind, language))) as pdf:
        with pdf.open_metadata() as metadata:
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"], metadata["pdfuaid:part"]) == ("2", "B", "1")
            assert metadata["dc:title"]
        root = pdf.Root
        assert str(root.OutputIntents[0].S) == "/GTS_PDFA1"
        assert bool(root.MarkInfo.Marked)
        assert str(root.Lang).startswith(language.value)
        assert bool(root.ViewerPreferences.DisplayDocTitle)
        assert int(root.Outlines.Count) > 1 or int(root.Outlines.Count) < 0
        assert roles_of(pdf) >= {"/Document", "/H1", "/P", "/Table", "/TR", "/TH", "/TD"}
        assert all(held for _, held in fonts_of(pdf))
        assert keys_of(pdf) & {"/JS", "/JavaScript", "/OpenAction", "/AA", "/EmbeddedFiles", "/Launch", "/URI"} == set()


@pytest.mark.parametrize("kind", PaperKind)
def test_paper_when_made_twice_then_the_same_bytes(kind: PaperKind) -> None:
    """The same facts give the same bytes; another instant gives others."""
    assert typeset(sample(kind)) == typeset(sample(kind))
    later = facts(processor(), at=AT + timedelta(minutes=1))
    assert WRITERS[kind](later, Language.FR).facts_hash != sample(kind).facts_hash


def test_paper_when_long_then_heads_of_tables_stand_on_every_page() -> None:
    """A table that runs over pages says on each what its columns are, and the foot counts the pages."""
    rows = tuple(msgspec.structs.replace(processor().findings[0], id=f"fnd_{number:026}") for number in range(80))
    pdf = typeset(sample(PaperKind.DOSSIER, Language.EN, findings=rows))
    with open_pdf(pdf) as opened:
        pages = len(opened.pages)
    said = text_of(pdf)
    assert pages > 5
    assert said.count("Severity Finding Due Closing") >= 3
    assert f"page {pages} of {pages}" in said


@pytest.mark.parametrize("language", Language)
def test_paper_when_read_then_the_words_are_of_its_language(language: Language) -> None:
    """The same facts are said in French or in English: headings, forms, dates, countries, law."""
    said = text_of(typeset(sample(PaperKind.ANNEXES, language)))
    french = (
        "Annexe II : description du traitement",
        "une tranche d’âge",
        "du 1er janvier 2026 au 31 décembre 2027",
        "RGPD, art. 28, par. 3",
        "resserré",
    )
    english = (
        "Annex II: description of the processing",
        "an age band",
        "from 1 January 2026 to 31 December 2027",
        "GDPR Art. 28(3)",
        "narrower",
    )
    assert [text for text in (french if language is Language.FR else english) if text not in said] == []


def test_record_of_a_processor_when_handed_out_then_it_names_nobody_of_the_controllers_staff() -> None:
    """Who accepted, applied or suspended stays with the controller."""
    said = text_of(typeset(sample(PaperKind.PROCESSOR_RECORD)))
    assert "cli:" not in said
    assert "Maëlle" not in said


def test_papers_when_read_then_they_claim_no_conformity_and_no_filing() -> None:
    """A paper is evidence for an article: no word of ours says compliant, conforme, or that something was notified."""
    words = " ".join([*word_list(Language.FR).values(), *word_list(Language.EN).values()]).lower()
    assert re.findall(r"\bcompliant\b|\bcomplies\b|\bconforme\b|\bfiled\b|\bnotified\b|\bnotifié", words) == []


# ── signs and words ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_names_of_the_demo_when_printed_then_each_sign_stands_or_is_told() -> None:
    """Arabic, Cyrillic, Chinese, Tigrinya …: each sign of every name is on the page, or its number is, and the paper says so."""
    everyone = [
        name.script
        for origin in names.origins()
        for list_ in (origin.family_men, origin.family_women, origin.given_men, origin.given_women)
        for name in list_
    ]
    signs = sorted({sign for name in everyone for sign in name if sign.isalpha() and not sign.isascii()})
    assert len(signs) > 200
    shown = " ".join(signs)
    said = text_of(typeset(sample(PaperKind.DOSSIER, body=msgspec.structs.replace(processor().body, contact=shown))))
    said = said.replace(" ", "")
    lost = [sign for sign in signs if f"[U+{ord(sign):04X}]" in said]
    assert ("Signessanspolice" in said) == bool(lost)
    assert [sign for sign in signs if sign not in lost and sign not in said] == []


def test_sign_when_no_font_has_it_then_its_number_and_a_note() -> None:
    """A sign of no font is never a blank: its number stands there, and a note says what to install. Khitan is in hardly any."""
    said = text_of(
        typeset(
            sample(PaperKind.DOSSIER, Language.EN, body=msgspec.structs.replace(processor().body, contact="Ana \U00018b00 Silva"))
        )
    )
    assert "Ana [U+18B00] Silva" in said
    assert "No font here has a sign for: U+18B00" in said


def test_words_when_compared_then_both_languages_have_the_same() -> None:
    """Each key is in both lists, with the same figures."""
    lists = [word_list(language) for language in Language]
    assert lists[0].keys() == lists[1].keys()
    figures = [
        {key: {name for _, name, _, _ in string.Formatter().parse(text) if name} for key, text in words.items()}
        for words in lists
    ]
    assert figures[0] == figures[1]


def test_vocabularies_when_printed_then_each_name_has_its_word() -> None:
    """Every severity, form, category, measure, legal basis and state is said in words."""
    wanted = [
        *(f"severity.{each}" for each in Severity),
        *(f"form.{each}" for each in Form if each not in RESERVED_FORMS),
        *(f"category.{each}" for each in Category),
        *(f"{group}.{each}" for each in Control for group in ("measure", "family")),
        *(f"basis.{each}" for each in LEGAL_BASES),
        *(f"state.{each}" for each in GateState),
        *(f"paper.{each}" for each in PaperKind),
    ]
    assert [key for key in wanted if key not in word_list(Language.FR)] == []


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("GDPR Art. 30(1)(a)", "RGPD, art. 30, par. 1, a"),
        ("GDPR Art. 28(3)(a) to (h)", "RGPD, art. 28, par. 3, a à h"),
        ("GDPR Art. 28(9)", "RGPD, art. 28, par. 9"),
        ("2021/915, annex II", "2021/915, annexe II"),
    ],
)
def test_article_when_french_then_as_french_lawyers_cite_it(english: str, french: str) -> None:
    """A citation is turned, never translated word by word."""
    assert french_article(english) == french


def test_pages_when_drawn_then_pictures() -> None:
    """Pages can be looked at: each is a PNG."""
    pages = draw_pages(sample(PaperKind.ANNEXES), ppi=40)
    assert len(pages) >= 3
    assert {page[:8] for page in pages} == {b"\x89PNG\r\n\x1a\n"}
