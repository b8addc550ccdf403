"""A gate and two witnesses, each a process of its own: what is proven bears both cosignatures, and a second history is refused by both."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ecluse.embedded import EmbeddedPostgres
from ecluse.ledger.notes import COSIGNATURE, open_cosigned, parse_vkey
from ecluse.ledger.policies import apply_policy
from ecluse.ledger.quorum import parse_policy
from tests.agency import ORIGIN, Agency, founded
from tests.e2e.desk import Desk, at_work, code_of
from tests.witness.server import Server

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency of this module's own: its history is bent."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data") as built:
        yield built


@contextmanager
def watching(folder: Path, log_vkey: str) -> Iterator[dict[str, Server]]:
    """Start two witnesses of a log; end them."""
    servers: dict[str, Server] = {}
    try:
        for name in ("dpo", "lyon"):
            (folder / name).mkdir()
            servers[name] = Server(folder / name / "witness", f"{name}.example/witness", parse_vkey(log_vkey))
        yield servers
    finally:
        for server in servers.values():
            server.stop()
            server.http.close()


async def apply(agency: Agency, log_vkey: str, servers: dict[str, Server]) -> bytes:
    """Put the policy in force that asks for both."""
    lines = [f"log {log_vkey}"]
    lines += [f"witness {name} {one.witness.vkey} http://127.0.0.1:{one.port}" for name, one in servers.items()]
    raw = "".join(f"{line}\n" for line in (*lines, "group both all dpo lyon", "quorum both")).encode()
    async with agency.connected("ecluse_app") as app:
        await apply_policy(app, log_id=1, raw=raw, actor="cli:test")
    return raw


async def proven(desk: Desk, person: int) -> dict[str, Any]:
    """Disclose a person and wait for the proof."""
    disclosure = (await desk.disclose(person)).json()["disclosure"]
    async with asyncio.timeout(30):
        while code_of(answer := await desk.machine.call("GET", f"/v1/disclosures/{disclosure}/proof")) != "ok":  # noqa: ASYNC110 - another process signs
            await asyncio.sleep(0.1)
    proof: dict[str, Any] = answer.json()
    return proof


async def roll_back(agency: Agency, size: int) -> None:
    """Take the ledger's database back to a size, as a restored backup would: entries, tiles, heads and what witnesses said of them."""
    async with agency.administered("ledger") as admin:
        await admin.execute("set session_replication_role = replica")
        for table in ("ledger_entry", "opening"):
            await admin.execute(f"delete from ecluse.{table} where index >= $1", size)  # noqa: S608 - our own names
        for table in ("ledger_checkpoint", "ledger_cosignature", "ledger_quorum"):
            await admin.execute(f"delete from ecluse.{table} where size > $1", size)  # noqa: S608 - our own names
        await admin.execute("delete from ecluse.ledger_tile")
        await admin.execute("update ecluse.ledger_head set size = $1", size)


async def test_proof_when_two_witnesses_watch_then_it_bears_both_and_a_second_history_gets_neither(
    agency: Agency, tmp_path: Path
) -> None:
    """Disclosed, sealed, cosigned by both, proven; then database and signer go back to a backup: both witnesses refuse, and the gate is not well."""
    log_vkey = (await agency.fetch("select vkey from ecluse.ledger_log"))[0]["vkey"]
    state = agency.folder / "state" / "log.checkpoint"
    with watching(tmp_path, log_vkey) as servers:
        policy = parse_policy(await apply(agency, log_vkey, servers))
        async with at_work(agency, [10, 11, 12]) as desk:
            first = open_cosigned(
                (await proven(desk, 10))["checkpoint"],
                [parse_vkey(log_vkey)],
                ORIGIN,
                [peer.verifier for peer in policy.witnesses],
            )
            assert policy.reached(first.cosigned_at)
            assert {one.name for one in first.cosigned_at} == {"dpo.example/witness", "lyon.example/witness"}
            assert {one.algorithm for one in first.cosigned_at} == {COSIGNATURE}
            size = await agency.size()
            backup = await settled(agency, size)
            last = await proven(desk, 11)
            assert int(last["checkpoint"].split("\n")[1]) > size

            (gate,) = agency.gates
            agency.stop_gate(gate)
            await roll_back(agency, size)
            state.write_text(backup, encoding="utf-8")
            gate = agency.start_gate()
            async with asyncio.timeout(30):
                while (await health(gate.url)) != 503:  # noqa: ASYNC110 - another process's health
                    await asyncio.sleep(0.1)
            for _ in range(3):  # until the second history is the longer one
                assert code_of(await desk.disclose(12)) == "ok"
            await until_refused(servers)
            assert (await health(gate.url)) == 503
            events = gate.log.read_text(encoding="utf-8")
            assert events.count("ledger:witness:fork") >= 2
            cosigned = await agency.fetch("select size from ecluse.ledger_cosignature where size > $1", size)
            assert cosigned == []
    assert {server.witness.name for server in servers.values()} == {"dpo.example/witness", "lyon.example/witness"}


async def settled(agency: Agency, size: int) -> str:
    """Wait until that size is signed, and return the signer's memory: what a backup of that moment holds."""
    async with asyncio.timeout(30):
        while True:
            note = (agency.folder / "state" / "log.checkpoint").read_text(encoding="utf-8")
            if int(note.split("\n")[1]) == size:
                return note
            await asyncio.sleep(0.05)


async def health(url: str) -> int:
    """Ask a gate whether it is well."""
    async with httpx.AsyncClient() as http:
        return (await http.get(f"{url}/healthz")).status_code


async def until_refused(servers: dict[str, Server]) -> None:
    """Wait until both witnesses have kept a head that they refused: the evidence of two histories."""
    async with asyncio.timeout(120):
        while not all(log.refused for server in servers.values() for log in server.witness.logs()):  # noqa: ASYNC110 - other processes refuse it
            await asyncio.sleep(0.2)
