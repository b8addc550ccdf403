"""What the command line lists, read with the gate's own role. SQL is in ``queries.sql``; nothing here writes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import aiosql

if TYPE_CHECKING:
    import asyncpg
    from aiosql.queries import Queries

    from ecluse.db import Connection


@cache
def _queries() -> Queries:
    """Load ``queries.sql`` at first use: importing a module does nothing."""
    queries: Queries = aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")
    return queries


async def rows_of(connection: Connection, name: str, *values: object) -> list[asyncpg.Record]:
    """Run a named statement; ``values`` are bound in the order in which they are first named there."""
    return await connection.fetch(str(getattr(_queries(), name).sql), *values)


async def log_there(connection: Connection, log_id: int) -> asyncpg.Record | None:
    """Return the log's names and head, None before it is opened."""
    rows = await rows_of(connection, "log_there", log_id)
    return rows[0] if rows else None
