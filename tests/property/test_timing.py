"""A refusal's time and bytes tell nothing: an unknown handle against a foreign one, and one's own probe beside what others ask in the same batch.

Measured over HTTP against a real gate. The test of ``stopwatch.py`` is right for any noise; its level is 5e-4, and only two alarms one after the other, the
second on times of their own, fail a test: a false alarm comes once in four million runs. Its power is shown in the same run: among the same requests one
kind loses 5 % of the median time on purpose, and must be found out, or there were too few blocks, and more are measured. That kind and its twin are not the
ones compared, so when to stop says nothing about these.

What time does tell: a batch that holds a grant reads the register, and all of it waits for that. So a processor can see that *someone* is being served at
this moment, as at any shared door; not who, by whom, or for which handle. That the work is the same, statement by
statement and row by row, is counted in ``test_work.py``.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

import pytest

from ecluse.embedded import EmbeddedPostgres
from ecluse.ids import new_id
from tests.agency import Agency, Party, founded
from tests.e2e.outsider import Outsider
from tests.property.stopwatch import Line, Measured, request_of, signed_rank

pytestmark = [pytest.mark.web, pytest.mark.timeout(900)]  # seconds: thousands of requests, one after the other

BLOCKS: Final = 8_000 if os.environ.get("ECLUSE_BIG") else 2_000
LEVEL: Final = 5e-4
SHARE: Final = 0.05
ROUND: Final = 250
PERSONS: Final = range(10, 110)
PATH: Final = "/v1/disclosures"
RANDOM: Final = re.compile(
    rb"\b(?:dsc|apt)_[a-z2-7]{26}\b|\b[0-9a-f]{64}\b|\d{4}-\d\d-\d\dT[0-9:.]+Z|\"index\":\d+|\r\ndate: [^\r]+"
)
"""What differs between two answers that are the same: ids, salts and hashes, instants, the entry's number."""


def shape_of(answer: bytes) -> bytes:
    """Return an answer without its random parts; its length without the digits of the entry's number, which grow with the log."""
    digits = len(re.findall(rb'"index":(\d+)', answer)[0])
    length = int(re.findall(rb"content-length: (\d+)", answer)[0])
    return RANDOM.sub(b"*", answer.replace(b"content-length: %d" % length, b"content-length: %d + index" % (length - digits)))


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """A founded agency with one gate that does nothing else: it signs no checkpoint meanwhile."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as built:
        built.start_gate(ledger__sign=False)
        yield built


class Caller:
    """A processor's machine whose requests are signed before they are timed."""

    def __init__(self, agency: Agency, runner: asyncio.Runner, party: Party) -> None:
        """Know the machine; get a token when one is needed."""
        machine = party.machines[0]
        self._runner, self._agent = runner, party.agent
        self._machine = Outsider(agency.public_url, machine.id, machine.key)

    def renew(self) -> None:
        """Get a token."""
        self._machine.access_token = self._runner.run(self._machine.get_token())

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._machine.http.aclose())

    def ask(self, handle: str) -> bytes:
        """Write a request for one person, with a fresh proof."""
        token = self._machine.access_token
        fields = {"authorization": f"DPoP {token}", "dpop": self._machine.proof("POST", PATH, token=token)}
        return request_of(PATH, {"appointment": handle, "agent": self._agent, "attributes": ["family_name"]}, fields)


class Stand:
    """Two processors at one gate: ``mine`` probes, ``other`` has the handles. ``late``: of the other, not open yet."""

    def __init__(self, agency: Agency) -> None:
        """Bind both, and schedule the other's persons and one of mine."""
        self.agency, self.runner = agency, asyncio.Runner()
        run = self.runner.run
        ample = {"reads": 10**6, "per_client_hour": 10**6, "per_day": 10**6, "per_month": 10**7, "per_agent_hour": 10**6}
        mine, other = run(agency.bind(**ample)), run(agency.bind(**ample))
        self.own = list(run(agency.schedule(run(agency.meeting(mine, [9])))).values())
        self.foreign = list(run(agency.schedule(run(agency.meeting(other, PERSONS)))).values())
        late = run(agency.meeting(other, PERSONS, begins_in=timedelta(days=9), ref="S2"))
        self.late = list(run(agency.schedule(late)).values())
        self.unknown = [new_id("apt") for _ in PERSONS]
        self.mine, self.other = Caller(agency, self.runner, mine), Caller(agency, self.runner, other)
        self.lines: list[Line] = []
        self.renew()

    @property
    def line(self) -> Line:
        """The connection that probes."""
        return self.lines[0]

    @property
    def sides(self) -> list[Line]:
        """The connections of the neighbour."""
        return self.lines[1:]

    def close(self) -> None:
        """Hang up."""
        for line in self.lines:
            line.close()
        self.mine.close()
        self.other.close()
        self.runner.close()

    def renew(self) -> None:
        """Get tokens and connections: a token lives five minutes, an idle connection less; a round lasts less than one."""
        for line in self.lines:
            line.close()
        self.lines = [Line(self.agency.gates[0].port) for _ in range(4)]
        self.mine.renew()
        self.other.renew()

    def answer(self, request: bytes) -> bytes:
        """Send a request on the probing line."""
        self.line.send(request)
        return self.line.take()

    def beside(self, neighbours: list[bytes], request: bytes, *, delay: float = 0.0) -> float:
        """Time a request that is sent right after three of a neighbour's: the first goes ahead, the others share its batch."""
        for side, neighbour in zip(self.sides, neighbours, strict=True):
            side.send(neighbour)
        taken = self.line.timed(request, delay=delay)
        for side in self.sides:
            side.take()
        return taken


@pytest.fixture(scope="module")
def stand(agency: Agency) -> Iterator[Stand]:
    """Two processors at the gate."""
    built = Stand(agency)
    yield built
    built.close()


Prepare = Callable[[int], list[Callable[..., float]]]
"""Makes the timers of a round for one kind: each takes ``delay``."""


def in_turn(timers: list[Callable[..., float]], delay: float) -> Callable[[int], float]:
    """Return what runs the timer of a block."""
    return lambda n: timers[n](delay=delay)


def told_apart(stand: Stand, kinds: tuple[str, str], prepare: dict[str, Prepare], blocks: int) -> bool:
    """Measure two kinds, and beside them ``plain`` and ``slow``, of which the second loses time, until that is found out; say if the two differ as well."""
    measured = Measured(seed=random.getrandbits(32))
    while measured.count < 4 * blocks:
        stand.renew()
        delay = SHARE * measured.median("plain") if measured.count else 0.0
        measured.add(ROUND, {kind: in_turn(make(ROUND), delay if kind == "slow" else 0.0) for kind, make in prepare.items()})
        if measured.count >= blocks and measured.chance("plain", "slow") < LEVEL:
            medians = {kind: f"{measured.median(kind) * 1000:.3f} ms" for kind in measured.times}
            chance = measured.chance(*kinds)
            print(measured.count, medians, f"control {measured.chance('plain', 'slow'):.1e}, compared {chance:.3f}")  # noqa: T201 - shown with -s, or on failure
            return chance < LEVEL
    raise AssertionError("no power: a delay of 5 % was not found")


def twice(stand: Stand, kinds: tuple[str, str], prepare: dict[str, Prepare], blocks: int) -> bool:
    """Believe an alarm only when a second measurement gives it again."""
    return told_apart(stand, kinds, prepare, blocks) and told_apart(stand, kinds, prepare, blocks)


# ── an unknown handle and a foreign one ──────────────────────────────────────────────────────────────────────────────────────
def test_time_when_a_handle_is_unknown_or_foreign_then_not_told_apart(stand: Stand) -> None:
    """Two thousand of each, interleaved with a control of 5 % that is found: no difference."""

    def asks(handles: list[str]) -> Prepare:
        def make(count: int) -> list[Callable[..., float]]:
            requests = [stand.mine.ask(random.choice(handles)) for _ in range(count)]  # noqa: S311 - an order, not a secret
            return [lambda delay, request=request: stand.line.timed(request, delay=delay) for request in requests]

        return make

    kinds = {"unknown": stand.unknown, "foreign": stand.foreign, "plain": stand.unknown, "slow": stand.unknown}
    assert not twice(stand, ("unknown", "foreign"), {kind: asks(handles) for kind, handles in kinds.items()}, BLOCKS)


def test_answer_when_a_handle_is_unknown_or_foreign_then_of_the_same_bytes_and_entries(stand: Stand) -> None:
    """Everything but time is equal exactly: status, fields, body and length but for random parts; and what is sealed, the controller's view included."""
    stand.renew()
    began = stand.runner.run(stand.agency.size())
    answers = [stand.answer(stand.mine.ask(handle)) for pair in zip(stand.unknown, stand.foreign, strict=True) for handle in pair]
    shapes = {shape_of(answer) for answer in answers}
    assert len(shapes) == 1
    assert {shape.split(b"\r\n")[0] for shape in shapes} == {b"HTTP/1.1 403 Forbidden"}
    sealed = stand.runner.run(stand.agency.openings(since=began))
    drawn = {"index", "at", "disclosure", "appointment"}
    assert len({json.dumps({name: value for name, value in entry.items() if name not in drawn}) for entry in sealed}) == 1
    assert {entry["appointment"] for entry in sealed} == {*stand.unknown, *stand.foreign}
    assert {entry["subject"] for entry in sealed} == {None}


# ── a neighbour in the batch ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_time_when_a_neighbour_asks_for_my_handle_or_nobodys_then_not_told_apart(stand: Stand) -> None:
    """A grant of one's own takes as long beside another processor's attempts at the very same handle as beside attempts at unknown ones."""
    mine = stand.own[0]

    def asks(neighbour: Callable[[], str]) -> Prepare:
        def make(count: int) -> list[Callable[..., float]]:
            groups = [([stand.other.ask(neighbour()) for _ in stand.sides], stand.mine.ask(mine)) for _ in range(count)]
            return [lambda delay, group=group: stand.beside(*group, delay=delay) for group in groups]

        return make

    def unknown() -> str:
        return random.choice(stand.unknown)  # noqa: S311 - an order, not a secret

    kinds = {"nobody's": asks(unknown), "mine": asks(lambda: mine), "plain": asks(unknown), "slow": asks(unknown)}
    assert not twice(stand, ("nobody's", "mine"), kinds, BLOCKS // 4)


def test_answer_when_beside_granted_refused_or_unknown_neighbours_then_the_same_bytes(stand: Stand) -> None:
    """What a probe is answered does not depend on what its neighbours ask or get, to the byte but for random parts."""
    stand.renew()
    shapes: dict[str, set[bytes]] = {}
    statuses: dict[str, set[bytes]] = {}
    for n in range(40):
        for kind, handles in {"granted": stand.foreign, "refused": stand.late, "unknown": stand.unknown}.items():
            for side in stand.sides:
                side.send(stand.other.ask(handles[n]))
            answer = stand.answer(stand.mine.ask(stand.unknown[0]))
            shapes.setdefault(kind, set()).add(shape_of(answer))
            statuses.setdefault(kind, set()).update(side.take()[9:12] for side in stand.sides)
    assert statuses == {"granted": {b"200"}, "refused": {b"403"}, "unknown": {b"403"}}
    assert len(set.union(*shapes.values())) == 1


# ── the test itself ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_signed_rank_when_nothing_differs_then_its_level_and_when_something_does_then_found() -> None:
    """Of two thousand null experiments with heavy, drifting noise about one in twenty has p below 0.05; a shift of a fifth of the spread is found."""
    dice = random.Random(1)  # noqa: S311 - drawn for a test, not a secret

    def times(shift: float) -> list[float]:
        drift = [dice.paretovariate(1.5) for _ in range(100)]
        pairs = [[each + dice.paretovariate(3), each + dice.paretovariate(3) + shift] for each in drift]
        return [a - b for a, b in pairs]

    alarms = sum(signed_rank(times(0.0)) < 0.05 for _ in range(2_000))
    assert 70 <= alarms <= 130
    assert signed_rank([]) == 1.0
    assert signed_rank([1.0, -1.0] * 50) == 1.0
    assert all(signed_rank([d for _ in range(20) for d in times(0.3)]) < 1e-6 for _ in range(20))
