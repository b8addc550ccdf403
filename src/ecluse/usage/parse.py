"""Reading what a contract says in words, without judging it: a text that was once in force stays readable when the register's map has moved on. Pure."""

from __future__ import annotations

from functools import lru_cache

from ecluse.toml_lines import TomlSyntaxError, load_toml
from ecluse.usage.model import Paper

UNREADABLE = Paper(name="", siren=None, labels={})
"""What is said of a text that can't be read: nothing."""


@lru_cache(maxsize=512)  # by the text itself: a version of a contract never changes
def read_paper(text: str) -> Paper:
    """Return the processor's name and number and the labels of the purposes, as far as they are texts."""
    try:
        data = load_toml(text)
    except TomlSyntaxError:
        return UNREADABLE
    processor, purposes = data.get("processor"), data.get("purpose")
    named = processor if isinstance(processor, dict) else {}
    listed = [each for each in purposes if isinstance(each, dict)] if isinstance(purposes, list) else []
    return Paper(
        name=_text(named.get("name")),
        siren=_text(named.get("siren")) or None,
        labels={_text(each.get("id")): _text(each.get("label")) for each in listed},
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
