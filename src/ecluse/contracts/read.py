"""Reading one TOML table key by key: each reader returns the value, or a stand-in after noting why the file's value is refused.

So one pass finds every error of a file. Stand-ins never leave: ``parse_contract`` raises as soon as there is one note.
Only canonical spellings pass (one way to write a name, a country, a length of time), so equal contracts read equal.
A note repeats keys and words of our own vocabularies, never a value of the file: an address in the wrong place stays out of logs.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ecluse.contracts.model import MAX_WINDOW, RESERVED_FORMS, Age, Finding, Form
from ecluse.ids import is_name
from ecluse.toml_lines import Path, TomlLines

MAX_TEXT_CHARACTERS: Final = 200
MAX_COUNT: Final = 100_000_000
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2199

_WINDOW: Final = re.compile(r"P(?=.)(?:([1-9][0-9]{0,3})D)?(?:T(?=.)(?:([1-9][0-9]{0,3})H)?(?:([1-9][0-9]{0,4})M)?)?")
_AGE: Final = re.compile(r"P(?=.)(?:([1-9][0-9]?)Y)?(?:([1-9][0-9]{0,2})M)?(?:([1-9][0-9]{0,3})D)?")
_ZONE: Final = re.compile(r"[A-Z][A-Za-z_]*(?:/[A-Z][A-Za-z0-9_+-]*){1,2}")
_PLAIN_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}(?:\[[0-9]{1,9}\])?")  # or a place of a list
_JOINERS: Final = frozenset("\u200c\u200d")  # zero-width, but part of the spelling in Persian and Indic scripts
_KINDS: Final[Mapping[type, tuple[str, str]]] = {
    str: ("must be a text", '"…"'),
    int: ("must be a whole number", "1"),
    date: ("must be a date", "2026-01-31"),
    list: ("must be a list", "[]"),
}

_T = TypeVar("_T")
_Word = TypeVar("_Word", bound=StrEnum)


class Notes:
    """What is wrong with one file, as it is found."""

    def __init__(self, lines: TomlLines) -> None:
        """Begin with nothing noted; ``lines`` knows where each key stands."""
        self._lines = lines
        self._findings: list[Finding] = []

    def add(self, path: Path, where: str, why: str, mend: str) -> None:
        """Note that the key at ``path`` is refused."""
        self._findings.append(Finding(line=self._lines.line(path), where=where, why=why, mend=mend))

    def sorted(self) -> tuple[Finding, ...]:
        """Return the findings in the order of their lines."""
        return tuple(sorted(self._findings, key=lambda found: found.line))


class Table:
    """One table of the file. ``data`` null: the table is not there, which is noted already, so nothing more is."""

    def __init__(self, notes: Notes, path: Path, where: str, data: dict[str, Any] | None) -> None:
        """Hold the table that stands at ``path`` and is called ``where``."""
        self._notes, self._path, self._where = notes, path, where
        self._absent = data is None
        self._data: dict[str, Any] = data or {}
        self._refused: set[str] = set()

    def names(self) -> list[str]:
        """Return the keys in the file's order."""
        return list(self._data)

    def holds(self, key: str) -> bool:
        """Tell whether the file has this key."""
        return key in self._data

    def sound(self, *keys: str) -> bool:
        """Tell whether none of these keys was refused, so that they may be compared."""
        return not self._absent and self._refused.isdisjoint(keys)

    def refuse(self, key: str, why: str, mend: str) -> None:
        """Note why the value of ``key`` is refused and how to mend it."""
        self._refuse_at((key,), key, why, mend)

    def allow_only(self, known: Collection[str]) -> None:
        """Refuse every key that is not ``known``."""
        for key in self._data:
            if key not in known:
                near = difflib.get_close_matches(key[:64], known, n=1)
                self.refuse(key, "is not a key of this table", f"write `{near[0]}`" if near else "remove it")

    def text(self, key: str, *, limit: int = MAX_TEXT_CHARACTERS) -> str:
        """Read a text for people: 1 to ``limit`` visible characters, trimmed, in Unicode normal form C."""
        value = self._take(key, str)
        if value is not None and not _is_plain(value, limit):
            mend = f"write 1 to {limit} characters, without space at either end, control or hidden characters, in normal form C"
            self.refuse(key, "is not a plain text", mend)
        return value or ""

    def name(self, key: str) -> str:
        """Read a chosen name (docs/decisions/0001-formats.md, "Ids")."""
        value = self._take(key, str)
        if value is not None and not is_name(value):
            mend = "write 2 to 63 lower-case letters, digits, `-` or `_`, beginning with a letter"
            self.refuse(key, "is not a name", mend)
        return value or ""

    def matching(self, key: str, pattern: re.Pattern[str], why: str, mend: str) -> str:
        """Read a text that must match ``pattern`` from end to end."""
        value = self._take(key, str)
        if value is not None and pattern.fullmatch(value) is None:
            self.refuse(key, why, mend)
        return value or ""

    def word(self, key: str, words: type[_Word], default: _Word | None = None) -> _Word:
        """Read a word of a vocabulary; without ``default`` it must be there."""
        if default is not None and key not in self._data:
            return default
        value = self._take(key, str)
        found = next((word for word in words if word.value == value), None)
        if found is None and value is not None:
            self.refuse(key, "is not a word that this key knows", f"write one of {', '.join(words)}")
        return found or next(iter(words))

    def form(self, key: str) -> Form | None:
        """Read the form of an attribute; null if the value is no word for a form."""
        value = self._take(key, str)
        found = next((form for form in Form if form.value == value), None)
        if found is None and value is not None:
            usable = ", ".join(form for form in Form if form not in RESERVED_FORMS)
            self.refuse(key, "is given in a form that does not exist", f"write one of {usable}")
        return found

    def words(self, key: str, known: tuple[str, ...]) -> tuple[str, ...]:
        """Read a list of ``known`` words, each once; it may be empty."""
        taken: list[str] = []
        for index, value in enumerate(self._take(key, list) or []):
            where = f"{key}[{index}]"
            if not isinstance(value, str) or value not in known:
                self._refuse_at((key, index), where, "is not a word that this list knows", f"write one of {', '.join(known)}")
            elif value in taken:
                self._refuse_at((key, index), where, "is in the list twice", "remove one")
            else:
                taken.append(value)
        return tuple(taken)

    def count(self, key: str) -> int:
        """Read a whole number from 1 to ``MAX_COUNT``."""
        value = self._take(key, int)
        if value is not None and not 1 <= value <= MAX_COUNT:
            self.refuse(key, "is out of range", f"write a whole number from 1 to {MAX_COUNT}")
        return value or 1

    def day(self, key: str) -> date:
        """Read a calendar day."""
        value = self._take(key, date)
        if value is not None and not FIRST_YEAR <= value.year <= LAST_YEAR:
            self.refuse(key, "is out of range", f"write a day of the years {FIRST_YEAR} to {LAST_YEAR}")
        return value or date(FIRST_YEAR, 1, 1)

    def window(self, key: str) -> timedelta:
        """Read an exact length of time up to ``MAX_WINDOW``, as ISO 8601 days, hours and minutes; zero is ``PT0M``."""
        value = self._take(key, str)
        match = _WINDOW.fullmatch(value) if value is not None else None
        if value is None or value == "PT0M":
            return timedelta()
        if match is None:
            mend = "write days, hours and minutes as ISO 8601 does, like PT24H or P1DT2H30M, without leading zeros"
            self.refuse(key, "is not an exact length of time", mend)
            return timedelta()
        days, hours, minutes = (int(part or 0) for part in match.groups())
        length = timedelta(days=days, hours=hours, minutes=minutes)
        if length > MAX_WINDOW:
            self.refuse(key, "is longer than 14 days", "write at most P14D for opens_before and closes_after together")
        return length

    def age(self, key: str) -> tuple[str, Age]:
        """Read a calendar length of time as ISO 8601 years, months and days; return it as written and as a value."""
        value = self._take(key, str)
        match = _AGE.fullmatch(value) if value is not None else None
        if match is None:
            if value is not None:
                mend = "write years, months and days as ISO 8601 does, like P12M or P90D, without leading zeros"
                self.refuse(key, "is not a calendar length of time", mend)
            return "", Age(months=0, days=0)
        years, months, days = (int(part or 0) for part in match.groups())
        return match.group(), Age(months=12 * years + months, days=days)

    def timezone(self, key: str) -> str:
        """Read the IANA name of a time zone that this system knows."""
        value = self._take(key, str)
        if value is not None and not _is_zone(value):
            self.refuse(key, "is not a time zone", "write an IANA name such as Europe/Paris, or UTC")
        return value or "UTC"

    def table(self, key: str, known: Collection[str] | None = None, *, required: bool = True) -> Table:
        """Read a table; with ``known`` every other key in it is refused."""
        value = self._data.get(key)
        if value is None and required:
            self.refuse(key, "is missing", f"add the table [{self._name(key)}]")
        elif value is not None and not isinstance(value, dict):
            self.refuse(key, "must be a table", f"write it as [{self._name(key)}]")
        data = value if isinstance(value, dict) else None
        return self._opened(Table(self._notes, (*self._path, key), self._name(key), data), known)

    def tables(self, key: str, known: Collection[str], *, required: bool = False) -> list[Table]:
        """Read an array of tables; if it is ``required`` it has at least one. A table with an ``id`` is called by it in notes."""
        value = self._data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.refuse(key, "must be an array of tables", f"write each as [[{self._name(key)}]]")
            return []
        if required and not value:
            self.refuse(key, "is missing", f"add at least one [[{self._name(key)}]]")
        opened = []
        for index, item in enumerate(value):
            called = item.get("id")
            suffix = f".{called}" if isinstance(called, str) and is_name(called) else f"[{index}]"
            element = Table(self._notes, (*self._path, key, index), self._name(key) + suffix, item)
            opened.append(self._opened(element, known))
        return opened

    def _take(self, key: str, kind: type[_T]) -> _T | None:
        """Return the value of ``key`` if it is there and exactly of this kind (a boolean is no number, an instant no day)."""
        why, example = _KINDS[kind]
        if key not in self._data:
            self.refuse(key, "is missing", f"add `{key} = {example}`")
            return None
        value = self._data[key]
        if type(value) is kind:
            return value
        self.refuse(key, why, f"write `{_shown(key)} = {example}`")
        return None

    def _refuse_at(self, tail: Path, where: str, why: str, mend: str) -> None:
        """Note a refusal below this table."""
        self._refused.add(str(tail[0]))
        if not self._absent:
            self._notes.add((*self._path, *tail), self._name(where), why, mend)

    def _name(self, key: str) -> str:
        """Return the dotted name of a key of this table."""
        return f"{self._where}.{_shown(key)}" if self._where else _shown(key)

    @staticmethod
    def _opened(table: Table, known: Collection[str] | None) -> Table:
        """Return ``table`` after its keys are checked."""
        if known is not None:
            table.allow_only(known)
        return table


def _shown(key: str) -> str:
    """Return a key as notes show it: a quoted one may be anything, an address for instance, so it stays hidden."""
    return key if _PLAIN_KEY.fullmatch(key) else '"…"'


def _is_plain(value: str, limit: int) -> bool:
    """Tell whether a text has only visible characters and single spelling."""
    if not 1 <= len(value) <= limit or value != value.strip() or not unicodedata.is_normalized("NFC", value):
        return False
    hidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return all(sign in _JOINERS or unicodedata.category(sign) not in hidden for sign in value)


def _is_zone(value: str) -> bool:
    """Tell whether the system's time zone database has this name; abbreviations (``EST``) are no places and are refused."""
    if value == "UTC":
        return True
    if _ZONE.fullmatch(value) is None:
        return False
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
