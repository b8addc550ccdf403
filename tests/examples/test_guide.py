"""The integrators' guide says what is: its table is the catalogue, its links and files exist. ``python -m tests.examples.test_guide`` writes the table anew."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import pytest

from ecluse.identity import proofs
from ecluse.identity.tokens import TOKEN_BYTES, TOKEN_LIFE
from ecluse.web.disclose import MOST_ATTRIBUTES, MOST_BODY_BYTES
from ecluse.web.problem_pages import AGAIN, entries
from ecluse.web.problems import PROBLEMS, Move
from ecluse.web.processor_api import MOST_DAYS

pytestmark = pytest.mark.unit

ROOT: Final = Path(__file__).resolve().parents[2]
GUIDE: Final = ROOT / "docs" / "integrators.md"
BEGIN: Final = "<!-- the catalogue: written by `python -m tests.examples.test_guide` -->\n"
END: Final = "<!-- end of the catalogue -->"
_MOVES: Final = {Move.YOURS: "yours", Move.CONTROLLER: "the agency's", Move.WAIT: "nobody's: wait"}


def table() -> str:
    """Write the table of refusals from the catalogue."""
    lines = ["| code | status | whose move | what it means | asking again | `Idempotency-Key` |", "|---|---|---|---|---|---|"]
    for code, row in PROBLEMS.items():
        helps, key = AGAIN["en"][entries()[code].again]
        lines.append(f"| `{code}` | {row.status} | {_MOVES[row.move]} | {row.detail} | {helps} | {key} |")
    return "\n".join(lines) + "\n"


def parts() -> tuple[str, str, str]:
    """Return what stands before the table, the table, and what stands after it."""
    before, begin, rest = GUIDE.read_text(encoding="utf-8").partition(BEGIN)
    held, end, after = rest.partition(END)
    assert begin
    assert end
    return before + begin, held, end + after


def test_table_when_compared_with_the_catalogue_then_the_same() -> None:
    """Every refusal is in the guide, as the catalogue has it."""
    assert parts()[1] == table(), "python -m tests.examples.test_guide"


def test_links_when_followed_then_they_lead_somewhere() -> None:
    """Each file that the guide links to is there."""
    links = re.findall(r"\]\(([^)#]+)\)", GUIDE.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (GUIDE.parent / link).exists()] == []


def test_figures_when_compared_with_the_code_then_the_same() -> None:
    """Lives, limits and sizes are those of the code."""
    text = GUIDE.read_text(encoding="utf-8")
    assert (int(proofs.PROOF_LIFE.total_seconds()), int(proofs.PROOF_AHEAD.total_seconds())) == (60, 5)
    assert "less than 60 seconds old and at most 5 ahead" in text
    assert (int(TOKEN_LIFE.total_seconds()), TOKEN_BYTES, proofs.PROOF_BYTES, proofs.JTI_CHARACTERS) == (300, 4096, 4096, 128)
    assert "300 seconds; at most 4,096 characters" in text
    assert f"64 KiB, 1 to {MOST_ATTRIBUTES} attributes" in text
    assert MOST_BODY_BYTES == 64 * 1024
    assert f"at most {MOST_DAYS} days a call" in text
    spoilt = json.loads((ROOT / "tests/vectors/integrators/proofs.json").read_text(encoding="utf-8"))["refused"]
    assert len(spoilt) == 39
    assert "this mistake and\nthirty-eight others" in text


if __name__ == "__main__":
    first, _, last = parts()
    GUIDE.write_text(first + table() + last, encoding="utf-8")
