"""Snapshots: what the file does not name is cancelled, what has begun is not, and a large cancellation wants its number."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from plans import NOW, context, kept, row, written

from ecluse.schedule import check
from ecluse.schedule.check import check_places
from ecluse.schedule.findings import ScheduleFindings
from ecluse.schedule.model import (
    CheckedSchedule,
    ExistingPlace,
    ExistingSession,
    Mode,
    PlaceStatus,
    ScheduleContext,
    ScheduleFile,
)

pytestmark = pytest.mark.unit


def snapshot(rows: list[dict[str, str]], against: ScheduleContext) -> CheckedSchedule | ScheduleFindings:
    """Check rows as a snapshot of the source ``plan``."""
    read = written(*rows) if rows else ScheduleFile(sha256="0" * 64, source="plan", rows=())
    return check_places(msgspec.structs.replace(read, mode=Mode.SNAPSHOT), against)


def cancelled(rows: list[dict[str, str]], against: ScheduleContext) -> set[tuple[str, str]]:
    """Check a snapshot that must be accepted and return ``(session_ref, place_ref)`` of what it cancels."""
    checked = snapshot(rows, against)
    assert isinstance(checked, CheckedSchedule), checked
    return {(place.session_ref, place.place_ref) for place in checked.places_cancelled}


def test_a_place_that_a_snapshot_does_not_name_is_cancelled() -> None:
    """Of the file's sessions and of sessions that it does not name; other sources, and what is cancelled already, are left alone."""
    foreign = {("other", ref): session for (_, ref), session in kept("F1", (9,), room="F").items()}
    against = context(kept("S1", (1, 2)) | kept("S2", (3, 4), room="B", cancelled=(4,)) | foreign)
    assert cancelled([row()], against) == {("S1", "P2"), ("S2", "P3")}
    assert (
        cancelled(
            [
                row(),
                row(place_ref="P2", subject_ref="ofii:2"),
                row(session_ref="S2", place_ref="P3", subject_ref="ofii:3", room="B"),
            ],
            against,
        )
        == set()
    )


def test_what_has_begun_is_never_cancelled_by_absence() -> None:
    """A session begun or past keeps its places; so does one that begins at this very instant, and one microsecond ahead it does not."""
    begun = {"starts_at": NOW, "ends_at": datetime(2026, 1, 2, 17, tzinfo=UTC)}
    against = context(kept("S1") | kept("S2", (2,), room="B", **begun) | kept("S3", (3,), month=1, day=1, room="C"))
    assert cancelled([row()], against) == set()
    ahead = {**begun, "starts_at": NOW.replace(microsecond=1)}
    assert cancelled([row()], context(kept("S1") | kept("S2", (2,), room="B", **ahead))) == {("S2", "P2")}


def test_a_begun_session_that_is_moved_ahead_does_not_take_the_absent_along() -> None:
    """Who is not in the file gets no window on another day because the session moves there."""
    begun = {"starts_at": datetime(2026, 1, 2, 7, tzinfo=UTC), "ends_at": datetime(2026, 1, 2, 9, tzinfo=UTC)}
    assert cancelled([row()], context(kept("S1", (1, 2), **begun))) == {("S1", "P2")}


def test_a_walk_in_is_not_cancelled_by_absence() -> None:
    """Who was added by hand is not in the source's file."""
    (key, session), *_ = kept("S1", (1, 2)).items()
    places = dict(session.places) | {
        "W1": ExistingPlace(subject_ref="ofii:7", course_ref="civic-training", status=PlaceStatus.PLANNED, walk_in=True)
    }
    against = context({key: ExistingSession(facts=session.facts, places=places)})
    assert cancelled([row()], against) == {("S1", "P2")}


@pytest.mark.parametrize(("gone", "wants"), [(1, False), (2, True)])
def test_more_than_a_tenth_wants_to_be_confirmed(gone: int, wants: bool) -> None:
    """Of ten places one may go unasked, not two; an empty snapshot always asks; a delta never does."""
    against = context({key: session for n in range(10) for key, session in kept(f"S{n}", (n,), day=5 + n).items()})
    rows = [
        row(
            session_ref=f"S{n}",
            place_ref=f"P{n}",
            subject_ref=f"ofii:{n}",
            starts_at=f"2026-01-{5 + n:02}T09:00",
            ends_at=f"2026-01-{5 + n:02}T17:00",
        )
        for n in range(10)
    ]
    checked = snapshot(rows[gone:], against)
    assert isinstance(checked, CheckedSchedule)
    assert (checked.places_ahead, checked.counts.places_cancelled, checked.wants_confirmation) == (10, gone, wants)
    named = snapshot([{**one, "status": "cancelled"} for one in rows[:gone]] + rows[gone:], against)
    assert isinstance(named, CheckedSchedule)
    assert named.wants_confirmation is wants
    delta = check_places(written(*({**one, "status": "cancelled"} for one in rows)), against)
    assert isinstance(delta, CheckedSchedule)
    assert not delta.wants_confirmation


def test_an_empty_snapshot_always_wants_to_be_confirmed() -> None:
    """Also where there is nothing left to cancel."""
    for sessions in ({}, kept("S1", (1, 2))):
        checked = snapshot([], context(sessions))
        assert isinstance(checked, CheckedSchedule)
        assert checked.wants_confirmation
        assert checked.counts.places_cancelled == 2 * bool(sessions)


def test_a_session_to_another_processor_names_all_its_places() -> None:
    """Nobody goes to another processor unnamed; a snapshot cancels who is absent, a delta refuses."""
    against = context(kept("S1", (1, 2)))
    delta = check_places(written(row(processor="nice-langues", agents="")), against)
    assert isinstance(delta, ScheduleFindings)
    assert [(one.row, one.column) for one in delta.problems] == [(2, "processor")]
    assert cancelled([row(processor="nice-langues", agents="")], against) == {("S1", "P2")}
    nobody = check_places(written(row(processor="nice-langues", agents="", status="cancelled")), context(kept("S1")))
    assert isinstance(nobody, ScheduleFindings)
    foreign = check_places(written(row(processor="nice-langues")), context(kept("S1")))
    assert isinstance(foreign, ScheduleFindings)
    assert [(one.row, one.column) for one in foreign.problems] == [(2, "agents")]
    both = check_places(
        written(
            row(processor="nice-langues", agents=""),
            row(processor="nice-langues", agents="", place_ref="P2", subject_ref="ofii:2", status="cancelled"),
        ),
        against,
    )
    assert isinstance(both, CheckedSchedule)
    assert (both.counts.sessions_handed_over, both.counts.places_handed_over, both.counts.places_cancelled) == (1, 1, 1)


def test_more_places_than_are_soon_written_are_not_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session that goes past the limit is named."""
    monkeypatch.setattr(check, "HANDED_MAX", 2)
    against = context(kept("S1", (1, 2)) | kept("S2", (3,), room="B"))
    over = {"processor": "nice-langues", "agents": ""}
    rows = [row(**over), row(place_ref="P2", subject_ref="ofii:2", **over)]
    assert isinstance(check_places(written(*rows), against), CheckedSchedule)
    refused = check_places(written(*rows, row(session_ref="S2", place_ref="P3", subject_ref="ofii:3", room="B", **over)), against)
    assert isinstance(refused, ScheduleFindings)
    assert [(one.row, one.column) for one in refused.problems] == [(4, "processor")]
