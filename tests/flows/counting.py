"""Counting what a whole agency sealed, beside the worker of its gate."""

from __future__ import annotations

import asyncio

from ecluse.flows.service import fold_all
from tests.agency import Agency


async def count_flows(agency: Agency) -> None:
    """Count all there is; the gate's own worker may be at it."""
    async with agency.connected("ecluse_jobs") as jobs:
        for _ in range(200):
            if await fold_all(jobs) is not None:
                return
            await asyncio.sleep(0.1)
    raise AssertionError("nobody could count")
