"""Texts in the cells of sheets that leave the house: nothing in them is a formula, whoever opens them. Pure.

A text that begins like a formula, or would after its apostrophes, gets one apostrophe more; `bare` takes it off again, so every text comes back as it was:
``=1+1`` ↔ ``'=1+1``, ``'=1`` ↔ ``''=1``, ``'tis`` ↔ ``'tis``. It is what CISO Assistant's own exports do, too. A text that begins with ``<r>`` is guarded as
well: a library that writes workbooks would take it for ready-made markup.
"""

from __future__ import annotations

import re
from typing import Final

_LIKE_A_FORMULA: Final = re.compile(r"'*(?:[\s\x00-\x1f]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]|<r>)")
_UNWRITABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def guard(text: str) -> str:
    """Write a text so that no sheet takes it for a formula."""
    return f"'{text}" if _LIKE_A_FORMULA.match(text) else text


def bare(text: str) -> str:
    """Read what `guard` wrote."""
    return text[1:] if text.startswith("'") and _LIKE_A_FORMULA.match(text, 1) else text


def legible(text: str) -> str:
    """Replace what no XML may hold, and controls, by the sign for what can't be shown; line ends stay."""
    return _UNWRITABLE.sub("\ufffd", text.replace("\r\n", "\n"))
