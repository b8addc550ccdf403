"""The statements of the people's pages, room by room: signing in, the console, the desk, a person's own record. `ecluse.cli.statements` has the rest.

A file of named statements is stated whole, with what is otherwise for some of its names; what a module holds is stated one by one.
"""

from __future__ import annotations

from typing import Final

from ecluse.cli.stated import FUNCTION, INDEX, SWEEP, WHOLE, WRITE, Stated, of_file
from ecluse.db import HERE
from ecluse.disclosure.emergency import _LIST as _EMERGENCIES
from ecluse.exposure.store import query as of_exposure
from ecluse.identity import store as people
from ecluse.identity.accounts import PURGE
from ecluse.schedule.spoken import _FIND, _FORGET, _KNOWN, _MAKE
from ecluse.schedule.staff import _AHEAD, _COUNTED, _DAY, _HELD, _PLACES, _SESSION
from ecluse.usage import store as usage
from ecluse.usage.lookup import _HOLDS, _LINES
from ecluse.usage.lookup import _LIST as _LOOKUPS
from ecluse.usage.lookup import _ONE as _LOOKUP
from ecluse.usage.lookup import _PLACES as _PLACES_OF
from ecluse.usage.lookup import _SEAL as _SEAL_LOOK
from ecluse.web.console.accounts import _AGENT, _END
from ecluse.web.console.look_up import _OF_PERSON
from ecluse.web.console.names import _NAMES
from ecluse.web.console.schedule_files import _DRAFT, _DROP, _STILL
from ecluse.web.pages.live import _HEAD

_APP: Final = "ecluse_app"
_READER: Final = "ecluse_reader"
_USAGE: Final = "ecluse_usage"
_COMMAND: Final = "a command"


def _one(role: str, name: str, when: str, purpose: str, text: str, plan: str = INDEX) -> Stated:
    """State one that is not named in a file."""
    return Stated(name=name, when=when, role=role, purpose=purpose, text=text.strip(), plan=plan)


_SIGNING_IN: Final = (
    _one(_APP, "resolve", "each page", "whose browser it is, and whether they are still signed in", people.RESOLVE, WRITE),
    _one(_APP, "issue", "a sign-in, a link, a step up", "keeps a challenge in a slot", people.ISSUE, WRITE),
    _one(_APP, "spend", "its answer", "spends the challenge, once", people.SPEND, WRITE),
    _one(_APP, "link", "a one-time link", "whom it is for, and whether it is good", people.LINK),
    _one(_APP, "passkeys of", "a one-time link, an account", "somebody's passkeys in use", people.PASSKEYS_OF),
    _one(_APP, "passkey", "a sign-in, a step up", "the public key of somebody who may sign in now", people.PASSKEY),
    _one(_APP, "use", "a sign-in, a step up", "that a passkey was used, and its counter", people.USE, WRITE),
    _one(_APP, "begin", "a sign-in", "keeps the new sign-in", people.BEGIN, WRITE),
    _one(_APP, "step up", "a step up", "that a passkey was used just now", people.STEP_UP, WRITE),
    _one(_APP, "end", "a sign-out", "ends a sign-in", people.END, WRITE),
    _one(_APP, "left keys", "an agent's sign-in", "desk keys of sign-ins of theirs that nobody ended", people.LEFT_KEYS),
    _one(_APP, "key's processor", "a key comes or goes", "of whom the machine or desk is", "select processor_id from ecluse.client where id = $1"),
    _one("ecluse_jobs", "purge people", "each ten minutes", "what has served its time goes", PURGE, FUNCTION),
)  # fmt: skip

_GOVERNING: Final = (
    _one(_READER, "names", "a page that says who did it", "officers, agents and machines by id", _NAMES),
    _one(_APP, "contract before", "a contract is put in force", "the version before it",
         "select version, text from ecluse.contract where processor_id = $1 order by version desc limit 1"),
    _one(_APP, "processor there", "an act on it", "is there such a processor?", "select true from ecluse.processor where id = $1"),
    _one(_APP, "agent there", "a hold on one", "is there such an agent?", "select true from ecluse.agent where id = $1"),
    _one(_APP, "machine there", "a hold on one", "is there such a machine?", "select true from ecluse.client where id = $1"),
)  # fmt: skip

_WORKING: Final = (
    _one(_APP, "keep draft", "an upload", "the file that an officer looks at", _DRAFT, WRITE),
    _one(_APP, "drop draft", "an upload, and its end", "the file goes", _DROP, WRITE),
    _one(_APP, "may still", "each change of the schedule", "is the officer's account open, and of a role that may?", _STILL),
    _one(_APP, "find code", "a code that an agent says", "which agent calls, from which session", _FIND),
    Stated(name="emergencies", when="/console/emergency", role=_READER, purpose="those that wait for their review, or all", text=_EMERGENCIES.strip(),
           values="false"),
)  # fmt: skip

_LOOKING_UP: Final = (
    _one(_READER, "look-ups", "/console/look-up", "their list, never of whom", _LOOKUPS),
    _one(_READER, "look-up", "/console/look-up", "one, with its person", _LOOKUP),
    _one(_APP, "seal look-up", "each look", "who looks at whom, in the ledger before a line is read", _SEAL_LOOK, FUNCTION),
    _one(_READER, "lines", "each look, once it is sealed", "entries about the person", _LINES),
    _one(_READER, "places", "each look, once it is sealed", "their places in the schedule", _PLACES_OF),
    _one(_READER, "holds", "each look, once it is sealed", "holds on them, present and past", _HOLDS),
    _one(_READER, "hold of", "a release on that page", "is the hold on this very person?", _OF_PERSON),
)

_ACCOUNTS: Final = (
    _one(_READER, "officers", "/console/accounts", "the controller's officers", people.OFFICERS, WHOLE),
    _one(_READER, "agents", "/console/accounts", "a processor's agents", people.AGENTS),
    _one(_READER, "agent", "/console/accounts", "one agent", _AGENT),
    _one(_APP, "desk", "a link for an agent", "their processor, and its desk", people.DESK),
    _one(_APP, "invite", "a link", "keeps it", "select ecluse.invite($1, $2, $3, $4)", FUNCTION),
    _one(_APP, "open recovery", "a recovery", "the one that waits for its second person", people.OPEN_RECOVERY),
    _one(_APP, "approve", "a recovery", "the second person's word", "select ecluse.approve_invitation($1, $2)", FUNCTION),
    _one(_APP, "holder", "a passkey is revoked", "whose it is, by the name that its entry has", people.HOLDER),
    _one(_APP, "end another's", "an administrator ends a sign-in", "whose desk key goes with it", _END, WRITE),
)

_DESK: Final = (
    _one(_APP, "day", "/desk", "a processor's sessions of a day", _DAY),
    _one(_APP, "counted", "/desk", "their planned places", _COUNTED),
    _one(_APP, "ahead", "/desk", "the agent's sessions ahead", _AHEAD),
    _one(_APP, "session", "a session's pages", "one session of this processor", _SESSION),
    _one(_APP, "places", "a session's pages", "its planned places", _PLACES),
    _one(_APP, "person held", "an open desk hears of a change", "does a hold forbid showing whoever is on the screen?", _HELD),
    _one(_APP, "forget codes", "a walk-in", "codes that are over go", _FORGET, WRITE),
    _one(_APP, "known code", "a walk-in", "the agent's code that lives", _KNOWN),
    _one(_APP, "make code", "a walk-in", "keeps a fresh one", _MAKE, WRITE),
    _one(_READER, "live head", "twice a second while a page is open", "did the ledger grow?", _HEAD),
)

_MY_DATA: Final = (
    _one(_USAGE, "link", "a portal sends somebody", "keeps a link", usage.LINK, FUNCTION),
    _one(_USAGE, "enter", "the link is followed", "makes it a visit", usage.ENTER, FUNCTION),
    _one(_USAGE, "visited", "each page", "whose visit it is, and whether it lasts", usage.VISITED, FUNCTION),
    _one(_USAGE, "leave", "the end", "forgets a visit", usage.LEAVE, FUNCTION),
    _one(_USAGE, "again", "a page read again", "the look that was sealed a moment ago", usage.AGAIN, FUNCTION),
    _one(_APP, "keys", "a proof", "every key that signed these logs", usage.KEYS, WHOLE),
    _one(_APP, "spend", "each look", "random bits in the place of a proof of key", usage.SPEND, FUNCTION),
)


def page_statements() -> dict[str, tuple[Stated, ...]]:
    """Return them by room, the console's by what its pages are about."""
    console, evidence = HERE / "web" / "console", HERE / "evidence"
    return {
        "Signing in": _SIGNING_IN,
        "The console: who is governed, and how": (
            *of_file(console / "governed.sql", role=_READER, when="a page", but={
                "processors": {"plan": WHOLE, "when": "after a change"}, "holds": {"when": "after a change"}, "responses_of overrides_of": {"values": "'p'"},
            }),
            *_GOVERNING,
        ),
        "The console: evidence, findings, overrides": tuple(
            of_file(evidence / "queries.sql", role=_APP, when="a page, an act, /v1/evidence", but={
                "evidence_listed findings_listed overrides_listed": {"values": "'p', null"},
            })
        ),
        "The console: questionnaires, and their own page": tuple(
            of_file(evidence / "questionnaire" / "queries.sql", role=_APP, when="a page, an act", but={"responses": {"values": "'p'"}})
        ),
        "The console: the schedule and decisions": (*of_file(console / "work.sql", role=_READER, when="a page"), *_WORKING),
        "The console: look-ups": _LOOKING_UP,
        "The console: accounts": _ACCOUNTS,
        "The console: flows": tuple(
            of_file(HERE / "flows" / "queries.sql", role=_READER, when="a page, or counted beside it", but={
                "fold": {"role": "ecluse_jobs", "plan": FUNCTION, "when": "each minute"},
                "drop_source put_import": {"role": _APP, "when": "a command"},
                "decisions changes sealed_at erased_between counted_refusals planned is_processor": {"when": "a command"},
                "person_holds": {"when": "a command", "plan": SWEEP},
            })
        ),
        "The console: exposure": (
            *of_file(HERE / "exposure" / "queries.sql", role=_READER, when="a page, or counted beside it", but={
                "processors agents clients": {"values": "'p'"}, "versions": {"values": "'p', now(), now()"}, "held_by": {"when": "a command"},
            }),
            Stated(name="groups, of many", when="everybody's exposure", role=_READER, purpose="the same where so many sessions are asked for",
                   text=of_exposure("groups").strip().rstrip(";"), plan=SWEEP, without=("enable_nestloop", "enable_sort", "enable_mergejoin")),
        ),
        "The console: papers": tuple(
            of_file(HERE / "papers" / "queries.sql", role=_READER, when="a paper", but={
                "paper_processors paper_evidence paper_findings paper_overrides": {"plan": WHOLE}, "paper_refusals": {"plan": SWEEP, "when": "a paper of all"},
            })
        ),
        "The desk": _DESK,
        "A person's own record": _MY_DATA,
    }  # fmt: skip
