"""What all tests share: one real PostgreSQL, never a stand-in."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecluse.embedded import EmbeddedPostgres


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Name and order the tests, others shuffling them in between.

    Two tests of one name are refused: run side by side, a name is run once, and the others are dropped without a word. Files with few tests come first: those
    are the long ones, and the short tests fill the gaps at the end.
    """
    twice = [name for name, times in Counter(item.nodeid for item in items).items() if times > 1]
    if twice:
        raise pytest.UsageError(f"{len(twice)} names stand for more than one test, the first: {twice[0]}")
    yield
    of_file = Counter(item.path for item in items)
    items.sort(key=lambda item: of_file[item.path])


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """Run one embedded PostgreSQL for the session; ``await postgres.create_database(name)`` gives a fresh database's address."""
    with tempfile.TemporaryDirectory(prefix="ecluse-tests-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # root's tests run the server under another account, which has to pass
        database = EmbeddedPostgres(folder / "postgres", folder / "keys", shared_buffers="64MB")
        database.create()
        with database:
            yield database
