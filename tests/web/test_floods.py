"""Refusals in floods: above five a minute a client's are only counted; nothing else of it, and nobody else, is touched; one entry says how many.

The clock stands still while a test asks, and only ever goes on, so that the ledger can be verified whole.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from ecluse import settings
from ecluse.db import Pool, open_pool
from ecluse.disclosure.store import note_floods
from ecluse.embedded import EmbeddedPostgres
from ecluse.ledger.fsck import check_log
from ecluse.ledger.sign import Signer, load_log_key
from tests.agency import ORIGIN, Agency, Gate, founded
from tests.e2e.desk import UNKNOWN, Desk, at_work, code_of, refused_with_receipt
from tests.e2e.outsider import Outsider

pytestmark = pytest.mark.web

MOST: Final = 5
SECOND: Final = timedelta(seconds=17, milliseconds=250)
"""Where in its minute the clock stands still."""
LEFT: Final = "43"
"""Seconds from there until the minute is over, as a header says them."""
COUNTED: Final = "disclosure:refusals:counted"


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """A founded agency whose gate counts what is more than five refusals a minute."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as built:
        built.start_gate(door__refusals_per_minute=MOST)
        yield built


@pytest.fixture(scope="module")
def replica(agency: Agency) -> Iterator[Gate]:
    """A second gate on the same databases."""
    gate = agency.start_gate(door__refusals_per_minute=MOST)
    yield gate
    agency.stop_gate(gate)


async def next_minute(agency: Agency, *, later: int = 1) -> int:
    """Let the clock stand still in a later minute; return that minute."""
    at = (await agency.now()).replace(second=0, microsecond=0) + timedelta(minutes=later) + SECOND
    await agency.stop_clock(at)
    return int(at.timestamp()) // 60


async def flood(desk: Desk, count: int = MOST, *, machine: Outsider | None = None) -> list[httpx.Response]:
    """Ask for a handle that is nobody's, one time after the other."""
    return [await (machine or desk.machine).disclose(UNKNOWN, desk.party.agent) for _ in range(count)]


@asynccontextmanager
async def workers(agency: Agency, count: int) -> AsyncIterator[list[Pool]]:
    """Connect as often as there are gates whose workers note floods."""
    installation = agency.installation
    url = settings.with_user(installation.settings.database.url, "ecluse_jobs", installation.secret("db-jobs.password"))
    async with AsyncExitStack() as stack:
        pools = [await open_pool(url, size=1, name="test") for _ in range(count)]
        for pool in pools:
            stack.push_async_callback(pool.close)
        yield pools


async def note(agency: Agency, *, by: int = 1) -> None:
    """Seal what is due, in several places at once."""
    async with workers(agency, by) as pools:
        await asyncio.gather(*(note_floods(pool, 1) for pool in pools))


async def entries(agency: Agency, client: str, event: str = COUNTED) -> list[dict[str, Any]]:
    """Return a client's entries of one event."""
    return [entry for entry in await agency.openings() if entry.get("client") == client and entry["event"] == event]


async def check_ledger(agency: Agency) -> None:
    """Check the whole log."""
    installation = agency.installation
    signer = Signer(installation.state / "log.checkpoint", ORIGIN, load_log_key(installation.secret("log.key")))
    async with agency.connected("ecluse_reader") as reader:
        report = await check_log(reader, 1, signer.vkey)
    assert report.problems == ()


# ── too many ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_refusal_when_it_is_the_sixth_then_429_and_no_entry(agency: Agency) -> None:
    """Five are sealed with a receipt each; the sixth says when to come again, and leaves nothing in the ledger."""
    await next_minute(agency)
    await note(agency)  # what the gate's own worker would seal meanwhile
    async with at_work(agency) as desk:
        for answer in await flood(desk):
            refused_with_receipt(answer, "not-disclosable")
        size = await agency.size()
        sixth = (await flood(desk, 1))[0]
    assert (sixth.status_code, code_of(sixth)) == (429, "too-many-refusals")
    assert sixth.headers["retry-after"] == LEFT
    assert set(sixth.json()) >= {"type", "title", "status", "detail", "retry_in_seconds"}
    assert set(sixth.json()).isdisjoint({"receipt", "disclosure", "subject"})
    assert sixth.json()["retry_in_seconds"] == int(LEFT)
    assert await agency.size() == size


async def test_refusal_when_in_a_flood_then_the_same_for_unknown_foreign_and_own_places(agency: Agency) -> None:
    """In a flood nobody's handle, another processor's, and one's own outside its window or past its reads have one answer, byte by byte."""
    await next_minute(agency)
    async with at_work(agency, [10], reads=1) as desk, at_work(agency, [10]) as other:
        far = await agency.meeting(desk.party, [11], begins_in=timedelta(days=9), ref="S2")
        own = (await agency.schedule(far))[11]
        assert code_of(await desk.disclose(10)) == "ok"
        await flood(desk)
        asked = {"unknown": UNKNOWN, "foreign": other.handles[10], "outside": own, "spent": desk.handles[10]}
        answers = {name: await desk.machine.disclose(handle, desk.party.agent) for name, handle in asked.items()}
        stranger = await desk.machine.disclose(desk.handles[10], "agt_" + "a" * 26)
    plain = {(a.status_code, a.content, tuple((k, v) for k, v in a.headers.items() if k != "date")) for a in answers.values()}
    assert {name: code_of(answer) for name, answer in answers.items()} == dict.fromkeys(asked, "too-many-refusals")
    assert len(plain) == 1
    assert stranger.content == answers["unknown"].content


async def test_proof_when_its_refusal_was_only_counted_then_spent(agency: Agency) -> None:
    """A proof that brought a 429 authenticates nothing any more, and its replay is not counted."""
    minute = await next_minute(agency)
    async with at_work(agency) as desk:
        await flood(desk)
        token = desk.machine.access_token
        fields = {"dpop": desk.machine.proof("POST", "/v1/disclosures", token=token), "authorization": f"DPoP {token}"}
        once = [await desk.machine.disclose(UNKNOWN, desk.party.agent, headers=fields) for _ in range(3)]
        granted = await desk.disclose(10, headers=fields)
    assert [code_of(answer) for answer in once] == ["too-many-refusals", "invalid-proof", "invalid-proof"]
    assert code_of(granted) == "invalid-proof"
    counts = await agency.fetch(
        "select sealed, counted from ecluse.refusal_count where client_id = $1 and minute = $2", desk.machine.client, minute
    )
    assert [tuple(row) for row in counts] == [(MOST, 1)]


async def test_roll_call_when_refused_then_one_refusal_however_many_places(agency: Agency) -> None:
    """Five refused roll-calls of three places are five refusals; the sixth is counted as one."""
    minute = await next_minute(agency)
    async with at_work(agency, [10, 11, 12], begins_in=timedelta(days=9), sheet={"family_name": "full"}) as desk:
        session = (await agency.fetch("select session_id as id from ecluse.appointment where id = $1", desk.handles[10]))[0]["id"]
        path = f"/v1/sessions/{session}/sheet"
        answers = [await desk.machine.call("POST", path, body={"agent": desk.party.agent}) for _ in range(MOST + 2)]
        single = (await flood(desk, 1))[0]
    assert [code_of(answer) for answer in answers] == ["outside-window"] * MOST + ["too-many-refusals"] * 2
    assert code_of(single) == "too-many-refusals"
    assert len(await entries(agency, desk.machine.client, "disclosure:sheet:refused")) == 3 * MOST
    counts = await agency.fetch(
        "select sealed, counted from ecluse.refusal_count where client_id = $1 and minute = $2", desk.machine.client, minute
    )
    assert [tuple(row) for row in counts] == [(MOST, 3)]


# ── who is not touched ───────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_grant_when_its_client_floods_then_it_comes(agency: Agency) -> None:
    """The minute's grants are sealed and delivered, before the flood, in it, and beside it in one batch."""
    await next_minute(agency)
    async with at_work(agency, [10, 11], reads=50) as desk:
        await flood(desk, MOST + 1)
        alone = await desk.disclose(10)
        beside = await asyncio.gather(*(desk.disclose(11) if n % 2 else flood(desk, 1) for n in range(20)))
    grants = [answer for answer in beside if isinstance(answer, httpx.Response)]
    assert [code_of(answer) for answer in (alone, *grants)] == ["ok"] * 11
    assert {code_of(answer[0]) for answer in beside if isinstance(answer, list)} == {"too-many-refusals"}
    assert len(await entries(agency, desk.machine.client, "disclosure:person:granted")) == 11


async def test_refusal_when_another_client_floods_then_sealed(agency: Agency) -> None:
    """A flood is its client's own: another machine of the same processor is refused one by one, and another processor's, too."""
    await next_minute(agency)
    async with at_work(agency, machines=2) as desk, at_work(agency) as stranger:
        second = desk.party.machines[1]
        await flood(desk, MOST + 1)
        async with Outsider(agency.public_url, second.id, second.key) as other:
            refused_with_receipt((await flood(desk, 1, machine=other))[0], "not-disclosable")
        refused_with_receipt((await flood(stranger, 1))[0], "not-disclosable")


async def test_refusal_when_the_minute_is_over_then_sealed_again(agency: Agency) -> None:
    """The next minute begins at nothing."""
    await next_minute(agency)
    async with at_work(agency) as desk:
        await flood(desk, MOST + 1)
        await next_minute(agency)
        answers = await flood(desk, MOST + 1)
    assert [code_of(answer) for answer in answers] == ["not-disclosable"] * MOST + ["too-many-refusals"]


# ── the entry that says how many ─────────────────────────────────────────────────────────────────────────────────────────────
async def test_flood_when_its_minute_is_not_over_then_no_entry_yet(agency: Agency) -> None:
    """Nothing is noted while more may come; then one entry says client, minute and count, and nothing about a person."""
    minute = await next_minute(agency)
    async with at_work(agency) as desk:
        await flood(desk, MOST + 3)
        await note(agency, by=2)
        assert await entries(agency, desk.machine.client) == []
        await next_minute(agency)
        await note(agency, by=2)
        await note(agency)
    noted = await entries(agency, desk.machine.client)
    assert [{k: v for k, v in entry.items() if k not in {"index", "at"}} for entry in noted] == [
        {"event": COUNTED, "processor": desk.party.name, "client": desk.machine.client, "detail": {"minute": minute}, "count": 3}
    ]
    await check_ledger(agency)


async def test_client_when_refused_no_more_than_allowed_then_no_entry_says_how_often(agency: Agency) -> None:
    """Five refusals have an entry each, and no sixth."""
    await next_minute(agency)
    async with at_work(agency) as desk:
        await flood(desk)
        await next_minute(agency)
        await note(agency)
    assert await entries(agency, desk.machine.client) == []
    assert len(await entries(agency, desk.machine.client, "disclosure:person:refused")) == MOST


async def test_floods_when_by_two_gates_at_once_then_each_client_and_minute_has_one_exact_entry(
    agency: Agency, replica: Gate
) -> None:
    """Two clients, two minutes, two gates, four workers: every refusal is sealed or counted, once, and counts are the answers 429."""
    told: dict[tuple[str, int], Counter[str]] = {}
    async with at_work(agency, machines=2) as desk, AsyncExitStack() as stack:
        doors = {
            machine.id: [
                await stack.enter_async_context(Outsider(agency.public_url, machine.id, machine.key, via=gate.url))
                for gate in agency.gates
            ]
            for machine in desk.party.machines
        }
        for _ in range(2):
            minute = await next_minute(agency)
            for wave in range(2):
                asked = [
                    (client, door)
                    for client, each in doors.items()
                    for door in each
                    for _ in range(10 if client == desk.machine.client else 6)
                ]
                answers = await asyncio.gather(*(door.disclose(UNKNOWN, desk.party.agent) for _, door in asked))
                for (client, _), answer in zip(asked, answers, strict=True):
                    told.setdefault((client, minute), Counter())[code_of(answer)] += 1
                # those at once may all be decided before the first is counted; by the second wave each gate has heard of the first
                assert wave == 0 or {code_of(answer) for answer in answers} == {"too-many-refusals"}
        await next_minute(agency)
        await note(agency, by=4)
    assert {tuple(codes) for codes in map(sorted, told.values())} == {("not-disclosable", "too-many-refusals")}
    assert [sum(codes.values()) for codes in told.values()] == [40, 24, 40, 24]
    for client in doors:
        noted = await entries(agency, client)
        assert {entry["detail"]["minute"]: entry["count"] for entry in noted} == {
            minute: codes["too-many-refusals"] for (other, minute), codes in told.items() if other == client
        }
        assert len(noted) == 2
        sealed = sum(codes["not-disclosable"] for (other, _), codes in told.items() if other == client)
        assert len(await entries(agency, client, "disclosure:person:refused")) == sealed
        assert sealed >= 2 * MOST
    await check_ledger(agency)


async def test_count_when_no_worker_noted_it_in_time_then_kept_until_one_does(agency: Agency) -> None:
    """What has served its time is cleared; a count that no entry says has not."""
    await next_minute(agency)
    async with at_work(agency) as desk:
        await flood(desk, MOST + 4)
    await next_minute(agency, later=30)
    kept = "select counted from ecluse.refusal_count where client_id = $1"
    async with agency.connected("ecluse_jobs") as worker:
        await worker.fetchval("select ecluse.purge()")
        assert [row["counted"] for row in await agency.fetch(kept, desk.machine.client)] in ([4], [])
        await note(agency, by=2)
        await worker.fetchval("select ecluse.purge()")
    assert [entry["count"] for entry in await entries(agency, desk.machine.client)] == [4]
    assert await agency.fetch(kept, desk.machine.client) == []


async def test_worker_when_the_database_is_gone_then_nothing_is_noted_and_nothing_lost(agency: Agency) -> None:
    """A worker that can't reach the database ends its round quietly; the next round's entry has the whole count."""
    await next_minute(agency)
    async with at_work(agency) as desk:
        await flood(desk, MOST + 2)
        await next_minute(agency)
        async with workers(agency, 1) as pools:
            await pools[0].close()
            assert await note_floods(pools[0], 1) == 0
        await note(agency)
    assert [entry["count"] for entry in await entries(agency, desk.machine.client)] == [2]


@pytest.mark.parametrize(
    "change",
    [
        {"log": 2}, {"client": "cli_" + "a" * 26}, {"minute": 1}, {"count": 3}, {"count": 1},
        {"at": timedelta(seconds=5, microseconds=1)}, {"at": timedelta(microseconds=-1)}, {"at": None}, {"minute": None}, {"log": None},
    ],
    ids=["other log", "unknown client", "later minute", "more", "fewer", "stale", "ahead", "no time", "no minute", "no log"],
)  # fmt: skip
async def test_note_when_it_is_not_as_counted_then_nothing_is_sealed(agency: Agency, change: dict[str, Any]) -> None:
    """An entry about another count, minute, client or log, or composed too long ago, is not written, and the count stays due; the right one is, once."""
    minute = await next_minute(agency) - 1
    await note(agency)  # what the gate's own worker would seal meanwhile
    now, client = await agency.now(), (await agency.bind()).machines[0].id
    right = {"log": 1, "client": client, "minute": minute, "count": 2, "at": now}
    wrong = right | {name: now - value if isinstance(value, timedelta) else value for name, value in change.items()}
    wrong["minute"] = change["minute"] + minute if change.get("minute") else wrong["minute"]
    call = "select ecluse.note_refusals($1::smallint, $2, $3, $4, $5, 'l', '[]', '')"
    size = await agency.size()
    async with agency.connected() as owner:
        undone = owner.transaction()
        await undone.start()
        try:
            await owner.execute("insert into ecluse.refusal_count values ($1, $2, 5, 2, null)", client, minute)
            assert await owner.fetchval(call, *wrong.values()) == 0
            assert await owner.fetchval("select noted from ecluse.refusal_count where client_id = $1", client) is None
            assert await owner.fetchval("select size from ecluse.ledger_head where log_id = 1") == size
            assert [await owner.fetchval(call, *right.values()) for _ in range(2)] == [1, 0]
            assert await owner.fetchval("select noted from ecluse.refusal_count where client_id = $1", client) == size
        finally:
            await undone.rollback()
