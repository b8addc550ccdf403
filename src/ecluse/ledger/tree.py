"""The Merkle tree: hashes, roots, inclusion and consistency proofs (RFC 9162 §2.1, the tree of RFC 6962). Pure.

    leaf = SHA-256(0x00 || entry)      node = SHA-256(0x01 || left || right)      empty tree = SHA-256("")

A tree of ``n > 1`` leaves splits at the largest power of two below ``n``. A *node* here is a complete subtree, named ``(height,
index)``: it spans the leaves ``[index << height, (index + 1) << height)``; heights are at most 62. Nodes never change once
complete, so storage holds nothing else; every other hash is folded from a few of them.

A proof is made in three steps: *plan* (which nodes, pure), *read* (once), *fold* (pure). A `Plan` has one group of nodes a hash
wanted, each group left to right, to be folded into that hash. Checks are the iterative ones of RFC 9162; they raise `ProofError`
and return nothing.

Vectors: ``tests/vectors/rfc6962/``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final, TypeAlias

from ecluse.ledger.errors import ProofError, RangeRefused
from ecluse.ledger.model import HASH_BYTES, MAX_SIZE

Node: TypeAlias = tuple[int, int]
Plan: TypeAlias = tuple[tuple[Node, ...], ...]
NodeReader: TypeAlias = Callable[[Sequence[Node]], Mapping[Node, bytes]]

EMPTY_ROOT: Final = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return the leaf hash of an entry."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node over two hashes."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes, leaf side first; `EMPTY_ROOT` where there are none. O(n)."""
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        # neighbours are paired and a last odd one moves up: the same tree as the largest-power-of-two split
        paired = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


class Frontier:
    """The complete subtrees at the right edge of a growing tree: all that an append needs.

    ``hashes`` holds one hash for each binary digit 1 of ``size``, largest subtree first. One hash an append on the average,
    O(log n) a root.
    """

    __slots__ = ("hashes", "size")

    def __init__(self) -> None:
        """Begin with the empty tree."""
        self.size = 0
        self.hashes: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        hashes, digits = self.hashes, self.size
        while digits & 1:
            leaf = sha256(b"\x01" + hashes.pop() + leaf).digest()
            digits >>= 1
        hashes.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order."""
        hashes, size = self.hashes, self.size
        for leaf in leaves:
            node, digits = leaf, size
            while digits & 1:
                node = sha256(b"\x01" + hashes.pop() + node).digest()
                digits >>= 1
            hashes.append(node)
            size += 1
        self.size = size

    def root(self) -> bytes:
        """Return the root of the tree so far."""
        return join_right(self.hashes) if self.hashes else EMPTY_ROOT


def join_right(hashes: Sequence[bytes]) -> bytes:
    """Join complete subtrees of falling size, left to right, into the hash over all of them."""
    if not hashes:
        raise AssertionError("impossible: a hash over nothing")
    joined = hashes[-1]
    for left in reversed(hashes[:-1]):
        joined = node_hash(left, joined)
    return joined


# ── plans ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _split(width: int) -> int:
    """Return the largest power of two below ``width`` (at least 2)."""
    return 1 << (width - 1).bit_length() - 1


def _span(begin: int, end: int) -> tuple[Node, ...]:
    """Return the complete subtrees over ``[begin, end)``, left to right; ``begin`` is aligned to the width."""
    nodes = []
    while begin < end:
        height = (end - begin).bit_length() - 1
        nodes.append((height, begin >> height))
        begin += 1 << height
    return tuple(nodes)


def _refuse_size(size: int) -> None:
    if not 0 <= size <= MAX_SIZE:
        raise RangeRefused("a tree's size is between 0 and 2^63 - 1")


def plan_root(size: int) -> Plan:
    """Plan the root of the tree of ``size`` leaves, at least 1: one group."""
    _refuse_size(size)
    if size == 0:
        raise RangeRefused("the empty tree has no nodes")
    return (_span(0, size),)


def plan_inclusion(index: int, size: int) -> Plan:
    """Plan the inclusion proof of leaf ``index`` in the tree of ``size`` leaves: one group a step, leaf side first."""
    _refuse_size(size)
    if not 0 <= index < size:
        raise RangeRefused("the index is not in a tree of that size")
    groups = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            groups.append(_span(middle, end))
            end = middle
        else:
            groups.append(_span(begin, middle))
            begin = middle
    return tuple(reversed(groups))


def plan_consistency(old_size: int, new_size: int) -> Plan:
    """Plan the consistency proof between two sizes, ``0 < old_size <= new_size`` (RFC 9162 §2.1.4.1).

    A proof from the empty tree would say nothing and is refused, also to the empty tree; equal sizes have an empty one.
    """
    _refuse_size(new_size)
    if not 0 < old_size <= new_size:
        raise RangeRefused("a consistency proof needs 0 < old size <= new size")
    groups = []
    begin, end = 0, new_size
    known = True  # the old root itself is one of the nodes on the way: the checker has it
    while old_size != end:
        middle = begin + _split(end - begin)
        if old_size <= middle:
            groups.append(_span(middle, end))
            end = middle
        else:
            groups.append(_span(begin, middle))
            begin, known = middle, False
    if not known:
        groups.append(_span(begin, end))
    return tuple(reversed(groups))


def nodes_of(plan: Plan) -> list[Node]:
    """List the nodes that a plan wants, sorted, each once."""
    return sorted({node for group in plan for node in group})


def fold(plan: Plan, hashes: Mapping[Node, bytes]) -> list[bytes]:
    """Fold what was read into the hashes that were planned."""
    return [join_right([hashes[node] for node in group]) for group in plan]


def inclusion_path(index: int, size: int, read: NodeReader) -> list[bytes]:
    """Return the inclusion proof of leaf ``index`` in the tree of ``size``, leaf side first; ``read`` is called once."""
    plan = plan_inclusion(index, size)
    return fold(plan, read(nodes_of(plan)))


def consistency_path(old_size: int, new_size: int, read: NodeReader) -> list[bytes]:
    """Return the consistency proof between two sizes; ``read`` is called once."""
    plan = plan_consistency(old_size, new_size)
    return fold(plan, read(nodes_of(plan)))


# ── checks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _refuse_hashes(*hashes: bytes) -> None:
    for one in hashes:
        if len(one) != HASH_BYTES:
            raise ProofError("a hash is not of 32 bytes")


def check_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Check that leaf hash ``leaf`` is at ``index`` of the tree of ``size`` leaves with that ``root`` (RFC 9162 §2.1.3.2).

    Raises `RangeRefused` for an index outside the tree, `ProofError` for everything else.
    """
    _refuse_size(size)
    if not 0 <= index < size:  # 1
        raise RangeRefused("the index is not in a tree of that size")
    _refuse_hashes(leaf, root, *path)
    fn, sn, run = index, size - 1, leaf  # 2, 3
    for step in path:  # 4
        if sn == 0:
            raise ProofError("the inclusion proof is too long")
        if fn & 1 or fn == sn:
            run = sha256(b"\x01" + step + run).digest()  # a node's hash, without the call: a fifth of the time
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            run = sha256(b"\x01" + run + step).digest()
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or run != root:  # 5
        raise ProofError("the inclusion proof does not lead to the root")


def check_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Check that the tree of ``new_size`` leaves extends the one of ``old_size`` (RFC 9162 §2.1.4.2).

    Raises `RangeRefused` unless ``0 < old_size <= new_size`` (from the empty tree nothing can be shown), `ProofError` for
    everything else.
    """
    _refuse_size(new_size)
    if not 0 < old_size <= new_size:
        raise RangeRefused("a consistency proof needs 0 < old size <= new size")
    _refuse_hashes(old_root, new_root, *path)
    if old_size == new_size:
        if path or old_root != new_root:
            raise ProofError("equal sizes have equal roots and an empty proof")
        return
    if not path:  # 1
        raise ProofError("the consistency proof is too short")
    steps = list(path)
    if old_size & (old_size - 1) == 0:  # 2
        steps.insert(0, old_root)
    fn, sn = old_size - 1, new_size - 1  # 3
    while fn & 1:  # 4
        fn, sn = fn >> 1, sn >> 1
    old_run = new_run = steps[0]  # 5
    for step in steps[1:]:  # 6
        if sn == 0:
            raise ProofError("the consistency proof is too long")
        if fn & 1 or fn == sn:
            old_run, new_run = node_hash(step, old_run), node_hash(step, new_run)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            new_run = node_hash(new_run, step)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or old_run != old_root or new_run != new_root:  # 7
        raise ProofError("the consistency proof does not lead to both roots")
