"""The sandbox goes through the same door, and never meets a real person: tried from both sides, also with rows that nobody should have written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import asyncpg
import pytest
from joserfc.jwk import ECKey

from ecluse import settings
from ecluse.db import open_pool
from ecluse.identity import parse_public_jwk
from ecluse.outcomes.model import Attendance
from ecluse.register import parse_register
from ecluse.sandbox import NEIGHBOUR, PROCESSOR, SYSTEM
from ecluse.sandbox.model import Sandbox, Trial
from ecluse.sandbox.people import ABSENT, COUNT
from ecluse.sandbox.service import Site, create_sandbox, remove_sandbox
from ecluse.schedule.reports import ImportRefused
from ecluse.schedule.service import import_schedule
from tests.agency import Agency
from tests.e2e.desk import at_work, code_of
from tests.e2e.outsider import Outsider, check_receipt
from tests.invented import GIVEN, MARK, register_toml

pytestmark = pytest.mark.web

T = TypeVar("T")


async def on_site(agency: Agency, work: Callable[[Site], Awaitable[T]]) -> T:
    """Do what an operator's command does."""
    installation = agency.installation
    url = settings.with_user(installation.settings.database.url, "ecluse_app")
    pool = await open_pool(url, installation.passwords("app"), size=1, name="test")
    try:
        register = parse_register(register_toml())
        return await work(Site(pool=pool, register=register, zone=installation.settings.zone, actor="cli:test", log_id=1))
    finally:
        await pool.close()


async def create(agency: Agency, key: ECKey, *, days: int = 2) -> Sandbox:
    """Make the sandbox, or renew it."""
    public, now = parse_public_jwk(key.as_dict(private=False)), await agency.now()
    return await on_site(agency, lambda site: create_sandbox(site, public, now=now, days=days))


@pytest.fixture(scope="module")
def key() -> ECKey:
    """The sandbox client's key."""
    return ECKey.generate_key("P-256")


@pytest.fixture
async def made(agency: Agency, key: ECKey) -> Sandbox:
    """A sandbox, made by whichever test comes first and renewed by the others."""
    return await create(agency, key)


@pytest.fixture
async def machine(agency: Agency, made: Sandbox, key: ECKey) -> AsyncIterator[Outsider]:
    """The sandbox's client with a token."""
    async with Outsider(agency.public_url, made.client, key) as one:
        yield one


def named(made: Sandbox, what: str) -> Trial:
    """Return a trial by a part of its words."""
    (trial,) = [trial for trial in made.trials if what in trial.what]
    return trial


# ── both sides ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_sandbox_when_it_asks_for_a_real_place_then_as_for_an_unknown_handle(
    agency: Agency, made: Sandbox, machine: Outsider
) -> None:
    """A real processor's handle is foreign to the sandbox: person, roll-call and outcome alike."""
    async with at_work(agency, [10], begins_in=timedelta(minutes=-10)) as desk:
        real = desk.handles[10]
        answer = await machine.disclose(real, made.agents[0])
        outcome = await machine.call("POST", f"/v1/appointments/{real}/outcome", body={"attendance": "present"})
        (session,) = [item["id"] for item in (await desk.machine.call("GET", "/v1/sessions")).json()["sessions"]]
        sheet = await machine.call("POST", f"/v1/sessions/{session}/sheet", body={"agent": made.agents[0]})
    assert [code_of(one) for one in (answer, outcome, sheet)] == ["not-disclosable", "not-found", "not-found"]
    assert MARK not in answer.text


async def test_processor_when_it_asks_for_an_invented_person_then_as_for_an_unknown_handle(agency: Agency, made: Sandbox) -> None:
    """A handle of the sandbox is foreign to every real processor."""
    async with at_work(agency, [10]) as desk:
        answers = [await desk.machine.disclose(trial.handle, desk.party.agent) for trial in made.trials]
    assert {code_of(answer) for answer in answers} == {"not-disclosable"}


@pytest.mark.parametrize(("processor", "subject"), [(PROCESSOR, "ofii:10"), (NEIGHBOUR, "ofii:10"), ("real", f"{SYSTEM}:1")])
async def test_row_when_it_would_mix_them_then_the_schema_refuses(
    agency: Agency, made: Sandbox, processor: str, subject: str
) -> None:
    """Not even the owner can give the sandbox a real person, or a real processor an invented one."""
    assert made.trials
    async with at_work(agency, [10]) as desk:
        owner = desk.party.name if processor == "real" else processor
        for table in ("appointment", "enrolment"):
            with pytest.raises(asyncpg.CheckViolationError, match=f"{table}_sandbox_ck"):
                await agency.execute(f"update ecluse.{table} set subject_ref = $2 where processor_id = $1", owner, subject)  # noqa: S608 - our own words


async def test_door_when_such_rows_are_there_all_the_same_then_nobody_is_read(
    agency: Agency, made: Sandbox, machine: Outsider
) -> None:
    """With the schema's checks taken away, the door still reads each processor's people where they belong: what is elsewhere is not there."""
    trial = named(made, "under way")
    drop = "alter table ecluse.appointment drop constraint appointment_sandbox_ck"
    add = (
        "alter table ecluse.appointment add constraint appointment_sandbox_ck "
        "check ((processor_id in ('sandbox', 'sandbox-neighbour')) = starts_with(subject_ref, 'ecluse.sandbox:'))"
    )
    set_ref = "update ecluse.appointment set subject_ref = $2 where id = $1"
    async with at_work(agency, [10, 11]) as desk:
        real = desk.handles[10]
        before = (await agency.fetch("select subject_ref from ecluse.appointment where id = $1", trial.handle))[0]["subject_ref"]
        await agency.execute(drop)
        try:
            await agency.execute(set_ref, trial.handle, "ofii:10")
            await agency.execute(set_ref, real, before)
            invented, person = await machine.disclose(trial.handle, trial.agent), await desk.disclose(10)
            neighbour_in_the_batch = await desk.disclose(11)
        finally:
            await agency.execute(set_ref, trial.handle, before)
            await agency.execute(set_ref, real, "ofii:10")
            await agency.execute(add)
    assert [code_of(one) for one in (invented, person, neighbour_in_the_batch)] == ["undetermined", "undetermined", "ok"]
    assert MARK not in invented.text
    assert "Exemple" not in person.text


@pytest.mark.parametrize("subject", ["ofii:10", f"{SYSTEM}:1"])
async def test_schedule_when_the_controller_s_file_names_the_sandbox_then_refused_by_row(
    agency: Agency, made: Sandbox, subject: str
) -> None:
    """The real schedule can put nobody into the sandbox, and no invented person anywhere."""
    text = (
        "source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status\n"
        f"agenda,S1,P1,{subject},sandbox-open,{PROCESSOR},sandbox,r,2099-01-05T09:00:00Z,2099-01-05T10:00:00Z,,planned"
    )
    assert made.trials

    async def work(site: Site) -> object:
        return await import_schedule(
            site.pool,
            file_bytes=text.encode(),
            kind="csv",
            actor="cli:test",
            dry_run=False,
            register=site.register,
            zone=site.zone,
        )

    report = await on_site(agency, work)
    assert isinstance(report, ImportRefused)


async def test_counts_when_the_sandbox_is_busy_then_those_of_real_persons_stand_still(
    agency: Agency, made: Sandbox, machine: Outsider
) -> None:
    """Whoever counts persons reached or outcomes said counts nobody of the sandbox: its references are of a system of their own."""
    reached = (
        "select count(distinct subject_ref) as n from ecluse.opening "
        "where event like 'disclosure:%' and not starts_with(subject_ref, 'ecluse.sandbox:')"
    )
    fed = "select count(*) as n from ecluse.outcome_feed"
    before = [(await agency.fetch(statement))[0]["n"] for statement in (reached, fed)]
    trial = named(made, "under way")
    assert code_of(await machine.disclose(trial.handle, trial.agent)) == "ok"
    said = await machine.call("POST", f"/v1/appointments/{trial.handle}/outcome", body={"attendance": Attendance.PRESENT.value})
    assert code_of(said) == "ok"
    assert [(await agency.fetch(statement))[0]["n"] for statement in (reached, fed)] == before
    refs = await agency.fetch(
        "select distinct subject_ref from ecluse.opening where processor_id = $1 and event like '%:granted'", PROCESSOR
    )
    assert {row["subject_ref"].partition(":")[0] for row in refs} == {SYSTEM}


# ── what to try ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_trials_when_tried_then_each_is_answered_as_announced(made: Sandbox, machine: Outsider) -> None:
    """Every refusal that can be provoked is provoked; what is granted carries a receipt like any other."""
    found = {}
    for trial in made.trials:
        answer = await machine.disclose(trial.handle, trial.agent)
        if trial.expect == "budget-spent":  # the first one is free, unless a test before has had it
            answer = await machine.disclose(trial.handle, trial.agent)
        found[trial.what] = "granted" if code_of(answer) == "ok" else code_of(answer)
        check_receipt(answer.json())
    assert found == {trial.what: trial.expect for trial in made.trials}


async def test_people_when_disclosed_then_in_their_scripts_and_forms(agency: Agency, made: Sandbox, machine: Outsider) -> None:
    """Every person of the open session is given in the contract's forms, one-letter names and missing values included."""
    open_ref = (
        await agency.fetch(
            "select s.session_ref from ecluse.appointment a join ecluse.session s on s.id = a.session_id where a.id = $1",
            named(made, "under way").handle,
        )
    )[0]["session_ref"]
    places = await agency.fetch(
        "select a.place_ref, a.id from ecluse.appointment a join ecluse.session s on s.id = a.session_id "
        "where s.session_ref = $1 and a.processor_id = $2",
        open_ref,
        PROCESSOR,
    )
    handles = {int(row["place_ref"][1:]): row["id"] for row in places}
    assert set(handles) == {*range(1, COUNT + 1), ABSENT}
    people = {}
    for number in range(1, COUNT + 1):
        answer = await machine.disclose(handles[number], made.agents[0], list(GIVEN))
        assert code_of(answer) == "ok"
        people[number] = answer.json()["subject"]
    assert people[2]["family_name"] == "الخطيب"
    assert (people[1]["birth_date"], people[1]["phone"]) == (1971, "***01")
    assert people[10]["given_name"] is None
    assert set(people[COUNT].values()) == {None}


async def test_sheet_and_level_when_of_a_course_then_given_and_taken(agency: Agency, made: Sandbox, machine: Outsider) -> None:
    """The day's sessions have a roll-call and are a course, so a level may be said of them."""
    sessions = (await machine.call("GET", "/v1/sessions")).json()["sessions"]
    course = [item for item in sessions if item["purpose"] == "sandbox-day"]
    assert course
    try:
        await agency.execute("update ecluse.ledger_head set last_at = '-infinity'")
        rows = await agency.fetch("select starts_at from ecluse.session where id = $1", course[0]["id"])
        await agency.stop_clock(rows[0]["starts_at"])
        sheet = await machine.call("POST", f"/v1/sessions/{course[0]['id']}/sheet", body={"agent": made.agents[0]})
        path = f"/v1/appointments/{course[0]['appointments'][0]['id']}/outcome"
        said = await machine.call("POST", path, body={"attendance": "present", "level": "B1"})
    finally:
        await agency.reset_clock()
    assert (code_of(sheet), len(sheet.json()["disclosures"])) == ("ok", 8)
    assert code_of(said) == "ok"


async def test_changes_when_read_then_the_moved_and_the_cancelled_place_are_there(machine: Outsider) -> None:
    """The change feed has something to show."""
    kinds = {item["kind"] for item in (await machine.call("GET", "/v1/changes?after=0")).json()["changes"]}
    assert {"moved", "cancelled"} <= kinds


# ── again, and away ──────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_sandbox_when_made_again_then_what_is_there_is_kept(agency: Agency, made: Sandbox, key: ECKey) -> None:
    """The same client, agents and handles; further days are added."""
    again = await create(agency, key, days=3)
    assert (again.client, again.agents) == (made.client, made.agents)
    assert named(again, "under way").handle == named(made, "under way").handle


async def test_sandbox_when_removed_then_nothing_of_it_opens_and_made_anew_it_does(
    agency: Agency, made: Sandbox, key: ECKey
) -> None:
    """Its keys are revoked, its processors suspended, its people forgotten; a new key makes it live again."""
    async with Outsider(agency.public_url, made.client, key) as machine:
        trial = named(made, "under way")
        gone = await on_site(agency, remove_sandbox)
        after = await machine.disclose(trial.handle, trial.agent)
    assert (gone.people, gone.keys >= 1, code_of(after)) == (COUNT, True, "suspended")
    assert (await agency.fetch("select count(*) as n from ecluse.sandbox_person"))[0]["n"] == 0
    fresh = ECKey.generate_key("P-256")
    anew = await create(agency, fresh)
    async with Outsider(agency.public_url, anew.client, fresh) as machine:
        trial = named(anew, "under way")
        assert code_of(await machine.disclose(trial.handle, trial.agent)) == "ok"
    await create(agency, key)
