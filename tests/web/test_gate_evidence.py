"""Promise 10 attacked: a gate without any worker closes on the microsecond its evidence lapses, and no override but that of two people opens it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import asyncpg
import pytest

from ecluse.embedded import EmbeddedPostgres
from ecluse.ledger import Event
from ecluse.ledger.errors import ControlRefused
from ecluse.ledger.fsck import check_log
from ecluse.ledger.service import seal_control
from tests import governed
from tests.agency import Agency, founded
from tests.e2e.desk import UNKNOWN, Desk, at_work, code_of, refused, refused_with_receipt

pytestmark = pytest.mark.web

TICK, HOUR = timedelta(microseconds=1), timedelta(hours=1)
PENTEST: Final = {"pentest": "P12M"}
MISSING, LAPSED = "evidence:missing:pentest", "evidence:lapsed:pentest"


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency whose only gate has no part in signing: no worker runs anywhere."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as built:
        built.start_gate(ledger__sign=False)
        yield built


async def lapse_of(agency: Agency) -> tuple[date, datetime]:
    """Return tomorrow in Paris, and the instant at which what ends with it lapses."""
    zone = agency.installation.settings.zone
    last = (await agency.now()).astimezone(zone).date() + timedelta(days=1)
    return last, datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)


@asynccontextmanager
async def until_tomorrow(agency: Agency, persons: range) -> AsyncIterator[tuple[Desk, datetime]]:
    """A processor whose report ends tomorrow, with a session around that midnight; the clock goes back at the end."""
    last, lapse = await lapse_of(agency)
    today = last - timedelta(days=1)
    begins_in = lapse - HOUR - await agency.now()
    async with at_work(agency, persons, begins_in=begins_in, evidence=PENTEST, opens_before="PT48H") as desk:
        assert refused_with_receipt(await desk.disclose(persons[0]), "gate-frozen")["reasons"] == [MISSING]
        await governed.accept(agency.installation, desk.party.name, reviewed_on=today, ends_on=last)
        try:
            yield desk, lapse
        finally:
            await agency.reset_clock()


async def entries_of(agency: Agency, desk: Desk) -> list[dict[str, Any]]:
    """Return the decisions on a processor, oldest first."""
    return [
        entry
        for entry in await agency.openings()
        if entry.get("processor") == desk.party.name and entry["event"].startswith("disclosure:")
    ]


async def gate_told(desk: Desk) -> tuple[str, list[str]]:
    """Return how a processor's gate stands, as it is told itself."""
    told = (await desk.machine.call("GET", "/v1/whoami")).json()
    return told["gate"], told["gate_reasons"]


# ── evidence ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_evidence_when_it_lapses_with_no_worker_then_refused_from_the_microsecond(agency: Agency) -> None:
    """Granted in the last microsecond of its last day, in an interval that ends there; refused in the next, for that reason, until a newer one is accepted."""
    async with until_tomorrow(agency, range(20, 26)) as (desk, lapse):
        await agency.stop_clock(lapse - TICK)
        before = await agency.size()
        assert code_of(await desk.disclose(20)) == "ok"
        assert (await entries_of(agency, desk))[-1]["interval"][1] == f"{lapse:%Y-%m-%dT%H:%M:%S.%f}Z"
        assert await gate_told(desk) == ("warn", ["evidence:lapses-soon:pentest"])

        await agency.stop_clock(lapse)
        told = refused_with_receipt(await desk.disclose(21), "gate-frozen")
        assert (told["state"], told["reasons"]) == ("frozen", [LAPSED])
        assert (await entries_of(agency, desk))[-1]["reasons"] == [f"gate:{LAPSED}"]
        assert await gate_told(desk) == ("frozen", [LAPSED])
        assert refused(await desk.machine.disclose(UNKNOWN, desk.party.agent), "gate-frozen")["reasons"] == [LAPSED]
        assert await agency.size() == before + 3, "nothing but the three decisions was sealed: nobody closed the gate"

        newer = lapse.astimezone(agency.installation.settings.zone).date()
        await governed.accept(agency.installation, desk.party.name, reviewed_on=newer)
        assert code_of(await desk.disclose(21)) == "ok"
        assert await gate_told(desk) == ("open", [])


async def test_evidence_when_it_lapses_while_a_request_waits_for_the_lock_then_refused(agency: Agency) -> None:
    """A request that was planned under good evidence and reaches the seal after it lapsed is decided again: the sealed reason is the new one."""
    async with until_tomorrow(agency, range(30, 32)) as (desk, lapse):
        await agency.set_clock_offset(lapse - timedelta(seconds=2) - datetime.now(UTC))
        async with agency.connected() as holder, holder.transaction():
            await holder.execute("select from ecluse.ledger_head where log_id = 1 for update")
            request = asyncio.create_task(desk.disclose(30))
            await _waits_for_a_lock(agency)
            assert await agency.now() < lapse, "the machine is too slow for this test"
            await asyncio.sleep(2.1)
        answer = await request
        assert refused(answer, "gate-frozen")["reasons"] == [LAPSED]
        decided = (await entries_of(agency, desk))[-1]
        assert (decided["event"], decided["reasons"]) == ("disclosure:person:refused", [f"gate:{LAPSED}"])
        assert decided["at"] >= f"{lapse:%Y-%m-%dT%H:%M:%S.%f}Z"


async def _waits_for_a_lock(agency: Agency) -> None:
    """Return once a gate waits for somebody's lock."""
    async with agency.administered("ledger") as watcher:
        for _ in range(200):
            if await watcher.fetchval(
                "select count(*) from pg_stat_activity where application_name = 'ecluse-gate' and wait_event_type = 'Lock'"
            ):
                return
            await asyncio.sleep(0.01)
    raise AssertionError("no gate waits")


async def test_evidence_when_only_handed_in_or_withdrawn_then_it_counts_for_nothing(agency: Agency) -> None:
    """No document counts by itself; one that is withdrawn stops counting with the next decision, in every gate."""
    today = (await agency.now()).date() - timedelta(days=1)
    async with at_work(agency, range(40, 43), evidence=PENTEST) as desk:
        await governed.hand_in(agency.installation, desk.party.name, reviewed_on=today)
        assert refused(await desk.disclose(40), "gate-frozen")["reasons"] == [MISSING]
        evidence = await governed.accept(agency.installation, desk.party.name, reviewed_on=today)
        assert code_of(await desk.disclose(40)) == "ok"
        await governed.withdraw(agency.installation, evidence)
        assert refused(await desk.disclose(41), "gate-frozen")["reasons"] == [LAPSED]


async def test_sub_processor_when_the_processors_own_list_names_another_then_frozen(agency: Agency) -> None:
    """What a processor says of itself counts against it, too."""
    today = (await agency.now()).date() - timedelta(days=1)
    async with at_work(agency, [44]) as desk:
        listed = await governed.accept(
            agency.installation, desk.party.name, kind="sub-processor-list", reviewed_on=today, sub_processors=(governed.HOSTING,)
        )
        assert refused(await desk.disclose(44), "gate-frozen")["reasons"] == [f"sub-processor:undeclared:{listed}"]


# ── findings ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_finding_when_past_its_due_day_then_frozen_until_closed(agency: Agency) -> None:
    """A grave finding warns while its day lasts, freezes from the next, and opens the gate when it is closed."""
    last, lapse = await lapse_of(agency)
    async with at_work(agency, range(50, 53), begins_in=lapse - HOUR - await agency.now(), opens_before="PT48H") as desk:
        finding = await governed.find(agency.installation, desk.party.name, due_on=last)
        try:
            assert await gate_told(desk) == ("warn", [f"finding:due-soon:{finding}"])
            await agency.stop_clock(lapse - TICK)
            assert code_of(await desk.disclose(50)) == "ok"
            await agency.stop_clock(lapse)
            assert refused(await desk.disclose(51), "gate-frozen")["reasons"] == [f"finding:overdue:{finding}"]
            await governed.close(agency.installation, finding)
            assert code_of(await desk.disclose(51)) == "ok"
        finally:
            await agency.reset_clock()


# ── overrides ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_override_when_one_person_alone_tries_everything_then_nothing_is_lifted(agency: Agency) -> None:
    """Asked and not approved; approved by who asked, past the use case; written into the table by the gate's own role: none of it opens the gate."""
    async with at_work(agency, [60], evidence=PENTEST) as desk:
        override = await governed.ask(agency.installation, desk.party.name, MISSING)
        refused(await desk.disclose(60), "gate-frozen")
        body = {"id": override, "hours": 24, "reasons": [MISSING], "actor": governed.ASKER}
        async with governed.as_app(agency.installation) as app:
            with pytest.raises(ControlRefused):
                await seal_control(
                    app, log_id=1, event=Event.OVERRIDE_APPROVED, act="override:approve", actor=governed.ASKER, target=override,
                    processor=desk.party.name, detail={"asked_by": governed.ASKER, "hours": 24, "id": override, "reasons": [MISSING]}, body=body,
                )  # fmt: skip
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(
                    "update ecluse.gate_override set approved_by = 'cli:dpo', approved_at = now() where id = $1", override
                )
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(
                    "insert into ecluse.gate_override (id, processor_id, reasons, why, hours, asked_by, approved_by, approved_at) "
                    "values ('ovr_x', $1, $2, 'x', 72, 'cli:a', 'cli:b', now())",
                    desk.party.name,
                    [MISSING],
                )
        assert refused(await desk.disclose(60), "gate-frozen")["reasons"] == [MISSING]


async def test_override_when_two_people_agree_then_lifted_for_its_hours_and_no_longer(agency: Agency) -> None:
    """Granted from the approval on, in an interval that ends with it; refused again to the microsecond, and at once when revoked."""
    async with at_work(agency, range(62, 68), evidence=PENTEST, begins_in=2 * HOUR) as desk:
        override = await governed.ask(agency.installation, desk.party.name, MISSING, hours=2)
        await governed.approve(agency.installation, override)
        (row,) = await agency.fetch(
            "select approved_at + interval '2 h' as until from ecluse.gate_override where id = $1", override
        )
        assert code_of(await desk.disclose(62)) == "ok"
        assert (await entries_of(agency, desk))[-1]["interval"][1] == f"{row['until']:%Y-%m-%dT%H:%M:%S.%f}Z"
        assert await gate_told(desk) == ("warn", [f"override:{override}", MISSING])
        try:
            await agency.stop_clock(row["until"] - TICK)
            assert code_of(await desk.disclose(63)) == "ok"
            await agency.stop_clock(row["until"])
            assert refused(await desk.disclose(64), "gate-frozen")["reasons"] == [MISSING]
        finally:
            await agency.reset_clock()
        assert code_of(await desk.disclose(64)) == "ok"
        await governed.revoke(agency.installation, override)
        assert refused(await desk.disclose(65), "gate-frozen")["reasons"] == [MISSING]


async def test_override_when_written_past_the_door_then_fsck_says_so(agency: Agency) -> None:
    """The administrator of the database can write a row that lifts; that no entry approved it is found."""
    async with at_work(agency, [69], evidence=PENTEST) as desk, agency.administered("ledger") as conn:
        vkey = await conn.fetchval("select vkey from ecluse.ledger_log")
        before = {problem.kind for problem in (await check_log(conn, 1, vkey)).problems}  # other tests turned the clock back
        transaction = conn.transaction(isolation="repeatable_read")
        await transaction.start()
        await conn.execute(
            "insert into ecluse.gate_override (id, processor_id, reasons, why, hours, asked_by, approved_by, approved_at) "
            "values ('ovr_x', $1, $2, 'x', 72, 'cli:a', 'cli:b', now())",
            desk.party.name,
            [MISSING],
        )
        report = await check_log(conn, 1, vkey)
        await transaction.rollback()
    assert "override-other" not in before
    assert {problem.kind for problem in report.problems} - before == {"override-other"}
