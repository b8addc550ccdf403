"""The account of the day: what the ledger says, what the processors saw, and whether the two agree. Figures only, no person.

Each of these must hold, or it is a surprise:

1  every step had its expected outcome (noted as it happened)
2  the ledger holds as many grants as the processors got, counted receipt by receipt, and as many refusals of each reason
3  a lost answer was redelivered from its first entry; a colleague of another room is marked in the entry
4  nothing was granted to the suspended client between the hold's entry and its release
5  every entry, opening, tile and checkpoint checks, and the last signed checkpoint is of that very tree
6  every witness of the policy cosigned that checkpoint
7  the gates that let nothing through at the end are those of the table, each for its one reason, and the ledger holds each refusal with that reason
8  of each of them both parties were told, in a mail that arrived
9  no paper lacks what the law asks for, every entry is counted, and of all flows one is flagged: to the sub-processor that nobody agreed to
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from ecluse.demo.day import Day, Example
from ecluse.demo.expected import GRANTED, SHUT, STEPS, Journal, Surprise, Told, bare
from ecluse.demo.governance import Governed
from ecluse.demo.model import Part
from ecluse.demo.tally import LedgerCheck, Tally
from ecluse.policy import Reason


class AgencyFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The agency's size. ``attributes``: those the register's map names; ``unmapped``: columns that it doesn't."""

    people: int
    processors: int
    sessions: int
    places: int
    attributes: tuple[str, ...]
    unmapped: tuple[str, ...]


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the run took: seconds in all and for the day, the gate's memory now and at most (0: the system does not say), and where it is."""

    seconds: float
    day_seconds: float
    memory_bytes: int
    memory_most_bytes: int
    folder: str
    base_url: str


class StepCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often a step was made; ``outcome``: what was expected of it."""

    step: str
    says: str
    outcome: str
    count: int
    told: Told


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. ``checkpoint``: the signed note at the end of the day; ``witnesses``: who cosigned it, in words."""

    agency: AgencyFacts
    run: RunFacts
    steps: tuple[StepCount, ...]
    tally: Tally
    ledger: LedgerCheck
    checkpoint: str
    witnesses: tuple[str, ...]
    receipts: int
    proofs: int
    governed: Governed
    example: Example
    surprises: tuple[Surprise, ...]


def account_of(
    day: Day, tally: Tally, ledger: LedgerCheck, governed: Governed, *, agency: AgencyFacts, run: RunFacts, witnesses: Mapping[str, str],
    parts: Mapping[Part, str],
) -> Account:  # fmt: skip
    """Bring everything together and compare it. ``witnesses``: who runs each, by its name in the policy; ``parts``: which processor plays each."""
    _compare(day, tally, ledger, witnesses)
    _compare_gates(day.journal, governed, parts)
    seen = day.journal.seen
    return Account(
        agency=agency,
        run=run,
        steps=tuple(
            StepCount(step=name, says=step.says, outcome=step.expected, count=seen[name], told=step.told)
            for name, step in STEPS.items()
        ),
        tally=tally,
        ledger=ledger,
        checkpoint=day.checkpoint,
        witnesses=tuple(says for name, says in witnesses.items() if name in day.cosigned_by),
        receipts=seen["receipt"],
        proofs=seen["proof"],
        governed=governed,
        example=day.example,
        surprises=tuple(day.journal.surprises),
    )


def _compare(day: Day, tally: Tally, ledger: LedgerCheck, witnesses: Mapping[str, str]) -> None:
    """Check what must hold between the processors' view and the ledger's; note what does not."""
    journal = day.journal
    for step in STEPS:  # 1
        _must(journal, step, expected="at least once", found="never" if journal.seen[step] == 0 else "at least once")
    grants = journal.outcomes[GRANTED] + journal.outcomes["redelivered"]
    _must(journal, "grants", expected=f"{grants} granted", found=f"{tally.grants} granted")  # 2
    _must(journal, "receipts", expected=f"{tally.grants} receipts", found=f"{journal.seen['receipt']} receipts")
    _must(journal, "refusals", expected=_words(_refusals(journal)), found=_words(Counter(tally.refusals)))
    redelivered = journal.outcomes["redelivered"]
    _must(journal, "redelivery", expected=f"{redelivered} redelivered", found=f"{tally.redelivered} redelivered")  # 3
    _must(journal, "other-room", expected=f"{journal.seen['other-room']} marked", found=f"{tally.unlisted} marked")
    _must(journal, "held", expected="0 granted", found=f"{tally.while_held} granted")  # 4
    _must(journal, "ledger", expected="sound", found="; ".join(ledger.problems) or "sound")  # 5
    signed = day.checkpoint.split("\n")[1:3]
    expected = [str(ledger.size), ledger.root_base64]
    _must(journal, "checkpoint", expected=" ".join(expected), found=" ".join(signed))
    _must(journal, "witnesses", expected=", ".join(sorted(witnesses)), found=", ".join(day.cosigned_by))  # 6


def _compare_gates(journal: Journal, governed: Governed, parts: Mapping[Part, str]) -> None:
    """Check what must hold of gates, notices, flows and papers; note what does not."""
    found = {shut.processor: shut for shut in governed.shut}
    _must(
        journal, "gates", expected=", ".join(sorted(parts[part] for part in SHUT.values())), found=", ".join(sorted(found))
    )  # 7
    for step, part in SHUT.items():
        shut = found.get(parts[part])
        if shut is None:
            continue
        why = " ".join(f"gate-frozen:{bare(each.code)}" for each in shut.reasons)
        _must(journal, step, expected=STEPS[step].expected, found=why)
        _must(journal, step, expected=f"{journal.seen[step]} refused", found=f"{shut.refused} refused")
        told = ", ".join(each.party for each in shut.notified)
        _must(journal, step, expected="processor, controller told", found=f"{told} told")  # 8
    flows = governed.flows
    _must(journal, "papers", expected="0 missing", found=f"{sum(paper.missing for paper in governed.papers)} missing")  # 9
    _must(journal, "flows", expected=f"{flows.entries} counted", found=f"{flows.counted} counted")
    flagged = sorted({f"{one.processor} {one.outcome}" for one in flows.flagged})
    _must(journal, "flows", expected=f"{parts[Part.ROBBED]} sub-processor-mismatch", found=", ".join(flagged))


def _must(journal: Journal, step: str, *, expected: str, found: str) -> None:
    if expected != found:
        journal.surprise(step, "ledger", expected=expected, found=found)


def _refusals(journal: Journal) -> Counter[str]:
    """Count the sealed refusals that the processors saw, by public reason."""
    reasons = {reason.value for reason in Reason}
    found: Counter[str] = Counter()
    for outcome, count in journal.outcomes.items():
        code = outcome.partition(":")[0]
        if code in reasons:
            found[code] += count
    return found


def _words(counts: Counter[str]) -> str:
    """Write counts so that they compare and read well."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
