"""What earlier checks found whole, remembered outside the database: what has not changed by a byte since need not be hashed opening by opening again.

Of each whole stretch without a fault the memory keeps what the check concluded and one digest: SHA-256 over every row that the check reads, by the very
statements with which it reads them. The next check has PostgreSQL send all of these rows again and compares the digest; where it is the same, so are the
conclusions. So nothing is taken for granted, and an entry costs a sixth. ``--anew`` does without.

Store: ``state/log.seen`` (0600, beside the signer's memory, and trusted as that is); may be lost, and is then built again. Of another log, release or
layout it is ignored.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from ecluse.db import Connection
from ecluse.ids import random_bytes
from ecluse.ledger.stretch import STRETCH, Stretch, Task, query
from ecluse.ledger.tree import join_right

_LAYOUT: Final = 3  # 2: what moves gates is among the statements; 3: and who may sign in
_KEY_BYTES: Final = 16
_ROWS: Final = ("leaves_of", "openings_of", "tombstones_of", "tiles_in")
_SIGNED: Final = ("heads_of", "cosignatures_of", "quorums_of")


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch found whole. ``digest``: of its rows; ``left``: hash over all entries before it, to which its signed heads were compared."""

    digest: bytes
    left: bytes
    stretch: Stretch


class Memory(msgspec.Struct, kw_only=True):
    """What is known of one log. ``bucket_key``: of `bucket_of`, the same in every check that shares what it counted; ``known``: by first entry."""

    layout: int
    origin: str
    bucket_key: bytes
    known: dict[int, Known]


def load_memory(path: Path | None, origin: str) -> Memory:
    """Read what was remembered of the log ``origin``; nothing, where there is none, or nothing that can be used."""
    try:
        if path is not None:
            memory = msgspec.msgpack.decode(zlib.decompress(path.read_bytes()), type=Memory)
            if (memory.layout, memory.origin) == (_LAYOUT, origin):
                return memory
    except (OSError, zlib.error, msgspec.MsgspecError):
        pass  # built again
    return Memory(layout=_LAYOUT, origin=origin, bucket_key=random_bytes(_KEY_BYTES), known={})


def save_memory(path: Path, memory: Memory) -> None:
    """Write what is known, whole or not at all; where that can't be, nothing is remembered."""
    new = path.with_name(path.name + ".new")
    with suppress(OSError):
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(zlib.compress(msgspec.msgpack.encode(memory), 1))
        new.replace(path)


def left_of(nodes: Sequence[bytes]) -> bytes:
    """Return one hash over the entries before a stretch."""
    return join_right(nodes) if nodes else b""


def remember(memory: Memory, digest: bytes, left: bytes, one: Stretch) -> None:
    """Keep a stretch, if it is a whole one without a fault: its heads agreed with what was left of it."""
    if digest and one.root and not one.found and one.end - one.begin == STRETCH:
        memory.known[one.begin] = Known(digest=digest, left=left, stretch=msgspec.structs.replace(one, heads=[]))
    else:
        memory.known.pop(one.begin, None)


async def digest_of(conn: Connection, task: Task, begin: int) -> bytes:
    """Hash every row that the check of a whole stretch reads, and what it takes from its task; empty for a stretch that is not whole, or not integrated."""
    end = begin + STRETCH
    if end > min(task.size, task.integrated):
        return b""
    said = sha256(msgspec.msgpack.encode((task.log_id, task.origin, task.keys, sorted(task.policies.items()), task.bucket_key)))

    async def take(sent: bytes) -> None:
        said.update(sent)

    ranges = [(name, begin) for name in _ROWS] + [(name, begin or -1) for name in _SIGNED]
    for name, first in ranges:
        said.update(name.encode())
        await _direct(conn).copy_from_query(query(name).rstrip(" \n;"), task.log_id, first, end, output=take, format="binary")
    return said.digest()


def _direct(conn: Connection) -> asyncpg.Connection[asyncpg.Record]:
    """Return the connection behind a pool's proxy."""
    return conn  # type: ignore[return-value] # the proxy has every method of a connection
