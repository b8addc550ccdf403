"""The entry of a look-up: who looks at whose record, which part of it, and how many lines. Pure.

``detail`` holds the part, and is what the database reads by afterwards: what is shown is what was sealed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from ecluse.clock import sealed_text
from ecluse.ledger.fields import SALT_BYTES, Committed, Event, commit
from ecluse.usage.model import Asked

FIELD_COUNT: Final = 6
SALTS: Final = SALT_BYTES * FIELD_COUNT
"""Random bytes that an entry needs."""


def compose_look(asked: Asked, *, at: datetime, lines: int, salts: bytes) -> Committed:
    """Build the entry. ``at``: the database's clock when the look-up was planned; ``lines``: how many its page has."""
    span = asked.span
    detail = {
        "before": span.before,
        "from": None if span.from_at is None else sealed_text(span.from_at),
        "most": span.most,
        "to": sealed_text(end_of(asked, at)),
        **({} if asked.visit is None else {"way": "page"}),  # the person's own look, by a link of the client
    }
    fields: list[tuple[str, object]] = [
        ("at", sealed_text(at)),
        ("event", Event.USAGE_SHOWN.value),
        ("client", asked.client),
        ("subject", asked.subject),
        ("detail", detail),
        ("count", lines),
    ]
    return commit(fields, salts)


def end_of(asked: Asked, at: datetime) -> datetime:
    """Return the end of what is looked at: what was asked for, and never later than the plan."""
    return at if asked.span.to_at is None else min(asked.span.to_at, at)
