"""From an opening's row to the decision that it holds, for a replay. What can't have come through the gate is None, whatever its text says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec

from ecluse.contracts import Assurance
from ecluse.flows.shadow import Entry, person_holds
from ecluse.ledger import Event, fields_of
from ecluse.policy import Hold, Place

_ROLL_CALLS: Final = frozenset({Event.SHEET_GRANTED, Event.SHEET_REFUSED})
_GRANTS: Final = frozenset({Event.PERSON_GRANTED, Event.SHEET_GRANTED})


class _Fields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a decision that a replay needs."""

    client: str
    agent: str
    assurance: Assurance
    appointment: str
    purpose: str | None = None
    attributes: tuple[str, ...] = ()
    forms: dict[str, str] | None = None
    reasons: tuple[str, ...] = ()


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What was otherwise then. ``holds``: of each person, all that there were; ``changed``: when sessions (place None) and places were last moved."""

    holds: Mapping[str, Sequence[Hold]]
    changed: Mapping[tuple[str, str | None], datetime]


def read_entry(row: asyncpg.Record, past: Past) -> Entry | None:
    """Read one decision with its place."""
    try:
        fields = msgspec.convert(dict(fields_of(row["fields"])), _Fields)
    except (msgspec.MsgspecError, RecursionError):
        return None
    granted = row["event"] in _GRANTS
    if granted and fields.forms is None:
        return None
    return Entry(
        log_id=row["log_id"],
        index=row["index"],
        at=row["sealed_at"],
        disclosure=row["disclosure_id"] or "",
        roll_call=row["event"] in _ROLL_CALLS,
        client=fields.client,
        agent=fields.agent,
        assurance=fields.assurance,
        appointment=fields.appointment,
        purpose=fields.purpose or "",
        asked=tuple(sorted(fields.forms)) if fields.forms is not None else fields.attributes,
        forms=fields.forms if granted else None,
        reasons=fields.reasons,
        place=_place(row, () if granted else person_holds(past.holds.get(row["subject_ref"], ()), row["sealed_at"])),
        site=row["site_id"] or "",
        moved=any(
            (at := past.changed.get((row["session_id"], place))) is not None and at > row["sealed_at"]
            for place in (None, row["appointment_id"])
        ),
    )


def _place(row: Any, holds: tuple[Hold, ...]) -> Place | None:  # noqa: ANN401 - a driver's record: its columns are those of `decisions`
    """Return the place that a decision was about, as it was then; None where the schedule has it no more."""
    if row["session_id"] is None or row["subject_ref"] is None:
        return None
    return Place(
        purpose=row["purpose"],
        session=row["session_id"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        subject_ref=row["subject_ref"],
        cancelled=row["cancelled_at"] is not None and row["cancelled_at"] <= row["sealed_at"],
        roster=None,
        holds=holds,
    )
