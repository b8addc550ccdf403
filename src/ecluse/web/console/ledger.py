"""The ledger: how far it is, how far it is signed and cosigned, by whom, anchored since when, what was erased; and how to check it without us."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Response, get

from ecluse import clock
from ecluse.ledger.notes import format_vkey
from ecluse.ledger.policies import name_of, quorum_words
from ecluse.web.console.governed import rows_of, there
from ecluse.web.console.state import reading
from ecluse.web.console.today import Health, make_health, standing_of_log
from ecluse.web.gateway import HttpRequest, Served
from ecluse.web.pages.frame import Room, page
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    import asyncpg

    from ecluse.ledger.policies import Standing


class WitnessLine(msgspec.Struct, frozen=True, kw_only=True):
    """A witness of the policy: up to which entry it cosigned last, when, and by how many entries of the last checkpoint it is behind. None: never."""

    name: str
    url: str
    size: int | None
    at: datetime | None
    behind: int | None


class AnchorLine(msgspec.Struct, frozen=True, kw_only=True):
    """A time stamp of an authority on a checkpoint."""

    size: int
    authority: str
    at: datetime


class ErasureLine(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of erasure: how many openings went, by which entry; ``done_at`` None: under way."""

    id: int
    index: int
    count: int
    sealed_at: datetime
    done_at: datetime | None


class EntryLine(msgspec.Struct, frozen=True, kw_only=True):
    """A control entry: what was done, of which processor (empty: of none)."""

    index: int
    at: datetime
    event: str
    processor: str


class LedgerPage(msgspec.Struct, frozen=True, kw_only=True):
    """How the log stands.

    ``name``, ``origin``, ``public_url``: what it is called, and where it is read; ``vkeys``: the keys that sign it; ``root``: of the last checkpoint, hex.
    ``health``: as on the first page. ``quorum``: in words; ``policy_version``, ``policy_at``, ``policy_by``: the witness policy in force (0: none).
    ``cosigned_size``, ``cosigned_at``: the newest checkpoint with its quorum; ``witnesses``, ``anchors``, ``erasures``, ``entries``: lists, the newest first.
    ``freeze_minutes``: after how long without cosignatures nothing is disclosed.
    """

    name: str
    origin: str
    public_url: str
    vkeys: tuple[str, ...]
    root: str
    health: Health
    quorum: str
    policy_version: int
    policy_at: datetime | None
    policy_by: str
    cosigned_size: int
    cosigned_at: datetime | None
    witnesses: tuple[WitnessLine, ...]
    anchors: tuple[AnchorLine, ...]
    erasures: tuple[ErasureLine, ...]
    entries: tuple[EntryLine, ...]
    freeze_minutes: int


def make_witnesses(standing: Standing, cosigned: Mapping[str, Any], signed_size: int) -> tuple[WitnessLine, ...]:
    """Show the witnesses of the policy in force. ``cosigned``: what each cosigned last, by key."""
    policy = standing.policy
    lines = []
    for one in policy.witnesses if policy is not None else ():
        row = cosigned.get(format_vkey(one.verifier))
        size = row["size"] if row is not None else None
        lines.append(
            WitnessLine(
                name=name_of(one), url=one.url, size=size, at=row["received_at"] if row is not None else None,
                behind=None if size is None else max(0, signed_size - size),
            )
        )  # fmt: skip
    return tuple(lines)


def make_entries(rows: Iterable[asyncpg.Record]) -> tuple[EntryLine, ...]:
    """Show control entries."""
    return tuple(
        EntryLine(index=row["index"], at=row["sealed_at"], event=row["event"], processor=row["processor_id"] or "")
        for row in rows
    )


@get("/console/ledger", include_in_schema=False)
async def ledger(request: HttpRequest, gateway: Served) -> Response[str]:
    """Show how the ledger stands."""
    signed = await officer(request, gateway)
    limits, log_id = gateway.settings.ledger, gateway.log_id
    standing = await standing_of_log(gateway)
    async with reading(gateway) as connection:
        head = await there(connection, "head_of_log", log_id)
        vkeys = [format_vkey(one.verifier) for one in standing.policy.witnesses] if standing.policy is not None else []
        cosigned = {row["vkey"]: row for row in await rows_of(connection, "cosigned_last", vkeys, log_id)}
        anchors = await rows_of(connection, "anchors", log_id)
        erasures = await rows_of(connection, "erasures")
        entries = await rows_of(connection, "control_entries", log_id)
    health = make_health(
        head, standing, warn_after=limits.max_uncosigned, freeze_after=limits.max_uncosigned_frozen, here=clock.now()
    )  # fmt: skip
    context = LedgerPage(
        name=head["name"], origin=head["origin"], public_url=gateway.settings.public_url, vkeys=standing.log_vkeys, root=head["root"] or "", health=health,
        quorum=quorum_words(standing.policy), policy_version=standing.version, policy_at=standing.applied_at, policy_by=standing.applied_by,
        cosigned_size=head["quorum_size"] or 0, cosigned_at=head["reached_at"], witnesses=make_witnesses(standing, cosigned, health.signed_size),
        anchors=tuple(AnchorLine(size=row["size"], authority=row["authority"], at=row["stamped_at"]) for row in anchors),
        erasures=tuple(
            ErasureLine(id=row["id"], index=row["index"], count=row["count"], sealed_at=row["sealed_at"], done_at=row["done_at"]) for row in erasures
        ),
        entries=make_entries(entries), freeze_minutes=int(limits.max_uncosigned_frozen.total_seconds() // 60),
    )  # fmt: skip
    return page(request, gateway, "console/ledger.html", context, signed=signed, room=Room.CONSOLE, here="ledger")


HANDLERS: Final = [ledger]
