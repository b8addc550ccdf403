"""Recording an outcome: the facts of a disclosure read by the same statement, the rules of outcomes, and one function that writes under the head's lock.

An outcome is not sealed. The ledger proves what left the register, and an outcome brings something back: sealing it would keep for twelve months what is
kept for thirty days. It is ordered with everything that is sealed all the same: the head's lock is taken, and a hold or contract sealed meanwhile makes the
plan stale. So nothing is recorded after a suspension's own entry.
"""

from __future__ import annotations

from typing import Final

from ecluse.db import LOST, Pool
from ecluse.disclosure import Busy, ClockUntrustedNow, Door, LedgerUnavailable
from ecluse.disclosure.door import GATHER
from ecluse.disclosure.plan import facts_of
from ecluse.ledger.errors import CommitUncertain
from ecluse.outcomes.check import decide_outcome
from ecluse.outcomes.model import Outcome, Recorded, Unrecorded
from ecluse.outcomes.store import Asking, record

TRIES: Final = 8
"""How often one outcome is planned before the caller is told `Busy`."""
_NO_COURSE: Final = Unrecorded(
    code="invalid-request", detail="A level is for courses, and the schedule names none for this place: leave it out."
)


async def record_outcome(pool: Pool, door: Door, asking: Asking, asked: Outcome, *, log_id: int) -> Recorded | Unrecorded:
    """Record what a processor says of an appointment, or say why not. Raises leaves of `ecluse.disclosure.DoorError`: nothing is known to be recorded."""
    for _ in range(TRIES):
        try:
            done = await _attempt(pool, door, asking, asked, log_id)
        except (*LOST, CommitUncertain) as lost:
            raise LedgerUnavailable from lost
        if done is not None:
            return done
    raise Busy


async def _attempt(pool: Pool, door: Door, asking: Asking, asked: Outcome, log_id: int) -> Recorded | Unrecorded | None:
    """Plan and record once; None where the world moved in between."""
    snapshot = await door.snapshot()
    async with pool.acquire() as connection:
        gathered = (asking.processor, asking.handle, asked.agent or "", asking.client, "", None)
        (row,) = await connection.fetch(GATHER, log_id, [gathered])
        if row["control_seq"] != snapshot.control_seq:
            return None
        facts = facts_of(row)
        parties = snapshot.parties(asking.processor, asking.client, asked.agent or "", asking.thumbprint)
        allowed = decide_outcome(asked, facts.place, snapshot.terms(asking.processor, facts.at), parties, facts.at)
        if isinstance(allowed, Unrecorded):
            return allowed
        done = await record(connection, log_id, snapshot.control_seq, allowed, asking, asked)
    if done.word == "stale":
        return None
    if done.word == "clock-untrusted":
        raise ClockUntrustedNow
    if done.word == "no-course":
        return _NO_COURSE
    if done.word == "key-reused":
        return Unrecorded(code="key-reused")
    if done.revision is None or done.recorded_at is None:
        raise AssertionError("impossible: recorded without a revision")
    return Recorded(revision=done.revision, recorded_at=done.recorded_at)
