"""Use cases of keys: register a machine client, add and revoke its keys. Each is one sealed control entry; private halves never come here."""

from __future__ import annotations

from typing import Final

import msgspec

from ecluse.db import Connection
from ecluse.identity.errors import ClientStopped, ClientUnknown
from ecluse.identity.model import PublicKey
from ecluse.ids import ClientId, new_id
from ecluse.ledger.errors import ControlRefused
from ecluse.ledger.fields import Event
from ecluse.ledger.service import Control, seal_control

_STANDING: Final = """
select c.role,
       exists (select from ecluse.client_key k where k.client_id = c.id and k.thumbprint = $2 and k.revoked_at is null) as key_in_use,
       exists (select from ecluse.hold h where h.scope = 'client' and h.scope_id = c.id and h.effect <> 'keep' and h.released_at is null
               and h.from_at <= ecluse.clock() and ecluse.clock() < h.until_at) as held
from ecluse.client c where c.id = $1
"""


def _row(key: PublicKey) -> dict[str, str]:
    """Write a key as ``ecluse.control`` stores it."""
    return {"thumbprint": key.thumbprint, "alg": key.alg.value, "jwk": msgspec.json.encode(key.jwk, order="sorted").decode()}


async def add_client(
    connection: Connection, *, log_id: int, processor: str | None, label: str, key: PublicKey, actor: str, role: str = "scheduler"
) -> tuple[ClientId, Control]:
    """Register a machine with its first key: a processor's, or (None) one in another ``role``: ``scheduler``, ``portal`` or ``auditor``.

    Raises `ClientUnknown` for an unknown processor.
    """
    client = ClientId(new_id("cli"))
    role = role if processor is None else "processor"
    try:
        sealed = await seal_control(
            connection, log_id=log_id, event=Event.CLIENT_ADDED, act="client:add", actor=actor, target=client, processor=processor,
            detail={"keys": [key.thumbprint], "role": role}, body={"id": client, "role": role, "label": label, "keys": [_row(key)]},
        )  # fmt: skip
    except ControlRefused as absent:
        raise ClientUnknown("no such processor") from absent
    return client, sealed


async def add_key(connection: Connection, *, log_id: int, client: str, key: PublicKey, actor: str) -> Control:
    """Add a second key, so that the old one can be revoked without a gap."""
    processor = await _processor_of(connection, client)
    try:
        return await seal_control(
            connection, log_id=log_id, event=Event.KEY_ADDED, act="key:add", actor=actor, target=client, processor=processor,
            detail={"thumbprint": key.thumbprint}, body={"client": client, **_row(key)},
        )  # fmt: skip
    except ControlRefused as taken:
        raise ClientUnknown("the key is this client's already") from taken


async def revoke_key(connection: Connection, *, log_id: int, client: str, thumbprint: str, actor: str) -> Control:
    """Revoke a key: no decision sealed after this entry is made for it, whatever tokens it still holds."""
    processor = await _processor_of(connection, client)
    try:
        return await seal_control(
            connection, log_id=log_id, event=Event.KEY_REVOKED, act="key:revoke", actor=actor, target=client, processor=processor,
            detail={"thumbprint": thumbprint}, body={"client": client, "thumbprint": thumbprint},
        )  # fmt: skip
    except ControlRefused as absent:
        raise ClientUnknown("no such key in use") from absent


async def refuse_stopped(connection: Connection, *, client: str, thumbprint: str, role: str) -> None:
    """Refuse a client that is not there in this role, whose key is not in use, or that is suspended now. Raises `ClientStopped`.

    For acts other than disclosures (the door asks this of each decision itself): call it after reading the ``control_seq`` that the act is sealed
    under, so that whatever stops the client later makes the act stale.
    """
    row = await connection.fetchrow(_STANDING, client, thumbprint)
    if row is None or row["role"] != role or not row["key_in_use"] or row["held"]:
        raise ClientStopped("the client is suspended, or its key is not in use any more")


async def _processor_of(connection: Connection, client: str) -> str | None:
    """Return a client's processor (None: the controller's own)."""
    row = await connection.fetchrow("select processor_id from ecluse.client where id = $1", client)
    if row is None:
        raise ClientUnknown("no such client")
    processor: str | None = row["processor_id"]
    return processor
