"""A time-stamp authority (RFC 3161) on this machine: OpenSSL's ``ts`` behind a small HTTP server, with a root of its own.

``with founded_authority(folder) as authority`` runs it. ``authority.mode`` says how it answers: ``good``, or one of the faults of `Mode`.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

POLICY = "1.2.3.4.1"
Mode = Literal["good", "error", "garbage", "large", "old", "rejected"]
_CONFIG = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = {policy}
digests = {digests}
accuracy = secs:1
tsa_name = yes
ess_cert_id_alg = sha256
"""


def has_openssl_ts() -> bool:
    """Tell whether this machine's OpenSSL can stamp."""
    program = shutil.which("openssl")
    return program is not None and subprocess.run([program, "ts", "-help"], capture_output=True, check=False).returncode == 0


@dataclass
class TimeAuthority:
    """A running authority. ``asked``: the requests that came in; ``answers``: what it stamped."""

    folder: Path
    url: str = ""
    mode: Mode = "good"
    asked: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)

    @property
    def roots_pem(self) -> bytes:
        """Its root certificate."""
        return (self.folder / "root.pem").read_bytes()

    def answer(self, query: bytes) -> tuple[int, bytes]:
        """Answer one request as the mode says."""
        self.asked.append(query)
        if self.mode == "error":
            return 500, b"out of order"
        if self.mode == "garbage":
            return 200, b"\x30\x03\x02\x01"
        if self.mode == "large":
            return 200, bytes(100_000)
        if self.mode == "old":
            return 200, self.answers[0]
        answer = self._stamp(query, "strict.cnf" if self.mode == "rejected" else "tsa.cnf")
        self.answers.append(answer)
        return 200, answer

    def _stamp(self, query: bytes, config: str) -> bytes:
        (self.folder / "query.tsq").write_bytes(query)
        where = [str(self.folder / name) for name in (config, "query.tsq", "answer.tsr")]
        words = ["openssl", "ts", "-reply", "-config", where[0], "-queryfile", where[1], "-out", where[2]]
        subprocess.run(words, check=True, capture_output=True)
        return (self.folder / "answer.tsr").read_bytes()


@contextmanager
def founded_authority(folder: Path) -> Iterator[TimeAuthority]:
    """Make keys and certificates in ``folder`` and run an authority until the end."""
    folder.mkdir(parents=True)
    _certify(folder)
    for name, digests in (("tsa.cnf", "sha256"), ("strict.cnf", "sha512")):
        (folder / name).write_text(_CONFIG.format(folder=folder, policy=POLICY, digests=digests), encoding="utf-8")
    (folder / "serial").write_text("01\n", encoding="utf-8")
    authority = TimeAuthority(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, body = authority.answer(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    authority.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield authority
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _certify(folder: Path) -> None:
    """Make a root and, under it, a certificate for time-stamping and nothing else."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example Time Root")])
    root = _builder(root_name, root_name, root_key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example Time Authority")])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    leaf = _builder(name, root_name, key).add_extension(usage, critical=True)
    (folder / "root.pem").write_bytes(root.sign(root_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (folder / "tsa.pem").write_bytes(leaf.sign(root_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (folder / "tsa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    """Begin a certificate of a year."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
    )
