"""One scene for all of these tests: worlds are copies of its database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecluse.embedded import EmbeddedPostgres
from tests.agency import founded
from tests.erasure.worlds import Scene, found_scene


@pytest.fixture(scope="module")
def scene(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Found an agency with two processors and a clock that tests move; no gate runs."""
    folder: Path = tmp_path_factory.mktemp("erasure") / "office"
    with founded(postgres, folder, gate=False) as agency:
        yield asyncio.run(found_scene(agency))
