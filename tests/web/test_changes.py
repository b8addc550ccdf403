"""The change feed is whole: whoever goes on from a cursor sees every change once and in order, also while others import."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from ecluse import settings
from ecluse.db import open_pool
from ecluse.register import parse_register
from ecluse.schedule.agenda import MOST_CHANGES
from ecluse.schedule.errors import ScheduleContended
from ecluse.schedule.service import ImportApplied, import_schedule
from tests.agency import Agency, Party
from tests.e2e.desk import at_work, code_of
from tests.e2e.outsider import Outsider
from tests.invented import register_toml

pytestmark = pytest.mark.web

HEADER = "source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status"


async def send(agency: Agency, party: Party, source: str, starts_at: datetime, places: Sequence[tuple[str, int, str]]) -> None:
    """Import places ``(session_ref, person, status)`` of one source, all sessions beginning at the same instant."""
    times = f"{starts_at:%Y-%m-%dT%H:%M:%SZ},{starts_at + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    rows = [
        f"{source},{ref},P{n},ofii:{n},civic-training,{party.name},large,{source}-{ref},{times},,{status}"
        for ref, n, status in places
    ]
    installation = agency.installation
    url = settings.with_user(installation.settings.database.url, "ecluse_app")
    pool = await open_pool(url, installation.passwords("app"), size=1, name="test")
    try:
        for _ in range(20):  # others import, too: the one that is overtaken is sent again
            with suppress(ScheduleContended):
                report = await import_schedule(
                    pool, file_bytes="\n".join([HEADER, *rows]).encode(), kind="csv", actor="cli:test", dry_run=False,
                    register=parse_register(register_toml()), zone=installation.settings.zone,
                )  # fmt: skip
                assert isinstance(report, ImportApplied), report
                return
    finally:
        await pool.close()
    raise AssertionError("overtaken twenty times")


async def page(machine: Outsider, after: str) -> dict[str, Any]:
    """Read one page."""
    answer = await machine.call("GET", f"/v1/changes?after={after}")
    assert code_of(answer) == "ok"
    found: dict[str, Any] = answer.json()
    return found


async def stored(agency: Agency, party: Party) -> list[str]:
    """Return every change of a processor by its cursor, in order."""
    rows = await agency.fetch(
        "select seq, ordinal from ecluse.schedule_change where processor_id = $1 order by seq, ordinal", party.name
    )
    return [f"{row['seq']}-{row['ordinal']}" for row in rows]


@pytest.mark.parametrize("after", ["", "-1", "1", "1-", "01-1", "1-1-1", "9" * 19 + "-1", "1-2147483648", "x"])
async def test_changes_when_the_cursor_is_none_then_refused(agency: Agency, after: str) -> None:
    """Only 0 and what an answer gave are cursors."""
    async with at_work(agency) as desk:
        assert code_of(await desk.machine.call("GET", f"/v1/changes?after={after}")) == "invalid-request"


async def test_changes_when_there_are_many_of_one_import_then_pages_cut_within_it(agency: Agency) -> None:
    """A page holds 500 changes at most; the next goes on inside the same import, and an empty one keeps the cursor."""
    async with at_work(agency, [10]) as desk:
        at = desk.meeting.starts_at
        planned = [(f"M{n % 3}", n, "planned") for n in range(1, 602)]
        await send(agency, desk.party, f"many-{desk.party.name}", at, planned)
        await send(agency, desk.party, f"many-{desk.party.name}", at, [(ref, n, "cancelled") for ref, n, _ in planned])
        first = await page(desk.machine, "0")
        second = await page(desk.machine, first["next"])
        third = await page(desk.machine, second["next"])
        every = await stored(agency, desk.party)
    assert (len(first["changes"]), first["more"], second["more"], third["more"]) == (MOST_CHANGES, True, False, False)
    assert [change["cursor"] for change in (*first["changes"], *second["changes"])] == every
    assert (len(every), third["changes"], third["next"]) == (601 + 3 + 1, [], second["next"])  # and four sessions added


async def test_changes_when_an_import_has_not_committed_then_a_later_one_waits_behind_it(agency: Agency) -> None:
    """Numbers are given under the head's lock, held to the commit: a cursor can't pass over a smaller number that is not seen yet."""
    async with at_work(agency, [10]) as desk, agency.connected() as slow:
        at, source = desk.meeting.starts_at, f"later-{desk.party.name}"
        await send(agency, desk.party, source, at, [("L", 11, "planned")])
        async with slow.transaction():
            early = await slow.fetchval(
                "update ecluse.ledger_head set control_seq = control_seq + 1 where log_id = 1 returning control_seq"
            )
            await slow.execute(
                "insert into ecluse.schedule_change (processor_id, seq, ordinal, kind, session_id, changed_at) "
                "values ($1, $2, 1, 'moved', 'ses_slow', ecluse.clock())",
                desk.party.name,
                early,
            )
            importing = asyncio.ensure_future(send(agency, desk.party, source, at + timedelta(hours=1), [("L", 11, "planned")]))
            done, _ = await asyncio.wait([importing], timeout=0.7)
            meanwhile = await page(desk.machine, "0")
        await importing
        after = await page(desk.machine, meanwhile["next"])
    assert (done, {change["kind"] for change in meanwhile["changes"]}) == (set(), {"added"})
    cursors = [int(change["cursor"].partition("-")[0]) for change in after["changes"]]
    assert (cursors[0], cursors == sorted(cursors), len(cursors)) == (early, True, 2)


async def test_changes_when_read_while_many_import_then_each_is_seen_once(agency: Agency) -> None:
    """Six sources move and cancel at once; a reader that only goes on from its cursor ends with exactly what is stored."""
    async with at_work(agency, [10]) as desk:
        at = desk.meeting.starts_at

        async def move(n: int) -> None:
            source = f"source{n}-{desk.party.name}"
            for turn in range(4):
                status = "cancelled" if turn % 2 else "planned"
                await send(
                    agency, desk.party, source, at + timedelta(hours=turn), [("S", 20 + n, "planned"), ("S", 40 + n, status)]
                )

        importing = asyncio.gather(*(move(n) for n in range(6)))
        cursor, seen = "0", []
        for _ in range(2_000):
            finished = importing.done()
            found = await page(desk.machine, cursor)
            seen += [change["cursor"] for change in found["changes"]]
            cursor = found["next"]
            if finished and not found["changes"]:
                break
        await importing
        every = await stored(agency, desk.party)
    assert seen == every
    assert len(every) == 6 * (1 + 3 + 3) + 1  # added, moved, cancelled and reinstated; the desk's own session added
