"""``/v1/evidence`` through the real door: who may hand in, what is refused before a byte is read, and what one sees of oneself."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ecluse.evidence import service
from ecluse.evidence.model import MOST_BYTES
from ecluse.evidence.vault import KEY_FILE, Vault
from ecluse.web.evidence_api import MOST_AN_HOUR, Doorkeeper
from ecluse.web.problems import HttpProblem
from tests.agency import Agency
from tests.e2e.desk import Desk, at_work, code_of, refused
from tests.e2e.outsider import Outsider
from tests.evidence.papers import LIST, contract_with, pdf
from tests.invented import MARK

pytestmark = pytest.mark.web

PATH = "/v1/evidence"


async def body_of(agency: Agency, content: bytes | None = None, **changes: Any) -> dict[str, Any]:
    """Say something sound of a document of today."""
    today = (await agency.now()).astimezone(agency.installation.settings.zone).date()
    said = {"kind": "pentest", "title": "Essai d'intrusion", "issuer": "Cabinet Exemple", "reviewed_on": today.isoformat()}
    return {**said, "document": base64.b64encode(content or pdf()).decode(), **changes}


async def hand_in(agency: Agency, desk: Desk, content: bytes | None = None, **changes: Any) -> httpx.Response:
    """Hand a document in."""
    return await desk.machine.call("POST", PATH, body=await body_of(agency, content, **changes))


async def stands(desk: Desk) -> dict[str, Any]:
    """Ask where one stands."""
    answer = await desk.machine.call("GET", PATH)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def kept(agency: Agency, processor: str) -> int:
    """Count what is kept of a processor."""
    return len(await agency.fetch("select from ecluse.evidence where processor_id = $1", processor))


def peak_kib(pid: int) -> int:
    """Return the most memory that a process has ever held, in KiB."""
    (line,) = [one for one in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines() if one.startswith("VmHWM")]
    return int(line.split()[1])


async def zeroes(megabytes: int, sent: list[int]) -> AsyncIterator[bytes]:
    """Stream a body, counting what was taken."""
    for _ in range(megabytes):
        sent.append(1024 * 1024)
        yield b"0" * 1024 * 1024


# ── before a byte is read ────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_body_when_nobody_is_authenticated_then_it_is_never_buffered(agency: Agency) -> None:
    """A stranger's hundred megabytes, and those of a client that was suspended, move the gate's memory by next to nothing."""
    async with at_work(agency, [60]) as desk:
        hold, _ = await agency.hold("client", desk.machine.client)
        before = peak_kib(agency.gates[0].process.pid)
        tokened = {
            "authorization": f"DPoP {desk.machine.access_token}",
            "dpop": desk.machine.proof("POST", PATH, token=desk.machine.access_token),
        }
        for headers, code in (
            ({}, "invalid-token"),
            ({"authorization": "DPoP x.y.z", "dpop": "x"}, "invalid-token"),
            (tokened, "suspended"),
        ):
            sent: list[int] = []
            try:
                answer = await desk.machine.http.request("POST", PATH, content=zeroes(100, sent), headers=headers)
            except httpx.TransportError:
                continue  # the gate answered and hung up while the body was still on its way
            assert code_of(answer) == code
        assert peak_kib(agency.gates[0].process.pid) - before < 40 * 1024
        await agency.release(hold)


async def test_body_when_larger_than_a_document_may_be_then_refused_and_the_gate_serves_on(agency: Agency) -> None:
    """More than a document in base64 is not read to its end; a document of one byte too much is refused by its size."""
    async with at_work(agency, [61]) as desk:
        sent: list[int] = []
        headers = {
            "authorization": f"DPoP {desk.machine.access_token}",
            "dpop": desk.machine.proof("POST", PATH, token=desk.machine.access_token),
        }
        try:
            answer = await desk.machine.http.request("POST", PATH, content=zeroes(60, sent), headers=headers)
        except httpx.TransportError:
            pass
        else:
            assert code_of(answer) == "too-large"
        problem = refused(await hand_in(agency, desk, b"a\n" * (MOST_BYTES // 2) + b"a"), "evidence-refused")
        assert [(each["where"], each["why"]) for each in problem["problems"]] == [("document", "it is larger than 20 MiB")]
        assert (await desk.disclose(61)).status_code == 200
        assert await kept(agency, desk.party.name) == 0


async def test_client_when_it_sends_too_often_then_told_to_wait(agency: Agency) -> None:
    """Twenty an hour, refused ones included; other clients are not held up."""
    async with at_work(agency, [62]) as desk, at_work(agency, [63]) as other:
        answers = [await hand_in(agency, desk, b"\x00") for _ in range(MOST_AN_HOUR + 1)]
        assert [code_of(answer) for answer in answers] == ["evidence-refused"] * MOST_AN_HOUR + ["too-many-requests"]
        assert answers[-1].headers["retry-after"] == "60"
        assert (await hand_in(agency, other)).status_code == 200


async def test_doorkeeper_when_an_hour_is_over_then_it_forgets_and_one_client_sends_one_at_a_time() -> None:
    """Times roll out of the window to the microsecond; a second document of a client at the same time is `busy`; a failed one frees its place."""
    now = datetime(2026, 6, 1, tzinfo=UTC)
    door = Doorkeeper(lambda: now)
    async with door.let_in("cli_a"):
        with pytest.raises(HttpProblem, match="busy"):
            async with door.let_in("cli_a"):
                raise AssertionError
    for _ in range(MOST_AN_HOUR - 1):
        with pytest.raises(RuntimeError):
            async with door.let_in("cli_a"):
                raise RuntimeError
    now += timedelta(hours=1) - timedelta(microseconds=1)
    with pytest.raises(HttpProblem, match="too-many-requests"):
        async with door.let_in("cli_a"):
            raise AssertionError
    now += timedelta(microseconds=1)
    async with door.let_in("cli_a"), door.let_in("cli_b"), door.let_in("cli_c"):
        waiting = asyncio.create_task(door.let_in("cli_d").__aenter__())
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting


# ── what is said ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "spoilt",
    [
        {"document": "%%%"},
        {"document": 1},
        {"reviewed_on": "yesterday"},
        {"reviewed_on": "2026-02-30"},
        {"accepted": True},
        {"period": {"from": "2026-01-01"}},
        {"sites": "large"},
        {"sub_processors": [{"name": "A"}]},
        {"title": None},
    ],
)
async def test_body_when_not_as_the_schema_says_then_an_invalid_request(agency: Agency, spoilt: Mapping[str, Any]) -> None:
    """A wrong member, an unknown one, and text that is no base64 are refused before anything is kept."""
    async with at_work(agency, [64]) as desk:
        refused(await hand_in(agency, desk, **spoilt), "invalid-request")
        assert await kept(agency, desk.party.name) == 0


async def test_document_when_refused_then_every_fault_and_no_word_of_it(agency: Agency) -> None:
    """Faults come with member, reason and mend; nothing that was typed comes back, nor stands in the gate's log."""
    async with at_work(agency, [65]) as desk:
        row = {"name": "A", "address": "x", "contact": f"{MARK}contact", "country": "fr", "role": "=x"}
        rows = await hand_in(agency, desk, kind="sub-processor-list", title=f"{MARK}titre", sub_processors=[row])
        assert [each["where"] for each in refused(rows, "evidence-refused")["problems"]] == [
            "sub_processors 1, country",
            "sub_processors 1, role",
        ]
        wrong = await hand_in(
            agency, desk, title=f"{MARK}\n", reviewed_on="2999-01-01", sites=["elsewhere"], bridges="evd_" + "a" * 26
        )
        assert [each["where"] for each in refused(wrong, "evidence-refused")["problems"]] == [
            "title",
            "reviewed_on",
            "bridges",
            "sites",
        ]
        script = await hand_in(agency, desk, b"<script>alert(1)</script>")
        refused(script, "evidence-refused")
        assert MARK not in rows.text + wrong.text
        assert MARK not in agency.gates[0].log.read_text(encoding="utf-8")
        assert await kept(agency, desk.party.name) == 0


async def test_proof_when_used_twice_then_refused(agency: Agency) -> None:
    """State moves, so a proof is good for one document."""
    async with at_work(agency, [66]) as desk:
        headers = {
            "authorization": f"DPoP {desk.machine.access_token}",
            "dpop": desk.machine.proof("POST", PATH, token=desk.machine.access_token),
        }
        body = await body_of(agency)
        first = await desk.machine.http.post(PATH, json=body, headers=headers)
        refused(await desk.machine.http.post(PATH, json=body, headers=headers), "invalid-proof")
        assert first.status_code == 200
        assert await kept(agency, desk.party.name) == 1


async def test_document_when_handed_in_then_sealed_at_rest_and_nothing_is_accepted_by_itself(agency: Agency) -> None:
    """A processor sees its gate frozen, hands in, stays frozen, and is disclosed to once a named person accepted, with every step told."""
    async with at_work(agency, [67]) as desk, at_work(agency, [68]) as other:
        await agency.apply(contract_with(desk.party.name, "pentest"))
        assert refused(await desk.disclose(67), "gate-frozen")["state"] == "frozen"
        before = await stands(desk)
        assert (before["gate"], before["documents"], before["required"]) == (
            "frozen",
            [],
            [{"kind": "pentest", "max_age": "P99Y"}],
        )
        (reason,) = before["reasons"]
        assert (reason["code"], reason["move"]) == ("evidence:missing:pentest", "processor")
        assert reason["mend"]

        content = pdf()
        answer = await hand_in(agency, desk, content)
        assert answer.status_code == 200, answer.text
        handed = answer.json()
        assert (handed["state"], handed["media_type"], handed["size_bytes"]) == ("submitted", "application/pdf", len(content))
        assert (await stands(desk))["gate"] == "frozen"
        refused(await desk.disclose(67), "gate-frozen")
        rows = await agency.fetch("select submitted_by, accepted_at from ecluse.evidence where id = $1", handed["id"])
        assert [tuple(row) for row in rows] == [(f"client:{desk.machine.client}", None)]

        vault = Vault(agency.installation.versioned(KEY_FILE))
        async with agency.connected("ecluse_app") as app:
            assert (await service.fetch(app, vault, handed["id"]))[1] == content
            await service.accept(app, vault, handed["id"], log_id=1, actor="cli:anna")
        assert (await desk.disclose(67)).status_code == 200
        after = await stands(desk)
        assert (after["gate"], after["reasons"]) == ("open", [])
        (shown,) = after["documents"]
        assert (shown["id"], shown["state"], shown["sha256"]) == (handed["id"], "accepted", handed["sha256"])
        assert "submitted_by" not in shown
        assert (await stands(other))["documents"] == []


async def test_document_when_rejected_then_its_sender_reads_why(agency: Agency) -> None:
    """What whoever rejected it wrote is shown to its processor, and not who."""
    async with at_work(agency, [69]) as desk:
        handed = (await hand_in(agency, desk)).json()
        async with agency.connected("ecluse_app") as app:
            await service.reject(app, handed["id"], actor="cli:anna", why="Le périmètre ne couvre pas les accès distants")
        found = await desk.machine.call("GET", PATH)
        (shown,) = found.json()["documents"]
        assert (shown["state"], shown["rejected_why"]) == ("rejected", "Le périmètre ne couvre pas les accès distants")
        assert "anna" not in found.text


async def test_changes_when_evidence_lapses_soon_then_told_before(agency: Agency) -> None:
    """What comes within ninety days if nobody does anything is told with its instants."""
    async with at_work(agency, [70]) as desk:
        await agency.apply(contract_with(desk.party.name, "pentest", max_age="P60D"))
        handed = (await hand_in(agency, desk)).json()
        async with agency.connected("ecluse_app") as app:
            await service.accept(app, Vault(agency.installation.versioned(KEY_FILE)), handed["id"], log_id=1, actor="cli:anna")
        found = await stands(desk)
        assert [(each["gate"], each["reasons"]) for each in found["changes"]] == [
            ("warn", ["evidence:lapses-soon:pentest"]),
            ("frozen", ["evidence:lapsed:pentest"]),
        ]
        assert found["at"] < found["changes"][0]["at"] < found["changes"][1]["at"]


async def test_list_of_sub_processors_when_handed_in_then_its_rows_are_kept_for_the_gate(agency: Agency) -> None:
    """Rows travel beside the document, in the body only."""
    row = {
        "name": "Hébergeur Rhône",
        "address": "1 quai du Port",
        "contact": "rssi@hebergeur.example",
        "country": "FR",
        "role": "hosting",
    }
    async with at_work(agency, [71]) as desk:
        handed = await hand_in(agency, desk, LIST.encode(), kind="sub-processor-list", sub_processors=[row])
        assert (handed.status_code, handed.json()["media_type"], handed.json()["warnings"]) == (200, "text/csv", [])
        names = await agency.fetch(
            "select s ->> 'name' as name from ecluse.evidence e, jsonb_array_elements(e.sub_processors) s where e.id = $1",
            handed.json()["id"],
        )
    assert [each["name"] for each in names] == ["Hébergeur Rhône"]


async def test_machines_of_the_controller_when_they_call_then_refused(agency: Agency) -> None:
    """Neither the scheduler nor anybody else but a processor's machine hands in or looks."""
    machine = await agency.machine(None)
    async with Outsider(agency.public_url, machine.id, machine.key) as scheduler:
        refused(await scheduler.call("GET", PATH), "wrong-role")
        refused(await scheduler.call("POST", PATH, body=await body_of(agency)), "wrong-role")
