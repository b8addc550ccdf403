"""A public log for a witness to watch: leaves, a key, and whatever its keeper may send; and a second history of the same log, as a backup allows."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from functools import cached_property
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse.ledger.model import Checkpoint, Verifier
from ecluse.ledger.notes import sign_checkpoint, verifier_of_key
from ecluse.ledger.tree import EMPTY_ROOT, Frontier, Node, consistency_path, leaf_hash, root_of

ORIGIN: Final = "agency.example/ecluse/main"
KEY: Final = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
NEXT_KEY: Final = Ed25519PrivateKey.from_private_bytes(b"n" * 32)
OTHER_KEY: Final = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
VERIFIER: Final = verifier_of_key(ORIGIN, KEY)
NEXT_VERIFIER: Final = verifier_of_key(ORIGIN, NEXT_KEY)


def leaves(count: int, *, same: int = 0, word: str = "") -> list[bytes]:
    """Return leaf hashes; two lists with other words share their first ``same``."""
    return [leaf_hash(f"{word if number >= same else ''}{number}".encode()) for number in range(count)]


class PublicLog:
    """One history of a log. Sizes are up to the number of its leaves."""

    def __init__(self, hashes: Sequence[bytes], *, origin: str = ORIGIN, key: Ed25519PrivateKey = KEY) -> None:
        """Keep the leaf hashes and the key."""
        self.hashes, self.origin, self.key = list(hashes), origin, key
        self._nodes: dict[Node, bytes] = {}

    @property
    def verifier(self) -> Verifier:
        """Its verifier key."""
        return verifier_of_key(self.origin, self.key)

    @cached_property
    def roots(self) -> list[bytes]:
        """The root of each size, from 0."""
        frontier, roots = Frontier(), [EMPTY_ROOT]
        for one in self.hashes:
            frontier.append(one)
            roots.append(frontier.root())
        return roots

    def _read(self, nodes: Sequence[Node]) -> dict[Node, bytes]:
        for height, index in nodes:
            if (height, index) not in self._nodes:
                self._nodes[height, index] = root_of(self.hashes[index << height : (index + 1) << height])
        return {node: self._nodes[node] for node in nodes}

    def head(self, size: int, *extensions: str) -> Checkpoint:
        """Return the unsigned head at a size."""
        return Checkpoint(origin=self.origin, size=size, root=self.roots[size], extensions=extensions)

    def note(self, size: int, *extensions: str) -> str:
        """Return the signed head at a size."""
        return sign_checkpoint(self.head(size, *extensions), self.key)

    def proof(self, old: int, size: int) -> list[bytes]:
        """Return the consistency proof; empty where nothing is to prove."""
        return consistency_path(old, size, self._read) if 0 < old < size else []

    def body(self, old: int, size: int) -> bytes:
        """Return an honest request."""
        return request(old, self.proof(old, size), self.note(size))


def request(old: int | str, proof: Sequence[bytes | str], note: str) -> bytes:
    """Write a request as tlog-witness has it; what is given as text is written as it stands."""
    lines = [one if isinstance(one, str) else b64encode(one).decode() for one in proof]
    return "".join(f"{line}\n" for line in (f"old {old}", *lines, "")).encode() + note.encode()


def two_signatures(first: str, second: str) -> str:
    """Return one note with the signature lines of two of the same text."""
    assert first.rpartition("\n\n")[0] == second.rpartition("\n\n")[0]
    return first + second.rpartition("\n\n")[2]


def bad_signature(note: str) -> str:
    """Return the note with its last signature damaged, in a spelling that still parses."""
    at = note.rindex(" ") + 20
    return note[:at] + ("A" if note[at] != "A" else "B") + note[at + 1 :]


def size_of(note: str) -> int:
    """Return the size that a note states."""
    return int(re.split(r"\n", note)[1])
