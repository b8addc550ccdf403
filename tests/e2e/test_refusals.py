"""Every refusal that a decision can end in, met over the public interface: the agency changes one thing, the processor is told what it may know."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.agency import Agency
from tests.e2e.desk import UNKNOWN, at_work, code_of, refused, refused_with_receipt
from tests.invented import ABSENT, ALL_CLAUSES, UNREADABLE, contract_text

pytestmark = pytest.mark.e2e


async def test_handle_when_unknown_or_foreign_then_not_disclosable(agency: Agency) -> None:
    """A handle that is not this processor's, another's or nobody's, has nothing to disclose; nor has a person under a hold."""
    async with at_work(agency, [26]) as desk, at_work(agency, [26]) as other:
        assert desk.handles[26] != other.handles[26]
        refused_with_receipt(await desk.machine.disclose(UNKNOWN, desk.party.agent), "not-disclosable")
        refused_with_receipt(await desk.machine.disclose(other.handles[26], desk.party.agent), "not-disclosable")
        hold, _ = await agency.hold("person", "ofii:26")
        refused_with_receipt(await desk.disclose(26), "not-disclosable")
        await agency.release(hold)
        assert code_of(await desk.disclose(26)) == "ok"


async def test_window_when_early_late_moved_or_cancelled_then_told_with_its_times(agency: Agency) -> None:
    """Outside its window an appointment says when it is open, also after it moved, and that it was cancelled."""
    async with at_work(agency, [27], opens_before="PT1H", closes_after="PT1H", begins_in=timedelta(hours=3)) as desk:
        opens_at, closes_at = desk.meeting.starts_at - timedelta(hours=1), desk.meeting.ends_at + timedelta(hours=1)
        times = {"opens_at": f"{opens_at:%Y-%m-%dT%H:%M:%SZ}", "closes_at": f"{closes_at:%Y-%m-%dT%H:%M:%SZ}"}
        early = refused_with_receipt(await desk.disclose(27), "outside-window")
        assert {name: early[name] for name in times} == times
        moved = replace(
            desk.meeting, starts_at=desk.meeting.starts_at - timedelta(hours=3), ends_at=desk.meeting.ends_at - timedelta(hours=3)
        )
        assert await agency.schedule(moved) == desk.handles
        assert code_of(await desk.disclose(27)) == "ok"
        await agency.schedule(desk.meeting)
        assert refused_with_receipt(await desk.disclose(27), "outside-window")["opens_at"] == times["opens_at"]
        await agency.schedule(desk.meeting, cancelled=[27])
        assert refused_with_receipt(await desk.disclose(27), "outside-window")["cancelled"] is True
        changes = (await desk.machine.call("GET", "/v1/changes")).json()["changes"]
    assert [change["kind"] for change in changes] == ["added", "moved", "moved", "cancelled"]
    assert changes[-1]["appointment"] == desk.handles[27]


async def test_window_when_the_clock_stands_at_its_ends_then_half_open(agency: Agency) -> None:
    """The window includes its first microsecond and excludes its last instant, by the database's clock."""
    async with at_work(agency, [28], opens_before="PT1H", closes_after="PT1H", begins_in=timedelta(hours=3), reads=20) as desk:
        opens_at, closes_at = desk.meeting.starts_at - timedelta(hours=1), desk.meeting.ends_at + timedelta(hours=1)
        tick = timedelta(microseconds=1)
        try:
            codes = []
            for instant in (opens_at - tick, opens_at, closes_at - tick, closes_at):
                await agency.stop_clock(instant)
                codes.append(code_of(await desk.disclose(28)))
        finally:
            await agency.reset_clock()
    assert codes == ["outside-window", "ok", "ok", "outside-window"]


@pytest.mark.parametrize(
    ("ceiling", "budget"),
    [
        ("per_agent_hour", "agent-per-hour"),
        ("per_client_hour", "client-per-hour"),
        ("per_day", "processor-per-day"),
    ],
)
async def test_budget_when_spent_then_new_persons_are_refused_and_known_ones_are_not(
    agency: Agency, ceiling: str, budget: str
) -> None:
    """Each ceiling in persons holds exactly; a person who counts already costs nothing more."""
    async with at_work(agency, [30, 31, 32]) as desk:
        await agency.apply(contract_text(desk.party.name, **{ceiling: 2}))  # type: ignore[arg-type] # each is a figure
        codes = [code_of(await desk.disclose(person)) for person in (30, 31)]
        problem = refused_with_receipt(await desk.disclose(32), "budget-spent")
        again = code_of(await desk.disclose(30))
    assert (codes, problem["budget"], again) == (["ok", "ok"], budget, "ok")


async def test_budget_when_the_month_is_spent_then_a_new_day_does_not_help(agency: Agency) -> None:
    """Persons of yesterday count for the month: the ceiling of the day is free again, that of the month is not."""
    noon = datetime((await agency.now()).year + 1, 3, 10, 12, tzinfo=UTC)
    try:
        await agency.stop_clock(noon)
        async with at_work(agency, [30, 31, 32], begins_in=timedelta(hours=30), opens_before="PT48H") as desk:
            await agency.apply(contract_text(desk.party.name, opens_before="PT48H", per_day=2, per_month=2))
            codes = [code_of(await desk.disclose(person)) for person in (30, 31)]
            await agency.stop_clock(noon + timedelta(days=1))
            problem = refused_with_receipt(await desk.disclose(32), "budget-spent")
            again = code_of(await desk.disclose(30))
            await agency.stop_clock(noon.replace(month=4, day=1))
            late = refused(await desk.disclose(32), "outside-window")
    finally:
        await agency.reset_clock()
    assert (codes, problem["budget"], again) == (["ok", "ok"], "processor-per-month", "ok")
    assert "budget" not in late


async def test_reads_when_spent_then_the_appointment_is_refused(agency: Agency) -> None:
    """An appointment is read as often as the contract says, and no more."""
    async with at_work(agency, [34], reads=2) as desk:
        codes = [code_of(await desk.disclose(34)) for _ in range(2)]
        problem = refused_with_receipt(await desk.disclose(34), "budget-spent")
    assert codes == ["ok", "ok"]
    assert problem["budget"] == "reads-per-appointment"


async def test_gate_when_a_clause_is_missing_then_frozen_until_it_is_there(agency: Agency) -> None:
    """Without a clause of Art. 28(3) nothing is disclosed; with it, at once."""
    async with at_work(agency, [35], clauses=[clause for clause in ALL_CLAUSES if clause != "28.3.h"]) as desk:
        assert refused_with_receipt(await desk.disclose(35), "gate-frozen")["state"] == "frozen"
        assert (await desk.machine.call("GET", "/v1/whoami")).json()["gate_reasons"] == ["contract:clause:missing:28.3.h"]
        await agency.apply(contract_text(desk.party.name))
        assert code_of(await desk.disclose(35)) == "ok"


async def test_gate_when_the_contract_has_not_begun_or_has_ended_then_closed(agency: Agency) -> None:
    """A contract lets nothing through before its first day and after its last, whatever is scheduled."""
    async with at_work(agency, [36]) as desk:
        day = desk.meeting.starts_at
        to_come = contract_text(desk.party.name, starts_on=f"{day + timedelta(days=2):%Y-%m-%d}")
        gone_by = contract_text(desk.party.name, ends_on=f"{day - timedelta(days=2):%Y-%m-%d}")
        for text in (to_come, gone_by):
            await agency.apply(text)
            assert refused_with_receipt(await desk.disclose(36), "gate-frozen")["state"] == "closed"
        await agency.apply(contract_text(desk.party.name))
        assert code_of(await desk.disclose(36)) == "ok"


@pytest.mark.parametrize("scope", ["processor", "client", "agent", "contract"])
async def test_hold_when_placed_then_refused_and_when_released_then_served(agency: Agency, scope: str) -> None:
    """A hold on the processor, the client, the agent or the contract stops the next disclosure, and says what it lies on."""
    async with at_work(agency, [37]) as desk:
        target = {
            "processor": desk.party.name,
            "contract": desk.party.name,
            "client": desk.machine.client,
            "agent": desk.party.agent,
        }[scope]
        assert code_of(await desk.disclose(37)) == "ok"
        hold, _ = await agency.hold(scope, target, "freeze" if scope == "contract" else "suspend")
        problem = refused_with_receipt(await desk.disclose(37), "gate-frozen" if scope == "contract" else "suspended")
        assert problem["scope"] == scope
        await agency.release(hold)
        assert code_of(await desk.disclose(37)) == "ok"


async def test_key_when_revoked_then_its_tokens_are_worth_nothing(agency: Agency) -> None:
    """A revoked key gets no token, and a token that it still holds opens nothing."""
    async with at_work(agency, [38]) as desk:
        assert code_of(await desk.disclose(38)) == "ok"
        await agency.revoke(desk.party.machines[0])
        assert refused_with_receipt(await desk.disclose(38), "suspended")["scope"] == "key"
        refused(await desk.machine.call("GET", "/v1/sessions"), "invalid-token")
        assert (await desk.machine.ask_token()).json()["error"] == "invalid_client"


async def test_contract_when_it_lacks_the_purpose_or_the_attribute_then_said(agency: Agency) -> None:
    """What the contract in force does not name is not disclosed; a name that the register doesn't map is sealed as no name."""
    async with at_work(agency, [39], attributes={"family_name": "full"}) as desk:
        problem = refused_with_receipt(
            await desk.disclose(39, ["family_name", "email", "never_heard"]), "attribute-not-contracted"
        )
        assert problem["attributes"] == ["(unmapped)", "email"]
        sealed = (await agency.openings())[-1]
        assert sealed["attributes"] == ["(unmapped)", "email", "family_name"]
        assert "never_heard" not in str(sealed)
        await agency.apply(contract_text(desk.party.name, purpose="other-purpose"))
        refused_with_receipt(await desk.disclose(39), "purpose-not-contracted")


async def test_register_when_its_row_is_missing_or_unreadable_then_undetermined(agency: Agency) -> None:
    """What the register can't tell is not guessed: the person is refused, for the controller to mend; the rest of her row is."""
    async with at_work(agency, [ABSENT, UNREADABLE]) as desk:
        refused_with_receipt(await desk.disclose(ABSENT), "undetermined")
        refused_with_receipt(await desk.disclose(UNREADABLE, ["family_name", "entry_date"]), "undetermined")
        assert code_of(await desk.disclose(UNREADABLE, ["family_name"])) == "ok"
    events = [
        entry["event"] for entry in await agency.openings() if entry.get("processor") == desk.party.name and entry.get("reason")
    ]
    assert events == ["disclosure:person:undetermined"] * 2


async def test_agent_when_only_named_or_unknown_then_refused(agency: Agency) -> None:
    """A contract may ask for a signed-in agent; an agent of nobody, or of another processor, is unknown."""
    async with at_work(agency, [41], assurance="authenticated") as desk, at_work(agency, [41]) as other:
        refused_with_receipt(await desk.disclose(41), "step-up-required")
        refused_with_receipt(await other.machine.disclose(other.handles[41], desk.party.agent), "unknown-agent")
        refused_with_receipt(await other.machine.disclose(other.handles[41], "agt_" + "a" * 26), "unknown-agent")
