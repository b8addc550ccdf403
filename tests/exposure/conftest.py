"""One agency with a door in this process and a clock that tests set."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ecluse.embedded import EmbeddedPostgres
from tests.agency import founded
from tests.exposure.worlds import ZONE
from tests.property.world import Stage, staged


@pytest.fixture(scope="module")
def stage(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An agency with a door in this process, in the controller's time zone."""
    with (
        founded(postgres, tmp_path_factory.mktemp("exposure") / "ecluse-data", gate=False) as agency,
        staged(agency, [ZONE]) as built,
    ):
        yield built
