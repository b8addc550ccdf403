"""A process that is stopped, not dead, with the one lock that everybody needs."""

from __future__ import annotations

import pytest

from tests.chaos import stopped
from tests.chaos.rig import Rig

pytestmark = pytest.mark.e2e


async def test_processes_when_stopped_with_the_heads_lock_then_others_wait_no_longer_than_the_timeout(rig: Rig) -> None:
    """A gate stopped while it seals delays nobody; PostgreSQL's process stopped so delays by its timeout; a stopped signer stops no seal."""
    told = await stopped.run(rig, trials=3)
    assert (told.gates, told.backends) == (3, 1)
    assert max(told.told) < stopped.LOCK_SECONDS + 3
