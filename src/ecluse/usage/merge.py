"""Merging small counts, so that a published day singles nobody out. Pure.

1  cells under ten are merged into one
2  where that one is itself under ten, the smallest of the others goes in with it, or it could be had by subtraction
3  what is then still under ten is said to be "fewer than ten": there is nothing to hide it among
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

Cell: TypeAlias = tuple[str, str | None]
"""A processor and a purpose; no purpose: a handle that was nobody's."""

LEAST: Final = 10


def merge_small(decisions: Mapping[Cell, int]) -> tuple[dict[Cell, int], int | None]:
    """Return the cells that may be shown and what the merged ones add up to: 0 where none was merged, None where they are fewer than ten together."""
    shown = {cell: count for cell, count in decisions.items() if count >= LEAST}
    merged = sum(count for cell, count in decisions.items() if cell not in shown)
    if 0 < merged < LEAST and shown:
        least = min(shown, key=lambda cell: (shown[cell], cell[0], cell[1] or ""))
        merged += shown.pop(least)
    return shown, None if 0 < merged < LEAST else merged


def counts_of(day: str, decisions: Mapping[Cell, int]) -> dict[str, object]:
    """Write the ``detail`` of ``control:counts:published`` (docs/decisions/0005-witnessed-ledger.md)."""
    shown, merged = merge_small(decisions)
    cells = [
        {"decisions": shown[cell], "processor": cell[0], "purpose": cell[1]}
        for cell in sorted(shown, key=lambda cell: (cell[0], cell[1] or ""))
    ]
    return {"cells": cells, "day": day, "least": LEAST, "merged": merged}
