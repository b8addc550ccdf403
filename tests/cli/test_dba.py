"""``ecluse doctor --dba``: what is wrong in the database is found with its mend, the list of statements is whole, and nothing personal is shown."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import asyncpg
import pytest

from ecluse.cli.stated import of_file
from ecluse.cli.statements import all_statements
from ecluse.db import HERE
from ecluse.demo.people import marked_values
from ecluse.embedded import EmbeddedPostgres
from tests.agency import Agency, founded
from tests.cli.offices import Office, agenda
from tests.e2e.desk import at_work, code_of
from tests.e2e.outsider import Outsider
from tests.stated import bare, grow, listed, unlisted

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def own(found: Callable[..., Office]) -> Office:
    """Return an office of this module's own, with a little in every table."""
    office = found("dba", people=500)
    processor = office.firm()
    office.json("schedule", "import", agenda(office.folder / "agenda.csv", processor))
    return office


@contextmanager
def administered(office: Office, done: str, undone: str) -> Iterator[None]:
    """Run statements as the embedded superuser, and others when the test is over."""

    async def run(text: str) -> None:
        connection = await asyncpg.connect(
            EmbeddedPostgres(office.installation.embedded, office.installation.keys).superuser_dsn("ecluse")
        )
        await connection.execute(text)
        await connection.close()

    asyncio.run(run(done))
    try:
        yield
    finally:
        asyncio.run(run(undone))


def lines(office: Office, title: str) -> list[dict[str, Any]]:
    """Return the lines of one part that are not ok."""
    parts = office.json("doctor", "--dba")["parts"]
    return [line for part in parts if part["title"] == title for line in part["lines"] if line["level"] != "ok"]


# ── what is wrong ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("done", "undone", "where"),
    [
        (
            "grant select on ecluse.opening to ecluse_app",
            "revoke select on ecluse.opening from ecluse_app",
            "table ecluse.opening",
        ),
        (
            "grant select on ecluse.client_key to ecluse_eraser",
            "revoke select on ecluse.client_key from ecluse_eraser",
            "table ecluse.client_key",
        ),
        (
            "grant update (reads) on ecluse.appointment to ecluse_app",
            "revoke update (reads) on ecluse.appointment from ecluse_app",
            "column ecluse.appointment.reads",
        ),
        (
            "alter function ecluse.spend owner to ecluse_owner",
            "alter function ecluse.spend owner to ecluse_sealer",
            "function ecluse.spend(integer,bytea)",
        ),
        ("grant create on schema ecluse to ecluse_app", "revoke create on schema ecluse from ecluse_app", "schema ecluse"),
    ],
)
def test_right_when_given_or_taken_by_hand_then_found(own: Office, done: str, undone: str, where: str) -> None:
    """Any right, owner or column that is not as sql/grants.sql has it is named; looking changes nothing."""
    with administered(own, done, undone):
        found = lines(own, "Rights")
        again = lines(own, "Rights")
    assert where in [line["where"] for line in found]
    assert {line["mend"] for line in found} == {
        "Run `ecluse migrate`: it takes every right away and grants those of sql/grants.sql"
    }
    assert again == found


def test_timeout_when_changed_then_found(own: Office) -> None:
    """Without its timeouts one stuck session holds the head's lock for everybody."""
    with administered(own, "alter role ecluse_app set lock_timeout = '1h'", "alter role ecluse_app set lock_timeout = '4s'"):
        (line,) = lines(own, "Timeouts")
    assert (line["where"], line["found"]) == ("ecluse_app", "lock_timeout is 1h, not 4s")
    assert line["mend"] == "Run `alter role ecluse_app set lock_timeout = '4s'`"


def test_plan_when_an_index_is_gone_then_what_is_read_through(own: Office) -> None:
    """A statement whose table would be read as a whole, be it along an index that does not answer it, is found before it is slow."""
    many = (
        "insert into ecluse.hold select 'hld_' || n, 'person', 'none:' || n, 'suspend', 'bulk', 'bulk', now(), 'infinity', null "
        "from generate_series(1, 20001) n; drop index ecluse.hold_live_ix; drop index ecluse.hold_person_ix; analyze ecluse.hold"
    )
    back = (
        "delete from ecluse.hold where reason = 'bulk'; "
        "create index hold_live_ix on ecluse.hold (scope, scope_id) where released_at is null; "
        "create index hold_person_ix on ecluse.hold (scope_id) where scope = 'person'; analyze ecluse.hold"
    )
    with administered(own, many, back):
        answer = own.json("doctor", "--dba")
        shown = own.run("doctor", "--dba", "--quiet").stdout
    warned = {each["stated"]["name"]: each["verdict"] for each in answer["statements"] if each["level"] == "warn"}
    assert warned["person's holds"] == "reads through hold"
    assert set(warned.values()) == {"reads through hold"}
    assert "warn: reads through hold" in shown


def test_owner_when_its_password_is_elsewhere_then_said(own: Office) -> None:
    """Where the owner's password is not kept, the rights are not compared, and that is said."""
    path = own.folder / "keys" / "db-owner.password"
    kept = path.read_text(encoding="utf-8")
    path.unlink()
    try:
        (line,) = lines(own, "Rights")
    finally:
        path.write_text(kept, encoding="utf-8")
        path.chmod(0o600)
    assert line["found"] == "not compared: the owner's password is not kept on this machine"


# ── what is right ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_page_when_all_is_well_then_every_statement_with_its_plan(own: Office) -> None:
    """Every statement can be planned by the role that runs it, and its plan is as it has to be."""
    answer = own.json("doctor", "--dba")
    assert [(each["stated"]["name"], each["verdict"]) for each in answer["statements"] if each["level"] != "ok"] == []
    assert len(answer["statements"]) == sum(len(group) for group in all_statements().values()) + 1
    appointment = next(each for each in answer["statements"] if each["stated"]["name"] == "appointment")
    assert appointment["plan"] == ["Limit", "  Index Scan on appointment by appointment_pk"]
    assert answer["locks"][0][1] == "ecluse.ledger_head"
    assert {row["role"]: row["each"] for row in answer["connections"]}["ecluse_app"] == own.installation.settings.database.pool
    shown = own.run("doctor", "--dba").stdout
    for word in ("Locks, in the order", "Connections", "Tables:", "Timeouts", "Growth", "index probes only"):
        assert word in shown


def test_page_when_shown_then_nothing_personal(own: Office) -> None:
    """No value and no reference of the register stands on the page."""
    embedded = EmbeddedPostgres(own.installation.embedded, own.installation.keys)

    async def values() -> list[str]:
        connection = await asyncpg.connect(embedded.superuser_dsn("register"))
        try:
            return await marked_values(connection, 1_000)
        finally:
            await connection.close()

    text = own.run("doctor", "--dba").output + own.run("doctor", "--dba", "--json").output
    marked = asyncio.run(values())
    assert len(marked) > 500
    assert [value for value in marked if value in text] == []
    assert "ofii:" not in text


def test_page_when_every_table_has_grown_then_none_is_read_through(found: Callable[..., Office]) -> None:
    """Whatever a gate sends, for machines or for pages, finds its rows by an index once there are many in every table."""
    office = found("grown", people=100)

    async def fill() -> None:
        connection = await asyncpg.connect(
            EmbeddedPostgres(office.installation.embedded, office.installation.keys).superuser_dsn("ecluse")
        )
        await grow(connection)
        await connection.close()

    asyncio.run(fill())
    answer = office.json("doctor", "--dba")
    assert [(each["stated"]["name"], each["verdict"]) for each in answer["statements"] if each["level"] != "ok"] == []


# ── whole ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def logged(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency whose database logs every statement of our roles' sessions that begin from now on."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as agency:

        async def log(value: str) -> None:
            async with agency.administered("ledger") as admin:
                for role in ("ecluse_app", "ecluse_jobs", "ecluse_usage", "register_reader"):
                    await admin.execute(f"alter role {role} {value}")

        asyncio.run(log("set log_statement = 'all'"))
        yield agency
        asyncio.run(log("reset log_statement"))


_RECORD = re.compile(
    r"^\d{4}-\d\d-\d\d [0-9:.]+ UTC \[(\d+)\] LOG:  (?:statement|execute [^:]+): (.*?)(?=^\d{4}-\d\d-\d\d |\Z)",
    re.MULTILINE | re.DOTALL,
)


async def test_statements_when_a_gate_works_then_each_is_on_the_page(logged: Agency) -> None:
    """PostgreSQL's own log says what a gate sent while it answered every call: nothing but what the page lists."""
    gate = logged.start_gate()
    async with at_work(logged, [10, 11], sheet={"family_name": "full"}) as desk, logged.administered("ledger") as admin:
        answers = [await desk.disclose(10, key="k"), await desk.disclose(10, key="k")]
        disclosure = answers[0].json()["disclosure"]
        session = (await desk.machine.call("GET", "/v1/sessions")).json()["sessions"][0]["id"]
        for path in ("/v1/whoami", f"/v1/sessions/{session}", "/v1/changes", "/v1/budget", f"/v1/disclosures/{disclosure}/proof"):
            await desk.machine.call("GET", path)
        await desk.machine.call("POST", f"/v1/sessions/{session}/sheet", body={"agent": desk.party.agent})
        for path in ("/healthz", "/ledger/main/checkpoint", "/ledger/main/tile/0/000.p/1"):
            await desk.machine.http.get(path)
        for role, call in (("portal", ("POST", "/v1/usage")), ("auditor", ("GET", "/ledger/main/tile/entries/000.p/1"))):
            machine = await logged.machine(None, role)
            async with Outsider(logged.public_url, machine.id, machine.key) as other:
                body = {"subject": {"register": "ofii", "key": ["10"]}, "language": "en"} if role == "portal" else None
                assert (await other.call(*call, body=body)).status_code == 200
        sessions = await admin.fetch(
            "select pid from pg_stat_activity where application_name in ('ecluse-gate', 'ecluse-jobs', 'ecluse-usage', 'ecluse-register')"
        )
    logged.stop_gate(gate)
    pids = {str(row["pid"]) for row in sessions}
    sent = {bare(text) for pid, text in _RECORD.findall(logged.postgres.log.read_text(encoding="utf-8")) if pid in pids}
    assert [code_of(answer) for answer in answers] == ["ok", "ok"]
    assert len(sent & listed()) > 15
    assert unlisted(sent) == []


ELSEWHERE = ("__", "cli", "demo", "install", "ledger/fsck", "migrations", "sandbox/service", "sql", "witness")
"""Folders and files of what no gate runs."""
OF_COMMANDS = {
    "appointment", "ask_erasure", "counts_day", "emergencies_waiting", "erasure_batches", "erasure_kept", "erasure_requests", "outcome_feed",
    "retry_outcomes", "sandbox_person", "seal_emergency", "usage_deferral", "withdraw_erasure",
}  # fmt: skip
"""What the statements name first that only a command sends."""
_SQL = re.compile(
    r"\s*(?:--[^\n]*\n\s*)*(?:select|insert into|update|delete from|with)\s.*?\becluse\.(?!current_log|clock)(\w+)", re.DOTALL
)


def texts_of(module: ModuleType) -> set[str]:
    """Return the texts that a module holds: its own names' values, and what its functions say in place."""
    tree = ast.parse(inspect.getsource(module))
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    said = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in parts)
    return {text for text in (*said, *vars(module).values()) if isinstance(text, str)}


def test_statements_when_a_gate_could_send_them_then_each_is_on_the_page() -> None:
    """No module or file has a statement that is not in the list, but for those of commands; so what a form sends that no test fills in is on the page, too."""
    texts = set[str]()
    for path in HERE.rglob("*"):
        inside = path.relative_to(HERE).as_posix()
        if inside.startswith(ELSEWHERE):
            continue
        if path.suffix == ".sql":
            texts.update(each.text for each in of_file(path, role="", when=""))
        elif path.suffix == ".py":
            texts.update(
                texts_of(
                    importlib.import_module(f"ecluse.{inside.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}")
                )
            )
    assert {found[1] for text in unlisted(texts) if (found := _SQL.match(text))} == OF_COMMANDS
