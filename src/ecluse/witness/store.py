"""A witness's store: one SQLite file, opened anew for each use, shared by as many threads and processes as there are.

Store: trusted; may lose nothing. Everything that decides is read and written in one turn (`Store.turn`), which holds the write lock from its beginning;
it is on the disk when the turn ends. ``synchronous = extra`` syncs the folder too, when the journal is gone: without it a power cut could bring the
journal back, and with it the head before. A crash inside a turn leaves what was before it: nothing was answered yet.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import aiosql
from aiosql.queries import Queries

from ecluse.witness.errors import StoreFailed
from ecluse.witness.model import Fault, RefusedHead, Seen

VERSION: Final = 1
APPLICATION: Final = 0x45637774
MOST_REFUSED: Final = 16
"""Refused heads kept of each log and fault."""

_WAIT_SECONDS: Final = 10.0


@cache
def _queries() -> Queries:
    """Load ``queries.sql`` at first use: importing a module does nothing."""
    queries: Queries = aiosql.from_path(Path(__file__).with_name("queries.sql"), "sqlite3")
    return queries


def create_store(path: Path, name: str, vkey: str) -> None:
    """Make a new store for the witness ``name``. Raises `StoreFailed`."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with opened(path) as store:
        store.begin_life(name, vkey)


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    """Open a store that is there. Raises `StoreFailed` for whatever the file or the disk refuse, at any time until it is closed."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_WAIT_SECONDS)) as connection:
            connection.isolation_level = None  # turns are begun and ended below, and nowhere else
            for setting in ("synchronous = extra", "fullfsync = on", "foreign_keys = on"):
                connection.execute(f"pragma {setting}")
            yield Store(connection)
    except sqlite3.Error as failure:
        raise StoreFailed(
            f"The witness's store can't be used ({getattr(failure, 'sqlite_errorname', type(failure).__name__)})."
        ) from failure


class Store:
    """An open store. Its calls block on the disk."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Work on a ``connection`` of one's own."""
        self._connection = connection

    def _run(self, statement: str, /, **values: object) -> list[tuple[Any, ...]]:
        """Run a named statement and return its rows."""
        return self._connection.execute(getattr(_queries(), statement).sql, values).fetchall()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the only right to write; what was written is durable when this ends, and undone if it ends with an exception."""
        self._connection.execute("begin immediate")
        try:
            yield
            self._connection.execute("commit")
        except BaseException:  # whatever it was goes on: nothing of the turn may stay
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            raise

    def begin_life(self, name: str, vkey: str) -> None:
        """Write the schema and who this witness is."""
        self._connection.executescript(Path(__file__).with_name("schema.sql").read_text(encoding="utf-8"))
        self._run("found", name=name, vkey=vkey)

    def is_ours(self) -> bool:
        """Tell whether the file is a witness's store of this version."""
        facts = [self._connection.execute(f"pragma {name}").fetchone()[0] for name in ("application_id", "user_version")]
        return facts == [APPLICATION, VERSION]

    def identity(self) -> tuple[str, str]:
        """Return the witness's name and verifier key."""
        ((name, vkey),) = self._run("identity")
        return name, vkey

    def origins(self) -> list[str]:
        """Return the logs that are watched."""
        return [origin for (origin,) in self._run("origins")]

    def keys_of(self, origin: str) -> list[str] | None:
        """Return the verifier keys trusted for a log; None if it is not watched."""
        if not self._run("log_known", origin=origin):
            return None
        return [vkey for (vkey,) in self._run("keys_of", origin=origin)]

    def add_key(self, origin: str, origin_hash: str, vkey: str) -> None:
        """Watch a log by a key."""
        self._run("add_log", origin=origin, origin_hash=origin_hash)
        self._run("add_key", origin=origin, vkey=vkey)

    def drop_key(self, origin: str, vkey: str) -> None:
        """Trust a key no more; what was seen of the log stays."""
        self._run("drop_key", origin=origin, vkey=vkey)

    def seen_of(self, origin: str) -> Seen | None:
        """Return the head cosigned last."""
        rows = self._run("seen_of", origin=origin)
        return Seen(size=rows[0][0], root=rows[0][1], note=rows[0][2], at=rows[0][3]) if rows else None

    def note_of(self, origin_hash: str) -> str | None:
        """Return the note cosigned last of the log whose origin has that SHA-256, in lower-case hex."""
        rows = self._run("note_of", origin_hash=origin_hash)
        return str(rows[0][0]) if rows else None

    def remember(self, origin: str, seen: Seen) -> None:
        """Put a head in the place of the last one. Call it inside a turn."""
        self._run("remember", origin=origin, size=seen.size, root=seen.root, note=seen.note, at=seen.at)

    def keep_refused(self, origin: str, head: RefusedHead) -> None:
        """Keep a refused head, and of its kind the newest only. Call it inside a turn."""
        self._run(
            "keep_refused", origin=origin, fault=head.fault.value, size=head.size, root=head.root, note=head.note, ours=head.ours, at=head.at
        )  # fmt: skip
        self._run("forget_refused", origin=origin, fault=head.fault.value, most=MOST_REFUSED)

    def refused_of(self, origin: str) -> tuple[RefusedHead, ...]:
        """Return the refused heads that were kept, newest first."""
        return tuple(
            RefusedHead(fault=Fault(fault), size=size, root=root, note=note, ours=ours, at=at)
            for fault, size, root, note, ours, at in self._run("refused_of", origin=origin)
        )
