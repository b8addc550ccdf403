"""What the database itself refuses: the grants as a list, the writes that only the door may do, append-only tables, and what is kept about persons."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from ecluse.ledger.erase import ask_erasure
from ecluse.register import parse_register
from ecluse.usage import Rule
from ecluse.usage.service import defer
from tests.agency import Agency
from tests.e2e.desk import at_work, code_of
from tests.flows.counting import count_flows
from tests.invented import register_toml
from tests.usage.portal import portal_of

pytestmark = pytest.mark.db

ROOT: Final = Path(__file__).parents[2]

S, I, U, D, X = "select", "insert", "update", "delete", "execute"  # noqa: E741 - one letter each, as in PostgreSQL's own lists
LOG: Final = ("ledger_log", "ledger_head", "ledger_tile", "ledger_checkpoint")
HISTORY: Final = ("ledger_entry", "opening")
WITNESSED: Final = ("ledger_policy", "ledger_cosignature", "ledger_quorum")
SUCCESSION: Final = ("ledger_key", "ledger_succession", "ledger_anchor")
PARTIES: Final = ("processor", "contract", "agent", "client", "client_key", "hold")
PLAN: Final = ("schedule_import", "session", "session_agent", "enrolment", "appointment")
SPENT: Final = ("budget_person", "budget_count", "idempotency", "proof_spent", "refusal_count")
READS: Final = ("gather", "sealed_before", "entry_of", "unsigned_since", "uncosigned_since")
"""What reads for the gate with the sealer's rights."""
OUTCOMES: Final = ("record_outcome", "outcomes_due", "settle_outcome", "retry_outcomes", "outcome_counts", "purge_outcomes")
"""What writes outcomes, and reads what the webhook shall send."""
VISITS: Final = ("usage_link", "usage_enter", "usage_visited", "usage_leave", "usage_again")
"""What makes links to a person's own page, and visits of it."""
USAGE: Final = (
    *VISITS,
    "usage_stood",
    "usage_asked",
    "usage_lines",
    "usage_plan",
    "usage_seal",
    "usage_shown",
    "purge_usage",
    "first_sealed",
    "counts_due",
    "note_counts",
    "bundle_of",
)
"""What looks a person's record up, counts a day, and reads a bundle for an auditor."""
ERASURE: Final = (
    "plan_erasure",
    "erase_slice",
    "ask_erasure",
    "withdraw_erasure",
    "erasure_requests",
    "erasure_batches",
    "erasure_kept",
)
"""What forgets."""
ERASURE_RULES: Final = ("erasable", "handle_of", "processor_of_hold", "kept_at", "names_any", "hold_lasts", "erasure_waiting")
"""What decides what is forgotten, called by those only."""
FLOWS: Final = ("flow_mark", "flow_seen", "flow_person", "flow_attempt")
"""What the fold writes."""
OWN_COLUMNS: Final = {
    "schedule_import": "id source sha256 row_count actor started_at mode salt",
    "session": "id source session_ref processor_id purpose site_id room starts_at ends_at import_id",
    "appointment": "processor_id id session_id place_ref enrolment_id subject_ref import_id",
}
"""The columns that the gate may fill when it loads a pending import: not ``applied_at``, not ``reads``, not ``cancelled_at``."""

GOVERNED: Final = ("evidence", "finding", "gate_override")
HANDED_IN: Final = {
    "evidence": "id processor_id kind title issuer scope sites period_from period_until reviewed_on ends_on bridges sub_processors media_type bytes "
    "sha256 submitted_by",
    "gate_override": "id processor_id reasons why hours asked_by",
}
"""The columns of what is handed in or asked for: not when, and not who accepted or approved it, nor when."""

QUESTIONNAIRES: Final = ("questionnaire", "questionnaire_response", "questionnaire_finding")
RESPONSE_ONCE: Final = "id processor_id questionnaire way secret_sha256 language made_by expires_at"
RESPONSE_BEGUN: Final = "answers contact_name contact_function contact_email saved_at handed_in_at"
RESPONSE_LATER: Final = "revoked_by revoked_at evidence_id"
"""The columns of a response that the gate fills when it makes one, while it is answered, and later: a trigger keeps what was handed in."""

GRANTS: Final[dict[str, dict[str, set[str]]]] = {
    "ecluse_app": {
        **{name: {S} for name in (*LOG, *WITNESSED, *SUCCESSION, *PARTIES, "schedule_change", "budget_count", *OWN_COLUMNS)},
        **{name: {S, I} for name in ("session_agent", "enrolment")},
        **{f"{table}.{column}": {I} for table, columns in OWN_COLUMNS.items() for column in columns.split()},
        "schedule_request": {S, I, D},
        "schedule_draft": {S, I, D},
        "seal_lookup()": {X},
        "outcome_feed": {S},
        "sandbox_person": {S, I, D},
        "flow_import": {S, I, D},
        **{name: {S} for name in GOVERNED},
        **{f"{table}.{column}": {I} for table, columns in HANDED_IN.items() for column in columns.split()},
        **{f"evidence.rejected_{column}": {U} for column in ("by", "at", "why")},
        "evidence_document": {S, I},
        **{name: {S, I} for name in ("questionnaire", "questionnaire_finding")},
        "questionnaire_response": {S},
        **{f"questionnaire_response.{column}": {I} for column in RESPONSE_ONCE.split()},
        **{f"questionnaire_response.{column}": {I, U} for column in RESPONSE_BEGUN.split()},
        **{f"questionnaire_response.{column}": {U} for column in RESPONSE_LATER.split()},
        **{f"{name}()": {X} for name in ("clock", "current_log", "seal", "control", "spend", "drop_pending", *READS)},
        **{f"{name}()": {X} for name in ("record_outcome", "retry_outcomes", "outcome_counts")},
        **{f"{name}()": {X} for name in ("seal_emergency", "emergencies_waiting")},
        "notice.state": {S},
        **{name: {S} for name in ("officer", "passkey", "invitation")},
        **{f"passkey.{column}": {U} for column in ("sign_count", "backed_up", "used_at")},
        "sign_in": {S, I},
        **{f"sign_in.{column}": {U} for column in ("seen_at", "stepped_up_at", "thumbprint", "ended_at")},
        "sign_in_challenge": {S, I, U, D},
        "walk_in": {S, I, D},
        **{f"{name}()": {X} for name in ("invite", "approve_invitation")},
        "bundle_of()": {X},
    },
    "ecluse_usage": {f"{name}()": {X} for name in ("usage_plan", "usage_seal", "usage_shown", *VISITS)},
    "ecluse_sealer": {
        "ledger_head": {S, U},
        "ledger_checkpoint": {S},
        "ledger_key": {S, I, U},
        "ledger_succession": {S, I},
        "processor.log_id": {U},
        "ledger_policy": {S, I},
        "ledger_quorum": {S},
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
        "usage_deferral": {S, I, U, D},
        "usage_look": {S, I, D},
        "usage_visit": {S, I, U, D},
        "counts_day": {S, I},
        "emergency": {S, I, U},
        "lookup": {S, I, U},
        "schedule_draft": {S, D},
        **{name: {S, I, U} for name in ("officer", "passkey")},
        "invitation": {S, I, U, D},
        "sign_in": {S, D},
        "sign_in.ended_at": {U},
        "sign_in_challenge": {S, D},
        "walk_in": {S, D},
        **{name: {S, I} for name in ("erasure_batch", "tombstone")},
        "erasure_plan": {S, D},
        **{name: {S} for name in ("erasure_place", "erasure_request")},
        "erasure_request.batch": {U},
        **{name: {S, I, U} for name in FLOWS},
        **{f"{name}()": {X} for name in ("opened", "flow_word")},
        "handle_of()": {X},
        **{name: {S, U} for name in ("evidence", "gate_override")},
        "finding": {S, I, U},
        "clock()": {X},
    },
    "ecluse_jobs": {
        **{name: {S} for name in ("ledger_log", "ledger_head", "ledger_entry")},
        "ledger_tile": {S, I, U},
        "ledger_checkpoint": {S, I},
        "ledger_checkpoint.note": {U},
        **{name: {S} for name in ("ledger_key", "ledger_succession")},
        "ledger_anchor": {S, I},
        "current_log()": {X},
        "ledger_policy": {S},
        **{name: {S, I} for name in ("ledger_cosignature", "ledger_quorum")},
        "uncosigned_since()": {X},
        **{f"{name}()": {X} for name in ("clock", "purge", "refusals_due", "note_refusals", "ensure_partitions")},
        **{f"{name}()": {X} for name in ("outcomes_due", "settle_outcome", "outcome_counts", "purge_outcomes")},
        **{f"{name}()": {X} for name in ("purge_usage", "counts_due", "note_counts", "bundle_of")},
        "notice": {S, I, U, D},
        **{name: {S} for name in ("contract", "evidence", "finding", "gate_override", "emergency")},
        **{f"{name}()": {X} for name in ("seal_erasure", *ERASURE)},
        "fold_flows()": {X},
        "purge_people()": {X},
    },
    "ecluse_eraser": {
        **{
            name: {S, D}
            for name in ("opening", "appointment", "session", "enrolment", "outcome", "schedule_change", "budget_person")
        },
        **{name: {S, D} for name in ("hold", "usage_deferral", "usage_visit", "emergency", "lookup")},
        **{name: {S} for name in ("ledger_head", "agent", "client", "schedule_import", "tombstone")},
        **{f"schedule_import.{column}": {U} for column in ("salt", "actor")},
        "erasure_batch": {S, U},
        "erasure_plan": {S, I},
        **{name: {S, I, D} for name in ("erasure_place", "erasure_request")},
        **{f"{name}()": {X} for name in ("clock", "current_log", *ERASURE_RULES)},
        "flow_person": {S, D},
        "flow_gone": {S, I, U},
        **{f"{name}()": {X} for name in ("forget_flows", "flow_word")},
    },
    "ecluse_reader": {
        **{
            name: {S}
            for name in (*LOG, *HISTORY, *WITNESSED, *SUCCESSION, *PARTIES, *PLAN, *SPENT, "schedule_change", "schedule_request")
        },
        "current_log()": {X},
        **{name: {S} for name in ("outcome", "outcome_key", "outcome_feed", "sandbox_person")},
        **{
            name: {S}
            for name in (
                "usage_deferral",
                "usage_look",
                "usage_visit",
                "counts_day",
                "emergency",
                "notice",
                "lookup",
                "schedule_draft",
            )
        },
        **{name: {S} for name in ("officer", "passkey", "invitation", "sign_in", "sign_in_challenge", "walk_in")},
        **{name: {S} for name in (*GOVERNED, "evidence_document", *QUESTIONNAIRES)},
        **{name: {S} for name in ("erasure_batch", "erasure_plan", "erasure_place", "erasure_request", "tombstone")},
        **{name: {S} for name in (*FLOWS, "flow_gone", "flow_import")},
        **{f"{name}()": {X} for name in ("bundle_of", "handle_of")},
        "clock()": {X},
    },
}
"""Who may do what, role by role; a partition counts as its table, a function's owner is left out."""

OWNED_BY_SEALER: Final = {
    *READS,
    *OUTCOMES,
    *USAGE,
    "seal",
    "seal_emergency",
    "review_emergency",
    "emergencies_waiting",
    "may_look_up",
    "decide_lookup",
    "seal_lookup",
    "may_manage",
    "invite",
    "approve_invitation",
    "manage_people",
    "purge_people",
    "seal_erasure",
    "fold_flows",
    "control",
    "govern",
    "apply_schedule",
    "spend",
    "purge",
    "refusals_due",
    "note_refusals",
    "apply_witnesses",
    "rekey_log",
    "succeed_log",
    "current_log",
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
    """No role of ours is a superuser or may make roles; only the owner may act as another, sealer and eraser; nobody logs in as sealer or eraser."""
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
    assert {tuple(row) for row in members} == {("ecluse_owner", "ecluse_sealer"), ("ecluse_owner", "ecluse_eraser")}
    assert {tuple(row) for row in schema} == {(role, "usage") for role in GRANTS}


async def test_functions_when_they_act_for_another_then_with_a_closed_search_path(agency: Agency) -> None:
    """A function that runs with its owner's rights looks names up nowhere but in the catalogue; those that write, or read history, are the sealer's."""
    rows = await agency.fetch(
        "select proname, proowner::regrole::text as owner, prosecdef, coalesce(proconfig, '{}') as settings from pg_proc "
        "where pronamespace = 'ecluse'::regnamespace"
    )
    assert {row["proname"] for row in rows if row["owner"] == "ecluse_sealer"} == OWNED_BY_SEALER
    assert {row["proname"] for row in rows if row["owner"] == "ecluse_eraser"} == set(ERASURE)
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
        "insert into ecluse.ledger_policy (log_id, version, text, hash, applied_seq, applied_at, applied_by) values (1, 9, '', '', 1, now(), 'me')",
        "insert into ecluse.ledger_cosignature values (1, 1, 'w', 'l', now())",
        "insert into ecluse.ledger_key values (1, 'k', 5, null, now(), null)",
        "update ecluse.ledger_key set until_size = 1",
        "insert into ecluse.ledger_succession values (2, 1, 1, 1, now())",
        "update ecluse.processor set log_id = 2",
        "update ecluse.ledger_checkpoint set note = ''",
        "insert into ecluse.ledger_anchor values (1, 1, 'n', ''::bytea, 'a', now())",
        "insert into ecluse.ledger_quorum values (1, 10000, 1, now())",
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
        "insert into ecluse.officer values ('off_"
        + "a" * 26
        + "', 'me', sha256(''::bytea), array['administrator'], now(), null)",
        "update ecluse.officer set closed_at = null",
        "update ecluse.officer set roles = array['administrator']",
        "insert into ecluse.passkey values (sha256(''::bytea), 'off_x', null, ''::bytea, 0, false, '', now(), null, null)",
        "update ecluse.passkey set revoked_at = null",
        "update ecluse.passkey set public_key = ''::bytea",
        "insert into ecluse.invitation values (sha256(''::bytea), 'off_x', null, 'enrol', 'me', now(), null, null, now(), null)",
        "update ecluse.invitation set approved_by = 'me'",
        "update ecluse.invitation set used_at = null",
        "update ecluse.sign_in set ends_at = 'infinity'",
        "update ecluse.sign_in set officer_id = null",
        "select ecluse.manage_people('officer:add', '{}', now())",
        "select ecluse.may_manage('cli:me')",
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
        "truncate ecluse.ledger_policy",
        "truncate ecluse.ledger_cosignature",
        "truncate ecluse.ledger_quorum",
        "truncate ecluse.ledger_anchor",
        "truncate ecluse.ledger_succession",
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


RETENTION: Final = dict(
    re.findall(
        r"^\| `(\w+\.\w+)` \| ((?:person|staff): [^|]+) \|$",
        (ROOT / "docs" / "erasure.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
)
"""Every column that holds a person's reference, or names one of a processor's people, and how long: as docs/erasure.md lists them."""


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
        until = await agency.now() + timedelta(days=1)
        rule = Rule(subject="ofii:12", processor=desk.party.name, purpose=None, reason="r", legal_basis="l", until_at=until)
        async with agency.connected("ecluse_app") as app:
            await defer(app, log_id=1, rule=rule, register=parse_register(register_toml()), actor="cli:test")
        async with portal_of(agency) as portal:
            link = await portal.call("POST", "/v1/usage/links", body={"subject": {"register": "ofii", "key": ["12"]}})
        assert link.status_code == 200
        await agency.execute(
            "insert into ecluse.lookup (id, log_id, index, subject_ref, purpose, asked_by, asked_at, expires_at) "
            "values ('lkp_x', 1, 0, 'ofii:12', 'a complaint of theirs', 'off_x', now(), now() + interval '1 hour')"
        )
        async with agency.connected("ecluse_jobs") as jobs:
            await ask_erasure(jobs, subject="ofii:12", reason="r", actor="cli:test")
        await count_flows(agency)
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
