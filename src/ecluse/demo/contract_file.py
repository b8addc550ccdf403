"""Writing a processor's contract as the controller's lawyers would hand it over: a TOML file, for the same parser as any other."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from ecluse.demo.model import Course, Firm, Part, Term

ROOMS: Final = 6
SESSIONS_A_DAY: Final = 12
_CLAUSES: Final = ("28.3.a", "28.3.b", "28.3.c", "28.3.d", "28.3.e", "28.3.f", "28.3.g", "28.3.h", "audit", "no-copy")
_NOT_AGREED: Final = "28.3.d"  # no further processor without leave: what the frozen processor has not signed
_HEAD: Final = """\
# {name}: a contract of the demo. Nobody and nothing in it exists.

[processor]
id = "{id}"
name = "{name}"
country = "FR"
security_contact = "securite@{id}.example"

[contract]
reference = "{reference}"
starts_on = {starts_on}
ends_on = {ends_on}
breach_notice_hours = 24
clauses = [{clauses}]

[[site]]
id = "{site}"
timezone = "Europe/Paris"
rooms = {rooms}
max_sessions_per_day = {sessions}

[limits]
persons_per_day = 400
persons_per_month = 6000
persons_per_client_per_hour = {persons_per_hour}
agent_assurance = "{assurance}"
"""
_PURPOSE: Final = """
[[purpose]]
id = "{purpose}"
label = "{label}"
legal_basis = "6.1.e"
opens_before = "PT{opens_before}H"
closes_after = "PT{closes_after}H"
max_capacity = {capacity}
reads_per_appointment = {reads}
persons_per_agent_per_hour = 60

[purpose.attributes]
{attributes}
"""


def term_of(today: date) -> Term:
    """Return the days of the demo's contracts: from the first of last year to the last of the next."""
    return Term(starts_on=date(today.year - 1, 1, 1), ends_on=date(today.year + 1, 12, 31))


def ended_before(today: date) -> Term:
    """Return the days of a contract whose last day was yesterday."""
    return Term(starts_on=date(today.year - 1, 1, 1), ends_on=today - timedelta(days=1))


def write_contract(firm: Firm, number: int, term: Term) -> str:
    """Return the text of a processor's contract; ``number`` is part of its reference."""
    clauses = [clause for clause in _CLAUSES if not (firm.part is Part.FROZEN and clause == _NOT_AGREED)]
    head = _HEAD.format(
        id=firm.id,
        name=firm.name,
        reference=f"{term.starts_on.year}-CIR-{number:03}",
        starts_on=term.starts_on.isoformat(),
        ends_on=term.ends_on.isoformat(),
        clauses=", ".join(f'"{clause}"' for clause in clauses),
        site=firm.site,
        rooms=ROOMS,
        sessions=SESSIONS_A_DAY,
        persons_per_hour=firm.persons_per_hour,
        assurance="authenticated" if firm.part is Part.DESK_ONLY else "asserted",
    )
    return head + "".join(_purpose(course) for course in firm.courses)


def _purpose(course: Course) -> str:
    """Return the tables of one purpose."""
    text = _PURPOSE.format(
        purpose=course.purpose,
        label=course.label,
        opens_before=course.opens_before,
        closes_after=course.closes_after,
        capacity=course.capacity,
        reads=course.reads,
        attributes=_forms(course.attributes),
    )
    return text + (f"\n[purpose.sheet]\n{_forms(course.sheet)}\n" if course.sheet else "")


def _forms(forms: dict[str, str]) -> str:
    """Return one line an attribute."""
    return "\n".join(f'{name} = "{form}"' for name, form in forms.items())
