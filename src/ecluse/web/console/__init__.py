"""The console: the controller's officers see and steer what governs processors. Not who signs in (``web/sign_in``), and no decision of its own.

Each module has its handlers; `navigation.ABOUT` is what the frame shows of the room. See ``docs/console.md``.
"""

from __future__ import annotations

from typing import Any, Final

from ecluse.web.console import (
    accounts,
    decisions,
    emergency,
    evidence,
    exposure,
    findings,
    flows,
    holds,
    ledger,
    look_up,
    overrides,
    papers,
    processors,
    questionnaires,
    schedule,
    schedule_files,
    schedule_imports,
    today,
    walk_in,
    what_if,
)
from ecluse.web.console.navigation import ABOUT

HANDLERS: Final[list[Any]] = [
    *today.HANDLERS,
    *processors.HANDLERS,
    *evidence.HANDLERS,
    *questionnaires.HANDLERS,
    *findings.HANDLERS,
    *holds.HANDLERS,
    *overrides.HANDLERS,
    *exposure.HANDLERS,
    *papers.HANDLERS,
    *ledger.HANDLERS,
    *schedule.HANDLERS,
    *schedule_files.HANDLERS,
    *schedule_imports.HANDLERS,
    *walk_in.HANDLERS,
    *decisions.HANDLERS,
    *flows.HANDLERS,
    *what_if.HANDLERS,
    *look_up.HANDLERS,
    *emergency.HANDLERS,
    *accounts.HANDLERS,
]

__all__ = ["ABOUT", "HANDLERS"]
