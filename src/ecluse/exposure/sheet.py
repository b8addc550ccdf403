"""The sheet that a picture of exposure is drawn on: title, bars, key, the command under it; and how exact numbers and bounds look. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ecluse.exposure.model import Count
from ecluse.exposure.words import Words
from ecluse.svg import EDGE, MONO, Paper, head, lines, place, plain, write

CHARACTER: Final = 6.4
"""About the width of a digit in small print."""


class Sheet:
    """A drawing that grows downwards. ``y``: how far it has come."""

    def __init__(self, name: str, title: str, lead: str, words: Words) -> None:
        """Begin with a title and a line or two below it. ``name``: what its ids begin with; ``desc``, its text alternative, is set by who draws."""
        self.name, self.title, self.words = name, title, words
        self.desc = ""
        self.lines: list[str] = []
        self.y = 8.0
        for line in lines(title, 105):
            self.y += 24
            self.lines.append(write(EDGE, self.y, line, size=19, weight="600"))
        for line in lines(lead, 185):
            self.y += 20
            self.lines.append(write(EDGE, self.y, line))

    def rect(self, x: float, y: float, width: float, height: float, paint: str, title: str = "") -> None:
        """Draw a rectangle."""
        inner = f"<title>{plain(title)}</title></rect>" if title else "</rect>"
        self.lines.append(
            f'<rect x="{place(x)}" y="{place(y)}" width="{place(width)}" height="{place(max(0.0, height))}" {paint}>{inner}'
        )

    def rule(self, path: str, *, stroke: str = "currentColor", width: float = 1, opacity: float = 1, dash: str = "") -> None:
        """Draw a line."""
        more = (f' stroke-opacity="{opacity}"' if opacity < 1 else "") + (f' stroke-dasharray="{dash}"' if dash else "")
        self.lines.append(f'<path d="{path}" fill="none" stroke="{stroke}" stroke-width="{width}"{more}/>')

    def key(self, signs: Iterable[tuple[str, str]], heading: str = "") -> None:
        """Write a line that says what signs mean: each a way to paint, and words."""
        x, signs = float(EDGE), list(signs)
        self.y += 30 if signs else 0
        if heading:
            self.lines.append(write(x, self.y, heading, size=11))
            x += 20 + CHARACTER * len(heading)
        for paint, said in signs:
            self.rect(x, self.y - 10, 22, 11, paint)
            self.lines.append(write(x + 28, self.y, said, size=11))
            x += 56 + CHARACTER * len(said)

    def done(self, command: str, paper: Paper) -> str:
        """Write the command under it, and return it whole."""
        self.y += 32
        said = self.words("numbers")
        self.lines.append(write(EDGE, self.y, said, size=11, faint=True))
        self.lines.append(write(EDGE + 12 + CHARACTER * len(said), self.y, command, size=11, font=MONO))
        whole = head(self.name, self.title, self.desc, height=self.y + 18, paper=paper, language=self.words.language)
        return "\n".join([*whole, *self.lines, "</svg>\n"])


def paint(colour: str, *, exact: bool = True) -> str:
    """Return how a bar is painted; a bound is pale, with a dashed edge."""
    if exact:
        return f'fill="{colour}" fill-opacity="0.8"'
    return f'fill="{colour}" fill-opacity="0.4" stroke="{colour}" stroke-dasharray="4 3"'


def sides(counts: Iterable[Count], words: Words, colour: str) -> list[tuple[str, str]]:
    """Return the signs for bounds, and for exact numbers beside them."""
    sides = sorted({count.exact for count in counts if count.most}, reverse=True)
    return [] if sides == [True] else [(paint(colour, exact=exact), words("exact" if exact else "bound")) for exact in sides]


def values_of(values: int, persons: Count) -> Count:
    """Return persons x attributes, with the side of the persons."""
    return Count(most=values, exact=persons.exact)


def width_of(text: str) -> float:
    """Return about how wide a number in small print is."""
    return sum(CHARACTER / 2 if one in ",.\u00a0\u202f" else CHARACTER for one in text)
