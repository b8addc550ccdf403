"""Writing a processor's contract as the controller's lawyers would hand it over: a TOML file, for the same parser as any other."""

from __future__ import annotations

from datetime import date
from typing import Final

from ecluse.demo.model import Course, Firm, Part, Term

ROOMS: Final = 6
SESSIONS_A_DAY: Final = 12
REQUIRED: Final = (("pentest", "P12M"), ("security-policy", "P12M"), ("personnel-list", "P6M"))
"""The kinds of evidence that every contract of the demo asks for, and how old they may be."""

_CLAUSES: Final = ("28.3.a", "28.3.b", "28.3.c", "28.3.d", "28.3.e", "28.3.f", "28.3.g", "28.3.h", "audit", "no-copy")
_NOT_AGREED: Final = "28.3.h"  # proof, audits and inspections: what the frozen processor has not signed
_CONTACTS: Final = (
    "Hermine Solvagnac, directrice", "Basile Trémolarède, gérant", "Fatou Quernevel, responsable de la conformité", "Ambroise Lestandieu, gérant",
    "Capucine Virevialle, directrice",
)  # fmt: skip
_HEAD: Final = """\
# {name}: a contract of the demo. Nobody and nothing in it exists.

[processor]
id = "{id}"
name = "{name}"
country = "FR"
security_contact = "securite@{id}.example"
address = "3 rue des Exemples, {town}"
contact = "{contact}"

[contract]
reference = "{reference}"
starts_on = {starts_on}
ends_on = {ends_on}
breach_notice_hours = 24
clauses = [{clauses}]
subject_matter = "Accueil et formation de signataires du contrat d'intégration"
nature = "Consultation, au moment du rendez-vous, de quelques données de la personne attendue ; ni copie ni fichier"
{host}
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
_HOST: Final = """
[[sub_processor]]
name = "{name}"
country = "FR"
role = "hosting"
address = "8 quai des Exemples, {town}"
contact = "Eudes Carrabosquet, responsable de la sécurité"
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
_EVIDENCE: Final = """
[[evidence_required]]
kind = "{kind}"
max_age = "{max_age}"
"""


def term_of(today: date) -> Term:
    """Return the days of the demo's contracts: from the first of last year to the last of the next."""
    return Term(starts_on=date(today.year - 1, 1, 1), ends_on=date(today.year + 1, 12, 31))


def write_contract(firm: Firm, number: int, term: Term) -> str:
    """Return the text of a processor's contract; ``number`` is part of its reference."""
    clauses = [clause for clause in _CLAUSES if not (firm.part is Part.FROZEN and clause == _NOT_AGREED)]
    town = firm.id.rpartition("-")[0].replace("-", " ").title()
    head = _HEAD.format(
        id=firm.id,
        name=firm.name,
        town=town,
        contact=_CONTACTS[number % len(_CONTACTS)],
        reference=f"{term.starts_on.year}-CIR-{number:03}",
        starts_on=term.starts_on.isoformat(),
        ends_on=term.ends_on.isoformat(),
        clauses=", ".join(f'"{clause}"' for clause in clauses),
        host=_HOST.format(name=firm.host, town=town) if firm.host else "",
        site=firm.site,
        rooms=ROOMS,
        sessions=SESSIONS_A_DAY,
        persons_per_hour=firm.persons_per_hour,
        assurance="authenticated" if firm.part is Part.DESK_ONLY else "asserted",
    )
    evidence = (_EVIDENCE.format(kind=kind, max_age=max_age) for kind, max_age in REQUIRED)
    return head + "".join(_purpose(course) for course in firm.courses) + "".join(evidence)


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
