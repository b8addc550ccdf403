"""Signing people in and out: one-time links, passkeys, cookies and desk keys. One function a use case; each opens what it needs of a pool.

A *sign-in* is a browser that a person used a passkey in. Its cookie is 256 random bits, of which the database knows the SHA-256. It is always a fresh one,
never one that the browser brought. It ends after 15 idle minutes, after 10 hours, at sign-out, and at the next request once the officer is closed, the
passkey revoked, the desk key revoked, or the agent, its processor, the contract or the desk suspended: `resolve` asks all of it in one statement, each time.

An agent's browser has a *desk key* besides: a pair that it made and can't hand out. Its public half is sealed as a key of the processor's desk, a client that
gets no token; it lives and dies with the sign-in. So a cookie that was stolen from the disk reads nobody's data.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec
from asyncpg import Record

from ecluse.db import Connection, Pool
from ecluse.identity import store
from ecluse.identity.compact import Malformed, pack, unpack
from ecluse.identity.errors import ChallengeSpent, ClientUnknown, DeskKeyMissing, LinkClosed, PasskeyRefused, PasskeyUnknown
from ecluse.identity.model import PublicKey
from ecluse.identity.passkeys import (
    CHALLENGE_BYTES,
    LABEL_CHARACTERS,
    Assertion,
    NewPasskey,
    Registration,
    Site,
    assertion_options,
    challenge_of,
    check_assertion,
    check_registration,
    credential_of,
    registration_options,
)
from ecluse.identity.people import Role, Signed
from ecluse.identity.service import add_key, revoke_key
from ecluse.ids import new_id, random_bytes
from ecluse.ledger.errors import ControlRefused
from ecluse.ledger.fields import Event
from ecluse.ledger.service import seal_control

IDLE: Final = timedelta(minutes=15)
LONGEST: Final = timedelta(hours=10)
FRESH: Final = timedelta(minutes=5)
"""How long a passkey that was used allows what asks for it."""
SECRET_BYTES: Final = 32
_TRIES: Final = 8


class Welcome(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a one-time link is for, and what their browser is asked to make."""

    name: str
    agent: bool
    recovery: bool
    options: Mapping[str, object]


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that begins. ``cookie``: its secret, told once."""

    cookie: str
    signed: Signed

    def __repr__(self) -> str:
        """Show no secret."""
        return f"Entered({self.signed.sign_in})"


class _Link(msgspec.Struct, frozen=True, kw_only=True):
    digest: bytes
    row: Record


# ── a passkey is made ────────────────────────────────────────────────────────────────────────────────────────────────────────
async def begin_enrolment(pool: Pool, site: Site, *, secret: str) -> Welcome:
    """Say whom a link is for and what to make. Raises `LinkClosed`."""
    link = await _link(pool, secret)
    challenge = await _issue(pool, "enrol", link.digest.hex())
    options = registration_options(site, holder=link.row["holder"], name=link.row["name"], challenge=challenge)
    return Welcome(
        name=link.row["name"],
        agent=link.row["processor_id"] is not None,
        recovery=link.row["kind"] == "recover",
        options=options,
    )


async def finish_enrolment(pool: Pool, site: Site, *, log_id: int, secret: str, answer: Registration, label: str = "") -> str:
    """Register the passkey that a link was for; return whose it is. Of a recovery, the lost ones are revoked before.

    Raises `LinkClosed`, `ChallengeSpent`, `PasskeyRefused`. Of two that use one link at once, one wins.
    """
    link = await _link(pool, secret)
    challenge = challenge_of(answer)
    if await _spend(pool, "enrol", challenge) != link.digest.hex():
        raise ChallengeSpent("asked for under another link")
    made = check_registration(site, answer, challenge)
    holder: str = link.row["holder"]
    if link.row["kind"] == "recover":
        async with pool.acquire() as connection:
            for lost in await connection.fetch(store.PASSKEYS_OF, holder):
                await seal_revocation(
                    connection,
                    log_id=log_id,
                    holder=holder,
                    credential=lost["credential_id"],
                    actor=holder,
                    processor=link.row["processor_id"],
                )
    await _seal_passkey(pool, log_id, link, made, label.strip()[:LABEL_CHARACTERS])
    return holder


async def _seal_passkey(pool: Pool, log_id: int, link: _Link, made: NewPasskey, label: str) -> None:
    """Seal that somebody may sign in with a passkey from now on."""
    row = link.row
    by = {"made_by": row["made_by"], "approved_by": row["approved_by"]}
    body = {
        "credential": made.credential_id.hex(), "holder": row["holder"], "public_key": made.public_key.hex(), "sign_count": made.sign_count,
        "backed_up": made.backed_up, "label": label, "invitation": link.digest.hex(), **by,
    }  # fmt: skip
    detail = {
        "id": name_of(made.credential_id),
        "holder": row["holder"],
        "key": hashlib.sha256(made.public_key).hexdigest(),
        **by,
    }
    try:
        async with pool.acquire() as connection:
            await seal_control(
                connection, log_id=log_id, event=Event.PASSKEY_ADDED, act="passkey:add", actor=row["holder"], target=row["holder"],
                processor=row["processor_id"], detail=detail, body=body,
            )  # fmt: skip
    except ControlRefused as refused:
        if refused.constraint == "invitation_open":
            raise LinkClosed("somebody used it meanwhile") from None
        raise PasskeyRefused("the passkey is registered already") from None


async def seal_revocation(
    connection: Connection, *, log_id: int, holder: str, credential: bytes, actor: str, processor: str | None
) -> bool:
    """Seal that a passkey lets nobody in any more, and sign out who came by it; false: it was revoked already."""
    body = {"credential": credential.hex(), "holder": holder, "actor": actor}
    try:
        await seal_control(
            connection, log_id=log_id, event=Event.PASSKEY_REVOKED, act="passkey:revoke", actor=actor, target=holder, processor=processor,
            detail={"id": name_of(credential), "holder": holder}, body=body,
        )  # fmt: skip
    except ControlRefused as refused:
        if refused.constraint != "passkey_in_use":
            raise
        return False
    return True


def name_of(credential: bytes) -> str:
    """Name a passkey as its entries do: SHA-256 of the credential's id, in hex."""
    return hashlib.sha256(credential).hexdigest()


# ── a passkey is used ────────────────────────────────────────────────────────────────────────────────────────────────────────
async def begin_sign_in(pool: Pool, site: Site) -> Mapping[str, object]:
    """Say what a browser shall sign. Nobody is named: the device offers the passkeys that it has for this site."""
    return assertion_options(site, challenge=await _issue(pool, "sign-in", ""))


async def finish_sign_in(
    pool: Pool, site: Site, *, log_id: int, answer: Assertion, desk_key: PublicKey | None, cookie: str | None
) -> Entered:
    """Sign somebody in.

    ``desk_key``: of the browser, proved by the caller; an officer's is not used. ``cookie``: what the browser brought: that sign-in ends.
    Raises `ChallengeSpent`, `PasskeyUnknown`, `PasskeyRefused`, `DeskKeyMissing`.

    A crash after the row is written and before the cookie is sent leaves a sign-in that nobody has the cookie of; one before the desk key is sealed,
    one that `resolve` does not know.
    """
    row = await _used(pool, site, answer, "sign-in", "")
    agent: str | None = row["agent_id"]
    if agent is not None and desk_key is None:
        raise DeskKeyMissing("an agent signs in with a desk key")
    secret, sign_in = pack(random_bytes(SECRET_BYTES)), new_id("sgn")
    key = desk_key if agent is not None else None
    async with pool.acquire() as connection:
        begun = await connection.fetchrow(
            store.BEGIN, _digest(secret), sign_in, row["officer_id"], agent, credential_of(answer), row["client_id"],
            key.thumbprint if key is not None else None, LONGEST,
        )  # fmt: skip
        if begun is None:
            raise AssertionError("impossible: a row that returned nothing")
        if key is not None:
            try:
                await add_key(connection, log_id=log_id, client=row["client_id"], key=key, actor=str(agent))
            except ClientUnknown:
                raise DeskKeyMissing("the desk key was used before: each sign-in takes a fresh one") from None
    if cookie is not None:
        await sign_out(pool, log_id=log_id, cookie=cookie)
    if agent is not None:
        await _revoke_left(pool, log_id, agent)
    started_at, ends_at = begun["started_at"], begun["ends_at"]
    signed = _signed({**dict(row), "id": sign_in, "thumbprint": key.thumbprint if key is not None else None,
                      "started_at": started_at, "ends_at": ends_at, "stepped_up_at": started_at, "fresh_for": FRESH})  # fmt: skip
    return Entered(cookie=secret, signed=signed)


async def begin_step_up(pool: Pool, site: Site, signed: Signed) -> Mapping[str, object]:
    """Say what a browser shall sign that is signed in already, by one of this person's passkeys."""
    known = [row["credential_id"] for row in await pool.fetch(store.PASSKEYS_OF, signed.person)]
    return assertion_options(site, challenge=await _issue(pool, "step-up", signed.sign_in), known=known)


async def finish_step_up(pool: Pool, site: Site, signed: Signed, answer: Assertion) -> None:
    """Say that the same person is there. Raises `ChallengeSpent`, `PasskeyUnknown`, `PasskeyRefused`."""
    row = await _used(pool, site, answer, "step-up", signed.sign_in, person=signed.person)
    if (row["officer_id"] or row["agent_id"]) != signed.person or not await pool.fetchval(store.STEP_UP, signed.sign_in):
        raise PasskeyUnknown("not this person's")


async def _used(pool: Pool, site: Site, answer: Assertion, purpose: str, bound_to: str, *, person: str | None = None) -> Record:
    """Check an assertion and count it; return whose passkey it is. ``person``: whose it has to be, None: anybody's."""
    challenge, credential = challenge_of(answer), credential_of(answer)
    if await _spend(pool, purpose, challenge) != bound_to:
        raise ChallengeSpent("asked for by another")
    row = await pool.fetchrow(store.PASSKEY, credential)
    if row is None or (person is not None and person not in {row["officer_id"], row["agent_id"]}):
        raise PasskeyUnknown("no such passkey in use")
    used = check_assertion(site, answer, challenge, public_key=row["public_key"], sign_count=row["sign_count"])
    if await pool.fetchval(store.USE, credential, used.sign_count, used.backed_up, row["sign_count"]) is None:
        raise PasskeyRefused("it was used elsewhere at the same instant")
    return row


# ── who is there, and who goes ───────────────────────────────────────────────────────────────────────────────────────────────
async def resolve(connection: Connection | Pool, cookie: str, *, seen: bool = True) -> Signed | None:
    """Say who a cookie stands for now; None: nobody, whatever the reason. One statement.

    ``seen``: it is the person's own doing, and counts against idleness; a stream that only looks whether they are still there says False.
    """
    digest = _digest(cookie)
    row = await connection.fetchrow(store.RESOLVE, digest, IDLE, seen, FRESH) if digest is not None else None
    return _signed(dict(row)) if row is not None else None


async def sign_out(pool: Pool, *, log_id: int, cookie: str) -> None:
    """End a sign-in, if it is one, and revoke its desk key."""
    digest = _digest(cookie)
    row = await pool.fetchrow(store.END, digest) if digest is not None else None
    if row is not None and row["thumbprint"] is not None:
        await _revoke_key(pool, log_id, row["client_id"], row["thumbprint"], row["person"])


async def _revoke_left(pool: Pool, log_id: int, agent: str) -> None:
    """Revoke the desk keys of this agent's sign-ins that ended by themselves."""
    for row in await pool.fetch(store.LEFT_KEYS, agent, IDLE):
        await _revoke_key(pool, log_id, row["client_id"], row["thumbprint"], agent)


async def _revoke_key(pool: Pool, log_id: int, client: str, thumbprint: str, actor: str) -> None:
    try:
        async with pool.acquire() as connection:
            await revoke_key(connection, log_id=log_id, client=client, thumbprint=thumbprint, actor=actor)
    except ClientUnknown:
        return  # revoked meanwhile


def _signed(row: Mapping[str, Any]) -> Signed:
    return msgspec.convert(
        {
            "sign_in": row["id"],
            "kind": "officer" if row["officer_id"] is not None else "agent",
            "person": row["officer_id"] or row["agent_id"],
            "name": row["name"],
            "roles": frozenset(Role(each) for each in _list(row["roles"])),
            "processor": row["processor_id"],
            "client": row["client_id"],
            "thumbprint": row["thumbprint"],
            "started_at": row["started_at"],
            "ends_at": row["ends_at"],
            "stepped_up_at": row["stepped_up_at"],
            "fresh_seconds": max(0, math.ceil(row["fresh_for"].total_seconds())),
        },
        Signed,
    )


def _list(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _digest(secret: str) -> bytes | None:
    """Return the SHA-256 of a secret of ours; None for what can be none."""
    try:
        raw = unpack(secret.encode("ascii"))
    except (Malformed, UnicodeEncodeError):
        return None
    return hashlib.sha256(raw).digest() if len(raw) == SECRET_BYTES else None


def new_secret() -> tuple[str, bytes]:
    """Draw a secret; return it and its SHA-256, which is what is kept."""
    raw = random_bytes(SECRET_BYTES)
    return pack(raw), hashlib.sha256(raw).digest()


async def _link(pool: Pool, secret: str) -> _Link:
    digest = _digest(secret)
    row = await pool.fetchrow(store.LINK, digest) if digest is not None else None
    if row is None or digest is None:
        raise LinkClosed("unknown, used or expired")
    if row["waits"]:
        raise LinkClosed("it waits for a second administrator")
    return _Link(digest=digest, row=row)


async def _issue(pool: Pool, purpose: str, bound_to: str) -> bytes:
    """Draw a challenge and keep its digest for five minutes."""
    challenge = random_bytes(CHALLENGE_BYTES)
    for left in range(_TRIES, -1, -1):
        challenge = random_bytes(CHALLENGE_BYTES)
        if await pool.fetchval(store.ISSUE, *_place(challenge), purpose, bound_to, left == 0) is not None:
            break
    return challenge


async def _spend(pool: Pool, purpose: str, challenge: bytes) -> str:
    """Spend a challenge; return what it was bound to. Raises `ChallengeSpent`."""
    bound_to: str | None = await pool.fetchval(store.SPEND, *_place(challenge), purpose)
    if bound_to is None:
        raise ChallengeSpent("not asked for, expired, or answered before")
    return bound_to


def _place(challenge: bytes) -> tuple[int, bytes]:
    digest = hashlib.sha256(challenge).digest()
    return int.from_bytes(digest[:2], "big"), digest
