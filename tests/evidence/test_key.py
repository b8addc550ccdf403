"""The key of documents: made with an installation, or when one from before is brought to this release; never anew while documents wait for a lost one."""

from __future__ import annotations

import asyncio
import re
import stat
from pathlib import Path

import pytest

from ecluse import install
from ecluse.embedded import EmbeddedPostgres
from ecluse.errors import ConfigurationError
from ecluse.evidence import service
from ecluse.evidence.vault import KEY_FILE
from tests.agency import Agency, founded
from tests.evidence.papers import said
from tests.evidence.test_service import ATTRIBUTES

pytestmark = pytest.mark.db


def test_key_when_lost_with_documents_then_no_new_one_is_made(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    """Migration makes it where no document is, owner only; once one is sealed, neither migration nor use makes another."""
    with founded(postgres, tmp_path / "ecluse-data", gate=False) as agency:
        (agency.folder / "keys" / KEY_FILE).unlink()
        asyncio.run(lose_it(agency, postgres.superuser_dsn(agency.ledger_name)))


async def lose_it(agency: Agency, admin: str) -> None:
    """Bring the installation to this release, seal a document, and lose the key."""
    installation, path = agency.installation, agency.folder / "keys" / KEY_FILE
    with install.databases(installation) as reached:
        await install.migrate(installation, reached, admin)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert re.fullmatch(r"1:[0-9a-f]{64}\n", path.read_text(encoding="utf-8"))
        party, rules = await agency.bind(), {"attributes": ATTRIBUTES, "timezone": installation.settings.zone}
        async with agency.connected("ecluse_app") as app:
            vault = await install.open_vault(installation, app)
            await service.submit(app, vault, said(party.name), b"Une ligne.\n", actor="cli:anna", **rules)
            path.unlink()
            with pytest.raises(ConfigurationError, match="documents are sealed under it"):
                await install.open_vault(installation, app)
        with pytest.raises(ConfigurationError, match="documents are sealed under it"):
            await install.migrate(installation, reached, admin)
    assert not path.exists()
