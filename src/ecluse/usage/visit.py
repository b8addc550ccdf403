"""Use cases of a person's own page: a link that the portal hands on, the visit that it opens, and what is read in it.

The portal has made sure who the person is; it gets a link for them, and they follow it. The secret stands in the address's fragment, which browsers send to
nobody; the database knows its SHA-256. A link is good once and for ten minutes; a visit for an hour, a quarter of one without a sign of life; both are over
for good once the portal is suspended or its key revoked (0018_pre_my_data.sql).

Each page of a visit is one look as the portal's are (`ecluse.usage.service.look`): planned, sealed, read, by statements of their own. In the place of a proof
of key it spends random bits of its own. The same page read again within five minutes is the same look.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

import msgspec

from ecluse import clock
from ecluse.db import LOST
from ecluse.disclosure import LedgerUnavailable
from ecluse.identity.errors import ClientStopped
from ecluse.ids import random_bytes
from ecluse.usage import store
from ecluse.usage.errors import LooksSpent, VisitOver
from ecluse.usage.model import Asked, Entry, Language, Line, Link, Record, Span, Visit
from ecluse.usage.service import Reading, in_words, look, record_of

SECRET_BYTES: Final = 32
IDLE: Final = timedelta(minutes=15)
"""How long a visit lasts without a sign of life; the database says so, pages count it down."""
LOOKS_PER_MINUTE: Final = 60
"""How often a visit may look: more than anybody turns pages."""
PAGE_LINES: Final = 25
FILE_LINES: Final = 3000
"""How many lines one file holds, in one look; what is older comes with the next. The database allows no more."""
_SECRET_CHARACTERS: Final = 43


def new_secret() -> str:
    """Return 256 random bits as a link or a cookie holds them."""
    return base64.urlsafe_b64encode(random_bytes(SECRET_BYTES)).rstrip(b"=").decode()


def digest_of(secret: str) -> bytes:
    """Return what the database knows of a secret. Raises `VisitOver` for what never was one."""
    if len(secret) != _SECRET_CHARACTERS or not secret.isascii():
        raise VisitOver
    return hashlib.sha256(secret.encode()).digest()


# ── links and visits ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def make_link(reading: Reading, asked: Asked) -> Link:
    """Make a link for the person that a portal asks for. Its proof of key is spent before. Raises `LooksSpent`, `ClientStopped`."""
    secret = new_secret()
    try:
        async with reading.usage.acquire() as connection:
            outcome, expires_at = await store.make_link(connection, reading.log_id, asked, digest_of(secret), limit=reading.limit)
    except LOST as lost:
        raise LedgerUnavailable from lost
    if outcome == "limited":
        raise LooksSpent
    if expires_at is None:
        raise ClientStopped("the client is suspended, or its key is not in use any more")
    return Link(secret=secret, expires_at=expires_at)


async def enter(reading: Reading, secret: str) -> str:
    """Follow a link; return the cookie of the visit. Of two who come at once one gets in. Raises `VisitOver`."""
    cookie = new_secret()
    try:
        async with reading.usage.acquire() as connection:
            entered = await store.enter(connection, digest_of(secret), digest_of(cookie))
    except LOST as lost:
        raise LedgerUnavailable from lost
    if not entered:
        raise VisitOver
    return cookie


async def visit_of(reading: Reading, cookie: str, *, renew: bool = False) -> Visit:
    """Return the visit that a cookie opens; it counts as a sign of life. ``renew``: its pages go up to now. Raises `VisitOver`."""
    digest = digest_of(cookie)
    try:
        async with reading.usage.acquire() as connection:
            visit = await store.visited(connection, digest, renew=renew)
    except LOST as lost:
        raise LedgerUnavailable from lost
    if visit is None:
        raise VisitOver
    return visit


async def leave(reading: Reading, cookie: str) -> None:
    """Close a visit; one that is over is closed already."""
    try:
        digest = digest_of(cookie)
    except VisitOver:
        return
    try:
        async with reading.usage.acquire() as connection:
            await store.leave(connection, digest)
    except LOST as lost:
        raise LedgerUnavailable from lost


# ── what is read in a visit ──────────────────────────────────────────────────────────────────────────────────────────────────
async def read_page(
    reading: Reading,
    visit: Visit,
    language: Language,
    *,
    before: tuple[int, int] | None,
    most: int = PAGE_LINES,
    prove: bool = False,
) -> Record:
    """Show one page of the visitor's own record; sealed before, unless it was within five minutes. Raises `VisitOver` and what `look` raises.

    ``prove``: with the proofs of its lines; else with an empty one, where there is one.
    """
    span = Span(to_at=visit.until_at, before=before, most=most)
    try:
        async with reading.usage.acquire() as connection:
            known = await store.read_again(connection, visit.digest, span)
    except LOST as lost:
        raise LedgerUnavailable from lost
    if known is not None:
        return await _record(reading, *known, span, language, prove=prove)
    try:
        return await look(
            msgspec.structs.replace(reading, limit=LOOKS_PER_MINUTE), await _ask(reading, visit, span), language, prove=prove
        )
    except ClientStopped as stopped:
        raise VisitOver from stopped


async def read_line(reading: Reading, visit: Visit, language: Language, place: tuple[int, int]) -> Line | None:
    """Return one line of the visitor's own record; None: there is none there, or it is somebody else's, which is one answer."""
    record = await read_page(reading, visit, language, before=(place[0], place[1] + 1), most=1, prove=True)
    return next((line for line, found in zip(record.lines, record.places, strict=True) if found == place), None)


async def _ask(reading: Reading, visit: Visit, span: Span) -> Asked:
    """Ask for a part of the visitor's own record; spends fresh random bits as a proof of key is spent."""
    slot, digest = int(clock.now().timestamp()) // 60, random_bytes(SECRET_BYTES)
    try:
        async with reading.app.acquire() as connection:
            await store.spend(connection, slot, digest)
    except LOST as lost:
        raise LedgerUnavailable from lost
    return Asked(
        client=visit.client,
        thumbprint=visit.thumbprint,
        slot=slot,
        digest=digest,
        subject=visit.subject,
        span=span,
        visit=visit.digest,
    )


async def _record(reading: Reading, entries: list[Entry], total: int, span: Span, language: Language, *, prove: bool) -> Record:
    """Write a page that was sealed already in words."""
    try:
        lines = await in_words(reading, entries, language, prove=prove)
    except LOST as lost:
        raise LedgerUnavailable from lost
    if span.to_at is None:
        raise AssertionError("impossible: a visit's page without an end")
    return record_of(lines, entries, span, total=total, to_at=span.to_at)


async def keys_of(reading: Reading, places: Iterable[tuple[int, int]]) -> list[str]:
    """Return the verifier keys of the logs that these places are in."""
    try:
        async with reading.app.acquire() as connection:
            return await store.log_keys(connection, {log_id for log_id, _ in places} | {reading.log_id})
    except LOST as lost:
        raise LedgerUnavailable from lost
