"""The signer's memory: what it refuses to sign, and what is on the disk when it has signed."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse.errors import ConfigurationError
from ecluse.ledger.errors import KeyInvalid, LedgerBehind, SignerHeld, StateExists, StateInvalid, StateMissing
from ecluse.ledger.model import Checkpoint
from ecluse.ledger.notes import format_vkey, open_checkpoint, open_note, parse_vkey, sign_checkpoint, verifier_of_key
from ecluse.ledger.sign import Signer, create_state
from ecluse.ledger.tree import consistency_path, leaf_hash, root_of

pytestmark = pytest.mark.unit

ORIGIN = "register.example/ecluse/main"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NEXT = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
OLD_VKEY, NEW_VKEY = (format_vkey(verifier_of_key(ORIGIN, key)) for key in (KEY, NEXT))
LEAVES = [leaf_hash(bytes([number])) for number in range(20)]


def _read(nodes):
    return {(height, index): root_of(LEAVES[index << height : (index + 1) << height]) for height, index in nodes}


def _sign(signer, size):
    last, _ = signer.last()
    proof = consistency_path(last.size, size, _read) if 0 < last.size < size else []
    with signer.hold():
        return signer.sign(size, root_of(LEAVES[:size]), proof)


@pytest.fixture
def signer(tmp_path):
    """A signer that remembers the empty log."""
    signer = Signer(tmp_path / "state" / "log.checkpoint", ORIGIN, KEY)
    create_state(tmp_path / "state" / "log.checkpoint", signer.empty_note())
    return signer


def test_signer_when_it_remembers_nothing_then_refused_with_the_mend(tmp_path):
    """No memory, no signature: neither in an empty folder nor in a missing one."""
    for path in (tmp_path / "log.checkpoint", tmp_path / "missing" / "log.checkpoint"):
        signer = Signer(path, ORIGIN, KEY)
        with pytest.raises(StateMissing, match="ecluse ledger adopt"), signer.hold():
            signer.sign(1, root_of(LEAVES[:1]), [])
        assert not path.exists()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not a note",
        b"\xff",
        sign_checkpoint(Checkpoint(origin="other.example/log", size=1, root=LEAVES[0]), KEY).encode(),
        sign_checkpoint(
            Checkpoint(origin=ORIGIN, size=1, root=LEAVES[0]), Ed25519PrivateKey.from_private_bytes(bytes(32))
        ).encode(),
    ],
    ids=["empty", "text", "bytes", "other log", "other key"],
)
def test_signer_when_its_memory_is_not_its_own_then_refused(signer, tmp_path, raw):
    """A damaged memory, another log's or another key's is not believed."""
    (tmp_path / "state" / "log.checkpoint").write_bytes(raw)
    with pytest.raises(StateInvalid, match="ecluse ledger adopt"):
        _sign(signer, 5)


def test_sign_when_smaller_or_different_then_behind_and_memory_kept(signer):
    """Nothing shorter, nothing different, nothing that does not extend; the memory stays as it was."""
    note = _sign(signer, 8)
    with signer.hold():
        for size, root, proof in (
            (7, root_of(LEAVES[:7]), []),
            (8, root_of(LEAVES[1:9]), []),
            (9, root_of(LEAVES[1:10]), consistency_path(8, 9, _read)),
            (9, root_of(LEAVES[:9]), []),
        ):
            with pytest.raises(LedgerBehind, match="Nothing is signed"):
                signer.sign(size, root, proof)
    assert signer.last() == (Checkpoint(origin=ORIGIN, size=8, root=root_of(LEAVES[:8])), note)


def test_hold_when_another_signs_then_refused_until_it_ends(signer, tmp_path):
    """Two signers on one host never sign at once."""
    other = Signer(tmp_path / "state" / "log.checkpoint", ORIGIN, KEY)
    with signer.hold(), pytest.raises(SignerHeld), other.hold():
        pass
    with other.hold():
        pass


def test_create_state_when_there_is_one_then_refused(signer, tmp_path):
    """A memory is never overwritten by beginning anew."""
    with pytest.raises(StateExists):
        create_state(tmp_path / "state" / "log.checkpoint", signer.empty_note())


def test_sign_when_the_tree_grows_then_remembered_and_readable(signer, tmp_path):
    """Each head extends the last, opens with the log's key, and is on the disk, for the owner only."""
    path = tmp_path / "state" / "log.checkpoint"
    for size in (1, 2, 3, 8, 8, 20):
        note = _sign(signer, size)
        checkpoint = open_checkpoint(note, [parse_vkey(signer.vkey)], ORIGIN)
        assert checkpoint == Checkpoint(origin=ORIGIN, size=size, root=root_of(LEAVES[:size]))
        assert path.read_text(encoding="utf-8") == note
        assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in path.parent.iterdir()) == ["log.checkpoint", "log.checkpoint.lock"]


def test_sign_when_the_last_write_was_torn_then_the_old_memory_holds(signer, tmp_path):
    """A crash while the new file is written leaves the old one in force; the rest is overwritten."""
    _sign(signer, 3)
    (tmp_path / "state" / "log.checkpoint.new").write_text("half a no", encoding="utf-8")
    assert signer.last()[0].size == 3
    _sign(signer, 5)
    assert signer.last()[0].size == 5


# ── a key that is changed ────────────────────────────────────────────────────────────────────────────────────────────────────
def _signers(note):
    return [format_vkey(one) for one in open_note(note, [parse_vkey(OLD_VKEY), parse_vkey(NEW_VKEY)]).signed_by]


@pytest.mark.parametrize("vkeys", [[], [NEW_VKEY], [OLD_VKEY, NEW_VKEY]], ids=["none", "next", "both"])
def test_use_when_a_key_is_not_at_hand_then_nothing_is_signed_with_it(signer, vkeys):
    """A database that names keys which the signer has no file of gets no signature of theirs, and the present key stays in use."""
    with pytest.raises(KeyInvalid):
        signer.use(vkeys)
    assert _signers(_sign(signer, 3)) == [OLD_VKEY]


def test_use_when_the_next_keys_file_cant_be_read_then_refused_by_its_name(tmp_path):
    """What is wrong with the file is said, and nothing is signed."""

    def find():
        raise ConfigurationError("keys/log.next.key", "others than its owner may read it", "Run `chmod 600 keys/log.next.key`")

    signer = Signer(tmp_path / "log.checkpoint", ORIGIN, KEY, find=find)
    with pytest.raises(KeyInvalid, match=r"keys/log\.next\.key: others"):
        signer.use([OLD_VKEY, NEW_VKEY])


def test_use_when_the_next_key_comes_and_the_old_goes_then_each_head_has_the_signatures_of_its_time(tmp_path):
    """Old alone, the same head by both, both, new alone; the memory opens all along, and its rules hold."""
    path = tmp_path / "state" / "log.checkpoint"
    files = [KEY]
    signer = Signer(path, ORIGIN, KEY, find=lambda: tuple(files))
    create_state(path, signer.empty_note())
    assert _signers(_sign(signer, 3)) == [OLD_VKEY]
    files.append(NEXT)
    signer.use([OLD_VKEY, NEW_VKEY])
    countersigned = _sign(signer, 3)
    assert (_signers(countersigned), path.read_text(encoding="utf-8")) == ([OLD_VKEY, NEW_VKEY], countersigned)
    assert _sign(signer, 3) == countersigned
    assert _signers(_sign(signer, 8)) == [OLD_VKEY, NEW_VKEY]
    signer.use([NEW_VKEY])
    with signer.hold(), pytest.raises(LedgerBehind):
        signer.sign(7, root_of(LEAVES[:7]), [])
    assert _signers(_sign(signer, 20)) == [NEW_VKEY]
    assert Signer(path, ORIGIN, NEXT).last()[0].size == 20


def test_memory_when_the_old_key_is_gone_and_the_new_one_signed_it_too_then_believed(tmp_path):
    """The signer of the new key alone goes on from a head that both signed, and not from one that only the old key did."""
    path = tmp_path / "state" / "log.checkpoint"
    signer = Signer(path, ORIGIN, KEY, NEXT)
    create_state(path, signer.empty_note())
    _sign(signer, 3)
    with pytest.raises(StateInvalid):
        Signer(path, ORIGIN, NEXT).last()
    signer.use([OLD_VKEY, NEW_VKEY])
    _sign(signer, 3)
    after = Signer(path, ORIGIN, NEXT)
    assert _signers(_sign(after, 4)) == [NEW_VKEY]
