"""The signer: the one holder of the log's keys, with a memory outside the database.

``state/log.checkpoint`` is the note signed last (0600). It is written, whole and durably, *before* the checkpoint is published,
so what is published was always remembered. The rules, in the order in which `Signer.sign` applies them:
 1. No memory, no signature (`StateMissing`); only `create_state` makes one, when a log begins or is taken over.
 2. The memory has to be this log's, signed by a key of it that is at hand (`StateInvalid`).
 3. Nothing smaller than the last size, no other root at that size (`LedgerBehind`). The same head again is the same note again,
    with the signature of a key added that is to sign and has not.
 4. Nothing that does not extend the last tree: a consistency proof has to check (`LedgerBehind`).
 5. Signed, written to a new file, fsync, renamed over the old one, fsync of the folder; then only it is handed out.
An exclusive lock on ``log.checkpoint.lock`` is held from reading to writing: two processes of one host can't both sign. A crash
before 5's rename has signed nothing that anybody saw; after it, the next round signs something at least as large.

A log has one key, or two while it changes them. Which are to sign is sealed in the log itself and stands in the database
(``ledger_key``); a key that is named there and is not at hand is looked for in its file, so no gate is restarted for it. Without
it nothing is signed (`KeyInvalid`): a database that names keys of its own gets no signature.

Store: trusted; may lose nothing. A copy from a backup is older than the truth: witnesses then catch what it can't.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ecluse.errors import ConfigurationError
from ecluse.ledger.errors import (
    KeyInvalid,
    LedgerBehind,
    NoteInvalid,
    ProofError,
    SignerHeld,
    StateExists,
    StateInvalid,
    StateMissing,
)
from ecluse.ledger.model import Checkpoint, Verifier
from ecluse.ledger.notes import (
    MAX_NOTE_BYTES,
    format_vkey,
    open_checkpoint,
    open_note,
    parse_vkey,
    sign_checkpoint,
    verifier_of_key,
)
from ecluse.ledger.tree import EMPTY_ROOT, check_consistency


def load_log_key(pem: str) -> Ed25519PrivateKey:
    """Read the log's signing key (PKCS#8 PEM). Raises `KeyInvalid` for anything but an Ed25519 key."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as bad:
        raise KeyInvalid("the log's key is not a PKCS#8 PEM key") from bad
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyInvalid("the log's key is not an Ed25519 key")
    return key


def create_state(path: Path, note: str) -> None:
    """Begin a signer's memory with a note: of the empty log, or of the checkpoint taken over. Raises `StateExists`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as there:
        raise StateExists(path.name) from there
    _fill(handle, note)
    _sync_folder(path.parent)


def _fill(handle: int, note: str) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(note.encode())
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Signer:
    """Signs checkpoints of one log, each an extension of the last. Its calls block on the disk: await them in a thread."""

    def __init__(
        self, path: Path, origin: str, *keys: Ed25519PrivateKey, find: Callable[[], Iterable[Ed25519PrivateKey]] = tuple
    ) -> None:
        """Sign for the log ``origin`` with its ``keys``; ``path``: the memory, which has to exist by the first call.

        ``find``: reads the key files anew, when a key is wanted that is not at hand.
        """
        self.origin = origin
        self._path = path
        self._find = find
        self._keys: dict[str, Ed25519PrivateKey] = {}  # by their verifier keys, those to sign with first
        self._take(keys)
        self._signing = tuple(self._keys)[:1]

    def _take(self, keys: Iterable[Ed25519PrivateKey]) -> None:
        for key in keys:
            self._keys.setdefault(format_vkey(verifier_of_key(self.origin, key)), key)

    @property
    def vkey(self) -> str:
        """Return the verifier key of what is signed here; the older one of two."""
        return self._signing[0]

    @property
    def verifiers(self) -> list[Verifier]:
        """Return the verifiers of all keys at hand: what was signed here, and what both sign, opens with them."""
        return [parse_vkey(vkey) for vkey in self._keys]

    def use(self, vkeys: Sequence[str]) -> None:
        """Sign with these keys of the log from now on, older first. Raises `KeyInvalid` where one of them is not at hand, nor in its file."""
        if not set(vkeys) <= set(self._keys):
            try:
                self._take(self._find())
            except ConfigurationError as bad:
                raise KeyInvalid(f"{bad.where}: {bad.why}") from bad
        if not vkeys or not set(vkeys) <= set(self._keys):
            raise KeyInvalid("the signer's key and origin are not those of the log")
        self._signing = tuple(vkeys)

    def empty_note(self) -> str:
        """Sign the empty log: what `create_state` begins a new log with."""
        return self._sign(Checkpoint(origin=self.origin, size=0, root=EMPTY_ROOT))

    def _sign(self, checkpoint: Checkpoint) -> str:
        return sign_checkpoint(checkpoint, *(self._keys[vkey] for vkey in self._signing))

    def signed_by_all(self, note: str) -> bool:
        """Tell whether each key that is to sign has signed this note. Raises `NoteInvalid` where none has."""
        return {format_vkey(one) for one in open_note(note, self.verifiers).signed_by} >= set(self._signing)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the right to sign on this host. Raises `SignerHeld` where another process has it; a dead one's is free."""
        try:
            handle = os.open(self._path.with_name(self._path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError as missing:
            raise StateMissing(self._path.name) from missing
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as held:
                raise SignerHeld("another process on this host is signing") from held
            yield
        finally:
            os.close(handle)

    def last(self) -> tuple[Checkpoint, str]:
        """Return the checkpoint signed last and its note (rules 1 and 2)."""
        try:
            with self._path.open("rb") as file:
                raw = file.read(MAX_NOTE_BYTES)
        except FileNotFoundError as missing:
            raise StateMissing(self._path.name) from missing
        try:
            return open_checkpoint(raw, self.verifiers, self.origin), raw.decode()
        except NoteInvalid as bad:
            raise StateInvalid(self._path.name, str(bad)) from bad

    def sign(self, size: int, root: bytes, proof: Sequence[bytes]) -> str:
        """Sign the head ``(size, root)`` and return the note, which is remembered by then. Call it inside `hold`.

        ``proof``: consistency from the last size to ``size``; empty if they are equal or the last is 0. Raises `LedgerBehind`
        (rules 3 and 4).
        """
        last, note = self.last()
        if size < last.size:
            raise LedgerBehind("the log is shorter than what was signed", signed_size=last.size, size=size)
        if size == last.size:
            if root != last.root:
                raise LedgerBehind("the log has another root than what was signed", signed_size=last.size, size=size)
            if self.signed_by_all(note):
                return note
        elif last.size:
            try:
                check_consistency(last.size, size, last.root, root, proof)
            except ProofError as bad:
                raise LedgerBehind("the log does not extend what was signed", signed_size=last.size, size=size) from bad
        note = self._sign(Checkpoint(origin=self.origin, size=size, root=root))
        self._remember(note)
        return note

    def _remember(self, note: str) -> None:
        """Replace the memory, durably (rule 5)."""
        new = self._path.with_name(self._path.name + ".new")
        _fill(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), note)
        new.replace(self._path)
        _sync_folder(self._path.parent)
