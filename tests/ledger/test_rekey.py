"""A second key in the middle of integration: a missing file, and a crash between the signer's memory and the database, at each place where there is one."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse.ledger.errors import KeyInvalid, LedgerSucceeded
from ecluse.ledger.integrate import Integrator
from ecluse.ledger.notes import format_vkey, open_note, parse_vkey, verifier_of_key
from ecluse.ledger.sign import Signer

pytestmark = pytest.mark.db

ORIGIN = "register.example/ecluse/main"
NEXT = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
NEW_VKEY = format_vkey(verifier_of_key(ORIGIN, NEXT))


async def _signers(journal, size):
    """Say whose signatures a published checkpoint has: ``old``, ``new``, both, or none where there is no such checkpoint."""
    note = await journal.owner.fetchval("select note from ecluse.ledger_checkpoint where size = $1", size)
    if note is None:
        return []
    names = {journal.signer.vkey: "old", NEW_VKEY: "new"}
    return [names[format_vkey(one)] for one in open_note(note, [parse_vkey(vkey) for vkey in names]).signed_by]


async def _seal_next_key(journal):
    """Let the next key sign from the next entry on, as its control entry does."""
    size = await journal.owner.fetchval("select size from ecluse.ledger_head")
    await journal.owner.execute(
        "insert into ecluse.ledger_key (log_id, vkey, from_size, added_at) values (1, $1, $2, now())", NEW_VKEY, size + 1
    )
    await journal.grow(1)


async def test_round_when_the_next_keys_file_is_not_there_then_nothing_is_signed_until_it_is(journal):
    """A key that is sealed and missing stops the signer: a head without its signature would leave its verifiers behind."""
    files = [journal.key]
    integrator = Integrator(journal.jobs, Signer(journal.state, ORIGIN, journal.key, find=lambda: tuple(files)), log_id=1)
    await journal.grow(3)
    await integrator.round()
    await _seal_next_key(journal)
    for _ in range(2):
        with pytest.raises(KeyInvalid):
            await integrator.round()
    assert (await _signers(journal, 3), await _signers(journal, 4)) == (["old"], [])
    files.append(NEXT)
    assert (await integrator.round()).behind == 1
    assert (await _signers(journal, 3), await _signers(journal, 4)) == (["old", "new"], [])
    await integrator.round()
    assert await _signers(journal, 4) == ["old", "new"]


async def test_round_when_it_is_killed_before_its_commit_then_the_next_one_ends_at_the_same_signatures(journal, monkeypatch):
    """Remembered and not published: once with the next key's signature added, once with a head of the old key alone that nobody saw."""
    integrator = Integrator(journal.jobs, Signer(journal.state, ORIGIN, journal.key, NEXT), log_id=1)
    await journal.grow(3)
    await integrator.round()

    async def killed(*_, **__):
        raise KeyboardInterrupt

    # a head of four, signed by the old key alone, is lost before its commit; then the next key is sealed
    await journal.grow(1)
    with monkeypatch.context() as patch:
        publish = Integrator._publish

        async def publish_and_die(self, *args):
            await publish(self, *args)
            raise KeyboardInterrupt

        patch.setattr(Integrator, "_publish", publish_and_die)
        with pytest.raises(KeyboardInterrupt):
            await integrator.round()
    assert await _signers(journal, 4) == []
    await _seal_next_key(journal)
    # the signature is added in the memory, and its commit is lost
    with monkeypatch.context() as patch:
        patch.setattr(Integrator, "_countersign", killed)
        with pytest.raises(KeyboardInterrupt):
            await integrator.round()
    assert await _signers(journal, 4) == []
    await integrator.round()
    assert (await _signers(journal, 4), await _signers(journal, 5)) == (["old", "new"], [])
    await integrator.round()
    assert await _signers(journal, 5) == ["old", "new"]
    assert await _signers(journal, 3) == ["old"]
    # the old key ends: the new one alone, also by a signer that has no other
    await journal.owner.execute("update ecluse.ledger_key set until_size = 6 where vkey <> $1", NEW_VKEY)
    await journal.grow(1)
    await Integrator(journal.jobs, Signer(journal.state, ORIGIN, NEXT), log_id=1).round()
    assert await _signers(journal, 6) == ["new"]


async def test_round_when_another_log_took_its_place_then_nothing_is_signed(journal):
    """A gate that was not started anew signs nothing in the log that was closed."""
    await journal.grow(3)
    await journal.owner.execute(
        "insert into ecluse.ledger_log (id, name, origin, vkey, created_at) select 2, 'main-2', origin || '-2', vkey, now() from ecluse.ledger_log"
    )
    await journal.owner.execute(
        "insert into ecluse.ledger_succession (log_id, predecessor, size, signed_size, succeeded_at) values (2, 1, 3, 3, now())"
    )
    with pytest.raises(LedgerSucceeded, match="started anew"):
        await journal.integrator().round()
    assert await _signers(journal, 3) == []
