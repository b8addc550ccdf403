"""Promise 3 attacked by ``kill -9``: nothing disclosed unsealed, nothing sealed lost."""

from __future__ import annotations

import pytest

from tests.chaos import crashes
from tests.chaos.rig import Rig

pytestmark = pytest.mark.e2e


async def test_processes_when_killed_under_load_then_nothing_unsealed_and_nothing_lost(rig: Rig) -> None:
    """Six kills of gates, PostgreSQL, its backends and all at once: each body has its entry, each entry is there, checkpoints extend one another."""
    told = await crashes.run(rig, cycles=6)
    assert sum(told.cycles.values()) == 6
    assert told.checkpoints > 0
