"""A gate whose witnesses are gone: the log is served all the same, the gate warns, then discloses nothing, and another policy opens it again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from ecluse.embedded import EmbeddedPostgres
from ecluse.ledger.notes import parse_vkey
from ecluse.ledger.policies import apply_policy
from tests.agency import Agency, Gate, founded
from tests.e2e.desk import Desk, at_work, code_of, refused
from tests.ledger.strict_witness import Witness, policy_text, witnessing

pytestmark = pytest.mark.web

WARN, FROZEN = timedelta(minutes=1), timedelta(minutes=2)
SECOND: Final = timedelta(seconds=1)


@pytest.fixture
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency whose gate warns after a minute without its witnesses, and closes after two; each test's own, for a log's clock never goes back."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as built:
        built.start_gate(ledger__max_uncosigned="PT1M", ledger__max_uncosigned_frozen="PT2M")
        yield built


async def vkey_of(agency: Agency) -> str:
    """Return the log's verifier key."""
    vkey: str = (await agency.fetch("select vkey from ecluse.ledger_log"))[0]["vkey"]
    return vkey


async def apply(agency: Agency, quorum: str, **witnesses: Witness) -> datetime:
    """Put a policy in force; return when."""
    raw = policy_text(await vkey_of(agency), witnesses, quorum).encode()
    async with agency.connected("ecluse_app") as app:
        await apply_policy(app, log_id=1, raw=raw, actor="cli:test")
    rows = await agency.fetch("select applied_at from ecluse.ledger_policy order by version desc limit 1")
    applied_at: datetime = rows[0]["applied_at"]
    return applied_at


async def health(gate: Gate) -> tuple[int, dict[str, Any]]:
    """Ask a gate whether it is well."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{gate.url}/healthz")
    return answer.status_code, answer.json()


async def gate_of(desk: Desk) -> tuple[str, list[str]]:
    """Return how a processor's gate stands, as it is told itself."""
    told = (await desk.machine.call("GET", "/v1/whoami")).json()
    return told["gate"], told["gate_reasons"]


async def proof_of(desk: Desk, disclosure: str) -> str:
    """Wait for a proof of a decision, and return its checkpoint."""
    async with asyncio.timeout(30):
        while code_of(answer := await desk.machine.call("GET", f"/v1/disclosures/{disclosure}/proof")) != "ok":
            assert code_of(answer) == "not-published"
            await asyncio.sleep(0.2)
    checkpoint: str = answer.json()["checkpoint"]
    return checkpoint


async def logged(gate: Gate, *words: str) -> None:
    """Wait until a line of the gate's events holds all of these."""
    async with asyncio.timeout(15):
        while not any(all(word in line for word in words) for line in gate.log.read_text(encoding="utf-8").splitlines()):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.1)


async def test_gate_when_its_witnesses_are_gone_then_served_warned_frozen_and_opened_by_another_policy(agency: Agency) -> None:
    """Nobody answers for the witness: proofs come after five seconds, without it; then a warning; then nothing is disclosed, until the policy changes."""
    (gate,) = agency.gates
    nobody = Witness(name="dpo.example/w", log=parse_vkey(await vkey_of(agency)), url="http://127.0.0.1:9/w")
    async with at_work(agency, [10, 11, 12, 13]) as desk:
        since = await apply(agency, "quorum dpo", dpo=nobody)
        given = (await desk.disclose(10)).json()
        assert (await proof_of(desk, given["disclosure"])).count("\u2014 ") == 1
        assert await health(gate) == (200, {"status": "ok"})
        await logged(gate, "ledger:witness:answered", '"connection"')

        await agency.set_clock_offset(agency.offset + WARN)
        assert await health(gate) == (200, {"status": "warn", "uncosigned_since": f"{since:%Y-%m-%dT%H:%M:%S}Z"})
        assert await gate_of(desk) == ("warn", ["witnesses:uncosigned"])
        granted = (await desk.disclose(11)).json()["disclosure"]
        assert [entry["interval"][1] for entry in await agency.openings() if entry.get("disclosure") == granted] == [
            f"{since + FROZEN:%Y-%m-%dT%H:%M:%S.%f}Z"
        ]
        await logged(gate, "ledger:witness:uncosigned", '"warn"')
        async with httpx.AsyncClient() as http:
            metrics = (await http.get(gate.metrics)).text
        (waited,) = [line for line in metrics.splitlines() if line.startswith("ecluse_uncosigned_seconds ")]
        assert float(waited.split()[1]) > 60
        assert 'ecluse_witness_answers_total{outcome="connection",witness="dpo"}' in metrics

        await agency.set_clock_offset(agency.offset + FROZEN)
        told = refused(await desk.disclose(12), "gate-frozen")
        assert told["state"] == "frozen"
        assert await gate_of(desk) == ("frozen", ["witnesses:uncosigned"])
        unknown = refused(await desk.machine.disclose("apt_" + "a" * 26, desk.party.agent), "gate-frozen")
        assert unknown["state"] == "frozen"  # nobody learns whose handle it is
        reasons = [entry["reasons"] for entry in await agency.openings() if entry.get("reason") == "gate-frozen"]
        assert reasons == [["witnesses:uncosigned"], ["witnesses:uncosigned", "handle:unknown"]]
        status, problem = await health(gate)
        assert (status, problem["type"]) == (503, "/problems/ledger-unavailable")
        await logged(gate, "ledger:witness:uncosigned", '"frozen"')

        await apply(agency, "quorum none")
        assert code_of(await desk.disclose(12)) == "ok"
        assert await gate_of(desk) == ("open", [])
        assert await health(gate) == (200, {"status": "ok"})
        await agency.reset_clock()


async def test_gate_when_a_dead_witness_is_replaced_then_open_as_soon_as_the_new_one_cosigns(agency: Agency) -> None:
    """Other witnesses do not begin the time anew: it is their cosignature that opens the gate, and proofs carry it."""
    (gate,) = agency.gates
    log = parse_vkey(await vkey_of(agency))
    nobody = Witness(name="gone.example/w", log=log, url="http://127.0.0.1:9/w")
    with witnessing("dpo.example/w", log) as living:
        async with at_work(agency, [14, 15, 16]) as desk:
            await apply(agency, "quorum gone", gone=nobody)
            await agency.set_clock_offset(agency.offset + FROZEN + SECOND)
            refused(await desk.disclose(14), "gate-frozen")
            living.always = 503
            await apply(agency, "quorum dpo", dpo=living)
            refused(await desk.disclose(14), "gate-frozen")
            living.always = ""
            async with asyncio.timeout(30):
                while code_of(answer := await desk.disclose(14)) != "ok":  # noqa: ASYNC110 - another process opens the gate
                    await asyncio.sleep(0.2)
            note = await proof_of(desk, answer.json()["disclosure"])
            assert [line.split(" ")[1] for line in note.splitlines() if line.startswith("\u2014 ")] == [log.name, "dpo.example/w"]
            assert await health(gate) == (200, {"status": "ok"})
            await apply(agency, "quorum none")
            await agency.reset_clock()
        assert living.faults == []


async def test_health_when_a_witness_holds_another_history_then_not_well(agency: Agency) -> None:
    """A fork alarm is seen where the watchers look: health, events, metrics. It ends when the witness cosigns."""
    (gate,) = agency.gates
    log = parse_vkey(await vkey_of(agency))
    with witnessing("dpo.example/w", log) as forked:
        forked.always = "size 9999999\n"
        await apply(agency, "quorum dpo", dpo=forked)
        await logged(gate, "ledger:witness:fork", '"error"')
        status, problem = await health(gate)
        assert (status, problem["type"]) == (503, "/problems/ledger-unavailable")
        assert "another history" in problem["detail"]
        async with httpx.AsyncClient() as http:
            assert "ecluse_witness_forks 1.0" in (await http.get(gate.metrics)).text
        forked.always = ""
        async with asyncio.timeout(30):
            while (await health(gate))[0] != 200:  # noqa: ASYNC110 - another process's health
                await asyncio.sleep(0.2)
        await apply(agency, "quorum none")
