"""The agency that is measured: a register, eight processors, and 300,000 appointments whose windows are open.

Made once in a folder and used again while it fits: same people, same schema, windows still open. Processors, contracts, agents and clients come in
through the same use cases as anybody's; the appointments through a schedule import, whose checks they pass.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

import ecluse
import ecluse.demo
from ecluse import clock, db, install, settings
from ecluse.contracts.service import add_agent, add_processor, apply_contract
from ecluse.demo.people import load_people
from ecluse.identity import generate_private, load_private
from ecluse.identity.service import add_client
from ecluse.install import Databases
from ecluse.register import RegisterMap, parse_register
from ecluse.schedule.reports import ImportApplied
from ecluse.schedule.service import import_schedule
from ecluse.settings import Installation

PROCESSORS: Final = 8
AGENTS: Final = 10
CLIENTS: Final = 2
APPOINTMENTS: Final = 300_000
CAPACITY: Final = 30
SITES: Final = 4
ROOMS: Final = 60
ATTRIBUTES: Final = ("birth_date", "family_name", "given_name", "phone", "preferred_language")
VERSION: Final = b"2"
"""Of what this module makes: an agency of another version is made anew."""
ACTOR: Final = "cli:bench"
LOG_ID: Final = 1
_OPENS: Final = timedelta(days=11)
_SPREAD_DAYS: Final = 8
_SOURCE: Final = "bench"
_COLUMNS: Final = "source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status"

_CONTRACT: Final = """
[processor]
id = "{processor}"
name = "Bench {processor}"
country = "FR"
security_contact = "security@{processor}.example"
[contract]
reference = "BENCH-{number}"
starts_on = {starts_on}
ends_on = {ends_on}
breach_notice_hours = 24
clauses = ["28.3.a", "28.3.b", "28.3.c", "28.3.d", "28.3.e", "28.3.f", "28.3.g", "28.3.h", "audit", "no-copy"]
{sites}
[limits]
persons_per_day = 100000000
persons_per_month = 100000000
persons_per_client_per_hour = 100000000
agent_assurance = "asserted"
[[purpose]]
id = "civic-training"
label = "Civics day"
legal_basis = "6.1.e"
opens_before = "P11D"
closes_after = "PT2H"
max_capacity = {capacity}
reads_per_appointment = 100000000
persons_per_agent_per_hour = 100000000
[purpose.attributes]
family_name = "full"
given_name = "full"
birth_date = "year"
preferred_language = "full"
phone = "full"
[purpose.sheet]
family_name = "full"
given_name = "initial"
"""
_SITE: Final = '[[site]]\nid = "site-{number}"\ntimezone = "Europe/Paris"\nrooms = {rooms}\nmax_sessions_per_day = 100000\n'


_READ_IN: Final = {
    "register": (
        "select count(nom) from registre.personne where numero > 0",
        "select count(telephone) from registre.coordonnees where numero > 0",
    ),
    "ecluse": (
        "select count(reads) from ecluse.appointment where processor_id > '' and id > ''",
        "select count(purpose) from ecluse.session where id > ''",
    ),
}


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """One machine of a processor; its key is ``<id>.pem`` in the agency's folder."""

    id: str
    processor: str


class Agency(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder holds. ``schema``: hash of the migrations it was made with; ``open_until``: when the first window closes."""

    people: int
    appointments: int
    schema: str
    vkey: str
    open_until: datetime
    agents: dict[str, list[str]]
    clients: tuple[Client, ...]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One appointment to ask for: its handle, who asks, and whose row the bare service reads instead."""

    handle: str
    processor: str
    agent: str
    person: int


def schema_hash() -> str:
    """Return what identifies the schema that this checkout installs."""
    folder = Path(ecluse.__file__).parent
    files = [*sorted((folder / "migrations").glob("*.sql")), folder / "sql" / "grants.sql"]
    return sha256(b"".join([VERSION, *(file.read_bytes() for file in files)])).hexdigest()[:16]


def load_installation(folder: Path, port: int) -> Installation:
    """Load the agency's installation to be served at ``port``; its pages by a name, which passkeys want."""
    options = {"port": port, "public_url": f"http://127.0.0.1:{port}", "pages_url": f"http://localhost:{port}"}
    return settings.load(folder, options, {})


def read_agency(folder: Path) -> Agency | None:
    """Return what a folder holds, if it is an agency."""
    try:
        return msgspec.json.decode((folder / "bench.json").read_bytes(), type=Agency)
    except (OSError, msgspec.DecodeError):
        return None


def ensure_agency(folder: Path, people: int, port: int, appointments: int = APPOINTMENTS) -> Agency:
    """Return an agency of ``people`` people in ``folder``: the one there if it fits, else a new one in its place.

    What is replaced must be an agency of this module: any other folder that is not empty is refused by `install.create`.
    """
    known = read_agency(folder)
    fits = known is not None and (known.people, known.appointments, known.schema) == (people, appointments, schema_hash())
    if known is not None and fits and known.open_until > clock.now() + timedelta(hours=2):
        return known
    if known is not None:
        shutil.rmtree(folder)
    print(f"making an agency of {people:,} people and {appointments:,} appointments in {folder} …", flush=True)
    register = (Path(ecluse.demo.__file__).parent / "register.toml").read_text(encoding="utf-8")
    facts: dict[str, str | int] = {"public_url": f"http://127.0.0.1:{port}", "host": "127.0.0.1", "port": port}
    facts |= {"name": "Bench agency", "timezone": "Europe/Paris", "database_url": "", "register_url": ""}
    install.create(folder, facts, register)
    installation = load_installation(folder, port)
    install.create_embedded(installation)
    with install.databases(installation) as reached:
        agency = asyncio.run(_fill(installation, reached, people, appointments, parse_register(register)))
    (folder / "bench.json").write_bytes(msgspec.json.encode(agency))
    return agency


async def _fill(installation: Installation, reached: Databases, people: int, appointments: int, register: RegisterMap) -> Agency:
    """Create the databases, the register, the processors and the schedule."""
    if reached.embedded is None:
        raise AssertionError("impossible: an agency has its own database")
    await install.create_databases(installation, reached)
    owner = await asyncpg.connect(reached.embedded.superuser_dsn("register"))
    try:
        await load_people(owner, people)
        await owner.execute("grant usage on schema registre to register_reader")
        await owner.execute("grant select on all tables in schema registre to register_reader")
        # spread over the whole register, as those of one day are
        found = await owner.fetch("select numero from registre.personne order by hashint8(numero), numero limit $1", appointments)
        persons = [row[0] for row in found]
    finally:
        await owner.close()
    await install.open_log(installation, reached, name="main", origin="bench.example/ecluse/main", actor=ACTOR)
    agents, clients = await _add_processors(installation, reached, register)
    now = clock.now()
    await _schedule(installation, reached, register, schedule_file(persons, agents, appointments, now))
    admin = await asyncpg.connect(reached.embedded.superuser_dsn("ecluse"))
    try:
        await admin.execute("vacuum analyze")
        vkey: str = await admin.fetchval("select vkey from ecluse.ledger_log")
    finally:
        await admin.close()
    return Agency(
        people=people, appointments=appointments, schema=schema_hash(), vkey=vkey, open_until=now + timedelta(days=1, hours=2),
        agents=agents, clients=tuple(clients),
    )  # fmt: skip


async def _add_processors(
    installation: Installation, reached: Databases, register: RegisterMap
) -> tuple[dict[str, list[str]], list[Client]]:
    """Register the processors with their contracts, agents and clients."""
    attributes = {name: attribute.type for name, attribute in register.attributes.items()}
    today = clock.now().date()
    sites = "".join(_SITE.format(number=number, rooms=ROOMS) for number in range(SITES))
    agents: dict[str, list[str]] = {}
    clients: list[Client] = []
    app = await install.connect(installation, reached, "ecluse_app")
    try:
        for number in range(PROCESSORS):
            processor = f"processor-{number}"
            text = _CONTRACT.format(
                processor=processor, number=number, starts_on=today - timedelta(days=30), ends_on=today + timedelta(days=365),
                capacity=CAPACITY, sites=sites,
            )  # fmt: skip
            await add_processor(app, log_id=LOG_ID, processor=processor, name=f"Bench {number}", actor=ACTOR)
            await apply_contract(app, log_id=LOG_ID, text=text, attributes=attributes, actor=ACTOR)
            named = [
                await add_agent(app, log_id=LOG_ID, processor=processor, label=f"agent {n}", actor=ACTOR) for n in range(AGENTS)
            ]
            agents[processor] = [str(agent) for agent, _ in named]
            for label in range(CLIENTS):
                pem = generate_private("ES256")
                key = load_private(pem).public
                client, _ = await add_client(
                    app, log_id=LOG_ID, processor=processor, label=f"client {label}", key=key, actor=ACTOR
                )
                install.write_secret(installation.folder / f"{client}.pem", pem.decode())
                clients.append(Client(id=client, processor=processor))
    finally:
        await app.close()
    return agents, clients


def schedule_file(persons: Sequence[int], agents: dict[str, list[str]], appointments: int, now: datetime) -> bytes:
    """Write the schedule: sessions of `CAPACITY` places from tomorrow on for eight days, all of them open already."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    rows = [_COLUMNS]
    for session in range(-(-appointments // CAPACITY)):
        turn, processor = divmod(session, PROCESSORS)
        turn, site = divmod(turn, SITES)
        turn, room = divmod(turn, ROOMS)
        day, slot = turn % _SPREAD_DAYS, turn // _SPREAD_DAYS
        starts_at = max(midnight + timedelta(days=day, hours=1 + 3 * slot), now + timedelta(days=1))
        name = f"processor-{processor}"
        head = f"{_SOURCE},S{session}"
        tail = (
            f"civic-training,{name},site-{site},R{room},{clock.wire_text(starts_at)},{clock.wire_text(starts_at + timedelta(hours=2))},"
            f"{agents[name][session // PROCESSORS % AGENTS]},planned"
        )
        first = session * CAPACITY
        places = range(first, min(first + CAPACITY, appointments))
        rows.extend(f"{head},P{place},ofii:{persons[place * 7919 % len(persons)]},{tail}" for place in places)
    return "\n".join(rows).encode()


async def _schedule(installation: Installation, reached: Databases, register: RegisterMap, file: bytes) -> None:
    """Import the schedule as the controller's scheduler would."""
    url = settings.with_user(reached.database_url, "ecluse_app", installation.secret("db-app.password"))
    pool = await db.open_pool(url, size=2, name="bench")
    try:
        report = await import_schedule(
            pool, file_bytes=file, kind="csv", actor=ACTOR, dry_run=False, register=register, zone=installation.settings.zone
        )
    finally:
        await pool.close()
    if not isinstance(report, ImportApplied):
        raise SystemExit(f"the schedule was not applied: {report}")


async def read_places(installation: Installation, reached: Databases) -> list[Place]:
    """Read what may be asked for, in an order that has nothing to do with sessions or persons: by handle, which is random."""
    reader = await install.connect(installation, reached, "ecluse_reader")
    try:
        rows = await reader.fetch(
            "select a.id, a.processor_id, g.agent_id, a.subject_ref from ecluse.appointment a "
            "join ecluse.session_agent g on g.session_id = a.session_id order by a.id"
        )
    finally:
        await reader.close()
    return [Place(handle=row[0], processor=row[1], agent=row[2], person=int(row[3].partition(":")[2])) for row in rows]


async def read_in(reached: Databases) -> None:
    """Read every row of the register and of the schedule once by its key: the first requests must not pay for a database that has just started."""
    if reached.embedded is None:
        raise AssertionError("impossible: an agency has its own database")
    for database, statements in _READ_IN.items():
        admin = await asyncpg.connect(reached.embedded.superuser_dsn(database))
        try:
            await admin.execute("set enable_seqscan = off; set enable_bitmapscan = off; set enable_indexonlyscan = off")
            for statement in statements:
                await admin.execute(statement)
        finally:
            await admin.close()
