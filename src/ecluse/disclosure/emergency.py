"""Break-glass: one attribute of one person, in full, for the controller's duty officer (docs/emergency.md, decision 0006).

1 read    the person's row, no lock held. The register gone: nothing can be shown, so nothing is sealed.
2 seal    the entry with the fingerprint of the value, under the head's lock; the limit of the day and holds on the person are judged there.
3 show    after the commit, once. A process that dies between 2 and 3 has shown nothing and counts as having shown: that is promise 3.

Nobody's contract is asked: no processor takes part. What somebody else has to say of it comes afterwards (`review_emergency`), and waits in sight until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from ecluse.clock import sealed_text
from ecluse.contracts import Form
from ecluse.db import LOST, Connection
from ecluse.disclosure.compose import FingerprintKey, fingerprint, value_digest, value_salt
from ecluse.disclosure.errors import (
    Busy,
    ClockUntrustedNow,
    EmergencyRefused,
    EmergencyUnknown,
    LedgerUnavailable,
    RegisterGone,
)
from ecluse.disclosure.minimise import minimise
from ecluse.ids import is_id, new_id, random_bytes
from ecluse.ledger.errors import CommitUncertain, ControlRefused
from ecluse.ledger.fields import SALT_BYTES, Committed, Event, commit
from ecluse.ledger.service import Control, seal_control
from ecluse.ledger.store import demand_durable, read_head
from ecluse.register import RegisterUnavailable, Unreadable
from ecluse.register.store import Register

REVIEW_WITHIN: Final = timedelta(days=3)
"""By when another person says whether it was right (the same in ``ecluse.emergencies_waiting``)."""

MOST_REASON: Final = 500
_TRIES: Final = 8
_SEAL: Final = (
    "select outcome, index from ecluse.seal_emergency("
    "ecluse.current_log($1::smallint), $2::timestamptz, $3::integer, $4::interval, $5::bytea, $6::text, $7::bytea)"
)
_LIST: Final = """
select e.id, e.attribute, e.opened_by, e.opened_at, e.reviewed_by, e.reviewed_at, e.justified, e.index, e.log_id, ecluse.clock() as now,
       (select f.v -> 1 ->> 'reason' from jsonb_array_elements(o.fields::jsonb) f (v) where f.v ->> 0 = 'detail') as reason
from ecluse.emergency e left join ecluse.opening o on o.log_id = e.log_id and o.index = e.index and o.sealed_at = e.opened_at
where $1::boolean or e.reviewed_at is null order by e.opened_at desc, e.id limit 500
"""
_REFUSED: Final = {
    "held": (
        "person",
        "a hold suspends this person, so nothing of theirs is shown, not even in an emergency",
        "Whoever may release the hold releases it first (`ecluse processor release`), and is named for it in the ledger",
    ),
    "spent": (
        "emergency.per_day",
        "as many emergencies as a day may have were opened today (UTC)",
        "Ask the register itself; raise the limit only if the data-protection officer agrees",
    ),
    "uncosigned": (
        "ledger",
        "its entries have waited so long for their witnesses that nothing is disclosed",
        "Ask the register itself, and see `ecluse ledger status`",
    ),
}
"""Where, why and mend, by the outcome of ``ecluse.seal_emergency``."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the duty officer wants to see. ``subject``: in its one spelling; ``reason``: in words, naming nobody; it is sealed."""

    subject: str
    attribute: str
    reason: str
    actor: str

    def __repr__(self) -> str:
        """Show no person."""
        return f"Asked(attribute={self.attribute!r}, actor={self.actor!r})"


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """``per_day``: emergencies of the whole installation in a UTC day; ``patience``: how long entries may wait for witnesses before nothing is disclosed."""

    per_day: int
    patience: timedelta


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What was sealed and may be shown now. ``value`` null: the register has none."""

    id: str
    disclosure: str
    attribute: str
    value: object
    index: int

    def __repr__(self) -> str:
        """Show no value."""
        return f"Shown(id={self.id!r}, index={self.index})"


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One emergency as others see it, never of whom. ``reason`` null: its opening was erased; ``late``: it waits for more than three days."""

    id: str
    attribute: str
    opened_by: str
    opened_at: datetime
    reason: str | None
    index: int
    reviewed_by: str | None
    reviewed_at: datetime | None
    justified: bool | None
    late: bool


def compose_emergency(
    asked: Asked,
    value: object,
    register: Register,
    key: FingerprintKey,
    *,
    at: datetime,
    name: str,
    disclosure: str,
    salts: bytes,
) -> Committed:
    """Build the entry. ``name``: the emergency's own id; ``salts``: 32 bytes for each of its eleven fields."""
    attribute = asked.attribute
    kind = register.map.attributes[attribute].type
    fields: list[tuple[str, object]] = [
        ("at", sealed_text(at)),
        ("event", Event.EMERGENCY_GRANTED.value),
        ("disclosure", disclosure),
        ("subject", asked.subject),
        ("attributes", [attribute]),
        ("forms", {attribute: Form.FULL.value}),
        ("values", {attribute: value_digest(attribute, value_salt(key, disclosure, attribute), value)}),
        (
            "fingerprints",
            {"attributes": {attribute: fingerprint(key, disclosure, attribute, kind, value)}, "key": key.version, "normal": 1},
        ),
        ("actor", asked.actor),
        ("object", name),
        ("detail", {"reason": asked.reason}),
    ]
    return commit(fields, salts)


async def open_emergency(
    connection: Connection, register: Register, keys: Mapping[int, FingerprintKey], asked: Asked, *, log_id: int, bounds: Bounds
) -> Shown:
    """Seal that one attribute of one person is shown, and return it (role ``ecluse_app``).

    Raises `EmergencyRefused`, and leaves of `DoorError`; whatever is raised, nothing was sealed for certain or nothing is shown.
    """
    asked = check_asked(asked, register)
    for _ in range(_TRIES):
        try:
            at = (await read_head(connection, log_id)).at
            value = await _read(register, asked, at)  # 1
            name, disclosure = new_id("eme"), new_id("dsc")
            entry = compose_emergency(
                asked, value, register, keys[max(keys)], at=at, name=name, disclosure=disclosure, salts=random_bytes(SALT_BYTES * 11)
            )  # fmt: skip
            with demand_durable(connection):  # 2
                row = await connection.fetchrow(
                    _SEAL, log_id, at, bounds.per_day, bounds.patience, entry.leaf, entry.fields, entry.salts
                )
        except (*LOST, CommitUncertain, asyncpg.IntegrityConstraintViolationError):
            row = None
        if row is None:
            raise LedgerUnavailable  # outside the handler: the driver's text, which may quote a value, is not its context
        if row["outcome"] == "sealed":
            return Shown(id=name, disclosure=disclosure, attribute=asked.attribute, value=value, index=row["index"])  # 3
        if row["outcome"] == "clock-untrusted":
            raise ClockUntrustedNow
        if row["outcome"] != "stale":
            raise EmergencyRefused(*_REFUSED[row["outcome"]])
    raise Busy


def check_asked(asked: Asked, register: Register) -> Asked:
    """Refuse what can't be asked for; return it with its reason trimmed."""
    reason = " ".join(asked.reason.split())
    if not reason or len(reason) > MOST_REASON or not reason.isprintable():
        raise EmergencyRefused(
            "reason", f"it is empty, or longer than {MOST_REASON} characters", "Say why in a sentence; name nobody"
        )
    if asked.attribute not in register.map.attributes:
        known = ", ".join(register.map.attributes)
        raise EmergencyRefused("attribute", "the register maps none of that name", f"One of: {known}")
    return msgspec.structs.replace(asked, reason=reason)


async def _read(register: Register, asked: Asked, at: datetime) -> object:
    """Read the one value, in full (step 1)."""
    try:
        rows = await register.read([asked.subject], frozenset({asked.attribute}))
    except RegisterUnavailable:
        rows = None
    if rows is None:
        raise RegisterGone
    row = rows.get(asked.subject)
    if row is None:
        raise EmergencyRefused("person", "the register has nobody of that reference", "Compare it with the register's own key")
    if isinstance(row, Unreadable):
        raise EmergencyRefused(
            "register", "the value is there and can't be read", "`ecluse doctor` looks at the register; ask it itself"
        )
    kind = register.map.attributes[asked.attribute].type
    return minimise(kind, Form.FULL, row[asked.attribute], at.date())[1]


async def subject_of(connection: Connection, appointment: str) -> str:
    """Return whom an appointment is of. Raises `EmergencyRefused`."""
    rows = await connection.fetch("select subject_ref from ecluse.appointment where id = $1", appointment)
    if len(rows) != 1:
        raise EmergencyRefused(
            "appointment", "there is none of that id", "Take it from the processor's own screen, or name the person"
        )
    subject: str = rows[0]["subject_ref"]
    return subject


async def review_emergency(connection: Connection, *, log_id: int, emergency: str, justified: bool, actor: str) -> Control:
    """Say, as another person than the one who opened it, whether it was right. Raises `EmergencyUnknown`, `EmergencyRefused`."""
    if not is_id(emergency, "eme"):
        raise EmergencyUnknown
    try:
        return await seal_control(
            connection, log_id=log_id, event=Event.EMERGENCY_REVIEWED, act="emergency:review", actor=actor, target=emergency,
            detail={"justified": justified}, body={"id": emergency, "actor": actor, "justified": justified},
        )  # fmt: skip
    except ControlRefused as broken:
        refused = broken.constraint
    if refused == "emergency_two_ck":
        raise EmergencyRefused("review", "you opened it yourself", "Another person reviews it, signed in as themselves")
    raise EmergencyUnknown


async def emergencies(connection: Connection, *, every: bool) -> list[Listed]:
    """List those that wait for a review, or all, newest first (role ``ecluse_reader``)."""
    return [
        Listed(
            id=row["id"], attribute=row["attribute"], opened_by=row["opened_by"], opened_at=row["opened_at"], reason=row["reason"],
            index=row["index"], reviewed_by=row["reviewed_by"], reviewed_at=row["reviewed_at"], justified=row["justified"],
            late=row["reviewed_at"] is None and row["now"] - row["opened_at"] >= REVIEW_WITHIN,
        )
        for row in await connection.fetch(_LIST, every)
    ]  # fmt: skip


async def emergencies_waiting(connection: Connection) -> tuple[int, int]:
    """Return how many wait for their review, and how many of them for more than three days (role ``ecluse_app``)."""
    row = await connection.fetchrow("select waiting, late from ecluse.emergencies_waiting()")
    if row is None:
        raise AssertionError("impossible: emergencies_waiting() answers one row")
    return row["waiting"], row["late"]
