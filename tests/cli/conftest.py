"""An office for the command line: an evaluation installation made by ``ecluse init``, its PostgreSQL kept running."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
import typer.testing

from ecluse import install
from tests.cli.offices import PEOPLE, Office


@pytest.fixture(scope="session", autouse=True)
def _one_tree() -> Iterator[None]:
    """Build the tree of commands once: the runner builds it anew for each call, which is half of a test's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(typer.testing._get_command))
        yield


@pytest.fixture(scope="session")
def folder_for_databases() -> Iterator[Path]:
    """Return a folder that the embedded database's account may pass through."""
    with tempfile.TemporaryDirectory(prefix="ecluse-cli-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


@pytest.fixture(scope="session")
def found(folder_for_databases: Path) -> Iterator[Callable[..., Office]]:
    """Found offices by name; their databases run until the session ends."""
    running = ExitStack()

    def make(name: str, people: int = PEOPLE) -> Office:
        office = Office(folder_for_databases / name)
        made = office.json("init", "--evaluation", "--people", str(people), "--name", "Office")
        assert made["index"] == 0
        reached = running.enter_context(install.databases(office.installation))
        assert reached.embedded is not None
        running.callback(reached.embedded.kill, signal.SIGQUIT)  # nobody needs these files again: no last checkpoint
        return office

    with running:
        yield make


@pytest.fixture(scope="session")
def office(found: Callable[[str], Office]) -> Office:
    """Return the office that all tests share; each binds a processor of its own."""
    return found("office")
