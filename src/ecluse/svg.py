"""Small pieces that our drawings share. Pure and deterministic.

SVG 1.1 with presentation attributes alone: no style element, no script, no class, so that it can stand in a page with a strict content policy. Lines and text
take the colour of what is around them (``currentColor``) unless ``paper`` says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from types import MappingProxyType
from typing import Final, Literal, TypeAlias
from xml.sax.saxutils import escape, quoteattr

Paper: TypeAlias = Literal["inline", "light", "dark"]
Language: TypeAlias = Literal["en", "fr"]

WIDTH: Final = 1280
EDGE: Final = 20
COLOURS: Final[Mapping[str, str]] = MappingProxyType({"ordinary": "#3d85a8", "elevated": "#d08a1e", "special": "#c0405c"})
"""Colours of the register's classes of sensitivity. A word stands beside each: nothing is said by colour alone."""

MONO: Final = "ui-monospace, 'Noto Sans Mono', 'DejaVu Sans Mono', monospace"
_SPACE: Final[Mapping[Language, str]] = MappingProxyType({"en": ",", "fr": "\u202f"})
_GROUNDS: Final[Mapping[Paper, tuple[str, str]]] = MappingProxyType(
    {"light": ("#ffffff", "#1b1f24"), "dark": ("#14181d", "#e8eaed")}
)
_FONT: Final = "system-ui, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif"
_KEPT: Final = frozenset("\u00a0\u202f\u200c\u200d")  # French spaces, and joiners that some scripts need


def head(name: str, title: str, desc: str, *, height: float, paper: Paper, language: Language) -> list[str]:
    """Begin a drawing ``WIDTH`` wide: its size, its title and its text alternative, its ground. ``name``: what its ids begin with."""
    ground, ink = _GROUNDS.get(paper, ("", ""))
    return [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {place(height)}" width="{WIDTH}" height="{place(height)}" role="img"'
            f' aria-labelledby="{name}-title {name}-desc" lang="{language}" font-family={quoteattr(_FONT)} font-size="13"'
            f"{f' color={quoteattr(ink)}' if ink else ''}>"
        ),
        f'<title id="{name}-title">{plain(title)}</title>',
        f'<desc id="{name}-desc">{plain(desc)}</desc>',
        *([f'<rect width="100%" height="100%" fill="{ground}"/>'] if ground else []),
    ]


def write(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    weight: str = "400",
    faint: bool = False,
    anchor: str = "",
    font: str = "",
) -> str:
    """Write one line of text. ``anchor``: ``middle`` or ``end``, where ``x`` is not its beginning."""
    more = ' fill-opacity="0.75"' if faint else ""
    more += f' text-anchor="{anchor}"' if anchor else ""
    more += f" font-family={quoteattr(font)}" if font else ""
    return f'<text x="{place(x)}" y="{place(y)}" font-size="{size}" font-weight="{weight}" fill="currentColor"{more}>{plain(text)}</text>'


def plain(text: str) -> str:
    """Escape a text for XML; what can't be printed, or turns a line around, becomes a sign that it was there."""
    return escape("".join(c if c.isprintable() or c in _KEPT else "\ufffd" for c in text))


def lines(text: str, width: int, most: int = 2) -> list[str]:
    """Break a text into ``most`` lines of ``width`` characters at most."""
    return wrap(text, width, max_lines=most, placeholder="…", break_long_words=True)


def number(count: int, language: Language) -> str:
    """Write a number as the language does."""
    return f"{count:,}".replace(",", _SPACE[language])


def place(coordinate: float) -> str:
    """Write a coordinate, to a tenth."""
    return f"{coordinate:.1f}".removesuffix(".0")
