"""What went through the real door is counted exactly, compared with the contracts, and decided again under others."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from ecluse.contracts import parse_contract
from ecluse.flows.errors import NoContract
from ecluse.flows.model import FlowMap, Outcome
from ecluse.flows.service import flow_map, observed, shadow
from ecluse.flows.shadow import Shadow
from tests.agency import Agency
from tests.cli.offices import Office
from tests.e2e.desk import UNKNOWN, Desk, at_work, code_of
from tests.flows.counting import count_flows
from tests.flows.facts import KINDS, ZONE
from tests.invented import GIVEN, contract_text

pytestmark = pytest.mark.e2e

EVER = (date(2000, 1, 1), date(2100, 1, 1))


async def mapped(agency: Agency, processor: str) -> FlowMap:
    """Compare one processor's flows."""
    async with agency.connected("ecluse_reader") as reader:
        return await flow_map(reader, kinds=KINDS, zone=ZONE, processor=processor)


async def tried(agency: Agency, processor: str, **terms: Any) -> Shadow:
    """Decide all that this processor asked for again, under a contract of other terms."""
    now = await agency.now()
    async with agency.connected("ecluse_reader") as reader:
        return await shadow(
            reader,
            parse_contract(contract_text(processor, **terms), KINDS),
            (now - timedelta(days=1), now + timedelta(days=1)),
            ZONE,
        )


async def roll_call(desk: Desk) -> str:
    """Ask for the session's roll-call."""
    session = (await desk.machine.call("GET", "/v1/sessions")).json()["sessions"][0]["id"]
    return code_of(await desk.machine.call("POST", f"/v1/sessions/{session}/sheet", body={"agent": desk.party.agent}))


async def a_morning(desk: Desk) -> None:
    """Let a processor ask for this and that, some of it in vain."""
    for person, names in ((10, ["family_name", "email"]), (11, ["family_name"]), (12, ["birth_date", "email"]), (10, ["phone"])):
        assert code_of(await desk.disclose(person, names)) == "ok"
    assert code_of(await desk.disclose(11, ["entry_date"])) == "attribute-not-contracted"
    assert code_of(await desk.disclose(12, ["entry_date", "family_name"])) == "attribute-not-contracted"
    assert code_of(await desk.machine.disclose(UNKNOWN, desk.party.agent, ["family_name"])) == "not-disclosable"
    assert await roll_call(desk) == "ok"


TERMS: dict[str, Any] = {
    "attributes": {name: form for name, form in GIVEN.items() if name != "entry_date"},
    "sheet": {"family_name": "initial"},
}
"""All that the register maps but the day of entry."""


async def test_numbers_when_counted_then_those_of_the_openings(agency: Agency) -> None:
    """Disclosures, distinct persons, forms and attempts of a morning are what reading each opening's JSON gives."""
    async with at_work(agency, [10, 11, 12], **TERMS) as desk:
        await a_morning(desk)
        await count_flows(agency)
        times: Counter[tuple[str, str]] = Counter()
        persons: dict[str, set[str]] = defaultdict(set)
        tries: Counter[str] = Counter()
        for row in await agency.fetch(
            "select fields from ecluse.opening where processor_id = $1 and disclosure_id is not null", desk.party.name
        ):
            fields = dict(json.loads(row["fields"]))
            for name, form in fields.get("forms", {}).items():
                times[name, form] += 1
                persons[name].add(fields["subject"])
            for reason in fields.get("reasons", []):
                if reason.startswith("attributes:"):
                    tries.update(reason.removeprefix("attributes:").split(","))
        async with agency.connected("ecluse_reader") as reader:
            found = await observed(reader, *EVER)
        fields_found = {one.attribute: one for one in found.fields if one.processor == desk.party.name}
        assert {name: one.persons for name, one in fields_found.items()} == {name: len(some) for name, some in persons.items()}
        assert {name: one.disclosures for name, one in fields_found.items()} == Counter(
            {name: sum(count for (one, _), count in times.items() if one == name) for name in persons}
        )
        assert {name: set(one.forms) for name, one in fields_found.items()} == {
            name: {form for one, form in times if one == name} for name in persons
        }
        assert fields_found["family_name"].forms == {"full": 2, "initial": 3}
        (total,) = [one for one in found.recipients if one.processor == desk.party.name]
        assert (total.disclosures, total.persons) == (7, 3)
        compared = await mapped(agency, desk.party.name)
        assert {one.attribute: one.attempts for one in compared.attempts} == dict(tries) == {"entry_date": 2}
        assert compared.flagged == ()
        assert {(one.attribute, one.roll_call) for one in compared.flows if one.outcome is Outcome.MATCHED} == {
            ("family_name", False), ("email", False), ("birth_date", False), ("phone", False), ("family_name", True),
        }  # fmt: skip


async def test_flow_when_the_contract_is_narrowed_or_passed_by_then_flagged_within_one_fold(agency: Agency) -> None:
    """What was given under an earlier version, and what an administrator sealed past the door, are both flagged by the next fold."""
    async with at_work(agency, [10], **TERMS) as desk:
        assert code_of(await desk.disclose(10, ["email"])) == "ok"
        await count_flows(agency)
        assert (await mapped(agency, desk.party.name)).flagged == ()
        await agency.apply(contract_text(desk.party.name, attributes={"family_name": "full"}))
        await past_the_door(agency, desk.party.name, {"email": "full"})
        await count_flows(agency)
        found = await mapped(agency, desk.party.name)
        flagged = {(one.attribute, one.outcome, one.seen) for one in found.flagged}
        assert flagged == {("email", Outcome.UNDECLARED, ("masked",)), ("email", Outcome.EXCESSIVE, ("full",))}


async def past_the_door(agency: Agency, processor: str, forms: dict[str, str]) -> None:
    """Seal an entry as a database administrator could: head, entry and opening, without the gate."""
    async with agency.administered("ledger") as admin, admin.transaction():
        row = await admin.fetchrow(
            "select fields, subject_ref from ecluse.opening where processor_id = $1 and event = 'disclosure:person:granted' limit 1",
            processor,
        )
        fields = [[name, forms if name == "forms" else value] for name, value in json.loads(row["fields"])]
        index = await admin.fetchval("update ecluse.ledger_head set size = size + 1 where log_id = 1 returning size - 1")
        at = await admin.fetchval("select greatest(last_at, ecluse.clock()) from ecluse.ledger_head where log_id = 1")
        await admin.execute(
            "insert into ecluse.ledger_entry (log_id, index, leaf, sealed_at) values (1, $1, 'forged', $2)", index, at
        )
        await admin.execute(
            "insert into ecluse.opening (log_id, index, sealed_at, event, disclosure_id, processor_id, subject_ref, fields, salts) "
            "values (1, $1, $2, 'disclosure:person:granted', 'dsc_forged', $3, $4, $5, '')",
            index, at, processor, row["subject_ref"], json.dumps(fields),
        )  # fmt: skip


# ── shadow runs ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_shadow_when_of_a_processor_that_is_not_there_then_refused(agency: Agency) -> None:
    """A contract of nobody can't be tried."""
    with pytest.raises(NoContract):
        await tried(agency, "nobody-at-all")


async def test_shadow_when_of_the_contract_in_force_then_nothing_changes(agency: Agency) -> None:
    """Decided again under the very same contract, everything is as it was."""
    async with at_work(agency, [10, 11, 12], **TERMS) as desk:
        await a_morning(desk)
        found = await tried(agency, desk.party.name, **TERMS)
        assert (found.decisions, found.granted, found.still_granted, found.still_refused) == (10, 7, 7, 3)
        assert (found.refused, found.allowed, found.weaker, found.not_scheduled, found.not_replayed) == ((), (), (), (), {})


async def test_shadow_when_of_other_contracts_then_what_each_would_change(agency: Agency) -> None:
    """Fewer attributes refuse who asked for them, more let through who was refused, weaker forms give less, smaller budgets run out."""
    async with at_work(agency, [10, 11, 12], **TERMS) as desk:
        await a_morning(desk)
        name = desk.party.name
        fewer = await tried(
            agency, name, attributes={"family_name": "initial", "birth_date": "age_band"}, sheet={"family_name": "initial"}
        )
        assert Counter({one.reason: one.count for one in fewer.refused}) == {"attributes:email": 2, "attributes:phone": 1}
        assert [(one.attribute, one.before, one.after, one.count) for one in fewer.weaker] == [
            ("family_name", "full", "initial", 1)
        ]
        more = await tried(agency, name, **{**TERMS, "attributes": GIVEN})
        assert (more.refused, sum(one.count for one in more.allowed)) == ((), 2)
        no_sheet = await tried(agency, name, **{**TERMS, "sheet": None})
        assert [(one.reason, one.count) for one in no_sheet.refused] == [("sheet:absent", 3)]
        two_persons = await tried(agency, name, **{**TERMS, "per_day": 2})
        assert [(one.reason, one.count) for one in two_persons.refused] == [
            ("budget:d:processor", 4)
        ]  # the third person, and the roll-call with them
        one_read = await tried(agency, name, **{**TERMS, "reads": 1})
        assert [(one.reason, one.count) for one in one_read.refused] == [("budget:reads", 4)]
        sure = await tried(agency, name, **{**TERMS, "assurance": "authenticated"})
        assert {one.reason for one in sure.refused} == {"assurance:asserted"}
        assert sure.still_granted == 0
        lacking = await tried(agency, name, **{**TERMS, "clauses": ("28.3.a",)})
        assert sum(one.count for one in lacking.refused) == 7
        assert all(one.reason.startswith("gate:contract:clause:missing:") for one in lacking.refused)
        small = await tried(agency, name, **{**TERMS, "capacity": 2})
        assert [(one.reason, one.sessions, one.places) for one in small.not_scheduled] == [
            ("more places than the contract's 2", 1, 3)
        ]
        early = await tried(agency, name, **{**TERMS, "opens_before": "PT0M"})
        assert {one.reason for one in early.refused} == {"window:early"}
        listed = [each for one in fewer.refused for each in one.disclosures]
        assert [each[:4] for each in listed] == ["dsc_"] * 3


async def test_shadow_when_a_place_was_moved_since_then_told_and_not_guessed(agency: Agency) -> None:
    """A session that was moved has another window than it had: what was decided in the old one can't be decided again."""
    async with at_work(agency, [10], **TERMS) as desk:
        assert code_of(await desk.disclose(10, ["family_name"])) == "ok"
        moved = type(desk.meeting)(
            party=desk.party, ref=desk.meeting.ref, persons=desk.meeting.persons, starts_at=desk.meeting.starts_at + timedelta(hours=3),
            ends_at=desk.meeting.ends_at + timedelta(hours=3),
        )  # fmt: skip
        await agency.schedule(moved)
        found = await tried(agency, desk.party.name, **TERMS)
        assert (found.decisions, found.not_replayed) == (1, {"its place was moved or reinstated since": 1})


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def _prepared(agency: Agency) -> str:
    async with at_work(agency, [10, 11, 12], **TERMS) as desk:
        await a_morning(desk)
        return desk.party.name


def test_commands_when_run_then_they_tell_and_exit_as_they_say(agency: Agency, tmp_path: Path) -> None:
    """Fold, show, map, propose, import and shadow run on the installation; problems end with 1; no person is in any answer."""
    processor = asyncio.run(_prepared(agency))
    office = Office(agency.folder)
    said = [json.dumps(office.json("flows", "fold"))]
    shown = office.json("flows", "show", "--processor", processor)
    assert (shown["flagged"], shown["coverage"]["disclosures"]) == (0, 7)
    assert office.run("flows", "show", "--processor", "nobody-here").exit_code == 1
    drawing = tmp_path / "flows.svg"
    told = office.json("flows", "map", "--out", drawing)
    assert {band["target"] for band in told["bands"]} >= {f"processor:{processor}"}
    assert drawing.read_text(encoding="utf-8").startswith("<svg ")
    assert office.run("flows", "map").exit_code == 2
    assert office.json("flows", "propose", processor)["too_few"] == ["civic-training"]
    contract = tmp_path / "less.toml"
    contract.write_text(contract_text(processor, **{**TERMS, "attributes": {"family_name": "full"}}), encoding="utf-8")
    tried_on = office.json("contract", "shadow", contract)
    assert tried_on["refused_by_reason"] == {"attributes:birth_date,email": 1, "attributes:email": 1, "attributes:phone": 1}
    assert "disclosures" not in tried_on["refused"][0]
    assert "dsc_" in json.dumps(office.json("contract", "shadow", contract, "--list"))
    rows = tmp_path / "seen.csv"
    rows.write_text(
        f"source,recipient,attribute,from,until\nmail-gateway,{processor},email,2026-01-01,2026-01-31\n", encoding="utf-8"
    )
    assert office.json("flows", "import", rows)["rows"] == 1
    assert [row["source"] for row in office.json("flows", "show", "--processor", processor)["imported"]] == ["mail-gateway"]
    assert office.json("flows", "import", "--forget", "mail-gateway")["rows"] == 0
    said += [
        office.run("flows", "show", "--processor", processor, "--all").output,
        office.run("contract", "shadow", contract, "--list").output,
    ]
    asyncio.run(agency.apply(contract_text(processor, attributes={"family_name": "full"})))
    flagged = office.run("flows", "show", "--processor", processor)
    assert flagged.exit_code == 1
    assert "undeclared" in flagged.output
    assert "ofii:" not in "".join([*said, flagged.output, json.dumps([shown, told, tried_on])])
