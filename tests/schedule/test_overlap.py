"""What overlaps is warned of by row and column, and refuses nothing."""

from __future__ import annotations

import pytest
from plans import AGENT, OTHER_AGENT, context, contract, kept, row, warned

pytestmark = pytest.mark.unit

ROOM = "another session is in this room at the same time"
AGENTS = "one of the agents has another session at the same time"
PERSON = "the subject has a place in another session at the same time"


def session(ref: str, subject: int, start: int, end: int, room: str = "A", **changes: str) -> dict[str, str]:
    """Return a row of a session from hour to hour, without agents if none are given."""
    times = {"starts_at": f"2026-01-05T{start:02}:00", "ends_at": f"2026-01-05T{end:02}:00"}
    return row(**{"agents": "", "session_ref": ref, "subject_ref": f"ofii:{subject}", "room": room} | times | changes)


def test_two_sessions_in_one_room_are_warned_of() -> None:
    """A room is told by name whatever its case, among the file's rows and against what is kept, also when one is moved there."""
    rows = [session("N1", 1, 9, 11), session("N2", 2, 10, 12, "a")]
    assert warned(rows) == {(2, "room", ROOM), (3, "room", ROOM)}
    assert warned([session("N2", 2, 10, 12)], context(kept())) == {(2, "room", ROOM)}
    assert warned([row(room="B", agents="")], context(kept() | kept("K2", (2,), room="B"))) == {(2, "room", ROOM)}
    assert warned([session("N1", 1, 9, 11), session("N2", 2, 11, 12)]) == set()
    assert warned([session("N1", 1, 9, 11), session("N2", 2, 10, 12, site="lyon-8")]) == set()


def test_one_agent_in_two_rooms_is_warned_of() -> None:
    """An agent has one session at a time."""
    rows = [session("N1", 1, 9, 11, agents=AGENT), session("N2", 2, 10, 12, "B", agents=AGENT)]
    assert warned(rows) == {(2, "agents", AGENTS), (3, "agents", AGENTS)}
    assert warned(rows[1:], context(kept(agents=(AGENT,)))) == {(2, "agents", AGENTS)}
    both = context(agents={AGENT: "lyon-formation", OTHER_AGENT: "lyon-formation"})
    assert warned([rows[0], session("N2", 2, 10, 12, "B", agents=OTHER_AGENT)], both) == set()


def test_one_person_in_two_sessions_is_warned_of() -> None:
    """A person is in one session at a time, also of two processors that the file names; a cancelled place is none."""
    rows = [session("N1", 1, 9, 11), session("N2", 1, 10, 12, "B")]
    assert warned(rows) == {(2, "subject_ref", PERSON), (3, "subject_ref", PERSON)}
    assert warned([rows[0], session("N2", 1, 10, 12, "B", processor="nice-langues")]) == {
        (2, "subject_ref", PERSON),
        (3, "subject_ref", PERSON),
    }
    assert warned(rows[1:], context(kept(cancelled=(1,)))) == set()
    assert warned(rows[1:], context(kept())) == {(2, "subject_ref", PERSON)}
    assert warned([{**rows[1], "status": "cancelled"}], context(kept())) == set()


def test_what_stood_before_is_not_warned_of_again() -> None:
    """Rows that change nothing bring nothing about, however their sessions overlap."""
    against = context(kept() | kept("K2", (1,), room="A"), contracts={"lyon-formation": contract(), "nice-langues": contract()})
    assert warned([row()], against) == set()
