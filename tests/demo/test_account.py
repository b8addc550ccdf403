"""The account of the demo: where the ledger and the processors disagree, it says so."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from ecluse.demo.account import Account, AgencyFacts, RunFacts, account_of
from ecluse.demo.day import Day, Example
from ecluse.demo.expected import SHUT, STEPS, Journal
from ecluse.demo.governance import Because, Flagged, FlowFacts, Governed, Notified, PaperFacts, Shut
from ecluse.demo.model import Part
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
    "gate-frozen": 4,
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
    gates={},
)
WITNESSES = {"dpo": "the data-protection officer's office", "lyon-formation": "Lyon Formation SAS"}
PARTS = {part: part.value for part in Part}
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOTIFIED = tuple(
    Notified(party=party, addresses=("a@b.example",), at=NOON, mail="mail/1.eml") for party in ("processor", "controller")
)
SHUT_GATES = tuple(
    Shut(
        processor=part.value, name="N", state="frozen", refused=1, notified=NOTIFIED,
        reasons=(Because(code=STEPS[step].expected.removeprefix("gate-frozen:"), what="w", mend="m", move="processor"),),
    )
    for step, part in SHUT.items()
)  # fmt: skip
FLOWS = FlowFacts(
    counted=22, entries=22, declared=2, seen=1, unasked=1, proposal_of="", proposed=(), too_few=1,
    flagged=(Flagged(processor=Part.ROBBED.value, outcome="sub-processor-mismatch", why="w"),),
)  # fmt: skip
GOVERNED = Governed(
    shut=SHUT_GATES, mails=8, flows=FLOWS, papers=(PaperFacts(title="t", file="papers/t.pdf", size_bytes=1, missing=0),)
)
LEDGER = LedgerCheck(size=22, root_base64="cm9vdA==", tiles=1, checkpoints=3, problems=())


def day_of(checkpoint: str = "agency.example/ecluse/main\n22\ncm9vdA==\n\n— signature\n") -> Day:
    """Make a day on which each step was made once, as expected."""
    journal = Journal()
    for step, row in STEPS.items():
        journal.note(step, "lyon-formation", row.expected, count=GRANTS if step == "receipt" else 1)
    return Day(
        journal=journal, seconds=0.5, held_client="c", checkpoint=checkpoint, cosigned_by=tuple(WITNESSES), proven=1, example=EXAMPLE
    )  # fmt: skip


def account(
    day: Day | None = None, *, tally: Tally = TALLY, ledger: LedgerCheck = LEDGER, governed: Governed = GOVERNED
) -> Account:
    """Bring a day together that went as expected but for what is given."""
    return account_of(day or day_of(), tally, ledger, governed, agency=AGENCY, run=RUN, witnesses=WITNESSES, parts=PARTS)


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
    found = account(tally=msgspec.structs.replace(TALLY, **tally))
    assert step in {surprise.step for surprise in found.surprises}


def test_account_when_the_ledger_is_not_sound_then_it_is_a_surprise():
    """A fault of the ledger is named."""
    ledger = msgspec.structs.replace(LEDGER, problems=("entry-missing: an entry is missing",))
    assert [surprise.step for surprise in account(ledger=ledger).surprises] == ["ledger"]


@pytest.mark.parametrize(
    "note", ["", "agency.example/ecluse/main\n21\ncm9vdA==\n\n", "agency.example/ecluse/main\n22\nb3RoZXI=\n\n"]
)
def test_account_when_the_signed_head_is_another_then_it_is_a_surprise(note):
    """A checkpoint that is missing, older or of another tree is named."""
    assert [surprise.step for surprise in account(day_of(note)).surprises] == ["checkpoint"]


@pytest.mark.parametrize("cosigned_by", [(), ("dpo",), ("dpo", "other")])
def test_account_when_a_witness_is_missing_then_it_is_a_surprise(cosigned_by):
    """The head at the end of the day bears both witnesses' signatures."""
    day = msgspec.structs.replace(day_of(), cosigned_by=cosigned_by)
    assert [surprise.step for surprise in account(day).surprises] == ["witnesses"]


def test_account_when_a_step_was_never_made_then_it_is_a_surprise():
    """A day that left something out has shown nothing."""
    day = day_of()
    day.journal.seen["stolen"] = 0
    assert [surprise.step for surprise in account(day).surprises] == ["stolen"]


def test_account_when_both_agree_then_no_surprise():
    """Nothing is named when all figures agree."""
    assert account().surprises == ()


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ({"refused": 2}, "lapsed"),
        ({"refused": 0}, "lapsed"),
        ({"notified": ()}, "lapsed"),
        ({"notified": NOTIFIED[:1]}, "lapsed"),
        ({"reasons": ()}, "lapsed"),
        ({"reasons": (Because(code="evidence:missing:pentest", what="w", mend="m", move="processor"),)}, "lapsed"),
        ({"processor": "another"}, "gates"),
    ],
)
def test_account_when_a_gate_is_otherwise_then_it_is_a_surprise(changed, step):
    """A shut gate has its one reason, as many sealed refusals as the processor saw, and both parties were told of it."""
    shut = tuple(msgspec.structs.replace(one, **changed) if one.processor == "lapsed" else one for one in SHUT_GATES)
    found = account(governed=msgspec.structs.replace(GOVERNED, shut=shut)).surprises
    assert {surprise.step for surprise in found} == {step}


def test_account_when_a_gate_is_shut_that_should_be_open_then_it_is_a_surprise():
    """A fifth gate that lets nothing through is named."""
    fifth = msgspec.structs.replace(SHUT_GATES[0], processor="questions")
    found = account(governed=msgspec.structs.replace(GOVERNED, shut=(*SHUT_GATES, fifth))).surprises
    assert [surprise.step for surprise in found] == ["gates"]


@pytest.mark.parametrize(
    ("governed", "step"),
    [
        ({"papers": (PaperFacts(title="t", file="f", size_bytes=1, missing=2),)}, "papers"),
        ({"flows": msgspec.structs.replace(FLOWS, counted=21)}, "flows"),
        ({"flows": msgspec.structs.replace(FLOWS, flagged=())}, "flows"),
        (
            {
                "flows": msgspec.structs.replace(
                    FLOWS, flagged=(*FLOWS.flagged, Flagged(processor="q", outcome="excessive", why="w"))
                )
            },
            "flows",
        ),
    ],
)
def test_account_when_papers_or_flows_are_otherwise_then_it_is_a_surprise(governed, step):
    """An empty field of the law, an entry that nobody counted, a flow that is not as declared: each is named."""
    found = account(governed=msgspec.structs.replace(GOVERNED, **governed)).surprises
    assert [surprise.step for surprise in found] == [step]
