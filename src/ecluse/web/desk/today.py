"""Sessions as the desk shows them: their state by the contract's window, their times at the site, and an agent's day out of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Final
from zoneinfo import ZoneInfo

from ecluse.contracts import Contract, GateState, Purpose
from ecluse.contracts.words import words_of
from ecluse.disclosure import Snapshot
from ecluse.policy import Terms
from ecluse.schedule.staff import MOST_AHEAD, MOST_OF_A_DAY, StaffSession
from ecluse.web.desk.model import Contacts, DayLine, GateLine, GateReason, SessionLine, State, TodayPage
from ecluse.web.pages.language import Language
from ecluse.web.pages.show import show_day, show_hour

BEFORE: Final = timedelta(hours=30)
AFTER: Final = timedelta(days=8)
"""What is asked of the schedule around now: today at any site, and the week after it."""
_SOONEST: Final = (State.RUNNING, State.OPEN, State.ENDED, State.AHEAD, State.OUTSIDE, State.OVER)


def state_of(session: StaffSession, purpose: Purpose | None, now: datetime) -> State:
    """Say where a session stands at ``now``."""
    if purpose is None:
        return State.OUTSIDE
    if now < session.starts_at - purpose.opens_before:
        return State.AHEAD
    if now < session.starts_at:
        return State.OPEN
    if now < session.ends_at:
        return State.RUNNING
    return State.ENDED if now < session.ends_at + purpose.closes_after else State.OVER


class Clockwork:
    """Writes times of a processor's sites for one reader. ``contract`` None: none is in force, and times are the agency's."""

    def __init__(self, contract: Contract | None, zone: ZoneInfo, language: Language, now: datetime) -> None:
        """``zone``: the agency's; ``now``: aware."""
        self.contract, self.zone, self.language, self.now = contract, zone, language, now

    def zone_of(self, site: str) -> ZoneInfo:
        """Return a site's time zone; the agency's for a site that the contract does not name."""
        known = self.contract.sites.get(site) if self.contract is not None else None
        return self.zone if known is None else ZoneInfo(known.timezone)

    def hour(self, at: datetime, site: str) -> str:
        """Write the time of day at a site, with the day where that is another one."""
        zone = self.zone_of(site)
        text, day = show_hour(at, self.language, zone), at.astimezone(zone).date()
        return text if day == self.now.astimezone(zone).date() else f"{show_day(day, self.language, short=True)}, {text}"

    def line(self, session: StaffSession) -> SessionLine:
        """Show a session."""
        zone = self.zone_of(session.site)
        purpose = self.contract.purposes.get(session.purpose) if self.contract is not None else None
        opens_at = session.starts_at - (purpose.opens_before if purpose else timedelta())
        closes_at = session.ends_at + (purpose.closes_after if purpose else timedelta())
        return SessionLine(
            id=session.id, label=purpose.label if purpose else session.purpose, site=session.site, room=session.room,
            day=show_day(session.starts_at.astimezone(zone).date(), self.language),
            starts=show_hour(session.starts_at, self.language, zone), ends=show_hour(session.ends_at, self.language, zone),
            opens=self.hour(opens_at, session.site), closes=self.hour(closes_at, session.site),
            zone=zone.key if _differs(zone, self.zone, session.starts_at) else "", starts_at=session.starts_at, ends_at=session.ends_at,
            opens_at=opens_at, closes_at=closes_at, state=state_of(session, purpose, self.now), listed=session.listed, places=session.places,
        )  # fmt: skip

    def is_today(self, session: StaffSession) -> bool:
        """Tell whether a session is of today at its site, or its window is still open."""
        zone = self.zone_of(session.site)
        purpose = self.contract.purposes.get(session.purpose) if self.contract is not None else None
        today = session.starts_at.astimezone(zone).date() == self.now.astimezone(zone).date()
        return today or state_of(session, purpose, self.now) in {State.RUNNING, State.ENDED}


def day_of(
    clockwork: Clockwork, around: Sequence[StaffSession], ahead: Sequence[StaffSession], gate: GateLine | None, contacts: Contacts
) -> TodayPage:
    """Make an agent's day. ``around``: her processor's sessions that begin within `BEFORE` of now; ``ahead``: hers from now until `AFTER`."""
    today = [(session, clockwork.line(session)) for session in around if clockwork.is_today(session)]
    mine = [line for session, line in today if session.listed is not False]
    others = [line for session, line in today if session.listed is False]
    shown = {session.id for session, _ in today}
    later = [session for session in ahead if session.id not in shown]
    return TodayPage(
        day=show_day(clockwork.now.astimezone(clockwork.zone).date(), clockwork.language),
        mine=tuple(sorted(mine, key=_soonest)), others=tuple(sorted(others, key=_soonest)), days=tuple(_days(clockwork, later)),
        cut=len(around) >= MOST_OF_A_DAY or len(ahead) >= MOST_AHEAD, gate=gate, contacts=contacts,
    )  # fmt: skip


def gate_line(snapshot: Snapshot, processor: str, terms: Terms | None, language: Language, *, held: bool) -> GateLine | None:
    """Say why the gate lets nobody through; None where it does. ``held``: a hold of the controller bites, and what for is told on the telephone."""
    if held:
        return GateLine(state=GateState.FROZEN.value, reasons=())
    if terms is None:
        code = "contract:unreadable" if snapshot.unreadable(processor) else "contract:absent"
        return GateLine(state=GateState.CLOSED.value, reasons=reasons_of([code], language))
    if terms.gate.state.permits:
        return None
    return GateLine(state=terms.gate.state.value, reasons=reasons_of(terms.gate.reasons, language))


def reasons_of(codes: Iterable[str], language: Language) -> tuple[GateReason, ...]:
    """Say the gate's reasons in words."""
    said = (words_of(code, language) for code in codes)
    return tuple(GateReason(what=words.what, mend=words.mend, move=words.move.value) for words in said)


def _days(clockwork: Clockwork, sessions: Iterable[StaffSession]) -> Iterable[DayLine]:
    """Group sessions by their day at the site."""

    def day(session: StaffSession) -> date:
        return session.starts_at.astimezone(clockwork.zone_of(session.site)).date()

    for at, some in groupby(sorted(sessions, key=lambda one: (day(one), one.starts_at, one.id)), key=day):
        yield DayLine(day=show_day(at, clockwork.language), sessions=tuple(clockwork.line(session) for session in some))


def _soonest(line: SessionLine) -> tuple[int, datetime, str]:
    """Put what runs first and what is over last."""
    return _SOONEST.index(line.state), line.starts_at, line.id


def _differs(zone: ZoneInfo, other: ZoneInfo, at: datetime) -> bool:
    """Tell whether two zones show different times."""
    return at.astimezone(zone).utcoffset() != at.astimezone(other).utcoffset()
