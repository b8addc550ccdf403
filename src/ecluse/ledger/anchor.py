"""Anchoring: having checkpoints time-stamped by an authority that knows nothing of us (RFC 3161), so that their age can be proven without us.

Once a day, where ``ledger.anchor_url`` is set, the served checkpoint's note goes as a SHA-256 digest to the authority; nothing else does. What comes
back is believed as far as it checks, in this order (RFC 3161 §2.2; the numbers are those of the code):
 1. granted, one signer, and a chain to one of our roots at the time that it says (``rfc3161-client``)
 2. the signer's certificate is for time-stamping and for nothing less critical
 3. the nonce is the one sent, and the policy the one configured, if one is
 4. the digest is that of the note
 5. the time is ours within ten minutes
Stored answers are checked again by 1, 2, 4, and by the log: the note has to be this log's, and the root that the log has at its size.

A failure is logged, counted, shown by ``ecluse doctor``, and tried again after 1, 2, 4 … 60 minutes. It never keeps an entry from being sealed, signed or
served: an anchor proves age, and the next one proves it for all that came before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import httpx
import msgspec
import structlog
from cryptography import x509
from prometheus_client import Counter, Gauge
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from ecluse import clock
from ecluse.db import LOST, Pool
from ecluse.events import describe
from ecluse.ledger.authority import Authority
from ecluse.ledger.errors import AnchorRefused, LedgerError, NoteInvalid, NotPublished
from ecluse.ledger.model import LogKey
from ecluse.ledger.notes import open_checkpoint, parse_vkey
from ecluse.ledger.serve import Connection, keys_of, log_of, query, served_checkpoint

ANCHORED_AT: Final = Gauge(
    "ecluse_ledger_anchored_at_seconds", "When the newest time stamp on a checkpoint was made, in seconds since 1970; 0: never"
)
FAILURES: Final = Counter("ecluse_ledger_anchor_failures", "Time stamps that were asked for and not had", ["code"])

EVERY: Final = timedelta(days=1)
_TURN: Final = timedelta(minutes=1)
_SOON: Final = timedelta(seconds=5)
_LONGEST_PAUSE: Final = timedelta(hours=1)
_CLOCKS_APART: Final = timedelta(minutes=10)
_MOST_BYTES: Final = 65_536
_HEADERS: Final = {"content-type": "application/timestamp-query", "accept": "application/timestamp-reply"}
_FAILED: Final = (*LOST, asyncpg.PostgresError)

_log: Final = structlog.get_logger("ecluse.ledger")


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """A stored time stamp. ``note``: what was stamped; ``answer``: the DER of the TimeStampResp; ``stamped_at``: the authority's time."""

    size: int
    note: str
    answer: bytes
    authority: str
    stamped_at: datetime


def check_anchor(
    note: str, answer: bytes, roots: Sequence[x509.Certificate], *, policy: str = "", nonce: int | None = None
) -> datetime:
    """Check an authority's answer about a note (1 to 4) and return its time. ``nonce``: as sent, None for a stored answer. Raises `AnchorRefused`."""
    try:
        response = decode_timestamp_response(answer)
        verifier = VerifierBuilder(
            roots=[one for one in roots if one.issuer == one.subject],
            intermediates=[one for one in roots if one.issuer != one.subject],
            nonce=nonce,
            policy_id=x509.ObjectIdentifier(policy) if policy else None,
        ).build()
        if response.status != 0:
            raise AnchorRefused("the authority did not grant it")
        _refuse_weak(response)
        verifier.verify_message(response, note.encode())
        return response.tst_info.gen_time
    except (ValueError, VerificationError) as bad:  # a VerificationError says which of 1 to 4, in constant words
        raise AnchorRefused(
            f"the time stamp does not check: {bad if isinstance(bad, VerificationError) else 'malformed'}"
        ) from bad


def _refuse_weak(response: TimeStampResponse) -> None:
    """Refuse another digest than the one that is asked for: an old stamp is read for years."""
    imprint = response.tst_info.message_imprint
    if imprint.hash_algorithm.dotted_string != "2.16.840.1.101.3.4.2.1":
        raise AnchorRefused("the time stamp is not over a SHA-256 digest")


async def ask_anchor(http: httpx.AsyncClient, authority: Authority, note: str) -> tuple[bytes, datetime]:
    """Have a note stamped; return the answer's bytes and its time, all of it checked. Raises `AnchorRefused`."""
    asked = TimestampRequestBuilder().data(note.encode()).hash_algorithm(HashAlgorithm.SHA256).build()
    body = b""
    try:
        async with http.stream("POST", authority.url, content=asked.as_bytes(), headers=_HEADERS) as answer:
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise AnchorRefused("the authority's answer is too large")
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as lost:
        raise AnchorRefused("the authority does not answer") from lost
    if answer.status_code != httpx.codes.OK:
        raise AnchorRefused(f"the authority answers {answer.status_code}")
    at = check_anchor(note, body, authority.roots, policy=authority.policy, nonce=asked.nonce)
    if abs(at - clock.now()) > _CLOCKS_APART:  # 5
        raise AnchorRefused("the authority's clock and this machine's are more than ten minutes apart")
    return body, at


async def anchor_log(pool: Pool, log_id: int, http: httpx.AsyncClient, authority: Authority) -> Anchor:
    """Have the served checkpoint stamped and store it; no connection waits for the authority. Role ``ecluse_jobs``.

    Raises `AnchorRefused`, `NotPublished`, the driver's errors.
    """
    async with pool.acquire() as conn:
        head = await served_checkpoint(conn, log_id)
    if head is None:
        raise NotPublished("the log has no checkpoint yet: nothing to anchor")
    answer, at = await ask_anchor(http, authority, head.note)
    done = Anchor(size=head.size, note=head.note, answer=answer, authority=authority.url, stamped_at=at)
    async with pool.acquire() as conn:
        await conn.execute(query("keep_anchor"), log_id, done.size, done.note, done.answer, done.authority, done.stamped_at)
    ANCHORED_AT.set(at.timestamp())
    return done


async def anchors_of(conn: Connection, log_id: int, *, since: int = 0) -> list[Anchor]:
    """Read the anchors of checkpoints of at least ``since`` entries, oldest first."""
    return [Anchor(**dict(row)) for row in await conn.fetch(query("anchors_of"), log_id, since)]


async def recheck(conn: Connection, log_id: int, anchors: Sequence[Anchor], roots: Sequence[x509.Certificate]) -> list[str]:
    """Check stored anchors again: say for each why it does not hold, '' if it does."""
    log, keys = await log_of(conn, log_id), await keys_of(conn, log_id)
    heads = {row["size"]: row["root"] for row in await conn.fetch(query("roots_at"), log_id, [one.size for one in anchors])}
    return [_fault(one, log.origin, keys, heads.get(one.size), roots) for one in anchors]


def _fault(anchor: Anchor, origin: str, keys: Sequence[LogKey], root: bytes | None, roots: Sequence[x509.Certificate]) -> str:
    """Say why an anchor does not hold, '' if it does. ``root``: what the log has at its size."""
    try:
        said = open_checkpoint(anchor.note, [parse_vkey(key.vkey) for key in keys], origin)
        if said.size != anchor.size or check_anchor(anchor.note, anchor.answer, roots) != anchor.stamped_at:
            return "it is of another size or time than its row says"
    except (NoteInvalid, AnchorRefused) as bad:
        return str(bad)
    return "" if said.root == root else "the log is another history than the one that was stamped"


class Anchoring:
    """Has a log's checkpoints stamped once a day. One a signing process; two of them would stamp twice, which harms nothing."""

    def __init__(self, pool: Pool, authority: Authority, *, log_id: int, timeout_seconds: float = 20.0) -> None:
        """Work through ``pool`` (role ``ecluse_jobs``)."""
        self._pool, self._authority, self._log_id, self._timeout = pool, authority, log_id, timeout_seconds
        self._pause = _TURN

    async def run(self, stop: asyncio.Event) -> None:
        """Anchor until ``stop`` is set. What fails is logged in constant words and tried again, ever more seldom."""
        async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=self._timeout) as http:
            while not stop.is_set():
                await self._try_turn(http)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._pause.total_seconds())

    async def _try_turn(self, http: httpx.AsyncClient) -> None:
        """Anchor if it is due; what fails makes the pause longer."""
        code, pause = "", _TURN
        try:
            await self.turn(http)
        except NotPublished:
            pause = _SOON  # the log has just begun
        except LedgerError as refused:
            code = refused.code
            _log.error("ledger:anchor:refused", code=code, why=str(refused), log_id=self._log_id)
        except _FAILED as failed:
            code = type(failed).__name__
            _log.warning("ledger:anchor:failed", code=code, log_id=self._log_id)
        except Exception as bug:  # noqa: BLE001 - the edge of a worker: it must not die silently
            code = "bug"
            _log.error("ledger:anchor:bug", log_id=self._log_id, **describe(bug))
        if code:
            FAILURES.labels(code).inc()
        self._pause = min(2 * max(self._pause, _TURN), _LONGEST_PAUSE) if code else pause

    async def turn(self, http: httpx.AsyncClient) -> bool:
        """Anchor if the newest stamp is older than a day and the log has grown; tell whether it was due."""
        async with self._pool.acquire() as conn:
            row = await conn.fetchrow(query("newest_anchor"), self._log_id)
            head = await served_checkpoint(conn, self._log_id)
            ANCHORED_AT.set(row["stamped_at"].timestamp() if row is not None else 0)
            if row is not None and (clock.now() - row["stamped_at"] < EVERY or head is None or head.size == row["size"]):
                return False
        done = await anchor_log(self._pool, self._log_id, http, self._authority)
        _log.info("ledger:anchor:done", size=done.size, log_id=self._log_id)
        return True
