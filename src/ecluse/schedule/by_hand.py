"""Changes by hand, written as files of one row: so they are read, checked, sealed and, if need be, approved as any file is.

``row``: the session as it is (`store.session_in_effect`). All but what is to change is said as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from ecluse.clock import wire_text


def walk_in_file(
    row: Mapping[str, object], source: str, session_ref: str, place_ref: str, subject_ref: str, course_ref: str
) -> bytes:
    """Write a file that adds one place to the session."""
    place = {"place_ref": place_ref, "subject_ref": subject_ref, "status": "planned", "agents": row["agents"]}
    return _file(row, source, session_ref, place | ({"course_ref": course_ref} if course_ref else {}))


def substitution_file(row: Mapping[str, object], source: str, session_ref: str, agents: Sequence[str]) -> bytes:
    """Write a file that replaces the session's agents; one of its places is named as it stands."""
    status = "cancelled" if row["cancelled"] else "planned"
    place = {name: row[name] for name in ("place_ref", "subject_ref", "course_ref")}
    return _file(row, source, session_ref, {**place, "status": status, "agents": list(agents)})


def _file(row: Mapping[str, object], source: str, session_ref: str, place: Mapping[str, object]) -> bytes:
    starts_at, ends_at = row["starts_at"], row["ends_at"]
    if not isinstance(starts_at, datetime) or not isinstance(ends_at, datetime):
        raise AssertionError("impossible: a session without times")  # noqa: TRY004 - a bug
    session = {
        "source": source,
        "session_ref": session_ref,
        "purpose": row["purpose"],
        "processor": row["processor_id"],
        "site": row["site_id"],
        "room": row["room"],
        "starts_at": wire_text(starts_at),
        "ends_at": wire_text(ends_at),
    }
    return msgspec.json.encode({"rows": [{**session, **place}]})
