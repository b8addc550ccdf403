"""What a gate refuses to start on: loose files, strong roles, a register that it could write, loose commits, another release's schema, a pooler."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ecluse import install, settings
from ecluse.embedded import EmbeddedPostgres
from ecluse.errors import ConfigurationError
from ecluse.web.gateway import build
from tests.agency import Agency, founded

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency without a gate: each test builds one in its own process."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as built:
        yield built


async def start(agency: Agency) -> None:
    """Build what a serving process holds, as ``serve`` does before it opens its port, and let it go."""
    installation = agency.installation
    with install.databases(installation) as reached:
        gateway = await build(installation, reached.database_url, reached.register_url)
    await gateway.close()


async def refusal(agency: Agency) -> tuple[str, str, str]:
    """Return where, why and mend of the refusal to start."""
    with pytest.raises(ConfigurationError) as caught:
        await start(agency)
    return caught.value.where, caught.value.why, caught.value.mend


@asynccontextmanager
async def administered(agency: Agency, database: str, done: str, undone: str) -> AsyncIterator[None]:
    """Run a statement as the administrator, and another when the test is over."""
    async with agency.administered(database) as admin:
        await admin.execute(done)
        try:
            yield
        finally:
            await admin.execute(undone)


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("place", "mode", "why", "mend"),
    [
        ("keys/token.key", 0o640, "others than its owner may read it", "Run `chmod 600 keys/token.key`"),
        ("keys/log.key", 0o604, "others than its owner may read it", "Run `chmod 600 keys/log.key`"),
        ("keys/db-app.password", 0o620, "others than its owner may read it", "Run `chmod 600 keys/db-app.password`"),
        ("state/log.checkpoint", 0o644, "others than its owner may read it", "Run `chmod 600 state/log.checkpoint`"),
        ("keys", 0o750, "others than its owner may enter the folder", "Run `chmod 700 keys`"),
        ("state", 0o701, "others than its owner may enter the folder", "Run `chmod 700 state`"),
        ("ecluse.toml", 0o664, "others than its owner may change it", "Run `chmod go-w ecluse.toml`"),
        ("register.toml", 0o646, "others than its owner may change it", "Run `chmod go-w register.toml`"),
    ],
)
async def test_start_when_a_file_is_loose_then_refused_with_the_command(
    agency: Agency, place: str, mode: int, why: str, mend: str
) -> None:
    """Secrets are their owner's to read, settings its to change; the group counts as others."""
    path = agency.folder / place
    before = path.stat().st_mode & 0o777
    path.chmod(mode)
    try:
        assert await refusal(agency) == (place, why, mend)
    finally:
        path.chmod(before)


async def test_start_when_the_folder_is_for_others_to_change_then_refused(agency: Agency) -> None:
    """Who may change the folder may put another file in a key's place."""
    agency.folder.chmod(0o775)
    try:
        assert await refusal(agency) == (
            str(agency.folder),
            "others than its owner may change it",
            f"Run `chmod go-w {agency.folder}`",
        )
    finally:
        agency.folder.chmod(0o755)


@pytest.mark.parametrize("place", ["keys/token.key", "ecluse.toml", "keys"])
async def test_start_when_a_file_is_a_link_then_refused(agency: Agency, tmp_path: Path, place: str) -> None:
    """Behind a link somebody else's file may lie."""
    path, elsewhere = agency.folder / place, tmp_path / "elsewhere"
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)
    try:
        where, why, mend = await refusal(agency)
    finally:
        path.unlink()
        shutil.move(elsewhere, path)
    assert (where, mend) == (place, "Put the file itself in its place")
    assert why == "it is a symbolic link, so whoever owns its end decides"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another account")
@pytest.mark.parametrize("place", ["keys/fingerprint.key", "ecluse.toml"])
async def test_start_when_a_file_is_another_accounts_then_refused(agency: Agency, place: str) -> None:
    """Another account that owns a file changes it when it likes."""
    path = agency.folder / place
    os.chown(path, 65534, -1)
    try:
        where, why, mend = await refusal(agency)
    finally:
        os.chown(path, 0, -1)
    assert (where, why) == (place, "it is another account's (number 65534; this process is 0)")
    assert mend == "Run as the account that owns the installation, or give it the file with chown"


def test_secret_when_it_is_a_pipe_then_refused_and_not_waited_for(agency: Agency) -> None:
    """A pipe in a key's place neither hangs the gate nor feeds it."""
    path = agency.folder / "keys" / "extra.key"
    os.mkfifo(path, 0o600)
    try:
        with pytest.raises(ConfigurationError, match="it is no ordinary file"):
            agency.installation.secret("extra.key")
    finally:
        path.unlink()


# ── roles ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("done", "undone", "why", "mend"),
    [
        ("alter role {0} superuser", "alter role {0} nosuperuser", "it is a superuser", "Run `alter role {0} nosuperuser`"),
        (
            "alter role {0} bypassrls",
            "alter role {0} nobypassrls",
            "it passes by row security",
            "Run `alter role {0} nobypassrls`",
        ),
        ("alter role {0} createrole", "alter role {0} nocreaterole", "it may create roles", "Run `alter role {0} nocreaterole`"),
        ("alter role {0} createdb", "alter role {0} nocreatedb", "it may create databases", "Run `alter role {0} nocreatedb`"),
        (
            "alter role {0} replication",
            "alter role {0} noreplication",
            "it may copy the whole server by replication",
            "Run `alter role {0} noreplication`",
        ),
        (
            "grant ecluse_sealer to {0}",
            "revoke ecluse_sealer from {0}",
            "it is a member of another role, and may act as it",
            "Run `revoke … from {0}`: psql's \\du shows of which",
        ),
        (
            "create table public.mine (id integer); alter table public.mine owner to {0}",
            "drop table public.mine",
            "it owns objects",
            "Run `reassign owned by {0} to …` in each database, then `ecluse migrate`",
        ),
    ],
)
@pytest.mark.parametrize("role", ["ecluse_app", "ecluse_jobs", "register_reader"])
async def test_start_when_a_role_is_strong_then_refused(
    agency: Agency, role: str, done: str, undone: str, why: str, mend: str
) -> None:
    """No role of a serving process may pass by the door: the gate's, the signer's and the register's are looked at alike."""
    async with administered(agency, "ledger", done.format(role), undone.format(role)):
        assert await refusal(agency) == (f"database role {role}", why, mend.format(role))


@pytest.mark.parametrize("right", ["insert", "update", "delete", "truncate", "update (prenom)"])
async def test_start_when_the_register_could_be_written_then_refused(agency: Agency, right: str) -> None:
    """The register is only ever read; a right to one column is too much."""
    table = "registre.personne"
    async with administered(
        agency, "register", f"grant {right} on {table} to register_reader", f"revoke {right} on {table} from register_reader"
    ):
        where, why, mend = await refusal(agency)
    assert (where, why) == (
        "register role",
        f"register_reader may write to {table}, and a gate only ever reads the register",
    )
    assert mend == f"Run `revoke insert, update, delete, truncate on {table} from register_reader` (or from public)"


# ── the database ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("done", "undone", "why", "mend"),
    [
        (
            "delete from public._pogo_migration where migration_id = '0002_pre_door'",
            "insert into public._pogo_migration select * from public.kept where migration_id = '0002_pre_door'",
            "the schema is older than this program: 1 of {count} migrations are missing",
            "Run `ecluse migrate`",
        ),
        (
            (
                "insert into public._pogo_migration select 'x', '9999_pre_later', applied, schema_name "
                "from public._pogo_migration where migration_id = '0002_pre_door'"
            ),
            "delete from public._pogo_migration where migration_id = '9999_pre_later'",
            "the schema is newer than this program: it has 9999_pre_later",
            "Install that release of Écluse: a schema does not go back",
        ),
        (
            "revoke select on public._pogo_migration from ecluse_app",
            "grant select on public._pogo_migration to ecluse_app",
            "the schema is older than this program: {count} of {count} migrations are missing",
            "Run `ecluse migrate`",
        ),
    ],
)
async def test_start_when_the_schema_is_another_releases_then_refused(
    agency: Agency, done: str, undone: str, why: str, mend: str
) -> None:
    """A gate decides by its own release's schema only, neither older nor newer."""
    count = len(list((Path(install.db.HERE) / "migrations").glob("*.sql")))
    kept = "create table public.kept as select * from public._pogo_migration"
    async with administered(agency, "ledger", kept, "drop table public.kept"), administered(agency, "ledger", done, undone):
        assert await refusal(agency) == ("database schema", why.format(count=count), mend)


@pytest.fixture
def loose_pages(agency: Agency) -> Iterator[None]:
    """Write ``full_page_writes = off`` into the server's configuration for a while: of the settings that make a commit loose, one that takes no restart."""
    path = agency.postgres.home / "postgresql.conf"
    kept = path.read_text(encoding="utf-8")
    path.write_text(kept + "full_page_writes = off\n", encoding="utf-8")
    yield
    path.write_text(kept, encoding="utf-8")
    asyncio.run(_reloaded(agency, "on"))


async def _reloaded(agency: Agency, value: str) -> None:
    """Let the server read its configuration, and wait until it is as it says."""
    for _ in range(200):
        async with agency.administered("ledger") as admin:
            await admin.execute("select pg_reload_conf()")
            await asyncio.sleep(0.02)
            if await admin.fetchval("select current_setting('full_page_writes')") == value:
                return
    raise AssertionError("the server did not read its configuration")


async def test_start_when_commits_are_loose_then_refused(agency: Agency, loose_pages: None) -> None:
    """A server that may lose what it said it had committed is not sealed on."""
    await _reloaded(agency, "off")
    assert await refusal(agency) == (
        "database",
        "full_page_writes is off, so a sealed entry could be lost",
        "Set full_page_writes = on in postgresql.conf",
    )


async def test_start_when_the_role_commits_loosely_then_it_does_not(agency: Agency) -> None:
    """A role's own setting can't loosen a gate's commits: its sessions set them themselves."""
    async with administered(
        agency, "ledger", "alter role ecluse_app set synchronous_commit = off", "alter role ecluse_app reset synchronous_commit"
    ):
        await start(agency)


# ── and what it starts on ────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_start_when_all_is_as_it_must_be_then_it_starts(agency: Agency) -> None:
    """The refusals above are not for everybody."""
    await start(agency)


async def test_start_when_a_key_is_damaged_then_refused_without_its_text(agency: Agency) -> None:
    """A damaged key is named by its file, and its content is not shown."""
    path = agency.folder / "keys" / "token.key"
    kept = path.read_text(encoding="utf-8")
    path.write_text(kept.replace("M", "N", 1), encoding="utf-8")
    try:
        where, why, mend = await refusal(agency)
    finally:
        path.write_text(kept, encoding="utf-8")
    assert (where, mend) == ("keys/token.key", "Restore it from your safe, or see docs/keys.md")
    assert kept.split("\n")[1] not in why


def test_create_when_the_umask_is_loose_then_the_files_are_not(tmp_path: Path) -> None:
    """A new installation passes its own checks, whatever the umask of who made it."""
    words = dict.fromkeys(("public_url", "host", "name", "timezone", "database_url", "register_url"), "") | {"port": 8080}
    words |= {"public_url": "https://gate.example", "timezone": "Europe/Paris"}
    before = os.umask(0o002)
    try:
        install.create(tmp_path / "inst", words, "")
    finally:
        os.umask(before)
    assert list(settings.load(tmp_path / "inst", {}, {}).loose_files()) == []
