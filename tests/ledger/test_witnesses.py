"""Asking witnesses on real sockets and a real database: every refusal, forks, slow and dead ones, the quorum, and what is served meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from ecluse.ledger.model import StoredCheckpoint
from ecluse.ledger.notes import open_cosigned, parse_vkey
from ecluse.ledger.policies import apply_policy, read_standing
from ecluse.ledger.quorum import parse_policy
from ecluse.ledger.serve import checkpoint, checkpoint_covering, served_checkpoint
from ecluse.ledger.witnesses import Witnesses
from tests.ledger.strict_witness import Witness, policy_text, witnessing

pytestmark = pytest.mark.db

ORIGIN = "register.example/ecluse/main"
HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
ALL = "group both all dpo lyon\nquorum both"


# ── on a database ────────────────────────────────────────────────────────────────────────────────────────────────────


class Rig:
    """A log, its witnesses by the policy's names, and the client that asks them."""

    def __init__(self, journal: Any, http: httpx.AsyncClient, app: asyncpg.Connection, **witnesses: Witness) -> None:
        """Ask ``witnesses`` of the ``journal``'s log."""
        self.journal, self.http, self.app, self.witnesses = journal, http, app, witnesses
        self.client = self.fresh()

    def fresh(self, **how: Any) -> Witnesses:
        """Return a client that knows nothing yet, as after a start."""
        return Witnesses(self.journal.jobs, log_id=1, warn_after=HOUR, freeze_after=DAY, **{"timeout_seconds": 2.0, **how})

    async def apply(self, quorum: str, *names: str) -> int:
        """Put a policy in force that names these witnesses (all, if none is said); return its version."""
        chosen = {name: self.witnesses[name] for name in names or self.witnesses}
        raw = policy_text(self.journal.signer.vkey, chosen, quorum).encode()
        return (await apply_policy(self.app, log_id=1, raw=raw, actor="cli:test")).version

    async def sign(self, more: int = 3) -> int:
        """Let the log grow and sign it; return the size."""
        await self.journal.grow(more)
        return (await self.journal.integrator().round()).size

    async def ask(self, client: Witnesses | None = None) -> dict[str, str]:
        """Do a turn and wait for its end, whoever is due or not; return what became of asking, by name."""
        client = client or self.client
        for asked in client._asked.values():
            asked.due = 0.0
        await client.turn(self.http)
        await asyncio.gather(*(asked.task for asked in client._asked.values() if asked.task))
        return {asked.peer.name.decode(): asked.outcome for asked in client._asked.values()}

    async def cosigned(self) -> list[tuple[int, str]]:
        """Return what is stored: sizes and the names of keys."""
        rows = await self.journal.reader.fetch("select size, vkey from ecluse.ledger_cosignature order by size, vkey")
        return [(row["size"], row["vkey"].partition(".")[0]) for row in rows]

    async def quorums(self) -> list[tuple[int, int]]:
        """Return the sizes that have their quorum, and by which version."""
        return [
            tuple(row) for row in await self.journal.reader.fetch("select size, policy from ecluse.ledger_quorum order by size")
        ]

    async def clock(self, offset: timedelta) -> None:
        """Let the database's clock run ahead."""
        await self.journal.owner.execute(
            "create or replace function ecluse.clock() returns timestamptz language sql volatile as "
            f"'select clock_timestamp() + interval ''{offset // timedelta(seconds=1)} s'''"
        )

    def faults(self) -> list[str]:
        """Return what the witnesses found wrong with our requests."""
        return [fault for witness in self.witnesses.values() for fault in witness.faults]


@contextmanager
def _witnesses(journal: Any, *names: str) -> Iterator[dict[str, Witness]]:
    with ExitStack() as stack:
        log = parse_vkey(journal.signer.vkey)
        yield {name: stack.enter_context(witnessing(f"{name}.example/w", log)) for name in names}


@asynccontextmanager
async def rigged(journal: Any, *names: str) -> AsyncIterator[Rig]:
    """Set up witnesses for a journal's log; in the end none of them has found a fault."""
    async with AsyncExitStack() as stack:
        witnesses = stack.enter_context(_witnesses(journal, *names))
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        app = await asyncpg.connect(journal.dsns["ecluse_app"])
        stack.push_async_callback(app.close)
        rig = Rig(journal, http, app, **witnesses)
        yield rig
        await rig.client._let_go(rig.client._asked.values())
        assert rig.faults() == []


@asynccontextmanager
async def running(client: Witnesses) -> AsyncIterator[None]:
    """Let a client run by itself."""
    stop = asyncio.Event()
    task = asyncio.create_task(client.run(stop))
    try:
        yield
    finally:
        stop.set()
        client.wake()
        await task


async def until(condition: Any, seconds: float = 20.0) -> None:
    """Wait until ``condition`` (a coroutine function) holds."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - another process's database has no event to wait for
            await asyncio.sleep(0.02)


BAD_ANSWERS = [
    (400, "http-400"), (403, "http-403"), (404, "http-404"), (500, "http-500"), (503, "http-503"), (418, "http-other"), (302, "http-other"),
    (204, "http-other"), ("die", "connection"), ("endless", "answer-too-large"), ("garbled", "answer-invalid"), ("stranger", "answer-invalid"),
    ("more", "answer-invalid"), ("empty", "answer-invalid"), ("size ", "answer-invalid"), ("size 0\n", "answer-invalid"), ("size 1", "answer-invalid"),
    ("size 01\n", "answer-invalid"), ("size 1_0\n", "answer-invalid"), ("size ٣\n", "answer-invalid"), ("size 1\n2\n", "answer-invalid"),
    ("size 99999999999999999999\n", "answer-invalid"),
]  # fmt: skip


async def test_ask_when_a_witness_answers_wrongly_then_nothing_is_stored_and_it_is_asked_again_later(journal: Any) -> None:
    """Every refusal, broken answer and lost connection leaves nothing behind; the pause grows to a minute; the first right answer counts."""
    async with rigged(journal, "dpo") as rig:
        await rig.apply("quorum dpo")
        size = await rig.sign()
        for how, outcome in BAD_ANSWERS:
            rig.witnesses["dpo"].plan = [how]
            assert await rig.ask() == {"dpo": outcome}, how
        assert (await rig.cosigned(), await rig.quorums(), rig.client.forks) == ([], [], {})
        assert next(iter(rig.client._asked.values())).pause == 60.0
        await rig.client.turn(rig.http)
        assert not any(asked.busy for asked in rig.client._asked.values())  # not before its pause is over
        assert await rig.ask() == {"dpo": "cosigned"}
        assert (await rig.cosigned(), await rig.quorums()) == ([(size, "dpo")], [(size, 1)])


async def test_ask_when_a_witness_is_silent_then_timeout(journal: Any) -> None:
    """Who does not answer in time is given up for this time."""
    async with rigged(journal, "dpo") as rig:
        await rig.apply("quorum dpo")
        await rig.sign()
        client = rig.fresh(timeout_seconds=0.2)
        rig.witnesses["dpo"].plan = ["slow"]
        assert await rig.ask(client) == {"dpo": "timeout"}
        await asyncio.sleep(1.2)  # it did cosign, late: its 409 says so
        assert await rig.ask(rig.fresh()) == {"dpo": "cosigned"}


async def test_ask_when_a_witness_knows_an_older_size_then_its_409_teaches(journal: Any) -> None:
    """A client that remembers nothing asks from 0, is told the size, and proves from there; what it learnt it keeps."""
    async with rigged(journal, "dpo") as rig:
        await rig.apply("quorum dpo")
        first = await rig.sign(20)
        await rig.ask()
        second, fresh = await rig.sign(300), rig.fresh()
        assert await rig.ask(fresh) == {"dpo": "cosigned"}
        third = await rig.sign(1)
        assert await rig.ask(fresh) == {"dpo": "cosigned"}
        assert await rig.ask(rig.fresh()) == {"dpo": "cosigned"}  # once at a start, whether it knows more than we do
        assert [(old, new) for old, new, _ in rig.witnesses["dpo"].requests] == [
            (0, first), (0, second), (first, second), (second, third), (third, third),
        ]  # fmt: skip
        assert await rig.ask(fresh) == {"dpo": "cosigned"}
        assert len(rig.witnesses["dpo"].requests) == 5
        assert [size for size, _ in await rig.quorums()] == [first, second, third]


async def test_ask_when_the_witness_changes_its_mind_without_end_then_bounded(journal: Any) -> None:
    """A witness that names another size each time is asked four times in a row, not for ever."""
    async with rigged(journal, "dpo") as rig:
        await rig.apply("quorum dpo")
        await rig.sign(20)
        rig.witnesses["dpo"].plan = [f"size {n}\n" for n in (3, 5, 7, 9, 11)]
        assert await rig.ask() == {"dpo": "conflict"}
        assert rig.witnesses["dpo"].plan == ["size 11\n"]


async def test_ask_when_a_witness_knows_a_longer_log_then_a_fork_alarm_until_it_cosigns(journal: Any) -> None:
    """A size beyond our newest is a history that we do not have: an alarm by name, which only its cosignature ends."""
    async with rigged(journal, "dpo", "lyon") as rig:
        await rig.apply(ALL)
        size = await rig.sign()
        rig.witnesses["lyon"].plan = [f"size {size + 1}\n", 503]
        assert await rig.ask() == {"dpo": "cosigned", "lyon": "fork"}
        assert rig.client.forks == {"lyon": "it knows a longer log than ours"}
        assert await rig.ask() == {"dpo": "cosigned", "lyon": "http-503"}
        assert rig.client.forks != {}
        assert await rig.ask() == {"dpo": "cosigned", "lyon": "cosigned"}
        assert rig.client.forks == {}


async def test_ask_when_history_differs_then_a_fork_alarm(journal: Any) -> None:
    """Another root at the same size, or one that our log does not extend, is refused by the witness with 422: an alarm, and nothing stored."""
    async with rigged(journal, "dpo") as rig:
        await rig.apply("quorum dpo")
        size = await rig.sign(20)
        rig.witnesses["dpo"].size, rig.witnesses["dpo"].root = size, bytes(32)
        assert await rig.ask() == {"dpo": "fork"}
        rig.witnesses["dpo"].size = 7
        assert await rig.ask() == {"dpo": "fork"}
        assert rig.client.forks == {"dpo": "it refuses the proof that our log extends the one that it knows"}
        assert (await rig.cosigned(), await rig.quorums()) == ([], [])


async def test_ask_when_another_root_of_this_size_is_told_by_409_then_a_fork_alarm(journal: Any) -> None:
    """Witnesses of earlier drafts refuse another root at the same size with 409 and that size: no less an alarm than 422."""
    async with rigged(journal, "dpo") as rig:
        await rig.apply("quorum dpo")
        size = await rig.sign(20)
        rig.witnesses["dpo"].plan = [f"size {size}\n"] * 2
        assert await rig.ask() == {"dpo": "fork"}
        assert rig.client.forks == {"dpo": "it knows another history of this size"}
        assert (await rig.cosigned(), await rig.quorums()) == ([], [])


async def test_ask_when_another_process_outran_us_then_no_alarm(journal: Any) -> None:
    """A size beyond our target that is the newest checkpoint's by now is taken from there: two processes may ask at once."""
    async with rigged(journal, "dpo") as rig:
        await rig.apply("quorum dpo")
        await rig.sign(20)
        rig.witnesses["dpo"].plan, rig.witnesses["dpo"].slow_seconds = ["slow"], 0.5
        await rig.client.turn(rig.http)
        newer = await rig.sign(5)
        other = rig.fresh()
        await asyncio.sleep(0.7)
        assert await rig.ask(other) == {"dpo": "cosigned"}
        stale = rig.fresh()
        await rig.ask(stale)  # learns the policy
        old = await rig.journal.reader.fetchrow(
            "select size, root, note, signed_at from ecluse.ledger_checkpoint order by size limit 1"
        )
        asked = next(iter(stale._asked.values()))
        asked.size = 0
        outcome = await stale._cosigned(rig.http, asked, StoredCheckpoint(**dict(old)))
        assert (outcome, stale.forks, asked.done) == ("cosigned", {}, newer)


async def test_run_when_one_is_slow_and_one_dead_then_the_others_and_the_log_go_on(journal: Any) -> None:
    """A quorum of one is there while another witness thinks and a third hangs up; the slow one's cosignature is stored when it comes."""
    async with rigged(journal, "dpo", "lyon", "court") as rig:
        rig.witnesses["lyon"].plan, rig.witnesses["lyon"].slow_seconds = ["slow"], 1.5
        rig.witnesses["court"].always = "die"
        await rig.apply("group g any dpo lyon court\nquorum g")
        async with running(rig.client):
            first = await rig.sign()
            rig.client.wake()
            await until(lambda: _holds(rig, first))
            assert (first, "lyon") not in await rig.cosigned()
            second = await rig.sign()
            rig.client.wake()
            await until(lambda: _holds(rig, second))
            assert (first, "lyon") not in await rig.cosigned()
            await until(lambda: _stored(rig, (first, "lyon"), (second, "lyon")))
        assert "court" not in {name for _, name in await rig.cosigned()}


async def _holds(rig: Rig, size: int) -> bool:
    return size in [each for each, _ in await rig.quorums()]


async def _stored(rig: Rig, *rows: tuple[int, str]) -> bool:
    return set(rows) <= set(await rig.cosigned())


async def test_run_when_the_log_grows_all_the_time_and_one_is_slow_then_the_quorum_of_all_is_met(journal: Any) -> None:
    """Witnesses of different speed cosign the same sizes, however often the log is signed meanwhile."""
    async with rigged(journal, "dpo", "lyon") as rig:
        rig.witnesses["lyon"].always, rig.witnesses["lyon"].slow_seconds = "slow", 0.4
        await rig.apply(ALL)
        async with running(rig.client), asyncio.timeout(30):
            while len(await rig.quorums()) < 3:
                await rig.sign(1)
                rig.client.wake()
                await asyncio.sleep(0.05)
        assert set(rig.witnesses["lyon"].sizes) <= set(rig.witnesses["dpo"].sizes) | {rig.witnesses["lyon"].sizes[-1]}


async def test_aim_when_a_crash_came_before_the_quorum_was_noted_then_it_is_noted_before_anybody_answers(journal: Any) -> None:
    """Cosignatures that stand there are counted by whoever comes next."""
    async with rigged(journal, "dpo", "lyon") as rig:
        await rig.apply(ALL)
        size = await rig.sign()
        await rig.ask()
        await rig.journal.owner.execute("alter table ecluse.ledger_quorum disable trigger all; delete from ecluse.ledger_quorum")
        await rig.journal.owner.execute("alter table ecluse.ledger_quorum enable trigger all")
        for witness in rig.witnesses.values():
            witness.always = 503
        await rig.ask(rig.fresh())
        assert await rig.quorums() == [(size, 1)]


async def test_start_when_the_database_was_rolled_back_to_a_cosigned_size_then_a_fork_alarm_at_once(journal: Any) -> None:
    """A witness is asked at each start, also for what it cosigned: it knows more than a database that went back, before anything is sealed anew."""
    async with rigged(journal, "dpo") as rig:
        await rig.apply("quorum dpo")
        await rig.sign()
        await rig.ask()
        fresh = rig.fresh()
        rig.witnesses["dpo"].size += 7
        assert await rig.ask(fresh) == {"dpo": "fork"}
        assert fresh.forks == {"dpo": "it knows a longer log than ours"}


async def test_policy_when_another_is_applied_then_who_is_gone_is_asked_no_more(journal: Any) -> None:
    """The next checkpoint is asked of the new policy's witnesses only, and its quorum bears the new version."""
    async with rigged(journal, "dpo", "lyon") as rig:
        await rig.apply(ALL)
        await rig.sign()
        await rig.ask()
        rig.client.forks["lyon"] = "a test"
        assert await rig.apply("quorum dpo", "dpo") == 2
        size = await rig.sign(0)
        assert await rig.ask() == {"dpo": "cosigned"}
        assert (size, "lyon") not in await rig.cosigned()
        assert (await rig.quorums())[-1] == (size, 2)
        assert rig.client.forks == {}


async def test_policy_when_applied_then_kept_sealed_and_nobody_rewrites_it(journal: Any) -> None:
    """Each version and its hash is kept; neither the gate nor the owner can add, change or drop one past the door."""
    async with rigged(journal, "dpo") as rig:
        await rig.apply("quorum dpo")
        standing = await read_standing(rig.app, 1)
        fields = await journal.reader.fetchval("select fields from ecluse.opening where event = 'control:witnesses:applied'")
        assert f'["detail",{{"hash":"{standing.hash}","version":1}}]' in fields
        assert '["object","main/1"]' in fields
        assert (standing.version, standing.policy, standing.applied_by) == (1, parse_policy(standing.text.encode()), "cli:test")
        for table in ("ledger_policy", "ledger_cosignature", "ledger_quorum"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await rig.app.execute(f"delete from ecluse.{table}")  # noqa: S608 - our own names
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await journal.owner.execute(f"truncate ecluse.{table}")
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await journal.owner.execute("update ecluse.ledger_policy set quorum_since = null")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await rig.app.execute("insert into ecluse.ledger_quorum values (1, 999, 1, now())")


# ── since when, and what is served ───────────────────────────────────────────────────────────────────────────────────


async def test_uncosigned_when_policies_and_quorums_come_and_go_then_since_the_oldest_that_waits(journal: Any) -> None:
    """Nothing waits without a quorum to reach; then since the policy, then since the oldest entry beyond the last quorum; a gap counts as oldest."""

    async def since() -> Any:
        return await rig.app.fetchval("select ecluse.uncosigned_since(1::smallint)")

    async with rigged(journal, "dpo", "lyon") as rig:
        await rig.sign(30)
        assert await since() is None
        await rig.apply("quorum none")
        assert await since() is None
        await rig.apply("quorum dpo", "dpo")
        asked = await journal.reader.fetchval("select quorum_since from ecluse.ledger_policy where version = 2")
        assert await since() == asked  # not since the first entry, which is older than any policy
        await rig.apply(ALL)
        assert await since() == asked  # other witnesses do not begin it anew
        size = await rig.sign(0)
        await rig.ask()
        assert (await rig.quorums())[-1][0] == size
        assert await since() is None
        await journal.grow(1)
        await journal.grow(1)
        oldest = await journal.reader.fetchval("select sealed_at from ecluse.ledger_entry where index = $1", size)
        assert await since() == oldest
        await journal.tamper("delete from ecluse.ledger_entry where index = $1", size)
        assert await since() == asked
        await rig.apply("quorum none")
        assert await since() is None
        await rig.apply("quorum dpo", "dpo")
        again = await journal.reader.fetchval("select quorum_since from ecluse.ledger_policy where version = 5")
        assert again > asked
        assert await since() == again


async def test_served_when_there_is_a_quorum_then_with_all_cosignatures(journal: Any) -> None:
    """What is served opens with the log's key, and the policy's quorum is met by the lines after it; proofs lead to the same."""
    async with rigged(journal, "dpo", "lyon") as rig:
        await rig.apply("group g any dpo lyon\nquorum g")
        size = await rig.sign()
        await rig.ask()
        head = await served_checkpoint(rig.app, 1)
        policy = (await read_standing(rig.app, 1)).policy
        assert head is not None
        assert policy is not None
        opened = open_cosigned(head.note, [parse_vkey(journal.signer.vkey)], ORIGIN, [peer.verifier for peer in policy.witnesses])
        assert opened.checkpoint.size == size
        assert policy.reached(opened.cosigned_at)
        assert len(opened.cosigned_at) == 2
        assert await checkpoint_covering(rig.app, 1, size - 1) == head
        assert await checkpoint_covering(rig.app, 1, size) is None


async def test_served_when_the_quorum_is_missing_then_the_last_that_has_it_and_after_five_seconds_the_newest(
    journal: Any,
) -> None:
    """A checkpoint waits five seconds for its witnesses, not longer, with the lines that it has; the newest itself is always there for the signer."""
    async with rigged(journal, "dpo", "lyon") as rig:
        before = await rig.sign()
        assert (await served_checkpoint(rig.app, 1)).size == before  # type: ignore[union-attr] # there is one
        await rig.apply(ALL)
        assert (await served_checkpoint(rig.app, 1)).size == before  # type: ignore[union-attr] # as it was served before
        first = await rig.sign(0)
        await rig.ask()
        rig.witnesses["lyon"].always = 503
        second = await rig.sign()
        await rig.ask()
        assert [(await served_checkpoint(rig.app, 1)).size, (await checkpoint(rig.app, 1)).size] == [first, second]  # type: ignore[union-attr]
        assert await checkpoint_covering(rig.app, 1, first) is None
        await rig.clock(timedelta(seconds=6))
        head = await checkpoint_covering(rig.app, 1, first)
        assert head is not None
        assert (head.size, head.note.count("\u2014 dpo.example/w "), head.note.count("\u2014 lyon.example/w ")) == (second, 1, 0)
        third = await rig.sign()  # signed all the time, and never five seconds old
        assert (third, (await served_checkpoint(rig.app, 1)).size) == (third, second)  # type: ignore[union-attr]
