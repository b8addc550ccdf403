"""One scene for all of these tests: worlds are copies of its database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from ecluse.embedded import EmbeddedPostgres
from tests.agency import founded
from tests.erasure.worlds import Scene, found_scene


@pytest.fixture(scope="module")
def scene(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Found an agency with two processors and a clock that tests move; no gate runs.

    Autovacuum is off meanwhile. A row that is updated goes to another place of its page once no snapshot needs the old one, and a worker that happens to look
    at any database holds that back: worlds that are compared to the place of each row would differ by when it came, and by nothing else.
    """
    folder: Path = tmp_path_factory.mktemp("erasure") / "office"
    asyncio.run(_autovacuum(postgres, "off"))
    try:
        with founded(postgres, folder, gate=False) as agency:
            yield asyncio.run(found_scene(agency))
    finally:
        asyncio.run(_autovacuum(postgres, "on"))


async def _autovacuum(postgres: EmbeddedPostgres, state: str) -> None:
    """Turn it on or off for the whole server (which refuses ``alter system``), and wait until the workers that are there have ended."""
    conf = postgres.home / "data" / "postgresql.auto.conf"
    conf.write_text(f"autovacuum = {state}\n", encoding="utf-8")
    keeper = await asyncpg.connect(postgres.superuser_dsn())
    try:
        await keeper.execute("select pg_reload_conf()")
        for _ in range(3000):
            now = await keeper.fetchval("show autovacuum")
            busy = await keeper.fetchval("select count(*) from pg_stat_activity where backend_type = 'autovacuum worker'")
            if now == state and (state == "on" or not busy):
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"autovacuum does not turn {state}")
    finally:
        await keeper.close()
