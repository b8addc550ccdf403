"""The decision: each rule refuses alone, all of them together grant, and a grant's interval is exactly where it holds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.contracts import NOTHING, Assurance, Contract, Form, gate_of, parse_contract
from ecluse.policy import Ask, Budget, Effect, Granted, Hold, Parties, Place, Reason, Refused, Terms, budgets_of, decide
from ecluse.register import AttributeType
from tests.invented import ALL_CLAUSES, contract_text

pytestmark = pytest.mark.unit

PARIS = ZoneInfo("Europe/Paris")
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
STARTS = datetime(2026, 1, 5, 9, tzinfo=UTC)
ENDS = STARTS + 3 * HOUR
OPENS, CLOSES = STARTS - 24 * HOUR, ENDS + 2 * HOUR
KINDS = {
    "family_name": AttributeType.TEXT, "given_name": AttributeType.TEXT, "birth_date": AttributeType.DATE, "entry_date": AttributeType.DATE,
    "preferred_language": AttributeType.CODE, "file_number": AttributeType.IDENTIFIER, "email": AttributeType.EMAIL, "phone": AttributeType.PHONE,
}  # fmt: skip
ASK = Ask(
    processor="lyon",
    client="cli_x",
    agent="agt_x",
    assurance=Assurance.ASSERTED,
    appointment="apt_x",
    attributes=("birth_date", "family_name"),
)
PLACE = Place(
    purpose="civic-training",
    session="ses_x",
    starts_at=STARTS,
    ends_at=ENDS,
    subject_ref="ofii:1",
    cancelled=False,
    roster=True,
    holds=(),
)
PARTIES = Parties(agent_known=True, key_in_use=True, holds=())


def contract(**changes: Any) -> Contract:
    """Parse the lawful contract with some of it changed."""
    return parse_contract(contract_text("lyon", **changes), KINDS)


def terms(at: datetime = STARTS, **changes: Any) -> Terms:
    """Return a contract in force with its gate at an instant."""
    bound = contract(**changes)
    return Terms(contract=bound, version=3, hash="00", gate=gate_of(bound, NOTHING, at=at, timezone=PARIS))


LAWFUL = terms()


def hold(from_at: datetime, until_at: datetime | None = None, *, effect: Effect = Effect.SUSPEND, scope: str = "client") -> Hold:
    """Return a hold."""
    return Hold(id="hld_x", scope=scope, effect=effect, from_at=from_at, until_at=until_at)


BITING = hold(STARTS - HOUR)
REFUSALS: list[tuple[dict[str, Any], Reason, tuple[str, ...], dict[str, object]]] = [
    ({"parties": {"holds": (BITING,)}}, Reason.SUSPENDED, ("parties:client:hld_x",), {"scope": "client"}),
    (
        {"parties": {"holds": (hold(STARTS - HOUR, effect=Effect.FREEZE, scope="contract"),)}},
        Reason.GATE_FROZEN, ("parties:contract:hld_x",), {"scope": "contract"},
    ),
    ({"parties": {"key_in_use": False}}, Reason.SUSPENDED, ("parties:key",), {"scope": "key"}),
    ({"parties": {"agent_known": False}}, Reason.UNKNOWN_AGENT, ("agent:unknown",), {}),
    ({"terms": None}, Reason.GATE_FROZEN, ("gate:no-contract",), {"state": "closed"}),
    (
        {"terms": terms(clauses=ALL_CLAUSES[1:])},
        Reason.GATE_FROZEN, ("gate:contract:clause:missing:28.3.a",), {"state": "frozen", "reasons": ["contract:clause:missing:28.3.a"]},
    ),
    (
        {"terms": terms(starts_on="2026-01-06")},
        Reason.GATE_FROZEN, ("gate:contract:dates:not-started",), {"state": "closed", "reasons": ["contract:dates:not-started"]},
    ),
    (
        {"terms": terms(ends_on="2026-01-04")},
        Reason.GATE_FROZEN, ("gate:contract:dates:ended", "gate:evidence:missing:deletion-attestation"),
        {"state": "closed", "reasons": ["contract:dates:ended", "evidence:missing:deletion-attestation"]},
    ),
    ({"frozen_at": STARTS}, Reason.GATE_FROZEN, ("witnesses:uncosigned",), {"state": "frozen"}),
    ({"place": None}, Reason.NOT_DISCLOSABLE, ("handle:unknown",), {}),
    ({"place": {"purpose": "another"}}, Reason.PURPOSE_NOT_CONTRACTED, ("purpose:absent",), {}),
    (
        {"ask": {"attributes": ("family_name", "nationality")}},
        Reason.ATTRIBUTE_NOT_CONTRACTED, ("attributes:nationality",), {"attributes": ["nationality"]},
    ),
    ({"terms": terms(assurance="authenticated")}, Reason.STEP_UP_REQUIRED, ("assurance:asserted",), {}),
    (
        {"place": {"cancelled": True}},
        Reason.OUTSIDE_WINDOW, ("place:cancelled",), {"opens_at": "2026-01-04T09:00:00Z", "closes_at": "2026-01-05T14:00:00Z", "cancelled": True},
    ),
    (
        {"at": OPENS - TICK},
        Reason.OUTSIDE_WINDOW, ("window:early",), {"opens_at": "2026-01-04T09:00:00Z", "closes_at": "2026-01-05T14:00:00Z"},
    ),
    (
        {"at": CLOSES},
        Reason.OUTSIDE_WINDOW, ("window:late",), {"opens_at": "2026-01-04T09:00:00Z", "closes_at": "2026-01-05T14:00:00Z"},
    ),
    ({"place": {"holds": (hold(STARTS - HOUR, scope="person"),)}}, Reason.NOT_DISCLOSABLE, ("person:hld_x",), {}),
]  # fmt: skip
"""What is changed in a lawful request; what the caller is told; what the entry says; the typed facts."""


def decided(changes: dict[str, Any]) -> Granted | Refused:
    """Decide the lawful request with some of its facts changed."""

    def changed(name: str, fact: Any) -> Any:
        given = changes.get(name, {})
        return msgspec.structs.replace(fact, **given) if isinstance(given, dict) else given

    decision = decide(
        changed("ask", ASK),
        changed("place", PLACE),
        changes.get("terms", LAWFUL),
        changed("parties", PARTIES),
        changes.get("at", STARTS),
        changes.get("frozen_at"),
    )
    assert isinstance(decision, Granted | Refused)
    return decision


@pytest.mark.parametrize(("changes", "reason", "reasons", "told"), REFUSALS, ids=[row[2][0] for row in REFUSALS])
def test_decide_when_one_rule_is_broken_then_refused_for_it(
    changes: dict[str, Any], reason: Reason, reasons: tuple[str, ...], told: dict[str, object]
) -> None:
    """Each rule, broken alone, refuses by itself and says so."""
    assert decided(changes) == Refused(reason=reason, reasons=reasons, told=told)


def test_decide_when_all_rules_hold_then_granted_for_the_window() -> None:
    """A lawful request is granted from the window's opening to its end, naming every rule."""
    granted = decided({})
    assert granted == Granted(
        valid_from=OPENS,
        valid_until=CLOSES,
        closes_at=CLOSES,
        rules=(
            "agent",
            "assurance",
            "attributes",
            "gate",
            "handle",
            "parties",
            "person",
            "place",
            "purpose",
            "roster:listed",
            "window",
            "witnesses",
        ),
    )


@pytest.mark.parametrize(("roster", "word"), [(None, "roster:none"), (True, "roster:listed"), (False, "roster:unlisted")])
def test_decide_when_the_agent_is_not_listed_then_served_and_said(roster: bool | None, word: str) -> None:
    """A session's roster refuses nobody; the entry tells whether the agent was on it."""
    granted = decided({"place": {"roster": roster}})
    assert isinstance(granted, Granted)
    assert word in granted.rules


def test_decide_when_everything_is_wrong_then_the_first_is_told_and_all_are_kept() -> None:
    """All rules are asked; the caller hears the first, the entry has every one in the order of the rules."""
    refused = decided({
        "parties": {"agent_known": False, "key_in_use": False, "holds": (BITING,)},
        "ask": {"attributes": ("nationality",)},
        "terms": terms(assurance="authenticated", clauses=ALL_CLAUSES[1:]),
        "place": {"cancelled": True, "holds": (hold(STARTS, scope="person"),)},
        "at": CLOSES,
    })  # fmt: skip
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.SUSPENDED
    assert refused.reasons == (
        "parties:client:hld_x", "parties:key", "agent:unknown", "gate:contract:clause:missing:28.3.a", "attributes:nationality", "assurance:asserted",
        "place:cancelled", "window:late", "person:hld_x",
    )  # fmt: skip


def test_decide_when_the_person_is_held_and_unknown_then_told_the_same() -> None:
    """A hold on a person is answered as an unknown handle is: same reason, no facts."""
    held, unknown = decided({"place": {"holds": (hold(STARTS, scope="person"),)}}), decided({"place": None})
    assert isinstance(held, Refused)
    assert isinstance(unknown, Refused)
    assert (held.reason, held.told) == (unknown.reason, unknown.told)


@pytest.mark.parametrize(
    ("holds", "at", "interval"),
    [
        ((hold(STARTS - 2 * HOUR, STARTS),), STARTS, (STARTS, CLOSES)),  # until its last instant, not in it
        ((hold(STARTS - 2 * HOUR, STARTS),), STARTS - TICK, None),
        ((hold(STARTS, STARTS + HOUR),), STARTS, None),
        ((hold(STARTS, STARTS + HOUR),), STARTS - TICK, (OPENS, STARTS)),  # one to come ends the grant
        ((hold(STARTS + HOUR, None),), STARTS, (OPENS, STARTS + HOUR)),
        ((hold(OPENS, OPENS + HOUR), hold(STARTS + HOUR, CLOSES)), STARTS, (OPENS + HOUR, STARTS + HOUR)),
        ((hold(OPENS - 9 * HOUR, OPENS - HOUR),), STARTS, (OPENS, CLOSES)),  # over before the window
        ((hold(CLOSES, None),), STARTS, (OPENS, CLOSES)),
        ((hold(OPENS - HOUR, None, effect=Effect.KEEP),), STARTS, (OPENS, CLOSES)),  # a legal hold forbids nothing
    ],
)
@pytest.mark.parametrize("side", ["parties", "place"])
def test_interval_when_holds_lie_around_then_the_gap_between_them(
    holds: tuple[Hold, ...], at: datetime, interval: tuple[datetime, datetime] | None, side: str
) -> None:
    """A grant holds in the gap between holds, to the microsecond, whether they lie on those who ask or on the person."""
    decision = decided({side: {"holds": holds}, "at": at})
    found = (decision.valid_from, decision.valid_until) if isinstance(decision, Granted) else None
    assert found == interval


def test_interval_when_the_contract_ends_in_the_window_then_at_its_midnight() -> None:
    """The contract's last day ends at midnight of the controller's zone, before the window does."""
    late = {"starts_at": datetime(2026, 1, 5, 21, tzinfo=UTC), "ends_at": datetime(2026, 1, 6, 2, tzinfo=UTC)}
    at = datetime(2026, 1, 5, 22, 59, 59, 999999, tzinfo=UTC)
    granted = decided({"place": late, "terms": terms(at=at, ends_on="2026-01-05"), "at": at})
    assert isinstance(granted, Granted)
    assert granted.valid_until == datetime(2026, 1, 5, 23, tzinfo=UTC)
    assert isinstance(decided({"place": late, "terms": terms(at=at + TICK, ends_on="2026-01-05"), "at": at + TICK}), Refused)


def test_interval_when_entries_wait_for_their_witnesses_then_until_that_is_too_long() -> None:
    """A grant ends, to the microsecond, where the wait becomes too long; a later end changes nothing."""
    granted = [decided({"frozen_at": at}) for at in (STARTS + TICK, CLOSES + HOUR)]
    assert [one.valid_until for one in granted if isinstance(one, Granted)] == [STARTS + TICK, CLOSES]


def test_budgets_when_granted_then_four_ceilings_of_the_contract() -> None:
    """A grant spends from agent, client, day and month, each by the contract's own figure."""
    figures = terms(per_agent_hour=1, per_client_hour=2, per_day=3, per_month=4)
    assert budgets_of(ASK, PLACE, figures) == (
        Budget(unit="h", scope="agent:agt_x:civic-training", limit=1),
        Budget(unit="h", scope="client:cli_x", limit=2),
        Budget(unit="d", scope="processor:lyon", limit=3),
        Budget(unit="m", scope="processor:lyon", limit=4),
    )


# ── properties ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
MINUTES = st.integers(-60 * 25, 60 * 6) | st.integers(-60 * 40, 60 * 40) | st.sampled_from([-24 * 60, 5 * 60])
"""Minutes around the session's start: mostly in its window, at both of its ends, and days before and after."""

INSTANTS: st.SearchStrategy[datetime] = st.builds(
    lambda minutes, ticks: STARTS + timedelta(minutes=minutes, microseconds=ticks), MINUTES, st.integers(-2, 2)
)


@st.composite
def any_holds(draw: st.DrawFn) -> tuple[Hold, ...]:
    """Draw up to three holds of any effect, some open-ended."""
    found = []
    for n in range(draw(st.integers(0, 3))):
        begin = draw(INSTANTS)
        length = draw(st.one_of(st.none(), st.integers(1, 4000)))
        until = None if length is None else begin + timedelta(minutes=length)
        found.append(Hold(id=f"hld_{n}", scope="client", effect=draw(st.sampled_from(Effect)), from_at=begin, until_at=until))
    return tuple(found)


CONTRACTS = [
    contract(), contract(starts_on="2026-01-05"), contract(ends_on="2026-01-05"), contract(clauses=ALL_CLAUSES[1:]), contract(assurance="authenticated"),
    contract(clauses=ALL_CLAUSES[:8]), contract(attributes={"family_name": "full"}), contract(purpose="another"),
    contract(opens_before="PT1H", closes_after="PT1M"),
]  # fmt: skip


MOSTLY = st.sampled_from([True] * 9 + [False])
"""Each rule is broken in one of ten, so that about half of the situations are granted."""


@st.composite
def situations(draw: st.DrawFn) -> dict[str, Any]:
    """Draw all that a decision is made from."""
    return {
        "bound": CONTRACTS[0] if draw(MOSTLY) else draw(st.sampled_from(CONTRACTS)),
        "parties": Parties(agent_known=draw(MOSTLY), key_in_use=draw(MOSTLY), holds=() if draw(MOSTLY) else draw(any_holds())),
        "ask": msgspec.structs.replace(
            ASK,
            assurance=draw(st.sampled_from(Assurance)),
            attributes=("family_name",) if draw(MOSTLY) else draw(st.sampled_from([("birth_date",), ("email", "unheard")])),
        ),
        "place": draw(places()) if draw(MOSTLY) else None,
        "frozen_at": None if draw(MOSTLY) else draw(INSTANTS),
    }


@st.composite
def places(draw: st.DrawFn) -> Place:
    """Draw the appointment, cancelled or not, with holds on its person."""
    return msgspec.structs.replace(PLACE, cancelled=not draw(MOSTLY), holds=() if draw(MOSTLY) else draw(any_holds()))


def judge(situation: dict[str, Any], at: datetime) -> Granted | Refused:
    """Decide a situation at an instant; everything but the clock stays."""
    bound: Contract = situation["bound"]
    in_force = Terms(contract=bound, version=1, hash="00", gate=gate_of(bound, NOTHING, at=at, timezone=PARIS))
    decision = decide(situation["ask"], situation["place"], in_force, situation["parties"], at, situation["frozen_at"])
    assert isinstance(decision, Granted | Refused)
    return decision


def lawful(situation: dict[str, Any], at: datetime) -> bool:
    """Say by the design's own words whether a disclosure is due: no step of the code under test is repeated."""
    bound, parties, ask, place = (situation[name] for name in ("bound", "parties", "ask", "place"))
    day = at.astimezone(PARIS).date()
    if place is None or place.cancelled or place.purpose not in bound.purposes:
        return False
    purpose = bound.purposes[place.purpose]
    stopped = any(
        one.effect in {Effect.SUSPEND, Effect.FREEZE} and one.from_at <= at < (one.until_at or datetime.max.replace(tzinfo=UTC))
        for one in (*parties.holds, *place.holds)
    )
    return (
        (situation["frozen_at"] is None or at < situation["frozen_at"])
        and parties.agent_known
        and parties.key_in_use
        and not stopped
        and all(clause in bound.clauses for clause in ALL_CLAUSES[:8])
        and bound.starts_on <= day <= bound.ends_on
        and set(ask.attributes) <= set(purpose.attributes)
        and (bound.limits.agent_assurance is Assurance.ASSERTED or ask.assurance is Assurance.AUTHENTICATED)
        and place.starts_at - purpose.opens_before <= at < place.ends_at + purpose.closes_after
    )


@given(situations(), INSTANTS)
def test_decide_when_any_situation_then_granted_exactly_if_every_rule_holds(situation: dict[str, Any], at: datetime) -> None:
    """Granted if and only if all the rules hold, and each refusal gives a reason."""
    decision = judge(situation, at)
    assert isinstance(decision, Granted) == lawful(situation, at)
    if isinstance(decision, Refused):
        assert decision.reasons


def mostly_lawful(parties_holds: tuple[Hold, ...], person_holds: tuple[Hold, ...], bound: Contract) -> dict[str, Any]:
    """Return a situation in which only holds, dates and the clock can refuse."""
    return {
        "bound": bound,
        "parties": msgspec.structs.replace(PARTIES, holds=parties_holds),
        "ask": msgspec.structs.replace(ASK, attributes=("family_name",), assurance=Assurance.AUTHENTICATED),
        "place": msgspec.structs.replace(PLACE, holds=person_holds),
    }


@given(
    any_holds(), any_holds(), st.sampled_from([CONTRACTS[n] for n in (0, 1, 2, 5, 8)]), INSTANTS, st.integers(0, 10**6), st.none() | INSTANTS
)  # fmt: skip
def test_interval_when_granted_then_exactly_where_the_same_facts_grant(
    parties_holds: tuple[Hold, ...], person_holds: tuple[Hold, ...], bound: Contract, at: datetime, part: int, frozen_at: datetime | None
) -> None:  # fmt: skip
    """At any instant of the interval the same facts grant the same interval; just outside of it they refuse."""
    situation = {**mostly_lawful(parties_holds, person_holds, bound), "frozen_at": frozen_at}
    granted = judge(situation, at)
    if isinstance(granted, Refused):
        return
    assert granted.valid_from <= at < granted.valid_until
    span = granted.valid_until - granted.valid_from
    for instant in (granted.valid_from, granted.valid_from + span * part // 10**6, granted.valid_until - TICK):
        inside = min(max(instant, granted.valid_from), granted.valid_until - TICK)
        assert judge(situation, inside) == granted
    assert isinstance(judge(situation, granted.valid_from - TICK), Refused)
    assert isinstance(judge(situation, granted.valid_until), Refused)


def test_contract_when_read_then_of_the_days_and_forms_written() -> None:
    """The contract of these tests is what they take it for."""
    assert (LAWFUL.contract.starts_on, LAWFUL.contract.ends_on) == (date(2020, 1, 1), date(2099, 12, 31))
    assert LAWFUL.contract.purposes["civic-training"].attributes["birth_date"] is Form.YEAR
