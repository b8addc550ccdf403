"""Flows: what contracts declare goes where, against what the ledger saw go there; proposals to give less; contracts tried on the past; the map.

What it is not: it decides nothing and applies nothing, and it is blind to what goes another way than through Écluse. What stands here is pure; the live
database has doors of its own: ``flows.service`` (``observed`` for papers, ``fold_all``, ``flow_map``, ``propose_less``, ``shadow``, ``draw_map``).
"""

from ecluse.flows.draw import draw
from ecluse.flows.model import FLAGGED, Compared, Coverage, Declared, FieldSeen, FlowMap, Folded, Observed, Outcome, Recipient
from ecluse.flows.picture import Picture

__all__ = [
    "FLAGGED",
    "Compared",
    "Coverage",
    "Declared",
    "FieldSeen",
    "FlowMap",
    "Folded",
    "Observed",
    "Outcome",
    "Picture",
    "Recipient",
    "draw",
]
