"""Every reason that a gate can give is said in words, in both languages, with the mend and whose move it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecluse.contracts import EvidenceKind, gate
from ecluse.contracts.model import HOUSE_CLAUSES, REQUIRED_CLAUSES
from ecluse.contracts.words import _SAID, KINDS, Move, words_of

pytestmark = pytest.mark.unit

RULES = list(dict.fromkeys(re.findall(r"``([a-z-]+:[^`]*)``", gate.__doc__ or "")))
"""The codes of the numbered rules, as the gate's own head lists them."""

FILLED = {"<clause>": "28.3.d", "<kind>": "pentest", "<site>": "lyon-3", "<id>": "fnd_1"}


def filled(code: str) -> str:
    """Return a code of the list with something in each gap."""
    for gap, text in FILLED.items():
        code = code.replace(gap, text)
    return code


def test_codes_when_the_gate_gives_them_then_its_head_lists_them() -> None:
    """Every code that the source makes begins as one of the list, and every one of the list is made somewhere."""
    source = Path(gate.__file__).read_text(encoding="utf-8").split("from __future__", 1)[1]
    made = set(re.findall(r'f?"((?:contract|evidence|finding|sub-processor|override):[^"]*)"', source)) - set(gate.LIFTABLE)
    made = {re.sub(r"\{'lapsed' if seen else 'missing'\}", "lapsed", code) for code in made} | {
        "evidence:missing:{required.kind}"
    }
    shape = {re.sub(r"<[^>]*>", "*", code) for code in RULES} - {"evidence:missing:deletion-attestation"}
    assert {re.sub(r"\{[^}]*\}", "*", code) for code in made} == shape
    assert len(RULES) == 14


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(
    "code", [filled(code) for code in RULES] + ["contract:absent", "contract:unreadable", "witnesses:uncosigned"]
)
def test_reason_when_a_gate_can_give_it_then_in_words(code: str, language: str) -> None:
    """What, mend and move, no code in them, and no gap left open."""
    words = words_of(code, language)
    assert code not in words.what
    assert words.what
    assert words.mend
    assert "{" not in words.what + words.mend
    assert words.move in Move


def test_words_when_french_then_others_than_english() -> None:
    """Nothing was left untranslated."""
    for move, english, french in _SAID.values():
        assert set(english).isdisjoint(french)
        assert move in Move


@pytest.mark.parametrize("kind", EvidenceKind)
def test_kind_when_there_then_named_in_both_languages(kind: EvidenceKind) -> None:
    """Each kind of evidence has its name."""
    assert all(KINDS[kind.value])
    assert KINDS[kind.value][0] in words_of(f"evidence:lapsed:{kind}").what
    assert KINDS[kind.value][1] in words_of(f"evidence:lapsed:{kind}", "fr").what


@pytest.mark.parametrize("clause", REQUIRED_CLAUSES + HOUSE_CLAUSES)
def test_clause_when_missing_then_named(clause: str) -> None:
    """It says which."""
    assert words_of(f"contract:clause:missing:{clause}").what == f"clause {clause} is missing"


def test_reason_when_of_a_later_release_then_said_as_it_stands() -> None:
    """An old console shows a new code rather than nothing."""
    assert words_of("moon:full:3").what == "moon:full:3"


def test_words_when_written_then_as_here() -> None:
    """A few of them, word for word."""
    lapsed = words_of("evidence:lapsed:pentest")
    assert (lapsed.what, lapsed.mend, lapsed.move) == (
        "penetration test report: too old, past its end, or withdrawn",
        "hand in a newer one; it counts once the agency has accepted it",
        "processor",
    )
    assert words_of("evidence:site:iso27001:lyon-3", "fr").what == "certificat ISO/CEI 27001 : ne couvre pas le site lyon-3"
    assert words_of("evidence:missing:deletion-attestation").what == "since the end no deletion attestation was accepted"
