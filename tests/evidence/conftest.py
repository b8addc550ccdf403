"""One agency without a gate for each module of tests of evidence that needs a database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ecluse.embedded import EmbeddedPostgres
from tests.agency import Agency, founded


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """A founded agency."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as built:
        yield built
