"""Every error of a contract file has its line, its reason and its mend; what passes is canonical; nothing crashes."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecluse.contracts import (
    Age,
    Assurance,
    Containment,
    ContainmentAction,
    ContractError,
    ContractInvalid,
    Form,
    contract_hash,
    parse_contract,
)
from ecluse.errors import EcluseError
from ecluse.register.model import AttributeType

pytestmark = pytest.mark.unit

ATTRIBUTES = {"family_name": AttributeType.TEXT, "given_name": AttributeType.TEXT, "birth_date": AttributeType.DATE}
SITE_2 = '[[site]]\nid = "lyon-3"\ntimezone = "UTC"\nrooms = 1\nmax_sessions_per_day = 1\n[limits]'
SUB_2 = '[[sub_processor]]\nname = "Hébergeur Rhône"\ncountry = "FR"\nrole = "mail"\n[[site]]'
EVIDENCE_2 = '[[evidence_required]]\nkind = "pentest"\nmax_age = "P6M"\n[containment]'
P = "purpose.civic-training."
A = P + "attributes."

# old text, new text, line, where, start of the reason
REFUSED = [
    # the file
    ("[processor]", "[processor", 1, "file", "is not TOML: "),
    ("rooms = 4", "rooms = ", 20, "file", "is not TOML: "),
    ("rooms = 4", "rooms = 4\nrooms = 5", 21, "file", "is not TOML: "),
    ("rooms = 4", "rooms = " + "9" * 5000, 20, "file", "has too long a line"),
    ("rooms = 4", "rooms = " + "[" * 900, 1, "file", "is not TOML: Nested"),
    ("rooms = 4", "rooms = " + "[" * 9 + "]" * 9, 1, "file", "is nested too deeply"),
    ("2026-01-01", "2026-02-30", 9, "file", "is not TOML: "),
    ("SAS", "\ud800", 3, "file", "is not Unicode text"),
    ("rooms = 4", "#" * 990 + "\n" + ("#" * 990 + "\n") * 300, 1, "file", "is too long"),
    # keys that are unknown, missing or of another type
    ("[processor]", 'colour = "red"\n[processor]', 1, "colour", "is not a key"),
    ("rooms = 4", "rooms = 4\nrommos = 4", 21, "site.lyon-3.rommos", "is not a key"),
    ("rooms = 4", 'rooms = 4\n"a b@example.org" = 4', 21, 'site.lyon-3."…"', "is not a key"),
    ("rooms = 4", 'rooms = 4\n"a[b@example.org" = 4', 21, 'site.lyon-3."…"', "is not a key"),
    ('role = "hosting"', 'role = "hosting"\nsite = "x"', 17, "sub_processor[0].site", "is not a key"),
    ('on_decoy = "suspend-client"', 'on_decoi = "alert"', 48, "containment.on_decoi", "is not a key"),
    ('max_age = "P12M"', 'max_age = "P12M"\nage = 1', 47, "evidence_required[0].age", "is not a key"),
    ("rooms = 4\n", "", 17, "site.lyon-3.rooms", "is missing"),
    ('country = "FR"\nsiren', "siren", 1, "processor.country", "is missing"),
    ("ends_on = 2027-12-31\n", "", 7, "contract.ends_on", "is missing"),
    ('agent_assurance = "asserted"\n', "", 22, "limits.agent_assurance", "is missing"),
    ('opens_before = "PT24H"\n', "", 27, P + "opens_before", "is missing"),
    ("rooms = 4", "rooms = true", 20, "site.lyon-3.rooms", "must be a whole number"),
    ("rooms = 4", "rooms = 4.0", 20, "site.lyon-3.rooms", "must be a whole number"),
    ("rooms = 4", 'rooms = "4"', 20, "site.lyon-3.rooms", "must be a whole number"),
    ('"Lyon Formation SAS"', "7", 3, "processor.name", "must be a text"),
    ("2026-01-01", "2026-01-01T00:00:00Z", 9, "contract.starts_on", "must be a date"),
    ("2026-01-01", '"2026-01-01"', 9, "contract.starts_on", "must be a date"),
    ("[limits]", "[[limits]]", 22, "limits", "must be a table"),
    ("[[site]]", "[site]", 17, "site", "must be an array of tables"),
    ('"asserted"', '"trusted"', 26, "limits.agent_assurance", "is not a word"),
    ('"suspend-client"', '"explode"', 48, "containment.on_decoy", "is not a word"),
    ('"step-up"', "1", 49, "containment.on_departure", "must be a text"),
    # names, texts, countries, numbers of companies
    ('id = "lyon-formation"', 'id = "Lyon-Formation"', 2, "processor.id", "is not a name"),
    ('id = "lyon-3"', 'id = "3-lyon"', 18, "site[0].id", "is not a name"),
    ('id = "civic-training"', 'id = "civic training"', 28, "purpose[0].id", "is not a name"),
    ('kind = "pentest"', 'kind = "penttest"', 45, "evidence_required[0].kind", "is not a word that this key knows"),
    ('role = "hosting"', 'role = "Hosting"', 16, "sub_processor[0].role", "is not a name"),
    ('"Lyon Formation SAS"', '""', 3, "processor.name", "is not a plain text"),
    ('"Lyon Formation SAS"', '" Lyon"', 3, "processor.name", "is not a plain text"),
    ('"Lyon Formation SAS"', '"Lyon\\u202eSAS"', 3, "processor.name", "is not a plain text"),
    ('"Lyon Formation SAS"', '"Lyon\\nSAS"', 3, "processor.name", "is not a plain text"),
    ('"Lyon Formation SAS"', '"' + "x" * 201 + '"', 3, "processor.name", "is not a plain text"),
    ("Journée", "Journe\u0301e", 29, P + "label", "is not a plain text"),
    ('country = "FR"\nsiren', 'country = "fr"\nsiren', 4, "processor.country", "is not a country code"),
    ('country = "FR"\nrole', 'country = "FRA"\nrole', 15, "sub_processor[0].country", "is not a country code"),
    ("732829320", "732829321", 5, "processor.siren", "is not a SIREN: its check digit"),
    ("732829320", "000000000", 5, "processor.siren", "is not a SIREN: its check digit"),
    ("732829320", "732 829 320", 5, "processor.siren", "is not a SIREN"),
    ("732829320", "٧٣٢٨٢٩٣٢٠", 5, "processor.siren", "is not a SIREN"),
    ("rssi@lyon-formation.example", "rssi", 6, "processor.security_contact", "is not an e-mail address"),
    ("rssi@lyon-formation.example", "rssi@Lyon.example", 6, "processor.security_contact", "is not an e-mail address"),
    # clauses, dates, numbers, zones
    ('"28.3.h"', '"28.3.i"', 12, "contract.clauses[7]", "is not a word"),
    ('"28.3.h"', '"28.3.a"', 12, "contract.clauses[7]", "is in the list twice"),
    ('"28.3.h", "audit"', '\n"28.3.h",\n5', 14, "contract.clauses[8]", "is not a word"),
    ("2027-12-31", "2025-12-31", 10, "contract.ends_on", "is before starts_on"),
    ("2026-01-01", "1999-12-31", 9, "contract.starts_on", "is out of range"),
    ("2027-12-31", "2200-01-01", 10, "contract.ends_on", "is out of range"),
    ("breach_notice_hours = 24", "breach_notice_hours = 0", 11, "contract.breach_notice_hours", "is out of range"),
    ("rooms = 4", "rooms = -1", 20, "site.lyon-3.rooms", "is out of range"),
    ("max_sessions_per_day = 8", "max_sessions_per_day = 0", 21, "site.lyon-3.max_sessions_per_day", "is out of range"),
    ("persons_per_day = 400", "persons_per_day = 0", 23, "limits.persons_per_day", "is out of range"),
    ("max_capacity = 30", "max_capacity = 100000001", 33, P + "max_capacity", "is out of range"),
    ("reads_per_appointment = 4", "reads_per_appointment = 0", 34, P + "reads_per_appointment", "is out of range"),
    ("persons_per_month = 6000", "persons_per_month = 399", 24, "limits.persons_per_month", "is below persons_per_day"),
    ("Europe/Paris", "Europe/Pariss", 19, "site.lyon-3.timezone", "is not a time zone"),
    ("Europe/Paris", "Europe", 19, "site.lyon-3.timezone", "is not a time zone"),
    ("Europe/Paris", "europe/paris", 19, "site.lyon-3.timezone", "is not a time zone"),
    ("Europe/Paris", "../etc/passwd", 19, "site.lyon-3.timezone", "is not a time zone"),
    ("Europe/Paris", "CET", 19, "site.lyon-3.timezone", "is not a time zone"),
    # windows and ages
    ('"PT24H"', '"24h"', 31, P + "opens_before", "is not an exact length"),
    ('"PT24H"', '"PT024H"', 31, P + "opens_before", "is not an exact length"),
    ('"PT24H"', '"P1M"', 31, P + "opens_before", "is not an exact length"),
    ('"PT24H"', '"P"', 31, P + "opens_before", "is not an exact length"),
    ('"PT24H"', '"P1DT"', 31, P + "opens_before", "is not an exact length"),
    ('"PT24H"', '"-PT1H"', 31, P + "opens_before", "is not an exact length"),
    ('"PT24H"', '"PT0H"', 31, P + "opens_before", "is not an exact length"),
    ('"PT24H"', '"P15D"', 31, P + "opens_before", "is longer than 14 days"),
    ('"PT2H"', '"PT337H"', 32, P + "closes_after", "is longer than 14 days"),
    ('"PT24H"', '"P13DT22H1M"', 32, P + "closes_after", "makes the window longer than 14 days"),
    ('"P12M"', '"PT24H"', 46, "evidence_required[0].max_age", "is not a calendar length"),
    ('"P12M"', '"P0M"', 46, "evidence_required[0].max_age", "is not a calendar length"),
    ('"P12M"', '"P1.5Y"', 46, "evidence_required[0].max_age", "is not a calendar length"),
    # purposes, attributes, sheet
    ('"6.1.e"', '"6.1.g"', 30, P + "legal_basis", "is not a point of Art. 6(1)"),
    ('"6.1.e"', '"6x1xe"', 30, P + "legal_basis", "is not a point of Art. 6(1)"),
    ('birth_date = "year"', 'birth_place = "full"', 39, A + "birth_place", "is not an attribute of the register"),
    ('birth_date = "year"', '"jo@example.org" = "full"', 39, A + '"…"', "is not an attribute of the register"),
    ('birth_date = "year"', 'birth_date = "yeer"', 39, A + "birth_date", "is given in a form that does not exist"),
    ('birth_date = "year"', "birth_date = 1990", 39, A + "birth_date", "must be a text"),
    ('birth_date = "year"', 'birth_date = "masked"', 39, A + "birth_date", "is of type date, which has no form masked"),
    ('birth_date = "year"', 'birth_date = "region"', 39, A + "birth_date", "is given as region, a word kept for later"),
    ('birth_date = "year"', 'birth_date = "predicate"', 39, A + "birth_date", "is given as predicate, a word kept for later"),
    ('given_name = "initial"', 'phone = "masked"', 43, P + "sheet.phone", "is not among the attributes"),
    ('given_name = "initial"', 'birth_date = "full"', 43, P + "sheet.birth_date", "is given as full, which"),
    ('given_name = "initial"', 'email = "relay"', 43, P + "sheet.email", "is given as relay, which"),
    # twice
    ("[limits]", SITE_2, 23, "site.lyon-3.id", "is used twice"),
    ("[containment]", EVIDENCE_2, 48, "evidence_required[1].kind", "is used twice"),
    ("[[site]]", SUB_2, 18, "sub_processor[1].name", "is used twice"),
]


def _findings(text, attributes):
    """Return what is wrong with a text, nothing if it is a contract; any other error passes."""
    try:
        parse_contract(text, attributes)
    except ContractInvalid as invalid:
        return invalid.findings
    return ()


@pytest.mark.parametrize(("old", "new", "line", "where", "why"), REFUSED)
def test_parse_when_one_thing_is_wrong_then_its_line_reason_and_mend_are_told(whole, attributes, old, new, line, where, why):
    """Each kind of error is found alone, on its line."""
    assert old in whole
    with pytest.raises(ContractInvalid) as raised:
        parse_contract(whole.replace(old, new, 1), attributes)
    (found,) = raised.value.findings
    assert (found.line, found.where) == (line, where)
    assert found.why.startswith(why)
    assert found.mend


@pytest.mark.parametrize(
    ("first", "last", "where", "line"),
    [
        ("[processor]", "[contract]", "processor", 1),
        ("[[site]]", "[limits]", "site", 1),
        ("[limits]", "[[purpose]]", "limits", 1),
        ("[[purpose]]", "[[evidence_required]]", "purpose", 1),
        ("[purpose.attributes]", "[[evidence_required]]", "purpose.civic-training.attributes", 27),
    ],
)
def test_parse_when_a_table_is_missing_then_it_alone_is_told(whole, attributes, first, last, where, line):
    """A missing table is one finding, not one for each of its keys."""
    start = whole.index(first)
    with pytest.raises(ContractInvalid) as raised:
        parse_contract(whole[:start] + whole[whole.index(last, start) :], attributes)
    assert [(found.where, found.why, found.line) for found in raised.value.findings] == [(where, "is missing", line)]


def test_parse_when_attributes_are_empty_then_refused(whole, attributes):
    """A purpose that names no attribute has no use."""
    start = whole.index("[purpose.attributes]")
    text = whole[:start] + "[purpose.attributes]\n" + whole[whole.index("[[evidence_required]]") :]
    with pytest.raises(ContractInvalid) as raised:
        parse_contract(text, attributes)
    assert [(found.line, found.why) for found in raised.value.findings] == [(36, "names no attribute")]


def test_parse_when_two_purposes_share_an_id_then_refused(whole, attributes):
    """The second purpose of a name is refused, where its id stands."""
    start, end = whole.index("[[purpose]]"), whole.index("[[evidence_required]]")
    with pytest.raises(ContractInvalid) as raised:
        parse_contract(whole[:end] + whole[start:end] + whole[end:], attributes)
    assert [(found.line, found.why) for found in raised.value.findings] == [(45, "is used twice")]


def test_parse_when_many_things_are_wrong_then_all_are_told_by_line(whole, attributes):
    """One run finds every error, in the order of the file."""
    text = whole.replace("rooms = 4", "rooms = 0").replace('"FR"', '"fr"').replace('"year"', '"masked"')
    with pytest.raises(ContractInvalid) as raised:
        parse_contract(text, attributes)
    assert [found.line for found in raised.value.findings] == [4, 15, 20, 39]
    assert str(raised.value).startswith("line 4: processor.country: is not a country code. write two capital letters")


def test_parse_when_a_key_is_misspelt_then_the_mend_names_the_right_one(whole, attributes):
    """A near miss is answered with the word that was meant."""
    with pytest.raises(ContractInvalid) as raised:
        parse_contract(whole.replace("birth_date", "birthdate"), attributes)
    assert raised.value.findings[0].mend == "write `birth_date`"


def test_parse_when_refused_then_no_value_of_the_file_is_repeated(whole, attributes):
    """An address in the wrong place does not reach a message."""
    for key in (
        "id",
        "name",
        "country",
        "siren",
        "security_contact",
        "reference",
        "timezone",
        "legal_basis",
        "opens_before",
        "kind",
    ):
        text = "\n".join(f'{key} = "zoé@@example.org "' if line.startswith(f"{key} = ") else line for line in whole.split("\n"))
        with pytest.raises(ContractInvalid) as raised:
            parse_contract(text, attributes)
        assert "example.org" not in str(raised.value)


def test_error_when_raised_then_it_belongs_to_the_tree():
    """The error is one of ours, with a stable code."""
    assert issubclass(ContractInvalid, ContractError)
    assert issubclass(ContractError, EcluseError)
    assert (ContractError.code, ContractInvalid.code) == ("contract", "contract-invalid")


def test_parse_when_whole_then_every_value_is_there(contract):
    """The values are those of the file."""
    purpose = contract.purposes["civic-training"]
    assert contract.processor.siren == "732829320"
    assert (contract.starts_on, contract.ends_on) == (date(2026, 1, 1), date(2027, 12, 31))
    assert contract.clauses[7:] == ("28.3.h", "audit", "no-copy")
    assert contract.sub_processors[0].name == "Hébergeur Rhône"
    assert contract.sites["lyon-3"].rooms == 4
    assert contract.limits.agent_assurance is Assurance.ASSERTED
    assert (purpose.opens_before, purpose.closes_after) == (timedelta(hours=24), timedelta(hours=2))
    assert purpose.attributes == {
        "family_name": Form.FULL,
        "given_name": Form.FULL,
        "birth_date": Form.YEAR,
        "email": Form.MASKED,
    }
    assert purpose.sheet == {"family_name": Form.FULL, "given_name": Form.INITIAL}
    assert (contract.evidence_required[0].max_age, contract.evidence_required[0].age) == ("P12M", Age(months=12, days=0))
    assert contract.containment.on_decoy is ContainmentAction.SUSPEND_CLIENT


def test_parse_when_what_is_optional_is_absent_then_it_is_empty(whole, attributes):
    """Without sub-processor, sheet, evidence and containment a contract is still one."""
    kept = [
        part
        for part in whole.replace('siren = "732829320"\n', "").split("\n[")
        if not part.startswith(("[sub_processor", "purpose.sheet", "[evidence", "containment"))
    ]
    contract = parse_contract("\n[".join(kept), attributes)
    assert (contract.processor.siren, contract.sub_processors, contract.evidence_required) == (None, (), ())
    assert contract.purposes["civic-training"].sheet == {}
    assert contract.containment == Containment(on_decoy=ContainmentAction.ALERT, on_departure=ContainmentAction.ALERT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("persons_per_month = 6000", "persons_per_month = 400"),
        ("2027-12-31", "2026-01-01"),
        ("2027-12-31", "2199-12-31"),
        ("rooms = 4", "rooms = 100000000"),
        ("Lyon Formation SAS", "x" * 200),
        ("Europe/Paris", "America/Argentina/Buenos_Aires"),
        ("Europe/Paris", "UTC"),
        ("[processor]", "#" * 1000 + "\n[processor]"),
    ],
)
def test_parse_when_a_value_is_just_within_its_bound_then_it_passes(whole, attributes, old, new):
    """Bounds are included: a day, a figure or a length that equals its bound is good."""
    assert old in whole
    assert _findings(whole.replace(old, new, 1), attributes) == ()


def test_parse_when_the_file_is_as_long_as_it_may_be_then_it_passes(whole, attributes):
    """The bound of the file is included; one character more is refused."""
    filled = whole + "#\n" * ((262_144 - len(whole)) // 2) + "\n" * (len(whole) % 2)
    assert len(filled) == 262_144
    assert _findings(filled, attributes) == ()
    assert _findings(filled + "\n", attributes)[0].why == "is too long"


def test_parse_when_line_ends_are_those_of_windows_then_lines_are_the_same(whole, attributes, contract):
    """A file saved elsewhere reads the same and its errors keep their lines."""
    assert parse_contract(whole.replace("\n", "\r\n"), attributes) == contract
    with pytest.raises(ContractInvalid) as raised:
        parse_contract(whole.replace("rooms = 4", "rooms = 0").replace("\n", "\r\n"), attributes)
    assert raised.value.findings[0].line == 20


def test_parse_when_it_is_an_example_that_we_hand_out_then_it_passes(example, attributes):
    """What we show works."""
    assert parse_contract(example.read_text(encoding="utf-8"), attributes).processor.id == example.stem


def test_hash_when_text_is_known_then_it_is_its_sha_256():
    """Vectors of FIPS 180-2 and of the UTF-8 bytes of a letter; half a surrogate pair has none."""
    assert contract_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert contract_hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert contract_hash("é") == "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"
    with pytest.raises(ContractInvalid):
        contract_hash("\ud800")


@given(st.text(max_size=300))
def test_parse_when_text_is_random_then_it_is_refused_with_a_line(text):
    """No text crashes the reader, and none of these is a contract."""
    with pytest.raises(ContractInvalid) as raised:
        parse_contract(text, ATTRIBUTES)
    assert all(1 <= found.line <= text.count("\n") + 1 and found.where and found.mend for found in raised.value.findings)


SCALARS = ['"x"', "1", "-0", "1.5", "nan", "true", "2026-01-01", "07:30:00", '"""\nx"""', "'y'", '"full"', "2026-01-01 07:00:00"]
VALUES = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(inner, max_size=2).map(lambda items: "{" + ", ".join(f"k{n} = {item}" for n, item in enumerate(items)) + "}")
    ),
    max_leaves=6,
)


@settings(max_examples=200)
@given(st.data())
def test_parse_when_a_value_is_any_toml_then_refused_or_read(whole, attributes, data):
    """Any value of TOML in the place of any other is read or refused there; a refusal has a line of the file."""
    lines = whole.split("\n")
    places = [index for index, line in enumerate(lines) if " = " in line]
    index = data.draw(st.sampled_from(places))
    key = lines[index].split(" = ")[0]
    lines[index] = f"{key} = {data.draw(VALUES)}"
    text = "\n".join(lines)
    assert all(1 <= found.line <= text.count("\n") + 1 for found in _findings(text, attributes))


@settings(max_examples=200)
@given(st.data())
def test_parse_when_any_piece_is_cut_out_or_doubled_then_refused_or_read(whole, attributes, data):
    """No damage to a real file crashes the reader."""
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 200)))
    piece = data.draw(st.sampled_from(["", whole[start:end] * 2, "\x00", "[", '"', "\r"]))
    text = whole[:start] + piece + whole[end:]
    assert all(1 <= found.line <= text.count("\n") + 1 for found in _findings(text, attributes))
