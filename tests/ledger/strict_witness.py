"""A witness of tlog-witness 1.0 on this machine, for the client's tests: stricter than the specification, and it misbehaves as told.

It listens in a thread of its own on a real socket. What the specification lets a client do and ours never does (a second request while one is under way,
headers of people, proofs that are not needed) is noted in ``faults``, which a test looks at in the end.
"""

from __future__ import annotations

import socketserver
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse.ledger.errors import LedgerError
from ecluse.ledger.model import Verifier
from ecluse.ledger.notes import COSIGNATURE, cosign, format_vkey, open_checkpoint, parse_note, verifier_of_key
from ecluse.ledger.tree import EMPTY_ROOT, check_consistency

_PATH: Final = "/w/add-checkpoint"
_EXPECTED: Final = {"host", "accept", "accept-encoding", "connection", "user-agent", "content-length", "content-type"}
STRANGER: Final = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)


@dataclass(kw_only=True)
class Witness:
    """A witness of one log.

    ``plan``: how the next requests are answered instead of rightly: a status, or ``die``, ``slow``, ``endless``, ``garbled``, ``stranger``, ``more``,
    ``empty``, ``size <text>``. ``always``: the same for all that the plan leaves. ``size``, ``root``: what it cosigned last.
    """

    name: str
    log: Verifier
    url: str = ""
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    plan: list[int | str] = field(default_factory=list)
    always: int | str = ""
    slow_seconds: float = 1.0
    size: int = 0
    root: bytes = EMPTY_ROOT
    sizes: list[int] = field(default_factory=list)
    requests: list[tuple[int, int, int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def vkey(self) -> str:
        """Its verifier key."""
        return format_vkey(verifier_of_key(self.name, self.key, COSIGNATURE))

    def judge(self, body: bytes) -> tuple[int, bytes]:
        """Answer one request as the specification says, each refusal where the client should have known better noted as a fault."""
        head, gap, note = body.partition(b"\n\n")
        first, *proof = head.decode("ascii").split("\n")
        if (
            not gap
            or not first.startswith("old ")
            or not first[4:].isascii()
            or str(int(first[4:])) != first[4:]
            or len(proof) > 63
        ):
            return self._fault(400, "the body is not that of add-checkpoint")
        nodes = [b64decode(line, validate=True) for line in proof]
        if any(len(node) != 32 or b64encode(node).decode() != line for node, line in zip(nodes, proof, strict=True)):
            return self._fault(400, "a proof line is not a hash")
        try:
            new = open_checkpoint(note, [self.log], self.log.name)
        except LedgerError:
            return 403, b""
        old = int(first[4:])
        self.requests.append((old, new.size, len(nodes)))
        if old > new.size:
            return self._fault(400, "it says that we know more than it has")
        if old != self.size:
            return 409, b"%d\n" % self.size
        if (old in {0, new.size}) and nodes:
            return self._fault(422, "a proof that is not needed")
        if old == new.size and new.root != self.root:
            return 422, b""
        if 0 < old < new.size:
            try:
                check_consistency(old, new.size, self.root, new.root, nodes)
            except LedgerError:
                return 422, b""
        self.size, self.root = new.size, new.root
        self.sizes.append(new.size)
        return 200, cosign(parse_note(note)[0], self.name, self.key, int(time.time())).encode()

    def _fault(self, status: int, what: str) -> tuple[int, bytes]:
        self.faults.append(what)
        return status, b""

    def misbehave(self, how: str, body: bytes) -> tuple[int, bytes]:
        """Answer otherwise than rightly."""
        if how.startswith("size "):
            return 409, how[5:].encode()
        text = parse_note(body.partition(b"\n\n")[2])[0]
        line = cosign(text, self.name, self.key, int(time.time())).encode()
        return 200, {
            "garbled": line[:-6] + (b"AAAA=" if line[-6:-1] != b"AAAA=" else b"BBBB=") + b"\n",
            "stranger": cosign(text, "stranger.example/w", STRANGER, int(time.time())).encode(),
            "more": b"and more\n\n" + line,
            "empty": b"",
        }[how]


class _Handler(BaseHTTPRequestHandler):
    """Takes requests and answers as the witness judges, or as its plan says."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take a request and answer it."""
        witness: Witness = self.server.witness  # type: ignore[attr-defined] # set where the server is made
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.path != _PATH:
            witness.faults.append(f"a request of {self.path}")
        if strange := {name.lower() for name in self.headers} - _EXPECTED:
            witness.faults.append(f"headers {sorted(strange)}")
        if not witness.lock.acquire(blocking=False):
            witness.faults.append("a request while one was under way")
            witness.lock.acquire()
        try:
            self._answer(witness, witness.plan.pop(0) if witness.plan else witness.always, body)
        finally:
            witness.lock.release()

    def do_GET(self) -> None:
        """Take what a followed redirect would send."""
        self.server.witness.faults.append("a GET")  # type: ignore[attr-defined] # as above
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, witness: Witness, how: int | str, body: bytes) -> None:
        if how == "slow":
            time.sleep(witness.slow_seconds)
        if how == "die":
            self.close_connection = True
            return
        if how in {"", "slow"}:
            status, content = witness.judge(body)
        elif isinstance(how, int):
            status, content = how, b""
        elif how == "endless":
            self._pour()
            return
        else:
            status, content = witness.misbehave(how, body)
        self.send_response(status)
        if status == 409:
            self.send_header("content-type", "text/x.tlog.size")
        if 300 <= status < 400:
            self.send_header("location", "/elsewhere")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _pour(self) -> None:
        """Answer without an end, for 20 seconds."""
        self.close_connection = True
        self.send_response(200)
        self.end_headers()
        begun = time.monotonic()
        while time.monotonic() - begun < 20:
            try:
                self.wfile.write(b"x" * 65_536)
            except OSError:
                return


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of those who hang up."""


@contextmanager
def witnessing(name: str, log: Verifier) -> Iterator[Witness]:
    """Witness the log of a key on a free port until the end."""
    witness = Witness(name=name, log=log)
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.witness = witness  # type: ignore[attr-defined] # the handler's way to it
        witness.url = f"http://127.0.0.1:{server.server_address[1]}/w"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield witness
        finally:
            server.shutdown()
            thread.join()


def policy_text(log_vkey: str, witnesses: dict[str, Witness], quorum: str) -> str:
    """Write a policy file that names the log, these witnesses, and what ``quorum`` says: lines of groups, then the quorum's."""
    lines = [f"log {log_vkey}", *(f"witness {name} {one.vkey} {one.url}" for name, one in witnesses.items()), quorum]
    return "".join(f"{line}\n" for line in lines)
