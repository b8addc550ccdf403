"""What is said of contract files on pages: each sentence that the code can make has its words in French, and what stands in its holes stays."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from ecluse import toml_lines
from ecluse.contracts import Change, Finding, check, check_contract, diff, diff_contracts, parse, parse_contract, read
from ecluse.register import parse_register
from ecluse.web.console.contract_words import SENTENCES, say, say_change, say_finding, shape_of
from ecluse.web.pages.language import Tongue, texts
from tests.contracts.conftest import WHOLE
from tests.contracts.test_check import UNWISE
from tests.contracts.test_diff import CHANGES
from tests.contracts.test_parse import REFUSED
from tests.invented import register_toml

pytestmark = pytest.mark.unit

EN, FR = Tongue("en"), Tongue("fr")
MAPPED: Final = {name: each.type for name, each in parse_register(register_toml()).attributes.items()}
SHAPES: Final = {sentence: shape_of(sentence) for sentence in SENTENCES}
MADE_IN: Final = (read, parse, check, diff)
UNSAID: Final = frozenset({"x, x"})
"""What the modules write that is no sentence: a sub-processor's country and role."""
OURS: Final = re.compile(
    r"\b(is|the|and|rooms,|sessions a day|Expected|Invalid|Cannot|Nested|Unclosed|Unterminated|Purpose|Sub-processor)\b"
)
"""Words of English sentences that no value of these tests' files has."""


def written(tree: ast.AST, hole: str = "x") -> Iterator[str]:
    """Yield each text that a tree writes, something in each hole, quoted where the value is; its docstrings are none."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value)
                if isinstance(part, ast.Constant)
                else "'x'"
                if getattr(part, "conversion", -1) == ord("r")
                else hole
                for part in node.values
            )
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield from written(part, hole)
        else:
            yield from written(node, hole)


def made() -> set[str]:
    """Return each sentence that the contracts' modules can make, from their source: every text of several words, and what a listed thing is called."""
    found: set[str] = set()
    for module in MADE_IN:
        tree = ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))
        found |= {text for text in written(tree) if " " in text and re.search("[a-z]", text)} - UNSAID
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "_listed":
                found |= {text for text in written(call) if re.fullmatch("[A-Z][a-z-]+", text)}
    return found


def made_by_reader() -> set[str]:
    """Return why a text is not TOML, from the source of Python's own reader, with the keys that `ecluse.toml_lines` leaves in."""
    tree = ast.parse(Path(tomllib.__file__).with_name("_parser.py").read_text(encoding="utf-8"))
    found = {toml_lines._TOO_DEEP}
    for raised in ast.walk(tree):
        call = raised.exc if isinstance(raised, ast.Raise) else None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in {"suffixed_err", "TOMLDecodeError"}:
            found |= {toml_lines.hide_quoted(text) for text in written(call, "('x', 'y z')")}
    return found


def matched(text: str) -> list[str]:
    """Return the sentences that a text is one of."""
    return [sentence for sentence, shape in SHAPES.items() if shape.fullmatch(text)]


def findings() -> list[Finding]:
    """Return what is found in files with one thing wrong or unwise each."""
    found = []
    for old, new, *_ in (*REFUSED, *UNWISE):
        report = check_contract(WHOLE.replace(old, new, 1), MAPPED)
        found += [*report.errors, *report.warnings]
    return found


def changes() -> list[Change]:
    """Return what changes between versions that differ in one thing, forth and back."""
    before, found = parse_contract(WHOLE, MAPPED), []
    for old, new, *_ in CHANGES:
        after = parse_contract(WHOLE.replace(old, new, 1), MAPPED)
        found += [*diff_contracts(before, after), *diff_contracts(after, before)]
    return found


def test_sentences_when_the_code_can_make_them_then_each_has_its_words_once() -> None:
    """Each sentence in the source is one of those that are marked, no two of them fit it, and none is marked that nothing makes."""
    sources = made() | made_by_reader()
    fitting = {text: matched(text) for text in sources}
    assert {text: found for text, found in fitting.items() if len(found) != 1} == {}
    assert set(SENTENCES) == {found[0] for found in fitting.values()}
    assert len(SENTENCES) == len(set(SENTENCES))


def test_sentences_when_said_of_files_then_each_in_french_and_english_as_it_was() -> None:
    """What is really found, with real keys and numbers in it, fits one sentence, is another text in French and the same in English."""
    said = {text for one in findings() for text in (one.why, one.mend)} | {one.sentence for one in changes()}
    assert {text: matched(text) for text in said if len(matched(text)) != 1} == {}
    assert {text for text in said if say(text, FR) == text} == set()
    assert {text for text in said if say(text, EN) != text} == set()


def test_sentences_when_in_french_then_nothing_of_them_is_left_in_english() -> None:
    """Words of ours inside a sentence are said, too: why a text is not TOML, what a listed thing is and how large it is."""
    assert {sentence for sentence in SENTENCES if sentence not in texts("fr")} == set()
    for one in (*findings(), *changes()):
        said = say(one.why if isinstance(one, Finding) else one.sentence, FR)
        assert not OURS.search(said), said


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("write `birth_date`", "écrivez `birth_date`"),
        ("add `rooms = 1`", "ajoutez `rooms = 1`"),
        ('write `"…" = "…"`', 'écrivez `"…" = "…"`'),
        ("write one of full, year, age_band, withheld", "écrivez l’une de ces valeurs\u00a0: full, year, age_band, withheld"),
        ("is of type date, which has no form masked", "est de type date, qui n’a pas de forme masked"),
        ("write a whole number from 1 to 100000000", "écrivez un nombre entier de 1 à 100000000"),
        (
            "is not TOML: Cannot declare ('site', \"…\") twice",
            "n’est pas du TOML\u00a0: ('site', \"…\") est défini deux fois",
        ),
        ('is not TOML: Expected "\'"', 'n’est pas du TOML\u00a0: il manque "\'"'),
        (
            "agree on the clause of Art. 28(3)(h) and add `28.3.h`",
            "convenez de la clause de l’art. 28, paragraphe 3, point h, du RGPD et ajoutez `28.3.h`",
        ),
        (
            "is above limits.persons_per_day (29): a full session would spend that budget before its end",
            "dépasse limits.persons_per_day (29)\u00a0: une séance complète épuiserait ce plafond avant sa fin",
        ),
        (
            "Sub-processor Courrier (is added) Isère is added (FR, mail).",
            "Sous-traitant ultérieur en plus\u00a0: Courrier (is added) Isère (FR, mail).",
        ),
        (
            "Site bron is removed (1 rooms, 2 sessions a day).",
            "Site en moins\u00a0: bron (salles\u00a0: 1, séances par jour\u00a0: 2).",
        ),
        ("limits.persons_per_day goes from 400 to 500.", "limits.persons_per_day passe de 400 à 500."),
        ("Evidence audit is required, at most P2Y old.", "Le justificatif audit est exigé, d’un âge de P2Y au plus."),
    ],
)
def test_sentence_when_it_has_holes_then_what_stands_in_them_stays(english: str, french: str) -> None:
    """Keys, forms, numbers and names stand in French as they stood."""
    assert say(english, FR) == french


def test_sentence_when_of_a_later_release_then_as_it_stands() -> None:
    """What is not known is shown rather than hidden; why a later Python refuses a text stands inside a sentence that is known."""
    assert say("is painted in another colour", FR) == "is painted in another colour"
    assert say("is not TOML: Far too blue", FR) == "n’est pas du TOML\u00a0: Far too blue"


def test_finding_when_of_the_whole_file_then_the_file_is_named_and_a_key_is_not() -> None:
    """The place of a finding is a key, which nothing translates, or the file itself, even where a key is called so."""
    (whole,) = check_contract("[", MAPPED).errors
    (key,) = check_contract("file = 1\n" + WHOLE, MAPPED).errors
    assert (say_finding(whole, FR).where, say_finding(whole, EN).where) == ("fichier", "file")
    assert (say_finding(key, FR).where, key.where) == ("file", "file")
    assert say_finding(key, FR).line == key.line == 1


def test_change_when_a_value_reads_like_a_sentence_then_it_stays() -> None:
    """Values of the files are shown as they are; only the size of a site is words of ours."""
    size = "2 rooms, 3 sessions a day"
    label = Change(where="purpose.a.label", before="is missing", after=size, effect="other", sentence="it changes")
    site = Change(where="site.bron", before=None, after=size, effect="wider", sentence="it is added")
    said = [(one.before, one.after) for one in (say_change(label, FR), say_change(site, FR), say_change(site, EN))]
    assert said == [("is missing", size), (None, "salles\u00a0: 2, séances par jour\u00a0: 3"), (None, size)]
