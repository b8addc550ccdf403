"""The two fronts, ``Client`` and ``AsyncClient``: they carry out the steps of an exchange over httpx and know nothing else.

Redirects are not followed: a proof is for one address. One front may be shared by threads, or by tasks, of one process.
"""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeVar

import httpx

from ecluse import clock, ids
from ecluse.client.calls import Calls
from ecluse.client.credential import Credential
from ecluse.client.exchange import Answer, Exchange, Lost, NeedToken, Pause, Reply, Send
from ecluse.client.notes import parse_vkey
from ecluse.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ecluse.client.model import Disclosed, Json, Proven, Session

T = TypeVar("T")
TIMEOUT_SECONDS: Final = 10.0
TRIES: Final = 4  # the gate answers a grant again at most five times


class _Front:
    """What both fronts are made of."""

    def __init__(
        self,
        base_url: str,
        client_id: str,
        key_file: str | Path,
        *,
        log_vkey: str | None = None,
        tries: int = TRIES,
        unsafe_plain_http: bool = False,
    ) -> None:
        """Load the key and pin the log's; nothing is sent yet. Raises ``ConfigurationError``."""
        credential = Credential.from_file(client_id, Path(key_file))
        self._calls = Calls(
            credential, base_url, tries=tries, now=clock.now, draw=ids.random_bytes, unsafe_plain_http=unsafe_plain_http
        )
        if log_vkey is not None:
            try:
                self._calls.log_key = parse_vkey(log_vkey)
            except ValueError as bad:
                raise ConfigurationError("log_vkey", str(bad), "Copy the whole line the controller gave you.") from None


class Client(_Front):
    """A processor's client, blocking."""

    def __init__(
        self,
        base_url: str,
        client_id: str,
        key_file: str | Path,
        *,
        log_vkey: str | None = None,
        tries: int = TRIES,
        timeout_seconds: float = TIMEOUT_SECONDS,
        unsafe_plain_http: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Be ``client_id`` at the gate of ``base_url``; ``log_vkey`` pins the log's key and is needed by ``proof``."""
        super().__init__(base_url, client_id, key_file, log_vkey=log_vkey, tries=tries, unsafe_plain_http=unsafe_plain_http)
        self._http = httpx.Client(timeout=timeout_seconds, transport=transport)
        self._one_token = threading.Lock()

    def __enter__(self) -> Self:
        """Use as a context: connections are closed at its end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def disclose(self, appointment: str, agent: str, attributes: Sequence[str]) -> Disclosed:
        """Ask for named attributes of the person of an appointment, for an agent; raise ``Refused`` if the gate refuses."""
        return self._run(self._calls.disclose(appointment, agent, attributes))

    def sheet(self, session: str, agent: str) -> tuple[Disclosed, ...]:
        """Ask for a session's sheet of names."""
        return self._run(self._calls.sheet(session, agent))

    def proof(self, disclosed: Disclosed) -> Proven:
        """Fetch the log's proof of a disclosure and check it with the pinned key; raise ``ReceiptBroken`` if it fails."""
        return self._run(self._calls.proof(disclosed))

    def sessions(self, from_: datetime, to: datetime) -> tuple[Session, ...]:
        """List the sessions that start in ``[from_, to)``."""
        return self._run(self._calls.sessions(from_, to))

    def session(self, session: str) -> Session:
        """Read one session."""
        return self._run(self._calls.session(session))

    def whoami(self) -> dict[str, Json]:
        """Read who we are to the gate."""
        return self._run(self._calls.whoami())

    def changes(self, after: str) -> dict[str, Json]:
        """Read the places moved or cancelled since ``after``."""
        return self._run(self._calls.changes(after))

    def outcome(
        self, appointment: str, attendance: str, *, level: str | None = None, agent: str | None = None
    ) -> dict[str, Json]:
        """Say, or correct, how an appointment ended; raise ``Refused`` if the gate refuses."""
        return self._run(self._calls.outcome(appointment, attendance, level=level, agent=agent))

    def budget(self) -> dict[str, Json]:
        """Read what is left of the contract's ceilings."""
        return self._run(self._calls.budget())

    def _run(self, exchange: Exchange[T]) -> T:
        reply: Reply = None
        while True:
            try:
                step = exchange.send(reply)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return] # a generator's result has no type here
            reply = None
            if isinstance(step, Send):
                reply = self._send(step)
            elif isinstance(step, Pause):
                time.sleep(step.seconds)
            elif isinstance(step, NeedToken):
                with self._one_token:
                    self._run(self._calls.authorise())

    def _send(self, step: Send) -> Reply:
        try:
            got = self._http.request(step.method, step.url, headers=step.headers, content=step.content)
        except httpx.TransportError:
            return Lost()
        return Answer(got.status_code, dict(got.headers), got.content)


class AsyncClient(_Front):
    """A processor's client for asyncio."""

    def __init__(
        self,
        base_url: str,
        client_id: str,
        key_file: str | Path,
        *,
        log_vkey: str | None = None,
        tries: int = TRIES,
        timeout_seconds: float = TIMEOUT_SECONDS,
        unsafe_plain_http: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Be ``client_id`` at the gate of ``base_url``; ``log_vkey`` pins the log's key and is needed by ``proof``."""
        super().__init__(base_url, client_id, key_file, log_vkey=log_vkey, tries=tries, unsafe_plain_http=unsafe_plain_http)
        self._http = httpx.AsyncClient(timeout=timeout_seconds, transport=transport)
        self._one_token = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Use as a context: connections are closed at its end."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def disclose(self, appointment: str, agent: str, attributes: Sequence[str]) -> Disclosed:
        """Ask for named attributes of the person of an appointment, for an agent; raise ``Refused`` if the gate refuses."""
        return await self._run(self._calls.disclose(appointment, agent, attributes))

    async def sheet(self, session: str, agent: str) -> tuple[Disclosed, ...]:
        """Ask for a session's sheet of names."""
        return await self._run(self._calls.sheet(session, agent))

    async def proof(self, disclosed: Disclosed) -> Proven:
        """Fetch the log's proof of a disclosure and check it with the pinned key; raise ``ReceiptBroken`` if it fails."""
        return await self._run(self._calls.proof(disclosed))

    async def sessions(self, from_: datetime, to: datetime) -> tuple[Session, ...]:
        """List the sessions that start in ``[from_, to)``."""
        return await self._run(self._calls.sessions(from_, to))

    async def session(self, session: str) -> Session:
        """Read one session."""
        return await self._run(self._calls.session(session))

    async def whoami(self) -> dict[str, Json]:
        """Read who we are to the gate."""
        return await self._run(self._calls.whoami())

    async def changes(self, after: str) -> dict[str, Json]:
        """Read the places moved or cancelled since ``after``."""
        return await self._run(self._calls.changes(after))

    async def outcome(
        self, appointment: str, attendance: str, *, level: str | None = None, agent: str | None = None
    ) -> dict[str, Json]:
        """Say, or correct, how an appointment ended; raise ``Refused`` if the gate refuses."""
        return await self._run(self._calls.outcome(appointment, attendance, level=level, agent=agent))

    async def budget(self) -> dict[str, Json]:
        """Read what is left of the contract's ceilings."""
        return await self._run(self._calls.budget())

    async def _run(self, exchange: Exchange[T]) -> T:
        reply: Reply = None
        while True:
            try:
                step = exchange.send(reply)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return] # a generator's result has no type here
            reply = None
            if isinstance(step, Send):
                reply = await self._send(step)
            elif isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
            elif isinstance(step, NeedToken):
                async with self._one_token:
                    await self._run(self._calls.authorise())

    async def _send(self, step: Send) -> Reply:
        try:
            got = await self._http.request(step.method, step.url, headers=step.headers, content=step.content)
        except httpx.TransportError:
            return Lost()
        return Answer(got.status_code, dict(got.headers), got.content)
