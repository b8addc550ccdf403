"""One agency with a gate for each module of tests of papers that needs a database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ecluse.embedded import EmbeddedPostgres
from tests.agency import Agency, founded


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """A founded agency with one gate."""
    with founded(postgres, tmp_path_factory.mktemp("papers") / "ecluse-data") as built:
        yield built
