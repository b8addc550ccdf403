"""A witness's use cases: begin one, tell it whom to trust, let it cosign, ask what it has seen.

A witness is a folder (0700): ``witness.key`` (Ed25519, PKCS#8 PEM, 0600) and ``witness.db``. Creating is its own act; loading never creates.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from ecluse import clock
from ecluse.errors import ConfigurationError
from ecluse.ledger.model import Verifier
from ecluse.ledger.notes import COSIGNATURE, cosign, format_vkey, is_key_name, parse_vkey, verifier_of_key
from ecluse.settings import read_secret, refuse_loose
from ecluse.witness.check import check_extends, check_signed
from ecluse.witness.errors import ClockBack, LogUnknown, NotConsistent, TrustRefused
from ecluse.witness.model import NOTHING_SEEN, Fault, RefusedHead, Seen, Submission, WitnessedLog
from ecluse.witness.parse import parse_request
from ecluse.witness.store import create_store, opened

KEY: Final = "witness.key"
STORE: Final = "witness.db"
_INIT: Final = "Run `ecluse ledger witness init`, or name the witness's folder with --dir"

log: Final = structlog.get_logger("ecluse.witness")


def create(folder: Path, name: str) -> str:
    """Begin a new witness called ``name`` in a folder of its own, and return its verifier key. A refusal or a crash leaves no half of one there."""
    if not is_key_name(name):
        raise ConfigurationError(
            "--name", "it is not a witness's name", "Write one without blanks or +, such as dpo.example/witness"
        )
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(str(folder), "the folder is not empty", "Name a new one with --dir")
    draft = folder.with_name(folder.name + ".new")
    if draft.exists():
        raise ConfigurationError(str(draft), "it is in the way: left by an init that was cut short", "Remove it")
    draft.mkdir(mode=0o700, parents=True)
    try:
        key = Ed25519PrivateKey.generate()
        vkey = format_vkey(verifier_of_key(name, key, COSIGNATURE))
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(os.open(draft / KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        create_store(draft / STORE, name, vkey)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _sync(folder.parent)
    return vkey


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Witness:
    """One witness, loaded from its folder. Its calls block on the disk: await them in a thread. Safe from any number of threads and processes."""

    def __init__(self, folder: Path, now: Callable[[], datetime] = clock.now) -> None:
        """Load the key, and check that it is this store's. Raises `ConfigurationError` for what is missing, loose or of another witness."""
        self._now = now
        self._path = folder / STORE
        self._key = _load_key(read_secret(folder / KEY, str(folder / KEY), _INIT), str(folder / KEY))
        refuse_loose(folder.lstat(), str(folder), secret=True)
        try:
            refuse_loose(self._path.lstat(), str(self._path), secret=False)
        except FileNotFoundError:
            why = "it is missing: without it this witness does not know what it cosigned"
            raise ConfigurationError(str(self._path), why, "If it is lost, begin a new witness with a new key") from None
        with opened(self._path) as store:
            if not store.is_ours():
                raise ConfigurationError(str(self._path), "it is no store of this release", "Name a witness's folder with --dir")
            self.name, self.vkey = store.identity()
        if format_vkey(verifier_of_key(self.name, self._key, COSIGNATURE)) != self.vkey:
            raise ConfigurationError(
                str(folder / KEY), "it is another witness's key", "Put back the one that this store began with"
            )

    def add_checkpoint(self, body: bytes) -> str:
        """Do what ``add-checkpoint`` asks: check, remember, and return our signature line. Raises the errors of `check`, `ClockBack`, `StoreFailed`."""
        submission = parse_request(body)
        origin, refusal, line = submission.checkpoint.origin, None, ""
        with opened(self._path) as store:
            vkeys = store.keys_of(origin)
            note = check_signed(submission, None if vkeys is None else [parse_vkey(vkey) for vkey in vkeys])
            with store.turn():
                seen, at = store.seen_of(origin) or NOTHING_SEEN, int(self._now().timestamp())
                try:
                    check_extends(submission, seen)
                except NotConsistent as found:  # it is kept, then raised: what a log signed may be evidence
                    refusal = found
                    store.keep_refused(origin, _refused(submission, note, seen, at, found.fault))
                else:
                    line = self._cosign(submission, seen, at)
                    store.remember(
                        origin, Seen(size=submission.checkpoint.size, root=submission.checkpoint.root, note=note + line, at=at)
                    )
        if refusal is not None:
            _tell_refusal(submission, seen, refusal)
            raise refusal
        log.info("witness:cosigned", log=origin, size=submission.checkpoint.size, before=seen.size)
        return line

    def _cosign(self, submission: Submission, seen: Seen, at: int) -> str:
        """Sign, unless a later head would bear an earlier time. Extension lines are signed as they are, and mean nothing to us."""
        if at < seen.at:
            log.error("witness:clock-back", log=submission.checkpoint.origin, seconds=seen.at - at)
            raise ClockBack(f"This witness's clock is {seen.at - at} s behind its last cosignature.")
        return cosign(submission.text, self.name, self._key, at)

    def latest(self, origin_hash: str) -> str:
        """Return the note cosigned last of a log, by the SHA-256 of its origin in lower-case hex. Raises `LogUnknown`."""
        with opened(self._path) as store:
            note = store.note_of(origin_hash)
        if note is None:
            raise LogUnknown("This witness has cosigned nothing of that log.")
        return note

    def trust(self, logs: Sequence[Verifier], *, add_key: bool = False) -> list[str]:
        """Watch these logs, each by its keys; return the verifier keys that are new. A further key of a known log takes ``add_key``: all or nothing."""
        new: list[str] = []
        with opened(self._path) as store, store.turn():
            known = {origin: set(store.keys_of(origin) or ()) for origin in {one.name for one in logs}}
            begun = {origin for origin in known if store.keys_of(origin) is not None}
            for one in logs:
                vkey, keys = format_vkey(one), known[one.name]
                if vkey in keys:
                    continue
                if one.name in begun and not add_key:
                    raise TrustRefused(
                        f"{one.name} is watched already, by other keys. If its log really has a further key, say --add-key"
                    )
                if any(parse_vkey(other).key_id == one.key_id for other in keys):
                    raise TrustRefused(
                        f"{one.name} has another key of the same id: no signature could tell them apart. Ask the log for another key"
                    )
                keys.add(vkey)
                store.add_key(one.name, origin_hash_of(one.name), vkey)
                new.append(vkey)
        return new

    def drop(self, logs: Iterable[Verifier]) -> None:
        """Trust these keys no more. What was seen of their logs stays. Raises `TrustRefused` for a key that is not trusted."""
        with opened(self._path) as store, store.turn():
            for one in logs:
                if format_vkey(one) not in (store.keys_of(one.name) or ()):
                    raise TrustRefused(
                        f"this key of {one.name} is not trusted here. `ecluse ledger witness show` lists those that are"
                    )
                store.drop_key(one.name, format_vkey(one))

    def logs(self) -> list[WitnessedLog]:
        """Return what is known of each log."""
        with opened(self._path) as store, store.turn():  # a turn: all of it at one instant
            return [
                WitnessedLog(
                    origin=origin, vkeys=tuple(store.keys_of(origin) or ()), seen=store.seen_of(origin), refused=store.refused_of(origin)
                )
                for origin in store.origins()
            ]  # fmt: skip


def origin_hash_of(origin: str) -> str:
    """Return how a log is named in the address of what a witness has seen of it."""
    return sha256(origin.encode()).hexdigest()


def _load_key(pem: str, where: str) -> Ed25519PrivateKey:
    """Read the witness's key."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as bad:
        raise ConfigurationError(where, "it is not a PKCS#8 PEM key", "Restore it from your safe") from bad
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(where, "it is not an Ed25519 key", "Restore it from your safe")
    return key


def _refused(submission: Submission, note: str, seen: Seen, at: int, fault: Fault) -> RefusedHead:
    head = submission.checkpoint
    return RefusedHead(fault=fault, size=head.size, root=head.root, note=note, ours=seen.note, at=at)


def _tell_refusal(submission: Submission, seen: Seen, refusal: NotConsistent) -> None:
    """Log a refused head: two histories loudly, for nobody but the log can have signed them."""
    head = submission.checkpoint
    facts = {"log": head.origin, "size": head.size, "root": head.root.hex(), "seen": seen.size, "seen_root": seen.root.hex()}
    if refusal.fault is Fault.OTHER_ROOT:
        log.error("witness:two-histories", **facts)
    else:
        log.warning("witness:not-consistent", **facts)
