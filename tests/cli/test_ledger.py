"""``ecluse ledger``: what an administrator of the database changed is found, also when the signed head was changed with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse import install
from ecluse.cli.reach import run, with_connection
from ecluse.db import open_pool
from ecluse.embedded import EmbeddedPostgres
from ecluse.install import LOG_ID
from ecluse.ledger.integrate import Integrator
from ecluse.ledger.notes import format_vkey, verifier_of_key
from ecluse.ledger.sign import Signer, load_log_key
from ecluse.settings import with_user
from tests.cli.offices import Office

pytestmark = pytest.mark.db


def sign(office: Office) -> str:
    """Integrate and sign what is there, as the gate does, and return the newest checkpoint."""
    installation = office.installation

    async def work(reached: install.Databases) -> None:
        dsn = with_user(reached.database_url, "ecluse_jobs", installation.secret("db-jobs.password"))
        async with await open_pool(dsn, size=1, name="test") as pool:
            origin = "evaluation.invalid/ecluse/main"
            signer = Signer(installation.state / "log.checkpoint", origin, load_log_key(installation.secret("log.key")))
            await Integrator(pool, signer, log_id=LOG_ID).round()

    with install.databases(installation) as reached:
        asyncio.run(work(reached))
    note: str = office.json("ledger", "status")["checkpoint"]
    return note


def tamper(office: Office, *statements: str) -> None:
    """Change the ledger's database as its administrator could."""
    embedded = EmbeddedPostgres(office.installation.embedded, office.installation.keys)

    async def work() -> None:
        connection = await asyncpg.connect(embedded.superuser_dsn("ecluse"))
        await connection.execute("set session_replication_role = replica")  # the triggers that refuse it keep silent
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(work())


@pytest.fixture(scope="module")
def own(found: Callable[..., Office]) -> Office:
    """Return an office of this module's own, with a few entries, signed: each test undoes what it spoils."""
    office = found("ledger", people=0)
    for name in ("firm-a", "firm-b", "firm-c"):
        office.json("processor", "add", name, "--name", name)
    sign(office)
    return office


def test_log_when_an_entry_and_its_signed_head_were_taken_back_then_found(own: Office, tmp_path: Path) -> None:
    """An administrator who also removes checkpoints is found by the signer's memory, and by a checkpoint kept elsewhere."""
    kept = tmp_path / "kept.checkpoint"
    kept.write_text(own.json("ledger", "status")["checkpoint"], encoding="utf-8")
    tamper(
        own,
        "create table public.entry as select * from ecluse.ledger_entry; create table public.opening as select * from ecluse.opening",
        "delete from ecluse.ledger_entry where index = 3; delete from ecluse.opening where index = 3",
        "update ecluse.ledger_head set size = 3; delete from ecluse.ledger_tile; delete from ecluse.ledger_checkpoint",
    )
    answer = own.json("ledger", "fsck", "--against", kept, code=1)
    diagnosis = own.json("doctor", code=1)
    tamper(
        own,
        "insert into ecluse.ledger_entry select * from public.entry where index = 3",
        "insert into ecluse.opening select * from public.opening where index = 3",
        "update ecluse.ledger_head set size = 4; drop table public.entry, public.opening",
    )
    sign(own)
    assert answer["sound"] is False
    why = "it covers 4 entries, the log has fewer: entries were lost"
    assert answer["against"] == {str(kept): why, "state/log.checkpoint": why}
    found = [
        line["found"]
        for part in diagnosis["parts"]
        for line in part["lines"]
        if part["title"] == "Ledger" and line["level"] == "fail"
    ]
    assert found == ["4 entries were signed, the database has 3: it was rolled back"]


def test_log_when_an_entry_was_changed_then_found(own: Office) -> None:
    """A changed leaf breaks its opening, its tile and the signed root, and the screen says to change nothing."""
    tamper(own, r"update ecluse.ledger_entry set leaf = leaf || '\x20' where index = 1")
    answer, shown = own.json("ledger", "fsck", code=1), own.run("ledger", "fsck")
    tamper(own, "update ecluse.ledger_entry set leaf = substr(leaf, 1, length(leaf) - 1) where index = 1")
    assert {(problem["kind"], problem["index"]) for problem in answer["problems"]} >= {
        ("opening-other", 1),
        ("checkpoint-root", 4),
    }
    assert shown.exit_code == 1
    assert "The log is NOT sound. Change nothing, keep a copy, and tell security." in shown.stdout


def test_head_when_signed_and_not_published_then_sound(own: Office) -> None:
    """A crash between signing and publishing leaves a memory ahead of the published head: its root is checked against the entries."""
    tamper(own, "delete from ecluse.ledger_checkpoint")
    answer = own.json("ledger", "fsck")
    sign(own)
    assert (answer["checkpoints"], answer["against"]) == (0, {"state/log.checkpoint": ""})


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--vkey", "nonsense"), "vkey-invalid: "),
        (("--against", "nowhere.checkpoint"), "nowhere.checkpoint: it can't be read"),
    ],
)
def test_fsck_when_asked_wrongly_then_wrong_usage(office: Office, words: tuple[str, ...], says: str) -> None:
    """A key or file that is none is said at once."""
    result = office.run("ledger", "fsck", *words)
    assert (result.exit_code, result.stderr.startswith(says)) == (2, True)


def test_fsck_when_the_key_is_another_then_found(office: Office) -> None:
    """The key that was handed over is compared with what the database says."""
    office.firm()
    sign(office)
    other = format_vkey(verifier_of_key("evaluation.invalid/ecluse/main", Ed25519PrivateKey.generate()))
    answer = office.json("ledger", "fsck", "--vkey", other, code=1)
    assert "key-other" in {problem["kind"] for problem in answer["problems"]}


def test_log_when_whole_then_sound_and_in_words(office: Office, tmp_path: Path) -> None:
    """An older checkpoint is extended by the log, and one screen says so."""
    old = tmp_path / "old.checkpoint"
    old.write_text(sign(office), encoding="utf-8")
    office.firm()
    sign(office)
    answer = office.json("ledger", "fsck", "--against", old)
    assert (answer["sound"], answer["problems"]) == (True, [])
    assert set(answer["against"].values()) == {""}
    assert answer["entries"] == answer["published"] == office.json("ledger", "status")["size"]
    assert "The log is whole" in office.run("ledger", "fsck").stdout


def test_init_when_the_log_is_open_then_refused(office: Office) -> None:
    """There is one log, once; a name with blanks is none."""
    assert office.run("ledger", "init", "--origin", "gate.example/ecluse/main").exit_code == 1
    assert office.run("ledger", "init", "--origin", "two words").exit_code == 2


def test_change_when_made_then_the_entry_says_who_and_what(office: Office) -> None:
    """A command's entry names the account of the operating system, and is of the ledger like any other."""
    index = office.json("processor", "add", "firm-actor", "--name", "x")["index"]
    with install.databases(office.installation) as reached:
        read = "select fields from ecluse.opening where log_id = 1 and index = $1"
        fields = run(
            with_connection(office.installation, reached, "ecluse_reader", lambda connection: connection.fetchval(read, index))
        )
    assert '["actor","cli:' in fields
    assert '["object","firm-actor"]' in fields
