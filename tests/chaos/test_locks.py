"""The order of locks: the log's head first, always."""

from __future__ import annotations

import pytest

from tests.chaos import locks
from tests.chaos.rig import Rig

pytestmark = pytest.mark.e2e


async def test_use_cases_when_each_runs_against_each_then_no_deadlock_and_the_head_first(rig: Rig) -> None:
    """Fifty-five pairs of use cases in loops: PostgreSQL counts no deadlock, and whoever waits for the head has written nothing yet."""
    told = await locks.run(rig, seconds=0.15)
    assert (told.pairs, told.deadlocks) == (55, 0)
