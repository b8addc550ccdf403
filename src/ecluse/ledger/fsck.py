"""Checking the whole log from its entries (fsck): trust nothing that is derived, recompute it.

In one snapshot, stretch by stretch, in constant memory (numbered as in the code):
 1. The head counts the entries; they run from 0 without a gap; their times never go back.
 2. Each entry has exactly one opening, sealed at the same instant, whose fields and salts hash to the entry's leaf, or one tombstone.
 3. The columns by which openings are searched say what the committed fields say; the field ``at`` is at most 5 s older than the seal.
 4. Each stored tile is what the leaves give, and none is missing below the last checkpoint.
 5. Each checkpoint is signed by a key of the log that was in force at its size, for this log, with the root that its entries give; their times never go
    back. Each cosignature is that witness's, of that checkpoint; where a quorum is noted the cosignatures make it.
 6. There is nothing beyond: no entry, opening, tile, checkpoint or cosignature that the head does not count.
 7. Tombstones, keys, policies, contracts, what moves their gates, reads, retries and budgets are what the entries say: ``account``.
 8. The log extends each checkpoint that was kept outside the database (`extends`): the signer's own memory, a client's, an auditor's.
What 1 to 7 can't see is a history that was rewritten whole and signed again by the log's own key. That takes 8, or the witnesses.

The caller gives a connection (role ``ecluse_reader``) and, to use all cores, `Reach`: other processes then take the same snapshot, a stretch at a time.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Final, TypeAlias

import asyncpg

from ecluse.db import Connection, DatabaseUnavailable
from ecluse.ledger.account import Sealed, account
from ecluse.ledger.errors import KeyInvalid, NoteInvalid, NotPublished, ProofError, RangeRefused
from ecluse.ledger.model import Checkpoint, LogKey, Problem, ProblemKind, Report
from ecluse.ledger.notes import open_checkpoint, parse_vkey
from ecluse.ledger.openings import BUCKETS
from ecluse.ledger.seen import left_of, load_memory, remember, save_memory
from ecluse.ledger.serve import consistency
from ecluse.ledger.serve import query as log_query
from ecluse.ledger.stretch import STRETCH, Stretch, Task, check_stretch, compare_tiles, query
from ecluse.ledger.teams import Reach, begin_member, look_again, walk_stretch
from ecluse.ledger.tiles import TileEdge
from ecluse.ledger.tree import EMPTY_ROOT, Frontier, check_consistency, join_right, leaf_hash

Progress: TypeAlias = Callable[[int, int], None]
"""Called with entries checked and entries in all."""

_CHUNK: Final = 10_000

_DETAIL: Final = {
    ProblemKind.HEAD_MISSING: "the log or its head is not there",
    ProblemKind.HEAD_TIME: "the head says an earlier last seal than the entries",
    ProblemKind.KEY_OTHER: "the database does not know the key that was given as one of the log's",
    ProblemKind.KEY_UNSEALED: "a key of the log began or ended without an entry that says so, or against one",
    ProblemKind.ENTRY_MISSING: "an entry that the head counts is missing; the tree after it can't be checked",
    ProblemKind.ENTRY_BEYOND: "there are entries that the head does not count",
    ProblemKind.ENTRY_TIME: "an entry was sealed before its predecessor",
    ProblemKind.ENTRY_HOUR: "an entry without opening names another hour than that of its seal",
    ProblemKind.OPENING_MISSING: "an entry has neither opening nor tombstone",
    ProblemKind.OPENING_BEYOND: "there are openings of no entry",
    ProblemKind.OPENING_TWICE: "an entry has more than one opening",
    ProblemKind.OPENING_ERASED: "there is an opening that a tombstone says is erased",
    ProblemKind.OPENING_TIME: "an opening's time is not that of its entry, or its field 'at' is not within 5 s before",
    ProblemKind.OPENING_OTHER: "an opening does not hash to its entry",
    ProblemKind.OPENING_COLUMN: "a column of an opening does not say what its committed field says",
    ProblemKind.TOMBSTONE_RANGE: "tombstones overlap, lie beyond the log, or stand in another log than their batch says",
    ProblemKind.ERASURE_OTHER: "a batch's tombstones are not the set that its entry committed to",
    ProblemKind.ERASURE_MISSING: "an entry says that openings were erased, and no batch says which",
    ProblemKind.ERASURE_UNSEALED: "openings were erased, and no entry says so",
    ProblemKind.TILE_MISSING: "a tile is missing",
    ProblemKind.TILE_OTHER: "a tile is not what the entries give",
    ProblemKind.TILE_BEYOND: "there are tiles of no entry",
    ProblemKind.CHECKPOINT_ROOT: "a checkpoint's root is not what the entries give",
    ProblemKind.CHECKPOINT_NOTE: "a checkpoint's note does not open with a key of the log, or says another size or root",
    ProblemKind.CHECKPOINT_TIME: "a checkpoint was signed before its predecessor",
    ProblemKind.CHECKPOINT_BEYOND: "a checkpoint covers more entries than there are",
    ProblemKind.COSIGNATURE_OTHER: "a cosignature is not that witness's, or of a checkpoint that is not there",
    ProblemKind.QUORUM_OTHER: "a checkpoint is said to have its quorum, and the cosignatures do not make one",
    ProblemKind.POLICY_OTHER: "a witness policy is not what an entry committed to, or is missing",
    ProblemKind.CONTRACT_OTHER: "a contract is not what an entry committed to, or is missing",
    ProblemKind.READS_OTHER: "places were read more or less often than grants were sealed for them",
    ProblemKind.BUDGET_OTHER: "a budget does not hold the persons that grants brought there",
    ProblemKind.RETRY_OTHER: "a retry's key does not point at grants of its client",
    ProblemKind.REFUSALS_OTHER: "counted refusals point at an entry that does not say so",
    ProblemKind.EMERGENCY_OTHER: "an emergency, or its review, is not what an entry says, or is missing",
    ProblemKind.LOOKUP_OTHER: "a look-up of a person, its approval or a look is not what an entry says, or is missing",
    ProblemKind.EVIDENCE_OTHER: "accepted evidence, or its withdrawal, is not what an entry committed to, or is missing",
    ProblemKind.FINDING_OTHER: "a finding, or its closing, is not what an entry committed to, or is missing",
    ProblemKind.OVERRIDE_OTHER: "an approved override, or its end, is not what an entry committed to, or is missing",
    ProblemKind.PEOPLE_OTHER: "an officer or a passkey, or its end, is not what an entry committed to, or is missing",
}
_BEYOND: Final = {
    "entry": ProblemKind.ENTRY_BEYOND,
    "opening": ProblemKind.OPENING_BEYOND,
    "checkpoint": ProblemKind.CHECKPOINT_BEYOND,
    "cosignature": ProblemKind.COSIGNATURE_OTHER,
    "quorum": ProblemKind.QUORUM_OTHER,
}


async def check_log(
    conn: Connection, log_id: int, vkey: str, progress: Progress | None = None, *, reach: Reach | None = None, team: int = 1,
    seen: Path | None = None,
) -> Report:  # fmt: skip
    """Check a whole log and report. ``vkey``: a verifier key of the log that signs it now, from elsewhere than the database.

    ``reach``: how ``team`` further processes connect; without it all is done here. ``seen``: where it is remembered what was whole, None to believe no
    memory and leave none. Raises `KeyInvalid` for the key and the driver's errors, nothing for what it finds.
    """
    parse_vkey(vkey)
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        row = await conn.fetchrow(log_query("log_of"), log_id)
        if row is None:
            nothing = Problem(kind=ProblemKind.HEAD_MISSING, index=0, count=1, detail=_DETAIL[ProblemKind.HEAD_MISSING])
            return Report(
                log_id=log_id, size=0, root=EMPTY_ROOT, entries=0, openings=0, erased=0, tiles=0, checkpoints=0, cosignatures=0,
                published=0, cosigned=None, problems=(nothing,),
            )  # fmt: skip
        return await _Check(conn, log_id, row, seen).run(vkey, progress, reach, team)


class _Check:
    """One run over one log: what has been taken in so far, and what was found."""

    def __init__(self, conn: Connection, log_id: int, log: asyncpg.Record, seen: Path | None) -> None:
        self.conn, self.log_id, self.log = conn, log_id, log
        self.seen, self.memory = seen, load_memory(seen, log["origin"])
        self.size: int = log["size"]
        self.left = Frontier()  # over whole stretches
        self.edge = TileEdge()  # its level 0 is level 2 of the log's tiles
        self.tail = b""
        self.whole = True  # no entry missing so far: the tree can be built
        self.total = Stretch(begin=0, end=self.size)
        self.cosigned: int | None = None
        self.reads = array("q", bytes(8 * BUCKETS))

    async def run(self, vkey: str, progress: Progress | None, reach: Reach | None, team: int) -> Report:
        """Check everything: steps 1 to 7."""
        task = await self._task(vkey)
        async for begin, digest, checked in self._stretches(task, reach, team):
            left = left_of(self.left.hashes) if self.whole else b""
            one = checked or await self._recall(task, begin, left)
            self._take(one)
            remember(self.memory, digest, left, one)
            if progress is not None:
                progress(one.end, self.size)
        await self._close(task)
        sealed = Sealed(
            log_id=self.log_id, size=self.size, erased=self.total.erased, bucket_key=task.bucket_key,
            statements=self.total.statements, reads=self.reads,
        )  # fmt: skip
        async for kind, index, count in account(self.conn, sealed):
            self.total.note(kind, index, count)
        if self.seen is not None and not self.total.found:
            save_memory(self.seen, self.memory)
        return await self._report()

    async def _task(self, vkey: str) -> Task:
        """Read what every stretch has to know."""
        keys = await keys_believed(self.conn, self.log_id, vkey)
        there = {row["vkey"] for row in await self.conn.fetch(query("keys_of"), self.log_id)}
        if not {vkey, self.log["vkey"]} <= there or len(there) > len(keys):
            self.total.note(ProblemKind.KEY_OTHER, 0)
        return Task(
            log_id=self.log_id,
            origin=self.log["origin"],
            size=self.size,
            integrated=await self.conn.fetchval(log_query("integrated"), self.log_id) or 0,
            keys=keys,
            policies={row["version"]: row["text"] for row in await self.conn.fetch(query("policies_of"), self.log_id)},
            bucket_key=self.memory.bucket_key,
        )

    async def _stretches(self, task: Task, reach: Reach | None, team: int) -> AsyncIterator[tuple[int, bytes, Stretch | None]]:
        """Yield every stretch in order, with its digest, checked or (None) as it is remembered; an empty log has one."""
        begins = range(0, max(self.size, 1), STRETCH)
        digests = {begin: known.digest for begin, known in self.memory.known.items()}
        if reach is None:
            for begin in begins:
                yield begin, *await look_again(self.conn, task, begin, None if self.seen is None else digests.get(begin, b""))
            return
        snapshot: str = await self.conn.fetchval(query("snapshot"))
        members = ProcessPoolExecutor(team, mp_context=get_context("spawn"), initializer=begin_member, initargs=(reach, snapshot))
        flying: deque[tuple[int, asyncio.Future[tuple[bytes, Stretch | None]]]] = deque()
        try:
            for begin in begins:
                known = None if self.seen is None else digests.get(begin, b"")
                flying.append((begin, asyncio.wrap_future(members.submit(walk_stretch, task, begin, known))))
                if len(flying) > 2 * team:
                    yield flying[0][0], *await flying.popleft()[1]
            while flying:
                yield flying[0][0], *await flying.popleft()[1]
        except BrokenProcessPool:
            raise DatabaseUnavailable("a further process of the check could not connect, or was ended") from None
        finally:
            members.shutdown(wait=False, cancel_futures=True)
            for _, later in flying:
                later.add_done_callback(_forget)

    async def _recall(self, task: Task, begin: int, left: bytes) -> Stretch:
        """Return what is remembered of a stretch whose rows are the same, unless what was before them is not."""
        known = self.memory.known.get(begin)
        return known.stretch if known is not None and known.left == left else await check_stretch(self.conn, task, begin)

    def _take(self, one: Stretch) -> None:
        """Join a stretch to those before it."""
        total = self.total
        for kind, (index, count) in one.found.items():
            total.note(kind, index, count)
        if one.first_at and one.first_at < total.last_at:
            total.note(ProblemKind.ENTRY_TIME, one.begin)
        if one.first_head_at and one.first_head_at < total.last_head_at:
            total.note(ProblemKind.CHECKPOINT_TIME, one.heads[0][0] if one.heads else one.begin)
        for size, part, root in one.heads:
            nodes = [*self.left.hashes, *([part] if part else [])]
            if self.whole and (part or not size) and root != (join_right(nodes) if size else EMPTY_ROOT):
                total.note(ProblemKind.CHECKPOINT_ROOT, size)
        for name in ("entries", "openings", "erased", "tiles", "checkpoints", "cosignatures"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
        total.last_at, total.last_head_at = one.last_at or total.last_at, one.last_head_at or total.last_head_at
        total.published = max(total.published, one.published)
        self.cosigned = one.cosigned or self.cosigned
        total.statements += one.statements
        self.reads = array("q", map(int.__add__, self.reads, array("q", one.reads)))
        self.whole = self.whole and (bool(one.root) or not self.size)
        if not self.whole:
            return
        if one.end - one.begin == STRETCH:
            self.left.append(one.root)
            self.edge.append(one.root)
        else:
            self.tail = one.root

    async def _close(self, task: Task) -> None:
        """Look at the upper tiles, and beyond the end (steps 1, 4 and 6)."""
        total = self.total
        if self.whole:
            upper = [((level + 2, index), raw) for (level, index), raw in [*self.edge.take_full(), *self.edge.partial()]]
            await compare_tiles(self.conn, task, total, upper)
            stored = await self.conn.fetchval(query("tile_count"), self.log_id)
            if stored > total.tiles:
                total.note(ProblemKind.TILE_BEYOND, self.size, stored - total.tiles)
        if task.integrated < min(total.published, self.size):
            total.note(ProblemKind.TILE_MISSING, task.integrated)
        for what, count, first in await self.conn.fetch(query("beyond"), self.log_id, self.size):
            total.note(_BEYOND[what], first, count)
        head_at = await self.conn.fetchval("select timestamptz_send($1::timestamptz)", self.log["last_at"])
        if total.last_at > head_at:
            total.note(ProblemKind.HEAD_TIME, self.size)

    async def _report(self) -> Report:
        """Put together what was found, each with when it was."""
        total, problems = self.total, []
        for kind, (index, count) in total.found.items():
            since = await self.conn.fetchrow(query("sealed_when"), self.log_id, index)
            problems.append(Problem(kind=kind, index=index, count=count, detail=_DETAIL[kind], **dict(since or {})))
        nodes = [*self.left.hashes, *([self.tail] if self.tail else [])]
        return Report(
            log_id=self.log_id,
            size=self.size,
            root=join_right(nodes) if nodes else EMPTY_ROOT,
            entries=total.entries,
            openings=total.openings,
            erased=total.erased,
            tiles=total.tiles,
            checkpoints=total.checkpoints,
            cosignatures=total.cosignatures,
            published=total.published,
            cosigned=self.cosigned,
            problems=tuple(sorted(problems, key=lambda problem: (problem.index, problem.kind))),
        )


def _forget(later: asyncio.Future[tuple[bytes, Stretch | None]]) -> None:
    """Take what nobody waits for any more, so that it is not told as an error of its own."""
    if not later.cancelled():
        later.exception()


async def keys_believed(conn: Connection, log_id: int, vkey: str) -> tuple[LogKey, ...]:
    """Return the keys of a log over time, of which ``vkey`` is one; a database that does not know that key is believed no other."""
    keys = []
    for text, first, past in await conn.fetch(query("keys_of"), log_id):
        try:
            parse_vkey(text)
        except KeyInvalid:
            continue
        keys.append(LogKey(vkey=text, from_size=first, until_size=past))
    return tuple(keys) if vkey in {key.vkey for key in keys} else (LogKey(vkey=vkey, from_size=0, until_size=None),)


# ── what was kept elsewhere ──────────────────────────────────────────────────────────────────────────────────────────────────
async def root_of_entries(conn: Connection, log_id: int, size: int) -> bytes | None:
    """Return the root over the first ``size`` entries, hashed anew; None where there are not so many. About 2 s a million."""
    frontier = Frontier()
    for begin in range(0, size, _CHUNK):
        end = min(size, begin + _CHUNK)
        rows = await conn.fetch(query("leaves_of"), log_id, begin, end)
        if len(rows) != end - begin:
            return None
        frontier.extend(leaf_hash(leaf) for _, leaf, _ in rows)
    return frontier.root()


async def extends(conn: Connection, log_id: int, vkeys: list[str], note: str) -> str:
    """Say why the log does not extend a checkpoint that was kept outside the database, '' if it does (step 8).

    ``vkeys``: the keys that may have signed it. The published log's tiles are used, which steps 1 to 4 compared with the entries.
    """
    row = await conn.fetchrow(log_query("log_of"), log_id)
    if row is None:
        raise RangeRefused("no such log")
    try:
        old = open_checkpoint(note, [parse_vkey(vkey) for vkey in vkeys], row["origin"])
    except NoteInvalid as bad:
        return f"it is no checkpoint of this log: {bad}"
    return await _fork(conn, log_id, old) if old.size else ""


async def _fork(conn: Connection, log_id: int, old: Checkpoint) -> str:
    head = await conn.fetchrow(log_query("latest_checkpoint"), log_id)
    differs = f"the log does not extend it: one of its first {old.size} entries was another"
    if head is None or head["size"] < old.size:  # signed and not published: a crash in between, or entries were lost
        root = await root_of_entries(conn, log_id, old.size)
        if root is None:
            return f"it covers {old.size} entries, the log has fewer: entries were lost"
        return "" if root == old.root else differs
    try:
        proof = await consistency(conn, log_id, old.size, head["size"]) if old.size < head["size"] else []
        check_consistency(old.size, head["size"], old.root, head["root"], proof)
    except (ProofError, NotPublished):
        return differs
    return ""
