"""What a new version changes for access: each difference once, with its effect."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.contracts import ContractInvalid, check_contract, diff_contracts, duration_text, parse_contract

pytestmark = pytest.mark.unit

P = "purpose.civic-training."
A = P + "attributes."
SITE = '[[site]]\nid = "bron"\ntimezone = "Europe/Paris"\nrooms = 1\nmax_sessions_per_day = 2\n'
SUB = '[[sub_processor]]\nname = "Courrier Isère"\ncountry = "FR"\nrole = "mail"\n'
EVIDENCE = '[[evidence_required]]\nkind = "audit"\nmax_age = "P2Y"\n'
PURPOSE = """\
[[purpose]]
id = "language-course"
label = "Formation linguistique"
legal_basis = "6.1.e"
opens_before = "PT12H"
closes_after = "PT1H"
max_capacity = 16
reads_per_appointment = 2
persons_per_agent_per_hour = 20
[purpose.attributes]
given_name = "full"
birth_date = "age_band"
"""

# old text, new text, where, before, after, effect
CHANGES = [
    ('"lyon-formation"', '"lyon-cours"', "processor.id", "lyon-formation", "lyon-cours", "wider"),
    ("Lyon Formation SAS", "Lyon Formation SA", "processor.name", "Lyon Formation SAS", "Lyon Formation SA", "other"),
    ('siren = "732829320"\n', "", "processor.siren", "732829320", None, "other"),
    ("CIR-017", "CIR-018", "contract.reference", "2026-CIR-017", "2026-CIR-018", "other"),
    ("2026-01-01", "2025-12-01", "contract.starts_on", "2026-01-01", "2025-12-01", "wider"),
    ("2026-01-01", "2026-02-01", "contract.starts_on", "2026-01-01", "2026-02-01", "narrower"),
    ("2027-12-31", "2028-12-31", "contract.ends_on", "2027-12-31", "2028-12-31", "wider"),
    ("2027-12-31", "2026-12-31", "contract.ends_on", "2027-12-31", "2026-12-31", "narrower"),
    ("breach_notice_hours = 24", "breach_notice_hours = 48", "contract.breach_notice_hours", "24", "48", "other"),
    (', "28.3.h"', "", "contract.clauses.28.3.h", "28.3.h", None, "narrower"),
    (', "audit"', "", "contract.clauses.audit", "audit", None, "other"),
    ("[[site]]", SUB + "[[site]]", "sub_processor.Courrier Isère", None, "FR, mail", "wider"),
    ('country = "FR"\nrole', 'country = "BE"\nrole', "sub_processor.Hébergeur Rhône.country", "FR", "BE", "other"),
    ('"hosting"', '"backup"', "sub_processor.Hébergeur Rhône.role", "hosting", "backup", "other"),
    ("[limits]", SITE + "[limits]", "site.bron", None, "1 rooms, 2 sessions a day", "wider"),
    ("Europe/Paris", "Europe/Brussels", "site.lyon-3.timezone", "Europe/Paris", "Europe/Brussels", "other"),
    ("rooms = 4", "rooms = 5", "site.lyon-3.rooms", "4", "5", "wider"),
    ("sessions_per_day = 8", "sessions_per_day = 7", "site.lyon-3.max_sessions_per_day", "8", "7", "narrower"),
    ("persons_per_day = 400", "persons_per_day = 500", "limits.persons_per_day", "400", "500", "wider"),
    ("persons_per_month = 6000", "persons_per_month = 5000", "limits.persons_per_month", "6000", "5000", "narrower"),
    ("client_per_hour = 120", "client_per_hour = 60", "limits.persons_per_client_per_hour", "120", "60", "narrower"),
    ('"asserted"', '"authenticated"', "limits.agent_assurance", "asserted", "authenticated", "narrower"),
    (
        "[[evidence_required]]",
        PURPOSE + "[[evidence_required]]",
        "purpose.language-course",
        None,
        "given_name=full, birth_date=age_band",
        "wider",
    ),
    (
        "Journée de formation",
        "Journée d'instruction",
        P + "label",
        "Journée de formation civique",
        "Journée d'instruction civique",
        "other",
    ),
    ("6.1.e", "6.1.c", P + "legal_basis", "6.1.e", "6.1.c", "other"),
    ("PT24H", "P2D", P + "opens_before", "PT24H", "PT48H", "wider"),
    ("PT2H", "PT90M", P + "closes_after", "PT2H", "PT1H30M", "narrower"),
    ("max_capacity = 30", "max_capacity = 31", P + "max_capacity", "30", "31", "wider"),
    ("appointment = 4", "appointment = 3", P + "reads_per_appointment", "4", "3", "narrower"),
    ("agent_per_hour = 40", "agent_per_hour = 41", P + "persons_per_agent_per_hour", "40", "41", "wider"),
    ('birth_date = "year"', 'birth_date = "full"', A + "birth_date", "year", "full", "wider"),
    ('birth_date = "year"', 'birth_date = "age_band"', A + "birth_date", "year", "age_band", "narrower"),
    ('birth_date = "year"', 'birth_date = "withheld"', A + "birth_date", "year", "withheld", "narrower"),
    ('birth_date = "year"\n', "", A + "birth_date", "year", None, "narrower"),
    ('email = "masked"', 'email = "relay"', A + "email", "masked", "relay", "wider"),
    ('email = "masked"', 'email = "masked"\nphone = "masked"', A + "phone", None, "masked", "wider"),
    ('email = "masked"', 'email = "masked"\nphone = "withheld"', A + "phone", None, "withheld", "other"),
    ('given_name = "initial"', 'given_name = "full"', P + "sheet.given_name", "initial", "full", "wider"),
    ('given_name = "initial"\n', "", P + "sheet.given_name", "initial", None, "narrower"),
    ("[containment]", EVIDENCE + "[containment]", "evidence_required.audit", None, "P2Y", "narrower"),
    ("P12M", "P18M", "evidence_required.pentest.max_age", "P12M", "P18M", "wider"),
    ("P12M", "P90D", "evidence_required.pentest.max_age", "P12M", "P90D", "narrower"),
    ("P12M", "P1Y", "evidence_required.pentest.max_age", "P12M", "P1Y", "other"),
    ('"suspend-client"', '"alert"', "containment.on_decoy", "suspend-client", "alert", "other"),
    ('"step-up"', '"suspend-agent"', "containment.on_departure", "step-up", "suspend-agent", "other"),
]
ONE_WAY = {"processor.id", A + "email"}  # as wide one way as the other
OPPOSITE = {"wider": "narrower", "narrower": "wider", "other": "other"}


@pytest.mark.parametrize(("old", "new", "where", "before", "after", "effect"), CHANGES)
def test_diff_when_one_thing_changes_then_one_change_with_its_effect(
    whole, attributes, contract, old, new, where, before, after, effect
):
    """Each kind of difference is told alone, and backwards it has the opposite effect."""
    assert old in whole
    changed = parse_contract(whole.replace(old, new, 1), attributes)
    (change,) = diff_contracts(contract, changed)
    assert (change.where, change.before, change.after, change.effect) == (where, before, after, effect)
    assert change.sentence.endswith(".")
    (back,) = diff_contracts(changed, contract)
    assert (back.where, back.before, back.after) == (where, after, before)
    assert back.effect == (effect if where in ONE_WAY else OPPOSITE[effect])


def test_diff_when_nothing_changes_for_meaning_then_nothing(whole, attributes, contract):
    """Comments, order of keys and another spelling of a window are no change."""
    text = "# a comment\n" + whole.replace('"PT24H"', '"P1D"').replace(
        "rooms = 4\nmax_sessions_per_day = 8", "max_sessions_per_day = 8\nrooms = 4"
    )
    assert diff_contracts(contract, parse_contract(text, attributes)) == ()


def test_diff_when_the_last_clause_comes_then_the_gate_opens(whole, attributes, contract):
    """A clause is wider only when the gate opens with it: one of two missing is not enough."""
    lacks_one = parse_contract(whole.replace(', "28.3.h"', ""), attributes)
    lacks_two = parse_contract(whole.replace(', "28.3.h"', "").replace(', "28.3.g"', ""), attributes)
    assert [change.effect for change in diff_contracts(lacks_two, lacks_one)] == ["other"]
    assert [change.effect for change in diff_contracts(lacks_one, lacks_two)] == ["other"]
    assert [change.effect for change in diff_contracts(lacks_one, contract)] == ["wider"]
    assert [change.effect for change in diff_contracts(lacks_two, contract)] == ["wider", "wider"]


def test_diff_when_the_contact_changes_then_no_sentence_repeats_it(whole, attributes, contract):
    """The contact may be a person: it stands in the change, not in the sentence."""
    changed = parse_contract(whole.replace("rssi@", "dpo@"), attributes)
    (change,) = diff_contracts(contract, changed)
    assert (change.before, change.after) == ("rssi@lyon-formation.example", "dpo@lyon-formation.example")
    assert "@" not in change.sentence


def test_diff_when_much_changes_then_in_the_order_of_the_file(whole, attributes, contract):
    """The reader finds the changes where the file has them."""
    text = (
        whole.replace("rooms = 4", "rooms = 5").replace("CIR-017", "CIR-018").replace('"year"', '"full"').replace("P12M", "P6M")
    )
    places = [change.where for change in diff_contracts(contract, parse_contract(text, attributes))]
    assert places == ["contract.reference", "site.lyon-3.rooms", A + "birth_date", "evidence_required.pentest.max_age"]


@given(picked=st.lists(st.sampled_from(CHANGES), max_size=6))
def test_diff_when_changes_are_many_then_it_is_empty_only_for_equals(whole, attributes, contract, picked):
    """Two versions are equal in meaning if, and only if, there is no change, and each place is named once."""
    text = whole
    for old, new, *_ in picked:
        text = text.replace(old, new, 1)
    if check_contract(text, attributes).errors:
        return
    changed = parse_contract(text, attributes)
    changes = diff_contracts(contract, changed)
    assert (changes == ()) is (changed == contract)
    assert len({change.where for change in changes}) == len(changes)


@given(minutes=st.integers(0, 14 * 24 * 60))
def test_duration_when_written_then_the_parser_reads_it_back(whole, attributes, minutes):
    """What the difference writes is what a contract file may say."""
    length = timedelta(minutes=minutes)
    text = whole.replace('"PT2H"', '"PT0M"').replace('"PT24H"', f'"{duration_text(length)}"')
    try:
        assert parse_contract(text, attributes).purposes["civic-training"].opens_before == length
    except ContractInvalid as invalid:
        pytest.fail(str(invalid))
