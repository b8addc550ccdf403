"""The whole schedule on a real database: snapshots, sessions that change hands, walk-ins, substitutes and approvals, each one entry."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from plans import csv_file

from ecluse.ids import new_id
from ecluse.ledger import Event
from ecluse.ledger.errors import ControlRefused
from ecluse.ledger.service import seal_control
from ecluse.schedule import ApprovalOwn, RequestsFull, RequestUnknown, SessionUnknown, service
from ecluse.schedule.pending import file_digest
from ecluse.schedule.reports import Book, ImportApplied, ImportChecked, ImportHeld, ImportRefused, Sender
from ecluse.schedule.service import approve, import_schedule, substitute, waiting, walk_in, withdraw

pytestmark = pytest.mark.db

DAY = (datetime.now(UTC) + timedelta(days=40)).replace(day=12).date()
ANNE, BRUNO = Sender(name="cli:anne"), Sender(name="client:cli_bruno")


def row(world: Any, n: int = 1, **changes: str) -> dict[str, str]:
    """Return a lawful row for subject ``n`` of some weeks ahead, with some cells changed."""
    common = {
        "source": "plan", "session_ref": "S1", "place_ref": f"P{n}", "subject_ref": f"ofii:{n}", "purpose": "civic-training",
        "processor": "lyon-formation", "site": "lyon-3", "room": "A", "starts_at": f"{DAY}T09:00", "ends_at": f"{DAY}T17:00",
        "agents": world.agents["lyon-formation"], "status": "planned",
    }  # fmt: skip
    return {**common, **changes}


def today(world: Any, n: int = 1, **changes: str) -> dict[str, str]:
    """Return a row of a session that begins in an hour."""
    starts = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    return row(
        world, n, starts_at=f"{starts:%Y-%m-%dT%H:%M:%SZ}", ends_at=f"{starts + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}", **changes
    )


def book(world: Any) -> Book:
    """Return where the schedule is kept."""
    return Book(pool=world.pool, register=world.register, zone=UTC)


async def send(world: Any, *rows: dict[str, str], actor: str = "cli:anne", dry_run: bool = False, **options: Any) -> Any:
    """Import rows."""
    return await import_schedule(
        world.pool,
        file_bytes=csv_file(rows),
        kind="csv",
        actor=actor,
        dry_run=dry_run,
        register=world.register,
        zone=UTC,
        **options,
    )


async def changes(world: Any, seq: int) -> list[tuple[str, str]]:
    """Return ``(processor, kind)`` of what one change told."""
    rows = await world.owner.fetch(
        "select processor_id, kind from ecluse.schedule_change where seq = $1 order by 1, ordinal", seq
    )
    return [tuple(one) for one in rows]


async def planned(world: Any) -> dict[str, tuple[str, str]]:
    """Return handle and processor of each place that opens a window, by its subject."""
    rows = await world.owner.fetch(
        "select a.subject_ref, a.id, a.processor_id from ecluse.appointment a join ecluse.schedule_import f on f.id = a.import_id and f.applied_at is not null "
        "where a.cancelled_at is null"
    )
    return {one["subject_ref"]: (one["id"], one["processor_id"]) for one in rows}


async def detail(world: Any, index: int) -> dict[str, Any]:
    """Return an entry's fields, none of which names a person."""
    text = await world.owner.fetchval("select fields from ecluse.opening where index = $1", index)
    assert "ofii:" not in text
    return dict(json.loads(text))


async def amend(world: Any, old: str, new: str) -> None:
    """Apply the next version of the first contract, one text of it changed."""
    found = await world.owner.fetchrow(
        "select text, version from ecluse.contract where processor_id = 'lyon-formation' order by version desc limit 1"
    )
    assert old in found["text"]
    body = {
        "version": found["version"] + 1,
        "reference": "r",
        "text": found["text"].replace(old, new),
        "hash": "00",
        "actor": "test",
    }
    await seal_control(
        world.owner,
        log_id=1,
        event=Event.CONTRACT_APPLIED,
        act="contract:apply",
        actor="t",
        target="t",
        detail={},
        body=body,
        processor="lyon-formation",
    )


async def size(world: Any) -> int:
    """Return how many entries there are."""
    found: int = await world.owner.fetchval("select size from ecluse.ledger_head")
    return found


async def test_snapshot_when_it_cancels_much_then_only_with_its_number(world: Any) -> None:
    """Refused without the number and with another; the dry run tells it; applied it is one entry, told to the processor; then the empty one."""
    for rows in ([row(world, n) for n in range(1, 12)], [row(world, 12, source="other", room="B")]):
        assert isinstance(await send(world, *rows), ImportApplied)
    before = await size(world)
    fewer = [row(world, n) for n in range(1, 10)]
    told = await send(world, *fewer, mode="snapshot", dry_run=True)
    assert isinstance(told, ImportChecked)
    assert (told.confirm, told.counts.places_cancelled) == (2, 2)
    for confirm in (None, 1, 3, 0):
        refused = await send(world, *fewer, mode="snapshot", confirm=confirm)
        assert isinstance(refused, ImportRefused), confirm
    assert await size(world) == before
    assert len(await planned(world)) == 12
    done = await send(world, *fewer, mode="snapshot", confirm=2)
    assert isinstance(done, ImportApplied)
    assert sorted(await planned(world)) == sorted([*(f"ofii:{n}" for n in range(1, 10)), "ofii:12"])
    assert await changes(world, done.control_seq) == [("lyon-formation", "cancelled")] * 2
    assert (await detail(world, done.index))["detail"]["mode"] == "snapshot"
    assert isinstance(await send(world, mode="snapshot"), ImportRefused)
    assert isinstance(await send(world, mode="snapshot", source="plan"), ImportRefused)
    assert isinstance(await send(world, mode="snapshot", source="plan", confirm=9), ImportApplied)
    assert list(await planned(world)) == ["ofii:12"]
    assert isinstance(await send(world, mode="snapshot", source="plan"), ImportRefused)


async def test_session_when_it_goes_to_another_processor_then_one_entry_and_nothing_in_common(world: Any) -> None:
    """The old handles die and the new ones live in one instant; ids are others; both are told; and it may come back."""
    await send(world, row(world, 1), row(world, 2), row(world, 3, session_ref="S2", room="B"))
    before = await planned(world)
    over = {"processor": "nice-langues", "agents": world.agents["nice-langues"]}
    done = await send(world, row(world, 1, **over), row(world, 2, **over, status="cancelled"), row(world, 4, **over))
    assert isinstance(done, ImportApplied)
    assert (
        done.counts.sessions_handed_over,
        done.counts.places_handed_over,
        done.counts.places_cancelled,
        done.counts.places_new,
    ) == (1, 1, 1, 1)
    after = await planned(world)
    assert {subject: where for subject, (_, where) in after.items()} == {
        "ofii:1": "nice-langues",
        "ofii:4": "nice-langues",
        "ofii:3": "lyon-formation",
    }
    assert after["ofii:1"][0] != before["ofii:1"][0]
    assert after["ofii:3"] == before["ofii:3"]
    assert await changes(world, done.control_seq) == [("lyon-formation", "cancelled")] * 2 + [("nice-langues", "added")]
    pairs = await world.owner.fetch(
        "select s.id, array_agg(a.enrolment_id) as enrolments from ecluse.session s join ecluse.appointment a on a.session_id = s.id "
        "where s.session_ref = 'S1' group by 1"
    )
    assert len(pairs) == 2
    assert not set(pairs[0]["enrolments"]) & set(pairs[1]["enrolments"])
    back = await send(world, row(world, 1), row(world, 2, status="cancelled"), row(world, 4))
    assert isinstance(back, ImportApplied)
    third = await planned(world)
    assert third["ofii:1"][1] == "lyon-formation"
    assert third["ofii:1"][0] not in {before["ofii:1"][0], after["ofii:1"][0]}
    again = await send(world, row(world, 1), row(world, 4))
    assert (again.counts.places_unchanged, again.counts.places_new) == (2, 0)
    live = await world.owner.fetchval("select count(*) from ecluse.session where session_ref = 'S1' and handed_over_at is null")
    assert live == 1


async def seated(world: Any, session_ref: str) -> int:
    """Count the planned places in effect of a session."""
    found: int = await world.owner.fetchval(
        "select count(*) from ecluse.appointment a join ecluse.session s on s.id = a.session_id "
        "join ecluse.schedule_import i on i.id = a.import_id and i.applied_at is not null where s.session_ref = $1 and a.cancelled_at is null",
        session_ref,
    )
    return found


async def test_walk_ins_when_many_come_at_once_then_never_over_capacity(world: Any) -> None:
    """Refused before the window and beyond the room; within it each is one entry and told; a snapshot leaves them alone."""
    await amend(world, "max_capacity = 30", "max_capacity = 5")
    await send(world, row(world, 1, session_ref="far"), today(world, 1, session_ref="near", room="B"))
    place = {"source": "plan", "session_ref": "near"}
    with pytest.raises(SessionUnknown):
        await walk_in(book(world), ANNE, source="plan", session_ref="none", place_ref="W", subject_ref="ofii:9")
    early = await walk_in(book(world), ANNE, source="plan", session_ref="far", place_ref="W", subject_ref="ofii:9")
    assert isinstance(early, ImportRefused)
    for wrong in ({"subject_ref": "other:9"}, {"subject_ref": "ofii:1"}, {"subject_ref": "=1"}):
        assert isinstance(await walk_in(book(world), ANNE, place_ref="W", **place, **wrong), ImportRefused)
    found = await asyncio.gather(
        *(walk_in(book(world), ANNE, place_ref=f"W{n}", subject_ref=f"ofii:{n}", **place) for n in range(20, 28)),
        return_exceptions=True,
    )
    done = [one for one in found if isinstance(one, ImportApplied)]
    assert await seated(world, "near") == 1 + len(done) <= 5
    for n in range(30, 40):
        await walk_in(book(world), ANNE, place_ref=f"W{n}", subject_ref=f"ofii:{n}", **place)
    assert await seated(world, "near") == 5
    full = await walk_in(book(world), ANNE, place_ref="W99", subject_ref="ofii:99", **place)
    assert isinstance(full, ImportRefused)
    told = await world.owner.fetch("select kind from ecluse.schedule_change order by seq desc limit 1")
    assert [one["kind"] for one in told] == ["added"]


async def test_walk_in_when_a_snapshot_follows_then_it_stays(world: Any) -> None:
    """The source's file does not know who was added by hand; the entry says that it was."""
    first = today(world, 1)
    await send(world, first)
    done = await walk_in(
        book(world), ANNE, source="plan", session_ref="S1", place_ref="W1", subject_ref="ofii:2", course_ref="c7"
    )
    assert isinstance(done, ImportApplied)
    fields = await detail(world, done.index)
    assert (fields["actor"], fields["detail"]["mode"], fields["detail"]["counts"]["places_new"]) == ("cli:anne", "walk-in", 1)
    assert await changes(world, done.control_seq) == [("lyon-formation", "added")]
    again = await walk_in(
        book(world), ANNE, source="plan", session_ref="S1", place_ref="W1", subject_ref="ofii:2", course_ref="c7"
    )
    assert again.counts.places_unchanged == 1
    assert (await send(world, first, mode="snapshot")).counts.places_cancelled == 0
    assert sorted(await planned(world)) == ["ofii:1", "ofii:2"]


async def test_agents_when_substituted_then_the_roster_is_theirs_and_nothing_else_moves(world: Any) -> None:
    """A foreign agent is refused; another change in between is not undone; the processor is told."""
    await send(world, row(world, 1))
    second = new_id("agt")
    await seal_control(
        world.owner,
        log_id=1,
        event=Event.AGENT_ADDED,
        act="agent:add",
        actor="t",
        target="t",
        detail={},
        body={"id": second, "label": "x"},
        processor="lyon-formation",
    )
    foreign = await substitute(book(world), ANNE, source="plan", session_ref="S1", agents=[world.agents["nice-langues"]])
    assert isinstance(foreign, ImportRefused)
    done = await substitute(book(world), ANNE, source="plan", session_ref="S1", agents=[second])
    assert isinstance(done, ImportApplied)
    assert [one["agent_id"] for one in await world.owner.fetch("select agent_id from ecluse.session_agent")] == [second]
    assert await changes(world, done.control_seq) == [("lyon-formation", "moved")]
    session = await world.owner.fetchrow("select room, starts_at from ecluse.session")
    assert (session["room"], session["starts_at"].date()) == ("A", DAY)
    assert (await detail(world, done.index))["detail"]["mode"] == "substitution"


async def test_file_when_above_the_volume_then_it_waits_for_another_person(world: Any) -> None:
    """It has no effect until another approves it; not its sender, not under another id, not twice."""
    await amend(world, "persons_per_day = 5000", "persons_per_day = 2")
    three = [row(world, n) for n in (1, 2, 3)]
    assert (await send(world, *three, dry_run=True)).excess.total == 1
    before = await size(world)
    held = await send(world, *three)
    assert isinstance(held, ImportHeld)
    assert [(one.row, one.column) for one in held.excess.problems] == [(4, "starts_at")]
    assert (await size(world), await planned(world)) == (before, {})
    async with world.pool.acquire() as connection:
        found = await waiting(connection)
        assert [(one.id, one.sha256, one.requested_by, one.excess) for one in found] == [
            (held.request, held.sha256, "cli:anne", 1)
        ]
        with pytest.raises(ApprovalOwn):
            await approve(book(world), ANNE, held.request)
        for unknown in ("imp_x", new_id("imp"), new_id("apt")):
            with pytest.raises(RequestUnknown):
                await approve(book(world), BRUNO, unknown)
        done = await approve(book(world), BRUNO, held.request)
        assert isinstance(done, ImportApplied)
        fields = await detail(world, done.index)
        salt = await world.owner.fetchval("select salt from ecluse.schedule_import where id = $1", held.request)
        assert (fields["actor"], fields["object"]) == ("client:cli_bruno", held.request)
        assert fields["detail"]["file"] == file_digest(salt, held.sha256)
        said = fields["detail"]["approval"]
        assert (said["requested_by"], said["approver"], said["excess"]) == ("cli:anne", "client:cli_bruno", 1)
        assert len(await planned(world)) == 3
        with pytest.raises(RequestUnknown):
            await approve(book(world), BRUNO, held.request)
        assert await world.owner.fetchval("select count(*) from ecluse.schedule_request") == 0


async def test_file_when_it_waits_then_it_goes_as_it_was_looked_at_or_not_at_all(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not once anything changed, its sender was suspended, it was withdrawn or expired; the database itself wants another person."""
    await amend(world, "persons_per_day = 5000", "persons_per_day = 3")
    await send(world, *(row(world, n) for n in (1, 2, 3)))
    async with world.pool.acquire() as connection:
        changed = await send(world, row(world, 4), row(world, 5, session_ref="S2", room="B"))
        await send(world, row(world, 3, status="cancelled"))  # one excess fewer than was looked at
        refused = await approve(book(world), BRUNO, changed.request)
        assert isinstance(refused, ImportRefused)
        assert [one.why.partition(",")[0] for one in refused.findings.problems] == ["the schedule"]
        assert len(await planned(world)) == 2

        assert isinstance(await send(world, row(world, 3)), ImportApplied)
        bruno = await send(world, row(world, 6), actor="client:cli_bruno")
        await seal_control(
            world.owner, log_id=1, event=Event.HOLD_PLACED, act="hold:place", actor="t", target="t", detail={},
            body={"id": new_id("hld"), "scope": "client", "scope_id": "cli_bruno", "effect": "suspend", "reason": "r", "actor": "t"},
        )  # fmt: skip
        with pytest.raises(RequestUnknown):
            await approve(book(world), ANNE, bruno.request)

        mine = await send(world, row(world, 6))
        for approver, request in (("cli:anne", mine.request), ("cli:other", new_id("imp"))):
            body = {"import": mine.request, "moves": [], "cancels": [], "reinstates": [], "added": [], "handovers": []}
            with pytest.raises(ControlRefused, match="schedule_request_open"):
                await seal_control(
                    connection, log_id=1, event=Event.SCHEDULE_APPLIED, act="schedule:apply", actor=approver, target=mine.request, detail={},
                    body=body | {"approval": {"request": request, "approver": approver}},
                )  # fmt: skip

        taken = await send(world, row(world, 6))
        await withdraw(connection, taken.request)
        with pytest.raises(RequestUnknown):
            await withdraw(connection, taken.request)
        late = await send(world, row(world, 7))
        await world.owner.execute(
            "update ecluse.schedule_request set expires_at = ecluse.clock(), requested_at = ecluse.clock() - interval '1 hour'"
        )
        with pytest.raises(RequestUnknown):
            await approve(book(world), BRUNO, late.request)
        await world.owner.execute("set role ecluse_sealer")
        await world.owner.execute("select ecluse.purge()")
        await world.owner.execute("reset role")
        assert await world.owner.fetchval("select count(*) from ecluse.schedule_request") == 0
        monkeypatch.setattr(service, "REQUESTS_MAX", 0)
        with pytest.raises(RequestsFull):
            await send(world, row(world, 8))
