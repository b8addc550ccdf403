"""The main job: one person, just in time, minimised, sealed before a byte leaves.

What it is: the one door through which API, desk and session sheet all pass. What it is not: it holds no rule of its own (``policy``, ``contracts``) and
writes nothing but through ``ledger``'s ``seal``.
"""

from ecluse.disclosure.compose import FingerprintKey
from ecluse.disclosure.door import Door
from ecluse.disclosure.errors import Busy, ClockUntrustedNow, DoorError, LedgerUnavailable, RegisterGone
from ecluse.disclosure.model import Answer, Delivered, Delivery, Denied, Flooded, Proven, Replayed, Request
from ecluse.disclosure.terms import Client, Snapshot

__all__ = [
    "Answer",
    "Busy",
    "Client",
    "ClockUntrustedNow",
    "Delivered",
    "Delivery",
    "Denied",
    "Door",
    "DoorError",
    "FingerprintKey",
    "Flooded",
    "LedgerUnavailable",
    "Proven",
    "RegisterGone",
    "Replayed",
    "Request",
    "Snapshot",
]
