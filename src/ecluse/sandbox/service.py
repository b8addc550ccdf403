"""Making a sandbox and removing it: the use cases of any processor, one after the other, each sealed as they are. Safe to repeat."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from ecluse.contracts import contract_hash
from ecluse.contracts.errors import NameTaken
from ecluse.contracts.service import add_agent, add_processor, apply_contract, place_hold, release_hold
from ecluse.db import Connection, Pool
from ecluse.errors import ConfigurationError
from ecluse.identity import PublicKey
from ecluse.identity.service import add_client, revoke_key
from ecluse.register import RegisterMap
from ecluse.sandbox.model import NEIGHBOUR, PROCESSOR, PROCESSORS, Removed, Sandbox, Trial
from ecluse.sandbox.papers import OPEN, SOURCE, contract_text, moving, sandbox_map, schedule_csv, slots
from ecluse.sandbox.people import ABSENT, invent_people
from ecluse.sandbox.store import drop_people, write_people
from ecluse.schedule.reports import ImportApplied
from ecluse.schedule.service import import_schedule

_REMOVED: Final = "the sandbox was removed"
_SUSPENDED: Final = "suspended, to be tried"
_AGENTS: Final = ("sandbox: may ask", "sandbox: suspended")
_UNKNOWN: Final = "apt_" + "a" * 26
_PLACES: Final = """
select s.session_ref, a.place_ref, a.id, s.starts_at, s.ends_at, s.purpose from ecluse.appointment a join ecluse.session s on s.id = a.session_id
where a.processor_id = any($1::text[]) and s.source = $2 and s.ends_at > $3 order by s.starts_at, s.session_ref, a.place_ref
"""
_HOLDS: Final = "select id from ecluse.hold where scope = $1 and scope_id = $2 and reason = $3 and released_at is null"


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where and by whom a sandbox is made. ``pool``: role ``ecluse_app``; ``register``: whose attributes its people have; ``zone``: the controller's."""

    pool: Pool
    register: RegisterMap
    zone: ZoneInfo
    actor: str
    log_id: int


async def create_sandbox(site: Site, key: PublicKey, *, now: datetime, days: int) -> Sandbox:
    """Make the sandbox, or renew it: contracts, agents, a client with ``key``, invented people, and the sessions of ``days`` days from today."""
    attributes = {name: attribute.type for name, attribute in site.register.attributes.items()}
    async with site.pool.acquire() as connection:
        for processor in (PROCESSOR, NEIGHBOUR):
            await _bind(connection, site, processor)
        agents = await _agents(connection, site)
        await write_people(connection, invent_people(attributes))
        client = await _client(connection, site, key)
    today = now.astimezone(site.zone).date()
    planned = slots(today, days, site.zone, now)
    neighbours = [slot for slot in planned if slot.purpose == OPEN]
    await _import(site, schedule_csv([*planned, moving(today, site.zone, moved=False)], agents[:1], neighbours=neighbours))
    await _import(site, schedule_csv([moving(today, site.zone, moved=True)], agents[:1], cancelled=[2]))
    async with site.pool.acquire() as connection:
        rows = await connection.fetch(_PLACES, [PROCESSOR, NEIGHBOUR], SOURCE, now)
    today_refs = {
        row["session_ref"] for row in rows if row["session_ref"].startswith(f"{today}-") and "neighbour" not in row["session_ref"]
    }
    return Sandbox(client=client, agents=agents, sessions=len(today_refs), trials=_trials(rows, agents, str(today), now))


async def remove_sandbox(site: Site) -> Removed:
    """Suspend its processors, revoke every key of its machines, forget its people. What is sealed stays sealed."""
    keys = 0
    async with site.pool.acquire() as connection:
        known = await connection.fetch("select id from ecluse.processor where id = any($1::text[])", list(PROCESSORS))
        for row in known:
            if not await connection.fetch(_HOLDS, "processor", row["id"], _REMOVED):
                await place_hold(
                    connection,
                    log_id=site.log_id,
                    scope="processor",
                    target=row["id"],
                    effect="suspend",
                    reason=_REMOVED,
                    actor=site.actor,
                )
        in_use = await connection.fetch(
            "select k.client_id, k.thumbprint from ecluse.client_key k join ecluse.client c on c.id = k.client_id "
            "where c.processor_id = any($1::text[]) and k.revoked_at is null",
            list(PROCESSORS),
        )
        for row in in_use:
            await revoke_key(
                connection, log_id=site.log_id, client=row["client_id"], thumbprint=row["thumbprint"], actor=site.actor
            )
            keys += 1
        return Removed(keys=keys, people=await drop_people(connection))


async def _bind(connection: Connection, site: Site, processor: str) -> None:
    """Register a processor, put its contract in force, and release what an earlier removal held."""
    attributes = {name: attribute.type for name, attribute in site.register.attributes.items()}
    with suppress(NameTaken):  # made before
        await add_processor(
            connection, log_id=site.log_id, processor=processor, name="Sandbox: invented people", actor=site.actor
        )
    text = contract_text(processor, attributes, site.zone)
    in_force = await connection.fetchval(
        "select hash from ecluse.contract where processor_id = $1 order by version desc limit 1", processor
    )
    if in_force != contract_hash(text):
        await apply_contract(connection, log_id=site.log_id, text=text, attributes=attributes, actor=site.actor)
    for row in await connection.fetch(_HOLDS, "processor", processor, _REMOVED):
        await release_hold(connection, log_id=site.log_id, hold=row["id"], actor=site.actor)


async def _agents(connection: Connection, site: Site) -> tuple[str, ...]:
    """Return the two agents, the second of them suspended."""
    found: list[str] = []
    for label in _AGENTS:
        agent = await connection.fetchval("select id from ecluse.agent where processor_id = $1 and label = $2", PROCESSOR, label)
        if agent is None:
            agent, _ = await add_agent(connection, log_id=site.log_id, processor=PROCESSOR, label=label, actor=site.actor)
        found.append(agent)
    if not await connection.fetch(_HOLDS, "agent", found[1], _SUSPENDED):
        await place_hold(
            connection, log_id=site.log_id, scope="agent", target=found[1], effect="suspend", reason=_SUSPENDED, actor=site.actor
        )
    return tuple(found)


async def _client(connection: Connection, site: Site, key: PublicKey) -> str:
    """Return the client that has this key in use; register one if there is none."""
    client: str | None = await connection.fetchval(
        "select k.client_id from ecluse.client_key k join ecluse.client c on c.id = k.client_id "
        "where c.processor_id = $1 and k.thumbprint = $2 and k.revoked_at is null",
        PROCESSOR,
        key.thumbprint,
    )
    if client is None:
        client, _ = await add_client(
            connection, log_id=site.log_id, processor=PROCESSOR, label="sandbox", key=key, actor=site.actor
        )
    return client


async def _import(site: Site, content: bytes) -> None:
    """Import a schedule of the sandbox's own system."""
    report = await import_schedule(
        site.pool, file_bytes=content, kind="csv", actor=site.actor, dry_run=False, register=sandbox_map(site.register), zone=site.zone,
        log_id=site.log_id,
    )  # fmt: skip
    if not isinstance(report, ImportApplied):
        raise ConfigurationError("sandbox", "its schedule was refused", "Report this: it is a bug of Écluse")


def _trials(rows: list[asyncpg.Record], agents: tuple[str, ...], today: str, now: datetime) -> tuple[Trial, ...]:
    """Name what can be tried now, each with what to expect."""
    handles = {(row["session_ref"], row["place_ref"]): row["id"] for row in rows}
    now_open = {row["session_ref"] for row in rows if row["starts_at"] <= now < row["ends_at"]}
    (open_now,) = [ref for ref in now_open if "-open-" in ref and not ref.endswith("-neighbour")]
    (once_now,) = [ref for ref in now_open if "-once-" in ref]
    ahead = max(ref for ref, _ in handles if ref[10:] == "-18")
    asks = [
        ("a person whose session is under way", "granted", handles[open_now, "P1"], agents[0]),
        ("a session that is days away", "outside-window", handles[ahead, "P1"], agents[0]),
        ("a handle that is nobody's", "not-disclosable", _UNKNOWN, agents[0]),
        ("a handle of another processor", "not-disclosable", handles[f"{open_now}-neighbour", "P1"], agents[0]),
        ("the same person a second time, where one read is allowed", "budget-spent", handles[once_now, "P1"], agents[0]),
        ("a place that was moved", "outside-window", handles[f"{today}-moved", "P1"], agents[0]),
        ("a place that was cancelled", "outside-window", handles[f"{today}-moved", "P2"], agents[0]),
        ("a person whom the register lacks", "undetermined", handles[open_now, f"P{ABSENT}"], agents[0]),
        ("a suspended agent", "suspended", handles[open_now, "P1"], agents[1]),
    ]
    return tuple(Trial(what=what, expect=expect, handle=handle, agent=agent) for what, expect, handle, agent in asks)
