r"""Signed checkpoints: verifier keys, signed notes, a log's signatures and witnesses' cosignatures.

Standards: C2SP signed-note 1.0, tlog-checkpoint 1.0, tlog-cosignature 1.0 (Ed25519). Vectors: ``tests/vectors/c2sp/``.

Pure, and written apart from the server, as ``receipts`` is. Each thing has one spelling: lines end in U+000A only, numbers are
canonical decimals, base64 is standard and encodes back to itself. A bad signature by a known key refuses the note; the lines of
other keys are passed over, and so are new kinds of signature.

    vkey = name "+" hex(key id) "+" base64(kind || public key[32])          key id = SHA-256(name || 0x0A || kind || public key)[:4]
    kind 0x01, a log:      base64(key id || Ed25519 over the text)
    kind 0x04, a witness:  base64(key id || time[8] || Ed25519 over "cosignature/v1\ntime <time>\n" || the text)
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ecluse.client.errors import ReceiptBroken
from ecluse.client.model import Checkpoint, Head, Key

LOG: Final = b"\x01"
WITNESS: Final = b"\x04"
MOST_NOTE_BYTES: Final = 1_000_000
MOST_SIGNATURES: Final = 100
MOST_NUMBER: Final = 2**63 - 1
HASH_BYTES: Final = 32
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY_NAME: Final = re.compile(r"[^\s+\x00-\x1f]+")
_KINDS: Final = {LOG: "a log's (Ed25519, type 0x01)", WITNESS: "a witness's (Ed25519 cosignature, type 0x04)"}


def parse_vkey(vkey: str, kind: bytes = LOG) -> Key:
    """Read a verifier key, of a log or of a witness; raise ValueError unless it is Ed25519 of that kind and its id is its own."""
    parts = vkey.split("+", 2)  # base64 may hold "+"
    if len(parts) != 3 or _KEY_NAME.fullmatch(parts[0]) is None:
        raise ValueError("a verifier key is name+id+key")
    name, raw = parts[0], parse_base64(parts[2])
    if raw is None or raw[:1] != kind or len(raw) != 1 + HASH_BYTES:
        raise ValueError(f"the key is not {_KINDS[kind]}")
    try:
        key_id = sha256(name.encode() + b"\n" + raw).digest()[:4]
    except UnicodeEncodeError:
        raise ValueError("the name of the key is not UTF-8") from None
    if key_id.hex() != parts[1]:
        raise ValueError("the key id is not that of the key")
    return Key(name=name, key_id=key_id, public_key=raw[1:])


def open_checkpoint(note: str | bytes, logs: Iterable[Key], witnesses: Iterable[Key] = ()) -> Head:
    """Check a signed checkpoint by the keys of logs and witnesses that are known, and read it; raise ``ReceiptBroken``.

    1 a signed note; 2 every known key's signature verifies; 3 origin, size and root; 4 signed by a known key of that origin.
    How many witnesses are enough is not decided here.
    """
    text, lines = _split(note)  # 1
    written = note if isinstance(note, str) else note.decode()
    by_log, by_witness = _named(logs), _named(witnesses)
    signed: list[Key] = []
    cosigned: dict[Key, int] = {}
    for name, key_id, rest in lines:  # 2
        if (key := by_log.get((name, key_id))) is not None:
            _verify(key, rest, text.encode(), "log")
            signed.append(key)
        elif (key := by_witness.get((name, key_id))) is not None:
            at = int.from_bytes(rest[:8], "big")
            if not 0 < at <= MOST_NUMBER:
                raise ReceiptBroken("a witness's signature has no time")
            _verify(key, rest[8:], f"cosignature/v1\ntime {at}\n{text}".encode(), "witness")
            cosigned[key] = max(at, cosigned.get(key, 0))
    checkpoint = parse_checkpoint(text)  # 3
    signed_by = tuple(dict.fromkeys(key for key in signed if key.name == checkpoint.origin))  # 4
    if not signed_by:
        raise ReceiptBroken("the checkpoint is not signed by a log that is trusted")
    return Head(checkpoint=checkpoint, note=written, signed_by=signed_by, cosigned_at=cosigned)


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's text, which unopened proves nothing; raise ``ReceiptBroken``."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or "" in lines or _CONTROL.search(text):
        raise ReceiptBroken("the checkpoint is not origin, size and root")
    size, root = parse_decimal(lines[1]), parse_base64(lines[2])
    if size is None or root is None or len(root) != HASH_BYTES or (size == 0 and root != sha256().digest()):
        raise ReceiptBroken("the checkpoint is not origin, size and root")
    return Checkpoint(origin=lines[0], size=size, root=root)


def parse_decimal(text: str) -> int | None:
    """Read a canonical decimal up to 2^63 - 1; None for any other spelling."""
    number = int(text) if _DECIMAL.fullmatch(text) else None
    return number if number is None or number <= MOST_NUMBER else None


def parse_base64(text: str) -> bytes | None:
    """Read standard base64 that encodes back to itself; None for any other spelling."""
    try:
        raw = b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return raw if b64encode(raw).decode("ascii") == text else None


def _split(note: str | bytes) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """Split a note at its last empty line: the text, and each signature's key name, key id and bytes."""
    if len(note) > MOST_NOTE_BYTES:
        raise ReceiptBroken("the checkpoint is too large")
    try:
        whole = note.decode() if isinstance(note, bytes) else note
        whole.encode()
    except UnicodeError:
        raise ReceiptBroken("the checkpoint is not UTF-8") from None
    text, gap, tail = whole.rpartition("\n\n")
    if not gap or not tail.endswith("\n") or _CONTROL.search(whole):
        raise ReceiptBroken("the checkpoint is not a signed note")
    lines = tail[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise ReceiptBroken("the checkpoint has too many signatures")
    return text + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    parts = line.split(" ")
    raw = parse_base64(parts[2]) if len(parts) == 3 else None
    if raw is None or parts[0] != "\u2014" or _KEY_NAME.fullmatch(parts[1]) is None or len(raw) < 5:
        raise ReceiptBroken("a signature line is malformed")
    return parts[1], raw[:4], raw[4:]


def _named(keys: Iterable[Key]) -> dict[tuple[str, bytes], Key]:
    return {(key.name, key.key_id): key for key in keys}


def _verify(key: Key, signature: bytes, signed: bytes, whose: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, signed)
    except (InvalidSignature, ValueError):
        raise ReceiptBroken(f"the signature of a known {whose} does not verify") from None
