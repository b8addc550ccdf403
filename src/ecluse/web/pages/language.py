"""In which language a page speaks: its choice, and the texts.

English stands in the code and the templates; every other language is a folder of catalogues, ``locale/<language>/LC_MESSAGES/<room>.po``, read at the start
and merged: there is no compiled file that could be older than its source. A text that is missing in a catalogue is a fault that a test finds, never a mixed
page. Chosen by ``?lang=``, then the cookie ``ecluse-lang``, then ``Accept-Language`` (RFC 9110 §12.5.4), else French.

A text with values names them, ``%(name)s``, and a per-cent sign in any text is written ``%%``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import msgspec
from babel.messages.pofile import read_po

from ecluse.web.gateway import HttpRequest

Language: TypeAlias = Literal["en", "fr"]
LANGUAGES: Final[Mapping[Language, str]] = MappingProxyType({"fr": "Français", "en": "English"})
"""The languages that pages speak, by the name that each gives itself; the first is the one spoken where nobody asked for any."""
FIRST: Final[Language] = "fr"
COOKIE: Final = "ecluse-lang"
MOST_RANGES: Final = 20
"""How many ranges of an ``Accept-Language`` field are read."""

_Texts: TypeAlias = Mapping[str, tuple[str, ...]]


def N_(text: str) -> str:  # noqa: N802 - the name by which catalogues are kept everywhere
    """Mark a text that is translated where it is shown."""
    return text


@cache
def texts(language: Language) -> _Texts:
    """Return the translations of a language: each source text to its form, or its forms by number; none of the source language."""
    found: dict[str, tuple[str, ...]] = {}
    if language == "en":
        return found
    for file in sorted((files("ecluse") / "locale" / language / "LC_MESSAGES").iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".po"):
            continue
        with file.open("rb") as opened:
            for message in read_po(opened, locale=language, abort_invalid=True):
                if not message.id or message.fuzzy:
                    continue
                key = message.id if isinstance(message.id, str) else message.id[0]
                forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
                if forms and all(forms):
                    found[key] = forms
    return MappingProxyType(found)


class Tongue(msgspec.Struct, frozen=True):
    """Speaks one language, in code: ``tongue.say("%(count)s documents", count=3)``."""

    language: Language

    def find(self, text: str) -> str:
        """Return a text as this language has it, its values not yet put in."""
        return texts(self.language).get(text, (text,))[0]

    def find_number(self, one: str, many: str, number: int) -> str:
        """Return the form of a text that goes with a number: French counts none and one alike."""
        forms = texts(self.language).get(one, (one, many))
        return forms[0] if number == 1 or (number == 0 and self.language == "fr") else forms[-1]

    def say(self, text: str, **values: object) -> str:
        """Return a text with its values."""
        return self.find(text) % values

    def count(self, one: str, many: str, number: int, **values: object) -> str:
        """Return the form that goes with ``number``, which is a value of it by the name ``num``."""
        return self.find_number(one, many, number) % {"num": number, **values}


def known(text: str | None) -> Language | None:
    """Return a language that pages speak, None for any other text."""
    return next((language for language in LANGUAGES if language == text), None)


def choose(asked: str | None, kept: str | None, accepted: str) -> Language:
    """Return the language to speak: the one asked for, else the one kept, else the best of an ``Accept-Language`` field, else the first."""
    return known(asked) or known(kept) or _best(accepted)


def _best(accepted: str) -> Language:
    best: tuple[float, Language] = (0.0, FIRST)
    for part in accepted.split(",")[:MOST_RANGES]:
        name, _, weight = part.strip().lower().partition(";q=")
        try:
            value = min(float(weight), 1.0) if weight else 1.0
        except ValueError:
            continue
        language = known(name.split("-")[0].strip())
        if language is not None and value > best[0]:
            best = (value, language)
    return best[1]


def tongue_of(request: HttpRequest) -> Tongue:
    """Return the language of whoever asks."""
    asked = request.query_params.get("lang")
    return Tongue(choose(asked, request.cookies.get(COOKIE), request.headers.get("accept-language", "")))
