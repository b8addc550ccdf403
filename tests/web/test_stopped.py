"""What a hostile review tried, kept: stopped schedulers, spoilt batches, roll-calls that can't be had whole, bodies and instants out of bounds."""

from __future__ import annotations

import asyncio
import hashlib
import time

import asyncpg
import pytest

from tests.agency import Agency
from tests.e2e.desk import at_work, code_of, refused, refused_with_receipt
from tests.e2e.outsider import Outsider, check_receipt

pytestmark = pytest.mark.web

SHEET = {"family_name": "full", "given_name": "initial"}
HEADER = "source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status"


async def send(scheduler: Outsider, agency: Agency, processor: str, ref: str) -> tuple[int, dict[str, object]]:
    """Send a file with one place as the controller's scheduler."""
    day = (await agency.now()).strftime("%Y-%m-%d")
    row = f"probe,{ref},P1,ofii:90,civic-training,{processor},large,room-{ref},{day}T22:00:00Z,{day}T23:30:00Z,,planned"
    headers = {
        "authorization": f"DPoP {scheduler.access_token}",
        "dpop": scheduler.proof("POST", "/v1/schedule", token=scheduler.access_token),
        "content-type": "text/csv",
    }
    answer = await scheduler.http.post("/v1/schedule", content=f"{HEADER}\n{row}\n", headers=headers)
    return answer.status_code, answer.json()


async def test_schedule_when_the_scheduler_is_suspended_or_its_key_revoked_then_nothing_is_imported(agency: Agency) -> None:
    """A stolen scheduler is stopped at once: a hold on it, or its key's revocation, refuses every import after its own entry."""
    party, machine = await agency.bind(), await agency.machine(None)
    async with Outsider(agency.public_url, machine.id, machine.key) as scheduler:
        assert (await send(scheduler, agency, party.name, "A"))[0] == 200
        hold, _ = await agency.hold("client", machine.id)
        status, problem = await send(scheduler, agency, party.name, "B")
        assert (status, problem["type"]) == (403, "/problems/suspended")
        await agency.release(hold)
        assert (await send(scheduler, agency, party.name, "C"))[0] == 200
        await agency.revoke(machine)
        assert (await send(scheduler, agency, party.name, "D"))[1]["type"] == "/problems/suspended"
    rows = await agency.fetch("select session_ref from ecluse.session where source = 'probe' order by 1")
    assert [row["session_ref"] for row in rows] == ["A", "C"]


async def test_schedule_when_sent_by_a_processor_then_wrong_role(agency: Agency) -> None:
    """A processor never schedules: it would invent appointments."""
    async with at_work(agency, [91]) as desk:
        status, problem = await send(desk.machine, agency, desk.party.name, "X")
    assert (status, problem["type"]) == (403, "/problems/wrong-role")


async def test_batch_when_one_proof_is_being_spent_elsewhere_then_no_neighbour_pays(agency: Agency) -> None:
    """A client that gives one jti to two addresses at once can't fail those who share its batch."""
    async with at_work(agency, [92, 93, 94, 95]) as desk:
        iat, jti = int(time.time()), "the-same-everywhere"
        digest = hashlib.sha256(f"{desk.machine.key.thumbprint()}\0{jti}".encode()).digest()
        async with agency.connected("ecluse_app") as other:
            held = other.transaction()
            await held.start()
            assert await other.fetchval("select ecluse.spend($1, $2)", iat // 60, digest)
            asked = [
                asyncio.create_task(desk.disclose(92, iat=iat, jti=jti)),
                *(asyncio.create_task(desk.disclose(n)) for n in (93, 94, 95)),
            ]
            await asyncio.sleep(0.3)
            await held.commit()
        answers = await asyncio.gather(*asked)
    assert [code_of(answer) for answer in answers[1:]] == ["ok"] * 3
    assert code_of(answers[0]) in {"ok", "invalid-proof"}


async def test_sheet_when_it_would_overrun_a_ceiling_then_budget_spent_and_sealed(agency: Agency) -> None:
    """A roll-call that doesn't fit into what is left is refused with the ceiling's name, at once, and discloses nobody."""
    async with at_work(agency, [100, 101, 102], per_client_hour=2, sheet=SHEET) as desk:
        before = await agency.size()
        session = (await desk.machine.call("GET", "/v1/sessions")).json()["sessions"][0]["id"]
        answer = await desk.machine.call("POST", f"/v1/sessions/{session}/sheet", body={"agent": desk.party.agent})
        problem = refused_with_receipt(answer, "budget-spent")
        assert problem["budget"] == "client-per-hour"
        sealed = await agency.openings(since=before)
        assert [entry["event"] for entry in sealed] == ["disclosure:sheet:refused"] * 3
        assert [code_of(await desk.disclose(person)) for person in (100, 101, 102)] == ["ok", "ok", "budget-spent"]


async def test_sheet_when_retried_after_its_first_place_changed_then_the_others_again(agency: Agency) -> None:
    """A retry with the same key gives again what was given, and says which place is missing now; nothing more is spent."""
    async with at_work(agency, [103, 104, 105], sheet=SHEET, reads=1) as desk:
        session = (await desk.machine.call("GET", "/v1/sessions")).json()["sessions"][0]["id"]

        async def roll_call() -> dict[str, list[dict[str, object]]]:
            answer = await desk.machine.call(
                "POST", f"/v1/sessions/{session}/sheet", body={"agent": desk.party.agent}, headers={"idempotency-key": "roll"}
            )
            assert code_of(answer) == "ok", answer.text
            told: dict[str, list[dict[str, object]]] = answer.json()
            return told

        first = await roll_call()
        for row in first["disclosures"]:
            check_receipt(row)
        gone = first["disclosures"][0]["appointment"]
        person = next(number for number, handle in desk.handles.items() if handle == gone)
        hold, _ = await agency.hold("person", f"ofii:{person}")
        again = await roll_call()
        assert again["missing"] == [gone]
        assert again["disclosures"] == first["disclosures"][1:]
        await agency.release(hold)
        assert (await roll_call())["disclosures"] == first["disclosures"]


async def test_read_when_a_neighbour_asks_what_is_unreadable_then_only_the_neighbour_is_refused(agency: Agency) -> None:
    """An answer depends on what was asked, never on who else is in the batch."""
    async with at_work(agency, [3], reads=50) as desk:
        asked = [desk.disclose(3, ["entry_date"] if n % 2 else ["family_name"]) for n in range(20)]
        codes = [code_of(answer) for answer in await asyncio.gather(*asked)]
    assert codes == ["ok", "undetermined"] * 10


async def test_body_when_larger_than_the_call_takes_then_refused(agency: Agency) -> None:
    """Nobody makes the gate hold a large body: not a stranger at the token endpoint, not a client at the door."""
    async with at_work(agency, [106]) as desk:
        answer = await desk.machine.http.post(
            "/oauth/token", content=b"x=" + b"y" * 70_000, headers={"content-type": "application/x-www-form-urlencoded"}
        )
        assert answer.status_code in {400, 413}
        refused(await desk.machine.call("POST", "/v1/disclosures", body={"appointment": "a" * 70_000}), "too-large")


@pytest.mark.parametrize(
    "query",
    [
        "from=0001-01-01T00:00:00%2B14:00",
        "from=9999-12-31T23:59:59Z",
        "from=2026-01-05T00:00:00",
        "from=2026-01-05T00:00:00Z&to=2026-01-05T00:00:00Z",
        "from=2026-01-05T00:00:00Z&to=2026-06-05T00:00:00Z",
        "from=yesterday",
    ],
)
async def test_sessions_when_the_span_is_not_one_then_invalid_request(agency: Agency, query: str) -> None:
    """Instants at the ends of the calendar, without a zone, in no order or too far apart are the caller's error, not ours."""
    async with at_work(agency, [107]) as desk:
        refused(await desk.machine.call("GET", f"/v1/sessions?{query}"), "invalid-request")


@pytest.mark.parametrize("cursor", ["", "-", "1", "01-1", "1-1-1", "1-99999999999", "٣-1", "9" * 5000 + "-1"])
async def test_changes_when_the_cursor_is_not_ours_then_invalid_request(agency: Agency, cursor: str) -> None:
    """A cursor has one spelling."""
    async with at_work(agency, [108]) as desk:
        refused(await desk.machine.call("GET", f"/v1/changes?after={cursor}"), "invalid-request")


async def test_control_when_the_event_is_not_that_of_the_act_then_refused(agency: Agency) -> None:
    """Whoever has the gate's password still can't write an entry that says other than what it does."""
    async with agency.connected("ecluse_app") as app:
        for event in ("control:agent:added", "disclosure:person:granted"):
            with pytest.raises(asyncpg.InvalidParameterValueError):
                await app.fetch(
                    "select * from ecluse.control(1::smallint, 0, now(), ''::bytea, $1, null, '[]', ''::bytea, 'hold:release', '{}'::jsonb)",
                    event,
                )
