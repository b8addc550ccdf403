"""What ``ecluse.seal()`` promises, written request by request without regard to speed: the reference that a test holds the function to.

Written from the comment above the function, `docs/decisions/0001-formats.md` and the promises, not from its statements. Where one request has several
faults the first of this list is its word:

1. *The batch*: ``stale``, then ``clock-untrusted``; nobody is looked at.
2. *The request by itself* (``_fault``): ``replay``; of its key, ``again``, ``redelivery-spent`` or ``key-used``; ``outside``; the reads of its appointment.
3. *Its person* (``_crowded``), among those that stand so far: in each budget the new persons are let in by the first request that brings them until
   it is full, and whoever brings one of the others falls. Of several limits of one budget the least is meant.
4. *The batch again*: where it stands or falls as one and somebody fell, the rest is ``group``.

A refusal and a mere count have one fault, a used proof. What is null, or a word that nobody knows, opens nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from ecluse.ledger.store import Sealed, SealRow

PLAN_LIFE: Final = timedelta(seconds=5)
"""A plan of exactly this age still counts."""
KEY_LIFE: Final = timedelta(minutes=10)
"""Half-open: a key of exactly this age is gone."""
REDELIVERIES: Final = 5

Budget: TypeAlias = tuple[str, datetime, str]
"""Unit, beginning of its hour, day or month in UTC, scope."""
Verdict: TypeAlias = tuple[str, str]
"""An outcome that is not sealed or redelivered, and the budget that refused it or nothing."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """A log's head."""

    size: int
    control_seq: int
    last_at: datetime


@dataclass(frozen=True, kw_only=True)
class Key:
    """The grant that an idempotency key stands for: entries ``[index, index + entries)``."""

    body_hash: bytes
    index: int
    entries: int
    sealed_at: datetime
    redeliveries: int = 0


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """How often a client was refused in a minute: with an entry of its own, and only counted."""

    sealed: int = 0
    counted: int = 0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry with its opening's columns: event, disclosure, processor, agent, subject, fields, salts."""

    leaf: bytes
    sealed_at: datetime
    opening: tuple[str | bytes | None, ...]


@dataclass(kw_only=True)
class State:
    """All that a seal may read or write.

    ``heads`` by log, ``entries`` of log 1, ``reads`` by (processor, handle), ``keys`` by (client, endpoint, key), ``refusals`` by (client, minute).
    """

    heads: dict[int, Head]
    entries: dict[int, Entry]
    reads: dict[tuple[str, str], int]
    persons: dict[Budget, set[str]]
    proofs: set[tuple[int, bytes]]
    keys: dict[tuple[str, str, str], Key]
    refusals: dict[tuple[str, int], Refusals]


def live_key(state: State, row: SealRow, now: datetime) -> Key | None:
    """Return what a request's key stands for at an instant."""
    key = state.keys.get((row.client, row.endpoint, row.key)) if row.key is not None else None
    return key if key is not None and now < key.sealed_at + KEY_LIFE else None


def bucket(unit: str, now: datetime) -> datetime:
    """Return the beginning of the clock hour, day or month in UTC."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    return {"h": hour, "d": hour.replace(hour=0), "m": hour.replace(hour=0, day=1)}[unit]


def minute(now: datetime) -> int:
    """Return the whole minutes since 1970."""
    return (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(minutes=1)


def seal(
    state: State,
    log: int | None,
    control_seq: int | None,
    at: datetime | None,
    rows: Sequence[SealRow],
    *,
    atomic: bool,
    now: datetime,
) -> tuple[list[Sealed], State]:
    """Return each request's outcome, and the state after it; ``now`` is the clock under the lock, ``at`` when it was planned."""
    head = state.heads.get(log) if log is not None else None
    if head is None or at is None or head.control_seq != control_seq or now - at > PLAN_LIFE:
        return [_fallen("stale") for _ in rows], state
    if now < head.last_at or now < at:
        return [_fallen("clock-untrusted") for _ in rows], state
    verdicts = [_fault(state, rows, place, now, atomic=atomic) for place in range(len(rows))]
    crowded = _crowded(state, {n: row for n, row in enumerate(rows) if verdicts[n] is None}, now, atomic=atomic)
    verdicts = [crowded.get(n) if verdict is None else verdict for n, verdict in enumerate(verdicts)]
    if atomic and any(verdicts):
        verdicts = [verdict or ("group", "") for verdict in verdicts]
    if all(verdicts):
        return [_fallen(*verdict) for verdict in verdicts if verdict], state
    after = deepcopy(state)
    for row in (row for row, verdict in zip(rows, verdicts, strict=True) if verdict is None):
        _count(after, row, now)
    outcomes = [
        _write(after, row, now) if verdict is None else _fallen(*verdict) for row, verdict in zip(rows, verdicts, strict=True)
    ]
    after.heads[1] = replace(after.heads[1], last_at=now)
    return outcomes, after


def _fallen(outcome: str, scope: str = "") -> Sealed:
    """Return what becomes of a request that nothing is written of."""
    return Sealed(outcome=outcome, index=-1, scope=scope, refusals=0)


def _fault(state: State, rows: Sequence[SealRow], place: int, now: datetime, *, atomic: bool) -> Verdict | None:
    """Judge one request by itself; of its neighbours only those before it that want the same appointment's reads count, fallen or not."""
    row = rows[place]
    key = live_key(state, row, now)
    if (row.slot, row.proof) in state.proofs:
        return "replay", ""
    # a roll-call's key rides on its first place only; the others have none to be judged by
    if row.kind == "redeliver" and row.key is not None:
        if key is None or row.index not in range(key.index, key.index + key.entries):
            return "again", ""
        if key.redeliveries >= REDELIVERIES:
            return "redelivery-spent", ""
    if row.kind == "grant" and key is not None:
        return "key-used", ""
    if row.kind in {"refuse", "count"}:
        return None
    known = row.kind in {"grant", "redeliver"}
    if not (known and row.valid_from and row.valid_until and row.valid_from <= now < row.valid_until):
        return "outside", ""
    return _reads(state, rows, place, atomic=atomic) if row.kind == "grant" else None


def _reads(state: State, rows: Sequence[SealRow], place: int, *, atomic: bool) -> Verdict | None:
    """Judge a grant by its appointment: it is there, and has a read left."""
    row = rows[place]
    reads, most = state.reads.get((row.processor, row.handle)), _figure(row.max_reads)
    if reads is None:
        return "again", ""
    before = sum(r.kind == "grant" and (r.processor, r.handle) == (row.processor, row.handle) for r in rows[:place])
    if reads >= most or (atomic and reads + before >= most):
        return "budget", "reads"
    return ("again", "") if reads + before >= most else None


def _figure(limit: int | None) -> int:
    """Read a limit; one that is null lets nobody in."""
    return 0 if limit is None else limit


def _crowded(state: State, standing: dict[int, SealRow], now: datetime, *, atomic: bool) -> dict[int, Verdict]:
    """Find who brings a person for whom a budget has no room: final where it was full before, or where nobody else may fall away."""
    full: dict[int, list[str]] = {}
    crowded: set[int] = set()
    for unit, scope in {spend[:2] for row in standing.values() for spend in row.spends}:
        known = state.persons.get((unit, bucket(unit, now), scope), set())
        said = {n: [_figure(spend[2]) for spend in row.spends if spend[:2] == (unit, scope)] for n, row in standing.items()}
        bringing = {n: row.subject for n, row in standing.items() if said[n] and row.subject not in known}
        limit = min((each for n in bringing for each in said[n]), default=0)
        arrivals = list(dict.fromkeys(bringing.values()))
        outside = arrivals[max(0, limit - len(known)) :]
        for n in (n for n, subject in bringing.items() if subject in outside):
            crowded.add(n)
            if atomic or len(known) >= limit:
                full.setdefault(n, []).append(f"{unit}:{scope}")
    return {n: ("budget", min(full[n])) if n in full else ("again", "") for n in crowded}


def _count(state: State, row: SealRow, now: datetime) -> None:
    """Count a refusal that stands, once: a roll-call is one, and its proof rides on its first place."""
    if row.kind not in {"refuse", "count"} or row.proof is None:
        return
    so_far = state.refusals.get((row.client, minute(now)), Refusals())
    state.refusals[row.client, minute(now)] = Refusals(
        sealed=so_far.sealed + (row.kind == "refuse"), counted=so_far.counted + (row.kind == "count")
    )


def _write(state: State, row: SealRow, now: datetime) -> Sealed:
    """Write one request that stands; all of its batch's refusals are counted."""
    if row.slot is not None and row.proof is not None:
        state.proofs.add((row.slot, row.proof))
    counts = state.refusals.get((row.client, minute(now)), Refusals()) if row.kind in {"refuse", "count"} else Refusals()
    refusals = counts.sealed + counts.counted
    name = (row.client, row.endpoint, row.key) if row.key is not None else None
    if row.kind == "count":
        return Sealed(outcome="counted", index=-1, scope="", refusals=refusals)
    if row.kind == "redeliver":
        if name is not None:
            state.keys[name] = replace(state.keys[name], redeliveries=state.keys[name].redeliveries + 1)
        return Sealed(outcome="redelivered", index=-1, scope="", refusals=refusals)
    head = state.heads[1]
    state.heads[1] = replace(head, size=head.size + 1)
    state.entries[head.size] = _entry(row, now)
    if row.kind == "grant":
        state.reads[row.processor, row.handle] += 1
        if name is not None:
            state.keys[name] = Key(body_hash=row.body_hash, index=head.size, entries=row.entries, sealed_at=now)
        for unit, scope, _ in row.spends:
            state.persons.setdefault((unit, bucket(unit, now), scope), set()).add(str(row.subject))
    return Sealed(outcome="sealed", index=head.size, scope="", refusals=refusals)


def _entry(row: SealRow, now: datetime) -> Entry:
    """Make a request's entry."""
    if row.committed is None:
        raise AssertionError("impossible: a decision without its fields")
    told = (row.event, row.disclosure, row.processor, row.agent, row.subject, row.committed.fields, row.committed.salts)
    return Entry(leaf=row.committed.leaf, sealed_at=now, opening=told)
