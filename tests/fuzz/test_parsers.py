"""Every parser against damaged inputs: no crash, no second spelling; and every crasher ever found, by name.

A fixed number of mutants each, about a second's worth; ``ECLUSE_BIG=1`` draws a hundred times as many. The seed is that of the run, in pytest's heading.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Final

import pytest

from tests.fuzz.mutants import mutants
from tests.fuzz.parsers import PARSERS

pytestmark = pytest.mark.unit

BIG: Final = 100 if os.environ.get("ECLUSE_BIG") else 1
MUTANTS: Final = 2_000
SLOW: Final = {"contract.toml": 200, "register.toml": 300, "ecluse.toml": 800, "fingerprint.key": 1_000}
"""Mutants of those that take long."""


def judge(name: str, data: bytes) -> str | None:
    """Read one input; say what is wrong with how it was taken."""
    parser = PARSERS[name]
    try:
        read = parser.read(data)
    except parser.errors:
        return None
    except Exception as crash:  # noqa: BLE001 - that is what is looked for
        return f"{type(crash).__name__}: {crash}"[:300]
    if parser.write is None:
        return None
    written = parser.write(read)
    return None if written == parser.one_spelling_of(data) else f"a second spelling of {written!r}"[:300]


def found(name: str, inputs: Iterator[bytes]) -> list[tuple[bytes, str]]:
    """Return the first few inputs that were taken wrongly."""
    return list(islice(((data, why) for data in inputs if (why := judge(name, data)) is not None), 3))


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_parser_when_the_input_is_good_then_read(name: str) -> None:
    """Each seed is read, and written back as it stood where there is one spelling."""
    parser = PARSERS[name]
    for seed in parser.seeds:
        with suppress(*parser.errors):
            assert parser.read(seed) is not None
        assert judge(name, seed) is None


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_parser_when_the_input_is_damaged_then_its_own_error_or_the_one_spelling(name: str, pytestconfig: pytest.Config) -> None:
    """Damage is refused by the parser's own error, or read as what has this very spelling."""
    seed, parser = pytestconfig.getoption("randomly_seed", 0), PARSERS[name]
    drawn = islice(mutants(parser.seeds, parser.words, seed), SLOW.get(name, MUTANTS) * BIG)
    assert found(name, drawn) == []
