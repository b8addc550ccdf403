"""A log's keeper in a hurry, as a process of its own: ``python -m tests.witness.racer FOLDER ANSWERS SEED COUNT``.

It sends heads of two histories of one log, in any order, with whatever size it last heard of, straight to the witness's use case, so that several of it
meet in the store alone. Each cosignature is written down after it was handed out, with the instants between which it was asked for.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from ecluse.witness.errors import NotConsistent, SizeConflict, StoreFailed
from ecluse.witness.service import Witness
from tests.witness.logs import PublicLog, leaves, request

LENGTH = 3_000
SAME = 3


def histories() -> dict[str, PublicLog]:
    """Return the two histories: after three leaves they differ."""
    return {word: PublicLog(leaves(LENGTH, same=SAME, word=word)) for word in ("a", "b")}


def main(folder: Path, answers: Path, seed: int, count: int) -> None:
    """Ask, and write down what was answered."""
    dice, logs, witness = random.Random(seed), histories(), Witness(folder)  # noqa: S311 - drawn for a test, not a secret
    written = os.open(answers, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    old = 0
    for _ in range(count):
        word = dice.choice("ab")
        size = min(LENGTH, max(0, old + dice.choice((-2, 0, 1, 1, 2, 3, 7))))
        claimed = min(old, size)
        began = time.monotonic_ns()
        try:
            line = witness.add_checkpoint(request(claimed, logs[word].proof(claimed, size), logs[word].note(size)))
        except SizeConflict as conflict:
            old = conflict.size
        except (NotConsistent, StoreFailed):
            continue
        else:
            old = size
            os.write(written, f"{began} {time.monotonic_ns()} {word} {size} {line}".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
