"""A real PgBouncer between gate and database is refused at the start, however it is set up; and why: two gates' statements would mix."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import asyncpg
import pytest

from ecluse import install
from ecluse.embedded import EmbeddedPostgres
from ecluse.errors import ConfigurationError
from ecluse.register.store import SESSION_SETTINGS
from ecluse.web.gateway import build
from tests.agency import Agency, founded

PROGRAM: Final = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
pytestmark = [
    pytest.mark.db,
    pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not on this machine (apt-get install pgbouncer)"),
]

ROLES: Final = {
    "ecluse_app": "app",
    "ecluse_jobs": "jobs",
    "ecluse_reader": "reader",
    "ecluse_usage": "usage",
    "register_reader": "register",
}
_SET: Final = ("timezone", "default_transaction_isolation", "synchronous_commit", "statement_timeout", *SESSION_SETTINGS)
OURS: Final = ", ".join(_SET)
"""What our sessions set at their beginning; a pooler that is told to ignore it lets them in, without it."""


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency without a gate."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as built:
        yield built


@contextmanager
def pooled(agency: Agency, mode: str, ignored: str = "") -> Iterator[str]:
    """Run a PgBouncer in front of the agency's PostgreSQL, as the database's own account; yield its host and port."""
    owner = (agency.postgres.home / "data").stat()
    with tempfile.TemporaryDirectory(prefix="ecluse-pgb-") as name:
        folder = Path(name)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        users = "".join(f'"{role}" "{agency.installation.secret(f"db-{short}.password")}"\n' for role, short in ROLES.items())
        (folder / "users.txt").write_text(users, encoding="utf-8")
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={agency.postgres.socket_folder}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {folder / 'users.txt'}\npool_mode = {mode}\ndefault_pool_size = 1\nquery_wait_timeout = 5\n"
            f"ignore_startup_parameters = extra_float_digits{', ' + ignored if ignored else ''}\n",
            encoding="utf-8",
        )
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner.st_uid, owner.st_gid)
        account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        assert PROGRAM is not None
        process = subprocess.Popen([PROGRAM, "-q", folder / "pgbouncer.ini"], cwd="/", stderr=subprocess.DEVNULL, **account)
        try:
            _await_port(process, port)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until it listens."""
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("PgBouncer did not start")


async def refusal(agency: Agency, *, database: str = "", register: str = "") -> tuple[str, str, str]:
    """Start a gate with one of its two databases behind the pooler, and return where, why and mend of its refusal."""
    installation = agency.installation
    with install.databases(installation) as reached, pytest.raises(ConfigurationError) as caught:
        await build(
            installation,
            f"postgresql://{database}/{agency.ledger_name}" if database else reached.database_url,
            f"postgresql://{register}/{agency.register_name}" if register else reached.register_url,
        )
    return caught.value.where, caught.value.why, caught.value.mend


WHY: Final = "a connection pooler (PgBouncer or the like) answers there: prepared statements of two gates would mix"
MEND: Final = "Name PostgreSQL's own address: a gate opens few connections and keeps them"


@pytest.mark.parametrize(
    ("mode", "ignored"), [("transaction", ""), ("transaction", OURS), ("statement", OURS), ("session", OURS)]
)
async def test_gate_when_a_pooler_shares_out_its_connections_then_refused(agency: Agency, mode: str, ignored: str) -> None:
    """In every mode, and whether it takes our settings or was told to ignore them: one clear sentence, before the port opens."""
    with pooled(agency, mode, ignored) as address:
        assert await refusal(agency, database=address) == ("database.url", WHY, MEND)
        assert await refusal(agency, register=address) == ("register.url", WHY, MEND)


async def test_command_when_a_pooler_answers_then_refused(agency: Agency) -> None:
    """The command line keeps to the same rule: what it changes goes through the same functions."""
    installation = agency.installation
    with pooled(agency, "transaction", OURS) as address:
        reached = install.Databases(database_url=f"postgresql://{address}/{agency.ledger_name}", register_url="", embedded=None)
        with pytest.raises(ConfigurationError, match="a connection pooler"):
            await install.connect(installation, reached, "ecluse_app")


async def test_statements_when_two_share_a_connection_then_they_mix(agency: Agency) -> None:
    """Why: drivers number their statements alike, so one gate's name stands for another's statement on the connection that they share."""
    with pooled(agency, "transaction", OURS) as address:
        password = quote(agency.installation.secret("db-app.password"))
        url = f"postgresql://ecluse_app:{password}@{address}/{agency.ledger_name}"
        one, other = await asyncpg.connect(url), await asyncpg.connect(url)
        assert await (await one.prepare("select 'one' || $1::text", name="statement_1")).fetchval("!") == "one!"
        with pytest.raises(asyncpg.DuplicatePreparedStatementError):
            await other.prepare("select 'other' || $1::text", name="statement_1")
        one.terminate()
        other.terminate()
