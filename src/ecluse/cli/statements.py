"""The statements that a gate runs, for a database administrator: each with its purpose, its role, how often, and the plan it must have.

What a function does inside is shown by the look-ups that it makes, with the function's own settings. A test compares this list with what PostgreSQL's log says
that a working gate sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import aiosql
import msgspec
from aiosql.queries import Queries

from ecluse.contracts.store import query as of_contracts
from ecluse.db import HERE
from ecluse.disclosure.door import GATHER
from ecluse.disclosure.plan import OPENINGS
from ecluse.disclosure.store import DUE, NOTE
from ecluse.disclosure.terms import _CONTRACTS, _HOLDS, _TEXTS
from ecluse.identity.accounts import PURGE as PURGE_PEOPLE
from ecluse.identity.service import _STANDING
from ecluse.identity.store import RESOLVE
from ecluse.ledger.erase import _LOGS, SEAL_ERASURE, SLICE
from ecluse.ledger.erase import PLAN as PLAN_ERASURE
from ecluse.ledger.store import CONTROL, HEAD, SEAL
from ecluse.notices.store import query as of_notices
from ecluse.outcomes.store import _AFTER, _DUE, _RECORD, _SETTLE, ELECT
from ecluse.schedule.agenda import _CHANGES, _PLACES, _SESSIONS
from ecluse.usage.store import COUNTS_DUE, NOTE_COUNTS, PAPERS, PLAN, PURGE, SHOWN
from ecluse.usage.store import SEAL as USAGE_SEAL
from ecluse.web.gateway import _LOGS as _SERVED
from ecluse.web.ledger_api import _DUTIES, _SUCCEEDED, _UNCOSIGNED, _UNSIGNED_SINCE

FUNCTION: Final = "function"
INDEX: Final = "index"
WHOLE: Final = "whole"
WRITE: Final = "write"
EXPECTED: Final = {
    FUNCTION: "one call; its look-ups are shown apart",
    INDEX: "index probes only: no table that grows is read through",
    WHOLE: "a small table, read as a whole",
    WRITE: "writes; rows are found by key",
}
"""What each kind of plan has to be."""

_DOOR_SETTINGS: Final = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_bitmapscan")
_SEQ: Final = "select control_seq from ecluse.ledger_head where log_id = $1::smallint"


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """One statement. ``plan``: a word of `EXPECTED`; ``without``: planner settings that its function turns off; ``inside``: of which function it is a part."""

    name: str
    when: str
    role: str
    purpose: str
    text: str
    plan: str = INDEX
    without: tuple[str, ...] = ()
    inside: str = ""


def _app(name: str, when: str, purpose: str, text: str, plan: str = INDEX) -> Stated:
    """State one that the gate's role runs."""
    return Stated(name=name, when=when, role="ecluse_app", purpose=purpose, text=text.strip(), plan=plan)


def _probe(name: str, inside: str, purpose: str, text: str) -> Stated:
    """State a look-up inside a function of the door."""
    return Stated(
        name=name, when="each ask", role="ecluse_reader", purpose=purpose, text=text, without=_DOOR_SETTINGS, inside=inside
    )


THE_DOOR: Final = (
    _app("gather", "each batch", "what is known of every ask of a batch, at one control_seq", GATHER, FUNCTION),
    _app("seal", "each batch", "takes the head's lock, judges, writes entries, openings, keys, proofs, budgets: one commit", SEAL, FUNCTION),
    _app("earlier openings", "a retry", "the openings that a retried grant is answered from", OPENINGS, FUNCTION),
    _probe("appointment", "gather, seal", "the place that a handle names, for its own processor",
           "select subject_ref, reads from ecluse.appointment where processor_id = $1 and id = $2 limit 1"),
    _probe("session", "gather", "its session", "select starts_at, ends_at from ecluse.session where id = $1"),
    _probe("roster", "gather", "who holds the session", "select agent_id from ecluse.session_agent where session_id = $1"),
    _probe("person's holds", "gather", "holds on the person",
           "select id, effect from ecluse.hold where scope = 'person' and scope_id = $1 and released_at is null"),
    _probe("witness policy", "gather", "is there a quorum to reach?",
           "select quorum_since from ecluse.ledger_policy where log_id = $1 order by version desc limit 1"),
    _probe("last quorum", "gather", "what had its quorum last", "select size from ecluse.ledger_quorum where log_id = $1 order by size desc limit 1"),
    _probe("uncosigned entry", "gather", "since when the next entry waits", "select sealed_at from ecluse.ledger_entry where log_id = $1 and index = $2"),
    _probe("key", "gather, seal, sealed_before", "an earlier grant of the same key",
           "select index, entries from ecluse.idempotency where client_id = $1 and endpoint = $2 and key = $3 limit 1"),
    _probe("proof", "seal, spend", "was this proof spent?", "select 1 from ecluse.proof_spent where slot = $1 and digest = $2 limit 1"),
    _probe("budget's person", "seal", "is this person known to the budget?",
           "select 1 from ecluse.budget_person where unit = $1 and bucket = $2 and scope = $3 and subject_ref = $4 limit 1"),
    _probe("budget", "seal", "how many persons it holds", "select persons from ecluse.budget_count where unit = $1 and bucket = $2 and scope = $3 limit 1"),
    _probe("openings", "sealed_before", "openings of a grant",
           "select fields, salts from ecluse.opening where log_id = $1 and index >= $2 and index < $3 and sealed_at = $4"),
    _probe("entry", "entry_of", "where a disclosure's entry stands", "select index from ecluse.opening where disclosure_id = $1 and processor_id = $2"),
)  # fmt: skip

CONFIGURATION: Final = (
    _app("head", "each call, each change", "the present control_seq", _SEQ),
    _app("contracts", "after a change", "the contract in force of each processor", _CONTRACTS, WHOLE),
    _app("texts", "after a new contract", "texts not read yet", _TEXTS, WHOLE),
    _app("evidence", "after a change", "documents that count for the processors of those contracts", of_contracts("documents_of"), WHOLE),
    _app("findings", "after a change", "findings that count against them", of_contracts("findings_of"), WHOLE),
    _app("overrides", "after a change", "what two persons lifted of it", of_contracts("overrides_of"), WHOLE),
    _app("agents", "after a change", "agents and their processors", "select id, processor_id from ecluse.agent", WHOLE),
    _app("clients", "after a change", "machines", "select id, role, processor_id from ecluse.client", WHOLE),
    _app("client keys", "after a change", "public keys in use",
         "select client_id, jwk from ecluse.client_key where revoked_at is null order by client_id, thumbprint", WHOLE),
    _app("holds", "after a change", "holds in force on processors, machines, agents and contracts", _HOLDS, WHOLE),
    _app("control", "each control act", "its entry and its effect under the head's lock, and a new control_seq", CONTROL, FUNCTION),
    _app("head and clock", "each control act", "what a control entry is planned on", HEAD),
)  # fmt: skip

READING: Final = (
    _app("logs", "the start", "the logs that are served, and which of them is written now", _SERVED, WHOLE),
    _app("spend", "each token, each call that moves state", "a single-use proof is spent", "select ecluse.spend($1, $2)", FUNCTION),
    _app("sessions", "/v1/sessions", "a processor's own sessions", _SESSIONS),
    _app("places", "/v1/sessions", "their planned places", _PLACES),
    _app("changes", "/v1/changes", "what was moved and cancelled", _CHANGES),
    _app("budgets", "/v1/budget", "what is spent",
         "select unit, scope, persons from ecluse.budget_count where scope = any($1::text[]) "
         "and bucket = case unit when 'h' then date_trunc('hour', ecluse.clock(), 'UTC') when 'd' then date_trunc('day', ecluse.clock(), 'UTC') "
         "else date_trunc('month', ecluse.clock(), 'UTC') end"),
    _app("entry of", "a proof", "where a processor's own decision stands", "select index, leaf from ecluse.entry_of($1::smallint, $2, $3)", FUNCTION),
    _app("unsigned since", "/healthz", "the first entry that no checkpoint covers", _UNSIGNED_SINCE, FUNCTION),
    _app("succeeded", "/healthz", "did another log take this one's place?", _SUCCEEDED, FUNCTION),
    _app("duties", "/healthz", "do emergencies wait for their review, were notices given up?", _DUTIES, WHOLE),
    _app("uncosigned since", "/healthz", "the first entry under no quorum of the witnesses", _UNCOSIGNED, FUNCTION),
    Stated(name="floods due", when="every 15 s", role="ecluse_jobs", purpose="refusals that were only counted", text=DUE, plan=FUNCTION),
    Stated(name="floods noted", when="a flood", role="ecluse_jobs", purpose="one entry for a minute of them", text=NOTE, plan=FUNCTION),
)  # fmt: skip

OUTCOMES: Final = (
    _app("record outcome", "an outcome", "attendance and level of a place, once for each key", _RECORD, FUNCTION),
    _app("outcomes after", "/v1/outcomes", "what the controller has not seen", _AFTER),
    Stated(name="elect courier", when="each delivery", role="ecluse_jobs", purpose="the turn to deliver, until the transaction ends",
           text=ELECT, plan=FUNCTION),
    Stated(name="outcomes due", when="each delivery", role="ecluse_jobs", purpose="what waits to be delivered", text=_DUE, plan=FUNCTION),
    Stated(name="settle outcome", when="each delivery", role="ecluse_jobs", purpose="delivered, or to be tried again", text=_SETTLE, plan=FUNCTION),
    Stated(name="outcomes waiting", when="each delivery", role="ecluse_jobs", purpose="how many wait, for the metrics",
           text="select waiting, dead from ecluse.outcome_counts()", plan=FUNCTION),
    Stated(name="purge outcomes", when="from time to time", role="ecluse_jobs", purpose="what has served its time goes",
           text="select ecluse.purge_outcomes()", plan=FUNCTION),
)  # fmt: skip

PEOPLE: Final = (
    _app("resolve", "each page", "whose browser it is, and whether they are still signed in", RESOLVE, WRITE),
    Stated(name="purge people", when="each ten minutes", role="ecluse_jobs", purpose="what has served its time goes", text=PURGE_PEOPLE,
           plan=FUNCTION),
)  # fmt: skip

USAGE: Final = (
    Stated(name="plan a look", when="/v1/usage", role="ecluse_usage", purpose="how many lines a person's record has", text=PLAN, plan=FUNCTION),
    Stated(name="seal a look", when="/v1/usage", role="ecluse_usage", purpose="who looks at whose record, in the ledger before a line leaves",
           text=USAGE_SEAL, plan=FUNCTION),
    Stated(name="lines", when="/v1/usage", role="ecluse_usage", purpose="the lines, for a look that is committed", text=SHOWN, plan=FUNCTION),
    _probe("person's openings", "usage_lines", "what was given of one person",
           "select index, event from ecluse.opening where subject_ref = $1 and sealed_at >= $2 and sealed_at < $3"),
    _probe("person's rules", "usage_lines", "what holds lines back", "select until_at from ecluse.usage_deferral where subject_ref = $1"),
    _app("standing", "each call of the controller's machines", "is the machine there, its key in use, and is it not held?", _STANDING),
    _app("contracts' words", "/v1/usage", "labels and names in the versions that lines name", PAPERS),
    Stated(name="counts due", when="each minute", role="ecluse_jobs", purpose="a day whose decisions are to be published", text=COUNTS_DUE,
           plan=FUNCTION),
    Stated(name="publish counts", when="each night", role="ecluse_jobs", purpose="the entry that says them", text=NOTE_COUNTS, plan=FUNCTION),
    Stated(name="purge usage", when="each minute", role="ecluse_jobs", purpose="what has served its time goes", text=PURGE, plan=FUNCTION),
)  # fmt: skip

ERASURE: Final = (
    Stated(name="logs", when="each night", role="ecluse_jobs", purpose="the logs, that which is written now last", text=_LOGS, plan=WHOLE),
    Stated(name="plan erasure", when="each night", role="ecluse_jobs", purpose="what is past its time, and who asked; the head is not locked",
           text=PLAN_ERASURE, plan=FUNCTION),
    Stated(name="seal erasure", when="a batch", role="ecluse_jobs", purpose="its entry and tombstones, under the head's lock", text=SEAL_ERASURE,
           plan=FUNCTION),
    Stated(name="erase a slice", when="a batch", role="ecluse_jobs", purpose="2,000 rows at most go, without the head's lock", text=SLICE, plan=FUNCTION),
)  # fmt: skip

_TELLING: Final = {
    "notice_contracts": ("each half minute", "each processor's contract in force, and what it was told last", WHOLE),
    "notice_texts": ("after a new contract", "texts not read yet", WHOLE),
    "notice_matters": ("each half minute", "what happened lately beside the gates", WHOLE),
    "note_notices": ("each half minute", "who is to be told of what, each once", WRITE),
    "take_notices": ("each half minute", "what is due, for ten minutes", WRITE),
    "settle_notice": ("a mail", "what became of it", WRITE),
    "notice_counts": ("each half minute", "how many wait, for the metrics", WHOLE),
    "purge_notices": ("each hour", "what has served its time goes", WRITE),
}
NOTICES: Final = tuple(
    Stated(name=name, when=when, role="ecluse_jobs", purpose=purpose, text=of_notices(name), plan=plan)
    for name, (when, purpose, plan) in _TELLING.items()
)

LOCKS: Final = (
    (
        "1",
        "ecluse.ledger_head",
        "one row, for update",
        (
            "seal, control, usage_seal: each batch, each control act, each look; from the clock's reading to the commit. "
            "control (log:succeed) takes the new log's, then the old one's: nobody else takes two"
        ),
    ),
    (
        "2",
        "schedule_import, session, appointment, enrolment",
        "rows, by key",
        "control (schedule:apply): moves and cancellations; an import loads its rows before 1",
    ),
    ("3", "client_key, hold, agent, contract", "rows, by key", "control: the act's own row"),
    (
        "4",
        "proof_spent, idempotency, budget_person, budget_count, refusal_count",
        "rows, in key order",
        "seal: what a batch spends",
    ),
    (
        "-",
        "advisory 1701016940, log",
        "until the transaction ends, never waited for",
        "integrate: one process signs; not on the path of a disclosure",
    ),
    (
        "-",
        "advisory 1701016941, 0",
        "until the transaction ends, never waited for",
        "plan_erasure: one process plans, then takes 1 to seal; what it deletes afterwards it deletes without 1, 2,000 rows at a time",
    ),
)
"""What is locked, in the order in which it is taken: the head first, always."""


@cache
def _named(folder: Path) -> Queries:
    """Load a capability's named statements."""
    queries: Queries = aiosql.from_path(folder / "queries.sql", "asyncpg")
    return queries


def named(capability: str, when: str, role: str) -> Iterator[Stated]:
    """State what ``queries.sql`` of a capability names, each with its own first line as the purpose."""
    queries = _named(HERE / capability)
    for name in queries.available_queries:
        query = getattr(queries, name)
        if name.endswith("_cursor") or not query.sql.strip():
            continue
        text = query.sql.strip().rstrip(";")
        verb = text.split(None, 1)[0].lower()
        yield Stated(
            name=name, when=when, role=role, purpose=(query.__doc__ or "").strip().split("\n")[0], text=text,
            plan=WRITE if verb in {"insert", "update", "delete", "set"} else INDEX,
        )  # fmt: skip


def all_statements() -> dict[str, tuple[Stated, ...]]:
    """Return all of them, by what they are for."""
    return {
        "The door": THE_DOOR,
        "The configuration that decisions read": CONFIGURATION,
        "Reading and signing in": READING,
        "People who sign in": PEOPLE,
        "Outcomes and their delivery": OUTCOMES,
        "Who saw my data, and the counts of a day": USAGE,
        "Forgetting": ERASURE,
        "Notices": NOTICES,
        "Signing the log, and reading it": tuple(named("ledger", "each second, or a reader", "ecluse_jobs")),
        "Importing a schedule": tuple(named("schedule", "each import", "ecluse_app")),
    }
