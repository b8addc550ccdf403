"""Fair turns at the door: whoever comes in crowds waits behind those who don't, nothing is lost, and what can't share a batch waits its turn."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.contracts import Assurance
from ecluse.disclosure.errors import Busy
from ecluse.disclosure.model import Proven, Request
from ecluse.disclosure.turns import Turns, Waiting
from ecluse.policy import Ask

pytestmark = pytest.mark.unit

ROOM: Final = 1_000


@cache
def no_loop() -> asyncio.AbstractEventLoop:
    """Return a loop that runs nothing: nobody answers here."""
    loop = asyncio.new_event_loop()
    loop.close()
    return loop


def waits(
    processor: str, proof: bytes, *, key: str | None = None, client: str | None = None, endpoint: str = "/one", session: str | None = None
) -> Waiting:  # fmt: skip
    """Make a request of a processor; its client has the processor's name where none is given."""
    ask = Ask(
        processor=processor,
        client=client or processor,
        agent="agt_x",
        assurance=Assurance.ASSERTED,
        appointment="apt_x",
        attributes=("family_name",),
    )
    proven = Proven(client=ask.client, thumbprint="", slot=1, digest=proof)
    request = Request(proven=proven, asks=(ask,), endpoint=endpoint, session=session, key=key, body_hash=b"")
    return Waiting(request, asyncio.Future(loop=no_loop()))


def of(processor: str, count: int) -> list[Waiting]:
    """Make requests that have nothing in common but their processor."""
    return [waits(processor, f"{processor}{n}".encode()) for n in range(count)]


def standing(*requests: Waiting) -> Turns:
    """Let requests wait where there is room for all."""
    turns = Turns(ROOM, ROOM)
    for waiting in requests:
        turns.put(waiting)
    return turns


def names(batch: Sequence[Waiting]) -> list[str]:
    """Name what waits or was taken: its processor, and what stands in its proof behind it."""
    return [waiting.request.proven.digest.decode() for waiting in batch]


# ── room ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_put_when_there_is_no_room_then_busy_and_nothing_changes() -> None:
    """The request after the last that has room is told `Busy`, whoever sends it, and the others wait as before."""
    turns = Turns(3, 3)
    for waiting in (*of("a", 2), *of("b", 1)):
        turns.put(waiting)
    for late in (waits("a", b"late"), waits("c", b"late")):
        with pytest.raises(Busy):
            turns.put(late)
    assert len(turns) == 3
    assert names(turns.take(9)) == ["a0", "b0", "a1"]


def test_put_when_one_processor_s_line_is_full_then_busy_for_it_alone() -> None:
    """A crowd of one processor fills its own line, and nobody else's."""
    turns = Turns(ROOM, 2)
    first, second, third = of("a", 3)
    turns.put(first)
    turns.put(second)
    with pytest.raises(Busy):
        turns.put(third)
    turns.put(waits("b", b"b0"))
    assert names(turns.take(1)) == ["a0"]
    turns.put(third)
    assert names(turns.take(9)) == ["b0", "a1", "a2"]


def test_put_back_when_there_is_no_room_then_taken_in_all_the_same() -> None:
    """Who waited already is never sent away; a new one is, until there is room again."""
    turns = Turns(2, 1)
    turns.put(waits("a", b"a0"))
    turns.put(waits("b", b"b0"))
    batch = turns.take(2)
    turns.put(waits("a", b"a1"))
    turns.put(waits("b", b"b1"))
    turns.put_back(batch)
    assert len(turns) == 4
    with pytest.raises(Busy):
        turns.put(waits("c", b"c0"))
    assert names(turns.take(9)) == ["a0", "b0", "a1", "b1"]


def test_take_when_nobody_waits_then_nothing() -> None:
    """Of nothing comes nothing, also after all were served."""
    turns = standing(*of("a", 1))
    turns.take(9)
    assert turns.take(9) == []
    assert len(turns) == 0
    assert not turns


# ── turns ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_take_when_several_wait_then_one_line_after_the_other() -> None:
    """Each line is served once before any is served again, and within a line the first that came."""
    turns = standing(*of("a", 4), *of("b", 1), *of("c", 2))
    assert names(turns.take(9)) == ["a0", "b0", "c0", "a1", "c1", "a2", "a3"]


def test_take_when_a_crowd_came_first_then_a_single_request_is_second() -> None:
    """Five hundred of one processor keep another's only request waiting behind one of them."""
    assert names(standing(*of("a", 500), *of("b", 1)).take(2)) == ["a0", "b0"]


def test_take_when_the_batch_is_full_then_the_next_begins_where_it_ended() -> None:
    """Turns go on from batch to batch: nobody is served twice because batches are small."""
    turns = standing(*of("a", 2), *of("b", 2), *of("c", 2))
    assert [names(turns.take(2)) for _ in range(4)] == [["a0", "b0"], ["c0", "a1"], ["b1", "c1"], []]


def test_put_when_the_line_was_served_empty_then_behind_the_others() -> None:
    """A line that comes anew stands last."""
    turns = standing(*of("a", 1), *of("b", 2))
    turns.take(1)
    turns.put(waits("a", b"again"))
    assert names(turns.take(9)) == ["b0", "again", "b1"]


def test_put_back_when_others_wait_then_before_them_and_in_order() -> None:
    """What was taken and not answered is the next batch again, before those that came meanwhile and before its own line."""
    turns = standing(*of("a", 3), *of("b", 2))
    batch = turns.take(3)
    turns.put(waits("c", b"c0"))
    turns.put_back(batch)
    assert len(turns) == 6
    assert names(batch) == ["a0", "b0", "a1"]
    assert names(turns.take(9)) == ["a0", "b0", "c0", "a1", "b1", "a2"]


# ── what can't share a batch ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_take_when_a_proof_comes_twice_then_the_second_is_first_in_the_next_batch() -> None:
    """One proof is never twice in a batch, also not of two processors; the second keeps its turn and its line waits behind it."""
    turns = standing(waits("a", b"same"), *of("b", 3), waits("a", b"same"), waits("a", b"a2"), waits("c", b"same"))
    assert [names(turns.take(9)) for _ in range(3)] == [["same", "b0", "b1", "b2"], ["same"], ["same", "a2"]]


def test_take_when_the_batch_is_full_then_who_could_not_come_along_is_before_those_not_reached() -> None:
    """A line that was passed over in a batch begins the next, before one that was served in its place."""
    turns = standing(waits("a", b"same"), waits("b", b"same"), *of("c", 4))
    assert [names(turns.take(3)) for _ in range(2)] == [["same", "c0", "c1"], ["same", "c2", "c3"]]


def test_take_when_a_key_comes_twice_then_the_second_waits() -> None:
    """One client's key for one endpoint is never twice in a batch; another client's, another endpoint's, and no key at all go along."""
    turns = standing(
        waits("a", b"a0", key="k"),
        waits("a", b"a1", key="k", client="other"),
        waits("a", b"a2", key="k", endpoint="/two"),
        waits("a", b"a3"),
        waits("a", b"a4"),
        waits("a", b"a5", key="k"),
        waits("a", b"a6"),
    )
    assert names(turns.take(9)) == ["a0", "a1", "a2", "a3", "a4"]
    assert names(turns.take(9)) == ["a5", "a6"]


def test_take_when_a_roll_call_waits_then_it_goes_alone_and_others_before_or_after() -> None:
    """A session's sheet has no neighbour in its batch; a request behind it in its line waits for it, another line doesn't."""
    turns = standing(*of("a", 1), waits("b", b"sheet", session="ses_x"), waits("b", b"b1"), *of("c", 2))
    assert [names(turns.take(9)) for _ in range(4)] == [["a0", "c0", "c1"], ["sheet"], ["b1"], []]


def test_take_when_a_spoilt_batch_comes_back_then_each_alone_in_its_order() -> None:
    """What was sent back to go alone is served one by one, before what came meanwhile."""
    turns = standing(*of("a", 2), *of("b", 1))
    batch = turns.take(9)
    turns.put(waits("c", b"c0"))
    for waiting in batch:
        waiting.alone = True
    turns.put_back(batch)
    taken = [names(turns.take(9)) for _ in range(4)]
    assert taken[:2] == [["a0"], ["b0"]]
    assert taken[2:] == [["c0"], ["a1"]]


# ── all of it, in any order ──────────────────────────────────────────────────────────────────────────────────────────────────
Put: TypeAlias = tuple[str, int, str | None, bool]
"""Processor, proof, key, whether it goes alone."""
Step: TypeAlias = Put | int | frozenset[int]
"""Put one; take so many; put back those of the last batch that stand in these places."""

puts = st.tuples(
    st.sampled_from("aaaabc"),
    st.integers(0, 5),
    st.sampled_from([None, None, None, "k", "l"]),
    st.sampled_from([False] * 6 + [True]),
)
steps = st.lists(
    st.one_of(puts, puts, puts, puts, st.integers(2, 4), st.frozensets(st.integers(0, 5), max_size=3)), min_size=8, max_size=60
)


@dataclass
class Book:
    """What the test knows of all lines. ``overtaken``: of each line, how often another was served since it was itself, or came."""

    lines: dict[str, deque[Waiting]] = field(default_factory=dict)
    overtaken: dict[str, Counter[str]] = field(default_factory=dict)

    def put(self, waiting: Waiting) -> None:
        """Note one that came."""
        self._line(waiting).append(waiting)

    def put_back(self, waiting: Waiting) -> None:
        """Note one that came back: it has not been served after all."""
        self._line(waiting).appendleft(waiting)
        for others in self.overtaken.values():
            others[processor_of(waiting)] = max(0, others[processor_of(waiting)] - 1)

    def serve(self, batch: Sequence[Waiting]) -> None:
        """Check a batch: each is the first of its line, and no line that could come along was overtaken twice by another."""
        for waiting in batch:
            name = processor_of(waiting)
            assert self.lines[name].popleft() is waiting
            assert max(self.overtaken.pop(name).values(), default=0) <= 1
            if self.lines[name]:
                self.overtaken[name] = Counter()
            for other, others in self.overtaken.items():
                others[name] += other != name
        hindered = {name for name in self.overtaken if clash(self.lines[name][0], batch)}
        for name, others in self.overtaken.items():
            if max(others.values(), default=0) > 1:
                assert name in hindered
                # it kept its turn: of the others only those that keep theirs, too, may be before it
                others.update({other: (other not in hindered) - others[other] for other in "abc"})

    def _line(self, waiting: Waiting) -> deque[Waiting]:
        line = self.lines.setdefault(processor_of(waiting), deque())
        if not line:
            self.overtaken[processor_of(waiting)] = Counter()
        return line


def processor_of(waiting: Waiting) -> str:
    """Return whose request it is."""
    return waiting.request.asks[0].processor


def key_of(waiting: Waiting) -> tuple[str, str, str] | None:
    """Return what may be in a batch once."""
    request = waiting.request
    return None if request.key is None else (request.proven.client, request.endpoint, request.key)


def clash(waiting: Waiting, batch: Sequence[Waiting]) -> bool:
    """Tell whether a request can't be in a batch with these."""
    return waiting.alone or any(
        waiting.request.proven.digest == other.request.proven.digest or (key_of(waiting) is not None and key_of(waiting) == key_of(other))
        for other in batch
    )  # fmt: skip


def check(batch: Sequence[Waiting], most: int, waiting: int) -> None:
    """Check what is true of every batch."""
    assert min(1, waiting) <= len(batch) <= most
    assert all(not clash(one, batch[:n]) for n, one in enumerate(batch) if n)
    assert len(batch) == 1 or not any(one.alone for one in batch)


@given(steps)
def test_turns_when_any_come_go_and_come_back_then_none_is_lost_doubled_or_overtaken_twice(plan: list[Step]) -> None:
    """Every request is served once, in its line's order, in a batch it may share; a line that may come along is overtaken once at most by another."""
    turns, book, batch = Turns(ROOM, ROOM), Book(), list[Waiting]()
    for number, step in enumerate([*plan, *[6] * (len(plan) + 1)]):
        if isinstance(step, int):
            there = len(turns)
            batch = turns.take(step)
            check(batch, step, there)
            book.serve(batch)
        elif isinstance(step, frozenset):
            again = [one for n, one in enumerate(batch) if n in step]
            turns.put_back(again)
            for waiting in reversed(again):
                book.put_back(waiting)
            batch = []
        else:
            processor, proof, key, alone = step
            # most proofs are nobody else's, as in life
            waiting = waits(
                processor, bytes([proof]) if proof < 3 else f"{number}".encode(), key=key, session="ses_x" if alone else None
            )
            turns.put(waiting)
            book.put(waiting)
        assert len(turns) == sum(map(len, book.lines.values()))
    assert len(turns) == 0
