"""What the second half of the console is made of: contexts that are whole and documented, words for all that can be said, a search that names nobody."""

from __future__ import annotations

import pkgutil
import re
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from typing import Any, Final

import msgspec
import pytest
from markupsafe import Markup

import ecluse.schedule
from ecluse.contracts.gate import GateState
from ecluse.disclosure.emergency import Listed
from ecluse.flows.compare import Compared
from ecluse.flows.model import Coverage as FlowCoverage
from ecluse.flows.model import FlowMap, Outcome
from ecluse.identity.accounts import InvitationKind, Officer, Pending
from ecluse.identity.people import MAY, Act, Role, Signed
from ecluse.ids import new_id
from ecluse.ledger.fields import commit, fields_of
from ecluse.policy.decide import _RULES
from ecluse.schedule.findings import Fault, RowProblem, ScheduleFindings
from ecluse.schedule.model import FILE_MODES, ScheduleCounts
from ecluse.usage.lookup import Looked, Lookup, PersonHold, Place, Seen
from ecluse.web.console import (
    accounts,
    decisions,
    emergency,
    explain,
    flows,
    look_up,
    schedule,
    schedule_files,
    schedule_imports,
    schedule_words,
    walk_in,
    what_if,
    work,
)
from ecluse.web.pages.language import Tongue
from tests.web.pages.contexts import assert_page

pytestmark = pytest.mark.unit

AT: Final = datetime(2026, 11, 23, 9, tzinfo=UTC)
LATER: Final = AT + timedelta(minutes=30)
EN, FR = Tongue("en"), Tongue("fr")
OFF, OTHER = "off_" + "a" * 26, "off_" + "b" * 25 + "a"
WHO: Final = {OFF: "Ana", OTHER: "Karim"}
ANA: Final = Signed(
    sign_in="sgn_x", kind="officer", person=OFF, name="Ana", roles=frozenset(Role), processor=None, client=None, thumbprint=None, started_at=AT,
    ends_at=LATER, stepped_up_at=AT, fresh_seconds=300,
)  # fmt: skip
FOUND: Final = ScheduleFindings(
    problems=(RowProblem(row=3, column="status", why="the status is not known", mend="Write planned or cancelled."),), total=1
)


def lookup(**over: Any) -> Lookup:
    """A look-up that waits."""
    facts = {
        "id": "lkp_x", "subject": "ofii:1", "purpose": "a purpose in words", "asked_by": OFF, "asked_at": AT, "expires_at": LATER, "decided_by": None,
        "decided_at": None, "approved": None, "looks": 0, "index": 4, "now": AT,
    }  # fmt: skip
    return Lookup(**(facts | over))


def compared(**over: Any) -> Compared:
    """A flow as declared."""
    facts = {
        "outcome": Outcome.MATCHED, "processor": "lyon", "purpose": "civic-training", "attribute": "family_name", "roll_call": False, "declared": "full",
        "seen": ("full",), "site": "", "disclosures": 2, "persons": 2, "last_seen_at": AT, "why": "",
    }  # fmt: skip
    return Compared(**(facts | over))


def coverage() -> flows.Coverage:
    """What figures rest on."""
    return flows.Coverage(
        since=date(2026, 10, 24), until=date(2026, 11, 23), at=AT, counted=9, entries=10, disclosures=2, erased=0
    )


GRANT: Final = [
    ("at", "2026-11-23T09:00:00.000000Z"), ("event", "disclosure:person:granted"), ("disclosure", "dsc_x"), ("processor", "lyon"), ("subject", "ofii:1"),
    ("forms", {"family_name": "full"}), ("rules", ["window", "parties", "roster:none"]),
    ("interval", ["2026-11-22T09:00:00.000000Z", "2026-11-23T11:00:00.000000Z"]),
]  # fmt: skip
SALTS: Final = bytes(range(32)) * len(GRANT)
FIELDS: Final = dict(GRANT)
PENDING: Final = Pending(kind=InvitationKind.RECOVER, made_by=OTHER, expires_at=LATER, approved=False)
ACCOUNT: Final = accounts.officer_row(
    Officer(id=OFF, name="Ana", roles=(Role.DPO,), added_at=AT, closed_at=None, passkeys=1, seen_at=None, pending=PENDING),
    WHO,
    ANA,
    EN,
)
ROW: Final = schedule_imports.import_row(
    {"id": "imp_x", "source": "plan", "row_count": 2, "actor": OFF, "mode": "delta", "started_at": AT, "applied_at": AT}, WHO, EN  # type: ignore[arg-type]
)  # fmt: skip
SESSION: Final = schedule.session_row(
    {"id": "ses_x", "processor_id": "lyon", "purpose": "p", "site_id": "large", "room": "r", "starts_at": AT, "ends_at": LATER, "planned": 1, "cancelled": 0},
    {"lyon": "Lyon"},
)  # fmt: skip
LOOKED: Final = Looked(
    lookup=lookup(approved=True, decided_by=OTHER, decided_at=AT), index=7, after=(AT, 1, 3),
    lines=(Seen(log_id=1, index=3, sealed_at=AT, event="disclosure:person:granted", fields=FIELDS),),
    places=(
        Place(
            id="apt_x", processor_id="lyon", name="Lyon", session="ses_x", purpose="p", site_id="large", room="r", starts_at=AT, ends_at=LATER,
            cancelled_at=None, reads=1,
        ),
    ),
    holds=(PersonHold(id="hld_x", effect="suspend", reason="r", placed_by=OFF, from_at=AT, until_at=None, released_at=None, in_force=True),),
)  # fmt: skip
LISTED: Final = Listed(
    id="eme_x",
    attribute="phone",
    opened_by=OTHER,
    opened_at=AT,
    reason=None,
    index=3,
    reviewed_by=None,
    reviewed_at=None,
    justified=None,
    late=True,
)
MAP: Final = FlowMap(
    at=AT, since=date(2026, 10, 24), until=date(2026, 11, 24), dormant_days=30, flows=(compared(),), attempts=(), imported=(),
    coverage=FlowCoverage(declared=1, seen=1, disclosures=2, counted=9, entries=10, erased=0, unreadable=0, imported=0, unreadable_contracts=()),
)  # fmt: skip

PAGES: Final[dict[str, msgspec.Struct]] = {
    "work_schedule": schedule.SchedulePage(
        day=AT.date(), days=(schedule.DayCount(day=AT.date(), sessions=1, more=False),), processor="", processors=(("lyon", "Lyon"),), rows=(SESSION,),
        older=None, waiting=(), may=True, draft=False, most=9, faults={},
    ),
    "work_refused": schedule_files.RefusedPage(sha256="a" * 64, found=schedule_files.found_rows(FOUND, EN), nothing=True),
    "work_draft": schedule_files.DraftPage(
        name="x.csv", sha256="a" * 64, source="plan", mode="m", counts=(("new places", 1),), warnings=schedule_files.found_rows(FOUND, EN),
        excess=schedule_files.found_rows(FOUND, EN), confirm=3, expires_at=LATER, faults={},
    ),
    "work_imports": schedule_imports.ImportsPage(rows=(ROW,), older=None),
    "work_import": schedule_imports.ImportPage(row=ROW, index=1, counts=(), approved_by="", digest=""),
    "work_walk_in": walk_in.WalkInPage(digits=8, session=None, register="ofii:", found=None, faults={}),
    "work_decisions": decisions.DecisionsPage(
        q="", processor="", processors=(), since="", until="", rows=(), searched=False, fault="", older=None, undetermined=False
    ),
    "work_decision": decisions.DecisionPage(
        log="main", origin="o", vkey="v", index=1, at=AT, event="e", state="ok", outcome="o", leaf="{}", erased=False, person=True, processor="Lyon",
        processor_id="lyon", client="", agent="", assurance="", actor="", appointment="", disclosure="", purpose="", legal_basis="", contract=None,
        given=explain.given_of(FIELDS, EN), interval=explain.interval_of(FIELDS), rules=explain.rules_of(FIELDS["rules"], EN), reasons=(), budgets=(),
        fields=explain.hashed_fields(GRANT, SALTS), published=True,
    ),
    "work_flows": flows.flows_page(None, 1, EN),
    "work_flow": flows.ProcessorFlowsPage(
        id="lyon", name="Lyon", flows=(flows.flow_row(compared(), {"lyon": "Lyon"}, EN),), attempts=(("p", "phone", 2),), proposed=(), spared=0, too_few=(),
        rewritten="", by_hand=False, coverage=coverage(),
    ),
    "work_what_if": what_if.WhatIfPage(processor="", processors=(), text="", most=9, faults={}),
    "work_tried": what_if.TriedPage(
        errors=(), warnings=(), processor="lyon", name="Lyon", reference="R", version=1, same=False, changes=(), wider=0, before=None, after=None, reach=None,
        text="", hash="a" * 64, may=True, fault="",
    ),
    "work_look_up": look_up.LookUpPage(register="ofii:", entered={}, faults={}, rows=(look_up.lookup_row(lookup(), WHO, ANA),), older=None),
    "work_look_up_one": look_up.OnePage(
        row=look_up.lookup_row(lookup(), WHO, ANA), index=4, decided_at=None, person="ofii:1", decide=False, look=False, left=20, faults={}
    ),
    "work_record": look_up.record_page(LOOKED, {"lyon": "Lyon"}, WHO, ANA, EN),
    "work_emergency": emergency.EmergencyPage(waiting=(emergency.emergency_row(LISTED, WHO, ANA),), rows=(), per_day=5, may=True, faults={}),
    "work_accounts": accounts.AccountsPage(officers=(ACCOUNT,), sign_ins=(), processors=(), roles=(("dpo", "DPO"),), entered={}, faults={}),
    "work_agents": accounts.AgentsPage(processor="lyon", name="Lyon", agents=(), faults={}),
    "work_account": accounts.AccountPage(account=ACCOUNT, agent=False, processor="", passkeys=(), own=False, faults={}),
    "work_link": accounts.LinkPage(name="Ana", link="http://localhost/enrol#x", expires_at=LATER, waits=True, back="/console/accounts"),
}  # fmt: skip
"""A context for each page of this half."""


@pytest.mark.parametrize("name", list(PAGES))
def test_page_when_shown_then_its_context_is_whole(name: str) -> None:
    """Each field is documented and of its type; the template shows each, and nothing else."""
    assert_page(f"console/{name}.html", PAGES[name])


def test_reports_when_a_file_is_refused_then_every_sentence_has_its_words() -> None:
    """Each why and each mend that the schedule knows is marked for translation, and none that it does not know."""
    known: set[str] = set()
    for module in pkgutil.iter_modules(ecluse.schedule.__path__):
        for value in vars(import_module(f"ecluse.schedule.{module.name}")).values():
            for fault in value.values() if isinstance(value, dict) else [value]:
                known |= set(fault) if isinstance(fault, Fault) else set()
    assert set(schedule_words.SENTENCES) == known
    assert set(schedule_words.COUNTS) == set(ScheduleCounts.__struct_fields__)
    assert set(schedule_words.MODES) >= {mode.value for mode in FILE_MODES}


def test_reasons_when_said_then_each_rule_has_its_words() -> None:
    """Every rule of a grant has a sentence, and every rule that refuses has a reason with a mend; one that is unknown is said as it stands."""
    rules = set(_RULES)
    assert rules <= set(explain.RULES)
    assert {name for name in rules if not any(key.split(":")[0] == name for key in explain.REASONS)} == set()
    assert explain.say_reason("register:unreadable:birth_date", EN).what.endswith("birth_date")
    assert explain.say_reason("window:late", FR).what == "La fenêtre était fermée."
    assert explain.say_reason("gate:clauses:28.3.h", EN).mend
    assert explain.say_reason("something:new", EN) == explain.Said(code="something:new", what="something:new", mend="")


@pytest.mark.parametrize(
    "why",
    [
        "no contract was in force",
        "the entry does not name version 2, which was in force: it did not come through the gate",
        "version 2, in force then, ran from 2026-01-01 to 2026-02-01",
        "version 2, in force then, does not name the attribute for the roll-call",
        "version 2, in force then, names it as year, and it was given as full",
        "given as full under version 1; the contract in force names it as year",
        "the site lies in ES by its time zone, the processor in FR",
        "Hébergeur (Rhône) is in FR by the contract, in DE by the processor's own list (evd_x)",
    ],
)
def test_drift_when_said_then_in_the_readers_language(why: str) -> None:
    """What is otherwise than declared is said in French; what a later release says stands as it is."""
    assert flows.say_why(why, FR) not in {why, flows.say_why(why, EN)}
    assert flows.say_why("quite another thing", FR) == "quite another thing"


def test_entry_when_hashed_then_the_person_is_a_digest_alone() -> None:
    """Of the person no value and no salt leave; all that is shown hashes to the leaf with the digest in its place."""
    shown = explain.hashed_fields(GRANT, SALTS)
    (person,) = [one for one in shown if one.name == "subject"]
    assert (person.value, person.salt) == (None, "")
    assert [one.digest for one in shown] == [digest.hex() for digest in commit(GRANT, SALTS).digests]
    proof = decisions.proof_file(fields_of(commit(GRANT, SALTS).fields), SALTS, 3, [bytes(32)], "note\n")
    assert "ofii:1" not in proof
    assert proof.startswith("c2sp.org/tlog-proof@v1\nextra ")


def test_search_when_typed_then_numbers_and_handles_and_never_a_person() -> None:
    """An entry, a disclosure or an appointment; a person's key is none of them."""
    dsc, apt = new_id("dsc"), new_id("apt")
    assert decisions.wanted_of(" 1\u202f024 ") == decisions.Wanted(index=1024)
    assert decisions.wanted_of(dsc) == decisions.Wanted(disclosure=dsc)
    assert decisions.wanted_of(apt) == decisions.Wanted(handle=apt)
    for typed in ("ofii:10", "9" * 19, "dsc_x", "'; --", "²"):
        assert decisions.wanted_of(typed).fault


def test_look_up_when_listed_then_never_of_whom() -> None:
    """A list's row has no person; the states are those of its hour and its verdict."""
    states = [
        look_up.lookup_row(one, WHO, ANA).state
        for one in (lookup(), lookup(approved=True), lookup(approved=False), lookup(now=LATER), lookup(approved=True, now=LATER))
    ]
    assert states == ["waiting", "approved", "refused", "over", "over"]
    assert "subject" not in look_up.LookupRow.__struct_fields__
    assert "ofii:1" not in repr(lookup())
    assert look_up.reference_of("10", "ofii") == look_up.reference_of("ofii:10", "ofii") == "ofii:10"


def test_navigation_when_drawn_then_only_what_the_role_may() -> None:
    """Look-ups and accounts are in the navigation of those who may open them; every notice and entry has an address under the console."""
    roles = {entry.key: entry.roles for entry in work.WORK}
    assert roles["look-up"] == MAY[Act.LOOK_UP]
    assert roles["accounts"] == MAY[Act.ACCOUNTS]
    assert all(entry.href.startswith("/console/") for entry in work.WORK)
    assert {state.value for state in GateState} == {"open", "warn", "frozen", "closed"}


def test_flows_when_counted_then_flagged_first_and_drawn_as_ours() -> None:
    """Processors with something to look at come first; a drawing is markup of ours, and text of others in it is escaped."""
    odd = compared(processor="nantes", outcome=Outcome.EXCESSIVE, why="no contract was in force")
    rows = flows.processor_rows([compared(), odd], {"lyon": "Lyon"})
    assert [(row.id, row.flagged, row.seen) for row in rows] == [("nantes", 1, 0), ("lyon", 0, 1)]
    assert flows.flow_row(odd, {}, FR).why == "Aucun contrat n’était en vigueur."
    assert flows.coverage_of(MAP).counted == 9
    assert isinstance(flows.flows_page(None, 1, EN).figure, Markup)


def test_account_when_a_recovery_waits_then_another_administrator_approves() -> None:
    """Who made a link is told apart; what the accounts refuse has its words."""
    assert ACCOUNT.pending is not None
    assert (ACCOUNT.pending.waits, ACCOUNT.pending.own) == (True, False)
    assert not re.search(r"<script", ACCOUNT.name)
