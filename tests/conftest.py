"""What all tests share: one real PostgreSQL, never a stand-in, with its files in memory where there is room."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Final

import pytest

from ecluse.embedded import EmbeddedPostgres

_MEMORY: Final = Path("/dev/shm")
_ROOM_BYTES: Final = 4 * 2**30


def pytest_configure() -> None:
    """Let temporary files of the tests, databases first of all, lie in memory, unless ``TMPDIR`` says where.

    Every setting of PostgreSQL stays as it is served, and a killed process leaves what it would leave on a disk: what lies in memory is lost with the machine
    alone, which no test can switch off. Created, copied and dropped by the hundred, databases on a disk take as much time as all that is tested on them.
    """
    if (
        "TMPDIR" in os.environ
        or not _MEMORY.is_dir()
        or shutil.disk_usage(_MEMORY).free < _ROOM_BYTES
        or _available() < _ROOM_BYTES
    ):
        return
    folder = tempfile.mkdtemp(prefix="ecluse-", dir=_MEMORY)
    Path(folder).chmod(0o711)  # root's tests run the server under another account, which has to pass
    os.environ["TMPDIR"] = tempfile.tempdir = folder  # the workers and what they start inherit it
    # given back after the folder that multiprocessing keeps in it for its fork server, whose own turn is at -100
    Finalize(None, shutil.rmtree, (folder,), {"ignore_errors": True}, exitpriority=-200)


def _available() -> int:
    """Return how many bytes of memory are free or can be freed."""
    words = Path("/proc/meminfo").read_text(encoding="ascii").split()
    return int(words[words.index("MemAvailable:") + 1]) * 1024


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
