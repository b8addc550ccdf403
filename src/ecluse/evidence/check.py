"""What may be handed in, opened and asked for: rules without a clock or a database, each a `Fault` that says where, why and the mend. Pure.

Of a document:
 1 its kind is one of the vocabulary, its title and issuer are plain texts
 2 ``reviewed_on`` is not to come, ``ends_on`` not before it, the period in order
 3 a bridge leads to a document of the same kind and processor that was neither rejected nor withdrawn, and is no bridge itself
 4 each site is one of the contract's
 5 a list of sub-processors has rows, and nothing else has
A kind that the contract does not ask for is taken, with a warning.

Of a finding: a critical one is due within 30 days, a high one within 90, any within a year; a day that is over already freezes or warns at once.

Of an override: 1 to 72 hours, reasons that freeze now and that two persons may lift.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from ecluse.contracts import Contract, EvidenceKind, GateState, Severity, Standing, gate_of
from ecluse.contracts.gate import LIFTABLE
from ecluse.evidence.errors import EvidenceRefused
from ecluse.evidence.model import Evidence, EvidenceState, Fault, Submission
from ecluse.evidence.rows import MOST_CHARACTERS, is_plain

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

MOST_SCOPE: Final = 2_000
MOST_WHY: Final = 1_000
MOST_HOURS: Final = 72
MOST_REASONS: Final = 20
MOST_DAYS: Final = {Severity.CRITICAL: 30, Severity.HIGH: 90, Severity.MEDIUM: 365, Severity.LOW: 365}
"""How many days ahead a finding may be due, by severity."""
FIRST_DAY: Final = date(2000, 1, 1)

_ALWAYS_FIT: Final = frozenset(
    {EvidenceKind.SUB_PROCESSOR_LIST, EvidenceKind.SIGNED_CONTRACT, EvidenceKind.DELETION_ATTESTATION, EvidenceKind.AUDIT}
)
"""Kinds that mean something whatever the contract asks for."""
_TEXT: Final = f"Write 1 to {MOST_CHARACTERS} visible characters on one line"
_SOON_TOLD: Final = "evidence:lapses-soon:"


def check_submission(asked: Submission, *, today: date, contract: Contract | None, bridged: Evidence | None) -> tuple[Fault, ...]:
    """Return what to look at in a document that may be handed in. Raises `EvidenceRefused` with every fault of one that may not.

    ``today``: of the controller's time zone; ``contract``: in force, None without one; ``bridged``: the document that ``bridges`` names, None without one.
    """
    faults = (*_of_texts(asked), *_of_days(asked, today), *_of_bridge(asked, bridged), *_of_sites(asked, contract))
    if faults:
        raise EvidenceRefused(faults)
    return tuple(_warnings(asked, today, contract))


def _of_texts(asked: Submission) -> Iterator[Fault]:
    """Ask rules 1 and 5."""
    kinds = [kind.value for kind in EvidenceKind]
    if asked.kind not in kinds:
        yield Fault(where="kind", why="it is not a kind of evidence", mend=f"Write one of {', '.join(kinds)}")
    for where, text in (("title", asked.title), ("issuer", asked.issuer)):
        if not is_plain(text):
            yield Fault(where=where, why="it is empty, or not a plain text", mend=_TEXT)
    if asked.scope and not is_plain(asked.scope, MOST_SCOPE):
        yield Fault(
            where="scope", why="it is not a plain text", mend=f"Write at most {MOST_SCOPE} visible characters on one line"
        )
    listed = asked.kind == EvidenceKind.SUB_PROCESSOR_LIST
    if listed and not asked.sub_processors:
        why = "a list of sub-processors has no rows that can be read"
        yield Fault(
            where="sub_processors", why=why, mend="Hand in a CSV or XLSX file with the columns, or the rows beside the document"
        )
    if asked.sub_processors and not listed:
        yield Fault(
            where="sub_processors",
            why="only a list of sub-processors has rows",
            mend="Leave them out, or say kind sub-processor-list",
        )


def _of_days(asked: Submission, today: date) -> Iterator[Fault]:
    """Ask rule 2."""
    if asked.reviewed_on > today:
        yield Fault(
            where="reviewed_on", why="the day is still to come", mend="Write the day on which it was made or last reviewed"
        )
    if asked.reviewed_on < FIRST_DAY:
        yield Fault(where="reviewed_on", why="the day is before 2000", mend="Write the day on which it was made or last reviewed")
    if asked.ends_on is not None and asked.ends_on < asked.reviewed_on:
        yield Fault(
            where="ends_on", why="the day is before reviewed_on", mend="Write the document's own last day, or leave it out"
        )
    if asked.period is not None and asked.period[1] < asked.period[0]:
        yield Fault(where="period", why="its last day is before its first", mend="Write the first day, then the last")


def _of_bridge(asked: Submission, bridged: Evidence | None) -> Iterator[Fault]:
    """Ask rule 3."""
    if asked.bridges is None:
        return
    if bridged is None or bridged.processor != asked.processor:
        yield Fault(
            where="bridges", why="this processor has no such document", mend="Name the evd_… of the document that it prolongs"
        )
    elif bridged.kind != asked.kind:
        yield Fault(
            where="bridges", why="that document is of another kind", mend="A bridge letter prolongs a document of its own kind"
        )
    elif bridged.state in {EvidenceState.REJECTED, EvidenceState.WITHDRAWN}:
        yield Fault(
            where="bridges", why=f"that document was {bridged.state}", mend="Hand in a document that counts, and bridge that"
        )
    elif bridged.bridges is not None:
        yield Fault(
            where="bridges",
            why="that document is a bridge letter itself",
            mend="Hand in a new document: three months is the most",
        )


def _of_sites(asked: Submission, contract: Contract | None) -> Iterator[Fault]:
    """Ask rule 4."""
    known = contract.sites if contract is not None else {}
    for site in dict.fromkeys(asked.sites):
        if site not in known:
            mend = f"Write one of {', '.join(known)}, or none for all" if known else "There is no contract in force: name no site"
            yield Fault(where="sites", why="the contract has no such site", mend=mend)
    if len(set(asked.sites)) < len(asked.sites):
        yield Fault(where="sites", why="a site stands twice", mend="Write each site once")


def _warnings(asked: Submission, today: date, contract: Contract | None) -> Iterator[Fault]:
    """Say what to look at."""
    asked_for = {each.kind: each for each in contract.evidence_required} if contract is not None else {}
    required = asked_for.get(asked.kind)
    if required is not None and required.age.after(asked.reviewed_on) < today:
        why = f"it is older than the contract allows ({required.max_age}), so it will not count"
        yield Fault(where="reviewed_on", why=why, mend="Hand in a newer one")
    if asked.ends_on is not None and asked.ends_on < today:
        yield Fault(where="ends_on", why="the day is over, so it will not count", mend="Hand in one that is still good")
    if required is None and asked.kind not in _ALWAYS_FIT:
        yield Fault(where="kind", why="the contract in force does not ask for it", mend="It is kept, and moves no gate")
    if asked.kind == EvidenceKind.DELETION_ATTESTATION and contract is not None and today <= contract.ends_on:
        why = "the contract has not ended: an attestation counts once it is accepted after the last day"
        yield Fault(where="kind", why=why, mend=f"Accept it after {contract.ends_on}")


def check_finding(*, severity: Severity, title: str, due_on: date, today: date) -> None:
    """Refuse a finding whose title is no plain text, or that is due too late for how bad it is. Raises `EvidenceRefused`."""
    faults = []
    if not is_plain(title):
        faults.append(Fault(where="title", why="it is empty, or not a plain text", mend=_TEXT))
    most = MOST_DAYS[severity]
    if due_on > today + timedelta(days=most):
        why = f"a finding of severity {severity} is due within {most} days"
        faults.append(Fault(where="due_on", why=why, mend=f"Write {today + timedelta(days=most)} or an earlier day"))
    if due_on < FIRST_DAY:
        faults.append(Fault(where="due_on", why="the day is before 2000", mend="Write the last day to mend it"))
    if faults:
        raise EvidenceRefused(tuple(faults))


def check_words(where: str, text: str) -> None:
    """Refuse words that are none: a reason, or what was done. Raises `EvidenceRefused`."""
    if not is_plain(text, MOST_WHY):
        mend = f"Write 1 to {MOST_WHY} visible characters on one line"
        raise EvidenceRefused((Fault(where=where, why="it is empty, or not a plain text", mend=mend),))


def freezing(contract: Contract, standing: Standing, *, at: datetime, timezone: ZoneInfo) -> tuple[str, ...]:
    """Return the reasons that freeze the gate now and that an override may lift: none of the contract's own, none that is lifted already."""
    lifted = {
        reason
        for each in standing.overrides
        if each.from_at <= at < each.until_at and (each.revoked_at is None or at < each.revoked_at)
        for reason in each.reasons
    }
    bare = gate_of(contract, msgspec.structs.replace(standing, overrides=()), at=at, timezone=timezone)
    if bare.state is not GateState.FROZEN:
        return ()
    return tuple(
        reason
        for reason in bare.reasons
        if reason.startswith(LIFTABLE) and not reason.startswith(_SOON_TOLD) and reason not in lifted
    )


def check_override(*, reasons: tuple[str, ...], why: str, hours: int, now_freezing: tuple[str, ...]) -> None:
    """Refuse an override that lifts nothing, too much or for too long. ``now_freezing``: as `freezing` returns it. Raises `EvidenceRefused`."""
    faults = []
    if not 1 <= hours <= MOST_HOURS:
        faults.append(
            Fault(where="hours", why=f"it is not 1 to {MOST_HOURS}", mend="Settle the matter itself if it takes longer")
        )
    if not is_plain(why, MOST_WHY):
        mend = f"Write 1 to {MOST_WHY} visible characters on one line"
        faults.append(Fault(where="why", why="it is empty, or not a plain text", mend=mend))
    if not 1 <= len(reasons) <= MOST_REASONS or len(set(reasons)) < len(reasons):
        faults.append(
            Fault(where="reasons", why=f"they are not 1 to {MOST_REASONS}, each once", mend="Name the reasons that freeze now")
        )
    for reason in reasons:
        if reason.startswith("contract:"):
            why_not, mend = "what the contract itself lacks can't be lifted", "Put a version of the contract in force that has it"
        elif reason not in now_freezing:
            why_not = "it does not freeze the gate now"
            mend = f"Name one of: {', '.join(now_freezing)}" if now_freezing else "Nothing freezes it that could be lifted"
        else:
            continue
        faults.append(Fault(where=f"reason {reason}" if is_plain(reason) else "reason", why=why_not, mend=mend))
    if faults:
        raise EvidenceRefused(tuple(faults))
