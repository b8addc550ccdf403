"""A witness on its own disk: whom it trusts, what it remembers, what it never takes back, and what it keeps as evidence."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecluse.errors import ConfigurationError
from ecluse.ledger.errors import NoteInvalid
from ecluse.ledger.notes import COSIGNATURE, format_vkey, open_cosigned, parse_vkey, verifier_of_key
from ecluse.witness.errors import (
    ClockBack,
    LogUnknown,
    NotConsistent,
    NotSigned,
    SizeConflict,
    StoreFailed,
    TrustRefused,
    WitnessError,
)
from ecluse.witness.model import Fault
from ecluse.witness.service import Witness, create, origin_hash_of
from ecluse.witness.store import MOST_REFUSED, opened
from tests.witness.conftest import NAME
from tests.witness.logs import (
    KEY,
    NEXT_KEY,
    NEXT_VERIFIER,
    ORIGIN,
    OTHER_KEY,
    VERIFIER,
    PublicLog,
    leaves,
    request,
    size_of,
    two_signatures,
)

pytestmark = pytest.mark.unit

HASH = origin_hash_of(ORIGIN)
NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


def cosigned(witness, note):
    """Open a note as a reader with a policy does: who cosigned it, and when."""
    return open_cosigned(note, [VERIFIER, NEXT_VERIFIER], ORIGIN, [parse_vkey(witness.vkey, COSIGNATURE)])


# ── its folder ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\nb", "a\u2028b"])
def test_create_when_the_name_is_none_then_refused_and_nothing_is_left(tmp_path, name):
    """A witness's name is a key's name."""
    with pytest.raises(ConfigurationError, match="--name"):
        create(tmp_path / "w", name)
    assert list(tmp_path.iterdir()) == []


def test_create_when_something_is_there_then_refused(folder):
    """No witness is begun over another one."""
    before = (folder / "witness.key").read_bytes()
    with pytest.raises(ConfigurationError, match="not empty"):
        create(folder, NAME)
    assert (folder / "witness.key").read_bytes() == before


def test_create_when_an_earlier_one_was_cut_short_then_refused_with_the_mend(tmp_path):
    """What a crash left is named."""
    (tmp_path / "w.new").mkdir()
    with pytest.raises(ConfigurationError, match="Remove it"):
        create(tmp_path / "w", NAME)


def test_create_when_done_then_only_its_owner_reads_it(tmp_path):
    """Folder 0700, files 0600, and the verifier key is of a witness."""
    vkey = create(tmp_path / "w", NAME)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "w", *(tmp_path / "w").iterdir()]}
    assert modes == {"w": 0o700, "witness.key": 0o600, "witness.db": 0o600}
    assert parse_vkey(vkey, COSIGNATURE).name == NAME == Witness(tmp_path / "w").name


@pytest.mark.parametrize(
    ("name", "mode"), [("witness.key", 0o640), ("witness.key", 0o604), (".", 0o750), ("witness.db", 0o620), ("witness.db", 0o602)]
)
def test_witness_when_a_mode_is_loose_then_refused(folder, name, mode):
    """Who else could read the key or change the store is not let."""
    (folder / name).chmod(mode)
    with pytest.raises(ConfigurationError, match="others than its owner"):
        Witness(folder)


def test_witness_when_its_key_is_a_link_then_refused(folder, tmp_path):
    """Whoever owns the end of a link would decide."""
    (folder / "witness.key").rename(tmp_path / "elsewhere")
    (folder / "witness.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="symbolic link"):
        Witness(folder)


def test_witness_when_a_file_is_missing_then_nothing_is_made_in_its_place(folder, tmp_path):
    """Loading never creates: a store that is gone would come back empty, and cosign anything."""
    (folder / "witness.db").rename(tmp_path / "store")
    with pytest.raises(ConfigurationError, match="does not know what it cosigned"):
        Witness(folder)
    assert not (folder / "witness.db").exists()
    with pytest.raises(ConfigurationError, match="ecluse ledger witness init"):
        Witness(tmp_path / "nowhere")


def test_witness_when_the_key_is_another_witnesses_then_refused(folder, tmp_path):
    """A store belongs to one key."""
    create(tmp_path / "other", "other.example/witness")
    (tmp_path / "other" / "witness.key").replace(folder / "witness.key")
    with pytest.raises(ConfigurationError, match="another witness's key"):
        Witness(folder)


@pytest.mark.parametrize("raw", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"])
def test_witness_when_its_key_is_damaged_then_refused(folder, raw):
    """A damaged key is named."""
    (folder / "witness.key").write_bytes(raw)
    with pytest.raises(ConfigurationError, match=r"witness\.key"):
        Witness(folder)


def test_witness_when_the_store_is_another_file_then_refused(folder):
    """Neither noise nor somebody else's database is a store."""
    (folder / "witness.db").write_bytes(b"noise" * 1000)
    with pytest.raises(StoreFailed):
        Witness(folder)
    (folder / "witness.db").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="no store of this release"):
        Witness(folder)


# ── whom it trusts ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_trust_when_the_log_has_other_keys_then_refused_unless_said(witness, log):
    """A further key of a known log is taken only when that was meant."""
    with pytest.raises(TrustRefused, match="--add-key"):
        witness.trust([NEXT_VERIFIER])
    with pytest.raises(NotSigned):
        witness.add_checkpoint(request(0, [], PublicLog(log.hashes, key=NEXT_KEY).note(1)))
    assert witness.trust([VERIFIER, NEXT_VERIFIER], add_key=True) == [format_vkey(NEXT_VERIFIER)]
    witness.add_checkpoint(request(0, [], PublicLog(log.hashes, key=NEXT_KEY).note(1)))


def test_trust_when_one_of_several_is_refused_then_none_is_taken(witness):
    """All or nothing."""
    new = verifier_of_key("new.example/log", OTHER_KEY)
    with pytest.raises(TrustRefused):
        witness.trust([new, NEXT_VERIFIER])
    assert [one.origin for one in witness.logs()] == [ORIGIN]


def test_trust_when_a_new_log_has_two_keys_then_both_are_taken(folder):
    """A policy may name both keys of a log that is changing them."""
    witness = Witness(folder)
    assert len(witness.trust([VERIFIER, NEXT_VERIFIER])) == 2
    assert witness.trust([VERIFIER]) == []


def test_trust_when_two_keys_share_name_and_id_then_refused(witness, monkeypatch):
    """Signatures of the two could not be told apart: a key id has 32 bits, and can be aimed at."""
    twin = type(NEXT_VERIFIER)(name=ORIGIN, key_id=VERIFIER.key_id, public_key=NEXT_VERIFIER.public_key)
    with pytest.raises(TrustRefused, match="same id"):
        witness.trust([twin], add_key=True)


def test_drop_when_a_key_is_stolen_then_it_vouches_no_more_and_what_was_seen_stays(witness, log):
    """A log without keys is known still, and its head too."""
    witness.add_checkpoint(log.body(0, 7))
    with pytest.raises(TrustRefused):
        witness.drop([NEXT_VERIFIER])
    witness.drop([VERIFIER])
    with pytest.raises(NotSigned):
        witness.add_checkpoint(log.body(7, 8))
    assert size_of(witness.latest(HASH)) == 7
    witness.trust([NEXT_VERIFIER], add_key=True)
    with pytest.raises(SizeConflict):
        witness.add_checkpoint(request(0, [], PublicLog(log.hashes, key=NEXT_KEY).note(8)))


# ── what it cosigns ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_checkpoint_when_the_log_is_unknown_then_refused_and_nothing_is_kept(witness):
    """A stranger's log leaves no trace."""
    with pytest.raises(LogUnknown):
        witness.add_checkpoint(PublicLog(leaves(3), origin="other.example/log").body(0, 3))
    with pytest.raises(LogUnknown):
        witness.latest(origin_hash_of("other.example/log"))
    assert [one.origin for one in witness.logs()] == [ORIGIN]


def test_checkpoint_when_it_extends_then_cosigned_at_this_time_and_handed_out(folder, log):
    """The line opens with the witness's key, and monitors get the note with the log's signature and ours."""
    witness = Witness(folder, now=lambda: NOW)
    witness.trust([VERIFIER])
    with pytest.raises(LogUnknown):
        witness.latest(HASH)
    for old, size in ((0, 1), (1, 8), (8, 13), (13, 40)):
        line = witness.add_checkpoint(log.body(old, size))
        found = cosigned(witness, log.note(size) + line)
        assert (found.checkpoint, list(found.cosigned_at.values())) == (log.head(size), [int(NOW.timestamp())])
        assert witness.latest(HASH) == log.note(size) + line


def test_checkpoint_when_the_log_is_empty_then_cosigned(witness, log):
    """A log may ask before its first entry, and again, and then go on."""
    for _ in range(2):
        witness.add_checkpoint(log.body(0, 0))
    assert size_of(witness.latest(HASH)) == 0
    witness.add_checkpoint(log.body(0, 3))
    with pytest.raises(SizeConflict):
        witness.add_checkpoint(log.body(0, 0))


def test_checkpoint_when_sent_again_then_cosigned_again_at_the_later_time(folder, log):
    """A log that lost the answer, or is quiet, gets a fresh cosignature of the same head."""
    times = iter([NOW, NOW + timedelta(seconds=90)])
    witness = Witness(folder, now=lambda: next(times))
    witness.trust([VERIFIER])
    witness.add_checkpoint(log.body(0, 5))
    again = log.note(5) + witness.add_checkpoint(log.body(5, 5))
    assert list(cosigned(witness, again).cosigned_at.values()) == [int(NOW.timestamp()) + 90]
    assert witness.latest(HASH) == again


def test_checkpoint_when_it_bears_many_signatures_then_only_verified_ones_are_handed_out(witness, log):
    """Unknown keys' lines are neither refused nor passed on."""
    witness.trust([NEXT_VERIFIER], add_key=True)
    other, following = (PublicLog(log.hashes, key=key).note(5) for key in (OTHER_KEY, NEXT_KEY))
    both = two_signatures(log.note(5), following)
    line = witness.add_checkpoint(request(0, [], two_signatures(both, other)))
    assert witness.latest(HASH) == both + line
    assert len(cosigned(witness, both + line).signed_by) == 2


def test_checkpoint_when_it_has_extension_lines_then_signed_as_they_are(witness, log):
    """Other extension lines at the same size are no other history: only size and root are judged."""
    one = log.note(5, "first")
    line = witness.add_checkpoint(request(0, [], one))
    assert cosigned(witness, one + line).checkpoint.extensions == ("first",)
    other = log.note(5, "second", "third")
    line = witness.add_checkpoint(request(5, [], other))
    assert cosigned(witness, other + line).checkpoint.extensions == ("second", "third")
    with pytest.raises(NoteInvalid):
        cosigned(witness, one + line)


def test_clock_when_it_went_back_then_nothing_is_cosigned(folder, log):
    """A later head never bears an earlier time; the same second is not earlier."""
    times = iter([NOW, NOW - timedelta(seconds=2), NOW])
    witness = Witness(folder, now=lambda: next(times))
    witness.trust([VERIFIER])
    first = witness.add_checkpoint(log.body(0, 5))
    with pytest.raises(ClockBack, match="2 s"):
        witness.add_checkpoint(log.body(5, 6))
    assert witness.latest(HASH) == log.note(5) + first
    witness.add_checkpoint(log.body(5, 6))


# ── two histories ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_fork_when_a_backup_lives_on_then_the_second_history_is_refused(witness, log, fork):
    """The log is put back to five entries and goes on otherwise: whatever it says of the old size, no head of it is cosigned."""
    witness.add_checkpoint(log.body(0, 5))
    witness.add_checkpoint(log.body(5, 20))
    for old, size in ((0, 6), (5, 6), (5, 21), (20, 20), (20, 21), (20, 30), (19, 30)):
        with pytest.raises((SizeConflict, NotConsistent)):
            witness.add_checkpoint(fork.body(old, size))
    with pytest.raises(NotConsistent):
        witness.add_checkpoint(request(20, log.proof(20, 21), fork.note(21)))
    assert size_of(witness.latest(HASH)) == 20
    witness.add_checkpoint(log.body(20, 21))


def test_fork_when_at_the_same_size_then_both_heads_are_kept_as_evidence(witness, log, fork):
    """Two heads of one size under the log's own key prove two histories to anybody."""
    ours = log.note(9) + witness.add_checkpoint(log.body(0, 9))
    with pytest.raises(NotConsistent) as refused:
        witness.add_checkpoint(request(9, [], fork.note(9)))
    assert refused.value.fault is Fault.OTHER_ROOT
    (watched,) = witness.logs()
    (head,) = watched.refused
    assert (head.fault, head.size, head.root, head.note, head.ours) == (Fault.OTHER_ROOT, 9, fork.roots[9], fork.note(9), ours)


def test_refused_heads_when_many_come_then_the_newest_are_kept_and_none_of_another_kind_is_lost(witness):
    """Wrong proofs, which anybody can send, never push the evidence out, and the store does not grow."""
    long, other = PublicLog(leaves(60)), PublicLog(leaves(60, same=5, word="other "))
    witness.add_checkpoint(long.body(0, 9))
    with pytest.raises(NotConsistent):
        witness.add_checkpoint(request(9, [], other.note(9)))
    for size in [*range(10, 60), *range(10, 12)]:
        with pytest.raises(NotConsistent):
            witness.add_checkpoint(request(9, [], long.note(size)))
    (watched,) = witness.logs()
    assert [head.size for head in watched.refused if head.fault is Fault.OTHER_ROOT] == [9]
    assert len([head for head in watched.refused if head.fault is Fault.PROOF]) == MOST_REFUSED
    witness.add_checkpoint(long.body(9, 10))


# ── its store ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "statement",
    ["delete from seen", "update seen set size = size - 1", "update seen set at = at - 1", "update seen set root = zeroblob(32)",
     "update seen set origin = 'other.example/log'", "insert or replace into seen (origin, size, root, note, at) values ('x', '7', zeroblob(32), '', 1)"],
)  # fmt: skip
def test_store_when_what_was_seen_would_go_back_then_it_refuses_by_itself(folder, witness, log, statement):
    """Even a bug of ours could not write it."""
    witness.add_checkpoint(log.body(0, 9))
    with pytest.raises(StoreFailed), opened(folder / "witness.db") as store, store.turn():
        store._connection.execute(statement)
    assert size_of(witness.latest(HASH)) == 9


def test_store_when_another_process_holds_it_then_refused_and_nothing_is_cosigned(folder, witness, log, monkeypatch):
    """A lock that does not end in time is an answer to come back later."""
    monkeypatch.setattr("ecluse.witness.store._WAIT_SECONDS", 0.05)
    holder = sqlite3.connect(folder / "witness.db", isolation_level=None)
    holder.execute("begin immediate")
    with pytest.raises(StoreFailed, match="BUSY"):
        witness.add_checkpoint(log.body(0, 9))
    holder.close()
    witness.add_checkpoint(log.body(0, 9))


def test_store_when_a_turn_fails_then_nothing_of_it_stays(folder, witness, log):
    """A crash before the end of a turn leaves what was before it."""
    witness.add_checkpoint(log.body(0, 9))
    with opened(folder / "witness.db") as store:
        seen = store.seen_of(ORIGIN)
        assert seen is not None
        with suppress(KeyboardInterrupt), store.turn():
            store.remember(ORIGIN, type(seen)(size=30, root=log.roots[30], note="x", at=seen.at + 1))
            raise KeyboardInterrupt
        assert store.seen_of(ORIGIN) == seen


def test_store_when_opened_then_commits_reach_the_disk_and_its_folder(folder, witness):
    """The journal's end is synced too: a power cut does not bring it back."""
    with opened(folder / "witness.db") as store:
        facts = {
            name: store._connection.execute(f"pragma {name}").fetchone()[0]
            for name in ("synchronous", "journal_mode", "foreign_keys")
        }
    assert facts == {"synchronous": 3, "journal_mode": "delete", "foreign_keys": 1}


# ── whatever is sent ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    size=st.integers(5, 7),
    at=st.integers(0, 999),
    gone=st.integers(0, 8),
    put=st.binary(max_size=4) | st.sampled_from([b"\n", b"\n\n", b"=", b"0", b"1", "\u2014 ".encode(), b"A"]),
)
def test_request_when_damaged_anywhere_then_only_what_the_log_signed_is_cosigned(folder, witness, log, size, at, gone, put):
    """Damage to an honest request is refused by an error of ours, or touched nothing that the log had signed."""
    store = folder / "witness.db"
    if not (begun := folder / "begun").exists():
        witness.add_checkpoint(log.body(0, 5))
        begun.write_bytes(store.read_bytes())
    store.write_bytes(begun.read_bytes())
    raw = log.body(5, size)
    raw = raw[: at % len(raw)] + put + raw[at % len(raw) + gone :]
    try:
        witness.add_checkpoint(raw)
    except WitnessError:
        assert size_of(witness.latest(HASH)) == 5
    else:
        assert cosigned(witness, witness.latest(HASH)).checkpoint == log.head(size)


def test_notes_when_the_log_signs_by_hand_then_the_origin_decides(witness, log):
    """The key alone does not make a log: a note of another origin under the same key is another log's."""
    other = PublicLog(log.hashes, origin="other.example/log", key=KEY)
    with pytest.raises(LogUnknown):
        witness.add_checkpoint(other.body(0, 1))
