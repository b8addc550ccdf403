"""The compromised processor once more, where it was given a copy, a read account, rows by schedule, or a service with a token; and the scheduler's key there.

Built for real on the same people, and attacked for the same days. Values are counted as they arrive and kept nowhere, but for the copy, which is a file of the
replay's folder until its rows are counted.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Iterable
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec

from ecluse import ids
from ecluse.demo.model import PlannedSession
from ecluse.demo.premises import HOST
from ecluse.demo.replay.api import SETTINGS, ApiFile, Service
from ecluse.demo.replay.attack import Attack, Strike
from ecluse.demo.replay.model import START, Attacked, Kind
from ecluse.demo.replay.stage import Connection, Stage
from ecluse.demo.replay.statements import queries
from ecluse.demo.replay.terms import COURSE, VICTIM

if TYPE_CHECKING:
    from asyncpg import Record

_FULL: Final = "full"
_TABLES: Final = ("registre.personne", "registre.coordonnees")
_AT_ONCE: Final = 16
_NUMBERS: Final = "select min(numero), max(numero) from registre.personne"
_COLUMNS: Final = "select column_name from information_schema.columns where table_schema = $1 and table_name = $2"
_DAY: Final = timedelta(days=1)
_ROLES: Final = {Attacked.ROWS: "tiers_planning", Attacked.ACCOUNT: "tiers_lecture", Attacked.API: "tiers_api"}
_SAYS: Final = {
    Attacked.COPY: "A full copy was handed over: it is read, row by row.",
    Attacked.ACCOUNT: "An account that may read the register: it reads all of it.",
    Attacked.ROWS: "An account that sees who is due (row-level security by schedule, no budgets): it looks whenever a window opens.",
    Attacked.API: "A service that answers one person by number to a bearer's token (no budgets): numbers are tried one after the other.",
}


async def prepare(owner: Connection) -> None:
    """Build what all alternatives need, in the register's database. The clock of the replay has to be there."""
    await queries().prepare(owner)


async def plan(owner: Connection, sessions: Iterable[PlannedSession]) -> None:
    """Write a processor's schedule where row-level security reads it."""
    before, after = (timedelta(hours=hours) for hours in (COURSE.opens_before, COURSE.closes_after))
    rows = [
        (session.processor, int(subject.partition(":")[2]), session.starts_at - before, session.ends_at + after)
        for session in sessions
        for subject in session.subjects
    ]
    await owner.copy_records_to_table("planning", schema_name="prestation", records=rows)
    await owner.execute("analyze prestation.planning")


class Handed(Strike):
    """The compromised processor, where it was given something else than Écluse."""

    kind = Kind.PROCESSOR

    @property
    def says(self) -> str:
        """Say what the attacker does."""
        return _SAYS[self.against]

    def have(self, persons: int, columns: Iterable[str]) -> None:
        """Note whom there is, with all of these columns as they stand in the register."""
        self.forms = dict.fromkeys(columns, _FULL)
        self.persons, self.values = persons, persons * len(self.forms)


class Lines:
    """Counts the lines of what PostgreSQL copies out, and keeps none."""

    def __init__(self) -> None:
        """Begin at none."""
        self.lines = self.bytes = 0

    async def __call__(self, data: bytes) -> None:
        """Take a piece: one row a line, line ends within values are written otherwise."""
        self.lines += data.count(b"\n")
        self.bytes += len(data)


class FullCopy(Handed):
    """A copy of the database."""

    against = Attacked.COPY

    async def strike(self) -> None:
        """Dump the register to files, count the rows of the files, delete them."""
        owner, columns = self.stage.register_admin, set[str]()
        rows, size = dict.fromkeys(_TABLES, 0), 0
        for table in _TABLES:
            schema, name = table.split(".")
            columns |= {row["column_name"] for row in await owner.fetch(_COLUMNS, schema, name)}
            path = self.stage.options.folder / f"{name}.copy"
            path.touch(mode=0o600, exist_ok=False)
            try:
                await owner.copy_from_table(name, schema_name=schema, output=path)
                rows[table], size = await asyncio.to_thread(_count_lines, path), size + path.stat().st_size
            finally:
                path.unlink()
        self.have(rows[_TABLES[0]], sorted(columns))
        self.more = {"contact_rows": rows[_TABLES[1]], "megabytes": round(size / 1e6, 1)}


def _count_lines(path: Path) -> int:
    """Count the rows of a dump."""
    with path.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))


class ReadAccount(Handed):
    """An account that may read."""

    against = Attacked.ACCOUNT

    async def strike(self) -> None:
        """Sign in, and read everything."""
        lines = Lines()
        async with self.stage.outsider(_ROLES[self.against]) as thief:
            statement = await thief.prepare(queries().whole.sql)
            await thief.copy_from_query(queries().whole.sql.rstrip().rstrip(";"), output=lines)
            self.have(lines.lines, [attribute.name for attribute in statement.get_attributes()])
        self.more = {"megabytes": round(lines.bytes / 1e6, 1)}


class RowsBySchedule(Attack):
    """An account that sees who is due."""

    kind = Kind.PROCESSOR
    against = Attacked.ROWS

    @property
    def says(self) -> str:
        """Say what the attacker does."""
        return _SAYS[self.against]

    async def play(self) -> AsyncGenerator[datetime, None]:
        """Look whenever a window opens, until the last day is over."""
        seen: set[int] = set()
        columns: list[str] = []
        opened = (one.starts_at - timedelta(hours=COURSE.opens_before) for one in self.stage.planned[VICTIM.id])
        async with self.stage.outsider(_ROLES[self.against]) as thief:
            looks = 0
            for at in sorted({self.begins, *(at for at in opened if at > self.begins)}):
                if at >= self.stage.options.ends:
                    break
                yield at
                rows: list[Record] = await thief.fetch(queries().due.sql)
                seen.update(row["numero"] for row in rows)
                columns, looks = list(rows[0].keys()) if rows else columns, looks + 1
        self.forms = dict.fromkeys(columns, _FULL)
        self.persons, self.values = len(seen), len(seen) * len(columns)
        self.more = {"days": self.stage.options.days, "looks": looks}


class RowsWithScheduler(Strike):
    """The scheduler's key as well, where nothing bounds a schedule."""

    kind = Kind.SCHEDULER
    against = Attacked.ROWS

    def __init__(self, stage: Stage) -> None:
        """Begin when the same attack on Écluse does."""
        super().__init__(stage, START + _DAY)

    @property
    def says(self) -> str:
        """Say what the attacker does."""
        return "The same with row-level security: everybody is put on the schedule in one statement, and read in the next."

    async def strike(self) -> None:
        """Put everybody on the schedule, look once, and let it be as it was."""
        owner, lines, opens = self.stage.register_admin, Lines(), self.stage.clock.at
        await queries().clear_schedule(owner)
        await queries().schedule_everybody(owner, prestataire=VICTIM.id, opens=opens, closes=opens + timedelta(hours=1))
        await owner.execute("analyze prestation.planning")
        async with self.stage.outsider(_ROLES[self.against]) as thief:
            statement = await thief.prepare(queries().due.sql)
            await thief.copy_from_query(queries().due.sql.rstrip().rstrip(";"), output=lines)
            columns = [attribute.name for attribute in statement.get_attributes()]
        await queries().clear_schedule(owner)
        await plan(owner, self.stage.planned[VICTIM.id])
        self.forms = dict.fromkeys(columns, _FULL)
        self.persons, self.values = lines.lines, lines.lines * len(columns)


class TokenApi(Handed):
    """A service before the register."""

    against = Attacked.API

    async def strike(self) -> None:
        """Serve it, and try numbers from the first one on, as fast as it answers, for some seconds."""
        first, last = await self.stage.register_admin.fetchrow(_NUMBERS) or (0, 0)
        role, password = _ROLES[self.against], ids.random_bytes(24).hex()
        await self.stage.embedded.ensure_role(role, password)
        dsn = self.stage.embedded.dsn(role, password, "register")
        settings = ApiFile(dsn=dsn, token=ids.random_bytes(24).hex(), port=self.stage.options.port + 1)
        service = Service(self.stage.options.folder, settings)
        try:
            await service.ready(f"http://{HOST}:{settings.port}")
            tried, found, columns, seconds = await self._enumerate(settings, first)
        finally:
            service.stop()
            (self.stage.options.folder / SETTINGS).unlink(missing_ok=True)  # it holds a password
        self.have(found, columns)
        numbers = last - first + 1
        self.more = {
            "tried": tried, "seconds_of_trying": round(seconds, 1), "numbers_in_all": numbers, "persons_in_all": self.stage.options.people,
            "hours_for_all": round(numbers * seconds / max(tried, 1) / 3600, 2),
        }  # fmt: skip

    async def _enumerate(self, settings: ApiFile, first: int) -> tuple[int, int, list[str], float]:
        """Try numbers, some at once; return how many were tried and found, the columns of whoever was found, and the seconds."""
        numbers, began = count(first), time.perf_counter()
        tried, found, columns = 0, 0, list[str]()

        async def run() -> None:
            nonlocal tried, found, columns
            async with Wire(settings) as wire:
                while time.perf_counter() - began < self.stage.options.api_seconds:
                    person = await wire.get(next(numbers))
                    tried += 1
                    if person is not None:
                        found, columns = found + 1, list(msgspec.json.decode(person, type=dict[str, object]))

        await asyncio.gather(*(run() for _ in range(_AT_ONCE)))
        return tried, found, columns, time.perf_counter() - began


class Wire:
    """One kept connection to the service, with nothing on top: a thief is as fast as what it steals from lets it be."""

    def __init__(self, settings: ApiFile) -> None:
        """Open nothing yet."""
        self._port, self._after = (
            settings.port,
            f" HTTP/1.1\r\nhost: {HOST}\r\nauthorization: Bearer {settings.token}\r\n\r\n".encode(),
        )

    async def __aenter__(self) -> Self:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(HOST, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()

    async def get(self, number: int) -> bytes | None:
        """Ask for one person; None: there is nobody of that number."""
        self._writer.write(f"GET /personnes/{number}".encode() + self._after)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *(\d+)\r\n", head, re.IGNORECASE)
        body = await self._reader.readexactly(int(length[1]) if length else 0)
        return body if head.startswith(b"HTTP/1.1 200 ") else None
