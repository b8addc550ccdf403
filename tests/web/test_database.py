"""What the database itself refuses: the grants as a list, the writes that only the door may do, append-only tables, and what is kept about persons."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import asyncpg
import pytest

from tests.agency import Agency
from tests.e2e.desk import at_work, code_of

pytestmark = pytest.mark.db

S, I, U, D, X = "select", "insert", "update", "delete", "execute"  # noqa: E741 - one letter each, as in PostgreSQL's own lists
LOG: Final = ("ledger_log", "ledger_head", "ledger_tile", "ledger_checkpoint")
HISTORY: Final = ("ledger_entry", "opening")
PARTIES: Final = ("processor", "contract", "agent", "client", "client_key", "hold")
PLAN: Final = ("schedule_import", "session", "session_agent", "enrolment", "appointment")
SPENT: Final = ("budget_person", "budget_count", "idempotency", "proof_spent", "refusal_count")
READS: Final = ("gather", "sealed_before", "entry_of", "unsigned_since")
"""What reads for the gate with the sealer's rights."""
OUTCOMES: Final = ("record_outcome", "outcomes_due", "settle_outcome", "retry_outcomes", "outcome_counts", "purge_outcomes")
"""What writes outcomes, and reads what the webhook shall send."""
OWN_COLUMNS: Final = {
    "schedule_import": "id source sha256 row_count actor started_at mode",
    "session": "id source session_ref processor_id purpose site_id room starts_at ends_at import_id",
    "appointment": "processor_id id session_id place_ref enrolment_id subject_ref import_id",
}
"""The columns that the gate may fill when it loads a pending import: not ``applied_at``, not ``reads``, not ``cancelled_at``."""

GRANTS: Final[dict[str, dict[str, set[str]]]] = {
    "ecluse_app": {
        **{name: {S} for name in (*LOG, *PARTIES, "schedule_change", "budget_count", *OWN_COLUMNS)},
        **{name: {S, I} for name in ("session_agent", "enrolment")},
        **{f"{table}.{column}": {I} for table, columns in OWN_COLUMNS.items() for column in columns.split()},
        "schedule_request": {S, I, D},
        "outcome_feed": {S},
        "sandbox_person": {S, I, D},
        **{f"{name}()": {X} for name in ("clock", "seal", "control", "spend", "drop_pending", *READS)},
        **{f"{name}()": {X} for name in ("record_outcome", "retry_outcomes", "outcome_counts")},
    },
    "ecluse_sealer": {
        "ledger_head": {S, U},
        "ledger_checkpoint": {S},
        **{name: {S, I} for name in ("ledger_entry", "opening", "contract", "processor", "agent", "client", "schedule_change")},
        **{name: {S, I, U} for name in ("client_key", "hold")},
        "schedule_import": {S, U, D},
        **{name: {S, I, U, D} for name in ("session", "appointment")},
        "schedule_request": {S, D},
        "enrolment": {S},
        **{name: {S, I, D} for name in ("session_agent", "proof_spent", "budget_person")},
        **{name: {S, I, U, D} for name in ("budget_count", "idempotency", "refusal_count", "outcome", "outcome_key")},
        "outcome_feed": {S},
        "outcome_seq": {"usage"},
        "clock()": {X},
    },
    "ecluse_jobs": {
        **{name: {S} for name in ("ledger_log", "ledger_head", "ledger_entry")},
        "ledger_tile": {S, I, U},
        "ledger_checkpoint": {S, I},
        **{f"{name}()": {X} for name in ("clock", "purge", "refusals_due", "note_refusals", "ensure_partitions")},
        **{f"{name}()": {X} for name in ("outcomes_due", "settle_outcome", "outcome_counts", "purge_outcomes")},
    },
    "ecluse_eraser": {"opening": {S, D}},
    "ecluse_reader": {
        **{name: {S} for name in (*LOG, *HISTORY, *PARTIES, *PLAN, *SPENT, "schedule_change", "schedule_request")},
        **{name: {S} for name in ("outcome", "outcome_key", "outcome_feed", "sandbox_person")},
        "clock()": {X},
    },
}
"""Who may do what, role by role; a partition counts as its table, a function's owner is left out."""

OWNED_BY_SEALER: Final = {
    *READS,
    *OUTCOMES,
    "seal",
    "control",
    "apply_schedule",
    "spend",
    "purge",
    "refusals_due",
    "note_refusals",
    "drop_pending",
    "refuse_unsealed_rows",
}

_CATALOGUE: Final = """
with granted as (
  select coalesce(i.inhparent::regclass::text, c.oid::regclass::text) as name, c.relowner as owner, (aclexplode(c.relacl)).*
  from pg_class c left join pg_inherits i on i.inhrelid = c.oid where c.relnamespace = 'ecluse'::regnamespace and c.relkind in ('r', 'p', 'S', 'v')
  union all
  select c.oid::regclass::text || '.' || a.attname, c.relowner, (aclexplode(a.attacl)).*
  from pg_attribute a join pg_class c on c.oid = a.attrelid where c.relnamespace = 'ecluse'::regnamespace and a.attacl is not null
  union all
  select p.proname || '()', p.proowner, (aclexplode(coalesce(p.proacl, acldefault('f', p.proowner)))).*
  from pg_proc p where p.pronamespace = 'ecluse'::regnamespace
)
select case grantee when 0 then 'public' else grantee::regrole::text end as role, replace(name, 'ecluse.', '') as name, lower(privilege_type) as may,
       is_grantable
from granted where grantee <> owner
"""


async def test_grants_when_read_from_the_catalogue_then_this_list(agency: Agency) -> None:
    """The privileges in the catalogue are exactly those listed here; none can be handed on, and the public has none."""
    found: dict[str, dict[str, set[str]]] = {}
    for row in await agency.fetch(_CATALOGUE):
        assert not row["is_grantable"]
        found.setdefault(row["role"], {}).setdefault(row["name"], set()).add(row["may"])
    assert found == GRANTS


async def test_roles_when_read_then_none_is_strong_and_none_is_another(agency: Agency) -> None:
    """No role of ours is a superuser or may make roles; only the owner may act as another, the sealer; nobody logs in as sealer or eraser."""
    roles = await agency.fetch(
        "select rolname, rolcanlogin, rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication as strong from pg_roles "
        "where rolname like 'ecluse\\_%' and rolname <> 'ecluse_super'"
    )
    members = await agency.fetch(
        "select member::regrole::text, roleid::regrole::text as role from pg_auth_members where roleid::regrole::text not like 'pg\\_%'"
    )
    schema = await agency.fetch(
        "select a.grantee::regrole::text as role, lower(a.privilege_type) as may from pg_namespace n, aclexplode(n.nspacl) a "
        "where n.nspname = 'ecluse' and a.grantee <> n.nspowner"
    )
    assert {row["rolname"] for row in roles if row["strong"]} == set()
    assert {row["rolname"] for row in roles if not row["rolcanlogin"]} == {"ecluse_sealer", "ecluse_eraser"}
    assert {tuple(row) for row in members} == {("ecluse_owner", "ecluse_sealer")}
    assert {tuple(row) for row in schema} == {(role, "usage") for role in GRANTS}


async def test_functions_when_they_act_for_another_then_with_a_closed_search_path(agency: Agency) -> None:
    """A function that runs with its owner's rights looks names up nowhere but in the catalogue; those that write, or read history, are the sealer's."""
    rows = await agency.fetch(
        "select proname, proowner::regrole::text as owner, prosecdef, coalesce(proconfig, '{}') as settings from pg_proc "
        "where pronamespace = 'ecluse'::regnamespace"
    )
    assert {row["proname"] for row in rows if row["owner"] == "ecluse_sealer"} == OWNED_BY_SEALER
    assert [row["proname"] for row in rows if row["prosecdef"] and "search_path=pg_catalog, pg_temp" not in row["settings"]] == []


@pytest.mark.parametrize(
    "statement",
    [
        "insert into ecluse.ledger_entry (log_id, index, leaf, sealed_at) values (1, 10000, ''::bytea, now())",
        "update ecluse.ledger_entry set leaf = ''::bytea",
        "delete from ecluse.ledger_entry",
        "truncate ecluse.ledger_entry",
        "insert into ecluse.ledger_entry_00000 (log_id, index, leaf, sealed_at) values (1, 10000, ''::bytea, now())",
        "delete from ecluse.ledger_entry_00000",
        "insert into ecluse.opening (log_id, index, sealed_at, event, fields, salts) values (1, 0, now(), 'x', '[]', ''::bytea)",
        "update ecluse.opening set subject_ref = null",
        "delete from ecluse.opening",
        "delete from ecluse.opening_default",
        "update ecluse.ledger_head set size = 0",
        "update ecluse.ledger_head set last_at = now() - interval '1 day'",
        "insert into ecluse.budget_person values ('h', now(), 'x', 'y')",
        "delete from ecluse.budget_person",
        "select from ecluse.budget_person",
        "select from ecluse.opening",
        "select from ecluse.opening_default",
        "select from ecluse.ledger_entry",
        "select from ecluse.ledger_entry_00000",
        "select from ecluse.idempotency",
        "update ecluse.budget_count set persons = 0",
        "delete from ecluse.budget_count",
        "insert into ecluse.idempotency values ('c', 'e', 'k', ''::bytea, 1, 0, 1, now(), 0)",
        "update ecluse.idempotency set redeliveries = 0",
        "delete from ecluse.idempotency",
        "insert into ecluse.proof_spent values (1, ''::bytea)",
        "delete from ecluse.proof_spent",
        "select from ecluse.proof_spent",
        "update ecluse.appointment set reads = 0",
        "update ecluse.appointment set cancelled_at = null",
        (
            "insert into ecluse.appointment (processor_id, id, session_id, place_ref, enrolment_id, subject_ref, import_id, reads) "
            "values ('a', 'b', 'c', 'd', 'e', 'f', 'g', -9)"
        ),
        "delete from ecluse.appointment",
        "update ecluse.session set ends_at = 'infinity'",
        "update ecluse.schedule_import set applied_at = now()",
        (
            "insert into ecluse.schedule_import (id, source, sha256, row_count, actor, started_at, applied_at) "
            "values ('a', 'b', 'c', 1, 'd', now(), now())"
        ),
        (
            "insert into ecluse.contract (processor_id, version, reference, text, hash, applied_seq, applied_at, applied_by) "
            "values ('a', 1, 'b', 'c', 'd', 1, now(), 'e')"
        ),
        "update ecluse.hold set released_at = now()",
        "update ecluse.client_key set revoked_at = null",
        "insert into ecluse.client_key (client_id, thumbprint, alg, jwk, added_at) values ('a', 'b', 'ES256', 'c', now())",
        "select ecluse.purge()",
        "select ecluse.apply_schedule('{}', 1, now())",
        "create or replace function ecluse.clock() returns timestamptz language sql as 'select now() - interval ''1 year'''",
        "create table ecluse.mine (id integer)",
        "create function ecluse.mine() returns integer language sql as 'select 1'",
        "set role ecluse_sealer",
        "set role ecluse_owner",
        "set session_replication_role = replica",
        "alter table ecluse.ledger_entry disable trigger all",
    ],
)
async def test_gate_role_when_it_writes_past_the_door_then_refused(agency: Agency, statement: str) -> None:
    """Whoever has the gate's password reads no history, and can't write history, counters, keys, proofs, reads, windows or contracts but through the door."""
    async with agency.connected("ecluse_app") as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(statement)


async def test_gate_role_when_it_reads_history_then_one_grant_by_its_own_key(agency: Agency) -> None:
    """The gate's password opens a grant to whoever knows client, address and key, for ten minutes, and finds an entry for whoever knows its name and owner."""
    earlier = "select fields from ecluse.sealed_before(1::smallint, $1, '/v1/disclosures', $2)"
    entry = "select index from ecluse.entry_of(1::smallint, $1, $2)"
    async with at_work(agency, [13]) as desk, at_work(agency, [14]) as other, agency.connected("ecluse_app") as app:
        disclosure = (await desk.disclose(13, key="mine")).json()["disclosure"]
        index = (await agency.fetch("select index from ecluse.opening where disclosure_id = $1", disclosure))[0]["index"]
        guesses = [(other.machine.client, "mine"), (desk.machine.client, "mine%"), (desk.machine.client, None)]
        opened = [await app.fetch(earlier, *guess) for guess in guesses]
        found = [await app.fetch(entry, *guess) for guess in ((other.party.name, disclosure), (desk.party.name, "dsc_%"))]
        own = await app.fetch(earlier, desk.machine.client, "mine")
        assert [row["index"] for row in await app.fetch(entry, desk.party.name, disclosure)] == [index]
        await agency.set_clock_offset(agency.offset + timedelta(minutes=12))
        late = await app.fetch(earlier, desk.machine.client, "mine")
        await agency.reset_clock()
    assert (opened, found, late) == ([[]] * 3, [[]] * 2, [])
    assert [disclosure in row["fields"] for row in own] == [True]


async def test_gate_role_when_it_loads_rows_under_an_applied_import_then_refused(agency: Agency) -> None:
    """An appointment can't be slipped into a schedule that is in force: rows are loaded under a pending import, which takes effect by its entry only."""
    async with at_work(agency, [10]) as desk:
        row = (await agency.fetch("select * from ecluse.appointment where id = $1", desk.handles[10]))[0]
        session = (await agency.fetch("select * from ecluse.session where id = $1", row["session_id"]))[0]
        columns = OWN_COLUMNS["appointment"].split()
        handle = "apt_" + "b" * 25 + "a"
        values = {**{name: row[name] for name in columns}, "id": handle, "place_ref": "slipped-in"}
        async with agency.connected("ecluse_app") as app:
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await app.copy_records_to_table(
                    "appointment", schema_name="ecluse", columns=columns, records=[tuple(values.values())]
                )
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await app.execute(
                    "insert into ecluse.session_agent (session_id, agent_id) values ($1, $2)",
                    session["id"],
                    await another_agent(agency),
                )
            await app.execute(
                "insert into ecluse.schedule_import (id, source, sha256, row_count, actor, started_at) "
                "values ($1, 'mine', 'x', 1, 'me', now())",
                "imp_" + "b" * 25 + "a",
            )
            pending = {**values, "import_id": "imp_" + "b" * 25 + "a"}
            await app.copy_records_to_table(
                "appointment", schema_name="ecluse", columns=columns, records=[tuple(pending.values())]
            )
        assert code_of(await desk.machine.disclose(handle, desk.party.agent)) == "not-disclosable"
        listed = (await desk.machine.call("GET", "/v1/sessions")).text
    assert handle not in listed


async def another_agent(agency: Agency) -> str:
    """Return an agent of another processor."""
    agent: str = (await agency.bind()).agent
    return agent


@pytest.mark.parametrize(
    "statement",
    [
        "update ecluse.ledger_entry set sealed_at = now()",
        "delete from ecluse.ledger_entry",
        "truncate ecluse.ledger_entry",
        "update ecluse.opening set fields = '[]'",
        "truncate ecluse.opening",
        "update ecluse.contract set text = ''",
        "delete from ecluse.contract",
        "update ecluse.schedule_change set kind = 'moved'",
    ],
)
async def test_append_only_when_even_the_owner_changes_it_then_refused(agency: Agency, statement: str) -> None:
    """What is append-only is so for its owner too, who would have to take a trigger away first."""
    async with at_work(agency, [11]) as desk:
        await agency.schedule(desk.meeting, cancelled=[11])  # a row in each of these tables
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
            await agency.execute(statement)


RETENTION: Final = {
    "opening.subject_ref": "person: reference; retention 12 months",
    "opening.fields": "person: reference, and what was given in which form; retention 12 months",
    "opening.agent_id": "staff: reference; retention 12 months",
    "agent.label": "staff: how the processor calls its agent; retention: while the contract runs, then 12 months",
    "contract.applied_by": "staff: who applied it; retention: while the contract runs, then 12 months",
    "hold.placed_by": "staff: who placed it; retention: while the hold lasts, then 12 months",
    "schedule_import.actor": "staff: who sent it; retention 12 months",
    "schedule_request.requested_by": "staff: who sent it; retention: until it is approved or withdrawn, at most 72 hours",
    "schedule_request.content": "person: the file as it was sent; retention: until it is approved or withdrawn, at most 72 hours",
    "session_agent.agent_id": "staff: reference; retention 12 months after the session",
    "hold.scope_id": "person: reference when scope is person; retention: while the hold lasts, then 12 months",
    "enrolment.subject_ref": "person: reference; retention 12 months after the course's last session",
    "appointment.subject_ref": "person: reference; retention 12 months after the session",
    "budget_person.subject_ref": "person: reference; retention: until its hour, day or month is over, then at most a day",
    "outcome.appointment_id": "person: handle; retention 30 days",
    "outcome.attendance": "person: whether present; retention 30 days",
    "outcome.level": "person: level reached; retention 30 days",
    "outcome.agent_id": "staff: reference; retention 30 days",
    "outcome_key.appointment_id": "person: handle; retention: ten minutes",
}
"""Every column that holds a person's reference, or names one of a processor's people, and how long."""


async def test_retention_when_read_from_the_schema_then_this_list(agency: Agency) -> None:
    """The schema's comments on persons and staff are exactly those listed here, and each says how long."""
    rows = await agency.fetch(
        "select c.relname || '.' || a.attname as name, col_description(c.oid, a.attnum) as said from pg_class c join pg_attribute a on a.attrelid = c.oid "
        "where c.relnamespace = 'ecluse'::regnamespace and not c.relispartition and a.attnum > 0 and col_description(c.oid, a.attnum) ~ '^(person|staff):'"
    )
    assert {row["name"]: row["said"] for row in rows} == RETENTION


async def test_person_references_when_searched_for_then_only_in_columns_of_the_list(agency: Agency) -> None:
    """After a day of work a reference to the register's person stands in no column that the list does not name."""
    async with at_work(agency, [12]) as desk:
        await desk.disclose(12, key="k")
        await agency.release((await agency.hold("person", "ofii:12"))[0])
        await agency.schedule(desk.meeting, cancelled=[12])
    async with agency.connected() as owner:
        columns = await owner.fetch(
            "select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid where c.relnamespace = 'ecluse'::regnamespace "
            "and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped and a.atttypid in ('text'::regtype, 'bytea'::regtype)"
        )
        holding = set()
        for table, column in columns:
            text = f"encode(\"{column}\"::text::bytea, 'escape')"
            if await owner.fetchval(f"select exists (select from ecluse.\"{table}\" where {text} like '%ofii:%')"):  # noqa: S608 - names of the catalogue
                holding.add(f"{table}.{column}")
    assert holding == {name for name in RETENTION if RETENTION[name].startswith("person: reference")}
