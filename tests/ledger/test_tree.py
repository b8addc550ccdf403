"""The Merkle tree: standard vectors, every small tree exhaustively, and the compact range.

All bits of all proofs of the trees to 130 leaves would be 30 million checks. So there one bit of each hash is flipped, its place walking through the 256 with
sizes and indexes; in the trees to 8 leaves it is each bit of each hash.
"""

from __future__ import annotations

import json
from base64 import b64decode
from hashlib import sha256
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.ledger.errors import ProofError, RangeRefused
from ecluse.ledger.tree import (
    EMPTY_ROOT,
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_path,
    fold,
    inclusion_path,
    leaf_hash,
    node_hash,
    nodes_of,
    plan_consistency,
    plan_inclusion,
    plan_root,
    root_of,
)

pytestmark = pytest.mark.unit

VECTORS = Path(__file__).parents[1] / "vectors" / "rfc6962"
PROOFS = json.loads((VECTORS / "proofs.json").read_text(encoding="utf-8"))
LARGEST = 130
SHORT_ROOTS = "additional/sizes-are-equal-one-and-proof-is-empty"  # its two roots are 12 bytes of text


def _hashes(texts):
    return [b64decode(text) for text in texts or []]


def _recursive(leaves):
    """Hash as RFC 9162 §2.1.1 defines it, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(_recursive(leaves[:split]), _recursive(leaves[split:]))


LEAVES = [leaf_hash(f"leaf {number}".encode()) for number in range(LARGEST)]
ROOTS = [_recursive(LEAVES[:size]) for size in range(LARGEST + 1)]


def _read(nodes):
    """Answer nodes as storage would, and be stricter: sorted, no duplicates, never empty."""
    assert nodes == sorted(set(nodes))
    return {(height, index): ROOT_OF[height, index] for height, index in nodes}


ROOT_OF = {
    (height, index): _recursive(LEAVES[index << height : (index + 1) << height])
    for height in range(8)
    for index in range(LARGEST >> height)
}


def _flip(raw, bit):
    return bytes([*raw[: bit // 8], raw[bit // 8] ^ 1 << bit % 8, *raw[bit // 8 + 1 :]])


@pytest.mark.parametrize("case", [one for one in PROOFS["inclusion"] if one["wantErr"]], ids=lambda case: case["name"])
def test_check_inclusion_when_a_vector_is_bad_then_refused(case):
    """Every corrupted inclusion vector is refused."""
    with pytest.raises((ProofError, RangeRefused)):
        check_inclusion(
            case["leafIdx"], case["treeSize"], b64decode(case["leafHash"]), _hashes(case["proof"]), b64decode(case["root"])
        )


@pytest.mark.parametrize("case", [one for one in PROOFS["consistency"] if one["wantErr"]], ids=lambda case: case["name"])
def test_check_consistency_when_a_vector_is_bad_then_refused(case):
    """Every corrupted consistency vector is refused."""
    with pytest.raises((ProofError, RangeRefused)):
        check_consistency(
            case["size1"], case["size2"], b64decode(case["root1"]), b64decode(case["root2"]), _hashes(case["proof"])
        )


@pytest.mark.parametrize("case", [one for one in PROOFS["inclusion"] if not one["wantErr"]], ids=lambda case: case["name"])
def test_check_inclusion_when_a_vector_is_good_then_accepted(case):
    """Every good inclusion vector checks."""
    check_inclusion(
        case["leafIdx"], case["treeSize"], b64decode(case["leafHash"]), _hashes(case["proof"]), b64decode(case["root"])
    )


@pytest.mark.parametrize(
    "case",
    [one for one in PROOFS["consistency"] if not one["wantErr"] and one["name"] != SHORT_ROOTS],
    ids=lambda case: case["name"],
)
def test_check_consistency_when_a_vector_is_good_then_accepted(case):
    """Every good consistency vector checks."""
    check_consistency(case["size1"], case["size2"], b64decode(case["root1"]), b64decode(case["root2"]), _hashes(case["proof"]))


def test_check_consistency_when_the_vectors_roots_are_no_hashes_then_refused():
    """One good vector compares two equal roots of 12 bytes; here a root has 32, and with such roots the case is accepted."""
    (case,) = [one for one in PROOFS["consistency"] if one["name"] == SHORT_ROOTS]
    with pytest.raises(ProofError):
        check_consistency(case["size1"], case["size2"], b64decode(case["root1"]), b64decode(case["root2"]), [])
    check_consistency(case["size1"], case["size2"], ROOTS[1], ROOTS[1], [])


def test_check_when_the_proofs_are_a_real_logs_then_accepted():
    """Proofs made by another implementation, of a log with 961,984,013 entries, check; with one bit flipped they don't."""
    log = json.loads((VECTORS / "argon2020.json").read_text(encoding="utf-8"))
    size, root = log["size"], b64decode(log["root"])
    inclusion, consistency = _hashes(log["inclusion"]), _hashes(log["consistency"])
    check_inclusion(log["index"], size, b64decode(log["leaf_hash"]), inclusion, root)
    check_consistency(log["old_size"], size, b64decode(log["old_root"]), root, consistency)
    with pytest.raises(ProofError):
        check_inclusion(log["index"] + 1, size, b64decode(log["leaf_hash"]), inclusion, root)
    with pytest.raises(ProofError):
        check_consistency(log["old_size"] + 1, size, b64decode(log["old_root"]), root, consistency)


def test_root_of_when_the_classic_tree_then_the_published_roots():
    """The 8-leaf tree of Certificate Transparency has its published root at every size, 0 included."""
    classic = json.loads((VECTORS / "eight-leaves.json").read_text(encoding="utf-8"))
    leaves = [leaf_hash(bytes.fromhex(entry)) for entry in classic["entries"]]
    assert [root_of(leaves[:size]).hex() for size in range(9)] == classic["roots"]
    assert sha256(b"").digest() == EMPTY_ROOT
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_roots_when_computed_in_every_way_then_equal():
    """Recursion, pairing, the compact range and the plan give one root, for every size to 130."""
    frontier = Frontier()
    for size in range(1, LARGEST + 1):
        frontier.append(LEAVES[size - 1])
        plan = plan_root(size)
        assert root_of(LEAVES[:size]) == frontier.root() == fold(plan, _read(nodes_of(plan)))[0] == ROOTS[size]
    assert Frontier().root() == EMPTY_ROOT


def test_inclusion_when_any_tree_to_130_then_every_proof_checks_and_no_flipped_one():
    """All inclusion proofs of all trees to 130 leaves check; with one bit of an element, leaf or root flipped none does."""
    for size in range(1, LARGEST + 1):
        for index in range(size):
            path = inclusion_path(index, size, _read)
            check_inclusion(index, size, LEAVES[index], path, ROOTS[size])
            bit = (index * 37 + size * 11) % 256
            forged = [[*path[:at], _flip(path[at], bit), *path[at + 1 :]] for at in range(len(path))]
            for bad in (*forged, path[1:], [*path, LEAVES[0]]):
                if bad != path:
                    with pytest.raises(ProofError):
                        check_inclusion(index, size, LEAVES[index], bad, ROOTS[size])
            with pytest.raises(ProofError):
                check_inclusion(index, size, _flip(LEAVES[index], bit), path, ROOTS[size])
            with pytest.raises(ProofError):
                check_inclusion(index, size, LEAVES[index], path, _flip(ROOTS[size], bit))


def test_consistency_when_any_tree_to_130_then_every_proof_checks_and_no_flipped_one():
    """All consistency proofs of all trees to 130 leaves check; with one bit of any element, or of a root, flipped none does."""
    for new in range(1, LARGEST + 1):
        for old in range(1, new + 1):
            path = consistency_path(old, new, _read)
            check_consistency(old, new, ROOTS[old], ROOTS[new], path)
            bit = (old * 41 + new * 7) % 256
            forged = [[*path[:at], _flip(path[at], bit), *path[at + 1 :]] for at in range(len(path))]
            for bad in (*forged, path[1:], [*path, LEAVES[0]]):
                if bad != path:
                    with pytest.raises(ProofError):
                        check_consistency(old, new, ROOTS[old], ROOTS[new], bad)
            with pytest.raises(ProofError):
                check_consistency(old, new, _flip(ROOTS[old], bit), ROOTS[new], path)
            with pytest.raises(ProofError):
                check_consistency(old, new, ROOTS[old], _flip(ROOTS[new], bit), path)


def test_proofs_when_any_tree_to_8_then_no_bit_of_any_hash_may_flip():
    """In the small trees every bit of every hash of every proof, leaf and root counts."""
    for size in range(1, 9):
        for index in range(size):
            path = inclusion_path(index, size, _read)
            hashes = [LEAVES[index], ROOTS[size], *path]
            for at, bit in product(range(len(hashes)), range(256)):
                leaf, root, *steps = [*hashes[:at], _flip(hashes[at], bit), *hashes[at + 1 :]]
                with pytest.raises(ProofError):
                    check_inclusion(index, size, leaf, steps, root)
        for old in range(1, size + 1):
            hashes = [ROOTS[old], ROOTS[size], *consistency_path(old, size, _read)]
            for at, bit in product(range(len(hashes)), range(256)):
                before, after, *steps = [*hashes[:at], _flip(hashes[at], bit), *hashes[at + 1 :]]
                with pytest.raises(ProofError):
                    check_consistency(old, size, before, after, steps)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 1), (1, 1), (5, 3), (0, -1), (0, 2**63)])
def test_inclusion_when_the_index_is_outside_then_refused(index, size):
    """No proof is planned or checked of an index outside the tree, or of a tree that can't be."""
    with pytest.raises(RangeRefused):
        plan_inclusion(index, size)
    with pytest.raises(RangeRefused):
        check_inclusion(index, size, LEAVES[0], [], ROOTS[1])


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 5), (-1, 5), (6, 5), (1, 2**63)])
def test_consistency_when_the_sizes_say_nothing_then_refused(old, new):
    """A consistency proof from the empty tree, (0, 0) included, or backwards, is neither planned nor checked."""
    with pytest.raises(RangeRefused):
        plan_consistency(old, new)
    with pytest.raises(RangeRefused):
        check_consistency(old, new, EMPTY_ROOT, EMPTY_ROOT, [])


def test_plan_root_when_empty_then_refused():
    """The empty tree has no node to read."""
    with pytest.raises(RangeRefused):
        plan_root(0)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_check_when_a_hash_has_another_length_then_refused(length):
    """Hashes of another length are no proof, even where they would not be looked at."""
    with pytest.raises(ProofError):
        check_inclusion(0, 2, LEAVES[0], [b"x" * length], ROOTS[2])
    with pytest.raises(ProofError):
        check_consistency(1, 1, b"x" * length, b"x" * length, [])


def test_equal_sizes_when_roots_equal_then_the_empty_proof_checks():
    """A tree is consistent with itself, by the empty proof only."""
    check_consistency(7, 7, ROOTS[7], ROOTS[7], [])
    with pytest.raises(ProofError):
        check_consistency(7, 7, ROOTS[7], ROOTS[7], [LEAVES[0]])
    with pytest.raises(ProofError):
        check_consistency(7, 7, ROOTS[7], ROOTS[8], [])


@given(st.integers(min_value=1, max_value=2**63 - 1), st.data())
def test_plans_when_the_tree_is_huge_then_short_and_in_range(size, data):
    """Plans of the largest trees stay within 63 steps and name only complete nodes inside the tree."""
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    for plan in (plan_inclusion(index, size), plan_consistency(index + 1, size), plan_root(size)):
        assert len(plan) <= 64
        for height, at in nodes_of(plan):
            assert at >= 0
            assert (at + 1) << height <= size


@given(st.lists(st.integers(min_value=0, max_value=40), max_size=6))
def test_frontier_when_extended_in_parts_then_as_appended_one_by_one(parts):
    """However the leaves arrive, the frontier is the same."""
    grown, single = Frontier(), Frontier()
    at = 0
    for part in parts:
        leaves = [LEAVES[(at + place) % LARGEST] for place in range(part)]
        grown.extend(leaves)
        for leaf in leaves:
            single.append(leaf)
        at += part
    assert (grown.size, grown.hashes) == (single.size, single.hashes)
