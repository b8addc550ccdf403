"""The account of the demo: where the ledger and the processors disagree, it says so."""

from __future__ import annotations

import msgspec
import pytest

from ecluse.demo.account import AgencyFacts, RunFacts, account_of
from ecluse.demo.day import Day, Example
from ecluse.demo.expected import STEPS, Journal
from ecluse.demo.tally import LedgerCheck, Tally

pytestmark = pytest.mark.unit

AGENCY = AgencyFacts(people=100, processors=8, sessions=2, places=20, attributes=("family_name",), unmapped=("observations",))
RUN = RunFacts(seconds=1.0, day_seconds=0.5, memory_bytes=0, memory_most_bytes=0, folder="demo", base_url="http://127.0.0.1:1")
EXAMPLE = Example(
    processor="a", client_id="c", key_file="k", agent="g", appointment="p", attributes=("family_name",), foreign="f"
)
GRANTS = 6
REFUSALS = {
    "attribute-not-contracted": 1,
    "budget-spent": 2,
    "gate-frozen": 2,
    "not-disclosable": 2,
    "outside-window": 3,
    "step-up-required": 1,
    "suspended": 1,
}
TALLY = Tally(
    grants=GRANTS,
    persons=3,
    fields=6,
    forms={"family_name": {"full": GRANTS}},
    refusals=REFUSALS,
    unlisted=1,
    controls=4,
    redelivered=1,
    while_held=0,
)
WITNESSES = {"dpo": "the data-protection officer's office", "lyon-formation": "Lyon Formation SAS"}
LEDGER = LedgerCheck(size=22, root_base64="cm9vdA==", tiles=1, checkpoints=3, problems=())


def day_of(checkpoint: str = "agency.example/ecluse/main\n22\ncm9vdA==\n\n— signature\n") -> Day:
    """Make a day on which each step was made once, as expected."""
    journal = Journal()
    for step, row in STEPS.items():
        journal.note(step, "lyon-formation", row.expected, count=GRANTS if step == "receipt" else 1)
    return Day(
        journal=journal, seconds=0.5, held_client="c", checkpoint=checkpoint, cosigned_by=tuple(WITNESSES), proven=1, example=EXAMPLE
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tally", "step"),
    [
        ({"grants": GRANTS + 1}, "grants"),
        ({"refusals": REFUSALS | {"gate-frozen": 1}}, "refusals"),
        ({"refusals": REFUSALS | {"undetermined": 1}}, "refusals"),
        ({"redelivered": 0}, "redelivery"),
        ({"unlisted": 0}, "other-room"),
        ({"while_held": 1}, "held"),
    ],
)
def test_account_when_the_ledger_says_another_thing_then_it_is_a_surprise(tally, step):
    """Each figure of the ledger that differs from what the processors saw is named."""
    account = account_of(day_of(), msgspec.structs.replace(TALLY, **tally), LEDGER, agency=AGENCY, run=RUN, witnesses=WITNESSES)
    assert step in {surprise.step for surprise in account.surprises}


def test_account_when_the_ledger_is_not_sound_then_it_is_a_surprise():
    """A fault of the ledger is named."""
    ledger = msgspec.structs.replace(LEDGER, problems=("entry-missing: an entry is missing",))
    account = account_of(day_of(), TALLY, ledger, agency=AGENCY, run=RUN, witnesses=WITNESSES)
    assert [surprise.step for surprise in account.surprises] == ["ledger"]


@pytest.mark.parametrize(
    "note", ["", "agency.example/ecluse/main\n21\ncm9vdA==\n\n", "agency.example/ecluse/main\n22\nb3RoZXI=\n\n"]
)
def test_account_when_the_signed_head_is_another_then_it_is_a_surprise(note):
    """A checkpoint that is missing, older or of another tree is named."""
    account = account_of(day_of(note), TALLY, LEDGER, agency=AGENCY, run=RUN, witnesses=WITNESSES)
    assert [surprise.step for surprise in account.surprises] == ["checkpoint"]


@pytest.mark.parametrize("cosigned_by", [(), ("dpo",), ("dpo", "other")])
def test_account_when_a_witness_is_missing_then_it_is_a_surprise(cosigned_by):
    """The head at the end of the day bears both witnesses' signatures."""
    day = msgspec.structs.replace(day_of(), cosigned_by=cosigned_by)
    account = account_of(day, TALLY, LEDGER, agency=AGENCY, run=RUN, witnesses=WITNESSES)
    assert [surprise.step for surprise in account.surprises] == ["witnesses"]


def test_account_when_a_step_was_never_made_then_it_is_a_surprise():
    """A day that left something out has shown nothing."""
    day = day_of()
    day.journal.seen["stolen"] = 0
    account = account_of(day, TALLY, LEDGER, agency=AGENCY, run=RUN, witnesses=WITNESSES)
    assert [surprise.step for surprise in account.surprises] == ["stolen"]


def test_account_when_both_agree_then_no_surprise():
    """Nothing is named when all figures agree."""
    assert account_of(day_of(), TALLY, LEDGER, agency=AGENCY, run=RUN, witnesses=WITNESSES).surprises == ()
