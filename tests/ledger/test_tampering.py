"""Promise 8 attacked by whoever may do anything to the database: no change of history goes unseen, and fsck says what the other tables have lost or gained."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse.ledger.fsck import check_log
from ecluse.ledger.model import ProblemKind, Report
from ecluse.ledger.notes import format_vkey, verifier_of_key
from tests.agency import ORIGIN
from tests.chaos import tamper
from tests.chaos.rig import Rig, rigged
from tests.ledger.test_fsck import TAMPERED

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]  # a year of a log, and sixty looks at it by four

DOCS = Path(__file__).resolve().parents[2] / "docs" / "tampering.md"
FORGER = format_vkey(verifier_of_key(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32))))

AROUND = [
    ("key-unsealed", f"insert into ecluse.ledger_key (log_id, vkey, from_size, added_at) values (1, '{FORGER}', 100, now())"),  # noqa: S608 - our own words
    ("entry-hour", "update ecluse.ledger_entry e set sealed_at = sealed_at + interval '3 h' from ecluse.tombstone t where e.index = t.first"),
    ("opening-erased", "update ecluse.opening o set index = t.first from ecluse.tombstone t where o.index = 1"),
    ("opening-missing", "delete from ecluse.tombstone"),
    ("tombstone-range", "update ecluse.tombstone set past = past + 1000000 where first = (select min(first) from ecluse.tombstone)"),
    ("tombstone-range", "update ecluse.erasure_batch set of_log = 2"),
    ("erasure-other", "update ecluse.erasure_batch set salt = sha256(salt)"),
    ("erasure-other", "update ecluse.erasure_batch set count = count + 1"),
    ("erasure-missing", "delete from ecluse.erasure_batch"),
    ("erasure-unsealed", "update ecluse.erasure_batch set index = 0"),
    ("cosignature-other", "update ecluse.ledger_cosignature k set line = o.line from ecluse.ledger_cosignature o where o.size = k.size and o.vkey <> k.vkey"),
    ("cosignature-other", "delete from ecluse.ledger_checkpoint where size = (select min(size) from ecluse.ledger_cosignature)"),
    ("quorum-other", "delete from ecluse.ledger_cosignature where vkey like 'dpo%'"),
    ("quorum-other", "update ecluse.ledger_quorum set policy = 7"),
    ("policy-other", "update ecluse.ledger_policy set text = replace(text, 'all', '1')"),
    ("policy-other", "delete from ecluse.ledger_policy"),
    ("contract-other", "update ecluse.contract set text = replace(text, 'reads_per_appointment = 4', 'reads_per_appointment = 9')"),
    ("contract-other", "delete from ecluse.contract"),
    ("evidence-other", "update ecluse.evidence set reviewed_on = reviewed_on + 365"),
    ("evidence-other", "update ecluse.evidence set sites = '{large}'"),
    ("evidence-other", "update ecluse.evidence set accepted_at = accepted_at - interval '1 microsecond' where withdrawn_at is null"),
    ("evidence-other", "update ecluse.evidence set withdrawn_at = accepted_at, withdrawn_by = accepted_by where withdrawn_at is null"),
    ("evidence-other", "delete from ecluse.evidence where withdrawn_at is not null"),
    ("finding-other", "update ecluse.finding set severity = 'low'"),
    ("finding-other", "update ecluse.finding set closed_by = null, closed_at = null, closing = null"),
    ("finding-other", "insert into ecluse.finding select 'x', processor_id, source, severity, 'x', due_on, opened_by, opened_at from ecluse.finding limit 1"),
    ("override-other", "update ecluse.gate_override set hours = 72"),
    ("override-other", "update ecluse.gate_override set approved_by = 'cli:another' where revoked_at is null"),
    ("override-other", "update ecluse.gate_override set approved_by = null, approved_at = null where revoked_at is null"),
    ("emergency-other", "insert into ecluse.emergency (id, log_id, index, attribute, opened_by, opened_at) values ('x', 1, 0, 'phone', 'cli:x', now())"),
    ("lookup-other", "insert into ecluse.lookup select 'lkp_x', 1, 0, 'ofii:1', 'no purpose at all', 'off_x', t, t + interval '1 h' from ecluse.clock() t"),
    ("people-other", "insert into ecluse.officer select translate(id, 'abcd', 'dcba'), name, name_salt, roles, added_at, null from ecluse.officer limit 1"),
    ("people-other", "update ecluse.officer set roles = array['administrator', 'dpo'] where closed_at is null"),
    ("people-other", "update ecluse.officer set name = 'Another' where closed_at is null"),
    ("people-other", "update ecluse.officer set closed_at = closed_at + interval '1 day'"),
    ("people-other", "update ecluse.officer set added_at = added_at - interval '1 microsecond' where closed_at is null"),
    ("people-other", "update ecluse.passkey set public_key = 'another'"),
    ("people-other", "update ecluse.passkey k set officer_id = o.id from ecluse.officer o where o.id <> k.officer_id"),
    ("people-other", "update ecluse.passkey set revoked_at = added_at"),
    ("people-other", "delete from ecluse.passkey where agent_id is not null"),
    ("reads-other", "update ecluse.appointment set reads = 0 where reads = 2"),
    ("reads-other", "update ecluse.appointment set reads = reads + 1000 where reads > 0"),
    ("budget-other", "delete from ecluse.budget_person where unit = 'd'"),
    ("budget-other", "update ecluse.budget_person set scope = 'processor:another' where unit = 'm'"),
    ("budget-other", "update ecluse.budget_count set persons = persons - 1 where unit = 'd'"),
    ("budget-other", "update ecluse.budget_count set persons = persons + 1000 where unit = 'm'"),
    ("retry-other", "update ecluse.idempotency set index = index + 1"),
    ("retry-other", "update ecluse.idempotency set redeliveries = 6"),
    ("refusals-other", "insert into ecluse.refusal_count select id, 1, 60, 9, 0 from ecluse.client where role = 'processor' limit 1"),
]  # fmt: skip
"""Faults beside the tree: the kind that has to be found, and what an administrator does."""


@pytest.fixture(scope="module")
def past() -> Iterator[tuple[Rig, tamper.World]]:
    """A log of more than a year, cosigned by two witnesses, with what others hold of it. Nothing writes it any more."""
    with rigged() as rig:
        yield rig, asyncio.run(tamper.live(rig))


@asynccontextmanager
async def tampered(rig: Rig, statement: str) -> AsyncIterator[asyncpg.Connection]:
    """Do something to the ledger's database as its superuser; it is taken back."""
    async with rig.agency.administered("ledger") as conn:
        await conn.execute("set session_replication_role = replica")
        transaction = conn.transaction(isolation="repeatable_read")
        await transaction.start()
        assert not (await conn.execute(statement)).endswith(" 0"), f"nothing was changed by: {statement}"
        yield conn
        await transaction.rollback()


async def fsck(rig: Rig, conn: asyncpg.Connection) -> Report:
    """Check the log by the key that stands outside the database."""
    return await check_log(conn, 1, tamper.signer(rig.agency).vkey)


async def test_history_when_changed_at_random_then_somebody_sees_it(past: tuple[Rig, tamper.World]) -> None:
    """One change of each kind, made past every trigger: fsck, the signer, a client or a witness finds it; the long form tries 1,000."""
    told = await tamper.play(*past, changes=len(tamper.KINDS))
    assert told.missed == []
    assert set(told.tried) == set(tamper.KINDS)


async def test_fsck_when_other_tables_do_not_say_what_entries_say_then_found(past: tuple[Rig, tamper.World]) -> None:
    """Tombstones, keys, policies, contracts, reads, budgets, retries, counted refusals: each fault is found as what it is, with a time."""
    missed = []
    for kind, statement in AROUND:
        async with tampered(past[0], statement) as conn:
            report = await fsck(past[0], conn)
        if kind not in {one.kind.value for one in report.problems}:
            missed.append((kind, statement, report.problems))
        assert all(one.sealed_at is not None and one.detail for one in report.problems)
    assert missed == []


async def test_fsck_when_a_fault_is_found_then_it_says_since_when(past: tuple[Rig, tamper.World]) -> None:
    """The first entry concerned, when it was sealed, and the last checkpoint and quorum before it, which nobody doubts."""
    rig, _ = past
    (cut,) = await rig.agency.fetch(
        "select o.index, max(q.size) as size from ecluse.opening o join ecluse.ledger_quorum q on q.size <= o.index "
        "where o.event like 'disclosure:person:%' group by o.index order by o.index desc limit 1"
    )  # the last whose fields no other table has to agree with
    index = cut["index"]
    async with tampered(rig, f"update ecluse.opening set salts = sha256(salts) where index = {index}") as conn:  # noqa: S608 - our own words
        report = await fsck(rig, conn)
        sealed_at = await conn.fetchval("select sealed_at from ecluse.ledger_entry where index = $1", index)
    (problem,) = report.problems
    assert (problem.kind, problem.index, problem.count) == (ProblemKind.OPENING_OTHER, index, 1)
    assert (problem.sealed_at, problem.cosigned_size) == (sealed_at, cut["size"])
    assert problem.signed_size is not None
    assert cut["size"] <= problem.signed_size <= index


async def test_fsck_when_the_log_is_whole_then_everything_is_accounted(past: tuple[Rig, tamper.World]) -> None:
    """Entries are openings and tombstones, nothing is wrong, and the last quorum covers all."""
    rig, world = past
    async with rig.agency.connected("ecluse_reader") as reader:
        report = await fsck(rig, reader)
    assert report.problems == ()
    assert report.entries == report.size == report.openings + report.erased
    assert report.erased == len(world.erased) > 0
    assert report.published == report.cosigned == report.size
    assert report.cosignatures >= 2


def test_kinds_of_problem_when_listed_then_each_has_a_test_that_produces_it() -> None:
    """No kind is only a word: `TAMPERED`, `AROUND` and the missing log's test name them all."""
    named = {kind for kind, _ in AROUND} | {kind for _, found in TAMPERED for kind in found} | {"head-missing"}
    assert named == {kind.value for kind in ProblemKind}


def test_docs_when_compared_with_the_kinds_tried_then_the_same() -> None:
    """docs/tampering.md has one row for each kind of change that is tried, and each is found by somebody every time."""
    rows = re.findall(
        r"^\| ([^|]+?) \| (\d+) \| ([^|]*) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [row[0] for row in rows] == list(tamper.KINDS)
    assert [row[0] for row in rows if "yes" not in {cell.strip() for cell in row[2:]}] == []
    assert sum(int(row[1]) for row in rows) >= 1_000
