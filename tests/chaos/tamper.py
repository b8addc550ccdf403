"""Promise 8 attacked from the database: random single changes to a real, cosigned log, each of which somebody has to see.

A gate seals for some months, two witnesses cosign, a batch of openings is erased. Then the gate stops, and each change is made by a superuser in a
transaction that is rolled back; inside it four look, each with the real parts and nothing but what is theirs:

- fsck: the database and the log's verifier key;
- the signer: one round of the integrator, with the signer's own memory;
- a client: a policy file, the newest head that it verified, the receipts that it was given; it asks for the served head and for proofs;
- a witness: what it cosigned last; it is asked to cosign the newest head.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg

from ecluse.identity.accounts import add_officer, close_officer
from ecluse.identity.people import Role
from ecluse.install import signer_of
from ecluse.ledger import LedgerError
from ecluse.ledger.erase import erase_due
from ecluse.ledger.fsck import check_log
from ecluse.ledger.integrate import Integrator
from ecluse.ledger.notes import open_cosigned, parse_vkey
from ecluse.ledger.policies import apply_policy
from ecluse.ledger.quorum import Policy, parse_policy
from ecluse.ledger.serve import checkpoint, consistency, inclusion, served_checkpoint
from ecluse.ledger.sign import Signer, load_log_key
from ecluse.ledger.tree import check_consistency, check_inclusion
from ecluse.witness.errors import WitnessError
from ecluse.witness.service import Witness, create
from tests import governed
from tests.agency import ORIGIN, Agency
from tests.chaos.rig import Rig, until
from tests.chaos.tampering import CHANGES, LOG, Hand
from tests.e2e.outsider import Outsider
from tests.signed import enrolled

WATCHERS: Final = ("fsck", "signer", "client", "witness")
ROLLED_BACK: Final = "database: rolled back to an old backup"
KINDS: Final = (*CHANGES, ROLLED_BACK)
MONTHS: Final = 12
_LONG_AGO: Final = timedelta(days=400)
_TRIES: Final = 400
REFUSALS: Final = 64
"""Of each of the three times of work: the log is of more than one tile."""

_AT_ONCE: Final = 16
_RECEIPTS: Final = 16  # that the client checks


@dataclass(kw_only=True)
class Told:
    """What became of the changes: how many of each kind, and by whom each kind was found. ``missed``: kinds of changes that nobody saw."""

    tried: Counter[str] = field(default_factory=Counter)
    found: dict[str, Counter[str]] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)

    def take(self, kind: str, seen: Mapping[str, str]) -> None:
        """Count one change."""
        self.tried[kind] += 1
        self.found.setdefault(kind, Counter()).update(seen.keys())
        if not seen:
            self.missed.append(kind)

    def table(self) -> str:
        """Write the table of docs/tampering.md: of each kind who always finds it, who sometimes."""
        rows = ["| change | tried | " + " | ".join(WATCHERS) + " |", "|---|---|" + "---|" * len(WATCHERS)]
        for kind in KINDS:
            tried, found = self.tried[kind], self.found.get(kind, Counter())
            cells = ["yes" if found[one] == tried else f"{found[one]} of {tried}" if found[one] else "" for one in WATCHERS]
            rows.append(f"| {kind} | {tried} | " + " | ".join(cells) + " |")
        return "\n".join(rows)

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.tried.total()} changes of {len(self.tried)} kinds, {len(self.missed)} missed\n{self.table()}"


@dataclass(kw_only=True)
class World:
    """A log with its past, and what others hold of it.

    ``pin``: the newest head that a client verified; ``receipts``: index and leaf hash; ``erased``: openings before they went;
    ``backups``: databases as they were.
    """

    agency: Agency
    folder: Path
    policy: Policy
    pin: str
    receipts: list[tuple[int, bytes]]
    erased: list[asyncpg.Record]
    backups: list[str]


async def run(rig: Rig, *, changes: int) -> Told:
    """Make a log, then try ``changes`` changes to it, of each kind in turn. Raises AssertionError for one that nobody sees."""
    world = await live(rig)
    try:
        return await play(rig, world, changes)
    finally:
        shutil.rmtree(world.folder, ignore_errors=True)


async def play(rig: Rig, world: World, changes: int) -> Told:
    """Try ``changes`` changes to a log, of each kind in turn. Raises AssertionError for one that nobody sees."""
    told = Told()
    async with rig.agency.administered("ledger") as conn:
        await conn.execute("set session_replication_role = replica")  # the triggers that refuse it keep silent
        seen = await look(conn, world, None)
        assert seen == {}, f"seen where nothing was changed: {seen}"
        for number in range(changes):
            kind = KINDS[number % len(KINDS)]
            told.take(kind, await _rolled_back(rig, world) if kind == ROLLED_BACK else await _one(rig, world, conn, kind))
            if (number + 1) % 50 == 0:
                rig.say(f"  {number + 1} of {changes} changes, {len(told.missed)} missed")
    assert not told.missed, told.missed
    return told


# ── the world ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@contextlib.contextmanager
def _witnesses(folder: Path) -> Iterator[dict[str, str]]:
    """Serve two witnesses, each a process of its own; yields their addresses by name. Whom they trust is said later."""
    servers, urls = [], {}
    for name in ("dpo", "lyon"):
        create(folder / name, f"{name}.example/witness")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        command = [sys.executable, "-m", "ecluse", "ledger", "witness", "serve", "--dir", str(folder / name), "--port", str(port)]
        servers.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        urls[name] = f"http://127.0.0.1:{port}"
    try:
        yield urls
    finally:
        for server in servers:
            server.terminate()
            server.wait(timeout=20)


async def live(rig: Rig) -> World:
    """Let a log live through more than a year, with two witnesses."""
    with tempfile.TemporaryDirectory(prefix="ecluse-witnesses-") as name, _witnesses(Path(name)) as urls:
        return await _live(rig, Path(name), urls)


async def _live(rig: Rig, folder: Path, urls: Mapping[str, str]) -> World:
    """Let the agency work for a day, be idle for a year, erase, and work for another day; keep what everybody holds of it."""
    agency = rig.agency
    vkey: str = (await agency.fetch("select vkey from ecluse.ledger_log"))[0]["vkey"]
    lines = [f"log {vkey}"]
    for name, url in urls.items():
        witness = Witness(folder / name)
        witness.trust([parse_vkey(vkey)])
        lines.append(f"witness {name} {witness.vkey} {url}")
    raw = "\n".join([*lines, f"group both all {' '.join(urls)}", "quorum both", ""]).encode()
    async with agency.connected("ecluse_app") as app:
        await apply_policy(app, log_id=LOG, raw=raw, actor="cli:test")
    await rig.start_gates(1)
    receipts = await _work(rig, range(1, 11))
    await _admit(agency)
    backups = [await _backup(rig, "old")]
    await agency.set_clock_offset(_LONG_AGO)
    erased = await agency.fetch("select * from ecluse.opening where log_id = 1")
    async with agency.connected("ecluse_jobs") as jobs:
        await erase_due(jobs, LOG, MONTHS)
    left = {row["index"] for row in await agency.fetch("select index from ecluse.opening where log_id = 1")}
    await rig.start_gates(1)
    receipts += await _work(rig, range(21, 41))
    backups.append(await _backup(rig, "newer"))
    await rig.start_gates(1)
    receipts += await _work(rig, range(51, 56))
    keep = Path(tempfile.mkdtemp(prefix="ecluse-tamper-"))
    shutil.copytree(folder / "dpo", keep / "witness")
    shutil.copyfile(agency.installation.state / "log.checkpoint", keep / "log.checkpoint")
    async with agency.connected("ecluse_app") as app:
        served = await served_checkpoint(app, LOG)
    assert served is not None
    step = max(1, len(receipts) // _RECEIPTS)
    return World(
        agency=agency, folder=keep, policy=parse_policy(raw), pin=served.note, receipts=receipts[::step],
        erased=[row for row in erased if row["index"] not in left], backups=backups,
    )  # fmt: skip


async def _work(rig: Rig, persons: range) -> list[tuple[int, bytes]]:
    """Disclose to a new processor, retry, be refused, hold; wait until all is cosigned, then close the gate. Returns the receipts."""
    agency = rig.agency
    party = await agency.bind(agents=2)
    handles = await agency.schedule(await agency.meeting(party, list(persons)))
    receipts = []
    async with Outsider(agency.public_url, party.machines[0].id, party.machines[0].key) as machine:
        for number, handle in handles.items():
            for key in (f"k{number}", f"k{number}", None)[: number % 3 + 1]:
                body = (await machine.disclose(handle, party.agents[number % 2], ("family_name", "birth_date"), key=key)).json()
                receipts.append((body["receipt"]["index"], bytes.fromhex(body["receipt"]["leaf_hash"])))
        for _ in range(0, REFUSALS, _AT_ONCE):
            await asyncio.gather(*(machine.disclose("apt_" + "a" * 26, party.agent) for _ in range(_AT_ONCE)))
    hold, _ = await agency.hold("processor", party.name)
    await agency.release(hold)
    await agency.hold("agent", party.agents[1], "keep")  # its openings stay past their time: the tombstones are of several ranges
    await _govern(agency)

    async def cosigned() -> bool:
        rows = await agency.fetch(
            "select coalesce((select max(size) from ecluse.ledger_quorum), 0) as done, (select size from ecluse.ledger_head) as size"
        )
        return bool(rows[0]["done"] == rows[0]["size"])

    await until(cosigned)
    for gate in list(agency.gates):
        agency.stop_gate(gate)
    return receipts


async def _govern(agency: Agency) -> None:
    """Accept and withdraw evidence, open and close findings, approve and revoke overrides of one more processor."""
    installation, today = agency.installation, (await agency.now()).date()
    party = await agency.bind(evidence={"pentest": "P12M"})
    for _ in range(2):
        override = await governed.ask(installation, party.name, "evidence:missing:pentest")
        await governed.approve(installation, override)
        await governed.revoke(installation, override)
    await governed.approve(installation, await governed.ask(installation, party.name, "evidence:missing:pentest"))
    reviewed_on, ends_on = today - timedelta(days=9), today + timedelta(days=20)
    for _ in range(2):
        evidence = await governed.accept(installation, party.name, reviewed_on=reviewed_on, ends_on=ends_on)
        await governed.close(installation, await governed.find(installation, party.name, due_on=ends_on))
        await governed.find(installation, party.name, due_on=ends_on)
    await governed.withdraw(installation, evidence)
    await governed.accept(
        installation, party.name, kind="sub-processor-list", reviewed_on=reviewed_on, sub_processors=(governed.HOSTING,)
    )


async def _admit(agency: Agency) -> None:
    """Let people sign in: officers, one of them closed again, and an agent."""
    async with agency.connected("ecluse_app") as app:
        people = [
            (await add_officer(app, log_id=LOG, name=f"Officer {n}", roles=[Role.ADMINISTRATOR], actor="cli:test"))[0]
            for n in range(3)
        ]
    for holder in (*people, (await agency.bind()).agent):
        await enrolled(agency, holder)
    async with agency.connected("ecluse_app") as app:
        await close_officer(app, log_id=LOG, officer=people[0], actor=people[1])


async def _backup(rig: Rig, name: str) -> str:
    """Copy the ledger's database as it is; nobody is connected."""
    copy = f"{rig.agency.ledger_name}_{name}"
    async with rig.agency.administered("postgres") as keeper:
        await keeper.execute(f"create database {copy} template {rig.agency.ledger_name}")
    return copy


# ── one change ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def _one(rig: Rig, world: World, conn: asyncpg.Connection, kind: str) -> dict[str, str]:
    """Make one change of a kind, have everybody look, and take it back. What the database itself refuses is tried otherwise."""
    for _ in range(_TRIES):
        key = load_log_key(world.agency.installation.secret("log.key"))
        hand = Hand(conn=conn, chance=rig.chance, key=key, openings=world.erased)
        transaction = conn.transaction(isolation="repeatable_read")
        await transaction.start()
        try:
            if await CHANGES[kind](hand):
                return await look(conn, world, hand.memory)
        except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError):
            continue
        finally:
            await transaction.rollback()
    raise AssertionError(f"no such change can be made here: {kind}")


async def _rolled_back(rig: Rig, world: World) -> dict[str, str]:
    """Look at a database as it was before."""
    async with rig.agency.administered(rig.chance.choice(world.backups)) as conn:
        transaction = conn.transaction(isolation="repeatable_read")
        await transaction.start()
        try:
            return await look(conn, world, None)
        finally:
            await transaction.rollback()


async def look(conn: asyncpg.Connection, world: World, memory: str | None) -> dict[str, str]:
    """Return who sees something wrong, and what. ``memory``: what was put in the place of the signer's."""
    seen: dict[str, str] = {}
    report = await check_log(conn, LOG, signer(world.agency).vkey)
    if not report.sound:
        seen["fsck"] = ", ".join(f"{one.kind.value} at {one.index}" for one in report.problems)
    for name, watch in (("signer", _sign(conn, world, memory)), ("client", _follow(conn, world)), ("witness", _ask(conn, world))):
        savepoint = conn.transaction()
        await savepoint.start()
        try:
            await watch
        except (LedgerError, WitnessError, asyncpg.PostgresError, _Seen) as why:
            seen[name] = f"{type(why).__name__}: {why}"
        finally:
            await savepoint.rollback()
    return seen


class _Seen(Exception):
    """A client or witness was shown what can't be."""


def signer(agency: Agency) -> Signer:
    """Return an agency's own signer."""
    return signer_of(agency.installation, LOG, ORIGIN)


class _Lent:
    """One connection as a pool of its own: what is done through it stays inside its transaction."""

    def __init__(self, conn: asyncpg.Connection) -> None:
        """Lend this one."""
        self.conn = conn

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend it."""
        yield self.conn


async def _sign(conn: asyncpg.Connection, world: World, memory: str | None) -> None:
    """Do the signer's next round, with a copy of its memory, or with what was put in its place."""
    path = world.folder / "signer" / "log.checkpoint"
    path.parent.mkdir(exist_ok=True)
    path.write_text(memory or (world.folder / "log.checkpoint").read_text(encoding="utf-8"), encoding="utf-8")
    own = signer(world.agency)
    own._path = path
    pool: Any = _Lent(conn)
    done = await Integrator(pool, own, log_id=LOG).round()
    if not done.elected:
        raise AssertionError("the turn is somebody else's")


async def _follow(conn: asyncpg.Connection, world: World) -> None:
    """Do what a client does: fetch the served head, check its signatures and quorum, that it extends the one pinned, and its own receipts under it."""
    served = await served_checkpoint(conn, LOG)
    if served is None:
        raise _Seen
    keys, witnesses = [peer.verifier for peer in world.policy.logs], [peer.verifier for peer in world.policy.witnesses]
    pin = open_cosigned(world.pin, keys, ORIGIN, witnesses).checkpoint
    head = open_cosigned(served.note, keys, ORIGIN, witnesses)
    size, root = head.checkpoint.size, head.checkpoint.root
    if size < pin.size or not world.policy.reached(head.cosigned_at):
        raise _Seen
    check_consistency(pin.size, size, pin.root, root, await consistency(conn, LOG, pin.size, size))
    for index, leaf in world.receipts:
        check_inclusion(index, size, leaf, await inclusion(conn, LOG, index, size), root)


async def _ask(conn: asyncpg.Connection, world: World) -> None:
    """Do what the log does with a witness: tell it the newest head, from where it was. Its store is a copy: what it keeps as evidence stays there."""
    newest = await checkpoint(conn, LOG)
    witness = Witness(world.folder / "witness")
    (seen,) = witness.logs()
    old = seen.seen.size if seen.seen is not None else 0
    if newest is None or newest.size < old:
        raise _Seen
    proof = await consistency(conn, LOG, old, newest.size) if 0 < old < newest.size else []
    body = "\n".join([f"old {old}", *(b64encode(one).decode() for one in proof), "", newest.note])
    await asyncio.to_thread(witness.add_checkpoint, body.encode())
