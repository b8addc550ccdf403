"""The webhook against a real receiver: signatures that others verify, at least once, in order, bounded, and no further than the one address."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import httpx
import pytest

from ecluse.db import open_pool
from ecluse.embedded import EmbeddedPostgres
from ecluse.errors import ConfigurationError
from ecluse.identity import generate_private
from ecluse.outcomes.check import MOST_ATTEMPTS
from ecluse.outcomes.deliver import Courier, Round
from ecluse.outcomes.signature import load_webhook_key
from ecluse.settings import load, with_user
from tests.agency import Agency, founded
from tests.e2e.desk import Desk, at_work, code_of
from tests.outcomes.receiver import Receiver, receiving, verify

pytestmark = pytest.mark.web

BEGUN = timedelta(minutes=-10)
RFC_KEY = {"x": "qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA", "y": "Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0"}
"""The key test-key-ecc-p256 of RFC 9421, appendix B.1.3."""


@pytest.fixture(scope="module")
def agency(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """An agency whose gate has no workers: a test delivers by itself."""
    with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data", gate=False) as built:
        built.start_gate(ledger__sign=False)
        yield built


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of this test's own."""
    with receiving() as listening:
        yield listening


@asynccontextmanager
async def courier(agency: Agency, url: str, *, timeout_seconds: float = 1.0) -> AsyncIterator[Courier]:
    """A courier of this process."""
    installation = agency.installation
    pool = await open_pool(
        with_user(installation.settings.database.url, "ecluse_jobs"), installation.passwords("jobs"), size=4, name="test"
    )
    key = load_webhook_key(installation.secret("webhook.key"))
    try:
        yield Courier(pool, key, url, log_id=1, timeout_seconds=timeout_seconds)
    finally:
        await pool.close()


async def go_round(agency: Agency, one: Courier, *, due: bool = True) -> Round:
    """Let everything that waits be due, and do one round."""
    if due:
        await agency.execute("update ecluse.outcome set due_at = ecluse.clock() where state = 'waiting'")
    async with httpx.AsyncClient(trust_env=False) as http:
        return await one.round(http)


async def say(desk: Desk, persons: Sequence[int], attendance: str = "present") -> None:
    """Say the outcome of some persons."""
    for person in persons:
        path = f"/v1/appointments/{desk.handles[person]}/outcome"
        assert code_of(await desk.machine.call("POST", path, body={"attendance": attendance})) == "ok"


async def states(agency: Agency, desk: Desk) -> list[tuple[str, int, str | None]]:
    """Return state, attempts and problem of a processor's outcomes, in order."""
    rows = await agency.fetch(
        "select state, attempts, problem from ecluse.outcome where processor_id = $1 order by seq", desk.party.name
    )
    return [tuple(row) for row in rows]


async def arrival(receiver: Receiver) -> None:
    """Wait until a request has come in."""
    for _ in range(500):
        if receiver.requests:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("nothing came in")


async def clear(agency: Agency) -> None:
    """Forget what other tests left waiting."""
    await agency.execute("update ecluse.outcome set state = 'delivered'")


def test_verifier_when_given_the_vector_of_the_standard_then_it_holds() -> None:
    """The receiver's own code verifies RFC 9421 B.2.4 (a response), and not a byte beside it."""
    values = {
        "@status": "200",
        "content-type": "application/json",
        "content-digest": "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:",
        "content-length": "23",
    }
    given = 'sig-b24=("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"'
    signed = "sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==:"
    assert verify(RFC_KEY, given, signed, values)["keyid"] == "test-key-ecc-p256"
    with pytest.raises(Exception, match=r"^$"):
        verify(RFC_KEY, given, signed, {**values, "content-length": "24"})


@pytest.mark.parametrize(
    "url",
    [
        "http://agency.example/hook",
        "ftp://127.0.0.1/",
        "https://user@agency.example/",
        "https://",
        "https://a.example/#x",
        "https://a b/",
    ],
)
def test_webhook_when_not_a_plain_https_address_then_refused(agency: Agency, url: str) -> None:
    """An address that would send outcomes in clear, or credentials along, refuses to start."""
    with pytest.raises(ConfigurationError, match=r"outcomes\.webhook"):
        load(agency.folder, {"outcomes.webhook": url}, {})


@pytest.mark.parametrize("pem", ["", "nonsense", generate_private("EdDSA").decode()])
def test_webhook_key_when_it_is_no_es256_key_then_refused(pem: str) -> None:
    """A file that can't sign refuses to start, and is not quoted."""
    with pytest.raises(ConfigurationError, match=r"keys/webhook\.key") as refused:
        load_webhook_key(pem)
    assert pem == "" or pem not in str(refused.value)


async def test_delivery_when_received_then_its_signature_holds_by_the_published_key(agency: Agency, receiver: Receiver) -> None:
    """The receiver verifies by its own code, with the key of /outcomes/jwks; what it gets is what is fetched, and no person."""
    await clear(agency)
    async with at_work(agency, [10], begins_in=BEGUN) as desk, courier(agency, receiver.url) as one:
        await say(desk, [10], "late")
        done = await go_round(agency, one, due=False)
        keys = (await desk.machine.http.get("/outcomes/jwks")).json()["keys"]
        assert await states(agency, desk) == [("delivered", 1, None)]
    params = receiver.check(0, keys)
    assert (done.delivered, done.failed, len(receiver.requests)) == (1, 0, 1)
    assert params["covered"] == "@method @target-uri content-type content-digest"
    assert (params["alg"], params["tag"]) == ("ecdsa-p256-sha256", "ecluse-outcome")
    assert abs(int(params["created"]) - time.time()) < 60
    (body,) = receiver.bodies()
    assert (body["appointment"], body["place_ref"], body["attendance"], body["revision"]) == (desk.handles[10], "P10", "late", 1)
    assert "ofii:" not in receiver.requests[0][2].decode()


async def test_delivery_when_changed_on_its_way_then_the_signature_fails(agency: Agency, receiver: Receiver) -> None:
    """Another body, or another address, is not what was signed."""
    await clear(agency)
    async with at_work(agency, [10], begins_in=BEGUN) as desk, courier(agency, receiver.url) as one:
        await say(desk, [10])
        await go_round(agency, one)
        keys = (await desk.machine.http.get("/outcomes/jwks")).json()["keys"]
    method, headers, body = receiver.requests[0]
    receiver.requests = [(method, headers, body.replace(b"present", b"excused"))]
    with pytest.raises(AssertionError):
        receiver.check(0, keys)
    receiver.requests = [(method, headers, body)]
    receiver.url += "/other"
    with pytest.raises(Exception, match=r"^$"):
        receiver.check(0, keys)


@pytest.mark.parametrize(
    ("how", "problem"),
    [(500, "http-500"), (404, "http-404"), ("die", "connection"), ("slow", "timeout"), (302, "http-302"), (308, "http-308")],
)
async def test_delivery_when_the_receiver_is_not_well_then_tried_again(
    agency: Agency, receiver: Receiver, how: int | str, problem: str
) -> None:
    """An error, a death, silence and a redirect are failures: nothing is followed, and it is sent again, later."""
    await clear(agency)
    receiver.plan = [how]
    async with at_work(agency, [10], begins_in=BEGUN) as desk, courier(agency, receiver.url) as one:
        await say(desk, [10])
        first = await go_round(agency, one)
        assert await states(agency, desk) == [("waiting", 1, problem)]
        wait = (await agency.fetch("select due_at - ecluse.clock() as wait from ecluse.outcome where state = 'waiting'"))[0][
            "wait"
        ]
        early = await go_round(agency, one, due=False)
        second = await go_round(agency, one)
        assert await states(agency, desk) == [("delivered", 2, None)]
    assert (first.failed, early.failed + early.delivered, second.delivered) == (1, 0, 1)
    assert timedelta(0) < wait <= timedelta(seconds=5)
    assert receiver.elsewhere == []
    assert [body["revision"] for body in receiver.bodies()] == [1, 1]


async def test_delivery_when_nobody_listens_then_it_waits(agency: Agency) -> None:
    """A receiver that is away costs attempts, not outcomes."""
    await clear(agency)
    with receiving() as gone:
        url = gone.url
    async with at_work(agency, [10], begins_in=BEGUN) as desk, courier(agency, url) as one:
        await say(desk, [10])
        await go_round(agency, one)
        assert await states(agency, desk) == [("waiting", 1, "connection")]


async def test_delivery_when_the_answer_never_ends_then_it_is_not_read(agency: Agency, receiver: Receiver) -> None:
    """The status is enough: a body without end keeps nobody."""
    await clear(agency)
    receiver.plan = ["endless"]
    async with at_work(agency, [10], begins_in=BEGUN) as desk, courier(agency, receiver.url) as one:
        await say(desk, [10])
        assert (await go_round(agency, one)).delivered == 1


async def test_delivery_when_gone_or_tried_too_often_then_a_dead_letter_until_retried(agency: Agency, receiver: Receiver) -> None:
    """410 ends it at once, anything else after the last attempt; the operator can let dead letters wait again."""
    await clear(agency)
    receiver.plan = [410]
    async with at_work(agency, [10, 11], begins_in=BEGUN) as desk, courier(agency, receiver.url) as one:
        await say(desk, [10])
        await go_round(agency, one)
        await say(desk, [11])
        await agency.execute(
            "update ecluse.outcome set attempts = $2 where state = 'waiting' and processor_id = $1",
            desk.party.name,
            MOST_ATTEMPTS - 1,
        )
        receiver.plan = [503]
        await go_round(agency, one)
        assert await states(agency, desk) == [("dead", 1, "http-410"), ("dead", MOST_ATTEMPTS, "http-503")]
        assert (await go_round(agency, one)).delivered == 0
        async with agency.connected("ecluse_app") as app:
            assert await app.fetchval("select dead from ecluse.outcome_counts()") == 2
            assert await app.fetchval("select ecluse.retry_outcomes()") == 2
        assert (await go_round(agency, one)).delivered == 2


async def test_delivery_when_corrected_while_it_was_on_its_way_then_the_correction_follows(
    agency: Agency, receiver: Receiver
) -> None:
    """What is noted of an attempt is of its own revision: the correction is sent after it, and revisions arrive in their order."""
    await clear(agency)
    receiver.plan = ["slow"]
    async with at_work(agency, [10], begins_in=BEGUN) as desk, courier(agency, receiver.url, timeout_seconds=2.0) as one:
        await say(desk, [10], "present")
        sending = asyncio.ensure_future(go_round(agency, one))
        await arrival(receiver)
        await say(desk, [10], "absent")
        await sending
        assert await states(agency, desk) == [("waiting", 0, None)]
        await go_round(agency, one)
        assert await states(agency, desk) == [("delivered", 1, None)]
    assert [(body["attendance"], body["revision"]) for body in receiver.bodies()] == [("present", 1), ("absent", 2)]


async def test_delivery_when_two_processes_go_round_then_one_has_the_turn(agency: Agency, receiver: Receiver) -> None:
    """While one is sending, another sends nothing: each outcome arrives once."""
    await clear(agency)
    receiver.plan = ["slow"]
    async with (
        at_work(agency, [10], begins_in=BEGUN) as desk,
        courier(agency, receiver.url) as one,
        courier(agency, receiver.url) as two,
    ):
        await say(desk, [10])
        sending = asyncio.ensure_future(go_round(agency, one))
        await arrival(receiver)
        assert (await go_round(agency, two)).elected is False
        await sending
    assert len(receiver.requests) == 1


async def test_delivery_when_one_can_t_be_settled_then_sent_again(agency: Agency, receiver: Receiver) -> None:
    """A crash between sending and noting it means once more: at least once, never lost."""
    await clear(agency)
    async with at_work(agency, [10], begins_in=BEGUN) as desk, courier(agency, receiver.url) as one:
        await say(desk, [10])
        await agency.execute("revoke execute on function ecluse.settle_outcome from ecluse_jobs")
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await go_round(agency, one)
        finally:
            await agency.execute("grant execute on function ecluse.settle_outcome to ecluse_jobs")
        await go_round(agency, one)
    assert [body["appointment"] for body in receiver.bodies()] == [desk.handles[10]] * 2


async def test_delivery_when_the_receiver_fails_all_then_a_round_ends_early(agency: Agency, receiver: Receiver) -> None:
    """A receiver that is down is asked a few times a round, not once for each outcome there is."""
    await clear(agency)
    receiver.plan = [500] * 30
    async with at_work(agency, range(10, 30), begins_in=BEGUN) as desk, courier(agency, receiver.url) as one:
        await say(desk, list(range(10, 30)))
        await go_round(agency, one)
        assert len(receiver.requests) == 4
        receiver.plan = []
        assert (await go_round(agency, one)).delivered == 20


async def test_gate_when_a_webhook_is_configured_then_it_delivers_by_itself(agency: Agency, receiver: Receiver) -> None:
    """A serving process with the setting does it all, and its metrics say so without a value."""
    await clear(agency)
    gate = agency.start_gate(outcomes__webhook=receiver.url)
    try:
        async with at_work(agency, [10, 11], begins_in=BEGUN) as desk:
            receiver.plan = [500]
            await say(desk, [10, 11])
            for _ in range(150):
                if {state for state, _, _ in await states(agency, desk)} == {"delivered"}:
                    break
                await asyncio.sleep(0.2)
            assert {state for state, _, _ in await states(agency, desk)} == {"delivered"}
            async with httpx.AsyncClient() as operator:
                metrics = (await operator.get(gate.metrics)).text
    finally:
        agency.stop_gate(gate)
    assert 'ecluse_outcome_deliveries_total{result="delivered"} 2.0' in metrics
    assert "apt_" not in metrics + gate.log.read_text(encoding="utf-8")
