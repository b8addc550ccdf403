"""What is erased is in no record; what is held back is shown first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import asyncpg
import pytest

from ecluse.embedded import EmbeddedPostgres
from ecluse.ledger.erase import ask_erasure, erase_due
from ecluse.register import parse_register
from ecluse.usage import Rule
from ecluse.usage.service import defer
from tests.agency import Agency, founded
from tests.e2e.desk import at_work
from tests.invented import register_toml
from tests.usage.portal import disclosures_of, portal_of, record_of

pytestmark = pytest.mark.web

MONTHS = 6


@pytest.fixture
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency of the test's own: its clock goes on by months."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data") as built:
        yield built


async def erase(agency: Agency, after: timedelta) -> None:
    """Let the clock go on, and run a night's batch."""
    await agency.set_clock_offset(agency.offset + after)
    async with agency.connected("ecluse_jobs") as jobs:
        await erase_due(jobs, 1, MONTHS)


async def left(agency: Agency, person: int) -> int:
    """Count the openings that are about a person, in whatever way."""
    async with agency.administered("ledger") as admin:
        count: int = await admin.fetchval("select count(*) from ecluse.opening where strpos(fields, $1) > 0", f'"ofii:{person}"')
    return count


async def test_person_when_erased_on_request_then_no_line_and_no_rule(agency: Agency) -> None:
    """Disclosures, looks and rules of a person who asked are gone; the record is empty, and somebody else's is whole."""
    async with at_work(agency, [60, 61]) as desk, portal_of(agency) as portal:
        await desk.disclose(60)
        await desk.disclose(61)
        await record_of(portal, 60)
        rule = Rule(
            subject="ofii:60",
            processor=desk.party.name,
            purpose=None,
            reason="r",
            legal_basis="l",
            until_at=await agency.now() + timedelta(days=5),
        )
        async with agency.connected("ecluse_app") as app:
            await defer(app, log_id=1, rule=rule, register=parse_register(register_toml()), actor="cli:test")
        async with agency.connected("ecluse_jobs") as jobs:
            await ask_erasure(jobs, subject="ofii:60", reason="asked", actor="cli:test")
        await erase(agency, timedelta(days=3))
        waits = await left(agency, 60)
        await portal.call("POST", "/v1/usage/links", body={"subject": {"register": "ofii", "key": ["60"]}})
        assert len(await agency.fetch("select from ecluse.usage_visit where subject_ref = 'ofii:60'")) == 1
        await erase(agency, timedelta(days=40))
        assert await agency.fetch("select from ecluse.usage_deferral where subject_ref = 'ofii:60'") == []
        assert await agency.fetch("select from ecluse.usage_visit where subject_ref = 'ofii:60'") == []
        gone = await left(agency, 60)
        record, other = await record_of(portal, 60), await disclosures_of(portal, 61)
    assert (waits, gone) == (3, 0)
    assert (record["usages"], record["totalUsages"], len(other)) == ([], 0, 1)


async def test_line_when_its_retention_ends_while_held_back_then_shown_first_and_erased_after(agency: Agency) -> None:
    """A line without a rule goes with its retention; one that is held back stays until it could be seen for a month."""
    async with at_work(agency, [62, 63]) as desk, portal_of(agency) as portal:
        await desk.disclose(62)
        await desk.disclose(63)
        await agency.set_clock_offset(agency.offset + timedelta(days=170))
        end = await agency.now() + timedelta(days=60)
        rule = Rule(subject="ofii:62", processor=desk.party.name, purpose=None, reason="Enquête", legal_basis="l", until_at=end)
        async with agency.connected("ecluse_app") as app:
            await defer(app, log_id=1, rule=rule, register=parse_register(register_toml()), actor="cli:test")
        await erase(agency, timedelta(days=200))
        during = {person: await disclosures_of(portal, person) for person in (62, 63)}
        await erase(agency, timedelta(days=231))
        shown = await disclosures_of(portal, 62)
        await erase(agency, timedelta(days=262))
        after = await disclosures_of(portal, 62)
    assert during == {62: [], 63: []}
    assert [line["hiddenReason"] for line in shown] == ["Enquête (legal basis: l)"]
    assert after == []


async def test_eraser_when_it_reads_rules_itself_then_refused(agency: Agency) -> None:
    """The job that erases by age may not read whose lines are held back."""
    async with agency.connected("ecluse_jobs") as jobs:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await jobs.fetch("select from ecluse.usage_deferral")
