"""Proofs and pins: what is not believed, a log that shows two histories, what is kept on disk; at once, in the background, after a rotation."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse import clock
from ecluse.client import (
    AsyncClient,
    Client,
    LogForked,
    Pending,
    Proofs,
    ReceiptBroken,
    Unavailable,
    Unproven,
    check_file,
    policy_of_vkey,
    proving,
    receipt_file,
)
from ecluse.client.trust import parse_policy
from ecluse.errors import ConfigurationError, EcluseError
from ecluse.ledger import notes

pytestmark = pytest.mark.unit

URL, CLIENT, ORIGIN = "https://gate.example", "cli_aaaaaaaaaaaaaaaaaaaaaaaaaa", "gate.example/ecluse/main"
APPOINTMENT, AGENT = "apt_aaaaaaaaaaaaaaaaaaaaaaaaaa", "agt_aaaaaaaaaaaaaaaaaaaaaaaaaa"
NAMES = ["family_name", "birth_date", "phone", "address"]
Maker = Callable[..., Client]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collect the waits instead of waiting."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


@pytest.fixture
def make(gate, key_file: Path) -> Maker:
    """Return what makes a client of the gate; options are the client's."""

    def made(**options: object) -> Client:
        given = {"policy": gate.policy, "transport": httpx.MockTransport(gate)} | options
        return Client(URL, CLIENT, key_file, **given)  # type: ignore[arg-type] # options by name

    return made


def grow(gate, count: int = 1) -> None:
    """Let others' entries come."""
    gate.leaves += [sha256(b"of others %d" % len(gate.leaves)).digest() for _ in range(count)]


def fork(gate, at: int = 2) -> None:
    """Let the log have another past."""
    gate.leaves[at] = sha256(b"another past").digest()


# ── what is not believed ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_proof_when_too_few_witnesses_signed_then_waited_for_and_unavailable(make: Maker, gate, pauses: list[float]) -> None:
    """A head that the quorum has not seen is asked for again some seconds long; it accuses nobody."""
    client = make()
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    gate.asleep = {"witness.example/w1", "witness.example/w2"}
    with pytest.raises(Unavailable) as late:
        client.proof(disclosed)
    assert (late.value.last, len(gate.calls(f"/v1/disclosures/{disclosed.disclosure}/proof")), len(pauses)) == (
        "not-yet-cosigned",
        6,
        5,
    )
    gate.asleep = {"witness.example/w3"}
    assert len(client.proof(disclosed).head.cosigned_at) == 2


@pytest.mark.parametrize("wrong", ["another log", "another witness", "not the log's origin"])
def test_proof_when_the_policy_is_another_then_never_proven(make: Maker, gate, wrong: str) -> None:
    """Another log's key is no key of this log, and other witnesses do not count."""
    stranger = Ed25519PrivateKey.generate()
    text = {
        "another log": f"log {notes.format_vkey(notes.verifier_of_key(ORIGIN, stranger))}\nquorum none\n",
        "another witness": f"log {gate.vkey}\nwitness w {notes.format_vkey(notes.verifier_of_key('w', stranger, notes.COSIGNATURE))}\nquorum w\n",
        "not the log's origin": f"log {notes.format_vkey(notes.verifier_of_key('other', gate.log_key))}\nquorum none\n",
    }[wrong]
    client = make(policy=parse_policy(text.encode()))
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    with pytest.raises(Unavailable if wrong == "another witness" else ReceiptBroken):
        client.proof(disclosed)


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"policy": None, "proofs": "at-once"}, "policy"),
        ({"policy": None, "pins": "folder"}, "policy"),
        ({"proofs": "background"}, "report"),
        ({"report": print}, "report"),
        ({"proofs": "sometimes"}, "proofs"),
    ],
)
def test_client_when_its_options_do_not_fit_then_refused(make: Maker, options: dict[str, object], where: str) -> None:
    """Proofs want a policy, those in the background somebody to be told, and a time that there is."""
    with pytest.raises(ConfigurationError) as refused:
        make(**options)
    assert refused.value.where == where


def test_policy_of_vkey_when_it_is_none_then_refused() -> None:
    """A mistyped verifier key is refused before anything is checked with it."""
    with pytest.raises(ConfigurationError):
        policy_of_vkey("a+b")


# ── a log that forks ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_proof_when_history_changed_then_forked_and_both_heads_kept(make: Maker, gate, tmp_path: Path) -> None:
    """An entry of the past was changed, all is signed and cosigned anew: the next proof is refused, and both heads are evidence."""
    client = make(pins=tmp_path / "seen")
    first = client.proof(client.disclose(APPOINTMENT, AGENT, NAMES))
    fork(gate)
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    for _ in range(2):  # it does not get used to it
        with pytest.raises(LogForked) as forked:
            client.proof(disclosed)
    error = forked.value
    assert (error.code, error.seen, error.shown) == ("log-forked", first.head.note, gate.note(8))
    assert [path.read_text(encoding="utf-8") for path in error.kept_in] == [error.seen, error.shown]
    assert str(error.kept_in[0]) in str(error)
    with pytest.raises(LogForked):
        make(pins=tmp_path / "seen").proof(disclosed)  # nor does the next process


def test_proof_when_another_root_of_one_size_then_forked(make: Maker, gate) -> None:
    """Two heads of one size: no tile is needed to see it."""
    client = make()
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    client.proof(disclosed)
    fork(gate)
    asked = len(gate.seen)
    with pytest.raises(LogForked, match="two histories of its first 7 entries"):
        client.proof(disclosed)
    assert [request.url.path for request in gate.seen[asked:]] == [f"/v1/disclosures/{disclosed.disclosure}/proof"]


def test_proof_when_the_log_shrank_then_forked(make: Maker, gate) -> None:
    """A log that was rolled back can't show what it had: a smaller head alone is refused."""
    client = make()
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    grow(gate, 5)
    client.proof(disclosed)
    del gate.leaves[9:]
    with pytest.raises(LogForked, match="showed 12 entries, and now only 9"):
        client.proof(disclosed)


def test_proof_when_an_older_head_of_the_same_history_comes_then_believed(make: Maker, gate) -> None:
    """A head that lags behind, as one whose witnesses were quicker does, fits what was seen; the newest stays the pin."""
    client = make()
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    grow(gate, 5)
    client.proof(disclosed)
    gate.signed_size = 9
    assert client.proof(disclosed).head.checkpoint.size == 9
    del gate.leaves[11:]
    with pytest.raises(LogForked):
        client.proof(disclosed)


def test_proof_when_tiles_are_missing_then_not_believed(make: Maker, gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that does not show how it grew is not believed, and not accused."""
    client = make()
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    client.proof(disclosed)
    client.head(ORIGIN)
    grow(gate)
    for answer, last in (
        (httpx.Response(404), "log-incomplete"),
        (httpx.Response(200, content=b"x"), "log-incomplete"),
        (httpx.Response(500), "http-500"),
    ):
        monkeypatch.setattr(gate, "public", lambda _path, answer=answer: answer)
        with pytest.raises(Unavailable) as refused:
            client.proof(disclosed)
        assert refused.value.last == last
    monkeypatch.undo()
    assert client.proof(disclosed).head.checkpoint.size == 8


@pytest.mark.parametrize(("before", "after"), [(7, 8), (250, 257), (300, 600), (513, 700)])
def test_proof_when_the_log_grew_then_checked_by_its_tiles(make: Maker, gate, before: int, after: int) -> None:
    """Over one tile or several, full or partial, the new head is shown to begin with the old one."""
    client = make()
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    grow(gate, before - len(gate.leaves))
    client.proof(disclosed)
    grow(gate, after - before)
    asked = len(gate.seen)
    assert client.proof(disclosed).head.checkpoint.size == after
    assert 1 <= len([request for request in gate.seen[asked:] if "/tile/" in request.url.path]) <= 4


def test_proof_when_only_the_full_tile_is_left_then_taken(make: Maker, gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log may drop a partial tile once the full one is there."""
    client = make()
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    client.proof(disclosed)
    grow(gate, 200 - len(gate.leaves))
    gate.signed_size = 200
    grow(gate, 100)
    whole = gate.public
    monkeypatch.setattr(gate, "public", lambda path: httpx.Response(404) if ".p/" in path else whole(path))
    assert client.proof(disclosed).head.checkpoint.size == 200


def test_log_when_another_one_is_in_its_place_then_no_fork_is_cried(make: Maker, gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the gate serves a checkpoint of another name, the log is not found; one that took another's place is found under its number."""
    client = make()
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    client.proof(disclosed)
    grow(gate)
    whole = gate.public
    monkeypatch.setattr(gate, "public", lambda path: httpx.Response(200, text="another.example/log\n1\n"))
    with pytest.raises(Unavailable) as lost:
        client.proof(disclosed)
    assert lost.value.last == "log-not-found"
    monkeypatch.setattr(gate, "public", whole)
    assert client.proof(disclosed).head.checkpoint.size == 8
    exchange = client._calls._log_url("gate.example/ecluse/main-2")
    assert next(exchange).url == f"{URL}/ledger/main-2/checkpoint"  # type: ignore[union-attr] # the first step is a request


@pytest.mark.parametrize("url", ["ftp://log.example/main", "http://", "log.example", "https://log.example/\u00e9", "http://[::1"])
def test_log_when_its_address_is_none_then_said(make: Maker, gate, url: str) -> None:
    """An address in the policy that can't be one is a fault of the policy."""
    client = make(policy=parse_policy(f"log {gate.vkey} {url}\nquorum none\n".encode()))
    with pytest.raises(ConfigurationError):
        client.head(ORIGIN)


def test_log_when_the_policy_says_where_then_read_there(make: Maker, gate) -> None:
    """A mirror of the log's files, named in the policy, is what the client reads, and the gate is not asked for them."""
    client = make(policy=parse_policy(f"log {gate.vkey} https://mirror.example/ledger/main/\nquorum none\n".encode()))
    assert client.head(ORIGIN).checkpoint.size == 6
    assert {request.url.host for request in gate.seen} == {"mirror.example"}


def test_head_when_the_public_one_differs_then_forked(make: Maker, gate) -> None:
    """What the gate shows this client and what it shows everybody have to be one history."""
    client = make()
    client.proof(client.disclose(APPOINTMENT, AGENT, NAMES))
    grow(gate)
    assert client.head(ORIGIN).checkpoint.size == 8
    fork(gate)
    with pytest.raises(LogForked):
        client.head(ORIGIN)
    with pytest.raises(Unavailable):
        client.head("another.example/log")


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_pins_when_kept_then_a_note_that_anybody_can_read(make: Maker, gate, tmp_path: Path) -> None:
    """The folder holds one file, the newest head as it was signed, and is replaced whole."""
    client = make(pins=tmp_path / "a" / "b")
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    for size in (7, 9):
        grow(gate, size - len(gate.leaves))
        client.proof(disclosed)
        (kept,) = (tmp_path / "a" / "b").iterdir()
        assert notes.open_checkpoint(kept.read_bytes(), [notes.parse_vkey(gate.vkey)], ORIGIN).size == size


@pytest.mark.parametrize("spoilt", ["", "nonsense", "by another"])
def test_pins_when_spoilt_then_the_client_does_not_begin(make: Maker, gate, tmp_path: Path, spoilt: str) -> None:
    """A pin that can't be read is not forgotten silently."""
    client = make(pins=tmp_path / "seen")
    client.proof(client.disclose(APPOINTMENT, AGENT, NAMES))
    (kept,) = (tmp_path / "seen").iterdir()
    kept.write_text(
        notes.sign(kept.read_text().partition("\n\n")[0] + "\n", "x", gate.log_key) if spoilt == "by another" else spoilt
    )
    with pytest.raises(ConfigurationError) as refused:
        make(pins=tmp_path / "seen")
    assert refused.value.where == str(kept)


def test_pins_when_the_folder_is_a_file_then_refused(make: Maker, tmp_path: Path) -> None:
    """A folder that can't be made is said when the client is made."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError):
        make(pins=tmp_path / "file" / "seen")


def test_pins_when_two_processes_share_them_then_each_checks_what_the_other_saw(make: Maker, gate, tmp_path: Path) -> None:
    """Two clients of one folder: the log shows the second another history than the first, and the second sees it at its first proof."""
    one, other = make(pins=tmp_path), make(pins=tmp_path)
    disclosed = one.disclose(APPOINTMENT, AGENT, NAMES)
    one.proof(disclosed)
    fork(gate)
    grow(gate)
    with pytest.raises(LogForked):
        other.proof(disclosed)


# ── at once, in the background ───────────────────────────────────────────────────────────────────────────────────────────────
def test_at_once_when_proven_then_with_the_answer(make: Maker, gate, tmp_path: Path) -> None:
    """The proof comes with the person, for each place of a sheet too, and makes a file that anybody can check."""
    client = make(proofs=Proofs.AT_ONCE)
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    assert disclosed.proven is not None
    assert [row.proven is not None for row in client.sheet("ses_aaaaaaaaaaaaaaaaaaaaaaaaaa", AGENT)] == [True, True]
    statement = check_file(receipt_file(disclosed, disclosed.proven, with_values=True), gate.policy)
    assert (statement.disclosure, statement.values) == (disclosed.disclosure, disclosed.subject)


def test_at_once_when_there_is_no_proof_yet_then_the_person_all_the_same(make: Maker, gate) -> None:
    """A person who is there is served although the witnesses sleep; a receipt that is wrong is nobody's."""
    client = make(proofs="at-once")
    gate.asleep = set(gate.witnesses)
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    assert (disclosed.subject["family_name"], disclosed.proven) == ("Ouédraogo", None)
    gate.asleep = set()
    gate.tampering = lambda answer: answer.update(inclusion=[]) if "inclusion" in answer else None
    with pytest.raises(ReceiptBroken):
        client.disclose(APPOINTMENT, AGENT, NAMES)


class Told:
    """Collects what is reported, and can be waited for."""

    def __init__(self) -> None:
        """Begin with nothing told."""
        self.all: list[tuple[Pending, EcluseError]] = []
        self.one = threading.Event()

    def __call__(self, pending: Pending, error: EcluseError) -> None:
        """Take one report."""
        self.all.append((pending, error))
        self.one.set()

    @property
    def codes(self) -> list[str]:
        """The codes reported so far."""
        return [error.code for _, error in self.all]


def test_background_when_all_holds_then_proven_and_nothing_told(make: Maker, gate) -> None:
    """Each receipt is proven by the time the client is closed."""
    told = Told()
    with make(proofs="background", report=told) as client:
        given = [client.disclose(APPOINTMENT, AGENT, NAMES) for _ in range(5)]
        given += client.sheet("ses_aaaaaaaaaaaaaaaaaaaaaaaaaa", AGENT)
    assert told.all == []
    assert all(gate.calls(f"/v1/disclosures/{each.disclosure}/proof") for each in given)


def test_background_when_one_does_not_hold_then_told_and_the_others_proven(make: Maker, gate) -> None:
    """The one that is wrong is reported with its receipt; it does not stop the others."""
    told = Told()
    with make(proofs="background", report=told) as client:
        good = client.disclose(APPOINTMENT, AGENT, NAMES)
        bad = client.disclose(APPOINTMENT, AGENT, NAMES)
        gate.tampering = lambda answer: answer.update(leaf_hash="0" * 64) if answer.get("index") == bad.receipt.index else None
        gate.index_of[bad.disclosure] = good.receipt.index  # answered, whichever comes first
        assert told.one.wait(20)
    ((pending, error),) = told.all
    assert (pending.disclosure, pending.receipt, error.code) == (bad.disclosure, bad.receipt, "receipt-broken")
    assert "Ouédraogo" not in repr(pending)


def test_background_when_the_log_forks_then_told(make: Maker, gate) -> None:
    """A fork is told like a receipt that does not hold, and with its evidence."""
    told = Told()
    with make(proofs="background", report=told) as client:
        client.proof(client.disclose(APPOINTMENT, AGENT, NAMES))
        fork(gate)
        client.disclose(APPOINTMENT, AGENT, NAMES)
        assert told.one.wait(20)
    assert "log-forked" in told.codes


def test_background_when_closed_before_a_proof_then_told(make: Maker, gate) -> None:
    """What could not be proven by the end is said; it is not lost."""
    told = Told()
    with make(proofs="background", report=told) as client:
        gate.asleep = set(gate.witnesses)
        disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    ((pending, error),) = told.all
    assert isinstance(error, Unproven)
    assert (pending.disclosure, error.last) == (disclosed.disclosure, "closed")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_background_when_a_report_raises_then_the_others_are_told_at_the_end(make: Maker, gate) -> None:
    """A fault of the caller's own report ends the worker, and loses no receipt."""
    told = Told()

    def report(pending: Pending, error: EcluseError) -> None:
        told(pending, error)
        if len(told.all) == 1:
            raise RuntimeError("a fault of the caller")

    gate.tampering = lambda answer: answer.update(inclusion=[]) if "inclusion" in answer else None
    client = make(proofs="background", report=report)
    given = client.sheet("ses_aaaaaaaaaaaaaaaaaaaaaaaaaa", AGENT)
    assert told.one.wait(20)
    client.close()
    assert {pending.disclosure for pending, _ in told.all} == {each.disclosure for each in given}


def test_background_when_no_proof_for_an_hour_then_told(make: Maker, gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that never proves is found out: the receipt is reported with the last trouble."""
    monkeypatch.setattr(proving, "PATIENCE", timedelta(0))  # the hour is over
    told = Told()
    with make(proofs="background", report=told) as client:
        gate.asleep = set(gate.witnesses)
        disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
        assert told.one.wait(20)
    ((pending, error),) = told.all
    assert isinstance(error, Unproven)
    assert (pending.disclosure, error.last) == (disclosed.disclosure, "not-yet-cosigned")


def test_background_when_too_many_wait_then_told_at_once() -> None:
    """The list of those that wait has an end."""
    told = Told()
    calls = proving.Proving.__new__(proving.Proving)
    calls.trust(None, None, Proofs.BACKGROUND, told)
    pending = Pending(disclosure="dsc_a", receipt=None, since=clock.now())  # type: ignore[arg-type] # nothing looks into it
    for _ in range(proving.MOST_WAITING + 1):
        calls._wait_for(pending)
    assert (len(calls.waiting), told.codes) == (proving.MOST_WAITING, ["receipt-unproven"])


async def test_async_background_when_used_then_the_same(gate, key_file: Path, tmp_path: Path) -> None:
    """Tasks share one worker; a wrong proof is told, the others are proven, and what was seen is kept."""
    told = Told()
    gate.tampering = lambda answer: answer.update(inclusion=[]) if answer.get("index") == 8 else None
    async with AsyncClient(
        URL, CLIENT, key_file, policy=gate.policy, transport=httpx.MockTransport(gate), proofs="background", report=told, pins=tmp_path / "seen"
    ) as client:  # fmt: skip
        given = await asyncio.gather(*(client.disclose(APPOINTMENT, AGENT, NAMES) for _ in range(5)))
        first = min(given, key=lambda one: one.receipt.index)
        assert (await client.proof(first)).index == 6
        assert (await client.head(ORIGIN)).checkpoint.size == len(gate.leaves)
    assert [(pending.receipt.index, error.code) for pending, error in told.all] == [(8, "receipt-broken")]
    assert (
        AsyncClient(URL, CLIENT, key_file, policy=gate.policy, pins=tmp_path / "seen")
        ._calls._pins.seen(ORIGIN)[0]
        .checkpoint.size
        == 11
    )


# ── the log's keys change ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_rotation_when_two_keys_sign_then_old_and_new_policies_go_on(make: Maker, gate, tmp_path: Path) -> None:
    """Through the overlap both pinned keys verify, the pin carries over, and after it the new policy alone goes on."""
    old_policy, old_key = gate.policy, gate.log_key
    client = make(pins=tmp_path)
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    client.proof(disclosed)
    gate.next_log_key = Ed25519PrivateKey.generate()
    grow(gate)
    assert client.proof(disclosed).head.checkpoint.size == 8
    gate.log_key, gate.next_log_key = gate.next_log_key, None
    assert policy_of_vkey(gate.vkey) != old_policy
    renewed = make(pins=tmp_path)  # the pin of the overlap is signed by the new key, too
    grow(gate)
    assert renewed.proof(disclosed).head.checkpoint.size == 9
    with pytest.raises(ReceiptBroken, match="not signed by a log that is trusted"):
        client.proof(disclosed)
    assert gate.log_key is not old_key


def test_rotation_when_the_pin_is_of_a_key_that_nobody_names_then_said(make: Maker, gate, tmp_path: Path) -> None:
    """Who slept through the overlap is told which line of the policy is missing."""
    client = make(pins=tmp_path)
    disclosed = client.disclose(APPOINTMENT, AGENT, NAMES)
    client.proof(disclosed)
    gate.log_key = Ed25519PrivateKey.generate()
    with pytest.raises(ConfigurationError, match="Keep the policy's line of the key that signed it"):
        make(pins=tmp_path)
