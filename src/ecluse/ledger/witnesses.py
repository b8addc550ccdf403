"""Asking witnesses for their cosignatures of each checkpoint (C2SP tlog-witness 1.0, the client's side).

All witnesses of the policy in force are asked at once, each by a task of its own, so a slow or dead one delays nobody; sealing, integrating and signing know
nothing of it. They are asked for *the same* checkpoint, the target, or a quorum would never meet on one size: it is replaced by the newest once it has its
quorum, or once nobody is being asked for it any more. A witness that did not cosign the target is asked again after 1, 2, 4 … 60 s, for whatever the target
is by then.

What a witness answers, and what follows:

- 200: its lines are verified by the policy's keys, unknown keys ignored; those that hold are stored, and with enough of them the quorum.
- 409 with the size that it knows: asked again at once with a proof from there, at most `_CONFLICTS` times.
- 409 with a size beyond the newest checkpoint, 409 with the very size that was named, or 422: *a fork alarm*. It holds another history than ours, or ours
  does not extend it (witnesses of earlier drafts say so by 409). Logged as an error and shown by health until it cosigns again.
- Anything else (400, 403, 404, 5xx, a redirect, a timeout, more than `_MOST_BYTES`): it is not well, or not set up for this log.

What is believed of an answer is its status, a size, and lines whose signatures check; nothing else of it is kept or logged. Several signing processes may
ask at the same time: cosignatures are stored once, and a 409 that another process caused is an ordinary one.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg
import httpx
import structlog
from prometheus_client import Counter, Gauge

from ecluse.db import LOST, Pool
from ecluse.events import describe
from ecluse.ledger.errors import LedgerError, NoteInvalid
from ecluse.ledger.model import StoredCheckpoint, Verifier
from ecluse.ledger.notes import format_signature, format_vkey, open_note, parse_decimal, parse_note
from ecluse.ledger.policies import Overdue, Standing, name_of, overdue, read_standing
from ecluse.ledger.quorum import Peer, Policy
from ecluse.ledger.serve import checkpoint, consistency, query

ANSWERS: Final = Counter(
    "ecluse_witness_answers", "Asking a witness for its cosignature, by what became of it", ["witness", "outcome"]
)
FORKS: Final = Gauge("ecluse_witness_forks", "Witnesses that hold another history of the log, or that ours does not extend")
UNCOSIGNED: Final = Gauge(
    "ecluse_uncosigned_seconds", "How long the oldest entry waits for the quorum of its witnesses; 0: none waits"
)

_CONFLICTS: Final = 3  # in a row: a log of another process may outrun us
_MOST_BYTES: Final = 65_536  # of an answer
_TURN: Final = timedelta(seconds=1)
_PAUSE_LONGEST: Final = 60.0
_FAILED: Final = (*LOST, asyncpg.PostgresError)
_HEADERS: Final = {"accept-encoding": "identity", "content-type": "text/plain; charset=utf-8"}
_STATUSES: Final = frozenset({400, 403, 404, 429, 500, 502, 503, 504})
COSIGNED: Final = "cosigned"
FORK: Final = "fork"

_log: Final = structlog.get_logger("ecluse.ledger")


class _Answered(Exception):
    """Asking ended without a cosignature; carries the outcome's word. Never seen outside of this module."""


@dataclass(kw_only=True, eq=False)
class _Asked:
    """One witness as it stands. Touched by its own task while that runs, else by the turn.

    ``size``: what it cosigned last as far as is known; ``done``: the size of ours that it cosigned last; ``pause``: seconds before it is asked again.
    """

    peer: Peer
    size: int = 0
    done: int = -1
    due: float = 0.0
    pause: float = 0.0
    outcome: str = ""
    asking: int = -1
    task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Tell whether it is being asked."""
        return self.task is not None and not self.task.done()


def cosignatures_in(text: str, body: bytes, witnesses: Iterable[Verifier]) -> dict[Verifier, str]:
    """Return what a witness's answer ``body`` holds for the checkpoint ``text``: the signature line of each known key, the latest of several.

    Raises `NoteInvalid` for what is not signature lines, a bad signature by a known key, and where no known key signed.
    """
    raw = f"{text}\n".encode() + body
    note = open_note(raw, witnesses)
    if note.text != text:
        raise NoteInvalid("the answer holds more than signature lines")
    lines = {}
    for one in parse_note(raw)[1]:
        for verifier, at in note.cosigned_at.items():
            if (one.name, one.key_id, int.from_bytes(one.signature[:8], "big")) == (verifier.name, verifier.key_id, at):
                lines[verifier] = format_signature(one)
    return lines


class Witnesses:
    """Asks a log's witnesses. One a signing process; ``forks`` holds those under a fork alarm, by name, for health to show."""

    def __init__(
        self, pool: Pool, *, log_id: int, warn_after: timedelta, freeze_after: timedelta, timeout_seconds: float = 10.0
    ) -> None:
        """Work through ``pool`` (role ``ecluse_jobs``), and give a witness ``timeout_seconds`` for each answer."""
        self.forks: dict[str, str] = {}
        self._pool, self._log_id, self._timeout = pool, log_id, timeout_seconds
        self._warn_after, self._freeze_after = warn_after, freeze_after
        self._overdue = Overdue.NO
        self._news = asyncio.Event()
        self._asked: dict[str, _Asked] = {}
        self._standing: Standing | None = None
        self._target: StoredCheckpoint | None = None
        self._reached = -1

    def wake(self) -> None:
        """Take note that there is a new checkpoint: it is looked at at once."""
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until ``stop`` is set. What fails is logged in constant words and tried again."""
        trust = ssl.create_default_context()  # the host's own authorities, so that an agency's private one is believed
        async with httpx.AsyncClient(verify=trust, trust_env=False, follow_redirects=False, timeout=self._timeout) as http:
            try:
                while not stop.is_set():
                    await self._try_turn(http)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), _TURN.total_seconds())
                    self._news.clear()
            finally:
                await self._let_go(self._asked.values())

    async def _try_turn(self, http: httpx.AsyncClient) -> None:
        """Do one turn; its failure is logged, and the next one tries again."""
        try:
            await self.turn(http)
        except LedgerError as refused:
            _log.warning("ledger:witness:refused", code=refused.code, log_id=self._log_id)
        except _FAILED as failed:
            _log.warning("ledger:witness:failed", code=type(failed).__name__, log_id=self._log_id)
        except Exception as bug:  # noqa: BLE001 - the edge of a worker: it must not die silently
            _log.error("ledger:witness:bug", log_id=self._log_id, **describe(bug))

    async def turn(self, http: httpx.AsyncClient) -> None:
        """Look at the newest checkpoint and the policy, and begin to ask whoever is due."""
        async with self._pool.acquire() as connection:
            standing = await read_standing(connection, self._log_id)
            newest = await checkpoint(connection, self._log_id) if standing.version else None
        self._tell(standing)
        policy = standing.policy
        if self._standing is None or standing.version != self._standing.version:
            await self._meet(policy.witnesses if policy else ())
        self._standing = standing
        if policy is None or newest is None:
            return
        if self._is_free(policy, newest):
            await self._aim(newest)
        now = asyncio.get_running_loop().time()
        for asked in self._asked.values():
            if self._target is not None and not asked.busy and asked.done < self._target.size and now >= asked.due:
                asked.asking = self._target.size
                asked.task = asyncio.create_task(self._ask(http, asked, self._target))

    def _tell(self, standing: Standing) -> None:
        """Show how long entries have waited, and log when that becomes too long or ends."""
        since = standing.uncosigned_since
        UNCOSIGNED.set(0 if since is None else max(0.0, (standing.at - since).total_seconds()))
        now = overdue(since, standing.at, warn_after=self._warn_after, freeze_after=self._freeze_after)
        if now is not self._overdue:
            log = {Overdue.NO: _log.info, Overdue.WARN: _log.warning, Overdue.FROZEN: _log.error}[now]
            log("ledger:witness:uncosigned", code=now.value, log_id=self._log_id)
        self._overdue = now

    async def _meet(self, witnesses: Iterable[Peer]) -> None:
        """Take over the witnesses of a new policy: those known by their key go on as they stand, those gone are let go of."""
        known, self._asked = self._asked, {}
        for peer in witnesses:
            was = known.get(format_vkey(peer.verifier))
            self._asked[format_vkey(peer.verifier)] = was if was is not None and was.peer == peer else _Asked(peer=peer)
        kept = set(self._asked.values())
        await self._let_go(asked for asked in known.values() if asked not in kept)
        self._target = None
        names = {name_of(asked.peer) for asked in kept}
        self.forks = {name: why for name, why in self.forks.items() if name in names}
        FORKS.set(len(self.forks))

    async def _let_go(self, gone: Iterable[_Asked]) -> None:
        """End what is being asked of these."""
        tasks = [asked.task for asked in gone if asked.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_free(self, policy: Policy, newest: StoredCheckpoint) -> bool:
        """Tell whether the target may be replaced by the newest checkpoint."""
        if self._target is None or self._target.size > newest.size:
            return True
        waiting = any(asked.busy and asked.asking == self._target.size for asked in self._asked.values())
        return self._target.size < newest.size and (policy.quorum is None or self._reached >= self._target.size or not waiting)

    async def _aim(self, newest: StoredCheckpoint) -> None:
        """Make the newest checkpoint the target.

        Whoever cosigned it before this process began is asked once more: its answer says whether it knows more of the log than we do, after a roll-back too.
        """
        async with self._pool.acquire() as connection:
            cosigners = await self._count(connection, newest.size)
        for vkey in cosigners & self._asked.keys():
            self._asked[vkey].size = newest.size
        self._target = newest

    # ── one witness ──────────────────────────────────────────────────────────────────────────────────────────────────────
    async def _ask(self, http: httpx.AsyncClient, asked: _Asked, target: StoredCheckpoint) -> None:
        """Ask one witness for the target, and note what became of it."""
        try:
            outcome = await self._cosigned(http, asked, target)
        except _Answered as ended:
            outcome = str(ended)
        except (LedgerError, *_FAILED) as failed:  # our own side: a tile is missing, the database does not answer
            _log.warning("ledger:witness:failed", code=type(failed).__name__, log_id=self._log_id)
            outcome = "not-asked"
        except Exception as bug:  # noqa: BLE001 - the edge of a task: whoever is not waited for must not fail unseen
            _log.error("ledger:witness:bug", log_id=self._log_id, **describe(bug))
            outcome = "not-asked"
        self._note(asked, outcome)
        self._news.set()

    def _note(self, asked: _Asked, outcome: str) -> None:
        """Count and log what became of asking, and say when to ask again."""
        name = name_of(asked.peer)
        ANSWERS.labels(name, outcome).inc()
        asked.pause = 0.0 if outcome == COSIGNED else min(max(1.0, 2 * asked.pause), _PAUSE_LONGEST)
        asked.due = asyncio.get_running_loop().time() + asked.pause
        if outcome != asked.outcome:
            log = {COSIGNED: _log.info, FORK: _log.error}.get(outcome, _log.warning)
            log("ledger:witness:answered", witness=name, code=outcome, log_id=self._log_id)
            asked.outcome = outcome
        if outcome == COSIGNED:
            self.forks.pop(name, None)
        FORKS.set(len(self.forks))

    async def _cosigned(self, http: httpx.AsyncClient, asked: _Asked, head: StoredCheckpoint) -> str:
        """Have ``head`` cosigned. Raises `_Answered` with the outcome where it was not."""
        for _ in range(_CONFLICTS + 1):
            old = asked.size if asked.size <= head.size else 0  # it knows better: its 409 says so
            status, body = await self._post(http, asked.peer.url, await self._request(old, head))
            if status == 200:
                return await self._keep(asked, head, body)
            if status == 422:
                raise self._alarm(asked, "it refuses the proof that our log extends the one that it knows", size=head.size)
            if status != 409:
                raise _Answered(f"http-{status}" if status in _STATUSES else "http-other")
            asked.size = _size_in(body)
            if asked.size == old == head.size:
                raise self._alarm(asked, "it knows another history of this size", size=head.size)
            if asked.size == old:
                raise _Answered("answer-invalid")
            if asked.size > head.size:  # another process of ours may have asked it for a newer one
                head = await self._newest(head)
                if asked.size > head.size:
                    raise self._alarm(asked, "it knows a longer log than ours", size=head.size)
        raise _Answered("conflict")

    def _alarm(self, asked: _Asked, why: str, *, size: int) -> _Answered:
        """Raise the fork alarm: nobody should miss it."""
        name = name_of(asked.peer)
        if self.forks.get(name) != why:
            _log.error("ledger:witness:fork", witness=name, why=why, size=size, witness_size=asked.size, log_id=self._log_id)
        self.forks[name] = why
        return _Answered(FORK)

    async def _newest(self, head: StoredCheckpoint) -> StoredCheckpoint:
        async with self._pool.acquire() as connection:
            return await checkpoint(connection, self._log_id) or head

    async def _request(self, old: int, head: StoredCheckpoint) -> bytes:
        """Write the body of add-checkpoint: the size that the witness knows, the proof from there, an empty line, the signed note."""
        proof: list[bytes] = []
        if 0 < old < head.size:
            async with self._pool.acquire() as connection:
                proof = await consistency(connection, self._log_id, old, head.size)
        lines = "".join(f"{b64encode(node).decode('ascii')}\n" for node in proof)
        return f"old {old}\n{lines}\n{head.note}".encode()

    async def _post(self, http: httpx.AsyncClient, prefix: str, content: bytes) -> tuple[int, bytes]:
        """Send it; return the status and the body as it came, of at most `_MOST_BYTES`. Raises `_Answered`."""
        url, body = prefix.rstrip("/") + "/add-checkpoint", b""
        try:
            async with asyncio.timeout(self._timeout), http.stream("POST", url, content=content, headers=_HEADERS) as answer:
                async for chunk in answer.aiter_raw():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise _Answered("answer-too-large")
        except (TimeoutError, httpx.TimeoutException) as late:
            raise _Answered("timeout") from late
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as lost:
            raise _Answered("connection") from lost
        return answer.status_code, body

    async def _keep(self, asked: _Asked, head: StoredCheckpoint, body: bytes) -> str:
        """Verify and store what a witness answered, and the quorum if that makes one."""
        if self._standing is None or (policy := self._standing.policy) is None:
            raise AssertionError("impossible: asked without a policy")
        try:
            lines = cosignatures_in(parse_note(head.note)[0], body, [peer.verifier for peer in policy.witnesses])
        except NoteInvalid as bad:
            raise _Answered("answer-invalid") from bad
        if asked.peer.verifier not in lines:
            raise _Answered("answer-invalid")
        vkeys = [format_vkey(verifier) for verifier in lines]
        async with self._pool.acquire() as connection:
            await connection.execute(query("keep_cosignatures"), self._log_id, head.size, vkeys, list(lines.values()))
            asked.size = asked.done = head.size
            await self._count(connection, head.size)
        return COSIGNED

    async def _count(self, connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], size: int) -> set[str]:
        """Return whose cosignatures a checkpoint has, having noted its quorum if they are enough. Done anew for each, so a crash leaves nothing undone."""
        vkeys = {row["vkey"] for row in await connection.fetch(query("cosigned_by"), self._log_id, size)}
        standing = self._standing
        if standing is not None and (policy := standing.policy) is not None and policy.quorum is not None:
            there = [peer.verifier for peer in policy.witnesses if format_vkey(peer.verifier) in vkeys]
            if policy.reached(there):
                await connection.execute(query("keep_quorum"), self._log_id, size, standing.version)
                self._reached = max(self._reached, size)
        return vkeys


def _size_in(body: bytes) -> int:
    """Read the size of a 409. Raises `_Answered`."""
    text = body.decode("ascii", "replace")
    try:
        if not text.endswith("\n"):
            raise ValueError("a size line ends in a newline")
        return parse_decimal(text[:-1])
    except ValueError as bad:
        raise _Answered("answer-invalid") from bad
