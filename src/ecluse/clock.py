"""The one place that reads the system clock, and the one way to write an instant.

The clock of a *decision* is the database's (see ``ledger``); this one only authenticates (token and proof life) and paces workers.
Instants are aware and UTC; text is RFC 3339 with ``Z``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def now() -> datetime:
    """Return the present instant, aware, UTC."""
    return datetime.now(UTC)


@lru_cache(maxsize=1024)  # the same instant is written for every entry of a batch, the same window for every place of a session
def sealed_text(at: datetime) -> str:
    """Write an instant as ledger fields do: ``YYYY-MM-DDTHH:MM:SS.ffffffZ``, always six decimals."""
    if at.utcoffset() is None:
        raise AssertionError("impossible: an instant without a zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def wire_text(at: datetime) -> str:
    """Write an instant as answers do: RFC 3339 with ``Z``, decimals only if they are not zero."""
    text = sealed_text(at)
    return text[:-8] + "Z" if text.endswith(".000000Z") else text
