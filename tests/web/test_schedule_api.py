"""The controller's changes of the schedule through the HTTP door, and what the processors concerned then may and are told."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ecluse.schedule.pending import file_digest
from tests.agency import Agency, Meeting
from tests.e2e.desk import Desk, at_work, refused, refused_with_receipt
from tests.e2e.outsider import Outsider

pytestmark = pytest.mark.web

COLUMNS = [
    "source",
    "session_ref",
    "place_ref",
    "subject_ref",
    "purpose",
    "processor",
    "site",
    "room",
    "starts_at",
    "ends_at",
    "agents",
    "status",
]


@pytest.fixture
async def scheduler(agency: Agency) -> AsyncIterator[Outsider]:
    """Return the controller's scheduler."""
    machine = await agency.machine(None)
    async with Outsider(agency.public_url, machine.id, machine.key) as office:
        yield office


def rows_of(meeting: Meeting, **changes: str) -> list[dict[str, str]]:
    """Write the rows of a meeting as `Agency.schedule` did, some cells changed."""
    party = meeting.party
    return [
        {
            "source": f"plan-{party.name}", "session_ref": meeting.ref, "place_ref": f"P{n}", "subject_ref": f"ofii:{n}", "purpose": meeting.purpose,
            "processor": party.name, "site": "large", "room": f"room-{meeting.ref}", "starts_at": f"{meeting.starts_at:%Y-%m-%dT%H:%M:%SZ}",
            "ends_at": f"{meeting.ends_at:%Y-%m-%dT%H:%M:%SZ}", "agents": party.agent, "status": "planned", **changes,
        }
        for n in meeting.persons
    ]  # fmt: skip


async def send(office: Outsider, rows: list[dict[str, str]], query: str = "") -> httpx.Response:
    """Send rows as JSON."""
    spread = [{**one, "agents": one["agents"].split()} for one in rows]
    return await office.call("POST", f"/v1/schedule{query}", body={"rows": spread})


async def handles(machine: Outsider) -> list[str]:
    """Return the handles that a processor is shown."""
    sessions = (await machine.call("GET", "/v1/sessions")).json()["sessions"]
    return [place["id"] for session in sessions for place in session["appointments"]]


async def told(machine: Outsider) -> list[str]:
    """Return the kinds of what a processor is told that changed."""
    return [one["kind"] for one in (await machine.call("GET", "/v1/changes?after=0")).json()["changes"]]


async def test_session_when_it_goes_to_another_processor_then_the_old_handle_is_dead_and_the_new_one_lives(
    agency: Agency, scheduler: Outsider
) -> None:
    """One entry; the old processor is told that its own place is cancelled, the new one has the person under another handle."""
    async with at_work(agency, [20, 21]) as old, at_work(agency, [22]) as new:
        assert (await old.disclose(20)).status_code == 200
        size = await agency.size()
        rows = rows_of(old.meeting, processor=new.party.name, agents=new.party.agent)
        refused(await send(scheduler, rows[:1]), "schedule-refused")
        answer = await send(scheduler, rows)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["index"], await agency.size()) == (size, size + 1)
        assert answer.json()["counts"]["places_handed_over"] == 2
        problem = refused_with_receipt(await old.disclose(20), "outside-window")
        assert problem["cancelled"] is True
        refused(await new.machine.disclose(old.handles[20], new.party.agent), "not-disclosable")
        fresh = set(await handles(new.machine)) - set(new.handles.values())
        assert len(fresh) == 2
        assert not fresh & set(old.handles.values())
        seen = [(await new.machine.disclose(handle, new.party.agent)).json()["subject"] for handle in fresh]
        assert len(seen) == 2
        assert await handles(old.machine) == []
        assert await told(old.machine) == ["added", "cancelled", "cancelled"]
        assert await told(new.machine) == ["added", "added"]


async def walk(office: Outsider, desk: Desk, n: int, **changes: Any) -> httpx.Response:
    """Add a person to the desk's session."""
    body = {
        "source": f"plan-{desk.party.name}",
        "session_ref": desk.meeting.ref,
        "place_ref": f"W{n}",
        "subject_ref": f"ofii:{n}",
    }
    return await office.call("POST", "/v1/schedule/walk-ins", body=body | changes)


async def test_walk_ins_when_they_come_together_then_each_may_be_read_and_never_over_capacity(
    agency: Agency, scheduler: Outsider
) -> None:
    """Two places are left for six persons: two or fewer get in at once, never three, and who got in is read by its new handle."""
    async with at_work(agency, [23], capacity=3) as desk:
        refused(await walk(desk.machine, desk, 30), "wrong-role")
        refused(await walk(scheduler, desk, 30, session_ref="other"), "not-found")
        refused(await walk(scheduler, desk, 30, extra=1), "invalid-request")
        refused(await walk(scheduler, desk, 30, place_ref="x" * 70_000), "too-large")
        refused(await walk(scheduler, desk, 30, subject_ref="=1"), "schedule-refused")
        answers = await asyncio.gather(*(walk(scheduler, desk, n) for n in range(30, 36)))
        came = [answer for answer in answers if answer.status_code == 200]
        assert {answer.status_code for answer in answers} <= {200, 422, 503}
        assert len(await handles(desk.machine)) == 1 + len(came) <= 3
        for n in range(36, 40):
            await walk(scheduler, desk, n)
        refused(await walk(scheduler, desk, 41), "schedule-refused")
        placed = await handles(desk.machine)
        assert len(placed) == 3
        for handle in set(placed) - {desk.handles[23]}:
            assert (await desk.machine.disclose(handle, desk.party.agent)).status_code == 200
        assert await told(desk.machine) == ["added"] * 3
        hold, _ = await agency.hold("client", scheduler.client)
        refused(await walk(scheduler, desk, 42), "suspended")
        await agency.release(hold)


async def test_agents_when_substituted_then_told_and_sealed(agency: Agency, scheduler: Outsider) -> None:
    """The session's roster is another one at once; all else is as it was."""
    async with at_work(agency, [24], agents=2) as desk:
        body = {"source": f"plan-{desk.party.name}", "session_ref": desk.meeting.ref, "agents": [desk.party.agents[1]]}
        refused(
            await scheduler.call("POST", "/v1/schedule/substitutions", body=body | {"agents": ["agt_" + "a" * 26]}),
            "schedule-refused",
        )
        refused(await scheduler.call("POST", "/v1/schedule/substitutions", body=body | {"session_ref": "x"}), "not-found")
        size = await agency.size()
        answer = await scheduler.call("POST", "/v1/schedule/substitutions", body=body)
        assert answer.json()["index"] == size
        (entry,) = await agency.openings(since=size)
        assert (entry["event"], entry["detail"]["mode"], entry["actor"]) == (
            "control:schedule:applied",
            "substitution",
            f"client:{scheduler.client}",
        )
        shown = (await desk.disclose(24)).json()
        assert shown["subject"]
        assert await told(desk.machine) == ["added", "moved"]


async def test_file_when_above_the_volume_then_another_client_has_to_approve_it(agency: Agency, scheduler: Outsider) -> None:
    """It waits without effect, is listed, and takes effect by another scheduler's word, once; a processor has no say."""
    second = await agency.machine(None)
    party = await agency.bind(per_day=2)
    meeting = await agency.meeting(party, [40, 41, 42])
    async with (
        Outsider(agency.public_url, second.id, second.key) as other,
        Outsider(agency.public_url, party.machines[0].id, party.machines[0].key) as machine,
    ):
        dry = (await send(scheduler, rows_of(meeting), "?dry_run=true")).json()
        assert (dry["applied"], len(dry["excess"]), dry["request"]) == (False, 1, None)
        size = await agency.size()
        held = (await send(scheduler, rows_of(meeting))).json()
        assert (held["applied"], len(held["excess"]), held["import_id"], await agency.size()) == (False, 1, None, size)
        assert await handles(machine) == []
        listed = (await other.call("GET", "/v1/schedule/requests")).json()["requests"]
        assert [(one["id"], one["sha256"], one["excess"]) for one in listed] == [(held["request"], held["sha256"], 1)]
        path = f"/v1/schedule/requests/{held['request']}/approval"
        refused(await machine.call("POST", path), "wrong-role")
        refused(await machine.call("GET", "/v1/schedule/requests"), "wrong-role")
        refused(await scheduler.call("POST", path), "wrong-role")
        refused(await other.call("POST", path.replace(held["request"], "imp_x")), "not-found")
        done = await other.call("POST", path)
        assert (done.status_code, done.json()["applied"], done.json()["index"]) == (200, True, size), done.text
        (entry,) = await agency.openings(since=size)
        salt = (await agency.fetch("select salt from ecluse.schedule_import where id = $1", held["request"]))[0]["salt"]
        assert entry["detail"]["file"] == file_digest(salt, held["sha256"])
        assert (entry["detail"]["approval"]["requested_by"], entry["actor"]) == (
            f"client:{scheduler.client}",
            f"client:{second.id}",
        )
        assert len(await handles(machine)) == 3
        refused(await other.call("POST", path), "not-found")
        answers = [await machine.disclose(handle, party.agent) for handle in await handles(machine)]
        assert sorted(answer.status_code for answer in answers) == [200, 200, 403], "the budget holds, whoever approved the file"


async def test_snapshot_when_it_cancels_then_the_handle_is_dead_at_once(agency: Agency, scheduler: Outsider) -> None:
    """Refused without the number that the dry run tells; after it the absent person's handle says that it is cancelled."""
    async with at_work(agency, [45, 46]) as desk:
        rows = rows_of(desk.meeting)[:1]
        refused(await send(scheduler, rows, "?mode=snapshot"), "schedule-refused")
        refused(await send(scheduler, rows, "?mode=mirror"), "invalid-request")
        refused(await send(scheduler, rows, "?confirm=1"), "invalid-request")
        dry = (await send(scheduler, rows, "?mode=snapshot&dry_run=true")).json()
        assert dry["confirm"] == 1
        assert (await desk.disclose(46)).status_code == 200
        done = await send(scheduler, rows, f"?mode=snapshot&confirm={dry['confirm']}")
        assert done.status_code == 200, done.text
        assert refused_with_receipt(await desk.disclose(46), "outside-window")["cancelled"] is True
        assert (await desk.disclose(45)).status_code == 200
        assert await told(desk.machine) == ["added", "cancelled"]


def lines(count: int, day: str) -> Iterator[bytes]:
    """Yield a header and ``count`` lawful rows, ten thousand at a time."""
    out = io.StringIO(newline="")
    csv.writer(out).writerow(COLUMNS)
    yield out.getvalue().encode()
    for first in range(0, count, 10_000):
        yield "".join(
            f"flood,S{n // 20},P{n},ofii:{n},civic-training,nobody,large,A,{day}T09:00:00Z,{day}T17:00:00Z,,planned\n"
            for n in range(first, first + 10_000)
        ).encode()


def peak_kib(pid: int) -> int:
    """Return the most memory that a process has ever held, in KiB."""
    (line,) = [one for one in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines() if one.startswith("VmHWM")]
    return int(line.split()[1])


async def test_file_of_ten_million_rows_when_streamed_then_refused_early_and_in_bounded_memory(
    agency: Agency, scheduler: Outsider
) -> None:
    """The gate stops reading at its limit: less than a tenth is taken, nothing is kept, and it serves on."""
    day = (await agency.now() + timedelta(days=30)).date().isoformat()
    taken, before = 0, peak_kib(agency.gates[0].process.pid)

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal taken
        for piece in lines(10_000_000, day):
            taken += len(piece)
            yield piece

    fields = {
        "authorization": f"DPoP {scheduler.access_token}",
        "dpop": scheduler.proof("POST", "/v1/schedule", token=scheduler.access_token),
        "content-type": "text/csv",
    }
    try:
        answer = await scheduler.http.request("POST", "/v1/schedule", content=pieces(), headers=fields)
    except httpx.TransportError:
        pass  # the gate hung up on a body that it does not take
    else:
        refused(answer, "too-large")
    assert taken < 100 * 1024 * 1024
    assert peak_kib(agency.gates[0].process.pid) - before < 400 * 1024
    assert await agency.fetch("select from ecluse.schedule_import where source = 'flood'") == []
    async with at_work(agency, [47]) as desk:
        assert (await desk.disclose(47)).status_code == 200
