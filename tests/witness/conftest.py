"""A witness on the disk, with one log to watch."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecluse.witness.service import Witness, create
from tests.witness.logs import VERIFIER, PublicLog, leaves

NAME = "dpo.example/witness"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A new witness's folder."""
    create(tmp_path / "witness", NAME)
    return tmp_path / "witness"


@pytest.fixture
def witness(folder: Path) -> Witness:
    """A witness that watches one log and has seen nothing."""
    one = Witness(folder)
    one.trust([VERIFIER])
    return one


@pytest.fixture(scope="session")
def log() -> PublicLog:
    """The log's history."""
    return PublicLog(leaves(40))


@pytest.fixture(scope="session")
def fork() -> PublicLog:
    """Another history of the same log, signed by the same key: five leaves are the same."""
    return PublicLog(leaves(40, same=5, word="other "))
