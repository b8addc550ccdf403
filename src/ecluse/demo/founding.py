"""What the demo and the replay found an agency with: a filled register, connections to both databases, keys, and an orderly end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import asyncpg

from ecluse import install
from ecluse.demo.people import PeopleReport, load_people
from ecluse.demo.progress import Line
from ecluse.errors import EcluseError
from ecluse.identity import generate_private
from ecluse.install import Databases
from ecluse.register import RegisterMap
from ecluse.register.doctor import Level, diagnose, is_healthy
from ecluse.register.statement import mapped_columns
from ecluse.settings import Installation

LOG: Final = "main"
ORIGIN: Final = "agency.example/ecluse/main"
SUBJECTS: Final = "select numero from registre.personne order by hashint8(numero), numero limit $1"
"""People as if drawn at random, the same each time."""

_GRANT: Final = "select format('grant select (%I) on %I.%I to %I', $1::text, $2::text, $3::text, $4::text)"
_READER: Final = """
grant usage on schema registre to register_reader;
alter role register_reader set default_transaction_read_only = on;
alter role register_reader set statement_timeout = '5s';
"""


class RegisterUnfit(EcluseError):
    """The demo's register is not as its map says."""

    code = "demo-register"


async def fill_register(
    installation: Installation, reached: Databases, register: RegisterMap, people: int, line: Line
) -> PeopleReport:
    """Fill the register; its reader may read the mapped columns and nothing else. Raises `RegisterUnfit`."""
    async with superuser(reached, "register") as owner:
        report = await load_people(owner, people, progress=lambda stage, done, of: _reach(line, stage, done, of))
        await owner.execute(_READER)
        for table, column in mapped_columns(register):
            await owner.execute(await owner.fetchval(_GRANT, column, *table.split(".", 1), install.REGISTER_ROLE))
    async with role(installation, reached, install.REGISTER_ROLE) as reader:
        found = await diagnose(reader, register)
    if not is_healthy(found):
        raise RegisterUnfit("; ".join(f"{one.where}: {one.found}" for one in found if one.level is Level.FAIL))
    return report


def new_key(folder: Path, name: str) -> Path:
    """Make a machine's key pair; the private half goes to its file."""
    path = folder / "clients" / f"{name}.pem"
    install.write_secret(path, generate_private("ES256").decode())
    return path


@asynccontextmanager
async def role(installation: Installation, reached: Databases, name: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Connect as one of our roles: as the gate's for what the controller decides, as the command line does."""
    connection = await install.connect(installation, reached, name)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def superuser(reached: Databases, database: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Connect to a database as who made it: the embedded database's own superuser."""
    if reached.embedded is None:
        raise AssertionError("impossible: no database of its own")
    connection = await asyncpg.connect(reached.embedded.superuser_dsn(database))
    try:
        yield connection
    finally:
        await connection.close()


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the run in order, also where a shell started it in the background and ignores the first."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    if task is None:
        raise AssertionError("impossible: no task runs")
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _reach(line: Line, stage: str, done: int, of: int) -> None:
    """Show how far the loading of people is."""
    if stage == "people":
        line.reach(done, of)
