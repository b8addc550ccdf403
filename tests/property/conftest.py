"""One agency for each module that plays with the clock: no gate of its own, a door in this process for each of three time zones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ecluse.embedded import EmbeddedPostgres
from tests.agency import founded
from tests.property.world import ZONES, Stage, staged


@pytest.fixture(scope="module")
def stage(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An agency with a door in this process for each of three time zones."""
    with (
        founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as agency,
        staged(agency, ZONES) as built,
    ):
        yield built
