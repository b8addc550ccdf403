"""The log and two real witnesses, each a process of its own: the quorum is met, and a log that lives on from a backup is refused by both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from ecluse.embedded import EmbeddedPostgres
from ecluse.ledger.notes import COSIGNATURE, open_cosigned, parse_vkey
from ecluse.ledger.policies import apply_policy
from ecluse.ledger.quorum import parse_policy
from ecluse.ledger.serve import served_checkpoint
from ecluse.ledger.witnesses import Witnesses
from tests.witness.server import Server

pytestmark = pytest.mark.db

ORIGIN = "register.example/ecluse/main"


class Rig:
    """A log, two witnesses with a policy that asks for both, and the client that asks them."""

    def __init__(self, journal: Any, servers: list[Server], http: httpx.AsyncClient) -> None:
        """Ask ``servers`` of the ``journal``'s log."""
        self.journal, self.servers, self.http = journal, servers, http
        self.client = self.fresh()

    def fresh(self) -> Witnesses:
        """Return a client that knows nothing yet, as after a start."""
        return Witnesses(self.journal.jobs, log_id=1, warn_after=timedelta(hours=1), freeze_after=timedelta(hours=24))

    def policy(self) -> bytes:
        """Write the policy."""
        lines = [f"log {self.journal.signer.vkey}"]
        lines += [f"witness w{one.port} {one.witness.vkey} http://127.0.0.1:{one.port}" for one in self.servers]
        lines += ["group both all " + " ".join(f"w{one.port}" for one in self.servers), "quorum both", ""]
        return "\n".join(lines).encode()

    async def sign_and_ask(self, more: int) -> list[str]:
        """Let the log grow, sign it, ask both witnesses, and return what became of it."""
        await self.journal.grow(more)
        await self.journal.integrator().round()
        await self.client.turn(self.http)
        asked = self.client._asked.values()
        await asyncio.gather(*(one.task for one in asked if one.task))
        return [one.outcome for one in asked]

    async def served(self) -> tuple[int, int]:
        """Return the size that readers are given, and how many witnesses cosigned it."""
        head = await served_checkpoint(self.journal.reader, 1)
        assert head is not None
        policy = parse_policy(self.policy())
        found = open_cosigned(
            head.note, [parse_vkey(self.journal.signer.vkey)], ORIGIN, [peer.verifier for peer in policy.witnesses]
        )
        return head.size, len(found.cosigned_at)


@pytest.fixture
async def rig(journal: Any, tmp_path: Path) -> AsyncIterator[Rig]:
    """Two witnesses at work, and a policy in force that asks for both."""
    log = parse_vkey(journal.signer.vkey)
    async with AsyncExitStack() as stack:
        servers = []
        for name in ("dpo", "processor"):
            servers.append(await asyncio.to_thread(Server, tmp_path / name, f"{name}.example/witness", log))
            stack.callback(servers[-1].http.close)
            stack.callback(servers[-1].stop)
        rig = Rig(journal, servers, await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=60)))
        app = await asyncpg.connect(journal.dsns["ecluse_app"])
        stack.push_async_callback(app.close)
        await apply_policy(app, log_id=1, raw=rig.policy(), actor="cli:test")
        yield rig


async def test_witnesses_when_the_log_grows_then_both_sign_each_head(rig: Rig) -> None:
    """From the first head on, through restarts of client and witness, readers get heads that both signed."""
    assert await rig.sign_and_ask(3) == ["cosigned", "cosigned"]
    assert await rig.served() == (4, 2)  # the policy's own entry is the first
    rig.client = rig.fresh()
    assert await rig.sign_and_ask(300) == ["cosigned", "cosigned"]
    rig.servers[0].stop()
    rig.servers[0].start()
    assert await rig.sign_and_ask(10) == ["cosigned", "cosigned"]
    assert await rig.served() == (314, 2)
    keys = [parse_vkey(one.witness.vkey, COSIGNATURE) for one in rig.servers]
    for one, key in zip(rig.servers, keys, strict=True):
        (watched,) = one.witness.logs()
        assert watched.seen is not None
        found = open_cosigned(watched.seen.note, [parse_vkey(rig.journal.signer.vkey)], ORIGIN, [key])
        assert (found.checkpoint.size, list(found.cosigned_at)) == (314, [key])


async def administer(postgres: EmbeddedPostgres, journal: Any, statements: list[str]) -> None:
    """Do what the database's administrator can: the triggers that refuse it keep silent."""
    connection = await asyncpg.connect(postgres.superuser_dsn(await journal.owner.fetchval("select current_database()")))
    for statement in ("set session_replication_role = replica", *statements):
        await connection.execute(statement)
    await connection.close()


@pytest.mark.parametrize("beyond", [2, 20], ids=["shorter than what was cosigned", "longer"])
async def test_witnesses_when_the_log_lives_on_from_a_backup_then_both_refuse_the_second_history(
    rig: Rig, postgres: EmbeddedPostgres, beyond: int
) -> None:
    """Database and signer's memory are put back together, so the signer signs the second history; the witnesses don't, and it is loud."""
    journal = rig.journal
    assert await rig.sign_and_ask(4) == ["cosigned", "cosigned"]
    memory, size, leaves = journal.state.read_bytes(), 5, list(journal.leaves)
    assert await rig.sign_and_ask(10) == ["cosigned", "cosigned"]
    rolled_back = [
        "delete from ecluse.ledger_entry where index >= 5", "delete from ecluse.opening where index >= 5",
        "update ecluse.ledger_head set size = 5", "delete from ecluse.ledger_tile", "delete from ecluse.ledger_quorum where size > 5",
        "delete from ecluse.ledger_cosignature where size > 5", "delete from ecluse.ledger_checkpoint where size > 5",
    ]  # fmt: skip
    await administer(postgres, journal, rolled_back)
    journal.state.write_bytes(memory)
    journal.leaves = leaves
    rig.client = rig.fresh()
    assert await rig.sign_and_ask(beyond) == ["fork", "fork"]
    assert journal.signer.last()[0].size == size + beyond
    assert sorted(rig.client.forks) == sorted(f"w{one.port}" for one in rig.servers)
    assert await rig.served() in {(size, 2), (size + beyond, 0)}  # after five seconds the newest, as it is: a policy refuses it
    for one in rig.servers:
        assert one.size == 15
        (watched,) = one.witness.logs()
        assert [head.size for head in watched.refused] == ([] if beyond == 2 else [size + beyond])
