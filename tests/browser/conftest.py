"""One agency and one browser for each file of these tests; each test has contexts of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from ecluse.embedded import EmbeddedPostgres
from tests.agency import Agency, founded
from tests.browser.somebody import chromium


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """A founded agency whose pages are at ``localhost``: elsewhere than there, or behind https, browsers have no passkeys."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as built:
        said = built.folder / "ecluse.toml"
        pages = built.public_url.replace("127.0.0.1", "localhost")
        said.write_text(f'pages_url = "{pages}"\n{said.read_text(encoding="utf-8")}', encoding="utf-8")
        gate = built.start_gate()
        yield built
        told = gate.log.read_text(encoding="utf-8")
        assert "internal" not in told, told


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium without a window."""
    async with chromium() as started:
        yield started
