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
 9 … is there, and lapses within 30 days, before the end    warn     ``evidence:lapses-soon:<kind>``
10 a critical or high finding is past its due day           frozen   ``finding:overdue:<id>``
11 another finding is past its due day                      warn     ``finding:late:<id>``
12 a critical or high finding is due within 30 days         warn     ``finding:due-soon:<id>``
13 the processor's own list names a sub-processor that      frozen   ``sub-processor:undeclared:<id>``
   the contract does not name
14 two persons lifted a frozen reason for a while           warn     ``override:<id>``, beside the reason lifted

An override lifts what it names among rules 6, 7, 8, 10 and 13, never what the contract itself lacks. The state is the worst; all reasons are told, worst
first. Days are days of the controller's time zone, both ends included.

A document is good from its acceptance through the day on which it is ``max_age`` old, or its own last day if that is earlier, until it is withdrawn. A bridge
letter is good while the document that it prolongs stands, for that one's sites, and for three months after its last day at most; a bridge does not prolong a
bridge. What is asked of an instant is answered by what was known then: a warning does not foresee the next document, nor a withdrawal.
"""

from __future__ import annotations

import unicodedata
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
_DAY: Final = timedelta(days=1)


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

    In ``[told_from, told_until)`` state and reasons are these, too: until then this need not be asked again. All instants are UTC, `FAR_PAST` and
    `FAR_FUTURE` where there is no bound.
    """

    state: GateState
    reasons: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime
    told_from: datetime
    told_until: datetime


class _Span(msgspec.Struct, frozen=True):
    """When one document is good enough for one requirement: ``[begins, ends)``, for these sites (none: all). ``lapses``: its end by its days alone."""

    begins: datetime
    ends: datetime
    lapses: datetime
    sites: tuple[str, ...]


class _Required(msgspec.Struct, frozen=True):
    """One requirement: since when a document of its kind was ever accepted (None: never), and the spans of those that can meet it."""

    kind: str
    since: datetime | None
    spans: tuple[_Span, ...]


class _Listed(msgspec.Struct, frozen=True):
    """A list of sub-processors, and whether the contract names all of them."""

    id: str
    begins: datetime
    ends: datetime
    known: bool


class Gatekeeper:
    """Knows the gate of one contract at every instant. Made once for a contract and what stands beside it, asked as often as wanted."""

    def __init__(self, contract: Contract, standing: Standing, timezone: ZoneInfo) -> None:
        """Read days in the controller's ``timezone``."""
        self._sites = tuple(contract.sites)
        self._opens, self._ends = days_between(contract.starts_on, contract.ends_on, timezone)
        self._clauses = missing_clauses(contract)
        self._required = tuple(_required(standing.documents, required, timezone) for required in contract.evidence_required)
        self._attested = [
            (each.accepted_at, each.withdrawn_at or FAR_FUTURE)
            for each in standing.documents
            if each.kind == EvidenceKind.DELETION_ATTESTATION
        ]
        self._lists = _lists(standing.documents, {_spelled(sub.name) for sub in contract.sub_processors})
        self._findings = [(each, day_after(each.due_on, timezone)) for each in standing.findings]
        self._overrides = standing.overrides
        edges = {FAR_PAST, FAR_FUTURE, *map(_bounded, self._instants())}
        told = {*map(_bounded, self._warnings())}
        self._edges = sorted(edges)
        self._news = sorted(edges | told)

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
        told = bisect_right(self._news, instant)
        return Gate(
            state=state, reasons=reasons, valid_from=self._edges[first], valid_until=self._edges[last],
            told_from=self._news[told - 1], told_until=self._news[told],
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
        """Yield every instant at which the gate may begin or cease to permit."""
        yield from (self._opens, self._ends)
        for required in self._required:
            yield required.since or FAR_FUTURE  # from "missing" to "lapsed": an override may lift one and not the other
            for span in required.spans:
                yield from (span.begins, span.ends)
        for each in self._lists:
            yield from (each.begins, each.ends)
        for finding, due in self._findings:
            yield from (finding.opened_at, due, finding.closed_at or FAR_FUTURE)
        for override in self._overrides:
            yield from (override.from_at, _over(override))

    def _warnings(self) -> Iterator[datetime]:
        """Yield every further instant at which reasons may change that permit or forbid nothing of themselves."""
        yield self._ends - SOON
        for required in self._required:
            yield from (span.lapses - SOON for span in required.spans)
        for attestation in self._attested:
            yield from attestation
        yield from (due - SOON for _, due in self._findings)

    def _state(self, at: datetime) -> tuple[GateState, tuple[str, ...]]:
        """Go through the rules."""
        closed: list[str] = []
        frozen, warned = (list(reasons) for reasons in self._clauses)  # 3, 4
        # 1, 2, 5 days
        if at < self._opens:
            closed.append("contract:dates:not-started")
        elif at >= self._ends:
            closed.append("contract:dates:ended")
            if not any(self._ends <= accepted <= at < withdrawn for accepted, withdrawn in self._attested):
                closed.append(f"evidence:missing:{EvidenceKind.DELETION_ATTESTATION}")
        elif self._ends - at <= SOON:
            warned.append("contract:dates:ends-soon")
        for required in self._required:
            self._of_evidence(required, at, frozen, warned)  # 6 to 9
        for finding, due in self._findings:
            _of_finding(finding, due, at, frozen, warned)  # 10 to 12
        # 13 the newest list that counts
        newest = next((each for each in reversed(self._lists) if each.begins <= at < each.ends), None)
        if newest is not None and not newest.known:
            frozen.append(f"sub-processor:undeclared:{newest.id}")
        self._lift(at, frozen, warned)  # 14
        return worst_state(closed=tuple(closed), frozen=tuple(frozen), warned=tuple(warned)), (*closed, *frozen, *warned)

    def _of_evidence(self, required: _Required, at: datetime, frozen: list[str], warned: list[str]) -> None:
        """Ask rules 6 to 9 of one requirement, of what is known at the instant: neither later documents nor later withdrawals."""
        good = [span for span in required.spans if span.begins <= at < span.ends]
        missing = self._uncovered(good)
        if not good:
            seen = required.since is not None and required.since <= at
            frozen.append(f"evidence:{'lapsed' if seen else 'missing'}:{required.kind}")
        elif missing:
            frozen += (f"evidence:site:{required.kind}:{site}" for site in missing)
        else:
            left = [span for span in good if span.lapses - at > SOON or span.lapses >= self._ends]
            if self._uncovered(left):
                warned.append(f"evidence:lapses-soon:{required.kind}")

    def _uncovered(self, spans: list[_Span]) -> tuple[str, ...]:
        """Return the sites that none of these cover."""
        if not all(span.sites for span in spans):
            return ()
        covered = {site for span in spans for site in span.sites}
        return tuple(site for site in self._sites if site not in covered)

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


def _required(documents: tuple[Document, ...], required: EvidenceRequired, timezone: ZoneInfo) -> _Required:
    """Gather what can meet a requirement."""
    ours = {each.id: each for each in documents if each.kind == required.kind}
    spans = (_span(each, ours, required, timezone) for each in ours.values())
    return _Required(
        kind=required.kind,
        since=min((each.accepted_at for each in ours.values()), default=None),
        spans=tuple(span for span in spans if span is not None and span.begins < span.ends),
    )


def _span(document: Document, ours: dict[str, Document], required: EvidenceRequired, timezone: ZoneInfo) -> _Span | None:
    """Return when a document is good enough, None for a bridge letter that leads from nowhere: it has to prolong a document that is no bridge itself."""
    begins, last, withdrawn, sites = document.accepted_at, _last_day(document, required), document.withdrawn_at, document.sites
    if document.bridges is not None:
        base = ours.get(document.bridges)
        if base is None or base.bridges is not None:
            return None
        begins, last = max(begins, base.accepted_at), min(last, BRIDGE.after(_last_day(base, required)))
        withdrawn = min((at for at in (withdrawn, base.withdrawn_at) if at is not None), default=None)
        sites = tuple(site for site in sites if site in base.sites) if sites and base.sites else sites or base.sites
        if not sites and document.sites:
            return None  # it is for other sites than what it prolongs
    lapses = day_after(last, timezone)
    return _Span(begins, min(lapses, withdrawn or FAR_FUTURE), lapses, sites)


def good_between(
    document: Document, documents: tuple[Document, ...], required: EvidenceRequired, timezone: ZoneInfo
) -> tuple[datetime, datetime] | None:
    """Return the half-open interval in which a document meets a requirement, None for never. ``documents``: among them the one that it bridges."""
    ours = {each.id: each for each in documents if each.kind == required.kind}
    span = _span(document, ours, required, timezone) if document.id in ours else None
    return (span.begins, span.ends) if span is not None and span.begins < span.ends else None


def _last_day(document: Document, required: EvidenceRequired) -> date:
    """Return the last day on which a document is young enough and not past its own end."""
    oldest = required.age.after(document.reviewed_on)
    return oldest if document.ends_on is None else min(oldest, document.ends_on)


def _lists(documents: tuple[Document, ...], declared: set[str]) -> list[_Listed]:
    """Return the lists of sub-processors, oldest first."""
    lists = [each for each in documents if each.kind == EvidenceKind.SUB_PROCESSOR_LIST]
    return [
        _Listed(
            each.id,
            each.accepted_at,
            each.withdrawn_at or FAR_FUTURE,
            {_spelled(name) for name in each.sub_processors} <= declared,
        )
        for each in sorted(lists, key=lambda one: (one.accepted_at, one.id))
    ]


def _spelled(name: str) -> str:
    """Return a company's name as names are compared: neither case nor spaces make another company."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


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


def _over(override: Override) -> datetime:
    """Return the instant from which an override is over."""
    return min(override.until_at, override.revoked_at or FAR_FUTURE)


def _bounded(at: datetime) -> datetime:
    """Return an instant, or the end of time that it is beyond."""
    return min(max(at, FAR_PAST), FAR_FUTURE)


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
    """Return the first instant, in UTC, after a day of a time zone; an end of time for a day that is beyond it, as 9999-12-31 that means "never"."""
    if not FAR_PAST.date() < day < FAR_FUTURE.date() - _DAY:
        return FAR_PAST if day <= FAR_PAST.date() else FAR_FUTURE
    return _day_start(day + _DAY, timezone)


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
