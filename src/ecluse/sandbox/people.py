"""The invented people of the sandbox: common names of several scripts, joined by nobody, with the oddities that a real register has. Pure.

Addresses are of RFC 2606, phones of the range that the French plan keeps for fiction (06 39 98), file numbers are words.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from ecluse.register import AttributeType
from ecluse.sandbox.model import SYSTEM

_NAMES: Final = (  # family name, given name, both as a French office types them, language
    ("Exemple", "Camille", "Exemple", "Camille", "fr"),
    ("الخطيب", "ليلى", "Al-Khatib", "Leïla", "ar"),
    ("Коваленко", "Олена", "Kovalenko", "Olena", "uk"),
    ("சிவகுமார்", "மீனா", "Sivakumar", "Meena", "ta"),
    ("ተስፋይ", "ሰላም", "Tesfay", "Selam", "ti"),
    ("王", "伟", "Wang", "Wei", "zh"),
    ("Պետրոսյան", "Անի", "Petrosyan", "Ani", "hy"),
    ("রহমান", "আয়েশা", "Rahman", "Ayesha", "bn"),
    ("Ł", "Ø", "Ł", "Ø", "pl"),
    ("احمدی", None, "Ahmadi", None, "fa"),
    ("Nguyễn-Trần", "Thị Ánh", "Nguyen-Tran", "Thi Anh", "vi"),
    (None, None, None, None, None),
)
COUNT: Final = len(_NAMES)
ABSENT: Final = COUNT + 1
"""A person who is scheduled and nowhere described: what it looks like when a register lacks somebody."""


def subject_ref(number: int) -> str:
    """Return the reference of a person, from 1 on."""
    return f"{SYSTEM}:{number}"


def invent_people(attributes: Mapping[str, AttributeType]) -> dict[str, dict[str, str | None]]:
    """Return each person's values for the register's attributes, by reference; dates as ISO 8601 texts. The last person has no value at all."""
    return {
        subject_ref(number): {name: _value(number, name, kind) for name, kind in attributes.items()}
        for number in range(1, COUNT + 1)
    }


def _value(number: int, name: str, kind: AttributeType) -> str | None:
    """Return one value that fits its type, and its name where that tells something."""
    family, given, family_latin, given_latin, language = _NAMES[number - 1]
    if number == COUNT:
        return None
    latin = "latin" in name
    if kind is AttributeType.TEXT and any(word in name for word in ("given", "first", "fore", "prenom")):
        return given_latin if latin else given
    if kind is AttributeType.TEXT and any(word in name for word in ("family", "last", "sur", "nom", "name")):
        return family_latin if latin else family
    return {
        AttributeType.TEXT: f"Texte {number}",
        AttributeType.DATE: date(1970 + number, 1, 1).isoformat(),
        AttributeType.EMAIL: f"personne{number}@sandbox.example",
        AttributeType.PHONE: f"06 39 98 00 {number:02d}",
        AttributeType.IDENTIFIER: f"SANDBOX-{number:05d}",
        AttributeType.CODE: language if "lang" in name else "XX",
    }[kind]
