"""Integration on a real database: refusals of the signer, growth, election, every crash point, and what is served."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress

import asyncpg
import pytest

from ecluse.ledger import integrate
from ecluse.ledger.errors import KeyInvalid, LedgerBehind, LedgerBroken, NotPublished, RangeRefused, SignerHeld, StateMissing
from ecluse.ledger.fsck import check_log
from ecluse.ledger.integrate import Integrator
from ecluse.ledger.model import Bundle, Tile
from ecluse.ledger.notes import open_checkpoint, parse_vkey
from ecluse.ledger.serve import bundle_bytes, checkpoint, checkpoint_covering, consistency, inclusion, log_of, query, tile_bytes
from ecluse.ledger.sign import Signer
from ecluse.ledger.tree import check_consistency, check_inclusion, leaf_hash, root_of

pytestmark = pytest.mark.db

ORIGIN = "register.example/ecluse/main"


async def _eventually(condition, seconds=10.0):
    """Wait until ``condition`` (a coroutine function) holds."""
    async with asyncio.timeout(seconds):
        for _ in iter(int, 1):
            if await condition():
                return
            await asyncio.sleep(0.02)


async def _published_size(journal):
    latest = await checkpoint(journal.reader, 1)
    return -1 if latest is None else latest.size


async def _settled(journal, size):
    """Assert that the log is published up to ``size`` with the true root, and sound."""
    latest = await checkpoint(journal.reader, 1)
    assert latest is not None
    assert (latest.size, latest.root) == (size, root_of(journal.leaves[:size]))
    assert open_checkpoint(latest.note, [parse_vkey(journal.signer.vkey)], ORIGIN).size == size
    assert (await check_log(journal.reader, 1, journal.signer.vkey)).problems == ()


async def test_round_when_the_signer_remembers_nothing_then_refused_and_nothing_written(journal):
    """Without the signer's memory neither tiles nor checkpoints come to be."""
    await journal.grow(3)
    journal.state.unlink()
    with pytest.raises(StateMissing, match="ecluse ledger adopt"):
        await journal.integrator().round()
    assert await checkpoint(journal.reader, 1) is None
    assert await journal.reader.fetchval("select count(*) from ecluse.ledger_tile") == 0


async def test_round_when_the_key_is_not_the_logs_then_refused(journal):
    """A signer with another key or origin than the log's signs nothing."""
    other = Signer(journal.state, "other.example/log", journal.key)
    with pytest.raises(KeyInvalid):
        await Integrator(journal.jobs, other, log_id=1).round()
    with pytest.raises(RangeRefused):
        await Integrator(journal.jobs, journal.signer, log_id=2).round()


async def test_round_when_the_log_was_rolled_back_then_behind(journal):
    """A database restored to an earlier day is shorter than what was signed: refused at once, before anything is sealed anew."""
    await journal.grow(20)
    await journal.integrator().round()
    await journal.tamper("delete from ecluse.ledger_entry where index >= 15")
    await journal.tamper("delete from ecluse.opening where index >= 15")
    await journal.owner.execute("truncate ecluse.ledger_tile, ecluse.ledger_checkpoint")
    await journal.owner.execute("update ecluse.ledger_head set size = 15")
    with pytest.raises(LedgerBehind, match="shorter"):
        await journal.integrator().round()
    del journal.leaves[15:]
    await journal.grow(30)
    with pytest.raises(LedgerBehind, match="does not extend"):
        await journal.integrator().round()
    assert await checkpoint(journal.reader, 1) is None
    assert journal.signer.last()[0].size == 20


async def test_round_when_history_was_rewritten_at_the_same_size_then_behind(journal):
    """Another entry in the place of a signed one, with tiles made anew, gives another root: refused."""
    await journal.grow(20)
    await journal.integrator().round()
    await journal.tamper("update ecluse.ledger_entry set leaf = '{}' where index = 3")
    await journal.owner.execute("truncate ecluse.ledger_tile, ecluse.ledger_checkpoint")
    with pytest.raises(LedgerBehind, match="another root"):
        await journal.integrator().round()


async def test_round_when_a_tile_was_changed_then_refused(journal):
    """A changed tile at the right edge can't get into a signed root."""
    await journal.grow(20)
    await journal.integrator().round()
    forged = "update ecluse.ledger_tile set hashes = set_byte(hashes, 39, 255 - get_byte(hashes, 39)) where level = 0"
    await journal.owner.execute(forged)
    with pytest.raises(LedgerBehind, match="another root"):
        await journal.integrator().round()
    await journal.grow(1)
    with pytest.raises(LedgerBehind, match="does not extend"):
        await journal.integrator().round()


async def test_round_when_an_entry_is_missing_then_broken_with_its_index(journal):
    """A gap among the entries stops integration before anything is signed."""
    await journal.grow(20)
    await journal.tamper("delete from ecluse.ledger_entry where index = 7")
    with pytest.raises(LedgerBroken, match="from entry 7"):
        await journal.integrator().round()
    await journal.tamper("delete from ecluse.ledger_entry where index = 19 or index < 7")
    with pytest.raises(LedgerBroken, match="from entry 0"):
        await journal.integrator().round()


async def test_round_when_another_process_signs_then_refused_and_rolled_back(journal):
    """Where another process of the host holds the memory, the round writes nothing."""
    await journal.grow(3)
    with journal.signer.hold(), pytest.raises(SignerHeld):
        await journal.integrator().round()
    assert await checkpoint(journal.reader, 1) is None


async def test_round_when_another_has_the_turn_then_not_elected(journal):
    """While another transaction has the turn, a round does nothing; when it ends, the next one works."""
    await journal.grow(3)
    async with journal.jobs.acquire() as other, other.transaction():
        assert await other.fetchval(query("elect"), 1)
        assert not (await journal.integrator().round()).elected
    assert (await journal.integrator().round()).published


async def test_round_when_the_log_is_new_then_the_empty_head_is_published_once(journal):
    """A new log publishes size 0, and does not repeat itself."""
    first, second = await journal.integrator().round(), await journal.integrator().round()
    assert (first.published, second.published) == (True, False)
    await _settled(journal, 0)


async def test_round_when_the_log_grows_then_every_head_is_right_and_extends_the_last(journal):
    """Sizes around tile borders: true roots, and each published head extends every earlier one."""
    sizes = [0, 1, 2, 255, 256, 257, 511, 600, 1300]
    for before, size in zip([0, *sizes], sizes, strict=False):
        await journal.grow(size - before)
        assert (await journal.integrator().round()).size == size
        await _settled(journal, size)
    for old in sizes[1:]:
        for new in sizes[1:]:
            if old <= new:
                path = await consistency(journal.reader, 1, old, new)
                check_consistency(old, new, root_of(journal.leaves[:old]), root_of(journal.leaves[:new]), path)


async def test_inclusion_when_published_then_every_proof_checks(journal):
    """Proofs from stored tiles check for entries and sizes all over the log; outside of it they are refused."""
    await journal.grow(600)
    await journal.integrator().round()
    for size in (1, 256, 511, 600):
        for index in {0, size // 3, size // 2, size - 1}:
            path = await inclusion(journal.reader, 1, index, size)
            check_inclusion(index, size, journal.leaves[index], path, root_of(journal.leaves[:size]))
    await journal.grow(5)
    with pytest.raises(NotPublished):
        await inclusion(journal.reader, 1, 602, 605)
    with pytest.raises(RangeRefused):
        await inclusion(journal.reader, 1, 600, 600)
    covering = await checkpoint_covering(journal.reader, 1, 599)
    assert covering is not None
    assert covering.size == 600
    assert await checkpoint_covering(journal.reader, 1, 600) is None
    assert (await log_of(journal.reader, 1)).size == 605


async def test_tiles_when_served_then_as_the_standard_says(journal):
    """Tiles and bundles, full and partial, hold the right bytes; what no checkpoint covers is not served."""
    await journal.grow(600)
    await journal.integrator().round()
    await journal.grow(5)
    assert await tile_bytes(journal.reader, 1, Tile(level=0, index=1)) == b"".join(journal.leaves[256:512])
    assert await tile_bytes(journal.reader, 1, Tile(level=0, index=2, width=88)) == b"".join(journal.leaves[512:600])
    assert await tile_bytes(journal.reader, 1, Tile(level=0, index=2, width=3)) == b"".join(journal.leaves[512:515])
    roots = b"".join(root_of(journal.leaves[at : at + 256]) for at in (0, 256))
    assert await tile_bytes(journal.reader, 1, Tile(level=1, index=0, width=2)) == roots
    bundle = await bundle_bytes(journal.reader, 1, Bundle(index=2, width=88))
    found = []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        found.append(leaf_hash(bundle[2 : 2 + length]))
        bundle = bundle[2 + length :]
    assert found == journal.leaves[512:600]
    for absent in (
        Tile(level=0, index=2, width=89),
        Tile(level=0, index=2),
        Tile(level=1, index=0, width=3),
        Tile(level=63, index=0),
    ):
        with pytest.raises(NotPublished):
            await tile_bytes(journal.reader, 1, absent)
    with pytest.raises(NotPublished):
        await bundle_bytes(journal.reader, 1, Bundle(index=2, width=89))
    with pytest.raises(RangeRefused):
        await tile_bytes(journal.reader, 1, Tile(level=64, index=0))


async def test_round_when_more_than_a_chunk_waits_then_one_chunk_a_round(journal, monkeypatch):
    """A backlog is worked off in bounded rounds, each signed."""
    monkeypatch.setattr(integrate, "CHUNK", 300)
    await journal.grow(700)
    rounds = [await journal.integrator().round() for _ in range(4)]
    assert [(one.size, one.behind, one.published) for one in rounds] == [
        (300, 400, True), (600, 100, True), (700, 0, True), (700, 0, False),
    ]  # fmt: skip
    await _settled(journal, 700)


async def test_round_when_tiles_were_lost_then_rebuilt_before_anything_is_signed(journal, monkeypatch):
    """Tiles are derived: lost ones are hashed again, unsigned until the last signed size is reached."""
    await journal.grow(700)
    await journal.integrator().round()
    monkeypatch.setattr(integrate, "CHUNK", 300)
    await journal.owner.execute("truncate ecluse.ledger_tile")
    rounds = [await journal.integrator().round() for _ in range(3)]
    assert [(one.size, one.published) for one in rounds] == [(300, False), (600, False), (700, False)]
    await journal.owner.execute("delete from ecluse.ledger_tile where level = 0 and tile >= 1")
    await journal.grow(1)
    while (await journal.integrator().round()).behind:
        pass
    await _settled(journal, 701)


@pytest.mark.parametrize("table", ["ledger_tile", "ledger_checkpoint"])
async def test_round_when_the_connection_dies_in_the_middle_then_the_next_round_recovers(journal, table):
    """Killed before tiles are written (nothing signed), or between memory and checkpoint (signed, unpublished)."""
    await journal.grow(300)
    await journal.integrator().round()
    await journal.grow(45)
    async with journal.owner.transaction():
        await journal.owner.execute(f"lock table ecluse.{table} in exclusive mode")
        doomed = asyncio.create_task(journal.integrator().round())
        blocked = None
        while blocked is None:
            await asyncio.sleep(0.02)
            await journal.owner.execute("select pg_stat_clear_snapshot()")
            blocked = await journal.reader.fetchval("select pid from pg_locks where not granted limit 1")
        admin = await asyncpg.connect(journal.dsns["ecluse_jobs"])
        await admin.fetchval("select pg_terminate_backend($1)", blocked)
        await admin.close()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await doomed
    signed = journal.signer.last()[0].size
    assert signed == (345 if table == "ledger_checkpoint" else 300)
    published = await checkpoint(journal.reader, 1)
    assert published is not None
    assert published.size == 300
    if table == "ledger_checkpoint":
        await journal.grow(7)  # recovery may sign a larger head than the one that was lost
    assert (await journal.integrator().round()).published
    await _settled(journal, len(journal.leaves))


async def test_round_when_signed_and_unpublished_then_the_same_note_is_published(journal):
    """With no new entry, recovery publishes the very note that was remembered."""
    await journal.grow(9)
    await journal.integrator().round()
    note = journal.signer.last()[1]
    await journal.owner.execute("truncate ecluse.ledger_checkpoint, ecluse.ledger_tile")  # as if it had never committed
    assert (await journal.integrator().round()).published
    latest = await checkpoint(journal.reader, 1)
    assert latest is not None
    assert latest.note == note


WORKER = """
import asyncio, sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from ecluse.db import open_pool
from ecluse.ledger import integrate
from ecluse.ledger.sign import Signer

async def main():
    integrate._PAUSE = integrate._PAUSE * 0
    signer = Signer(Path(sys.argv[2]), sys.argv[3], Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    await integrate.Integrator(await open_pool(sys.argv[1], size=1, name="worker"), signer, log_id=1).run(asyncio.Event())

asyncio.run(main())
"""


async def test_run_when_the_process_is_killed_again_and_again_then_nothing_is_lost(journal):
    """``kill -9`` at arbitrary moments under load: each restart goes on, and the whole log checks at the end."""
    for attempt in range(4):
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            WORKER,
            journal.dsns["ecluse_jobs"],
            str(journal.state),
            ORIGIN,
            stderr=asyncio.subprocess.DEVNULL,
        )
        before = await journal.reader.fetchval("select count(*) from ecluse.ledger_checkpoint")
        async with asyncio.timeout(60):
            while await journal.reader.fetchval("select count(*) from ecluse.ledger_checkpoint") < before + 3 + attempt:
                await journal.grow(37)
        worker.send_signal(signal.SIGKILL)
        await worker.wait()

    async def _elected():  # the server may not have noticed the death yet
        return (await journal.integrator().round()).elected

    await _eventually(_elected)
    await _settled(journal, len(journal.leaves))


async def test_run_when_several_integrators_run_then_one_history(journal):
    """Three integrators on one log, entries arriving: every head is true, the last covers everything within a second."""
    stop = asyncio.Event()
    runs = [asyncio.create_task(journal.integrator().run(stop)) for _ in range(3)]
    for _ in range(8):
        await journal.grow(50)
        await asyncio.sleep(0.1)

    async def _all():
        return await _published_size(journal) == 400

    await _eventually(_all)
    stop.set()
    await asyncio.gather(*runs)
    await _settled(journal, 400)


async def test_run_when_the_signer_refuses_then_it_says_so_keeps_house_and_resumes(journal):
    """A refusal is shown, stops neither the purge nor the loop, and ends when its cause does."""
    await journal.owner.execute("insert into ecluse.proof_spent (slot, digest) values (1, 'old')")
    aside = journal.state.with_name("aside")
    journal.state.rename(aside)
    integrator, stop = journal.integrator(), asyncio.Event()
    running = asyncio.create_task(integrator.run(stop))

    async def _refused():
        return integrator.refusal is not None

    async def _kept():
        return await journal.reader.fetchval("select count(*) from ecluse.proof_spent") == 0

    async def _resumed():
        return integrator.refusal is None and integrator.last is not None

    await _eventually(_refused)
    assert isinstance(integrator.refusal, StateMissing)
    await _eventually(_kept)
    aside.rename(journal.state)
    await _eventually(_resumed)
    stop.set()
    await running
    await _settled(journal, 0)


async def test_run_when_the_database_goes_away_then_it_tries_again(journal):
    """Lost connections end neither the loop nor the log."""
    integrator, stop = journal.integrator(), asyncio.Event()
    running = asyncio.create_task(integrator.run(stop))

    async def _began():
        return integrator.last is not None

    async def _caught_up():
        return await _published_size(journal) == 5

    await _eventually(_began)
    with suppress(asyncpg.PostgresError):
        await journal.jobs.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where usename = 'ecluse_jobs' and datname = current_database()"
        )
    await journal.grow(5)
    await _eventually(_caught_up)
    stop.set()
    await running
    await _settled(journal, 5)
