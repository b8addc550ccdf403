"""The library format: what is refused, what is read, that what is written reads back, and (where a folder is named) every public library."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.evidence.questionnaire.errors import LibraryInvalid
from ecluse.evidence.questionnaire.library import MOST_BYTES, read_library
from ecluse.evidence.questionnaire.model import Kind, Result, say
from ecluse.evidence.questionnaire.publish import write_library
from ecluse.evidence.questionnaire.service import OWN, own_questionnaire
from tests.evidence.questionnaire.small import BASE, SMALL, small, urn

pytestmark = pytest.mark.unit

LIBRARIES: Final = os.environ.get("ECLUSE_LIBRARIES")
"""A folder of public library files; none of them is kept here."""


def faults(data: bytes) -> list[str]:
    """Read a library that is refused; return what is said of it."""
    with pytest.raises(LibraryInvalid) as refused:
        read_library(data)
    return [f"{fault.where}: {fault.why}" for fault in refused.value.faults]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "file: it is not a library: a mapping is expected"),
        (b"- 1", "file: it is not a library: a mapping is expected"),
        (b"\xff", "file: byte 1 is not UTF-8"),
        (b"a: [}", "line 1: it is not YAML that is read here"),
        (b"a: !!python/object/apply:os.system ['true']", "line 1: it is not YAML that is read here"),
        (b"a: &x [1]\nb: *x", "line 2: it uses an alias (*)"),
        (b"a: 1\n---\nb: 2", "line 2: a second document begins"),
        (b"[" * 40 + b"]" * 40, "line 1: it is nested deeper than 24 levels"),
        (b"a: 2026-13-45", "file: it is not YAML that is read here"),
        (b"a: " + b"9" * 5_000, "file: it is not YAML that is read here"),
        (b"x" * (MOST_BYTES + 1), "file: it is larger than 8 MiB"),
        (b"urn: u\nlocale: en\nobjects: {risk_matrix: []}", "objects: there is no framework in it (it holds risk_matrix): nothing to ask"),
    ],
)  # fmt: skip
def test_file_when_it_is_no_library_then_refused_with_where_and_why(data: bytes, said: str) -> None:
    """What is not read says where it stands; nothing in it is run or multiplied."""
    told = faults(data)
    assert len(told) == 1
    assert told[0].startswith(said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("type: unique_choice", "type: riddle", "type: it is not a kind of question"),
        ("weight: 3", "weight: many", "weight: it is not a whole number"),
        ("ecluse_severity: medium", "ecluse_severity: bad", "ecluse_severity: it is not a severity"),
        ("name: Doors", "name: [Doors]", "requirement_nodes[1], name: it is not a text"),
        (f'{BASE}:a1:q2:north", "{BASE}:a1:q2:south"], condition: all', f'{BASE}:elsewhere"], condition: all', "depends_on: it names no earlier question"),
        (f'question: "{BASE}:a1:q1"', f'question: "{BASE}:b1:q1"', "depends_on: it names no earlier question"),
        (f'urn: "{BASE}:a1:q1:half"', f'urn: "{BASE}:a1:q1:yes"', "its urn, or that of a choice, comes twice"),
        ("value: North", "value: ''", "choices[0], value: it is missing"),
        ("ref_id: small\n    name", "name", "framework, ref_id: it is missing"),
    ],
)  # fmt: skip
def test_library_when_a_part_is_wrong_then_refused_with_its_path(old: str, new: str, said: str) -> None:
    """Each fault names the node, question or choice that it stands in."""
    assert old in SMALL
    assert [each for each in faults(SMALL.replace(old, new, 1).encode()) if said in each] != []


def test_library_when_it_has_hundreds_of_faults_then_fifty_are_told() -> None:
    """A report has an end."""
    nodes = "".join("    - []\n" for _ in range(400))
    head = "urn: u\nlocale: en\nobjects:\n  framework:\n    urn: f\n    ref_id: f\n    name: f\n    requirement_nodes:\n"
    assert len(faults((head + nodes).encode())) == 50


def test_library_when_read_then_our_model() -> None:
    """Kinds, weights, points, results, severities, conditions and both languages come out as they were written."""
    asked = {question.urn: (node, question) for node, question in small().asked()}
    node, doors = asked[urn("a1:q1")]
    assert (node.ref_id, say(node.finding, "fr"), doors.weight, doors.words["fr"]) == (
        "A.1",
        "Doors left open",
        3,
        "Les portes sont-elles fermées ?",
    )
    assert [(c.points, c.result, c.severity) for c in doors.choices][2:] == [
        (0, Result.UNMET, "critical"),
        (None, Result.APART, None),
    ]
    assert [question.kind for _, question in asked.values()] == [
        Kind.ONE,
        Kind.MANY,
        Kind.TEXT,
        Kind.NUMBER,
        Kind.DATE,
        Kind.BOOLEAN,
    ]
    last = asked[urn("a1:q3")][1].condition
    assert last is not None
    assert (last.question, last.every) == (urn("a1:q2"), True)


def test_library_when_it_has_unknown_keys_then_read_and_told() -> None:
    """What newer files say beside is passed over, and said so."""
    reading = read_library(SMALL.replace("weight: 3", "weight: 3\n          colour: red").encode())
    assert reading.notes == ("question: `colour` is not known here and was passed over (1 times)",)


def test_library_when_no_node_has_a_question_then_each_requirement_is_asked() -> None:
    """A plain framework becomes a questionnaire with four standard answers; headings are not asked."""
    text = (
        "urn: u\nlocale: fr\nobjects:\n  framework:\n    urn: f\n    ref_id: f\n    name: Cadre\n    requirement_nodes:\n"
        "    - {urn: a, assessable: false, depth: 1, name: Titre}\n    - {urn: b, assessable: true, depth: 2, description: Chiffrer}\n"
    )
    reading = read_library(text.encode())
    asked = list(reading.questionnaire.asked())
    assert [(node.urn, say(question.words, "fr")) for node, question in asked] == [("b", "Chiffrer")]
    assert [say(choice.words, "fr") for choice in asked[0][1].choices] == [
        "Oui, entièrement",
        "En partie",
        "Non",
        "Ne nous concerne pas",
    ]
    assert reading.notes == ("it has no questions of its own: each requirement is asked with the standard answers",)
    assert read_library(write_library(reading.questionnaire).encode()).questionnaire == reading.questionnaire


def test_library_when_written_then_it_reads_back_the_same() -> None:
    """A round trip changes nothing."""
    assert read_library(write_library(small()).encode()).questionnaire == small()


def test_own_questionnaire_when_written_then_its_own_file_again() -> None:
    """Our file is what our writer writes, its heading apart; nothing in it is passed over."""
    text = OWN.read_text(encoding="utf-8")
    heading = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    reading = read_library(text.encode())
    assert reading.notes == ()
    assert heading + write_library(reading.questionnaire) == text


def test_own_questionnaire_when_looked_at_then_short_in_both_languages_and_each_question_says_what_for() -> None:
    """Twenty to twenty-five questions, in French and English, each evidence for something; each bad answer has a finding with a name."""
    asked = list(own_questionnaire().asked())
    assert 20 <= len(asked) <= 25
    assert own_questionnaire().languages == ("fr", "en")
    for node, question in asked:
        assert set(node.name) == set(node.evidence_for) == set(question.words) == {"fr", "en"}
        assert all(set(choice.words) == {"fr", "en"} for choice in question.choices)
        grave = [choice for choice in question.choices if choice.severity is not None]
        assert set(node.finding) == ({"fr", "en"} if grave else set())
        if question.weight:
            assert max(choice.points or 0 for choice in question.choices) == 100
            assert grave != []
    assert "compliant" not in "".join(
        text for node, question in asked for words in (node.finding, question.words) for text in words.values()
    )


_KEYS = st.sampled_from(
    [
        "objects",
        "framework",
        "requirement_nodes",
        "questions",
        "choices",
        "urn",
        "depth",
        "text",
        "type",
        "depends_on",
        "translations",
    ]
)
_LEAVES = st.text(max_size=5) | st.integers() | st.none()
_SHAPES = st.recursive(_LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(_KEYS, v, max_size=5), max_leaves=20)


@given(st.text(max_size=400) | _SHAPES.map(str))
def test_library_when_it_is_anything_then_read_or_refused(text: str) -> None:
    """Whatever a file holds, it is a questionnaire or our own error."""
    with contextlib.suppress(LibraryInvalid):
        read_library(text.encode("utf-8", "surrogatepass"))


@pytest.mark.skipif(LIBRARIES is None, reason="ECLUSE_LIBRARIES names no folder of public libraries")
@pytest.mark.timeout(3600)
def test_public_libraries_when_swept_then_each_framework_is_read_and_reads_back() -> None:
    """Every library with a framework is read, and its questionnaire written and read back is the same; one without says that it asks nothing."""
    read, without = 0, 0
    for path in sorted(Path(str(LIBRARIES)).glob("*.yaml")):
        data = path.read_bytes()
        if b"requirement_nodes:" not in data:
            assert "there is no framework in it" in faults(data)[0], path.name
            without += 1
            continue
        questionnaire = read_library(data).questionnaire
        assert read_library(write_library(questionnaire).encode()).questionnaire == questionnaire, path.name
        read += 1
    assert read > without
