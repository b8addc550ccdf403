"""Promise 3 attacked: no byte of a person leaves before its entry is durable, whatever breaks in between."""

from __future__ import annotations

import asyncio
import hashlib
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ecluse.embedded import EmbeddedPostgres
from tests.agency import Agency, founded
from tests.e2e.desk import Desk, at_work, code_of, refused
from tests.e2e.outsider import check_receipt
from tests.invented import MARK

pytestmark = pytest.mark.web

SEAL = "ecluse.seal"


async def leaf_hashes(agency: Agency) -> dict[int, str]:
    """Return the hash of each sealed leaf by its index, from the entries themselves."""
    rows = await agency.fetch("select index, leaf from ecluse.ledger_entry where log_id = 1")
    return {row["index"]: hashlib.sha256(b"\0" + row["leaf"]).hexdigest() for row in rows}


async def check_each_is_sealed_once(agency: Agency, desk: Desk, answers: list[httpx.Response]) -> None:
    """Check that each person delivered has one entry of its own, with the leaf of its receipt, and that reads count all grants."""
    sealed = await leaf_hashes(agency)
    receipts = {answer.json()["receipt"]["index"]: answer.json() for answer in answers if answer.status_code == 200}
    for index, person in receipts.items():
        check_receipt(person)
        assert sealed[index] == person["receipt"]["leaf_hash"]
    openings = [entry for entry in await agency.openings() if entry.get("processor") == desk.party.name]
    grants = {entry["index"] for entry in openings if entry["event"] == "disclosure:person:granted"}
    assert set(receipts) <= grants
    reads = (await agency.fetch("select sum(reads) as n from ecluse.appointment where processor_id = $1", desk.party.name))[0][
        "n"
    ]
    assert reads == len(grants)
    assert await agency.size() == len(sealed) == max(sealed) + 1


async def test_answers_when_many_at_once_then_each_has_one_entry_with_its_leaf(agency: Agency) -> None:
    """A hundred concurrent grants and refusals: an entry each, numbered without gaps, with the leaf that the receipt names."""
    async with at_work(agency, range(10, 20), reads=9) as desk:
        answers = await asyncio.gather(*(desk.disclose(10 + n % 10) for n in range(100)))
        await check_each_is_sealed_once(agency, desk, answers)
    assert Counter(map(code_of, answers)) == {"ok": 90, "budget-spent": 10}
    assert len({answer.json()["receipt"]["index"] for answer in answers}) == 100


async def test_answer_when_the_seal_has_to_wait_then_no_byte_before_it(agency: Agency) -> None:
    """While somebody holds the log's head nothing is answered; the answer comes with the entry."""
    async with at_work(agency, [20]) as desk:
        size = await agency.size()
        async with agency.connected() as holder, holder.transaction():
            await holder.execute("select from ecluse.ledger_head where log_id = 1 for update")
            request = asyncio.create_task(desk.disclose(20))
            done, _ = await asyncio.wait({request}, timeout=0.7)
            assert done == set()
            assert await agency.size() == size
        assert code_of(await request) == "ok"
        await check_each_is_sealed_once(agency, desk, [await request])


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        (f"revoke execute on function {SEAL} from ecluse_app", f"grant execute on function {SEAL} to ecluse_app"),
        ("revoke insert on ecluse.ledger_entry from ecluse_sealer", "grant insert on ecluse.ledger_entry to ecluse_sealer"),
        ("revoke insert on ecluse.opening from ecluse_sealer", "grant insert on ecluse.opening to ecluse_sealer"),
        ("revoke update on ecluse.ledger_head from ecluse_sealer", "grant update on ecluse.ledger_head to ecluse_sealer"),
        ("revoke insert on ecluse.proof_spent from ecluse_sealer", "grant insert on ecluse.proof_spent to ecluse_sealer"),
        ("revoke insert on ecluse.budget_person from ecluse_sealer", "grant insert on ecluse.budget_person to ecluse_sealer"),
        (
            "alter table ecluse.ledger_entry add constraint broken_ck check (index < 0) not valid",
            "alter table ecluse.ledger_entry drop constraint broken_ck",
        ),
    ],
    ids=["seal", "entry", "opening", "head", "proof", "budget", "constraint"],
)
async def test_seal_when_any_of_its_writes_fails_then_nothing_is_disclosed_or_spent(
    agency: Agency, broken: str, mended: str
) -> None:
    """Each write of a seal, failing, leaves no person, no entry, no read and no spent key; mended, the same key is served."""
    async with at_work(agency, [21]) as desk:
        size = await agency.size()
        await agency.execute(broken)
        try:
            answer = await desk.disclose(21, key="a-key")
        finally:
            await agency.execute(mended)
        refused(answer, "ledger-unavailable")
        assert MARK not in answer.text
        assert await agency.size() == size
        assert (await agency.fetch("select reads from ecluse.appointment where id = $1", desk.handles[21]))[0]["reads"] == 0
        assert code_of(await desk.disclose(21, key="a-key")) == "ok"


async def test_connections_when_killed_in_flight_then_each_person_delivered_is_sealed_once(agency: Agency) -> None:
    """With the gate's database connections killed again and again, what is delivered is sealed, and a retry brings the same receipt."""
    async with at_work(agency, range(30, 40), reads=50) as desk:

        async def until_served(n: int) -> list[httpx.Response]:
            answers: list[httpx.Response] = []
            while not answers or answers[-1].status_code != 200:
                answers.append(await desk.disclose(30 + n % 10, key=f"key-{n}"))
            return answers

        requests = [asyncio.create_task(until_served(n)) for n in range(100)]
        killed = 0
        async with agency.administered("ledger") as admin:
            while killed < 12:
                killed += await admin.fetchval(
                    "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'ecluse-gate'"
                )
                await asyncio.sleep(0.02)
        answers = [answer for answers in await asyncio.gather(*requests) for answer in answers]
        await check_each_is_sealed_once(agency, desk, answers)
        again = await desk.disclose(30, key="key-0")
    first = next(
        answer.json()
        for answer in answers
        if answer.status_code == 200 and answer.json()["receipt"]["index"] == again.json()["receipt"]["index"]
    )
    assert first == again.json()
    assert set(map(code_of, answers)) <= {"ok", "ledger-unavailable"}


async def test_caller_when_it_goes_away_then_what_was_under_way_is_sealed_and_retried_with_its_receipt(agency: Agency) -> None:
    """A caller that hangs up loses nothing and gains nothing: the grant is sealed, and the same key brings its receipt."""
    async with at_work(agency, [45]) as desk:
        async with agency.connected() as holder, holder.transaction():
            await holder.execute("select from ecluse.ledger_head where log_id = 1 for update")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(desk.disclose(45, key="a-key"), 0.5)
        answer = await desk.disclose(45, key="a-key")
        assert code_of(answer) == "ok"
        await check_each_is_sealed_once(agency, desk, [answer])
    grants = [
        e for e in await agency.openings() if e.get("processor") == desk.party.name and e["event"] == "disclosure:person:granted"
    ]
    assert len(grants) == 1


# ── the whole PostgreSQL ─────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[tuple[EmbeddedPostgres, Agency]]:
    """An agency on a PostgreSQL of its own, which a test may crash; somebody has told its databases to commit without the disk."""
    for folder in (tmp_path, tmp_path.parent):
        folder.chmod(0o711)  # root's tests run the server under another account, which has to pass
    database = EmbeddedPostgres(tmp_path / "postgres", tmp_path / "keys", shared_buffers="32MB")
    database.create()
    with database, founded(database, tmp_path / "ecluse-data", gate=False) as agency:
        asyncio.run(commit_without_the_disk(agency))
        agency.start_gate()
        yield database, agency


async def commit_without_the_disk(agency: Agency) -> None:
    """Do what an operator in a hurry would: make commits fast and volatile by default."""
    async with agency.administered("postgres") as admin:
        await admin.execute(f"alter database {agency.ledger_name} set synchronous_commit = off")
        await admin.execute("alter role ecluse_app set synchronous_commit = off")


async def test_database_when_it_crashes_in_flight_then_every_person_delivered_is_in_the_log(
    fragile: tuple[EmbeddedPostgres, Agency],
) -> None:
    """PostgreSQL crashes in the middle of the work, its default being not to wait for the disk: the log has every person delivered."""
    database, agency = fragile
    async with at_work(agency, range(50, 60), reads=100) as desk:
        answers: list[httpx.Response] = []

        async def ask(n: int) -> None:
            while not answers or answers[-1].status_code == 200:
                answers.append(await desk.disclose(50 + n % 10))

        requests = [asyncio.create_task(ask(n)) for n in range(30)]
        while len(answers) < 60:  # noqa: ASYNC110 - a count of others' work, not an event
            await asyncio.sleep(0.005)
        await asyncio.to_thread(database.kill, signal.SIGQUIT)
        await asyncio.gather(*requests)
        await asyncio.to_thread(database.start)
        await check_each_is_sealed_once(agency, desk, answers)
        for _ in range(50):
            after = await desk.disclose(59)
            if after.status_code == 200:
                break
            refused(after, "ledger-unavailable" if code_of(after) == "ledger-unavailable" else "register-unavailable")
            await asyncio.sleep(0.1)
        await check_each_is_sealed_once(agency, desk, [*answers, after])
    assert code_of(after) == "ok"
    assert {"ok"} < set(map(code_of, answers)) <= {"ok", "ledger-unavailable", "register-unavailable"}
