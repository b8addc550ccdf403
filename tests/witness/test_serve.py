"""A witness's door, a process of its own: every status of tlog-witness 1.0, and what a kill -9 leaves."""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ecluse.ledger.notes import COSIGNATURE, open_cosigned, parse_vkey, sign
from ecluse.witness.errors import TrustRefused, WitnessError
from ecluse.witness.parse import MAX_REQUEST_BYTES
from ecluse.witness.serve import STATUS
from ecluse.witness.service import origin_hash_of
from tests.witness.conftest import NAME
from tests.witness.logs import KEY, ORIGIN, OTHER_KEY, VERIFIER, PublicLog, bad_signature, leaves, request, size_of
from tests.witness.server import Server

pytestmark = pytest.mark.web

PATH = f"/{origin_hash_of(ORIGIN)}/checkpoint"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for this module; its log only grows."""
    served = Server(tmp_path_factory.mktemp("served") / "witness", NAME)
    yield served
    assert served.stop() == 0
    served.http.close()


@pytest.fixture(scope="module")
def history() -> PublicLog:
    """The log's history."""
    return PublicLog(leaves(3_000))


def told(answer: httpx.Response) -> tuple[int, str]:
    """Return what every refusal has: a status and a content type."""
    assert answer.text.endswith("\n")
    return answer.status_code, answer.headers["content-type"]


PLAIN = "text/plain; charset=utf-8"


def test_checkpoint_when_never_cosigned_then_404(server):
    """A monitor that comes before the log is told so, as for a log that nobody watches."""
    if server.size == 0:
        assert told(server.http.get(PATH)) == (404, PLAIN)
    for path in (
        "/" + "0" * 64 + "/checkpoint",
        PATH.upper(),
        "/x/checkpoint",
        f"/{ORIGIN}/checkpoint",
        "/checkpoint",
        "/%00/checkpoint",
    ):
        assert told(server.http.get(path)) == (404, PLAIN), path


def test_request_when_it_does_not_parse_then_400(server, history):
    """Every wrong request of the published vectors, and an old size above the new one."""
    vectors = json.loads((Path(__file__).parents[1] / "vectors" / "c2sp" / "add-checkpoint.json").read_text(encoding="utf-8"))
    bodies = [vector["body"].encode() for vector in vectors["refused"]]
    bodies += [history.body(0, 5).replace(b"old 0", b"old 6"), request(4, [bytes(32)] * 64, history.note(9)), b"\xff\xfe"]
    for body in bodies:
        assert told(server.ask(body)) == (400, PLAIN), body


def test_log_when_unknown_then_404(server, history):
    """An origin that this witness does not watch, also if the key is known."""
    for key in (KEY, OTHER_KEY):
        assert told(server.ask(PublicLog(history.hashes, origin="other.example/log", key=key).body(0, 1))) == (404, PLAIN)


def test_signature_when_not_a_trusted_keys_then_403(server, history):
    """No signature of a trusted key, or a bad one."""
    for note in (PublicLog(history.hashes, key=OTHER_KEY).note(1), bad_signature(history.note(1))):
        assert told(server.ask(request(0, [], note))) == (403, PLAIN)


def test_old_size_when_another_then_409_with_the_size_alone(server, history):
    """The body is the decimal size and a newline, and its type says so."""
    server.advance(history, server.size + 5)
    for old in (0, server.size - 1, server.size + 1):
        answer = server.ask(history.body(old, server.size + 3))
        assert told(answer) == (409, "text/x.tlog.size")
        assert answer.text == f"{server.size}\n"


def test_history_when_another_then_422(server, history):
    """A wrong proof, a fork at the same size and a fork at a larger one."""
    server.advance(history, server.size + 7)
    size = server.size
    fork = PublicLog(leaves(3_000, same=size - 1, word="other "))
    for body in (
        request(size, [], fork.note(size)),
        request(size, [bytes(32)], history.note(size)),
        fork.body(size, size + 1),
        request(size, [], history.note(size + 1)),
        request(size, [*history.proof(size, size + 1), bytes(32)], history.note(size + 1)),
    ):
        assert told(server.ask(body)) == (422, PLAIN), body
    assert server.size == size


def test_size_0_when_its_root_is_wrong_or_a_proof_stands_there_then_422(server):
    """Both rules of size 0, of a log of which nothing was seen."""
    log = PublicLog(leaves(5), origin="empty.example/log", key=OTHER_KEY)
    server.witness.trust([log.verifier])
    wrong = sign(f"{log.origin}\n0\n{'A' * 43}=\n", log.origin, OTHER_KEY)
    assert told(server.ask(request(0, [], wrong))) == (422, PLAIN)
    assert told(server.ask(request(0, [bytes(32)], log.note(3)))) == (422, PLAIN)
    assert server.ask(log.body(0, 0)).status_code == 200
    assert server.ask(log.body(0, 0)).status_code == 200
    assert size_of(server.http.get(f"/{origin_hash_of(log.origin)}/checkpoint").text) == 0


def test_checkpoint_when_it_extends_then_200_and_handed_to_monitors(server, history):
    """The answer is a signature line; added to the note it makes what monitors get, for a repeated head too."""
    key = parse_vkey(server.witness.vkey, COSIGNATURE)
    for size in (server.size + 1, server.size + 2, server.size + 2):
        note = server.advance(history, size)
        assert list(open_cosigned(note, [VERIFIER], ORIGIN, [key]).cosigned_at) == [key]
        answer = server.http.get(PATH)
        assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, note, PLAIN)


def test_body_when_too_large_then_413_and_the_connection_ends(server):
    """More than any honest request needs is not read."""
    answer = server.ask(b"x" * (MAX_REQUEST_BYTES + 1))
    assert (*told(answer), answer.headers["connection"]) == (413, PLAIN, "close")


def test_method_when_another_then_405(server):
    """Only what the protocol names is there."""
    assert server.http.get("/add-checkpoint").status_code == 405
    assert server.http.put("/add-checkpoint", content=b"x").status_code == 405
    assert server.http.post(PATH, content=b"x").status_code == 405
    assert server.http.post("/sign-subtree", content=b"x").status_code == 404


def test_connection_when_kept_alive_then_used_again(server, history):
    """A log asks again over the connection that it has."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.connect()
    sock = connection.sock
    for _ in range(4):
        size = server.size
        for body in (history.body(size, size + 1), b"wrong"):
            connection.request("POST", "/add-checkpoint", body=body)
            connection.getresponse().read()
            assert connection.sock is sock
    connection.close()


def test_store_when_it_can_not_be_reached_then_503_and_nothing_is_cosigned(server, history):
    """A full or broken disk is told as such, and the next request is served again."""
    size, store = server.size, server.folder / "witness.db"
    store.rename(server.folder / "away")
    try:
        assert told(server.ask(history.body(size, size + 1))) == (503, PLAIN)
        assert server.http.get(PATH).status_code == 503
    finally:
        (server.folder / "away").rename(store)
    assert server.ask(history.body(size, size + 1)).status_code == 200


def test_key_when_trusted_while_serving_then_known_at_once(server, history):
    """No restart is needed to watch a further log."""
    other = PublicLog(history.hashes[:9], origin="second.example/log", key=OTHER_KEY)
    assert server.ask(other.body(0, 3)).status_code == 404
    server.witness.trust([other.verifier])
    assert server.ask(other.body(0, 3)).status_code == 200


def test_server_when_killed_under_fire_then_it_remembers_all_it_answered(tmp_path, history):
    """Twice kill -9 while four connections ask: nothing answered is lost, and the fork stays out."""
    served = Server(tmp_path / "witness", NAME)
    answered: list[int] = []
    over = threading.Event()

    def fire() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{served.port}", timeout=60) as client:
            old = 0
            while not over.is_set():
                try:
                    answer = client.post("/add-checkpoint", content=history.body(old, min(old + 1, 3_000)))
                except httpx.TransportError:
                    time.sleep(0.01)
                    continue
                old = int(answer.text) if answer.status_code == 409 else old
                if answer.status_code == 200:
                    old = min(old + 1, 3_000)
                    answered.append(old)

    threads = [threading.Thread(target=fire) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            least, deadline = len(answered) + 10, time.monotonic() + 60
            while len(answered) < least:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert served.stop(signal.SIGKILL) == -signal.SIGKILL
            time.sleep(0.05)
            assert served.size >= max(answered)
            served.start()
    finally:
        over.set()
        for thread in threads:
            thread.join(30)
    size = served.size
    assert size >= max(answered) > 0
    fork = PublicLog(leaves(3_000, same=size - 1, word="other "))
    assert [served.ask(fork.body(old, size + 1)).status_code for old in (size, size - 1)] == [422, 409]
    assert served.stop() == 0
    served.http.close()


def test_events_when_logged_then_constant_names_and_public_facts(server, history):
    """One JSON line an event; two histories are told as an error, with both roots."""
    server.advance(history, server.size + 1)
    fork = PublicLog(leaves(3_000, same=server.size - 1, word="other "))
    assert server.ask(request(server.size, [], fork.note(server.size))).status_code == 422
    events = [json.loads(line) for line in server.log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    assert {one["event"] for one in events} <= {
        "witness:cosigned", "witness:refused", "witness:not-consistent", "witness:two-histories", "witness:clock-back",
    }  # fmt: skip
    (last,) = [one for one in events if one["event"] == "witness:two-histories"][-1:]
    size = server.size
    assert (last["level"], last["log"], last["size"], last["root"], last["seen_root"]) == (
        "error", ORIGIN, size, fork.roots[size].hex(), history.roots[size].hex(),
    )  # fmt: skip


def test_statuses_when_listed_then_every_error_that_a_request_can_raise_has_one():
    """The table of answers is whole."""
    assert set(STATUS) == set(WitnessError.__subclasses__()) - {TrustRefused}
