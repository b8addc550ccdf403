"""Machines of processors that ask cheaply: requests signed ahead, sent over plain connections, answers kept as they came.

A lost connection is an answer too (None): the caller can't know whether its request was sealed, and asks again with the same key.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.agency import Agency, Machine
from tests.e2e.outsider import Outsider

PATH = "/v1/disclosures"
RETRYABLE = frozenset({"busy", "clock-untrusted", "ledger-unavailable", "register-unavailable"})
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as it came."""

    status: int
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        """Its members."""
        members: dict[str, Any] = json.loads(self.body)
        return members

    @property
    def code(self) -> str:
        """``ok``, or the code of the problem."""
        return "ok" if self.status == 200 else str(self.told["type"]).removeprefix("/problems/")


class Caller:
    """One machine and its token: it writes signed requests, ready to be sent to any gate."""

    def __init__(self, agency: Agency, machine: Machine, agent: str) -> None:
        """Ask for ``agent``; `refresh` gets the token."""
        self.machine, self.agent = machine, agent
        self._url = agency.public_url
        self._signer = Outsider(agency.public_url, machine.id, machine.key)

    async def refresh(self, port: int) -> None:
        """Get a token from the gate at ``port``; it lives 300 s."""
        async with Outsider(self._url, self.machine.id, self.machine.key, via=f"http://127.0.0.1:{port}") as asking:
            self._signer.access_token = asking.access_token

    async def close(self) -> None:
        """Let go of what the signer holds."""
        await self._signer.http.aclose()

    def write(self, handle: str, key: str | None, attributes: Sequence[str] = ("family_name",)) -> bytes:
        """Write one request for a person with a fresh proof."""
        token = self._signer.access_token
        proof = self._signer.proof("POST", PATH, token=token)
        body = json.dumps({"appointment": handle, "agent": self.agent, "attributes": list(attributes)}).encode()
        named = "" if key is None else f"idempotency-key: {key}\r\n"
        head = (
            f"POST {PATH} HTTP/1.1\r\nhost: {self._url.partition('//')[2]}\r\nauthorization: DPoP {token}\r\ndpop: {proof}\r\n{named}"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


class Lane:
    """One keep-alive connection; it opens itself when it is needed, to the port that ``choose`` names then."""

    def __init__(self, choose: Callable[[], int]) -> None:
        """Nothing is opened yet."""
        self._choose = choose
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect, unless that is done. Raises OSError."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._choose())
        return self._streams

    async def ask(self, wire: bytes) -> Said | None:
        """Send one request and return its answer; None: the connection was lost before an answer was whole."""
        try:
            async with asyncio.timeout(_SECONDS):
                reader, writer = await self.open()
                writer.write(wire)
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                body = await reader.readexactly(int(fields[b"content-length"]))
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            await self.close()
            return None
        return Said(int(head[9:12]), body)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._streams is not None:
            writer, self._streams = self._streams[1], None
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def ask_until_decided(lane: Lane, write: Callable[[], bytes], chance: random.Random, *, tries: int = 500) -> Said:
    """Ask with a fresh proof each time until the gate decides: what is not known, or may be retried, is asked again."""
    for _ in range(tries):
        said = await lane.ask(write())
        if said is not None and said.code not in RETRYABLE:
            return said
        await asyncio.sleep(chance.uniform(0.02, 0.2))
    raise AssertionError("nobody decided")
