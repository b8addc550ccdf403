"""The heads of the log that this client has verified: it keeps the newest of each log, and so witnesses that history never forked.

Store: in memory, and in a folder if one is given, one signed note a log, replaced whole. It is trusted, and may lose what is not the
newest; lost, the client only forgets what it saw. Several processes may share the folder: each checks against what the others saw.
The note may be given to anybody (``ecluse ledger fsck --against``): it says nothing but the log's name, size and root.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Final

from ecluse.client.errors import LogForked, ReceiptBroken
from ecluse.client.model import Head
from ecluse.client.notes import open_checkpoint
from ecluse.client.trust import Policy
from ecluse.errors import ConfigurationError

MOST_FORKS_KEPT: Final = 16


class Pins:
    """The newest verified head of each log. Its methods may be called from several threads."""

    def __init__(self, policy: Policy, folder: Path | None) -> None:
        """Remember in memory, and in ``folder``, which is made if it is not there; raise ``ConfigurationError`` if it can't be used."""
        self._policy, self._folder = policy, folder
        self._newest: dict[str, Head] = {}
        self._one = Lock()
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as bad:
                raise ConfigurationError(
                    str(folder), f"it can't be made ({type(bad).__name__})", "Name a folder of your own."
                ) from None
            for origin in {log.key.name for log in policy.logs}:
                self._kept(origin)

    def seen(self, origin: str) -> list[Head]:
        """Return what a head of this log has to fit: the newest seen by this process, and by another one that shares the folder."""
        ours, kept = self._newest.get(origin), self._kept(origin)
        return [
            head for head in (ours, None if kept is not None and ours is not None and kept.note == ours.note else kept) if head
        ]

    def keep(self, head: Head, fits: Sequence[Head]) -> bool:
        """Keep a head that ``fits`` what was seen, if it is newer; False if something else was seen meanwhile and has to be checked first."""
        origin = head.checkpoint.origin
        with self._one:
            seen = self.seen(origin)
            if any(each not in fits for each in seen):
                return False
            newest = max([head, *seen], key=lambda each: each.checkpoint.size)
            self._newest[origin] = newest
            if self._folder is not None and newest is head:
                _replace(self._path(origin), head.note)
        return True

    def fork(self, why: str, seen: Head, shown: Head) -> LogForked:
        """Return the error of a fork, once both notes are in the folder, if there is one."""
        kept: tuple[Path, ...] = ()
        if self._folder is not None:
            stem = self._path(seen.checkpoint.origin).stem
            word = sha256(seen.note.encode() + shown.note.encode()).hexdigest()[:16]
            kept = tuple(self._folder / f"{stem}.fork-{word}.{side}" for side in ("seen", "shown"))
            with self._one:
                if len(list(self._folder.glob(f"{stem}.fork-*.seen"))) < MOST_FORKS_KEPT:
                    for path, head in zip(kept, (seen, shown), strict=True):
                        _replace(path, head.note)
        return LogForked(why, seen.note, shown.note, kept if all(path.exists() for path in kept) else ())

    def _path(self, origin: str) -> Path:
        if self._folder is None:
            raise AssertionError("impossible: a path without a folder")
        return self._folder / f"{sha256(origin.encode()).hexdigest()[:16]}.checkpoint"

    def _kept(self, origin: str) -> Head | None:
        """Read what the folder holds of a log. Its quorum was reached when it was kept, by the policy of that day."""
        if self._folder is None:
            return None
        path = self._path(origin)
        try:
            head = open_checkpoint(
                path.read_bytes(), (log.key for log in self._policy.logs), (one.key for one in self._policy.witnesses)
            )
        except FileNotFoundError:
            return None
        except OSError as bad:
            raise ConfigurationError(
                str(path), f"it can't be read ({type(bad).__name__})", "Mend the folder's permissions."
            ) from None
        except ReceiptBroken as bad:
            mend = "Keep the policy's line of the key that signed it; move the file away only if you know why it is there."
            raise ConfigurationError(str(path), str(bad), mend) from None
        if head.checkpoint.origin != origin:
            raise ConfigurationError(str(path), "it is of another log", "Give each client's folder back its own files.")
        return head


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all: a crash leaves the one before."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as bad:
        raise ConfigurationError(
            str(path), f"it can't be written ({type(bad).__name__})", "Make room, or mend the permissions."
        ) from None
    if os.name == "nt":  # a folder can't be opened there
        return
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
