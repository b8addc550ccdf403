"""One way to write a length of time or a text, and its exact meaning."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.contracts import Age, ContractInvalid, parse_contract

pytestmark = pytest.mark.unit


@given(spaces=st.sampled_from([" ", "\t", "\u00a0", "\u200b", "\n"]), before=st.booleans())
def test_parse_when_a_text_has_hidden_or_loose_space_then_refused(whole, attributes, spaces, before):
    """What is accepted has one spelling: nothing invisible stands at either end."""
    escaped = "".join(f"\\u{ord(sign):04x}" for sign in spaces)
    for value in (
        "Lyon Formation SAS",
        "lyon-formation",
        "FR",
        "2026-CIR-017",
        "Europe/Paris",
        "asserted",
        "6.1.e",
        "PT24H",
        "pentest",
    ):
        text = whole.replace(f'"{value}"', f'"{escaped}{value}"' if before else f'"{value}{escaped}"', 1)
        with pytest.raises(ContractInvalid):
            parse_contract(text, attributes)


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("PT0M", timedelta(0)),
        ("P1D", timedelta(days=1)),
        ("PT24H", timedelta(days=1)),
        ("PT90M", timedelta(minutes=90)),
        ("P13DT2H30M", timedelta(days=13, hours=2, minutes=30)),
        ("P13DT22H", timedelta(days=13, hours=22)),
    ],
)
def test_parse_when_a_window_is_written_then_it_is_exact_elapsed_time(whole, attributes, written, length):
    """Days are 24 hours; up to 14 days with the two hours after."""
    contract = parse_contract(whole.replace('"PT24H"', f'"{written}"'), attributes)
    assert contract.purposes["civic-training"].opens_before == length


@pytest.mark.parametrize(("written", "months", "days"), [("P1Y", 12, 0), ("P90D", 0, 90), ("P1Y6M15D", 18, 15)])
def test_parse_when_an_age_is_written_then_it_is_calendar_time(whole, attributes, written, months, days):
    """Years are twelve months; days stay days."""
    required = parse_contract(whole.replace('"P12M"', f'"{written}"'), attributes).evidence_required[0]
    assert (required.max_age, required.age) == (written, Age(months=months, days=days))
