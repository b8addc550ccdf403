"""The static export: folders that are refused, what stands there after a crash at any step, and a stranger's web server that serves it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from ecluse.client import AsyncClient, LogForked, check_file, parse_policy, receipt_file
from ecluse.ledger import export as exporting
from ecluse.ledger.errors import ExportRefused, LedgerBroken, NotPublished
from ecluse.ledger.export import export_log
from ecluse.ledger.model import Bundle, Tile
from ecluse.ledger.notes import open_checkpoint, parse_vkey
from ecluse.ledger.tiles import changed_tiles, tile_path
from ecluse.ledger.tree import leaf_hash, root_of
from tests.agency import ORIGIN as AGENCY_ORIGIN
from tests.agency import founded
from tests.cli.offices import Office
from tests.e2e.desk import at_work

pytestmark = pytest.mark.db

ORIGIN = "register.example/ecluse/main"


def _tree(folder):
    """Return all files of a folder by their paths."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _without_checkpoint(tree):
    return {name: raw for name, raw in tree.items() if name not in {"checkpoint", "export.json"} and not name.endswith(".new")}


def _expected(journal, size):
    """Say which tiles a log of ``size`` entries has, and what is in them, from its leaves alone."""
    files = {}
    for tile in changed_tiles(0, size):
        span = 256**tile.level
        hashes = [
            root_of(journal.leaves[at * span : (at + 1) * span]) for at in range(tile.index * 256, tile.index * 256 + tile.width)
        ]
        files[tile_path(Tile(level=tile.level, index=tile.index, width=tile.width))] = b"".join(hashes)
    return files


async def _sign(journal):
    while (await journal.integrator().round()).behind:
        pass


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_export_when_nothing_is_signed_then_refused_and_nothing_made(journal, tmp_path):
    """A log without a checkpoint has nothing that a reader could check."""
    await journal.grow(3)
    with pytest.raises(NotPublished):
        await export_log(journal.reader, 1, tmp_path / "out")
    assert not (tmp_path / "out").exists()


async def test_export_when_the_folder_is_another_things_then_refused_and_left_as_it_is(journal, tmp_path):
    """Somebody's files, another log's export, a mark that says nothing, an export that is under way."""
    await journal.grow(3)
    await _sign(journal)
    for name, files, why in (
        ("files", {"letter.txt": b"x"}, "not empty"),
        ("other", {"export.json": b'{"origin":"other.example/log"}'}, "another log, other.example/log"),
        ("torn", {"export.json": b'{"ori'}, "can't be read"),
        ("unsigned", {"export.json": f'{{"origin":"{ORIGIN}"}}'.encode(), "checkpoint": b"nonsense"}, "not one of this log"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        for file, raw in files.items():
            (folder / file).write_bytes(raw)
        with pytest.raises(ExportRefused, match=why):
            await export_log(journal.reader, 1, folder)
        assert _tree(folder) == files
    handle = os.open(tmp_path / "files", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(ExportRefused, match="another export"):
        await export_log(journal.reader, 1, tmp_path / "files")
    os.close(handle)


async def test_export_when_the_folder_is_ahead_or_of_another_history_then_refused_and_left_as_it_is(journal, tmp_path):
    """A folder that holds more than the log, or other entries, is a witness: not a byte of it is changed."""
    await journal.grow(20)
    await _sign(journal)
    await export_log(journal.reader, 1, tmp_path / "out")
    kept = _tree(tmp_path / "out")
    # rolled back to 15 entries, signed by a signer whose memory was rolled back, too
    await journal.tamper("delete from ecluse.ledger_entry where index >= 15")
    await journal.tamper("delete from ecluse.opening where index >= 15")
    await journal.owner.execute("truncate ecluse.ledger_tile, ecluse.ledger_checkpoint cascade")
    await journal.owner.execute("update ecluse.ledger_head set size = 15")
    del journal.leaves[15:]
    journal.state.write_text(journal.signer.empty_note(), encoding="utf-8")
    await _sign(journal)
    with pytest.raises(ExportRefused, match="ahead"):
        await export_log(journal.reader, 1, tmp_path / "out")
    for count in (5, 4):  # as long as before, then longer: other entries stand where those were
        await journal.grow(count)
        await _sign(journal)
        with pytest.raises(ExportRefused, match="another history"):
            await export_log(journal.reader, 1, tmp_path / "out")
    assert _tree(tmp_path / "out") == kept


@pytest.mark.parametrize(
    "statement",
    [
        "update ecluse.ledger_tile set hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1) where level = 0 and tile = 1",
        "delete from ecluse.ledger_tile where level = 0 and tile = 1",
        "update ecluse.ledger_entry set leaf = set_byte(leaf, 10, 65) where index = 270",
        "delete from ecluse.ledger_entry where index = 270",
    ],
    ids=["tile changed", "tile gone", "entry changed", "entry gone"],
)
async def test_export_when_the_stored_log_is_damaged_then_the_old_export_stands(journal, tmp_path, statement):
    """What does not lead to the checkpoint is never published: readers keep the checkpoint of before."""
    await journal.grow(200)
    await _sign(journal)
    await export_log(journal.reader, 1, tmp_path / "out", entries=True)
    before = (tmp_path / "out" / "checkpoint").read_bytes()
    await journal.grow(400)
    await _sign(journal)
    await journal.tamper(statement)
    with pytest.raises(LedgerBroken):
        await export_log(journal.reader, 1, tmp_path / "out", entries=True)
    assert (tmp_path / "out" / "checkpoint").read_bytes() == before


# ── exports ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_export_when_the_log_grows_then_tiles_checkpoint_and_bundles_are_those_of_its_leaves(journal, tmp_path):
    """Full and partial tiles, level by level; a second run writes nothing; a later one only what is new; partial tiles go when full."""
    out, said = tmp_path / "deep" / "out", []
    await journal.grow(5)
    await _sign(journal)
    first = await export_log(journal.reader, 1, out)
    assert (first.size, first.before, _without_checkpoint(_tree(out))) == (5, 0, _expected(journal, 5))
    assert (await export_log(journal.reader, 1, out)).written == 0
    await journal.grow(251 + 256 + 200)
    await _sign(journal)
    done = await export_log(journal.reader, 1, out, progress=lambda *far: said.append(far))
    assert (done.size, done.before, said[-1]) == (712, 5, (712, 712))
    assert _without_checkpoint(_tree(out)) == _expected(journal, 712)
    head = open_checkpoint((out / "checkpoint").read_bytes(), [parse_vkey(journal.signer.vkey)], ORIGIN)
    assert (head.size, head.root) == (712, root_of(journal.leaves))
    # entries, asked for later: from the beginning
    await export_log(journal.reader, 1, out, entries=True)
    leaves = []
    for index, width in ((0, 256), (1, 256), (2, 200)):
        raw = (out / tile_path(Bundle(index=index, width=width))).read_bytes()
        while raw:
            size = int.from_bytes(raw[:2], "big")
            leaves.append(leaf_hash(raw[2 : 2 + size]))
            raw = raw[2 + size :]
    assert leaves == journal.leaves
    assert {path.stat().st_mode & 0o022 for path in out.rglob("*")} == {0}


async def test_export_when_it_is_killed_at_any_write_then_the_next_run_makes_it_whole(journal, tmp_path, monkeypatch):
    """Before the checkpoint is written readers have the old log, after it the new one, and the next run ends at the same files."""
    await journal.grow(300)
    await _sign(journal)
    for name in ("killed", "whole"):
        await export_log(journal.reader, 1, tmp_path / name, entries=True)
    old = (tmp_path / "killed" / "checkpoint").read_bytes()
    await journal.grow(300)
    await _sign(journal)
    await export_log(journal.reader, 1, tmp_path / "whole", entries=True)
    new = (tmp_path / "whole" / "checkpoint").read_bytes()
    true_replace = exporting.Path.replace
    for calls in range(40):
        left, folder = [calls], tmp_path / f"killed-{calls}"
        shutil.copytree(tmp_path / "killed", folder)

        def replace(path, target, left=left):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            return true_replace(path, target)

        monkeypatch.setattr(exporting.Path, "replace", replace)
        try:
            await export_log(journal.reader, 1, folder, entries=True)
        except KeyboardInterrupt:
            assert (folder / "checkpoint").read_bytes() in {old, new}
        else:
            break
        finally:
            monkeypatch.undo()
        await export_log(journal.reader, 1, folder, entries=True)
        assert _tree(folder) == _tree(tmp_path / "whole")
    assert calls == 7  # three tiles, two bundles, the checkpoint, the mark


# ── hosted ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@contextmanager
def _hosted(folder):
    """Serve a folder with Python's own web server, which knows nothing of us; yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()


def test_mirror_when_a_plain_web_server_hosts_it_then_a_client_checks_its_receipts_against_it(postgres, tmp_path):
    """The SDK with a policy that names the mirror: a receipt's head fits the mirror's, and a mirror that lies is a fork."""
    with founded(postgres, tmp_path / "ecluse-data") as agency, _hosted(tmp_path) as url:
        asyncio.run(_check_by_mirror(agency, f"{url}out/", tmp_path))


async def _check_by_mirror(agency, url, folder):
    office, out = Office(agency.folder), folder / "out"
    vkey = (await agency.fetch("select vkey from ecluse.ledger_log"))[0]["vkey"]
    policy = parse_policy(f"log {vkey} {url}\nquorum none\n".encode())
    async with at_work(agency, [61, 62, 63]) as desk:
        pem = load_pem_private_key(desk.party.machines[0].key.as_pem(private=True), password=None)
        (folder / "client.pem").write_bytes(pem.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (folder / "client.pem").chmod(0o600)
        async with AsyncClient(
            agency.public_url, desk.machine.client, folder / "client.pem", policy=policy, unsafe_plain_http=True
        ) as client:
            person = await client.disclose(desk.handles[61], desk.party.agent, ["family_name"])
            proven = await client.proof(person)  # what the client has seen of the log is this head
            assert check_file(receipt_file(person, proven), policy).index == person.receipt.index
            await client.disclose(desk.handles[62], desk.party.agent, ["family_name"])
            size = await _exported_beyond(office, out, proven.head.checkpoint.size)
            head = await client.head(
                AGENCY_ORIGIN
            )  # from the mirror alone: its checkpoint, and its tiles that lead from one to the other
            assert head.checkpoint.size == size
            # the mirror's next head, with a tile that does not lead there
            await client.disclose(desk.handles[63], desk.party.agent, ["family_name"])
            size = await _exported_beyond(office, out, size)
            (out / "tile" / "0" / "000.p" / str(size)).write_bytes(bytes(32 * size))
            with pytest.raises(LogForked):
                await client.head(AGENCY_ORIGIN)


async def _exported_beyond(office, out, size):
    """Export until the log has been signed beyond ``size``; return how far it is."""
    for _ in range(60):
        done = await asyncio.to_thread(office.json, "ledger", "export", out)
        if done["size"] > size:
            return done["size"]
        await asyncio.sleep(0.3)
    raise AssertionError(done)
