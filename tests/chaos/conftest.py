"""One rig for each module of faults: what one test broke the next finds mended, or mends it first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.rig import Rig, rigged


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """An agency without a gate on a PostgreSQL of its own."""
    with rigged() as built:
        yield built
