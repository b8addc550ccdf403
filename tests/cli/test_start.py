"""``init``, ``migrate`` and ``serve``: a refusal leaves nothing, an installation is made whole, an administrator gets exact commands."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import socket
import stat
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from ecluse.cli.app import app
from ecluse.embedded import EmbeddedPostgres
from tests.cli.offices import Office, agenda

pytestmark = pytest.mark.db


def init(folder: Path, *words: str | Path) -> Result:
    """Run init."""
    return CliRunner().invoke(app, ["init", "--dir", str(folder), *(str(word) for word in words)])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "say one of"),
        (("--evaluation", "--database-url", "postgresql:///x"), "say one of"),
        (("--database-url", "postgresql:///x", "--people", "5"), "for --evaluation"),
        (("--database-url", "postgresql:///x", "--origin", "a/b"), "for --evaluation"),
        (("--evaluation", "--people", "5", "--register-url", "postgresql:///x"), "own register"),
        (("--evaluation", "--origin", "has blanks"), "--origin: it is not a log's name"),
        (("--evaluation", "--timezone", "Europe/Nowhere"), "controller.timezone: no such time zone"),
        (("--evaluation", "--public-url", "gate.example"), "public_url: it must begin with"),
        (("--evaluation", "--register", "nowhere.toml"), "nowhere.toml: it can't be read"),
    ],
)
def test_init_when_options_are_wrong_then_nothing_is_left(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    """Whatever is wrong with the options is said before anything is made."""
    result = init(tmp_path / "inst", *words)
    assert result.exit_code == 2
    assert says in re.sub(r"[\s│]+", " ", result.stderr)
    assert list(tmp_path.iterdir()) == []


def test_init_when_the_map_has_faults_then_their_lines_and_nothing_left(tmp_path: Path) -> None:
    """A register.toml with faults is refused by line."""
    (tmp_path / "bad.toml").write_text('[register]\nid = "Ä"\n', encoding="utf-8")
    result = init(tmp_path / "inst", "--evaluation", "--register", tmp_path / "bad.toml")
    assert result.exit_code == 2
    assert result.stderr.startswith("register.toml, line ")
    assert not (tmp_path / "inst").exists()


def test_init_when_a_folder_is_in_use_then_refused(office: Office, tmp_path: Path) -> None:
    """An installation is never made over another, nor over somebody's files."""
    assert "there is an installation already" in office.run("init", "--evaluation").stderr
    (tmp_path / "letter.txt").write_text("mine", encoding="utf-8")
    assert "the folder is not empty" in init(tmp_path, "--evaluation").stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_init_when_done_then_secrets_are_their_owners(office: Office) -> None:
    """Folders of secrets are 0700 and each file in them 0600."""
    for name in ("keys", "state"):
        assert stat.S_IMODE((office.folder / name).stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (office.folder / "keys").iterdir()} == {0o600}
    assert not office.folder.with_name("office.new").exists()


def test_migrate_when_nothing_is_missing_then_nothing_changes(office: Office, tmp_path: Path) -> None:
    """Bringing the schema to this release may be repeated, and every role can still do its part, deep in the door's own functions too."""
    assert office.json("migrate") == {"migrated": True}
    assert office.json("migrate") == {"migrated": True}
    assert office.json("schedule", "import", agenda(tmp_path / "agenda.csv", office.firm()))["applied"] is True


@pytest.fixture
def elsewhere(postgres: EmbeddedPostgres) -> tuple[str, str]:
    """Return a fresh database's address without user, and an administrator's."""
    name = f"cli_{secrets.token_hex(4)}"
    return f"postgresql:///{name}?host={postgres.socket_folder}", asyncio.run(postgres.create_database(name))


def test_init_when_the_administrator_helps_then_roles_schema_and_log(tmp_path: Path, elsewhere: tuple[str, str]) -> None:
    """With an administrator's rights the schema is there at once; the log is opened by a command of its own, once."""
    url, admin = elsewhere
    place = Office(tmp_path / "inst")
    made = place.json("init", "--database-url", url, "--register-url", url, "--admin-url", admin)
    assert made["schema"] is True
    assert place.run("processor", "list").stderr.startswith("ledger: the log was never opened. Run `ecluse ledger init`")
    opened = place.json("ledger", "init", "--origin", "gate.example/ecluse/main")
    assert opened["index"] == 0
    assert opened["vkey"].startswith("gate.example/ecluse/main+")
    again = place.run("ledger", "init", "--origin", "gate.example/other")
    assert (again.exit_code, "is open already" in again.stderr) == (1, True)
    assert place.json("processor", "list") == {"processors": []}


def test_init_when_an_administrator_runs_the_file_then_migrate_does_the_rest(tmp_path: Path, elsewhere: tuple[str, str]) -> None:
    """Without those rights: install.sql for the administrator, then `migrate` as the owner, then the log."""
    url, admin = elsewhere
    place = Office(tmp_path / "inst")
    (file,) = place.json("init", "--database-url", url, "--register-url", url)["sql_files"]
    assert stat.S_IMODE(Path(file).stat().st_mode) == 0o600
    before = place.run("migrate")
    assert before.exit_code == 2
    assert before.stderr.startswith("database.url: the server does not let ecluse_owner in with keys/db-owner.password.")

    statements = Path(file).read_text(encoding="utf-8")

    async def administer() -> None:
        connection = await asyncpg.connect(admin)
        await connection.execute(statements)
        await connection.close()

    asyncio.run(administer())
    assert place.run("processor", "list").stderr.startswith("database: the schema is missing")
    assert place.json("migrate") == {"migrated": True}
    assert place.run("ledger", "init", "--origin", "gate.example/ecluse/main").exit_code == 0
    lines = {line["where"]: line for part in place.json("doctor", code=1)["parts"] for line in part["lines"]}
    assert lines["schema"]["level"] == "ok"
    assert lines["keys/install.sql"]["mend"] == "Delete it when the administrator is done"


def test_init_when_the_administrator_names_another_database_then_refused(tmp_path: Path, elsewhere: tuple[str, str]) -> None:
    """Roles and schema are not made where nobody looks."""
    result = init(
        tmp_path / "inst", "--database-url", elsewhere[0], "--admin-url", re.sub(r"/cli_\w+", "/postgres", elsewhere[1])
    )
    assert result.exit_code == 2
    assert "--admin-url: it names another database than database.url" in result.stderr


def test_database_when_it_is_not_there_then_a_line(tmp_path: Path) -> None:
    """A database that does not answer is one line with its mend, and 1."""
    place = Office(tmp_path / "inst")
    place.json("init", "--database-url", f"postgresql:///x?host={tmp_path}", "--register-url", "postgresql:///x")
    result = place.run("processor", "list")
    assert result.exit_code == 1
    assert result.stderr.startswith("database-unavailable: nothing answers at database.url. Is it running")


def test_serve_when_embedded_and_not_said_then_refused(office: Office) -> None:
    """The embedded database serves only with --evaluation."""
    result = office.run("serve")
    assert result.exit_code == 2
    assert result.stderr.startswith("database.url: it is empty")


def test_serve_when_the_port_is_taken_then_refused_before_anything_opens(office: Office) -> None:
    """Another program's port is said in a line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = office.run("serve", "--evaluation", "--port", str(port))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"127.0.0.1:{port}: can't listen there")


def test_installation_when_absent_then_a_line_and_an_object(tmp_path: Path) -> None:
    """Every command says where it looked and what to do."""
    result = Office(tmp_path / "nowhere").run("contract", "list", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["code"] == "configuration"
    assert result.stderr.endswith("there is no installation here. Run `ecluse init`, or name it with --dir.\n")


def test_key_when_others_may_read_it_then_refused_with_the_command(office: Office) -> None:
    """A loose key file is refused by the command that would use it."""
    path = office.folder / "keys" / "db-app.password"
    path.chmod(0o644)
    try:
        result = office.run("processor", "list")
    finally:
        path.chmod(0o600)
    assert result.exit_code == 2
    assert "Run `chmod 600 keys/db-app.password`" in result.stderr
