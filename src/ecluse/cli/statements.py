"""The statements that a gate runs, for a database administrator: each with its purpose, its role, how often, and the plan it must have.

What a function does inside is shown by the look-ups that it makes, with the function's own settings. Tests compare this list with what PostgreSQL's log says
that a working gate sent, with what the pages send, and with every statement that a module or file has.
"""

from __future__ import annotations

from typing import Final

from ecluse.cli.page_statements import page_statements
from ecluse.cli.stated import FUNCTION, INDEX, WHOLE, Stated, of_file
from ecluse.db import HERE
from ecluse.disclosure.door import GATHER
from ecluse.disclosure.plan import OPENINGS
from ecluse.disclosure.store import DUE, NOTE
from ecluse.disclosure.terms import _CONTRACTS, _HOLDS, _TEXTS
from ecluse.identity.service import _STANDING
from ecluse.ledger.erase import _LOGS, SEAL_ERASURE, SLICE
from ecluse.ledger.erase import PLAN as PLAN_ERASURE
from ecluse.ledger.store import CONTROL, HEAD, SEAL
from ecluse.outcomes.store import _AFTER, _DUE, _RECORD, _SETTLE, ELECT
from ecluse.sandbox.store import _READ
from ecluse.schedule.agenda import _CHANGES, _PLACES, _SESSIONS
from ecluse.usage.store import COUNTS_DUE, NOTE_COUNTS, PAPERS, PLAN, PURGE, SHOWN
from ecluse.usage.store import SEAL as USAGE_SEAL
from ecluse.web.gateway import _LOGS as _SERVED
from ecluse.web.ledger_api import _DUTIES, _SUCCEEDED, _UNCOSIGNED, _UNSIGNED_SINCE
from ecluse.web.processor_api import _SPENT

_DOOR_SETTINGS: Final = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_bitmapscan")
_FILE: Final = "'source', '{ref}', false, '{2030-01-01}', '{2030-02-01}', '{p}'"
"""Of a file with one session."""
_SEQ: Final = "select control_seq from ecluse.ledger_head where log_id = $1::smallint"


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
    _app("sandbox's people", "an ask in the sandbox", "invented people, in the register's place", _READ),
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
    _app("budgets", "/v1/budget", "what is spent", _SPENT),
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
    Stated(name="outcomes after", when="/v1/outcomes", role="ecluse_app", purpose="what the controller has not seen", text=_AFTER, values="9000000000, 100"),
    Stated(name="elect courier", when="each delivery", role="ecluse_jobs", purpose="the turn to deliver, until the transaction ends",
           text=ELECT, plan=FUNCTION),
    Stated(name="outcomes due", when="each delivery", role="ecluse_jobs", purpose="what waits to be delivered", text=_DUE, plan=FUNCTION),
    Stated(name="settle outcome", when="each delivery", role="ecluse_jobs", purpose="delivered, or to be tried again", text=_SETTLE, plan=FUNCTION),
    Stated(name="outcomes waiting", when="each delivery", role="ecluse_jobs", purpose="how many wait, for the metrics",
           text="select waiting, dead from ecluse.outcome_counts()", plan=FUNCTION),
    Stated(name="purge outcomes", when="from time to time", role="ecluse_jobs", purpose="what has served its time goes",
           text="select ecluse.purge_outcomes()", plan=FUNCTION),
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

_OF_CONTRACTS: Final = {"documents_of findings_of overrides_of": {"plan": WHOLE}, "versions_of": {"when": "/v1/evidence"}}
_OF_NOTICES: Final = {
    "notice_contracts notice_matters": {"plan": WHOLE},
    "notice_texts": {"plan": WHOLE, "when": "after a new contract"},
    "settle_notice": {"when": "a mail"},
    "hurry_notices": {"when": "a command"},
    "purge_notices": {"when": "each hour"},
    "told": {"role": "ecluse_reader", "when": "a command", "plan": WHOLE},
}
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


def all_statements() -> dict[str, tuple[Stated, ...]]:
    """Return all of them, by what they are for."""
    return {
        "The door": THE_DOOR,
        "The configuration that decisions read": (
            *CONFIGURATION,
            *of_file(HERE / "contracts" / "queries.sql", role="ecluse_app", when="after a change", but=_OF_CONTRACTS),
        ),
        "What machines read, and how they sign in": READING,
        "Outcomes and their delivery": OUTCOMES,
        "Who saw my data, and the counts of a day": USAGE,
        "Forgetting": ERASURE,
        "Notices": tuple(of_file(HERE / "notices" / "queries.sql", role="ecluse_jobs", when="each half minute", but=_OF_NOTICES)),
        "Signing the log, and reading it": tuple(
            of_file(HERE / "ledger" / "queries.sql", role="ecluse_jobs", when="each second, or a reader")
        ),
        "Importing a schedule": tuple(
            of_file(
                HERE / "schedule" / "queries.sql", role="ecluse_app", when="each import", but={"sessions_kept": {"values": _FILE}}
            )
        ),
        **page_statements(),
    }
