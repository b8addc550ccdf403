"""Facts in words, in French and English: dates and countries by CLDR (Babel), the rest from ``words.toml``. Pure.

Whatever came from a file or the database goes through `plain` before it is printed: it can be no markup, turn no line around and break no column.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal

from ecluse.contracts import Change, Contract, duration_text
from ecluse.contracts.words import KINDS, words_of
from ecluse.papers.model import Language, Measure
from ecluse.toml_lines import load_toml

_FILE: Final = Path(__file__).with_name("words.toml")
_JOINERS: Final = frozenset("\u200c\u200d")  # letters of some scripts need them
_LONG: Final = re.compile(r"\S{25,}")
_BREAK: Final = "\u200b"
_TIED: Final = re.compile(r" [:;?!»]|« ")
_DURATION: Final = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?")
_AGE: Final = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?")


@cache
def word_list(language: Language) -> Mapping[str, str]:
    """Return the words of a language, by key, with its typography."""
    words: dict[str, str] = load_toml(_FILE.read_text(encoding="utf-8"))[language.value]
    return {key: typographic(text, language) for key, text in words.items()}


def typographic(text: str, language: Language) -> str:
    """Set apostrophes and, in French, the blanks that no line may end with, as printers do."""
    text = text.replace("'", "’")
    return _TIED.sub(lambda found: found[0].replace(" ", "\u00a0"), text) if language is Language.FR else text


def plain(value: object) -> str:
    """Write a value as text that is nothing but text: without control characters and those that turn a line around, long words made breakable."""
    text = unicodedata.normalize("NFC", str(value).replace(_BREAK, ""))
    text = "".join(c if c.isprintable() or c in _JOINERS else " " if c.isspace() else "\ufffd" for c in text)
    return _LONG.sub(lambda long: _BREAK.join(_pieces(long[0])), text)


def _pieces(word: str) -> Iterable[str]:
    """Cut a long word where it may be broken."""
    yield from (word[at : at + 12] for at in range(0, len(word), 12))


class Words:
    """The words of one language, read in one time zone."""

    def __init__(self, language: Language, zone: ZoneInfo) -> None:
        """Write days and instants of ``zone``."""
        self.language, self._zone = language, zone
        self._words = word_list(language)
        self._locale = Locale("fr", "FR") if language is Language.FR else Locale("en", "GB")

    def __call__(self, key: str, **figures: object) -> str:
        """Return the words of a key, its figures filled in. A key that is not there is a bug."""
        return self._words[key].format(**figures) if figures else self._words[key]

    def of(self, group: str, name: str) -> str:
        """Return the word for a name of a vocabulary; the name itself, in plain, where the list has none."""
        return self._words.get(f"{group}.{name}") or plain(name)

    def attribute(self, name: str) -> str:
        """Return how an attribute is called."""
        return self._words.get(f"attribute.{name}") or plain(name.replace("_", " "))

    def attributes(self, names: Iterable[str]) -> str:
        """List attributes."""
        return ", ".join(self.attribute(name) for name in names)

    def day(self, day: date) -> str:
        """Write a day."""
        return self._first(format_date(day, "long", locale=self._locale))

    def short_day(self, day: date) -> str:
        """Write a day for a narrow column."""
        return self._first(format_date(day, "medium", locale=self._locale))

    def at(self, instant: datetime) -> str:
        """Write an instant, in the controller's time zone."""
        local = instant.astimezone(self._zone)
        return self._first(format_datetime(local, "d MMM y, HH:mm", locale=self._locale)) + f" {local:%Z}"

    def _first(self, written: str) -> str:
        """Write the first of a month as French does."""
        return written.replace("1 ", "1er ", 1) if self.language is Language.FR and written.startswith("1 ") else written

    def day_of(self, instant: datetime) -> str:
        """Write the day of an instant, in the controller's time zone."""
        return self.short_day(instant.astimezone(self._zone).date())

    def number(self, number: int) -> str:
        """Write a number as people of the language do."""
        return format_decimal(number, locale=self._locale)

    def country(self, code: str) -> str:
        """Return the name of a country."""
        name: str = self._locale.territories.get(code, "")
        return name or plain(code)

    def length(self, iso: str) -> str:
        """Say an ISO 8601 length of time: hours and minutes, or months and days."""
        exact = _DURATION.fullmatch(iso)
        if exact is not None:
            hours, minutes = exact[1], exact[2]
            if hours and minutes:
                return self("hours.minutes", hours=hours, minutes=minutes)
            return self("hours", hours=hours) if hours else self("minutes", minutes=minutes)
        age = _AGE.fullmatch(iso)
        if age is None:
            return plain(iso)
        months = 12 * int(age[1] or 0) + int(age[2] or 0)
        parts = [self("months", months=months)] if months else []
        return ", ".join([*parts, *([self("days", days=age[3])] if age[3] else [])])

    def basis(self, point: str) -> str:
        """Name a point of Art. 6(1)."""
        return self.of("basis", point)

    def clause(self, clause: str) -> str:
        """Name a clause as contracts do: ``28.3.a`` is Art. 28(3)(a)."""
        parts = clause.split(".")
        return f"28(3)({parts[2]})" if len(parts) == 3 else self.of("clause", clause)

    def kind(self, kind: str) -> str:
        """Name a kind of evidence."""
        return self._said(KINDS.get(kind, (kind, kind))[self.language is Language.FR])

    def reason(self, reason: str) -> str:
        """Say a reason of the gate."""
        return self._said(words_of(reason, "fr" if self.language is Language.FR else "en").what)

    def _said(self, text: str) -> str:
        """Write words that are said elsewhere, too."""
        return typographic(plain(text), self.language)

    def reasons(self, reasons: Iterable[str]) -> str:
        """Say reasons, one after the other."""
        return self.listed(map(self.reason, reasons))

    def listed(self, texts: Iterable[str]) -> str:
        """Write texts one after the other."""
        return self("list").join(texts)

    def measure(self, measure: Measure, contract: Contract) -> str:
        """Say a measure with its figures."""
        figures: dict[str, object] = {
            key: self.number(value) if isinstance(value, int) else plain(value) for key, value in measure.figures.items()
        }
        if measure.control == "window":
            figures["purposes"] = self.listed(
                f"{plain(each.label)} {self.length(duration_text(each.opens_before))} / {self.length(duration_text(each.closes_after))}"
                for each in contract.purposes.values()
            )
        if measure.control == "witnessed":
            figures |= {key: self.length(str(value)) for key, value in measure.figures.items()}
        if measure.control == "gate":
            asked = self.listed(f"{self.kind(each.kind)} ({self.length(each.max_age)})" for each in contract.evidence_required)
            figures["evidence"] = asked or self("none")
        return self(f"measure.{measure.control}", **figures)

    def where(self, change: Change, contract: Contract) -> str:
        """Name what a change of the contract is about."""
        head, *rest = change.where.split(".")
        if head == "contract" and rest[:1] == ["clauses"]:
            return self("where.contract.clauses", rest=self.clause(".".join(rest[1:])))
        if head == "purpose" and len(rest) == 3 and rest[1] in {"attributes", "sheet"}:
            label = contract.purposes[rest[0]].label if rest[0] in contract.purposes else rest[0]
            roll = f" ({self('col.sheet').lower()})" if rest[1] == "sheet" else ""
            return f"{plain(label)}{self('colon')}{self.attribute(rest[2])}{roll}"
        if head == "evidence_required":
            return self("where.evidence_required", rest=self.kind(rest[0]))
        key = f"where.{head}"
        if key not in self._words:
            return plain(change.where)
        return self(
            key, rest=self.listed(self.of("field", each) for each in rest) if head != "sub_processor" else plain(".".join(rest))
        )

    def side(self, value: str | None) -> str:
        """Say one side of a change: a form in its words, anything else as it stands."""
        if value is None:
            return "–"
        return self._words.get(f"form.{value}") or (
            self.length(value) if _AGE.fullmatch(value) or _DURATION.fullmatch(value) else plain(value)
        )
