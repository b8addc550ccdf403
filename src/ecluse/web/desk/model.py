"""What the desk's pages show, one frozen context a page. Times in words are the site's, in the reader's language; no person but in `Person` and `Sheet`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class State(StrEnum):
    """Where a session stands, by the contract's window around it."""

    AHEAD = "ahead"  # its window is not open yet
    OPEN = "open"  # before it begins
    RUNNING = "running"
    ENDED = "ended"  # and its window still open
    OVER = "over"
    OUTSIDE = "outside"  # the contract in force does not name its purpose


class Contacts(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to call. ``phone``, ``agency``: of the controller, as its settings say it; ``security``: of the agent's own organisation. Empty: nobody said it."""

    phone: str
    agency: str
    security: str


class SessionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One session. ``day``, ``starts``, ``ends``, ``opens``, ``closes``: in words, at the site; ``zone``: where that is another time than the agency's.

    ``listed``: whether the agent is on its list; None: it has none. ``places``: None where nobody counted them.
    """

    id: str
    label: str
    site: str
    room: str
    day: str
    starts: str
    ends: str
    opens: str
    closes: str
    zone: str
    starts_at: datetime
    ends_at: datetime
    opens_at: datetime
    closes_at: datetime
    state: State
    listed: bool | None
    places: int | None


class DayLine(msgspec.Struct, frozen=True, kw_only=True):
    """One of the next days."""

    day: str
    sessions: tuple[SessionLine, ...]


class GateReason(msgspec.Struct, frozen=True, kw_only=True):
    """Why the gate stands as it does: what is wrong, the mend, whose move it is (``processor``, ``controller``, ``nobody``)."""

    what: str
    mend: str
    move: str


class GateLine(msgspec.Struct, frozen=True, kw_only=True):
    """The contract's gate, where it lets nobody through."""

    state: str
    reasons: tuple[GateReason, ...]


class TodayPage(msgspec.Struct, frozen=True, kw_only=True):
    """`/desk`. ``day``: in words; ``mine``: sessions of the agent, and those without a list; ``others``: those of colleagues today; ``days``: the next ones.

    ``cut``: there are more than are shown; ``gate``: why nobody can be shown, None where they can; ``contacts``: whom to call.
    """

    day: str
    mine: tuple[SessionLine, ...]
    others: tuple[SessionLine, ...]
    days: tuple[DayLine, ...]
    cut: bool
    gate: GateLine | None
    contacts: Contacts


class FormLine(msgspec.Struct, frozen=True, kw_only=True):
    """One attribute that the contract names, and the form in which it is given."""

    label: str
    form: str


class PlaceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One place. ``mark``: the same for a learner on all dates of a course; ``left``: how often it may still be opened; the rest: what was said of it last."""

    number: int
    mark: str
    handle: str
    left: int
    course: bool
    attendance: str
    level: str


class PlacesPage(msgspec.Struct, frozen=True, kw_only=True):
    """`/desk/sessions/{id}`. ``session``: which; ``now``: the server's clock; ``places``: without names; ``reads``: how often each may be opened at all.

    ``forms``: what is shown of a person; ``sheet``: the contract grants a roll-call; ``bound``: this browser has the key of its sign-in; ``contacts``: whom to
    call.
    """

    session: SessionLine
    now: datetime
    places: tuple[PlaceLine, ...]
    reads: int
    forms: tuple[FormLine, ...]
    sheet: bool
    bound: bool
    contacts: Contacts


class AttendancePage(msgspec.Struct, frozen=True, kw_only=True):
    """`…/attendance`. ``open``: it may be said now, and ``until`` then.

    ``session``, ``now``, ``places``, ``sheet``, ``bound``, ``contacts``: as `PlacesPage`.
    """

    session: SessionLine
    now: datetime
    places: tuple[PlaceLine, ...]
    open: bool
    until: str
    sheet: bool
    bound: bool
    contacts: Contacts


class SheetPage(msgspec.Struct, frozen=True, kw_only=True):
    """`…/sheet`. ``places``: how many there are; ``sheet``: what it would show; ``session``, ``now``, ``bound``, ``contacts``: as `PlacesPage`."""

    session: SessionLine
    now: datetime
    places: int
    sheet: tuple[FormLine, ...]
    bound: bool
    contacts: Contacts


class WalkInPage(msgspec.Struct, frozen=True, kw_only=True):
    """`…/walk-in`. ``session``, ``now``, ``sheet``, ``bound``, ``contacts``: as `PlacesPage`."""

    session: SessionLine
    now: datetime
    sheet: bool
    bound: bool
    contacts: Contacts


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One attribute of a person. ``text`` None: the register has none; ``code``: how the register writes it, where ``text`` says it in words."""

    label: str
    form: str
    text: str | None
    code: str = ""


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """Where a decision stands in the log. ``again``: it was sealed before, and is answered once more."""

    entry: int
    disclosure: str
    again: bool = False


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One person, shown. ``values``: in the contract's order; ``withheld``: attributes that are not given; ``agent``, ``at``: the watermark.

    ``closes``: the window's end in words, ``closes_at``: to count down to, from the server's ``now``; ``seconds``: how long it stays while nobody
    touches it; ``seal``: the entry.
    """

    values: tuple[Value, ...]
    withheld: tuple[str, ...]
    agent: str
    at: str
    closes: str
    closes_at: datetime
    now: datetime
    seconds: int
    seal: Seal


class SheetRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a roll-call. ``texts``: by column, None where the register has none or the value is withheld."""

    number: int
    mark: str
    texts: tuple[str | None, ...]


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A session's roll-call. ``session``: which; ``columns``, ``rows``: the table; ``missing``: marks of places whose person can't be shown.

    ``agent``, ``at``: the watermark; ``expires``: when its paper has to be destroyed; ``closes_at``, ``now``, ``seconds``: as `Person`;
    ``first``, ``last``: its entries.
    """

    session: SessionLine
    columns: tuple[FormLine, ...]
    rows: tuple[SheetRow, ...]
    missing: tuple[str, ...]
    agent: str
    at: str
    expires: str
    closes_at: datetime
    now: datetime
    seconds: int
    first: int
    last: int


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why nobody is shown, and what to do: never anything about a person.

    ``code``: of the problem; ``contacts``: whom to call; ``opens``, ``closes``: the window, ``early``: it is to come; ``cancelled``: the place was called off;
    ``budget``: the ceiling that is spent, ``renews``: when it begins anew; ``scope``: of a suspension; ``reasons``: of the gate; ``wait``: seconds
    after which to try again; ``fresh``: it may be asked anew, at the price of a look; ``seal``: the entry, None where nothing was decided.
    """

    code: str
    contacts: Contacts
    opens: str = ""
    closes: str = ""
    early: bool = False
    cancelled: bool = False
    budget: str = ""
    renews: str = ""
    scope: str = ""
    reasons: tuple[GateReason, ...] = ()
    wait: int = 0
    fresh: bool = False
    seal: Seal | None = None


class Unsaid(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome that was not recorded. ``code``: why; ``opens``, ``closes``: when it may be."""

    mark: str
    handle: str
    code: str
    opens: str = ""
    closes: str = ""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What became of outcomes. ``recorded``: handles; ``failed``: those that were not; ``at``: when; ``contacts``: whom to call."""

    recorded: tuple[str, ...]
    failed: tuple[Unsaid, ...]
    at: str
    contacts: Contacts


class CodePart(msgspec.Struct, frozen=True, kw_only=True):
    """A spoken code. ``groups``: its digits, as they are said; ``until``: when it ends."""

    groups: tuple[str, ...]
    until: str


class ProofPage(msgspec.Struct, frozen=True, kw_only=True):
    """`/desk/proof/{id}`: where an entry of the agent's organisation stands.

    ``disclosure``: the decision's id; ``log``: whose; ``entry``: its number, ``leaf``: its hash; ``checkpoint``: the signed head, empty while none covers it,
    which takes a second; ``hashes``: from one to the other.
    """

    disclosure: str
    log: str
    entry: int
    leaf: str
    checkpoint: str
    hashes: tuple[str, ...]
