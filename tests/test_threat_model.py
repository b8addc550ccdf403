"""The threat model names tests that exist, and every attacker that the design considers has its section."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
ATTACKERS = (
    "Stolen machine key",
    "Stolen token",
    "Malicious agent",
    "Compromised processor that follows the schedule, and drips for weeks",
    "Two colluding processors",
    "Enumeration of handles",
    "Replay and race",
    "A processor that invents appointments",
    "Stolen or misled scheduler",
    "An infostealer on a trainer's computer",
    "Operator or database administrator who edits history",
    "Poisoned import file",
    "Hostile leak sample",
)


def sections() -> dict[str, str]:
    """Return the text of each attacker's section."""
    parts = re.split(r"^### (.+)$", TEXT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_model_when_it_names_a_test_then_the_test_is_there() -> None:
    """Each ``file::name`` is a test function of that file."""
    named = re.findall(r"`(tests/[a-z0-9_/]+\.py)::(\w+)`", TEXT)
    assert len(named) > 40
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).exists()
        or not re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert missing == []


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_model_when_an_attacker_is_considered_then_shown_or_said_to_be_open(attacker: str) -> None:
    """Each attacker has a table with tests, or a sentence that says what is not built."""
    text = sections()[attacker]
    assert "`tests/" in text or "Not built yet" in text


def test_model_when_a_row_stops_something_then_a_test_shows_it() -> None:
    """No row claims without a test."""
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| stops it", "|---"))]
    assert [row for row in rows if "`tests/" not in row.split("|")[3]] == []
