"""A real mail server for tests: aiosmtpd on this machine, with STARTTLS, sign-in and every way of failing that a server has."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP as WIRE
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

USER: Final = "gate"
PASSWORD: Final = "open-sesame"


@dataclass
class Post:
    """What a server got, and how it behaves.

    ``answer``: to the content of a mail, such as ``451 later``; ``hang``: it never answers that; ``cut``: the line breaks, ``before`` the content is taken or
    ``after``; ``refuse``: recipients by the code they are refused with; ``commands``: what was said to it.
    """

    port: int = 0
    answer: str = "250 taken"
    hang: bool = False
    cut: str = ""
    refuse: Mapping[str, int] = field(default_factory=dict)
    mails: list[tuple[tuple[str, ...], EmailMessage]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:  # noqa: N802 - aiosmtpd's name
        """Take or refuse a recipient."""
        if address in self.refuse:
            return f"{self.refuse[address]} {address} is not taken, and these are words of a stranger"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a mail, or fail at it."""
        if self.hang:
            await asyncio.sleep(3600)
        if self.answer.startswith("2"):
            content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
            parsed: Any = BytesParser(policy=WIRE).parsebytes(content)
            self.mails.append((tuple(envelope.rcpt_tos), parsed))
        if self.cut == "after":
            server.transport.abort()
        return self.answer


class _Protocol(SMTP):
    """The protocol, noting commands; it can break the line once the client begins to send a mail."""

    async def _handle_client(self) -> None:
        with suppress(asyncio.CancelledError):
            await super()._handle_client()

    async def push(self, status: str | bytes) -> None:
        post = self.event_handler
        if isinstance(post, Post) and post.cut == "before" and str(status).startswith("354"):
            self.transport.abort()
            raise ConnectionResetError
        await super().push(status)

    def _set_rset_state(self) -> None:
        super()._set_rset_state()

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        if isinstance(self.event_handler, Post):
            self.event_handler.commands.append("MAIL")
        await super().smtp_MAIL(arg)


def _sign_in(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, said: Any) -> AuthResult:
    return AuthResult(success=(said.login, said.password) == (USER.encode(), PASSWORD.encode()), handled=False)


@asynccontextmanager
async def posting(
    *, certificate: tuple[Path, Path] | None = None, sign_in: bool = False, **behaviour: Any
) -> AsyncIterator[Post]:
    """Run a server on a free port of this machine. ``certificate``: with STARTTLS, by this certificate and key."""
    post = Post(**behaviour)
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
    more: dict[str, Any] = {"authenticator": _sign_in, "auth_required": True} if sign_in else {}
    loop = asyncio.get_running_loop()
    made: list[_Protocol] = []

    def make() -> _Protocol:
        made.append(_Protocol(post, hostname="mail.agency.example", tls_context=context, loop=loop, **more))
        return made[-1]

    server = await loop.create_server(make, "127.0.0.1", 0)
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        server.close()
        for one in made:
            if one._handler_coroutine is not None:
                one._handler_coroutine.cancel()
            if one.transport is not None:
                one.transport.abort()
        await asyncio.sleep(0)


def certify(folder: Path) -> tuple[Path, Path, Path]:
    """Write an authority's certificate, and a server's for 127.0.0.1 with its key; return the three paths."""
    now = datetime.now(UTC)
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of tests")])

    def build(name: x509.Name, key: ec.EllipticCurvePrivateKey, *more: tuple[x509.ExtensionType, bool]) -> bytes:
        builder = (
            x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=2))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        )  # fmt: skip
        for extension, critical in more:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(authority_key, hashes.SHA256()).public_bytes(Encoding.PEM)

    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    ca, cert, key = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    ca.write_bytes(build(issuer, authority_key, (x509.BasicConstraints(ca=True, path_length=0), True), (usage, True)))
    names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1")), x509.DNSName("localhost")])
    cert.write_bytes(build(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), server_key, (names, False)))
    key.write_bytes(server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return ca, cert, key
