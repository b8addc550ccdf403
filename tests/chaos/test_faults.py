"""The parts that a gate stands on taken away, one by one: what callers get, and that nothing is lost, mixed up or disclosed unsealed."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from ecluse.ledger.errors import ClockUntrusted
from tests.agency import Gate
from tests.chaos.callers import Caller, Lane, Said
from tests.chaos.proxy import Wire, wired
from tests.chaos.rig import GRANTED, Rig, check_bodies, check_log, granted_by, until, until_signed
from tests.e2e.desk import UNKNOWN
from tests.invented import MARK

pytestmark = pytest.mark.e2e

PERSONS = range(10, 74)


@dataclass(frozen=True, kw_only=True)
class Office:
    """A processor at work at a gate of its own, which reaches both databases over a wire. ``ledger``, ``register``: the wires."""

    rig: Rig
    gate: Gate
    ledger: Wire
    register: Wire
    processor: str
    caller: Caller
    handles: dict[int, str]

    async def ask(self, person: int, *, key: str | None = None, attributes: tuple[str, ...] = ("family_name",)) -> Said:
        """Ask for one person over a connection of its own. A connection that is lost is the test's failure."""
        lane = self.lane()
        said = await lane.ask(self.caller.write(self.handles[person], key, attributes))
        await lane.close()
        assert said is not None
        return said

    def lane(self) -> Lane:
        """Return a connection to the gate."""
        return Lane(lambda: self.gate.port)

    async def until_served(self, person: int) -> None:
        """Ask until the gate serves again."""

        async def served() -> bool:
            return (await self.ask(person)).status == 200

        await until(served, every=0.1)


@dataclass(frozen=True, kw_only=True)
class Wired:
    """A gate that reaches both databases over a wire."""

    rig: Rig
    gate: Gate
    ledger: Wire
    register: Wire


@pytest.fixture(scope="module")
def gate(rig: Rig) -> Iterator[Wired]:
    """One gate for the module: what was taken away comes back, and so does the gate."""
    socket_folder = rig.postgres.socket_folder
    with wired(socket_folder) as ledger, wired(socket_folder) as register:
        addresses = {"database__url": ledger.url(rig.agency.ledger_name), "register__url": register.url(rig.agency.register_name)}
        yield Wired(rig=rig, gate=rig.agency.start_gate(**addresses), ledger=ledger, register=register)
        rig.kill_gate(rig.agency.gates[0])


@asynccontextmanager
async def office(gate: Wired) -> AsyncIterator[Office]:
    """Bind a processor for one test, schedule its persons, get its token."""
    party = await gate.rig.agency.bind(reads=10_000)
    handles = await gate.rig.agency.schedule(await gate.rig.agency.meeting(party, PERSONS))
    caller = Caller(gate.rig.agency, party.machines[0], party.agent)
    await caller.refresh(gate.gate.port)
    yield Office(
        rig=gate.rig,
        gate=gate.gate,
        ledger=gate.ledger,
        register=gate.register,
        processor=party.name,
        caller=caller,
        handles=handles,
    )
    await caller.close()


# ── the ledger's database ────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_commit_when_its_answer_is_lost_then_retryable_and_the_retry_is_a_redelivery(rig: Rig, gate: Wired) -> None:
    """The connection breaks between commit and answer: the caller is told to come again, and gets the entry sealed then, once."""
    async with office(gate) as desk:
        await desk.until_served(10)
        for person in (11, 12, 13):
            before, key = await rig.agency.size(), secrets.token_hex(8)
            desk.ledger.cut_answers_of, desk.ledger.cuts = b"ecluse.seal(", 1
            said = await desk.ask(person, key=key)
            assert (desk.ledger.cuts, said.status, said.code) == (0, 503, "ledger-unavailable")
            sealed = [e for e in await rig.agency.openings(since=before) if e["event"] == GRANTED]
            assert [entry["appointment"] for entry in sealed] == [desk.handles[person]]
            again = await desk.ask(person, key=key)
            assert again.told["receipt"]["index"] == sealed[0]["index"]
            await check_bodies(rig.agency, [again.told])
            assert [e["index"] for e in await rig.agency.openings(since=before) if e["event"] == GRANTED] == [sealed[0]["index"]]


async def test_commits_when_many_answers_are_lost_then_each_key_has_one_entry(rig: Rig, gate: Wired) -> None:
    """Batches of sixteen whose commits' outcome is unknown, again and again: every key ends with one body and one entry."""
    async with office(gate) as desk:
        await desk.until_served(10)
        desk.ledger.cut_answers_of, desk.ledger.cuts = b"ecluse.seal(", 6

        async def until_served(person: int) -> dict[str, Any]:
            key = secrets.token_hex(8)
            for _ in range(100):
                said = await desk.ask(person, key=key)
                if said.status == 200:
                    return said.told
                assert said.code == "ledger-unavailable"
                await asyncio.sleep(0.05)
            raise AssertionError("never served")

        bodies = await asyncio.gather(*(until_served(person) for person in (*PERSONS[:16], *PERSONS[:16])))
        assert desk.ledger.cuts == 0
        grants = await granted_by(rig.agency, desk.processor)
        assert len({body["receipt"]["index"] for body in bodies}) == 32 == len(grants) - 1  # and the first one
        await check_bodies(rig.agency, bodies)


async def configure(rig: Rig, text: str, standby: str) -> None:
    """Give PostgreSQL another configuration, which names a standby or none, and wait until it has it."""
    (rig.postgres.home / "postgresql.conf").write_text(text, "utf-8")
    async with rig.agency.administered("postgres") as admin:
        await admin.execute("select pg_reload_conf()")

        async def known() -> bool:
            return bool(await admin.fetchval("show synchronous_standby_names") == standby)

        await until(known)


async def test_commit_when_the_standby_does_not_confirm_then_retryable_and_nothing_released(rig: Rig, gate: Wired) -> None:
    """PostgreSQL warns that the standby did not confirm: that is not sealed, so nobody is released and all are told to come again."""
    before = (rig.postgres.home / "postgresql.conf").read_text("utf-8")
    async with office(gate) as desk:
        await desk.until_served(10)
        await configure(rig, before + "synchronous_standby_names = 'nobody'\n", "nobody")
        try:
            asked = [asyncio.create_task(desk.ask(person, key=f"k{person}")) for person in PERSONS[:8]]
            async with rig.agency.administered("ledger") as admin:

                async def told_all() -> bool:
                    await asyncio.sleep(0.5)  # let the batches fill
                    # whoever waits is told that it did commit, but here alone: a batch, then the next that had waited for it
                    await admin.fetchval(
                        "select bool_or(pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep' and usename = 'ecluse_app'"
                    )
                    return all(one.done() for one in asked)

                await until(told_all)
        finally:
            await configure(rig, before, "")
        told = await asyncio.gather(*asked)
        assert {(said.status, said.code) for said in told} <= {(503, "ledger-unavailable"), (200, "ok")}
        assert any(said.status == 503 for said in told)
        again = [(await desk.ask(person, key=f"k{person}")).told for person in PERSONS[:8]]
        await check_bodies(rig.agency, [*again, *(said.told for said in told if said.status == 200)])
        grants = Counter(entry["appointment"] for entry in await granted_by(rig.agency, desk.processor))
        assert all(grants[desk.handles[person]] == 1 for person in PERSONS[1:8])


async def test_database_when_cut_off_mid_batch_then_retryable_and_served_again_after(rig: Rig, gate: Wired) -> None:
    """The ledger's database is out of reach with requests under way: each is told so in time; within reach again it serves without a restart."""
    async with office(gate) as desk:
        await desk.until_served(10)
        asked = [asyncio.create_task(desk.ask(person, key=f"k{person}")) for person in PERSONS[:32]]
        await asyncio.sleep(0.01)
        desk.ledger.down = True
        desk.ledger.cut()
        told = await asyncio.gather(*asked)
        assert Counter(said.code for said in told).keys() <= {"ok", "ledger-unavailable"}
        assert (await desk.ask(10)).code == "ledger-unavailable"
        desk.ledger.down = False
        await desk.until_served(10)
        again = [(await desk.ask(person, key=f"k{person}")).told for person in PERSONS[:32]]
        await check_bodies(rig.agency, [*again, *(said.told for said in told if said.status == 200)])
        grants = [entry["appointment"] for entry in await granted_by(rig.agency, desk.processor)]
        assert all(grants.count(desk.handles[person]) == 1 for person in PERSONS[1:32])


async def test_database_when_restarted_by_its_operator_mid_batch_then_nothing_is_lost(rig: Rig, gate: Wired) -> None:
    """PostgreSQL is stopped and started in the middle of the work: what was delivered is sealed, the rest is served after."""
    async with office(gate) as desk:
        await desk.until_served(10)
        asked = [asyncio.create_task(desk.ask(person, key=f"k{person}")) for person in PERSONS]
        await asyncio.to_thread(rig.postgres.stop)
        await asyncio.to_thread(rig.postgres.start)
        told = await asyncio.gather(*asked)
        assert {said.code for said in told} <= {"ok", "ledger-unavailable", "register-unavailable"}
        await desk.until_served(10)
        again = [(await desk.ask(person, key=f"k{person}")).told for person in PERSONS]
        await check_bodies(rig.agency, [*again, *(said.told for said in told if said.status == 200)])
        await check_log(rig.agency)


async def test_clock_when_set_back_then_untrusted_until_it_has_caught_up(rig: Rig, gate: Wired) -> None:
    """The database's clock goes back an hour: nothing is decided, nothing sealed, no hold either; set right it serves at once, on the same connections."""
    async with office(gate) as desk:
        await desk.until_served(10)
        await until_signed(rig.agency)
        await desk.ask(10)  # signed while the clock is behind
        size = await rig.agency.size()
        await rig.agency.set_clock_offset(rig.agency.offset - timedelta(hours=1))
        try:
            told = await asyncio.gather(*(desk.ask(person) for person in PERSONS[:8]))
            assert [(said.status, said.code) for said in told] == [(503, "clock-untrusted")] * 8
            with pytest.raises(ClockUntrusted):
                await rig.agency.hold("agent", desk.caller.agent)
            assert await rig.agency.size() == size
            await until_signed(rig.agency)
        finally:
            await rig.agency.set_clock_offset(rig.agency.offset)
        assert (await desk.ask(10)).status == 200
    await check_log(rig.agency)


# ── the register ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_register_when_cut_off_then_refusals_are_sealed_and_persons_come_after(rig: Rig, gate: Wired) -> None:
    """Without a register nobody is disclosed and what needs none is still decided and sealed; it comes back without a restart."""
    async with office(gate) as desk:
        await desk.until_served(10)
        desk.register.down = True
        desk.register.cut()
        size, lane = await rig.agency.size(), desk.lane()
        wires = [desk.caller.write(UNKNOWN, None), desk.caller.write(desk.handles[11], None)]
        told = [await lane.ask(wire) for wire in wires]
        await lane.close()
        assert [said and said.code for said in told] == ["not-disclosable", "register-unavailable"]
        assert [entry["event"] for entry in await rig.agency.openings(since=size)] == ["disclosure:person:refused"]
        desk.register.down = False
        await desk.until_served(11)


async def test_register_when_it_hangs_then_told_in_time_and_the_ledger_is_free(rig: Rig, gate: Wired) -> None:
    """A register that answers nothing holds no lock: others seal meanwhile, and its own callers are told within its timeout and a little."""
    async with office(gate) as desk:
        await desk.until_served(10)
        desk.register.hanging = True
        asked = asyncio.create_task(desk.ask(11))
        await asyncio.sleep(0.3)
        for _ in range(3):  # each a control entry: the head's lock, thrice
            await rig.agency.release((await rig.agency.hold("agent", (await rig.agency.bind()).agent))[0])
        assert not asked.done()
        assert (await asked).code == "register-unavailable"
        desk.register.hanging = False
        await desk.until_served(11)


async def test_controls_when_they_come_faster_than_the_register_answers_then_busy_and_served_after(rig: Rig, gate: Wired) -> None:
    """A change in every span of the register's answering time overtakes each plan: the caller is told `busy` after eight, and served when it is calm."""
    async with office(gate) as desk:
        await desk.until_served(10)
        others = [(await rig.agency.bind()).agent for _ in range(2)]

        async def change(agent: str) -> None:
            while True:
                await rig.agency.release((await rig.agency.hold("agent", agent))[0])

        desk.register.delay = 0.6
        changing = [asyncio.create_task(change(agent)) for agent in others]
        said = await desk.ask(11)
        for task in changing:
            task.cancel()
        await asyncio.gather(*changing, return_exceptions=True)
        desk.register.delay = 0.0
        assert (said.status, said.code) == (503, "busy")
        assert (await desk.ask(11)).status == 200


_GARBAGE = {
    "a number that is none": "(nom::integer)::text",
    "a division by zero": "(1 / (numero - {person}))::text",
    "bytes that are no text": "convert_from(decode(substr(dossier, 1, 0) || 'ff', 'hex'), 'UTF8')",
    "an exception of its own": "registre.refuse()",
}
_FUNCTIONS = (
    "create or replace function registre.refuse() returns text language plpgsql as $$ begin raise exception 'no such file'; end $$",
    "create or replace function registre.sleep() returns text language sql volatile as $$ select pg_sleep(9)::text $$",
)


@asynccontextmanager
async def spoilt_row(rig: Rig, person: int, expression: str) -> AsyncIterator[None]:
    """Let the register be a view whose family name of one person is ``expression``."""
    for function in _FUNCTIONS:
        await rig.agency.change_register(function)
    await rig.agency.change_register("alter table registre.personne rename to fichier")
    await rig.agency.change_register(
        f"create view registre.personne as select numero, case when numero = {person} then {expression} else nom end as nom, "  # noqa: S608 - our own words
        "prenom, naissance, entree, langue, dossier from registre.fichier"
    )
    await rig.agency.change_register("grant select on registre.personne to register_reader")
    try:
        yield
    finally:
        await rig.agency.change_register("drop view registre.personne")
        await rig.agency.change_register("alter table registre.fichier rename to personne")


@pytest.mark.parametrize("kind", list(_GARBAGE))
async def test_register_when_one_row_is_garbage_then_only_that_person_is_undetermined(rig: Rig, gate: Wired, kind: str) -> None:
    """A view that fails for one person of a batch: that one is undetermined and sealed so, its neighbours are served."""
    person = 20
    async with spoilt_row(rig, person, _GARBAGE[kind].format(person=person)), office(gate) as desk:
        told = await asyncio.gather(*(desk.ask(n) for n in PERSONS[:24]))
    codes = {n: said.code for n, said in zip(PERSONS[:24], told, strict=True)}
    assert codes == {n: "undetermined" if n == person else "ok" for n in PERSONS[:24]}


async def test_register_when_one_row_takes_too_long_then_its_batch_comes_again_and_is_served(rig: Rig, gate: Wired) -> None:
    """A row that outlasts the register's timeout: its batch is told to come again, nothing of it is sealed, and the others are served when they do."""
    person = 20
    async with spoilt_row(rig, person, "registre.sleep()"), office(gate) as desk:
        told = await asyncio.gather(*(desk.ask(n, key=f"k{n}") for n in PERSONS[:24]))
        assert {said.code for said in told} <= {"ok", "register-unavailable"}
        assert told[PERSONS.index(person)].code == "register-unavailable"
        again = await asyncio.gather(*(desk.ask(n, key=f"k{n}") for n in PERSONS[:24] if n != person))
        assert [said.code for said in again] == ["ok"] * 23
        grants = Counter(entry["appointment"] for entry in await granted_by(rig.agency, desk.processor))
        assert grants == {desk.handles[n]: 1 for n in PERSONS[:24] if n != person}


# ── callers ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_callers_when_they_hang_up_then_what_they_asked_is_sealed_and_neighbours_are_answered(
    rig: Rig, gate: Wired
) -> None:
    """Half of a crowd closes its connections once it has asked: every request is decided and sealed, the other half is served."""
    async with office(gate) as desk:
        await desk.until_served(10)
        leaving, staying = PERSONS[:32], PERSONS[32:]
        lanes = [desk.lane() for _ in leaving]
        desk.register.delay = 0.3
        for lane, person in zip(lanes, leaving, strict=True):
            _, writer = await lane.open()
            writer.write(desk.caller.write(desk.handles[person], f"left{person}"))
            await writer.drain()
        asked = [asyncio.create_task(desk.ask(person)) for person in staying]
        await asyncio.sleep(0.1)
        for lane in lanes:
            await lane.close()
        told = await asyncio.gather(*asked)
        desk.register.delay = 0.0
        assert [said.status for said in told] == [200] * len(staying)
        wanted = {desk.handles[person] for person in PERSONS}

        async def all_sealed() -> bool:
            return {entry["appointment"] for entry in await granted_by(rig.agency, desk.processor)} == wanted

        await until(all_sealed, every=0.1)
        again = [(await desk.ask(person, key=f"left{person}")).told for person in leaving]
        await check_bodies(rig.agency, [*again, *(said.told for said in told)])
        grants = Counter(entry["appointment"] for entry in await granted_by(rig.agency, desk.processor))
        assert all(grants[desk.handles[person]] == 1 for person in PERSONS[1:])


@pytest.mark.parametrize("round_", range(2))
async def test_batch_when_everybody_asks_at_once_then_each_answer_is_of_whom_was_asked(
    rig: Rig, gate: Wired, round_: int
) -> None:
    """Sixty-four persons in any order, between unknown handles, retries, foreign attributes and reused keys: no answer is another's."""
    async with office(gate) as desk:
        persons = list(PERSONS)
        rig.chance.shuffle(persons)

        async def ask(person: int) -> None:
            turn = rig.chance.randrange(5)
            key, names = f"{round_}-{person}", ("family_name", "email") if turn % 2 else ("family_name",)
            if turn == 4:
                lane = desk.lane()
                refused = await lane.ask(desk.caller.write(UNKNOWN, key))
                await lane.close()
                assert refused is not None
                assert refused.code == "not-disclosable"
            said = await desk.ask(person, key=key, attributes=names)
            assert said.status == 200, said.body
            again = await desk.ask(person, key=key, attributes=names)
            assert again.body == said.body
            assert (await desk.ask(persons[0], key=key, attributes=("given_name",))).code == "key-reused"
            told = said.told
            assert told["subject"]["family_name"] == f"{MARK}nom{person:04}"
            assert set(told["subject"]) == set(names)
            shown = {field[0]: field[2] for field in told["receipt"]["opening"]["fields"] if isinstance(field, list)}
            assert (shown["appointment"], shown["disclosure"]) == (desk.handles[person], told["disclosure"])
            rows = await rig.agency.fetch("select subject_ref from ecluse.opening where index = $1", told["receipt"]["index"])
            assert [row["subject_ref"] for row in rows] == [f"ofii:{person}"]

        await asyncio.gather(*map(ask, persons))
