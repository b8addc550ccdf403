"""Worlds to forget in: a real database each, a real schedule and real seals, lived through by a clock that the test moves.

`Scene` has an agency's database, with contracts and machines, and copies it for each `World`. A world's ids and salts come from its seed, so that
two worlds which differ in nothing but who a person was can be compared byte by byte.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Final

import asyncpg
import pytest

from ecluse import ids
from ecluse.clock import sealed_text
from ecluse.contracts.service import place_hold, release_hold
from ecluse.db import Pool, open_pool
from ecluse.ids import new_id, random_bytes
from ecluse.ledger.erase import ask_erasure, erase_due
from ecluse.ledger.fields import Event, commit
from ecluse.ledger.store import SealRow, read_head, seal
from ecluse.register import parse_register
from ecluse.schedule.reports import ImportApplied
from ecluse.schedule.service import import_schedule
from tests.agency import Agency, Party
from tests.invented import register_toml

HEADER: Final = "source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status,course_ref"
DAY: Final = timedelta(days=1)
MONTHS: Final = 12
_CLOCK: Final = """
create schema moved;
grant usage on schema moved to public;
create table moved.clock (at timestamptz not null);
insert into moved.clock values (clock_timestamp());
grant select on moved.clock to public;
create or replace function ecluse.clock() returns timestamptz language sql volatile as 'select at from moved.clock';
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """One row of a file. ``person``: its number in the register."""

    session: str
    place: str
    person: int
    party: Party
    starts_at: datetime
    course: str = ""
    status: str = "planned"

    def row(self, source: str) -> str:
        """Write it as the controller's system does."""
        ends_at = self.starts_at + timedelta(hours=3)
        return (
            f"{source},{self.session},{self.place},ofii:{self.person},civic-training,{self.party.name},large,room-{self.session},"
            f"{self.starts_at:%Y-%m-%dT%H:%M:%SZ},{ends_at:%Y-%m-%dT%H:%M:%SZ},{self.party.agent},{self.status},{self.course}"
        )


def file_of(places: Iterable[Place], source: str) -> bytes:
    """Write a file."""
    return "\n".join([HEADER, *(place.row(source) for place in places)]).encode()


@dataclass(kw_only=True)
class World:
    """One database. ``owner`` may do anything; ``jobs`` is who forgets; ``start``: its first midnight (UTC)."""

    name: str
    owner: asyncpg.Connection
    app: Pool
    jobs: asyncpg.Connection
    reader: asyncpg.Connection
    parties: tuple[Party, Party]
    start: datetime
    truth: dict[int, int] = field(default_factory=dict)
    """Of each entry that names a person, which: what an attacker wants to know."""

    async def move(self, at: datetime) -> None:
        """Move the clock on; never back."""
        await self.owner.execute("update moved.clock set at = greatest(at, $1)", at)

    async def schedule(self, places: Sequence[Place], source: str = "plan") -> None:
        """Import a file that must be applied."""
        report = await import_schedule(
            self.app, file_bytes=file_of(places, source), kind="csv", actor="cli:test", dry_run=False, register=parse_register(register_toml()), zone=UTC,
        )  # fmt: skip
        assert isinstance(report, ImportApplied), report

    async def handles(self, session: str) -> dict[int, str]:
        """Return the handle of each person of a session."""
        rows = await self.owner.fetch(
            "select a.subject_ref, a.id from ecluse.appointment a join ecluse.session s on s.id = a.session_id where s.session_ref = $1", session
        )  # fmt: skip
        return {int(row["subject_ref"].removeprefix("ofii:")): row["id"] for row in rows}

    async def disclose(
        self, at: datetime, party: Party, asks: Sequence[tuple[str, int]], *, event: Event = Event.PERSON_GRANTED
    ) -> list[int]:
        """Seal grants (or refusals) of ``(handle, person)`` in one batch at an instant; return their indexes."""
        await self.move(at)
        async with self.app.acquire() as connection:
            head = await read_head(connection, 1)
            rows = [self._row(party, handle, person, head.at, event) for handle, person in asks]
            done = await seal(connection, 1, head.control_seq, head.at, rows)
        assert {one.outcome for one in done} == {"sealed"}, done
        self.truth |= {one.index: person for one, (_, person) in zip(done, asks, strict=True)}
        return [one.index for one in done]

    def _row(self, party: Party, handle: str, person: int, at: datetime, event: Event) -> SealRow:
        grant = event is not Event.PERSON_REFUSED
        client, disclosure, subject = party.machines[0].id, new_id("dsc"), f"ofii:{person}"
        names = {
            "disclosure": disclosure,
            "processor": party.name,
            "client": client,
            "agent": party.agent,
            "assurance": "asserted",
        }
        said: list[tuple[str, object]] = [("at", sealed_text(at)), ("event", event.value), *names.items()]
        said += [("appointment", handle), ("subject", subject), ("purpose", "civic-training")]
        said += [("forms", {"family_name": "full"})] if grant else [("reason", "outside-window")]
        spends = (("h", f"client:{client}", 9999), ("h", f"agent:{party.agent}:civic-training", 9999))
        spends += (("d", f"processor:{party.name}", 9999), ("m", f"processor:{party.name}", 9999))
        return SealRow(
            kind="grant" if grant else "refuse", valid_from=at, valid_until=at + timedelta(hours=1), slot=None, proof=None, client=client,
            endpoint="/v1/disclosures", key=disclosure if grant else None, body_hash=bytes(32), entries=1, processor=party.name, handle=handle, max_reads=4,
            subject=subject, agent=party.agent, disclosure=disclosure, event=event.value, committed=commit(said, random_bytes(32 * len(said))),
            spends=spends if grant else (),
        )  # fmt: skip

    async def outcome(self, party: Party, handle: str, at: datetime) -> None:
        """Record that somebody was present, as far as the table goes."""
        await self.owner.execute(
            "insert into ecluse.outcome (processor_id, appointment_id, seq, revision, attendance, client_id, recorded_at, due_at) "
            "values ($1, $2, nextval('ecluse.outcome_seq'), 1, 'present', $3, $4, $4)",
            party.name, handle, party.machines[0].id, at,
        )  # fmt: skip

    async def hold(self, scope: str, target: str, effect: str = "keep", *, until: datetime | None = None) -> str:
        """Place a hold now."""
        async with self.app.acquire() as connection:
            hold, _ = await place_hold(
                connection, log_id=1, scope=scope, target=target, effect=effect, reason="a test", actor="cli:test", register=parse_register(register_toml()),
                until_at=until,
            )  # fmt: skip
        return hold

    async def release(self, hold: str) -> None:
        """End a hold now."""
        async with self.app.acquire() as connection:
            await release_hold(connection, log_id=1, hold=hold, actor="cli:test")

    async def ask(self, *persons: int) -> list[str | None]:
        """Ask for persons to be forgotten."""
        return [
            await ask_erasure(self.jobs, subject=f"ofii:{person}", reason="asked in writing", actor="cli:test")
            for person in persons
        ]

    async def erase(self) -> list[int]:
        """Do what is due, as a gate does, after what it clears each minute; return the indexes of the entries that say so."""
        await self.jobs.execute("select ecluse.purge()")
        return await erase_due(self.jobs, 1, MONTHS)

    async def erased(self) -> list[int]:
        """Return the indexes under tombstones."""
        rows = await self.reader.fetch("select first, past from ecluse.tombstone order by first")
        return [index for row in rows for index in range(row["first"], row["past"])]

    async def openings(self) -> set[int]:
        """Return the indexes that have an opening."""
        return {row["index"] for row in await self.reader.fetch("select index from ecluse.opening")}

    async def naming(self, *persons: int) -> dict[str, int]:
        """Return each column of the schema that holds a reference to one of these persons, and in how many rows."""
        found = {}
        for table, column in await columns(self.owner):
            like = " or ".join(f"x.\"{column}\"::text ~ '(^|[^0-9a-z])ofii:{person}([^0-9]|$)'" for person in persons)
            count = await self.owner.fetchval(f'select count(*) from ecluse."{table}" x where {like}')  # noqa: S608 - names of the catalogue
            if count:
                found[f"{table}.{column}"] = count
        return found


async def columns(owner: asyncpg.Connection) -> list[tuple[str, str]]:
    """Return every column of every table of the schema."""
    rows = await owner.fetch(
        "select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid where c.relnamespace = 'ecluse'::regnamespace "
        "and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped order by 1, a.attnum"
    )
    return [(row["relname"], row["attname"]) for row in rows]


class Scene:
    """An agency to copy worlds from."""

    def __init__(self, agency: Agency, parties: tuple[Party, Party], start: datetime) -> None:
        """Copy ``agency``'s database as it is now."""
        self.agency, self.parties, self.start = agency, parties, start

    @asynccontextmanager
    async def world(self, seed: int | None = None) -> AsyncIterator[World]:
        """Make a world; with a seed its ids and salts are the same each time."""
        name, postgres, keys = f"world_{secrets.token_hex(4)}", self.agency.postgres, self.agency.installation
        keeper = await asyncpg.connect(postgres.superuser_dsn())
        with pytest.MonkeyPatch.context() as patch:
            if seed is not None:
                patch.setattr(ids, "os", SimpleNamespace(urandom=random.Random(seed).randbytes))  # noqa: S311 - repeatable
            await keeper.execute(f"create database {name} template {self.agency.ledger_name}")
            dsn = {
                role: postgres.dsn(f"ecluse_{role}", keys.secret(f"db-{role}.password"), name)
                for role in ("owner", "app", "jobs", "reader")
            }
            owner, jobs, reader = [await asyncpg.connect(dsn[role]) for role in ("owner", "jobs", "reader")]
            app = await open_pool(dsn["app"], size=2, name="test")
            try:
                world = World(name=name, owner=owner, app=app, jobs=jobs, reader=reader, parties=self.parties, start=self.start)
                await world.move(self.start)
                yield world
            finally:
                await app.close()
                for connection in (owner, jobs, reader):
                    await connection.close()
                await keeper.execute(f"drop database {name} with (force)")
                await keeper.close()


async def found_scene(agency: Agency) -> Scene:
    """Bind two processors and take the clock in hand."""
    parties = (await agency.bind(agents=2), await agency.bind(agents=2))
    await agency.execute(_CLOCK.replace("clock_timestamp()", f"timestamptz '{(await agency.now()).isoformat()}'"))
    first = (await agency.now()).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Scene(agency, parties, (first + timedelta(days=40)).replace(day=1))
