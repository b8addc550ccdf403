"""Accounts: officers of the controller, links for officers and agents, recovery by two administrators, and the end of a passkey or an account.

Who lets somebody in is always named in the ledger: an officer by ``control:officer:added``, a passkey by ``control:passkey:added`` with who made its
link and who approved it. A recovery (somebody lost every passkey) takes two different administrators, or one could become anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

import asyncpg
import msgspec
import structlog
from asyncpg import Record

from ecluse.db import LOST, Connection, Pool
from ecluse.identity import store
from ecluse.identity.errors import AccountRefused
from ecluse.identity.people import Role
from ecluse.identity.sign_in import new_secret, seal_revocation
from ecluse.ids import new_id, random_bytes
from ecluse.ledger.errors import ControlRefused
from ecluse.ledger.fields import Event
from ecluse.ledger.service import Control, seal_control

NAME_CHARACTERS: Final = 120
PURGE_EVERY_SECONDS: Final = 600
PURGE: Final = "select ecluse.purge_people()"

log: Final = structlog.get_logger("ecluse.identity")


class InvitationKind(StrEnum):
    """What a one-time link is for: a first passkey, or a new one for somebody who lost theirs."""

    ENROL = "enrol"
    RECOVER = "recover"


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """A one-time link. ``secret``: its end, told once; ``waits``: it opens nothing before another administrator has approved it."""

    holder: str
    kind: InvitationKind
    secret: str
    expires_at: datetime

    @property
    def waits(self) -> bool:
        """Tell whether it needs a second person."""
        return self.kind is InvitationKind.RECOVER

    def __repr__(self) -> str:
        """Show no secret."""
        return f"Invitation({self.holder}, {self.kind.value})"


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A link that was made and not used. ``approved``: of a recovery, whether the second person agreed."""

    kind: InvitationKind
    made_by: str
    expires_at: datetime
    approved: bool


class Officer(msgspec.Struct, frozen=True, kw_only=True):
    """An officer as the list of accounts shows them. ``closed_at`` None: may sign in; ``seen_at`` None: never was here (or six months ago)."""

    id: str
    name: str
    roles: tuple[Role, ...]
    added_at: datetime
    closed_at: datetime | None
    passkeys: int
    seen_at: datetime | None
    pending: Pending | None


class AgentAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as the list of accounts shows them; members as of `Officer`."""

    id: str
    label: str
    processor: str
    added_at: datetime
    passkeys: int
    seen_at: datetime | None
    pending: Pending | None


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey in use. ``name``: as its entries call it; ``backed_up``: it is kept in a cloud, or on several devices."""

    name: str
    label: str
    backed_up: bool
    added_at: datetime
    used_at: datetime | None


def link_of(pages_url: str, secret: str) -> str:
    """Write a one-time link. Its secret is the fragment, which no browser sends to any server and no log of ours ever sees."""
    return f"{pages_url.rstrip('/')}/enrol#{secret}"


async def add_officer(
    connection: Connection, *, log_id: int, name: str, roles: Iterable[Role], actor: str
) -> tuple[str, Control]:
    """Seal a new officer, who may sign in once a link was used. Raises `AccountRefused`."""
    name = " ".join(name.split())
    if not 0 < len(name) <= NAME_CHARACTERS or not name.isprintable():
        raise AccountRefused("the name is empty, too long, or not plain text")
    given = sorted({role.value for role in roles})
    if not given:
        raise AccountRefused("no role is given")
    officer, salt = new_id("off"), random_bytes(32)
    try:
        sealed = await seal_control(
            connection, log_id=log_id, event=Event.OFFICER_ADDED, act="officer:add", actor=actor, target=officer,
            detail={"id": officer, "name": hashlib.sha256(salt + name.encode()).hexdigest(), "roles": given},
            body={"id": officer, "name": name, "salt": salt.hex(), "roles": given, "actor": actor},
        )  # fmt: skip
    except ControlRefused as refused:
        raise _refused(refused) from None
    return officer, sealed


async def close_officer(connection: Connection, *, log_id: int, officer: str, actor: str) -> Control:
    """Seal that an officer may not sign in any more, and sign them out. The last administrator stays. Raises `AccountRefused`."""
    try:
        return await seal_control(
            connection, log_id=log_id, event=Event.OFFICER_CLOSED, act="officer:close", actor=actor, target=officer,
            detail={"id": officer}, body={"id": officer, "actor": actor},
        )  # fmt: skip
    except ControlRefused as refused:
        raise _refused(refused) from None


async def invite(
    connection: Connection, *, log_id: int, holder: str, actor: str, kind: InvitationKind = InvitationKind.ENROL
) -> Invitation:
    """Make a one-time link for an officer (``off_…``) or an agent (``agt_…``): good for 24 hours, once; an earlier one of theirs is void.

    The first link of a processor opens its desk. Raises `AccountRefused`: nobody there, not by an administrator, or of the other kind (whoever has a passkey is
    only recovered, whoever has none only enrolled).
    """
    secret, digest = new_secret()
    desk = await connection.fetchrow(store.DESK, holder)
    try:
        expires_at = await connection.fetchval("select ecluse.invite($1, $2, $3, $4)", digest, holder, kind.value, actor)
    except asyncpg.UniqueViolationError:
        raise AccountRefused("another link for that account is being made at this very moment") from None
    if expires_at is None:
        why = "has no passkey to recover" if kind is InvitationKind.RECOVER else "has a passkey: ask for a recovery"
        raise AccountRefused(f"nobody open of that id, not by an administrator, or the account {why}")
    if desk is not None and desk["client_id"] is None:
        await _open_desk(connection, log_id, desk["processor_id"], actor)
    return Invitation(holder=holder, kind=kind, secret=secret, expires_at=expires_at)


async def _open_desk(connection: Connection, log_id: int, processor: str, actor: str) -> None:
    """Register a processor's desk: a client without keys yet, which gets no token."""
    client = new_id("cli")
    try:
        await seal_control(
            connection, log_id=log_id, event=Event.CLIENT_ADDED, act="client:add", actor=actor, target=client, processor=processor,
            detail={"keys": [], "role": "desk"}, body={"id": client, "role": "desk", "label": "desk", "keys": []},
        )  # fmt: skip
    except ControlRefused as refused:
        if refused.constraint != "client_desk_uq":  # another opened it meanwhile
            raise


async def approve_recovery(connection: Connection, *, holder: str, actor: str) -> None:
    """Say the second word for a recovery. Raises `AccountRefused`: nothing waits, or by the same administrator, or by the one to be recovered."""
    waiting = await connection.fetchrow(store.OPEN_RECOVERY, holder)
    if waiting is None:
        raise AccountRefused("no recovery of that account waits")
    if not await connection.fetchval("select ecluse.approve_invitation($1, $2)", waiting["secret_sha256"], actor):
        raise AccountRefused("a recovery is approved by another administrator than who asked for it")


async def revoke_passkey(connection: Connection, *, log_id: int, holder: str, passkey: str, actor: str) -> None:
    """Seal that a passkey (``passkey``: as `Passkey.name`) lets nobody in any more. Raises `AccountRefused`."""
    try:
        digest = bytes.fromhex(passkey)
    except ValueError:
        raise AccountRefused("no such passkey in use") from None
    row = await connection.fetchrow(store.HOLDER, digest, holder)
    if row is None:
        raise AccountRefused("no such passkey in use")
    try:
        await seal_revocation(
            connection, log_id=log_id, holder=holder, credential=row["credential_id"], actor=actor, processor=row["processor_id"]
        )
    except ControlRefused as refused:
        raise _refused(refused) from None


async def officers(connection: Connection, *, closed: bool = False) -> list[Officer]:
    """List the officers by name, at most 500; ``closed``: those whose account is closed too."""
    return [
        Officer(
            id=row["id"], name=row["name"], roles=tuple(Role(each) for each in row["roles"]), added_at=row["added_at"], closed_at=row["closed_at"],
            passkeys=row["passkeys"], seen_at=row["seen_at"], pending=_pending(row),
        )
        for row in await connection.fetch(store.OFFICERS, closed)
    ]  # fmt: skip


async def agents(connection: Connection, processor: str) -> list[AgentAccount]:
    """List a processor's agents by label, at most 500."""
    return [
        AgentAccount(
            id=row["id"], label=row["label"], processor=row["processor_id"], added_at=row["added_at"], passkeys=row["passkeys"], seen_at=row["seen_at"],
            pending=_pending(row),
        )
        for row in await connection.fetch(store.AGENTS, processor)
    ]  # fmt: skip


async def passkeys(connection: Connection, holder: str) -> list[Passkey]:
    """List somebody's passkeys in use, oldest first."""
    return [
        Passkey(
            name=hashlib.sha256(row["credential_id"]).hexdigest(), label=row["label"], backed_up=row["backed_up"], added_at=row["added_at"],
            used_at=row["used_at"],
        )
        for row in await connection.fetch(store.PASSKEYS_OF, holder)
    ]  # fmt: skip


async def keep_people(pool: Pool, stop: asyncio.Event) -> None:
    """Delete what has served its time (role ``ecluse_jobs``), until ``stop``. A failure is logged and left for the next time."""
    while not stop.is_set():
        try:
            await pool.fetchval(PURGE)
        except (*LOST, asyncpg.PostgresError) as failed:
            log.warning("identity:purge:failed", code=type(failed).__name__)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PURGE_EVERY_SECONDS)


def _pending(row: Record) -> Pending | None:
    if row["kind"] is None:
        return None
    return Pending(
        kind=InvitationKind(row["kind"]), made_by=row["made_by"], expires_at=row["expires_at"], approved=row["approved"]
    )


_WHY: Final = {
    "people_administrator": "not by an administrator",
    "officer_last": "the last administrator stays: add another one first",
    "officer_open": "no such officer",
}


def _refused(refused: ControlRefused) -> AccountRefused:
    return AccountRefused(_WHY.get(refused.constraint, "the rules of the schema do not allow it"))
