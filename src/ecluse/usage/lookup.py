"""Look-ups: one person's record for an officer of the controller, with a purpose and a second officer (docs/look-up.md).

1 ask      who asks, about whom, what for: the entry ``control:lookup:asked``
2 decide   another officer says yes or no, within the hour: ``control:lookup:approved`` or ``control:lookup:refused``
3 look     the entry ``usage:person:consulted``, under the head's lock; the database judges there who asked, who approved, and that the hour is not over
4 read     after the commit: what was given of the person, to whom, why; places; holds. Never a value of the register

The person finds each look in their own record. A process that dies between 3 and 4 has shown nothing, and counts as having shown.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from ecluse.clock import sealed_text
from ecluse.db import LOST, Connection
from ecluse.disclosure import Busy, ClockUntrustedNow, LedgerUnavailable
from ecluse.ids import is_id, new_id, random_bytes
from ecluse.ledger.errors import CommitUncertain, ControlRefused
from ecluse.ledger.fields import SALT_BYTES, Committed, Event, commit, fields_of
from ecluse.ledger.service import Control, seal_control
from ecluse.ledger.store import demand_durable, read_head
from ecluse.register import RegisterMap, SubjectRefInvalid, parse_subject_ref
from ecluse.usage.errors import LookupRefused, LookupUnknown

LIFE: Final = timedelta(hours=1)
"""How long a look-up may be decided and used, from its asking on (the same in ``ecluse.lookup``)."""
MOST_LOOKS: Final = 20
"""Looks of one look-up (the same in ``ecluse.lookup``)."""
PURPOSE: Final = range(10, 301)
"""How long a purpose is, in characters."""
PAGE: Final = 50
"""Lines of a record that one look shows."""
_TRIES: Final = 8

_SEAL: Final = (
    "select outcome, index from ecluse.seal_lookup("
    "ecluse.current_log($1::smallint), $2::timestamptz, $3::interval, $4::bytea, $5::text, $6::bytea)"
)
_ONE: Final = """
select l.id, l.subject_ref, l.purpose, l.asked_by, l.asked_at, l.expires_at, l.decided_by, l.decided_at, l.approved, l.looks, l.index,
       ecluse.clock() as now
from ecluse.lookup l where l.id = $1
"""
_LIST: Final = """
select l.id, null as subject_ref, l.purpose, l.asked_by, l.asked_at, l.expires_at, l.decided_by, l.decided_at, l.approved, l.looks, l.index,
       ecluse.clock() as now
from ecluse.lookup l where (l.asked_at, l.id) < (coalesce($2::timestamptz, 'infinity'), coalesce($3, '')) order by l.asked_at desc, l.id desc limit $1
"""
# hash indexes, never a walk through everybody: a plan test holds it
_LINES: Final = """
select o.log_id, o.index, o.sealed_at, o.event, o.fields
from ecluse.opening o
where o.subject_ref = $1 and o.event in (
    'disclosure:person:granted', 'disclosure:sheet:granted', 'disclosure:person:refused', 'disclosure:person:undetermined', 'disclosure:sheet:refused',
    'disclosure:emergency:granted', 'usage:person:shown', 'usage:person:consulted')
  and ($2::timestamptz is null or (o.sealed_at, o.log_id, o.index) < ($2, $3::smallint, $4::bigint))
order by o.sealed_at desc, o.log_id desc, o.index desc limit $5
"""
_PLACES: Final = """
select a.id, a.processor_id, p.name, s.id as session, s.purpose, s.site_id, s.room, s.starts_at, s.ends_at, a.cancelled_at, a.reads
from ecluse.appointment a
join ecluse.schedule_import f on f.id = a.import_id and f.applied_at is not null
join ecluse.session s on s.id = a.session_id
join ecluse.processor p on p.id = a.processor_id
where a.subject_ref = $1 order by s.starts_at desc, a.id limit 100
"""
_HOLDS: Final = """
select h.id, h.effect, h.reason, h.placed_by, h.from_at, nullif(h.until_at, 'infinity') as until_at, h.released_at,
       h.released_at is null and h.from_at <= ecluse.clock() and ecluse.clock() < h.until_at as in_force
from ecluse.hold h where h.scope = 'person' and h.scope_id = $1 order by h.from_at desc, h.id limit 50
"""
_NOBODY: Final = (
    "officer",
    "only an open account that may look up does it",
    "A data-protection officer or a case worker asks, and another decides",
)
_NOT_NOW: Final = {
    "unknown": ("look-up", "there is none of yours by that name", "Ask for a look-up of your own"),
    "waiting": ("approval", "no other officer has approved it yet", "Ask a colleague to decide it in the console"),
    "refused": ("approval", "another officer refused it", "Talk to them, or ask again with another purpose"),
    "expired": ("hour", "it ended an hour after it was asked for", "Ask again"),
    "spent": ("looks", f"it was looked at {MOST_LOOKS} times", "Ask again"),
    "uncosigned": (
        "ledger",
        "its entries have waited so long for their witnesses that nothing is shown",
        "See `ecluse ledger status`",
    ),
}
"""Where, why and mend, by the outcome of ``ecluse.seal_lookup``."""


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """One look-up. ``subject``: None in lists; ``approved`` None: it waits; ``over``: its hour has ended, as of ``now``."""

    id: str
    subject: str | None
    purpose: str
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    approved: bool | None
    looks: int
    index: int
    now: datetime

    @property
    def over(self) -> bool:
        """Tell whether its hour has ended."""
        return self.now >= self.expires_at

    def __repr__(self) -> str:
        """Show no person."""
        return f"Lookup(id={self.id!r})"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One entry about the person, newest first; ``fields``: by name."""

    log_id: int
    index: int
    sealed_at: datetime
    event: str
    fields: dict[str, object]

    def __repr__(self) -> str:
        """Show no person."""
        return f"Seen(index={self.index})"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One place of the person in the schedule."""

    id: str
    processor_id: str
    name: str
    session: str
    purpose: str
    site_id: str
    room: str
    starts_at: datetime
    ends_at: datetime
    cancelled_at: datetime | None
    reads: int


class PersonHold(msgspec.Struct, frozen=True, kw_only=True):
    """One hold on the person, present or past. ``until_at`` None: until released."""

    id: str
    effect: str
    reason: str
    placed_by: str
    from_at: datetime
    until_at: datetime | None
    released_at: datetime | None
    in_force: bool


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What a look shows. ``index``: its own entry; ``after``: where the next page begins, None at the end."""

    lookup: Lookup
    index: int
    lines: tuple[Seen, ...]
    after: tuple[datetime, int, int] | None
    places: tuple[Place, ...]
    holds: tuple[PersonHold, ...]

    def __repr__(self) -> str:
        """Show no person."""
        return f"Looked(index={self.index})"


# ── ask and decide ───────────────────────────────────────────────────────────────────────────────────────────────────────────
async def ask_lookup(
    connection: Connection, *, log_id: int, register: RegisterMap, subject: str, purpose: str, actor: str
) -> tuple[str, Control]:
    """Ask to look one person up (role ``ecluse_app``); return its id. Raises `LookupRefused`, which never says whom."""
    purpose = check_purpose(purpose)
    try:
        parse_subject_ref(subject, register)
    except SubjectRefInvalid as bad:
        why = f"it is not one person of this register: {bad.why}"
        raise LookupRefused("person", why, f"Write {register.id}:KEY, as the register spells it") from None
    name = new_id("lkp")
    try:
        return name, await seal_control(
            connection, log_id=log_id, event=Event.LOOKUP_ASKED, act="lookup:ask", actor=actor, target=name, subject=subject,
            detail={"purpose": purpose}, body={"id": name, "subject": subject, "purpose": purpose, "actor": actor},
        )  # fmt: skip
    except ControlRefused:
        pass
    raise LookupRefused(*_NOBODY)  # outside the handler: the driver's text, which quotes values, is not its context


def check_purpose(purpose: str) -> str:
    """Return a purpose with its blanks trimmed. Raises `LookupRefused`."""
    text = " ".join(purpose.split())
    if len(text) not in PURPOSE or not text.isprintable():
        why = f"it has less than {PURPOSE.start} or more than {PURPOSE.stop - 1} characters, or one that can't be printed"
        raise LookupRefused("purpose", why, "Say in a sentence what it is for; the other officer decides by it, and it is sealed")
    return text


async def decide_lookup(connection: Connection, *, log_id: int, lookup: str, approve: bool, actor: str) -> Control:
    """Approve or refuse a look-up, as another officer than the one who asked (role ``ecluse_app``). Raises `LookupUnknown`, `LookupRefused`."""
    if not is_id(lookup, "lkp"):
        raise LookupUnknown
    event, act = (Event.LOOKUP_APPROVED, "lookup:approve") if approve else (Event.LOOKUP_REFUSED, "lookup:refuse")
    try:
        return await seal_control(
            connection,
            log_id=log_id,
            event=event,
            act=act,
            actor=actor,
            target=lookup,
            detail={},
            body={"id": lookup, "actor": actor},
        )
    except ControlRefused as broken:
        refused = broken.constraint
    if refused == "lookup_officer":
        raise LookupRefused(*_NOBODY)
    if refused == "lookup_two_ck":
        raise LookupRefused("approval", "you asked for it yourself", "Another officer decides it, signed in as themselves")
    raise LookupUnknown


# ── look ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def compose_lookup(lookup: Lookup, *, at: datetime, actor: str, salts: bytes) -> Committed:
    """Build the entry of a look. ``salts``: 32 bytes for each of its six fields."""
    fields: list[tuple[str, object]] = [
        ("at", sealed_text(at)),
        ("event", Event.CONSULTED.value),
        ("subject", lookup.subject),
        ("actor", actor),
        ("object", lookup.id),
        ("detail", {"approved_by": lookup.decided_by, "purpose": lookup.purpose}),
    ]
    return commit(fields, salts)


async def look_up(
    app: Connection, reader: Connection, *, log_id: int, lookup: str, actor: str, patience: timedelta, after: tuple[datetime, int, int] | None = None
) -> Looked:  # fmt: skip
    """Seal that an officer looks, then read one page of the person's record (roles ``ecluse_app`` and ``ecluse_reader``).

    ``patience``: how long entries may wait for witnesses; ``after``: the last line of the page before. Raises `LookupUnknown`, `LookupRefused` and leaves of
    `DoorError`; whatever is raised, nothing was read.
    """
    for _ in range(_TRIES):
        found = await lookup_of(reader, lookup)
        try:
            at = (await read_head(app, log_id)).at
            entry = compose_lookup(found, at=at, actor=actor, salts=random_bytes(SALT_BYTES * 6))
            with demand_durable(app):
                row = await app.fetchrow(_SEAL, log_id, at, patience, entry.leaf, entry.fields, entry.salts)
        except (*LOST, CommitUncertain, asyncpg.IntegrityConstraintViolationError):
            row = None
        if row is None:
            raise LedgerUnavailable  # outside the handler: the driver's text, which may quote a value, is not its context
        if row["outcome"] == "sealed":
            return await _read(reader, found, row["index"], after)
        if row["outcome"] == "clock-untrusted":
            raise ClockUntrustedNow
        if row["outcome"] != "stale":
            raise LookupRefused(*_NOT_NOW[row["outcome"]])
    raise Busy


async def _read(reader: Connection, lookup: Lookup, index: int, after: tuple[datetime, int, int] | None) -> Looked:
    """Read what a sealed look shows."""
    rows = await reader.fetch(_LINES, lookup.subject, *(after or (None, None, None)), PAGE + 1)
    lines = tuple(
        Seen(
            log_id=row["log_id"], index=row["index"], sealed_at=row["sealed_at"], event=row["event"], fields=dict(fields_of(row["fields"]))
        )
        for row in rows[:PAGE]
    )  # fmt: skip
    last = lines[-1] if len(rows) > PAGE else None
    return Looked(
        lookup=lookup,
        index=index,
        lines=lines,
        after=None if last is None else (last.sealed_at, last.log_id, last.index),
        places=tuple(Place(**dict(row)) for row in await reader.fetch(_PLACES, lookup.subject)),
        holds=tuple(PersonHold(**dict(row)) for row in await reader.fetch(_HOLDS, lookup.subject)),
    )


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def lookup_of(connection: Connection, lookup: str) -> Lookup:
    """Return one look-up with its person (role ``ecluse_reader``). Raises `LookupUnknown`."""
    row = await connection.fetchrow(_ONE, lookup) if is_id(lookup, "lkp") else None
    if row is None:
        raise LookupUnknown
    return _lookup(row)


async def lookups(connection: Connection, *, most: int, after: tuple[datetime, str] | None = None) -> list[Lookup]:
    """List look-ups, newest first, never of whom (role ``ecluse_reader``). ``after``: the last one of the page before."""
    return [_lookup(row) for row in await connection.fetch(_LIST, most, *(after or (None, None)))]


def _lookup(row: asyncpg.Record) -> Lookup:
    facts = dict(row)
    return Lookup(subject=facts.pop("subject_ref"), **facts)
