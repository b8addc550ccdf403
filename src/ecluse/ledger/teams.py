"""The further processes of a check: each with a connection of its own in the snapshot of the first, so all see one log at one instant."""

from __future__ import annotations

import asyncio
import signal
from typing import Final

import asyncpg
import msgspec

from ecluse.db import Connection, trying
from ecluse.ledger.seen import digest_of
from ecluse.ledger.stretch import Stretch, Task, check_stretch

_members: Final[list[_Member]] = []
"""This process's own, once `begin_member` ran."""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How to connect as a reader. ``passwords``: to be tried one after the other. Shown nowhere."""

    dsn: str
    passwords: tuple[str, ...]

    def __repr__(self) -> str:
        """Show neither address nor passwords."""
        return "Reach(…)"


class _Member:
    """One process's connection and event loop; both end with the process."""

    def __init__(self, runner: asyncio.Runner, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self.runner, self.connection = runner, connection


def begin_member(reach: Reach, snapshot: str) -> None:
    """Connect, once in each process, and take the snapshot. A key press that interrupts the check ends the process at once."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    runner = asyncio.Runner()
    _members.append(_Member(runner, runner.run(_connect(reach, snapshot))))


async def _connect(reach: Reach, snapshot: str) -> asyncpg.Connection[asyncpg.Record]:
    connection = await trying(lambda: list(reach.passwords))(
        reach.dsn, server_settings={"application_name": "ecluse-fsck", "timezone": "UTC"}
    )
    await connection.execute("begin isolation level repeatable read, read only")
    await connection.execute(f"set transaction snapshot '{snapshot}'")
    return connection


def walk_stretch(task: Task, begin: int, known: bytes | None) -> tuple[bytes, Stretch | None]:
    """Check one stretch on this process's connection, as `look_again` does."""
    member = _members[0]
    return member.runner.run(look_again(member.connection, task, begin, known))


async def look_again(conn: Connection, task: Task, begin: int, known: bytes | None) -> tuple[bytes, Stretch | None]:
    """Return the digest of a stretch's rows, and what a check of it finds; None for that where the digest is the ``known`` one.

    ``known`` is empty where there is none, and None where nobody will remember it: then there is no digest either.
    """
    digest = b"" if known is None else await digest_of(conn, task, begin)
    return digest, None if digest and digest == known else await check_stretch(conn, task, begin)
