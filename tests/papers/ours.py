"""Facts for machine formats and our own papers, beside those of ``samples.py``: a processor outside the EEA, and what an installation says of itself."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from ecluse.papers.model import Body, Facts, Language, ProcessorFacts
from ecluse.papers.own import OwnFacts, OwnPaper, own_paper, parse_kept
from ecluse.papers.text import Text
from tests.papers.samples import AT, facts, processor

ZONE: Final = ZoneInfo("Europe/Paris")
COMMENTS: Final = {
    "agent.label": "staff: how the processor calls its agent; retention: while the contract runs, then 12 months",
    "opening.agent_id": "staff: reference; retention 12 months",
    "opening.subject_ref": "person: reference; retention 12 months",
    "outcome.level": "person: level reached; retention 30 days",
}


def abroad(**changes: Any) -> ProcessorFacts:
    """Return a processor outside the European Economic Area."""
    first = processor()
    body = msgspec.structs.replace(first.body, name="Tunis Langues", country="TN", registration="")
    return msgspec.structs.replace(first, **{"id": "tunis-langues", "body": body, "third_countries": ("TN",), **changes})


def two(**changes: Any) -> Facts:
    """Return facts of two processors, with safeguards for the one abroad."""
    made = facts(processor(), abroad())
    activity = msgspec.structs.replace(made.activity, safeguards="clauses types (UE) 2021/914, module 2")
    return msgspec.structs.replace(made, **{"activity": activity, **changes})


def house(**said: str) -> OwnFacts:
    """Return what our own papers name; ``said``: of the controller."""
    values = {
        "name": "Agence d'exemple",
        "country": "FR",
        "address": "44 rue d'Exemple",
        "reach": "agence@agence.example",
        "dpo": "dpo@agence.example",
    } | said
    kept = tuple(parse_kept(name, comment) for name, comment in COMMENTS.items())
    return OwnFacts(at=AT, controller=Body(**values), openings_months=18, backups_days=35, kept=kept)


def filled(paper: OwnPaper, language: Language = Language.FR, **said: str) -> Text:
    """Return one of our own papers, filled."""
    return own_paper(paper, language, house(**said), ZONE)
