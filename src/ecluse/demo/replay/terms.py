"""The processors of the replay, each for one attack so that none spends another's budget, and the one contract that binds them all. Nothing in it exists."""

from __future__ import annotations

from typing import Final

import msgspec

from ecluse.demo.model import Course
from ecluse.demo.replay.model import Kind

PERSONS_A_DAY: Final = 400
SESSIONS_A_DAY: Final = 8
"""Of one site, in its four rooms: four in the morning, four in the afternoon."""

COURSE: Final = Course(
    purpose="civic-training", label="Journée de formation civique", opens_before=24, closes_after=2, capacity=30, reads=4,
    attributes={
        "family_name": "full", "given_name": "full", "birth_date": "year", "preferred_language": "full", "email": "relay", "phone": "relay",
    },
    sheet={"family_name": "full", "given_name": "initial"},
)  # fmt: skip
TRAINERS: Final = ("Maëlle Kervidoux", "Octave Sabourgeau", "Naïma Talbesson", "Ludovic Ferrandoy")

_CONTRACT: Final = """\
# {name}: a contract of the replay. Nobody and nothing in it exists.

[processor]
id = "{id}"
name = "{name}"
country = "FR"
security_contact = "securite@{id}.example"

[contract]
reference = "2025-CIR-{number:03}"
starts_on = 2025-01-01
ends_on = 2026-12-31
breach_notice_hours = 24
clauses = ["28.3.a", "28.3.b", "28.3.c", "28.3.d", "28.3.e", "28.3.f", "28.3.g", "28.3.h", "audit", "no-copy"]
{sites}
[limits]
persons_per_day = {persons_a_day}
persons_per_month = 6000
persons_per_client_per_hour = 120
agent_assurance = "asserted"

[[purpose]]
id = "{course.purpose}"
label = "{course.label}"
legal_basis = "6.1.e"
opens_before = "PT{course.opens_before}H"
closes_after = "PT{course.closes_after}H"
max_capacity = {course.capacity}
reads_per_appointment = {course.reads}
persons_per_agent_per_hour = 40

[purpose.attributes]
{attributes}

[purpose.sheet]
{sheet}
"""
_SITE: Final = """
[[site]]
id = "{site}"
timezone = "Europe/Paris"
rooms = 4
max_sessions_per_day = {sessions}
"""


class Contractor(msgspec.Struct, frozen=True, kw_only=True):
    """A processor of the replay."""

    id: str
    name: str

    @property
    def sites(self) -> tuple[str, str]:
        """Return the ids of its two sites."""
        return f"{self.id}-centre", f"{self.id}-gare"


VICTIM: Final = Contractor(id="lyon-formation", name="Lyon Formation SAS")
KEY: Final = Contractor(id="nantes-passerelle", name="Nantes Passerelle SAS")
TOKEN: Final = Contractor(id="bordeaux-avenir", name="Bordeaux Avenir SARL")
AGENT: Final = Contractor(id="lille-accueil", name="Lille Accueil SCOP")
GUESSER: Final = Contractor(id="nice-langues", name="Nice Langues SARL")
RACER: Final = Contractor(id="metz-insertion", name="Metz Insertion SAS")
PAIR: Final = (
    Contractor(id="rennes-atelier", name="Rennes Atelier SCIC"),
    Contractor(id="tours-langues", name="Tours Langues SARL"),
)
MISLED: Final = Contractor(id="strasbourg-atelier", name="Strasbourg Atelier SCIC")
CALLED_OFF: Final = Contractor(id="aix-langues", name="Aix Langues SARL")

CONTRACTORS: Final = (VICTIM, KEY, TOKEN, AGENT, GUESSER, RACER, *PAIR, MISLED, CALLED_OFF)

SAYS: Final = {
    Kind.MACHINE_KEY: "A machine's key is copied and used for 24 hours, until the controller revokes it; then tried again.",
    Kind.TOKEN: "A token is overheard with a whole request, and used without its key: as it is, with another key, as a bearer's.",
    Kind.AGENT: "One trainer asks for everybody through the processor's own machine, for a day.",
    Kind.PROCESSOR: "All of a processor follows the schedule and takes everybody as soon as their place opens.",
    Kind.ENUMERATION: "Handles are tried at random, and other processors' own.",
    Kind.RACE: "A budget's last persons and last reads are asked for all at once, and requests are sent again byte for byte.",
    Kind.COLLUSION: "Two processors put together what they get, and try each other's handles.",
    Kind.SCHEDULER: "The controller's scheduling key is stolen together with a processor: it schedules whom it likes.",
    Kind.CANCELLED: "A session is called off, and its handles are used all the same.",
    Kind.HISTORY: "The database's superuser hides disclosures: one deleted, one rewritten, the last ones cut off.",
}


def write_contract(contractor: Contractor, number: int) -> str:
    """Return the text of a processor's contract; ``number`` is part of its reference."""
    return _CONTRACT.format(
        id=contractor.id,
        name=contractor.name,
        number=number,
        sites="".join(_SITE.format(site=site, sessions=SESSIONS_A_DAY) for site in contractor.sites),
        persons_a_day=PERSONS_A_DAY,
        course=COURSE,
        attributes=_forms(COURSE.attributes),
        sheet=_forms(COURSE.sheet),
    )


def _forms(forms: dict[str, str]) -> str:
    """Return one line an attribute."""
    return "\n".join(f'{name} = "{form}"' for name, form in forms.items())
