"""The log's public surface: checkpoint and tiles, as C2SP tlog-tiles names them, and the page of health."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import asyncpg
from litestar import MediaType, Response, get
from litestar.params import PathParameter

from ecluse.clock import wire_text
from ecluse.db import LOST, Connection
from ecluse.disclosure import LedgerUnavailable
from ecluse.ledger.errors import NotPublished, RangeRefused
from ecluse.ledger.model import Tile
from ecluse.ledger.policies import Overdue, overdue
from ecluse.ledger.serve import served_checkpoint, tile_bytes
from ecluse.ledger.tiles import parse_tile_path
from ecluse.web.gateway import Gateway, Served
from ecluse.web.problems import HttpProblem
from ecluse.web.published import published

_UNSIGNED_SINCE: Final = "select s from ecluse.unsigned_since($1::smallint) as s where s < ecluse.clock() - interval '1 minute'"
_UNCOSIGNED: Final = "select ecluse.uncosigned_since($1::smallint) as since, ecluse.clock() as at"
_SUCCEEDED: Final = "select ecluse.current_log($1::smallint) <> $1"
_DUTIES: Final = (
    "select w.waiting, w.late, exists (select from ecluse.notice n where n.state = 'dead') as given_up "
    "from ecluse.emergencies_waiting() w"
)
_BINARY: Final = "application/octet-stream"
_TILE: Final = PathParameter(
    description="Level and number of the tile (C2SP tlog-tiles): `0/000`, `1/x001/067`, `0/000.p/5` for one not yet full. Slashes are not escaped.",
    schema_extra={"pattern": r"^[0-9]{1,2}/(x[0-9]{3}/)*[0-9]{3}(\.p/[0-9]{1,3})?$", "examples": ["0/000"]},
)


LOG: Final = PathParameter(
    description="The log's short name: `main`, and for each log that took its place one more.",
    schema_extra={"pattern": r"^[a-z][a-z0-9_-]{0,62}$", "examples": ["main"]},
)


def _numbered(gateway: Gateway, log: str) -> int:
    """Return a log's number by its name in the path."""
    if log not in gateway.logs:
        raise HttpProblem("not-found")
    return gateway.logs[log]


@get(
    "/ledger/{log:str}/checkpoint",
    operation_id="checkpoint",
    tags=["ledger"],
    media_type=MediaType.TEXT,
    summary="Get the newest signed checkpoint",
    operation_class=published(
        answer="A signed note: origin, size, root, signatures; those of its witnesses after the log's own.",
        problems=["not-found", "not-published", "ledger-unavailable"],
        sends=["CacheControl"],
    ),
)
async def checkpoint(gateway: Served, log: Annotated[str, LOG]) -> Response[str]:
    """Return the newest signed checkpoint (C2SP tlog-checkpoint) that its witnesses cosigned, or that waited five seconds for them."""
    try:
        async with gateway.pool.acquire() as connection:
            head = await served_checkpoint(connection, _numbered(gateway, log))
    except LOST as lost:
        raise LedgerUnavailable from lost
    if head is None:
        raise HttpProblem("not-published")
    return Response(content=head.note, media_type="text/plain; charset=utf-8", headers={"cache-control": "no-cache"})


@get(
    "/ledger/{log:str}/tile/{path:path}",
    operation_id="tile",
    tags=["ledger"],
    media_type=_BINARY,
    content_media_type=_BINARY,
    summary="Get a tile of hashes",
    operation_class=published(
        answer="Up to 256 hashes of 32 bytes.", problems=["not-found", "ledger-unavailable"], sends=["CacheControl"]
    ),
)
async def tile(gateway: Served, log: Annotated[str, LOG], path: Annotated[str, _TILE]) -> Response[bytes]:
    """Return a tile of hashes (C2SP tlog-tiles): immutable. Entry bundles are for auditors and not served here."""
    try:
        asked = parse_tile_path("tile" + path)
        if not isinstance(asked, Tile):
            raise HttpProblem("not-found")
        async with gateway.pool.acquire() as connection:
            content = await tile_bytes(connection, _numbered(gateway, log), asked)
    except (RangeRefused, NotPublished) as absent:
        raise HttpProblem("not-found") from absent
    except LOST as lost:
        raise LedgerUnavailable from lost
    return Response(content=content, media_type=_BINARY, headers={"cache-control": "public, max-age=31536000, immutable"})


async def waiting(connection: Connection, gateway: Gateway) -> tuple[Overdue, datetime | None, datetime]:
    """Return whether entries have waited too long for the log's witnesses, since when they wait, and the database's clock."""
    row = await connection.fetchrow(_UNCOSIGNED, gateway.log_id)
    if row is None:
        raise AssertionError("impossible: a clock without an answer")
    limits = gateway.settings.ledger
    late = overdue(row["since"], row["at"], warn_after=limits.max_uncosigned, freeze_after=limits.max_uncosigned_frozen)
    return late, row["since"], row["at"]


@get(
    "/healthz",
    operation_id="health",
    tags=["operation"],
    summary="Ask whether the gate is well",
    operation_class=published(answer="It is.", problems=["ledger-unavailable"]),
)
async def health(gateway: Served) -> dict[str, str]:
    """Tell whether the ledger answers, and its entries get signed and cosigned.

    Not well: an entry without a checkpoint for more than a minute, entries without their witnesses for so long that nothing is disclosed, a witness that holds
    another history. `warn`: entries wait longer for their witnesses than they should, since that second (no entry's own instant is anybody's to know); an
    emergency should have been reviewed by now; notices were given up. That an emergency waits for its review is said while all is well, too.
    """
    try:
        async with gateway.pool.acquire() as connection:
            succeeded = await connection.fetchval(_SUCCEEDED, gateway.log_id)
            unsigned_since = await connection.fetchval(_UNSIGNED_SINCE, gateway.log_id)
            late, since, _ = await waiting(connection, gateway)
            duties = await connection.fetchrow(_DUTIES)
    except LOST as lost:
        raise LedgerUnavailable from lost
    if succeeded:
        raise HttpProblem(
            "ledger-unavailable", "Another log took the place of the one that this gate writes: it has to be started anew."
        )
    if unsigned_since is not None:
        raise HttpProblem("ledger-unavailable", "Entries are sealed and have not been signed for more than a minute.")
    if gateway.witnesses is not None and gateway.witnesses.forks:
        why = "A witness holds another history of the log, or ours does not extend the one that it holds."
        raise HttpProblem("ledger-unavailable", why)
    if late is Overdue.FROZEN:
        raise HttpProblem("ledger-unavailable", "Entries have waited so long for the log's witnesses that nothing is disclosed.")
    uncosigned = {"uncosigned_since": wire_text(since.replace(microsecond=0))} if late is Overdue.WARN and since else {}
    return _with_duties(uncosigned, duties)


def _with_duties(found: dict[str, str], duties: asyncpg.Record | None) -> dict[str, str]:
    """Add what waits for people, and say how well the gate is. Nobody is counted: the page is anybody's to read."""
    if duties is None:
        raise AssertionError("impossible: counts answer one row")
    worrying = bool(found or duties["late"] or duties["given_up"])
    waits = {"emergency_review": "late" if duties["late"] else "waiting"} if duties["waiting"] else {}
    return {"status": "warn" if worrying else "ok", **found, **waits, **({"notices": "given-up"} if duties["given_up"] else {})}


HANDLERS: Final = [checkpoint, tile, health]
