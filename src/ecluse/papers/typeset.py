"""From a paper to PDF/A-2b and PDF/UA-1 by typst, with the one template of ``templates/``.

A paper enters as JSON and is printed as text: typst reads nothing in it as markup, and no file but the template. The same paper gives the same bytes: the time
in the file is the paper's own. Fonts: those that come with typst, then the machine's Noto and DejaVu for other scripts; a sign that none of them has is
printed as its Unicode number, and a note at the end says so. typst refuses to leave it blank.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import typst

from ecluse.papers.blocks import Heading, Paper, Para
from ecluse.papers.errors import Untypeset
from ecluse.papers.words import word_list

TEMPLATES: Final = Path(__file__).with_name("templates")
STANDARDS: Final = ("a-2b", "ua-1")
_FIRST: Final = ("Libertinus Serif",)
_SCRIPTS: Final = re.compile(r"Noto (Sans|Serif|Naskh|Nastaliq|Kufi)\b(?!.*(Mono|Math|Symbols|Emoji|Music))|DejaVu Sans$")
_NO_GLYPH: Final = re.compile(r'the text `"(.+?)"` could not be displayed')
_ESCAPE: Final = re.compile(r"\\u\{([0-9a-f]+)\}")
_TRIES: Final = 8


@cache
def _fonts() -> tuple[typst.Fonts, tuple[str, ...]]:
    """Find the fonts once: typst's own, and those of the machine that know more scripts."""
    found = typst.Fonts()
    more = sorted(name for name in found.families() if _SCRIPTS.match(name))
    return found, (*_FIRST, *(name for name in more if name not in _FIRST))


def typeset(paper: Paper) -> bytes:
    """Return the PDF of a paper. Raises `Untypeset`."""
    return _typeset(paper, "pdf")[0]


def draw_pages(paper: Paper, *, ppi: float = 110) -> list[bytes]:
    """Return each page as a PNG, to be looked at."""
    return _typeset(paper, "png", ppi=ppi)


def _typeset(paper: Paper, kind: str, ppi: float = 110) -> list[bytes]:
    """Typeset, and again without the signs that no font has, until there are none."""
    lacking: set[str] = set()
    for _ in range(_TRIES):
        text = msgspec.json.encode(_without(paper, lacking)).decode()
        try:
            pdf = _compile(text, paper.at, "pdf", ppi)
            return pdf if kind == "pdf" else _compile(text, paper.at, kind, ppi)
        except typst.TypstError as bad:
            new = {
                sign
                for shown in _NO_GLYPH.findall(bad.diagnostic)
                for sign in _ESCAPE.sub(_unescaped, shown)
                if not sign.isascii()
            } - lacking
            if not new:
                raise Untypeset(f"typst refuses it: {bad.message[:200]}") from bad
            lacking |= new
    raise Untypeset("typst refuses it: signs without a font")


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


def _compile(text: str, at: int, kind: str, ppi: float) -> list[bytes]:
    """Run typst. It may read the folder of templates, and nothing else."""
    fonts, families = _fonts()
    inputs = {"paper": text, "fonts": msgspec.json.encode(families).decode()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", typst.TypstWarning)
        compiler = typst.Compiler(input=TEMPLATES / "paper.typ", root=TEMPLATES, font_paths=fonts, sys_inputs=inputs)
        if kind == "pdf":
            made = compiler.compile(format="pdf", pdf_standards=list(STANDARDS), timestamp=at)
        else:
            made = compiler.compile(format="png", ppi=ppi, timestamp=at)
    if made is None:
        raise AssertionError("impossible: typst was told no file to write to")
    return list(made) if isinstance(made, list) else [made]


def _without(paper: Paper, lacking: Iterable[str]) -> Paper:
    """Print the number of each sign that no font has, and say so at the end."""
    signs = sorted(lacking)
    if not signs:
        return paper
    numbers = {ord(sign): f"[U+{ord(sign):04X}]" for sign in signs}
    said = _translated(msgspec.to_builtins(paper), numbers)
    clean = msgspec.convert(said, Paper)
    words = word_list(paper.language)
    note = words["glyphs"].format(signs=", ".join(f"U+{ord(sign):04X}" for sign in signs))
    return msgspec.structs.replace(clean, blocks=(*clean.blocks, Heading(text=words["glyphs.title"]), Para(text=note)))


def _translated(value: object, numbers: dict[int, str]) -> object:
    """Replace signs in every text of a value."""
    if isinstance(value, str):
        return value.translate(numbers)
    if isinstance(value, list | tuple):
        return [_translated(each, numbers) for each in value]
    if isinstance(value, dict):
        return {key: _translated(each, numbers) for key, each in value.items()}
    return value
