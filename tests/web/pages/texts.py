"""Which texts the pages say, and what the catalogues have of them. ``python -m tests.web.pages.texts`` lists what is missing, stale or wrong.

Texts are read from templates by jinja's own extraction, from code by Babel's: ``_``, ``gettext``, ``ngettext``, ``N_``, and ``say``, ``count`` and ``fault``
of the frame. A room's texts belong to its catalogue; the frame's, and those of shared parts, to ``pages.po``. A text that two rooms say stands in one
catalogue of the two, or in both alike.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from babel.messages.extract import extract_python
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

import ecluse

PACKAGE: Final = Path(ecluse.__file__).parent
ROOMS: Final = ("pages", "sign_in", "desk", "console", "my_data")
KEYWORDS: Final = ("_", "gettext", "ngettext", "N_", "say", "count", "fault")
_PLACE: Final = re.compile(r"%(?:\((\w+)\)[sd]|%|(.))")
Text = tuple[str, ...]


def said_in(room: str) -> dict[Text, str]:
    """Return a room's source texts, each with the place where it was found first: one form, or two by number."""
    found: dict[Text, str] = {}
    for path in sorted((PACKAGE / "web" / "templates" / room).rglob("*.html")):
        options = {"trimmed": "true", "silent": "false", "trim_blocks": "false", "lstrip_blocks": "true"}
        for line, _, message, _ in babel_extract(io.BytesIO(path.read_bytes()), ["_", "gettext", "ngettext"], [], options):
            if text := _forms(message):
                found.setdefault(text, f"{path.name}:{line}")
    for path in sorted((PACKAGE / "web" / room).rglob("*.py")):
        for line, keyword, message, _ in extract_python(io.BytesIO(path.read_bytes()), KEYWORDS, [], {}):
            text = _text_of(keyword, message)
            if text:
                found.setdefault(text, f"{path.name}:{line}")
    return found


def _forms(message: object) -> Text:
    given = (message,) if isinstance(message, str) or message is None else tuple(message)  # type: ignore[arg-type] # a tuple
    return tuple(each for each in given if isinstance(each, str))


def _text_of(keyword: str | None, message: object) -> Text:
    """Return the text among a call's arguments: of ``fault`` it is the second, of ``count`` there are two."""
    given = (message,) if isinstance(message, str) or message is None else tuple(message)  # type: ignore[arg-type] # a tuple
    if keyword == "fault":
        given = given[1:2]
    elif keyword in {"say", "_", "gettext", "N_"}:
        given = given[:1]
    elif keyword in {"count", "ngettext"}:
        given = given[:2] if len(given) > 1 and isinstance(given[1], str) else ()
    return tuple(given) if given and all(isinstance(each, str) and each for each in given) else ()


def kept(language: str, room: str) -> dict[Text, Text]:
    """Return a catalogue: each source text to its forms in the language."""
    found: dict[Text, Text] = {}
    folder = PACKAGE / "locale" / language / "LC_MESSAGES"
    for path in sorted([*folder.glob(f"{room}.po"), *folder.glob(f"{room}_work.po")]):
        found |= _read(path, language)
    return found


def _read(path: Path, language: str) -> dict[Text, Text]:
    with path.open("rb") as opened:
        catalogue = read_po(opened, locale=language, abort_invalid=True)
    found: dict[Text, Text] = {}
    for message in catalogue:
        if message.id:
            strings = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
            found[(message.id,) if isinstance(message.id, str) else tuple(message.id)] = () if message.fuzzy else strings
    return found


def faults(language: str) -> Iterator[str]:
    """Yield what is wrong with a language's catalogues."""
    said = {room: said_in(room) for room in ROOMS}
    catalogues = {room: kept(language, room) for room in ROOMS}
    merged: dict[Text, Text] = {}
    for room, catalogue in catalogues.items():
        for text, forms in catalogue.items():
            if merged.setdefault(text, forms) != forms:
                yield f"{room}.po says another thing than a catalogue before it: {text[0]!r}"
            if text not in said[room]:
                yield f"{room}.po is stale: nothing says {text[0]!r}"
            yield from _mend(room, text, forms)
    for room, texts in said.items():
        for text, place in texts.items():
            if text not in merged:
                yield f"{room}.po lacks {text[0]!r} ({place})"


def _mend(room: str, text: Text, forms: Text) -> Iterator[str]:
    if not forms or not all(forms) or len(forms) != len(text):
        yield f"{room}.po leaves empty, or doubtful: {text[0]!r}"
        return
    wanted = set().union(*map(_places, text))
    for form in forms:
        if _places(form) - wanted or ({place for place in wanted if place != "num"} - _places(form)):
            yield f"{room}.po has other values: {form!r}"
    if re.search(r"[^\s\u00a0\u202f(«:/][:;?!»](?=\s|$)|« | »", " ".join(forms)):
        yield f"{room}.po lacks a space that does not break before : ; ? ! or beside guillemets: {forms[0]!r}"


def _places(text: str) -> set[str]:
    found = set()
    for match in _PLACE.finditer(text):
        if match[2]:
            found.add(f"a lone %{match[2]}")
        elif match[1]:
            found.add(match[1])
    return found


def main() -> int:
    """List the faults of every language."""
    languages = sorted(path.name for path in (PACKAGE / "locale").iterdir() if path.is_dir())
    found = [f"{language}: {fault}" for language in languages for fault in faults(language)]
    sys.stdout.write("".join(f"{fault}\n" for fault in found) or "Every text is there, and none is stale.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
