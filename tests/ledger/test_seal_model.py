"""``ecluse.seal()`` against its reference: the same batches to both, then every outcome and every table compared.

A play is a few batches one after the other, in a transaction that is rolled back, on a clock that the test sets. What is drawn is a wish; ``rows_of``
makes requests of it as the door would, so that the caller's promises hold. A play that fails is made smaller until all that is left in it matters, which
the report then shows. ``ECLUSE_BIG=1`` draws many more.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pprint import pformat
from typing import Any, Final, TypeAlias

import asyncpg
import pytest
from msgspec import structs

from ecluse.db import LOGIN_ROLES
from ecluse.embedded import EmbeddedPostgres
from ecluse.ledger.fields import commit
from ecluse.ledger.store import SEAL, Sealed, SealRow, seal
from tests.databases import create_installed
from tests.ledger import seal_model as model
from tests.ledger.seal_changes import CHANGES

pytestmark = pytest.mark.db

PLAYS: Final = 8_000 if os.environ.get("ECLUSE_BIG") else 200
START: Final = datetime(2026, 1, 31, 23, 59, 50, tzinfo=UTC)
"""Ten seconds before an hour, a day and a month are over."""
US, SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("microseconds", "seconds", "minutes", "hours", "days"))
WORDS: Final = {
    "stale",
    "clock-untrusted",
    "sealed",
    "redelivered",
    "replay",
    "key-used",
    "outside",
    "budget",
    "redelivery-spent",
    "again",
    "group",
    "counted",
}
BUDGETS: Final = (("h", "agent:ines"), ("h", "client:c"), ("d", "processor:north"), ("m", "processor:north"))
OPEN: Final = (-HOUR, HOUR)
_STEPS: Final = (9 * SECOND, 10 * SECOND, MINUTE, 10 * MINUTE - US, 10 * MINUTE, HOUR, DAY, 20 * DAY, -US, -HOUR)
WISH: Final[dict[str, tuple[Any, ...]]] = {
    "kind": ("refuse", *["grant"] * 8, *["redeliver"] * 4, "refuse", "count", "count", "sell"),
    "place": (("north", "apt_a"), ("north", "apt_b"), ("south", "apt_a"), ("south", "apt_b")),
    "subject": ("ofii:1", "ofii:2", "ofii:3", "ofii:4"),
    "client": ("c", "c", "d"),
    "key": (None, ("one", "k"), ("one", "l"), ("two", "k")),
    "proof": (*[None] * 9, (1, b"p"), (1, b"q"), (2, b"p"), (2, b"q")),
    "window": (*[OPEN] * 15, (timedelta(0), US), (US, HOUR), (-HOUR, timedelta(0))),
    "max_reads": (3, 3, 3, 2, 2, 1, 0),
    "less": (*[0] * 12, 1, 2, None),
    "null": (*[None] * 50, "valid_from", "valid_until", "max_reads", "index", "index", "kind", "processor", "handle"),
    "entries": (1, 2, 3),
    "shift": (0, 0, 0, 0, 1, 2, -1),
    "budgets": tuple(tuple(b for n, b in enumerate(BUDGETS) if mask >> n & 1) for mask in range(1 << len(BUDGETS))),
}
"""Of what a request is drawn, field by field: few of each, so that they meet. The first is the simplest."""
BATCH: Final[dict[str, tuple[Any, ...]]] = {
    "step": (*[SECOND] * 12, timedelta(0), *_STEPS),
    "log": (*[1] * 40, 3, None),
    "age": (*[timedelta(0)] * 30, 5 * SECOND, 5 * SECOND + US, -US, None),
    "behind": (*[0] * 30, 1, -1, None),
    "atomic": (False, False, True),
    "limits": tuple((n // 64, n // 16 % 4, n // 4 % 4, n % 4) for n in reversed(range(256))),
}

BEFORE: Final = """
create or replace function ecluse.clock() returns timestamptz language sql volatile as 'select current_setting(''ecluse_test.now'')::timestamptz';
insert into ecluse.ledger_log values (1, 'main', 'main.example', '', now()), (2, 'other', 'other.example', '', now());
insert into ecluse.ledger_head values (1, 7, 4, '2026-01-31 23:59:40Z'), (2, 3, 4, '2026-01-31 23:59:40Z');
insert into ecluse.processor select p, p, 1, now() from unnest(array['north', 'south']) p;
insert into ecluse.schedule_import values ('imp_1', 'plan', '', 3, 'test', now(), null);
insert into ecluse.session select 'ses_' || id, 'plan', id, id, 'civic', 's', 'r', now(), 'infinity', 'imp_1', 0 from ecluse.processor;
insert into ecluse.enrolment select 'enr_' || id, id, 'civic', 'civic', 'ofii:1' from ecluse.processor;
insert into ecluse.appointment select p, h, 'ses_' || p, h, 'enr_' || p, 'ofii:1', 'imp_1', null, n
from (values ('north', 'apt_a', 0), ('north', 'apt_b', 1), ('south', 'apt_a', 0)) as v (p, h, n);
insert into ecluse.idempotency values
  ('c', 'one', 'k', '\\x01', 1, 4, 2, '2026-01-31 23:55:00Z', 4),
  ('c', 'one', 'l', '\\x03', 1, 3, 1, '2026-01-31 23:59:00Z', 5), ('c', 'two', 'k', '\\x02', 1, 6, 1, '2026-01-31 23:49:51Z', 5);
insert into ecluse.budget_person values
  ('h', '2026-01-31 23:00Z', 'client:c', 'ofii:1'), ('h', '2026-01-31 22:00Z', 'client:c', 'ofii:2'), ('d', '2026-01-31Z', 'processor:north', 'ofii:1'),
  ('m', '2026-01-01Z', 'processor:north', 'ofii:1'), ('m', '2026-01-01Z', 'processor:north', 'ofii:3');
insert into ecluse.budget_count select unit, bucket, scope, count(*) from ecluse.budget_person group by 1, 2, 3;
insert into ecluse.proof_spent values (2, 'q');
insert into ecluse.refusal_count values
  ('c', extract(epoch from timestamptz '2026-01-31 23:59Z') / 60, 2, 1, null), ('d', extract(epoch from timestamptz '2026-01-31 23:58Z') / 60, 3, 4, 5);
set timezone = 'Pacific/Kiritimati';
set statement_timeout = '5s';
"""
"""What every play begins with: counts that have begun, a key with one redelivery left, one with none, one with a second to live; a session in a far zone."""


@dataclass(frozen=True)
class Wish:
    """One request.

    ``key``: endpoint and key; ``less``: how far below the batch's limits its own are, None: they are null; ``null``: the member that is;
    ``shift``: a redelivery's index from that for which its key stands; places in the pools elsewhere.
    """

    kind: str
    place: tuple[str, str]
    subject: str
    client: str
    key: tuple[str, str] | None
    proof: tuple[int, bytes] | None
    window: tuple[timedelta, timedelta]
    max_reads: int
    less: int | None
    null: str | None
    entries: int
    shift: int
    budgets: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Batch:
    """One call. ``step``: of the clock since the calls before; ``age``: of the plan; ``behind``: controls since; ``limits``: of the budgets."""

    step: timedelta
    log: int | None
    age: timedelta | None
    behind: int | None
    atomic: bool
    limits: tuple[int, ...]
    wishes: tuple[Wish, ...]


Play: TypeAlias = tuple[Batch, ...]


def plays(seed: int) -> Iterator[Play]:
    """Draw plays without end."""
    dice = random.Random(seed)  # noqa: S311 - drawn for a test, not a secret
    while True:
        yield tuple(
            Batch(
                wishes=tuple(
                    Wish(**{name: dice.choice(pool) for name, pool in WISH.items()})
                    for _ in range(dice.choice((1, 2, 3, 4, 5, 6, 8, 12)))
                ),
                **{name: dice.choice(pool) for name, pool in BATCH.items()},
            )
            for _ in range(dice.randint(1, 6))
        )


def simpler(play: Play) -> Iterator[Play]:
    """Go through the plays that lack one batch or one request of this one, or have one field at its simplest."""
    yield from (play[:n] + play[n + 1 :] for n in range(len(play)))
    for n, batch in enumerate(play):
        wishes = batch.wishes
        fewer = [replace(batch, wishes=wishes[:w] + wishes[w + 1 :]) for w in range(len(wishes))]
        plainer = [replace(batch, **{name: pool[0]}) for name, pool in BATCH.items() if getattr(batch, name) != pool[0]]
        easier = [
            replace(batch, wishes=(*wishes[:w], replace(wish, **{name: pool[0]}), *wishes[w + 1 :]))
            for w, wish in enumerate(wishes)
            for name, pool in WISH.items()
            if getattr(wish, name) != pool[0]
        ]
        yield from ((*play[:n], other, *play[n + 1 :]) for other in (*fewer, *plainer, *easier) if other.wishes)


def rows_of(batch: Batch, number: int, state: model.State, now: datetime) -> list[SealRow]:
    """Make a batch's requests, the caller's promises kept: no proof, no (client, endpoint, key) twice. Of one budget it says several limits."""
    rows: list[SealRow] = []
    used: set[object] = set()
    for n, wish in enumerate(batch.wishes):
        endpoint, key = wish.key if wish.key and (wish.client, *wish.key) not in used else ("one", None)
        proof = wish.proof if wish.proof not in used else None
        used |= {proof, (wish.client, endpoint, key)} - {None}
        stands = state.keys.get((wish.client, endpoint, key)) if key else None
        salts = sha256(bytes((number, n))).digest() * 2
        row = SealRow(
            kind=wish.kind, valid_from=now + wish.window[0], valid_until=now + wish.window[1],
            slot=proof[0] if proof else None, proof=proof[1] if proof else None,
            client=wish.client, endpoint=endpoint, key=key, body_hash=salts[:8], entries=wish.entries,
            index=(stands.index if stands else 0) + wish.shift if wish.kind == "redeliver" else None,
            processor=wish.place[0], handle=wish.place[1], max_reads=wish.max_reads, subject=wish.subject,
            agent=f"agt_{n}", disclosure=f"dsc_{number}_{n}", event=f"disclosure:person:{wish.kind}",
            committed=commit([("at", "2026-01-31T23:59:50.000000Z"), ("event", wish.kind)], salts),
        )  # fmt: skip
        said: dict[str, Any] = {wish.null: None} if wish.null else {}
        if wish.kind == "grant":
            limits = [None if wish.less is None else batch.limits[BUDGETS.index(b)] - wish.less for b in wish.budgets]
            said |= {"spends": tuple((*b, limit) for b, limit in zip(wish.budgets, limits, strict=True))}
        if wish.kind == "count":
            said |= {"committed": None, "disclosure": None, "event": None}
        rows.append(structs.replace(row, **said))
    return rows


TABLES: Final = ("ledger_head", "budget_person", "budget_count", "appointment", "proof_spent", "idempotency", "refusal_count")
READ: Final = f"""
select {", ".join(f"array(select x from ecluse.{table} x) as {table}" for table in TABLES)},
  array(select (index, leaf, e.sealed_at, o.sealed_at, event, disclosure_id, processor_id, agent_id, subject_ref, fields, salts)
        from ecluse.ledger_entry e full join ecluse.opening o using (log_id, index)) as entries
"""  # noqa: S608 - names of this file
"""Every table that a seal may write, whole, in one statement: plays read them many thousand times."""


async def read_state(db: asyncpg.Connection) -> model.State:
    """Read every table that a seal may write; the counts of persons are checked in passing."""
    found = (await db.fetch(READ))[0]
    persons: dict[model.Budget, set[str]] = {}
    for unit, begins, scope, subject in found["budget_person"]:
        persons.setdefault((unit, begins, scope), set()).add(subject)
    assert {(r[0], r[1], r[2]): r[3] for r in found["budget_count"]} == {budget: len(known) for budget, known in persons.items()}
    assert [r for r in found["entries"] if r[2] != r[3]] == []
    return model.State(
        heads={r[0]: model.Head(size=r[1], control_seq=r[2], last_at=r[3]) for r in found["ledger_head"]},
        entries={r[0]: model.Entry(leaf=r[1], sealed_at=r[2], opening=tuple(r)[4:]) for r in found["entries"]},
        reads={(r["processor_id"], r["id"]): r["reads"] for r in found["appointment"]},
        persons=persons,
        proofs={(r[0], r[1]) for r in found["proof_spent"]},
        keys={
            (r["client_id"], r["endpoint"], r["key"]): model.Key(
                body_hash=r["request_hash"],
                index=r["index"],
                entries=r["entries"],
                sealed_at=r["sealed_at"],
                redeliveries=r["redeliveries"],
            )
            for r in found["idempotency"]
            if r["log_id"] == 1
        },
        refusals={(r[0], r[1]): model.Refusals(sealed=r[2], counted=r[3]) for r in found["refusal_count"]},
    )


@dataclass
class Stage:
    """A database and the loop that its connection belongs to. ``seen``: the outcomes that were met."""

    runner: asyncio.Runner
    db: asyncpg.Connection
    seen: set[str] = field(default_factory=set)

    def play(self, play: Play) -> None:
        """Play batches to both, one after the other, and compare; then forget them."""
        self.runner.run(self._play(play))

    def fails(self, play: Play) -> bool:
        """Tell whether the two differ, or the database refuses a statement."""
        try:
            self.play(play)
        except (AssertionError, asyncpg.PostgresError):
            return True
        return False

    async def seal(self, log: Any, control_seq: Any, at: Any, rows: list[SealRow], *, atomic: bool) -> list[Sealed]:
        """Call the function by the statement that the door uses."""
        return await seal(self.db, log, control_seq, at, rows, atomic=atomic)

    async def _play(self, play: Play) -> None:
        played = self.db.transaction()
        await played.start()
        try:
            state, latest = await read_state(self.db), START
            for number, batch in enumerate(play):
                now, latest = latest + batch.step, max(latest, latest + batch.step)
                await self.db.execute("select set_config('ecluse_test.now', $1, true)", now.isoformat())
                planned = None if batch.age is None else now - batch.age
                seq = None if batch.behind is None else state.heads[1].control_seq - batch.behind
                rows = rows_of(batch, number, state, now)
                before, (expected, state) = state, model.seal(state, batch.log, seq, planned, rows, atomic=batch.atomic, now=now)
                assert await self.seal(batch.log, seq, planned, rows, atomic=batch.atomic) == expected
                assert await read_state(self.db) == state
                for (unit, scope), limit in zip(BUDGETS, batch.limits, strict=True):
                    budget = (unit, model.bucket(unit, now), scope)
                    assert len(state.persons.get(budget, ())) <= max(limit, len(before.persons.get(budget, ())))
                self.seen |= {row.outcome for row in expected}
        finally:
            await played.rollback()

    async def misuse(self, batch: Batch, spend: tuple[object, ...]) -> None:
        """Call the function with a spent person as the door never says it, and see that an error leaves all as it was."""
        await self.db.execute("select set_config('ecluse_test.now', $1, false)", START.isoformat())
        before = await read_state(self.db)
        plain = [structs.astuple(row)[:18] for row in rows_of(batch, 0, before, START)]
        try:
            await self.db.fetch(SEAL, 1, before.heads[1].control_seq, START, False, plain, [b"l"], ["[]"], [b""], [spend])
        finally:
            assert await read_state(self.db) == before

    @contextmanager
    def changed(self, old: str, new: str) -> Iterator[None]:
        """Change one place in the function's text."""
        source = self.runner.run(self.db.fetchval("select pg_get_functiondef('ecluse.seal'::regproc)"))
        assert source.count(old) == 1, "the place is not there once"
        self.runner.run(self.db.execute(source.replace(old, new)))
        try:
            yield
        finally:
            self.runner.run(self.db.execute(source))


@pytest.fixture(scope="module")
def stage(postgres: EmbeddedPostgres) -> Iterator[Stage]:
    """Install a schema whose clock stands where the session says, with some things spent."""
    with asyncio.Runner() as runner:
        passwords = {role: secrets.token_hex(16) for role in LOGIN_ROLES}
        dsn = runner.run(create_installed(postgres, f"model_{secrets.token_hex(4)}", passwords))
        db = runner.run(asyncpg.connect(dsn))
        runner.run(db.execute(BEFORE))
        yield Stage(runner, db)
        runner.run(db.close())


def test_seal_when_any_batches_come_then_the_outcomes_and_tables_are_the_reference_s(
    stage: Stage, pytestconfig: pytest.Config
) -> None:
    """Every outcome, index, named budget and row is what the reference says, whatever comes; every outcome there is was met."""
    stage.seen.clear()
    seed = pytestconfig.getoption("randomly_seed", 0)  # in pytest's heading
    failed = next(filter(stage.fails, islice(plays(seed), PLAYS)), None)
    while failed is not None:
        smaller = next(filter(stage.fails, simpler(failed)), None)
        if smaller is None:
            try:
                stage.play(failed)
            except (AssertionError, asyncpg.PostgresError) as difference:
                difference.add_note(pformat(failed))
                raise
        failed = smaller
    assert stage.seen == WORDS


MISUSED: Final = {
    "no person": (1, "h", "agent:ines", 0, None),
    "no unit": (1, None, "agent:ines", 0, "ofii:1"),
    "no scope": (1, "h", None, 0, "ofii:1"),
    "no request": (None, "h", "agent:ines", 0, "ofii:1"),
    "a request beyond the batch": (2, "h", "agent:ines", 0, "ofii:1"),
}
"""Spent persons that no caller may say: they overrun a budget, and nobody is there to fall for it."""


@pytest.mark.parametrize(("old", "new"), CHANGES.values(), ids=CHANGES)
def test_seal_when_changed_in_one_place_then_the_comparison_says_so(stage: Stage, old: str, new: str) -> None:
    """The comparison above finds each of these mistakes, always in the same plays."""
    with stage.changed(old, new):
        assert any(map(stage.fails, islice(plays(seed=4), 1000)))


@pytest.mark.parametrize("spend", MISUSED.values(), ids=MISUSED)
def test_seal_when_a_budget_is_overrun_by_nobody_then_an_error_and_no_round_without_end(
    stage: Stage, spend: tuple[object, ...]
) -> None:
    """What would go round for ever under the head's lock is refused at once, and nothing is written."""
    wish = Wish(**{name: pool[0] for name, pool in WISH.items()} | {"kind": "grant"})
    batch = Batch(wishes=(wish,), **{name: pool[0] for name, pool in BATCH.items()})
    with pytest.raises(asyncpg.PostgresError, match="overrun by no request"):
        stage.runner.run(stage.misuse(batch, spend))
