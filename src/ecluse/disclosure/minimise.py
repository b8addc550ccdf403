"""From a register's value to the form that a contract names (docs/decisions/0001-formats.md, "Forms"). Pure.

A form never says more than its name: where it would (the initial of a one-character name, the last digits of a very short number) the
value is withheld.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from ecluse.contracts import Form
from ecluse.register import AttributeType

Delivered = str | int | None
"""A value as it leaves: text, a year, or None where the register has none."""

WITHHELD: Final = object()
"""Not a value: the attribute is absent from the answer."""

_BANDS: Final = ((15, "0-14"), (18, "15-17"), (25, "18-24"), (35, "25-34"), (45, "35-44"), (55, "45-54"), (65, "55-64"))
_MASK: Final = "***"
_SHORTEST_PHONE: Final = 6
_SHORTEST_IDENTIFIER: Final = 8
_WHITE: Final = re.compile(r"\s+")
_NO_DIGIT: Final = re.compile(r"\D+")


def initial(text: str) -> str | None:
    """Return the first grapheme and a full stop; None for a name of one grapheme or none, whose initial would be the name."""
    name = unicodedata.normalize("NFC", text).strip()
    graphemes = [at for at, char in enumerate(name) if not _extends(name, at, char)]
    if len(graphemes) < 2:
        return None
    return name[: graphemes[1]].rstrip() + "."


def _extends(name: str, at: int, char: str) -> bool:
    """Tell whether a character belongs to the grapheme before it: a combining mark, a joiner, or what a joiner joins."""
    joined = at > 0 and name[at - 1] == "\u200d"
    return at > 0 and (joined or char in "\u200c\u200d" or unicodedata.category(char) in {"Mn", "Mc", "Me"})


def age_band(born_on: date, today: date) -> str:
    """Return the band of the age reached on ``today`` (a UTC day)."""
    age = today.year - born_on.year - ((today.month, today.day) < (born_on.month, born_on.day))
    return next((band for below, band in _BANDS if age < below), "65+")


def mask_email(address: str) -> str | None:
    """Keep the first character of the local part and the domain; a local part of one character is masked whole."""
    local, at, domain = address.strip().rpartition("@")
    if not at or not local:
        return None
    return (local[0] if len(local) > 1 else "") + _MASK + "@" + domain


def mask_phone(number: str) -> str | None:
    """Keep the last two digits; None under six digits."""
    digits = _NO_DIGIT.sub("", number)
    return _MASK + digits[-2:] if len(digits) >= _SHORTEST_PHONE else None


def mask_identifier(identifier: str) -> str | None:
    """Keep the last three characters; None under eight."""
    text = identifier.strip()
    return _MASK + text[-3:] if len(text) >= _SHORTEST_IDENTIFIER else None


_TEXT_FORMS: Final[Mapping[tuple[AttributeType, Form], Callable[[str], str | None]]] = {
    (AttributeType.TEXT, Form.INITIAL): initial,
    (AttributeType.EMAIL, Form.MASKED): mask_email,
    (AttributeType.PHONE, Form.MASKED): mask_phone,
    (AttributeType.IDENTIFIER, Form.MASKED): mask_identifier,
}


def minimise(kind: AttributeType, form: Form, value: str | date | None, today: date) -> tuple[Form, object]:
    """Return the form in which the value is given and the value, or ``(Form.WITHHELD, WITHHELD)``.

    A value the register lacks is None in any form but a withheld one, so that its absence is told in the same way everywhere.
    Raises `AssertionError` for a form that the type lacks: the contract's check refuses those.
    """
    if form in {Form.WITHHELD, Form.RELAY}:
        return Form.WITHHELD, WITHHELD  # relay: until aliases exist, nothing stands for the address
    if value is None:
        return form, None
    if form is Form.FULL:
        return form, value.isoformat() if isinstance(value, date) else value
    if isinstance(value, date):
        if form is Form.YEAR:
            return form, value.year
        if form is Form.AGE_BAND:
            return form, age_band(value, today)
    else:
        weaken = _TEXT_FORMS.get((kind, form))
        if weaken is not None:
            weaker = weaken(value)
            return (form, weaker) if weaker is not None else (Form.WITHHELD, WITHHELD)
    raise AssertionError("impossible: a form that the type lacks")


def normal(kind: AttributeType, value: object) -> object:
    """Return normal form 1 of a delivered value, which fingerprints are made of: NFKC, casefold, single spaces; of a phone its digits."""
    if not isinstance(value, str):
        return value
    if kind is AttributeType.PHONE:
        return _NO_DIGIT.sub("", value)
    return _WHITE.sub(" ", unicodedata.normalize("NFKC", value).casefold()).strip()
