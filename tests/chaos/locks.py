"""Every pair of use cases that write, in loops against each other: no deadlock ever, and whoever waits for the log's head holds nothing else."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import asyncpg
from joserfc.jwk import ECKey

from ecluse.contracts.service import apply_contract, place_hold, release_hold
from ecluse.disclosure.store import note_floods
from ecluse.identity import parse_public_jwk
from ecluse.identity.service import add_key, revoke_key
from ecluse.ledger.errors import LedgerStale, SignerHeld
from ecluse.ledger.integrate import Integrator
from ecluse.ledger.sign import Signer, load_log_key
from ecluse.register import parse_register
from ecluse.schedule.errors import ScheduleContended
from ecluse.schedule.service import ImportApplied, import_schedule
from tests.agency import ORIGIN, Meeting, Party
from tests.chaos.callers import RETRYABLE, Caller, Lane
from tests.chaos.rig import Rig, check_log, until
from tests.e2e.desk import UNKNOWN
from tests.invented import contract_text, register_toml

PERSONS: Final = range(10, 60)
_TELLING_SECONDS: Final = 1.2
"""PostgreSQL's processes tell their figures once a second."""
_DEADLOCKS: Final = "select deadlocks from pg_stat_database where datname = current_database()"
_WAITS_FOR: Final = "select pid from pg_stat_activity where $1 = any(pg_blocking_pids(pid)) order by pid limit 1"
_OTHER_LOCKS: Final = """
select distinct l.relation::regclass::text as name, l.mode from pg_locks l
where l.pid = $1 and l.granted and l.locktype = 'relation' and l.relation <> 'ecluse.ledger_head'::regclass
  and l.mode <> 'AccessShareLock' and l.relation::regclass::text like 'ecluse.%' and l.relation::regclass::text not like '%\\_pk'
"""


@dataclass(kw_only=True)
class Locks:
    """What became of it. ``turns``: how often each use case ended; ``contended``: how often it gave up as it may; ``order``: locks held while waiting.

    ``by_pair``: deadlocks of each pair, where there is time to ask.
    """

    pairs: int = 0
    deadlocks: int = 0
    turns: Counter[str] = field(default_factory=Counter)
    contended: Counter[str] = field(default_factory=Counter)
    by_pair: Counter[str] = field(default_factory=Counter)
    order: dict[str, list[str]] = field(default_factory=dict)


@dataclass(kw_only=True)
class _Works:
    """What the use cases work on."""

    rig: Rig
    party: Party
    meeting: Meeting
    caller: Caller
    handles: dict[int, str]
    app: asyncpg.Pool[asyncpg.Record]
    jobs: asyncpg.Pool[asyncpg.Record]
    integrator: Integrator
    told: Locks
    moves: int = 0
    sources: tuple[asyncio.Lock, asyncio.Lock] = field(default_factory=lambda: (asyncio.Lock(), asyncio.Lock()))


async def run(rig: Rig, *, seconds: float) -> Locks:
    """Run each pair for ``seconds``, each use case twice at once; count deadlocks, which must be none, and look at the order of locks."""
    told = Locks()
    await rig.start_gates(1)
    async with AsyncExitStack() as stack:
        works = await _prepare(rig, told, stack)
        admin = await stack.enter_async_context(rig.agency.administered("ledger"))
        before = await admin.fetchval(_DEADLOCKS)
        for one, other in itertools.combinations_with_replacement(USE_CASES, 2):
            await _against(works, one, other, seconds)
            told.pairs += 1
            if seconds >= 1:
                await asyncio.sleep(_TELLING_SECONDS)
                now = await admin.fetchval(_DEADLOCKS)
                if now > before + told.by_pair.total():
                    told.by_pair[f"{one} and {other}"] = now - before - told.by_pair.total()
        for name in _UNDER_THE_HEAD:
            told.order[name] = await _order(works, name)
        await asyncio.sleep(_TELLING_SECONDS)
        told.deadlocks = await admin.fetchval(_DEADLOCKS) - before
    assert told.deadlocks == 0, told.by_pair
    assert all(held == [] for held in told.order.values()), told.order
    assert all(told.turns[name] > 0 for name in USE_CASES), told.turns
    await check_log(rig.agency)
    rig.check_complaints()
    return told


async def _prepare(rig: Rig, told: Locks, stack: AsyncExitStack) -> _Works:
    """Bind a processor, schedule its persons, and open what the use cases go through."""
    agency = rig.agency
    party = await agency.bind(reads=1_000_000)
    meeting = await agency.meeting(party, PERSONS)
    handles = await agency.schedule(meeting)
    caller = Caller(agency, party.machines[0], party.agent)
    await caller.refresh(rig.port())
    stack.push_async_callback(caller.close)
    installation = agency.installation
    pools = []
    for role in ("app", "jobs"):
        dsn = rig.postgres.dsn(f"ecluse_{role}", installation.secret(f"db-{role}.password"), agency.ledger_name)
        pools.append(await stack.enter_async_context(asyncpg.create_pool(dsn, min_size=1, max_size=6)))
    signer = Signer(installation.state / "log.checkpoint", ORIGIN, load_log_key(installation.secret("log.key")))
    return _Works(
        rig=rig, party=party, meeting=meeting, caller=caller, handles=handles, app=pools[0], jobs=pools[1],
        integrator=Integrator(pools[1], signer, log_id=1), told=told,
    )  # fmt: skip


async def _against(works: _Works, one: str, other: str, seconds: float) -> None:
    """Run two use cases against each other, each twice at once."""
    deadline = time.monotonic() + seconds

    async def loop(name: str) -> None:
        while time.monotonic() < deadline:
            try:
                await USE_CASES[name](works)
                works.told.turns[name] += 1
            except (LedgerStale, ScheduleContended, SignerHeld):  # overtaken again and again: it says so, and nothing was done
                works.told.contended[name] += 1

    await asyncio.gather(*(loop(name) for name in (one, other) for _ in range(2)))


# ── the use cases ────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def _disclose(works: _Works) -> None:
    """Ask for eight persons and a stranger's handle at once, through the gate."""
    persons = works.rig.chance.sample(PERSONS, 8)
    lanes = [Lane(works.rig.port) for _ in range(9)]
    wires = [works.caller.write(handle, secrets.token_hex(8)) for handle in (*(works.handles[n] for n in persons), UNKNOWN)]
    answers = await asyncio.gather(*(lane.ask(wire) for lane, wire in zip(lanes, wires, strict=True)))
    for lane in lanes:
        await lane.close()
    stopped = {"ok", "suspended", "not-disclosable", "outside-window", *RETRYABLE}
    assert {said.code for said in answers if said is not None} <= stopped, answers
    assert None not in answers


async def _hold(works: _Works) -> None:
    """Place a hold on a person, and release it."""
    async with works.app.acquire() as app:
        hold, _ = await place_hold(
            app, log_id=1, scope="person", target=f"ofii:{works.rig.chance.choice(PERSONS)}", effect="suspend", reason="a test", actor="cli:test",
            register=parse_register(register_toml()),
        )  # fmt: skip
        await release_hold(app, log_id=1, hold=hold, actor="cli:test")


async def _contract(works: _Works) -> None:
    """Apply the processor's contract again."""
    mapped = {name: attribute.type for name, attribute in parse_register(register_toml()).attributes.items()}
    async with works.app.acquire() as app:
        await apply_contract(
            app, log_id=1, text=contract_text(works.party.name, reads=1_000_000), attributes=mapped, actor="cli:test"
        )


async def _key(works: _Works) -> None:
    """Add a key to a machine, and revoke it."""
    key = parse_public_jwk(ECKey.generate_key("P-256").as_dict(private=False))
    async with works.app.acquire() as app:
        await add_key(app, log_id=1, client=works.party.machines[0].id, key=key, actor="cli:test")
        await revoke_key(app, log_id=1, client=works.party.machines[0].id, thumbprint=key.thumbprint, actor="cli:test")


async def _import(works: _Works) -> None:
    """Move the session to another room, cancel a place, plan a new session: a file of one of two sources.

    Two imports of one source at once displace each other, by a deadlock at times: the loser begins again. So here each source sends one at a time.
    """
    works.moves += 1
    n = works.moves
    async with works.sources[n % 2]:
        await _send_file(works, n)


async def _send_file(works: _Works, n: int) -> None:
    """Import the ``n``-th file."""
    meeting, party = works.meeting, works.party
    source, ref = (f"plan-{party.name}", "S1") if n % 2 else (f"other-{party.name}", "T1")
    head = "source,session_ref,place_ref,subject_ref,purpose,processor,site,room,starts_at,ends_at,agents,status"
    times = f"{_wire(meeting.starts_at)},{_wire(meeting.ends_at)}"
    rows = [
        f"{source},{ref},P{p},ofii:{p},civic-training,{party.name},large,room-{ref}-{n % 7},{times},{party.agent},"
        f"{'cancelled' if p == 10 + n % 50 and n % 3 == 0 else 'planned'}"
        for p in PERSONS
    ]
    rows.append(
        f"{source},N{n % 300},P1,ofii:{100 + n % 90},civic-training,{party.name},large,new-{n % 300},{times},{party.agent},planned"
    )
    report = await import_schedule(
        works.app, file_bytes="\n".join([head, *rows]).encode(), kind="csv", actor="cli:test", dry_run=False,
        register=parse_register(register_toml()), zone=works.rig.agency.installation.settings.zone,
    )  # fmt: skip
    assert isinstance(report, ImportApplied), report


def _wire(at: datetime) -> str:
    """Write an instant as a schedule file has it."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


async def _spend(works: _Works) -> None:
    """Spend proofs as the token endpoint does."""
    for _ in range(5):
        assert await works.app.fetchval("select ecluse.spend($1, $2)", int(time.time()) // 60, secrets.token_bytes(32))


async def _purge(works: _Works) -> None:
    """Clear what has served its time, among it proofs of an hour ago."""
    await works.app.executemany(
        "select ecluse.spend($1, $2)", [(int(time.time()) // 60 - 60, secrets.token_bytes(32)) for _ in range(10)]
    )
    await works.jobs.fetchval("select ecluse.purge()")


async def _partitions(works: _Works) -> None:
    """Look after the partitions; every other time one has to be made again."""
    await works.jobs.fetchval("select ecluse.ensure_partitions()")


async def _integrate(works: _Works) -> None:
    """Do a round of the integrator, beside the gate's own."""
    await works.integrator.round()


async def _floods(works: _Works) -> None:
    """Seal what was only counted: a flood of a minute ago."""
    async with works.rig.agency.connected() as owner:
        await owner.execute(
            "insert into ecluse.refusal_count (client_id, minute, sealed, counted, noted) values ($1, $2, 1, 1, null) "
            "on conflict on constraint refusal_count_pk do update set noted = null, counted = refusal_count.counted + 1",
            works.party.machines[0].id,
            int(time.time()) // 60 - works.rig.chance.randrange(1, 10),
        )
    await note_floods(works.jobs, 1)


USE_CASES: Final[dict[str, Callable[[_Works], Coroutine[object, object, None]]]] = {
    "disclose": _disclose,
    "hold": _hold,
    "contract": _contract,
    "key": _key,
    "import": _import,
    "spend": _spend,
    "purge": _purge,
    "partitions": _partitions,
    "integrate": _integrate,
    "floods": _floods,
}
_UNDER_THE_HEAD: Final = ("disclose", "hold", "contract", "key", "import", "floods")


async def _order(works: _Works, name: str) -> list[str]:
    """Hold the log's head, begin a use case, and return which other of our tables it has locked for writing when it comes to wait for the head."""
    async with works.rig.agency.connected() as holder, works.rig.agency.administered("ledger") as admin:
        held = holder.transaction()
        await held.start()
        mine = await holder.fetchval("select pg_backend_pid() from ecluse.ledger_head where log_id = 1 for update")
        doing = asyncio.create_task(USE_CASES[name](works))

        async def waits() -> bool:
            return await admin.fetchval(_WAITS_FOR, mine) is not None

        try:
            await until(waits, seconds=3, every=0.01)
            pid = await admin.fetchval(_WAITS_FOR, mine)
            return [f"{row['name']} {row['mode']}" for row in await admin.fetch(_OTHER_LOCKS, pid)]
        finally:
            await held.rollback()
            await doing
