"""A contract that is whole, by line, and what the register offers."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecluse.contracts import Contract, parse_contract
from ecluse.register.model import AttributeType

EXAMPLES = Path(__file__).parents[2] / "contracts-example"

WHOLE = """\
[processor]
id = "lyon-formation"
name = "Lyon Formation SAS"
country = "FR"
siren = "732829320"
security_contact = "rssi@lyon-formation.example"
[contract]
reference = "2026-CIR-017"
starts_on = 2026-01-01
ends_on = 2027-12-31
breach_notice_hours = 24
clauses = ["28.3.a", "28.3.b", "28.3.c", "28.3.d", "28.3.e", "28.3.f", "28.3.g", "28.3.h", "audit", "no-copy"]
[[sub_processor]]
name = "Hébergeur Rhône"
country = "FR"
role = "hosting"
[[site]]
id = "lyon-3"
timezone = "Europe/Paris"
rooms = 4
max_sessions_per_day = 8
[limits]
persons_per_day = 400
persons_per_month = 6000
persons_per_client_per_hour = 120
agent_assurance = "asserted"
[[purpose]]
id = "civic-training"
label = "Journée de formation civique"
legal_basis = "6.1.e"
opens_before = "PT24H"
closes_after = "PT2H"
max_capacity = 30
reads_per_appointment = 4
persons_per_agent_per_hour = 40
[purpose.attributes]
family_name = "full"
given_name = "full"
birth_date = "year"
email = "masked"
[purpose.sheet]
family_name = "full"
given_name = "initial"
[[evidence_required]]
kind = "pentest"
max_age = "P12M"
[containment]
on_decoy = "suspend-client"
on_departure = "step-up"
"""


@pytest.fixture(scope="session")
def attributes() -> dict[str, AttributeType]:
    """Return what the register maps: two attributes of each kind of trouble are enough."""
    return {
        "family_name": AttributeType.TEXT,
        "given_name": AttributeType.TEXT,
        "birth_date": AttributeType.DATE,
        "preferred_language": AttributeType.CODE,
        "email": AttributeType.EMAIL,
        "phone": AttributeType.PHONE,
        "file_number": AttributeType.IDENTIFIER,
    }


@pytest.fixture(scope="session")
def whole() -> str:
    """Return the text of a contract without error or warning."""
    return WHOLE


@pytest.fixture(scope="session")
def contract(attributes: dict[str, AttributeType]) -> Contract:
    """Return that contract as a value."""
    return parse_contract(WHOLE, attributes)


@pytest.fixture(params=sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def example(request: pytest.FixtureRequest) -> Path:
    """Return each example that we hand out in turn."""
    return request.param
