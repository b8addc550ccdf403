"""A service as agencies have them: a bearer's token, ``GET /personnes/NUMBER``, one person an answer, no budget. ``python -m ecluse.demo.replay.api FOLDER``.

Built for the replay to be attacked; it guards nothing. Its address, token and account stand in a file of the replay's folder that only its owner may read.
"""

from __future__ import annotations

import hmac
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import msgspec
import uvloop
from litestar import Litestar, Request, Response, get

from ecluse.demo.child import Child, stop_with_parent
from ecluse.demo.premises import HOST, keep
from ecluse.demo.replay.statements import queries
from ecluse.listen import listen, set_up_logs

SETTINGS: Final = "api.json"
LOG: Final = "api.log"
_POOL: Final = 4


class ApiFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the service is told: the account's address, the one token, the port."""

    dsn: str
    token: str
    port: int

    def __repr__(self) -> str:
        """Show neither password nor token."""
        return f"ApiFile(port={self.port})"


class Service(Child):
    """The service's process."""

    def __init__(self, folder: Path, settings: ApiFile) -> None:
        """Start it; `ready` waits until it answers."""
        (folder / SETTINGS).unlink(missing_ok=True)
        keep(folder / SETTINGS, msgspec.json.encode(settings))
        super().__init__("The token API", ["ecluse.demo.replay.api", str(folder)], folder / LOG)

    async def ready(self, base_url: str) -> None:
        """Wait until it turns a stranger away. Raises `ChildFailed`."""
        await self.answers(f"{base_url}/personnes/0", lambda answer: answer.status_code == httpx.codes.UNAUTHORIZED)


def build(settings: ApiFile, statement: str) -> Litestar:
    """Build the service."""
    expected = f"Bearer {settings.token}".encode()

    @asynccontextmanager
    async def pooled(app: Litestar) -> AsyncGenerator[None, None]:
        async with asyncpg.create_pool(settings.dsn, min_size=_POOL, max_size=_POOL) as pool:
            app.state.pool = pool
            yield

    @get("/personnes/{number:int}")
    async def person(request: Request[Any, Any, Any], number: int) -> Response[dict[str, Any] | None]:
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected):
            return Response(None, status_code=401)
        row = await request.app.state.pool.fetchrow(statement, number)
        return Response(None if row is None else dict(row), status_code=404 if row is None else 200)

    return Litestar([person], lifespan=[pooled], openapi_config=None)


async def _serve(settings: ApiFile) -> None:
    await listen(build(settings, queries().one.sql), host=HOST, port=settings.port, ready=lambda: None)


def main(folder: Path) -> None:
    """Serve until told to stop."""
    set_up_logs()
    stop_with_parent()
    uvloop.run(_serve(msgspec.json.decode((folder / SETTINGS).read_bytes(), type=ApiFile)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
