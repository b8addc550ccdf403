r"""Signed notes, verifier keys, checkpoints, cosignatures (C2SP signed-note 1.0, tlog-checkpoint 1.0, tlog-cosignature 1.0), parsed strictly. Pure.

A note is text that ends in a newline, an empty line, then signature lines::

    example.org/ecluse/main                          origin
    20852163                                         size, canonical decimal
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=     root, base64

    — example.org/ecluse/main Az3grlgtzPICa5OS8n…    em dash, key name, base64(key id[4] || signature)

UTF-8, no control character but the newline, at most 1,000,000 bytes and 100 signatures. Keys are Ed25519 (type 0x01)::

    key id = SHA-256(name || 0x0A || 0x01 || public key[32])[:4]        vkey = name "+" hex(key id) "+" base64(0x01 || public key)

A witness's *cosignature* (type 0x04) is a signature line too, of a timestamp and more than the text::

    base64(key id[4] || seconds since 1970, big-endian[8] || Ed25519 over "cosignature/v1\ntime <seconds>\n" || text)

Each thing has one spelling; all else is refused, never repaired. The rules that other readers get wrong:
 1. Lines end in U+000A and nothing else (``str.splitlines`` knows eleven more).
 2. A number is ASCII digits without leading zero (``int()`` takes ``1_0``, ``+7``, blanks and other scripts' digits).
 3. Base64 is standard, padded, without stray bits: it must re-encode to itself.
 4. A vkey is split at its first two ``+`` (base64 holds ``+``), and its id must be the hash of its key.
 5. A bad signature by a known key refuses the note; unknown keys, known names with unknown ids included, are ignored; order does
    not matter.

Vectors: ``tests/vectors/c2sp/``.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ecluse.ledger.errors import KeyInvalid, NoteInvalid
from ecluse.ledger.model import HASH_BYTES, MAX_SIZE, Checkpoint, Cosigned, Note, Signature, Verifier
from ecluse.ledger.tree import EMPTY_ROOT

ED25519: Final = b"\x01"
COSIGNATURE: Final = b"\x04"
MAX_NOTE_BYTES: Final = 1_000_000
MAX_SIGNATURES: Final = 100

_KEY_BYTES: Final = 32
_KEY_ID_BYTES: Final = 4
_DASH: Final = "\u2014 "
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_TYPES: Final = {ED25519: "Ed25519 signatures of a log", COSIGNATURE: "Ed25519 cosignatures of a witness"}
_TIME_BYTES: Final = 8
_KEY_ID_HEX: Final = re.compile(r"[0-9a-f]{8}")


# ── spellings ────────────────────────────────────────────────────────────────────────────────────────────────────────


def parse_base64(text: str) -> bytes:
    """Read canonical standard base64 (rule 3). Raises `ValueError`."""
    try:
        raw = b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, BadBase64) as bad:
        raise ValueError("not base64") from bad
    if b64encode(raw).decode("ascii") != text:
        raise ValueError("base64 of another spelling")
    return raw


def parse_decimal(text: str) -> int:
    """Read a canonical decimal up to 2^63 - 1 (rule 2). Raises `ValueError`."""
    if _DECIMAL.fullmatch(text) is None or (number := int(text)) > MAX_SIZE:
        raise ValueError("not a canonical decimal below 2^63")
    return number


def is_key_name(name: str) -> bool:
    """Tell whether ``name`` may name a key: not empty, no white space, no control character, no ``+``."""
    return bool(name) and "+" not in name and not any(one.isspace() or one < " " for one in name) and _is_utf8(name)


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def verifier_of(name: str, public_key: bytes, algorithm: bytes = ED25519) -> Verifier:
    """Return the verifier of an Ed25519 key (32 bytes, RFC 8032) under ``name``, for `ED25519` notes or `COSIGNATURE` lines. Raises `KeyInvalid`."""
    if not is_key_name(name):
        raise KeyInvalid("a key name is not empty and has no white space, control character or plus")
    if len(public_key) != _KEY_BYTES:
        raise KeyInvalid("an Ed25519 public key has 32 bytes")
    key_id = sha256(name.encode() + b"\n" + algorithm + public_key).digest()[:_KEY_ID_BYTES]
    return Verifier(name=name, key_id=key_id, public_key=public_key, algorithm=algorithm)


def verifier_of_key(name: str, key: Ed25519PrivateKey, algorithm: bytes = ED25519) -> Verifier:
    """Return the verifier that belongs to a private key. Raises `KeyInvalid` for the name."""
    return verifier_of(name, key.public_key().public_bytes_raw(), algorithm)


def format_vkey(verifier: Verifier) -> str:
    """Write a verifier key: ``name+hex+base64``."""
    return f"{verifier.name}+{verifier.key_id.hex()}+{b64encode(verifier.algorithm + verifier.public_key).decode('ascii')}"


def parse_vkey(text: str, algorithm: bytes = ED25519) -> Verifier:
    """Read a verifier key of that type, `ED25519` of logs or `COSIGNATURE` of witnesses (rule 4). Raises `KeyInvalid`."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise KeyInvalid("a verifier key has the form name+id+key")
    name, key_id, encoded = parts
    if _KEY_ID_HEX.fullmatch(key_id) is None:
        raise KeyInvalid("a key id is 8 lower-case hex digits")
    try:
        raw = parse_base64(encoded)
    except ValueError as bad:
        raise KeyInvalid("the key is not canonical base64") from bad
    if raw[:1] != algorithm:
        raise KeyInvalid(f"the key is not of type 0x{algorithm.hex()} ({_TYPES[algorithm]})")
    verifier = verifier_of(name, raw[1:], algorithm)
    if verifier.key_id.hex() != key_id:
        raise KeyInvalid("the key id is not the hash of the key")
    return verifier


# ── notes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def sign(text: str, name: str, *keys: Ed25519PrivateKey) -> str:
    """Sign ``text`` (ends in a newline) with each key, all of one name, and return the whole note. Raises `NoteInvalid`, `KeyInvalid`."""
    _refuse_characters(text)
    if not text.endswith("\n"):
        raise NoteInvalid("a note's text ends in a newline")
    signatures = [b64encode(verifier_of_key(name, key).key_id + key.sign(text.encode())).decode("ascii") for key in keys]
    return f"{text}\n" + "".join(f"{_DASH}{name} {signature}\n" for signature in signatures)


def open_note(raw: bytes | str, known: Iterable[Verifier]) -> Note:
    """Open a signed note with the keys that are ``known`` (rules 1, 3 and 5).

    Raises `NoteInvalid` if it does not parse, a known key's signature is bad, or no known key signed; `KeyInvalid` if two known
    keys share name and id.
    """
    keys = _by_name_and_id(known)
    text, signatures = parse_note(raw)
    signed = text.encode()
    signed_by: dict[tuple[str, bytes], Verifier] = {}
    cosigned_at: dict[Verifier, int] = {}
    ignored: list[Signature] = []
    for one in signatures:
        verifier = keys.get((one.name, one.key_id))
        if verifier is None:
            ignored.append(one)
            continue
        if verifier.algorithm == COSIGNATURE:
            at = _check_cosignature(verifier, one.signature, text)
            cosigned_at[verifier] = max(at, cosigned_at.get(verifier, 0))
        else:
            _check_signature(verifier, one.signature, signed)
        signed_by[one.name, one.key_id] = verifier
    if not signed_by:
        raise NoteInvalid("no known key signed the note")
    return Note(text=text, signed_by=tuple(signed_by.values()), cosigned_at=cosigned_at, ignored=tuple(ignored))


def _check_signature(verifier: Verifier, signature: bytes, signed: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(verifier.public_key).verify(signature, signed)
    except (InvalidSignature, ValueError) as bad:
        raise NoteInvalid("the signature of a known key is bad") from bad


def _check_cosignature(verifier: Verifier, signature: bytes, text: str) -> int:
    """Check a witness's line and return its time. A time of 0 says that no time is stated, which is not for checkpoints (tlog-witness)."""
    at = int.from_bytes(signature[:_TIME_BYTES], "big")
    if not 0 < at <= MAX_SIZE:
        raise NoteInvalid("a cosignature's time is not between 1 and 2^63 - 1")
    _check_signature(verifier, signature[_TIME_BYTES:], _cosigned(text, at))
    return at


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def cosign(text: str, name: str, key: Ed25519PrivateKey, at: int) -> str:
    """Return a witness's signature line for a checkpoint's ``text``. ``at``: seconds since 1970. Whether it *may* cosign is not decided here."""
    if not 0 < at <= MAX_SIZE:
        raise AssertionError("impossible: a cosignature's time is between 1 and 2^63 - 1")
    verifier = verifier_of_key(name, key, COSIGNATURE)
    raw = verifier.key_id + at.to_bytes(_TIME_BYTES, "big") + key.sign(_cosigned(text, at))
    return f"{_DASH}{name} {b64encode(raw).decode('ascii')}\n"


def _by_name_and_id(known: Iterable[Verifier]) -> dict[tuple[str, bytes], Verifier]:
    keys: dict[tuple[str, bytes], Verifier] = {}
    for verifier in known:
        if keys.setdefault((verifier.name, verifier.key_id), verifier) != verifier:
            raise KeyInvalid("two known keys share name and id")
    return keys


def _refuse_characters(text: str) -> None:
    if any(one < " " and one != "\n" for one in text):
        raise NoteInvalid("a note has no control character but the newline")
    if not _is_utf8(text):
        raise NoteInvalid("a note is UTF-8")


def parse_note(raw: bytes | str) -> tuple[str, Sequence[Signature]]:
    """Split a note at its last empty line into text and signatures, which all have to parse; none is checked. Raises `NoteInvalid`."""
    if len(raw) > MAX_NOTE_BYTES:
        raise NoteInvalid("the note is too large")
    try:
        note = raw.decode("utf-8") if isinstance(raw, bytes) else raw
    except UnicodeDecodeError as bad:
        raise NoteInvalid("a note is UTF-8") from bad
    _refuse_characters(note)
    text, gap, tail = note.rpartition("\n\n")
    if not gap or not tail.endswith("\n"):
        raise NoteInvalid("a note is text, an empty line and signature lines")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteInvalid("the note has too many signatures")
    return text + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not is_key_name(name):
        raise NoteInvalid("a signature line is a dash, a key name and base64")
    try:
        raw = parse_base64(encoded)
    except ValueError as bad:
        raise NoteInvalid("a signature is not canonical base64") from bad
    if len(raw) <= _KEY_ID_BYTES:
        raise NoteInvalid("a signature is a key id and at least one byte")
    return Signature(name=name, key_id=raw[:_KEY_ID_BYTES], signature=raw[_KEY_ID_BYTES:])


def format_signature(signature: Signature) -> str:
    """Write a signature as its line of a note, with the newline."""
    return f"{_DASH}{signature.name} {b64encode(signature.key_id + signature.signature).decode('ascii')}\n"


# ── checkpoints ──────────────────────────────────────────────────────────────────────────────────────────────────────


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """Write a checkpoint's text, unsigned. Raises `NoteInvalid` for what could not be read back."""
    lines = (checkpoint.origin, str(checkpoint.size), b64encode(checkpoint.root).decode("ascii"), *checkpoint.extensions)
    text = "".join(f"{line}\n" for line in lines)
    if parse_checkpoint(text) != checkpoint:
        raise NoteInvalid("a line of the checkpoint holds a newline")
    return text


def parse_checkpoint(text: str, *, any_empty_root: bool = False) -> Checkpoint:
    """Read a checkpoint's text (of an opened note; unopened it proves nothing). Raises `NoteInvalid`.

    ``any_empty_root``: a root at size 0 that is not the empty tree's is left to the caller to refuse.
    """
    _refuse_characters(text)
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or "" in lines:
        raise NoteInvalid("a checkpoint has an origin, a size and a root, each on its line, and no empty line")
    try:
        size, root = parse_decimal(lines[1]), parse_base64(lines[2])
    except ValueError as bad:
        raise NoteInvalid("the size or the root of the checkpoint has another spelling") from bad
    if len(root) != HASH_BYTES or (size == 0 and root != EMPTY_ROOT and not any_empty_root):
        raise NoteInvalid("the root is not of 32 bytes, or not the empty tree's at size 0")
    return Checkpoint(origin=lines[0], size=size, root=root, extensions=tuple(lines[3:]))


def sign_checkpoint(checkpoint: Checkpoint, *keys: Ed25519PrivateKey) -> str:
    """Sign a checkpoint with the log's keys, which are named by the origin. Whether it *may* be signed is not decided here."""
    return sign(format_checkpoint(checkpoint), checkpoint.origin, *keys)


def open_checkpoint(raw: bytes | str, known: Iterable[Verifier], origin: str) -> Checkpoint:
    """Open a signed checkpoint of the log ``origin``. Raises `NoteInvalid`, also for another origin and where only other logs' keys signed."""
    return open_cosigned(raw, known, origin, ()).checkpoint


def open_cosigned(raw: bytes | str, known: Iterable[Verifier], origin: str, witnesses: Iterable[Verifier]) -> Cosigned:
    """Open a checkpoint of the log ``origin``, signed by one of its ``known`` keys, and tell which ``witnesses`` cosigned it.

    Of the ``known`` keys those named ``origin`` are the log's (tlog-policy): no other log of a policy speaks for it. Raises `NoteInvalid` for another origin,
    where no key of the log signed, and for a bad signature of any key of the log or of a witness.
    """
    logs = tuple(one for one in known if one.name == origin)
    note = open_note(raw, (*logs, *witnesses))
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != origin:
        raise NoteInvalid("the checkpoint is of another log")
    signed_by = tuple(one for one in note.signed_by if one in logs)
    if not signed_by:
        raise NoteInvalid("no known key of the log signed the checkpoint")
    return Cosigned(checkpoint=checkpoint, signed_by=signed_by, cosigned_at=note.cosigned_at)
