"""A processor says how an appointment ended: refusals first, the window that is no disclosure's, corrections, retries, holds, and what is forgotten."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from ecluse import settings
from ecluse.client import AsyncClient, Refused
from ecluse.db import open_pool
from ecluse.register import parse_register
from ecluse.schedule.service import ImportApplied, import_schedule
from tests.agency import Agency
from tests.e2e.desk import UNKNOWN, Desk, at_work, code_of
from tests.e2e.outsider import Outsider
from tests.invented import register_toml

pytestmark = pytest.mark.web

BEGUN = timedelta(minutes=-10)


async def say(desk: Desk, handle: str, attendance: str = "present", *, key: str | None = None, **more: Any) -> httpx.Response:
    """Say an outcome."""
    headers = {"idempotency-key": key} if key else {}
    body = {"attendance": attendance, **more}
    return await desk.machine.call("POST", f"/v1/appointments/{handle}/outcome", body=body, headers=headers)


async def kept(agency: Agency, desk: Desk) -> list[tuple[str, str, int]]:
    """Return the outcomes of a processor, as the database has them: handle, attendance, revision."""
    rows = await agency.fetch(
        "select appointment_id, attendance, revision from ecluse.outcome where processor_id = $1 order by seq", desk.party.name
    )
    return [tuple(row) for row in rows]


# ── refused ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_outcome_when_the_handle_is_unknown_or_foreign_then_one_answer(agency: Agency) -> None:
    """An unknown handle, another processor's and one that can't be a handle are answered with the same bytes, and nothing is kept."""
    async with at_work(agency, [10], begins_in=BEGUN) as desk, at_work(agency, [11], begins_in=BEGUN) as other:
        answers = [await say(desk, handle) for handle in (UNKNOWN, other.handles[11], "apt_nonsense")]
        assert [code_of(answer) for answer in answers] == ["not-found"] * 3
        assert len({answer.content for answer in answers}) == 1
        assert await kept(agency, desk) == await kept(agency, other) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"attendance": "there"},
        {"attendance": "present", "level": "D1"},
        {"attendance": "absent", "level": "A1"},
        {"attendance": "present", "agent": "somebody"},
        {"attendance": "present", "note": "was kind"},
        {"attendance": ["present"]},
    ],
)
async def test_outcome_when_the_body_is_not_as_the_schema_says_then_refused(agency: Agency, body: dict[str, object]) -> None:
    """What is not in the schema is refused, so nothing can be written about a person but these words."""
    async with at_work(agency, [10], begins_in=BEGUN) as desk:
        path = f"/v1/appointments/{desk.handles[10]}/outcome"
        answer = await desk.machine.call("POST", path, body=body)
        assert code_of(answer) == "invalid-request"
        assert "kind" not in answer.text
        assert await kept(agency, desk) == []


async def test_outcome_when_a_member_stands_twice_then_refused(agency: Agency) -> None:
    """A body that two readers could read differently is read by none."""
    async with at_work(agency, [10], begins_in=BEGUN) as desk:
        path = f"/v1/appointments/{desk.handles[10]}/outcome"
        fields = {
            "authorization": f"DPoP {desk.machine.access_token}",
            "dpop": desk.machine.proof("POST", path, token=desk.machine.access_token),
            "content-type": "application/json",
        }
        twice = b'{"attendance": "present", "attendance": "absent"}'
        assert code_of(await desk.machine.http.post(path, content=twice, headers=fields)) == "invalid-request"


async def test_outcome_when_the_proof_was_used_then_refused(agency: Agency) -> None:
    """State moves, so a proof is good once, also after a refusal."""
    async with at_work(agency, [10], begins_in=BEGUN) as desk:
        path = f"/v1/appointments/{desk.handles[10]}/outcome"
        proof = {"dpop": desk.machine.proof("POST", path, token=desk.machine.access_token)}
        answers = [
            await desk.machine.call("POST", path, body={"attendance": word}, headers=proof) for word in ("present", "absent")
        ]
        assert [code_of(answer) for answer in answers] == ["ok", "invalid-proof"]
        assert await kept(agency, desk) == [(desk.handles[10], "present", 1)]


async def test_outcome_when_it_is_another_client_s_role_then_refused(agency: Agency) -> None:
    """The controller's scheduler says no outcomes, and a processor fetches none."""
    machine = await agency.machine(None)
    async with (
        at_work(agency, [10], begins_in=BEGUN) as desk,
        Outsider(agency.public_url, machine.id, machine.key) as scheduler,
    ):
        path = f"/v1/appointments/{desk.handles[10]}/outcome"
        assert code_of(await scheduler.call("POST", path, body={"attendance": "present"})) == "wrong-role"
        assert code_of(await desk.machine.call("GET", "/v1/outcomes?after=0")) == "wrong-role"


async def test_outcome_when_not_yet_or_no_more_then_the_times_are_told(agency: Agency) -> None:
    """It may be said from the session's start until two days after the window closed, and not a microsecond outside."""
    async with at_work(agency, [10], begins_in=BEGUN, closes_after="PT2H") as desk:
        handle, meeting, tick = desk.handles[10], desk.meeting, timedelta(microseconds=1)
        last = meeting.ends_at + timedelta(hours=2, days=2)
        answers = []
        try:
            for at in (meeting.starts_at - tick, last, last - tick):
                await agency.execute("update ecluse.ledger_head set last_at = '-infinity'")
                await agency.stop_clock(at)
                answers.append(await say(desk, handle))
        finally:
            await agency.reset_clock()
        assert [code_of(answer) for answer in answers] == ["outside-outcome-window", "outside-outcome-window", "ok"]
        told = answers[0].json()
        assert (told["opens_at"], told["closes_at"]) == (f"{meeting.starts_at:%Y-%m-%dT%H:%M:%SZ}", f"{last:%Y-%m-%dT%H:%M:%SZ}")


async def test_outcome_when_the_window_has_closed_then_disclosure_stays_closed(agency: Agency) -> None:
    """The two days are for the outcome alone: the person is refused before and after it."""
    async with at_work(agency, [10], begins_in=BEGUN, closes_after="PT2H") as desk:
        try:
            await agency.set_clock_offset(agency.offset + timedelta(hours=30))
            before, said, after = await desk.disclose(10), await say(desk, desk.handles[10]), await desk.disclose(10)
        finally:
            await agency.reset_clock()
        assert [code_of(answer) for answer in (before, said, after)] == ["outside-window", "ok", "outside-window"]


async def test_outcome_when_the_place_is_cancelled_then_refused(agency: Agency) -> None:
    """Of a place that was taken back there is nothing to say."""
    async with at_work(agency, [10, 11], begins_in=BEGUN) as desk:
        await agency.schedule(desk.meeting, cancelled=[10])
        answer = await say(desk, desk.handles[10])
        assert (code_of(answer), answer.json()["cancelled"]) == ("outside-outcome-window", True)


@pytest.mark.parametrize("effect", ["suspend", "freeze"])
@pytest.mark.parametrize("scope", ["processor", "client", "agent", "contract"])
async def test_outcome_when_a_party_is_held_then_refused_until_released(agency: Agency, scope: str, effect: str) -> None:
    """A hold stops outcomes as it stops disclosures."""
    async with at_work(agency, [10], begins_in=BEGUN) as desk:
        party = desk.party
        target = {"client": party.machines[0].id, "agent": party.agent}.get(scope, party.name)
        hold, _ = await agency.hold(scope, target, effect)
        held = await say(desk, desk.handles[10], agent=party.agent)
        await agency.release(hold)
        free = await say(desk, desk.handles[10], agent=party.agent)
    assert (code_of(held), held.json()["scope"], code_of(free)) == ("suspended", scope, "ok")


async def test_outcome_when_the_person_is_held_then_like_an_unknown_handle(agency: Agency) -> None:
    """A hold on the person tells the processor nothing."""
    async with at_work(agency, [10], begins_in=BEGUN) as desk:
        hold, _ = await agency.hold("person", "ofii:10")
        held, unknown = await say(desk, desk.handles[10]), await say(desk, UNKNOWN)
        await agency.release(hold)
        assert held.content == unknown.content
        assert await kept(agency, desk) == []


async def test_outcome_when_the_key_is_revoked_or_the_agent_another_s_then_refused(agency: Agency) -> None:
    """Who may not ask may not say; an agent is one's own or none."""
    async with at_work(agency, [10], begins_in=BEGUN) as desk:
        stranger = (await agency.bind()).agent
        assert code_of(await say(desk, desk.handles[10], agent=stranger)) == "unknown-agent"
        await agency.revoke(desk.party.machines[0])
        revoked = await say(desk, desk.handles[10])
        assert code_of(revoked) in {"invalid-token", "suspended"}
        assert await kept(agency, desk) == []


async def test_outcome_when_holds_come_in_between_then_none_is_recorded_after_the_hold(agency: Agency) -> None:
    """Under a stream of outcomes, none is recorded after the hold's own entry, by the database's clock."""
    async with at_work(agency, range(10, 40), begins_in=BEGUN) as desk:

        async def stream(person: int) -> httpx.Response:
            return await say(desk, desk.handles[person])

        saying = [asyncio.ensure_future(stream(person)) for person in range(10, 40)]
        await asyncio.wait(saying, return_when=asyncio.FIRST_COMPLETED)
        hold, index = await agency.hold("processor", desk.party.name)
        words = {code_of(answer) for answer in await asyncio.gather(*saying)}
        late = await agency.fetch(
            "select count(*) as late from ecluse.outcome o where o.processor_id = $1 and o.recorded_at >= "
            "(select sealed_at from ecluse.ledger_entry where index = $2)",
            desk.party.name,
            index,
        )
        await agency.release(hold)
    assert words <= {"ok", "suspended"}
    assert "ok" in words
    assert late[0]["late"] == 0


# ── recorded ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_outcome_when_said_then_recorded_and_nothing_is_sealed(agency: Agency) -> None:
    """It stands, and the ledger is as it was: an outcome is no disclosure."""
    async with at_work(agency, [10], begins_in=BEGUN) as desk:
        size = await agency.size()
        answer = await say(desk, desk.handles[10], "late", agent=desk.party.agent)
        assert await agency.size() == size
    said = answer.json()
    assert {name: said[name] for name in ("appointment", "attendance", "level", "agent", "revision")} == {
        "appointment": desk.handles[10],
        "attendance": "late",
        "level": None,
        "agent": desk.party.agent,
        "revision": 1,
    }


async def test_outcome_when_said_again_then_unchanged_and_when_corrected_then_replaced(agency: Agency) -> None:
    """The same words change nothing; other words replace what stood and take the next revision and the last place in the list."""
    async with at_work(agency, [10, 11], begins_in=BEGUN) as desk:
        ten, eleven = desk.handles[10], desk.handles[11]
        revisions = [
            (await say(desk, handle, word)).json()["revision"]
            for handle, word in ((ten, "present"), (eleven, "absent"), (ten, "present"), (ten, "excused"))
        ]
        assert revisions == [1, 1, 1, 2]
        assert await kept(agency, desk) == [(eleven, "absent", 1), (ten, "excused", 2)]


async def test_outcome_when_a_retry_comes_after_a_correction_then_it_undoes_nothing(agency: Agency) -> None:
    """The same key and body are answered as then; another body under the key is refused."""
    async with at_work(agency, [10], begins_in=BEGUN) as desk:
        handle = desk.handles[10]
        first = await say(desk, handle, "present", key="one")
        await say(desk, handle, "absent", key="two")
        again, other = await say(desk, handle, "present", key="one"), await say(desk, handle, "late", key="one")
        assert again.json() == first.json()
        assert code_of(other) == "key-reused"
        assert await kept(agency, desk) == [(handle, "absent", 2)]


async def test_outcome_when_many_say_it_at_once_then_one_row_and_revisions_without_gap(agency: Agency) -> None:
    """Racing corrections of one appointment are put in one order."""
    async with at_work(agency, [10], begins_in=BEGUN) as desk:
        words = ["present", "absent", "late", "excused"] * 3
        answers = await asyncio.gather(*(say(desk, desk.handles[10], word) for word in words))
        assert {code_of(answer) for answer in answers} == {"ok"}
        ((_, _, last),) = await kept(agency, desk)
        assert {answer.json()["revision"] for answer in answers} == set(range(1, last + 1))


async def import_course(agency: Agency, desk: Desk) -> str:
    """Put person 20 into a session of a course of the desk's processor; return the handle."""
    meeting = await agency.meeting(desk.party, [20], begins_in=BEGUN, ref="C1")
    text = (
        "source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status,course_ref\n"
        f"plan-{desk.party.name},C1,P20,ofii:20,civic-training,{desk.party.name},large,course,{meeting.starts_at:%Y-%m-%dT%H:%M:%SZ},"
        f"{meeting.ends_at:%Y-%m-%dT%H:%M:%SZ},{desk.party.agent},planned,group-a1"
    )
    installation = agency.installation
    url = settings.with_user(installation.settings.database.url, "ecluse_app")
    pool = await open_pool(url, installation.passwords("app"), size=1, name="test")
    try:
        report = await import_schedule(
            pool, file_bytes=text.encode(), kind="csv", actor="cli:test", dry_run=False, register=parse_register(register_toml()),
            zone=installation.settings.zone,
        )  # fmt: skip
    finally:
        await pool.close()
    assert isinstance(report, ImportApplied)
    (row,) = await agency.fetch(
        "select id from ecluse.appointment where processor_id = $1 and subject_ref = 'ofii:20'", desk.party.name
    )
    handle: str = row["id"]
    return handle


async def test_level_when_the_schedule_names_no_course_then_refused_else_recorded(agency: Agency) -> None:
    """A level is for courses, and what a course is the controller's schedule says."""
    async with at_work(agency, [10], begins_in=BEGUN) as desk:
        course = await import_course(agency, desk)
        refused, said = await say(desk, desk.handles[10], level="A2"), await say(desk, course, level="A2")
        assert code_of(refused) == "invalid-request"
        assert "courses" in refused.json()["detail"]
        assert said.json()["level"] == "A2"


async def test_client_when_it_says_an_outcome_then_recorded(agency: Agency, tmp_path: Path) -> None:
    """The client that a processor installs knows the call, and raises what is refused."""
    async with at_work(agency, [10], begins_in=BEGUN) as desk:
        machine = desk.party.machines[0]
        pem = tmp_path / "client.pem"
        pem.write_bytes(machine.key.as_pem(private=True))
        async with AsyncClient(agency.public_url, machine.id, pem) as client:
            said = await client.outcome(desk.handles[10], "late", agent=desk.party.agent)
            with pytest.raises(Refused, match="not-found"):
                await client.outcome(UNKNOWN, "present")
    assert (said["attendance"], said["revision"]) == ("late", 1)


# ── fetched ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_outcomes_when_fetched_then_in_order_with_the_controller_s_own_names(agency: Agency) -> None:
    """The scheduler's machine goes on from its cursor, sees a correction as the last, and 304 while nothing is new."""
    machine = await agency.machine(None)
    async with (
        at_work(agency, [10, 11, 12], begins_in=BEGUN) as desk,
        Outsider(agency.public_url, machine.id, machine.key) as scheduler,
    ):
        start = (await scheduler.call("GET", "/v1/outcomes?after=0")).json()["next"]
        for person in (10, 11, 12):
            await say(desk, desk.handles[person])
        first = await scheduler.call("GET", f"/v1/outcomes?after={start}")
        await say(desk, desk.handles[11], "absent")
        then = (await scheduler.call("GET", f"/v1/outcomes?after={first.json()['next']}")).json()
        same = await scheduler.call(
            "GET", f"/v1/outcomes?after={start}", headers={"if-none-match": (await scheduler.call("GET", f"/v1/outcomes?after={start}")).headers["etag"]}
        )  # fmt: skip
        bad = await scheduler.call("GET", "/v1/outcomes?after=-1")
    shown = first.json()["outcomes"]
    assert [item["place_ref"] for item in shown] == ["P10", "P11", "P12"]
    assert {(item["source"], item["session_ref"], item["processor"]) for item in shown} == {
        (f"plan-{desk.party.name}", "S1", desk.party.name)
    }
    assert [(item["place_ref"], item["attendance"], item["revision"]) for item in then["outcomes"]] == [("P11", "absent", 2)]
    assert (same.status_code, same.content, code_of(bad)) == (304, b"", "invalid-request")
    assert "zq089x" not in first.text


async def test_outcomes_when_the_scheduler_is_held_or_its_proof_used_then_refused(agency: Agency) -> None:
    """A stopped machine of the controller's own fetches nothing."""
    machine = await agency.machine(None)
    async with Outsider(agency.public_url, machine.id, machine.key) as scheduler:
        proof = {"dpop": scheduler.proof("GET", "/v1/outcomes", token=scheduler.access_token)}
        answers = [await scheduler.call("GET", "/v1/outcomes", headers=proof) for _ in range(2)]
        await agency.hold("client", machine.id)
        held = await scheduler.call("GET", "/v1/outcomes")
    assert [code_of(answer) for answer in answers] == ["ok", "invalid-proof"]
    assert code_of(held) == "suspended"


async def test_outcomes_when_recorded_by_many_at_once_then_no_cursor_skips_one(agency: Agency) -> None:
    """A reader that goes on from its cursor while others record sees each of them once: numbers are seen in their order."""
    machine = await agency.machine(None)
    async with (
        at_work(agency, range(10, 50), begins_in=BEGUN) as desk,
        Outsider(agency.public_url, machine.id, machine.key) as scheduler,
    ):
        cursor = (await scheduler.call("GET", "/v1/outcomes?after=0")).json()["next"]
        saying = asyncio.gather(*(say(desk, handle) for handle in desk.handles.values()))
        seen: list[str] = []
        for _ in range(400):
            done = saying.done()
            page = (await scheduler.call("GET", f"/v1/outcomes?after={cursor}")).json()
            seen += [item["appointment"] for item in page["outcomes"]]
            cursor = page["next"]
            if done:
                break
        assert {code_of(answer) for answer in await saying} == {"ok"}
    assert sorted(seen) == sorted(desk.handles.values())


# ── forgotten, and past the door ─────────────────────────────────────────────────────────────────────────────────────────────
async def test_outcome_when_thirty_days_are_over_then_it_is_forgotten(agency: Agency) -> None:
    """What has served its time goes; what has not stays."""
    async with at_work(agency, [10, 11], begins_in=BEGUN) as desk:
        await say(desk, desk.handles[10], key="k")
        await say(desk, desk.handles[11])
        await agency.execute(
            "update ecluse.outcome set recorded_at = recorded_at - interval '30 days 1 second' where appointment_id = $1",
            desk.handles[10],
        )
        await agency.execute("update ecluse.outcome_key set kept_at = kept_at - interval '11 minutes'")
        async with agency.connected("ecluse_jobs") as jobs:
            await jobs.fetchval("select ecluse.purge_outcomes()")
        assert await kept(agency, desk) == [(desk.handles[11], "present", 1)]
        assert (await agency.fetch("select count(*) as n from ecluse.outcome_key"))[0]["n"] == 0


@pytest.mark.parametrize(
    "statement",
    [
        "insert into ecluse.outcome select * from ecluse.outcome",
        "update ecluse.outcome set attendance = 'absent'",
        "delete from ecluse.outcome",
        "select from ecluse.outcome_key",
        "select nextval('ecluse.outcome_seq')",
        "select ecluse.purge_outcomes()",
        "select ecluse.settle_outcome('a', 'b', 1, 'dead', '', interval '0')",
    ],
)
async def test_gate_role_when_it_writes_outcomes_past_the_function_then_refused(agency: Agency, statement: str) -> None:
    """Outcomes are written by one function."""
    async with agency.connected("ecluse_app") as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(statement)
