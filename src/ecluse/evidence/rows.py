"""The rows of a processor's own list of sub-processors, judged one by one, whichever way they came. Pure.

A fault names row and column, never a value: a contact may be a person.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from ecluse.evidence.errors import EvidenceRefused
from ecluse.evidence.model import Fault, NamedSubProcessor
from ecluse.evidence.sniff import is_formula

COLUMNS: Final = ("name", "address", "contact", "country", "role")
MOST_ROWS: Final = 500
MOST_CHARACTERS: Final = 200

_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_JOINERS: Final = frozenset("\u200c\u200d")  # zero-width, but part of the spelling in Persian and Indic scripts


def is_plain(text: str, most: int = MOST_CHARACTERS) -> bool:
    """Tell whether a text is fit for people: 1 to ``most`` visible characters on one line, trimmed, in Unicode normal form C."""
    return (
        1 <= len(text) <= most
        and text == text.strip()
        and unicodedata.is_normalized("NFC", text)
        and all(sign.isprintable() or sign in _JOINERS for sign in text)
    )


def check_rows(rows: Iterable[tuple[str, Sequence[object]]]) -> tuple[NamedSubProcessor, ...]:
    """Check rows, each with where it stands and its cells in the order of `COLUMNS`. Raises `EvidenceRefused`."""
    faults: list[Fault] = []
    found: list[NamedSubProcessor] = []
    for where, cells in rows:
        if len(found) >= MOST_ROWS:
            faults.append(
                Fault(where=where, why=f"there are more than {MOST_ROWS} rows", mend="Hand in a list of those that work for you")
            )
            break
        texts = {}
        for column, cell in zip(COLUMNS, cells, strict=True):
            text = str(cell).strip() if isinstance(cell, str | int | float) else ""
            fault = _judge(column, text)
            if fault is not None:
                faults.append(Fault(where=f"{where}, {column}", why=fault[0], mend=fault[1]))
            texts[column] = text
        if any(texts["name"] == other.name for other in found):
            faults.append(Fault(where=f"{where}, name", why="it stands twice", mend="Write each sub-processor once"))
        found.append(NamedSubProcessor(**texts))
    if faults:
        raise EvidenceRefused(tuple(faults))
    return tuple(found)


def _judge(column: str, text: str) -> tuple[str, str] | None:
    """Say why a cell is refused, and the mend."""
    if not is_plain(text):
        return "it is empty, or not a plain text", f"Write 1 to {MOST_CHARACTERS} visible characters on one line"
    if is_formula(text):
        return "it begins like a formula", "Begin it with another character than = + - @"
    if column == "country" and not _COUNTRY.fullmatch(text):
        return "it is not a country code", "Write two capital letters (ISO 3166-1), like FR"
    return None
