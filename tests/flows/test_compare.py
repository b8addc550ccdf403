"""Declared against observed: each outcome, and that what was allowed is never flagged."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecluse.contracts import Form, is_weaker_or_equal
from ecluse.flows.compare import compare
from ecluse.flows.declare import country_of, declare
from ecluse.flows.model import FLAGGED, Compared, FlowMap, Observation, Outcome
from tests.flows.facts import AT, FIRM, KINDS, contract, facts, seen, versions

pytestmark = pytest.mark.unit

PLAIN = {"family_name": "full", "birth_date": "year"}


def of(found: FlowMap, attribute: str, outcome: Outcome) -> Compared:
    """Return the one flow of an attribute with this outcome."""
    (flow,) = [one for one in found.flows if (one.attribute, one.outcome) == (attribute, outcome)]
    return flow


def words(found: FlowMap) -> set[tuple[str, str]]:
    """Return all outcomes."""
    return {(one.attribute, one.outcome.value) for one in found.flows}


# ── otherwise than declared ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("row", "why"),
    [
        (seen("email"), "version 1, in force then, does not name the attribute"),
        (seen("birth_date", "full"), "version 1, in force then, names it as year, and it was given as full"),
        (seen("family_name", roll_call=True), "version 1, in force then, does not name the attribute for the roll-call"),
        (seen("family_name", purpose="other"), "version 1, in force then, does not name the purpose"),
        (seen("family_name", version=0), "no contract was in force"),
        (
            seen("family_name", other_version=True),
            "the entry does not name version 1, which was in force: it did not come through the gate",
        ),
        (seen("family_name", "?"), "version 1, in force then, names it as full, and it was given as ?"),
        (seen("?"), "version 1, in force then, does not name the attribute"),
    ],
)
def test_disclosure_when_beyond_the_contract_of_its_instant_then_excessive(row: Observation, why: str) -> None:
    """What no contract of that instant covers is excessive, and says why."""
    found = compare(facts(row, contracts=versions(contract(attributes=PLAIN))))
    assert of(found, row.attribute, Outcome.EXCESSIVE).why == why
    assert found.flagged


def test_disclosure_when_after_the_contracts_last_day_then_excessive() -> None:
    """A contract that is over covers nothing, however it is worded; its days are the controller's."""
    ended = contract(attributes=PLAIN, ends_on="2026-06-28")
    late, in_time = seen("family_name", days_ago=1), seen("family_name", days_ago=2)
    assert of(compare(facts(late, contracts=versions(ended))), "family_name", Outcome.EXCESSIVE).why.endswith(
        "ran from 2020-01-01 to 2026-06-28"
    )
    assert compare(facts(in_time, contracts=versions(ended))).flagged == ()


def test_disclosure_when_the_contract_was_narrowed_since_then_undeclared() -> None:
    """What was allowed then and is not any more is flagged as undeclared; what still is, is matched."""
    narrowed = versions(contract(attributes={**PLAIN, "email": "masked"}), contract(attributes={"family_name": "initial"}))
    found = compare(facts(seen("email", "masked"), seen("birth_date", "year"), seen("family_name", "full"), contracts=narrowed))
    assert of(found, "email", Outcome.UNDECLARED).why == "given under version 1; the contract in force names it no more"
    assert (
        of(found, "family_name", Outcome.UNDECLARED).why
        == "given as full under version 1; the contract in force names it as initial"
    )
    assert {flow.outcome for flow in found.flagged} == {Outcome.UNDECLARED}
    assert len(found.flagged) == 3


def test_disclosure_when_its_version_cannot_be_read_then_flagged_and_not_guessed() -> None:
    """Where the register's map moved on, the old text can't be judged: that is said."""
    known = versions(contract(attributes=PLAIN))
    unreadable = {FIRM: (type(known[FIRM][0])(version=1, contract=None, applied_at=AT),)}
    found = compare(facts(seen("family_name"), contracts=unreadable))
    assert of(found, "family_name", Outcome.UNDECLARED).why == "version 1 can't be read with the register's present map"
    assert found.coverage.unreadable_contracts == (FIRM,)


def test_disclosure_when_at_a_site_of_no_contract_then_place_mismatch() -> None:
    """A session at a site that the contract did not name is told apart; a place that was erased is not guessed."""
    found = compare(facts(seen("", "", site="elsewhere"), seen("", "", site=""), contracts=versions(contract())))
    (flow,) = [one for one in found.flows if one.outcome is Outcome.PLACE]
    assert (flow.site, flow.why) == ("elsewhere", "version 1, in force then, does not name this site")


@pytest.mark.parametrize(
    ("zone", "country"),
    [
        ("Europe/Paris", "FR"),
        ("Indian/Reunion", "FR"),
        ("America/Martinique", "FR"),
        ("Africa/Casablanca", "MA"),
        ("Europe/London", "GB"),
        ("Etc/UTC", None),
        ("no/zone", None),
    ],
)
def test_country_when_asked_of_a_zone_then_that_of_its_state(zone: str, country: str | None) -> None:
    """A zone's country is its state's: an outermost region of the Union is no third country."""
    assert country_of(zone) == country


def test_site_when_in_another_country_than_the_processor_then_place_mismatch() -> None:
    """A site abroad is told, by its time zone."""
    text = contract()
    abroad = type(text.sites["large"])(id="large", timezone="Africa/Casablanca", rooms=1, max_sessions_per_day=1)
    moved = type(text)(**{**{name: getattr(text, name) for name in text.__struct_fields__}, "sites": {"large": abroad}})
    found = compare(facts(seen("", ""), contracts=versions(moved)))
    assert [one.why for one in found.flagged] == ["the site lies in MA by its time zone, the processor in FR"]
    assert {flow.countries for flow in declare(moved, 1)} == {("MA",)}


def test_sub_processors_when_the_list_and_the_contract_differ_then_each_difference_is_told() -> None:
    """A name on one side alone, or in another country, is a mismatch; case and blanks are not."""
    text = contract()
    sub = {"country": "FR", "role": "hosting"}
    from ecluse.contracts import SubProcessor  # noqa: PLC0415 - of this test alone

    named = tuple(SubProcessor(name=name, **sub) for name in ("Hébergeur Rhône", "Alpha", "Beta"))
    ours = type(text)(**{**{name: getattr(text, name) for name in text.__struct_fields__}, "sub_processors": named})
    theirs = {FIRM: ("evd_1", {"hébergeur  rhône": "FR", "Beta": "US", "Gamma": "IN"})}
    found = compare(facts(contracts=versions(ours), lists=theirs))
    assert sorted(one.why for one in found.flagged) == [
        "Alpha is in the contract, and not on the processor's own list (evd_1)",
        "Beta is in FR by the contract, in US by the processor's own list (evd_1)",
        "Gamma is on the processor's own list (evd_1), and not in the contract",
    ]


# ── as declared ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_declared_when_seen_in_the_period_then_matched() -> None:
    """A flow given as named, or weaker, is matched and not flagged."""
    found = compare(facts(seen("family_name"), seen("birth_date", "age_band"), contracts=versions(contract(attributes=PLAIN))))
    assert words(found) == {("family_name", "matched"), ("birth_date", "matched")}
    assert found.flagged == ()


def test_declared_when_asked_for_and_withheld_then_matched_without_a_disclosure() -> None:
    """An address that was asked for and withheld gave nothing; it was asked for all the same."""
    found = compare(facts(seen("email", "withheld"), contracts=versions(contract(attributes={"email": "relay"}))))
    flow = of(found, "email", Outcome.MATCHED)
    assert (flow.disclosures, flow.persons, flow.seen) == (0, 0, ("withheld",))


def test_declared_when_unseen_then_dormant_unneeded_or_too_early() -> None:
    """Seen before and not lately, never, or named too lately to tell."""
    old, new = (
        contract(attributes={"family_name": "full", "birth_date": "year"}),
        contract(attributes={**PLAIN, "email": "masked"}),
    )
    last = {(FIRM, "civic-training", "family_name", False): AT - timedelta(days=31)}
    found = compare(facts(contracts=versions(old, new), last_seen=last))
    assert words(found) == {("family_name", "dormant"), ("birth_date", "unneeded"), ("email", "too-early")}
    assert found.flagged == ()


def test_declared_when_withheld_then_no_flow() -> None:
    """What a contract withholds goes nowhere: it is not declared, and nothing is expected of it."""
    found = compare(facts(contracts=versions(contract(attributes={"family_name": "full", "email": "withheld"}))))
    assert {one.attribute for one in found.flows} == {"family_name"}


def test_nothing_when_compared_then_nothing_is_found() -> None:
    """No contract and no disclosure: an empty map, and an honest coverage."""
    found = compare(facts(contracts={}))
    assert (found.flows, found.coverage.declared, found.coverage.counted, found.coverage.entries, found.coverage.erased) == (
        (),
        0,
        90,
        100,
        3,
    )


FORMS = sorted({(name, form.value) for name, kind in KINDS.items() for form in Form if is_weaker_or_equal(kind, form, form)})


@settings(deadline=None)
@given(declared=st.dictionaries(*[st.sampled_from(sorted(KINDS)), st.none()], min_size=1), drawn=st.data())
def test_disclosure_when_within_the_contract_then_never_flagged_and_else_always(
    declared: dict[str, None], drawn: st.DataObject
) -> None:
    """A disclosure is flagged if, and only if, its form gives more than the contract in force names."""
    named = {name: drawn.draw(st.sampled_from([form for one, form in FORMS if one == name])) for name in declared}
    name, form = drawn.draw(st.sampled_from(FORMS))
    found = compare(facts(seen(name, form), contracts=versions(contract(attributes=named))))
    allowed = name in named and is_weaker_or_equal(KINDS[name], Form(form), Form(named[name]))
    gives = form != "withheld"
    assert bool(found.flagged) == (gives and not allowed)
    assert all(one.outcome in FLAGGED for one in found.flagged)
