"""The client at a real gate whose log two real witnesses watch, each a process of its own: proven, not proven while one sleeps, checked offline."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from ecluse.cli.app import app
from ecluse.client import AsyncClient, Pending, ReceiptBroken, Unavailable, check_file, parse_policy, receipt_file
from ecluse.embedded import EmbeddedPostgres
from ecluse.errors import EcluseError
from ecluse.ledger.notes import format_vkey, parse_vkey, verifier_of_key
from ecluse.ledger.policies import apply_policy
from ecluse.ledger.sign import load_log_key
from tests.agency import ORIGIN, Agency, founded
from tests.e2e.desk import Desk, at_work
from tests.witness.server import Server

pytestmark = pytest.mark.e2e

NAMES: Final = ["family_name"]


class Watched:
    """An agency, its two witnesses, and the policy that asks for both."""

    def __init__(self, agency: Agency, folder: Path) -> None:
        """Start two witnesses of the agency's log and put the policy in force."""
        self.agency, self.folder = agency, folder
        self.vkey = format_vkey(verifier_of_key(ORIGIN, load_log_key(agency.installation.secret("log.key"))))
        self.servers = [Server(folder / name, f"{name}.example/witness", parse_vkey(self.vkey)) for name in ("dpo", "processor")]
        lines = [f"log {self.vkey}"]
        lines += [
            f"witness {name} {one.witness.vkey} {one.http.base_url}"
            for name, one in zip(("dpo", "own"), self.servers, strict=True)
        ]
        self.policy_file = folder / "agency.policy"
        self.policy_file.write_text("\n".join([*lines, "group both all dpo own", "quorum both", ""]), encoding="utf-8")
        asyncio.run(self.apply())

    async def apply(self) -> None:
        """Put the policy in force."""
        async with self.agency.connected("ecluse_app") as connection:
            await apply_policy(connection, log_id=1, raw=self.policy_file.read_bytes(), actor="cli:test")

    def client(self, desk: Desk, **options: Any) -> AsyncClient:
        """Return the SDK's client as the machine of a desk, with the policy that was handed over."""
        machine = desk.party.machines[0]
        key = self.folder / f"{machine.id}.pem"
        key.write_bytes(machine.key.as_pem(private=True))
        return AsyncClient(self.agency.public_url, machine.id, key, policy=parse_policy(self.policy_file.read_bytes()), **options)

    def stop(self) -> None:
        """Stop the witnesses that run."""
        for server in self.servers:
            server.http.close()
            if server.process.poll() is None:
                server.stop()


@pytest.fixture(scope="module")
def watched(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A founded agency with one gate and two witnesses."""
    folder = tmp_path_factory.mktemp("watched")
    with founded(postgres, folder / "ecluse-data") as agency:
        found = Watched(agency, folder)
        yield found
        found.stop()


async def proven_in_time(client: AsyncClient, disclosed: Any) -> Any:
    """Ask for a proof until there is one, as a patient client does."""
    for _ in range(4):
        try:
            return await client.proof(disclosed)
        except Unavailable:
            continue
    return await client.proof(disclosed)


async def test_proof_when_a_witness_sleeps_then_no_proof_and_no_accusation(watched: Watched) -> None:
    """With one of two witnesses stopped the person is disclosed and nothing is proven; when it is back, the same receipt is."""
    async with at_work(watched.agency, [10, 11]) as desk, watched.client(desk) as client:
        await proven_in_time(client, await client.disclose(desk.handles[10], desk.party.agent, NAMES))
        watched.servers[0].stop()
        disclosed = await client.disclose(desk.handles[11], desk.party.agent, NAMES)
        with pytest.raises(Unavailable) as late:
            await client.proof(disclosed)
        assert late.value.last in {"not-yet-cosigned", "not-yet-signed", "not-published"}
        await asyncio.to_thread(watched.servers[0].start)
        proven = await proven_in_time(client, disclosed)
        assert len(proven.head.cosigned_at) == 2


async def test_at_once_when_both_witnesses_watch_then_a_file_for_a_judge(watched: Watched, tmp_path: Path) -> None:
    """Disclosed, proven under a head that both cosigned, written, and checked by the command with the policy and nothing else."""
    async with at_work(watched.agency, [12]) as desk, watched.client(desk, proofs="at-once", pins=tmp_path / "seen") as client:
        disclosed = await client.disclose(desk.handles[12], desk.party.agent, NAMES)
        proven = disclosed.proven or await proven_in_time(client, disclosed)
        head = await client.head(ORIGIN)
        assert head.checkpoint.size >= proven.head.checkpoint.size
    raw = receipt_file(disclosed, proven, with_values=True)
    path = tmp_path / "visit.tlog-proof"
    path.write_bytes(raw)
    words = ["ledger", "check-receipt", str(path), "--policy", str(watched.policy_file), "--json"]
    told = json.loads((await asyncio.to_thread(CliRunner().invoke, app, words)).stdout)
    assert (told["holds"], told["quorum"], told["processor"], told["values"]) == (
        True,
        "reached",
        desk.party.name,
        dict(disclosed.subject),
    )
    assert sorted(each["name"] for each in told["witnesses"]) == ["dpo.example/witness", "processor.example/witness"]
    (kept,) = (tmp_path / "seen").iterdir()
    assert kept.read_text(encoding="utf-8").startswith(f"{ORIGIN}\n")


async def test_background_when_many_then_all_proven_and_other_files_are_not_mixed(watched: Watched) -> None:
    """Receipts of several persons, proven behind the scenes; one's opening under another's proof is refused."""
    told: list[tuple[Pending, EcluseError]] = []
    persons = [13, 14, 15, 16]
    async with at_work(watched.agency, persons) as desk:
        async with watched.client(desk, proofs="background", report=lambda *one: told.append(one)) as client:
            given = [await client.disclose(desk.handles[person], desk.party.agent, NAMES) for person in persons]
            proofs = [await proven_in_time(client, each) for each in given]
        assert [error.code for _, error in told] in (
            [],
            ["receipt-unproven"] * len(told),
        )  # a slow machine closes before the last head
    policy = parse_policy(watched.policy_file.read_bytes())
    files = [receipt_file(each, proven) for each, proven in zip(given, proofs, strict=True)]
    assert [check_file(raw, policy).disclosure for raw in files] == [each.disclosure for each in given]
    (first, second) = (raw.split(b"\nindex ") for raw in files[:2])
    with pytest.raises(ReceiptBroken):
        check_file(first[0] + b"\nindex " + second[1], policy)
