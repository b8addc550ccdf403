"""The sandbox's contracts and its schedule, written as an agency writes them: a contract file and a CSV file. Pure.

A day of it: six sessions of two hours from 08:00 to 20:00 local (`sandbox-day`, a course, with a roll-call), and two halves of the day, so that one session is
always under way, each for `sandbox-open` and for `sandbox-once`, whose appointments may be read once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from ecluse.contracts import Form
from ecluse.register import AttributeType, RegisterMap
from ecluse.register.model import Table
from ecluse.sandbox.model import NEIGHBOUR, PROCESSOR, SYSTEM
from ecluse.sandbox.people import ABSENT, subject_ref

SOURCE: Final = "ecluse.sandbox"
DAY, OPEN, ONCE = "sandbox-day", "sandbox-open", "sandbox-once"
_HEADER: Final = "source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status,course_ref"
_FORMS: Final = {
    AttributeType.TEXT: Form.FULL,
    AttributeType.DATE: Form.YEAR,
    AttributeType.EMAIL: Form.MASKED,
    AttributeType.PHONE: Form.MASKED,
    AttributeType.IDENTIFIER: Form.MASKED,
    AttributeType.CODE: Form.FULL,
}
_HEAD: Final = """\
[processor]
id = "{processor}"
name = "Sandbox: invented people"
country = "FR"
security_contact = "nobody@sandbox.example"
[contract]
reference = "{processor}"
starts_on = 2020-01-01
ends_on = 2099-12-31
breach_notice_hours = 24
clauses = ["28.3.a", "28.3.b", "28.3.c", "28.3.d", "28.3.e", "28.3.f", "28.3.g", "28.3.h", "audit", "no-copy"]
[[site]]
id = "sandbox"
timezone = "{zone}"
rooms = 50
max_sessions_per_day = 100
[limits]
persons_per_day = 1000
persons_per_month = 10000
persons_per_client_per_hour = 1000
agent_assurance = "asserted"
"""
_PURPOSE: Final = """
[[purpose]]
id = "{id}"
label = "{id}"
legal_basis = "6.1.e"
opens_before = "PT1H"
closes_after = "PT1H"
max_capacity = 30
reads_per_appointment = {reads}
persons_per_agent_per_hour = 1000
[purpose.attributes]
{attributes}
"""


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One session to be written: its reference, purpose, times and people's numbers."""

    ref: str
    purpose: str
    starts_at: datetime
    ends_at: datetime
    people: Sequence[int]


def sandbox_map(register: RegisterMap) -> RegisterMap:
    """Return the map of the sandbox's own system: the real register's attributes, people of another system."""
    table = Table(alias="person", name="ecluse.sandbox_person", key=("subject_ref",))
    return RegisterMap(
        id=SYSTEM, name="Sandbox", subject_table="person", tables={"person": table}, attributes=register.attributes
    )


def contract_text(processor: str, attributes: Mapping[str, AttributeType], zone: ZoneInfo) -> str:
    """Write a contract that names every attribute of the register in a form that shows something."""
    named = "\n".join(f'{name} = "{_FORMS[kind].value}"' for name, kind in attributes.items())
    sheet = "\n".join(f'{name} = "full"' for name, kind in attributes.items() if kind is AttributeType.TEXT)
    purposes = [
        _PURPOSE.format(id=purpose, reads=reads, attributes=named)
        + (f"[purpose.sheet]\n{sheet}\n" if purpose == DAY and sheet else "")
        for purpose, reads in ((DAY, 100), (OPEN, 10_000), (ONCE, 1))
    ]
    return _HEAD.format(processor=processor, zone=zone.key) + "".join(purposes)


def slots(first: date, days: int, zone: ZoneInfo, now: datetime) -> list[Slot]:
    """Return the sessions of these days that are not over."""
    return [slot for n in range(days) for slot in _slots_of(first + timedelta(days=n), zone) if slot.ends_at > now]


def _slots_of(day: date, zone: ZoneInfo) -> Iterator[Slot]:
    for hour in range(8, 20, 2):
        yield Slot(
            ref=f"{day}-{hour:02d}",
            purpose=DAY,
            starts_at=_at(day, hour, zone),
            ends_at=_at(day, hour + 2, zone),
            people=range(1, 9),
        )
    for half in (0, 12):
        begins, ends = _at(day, half, zone), _at(day, half + 12, zone)
        yield Slot(ref=f"{day}-open-{half:02d}", purpose=OPEN, starts_at=begins, ends_at=ends, people=range(1, ABSENT + 1))
        yield Slot(ref=f"{day}-once-{half:02d}", purpose=ONCE, starts_at=begins, ends_at=ends, people=range(1, 5))


def moving(day: date, zone: ZoneInfo, *, moved: bool) -> Slot:
    """Return the session that is moved: tomorrow morning at first, then the morning after."""
    at = day + timedelta(days=2 if moved else 1)
    return Slot(ref=f"{day}-moved", purpose=DAY, starts_at=_at(at, 9, zone), ends_at=_at(at, 11, zone), people=(1, 2))


def schedule_csv(
    sessions: Sequence[Slot], agents: Sequence[str], *, neighbours: Sequence[Slot] = (), cancelled: Sequence[int] = ()
) -> bytes:
    """Write a schedule file; ``neighbours``: sessions of the other processor, whose references get a word of their own."""
    lines = [_HEADER]
    lines += [_row(slot, n, PROCESSOR, slot.ref, " ".join(agents), n in cancelled) for slot in sessions for n in slot.people]
    lines += [_row(slot, 1, NEIGHBOUR, f"{slot.ref}-neighbour", "", cancelled=False) for slot in neighbours]
    return "\n".join(lines).encode()


def _row(slot: Slot, number: int, processor: str, ref: str, agents: str, cancelled: bool) -> str:  # noqa: FBT001 - a column's value
    times = f"{slot.starts_at:%Y-%m-%dT%H:%M:%SZ},{slot.ends_at:%Y-%m-%dT%H:%M:%SZ}"
    status, course = "cancelled" if cancelled else "planned", "sandbox-course" if slot.purpose == DAY else slot.purpose
    return f"{SOURCE},{ref},P{number},{subject_ref(number)},{slot.purpose},{processor},sandbox,{ref},{times},{agents},{status},{course}"


def _at(day: date, hour: int, zone: ZoneInfo) -> datetime:
    """Return an hour of a local day, 24 being the next midnight, in UTC."""
    day, hour = (day + timedelta(days=1), 0) if hour == 24 else (day, hour)
    return datetime.combine(day, time(hour), zone).astimezone(UTC)
