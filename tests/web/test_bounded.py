"""Promises 5 and 7 attacked with concurrency: budgets and reads hold exactly in any number of replicas, and nothing is granted after a hold's own entry."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.agency import Agency, Gate
from tests.e2e.desk import Desk, at_work, code_of
from tests.e2e.outsider import Outsider
from tests.invented import contract_text

pytestmark = pytest.mark.web


@pytest.fixture(scope="module")
def replica(agency: Agency) -> Iterator[Gate]:
    """A second gate process on the same databases, for the whole module."""
    gate = agency.start_gate()
    yield gate
    agency.stop_gate(gate)


@asynccontextmanager
async def by_two_doors(agency: Agency, replica: Gate, desk: Desk) -> AsyncIterator[list[Outsider]]:
    """The same machine at both replicas."""
    async with Outsider(agency.public_url, desk.machine.client, desk.machine.key, via=replica.url) as other:
        yield [desk.machine, other]


async def granted(agency: Agency, processor: str) -> list[dict[str, Any]]:
    """Return the sealed grants of a processor."""
    return [e for e in await agency.openings() if e.get("processor") == processor and str(e["event"]).endswith(":granted")]


async def unbalanced(agency: Agency) -> list[object]:
    """Return what does not add up: counters against persons counted, reads and persons of a processor's day against its sealed grants."""
    counters = await agency.fetch(
        "select unit, scope from ecluse.budget_count full join (select unit, bucket, scope, count(*) as n from ecluse.budget_person group by 1, 2, 3) p "
        "using (unit, bucket, scope) where persons is distinct from n"
    )
    grants = Counter((e["processor"], e["appointment"]) for e in await agency.openings() if str(e["event"]).endswith(":granted"))
    reads = {(row["processor_id"], row["id"]): row["reads"] for row in await agency.fetch("select * from ecluse.appointment")}
    return [*map(tuple, counters), *(place for place, n in reads.items() if n != grants[place])]


@pytest.mark.parametrize("ceiling", ["per_agent_hour", "per_client_hour", "per_day"])
async def test_persons_when_two_hundred_ask_at_once_in_two_replicas_then_exactly_seven(
    agency: Agency, replica: Gate, ceiling: str
) -> None:
    """Of two hundred concurrent requests for forty persons through two replicas exactly seven persons come, each as often as asked."""
    async with at_work(agency, range(50, 90), reads=50) as desk, by_two_doors(agency, replica, desk) as doors:
        await agency.apply(contract_text(desk.party.name, reads=50, **{ceiling: 7}))  # type: ignore[arg-type] # each is a figure
        asked = [50 + n % 40 for n in range(200)]
        answers = await asyncio.gather(
            *(doors[n // 40 % 2].disclose(desk.handles[person], desk.party.agent) for n, person in enumerate(asked))
        )
        spent = (await desk.machine.call("GET", "/v1/budget")).json()["budgets"]
    served = {person for person, answer in zip(asked, answers, strict=True) if answer.status_code == 200}
    assert Counter(map(code_of, answers)) == {"ok": 5 * 7, "budget-spent": 5 * 33}
    assert len(served) == 7
    assert {entry["subject"] for entry in await granted(agency, desk.party.name)} == {f"ofii:{person}" for person in served}
    assert [budget["spent"] for budget in spent] == [7, 7, 7]
    assert await unbalanced(agency) == []


async def test_persons_when_the_month_is_the_ceiling_then_exactly_what_the_day_before_left(agency: Agency, replica: Gate) -> None:
    """With three of seven persons a month read yesterday, forty concurrent requests bring exactly four, whom the day would have let be five."""
    noon = datetime((await agency.now()).year + 1, 3, 10, 12, tzinfo=UTC)
    words = {"opens_before": "PT48H", "reads": 50}
    try:
        await agency.stop_clock(noon)
        async with (
            at_work(agency, range(50, 90), begins_in=timedelta(hours=30), **words) as desk,
            by_two_doors(agency, replica, desk) as doors,
        ):
            await agency.apply(contract_text(desk.party.name, per_day=5, per_month=7, opens_before="PT48H", reads=50))
            first = [code_of(await desk.disclose(person)) for person in (50, 51, 52)]
            await agency.stop_clock(noon + timedelta(days=1))
            answers = await asyncio.gather(
                *(doors[n % 2].disclose(desk.handles[53 + n % 37], desk.party.agent) for n in range(40))
            )
    finally:
        await agency.reset_clock()
    assert first == ["ok"] * 3
    assert len({entry["subject"] for entry in await granted(agency, desk.party.name)}) == 7
    assert {answer.json()["budget"] for answer in answers if answer.status_code != 200} == {"processor-per-month"}
    assert await unbalanced(agency) == []


async def test_reads_when_fifty_ask_at_once_then_exactly_as_many_as_the_contract_says(agency: Agency, replica: Gate) -> None:
    """Fifty concurrent reads of one appointment through two replicas bring it exactly four times."""
    async with at_work(agency, [91], reads=4) as desk, by_two_doors(agency, replica, desk) as doors:
        answers = await asyncio.gather(*(doors[n % 2].disclose(desk.handles[91], desk.party.agent) for n in range(50)))
    refusals = [answer.json()["budget"] for answer in answers if answer.status_code != 200]
    assert len(await granted(agency, desk.party.name)) == 4
    assert refusals == ["reads-per-appointment"] * 46
    assert await unbalanced(agency) == []


async def test_proof_when_used_twice_at_once_in_two_replicas_then_good_once(agency: Agency, replica: Gate) -> None:
    """Of two requests with one proof, sent to two replicas at the same moment, one is served; thirty times."""
    async with at_work(agency, [92], reads=100) as desk, by_two_doors(agency, replica, desk) as doors:
        for _ in range(30):
            proof = desk.machine.proof("POST", "/v1/disclosures", token=desk.machine.access_token)
            fields = {"dpop": proof, "authorization": f"DPoP {desk.machine.access_token}"}
            both = await asyncio.gather(*(door.disclose(desk.handles[92], desk.party.agent, headers=fields) for door in doors))
            assert sorted(map(code_of, both)) == ["invalid-proof", "ok"]
    assert len(await granted(agency, desk.party.name)) == 30


async def test_assertion_when_used_twice_at_once_in_two_replicas_then_one_token(agency: Agency, replica: Gate) -> None:
    """One client assertion, sent to two replicas at the same moment, gets one token."""
    async with at_work(agency) as desk, by_two_doors(agency, replica, desk) as doors:
        assertion = desk.machine.assertion(agency.public_url)
        both = await asyncio.gather(*(door.ask_token(assertion=assertion) for door in doors))
    assert sorted(answer.status_code for answer in both) == [200, 401]


async def test_key_when_used_by_many_at_once_then_one_grant_and_five_retries(agency: Agency, replica: Gate) -> None:
    """Twenty concurrent requests with one key are one grant, five retries with its receipt, and refusals."""
    async with at_work(agency, [93], reads=100) as desk, by_two_doors(agency, replica, desk) as doors:
        answers = await asyncio.gather(
            *(doors[n % 2].disclose(desk.handles[93], desk.party.agent, key="one-key") for n in range(20))
        )
        reads = await agency.fetch("select reads from ecluse.appointment where id = $1", desk.handles[93])
    receipts = {answer.json()["receipt"]["leaf_hash"] for answer in answers if answer.status_code == 200}
    assert Counter(map(code_of, answers)) == {"ok": 6, "budget-spent": 14}
    assert len(receipts) == 1
    assert reads[0]["reads"] == 1
    assert len(await granted(agency, desk.party.name)) == 1


async def test_keys_when_the_same_text_of_two_clients_then_strangers_to_each_other(agency: Agency) -> None:
    """A key is a client's own: another client's same key, also of the same processor, is another request."""
    async with at_work(agency, [94], machines=2) as desk:
        second = desk.party.machines[1]
        async with Outsider(agency.public_url, second.id, second.key) as other:
            answers = [await door.disclose(desk.handles[94], desk.party.agent, key="k") for door in (desk.machine, other)]
    assert len({answer.json()["receipt"]["index"] for answer in answers}) == 2


async def change_in_flight(desk: Desk, doors: Sequence[Outsider], change: Callable[[], Awaitable[object]]) -> Counter[str]:
    """Let forty tasks ask through all doors without a pause while a change is made, and each once more when it is; count the answers."""
    begun, done, people = asyncio.Event(), asyncio.Event(), sorted(desk.handles)

    async def ask(n: int) -> list[str]:
        codes: list[str] = []
        last = False
        while not last:
            last = done.is_set()
            person = people[(n + len(codes)) % len(people)]
            codes.append(code_of(await doors[n % len(doors)].disclose(desk.handles[person], desk.party.agent)))
            begun.set()
        return codes

    tasks = [asyncio.create_task(ask(n)) for n in range(40)]
    await begun.wait()
    await change()
    done.set()
    return Counter(code for codes in await asyncio.gather(*tasks) for code in codes)


@pytest.mark.parametrize("scope", ["processor", "client", "agent", "contract", "person"])
async def test_hold_when_requests_are_in_flight_then_no_grant_after_its_entry(agency: Agency, replica: Gate, scope: str) -> None:
    """A hold placed while forty tasks ask in two replicas: the ledger has no grant after the hold's own entry."""
    async with (
        at_work(agency, [110] if scope == "person" else range(100, 125), reads=1000) as desk,
        by_two_doors(agency, replica, desk) as doors,
    ):
        targets = {"client": desk.machine.client, "agent": desk.party.agent, "person": "ofii:110"}
        placed: list[tuple[str, int]] = []

        async def place() -> None:
            placed.append(await agency.hold(scope, targets.get(scope, desk.party.name)))

        codes = await change_in_flight(desk, doors, place)
        await agency.release(placed[0][0])
    indexes = [entry["index"] for entry in await granted(agency, desk.party.name)]
    assert max(indexes) < placed[0][1]
    assert set(codes) == {"ok", "not-disclosable" if scope == "person" else "suspended"}
    assert codes["ok"] == len(indexes)


@pytest.mark.parametrize(
    ("change", "event", "refusal"),
    [
        ("key", "control:key:revoked", "suspended"),
        ("contract", "control:contract:applied", "gate-frozen"),
        ("cancelled", "control:schedule:applied", "outside-window"),
        ("moved", "control:schedule:applied", "outside-window"),
    ],
)
async def test_change_when_requests_are_in_flight_then_no_grant_after_its_entry(
    agency: Agency, replica: Gate, change: str, event: str, refusal: str
) -> None:
    """A revoked key, a contract that ends, a cancelled or moved session: no grant under the old state after the change's own entry."""
    async with at_work(agency, range(130, 140), reads=1000) as desk, by_two_doors(agency, replica, desk) as doors:
        later = replace(
            desk.meeting, starts_at=desk.meeting.starts_at + timedelta(days=5), ends_at=desk.meeting.ends_at + timedelta(days=5)
        )
        changes: dict[str, Callable[[], Awaitable[object]]] = {
            "key": lambda: agency.revoke(desk.party.machines[0]),
            "contract": lambda: agency.apply(contract_text(desk.party.name, reads=1000, ends_on="2026-01-01")),
            "cancelled": lambda: agency.schedule(desk.meeting, cancelled=list(desk.handles)),
            "moved": lambda: agency.schedule(later),
        }
        codes = await change_in_flight(desk, doors, changes[change])
    changed_at = max(entry["index"] for entry in await agency.openings() if entry["event"] == event)
    indexes = [entry["index"] for entry in await granted(agency, desk.party.name)]
    assert max(indexes) < changed_at
    assert set(codes) == {"ok", refusal}
    assert codes["ok"] == len(indexes)


async def test_window_when_it_closes_while_a_request_waits_for_the_lock_then_refused(agency: Agency) -> None:
    """The clock that counts is read after the lock: a request that waited past the window's end is refused, by the sealed entry."""
    async with at_work(agency, [145], begins_in=timedelta(hours=1)) as desk:
        closes_at = desk.meeting.ends_at + timedelta(hours=2)
        try:
            await agency.set_clock_offset(closes_at - timedelta(seconds=1.5) - datetime.now(UTC))
            async with agency.connected() as holder, holder.transaction():
                await holder.execute("select from ecluse.ledger_head where log_id = 1 for update")
                request = asyncio.create_task(desk.disclose(145))
                await waits_for_a_lock(agency)
                assert await agency.now() < closes_at
                await asyncio.sleep(1.6)
            refused = await request
        finally:
            await agency.reset_clock()
    assert code_of(refused) == "outside-window"
    assert await granted(agency, desk.party.name) == []


async def waits_for_a_lock(agency: Agency) -> None:
    """Return once a gate waits for somebody's lock."""
    waiting = "select count(*) from pg_stat_activity where application_name = 'ecluse-gate' and wait_event_type = 'Lock'"
    async with agency.administered("ledger") as watcher:
        for _ in range(200):
            if await watcher.fetchval(waiting):
                return
            await asyncio.sleep(0.01)
    raise AssertionError("no gate waits")
