"""Importing schedules into a real database, as the gate's own role."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from plans import csv_file

from ecluse.ids import new_id
from ecluse.ledger import Event
from ecluse.ledger.service import seal_control
from ecluse.schedule import ScheduleContended, ScheduleKindUnknown, ScheduleModeUnknown, pending
from ecluse.schedule.service import ImportApplied, ImportChecked, ImportRefused, ImportReport, import_schedule
from ecluse.schedule.store import SESSION_COLUMNS

pytestmark = pytest.mark.db

DAY = (datetime.now(UTC) + timedelta(days=40)).replace(day=12).date()


def row(world: Any, **changes: str) -> dict[str, str]:
    """Return a lawful row of some weeks ahead, with some cells changed."""
    common = {
        "source": "plan",
        "session_ref": "S1",
        "place_ref": "P1",
        "subject_ref": "ofii:1",
        "purpose": "civic-training",
        "processor": "lyon-formation",
        "site": "lyon-3",
        "room": "A",
        "starts_at": f"{DAY}T09:00",
        "ends_at": f"{DAY}T17:00",
        "agents": world.agents["lyon-formation"],
        "status": "planned",
    }
    return {**common, **changes}


async def send(world: Any, *rows: dict[str, str], **options: Any) -> ImportReport:
    """Import rows."""
    common: dict[str, Any] = {"file_bytes": csv_file(rows), "kind": "csv", "actor": "cli_x", "dry_run": False}
    return await import_schedule(world.pool, **(common | {"register": world.register, "zone": UTC} | options))


async def applied(world: Any, *rows: dict[str, str]) -> ImportApplied:
    """Import rows that must be applied."""
    report = await send(world, *rows)
    assert isinstance(report, ImportApplied), report
    return report


async def places(world: Any) -> list[tuple[Any, ...]]:
    """Return what the gate would find in effect: session, place, subject, cancelled, room, start."""
    rows = await world.owner.fetch(
        """
        select s.session_ref, a.place_ref, a.subject_ref, a.cancelled_at is not null, s.room, s.starts_at
        from ecluse.appointment a join ecluse.session s on s.id = a.session_id
        join ecluse.schedule_import f on f.id = a.import_id and f.applied_at is not null order by 1, 2
        """
    )
    return [tuple(record) for record in rows]


async def count(world: Any, table: str) -> int:
    """Count the rows of a table."""
    value: int = await world.owner.fetchval(f"select count(*) from ecluse.{table}")  # noqa: S608 - names of our own tables
    return value


async def test_another_kind_or_mode_is_refused(world: Any) -> None:
    """Only CSV and JSON, and only deltas and snapshots; what belongs to a snapshot goes with one."""
    with pytest.raises(ScheduleKindUnknown):
        await send(world, row(world), kind="xlsx")
    with pytest.raises(ScheduleModeUnknown):
        await send(world, row(world), mode="walk-in")
    for wrong in ({"confirm": 1}, {"source": "plan"}, {"mode": "snapshot", "confirm": -1}):
        with pytest.raises(ScheduleModeUnknown):
            await send(world, row(world), **wrong)


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"status": "x"}, "status"),
        ({"processor": "nobody", "starts_at": f"{DAY}T09:00:00Z", "ends_at": f"{DAY}T10:00:00Z"}, "processor"),
        ({"subject_ref": "other:1"}, "subject_ref"),
        ({"agents": "agt_aaaaaaaaaaaaaaaaaaaaaaaaaa"}, "agents"),
    ],
)
async def test_one_bad_row_keeps_the_whole_file_out(world: Any, changes: dict[str, str], column: str) -> None:
    """Nothing is written, loaded or sealed for a file with a problem; the report names the row."""
    report = await send(world, row(world, session_ref="S0", room="Z", subject_ref="ofii:9"), row(world, **changes))
    assert isinstance(report, ImportRefused)
    assert [(problem.row, problem.column) for problem in report.findings.problems] == [(3, column)]
    assert len(report.sha256) == 64
    assert (await count(world, "session"), await count(world, "schedule_import"), await count(world, "ledger_entry")) == (0, 0, 6)


async def test_a_dry_run_tells_and_writes_nothing(world: Any) -> None:
    """A dry run has the figures of the real one."""
    report = await send(world, row(world), dry_run=True)
    assert isinstance(report, ImportChecked)
    assert (report.counts.sessions_new, report.counts.places_new) == (1, 1)
    assert (await count(world, "schedule_import"), await count(world, "ledger_entry")) == (0, 6)


async def test_a_first_file_is_applied_and_sealed(world: Any) -> None:
    """Sessions, agents, enrolments and appointments are there, with one control entry that names the file."""
    two = [
        row(world),
        row(world, place_ref="P2", subject_ref="ofii:2"),
        row(world, session_ref="S2", room="B", agents="", course_ref="c9"),
    ]
    report = await applied(world, *two)
    assert [found[:4] for found in await places(world)] == [
        ("S1", "P1", "ofii:1", False),
        ("S1", "P2", "ofii:2", False),
        ("S2", "P1", "ofii:1", False),
    ]
    assert [await count(world, table) for table in ("session", "session_agent", "enrolment", "appointment")] == [2, 1, 3, 3]
    fields = dict(json.loads(await world.owner.fetchval("select fields from ecluse.opening where index = $1", report.index)))
    assert (fields["event"], fields["actor"], fields["object"]) == ("control:schedule:applied", "cli_x", report.import_id)
    digest, salt = await world.owner.fetchrow("select sha256, salt from ecluse.schedule_import where id = $1", report.import_id)
    assert fields["detail"]["file"] == digest == pending.file_digest(salt, report.sha256)
    assert (fields["detail"]["rows"], fields["detail"]["counts"]["places_new"]) == (3, 3)
    assert "ofii:" not in json.dumps(fields)


async def test_json_is_applied_as_well(world: Any) -> None:
    """A JSON body does the same."""
    body = json.dumps({"rows": [{**row(world), "agents": [world.agents["lyon-formation"]]}]}).encode()
    report = await send(world, file_bytes=body, kind="json")
    assert isinstance(report, ImportApplied)
    assert len(await places(world)) == 1


async def test_the_same_file_again_changes_nothing_but_is_sealed(world: Any) -> None:
    """Every import is an entry; a handle stays what it was."""
    first = await applied(world, row(world))
    handle = await world.owner.fetchval("select id from ecluse.appointment")
    again = await applied(world, row(world))
    assert (again.index, again.counts.places_unchanged, again.counts.places_new) == (first.index + 1, 1, 0)
    assert await world.owner.fetchval("select id from ecluse.appointment") == handle


async def test_moves_cancellations_and_reinstatements_take_effect(world: Any) -> None:
    """Each changes what it names, keeps the handle and the enrolment, and is told to the processor."""
    await applied(world, row(world), row(world, place_ref="P2", subject_ref="ofii:2"))
    before = await world.owner.fetch("select id, enrolment_id from ecluse.appointment order by place_ref")
    moved = {"room": "B", "starts_at": f"{DAY}T10:00", "agents": ""}
    await applied(world, row(world, **moved), row(world, place_ref="P2", subject_ref="ofii:2", status="cancelled", **moved))
    assert [found[3:5] for found in await places(world)] == [(False, "B"), (True, "B")]
    assert await count(world, "session_agent") == 0
    await applied(
        world,
        row(world, place_ref="P2", subject_ref="ofii:2", **moved),
        row(world, place_ref="P3", subject_ref="ofii:3", **moved),
    )
    assert [found[3:5] for found in await places(world)] == [(False, "B"), (False, "B"), (False, "B")]
    after = await world.owner.fetch("select id, enrolment_id from ecluse.appointment where place_ref <> 'P3' order by place_ref")
    assert before == after
    kinds = await world.owner.fetch("select kind, appointment_id from ecluse.schedule_change order by seq, ordinal")
    assert [tuple(kind) for kind in kinds] == [
        ("added", None),
        ("moved", None),
        ("cancelled", before[1]["id"]),
        ("reinstated", before[1]["id"]),
        ("added", None),
    ]


async def test_a_subject_keeps_the_enrolment_of_a_course(world: Any) -> None:
    """Two sessions of one course are one enrolment, two courses are two."""
    rows = [row(world, session_ref=f"S{n}", room=f"R{n}", course_ref=course) for n, course in enumerate(("c1", "c1", "c2"))]
    await applied(world, *rows)
    await applied(world, row(world, session_ref="S9", room="R9", course_ref="c1"))
    assert await count(world, "enrolment") == 2


async def test_what_is_kept_bounds_the_next_file(world: Any) -> None:
    """A session of another source takes its share of the site, and its room is warned of."""
    text = await world.owner.fetchval("select text from ecluse.contract where processor_id = 'lyon-formation'")
    await applied(world, row(world))
    report = await applied(world, row(world, source="other", subject_ref="ofii:2", agents=""))
    assert [(problem.row, problem.column) for problem in report.warnings.problems] == [(2, "room")]
    await act(world, "contract", text.replace("rooms = 20", "rooms = 2"))
    refused = await send(world, row(world, source="third", subject_ref="ofii:3"))
    assert isinstance(refused, ImportRefused)
    assert [problem.column for problem in refused.findings.problems] == ["site"]


async def test_a_pending_import_has_no_effect_and_is_cleared_by_the_next(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a crash between loading and sealing leaves is nothing to anybody, and goes with the next import of the source."""

    async def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pending, "seal_control", crash)
        with pytest.raises(KeyboardInterrupt):
            await send(world, row(world))
    assert (await count(world, "appointment"), await places(world)) == (1, [])
    await applied(world, row(world, subject_ref="ofii:5"))
    assert [found[2] for found in await places(world)] == ["ofii:5"]
    assert (await count(world, "appointment"), await count(world, "schedule_import")) == (1, 1)


async def test_a_change_in_between_is_seen_and_planned_again(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unrelated change only costs another look; one that withdraws the contract's site refuses the file."""
    text = await world.owner.fetchval("select text from ecluse.contract where processor_id = 'lyon-formation'")
    real, loads = pending.seal_control, []

    async def other_first(connection: Any, **options: Any) -> Any:
        if options["act"] == "schedule:apply" and not loads:
            loads.append(await world.owner.fetchval("select id from ecluse.schedule_import"))
            await act(world, "hold")
        return await real(connection, **options)

    monkeypatch.setattr(pending, "seal_control", other_first)
    report = await applied(world, row(world))
    assert report.import_id == loads[0]
    assert report.control_seq == 8

    loads.clear()

    async def contract_first(connection: Any, **options: Any) -> Any:
        if options["act"] == "schedule:apply" and not loads:
            loads.append(options["target"])
            await act(world, "contract", text.replace("rooms = 20", "rooms = 1"))
        return await real(connection, **options)

    monkeypatch.setattr(pending, "seal_control", contract_first)
    refused = await send(world, row(world, session_ref="S2", room="B", subject_ref="ofii:2"))
    assert isinstance(refused, ImportRefused)
    assert len(await places(world)) == 1


async def act(world: Any, what: str, text: str = "") -> None:
    """Seal another change: a hold, or a second version of the first contract."""
    body: dict[str, object] = {"version": 2, "reference": "r", "text": text, "hash": "00", "actor": "test"}
    event, name, processor = Event.CONTRACT_APPLIED, "contract:apply", "lyon-formation"
    if what == "hold":
        body = {"id": new_id("hld"), "scope": "client", "scope_id": "cli_y", "effect": "suspend", "reason": "r", "actor": "test"}
        event, name, processor = Event.HOLD_PLACED, "hold:place", ""
    await seal_control(
        world.owner, log_id=1, event=event, act=name, actor="t", target="t", detail={}, body=body, processor=processor or None
    )


async def test_changes_without_end_are_given_up(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After five tries the caller is told; nothing is in effect."""
    real = pending.seal_control

    async def always_first(connection: Any, **options: Any) -> Any:
        await act(world, "hold")
        return await real(connection, **options)

    monkeypatch.setattr(pending, "seal_control", always_first)
    with pytest.raises(ScheduleContended):
        await send(world, row(world))
    assert await places(world) == []


async def test_two_imports_of_one_source_at_once_are_both_whole(world: Any) -> None:
    """Each file is applied whole, or given up; none is applied in part."""
    files = [[row(world, session_ref=f"F{f}S{s}", room=f"R{f}.{s}", subject_ref=f"ofii:{f}") for s in range(6)] for f in range(3)]
    reports = await asyncio.gather(*(send(world, *rows) for rows in files), return_exceptions=True)
    whole = {f"ofii:{f}" for f, report in enumerate(reports) if isinstance(report, ImportApplied)}
    assert all(isinstance(report, ImportApplied | ScheduleContended) for report in reports), reports
    assert whole
    found = [place[2] for place in await places(world)]
    assert {subject: found.count(subject) for subject in found} == dict.fromkeys(whole, 6)


async def test_the_gate_can_not_load_rows_under_an_applied_import(world: Any) -> None:
    """Rows that no control entry saw are refused by the database itself."""
    report = await applied(world, row(world))
    values = (
        new_id("ses"),
        "plan",
        "S9",
        "lyon-formation",
        "civic-training",
        "lyon-3",
        "Z",
        datetime.now(UTC),
        datetime.now(UTC) + timedelta(1),
    )
    async with world.pool.acquire() as connection:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await connection.copy_records_to_table(
                "session", schema_name="ecluse", columns=SESSION_COLUMNS, records=[(*values, report.import_id)]
            )


async def test_twenty_thousand_places_are_imported(world: Any) -> None:
    """A large first file, then the same again, and its wholesale cancellation, go through the role's own time limits."""
    rows = [
        row(
            world,
            session_ref=f"S{n // 25}",
            place_ref=f"P{n}",
            subject_ref=f"ofii:{n}",
            room=f"R{n // 25 % 20}",
            starts_at=f"{DAY + timedelta(days=n // 4000)}T{8 + n // 500 % 8:02}:00",
            ends_at=f"{DAY + timedelta(days=n // 4000)}T{9 + n // 500 % 8:02}:00",
        )
        for n in range(20_000)
    ]
    began = time.perf_counter()
    assert (await applied(world, *rows)).counts.places_new == 20_000
    assert (await applied(world, *rows)).counts.places_unchanged == 20_000
    gone = await applied(world, *({**one, "status": "cancelled"} for one in rows))
    assert gone.counts.places_cancelled == 20_000
    assert time.perf_counter() - began < 60
