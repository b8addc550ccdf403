"""What answers are worth: conditions, weights, what counts and what does not, and the findings that they propose."""

from __future__ import annotations

from fractions import Fraction

import pytest

from ecluse.evidence.questionnaire.check import check_answers, check_contact
from ecluse.evidence.questionnaire.model import Answer, Contact
from ecluse.evidence.questionnaire.score import Standing, score, visible
from ecluse.evidence.questionnaire.service import own_questionnaire
from tests.evidence.questionnaire.small import FULL, picks, small, urn

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("nowhere", Answer(text="x")),
        ("a1:q1", picks("a1:q1:yes", "a1:q1:no")),
        ("a1:q1", picks("a1:q2:north")),
        ("a1:q1", Answer(text="Yes")),
        ("a1:q2", picks("a1:q2:north", "a1:q2:north")),
        ("a1:q3", picks("a1:q1:yes")),
        ("a1:q3", Answer(text="x" * 1001)),
        ("a1:q3", Answer(text="a\x00b")),
        ("a1:q3", Answer(text="a\u202eb")),
        ("a1:q3", Answer(note="\x1b[2J")),
        ("b1:q1", Answer(text="twelve")),
        ("b1:q1", Answer(text="١٢")),
        ("b1:q1", Answer(text="1e9")),
        ("b1:q2", Answer(text="31/01/2026")),
        ("b1:q2", Answer(text="2026-02-30")),
        ("b1:q2", Answer(text="20260131")),
        ("b1:q3", Answer(text="maybe")),
    ],
)
def test_answers_when_one_is_not_of_its_question_then_a_fault(question: str, answer: Answer) -> None:
    """An answer of another kind, out of the list, too long or with control characters is told, with why and the mend."""
    found = check_answers(small(), {urn(question): answer})
    assert len(found) == 1
    assert found[0].why
    assert found[0].mend


def test_answers_when_as_they_must_be_then_no_fault() -> None:
    """Each kind of answer is taken, and so is none."""
    assert check_answers(small(), FULL) == ()
    assert check_answers(small(), {each: Answer() for each in FULL}) == ()


@pytest.mark.parametrize(
    ("contact", "part"),
    [
        (Contact(), "name"),
        (Contact(name="A", function="B"), "email"),
        (Contact(name="A", email="a@b.example"), "function"),
        (Contact(name="A\nB", function="B", email="a@b.example"), "name"),
        (Contact(name="A", function="B", email="a b@c.example"), "email"),
        (Contact(name="A", function="B", email="a@localhost"), "email"),
        (Contact(name="A", function="B", email="a@b.example"), None),
    ],
)
def test_contact_when_a_part_is_missing_then_that_part(contact: Contact, part: str | None) -> None:
    """Somebody answers, in a function, at an address; nothing of it is shown by mistake."""
    assert check_contact(contact) == part
    assert repr(contact) == "Contact(…)"


def asked(answers: dict[str, Answer]) -> set[str]:
    """Return the ends of the questions that are asked."""
    return {question.urn.removeprefix(urn("")) for _, question in visible(small(), answers)}


def test_question_when_what_it_hangs_on_is_not_asked_then_not_asked_either() -> None:
    """A condition that was true once does not outlive the question that it stands on."""
    first, rest = urn("a1:q1"), {"b1:q1", "b1:q2", "b1:q3", "a1:q1"}
    both = {urn("a1:q2"): picks("a1:q2:north", "a1:q2:south")}
    assert asked({}) == rest
    assert asked({first: picks("a1:q1:no")} | both) == rest
    assert asked({first: picks("a1:q1:yes")} | both) == rest | {"a1:q2", "a1:q3"}
    assert asked({first: picks("a1:q1:yes"), urn("a1:q2"): picks("a1:q2:north")}) == rest | {"a1:q2"}


def test_score_when_answered_in_part_then_shares_of_weights() -> None:
    """Half the best of weight three, all of weight one; what has no worth is told and not scored."""
    scored = score(small(), FULL)
    assert [(line.standing, line.earned, line.of) for line in scored.lines] == [
        (Standing.PART, Fraction(3, 2), 3), (Standing.FULL, Fraction(1), 1), *[(Standing.TOLD, 0, 0)] * 4,
    ]  # fmt: skip
    assert (scored.earned, scored.of, scored.percent) == (Fraction(5, 2), 4, 62)
    assert [(one.ref, one.severity) for one in scored.proposals] == [("A.1", "medium")]


def test_score_when_nothing_is_answered_then_nothing_is_earned() -> None:
    """No answer is worth nothing, and is not forgotten."""
    scored = score(small(), {})
    assert (scored.percent, len(scored.unanswered), scored.proposals) == (0, 4, ())


def test_score_when_it_does_not_apply_then_out_of_the_count() -> None:
    """A question that does not apply counts on neither side; where nothing counts there is no share."""
    scored = score(small(), {urn("a1:q1"): picks("a1:q1:na")})
    assert (scored.of, scored.percent, scored.lines[0].standing) == (0, None, Standing.APART)


def test_score_when_an_answer_is_not_asked_for_then_it_counts_for_nothing() -> None:
    """An answer that is left from before a change of mind earns nothing and proposes nothing."""
    answers = {urn("a1:q1"): picks("a1:q1:no"), urn("a1:q2"): picks("a1:q2:north", "a1:q2:south")}
    scored = score(small(), answers)
    assert (scored.earned, scored.of) == (0, 3)
    assert [(one.severity, one.choice) for one in scored.proposals] == [("critical", urn("a1:q1:no"))]


def test_own_questionnaire_when_all_is_best_then_everything_and_when_worst_then_findings_worst_first() -> None:
    """The best answers earn all; the worst earn nothing and propose findings, critical ones at the top."""
    best: dict[str, Answer] = {}
    worst: dict[str, Answer] = {}
    for answers, pick in ((best, max), (worst, min)):
        for _, question in own_questionnaire().asked():
            scored = [choice for choice in question.choices if choice.points is not None]
            if scored:
                answers[question.urn] = Answer(picked=(pick(scored, key=lambda one: one.points or 0).urn,))
            elif question.choices:
                answers[question.urn] = Answer(picked=(question.choices[0].urn,))
            else:
                answers[question.urn] = Answer(text="x")
    assert (score(own_questionnaire(), best).percent, score(own_questionnaire(), best).proposals) == (100, ())
    bad = score(own_questionnaire(), worst)
    assert bad.percent == 0
    severities = [one.severity for one in bad.proposals]
    assert severities == sorted(severities, key=["critical", "high", "medium", "low"].index)
    assert severities.count("critical") == 4
