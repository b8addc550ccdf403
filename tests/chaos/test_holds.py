"""Promise 7 attacked: a hold that lands while decisions are under way stops every one of them."""

from __future__ import annotations

import pytest

from tests.chaos import holds
from tests.chaos.rig import Rig

pytestmark = pytest.mark.e2e


async def test_holds_when_placed_while_the_register_is_awaited_then_no_grant_after_their_entry(rig: Rig) -> None:
    """Thirty holds of every scope at random instants into slow requests at two gates: no grant has a larger index than its hold."""
    told = await holds.run(rig, trials=30, register_seconds=0.3)
    assert (told.trials, told.granted_after, len(told.first_refusals)) == (30, 0, 30)
