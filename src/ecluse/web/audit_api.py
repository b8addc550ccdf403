"""The log's entries, for auditors with a credential: bundles as C2SP tlog-tiles names them. Leaves are hours and commitments; nothing here opens them."""

from __future__ import annotations

from typing import Annotated, Final

from litestar import Response, get
from litestar.params import PathParameter

from ecluse.db import LOST
from ecluse.disclosure import LedgerUnavailable
from ecluse.identity.service import refuse_stopped
from ecluse.ledger.errors import NotPublished, RangeRefused
from ecluse.ledger.model import Bundle
from ecluse.ledger.serve import bundle_bytes
from ecluse.ledger.tiles import parse_tile_path
from ecluse.web.auth import AUDITOR, prove, read_headers
from ecluse.web.gateway import HttpRequest, Served
from ecluse.web.ledger_api import LOG
from ecluse.web.problems import HttpProblem
from ecluse.web.published import CALLER, published

_BINARY: Final = "application/octet-stream"
_BUNDLE: Final = PathParameter(
    description="Number of the bundle (C2SP tlog-tiles): `000`, `x001/067`, `000.p/5` for one not yet full. Slashes are not escaped.",
    schema_extra={"pattern": r"^(x[0-9]{3}/)*[0-9]{3}(\.p/[0-9]{1,3})?$", "examples": ["000"]},
)


@get(
    "/ledger/{log:str}/tile/entries/{path:path}",
    operation_id="entries",
    tags=["ledger"],
    media_type=_BINARY,
    content_media_type=_BINARY,
    summary="Get a bundle of entries",
    operation_class=published(
        answer="Up to 256 entries, each after its length (two bytes, big-endian).",
        problems=[*CALLER, "suspended", "not-found"],
        scope=AUDITOR,
        sends=["CacheControl"],
    ),
)
async def entries(
    request: HttpRequest, gateway: Served, log: Annotated[str, LOG], path: Annotated[str, _BUNDLE]
) -> Response[bytes]:
    """Return the entries under a tile of hashes (C2SP tlog-tiles): immutable, and for this caller's own cache. What a full set hashes to is the tile."""
    proven = prove(gateway, read_headers(request.scope["headers"]), "GET", request.scope["path"], AUDITOR)
    try:
        asked = parse_tile_path("tile/entries" + path)
        if not isinstance(asked, Bundle) or log not in gateway.logs:
            raise HttpProblem("not-found")
        async with gateway.pool.acquire() as connection:
            await refuse_stopped(connection, client=proven.client, thumbprint=proven.thumbprint, role="auditor")
            content = await bundle_bytes(connection, gateway.logs[log], asked)
    except (RangeRefused, NotPublished) as absent:
        raise HttpProblem("not-found") from absent
    except LOST as lost:
        raise LedgerUnavailable from lost
    return Response(content=content, media_type=_BINARY, headers={"cache-control": "private, max-age=31536000, immutable"})


HANDLERS: Final = [entries]
