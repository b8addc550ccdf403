"""The gate of a contract: a pure function of the contract, what stands for and against its processor, and time.

Holds come on top elsewhere. Rules, each with its reason code (append-only); ``<id>`` is that of the document or finding:
 1 before ``starts_on`` 00:00                               closed   ``contract:dates:not-started``
 2 from the day after ``ends_on`` 00:00                     closed   ``contract:dates:ended``
   … and no deletion attestation was accepted since         closed   ``evidence:missing:deletion-attestation``
 3 a clause of Art. 28(3) is missing                        frozen   ``contract:clause:missing:<clause>``
 4 a house clause is missing                                warn     ``contract:clause:missing:<clause>``
 5 at most 30 days before the end                           warn     ``contract:dates:ends-soon``
 6 a required kind of evidence was never accepted           frozen   ``evidence:missing:<kind>``
 7 … was, and is too old, past its end, or withdrawn        frozen   ``evidence:lapsed:<kind>``
 8 … is there, and not for this site                        frozen   ``evidence:site:<kind>:<site>``
 9 … is there, and lapses within 30 days                    warn     ``evidence:lapses-soon:<kind>``
10 a critical or high finding is past its due day           frozen   ``finding:overdue:<id>``
11 another finding is past its due day                      warn     ``finding:late:<id>``
12 a critical or high finding is due within 30 days         warn     ``finding:due-soon:<id>``
13 the processor's own list names a sub-processor that      frozen   ``sub-processor:undeclared:<id>``
   the contract does not name
14 two persons lifted a frozen reason for a while           warn     ``override:<id>``, beside the reason lifted

An override lifts what it names among rules 6, 7, 8, 10 and 13, never what the contract itself lacks. The state is the worst; all reasons are told, worst
first. Days are days of the controller's time zone, both ends included.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from ecluse.contracts.model import HOUSE_CLAUSES, REQUIRED_CLAUSES, Age, Contract, EvidenceRequired
from ecluse.contracts.standing import FREEZING, AuditFinding, Document, EvidenceKind, Override, Standing

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

FAR_PAST: Final = datetime(1900, 1, 1, tzinfo=UTC)
"""Stands for "since ever": before anything that Écluse decides."""

FAR_FUTURE: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""Stands for "for ever": after anything that Écluse decides, and far enough from ``datetime.max`` for any time zone."""

SOON: Final = timedelta(days=30)
BRIDGE: Final = Age(months=3, days=0)
"""The most by which a bridge letter prolongs a document."""

LIFTABLE: Final = ("evidence:", "finding:overdue:", "sub-processor:")
"""Beginnings of the reasons that an override may lift."""

_MICROSECOND: Final = timedelta(microseconds=1)


class GateState(StrEnum):
    """Whether a contract lets anything through; new states go last."""

    OPEN = "open"
    WARN = "warn"
    FROZEN = "frozen"
    CLOSED = "closed"

    @property
    def permits(self) -> bool:
        """Tell whether disclosure is allowed in this state."""
        return self in (GateState.OPEN, GateState.WARN)


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The state at an instant, why, and the largest half-open interval around it in which *disclosure is as allowed as now*.

    From ``told_until`` on there may be other reasons, or another state of the same permission: until then this need not be asked again.
    """

    state: GateState
    reasons: tuple[str, ...]
    valid_from: datetime  # UTC, included; FAR_PAST where there is no bound
    valid_until: datetime  # UTC, excluded; FAR_FUTURE where there is no bound
    told_from: datetime  # the instant of the decision
    told_until: datetime  # UTC, excluded


class _Span(msgspec.Struct, frozen=True):
    """When one document is good enough for one requirement: ``[begins, ends)``, for these sites (none: all)."""

    begins: datetime
    ends: datetime
    sites: tuple[str, ...]


class _Required(msgspec.Struct, frozen=True):
    """One requirement, with the spans of the documents that can meet it."""

    kind: str
    spans: tuple[_Span, ...]


class Gatekeeper:
    """Knows the gate of one contract at every instant. Made once for a contract and what stands beside it, asked as often as wanted."""

    def __init__(self, contract: Contract, standing: Standing, timezone: ZoneInfo) -> None:
        """Read days in the controller's ``timezone``."""
        self._sites = tuple(contract.sites)
        self._opens, self._ends = days_between(contract.starts_on, contract.ends_on, timezone)
        self._clauses = missing_clauses(contract)
        self._required = tuple(
            _Required(required.kind, tuple(_spans(standing.documents, required, timezone)))
            for required in contract.evidence_required
        )
        self._attested = tuple(
            span
            for span in map(_counted, standing.documents)
            if span is not None and span[0].kind == EvidenceKind.DELETION_ATTESTATION
        )
        declared = {sub.name for sub in contract.sub_processors}
        self._lists = tuple(
            (each.accepted_at, each.withdrawn_at or FAR_FUTURE, each.id, set(each.sub_processors) <= declared)
            for each in sorted(standing.documents, key=lambda one: one.accepted_at)
            if each.kind == EvidenceKind.SUB_PROCESSOR_LIST
        )
        self._findings = tuple((each, day_after(each.due_on, timezone)) for each in standing.findings)
        self._overrides = standing.overrides
        self._edges = sorted({FAR_PAST, FAR_FUTURE, *self._instants()})
        self._news = sorted({*self._edges, *(edge - SOON for edge in self._edges if edge - FAR_PAST > SOON)})

    def at(self, instant: datetime) -> Gate:
        """Decide the gate at an instant (aware)."""
        if instant.utcoffset() is None or not FAR_PAST <= instant < FAR_FUTURE:
            raise AssertionError("impossible: a decision without a zone, or out of time")
        state, reasons = self._state(instant)
        after = bisect_right(self._edges, instant)
        first, last = after - 1, after
        while first > 0 and self._state(self._edges[first - 1])[0].permits is state.permits:
            first -= 1
        while last < len(self._edges) - 1 and self._state(self._edges[last])[0].permits is state.permits:
            last += 1
        return Gate(
            state=state, reasons=reasons, valid_from=self._edges[first], valid_until=self._edges[last],
            told_from=instant, told_until=self._news[bisect_right(self._news, instant)],
        )  # fmt: skip

    def changes(self, begins: datetime, ends: datetime) -> Iterator[tuple[datetime, GateState, tuple[str, ...]]]:
        """Yield each instant of ``[begins, ends)`` from which state or reasons are other than before, the first of them ``begins``."""
        told = None
        for instant in (begins, *(edge for edge in self._news if begins < edge < ends)):
            found = self._state(instant)
            if found != told:
                yield (instant, *found)
            told = found

    def _instants(self) -> Iterator[datetime]:
        """Yield every instant at which it may begin or cease to permit."""
        yield from (self._opens, self._ends)
        for required in self._required:
            for span in required.spans:
                yield from (span.begins, span.ends)
        for document, span in self._attested:
            yield from (document.accepted_at, span)
        for begins, ends, _, _ in self._lists:
            yield from (begins, ends)
        for finding, due in self._findings:
            yield from (finding.opened_at, due, finding.closed_at or FAR_FUTURE)
        for override in self._overrides:
            yield from (override.from_at, _over(override))

    def _state(self, at: datetime) -> tuple[GateState, tuple[str, ...]]:
        """Go through the rules."""
        closed: list[str] = []
        frozen, warned = (list(reasons) for reasons in self._clauses)  # 3, 4
        # 1, 2, 5 days
        if at < self._opens:
            closed.append("contract:dates:not-started")
        elif at >= self._ends:
            closed.append("contract:dates:ended")
            if not any(self._ends <= document.accepted_at <= at < ends for document, ends in self._attested):
                closed.append(f"evidence:missing:{EvidenceKind.DELETION_ATTESTATION}")
        elif self._ends - at <= SOON:
            warned.append("contract:dates:ends-soon")
        for required in self._required:  # 6 to 9
            for reason in self._of_evidence(required, at):
                (warned if reason.startswith("evidence:lapses-soon:") else frozen).append(reason)
        for finding, due in self._findings:  # 10 to 12
            self._of_finding(finding, due, at, frozen, warned)
        # 13 the newest list that counts
        counting = [(name, known) for begins, ends, name, known in self._lists if begins <= at < ends]
        if counting and not counting[-1][1]:
            frozen.append(f"sub-processor:undeclared:{counting[-1][0]}")
        self._lift(at, frozen, warned)  # 14
        return worst_state(closed=tuple(closed), frozen=tuple(frozen), warned=tuple(warned)), (*closed, *frozen, *warned)

    def _of_evidence(self, required: _Required, at: datetime) -> Iterator[str]:
        """Ask rules 6 to 9 of one requirement."""
        missing = self._uncovered(required, at)
        if not missing:
            if self._uncovered(required, at + SOON) and at + SOON < self._ends:
                yield f"evidence:lapses-soon:{required.kind}"
        elif any(span.begins <= at < span.ends for span in required.spans):
            yield from (f"evidence:site:{required.kind}:{site}" for site in missing)
        else:
            seen = any(span.begins <= at for span in required.spans)
            yield f"evidence:{'lapsed' if seen else 'missing'}:{required.kind}"

    def _uncovered(self, required: _Required, at: datetime) -> tuple[str, ...]:
        """Return the sites that no document covers at an instant; all of them, or a dash where there is no site, if there is no document at all."""
        good = [span.sites for span in required.spans if span.begins <= at < span.ends]
        if not good:
            return self._sites or ("-",)
        if not all(good):
            return ()
        covered = {site for sites in good for site in sites}
        return tuple(site for site in self._sites if site not in covered)

    @staticmethod
    def _of_finding(finding: AuditFinding, due: datetime, at: datetime, frozen: list[str], warned: list[str]) -> None:
        """Ask rules 10 to 12 of one finding."""
        if not finding.opened_at <= at < (finding.closed_at or FAR_FUTURE):
            return
        if at >= due:
            if finding.severity in FREEZING:
                frozen.append(f"finding:overdue:{finding.id}")
            else:
                warned.append(f"finding:late:{finding.id}")
        elif finding.severity in FREEZING and due - at <= SOON:
            warned.append(f"finding:due-soon:{finding.id}")

    def _lift(self, at: datetime, frozen: list[str], warned: list[str]) -> None:
        """Ask rule 14: move what is lifted to the warnings."""
        for override in self._overrides:
            lifted = [reason for reason in frozen if reason in override.reasons and reason.startswith(LIFTABLE)]
            if lifted and override.from_at <= at < _over(override):
                frozen[:] = [reason for reason in frozen if reason not in lifted]
                warned += [f"override:{override.id}", *lifted]


def gate_of(contract: Contract, standing: Standing, *, at: datetime, timezone: ZoneInfo) -> Gate:
    """Decide the gate of a contract at the instant ``at`` (aware), its days read in the controller's ``timezone``."""
    return Gatekeeper(contract, standing, timezone).at(at)


def _spans(documents: tuple[Document, ...], required: EvidenceRequired, timezone: ZoneInfo) -> Iterator[_Span]:
    """Yield when each document is good enough for a requirement."""
    by_id = {each.id: each for each in documents}
    for each in documents:
        if each.kind != required.kind:
            continue
        last = _last_day(each, required)
        until = each.withdrawn_at or FAR_FUTURE
        if each.bridges is not None:
            base = by_id.get(each.bridges)
            if base is None or base.kind != each.kind:
                continue  # a bridge from nowhere leads nowhere
            last = min(last, BRIDGE.after(_last_day(base, required)))
            until = min(until, base.withdrawn_at or FAR_FUTURE)
        ends = min(day_after(last, timezone), until)
        if each.accepted_at < ends:
            yield _Span(each.accepted_at, ends, each.sites)


def _last_day(document: Document, required: EvidenceRequired) -> date:
    """Return the last day on which a document is young enough and not past its own end."""
    oldest = required.age.after(document.reviewed_on)
    return oldest if document.ends_on is None else min(oldest, document.ends_on)


def _counted(document: Document) -> tuple[Document, datetime] | None:
    """Return a document with the instant from which it counts no more, None where it never counted."""
    ends = document.withdrawn_at or FAR_FUTURE
    return (document, ends) if document.accepted_at < ends else None


def _over(override: Override) -> datetime:
    """Return the instant from which an override is over."""
    return min(override.until_at, override.revoked_at or FAR_FUTURE)


def missing_clauses(contract: Contract) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the reasons of rule 3 (they freeze) and of rule 4 (they warn)."""
    frozen = tuple(f"contract:clause:missing:{clause}" for clause in REQUIRED_CLAUSES if clause not in contract.clauses)
    warned = tuple(f"contract:clause:missing:{clause}" for clause in HOUSE_CLAUSES if clause not in contract.clauses)
    return frozen, warned


def worst_state(*, closed: tuple[str, ...] = (), frozen: tuple[str, ...], warned: tuple[str, ...]) -> GateState:
    """Return the worst state for which there is a reason, ``open`` if there is none."""
    if closed:
        return GateState.CLOSED
    if frozen:
        return GateState.FROZEN
    return GateState.WARN if warned else GateState.OPEN


def days_between(first: date, last: date, timezone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the half-open interval, in UTC, of the days ``first`` to ``last`` of a time zone, both included."""
    return _day_start(first, timezone), day_after(last, timezone)


def day_after(day: date, timezone: ZoneInfo) -> datetime:
    """Return the first instant, in UTC, after a day of a time zone."""
    return _day_start(day + timedelta(days=1), timezone)


def _day_start(day: date, timezone: ZoneInfo) -> datetime:
    """Return the first instant of a local day in UTC: 00:00, the earlier one if it comes twice, else the jump that skips it."""
    midnight = datetime.combine(day, time(), tzinfo=timezone)
    late = midnight.astimezone(UTC)  # fold 0: the earlier 00:00; in a gap, 00:00 by the offset before it
    if late.astimezone(timezone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return late
    early = midnight.replace(fold=1).astimezone(UTC)  # in a gap, 00:00 by the offset after it: not later than the jump
    while late - early > _MICROSECOND:
        middle = early + (late - early) // 2
        if middle.astimezone(timezone).date() >= day:
            late = middle
        else:
            early = middle
    return late
