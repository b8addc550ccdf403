"""Écluse's own papers: complete, in both languages alike, true to the schema; the file for the PIA tool; and nobody's working time is counted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any, Final

import pytest

from ecluse.papers.missing import Asked, obligations
from ecluse.papers.model import Language, PaperKind
from ecluse.papers.own import OwnPaper, measures_of_dpia, parse_kept, retention_table, retention_words, source_of
from ecluse.papers.own_print import lay_out
from ecluse.papers.pia import GAUGES, LISTS, TEXTS, pia_file
from ecluse.papers.text import Grid, Items, Paragraph, Section, fill, parse_text, plain, to_html, to_markdown
from ecluse.papers.typeset import typeset
from tests.papers.ours import COMMENTS, ZONE, filled, house
from tests.papers.samples import AT

pytestmark = pytest.mark.unit

SRC: Final = Path(__file__).parents[2] / "src" / "ecluse"
HOSTILE = "Agence **x** `y` <script>alert(1)</script> | $dpo [[retention]] # =1+1"


# ── the texts ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_fact_when_it_looks_like_markup_then_text_it_stays() -> None:
    """A controller's name can't become markup, a place for something else, or code, in any of the formats."""
    text = filled(OwnPaper.RECORD, Language.EN, name=HOSTILE)
    section = text.section("record.controller.name")
    assert section is not None
    assert plain(section.blocks[0].line) == HOSTILE
    assert "<script" not in to_html(section.blocks)
    assert "\\*\\*x\\*\\*" in to_markdown(text)
    assert typeset(lay_out(text, Language.EN, house(name=HOSTILE), ZONE)).startswith(b"%PDF")


def test_paper_when_a_place_has_no_fact_then_a_bug() -> None:
    """A text that names a fact that there is none of can't be written."""
    with pytest.raises(AssertionError, match="names a fact"):
        fill(parse_text("# Title\n\n$nobody\n"), {}, {})


def test_text_when_read_then_its_parts() -> None:
    """Headings with ids, paragraphs, lists, strong, stressed and literal pieces."""
    text = parse_text("# A\n\nOne **two** *three* `four`.\n\n## B {#b}\n\n- x\n- **y** z\n\n1. n\n")
    assert [(each.level, each.id, each.title) for each in text.sections] == [(1, "", "A"), (2, "b", "B")]
    first, second = text.sections
    assert isinstance(first.blocks[0], Paragraph)
    assert [(run.text, run.style) for run in first.blocks[0].line][1:6:2] == [
        ("two", "strong"),
        ("three", "em"),
        ("four", "code"),
    ]
    assert to_html(second.blocks) == "<ul><li>x</li><li><strong>y</strong> z</li></ul><ol><li>n</li></ol>"


@pytest.mark.parametrize("paper", list(OwnPaper))
def test_languages_when_compared_then_the_same_sections_and_facts(paper: OwnPaper) -> None:
    """Both languages have the same sections in the same order, lists of the same length, and name the same facts."""
    french, english = (source_of(paper, language) for language in Language)

    def shape(sections: tuple[Section, ...]) -> list[object]:
        kinds = [[len(block.lines) if isinstance(block, Items) else type(block) for block in each.blocks] for each in sections]
        return [(each.level, each.id, kind) for each, kind in zip(sections, kinds, strict=True)]

    assert shape(french.sections) == shape(english.sections)
    sources = [(SRC / f"papers/own/{paper}.{language}.md").read_text(encoding="utf-8") for language in Language]
    assert sorted(Template(sources[0]).get_identifiers()) == sorted(Template(sources[1]).get_identifiers())


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("paper", list(OwnPaper))
def test_paper_when_filled_then_nothing_open_and_no_claim(paper: OwnPaper, language: Language) -> None:
    """No place is left open, nothing claims to be compliant, and the same facts give the same text."""
    written = to_markdown(filled(paper, language))
    assert not re.search(r"\$[a-z_]+|\[\[[a-z-]+\]\]", written)
    assert not re.search(r"\bcomplian|\bconforme\b|GDPR-ready", written)
    assert written == to_markdown(filled(paper, language))


@pytest.mark.parametrize(
    ("language", "mark"),
    [(Language.EN, "[to complete: ecluse.toml, controller.dpo]"), (Language.FR, "[à compléter : ecluse.toml, controller.dpo]")],
)
def test_paper_when_a_fact_is_not_said_then_the_place_says_where(language: Language, mark: str) -> None:
    """What nobody has said is a mark that names the key."""
    section = filled(OwnPaper.RECORD, language, dpo="").section("record.dpo")
    assert section is not None
    assert plain(section.blocks[0].line) == mark


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize(
    "field", [each.id for each in obligations() if each.paper is PaperKind.RECORD and each.asked is Asked.ALWAYS]
)
def test_own_record_when_the_law_asks_for_a_field_then_it_is_there(field: str, language: Language) -> None:
    """Our own entry for the record has every field that Art. 30(1) asks for, with something in it."""
    section = filled(OwnPaper.RECORD, language).section(field)
    assert section is not None
    assert section.blocks


@pytest.mark.parametrize("language", list(Language))
def test_retention_when_said_then_persons_first_and_the_installation_s_months(language: Language) -> None:
    """The table says each category with the installation's own months."""
    table = retention_table([parse_kept(name, said) for name, said in COMMENTS.items()], 18, language)
    first = {
        Language.EN: ("persons of the register", "openings of entries", "reference", "18 months"),
        Language.FR: ("personnes du registre", "ouvertures d'écritures", "référence", "18 mois"),
    }
    assert table.rows[0] == first[language]
    assert len(table.rows) == 4


# ── the file for the PIA tool ────────────────────────────────────────────────────────────────────────────────────────────────────
PIA: Final = {
    "pia": {
        "id": int, "status": int, "name": str, "category": str, "author_name": str, "evaluator_name": str, "validator_name": str, "dpo_status": type(None),
        "dpo_opinion": str, "concerned_people_opinion": str, "concerned_people_status": type(None), "concerned_people_searched_opinion": type(None),
        "concerned_people_searched_content": str, "rejection_reason": str, "applied_adjustments": str, "dpos_names": str, "people_names": str,
        "is_example": int, "is_archive": int, "structure_id": type(None), "structure_name": str, "structure_sector_name": str, "structure_data": type(None),
        "created_at": str, "updated_at": str,
    },
    "answer": {"id": int, "pia_id": int, "reference_to": int, "data": dict, "created_at": str, "updated_at": str},
    "measure": {"id": int, "pia_id": int, "title": str, "content": str, "placeholder": str, "created_at": str, "updated_at": str},
}  # fmt: skip
"""The members that the tool's import reads (its ``src/app/models`` and ``pia.service.ts``, see ``papers/pia.py``), with the types that it expects."""


def held_to(shape: dict[str, Any], value: dict[str, Any]) -> None:
    """Compare members and types."""
    assert set(value) == set(shape)
    assert {name: type(each) for name, each in value.items()} == shape


@pytest.mark.parametrize("language", list(Language))
def test_pia_when_written_then_the_tool_s_structure(language: Language) -> None:
    """Members and types are those that the tool reads; every question is answered once; nothing is evaluated, no opinion put in anybody's mouth."""
    text = filled(OwnPaper.DPIA, language)
    found = json.loads(pia_file(text, AT))
    assert list(found) == ["pia", "answers", "measures", "evaluations", "comments"]
    held_to(PIA["pia"], found["pia"])
    for answer in found["answers"]:
        held_to(PIA["answer"], answer)
    for measure in found["measures"]:
        held_to(PIA["measure"], measure)
    assert [each["reference_to"] for each in found["answers"]] == [*TEXTS, *LISTS, *GAUGES]
    assert (found["evaluations"], found["comments"], found["pia"]["status"]) == ([], [], 0)
    assert pia_file(text, AT) == pia_file(text, AT)


@pytest.mark.parametrize("language", list(Language))
def test_pia_when_written_then_each_answer_has_its_kind(language: Language) -> None:
    """Texts are HTML of our text, lists name measures that exist, estimates are 1 to 4 and say that they are proposed."""
    found = json.loads(pia_file(filled(OwnPaper.DPIA, language), AT))
    titles = {each["title"] for each in found["measures"]}
    assert titles == {title for title, _ in measures_of_dpia(language)}
    for answer in found["answers"]:
        data = answer["data"]
        if answer["reference_to"] in TEXTS:
            assert re.match(r"<(p|ul|ol)>", data["text"])
            assert (data["gauge"], data["list"]) == (None, [])
        elif answer["reference_to"] in LISTS:
            assert data["list"]
            assert answer["reference_to"] % 10 != 4 or set(data["list"]) <= titles
        else:
            assert data["gauge"] in {1, 2, 3, 4}
            assert re.search("proposed|proposé", data["text"])


# ── nobody's time is counted ─────────────────────────────────────────────────────────────────────────────────────────────────────
STAFF: Final = re.compile(
    r"\bagents?(?:_id)?\b|session_agent|'agent:|\bactor\b"
    r"|\b(?:applied|placed|submitted|accepted|rejected|withdrawn|opened|closed|asked|approved|revoked|requested|reviewed)_by\b"
)
SUMMED: Final = re.compile(
    r"\b(?:count|sum|avg|min|max|rank|dense_rank|row_number|lag|lead|percentile_cont|stddev|extract|age)\s*\("
    r"|\bgroup by\b|\bpartition by (?!range|list)"
)
INNOCENT: Final = {
    "cli/queries.sql": {"select p.id, p.name, p.added_at": "how many agents a processor registered, not what they did"},
    "identity/store.py": {
        "select a.id, a.label": "how many passkeys an agent has, and their last sign of life: an account that nobody uses is closed"
    },
    "web/console/governed.sql": {"select p.id, p.name, p.added_at": "how many agents a processor registered, not what they did"},
    "ledger/fsck.sql": {
        "select count(*) as count, min(w.index) as first from": "entries that disagree with their rows; a name is compared, none is summed",
        "with said as (": "look-ups that disagree with their entries; looks are counted by look-up, nobody's work",
        "with periods as (": "ceilings against the ledger, by scope; prints how many disagree",
    },
    "migrations/0002_pre_door.sql": {"begin return query select u.n, h.control_seq": "what one request needs to be decided"},
    "migrations/0003_pre_schedule.sql": {"with named as materialized (": "the sessions that an import moves"},
}
"""The statements that name staff and sum up, by file and beginning, and why they count nobody's work."""


def statements() -> Iterator[tuple[str, str]]:
    """Yield every SQL statement of the source, with its file."""
    for path in sorted(SRC.rglob("*.sql")):
        for each in re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8")).split(";"):
            yield str(path.relative_to(SRC)), " ".join(each.split())
    for path in sorted(SRC.rglob("*.py")):
        for found in re.finditer(r'f?"""[\s\S]*?"""|(?:f?"[^"\n]*"\s*)+', path.read_text(encoding="utf-8")):
            text = " ".join(re.sub(r'"\s*f?"', "", found[0]).strip(' f"').split())
            if re.search(r"\bselect\b.+\bfrom\b", text):
                yield str(path.relative_to(SRC)), text


def test_statements_when_all_are_read_then_none_counts_what_staff_did() -> None:
    """No statement sums up, ranks or times what agents or staff did; those that look like it are listed with their reason, and the list has no dead line."""
    met = set()
    for file, statement in statements():
        if STAFF.search(statement) and SUMMED.search(statement):
            beginning = next((each for each in INNOCENT.get(file, {}) if statement.startswith(each)), None)
            assert beginning is not None, f"{file}: {statement[:300]}"
            met.add((file, beginning))
    assert met == {(file, beginning) for file, each in INNOCENT.items() for beginning in each}


def test_statements_when_one_counts_an_agent_then_it_would_be_found() -> None:
    """The search finds what it is for."""
    for statement in (
        "select agent_id, count(*) from ecluse.opening group by agent_id",
        "select o.agent_id, max(o.sealed_at) - min(o.sealed_at) from ecluse.opening o",
        "select accepted_by, avg(x) from ecluse.evidence group by 1",
        "select s.agent_id, lag(s.starts_at) over (order by s.starts_at) from ecluse.session_agent s",
    ):  # fmt: skip
        assert STAFF.search(statement)
        assert SUMMED.search(statement)
    assert len(list(statements())) > 150


def test_ceiling_when_an_agent_has_one_then_the_papers_say_so() -> None:
    """The one figure by agent, the hour's ceiling that nobody can read, is named in the assessment and in the notice."""
    for language in Language:
        purposes = filled(OwnPaper.DPIA, language).section("211")
        assert purposes is not None
        assert "GET /v1/budget" in to_html(purposes.blocks)
        assert re.search(
            "nobody, your employer included|pas même votre employeur", to_markdown(filled(OwnPaper.NOTICE, language))
        )


def test_retention_words_when_read_then_one_spelling_each() -> None:
    """Each table is named in both languages, and no word is empty."""
    words = retention_words()
    assert all(set(each) == {"en", "fr"} and all(each.values()) for each in words.table.values())
    assert all(words.what.values())
    assert all(words.long.values())
    assert isinstance(filled(OwnPaper.NOTICE).sections[5].blocks[0], Grid)
