"""Checking the log's proof of an entry: a signed checkpoint and an inclusion proof.

Standards: C2SP signed-note 1.0 and tlog-checkpoint 1.0; RFC 9162 §2.1.3.2.

Pure, and written apart from the server, as ``receipts`` is. Each thing has one spelling: lines end in U+000A only, sizes are
canonical decimals, base64 is standard and encodes back to itself. A bad signature by the pinned key refuses the note; other keys'
signatures are passed over.

    vkey = name "+" hex(key id) "+" base64(0x01 || public key[32])        key id = SHA-256(name || 0x0A || 0x01 || public key)[:4]
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ecluse.client.errors import ReceiptBroken
from ecluse.client.model import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

NOTE_CHARACTERS: Final = 65_536
_ED25519: Final = b"\x01"
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY_NAME: Final = re.compile(r"[^\s+]+")
_MAX_SIZE: Final = 2**63 - 1
_HASH_BYTES: Final = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class LogKey:
    """The pinned key of a log: what was handed over when the contract was signed, not what the log says today."""

    name: str
    key_id: bytes
    public_key: bytes


def parse_vkey(vkey: str) -> LogKey:
    """Read a verifier key; raise ValueError unless it is Ed25519 and its id is its own."""
    parts = vkey.split("+", 2)  # base64 may hold "+"
    if len(parts) != 3 or not parts[0]:
        raise ValueError("a verifier key is name+id+key")
    name, raw = parts[0], _base64(parts[2])
    if raw is None or raw[:1] != _ED25519 or len(raw) != 1 + _HASH_BYTES:
        raise ValueError("the key is not Ed25519")
    key_id = sha256(name.encode() + b"\n" + raw).digest()[:4]
    if key_id.hex() != parts[1]:
        raise ValueError("the key id is not that of the key")
    return LogKey(name=name, key_id=key_id, public_key=raw[1:])


def open_checkpoint(note: str, key: LogKey) -> Checkpoint:
    """Check a signed checkpoint by the pinned key and read it; raise ``ReceiptBroken``."""
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or len(note) > NOTE_CHARACTERS or not signatures.endswith("\n") or _CONTROL.search(note):
        raise ReceiptBroken("the checkpoint is not a signed note")
    signed = text + "\n"
    found = [_verified(line, signed, key) for line in signatures[:-1].split("\n")]
    if not any(found):
        raise ReceiptBroken("the checkpoint is not signed by the pinned key")
    lines = text.split("\n")
    root = _base64(lines[2]) if len(lines) >= 3 else None
    if root is None or len(root) != _HASH_BYTES or _DECIMAL.fullmatch(lines[1]) is None or "" in lines:
        raise ReceiptBroken("the checkpoint is not origin, size and root")
    size = int(lines[1])
    if size > _MAX_SIZE or (size == 0 and root != sha256().digest()):
        raise ReceiptBroken("the checkpoint is not origin, size and root")
    return Checkpoint(origin=lines[0], size=size, root=root)


def check_inclusion(index: int, leaf_hash: bytes, path: Sequence[bytes], checkpoint: Checkpoint) -> None:
    """Check that ``leaf_hash`` is entry ``index``; ``path``: 32-byte hashes, leaf side first. Raises ``ReceiptBroken``."""
    if not 0 <= index < checkpoint.size:
        raise ReceiptBroken("the checkpoint is older than the entry")
    if any(len(step) != _HASH_BYTES for step in (leaf_hash, *path)):
        raise ReceiptBroken("a hash is not 32 bytes")
    at, last, hashed = index, checkpoint.size - 1, leaf_hash
    for step in path:
        if last == 0:
            raise ReceiptBroken("the inclusion proof is too long")
        if at & 1 or at == last:
            hashed = sha256(b"\x01" + step + hashed).digest()
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            hashed = sha256(b"\x01" + hashed + step).digest()
        at, last = at >> 1, last >> 1
    if last or hashed != checkpoint.root:
        raise ReceiptBroken("the inclusion proof does not lead to the root")


def _verified(line: str, signed: str, key: LogKey) -> bool:
    """Tell whether a signature line is the pinned key's; raise if it is and does not verify."""
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "\u2014" or _KEY_NAME.fullmatch(parts[1]) is None:
        raise ReceiptBroken("a signature line is malformed")
    raw = _base64(parts[2])
    if raw is None or len(raw) < 5:
        raise ReceiptBroken("a signature line is malformed")
    if parts[1] != key.name or raw[:4] != key.key_id:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(raw[4:], signed.encode())
    except (InvalidSignature, UnicodeEncodeError):
        raise ReceiptBroken("the pinned key's signature does not verify") from None
    return True


def _base64(text: str) -> bytes | None:
    try:
        raw = b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return raw if b64encode(raw).decode("ascii") == text else None
