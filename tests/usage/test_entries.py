"""The log's entries for auditors: with a credential alone, whole, and what they hash to is the public tile."""

from __future__ import annotations

import asyncio
import hashlib

import asyncpg
import httpx
import pytest

from tests.agency import Agency
from tests.e2e.desk import at_work, code_of
from tests.e2e.outsider import Outsider
from tests.usage.portal import portal_of

pytestmark = pytest.mark.web

PATH = "/ledger/main/tile/entries/000.p/3"


async def test_entries_when_anybody_else_asks_then_401_or_403(agency: Agency) -> None:
    """No token, no proof, and the machines of processor, scheduler and portal get nothing."""
    scheduler = await agency.machine(None)
    async with (
        at_work(agency, [10]) as desk,
        portal_of(agency) as portal,
        httpx.AsyncClient(base_url=agency.public_url) as stranger,
        Outsider(agency.public_url, scheduler.id, scheduler.key) as office,
    ):
        answers = [
            await stranger.get(PATH),
            await stranger.get(PATH, headers={"authorization": f"DPoP {desk.machine.access_token}"}),
        ]
        answers += [await machine.call("GET", PATH) for machine in (desk.machine, office, portal)]
    assert [(answer.status_code, code_of(answer)) for answer in answers] == [
        (401, "invalid-token"), (401, "invalid-proof"), (403, "wrong-role"), (403, "wrong-role"), (403, "wrong-role"),
    ]  # fmt: skip


async def test_auditor_when_held_then_refused(agency: Agency) -> None:
    """A hold ends an auditor's access with the token still good."""
    machine = await agency.machine(None, "auditor")
    async with Outsider(agency.public_url, machine.id, machine.key) as auditor:
        hold, _ = await agency.hold("client", machine.id)
        held = await auditor.call("GET", PATH)
        await agency.release(hold)
    assert (held.status_code, code_of(held)) == (403, "suspended")


@pytest.mark.parametrize(
    "path",
    [
        "000.p/0",
        "000.p/256",
        "000.p/03",
        "0",
        "00",
        "0000",
        "x000/000",
        "999",
        "x999/999",
        "000.p/255",
        "-01",
        "٠٠٠",
    ],
)
async def test_bundle_when_beyond_the_log_or_not_in_its_one_spelling_then_not_found(agency: Agency, path: str) -> None:
    """A bundle has one address, and is there once a checkpoint covers it."""
    machine = await agency.machine(None, "auditor")
    async with Outsider(agency.public_url, machine.id, machine.key) as auditor:
        answer = await auditor.call("GET", f"/ledger/main/tile/entries/{path}")
        other = await auditor.call("GET", "/ledger/other/tile/entries/000.p/1")
    assert [(each.status_code, code_of(each)) for each in (answer, other)] == [(404, "not-found")] * 2


async def test_bundle_when_read_then_its_leaves_hash_to_the_public_tile(agency: Agency) -> None:
    """Length-prefixed entries, as many as the width, each hashing to its hash in the tile; kept by the auditor's own cache for ever."""
    async with at_work(agency, [11, 12]) as desk:
        await desk.disclose(11)
        await desk.disclose(12)
    machine = await agency.machine(None, "auditor")
    size = await agency.size()
    async with Outsider(agency.public_url, machine.id, machine.key) as auditor:
        for _ in range(40):
            signed = int((await auditor.http.get("/ledger/main/checkpoint")).text.split("\n")[1])
            if signed >= size:
                break
            await asyncio.sleep(0.25)
        width = min(signed, 255)
        answer = await auditor.call("GET", f"/ledger/main/tile/entries/000.p/{width}")
        tile = (await auditor.http.get(f"/ledger/main/tile/0/000.p/{width}")).content
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "application/octet-stream"
    content, leaves = answer.content, []
    while content:
        length = int.from_bytes(content[:2], "big")
        leaves.append(content[2 : 2 + length])
        content = content[2 + length :]
    assert len(leaves) == width
    assert b"".join(hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves) == tile
    assert all(set(leaf.split(b'"')[1::4]) == {b"c", b"k"} or leaf.startswith(b'{"c":"') for leaf in leaves)
    assert [word for word in (b"ofii", desk.party.name.encode(), desk.party.agent.encode()) if word in answer.content] == []


async def test_gate_role_when_it_reads_entries_itself_then_refused_but_for_a_bundle(agency: Agency) -> None:
    """The gate's role has no right to the table; its function hands out 256 leaves at most, and none that no checkpoint covers."""
    async with agency.connected("ecluse_app") as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.fetch("select leaf from ecluse.ledger_entry")
        (signed,) = await app.fetch("select max(size) as size from ecluse.ledger_checkpoint")
        beyond = await app.fetch("select leaf from ecluse.bundle_of(1::smallint, $1, 256)", signed["size"])
        nothing = await app.fetch("select leaf from ecluse.bundle_of(1::smallint, null, 256)")
        many = await app.fetch("select leaf from ecluse.bundle_of(1::smallint, 0, 1000000)")
    assert (beyond, nothing) == ([], [])
    assert len(many) <= 256
