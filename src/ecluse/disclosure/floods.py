"""Refusals in floods: above a rate, a client's refusals are counted and answered 429, and one entry a minute says how many there were.

The count lives in the database, beside the proofs; what is kept here is only the last that was heard of it, so several gates see the same flood a few
requests late. A grant is never held up by refusals: the software that asks for one wrong handle in a loop must not keep a trainer from the next.
"""

from __future__ import annotations

from datetime import datetime


class Floods:
    """What one gate last heard of its clients' refusals. Owned by the door; forgotten with the minute."""

    def __init__(self, most: int) -> None:
        """Allow ``most`` refusals of one client in a minute before they are only counted."""
        self._most = most
        self._minute = 0
        self._known: dict[str, int] = {}

    def over(self, client: str, at: datetime) -> bool:
        """Tell whether a client was refused as often as it may be in the minute of ``at``."""
        return self._minute == _minute(at) and self._known.get(client, 0) >= self._most

    def learn(self, client: str, refusals: int, at: datetime) -> None:
        """Hear from the seal how often a client was refused in the minute of ``at``; 0: it was not told."""
        if refusals == 0:
            return
        if _minute(at) != self._minute:
            self._minute, self._known = _minute(at), {}
        self._known[client] = max(refusals, self._known.get(client, 0))


def _minute(at: datetime) -> int:
    """Return the minute since 1970 that holds an instant, as the database counts it."""
    return int(at.timestamp()) // 60
