"""From texts to instants: the times of a file, read in the time zone of their site (docs/decisions/0001-formats.md, "Time").

A text with ``Z`` or an offset (RFC 3339) is an instant. A text without one is a local time of the site: one that the clock
skipped or showed twice there is refused, never guessed. Before the zones are known, ``touched_spans`` tells which months have
to be read.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from ecluse.schedule.findings import Fault, ProblemCollector
from ecluse.schedule.model import Place, ScheduleContext, ScheduleFile, WrittenPlace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

_NO_SUCH_TIME: Final = Fault("there is no such date or time", "Correct the date, the time or the offset.")
_SKIPPED: Final = Fault("the clocks of the site skip this time", "Write the time with Z or an offset.")
_TWICE: Final = Fault("the clocks of the site show this time twice", "Write the time with Z or an offset.")
_NO_ZONE: Final = Fault(
    "the site is not in the contract, so its time zone is not known",
    "Name a site of the contract, or write the time with Z or an offset.",
)
_LAST_YEAR: Final = 9990
_AROUND: Final = timedelta(days=2)
_DAY: Final = timedelta(days=1)


def read_instant(text: str, zone: tzinfo | None) -> datetime | Fault:
    """Read a well-shaped time: an instant by its offset, or a local time in ``zone`` (None: not known)."""
    try:
        read = datetime.fromisoformat(text)
        if read.year > _LAST_YEAR:
            return _NO_SUCH_TIME
        if read.tzinfo is not None:
            return read.astimezone(UTC)
    except (ValueError, OverflowError):
        return _NO_SUCH_TIME
    return _NO_ZONE if zone is None else _read_local(read, zone)


def _read_local(local: datetime, zone: tzinfo) -> datetime | Fault:
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    try:
        at = first.astimezone(UTC)
    except OverflowError:
        return _NO_SUCH_TIME
    if first.utcoffset() == second.utcoffset():
        return at
    # NOTE(why): the two readings differ only where the clock jumps; a time that exists comes back from UTC as it was written.
    return _TWICE if at.astimezone(zone).replace(tzinfo=None) == local else _SKIPPED


def resolve_places(file: ScheduleFile, context: ScheduleContext, problems: ProblemCollector) -> list[Place]:
    """Return the rows with their times read; a row whose times can't be read is left out and noted."""
    read: dict[tuple[str, tzinfo | None], datetime | Fault] = {}
    places: list[Place] = []
    for row in file.rows:
        zone = _zone_of(row, context)
        instants: list[datetime] = []
        for column, text in (("starts_at", row.starts_at), ("ends_at", row.ends_at)):
            found = read.get((text, zone))
            if found is None:
                found = read[(text, zone)] = read_instant(text, zone)
            if isinstance(found, Fault):
                problems.add(row.row, column, found)
            else:
                instants.append(found)
        if len(instants) == 2:
            places.append(_place(row, *instants))
    return places


def _zone_of(row: WrittenPlace, context: ScheduleContext) -> tzinfo | None:
    contract = context.contracts.get(row.processor)
    site = None if contract is None else contract.sites.get(row.site)
    return None if site is None else site.timezone


def _place(row: WrittenPlace, starts_at: datetime, ends_at: datetime) -> Place:
    return Place(
        row=row.row,
        source=row.source,
        session_ref=row.session_ref,
        place_ref=row.place_ref,
        subject_ref=row.subject_ref,
        purpose=row.purpose,
        processor=row.processor,
        site=row.site,
        room=row.room,
        starts_at=starts_at,
        ends_at=ends_at,
        agents=row.agents,
        status=row.status,
        course_ref=row.course_ref or row.purpose,
    )


def touched_spans(file: ScheduleFile) -> list[tuple[datetime, datetime]]:
    """Return, as few half-open intervals, every UTC month in which a session of the file may start, and two days around each.

    Zones are not known yet, so the month of the day before and of the day after each written date count too. A date that does not
    exist touches nothing: it is refused later.
    """
    months: set[tuple[int, int]] = set()
    for text in {row.starts_at[:10] for row in file.rows}:
        try:
            day = date.fromisoformat(text)
            months |= {(near.year, near.month) for near in (day - _DAY, day, day + _DAY)}
        except (ValueError, OverflowError):
            continue
    return _joined(span for span in map(_month_span, sorted(months)) if span is not None)


def _month_span(month: tuple[int, int]) -> tuple[datetime, datetime] | None:
    """Return a month and two days on both sides; None at the ends of the calendar, where nothing is planned."""
    first = datetime(*month, 1, tzinfo=UTC)
    try:
        return first - _AROUND, (first + timedelta(days=32)).replace(day=1) + _AROUND
    except OverflowError:
        return None


def _joined(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Join sorted intervals that meet or overlap."""
    joined: list[tuple[datetime, datetime]] = []
    for from_at, until_at in spans:
        if joined and from_at <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], until_at))
        else:
            joined.append((from_at, until_at))
    return joined
