"""The log's proof: the server's trees and notes, read by code that shares none of its own."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse.client import model
from ecluse.client.errors import ReceiptBroken
from ecluse.client.notes import open_checkpoint, parse_vkey
from ecluse.client.tree import check_inclusion
from ecluse.ledger import notes, tree
from ecluse.ledger.model import Checkpoint

pytestmark = pytest.mark.unit

ORIGIN = "gate.example/ecluse/main"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VKEY = notes.format_vkey(notes.verifier_of_key(ORIGIN, KEY))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
ROOT = sha256(b"root").digest()
NOTE = notes.sign_checkpoint(Checkpoint(origin=ORIGIN, size=7, root=ROOT), KEY)


def test_check_inclusion_when_every_small_tree_then_only_the_right_path_leads_to_the_root() -> None:
    """All trees up to 20 leaves: each path holds, and fails with one bit flipped, one step more or less, or at another index."""
    leaves = [sha256(bytes([number])).digest() for number in range(20)]
    for size in range(1, 21):
        head = model.Checkpoint(origin=ORIGIN, size=size, root=tree.root_of(leaves[:size]))
        for index in range(size):
            path = tree.inclusion_path(
                index, size, lambda wanted: {(h, n): tree.root_of(leaves[n << h : (n + 1) << h]) for h, n in wanted}
            )
            check_inclusion(index, leaves[index], path, head)
            wrong = [
                [*path, ROOT],
                [*path, b"short"],
                *([path[:-1], [bytes([path[0][0] ^ 1]) + path[0][1:], *path[1:]]] if path else []),
            ]
            for each in wrong:
                with pytest.raises(ReceiptBroken):
                    check_inclusion(index, leaves[index], each, head)
            with pytest.raises(ReceiptBroken):
                check_inclusion(size, leaves[index], path, head)


def test_open_checkpoint_when_signed_by_the_pinned_key_then_read() -> None:
    """Other signatures beside ours, before or after, make no difference."""
    expected = model.Checkpoint(origin=ORIGIN, size=7, root=ROOT)
    text, ours = NOTE.split("\n\n")
    theirs = notes.sign(text + "\n", "witness.example", OTHER).split("\n\n")[1]
    for note in (NOTE, f"{text}\n\n{theirs}{ours}", f"{text}\n\n{ours}{theirs}"):
        assert open_checkpoint(note, [parse_vkey(VKEY)]).checkpoint == expected


def test_open_checkpoint_when_not_signed_by_the_pinned_key_then_broken() -> None:
    """Unsigned, signed by others only, or badly signed by ours beside a good one: all are refused."""
    text, ours = NOTE.split("\n\n")
    other = notes.sign(text + "\n", ORIGIN, OTHER)
    flipped = ours.replace(ours[-5], "A" if ours[-5] != "A" else "B")
    bad = [
        "",
        text,
        text + "\n\n",
        other,
        f"{text}\n\n{flipped}",
        f"{text}\n\n{ours}{flipped}",
        NOTE.replace("7", "8", 1),
        NOTE[:-1],
    ]
    bad += [NOTE.replace("\u2014", "-"), NOTE.replace("\n", "\r\n"), "x" * 1_000_001]
    for note in bad:
        with pytest.raises(ReceiptBroken):
            open_checkpoint(note, [parse_vkey(VKEY)])


@pytest.mark.parametrize("size", ["07", "+7", "7 ", "1_0", "٧", "-1", ""])
def test_open_checkpoint_when_size_is_spelt_otherwise_then_broken(size: str) -> None:
    """Even signed, a size has one spelling."""
    note = notes.sign(NOTE.split("\n\n")[0].replace("\n7\n", f"\n{size}\n") + "\n", ORIGIN, KEY)
    with pytest.raises(ReceiptBroken):
        open_checkpoint(note, [parse_vkey(VKEY)])


@pytest.mark.parametrize(
    "vkey", ["", "a+b", VKEY.replace("gate", "gata"), VKEY[:-4], VKEY + "=", VKEY.replace("+AQ", "+AR", 1), "é+1+é"]
)
def test_parse_vkey_when_its_id_is_not_its_own_then_refused(vkey: str) -> None:
    """A mistyped verifier key is refused before anything is checked with it."""
    with pytest.raises(ValueError, match="key"):
        parse_vkey(vkey)
