"""``ecluse ledger witnesses``: a policy is refused with its line, explained before it is applied, and shown with what its witnesses did."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from ecluse import install
from ecluse.db import open_pool
from ecluse.install import LOG_ID
from ecluse.ledger.notes import parse_vkey
from ecluse.ledger.witnesses import Witnesses
from ecluse.settings import with_user
from tests.cli.offices import Office
from tests.cli.test_ledger import sign
from tests.ledger.strict_witness import Witness, policy_text, witnessing

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def office(found: Callable[..., Office]) -> Office:
    """Return an office of this module's own, with its first entry."""
    return found("witnesses", people=0)


def ask(office: Office) -> None:
    """Have the newest checkpoint cosigned, as the gate does."""

    async def work(reached: install.Databases) -> None:
        dsn = with_user(reached.database_url, "ecluse_jobs", office.installation.secret("db-jobs.password"))
        async with await open_pool(dsn, size=2, name="test") as pool, httpx.AsyncClient(trust_env=False) as http:
            client = Witnesses(pool, log_id=LOG_ID, warn_after=timedelta(hours=1), freeze_after=timedelta(hours=24))
            await client.turn(http)
            await asyncio.gather(*(asked.task for asked in client._asked.values() if asked.task))

    with install.databases(office.installation) as reached:
        asyncio.run(work(reached))


def test_apply_when_the_file_is_wrong_then_its_line_and_the_mend(office: Office, tmp_path: Path) -> None:
    """What can't be acted on is refused as any other file: where, why, the mend, exit code 2, and nothing is applied."""
    vkey = office.json("ledger", "status")["vkey"]
    nobody = Witness(name="dpo.example/w", log=parse_vkey(vkey))
    file = tmp_path / "policy"
    before = office.json("ledger", "witnesses", "show")
    cases = [
        (policy_text(vkey, {"dpo": nobody}, "quorum dpo"), "line 2: that witness has no address to be asked at. Write https://"),
        (policy_text(vkey, {}, "quorum dpo"), "line 2: "),
        ("quorum none\n", f"it does not name the key that signs this log. Add the line: log {vkey}."),
        (policy_text(vkey, {}, ""), "there is no quorum line. Without witnesses: quorum none. docs/operator-guide.md"),
    ]
    for text, says in cases:
        file.write_text(text, encoding="utf-8")
        result = office.run("ledger", "witnesses", "apply", file, "--yes")
        assert result.exit_code == 2, result.output
        assert result.stderr.startswith(str(file))
        assert says in result.stderr
    assert office.json("ledger", "witnesses", "show") == before


def test_apply_when_the_file_is_right_then_explained_asked_and_in_force(office: Office, tmp_path: Path) -> None:
    """``--check`` says what would change and does no more; a no changes nothing; a yes seals it; the same file again is nothing new."""
    vkey = office.json("ledger", "status")["vkey"]
    file = tmp_path / "policy"
    with witnessing("dpo.example/w", parse_vkey(vkey)) as dpo, witnessing("lyon.example/w", parse_vkey(vkey)) as lyon:
        file.write_text(
            policy_text(vkey, {"dpo": dpo, "lyon": lyon}, "group enough any dpo lyon\nquorum enough"), encoding="utf-8"
        )
        said = office.run("ledger", "witnesses", "apply", file, "--check")
        assert said.exit_code == 0
        assert f"dpo is new: it is asked at {dpo.url}" in said.stdout
        assert "the quorum becomes any of dpo, lyon; it was none" in said.stdout
        assert "Longer than 24 h, and nothing is disclosed" in said.stdout
        before = office.json("ledger", "witnesses", "show")["version"]
        assert office.run("ledger", "witnesses", "apply", file, stdin="n\n").exit_code == 1
        assert office.json("ledger", "witnesses", "show")["version"] == before
        applied = office.json("ledger", "witnesses", "apply", file, "--yes")
        assert (applied["applied"], applied["version"]) == (True, before + 1)
        again = office.json("ledger", "witnesses", "apply", file, "--yes")
        assert (again["applied"], again["version"], again["changes"]) == (False, before + 1, [])
        waiting = office.run("ledger", "witnesses", "show").stdout
        sign(office)
        lyon.always = 503
        ask(office)
        shown, words = office.json("ledger", "witnesses", "show"), office.run("ledger", "witnesses", "show").stdout
    size = shown["signed_size"]
    assert [(one["name"], one["size"]) for one in shown["witnesses"]] == [("dpo", size), ("lyon", None)]
    assert (shown["uncosigned_since"], shown["state"], shown["quorum"]) == (None, "ok", "any of dpo, lyon")
    assert "nothing yet" in waiting
    assert "waiting for the quorum  nothing" in words


def test_apply_when_witnesses_are_dropped_then_said(office: Office, tmp_path: Path) -> None:
    """Nobody is dropped without a word: who is gone and that no cosignature is needed any more stands on the screen before it is done."""
    vkey = office.json("ledger", "status")["vkey"]
    file = tmp_path / "policy"
    with witnessing("dpo.example/w", parse_vkey(vkey)) as dpo:
        file.write_text(policy_text(vkey, {"dpo": dpo}, "quorum dpo"), encoding="utf-8")
        office.json("ledger", "witnesses", "apply", file, "--yes")
    file.write_text(policy_text(vkey, {}, "quorum none"), encoding="utf-8")
    said = office.run("ledger", "witnesses", "apply", file, "--yes")
    assert "dpo is gone: its cosignatures count no more" in said.stdout
    assert "No cosignature is needed" in said.stdout
    assert "nobody is asked to witness the log" in said.stderr
    assert office.json("ledger", "witnesses", "show")["quorum"].startswith("none")
