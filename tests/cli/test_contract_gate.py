"""``ecluse contract gate``: how a gate stands at any instant, why, the mend, whose move it is, and what comes by itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests import governed
from tests.cli.offices import EVIDENCE, Office

pytestmark = pytest.mark.db


@pytest.fixture
def asked(office: Office) -> str:
    """A processor of its own whose contract asks for a penetration test."""
    processor = office.firm()
    office.json("contract", "apply", office.contract(processor, **{"[containment]": f"{EVIDENCE}[containment]"}), "--yes")
    return processor


def test_gate_when_the_processor_is_unknown_then_refused_with_the_mend(office: Office) -> None:
    """It says where processors are listed."""
    result = office.run("contract", "gate", "firm-nobody")
    assert result.exit_code == 1
    assert result.stderr == "firm-nobody: no such processor is registered. `ecluse processor list` lists them.\n"


@pytest.mark.parametrize(
    "words",
    [
        ["--at", "yesterday"],
        ["--at", "2026-01-05T09:00"],
        ["--at", "2026-01-05T09:00Z", "--until", "2026-01-05T09:00Z"],
        ["--at", "1800-01-01T00:00Z"],
        ["--until", "9999-06-01T00:00Z"],
    ],
)
def test_gate_when_a_time_makes_no_sense_then_wrong_usage(office: Office, words: list[str]) -> None:
    """Not a time, nobody's in particular, an empty range, out of the calendar."""
    assert office.run("contract", "gate", office.firm(), *words).exit_code == 2


def test_gate_when_evidence_is_missing_then_why_the_mend_and_whose_move(office: Office, asked: str) -> None:
    """In words for people and in codes for programs; it opens when the document is accepted, and tells when it will lapse."""
    told = office.json("contract", "gate", asked)
    assert (told["state"], told["changes"]) == ("frozen", [])
    assert told["reasons"] == [
        {
            "code": "evidence:missing:pentest",
            "what": "no penetration test report was ever accepted",
            "mend": "hand it in; it counts once the agency has accepted it",
            "move": "processor",
        }
    ]
    shown = office.run("contract", "gate", asked).stdout
    assert "The gate is frozen: nothing is disclosed until this is settled." in shown
    assert "no penetration test report was ever accepted" in shown
    assert "the processor's" in shown
    assert shown.endswith("nothing changes.\n")

    last = datetime.now(UTC).date() + timedelta(days=40)
    asyncio.run(governed.accept(office.installation, asked, reviewed_on=last - timedelta(days=50), ends_on=last))
    told = office.json("contract", "gate", asked)
    assert (told["state"], told["reasons"]) == ("open", [])
    assert [(change["state"], change["reasons"]) for change in told["changes"]] == [
        ("warn", ["evidence:lapses-soon:pentest"]),
        ("frozen", ["evidence:lapsed:pentest"]),
    ]
    ends = told["changes"][1]["at"]
    assert told["same_permission"][1] == ends
    assert office.json("contract", "gate", asked, "--at", ends)["state"] == "frozen"
    shown = office.run("contract", "gate", asked).stdout
    assert "The gate is open: disclosures are possible inside each appointment's window." in shown
    assert "penetration test report: lapses within 30 days" in shown
    assert "no more: penetration test report: lapses within 30 days" in shown


def test_gate_when_a_past_instant_is_asked_then_by_the_contract_of_then(office: Office, asked: str) -> None:
    """Before the second version, which asks for evidence, the gate was open; before the first there was none."""
    versions = office.json("contract", "gate", asked, "--at", "2026-01-01T00:00Z", "--until", "2099-01-01T00:00Z")
    assert (versions["state"], [reason["code"] for reason in versions["reasons"]]) == ("closed", ["contract:absent"])
    assert [change["state"] for change in versions["changes"]][:2] == ["open", "frozen"]
    first = versions["changes"][0]["at"]
    assert office.json("contract", "gate", asked, "--at", first)["state"] == "open"


def test_gate_when_listed_elsewhere_then_the_same(office: Office, asked: str) -> None:
    """The lists and the doctor ask the same function of the same facts."""
    told = {one["processor"]: one for one in office.json("contract", "list")["contracts"]}[asked]
    assert (told["gate"], told["reasons"]) == ("frozen", "no penetration test report was ever accepted")
    told = {one["id"]: one for one in office.json("processor", "list")["processors"]}[asked]
    assert (told["gate"], told["reasons"]) == ("frozen", "no penetration test report was ever accepted")
    doctor = office.run("doctor").stdout
    assert f"Run `ecluse contract gate {asked}`" in " ".join(doctor.split())


def test_gate_when_held_then_it_says_so_beside(office: Office) -> None:
    """A hold is no reason of the gate, and stops everything all the same."""
    processor = office.firm()
    hold = office.json("processor", "hold", "processor", processor, "--reason", "incident 12")["hold"]
    assert "Beside its gate: 1 hold in force." in office.run("contract", "gate", processor).stdout
    assert office.json("contract", "gate", processor)["holds"] == 1
    office.json("processor", "release", hold)


def test_check_when_evidence_is_asked_for_then_it_says_what_that_means(office: Office) -> None:
    """Nobody is told any more that evidence is not kept."""
    path = office.contract("firm-x", **{"[containment]": f"{EVIDENCE}[containment]"})
    shown = office.run("contract", "check", path).stdout
    assert "The contract asks for evidence: pentest. Without an accepted and fresh one of each the gate is frozen" in shown
    assert "does not keep evidence" not in shown
