"""What all tests share: one real PostgreSQL, never a stand-in."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecluse.embedded import EmbeddedPostgres


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
