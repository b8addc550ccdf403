"""The whole installation: disclosed through the door, asked for at the command line, forgotten while the gate goes on; what was handed out still verifies."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from ecluse.embedded import EmbeddedPostgres
from ecluse.ledger.tree import root_of
from tests.agency import Agency, founded
from tests.cli.offices import Office
from tests.e2e.desk import Desk, at_work, code_of
from tests.e2e.outsider import check_receipt
from tests.invented import MARK, PHONE_MARK

pytestmark = pytest.mark.e2e

PEOPLE = (10, 11, 12, 13)
MONTH = timedelta(days=40)


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """Found an agency with one gate, of this module's own: its clock moves on by months."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data") as built:
        yield built


async def command(agency: Agency, *words: str, **how: Any) -> Any:
    """Run a command of the line beside the gate, and return its object."""
    return await asyncio.to_thread(Office(agency.folder).json, *words, **how)


async def leaf_hashes(agency: Agency, at_least: int) -> tuple[list[bytes], bytes]:
    """Return the log's leaf hashes from its public tile, and the root of its public checkpoint: what any stranger reads."""
    async with httpx.AsyncClient(base_url=agency.public_url) as anyone:
        for _ in range(100):
            _, size, root = (await anyone.get("/ledger/main/checkpoint")).text.split("\n")[:3]
            if int(size) > at_least:
                break
            await asyncio.sleep(0.1)
        raw = (await anyone.get(f"/ledger/main/tile/0/000.p/{size}")).content
    return [raw[at : at + 32] for at in range(0, len(raw), 32)], base64.b64decode(root)


async def test_request_when_no_subject_of_the_register_then_refused_and_not_repeated(agency: Agency) -> None:
    """A misspelt reference would be nobody's; the text is a person's all the same."""
    result = await asyncio.to_thread(Office(agency.folder).run, "erase", "request", "-", "--reason", "r", stdin="other:77\n")
    assert (result.exit_code, "77" in result.output) == (1, False)
    assert "is not a subject_ref of this register" in result.output
    refused = await command(agency, "erase", "withdraw", "ers_" + "a" * 26, code=1)
    assert "none that could be taken back" in refused["error"]["message"]
    assert (await command(agency, "erase", "run", "--yes"))["openings"] == 0


async def test_person_when_asked_for_then_forgotten_while_the_gate_goes_on(agency: Agency) -> None:
    """From the first disclosure to the last: waits while something is under way, then gone, with others served in the same seconds."""
    async with at_work(agency, PEOPLE, sheet={"family_name": "full"}) as desk:
        answers = [(await desk.disclose(person)).json() for person in PEOPLE]
        sheet = f"/v1/sessions/{(await desk.machine.call('GET', '/v1/sessions')).json()['sessions'][0]['id']}/sheet"
        listed = await desk.machine.call("POST", sheet, body={"agent": desk.party.agent})
        assert len(listed.json()["disclosures"]) == len(PEOPLE), listed.text
        asked = await command(agency, "erase", "request", "-", "--reason", "asked in writing", stdin="ofii:10\n")
        assert asked["waits_for"] == "appointment"
        again = await asyncio.to_thread(Office(agency.folder).run, "erase", "request", "ofii:10", "--reason", "twice")
        assert again.exit_code == 1
        assert (await command(agency, "erase", "run", "--yes")) == {"openings": 0, "batches": [], "waiting": 1}
        before, root = await leaf_hashes(agency, answers[-1]["receipt"]["index"])
        assert root_of(before) == root

        agency.offset += MONTH
        await agency.set_clock_offset(agency.offset)
        meeting = await agency.meeting(desk.party, (20, 21), ref="S2")
        handles = await agency.schedule(meeting)
        later = Desk(party=desk.party, meeting=meeting, handles=handles, machine=desk.machine)
        done, served = await asyncio.gather(command(agency, "erase", "run", "--yes"), _serve(later))
        assert set(served) == {"ok"}
        assert (done["openings"], len(done["batches"]), done["waiting"]) == (2, 1, 0)
        assert await _naming(agency, 10) == {}
        assert set(await _naming(agency, 11)) >= {"opening", "appointment"}
        assert code_of(await desk.disclose(10)) == "not-disclosable"
        await _check_receipts(agency, answers, before)
    status = await command(agency, "erase", "status")
    assert (status["requests"], status["batches"][0]["openings"]) == ([], 2)
    assert status["batches"][0]["complete"] > status["batches"][0]["done"]
    checked = await asyncio.to_thread(Office(agency.folder).run, "ledger", "fsck", "--json")
    assert checked.exit_code == 0, checked.output
    written = agency.gates[0].log.read_text(encoding="utf-8")
    assert [word for word in ("ofii:10", MARK, PHONE_MARK, "asked in writing") if word in written] == []


async def _serve(desk: Desk) -> list[str]:
    """Disclose to and fro, for as long as an erasure takes."""
    codes = []
    for number in range(8):
        codes.append(code_of(await desk.disclose((20, 21)[number % 2])))
        await asyncio.sleep(0.1)
    return codes


async def _naming(agency: Agency, person: int) -> dict[str, int]:
    """Count the rows that still name a person, by table."""
    async with agency.connected() as owner:
        names = await owner.fetch(
            "select relname from pg_class where relnamespace = 'ecluse'::regnamespace and relkind in ('r', 'p') and not relispartition"
        )
        found = {}
        for name in [row["relname"] for row in names]:
            count = await owner.fetchval(f"select count(*) from ecluse.\"{name}\" t where t::text ~ 'ofii:{person}([^0-9]|$)'")  # noqa: S608
            if count:
                found[name] = count
    return found


async def _check_receipts(agency: Agency, answers: list[dict[str, Any]], before: list[bytes]) -> None:
    """Check that receipts in hand open to their leaves, and that the leaves stand where they stood in a tree that only grew."""
    after, root = await leaf_hashes(agency, len(before) + 3)
    assert after[: len(before)] == before
    assert root_of(after) == root
    for answer in answers:
        assert check_receipt(answer)["disclosure"] == answer["disclosure"]
        assert after[answer["receipt"]["index"]].hex() == answer["receipt"]["leaf_hash"]


async def test_status_when_shown_to_people_then_words_and_no_person(agency: Agency) -> None:
    """A screen that says what is kept, who waits for what, what was done and when it is complete."""
    await command(agency, "erase", "request", "-", "--reason", "a letter of April", stdin="ofii:151\n")
    assert len((await command(agency, "erase", "run", "--yes"))["batches"]) == 1
    await command(agency, "erase", "request", "-", "--reason", "a letter of May", stdin="ofii:150\n")
    shown = (await asyncio.to_thread(Office(agency.folder).run, "erase", "status")).stdout
    assert [person for person in ("ofii:150", "ofii:151") if person in shown] == []
    for words in ("Openings are kept for 12 months", "a letter of May", "nothing: it goes with the next batch", "complete"):
        assert words in shown
    request = json.loads((await asyncio.to_thread(Office(agency.folder).run, "erase", "status", "--json")).stdout)["requests"][0][
        "request"
    ]
    assert (await command(agency, "erase", "withdraw", request))["withdrawn"] is True
