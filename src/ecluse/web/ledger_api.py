"""The log's public surface: checkpoint and tiles, as C2SP tlog-tiles names them, and the page of health."""

from __future__ import annotations

from typing import Annotated, Final

from litestar import MediaType, Response, get
from litestar.params import PathParameter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ecluse.db import LOST
from ecluse.disclosure import LedgerUnavailable
from ecluse.ledger.errors import NotPublished, RangeRefused
from ecluse.ledger.model import Tile
from ecluse.ledger.serve import checkpoint as newest
from ecluse.ledger.serve import tile_bytes
from ecluse.ledger.tiles import parse_tile_path
from ecluse.web.gateway import LOG_ID, Served
from ecluse.web.problems import HttpProblem
from ecluse.web.published import published

_UNSIGNED_SINCE: Final = "select s from ecluse.unsigned_since($1::smallint) as s where s < ecluse.clock() - interval '1 minute'"
_BINARY: Final = "application/octet-stream"
_TILE: Final = PathParameter(
    description="Level and number of the tile (C2SP tlog-tiles): `0/000`, `1/x001/067`, `0/000.p/5` for one not yet full. Slashes are not escaped.",
    schema_extra={"pattern": r"^[0-9]{1,2}/(x[0-9]{3}/)*[0-9]{3}(\.p/[0-9]{1,3})?$", "examples": ["0/000"]},
)


@get(
    "/ledger/main/checkpoint",
    operation_id="checkpoint",
    tags=["ledger"],
    media_type=MediaType.TEXT,
    summary="Get the newest signed checkpoint",
    operation_class=published(
        answer="A signed note: origin, size, root, signatures.",
        problems=["not-published", "ledger-unavailable"],
        sends=["CacheControl"],
    ),
)
async def checkpoint(gateway: Served) -> Response[str]:
    """Return the newest signed checkpoint (C2SP tlog-checkpoint)."""
    try:
        async with gateway.pool.acquire() as connection:
            head = await newest(connection, LOG_ID)
    except LOST as lost:
        raise LedgerUnavailable from lost
    if head is None:
        raise HttpProblem("not-published")
    return Response(content=head.note, media_type="text/plain; charset=utf-8", headers={"cache-control": "no-cache"})


@get(
    "/ledger/main/tile/{path:path}",
    operation_id="tile",
    tags=["ledger"],
    media_type=_BINARY,
    content_media_type=_BINARY,
    summary="Get a tile of hashes",
    operation_class=published(
        answer="Up to 256 hashes of 32 bytes.", problems=["not-found", "ledger-unavailable"], sends=["CacheControl"]
    ),
)
async def tile(gateway: Served, path: Annotated[str, _TILE]) -> Response[bytes]:
    """Return a tile of hashes (C2SP tlog-tiles): immutable. Entry bundles are for auditors and not served here."""
    try:
        asked = parse_tile_path("tile" + path)
        if not isinstance(asked, Tile):
            raise HttpProblem("not-found")
        async with gateway.pool.acquire() as connection:
            content = await tile_bytes(connection, LOG_ID, asked)
    except (RangeRefused, NotPublished) as absent:
        raise HttpProblem("not-found") from absent
    except LOST as lost:
        raise LedgerUnavailable from lost
    return Response(content=content, media_type=_BINARY, headers={"cache-control": "public, max-age=31536000, immutable"})


@get(
    "/healthz",
    operation_id="health",
    tags=["operation"],
    summary="Ask whether the gate is well",
    operation_class=published(answer="It is.", problems=["ledger-unavailable"]),
)
async def health(gateway: Served) -> dict[str, str]:
    """Tell whether the ledger answers and its entries get signed: an entry without a checkpoint for more than a minute is not well."""
    try:
        async with gateway.pool.acquire() as connection:
            unsigned_since = await connection.fetchval(_UNSIGNED_SINCE, LOG_ID)
    except LOST as lost:
        raise LedgerUnavailable from lost
    if unsigned_since is not None:
        raise HttpProblem("ledger-unavailable", "Entries are sealed and have not been signed for more than a minute.")
    return {"status": "ok"}


@get(
    "/metrics",
    operation_id="metrics",
    tags=["operation"],
    media_type=MediaType.TEXT,
    summary="Read the metrics",
    operation_class=published(answer="Prometheus' text format."),
)
async def metrics() -> Response[bytes]:
    """Return the process's metrics: labels are codes, never values."""
    return Response(content=generate_latest(), media_type=CONTENT_TYPE_LATEST)


HANDLERS: Final = [checkpoint, tile, health, metrics]
