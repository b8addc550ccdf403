"""The demo's table of expected outcomes: what is not in it, and what differs from it, is a surprise."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ecluse.client import Refused
from ecluse.demo.expected import STEPS, Journal, Surprise, outcome_of

pytestmark = pytest.mark.unit

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
WINDOW = {"opens_at": "2026-01-05T13:00:00Z", "closes_at": "2026-01-05T15:00:00Z"}


def test_journal_when_a_refusal_is_granted_then_it_is_a_surprise():
    """A step that should have been refused and was granted is taken down."""
    journal = Journal()
    journal.note("lapsed", "metz-insertion", "granted")
    assert journal.surprises == [
        Surprise(step="lapsed", who="metz-insertion", expected="gate-frozen:evidence:lapsed:pentest", found="granted")
    ]


def test_journal_when_a_step_is_unknown_then_refused():
    """There is no step without a line of the table."""
    with pytest.raises(KeyError):
        Journal().note("picnic", "aix-langues", "granted")


@pytest.mark.parametrize("step", STEPS)
def test_journal_when_as_expected_then_no_surprise(step):
    """The outcome of the table is no surprise, and it is counted."""
    journal = Journal()
    journal.note(step, "nice-langues", STEPS[step].expected, count=3)
    assert (journal.surprises, journal.seen[step]) == ([], 3)


@pytest.mark.parametrize(
    ("code", "extra", "outcome"),
    [
        ("budget-spent", {"budget": "reads-per-appointment"}, "budget-spent:reads-per-appointment"),
        ("gate-frozen", {"state": "closed"}, "gate-frozen:closed"),
        ("gate-frozen", {"state": "frozen", "reasons": []}, "gate-frozen:frozen"),
        ("gate-frozen", {"state": "frozen", "reasons": ["evidence:lapsed:pentest", "x"]}, "gate-frozen:evidence:lapsed:pentest"),
        (
            "gate-frozen",
            {"state": "frozen", "reasons": ["finding:overdue:fnd_abcdefghijklmnopqrstuvwxya"]},
            "gate-frozen:finding:overdue",
        ),
        ("suspended", {"scope": "client"}, "suspended:client"),
        ("not-disclosable", {}, "not-disclosable"),
        ("outside-window", WINDOW, "outside-window:early"),
        ("outside-window", WINDOW | {"opens_at": "2026-01-05T12:00:00Z"}, "outside-window:late"),
        ("outside-window", WINDOW | {"cancelled": True}, "outside-window:cancelled"),
    ],
)
def test_outcome_when_refused_then_the_code_and_its_fact(code, extra, outcome):
    """A refusal's outcome is its public code and the one fact that it tells."""
    assert outcome_of(Refused(code, "title", "detail", extra), NOON) == outcome
