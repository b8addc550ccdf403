"""A whole schema with one log, two processors and their contracts; and ``plans``, the rows and contexts that all tests change."""

from __future__ import annotations

import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from ecluse.db import LOGIN_ROLES, open_pool
from ecluse.embedded import EmbeddedPostgres
from ecluse.ids import new_id
from ecluse.ledger import Event
from ecluse.ledger.service import seal_control
from ecluse.register import RegisterMap, parse_register
from tests.databases import create_installed, drop

sys.path.insert(0, str(Path(__file__).parent))

REGISTER = """\
[register]
id = "ofii"
name = "Registre"
subject_table = "person"
[table.person]
name = "registre.personne"
key = ["numero"]
[attribute.family_name]
table = "person"
column = "nom"
type = "text"
category = "identity"
sensitivity = "ordinary"
"""

CONTRACT = """\
[processor]
id = "{processor}"
name = "Lyon Formation SAS"
country = "FR"
security_contact = "rssi@{processor}.example"
[contract]
reference = "2026-CIR-017"
starts_on = 2020-01-01
ends_on = 2099-12-31
breach_notice_hours = 24
clauses = ["28.3.a", "28.3.b", "28.3.c", "28.3.d", "28.3.e", "28.3.f", "28.3.g", "28.3.h"]
[[site]]
id = "lyon-3"
timezone = "Europe/Paris"
rooms = 20
max_sessions_per_day = 200
[limits]
persons_per_day = 5000
persons_per_month = 90000
persons_per_client_per_hour = 120
agent_assurance = "asserted"
[[purpose]]
id = "civic-training"
label = "Journée de formation civique"
legal_basis = "6.1.e"
opens_before = "PT24H"
closes_after = "PT2H"
max_capacity = 30
reads_per_appointment = 4
persons_per_agent_per_hour = 40
[purpose.attributes]
family_name = "full"
"""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """An installed schema. ``pool``: the gate's role; ``owner``: to look at everything; ``agents``: one of each processor."""

    pool: asyncpg.Pool
    owner: asyncpg.Connection
    register: RegisterMap
    agents: dict[str, str]


async def seal(
    connection: asyncpg.Connection, event: Event, act: str, body: dict[str, object], processor: str | None = None
) -> None:
    """Do one act through the ledger."""
    await seal_control(
        connection, log_id=1, event=event, act=act, actor="test", target="test", detail={}, body=body, processor=processor
    )


@pytest.fixture
async def world(postgres: EmbeddedPostgres) -> AsyncIterator[World]:
    """Install a schema in a fresh database, with two processors, their contracts and an agent of each."""
    name = f"schedule_{secrets.token_hex(4)}"
    passwords = {role: secrets.token_hex(16) for role in LOGIN_ROLES}
    await create_installed(postgres, name, passwords)
    owner = await asyncpg.connect(postgres.dsn("ecluse_owner", passwords["ecluse_owner"], name))
    await owner.execute(
        "insert into ecluse.ledger_log (id, name, origin, vkey, created_at) values (1, 'main', 'example/main', 'k', now())"
    )
    await owner.execute("insert into ecluse.ledger_head (log_id, size, control_seq, last_at) values (1, 0, 0, now())")
    agents = {}
    for processor in ("lyon-formation", "nice-langues"):
        text = CONTRACT.format(processor=processor)
        agents[processor] = new_id("agt")
        facts = {"version": 1, "reference": "2026-CIR-017", "text": text, "hash": "00", "actor": "test"}
        await seal(owner, Event.PROCESSOR_ADDED, "processor:add", {"id": processor, "name": processor})
        await seal(owner, Event.CONTRACT_APPLIED, "contract:apply", facts, processor)
        await seal(owner, Event.AGENT_ADDED, "agent:add", {"id": agents[processor], "label": "trainer"}, processor)
    pool = await open_pool(postgres.dsn("ecluse_app", passwords["ecluse_app"], name), size=4, name="test")
    yield World(pool=pool, owner=owner, register=parse_register(REGISTER), agents=agents)
    await pool.close()
    await owner.close()
    await drop(postgres, name)
