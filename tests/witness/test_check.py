"""The checks before a cosignature, each with the answer that the protocol gives it, in the order that it gives."""

from __future__ import annotations

import pytest

from ecluse.ledger.notes import sign, verifier_of_key
from ecluse.witness.check import check_extends, check_signed
from ecluse.witness.errors import LogUnknown, NotConsistent, NotSigned, RequestInvalid, SizeConflict
from ecluse.witness.model import NOTHING_SEEN, Fault, Seen
from ecluse.witness.parse import parse_request
from tests.witness.logs import (
    KEY,
    NEXT_KEY,
    NEXT_VERIFIER,
    ORIGIN,
    OTHER_KEY,
    VERIFIER,
    PublicLog,
    bad_signature,
    leaves,
    request,
    two_signatures,
)

pytestmark = pytest.mark.unit

LOG = PublicLog(leaves(40))
FORK = PublicLog(leaves(40, same=5, word="other "))
OTHER = PublicLog(leaves(40), key=OTHER_KEY)
NEXT = PublicLog(leaves(40), key=NEXT_KEY)


def seen_at(size, log=LOG):
    """Return what is remembered after a size."""
    return Seen(size=size, root=log.roots[size], note=log.note(size), at=1)


def extends(seen, old, size, *, log=LOG, proof=None):
    """Check a request against what was seen."""
    proof = log.proof(old, size) if proof is None else proof
    check_extends(parse_request(request(old, proof, log.note(size))), seen)


def test_log_when_unknown_then_said_so():
    """Check 1: a log that nobody asked this witness to watch."""
    with pytest.raises(LogUnknown):
        check_signed(parse_request(LOG.body(0, 1)), None)


@pytest.mark.parametrize(
    ("note", "trusted"),
    [
        (OTHER.note(1), [VERIFIER]),
        (LOG.note(1), []),
        (bad_signature(LOG.note(1)), [VERIFIER]),
        (two_signatures(LOG.note(1), bad_signature(LOG.note(1))), [VERIFIER]),
        (two_signatures(bad_signature(LOG.note(1)), LOG.note(1)), [VERIFIER]),
        (two_signatures(LOG.note(1), bad_signature(NEXT.note(1))), [VERIFIER, NEXT_VERIFIER]),
        (LOG.note(1).replace("\n1\n", "\n2\n"), [VERIFIER]),
        (LOG.note(1).replace(f"\u2014 {ORIGIN}", "\u2014 other.example/log"), [VERIFIER]),
        (sign(LOG.note(1).partition("\n\n")[0] + "\n", "other.example/log", KEY), [VERIFIER]),
    ],
    ids=["other key", "no key", "bad", "good and bad", "bad and good", "one of two bad", "other text", "other name", "signed as another"],
)  # fmt: skip
def test_signature_when_it_is_not_a_trusted_keys_then_refused(note, trusted):
    """Check 2: one good signature of a trusted key is needed, and none may be bad."""
    with pytest.raises(NotSigned):
        check_signed(parse_request(request(0, [], note)), trusted)


def test_signature_when_one_key_of_two_signed_then_taken():
    """While a log changes its key, either is enough, and both may stand there."""
    for note, lines in ((LOG.note(1), 1), (NEXT.note(1), 1), (two_signatures(LOG.note(1), NEXT.note(1)), 2)):
        assert check_signed(parse_request(request(0, [], note)), [VERIFIER, NEXT_VERIFIER]).count("\n\u2014 ") == lines


def test_note_when_checked_then_it_bears_the_verified_signatures_only():
    """Unknown keys' lines are ignored: they are neither believed nor handed on; the same line twice is one."""
    note = two_signatures(two_signatures(OTHER.note(1), LOG.note(1)), LOG.note(1))
    assert check_signed(parse_request(request(0, [], note)), [VERIFIER]) == LOG.note(1)


def test_extension_lines_when_signed_by_the_log_then_kept():
    """Extension lines are part of what is signed; they mean nothing here."""
    note = LOG.note(3, "a line", "\u00e9 another")
    assert check_signed(parse_request(request(0, [], note)), [VERIFIER]) == note


@pytest.mark.parametrize("seen", [NOTHING_SEEN, seen_at(5), seen_at(8)])
def test_old_size_when_above_the_new_then_refused_whatever_was_seen(seen):
    """Check 3 comes before what was seen is told."""
    with pytest.raises(RequestInvalid):
        extends(seen, 8, 7)


@pytest.mark.parametrize(("seen", "old"), [(0, 1), (5, 0), (5, 4), (5, 6), (8, 7)])
def test_old_size_when_not_the_one_cosigned_last_then_the_answer_is_that_size(seen, old):
    """Check 4: too old, too new, and nothing at all."""
    with pytest.raises(SizeConflict) as conflict:
        extends(seen_at(seen) if seen else NOTHING_SEEN, old, 8)
    assert conflict.value.size == seen


def test_size_0_when_its_root_is_not_the_empty_trees_then_refused():
    """Check 5."""
    note = sign(f"{ORIGIN}\n0\n{'A' * 43}=\n", ORIGIN, KEY)
    with pytest.raises(NotConsistent) as refused:
        check_extends(parse_request(request(0, [], note)), NOTHING_SEEN)
    assert refused.value.fault is Fault.OTHER_ROOT
    with pytest.raises(SizeConflict):
        check_extends(parse_request(request(0, [], note)), seen_at(3))


@pytest.mark.parametrize("size", [0, 1, 7])
def test_proof_when_from_size_0_then_it_has_to_be_empty(size):
    """Check 6: the empty tree is a beginning of every tree."""
    with pytest.raises(NotConsistent) as refused:
        extends(NOTHING_SEEN, 0, size, proof=[bytes(32)])
    assert refused.value.fault is Fault.PROOF
    extends(NOTHING_SEEN, 0, size)


@pytest.mark.parametrize("size", [6, 7, 8])
def test_root_when_another_at_the_same_size_then_two_histories(size):
    """Check 7: with or without a proof."""
    for proof in ([], [bytes(32)]):
        with pytest.raises(NotConsistent) as refused:
            extends(seen_at(size), size, size, log=FORK, proof=proof)
        assert refused.value.fault is Fault.OTHER_ROOT


def test_root_when_the_same_at_the_same_size_then_it_extends():
    """Check 7: a head may be cosigned again, but not with a proof of nothing."""
    extends(seen_at(7), 7, 7)
    with pytest.raises(NotConsistent):
        extends(seen_at(7), 7, 7, proof=[bytes(32)])


def test_proof_when_it_is_of_a_fork_then_refused():
    """Check 8: from every size at which the two histories differ, to every larger one."""
    for old in range(6, 20):
        for size in range(old + 1, 21):
            with pytest.raises(NotConsistent) as refused:
                extends(seen_at(old), old, size, log=FORK)
            assert refused.value.fault is Fault.PROOF


def test_proof_when_a_bit_or_a_line_is_wrong_then_refused():
    """Check 8: no proof but the right one."""
    proof = LOG.proof(6, 21)
    wrong = [[*proof[:at], bytes([proof[at][0] ^ 1, *proof[at][1:]]), *proof[at + 1 :]] for at in range(len(proof))]
    wrong += [[], proof[1:], proof[:-1], [*proof, bytes(32)], proof[::-1]]
    for one in wrong:
        with pytest.raises(NotConsistent):
            extends(seen_at(6), 6, 21, proof=one)


def test_proof_when_right_then_every_size_extends_every_smaller_one():
    """Every pair of sizes up to 24, from nothing too."""
    for old in range(25):
        for size in range(old, 25):
            extends(seen_at(old) if old else NOTHING_SEEN, old, size)


def test_verifier_when_it_is_a_witness_key_then_it_vouches_for_no_log():
    """A key of another type has another id: it does not sign for the log."""
    with pytest.raises(NotSigned):
        check_signed(parse_request(LOG.body(0, 1)), [verifier_of_key(ORIGIN, KEY, b"\x04")])
