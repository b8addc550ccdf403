"""Damage to well-formed inputs: a few small changes a mutant, drawn from a seed, with the words of the format as well as random bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Final

TOKENS: Final = (
    b"", b"\n", b"\r\n", b"\t", b" ", b"\x00", b"\x7f", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"=", b"==", b"+", b"-", b"_", b"/", b".", b",", b";", b":",
    b"0", b"00", b"01", b"1_0", b"-0", b"1e3", b"1.0", b"NaN", b"Infinity", b"null", b"true", b"[]", b"{}", b'""', b'"', b"\\u0061", b"\\ud800", b"\\n", b"'",
    b"9223372036854775807", b"9223372036854775808", b"99999999999999999999", b"1" * 5000, b"[" * 1200, b'{"a":' * 900,
    "\u0661".encode(), "\uff11".encode(), "\u00e9".encode(), "e\u0301".encode(), "\u200b".encode(), "\u2028".encode(), "\u2014 ".encode(), "\u00a0".encode(),
)  # fmt: skip
"""What parsers are known to trip over: spellings of numbers, blanks and marks, escapes, half characters, depth and length."""


def mutants(seeds: Sequence[bytes], words: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Draw mutants of the seeds without end; ``words``: those of the format, beside `TOKENS`."""
    dice = random.Random(seed)  # noqa: S311 - drawn for a test, not a secret
    tokens = [*TOKENS, *words]
    while True:
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 8))):
            _damage(data, tokens, dice)
        yield bytes(data)


def _damage(data: bytearray, tokens: Sequence[bytes], dice: random.Random) -> None:
    """Change one place."""
    at = dice.choice((0, len(data), dice.randint(0, len(data)), dice.randint(0, len(data)), dice.randint(0, len(data))))
    end = min(len(data), at + dice.choice((0, 1, 1, 2, 4, 16, 64)))
    kind = dice.randrange(8)
    if kind == 0 and data:
        data[min(at, len(data) - 1)] ^= 1 << dice.randrange(8)
    elif kind == 1:
        data[at:end] = bytes([dice.randrange(256)])
    elif kind in {2, 3, 4}:
        data[at : end if kind == 2 else at] = dice.choice(tokens)
    elif kind == 5:
        del data[at:end]
    elif kind == 6:
        data[at:at] = data[at:end]
    elif data:
        data[at:end] = bytes(data[at:end]).swapcase()
