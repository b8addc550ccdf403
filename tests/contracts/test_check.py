"""What ``contract check`` tells: errors, warnings by line, and how the gate will stand."""

from __future__ import annotations

from datetime import date

import pytest

from ecluse.contracts import GateReport, GateState, check_contract

pytestmark = pytest.mark.unit

P = "purpose.civic-training."

# old text, new text, line, where, a part of the reason
UNWISE = [
    (', "28.3.h"', "", 12, "contract.clauses", "lacks 28.3.h: the gate is frozen"),
    (', "no-copy"', "", 12, "contract.clauses", "lacks no-copy: the gate warns"),
    ("breach_notice_hours = 24", "breach_notice_hours = 73", 11, "contract.breach_notice_hours", "above the 72 hours"),
    ('"FR"\nsiren', '"US"\nsiren', 4, "processor.country", "outside the EEA"),
    ('"FR"\nrole', '"IN"\nrole', 15, "sub_processor[0].country", "outside the EEA"),
    ('[[evidence_required]]\nkind = "pentest"\nmax_age = "P12M"\n', "", 7, "evidence_required", "asks for no evidence"),
    ("client_per_hour = 120", "client_per_hour = 401", 25, "limits.persons_per_client_per_hour", "never counts"),
    ('birth_date = "year"', 'birth_date = "full"', 39, P + "attributes.birth_date", "in full though weaker forms exist"),
    ('email = "masked"', 'email = "full"', 40, P + "attributes.email", "in full though weaker forms exist"),
    ('email = "masked"', 'email = "relay"', 40, P + "attributes.email", "answers withheld"),
    ("max_capacity = 30", "max_capacity = 41", 33, P + "max_capacity", "above persons_per_agent_per_hour (40)"),
    ("client_per_hour = 120", "client_per_hour = 29", 33, P + "max_capacity", "above limits.persons_per_client_per_hour (29)"),
]


def test_check_when_there_are_errors_then_no_warning_and_no_gate(whole, attributes):
    """A file that is refused has errors alone."""
    report = check_contract(whole.replace("rooms = 4", "rooms = 0"), attributes)
    assert ([found.line for found in report.errors], report.warnings, report.gate) == ([20], (), None)


def test_check_when_it_is_not_toml_then_an_error_and_no_crash(attributes):
    """Check explains; it never raises for what a file says."""
    assert check_contract("not a contract", attributes).errors[0].line == 1


@pytest.mark.parametrize(("old", "new", "line", "where", "why"), UNWISE)
def test_check_when_one_thing_is_unwise_then_one_warning_on_its_line(whole, attributes, old, new, line, where, why):
    """Each kind of warning is told alone, and is no error."""
    assert old in whole
    report = check_contract(whole.replace(old, new, 1), attributes)
    assert report.errors == ()
    (found,) = report.warnings
    assert (found.line, found.where) == (line, where)
    assert why in found.why
    assert found.mend


def test_check_when_whole_then_open_and_silent(whole, attributes):
    """A whole contract has nothing to say but its dates and evidence."""
    report = check_contract(whole, attributes)
    assert (report.errors, report.warnings) == ((), ())
    assert report.gate == GateReport(
        state=GateState.OPEN,
        reasons=(),
        starts_on=date(2026, 1, 1),
        ends_on=date(2027, 12, 31),
        evidence=("pentest",),
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("breach_notice_hours = 24", "breach_notice_hours = 72"),
        ("client_per_hour = 120", "client_per_hour = 400"),
        ("max_capacity = 30", "max_capacity = 40"),
        ('"FR"\nsiren', '"NO"\nsiren'),
    ],
)
def test_check_when_a_value_is_just_within_its_bound_then_silent(whole, attributes, old, new):
    """A figure that equals its bound is no cause for a warning."""
    assert old in whole
    assert check_contract(whole.replace(old, new, 1), attributes).warnings == ()


def test_check_when_clauses_lack_then_the_gate_is_frozen(whole, attributes):
    """The file passes, and the gate says what is missing."""
    report = check_contract(whole.replace('"28.3.c", ', "").replace(', "audit"', ""), attributes)
    assert report.gate is not None
    assert report.gate.state is GateState.FROZEN
    assert report.gate.reasons == ("contract:clause:missing:28.3.c", "contract:clause:missing:audit")


def test_check_when_two_purposes_then_each_warning_stands_in_its_own(whole, attributes):
    """The line is that of the second purpose if the second is meant."""
    start, end = whole.index("[[purpose]]"), whole.index("[[evidence_required]]")
    second = whole[start:end].replace("civic-training", "language-course").replace('"year"', '"full"')
    (found,) = check_contract(whole[:end] + second + whole[end:], attributes).warnings
    assert (found.line, found.where) == (56, "purpose.language-course.attributes.birth_date")


def test_check_when_it_is_the_example_that_lacks_clauses_then_it_says_so(example, attributes):
    """One example opens, the other is there to show a frozen gate."""
    report = check_contract(example.read_text(encoding="utf-8"), attributes)
    assert report.gate is not None
    assert report.gate.state is {"lyon-formation": GateState.OPEN, "aix-langues": GateState.FROZEN}[example.stem]
