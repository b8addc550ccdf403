"""The demo's mail server: a real one (aiosmtpd) on this machine. It takes what the gate sends, keeps each mail as a file of ``mail/``, and sends nothing on.

It listens before the installation is written, so that no other program can have its port, and serves in the demo's own event loop.
"""

from __future__ import annotations

import asyncio
import socket
from email.parser import BytesHeaderParser
from email.policy import SMTP as WIRE
from pathlib import Path
from typing import Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from ecluse.demo.premises import HOST, MAIL, keep
from ecluse.settings import is_mail_address

_NAME: Final = "mail.agency.example"


class Mailroom:
    """The server. ``port``: where it listens; ``taken``: the file of each mail it took, by its ``Message-ID``."""

    def __init__(self) -> None:
        """Listen; what comes waits until `open`."""
        self._socket = socket.create_server((HOST, 0))
        self.port: int = self._socket.getsockname()[1]
        self.taken: dict[str, Path] = {}
        self._folder, self._kept = Path(), 0
        self._server: asyncio.Server | None = None

    async def open(self, folder: Path) -> None:
        """Take mails from now on, into a new folder ``mail/`` of the demo's ``folder``."""
        self._folder = folder / MAIL
        self._folder.mkdir(mode=0o700)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, hostname=_NAME, loop=loop), sock=self._socket)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep one mail, byte for byte as it was sent."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        first = envelope.rcpt_tos[0] if envelope.rcpt_tos else ""
        name = first if is_mail_address(first) and "/" not in first else "somebody"
        self._kept += 1
        path = self._folder / f"{self._kept:04}-{name}.eml"
        keep(path, content)
        self.taken[str(BytesHeaderParser(policy=WIRE).parsebytes(content)["Message-ID"])] = path
        return "250 kept"

    def close(self) -> None:
        """Take no more. The gate is to be stopped first: then nobody is connected. Once it is closed this does nothing."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._socket.close()
