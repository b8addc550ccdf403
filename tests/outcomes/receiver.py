"""A controller's receiver of outcomes on this machine, written from the public texts alone (RFC 9421, RFC 9530): it verifies, and misbehaves as told.

Nothing of Écluse is imported here. It listens in a thread of its own, so it outlives the event loop of a test.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

SLOW_SECONDS: Final = 3.0
_INPUT: Final = re.compile(r'([a-z0-9*-]+)=(\(((?:"[^"]+" ?)*)\)(?:;[a-z]+=(?:"[^"]*"|[0-9]+))*)')


def unpadded(text: str) -> bytes:
    """Read base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(jwk: Mapping[str, str], signature_input: str, signature: str, values: Mapping[str, str]) -> dict[str, str]:
    """Verify an ECDSA P-256 signature over the components that it names; return its parameters. Raises where it does not hold.

    ``values``: of derived components and header fields, by name.
    """
    found = _INPUT.fullmatch(signature_input)
    assert found is not None, signature_input
    label, params, covered = found[1], found[2], re.findall(r'"([^"]+)"', found[3])
    base = "\n".join([*(f'"{name}": {values[name]}' for name in covered), f'"@signature-params": {params}'])
    assert signature.startswith(f"{label}=:")
    assert signature.endswith(":")
    raw = base64.b64decode(signature[len(label) + 2 : -1], validate=True)
    assert len(raw) == 64
    x, y = (int.from_bytes(unpadded(jwk[name]), "big") for name in ("x", "y"))
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key().verify(der, base.encode("ascii"), ECDSA(hashes.SHA256()))
    given = dict(re.findall(r';([a-z]+)=("[^"]*"|[0-9]+)', params))
    return {"covered": " ".join(covered), **{name: value.strip('"') for name, value in given.items()}}


@dataclass
class Receiver:
    """What came in. ``plan``: how the next requests are answered (a status, ``die``, ``slow``, ``endless``), then 204."""

    url: str = ""
    plan: list[int | str] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def bodies(self) -> list[dict[str, Any]]:
        """Return what was sent, parsed."""
        return [json.loads(body) for _, _, body in self.requests]

    def check(self, n: int, keys: Sequence[Mapping[str, str]]) -> dict[str, str]:
        """Verify one request by the published keys, as the address that we gave out and the body that arrived are; return the parameters."""
        method, headers, body = self.requests[n]
        digest = "sha-256=:" + base64.b64encode(hashlib.sha256(body).digest()).decode() + ":"
        assert headers["content-digest"] == digest
        named = re.search(r'keyid="([^"]+)"', headers["signature-input"])
        assert named is not None
        (jwk,) = [key for key in keys if key["kid"] == named[1]]
        values = {**headers, "@method": method, "@target-uri": self.url}
        return verify(jwk, headers["signature-input"], headers["signature"], values)


class _Handler(BaseHTTPRequestHandler):
    """Takes requests of any method and answers as the receiver's plan says."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take a request and answer it."""
        receiver: Receiver = self.server.receiver  # type: ignore[attr-defined] # set where the server is made
        if self.path != "/hooks/outcomes":
            receiver.elsewhere.append(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        receiver.requests.append((self.command, {name.lower(): value for name, value in self.headers.items()}, body))
        how = receiver.plan.pop(0) if receiver.plan else 204
        self.close_connection = True
        if how == "slow":
            time.sleep(SLOW_SECONDS)
        if how in {"die", "slow"}:
            return
        self._answer(200 if how == "endless" else int(how), endless=how == "endless")

    def do_GET(self) -> None:
        """Take what a followed redirect would send."""
        self.do_POST()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, *, endless: bool) -> None:
        self.send_response(status)
        if status in {301, 302, 307, 308}:
            self.send_header("location", "/elsewhere")
        self.send_header("connection", "close")
        if not endless:
            self.send_header("content-length", "0")
        self.end_headers()
        begun = time.monotonic()
        while endless and time.monotonic() - begun < 20:
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
def receiving() -> Iterator[Receiver]:
    """Listen on a free port until the end."""
    receiver = Receiver()
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.receiver = receiver  # type: ignore[attr-defined] # the handler's way to it
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hooks/outcomes"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
