"""What tests of flows share: an agency behind a gate, or a scene of worlds whose clock they move."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ecluse.embedded import EmbeddedPostgres
from tests.agency import Agency, founded
from tests.erasure.worlds import Scene, found_scene


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """A founded agency with one gate."""
    with founded(postgres, tmp_path_factory.mktemp("flows") / "ecluse-data") as built:
        yield built


@pytest.fixture(scope="module")
def scene(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An agency with two processors and no gate; tests copy worlds from it and move their clock."""
    with founded(postgres, tmp_path_factory.mktemp("flows") / "ecluse-data", gate=False) as built:
        yield asyncio.run(found_scene(built))
