"""What a snapshot does not name: the places of its source that it cancels, and how many the source has ahead.

A place is cancelled by absence only where its session is yet to begin, before the file or by it: what has begun is history, or
is happening now. A walk-in was added by hand at the agency; no file of the source is expected to know it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecluse.schedule.model import Place, PlaceStatus, ScheduleContext, SessionFacts

if TYPE_CHECKING:
    from collections.abc import Iterable

_SESSION_FACTS = SessionFacts.__struct_fields__


def absent_places(source: str, places: Iterable[Place], context: ScheduleContext) -> list[Place]:
    """Return a cancellation (row 0) for each place of the source that is ahead and that the file does not name."""
    named: set[tuple[str, str]] = set()
    sessions: dict[str, Place] = {}
    for place in places:
        named.add((place.session_ref, place.place_ref))
        sessions.setdefault(place.session_ref, place)
    absent: list[Place] = []
    for (other, ref), session in sorted(context.sessions.items(), key=lambda item: item[0]):
        first = sessions.get(ref)
        if other != source or max(session.facts.starts_at, first.starts_at if first else context.now) <= context.now:
            continue
        said = {name: getattr(first or session.facts, name) for name in _SESSION_FACTS}
        absent += [
            Place(
                row=0,
                source=source,
                session_ref=ref,
                place_ref=place_ref,
                subject_ref=place.subject_ref,
                status=PlaceStatus.CANCELLED,
                course_ref=place.course_ref,
                **said,
            )
            for place_ref, place in sorted(session.places.items())
            if place.status is PlaceStatus.PLANNED and not place.walk_in and (ref, place_ref) not in named
        ]
    return absent


def places_ahead(source: str, context: ScheduleContext) -> int:
    """Count the planned places of a source in sessions yet to begin."""
    return sum(
        place.status is PlaceStatus.PLANNED
        for (other, _), session in context.sessions.items()
        if other == source and session.facts.starts_at > context.now
        for place in session.places.values()
    )
