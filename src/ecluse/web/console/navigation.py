"""What the frame shows of the console: its navigation, and what it says after an act."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ecluse.web.console.work import TOLD, WORK
from ecluse.web.pages.language import N_
from ecluse.web.pages.model import About, Entry, Notice

_GOVERN: Final = N_("Processors and what governs them")
_LOG: Final = N_("The ledger")

CONTRACTORS: Final = (
    Entry("today", "/console", N_("Today")),
    Entry("processors", "/console/processors", N_("Processors"), _GOVERN),
    Entry("evidence", "/console/evidence", N_("Evidence to judge"), _GOVERN),
    Entry("questionnaires", "/console/questionnaires", N_("Questionnaires"), _GOVERN),
    Entry("findings", "/console/findings", N_("Findings"), _GOVERN),
    Entry("holds", "/console/holds", N_("Suspensions"), _GOVERN),
    Entry("overrides", "/console/overrides", N_("Overrides"), _GOVERN),
    Entry("exposure", "/console/exposure", N_("Exposure"), _GOVERN),
)
"""Today, and the processors."""

LOG: Final = (Entry("ledger", "/console/ledger", N_("State and witnesses"), _LOG),)

NOTICES: Final[Mapping[str, Notice]] = {
    "evidence-kept": Notice("ok", N_("The document is kept. It counts for nothing until somebody accepts it.")),
    "evidence-accepted": Notice("ok", N_("Accepted: it counts from now on. Sealed as entry %(entry)s of the ledger.")),
    "evidence-rejected": Notice("info", N_("Rejected. The processor is shown your reason.")),
    "evidence-withdrawn": Notice("warn", N_("Withdrawn: it counts no more. Sealed as entry %(entry)s of the ledger.")),
    "finding-opened": Notice("ok", N_("The finding is open. Sealed as entry %(entry)s of the ledger.")),
    "finding-confirmed": Notice("ok", N_("The finding that the answer proposed is open.")),
    "finding-closed": Notice("ok", N_("The finding is closed. Sealed as entry %(entry)s of the ledger.")),
    "hold-placed": Notice("warn", N_("Suspended: the next decision already refuses. Sealed as entry %(entry)s of the ledger.")),
    "hold-released": Notice(
        "ok", N_("Released: what the contract allows is possible again. Sealed as entry %(entry)s of the ledger.")
    ),
    "override-asked": Notice("info", N_("Asked. It lifts nothing until another officer approves it, within 24 hours.")),
    "override-approved": Notice(
        "warn", N_("Approved: the reasons are lifted for a while. Sealed as entry %(entry)s of the ledger.")
    ),
    "override-revoked": Notice("ok", N_("The override is over. Sealed as entry %(entry)s of the ledger.")),
    "response-accepted": Notice("ok", N_("The answers count as evidence from now on. Sealed as entry %(entry)s of the ledger.")),
    "questionnaire-revoked": Notice("info", N_("The link is closed. What was not handed in stays a draft.")),
}

ABOUT: Final = About(home="/console", help="/console/help", navigation=(*CONTRACTORS, *WORK, *LOG), notices={**NOTICES, **TOLD})
"""The console, as the frame needs to know it."""
