"""Drawing the flow map: four columns of boxes, and between them bands as wide as the persons are many. Pure and deterministic.

Nothing is said by colour alone: each box says its numbers and the class of its most sensitive attribute in words, and each band has a title.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

import msgspec

from ecluse.flows.picture import Band, Node, Picture
from ecluse.register import Sensitivity
from ecluse.svg import COLOURS, EDGE, WIDTH, Language, Paper, head, lines, number, place, plain, write

_EN: Final[Mapping[str, str]] = {
    "title": "Flows of personal data, {since} to {until}",
    "desc": "Distinct persons disclosed: {persons}. Purposes: {purposes}. Processors: {processors}. A band is as wide as its persons are many; a dashed line "
    "is declared and was not seen. What processors pass on to sub-processors is not seen by Écluse.",
    "register": "Register", "purpose": "Purposes", "processor": "Processors", "sub-processor": "Sub-processors",
    "many": "{n} persons", "one": "1 person", "unused": "declared, not seen", "undeclared": "NOT DECLARED", "none": "nobody in this period",
    "ordinary": "ordinary", "elevated": "elevated", "special": "special", "key": "Most sensitive attribute", "to": "to", "each": "disclosures",
}  # fmt: skip
_FR: Final[Mapping[str, str]] = {
    "title": "Flux de données personnelles, du {since} au {until}",
    "desc": "Personnes distinctes communiquées : {persons}. Finalités : {purposes}. Sous-traitants : {processors}. Une bande est d'autant plus large que les "
    "personnes sont nombreuses ; un trait pointillé est déclaré et n'a pas été observé. Écluse ne voit pas ce que les sous-traitants transmettent ensuite.",
    "register": "Registre", "purpose": "Finalités", "processor": "Sous-traitants", "sub-processor": "Sous-traitants ultérieurs",
    "many": "{n} personnes", "one": "1 personne", "unused": "déclaré, non observé", "undeclared": "NON DÉCLARÉ", "none": "personne sur cette période",
    "ordinary": "ordinaire", "elevated": "élevée", "special": "particulière", "key": "Donnée la plus sensible", "to": "vers", "each": "communications",
}  # fmt: skip
_WORDS: Final[Mapping[Language, Mapping[str, str]]] = MappingProxyType({"en": _EN, "fr": _FR})
_COLUMNS: Final = ("register", "purpose", "processor", "sub-processor")
_BOX: Final = 244
_STEP: Final = (WIDTH - 2 * EDGE - _BOX) / 3
_TOP: Final = 92
_FOOT: Final = 46
_LEAST: Final = 38
_GAP: Final = 12
_LABEL: Final = 27  # characters of a line
_NOTE: Final = 36


class _Box(msgspec.Struct, kw_only=True):
    """A box in its place. ``left``, ``right``: where the next band ends or begins."""

    node: Node
    x: float
    y: float
    height: float
    left: float
    right: float


def draw(shown: Picture, *, paper: Paper = "inline", language: Language = "en") -> str:
    """Return the map as SVG. ``paper``: ``light`` and ``dark`` bring their own ground, ``inline`` takes the page's."""
    words = _WORDS[language]
    boxes = _place(shown, words, language)
    height = max((box.y + box.height for box in boxes.values()), default=_TOP) + _FOOT
    title = words["title"].format(since=shown.since, until=date.fromisoformat(shown.until) - timedelta(days=1))
    counts = {column: sum(node.column == column for node in shown.nodes) for column in _COLUMNS}
    desc = words["desc"].format(
        persons=number(shown.persons, language), purposes=counts["purpose"], processors=counts["processor"]
    )
    return "\n".join(
        [
            *head("flow", title, desc, height=height, paper=paper, language=language),
            write(EDGE, 30, title, size=19, weight="600"),
            *_heads(words),
            *_bands(shown, boxes, words, language),
            *(line for box in boxes.values() for line in _boxed(box, words, language)),
            *_key(height, words),
            "</svg>\n",
        ]
    )


def _place(shown: Picture, words: Mapping[str, str], language: Language) -> dict[str, _Box]:
    """Give each box its place: as high as its bands need, its column in the middle of the highest one."""
    columns: dict[str, list[Node]] = defaultdict(list)
    for node in shown.nodes:
        columns[node.column].append(node)
    wide = _widths(shown)
    heights = {
        node.id: max(
            _LEAST,
            _tall(lines(node.label, _LABEL), lines(_note(node, words, language), _NOTE)) + 6,
            sum(wide[band.source, band.target] for band in shown.bands if band.target == node.id),
            sum(wide[band.source, band.target] for band in shown.bands if band.source == node.id),
        )
        for node in shown.nodes
    }
    totals = {column: sum(heights[node.id] + _GAP for node in some) - _GAP for column, some in columns.items()}
    boxes = {}
    for column, some in columns.items():
        x, y = EDGE + _COLUMNS.index(column) * _STEP, _TOP + (max(totals.values()) - totals[column]) / 2
        for node in some:
            boxes[node.id] = _Box(node=node, x=x, y=y, height=heights[node.id], left=y, right=y)
            y += heights[node.id] + _GAP
    return boxes


def _widths(shown: Picture) -> dict[tuple[str, str], float]:
    """Return how wide each band is: persons to scale, a line's breadth where nobody was."""
    to_processors = [band.persons for band in shown.bands if band.source.startswith("purpose:")]
    scale = max(150, 11 * len(to_processors)) / max(1, sum(to_processors))
    return {(band.source, band.target): max(3.0, band.persons * scale) for band in shown.bands}


def _bands(shown: Picture, boxes: Mapping[str, _Box], words: Mapping[str, str], language: Language) -> Iterator[str]:
    """Draw what goes from box to box; what was not seen as a dashed line."""
    wide = _widths(shown)
    for name, box in boxes.items():  # bands sit in the middle of their box's side
        box.right += (box.height - sum(wide[band.source, band.target] for band in shown.bands if band.source == name)) / 2
        box.left += (box.height - sum(wide[band.source, band.target] for band in shown.bands if band.target == name)) / 2
    for band in shown.bands:
        source, target, width = boxes[band.source], boxes[band.target], wide[band.source, band.target]
        x0, x1, y0, y1 = source.x + _BOX, target.x, source.right, target.left
        source.right += width
        target.left += width
        middle = place((x0 + x1) / 2)
        title = f"<title>{plain(_said(band, source.node, target.node, words, language))}</title>"
        if band.persons:
            yield (
                f'<path d="M{place(x0)},{place(y0)}C{middle},{place(y0)} {middle},{place(y1)} {place(x1)},{place(y1)}V{place(y1 + width)}'
                f'C{middle},{place(y1 + width)} {middle},{place(y0 + width)} {place(x0)},{place(y0 + width)}Z" fill="{COLOURS[band.sensitivity]}"'
                f' fill-opacity="0.6">{title}</path>'
            )
        else:
            y0, y1 = y0 + width / 2, y1 + width / 2
            yield (
                f'<path d="M{place(x0)},{place(y0)}C{middle},{place(y0)} {middle},{place(y1)} {place(x1)},{place(y1)}" fill="none"'
                f' stroke="{COLOURS[band.sensitivity]}" stroke-width="1.6" stroke-dasharray="6 4">{title}</path>'
            )


def _said(band: Band, source: Node, target: Node, words: Mapping[str, str], language: Language) -> str:
    """Say a band in words."""
    numbers = (
        f"{_persons(band.persons, words, language)}, {number(band.disclosures, language)} {words['each']}"
        if band.persons
        else words["unused"]
    )
    names = f": {', '.join(band.attributes)}" if band.attributes else ""
    return f"{source.label} {words['to']} {target.label}: {numbers}{names} ({words[band.sensitivity.value]})"


def _boxed(box: _Box, words: Mapping[str, str], language: Language) -> Iterator[str]:
    """Draw a box with its name and its numbers."""
    node, corner = box.node, f'x="{place(box.x)}" y="{place(box.y)}" height="{place(box.height)}"'
    dashed = "" if node.persons or node.column == "register" else ' stroke-dasharray="6 4"'
    note = _note(node, words, language)
    labels, notes = lines(node.label, _LABEL), lines(note, _NOTE)
    yield f"<g><title>{plain(f'{node.label}: {note}')}</title>"
    yield f'<rect {corner} width="{_BOX}" rx="4" fill="none" stroke="currentColor" stroke-opacity="0.5"{dashed}/>'
    yield f'<rect {corner} width="5" rx="2" fill="{COLOURS[node.sensitivity]}"/>'
    y = box.y + (box.height - _tall(labels, notes)) / 2
    for line in labels:
        y += 16
        yield write(box.x + 14, y, line, weight="600")
    for line in notes:
        y += 14
        yield write(box.x + 14, y, line, size=11)
    yield "</g>"


def _note(node: Node, words: Mapping[str, str], language: Language) -> str:
    """Say a box's numbers."""
    if node.persons is None:
        return node.note
    persons = (
        _persons(node.persons, words, language) if node.persons else words["unused" if node.column != "register" else "none"]
    )
    note = persons if node.declared else f"{words['undeclared']} · {persons}"
    return note if node.column == "register" else f"{note} · {words[node.sensitivity.value]}"


def _tall(labels: list[str], notes: list[str]) -> int:
    """Return how high the text of a box is."""
    return 16 * len(labels) + 14 * len(notes) + 4


def _heads(words: Mapping[str, str]) -> Iterator[str]:
    """Write the names of the columns."""
    for at, column in enumerate(_COLUMNS):
        yield write(EDGE + at * _STEP, _TOP - 22, words[column], size=13, weight="600", faint=True)


def _key(height: float, words: Mapping[str, str]) -> Iterator[str]:
    """Draw the key."""
    y, x = height - 16, float(EDGE)
    yield write(x, y, words["key"], size=11)
    x += 170
    for sensitivity in Sensitivity:
        yield f'<rect x="{place(x)}" y="{place(y - 10)}" width="22" height="11" fill="{COLOURS[sensitivity]}" fill-opacity="0.6"/>'
        yield write(x + 28, y, words[sensitivity.value], size=11)
        x += 110
    yield f'<path d="M{place(x)},{place(y - 4)}h34" fill="none" stroke="currentColor" stroke-width="1.6" stroke-dasharray="6 4"/>'
    yield write(x + 42, y, words["unused"], size=11)


def _persons(count: int, words: Mapping[str, str], language: Language) -> str:
    """Say how many persons."""
    return words["one"] if count == 1 else words["many"].format(n=number(count, language))
