"""The counts of a day: small cells merged so that subtraction brings nothing back, sealed once, whoever runs and however often."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse import settings
from ecluse.db import open_pool
from ecluse.ledger.fsck import check_log
from ecluse.register import parse_register
from ecluse.usage import Rule
from ecluse.usage.merge import LEAST, counts_of, merge_small
from ecluse.usage.service import defer, publish_counts, release
from tests.agency import Agency
from tests.e2e.desk import UNKNOWN, at_work, code_of
from tests.invented import register_toml
from tests.usage.portal import portal_of, proven, record_of

cells = st.dictionaries(
    st.tuples(st.sampled_from(["aix", "lyon", "metz", "nice"]), st.none() | st.sampled_from(["civic", "course"])),
    st.integers(1, 40),
    max_size=8,
)


# ── merging ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.unit
@pytest.mark.parametrize(
    ("decisions", "shown", "merged"),
    [
        ({}, {}, 0),
        ({("a", "p"): 9}, {}, None),
        ({("a", "p"): 4, ("b", "p"): 5}, {}, None),
        ({("a", "p"): 5, ("b", "p"): 5}, {}, 10),
        ({("a", "p"): 10}, {("a", "p"): 10}, 0),
        ({("a", "p"): 10, ("b", "p"): 1}, {}, 11),
        ({("a", "p"): 10, ("b", "p"): 1, ("c", "p"): 50}, {("c", "p"): 50}, 11),
        ({("a", "p"): 10, ("b", "p"): 6, ("c", None): 4}, {("a", "p"): 10}, 10),
    ],
)
def test_cells_when_small_then_merged(decisions: dict[Any, int], shown: dict[Any, int], merged: int | None) -> None:
    """Cells under ten go together; if they are under ten together the smallest other goes in, and alone they are only "fewer than ten"."""
    assert merge_small(decisions) == (shown, merged)


@pytest.mark.unit
@given(cells)
def test_cells_when_any_then_none_under_ten_can_be_had(decisions: dict[Any, int]) -> None:
    """Whatever the day: each figure shown is ten or more, they add up to the day, and no merged cell is alone with less than ten."""
    shown, merged = merge_small(decisions)
    assert all(count >= LEAST for count in shown.values())
    assert merged is None or merged == 0 or merged >= LEAST
    assert all(decisions[cell] == count for cell, count in shown.items())
    if merged is None:
        assert shown == {}
        assert sum(decisions.values()) < LEAST
    else:
        assert sum(shown.values()) + merged == sum(decisions.values())


@pytest.mark.unit
def test_detail_when_written_then_in_the_order_of_names() -> None:
    """The sealed form is one and the same for one day's counts, whatever order they came in."""
    one = counts_of("2026-01-05", {("b", "p"): 12, ("a", None): 11, ("a", "p"): 3, ("c", "p"): 9})
    assert one == {
        "cells": [{"decisions": 11, "processor": "a", "purpose": None}, {"decisions": 12, "processor": "b", "purpose": "p"}],
        "day": "2026-01-05",
        "least": 10,
        "merged": 12,
    }


# ── publishing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def publish(agency: Agency, *, by: int = 1) -> int:
    """Publish what is due, by so many processes at once; return how many entries they sealed."""
    installation = agency.installation
    url = settings.with_user(installation.settings.database.url, "ecluse_jobs", installation.secret("db-jobs.password"))
    async with AsyncExitStack() as stack:
        pools = [await open_pool(url, size=1, name="test") for _ in range(by)]
        for pool in pools:
            stack.push_async_callback(pool.close)
        return sum(await asyncio.gather(*(publish_counts(pool, 1) for pool in pools)))


@pytest.mark.web
async def test_day_when_it_is_not_over_then_nothing_is_published(agency: Agency) -> None:
    """Today is not counted."""
    async with at_work(agency, [10]) as desk:
        await desk.disclose(10)
        assert await publish(agency) == 0


@pytest.mark.web
async def test_day_when_over_then_one_entry_whoever_publishes_and_however_often(agency: Agency) -> None:
    """Grants and refusals of the day before by processor and purpose; four processes seal it once, and the next day is empty."""
    async with at_work(agency, range(20, 32), reads=9) as desk, at_work(agency, [40], purpose="language-course") as small:
        for person in range(20, 32):
            assert code_of(await desk.disclose(person)) == "ok"
        assert code_of(await small.disclose(40)) == "ok"
        for _ in range(11):
            assert code_of(await small.machine.disclose(UNKNOWN, small.party.agent)) == "not-disclosable"
        day = (await agency.now()).date()
        others = await agency.fetch(
            "select processor_id, count(*) as n from ecluse.opening where event like 'disclosure:%' and processor_id <> all($1::text[]) group by 1",
            [desk.party.name, small.party.name],
        )
        (seq,) = await agency.fetch("select control_seq from ecluse.ledger_head")
        try:
            await agency.set_clock_offset(agency.offset + timedelta(days=1))
            sealed = await publish(agency, by=4)
            again = await publish(agency, by=2)
            await agency.set_clock_offset(agency.offset + timedelta(days=2))
            empty = await publish(agency)
            async with agency.connected("ecluse_reader") as reader:
                vkey = await reader.fetchval("select vkey from ecluse.ledger_log where id = 1")
                problems = [each.kind for each in (await check_log(reader, 1, vkey)).problems]
        finally:
            await agency.reset_clock()
    (after,) = await agency.fetch("select control_seq from ecluse.ledger_head")
    entries = [entry for entry in await agency.openings() if entry["event"] == "control:counts:published"]
    assert (sealed, again, empty, problems) == (1, 0, 1, [])
    assert seq["control_seq"] == after["control_seq"]
    first, second = (entry["detail"] for entry in entries)
    assert (first["day"], second["day"]) == (day.isoformat(), (day + timedelta(days=1)).isoformat())
    found = {(cell["processor"], cell["purpose"]): cell["decisions"] for cell in first["cells"]}
    assert found[desk.party.name, "civic-training"] == 12
    assert (small.party.name, "language-course") not in found
    assert found.get((small.party.name, None), 11) == 11
    assert sum(found.values()) + first["merged"] == 24 + sum(row["n"] for row in others)
    assert (second["cells"], second["merged"]) == ([], 0)
    assert [set(entry) for entry in entries] == [{"index", "at", "event", "detail"}] * 2


@pytest.mark.web
async def test_ledger_when_it_holds_looks_and_rules_then_whole(agency: Agency) -> None:
    """A check of the whole log finds nothing wrong with any of these entries."""
    async with at_work(agency, [50]) as desk, portal_of(agency) as portal:
        await desk.disclose(50)
        await record_of(portal, 50)
        until = await agency.now() + timedelta(days=1)
        rule = Rule(subject="ofii:50", processor=desk.party.name, purpose=None, reason="r", legal_basis="l", until_at=until)
        async with agency.connected("ecluse_app") as app:
            name, _ = await defer(app, log_id=1, rule=rule, register=parse_register(register_toml()), actor="cli:test")
            await release(app, log_id=1, rule=name, actor="cli:test")
        await proven(portal, 50, 1)
    (log,) = await agency.fetch("select vkey from ecluse.ledger_log where id = 1")
    async with agency.connected("ecluse_reader") as reader:
        report = await check_log(reader, 1, log["vkey"])
    events = {entry["event"] for entry in await agency.openings()}
    # the clock of another test of this module was set back
    assert [problem for problem in report.problems if not problem.kind.value.endswith("-time")] == []
    assert events >= {"usage:person:shown", "control:usage:deferred", "control:usage:released"}


@pytest.mark.web
@pytest.mark.parametrize(
    "fields",
    [
        '[["at","x"],["event","control:counts:published"],["detail",{"day":"2199-01-01"}]]',
        '[["at","x"],["event","control:hold:placed"],["detail",{"day":"2020-01-01"}]]',
        '[["at","x"],["event","control:counts:published"]]',
    ],
)
async def test_note_when_of_a_day_to_come_or_of_something_else_then_nothing_is_sealed(agency: Agency, fields: str) -> None:
    """The function seals counts of days that are over, and nothing else."""
    before = await agency.size()
    async with agency.connected("ecluse_jobs") as jobs:
        note = "select ecluse.note_counts(1::smallint, ecluse.clock(), '\\x00', $1, '\\x00')"
        try:
            assert await jobs.fetchval(note, fields) == 0
        except asyncpg.InvalidParameterValueError:
            assert "hold" in fields
    assert await agency.size() == before
