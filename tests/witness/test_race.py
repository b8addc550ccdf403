"""Many keepers at once, of two histories, on one store, some of them killed in the middle: the witness never goes back and never signs both."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from ecluse.ledger.notes import COSIGNATURE, open_cosigned, parse_vkey
from ecluse.witness.service import Witness, origin_hash_of
from tests.witness.logs import ORIGIN, VERIFIER
from tests.witness.racer import SAME, histories

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]


class Answer(NamedTuple):
    """A cosignature that was handed out: asked for and answered at nanoseconds of one clock, of which history, at which size."""

    began: int
    ended: int
    word: str
    size: int
    line: str


def racer(folder: Path, answers: Path, seed: int, count: int) -> subprocess.Popen[bytes]:
    """Start one keeper."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.witness.racer", str(folder), str(answers), str(seed), str(count)], cwd=ROOT
    )


def answers_of(files: list[Path]) -> list[Answer]:
    """Read what was handed out."""
    answers = []
    for line in (line for path in files if path.exists() for line in path.read_text(encoding="utf-8").splitlines(keepends=True)):
        began, ended, word, size, signature = line.split(" ", 4)
        answers.append(Answer(int(began), int(ended), word, int(size), signature))
    return sorted(answers)


def assert_one_history(witness: Witness, answers: list[Answer]) -> None:
    """Hold every cosignature against every other, and against what the store remembers."""
    logs, key = histories(), parse_vkey(witness.vkey, COSIGNATURE)
    roots: dict[int, bytes] = {}
    for one in answers:
        note = logs[one.word].note(one.size)
        assert list(open_cosigned(note + one.line, [VERIFIER], ORIGIN, [key]).cosigned_at) == [key]
        root = logs[one.word].roots[one.size]
        assert roots.setdefault(one.size, root) == root, "two roots of one size"
    assert len({one.word for one in answers if one.size > SAME}) == 1, "both histories"
    by_end, largest, at = sorted(answers, key=lambda one: one.ended), 0, 0
    for one in answers:  # by when they were asked for
        while at < len(by_end) and by_end[at].ended < one.began:
            largest, at = max(largest, by_end[at].size), at + 1
        assert one.size >= largest, "a smaller size after a larger was answered"
    (watched,) = witness.logs()
    assert watched.seen is not None
    assert watched.seen.size >= max(one.size for one in answers)
    assert watched.seen.note == witness.latest(origin_hash_of(ORIGIN))
    (word,) = {one.word for one in answers if one.size > SAME}
    assert watched.seen.root == logs[word].roots[watched.seen.size]


def test_store_when_four_processes_race_then_one_history_forward_only(folder, witness, tmp_path):
    """Updates of several processes at once never roll one another back."""
    files = [tmp_path / f"answers-{number}" for number in range(4)]
    processes = [racer(folder, path, number, 120) for number, path in enumerate(files)]
    assert [process.wait(200) for process in processes] == [0, 0, 0, 0]
    answers = answers_of(files)
    assert len(answers) > 30
    assert_one_history(witness, answers)


def test_store_when_processes_are_killed_while_they_race_then_nothing_answered_is_lost(folder, witness, tmp_path):
    """Each kill -9 leaves a store that opens, and remembers at least what was answered."""
    files = [tmp_path / f"answers-{number}" for number in range(6)]
    lasting = [racer(folder, path, number, 200) for number, path in enumerate(files[:2])]
    for number, path in enumerate(files[2:], start=2):
        process, deadline = racer(folder, path, number, 1_000_000), time.monotonic() + 60
        while not path.exists() or len(path.read_bytes()) < 150 * number:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.kill()
        assert process.wait(30) == -9
        assert Witness(folder).logs()[0].seen is not None
    assert [process.wait(200) for process in lasting] == [0, 0]
    assert_one_history(witness, answers_of(files))
