"""The log's public surface: checkpoint and tiles, as C2SP tlog-tiles names them, and the pages of the problem catalogue and of health."""

from __future__ import annotations

from html import escape
from typing import Final

from litestar import MediaType, Response, get
from litestar.params import FromPath
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ecluse.db import LOST
from ecluse.disclosure import LedgerUnavailable
from ecluse.ledger.errors import NotPublished, RangeRefused
from ecluse.ledger.model import Tile
from ecluse.ledger.serve import checkpoint as newest
from ecluse.ledger.serve import tile_bytes
from ecluse.ledger.tiles import parse_tile_path
from ecluse.web.gateway import LOG_ID, Served
from ecluse.web.problems import PROBLEMS, HttpProblem

_UNSIGNED_SINCE: Final = """
select e.sealed_at from ecluse.ledger_entry e
where e.log_id = $1::smallint and e.sealed_at < ecluse.clock() - interval '1 minute'
  and e.index = coalesce((select max(c.size) from ecluse.ledger_checkpoint c where c.log_id = $1::smallint), 0)
"""
_BINARY: Final = "application/octet-stream"


@get("/ledger/main/checkpoint", operation_id="checkpoint", tags=["ledger"], media_type=MediaType.TEXT)
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


@get("/ledger/main/tile/{path:path}", operation_id="tile", tags=["ledger"], media_type=_BINARY)
async def tile(gateway: Served, path: FromPath[str]) -> Response[bytes]:
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


@get("/problems/{code:str}", include_in_schema=False, media_type=MediaType.HTML)
async def problem(code: FromPath[str]) -> str:
    """Explain a problem in words, and say whose move it is."""
    row = PROBLEMS.get(code)
    if row is None:
        raise HttpProblem("not-found")
    move = {"processor": "Yours: the contractor's.", "controller": "The agency's.", "wait": "Nobody's: wait and try again."}[
        row.move.value
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(row.title)}</title>'
        f"<h1>{escape(row.title)}</h1><p><code>{escape(row.code)}</code>, HTTP {row.status}</p><p>{escape(row.detail)}</p>"
        f"<h2>Whose move is it?</h2><p>{move}</p>"
        f"<p>{'The same call may be made again.' if row.retry else 'The same call will be answered the same.'}</p></html>"
    )


@get("/healthz", include_in_schema=False)
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


@get("/metrics", include_in_schema=False)
async def metrics() -> Response[bytes]:
    """Return the process's metrics: labels are codes, never values."""
    return Response(content=generate_latest(), media_type=CONTENT_TYPE_LATEST)


HANDLERS: Final = [checkpoint, tile, problem, health, metrics]
